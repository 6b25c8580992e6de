//! Calls that were not made as they are printed: SIGKILL takes a task out of a ptrace stop, and
//! what strace then reads of its registers is what stood there before (ptrace(2), "ESRCH" and
//! "Death under ptrace"). Found before the walk (`order.rs`): the last call of a task that SIGKILL
//! ended, of a number that Linux has not, or with a result that no call has.

use std::collections::{BTreeMap, BTreeSet};

use crate::strace::{Call, EventKind, Recording};

/// How strace names a call of a number that it does not know.
const NAMELESS: &str = "syscall_0x";

/// The calls, by number.
pub(super) fn of(recording: &Recording) -> BTreeSet<u64> {
    let mut ghosts = BTreeSet::new();
    let mut last: BTreeMap<Option<u32>, u64> = BTreeMap::new();
    for event in &recording.events {
        match &event.kind {
            EventKind::Entry { call } => drop(last.insert(event.tid, *call)),
            EventKind::Killed { signal, .. } if &**signal == "SIGKILL" => {
                let index = last.remove(&event.tid);
                let call = index.and_then(|index| recording.calls.get(index));
                ghosts.extend(index.filter(|_| call.is_some_and(|call| is_garbled(&call))));
            }
            EventKind::Killed { .. } | EventKind::Exited { .. } => drop(last.remove(&event.tid)),
            EventKind::Exit { .. }
            | EventKind::Signal { .. }
            | EventKind::Stopped { .. }
            | EventKind::Superseded { .. }
            | EventKind::Detached
            | EventKind::Notice(_) => {}
        }
    }
    ghosts
}

fn is_garbled(call: &Call) -> bool {
    let value = call.result.as_ref().and_then(|result| result.number()).unwrap_or(0);
    let is_size = matches!(
        &*call.name,
        "lseek" | "copy_file_range" | "sendfile" | "splice" | "tee" | "mmap" | "brk" | "mremap"
    );
    call.name.starts_with(NAMELESS) || !is_size && value > i128::from(u32::MAX)
}
