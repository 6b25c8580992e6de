//! What the shell looks at of a face's kernel without changing it: counts, owners, processes,
//! descriptors. Nothing here is an event; whatever decides an answer is looked at by the calls
//! themselves.

use crate::abi::flags::{O_ACCMODE, O_WRONLY};
use crate::components::face_socket::FaceSocket;
use crate::components::terminal::End;
use crate::components::{Life, Object, Target};
use crate::kernel::Kernel;
use crate::profile::Bends;
use crate::rows::{DescriptionRow, FilesRow, PipeRow, ProcessRow, RowKind};
use crate::rules::Refusal;
use crate::snapshot::ProcessState;
use crate::tables::face_sockets::FaceSocketCounts;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// Counts that are kept as things change (SEMANTICS.md, section 10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaceCounts {
    /// Processes that are neither zombies nor stopped.
    pub running: u64,
    /// Zombies.
    pub exited: u64,
    /// Zombies with a deadline.
    pub zombie_timers: u64,
    /// Descriptor tables.
    pub fd_tables: u64,
    /// Open descriptors of all processes.
    pub open_fds: u64,
    /// Pipes.
    pub pipes: u64,
    /// Bytes in them.
    pub pipe_bytes: u64,
    /// Pseudo-terminals.
    pub ptys: u64,
    /// Bytes that their slaves, and that their masters can read.
    pub pty_bytes: [u64; 2],
    /// Sockets.
    pub sockets: u64,
    /// What they have.
    pub of_sockets: FaceSocketCounts,
}

/// How a descriptor is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaceReads {
    /// An end of a pipe or of a pseudo-terminal: no limit holds for how much is asked for.
    pub stream: bool,
    /// An answer without bytes is its end.
    pub ends_empty: bool,
    /// The time shows in a read: an access time, or when a wait ends.
    pub shows_time: bool,
}

