//! The tree behind the face's files: what the contract's `MemoryFileSystem` does with a path
//! (`shared/contract/SEMANTICS.md`, section 13), made of the file system's own operations, and the
//! questions to a foreign file system in its place.
//!
//! Paths are absolute and normalised by their text; links are followed as Linux follows them. No
//! owner and no mode restricts anything.

use super::face_files::{MAX_LINKS, is_link, normalize, split, time_change};
use crate::abi::credentials::CAP_FULL;
use crate::abi::flags::{
    O_APPEND, O_CREAT, O_EXCL, O_WRONLY, RENAME_EXCHANGE, S_IFDIR, S_IFMT, S_IFREG, UTIME_NOW,
    UTIME_OMIT,
};
use crate::abi::{Credentials, Dirent, Errno, Stat, Timespec};
use crate::event::{Answer, Call, HostAnswer, Payload, Question};
use crate::fs::procfs::{ProcDescriptor, ProcLink, ProcSystem, ProcTarget, ProcTask};
use crate::fs::{
    Caller, FACE_OWNER, Fs, PATH_MAX, Pages, Place, Plain, ProcView, Target, TimeChange, Walked,
};
use crate::kernel::{CallResult, Kernel};
use crate::profile::Bends;
use crate::wire::{Bytes, Wire};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Largest file that is read whole: a hole of a terabyte costs nothing until it is asked for.
const MAX_WHOLE_BYTES: u64 = 1 << 30;
/// Modes of what is made without one.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;
/// `raw` of fs_chown: lchown(2).
const CHOWN_LINK: u32 = 2;

/// Who looks when no process does: there is no /proc in this tree.
struct Nobody;

impl ProcView for Nobody {
    fn current(&self) -> (u32, u32) {
        (0, 0)
    }
    fn next_process(&self, _from: u32) -> Option<u32> {
        None
    }
    fn threads(&self, _pid: u32) -> Vec<u32> {
        Vec::new()
    }
    fn owner(&self, _pid: u32, _tid: u32) -> Option<(u32, u32)> {
        None
    }
    fn may_inspect(&self, _pid: u32, _tid: u32) -> bool {
        false
    }
    fn task(&self, _pid: u32, _tid: u32) -> Option<ProcTask> {
        None
    }
    fn cmdline(&self, _pid: u32) -> Vec<u8> {
        Vec::new()
    }
    fn environ(&self, _pid: u32) -> Vec<u8> {
        Vec::new()
    }
    fn link(&self, _pid: u32, _tid: u32, _link: ProcLink) -> Option<ProcTarget> {
        None
    }
    fn next_descriptor(&self, _pid: u32, _tid: u32, _from: u32) -> Option<u32> {
        None
    }
    fn descriptor(&self, _pid: u32, _tid: u32, _fd: u32) -> Option<ProcDescriptor> {
        None
    }
    fn system(&self) -> ProcSystem {
        ProcSystem::default()
    }
}

/// The owner of everything that is made here, with all capabilities.
static OWNER: Credentials = Credentials {
    uid: FACE_OWNER,
    euid: FACE_OWNER,
    suid: FACE_OWNER,
    fsuid: FACE_OWNER,
    gid: FACE_OWNER,
    egid: FACE_OWNER,
    sgid: FACE_OWNER,
    fsgid: FACE_OWNER,
    groups: Vec::new(),
    effective: CAP_FULL,
    permitted: CAP_FULL,
    inheritable: 0,
    bounding: CAP_FULL,
    ambient: 0,
    securebits: 0,
    no_new_privs: false,
    serial: 0,
};

/// A tree of the face and the time at which it is touched.
struct Tree<'k> {
    fs: &'k mut Fs,
    now: Timespec,
    bends: Bends,
}

/// `Caller` borrows nothing of the tree, so that `fs` stays free to be changed.
macro_rules! caller {
    ($tree:ident => $caller:ident) => {
        let root = $tree.fs.root();
        let $caller = Caller { cred: &OWNER, root, cwd: root, umask: 0, resolve: 0, proc: &Nobody };
    };
}

impl Kernel {
    /// A call of the family `fs_*` straight at the tree, or at the foreign file system.
    pub(crate) fn raw(&mut self, call: &Call<'_>) -> CallResult {
        if self.config.face.foreign_root {
            return self.ask_foreign(call);
        }
        let now = self.stamp();
        Tree { fs: &mut self.fs, now, bends: self.bends }.act(call)
    }

