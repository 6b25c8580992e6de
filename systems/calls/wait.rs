//! wait4(2) and waitid(2): which child can be reported, and what a wait takes of it.

use crate::abi::flags::*;
use crate::abi::{Errno, Signal, WaitStatus};
use crate::components::{ChildSelect, Life, Process, Restart, Waiting};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::{ProcessRow, TaskRow};
use crate::tables::family::Club;
use alloc::boxed::Box;

const WAIT4_OPTIONS: u32 = WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WALL | __WCLONE;
const WAITID_OPTIONS: u32 = WAIT4_OPTIONS | WEXITED | WNOWAIT;

impl Kernel {
    /// wait4(2).
    pub(crate) fn wait4(&mut self, task: TaskRow, wpid: i32, options: u32) -> CallResult {
        if options & !WAIT4_OPTIONS != 0 {
            return Err(Errno::EINVAL.into());
        }
        let select = match wpid {
            i32::MIN => return Err(Errno::ESRCH.into()),
            -1 => ChildSelect::Any,
            0 => ChildSelect::Group(self.rows[self.rows[task].process].pgid),
            group if group < -1 => ChildSelect::Group(group.unsigned_abs()),
            pid => ChildSelect::Pid(pid as u32),
        };
        self.wait_for(task, select, options | WEXITED, false)
    }

    /// waitid(2).
    pub(crate) fn waitid(
        &mut self,
        task: TaskRow,
        idtype: u32,
        id: u32,
        options: u32,
    ) -> CallResult {
        let kinds = WEXITED | WSTOPPED | WCONTINUED;
        if options & !WAITID_OPTIONS != 0 || options & kinds == 0 {
            return Err(Errno::EINVAL.into());
        }
        let select = match idtype {
            P_ALL => ChildSelect::Any,
            P_PID if id as i32 > 0 => ChildSelect::Pid(id),
            P_PGID if id == 0 => ChildSelect::Group(self.rows[self.rows[task].process].pgid),
            P_PGID if id as i32 > 0 => ChildSelect::Group(id),
            P_PIDFD if id as i32 >= 0 => {
                let (pid, nonblocking) = self.pidfd_to_wait_for(task, id as i32)?;
                return self.wait_for_pidfd(task, pid, options, nonblocking);
            }
            _ => return Err(Errno::EINVAL.into()),
        };
        self.wait_for(task, select, options, true)
    }

    /// waitid(2) of `P_PIDFD`: one made with `PIDFD_NONBLOCK` gives EAGAIN where it would wait.
    fn wait_for_pidfd(
        &mut self,
        task: TaskRow,
        pid: u32,
        options: u32,
        nonblocking: bool,
    ) -> CallResult {
        let select = ChildSelect::Pid(pid);
        if nonblocking && options & WNOHANG == 0 {
            let found = self.try_wait(task, select, options, true)?;
            return found.ok_or_else(|| Errno::EAGAIN.into());
        }
        self.wait_for(task, select, options, true)
    }

    fn wait_for(
        &mut self,
        task: TaskRow,
        select: ChildSelect,
        options: u32,
        info: bool,
    ) -> CallResult {
        if let Some(answer) = self.try_wait(task, select, options, info)? {
            return Ok(answer);
        }
        if options & WNOHANG != 0 {
            let none = Payload::Info(Box::default());
            return Ok(if info { Answer::with(none) } else { Answer::default() });
        }
        Err(Stop::block(Waiting::Child { select, options, info }, None, Restart::WithFlag))
    }

    /// One look at the children: what can be reported, `None` if nothing yet.
    ///
    /// # Errors
    /// `ECHILD` without a matching child.
    pub(crate) fn try_wait(
        &mut self,
        task: TaskRow,
        select: ChildSelect,
        options: u32,
        info: bool,
    ) -> Result<Option<Answer>, Errno> {
        let waiter = self.rows[task].process;
        let Some((child, status)) = self.find_reportable(task, select, options) else {
            let any = self.has_child(task, select, options);
            return if any { Ok(None) } else { Err(Errno::ECHILD) };
        };
        let row = &self.rows[child];
        let (pid, uid, code) = (row.pid, row.last_uid, status.shell_code(row.exit_code));
        if options & WNOWAIT == 0 {
            self.consume(waiter, child);
        }
        Ok(Some(if info {
            let info = crate::exit::child_info(pid, uid, Signal::SIGCHLD, status);
            Answer::with(Payload::Info(Box::new(info)))
        } else if self.bends.waits_tell_numbers {
            Answer { value: i64::from(pid), payload: Payload::Change(change_of(status), code) }
        } else {
            Answer { value: i64::from(pid), payload: Payload::Status(status) }
        }))
    }

