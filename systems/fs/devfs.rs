//! The nodes of /dev (null(4), zero(4), full(4), random(4), tty(4), pts(4)): one table.
//!
//! What reading and writing a device does is the caller's business; here it is a number.

use super::builder::Meta;
use super::{Fs, Kind, Place, VolumeKind};
use crate::abi::Timespec;
use crate::abi::flags::makedev;

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
                self.mount_volume(place, VolumeKind::Devpts, None, now);
            }
        }
    }
}
