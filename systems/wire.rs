//! The one way in which values become bytes and bytes values: events, answers, snapshots, digests.
//!
//! Unsigned integers are LEB128 varints, signed ones zigzag first, byte strings a length and their
//! bytes, lists a count and their items. No `usize`, no host order, no row number is ever written;
//! an `hecs::Entity` is written as its own id by the code that owns it (`snapshot.rs`).

pub use crate::short::Short;
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// For the macros, in crates that do not name `alloc`.
#[doc(hidden)]
pub use alloc::vec::Vec as __Vec;
use core::fmt;

/// Why bytes are not a value: what was expected, and at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireError {
    /// Byte offset in the input.
    pub offset: u64,
    /// What was expected there.
    pub expected: &'static str,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: expected {}", self.offset, self.expected)
    }
}

impl core::error::Error for WireError {}

/// Takes values from bytes, front to back.
#[derive(Clone, Debug)]
pub struct WireReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes of memory that what is read may still take.
    room_bytes: u64,
}

impl<'a> WireReader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self::bounded(bytes, u64::MAX)
    }

    /// The same for bytes of unknown origin: an item of few bytes may take hundreds in memory, and
    /// all together take at most about `room_bytes`.
    pub const fn bounded(bytes: &'a [u8], room_bytes: u64) -> Self {
        Self { bytes, at: 0, room_bytes }
    }

    /// Counts the memory that a value takes.
    ///
    /// # Errors
    /// It is too much.
    pub fn charge(&mut self, bytes: u64) -> Result<(), WireError> {
        let error = self.error("less than fills the memory");
        self.room_bytes = self.room_bytes.checked_sub(bytes).ok_or(error)?;
        Ok(())
    }

    /// How many bytes are left.
    pub const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// An error at the present place.
    pub fn error(&self, expected: &'static str) -> WireError {
        WireError { offset: self.at as u64, expected }
    }

    /// Fails if anything is left.
    pub fn finish(&self) -> Result<(), WireError> {
        if self.left() == 0 { Ok(()) } else { Err(self.error("the end")) }
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, WireError> {
        let Some(byte) = self.bytes.get(self.at) else { return Err(self.error("a byte")) };
        self.at += 1;
        Ok(*byte)
    }

    /// `count` bytes, borrowed.
    #[inline]
    pub fn take(&mut self, count: u64) -> Result<&'a [u8], WireError> {
        let error = self.error("as many bytes as the length says");
        let count = usize::try_from(count).map_err(|_| error)?;
        let end = self.at.checked_add(count).ok_or(error)?;
        let taken = self.bytes.get(self.at..end).ok_or(error)?;
        self.at = end;
        Ok(taken)
    }

    /// A varint. Nearly all have one byte.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let error = self.error("a varint of at most 64 bits");
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(error);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(error)
    }

    /// A count of items, each at least one byte long: bounded by what is left.
    pub fn count(&mut self) -> Result<usize, WireError> {
        let error = self.error("a count that the input can hold");
        let count = self.varint()?;
        if count > self.left() as u64 {
            return Err(error);
        }
        Ok(count as usize)
    }
}

/// Appends a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        put_long_varint(out, value);
    }
}

fn put_long_varint(out: &mut Vec<u8>, mut value: u64) {
    let low = |shift: u32| (value >> shift) as u8;
    // Pids, lengths and offsets: mostly two or three bytes.
    if value < 1 << 14 {
        out.extend_from_slice(&[low(0) | 0x80, low(7)]);
        return;
    }
    if value < 1 << 21 {
        out.extend_from_slice(&[low(0) | 0x80, low(7) | 0x80, low(14)]);
        return;
    }
    let mut bytes = [0; 10];
    let mut length = 0;
    for byte in &mut bytes {
        length += 1;
        *byte = value as u8 & 0x7f;
        value >>= 7;
        if value == 0 {
            break;
        }
        *byte |= 0x80;
    }
    out.extend_from_slice(&bytes[..length]);
}

/// A value with a canonical encoding: equal values have equal bytes.
pub trait Wire<'a>: Sized {
    /// Appends the encoding.
    fn put(&self, out: &mut Vec<u8>);
    /// The encoding behind what `before` holds; too long unless the type is one of the fields of
    /// hot calls: numbers, and bytes. Then [`Wire::put`] is the way.
    #[inline(always)]
    fn short<'s>(&'s self, before: Short<'s>) -> Short<'s> {
        before.too_long()
    }
    /// Takes a value from the front.
    ///
    /// # Errors
    /// The place and what was expected there.
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError>;
}

/// A signed number as an unsigned one that is small if it is near 0.
#[inline]
const fn zigzag(wide: i64) -> u64 {
    ((wide << 1) ^ (wide >> 63)) as u64
}

macro_rules! wire_unsigned {
    ($($kind:ty),*) => {$(
        impl<'a> Wire<'a> for $kind {
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                put_varint(out, u64::from(*self));
            }
            #[inline(always)]
            fn short<'s>(&'s self, before: Short<'s>) -> Short<'s> {
                before.varint(u64::from(*self))
            }
            #[inline]
            fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
                let error = from.error(concat!("a number that fits ", stringify!($kind)));
                <$kind>::try_from(from.varint()?).map_err(|_| error)
            }
        }
    )*};
}
wire_unsigned!(u8, u16, u32, u64);

