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
    /// A call and its result, of a task that is not known: whoever printed last and is in no call,
    /// or one of these.
    Somebody(String, String, Vec<u32>),
}

/// Writes lines.
#[derive(Debug)]
pub(super) struct Lines<W> {
    out: W,
    /// The task whose call stands at the end of the text, without its second half.
    open: Option<u32>,
    /// Tasks that are in a call by what is printed.
    busy: BTreeSet<u32>,
    /// Who printed last.
    last: u32,
    /// The time printed last: it does not go back.
    last_ns: u64,
    /// What waits, by its line and the order in which it came.
    waiting: BTreeMap<(u64, u64), (u32, u64, Item)>,
    count: u64,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            open: None,
            busy: BTreeSet::new(),
            last: 0,
            last_ns: 0,
            waiting: BTreeMap::new(),
            count: 0,
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
        match line {
            None => self.print(task, now_ns, item),
            Some(line) => {
                self.count += 1;
                self.waiting.insert((line, self.count), (task, now_ns, item));
                Ok(())
            }
        }
    }

    /// Prints what stood before a line: nothing else comes that did.
    pub(super) fn reach(&mut self, line: u64) -> io::Result<()> {
        while let Some(first) = self.waiting.first_entry()
            && first.key().0 < line
        {
            let (task, now_ns, item) = first.remove();
            self.print(task, now_ns, item)?;
        }
        Ok(())
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
                self.busy.insert(task);
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
                self.busy.remove(&task);
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
                self.busy.remove(&task);
                writeln!(self.out, " <unfinished ...>) = ?")
            }
            Item::End(text) => {
                self.columns(task, now_ns)?;
                self.busy.remove(&task);
                writeln!(self.out, "{text}")
            }
            Item::Somebody(call, result, tasks) => {
                let mut all = [self.last].into_iter().filter(|last| tasks.contains(last));
                let last = all.find(|task| !self.busy.contains(task));
                let free = || tasks.iter().copied().find(|task| !self.busy.contains(task));
                let Some(task) = last.or_else(free) else { return Ok(()) };
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
