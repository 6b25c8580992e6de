//! inotify(7): inotify_init1(2), inotify_add_watch(2), inotify_rm_watch(2), reads, and who is told
//! what of files (`fs/notify.rs` says what happened).
//!
//! An instance is its open description's, whose id it has. Phase: what calls and ends have done to
//! files is told before the waiters of instances are tried.

use super::path::Spot;
use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::inotify::{INSTANCES_MAX, Instance, Notice, Queued, WATCHES_MAX, Watch};
use crate::components::{Object, Restart, Target, Waiting};
use crate::event::{Answer, Path};
use crate::fs::{InodeId, MAY_READ, Told};
use crate::kernel::{CallResult, Changed, Kernel, Stop};
use crate::memory::{INSTANCE_BYTES, NOTICE_BYTES, WATCH_BYTES};
use crate::procview::caller;
use crate::rows::{DescriptionRow, RowKind, TaskRow};
use crate::watchers::Wake;
use crate::wire::Bytes;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a watch keeps of its mask.
const KEPT: u32 = IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT;
/// Every bit that inotify_add_watch(2) knows.
const KNOWN: u32 = KEPT
    | IN_UNMOUNT
    | IN_Q_OVERFLOW
    | IN_IGNORED
    | IN_ONLYDIR
    | IN_DONT_FOLLOW
    | IN_MASK_CREATE
    | IN_MASK_ADD
    | IN_ISDIR;

/// All instances, and who watches what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inotify {
    /// By the ids of their descriptions.
    pub(crate) instances: BTreeMap<u64, Instance>,
    /// Instances with the numbers of their watches, by inode: follows from the instances.
    by_inode: BTreeMap<InodeId, Vec<(u64, i32)>>,
    /// The last cookie of a rename.
    pub(crate) last_cookie: u32,
}

impl Inotify {
    /// Bytes that instances, watches and events are counted as.
    pub(crate) fn held_bytes(&self) -> u64 {
        let of_instance = |instance: &Instance| {
            let watches = instance.watches.len() as u64 * WATCH_BYTES;
            let notices = instance.queue.iter().map(notice_bytes).sum::<u64>();
            INSTANCE_BYTES + watches + notices
        };
        self.instances.values().map(of_instance).sum()
    }

    /// The index of what the instances watch.
    pub(crate) fn index(&self) -> BTreeMap<InodeId, Vec<(u64, i32)>> {
        let mut index: BTreeMap<InodeId, Vec<(u64, i32)>> = BTreeMap::new();
        for (id, instance) in &self.instances {
            for (wd, watch) in &instance.watches {
                if let Some(inode) = watch.inode {
                    index.entry(inode).or_default().push((*id, *wd));
                }
            }
        }
        index
    }

    /// Whether the index is the one that follows from the instances.
    pub(crate) fn is_indexed(&self) -> bool {
        self.by_inode == self.index()
    }
}

fn notice_bytes(notice: &Notice) -> u64 {
    NOTICE_BYTES + notice.name.0.len() as u64
}

impl Kernel {
    /// inotify_init1(2).
    pub(crate) fn inotify_init(&mut self, task: TaskRow, flags: u32) -> CallResult {
        if flags & !(IN_CLOEXEC | IN_NONBLOCK) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let uid = self.rows[task].credentials.uid;
        let own = self.inotify.instances.values().filter(|instance| instance.uid == uid);
        if own.count() >= INSTANCES_MAX {
            return Err(Errno::EMFILE.into());
        }
        let fd = self.free_fd(task, 0)?;
        self.room_for_descriptions(1, INSTANCE_BYTES)?;
        let target = Target::Object(Object::Inotify);
        let row = self.new_description(target, O_RDONLY | flags & O_NONBLOCK);
        let id = row.own_id(&self.rows);
        self.inotify.instances.insert(id, Instance { uid, ..Instance::default() });
        self.hold_bytes(INSTANCE_BYTES);
        self.install(task, fd, row, flags & O_CLOEXEC != 0);
        Ok(Answer::value(i64::from(fd)))
    }

