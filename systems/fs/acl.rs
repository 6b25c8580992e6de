//! Access control lists as extended attributes (acl(5), xattr(7)): what a list allows, what a new
//! file inherits of its directory's, and how a list and the permission bits follow each other.
//!
//! A list of owner, group and others is the mode itself and is stored nowhere. Any other is stored
//! as an attribute in the form in which setxattr(2) gives it. Run by dispatch.

use super::permission::in_group_or_capable;
use super::usage::xattr_bytes;
use super::xattr_list::Xattrs;
use super::{Caller, Fs, InodeId, Kind, Place, VolumeKind};
use crate::abi::credentials::Credentials;
use crate::abi::flags::{IN_ATTRIB, S_IFLNK, S_IFMT, S_ISGID};
use crate::abi::{Errno, Timespec};
use alloc::vec::Vec;

/// The list that decides.
pub(super) const ACCESS: &[u8] = b"system.posix_acl_access";
/// The list that files of a directory begin with.
pub(super) const DEFAULT: &[u8] = b"system.posix_acl_default";
/// Version of the attribute's format (`POSIX_ACL_XATTR_VERSION`).
const VERSION: u32 = 2;
/// Bytes of an entry: tag, permissions, id.
const ENTRY_BYTES: usize = 8;
/// Id of who is named by the tag alone.
const NOBODY: u32 = u32::MAX;
const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    rights: u16,
    id: u32,
}

/// A list that is right.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Acl(Vec<Entry>);

/// Whether an attribute's name is that of a list.
pub(super) fn is_acl(name: &[u8]) -> bool {
    name == ACCESS || name == DEFAULT
}

/// Reads the entries; a list of none is none.
///
/// # Errors
/// `EINVAL` for lengths, tags and ids, `EOPNOTSUPP` for another version.
fn entries(value: &[u8]) -> Result<Vec<Entry>, Errno> {
    if value.is_empty() {
        return Ok(Vec::new());
    }
    let (version, rest) = value.split_first_chunk::<4>().ok_or(Errno::EINVAL)?;
    if u32::from_le_bytes(*version) != VERSION {
        return Err(Errno::EOPNOTSUPP);
    }
    if rest.len() % ENTRY_BYTES != 0 {
        return Err(Errno::EINVAL);
    }
    let entry = |bytes: &[u8]| {
        let short = |at: usize| u16::from(bytes[at]) | u16::from(bytes[at + 1]) << 8;
        let (tag, rights) = (short(0), short(2));
        let id = u32::from(short(4)) | u32::from(short(6)) << 16;
        match tag {
            USER | GROUP if id == NOBODY => Err(Errno::EINVAL),
            USER | GROUP => Ok(Entry { tag, rights, id }),
            USER_OBJ | GROUP_OBJ | MASK | OTHER => Ok(Entry { tag, rights, id: NOBODY }),
            _ => Err(Errno::EINVAL),
        }
    };
    rest.chunks_exact(ENTRY_BYTES).map(entry).collect()
}

impl Acl {
    /// `EINVAL` unless the entries stand in the order of acl(5), each that must be there once, and
    /// with a mask if somebody is named.
    fn new(entries: Vec<Entry>) -> Result<Self, Errno> {
        let mut last = 0;
        for entry in &entries {
            let again = entry.tag == last && !matches!(entry.tag, USER | GROUP);
            if entry.rights > 7 || entry.tag < last || again {
                return Err(Errno::EINVAL);
            }
            last = entry.tag;
        }
        let acl = Self(entries);
        let has = |tag: u16| acl.find(tag).is_some();
        let is_whole = has(USER_OBJ) && has(GROUP_OBJ) && has(OTHER);
        let names = has(USER) || has(GROUP);
        if is_whole && (has(MASK) || !names) { Ok(acl) } else { Err(Errno::EINVAL) }
    }

    /// A stored one; what is none allows nothing to anybody named.
    fn stored(value: &[u8]) -> Option<Self> {
        entries(value).and_then(Self::new).ok()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = VERSION.to_le_bytes().to_vec();
        for entry in &self.0 {
            out.extend_from_slice(&entry.tag.to_le_bytes());
            out.extend_from_slice(&entry.rights.to_le_bytes());
            out.extend_from_slice(&entry.id.to_le_bytes());
        }
        out
    }

