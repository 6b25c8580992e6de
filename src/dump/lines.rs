//! Lines as `strace -f -ttt -T` writes them: who, when, what. A call that is over before anybody
//! else prints is one line; else its two halves stand apart, as the moments that they are.
//!
//! What comes of an imported trace knows on which line of its recording it stood. Its event stands
//! where the import found that it took effect, which may be before or behind that line; so it waits
//! here until nothing can come any more that stood before it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Nanoseconds in a second.
const NS: u64 = 1_000_000_000;

/// Most bytes that wait; in a trace with lines that make no sense more would.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Something that is printed.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A line that is no call.
    Line(String),
    /// The first half of a call: its name and arguments; what follows may be its second.
    Enter(String, String),
    /// The second half of a call.
    Exit {
        /// When it was entered.
        since_ns: u64,
        name: String,
        half: String,
        result: String,
    },
    /// The second half of a call that its task did not live to finish.
    Never(String),
    /// The end of a task.
    End(String),
    /// A call and its result, of a task that is not known: whoever printed last, if that is in no
    /// call, else another.
    Somebody(String, String),
}

impl Item {
    /// About what it takes.
    fn bytes(&self) -> usize {
        let text = match self {
            Item::Line(text) | Item::End(text) | Item::Never(text) => text.len(),
            Item::Enter(name, text) | Item::Somebody(name, text) => name.len() + text.len(),
            Item::Exit { name, half, result, .. } => name.len() + half.len() + result.len(),
        };
        size_of::<Self>() + text
    }
}

/// Writes lines.
#[derive(Debug)]
pub(super) struct Lines<W> {
    out: W,
    /// The task whose call stands at the end of the text, without its second half.
    open: Option<u32>,
    /// Tasks that have not ended.
    alive: BTreeSet<u32>,
    /// Those that are in no call by what is printed.
    idle: BTreeSet<u32>,
    /// Who printed last.
    last: u32,
    /// The time printed last: it does not go back.
    last_ns: u64,
    /// What waits, by its line and the order in which it came.
    waiting: BTreeMap<(u64, u64), (u32, u64, Item)>,
    /// How many bytes do.
    waiting_bytes: usize,
    count: u64,
    /// All is printed as it comes, whatever line it is of.
    as_it_comes: bool,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W, as_it_comes: bool) -> Self {
        Self {
            out,
            open: None,
            alive: BTreeSet::new(),
            idle: BTreeSet::new(),
            last: 0,
            last_ns: 0,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            count: 0,
            as_it_comes,
        }
    }

    /// Prints something of a task; on this line of the recording, if that is known.
    pub(super) fn put(
        &mut self,
        line: Option<u64>,
        task: u32,
        now_ns: u64,
        item: Item,
    ) -> io::Result<()> {
        match line.filter(|_| !self.as_it_comes) {
            None => self.print(task, now_ns, item),
            Some(line) => {
                self.count += 1;
                self.waiting_bytes += item.bytes();
                self.waiting.insert((line, self.count), (task, now_ns, item));
                while self.waiting_bytes > MAX_WAITING_BYTES {
                    self.print_first()?;
                }
                Ok(())
            }
        }
    }

    /// A task is there: a new one is in no call.
    pub(super) fn born(&mut self, task: u32) {
        if self.alive.insert(task) {
            self.idle.insert(task);
        }
    }

    /// Prints what stood before a line: nothing else comes that did.
    pub(super) fn reach(&mut self, line: u64) -> io::Result<()> {
        while self.waiting.first_key_value().is_some_and(|(key, _)| key.0 < line) {
            self.print_first()?;
        }
        Ok(())
    }

    fn print_first(&mut self) -> io::Result<()> {
        let Some((_, (task, now_ns, item))) = self.waiting.pop_first() else { return Ok(()) };
        self.waiting_bytes = self.waiting_bytes.saturating_sub(item.bytes());
        self.print(task, now_ns, item)
    }

    fn print(&mut self, task: u32, now_ns: u64, item: Item) -> io::Result<()> {
        match item {
            Item::Line(text) => {
                self.columns(task, now_ns)?;
                writeln!(self.out, "{text}")
            }
            Item::Enter(name, half) => {
                self.columns(task, now_ns)?;
                write!(self.out, "{name}({half}")?;
                self.alive.insert(task);
                self.idle.remove(&task);
                self.open = Some(task);
                Ok(())
            }
            Item::Exit { since_ns, name, half, result } => {
                if self.open == Some(task) {
                    self.open = None;
                } else {
                    self.columns(task, now_ns)?;
                    write!(self.out, "<... {name} resumed>")?;
                }
                // Who ends makes no call any more.
                if result != "?" {
                    self.idle.insert(task);
                }
                let spent = now_ns.saturating_sub(since_ns);
                writeln!(self.out, "{half}) = {result} <{}.{:09}>", spent / NS, spent % NS)
            }
            Item::Never(name) => {
                if self.open == Some(task) {
                    self.open = None;
                } else {
                    self.columns(task, now_ns)?;
                    write!(self.out, "<... {name} resumed>")?;
                }
                writeln!(self.out, " <unfinished ...>) = ?")
            }
            Item::End(text) => {
                self.columns(task, now_ns)?;
                self.alive.remove(&task);
                self.idle.remove(&task);
                writeln!(self.out, "{text}")
            }
            Item::Somebody(call, result) => {
                let last = Some(self.last).filter(|last| self.idle.contains(last));
                let Some(task) = last.or_else(|| self.idle.first().copied()) else { return Ok(()) };
                self.columns(task, now_ns)?;
                writeln!(self.out, "{call} = {result} <0.000000000>")
            }
        }
    }

    fn columns(&mut self, task: u32, now_ns: u64) -> io::Result<()> {
        self.end_half()?;
        self.last = task;
        self.last_ns = self.last_ns.max(now_ns);
        let now_ns = self.last_ns;
        write!(self.out, "{task:<5} {}.{:09} ", now_ns / NS, now_ns % NS)
    }

    /// Ends the line of a call whose other half stands farther down, if it has one.
    fn end_half(&mut self) -> io::Result<()> {
        match self.open.take() {
            Some(_) => self.out.write_all(b" <unfinished ...>\n"),
            None => Ok(()),
        }
    }

    /// Ends the text.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.reach(u64::MAX)?;
        self.end_half()?;
        self.out.flush()?;
        Ok(self.out)
    }
}
