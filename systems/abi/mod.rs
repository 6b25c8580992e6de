//! The field's own names and numbers: errno, signals, flags, structures of the man pages.
//!
//! Everything here is a value or a table of values; nothing decides anything. Numbers are those of
//! x86-64 Linux. Each table of names stands once, beside its numbers.

pub mod address;
pub mod credentials;
pub mod errno;
pub mod flags;
pub mod signal;
pub mod socket;
pub mod structs;
pub mod termios;

pub use address::{Address, AltStack};
pub use credentials::Credentials;
pub use errno::Errno;
pub use signal::{SigAction, SigInfo, SigSet, Signal};
pub use structs::*;

use crate::wire::{Wire, WireError, WireReader};
use alloc::vec::Vec;

impl<'a> Wire<'a> for Errno {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok(Errno(u16::get(from)?))
    }
}

impl<'a> Wire<'a> for Signal {
    fn put(&self, out: &mut Vec<u8>) {
        self.number().put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("a signal, 1 to 64");
        Signal::new(i32::from(u8::get(from)?)).ok_or(error)
    }
}

impl<'a> Wire<'a> for SigSet {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok(SigSet(u64::get(from)?))
    }
}

crate::wire_struct!(SigAction { handler, mask, flags });
crate::wire_struct!(SigInfo { signo, code, pid, uid, status, value });
