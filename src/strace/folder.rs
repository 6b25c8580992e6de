//! Folders of `NAME.PID` files (`strace -ff -o NAME`): one file a task, put in one order.
//!
//! The files share no order but their time stamps (FORMAT.md section 1). An entry happens at its
//! stamp; an exit at stamp plus duration (-T), without durations as late as the task's next line
//! allows. That is weaker than one file, and at equal microseconds a guess: the end of a task goes
//! first, then the task with the lower id.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::{Error, Reason};
use super::event::{Call, Event, EventKind, Recording};
use super::join::Events;
use super::keeper::{Entries, Keeper};
use super::line::Cut;
use super::lines::Lines;
use super::prefix::Stamp;

/// Bytes of each file that are in memory.
const BUFFER_BYTES: usize = 16 << 10;
/// Events that are read ahead for a time.
const MAX_AHEAD: usize = 1 << 12;
const SECOND_NS: u64 = 1_000_000_000;
const HALF_DAY_NS: u64 = 43_200_000_000_000;

/// One task's file.
struct Task {
    tid: u32,
    path: PathBuf,
}

/// A task's file while it is merged with the others.
struct Queue {
    tid: u32,
    stream: Events<Reopened>,
    /// Events whose times are known, the next one first.
    ahead: VecDeque<Event>,
    /// The numbers among all of the task's calls that have not returned.
    numbers: BTreeMap<u64, u64>,
    /// The time of the event given last.
    last_ns: Option<u64>,
    error: Option<Error>,
}

/// Calls that return in another task's file, with their numbers among all, by that task.
type Moved = BTreeMap<u32, (u64, Call)>;

/// Reads a folder of `NAME.PID` files; other files in it are left alone. The events of all files
/// are numbered in the order in which they are put: those are their lines, as if one file had them.
/// Errors name the line in its own file. A damaged file ends early and gives the error; the others
/// are read on. All are read side by side, a piece of each at a time, and none stays open.
pub fn read_dir_of_pids(folder: &Path) -> Result<Recording, Error> {
    let tasks = tasks(folder)?;
    let base = base(&tasks)?;
    let queues = tasks.iter().map(|task| Queue {
        tid: task.tid,
        stream: Events::starting_at(Reopened::new(&task.path), base),
        ahead: VecDeque::new(),
        numbers: BTreeMap::new(),
        last_ns: None,
        error: None,
    });
    let mut queues: Vec<Queue> = queues.collect();
    let (keeper, no_room) = merge(&mut queues);
    let of_file = queues.iter_mut().zip(&tasks).find_map(|(queue, task)| {
        let mut found = queue.error.take()?;
        found.file = Some(task.path.display().to_string());
        Some(found)
    });
    Ok(keeper.finish(Entries::Here, of_file.or(no_room)))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let file = path.display().to_string();
    move |error| Error { file: Some(file), ..Error::whole(Reason::Io(error)) }
}

fn open(path: &Path) -> Result<BufReader<File>, Error> {
    File::open(path).map(BufReader::new).map_err(failed(path))
}

/// The files, by pid.
fn tasks(folder: &Path) -> Result<Vec<Task>, Error> {
    let mut tasks = Vec::new();
    let mut name = None;
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let metadata = fs::metadata(&path).map_err(failed(&path))?;
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        let tid = suffix.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(tid) = tid.and_then(|text| text.parse().ok()) else { continue };
        if !metadata.is_file() {
            continue;
        }
        let stem = path.file_stem().map(std::ffi::OsStr::to_owned);
        if name.is_some() && name != stem {
            return Err(Error::whole(Reason::NotNumberedFiles));
        }
        name = stem;
        tasks.push(Task { tid, path });
    }
    if tasks.is_empty() {
        return Err(Error::whole(Reason::NotNumberedFiles));
    }
    tasks.sort_by_key(|task| task.tid);
    Ok(tasks)
}

