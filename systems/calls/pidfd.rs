//! pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2): descriptors that refer to a process, or to
//! a thread with `PIDFD_THREAD`, whoever has its number later.
//!
//! What the calls answer, and in which order they check, was found by experiment on Linux 6.18. Not
//! here: directories of /proc in the place of a pidfd, ioctl(2) of namespaces.

use crate::abi::credentials::CAP_SYS_PTRACE;
use crate::abi::flags::*;
use crate::abi::signal::{SI_TKILL, SI_USER};
use crate::abi::{Errno, SigInfo, Signal};
use crate::calls::signal::refused;
use crate::components::{Life, Object, Pidfd, Target, WaitQueue};
use crate::event::Answer;
use crate::kernel::{CallResult, Changed, Kernel};
use crate::rows::{DescriptionRow, PidfdRow, ProcessRow, RowKind, TaskRow};
use crate::tables::family::Club;
use crate::watchers::Wake;

impl Kernel {
    /// pidfd_open(2).
    pub(crate) fn pidfd_open(&mut self, task: TaskRow, target: i32, flags: u32) -> CallResult {
        if flags & !(PIDFD_NONBLOCK | PIDFD_THREAD) != 0 || target <= 0 {
            return Err(Errno::EINVAL.into());
        }
        let pid = target as u32;
        let is_process = self.pids.process(pid).is_some();
        if !is_process && self.pids.task(pid).is_none() {
            return Err(Errno::ESRCH.into());
        }
        if !is_process && flags & PIDFD_THREAD == 0 {
            return Err(Errno::ENOENT.into());
        }
        let fd = self.free_fd(task, 0)?;
        let row = self.describe_pidfd(pid, flags)?;
        self.install(task, fd, row, true);
        Ok(Answer::value(i64::from(fd)))
    }

    /// A new description on a process or thread that has not been reaped.
    pub(crate) fn describe_pidfd(&mut self, pid: u32, flags: u32) -> Result<DescriptionRow, Errno> {
        let known = self.pidfds.get(&pid).copied();
        let more = if known.is_some() { 0 } else { crate::memory::PIDFD_BYTES };
        self.room_for_descriptions(1, more)?;
        let pidfd = match known {
            Some(pidfd) => pidfd,
            None => {
                let id = self.next_id();
                let waiters = WaitQueue::default();
                let new = Pidfd { id, pid, gone: false, refs: 0, waiters };
                let row = PidfdRow::spawn(&mut self.rows, id, new);
                self.pidfds.insert(pid, row);
                row
            }
        };
        self.rows[pidfd].refs += 1;
        let kept = flags & (PIDFD_NONBLOCK | PIDFD_THREAD);
        Ok(self.new_description(Target::Object(Object::Pidfd(pidfd)), O_RDWR | kept))
    }

    /// A description on it is closed.
    pub(crate) fn drop_pidfd(&mut self, pidfd: PidfdRow) {
        self.rows[pidfd].refs -= 1;
        if self.rows[pidfd].refs == 0 {
            if !self.rows[pidfd].gone {
                self.pidfds.remove(&self.rows[pidfd].pid);
            }
            pidfd.remove(&mut self.rows);
        }
    }

