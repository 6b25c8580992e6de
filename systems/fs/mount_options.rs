//! The `data` of mount(2): options by name, joined by commas (tmpfs(5), mount(8)).
//!
//! Not here: `hidepid` of proc(5), NUMA policies of tmpfs(5): `EINVAL`.

use super::quota::{self, QuotaOptions};
use super::volume::UNLIMITED;
use super::{Fs, PAGE_BYTES, VolumeKind};
use crate::abi::Errno;
use crate::abi::flags::{MS_DIRSYNC, MS_LAZYTIME, MS_MANDLOCK, MS_RDONLY, MS_SYNCHRONOUS};

/// Flags that a file system keeps beside "read-only".
pub(super) const KEPT: u32 = MS_SYNCHRONOUS | MS_DIRSYNC | MS_MANDLOCK | MS_LAZYTIME;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) read_only: bool,
    /// `MS_*` flags that are kept.
    pub(super) kept: u32,
    pub(super) pages: Option<u64>,
    pub(super) inodes: Option<u64>,
    pub(super) mode: Option<u32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    /// Quotas of tmpfs(5).
    pub(super) quotas: QuotaOptions,
}

/// Which flag of mount(2) an option that every file system takes stands for, and whether it sets
/// it.
pub fn common_flag(key: &[u8]) -> Option<(u32, bool)> {
    Some(match key {
        b"ro" | b"rw" => (MS_RDONLY, key == b"ro"),
        b"sync" | b"async" => (MS_SYNCHRONOUS, key == b"sync"),
        b"dirsync" => (MS_DIRSYNC, true),
        b"mand" | b"nomand" => (MS_MANDLOCK, key == b"mand"),
        b"lazytime" | b"nolazytime" => (MS_LAZYTIME, key == b"lazytime"),
        _ => return None,
    })
}

impl Options {
    /// Those that mount(2)'s flags stand for.
    pub(super) fn of(flags: u32) -> Self {
        let read_only = flags & MS_RDONLY != 0;
        Self { read_only, kept: flags & KEPT, ..Self::default() }
    }

    /// Reads `data` for a kind of file system; `total` is how many pages 100 % are.
    ///
    /// # Errors
    /// `EINVAL`.
    pub(super) fn read(&mut self, kind: VolumeKind, data: &[u8], total: u64) -> Result<(), Errno> {
        for item in data.split(|byte| *byte == b',') {
            let end = item.iter().position(|byte| *byte == b'=');
            let (key, value) = match end {
                Some(0) => continue,
                Some(end) => (&item[..end], Some(&item[end + 1..])),
                None if item.is_empty() => continue,
                None => (item, None),
            };
            if self.is_common(key) {
                continue;
            }
            match kind {
                VolumeKind::Tmpfs => self.tmpfs(key, value, total)?,
                VolumeKind::Ramfs if key == b"mode" => self.mode = Some(mode(value)?),
                VolumeKind::Proc if key == b"gid" => self.gid = Some(id(value)?),
                // What ramfs does not know it has always passed over.
                VolumeKind::Ramfs => {}
                // Those of an overlay are read when it is mounted; they stay.
                VolumeKind::Overlay => {}
                VolumeKind::Ext4
                | VolumeKind::Devtmpfs
                | VolumeKind::Devpts
                | VolumeKind::Proc
                | VolumeKind::HugePages
                | VolumeKind::GiganticPages => return Err(Errno::EINVAL),
            }
        }
        Ok(())
    }

    /// The options that every file system takes.
    fn is_common(&mut self, key: &[u8]) -> bool {
        let Some((flag, on)) = common_flag(key) else { return false };
        if flag == MS_RDONLY {
            self.read_only = on;
        } else {
            self.kept = if on { self.kept | flag } else { self.kept & !flag };
        }
        true
    }

