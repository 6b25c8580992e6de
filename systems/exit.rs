//! The end of a process: exit(2), exit_group(2), fatal signals, and what follows from it (wait(2),
//! setpgid(2) on orphaned groups).
//!
//! The order is Linux's: the vfork parent goes on, descriptors close and peers see it, children get
//! a new parent, orphaned stopped groups get SIGHUP and SIGCONT, the parent is told; a process that
//! nobody will wait for is reaped at once.

use crate::abi::flags::SA_NOCLDWAIT;
use crate::abi::signal::{CLD_DUMPED, CLD_EXITED, CLD_KILLED, SI_KERNEL, SI_USER, SIG_IGN};
use crate::abi::{SigInfo, Signal, WaitStatus};
use crate::components::Life;
use crate::event::Effect;
use crate::kernel::{Changed, Kernel};
use crate::rows::{ProcessRow, RowKind, TaskRow};
use crate::tables::deadlines::Due;
use crate::tables::family::Club;

impl Kernel {
    /// Ends a whole process.
    pub(crate) fn end_process(&mut self, process: ProcessRow, status: WaitStatus) {
        let row = &mut self.rows[process];
        if matches!(row.life, Life::Zombie(_)) {
            return;
        }
        let (pid, status) = (row.pid, row.ending.unwrap_or(status));
        let threads = core::mem::take(&mut row.threads);
        self.keep_signals(process, pid);
        // The user of SIGCHLD's siginfo is the leader's, which is gone by then.
        let mut uid = 0;
        for (at, tid) in threads.iter().enumerate() {
            if let Some(task) = self.pids.task(*tid) {
                let user = self.end_task(task, status);
                uid = if at == 0 { user } else { uid };
            }
        }
        if self.face.sockets.len() > 0 {
            self.drop_sockets_of(pid);
        }
        self.drop_timers(process, true);
        if self.rows[process].sid == pid {
            self.leader_ended(process);
        }
        let row = &mut self.rows[process];
        row.last_uid = uid;
        row.cpu_timers = None;
        let alarm_ns = core::mem::take(&mut row.alarm_ns);
        let (exe, stopped) = (row.exe.take(), row.stopped.take());
        row.life = Life::Zombie(status);
        row.exit_code = status.shell_code(row.exit_code);
        let has_children = row.children.next != 0;
        if alarm_ns != 0 {
            self.deadlines.remove(alarm_ns, Due::Alarm(pid));
        }
        if let Some(exe) = exe {
            self.end_run(exe);
        }
        self.counters.stopped -= u64::from(stopped.is_some());
        self.counters.zombies += 1;
        self.user_tasks.enter(uid);
        self.emit(Effect::Exited { process: pid, status });
        if !self.pidfds.is_empty() {
            self.pidfd_ended(pid);
        }
        if has_children {
            self.orphan_children(process);
        }
        self.loosen_group(process);
        self.notify_parent(process, status, uid);
        if pid == self.init {
            self.end_namespace();
        }
    }

    /// What is pending for a zombie stays there until it is reaped, and in its user's count
    /// (RLIMIT_SIGPENDING; as observed): what was the leader's own, too.
    fn keep_signals(&mut self, process: ProcessRow, pid: u32) {
        let Some(leader) = self.pids.task(pid) else { return };
        let own = core::mem::take(&mut self.rows[leader].pending);
        own.queue.into_iter().for_each(|queued| self.rows[process].pending.add(queued));
    }

    /// exit(2) of one thread; the process ends with the last one.
    pub(crate) fn end_thread(&mut self, task: TaskRow, code: u8) {
        let process = self.rows[task].process;
        let live = self.live_threads(process);
        if live <= 1 {
            self.end_process(process, WaitStatus::Exited(code));
            return;
        }
        let tid = self.rows[task].tid;
        if tid == self.rows[process].pid {
            // The leader stays as a dead thread until the process ends (pthreads(7)).
            self.drop_shared(task);
            self.rows[task].exited = true;
            self.pidfd_ended(tid);
            let uid = self.rows[task].credentials.uid;
            self.hand_children_on(process, tid, self.first_thread(process), uid);
            return;
        }
        self.rows[process].threads.retain(|thread| *thread != tid);
        let uid = self.end_task(task, WaitStatus::Exited(code));
        self.hand_children_on(process, tid, self.first_thread(process), uid);
    }

