//! What the answers to somebody without capabilities say of modes and owners (IMPORT.md section 6):
//! what he did he might do, and what gave EACCES or EPERM he might not. Where the recording shows
//! neither mode nor owner, the weakest that says the same is made up; path_resolution(7), inode(7).

use tickernel_systems::abi::Errno;
use tickernel_systems::abi::credentials::CAP_DAC_OVERRIDE;
use tickernel_systems::abi::flags::*;
use tickernel_systems::event::Call;
use tickernel_systems::fs::{Meta, Place};

use super::facts::{Facts, trimmed};
use super::paths::{self, Use};
use crate::replay::{Recorded, stat_bits};

const SEARCH: u32 = 1;
const WRITE: u32 = 2;
const READ: u32 = 4;
/// Bits of a directory in which names are made by all, and taken away by their owners only.
const STICKY: u32 = 0o1777;

/// What a call needs at one of its paths.
#[derive(Clone, Copy, Debug, Default)]
struct Needs {
    /// Of what is there.
    mask: u32,
    /// To make or take away the name.
    parent: bool,
    /// To own what is there.
    owner: bool,
}

impl Facts<'_> {
    /// Makes a call find the rights that its recorded answer tells of.
    pub(super) fn rights(&mut self, call: &Call<'_>, recorded: Recorded) {
        let who = self.kernel.credentials_of(self.tid);
        if who.is_none_or(|who| who.capable(CAP_DAC_OVERRIDE)) {
            return;
        }
        for one in paths::uses(call) {
            let is_there = self.place_of(&one).is_some();
            let needs = needs(call, &one, is_there);
            match recorded {
                Recorded::Value(_) => self.allow(&one, needs),
                Recorded::Errno(Errno::EACCES) => self.deny(call, &one, needs),
                Recorded::Errno(Errno::EPERM) if makes_link(call) => {
                    self.initial.protect_hardlinks(self.kernel.describe_tree());
                }
                Recorded::Errno(Errno::EPERM) => self.deny_owner(&one, needs),
                // He came as far as where it stands, or does not.
                Recorded::Errno(_) => self.allow_way(&one),
                Recorded::Never => {}
            }
        }
    }

    fn place_of(&self, one: &Use<'_>) -> Option<Place> {
        if one.path.is_empty() {
            return self.kernel.fd_view(self.tid, one.dirfd)?.place;
        }
        self.kernel.resolve(self.tid, one.dirfd, one.path, one.follow).ok()?
    }

    /// The directories on the way of a path, as far as it leads.
    fn way(&self, one: &Use<'_>) -> Vec<Place> {
        let path = trimmed(one.path);
        let ends = paths::ends(path);
        let start = if path.first() == Some(&b'/') {
            Some(self.kernel.fs().root())
        } else {
            self.kernel.start_place(self.tid, one.dirfd)
        };
        let mut way: Vec<Place> = start.into_iter().collect();
        for &(_, end) in ends.iter().take(ends.len().saturating_sub(1)) {
            let prefix = path.get(..end).unwrap_or_default();
            match self.kernel.resolve(self.tid, one.dirfd, prefix, true) {
                Ok(Some(place)) if self.kernel.fs().is_directory(place) => way.push(place),
                Ok(_) | Err(_) => break,
            }
        }
        way
    }

    fn allow_way(&mut self, one: &Use<'_>) {
        // One after the other: who may not search one does not find the next.
        let mut done = 0;
        while let Some(place) = self.way(one).get(done).copied() {
            self.loosen(place, SEARCH);
            done += 1;
        }
    }

    fn allow(&mut self, one: &Use<'_>, needs: Needs) {
        if !one.path.is_empty() {
            self.allow_way(one);
            if let (true, Some(parent)) = (needs.parent, self.way(one).last().copied()) {
                self.loosen(parent, SEARCH | WRITE);
            }
        }
        if let Some(place) = self.place_of(one) {
            if needs.owner {
                self.own(place);
            }
            self.loosen(place, needs.mask);
        }
    }

    /// EACCES: on the way, in the directory of a name that is made, or of what is there.
    fn deny(&mut self, call: &Call<'_>, one: &Use<'_>, needs: Needs) {
        if self.kernel.resolve(self.tid, one.dirfd, one.path, one.follow) == Err(Errno::EACCES) {
            return;
        }
        let parent = self.way(one).last().copied();
        let lacks = |facts: &Self, place: Option<Place>, mask: u32| {
            place.is_some_and(|place| !facts.kernel.may(facts.tid, place, mask))
        };
        let place = self.place_of(one);
        if lacks(self, place, needs.mask) || needs.parent && lacks(self, parent, WRITE | SEARCH) {
            return;
        }
        if place.is_some_and(|place| self.is_no_program(call, place)) {
            return;
        }
        let own = place.filter(|_| needs.mask != 0 && !needs.parent);
        let makes = parent.filter(|_| needs.parent);
        let denied = own.is_some_and(|place| self.tighten(place, needs.mask))
            || makes.is_some_and(|parent| self.tighten(parent, WRITE));
        if !denied {
            // The nearest that he was not seen to search.
            let mut way = self.way(one).into_iter().rev();
            let shut = way.any(|place| self.tighten(place, SEARCH));
            // He may make names there: it is what has the name.
            if !shut && one.may_exist && place.is_none() {
                self.is_shut(one);
            }
        }
    }

    /// What is no regular file is never executed.
    fn is_no_program(&self, call: &Call<'_>, place: Place) -> bool {
        matches!(call, Call::Execve { .. }) && self.kernel.fs().pages(place).is_none()
    }

    /// EPERM: what is there is another's; of a name that is taken away, in a directory like /tmp.
    fn deny_owner(&mut self, one: &Use<'_>, needs: Needs) {
        if needs.parent && one.removes {
            let parent = self.way(one).last().copied();
            if let Some(parent) = parent.filter(|parent| self.kernel.may(self.tid, *parent, WRITE))
            {
                self.describe(parent, |meta| meta.mode = STICKY);
            } else if let Some(parent) = parent {
                self.describe(parent, |meta| meta.mode |= STICKY);
            }
        }
        // A device needs more than room for its name.
        if needs.parent && !one.removes {
            self.allow(one, needs);
        } else if let Some(place) = self.place_of(one) {
            self.describe(place, |meta| (meta.uid, meta.gid) = (0, 0));
        }
    }

    /// The weakest change after which the caller may: the file is his, unless another's name is
    /// shown; else all may.
    fn loosen(&mut self, place: Place, mask: u32) {
        self.initial.note_given(self.kernel.fs(), place, mask);
        if mask == 0 || self.kernel.may(self.tid, place, mask) {
            return;
        }
        let knows_owner = self.initial.knows(self.kernel.fs(), place, stat_bits::UID);
        if !knows_owner && mask & WRITE != 0 {
            self.own(place);
        }
        if !self.kernel.may(self.tid, place, mask) {
            let own = self.is_own(place);
            let bits = if own { mask << 6 } else { mask | mask << 3 };
            self.describe(place, |meta| meta.mode |= bits);
        }
    }

    fn is_own(&self, place: Place) -> bool {
        let inode = self.kernel.fs().inode(place);
        let who = self.kernel.credentials_of(self.tid);
        inode.zip(who).is_some_and(|(inode, who)| inode.uid == who.fsuid)
    }

    /// The file is the caller's.
    fn own(&mut self, place: Place) {
        let Some(who) = self.kernel.credentials_of(self.tid) else { return };
        let (uid, gid) = (who.fsuid, who.fsgid);
        self.describe(place, |meta| (meta.uid, meta.gid) = (uid, gid));
    }

    /// The weakest change after which the caller may not; false if there is none, or he did it
    /// before.
    fn tighten(&mut self, place: Place, mask: u32) -> bool {
        if self.initial.note_given(self.kernel.fs(), place, 0) & mask == mask {
            return false;
        }
        if !self.initial.knows(self.kernel.fs(), place, stat_bits::UID) {
            self.describe(place, |meta| (meta.uid, meta.gid) = (0, 0));
        }
        if self.kernel.may(self.tid, place, mask) {
            let bits = if self.is_own(place) { mask << 6 } else { mask | mask << 3 };
            self.describe(place, |meta| meta.mode &= !bits);
        }
        !self.kernel.may(self.tid, place, mask)
    }

    /// Changes what is not known of a file that was there.
    fn describe(&mut self, place: Place, change: impl Fn(&mut Meta)) {
        self.initial.suppose(self.kernel.describe_tree(), place, change);
    }
}

