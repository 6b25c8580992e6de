//! The face's files by path, checked: names, devices, policy, the read-only guard, limits, then the
//! tree (`shared/contract/SEMANTICS.md`, sections 9, 10, 12, 13, 15).
//!
//! Questions and the guard are `face_policy.rs`'s, limits `face_room.rs`'s.
//! Each call is planned to its end before the tree changes: what the policy is asked, and a foreign
//! file system, comes first. /proc is `face_proc.rs`'s.

use super::face_proc::{is_proc, path_looked_at};
use crate::abi::flags::{O_EXCL, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, makedev};
use crate::abi::{Errno, Stat, Timespec};
use crate::components::Device;
use crate::components::terminal::SLAVE_MAJOR;
use crate::event::{Answer, Call, Payload};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::TaskRow;
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;
use operation::*;

/// The operations that a policy is asked about, numbered as the contract's `FsOperation` lists
/// them.
#[allow(missing_docs)]
pub(crate) mod operation {
    pub(crate) const READ: u32 = 0;
    pub(crate) const WRITE: u32 = 1;
    pub(crate) const MKDIR: u32 = 2;
    pub(crate) const CREATE_DIR: u32 = 3;
    pub(crate) const READ_DIR: u32 = 4;
    pub(crate) const STAT: u32 = 5;
    pub(crate) const REMOVE: u32 = 6;
    pub(crate) const RENAME: u32 = 7;
    pub(crate) const EXISTS: u32 = 8;
    pub(crate) const SYMLINK: u32 = 9;
    pub(crate) const READ_LINK: u32 = 10;
    pub(crate) const LINK: u32 = 11;
    pub(crate) const CHMOD: u32 = 12;
    pub(crate) const CHOWN: u32 = 13;
    pub(crate) const UTIMES: u32 = 14;
    pub(crate) const TRUNCATE: u32 = 15;
}

/// Longest normalised path.
pub(super) const MAX_PATH_BYTES: usize = 4096;
/// What nobody may change.
pub(crate) const GUARDED: &[u8] = b"/etc/agentos";
/// Links that are followed, as path_resolution(7) has it.
pub(crate) const MAX_LINKS: u32 = 40;
/// Bytes that a whole read of an endless device gives.
const DEVICE_BYTES: usize = 4096;

/// Which path a policy is asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The real path of what is there.
    Target,
    /// The same, or where it would be.
    TargetOrPlace,
    /// The same, whatever keeps one from getting there.
    Existence,
    /// The real path of the directory, and the name.
    Name,
}

/// The subject of an operation (section 9).
pub(super) const fn subject_of(operation: u32) -> Subject {
    match operation {
        READ | READ_DIR | STAT | CHMOD | CHOWN | UTIMES | TRUNCATE => Subject::Target,
        WRITE => Subject::TargetOrPlace,
        EXISTS => Subject::Existence,
        _ => Subject::Name,
    }
}

/// An absolute path without `.`, `..` and doubled slashes, resolved by its text alone (section 13).
/// `relative` starts with a slash if the path was absolute: then it stands alone.
pub(crate) fn normalize(path: &[u8], relative: &[u8]) -> Vec<u8> {
    let path = if relative.first() == Some(&b'/') { relative } else { path };
    let mut out: Vec<u8> = Vec::with_capacity(path.len() + 1);
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                let cut = out.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                out.truncate(cut);
            }
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

/// The directory of a normalised path, and the name in it.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (b"/", &path[1..]),
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"/", path),
    }
}

pub(super) fn is_at_or_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// What stands at a path of /dev.
pub(crate) fn device_at(path: &[u8]) -> Option<Device> {
    Some(match path {
        b"/dev/null" => Device::Null,
        b"/dev/zero" => Device::Zero,
        b"/dev/stdin" => Device::Stdin,
        b"/dev/stdout" => Device::Stdout,
        b"/dev/stderr" => Device::Stderr,
        b"/dev/urandom" => Device::Urandom,
        _ => return None,
    })
}

