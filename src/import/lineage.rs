//! Tasks of a recording while it is looked through for what the first process inherited: whose
//! descriptor table is whose, and what a task or one of its ancestors changed already.
//!
//! A number that nobody made in the recording is the root's from its start; a fact that no ancestor
//! changed is too. Descriptors: fork(2), clone(2) CLONE_FILES, execve(2) close-on-exec.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tickernel_systems::abi::SigSet;

/// What stands at a number of a descriptor table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Nothing.
    Closed,
    /// What a call of the recording made.
    Own {
        /// Close on exec.
        cloexec: bool,
    },
    /// The list of its own descriptors, opened by a call of the recording.
    OwnFds,
    /// What the root had at this number when it began.
    Inherited {
        /// The number there.
        root_fd: i32,
        /// Close on exec.
        cloexec: bool,
    },
}

/// A descriptor table: numbers that differ from the root's first one.
pub type Table = BTreeMap<i32, Slot>;

/// Facts that a task may have changed, as bits.
pub mod facts {
    /// Working directory.
    pub const CWD: u32 = 1;
    /// umask.
    pub const UMASK: u32 = 2;
    /// User ids.
    pub const UIDS: u32 = 4;
    /// Group ids.
    pub const GIDS: u32 = 8;
    /// Supplementary groups.
    pub const GROUPS: u32 = 16;
    /// Process group.
    pub const GROUP: u32 = 32;
    /// Session.
    pub const SESSION: u32 = 64;
    /// Signal mask.
    pub const MASK: u32 = 128;
}

/// A task.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    table: Rc<RefCell<Table>>,
    /// Bits of [`facts`].
    pub touched: u32,
    /// Signals whose action was set.
    pub signals: SigSet,
    /// It or an ancestor executed another program: signals that were caught are at their default.
    pub has_executed: bool,
    /// Limits that were set, bit n = resource n.
    pub limits: u32,
}

impl Lineage {
    /// What stands at a number.
    pub fn slot(&self, fd: i32) -> Slot {
        let inherited = Slot::Inherited { root_fd: fd, cloexec: false };
        self.table.borrow().get(&fd).copied().unwrap_or(inherited)
    }

    /// The root's number of what stands at a number, if it is the root's.
    pub fn root_fd(&self, fd: i32) -> Option<i32> {
        match self.slot(fd) {
            Slot::Inherited { root_fd, .. } if fd >= 0 => Some(root_fd),
            Slot::Inherited { .. } | Slot::Closed | Slot::Own { .. } | Slot::OwnFds => None,
        }
    }

    /// The numbers of which something is known, and whether they are in use.
    pub fn numbers(&self) -> impl Iterator<Item = (i32, bool)> {
        let table = self.table.borrow();
        let numbers = table.iter().map(|(fd, slot)| (*fd, *slot != Slot::Closed));
        numbers.collect::<Vec<_>>().into_iter()
    }

    /// Puts something at a number.
    pub fn put(&self, fd: i32, slot: Slot) {
        self.table.borrow_mut().insert(fd, slot);
    }

    /// Changes close-on-exec.
    pub fn set_cloexec(&self, fd: i32, set: bool) {
        let slot = match self.slot(fd) {
            Slot::Closed => return,
            Slot::Own { .. } | Slot::OwnFds => Slot::Own { cloexec: set },
            Slot::Inherited { root_fd, .. } => Slot::Inherited { root_fd, cloexec: set },
        };
        self.put(fd, slot);
    }

    /// A child: its table is a copy, or the same with CLONE_FILES.
    pub fn child(&self, shares_files: bool) -> Self {
        let mut child = self.clone();
        if !shares_files {
            child.table = Rc::new(RefCell::new(self.table.borrow().clone()));
        }
        child
    }

    /// Another program: a table of its own, without what closes on exec.
    pub fn exec(&mut self) {
        let mut table = self.table.borrow().clone();
        for slot in table.values_mut() {
            if let Slot::Own { cloexec: true } | Slot::Inherited { cloexec: true, .. } = slot {
                *slot = Slot::Closed;
            }
        }
        self.table = Rc::new(RefCell::new(table));
        self.has_executed = true;
    }

    /// Closes a range of numbers, as far as they stand in the table; `known` are further numbers
    /// that may be open.
    pub fn close_range(&self, first: i32, last: i32, only_cloexec: bool, known: &[i32]) {
        let mut table = self.table.borrow_mut();
        for fd in known.iter().filter(|fd| (first..=last).contains(fd)) {
            table.entry(*fd).or_insert(Slot::Inherited { root_fd: *fd, cloexec: false });
        }
        for (_, slot) in table.range_mut(first..=last.max(first)) {
            *slot = match (*slot, only_cloexec) {
                (Slot::Own { .. } | Slot::OwnFds, true) => Slot::Own { cloexec: true },
                (Slot::Inherited { root_fd, .. }, true) => {
                    Slot::Inherited { root_fd, cloexec: true }
                }
                _ => Slot::Closed,
            };
        }
    }
}
