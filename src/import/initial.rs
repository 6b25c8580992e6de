//! The file system before the first event, as far as the recording lets it be known (IMPORT.md
//! section 6).
//!
//! Owns a symbolic tree of facts. Each fact is entered twice: here, from where the first image is
//! built, and into the live tree of the scratch kernel, as if it had been there from the start. An
//! initial file is known by the live inode that stands for it, so that it is found again after it
//! was renamed; it is held, so that its inode is never another's.

use std::collections::{BTreeMap, BTreeSet};

use tickernel_systems::abi::flags::{
    S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFSOCK, major,
};
use tickernel_systems::abi::{Errno, Stat, Timespec};
use tickernel_systems::fs::{Fs, InodeId, Kind, Meta, Pages, Place, Protected, VolumeKind};

use super::hidden;
use super::identity::Identities;
use super::ranges::{add_range, gaps};
use crate::replay::stat_bits;

/// Largest sum of contents that is taken over from a recording.
const MAX_CONTENT_BYTES: u64 = 400 << 20;

/// Largest file of the kernel's ext4: what claims more is no fact.
const MAX_FILE_BYTES: u64 = (1 << 44) - 4096;

/// Devices of which the kernel has a node (null(4), random(4), tty(4)).
const DEVICES: [&[u8]; 6] =
    [b"/dev/null", b"/dev/zero", b"/dev/full", b"/dev/random", b"/dev/urandom", b"/dev/tty"];

/// A node of the tree of facts.
pub type NodeId = usize;

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link with its target.
    Link(Vec<u8>),
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    Char(u64),
    /// A block device.
    Block(u64),
}

impl Shape {
    /// The shape of a mode; links and devices by what else is known.
    pub fn of(mode: u32, rdev: u64) -> Self {
        match mode & S_IFMT {
            S_IFDIR => Shape::Directory,
            S_IFLNK => Shape::Link(Vec::new()),
            S_IFIFO => Shape::Fifo,
            S_IFSOCK => Shape::Socket,
            S_IFCHR => Shape::Char(rdev),
            S_IFBLK => Shape::Block(rdev),
            _ => Shape::File,
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Shape::Directory => Kind::directory(),
            Shape::File => Kind::Regular(Pages::default()),
            Shape::Link(target) => Kind::Symlink(target.as_slice().into()),
            Shape::Fifo => Kind::Fifo,
            Shape::Socket => Kind::Socket,
            Shape::Char(rdev) => Kind::CharDevice(*rdev),
            Shape::Block(rdev) => Kind::BlockDevice(*rdev),
        }
    }
}

/// A file that was there.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub shape: Shape,
    /// Its metadata, as far as they are known.
    pub meta: Meta,
    /// Which of them are known (`stat_bits`); what the session set counts as known.
    pub known: u32,
    /// Where it is in the live tree.
    pub place: Place,
    /// Contents of a regular file.
    pub(super) pages: Pages,
    /// Ranges of the contents that are known, or that the session wrote.
    pub(super) ranges: Vec<(u64, u64)>,
    children: Vec<(Vec<u8>, NodeId)>,
    /// Names in the order in which a list showed them.
    order: BTreeMap<Vec<u8>, usize>,
    /// Its first path.
    path: Vec<u8>,
    /// It stands in every tree that `Fs::new` makes.
    is_given: bool,
    /// It is the top of a volume of its own.
    mount: Option<Mounted>,
    /// It was executed: a script needs its interpreter.
    pub executed: bool,
    /// Its links by what is known to have been there.
    natural_links: u32,
    /// What the session's user was seen to do with it: rights that it gave him.
    given: u32,
}

/// A volume that was mounted.
#[derive(Clone, Copy, Debug)]
struct Mounted {
    kind: VolumeKind,
    read_only: bool,
}

/// Bytes that were copied inside the kernel while they were unknown.
#[derive(Clone, Copy, Debug)]
struct Copied {
    to: (InodeId, u64),
    from: (Place, u64),
    /// Which file that was: its name may be gone since.
    of: InodeId,
    len: u64,
}

