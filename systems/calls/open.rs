//! open(2) and its like; opening FIFOs (fifo(7)) and devices.

use crate::abi::Errno;
use crate::abi::flags::*;
use crate::calls::path::path_bytes;
use crate::calls::terminal::Opening;
use crate::components::{Restart, Target, Wait, Waiting};
use crate::event::{Answer, Call, Path};
use crate::fs::{self, Kind, Place};
use crate::kernel::{CallResult, Changed, Kernel, Stop, WakeMode};
use crate::memory;
use crate::procview::caller;
use crate::rows::{DescriptionRow, PipeRow, ProcessRow, TaskRow};
use crate::watchers::{READERS, Wake};
use crate::wire::{Bytes, Wire};

/// Flags that F_GETFL shows: those of creation are not kept (open(2)).
const NOT_KEPT: u32 = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

/// What open(2) and openat2(2) are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How<'a> {
    /// Where a relative path begins.
    pub(crate) dirfd: i32,
    pub(crate) path: Path<'a>,
    pub(crate) flags: u32,
    pub(crate) mode: u32,
    /// How the path is resolved: 0 but for openat2.
    pub(crate) resolve: u32,
}

impl How<'_> {
    /// The flags and the mode that openat(2) takes no notice of are errors in openat2(2), and so
    /// are those that cannot go together.
    fn check(&self) -> Result<(), Errno> {
        let known = |names: Names| names.iter().fold(0, |all, (_, bits)| all | *bits);
        let Self { flags, mode, resolve, .. } = *self;
        let strange =
            u64::from(flags) & !known(OPEN_FLAGS) | u64::from(resolve) & !known(RESOLVE_FLAGS);
        let makes = flags & (O_CREAT | O_TMPFILE & !O_DIRECTORY) != 0;
        let most = if makes { 0o7777 } else { 0 };
        let beside_path = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        if strange != 0
            || mode & !most != 0
            || flags & O_PATH != 0 && flags & !beside_path != 0
            || resolve & RESOLVE_BENEATH != 0 && resolve & RESOLVE_IN_ROOT != 0
        {
            return Err(Errno::EINVAL);
        }
        fs::check_open_flags(flags)?;
        // Nothing is made or cut by what must find everything in the cache, as all is here.
        if resolve & RESOLVE_CACHED != 0 && (makes || flags & O_TRUNC != 0) {
            return Err(Errno::EAGAIN);
        }
        Ok(())
    }
}

/// O_DIRECT is for regular files on a disk, or what has pages as they do (open(2), EINVAL).
fn may_be_direct(flags: u32) -> Result<(), Errno> {
    if flags & (O_DIRECT | O_PATH) == O_DIRECT { Err(Errno::EINVAL) } else { Ok(()) }
}

/// What F_GETFL shows of open(2)'s flags: 64-bit programs always have O_LARGEFILE, and O_PATH keeps
/// almost nothing.
fn kept_flags(flags: u32) -> u32 {
    if flags & O_PATH != 0 {
        flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW)
    } else {
        flags & !NOT_KEPT | O_LARGEFILE
    }
}

impl Kernel {
    /// openat(2).
    pub(crate) fn openat(
        &mut self,
        task: TaskRow,
        dirfd: i32,
        path: Path<'_>,
        flags: u32,
        mode: u32,
    ) -> CallResult {
        self.open_as(task, How { dirfd, path, flags, mode, resolve: 0 })
    }

    /// openat2(2).
    pub(crate) fn openat2(&mut self, task: TaskRow, how: How<'_>) -> CallResult {
        how.check()?;
        self.open_as(task, how)
    }

