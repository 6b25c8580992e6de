//! What the whole recording tells of files by their printed paths, before the first call is run:
//! which are directories, which are symbolic links and where to. Only the kind of a file is taken
//! from here; sizes and times hold at a place in the order and come with the calls (`facts.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::initial::Shape;
use super::numbers;
use crate::strace::{Call, EventKind, Recording, Value};

/// Kinds of files by absolute path.
#[derive(Debug, Default)]
pub struct Hints {
    shapes: BTreeMap<Vec<u8>, Shape>,
    /// All that was read from each pipe, by its printed name.
    streams: BTreeMap<Vec<u8>, Vec<u8>>,
    stream_bytes: usize,
    /// Paths that stand before others: directories, if they are there.
    prefixes: BTreeSet<Vec<u8>>,
    /// The last program that each task executed, and whether it then read that as a script.
    programs: BTreeMap<Option<u32>, Vec<u8>>,
    /// What the descriptor of an opening call turns out to be, by the call's index.
    opened: BTreeMap<u64, Shape>,
    /// Its mode at the first stat, if nobody changed modes before.
    modes: BTreeMap<u64, u32>,
    /// Descriptors that are open while the recording is looked through: the call that opened them.
    open: BTreeMap<(Option<u32>, i32), u64>,
}

/// Most bytes of what was read from pipes that are kept.
const MAX_STREAM_BYTES: usize = 64 << 20;

impl Hints {
    /// Looks through all calls.
    pub fn of(recording: &Recording) -> Self {
        let mut hints = Self::default();
        for event in &recording.events {
            match event.kind {
                EventKind::Entry { call } => {
                    if let Some(call) = recording.calls.get(call) {
                        hints.see(call);
                    }
                }
                EventKind::Exit { call } => {
                    let index = call;
                    if let Some(call) = recording.calls.get(call) {
                        hints.see_stream(call);
                        hints.see_prefixes(call);
                        hints.see_program(call);
                        hints.see_open(index, call);
                    }
                }
                _ => {}
            }
        }
        hints
    }

    /// The kind of the file at a path, if the recording ever shows it.
    pub fn shape(&self, path: &[u8]) -> Option<&Shape> {
        self.shapes.get(path)
    }

    /// Whether other paths of the recording go through this one.
    pub fn is_prefix(&self, path: &[u8]) -> bool {
        self.prefixes.contains(path)
    }

    /// Every directory on the way of the paths that a call names.
    fn see_prefixes(&mut self, call: &Call) {
        let errno = call.result.as_ref().and_then(|result| result.errno.as_deref());
        if errno == Some("ENOTDIR") {
            return;
        }
        for path in call.args.iter().filter_map(Value::as_bytes) {
            if path.first() != Some(&b'/') || path.len() > 4096 {
                continue;
            }
            let Some(path) = plain(path) else { continue };
            let mut end = path.len();
            while let Some(cut) = path
                .get(..end)
                .and_then(|head| head.iter().rposition(|byte| *byte == b'/').filter(|cut| *cut > 0))
            {
                let head = path.get(..cut).unwrap_or_default();
                if !self.prefixes.insert(head.to_vec()) {
                    break;
                }
                end = cut;
            }
        }
    }

    /// `/proc/self/exe` of a program that is no script tells where a link to it leads.
    fn see_program(&mut self, call: &Call) {
        let ok = call.result.as_ref().and_then(|result| result.number());
        if ok.is_none_or(|value| value < 0) {
            return;
        }
        let path = |index: usize| call.arg(index).and_then(Value::as_bytes);
        match &*call.name {
            "execve" => {
                if let Some(path) = path(0).filter(|path| path.first() == Some(&b'/')) {
                    self.programs.insert(call.tid, path.to_vec());
                }
            }
            "open" | "openat" => {
                let opened = path(usize::from(&*call.name == "openat"));
                if self.programs.get(&call.tid).map(Vec::as_slice) == opened {
                    self.programs.remove(&call.tid);
                }
            }
            "readlink" if path(0) == Some(b"/proc/self/exe") => {
                let program = self.programs.get(&call.tid).cloned();
                let text = call.arg(1).and_then(Value::as_text).filter(|text| !text.cut);
                if let (Some(program), Some(text)) = (program, text)
                    && program != text.bytes
                    && text.bytes.first() == Some(&b'/')
                {
                    self.shapes.insert(program, Shape::Link(text.bytes.clone()));
                }
            }
            _ => {}
        }
    }