/// The facts.
#[derive(Debug)]
pub struct Initial {
    pub(super) nodes: Vec<Node>,
    by_inode: BTreeMap<InodeId, NodeId>,
    /// Names that the session made or removed: what is found there later is no fact.
    touched: BTreeSet<(NodeId, Vec<u8>)>,
    copies: Vec<Copied>,
    content_bytes: u64,
    /// Mount points and names of one file.
    identities: Identities,
    /// The files of which several names are known, by their number there.
    named: BTreeMap<usize, NodeId>,
    /// What the machine forbids (proc_sys_fs(5)).
    protected: Protected,
    now: Timespec,
}

impl Initial {
    /// The facts that hold in every tree of `Fs::new`.
    pub fn new(fs: &mut Fs, now: Timespec, identities: &Identities) -> Self {
        let mut initial = Self {
            nodes: Vec::new(),
            by_inode: BTreeMap::new(),
            touched: BTreeSet::new(),
            copies: Vec::new(),
            content_bytes: 0,
            identities: identities.clone(),
            named: BTreeMap::new(),
            protected: Protected::default(),
            now,
        };
        for path in [&b"/"[..], b"/tmp", b"/dev", b"/dev/shm", b"/dev/pts"] {
            let Ok(place) = fs.at_path(path) else { continue };
            let mode = if path == b"/tmp" || path == b"/dev/shm" { 0o1777 } else { 0o755 };
            let mount = initial.mount(path);
            let place = mounted(fs, place, mount, now);
            let id = initial.adopt(fs, place, Shape::Directory, Meta::mode(mode), path.to_vec());
            if let Some(node) = initial.nodes.get_mut(id) {
                (node.is_given, node.mount) = (true, mount);
                fs.describe(place, &node.meta).unwrap_or(());
            }
        }
        initial.adopt_devices(fs);
        initial
    }

    /// Devices stand in every tree, and their modes and owners are the machine's.
    fn adopt_devices(&mut self, fs: &mut Fs) {
        for path in DEVICES {
            let Ok(place) = fs.at_path(path) else { continue };
            let Some(inode) = fs.inode(place) else { continue };
            let (shape, meta) = (Shape::of(inode.kind.type_bits(), 0), Meta::mode(inode.mode));
            let id = self.adopt(fs, place, shape, meta, path.to_vec());
            if let Some(node) = self.nodes.get_mut(id) {
                node.is_given = true;
            }
        }
    }

    fn adopt(
        &mut self,
        fs: &mut Fs,
        place: Place,
        shape: Shape,
        meta: Meta,
        path: Vec<u8>,
    ) -> NodeId {
        let id = self.nodes.len();
        if let Some(inode) = fs.inode_id(place) {
            self.by_inode.insert(inode, id);
        }
        fs.hold(place);
        self.nodes.push(Node {
            shape,
            meta,
            known: 0,
            place,
            pages: Pages::default(),
            ranges: Vec::new(),
            children: Vec::new(),
            order: BTreeMap::new(),
            path,
            is_given: false,
            mount: None,
            executed: false,
            natural_links: fs.inode(place).map_or(1, |inode| inode.nlink),
            given: 0,
        });
        id
    }

    /// The initial file that a live place is.
    pub fn of(&self, fs: &Fs, place: Place) -> Option<NodeId> {
        self.by_inode.get(&fs.inode_id(place)?).copied()
    }

    /// Whether these members of a file's stat are known.
    pub fn knows(&self, fs: &Fs, place: Place, members: u32) -> bool {
        let node = self.of(fs, place).and_then(|id| self.nodes.get(id));
        node.is_some_and(|node| node.known & members == members)
    }

    /// Notes that the session made or removed a name.
    pub fn touch(&mut self, fs: &Fs, directory: Place, name: &[u8]) {
        if let Some(id) = self.of(fs, directory) {
            self.touched.insert((id, name.to_vec()));
        }
    }

    /// Whether a name in a directory can still be a fact: the directory was there, the name never
    /// changed.
    pub fn is_open(&self, fs: &Fs, directory: Place, name: &[u8]) -> bool {
        self.of(fs, directory).is_some_and(|id| !self.touched.contains(&(id, name.to_vec())))
    }

