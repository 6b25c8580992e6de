//! Where another recording begins in the same text: `strace -A` appends to its file, and files are
//! put together. The processes of the second know nothing of those of the first, and their numbers
//! may be the same, so that it is said and not guessed (IMPORT.md section 15).
//!
//! strace ends when all that it follows have ended: who speaks then is of another recording. So is
//! who executes a program as the first thing that is told of him, without anybody who made him, in
//! a recording that shows how tasks are made; and the very line with which the text begins.

use std::collections::BTreeSet;

use super::prefix::Stamp;
use super::result::CallResult;
use super::value::Value;

/// Most tasks that are followed; of more nothing is said.
const MAX_TASKS: usize = 1 << 20;

/// Calls that every program makes: where they are, calls are hardly left out (`-e trace=SET`), and
/// none of those that make a task.
const COMMON: [&str; 3] = ["brk", "mmap", "close"];

/// A call as its line has it.
pub(super) struct Said<'a> {
    pub(super) tid: Option<u32>,
    pub(super) time: Option<Stamp>,
    pub(super) name: &'a str,
    pub(super) args: &'a [Value],
    /// What it returned, if that stands there.
    pub(super) result: Option<&'a CallResult>,
}

/// The first call of a recording.
#[derive(Debug)]
struct First {
    tid: Option<u32>,
    time: Option<Stamp>,
    args: Vec<Value>,
}

/// What a recording showed so far.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// Its first call, if that begins a program; nothing is asked where strace came later (`-p`).
    first: Option<First>,
    has_begun: bool,
    /// Who spoke or was made, and has not ended.
    alive: BTreeSet<Option<u32>>,
    /// Who ever spoke or was made.
    known: BTreeSet<Option<u32>>,
    /// Calls that make a task and have not returned.
    making: BTreeSet<Option<u32>>,
    /// A call that makes a task, or ends a process, was told: then all are.
    shows_tasks: bool,
    /// Which of [`COMMON`] there were, as bits.
    shows: u8,
    /// A task's end was told.
    ends: bool,
    /// Nothing can be said any more.
    is_lost: bool,
}

impl Again {
    /// A task enters a call. Says whether another recording begins with it.
    pub(super) fn enter(&mut self, call: &Said<'_>) -> bool {
        let executes = call.name == "execve";
        if !self.has_begun {
            self.has_begun = true;
            self.first = executes.then(|| First {
                tid: call.tid,
                time: call.time,
                args: call.args.to_vec(),
            });
        } else if self.first.is_some() && self.begins(call, executes) {
            return true;
        }
        if self.first.is_none() || self.is_lost {
            return false;
        }
        if makes_task(call.name) {
            self.shows_tasks = true;
            match call.result {
                Some(result) => self.made(call.tid, result),
                None => drop(self.making.insert(call.tid)),
            }
        }
        if let Some(bit) = COMMON.iter().position(|name| *name == call.name) {
            self.shows |= 1 << bit;
        }
        self.shows_tasks |= matches!(call.name, "exit" | "exit_group");
        self.add(call.tid);
        false
    }

    fn begins(&self, call: &Said<'_>, executes: bool) -> bool {
        let is_over = self.ends && self.alive.is_empty() && self.making.is_empty();
        if is_over && self.shows_tasks && !self.is_lost {
            return true;
        }
        if !executes {
            return false;
        }
        let is_first = self.first.as_ref().is_some_and(|first| {
            // Without time and without the environment's address a program may say the same twice.
            let is_one = call.time.is_some() || call.args.iter().any(is_address);
            is_one && first.tid == call.tid && first.time == call.time && first.args == call.args
        });
        // Without -o the first task's lines have no pid while it is alone.
        let has_pids = self.first.as_ref().is_some_and(|first| first.tid.is_some());
        let is_new = has_pids && !self.known.contains(&call.tid) && self.making.is_empty();
        let succeeds = call.result.is_some_and(|result| result.number() == Some(0));
        let shows_all = self.shows_tasks && self.shows.count_ones() as usize == COMMON.len();
        is_first || is_new && succeeds && shows_all && !self.is_lost
    }

    /// A call returned that was entered farther up.
    pub(super) fn leave(&mut self, tid: Option<u32>, name: &str, result: &CallResult) {
        if makes_task(name) && result.value.is_some() {
            self.making.remove(&tid);
            self.made(tid, result);
        }
    }

    fn made(&mut self, by: Option<u32>, result: &CallResult) {
        let child = result.number().filter(|_| result.errno.is_none());
        let child = child.and_then(|child| u32::try_from(child).ok()).filter(|child| *child > 0);
        // Without -f, and so without a column, children have no lines.
        if let (Some(_), Some(child)) = (by, child) {
            self.add(Some(child));
        }
    }

    fn add(&mut self, tid: Option<u32>) {
        if self.known.len() >= MAX_TASKS {
            self.is_lost = true;
            return;
        }
        if self.known.insert(tid) || !self.alive.contains(&tid) {
            self.alive.insert(tid);
        }
    }

    /// A task ended.
    pub(super) fn end(&mut self, tid: Option<u32>) {
        self.ends = true;
        self.alive.remove(&tid);
        // Whom it made then is not told.
        self.is_lost |= self.making.remove(&tid);
    }

    /// A thread executes a program: it goes on with the number of its leader.
    pub(super) fn supersede(&mut self, by: u32) {
        self.alive.remove(&Some(by));
    }

    /// strace let a task go.
    pub(super) fn let_go(&mut self, tid: Option<u32>) {
        self.alive.remove(&tid);
        self.making.remove(&tid);
    }
}

fn makes_task(name: &str) -> bool {
    matches!(name, "clone" | "clone3" | "fork" | "vfork")
}

/// Whether an argument is an address, which is another one in every program.
fn is_address(arg: &Value) -> bool {
    arg.as_pointer().is_some_and(|at| at > 0)
}
