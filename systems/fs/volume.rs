//! Volumes (what Linux calls a superblock) and mounts of them in the tree (mount(2), statfs(2)).
//!
//! A kind of file system is a row of [`VolumeKind::facts`]: limits, magic number and conventions
//! are data. Owns usage counters, kept by addition and subtraction. What mount(2) does with them:
//! `mounts.rs`.

use super::PAGE_BYTES;
use super::inode::{EntryId, id};
use super::overlay::{LayerOptions, Layers};
use super::procfs::{ProcId, ProcNode};
use super::quota::{QuotaOptions, Quotas};
use super::usage::{DEFAULT_BYTES, DEFAULT_INODES};
use crate::abi::flags::makedev;
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
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
    /// A tmpfs without limits and without extended attributes.
    Ramfs,
    /// Layers seen as one tree (`overlay.rs`).
    Overlay,
    /// Where files of memory in huge pages of 2 MiB lie; there are no such pages.
    HugePages,
    /// The same with pages of 1 GiB.
    GiganticPages,
}

crate::wire_enum!(VolumeKind {
    0 Ext4, 1 Tmpfs, 2 Devtmpfs, 3 Devpts, 4 Proc, 5 Ramfs, 6 Overlay, 7 HugePages, 8 GiganticPages
});

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
    /// A directory whose count would be higher says 1 from then on.
    pub max_dir_links: u32,
    /// Size of an empty directory, and what each entry adds.
    pub dir_bytes: (u64, u64),
    /// Whether a directory that was removed has the size 0.
    pub removed_is_empty: bool,
    /// The cookie behind the last entry of a directory.
    pub end_of_directory: i64,
    /// Whether a directory answers SEEK_DATA and SEEK_HOLE, and SEEK_END (lseek(2)).
    pub seeks_holes_of_directories: bool,
    /// What O_DIRECT's offsets and lengths must be multiples of.
    pub direct_bytes: u64,
    /// Whether RWF_DONTCACHE, and of reads RWF_NOWAIT, are taken (preadv2(2)).
    pub drops_cache: bool,
    /// Longest target of a symbolic link.
    pub max_symlink_bytes: usize,
    /// Targets up to here lie in the inode and take no block.
    pub inline_target_bytes: usize,
    /// Earliest and latest second that a time stamp can hold.
    pub seconds: (i64, i64),
    /// Whether its stamps are fine-grained: then statx(2) gives mtime and ctime only if one of them
    /// is asked for.
    pub fine_stamps: bool,
    /// Whether a read of no bytes counts as an access.
    pub empty_reads_count: bool,
    /// Whether there are extended attributes.
    pub has_xattrs: bool,
    /// Whether `user.` attributes exist.
    pub user_xattrs: bool,
    /// Whether each further link of a file counts as an inode, and attributes by their bytes
    /// (`nr_inodes` of tmpfs(5)).
    pub counts_inode_space: bool,
    /// Whether its files can have seals, as files of memory (fcntl(2)); those with a name are
    /// sealed against seals.
    pub has_seals: bool,
    /// Bytes of a huge page where files are made of these: none is written, and their sizes are
    /// whole pages (memfd_create(2), `MFD_HUGETLB`). 0 elsewhere.
    pub huge_bytes: u64,
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
    removed_is_empty: false,
    end_of_directory: i32::MAX as i64,
    seeks_holes_of_directories: false,
    direct_bytes: 1,
    drops_cache: false,
    max_symlink_bytes: 4095,
    inline_target_bytes: 127,
    seconds: ANY_SECOND,
    fine_stamps: true,
    empty_reads_count: true,
    has_xattrs: true,
    user_xattrs: true,
    counts_inode_space: true,
    has_seals: true,
    huge_bytes: 0,
    nodev: true,
};
const HUGE_PAGES: KindFacts = KindFacts {
    name: "hugetlbfs",
    magic: 0x9584_58f6,
    fine_stamps: false,
    has_xattrs: false,
    user_xattrs: false,
    counts_inode_space: false,
    huge_bytes: 2 << 20,
    ..TMPFS
};

