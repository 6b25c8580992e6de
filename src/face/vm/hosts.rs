//! The host of a virtual machine: what its permission callbacks and its own file system answer to
//! the kernel's questions. The lock is not held here; a panic of the user's code is kept until the
//! kernel has its answer (DESIGN section 5).

use super::convert::{errno_of, from_timespec, from_virtual_stat};
use super::{KernelVmConfig, mounts};
use crate::face::device_layer::DeviceLayer;
use crate::face::error::KernelError;
use crate::face::machine::{Host, Machine};
use crate::face::permissions::{
    CommandAccessRequest, FsAccessRequest, FsOperation, PermissionDecision, PermissionedFileSystem,
};
use crate::face::resource_accounting::ResourceLimits;
use crate::face::usage::measure_filesystem_usage;
use crate::face::vfs::{
    VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, check_entry_count,
};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tickernel_systems::Refusal;
use tickernel_systems::abi::flags::{O_APPEND, O_EXCL};
use tickernel_systems::abi::{Dirent, Errno};
use tickernel_systems::event::{Answer, Call, HostAnswer, Payload, Question};
use tickernel_systems::wire::{Bytes, Wire, WireReader};

/// Types of entries (readdir(3)).
const DT_DIR: u8 = 4;
const DT_REG: u8 = 8;
const DT_LNK: u8 = 10;

/// What answers for a virtual machine while a call runs.
pub(crate) struct Asked<'h, S> {
    pub(crate) config: &'h KernelVmConfig,
    /// Has the permissions.
    pub(crate) machine: &'h Machine,
    pub(crate) files: S,
    /// The error behind the last answer that was one: it says more than its errno.
    pub(crate) error: Option<KernelError>,
    /// A panic of the user's code.
    pub(crate) panic: Option<Box<dyn Any + Send>>,
    /// The path of the question before: room is asked for where it led.
    last_path: String,
}

/// A foreign file system as a call can reach it.
pub(crate) trait Files {
    /// Performs a call of the family `fs_*`, of which `limits` say what it may bring.
    fn act(&mut self, call: &Call<'_>, limits: &ResourceLimits) -> VfsResult<Answer>;
    /// What is counted when room is wanted at a path.
    fn usage_at(&mut self, path: &str) -> VfsResult<Answer>;
    /// What /proc/mounts says.
    fn mounts(&self) -> String;
}

impl<'h, S: Files> Asked<'h, S> {
    pub(crate) fn new(config: &'h KernelVmConfig, machine: &'h Machine, files: S) -> Self {
        Self { config, machine, files, error: None, panic: None, last_path: String::new() }
    }

    fn guarded(
        &mut self,
        act: impl FnOnce(&mut Self) -> HostAnswer,
        panicked: Errno,
    ) -> HostAnswer {
        match catch_unwind(AssertUnwindSafe(|| act(self))) {
            Ok(answer) => answer,
            Err(panic) => {
                self.panic = Some(panic);
                HostAnswer::Error(panicked)
            }
        }
    }

    fn decide(&mut self, decision: &PermissionDecision, subject: &str) -> HostAnswer {
        if decision.allow {
            return HostAnswer::Result(1);
        }
        let reason = decision.reason.as_ref().map(|reason| format!(": {reason}"));
        let message = format!("permission denied, {subject}{}", reason.unwrap_or_default());
        self.error = Some(KernelError::errno(Errno::EACCES, message));
        HostAnswer::Result(0)
    }

    fn permit_file(&mut self, operation: u32, path: &Bytes) -> HostAnswer {
        let Some(op) = operation_of(operation) else { return HostAnswer::Result(0) };
        let path = text(&path.0);
        let subject = format!("{op:?} '{path}'");
        let request = FsAccessRequest { vm_id: self.config.vm_id.clone(), op, path };
        let decision = self.machine.permissions().decide_fs(&request);
        self.decide(&decision, &subject)
    }

    /// The first `count` words are command and arguments, the rest is environment.
    fn permit_command(&mut self, cwd: &Bytes, words: &[Bytes], count: u32) -> HostAnswer {
        let (argv, env) = words.split_at((count as usize).min(words.len()));
        let mut words = argv.iter().map(|word| text(&word.0));
        let command = words.next().unwrap_or_default();
        let request = CommandAccessRequest {
            vm_id: self.config.vm_id.clone(),
            args: words.collect(),
            cwd: Some(text(&cwd.0)),
            env: env_of(env),
            command,
        };
        let subject = format!("spawn '{}'", request.command);
        let decision = self.machine.permissions().decide_command(&request);
        self.decide(&decision, &subject)
    }

