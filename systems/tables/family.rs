//! Lists of processes: children of a parent in the order of birth, members of a group and of a
//! session latest first, as Linux's lists have them. Intrusive, by pid: entering and leaving costs
//! the same at any length, and a snapshot writes the links as they are.

use crate::components::{Link, Process};
use crate::kernel::Kernel;
use crate::rows::ProcessRow;
use crate::tables::pids::PidEntry;
use alloc::vec::Vec;

/// Which list of the two whose heads stand in the table of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Club {
    /// Process groups.
    Group,
    /// Sessions.
    Session,
}

/// Where a new process stands in the lists of its parent, group and session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    /// Among its siblings.
    pub(crate) sibling: Link,
    /// Its birth.
    pub(crate) birth: u64,
    /// Among its group.
    pub(crate) in_group: Link,
    /// Among its session.
    pub(crate) in_session: Link,
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
    #[inline]
    fn set_head(&mut self, club: Club, number: u32, head: u32) -> u32 {
        let first = |entry: &mut PidEntry| match club {
            Club::Group => core::mem::replace(&mut entry.group_head, head),
            Club::Session => core::mem::replace(&mut entry.session_head, head),
        };
        match self.pids.used_mut(number) {
            // One of several members: whether the number is in use does not change.
            Some(entry) if head != 0 => first(entry),
            Some(_) | None => self.pids.change(number, first),
        }
    }

    /// Puts a number at the front of a group or a session: its place there.
    #[inline]
    fn enter_club(&mut self, club: Club, pid: u32, number: u32) -> Link {
        let first = self.set_head(club, number, pid);
        if first != 0
            && let Some(next) = self.pids.process(first)
        {
            place_of(&mut self.rows[next], club).0.prev = pid;
        }
        Link { prev: 0, next: first }
    }

    /// Enters a process into a group or a session, at the front.
    pub(crate) fn join(&mut self, club: Club, process: ProcessRow, number: u32) {
        let pid = self.rows[process].pid;
        let place = self.enter_club(club, pid, number);
        let (link, own) = place_of(&mut self.rows[process], club);
        (*link, *own) = (place, number);
    }

    /// Enters a process that is about to be made: the first of its group and session, the last
    /// child of its parent, or nobody's (0).
    pub(crate) fn enter_lists(&mut self, pid: u32, pgid: u32, sid: u32, parent: u32) -> Places {
        let in_group = self.enter_club(Club::Group, pid, pgid);
        let in_session = self.enter_club(Club::Session, pid, sid);
        let sibling = self.enter_children(pid, parent).1;
        Places { sibling, birth: self.counters.next_birth, in_group, in_session }
    }

    /// Takes a process that goes for good out of all its lists; its own row is left as it is.
    pub(crate) fn leave_lists(&mut self, process: ProcessRow) {
        let row = &self.rows[process];
        let (pgid, in_group, in_session, sid) = (row.pgid, row.in_group, row.in_session, row.sid);
        let (sibling, key, parent) = (row.sibling, (row.birth, row.pid), row.parent);
        self.leave_children(sibling, key, parent);
        self.bridge(Club::Group, in_group, pgid);
        self.bridge(Club::Session, in_session, sid);
    }

    /// Takes a process out of its group or session.
    pub(crate) fn leave(&mut self, club: Club, process: ProcessRow) {
        let (link, number) = place_of(&mut self.rows[process], club);
        let (link, number) = (core::mem::take(link), *number);
        self.bridge(club, link, number);
    }

    /// Joins those before and after a place that becomes empty.
    #[inline]
    fn bridge(&mut self, club: Club, link: Link, number: u32) {
        if link.prev == 0 {
            self.set_head(club, number, link.next);
        } else if let Some(prev) = self.pids.process(link.prev) {
            place_of(&mut self.rows[prev], club).0.next = link.next;
        }
        if link.next != 0
            && let Some(next) = self.pids.process(link.next)
        {
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
        let pid = self.rows[process].pid;
        let (above, sibling) = self.enter_children(pid, parent);
        let birth = self.counters.next_birth;
        let child = &mut self.rows[process];
        (child.parent, child.birth, child.sibling) = (parent, birth, sibling);
        // A stop that nobody has reported yet is the new parent's to report (wait(2)).
        if child.report.is_some()
            && let Some(parent) = above
        {
            self.rows[parent].reportable.insert((birth, pid));
        }
    }

    /// Puts a number at the end of a parent's children, with the next birth: the parent, if there
    /// is one, and the child's place.
    #[inline]
    fn enter_children(&mut self, pid: u32, parent: u32) -> (Option<ProcessRow>, Link) {
        self.counters.next_birth += 1;
        let Some(parent) = self.pids.process(parent) else { return (None, Link::default()) };
        let list = &mut self.rows[parent].children;
        let last = core::mem::replace(&mut list.prev, pid);
        if last == 0 {
            list.next = pid;
        } else if let Some(before) = self.pids.process(last) {
            self.rows[before].sibling.next = pid;
        }
        (Some(parent), Link { prev: last, next: 0 })
    }

    /// Takes a process away from its parent.
    pub(crate) fn disown(&mut self, process: ProcessRow) {
        let child = &mut self.rows[process];
        let (link, key) = (core::mem::take(&mut child.sibling), (child.birth, child.pid));
        let parent = core::mem::take(&mut child.parent);
        self.leave_children(link, key, parent);
    }

    #[inline]
    fn leave_children(&mut self, link: Link, key: (u64, u32), parent: u32) {
        if link.next != 0
            && let Some(next) = self.pids.process(link.next)
        {
            self.rows[next].sibling.prev = link.prev;
        }
        if link.prev != 0
            && let Some(prev) = self.pids.process(link.prev)
        {
            self.rows[prev].sibling.next = link.next;
        }
        let Some(parent) = self.pids.process(parent) else { return };
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