    fn tmpfs(&mut self, key: &[u8], value: Option<&[u8]>, total: u64) -> Result<(), Errno> {
        match key {
            b"size" => {
                let (bytes, rest) = amount(nonempty(value)?);
                let pages = match rest {
                    b"" => bytes.div_ceil(PAGE_BYTES),
                    b"%" => total.saturating_mul(bytes) / 100,
                    _ => return Err(Errno::EINVAL),
                };
                self.pages = limited(pages);
            }
            b"nr_blocks" => self.pages = limited(count(value)?),
            b"nr_inodes" => self.inodes = limited(count(value)?),
            b"mode" => self.mode = Some(mode(value)?),
            b"uid" => self.uid = Some(id(value)?),
            b"gid" => self.gid = Some(id(value)?),
            b"huge" => match value {
                Some(b"never" | b"always" | b"within_size" | b"advise") => {}
                Some(_) | None => return Err(Errno::EINVAL),
            },
            b"mpol" if value == Some(b"default") => {}
            b"inode32" | b"inode64" | b"noswap" if value.is_none() => {}
            _ => {
                let number = value.map(|_| count(value)).transpose()?;
                if !quota::read_option(&mut self.quotas, key, number)? {
                    return Err(Errno::EINVAL);
                }
            }
        }
        Ok(())
    }
}

impl Fs {
    /// How many pages a percentage of memory is of.
    pub(super) fn capacity_pages(&self) -> u64 {
        self.capacity() / PAGE_BYTES
    }
}

/// 0 stands for no limit.
fn limited(number: u64) -> Option<u64> {
    Some(if number == 0 { UNLIMITED } else { number })
}

fn count(value: Option<&[u8]>) -> Result<u64, Errno> {
    match amount(nonempty(value)?) {
        (number, b"") => Ok(number),
        _ => Err(Errno::EINVAL),
    }
}

fn nonempty(value: Option<&[u8]>) -> Result<&[u8], Errno> {
    value.filter(|text| !text.is_empty()).ok_or(Errno::EINVAL)
}

/// The number that a text begins with, decimal, octal or hexadecimal and in units up to E, and what
/// follows it; no number is 0.
fn amount(text: &[u8]) -> (u64, &[u8]) {
    let (base, digits) = base_of(text);
    let length = digits.iter().take_while(|byte| digit(**byte, base).is_some()).count();
    let (digits, rest) = digits.split_at(length);
    let number = digits.iter().fold(0u64, |number, byte| {
        let digit = digit(*byte, base).unwrap_or(0);
        number.saturating_mul(u64::from(base)).saturating_add(u64::from(digit))
    });
    let unit = rest.first().map_or(0, u8::to_ascii_lowercase);
    match b"kmgtpe".iter().position(|one| *one == unit) {
        Some(power) => (number.saturating_mul(1 << (10 * (power + 1))), &rest[1..]),
        None => (number, rest),
    }
}

fn base_of(text: &[u8]) -> (u32, &[u8]) {
    match text {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
            (16, rest)
        }
        [b'0', ..] => (8, text),
        _ => (10, text),
    }
}

fn digit(byte: u8, base: u32) -> Option<u32> {
    char::from(byte).to_digit(base)
}

/// A whole text as a number of 32 bits.
fn number(text: &[u8], base: Option<u32>) -> Result<u32, Errno> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let (base, digits) = match base {
        Some(base) => (base, text),
        None => base_of(text),
    };
    if digits.is_empty() {
        return Err(Errno::EINVAL);
    }
    let mut number = 0u32;
    for byte in digits {
        let digit = digit(*byte, base).ok_or(Errno::EINVAL)?;
        let more = number.checked_mul(base).and_then(|number| number.checked_add(digit));
        number = more.ok_or(Errno::EINVAL)?;
    }
    Ok(number)
}

fn mode(value: Option<&[u8]>) -> Result<u32, Errno> {
    Ok(number(value.ok_or(Errno::EINVAL)?, Some(8))? & 0o7777)
}

/// A user or group: -1 is none.
fn id(value: Option<&[u8]>) -> Result<u32, Errno> {
    match number(value.ok_or(Errno::EINVAL)?, None)? {
        u32::MAX => Err(Errno::EINVAL),
        id => Ok(id),
    }
}
