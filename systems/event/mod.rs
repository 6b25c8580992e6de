//! The alphabet: what enters the kernel ([`Event`], [`Call`]) and what leaves it ([`Outcome`],
//! [`Output`]). Everything here is a value with a canonical encoding; nothing acts.

mod call;
mod field;
mod network;
mod payload;

pub use crate::components::terminal::End as TerminalEnd;
pub use call::{Call, FieldForm};
pub use field::{FcntlArg, Field, FieldSink, FieldSource, FieldValue, IoctlArg, Path, Style};
pub use network::{Incoming, Outgoing};
pub use payload::{Answer, Payload};

use crate::abi::{Errno, SigInfo, Signal, WaitStatus};
use crate::wire::{Bytes, Short, Wire, WireError, WireReader};
use alloc::vec::Vec;

/// The number of an event, from 0: also the number of its tick.
pub type Tick = u64;

/// A call, named by the tick of the event that brought it. Unique within a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub Tick);

/// One thing that enters by the door.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// A system call of a task.
    Call {
        /// Thread id of the speaker.
        task: u32,
        /// What it asks for.
        call: Call<'a>,
    },
    /// A system call that is not tried until a [`Event::Resume`] names it (wake mode OnDemand).
    Park {
        /// Thread id of the speaker.
        task: u32,
        /// What it asks for.
        call: Call<'a>,
    },
    /// Tries a blocked or parked call again (OnDemand); at most so many bytes may move. With none
    /// it is given up and ends with EINTR: an import's way on where its recording cannot be
    /// followed.
    Resume {
        /// Which call.
        call: CallId,
        /// Limit in bytes for this step; `u64::MAX` = none.
        max_bytes: u64,
    },
    /// Delivers a pending signal to a task (OnDemand).
    Deliver {
        /// Thread id.
        task: u32,
        /// Which signal.
        signal: Signal,
    },
    /// The clock goes on by so many nanoseconds.
    Clock {
        /// Nanoseconds since the last reading.
        delta_ns: u64,
    },
    /// The host's answer to the open [`Question`].
    Answer(HostAnswer),
    /// A signal from outside the kernel to a process.
    Signal {
        /// Process id.
        target: u32,
        /// What is sent.
        info: SigInfo,
    },
    /// What is on its way to an end of a terminal arrives there (OnDemand): Linux does this in a
    /// worker of its own.
    Carry {
        /// The number of its slave.
        terminal: u32,
        /// Which end.
        end: TerminalEnd,
    },
    /// What the machine gives to the next who does not choose himself.
    Unchosen {
        /// Of what.
        what: Unchosen,
        /// The port, or the number in the name. One that is taken then is passed over.
        number: u32,
    },
    /// Something comes from the network outside.
    Incoming(Incoming),
    /// A system call that fails with this errno and does nothing: a fault that an experiment puts
    /// there, as strace(1) does with `-e inject=SET:error=ERRNO`.
    Inject {
        /// Thread id of the speaker.
        task: u32,
        /// The error that it gets.
        errno: Errno,
        /// What it asks for.
        call: Call<'a>,
    },
}

/// What a socket gets of which nobody said which (ip(7), unix(7), "Autobind feature").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchosen {
    /// A port.
    Port,
    /// An abstract name.
    Name,
}

crate::wire_enum!(Unchosen { 0 Port, 1 Name });

crate::wire_enum!(HostAnswer {
    0 Bytes(bytes), 1 Result(value), 2 Error(errno), 3 Absent, 4 Answer(answer)
});