/// The earliest first stamp. Times of day half a day apart are on both sides of midnight.
fn base(tasks: &[Task]) -> Result<u64, Error> {
    let mut stamps = Vec::new();
    let mut of_day = false;
    for task in tasks {
        // A first line that cannot be read is reported when the file is.
        let Some(Ok(line)) = Lines::new(open(&task.path)?).next() else { continue };
        match line.time {
            Some(Stamp::Epoch(ns)) => stamps.push(ns),
            Some(Stamp::Day(ns)) => {
                of_day = true;
                stamps.push(ns);
            }
            Some(Stamp::Delta(_)) | None => {
                let file = Some(task.path.display().to_string());
                return Err(Error { file, ..Error::whole(Reason::NoStamps) });
            }
        }
    }
    let is_whole = |stamp: &u64| stamp.is_multiple_of(SECOND_NS);
    if stamps.len() > 1 && stamps.iter().all(is_whole) {
        return Err(Error::whole(Reason::CoarseStamps));
    }
    let last = stamps.iter().copied().max().unwrap_or(0);
    let evening = if of_day { last.saturating_sub(HALF_DAY_NS) } else { 0 };
    Ok(stamps.into_iter().filter(|stamp| *stamp >= evening).min().unwrap_or(0))
}

impl Queue {
    /// Reads on until the time of the next event is known: an exit is as late as the task's next
    /// line allows.
    fn fill(&mut self) {
        let mut next_ns = None;
        while next_ns.is_none() && self.ahead.len() < MAX_AHEAD {
            let mut event = match self.stream.next() {
                None => break,
                Some(Ok(event)) => event,
                Some(Err(error)) => {
                    let is_empty = matches!(error.reason, Reason::Empty);
                    self.error = Some(error).filter(|_| !is_empty);
                    break;
                }
            };
            event.tid.get_or_insert(self.tid);
            let is_exit = matches!(event.kind, EventKind::Exit { .. });
            if matches!(event.kind, EventKind::Entry { .. }) && self.stream.has_halves_below() {
                // Calls were printed when they had returned: entered after what stands above.
                event.time_ns = self.ahead.back().map_or(self.last_ns, |above| above.time_ns);
            }
            if !is_exit {
                next_ns = event.time_ns;
            }
            self.ahead.push_back(event);
        }
        let mut next_ns = None;
        for event in self.ahead.iter_mut().rev() {
            if let EventKind::Exit { call } = &event.kind {
                let known = self.stream.calls().get(*call).and_then(|call| call.exit_time_ns);
                event.time_ns = match (known, next_ns) {
                    (Some(exit), Some(next)) => Some(u64::min(exit, next)),
                    (exit, next) => exit.or(next).or(event.time_ns),
                };
            }
            event.time_ns = event.time_ns.or(next_ns);
            next_ns = event.time_ns;
        }
    }

    /// What orders the heads of the queues: time, then what must come first, then the task.
    fn head(&mut self, place: usize) -> Option<Reverse<(u64, u8, usize)>> {
        if self.ahead.is_empty() {
            self.fill();
        }
        let event = self.ahead.front()?;
        let rank = match event.kind {
            EventKind::Exited { .. } | EventKind::Killed { .. } => 0,
            EventKind::Entry { .. } | EventKind::Exit { .. } | EventKind::Signal { .. } => 1,
            EventKind::Stopped { .. } | EventKind::Superseded { .. } => 1,
            EventKind::Detached | EventKind::Notice(_) => 1,
        };
        Some(Reverse((event.time_ns.unwrap_or(0), rank, place)))
    }

    /// The next event with the number among all of its call, and the call if that is over.
    fn pop(&mut self, count: &mut u64, moved: &mut Moved) -> Option<(Event, Option<Call>)> {
        let mut event = self.ahead.pop_front()?;
        self.last_ns = event.time_ns;
        let mut over = None;
        match &mut event.kind {
            EventKind::Entry { call } => {
                let local = *call;
                *call = self.number(local, count);
                self.moves(local, *call, moved);
            }
            EventKind::Exit { call } => {
                let local = *call;
                let ended = self.stream.calls_mut().take(local);
                let ended = ended.map(|ended| named(ended, self.tid));
                match ended {
                    Some(ended) if ended.entry_line.is_none() && moved.contains_key(&self.tid) => {
                        let (number, entered) = moved.remove(&self.tid)?;
                        *call = number;
                        over = Some(joined(entered, &ended));
                    }
                    ended => {
                        *call = self.number(local, count);
                        self.numbers.remove(&local);
                        over = ended;
                    }
                }
            }
            EventKind::Signal { .. } | EventKind::Stopped { .. } | EventKind::Exited { .. } => {}
            EventKind::Killed { .. } | EventKind::Superseded { .. } => {}
            EventKind::Detached | EventKind::Notice(_) => {}
        }
        Some((event, over))
    }

