//! Puts the two halves of split calls together: lines to events, in file order.
//!
//! A call takes effect between its [`EventKind::Entry`] and its [`EventKind::Exit`] (IMPORT.md
//! section 1). Restarts (`ERESTART...`, restart_syscall) are not joined: each is a call of its
//! own here. A call may have no exit (the task died or was let go in it) or no entry (strace
//! attached while it ran).

use std::collections::{BTreeMap, VecDeque};
use std::io::BufRead;

use super::again::{Again, Said};
use super::clock::Clock;
use super::cursor::Refusal;
use super::error::{Error, Reason};
use super::event::{Call, Calls, Event, EventKind, Recording};
use super::keeper::{Entries, Keeper};
use super::line::{Body, Cut, Line, WholeCall, cut_of};
use super::lines::Lines;
use super::value::{Name, Value};

/// Most bytes of text of calls that have not returned: each is read again with its second half.
pub const MAX_OPEN_BYTES: usize = 256 << 20;

/// Most threads of which it is kept whose they are.
const MAX_THREADS: usize = 1 << 16;
/// clone(2)
const CLONE_THREAD: i128 = 0x1_0000;
/// The call that may return as another task than it was entered by.
const EXECVE: &str = "execve";

/// A call that has not returned yet.
#[derive(Debug)]
struct Open {
    call: u64,
    name: Name,
    line: u64,
    /// Text of the arguments at entry.
    text: Vec<u8>,
}

/// The events of one recording. After the first error there is nothing more.
#[derive(Debug)]
pub struct Events<R> {
    lines: Lines<R>,
    clock: Clock,
    calls: Calls,
    open: BTreeMap<Option<u32>, Open>,
    open_bytes: usize,
    /// The leaders of threads.
    leaders: BTreeMap<u32, u32>,
    /// Whether another recording begins.
    again: Again,
    /// Events of the line read last that were not given yet.
    ready: VecDeque<Event>,
    /// Calls of the line read last, or before, that never return.
    given_up: Vec<u64>,
    /// Second halves stood directly below the first: then no other calls are split.
    has_halves_below: bool,
    ended: bool,
}

impl<R: BufRead> Events<R> {
    /// The events of `input`.
    pub fn new(input: R) -> Self {
        Self {
            lines: Lines::new(input),
            clock: Clock::default(),
            calls: Calls::default(),
            open: BTreeMap::new(),
            open_bytes: 0,
            leaders: BTreeMap::new(),
            again: Again::default(),
            ready: VecDeque::new(),
            given_up: Vec::new(),
            has_halves_below: false,
            ended: false,
        }
    }

    /// The same with times since `first_ns` (nanoseconds as the time column counts).
    pub(crate) fn starting_at(input: R, first_ns: u64) -> Self {
        Self { clock: Clock::starting_at(first_ns), ..Self::new(input) }
    }

    /// The calls so far.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The calls so far, to take them out.
    pub fn calls_mut(&mut self) -> &mut Calls {
        &mut self.calls
    }

    /// Reads to the end or to the error.
    pub fn read_all(self) -> Recording {
        self.read_all_within(u64::MAX)
    }

    /// The same, but no more than so many bytes of text (about); then the error says so, and what
    /// stands before is good.
    pub fn read_all_within(mut self, limit_bytes: u64) -> Recording {
        let mut keeper = Keeper::default();
        let mut error = None;
        while error.is_none() {
            let Some(event) = self.next() else { break };
            let kept = event.and_then(|event| {
                let over = if let EventKind::Exit { call } = event.kind {
                    self.calls.take(call)
                } else {
                    None
                };
                let kept = keeper.keep(&event, over.as_ref());
                kept.map_err(|why| Error::no_room(event.line, why))
            });
            error = kept.err();
            self.keep_given_up(&mut keeper);
            if self.lines.text_bytes() > limit_bytes && self.ready.is_empty() && error.is_none() {
                error = self.too_large(limit_bytes);
            }
        }
        let entries = if self.has_halves_below { Entries::Above } else { Entries::Seen };
        for (index, call) in self.calls.left() {
            keeper.keep_open(index, call);
        }
        keeper.finish(entries, error)
    }