/// The directories of devices.
pub(super) fn is_device_directory(path: &[u8]) -> bool {
    matches!(path, b"/dev" | b"/dev/fd" | b"/dev/pts")
}

impl Kernel {
    /// A path as given: EINVAL for a control character (on Linux for NUL, which no path can hold),
    /// ENAMETOOLONG.
    pub(crate) fn checked_path(&self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let printable = self.bends.names_are_printable;
        let bad = |byte: &u8| if printable { byte.is_ascii_control() } else { *byte == 0 };
        if path.iter().any(bad) {
            return Err(Errno::EINVAL);
        }
        let path = normalize(path, path);
        // Linux counts the NUL at the end too.
        let most = if printable { MAX_PATH_BYTES } else { MAX_PATH_BYTES - 1 };
        if path.len() > most { Err(Errno::ENAMETOOLONG) } else { Ok(path) }
    }

    /// A call of the family `fs_*`, for the process whose /proc/self it is (0 = nobody's).
    pub(crate) fn file_call(&mut self, who: u32, call: &Call<'_>) -> CallResult {
        let Some(given) = path_looked_at(call) else { return self.changing_call(call) };
        if let Call::FsPread { count, .. } = *call {
            self.face_read_limit(count)?;
        }
        let path = self.checked_path(given)?;
        if is_proc(&path) {
            return self.proc_call(who, (given, &path), call);
        }
        match *call {
            Call::FsRead { .. } => {
                if let Some(device) = own_device_at(&path) {
                    return self.read_device_whole(device, DEVICE_BYTES as u64);
                }
                self.permit(READ, &path)?;
                self.raw(&Call::FsRead { raw: 1, path: &path })
            }
            Call::FsPread { count, offset, .. } => {
                if let Some(device) = own_device_at(&path) {
                    return self.read_device_whole(device, count);
                }
                self.permit(READ, &path)?;
                self.raw(&Call::FsPread { raw: 1, path: &path, count, offset })
            }
            Call::FsReaddir { max, .. } => {
                let max = max.min(self.config.face.limits.max_readdir_entries);
                self.permit(READ_DIR, &path)?;
                if is_device_directory(&path) {
                    return list_devices(&path, max);
                }
                self.raw(&Call::FsReaddir { raw: 1, path: &path, max })
            }
            Call::FsExists { .. } => {
                let there = self.checked_exists(&path)?;
                Ok(Answer::value(i64::from(there)))
            }
            Call::FsStat { follow, .. } => {
                let subject = if follow == 0 { Subject::Name } else { Subject::Target };
                self.permit_as(STAT, &path, subject)?;
                if let Some(stat) = self.device_stat(&path) {
                    return Ok(Answer::with(Payload::Stat(Box::new(stat))));
                }
                self.raw(&Call::FsStat { raw: 1, path: &path, follow })
            }
            Call::FsRealpath { .. } => {
                self.permit(READ, &path)?;
                self.real_path(&path).map(Answer::data)
            }
            Call::FsReadlink { .. } => {
                self.permit(READ_LINK, &path)?;
                self.raw(&Call::FsReadlink { raw: 1, path: &path })
            }
            ref other => self.changing_call(other),
        }
    }

    /// The same spoken by a process: it looks.
    pub(super) fn file_call_of(&mut self, task: TaskRow, call: &Call<'_>) -> CallResult {
        if path_looked_at(call).is_none() {
            return self.unmodelled(call.number());
        }
        let who = self.rows[self.rows[task].process].pid;
        self.file_call(who, call)
    }

