//! One emulated task as the coordinator keeps it: its worker's slot, how it is looked at, and what
//! it is in the middle of.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use serde_json::{Value, json};

use crate::calls::{Kind, Reply};
use crate::fields::Object;
use crate::names;
use crate::sandbox::{Sandbox, check};
use crate::shared::{Area, SLOT_COUNT};
use crate::watch::{Look, Watch};

/// A request on its way.
pub(crate) struct Call {
    /// Its number in orders and events.
    pub(crate) request: u32,
    /// The number under which it was answered `blocked`.
    pub(crate) blocked: Option<u64>,
    pub(crate) kind: Kind,
    pub(crate) reply: Reply,
    pub(crate) area: Area,
    /// The slot taken for the child that it makes.
    pub(crate) child_slot: Option<usize>,
}

/// What a task is in the middle of; the last is the innermost.
pub(crate) enum Frame {
    Call(Call),
    Handler,
}

/// One task.
pub(crate) struct Task {
    pub(crate) slot: usize,
    watch: Watch,
    pub(crate) frames: Vec<Frame>,
    pidfd: Option<OwnedFd>,
}

impl Task {
    /// The task `tid` of the sandbox, whose worker serves `slot`.
    pub(crate) fn new(sandbox: &Sandbox, tid: i32, slot: usize) -> io::Result<Self> {
        let watch = Watch::new(&sandbox.proc, tid)?;
        let pidfd = pidfd(sandbox, tid);
        if let Some(pidfd) = &pidfd {
            sandbox.deaths.add(pidfd, tid)?;
        }
        Ok(Self { slot, watch, frames: Vec::new(), pidfd })
    }

    /// Looks at what the task is doing.
    pub(crate) fn look(&self) -> Look {
        self.watch.look(self.slot)
    }

    /// The call that the task is blocked in.
    pub(crate) fn blocked_in(&self) -> Option<u64> {
        match self.frames.last() {
            Some(Frame::Call(call)) => call.blocked,
            Some(Frame::Handler) | None => None,
        }
    }

    /// Whether the task is in a signal handler.
    pub(crate) fn is_in_handler(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Handler))
    }

    /// The call of a request.
    pub(crate) fn call_mut(&mut self, request: u32) -> Option<&mut Call> {
        self.frames.iter_mut().rev().find_map(|frame| match frame {
            Frame::Call(call) if call.request == request => Some(call),
            Frame::Call(_) | Frame::Handler => None,
        })
    }

    /// Takes out the call of a request; the handlers above it stay.
    pub(crate) fn take_call(&mut self, request: u32) -> Option<Call> {
        let is_it = |frame: &Frame| matches!(frame, Frame::Call(call) if call.request == request);
        let at = self.frames.iter().rposition(is_it)?;
        match self.frames.remove(at) {
            Frame::Call(call) => Some(call),
            Frame::Handler => None,
        }
    }

    /// Looks once whether the terminals among the task's descriptors are ready. What was written to
    /// a terminal reaches its other side by a kernel thread; looking makes that happen now (n_tty's
    /// poll waits for it).
    pub(crate) fn flush_terminals(&self, sandbox: &Sandbox, tid: i32) {
        let Some(pidfd) = &self.pidfd else { return };
        let Ok(names) = sandbox.descriptors(tid) else { return };
        for (fd, target) in names {
            if !target.starts_with("/dev/pts/") && !target.starts_with("/dev/ptmx") {
                continue;
            }
            // SAFETY: plain system calls; the copied descriptor is ours and closed here.
            unsafe {
                let copy = libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) as i32;
                if copy >= 0 {
                    let mut poll = libc::pollfd { fd: copy, events: libc::POLLIN, revents: 0 };
                    libc::poll(&raw mut poll, 1, 0);
                    libc::close(copy);
                }
            }
        }
    }

    /// The wait status of a task that is gone, also if it has been waited for (PIDFD_GET_INFO,
    /// Linux 6.15).
    pub(crate) fn status_after_reaping(&self) -> Option<i32> {
        let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, words: [0; 14] };
        let fd = self.pidfd.as_ref()?.as_raw_fd();
        // SAFETY: the kernel writes at most the structure's size, which the request's number holds.
        let result = unsafe { libc::ioctl(fd, PIDFD_GET_INFO, &raw mut info) };
        (result == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.words[13] as i32)
    }
}

