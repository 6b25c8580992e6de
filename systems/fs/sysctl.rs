//! /proc/sys: what its files say (proc_sys_fs(5), proc_sys_kernel(5), proc_sys_vm(5)), and what may
//! be written there.
//!
//! Values are the kernel's own limits and what Linux starts with. Only what the tree keeps can be
//! written, `protected_*`; the others answer `EINVAL`.

use super::procfs::{ProcId, ProcSystem};
use super::{Fs, Protected};
use crate::abi::Errno;
use crate::abi::credentials::CAP_FULL;
use crate::components::inotify::{INSTANCES_MAX, QUEUED_MAX, WATCHES_MAX};
use alloc::format;
use alloc::vec::Vec;

/// Most digits that are read of a number, with its sign.
const NUMBER_BYTES: usize = 21;

impl Fs {
    /// The text of a file; `None` for what is no file there.
    pub(super) fn sysctl(&self, id: ProcId, system: &ProcSystem) -> Option<Vec<u8>> {
        let Protected { hardlinks, symlinks, regular, fifos } = self.protected;
        let line = |text: &[u8]| Some([text, b"\n"].concat());
        let number: u64 = match id {
            ProcId::Ostype => return line(&system.uname[0]),
            ProcId::Osrelease => return line(&system.uname[1]),
            ProcId::SysVersion => return line(&system.uname[2]),
            ProcId::Hostname => return line(&system.uname[3]),
            ProcId::Domainname => return line(&system.uname[4]),
            ProcId::CorePattern => return line(b"core"),
            ProcId::FileNr => {
                let [open, most] = system.descriptions;
                return line(format!("{open}\t0\t{most}").as_bytes());
            }
            ProcId::FileMax => system.descriptions[1],
            ProcId::ThreadsMax => system.max_tasks,
            ProcId::CapLastCap => u64::from(CAP_FULL.count_ones() - 1),
            ProcId::NgroupsMax => 65_536,
            ProcId::PidMax => 4_194_304,
            ProcId::PipeMaxSize | ProcId::NrOpen => 1_048_576,
            ProcId::MountMax => super::MOUNTS_MAX,
            ProcId::MaxQueuedEvents => QUEUED_MAX as u64,
            ProcId::MaxUserInstances => INSTANCES_MAX as u64,
            ProcId::MaxUserWatches => WATCHES_MAX as u64,
            ProcId::ProtectedHardlinks => hardlinks.into(),
            ProcId::ProtectedSymlinks => symlinks.into(),
            ProcId::ProtectedRegular => regular.into(),
            ProcId::ProtectedFifos => fifos.into(),
            ProcId::SuidDumpable | ProcId::OvercommitMemory => 0,
            ProcId::MaxMapCount => 65_530,
            ProcId::FsOverflowgid
            | ProcId::FsOverflowuid
            | ProcId::Overflowgid
            | ProcId::Overflowuid => 65_534,
            _ => return None,
        };
        line(format!("{number}").as_bytes())
    }

    /// Takes what is written to a file: how many bytes of it. Behind the beginning nothing is taken
    /// (`sysctl_writes_strict`).
    ///
    /// # Errors
    /// `EINVAL` for what is no number within the range of the file, or cannot be written.
    pub(crate) fn write_sysctl(
        &mut self,
        id: ProcId,
        offset: u64,
        data: &[u8],
    ) -> Result<u64, Errno> {
        let most = match id {
            ProcId::ProtectedHardlinks | ProcId::ProtectedSymlinks => 1,
            ProcId::ProtectedRegular | ProcId::ProtectedFifos => 2,
            _ => return Err(Errno::EINVAL),
        };
        if offset != 0 || data.is_empty() {
            return Ok(data.len() as u64);
        }
        let (value, taken) = first_number(data).ok_or(Errno::EINVAL)?;
        let value = u8::try_from(value).ok().filter(|value| *value <= most);
        let value = value.ok_or(Errno::EINVAL)?;
        match id {
            ProcId::ProtectedHardlinks => self.protected.hardlinks = value != 0,
            ProcId::ProtectedSymlinks => self.protected.symlinks = value != 0,
            ProcId::ProtectedRegular => self.protected.regular = value,
            _ => self.protected.fifos = value,
        }
        Ok(taken)
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The first number of a text and the bytes up to the next; `None` if there is none, or if what is
/// behind it is no blank.
fn first_number(data: &[u8]) -> Option<(i64, u64)> {
    let blanks = data.iter().take_while(|byte| is_blank(**byte)).count();
    let rest = &data[blanks..];
    let part = &rest[..rest.len().min(NUMBER_BYTES)];
    let signed = usize::from(part.first() == Some(&b'-'));
    let word = part[signed..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let word = &part[..signed + word];
    let value = integer(word).filter(|_| word.get(signed).is_some_and(u8::is_ascii_digit))?;
    let behind = &rest[word.len()..];
    if behind.first().is_some_and(|byte| !matches!(byte, b' ' | b'\t' | b'\n'))
        || word.len() == NUMBER_BYTES
    {
        return None;
    }
    let more = behind.iter().take_while(|byte| is_blank(**byte)).count();
    Some((value, (blanks + word.len() + more) as u64))
}

/// A number as C writes it: with a sign, decimal, octal behind `0`, hexadecimal behind `0x`.
pub(crate) fn integer(word: &[u8]) -> Option<i64> {
    let text = core::str::from_utf8(word).ok()?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}