    /// Those that change contents or attributes.
    fn changing_call(&mut self, call: &Call<'_>) -> CallResult {
        match *call {
            Call::FsWrite { raw: 0, target, path, data, mode, how } => {
                self.checked_write(target, path, data, mode, how)
            }
            Call::FsPwrite { raw: 0, path, data, offset } => {
                let path = self.changeable(path)?;
                if device_at(&path).is_some_and(swallows) {
                    return Ok(Answer::default());
                }
                self.guard(&path, true)?;
                let end = offset.checked_add(data.len() as u64).ok_or(Errno::EINVAL)?;
                self.room_for_bytes(&path, |old| old.max(end))?;
                self.permit(WRITE, &path)?;
                self.raw(&Call::FsPwrite { raw: 1, path: &path, data, offset })
            }
            Call::FsTruncate { raw: 0, path, length } => {
                let path = self.changeable(path)?;
                if device_at(&path).is_some_and(swallows) {
                    return Ok(Answer::default());
                }
                self.guard(&path, true)?;
                self.room_for_bytes(&path, |_| length)?;
                self.permit(TRUNCATE, &path)?;
                self.raw(&Call::FsTruncate { raw: 1, path: &path, length })
            }
            Call::FsChmod { raw: 0, path, mode } => {
                let path = self.changeable(path)?;
                if device_at(&path).is_some() {
                    return Ok(Answer::default());
                }
                self.guard(&path, true)?;
                self.permit(CHMOD, &path)?;
                self.raw(&Call::FsChmod { raw: 1, path: &path, mode })
            }
            Call::FsChown { raw: 0, path, uid, gid } => {
                let path = self.changeable(path)?;
                if device_at(&path).is_some() {
                    return Ok(Answer::default());
                }
                self.guard(&path, true)?;
                self.permit(CHOWN, &path)?;
                self.raw(&Call::FsChown { raw: 1, path: &path, uid, gid })
            }
            Call::FsUtimes { raw: 0, path, atime, mtime, follow } => {
                let path = self.changeable(path)?;
                self.guard(&path, follow != 0)?;
                self.permit(UTIMES, &path)?;
                if device_at(&path).is_some() {
                    return Ok(Answer::default());
                }
                if follow == 0 {
                    // The policy is asked about what a link leads to: that must be there.
                    self.real_path(&path)?;
                }
                self.raw(&Call::FsUtimes { raw: 1, path: &path, atime, mtime, follow })
            }
            ref other => self.naming_call(other),
        }
    }

    /// Those that make, move or remove names.
    fn naming_call(&mut self, call: &Call<'_>) -> CallResult {
        match *call {
            Call::FsMkdir { raw: 0, target, path, mode, how } => {
                self.checked_mkdir(target, path, mode, how)
            }
            Call::FsUnlink { raw: 0, path } => {
                let path = self.removable(path)?;
                if device_at(&path).is_some() {
                    return Err(Errno::EPERM.into());
                }
                self.raw(&Call::FsUnlink { raw: 1, path: &path })
            }
            Call::FsRmdir { raw: 0, path } => {
                let path = self.removable(path)?;
                if is_device_directory(&path) {
                    return Err(Errno::EPERM.into());
                }
                self.raw(&Call::FsRmdir { raw: 1, path: &path })
            }
            Call::FsRename { raw: 0, oldpath, newpath } => {
                let old = self.changeable(oldpath)?;
                self.guard(&old, false)?;
                let new = self.changeable(newpath)?;
                self.guard(&new, false)?;
                self.permit(RENAME, &old)?;
                self.permit(RENAME, &new)?;
                if device_at(&old).is_some() || device_at(&new).is_some() {
                    return Err(Errno::EPERM.into());
                }
                self.raw(&Call::FsRename { raw: 1, oldpath: &old, newpath: &new })
            }
            Call::FsSymlink { raw: 0, content, linkpath } => {
                let path = self.changeable(linkpath)?;
                self.guard(&path, false)?;
                if is_proc(&normalize(&[split(&path).0, b"/", content].concat(), content)) {
                    return Err(self.refuse_proc(linkpath, &path));
                }
                let missing = self.missing_paths(&path, false)?;
                if !missing.is_empty() {
                    self.room_for_inodes(missing.len() as u64)?;
                    self.room_for_size(0, content.len() as u64)?;
                }
                self.permit(SYMLINK, &path)?;
                self.raw(&Call::FsSymlink { raw: 1, content, linkpath: &path })
            }
            Call::FsLink { raw: 0, oldpath, newpath } => {
                let old = self.checked_path(oldpath)?;
                if is_proc(&old) {
                    let new = self.checked_path(newpath)?;
                    return Err(self.refuse_proc(newpath, &new));
                }
                self.guard(&old, true)?;
                let new = self.changeable(newpath)?;
                self.guard(&new, false)?;
                self.permit_as(LINK, &old, Subject::Target)?;
                self.permit_as(LINK, &new, Subject::Name)?;
                if device_at(&old).is_some() {
                    return Err(Errno::EPERM.into());
                }
                self.raw(&Call::FsLink { raw: 1, oldpath: &old, newpath: &new })
            }
            // Those with `raw`, and fs_usage.
            ref other if other.is_face() => self.raw_by_handle(other),
            _ => Err(Errno::ENOSYS.into()),
        }
    }