impl VolumeKind {
    /// The kinds that can be asked for, in the order of proc_filesystems(5).
    pub const ALL: [VolumeKind; 7] = [
        VolumeKind::Tmpfs,
        VolumeKind::Proc,
        VolumeKind::Devtmpfs,
        VolumeKind::Ramfs,
        VolumeKind::Devpts,
        VolumeKind::Ext4,
        VolumeKind::Overlay,
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
                removed_is_empty: true,
                end_of_directory: i64::MAX,
                seeks_holes_of_directories: true,
                direct_bytes: 512,
                drops_cache: true,
                max_symlink_bytes: 4095,
                inline_target_bytes: 59,
                seconds: (-(1 << 31), (1 << 34) - (1 << 31) - 1),
                fine_stamps: true,
                empty_reads_count: false,
                has_xattrs: true,
                user_xattrs: true,
                counts_inode_space: false,
                has_seals: false,
                huge_bytes: 0,
                nodev: false,
            },
            VolumeKind::Tmpfs => &TMPFS,
            VolumeKind::Overlay => &KindFacts {
                name: "overlay",
                magic: 0x794c_7630,
                counts_inode_space: false,
                has_seals: false,
                ..TMPFS
            },
            VolumeKind::Devtmpfs => &KindFacts { name: "devtmpfs", fine_stamps: false, ..TMPFS },
            VolumeKind::Devpts => &KindFacts {
                name: "devpts",
                magic: 0x1cd1,
                fine_stamps: false,
                has_xattrs: false,
                ..TMPFS
            },
            VolumeKind::Proc => &KindFacts {
                name: "proc",
                magic: 0x9fa0,
                fine_stamps: false,
                has_xattrs: false,
                ..TMPFS
            },
            VolumeKind::Ramfs => &KindFacts {
                name: "ramfs",
                magic: 0x8584_58f6,
                fine_stamps: false,
                dir_bytes: (0, 0),
                has_xattrs: false,
                user_xattrs: false,
                counts_inode_space: false,
                has_seals: false,
                ..TMPFS
            },
            VolumeKind::HugePages => &HUGE_PAGES,
            VolumeKind::GiganticPages => &KindFacts { huge_bytes: 1 << 30, ..HUGE_PAGES },
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
    /// What extended attributes take of the room for inodes where they count (`usage.rs`).
    pub(super) xattr_space: u64,
    /// Bytes in use beside them: inodes, names, targets of links, attributes (`usage.rs`).
    pub held_bytes: u64,
    /// Most pages (`ENOSPC`).
    pub max_pages: u64,
    /// What mount(2) was told; `None` for a volume of the first image.
    pub options: Option<VolumeOptions>,
    /// What an overlay is made of.
    pub layers: Option<Box<Layers>>,
    /// What users and groups may take of it.
    pub quotas: Option<Box<Quotas>>,
    /// What somebody has changed of a /proc's own entries, by what they are.
    pub proc_changes: BTreeMap<ProcId, ProcChange>,
}

/// What an entry of /proc was given instead of what it has (chmod(2), chown(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcChange {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

crate::wire_struct!(ProcChange { mode, uid, gid });

/// What was given when a volume was mounted (mount(2), tmpfs(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeOptions {
    /// `MS_SYNCHRONOUS`, `MS_DIRSYNC`, `MS_MANDLOCK`, `MS_LAZYTIME`: kept and shown.
    pub flags: u32,
    /// `size` or `nr_blocks` in pages, 0 = not given, `UNLIMITED` where 0 was.
    pub pages: u64,
    /// `nr_inodes`, in the same way.
    pub inodes: u64,
    /// Permissions of the top as they were then.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// A limit that was taken away by giving 0 (tmpfs(5)).
pub const UNLIMITED: u64 = u64::MAX;

crate::wire_struct!(VolumeOptions { flags, pages, inodes, mode, uid, gid });

/// In the place of "read-only" in the encoding of a volume: its options follow.
const HAS_OPTIONS: u8 = 2;
/// The layers of an overlay follow, last but one.
const HAS_LAYERS: u8 = 4;
/// How they speak to each other follows last of all: it is not the default.
const HAS_LAYER_OPTIONS: u8 = 32;
/// What its quotas are follows before them.
const HAS_QUOTAS: u8 = 8;
/// What was changed of a /proc follows before these.
const HAS_PROC_CHANGES: u8 = 16;

