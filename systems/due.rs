//! Which signals a task must take before it runs in user mode again (signal(7)): what a replay asks
//! to find a signal that its recording never shows. Looks only; used by no phase.
//!
//! Not here: signals of a process with several threads, any of which may take them; SIGCHLD for a
//! stop or a continuation, which comes when the child gets to run; SIGALRM of a timer, because a
//! recording tells its time only in about.

use crate::abi::signal::{CLD_CONTINUED, CLD_STOPPED, SI_KERNEL, SIG_DFL};
use crate::abi::{SigSet, Signal};
use crate::components::{Life, Pending};
use crate::deliver::is_ignored;
use crate::kernel::Kernel;

impl Kernel {
    /// Whether any signal is pending anywhere.
    #[inline]
    pub const fn has_signals(&self) -> bool {
        self.queued_signals > 0
    }

    /// The signals that a task takes when it next returns to user mode.
    pub fn due_signals(&self, tid: u32) -> SigSet {
        let Some(row) = self.pids.task(tid) else { return SigSet::EMPTY };
        let task = &self.rows[row];
        let process = &self.rows[task.process];
        if task.exited || process.stopped.is_some() || process.life != Life::Alive {
            return SigSet::EMPTY;
        }
        let mut all = without_late(&task.pending);
        if process.threads.len() == 1 {
            all = all.union(without_late(&process.pending));
        }
        let mut due = all.without(task.mask.without(SigSet::UNSTOPPABLE));
        for signal in due.iter() {
            let action = self.rows[task.handlers].action(signal);
            let spared = process.pid == self.init && action.handler == SIG_DFL;
            if spared || is_ignored(signal, action) {
                due.remove(signal);
            }
        }
        due
    }
}

/// The pending signals but those of which nobody can say when they come.
fn without_late(pending: &Pending) -> SigSet {
    let mut set = pending.set;
    for queued in &pending.queue {
        let late = match queued.signal {
            Signal::SIGCHLD => matches!(queued.info.code, CLD_STOPPED | CLD_CONTINUED),
            Signal::SIGALRM => queued.info.code == SI_KERNEL,
            _ => false,
        };
        if late {
            set.remove(queued.signal);
        }
    }
    set
}