/// `protected_hardlinks` of proc_sys_fs(5) is what forbids it.
fn makes_link(call: &Call<'_>) -> bool {
    matches!(call, Call::Link { .. } | Call::Linkat { .. })
}

/// What a call needs at one of its paths.
fn needs(call: &Call<'_>, one: &Use<'_>, is_there: bool) -> Needs {
    let asked = |mode: u32| Needs { mask: mode & 7, ..Needs::default() };
    let own = Needs { owner: true, ..Needs::default() };
    match call {
        Call::Open { flags, .. } | Call::Openat { flags, .. } | Call::Openat2 { flags, .. } => {
            opened(*flags, is_there)
        }
        Call::Creat { .. } => opened(O_CREAT | O_WRONLY | O_TRUNC, is_there),
        Call::Execve { .. } | Call::Chdir { .. } | Call::Chroot { .. } => asked(SEARCH),
        Call::Access { mode, .. }
        | Call::Faccessat { mode, .. }
        | Call::Faccessat2 { mode, .. } => asked(*mode),
        Call::Truncate { .. } | Call::Connect { .. } => asked(WRITE),
        Call::Chmod { .. } | Call::Fchmodat { .. } | Call::Fchmodat2 { .. } => own,
        Call::Chown { .. } | Call::Lchown { .. } | Call::Fchownat { .. } => own,
        Call::Utimensat { atime: None, mtime: None, .. } => asked(WRITE),
        Call::Utimensat { .. } => own,
        _ if one.creates || one.removes => Needs { parent: true, ..Needs::default() },
        _ => Needs::default(),
    }
}

fn opened(flags: u32, is_there: bool) -> Needs {
    let access = match flags & O_ACCMODE {
        O_RDONLY => READ,
        O_WRONLY => WRITE,
        _ => READ | WRITE,
    };
    let cut = if flags & O_TRUNC != 0 { WRITE } else { 0 };
    let mask = if flags & O_PATH != 0 { 0 } else { access | cut };
    let makes = flags & O_CREAT != 0 && !is_there;
    // Of what is made the mode does not matter.
    let mask = if makes { 0 } else { mask };
    Needs { mask, parent: makes, owner: flags & O_NOATIME != 0 }
}
