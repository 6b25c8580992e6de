//! eventfd(2): a counter that is read, written and polled. What its reads and writes answer, and in
//! which order they check, was found by experiment on Linux 6.18.

use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::anonymous::EVENT_MAX;
use crate::components::{Event, Object, Restart, Target, WaitQueue, Waiting};
use crate::event::Answer;
use crate::kernel::{CallResult, Changed, Kernel, Stop};
use crate::rows::{DescriptionRow, EventRow, RowKind, TaskRow};
use crate::watchers::Wake;

/// Bytes of the counter: what a read needs room for, and all that a write may give.
const COUNTER_BYTES: u64 = 8;

impl Kernel {
    /// eventfd2(2).
    pub(crate) fn eventfd(&mut self, task: TaskRow, initval: u32, flags: u32) -> CallResult {
        if flags & !(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK) != 0 {
            return Err(Errno::EINVAL.into());
        }
        let fd = self.free_fd(task, 0)?;
        self.room_for_descriptions(1, crate::memory::EVENT_BYTES)?;
        let id = self.next_id();
        let semaphore = flags & EFD_SEMAPHORE != 0;
        let (count, waiters) = (u64::from(initval), WaitQueue::default());
        let event = EventRow::spawn(&mut self.rows, id, Event { id, count, semaphore, waiters });
        let target = Target::Object(Object::Event(event));
        let row = self.new_description(target, O_RDWR | flags & EFD_NONBLOCK);
        self.install(task, fd, row, flags & EFD_CLOEXEC != 0);
        Ok(Answer::value(i64::from(fd)))
    }

    /// read(2).
    pub(crate) fn read_event(
        &mut self,
        row: DescriptionRow,
        event: EventRow,
        count: u64,
    ) -> CallResult {
        if count < COUNTER_BYTES {
            return Err(Errno::EINVAL.into());
        }
        match self.take_event(event) {
            Some(answer) => Ok(answer),
            None if self.rows[row].nonblocking() => Err(Errno::EAGAIN.into()),
            None => Err(self.wait_for_event(row, Waiting::EventRead { description: row })),
        }
    }

    fn take_event(&mut self, event: EventRow) -> Option<Answer> {
        let taken = self.rows[event].take()?;
        self.event_changed(event, POLLOUT);
        Some(Answer::data(taken.to_le_bytes().to_vec()))
    }

    /// write(2): just eight bytes, and not the largest number.
    pub(crate) fn write_event(
        &mut self,
        row: DescriptionRow,
        event: EventRow,
        data: &[u8],
    ) -> CallResult {
        let value = data.try_into().map(u64::from_le_bytes).map_err(|_| Errno::EINVAL)?;
        if value > EVENT_MAX {
            return Err(Errno::EINVAL.into());
        }
        match self.add_to_event(event, value) {
            Some(answer) => Ok(answer),
            None if self.rows[row].nonblocking() => Err(Errno::EAGAIN.into()),
            None => Err(self.wait_for_event(row, Waiting::EventWrite { description: row, value })),
        }
    }

    fn add_to_event(&mut self, event: EventRow, value: u64) -> Option<Answer> {
        if !self.rows[event].add(value) {
            return None;
        }
        self.event_changed(event, POLLIN);
        Some(Answer::value(COUNTER_BYTES as i64))
    }

    fn wait_for_event(&mut self, row: DescriptionRow, on: Waiting) -> Stop {
        self.rows[row].refs += 1;
        Stop::block(on, None, Restart::WithFlag)
    }

    /// A read or, with a value, a write that waits tries again.
    pub(crate) fn try_event(&mut self, row: DescriptionRow, value: Option<u64>) -> Option<Answer> {
        let Target::Object(Object::Event(event)) = self.rows[row].target else { return None };
        match value {
            None => self.take_event(event),
            Some(value) => self.add_to_event(event, value),
        }
    }

    fn event_changed(&mut self, event: EventRow, events: u32) {
        if !self.rows[event].waiters.is_empty() {
            self.woken(Changed::Event(event), Wake::of(events));
        }
    }

    /// What poll(2) says.
    pub(crate) fn poll_event(&self, event: EventRow) -> u32 {
        let count = self.rows[event].count;
        let mut events = 0;
        if count > 0 {
            events |= POLLIN;
        }
        if count < EVENT_MAX {
            events |= POLLOUT;
        }
        events
    }
}