impl Call {
    /// What the call answers, given its result.
    pub(crate) fn answer(&self, result: i64) -> Object {
        let mut answer = Object::new();
        if (-4095..0).contains(&result) {
            answer.insert("err".into(), names::errno(-result));
        } else {
            answer.insert("ok".into(), result.into());
            (self.reply)(result, &mut answer);
        }
        answer
    }

    /// What a request answers that its task did not live or was stopped before it could tell. What
    /// sends signals has succeeded if one came; a signal that comes with an errno tells which.
    pub(crate) fn answer_without_result(&self, status: Option<i32>) -> Value {
        let killer =
            status.filter(|status| libc::WIFSIGNALED(*status)).map(|status| libc::WTERMSIG(status));
        match (self.kind, killer) {
            (Kind::Exit | Kind::SendsSignal | Kind::SignalReturn, _) => self.answer(0).into(),
            (_, Some(libc::SIGPIPE)) => self.answer(-i64::from(libc::EPIPE)).into(),
            (_, Some(libc::SIGXFSZ)) => self.answer(-i64::from(libc::EFBIG)).into(),
            _ => json!({ "gone": crate::fields::status(status.unwrap_or(0)) }),
        }
    }
}

/// The order in which tasks end: an epoll instance, whose list of what is ready is in the order of
/// becoming ready, as a pidfd does when its task has ended.
pub(crate) struct Deaths(OwnedFd);

impl Deaths {
    /// Nothing is watched yet.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: plain system call; the descriptor is new and ours.
        unsafe {
            let fd = check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    fn add(&self, pidfd: &OwnedFd, tid: i32) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: tid as u64 };
        let (own, pidfd) = (self.0.as_raw_fd(), pidfd.as_raw_fd());
        // SAFETY: plain system call on descriptors of our own.
        check(unsafe { libc::epoll_ctl(own, libc::EPOLL_CTL_ADD, pidfd, &raw mut event) })?;
        Ok(())
    }

    /// The tasks that have ended and are not forgotten yet, the first first.
    pub(crate) fn in_order(&self) -> Vec<i32> {
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; SLOT_COUNT];
        let room = events.len() as i32;
        // SAFETY: plain system call with room for as many events as it is told.
        let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), room, 0) };
        events.truncate(count.max(0) as usize);
        events.iter().map(|event| event.u64 as i32).collect()
    }
}

/// struct pidfd_info of the kernel (linux/pidfd.h), version 0: mask, cgroupid, eleven ids, exit
/// code.
#[repr(C)]
struct PidfdInfo {
    mask: u64,
    words: [u32; 14],
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(0xFF, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: libc::c_ulong = 0xc000_0000 | 64 << 16 | 0xff << 8 | 11;
/// `_IOR(NSIO, 6, int)` (linux/nsfs.h): a pid of the namespace as the caller's namespace numbers
/// it.
const NS_GET_PID_FROM_PIDNS: libc::c_ulong = 0x8000_0000 | 4 << 16 | 0xb7 << 8 | 6;

fn pidfd(sandbox: &Sandbox, tid: i32) -> Option<OwnedFd> {
    let namespace = File::open(format!("/proc/{}/ns/pid", sandbox.init())).ok()?;
    // SAFETY: plain system calls on descriptors of our own; the new descriptor is ours.
    unsafe {
        let pid = libc::ioctl(namespace.as_raw_fd(), NS_GET_PID_FROM_PIDNS, tid);
        if pid <= 0 {
            return None;
        }
        let mut fd = libc::syscall(libc::SYS_pidfd_open, pid, 0) as i32;
        if fd < 0 {
            fd = libc::syscall(libc::SYS_pidfd_open, pid, libc::PIDFD_THREAD) as i32;
        }
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd))
    }
}