    /// A path that is about to be changed, or what is there: not in /proc.
    fn changeable(&mut self, given: &[u8]) -> Result<Vec<u8>, Stop> {
        let path = self.checked_path(given)?;
        if is_proc(&path) { Err(self.refuse_proc(given, &path)) } else { Ok(path) }
    }

    fn removable(&mut self, path: &[u8]) -> Result<Vec<u8>, Stop> {
        let path = self.changeable(path)?;
        self.guard(&path, false)?;
        self.permit(REMOVE, &path)?;
        Ok(path)
    }

    fn checked_mkdir(
        &mut self,
        target: u32,
        given: &[u8],
        mode: Option<u32>,
        how: u32,
    ) -> CallResult {
        let path = self.checked_path(given)?;
        // A process's create_dir looks whether there is something, to know what to chmod.
        let there = target != 0 && how == 0 && self.checked_exists_for(target, given, &path)?;
        let path = if is_proc(&path) { self.changeable(given)? } else { path };
        // Its mkdir looks which directories are missing, before anything else.
        if target != 0
            && how != 0
            && let Err(stop @ (Stop::Ask(_) | Stop::Fail(Errno::ENOTDIR))) =
                self.raw(&Call::FsStat { raw: 1, path: &path, follow: 0 })
        {
            return Err(stop);
        }
        self.guard(&path, false)?;
        let missing = self.missing_paths(&path, how == 2)?;
        if how == 2 && missing.is_empty() {
            self.is_no_file(&path)?;
        }
        // What is not made needs no room; with its parents it is looked at all the same.
        if how == 2 {
            let made = self.made_path(&path)?;
            let count = self.missing_paths(&made, true)?.len() as u64;
            self.room_for_inodes(count)?;
        } else if !missing.is_empty() {
            self.room_for_inodes(missing.len() as u64)?;
        }
        self.permit(if how == 0 { CREATE_DIR } else { MKDIR }, &path)?;
        if is_device_directory(&path) {
            return Ok(Answer::default());
        }
        if how != 2 {
            // What cannot be made needs no mode.
            self.is_listable(split(&path).0)?;
        }
        let moded = match (target, how) {
            (0, _) => Vec::new(),
            (_, 0) if there || !self.could_be_directory(&path)? => Vec::new(),
            (_, 0) => Vec::from([path.clone()]),
            (_, _) => missing,
        };
        let (allowed, modes) = self.permit_modes(&moded);
        if let Err(stop @ Stop::Ask(_)) = modes {
            return Err(stop);
        }
        let mode = self.masked_mode(target, mode, 0o777);
        self.raw(&Call::FsMkdir { raw: 1, target: 0, path: &path, mode: None, how })?;
        // mkdir(2) takes no set-id bits: each is given its mode by chmod, as the origin does, which
        // goes as far as the policy allows.
        if let Some(mode) = mode {
            for path in moded.iter().take(allowed) {
                self.raw(&Call::FsChmod { raw: 1, path, mode })?;
            }
        }
        modes.map(|()| Answer::default())
    }