    fn find(&self, tag: u16) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.tag == tag)
    }

    fn rights(&self, tag: u16) -> Option<u32> {
        self.find(tag).map(|entry| u32::from(entry.rights))
    }

    /// Whether it says no more than a mode does.
    fn is_mode(&self) -> bool {
        self.find(MASK).is_none()
    }

    /// The permission bits that go with it: the mask stands for the group.
    fn mode(&self) -> u32 {
        let of = |tag: u16| self.rights(tag).unwrap_or(0);
        let group = self.rights(MASK).unwrap_or(of(GROUP_OBJ));
        of(USER_OBJ) << 6 | group << 3 | of(OTHER)
    }

    /// Whether somebody who is not the owner is allowed all of `mask`.
    fn allows(&self, cred: &Credentials, gid: u32, mask: u32) -> bool {
        let most = self.rights(MASK).unwrap_or(7);
        let gives = |entry: &Entry| u32::from(entry.rights) & most & mask == mask;
        let is_user = |entry: &&Entry| entry.tag == USER && entry.id == cred.fsuid;
        if let Some(user) = self.0.iter().find(is_user) {
            return gives(user);
        }
        let is_group = |entry: &&Entry| match entry.tag {
            GROUP_OBJ => cred.in_group(gid),
            GROUP => cred.in_group(entry.id),
            _ => false,
        };
        let mut groups = self.0.iter().filter(is_group).peekable();
        match groups.peek() {
            Some(_) => groups.any(gives),
            None => self.rights(OTHER).unwrap_or(0) & mask == mask,
        }
    }

    /// Sets the rights of owner, group (or mask) and others to those of a mode.
    fn follow(&mut self, mode: u32) {
        let group = if self.is_mode() { GROUP_OBJ } else { MASK };
        for entry in &mut self.0 {
            let shift = match entry.tag {
                USER_OBJ => 6,
                OTHER => 0,
                tag if tag == group => 3,
                _ => continue,
            };
            entry.rights = (mode >> shift & 7) as u16;
        }
    }
}

impl Fs {
    fn has_acls(&self, caller: &Caller<'_>, place: Place) -> bool {
        self.volume(place).kind.facts().has_xattrs
            && self.attributes(caller, place).mode & S_IFMT != S_IFLNK
    }

    fn list_of(&self, inode: InodeId, name: &[u8]) -> Option<Acl> {
        Acl::stored(self.inodes.at(inode.0).xattrs.as_ref()?.get(name)?)
    }

    /// What an inode's list says to somebody who is not its owner; `None` if there is none, or
    /// none that counts.
    pub(super) fn acl_allows(&self, inode: InodeId, cred: &Credentials, mask: u32) -> Option<bool> {
        let row = self.inodes.at(inode.0);
        if row.xattrs.is_none() || cred.fsuid == row.uid || row.mode & 0o070 == 0 {
            return None;
        }
        Some(self.list_of(inode, ACCESS)?.allows(cred, row.gid, mask))
    }

    /// getxattr(2) of a list.
    pub(super) fn get_acl(
        &self,
        caller: &Caller<'_>,
        place: Place,
        name: &[u8],
    ) -> Result<Vec<u8>, Errno> {
        if !self.has_acls(caller, place) {
            return Err(Errno::EOPNOTSUPP);
        }
        let (_, inode) = self.stored(place).map_err(|_| Errno::EOPNOTSUPP)?;
        let xattrs = self.inodes.at(inode.0).xattrs.as_ref();
        Ok(xattrs.and_then(|all| all.get(name)).ok_or(Errno::ENODATA)?.to_vec())
    }

    /// setxattr(2) of a list, removexattr(2) of one by a value of nothing: the mode follows the
    /// list, and stays where that goes.
    ///
    /// # Errors
    /// `EINVAL`, `EOPNOTSUPP`, `EACCES` for a default list of no directory, `EPERM`, `ENOSPC`.
    pub(super) fn set_acl(
        &mut self,
        caller: &Caller<'_>,
        place: Place,
        (name, value): (&[u8], &[u8]),
        now: Timespec,
    ) -> Result<(), Errno> {
        let entries = entries(value)?;
        if !self.has_acls(caller, place) {
            return Err(Errno::EOPNOTSUPP);
        }
        let is_default = name == DEFAULT;
        if is_default && !self.is_directory(place) {
            if !entries.is_empty() {
                return Err(Errno::EACCES);
            }
            // Nothing is taken away, and that is told.
            self.tell(place, IN_ATTRIB);
            return Ok(());
        }
        let (_, inode) = self.stored(place).map_err(|_| Errno::EOPNOTSUPP)?;
        if !self.owner_or_capable(caller, inode) {
            return Err(Errno::EPERM);
        }
        let acl = if entries.is_empty() { None } else { Some(Acl::new(entries)?) };
        // What is not there needs no copy in the upper layer of an overlay to be taken from.
        if acl.is_none() && self.is_lower(place) && self.list_of(inode, name).is_none() {
            return Err(Errno::ENODATA);
        }
        let kept = acl.as_ref().filter(|acl| is_default || !acl.is_mode()).map(Acl::bytes);
        self.room_for_list(place, inode, (name, kept.as_deref()))?;
        self.changeable(place, now)?;
        let before = self.inodes.at(inode.0);
        let old = before.xattrs.as_ref().and_then(|all| all.get(name));
        let (is_same, mode) = (old == kept.as_deref(), before.mode);
        self.put_list(inode, name, kept.as_deref());
        let is_ext4 = self.kept_on(place) == VolumeKind::Ext4;
        let row = self.inode_mut(inode);
        if let Some(acl) = acl.filter(|_| !is_default) {
            row.mode = row.mode & !0o777 | acl.mode();
            if !in_group_or_capable(caller.cred, row.gid) {
                row.mode &= !S_ISGID;
            }
        }
        // What ext4 has already it does not write.
        if !is_ext4 || !is_same || row.mode != mode {
            row.ctime = now;
        }
        self.mirror(place);
        self.tell(place, IN_ATTRIB);
        Ok(())
    }

