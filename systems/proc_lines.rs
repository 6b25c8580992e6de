//! Lines of /proc that tell of the kernel's own objects: what `fdinfo/N` shows beyond the offset
//! and the flags (proc_pid_fdinfo(5)), and the locks of all files (proc_locks(5)).
//!
//! Formats are Linux 6.18's, by experiment. Of a process's record locks every descriptor of its
//! that is open on the file tells; Linux tells of them at the one they were made by. Handles of
//! watches (`f_handle`) are the file system's own: of one whose handles Linux makes with a
//! generation, which there is none of here, it is 0. /proc/locks goes by files, Linux's by the CPU
//! that made the lock. Not here: leases, which nobody gets.

use crate::abi::flags::{AF_UNIX, LOCK_EX, major, minor};
use crate::abi::{Itimer, Timespec};
use crate::calls::object::numbers_of_object;
use crate::calls::record_lock::{LockOwner, LockedObject, RecordLock};
use crate::calls::socket::SOCKFS_DEVICE;
use crate::calls::stat::PIPEFS_DEVICE;
use crate::components::inotify::Watch;
use crate::components::terminal::End;
use crate::components::{Object, Target, Timerfd, Waiting};
use crate::fs::{Fs, VolumeKind};
use crate::procview::View;
use crate::rows::{DescriptionRow, EpollRow, PidfdRow, RowKind, SocketRow};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

/// Device and inode number.
type Numbers = (u64, u64);

/// What a line of a lock says.
struct Line {
    class: &'static str,
    exclusive: bool,
    /// The process, -1 where it belongs to none.
    pid: i64,
    /// First and last byte; the whole file if none.
    range: Option<(u64, u64)>,
}

impl Line {
    fn flock(operation: u32, pid: u32) -> Self {
        let exclusive = operation == LOCK_EX;
        Self { class: "FLOCK ", exclusive, pid: pid.into(), range: None }
    }

    fn record(lock: &RecordLock) -> Self {
        let (class, pid) = match lock.owner {
            LockOwner::Files(_) => ("POSIX ", i64::from(lock.pid)),
            LockOwner::Description(_) => ("OFDLCK", -1),
        };
        Self { class, exclusive: lock.exclusive, pid, range: Some((lock.start, lock.end)) }
    }

    /// The line with what stands before it (its number, and an arrow where it waits).
    fn put(&self, out: &mut String, before: &str, (dev, ino): Numbers) {
        let kind = if self.exclusive { "WRITE" } else { "READ" };
        let (start, end) = self.range.unwrap_or((0, i64::MAX as u64));
        let (major, minor) = (major(dev), minor(dev));
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "{before} {} ADVISORY  {kind} {} {major:02x}:{minor:02x}:{ino} {start} ",
            self.class, self.pid
        );
        let _ = match end {
            end if end == i64::MAX as u64 => writeln!(out, "EOF"),
            end => writeln!(out, "{end}"),
        };
    }
}

