//! The runner's own account of what descriptors are, kept from the answers alone: which number a
//! slot has, what is shared, how full a pipe is. It keeps programs from calls that would block for
//! real and from what SEMANTICS.md says is Linux's in both profiles (`differences.json`,
//! "avoided").

use crate::program::{Fd, Proc, Slot};
use std::collections::BTreeMap;

/// A number that no descriptor has.
pub const CLOSED: u32 = 9999;

/// What a description is of.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Device,
    File,
    Pty,
    Pipe { id: usize, writes: bool },
}

/// An open description.
#[derive(Clone, Debug)]
pub struct Description {
    pub kind: Kind,
    /// O_ACCMODE.
    pub access: u32,
    /// The path names another thing now, or nothing.
    pub stale: bool,
    pub path: String,
    pub nonblock: bool,
}

/// A descriptor of a process.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    pub number: u32,
    pub description: usize,
    pub cloexec: bool,
}

/// A process.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub pid: u32,
    pub driver: String,
    pub fds: BTreeMap<Slot, Descriptor>,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pub processes: BTreeMap<Proc, Process>,
    pub descriptions: Vec<Description>,
    /// Bytes in each pipe.
    pub pipes: Vec<usize>,
}

impl Book {
    /// A new process, with its parent's descriptors. Gives the close-on-exec ones' numbers, which
    /// the runner closes in the child (Linux's in both profiles; the origin shares them).
    pub fn born(&mut self, at: Proc, pid: u32, driver: &str, parent: Option<Proc>) -> Vec<u32> {
        let parent = parent.and_then(|parent| self.processes.get(&parent));
        let (fds, closed) = match parent {
            Some(parent) => {
                let (closed, kept): (Vec<_>, Vec<_>) =
                    parent.fds.clone().into_iter().partition(|(_, fd)| fd.cloexec);
                (kept.into_iter().collect(), closed)
            }
            None => (self.standard(), Vec::new()),
        };
        self.processes.insert(at, Process { pid, driver: driver.to_owned(), fds });
        closed.into_iter().map(|(_, fd)| fd.number).collect()
    }

    fn standard(&mut self) -> BTreeMap<Slot, Descriptor> {
        let names = ["/dev/stdin", "/dev/stdout", "/dev/stderr"];
        let open = |(slot, path): (usize, &str)| {
            let access = u32::from(slot > 0);
            let description = self.describe(Kind::Device, access, path, false);
            (slot, Descriptor { number: slot as u32, description, cloexec: false })
        };
        names.into_iter().enumerate().map(open).collect()
    }

    pub fn describe(&mut self, kind: Kind, access: u32, path: &str, nonblock: bool) -> usize {
        let path = path.to_owned();
        self.descriptions.push(Description { kind, access, stale: false, path, nonblock });
        self.descriptions.len() - 1
    }

    /// A pipe that a process has made.
    pub fn pipe(&mut self, at: Proc, slots: (Slot, Slot), numbers: (u32, u32)) {
        let id = self.pipes.len();
        self.pipes.push(0);
        let read = self.describe(Kind::Pipe { id, writes: false }, 0, "", false);
        let write = self.describe(Kind::Pipe { id, writes: true }, 1, "", false);
        self.install(at, slots.0, numbers.0, read);
        self.install(at, slots.1, numbers.1, write);
    }

    /// A slot of a process stands for a number from now on; whoever had the number has it no more.
    pub fn install(&mut self, at: Proc, slot: Slot, number: u32, description: usize) {
        if let Some(process) = self.processes.get_mut(&at) {
            process.fds.retain(|_, fd| fd.number != number);
            process.fds.insert(slot, Descriptor { number, description, cloexec: false });
        }
    }

    pub fn close(&mut self, at: Proc, fd: Fd) {
        if let (Some(slot), Some(process)) = (self.slot(at, fd), self.processes.get_mut(&at)) {
            process.fds.remove(&slot);
        }
    }

    /// The slot of a descriptor that is open.
    pub fn slot(&self, at: Proc, fd: Fd) -> Option<Slot> {
        let fds = &self.processes.get(&at)?.fds;
        match fd {
            Fd::Slot(slot) => fds.contains_key(&slot).then_some(slot),
            Fd::Number(number) => fds.iter().find(|(_, fd)| fd.number == number).map(|at| *at.0),
        }
    }

    pub fn descriptor(&self, at: Proc, fd: Fd) -> Option<Descriptor> {
        let slot = self.slot(at, fd)?;
        self.processes.get(&at)?.fds.get(&slot).copied()
    }

    pub fn descriptor_mut(&mut self, at: Proc, fd: Fd) -> Option<&mut Descriptor> {
        let slot = self.slot(at, fd)?;
        self.processes.get_mut(&at)?.fds.get_mut(&slot)
    }

    pub fn description(&self, at: Proc, fd: Fd) -> Option<&Description> {
        self.descriptions.get(self.descriptor(at, fd)?.description)
    }

    pub fn number(&self, at: Proc, fd: Fd) -> u32 {
        match (self.descriptor(at, fd), fd) {
            (Some(descriptor), _) => descriptor.number,
            (None, Fd::Number(number)) => number,
            (None, Fd::Slot(_)) => CLOSED,
        }
    }

    /// A name has gone or means another thing: descriptions of files at or below it, or through a
    /// link, are stale (the origin follows the path, we the inode).
    pub fn moved(&mut self, path: &str) {
        let path = normalized(path);
        for description in &mut self.descriptions {
            if description.kind != Kind::File {
                continue;
            }
            let own = &description.path;
            let below = own.strip_prefix(&path).is_some_and(|rest| rest.starts_with('/'));
            // Links are named l…, hard links h…, both by the generator.
            let linked = own.contains("/l") || own.contains("/h");
            if *own == path || below || linked {
                description.stale = true;
            }
        }
    }

    /// Whether a descriptor is open on something that has another name, or none.
    pub fn holds_stale(&self) -> bool {
        let mut fds = self.processes.values().flat_map(|process| process.fds.values());
        fds.any(|fd| self.descriptions[fd.description].stale)
    }

    /// All descriptors of a description.
    pub fn sharers(&self, description: usize) -> Vec<(Proc, u32)> {
        let of = |(at, process): (&Proc, &Process)| {
            let at = *at;
            let fds = process.fds.values().filter(|fd| fd.description == description);
            fds.map(|fd| (at, fd.number)).collect::<Vec<_>>()
        };
        self.processes.iter().flat_map(of).collect()
    }
}

/// A path as the contract normalises it (section 13).
pub fn normalized(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}
