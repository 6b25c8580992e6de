//! execve(2): which file, may it run, script or ELF, and what the new program keeps.
//!
//! The program itself is the guest's: a file that starts with `\x7fELF` runs. Not here:
//! binfmt_misc, no_new_privs, file capabilities.

use crate::abi::Errno;
use crate::abi::credentials::Credentials;
use crate::abi::flags::*;
use crate::calls::path::{Spot, path_bytes};
use crate::components::ProcessText;
use crate::event::{Answer, Path};
use crate::fs::{Kind, MAY_EXEC, MAY_READ, Place};
use crate::kernel::{CallResult, Kernel};
use crate::procview::caller;
use crate::rows::{ProcessRow, TaskRow};
use crate::wire::Bytes;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Longest single argument (`MAX_ARG_STRLEN`).
const MAX_ARG_BYTES: usize = 131_072;
/// Arguments and environment together, below a quarter of the stack limit, at most 6 MiB.
const MAX_ARGS_BYTES: u64 = 6 << 20;
/// What of a file is looked at (`BINPRM_BUF_SIZE`).
const HEAD_BYTES: u64 = 256;
/// Scripts that interpret scripts, at most.
const MAX_INTERPRETERS: u32 = 5;

impl Kernel {
    /// execve(2).
    pub(crate) fn execve(
        &mut self,
        task: TaskRow,
        path: Path<'_>,
        argv: &[&[u8]],
        envp: &[&[u8]],
    ) -> CallResult {
        let path = path_bytes(path)?;
        if path.is_empty() {
            return Err(Errno::ENOENT.into());
        }
        if self.rows[task].over_nproc {
            if self.has_too_many_tasks(task, 0) {
                return Err(Errno::EAGAIN.into());
            }
            self.rows[task].over_nproc = false;
        }
        let mut place = self.executable(task, path)?;
        self.check_args(task, path, argv, envp)?;
        let first = place;
        let mut words: Vec<Bytes> = argv.iter().map(|word| cut(word)).collect();
        if words.is_empty() {
            // Linux gives an empty argv[0] since 5.18.
            words.push(Bytes::default());
        }
        let mut script = path.to_vec();
        for depth in 0.. {
            let head = self.first_bytes(place);
            if head.starts_with(b"\x7fELF") {
                break;
            }
            if depth >= MAX_INTERPRETERS {
                return Err(Errno::ELOOP.into());
            }
            let (interpreter, argument) = shebang(&head).ok_or(Errno::ENOEXEC)?;
            if !words.is_empty() {
                words.remove(0);
            }
            words.insert(0, Bytes(core::mem::take(&mut script)));
            if let Some(argument) = argument {
                words.insert(0, Bytes(argument.to_vec()));
            }
            words.insert(0, Bytes(interpreter.to_vec()));
            script = interpreter.to_vec();
            place = self.executable(task, interpreter)?;
        }
        let text = words.iter().map(|word| word.0.as_slice()).chain(envp.iter().copied());
        if !self.has_memory(crate::memory::text_bytes(text)) {
            return Err(Errno::ENOMEM.into());
        }
        self.commit_exec(task, path, (first, place), words, envp);
        Ok(Answer::default())
    }

    /// A regular file that may be executed.
    fn executable(&mut self, task: TaskRow, path: &[u8]) -> Result<Place, Errno> {
        let Spot::Place(place) = self.spot(task, AT_FDCWD, Some(path), 0)? else {
            return Err(Errno::EACCES);
        };
        match self.fs.inode(place).map(|inode| &inode.kind) {
            Some(Kind::Regular(_)) => {}
            // Only a link of /proc leads to one that was opened with O_PATH.
            Some(Kind::Symlink(_)) => return Err(Errno::ELOOP),
            Some(_) | None => return Err(Errno::EACCES),
        }
        self.fs.may_execute(place)?;
        caller!(self, task => caller);
        self.fs.permission(&caller, place, MAY_EXEC)?;
        self.fs.may_run(place)?;
        Ok(place)
    }

    fn first_bytes(&self, place: Place) -> Vec<u8> {
        self.fs.pages(place).map_or_else(Vec::new, |pages| pages.read(0, HEAD_BYTES))
    }

