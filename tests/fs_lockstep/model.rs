//! Our side: the same calls on `tickernel_systems::fs`, with just enough of descriptors around it.

use super::Answer;
use super::program::{Op, SLOTS, USERS};
use std::collections::BTreeMap;
use tickernel_systems::abi::flags::{O_ACCMODE, O_PATH, O_RDONLY, O_WRONLY, S_IFMT};
use tickernel_systems::abi::{Credentials, Errno, Stat, Timespec};
use tickernel_systems::fs::procfs::{
    ProcDescriptor, ProcLink, ProcSystem, ProcTarget, ProcTask, ProcView,
};
use tickernel_systems::fs::{
    Caller, FileTime, Fs, InodeId, Kind, MAY_EXEC, MAY_READ, MAY_WRITE, Place, Protected, Target,
    TimeChange, VolumeKind, Walked, check_mknod_mode, check_open_flags, check_rename_flags,
};
use tickernel_systems::wire::{Wire, WireReader};

/// A /proc without processes: the programs do not look there.
pub(crate) struct Nobody;

impl ProcView for Nobody {
    fn current(&self) -> (u32, u32) {
        (1, 1)
    }
    fn next_process(&self, _: u32) -> Option<u32> {
        None
    }
    fn threads(&self, _: u32) -> Vec<u32> {
        Vec::new()
    }
    fn owner(&self, _: u32, _: u32) -> Option<(u32, u32)> {
        None
    }
    fn may_inspect(&self, _: u32, _: u32) -> bool {
        false
    }
    fn task(&self, _: u32, _: u32) -> Option<ProcTask> {
        None
    }
    fn cmdline(&self, _: u32) -> Vec<u8> {
        Vec::new()
    }
    fn environ(&self, _: u32) -> Vec<u8> {
        Vec::new()
    }
    fn link(&self, _: u32, _: u32, _: ProcLink) -> Option<ProcTarget> {
        None
    }
    fn next_descriptor(&self, _: u32, _: u32, _: u32) -> Option<u32> {
        None
    }
    fn descriptor(&self, _: u32, _: u32, _: u32) -> Option<ProcDescriptor> {
        None
    }
    fn system(&self) -> ProcSystem {
        ProcSystem::default()
    }
}

/// What both sides write.
pub(crate) fn bytes_of(offset: u64, count: u16) -> Vec<u8> {
    (0..u64::from(count)).map(|n| (offset + n) as u8 | 1).collect()
}

/// Turns inode numbers into the first path that has them.
pub(crate) fn by_first_name(
    mut found: Vec<(Vec<u8>, Answer, u64)>,
) -> Vec<(Vec<u8>, Answer, Vec<u8>)> {
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let mut first: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let named = found.into_iter().map(|(path, answer, ino)| {
        let name = first.entry(ino).or_insert_with(|| path.clone()).clone();
        (path, answer, name)
    });
    named.collect()
}

pub(crate) struct Model {
    fs: Fs,
    cred: Credentials,
    cwd: Place,
    slots: [Option<(Place, u32)>; SLOTS as usize],
    now: i64,
    /// Links that the call under way followed.
    followed: Vec<InodeId>,
}

fn answer(result: Result<Answer, Errno>) -> Answer {
    result.unwrap_or_else(|errno| Answer::Error(errno.0.into()))
}

const DONE: Answer = Answer::Value(0);

impl Model {
    pub(crate) fn new(kind: VolumeKind, protected: Protected) -> Self {
        let mut fs = Fs::bare(kind, Timespec { sec: 1_000_000_000, nsec: 0 });
        fs.set_protected(protected);
        let cwd = fs.root();
        fs.hold(cwd);
        let now = 1_000_000_000;
        let (cred, followed) = (Credentials::root(), Vec::new());
        Self { fs, cred, cwd, slots: [None; SLOTS as usize], now, followed }
    }

    pub(crate) fn now(&self) -> Timespec {
        Timespec { sec: self.now, nsec: 0 }
    }

    /// Performs a call; an error is a failed call that changed something, or a digest that is not
    /// that of the whole.
    pub(crate) fn perform(&mut self, op: &Op) -> Result<Answer, String> {
        self.now += 1;
        let before = self.fs.digest();
        self.followed.clear();
        let done = answer(self.try_perform(op));
        if !matches!(done, Answer::Error(_)) {
            let followed = std::mem::take(&mut self.followed);
            self.fs.touch_links(&followed, self.now());
        }
        let after = self.fs.digest();
        if after != self.fs.digest_walk() {
            return Err("the digest is not that of the whole".into());
        }
        match done {
            Answer::Error(_) if before != after => Err(format!("{done:?} changed something")),
            _ => Ok(done),
        }
    }

