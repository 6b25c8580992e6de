//! The face's own state: registered drivers and commands, who owns a process, limits and policies
//! as data (`shared/contract/SEMANTICS.md`, sections 1, 2, 9, 10, 14). The calls that act on it are
//! `calls/face_*.rs`.
//!
//! A driver is a name. Processes hold it as a number of [`Names`], so that asking who owns one
//! compares two short strings and looks nothing up. Empty in `Profile::Linux`.

use crate::components::pty::Pty;
use crate::rules::Rule;
use crate::tables::face_sockets::FaceSockets;
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// What answers a permission that the contract has asked for (section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Nobody: all is denied.
    #[default]
    Deny,
    /// Nobody: all is allowed.
    Allow,
    /// The host, by a question for each.
    Ask,
}

crate::wire_enum!(Policy { 0 Deny, 1 Allow, 2 Ask });

/// Limits of section 10; `u64::MAX` = none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceLimits {
    /// Processes, zombies too: EAGAIN.
    pub max_processes: u64,
    /// Descriptors of all processes together (ENFILE) and of each (EMFILE).
    pub max_open_fds: u64,
    /// Pipes: EAGAIN.
    pub max_pipes: u64,
    /// Bytes of all files and links: ENOSPC.
    pub max_filesystem_bytes: u64,
    /// Inodes: ENOSPC.
    pub max_inode_count: u64,
    /// How long a read waits that brings no time-out of its own, in ms: EAGAIN.
    pub max_blocking_read_ms: u64,
    /// Bytes of one read of a file: EINVAL.
    pub max_pread_bytes: u64,
    /// Bytes of one write: EINVAL.
    pub max_fd_write_bytes: u64,
    /// Bytes of command and arguments, each with one more: EINVAL.
    pub max_process_argv_bytes: u64,
    /// Bytes of the environment, each entry with two more: EINVAL.
    pub max_process_env_bytes: u64,
    /// Entries of one directory listing: ENOMEM.
    pub max_readdir_entries: u64,
    /// Pseudo-terminals: EAGAIN.
    pub max_ptys: u64,
    /// Sockets by id: EAGAIN.
    pub max_sockets: u64,
    /// Those of them that are connected: EAGAIN.
    pub max_connections: u64,
    /// Bytes that lie in all of them: EAGAIN.
    pub max_socket_buffered_bytes: u64,
    /// Datagrams that lie in all of them: EAGAIN.
    pub max_socket_datagram_queue_len: u64,
    /// Processors that /proc/cpuinfo shows.
    pub virtual_cpu_count: u64,
    /// Memory that /proc/meminfo shows.
    pub max_wasm_memory_bytes: u64,
}

impl Default for FaceLimits {
    fn default() -> Self {
        Self {
            max_processes: u64::MAX,
            max_open_fds: u64::MAX,
            max_pipes: u64::MAX,
            max_filesystem_bytes: u64::MAX,
            max_inode_count: u64::MAX,
            max_blocking_read_ms: u64::MAX,
            max_pread_bytes: u64::MAX,
            max_fd_write_bytes: u64::MAX,
            max_process_argv_bytes: u64::MAX,
            max_process_env_bytes: u64::MAX,
            max_readdir_entries: u64::MAX,
            max_ptys: u64::MAX,
            max_sockets: u64::MAX,
            max_connections: u64::MAX,
            max_socket_buffered_bytes: u64::MAX,
            max_socket_datagram_queue_len: u64::MAX,
            virtual_cpu_count: u64::MAX,
            max_wasm_memory_bytes: u64::MAX,
        }
    }
}

impl FaceLimits {
    /// In the order in which they are encoded: those that every configuration has, and behind them
    /// those that only a face's has.
    fn numbers(&mut self) -> ([&mut u64; 11], [&mut u64; 7]) {
        let all = [
            &mut self.max_processes,
            &mut self.max_open_fds,
            &mut self.max_pipes,
            &mut self.max_filesystem_bytes,
            &mut self.max_inode_count,
            &mut self.max_blocking_read_ms,
            &mut self.max_pread_bytes,
            &mut self.max_fd_write_bytes,
            &mut self.max_process_argv_bytes,
            &mut self.max_process_env_bytes,
            &mut self.max_readdir_entries,
        ];
        let more = [
            &mut self.max_ptys,
            &mut self.max_sockets,
            &mut self.max_connections,
            &mut self.max_socket_buffered_bytes,
            &mut self.max_socket_datagram_queue_len,
            &mut self.virtual_cpu_count,
            &mut self.max_wasm_memory_bytes,
        ];
        (all, more)
    }
}

