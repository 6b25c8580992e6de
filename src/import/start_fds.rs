//! The first process's descriptors as the first state has them: from the side file, else from what
//! the recording shows of each (`descriptors.rs`; IMPORT.md section 5).

use std::collections::BTreeMap;

use tickernel_systems::abi::Winsize;
use tickernel_systems::abi::flags::{
    O_ACCMODE, O_APPEND, O_LARGEFILE, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, major, makedev, minor,
};
use tickernel_systems::fs::{Fs, Meta};
use tickernel_systems::wire::Bytes;
use tickernel_systems::{BootFd, BootTarget};

use super::descriptors::{Descriptors, SeenFd, file_name};
use super::identity::Identities;
use super::initial::{Initial, Shape};
use super::meta::{self, SideFile};
use super::terminals::Inherited;
use crate::replay::stat_bits;

/// Numbers of pipes of which only the descriptor is known.
const UNNAMED_PIPES: u32 = 1 << 30;

/// Major number of the slaves of pseudo-terminals (pts(4)).
const PTS_MAJOR: u32 = 136;
/// How many major numbers they have.
const PTS_MAJORS: u32 = 8;

/// What the side file lists.
pub fn given(side: &SideFile, initial: &mut Initial, fs: &mut Fs) -> (Vec<BootFd>, Vec<Inherited>) {
    let mut found: BTreeMap<u32, BootFd> = BTreeMap::new();
    let mut terminals = Vec::new();
    for (number, fd) in &side.initial_fds {
        let Ok(number) = number.parse::<u32>() else { continue };
        let path = fd.path.clone().unwrap_or_else(|| "/dev/null".to_owned());
        let flags = fd.flags.as_deref().map_or(O_RDWR, meta::open_flags);
        if let Some(terminal) = terminal_of(path.as_bytes()) {
            terminals.push(Inherited {
                fd: number,
                number: terminal,
                flags,
                cloexec: false,
                winsize: side.winsize.map(|[row, col]| Winsize { row, col, ..Winsize::default() }),
            });
            found.insert(number, stands_for(number, flags, false));
            continue;
        }
        let flags = flags | O_LARGEFILE;
        let shared = fd.same.filter(|same| *same < number && found.contains_key(same));
        let target = match shared {
            Some(same) => BootTarget::Same(same),
            None => named(number, path.as_bytes(), initial, fs),
        };
        let offset = fd.offset.unwrap_or(0);
        found.insert(number, BootFd { fd: number, target, flags, offset, cloexec: false });
    }
    // Else two descriptors of one file stay two descriptions: what they share nobody can tell.
    (found.into_values().collect(), terminals)
}

/// The number of the terminal whose slave has this name (pts(4)).
fn terminal_of(path: &[u8]) -> Option<u32> {
    std::str::from_utf8(path.strip_prefix(b"/dev/pts/")?).ok()?.parse().ok()
}

/// Until a terminal is opened there.
fn stands_for(fd: u32, flags: u32, cloexec: bool) -> BootFd {
    BootFd { fd, target: null(), flags, offset: 0, cloexec }
}

/// What a descriptor's text names.
fn named(number: u32, text: &[u8], initial: &mut Initial, fs: &mut Fs) -> BootTarget {
    if let Some(pipe) = pipe_of(text) {
        return pipe;
    }
    if text.first() != Some(&b'/') || text == b"/dev/null" {
        return null();
    }
    let number = i32::try_from(number).unwrap_or(0);
    node(number, Some(text.to_vec()), &Shape::File, 0o644, initial, fs)
}

/// What the recording shows. A standard descriptor of which nothing is known is open.
pub fn inferred(
    known: &Descriptors,
    identities: &Identities,
    initial: &mut Initial,
    fs: &mut Fs,
) -> (Vec<BootFd>, Vec<Inherited>) {
    let nothing = SeenFd::default();
    let standard = (0..3).filter(|fd| !known.seen.contains_key(fd)).map(|fd| (fd, &nothing));
    let mut all: Vec<(i32, &SeenFd)> =
        known.seen.iter().map(|(fd, seen)| (*fd, seen)).chain(standard).collect();
    all.sort_by_key(|(fd, _)| *fd);
    all.retain(|(fd, seen)| seen.open.unwrap_or((0..3).contains(fd)));
    let mut done: Vec<BootFd> = Vec::new();
    let mut terminals = Vec::new();
    for (number, seen) in &all {
        let Ok(fd) = u32::try_from(*number) else { continue };
        let flags = flags(*number, seen, &all);
        if let Some(terminal) = terminal_at(*number, seen, &all) {
            // Terminals come blocking: who made them otherwise did so in the session, and perhaps
            // by a descriptor that was passed on.
            let flags = seen.flags.map_or(flags & !O_LARGEFILE, |flags| flags & !O_NONBLOCK);
            let cloexec = seen.cloexec;
            terminals.push(Inherited { fd, number: terminal, flags, cloexec, winsize: None });
            done.push(stands_for(fd, flags, cloexec));
            continue;
        }
        let same = all.iter().take_while(|(other, _)| other < number).find(|(other, earlier)| {
            is_same_file(seen, earlier) && self::flags(*other, earlier, &all) == flags
        });
        let target = match same {
            Some((other, _)) => BootTarget::Same(other.unsigned_abs()),
            None => target(*number, seen, &all, identities, initial, fs),
        };
        let flags = match target {
            BootTarget::Pipe(_) if seen.flags.is_none() => flags & !O_LARGEFILE,
            _ => flags,
        };
        let mut made = BootFd { fd, target, flags, offset: 0, cloexec: seen.cloexec };
        if same.is_none() {
            made.offset = measure(*number, seen, &all, known, &made, initial, fs);
        }
        done.push(made);
    }
    (done, terminals)
}