    /// The first thread of a process that has not ended.
    fn first_thread(&self, process: ProcessRow) -> u32 {
        let row = &self.rows[process];
        let lives = |tid: &&u32| self.pids.task(**tid).is_some_and(|row| !self.rows[row].exited);
        row.threads.iter().find(lives).copied().unwrap_or(row.pid)
    }

    /// The children of a thread that ends become those of another one of its process, behind the
    /// children that it has (wait(2), "`__WNOTHREAD`"); its end is the end of a parent to them.
    pub(crate) fn hand_children_on(&mut self, process: ProcessRow, from: u32, to: u32, uid: u32) {
        let row = &self.rows[process];
        let (pid, maker, heir) = (row.pid, row.maker_number(from), row.maker_number(to));
        for child in self.children(process) {
            if self.rows[child].maker != maker {
                continue;
            }
            self.tell_of_parent(child, pid, uid);
            self.disown(child);
            self.adopt(child, pid);
            self.rows[child].maker = heir;
            if matches!(self.rows[child].life, Life::Zombie(_)) {
                self.hand_zombie_on(child);
            }
        }
    }

    /// The only thread left is the leader from now on.
    pub(crate) fn own_all_children(&mut self, process: ProcessRow) {
        for child in self.children(process) {
            self.rows[child].maker = 0;
        }
    }

    fn live_threads(&self, process: ProcessRow) -> u32 {
        let threads = self.rows[process].threads.iter();
        let live = threads.filter_map(|tid| self.pids.task(*tid));
        live.filter(|task| !self.rows[*task].exited).count() as u32
    }

    /// Removes a task: its blocked call is gone, what it shares loses a user. Gives its real user.
    pub(crate) fn end_task(&mut self, task: TaskRow, status: WaitStatus) -> u32 {
        self.cancel(task, status);
        let row = &self.rows[task];
        let (tid, process, exited) = (row.tid, row.process, row.exited);
        let (uid, groups) = (row.credentials.uid, row.credentials.groups.len() as u64);
        // The memory goes before the descriptors: the parent in vfork(2) is woken first.
        let owner = &self.rows[process];
        let leads = owner.pid == tid;
        if leads && owner.vfork_parent != 0 {
            self.end_vfork(process);
        }
        if !exited {
            self.drop_shared(task);
        }
        self.pids.change(tid, |entry| entry.task = None);
        let signals = core::mem::take(&mut self.rows[task].pending).queue;
        self.forget_signals(signals);
        self.unhold_bytes(4 * groups);
        self.user_tasks.leave(uid);
        task.remove(&mut self.rows);
        if !leads {
            self.pidfd_gone(tid);
        }
        uid
    }

    /// Gives back the descriptor table, context and dispositions of a task.
    fn drop_shared(&mut self, task: TaskRow) {
        let (files, context, handlers) = {
            let task = &self.rows[task];
            (task.files, task.context, task.handlers)
        };
        self.drop_files(files);
        self.drop_context(context);
        let shared = &mut self.rows[handlers];
        shared.refs -= 1;
        if shared.refs == 0 {
            handlers.remove(&mut self.rows);
        }
    }

    /// The parent in vfork(2) goes on: the child has ended or executes another program.
    pub(crate) fn end_vfork(&mut self, child: ProcessRow) {
        let parent = core::mem::take(&mut self.rows[child].vfork_parent);
        if parent != 0 {
            self.note(Changed::Task(parent));
        }
    }

    /// Whether the child of a vfork no longer holds its parent.
    pub(crate) fn vfork_is_over(&self, parent: TaskRow, child: u32) -> bool {
        let tid = self.rows[parent].tid;
        self.pids.process(child).is_none_or(|child| self.rows[child].vfork_parent != tid)
    }