    /// A call that comes straight from a handle of the tree: its paths are as the user wrote them.
    pub(crate) fn raw_by_handle(&mut self, call: &Call<'_>) -> CallResult {
        let plain = |path: &[u8]| normalize(path, path);
        match *call {
            Call::FsRename { raw, oldpath, newpath } => {
                let (oldpath, newpath) = (&*plain(oldpath), &*plain(newpath));
                self.raw(&Call::FsRename { raw, oldpath, newpath })
            }
            Call::FsLink { raw, oldpath, newpath } => {
                let (oldpath, newpath) = (&*plain(oldpath), &*plain(newpath));
                self.raw(&Call::FsLink { raw, oldpath, newpath })
            }
            Call::FsSymlink { raw, content, linkpath } => {
                self.raw(&Call::FsSymlink { raw, content, linkpath: &plain(linkpath) })
            }
            ref other => {
                let mut call = other.clone();
                let Some(path) = path_of_call(&mut call) else { return self.raw(other) };
                let normal = plain(path);
                *path = &normal;
                self.raw(&call)
            }
        }
    }

    fn ask_foreign(&mut self, call: &Call<'_>) -> CallResult {
        let mut bytes = Vec::new();
        call.put(&mut bytes);
        match self.ask(Question::Foreign { call: Bytes(bytes) })? {
            HostAnswer::Answer(answer) => Ok(answer),
            HostAnswer::Error(errno) => Err(errno.into()),
            HostAnswer::Bytes(_) | HostAnswer::Result(_) | HostAnswer::Absent => {
                Err(Errno::EIO.into())
            }
        }
    }

    /// Whether a path leads to or below a directory, or names a file that has another name there.
    pub(crate) fn tree_is_guarded(&mut self, path: &[u8], follow: bool, top: &[u8]) -> bool {
        let now = self.stamp();
        let tree = Tree { fs: &mut self.fs, now, bends: self.bends };
        tree.is_guarded(path, follow, top)
    }

    /// Whether there is a guarded directory at all.
    pub(crate) fn tree_has_guard(&self) -> bool {
        let root = self.fs.root();
        let caller = Caller { cred: &OWNER, root, cwd: root, umask: 0, resolve: 0, proc: &Nobody };
        matches!(
            self.fs.plain_walk(&caller, None, super::face_files::GUARDED, false),
            Some(Plain::Place(_))
        )
    }

    /// Where a path of the tree leads, if no link is on the way.
    pub(crate) fn tree_plain(&self, path: &[u8], follow: bool) -> Option<Plain> {
        if self.config.face.foreign_root {
            return None;
        }
        let root = self.fs.root();
        let caller = Caller { cred: &OWNER, root, cwd: root, umask: 0, resolve: 0, proc: &Nobody };
        self.fs.plain_walk(&caller, None, path, follow)
    }

    /// Whether a file of the tree has another name in a directory.
    pub(crate) fn tree_has_name_in(&mut self, place: Place, top: &[u8]) -> bool {
        let now = self.stamp();
        let tree = Tree { fs: &mut self.fs, now, bends: self.bends };
        tree.has_name_in(place, top)
    }

    /// The place of what is at a path.
    pub(crate) fn tree_open(&mut self, path: &[u8]) -> Result<Place, Errno> {
        let now = self.stamp();
        Tree { fs: &mut self.fs, now, bends: self.bends }.place(path, true)
    }

    /// Makes a file where a plain path leads to nothing.
    pub(crate) fn tree_make(&mut self, path: &[u8], mode: u32) -> Result<Place, Errno> {
        let now = self.stamp();
        Tree { fs: &mut self.fs, now, bends: self.bends }.open(path, O_CREAT | O_WRONLY, mode)
    }

    /// The path by which a place is reached.
    pub(crate) fn tree_path(&mut self, place: Place) -> Vec<u8> {
        let now = self.stamp();
        let tree = Tree { fs: &mut self.fs, now, bends: self.bends };
        tree.path_of(place)
    }

    /// What stat tells of a place.
    pub(crate) fn tree_stat(&mut self, place: Place) -> Stat {
        let now = self.stamp();
        let tree = Tree { fs: &mut self.fs, now, bends: self.bends };
        tree.stat(place)
    }
}