    fn slot(&self, slot: u8) -> Result<(Place, u32), Errno> {
        self.slots[slot as usize].ok_or(Errno::EBADF)
    }

    fn close(&mut self, slot: u8) {
        if let Some((place, _)) = self.slots[slot as usize].take() {
            self.fs.release(place);
        }
    }

    /// The directory of an `*at` call; as the kernel, only where the path needs it.
    fn from(&self, slot: u8, path: &[u8]) -> Result<Option<Place>, Errno> {
        if path.is_empty() || path.len() >= 4096 || path[0] == b'/' {
            return Ok(None);
        }
        self.slot(slot).map(|(place, _)| Some(place))
    }

    fn try_perform(&mut self, op: &Op) -> Result<Answer, Errno> {
        let now = self.now();
        let cred = self.cred.clone();
        let (root, cwd) = (self.fs.root(), self.cwd);
        let caller = Caller { cred: &cred, root, cwd, umask: 0, resolve: 0, proc: &Nobody };
        match op {
            Op::Become(user) => {
                let (uid, gid, groups) = USERS[*user as usize];
                self.cred = Credentials::user(uid, gid, groups.to_vec());
                Ok(DONE)
            }
            Op::Open { slot, path, flags, mode } => {
                self.open(&caller, *slot, None, (path, *flags, *mode))
            }
            Op::OpenAt { slot, from, path, flags, mode } => {
                check_open_flags(*flags)?;
                let from = self.from(*from, path)?;
                self.open(&caller, *slot, from, (path, *flags, *mode))
            }
            Op::Close(slot) => {
                self.close(*slot);
                Ok(DONE)
            }
            Op::Write { .. } | Op::Read { .. } | Op::Ftruncate { .. } | Op::Seek { .. } => {
                self.contents(&caller, op)
            }
            Op::Mkdir { .. } | Op::Mknod { .. } | Op::Symlink { .. } | Op::Link { .. } => {
                self.make(&caller, op)
            }
            Op::Unlink(path) => {
                let at = self.name(&caller, path)?;
                self.fs.unlink(&caller, &at, now)?;
                Ok(DONE)
            }
            Op::Rmdir(path) => {
                let at = self.name(&caller, path)?;
                self.fs.rmdir(&caller, &at, now)?;
                Ok(DONE)
            }
            Op::Rename { old, new, flags } => {
                check_rename_flags(*flags)?;
                let old = self.name(&caller, old)?;
                let new = self.name(&caller, new)?;
                self.fs.rename(&caller, &old, &new, *flags, now)?;
                Ok(DONE)
            }
            Op::Chdir(_) | Op::Fchdir(_) => self.change_directory(&caller, op),
            Op::Setxattr { .. } | Op::Getxattr { .. } | Op::Removexattr { .. } => {
                self.xattr(&caller, op)
            }
            Op::Chmod { .. } | Op::Chown { .. } | Op::Fchmod { .. } => self.own(&caller, op),
            Op::Utimes { .. } | Op::Touch(_) | Op::Truncate { .. } => self.own(&caller, op),
            _ => self.ask(&caller, op),
        }
    }

    fn find(&mut self, caller: &Caller<'_>, path: &[u8], follow: bool) -> Result<Place, Errno> {
        let found = self.fs.walk(caller, None, path, follow).map_err(|lost| {
            self.followed.extend_from_slice(&lost.followed);
            lost.errno
        })?;
        self.followed.extend_from_slice(&found.followed);
        match found.target {
            Target::Place(place) => Ok(place),
            Target::Object(_) => unreachable!("there is no /proc here"),
        }
    }

    fn name(&mut self, caller: &Caller<'_>, path: &[u8]) -> Result<Walked, Errno> {
        let at = self.fs.walk_parent(caller, None, path).map_err(|lost| {
            self.followed.extend_from_slice(&lost.followed);
            lost.errno
        })?;
        self.followed.extend_from_slice(&at.followed);
        Ok(at)
    }

