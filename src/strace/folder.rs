//! Folders of `NAME.PID` files (`strace -ff -o NAME`): one file a task, put in one order.
//!
//! The files share no order but their time stamps (FORMAT.md section 1). An entry happens at its
//! stamp; an exit at stamp plus duration (-T), without durations as late as the task's next line
//! allows. That is weaker than one file, and at equal microseconds a guess: the end of a task goes
//! first, then the task with the lower id.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::error::{Error, Reason};
use super::event::{Calls, Event, EventKind, Recording};
use super::join::Events;
use super::lines::Lines;
use super::prefix::Stamp;

/// All files together; their events are in memory at once.
const MAX_FOLDER_BYTES: u64 = 256 << 20;
/// Most memory for the events of all files and what is made of them, about.
const MAX_FOLDER_MEMORY_BYTES: u64 = 960 << 20;
const HALF_DAY_NS: u64 = 43_200_000_000_000;

/// One task's file.
struct Task {
    tid: u32,
    path: PathBuf,
}

/// A task's events that are not merged yet, and its calls.
struct Queue {
    events: VecDeque<Event>,
    calls: Calls,
    /// Where each of the task's calls stands among all: filled at its entry, in order.
    indexes: Vec<u64>,
}

/// Reads a folder of `NAME.PID` files; other files in it are left alone. Line numbers of the events
/// count in the file of their task. A damaged file ends early and gives the error; the others are
/// read on.
pub fn read_dir_of_pids(folder: &Path) -> Result<Recording, Error> {
    let tasks = tasks(folder)?;
    let base = base(&tasks)?;
    let mut error = None;
    let mut queues = Vec::with_capacity(tasks.len());
    let mut left = MAX_FOLDER_MEMORY_BYTES;
    for task in &tasks {
        let reader = open(&task.path)?;
        let mut recording = Events::starting_at(reader, base).read_all_within(left);
        left = left.saturating_sub(recording.cost_bytes);
        match recording.error.take() {
            Some(found) if matches!(found.reason, Reason::Empty) => {}
            Some(mut found) => {
                found.file = Some(task.path.display().to_string());
                error = error.or(Some(found));
            }
            None => {}
        }
        queues.push(queue(task.tid, recording));
    }
    let (events, calls) = merge(queues);
    Ok(Recording { events, calls, error, cost_bytes: MAX_FOLDER_MEMORY_BYTES - left })
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
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
    let mut bytes = 0_u64;
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
        bytes = bytes.saturating_add(metadata.len());
        tasks.push(Task { tid, path });
    }
    if tasks.is_empty() {
        return Err(Error::whole(Reason::NotNumberedFiles));
    }
    if bytes > MAX_FOLDER_BYTES {
        return Err(Error::whole(Reason::FolderTooLarge { limit_bytes: MAX_FOLDER_BYTES }));
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
    let last = stamps.iter().copied().max().unwrap_or(0);
    let evening = if of_day { last.saturating_sub(HALF_DAY_NS) } else { 0 };
    Ok(stamps.into_iter().filter(|stamp| *stamp >= evening).min().unwrap_or(0))
}

/// Names the task in its events and moves its exits to their times.
fn queue(tid: u32, recording: Recording) -> Queue {
    let Recording { mut events, calls, .. } = recording;
    let mut next_ns = None;
    for event in events.iter_mut().rev() {
        event.tid.get_or_insert(tid);
        if let EventKind::Exit { call } = &event.kind {
            let known = calls.get(*call).and_then(|call| call.exit_time_ns);
            event.time_ns = match (known, next_ns) {
                (Some(exit), Some(next)) => Some(u64::min(exit, next)),
                (exit, next) => exit.or(next).or(event.time_ns),
            };
        }
        event.time_ns = event.time_ns.or(next_ns);
        next_ns = event.time_ns;
    }
    Queue { events: events.into(), calls, indexes: Vec::new() }
}

/// What orders the heads of the queues: time, then what must come first, then the task.
fn head(queue: &Queue, place: usize) -> Option<Reverse<(u64, u8, usize)>> {
    let event = queue.events.front()?;
    let rank = match event.kind {
        EventKind::Exited { .. } | EventKind::Killed { .. } => 0,
        EventKind::Entry { .. } | EventKind::Exit { .. } | EventKind::Signal { .. } => 1,
        EventKind::Stopped { .. } | EventKind::Superseded { .. } => 1,
        EventKind::Detached | EventKind::Notice(_) => 1,
    };
    Some(Reverse((event.time_ns.unwrap_or(0), rank, place)))
}

fn merge(mut queues: Vec<Queue>) -> (Vec<Event>, Calls) {
    let mut events = Vec::new();
    let mut calls = Calls::default();
    let heads = queues.iter().enumerate().filter_map(|(place, queue)| head(queue, place));
    let mut heads: BinaryHeap<_> = heads.collect();
    while let Some(Reverse((_, _, place))) = heads.pop() {
        let Some(queue) = queues.get_mut(place) else { continue };
        let Some(mut event) = queue.events.pop_front() else { continue };
        heads.extend(head(queue, place));
        match &mut event.kind {
            EventKind::Entry { call } => *call = queue.global(*call, event.tid, &mut calls),
            EventKind::Exit { call } => *call = queue.global(*call, event.tid, &mut calls),
            EventKind::Signal { .. } | EventKind::Stopped { .. } | EventKind::Exited { .. } => {}
            EventKind::Killed { .. } | EventKind::Superseded { .. } => {}
            EventKind::Detached | EventKind::Notice(_) => {}
        }
        events.push(event);
    }
    (events, calls)
}

impl Queue {
    /// The index among all calls of the task's call `local`, which moves there when first met.
    fn global(&mut self, local: u64, tid: Option<u32>, calls: &mut Calls) -> u64 {
        let place = usize::try_from(local).unwrap_or(usize::MAX);
        if let Some(index) = self.indexes.get(place) {
            return *index;
        }
        // Calls are met in the order of their numbers: each gets the next place.
        let index = calls.count();
        if let Some(mut call) = self.calls.take(local) {
            call.tid = call.tid.or(tid);
            calls.push(call);
        }
        self.indexes.push(index);
        index
    }
}