    fn open_as(&mut self, task: TaskRow, how: How<'_>) -> CallResult {
        let How { dirfd, path, flags, mode, resolve } = how;
        fs::check_open_flags(flags)?;
        let path = path_bytes(path)?;
        if path.is_empty() {
            return Err(Errno::ENOENT.into());
        }
        // Linux takes the number before it walks.
        let fd = self.free_fd(task, 0)?;
        // With its own root the directory counts for an absolute path too.
        let begins = if resolve & RESOLVE_IN_ROOT != 0 { b"." } else { path };
        let from = self.start_of(task, dirfd, begins)?;
        let mode = if flags & (O_CREAT | O_TMPFILE & !O_DIRECTORY) != 0 { mode } else { 0 };
        let now = self.stamp();
        let opened = {
            caller!(self, task => caller);
            let caller = fs::Caller { resolve, ..caller };
            self.fs.open(&caller, from, path, flags, mode & 0o7777, now)
        };
        let opened = opened.map_err(|lost| self.fs.leave(&lost, now))?;
        let kept = kept_flags(flags);
        let cloexec = flags & O_CLOEXEC != 0;
        let place = match opened.target {
            fs::Target::Place(place) => place,
            fs::Target::Object(node) => {
                let row = self.object_of(node)?;
                self.may_reopen(task, row, flags)?;
                return self.reopen(task, (fd, row), kept, cloexec);
            }
        };
        if flags & O_PATH == 0 {
            match self.fs.inode(place).map(|inode| &inode.kind) {
                // There is no such end.
                Some(Kind::Fifo) if flags & O_ACCMODE == O_ACCMODE => {
                    return Err(Errno::EINVAL.into());
                }
                Some(Kind::Fifo) => {
                    if flags & O_ACCMODE != O_WRONLY || flags & O_NONBLOCK == 0 {
                        may_be_direct(flags)?;
                    }
                    return self.open_fifo(task, (fd, place), kept, cloexec, &how);
                }
                Some(Kind::CharDevice(rdev)) => {
                    let (rdev, opening) = (*rdev, Opening { fd, place, flags, kept });
                    if let Some(opened) = self.open_device(task, rdev, opening)? {
                        return Ok(opened);
                    }
                    may_be_direct(flags)?;
                }
                Some(Kind::BlockDevice(_)) => return Err(Errno::ENXIO.into()),
                None => may_be_direct(flags)?,
                Some(_) => {}
            }
        }
        if flags & O_PATH == 0 && self.is_device(place) {
            self.fs.tell_of_open(place, IN_OPEN);
        }
        self.fs.stay(place.mount);
        self.fs.hold(place);
        let row = match self.describe(Target::File(place), kept) {
            Ok(row) => row,
            Err(errno) => {
                self.fs.release(place);
                return Err(errno.into());
            }
        };
        self.opened_by(task, row);
        self.install(task, fd, row, cloexec);
        Ok(Answer::value(i64::from(fd)))
    }

    /// A new description knows who opened it.
    fn opened_by(&mut self, task: TaskRow, row: DescriptionRow) {
        let opener = self.credentials_serial(task);
        if opener != 0 {
            self.rows[row].opener = opener;
        }
    }

    /// A device: a terminal opens at once, another is only looked at.
    fn open_device(
        &mut self,
        task: TaskRow,
        rdev: u64,
        opening: Opening,
    ) -> Result<Option<Answer>, Stop> {
        if let Some(opened) = self.open_terminal(task, rdev, opening) {
            return opened.map(Some);
        }
        self.may_open_device(task, rdev)?;
        Ok(None)
    }

    /// Devices that open: memory devices, /dev/tty of a session that has a terminal.
    fn may_open_device(&self, task: TaskRow, rdev: u64) -> Result<(), Errno> {
        match (major(rdev), minor(rdev)) {
            (1, 3 | 5 | 7 | 8 | 9) => Ok(()),
            (5, 0) if self.rows[self.rows[task].process].tty != 0 => Ok(()),
            _ => Err(Errno::ENXIO),
        }
    }

    fn may_reopen(&self, task: TaskRow, row: DescriptionRow, flags: u32) -> Result<(), Errno> {
        let (mode, uid, gid) = self.attributes_of_unnamed(row);
        let who = &self.rows[task].credentials;
        if flags & O_PATH == 0 && !fs::allows(who, (mode, uid, gid), fs::access_mask(flags)) {
            return Err(Errno::EACCES);
        }
        may_be_direct(flags)
    }

    /// `/dev/fd/N` of a pipe: a new description of the same pipe.
    fn reopen(
        &mut self,
        task: TaskRow,
        (fd, row): (u32, DescriptionRow),
        flags: u32,
        cloexec: bool,
    ) -> CallResult {
        let Target::Pipe(pipe, _) = self.rows[row].target else {
            // A socket cannot be opened by its link (unix(7)).
            return Err(Errno::ENXIO.into());
        };
        self.open_ends(task, fd, (pipe, None), flags, cloexec)
    }