    /// Children of a process that ends get the nearest subreaper above it, or init, as their
    /// parent.
    fn orphan_children(&mut self, process: ProcessRow) {
        let reaper = self.reaper_for(process);
        let heir = self
            .pids
            .process(reaper)
            .map_or(0, |above| self.rows[above].maker_number(self.first_thread(above)));
        let (own, uid) = (self.rows[process].pid, self.rows[process].last_uid);
        for child in self.children(process) {
            let group = self.rows[child].pgid;
            self.tell_of_parent(child, own, uid);
            self.disown(child);
            self.adopt(child, reaper);
            self.rows[child].maker = heir;
            self.rows[child].exit_signal = Signal::SIGCHLD.number();
            if reaper == 0 {
                self.rows[child].outside_parent = u32::from(!self.bends.first_adopts);
            }
            match self.rows[child].life {
                // Its end was told to the parent that had it (section 2, "Exit").
                Life::Zombie(_) if self.bends.first_adopts => self.hand_zombie_on(child),
                Life::Zombie(status) => {
                    let uid = self.rows[child].last_uid;
                    self.notify_parent(child, status, uid);
                }
                Life::Alive => {
                    let father = &self.rows[process];
                    let tied = father.pgid != group && father.sid == self.rows[child].sid;
                    if tied || self.bends.ends_wake_orphans {
                        self.wake_orphaned_group(group, 0);
                    }
                }
            }
        }
    }

    /// `PR_SET_PDEATHSIG` of prctl(2): the parent of a process ends, or the thread that made it.
    fn tell_of_parent(&mut self, child: ProcessRow, pid: u32, uid: u32) {
        let signal = Signal::new(i32::from(self.rows[child].death_signal));
        if let Some(signal) = signal
            && self.rows[child].life == Life::Alive
        {
            let signo = i32::from(signal.number());
            let info = SigInfo { signo, code: SI_USER, pid, uid, ..SigInfo::default() };
            self.post(child, signal, info);
        }
    }

    /// A zombie that its new parent can wait for.
    fn hand_zombie_on(&mut self, child: ProcessRow) {
        let (birth, pid) = (self.rows[child].birth, self.rows[child].pid);
        if let Some(parent) = self.pids.process(self.rows[child].parent) {
            self.rows[parent].reportable.insert((birth, pid));
        }
    }

    fn reaper_for(&self, process: ProcessRow) -> u32 {
        // The face knows no subreapers; and there a parent is any number that was given, so that
        // the way up may be a circle.
        let mut at = if self.bends.first_adopts { 0 } else { self.rows[process].parent };
        while let Some(above) = self.pids.process(at) {
            let lives = self.rows[above].life == Life::Alive;
            if self.rows[above].subreaper && lives {
                return at;
            }
            at = self.rows[above].parent;
        }
        let init = self.init();
        if self.rows[process].pid == init { 0 } else { init }
    }

    /// The process that adopts orphans.
    fn init(&self) -> u32 {
        if !self.bends.first_adopts {
            return self.init;
        }
        let first = self.pids.process(1);
        u32::from(first.is_some_and(|first| self.rows[first].life == Life::Alive))
    }

    /// Whether no member of the group has a parent in another group of the same session
    /// (setpgid(2)); `except` is passed over as one that is ending.
    pub(crate) fn group_is_orphaned(&self, pgid: u32, except: u32) -> bool {
        self.members(Club::Group, pgid).iter().all(|member| {
            let member = &self.rows[*member];
            if member.pid == except || matches!(member.life, Life::Zombie(_)) {
                return true;
            }
            let Some(parent) = self.pids.process(member.parent) else { return true };
            if self.bends.ends_wake_orphans && member.parent == 1 {
                return true;
            }
            let parent = &self.rows[parent];
            parent.pgid == pgid || parent.sid != member.sid
        })
    }

    /// The end of a process whose parent tied its group to the session may leave the group
    /// orphaned.
    fn loosen_group(&mut self, process: ProcessRow) {
        let row = &self.rows[process];
        let (pid, pgid) = (row.pid, row.pgid);
        let tied = || {
            let parent = &self.rows[self.pids.process(row.parent)?];
            Some(parent.pgid != pgid && parent.sid == row.sid)
        };
        if self.bends.ends_wake_orphans || tied() == Some(true) {
            self.wake_orphaned_group(pgid, pid);
        }
    }

    /// A group that becomes orphaned while a member is stopped gets SIGHUP and SIGCONT. The caller
    /// knows that a tie to the session went: the process `except`, or the parent of a member.
    fn wake_orphaned_group(&mut self, pgid: u32, except: u32) {
        // In most kernels nothing is, and then no group is walked.
        if self.counters.stopped == 0 {
            return;
        }
        let members = self.members(Club::Group, pgid);
        let stopped = members.iter().any(|member| self.rows[*member].stopped.is_some());
        if !stopped || !self.group_is_orphaned(pgid, except) {
            return;
        }
        for signal in [Signal::SIGHUP, Signal::SIGCONT] {
            for member in &members {
                let info = SigInfo {
                    signo: i32::from(signal.number()),
                    code: SI_KERNEL,
                    ..SigInfo::default()
                };
                self.post(*member, signal, info);
            }
        }
    }

