//! How much the kernel keeps for programs: one budget for its own tables, one for the pages of
//! pipes; that of files is `fs/usage.rs`'s.
//!
//! Linux refuses when memory runs out; here [`Config`] says when that is, so that no
//! program, trace or recording makes this process grow without bound. What each thing costs is the
//! table below: a round number above what it takes, equal on every machine (an assertion holds the
//! sizes against it). Rows are counted as they come and go, what has no fixed size by
//! `Counters::held_bytes`; nothing walks. Texts that a fork shares are counted once a process, as
//! Linux counts a stack. What is refused, by the man page of the call:
//!
//! | what | errno |
//! |---|---|
//! | fork(2), vfork(2), clone(2) | `EAGAIN` for tasks, `ENOMEM` for what they copy |
//! | execve(2) | `ENOMEM` |
//! | pipe(2), open(2), socket(2), eventfd(2), pidfd_open(2) … | `ENFILE` |
//! | dup(2), dup2(2), `F_DUPFD`: a longer table | `EMFILE` |
//! | write(2) into a pipe | `ENOMEM`, as Linux without a page for it |
//! | epoll_ctl(2): an item | `ENOMEM` |
//! | write(2) into a socket | `ENOBUFS` |
//! | `F_SETPIPE_SZ` | `EPERM`, as beyond pipe-user-pages-hard (pipe(7)) |
//! | a call that would wait: poll(2), select(2), write(2) | `ENOMEM` |
//! | sigqueue(3) of a real-time signal, timer_create(2) | `EAGAIN` |
//! | a handler's frame | SIGSEGV, as Linux where the stack has no room |
//! | record locks | `ENOLCK` |
//! | setgroups(2) | `ENOMEM` |
//! | files, names, links, attributes | `ENOSPC` |
//!
//! Not here: RLIMIT_NPROC, which counts by user (`tables/users.rs`), and RLIMIT_SIGPENDING.

use crate::abi::socket::{Got, Message};
use crate::abi::{Address, Errno, SigAction, Signal};
use crate::components::message::{Incomings, Outgoings};
use crate::components::socket::{Attached, More, Packet};
use crate::components::terminal;
use crate::components::{
    Context, Description, Epoll, Event, Files, Frame, Handlers, Interrupted, Pidfd, Pipe, Process,
    ProcessText, Queued, Socket, Task, Text, Wait, Waiting,
};
use crate::event::{Completed, Payload};
use crate::kernel::{Config, Counters, Kernel};
use crate::rows::{
    DescriptionRow, EpollRow, EventRow, PidfdRow, PipeRow, ProcessRow, RowKind, SocketRow, TaskRow,
    TerminalRow,
};

