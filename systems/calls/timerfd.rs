//! timerfd_create(2), timerfd_settime(2), timerfd_gettime(2), and reads of such timers.
//!
//! A timer is its open description's, whose id it has. What the calls answer, and in which order
//! they check, was found by experiment on Linux 6.18. The clock never goes back or jumps, so
//! `TFD_TIMER_CANCEL_ON_SET` is taken and never cancels anything. Not here: TFD_IOC_SET_TICKS.

use crate::abi::credentials::CAP_WAKE_ALARM;
use crate::abi::flags::*;
use crate::abi::{Errno, Itimer};
use crate::components::{Object, Restart, Target, Timerfd, Waiting};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Changed, Kernel, Stop};
use crate::memory::TIMERFD_BYTES;
use crate::rows::{DescriptionRow, RowKind, TaskRow};
use crate::tables::deadlines::Due;
use crate::watchers::Wake;

/// Bytes of the count that a read gives.
const COUNT_BYTES: u64 = 8;

const fn is_alarm(clock: u32) -> bool {
    matches!(clock, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM)
}

impl Kernel {
    /// timerfd_create(2).
    pub(crate) fn timerfd_create(&mut self, task: TaskRow, clock: u32, flags: u32) -> CallResult {
        let known = matches!(clock, CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_BOOTTIME);
        if flags & !(TFD_CLOEXEC | TFD_NONBLOCK) != 0 || !known && !is_alarm(clock) {
            return Err(Errno::EINVAL.into());
        }
        self.may_alarm(task, clock)?;
        let fd = self.free_fd(task, 0)?;
        self.room_for_descriptions(1, TIMERFD_BYTES)?;
        let status = O_RDWR | flags & TFD_NONBLOCK;
        let row = self.new_description(Target::Object(Object::Timer), status);
        let id = row.own_id(&self.rows);
        self.timerfds.insert(id, Timerfd { clock, ..Timerfd::default() });
        self.hold_bytes(TIMERFD_BYTES);
        self.install(task, fd, row, flags & TFD_CLOEXEC != 0);
        Ok(Answer::value(i64::from(fd)))
    }