impl View<'_> {
    /// Device and inode number of what is open.
    fn numbers(&self, fs: &Fs, row: DescriptionRow) -> Numbers {
        match self.rows[row].target {
            Target::File(place) | Target::Pipe(_, Some(place)) => {
                let stat = fs.stat(&self.caller(), place);
                (stat.dev, stat.ino)
            }
            Target::Pipe(pipe, None) => (PIPEFS_DEVICE, self.rows[pipe].id),
            Target::Socket(socket) => (SOCKFS_DEVICE, self.rows[socket].id),
            Target::Object(object) => numbers_of_object(self.rows, object),
        }
    }

    /// The same of what record locks lie on.
    fn locked_numbers(&self, fs: &Fs, object: LockedObject) -> Numbers {
        let is_its = |rows: Vec<u64>, id| rows.binary_search(&id).is_ok();
        let ids = |all: Vec<(u64, SocketRow)>| all.into_iter().map(|(id, _)| id).collect();
        match object {
            LockedObject::Inode(inode) => fs.numbers_of(inode),
            LockedObject::Pipe(0) => crate::calls::object::ANONYMOUS,
            LockedObject::Pipe(id) if is_its(ids(SocketRow::all(self.rows)), id) => {
                (SOCKFS_DEVICE, id)
            }
            LockedObject::Pipe(id) => {
                let mut all = PidfdRow::all(self.rows).into_iter();
                match all.find(|(other, _)| *other == id) {
                    Some((_, row)) => numbers_of_object(self.rows, Object::Pidfd(row)),
                    None => (PIPEFS_DEVICE, id),
                }
            }
        }
    }

    /// The locks that a descriptor tells of: those of its description, and of the process that has
    /// it.
    fn lock_lines(&self, fs: &Fs, row: DescriptionRow, files: u64) -> String {
        let (mut out, numbers) = (String::new(), self.numbers(fs, row));
        let description = &self.rows[row];
        let mut lines = Vec::new();
        if description.flock != 0 {
            lines.push(Line::flock(description.flock, description.flock_pid));
        }
        let owners = [LockOwner::Files(files), LockOwner::Description(row.own_id(self.rows))];
        if !self.record_locks.is_empty()
            && let Some(object) = crate::calls::record_lock::locked_object(self.rows, fs, row)
            && let Some(locks) = self.record_locks.get(&object)
        {
            let own = locks.locks.iter().filter(|lock| owners.contains(&lock.owner));
            lines.extend(own.map(Line::record));
        }
        for (at, line) in lines.iter().enumerate() {
            line.put(&mut out, &format!("lock:\t{}:", at + 1), numbers);
        }
        out
    }

    /// The items of an instance of epoll(7).
    fn item_lines(&self, fs: &Fs, epoll: EpollRow) -> String {
        let mut out = String::new();
        for ((_, fd), _, item) in self.rows[epoll].items() {
            let (events, data) = (item.events, item.data);
            let (dev, ino) = self.numbers(fs, item.description);
            let pos = self.rows[item.description].offset;
            let _ = writeln!(
                out,
                "tfd: {fd:8} events: {events:8x} data: {data:16x}  pos:{pos} ino:{ino:x} sdev:{:x}",
                kernel_device(dev)
            );
        }
        out
    }

    /// A watch of an instance of inotify(7).
    fn watch_line(fs: &Fs, out: &mut String, wd: i32, watch: &Watch) {
        let ((dev, ino), kind) = match watch.inode {
            Some(inode) => (fs.numbers_of(inode), Some(fs.kind_of(inode))),
            None => ((fs.proc_device(), watch.proc_ino), None),
        };
        let low = (ino as u32).to_le_bytes();
        let high = ((ino >> 32) as u32).to_le_bytes();
        let generation = [0; 4];
        // exportfs.h: FILEID_INO32_GEN in the forms of ext4 and of tmpfs, else FILEID_INO64_GEN.
        let (class, handle) = match kind {
            Some(VolumeKind::Ext4) => (0x01, [low, generation].concat()),
            Some(VolumeKind::Tmpfs | VolumeKind::Devtmpfs) => {
                (0x01, [generation, low, high].concat())
            }
            Some(_) | None => (0x81, [low, high, generation].concat()),
        };
        let (sdev, mask, bytes) = (kernel_device(dev), watch.mask, handle.len());
        let _ = write!(
            out,
            "inotify wd:{wd} ino:{ino:x} sdev:{sdev:x} mask:{mask:x} ignored_mask:0 \
             fhandle-bytes:{bytes:x} fhandle-type:{class:x} f_handle:"
        );
        handle.iter().for_each(|byte| {
            let _ = write!(out, "{byte:02x}");
        });
        out.push('\n');
    }

    fn timer_lines(&self, timer: &Timerfd) -> String {
        let Itimer { value_ns, interval_ns } = timer.left(self.now_ns);
        let [value, interval] = [value_ns, interval_ns].map(Timespec::from_ns);
        format!(
            "clockid: {}\nticks: {}\nsettime flags: 0{:o}\nit_value: ({}, {})\n\
             it_interval: ({}, {})\n",
            timer.clock,
            timer.ticks,
            timer.set_flags,
            value.sec,
            value.nsec,
            interval.sec,
            interval.nsec
        )
    }

    /// What `fdinfo/N` shows beyond what all have.
    pub(crate) fn lines_of(&self, fs: &Fs, row: DescriptionRow, files: u64) -> Vec<u8> {
        let mut out = self.lock_lines(fs, row, files);
        let id = row.own_id(self.rows);
        if let Some(side) = self.rows[row].terminal
            && side.end == End::Master
        {
            let _ = writeln!(out, "tty-index:\t{}", self.rows[side.terminal].number);
        }
        match self.rows[row].target {
            Target::Object(Object::Epoll(epoll)) => out.push_str(&self.item_lines(fs, epoll)),
            Target::Object(Object::Signals(mask)) => {
                let _ = writeln!(out, "sigmask:\t{:016x}", mask.0);
            }
            Target::Object(Object::Event(event)) => {
                let event = &self.rows[event];
                let _ = writeln!(
                    out,
                    "eventfd-count: {:16x}\neventfd-id: {}\neventfd-semaphore: {}",
                    event.count,
                    event.id,
                    u8::from(event.semaphore)
                );
            }
            Target::Object(Object::Timer) => {
                let timer = self.timerfds.get(&id);
                out.push_str(&timer.map_or_else(String::new, |timer| self.timer_lines(timer)));
            }
            Target::Object(Object::Inotify) => {
                let instance = self.inotify.instances.get(&id);
                let watches = instance.into_iter().flat_map(|all| all.watches.iter().rev());
                watches.for_each(|(wd, watch)| Self::watch_line(fs, &mut out, *wd, watch));
            }
            Target::Object(Object::Pidfd(pidfd)) => {
                let pidfd = &self.rows[pidfd];
                let pid = if pidfd.gone { -1 } else { i64::from(pidfd.pid) };
                let _ = writeln!(out, "Pid:\t{pid}\nNSpid:\t{pid}");
            }
            Target::Socket(socket) if self.rows[socket].domain == AF_UNIX => {
                let packets = self.rows[socket].queue.iter();
                let rights: usize = packets.map(|packet| packet.rights().len()).sum();
                let _ = writeln!(out, "scm_fds: {rights}");
            }
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {}
        }
        out.into_bytes()
    }

    /// proc_locks(5): each lock with its number, and behind it who waits for it.
    pub(crate) fn all_locks(&self, fs: &Fs) -> Vec<u8> {
        let (mut out, mut number) = (String::new(), 0);
        self.put_flocks(fs, &mut out, &mut number);
        for (object, locks) in self.record_locks {
            let numbers = self.locked_numbers(fs, *object);
            let waiters = locks.waiters.0.iter().filter_map(|(_, tid)| self.waits_for(*tid));
            let mut waiting: Vec<&RecordLock> = waiters
                .filter_map(|on| match on {
                    Waiting::RecordLock { lock, .. } => Some(lock),
                    _ => None,
                })
                .collect();
            for lock in &locks.locks {
                number += 1;
                Line::record(lock).put(&mut out, &format!("{number}:"), numbers);
                waiting.retain(|other| {
                    let is_its = lock.conflicts(other);
                    if is_its {
                        Line::record(other).put(&mut out, &format!("{number}: ->"), numbers);
                    }
                    !is_its
                });
            }
        }
        out.into_bytes()
    }

    fn put_flocks(&self, fs: &Fs, out: &mut String, number: &mut u64) {
        if self.locks.is_empty() {
            return;
        }
        let all = DescriptionRow::all(self.rows).into_iter().map(|(_, row)| row);
        let mut held: Vec<_> = all
            .filter(|row| self.rows[*row].flock != 0)
            .filter_map(|row| match self.rows[row].target {
                Target::File(place) | Target::Pipe(_, Some(place)) => {
                    Some((fs.inode_id(place)?, row))
                }
                Target::Pipe(_, None) | Target::Socket(_) | Target::Object(_) => None,
            })
            .collect();
        held.sort_by_key(|(inode, _)| *inode);
        let mut last = None;
        for (inode, row) in held {
            *number += 1;
            let (description, numbers) = (&self.rows[row], fs.numbers_of(inode));
            let line = Line::flock(description.flock, description.flock_pid);
            line.put(out, &format!("{number}:"), numbers);
            let is_first = last.replace(inode) != Some(inode);
            let waiters = self.locks.get(&inode).filter(|_| is_first);
            for (_, tid) in waiters.iter().flat_map(|locks| &locks.waiters.0) {
                let Some(Waiting::Flock { operation, .. }) = self.waits_for(*tid) else { continue };
                let process = self.pids.task(*tid).map(|task| self.rows[task].process);
                let pid = process.map_or(0, |process| self.rows[process].pid);
                Line::flock(*operation, pid).put(out, &format!("{number}: ->"), numbers);
            }
        }
    }

    fn waits_for(&self, tid: u32) -> Option<&Waiting> {
        let row = self.pids.task(tid)?;
        Some(&self.rows[row].wait.as_ref()?.on)
    }
}

/// A device number as the kernel keeps it, which is how it shows in `sdev`.
fn kernel_device(dev: u64) -> u64 {
    u64::from(major(dev)) << 20 | u64::from(minor(dev))
}
