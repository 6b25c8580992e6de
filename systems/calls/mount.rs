//! mount(2) and umount2(2): arguments, the order of checks, which of mount's five acts is meant.
//! What is done to the tree of mounts: `fs/mounts.rs`.
//!
//! Not here: propagation between mounts (they are private; `MS_SHARED` and its like are checked),
//! file systems on devices, devpts and devtmpfs, mount namespaces. An overlay's options:
//! `overlay.rs`.

use crate::abi::credentials::CAP_SYS_ADMIN;
use crate::abi::flags::*;
use crate::abi::{Errno, Timespec};
use crate::calls::path::{Spot, path_bytes};
use crate::event::{Answer, Path};
use crate::fs::{Kind, NewMount, PATH_MAX, Place, VolumeKind};
use crate::kernel::{CallResult, Kernel};
use crate::procview::caller;
use crate::rows::TaskRow;

/// Old programs say with these upper bits that there are flags at all.
const MAGIC: (u32, u32) = (0xc0ed_0000, 0xffff_0000);
/// What of `data` the kernel reads.
const DATA_BYTES: usize = 4095;
const PROPAGATION: u32 = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
const ATIME: u32 = MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME;
const UMOUNT_KNOWN: u32 = MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW;

/// mount(2)'s arguments.
#[derive(Clone, Copy)]
pub(crate) struct MountCall<'a> {
    pub(crate) source: Path<'a>,
    pub(crate) target: Path<'a>,
    pub(crate) kind: Path<'a>,
    pub(crate) flags: u64,
    pub(crate) data: Path<'a>,
}

/// A string argument: `EINVAL` if it is too long.
fn string(text: Path<'_>) -> Result<Option<&[u8]>, Errno> {
    text.map(|text| {
        let text = up_to_nul(text);
        if text.len() >= PATH_MAX { Err(Errno::EINVAL) } else { Ok(text) }
    })
    .transpose()
}

fn up_to_nul(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    &text[..end]
}

impl Kernel {
    /// mount(2).
    pub(crate) fn mount(&mut self, task: TaskRow, call: MountCall<'_>) -> CallResult {
        let (kind, source) = (string(call.kind)?, string(call.source)?);
        let data = up_to_nul(call.data.unwrap_or(b""));
        let data = &data[..data.len().min(DATA_BYTES)];
        let target = self.spot(task, AT_FDCWD, call.target, 0)?;
        // Bits above the 32 mean nothing.
        let flags = call.flags as u32;
        let flags = if flags & MAGIC.1 == MAGIC.0 { flags & !MAGIC.1 } else { flags };
        if flags & MS_NOUSER != 0 {
            return Err(Errno::EINVAL.into());
        }
        self.may_mount(task)?;
        // What has no place lies on no mount of ours.
        let Spot::Place(at) = target else { return Err(Errno::EINVAL.into()) };
        if flags & MS_REMOUNT != 0 {
            let of_mount = self.fs.kept_flags(at, mount_flags(flags), flags & ATIME != 0);
            if flags & MS_BIND != 0 {
                self.fs.remount(at, of_mount)?;
            } else {
                self.fs.reconfigure(at, (flags, of_mount), data)?;
            }
        } else if flags & MS_BIND != 0 {
            let from = self.mount_source(task, source)?;
            self.fs.bind(from, at, flags & MS_REC != 0)?;
        } else if flags & PROPAGATION != 0 {
            self.change_propagation(at, flags)?;
        } else if flags & MS_MOVE != 0 {
            let from = self.mount_source(task, source)?;
            self.fs.move_mount(from, at)?;
        } else {
            self.mount_kind(task, at, (source, kind, data), flags)?;
        }
        Ok(Answer::default())
    }

