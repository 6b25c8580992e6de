//! Encodings whose beginning is made in a register.
//!
//! Most calls and answers are a few small numbers, perhaps with bytes behind them that stand in
//! memory already. Written byte by byte, every byte would ask whether there is room and wait for
//! the length that the one before it left. So all of this is to be inlined, and asks only at the
//! end whether there was room. Not here: what is encoded, and how (`wire.rs`).

use alloc::vec::Vec;

/// What [`Short::word`] holds.
const WORD_BYTES: u32 = 8;
/// A length that is beyond it, and stays there.
const TOO_LONG: u32 = 1 << 16;

/// Up to eight bytes of an encoding, the first lowest, and the bytes that follow them.
#[derive(Clone, Copy, Debug)]
pub struct Short<'a> {
    word: u64,
    word_bytes: u32,
    has_tail: bool,
    tail: &'a [u8],
}

impl<'a> Short<'a> {
    /// Nothing yet.
    pub const EMPTY: Self = Self { word: 0, word_bytes: 0, has_tail: false, tail: &[] };

    /// Whether there was room for all that was put into it.
    #[inline(always)]
    pub const fn is_whole(&self) -> bool {
        self.word_bytes <= WORD_BYTES
    }

    /// The bytes before the tail as a number, the first lowest.
    #[inline(always)]
    pub const fn word(&self) -> u64 {
        self.word
    }

    /// How many bytes that number has: at most eight if it is whole.
    #[inline(always)]
    pub const fn word_bytes(&self) -> u32 {
        self.word_bytes
    }

    /// What follows them.
    #[inline(always)]
    pub const fn tail(&self) -> &'a [u8] {
        self.tail
    }

    /// Appends it.
    pub fn put(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.word_bytes as usize;
        out.extend_from_slice(&self.word.to_le_bytes());
        out.truncate(end);
        out.extend_from_slice(self.tail);
    }

    /// With one byte more.
    #[inline(always)]
    pub const fn byte(self, byte: u8) -> Self {
        self.push(byte as u64, 1)
    }

    /// With a varint more, of up to three bytes.
    #[inline(always)]
    pub const fn varint(self, value: u64) -> Self {
        if value < 0x80 {
            self.push(value, 1)
        } else if value < 0x4000 {
            self.push(value & 0x7f | 0x80 | value >> 7 << 8, 2)
        } else if value < 0x20_0000 {
            let low = value & 0x7f | 0x80 | (value >> 7 & 0x7f | 0x80) << 8;
            self.push(low | value >> 14 << 16, 3)
        } else {
            self.too_long()
        }
    }

    /// With the bytes that end it.
    #[inline(always)]
    pub const fn bytes(self, tail: &'a [u8]) -> Self {
        if self.has_tail { self.too_long() } else { Self { has_tail: true, tail, ..self } }
    }

    /// With something for which there is never room.
    #[inline(always)]
    pub const fn too_long(self) -> Self {
        Self { word_bytes: TOO_LONG, ..self }
    }

    #[inline(always)]
    const fn push(self, bytes: u64, count: u32) -> Self {
        let word = self.word | bytes.wrapping_shl(8 * self.word_bytes);
        let before = if self.has_tail { TOO_LONG } else { self.word_bytes };
        Self { word, word_bytes: before.wrapping_add(count), ..self }
    }
}
