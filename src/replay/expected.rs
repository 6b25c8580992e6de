//! What a recording says of a call: the answer part of an imported trace's records.
//!
//! Everything that a replay compares stands here, so that a trace replays without the recording.
//! Encoding: `tickernel_systems::wire`, fields in order. A replay reads it as [`Told`]: most
//! answers are equal byte by byte to what the kernel gave, and are never taken apart.

use std::borrow::Cow;
use std::ops::Range;

use tickernel_systems::abi::Errno;
use tickernel_systems::event::Payload;
use tickernel_systems::wire::{Bytes, Wire, WireError, WireReader};
use tickernel_systems::{wire_enum, wire_struct};

/// What an event of an imported trace stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A call in scope: counted, compared.
    Call,
    /// A call out of scope: counted there; what it does may be carried out.
    OutOfScope,
    /// A call that the kernel does not know, or whose text says too little: answered as recorded.
    Unsupported,
    /// A call that is not carried out: its recorded result is taken for granted (EFAULT of an
    /// address that only the program could know).
    Taken,
    /// A signal's delivery: its siginfo is compared, it is no call.
    Signal,
    /// Keeps the state on the recorded path after a mismatch: not a call of the session.
    Force,
}

/// The recorded result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// A value.
    Value(i64),
    /// An errno.
    Errno(Errno),
    /// The call never returned: its task ended in it, or left it by a handler's jump.
    Never,
}

/// Nothing of the value is compared (an address, a count that the machine chose).
pub const IGNORE_VALUE: u32 = 1;
/// Nothing of the payload is compared.
pub const IGNORE_PAYLOAD: u32 = 2;
/// The payload's bytes were cut by strace: only their count is compared.
pub const CUT: u32 = 4;
/// The result is taken from the recording and counted as fed.
pub const FED: u32 = 8;
/// What is fed is a file of /proc or /sys.
pub const FED_PROC: u32 = 16;
/// The limit was never set in the session: a host fact, given.
pub const GIVEN: u32 = 32;
/// Read from a file that the session maps shared and writable: memory wrote to it, too.
pub const MAPPED: u32 = 64;

/// The answer rests on what the recording leaves out, and so may the signals before it.
pub const UNTOLD: u32 = 128;

/// What a recording says of one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// What the event stands for.
    pub role: Role,
    /// The call's name in the recording.
    pub name: Bytes,
    /// Its result.
    pub recorded: Recorded,
    /// What it wrote; `None` if nothing is known.
    pub payload: Payload,
    /// Which members of a stat are known (`stat_bits`).
    pub members: u32,
    /// `IGNORE_VALUE` and the others.
    pub flags: u32,
}

wire_enum!(Role { 0 Call, 1 OutOfScope, 2 Unsupported, 3 Taken, 4 Signal, 5 Force });
wire_enum!(Recorded { 0 Value(value), 1 Errno(errno), 2 Never });
wire_struct!(Expected { role, name, recorded, payload, members, flags });

/// Which members of a stat were printed: bit numbers of a mask.
pub mod stat_bits {
    /// `st_dev`
    pub const DEV: u32 = 1 << 0;
    /// `st_ino`
    pub const INO: u32 = 1 << 1;
    /// `st_mode`
    pub const MODE: u32 = 1 << 2;
    /// `st_nlink`
    pub const NLINK: u32 = 1 << 3;
    /// `st_uid`
    pub const UID: u32 = 1 << 4;
    /// `st_gid`
    pub const GID: u32 = 1 << 5;
    /// `st_rdev`
    pub const RDEV: u32 = 1 << 6;
    /// `st_size`
    pub const SIZE: u32 = 1 << 7;
    /// `st_mtime`
    pub const MTIME: u32 = 1 << 8;
    /// `st_atime`
    pub const ATIME: u32 = 1 << 9;
    /// `st_ctime`
    pub const CTIME: u32 = 1 << 10;
}

impl Expected {
    /// For an event that only has a role.
    pub fn only(role: Role, name: &str) -> Self {
        Self {
            role,
            name: Bytes(name.as_bytes().to_vec()),
            recorded: Recorded::Never,
            payload: Payload::None,
            members: 0,
            flags: 0,
        }
    }

    /// The name as text.
    pub fn name(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.name.0)
    }

    /// The encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// From the encoding.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = WireReader::new(bytes);
        let expected = Self::get(&mut reader)?;
        reader.finish()?;
        Ok(expected)
    }
}

/// An encoded [`Expected`] of which only the head has been read.
#[derive(Clone, Debug)]
pub(super) struct Told<'a> {
    bytes: Cow<'a, [u8]>,
    /// What the event stands for.
    pub(super) role: Role,
    name: Range<usize>,
}

impl<'a> Told<'a> {
    /// Reads the head.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = WireReader::new(bytes);
        let role = Role::get(&mut reader)?;
        let name_bytes = <&[u8]>::get(&mut reader)?.len();
        let end = bytes.len() - reader.left();
        Ok(Told { bytes: Cow::Borrowed(bytes), role, name: end - name_bytes..end })
    }

    /// The call's name in the recording.
    pub(super) fn name(&self) -> &[u8] {
        self.bytes.get(self.name.clone()).unwrap_or_default()
    }

    /// What follows the name: recorded result, payload, members, flags.
    fn answer(&self) -> &[u8] {
        self.bytes.get(self.name.end..).unwrap_or_default()
    }

    /// The recorded result.
    pub(super) fn recorded(&self) -> Result<Recorded, WireError> {
        Recorded::get(&mut WireReader::new(self.answer()))
    }

    /// The flags, if value and payload are equal to those of an encoded
    /// [`Outcome`](tickernel_systems::event::Outcome), which may stand in two pieces: `Done` and
    /// `Failed` are written as [`Recorded::Value`] with its payload and [`Recorded::Errno`] are,
    /// and an encoding is the prefix of no other. `None` says nothing: take it apart.
    pub(super) fn flags_if_same(&self, outcome: &[u8], tail: &[u8]) -> Option<u32> {
        let rest = self.answer().strip_prefix(outcome)?.strip_prefix(tail)?;
        let mut reader = WireReader::new(rest);
        if outcome.first() == Some(&1) {
            matches!(Payload::get(&mut reader), Ok(Payload::None)).then_some(())?;
        }
        let (_members, flags) = <(u32, u32)>::get(&mut reader).ok()?;
        reader.finish().ok()?;
        Some(flags)
    }

    /// All of it.
    pub(super) fn whole(&self) -> Result<Expected, WireError> {
        Expected::from_bytes(&self.bytes)
    }

    /// The same with bytes of its own.
    pub(super) fn into_owned(self) -> Told<'static> {
        Told { bytes: Cow::Owned(self.bytes.into_owned()), role: self.role, name: self.name }
    }
}