    /// Asks about the modes of what is about to be made, outermost first, until one is refused:
    /// how many are allowed, and why no more are.
    fn permit_modes(&mut self, missing: &[Vec<u8>]) -> (usize, Result<(), Stop>) {
        for (allowed, path) in missing.iter().enumerate() {
            if let Err(stop) = self.permit_as_new(CHMOD, path) {
                return (allowed, Err(stop));
            }
        }
        (missing.len(), Ok(()))
    }

    fn checked_write(
        &mut self,
        target: u32,
        given: &[u8],
        data: &[u8],
        mode: Option<u32>,
        how: u32,
    ) -> CallResult {
        let path = self.checked_path(given)?;
        if device_at(&path).is_some() && how & O_EXCL != 0 {
            return Err(Errno::EEXIST.into());
        }
        if device_at(&path).is_some_and(swallows) {
            return Ok(Answer::default());
        }
        let there = target != 0 && self.checked_exists_for(target, given, &path)?;
        let path = if is_proc(&path) { self.changeable(given)? } else { path };
        self.guard(&path, true)?;
        let directory = self.is_directory_at(&path)?;
        if !directory && device_at(&path).is_none() {
            self.room_for_contents(&path, data.len() as u64, how)?;
        }
        self.permit(WRITE, &path)?;
        if directory {
            return Err(Errno::EISDIR.into());
        }
        let is_new = target != 0 && !there;
        let modes = if is_new { self.permit_as_new(CHMOD, &path) } else { Ok(()) };
        if let Err(stop @ Stop::Ask(_)) = modes {
            return Err(stop);
        }
        // What is there keeps its mode.
        let sets_mode = is_new && modes.is_ok();
        let mode = if sets_mode { self.masked_mode(target, mode, 0o666) } else { None };
        // A foreign file system may know no modes of new files, but chmod (section 13).
        let (early, late) = if self.config.face.foreign_root { (None, mode) } else { (mode, None) };
        self.raw(&Call::FsWrite { raw: 1, target: 0, path: &path, data, mode: early, how })?;
        if let Some(mode) = late {
            self.raw(&Call::FsChmod { raw: 1, path: &path, mode })?;
        }
        modes.map(|()| Answer::default())
    }

    /// The mode of a new file of a process; `None` leaves the file system's own.
    fn masked_mode(&self, target: u32, mode: Option<u32>, most: u32) -> Option<u32> {
        let task = self.pids.task(target)?;
        let umask = self.rows[self.rows[task].context].umask;
        Some(mode.unwrap_or(most) & !umask)
    }

    /// Whether something is at a checked path, as far as the policy lets one see it.
    pub(crate) fn checked_exists(&mut self, path: &[u8]) -> Result<bool, Stop> {
        if device_at(path).is_some() {
            return Ok(true);
        }
        if !self.permit_quietly(EXISTS, path)? {
            return Ok(false);
        }
        if is_device_directory(path) {
            return Ok(true);
        }
        let answer = self.raw(&Call::FsExists { raw: 1, path })?;
        Ok(answer.value != 0)
    }

    /// The same of what a process is about to change, which may be in /proc.
    fn checked_exists_for(&mut self, who: u32, given: &[u8], path: &[u8]) -> Result<bool, Stop> {
        if is_proc(path) {
            return self.proc_exists(who, given, path);
        }
        self.checked_exists(path)
    }

    /// What a device has of itself; the streams are files of the file system below (section 12).
    pub(crate) fn read_device_whole(&mut self, device: Device, count: u64) -> CallResult {
        match device {
            Device::Null => Ok(Answer::data(Vec::new())),
            Device::Zero => {
                let count = count.min(super::io::MAX_FILE_BYTES) as usize;
                Ok(Answer::data(alloc::vec![0; count]))
            }
            Device::Urandom => self.random(count.min(super::io::MAX_FILE_BYTES)),
            Device::Stdin | Device::Stdout | Device::Stderr => Err(Errno::ENOENT.into()),
        }
    }
}

/// A device that gives bytes of its own.
pub(crate) fn own_device_at(path: &[u8]) -> Option<Device> {
    device_at(path).filter(|device| !is_stream(*device))
}

