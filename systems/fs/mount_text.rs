//! What /proc shows of mounts: mounts (proc_pid_mounts(5)) and mountinfo (proc_pid_mountinfo(5)),
//! from the one table of mounts.

use super::mounts::default_mode;
use super::proc_text::escaped;
use super::volume::UNLIMITED;
use super::volume::mount_flags::*;
use super::{Caller, Fs, Mount, MountId, PAGE_BYTES, Place, Volume, VolumeKind};
use crate::abi::flags::{MS_DIRSYNC, MS_LAZYTIME, MS_MANDLOCK, MS_SYNCHRONOUS, major, minor};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The number that the first mount shows.
const FIRST_MOUNT: u32 = 21;

/// The number that a mount shows.
pub(super) const fn shown_mount(mount: MountId) -> u32 {
    mount.0 + FIRST_MOUNT
}

/// Longest text; where so many and long paths lie that it would be longer, it ends at a line.
const TEXT_MAX: usize = 16 << 20;

impl Fs {
    /// The mounts that the caller can reach, each with its path below the caller's root.
    fn visible_mounts(
        &self,
        caller: &Caller<'_>,
    ) -> impl Iterator<Item = (MountId, &Mount, Vec<u8>)> {
        let root = caller.root;
        self.listed_mounts().filter_map(move |(id, mount)| {
            let top = Place { mount: id, node: mount.root };
            let (path, is_below) = self.path_from(root, top);
            is_below.then(|| (id, mount, escaped(&path)))
        })
    }

    /// proc_pid_mounts(5).
    pub(super) fn mounts_text(&self, caller: &Caller<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for (_, mount, path) in self.visible_mounts(caller) {
            let volume = &self.volumes[mount.volume.0 as usize];
            let name = volume.kind.facts().name.as_bytes();
            let mode = mode(volume.read_only || mount.is(MOUNT_READ_ONLY));
            let options = format!("{mode}{}{}{}", kept(volume), own(mount), given(volume));
            let source = escaped(&volume.source.0);
            let line = [&source, &path, name, options.as_bytes(), b"0 0\n"];
            if out.len() + path.len() + source.len() > TEXT_MAX {
                break;
            }
            out.extend_from_slice(&line.join(&b' '));
        }
        out
    }

    /// proc_pid_mountstats(5): what is mounted, without counters.
    pub(super) fn mountstats_text(&self, caller: &Caller<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for (_, mount, path) in self.visible_mounts(caller) {
            let volume = &self.volumes[mount.volume.0 as usize];
            let source = escaped(&volume.source.0);
            let kind = volume.kind.facts().name.as_bytes();
            if out.len() + path.len() + source.len() > TEXT_MAX {
                break;
            }
            let parts: [&[u8]; 6] =
                [b"device ", &source, b" mounted on ", &path, b" with fstype ", kind];
            parts.iter().for_each(|part| out.extend_from_slice(part));
            out.push(b'\n');
        }
        out
    }

    /// proc_pid_mountinfo(5).
    pub(super) fn mountinfo_text(&self, caller: &Caller<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        for (id, mount, path) in self.visible_mounts(caller) {
            let volume = &self.volumes[mount.volume.0 as usize];
            let parent = mount.at.map_or(1, |at| shown_mount(at.mount));
            let dev = format!("{}:{}", major(volume.dev), minor(volume.dev));
            let ids = format!("{} {parent} {dev} ", shown_mount(id));
            let name = volume.kind.facts().name;
            let mode_of_mount = mode(mount.is(MOUNT_READ_ONLY));
            let options = format!(" {mode_of_mount}{} - {name} ", own(mount));
            let source = escaped(&volume.source.0);
            let end = format!(" {}{}{}\n", mode(volume.read_only), kept(volume), given(volume));
            if out.len() + 2 * path.len() + source.len() > TEXT_MAX {
                break;
            }
            let root = escaped(&self.path_on_volume(mount.root));
            let parts: [&[u8]; 7] =
                [ids.as_bytes(), &root, b" ", &path, options.as_bytes(), &source, end.as_bytes()];
            parts.iter().for_each(|part| out.extend_from_slice(part));
        }
        out
    }
}

const fn mode(read_only: bool) -> &'static str {
    if read_only { "ro" } else { "rw" }
}

/// The flags that a file system keeps.
fn kept(volume: &Volume) -> String {
    let flags = volume.options.map_or(0, |options| options.flags);
    let names = [
        (MS_SYNCHRONOUS, ",sync"),
        (MS_DIRSYNC, ",dirsync"),
        (MS_MANDLOCK, ",mand"),
        (MS_LAZYTIME, ",lazytime"),
    ];
    names.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name).collect()
}

/// The flags of one mount.
fn own(mount: &Mount) -> String {
    let names = [
        (MOUNT_NOSUID, ",nosuid"),
        (MOUNT_NODEV, ",nodev"),
        (MOUNT_NOEXEC, ",noexec"),
        (MOUNT_NOATIME, ",noatime"),
        (MOUNT_NODIRATIME, ",nodiratime"),
    ];
    let mut text: String =
        names.iter().filter(|(flag, _)| mount.is(*flag)).map(|(_, name)| *name).collect();
    if !mount.is(MOUNT_NOATIME | MOUNT_STRICTATIME) {
        text.push_str(",relatime");
    }
    if mount.is(MOUNT_NOSYMFOLLOW) {
        text.push_str(",nosymfollow");
    }
    text
}

/// The options of a kind, those that are not the default.
fn given(volume: &Volume) -> String {
    let Some(options) = volume.options else { return String::new() };
    let mut text = String::new();
    let mut add = |shown: bool, option: String| {
        if shown {
            text.push(',');
            text.push_str(&option);
        }
    };
    if let Some(layers) = &volume.layers {
        return String::from_utf8_lossy(&escaped(&layers.text.0)).into_owned();
    }
    let is_tmpfs = volume.kind == VolumeKind::Tmpfs;
    let stored = is_tmpfs || volume.kind == VolumeKind::Ramfs;
    let number = |limit| if limit == UNLIMITED { 0 } else { limit };
    add(options.pages != 0, format!("size={}k", number(options.pages) * (PAGE_BYTES / 1024)));
    add(options.inodes != 0, format!("nr_inodes={}", number(options.inodes)));
    let other_mode = options.mode != default_mode(volume.kind);
    add(stored && other_mode, format!("mode={:03o}", options.mode));
    add(is_tmpfs && options.uid != 0, format!("uid={}", options.uid));
    let has_gid = is_tmpfs || volume.kind == VolumeKind::Proc;
    add(has_gid && options.gid != 0, format!("gid={}", options.gid));
    text
}