    /// Keeps the calls that never return, once the events that name them were kept.
    fn keep_given_up(&mut self, keeper: &mut Keeper) {
        if !self.ready.is_empty() {
            return;
        }
        for index in std::mem::take(&mut self.given_up) {
            if let Some(call) = self.calls.take(index) {
                keeper.keep_open(index, &call);
            }
        }
    }

    /// Whether calls were printed when they had returned, as far as that was seen.
    pub(super) fn has_halves_below(&self) -> bool {
        self.has_halves_below
    }

    /// The error if the recording goes on.
    fn too_large(&mut self, limit_bytes: u64) -> Option<Error> {
        let line = self.lines.number() + 1;
        match self.next()? {
            Ok(_) => {
                let reason = Reason::RecordingTooLarge { limit_bytes };
                Some(Error { line, ..Error::whole(reason) })
            }
            Err(found) => Some(found),
        }
    }

    fn line(&mut self, line: Line) -> Result<(), Error> {
        self.refuse_another(&line)?;
        let time_ns = line.time.map(|stamp| self.clock.at(stamp));
        let Line { number, tid, body, .. } = line;
        let event = |kind| Event { line: number, tid, time_ns, kind };
        match body {
            Body::Call(whole) => self.whole(number, tid, time_ns, whole)?,
            Body::Unfinished { name, args, text, cut } => {
                self.refuse_open(number, tid, &name)?;
                if self.open_bytes + text.len() > MAX_OPEN_BYTES {
                    let reason = Reason::OpenTooLarge { limit_bytes: MAX_OPEN_BYTES };
                    return Err(Error { line: number, ..Error::whole(reason) });
                }
                let args_at_entry = args.len();
                let call = Call {
                    args_at_entry,
                    cut: Some(cut),
                    ..entered(tid, name.clone(), args, number, time_ns)
                };
                let call = self.calls.push(call);
                self.ready.push_back(event(EventKind::Entry { call }));
                let open = Open { call, name, line: number, text };
                match cut {
                    Cut::Unfinished => self.leave_open(tid, open),
                    Cut::PidChanged(pid) => self.leave_open(Some(pid), open),
                    Cut::Detached => {
                        self.again.let_go(tid);
                        self.given_up.push(call);
                        self.ready.push_back(event(EventKind::Detached));
                    }
                    Cut::Lost => self.given_up.push(call),
                }
            }
            Body::Resumed { name, text, at } => {
                let doubt = self.lines.take_doubt();
                match (self.resumed(number, tid, time_ns, name, &text, at), doubt) {
                    (Ok(()), doubt) => self.has_halves_below |= doubt.is_some(),
                    (Err(_), Some(error)) | (Err(error), None) => return Err(error),
                }
            }
            Body::Signal { name, info } => {
                self.ready.push_back(event(EventKind::Signal { name, info }));
            }
            Body::Stopped { signal } => {
                self.ready.push_back(event(EventKind::Stopped { signal }));
            }
            Body::Exited { status } => {
                self.give_up(tid);
                self.ready.push_back(event(EventKind::Exited { status }));
            }
            Body::Killed { signal, core } => {
                self.give_up(tid);
                self.ready.push_back(event(EventKind::Killed { signal, core }));
            }
            Body::Superseded { by } => {
                // The leader is gone with its call; what the thread has open goes on as the leader.
                if let Some(open) = self.take(Some(by)) {
                    self.leave_open(tid, open);
                }
                self.ready.push_back(event(EventKind::Superseded { by }));
            }
            Body::Notice(notice) => self.ready.push_back(event(EventKind::Notice(notice))),
        }
        Ok(())
    }

    /// Nobody of the recording speaks any more.
    fn refuse_another(&mut self, line: &Line) -> Result<(), Error> {
        let (tid, time) = (line.tid, line.time);
        let said = match &line.body {
            Body::Call(whole) => Said {
                tid,
                time,
                name: &whole.name,
                args: &whole.args,
                result: Some(&whole.result),
            },
            Body::Unfinished { name, args, .. } => Said { tid, time, name, args, result: None },
            Body::Exited { .. } | Body::Killed { .. } => {
                self.again.end(tid);
                return Ok(());
            }
            Body::Superseded { by } => {
                self.again.supersede(*by);
                return Ok(());
            }
            Body::Resumed { .. } | Body::Signal { .. } | Body::Stopped { .. } | Body::Notice(_) => {
                return Ok(());
            }
        };
        if !self.again.enter(&said) {
            return Ok(());
        }
        Err(Error { line: line.number, ..Error::whole(Reason::AnotherRecording) })
    }