impl Tree<'_> {
    fn act(&mut self, call: &Call<'_>) -> CallResult {
        match *call {
            Call::FsRead { path, .. } => self.read(path, 0, None),
            Call::FsPread { path, count, offset, .. } => self.read(path, offset, Some(count)),
            Call::FsReaddir { path, max, .. } => self.list(path, max),
            Call::FsExists { path, .. } => {
                Ok(Answer::value(i64::from(self.place(path, true).is_ok())))
            }
            Call::FsStat { path, follow, .. } => {
                let place = self.place(path, follow != 0)?;
                Ok(Answer::with(Payload::Stat(Box::new(self.stat(place)))))
            }
            Call::FsRealpath { path, .. } => {
                let place = self.place(path, true)?;
                Ok(Answer::data(self.path_of(place)))
            }
            Call::FsReadlink { path, .. } => {
                let place = self.place(path, false)?;
                caller!(self => caller);
                Ok(Answer::data(self.fs.readlink(&caller, place)?))
            }
            Call::FsWrite { path, data, mode, how, .. } => self.write(path, data, mode, how),
            Call::FsPwrite { path, data, offset, .. } => {
                let place = self.file(path)?;
                self.put(place, offset, data)?;
                Ok(Answer::default())
            }
            Call::FsTruncate { path, length, .. } => {
                let place = self.file(path)?;
                caller!(self => caller);
                self.fs.truncate(&caller, place, length, self.now)?;
                Ok(Answer::default())
            }
            ref other => self.act_on_names(other),
        }
    }

    fn act_on_names(&mut self, call: &Call<'_>) -> CallResult {
        match *call {
            Call::FsMkdir { path, mode, how, .. } => self.mkdir(path, mode, how == 2)?,
            Call::FsUnlink { path, .. } => {
                if path == b"/" {
                    return Err(Errno::EISDIR.into());
                }
                let at = self.parent(path)?;
                let place = at.place?.ok_or(Errno::ENOENT)?;
                if self.fs.is_directory(place) {
                    return Err(Errno::EISDIR.into());
                }
                caller!(self => caller);
                self.fs.unlink(&caller, &at, self.now)?;
            }
            Call::FsRmdir { path, .. } => {
                if path == b"/" {
                    return Err(self.no_root().into());
                }
                let at = self.parent(path)?;
                caller!(self => caller);
                self.fs.rmdir(&caller, &at, self.now)?;
            }
            Call::FsRename { oldpath, newpath, .. } => self.rename(oldpath, newpath)?,
            Call::FsSymlink { content, linkpath, .. } => {
                let at = self.parent(linkpath)?;
                caller!(self => caller);
                self.fs.symlink(&caller, content, &at, self.now)?;
            }
            Call::FsLink { oldpath, newpath, .. } => self.link(oldpath, newpath)?,
            Call::FsChmod { path, mode, .. } => {
                let place = self.place(path, true)?;
                caller!(self => caller);
                self.fs.chmod(&caller, place, mode, self.now)?;
            }
            Call::FsChown { raw, path, uid, gid } => {
                let place = self.place(path, raw != CHOWN_LINK)?;
                caller!(self => caller);
                self.fs.chown(&caller, place, Some(uid), Some(gid), self.now)?;
            }
            Call::FsUtimes { path, atime, mtime, follow, .. } => {
                let place = self.place(path, follow != 0)?;
                if [atime, mtime].iter().any(|time| !is_valid_time(time)) {
                    return Err(Errno::EINVAL.into());
                }
                let (atime, mtime) = (time_change(atime), time_change(mtime));
                caller!(self => caller);
                let change = TimeChange::Set { atime, mtime };
                self.fs.set_times(&caller, place, change, self.now)?;
            }
            Call::FsUsage {} => return Ok(self.usage()),
            _ => return Err(Errno::ENOSYS.into()),
        }
        Ok(Answer::default())
    }

    /// What removing or moving the root is.
    const fn no_root(&self) -> Errno {
        if self.bends.root_is_forbidden { Errno::EPERM } else { Errno::EBUSY }
    }

    fn place(&self, path: &[u8], follow: bool) -> Result<Place, Errno> {
        caller!(self => caller);
        match self.fs.walk(&caller, None, walkable(path), follow)?.target {
            Target::Place(place) => Ok(place),
            Target::Object(_) => Err(Errno::ENOENT),
        }
    }

    fn parent(&self, path: &[u8]) -> Result<Walked, Errno> {
        caller!(self => caller);
        Ok(self.fs.walk_parent(&caller, None, walkable(path))?)
    }

    /// The root's inode number is 1 here (section 13).
    fn stat(&self, place: Place) -> Stat {
        caller!(self => caller);
        let stat = self.fs.stat(&caller, place);
        Stat { ino: stat.ino.saturating_sub(1), ..stat }
    }

    fn path_of(&self, place: Place) -> Vec<u8> {
        caller!(self => caller);
        self.fs.path_text(&caller, place)
    }

    fn usage(&self) -> Answer {
        let (bytes, inodes) = self.fs.sizes();
        Answer { value: bytes as i64, payload: Payload::Number(inodes as i64) }
    }

    /// A regular file: EISDIR for a directory.
    fn file(&self, path: &[u8]) -> Result<Place, Errno> {
        let place = self.place(path, true)?;
        if self.fs.is_directory(place) {
            return Err(Errno::EISDIR);
        }
        if self.fs.pages(place).is_none() { Err(Errno::EINVAL) } else { Ok(place) }
    }

    fn read(&mut self, path: &[u8], offset: u64, count: Option<u64>) -> CallResult {
        let place = self.file(path)?;
        let size = self.fs.pages(place).map_or(0, Pages::size);
        let count = count.unwrap_or(size).min(size.saturating_sub(offset));
        if count > MAX_WHOLE_BYTES {
            return Err(Errno::ENOMEM.into());
        }
        let data = self.fs.read(place, offset, count)?;
        self.fs.accessed(place, self.now);
        Ok(Answer::data(data))
    }

    fn list(&mut self, path: &[u8], max: u64) -> CallResult {
        let place = self.place(path, true)?;
        let mut entries: Vec<Dirent> = self.fs.children(place, max)?;
        entries.sort_unstable_by(|a, b| a.name.0.cmp(&b.name.0));
        Ok(Answer { value: entries.len() as i64, payload: Payload::Dirents(entries) })
    }

    fn put(&mut self, place: Place, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let mut done = 0;
        while done < data.len() {
            caller!(self => caller);
            let rest = &data[done..];
            done += self.fs.write(&caller, place, offset + done as u64, rest, self.now)? as usize;
        }
        Ok(())
    }

    /// A whole file, new or in the place of its old contents; or its end.
    fn write(&mut self, path: &[u8], data: &[u8], mode: Option<u32>, how: u32) -> CallResult {
        let before = self.place(path, true);
        if how & O_EXCL != 0 && self.place(path, false).is_ok() {
            return Err(Errno::EEXIST.into());
        }
        let place = match before {
            Ok(place) if self.fs.is_directory(place) => return Err(Errno::EISDIR.into()),
            Ok(place) => place,
            Err(Errno::ENOENT) => self.create(path, mode.unwrap_or(FILE_MODE), how & O_EXCL)?,
            Err(errno) => return Err(errno.into()),
        };
        let old = self.fs.pages(place).map(Pages::size).ok_or(Errno::EINVAL)?;
        let offset = if how & O_APPEND != 0 { old } else { 0 };
        if how & O_APPEND == 0 {
            caller!(self => caller);
            self.fs.truncate(&caller, place, 0, self.now)?;
        }
        self.put(place, offset, data)?;
        if let (Some(mode), true) = (mode, before.is_ok()) {
            caller!(self => caller);
            self.fs.chmod(&caller, place, mode, self.now)?;
        }
        Ok(Answer::value((offset + data.len() as u64) as i64))
    }

    fn open(&mut self, path: &[u8], flags: u32, mode: u32) -> Result<Place, Errno> {
        caller!(self => caller);
        let opened = self.fs.open(&caller, None, walkable(path), flags, mode & 0o7777, self.now)?;
        match opened.target {
            Target::Place(place) => Ok(place),
            Target::Object(_) => Err(Errno::ENOENT),
        }
    }

    /// Makes a file, and the directories that lead to it.
    fn create(&mut self, path: &[u8], mode: u32, exclusive: u32) -> Result<Place, Errno> {
        let path = &*self.end_of_links(path)?;
        let flags = O_CREAT | O_WRONLY | exclusive;
        for attempt in 0..2 {
            match self.open(path, flags, mode) {
                Ok(place) => return Ok(place),
                // The directories of a path are made as they are missing.
                Err(Errno::ENOENT) if attempt == 0 && self.bends.parents_are_made => {
                    self.make_above(path, MAX_LINKS)?;
                }
                // A directory opens too: what is done with it says what is wrong.
                Err(Errno::EISDIR) => return self.place(path, true),
                Err(errno) => return Err(errno),
            }
        }
        Err(Errno::ENOENT)
    }

    /// A directory; `parents`: also those that lead to it. A directory that is there is no error; a
    /// link in its place is one.
    fn mkdir(&mut self, path: &[u8], mode: Option<u32>, parents: bool) -> Result<(), Errno> {
        if let Ok(place) = self.place(path, false) {
            return match (self.fs.is_directory(place), parents) {
                (true, true) => Ok(()),
                (true, false) if self.bends.directories_may_exist => Ok(()),
                (true, false) => Err(Errno::EEXIST),
                (false, true) => Err(Errno::ENOTDIR),
                (false, false) => Err(Errno::EEXIST),
            };
        }
        if parents {
            self.make_above(path, MAX_LINKS)?;
        }
        self.make_directory(path, mode.unwrap_or(DIRECTORY_MODE))
    }

    /// What the links to nothing at the end of a path lead to.
    fn end_of_links<'p>(&self, path: &'p [u8]) -> Result<Cow<'p, [u8]>, Errno> {
        let mut path = Cow::Borrowed(path);
        for _ in 0..MAX_LINKS {
            let Ok(link) = self.place(&path, false) else { break };
            caller!(self => caller);
            let Ok(text) = self.fs.readlink(&caller, link) else { break };
            let directory = self.path_of(self.place(split(&path).0, true)?);
            path = normalize(&[&directory, &b"/"[..], &text].concat(), &text).into();
        }
        Ok(path)
    }

    fn make_directory(&mut self, path: &[u8], mode: u32) -> Result<(), Errno> {
        let at = self.parent(path)?;
        caller!(self => caller);
        self.fs.mkdir(&caller, &at, mode, self.now).map(drop)
    }

    /// Makes the directories that lead to a path as far as they are missing; for a link to nothing,
    /// what it leads to.
    fn make_above(&mut self, path: &[u8], links: u32) -> Result<(), Errno> {
        let above = split(path).0;
        match self.place(above, true) {
            Ok(place) if self.fs.is_directory(place) => return Ok(()),
            Ok(_) => return Err(Errno::ENOTDIR),
            Err(Errno::ENOENT) if above != b"/" => {}
            Err(errno) => return Err(errno),
        }
        if self.place(above, false).is_ok() {
            let target = self.end_of_links(above)?;
            let links = links.checked_sub(1).ok_or(Errno::ELOOP)?;
            self.make_above(&target, links)?;
            return self.make_directory(&target, DIRECTORY_MODE);
        }
        self.make_above(above, links)?;
        self.make_directory(above, DIRECTORY_MODE)
    }

    /// A file may take the place of an empty directory, and a directory that of a file.
    fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), Errno> {
        if old == b"/" {
            return Err(self.no_root());
        }
        // Whether or not it is there.
        if old == new && self.bends.renames_cross_kinds {
            return Ok(());
        }
        if new == b"/" {
            return self.place(old, false).and(Err(self.no_root()));
        }
        let to = self.parent(new)?;
        let from = self.parent(old)?;
        if !self.bends.renames_cross_kinds {
            caller!(self => caller);
            return self.fs.rename(&caller, &from, &to, 0, self.now);
        }
        let source = from.place?.ok_or(Errno::ENOENT)?;
        // Two names of one inode: the old one goes, where rename(2) leaves both.
        if let Some(there) = to.place?
            && there != source
            && self.fs.inode_id(there) == self.fs.inode_id(source)
        {
            caller!(self => caller);
            return self.fs.unlink(&caller, &from, self.now);
        }
        let kinds = (self.fs.is_directory(source), self.is_directory_at(&to));
        if kinds.0 && self.is_below(new, old) {
            return Err(Errno::EINVAL);
        }
        if let ((true, Some(false)) | (false, Some(true)), Some(there)) = (kinds, to.place?) {
            return self.rename_over_another_kind(old, &from, &to, there);
        }
        caller!(self => caller);
        self.fs.rename(&caller, &from, &to, 0, self.now)
    }

    /// The two change places, which can be refused, and then the one that was there goes.
    fn rename_over_another_kind(
        &mut self,
        old: &[u8],
        from: &Walked,
        to: &Walked,
        there: Place,
    ) -> Result<(), Errno> {
        let directory = self.fs.is_directory(there);
        if directory && self.fs.children(there, 0).is_err() {
            return Err(Errno::ENOTEMPTY);
        }
        caller!(self => caller);
        self.fs.rename(&caller, from, to, RENAME_EXCHANGE, self.now)?;
        let left = self.parent(old)?;
        caller!(self => caller);
        if directory {
            self.fs.rmdir(&caller, &left, self.now)
        } else {
            self.fs.unlink(&caller, &left, self.now)
        }
    }

    fn is_directory_at(&self, at: &Walked) -> Option<bool> {
        at.place.ok().flatten().map(|place| self.fs.is_directory(place))
    }

    fn is_below(&self, path: &[u8], top: &[u8]) -> bool {
        path.strip_prefix(top).is_some_and(|rest| rest.first() == Some(&b'/'))
    }

    fn link(&mut self, old: &[u8], new: &[u8]) -> Result<(), Errno> {
        let source = self.place(old, self.bends.links_follow)?;
        caller!(self => caller);
        let kind = self.fs.stat(&caller, source).mode & S_IFMT;
        let refused = if self.bends.links_follow { kind != S_IFREG } else { kind == S_IFDIR };
        if refused {
            return Err(Errno::EPERM);
        }
        let at = self.parent(new)?;
        if at.place?.is_some() {
            return Err(Errno::EEXIST);
        }
        self.fs.link(&caller, source, &at, self.now)?;
        Ok(())
    }

    fn is_guarded(&self, path: &[u8], follow: bool, top: &[u8]) -> bool {
        let below = |path: &[u8]| {
            path.strip_prefix(top).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        };
        let Ok(place) = self.place(path, follow) else {
            // What would be made: its directory counts.
            let above = self.place(split(path).0, true);
            return above.is_ok_and(|above| below(&self.path_of(above)));
        };
        below(&self.path_of(place)) || self.has_name_in(place, top)
    }

    /// Whether a file has a name in the tree below a directory, another than that of its place.
    fn has_name_in(&self, place: Place, top: &[u8]) -> bool {
        if self.fs.inode(place).is_some_and(|inode| inode.nlink < 2) {
            return false;
        }
        caller!(self => caller);
        let stat = self.fs.stat(&caller, place);
        let directory = stat.mode & S_IFMT == S_IFDIR;
        if directory || stat.nlink < 2 || is_link(stat.mode) {
            return false;
        }
        let Ok(guarded) = self.place(top, true) else { return false };
        let inode = self.fs.inode_id(place);
        self.fs.tree(guarded).iter().any(|(_, place)| self.fs.inode_id(*place) == inode)
    }
}

