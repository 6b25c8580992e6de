//! Blocked calls: what they wait for is a value, never a stack.

use super::message::{Manner, Receiving};
use super::socket::SocketRef;
use crate::abi::{Address, PollFd, SelectSets, SigSet};
use crate::calls::record_lock::{LockedObject, RecordLock};
use crate::calls::splice::Splicing;
use crate::calls::terminal_io::{Reading, Writing};
use crate::calls::transfer::Sending;
use crate::components::epoll::Watchers;
use crate::event::{Answer, CallId, Completed};
use crate::fs::Place;
use crate::rows::{DescriptionRow, PipeRow};
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A blocked call of a task.
#[derive(Debug)]
pub struct Wait {
    /// Its id.
    pub call: CallId,
    /// When it began to wait: a number that only grows, the order of waking.
    pub since: u64,
    /// When it gives up, in ns of the kernel's clock.
    pub deadline_ns: Option<u64>,
    /// What a caught signal does to it.
    pub restart: Restart,
    /// What it waits for.
    pub on: Waiting,
}

/// What happens to a blocked call when a handler runs (signal(7), "Interruption of system calls").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// It goes on if the handler has `SA_RESTART`, else EINTR.
    WithFlag,
    /// Always EINTR after a handler; goes on after a stop.
    Never,
    /// Nothing interrupts it but the end of the process (vfork(2)).
    Uninterruptible,
    /// EINTR even after a stop without a handler.
    NeverAtAll,
}

/// What a blocked call waits for.
#[derive(Debug)]
pub enum Waiting {
    /// The first `Resume`, or the end of a stop or a handler: the call, encoded, is made (again).
    Parked(Bytes),
    /// Bytes in a pipe, or its end.
    PipeRead {
        /// The reading description.
        description: DescriptionRow,
        /// How many bytes at most.
        count: u64,
    },
    /// Room in a pipe.
    PipeWrite {
        /// The writing description.
        description: DescriptionRow,
        /// All the bytes.
        data: Bytes,
        /// How many are in the pipe.
        written: u64,
    },
    /// Bytes in a socket, or its end.
    SocketRead {
        /// The description.
        description: DescriptionRow,
        /// What is wanted, and what is there of it.
        receiving: Receiving,
    },
    /// Room in a socket.
    SocketWrite {
        /// The description.
        description: DescriptionRow,
        /// All the bytes.
        data: Bytes,
        /// How many are sent.
        written: u64,
        /// How, if not as write(2) does.
        with: Option<Box<Manner>>,
    },
    /// Room in a listener's list: connect(2).
    Connect {
        /// The description.
        description: DescriptionRow,
        /// To whom.
        address: Box<Address>,
        /// The listener.
        at: SocketRef,
    },
    /// A connection: accept(2).
    Accept {
        /// The description of the listener.
        description: DescriptionRow,
        /// The number that the descriptor will have, taken already.
        fd: u32,
        /// `SOCK_*` flags.
        flags: u32,
        /// The number is the descriptor's by now.
        over: bool,
        /// The call, encoded, as it is made again after a stop or a handler: Linux gives the
        /// number back meanwhile. Empty in wake mode OnDemand.
        again: Bytes,
    },
    /// Input of a terminal.
    TerminalRead(Box<Reading>),
    /// Room in a terminal.
    TerminalWrite(Box<Writing>),
    /// The end of another call that reads or writes the terminal: then the call is made.
    TerminalTurn {
        /// The description.
        description: DescriptionRow,
        /// It waits for a reader and not for a writer.
        reads: bool,
        /// The call, encoded.
        call: Bytes,
    },
    /// A counter of eventfd(2) that is not 0.
    EventRead {
        /// The description.
        description: DescriptionRow,
    },
    /// Room in a counter of eventfd(2).
    EventWrite {
        /// The description.
        description: DescriptionRow,
        /// What is added.
        value: u64,
    },
    /// A pipe with something in it, or with room: splice(2), tee(2).
    Splice(Splicing),
    /// Room in a pipe that sendfile(2) writes to.
    Sendfile(Sending),
    /// The other end of a FIFO.
    FifoOpen {
        /// The FIFO, held open on our side already.
        pipe: PipeRow,
        /// Its inode.
        place: Place,
        /// The number that the descriptor will have, taken already.
        fd: u32,
        /// Flags of the open.
        flags: u32,
        /// The count of the other side's opens when it began.
        seen: u64,
        /// The end is the descriptor's by now, or closed.
        over: bool,
        /// The call, encoded, as it is made again after a stop or a handler: Linux gives the end
        /// and the number back meanwhile. Empty in wake mode OnDemand.
        again: Bytes,
    },
    /// A child's change.
    Child {
        /// Which children.
        select: ChildSelect,
        /// Options of wait4(2) or waitid(2).
        options: u32,
        /// Answer as waitid(2).
        info: bool,
    },
    /// poll(2).
    Poll {
        /// What is asked.
        fds: Vec<PollFd>,
        /// The description behind each, held.
        held: Vec<Option<DescriptionRow>>,
    },
    /// The same of the face, which has sockets that are no descriptors.
    FacePoll {
        /// What is asked of descriptors.
        fds: Vec<PollFd>,
        /// The description behind each, held.
        held: Vec<Option<DescriptionRow>>,
        /// What is asked of sockets, whose numbers stand in the place of a descriptor's.
        sockets: Vec<PollFd>,
    },
    /// An item in the ready list of an instance of epoll(7).
    Epoll {
        /// The description of the instance.
        description: DescriptionRow,
        /// How many events at most.
        max_events: u32,
    },
    /// select(2).
    Select {
        /// What is asked.
        sets: SelectSets,
        /// The same as a list of descriptors and events.
        fds: Vec<PollFd>,
        /// The description behind each, held.
        held: Vec<Option<DescriptionRow>>,
    },
    /// Its deadline only: nanosleep(2). Absolute sleeps tell no remainder.
    Sleep {
        /// `TIMER_ABSTIME` was given.
        absolute: bool,
    },
    /// A signal that is caught: pause(2), sigsuspend(2).
    Pause,
    /// A signal of the set: sigtimedwait(2).
    Signal {
        /// The set.
        set: SigSet,
    },
    /// The child of vfork(2).
    Vfork {
        /// Its pid.
        child: u32,
    },
    /// F_SETLKW of fcntl(2).
    RecordLock {
        /// The description.
        description: DescriptionRow,
        /// What is locked.
        object: LockedObject,
        /// The lock.
        lock: RecordLock,
    },
    /// The end of a stop: the call is over, with this result (Auto).
    Finished(Completed),
    /// flock(2).
    Flock {
        /// The description.
        description: DescriptionRow,
        /// `LOCK_SH` or `LOCK_EX`.
        operation: u32,
    },
}