    /// Enters a file that was in a directory.
    ///
    /// # Errors
    /// If that cannot be: the name is taken or was changed, the directory is the session's own.
    pub fn add(
        &mut self,
        fs: &mut Fs,
        directory: Place,
        name: &[u8],
        shape: Shape,
        meta: Meta,
    ) -> Result<Place, Errno> {
        let parent = self.of(fs, directory).ok_or(Errno::EPERM)?;
        if !self.is_open(fs, directory, name) {
            return Err(Errno::EPERM);
        }
        let mut path = self.nodes.get(parent).map(|node| node.path.clone()).unwrap_or_default();
        if path != b"/" {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        let number = self.identities.names.get(&path).copied().filter(|_| shape == Shape::File);
        if let Some(file) = number.and_then(|number| self.named.get(&number).copied()) {
            return self.add_name(fs, file, directory, name);
        }
        let place = fs.build_in(directory, name, shape.kind(), meta, self.now)?;
        let mount = self.mount(&path).filter(|_| shape == Shape::Directory);
        let place = mounted(fs, place, mount, self.now);
        if mount.is_some() {
            fs.describe(place, &meta)?;
        }
        // The list of the directory may have been known before this name in it was.
        if shape == Shape::Directory {
            self.keep_links(fs, parent);
        }
        let id = self.adopt(fs, place, shape, meta, path);
        if let Some(number) = number {
            self.named.insert(number, id);
        }
        let is_directory = self.nodes.get_mut(id).is_some_and(|node| {
            node.mount = mount;
            node.shape == Shape::Directory
        });
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children.push((name.to_vec(), id));
            node.natural_links += u32::from(is_directory);
        }
        Ok(place)
    }

    /// What is known of a file's links stays so when a name of it, or a child, is found out.
    fn keep_links(&self, fs: &mut Fs, id: NodeId) {
        if let Some(node) = self.nodes.get(id).filter(|node| node.known & stat_bits::NLINK != 0) {
            let nlink = fs.inode(node.place).map(|inode| inode.nlink.saturating_sub(1));
            let meta = live_meta(fs, node.place);
            if let Some(meta) = meta {
                // The place is one of the tree's own.
                fs.describe(node.place, &Meta { nlink, ..meta }).unwrap_or(());
            }
        }
    }

    /// Makes the directories of an absolute path without links, and what is at its end.
    ///
    /// # Errors
    /// As [`Initial::add`].
    pub fn add_path(
        &mut self,
        fs: &mut Fs,
        path: &[u8],
        shape: Shape,
        meta: Meta,
    ) -> Result<Place, Errno> {
        let mut at = fs.root();
        let names: Vec<&[u8]> =
            path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        let mut done = Vec::new();
        for (index, name) in names.iter().enumerate() {
            done.push(b'/');
            done.extend_from_slice(name);
            at = match fs.at_path(&done) {
                Ok(place) => place,
                Err(Errno::ENOENT) if index + 1 == names.len() => {
                    self.add(fs, at, name, shape.clone(), meta)?
                }
                Err(Errno::ENOENT) => {
                    self.add(fs, at, name, Shape::Directory, Meta::directory(0o755))?
                }
                Err(errno) => return Err(errno),
            };
        }
        Ok(at)
    }