/// What the kernel cannot know by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// So many random bytes (random(4)), when the configuration says that the host has them.
    Entropy {
        /// How many.
        bytes: u64,
    },
    /// The contents of a file of the host's /proc or /sys that the kernel does not model.
    HostFile {
        /// Its absolute path.
        path: Bytes,
    },
    /// The result of a call that the kernel does not model.
    Unmodelled {
        /// Its number on x86-64.
        number: u32,
    },
    /// Whether the face's policy allows an operation: [`HostAnswer::Result`] 1 or 0.
    Permission {
        /// 0 = files, 1 = the making of a process.
        subject: u32,
        /// Which operation on a file, in the order of the contract's `FsOperation`; of a process
        /// how many of the words are command and arguments.
        operation: u32,
        /// Its path, or the working directory of the process.
        path: Bytes,
        /// Command, arguments and environment of a process.
        words: Vec<Bytes>,
    },
    /// What a foreign file system answers to a call of the family `fs_*`, encoded, with `raw`:
    /// [`HostAnswer::Answer`] or its errno.
    Foreign {
        /// The call.
        call: Bytes,
    },
}

/// An answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAnswer {
    /// Entropy or contents.
    Bytes(Bytes),
    /// The value that an unmodelled call returns.
    Result(i64),
    /// The errno of the answer.
    Error(Errno),
    /// The host has nothing: the kernel answers by its own rules.
    Absent,
    /// What a foreign file system gives.
    Answer(Answer),
}

/// What came of a call at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done(Answer),
    /// It failed.
    Failed(Errno),
    /// It waits; a [`Completion`] with this id follows.
    Blocked(CallId),
    /// The host must answer [`Kernel::question`](crate::Kernel::question) first.
    Asking,
    /// The speaker cannot speak: the event had no effect.
    Refused(Refusal),
}

/// Why a task cannot make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such task, or it has ended.
    Gone,
    /// It is in this call already.
    Blocked(CallId),
    /// A signal stopped it.
    Stopped,
    /// The event names something that is not there, or is not allowed in this wake mode.
    Misplaced,
}

/// A blocked call ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Which call.
    pub call: CallId,
    /// Whose.
    pub task: u32,
    /// How.
    pub result: Completed,
}

/// How a blocked call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Completed {
    /// With an answer.
    Done(Answer),
    /// With an error.
    Failed(Errno),
    /// Its process ended first.
    Gone(WaitStatus),
}

/// What leaves the kernel beside answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A caught signal was delivered: the guest runs its handler and then `rt_sigreturn`.
    Handler {
        /// The task that runs it.
        task: u32,
        /// The handler's cookie of rt_sigaction(2).
        handler: u64,
        /// What the handler gets.
        info: SigInfo,
    },
    /// A process stopped.
    Stopped {
        /// Process id.
        process: u32,
        /// Which signal.
        signal: Signal,
    },
    /// A stopped process goes on.
    Continued {
        /// Process id.
        process: u32,
    },
    /// A process ended.
    Exited {
        /// Process id.
        process: u32,
        /// How.
        status: WaitStatus,
    },
    /// A signal reached a process of the face: its driver is told.
    Told {
        /// Process id.
        process: u32,
        /// Which signal.
        signal: Signal,
    },
    /// Something goes out to the network outside.
    Outgoing(Outgoing),
    /// A socket of the face that had nothing has something: a connection to accept, or data.
    Ready {
        /// Its number.
        socket: u64,
        /// A connection.
        accept: bool,
    },
}

/// One thing that leaves, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The outcome of a queued event (`submit` and `step`), with its tick.
    Outcome(Tick, Outcome),
    /// A blocked call ended.
    Completion(Completion),
    /// Something the host should know.
    Effect(Effect),
}

impl<'a> Wire<'a> for CallId {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok(CallId(u64::get(from)?))
    }
}

impl Event<'_> {
    /// Appends the encoding of [`Event::Call`], of a call that its maker keeps.
    pub fn put_call(task: u32, call: &Call<'_>, out: &mut Vec<u8>) {
        (0u8, task).put_with(out, call);
    }

    /// The same in a register; whole if the call has a short encoding.
    #[inline(always)]
    pub fn short_call<'s>(task: u32, call: &'s Call<'_>) -> Short<'s> {
        call.short(Short::EMPTY.byte(0).varint(u64::from(task)))
    }
}

