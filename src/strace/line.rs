//! One line of a recording, parsed by itself: what kind it is and what it says.
//!
//! Grammar: FORMAT.md section 2. A call that is split over two lines is two lines here; `join`
//! puts it together.

use tickernel_systems::abi::Signal;

use super::cursor::{Cursor, Parsed, Refusal};
use super::error::{Error, Reason};
use super::names::Names;
use super::parse::{Parser, is_word};
use super::prefix::{Prefix, Stamp, fraction_ns, skip_command};
use super::result::CallResult;
use super::value::{Name, Value};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: u64,
    /// The pid column: the thread's id. `None` without the column.
    pub tid: Option<u32>,
    /// The time column.
    pub time: Option<Stamp>,
    /// Digits after the point of the time column.
    pub fraction_digits: u8,
    /// The rest.
    pub body: Body,
}

/// Why an entry half ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Another task printed in between; the rest comes in a `resumed` line.
    Unfinished,
    /// strace let the task go; nothing more comes of it.
    Detached,
    /// A thread's execve took over the leader's pid; the `resumed` line carries that pid.
    PidChanged(u32),
    /// The task was killed between two stops: a call without result.
    Lost,
}

/// A whole call in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeCall {
    /// The call's name.
    pub name: Name,
    /// The arguments.
    pub args: Vec<Value>,
    /// What it returned.
    pub result: CallResult,
    /// Time in the call (-T).
    pub duration_ns: Option<u64>,
    /// Digits after the point of that time.
    pub duration_digits: u8,
}

/// The kinds of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A call in one line.
    Call(WholeCall),
    /// The first half of a call.
    Unfinished {
        /// The call's name.
        name: Name,
        /// The arguments printed so far; the last may be incomplete (open brackets are closed).
        args: Vec<Value>,
        /// The text of the arguments after the opening parenthesis, for joining.
        text: Vec<u8>,
        /// Why it ends.
        cut: Cut,
    },
    /// The second half of a call.
    Resumed {
        /// The call's name.
        name: Name,
        /// The text after `resumed>`, for joining.
        text: Vec<u8>,
        /// Its byte offset in the line.
        at: usize,
    },
    /// `--- SIGX {...} ---`: delivery of a signal.
    Signal {
        /// `SIGCHLD`, `SIGRT_4`: always a name, in every print style.
        name: Name,
        /// The siginfo; [`Value::Empty`] in recordings by old versions.
        info: Value,
    },
    /// `--- stopped by SIGX ---`: group stop.
    Stopped {
        /// The signal's name.
        signal: Name,
    },
    /// `+++ exited with N +++`
    Exited {
        /// The exit status.
        status: u32,
    },
    /// `+++ killed by SIGX +++`
    Killed {
        /// The signal's name.
        signal: Name,
        /// `(core dumped)`
        core: bool,
    },
    /// `+++ superseded by execve in pid N +++`
    Superseded {
        /// The thread whose execve takes over this pid.
        by: u32,
    },
    /// What strace says about itself.
    Notice(Notice),
}

/// Lines of strace that are about the tracing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// `Process N attached`
    Attached(u32),
    /// `Process N detached`
    Detached(u32),
    /// `[ Process PID=N runs in 32 bit mode. ]`: calls of N have other numbers and sizes.
    Personality {
        /// The process.
        pid: u32,
        /// `32 bit`, `x32`, `64 bit`
        mode: Name,
    },
    /// Another line that begins with `strace: `, an old version's `Process N suspended`, a stack
    /// frame (-k), a dump (-e read, -e write) or a line of the summary table (-C): its text.
    Other(Vec<u8>),
}

/// Parses lines; keeps what is shared between them.
#[derive(Debug, Default)]
pub struct LineParser {
    pub(crate) names: Names,
    /// The summary table of -C has begun: nothing but table follows.
    in_summary: bool,
}

impl LineParser {
    /// A parser for one recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses one line without its newline. `number` is for the error and the [`Line`].
    pub fn parse(&mut self, number: u64, text: &[u8]) -> Result<Line, Error> {
        self.line(number, text)
            .map_err(|refusal| Error::at(number, text, refusal.at, refusal.reason))
    }

    /// The arguments after `(`, the result and the duration, of a call put together by `join`.
    pub(crate) fn tail(&mut self, name: Name, text: &[u8]) -> Result<WholeCall, Refusal> {
        let mut parser = Parser::new(text, &mut self.names, false);
        call_tail(&mut parser, name)
    }

