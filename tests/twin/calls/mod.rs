//! From a request to a system call and back: each family's file knows how its requests pass their
//! fields (`man 2` each) and what an answer carries besides the result. Only what stands here is
//! ever called on the host.

mod event;
pub(crate) mod file;
mod io;
mod path;
mod process;
pub(crate) mod signal;
mod socket;
mod terminal;

use crate::fields::{Fields, Object};
use crate::shared::Area;

/// What an answer holds besides `ok`, given the result of a call that did not fail.
pub(crate) type Reply = Box<dyn Fn(i64, &mut Object)>;

/// What the coordinator must do besides passing the call on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    Plain,
    /// A child needs a slot, and a stack if it shares the memory.
    Fork { shares_memory: bool },
    /// The file is an ELF file that stands for the worker's image.
    Exec,
    /// The task ends with this request.
    Exit,
    /// Not a call of the worker, but the end of its handler.
    SignalReturn,
    /// It may send its own caller a signal, after which it answers 0.
    SendsSignal,
}

/// A system call with its arguments.
pub(crate) struct Plan {
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 6],
    pub(crate) kind: Kind,
    pub(crate) reply: Reply,
}

/// A plan, or what is wrong with the request's fields.
pub(crate) type Planned = Result<Plan, String>;

impl Plan {
    fn new(number: i64, given: &[u64]) -> Self {
        let mut arguments = [0; 6];
        for (argument, value) in arguments.iter_mut().zip(given) {
            *argument = *value;
        }
        Self { number, arguments, kind: Kind::Plain, reply: Box::new(|_, _| ()) }
    }

    fn replying(mut self, reply: impl Fn(i64, &mut Object) + 'static) -> Self {
        self.reply = Box::new(reply);
        self
    }

    fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

/// The plan of a request.
pub(crate) fn plan(call: &str, fields: &Fields<'_>, area: &mut Area) -> Planned {
    process::plan(call, fields, area)
        .or_else(|| signal::plan(call, fields, area))
        .or_else(|| io::plan(call, fields, area))
        .or_else(|| file::plan(call, fields, area))
        .or_else(|| path::plan(call, fields, area))
        .or_else(|| event::plan(call, fields, area))
        .or_else(|| socket::plan(call, fields, area))
        .or_else(|| terminal::plan(call, fields, area))
        .unwrap_or_else(|| Err(format!("unknown call {call}")))
}