    fn ask_files(&mut self, call: &Bytes) -> HostAnswer {
        // It was encoded by the kernel: it decodes.
        let Ok(call) = Call::get(&mut WireReader::new(&call.0)) else { return HostAnswer::Absent };
        if let Some(path) = path_asked(&call) {
            self.last_path = text(path);
        }
        let answer = match call {
            Call::FsUsage {} => self.files.usage_at(&self.last_path),
            // No other question is about a path of /proc: the kernel answers those itself.
            Call::FsRead { path: b"/proc/mounts", .. } => {
                Ok(Answer::data(self.files.mounts().into_bytes()))
            }
            ref other => self.files.act(other, &self.config.resources),
        };
        match answer {
            Ok(answer) => HostAnswer::Answer(answer),
            Err(error) => {
                let errno = errno_of(&error);
                self.error = Some(error.into());
                HostAnswer::Error(errno)
            }
        }
    }
}

impl<S: Files> Host for Asked<'_, S> {
    fn answer(&mut self, question: &Question) -> HostAnswer {
        match question {
            Question::Permission { subject: 0, operation, path, .. } => {
                self.guarded(|asked| asked.permit_file(*operation, path), Errno::EACCES)
            }
            Question::Permission { operation, path, words, .. } => {
                self.guarded(|asked| asked.permit_command(path, words, *operation), Errno::EACCES)
            }
            Question::Foreign { call } => self.guarded(|asked| asked.ask_files(call), Errno::EIO),
            Question::Entropy { .. } | Question::HostFile { .. } | Question::Unmodelled { .. } => {
                HostAnswer::Absent
            }
        }
    }

    fn refused(&mut self, refusal: &Refusal) {
        let subject = text(&refusal.subject.0);
        let subject = match refusal.operation.map(operation_of) {
            Some(op) => {
                format!("{} '{subject}'", op.map_or_else(String::new, |op| format!("{op:?}")))
            }
            None => format!("spawn '{subject}'"),
        };
        let reason = format!("rule `{}`", text(&refusal.rule.0));
        self.decide(&PermissionDecision::deny(reason), &subject);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn env_of(words: &[Bytes]) -> BTreeMap<String, String> {
    let pair = |word: &Bytes| {
        let word = text(&word.0);
        let (key, value) = word.split_once('=').unwrap_or((&word, ""));
        (key.to_owned(), value.to_owned())
    };
    words.iter().map(pair).collect()
}

/// The contract's operation of a number of the core's.
fn operation_of(number: u32) -> Option<FsOperation> {
    FsOperation::ALL.get(number as usize).copied()
}

/// Every call, on a file system that may be changed.
impl<F: VirtualFileSystem + 'static> Files for &mut PermissionedFileSystem<DeviceLayer<F>> {
    fn act(&mut self, call: &Call<'_>, limits: &ResourceLimits) -> VfsResult<Answer> {
        let files = self.inner_mut().inner_mut();
        if let Call::FsRename { oldpath, newpath, .. } = *call {
            mounts::check_rename(files, path(oldpath)?, path(newpath)?, limits)?;
        }
        match look(files, call) {
            Some(answer) => answer,
            None => change(files, call),
        }
    }

    fn usage_at(&mut self, path: &str) -> VfsResult<Answer> {
        let files = self.inner_mut().inner_mut();
        if let Some(answer) = mounts::usage_at(files, path) {
            return answer;
        }
        let usage = measure_filesystem_usage(files)?;
        let inodes = i64::try_from(usage.inode_count).unwrap_or(i64::MAX);
        let bytes = i64::try_from(usage.total_bytes).unwrap_or(i64::MAX);
        Ok(Answer { value: bytes, payload: Payload::Number(inodes) })
    }

    fn mounts(&self) -> String {
        mounts::text(self.inner().inner())
    }
}

/// The path that a question which looks is about.
fn path_asked<'a>(call: &Call<'a>) -> Option<&'a [u8]> {
    match *call {
        Call::FsStat { path, .. } | Call::FsExists { path, .. } => Some(path),
        _ => None,
    }
}

/// Calls of methods that only look: what a method of the virtual machine with `&self` can ask.
impl<F: VirtualFileSystem + 'static> Files for &PermissionedFileSystem<DeviceLayer<F>> {
    fn act(&mut self, call: &Call<'_>, _: &ResourceLimits) -> VfsResult<Answer> {
        look(self.inner().inner(), call).unwrap_or_else(|| Err(unsupported()))
    }

    fn usage_at(&mut self, _: &str) -> VfsResult<Answer> {
        Err(unsupported())
    }

    fn mounts(&self) -> String {
        mounts::text(self.inner().inner())
    }
}

fn unsupported() -> VfsError {
    VfsError::unsupported("this call changes the file system")
}

fn path(bytes: &[u8]) -> VfsResult<&str> {
    std::str::from_utf8(bytes).map_err(|_| VfsError::new("EINVAL", "a path that is not UTF-8"))
}

fn done(result: VfsResult<()>) -> VfsResult<Answer> {
    result.map(|()| Answer::default())
}

fn stat_answer(stat: &VirtualStat) -> Answer {
    Answer::with(Payload::Stat(Box::new(from_virtual_stat(stat))))
}