    fn line(&mut self, number: u64, text: &[u8]) -> Parsed<Line> {
        if self.in_summary || text.starts_with(b"% time ") {
            self.in_summary = true;
            return Ok(notice_line(number, Notice::Other(text.to_vec())));
        }
        if text.starts_with(b" > ") || text.starts_with(b" | ") {
            return Ok(notice_line(number, Notice::Other(text.to_vec())));
        }
        if let Some(notice) = self.notice(text) {
            return Ok(notice_line(number, notice));
        }
        let mut cursor = Cursor::new(text);
        let prefix = Prefix::read(&mut cursor)?;
        let body = self.body(text, cursor.at)?;
        let Prefix { tid, time, fraction_digits } = prefix;
        Ok(Line { number, tid, time, fraction_digits, body })
    }

    fn body(&mut self, text: &[u8], at: usize) -> Parsed<Body> {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with(b"<... ") {
            return self.resumed(text, at);
        }
        if rest.starts_with(b"--- ") {
            let mut parser = Parser::new(text, &mut self.names, false);
            parser.cursor.bump(at);
            return signal(&mut parser);
        }
        if rest.starts_with(b"+++ ") {
            return self.end(text, at);
        }
        if let Some(notice) = self.notice(rest) {
            return Ok(Body::Notice(notice));
        }
        self.call(text, at)
    }

    fn call(&mut self, text: &[u8], at: usize) -> Parsed<Body> {
        let mut cursor = Cursor { text, at };
        let name = cursor.take_while(is_word);
        if name.is_empty() || cursor.peek() != Some(b'(') {
            return Err(Refusal { at, reason: Reason::UnknownLine });
        }
        cursor.bump(1);
        let name = match std::str::from_utf8(name) {
            Ok(name) => self.names.share(name),
            Err(_) => return Err(Refusal { at, reason: Reason::UnknownLine }),
        };
        if let Some((end, cut)) = cut_of(text, cursor.at) {
            let half = text.get(..end).unwrap_or_default();
            let mut parser = Parser::new(half, &mut self.names, true);
            parser.cursor.at = cursor.at;
            let args = parser.arguments()?;
            if !parser.cursor.at_end() {
                return parser.cursor.expected("the end of an unfinished call");
            }
            let text = half.get(cursor.at..).unwrap_or_default().to_vec();
            return Ok(Body::Unfinished { name, args, text, cut });
        }
        let mut parser = Parser::new(text, &mut self.names, false);
        parser.cursor.at = cursor.at;
        call_tail(&mut parser, name).map(Body::Call)
    }

    fn resumed(&mut self, text: &[u8], at: usize) -> Parsed<Body> {
        let mut cursor = Cursor { text, at: at + 5 };
        let start = cursor;
        let name = cursor.take_while(is_word);
        if name.is_empty() || !cursor.eat(b" resumed>") {
            return start.expected("the name of a call and ` resumed>`");
        }
        let name = Parser::new(text, &mut self.names, false).share(name)?;
        // A rest that itself cannot be parsed is found when the call is put together.
        Ok(Body::Resumed { name, text: cursor.rest().to_vec(), at: cursor.at })
    }

    fn end(&mut self, text: &[u8], at: usize) -> Parsed<Body> {
        let mut cursor = Cursor { text, at: at + 4 };
        let body = if cursor.eat(b"exited with ") {
            Body::Exited { status: cursor.small()? }
        } else if cursor.eat(b"killed by ") {
            let start = cursor;
            let signal = cursor.take_while(is_word);
            if std::str::from_utf8(signal).ok().and_then(Signal::from_name).is_none() {
                return start.expected("the name of a signal");
            }
            let signal = Parser::new(text, &mut self.names, false).share(signal)?;
            Body::Killed { signal, core: cursor.eat(b" (core dumped)") }
        } else if cursor.eat(b"superseded by execve in pid ") {
            let by = cursor.small()?;
            skip_command(&mut cursor)?;
            Body::Superseded { by }
        } else {
            return cursor.refuse(Reason::UnknownLine);
        };
        cursor.expect(b" +++", "` +++`")?;
        if cursor.at_end() { Ok(body) } else { cursor.expected("the end of the line") }
    }

    /// What strace says about itself, where the text is of that kind.
    fn notice(&mut self, text: &[u8]) -> Option<Notice> {
        let own = text.strip_prefix(b"strace: ");
        let said = own.unwrap_or(text);
        let of_process = said.starts_with(b"Process ") || said.starts_with(b"[ Process PID=");
        if let (true, Ok(notice)) = (of_process, self.process_notice(said)) {
            return Some(notice);
        }
        own.map(|_| Notice::Other(text.to_vec()))
    }