impl<'a> Wire<'a> for Volume {
    fn put(&self, out: &mut Vec<u8>) {
        self.kind.put(out);
        self.dev.put(out);
        self.source.put(out);
        let options = self.options.map_or(0, |_| HAS_OPTIONS);
        let layers = self.layers.as_ref().map_or(0, |layers| {
            let is_default = layers.options == LayerOptions::default();
            HAS_LAYERS | if is_default { 0 } else { HAS_LAYER_OPTIONS }
        });
        let quotas = self.quotas.as_ref().map_or(0, |_| HAS_QUOTAS);
        let changes = if self.proc_changes.is_empty() { 0 } else { HAS_PROC_CHANGES };
        out.push(u8::from(self.read_only) | options | layers | quotas | changes);
        self.root.put(out);
        let numbers = [self.inodes, self.max_inodes, self.pages, self.held_bytes, self.max_pages];
        for number in numbers {
            number.put(out);
        }
        if let Some(options) = &self.options {
            options.put(out);
        }
        if changes != 0 {
            self.proc_changes.iter().map(|(id, is)| (*id, *is)).collect::<Vec<_>>().put(out);
        }
        if let Some(quotas) = &self.quotas {
            quotas.options.put(out);
        }
        if let Some(layers) = &self.layers {
            layers.upper.put(out);
            layers.lowers.put(out);
            layers.text.put(out);
            if layers.options != LayerOptions::default() {
                layers.options.put(out);
            }
        }
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let kind = VolumeKind::get(from)?;
        let (dev, source) = (u64::get(from)?, Bytes::get(from)?);
        let bits = from.byte()?;
        let is_overlay = bits & HAS_LAYERS != 0;
        if bits >= HAS_LAYER_OPTIONS << 1
            || !is_overlay && bits & HAS_LAYER_OPTIONS != 0
            || is_overlay != (kind == VolumeKind::Overlay)
        {
            return Err(from.error("0 to 63 for what is known of a volume, layers of an overlay"));
        }
        let root = Node::get(from)?;
        let [inodes, max_inodes, pages, held_bytes, max_pages] = <[u64; 5]>::get(from)?;
        let options = if bits & HAS_OPTIONS == 0 { None } else { Some(VolumeOptions::get(from)?) };
        let changes = if bits & HAS_PROC_CHANGES == 0 { Vec::new() } else { Vec::get(from)? };
        let in_order = changes.windows(2).all(|two: &[(ProcId, ProcChange)]| two[0].0 < two[1].0);
        if !in_order || changes.iter().any(|(_, is)| is.mode > 0o7777) {
            return Err(from.error("entries of /proc in order, permission bits up to 07777"));
        }
        let quotas = if bits & HAS_QUOTAS == 0 { None } else { Some(QuotaOptions::get(from)?) };
        let layers = if is_overlay {
            let (upper, lowers, text) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
            let has_options = bits & HAS_LAYER_OPTIONS != 0;
            let options = if has_options { Wire::get(from)? } else { LayerOptions::default() };
            Some(Box::new(Layers { upper, lowers, text, options }))
        } else {
            None
        };
        let read_only = bits & 1 != 0;
        Ok(Self {
            kind,
            dev,
            source,
            read_only,
            root,
            inodes,
            max_inodes,
            pages,
            xattr_space: 0,
            held_bytes,
            max_pages,
            options,
            layers,
            quotas: quotas.map(|options| Box::new(Quotas::new(options))),
            proc_changes: changes.into_iter().collect(),
        })
    }
}

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub volume: VolumeId,
    /// Which node of it is on top (for a bind mount not the volume's root).
    pub root: Node,
    /// On which place it lies; `None` for the first one, and for what is in no tree.
    pub at: Option<Place>,
    /// What holds for it alone (`MOUNT_*`).
    pub flags: u32,
    /// Its turn in the list of mounts; 0 for those of the first image.
    pub order: u64,
    /// Places held through it. This and the next follow from open descriptions and contexts: their
    /// owners keep them, an image does not hold them.
    pub(super) users: u32,
    /// Files open for writing through it.
    pub(super) writers: u32,
}