    fn open(
        &mut self,
        caller: &Caller<'_>,
        slot: u8,
        from: Option<Place>,
        (path, flags, mode): (&[u8], u32, u32),
    ) -> Result<Answer, Errno> {
        let opened = self.fs.open(caller, from, path, flags, mode, self.now())?;
        let Target::Place(place) = opened.target else { unreachable!("there is no /proc here") };
        self.fs.hold(place);
        let special = match self.fs.inode(place).map(|inode| &inode.kind) {
            Some(Kind::Fifo | Kind::CharDevice(_) | Kind::BlockDevice(_)) => flags & O_PATH == 0,
            _ => false,
        };
        if special {
            self.fs.release(place);
            self.close(slot);
            return Ok(Answer::Special);
        }
        self.close(slot);
        self.slots[slot as usize] = Some((place, flags));
        Ok(DONE)
    }

    fn contents(&mut self, caller: &Caller<'_>, op: &Op) -> Result<Answer, Errno> {
        let now = self.now();
        let open = |slot: u8, not: u32| {
            let (place, flags) = self.slot(slot)?;
            let refused = flags & O_PATH != 0 || flags & O_ACCMODE == not;
            if refused { Err(Errno::EBADF) } else { Ok(place) }
        };
        match op {
            Op::Write { slot, offset, count } => {
                let place = open(*slot, O_RDONLY)?;
                let data = bytes_of(*offset, *count);
                Ok(Answer::Value(self.fs.write(caller, place, *offset, &data, now)? as i64))
            }
            Op::Read { slot, offset, count } => {
                let place = open(*slot, O_WRONLY)?;
                let data = self.fs.read(place, *offset, u64::from(*count))?;
                self.fs.accessed_by_read(place, u64::from(*count), now);
                Ok(Answer::Bytes(data))
            }
            Op::Ftruncate { slot, size } => {
                let place = match open(*slot, O_RDONLY) {
                    Err(_) if self.slot(*slot).is_ok_and(|(_, flags)| flags & O_PATH == 0) => {
                        return Err(Errno::EINVAL);
                    }
                    other => other?,
                };
                self.fs.truncate(caller, place, *size, now)?;
                Ok(DONE)
            }
            Op::Seek { slot, offset, hole } => {
                let (place, flags) = self.slot(*slot)?;
                if flags & O_PATH != 0 {
                    return Err(Errno::EBADF);
                }
                let Some(pages) = self.fs.pages(place) else { return Ok(Answer::Special) };
                let found = if *hole { pages.seek_hole(*offset) } else { pages.seek_data(*offset) };
                found.map(|at| Answer::Value(at as i64)).ok_or(Errno::ENXIO)
            }
            _ => unreachable!("chosen by the caller"),
        }
    }

    fn make(&mut self, caller: &Caller<'_>, op: &Op) -> Result<Answer, Errno> {
        let now = self.now();
        match op {
            Op::Mkdir { path, mode } => {
                let at = self.name(caller, path)?;
                self.fs.mkdir(caller, &at, *mode, now)?;
            }
            Op::Mknod { path, mode } => {
                check_mknod_mode(*mode)?;
                let at = self.name(caller, path)?;
                self.fs.mknod(caller, &at, *mode, libc::makedev(1, 3), now)?;
            }
            Op::Symlink { target, path } => {
                if target.is_empty() || target.len() >= 4096 {
                    let long = !target.is_empty();
                    return Err(if long { Errno::ENAMETOOLONG } else { Errno::ENOENT });
                }
                let at = self.name(caller, path)?;
                self.fs.symlink(caller, target, &at, now)?;
            }
            Op::Link { old, new, follow } => {
                let old = self.find(caller, old, *follow)?;
                let at = self.name(caller, new)?;
                self.fs.link(caller, old, &at, now)?;
            }
            _ => unreachable!("chosen by the caller"),
        }
        Ok(DONE)
    }

    fn change_directory(&mut self, caller: &Caller<'_>, op: &Op) -> Result<Answer, Errno> {
        let place = match op {
            Op::Chdir(path) => {
                let place = self.find(caller, path, true)?;
                if !self.fs.is_directory(place) {
                    return Err(Errno::ENOTDIR);
                }
                place
            }
            Op::Fchdir(slot) => {
                let (place, _) = self.slot(*slot)?;
                if !self.fs.is_directory(place) {
                    return Err(Errno::ENOTDIR);
                }
                place
            }
            _ => unreachable!("chosen by the caller"),
        };
        self.fs.permission(caller, place, MAY_EXEC)?;
        self.fs.hold(place);
        self.fs.release(self.cwd);
        self.cwd = place;
        Ok(DONE)
    }