/// What a row takes beside its value: generation, own id, digest, entity, its place in an index.
const ROW_BYTES: u64 = 128;
/// A process: its row, its own limits, its part of the table of numbers.
pub(crate) const PROCESS_BYTES: u64 = 1024;
/// A task with a descriptor table, a context, and dispositions of every signal.
pub(crate) const TASK_BYTES: u64 = 5120;
/// An open description and the lock that it may hold.
pub(crate) const DESCRIPTION_BYTES: u64 = 256;
/// A pipe with the slots that a new one has and the buffer that it keeps.
pub(crate) const PIPE_BYTES: u64 = 1536;
/// A slot of a pipe beyond those (`F_SETPIPE_SZ`).
pub(crate) const SLOT_BYTES: u64 = 64;
/// A socket, with what few have: a name's place, a peer, an option's.
pub(crate) const SOCKET_BYTES: u64 = 1024;
/// A pseudo-terminal: the input and echoes of both ends, and what is on the way between them.
pub(crate) const TERMINAL_BYTES: u64 = 64 << 10;
/// A pseudo-terminal of the face: what lies at both ends, and a line.
pub(crate) const PTY_BYTES: u64 = 140 << 10;
/// A socket of the face with its places in three tables, hosts and groups.
pub(crate) const FACE_SOCKET_BYTES: u64 = 6 << 10;
/// A datagram in one, beside its bytes.
pub(crate) const DATAGRAM_BYTES: u64 = 512;
/// A connection in the list of one.
pub(crate) const KNOCK_BYTES: u64 = 512;
/// An option of a socket that was set.
pub(crate) const OPTION_BYTES: u64 = 64;
/// A counter of eventfd(2).
pub(crate) const EVENT_BYTES: u64 = 256;
/// What a pidfd refers to, with its place in the index.
pub(crate) const PIDFD_BYTES: u64 = 256;
/// An instance of epoll(7).
pub(crate) const EPOLL_BYTES: u64 = 320;
/// An item of one, with its places in the index, at its object and at its description.
pub(crate) const ITEM_BYTES: u64 = 320;
/// A timer of timerfd_create(2), with its deadline.
pub(crate) const TIMERFD_BYTES: u64 = 256;
/// A number in a descriptor table, open or not.
pub(crate) const FD_BYTES: u64 = 16;
/// A word of a command line or environment, beside its bytes.
pub(crate) const WORD_BYTES: u64 = 56;
/// A queued signal.
pub(crate) const SIGNAL_BYTES: u64 = 64;
/// A handler that runs, with the call that it interrupted.
pub(crate) const FRAME_BYTES: u64 = 512;
/// A descriptor that a blocked poll(2) waits for, with its place in the object's queue.
pub(crate) const POLLED_BYTES: u64 = 64;
/// A timer of timer_create(2), with its deadline.
pub(crate) const TIMER_BYTES: u64 = 256;
/// An instance of inotify(7).
pub(crate) const INSTANCE_BYTES: u64 = 256;
/// A watch with its places in the indexes.
pub(crate) const WATCH_BYTES: u64 = 128;
/// An event that has not been read, beside its name.
pub(crate) const NOTICE_BYTES: u64 = 96;
/// A read of a terminal that waits, with what it has taken.
pub(crate) const READING_BYTES: u64 = 256;
/// A write to a terminal that waits, beside its bytes.
pub(crate) const WRITING_BYTES: u64 = 96;
/// Who is told by signals of what happens to a description, with his place in a list.
pub(crate) const OWNER_BYTES: u64 = 128;
/// A record lock.
pub(crate) const LOCK_BYTES: u64 = 128;

const fn fits(bytes: u64, size: usize) {
    assert!(size as u64 <= bytes, "a row is larger than what it is counted as");
}

const _: () = {
    let row = ROW_BYTES as usize;
    let texts = size_of::<Text>() + size_of::<ProcessText>();
    fits(PROCESS_BYTES, 2 * row + size_of::<Process>() + texts + 256 + 64);
    let actions = 64 * size_of::<(Signal, SigAction)>();
    let shared = size_of::<Files>() + size_of::<Context>() + size_of::<Handlers>();
    fits(TASK_BYTES, 4 * row + size_of::<Task>() + size_of::<Wait>() + shared + actions);
    fits(DESCRIPTION_BYTES, row + size_of::<Description>());
    fits(OWNER_BYTES, size_of::<crate::components::description::Notices>() + 64);
    let segment = size_of::<crate::components::Segment>();
    fits(PIPE_BYTES, row + size_of::<Pipe>() + 16 * segment + 512);
    fits(SLOT_BYTES, segment);
    fits(SOCKET_BYTES, row + size_of::<Socket>() + size_of::<More>() + 256);
    fits(ATTACHED_BYTES, size_of::<Attached>());
    fits(EVENT_BYTES, row + size_of::<Event>());
    fits(PIDFD_BYTES, row + size_of::<Pidfd>() + 32);
    fits(EPOLL_BYTES, row + size_of::<Epoll>());
    let watcher = size_of::<crate::components::epoll::Watcher>();
    fits(ITEM_BYTES, 2 * (size_of::<crate::components::epoll::Item>() + 2 * watcher) + 96);
    fits(TIMERFD_BYTES, size_of::<crate::components::Timerfd>() + 96);
    fits(FD_BYTES, size_of::<Option<crate::components::FdSlot>>());
    fits(SIGNAL_BYTES, size_of::<Queued>());
    fits(FRAME_BYTES, size_of::<Frame>() + size_of::<Wait>());
    fits(TIMER_BYTES, 2 * size_of::<crate::tables::timers::Timer>() + 64);
    fits(INSTANCE_BYTES, size_of::<crate::components::inotify::Instance>() + 64);
    fits(WATCH_BYTES, size_of::<crate::components::inotify::Watch>() + 64);
    fits(NOTICE_BYTES, size_of::<crate::components::inotify::Notice>());
    let reading = size_of::<crate::calls::terminal_io::Reading>();
    fits(READING_BYTES, reading + crate::calls::terminal_io::READ_PART_BYTES as usize);
    fits(WRITING_BYTES, size_of::<crate::calls::terminal_io::Writing>());
    // The largest that buffers on the way can be is beyond their limit by one.
    let [input, echo, port] =
        [terminal::INPUT_BYTES, terminal::ECHO_BYTES, 3 * terminal::PORT_BYTES];
    fits(TERMINAL_BYTES - 2 * (input + echo + port) + echo, size_of::<terminal::Terminal>());
    fits(LOCK_BYTES, 2 * size_of::<crate::calls::record_lock::RecordLock>());
};

