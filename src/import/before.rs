//! What was there before strace was attached (`-p`): children and threads that no call of the
//! recording made, and what signals did. The walk begins with calls that bring it about.

use std::collections::{BTreeMap, BTreeSet};

use tickernel_systems::abi::flags::{
    CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_SYSVSEM, CLONE_THREAD, CLONE_VM,
};
use tickernel_systems::abi::{SigAction, Signal};
use tickernel_systems::event::Call;
use tickernel_systems::wire::Wire;

use super::meta::MAX_PID;
use crate::strace;

/// Most tasks and children that are looked at.
const MAX_TASKS: usize = 1 << 20;

/// An address that stands for a handler that nobody saw.
const HANDLER: u64 = 0x1000;

/// What is collected.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Tasks that calls of the recording made.
    made: BTreeSet<u32>,
    /// Children that somebody waited for, or was told of, and by whom; none of them was made.
    waited_for: BTreeMap<u32, u32>,
    /// Those of which only a signal told.
    only_told: BTreeSet<u32>,
    /// Processes that were made and not taken away by a wait.
    unreaped: u64,
    /// Calls that make a task and are never seen to return: those that speak next came of them.
    unreturned: u64,
    /// Tasks that had a child of which nothing but that is told.
    with_another: BTreeSet<u32>,
    /// Tasks that spoke and were not made.
    speakers: BTreeSet<u32>,
    /// Those of them that are processes of their own.
    processes: BTreeSet<u32>,
    /// The first task does not begin with its program.
    is_attached: Option<bool>,
    /// Calls on processes and threads are in the recording (`-e trace=…`).
    shows_tasks: bool,
    /// What the recording shows at all.
    pub(super) shown: Shown,
    /// What was done on signals.
    actions: BTreeMap<u8, SigAction>,
    /// Signals from whose handlers the first task returned, and nothing else tells of.
    caught: BTreeSet<u8>,
}

/// Which calls a recording shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    /// Ends by exit_group(2) or exit(2).
    pub(super) ends: bool,
    /// Returns of handlers.
    pub(super) returns: bool,
    /// Calls that failed.
    pub(super) failures: bool,
}

/// A call of a task that brings about what was there.
pub(super) type Prelude = Vec<(u32, Box<[u8]>)>;

impl Before {
    /// A call made a task: a child, or a thread.
    pub(super) fn made(&mut self, tid: u32, flags: u64) {
        if self.made.len() < MAX_TASKS {
            self.made.insert(tid);
        }
        self.unreaped += u64::from(flags & CLONE_THREAD == 0);
    }

    /// A child was taken away by a wait.
    pub(super) fn reaped(&mut self, pid: u32) {
        if self.made.contains(&pid) {
            self.unreaped = self.unreaped.saturating_sub(1);
        }
    }

    /// A wait found children, and none that had ended. It may be any that is there.
    pub(super) fn has_children(&mut self, parent: u32) {
        if self.unreaped == 0 && self.unreturned == 0 && self.with_another.len() < MAX_TASKS {
            self.with_another.insert(parent);
        }
    }

    /// A child was waited for, or its end told.
    pub(super) fn child(&mut self, parent: u32, pid: u32) {
        if pid > 0 && !self.made.contains(&pid) && self.waited_for.len() < MAX_TASKS {
            self.waited_for.entry(pid).or_insert_with(|| {
                // It is what an earlier wait found.
                self.with_another.remove(&parent);
                parent
            });
            self.only_told.remove(&pid);
        }
    }

    /// A signal told of a child's end. Who waited for it did so perhaps before.
    pub(super) fn told(&mut self, parent: u32, pid: u32) {
        if !self.waited_for.contains_key(&pid) {
            self.child(parent, pid);
            if self.waited_for.contains_key(&pid) {
                self.only_told.insert(pid);
            }
        }
    }

    /// A wait found no child: those of which only a signal told were waited for before.
    pub(super) fn has_none(&mut self, parent: u32) {
        let (told, waited_for) = (&mut self.only_told, &mut self.waited_for);
        told.retain(|pid| {
            let is_its = waited_for.get(pid) == Some(&parent);
            if is_its {
                waited_for.remove(pid);
            }
            !is_its
        });
    }