/// The calls that `&self` methods of the trait answer.
fn look(files: &impl VirtualFileSystem, call: &Call<'_>) -> Option<VfsResult<Answer>> {
    let answer = match *call {
        Call::FsExists { path: at, .. } => {
            path(at).map(|at| Answer::value(i64::from(files.exists(at))))
        }
        Call::FsStat { path: at, follow: 0, .. } => {
            path(at).and_then(|at| files.lstat(at)).map(|stat| stat_answer(&stat))
        }
        Call::FsRealpath { path: at, .. } => {
            path(at).and_then(|at| files.realpath(at)).map(|text| Answer::data(text.into_bytes()))
        }
        Call::FsReadlink { path: at, .. } => {
            path(at).and_then(|at| files.read_link(at)).map(|text| Answer::data(text.into_bytes()))
        }
        _ => return None,
    };
    Some(answer)
}

/// All others.
fn change<F: VirtualFileSystem + 'static>(files: &mut F, call: &Call<'_>) -> VfsResult<Answer> {
    match *call {
        Call::FsRead { path: at, .. } => files.read_file(path(at)?).map(Answer::data),
        Call::FsPread { path: at, count, offset, .. } => {
            let length = usize::try_from(count).unwrap_or(usize::MAX);
            files.pread(path(at)?, offset, length).map(Answer::data)
        }
        Call::FsReaddir { path: at, max, .. } => list(files, path(at)?, max),
        Call::FsStat { path: at, .. } => files.stat(path(at)?).map(|stat| stat_answer(&stat)),
        Call::FsWrite { path: at, data, mode, how, .. } => write(files, path(at)?, data, mode, how),
        Call::FsPwrite { path: at, data, offset, .. } => {
            done(files.pwrite(path(at)?, data.to_vec(), offset))
        }
        Call::FsTruncate { path: at, length, .. } => done(files.truncate(path(at)?, length)),
        Call::FsChmod { path: at, mode, .. } => done(files.chmod(path(at)?, mode)),
        Call::FsChown { path: at, uid, gid, .. } => done(files.chown(path(at)?, uid, gid)),
        Call::FsUtimes { path: at, atime, mtime, follow, .. } => {
            let (atime, mtime) = (from_timespec(atime), from_timespec(mtime));
            done(files.utimes_spec(path(at)?, atime, mtime, follow != 0))
        }
        ref other => change_names(files, other),
    }
}

fn change_names(files: &mut impl VirtualFileSystem, call: &Call<'_>) -> VfsResult<Answer> {
    match *call {
        Call::FsMkdir { path: at, mode, how, .. } => {
            let at = path(at)?;
            done(match (how, mode) {
                (0, None) => files.create_dir(at),
                (0, mode) => files.create_dir_with_mode(at, mode),
                (how, None) => files.mkdir(at, how == 2),
                (how, mode) => files.mkdir_with_mode(at, how == 2, mode),
            })
        }
        Call::FsUnlink { path: at, .. } => done(files.remove_file(path(at)?)),
        Call::FsRmdir { path: at, .. } => done(files.remove_dir(path(at)?)),
        Call::FsRename { oldpath, newpath, .. } => {
            done(files.rename(path(oldpath)?, path(newpath)?))
        }
        Call::FsSymlink { content, linkpath, .. } => {
            done(files.symlink(path(content)?, path(linkpath)?))
        }
        Call::FsLink { oldpath, newpath, .. } => done(files.link(path(oldpath)?, path(newpath)?)),
        ref other => {
            Err(VfsError::unsupported(format!("a file system cannot do {}", other.name())))
        }
    }
}

fn write(
    files: &mut impl VirtualFileSystem,
    at: &str,
    data: &[u8],
    mode: Option<u32>,
    how: u32,
) -> VfsResult<Answer> {
    let data = data.to_vec();
    if how & O_APPEND != 0 {
        let end = files.append_file(at, data)?;
        return Ok(Answer::value(i64::try_from(end).unwrap_or(i64::MAX)));
    }
    done(match (how & O_EXCL != 0, mode) {
        (true, None) => files.create_file_exclusive(at, data),
        (true, mode) => files.create_file_exclusive_with_mode(at, data, mode),
        (false, None) => files.write_file(at, data),
        (false, mode) => files.write_file_with_mode(at, data, mode),
    })
}

/// Names, with types (`DT_DIR`, `DT_LNK`, `DT_REG`) where one question gives both.
fn list<F: VirtualFileSystem + 'static>(files: &mut F, at: &str, max: u64) -> VfsResult<Answer> {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    if let Some(entries) = mounts::typed(files, at) {
        let entries = entries?;
        check_entry_count(at, entries.len(), max)?;
        let entry = |entry: VirtualDirEntry| {
            let kind = match (entry.is_directory, entry.is_symbolic_link) {
                (true, _) => DT_DIR,
                (false, true) => DT_LNK,
                (false, false) => DT_REG,
            };
            Dirent { ino: 0, off: 0, kind, name: Bytes(entry.name.into_bytes()) }
        };
        let entries: Vec<Dirent> = entries.into_iter().map(entry).collect();
        return Ok(Answer { value: entries.len() as i64, payload: Payload::Dirents(entries) });
    }
    let names = files.read_dir_limited(at, max)?;
    let entry = |name: String| Dirent { ino: 0, off: 0, kind: 0, name: Bytes(name.into_bytes()) };
    let entries: Vec<Dirent> = names.into_iter().map(entry).collect();
    Ok(Answer { value: entries.len() as i64, payload: Payload::Dirents(entries) })
}