/// The contract's longest path is one byte longer than Linux's: from the root, where every walk
/// here begins, it needs no slash.
fn walkable(path: &[u8]) -> &[u8] {
    if path.len() < PATH_MAX { path } else { path.strip_prefix(b"/").unwrap_or(path) }
}

/// Now, not at all, or a time from 1970 on.
fn is_valid_time(time: &Timespec) -> bool {
    matches!(time.nsec, UTIME_NOW | UTIME_OMIT)
        || time.sec >= 0 && (0..1_000_000_000).contains(&time.nsec)
}

/// The one path of a call, to be put in another form.
pub(super) fn path_of_call<'c, 'a>(call: &'c mut Call<'a>) -> Option<&'c mut &'a [u8]> {
    match call {
        Call::FsRead { path, .. }
        | Call::FsPread { path, .. }
        | Call::FsReaddir { path, .. }
        | Call::FsWrite { path, .. }
        | Call::FsPwrite { path, .. }
        | Call::FsMkdir { path, .. }
        | Call::FsExists { path, .. }
        | Call::FsStat { path, .. }
        | Call::FsUnlink { path, .. }
        | Call::FsRmdir { path, .. }
        | Call::FsRealpath { path, .. }
        | Call::FsReadlink { path, .. }
        | Call::FsChmod { path, .. }
        | Call::FsChown { path, .. }
        | Call::FsUtimes { path, .. }
        | Call::FsTruncate { path, .. } => Some(path),
        _ => None,
    }
}
