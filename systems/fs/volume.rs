//! Volumes (what Linux calls a superblock) and mounts of them in the tree (mount(2), statfs(2)).
//!
//! A kind of file system is a row of [`VolumeKind::facts`]: limits, magic number and conventions
//! are data. Owns usage counters, kept by addition and subtraction. Bind mounts and mount(2) itself
//! come later: a mount has a root of its own already, so they add rows and no new shape.

use super::PAGE_BYTES;
use super::inode::{EntryId, id};
use super::procfs::ProcNode;
use super::usage::{DEFAULT_BYTES, DEFAULT_INODES};
use crate::abi::flags::makedev;
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::vec::Vec;

id! {
    /// A volume, numbered in the order of making.
    VolumeId
}
id! {
    /// A mount: a volume's tree (or a part of it) at a place.
    MountId
}

/// A node of the tree without its mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// An entry that names an inode.
    Entry(EntryId),
    /// Something below /proc: computed, not stored.
    Proc(ProcNode),
}

/// A position in the tree: what a working directory, a root or an open description holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The mount through which it was reached.
    pub mount: MountId,
    /// The node there.
    pub node: Node,
}

crate::wire_enum!(Node { 0 Entry(entry), 1 Proc(node) });
crate::wire_struct!(Place { mount, node });

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeKind {
    /// ext4(5) with 4 KiB blocks.
    Ext4,
    /// tmpfs(5).
    Tmpfs,
    /// The kernel's own /dev: a tmpfs by another name.
    Devtmpfs,
    /// /dev/pts.
    Devpts,
    /// proc(5).
    Proc,
}

crate::wire_enum!(VolumeKind { 0 Ext4, 1 Tmpfs, 2 Devtmpfs, 3 Devpts, 4 Proc });

/// What is true of every volume of a kind.
#[derive(Debug)]
pub struct KindFacts {
    /// Name as in proc_filesystems(5).
    pub name: &'static str,
    /// Magic number of statfs(2).
    pub magic: u64,
    /// Largest size of a file in bytes (`s_maxbytes`).
    pub max_file_bytes: u64,
    /// Most hard links of a file (`EMLINK` of link(2)).
    pub max_links: u32,
    /// A directory whose count would reach this says 1 from then on.
    pub max_dir_links: u32,
    /// Size of an empty directory, and what each entry adds.
    pub dir_bytes: (u64, u64),
    /// The cookie behind the last entry of a directory.
    pub end_of_directory: i64,
    /// Whether a directory answers SEEK_DATA and SEEK_HOLE (lseek(2)).
    pub seeks_holes_of_directories: bool,
    /// Whether RWF_DONTCACHE, and of reads RWF_NOWAIT, are taken (preadv2(2)).
    pub drops_cache: bool,
    /// Longest target of a symbolic link.
    pub max_symlink_bytes: usize,
    /// Earliest and latest second that a time stamp can hold.
    pub seconds: (i64, i64),
    /// Whether a read of no bytes counts as an access.
    pub empty_reads_count: bool,
    /// Room for an inode's extended attributes, 0 = none at all. For ext4 its one block of them;
    /// what fits beside it in the inode is left out.
    pub max_xattr_bytes: usize,
    /// Whether `user.` attributes exist.
    pub user_xattrs: bool,
    /// Whether it needs no device (`nodev` in proc_filesystems(5)).
    pub nodev: bool,
}

const ANY_SECOND: (i64, i64) = (i64::MIN, i64::MAX);
const TMPFS: KindFacts = KindFacts {
    name: "tmpfs",
    magic: 0x0102_1994,
    max_file_bytes: i64::MAX as u64,
    max_links: u32::MAX,
    max_dir_links: u32::MAX,
    dir_bytes: (40, 20),
    end_of_directory: i32::MAX as i64,
    seeks_holes_of_directories: false,
    drops_cache: false,
    max_symlink_bytes: 4095,
    seconds: ANY_SECOND,
    empty_reads_count: true,
    max_xattr_bytes: 128 * 1024,
    user_xattrs: true,
    nodev: true,
};

