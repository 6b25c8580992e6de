//! What the whole recording tells of files by their printed paths, before the first call is run:
//! which are directories, which are symbolic links and where to. Only the kind of a file is taken
//! from here; sizes and times hold at a place in the order and come with the calls (`facts.rs`).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tickernel_systems::abi::Stat;
use tickernel_systems::abi::flags::{AT_FDCWD, O_CREAT, O_EXCL, O_NOFOLLOW, number_of};
use tickernel_systems::fs::PATH_MAX;

use super::cut_links::CutLinks;
use super::dotted::Dotted;
use super::identity::{Identities, Sights};
use super::initial::Shape;
use super::openings::Openings;
use super::{decode, hidden, numbers, paths};
use crate::strace::{Call, EventKind, Recording, Value};

/// Kinds of files by absolute path.
#[derive(Debug, Default)]
pub struct Hints {
    pub(super) shapes: BTreeMap<Vec<u8>, Shape>,
    /// The session mounted something.
    pub(super) has_mounted: bool,
    /// Links of which only the beginning was printed.
    pub(super) cut_links: CutLinks,
    /// What was opened by paths with `..`.
    pub(super) dotted: Dotted,
    /// All that was read from each pipe, by its printed name.
    streams: BTreeMap<Vec<u8>, Vec<u8>>,
    stream_bytes: usize,
    /// Those of which something was not printed: what came later has no known place.
    cut_streams: BTreeSet<Vec<u8>>,
    /// Paths that stand before others: directories, if they are there.
    pub(super) prefixes: BTreeSet<Vec<u8>>,
    /// The last program that each task executed, and whether it then read that as a script.
    pub(super) programs: BTreeMap<Option<u32>, Vec<u8>>,
    /// Programs that are links as far as `/proc/self/exe` tells.
    pub(super) by_exe: BTreeSet<Vec<u8>>,
    /// Programs that their interpreters read.
    pub(super) scripts: BTreeSet<Vec<u8>>,
    /// What the descriptors of opening calls turn out to be.
    pub(super) openings: Openings,
    /// The first working directory, and where the caller is, if that is known.
    cwd: Rc<[u8]>,
    here: Option<Rc<[u8]>>,
    /// Where the tasks are that left the first one.
    moved: BTreeMap<Option<u32>, Option<Rc<[u8]>>>,
    /// By path: the call that opened it with O_CREAT.
    created: BTreeMap<Vec<u8>, u64>,
    /// Paths that were opened and not made.
    pub(super) was_opened: BTreeSet<Vec<u8>>,
    /// Directories whose names are listed.
    pub(super) listed: BTreeSet<Vec<u8>>,
    /// Directories that successful calls went through.
    pub(super) passed: BTreeSet<Vec<u8>>,
    /// Who makes the call that is looked at.
    caller: Option<u32>,
    pub(super) sights: Sights,
    /// What the numbers of the files tell.
    pub identities: Identities,
}

/// Most bytes of what was read from pipes that are kept.
const MAX_STREAM_BYTES: usize = 64 << 20;

impl Hints {
    /// Looks through all calls; `cwd` is the first working directory.
    pub fn of(recording: &Recording, cwd: &[u8]) -> Self {
        let mut hints = Self { cwd: cwd.into(), ..Self::default() };
        for event in &recording.events {
            match event.kind {
                EventKind::Entry { call } => {
                    if let Some(call) = recording.calls.get(call) {
                        hints.follow_cwd(&call, false);
                        hints.see_birth(&call);
                        hints.see(&call);
                        hints.see_growth(&call);
                    }
                }
                EventKind::Exit { call } => {
                    let index = call;
                    if let Some(call) = recording.calls.get(call) {
                        let call = &*call;
                        hints.see_stream(call);
                        hints.see_prefixes(call);
                        hints.see_program(call);
                        hints.follow_cwd(call, true);
                        hints.see_border(call);
                        hints.see_changed(call);
                        hints.see_created(index, call);
                        hints.see_open(index, call);
                    }
                }
                EventKind::Exited { .. } | EventKind::Killed { .. } => {
                    hints.openings.end(event.tid);
                    hints.programs.remove(&event.tid);
                    hints.moved.remove(&event.tid);
                }
                // The thread that executed a program goes on as the leader.
                EventKind::Superseded { by } => {
                    hints.openings.end(event.tid);
                    hints.openings.child(Some(by), event.tid);
                    hints.openings.end(Some(by));
                    match hints.moved.remove(&Some(by)) {
                        Some(place) => hints.moved.insert(event.tid, place),
                        None => hints.moved.remove(&event.tid),
                    };
                }
                _ => {}
            }
        }
        hints.openings.finish();
        hints.see_cut_links();
        hints.see_links_by_dots();
        hints.identities = hints.sights.conclude(&hints.shapes);
        for (link, target) in hints.identities.links.clone() {
            hints.shapes.insert(link, Shape::Link(target));
        }
        hints.identities.hidden = hidden::home_in(&hints.not_listed());
        hints.sights = Sights::default();
        hints
    }