    /// `ENOSPC` unless a list fits in the place of what is there.
    fn room_for_list(
        &self,
        place: Place,
        inode: InodeId,
        (name, value): (&[u8], Option<&[u8]>),
    ) -> Result<(), Errno> {
        let Some(value) = value else { return Ok(()) };
        let none = Xattrs::default();
        let all = self.inodes.at(inode.0).xattrs.as_deref().unwrap_or(&none);
        let is_ext4 = self.kept_on(place) == VolumeKind::Ext4;
        if is_ext4 && all.room(name, value).is_none() {
            return Err(Errno::ENOSPC);
        }
        let before = all.get(name).map_or(0, |old| xattr_bytes(name, old));
        self.room_for_bytes(place, xattr_bytes(name, value).saturating_sub(before))
    }

    fn put_list(&mut self, inode: InodeId, name: &[u8], value: Option<&[u8]>) {
        let row = self.inode_mut(inode);
        let (volume, before) = (row.volume, row.held());
        match value {
            Some(value) => {
                let all = row.xattrs.get_or_insert_default();
                let is_inner = all.room(name, value).unwrap_or(false);
                all.insert(name, value, is_inner);
            }
            None => {
                if let Some(all) = &mut row.xattrs {
                    all.remove(name);
                }
                row.xattrs.take_if(|all| all.is_empty());
            }
        }
        let after = row.held();
        self.count_held(volume, before, after);
    }

    /// A list follows chmod(2).
    pub(super) fn list_follows_mode(&mut self, inode: InodeId) {
        if let Some(mut acl) = self.list_of(inode, ACCESS) {
            acl.follow(self.inodes.at(inode.0).mode);
            self.put_list(inode, ACCESS, Some(&acl.bytes()));
        }
    }

    /// The mode of what is made in a directory with a default list, which stands in the place of
    /// the umask; `None` where there is none.
    pub(super) fn mode_by_list(&self, directory: InodeId, kind: &Kind, mode: u32) -> Option<u32> {
        if let Kind::Symlink(_) = kind {
            return None;
        }
        let acl = self.list_of(directory, DEFAULT)?;
        Some(mode & (!0o777 | acl.mode()))
    }

    /// `ENOSPC` unless there is room for the lists of what is made in a directory.
    pub(super) fn room_for_lists(&self, at: Place, directory: InodeId) -> Result<(), Errno> {
        let xattrs = self.inodes.at(directory.0).xattrs.as_ref();
        let Some(value) = xattrs.and_then(|all| all.get(DEFAULT)) else { return Ok(()) };
        self.room_for_bytes(at, 2 * xattr_bytes(DEFAULT, value))
    }

    /// Gives a new inode the lists that it inherits of its directory.
    pub(super) fn inherit_lists(&mut self, directory: InodeId, inode: InodeId) {
        let row = self.inodes.at(inode.0);
        let (is_link, is_directory) =
            (matches!(row.kind, Kind::Symlink(_)), matches!(row.kind, Kind::Directory(_)));
        let mode = row.mode;
        let Some(acl) = self.list_of(directory, DEFAULT).filter(|_| !is_link) else { return };
        if is_directory {
            self.put_list(inode, DEFAULT, Some(&acl.bytes()));
        }
        if !acl.is_mode() {
            let mut own = acl;
            own.follow(mode);
            self.put_list(inode, ACCESS, Some(&own.bytes()));
        }
    }
}
