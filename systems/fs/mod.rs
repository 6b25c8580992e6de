//! The file system: inodes, pages, directories, mounts, path walk, and the operations of the file
//! calls as Linux performs them (path_resolution(7), inode(7), symlink(7), proc(5)).
//!
//! A pure data structure. The families of system calls (`calls/`) own descriptors and offsets,
//! and bring time, credentials and umask with each operation. Every operation first checks
//! everything, in Linux's order, and then changes something: an error leaves the tree as it was. No
//! operation's cost grows with the number of files, and nothing recurses over the depth of the
//! tree.
//!
//! Not here yet: quotas.

mod acl;
mod attributes;
mod builder;
mod busy;
mod create;
mod data;
mod devfs;
mod directory;
mod holds;
mod image;
mod inode;
mod lent;
mod listing;
mod memfd;
mod mount_options;
mod mount_text;
mod mounts;
mod notify;
mod open;
mod overlay;
mod overlay_change;
mod overlay_marks;
mod overlay_mount;
mod pages;
mod paths;
mod permission;
mod plain;
mod proc_table;
mod proc_task_text;
pub mod proc_text;
pub mod procfs;
mod quota;
mod remove;
mod rename;
mod reserved;
pub(crate) mod sysctl;
mod table;
mod usage;
mod volume;
mod walk;
pub(crate) mod xattr;
mod xattr_list;

pub use attributes::{FileTime, TimeChange};
pub use builder::Meta;
pub use create::check_mknod_mode;
pub use inode::{EntryId, Inode, InodeId, Kind, Name};
pub use lent::LentId;
pub use mount_options::common_flag;
pub use mounts::{MOUNTS_MAX, NewMount};
pub use notify::Told;
pub use open::{Opened, access_mask, check_open_flags};
pub use overlay::{LOWER_LAYERS_MAX, LayerOptions, LayerPlaces, Layers, UuidOption};
pub use pages::{PAGE_BYTES, Pages, Shift};
pub use permission::{MAY_EXEC, MAY_READ, MAY_WRITE, allows};
pub use plain::Plain;
pub use procfs::{ProcNode, ProcView};
pub use rename::check_rename_flags;
pub use usage::{DEFAULT_BYTES, DEFAULT_INODES};
pub use volume::{
    KindFacts, Mount, MountId, Node, Place, Volume, VolumeId, VolumeKind, VolumeOptions,
    mount_flags,
};
pub use walk::{Followed, Found, Last, Lost, NAME_MAX, PATH_MAX, Target, Walked};
pub use xattr::check_name;

use crate::abi::{Credentials, Errno, Timespec};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use directory::Index;
use inode::Entry;
use table::Table;

/// Owner and group of what is made in a face's tree (SEMANTICS.md, section 13).
pub const FACE_OWNER: u32 = 1000;

/// Who asks: what a path walk and a permission check need to know of the calling task.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// Its credentials.
    pub cred: &'a Credentials,
    /// Its root directory (chroot(2)).
    pub root: Place,
    /// Its working directory.
    pub cwd: Place,
    /// What its new files lack (umask(2)).
    pub umask: u32,
    /// How paths are resolved (openat2(2)): 0 but for that call.
    pub resolve: u32,
    /// What /proc shows.
    pub proc: &'a dyn ProcView,
}

/// The sysctls of proc_sys_fs(5) that restrict what is done with others' files in sticky
/// directories and with links; all off by default, as in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Protected {
    /// `protected_hardlinks`.
    pub hardlinks: bool,
    /// `protected_symlinks`.
    pub symlinks: bool,
    /// `protected_regular`, 0 to 2.
    pub regular: u8,
    /// `protected_fifos`, 0 to 2.
    pub fifos: u8,
}

crate::wire_struct!(Protected { hardlinks, symlinks, regular, fifos });

/// A whole tree of files.
#[derive(Clone, Debug)]
pub struct Fs {
    inodes: Table<Inode>,
    entries: Table<Entry>,
    index: Index,
    volumes: Vec<Volume>,
    mounts: Table<Mount>,
    mounted: BTreeMap<Place, MountId>,
    /// What follows from the mounts.
    mount_index: mounts::MountIndex,
    root: Place,
    protected: Protected,
    usage: usage::Usage,
    teller: notify::Teller,
    lent: lent::Lent,
}

impl Fs {
    /// The tree that `drive` starts with (CLI.md): `/` 0755 with /dev and /proc mounted, and /tmp
    /// 1777.
    pub fn new(now: Timespec) -> Self {
        let mut fs = Self::bare(VolumeKind::Ext4, now);
        let root = fs.root;
        let proc_root = Node::Proc(ProcNode::ROOT);
        let at = fs.build(root, b"proc", Kind::directory(), Meta::directory(0o555), now);
        fs.mount_volume(at, VolumeKind::Proc, Some(proc_root), now);
        let at = fs.build(root, b"dev", Kind::directory(), Meta::directory(0o755), now);
        let dev = fs.mount_volume(at, VolumeKind::Devtmpfs, None, now);
        fs.build_devices(dev, now);
        fs.build(root, b"tmp", Kind::directory(), Meta::directory(0o1777), now);
        fs
    }