    /// A child begins with its parent's descriptors (fork(2)).
    fn see_birth(&mut self, call: &Call) {
        let makes = matches!(&*call.name, "clone" | "clone3" | "fork" | "vfork");
        let made = call.result.as_ref().filter(|_| makes).and_then(|result| result.number());
        let Some(child) = made.and_then(|pid| u32::try_from(pid).ok()) else { return };
        self.openings.child(call.tid, Some(child));
    }

    /// The path by which the file behind a descriptor was opened.
    fn opened_path(&self, fd: Option<&Value>) -> Option<Vec<u8>> {
        let opened = self.openings.of(self.caller, fd?.as_i32()?)?;
        self.openings.path(opened).cloned()
    }

    /// The kind of the file at a path, if the recording ever shows it.
    pub fn shape(&self, path: &[u8]) -> Option<&Shape> {
        self.shapes.get(path)
    }

    /// Whether other paths of the recording go through this one.
    pub fn is_prefix(&self, path: &[u8]) -> bool {
        self.prefixes.contains(path)
    }

    /// Whether the file at a path is ever opened without being made.
    pub fn is_opened(&self, path: &[u8]) -> bool {
        self.was_opened.contains(path)
    }

    /// Every directory on the way of the paths that a call names.
    fn see_prefixes(&mut self, call: &Call) {
        let errno = call.result.as_ref().and_then(|result| result.errno.as_deref());
        // Where openat2(2) looks its path does not tell alone.
        if errno == Some("ENOTDIR") || &*call.name == "openat2" {
            return;
        }
        for path in call.args.iter().filter_map(Value::as_bytes) {
            if path.first() != Some(&b'/') || path.len() > 4096 {
                continue;
            }
            let Some(path) = plain(path) else { continue };
            let looks = ["open", "stat", "access", "execve"];
            if call.result.as_ref().and_then(|result| result.number()).is_some_and(|it| it >= 0)
                && looks.iter().any(|name| call.name.contains(name))
                && let Some(cut) = path.iter().rposition(|byte| *byte == b'/')
            {
                let directory = path.get(..cut).unwrap_or_default();
                if !self.passed.contains(directory) {
                    self.passed.insert(directory.to_vec());
                }
            }
            let mut end = path.len();
            while let Some(cut) = path
                .get(..end)
                .and_then(|head| head.iter().rposition(|byte| *byte == b'/').filter(|cut| *cut > 0))
            {
                let head = path.get(..cut).unwrap_or_default();
                if self.prefixes.contains(head) {
                    break;
                }
                self.prefixes.insert(head.to_vec());
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
                if self.programs.get(&call.tid).map(Vec::as_slice) == opened
                    && let Some(script) = self.programs.remove(&call.tid)
                {
                    // Its interpreter reads it, perhaps after it has looked at its own path: what
                    // that told was the interpreter's place (perl does so).
                    if self.by_exe.remove(&script) {
                        self.shapes.remove(&script);
                    }
                    self.scripts.insert(script);
                }
            }
            "readlink" => self.see_own_link(call, path(0)),
            _ => {}
        }
    }

    /// What was read from a pipe, in the order in which the reads returned.
    pub fn stream(&self, pipe: &[u8]) -> Option<&[u8]> {
        self.streams.get(pipe).map(Vec::as_slice)
    }

    /// What an opening call opened, as far as its task asks.
    pub fn opened(&self, call: u64) -> Option<Shape> {
        self.openings.shape(call)
    }

    /// The mode of what an opening call opened.
    pub fn opened_mode(&self, call: u64) -> Option<u32> {
        self.openings.mode(call)
    }