impl VolumeKind {
    /// The kinds in the order of proc_filesystems(5).
    pub const ALL: [VolumeKind; 5] = [
        VolumeKind::Tmpfs,
        VolumeKind::Proc,
        VolumeKind::Devtmpfs,
        VolumeKind::Devpts,
        VolumeKind::Ext4,
    ];

    /// What is true of every volume of this kind.
    pub const fn facts(self) -> &'static KindFacts {
        match self {
            VolumeKind::Ext4 => &KindFacts {
                name: "ext4",
                magic: 0xef53,
                max_file_bytes: (1 << 44) - 4096,
                max_links: 65_000,
                max_dir_links: 65_000,
                dir_bytes: (4096, 0),
                end_of_directory: i64::MAX,
                seeks_holes_of_directories: true,
                drops_cache: true,
                max_symlink_bytes: 4095,
                seconds: (-(1 << 31), (1 << 34) - (1 << 31) - 1),
                empty_reads_count: false,
                max_xattr_bytes: 4096 - 36,
                user_xattrs: true,
                nodev: false,
            },
            VolumeKind::Tmpfs => &TMPFS,
            VolumeKind::Devtmpfs => &KindFacts { name: "devtmpfs", ..TMPFS },
            VolumeKind::Devpts => {
                &KindFacts { name: "devpts", magic: 0x1cd1, max_xattr_bytes: 0, ..TMPFS }
            }
            VolumeKind::Proc => {
                &KindFacts { name: "proc", magic: 0x9fa0, max_xattr_bytes: 0, ..TMPFS }
            }
        }
    }
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its kind.
    pub kind: VolumeKind,
    /// `st_dev`.
    pub dev: u64,
    /// What mounts(5) shows as its source.
    pub source: Bytes,
    /// Whether nothing on it may change (`EROFS`).
    pub read_only: bool,
    /// Top of its tree.
    pub root: Node,
    /// Inodes in use.
    pub inodes: u64,
    /// Most inodes (`ENOSPC`).
    pub max_inodes: u64,
    /// 4 KiB pages of data in use.
    pub pages: u64,
    /// Bytes in use beside them: inodes, names, targets of links, attributes (`usage.rs`).
    pub held_bytes: u64,
    /// Most pages (`ENOSPC`).
    pub max_pages: u64,
}

crate::wire_struct!(Volume {
    kind,
    dev,
    source,
    read_only,
    root,
    inodes,
    max_inodes,
    pages,
    held_bytes,
    max_pages
});

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub volume: VolumeId,
    /// Which node of it is on top (for a bind mount not the volume's root).
    pub root: Node,
    /// On which place it lies; `None` for the first one.
    pub at: Option<Place>,
    /// Whether nothing may change through it (`EROFS`).
    pub read_only: bool,
}

crate::wire_struct!(Mount { volume, root, at, read_only });

impl Volume {
    /// A volume without content, as large as a tree can be; `number` counts devices.
    pub(super) fn new(kind: VolumeKind, number: u32, root: Node) -> Self {
        let (dev, source): (_, &[u8]) = match kind {
            VolumeKind::Ext4 => (makedev(8, number), b"/dev/sda1"),
            VolumeKind::Tmpfs => (makedev(0, number), b"tmpfs"),
            VolumeKind::Devtmpfs => (makedev(0, number), b"devtmpfs"),
            VolumeKind::Devpts => (makedev(0, number), b"devpts"),
            VolumeKind::Proc => (makedev(0, number), b"proc"),
        };
        Self {
            kind,
            dev,
            source: Bytes(source.to_vec()),
            read_only: false,
            root,
            inodes: 0,
            max_inodes: DEFAULT_INODES,
            pages: 0,
            held_bytes: 0,
            max_pages: DEFAULT_BYTES / PAGE_BYTES,
        }
    }
}