    /// What was read from a pipe, in the order in which the reads returned.
    pub fn stream(&self, pipe: &[u8]) -> Option<&[u8]> {
        self.streams.get(pipe).map(Vec::as_slice)
    }

    /// What an opening call opened, as far as its task asks.
    pub fn opened(&self, call: u64) -> Option<&Shape> {
        self.opened.get(&call)
    }

    /// The mode of what an opening call opened.
    pub fn opened_mode(&self, call: u64) -> Option<u32> {
        self.modes.get(&call).copied()
    }

    fn see_open(&mut self, index: u64, call: &Call) {
        let value = call.result.as_ref().and_then(|result| result.number());
        let Some(value) = value.filter(|value| *value >= 0) else { return };
        let fd = call.arg(0).and_then(Value::as_i32);
        let opened = fd.and_then(|fd| self.open.get(&(call.tid, fd)).copied());
        let shape = |stat: Option<&Value>| {
            let mode = numbers::mode(stat?.field("st_mode")?)?;
            let rdev = stat?.field("st_rdev").and_then(numbers::device).unwrap_or(0);
            Some(Shape::of(mode, rdev))
        };
        let stat = match &*call.name {
            "fstat" => call.arg(1),
            "newfstatat" if call.arg(1).and_then(Value::as_bytes) == Some(b"") => call.arg(2),
            _ => None,
        };
        let mode = stat.and_then(|stat| numbers::mode(stat.field("st_mode")?));
        if let (Some(opened), Some(mode)) = (opened, mode) {
            self.modes.entry(opened).or_insert(mode);
        }
        let found = match &*call.name {
            "fchmod" => {
                if let Some(opened) = opened {
                    self.modes.entry(opened).or_insert(0);
                }
                return;
            }
            "open" | "openat" => {
                if let Ok(fd) = i32::try_from(value) {
                    self.open.insert((call.tid, fd), index);
                }
                return;
            }
            "close" => {
                if let Some(fd) = fd {
                    self.open.remove(&(call.tid, fd));
                }
                return;
            }
            "fstat" | "newfstatat" => shape(stat),
            "getdents64" | "getdents" | "fchdir" => Some(Shape::Directory),
            _ => None,
        };
        if let (Some(opened), Some(shape)) = (opened, found) {
            self.opened.entry(opened).or_insert(shape);
        }
    }

    fn see_stream(&mut self, call: &Call) {
        if &*call.name != "read" {
            return;
        }
        let Some(fd) =
            call.arg(0).and_then(Value::as_fd).filter(|fd| fd.text.starts_with(b"pipe:"))
        else {
            return;
        };
        let Some(text) = call.arg(1).and_then(Value::as_text).filter(|text| !text.cut) else {
            return;
        };
        if self.stream_bytes < MAX_STREAM_BYTES {
            self.stream_bytes += text.bytes.len();
            self.streams.entry(fd.text.clone()).or_default().extend_from_slice(&text.bytes);
        }
    }

    fn see(&mut self, call: &Call) {
        let ok = call.result.as_ref().and_then(|result| result.number());
        if ok.is_none_or(|value| value < 0) {
            return;
        }
        let arg = |index: usize| call.arg(index);
        let path = |index: usize| arg(index).and_then(Value::as_bytes);
        match &*call.name {
            "readlink" => self.link(absolute(None, path(0)), arg(1)),
            "readlinkat" => self.link(absolute(arg(0), path(1)), arg(2)),
            "lstat" => self.stat(absolute(None, path(0)), arg(1), true),
            "stat" => self.stat(absolute(None, path(0)), arg(1), false),
            "fstat" => self.stat(printed(arg(0)), arg(1), false),
            "newfstatat" => {
                let nofollow = arg(3).is_some_and(|flags| bits(flags) & 0x100 != 0);
                self.stat(place(arg(0), path(1)), arg(2), nofollow);
            }
            "statx" => {
                let nofollow = arg(2).is_some_and(|flags| bits(flags) & 0x100 != 0);
                let Some(mode) = arg(4).and_then(|it| it.field("stx_mode")) else { return };
                let mode = numbers::mode(mode);
                self.mode(place(arg(0), path(1)), mode, nofollow);
            }
            "getdents64" | "getdents" | "fchdir" => {
                self.note(printed(arg(0)), Shape::Directory);
                if &*call.name == "getdents64" {
                    self.list(printed(arg(0)), arg(1));
                }
            }
            "chdir" => self.note(absolute(None, path(0)), Shape::Directory),
            _ => {}
        }
        // Where a dirfd stands with a path behind it, it is a directory.
        if let (Some(fd), Some(Value::Str(_))) = (printed(arg(0)), arg(1).map(Value::bare))
            && call.name.contains("at")
            && path(1).is_some_and(|path| !path.is_empty())
        {
            self.note(Some(fd), Shape::Directory);
        }
    }