    /// The instance that a descriptor is open on: EINVAL for anything else.
    fn instance_of(&self, task: TaskRow, fd: i32) -> Result<u64, Errno> {
        let row = self.open_fd(task, fd)?;
        match self.rows[row].target {
            Target::Object(Object::Inotify) => Ok(row.own_id(&self.rows)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// inotify_add_watch(2).
    pub(crate) fn inotify_add_watch(
        &mut self,
        task: TaskRow,
        fd: i32,
        path: Path<'_>,
        mask: u32,
    ) -> CallResult {
        if mask & KNOWN == 0 {
            return Err(Errno::EINVAL.into());
        }
        self.fd(task, fd)?;
        if mask & IN_MASK_ADD != 0 && mask & IN_MASK_CREATE != 0 {
            return Err(Errno::EINVAL.into());
        }
        let id = self.instance_of(task, fd)?;
        let nofollow = if mask & IN_DONT_FOLLOW != 0 { AT_SYMLINK_NOFOLLOW } else { 0 };
        let inode = match self.spot(task, AT_FDCWD, path, nofollow)? {
            Spot::Place(place) => {
                if mask & IN_ONLYDIR != 0 && !self.fs.is_directory(place) {
                    return Err(Errno::ENOTDIR.into());
                }
                caller!(self, task => caller);
                self.fs.permission(&caller, place, MAY_READ)?;
                (self.fs.inode_id(place), self.fs.stat(&caller, place).ino)
            }
            Spot::Open(_) if mask & IN_ONLYDIR != 0 => return Err(Errno::ENOTDIR.into()),
            // What has no name has no directory, and nobody tells of it.
            Spot::Open(row) => (None, row.own_id(&self.rows)),
        };
        let wd = self.update_watch(id, inode, mask)?;
        Ok(Answer::value(i64::from(wd)))
    }

    fn update_watch(
        &mut self,
        id: u64,
        (inode, ino): (Option<InodeId>, u64),
        mask: u32,
    ) -> Result<i32, Errno> {
        let proc_ino = if inode.is_none() { ino } else { 0 };
        let has_room = self.has_memory(WATCH_BYTES);
        let watchers = inode.and_then(|inode| self.inotify.by_inode.get(&inode));
        let known = watchers.and_then(|all| all.iter().find(|(other, _)| *other == id));
        let known = known.map(|(_, wd)| *wd);
        let Some(instance) = self.inotify.instances.get_mut(&id) else { return Err(Errno::EINVAL) };
        let same = |watch: &Watch| watch.inode.is_none() && watch.proc_ino == proc_ino;
        let known = match inode {
            Some(_) => known,
            None => instance.watches.iter().find(|(_, watch)| same(watch)).map(|(wd, _)| *wd),
        };
        if let Some((wd, watch)) = known.and_then(|wd| Some((wd, instance.watches.get_mut(&wd)?))) {
            if mask & IN_MASK_CREATE != 0 {
                return Err(Errno::EEXIST);
            }
            let kept = if mask & IN_MASK_ADD != 0 { watch.mask } else { 0 };
            watch.mask = kept | mask & KEPT;
            return Ok(wd);
        }
        let uid = instance.uid;
        let wd = instance.last_wd.checked_add(1).ok_or(Errno::ENOSPC)?;
        let own = self.inotify.instances.values().filter(|other| other.uid == uid);
        let watches: usize = own.map(|other| other.watches.len()).sum();
        if watches >= WATCHES_MAX {
            return Err(Errno::ENOSPC);
        }
        if !has_room {
            return Err(Errno::ENOMEM);
        }
        if let Some(instance) = self.inotify.instances.get_mut(&id) {
            instance.last_wd = wd;
            instance.watches.insert(wd, Watch { inode, proc_ino, mask: mask & KEPT });
        }
        self.hold_bytes(WATCH_BYTES);
        if let Some(inode) = inode {
            let watchers = self.inotify.by_inode.entry(inode).or_default();
            watchers.push((id, wd));
            watchers.sort_unstable();
            self.fs.set_watched(inode, true);
        }
        Ok(wd)
    }

    /// inotify_rm_watch(2).
    pub(crate) fn inotify_rm_watch(&mut self, task: TaskRow, fd: i32, wd: i32) -> CallResult {
        let id = self.instance_of(task, fd)?;
        let instance = self.inotify.instances.get(&id);
        if !instance.is_some_and(|instance| instance.watches.contains_key(&wd)) {
            return Err(Errno::EINVAL.into());
        }
        self.drop_watch(id, wd);
        Ok(Answer::default())
    }

    /// A watch ends, which its instance is told.
    fn drop_watch(&mut self, id: u64, wd: i32) {
        let instance = self.inotify.instances.get_mut(&id);
        let Some(watch) = instance.and_then(|instance| instance.watches.remove(&wd)) else {
            return;
        };
        self.unhold_bytes(WATCH_BYTES);
        if let Some(inode) = watch.inode {
            self.forget_watcher(inode, (id, wd));
        }
        self.queue_notice(id, wd, (IN_IGNORED, 0), &[]);
    }

    fn forget_watcher(&mut self, inode: InodeId, watcher: (u64, i32)) {
        let Some(watchers) = self.inotify.by_inode.get_mut(&inode) else { return };
        watchers.retain(|other| *other != watcher);
        if watchers.is_empty() {
            self.inotify.by_inode.remove(&inode);
            self.fs.set_watched(inode, false);
        }
    }

    /// The description of an instance closes.
    #[cold]
    pub(crate) fn drop_inotify(&mut self, id: u64) {
        let Some(instance) = self.inotify.instances.remove(&id) else { return };
        let notices: u64 = instance.queue.iter().map(notice_bytes).sum();
        let watches = instance.watches.len() as u64 * WATCH_BYTES;
        self.unhold_bytes(INSTANCE_BYTES + watches + notices);
        for (wd, watch) in instance.watches {
            if let Some(inode) = watch.inode {
                self.forget_watcher(inode, (id, wd));
            }
        }
    }

    /// Tells the instances what has happened to files.
    #[cold]
    pub(crate) fn tell_watchers(&mut self) {
        for told in self.fs.take_told() {
            match told {
                Told::Thing { mask, inode, above, unlinked } => {
                    if let Some((directory, name)) = above {
                        self.tell_all(directory, (mask, 0), &name, unlinked);
                    }
                    self.tell_all(inode, (mask, 0), &[], unlinked);
                }
                Told::Named { mask, directory, name } => {
                    self.tell_all(directory, (mask, 0), &name, false);
                }
                Told::Moved { mask, from, to } => {
                    self.inotify.last_cookie = self.inotify.last_cookie.wrapping_add(1).max(1);
                    let cookie = self.inotify.last_cookie;
                    for (half, event) in [(from, IN_MOVED_FROM), (to, IN_MOVED_TO)] {
                        if let Some((directory, name)) = half {
                            self.tell_all(directory, (mask | event, cookie), &name, false);
                        }
                    }
                }
                Told::Gone { mask, inode } => self.end_watches(inode, mask),
            }
        }
    }

    /// Everybody who watches an inode is told.
    fn tell_all(&mut self, inode: InodeId, event: (u32, u32), name: &[u8], unlinked: bool) {
        let Some(watchers) = self.inotify.by_inode.get(&inode) else { return };
        for (id, wd) in watchers.clone() {
            let instance = self.inotify.instances.get(&id);
            let Some(watch) = instance.and_then(|instance| instance.watches.get(&wd)) else {
                continue;
            };
            let watch = *watch;
            // Of opening, closing, reading and writing under a name that is gone.
            let excluded = unlinked && watch.mask & IN_EXCL_UNLINK != 0;
            if watch.mask & event.0 & IN_ALL_EVENTS == 0 || excluded {
                continue;
            }
            self.queue_notice(id, wd, event, name);
            if watch.mask & IN_ONESHOT != 0 {
                self.drop_watch(id, wd);
            }
        }
    }

    /// An inode is gone: the last event of each of its watches.
    fn end_watches(&mut self, inode: InodeId, mask: u32) {
        for (id, wd) in self.inotify.by_inode.remove(&inode).unwrap_or_default() {
            let Some(instance) = self.inotify.instances.get_mut(&id) else { continue };
            let Some(watch) = instance.watches.remove(&wd) else { continue };
            self.unhold_bytes(WATCH_BYTES);
            // Nobody asks for IN_UNMOUNT, and everybody gets it.
            if (watch.mask | IN_UNMOUNT) & mask != 0 {
                self.queue_notice(id, wd, (mask, 0), &[]);
            }
            self.queue_notice(id, wd, (IN_IGNORED, 0), &[]);
        }
    }

    fn queue_notice(&mut self, id: u64, wd: i32, (mask, cookie): (u32, u32), name: &[u8]) {
        // Of itself a directory is not said to be one where it moves or ends.
        let own = mask & (IN_MOVE_SELF | IN_DELETE_SELF) != 0;
        let mask = if own { mask & !IN_ISDIR } else { mask };
        let new = Notice { wd, mask, cookie, name: Bytes(name.to_vec()) };
        let bytes = notice_bytes(&new);
        let has_room = self.has_memory(bytes);
        let Some(instance) = self.inotify.instances.get_mut(&id) else { return };
        match instance.push(new, has_room) {
            Queued::Added => self.hold_bytes(bytes),
            Queued::Overflow => self.hold_bytes(NOTICE_BYTES),
            Queued::Joined | Queued::Lost => return,
        }
        let instance = self.inotify.instances.get(&id);
        if instance.is_some_and(|instance| !instance.waiters.is_empty()) {
            self.woken(Changed::Inotify(id), Wake::ANY);
        }
        self.tell_inotify(id);
    }

    /// read(2): whole events, EINVAL if the first does not fit.
    pub(crate) fn read_inotify(&mut self, row: DescriptionRow, count: u64) -> CallResult {
        if let Some(answer) = self.try_inotify_read(row, count)? {
            return Ok(answer);
        }
        if self.rows[row].nonblocking() {
            return Err(Errno::EAGAIN.into());
        }
        self.rows[row].refs += 1;
        Err(Stop::block(Waiting::PipeRead { description: row, count }, None, Restart::WithFlag))
    }

    /// What a reader gets; `None` if it must wait.
    pub(crate) fn try_inotify_read(
        &mut self,
        row: DescriptionRow,
        count: u64,
    ) -> Result<Option<Answer>, Errno> {
        let id = row.own_id(&self.rows);
        let Some(instance) = self.inotify.instances.get_mut(&id) else { return Err(Errno::EBADF) };
        if instance.queue.is_empty() {
            return Ok(None);
        }
        let (bytes, taken) = instance.take(count).ok_or(Errno::EINVAL)?;
        self.unhold_bytes(taken.iter().map(notice_bytes).sum());
        Ok(Some(Answer::data(bytes)))
    }

    /// What poll(2) says.
    pub(crate) fn poll_inotify(&self, row: DescriptionRow) -> u32 {
        let instance = self.inotify.instances.get(&row.own_id(&self.rows));
        match instance.is_some_and(|instance| !instance.queue.is_empty()) {
            true => POLLIN | POLLRDNORM,
            false => 0,
        }
    }

    /// FIONREAD of ioctl(2).
    pub(crate) fn inotify_bytes(&self, row: DescriptionRow) -> u64 {
        let instance = self.inotify.instances.get(&row.own_id(&self.rows));
        instance.map_or(0, Instance::readable_bytes)
    }

    /// What a snapshot holds of it, put in its place: marks of inodes and the index follow.
    pub(crate) fn restore_inotify(&mut self) {
        self.inotify.by_inode = self.inotify.index();
        for inode in self.inotify.by_inode.keys() {
            self.fs.set_watched(*inode, true);
        }
    }
}
