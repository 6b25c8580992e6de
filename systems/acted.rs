//! Which default actions were taken, for who prints them (`take_acted`), and what SIGCONT does at
//! once: the rare part of phase 2, kept out of the way of signals that come by the thousand.
//! `deliver.rs` has the rest of it. Source: signal(7).

use crate::abi::{SigInfo, SigSet};
use crate::kernel::Kernel;
use crate::rows::{ProcessRow, TaskRow};
use alloc::vec::Vec;

/// Most default actions that are kept for [`Kernel::take_acted`]: who asks for them asks after
/// every event, and more processes than these do not end at once.
const ACTED_MAX: usize = 1 << 16;

impl Kernel {
    /// What SIGCONT does at once, out of the way of other signals.
    #[cold]
    #[inline(never)]
    pub(crate) fn prepare_to_go_on(&mut self, process: ProcessRow, task: TaskRow, info: &SigInfo) {
        if self.rows[process].stopped.is_some() {
            self.note_acted(task, *info);
        }
        self.discard(process, SigSet::STOPS);
        self.go_on(process);
    }

    // Out of the way of the signals that come by the thousand.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_acted(&mut self, task: TaskRow, info: SigInfo) {
        let Some(acted) = &mut self.acted else { return };
        if acted.len() < ACTED_MAX {
            acted.push((self.rows[task].tid, info));
        }
    }

    /// Takes the signals whose default action (a stop, its end, an end) was taken since this was
    /// last asked, with the tasks that they came to: what a dump prints. They are kept from the
    /// first time on that somebody asks.
    pub fn take_acted(&mut self) -> Vec<(u32, SigInfo)> {
        self.acted.replace(Vec::new()).unwrap_or_default()
    }
}