/// What holds for one mount.
pub mod mount_flags {
    /// Nothing may change through it (`EROFS`).
    pub const MOUNT_READ_ONLY: u32 = 1;
    /// Set-id bits of programs do nothing.
    pub const MOUNT_NOSUID: u32 = 1 << 1;
    /// Devices cannot be opened.
    pub const MOUNT_NODEV: u32 = 1 << 2;
    /// Nothing can be executed.
    pub const MOUNT_NOEXEC: u32 = 1 << 3;
    /// Reading leaves no trace.
    pub const MOUNT_NOATIME: u32 = 1 << 4;
    /// Reading a directory leaves none.
    pub const MOUNT_NODIRATIME: u32 = 1 << 5;
    /// Each reading is taken down; without this and `MOUNT_NOATIME` it is as relatime says.
    pub const MOUNT_STRICTATIME: u32 = 1 << 6;
    /// No symbolic link is followed.
    pub const MOUNT_NOSYMFOLLOW: u32 = 1 << 7;
    /// It cannot be bound.
    pub const MOUNT_UNBINDABLE: u32 = 1 << 8;
    /// It was taken away while it was used (`MNT_DETACH`), and goes with its last user.
    pub const MOUNT_DETACHED: u32 = 1 << 9;
    /// `MNT_EXPIRE` has seen it unused.
    pub const MOUNT_EXPIRES: u32 = 1 << 10;
}
/// In the encoding only: its turn follows.
const HAS_ORDER: u32 = 1 << 11;

impl Mount {
    /// A mount without a user.
    pub(super) const fn new(volume: VolumeId, root: Node, at: Option<Place>) -> Self {
        Self { volume, root, at, flags: 0, order: 0, users: 0, writers: 0 }
    }

    /// Whether it has a flag.
    pub const fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

impl<'a> Wire<'a> for Mount {
    fn put(&self, out: &mut Vec<u8>) {
        self.volume.put(out);
        self.root.put(out);
        self.at.put(out);
        (self.flags | if self.order != 0 { HAS_ORDER } else { 0 }).put(out);
        if self.order != 0 {
            self.order.put(out);
        }
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let (volume, root) = (VolumeId::get(from)?, Node::get(from)?);
        let at = Option::<Place>::get(from)?;
        let bits = u32::get(from)?;
        let order = if bits & HAS_ORDER == 0 { 0 } else { u64::get(from)? };
        if bits >= HAS_ORDER << 1 || (bits & HAS_ORDER != 0) != (order != 0) {
            return Err(from.error("the flags of a mount, and a turn if they say so"));
        }
        Ok(Self { flags: bits & !HAS_ORDER, order, ..Self::new(volume, root, at) })
    }
}

impl Volume {
    /// A volume without content, as large as a tree can be; `number` counts devices.
    pub(super) fn new(kind: VolumeKind, number: u32, root: Node) -> Self {
        let (dev, source): (_, &[u8]) = match kind {
            VolumeKind::Ext4 => (makedev(8, number), b"/dev/sda1"),
            VolumeKind::Tmpfs => (makedev(0, number), b"tmpfs"),
            VolumeKind::Devtmpfs => (makedev(0, number), b"devtmpfs"),
            VolumeKind::Devpts => (makedev(0, number), b"devpts"),
            VolumeKind::Proc => (makedev(0, number), b"proc"),
            VolumeKind::Ramfs => (makedev(0, number), b"ramfs"),
            VolumeKind::Overlay => (makedev(0, number), b"overlay"),
            VolumeKind::HugePages | VolumeKind::GiganticPages => (makedev(0, number), b"hugetlbfs"),
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
            xattr_space: 0,
            held_bytes: 0,
            max_pages: DEFAULT_BYTES / PAGE_BYTES,
            options: None,
            layers: None,
            quotas: None,
            proc_changes: BTreeMap::new(),
        }
    }

    /// What stands at the number of a volume that is gone.
    pub(super) fn vacant() -> Self {
        let root = Node::Proc(ProcNode::ROOT);
        Self { dev: 0, source: Bytes::default(), ..Self::new(VolumeKind::Tmpfs, 0, root) }
    }

    pub(super) const fn is_vacant(&self) -> bool {
        self.dev == 0
    }
}