/// A process as a face lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceProcess {
    /// Process id.
    pub pid: u32,
    /// Parent, 0 = none.
    pub ppid: u32,
    /// Group.
    pub pgid: u32,
    /// Session.
    pub sid: u32,
    /// The driver that plays it.
    pub driver: String,
    /// Its command.
    pub command: String,
    /// Whether it runs.
    pub state: ProcessState,
    /// With which number it ended.
    pub exit_code: Option<i32>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Kernel {
    /// Whether the machine has been disposed of.
    #[inline]
    pub fn face_is_disposed(&self) -> bool {
        self.face.disposed
    }

    /// Where the profile bends Linux.
    pub fn face_bends(&self) -> &Bends {
        &self.bends
    }

    /// The counts of a resource snapshot.
    pub fn face_counts(&self) -> FaceCounts {
        let exited = self.counters.zombies;
        let live = ProcessRow::live(&self.rows) - exited;
        FaceCounts {
            running: live - self.counters.stopped,
            exited,
            zombie_timers: if self.config.face.zombie_ttl_ns > 0 && !self.face.disposed {
                exited
            } else {
                0
            },
            fd_tables: FilesRow::live(&self.rows),
            open_fds: self.counters.open_fds,
            pipes: PipeRow::live(&self.rows),
            pipe_bytes: self.counters.pipe_bytes,
            ptys: self.face.ptys.len() as u64,
            pty_bytes: [End::Slave, End::Master].map(|end| {
                self.face.ptys.values().map(|pty| pty.end(end).bytes.len() as u64).sum()
            }),
            sockets: self.face.sockets.len(),
            of_sockets: self.face.sockets.counts(),
        }
    }

    /// Every process in the order of pids.
    pub fn face_processes(&self) -> Vec<FaceProcess> {
        let all = self.processes().into_iter();
        all.filter_map(|row| {
            let process = &self.rows[self.pids.process(row.pid)?];
            let over = process.life != Life::Alive;
            Some(FaceProcess {
                pid: row.pid,
                ppid: row.ppid,
                pgid: row.pgid,
                sid: row.sid,
                driver: text(self.face.names.name(process.driver)),
                command: text(&row.comm.0),
                state: row.state,
                exit_code: over.then_some(process.exit_code),
            })
        })
        .collect()
    }

    /// Registered commands and their drivers.
    pub fn face_commands(&self) -> BTreeMap<String, String> {
        let names = &self.face.names;
        let all = self.face.commands.iter();
        all.map(|(command, driver)| (text(&command.0), text(names.name(*driver)))).collect()
    }

    /// The driver that plays a process.
    pub fn face_driver_of(&self, pid: u32) -> Option<Cow<'_, str>> {
        let process = self.pids.process(pid)?;
        Some(String::from_utf8_lossy(self.face.names.name(self.rows[process].driver)))
    }

    /// The refusal by a rule in the event taken last.
    pub fn face_refusal(&self) -> Option<&Refusal> {
        let (tick, refusal) = self.refusal.as_ref()?;
        (*tick == self.tick).then_some(refusal)
    }

    /// The rules that the core decides by, as text.
    pub fn face_rules(&self) -> Vec<String> {
        self.face.rules.iter().map(|rule| alloc::format!("{rule}")).collect()
    }

    /// Whether a process is there and no zombie.
    pub fn face_is_alive(&self, pid: u32) -> bool {
        self.pids.process(pid).is_some_and(|process| self.rows[process].life == Life::Alive)
    }

    /// Whether a file of a foreign file system is open at a path or below it.
    pub fn face_holds_below(&self, top: &[u8]) -> bool {
        let face = &self.face;
        let mut open = face.paths_in_use().into_iter().map(|number| face.path(number));
        open.any(|path| {
            path.strip_prefix(top).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
        })
    }

    /// The umask of a process.
    pub fn face_umask(&self, pid: u32) -> Option<u32> {
        let task = self.pids.task(pid)?;
        Some(self.rows[self.rows[task].context].umask)
    }

    #[inline]
    fn face_description(&self, pid: u32, fd: u32) -> Option<DescriptionRow> {
        let task = self.pids.task(pid)?;
        let files = &self.rows[self.rows[task].files];
        files.get(i32::try_from(fd).ok()?).map(|slot| slot.description)
    }

    /// Whether a descriptor is open.
    pub fn face_fd_is_open(&self, pid: u32, fd: u32) -> bool {
        self.face_description(pid, fd).is_some()
    }

    /// Whether a descriptor is open on a file, whose use shows in its times.
    #[inline]
    pub fn face_is_file(&self, pid: u32, fd: u32) -> bool {
        self.face_description(pid, fd).is_some_and(|row| match self.rows[row].target {
            Target::File(_) | Target::Object(Object::Foreign(_)) => true,
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => false,
        })
    }

    /// Whether a poll for room of a descriptor is an error: by the contract it is one of a
    /// directory (section 6).
    pub fn face_lacks_room(&self, pid: u32, fd: u32) -> bool {
        let row = self.face_description(pid, fd).filter(|_| self.bends.files_are_ready_by_mode);
        row.is_some_and(|row| match self.rows[row].target {
            Target::File(place) => self.fs.is_directory(place),
            Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => false,
        })
    }

    /// How a descriptor is read.
    #[inline]
    pub fn face_reads(&self, pid: u32, fd: u32) -> FaceReads {
        let Some(row) = self.face_description(pid, fd) else { return FaceReads::default() };
        let description = &self.rows[row];
        match description.target {
            Target::Object(Object::Pty(number, end)) => {
                let pty = self.face.ptys.get(&number);
                let waits = pty.is_some_and(|pty| !pty.end(end).is_readable());
                FaceReads {
                    stream: true,
                    ends_empty: false,
                    shows_time: waits && !description.nonblocking(),
                }
            }
            Target::Pipe(pipe, _) => {
                let pipe = &self.rows[pipe];
                let empty = pipe.bytes == 0 && pipe.writers > 0;
                let reads = description.flags & O_ACCMODE != O_WRONLY;
                let shows_time = empty && reads && !description.nonblocking();
                FaceReads { stream: true, ends_empty: true, shows_time }
            }
            Target::File(_) | Target::Object(Object::Foreign(_)) => {
                FaceReads { shows_time: true, ..FaceReads::default() }
            }
            Target::Socket(_) | Target::Object(_) => FaceReads::default(),
        }
    }

    /// A socket, whoever's it is.
    pub fn face_socket_row(&self, number: u64) -> Option<&FaceSocket> {
        self.face.sockets.get(number)
    }

    /// The numbers of a process's sockets, ascending.
    pub fn face_sockets_of(&self, pid: u32) -> Vec<u64> {
        self.face.sockets.owned_by(pid)
    }

    /// The open descriptors of a process, ascending.
    pub fn face_fds(&self, pid: u32) -> Vec<u32> {
        let Some(task) = self.pids.task(pid) else { return Vec::new() };
        let slots = self.rows[self.rows[task].files].slots.iter();
        (0u32..).zip(slots).filter(|(_, slot)| slot.is_some()).map(|(fd, _)| fd).collect()
    }
}
