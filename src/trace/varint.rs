//! Integers and byte strings in the trace's payloads: little-endian, LEB128, zigzag.
//!
//! Used by every other file of the container. The reading half takes bytes from outside: it
//! answers `None` for whatever is not there or not in its only form, and never panics.

use std::ops::Range;

/// Appends `value` as LEB128: seven bits a byte, lowest first, the top bit set on all but the last.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a byte string: its length as LEB128, then its bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// `to - from` modulo 2^64, folded so that small steps in both directions become small numbers.
pub(crate) fn zigzag_step(from: u64, to: u64) -> u64 {
    let step = to.wrapping_sub(from) as i64;
    ((step << 1) ^ (step >> 63)) as u64
}

/// The inverse of [`zigzag_step`]: where `step` leads to from `from`.
pub(crate) fn zigzag_apply(from: u64, step: u64) -> u64 {
    from.wrapping_add((step >> 1) ^ (step & 1).wrapping_neg())
}

/// Reads a payload from front to back.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at offset `at` of `bytes`.
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Cursor { bytes, at }
    }

    /// The offset of the next byte.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Whether everything has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The place of the next `count` bytes.
    pub(crate) fn range(&mut self, count: u64) -> Option<Range<usize>> {
        let end = self.at.checked_add(usize::try_from(count).ok()?)?;
        if end > self.bytes.len() {
            return None;
        }
        let start = std::mem::replace(&mut self.at, end);
        Some(start..end)
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let range = self.range(count)?;
        self.bytes.get(range)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N as u64)?.try_into().ok()
    }

    /// One byte.
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Two bytes, little-endian.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, little-endian.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A LEB128 number below 2^64 in its shortest form (any other is `None`).
    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                let shortest = bits != 0 || shift == 0;
                return shortest.then_some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<u64> {
        let mut cursor = Cursor::new(bytes, 0);
        cursor.varint().filter(|_| cursor.is_empty())
    }

    #[test]
    fn varints_come_back_at_every_length() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut bytes = Vec::new();
                put_varint(&mut bytes, value);
                assert_eq!(read(&bytes), Some(value));
            }
        }
    }

    #[test]
    fn a_number_has_one_form_only() {
        assert_eq!(read(&[0x80, 0x00]), None);
        assert_eq!(read(&[0xff, 0x80, 0x00]), None);
        assert_eq!(read(&[0xff; 10]), None);
        let mut too_large = vec![0xff; 9];
        too_large.push(0x02);
        assert_eq!(read(&too_large), None);
        assert_eq!(read(&[0x80]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn steps_lead_back() {
        for from in [0, 1, 5, u64::MAX / 2, u64::MAX] {
            for to in [0, 1, 4, u64::MAX / 2 + 1, u64::MAX] {
                assert_eq!(zigzag_apply(from, zigzag_step(from, to)), to);
            }
        }
        assert_eq!(zigzag_step(5, 6), 2);
        assert_eq!(zigzag_step(6, 5), 1);
    }
}