    fn may_mount(&self, task: TaskRow) -> Result<(), Errno> {
        let may = self.rows[task].credentials.capable(CAP_SYS_ADMIN);
        if may { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// The place that is bound or moved.
    fn mount_source(&mut self, task: TaskRow, source: Path<'_>) -> Result<Place, Errno> {
        let source = source.filter(|source| !source.is_empty()).ok_or(Errno::EINVAL)?;
        match self.spot(task, AT_FDCWD, Some(source), 0)? {
            Spot::Place(place) => Ok(place),
            Spot::Open(_) => Err(Errno::EINVAL),
        }
    }

    fn change_propagation(&mut self, at: Place, flags: u32) -> Result<(), Errno> {
        self.fs.is_mount(at)?;
        let kind = flags & !(MS_REC | MS_SILENT);
        if kind & !PROPAGATION != 0 || !kind.is_power_of_two() {
            return Err(Errno::EINVAL);
        }
        self.fs.set_bindable(at, kind != MS_UNBINDABLE, flags & MS_REC != 0)
    }

    /// A new mount of a kind of file system.
    fn mount_kind(
        &mut self,
        task: TaskRow,
        at: Place,
        (source, kind, data): (Path<'_>, Path<'_>, &[u8]),
        flags: u32,
    ) -> Result<(), Errno> {
        let kind = kind.ok_or(Errno::EINVAL)?;
        let of_name = |known: &&VolumeKind| known.facts().name.as_bytes() == kind;
        let kind = *VolumeKind::ALL.iter().find(of_name).ok_or(Errno::ENODEV)?;
        match kind {
            VolumeKind::Ext4 => return Err(self.device_error(task, source)),
            // They are where they are and nowhere else.
            VolumeKind::Devtmpfs
            | VolumeKind::Devpts
            | VolumeKind::HugePages
            | VolumeKind::GiganticPages => return Err(Errno::ENODEV),
            VolumeKind::Tmpfs | VolumeKind::Ramfs | VolumeKind::Proc | VolumeKind::Overlay => {}
        }
        let source = source.unwrap_or(b"none");
        let (volume_flags, flags) = (flags, mount_flags(flags));
        let new = NewMount { kind, source, data, volume_flags, flags };
        if kind == VolumeKind::Overlay {
            return self.mount_overlay(task, at, &new);
        }
        let now: Timespec = self.stamp();
        caller!(self, task => caller);
        self.fs.mount_new(&caller, at, &new, now)
    }

    /// Why there is no device to mount: no block device has anything behind it.
    fn device_error(&mut self, task: TaskRow, source: Path<'_>) -> Errno {
        let place = match self.mount_source(task, source) {
            Ok(place) => place,
            Err(errno) => return errno,
        };
        match self.fs.inode(place).map(|inode| &inode.kind) {
            Some(Kind::BlockDevice(_)) if self.fs.may_open_device(place).is_err() => Errno::EACCES,
            Some(Kind::BlockDevice(_)) => Errno::ENXIO,
            Some(_) | None => Errno::ENOTBLK,
        }
    }

    /// umount2(2).
    pub(crate) fn umount(&mut self, task: TaskRow, target: Path<'_>, flags: u32) -> CallResult {
        if flags & !UMOUNT_KNOWN != 0 {
            return Err(Errno::EINVAL.into());
        }
        let nofollow = if flags & UMOUNT_NOFOLLOW != 0 { AT_SYMLINK_NOFOLLOW } else { 0 };
        let path = path_bytes(target)?;
        let spot = self.spot_to_umount(task, path, nofollow)?;
        self.may_mount(task)?;
        let Spot::Place(place) = spot else { return Err(Errno::EINVAL.into()) };
        let root = self.rows[self.rows[task].context].root;
        self.fs.umount(root, place, flags)?;
        Ok(Answer::default())
    }
}

/// mount(2)'s flags as those that one mount keeps.
fn mount_flags(flags: u32) -> u32 {
    use crate::fs::mount_flags::*;
    let pairs = [
        (MS_RDONLY, MOUNT_READ_ONLY),
        (MS_NOSUID, MOUNT_NOSUID),
        (MS_NODEV, MOUNT_NODEV),
        (MS_NOEXEC, MOUNT_NOEXEC),
        (MS_NODIRATIME, MOUNT_NODIRATIME),
        (MS_STRICTATIME, MOUNT_STRICTATIME),
        (MS_NOSYMFOLLOW, MOUNT_NOSYMFOLLOW),
    ];
    let kept = pairs.iter().filter(|(asked, _)| flags & asked != 0);
    let kept = kept.fold(0, |kept, (_, flag)| kept | flag);
    // "Strict" takes "none" back.
    let none = flags & (MS_NOATIME | MS_STRICTATIME) == MS_NOATIME;
    if none { kept | MOUNT_NOATIME } else { kept }
}