    fn own(&mut self, caller: &Caller<'_>, op: &Op) -> Result<Answer, Errno> {
        let now = self.now();
        match op {
            Op::Chmod { path, mode, follow } => {
                let place = self.find(caller, path, *follow)?;
                self.fs.chmod(caller, place, *mode, now)?;
            }
            Op::Fchmod { slot, mode } => {
                let (place, flags) = self.slot(*slot)?;
                if flags & O_PATH != 0 {
                    return Err(Errno::EBADF);
                }
                self.fs.chmod(caller, place, *mode, now)?;
            }
            Op::Chown { path, uid, gid, follow } => {
                let place = self.find(caller, path, *follow)?;
                let id = |id: u32| (id != u32::MAX).then_some(id);
                self.fs.chown(caller, place, id(*uid), id(*gid), now)?;
            }
            Op::Utimes { path, times } => {
                let times = times.map(|(sec, nsec)| Timespec { sec, nsec });
                if let Some(change) = TimeChange::from_times(Some(times)) {
                    let place = self.find(caller, path, true)?;
                    self.fs.set_times(caller, place, change, now)?;
                }
            }
            Op::Touch(path) => {
                let place = self.find(caller, path, true)?;
                self.fs.set_times(caller, place, TimeChange::Touch, now)?;
            }
            Op::Truncate { path, size } => {
                let place = self.find(caller, path, true)?;
                self.fs.may_truncate(caller, place)?;
                self.fs.truncate(caller, place, *size, now)?;
            }
            _ => unreachable!("chosen by the caller"),
        }
        Ok(DONE)
    }

    fn xattr(&mut self, caller: &Caller<'_>, op: &Op) -> Result<Answer, Errno> {
        let now = self.now();
        match op {
            Op::Setxattr { path, name, bytes, flags } => {
                if flags & !3 != 0 {
                    return Err(Errno::EINVAL);
                }
                let place = self.find(caller, path, true)?;
                let value = vec![b'x'; usize::from(*bytes)];
                self.fs.setxattr(caller, place, (name.as_bytes(), &value), *flags, now)?;
                Ok(DONE)
            }
            Op::Getxattr { path, name } => {
                let place = self.find(caller, path, true)?;
                Ok(Answer::Bytes(self.fs.getxattr(caller, place, name.as_bytes())?))
            }
            Op::Removexattr { path, name } => {
                let place = self.find(caller, path, true)?;
                self.fs.removexattr(caller, place, name.as_bytes(), now)?;
                Ok(DONE)
            }
            _ => unreachable!("chosen by the caller"),
        }
    }

    fn ask(&mut self, caller: &Caller<'_>, op: &Op) -> Result<Answer, Errno> {
        match op {
            Op::Stat { path, follow } => {
                let place = self.find(caller, path, *follow)?;
                Ok(stat_answer(&self.fs.stat(caller, place)))
            }
            Op::Fstat(slot) => {
                let (place, _) = self.slot(*slot)?;
                Ok(stat_answer(&self.fs.stat(caller, place)))
            }
            Op::Access { path, mode } => {
                let place = self.find(caller, path, true)?;
                self.fs.access(caller, place, *mode & (MAY_READ | MAY_WRITE | MAY_EXEC))?;
                Ok(DONE)
            }
            Op::Readlink(path) => {
                let place = self.find(caller, path, false)?;
                let target = self.fs.readlink(caller, place)?;
                self.fs.accessed(place, self.now());
                Ok(Answer::Bytes(target))
            }
            Op::Getcwd => Ok(Answer::Bytes(self.fs.getcwd(caller)?)),
            Op::FdPath(slot) => {
                let (place, _) = self.slot(*slot)?;
                let path = self.fs.path_text(caller, place);
                // A file that never had a name shows its inode's number.
                Ok(if path.contains(&b'#') { Answer::Special } else { Answer::Bytes(path) })
            }
            Op::List(path) => {
                let place = self.find(caller, path, true)?;
                if !self.fs.is_directory(place) {
                    return Err(Errno::ENOTDIR);
                }
                self.fs.permission(caller, place, MAY_READ)?;
                let listed = self.list(caller, place)?;
                self.fs.accessed(place, self.now());
                Ok(listed)
            }
            _ => unreachable!("every call has its place"),
        }
    }