impl Outcome {
    /// The encoding in a register: whole for what most calls end with, a number and perhaps bytes.
    #[inline(always)]
    pub fn short(&self) -> Short<'_> {
        let Outcome::Done(Answer { value, payload }) = self else {
            return Short::EMPTY.too_long();
        };
        let done = value.short(Short::EMPTY.byte(0));
        if let Payload::Data(data) = payload {
            done.byte(1).varint(data.0.len() as u64).bytes(&data.0)
        } else if matches!(payload, Payload::None) {
            done.byte(0)
        } else {
            done.too_long()
        }
    }
}

impl<'a> Wire<'a> for Event<'a> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Event::Call { task, call } => Self::put_call(*task, call, out),
            Event::Park { task, call } => (1u8, *task).put_with(out, call),
            Event::Resume { call, max_bytes } => {
                out.push(2);
                call.put(out);
                max_bytes.put(out);
            }
            Event::Deliver { task, signal } => (3u8, *task).put_with(out, signal),
            Event::Clock { delta_ns } => {
                out.push(4);
                delta_ns.put(out);
            }
            Event::Answer(answer) => {
                out.push(5);
                answer.put(out);
            }
            Event::Signal { target, info } => (6u8, *target).put_with(out, info),
            Event::Carry { terminal, end } => (27u8, *terminal).put_with(out, end),
            Event::Unchosen { what, number } => (28u8, *number).put_with(out, what),
            Event::Incoming(what) => {
                out.push(29);
                what.put(out);
            }
            Event::Inject { task, errno, call } => {
                (30u8, *task).put_with(out, errno);
                call.put(out);
            }
        }
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let error = from.error("a kind of event");
        Ok(match from.byte()? {
            0 => Event::Call { task: u32::get(from)?, call: Call::get(from)? },
            1 => Event::Park { task: u32::get(from)?, call: Call::get(from)? },
            2 => Event::Resume { call: CallId::get(from)?, max_bytes: u64::get(from)? },
            3 => Event::Deliver { task: u32::get(from)?, signal: Signal::get(from)? },
            4 => Event::Clock { delta_ns: u64::get(from)? },
            5 => Event::Answer(HostAnswer::get(from)?),
            6 => Event::Signal { target: u32::get(from)?, info: SigInfo::get(from)? },
            27 => Event::Carry { terminal: u32::get(from)?, end: TerminalEnd::get(from)? },
            28 => Event::Unchosen { number: u32::get(from)?, what: Unchosen::get(from)? },
            29 => Event::Incoming(Incoming::get(from)?),
            30 => Event::Inject {
                task: u32::get(from)?,
                errno: Errno::get(from)?,
                call: Call::get(from)?,
            },
            _ => return Err(error),
        })
    }
}

/// Writes a kind, a task and the rest: three of the events have this form.
trait PutWith {
    fn put_with<'a>(self, out: &mut Vec<u8>, rest: &impl Wire<'a>);
}

impl PutWith for (u8, u32) {
    fn put_with<'a>(self, out: &mut Vec<u8>, rest: &impl Wire<'a>) {
        out.push(self.0);
        self.1.put(out);
        rest.put(out);
    }
}
crate::wire_enum!(Outcome {
    0 Done(answer), 1 Failed(errno), 2 Blocked(call), 3 Asking, 4 Refused(why)
});
crate::wire_enum!(Refusal { 0 Gone, 1 Blocked(call), 2 Stopped, 3 Misplaced });
crate::wire_enum!(Completed { 0 Done(answer), 1 Failed(errno), 2 Gone(status) });
crate::wire_struct!(Completion { call, task, result });
crate::wire_enum!(Effect {
    0 Handler { task, handler, info },
    1 Stopped { process, signal },
    2 Continued { process },
    3 Exited { process, status },
    4 Told { process, signal },
    5 Outgoing(what),
    6 Ready { socket, accept }
});
crate::wire_enum!(Output { 0 Outcome(tick, outcome), 1 Completion(completion), 2 Effect(effect) });