impl Waiting {
    /// The answer of a call that ends before it is through, if it has done something: a write that
    /// wrote some says how much, a read that waited for all gives what came (write(2), recv(2)).
    pub(crate) fn partial(&mut self) -> Option<Answer> {
        match self {
            Waiting::SocketWrite { written, with: Some(with), .. } if with.batch.is_some() => {
                with.batch.as_ref().and_then(|batch| batch.partial(*written))
            }
            Waiting::PipeWrite { written: written @ 1.., .. }
            | Waiting::SocketWrite { written: written @ 1.., .. } => {
                Some(Answer::value(*written as i64))
            }
            Waiting::SocketRead { receiving, .. } => receiving.partial(),
            Waiting::Sendfile(sending) => sending.partial(),
            Waiting::Splice(splicing) if splicing.moved > 0 => {
                Some(Answer::value(splicing.moved as i64))
            }
            Waiting::TerminalWrite(writing) => {
                (writing.written > 0).then(|| Answer::value(writing.written as i64))
            }
            Waiting::TerminalRead(reading) => {
                (!reading.data.0.is_empty()).then(|| reading.answer())
            }
            _ => None,
        }
    }
}

/// Which children a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildSelect {
    /// Any child.
    Any,
    /// This one.
    Pid(u32),
    /// Those of this group.
    Group(u32),
}

crate::wire_enum!(ChildSelect { 0 Any, 1 Pid(pid), 2 Group(pgid) });

/// Room for so many waiters is kept when they are gone.
const KEPT_WAITERS: usize = 64;

/// Calls that wait for one object, in the order in which they began: (since, tid). And the items of
/// epoll(7) that watch it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitQueue(pub Vec<(u64, u32)>, pub Watchers);

impl WaitQueue {
    /// Nobody waits.
    pub const EMPTY: Self = Self(Vec::new(), Watchers::NONE);

    /// Adds one; `since` is higher than all before it, or it is put in order.
    pub fn add(&mut self, since: u64, tid: u32) {
        let at = self.0.partition_point(|entry| entry.0 <= since);
        self.0.insert(at, (since, tid));
    }

    /// Removes one.
    pub fn remove(&mut self, since: u64) {
        let at = self.0.partition_point(|entry| entry.0 < since);
        while self.0.get(at).is_some_and(|entry| entry.0 == since) {
            self.0.remove(at);
        }
        if self.0.is_empty() && self.0.capacity() > KEPT_WAITERS {
            self.0 = Vec::new();
        }
    }

    /// Whether nobody waits.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty() && self.1.is_empty()
    }
}
