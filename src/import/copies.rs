//! What a child's first calls tell of the table of descriptors that it got: a copy of its parent's
//! at the moment of clone(2). Where threads share that, others take and give back numbers at the
//! same time; which of these came before the copy was made nothing else tells (`races.rs`).

use std::collections::BTreeSet;

use tickernel_systems::abi::Errno;
use tickernel_systems::event::Call;

use super::decode;
use super::descriptors::used;
use super::races::{Effect, effect};
use crate::replay::Recorded;
use crate::strace::{EventKind, Recording};

/// Calls of a child that are looked at: a closing of all that it does not need among them.
const MAX_CALLS: u32 = 256;
/// Events among which they are looked for.
const MAX_EVENTS: usize = 8192;

/// Numbers that the copy had and had not.
#[derive(Debug, Default)]
struct Copied {
    used: BTreeSet<i32>,
    free: BTreeSet<i32>,
    /// Numbers that the child itself changed.
    own: BTreeSet<i32>,
}

impl Copied {
    fn had(&mut self, fd: i32, is_used: bool) {
        if fd >= 0 && !self.own.contains(&fd) {
            let (told, other) =
                if is_used { (&mut self.used, &self.free) } else { (&mut self.free, &self.used) };
            if !other.contains(&fd) {
                told.insert(fd);
            }
        }
    }

    fn see(&mut self, effect: Effect) {
        match effect {
            Effect::Takes { from, numbers } => {
                let last = numbers.iter().copied().max().unwrap_or(from);
                for fd in from..last {
                    if !numbers.contains(&fd) {
                        self.had(fd, true);
                    }
                }
                for fd in numbers {
                    self.had(fd, false);
                    self.own.insert(fd);
                }
            }
            Effect::Frees(fd) => {
                self.had(fd, true);
                self.own.insert(fd);
            }
            Effect::Puts(fd) => drop(self.own.insert(fd)),
            Effect::Copies { .. } => {}
        }
    }
}

/// What a child shows of its table; its parent's call stands at `at` among the events.
pub(super) fn copied(recording: &Recording, at: u64, child: u32) -> Effect {
    let (mut copied, mut calls) = (Copied::default(), 0);
    for event in recording.events.iter_from(at + 1).take(MAX_EVENTS) {
        let EventKind::Exit { call } = event.kind else { continue };
        if event.tid != Some(child) {
            continue;
        }
        let Some(call) = recording.calls.get(call) else { break };
        let decoded = decode::decode(&call);
        let parsed = decoded.parsed();
        let executes = matches!(parsed, Some(Call::Execve { .. }))
            && decoded.expected.recorded == Recorded::Value(0);
        if executes || calls > MAX_CALLS {
            break;
        }
        calls += 1;
        let numbers = parsed.as_ref().map(used).unwrap_or_default();
        match decoded.expected.recorded {
            Recorded::Value(_) => numbers.iter().for_each(|fd| copied.had(*fd, true)),
            // Of a read and a write EBADF may be the access mode's.
            Recorded::Errno(Errno::EBADF) if matches!(parsed, Some(Call::Close { .. })) => {
                numbers.iter().for_each(|fd| copied.had(*fd, false));
            }
            Recorded::Errno(_) | Recorded::Never => {}
        }
        if let Some(effect) = effect(&call, &decoded) {
            copied.see(effect);
        }
    }
    let [used, free] = [copied.used, copied.free].map(|numbers| numbers.into_iter().collect());
    Effect::Copies { used, free }
}