/// The part of the configuration that only the face has.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FaceConfig {
    /// The kernel is a face's: drivers, outside, play its processes.
    pub present: bool,
    /// Real and effective user, real and effective group of every process.
    pub ids: [u32; 4],
    /// Their supplementary groups.
    pub groups: Vec<u32>,
    /// Limits.
    pub limits: FaceLimits,
    /// How long a zombie without a living parent stays, in ns; 0 = for ever.
    pub zombie_ttl_ns: u64,
    /// The root file system is the user's own: each of its answers is asked for.
    pub foreign_root: bool,
    /// Who allows file operations.
    pub file_policy: Policy,
    /// Who allows the making of processes.
    pub command_policy: Policy,
}

impl<'a> Wire<'a> for FaceConfig {
    fn put(&self, out: &mut Vec<u8>) {
        let Self { present, ids, groups, zombie_ttl_ns, foreign_root, .. } = self;
        present.put(out);
        (*ids, groups.clone()).put(out);
        let mut limits = self.limits.clone();
        let (all, more) = limits.numbers();
        all.into_iter().for_each(|limit| limit.put(out));
        (*zombie_ttl_ns, *foreign_root).put(out);
        (self.file_policy, self.command_policy).put(out);
        if *present {
            more.into_iter().for_each(|limit| limit.put(out));
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let present = bool::get(from)?;
        let (ids, groups) = Wire::get(from)?;
        let mut limits = FaceLimits::default();
        let (all, more) = limits.numbers();
        for limit in all {
            *limit = u64::get(from)?;
        }
        let (zombie_ttl_ns, foreign_root) = Wire::get(from)?;
        let (file_policy, command_policy) = Wire::get(from)?;
        if present {
            for limit in more {
                *limit = u64::get(from)?;
            }
        }
        Ok(Self {
            present,
            ids,
            groups,
            limits,
            zombie_ttl_ns,
            foreign_root,
            file_policy,
            command_policy,
        })
    }
}

/// Names in use, each with a small number that stays while somebody uses it; 0 = none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// By number - 1: the name and how many use it.
    entries: Vec<(Bytes, u64)>,
    numbers: BTreeMap<Bytes, u32>,
    free: Vec<u32>,
}

impl Names {
    /// The name of a number; empty for 0.
    #[inline]
    pub(crate) fn name(&self, number: u32) -> &[u8] {
        let at = (number as usize).wrapping_sub(1);
        self.entries.get(at).map_or(&[], |entry| &entry.0.0)
    }

    /// One more user of a name.
    pub(crate) fn hold(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            self.entries[*number as usize - 1].1 += 1;
            return *number;
        }
        let entry = (Bytes(name.to_vec()), 1);
        let number = match self.free.pop() {
            Some(number) => {
                self.entries[number as usize - 1] = entry;
                number
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32
            }
        };
        self.numbers.insert(Bytes(name.to_vec()), number);
        number
    }

    /// One more user of a number that is in use.
    pub(crate) fn hold_again(&mut self, number: u32) -> u32 {
        if let Some(entry) = self.entries.get_mut((number as usize).wrapping_sub(1)) {
            entry.1 += 1;
        }
        number
    }

    /// One more user of a name, which is mostly that of a number in use: then nothing is looked up.
    pub(crate) fn hold_beside(&mut self, number: u32, name: &[u8]) -> u32 {
        if self.name(number) == name { self.hold_again(number) } else { self.hold(name) }
    }

    /// The numbers in use, each with how many use it.
    pub(crate) fn users(&self) -> impl Iterator<Item = (u32, u64)> {
        let used = (1u32..).zip(&self.entries).map(|(number, entry)| (number, entry.1));
        used.filter(|(_, users)| *users > 0)
    }

    /// One user less: the last one frees the number.
    pub(crate) fn release(&mut self, number: u32) {
        let at = (number as usize).wrapping_sub(1);
        let Some(entry) = self.entries.get_mut(at) else { return };
        entry.1 -= 1;
        if entry.1 == 0 {
            let name = core::mem::take(&mut entry.0);
            self.numbers.remove(&name);
            self.free.push(number);
        }
    }
}

impl<'a> Wire<'a> for Names {
    fn put(&self, out: &mut Vec<u8>) {
        self.entries.put(out);
        self.free.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("driver names, each once, and the free numbers among them");
        let entries = Vec::<(Bytes, u64)>::get(from)?;
        let free = Vec::<u32>::get(from)?;
        let used = (1u32..).zip(&entries).filter(|(_, entry)| entry.1 > 0);
        let numbers: BTreeMap<Bytes, u32> =
            used.map(|(number, entry)| (entry.0.clone(), number)).collect();
        let mut idle: Vec<u32> = free.clone();
        idle.sort_unstable();
        idle.dedup();
        let known = idle.iter().all(|number| {
            entries.get((*number as usize).wrapping_sub(1)).is_some_and(|entry| entry.1 == 0)
        });
        if !known || idle.len() != free.len() || numbers.len() + free.len() != entries.len() {
            return Err(error);
        }
        Ok(Names { entries, numbers, free })
    }
}

/// What a working directory that is kept costs.
pub(crate) fn cwd_bytes(cwd: &[u8]) -> u64 {
    cwd.len() as u64 + 64
}

