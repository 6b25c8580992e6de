//! Inodes (inode(7)) and the entries that name them.
//!
//! An **entry** is one name of one inode in one directory; it keeps its id when it is renamed, and
//! lives on without its name while somebody holds it. That is why a place in the tree is an entry
//! and not an inode: it has a path even if the inode has several. Owns both kinds of row and
//! their encoding; what calls do with them is in the files of the operations.

use super::busy::Busy;
use super::directory::Directory;
use super::pages::Pages;
use super::reserved::Reserved;
use super::volume::VolumeId;
use super::xattr_list::Xattrs;
use crate::abi::Timespec;
use crate::abi::flags::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK};
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// A file name or the last component of a path.
pub type Name = SmallVec<[u8; 24]>;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
        impl<'a> Wire<'a> for $name {
            fn put(&self, out: &mut Vec<u8>) {
                self.0.put(out);
            }
            fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
                Ok(Self(u32::get(from)?))
            }
        }
    };
}
pub(super) use id;

id! {
    /// An inode: a slot of the table; freed slots are reused, the last one first.
    InodeId
}
id! {
    /// A name of an inode in a directory, also after it was removed while somebody holds it.
    EntryId
}

/// What an inode is, with what only that kind has.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A regular file.
    Regular(Pages),
    /// A directory.
    Directory(Directory),
    /// A symbolic link with its target.
    Symlink(Box<[u8]>),
    /// A FIFO; its pipe is the caller's.
    Fifo,
    /// A socket's name.
    Socket,
    /// A character device with its number.
    CharDevice(u64),
    /// A block device with its number.
    BlockDevice(u64),
}

impl Kind {
    /// An empty directory; what makes its entry tells it which one that is.
    pub fn directory() -> Self {
        Kind::Directory(Directory::new(EntryId(0)))
    }

    /// The type bits of the mode (`S_IFREG` …).
    pub fn type_bits(&self) -> u32 {
        match self {
            Kind::Regular(_) => S_IFREG,
            Kind::Directory(_) => S_IFDIR,
            Kind::Symlink(_) => S_IFLNK,
            Kind::Fifo => S_IFIFO,
            Kind::Socket => S_IFSOCK,
            Kind::CharDevice(_) => S_IFCHR,
            Kind::BlockDevice(_) => S_IFBLK,
        }
    }
}

/// An inode of inode(7).
#[derive(Clone, Debug)]
pub struct Inode {
    /// What it is.
    pub kind: Kind,
    /// The volume that it lies on.
    pub volume: VolumeId,
    /// Permission bits with set-id and sticky bits (07777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Hard links as stat(2) tells them.
    pub nlink: u32,
    /// Last access.
    pub atime: Timespec,
    /// Last change of the contents.
    pub mtime: Timespec,
    /// Last change of the inode.
    pub ctime: Timespec,
    /// Birth.
    pub btime: Timespec,
    /// Entry rows, named or only held, that refer to it: it lives as long as there is one.
    pub(super) entries: u32,
    pub(super) xattrs: Option<Box<Xattrs>>,
    /// The seals of a file of memory (`memfd.rs`).
    pub(super) seals: Option<u8>,
    /// It has no name yet and may get one: made with `O_TMPFILE` without `O_EXCL` (open(2)).
    pub(super) linkable: bool,
    /// A directory that rmdir(2) took away, whose list ext4 has let go of.
    pub(super) emptied: bool,
    /// Whose number an overlay shows for it: that of the layer which it was copied from, and of a
    /// directory that of its layers' (`overlay.rs`).
    pub(super) seen_as: Option<InodeId>,
    /// Somebody watches it (inotify(7)). Derived: not encoded.
    pub(super) watched: bool,
    /// Derived: not encoded.
    pub(super) busy: Busy,
}

/// One name of one inode.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The directory's entry; a volume's root is its own parent.
    pub(super) parent: EntryId,
    pub(super) name: Name,
    pub(super) inode: InodeId,
    /// Position in the directory's order.
    pub(super) cookie: u64,
    /// Where the directory's list has it now: follows from the cookie and is not encoded.
    pub(super) slot: u32,
    /// Whether the directory still lists it.
    pub(super) linked: bool,
    /// Places held, and removed entries that still name it as their parent.
    pub(super) holds: u32,
    /// How many mounts lie on it.
    pub(super) mounts: u32,
}

impl<'a> Wire<'a> for Entry {
    fn put(&self, out: &mut Vec<u8>) {
        self.parent.put(out);
        self.name.as_slice().put(out);
        self.inode.put(out);
        self.cookie.put(out);
        self.linked.put(out);
        self.holds.put(out);
        self.mounts.put(out);
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok(Entry {
            parent: EntryId::get(from)?,
            name: Name::from_slice(<&[u8]>::get(from)?),
            inode: InodeId::get(from)?,
            cookie: u64::get(from)?,
            slot: 0,
            linked: bool::get(from)?,
            holds: u32::get(from)?,
            mounts: u32::get(from)?,
        })
    }
}

/// In the encoding of a mode: seals stand in the byte from bit 16 on.
const HAS_SEALS: u32 = 1 << 24;
/// In the encoding of a mode: it may get a first name.
const IS_LINKABLE: u32 = 1 << 25;
/// In the encoding of a mode: the pages that are kept free for it follow.
const HAS_RESERVED: u32 = 1 << 26;
/// In the encoding of a mode: the names of the attributes that lie in it follow them.
const HAS_INNER: u32 = 1 << 27;
/// In the encoding of a mode: rmdir(2) took it away.
const IS_EMPTIED: u32 = 1 << 28;
/// In the encoding of a mode: whose number an overlay shows follows, last of all.
const HAS_SEEN_AS: u32 = 1 << 29;