/// The number of the terminal that a descriptor is open on, by its name or its device, or by those
/// of others that are the same.
fn terminal_at(number: i32, seen: &SeenFd, all: &[(i32, &SeenFd)]) -> Option<u32> {
    let of = |seen: &SeenFd| {
        let device = || device_number(seen.device.as_deref()?);
        let shown = || seen.stat.as_ref().map(|(stat, _)| stat.rdev);
        let by_name = seen.text.as_deref().and_then(terminal_of);
        by_name.or_else(|| slave_number(device().or_else(shown)?))
    };
    let others = || all.iter().filter(|(_, other)| is_same_file(seen, other));
    let shown = of(seen).or_else(|| others().find_map(|(_, other)| of(other)));
    let other = seen.text.as_ref().is_some_and(|text| terminal_of(text).is_none());
    let other = other || seen.device.is_some() || seen.stat.is_some();
    let other = other || seen.is_no_tty || seen.offset.is_some() || seen.is_directory;
    // A standard descriptor of which nothing is told is what the others are.
    let goes_along = !other && !seen.is_tty && (0..3).contains(&number) && {
        let standard = all.iter().filter(|(fd, _)| (0..3).contains(fd));
        standard.clone().any(|(_, it)| it.is_tty)
            && standard.clone().all(|(_, it)| !it.is_no_tty && !it.is_stream)
    };
    // Of which nothing is told is most likely the same as the others.
    let any = || all.iter().find_map(|(_, other)| of(other)).unwrap_or(0);
    shown.or_else(|| (seen.is_tty && !other || goes_along).then(any))
}

/// The number of the slave with a device number.
fn slave_number(device: u64) -> Option<u32> {
    let above = major(device).checked_sub(PTS_MAJOR).filter(|above| *above < PTS_MAJORS)?;
    Some(above << 8 | minor(device) & 0xff)
}

/// Whether two descriptors are open on one file, as far as that is shown.
fn is_same_file(one: &SeenFd, other: &SeenFd) -> bool {
    let names = (one.stat.as_ref().and_then(file_name), other.stat.as_ref().and_then(file_name));
    match names {
        (Some(one), Some(other)) => one == other,
        _ if one.moves_with(other) || one.changes_with(other) => true,
        _ => one.text.is_some() && one.text == other.text,
    }
}

/// Access mode and status flags. Where nothing tells, one file at several numbers is one
/// description (`2>&1`), open for all that they are for.
fn flags(number: i32, seen: &SeenFd, all: &[(i32, &SeenFd)]) -> u32 {
    if let Some(flags) = seen.flags {
        return flags;
    }
    let own = access(number, seen);
    let is_told = |seen: &SeenFd| {
        seen.flags.is_some() || seen.is_both || seen.cannot_read || seen.cannot_write
    };
    let mut others = all.iter().filter(|(_, other)| is_same_file(seen, other) && !is_told(other));
    let differs = others.any(|(other, it)| access(*other, it) != own);
    let shared = differs && !is_told(seen) && !is_null(seen);
    O_LARGEFILE | if shared { O_RDWR } else { own }
}

fn is_null(seen: &SeenFd) -> bool {
    seen.text.as_deref() == Some(b"/dev/null")
        || seen.stat.as_ref().is_some_and(|(stat, _)| stat.rdev == makedev(1, 3))
}

fn access(number: i32, seen: &SeenFd) -> u32 {
    match number {
        _ if seen.is_directory => O_RDONLY,
        _ if seen.is_both => O_RDWR,
        _ if seen.cannot_read => O_WRONLY,
        _ if seen.cannot_write => O_RDONLY,
        _ if seen.was_read && seen.was_written || seen.is_tty => O_RDWR,
        0 if !seen.was_written => O_RDONLY,
        1 | 2 if !seen.was_read => O_WRONLY,
        _ if seen.was_written => O_WRONLY,
        _ if seen.was_read => O_RDONLY,
        _ => O_RDWR,
    }
}

