//! What the face's policy is asked, about which path, and the read-only guard
//! (`shared/contract/SEMANTICS.md`, sections 9 and 15). Calls come here before the tree changes.

use super::face_files::operation::READ;
use super::face_files::{
    GUARDED, MAX_LINKS, MAX_PATH_BYTES, Subject, device_at, is_at_or_below, is_device_directory,
    normalize, split, subject_of,
};
use super::face_proc::is_proc;
use crate::abi::flags::{S_IFDIR, S_IFMT};
use crate::abi::{Errno, Stat};
use crate::event::{Answer, Call, HostAnswer, Payload, Question};
use crate::face::Policy;
use crate::fs::Plain;
use crate::kernel::{Kernel, Stop};
use crate::rules::{About, decide};
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Kernel {
    /// [`Kernel::permit`] where a refusal is no error.
    pub(crate) fn permit_quietly(&mut self, operation: u32, path: &[u8]) -> Result<bool, Stop> {
        match self.permit(operation, path) {
            Ok(()) => Ok(true),
            Err(Stop::Fail(_)) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    /// Asks the policy about an operation on a normalised path.
    pub(crate) fn permit(&mut self, operation: u32, path: &[u8]) -> Result<(), Stop> {
        self.permit_as(operation, path, subject_of(operation))
    }

    pub(super) fn permit_as(
        &mut self,
        operation: u32,
        path: &[u8],
        subject: Subject,
    ) -> Result<(), Stop> {
        if self.allows_all_files() || device_at(path).is_some() {
            return Ok(());
        }
        // The errors of the resolution come back as they are, before any answer.
        let path = self.subject_path(path, subject)?;
        self.permit_as_given(operation, &path, &path)
    }

    /// Asks the policy about a path as it was given; rules, which are no part of the contract and
    /// never led around, decide by the path that it stands for.
    pub(super) fn permit_as_given(
        &mut self,
        operation: u32,
        given: &[u8],
        path: &[u8],
    ) -> Result<(), Stop> {
        if self.allows_all_files() {
            return Ok(());
        }
        match self.by_rules(About::File(operation), path) {
            Some(true) => return Ok(()),
            Some(false) => return Err(Errno::EACCES.into()),
            None => {}
        }
        match self.config.face.file_policy {
            Policy::Allow => return Ok(()),
            Policy::Deny => return Err(Errno::EACCES.into()),
            Policy::Ask => {}
        }
        let (path, words) = (Bytes(given.to_vec()), Vec::new());
        match self.ask(Question::Permission { subject: 0, operation, path, words })? {
            HostAnswer::Result(1) => Ok(()),
            HostAnswer::Error(errno) => Err(errno.into()),
            HostAnswer::Bytes(_)
            | HostAnswer::Result(_)
            | HostAnswer::Answer(_)
            | HostAnswer::Absent => Err(Errno::EACCES.into()),
        }
    }

    /// Whether nothing that is done with files can be refused.
    #[inline]
    pub(super) fn allows_all_files(&self) -> bool {
        self.config.face.file_policy == Policy::Allow && self.face.rules.is_empty()
    }

    /// What the rules say, if any does.
    pub(super) fn by_rules(&mut self, about: About, subject: &[u8]) -> Option<bool> {
        let rule = decide(&self.face.rules, about, subject)?;
        let allows = rule.allows;
        if !allows {
            self.refusal = Some((self.tick, rule.refusal(about, subject)));
        }
        Some(allows)
    }

    pub(super) fn real_path(&mut self, path: &[u8]) -> Result<Vec<u8>, Stop> {
        if device_at(path).is_some() || is_device_directory(path) {
            return Ok(path.to_vec());
        }
        match self.raw(&Call::FsRealpath { raw: 1, path })?.payload {
            Payload::Data(Bytes(path)) => Ok(path),
            _ => Err(Errno::EIO.into()),
        }
    }

    pub(super) fn subject_path(&mut self, path: &[u8], subject: Subject) -> Result<Vec<u8>, Stop> {
        if path == b"/" {
            return Ok(path.to_vec());
        }
        match subject {
            Subject::Target => self.real_path(path),
            Subject::Name => self.place_path(path),
            Subject::TargetOrPlace => match self.real_path(path) {
                Err(Stop::Fail(Errno::ENOENT | Errno::ENOTDIR)) => self.path_to_make(path),
                other => other,
            },
            Subject::Existence => match self.real_path(path) {
                Err(Stop::Fail(_)) => self.place_path(path),
                other => other,
            },
        }
    }

    /// Under which name the policy is asked about what is not there yet. A link to nothing leads to
    /// where the file will be: rules, which are no part of the contract, are never led around.
    fn path_to_make(&mut self, path: &[u8]) -> Result<Vec<u8>, Stop> {
        if self.bends.empty_links_are_asked_about && self.face.rules.is_empty() {
            return self.place_path(path);
        }
        let made = self.made_path(path)?;
        self.place_path(&made)
    }

    /// The real path of the deepest directory that is there, and what is missing below it.
    pub(super) fn place_path(&mut self, path: &[u8]) -> Result<Vec<u8>, Stop> {
        let mut top = split(path).0;
        loop {
            match self.real_path(top) {
                Ok(real) => {
                    let rest = if top == b"/" { path } else { &path[top.len()..] };
                    let real = if real == b"/" { &[][..] } else { &real };
                    return Ok([real, rest].concat());
                }
                Err(Stop::Fail(Errno::ENOENT | Errno::ENOTDIR)) if top != b"/" => {
                    top = split(top).0;
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    /// ENOTDIR for a directory of a path that is none.
    pub(super) fn is_listable(&mut self, path: &[u8]) -> Result<(), Stop> {
        if is_device_directory(path) {
            return Ok(());
        }
        match self.raw(&Call::FsStat { raw: 1, path, follow: 1 })?.payload {
            Payload::Stat(stat) if stat.mode & S_IFMT != S_IFDIR => Err(Errno::ENOTDIR.into()),
            _ => Ok(()),
        }
    }

    /// The guard resolves a path by the policy's leave: READ is asked about what is there, or about
    /// each directory that leads to it (section 9, "Usage accounting and guards").
    pub(crate) fn ask_guard(&mut self, path: &[u8], follow: bool) -> Result<(), Stop> {
        if self.allows_all_files() {
            return Ok(());
        }
        let mut whole = Ok(());
        if follow && path != b"/" {
            match self.permit_as(READ, path, Subject::Target) {
                Err(Stop::Fail(Errno::ENOENT | Errno::ENOTDIR)) => {}
                Err(stop @ Stop::Fail(_)) => whole = Err(stop),
                other => return other,
            }
        }
        // Then the way to it, from the top; the whole once more if it was refused.
        let last = (follow && path != b"/").then_some(path.len());
        let ends = (1..path.len()).filter(|at| path[*at] == b'/').chain(last);
        for end in ends {
            match self.permit_as(READ, &path[..end], Subject::Target) {
                Ok(()) => {}
                Err(Stop::Fail(Errno::ENOENT | Errno::ENOTDIR)) => return whole,
                Err(stop) => return Err(stop),
            }
        }
        whole
    }

    /// EROFS for what lies at or below the guarded directory, as given or resolved, and for another
    /// name of a file there (section 15); the same for /proc.
    pub(crate) fn guard(&mut self, path: &[u8], follow: bool) -> Result<(), Stop> {
        if is_proc(path) {
            return Err(self.refuse_proc(path, path));
        }
        if is_at_or_below(path, GUARDED) {
            return Err(Errno::EROFS.into());
        }
        self.ask_guard(path, follow)?;
        if let Some(plain) = self.tree_plain(path, follow) {
            return Ok(self.guard_plain(path, plain)?);
        }
        if self.is_guarded_file(path, follow) || self.is_guarded_abroad(path, follow)? {
            return Err(Errno::EROFS.into());
        }
        // It looks at the inode too: a path below a file ends here.
        if device_at(path).is_some() {
            return Ok(());
        }
        match self.raw(&Call::FsStat { raw: 1, path, follow: u32::from(follow) }) {
            Err(stop @ (Stop::Ask(_) | Stop::Fail(Errno::ENOTDIR | Errno::ELOOP))) => Err(stop),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// [`Kernel::guard`] of a path without links, where nobody is asked.
    pub(super) fn guard_plain(&mut self, path: &[u8], plain: Plain) -> Result<(), Errno> {
        let guarded = is_guarded_by_name(path) || self.is_guarded_plain(plain);
        if guarded { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// Whether what a path leads to, or what would be made there, is guarded.
    pub(crate) fn is_guarded_file(&mut self, path: &[u8], follow: bool) -> bool {
        if is_at_or_below(path, GUARDED) {
            return true;
        }
        if self.config.face.foreign_root {
            return false;
        }
        if let Some(plain) = self.tree_plain(path, follow) {
            return self.is_guarded_plain(plain);
        }
        self.tree_is_guarded(path, follow, GUARDED)
            || self.leads_nowhere(path, follow) && self.would_be_guarded(path, follow)
    }

    /// The same of a path without links, which is not itself below the guarded directory: that is
    /// where it leads, so only another name of its file can be guarded.
    fn is_guarded_plain(&mut self, plain: Plain) -> bool {
        match plain {
            Plain::Place(place) => self.tree_has_name_in(place, GUARDED),
            Plain::Missing(_) => false,
        }
    }

    /// The same of a foreign file system, which is asked where the path leads. Nothing more is
    /// asked of one that has no guarded directory.
    pub(super) fn is_guarded_abroad(&mut self, path: &[u8], follow: bool) -> Result<bool, Stop> {
        if !self.config.face.foreign_root || device_at(path).is_some() {
            return Ok(false);
        }
        if self.foreign_stat(GUARDED, false)?.is_none() {
            return Ok(false);
        }
        let (above, name) = split(path);
        let made = match follow {
            true => self.made_path(path)?,
            false if path == b"/" => path.to_vec(),
            false => [&self.made_path(above)?, &b"/"[..], name].concat(),
        };
        if is_at_or_below(&normalize(&made, &made), GUARDED) {
            return Ok(true);
        }
        match self.foreign_stat(path, follow)? {
            Some(stat) if stat.nlink > 1 && stat.mode & S_IFMT != S_IFDIR => {
                self.has_name_in_guarded(&stat)
            }
            Some(_) | None => Ok(false),
        }
    }

    /// Whether a file of a foreign file system has another name in the guarded directory.
    fn has_name_in_guarded(&mut self, wanted: &Stat) -> Result<bool, Stop> {
        let mut rest = Vec::from([GUARDED.to_vec()]);
        while let Some(directory) = rest.pop() {
            let listed = self.raw(&Call::FsReaddir { raw: 1, path: &directory, max: u64::MAX })?;
            let Payload::Dirents(entries) = listed.payload else { continue };
            for entry in entries {
                let path = [&directory, &b"/"[..], &entry.name.0].concat();
                let Some(stat) = self.foreign_stat(&path, false)? else { continue };
                if (stat.dev, stat.ino) == (wanted.dev, wanted.ino) {
                    return Ok(true);
                }
                // A foreign file system may list itself: a path has an end.
                if stat.mode & S_IFMT == S_IFDIR && path.len() < MAX_PATH_BYTES {
                    rest.push(path);
                }
            }
        }
        Ok(false)
    }

    /// What a foreign file system has at a path; what it cannot tell is not there.
    fn foreign_stat(&mut self, path: &[u8], follow: bool) -> Result<Option<Box<Stat>>, Stop> {
        match self.raw(&Call::FsStat { raw: 1, path, follow: u32::from(follow) }) {
            Ok(Answer { payload: Payload::Stat(stat), .. }) => Ok(Some(stat)),
            Ok(_) | Err(Stop::Fail(_)) => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    /// Whether a path ends in a link to nothing, or in a directory that is not there: both may be
    /// made.
    fn leads_nowhere(&mut self, path: &[u8], follow: bool) -> bool {
        if self.tree_open(path).is_ok() {
            return false;
        }
        let link = follow && self.raw(&Call::FsReadlink { raw: 1, path }).is_ok();
        link || self.tree_open(split(path).0).is_err()
    }

    fn would_be_guarded(&mut self, path: &[u8], follow: bool) -> bool {
        let (above, name) = split(path);
        let made = match follow {
            true => self.made_path(path),
            false => self.made_path(above).map(|above| [&above, &b"/"[..], name].concat()),
        };
        made.is_ok_and(|made| is_at_or_below(&made, GUARDED))
    }

    /// Asks about a file that is about to be made: nothing is there to resolve.
    pub(crate) fn permit_as_new(&mut self, operation: u32, path: &[u8]) -> Result<(), Stop> {
        if self.allows_all_files() {
            return Ok(());
        }
        let made = self.made_path(path)?;
        self.permit_as(operation, &made, Subject::TargetOrPlace)
    }

    /// The path of what will be made: what links to nothing lead to is made.
    pub(super) fn made_path(&mut self, path: &[u8]) -> Result<Vec<u8>, Stop> {
        let (mut path, mut links, mut from) = (path.to_vec(), 0, 1);
        while from < path.len() && links < MAX_LINKS {
            let end = path[from..].iter().position(|byte| *byte == b'/').map(|at| from + at);
            let end = end.unwrap_or(path.len());
            let top = &path[..end];
            match self.raw(&Call::FsReadlink { raw: 1, path: top }) {
                Ok(Answer { payload: Payload::Data(Bytes(text)), .. }) => {
                    let target = normalize(&[split(top).0, b"/", &text].concat(), &text);
                    let whole = [&target, &path[end..]].concat();
                    path = normalize(&whole, &whole);
                    (links, from) = (links + 1, 1);
                }
                Err(stop @ Stop::Ask(_)) => return Err(stop),
                Ok(_) | Err(_) => from = end + 1,
            }
        }
        Ok(path)
    }
}

fn is_guarded_by_name(path: &[u8]) -> bool {
    is_at_or_below(path, GUARDED) || is_at_or_below(path, b"/proc")
}