    /// SIGCHLD to the parent, and the zombie into its list; or nobody waits and it is reaped.
    fn notify_parent(&mut self, process: ProcessRow, status: WaitStatus, uid: u32) {
        let row = &self.rows[process];
        let (pid, birth, group, maker) = (row.pid, row.birth, row.pgid, row.maker);
        let exit_signal = Signal::new(i32::from(row.exit_signal));
        let parent = self.pids.process(row.parent);
        if self.bends.zombies_stay && !self.stays(process) {
            return;
        }
        let Some(parent) = parent else {
            if !self.bends.zombies_stay {
                self.reap(process);
            }
            return;
        };
        let (action, unheard) = self.process_action(parent, Signal::SIGCHLD);
        let by_child = exit_signal == Some(Signal::SIGCHLD);
        let unwanted = by_child && (action.handler == SIG_IGN || action.flags & SA_NOCLDWAIT != 0);
        if let Some(signal) = exit_signal
            && !(by_child && (unheard && maker == 0 || action.handler == SIG_IGN))
            && self.hears(parent)
        {
            self.post_of_child(parent, maker, signal, child_info(pid, uid, signal, status));
        }
        if unwanted {
            self.reap(process);
        }
        let above = &mut self.rows[parent];
        if !unwanted {
            above.reportable.insert((birth, pid));
        }
        if !above.child_waiters.is_empty() {
            let parent = above.pid;
            self.note(Changed::Children { parent, child: pid, group, maker });
        }
    }

    /// Whether a process is told of its children by signals.
    pub(crate) fn hears(&self, parent: ProcessRow) -> bool {
        !self.bends.stopped_parents_hear_nothing || self.rows[parent].stopped.is_none()
    }

    /// Removes a zombie from every list: its number is free if no group or session has it.
    pub(crate) fn reap(&mut self, process: ProcessRow) {
        self.leave_lists(process);
        let row = &self.rows[process];
        let (pid, driver, requester) = (row.pid, row.driver, row.requester);
        self.user_tasks.leave(row.last_uid);
        let (goes_ns, text, text_bytes) = (row.goes_ns, row.text, row.text_bytes);
        let signals = core::mem::take(&mut self.rows[process].pending).queue;
        self.forget_signals(signals);
        if goes_ns != 0 {
            self.deadlines.remove(goes_ns, Due::Zombie(pid));
        }
        if driver != 0 || requester != 0 {
            self.face.names.release(driver);
            self.face.names.release(requester);
        }
        self.rows.drop_text(text);
        self.unhold_bytes(text_bytes);
        if let Some(cwd) = self.face.cwds.remove(&pid) {
            self.unhold_bytes(crate::face::cwd_bytes(&cwd.0));
        }
        self.pids.change(pid, |entry| entry.process = None);
        process.remove(&mut self.rows);
        if !self.pidfds.is_empty() {
            self.pidfd_gone(pid);
        }
        self.counters.zombies -= 1;
    }

    /// Init has ended: everything else does (pid_namespaces(7)).
    fn end_namespace(&mut self) {
        self.init = 0;
        for (_, process) in ProcessRow::all(&self.rows) {
            // The end of one may have reaped others.
            if process.is_live(&self.rows) {
                self.end_process(process, WaitStatus::Signaled(Signal::SIGKILL, false));
            }
        }
    }
}

/// siginfo of SIGCHLD for a child that ended.
pub(crate) fn child_info(pid: u32, uid: u32, signal: Signal, status: WaitStatus) -> SigInfo {
    let (code, status) = match status {
        WaitStatus::Exited(code) => (CLD_EXITED, i32::from(code)),
        WaitStatus::Signaled(by, false) => (CLD_KILLED, i32::from(by.number())),
        WaitStatus::Signaled(by, true) => (CLD_DUMPED, i32::from(by.number())),
        WaitStatus::Stopped(by) => (crate::abi::signal::CLD_STOPPED, i32::from(by.number())),
        WaitStatus::Continued => {
            (crate::abi::signal::CLD_CONTINUED, i32::from(Signal::SIGCONT.number()))
        }
    };
    SigInfo { signo: i32::from(signal.number()), code, pid, uid, status, value: 0 }
}