    fn list(&mut self, directory: Option<Vec<u8>>, entries: Option<&Value>) {
        let Some(directory) = directory else { return };
        for entry in entries.and_then(Value::items).unwrap_or_default() {
            let kind = entry.field("d_type").and_then(numbers::dirent_type);
            let name = entry.field("d_name").and_then(Value::as_bytes);
            let (Some(kind), Some(name)) = (kind, name) else { continue };
            if name != b"." && name != b".." {
                self.mode(join(&directory, name), Some(u32::from(kind) << 12), true);
            }
        }
    }

    fn link(&mut self, path: Option<Vec<u8>>, target: Option<&Value>) {
        let text = target.and_then(Value::as_text).filter(|text| !text.cut);
        if let (Some(path), Some(text)) = (path, text)
            && !path.starts_with(b"/proc/")
        {
            self.shapes.insert(path, Shape::Link(text.bytes.clone()));
        }
    }

    fn stat(&mut self, path: Option<Vec<u8>>, stat: Option<&Value>, nofollow: bool) {
        let mode = stat.and_then(|stat| stat.field("st_mode")).and_then(numbers::mode);
        self.mode(path, mode, nofollow);
    }

    fn mode(&mut self, path: Option<Vec<u8>>, mode: Option<u32>, nofollow: bool) {
        let Some(mode) = mode.filter(|mode| *mode != 0) else { return };
        let shape = Shape::of(mode, 0);
        // Behind a link stands another file: only what is not a link is known of this one.
        if matches!(shape, Shape::Link(_)) && !nofollow {
            return;
        }
        self.note(path, shape);
    }

    fn note(&mut self, path: Option<Vec<u8>>, shape: Shape) {
        if let Some(path) = path {
            let known = self.shapes.get(&path);
            // The text of a link is worth more than that it is one; a link seen as one stays one.
            if !matches!(known, Some(Shape::Link(_))) {
                self.shapes.insert(path, shape);
            }
        }
    }
}

fn bits(value: &Value) -> u32 {
    numbers::bits32(value, tickernel_systems::abi::flags::AT_FLAGS).unwrap_or(0)
}

/// The path that is printed after a descriptor.
fn printed(fd: Option<&Value>) -> Option<Vec<u8>> {
    let fd = fd?.as_fd()?;
    (fd.text.first() == Some(&b'/') && !fd.deleted).then(|| fd.text.clone())
}

/// A path relative to a printed descriptor; an empty one is the descriptor itself.
fn place(fd: Option<&Value>, path: Option<&[u8]>) -> Option<Vec<u8>> {
    match path {
        Some([]) | None => printed(fd),
        path => absolute(fd, path),
    }
}

fn absolute(fd: Option<&Value>, path: Option<&[u8]>) -> Option<Vec<u8>> {
    let path = path?;
    if path.first() == Some(&b'/') { plain(path) } else { join(&printed(fd)?, path) }
}

fn join(directory: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let mut whole = directory.to_vec();
    whole.push(b'/');
    whole.extend_from_slice(path);
    plain(&whole)
}

/// A path without empty components and dots; `None` where `..` makes it depend on links.
fn plain(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return None,
            part => {
                out.push(b'/');
                out.extend_from_slice(part);
            }
        }
    }
    Some(out)
}