/// What the descriptor is open on, made where it is not there.
fn target(
    number: i32,
    seen: &SeenFd,
    all: &[(i32, &SeenFd)],
    identities: &Identities,
    initial: &mut Initial,
    fs: &mut Fs,
) -> BootTarget {
    // The same file with other flags: another description of it.
    let first = all.iter().find(|(_, other)| is_same_file(seen, other));
    let number = first.map_or(number, |(first, _)| *first);
    if let Some(pipe) = seen.text.as_deref().and_then(pipe_of) {
        return pipe;
    }
    let unnamed = UNNAMED_PIPES + number.unsigned_abs();
    // What one of its descriptors was called is a name of them all.
    let same = all.iter().filter(|(_, other)| is_same_file(seen, other));
    let mut texts = seen.text.iter().chain(same.filter_map(|(_, other)| other.text.as_ref()));
    let path = texts.find(|text| text.first() == Some(&b'/')).cloned();
    let inode = seen.stat.as_ref().and_then(file_name);
    let path = path.or_else(|| inode.and_then(|name| identities.path(name)).map(<[u8]>::to_vec));
    let mode = seen.stat.as_ref().filter(|(_, members)| members & stat_bits::MODE != 0);
    let shape = match (mode, &seen.device) {
        (Some((stat, _)), _) => Shape::of(stat.mode, stat.rdev),
        (None, Some(device)) => device_number(device).map_or(Shape::File, Shape::Char),
        _ if seen.is_directory => Shape::Directory,
        _ if path.is_some() => Shape::File,
        _ if seen.text.is_some() => return null(),
        _ if seen.is_stream => Shape::Fifo,
        _ if seen.places.iter().any(|(offset, _)| *offset > 0) => Shape::File,
        // lseek(2) of /dev/null gives 0 too, but nothing can be read there.
        _ if seen.was_read && seen.offset.is_some() => Shape::File,
        _ if seen.was_read => Shape::Fifo,
        _ => return null(),
    };
    match shape {
        Shape::Fifo if path.is_none() => return BootTarget::Pipe(unnamed),
        Shape::Char(rdev) if rdev == makedev(1, 3) => return null(),
        _ => {}
    }
    let permissions = mode.map_or(0o644, |(stat, _)| stat.mode & 0o7777);
    node(number, path, &shape, permissions, initial, fs)
}

/// The file at a path, made if it is not there. A name of /dev or /proc that cannot be made: a node
/// of the same kind elsewhere.
fn node(
    number: i32,
    path: Option<Vec<u8>>,
    shape: &Shape,
    permissions: u32,
    initial: &mut Initial,
    fs: &mut Fs,
) -> BootTarget {
    let unknown = [initial.hidden(), format!("/fd-{number}").as_bytes()].concat();
    for path in path.into_iter().chain([unknown]) {
        let made = initial.add_path(fs, &path, shape.clone(), Meta::mode(permissions));
        let inode = made.ok().and_then(|place| fs.inode(place));
        let fits = |there: u32| there == shape.kind().type_bits() || *shape == Shape::File;
        if inode.is_some_and(|inode| fits(inode.kind.type_bits())) {
            return BootTarget::Path(Bytes(path));
        }
    }
    null()
}

/// Where the description stands at the start, and how large its file is: what the first sights of
/// both show, less what the session itself moved before them.
fn measure(
    number: i32,
    seen: &SeenFd,
    all: &[(i32, &SeenFd)],
    known: &Descriptors,
    made: &BootFd,
    initial: &mut Initial,
    fs: &mut Fs,
) -> u64 {
    let BootTarget::Path(path) = &made.target else { return 0 };
    let Ok(place) = fs.at_path(&path.0) else { return 0 };
    if fs.pages(place).is_none() {
        return 0;
    }
    let sharers: Vec<i32> =
        all.iter().filter(|(_, other)| is_same_file(seen, other)).map(|(fd, _)| *fd).collect();
    let moved = |before: usize| -> u64 {
        let moves = known.moves.iter().take(before);
        let own = moves.filter(|(fd, _)| *fd == number || sharers.contains(fd));
        own.map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
    };
    let offset = seen.offset.map(|(offset, at)| offset.saturating_sub(moved(at)));
    let writes = made.flags & O_ACCMODE == O_WRONLY && !seen.offset_set;
    let sized = seen.stat.as_ref().filter(|(_, members)| members & stat_bits::SIZE != 0);
    let Some((stat, _)) = sized.filter(|_| writes) else { return offset.unwrap_or(0) };
    // What stood before the session's own bytes: the end is where it writes.
    let before = stat.size.saturating_sub(moved(seen.stat_at));
    initial.see_size(fs, place, before);
    if made.flags & O_APPEND != 0 { 0 } else { offset.unwrap_or(before) }
}

fn null() -> BootTarget {
    BootTarget::Path(Bytes(b"/dev/null".to_vec()))
}

/// `pipe:[17]`
fn pipe_of(text: &[u8]) -> Option<BootTarget> {
    let number = text.strip_prefix(b"pipe:[")?.strip_suffix(b"]")?;
    let number = std::str::from_utf8(number).ok().and_then(|text| text.parse::<u64>().ok());
    Some(BootTarget::Pipe(number.unwrap_or(0) as u32))
}

/// `char 136:0`
fn device_number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let (major, minor) = text.strip_prefix("char ")?.split_once(':')?;
    let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
    Some(makedev(major, minor))
}
