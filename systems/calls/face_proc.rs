//! The face's /proc: paths of it, the calls that look there, its open files
//! (`shared/contract/SEMANTICS.md`, section 16). What there is and what it holds is said by the
//! table of `face_proc_text.rs`. All changes are refused by the guard (`face_policy.rs`).
//!
//! A policy is asked for READ of a path as it was given, once it is known to be there. Links lead
//! on to where they say; what is there is asked about as ever.

use super::face_files::{MAX_LINKS, is_at_or_below, normalize, operation};
use super::face_tree::path_of_call;
use crate::abi::flags::{O_ACCMODE, O_CREAT, O_EXCL, O_RDONLY, O_TRUNC, S_IFDIR, S_IFLNK, S_IFREG};
use crate::abi::{Dirent, Errno, Stat, Timespec};
use crate::components::{Object, Target};
use crate::event::{Answer, Call, Payload};
use crate::face_proc_text::{
    DESCRIPTOR, Entry, Node, OF_PROCESS, PROC_DEVICE, PROCESS, ROOT, TOP, What,
};
use crate::kernel::{CallResult, Kernel, Stop};
use crate::rows::TaskRow;
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Whether a normalised path is /proc or below it.
pub(super) fn is_proc(path: &[u8]) -> bool {
    is_at_or_below(path, b"/proc")
}

/// The path of a checked call that looks.
pub(super) fn path_looked_at<'a>(call: &Call<'a>) -> Option<&'a [u8]> {
    match *call {
        Call::FsRead { raw: 0, path }
        | Call::FsPread { raw: 0, path, .. }
        | Call::FsReaddir { raw: 0, path, .. }
        | Call::FsExists { raw: 0, path }
        | Call::FsStat { raw: 0, path, .. }
        | Call::FsRealpath { raw: 0, path }
        | Call::FsReadlink { raw: 0, path } => Some(path),
        _ => None,
    }
}

/// Where a path of /proc leads.
enum Way {
    /// To an entry; one of a descriptor for what has no path, or where links are not followed.
    Here(Node),
    /// To another path.
    Away(Vec<u8>),
}

/// A number as /proc names things: decimal, without zeros in front.
fn number(name: &[u8]) -> Option<u32> {
    let plain = name.iter().all(u8::is_ascii_digit) && (name.len() == 1 || name[0] != b'0');
    core::str::from_utf8(name).ok().filter(|_| plain)?.parse().ok()
}