impl Inode {
    /// All but the kind's own data, for the encoding and the digest alike.
    pub(super) fn put_attributes(&self, out: &mut Vec<u8>) {
        self.volume.put(out);
        // Seals and the like stand above the mode: few inodes have any.
        let seals = self.seals.map_or(0, |seals| HAS_SEALS | u32::from(seals) << 16);
        let seals = seals | if self.linkable { IS_LINKABLE } else { 0 };
        let reserved = match &self.kind {
            Kind::Regular(pages) => pages.reserved(),
            _ => None,
        };
        let inner = self.xattrs.as_ref().map_or(&[][..], |all| all.inner());
        let seals = seals
            | if reserved.is_some() { HAS_RESERVED } else { 0 }
            | if inner.is_empty() { 0 } else { HAS_INNER }
            | if self.emptied { IS_EMPTIED } else { 0 }
            | if self.seen_as.is_some() { HAS_SEEN_AS } else { 0 };
        for number in [self.mode | seals, self.uid, self.gid, self.nlink, self.entries] {
            number.put(out);
        }
        for time in [self.atime, self.mtime, self.ctime, self.btime] {
            time.put(out);
        }
        let xattrs = self.xattrs.iter().flat_map(|map| map.iter());
        let pairs = xattrs.map(|(name, value)| (Bytes(name.to_vec()), Bytes(value.to_vec())));
        pairs.collect::<Vec<_>>().put(out);
        if !inner.is_empty() {
            inner.iter().map(|name| Bytes(name.to_vec())).collect::<Vec<_>>().put(out);
        }
        if let Some(reserved) = reserved {
            reserved.put(out);
        }
        if let Some(other) = self.seen_as {
            other.put(out);
        }
    }

    fn get_attributes(from: &mut WireReader<'_>, mut kind: Kind) -> Result<Self, WireError> {
        let volume = VolumeId::get(from)?;
        let [mode, uid, gid, nlink, entries] = <[u32; 5]>::get(from)?;
        let [atime, mtime, ctime, btime] = <[Timespec; 4]>::get(from)?;
        let pairs = Vec::<(Bytes, Bytes)>::get(from)?;
        let sorted = pairs.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let seals = (mode & HAS_SEALS != 0).then_some((mode >> 16) as u8);
        let (linkable, emptied) = (mode & IS_LINKABLE != 0, mode & IS_EMPTIED != 0);
        let inner = match mode & HAS_INNER {
            0 => Vec::new(),
            _ => Vec::<Bytes>::get(from)?,
        };
        if mode & HAS_RESERVED != 0 {
            let reserved = Reserved::get(from)?;
            let is_right = match &mut kind {
                Kind::Regular(pages) => reserved.pages() > 0 && pages.set_reserved(reserved),
                _ => false,
            };
            if !is_right {
                return Err(from.error("pages kept free of a regular file that are not there"));
            }
        }
        let seen_as = if mode & HAS_SEEN_AS == 0 { None } else { Some(InodeId::get(from)?) };
        let mode = mode
            & !(IS_LINKABLE | HAS_RESERVED | HAS_INNER | IS_EMPTIED | HAS_SEEN_AS)
            & if seals.is_some() { 0xffff } else { u32::MAX };
        if !sorted || mode > 0o7777 {
            return Err(from.error("a mode up to 07777 and attributes in the order of their names"));
        }
        let mut xattrs: Option<Box<Xattrs>> = (!pairs.is_empty()).then(|| {
            let pairs = pairs.into_iter();
            Box::new(pairs.map(|(name, value)| (name.0.into(), value.0.into())).collect())
        });
        let inner = inner.into_iter().map(|name| name.0.into()).collect::<Vec<_>>();
        let is_right = match &mut xattrs {
            Some(xattrs) => xattrs.set_inner(inner),
            None => inner.is_empty(),
        };
        if !is_right {
            return Err(from.error("names of attributes that lie in the inode and are there"));
        }
        let times = (atime, mtime, ctime, btime);
        let (atime, mtime, ctime, btime) = times;
        Ok(Inode {
            kind,
            volume,
            mode,
            uid,
            gid,
            nlink,
            atime,
            mtime,
            ctime,
            btime,
            entries,
            xattrs,
            seals,
            linkable,
            emptied,
            seen_as,
            watched: false,
            busy: Busy::default(),
        })
    }
}

impl<'a> Wire<'a> for Inode {
    fn put(&self, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Regular(pages) => {
                out.push(0);
                pages.put(out);
            }
            Kind::Directory(directory) => {
                out.push(1);
                directory.put(out);
            }
            Kind::Symlink(target) => {
                out.push(2);
                target.put(out);
            }
            Kind::Fifo => out.push(3),
            Kind::Socket => out.push(4),
            Kind::CharDevice(number) => {
                out.push(5);
                number.put(out);
            }
            Kind::BlockDevice(number) => {
                out.push(6);
                number.put(out);
            }
        }
        self.put_attributes(out);
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("a kind of inode, 0 to 6");
        let kind = match from.byte()? {
            0 => Kind::Regular(Pages::get(from)?),
            1 => Kind::Directory(Directory::get(from)?),
            2 => Kind::Symlink(Wire::get(from)?),
            3 => Kind::Fifo,
            4 => Kind::Socket,
            5 => Kind::CharDevice(u64::get(from)?),
            6 => Kind::BlockDevice(u64::get(from)?),
            _ => return Err(error),
        };
        Inode::get_attributes(from, kind)
    }
}