    /// The tree of a face's `MemoryFileSystem`: one empty directory, 0755, of its one user.
    pub fn for_face(now: Timespec) -> Self {
        let mut fs = Self::bare(VolumeKind::Ext4, now);
        let owner = Meta { uid: FACE_OWNER, gid: FACE_OWNER, ..Meta::directory(0o755) };
        // The root is there and is no entry of /proc.
        fs.describe(fs.root, &owner).unwrap_or(());
        fs
    }

    /// A tree that is one empty directory, 0755 root:root.
    pub fn bare(kind: VolumeKind, now: Timespec) -> Self {
        let mut fs = Self {
            inodes: Table::default(),
            entries: Table::default(),
            index: Index::default(),
            volumes: Vec::new(),
            mounts: Table::default(),
            mounted: BTreeMap::new(),
            mount_index: mounts::MountIndex::default(),
            root: Place { mount: MountId(0), node: Node::Entry(EntryId(0)) },
            protected: Protected::default(),
            usage: usage::Usage::default(),
            teller: notify::Teller::default(),
            lent: lent::Lent::default(),
        };
        let volume = fs.add_volume(kind, None, now);
        let root = fs.volumes[volume.0 as usize].root;
        let mount = fs.insert_mount(Mount::new(volume, root, None));
        fs.root = Place { mount, node: root };
        fs
    }

    /// The top of the tree.
    pub fn root(&self) -> Place {
        self.root
    }

    /// Which links are restricted.
    pub fn protected(&self) -> Protected {
        self.protected
    }

    /// Sets which links are restricted.
    pub fn set_protected(&mut self, protected: Protected) {
        self.protected = protected;
    }

    /// Makes a volume; without a given root it gets an empty directory 0755.
    fn add_volume(&mut self, kind: VolumeKind, root: Option<Node>, now: Timespec) -> VolumeId {
        let node = root.unwrap_or(Node::Entry(EntryId(0)));
        let id = self.place_volume(|id| Volume::new(kind, id.0 + 1, node));
        if root.is_none() {
            let kind = Kind::directory();
            let inode = self.add_inode(id, kind, 0o755, (0, 0), now);
            let top = Entry {
                parent: EntryId(0),
                name: Name::new(),
                inode,
                cookie: 0,
                slot: 0,
                linked: true,
                holds: 1,
                mounts: 0,
            };
            let entry = EntryId(self.entries.insert(top));
            self.entries.at_mut(entry.0).parent = entry;
            let row = self.inodes.at_mut(inode.0);
            (row.entries, row.nlink) = (1, 2);
            if let Kind::Directory(list) = &mut row.kind {
                list.entry = entry;
            }
            self.volumes[id.0 as usize].root = Node::Entry(entry);
        }
        id
    }

    /// Mounts a new volume of the kind on a place; gives its top.
    pub fn mount_volume(
        &mut self,
        at: Place,
        kind: VolumeKind,
        root: Option<Node>,
        now: Timespec,
    ) -> Place {
        let volume = self.add_volume(kind, root, now);
        let root = self.volumes[volume.0 as usize].root;
        let mount = self.insert_mount(Mount::new(volume, root, Some(at)));
        Place { mount, node: root }
    }

    /// A new inode without a name; counts it on its volume.
    fn add_inode(
        &mut self,
        volume: VolumeId,
        kind: Kind,
        mode: u32,
        (uid, gid): (u32, u32),
        now: Timespec,
    ) -> InodeId {
        let (atime, mtime, ctime, btime) = (now, now, now, now);
        let (nlink, entries, xattrs) = (1, 0, None);
        let inode = Inode {
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
            seals: None,
            linkable: false,
            emptied: false,
            seen_as: None,
            watched: false,
            busy: busy::Busy::default(),
        };
        self.count_inode(&inode);
        InodeId(self.inodes.insert(inode))
    }

    /// Keeps a place alive: for each open description, working directory or root on it.
    #[inline]
    pub fn hold(&mut self, place: Place) {
        self.mounts.at_mut_unmarked(place.mount.0).users += 1;
        if let Node::Entry(entry) = place.node {
            self.entries.at_mut(entry.0).holds += 1;
        }
    }

    /// Ends one [`Fs::hold`]; what has neither name nor holder ceases to exist.
    #[inline]
    pub fn release(&mut self, place: Place) {
        if let Node::Entry(entry) = place.node {
            let row = self.entries.at_mut(entry.0);
            row.holds = row.holds.saturating_sub(1);
            if !row.linked && row.holds == 0 {
                self.drop_if_unused(entry);
            }
        }
        let mount = self.mounts.at_mut_unmarked(place.mount.0);
        mount.users = mount.users.saturating_sub(1);
        if mount.users == 0 && mount.flags != 0 {
            self.unused_mount(place.mount);
        }
    }

