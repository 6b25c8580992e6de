//! Pseudo-terminals of the face (`shared/contract/SEMANTICS.md`, section 5): settings, the line
//! that is typed, and what lies at each end to be read.
//!
//! They are no [`Terminal`](super::terminal::Terminal): the contract has other limits (65,536 bytes
//! a way), other echoes, no node and no hang-up. What becomes of bytes is `calls/face_line.rs`'s,
//! the calls are `calls/face_pty.rs`'s.

use super::WaitQueue;
use super::terminal::End;
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Bytes that lie at an end at most.
pub const PTY_END_BYTES: u64 = 65_536;
/// Bytes of a line that is typed at most; what comes after them is dropped.
pub const PTY_LINE_BYTES: usize = 4096;

/// Carriage returns arrive as newlines.
pub const PTY_ICRNL: u32 = 1;
/// Output is processed.
pub const PTY_OPOST: u32 = 2;
/// A newline is written with a carriage return before it.
pub const PTY_ONLCR: u32 = 4;
/// Input is read line by line.
pub const PTY_ICANON: u32 = 8;
/// Input is shown.
pub const PTY_ECHO: u32 = 16;
/// Some characters send signals.
pub const PTY_ISIG: u32 = 32;
/// All of them.
pub const PTY_FLAGS: u32 = 63;

/// How many special characters there are: VINTR, VQUIT, VSUSP, VEOF, VERASE, and VKILL and VWERASE,
/// which are kept and do nothing.
pub const PTY_CHARACTERS: usize = 7;

/// What lies at an end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PtyEnd {
    /// The bytes.
    pub bytes: VecDeque<u8>,
    /// The input ends behind them: told once.
    pub ended: bool,
    /// Descriptions that are open on it.
    pub refs: u32,
    /// Calls that wait for it.
    pub waiters: WaitQueue,
}

/// A pair of ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pty {
    /// `PTY_*`.
    pub flags: u32,
    /// The special characters.
    pub characters: [u8; PTY_CHARACTERS],
    /// Columns and rows.
    pub size: [u16; 2],
    /// The foreground group; 0 = none.
    pub foreground: u32,
    /// What is typed of a line.
    pub line: Vec<u8>,
    /// What the master, and what the slave can read.
    pub ends: [PtyEnd; 2],
}

impl Default for Pty {
    fn default() -> Self {
        Self {
            flags: PTY_FLAGS,
            characters: [0x03, 0x1c, 0x1a, 0x04, 0x7f, 0x15, 0x17],
            size: [80, 24],
            foreground: 0,
            line: Vec::new(),
            ends: Default::default(),
        }
    }
}

impl Pty {
    /// What lies at an end.
    pub const fn end(&self, end: End) -> &PtyEnd {
        &self.ends[end.at()]
    }

    /// The same to change.
    pub const fn end_mut(&mut self, end: End) -> &mut PtyEnd {
        &mut self.ends[end.at()]
    }

    /// Whether nobody has the end open.
    pub const fn is_closed(&self, end: End) -> bool {
        self.end(end).refs == 0
    }

    /// Whether a flag is set.
    pub const fn is_set(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

impl PtyEnd {
    /// Room for more bytes.
    pub fn room(&self) -> u64 {
        PTY_END_BYTES.saturating_sub(self.bytes.len() as u64)
    }

    /// Whether a read finds something.
    pub fn is_readable(&self) -> bool {
        !self.bytes.is_empty() || self.ended
    }

    /// Puts bytes behind all others.
    pub fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes.extend(bytes);
            self.ended = false;
        }
    }

    /// Takes up to `most` bytes, more than none of them, off the front: none where the input ends.
    /// `None` if nothing is there.
    pub fn take(&mut self, most: u64) -> Option<Vec<u8>> {
        if !self.is_readable() {
            return None;
        }
        let left = self.bytes.len();
        let taken = take_front(&mut self.bytes, most);
        if (left as u64) < most {
            self.ended = false;
        }
        Some(taken)
    }
}

/// Takes up to `most` bytes off the front of a queue.
pub(crate) fn take_front(queue: &mut VecDeque<u8>, most: u64) -> Vec<u8> {
    let count = usize::try_from(most).map_or(queue.len(), |most| most.min(queue.len()));
    let (front, back) = queue.as_slices();
    let mut taken = Vec::with_capacity(count);
    taken.extend_from_slice(&front[..count.min(front.len())]);
    taken.extend_from_slice(&back[..count - taken.len()]);
    queue.drain(..count);
    taken
}

/// A queue as it is written down.
pub(crate) fn put_queue(queue: &VecDeque<u8>, out: &mut Vec<u8>) {
    (queue.len() as u64).put(out);
    let (front, back) = queue.as_slices();
    out.extend_from_slice(front);
    out.extend_from_slice(back);
}

impl<'a> Wire<'a> for Pty {
    fn put(&self, out: &mut Vec<u8>) {
        self.flags.put(out);
        self.characters.put(out);
        self.size.put(out);
        self.foreground.put(out);
        Bytes(self.line.clone()).put(out);
        for end in &self.ends {
            put_queue(&end.bytes, out);
            end.ended.put(out);
            end.refs.put(out);
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("a pseudo-terminal within its limits");
        let (flags, characters) = Wire::get(from)?;
        let (size, foreground) = Wire::get(from)?;
        let line = Bytes::get(from)?.0;
        let mut ends = [PtyEnd::default(), PtyEnd::default()];
        for end in &mut ends {
            end.bytes = Bytes::get(from)?.0.into();
            end.ended = bool::get(from)?;
            end.refs = u32::get(from)?;
        }
        let full = ends.iter().any(|end| end.bytes.len() as u64 > PTY_END_BYTES);
        if flags & !PTY_FLAGS != 0 || line.len() > PTY_LINE_BYTES || full {
            return Err(error);
        }
        Ok(Self { flags, characters, size, foreground, line, ends })
    }
}