    /// Opens a FIFO; `how` is what a stop or a handler makes of it again.
    fn open_fifo(
        &mut self,
        task: TaskRow,
        (fd, place): (u32, Place),
        flags: u32,
        cloexec: bool,
        how: &How<'_>,
    ) -> CallResult {
        let inode = self.fs.inode_id(place).ok_or(Errno::ENXIO)?;
        let pipe = match self.fifos.get(&inode) {
            Some(pipe) => *pipe,
            None => {
                let pipe = self.new_pipe(0, 0, 0);
                self.fifos.insert(inode, pipe);
                pipe
            }
        };
        let mut result = self.open_ends(task, fd, (pipe, Some(place)), flags, cloexec);
        match &mut result {
            Err(Stop::Fail(_)) => self.drop_pipe_if_unused(pipe, Some(place)),
            Err(Stop::Block(block)) if self.config.wake == WakeMode::Auto => {
                if let Waiting::FifoOpen { again, .. } = &mut block.on {
                    let How { dirfd, path, flags, mode, resolve } = *how;
                    let call = match resolve {
                        0 => Call::Openat { dirfd, path, flags, mode },
                        _ => Call::Openat2 { dirfd, path, flags, mode, resolve },
                    };
                    call.put(&mut again.0);
                }
            }
            Ok(_) | Err(_) => {}
        }
        result
    }

    /// Opens ends of a pipe as the access mode says; without the other side it may wait or fail.
    fn open_ends(
        &mut self,
        task: TaskRow,
        fd: u32,
        (pipe, place): (PipeRow, Option<Place>),
        flags: u32,
        cloexec: bool,
    ) -> CallResult {
        let access = flags & O_ACCMODE;
        let nonblock = flags & O_NONBLOCK != 0;
        let state = &self.rows[pipe];
        // A pipe without a name never waits for the other side, nor minds that it is gone
        // (pipe(7)).
        let is_fifo = place.is_some();
        if is_fifo && access == O_WRONLY && nonblock && state.readers == 0 {
            return Err(Errno::ENXIO.into());
        }
        let (alone, seen) = match access {
            O_RDONLY if is_fifo => (state.writers == 0, state.writer_opens),
            O_WRONLY if is_fifo => (state.readers == 0, state.reader_opens),
            _ => (false, 0),
        };
        let state = &mut self.rows[pipe];
        state.readers += u32::from(access != O_WRONLY);
        state.reader_opens += u64::from(access != O_WRONLY);
        state.writers += u32::from(access != O_RDONLY);
        state.writer_opens += u64::from(access != O_RDONLY);
        let state = &self.rows[pipe];
        let first =
            access != O_WRONLY && state.readers == 1 || access != O_RDONLY && state.writers == 1;
        match first {
            true => self.woken(Changed::Pipe(pipe), Wake::ALL.at(READERS)),
            false => self.pipe_changed(pipe),
        }
        if let Some(place) = place {
            self.fs.hold(place);
        }
        if alone && !nonblock {
            let flags = flags | if cloexec { O_CLOEXEC } else { 0 };
            let place = place.ok_or(Errno::ENXIO)?;
            self.reserve_fd(task, fd);
            let again = Bytes::default();
            return Err(Stop::block(
                Waiting::FifoOpen { pipe, place, fd, flags, seen, over: false, again },
                None,
                Restart::WithFlag,
            ));
        }
        let version = if alone { seen } else { 0 };
        let row = self.finish_open(task, fd, (pipe, place), flags, cloexec)?;
        // What the end's hang-up is measured against: see `poll_pipe`.
        self.rows[row].offset = version;
        Ok(Answer::value(i64::from(fd)))
    }