    fn process_notice(&mut self, text: &[u8]) -> Parsed<Notice> {
        let mut cursor = Cursor::new(text);
        let bracket = cursor.eat(b"[ ");
        cursor.expect(b"Process ", "`Process`")?;
        cursor.eat(b"PID=");
        let pid = cursor.small()?;
        skip_command(&mut cursor)?;
        if bracket {
            cursor.expect(b" runs in ", "` runs in `")?;
            let Some(mode) = cursor.take_until(b" mode. ]") else {
                return cursor.expected("a mode");
            };
            let mode = Parser::new(text, &mut self.names, false).share(mode)?;
            return Ok(Notice::Personality { pid, mode });
        }
        if cursor.starts(b" attached") {
            Ok(Notice::Attached(pid))
        } else if cursor.starts(b" detached") {
            Ok(Notice::Detached(pid))
        } else if cursor.starts(b" suspended") || cursor.starts(b" resumed") {
            Ok(Notice::Other(text.to_vec()))
        } else {
            cursor.expected("a notice about a process")
        }
    }
}

fn notice_line(number: u64, notice: Notice) -> Line {
    Line { number, tid: None, time: None, fraction_digits: 0, body: Body::Notice(notice) }
}

/// Where the arguments of an entry half end (blanks cut off), and why; `None` for a whole call.
pub(crate) fn cut_of(text: &[u8], start: usize) -> Option<(usize, Cut)> {
    if text.last() != Some(&b'>') {
        return None;
    }
    let open = text.iter().rposition(|byte| *byte == b'<').filter(|open| *open >= start)?;
    let remark = text.get(open..)?;
    let cut = match remark {
        b"<unfinished ...>" => Cut::Unfinished,
        b"<detached ...>" => Cut::Detached,
        _ if remark.starts_with(b"<ptrace(") => Cut::Lost,
        _ => {
            let pid = remark.strip_prefix(b"<pid changed to ")?.strip_suffix(b" ...>")?;
            let pid = std::str::from_utf8(pid).ok()?.parse().ok()?;
            Cut::PidChanged(pid)
        }
    };
    let blanks = text.get(..open)?.iter().rev().take_while(|byte| **byte == b' ').count();
    Some(((open - blanks).max(start), cut))
}

/// Arguments, `)`, result and duration; the cursor stands after the opening parenthesis.
fn call_tail(parser: &mut Parser<'_, '_>, name: Name) -> Parsed<WholeCall> {
    let args = parser.arguments()?;
    parser.cursor.blanks();
    parser.cursor.expect(b"=", "` = ` and the result")?;
    parser.cursor.blanks();
    let result = CallResult::read(parser)?;
    parser.cursor.blanks();
    let (duration_ns, duration_digits) = duration(&mut parser.cursor)?;
    if !parser.cursor.at_end() {
        return parser.cursor.expected("the end of the line");
    }
    Ok(WholeCall { name, args, result, duration_ns, duration_digits })
}

/// `<0.000031>`
fn duration(cursor: &mut Cursor<'_>) -> Parsed<(Option<u64>, u8)> {
    if !cursor.eat(b"<") || cursor.eat(b"unavailable>") {
        return Ok((None, 0));
    }
    let start = *cursor;
    let seconds = cursor.decimal()?;
    let (fraction, digits) = fraction_ns(cursor)?;
    cursor.expect(b">", "`>` after the time in the call")?;
    match seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(fraction)) {
        Some(ns) => Ok((Some(ns), digits)),
        None => start.expected("a duration below 584 years"),
    }
}

/// `SIGX {...} ---`, `stopped by SIGX ---`; the cursor stands on the dashes.
fn signal(parser: &mut Parser<'_, '_>) -> Parsed<Body> {
    parser.cursor.bump(4);
    let stopped = parser.cursor.eat(b"stopped by ");
    let start = parser.cursor;
    let word = parser.cursor.take_while(is_word);
    // What stands there by another name than Linux's is no signal (signal(7)).
    let is_signal = std::str::from_utf8(word).ok().and_then(Signal::from_name).is_some();
    if !is_signal {
        return start.expected("the name of a signal");
    }
    let name = parser.share(word)?;
    parser.cursor.blanks();
    let body = if stopped {
        Body::Stopped { signal: name }
    } else if parser.cursor.peek() == Some(b'{') {
        Body::Signal { name, info: parser.value()? }
    } else if parser.cursor.peek() == Some(b'(') && parser.cursor.take_until(b"@ 0 (0)").is_some() {
        // Before strace 4.7: `--- SIGCHLD (Child exited) @ 0 (0) ---`
        Body::Signal { name, info: Value::Empty }
    } else {
        return parser.cursor.expected("a siginfo");
    };
    parser.cursor.blanks();
    parser.cursor.expect(b"---", "`---`")?;
    if parser.cursor.at_end() { Ok(body) } else { parser.cursor.expected("the end of the line") }
}