    /// Frees an entry that is neither listed nor held, its inode if that was its last entry, and
    /// then the same for the directory that it was removed from.
    fn drop_if_unused(&mut self, entry: EntryId) {
        let mut id = entry;
        loop {
            let row = self.entries.at(id.0);
            if row.linked || row.holds > 0 {
                return;
            }
            let (parent, inode) = (row.parent, row.inode);
            self.entries.remove(id.0);
            self.uncount_name(self.inodes.at(inode.0).volume);
            let row = self.inodes.at_mut(inode.0);
            row.entries -= 1;
            if row.entries == 0 {
                self.free_inode(inode);
            }
            let above = self.entries.at_mut(parent.0);
            above.holds -= 1;
            id = parent;
        }
    }

    fn free_inode(&mut self, inode: InodeId) {
        self.tell_gone(inode);
        self.part_lent(inode, 0, u64::MAX);
        let Some(row) = self.inodes.remove(inode.0) else { return };
        self.uncount_inode(&row);
    }

    /// Takes a name away: the entry stays while somebody holds it, and then holds the directory
    /// that it stood in (its path is shown with ` (deleted)`).
    fn unlist(&mut self, entry: EntryId) {
        let parent = self.entries.at(entry.0).parent;
        self.unlist_entry(entry);
        self.entries.at_mut(parent.0).holds += 1;
        self.drop_if_unused(entry);
    }

    fn entry(&self, id: EntryId) -> &Entry {
        self.entries.at(id.0)
    }

    /// Whether an inode is still at a place that was kept since: its name may be gone.
    pub fn is_at(&self, place: Place, inode: InodeId) -> bool {
        match place.node {
            Node::Entry(entry) => self.entries.get(entry.0).is_some_and(|it| it.inode == inode),
            Node::Proc(_) => false,
        }
    }

    /// The inode at a place; `None` below /proc.
    pub fn inode_id(&self, place: Place) -> Option<InodeId> {
        match place.node {
            Node::Entry(entry) => Some(self.entry(entry).inode),
            Node::Proc(_) => None,
        }
    }

    /// The inode at a place; `None` below /proc.
    pub fn inode(&self, place: Place) -> Option<&Inode> {
        self.inode_id(place).map(|inode| self.inodes.at(inode.0))
    }

    /// The entry and the inode at a place.
    ///
    /// # Errors
    /// `EPERM` below /proc, where nothing can be changed.
    fn stored(&self, place: Place) -> Result<(EntryId, InodeId), Errno> {
        match place.node {
            Node::Entry(entry) => Ok((entry, self.entry(entry).inode)),
            Node::Proc(_) => Err(Errno::EPERM),
        }
    }

    fn inode_mut(&mut self, inode: InodeId) -> &mut Inode {
        self.inodes.at_mut(inode.0)
    }

    /// The volume at a place.
    pub fn volume(&self, place: Place) -> &Volume {
        let id = match self.inode(place) {
            Some(inode) => inode.volume,
            None => self.mounts.at(place.mount.0).volume,
        };
        &self.volumes[id.0 as usize]
    }

    /// The volume that is mounted at a place: an overlay, and not the layer of a file in it.
    fn mounted_volume(&self, place: Place) -> &Volume {
        &self.volumes[self.mounts.at(place.mount.0).volume.0 as usize]
    }

    /// Whether nothing may change on the file system of a place.
    fn is_read_only(&self, place: Place) -> bool {
        self.mounted_volume(place).read_only
    }

    /// `EROFS` where nothing may change.
    fn writable(&self, place: Place) -> Result<(), Errno> {
        let of_mount = self.mounts.at(place.mount.0).is(mount_flags::MOUNT_READ_ONLY);
        let read_only = of_mount || self.is_read_only(place);
        if read_only { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// Whether a place exists: what a snapshot's references are checked by.
    pub fn is_place(&self, place: Place) -> bool {
        let node = match place.node {
            Node::Entry(entry) => self.entries.get(entry.0).is_some(),
            Node::Proc(_) => true,
        };
        node && self.mounts.get(place.mount.0).is_some()
    }

    /// Makes a mount read-only or writable, no questions asked.
    pub fn set_read_only(&mut self, mount: MountId, read_only: bool) {
        let row = self.mounts.at_mut(mount.0);
        row.flags = row.flags & !mount_flags::MOUNT_READ_ONLY | u32::from(read_only);
    }

    /// Sets the limits of the volume at a place: inodes and 4 KiB pages (`ENOSPC`).
    pub fn set_limits(&mut self, place: Place, max_inodes: u64, max_pages: u64) {
        let id = match self.inode(place) {
            Some(inode) => inode.volume,
            None => self.mounts.at(place.mount.0).volume,
        };
        let volume = &mut self.volumes[id.0 as usize];
        (volume.max_inodes, volume.max_pages) = (max_inodes, max_pages);
    }

    /// Whether rmdir(2) took a directory away.
    pub fn is_emptied(&self, place: Place) -> bool {
        self.inode(place).is_some_and(|inode| inode.emptied)
    }

    /// Whether a directory was removed (its link count is 0): nothing can be made or listed in it.
    fn is_dead(&self, place: Place) -> bool {
        self.inode(place).is_some_and(|inode| inode.nlink == 0)
    }
}