fn named(entries: &'static [Entry], name: &[u8]) -> Result<&'static Entry, Errno> {
    entries.iter().find(|entry| entry.name == name).ok_or(Errno::ENOENT)
}

impl Kernel {
    /// What is at a normalised path of /proc for a process (0 = nobody), a link followed no further
    /// than its own name, and what of the path is left behind it.
    fn proc_node<'p>(&self, who: u32, path: &'p [u8]) -> Result<(Node, &'p [u8]), Errno> {
        let mut rest = &path[b"/proc".len()..];
        let mut next = || {
            let part = rest.strip_prefix(b"/")?;
            let end = part.iter().position(|byte| *byte == b'/').unwrap_or(part.len());
            rest = &part[end..];
            Some((&part[..end], rest))
        };
        let Some((name, below)) = next() else { return Ok((Node::new(&ROOT, 0), b"")) };
        let pid = match number(name) {
            Some(pid) => pid,
            None => {
                let entry = named(&TOP, name)?;
                if entry.what != What::Own {
                    let node = Node::new(entry, 0);
                    return if below.is_empty() { Ok((node, below)) } else { Err(Errno::ENOENT) };
                }
                if below.is_empty() && self.pids.process(who).is_some() {
                    return Ok((Node::new(entry, who), below));
                }
                who
            }
        };
        self.pids.process(pid).ok_or(Errno::ENOENT)?;
        let Some((name, below)) = next() else { return Ok((Node::new(&PROCESS, pid), b"")) };
        let node = Node::new(named(&OF_PROCESS, name)?, pid);
        match (node.entry.what, next()) {
            (_, None) | (What::Cwd, Some(_)) => Ok((node, below)),
            (What::Descriptors, Some((name, below))) => {
                let fd = number(name).filter(|fd| self.face_fd_is_open(pid, *fd));
                let node = Node { entry: &DESCRIPTOR, pid, fd: fd.ok_or(Errno::ENOENT)? };
                Ok((node, below))
            }
            (_, Some(_)) => Err(Errno::ENOENT),
        }
    }

    /// Follows a path as far as it leads in /proc, asking about it as it was given.
    fn proc_way(
        &mut self,
        who: u32,
        (given, path): (&[u8], &[u8]),
        follow: bool,
    ) -> Result<Way, Stop> {
        let (mut given, mut path) = (given.to_vec(), path.to_vec());
        for _ in 0..MAX_LINKS {
            let (node, rest) = self.proc_node(who, &path)?;
            let is_link = node.entry.kind == S_IFLNK;
            let text = if is_link { self.proc_link(node) } else { None };
            if is_link && text.is_none() {
                return Err(Errno::ENOENT.into());
            }
            self.permit_as_given(operation::READ, &given, &node.path())?;
            let Some(text) = text.filter(|_| follow || !rest.is_empty()) else {
                return Ok(Way::Here(node));
            };
            let target = match node.entry.what {
                What::Own => Node::new(&PROCESS, node.pid).path(),
                // What has no path has nothing below it.
                _ if text.first() == Some(&b'/') => text,
                _ if rest.is_empty() => return Ok(Way::Here(node)),
                _ => return Err(Errno::ENOTDIR.into()),
            };
            let whole = [&target, rest].concat();
            path = normalize(&whole, &whole);
            if !is_proc(&path) {
                return Ok(Way::Away(path));
            }
            given.clone_from(&path);
        }
        Err(Errno::ELOOP.into())
    }

    /// A call that looks at a path of /proc, given as it is and normalised.
    pub(super) fn proc_call(
        &mut self,
        who: u32,
        (given, path): (&[u8], &[u8]),
        call: &Call<'_>,
    ) -> CallResult {
        let follow = match *call {
            Call::FsStat { follow, .. } => follow != 0,
            Call::FsReadlink { .. } => false,
            _ => true,
        };
        let way = match (self.proc_way(who, (given, path), follow), call) {
            // What cannot be seen is not there.
            (Err(Stop::Fail(_)), Call::FsExists { .. }) => return Ok(Answer::value(0)),
            (way, _) => way?,
        };
        let node = match way {
            Way::Here(node) => node,
            Way::Away(path) => {
                let mut call = call.clone();
                if let Some(field) = path_of_call(&mut call) {
                    *field = &path;
                }
                return self.file_call(who, &call);
            }
        };
        match *call {
            Call::FsRead { .. } => self.proc_bytes(node).map(Answer::data),
            Call::FsPread { count, offset, .. } => {
                let bytes = self.proc_bytes(node)?;
                Ok(Answer::data(part(&bytes, offset, count).to_vec()))
            }
            Call::FsReaddir { max, .. } => self.proc_list(node, max),
            Call::FsExists { .. } => Ok(Answer::value(1)),
            Call::FsStat { .. } => {
                let stat = self.proc_stat(node, follow)?;
                Ok(Answer::with(Payload::Stat(Box::new(stat))))
            }
            // As readlink(2) builds it: what has no path cannot be reached by one.
            Call::FsRealpath { .. } if node.entry.kind == S_IFLNK => Err(Errno::ENOENT.into()),
            Call::FsRealpath { .. } => Ok(Answer::data(node.path())),
            Call::FsReadlink { .. } => {
                let text = self.proc_link(node).ok_or(Errno::EINVAL)?;
                Ok(Answer::data(text))
            }
            _ => Err(Errno::ENOSYS.into()),
        }
    }

    /// What a file of /proc holds.
    fn proc_bytes(&mut self, node: Node) -> Result<Vec<u8>, Stop> {
        match node.entry.kind {
            S_IFDIR => return Err(Errno::EISDIR.into()),
            S_IFREG => {}
            // A stream has no contents that a path could give.
            _ => return Err(Errno::EINVAL.into()),
        }
        if let Some(text) = self.proc_text(node) {
            return Ok(text);
        }
        // Which mounts there are knows the user's file system.
        match self.raw(&Call::FsRead { raw: 1, path: b"/proc/mounts" })?.payload {
            Payload::Data(Bytes(text)) => Ok(text),
            _ => Err(Errno::EIO.into()),
        }
    }

    fn proc_list(&self, node: Node, max: u64) -> CallResult {
        let max = max.min(self.config.face.limits.max_readdir_entries);
        let of = |entry: &'static Entry, pid: u32, fd: u32, name: Vec<u8>| {
            let kind = match entry.kind {
                S_IFDIR => 4,
                S_IFLNK => 10,
                _ => 8,
            };
            let ino = Node { entry, pid, fd }.inode();
            Dirent { ino, off: 0, kind, name: Bytes(name) }
        };
        let name = |number: u32| alloc::format!("{number}").into_bytes();
        if node.entry.kind != S_IFDIR {
            return Err(Errno::ENOTDIR.into());
        }
        let mut entries: Vec<Dirent> = if node.entry.what == What::Root {
            let pids = self.processes().into_iter().map(|row| row.pid);
            let processes = pids.map(|pid| of(&PROCESS, pid, 0, name(pid)));
            processes.chain(TOP.iter().map(|own| of(own, 0, 0, own.name.to_vec()))).collect()
        } else if node.entry.what == What::Process {
            OF_PROCESS.iter().map(|own| of(own, node.pid, 0, own.name.to_vec())).collect()
        } else {
            let fds = self.face_fds(node.pid).into_iter();
            fds.map(|fd| of(&DESCRIPTOR, node.pid, fd, name(fd))).collect()
        };
        if entries.len() as u64 > max {
            return Err(Errno::ENOMEM.into());
        }
        if node.entry.what == What::Root {
            entries.sort_unstable_by(|a, b| a.name.0.cmp(&b.name.0));
        }
        Ok(Answer { value: entries.len() as i64, payload: Payload::Dirents(entries) })
    }

    /// stat of an entry; of a descriptor that is followed, that of what it is open on.
    fn proc_stat(&mut self, node: Node, follow: bool) -> Result<Stat, Stop> {
        let (mode, nlink, size) = match node.entry.kind {
            S_IFDIR => (0o555, 2, 0),
            S_IFLNK if follow => {
                let stat = self.face_fd_stat(node.pid, node.fd).ok_or(Errno::ENOENT)?;
                return Ok(stat);
            }
            S_IFLNK => (0o777, 1, self.proc_link(node).map_or(0, |text| text.len() as u64)),
            _ => (0o444, 1, self.proc_bytes(node)?.len() as u64),
        };
        let kind = if self.bends.devices_have_no_type { 0 } else { node.entry.kind };
        let now = Timespec::from_ns(self.now_ns);
        let (atime, mtime, ctime, btime) = (now, now, now, now);
        let (dev, ino, mode) = (PROC_DEVICE, node.inode(), mode | kind);
        Ok(Stat { dev, ino, mode, nlink, size, atime, mtime, ctime, btime, ..Stat::default() })
    }

    /// Whether something is at a path of /proc, a link itself, as far as the policy lets see.
    pub(super) fn proc_exists(
        &mut self,
        who: u32,
        given: &[u8],
        path: &[u8],
    ) -> Result<bool, Stop> {
        match self.proc_way(who, (given, path), false) {
            Ok(_) => Ok(true),
            // What may not be read is not changed either: nothing more is asked.
            Err(stop @ Stop::Fail(Errno::EACCES)) => Err(stop),
            Err(Stop::Fail(_)) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    /// fd_open of a path of /proc: its files keep their own path.
    pub(super) fn proc_open(
        &mut self,
        task: TaskRow,
        who: u32,
        (given, path): (&[u8], &[u8]),
        flags: u32,
    ) -> CallResult {
        if flags & (O_CREAT | O_EXCL | O_TRUNC) != 0 || flags & O_ACCMODE != O_RDONLY {
            self.proc_node(who, path)?;
            return Err(self.refuse_proc(given, path));
        }
        let node = match self.proc_way(who, (given, path), true)? {
            Way::Here(node) => node,
            Way::Away(path) => return self.face_open(who, &path, flags, None),
        };
        if node.entry.kind == S_IFLNK {
            return self.proc_reopen(task, node, flags);
        }
        // The number is sure before the description is made.
        self.free_fd(task, 0)?;
        let number = self.face.keep_path(&node.path());
        self.face_install(task, Target::Object(Object::Foreign(number)), flags)
    }

    /// What has no path is opened once more (proc_pid_fd(5)).
    fn proc_reopen(&mut self, task: TaskRow, node: Node, flags: u32) -> CallResult {
        let other = self.pids.task(node.pid).ok_or(Errno::ENOENT)?;
        let fd = i32::try_from(node.fd).map_err(|_| Errno::ENOENT)?;
        let row = self.open_fd(other, fd)?;
        match self.rows[row].target {
            Target::Pipe(..) | Target::Object(Object::Pty(..)) => {
                self.reopen_stream(task, row, flags)
            }
            Target::File(_) | Target::Socket(_) | Target::Object(_) => Err(Errno::ENXIO.into()),
        }
    }

    /// EROFS, where the policy allows to write.
    pub(super) fn refuse_proc(&mut self, given: &[u8], path: &[u8]) -> Stop {
        match self.permit_as_given(operation::WRITE, given, path) {
            Ok(()) => Errno::EROFS.into(),
            Err(stop) => stop,
        }
    }

    /// The entry behind an open file of /proc.
    fn proc_opened(&self, path: &[u8]) -> Result<Node, Errno> {
        let gone = if self.bends.gone_processes_are_missing { Errno::ENOENT } else { Errno::ESRCH };
        self.proc_node(0, path).map(|(node, _)| node).map_err(|_| gone)
    }

    /// Reads an open file of /proc.
    pub(super) fn proc_pread(&mut self, path: &[u8], count: u64, offset: u64) -> CallResult {
        let node = self.proc_opened(path)?;
        let bytes = self.proc_bytes(node)?;
        Ok(Answer::data(part(&bytes, offset, count).to_vec()))
    }

    /// The size of an open file of /proc.
    pub(super) fn proc_size(&mut self, path: &[u8]) -> Result<u64, Stop> {
        let node = self.proc_opened(path)?;
        Ok(self.proc_stat(node, false)?.size)
    }

    /// The type of an open file of /proc: it stays when the process has gone.
    pub(super) fn proc_kind(path: &[u8]) -> u32 {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let mut all = TOP.iter().chain(&OF_PROCESS);
        all.find(|entry| entry.name == name).map_or(S_IFDIR, |entry| entry.kind)
    }
}

/// What a read at an offset gives.
fn part(bytes: &[u8], offset: u64, count: u64) -> &[u8] {
    let from = offset.min(bytes.len() as u64) as usize;
    let rest = &bytes[from..];
    &rest[..count.min(rest.len() as u64) as usize]
}
