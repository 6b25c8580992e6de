//! While the recording is looked through before the walk (`hints.rs`): which call opened what is
//! behind a descriptor, and what the recording then tells of the file. Of a description that is
//! closed everywhere some bytes are kept. open(2), dup(2), fork(2).

use std::collections::BTreeMap;

use super::hints::Hints;
use super::initial::Shape;
use crate::strace::{Call, Value};

/// A descriptor of a task.
type Slot = (Option<u32>, i32);

/// What an opening call opened.
#[derive(Debug, Default)]
struct Opening {
    /// Descriptors, and other places, that lead here.
    holders: u32,
    /// Where the descriptor's own path is not printed: that of the call.
    path: Option<Vec<u8>>,
    /// It did not follow a link at the end.
    nofollow: bool,
    /// The kind of the file, as far as its task asks.
    shape: Option<Shape>,
    /// Its mode at the first stat, if nobody changed modes before; 0 if somebody did.
    mode: Option<u32>,
    /// How far the session can have made the file grow since.
    reach: u64,
    /// How often that was through this opening, and how often through any before it.
    growths: u64,
    before: Growths,
    /// The file showed more than that: it was there before.
    was_there: bool,
}

/// How often files may have grown. One whose path is not known may be that of any other opening.
#[derive(Clone, Copy, Debug, Default)]
struct Growths {
    all: u64,
    /// Through openings without a path.
    unnamed: u64,
}

/// The same when nothing leads there any more.
#[derive(Clone, Copy, Debug)]
struct Settled {
    call: u32,
    mode: u32,
    kind: u8,
    was_there: bool,
}

/// Stands for a mode that nobody asked for.
const NO_MODE: u32 = u32::MAX;
/// Stands for a kind that nobody asked for, and one that lies in `others`.
const NO_KIND: u8 = 0;
const OTHER: u8 = 1;
/// The kinds that are only that.
const KINDS: [Shape; 4] = [Shape::File, Shape::Directory, Shape::Fifo, Shape::Socket];

/// Whether two paths end in the same name: else the file may have been renamed since.
fn same_name(one: &[u8], other: &[u8]) -> bool {
    let name = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next().map(<[u8]>::to_vec);
    one != other && name(one) == name(other)
}

/// All opening calls.
#[derive(Debug, Default)]
pub(super) struct Openings {
    slots: BTreeMap<Slot, u64>,
    open: BTreeMap<u64, Opening>,
    settled: Vec<Settled>,
    growths: Growths,
    others: BTreeMap<u64, Shape>,
    /// Where a link below /proc/self/fd says that the file is, if not where it was opened.
    real: BTreeMap<u64, Vec<u8>>,
}

/// Most such places that are kept.
const MAX_REAL: usize = 1 << 16;

impl Hints {
    /// Where links of /proc lead: to the program that a process runs, to what it has open
    /// (proc(5)).
    pub(super) fn see_own_link(&mut self, call: &Call, path: Option<&[u8]>) {
        let text = call.arg(1).and_then(Value::as_text).filter(|text| !text.cut);
        let Some(text) = text.filter(|text| text.bytes.first() == Some(&b'/')) else { return };
        let Some(rest) = path.and_then(|path| path.strip_prefix(b"/proc/")) else { return };
        let mut names = rest.splitn(2, |byte| *byte == b'/');
        let (Some(whose), Some(what)) = (names.next(), names.next()) else { return };
        let number = |name: &[u8]| std::str::from_utf8(name).ok()?.parse::<u32>().ok();
        let whose = if whose == b"self" { call.tid } else { number(whose) };
        if what == b"exe" {
            let program = self.programs.get(&whose).cloned();
            if let Some(program) = program
                && program != text.bytes
                && !self.scripts.contains(&program)
            {
                self.by_exe.insert(program.clone());
                self.shapes.insert(program, Shape::Link(text.bytes.clone()));
            }
        }
        let fd = what.strip_prefix(b"fd/").and_then(number);
        let fd = fd.and_then(|fd| i32::try_from(fd).ok());
        if let Some(opened) = fd.and_then(|fd| self.openings.of(whose, fd))
            && self.openings.real.len() < MAX_REAL
            && self.openings.path(opened).is_some_and(|path| same_name(path, &text.bytes))
        {
            self.openings.real.insert(opened, text.bytes.clone());
        }
    }

    /// Where what an opening call opened really is, if that is told.
    pub fn real(&self, call: u64) -> Option<Vec<u8>> {
        self.openings.real.get(&call).cloned()
    }
}

impl Openings {
    /// The call that opened what is behind a descriptor.
    pub(super) fn of(&self, tid: Option<u32>, fd: i32) -> Option<u64> {
        self.slots.get(&(tid, fd)).copied()
    }

    /// A child begins with its parent's descriptors.
    pub(super) fn child(&mut self, tid: Option<u32>, child: Option<u32>) {
        let own = self.slots.range((tid, i32::MIN)..=(tid, i32::MAX));
        let copies: Vec<(i32, u64)> = own.map(|((_, fd), call)| (*fd, *call)).collect();
        for (fd, call) in copies {
            self.lead(child, fd, Some(call));
        }
    }