    /// Who sets a clock that wakes the machine needs a capability.
    fn may_alarm(&self, task: TaskRow, clock: u32) -> Result<(), Errno> {
        let capable = self.rows[task].credentials.capable(CAP_WAKE_ALARM);
        if is_alarm(clock) && !capable { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// The timer behind a descriptor; EINVAL for anything else.
    fn timerfd_of(&self, task: TaskRow, fd: i32) -> Result<u64, Errno> {
        let row = self.open_fd(task, fd)?;
        match self.rows[row].target {
            Target::Object(Object::Timer) => Ok(row.own_id(&self.rows)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// timerfd_settime(2): what was left before.
    pub(crate) fn timerfd_settime(
        &mut self,
        task: TaskRow,
        fd: i32,
        flags: u32,
        new: Option<Itimer>,
    ) -> CallResult {
        let new = new.ok_or(Errno::EFAULT)?;
        if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let new = new.checked()?;
        let id = self.timerfd_of(task, fd)?;
        let (now_ns, start_ns) = (self.now_ns, self.config.start_ns);
        let later_ns = self.time_in(new.value_ns);
        let clock = self.timerfds.get(&id).map_or(0, |timer| timer.clock);
        self.may_alarm(task, clock)?;
        self.disarm_timerfd(id);
        let Some(timer) = self.timerfds.get_mut(&id) else { return Err(Errno::EINVAL.into()) };
        let old = timer.left_before_change(now_ns);
        let is_real = matches!(clock, CLOCK_REALTIME | CLOCK_REALTIME_ALARM);
        timer.at_ns = match (new.value_ns, flags & TFD_TIMER_ABSTIME != 0) {
            (0, _) => 0,
            (value_ns, true) if is_real => value_ns,
            (value_ns, true) => start_ns.saturating_add(value_ns),
            (_, false) => later_ns,
        };
        (timer.interval_ns, timer.ticks, timer.expired) = (new.interval_ns, 0, false);
        timer.set_flags = flags;
        self.arm_timerfd(id);
        self.expire();
        Ok(Answer::with(Payload::Timer(old)))
    }

    /// timerfd_gettime(2).
    pub(crate) fn timerfd_gettime(&mut self, task: TaskRow, fd: i32) -> CallResult {
        let id = self.timerfd_of(task, fd)?;
        let now_ns = self.now_ns;
        let Some(timer) = self.timerfds.get_mut(&id) else { return Err(Errno::EINVAL.into()) };
        timer.go_on(now_ns);
        let left = timer.left(now_ns);
        self.arm_timerfd(id);
        Ok(Answer::with(Payload::Timer(left)))
    }

    pub(crate) fn arm_timerfd(&mut self, id: u64) {
        if let Some(at_ns) = self.timerfds.get(&id).and_then(Timerfd::deadline_ns) {
            self.deadlines.add(at_ns, Due::Timerfd(id));
        }
    }

    fn disarm_timerfd(&mut self, id: u64) {
        if let Some(at_ns) = self.timerfds.get(&id).and_then(Timerfd::deadline_ns) {
            self.deadlines.remove(at_ns, Due::Timerfd(id));
        }
    }

    /// A timer's time has come.
    pub(crate) fn timerfd_is_due(&mut self, id: u64) {
        if let Some(timer) = self.timerfds.get_mut(&id) {
            timer.go_off();
            self.woken(Changed::Timer(id), Wake::of(POLLIN));
        }
    }

    /// The last descriptor of a timer is closed.
    pub(crate) fn drop_timerfd(&mut self, id: u64) {
        self.disarm_timerfd(id);
        if self.timerfds.remove(&id).is_some() {
            self.unhold_bytes(TIMERFD_BYTES);
        }
    }

    /// TFD_IOC_SET_TICKS: it is as if it had gone off so often.
    pub(crate) fn set_ticks(&mut self, row: DescriptionRow, ticks: u64) -> CallResult {
        let id = row.own_id(&self.rows);
        if ticks == 0 {
            return Err(Errno::EINVAL.into());
        }
        if let Some(timer) = self.timerfds.get_mut(&id) {
            timer.ticks = ticks;
            self.woken(Changed::Timer(id), Wake::of(POLLIN));
        }
        Ok(Answer::default())
    }

    /// read(2).
    pub(crate) fn read_timerfd(&mut self, row: DescriptionRow, count: u64) -> CallResult {
        if count < COUNT_BYTES {
            return Err(Errno::EINVAL.into());
        }
        match self.try_timerfd_read(row) {
            Some(answer) => Ok(answer),
            None if self.rows[row].nonblocking() => Err(Errno::EAGAIN.into()),
            None => Err(self.wait_for_object(row, count)),
        }
    }

    /// What a reader gets; `None` if it must wait.
    pub(crate) fn try_timerfd_read(&mut self, row: DescriptionRow) -> Option<Answer> {
        let id = row.own_id(&self.rows);
        let now_ns = self.now_ns;
        let ticks = self.timerfds.get_mut(&id)?.take(now_ns)?;
        self.arm_timerfd(id);
        Some(Answer::data(ticks.to_le_bytes().to_vec()))
    }

    /// A read that waits for an object without a name.
    pub(crate) fn wait_for_object(&mut self, row: DescriptionRow, count: u64) -> Stop {
        self.rows[row].refs += 1;
        Stop::block(Waiting::PipeRead { description: row, count }, None, Restart::WithFlag)
    }

    /// What poll(2) says.
    pub(crate) fn poll_timerfd(&self, row: DescriptionRow) -> u32 {
        let timer = self.timerfds.get(&row.own_id(&self.rows));
        if timer.is_some_and(|timer| timer.ticks > 0) { POLLIN } else { 0 }
    }
}
