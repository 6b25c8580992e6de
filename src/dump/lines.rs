//! Lines as `strace -f -ttt -T` writes them: who, when, what. A call that is over before anybody
//! else prints is one line; else its two halves stand apart, as the moments that they are.

use std::io::{self, Write};

/// Nanoseconds in a second.
const NS: u64 = 1_000_000_000;

/// Writes lines.
#[derive(Debug)]
pub(super) struct Lines<W> {
    out: W,
    /// The task whose call stands at the end of the text, without its second half.
    open: Option<u32>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, open: None }
    }

    fn columns(&mut self, task: u32, now_ns: u64) -> io::Result<()> {
        self.end_half()?;
        write!(self.out, "{task:<5} {}.{:09} ", now_ns / NS, now_ns % NS)
    }

    /// Ends the line of a call whose other half stands farther down, if it has one.
    fn end_half(&mut self) -> io::Result<()> {
        match self.open.take() {
            Some(_) => self.out.write_all(b" <unfinished ...>\n"),
            None => Ok(()),
        }
    }

    /// A line that is no call.
    pub(super) fn line(&mut self, task: u32, now_ns: u64, text: &str) -> io::Result<()> {
        self.columns(task, now_ns)?;
        writeln!(self.out, "{text}")
    }

    /// The first half of a call; what follows may be its second.
    pub(super) fn enter(
        &mut self,
        task: u32,
        now_ns: u64,
        name: &str,
        half: &str,
    ) -> io::Result<()> {
        self.columns(task, now_ns)?;
        write!(self.out, "{name}({half}")?;
        self.open = Some(task);
        Ok(())
    }

    /// The second half of a call that was entered at `since_ns`.
    pub(super) fn exit(
        &mut self,
        task: u32,
        (since_ns, now_ns): (u64, u64),
        name: &str,
        half: &str,
        result: &str,
    ) -> io::Result<()> {
        if self.open == Some(task) {
            self.open = None;
        } else {
            self.columns(task, now_ns)?;
            write!(self.out, "<... {name} resumed>")?;
        }
        let spent = now_ns.saturating_sub(since_ns);
        writeln!(self.out, "{half}) = {result} <{}.{:09}>", spent / NS, spent % NS)
    }

    /// The second half of a call that its task did not live to finish.
    pub(super) fn never(&mut self, task: u32, now_ns: u64, name: &str) -> io::Result<()> {
        self.columns(task, now_ns)?;
        writeln!(self.out, "<... {name} resumed> <unfinished ...>) = ?")
    }

    /// Ends the text.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.end_half()?;
        self.out.flush()?;
        Ok(self.out)
    }
}
