//! Lists of processes: children of a parent in the order of birth, members of a group and of a
//! session latest first, as Linux's lists have them. Intrusive, by pid: entering and leaving costs
//! the same at any length, and a snapshot writes the links as they are.

use crate::components::{Link, Process};
use crate::kernel::Kernel;
use crate::rows::ProcessRow;
use alloc::vec::Vec;

/// Which list of the two whose heads stand in the table of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Club {
    /// Process groups.
    Group,
    /// Sessions.
    Session,
}

/// The link and the number of a process in one of the two.
fn place_of(process: &mut Process, club: Club) -> (&mut Link, &mut u32) {
    match club {
        Club::Group => (&mut process.in_group, &mut process.pgid),
        Club::Session => (&mut process.in_session, &mut process.sid),
    }
}

impl Kernel {
    fn head(&self, club: Club, number: u32) -> u32 {
        self.pids.get(number).map_or(0, |entry| match club {
            Club::Group => entry.group_head,
            Club::Session => entry.session_head,
        })
    }

    /// Sets the first member; gives the one before.
    fn set_head(&mut self, club: Club, number: u32, head: u32) -> u32 {
        self.pids.change(number, |entry| match club {
            Club::Group => core::mem::replace(&mut entry.group_head, head),
            Club::Session => core::mem::replace(&mut entry.session_head, head),
        })
    }

    /// Enters a process into a group or a session, at the front.
    pub(crate) fn join(&mut self, club: Club, process: ProcessRow, number: u32) {
        let pid = self.rows[process].pid;
        let first = self.set_head(club, number, pid);
        let (link, own) = place_of(&mut self.rows[process], club);
        (*link, *own) = (Link { prev: 0, next: first }, number);
        if let Some(next) = self.pids.process(first) {
            place_of(&mut self.rows[next], club).0.prev = pid;
        }
    }

    /// Takes a process out of its group or session.
    pub(crate) fn leave(&mut self, club: Club, process: ProcessRow) {
        let (link, number) = place_of(&mut self.rows[process], club);
        let (link, number) = (core::mem::take(link), *number);
        match self.pids.process(link.prev) {
            Some(prev) => place_of(&mut self.rows[prev], club).0.next = link.next,
            None => drop(self.set_head(club, number, link.next)),
        }
        if let Some(next) = self.pids.process(link.next) {
            place_of(&mut self.rows[next], club).0.prev = link.prev;
        }
    }

    /// The members of a group or a session, latest first.
    pub(crate) fn members(&self, club: Club, number: u32) -> Vec<ProcessRow> {
        let mut members = Vec::new();
        let mut at = self.head(club, number);
        while let Some(process) = self.pids.process(at) {
            members.push(process);
            at = match club {
                Club::Group => self.rows[process].in_group.next,
                Club::Session => self.rows[process].in_session.next,
            };
        }
        members
    }

    /// Makes a process the last child of a parent, or of nobody (0).
    pub(crate) fn adopt(&mut self, process: ProcessRow, parent: u32) {
        self.counters.next_birth += 1;
        let birth = self.counters.next_birth;
        let child = &mut self.rows[process];
        (child.parent, child.birth, child.sibling) = (parent, birth, Link::default());
        let pid = child.pid;
        let Some(parent) = self.pids.process(parent) else { return };
        let list = &mut self.rows[parent].children;
        let last = core::mem::replace(&mut list.prev, pid);
        if last == 0 {
            list.next = pid;
        } else if let Some(before) = self.pids.process(last) {
            self.rows[before].sibling.next = pid;
        }
        self.rows[process].sibling.prev = last;
        // A stop that nobody has reported yet is the new parent's to report (wait(2)).
        if self.rows[process].report.is_some() {
            self.rows[parent].reportable.insert((birth, pid));
        }
    }

    /// Takes a process away from its parent.
    pub(crate) fn disown(&mut self, process: ProcessRow) {
        let child = &mut self.rows[process];
        let (link, key) = (core::mem::take(&mut child.sibling), (child.birth, child.pid));
        let parent = self.pids.process(core::mem::take(&mut child.parent));
        if let Some(next) = self.pids.process(link.next) {
            self.rows[next].sibling.prev = link.prev;
        }
        if let Some(prev) = self.pids.process(link.prev) {
            self.rows[prev].sibling.next = link.next;
        }
        let Some(parent) = parent else { return };
        let parent = &mut self.rows[parent];
        if link.next == 0 {
            parent.children.prev = link.prev;
        }
        if link.prev == 0 {
            parent.children.next = link.next;
        }
        parent.reportable.remove(key);
    }

    /// The children of a process in the order of birth.
    pub(crate) fn children(&self, process: ProcessRow) -> Vec<ProcessRow> {
        let mut children = Vec::new();
        let mut at = self.rows[process].children.next;
        while let Some(child) = self.pids.process(at) {
            children.push(child);
            at = self.rows[child].sibling.next;
        }
        children
    }
}