    /// A further name of a file that was there.
    ///
    /// # Errors
    /// As [`Initial::add`].
    pub fn add_name(
        &mut self,
        fs: &mut Fs,
        file: NodeId,
        directory: Place,
        name: &[u8],
    ) -> Result<Place, Errno> {
        let parent = self.of(fs, directory).ok_or(Errno::EPERM)?;
        let place = self.nodes.get(file).ok_or(Errno::ENOENT)?.place;
        let made = fs.build_name(place, directory, name)?;
        // As many as were shown, whichever are known.
        self.keep_links(fs, file);
        if let Some(node) = self.nodes.get_mut(file) {
            node.natural_links += 1;
        }
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children.push((name.to_vec(), file));
        }
        Ok(made)
    }

    /// The directory for what has no known name.
    pub fn hidden(&self) -> &[u8] {
        &self.identities.hidden
    }

    /// The kind of volume that is mounted at a path, by its device.
    fn mount(&self, path: &[u8]) -> Option<Mounted> {
        let device = self.identities.mounts.get(path)?;
        let is_disk = major(*device) != 0;
        let kind = if is_disk { VolumeKind::Ext4 } else { VolumeKind::Tmpfs };
        Some(Mounted { kind, read_only: self.identities.read_only.contains(path) })
    }

    /// What a stat of a file shows that was not known yet.
    pub fn see_stat(&mut self, fs: &mut Fs, place: Place, stat: &Stat, members: u32) {
        use stat_bits::*;
        let Some(id) = self.of(fs, place) else { return };
        let Some(mut live) = live_meta(fs, place) else { return };
        let live_size = fs.pages(place).map_or(0, Pages::size);
        let Some(node) = self.nodes.get_mut(id) else { return };
        let fresh = members & !node.known;
        node.known |= members & !SIZE;
        if fresh & MODE != 0 {
            (node.meta.mode, live.mode) = (stat.mode & 0o7777, stat.mode & 0o7777);
        }
        if fresh & UID != 0 {
            (node.meta.uid, live.uid) = (stat.uid, stat.uid);
        }
        if fresh & GID != 0 {
            (node.meta.gid, live.gid) = (stat.gid, stat.gid);
        }
        if fresh & NLINK != 0 && node.shape == Shape::Directory && stat.nlink < 2 {
            node.known &= !NLINK;
        } else if fresh & NLINK != 0 {
            let now = live.nlink.unwrap_or(1);
            let own = node.natural_links;
            node.meta.nlink = Some(own.saturating_add(stat.nlink).saturating_sub(now));
            live.nlink = Some(stat.nlink);
        }
        for (bit, seen, own, live) in [
            (MTIME, stat.mtime, &mut node.meta.mtime, &mut live.mtime),
            (ATIME, stat.atime, &mut node.meta.atime, &mut live.atime),
            (CTIME, stat.ctime, &mut node.meta.ctime, &mut live.ctime),
        ] {
            if fresh & bit != 0 {
                (*own, *live) = (Some(seen), Some(seen));
            }
        }
        if let (true, Shape::Link(target)) = (fresh & SIZE != 0, &mut node.shape) {
            // A target whose text nobody read: at least as long as it was.
            if target.len() as u64 != stat.size && hidden::is_made_up(target) {
                target.resize(stat.size.clamp(1, 4095) as usize, b'x');
                let text = target.clone();
                fs.describe_kind(place, |kind| *kind = Kind::Symlink(text.into())).unwrap_or(());
            }
        }
        fs.describe(place, &live).unwrap_or(());
        let is_file = matches!(self.nodes.get(id), Some(node) if node.shape == Shape::File);
        if fresh & SIZE != 0 && is_file && live_size != stat.size {
            self.see_size(fs, place, stat.size);
        }
        if let Some(node) = self.nodes.get_mut(id).filter(|_| members & SIZE != 0) {
            node.known |= SIZE;
        }
    }

    /// The size of a file that was there, if nothing has told it yet.
    pub fn see_size(&mut self, fs: &mut Fs, place: Place, size: u64) {
        let Some(id) = self.of(fs, place) else { return };
        let Some(node) = self.nodes.get_mut(id) else { return };
        if node.known & stat_bits::SIZE != 0 || node.shape != Shape::File || size > MAX_FILE_BYTES {
            return;
        }
        node.known |= stat_bits::SIZE;
        node.pages.truncate(size);
        fs.describe_kind(place, |kind| {
            if let Kind::Regular(pages) = kind {
                pages.truncate(size);
            }
        })
        .unwrap_or(());
    }

    /// Others' files may not be linked.
    pub(super) fn protect_hardlinks(&mut self, fs: &mut Fs) {
        self.protected.hardlinks = true;
        fs.set_protected(self.protected);
    }

    /// Notes rights that a file gave the session's user; tells those noted so far.
    pub(super) fn note_given(&mut self, fs: &Fs, place: Place, mask: u32) -> u32 {
        let node = self.of(fs, place).and_then(|id| self.nodes.get_mut(id));
        node.map_or(u32::MAX, |node| {
            node.given |= mask;
            node.given
        })
    }

    /// Mode and owner of a file that was there, as far as nothing shows or changed them.
    pub(super) fn suppose(&mut self, fs: &mut Fs, place: Place, change: impl Fn(&mut Meta)) {
        let Some(node) = self.of(fs, place).and_then(|id| self.nodes.get_mut(id)) else { return };
        let Some(live) = live_meta(fs, place) else { return };
        let knows = |bit: u32| node.known & bit != 0;
        let changed = |old: &Meta| {
            let mut new = *old;
            change(&mut new);
            let kept = |bit: u32, old: u32, new: u32| if knows(bit) { old } else { new };
            new.mode = kept(stat_bits::MODE, old.mode, new.mode);
            new.uid = kept(stat_bits::UID, old.uid, new.uid);
            new.gid = kept(stat_bits::GID, old.gid, new.gid);
            new
        };
        let (own, live) = (changed(&node.meta), changed(&live));
        node.meta = own;
        fs.describe(place, &live).unwrap_or(());
    }

    /// The session changed what these bits stand for: what is seen later is its own doing.
    pub fn changed(&mut self, fs: &Fs, place: Place, members: u32) {
        if let Some(node) = self.of(fs, place).and_then(|id| self.nodes.get_mut(id)) {
            node.known |= members;
        }
    }

    /// The session wrote a range: what is read there later is its own.
    pub fn wrote(&mut self, fs: &Fs, place: Place, start: u64, end: u64) {
        if let Some(node) = self.of(fs, place).and_then(|id| self.nodes.get_mut(id)) {
            add_range(&mut node.ranges, start, end);
        }
        if let Some(inode) = fs.inode_id(place) {
            // What was copied there is gone where it is written over as a whole.
            self.copies.retain(|copy| {
                let (to, at) = copy.to;
                to != inode || at < start || at.saturating_add(copy.len) > end
            });
        }
    }

    /// A file that was there is at least so long.
    pub fn see_at_least(&mut self, fs: &mut Fs, place: Place, size: u64) {
        let Some(id) = self.of(fs, place) else { return };
        let Some(node) = self.nodes.get_mut(id) else { return };
        if node.known & stat_bits::SIZE != 0 || node.shape != Shape::File || size > MAX_FILE_BYTES {
            return;
        }
        if node.pages.size() < size {
            node.pages.truncate(size);
        }
        fs.describe_kind(place, |kind| {
            if let Kind::Regular(pages) = kind
                && pages.size() < size
            {
                pages.truncate(size);
            }
        })
        .unwrap_or(());
    }

    /// A range that is no hole, whatever is in it.
    pub fn see_data(&mut self, fs: &mut Fs, place: Place, start: u64, end: u64) {
        const PAGE: u64 = tickernel_systems::fs::PAGE_BYTES;
        let Some(id) = self.of(fs, place) else { return };
        let Some(node) = self.nodes.get_mut(id) else { return };
        let end = end.min(start.saturating_add(64 << 20)).min(node.pages.size());
        let mut at = start / PAGE * PAGE;
        while node.shape == Shape::File && at < end {
            // One zero byte makes a page, where the session has not written another.
            if node.pages.absent(at, 1) > 0 && !gaps(&node.ranges, at, at + 1).is_empty() {
                node.pages.write(at, &[0]);
                fs.describe_kind(place, |kind| {
                    if let Kind::Regular(pages) = kind {
                        pages.write(at, &[0]);
                    }
                })
                .unwrap_or(());
            }
            at += PAGE;
        }
    }

    /// Bytes that a read showed.
    pub fn see_bytes(&mut self, fs: &mut Fs, place: Place, offset: u64, data: &[u8]) {
        let end = offset.saturating_add(data.len() as u64);
        if let Some(inode) = fs.inode_id(place) {
            self.see_copied(fs, (inode, Some(place)), offset, data);
        }
        let Some(id) = self.of(fs, place) else { return };
        let Some(node) = self.nodes.get_mut(id) else { return };
        if node.shape != Shape::File || data.is_empty() || end > MAX_FILE_BYTES {
            return;
        }
        for (start, stop) in gaps(&node.ranges, offset, end) {
            let part = data.get((start - offset) as usize..(stop - offset) as usize);
            let Some(part) = part else { continue };
            self.content_bytes = self.content_bytes.saturating_add(part.len() as u64);
            if self.content_bytes > MAX_CONTENT_BYTES {
                return;
            }
            node.pages.write(start, part);
            fs.describe_kind(place, |kind| {
                if let Kind::Regular(pages) = kind {
                    pages.write(start, part);
                }
            })
            .unwrap_or(());
        }
        add_range(&mut node.ranges, offset, end);
    }

    /// Bytes of a copy are bytes of what it was copied from. The copy may have no name any more.
    fn see_copied(
        &mut self,
        fs: &mut Fs,
        (inode, place): (InodeId, Option<Place>),
        offset: u64,
        data: &[u8],
    ) {
        let end = offset.saturating_add(data.len() as u64);
        let overlaps = |copy: &&Copied| {
            copy.to.0 == inode && copy.to.1 < end && copy.to.1.saturating_add(copy.len) > offset
        };
        let copies: Vec<Copied> = self.copies.iter().filter(overlaps).copied().collect();
        for copy in copies {
            let start = copy.to.1.max(offset);
            let stop = (copy.to.1.saturating_add(copy.len)).min(end);
            let part = data.get((start - offset) as usize..(stop - offset) as usize);
            let Some(part) = part else { continue };
            let pages = place.and_then(|place| fs.pages(place));
            if pages.is_some_and(|pages| pages.read(start, stop - start) == part) {
                continue;
            }
            let at = copy.from.1.saturating_add(start - copy.to.1);
            if fs.is_at(copy.from.0, copy.of) {
                self.see_bytes(fs, copy.from.0, at, part);
            } else {
                self.see_copied(fs, (copy.of, None), at, part);
            }
            let Some(place) = place else { continue };
            fs.describe_kind(place, |kind| {
                if let Kind::Regular(pages) = kind {
                    pages.write(start, part);
                }
            })
            .unwrap_or(());
        }
    }

    /// The session copied a range inside the kernel.
    pub fn copied(&mut self, fs: &Fs, from: (Place, u64), to: (Place, u64), len: u64) {
        if let (Some(inode), Some(of)) = (fs.inode_id(to.0), fs.inode_id(from.0)) {
            self.copies.push(Copied { to: (inode, to.1), from, of, len });
        }
    }

    /// The order in which a list showed a directory's names.
    pub fn see_order(&mut self, fs: &Fs, directory: Place, names: impl Iterator<Item = Vec<u8>>) {
        if let Some(node) = self.of(fs, directory).and_then(|id| self.nodes.get_mut(id)) {
            for name in names {
                let rank = node.order.len();
                node.order.entry(name).or_insert(rank);
            }
        }
    }

    /// Builds the tree of all facts.
    ///
    /// # Errors
    /// If two facts cannot stand together.
    pub fn build(&mut self, fs: &mut Fs) -> Result<(), Errno> {
        fs.set_protected(self.protected);
        let mut built: BTreeMap<NodeId, Place> = BTreeMap::new();
        let mut work: Vec<NodeId> = Vec::new();
        for (id, node) in self.nodes.iter().enumerate() {
            if node.is_given {
                let place = fs.at_path(&node.path)?;
                let place = mounted(fs, place, node.mount, self.now);
                built.insert(id, place);
                work.push(id);
            }
        }
        while let Some(id) = work.pop() {
            let Some(node) = self.nodes.get(id) else { continue };
            let Some(&at) = built.get(&id) else { continue };
            let mut children = node.children.clone();
            let rank = |name: &[u8]| node.order.get(name).copied().unwrap_or(usize::MAX);
            children.sort_by_cached_key(|(name, _)| rank(name));
            for (name, child) in children {
                if let Some(place) = built.get(&child) {
                    fs.build_name(*place, at, &name)?;
                    continue;
                }
                let Some(file) = self.nodes.get(child) else { continue };
                let kind = match &file.shape {
                    Shape::File => Kind::Regular(file.pages.clone()),
                    other => other.kind(),
                };
                let place = match fs.build_in(at, &name, kind, file.meta, self.now) {
                    // Two facts of one name: the first stands, and what needs the other says so.
                    Err(Errno::EEXIST) => continue,
                    made => made?,
                };
                let place = mounted(fs, place, file.mount, self.now);
                built.insert(child, place);
                work.push(child);
            }
        }
        for (id, place) in built {
            if let Some(node) = self.nodes.get(id) {
                fs.describe(place, &node.meta)?;
            }
        }
        Ok(())
    }
}

/// The top of a new volume on a place, or the place.
fn mounted(fs: &mut Fs, place: Place, mount: Option<Mounted>, now: Timespec) -> Place {
    let Some(Mounted { kind, read_only }) = mount else { return place };
    let top = fs.mount_volume(place, kind, None, now);
    fs.set_read_only(top.mount, read_only);
    top
}

/// The metadata of a live place.
pub(super) fn live_meta(fs: &Fs, place: Place) -> Option<Meta> {
    let inode = fs.inode(place)?;
    Some(Meta {
        mode: inode.mode,
        uid: inode.uid,
        gid: inode.gid,
        atime: Some(inode.atime),
        mtime: Some(inode.mtime),
        ctime: Some(inode.ctime),
        nlink: Some(inode.nlink),
    })
}