impl Kernel {
    /// Bytes that the kernel keeps for programs, without files and the pages of pipes.
    #[inline]
    pub fn memory_bytes(&self) -> u64 {
        self.counters.held_bytes + self.rows.bytes()
    }

    /// What the rows count as by their numbers: the sum that `Rows` keeps.
    pub(crate) fn row_bytes(&self) -> u64 {
        let rows = &self.rows;
        ProcessRow::live(rows) * PROCESS_BYTES
            + TaskRow::live(rows) * TASK_BYTES
            + DescriptionRow::live(rows) * DESCRIPTION_BYTES
            + PipeRow::live(rows) * PIPE_BYTES
            + SocketRow::live(rows) * SOCKET_BYTES
            + TerminalRow::live(rows) * TERMINAL_BYTES
            + EventRow::live(rows) * EVENT_BYTES
            + PidfdRow::live(rows) * PIDFD_BYTES
            + EpollRow::live(rows) * EPOLL_BYTES
    }

    /// The counters.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Lowers each limit on what grows to that of another configuration.
    pub fn cap_limits(&mut self, most: &Config) {
        let own = &mut self.config;
        own.max_descriptions = own.max_descriptions.min(most.max_descriptions);
        own.max_tasks = own.max_tasks.min(most.max_tasks);
        own.max_events_queued = own.max_events_queued.min(most.max_events_queued);
        own.max_memory_bytes = own.max_memory_bytes.min(most.max_memory_bytes);
        own.max_pipe_pages = own.max_pipe_pages.min(most.max_pipe_pages);
        own.max_file_bytes = own.max_file_bytes.min(most.max_file_bytes);
        own.max_inodes = own.max_inodes.min(most.max_inodes);
        self.fs.set_capacity(self.config.max_file_bytes, self.config.max_inodes);
    }

    /// Whether so much more may be kept.
    #[inline]
    pub(crate) fn has_memory(&self, more: u64) -> bool {
        self.memory_bytes().saturating_add(more) <= self.config.max_memory_bytes
    }

    /// How much more may be kept.
    #[inline]
    pub(crate) fn memory_left(&self) -> u64 {
        self.config.max_memory_bytes.saturating_sub(self.memory_bytes())
    }

    /// Counts what has no fixed size, as it comes.
    pub(crate) fn hold_bytes(&mut self, bytes: u64) {
        self.counters.held_bytes += bytes;
    }

    /// The same as it goes.
    pub(crate) fn unhold_bytes(&mut self, bytes: u64) {
        self.counters.held_bytes -= bytes;
    }

    /// Pages of 4 KiB that all pipes may still take.
    pub(crate) fn pipe_room(&self) -> u64 {
        self.config.max_pipe_pages.saturating_sub(self.counters.pipe_pages)
    }

    /// Room for a descriptor table up to this number: EMFILE.
    pub(crate) fn room_for_fd(&self, task: TaskRow, fd: u32) -> Result<(), Errno> {
        let slots = self.rows[self.rows[task].files].slots.len() as u64;
        let longer = (u64::from(fd) + 1).saturating_sub(slots);
        if longer == 0 || self.has_memory(longer * FD_BYTES) { Ok(()) } else { Err(Errno::EMFILE) }
    }
}

/// What a packet in a socket takes beside its row.
pub(crate) fn packet_bytes(packet: &Packet) -> u64 {
    /// The entry of the queue, and its buffer's own.
    const ENTRY_BYTES: u64 = 128;
    let with = packet.with.as_deref();
    let with = with.map_or(0, |with| {
        ATTACHED_BYTES + name_bytes(&with.from) + rights_bytes(with.rights.len())
    });
    packet.bytes.len() as u64 + ENTRY_BYTES + with
}

/// What travels with a packet, beside its sender's name and descriptors.
const ATTACHED_BYTES: u64 = 128;

/// Descriptors that travel with a packet: each with its places in the tables of those in flight.
pub(crate) const fn rights_bytes(count: usize) -> u64 {
    160 * count as u64
}