macro_rules! wire_signed {
    ($($kind:ty),*) => {$(
        impl<'a> Wire<'a> for $kind {
            #[inline]
            fn put(&self, out: &mut Vec<u8>) {
                put_varint(out, zigzag(i64::from(*self)));
            }
            #[inline(always)]
            fn short<'s>(&'s self, before: Short<'s>) -> Short<'s> {
                before.varint(zigzag(i64::from(*self)))
            }
            #[inline]
            fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
                let error = from.error(concat!("a number that fits ", stringify!($kind)));
                let raw = from.varint()?;
                let wide = (raw >> 1) as i64 ^ -((raw & 1) as i64);
                <$kind>::try_from(wide).map_err(|_| error)
            }
        }
    )*};
}
wire_signed!(i8, i16, i32, i64);

impl<'a> Wire<'a> for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("0 or 1");
        match from.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(error),
        }
    }
}

impl<'a> Wire<'a> for &'a [u8] {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        out.extend_from_slice(self);
    }
    #[inline(always)]
    fn short<'s>(&'s self, before: Short<'s>) -> Short<'s> {
        before.varint(self.len() as u64).bytes(self)
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let length = from.varint()?;
        from.take(length)
    }
}

/// Owned bytes. (A newtype, so that a list of `u8` numbers and a byte string cannot be confused.)
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl core::borrow::Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> Wire<'a> for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.as_slice().put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let bytes = <&[u8]>::get(from)?;
        from.charge(bytes.len() as u64)?;
        Ok(Bytes(bytes.to_vec()))
    }
}

impl<'a> Wire<'a> for Box<[u8]> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_ref().put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let bytes = <&[u8]>::get(from)?;
        from.charge(bytes.len() as u64)?;
        Ok(bytes.into())
    }
}

impl<'a> Wire<'a> for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("UTF-8");
        let bytes = <&[u8]>::get(from)?;
        core::str::from_utf8(bytes).map(String::from).map_err(|_| error)
    }
}

impl<'a, K: Wire<'a> + Ord, V: Wire<'a>> Wire<'a> for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let mut map = BTreeMap::new();
        for _ in 0..from.count()? {
            let error = from.error("keys in ascending order");
            let key = K::get(from)?;
            if map.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(error);
            }
            map.insert(key, V::get(from)?);
        }
        Ok(map)
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.put(out);
            }
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok(if bool::get(from)? { Some(T::get(from)?) } else { None })
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_ref().put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok(Box::new(T::get(from)?))
    }
}

impl<'a, T: Wire<'a>> Wire<'a> for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        for item in self {
            item.put(out);
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let count = from.count()?;
        let mut items = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            from.charge(size_of::<T>() as u64)?;
            items.push(T::get(from)?);
        }
        Ok(items)
    }
}

impl<'a, T: Wire<'a> + Clone> Wire<'a> for Cow<'a, [T]> {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        for item in self.iter() {
            item.put(out);
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok(Cow::Owned(Vec::get(from)?))
    }
}

impl<'a, A: Wire<'a>, B: Wire<'a>> Wire<'a> for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok((A::get(from)?, B::get(from)?))
    }
}

impl<'a, T: Wire<'a> + Copy + Default, const N: usize> Wire<'a> for [T; N] {
    fn put(&self, out: &mut Vec<u8>) {
        for item in self {
            item.put(out);
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let mut items = [T::default(); N];
        for item in &mut items {
            *item = T::get(from)?;
        }
        Ok(items)
    }
}

/// Implements [`Wire`] for a struct, field by field in the order given.
#[macro_export]
macro_rules! wire_struct {
    ($name:ty { $($field:ident),* $(,)? }) => {
        impl<'a> $crate::wire::Wire<'a> for $name {
            fn put(&self, out: &mut $crate::wire::__Vec<u8>) {
                $($crate::wire::Wire::put(&self.$field, out);)*
            }
            fn get(
                from: &mut $crate::wire::WireReader<'a>,
            ) -> Result<Self, $crate::wire::WireError> {
                Ok(Self { $($field: $crate::wire::Wire::get(from)?,)* })
            }
        }
    };
}

/// Implements [`Wire`] for an enum: a byte for the variant, then its fields.
#[macro_export]
macro_rules! wire_enum {
    ($name:ty { $($tag:literal $variant:ident
        $(( $($item:ident),* ))? $({ $($field:ident),* })?),* $(,)? }) => {
        impl<'a> $crate::wire::Wire<'a> for $name {
            fn put(&self, out: &mut $crate::wire::__Vec<u8>) {
                match self {
                    $(Self::$variant $(($($item),*))? $({ $($field),* })? => {
                        out.push($tag);
                        $($($crate::wire::Wire::put($item, out);)*)?
                        $($($crate::wire::Wire::put($field, out);)*)?
                    })*
                }
            }
            fn get(
                from: &mut $crate::wire::WireReader<'a>,
            ) -> Result<Self, $crate::wire::WireError> {
                let error = from.error(concat!("a variant of ", stringify!($name)));
                Ok(match from.byte()? {
                    $($tag => {
                        $($(let $item = $crate::wire::Wire::get(from)?;)*)?
                        $($(let $field = $crate::wire::Wire::get(from)?;)*)?
                        Self::$variant $(($($item),*))? $({ $($field),* })?
                    })*
                    _ => return Err(error),
                })
            }
        }
    };
}