    /// A thread that executes a program goes on in the leader's file (execve(2)).
    fn moves(&mut self, local: u64, number: u64, moved: &mut Moved) {
        let cut = self.stream.calls().get(local).and_then(|call| call.cut);
        let Some(Cut::PidChanged(leader)) = cut else { return };
        if let Some(call) = self.stream.calls_mut().take(local) {
            self.numbers.remove(&local);
            moved.insert(leader, (number, named(call, self.tid)));
        }
    }

    /// The number among all of the task's call `local`, which gets the next one when first met.
    fn number(&mut self, local: u64, count: &mut u64) -> u64 {
        *self.numbers.entry(local).or_insert_with(|| {
            *count += 1;
            *count - 1
        })
    }
}

fn named(mut call: Call, tid: u32) -> Call {
    call.tid.get_or_insert(tid);
    call
}

/// A call with the half that stands in another file.
fn joined(entered: Call, ended: &Call) -> Call {
    Call {
        exit_tid: ended.tid,
        result: ended.result.clone(),
        exit_line: ended.exit_line,
        exit_time_ns: ended.exit_time_ns,
        duration_ns: ended.duration_ns,
        ..entered
    }
}

fn merge(queues: &mut [Queue]) -> (Keeper, Option<Error>) {
    let mut keeper = Keeper::default();
    let (mut count, mut moved) = (0, Moved::new());
    let heads = queues.iter_mut().enumerate().filter_map(|(place, queue)| queue.head(place));
    let mut heads: BinaryHeap<_> = heads.collect();
    let mut lines = Numbered::default();
    while let Some(Reverse((_, _, place))) = heads.pop() {
        let Some(queue) = queues.get_mut(place) else { continue };
        let Some((mut event, mut over)) = queue.pop(&mut count, &mut moved) else { continue };
        heads.extend(queue.head(place));
        lines.number(&mut event, over.as_mut());
        if let Err(why) = keeper.keep(&event, over.as_ref()) {
            return (keeper, Some(Error::whole(Reason::NoRoom(why))));
        }
    }
    for (number, call) in moved.values() {
        keeper.keep_open(*number, &lines.entered(*number, call.clone()));
    }
    for queue in queues {
        for (local, number) in std::mem::take(&mut queue.numbers) {
            if let Some(call) = queue.stream.calls_mut().take(local) {
                keeper.keep_open(number, &lines.entered(number, named(call, queue.tid)));
            }
        }
    }
    (keeper, None)
}

/// Lines of the one file that the folder's files would be.
#[derive(Default)]
struct Numbered {
    /// The last one.
    last: u64,
    /// Those of the entries of calls that have not returned, by the call's number.
    entries: BTreeMap<u64, u64>,
}

impl Numbered {
    /// Gives the next line to an event, and to the call that it ends.
    fn number(&mut self, event: &mut Event, over: Option<&mut Call>) {
        self.last += 1;
        event.line = self.last;
        match event.kind {
            EventKind::Entry { call } => {
                self.entries.insert(call, self.last);
            }
            EventKind::Exit { call } => {
                let entry_line = self.entries.remove(&call);
                if let Some(over) = over {
                    (over.entry_line, over.exit_line) = (entry_line, Some(self.last));
                }
            }
            EventKind::Signal { .. } | EventKind::Stopped { .. } | EventKind::Exited { .. } => {}
            EventKind::Killed { .. } | EventKind::Superseded { .. } => {}
            EventKind::Detached | EventKind::Notice(_) => {}
        }
    }

    /// A call that never returns.
    fn entered(&self, number: u64, call: Call) -> Call {
        Call { entry_line: self.entries.get(&number).copied(), ..call }
    }
}

/// A file that is opened for each piece that is read: thousands of them can be read side by side.
#[derive(Debug)]
struct Reopened {
    path: PathBuf,
    offset: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl Reopened {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), offset: 0, buffer: Vec::new(), at: 0 }
    }
}

impl Read for Reopened {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Reopened {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.buffer.len() {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.offset))?;
            self.buffer.clear();
            self.at = 0;
            file.take(BUFFER_BYTES as u64).read_to_end(&mut self.buffer)?;
            self.offset += self.buffer.len() as u64;
        }
        Ok(self.buffer.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.buffer.len());
    }
}
