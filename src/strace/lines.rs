//! Reads lines from a stream and parses each: bounded, linear, everything before the damage.

use std::io::{BufRead, Read};

use super::detect::BYTE_ORDER_MARK;
use super::error::{Error, Reason};
use super::line::{Body, Cut, Line, LineParser, Notice};
use super::value::Name;

/// The longest line that is read. `-s 1048576` in `\xNN` is 4 MiB a buffer; writev holds several.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// Room for a line that is kept for the next ones.
const MAX_KEPT_BYTES: usize = 64 << 10;

/// The lines of one recording. After the first error there is nothing more.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    parser: LineParser,
    buffer: Vec<u8>,
    number: u64,
    text_bytes: u64,
    /// The call whose first half the line read last is.
    unfinished: Option<(Option<u32>, Name)>,
    /// The line read last is none of strace's unless it is a second half without anything before it
    /// (`strace -z`): then this is what is wrong with it.
    doubt: Option<Error>,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// Lines of `input`, which is bytes and need not be UTF-8.
    pub fn new(input: R) -> Self {
        Self {
            input,
            parser: LineParser::new(),
            buffer: Vec::new(),
            number: 0,
            text_bytes: 0,
            unfinished: None,
            doubt: None,
            ended: false,
        }
    }

    /// The bytes read so far.
    pub(crate) fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// The number of the line read last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// What is wrong with the line read last, if it is no second half.
    pub(crate) fn take_doubt(&mut self) -> Option<Error> {
        self.doubt.take()
    }

    /// The parser, for what is put together from several lines.
    pub(crate) fn parser(&mut self) -> &mut LineParser {
        &mut self.parser
    }

    fn read(&mut self) -> Result<Option<Line>, Error> {
        // What a notice on standard error interrupted is still in the buffer.
        let kept = self.buffer.len();
        let limit = MAX_LINE_BYTES.saturating_sub(kept).saturating_add(1);
        let read = (&mut self.input)
            .take(limit as u64)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| Error { line: self.number + 1, ..Error::whole(Reason::Io(error)) })?;
        if read == 0 {
            return self.end();
        }
        self.text_bytes += read as u64;
        self.number += 1;
        if self.buffer.pop_if(|last| *last == b'\n').is_none() {
            return Err(self.unended());
        }
        self.buffer.pop_if(|last| *last == b'\r');
        if self.number == 1 && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        if let Some((start, pid)) = interrupting_notice(&self.buffer) {
            self.buffer.truncate(start);
            let body = Body::Notice(Notice::Attached(pid));
            return Ok(Some(Line {
                number: self.number,
                tid: None,
                time: None,
                fraction_digits: 0,
                body,
            }));
        }
        let parsed = self.parser.parse(self.number, &self.buffer);
        let line = match (parsed, self.unfinished.take()) {
            (Ok(line), _) => line,
            (Err(error), Some((tid, name))) => {
                self.doubt = Some(error);
                let body = Body::Resumed { name, text: self.buffer.clone(), at: 0 };
                Line { number: self.number, tid, time: None, fraction_digits: 0, body }
            }
            (Err(error), None) => return Err(error),
        };
        if let Body::Unfinished { name, cut: Cut::Unfinished, .. } = &line.body {
            self.unfinished = Some((line.tid, name.clone()));
        }
        self.buffer.clear();
        // A line of many bytes shall not hold that room for the next ones.
        self.buffer.shrink_to(MAX_KEPT_BYTES);
        Ok(Some(line))
    }

    fn end(&self) -> Result<Option<Line>, Error> {
        if self.number == 0 {
            Err(Error::whole(Reason::Empty))
        } else if self.buffer.is_empty() {
            Ok(None)
        } else {
            Err(Error::at(self.number, &self.buffer, self.buffer.len(), Reason::Torn))
        }
    }

    /// Why a line has no newline.
    fn unended(&self) -> Error {
        let reason = if self.buffer.len() > MAX_LINE_BYTES {
            Reason::LineTooLong { limit_bytes: MAX_LINE_BYTES }
        } else {
            Reason::Torn
        };
        Error::at(self.number, &self.buffer, self.buffer.len(), reason)
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Line, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.read() {
            Ok(Some(line)) => Some(Ok(line)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

/// `fork(strace: Process 7 attached`: on standard error the notice comes in the middle of a line,
/// which goes on in the next. Gives where the notice begins, and the process.
fn interrupting_notice(text: &[u8]) -> Option<(usize, u32)> {
    const NOTICE: &[u8] = b"strace: Process ";
    let head = text.strip_suffix(b" attached")?;
    let digits = head.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (front, digits) = head.split_at(head.len() - digits);
    let front = front.strip_suffix(NOTICE).filter(|front| !front.is_empty())?;
    let pid = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((front.len(), pid))
}