    /// E2BIG of execve(2): each word, and all together with their pointers.
    fn check_args(
        &self,
        task: TaskRow,
        path: &[u8],
        argv: &[&[u8]],
        envp: &[&[u8]],
    ) -> Result<(), Errno> {
        let stack = self.limit(self.rows[task].process, RLIMIT_STACK).cur;
        let room = (stack / 4).clamp(131_072, MAX_ARGS_BYTES);
        let mut total = path.len() as u64 + 1;
        for word in argv.iter().chain(envp) {
            if word.len() + 1 > MAX_ARG_BYTES {
                return Err(Errno::E2BIG);
            }
            total += word.len() as u64 + 1 + 8;
        }
        if total > room { Err(Errno::E2BIG) } else { Ok(()) }
    }

    fn commit_exec(
        &mut self,
        task: TaskRow,
        path: &[u8],
        (first, last): (Place, Place),
        argv: Vec<Bytes>,
        envp: &[&[u8]],
    ) {
        let now = self.stamp();
        self.fs.accessed(first, now);
        self.become_program(task);
        self.gain_ids(task, last);
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let text = ProcessText {
            comm: Bytes(name[..name.len().min(15)].to_vec()),
            argv,
            envp: envp.iter().map(|word| cut(word)).collect(),
        };
        let process = self.rows[task].process;
        self.run_file(process, Some(last));
        self.set_text(process, Arc::new(text));
    }

    /// A process gets other texts; they are counted.
    pub(crate) fn set_text(&mut self, process: ProcessRow, text: Arc<ProcessText>) {
        let bytes = crate::memory::text_bytes(text.words());
        self.hold_bytes(bytes);
        let old = core::mem::replace(&mut self.rows[process].text_bytes, bytes);
        self.unhold_bytes(old);
        self.rows.set_text(process, text);
    }

    /// Set-id bits and capabilities of the new program (execve(2), capabilities(7)).
    fn gain_ids(&mut self, task: TaskRow, place: Place) {
        let (mode, uid, gid) =
            self.fs.inode(place).map_or((0, 0, 0), |inode| (inode.mode, inode.uid, inode.gid));
        let mode = if self.fs.sets_ids(place) { mode } else { 0 };
        let is_readable = {
            caller!(self, task => caller);
            self.fs.permission(&caller, place, MAY_READ).is_ok()
        };
        let who: &mut Credentials = &mut self.rows[task].credentials;
        who.serial = 0;
        let (old_euid, old_egid) = (who.euid, who.egid);
        let old = (who.fsuid, who.fsgid, who.permitted);
        let is_plain = is_readable && who.euid == who.uid && who.egid == who.gid;
        if mode & S_ISUID != 0 && !who.no_new_privs {
            who.euid = uid;
        }
        if mode & S_ISGID != 0 && mode & S_IXGRP != 0 && !who.no_new_privs {
            who.egid = gid;
        }
        (who.suid, who.fsuid, who.sgid, who.fsgid) = (who.euid, who.euid, who.egid, who.egid);
        let gained = who.euid != old_euid || who.egid != old_egid;
        super::capability::exec(who, gained);
        let more =
            gained || (who.fsuid, who.fsgid) != (old.0, old.1) || who.permitted & !old.2 != 0;
        let process = self.rows[task].process;
        self.rows[process].undumpable = more || !is_plain;
        if more {
            self.rows[process].death_signal = 0;
        }
    }
}

/// A word of argv ends at a NUL.
fn cut(word: &[u8]) -> Bytes {
    let end = word.iter().position(|byte| *byte == 0).unwrap_or(word.len());
    Bytes(word[..end].to_vec())
}

/// Interpreter and its one argument of a `#!` line (execve(2), "Interpreter scripts").
fn shebang(head: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let line = head.strip_prefix(b"#!")?;
    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
    let line = line[..end].trim_ascii();
    let blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    let split = line.iter().position(blank).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at(split);
    let rest = rest.trim_ascii();
    (!interpreter.is_empty()).then_some((interpreter, (!rest.is_empty()).then_some(rest)))
}