/// Standard input, output or error: reading goes to the file system below.
pub(crate) const fn is_stream(device: Device) -> bool {
    match device {
        Device::Stdin | Device::Stdout | Device::Stderr => true,
        Device::Null | Device::Zero | Device::Urandom => false,
    }
}

/// Writes to all devices but standard input vanish.
pub(crate) const fn swallows(device: Device) -> bool {
    match device {
        Device::Stdin => false,
        Device::Null | Device::Zero | Device::Stdout | Device::Stderr | Device::Urandom => true,
    }
}

fn list_devices(path: &[u8], max: u64) -> CallResult {
    // In the origin's order, which is none.
    let names: &[&[u8]] = match path {
        b"/dev" => &[b"null", b"zero", b"stdin", b"stdout", b"stderr", b"urandom", b"fd"],
        _ => &[],
    };
    if names.len() as u64 > max {
        return Err(Errno::ENOMEM.into());
    }
    let entry = |name: &&[u8]| crate::abi::Dirent {
        ino: 0,
        off: 0,
        kind: if *name == b"fd" { 4 } else { 2 },
        name: Bytes(name.to_vec()),
    };
    let entries: Vec<_> = names.iter().map(entry).collect();
    Ok(Answer { value: entries.len() as i64, payload: Payload::Dirents(entries) })
}

/// First inode number of the devices: that of their directories.
const DEVICE_INODES: u64 = 0xffff_0000;

impl Kernel {
    /// stat of a device or a directory of devices (section 12). The bits of the type are Linux's
    /// alone.
    pub(crate) fn device_stat(&self, path: &[u8]) -> Option<Stat> {
        let (kind, mode, nlink, rdev, ino) = match device_at(path) {
            Some(device) => {
                let (rdev, ino) = device_numbers(device);
                (S_IFCHR, 0o666, 1, rdev, ino)
            }
            None if is_device_directory(path) => (S_IFDIR, 0o755, 2, 0, 0),
            // The slave of a pseudo-terminal.
            None => {
                let number = self.pty_at(path)?;
                let rdev = makedev(SLAVE_MAJOR, number);
                (S_IFCHR, 0o666, 1, rdev, SLAVE_INODES + u64::from(number))
            }
        };
        let kind = if self.bends.devices_have_no_type { 0 } else { kind };
        let (ino, now) = (DEVICE_INODES + ino, Timespec::from_ns(self.now_ns));
        let (atime, mtime, ctime, btime) = (now, now, now, now);
        let mode = mode | kind;
        Some(Stat {
            dev: DEVICES,
            ino,
            mode,
            nlink,
            rdev,
            atime,
            mtime,
            ctime,
            btime,
            ..Stat::default()
        })
    }
}

/// The inode of the slave with the number 0, beside those of the devices.
const SLAVE_INODES: u64 = 0x1000;

/// The device number of the file system of devices.
pub const DEVICES: u64 = 2;

/// Major and minor number as `(major << 8) | minor`, and the inode after the directories'.
const fn device_numbers(device: Device) -> (u64, u64) {
    match device {
        Device::Null => (1 << 8 | 3, 1),
        Device::Zero => (1 << 8 | 5, 2),
        Device::Stdin => (5 << 8, 3),
        Device::Stdout => (5 << 8 | 1, 4),
        Device::Stderr => (5 << 8 | 2, 5),
        Device::Urandom => (1 << 8 | 9, 6),
    }
}

/// Whether a mode is a symbolic link's.
pub(crate) const fn is_link(mode: u32) -> bool {
    mode & S_IFMT == S_IFLNK
}

/// `UTIME_NOW` or `UTIME_OMIT` or a time, as the calls carry it.
pub(crate) fn time_change(time: Timespec) -> crate::fs::FileTime {
    use crate::abi::flags::{UTIME_NOW, UTIME_OMIT};
    match time.nsec {
        UTIME_NOW => crate::fs::FileTime::Now,
        UTIME_OMIT => crate::fs::FileTime::Omit,
        _ => crate::fs::FileTime::At(time),
    }
}