    /// The child to report: the caller's own come before those of the other threads, in the order
    /// in which the threads follow the caller.
    fn find_reportable(
        &self,
        task: TaskRow,
        select: ChildSelect,
        options: u32,
    ) -> Option<(ProcessRow, WaitStatus)> {
        let tid = self.rows[task].tid;
        let waiter = &self.rows[self.rows[task].process];
        if waiter.threads.len() == 1 {
            return self.find_of(waiter, None, select, options);
        }
        let own = waiter.threads.iter().position(|thread| *thread == tid).unwrap_or(0);
        let (before, after) = waiter.threads.split_at(own);
        let count = if options & __WNOTHREAD != 0 { 1 } else { waiter.threads.len() };
        let mut makers = after.iter().chain(before).take(count);
        makers.find_map(|tid| self.find_of(waiter, Some(*tid), select, options))
    }

    /// The first child of one thread, or of any, that has something to report.
    fn find_of(
        &self,
        waiter: &Process,
        thread: Option<u32>,
        select: ChildSelect,
        options: u32,
    ) -> Option<(ProcessRow, WaitStatus)> {
        let maker = thread.map(|tid| waiter.maker_number(tid));
        waiter.reportable.find(|(_, pid)| {
            let child = self.pids.process(pid)?;
            let row = &self.rows[child];
            let fits = selects(select, row)
                && eligible(row, options)
                && maker.is_none_or(|maker| row.maker == maker);
            Some((child, reportable(row, options).filter(|_| fits)?))
        })
    }

    /// Takes what was reported: a zombie is reaped, a stop or continuation forgotten.
    fn consume(&mut self, waiter: ProcessRow, child: ProcessRow) {
        if matches!(self.rows[child].life, Life::Zombie(_)) {
            self.reap(child);
            return;
        }
        self.rows[child].report = None;
        let key = (self.rows[child].birth, self.rows[child].pid);
        self.rows[waiter].reportable.remove(key);
    }

    /// Whether the process has a child that the wait is for, ended or not.
    fn has_child(&self, task: TaskRow, select: ChildSelect, options: u32) -> bool {
        let waiter = self.rows[task].process;
        let own = self.rows[waiter].pid;
        let maker = self.rows[waiter].maker_number(self.rows[task].tid);
        let eligible = |child: &Process| {
            eligible(child, options) && (options & __WNOTHREAD == 0 || child.maker == maker)
        };
        match select {
            ChildSelect::Pid(pid) => self
                .pids
                .process(pid)
                .is_some_and(|child| self.rows[child].parent == own && eligible(&self.rows[child])),
            ChildSelect::Any => {
                let mut at = self.rows[waiter].children.next;
                while let Some(child) = self.pids.process(at) {
                    if eligible(&self.rows[child]) {
                        return true;
                    }
                    at = self.rows[child].sibling.next;
                }
                false
            }
            ChildSelect::Group(group) => self
                .members(Club::Group, group)
                .iter()
                .any(|member| self.rows[*member].parent == own && eligible(&self.rows[*member])),
        }
    }
}

/// Which change a status is: see [`Payload::Change`].
const fn change_of(status: WaitStatus) -> u32 {
    match status {
        WaitStatus::Exited(_) | WaitStatus::Signaled(..) => 0,
        WaitStatus::Stopped(_) => 1,
        WaitStatus::Continued => 2,
    }
}

fn selects(select: ChildSelect, child: &Process) -> bool {
    match select {
        ChildSelect::Any => true,
        ChildSelect::Pid(pid) => child.pid == pid,
        ChildSelect::Group(group) => child.pgid == group,
    }
}

/// Children of clone(2) that do not send SIGCHLD are waited for only with `__WALL` or `__WCLONE`,
/// and a zombie only where ends are.
fn eligible(child: &Process, options: u32) -> bool {
    if matches!(child.life, Life::Zombie(_)) && options & WEXITED == 0 {
        return false;
    }
    let clone = child.exit_signal != Signal::SIGCHLD.number();
    options & __WALL != 0 || clone == (options & __WCLONE != 0)
}

/// What the options let a child report.
fn reportable(child: &Process, options: u32) -> Option<WaitStatus> {
    match (child.life, child.report) {
        (Life::Zombie(status), _) => (options & WEXITED != 0).then_some(status),
        (Life::Alive, Some(status @ WaitStatus::Stopped(_))) => {
            (options & WSTOPPED != 0).then_some(status)
        }
        (Life::Alive, Some(WaitStatus::Continued)) => {
            (options & WCONTINUED != 0).then_some(WaitStatus::Continued)
        }
        (Life::Alive, _) => None,
    }
}