    /// A task is in a call now; one that it was in before never returns.
    fn leave_open(&mut self, tid: Option<u32>, open: Open) {
        self.give_up(tid);
        self.open_bytes += open.text.len();
        self.open.insert(tid, open);
    }

    /// What a task is in is over.
    fn take(&mut self, tid: Option<u32>) -> Option<Open> {
        let open = self.open.remove(&tid)?;
        self.open_bytes -= open.text.len();
        Some(open)
    }

    /// What a task is in never returns.
    fn give_up(&mut self, tid: Option<u32>) {
        let open = self.take(tid);
        self.given_up.extend(open.map(|open| open.call));
    }

    fn refuse_open(&self, line: u64, tid: Option<u32>, name: &str) -> Result<(), Error> {
        let Some(open) = self.open.get(&tid) else { return Ok(()) };
        let reason = Reason::CallInCall { tid, name: name.to_owned(), open_line: open.line };
        Err(Error { line, ..Error::whole(reason) })
    }

    fn whole(
        &mut self,
        line: u64,
        tid: Option<u32>,
        time_ns: Option<u64>,
        whole: WholeCall,
    ) -> Result<(), Error> {
        self.refuse_open(line, tid, &whole.name)?;
        let mut call = entered(tid, whole.name, whole.args, line, time_ns);
        call.args_at_entry = call.args.len();
        call.result = Some(whole.result);
        call.exit_line = Some(line);
        call.exit_time_ns = sum(time_ns, whole.duration_ns);
        call.duration_ns = whole.duration_ns;
        let call = self.calls.push(call);
        self.note_thread(call);
        self.ready.push_back(Event { line, tid, time_ns, kind: EventKind::Entry { call } });
        self.ready.push_back(Event { line, tid, time_ns, kind: EventKind::Exit { call } });
        Ok(())
    }

    fn resumed(
        &mut self,
        line: u64,
        tid: Option<u32>,
        time_ns: Option<u64>,
        name: Name,
        text: &[u8],
        at: usize,
    ) -> Result<(), Error> {
        let open = match self.take_open(tid, &name) {
            None if &*name == EXECVE => self.take_program(line, tid, time_ns),
            open => open,
        };
        if let Some(open) = &open {
            refuse_other(line, &name, open)?;
        }
        // It was let go, or lost, in the call: no result.
        if let Some((_, cut)) = cut_of(text, 0) {
            self.again.let_go(tid);
            if let Some(open) = open {
                self.given_up.push(open.call);
                if let Some(call) = self.calls.get_mut(open.call) {
                    call.cut = Some(cut);
                }
            }
            self.ready.push_back(Event { line, tid, time_ns, kind: EventKind::Detached });
            return Ok(());
        }
        let entry = open.as_ref().map(|open| open.text.as_slice());
        let whole = self.put_together(line, name.clone(), entry, text, at)?;
        let index = match &open {
            Some(open) => open.call,
            // strace attached while the call ran; it is one as its line can be read.
            None => self.calls.push(Call {
                entry_line: None,
                entry_time_ns: None,
                ..entered(tid, name, Vec::new(), line, None)
            }),
        };
        let Some(call) = self.calls.get_mut(index) else { return Ok(()) };
        if call.tid != tid {
            call.exit_tid = tid;
        }
        call.args = whole.args;
        call.result = Some(whole.result);
        call.exit_line = Some(line);
        call.exit_time_ns = time_ns;
        call.duration_ns = whole.duration_ns;
        if let Some(result) = &call.result {
            self.again.leave(tid, &call.name, result);
        }
        self.note_thread(index);
        self.ready.push_back(Event { line, tid, time_ns, kind: EventKind::Exit { call: index } });
        Ok(())
    }

    /// The open call of the task. On standard error the first task's lines have no pid while it is
    /// alone; then a half with and a half without pid belong together.
    fn take_open(&mut self, tid: Option<u32>, name: &str) -> Option<Open> {
        if let Some(open) = self.take(tid) {
            return Some(open);
        }
        let other = match tid {
            Some(_) => None,
            None => *self.open.keys().next().filter(|_| self.open.len() == 1)?,
        };
        self.open.get(&other).filter(|open| &*open.name == name)?;
        self.take(other)
    }

