//! Moving about in a trace: to a sequence number, to a snapshot, back to the beginning.
//!
//! The part of `TraceReader` that needs `Seek`. It uses the footer's index where there is one and
//! scans where there is none or where it leads nowhere; both come to the same place.

use std::io::{Read, Seek, SeekFrom};

use super::batch::Kind;
use super::chunk::Assembly;
use super::error::TraceError;
use super::footer::{Footer, TRAILER_BYTES, footer_offset};
use super::reader::{End, Start, TraceReader};
use super::scan::{Found, Scanner};

impl<R: Read + Seek> TraceReader<R> {
    /// Goes to the place before event `sequence`, right behind the event before: what stands
    /// between the two comes next, then event `sequence`. Jumps by the footer's index where there
    /// is one (what is jumped over is not checked), else scans from the beginning.
    ///
    /// # Errors
    /// If the trace, or what of it can be read, does not reach `sequence`.
    pub fn seek(&mut self, sequence: u64) -> Result<(), TraceError> {
        let entry = match (self.load_footer()?, sequence.checked_sub(1)) {
            (Some(footer), Some(before)) if sequence <= footer.next_sequence => {
                footer.find(Kind::Events, before)
            }
            _ => None,
        };
        if let Some(entry) = entry {
            self.go(entry.offset, None, entry.first_sequence, entry.first_tick)?;
            if self.skip_to(sequence).is_ok() {
                return Ok(());
            }
        }
        self.rewind()?;
        self.skip_to(sequence)
    }

    /// Goes to the last snapshot that the index names at or before event `sequence`; its first
    /// piece comes next then. False, and no movement, if there is none.
    pub fn seek_snapshot(&mut self, sequence: u64) -> Result<bool, TraceError> {
        let position = self.scanner.input.stream_position()?;
        let entry = self.load_footer()?.and_then(|footer| footer.find(Kind::Snapshot, sequence));
        match entry {
            Some(entry) => {
                self.go(entry.offset, None, entry.first_sequence, entry.first_tick)?;
                Ok(true)
            }
            None => {
                self.scanner.input.seek(SeekFrom::Start(position))?;
                Ok(false)
            }
        }
    }

    /// Goes back to the beginning, as after `new`.
    pub fn rewind(&mut self) -> Result<(), TraceError> {
        let Start { offset, chain, image_bytes } = self.start;
        self.go(offset, Some(chain), self.header.first_sequence, 0)?;
        self.image = Assembly { total_bytes: image_bytes, done_bytes: 0 };
        Ok(())
    }

    fn go(
        &mut self,
        offset: u64,
        chain: Option<u32>,
        next_sequence: u64,
        last_tick: u64,
    ) -> Result<(), TraceError> {
        self.scanner.input.seek(SeekFrom::Start(offset))?;
        self.scanner.offset = offset;
        self.scanner.chain = chain;
        self.scanner.consumed_bytes = 0;
        self.next_sequence = next_sequence;
        self.last_tick = last_tick;
        self.image.done_bytes = self.image.total_bytes;
        self.snapshot = Assembly::default();
        self.open = None;
        self.end = End::NotYet;
        Ok(())
    }

    /// The footer, if the file has a whole one. Leaves the input anywhere.
    fn load_footer(&mut self) -> Result<Option<&Footer>, TraceError> {
        if self.footer.is_none() {
            self.footer = Some(self.read_footer()?);
        }
        Ok(self.footer.as_ref().and_then(Option::as_ref))
    }

    fn read_footer(&mut self) -> Result<Option<Footer>, TraceError> {
        let input = &mut self.scanner.input;
        let file_bytes = input.seek(SeekFrom::End(0))?;
        let Some(trailer_offset) = file_bytes.checked_sub(TRAILER_BYTES as u64) else {
            return Ok(None);
        };
        input.seek(SeekFrom::Start(trailer_offset))?;
        let mut trailer = [0; TRAILER_BYTES];
        input.read_exact(&mut trailer)?;
        let Some(offset) = footer_offset(&trailer).filter(|offset| *offset < trailer_offset) else {
            return Ok(None);
        };
        input.seek(SeekFrom::Start(offset))?;
        let mut scanner = Scanner::new(input, offset, 0)?;
        scanner.chain = None;
        Ok(match scanner.next()? {
            Found::Batch(Kind::Footer, _) => Footer::decode(&scanner.payload),
            Found::Batch(..) | Found::Unknown | Found::End | Found::Damaged(_) => None,
        })
    }
}
