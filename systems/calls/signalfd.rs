//! signalfd(2): pending signals that are read.
//!
//! A descriptor has no signals of its own: whoever reads or polls it finds those that are pending
//! for himself and are in its set, and who waits is told of each signal of those with whom he
//! shares the table of dispositions. What the calls answer, and in which order they check, was
//! found by experiment on Linux 6.18.

use crate::abi::flags::*;
use crate::abi::signal::{SI_KERNEL, SI_TIMER, SI_USER};
use crate::abi::{Errno, SigInfo, SigSet, Signal};
use crate::components::{Object, Target};
use crate::event::Answer;
use crate::kernel::{CallResult, Changed, Kernel};
use crate::rows::{DescriptionRow, HandlersRow, TaskRow};
use crate::watchers::Wake;
use alloc::vec::Vec;

/// Bytes of `struct signalfd_siginfo`.
const INFO_BYTES: usize = 128;

impl Kernel {
    /// signalfd4(2): a new descriptor, or another set for one.
    pub(crate) fn signalfd(
        &mut self,
        task: TaskRow,
        fd: i32,
        mask: Option<SigSet>,
        flags: u32,
    ) -> CallResult {
        let mask = mask.ok_or(Errno::EFAULT)?.without(SigSet::UNSTOPPABLE);
        if flags & !(SFD_CLOEXEC | SFD_NONBLOCK) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let target = Target::Object(Object::Signals(mask));
        if fd != -1 {
            let row = self.open_fd(task, fd)?;
            let Target::Object(Object::Signals(_)) = self.rows[row].target else {
                return Err(Errno::EINVAL.into());
            };
            self.rows[row].target = target;
            self.signals_woken(self.rows[task].handlers);
            return Ok(Answer::value(i64::from(fd)));
        }
        let fd = self.free_fd(task, 0)?;
        let row = self.describe(target, O_RDWR | flags & SFD_NONBLOCK)?;
        self.install(task, fd, row, flags & SFD_CLOEXEC != 0);
        Ok(Answer::value(i64::from(fd)))
    }

    /// A signal became pending for a task with these dispositions.
    #[inline]
    pub(crate) fn signals_woken(&mut self, handlers: HandlersRow) {
        if self.rows[handlers].signal_waiters.is_some() {
            self.woken(Changed::Signals(handlers), Wake::ANY);
        }
    }

    /// read(2): as many as there are and have room, at least one.
    pub(crate) fn read_signals(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        count: u64,
    ) -> CallResult {
        if count < INFO_BYTES as u64 {
            return Err(Errno::EINVAL.into());
        }
        match self.try_signals_read(task, row, count) {
            Some(answer) => Ok(answer),
            None if self.rows[row].nonblocking() => Err(Errno::EAGAIN.into()),
            None => Err(self.wait_for_object(row, count)),
        }
    }

    /// What a reader gets; `None` if it must wait.
    pub(crate) fn try_signals_read(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        count: u64,
    ) -> Option<Answer> {
        let Target::Object(Object::Signals(mask)) = self.rows[row].target else { return None };
        let mut bytes = Vec::new();
        for _ in 0..count / INFO_BYTES as u64 {
            let Some((signal, info)) = self.dequeue_signal(task, mask) else { break };
            bytes.extend_from_slice(&bytes_of(signal, &info));
        }
        (!bytes.is_empty()).then(|| Answer::data(bytes))
    }

    /// What poll(2) says to a task.
    pub(crate) fn poll_signals(&self, task: TaskRow, mask: SigSet) -> u32 {
        let task = &self.rows[task];
        let all = task.pending.set.union(self.rows[task.process].pending.set);
        if all.intersection(mask).is_empty() { 0 } else { POLLIN }
    }
}

/// `struct signalfd_siginfo`: which fields apply is the signal's and its code's business.
fn bytes_of(signal: Signal, info: &SigInfo) -> [u8; INFO_BYTES] {
    let mut bytes = [0; INFO_BYTES];
    let mut put = |at: usize, field: &[u8]| {
        if let Some(room) = bytes.get_mut(at..at + field.len()) {
            room.copy_from_slice(field);
        }
    };
    put(0, &u32::from(signal.number()).to_le_bytes());
    put(8, &info.code.to_le_bytes());
    let value = || info.value.to_le_bytes();
    let number = || (info.value as u32).to_le_bytes();
    match (info.code, signal) {
        (SI_TIMER, _) => {
            // The union's words for `si_timerid` and `si_overrun`.
            put(24, &info.pid.to_le_bytes());
            put(32, &info.uid.to_le_bytes());
            put(44, &number());
            put(48, &value());
        }
        _ if info.is_of_io() => {
            put(28, &(info.band() as u32).to_le_bytes());
            put(20, &info.status.to_le_bytes());
        }
        (SI_USER | SI_KERNEL, _) => {
            put(12, &info.pid.to_le_bytes());
            put(16, &info.uid.to_le_bytes());
        }
        (1.., Signal::SIGCHLD) => {
            put(12, &info.pid.to_le_bytes());
            put(16, &info.uid.to_le_bytes());
            put(40, &info.status.to_le_bytes());
        }
        (1.., _) => {}
        (i32::MIN..0, _) => {
            put(12, &info.pid.to_le_bytes());
            put(16, &info.uid.to_le_bytes());
            put(44, &number());
            put(48, &value());
        }
    }
    bytes
}