    /// The execve(2) of a thread that returns as its leader, where no line says that it took the
    /// leader's place (`-qqq`).
    fn take_program(&mut self, line: u64, tid: Option<u32>, time_ns: Option<u64>) -> Option<Open> {
        let is_program = |it: &(&Option<u32>, &Open)| &*it.1.name == EXECVE;
        let own = self.open.iter().filter(is_program).filter_map(|(thread, _)| *thread);
        let mut own = own.filter(|thread| self.leaders.get(thread).copied() == tid);
        let thread = own.next().filter(|_| own.next().is_none())?;
        let kind = EventKind::Superseded { by: thread };
        self.ready.push_back(Event { line, tid, time_ns, kind });
        self.take(Some(thread))
    }

    /// A task was made, perhaps a thread: whose.
    fn note_thread(&mut self, call: u64) {
        let Some(call) = self.calls.get(call).filter(|it| it.name.starts_with("clone")) else {
            return;
        };
        let is_thread = |arg: &Value| {
            let flags = arg.field("flags").unwrap_or(arg);
            let bit = |name: &str| Some(if name == "CLONE_THREAD" { CLONE_THREAD } else { 0 });
            flags.resolve(&bit).is_some_and(|flags| flags & CLONE_THREAD != 0)
        };
        let flags = call.named_arg("flags").or_else(|| call.arg(0)).filter(|arg| is_thread(arg));
        let made = call.result.as_ref().and_then(|result| u32::try_from(result.number()?).ok());
        let (Some(tid), Some(made), Some(_)) = (call.tid, made, flags) else { return };
        let leader = self.leaders.get(&tid).copied().unwrap_or(tid);
        if self.leaders.len() < MAX_THREADS {
            self.leaders.insert(made, leader);
        }
    }

    /// Parses entry half and exit half as one text.
    fn put_together(
        &mut self,
        line: u64,
        name: Name,
        entry: Option<&[u8]>,
        text: &[u8],
        at: usize,
    ) -> Result<WholeCall, Error> {
        let blanks = text.iter().take_while(|byte| **byte == b' ').count();
        let rest = text.get(blanks..).unwrap_or_default();
        let mut joined = Vec::with_capacity(entry.map_or(0, <[u8]>::len) + text.len() + 1);
        match entry {
            Some(entry) => {
                joined.extend_from_slice(entry);
                joined.push(b' ');
            }
            // The half that came before is unknown: its comma or arrow joins nothing.
            None => joined.push(b' '),
        }
        let before = joined.len();
        let skipped = if entry.is_some() {
            0
        } else if rest.starts_with(b"=>") {
            2
        } else {
            usize::from(rest.starts_with(b","))
        };
        joined.extend_from_slice(rest.get(skipped..).unwrap_or_default());
        self.lines.parser().tail(name, &joined).map_err(|Refusal { at: place, reason }| {
            let place = place.saturating_sub(before) + blanks + skipped;
            let mut error = Error::at(line, text, place, reason);
            error.column += at as u64;
            error
        })
    }
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if self.ended {
                return None;
            }
            let read = match self.lines.next()? {
                Ok(line) => self.line(line),
                Err(error) => Err(error),
            };
            if let Err(error) = read {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }
}

fn refuse_other(line: u64, name: &Name, open: &Open) -> Result<(), Error> {
    // `???` is a call that strace could not name at one of the two stops.
    if *name == open.name || &**name == "???" || &*open.name == "???" {
        return Ok(());
    }
    let (resumed, open_name) = (name.to_string(), open.name.to_string());
    let reason = Reason::OtherCall { resumed, open: open_name, open_line: open.line };
    Err(Error { line, ..Error::whole(reason) })
}

fn entered(
    tid: Option<u32>,
    name: Name,
    args: Vec<Value>,
    line: u64,
    time_ns: Option<u64>,
) -> Call {
    Call {
        tid,
        exit_tid: None,
        name,
        args,
        args_at_entry: 0,
        result: None,
        entry_line: Some(line),
        exit_line: None,
        entry_time_ns: time_ns,
        exit_time_ns: None,
        duration_ns: None,
        cut: None,
    }
}

fn sum(time_ns: Option<u64>, duration_ns: Option<u64>) -> Option<u64> {
    time_ns?.checked_add(duration_ns?)
}