/// What the name of a socket takes, wherever it lies; that of an abstract one in the table too.
pub(crate) fn name_bytes(name: &Address) -> u64 {
    match name {
        Address::Unix(name) | Address::Abstract(name) => 64 + 2 * name.0.len() as u64,
        Address::Unnamed | Address::Inet(..) | Address::Inet6(..) | Address::Other(_) => 0,
    }
}

/// What the words of a process take.
pub(crate) fn text_bytes<'w>(words: impl Iterator<Item = &'w [u8]>) -> u64 {
    words.map(|word| word.len() as u64 + WORD_BYTES).sum()
}

/// What a blocked call keeps beyond its fixed part.
pub(crate) fn wait_bytes(on: &Waiting) -> u64 {
    match on {
        Waiting::Parked(call) => call.0.len() as u64,
        Waiting::PipeWrite { data, .. } => data.0.len() as u64,
        Waiting::SocketWrite { data, with, .. } => {
            let with = with.as_deref();
            let rights = with.map_or(0, |with| ATTACHED_BYTES + rights_bytes(with.rights.len()));
            let batch = with.and_then(|with| with.batch.as_deref()).map_or(0, outgoing_bytes);
            data.0.len() as u64 + rights + batch
        }
        Waiting::Connect { address, .. } => name_bytes(address),
        Waiting::Poll { fds, .. } | Waiting::Select { fds, .. } => fds.len() as u64 * POLLED_BYTES,
        Waiting::FacePoll { fds, sockets, .. } => (fds.len() + sockets.len()) as u64 * POLLED_BYTES,
        // Parked and opening take turns: the same bytes.
        Waiting::FifoOpen { again, .. } | Waiting::Accept { again, .. } => again.0.len() as u64,
        Waiting::Finished(result) => completed_bytes(result),
        // It grows while it waits, up to what its caller has room for; the socket held it before.
        Waiting::SocketRead { receiving, .. } => {
            receiving.batch.as_deref().map_or(0, incoming_bytes)
        }
        Waiting::TerminalRead(_) => READING_BYTES,
        Waiting::TerminalWrite(writing) => WRITING_BYTES + writing.data.0.len() as u64,
        Waiting::TerminalTurn { call, .. } => call.0.len() as u64,
        Waiting::PipeRead { .. }
        | Waiting::EventRead { .. }
        | Waiting::Epoll { .. }
        | Waiting::EventWrite { .. }
        | Waiting::Sendfile(_)
        | Waiting::Splice(_)
        | Waiting::Child { .. }
        | Waiting::Sleep { .. }
        | Waiting::Pause
        | Waiting::Signal { .. }
        | Waiting::Vfork { .. }
        | Waiting::RecordLock { .. }
        | Waiting::Flock { .. } => 0,
    }
}

/// What a message of sendmmsg(2) or recvmmsg(2) takes beside its bytes.
const MESSAGE_BYTES: u64 = 128;

fn outgoing_bytes(batch: &Outgoings) -> u64 {
    let message = |message: &Message| {
        let fds = message.fds.as_ref().map_or(0, |fds| fds.len()) as u64;
        let name = message.addr.as_ref().map_or(0, name_bytes);
        MESSAGE_BYTES + message.data.0.len() as u64 + 8 * fds + name
    };
    4 * batch.lengths.len() as u64 + batch.rest.iter().map(message).sum::<u64>()
}

fn incoming_bytes(batch: &Incomings) -> u64 {
    let got = |got: &Got| MESSAGE_BYTES + got.received.data.0.len() as u64;
    8 * batch.counts.len() as u64 + batch.got.iter().map(got).sum::<u64>()
}

/// What a handler's frame keeps, the data of a call that it interrupted included.
pub(crate) fn frame_bytes(interrupted: Option<&Interrupted>) -> u64 {
    FRAME_BYTES
        + match interrupted {
            Some(Interrupted::Over(_, result)) => completed_bytes(result),
            Some(Interrupted::Again(_) | Interrupted::AgainUnder(..)) | None => 0,
        }
}

/// The data of a result that its caller has not taken yet.
fn completed_bytes(result: &Completed) -> u64 {
    match result {
        Completed::Done(answer) => match &answer.payload {
            Payload::Data(data) => data.0.len() as u64,
            _ => 0,
        },
        Completed::Failed(_) | Completed::Gone(_) => 0,
    }
}