    /// Whether what an opening call opened shows bytes that nobody had written.
    pub fn was_there(&self, call: u64) -> bool {
        self.openings.was_there(call)
    }

    /// A call that may make a file grow, which it can do as soon as it is entered.
    fn see_growth(&mut self, call: &Call) {
        let number = |index: usize| call.arg(index).and_then(Value::as_u64).unwrap_or(u64::MAX);
        let (at, bytes) = match &*call.name {
            "pwrite64" => (0, number(2).saturating_add(number(3))),
            "write" | "writev" | "pwritev" | "pwritev2" | "sendfile" | "ftruncate"
            | "fallocate" => (0, u64::MAX),
            "copy_file_range" | "splice" => (2, u64::MAX),
            // What is written to memory is seen by no call.
            "mmap" => (4, u64::MAX),
            _ => return,
        };
        let fd = call.arg(at).and_then(Value::as_i32);
        if let Some(opened) = fd.and_then(|fd| self.openings.of(call.tid, fd)) {
            self.openings.grows(opened, bytes);
        }
    }

    /// A call that succeeded shows how large a file is, or some of its bytes.
    fn see_size(&mut self, opened: u64, call: &Call, value: i128) {
        let (size, is_read) = match &*call.name {
            "read" | "pread64" | "readv" | "preadv" | "preadv2" => (i128::from(value > 0), true),
            "lseek" if call.arg(2).and_then(Value::name) == Some("SEEK_END") => {
                let offset = call.arg(1).and_then(Value::as_i64).unwrap_or(i64::MAX);
                (value - i128::from(offset), false)
            }
            "fstat" => (size_of(call.arg(1), "st_size"), false),
            "newfstatat" => (size_of(call.arg(2), "st_size"), false),
            "statx" => (size_of(call.arg(4), "stx_size"), false),
            _ => return,
        };
        // Of a stat only one of the descriptor itself.
        let path = call.arg(1).and_then(Value::as_bytes).filter(|_| call.name.contains("at"));
        let is_own = path.is_none_or(<[u8]>::is_empty);
        if let (Ok(size), true) = (u64::try_from(size), is_own) {
            self.openings.see_size(opened, size, is_read);
        }
    }

    fn see_open(&mut self, index: u64, call: &Call) {
        let value = call.result.as_ref().and_then(|result| result.number());
        let Some(value) = value.filter(|value| *value >= 0) else { return };
        let fd = call.arg(0).and_then(Value::as_i32);
        let opened = fd.and_then(|fd| self.openings.of(call.tid, fd));
        if let Some(opened) = opened {
            self.see_size(opened, call, value);
        }
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
        let seen = stat.and_then(numbers::stat);
        let path = opened.and_then(|opened| self.openings.path(opened).cloned());
        let own = opened.is_some_and(|opened| self.openings.is_nofollow(opened));
        let rdev = seen.as_ref().map_or(0, |(stat, _)| stat.rdev);
        if let (Some(path), Some((stat, members))) = (&path, seen) {
            self.sights.stat(path, &stat, members, own);
        }
        if let (Some(opened), Some(mode)) = (opened, mode) {
            self.openings.see_mode(opened, mode);
        }
        if own {
            self.mode(path, mode, rdev, true);
        }
        let found = match &*call.name {
            "fchmod" => {
                if let Some(opened) = opened {
                    self.openings.see_mode(opened, 0);
                }
                return;
            }
            "dup" | "dup2" | "dup3" | "open" | "openat" | "close" => {
                return self.see_number(index, call, value, opened);
            }
            "fstat" | "newfstatat" => shape(stat),
            "getdents64" | "getdents" => {
                let path = printed(call.arg(0)).or_else(|| self.opened_path(call.arg(0)));
                // A bare "/" has no name of its own.
                self.listed.extend(path.as_deref().and_then(plain));
                Some(Shape::Directory)
            }
            "fchdir" => Some(Shape::Directory),
            _ => None,
        };
        if let (Some(opened), Some(shape)) = (opened, found) {
            self.openings.see_shape(opened, shape);
        }
    }

