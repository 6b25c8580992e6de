//! Signals at their lines and the ends of tasks (IMPORT.md section 3).

use tickernel_systems::abi::signal::{DefaultAction, SIG_DFL, SIG_IGN};
use tickernel_systems::abi::{SigInfo, Signal};
use tickernel_systems::event::{Call, Event, Payload};
use tickernel_systems::wire::{Wire, WireReader};

use super::numbers;
use super::order::{CLOCK_STEP_NS, MAX_DEMANDS, Order};
use crate::replay::{Expected, Role};
use crate::strace::Value;

impl Order<'_> {
    pub(super) fn signal(&mut self, tid: u32, signal: Signal, info: &Value, fatal: bool) {
        let recorded = numbers::siginfo(info)
            .unwrap_or(SigInfo { signo: i32::from(signal.number()), ..SigInfo::default() });
        if fatal {
            self.task(tid).fatal = Some((signal, recorded));
            return;
        }
        self.clock(CLOCK_STEP_NS);
        self.deliver(tid, signal, recorded);
    }

    pub(super) fn deliver(&mut self, tid: u32, signal: Signal, recorded: SigInfo) {
        if !self.is_known(tid) {
            return;
        }
        for _ in 0..MAX_DEMANDS {
            if self.kernel.has_pending(tid, signal) || !self.supply_signal(tid, recorded.pid) {
                break;
            }
        }
        let action = self.kernel.action_of(tid, signal).unwrap_or_default();
        let default = signal.default_action();
        let nothing = action.handler == SIG_IGN
            || action.handler == SIG_DFL
                && matches!(default, DefaultAction::Ignore | DefaultAction::Continue);
        if !self.kernel.has_pending(tid, signal) {
            if nothing {
                return;
            }
            let process = self.kernel.process_of_task(tid).unwrap_or(tid);
            self.emit(&Event::Signal { target: process, info: recorded }, None, None);
        }
        let caught = action.handler != SIG_DFL && action.handler != SIG_IGN;
        if caught {
            self.block_for_handler(tid);
        }
        let expected = Expected {
            payload: Payload::Info(Box::new(recorded)),
            ..Expected::only(Role::Signal, signal.name())
        };
        let lines = (self.line, self.line);
        self.emit(&Event::Deliver { task: tid, signal }, Some(expected), Some(lines));
        if caught {
            let interrupted = self.task(tid).pending.take();
            self.task(tid).frames.push(interrupted);
        }
    }

    /// The call that a handler interrupts must be waiting in the kernel.
    pub(super) fn block_for_handler(&mut self, tid: u32) {
        let waits = matches!(&self.task(tid).pending, Some(pending) if pending.item.is_none());
        if waits {
            self.park(tid);
        }
    }

    pub(super) fn exited(&mut self, tid: u32, status: u32) {
        self.clock(CLOCK_STEP_NS);
        if self.is_known(tid) && self.kernel.is_alive(tid) {
            self.end(tid, status);
        }
        self.tasks.remove(&tid);
    }

    /// Threads of the same process that the walk knows.
    pub(super) fn siblings(&self, tid: u32) -> Vec<u32> {
        let process = self.kernel.process_of_task(tid);
        let same = |other: &u32| self.kernel.process_of_task(*other) == process;
        self.tasks.keys().copied().filter(|other| *other != tid && same(other)).collect()
    }

    pub(super) fn end(&mut self, tid: u32, status: u32) {
        let is_exit = |order: &mut Self, tid: u32, group: bool| {
            let Some(bytes) = order.call_bytes(tid) else { return false };
            match Call::get(&mut WireReader::new(&bytes)) {
                Ok(Call::ExitGroup { .. }) => true,
                Ok(Call::Exit { .. }) => !group,
                _ => false,
            }
        };
        let siblings = self.siblings(tid);
        let leader = siblings.iter().copied().find(|other| is_exit(self, *other, true));
        let own = is_exit(self, tid, false);
        let own_group = is_exit(self, tid, true);
        if own_group || (!own && leader.is_some()) {
            for other in siblings.iter().copied().chain([tid]) {
                if !is_exit(self, other, true) {
                    self.park(other);
                }
            }
        }
        if own {
            self.run_call(tid);
        } else if let Some(leader) = leader {
            self.run_call(leader);
        } else {
            self.park(tid);
            let call = Call::ExitGroup { status: i32::try_from(status).unwrap_or(0) };
            let forced = Expected::only(Role::Force, "exit_group");
            let lines = (self.line, self.line);
            self.emit(&Event::Call { task: tid, call }, Some(forced), Some(lines));
        }
    }

    pub(super) fn killed(&mut self, tid: u32, signal: Signal) {
        self.clock(CLOCK_STEP_NS);
        if self.is_known(tid) && self.kernel.is_alive(tid) {
            // What its end shows to others they may have looked for before.
            self.hold_back(tid, &Call::ExitGroup { status: 0 });
            for other in self.siblings(tid).into_iter().chain([tid]) {
                self.park(other);
            }
            match self.task(tid).fatal.take() {
                Some((fatal, info)) => self.deliver(tid, fatal, info),
                None => {
                    let lines = (self.line, self.line);
                    self.emit(&Event::Deliver { task: tid, signal }, None, Some(lines));
                }
            }
            if self.kernel.is_alive(tid) {
                let kill = Signal::SIGKILL;
                let forced = Expected::only(Role::Force, kill.name());
                let lines = (self.line, self.line);
                self.emit(&Event::Deliver { task: tid, signal: kill }, Some(forced), Some(lines));
            }
        }
        self.tasks.remove(&tid);
    }
}