    /// What is behind a descriptor; EBADF if it is no pidfd.
    fn pidfd_of(&self, task: TaskRow, fd: i32) -> Result<(PidfdRow, DescriptionRow), Errno> {
        let row = self.open_fd(task, fd)?;
        match self.rows[row].target {
            Target::Object(Object::Pidfd(pidfd)) => Ok((pidfd, row)),
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                Err(Errno::EBADF)
            }
        }
    }

    /// `P_PIDFD` of waitid(2): the number to wait for, 0 once it is reaped, and whether the wait
    /// gives EAGAIN rather than wait.
    pub(crate) fn pidfd_to_wait_for(&self, task: TaskRow, fd: i32) -> Result<(u32, bool), Errno> {
        let (pidfd, row) = self.pidfd_of(task, fd)?;
        let target = &self.rows[pidfd];
        let pid = if target.gone { 0 } else { target.pid };
        Ok((pid, self.rows[row].nonblocking()))
    }

    /// pidfd_send_signal(2).
    pub(crate) fn pidfd_send_signal(
        &mut self,
        task: TaskRow,
        fd: i32,
        sig: i32,
        info: Option<SigInfo>,
        flags: u32,
    ) -> CallResult {
        let scopes =
            [0, PIDFD_SIGNAL_THREAD, PIDFD_SIGNAL_THREAD_GROUP, PIDFD_SIGNAL_PROCESS_GROUP];
        if !scopes.contains(&flags) {
            return Err(Errno::EINVAL.into());
        }
        let (pidfd, row) = self.pidfd_of(task, fd)?;
        let scope = match flags {
            0 if self.rows[row].flags & PIDFD_THREAD != 0 => PIDFD_SIGNAL_THREAD,
            0 => PIDFD_SIGNAL_THREAD_GROUP,
            given => given,
        };
        let (gone, pid) = (self.rows[pidfd].gone, self.rows[pidfd].pid);
        let own = self.pids.task(pid) == Some(task);
        if let Some(info) = info {
            if info.signo != sig {
                return Err(Errno::EINVAL.into());
            }
            let alone = own && scope != PIDFD_SIGNAL_PROCESS_GROUP;
            if !alone && (info.code >= 0 || info.code == SI_TKILL) {
                return Err(Errno::EPERM.into());
            }
        }
        if gone {
            return Err(Errno::ESRCH.into());
        }
        self.signal_pidfd(task, pid, (sig, info), scope)?;
        Ok(Answer::default())
    }

    fn signal_pidfd(
        &mut self,
        task: TaskRow,
        pid: u32,
        (sig, info): (i32, Option<SigInfo>),
        scope: u32,
    ) -> Result<(), Errno> {
        let signal = match sig {
            0 => None,
            number => Some(Signal::new(number).ok_or(Errno::EINVAL)?),
        };
        match (scope, self.pids.process(pid), self.pids.task(pid)) {
            (PIDFD_SIGNAL_THREAD, _, Some(thread)) => {
                let process = self.rows[thread].process;
                self.may_kill(task, process, signal)?;
                if let Some(signal) = signal {
                    let info = info.unwrap_or_else(|| self.sender_info(task, signal, SI_TKILL));
                    refused(self.post_to_task(thread, signal, info))?;
                }
                Ok(())
            }
            (PIDFD_SIGNAL_PROCESS_GROUP, ..) => {
                let mut result = Err(Errno::ESRCH);
                for member in self.members(Club::Group, pid) {
                    let one = self.signal_process(task, member, (signal, info));
                    if result != Ok(()) {
                        result = one;
                    }
                }
                result
            }
            (_, Some(process), _) => self.signal_process(task, process, (signal, info)),
            // A thread that does not lead stands for its process.
            (_, None, Some(thread)) => {
                let process = self.rows[thread].process;
                self.signal_process(task, process, (signal, info))
            }
            (_, None, None) => Err(Errno::ESRCH),
        }
    }

    fn signal_process(
        &mut self,
        task: TaskRow,
        process: ProcessRow,
        (signal, info): (Option<Signal>, Option<SigInfo>),
    ) -> Result<(), Errno> {
        self.may_kill(task, process, signal)?;
        if let Some(signal) = signal
            && self.rows[process].life == Life::Alive
        {
            let info = info.unwrap_or_else(|| self.sender_info(task, signal, SI_USER));
            refused(self.post(process, signal, info))?;
        }
        Ok(())
    }

    /// pidfd_getfd(2): a duplicate of another process's descriptor, close-on-exec.
    pub(crate) fn pidfd_getfd(
        &mut self,
        task: TaskRow,
        fd: i32,
        targetfd: i32,
        flags: u32,
    ) -> CallResult {
        if flags != 0 {
            return Err(Errno::EINVAL.into());
        }
        let (pidfd, _) = self.pidfd_of(task, fd)?;
        let (gone, pid) = (self.rows[pidfd].gone, self.rows[pidfd].pid);
        let other = self.pids.task(pid).filter(|other| !gone && !self.rows[*other].exited);
        let other = other.ok_or(Errno::ESRCH)?;
        if !self.may_attach(task, other) {
            return Err(Errno::EPERM.into());
        }
        let slot = self.fd(other, targetfd)?;
        let own = self.free_fd(task, 0)?;
        self.rows[slot.description].refs += 1;
        self.install(task, own, slot.description, true);
        Ok(Answer::value(i64::from(own)))
    }

    /// The rule of ptrace(2), `PTRACE_MODE_ATTACH_REALCREDS`: all ids of the other are the caller's
    /// real ones, or a capability.
    fn may_attach(&self, task: TaskRow, other: TaskRow) -> bool {
        let (own, theirs) = (&self.rows[task].credentials, &self.rows[other].credentials);
        self.rows[task].process == self.rows[other].process
            || own.capable(CAP_SYS_PTRACE)
            || !self.rows[self.rows[other].process].undumpable
                && theirs.permitted & !own.permitted == 0
                && [theirs.uid, theirs.euid, theirs.suid].iter().all(|uid| *uid == own.uid)
                && [theirs.gid, theirs.egid, theirs.sgid].iter().all(|gid| *gid == own.gid)
    }

    /// What poll(2) says: its end, and then that it has been reaped.
    pub(crate) fn poll_pidfd(&self, pidfd: PidfdRow, flags: u32) -> u32 {
        let target = &self.rows[pidfd];
        if target.gone {
            return POLLIN | POLLRDNORM | POLLHUP;
        }
        let thread = self.pids.task(target.pid).is_some_and(|task| self.rows[task].exited);
        let process = self.pids.process(target.pid);
        let dead = process.is_some_and(|row| self.rows[row].life != Life::Alive);
        let over = dead || thread && flags & PIDFD_THREAD != 0;
        if over { POLLIN | POLLRDNORM } else { 0 }
    }

    /// A process or thread has ended, or been reaped: who polls a pidfd of it looks again.
    pub(crate) fn pidfd_ended(&mut self, pid: u32) {
        self.pidfd_woken(pid, POLLIN | POLLRDNORM);
    }

    fn pidfd_woken(&mut self, pid: u32, events: u32) {
        if let Some(pidfd) = self.pidfds.get(&pid).copied()
            && !self.rows[pidfd].waiters.is_empty()
        {
            self.woken(Changed::Pidfd(pidfd), Wake::of(events).for_all());
        }
    }

    /// A number no longer stands for the process or thread that had it.
    pub(crate) fn pidfd_gone(&mut self, pid: u32) {
        self.pidfd_woken(pid, 0);
        if let Some(pidfd) = self.pidfds.remove(&pid) {
            self.rows[pidfd].gone = true;
        }
    }
}