    /// A number of a descriptor gets another meaning.
    fn see_number(&mut self, index: u64, call: &Call, value: i128, opened: Option<u64>) {
        let at = usize::from(&*call.name == "openat");
        match (&*call.name, i32::try_from(value), opened) {
            ("close", ..) => {
                if let Some(fd) = call.arg(0).and_then(Value::as_i32) {
                    self.openings.lead(call.tid, fd, None);
                }
            }
            ("open" | "openat", Ok(fd), _) => {
                let table = tickernel_systems::abi::flags::OPEN_FLAGS;
                let flags = call.arg(at + 1).and_then(|flags| numbers::bits32(flags, table));
                let nofollow = flags.is_some_and(|flags| flags & O_NOFOLLOW != 0);
                let path = call.arg(at).and_then(Value::as_bytes);
                let made = call.result.as_ref().and_then(|result| result.value.as_ref());
                if let (Some(path), Some(real)) = (path, printed(made)) {
                    self.dotted.see(path, real);
                }
                let path = self.absolute(call.arg(0).filter(|_| at == 1), path);
                let created = path.as_ref().and_then(|path| self.created.get(path).copied());
                let opened = created.unwrap_or(index);
                self.openings.lead(call.tid, fd, Some(opened));
                // Where the descriptor's own path is printed, that tells of links.
                let text = call.result.as_ref().and_then(|result| result.value.as_ref());
                let path = path.filter(|_| printed(text).is_none());
                self.openings.opened(opened, path, nofollow && opened == index);
            }
            (_, Ok(fd), opened) => self.openings.lead(call.tid, fd, opened),
            (_, Err(_), _) => {}
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
        let Some(text) = call.arg(1).and_then(Value::as_text) else { return };
        if text.cut {
            self.cut_streams.insert(fd.text.clone());
        }
        if self.stream_bytes < MAX_STREAM_BYTES && !self.cut_streams.contains(&fd.text) {
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
            "readlink" => self.link(self.absolute(None, path(0)), arg(1), ok),
            "readlinkat" => self.link(self.absolute(arg(0), path(1)), arg(2), ok),
            "lstat" => self.stat(self.absolute(None, path(0)), arg(1), true),
            "stat" => self.stat(self.absolute(None, path(0)), arg(1), false),
            "fstat" => self.stat(printed(arg(0)), arg(1), true),
            "newfstatat" => {
                // A printed path goes over no link.
                let is_printed = path(1).is_none_or(<[u8]>::is_empty);
                let nofollow = is_printed || arg(3).is_some_and(|flags| bits(flags) & 0x100 != 0);
                self.stat(self.place(arg(0), path(1)), arg(2), nofollow);
            }
            "statx" => {
                let is_printed = path(1).is_none_or(<[u8]>::is_empty);
                let nofollow = is_printed || arg(2).is_some_and(|flags| bits(flags) & 0x100 != 0);
                let Some(mode) = arg(4).and_then(|it| it.field("stx_mode")) else { return };
                let mode = numbers::mode(mode);
                let place = self.place(arg(0), path(1));
                let seen = arg(4).and_then(numbers::statx);
                self.sight(place, mode, seen, nofollow);
            }
            "getdents64" | "getdents" | "fchdir" => {
                self.note(printed(arg(0)), Shape::Directory);
                if &*call.name == "getdents64" {
                    self.list(arg(0), arg(1));
                }
            }
            "chdir" => self.note(self.absolute(None, path(0)), Shape::Directory),
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

    /// The names of a directory. Where the descriptor's own path is not printed it is open by one
    /// that may lead over links: then only the kinds are known.
    fn list(&mut self, fd: Option<&Value>, entries: Option<&Value>) {
        let own = printed(fd);
        let is_own = own.is_some();
        let Some(directory) = own.or_else(|| self.opened_path(fd)) else { return };
        for entry in entries.and_then(Value::items).unwrap_or_default() {
            let kind = entry.field("d_type").and_then(numbers::dirent_type);
            let name = entry.field("d_name").and_then(Value::as_bytes);
            let (Some(kind), Some(name)) = (kind, name) else { continue };
            let inode = entry.field("d_ino").and_then(Value::as_u64).filter(|_| is_own);
            if name != b"." && name != b".." {
                if let (Some(path), Some(inode)) = (join(&directory, name), inode) {
                    let shape = Shape::of(u32::from(kind) << 12, 0);
                    self.sights.listed(&directory, &path, inode, &shape);
                }
                self.mode(join(&directory, name), Some(u32::from(kind) << 12), 0, true);
            }
        }
    }

    fn link(&mut self, path: Option<Vec<u8>>, target: Option<&Value>, length: Option<i128>) {
        let text = target.and_then(Value::as_text);
        let (Some(path), Some(text)) = (path, text) else { return };
        let length = length.and_then(|length| usize::try_from(length).ok());
        match length.filter(|_| text.cut) {
            _ if path.starts_with(b"/proc/") => {}
            Some(length) if length < PATH_MAX => self.cut_links.see(path, &text.bytes, length),
            Some(_) => {}
            None => drop(self.shapes.insert(path, Shape::Link(text.bytes.clone()))),
        }
    }

    fn stat(&mut self, path: Option<Vec<u8>>, stat: Option<&Value>, nofollow: bool) {
        let mode = stat.and_then(|stat| stat.field("st_mode")).and_then(numbers::mode);
        let seen = stat.and_then(numbers::stat);
        self.sight(path, mode, seen, nofollow);
    }

    /// What a stat showed of the file at a path.
    fn sight(
        &mut self,
        path: Option<Vec<u8>>,
        mode: Option<u32>,
        seen: Option<(Stat, u32)>,
        nofollow: bool,
    ) {
        let rdev = seen.as_ref().map_or(0, |(stat, _)| stat.rdev);
        if let (Some(path), Some((stat, members))) = (&path, seen) {
            self.sights.stat(path, &stat, members, nofollow);
        }
        self.mode(path, mode, rdev, nofollow);
    }

    fn mode(&mut self, path: Option<Vec<u8>>, mode: Option<u32>, rdev: u64, nofollow: bool) {
        let Some(mode) = mode.filter(|mode| *mode != 0) else { return };
        let shape = Shape::of(mode, rdev);
        // Behind a link stands another file: only what is not a link is known of this one.
        if matches!(shape, Shape::Link(_)) && !nofollow {
            return;
        }
        self.note(path, shape);
    }

    /// A path relative to a printed descriptor; an empty one is the descriptor itself.
    fn place(&self, fd: Option<&Value>, path: Option<&[u8]>) -> Option<Vec<u8>> {
        match path {
            Some([]) | None => printed(fd),
            path => self.absolute(fd, path),
        }
    }

    /// The absolute path: relative ones start at the printed directory, or at the working directory
    /// where that is known.
    pub(super) fn absolute(&self, fd: Option<&Value>, path: Option<&[u8]>) -> Option<Vec<u8>> {
        let path = path?;
        if path.first() == Some(&b'/') {
            return plain(path);
        }
        let at_cwd = || {
            fd.is_none_or(|fd| {
                fd.resolve(&|name| (name == "AT_FDCWD").then_some(-100)) == Some(-100)
            })
        };
        let here = || self.here.as_ref().map(|here| here.to_vec());
        let base = printed(fd).or_else(|| at_cwd().then(here).flatten());
        let base = base.or_else(|| self.opened_path(fd))?;
        join(&base, path)
    }

    /// Follows the working directories: that of the caller before the call.
    fn follow_cwd(&mut self, call: &Call, is_over: bool) {
        self.caller = call.tid;
        let moved = self.moved.get(&call.tid);
        self.here = moved.map_or_else(|| Some(Rc::clone(&self.cwd)), Option::clone);
        let ok = call.result.as_ref().and_then(|result| result.number());
        let Some(value) = ok.filter(|value| *value >= 0) else { return };
        match &*call.name {
            "chdir" | "fchdir" | "chroot" if is_over => {
                let path = call.arg(0).and_then(Value::as_text).filter(|text| !text.cut);
                let place = match &*call.name {
                    "chdir" => self.absolute(None, path.map(|text| text.bytes.as_slice())),
                    "fchdir" => printed(call.arg(0)).or_else(|| self.opened_path(call.arg(0))),
                    _ => None,
                };
                self.moved.insert(call.tid, place.map(Rc::from));
            }
            "clone" | "clone3" | "fork" | "vfork" => {
                if let Some(place) = self.moved.get(&call.tid) {
                    self.moved.insert(u32::try_from(value).ok(), place.clone());
                }
            }
            _ => {}
        }
    }

    /// Files that O_CREAT opened, which may have been there: until their names or modes change,
    /// what a later sight of them shows.
    fn see_created(&mut self, index: u64, call: &Call) {
        let ok = call.result.as_ref().and_then(|result| result.number());
        if ok.is_none_or(|value| value < 0) {
            return;
        }
        let at = usize::from(matches!(&*call.name, "openat" | "newfstatat" | "statx"));
        let dirfd = call.arg(0).filter(|_| at == 1);
        let path = call.arg(at).and_then(Value::as_bytes).filter(|path| !path.is_empty());
        match &*call.name {
            "open" | "openat" => {
                let table = tickernel_systems::abi::flags::OPEN_FLAGS;
                let flags = call.arg(at + 1).and_then(|flags| numbers::bits32(flags, table));
                let creates = flags.map(|flags| flags & (O_CREAT | O_EXCL));
                match (creates, self.absolute(dirfd, path)) {
                    (Some(O_CREAT), Some(path)) => {
                        self.create(path, index);
                    }
                    (Some(0), Some(path)) => {
                        self.was_opened.insert(path);
                    }
                    _ => {}
                }
            }
            "stat" | "lstat" | "newfstatat" | "statx" => {
                let path = self.absolute(dirfd, path);
                let created = path.and_then(|path| self.created.get(&path)).copied();
                let stat = call.arg(if &*call.name == "statx" { 4 } else { at + 1 });
                let field = if &*call.name == "statx" { "stx_mode" } else { "st_mode" };
                let mode = stat.and_then(|stat| numbers::mode(stat.field(field)?));
                if let (Some(created), Some(mode)) = (created, mode) {
                    self.openings.see_mode(created, mode);
                }
            }
            "unlink" | "unlinkat" | "rename" | "renameat" | "renameat2" | "chmod" | "fchmod"
            | "fchmodat" | "fchmodat2" | "link" | "linkat" => self.forget_created(),
            _ => {}
        }
    }

    fn create(&mut self, path: Vec<u8>, index: u64) {
        if let Entry::Vacant(place) = self.created.entry(path) {
            place.insert(index);
            self.openings.hold(index);
        }
    }

    fn forget_created(&mut self) {
        for call in std::mem::take(&mut self.created).into_values() {
            self.openings.let_go(call);
        }
    }

    /// Names that the session makes or takes away.
    fn see_changed(&mut self, call: &Call) {
        let ok = call.result.as_ref().and_then(|result| result.number());
        let starts = ["mkdir", "rmdir", "rename", "link", "symlink", "unlink", "mknod"];
        let names = starts.iter().any(|start| call.name.starts_with(start));
        if !names || ok.is_none_or(|value| value < 0) {
            return;
        }
        let decoded = decode::decode(call);
        let Some(parsed) = decoded.parsed() else { return };
        let uses = paths::uses(&parsed);
        for one in uses.iter().filter(|one| (one.creates && !one.may_exist) || one.removes) {
            // The directory's text stands before the path, in the order of the arguments.
            let arg = call.args.iter().position(|arg| arg.as_bytes() == Some(one.path));
            let dirfd = arg.filter(|at| *at > 0 && one.dirfd != AT_FDCWD).map(|at| at - 1);
            let dirfd = dirfd.and_then(|at| call.arg(at));
            if let Some(path) = self.absolute(dirfd, Some(one.path)) {
                self.sights.changed(path);
            }
        }
    }

    fn note(&mut self, path: Option<Vec<u8>>, shape: Shape) {
        if let Some(path) = path {
            let known = self.shapes.get(&path);
            // The text of a link is worth more than that it is one; a link seen as one stays one.
            // A list of a directory tells that it is a device, but not which.
            let is_told = match (known, &shape) {
                (Some(Shape::Link(_)), _) => true,
                (Some(Shape::Char(number)), Shape::Char(0)) => *number != 0,
                (Some(Shape::Block(number)), Shape::Block(0)) => *number != 0,
                _ => false,
            };
            if !is_told {
                self.shapes.insert(path, shape);
            }
        }
    }
}

fn bits(value: &Value) -> u32 {
    let table = tickernel_systems::abi::flags::AT_FLAGS;
    // AT_STATX_SYNC_AS_STAT is the name of no bit.
    let number = value.resolve(&|name| Some(i128::from(number_of(table, name).unwrap_or(0))));
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// The path that is printed after a descriptor.
fn printed(fd: Option<&Value>) -> Option<Vec<u8>> {
    let fd = fd?.as_fd()?;
    (fd.text.first() == Some(&b'/') && !fd.deleted).then(|| fd.text.clone())
}

fn size_of(stat: Option<&Value>, field: &str) -> i128 {
    stat.and_then(|stat| stat.field(field)?.as_u64()).map_or(0, i128::from)
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
