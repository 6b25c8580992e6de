//! The last events that went well, kept for the context of a first mismatch. Their text is made
//! only then; until then each costs a copy into a buffer that is there already.

use tickernel_systems::abi::{Errno, Signal};
use tickernel_systems::event::Event;
use tickernel_systems::wire::{Wire, WireReader};

use super::text::{call_text, result_text};

/// How many are kept.
const KEPT: usize = 8;
/// A buffer that is larger is given back when its event has passed.
const MAX_IDLE_BYTES: usize = 64 << 10;

/// One event that went well.
#[derive(Debug, Default)]
struct Entry {
    task: u32,
    what: What,
    /// A call's name in the recording.
    name: Vec<u8>,
    /// The call's event, encoded.
    event: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy)]
enum What {
    #[default]
    Nothing,
    Call(Result<i64, Errno>),
    Signal(Signal),
}

/// A ring of the last events.
#[derive(Debug, Default)]
pub(super) struct Recent {
    entries: [Entry; KEPT],
    next: usize,
}

impl Recent {
    /// The place of the oldest, which is lost.
    fn replace(&mut self, task: u32, what: What) -> &mut Entry {
        let entry = &mut self.entries[self.next];
        self.next = (self.next + 1) % KEPT;
        (entry.task, entry.what) = (task, what);
        for buffer in [&mut entry.name, &mut entry.event] {
            if buffer.capacity() > MAX_IDLE_BYTES {
                *buffer = Vec::new();
            }
            buffer.clear();
        }
        entry
    }

    /// A call that ended as recorded.
    pub(super) fn call(
        &mut self,
        task: u32,
        name: &[u8],
        event: &[u8],
        result: Result<i64, Errno>,
    ) {
        let entry = self.replace(task, What::Call(result));
        entry.name.extend_from_slice(name);
        entry.event.extend_from_slice(event);
    }

    /// A signal that was delivered as recorded.
    pub(super) fn signal(&mut self, task: u32, signal: Signal) {
        self.replace(task, What::Signal(signal));
    }

    /// A line for each, the oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        let (newer, older) = self.entries.split_at(self.next);
        older.iter().chain(newer).filter_map(Entry::text).collect()
    }
}

impl Entry {
    fn text(&self) -> Option<String> {
        let result = match self.what {
            What::Nothing => return None,
            What::Signal(signal) => {
                return Some(format!("{} --- {} ---", self.task, signal.name()));
            }
            What::Call(result) => result_text(result),
        };
        let name = String::from_utf8_lossy(&self.name);
        let text = match Event::get(&mut WireReader::new(&self.event)) {
            Ok(Event::Call { call, .. } | Event::Park { call, .. }) => call_text(&name, &call),
            Ok(_) | Err(_) => name.into_owned(),
        };
        Some(format!("{} {text} {result}", self.task))
    }
}
