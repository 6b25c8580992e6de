//! The nodes of /dev (null(4), zero(4), full(4), random(4), tty(4), pts(4)): one table.
//!
//! What reading and writing a device does is the caller's business; here it is a number.

use super::builder::Meta;
use super::{Fs, Kind, MountId, Name, Place, VolumeKind};
use crate::abi::flags::{IN_CREATE, IN_DELETE, makedev};
use crate::abi::{Errno, Timespec};
use alloc::format;

enum Node {
    Char(u32, u32),
    Link(&'static str),
    Dir(u32),
}

const DEVICES: &[(&str, Node)] = &[
    ("null", Node::Char(1, 3)),
    ("zero", Node::Char(1, 5)),
    ("full", Node::Char(1, 7)),
    ("random", Node::Char(1, 8)),
    ("urandom", Node::Char(1, 9)),
    ("tty", Node::Char(5, 0)),
    ("ptmx", Node::Char(5, 2)),
    ("fd", Node::Link("/proc/self/fd")),
    ("stdin", Node::Link("/proc/self/fd/0")),
    ("stdout", Node::Link("/proc/self/fd/1")),
    ("stderr", Node::Link("/proc/self/fd/2")),
    ("pts", Node::Dir(0o755)),
    ("shm", Node::Dir(0o1777)),
];

impl Fs {
    /// Whether a place is the node of random(4), under either name.
    pub(crate) fn is_random_device(&self, place: Place) -> bool {
        use crate::abi::flags::makedev;
        let kind = self.inode(place).map(|inode| &inode.kind);
        let devices = [makedev(1, 8), makedev(1, 9)];
        matches!(kind, Some(Kind::CharDevice(rdev)) if devices.contains(rdev))
    }

    /// Fills /dev and mounts /dev/pts.
    pub(super) fn build_devices(&mut self, dev: Place, now: Timespec) {
        for (name, node) in DEVICES {
            let (kind, mode) = match *node {
                Node::Char(major, minor) => (Kind::CharDevice(makedev(major, minor)), 0o666),
                Node::Link(target) => (Kind::Symlink(target.as_bytes().into()), 0o777),
                Node::Dir(mode) => (Kind::directory(), mode),
            };
            let place = self.build(dev, name.as_bytes(), kind, Meta::mode(mode), now);
            if *name == "pts" {
                let pts = self.mount_volume(place, VolumeKind::Devpts, None, now);
                let kind = Kind::CharDevice(makedev(5, 2));
                self.build(pts, b"ptmx", kind, Meta::mode(PTMX_MODE), now);
            }
        }
    }

    /// The directory of the file system for slaves of pseudo-terminals (pts(4)), if one is mounted.
    fn slaves(&self) -> Option<Place> {
        let is_devpts = |volume: &super::Volume| volume.kind == VolumeKind::Devpts;
        let at = self.volumes.iter().position(is_devpts)?;
        let node = self.volumes[at].root;
        let mut mounts = self.mounts.iter();
        let found = mounts.find(|(_, mount)| {
            mount.volume.0 as usize == at && mount.root == node && mount.at.is_some()
        });
        found.map(|(id, _)| Place { mount: MountId(id), node })
    }

    /// Whether a place lies there: a device with such a number elsewhere is no terminal.
    pub fn is_slave(&self, place: Place) -> bool {
        self.volume(place).kind == VolumeKind::Devpts
    }

    /// The node of a new slave, held.
    ///
    /// # Errors
    /// `ENODEV` where none can be, `ENOSPC`.
    pub fn add_slave(
        &mut self,
        number: u32,
        device: u64,
        (uid, gid): (u32, u32),
        now: Timespec,
    ) -> Result<Place, Errno> {
        let parent = self.slaves().ok_or(Errno::ENODEV)?;
        let kind = Kind::CharDevice(device);
        self.room_for_inode(parent, &kind)?;
        let name = format!("{number}");
        let meta = Meta { uid, gid, ..Meta::mode(SLAVE_MODE) };
        let place = self.build(parent, name.as_bytes(), kind, meta, now);
        self.hold(place);
        if let Some(directory) = self.inode_id(parent) {
            self.tell_name(directory, &Name::from_slice(name.as_bytes()), false, IN_CREATE);
        }
        Ok(place)
    }

    /// The master is closed: the name goes, and the node with its last holder.
    pub fn remove_slave(&mut self, place: Place, now: Timespec) {
        if let Ok((entry, inode)) = self.stored(place)
            && self.entry(entry).linked
        {
            let name = self.entry(entry).name.clone();
            let above = self.entry(self.entry(entry).parent).inode;
            self.lost_name(inode, now);
            self.unlist(entry);
            self.tell_name(above, &name, false, IN_DELETE);
        }
        self.release(place);
    }
}

/// Permission bits of a slave, as distributions mount devpts (`mode=620`).
const SLAVE_MODE: u32 = 0o620;
/// Those of the multiplexer beside them (`ptmxmode=666`).
const PTMX_MODE: u32 = 0o666;
