//! After a mismatch: keeps the state on the recorded path, so that one wrong answer stays one
//! (IMPORT.md section 0). Also what ends with a call: handler frames, calls that came back.

use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::{AT_FDCWD, O_RDWR};
use tickernel_systems::event::{Call, CallId, Event};

use super::decode;
use super::order::Order;
use super::task::Pending;
use crate::replay::{Expected, Recorded, Role};

impl Order<'_> {
    /// A call ended in the simulation.
    pub(super) fn ended(&mut self, tid: u32, pending: &Pending, result: Result<i64, Errno>) {
        let Some(call) = pending.decoded.parsed() else { return };
        if matches!(call, Call::RtSigreturn {}) {
            self.handler_is_over(tid, decode::recorded(&pending.printed));
            return;
        }
        if matches!(call, Call::Unmodelled { .. }) {
            self.stand_in_for(tid, pending);
            self.note_loose_mode(tid, pending);
            return;
        }
        let right = match (pending.decoded.expected.recorded, result) {
            (Recorded::Value(value), Ok(got)) => value == got || !makes_fd(&call),
            (Recorded::Errno(wanted), Err(got)) => wanted == got,
            (Recorded::Never, _) => true,
            (Recorded::Value(_) | Recorded::Errno(_), _) => false,
        };
        if !right {
            self.force(tid, &call, pending.decoded.expected.recorded, result);
        }
    }

    /// rt_sigreturn: the call that the handler interrupted comes back, or is over with EINTR.
    fn handler_is_over(&mut self, tid: u32, recorded: Recorded) {
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let Some(mut interrupted) = task.frames.pop().flatten() else { return };
        if recorded == Recorded::Errno(Errno::EINTR) {
            interrupted.decoded.expected.recorded = recorded;
            let expected = interrupted.decoded.expected.clone();
            if let Some(item) = interrupted.item {
                self.items.expect(item, &expected);
            }
            // What the kernel does not know restarts as read(2) would; this one did not.
            if let Some(item) = interrupted.item
                && is_unmodelled(&interrupted)
                && self.kernel.blocked_call(tid) == Some(CallId(item))
            {
                self.resume(tid, item, 0);
            }
            return;
        }
        interrupted.restarting = true;
        self.set_pending(tid, interrupted);
    }

    fn force(&mut self, tid: u32, call: &Call<'_>, recorded: Recorded, result: Result<i64, Errno>) {
        if !makes_fd(call) {
            return;
        }
        let forced = |name: &str| Some(Expected::only(Role::Force, name));
        let got = result.ok().and_then(|fd| i32::try_from(fd).ok());
        let wanted = match recorded {
            Recorded::Value(fd) => i32::try_from(fd).ok(),
            Recorded::Errno(_) | Recorded::Never => None,
        };
        let source = match (got, wanted) {
            (Some(got), _) => Some(got),
            (None, Some(_)) => {
                let path = Some(&b"/dev/null"[..]);
                let call = Call::Openat { dirfd: AT_FDCWD, path, flags: O_RDWR, mode: 0 };
                let event = Event::Call { task: tid, call };
                match self.emit(&event, forced("openat"), None) {
                    tickernel_systems::event::Outcome::Done(answer) => {
                        i32::try_from(answer.value).ok()
                    }
                    _ => None,
                }
            }
            (None, None) => None,
        };
        let Some(source) = source.filter(|source| Some(*source) != wanted) else { return };
        if let Some(wanted) = wanted {
            let call = Call::Dup2 { oldfd: source, newfd: wanted };
            self.emit(&Event::Call { task: tid, call }, forced("dup2"), None);
        }
        let call = Call::Close { fd: source };
        self.emit(&Event::Call { task: tid, call }, forced("close"), None);
    }
}

fn is_unmodelled(pending: &Pending) -> bool {
    matches!(pending.decoded.parsed(), Some(Call::Unmodelled { .. }))
}

/// Calls whose value is a descriptor.
fn makes_fd(call: &Call<'_>) -> bool {
    use tickernel_systems::abi::flags::{F_DUPFD, F_DUPFD_CLOEXEC};
    match call {
        Call::Open { .. }
        | Call::Openat { .. }
        | Call::Openat2 { .. }
        | Call::Creat { .. }
        | Call::Dup { .. }
        | Call::Dup2 { .. }
        | Call::Dup3 { .. } => true,
        Call::Fcntl { cmd, .. } => matches!(*cmd, F_DUPFD | F_DUPFD_CLOEXEC),
        _ => false,
    }
}