    /// A task is gone.
    pub(super) fn end(&mut self, tid: Option<u32>) {
        let own = self.slots.range((tid, i32::MIN)..=(tid, i32::MAX));
        let own: Vec<i32> = own.map(|((_, fd), _)| *fd).collect();
        for fd in own {
            self.lead(tid, fd, None);
        }
    }

    /// A number leads to what a call opened, or to nothing.
    pub(super) fn lead(&mut self, tid: Option<u32>, fd: i32, call: Option<u64>) {
        if let Some(call) = call {
            self.hold(call);
        }
        let before = match call {
            Some(call) => self.slots.insert((tid, fd), call),
            None => self.slots.remove(&(tid, fd)),
        };
        if let Some(before) = before {
            self.let_go(before);
        }
    }

    /// Something leads to what a call opened.
    pub(super) fn hold(&mut self, call: u64) {
        let before = self.growths;
        let opening =
            self.open.entry(call).or_insert_with(|| Opening { before, ..Opening::default() });
        opening.holders = opening.holders.saturating_add(1);
    }

    /// It does no more.
    pub(super) fn let_go(&mut self, call: u64) {
        let Some(opening) = self.open.get_mut(&call) else { return };
        opening.holders = opening.holders.saturating_sub(1);
        if opening.holders == 0 {
            self.settle(call);
        }
    }

    fn settle(&mut self, call: u64) {
        let Some(Opening { shape, mode, was_there, .. }) = self.open.remove(&call) else {
            return;
        };
        let Ok(short) = u32::try_from(call) else { return };
        let kind = match &shape {
            None => NO_KIND,
            Some(shape) => match KINDS.iter().position(|kind| kind == shape) {
                Some(place) => OTHER + 1 + place as u8,
                None => OTHER,
            },
        };
        if let (OTHER, Some(shape)) = (kind, shape) {
            self.others.insert(call, shape);
        }
        if kind != NO_KIND || mode.is_some() || was_there {
            let mode = mode.unwrap_or(NO_MODE);
            self.settled.push(Settled { call: short, mode, kind, was_there });
        }
    }

    /// Says how a call opened.
    pub(super) fn opened(&mut self, call: u64, path: Option<Vec<u8>>, nofollow: bool) {
        let Some(opening) = self.open.get_mut(&call) else { return };
        opening.nofollow |= nofollow;
        if opening.path.is_none() {
            opening.path = path;
        }
    }

    pub(super) fn path(&self, call: u64) -> Option<&Vec<u8>> {
        self.open.get(&call)?.path.as_ref()
    }

    pub(super) fn is_nofollow(&self, call: u64) -> bool {
        self.open.get(&call).is_some_and(|opening| opening.nofollow)
    }

    /// The first sight of the mode counts.
    pub(super) fn see_mode(&mut self, call: u64, mode: u32) {
        if let Some(opening) = self.open.get_mut(&call) {
            opening.mode.get_or_insert(mode);
        }
    }

    /// The first sight of the kind counts.
    pub(super) fn see_shape(&mut self, call: u64, shape: Shape) {
        if let Some(opening) = self.open.get_mut(&call) {
            opening.shape.get_or_insert(shape);
        }
    }

    /// The file has so many bytes, or some of its bytes were read: `size` is then 1, and counts
    /// only where nobody can have written them.
    pub(super) fn see_size(&mut self, call: u64, size: u64, is_read: bool) {
        let growths = self.growths;
        if let Some(opening) = self.open.get_mut(&call) {
            let is_alone = match opening.path {
                Some(_) => growths.unnamed == opening.before.unnamed,
                None => growths.all == opening.before.all.saturating_add(opening.growths),
            };
            let fits = size > opening.reach && (!is_read || opening.reach == 0);
            opening.was_there |= is_alone && fits;
        }
    }

    /// So many bytes more may now be in the file that a call opened.
    pub(super) fn grows(&mut self, call: u64, bytes: u64) {
        let Some(opening) = self.open.get_mut(&call) else { return };
        opening.reach = opening.reach.saturating_add(bytes);
        opening.growths += 1;
        self.growths.all += 1;
        self.growths.unnamed += u64::from(opening.path.is_none());
    }

    /// Whether the file that a call opened shows that it was there.
    pub(super) fn was_there(&self, call: u64) -> bool {
        self.settled(call).is_some_and(|settled| settled.was_there)
    }

    /// The recording is over.
    pub(super) fn finish(&mut self) {
        self.slots = BTreeMap::new();
        for call in self.open.keys().copied().collect::<Vec<_>>() {
            self.settle(call);
        }
        self.settled.sort_unstable_by_key(|settled| settled.call);
    }

    fn settled(&self, call: u64) -> Option<&Settled> {
        let short = u32::try_from(call).ok()?;
        let place = self.settled.binary_search_by_key(&short, |settled| settled.call).ok()?;
        self.settled.get(place)
    }

    /// The kind of what a call opened.
    pub(super) fn shape(&self, call: u64) -> Option<Shape> {
        match self.settled(call)?.kind {
            NO_KIND => None,
            OTHER => self.others.get(&call).cloned(),
            kind => KINDS.get(usize::from(kind - OTHER - 1)).cloned(),
        }
    }

    /// Its mode.
    pub(super) fn mode(&self, call: u64) -> Option<u32> {
        self.settled(call).map(|settled| settled.mode).filter(|mode| *mode != NO_MODE)
    }
}