    /// The descriptor of an end that is counted already; undone if there are too many.
    fn finish_open(
        &mut self,
        task: TaskRow,
        fd: u32,
        (pipe, place): (PipeRow, Option<Place>),
        flags: u32,
        cloexec: bool,
    ) -> Result<DescriptionRow, Errno> {
        match self.describe(Target::Pipe(pipe, place), flags) {
            Ok(row) => {
                self.rows[row].waits_always = true;
                self.opened_by(task, row);
                if let Some(place) = place {
                    self.fs.tell_of_open(place, IN_OPEN);
                }
                self.install(task, fd, row, cloexec);
                Ok(row)
            }
            Err(errno) => {
                self.close_pipe_end(pipe, place, flags);
                Err(errno)
            }
        }
    }

    /// Whether the other side of a FIFO has come since the open began.
    pub(crate) fn try_fifo_open(
        &mut self,
        task: TaskRow,
        on: &mut Waiting,
    ) -> Result<Option<Answer>, Errno> {
        let Waiting::FifoOpen { pipe, place, fd, flags, seen, over, .. } = on else {
            return Ok(None);
        };
        let (pipe, place, fd, flags) = (*pipe, *place, *fd, *flags);
        let state = &self.rows[pipe];
        let opens = match flags & O_ACCMODE {
            O_RDONLY => state.writer_opens,
            _ => state.reader_opens,
        };
        if opens == *seen {
            return Ok(None);
        }
        let cloexec = flags & O_CLOEXEC != 0;
        let files = self.rows[task].files;
        self.rows[files].unreserve(fd);
        let end = (pipe, Some(place));
        let result = self.finish_open(task, fd, end, flags & !O_CLOEXEC, cloexec);
        // The end now belongs to the descriptor, or is closed: the wait holds nothing any more.
        *over = true;
        result.map(|_| Some(Answer::value(i64::from(fd))))
    }

    /// A call that was interrupted, and will be made again from its beginning: an open of a FIFO,
    /// whose end and number Linux gives back, a call on a terminal, which looks anew whose turn it
    /// is.
    pub(crate) fn park_open(&mut self, row: TaskRow, wait: &mut Wait) {
        if self.config.wake != WakeMode::Auto {
            return;
        }
        let mut parked = Bytes::default();
        match &mut wait.on {
            Waiting::FifoOpen { again, .. } | Waiting::Accept { again, .. } => {
                parked = core::mem::take(again);
            }
            Waiting::TerminalRead(reading) if reading.data.0.is_empty() => {
                reading.call().put(&mut parked.0);
            }
            Waiting::TerminalWrite(writing) if writing.written == 0 => {
                writing.call().put(&mut parked.0);
            }
            Waiting::TerminalTurn { call, .. } => parked.clone_from(call),
            _ => return,
        }
        wait.deadline_ns = None;
        self.change_wait(row, wait, Waiting::Parked(parked));
    }

    /// A call waits for something else, and lets go of what it held; its bytes are counted anew.
    pub(crate) fn change_wait(&mut self, row: TaskRow, wait: &mut Wait, on: Waiting) {
        let more = memory::wait_bytes(&on);
        let old = core::mem::replace(&mut wait.on, on);
        self.hold_bytes(more);
        // Of an open the call was taken over: it is counted once.
        let less = match (&old, &wait.on) {
            (Waiting::FifoOpen { .. }, Waiting::Parked(_)) => more,
            _ => memory::wait_bytes(&old),
        };
        self.unhold_bytes(less);
        self.let_go(row, &old);
    }

    /// The calls of a process that stops which begin anew when it goes on.
    pub(crate) fn park_opens(&mut self, process: ProcessRow) {
        for tid in self.rows[process].threads.clone() {
            let Some(row) = self.pids.task(tid) else { continue };
            let is_auto = self.config.wake == WakeMode::Auto;
            let opens = |wait: &Wait| match wait.on {
                Waiting::FifoOpen { .. }
                | Waiting::Accept { .. }
                | Waiting::TerminalTurn { .. } => true,
                Waiting::TerminalRead(ref reading) => is_auto && reading.data.0.is_empty(),
                Waiting::TerminalWrite(ref writing) => is_auto && writing.written == 0,
                _ => false,
            };
            if self.rows[row].wait.as_deref().is_some_and(opens)
                && let Some(mut wait) = self.unsleep(row)
            {
                self.park_open(row, &mut wait);
                self.sleep(row, wait);
            }
        }
    }
}
