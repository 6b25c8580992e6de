//! Numbers of tasks, processes, groups and sessions: one table by number, as in Linux one `struct
//! pid` serves all four. A number is free when nothing uses it.
//!
//! Two levels of pages: a look-up costs two loads at any number of processes. New numbers are given
//! cyclically (fork(2), /proc/sys/kernel/pid_max).

use crate::rows::{ProcessRow, TaskRow};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Numbers are below this (`pid_max` on 64-bit systems).
pub const PID_MAX: u32 = 1 << 22;
/// After the first round numbers start here (`RESERVED_PIDS`).
const RESERVED_PIDS: u32 = 300;
const PAGE: usize = 256;

/// What a number stands for.
#[derive(Clone, Copy, Debug, Default)]
pub struct PidEntry {
    /// The task with this tid.
    pub task: Option<TaskRow>,
    /// The process with this pid.
    pub process: Option<ProcessRow>,
    /// First member of the group with this id, 0 = no such group.
    pub group_head: u32,
    /// First member of the session with this id, 0 = no such session.
    pub session_head: u32,
}

impl PidEntry {
    const fn is_free(&self) -> bool {
        self.task.is_none()
            && self.process.is_none()
            && self.group_head == 0
            && self.session_head == 0
    }
}

/// All numbers.
#[derive(Debug, Default)]
pub struct PidTable {
    pages: Vec<Option<Box<[PidEntry; PAGE]>>>,
    /// The number given last.
    pub last: u32,
    /// Numbers in use.
    pub used: u32,
}

impl PidTable {
    /// What a number stands for.
    #[inline]
    pub fn get(&self, number: u32) -> Option<&PidEntry> {
        let page = self.pages.get(number as usize / PAGE)?.as_ref()?;
        Some(&page[number as usize % PAGE])
    }

    /// The task with this tid.
    #[inline]
    pub fn task(&self, tid: u32) -> Option<TaskRow> {
        self.get(tid)?.task
    }

    /// The process with this pid, zombies too.
    #[inline]
    pub fn process(&self, pid: u32) -> Option<ProcessRow> {
        self.get(pid)?.process
    }

    /// The first process from a number on, zombies too.
    pub fn next_process(&self, from: u32) -> Option<u32> {
        let first = from as usize / PAGE;
        let pages = self.pages.iter().enumerate().skip(first);
        let mut found = pages.filter_map(|(at, page)| Some((at, page.as_ref()?))).flat_map(
            move |(at, page)| {
                let skipped = if at == first { from as usize % PAGE } else { 0 };
                let entries = page.iter().enumerate().skip(skipped);
                let used = entries.filter(|(_, entry)| entry.process.is_some());
                used.map(move |(within, _)| (at * PAGE + within) as u32)
            },
        );
        found.next()
    }

    /// Whether the number may be given to a new task.
    pub fn is_free(&self, number: u32) -> bool {
        number > 0 && number < PID_MAX && self.get(number).is_none_or(PidEntry::is_free)
    }

    /// Changes what a number stands for, and gives what `change` gives. Numbers of `PID_MAX` and
    /// above are passed over.
    pub fn change<T: Default>(
        &mut self,
        number: u32,
        change: impl FnOnce(&mut PidEntry) -> T,
    ) -> T {
        if number == 0 || number >= PID_MAX {
            return T::default();
        }
        let at = number as usize / PAGE;
        if self.pages.get(at).is_none_or(Option::is_none) {
            self.grow(at);
        }
        let Some(Some(page)) = self.pages.get_mut(at) else { return T::default() };
        let entry = &mut page[number as usize % PAGE];
        let before = entry.is_free();
        let given = change(entry);
        match (before, entry.is_free()) {
            (true, false) => self.used += 1,
            (false, true) => self.used -= 1,
            (true, true) | (false, false) => {}
        }
        given
    }

    #[cold]
    fn grow(&mut self, at: usize) {
        if at >= self.pages.len() {
            self.pages.resize_with(at + 1, || None);
        }
        self.pages[at] = Some(Box::new([PidEntry::default(); PAGE]));
    }

    /// What a number that is in use stands for. The caller leaves it in use.
    #[inline]
    pub fn used_mut(&mut self, number: u32) -> Option<&mut PidEntry> {
        let page = self.pages.get_mut(number as usize / PAGE)?.as_mut()?;
        Some(&mut page[number as usize % PAGE]).filter(|entry| !entry.is_free())
    }

    /// The highest free number: for tasks whose numbers nobody is to see.
    pub fn highest_free(&self) -> Option<u32> {
        (1..PID_MAX).rev().find(|number| self.is_free(*number))
    }

    /// All numbers in use with what they stand for.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &PidEntry)> {
        let pages = self.pages.iter().enumerate();
        let pages = pages.filter_map(|(at, page)| Some((at, page.as_ref()?)));
        let entries = pages.flat_map(|(at, page)| {
            page.iter().enumerate().map(move |(offset, entry)| ((at * PAGE + offset) as u32, entry))
        });
        entries.filter(|(_, entry)| !entry.is_free())
    }

    /// The next number, cyclically; `None` when all are taken (EAGAIN of fork(2)).
    pub fn next(&mut self) -> Option<u32> {
        if self.used >= PID_MAX - RESERVED_PIDS {
            return None;
        }
        let mut number = self.last;
        loop {
            number = if number + 1 >= PID_MAX { RESERVED_PIDS } else { number + 1 };
            if self.is_free(number) {
                self.last = number;
                return Some(number);
            }
        }
    }
}