    /// A task enters or leaves a call.
    pub(super) fn speaks(&mut self, tid: u32, call: &strace::Call) {
        let name = &*call.name;
        self.is_attached.get_or_insert(name != "execve");
        self.shows_tasks |= matches!(name, "futex" | "exit_group" | "wait4");
        self.shown.ends |= matches!(name, "exit_group" | "exit");
        self.shown.returns |= name == "rt_sigreturn";
        self.shown.failures |= call.result.as_ref().is_some_and(|result| result.errno.is_some());
        let makes = matches!(name, "clone" | "clone3" | "fork" | "vfork");
        if makes && call.result.as_ref().is_none_or(|result| result.value.is_none()) {
            self.unreturned += 1;
        }
        if self.unreturned > 0 && !self.made.contains(&tid) && self.is_new(tid) {
            self.unreturned -= 1;
            self.made.insert(tid);
        }
        if !self.made.contains(&tid) && self.speakers.len() < MAX_TASKS {
            self.speakers.insert(tid);
            let told = call.result.as_ref().and_then(strace::CallResult::number);
            if name == "getpid" && told == Some(i128::from(tid)) || name == "execve" {
                self.processes.insert(tid);
            }
        }
    }

    /// Whether a task speaks for the first time, and is not the first that does.
    fn is_new(&self, tid: u32) -> bool {
        !self.speakers.is_empty() && !self.speakers.contains(&tid)
    }

    /// What a signal did when the first task began.
    pub(super) fn action(&mut self, signal: Signal, action: SigAction) {
        self.actions.entry(signal.number()).or_insert(action);
    }

    /// A handler of the first task returned that no call of it had set.
    pub(super) fn caught(&mut self, signal: Signal) {
        self.caught.insert(signal.number());
    }

    /// The calls with which the walk begins.
    pub(super) fn finish(&self, root: u32) -> Prelude {
        let mut prelude = Prelude::new();
        let mut put = |tid: u32, call: Call<'_>| {
            let mut bytes = Vec::new();
            call.put(&mut bytes);
            prelude.push((tid, bytes.into()));
        };
        let mut actions = self.actions.clone();
        for signum in &self.caught {
            actions
                .entry(*signum)
                .or_insert(SigAction { handler: HANDLER, ..SigAction::default() });
        }
        for (signum, action) in &actions {
            put(root, Call::RtSigaction { signum: i32::from(*signum), act: Some(*action) });
        }
        let thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND;
        let thread = thread | CLONE_THREAD | CLONE_SYSVSEM;
        if self.is_attached == Some(true) && self.shows_tasks {
            let apart = |tid: &&u32| **tid != root && !self.waited_for.contains_key(*tid);
            for tid in self.speakers.iter().filter(apart) {
                let child = u64::from(Signal::SIGCHLD.number());
                let flags = if self.processes.contains(tid) { child } else { thread };
                put(root, Call::Clone { flags, set_tid: *tid });
            }
        }
        let flags = u64::from(Signal::SIGCHLD.number());
        // Children of the first task come before theirs.
        let (first, later): (Vec<_>, Vec<_>) =
            self.waited_for.iter().filter(|(pid, _)| **pid != root).partition(|it| *it.1 == root);
        for (pid, parent) in first.into_iter().chain(later) {
            let is_there = *parent == root
                || self.speakers.contains(parent)
                || self.waited_for.contains_key(parent);
            if is_there {
                put(*parent, Call::Clone { flags, set_tid: *pid });
            }
        }
        if self.with_another.contains(&root) {
            prelude_of_another(root, &mut prelude);
        }
        prelude
    }
}

/// A child of the first task that never ends, by a number that no session has.
fn prelude_of_another(root: u32, prelude: &mut Prelude) {
    let (flags, set_tid) = (u64::from(Signal::SIGCHLD.number()), MAX_PID - 1);
    let mut bytes = Vec::new();
    Call::Clone { flags, set_tid }.put(&mut bytes);
    prelude.push((root, bytes.into()));
}