    /// In small pieces, so that cookies are used.
    fn list(&self, caller: &Caller<'_>, place: Place) -> Result<Answer, Errno> {
        let (mut names, mut at) = (Vec::new(), 0);
        loop {
            let part = self.fs.list(caller, place, at, 300)?;
            let Some(last) = part.last() else { break };
            at = last.off as u64;
            names.extend(part.into_iter().map(|entry| (entry.name.0, entry.kind)));
        }
        names.sort();
        Ok(Answer::Names(names))
    }

    /// Sets the access and modification times of everything.
    pub(crate) fn age(&mut self, time: (i64, i64)) {
        let time = FileTime::At(Timespec { sec: time.0, nsec: time.1 });
        let cred = Credentials::root();
        let root = self.fs.root();
        let caller = Caller { cred: &cred, root, cwd: root, umask: 0, resolve: 0, proc: &Nobody };
        let change = TimeChange::Set { atime: time, mtime: time };
        let below = self.fs.tree(root).into_iter().map(|(_, place)| place);
        for place in below.chain([root]) {
            let done = self.fs.set_times(&caller, place, change, self.now());
            done.expect("root may set times");
        }
    }

    /// Every path with its access, modification and change time.
    pub(crate) fn times(&self) -> BTreeMap<Vec<u8>, [(i64, i64); 3]> {
        let cred = Credentials::root();
        let root = self.fs.root();
        let caller = Caller { cred: &cred, root, cwd: root, umask: 0, resolve: 0, proc: &Nobody };
        let all = self.fs.tree(root).into_iter().chain([(b"/".to_vec(), root)]);
        let stamps = all.map(|(path, place)| {
            let stat = self.fs.stat(&caller, place);
            let times = [stat.atime, stat.mtime, stat.ctime];
            (path, times.map(|time| (time.sec, time.nsec)))
        });
        stamps.collect()
    }

    pub(crate) fn tree(&self) -> Vec<(Vec<u8>, Answer, Vec<u8>)> {
        let cred = Credentials::root();
        let root = self.fs.root();
        let caller = Caller { cred: &cred, root, cwd: root, umask: 0, resolve: 0, proc: &Nobody };
        let found = self.fs.tree(root).into_iter().map(|(path, place)| {
            let stat = self.fs.stat(&caller, place);
            (path, stat_answer(&stat), stat.ino)
        });
        by_first_name(found.collect())
    }

    /// Encoded, decoded and encoded again it is the same; when all is closed and removed, nothing
    /// is left.
    pub(crate) fn check(mut self) -> Result<(), String> {
        let mut bytes = Vec::new();
        self.fs.put(&mut bytes);
        let mut again = Fs::get(&mut WireReader::new(&bytes)).map_err(|error| error.to_string())?;
        let mut twice = Vec::new();
        again.put(&mut twice);
        if bytes != twice || again.digest() != self.fs.digest() {
            return Err("the image does not come back as it was".into());
        }
        for slot in 0..SLOTS {
            self.close(slot);
        }
        let root = self.fs.root();
        self.fs.release(self.cwd);
        let cred = Credentials::root();
        let caller = Caller { cred: &cred, root, cwd: root, umask: 0, resolve: 0, proc: &Nobody };
        let now = self.now();
        for (path, place) in self.fs.tree(root).into_iter().rev() {
            let directory = self.fs.is_directory(place);
            let at = self.fs.walk_parent(&caller, None, &path).map_err(|e| format!("{e:?}"))?;
            let gone = if directory {
                self.fs.rmdir(&caller, &at, now)
            } else {
                self.fs.unlink(&caller, &at, now)
            };
            gone.map_err(|errno| format!("removing {path:?}: {errno:?}"))?;
        }
        let volume = self.fs.volume(root);
        if (volume.inodes, volume.pages) != (1, 0) {
            return Err(format!("left behind: {volume:?}"));
        }
        Ok(())
    }
}

fn stat_answer(stat: &Stat) -> Answer {
    let size = (stat.mode & S_IFMT != libc::S_IFDIR).then_some(stat.size);
    let numbers =
        [stat.mode.into(), stat.nlink.into(), stat.uid.into(), stat.gid.into(), stat.rdev];
    Answer::Stat(numbers, size)
}