/// The state of the face.
#[derive(Clone, Debug, Default)]
pub(crate) struct Face {
    /// Drivers in use.
    pub(crate) names: Names,
    /// Which driver runs a command.
    pub(crate) commands: BTreeMap<Bytes, u32>,
    /// Registered drivers.
    pub(crate) registered: BTreeMap<Bytes, u32>,
    /// The machine has been disposed of.
    pub(crate) disposed: bool,
    /// It is being disposed of: ends are told to nobody.
    pub(crate) disposing: bool,
    /// Paths of open files of a foreign file system, by number; empty = free.
    pub(crate) paths: Vec<Bytes>,
    /// Free numbers of `paths`.
    pub(crate) free_paths: Vec<u32>,
    /// Looked at before a policy is: the first that matches decides. Encoded by the snapshot of a
    /// face alone.
    pub(crate) rules: Vec<Rule>,
    /// Pseudo-terminals by number. Encoded so, too, like what follows.
    pub(crate) ptys: BTreeMap<u32, Pty>,
    /// The number of the next one: they are never given twice.
    pub(crate) next_pty: u32,
    /// Sockets.
    pub(crate) sockets: FaceSockets,
    /// Working directories of processes by pid, of those that have another than the default: only
    /// /proc shows them.
    pub(crate) cwds: BTreeMap<u32, Bytes>,
    /// The host is told when a socket becomes ready.
    pub(crate) tells_readiness: bool,
}

impl Face {
    /// The part that only the snapshot of a face has.
    pub(crate) fn put_more(&self, out: &mut Vec<u8>) {
        self.rules.put(out);
        self.ptys.put(out);
        self.next_pty.put(out);
        self.sockets.put(out);
        self.tells_readiness.put(out);
        let cwds = self.cwds.iter();
        cwds.map(|(pid, cwd)| (*pid, cwd.clone())).collect::<Vec<_>>().put(out);
    }

    /// The same read.
    pub(crate) fn get_more(&mut self, from: &mut WireReader<'_>) -> Result<(), WireError> {
        self.rules = Wire::get(from)?;
        for _ in 0..from.count()? {
            from.charge(crate::memory::PTY_BYTES)?;
            let (number, pty) = (u32::get(from)?, Pty::get(from)?);
            self.ptys.insert(number, pty);
        }
        self.next_pty = Wire::get(from)?;
        self.sockets = Wire::get(from)?;
        self.tells_readiness = Wire::get(from)?;
        for _ in 0..from.count()? {
            let (pid, cwd): (u32, Bytes) = Wire::get(from)?;
            from.charge(cwd_bytes(&cwd.0))?;
            self.cwds.insert(pid, cwd);
        }
        Ok(())
    }

    /// Keeps the path of an open file.
    pub(crate) fn keep_path(&mut self, path: &[u8]) -> u32 {
        match self.free_paths.pop() {
            Some(number) => {
                self.paths[number as usize] = Bytes(path.to_vec());
                number
            }
            None => {
                self.paths.push(Bytes(path.to_vec()));
                self.paths.len() as u32 - 1
            }
        }
    }

    /// The path of an open file.
    pub(crate) fn path(&self, number: u32) -> &[u8] {
        self.paths.get(number as usize).map_or(&[], |path| &path.0)
    }

    /// The numbers of paths that are kept, in order.
    pub(crate) fn paths_in_use(&self) -> Vec<u32> {
        let free: BTreeSet<u32> = self.free_paths.iter().copied().collect();
        (0..self.paths.len() as u32).filter(|number| !free.contains(number)).collect()
    }

    /// The file is closed.
    pub(crate) fn drop_path(&mut self, number: u32) {
        if let Some(path) = self.paths.get_mut(number as usize) {
            path.0.clear();
            self.free_paths.push(number);
        }
    }
}

impl<'a> Wire<'a> for Face {
    fn put(&self, out: &mut Vec<u8>) {
        self.names.put(out);
        for map in [&self.commands, &self.registered] {
            let list: Vec<(Bytes, u32)> = map.iter().map(|(k, v)| (k.clone(), *v)).collect();
            list.put(out);
        }
        (self.disposed, self.disposing).put(out);
        self.paths.put(out);
        self.free_paths.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let names = Names::get(from)?;
        let commands = Vec::<(Bytes, u32)>::get(from)?.into_iter().collect();
        let registered = Vec::<(Bytes, u32)>::get(from)?.into_iter().collect();
        let (disposed, disposing) = Wire::get(from)?;
        let error = from.error("free numbers of open paths");
        let paths = Vec::<Bytes>::get(from)?;
        let free_paths = Vec::<u32>::get(from)?;
        if free_paths.iter().any(|number| *number as usize >= paths.len()) {
            return Err(error);
        }
        Ok(Face {
            names,
            commands,
            registered,
            disposed,
            disposing,
            paths,
            free_paths,
            ..Face::default()
        })
    }
}
