//! What workers post, and what becomes of tasks that end.

use std::collections::BTreeMap;

use serde_json::json;

use super::Session;
use crate::calls::{Kind, signal};
use crate::fields;
use crate::image;
use crate::shared::Event;
use crate::task::{Call, Frame, Task};
use crate::watch::{Doing, Look};

impl Session {
    /// Takes in all that was posted.
    pub(super) fn take_events(&mut self) {
        while let Some(event) = self.shared.next_event() {
            match event.kind {
                image::STARTED => self.started(&event),
                image::EXECED => self.execed(&event),
                image::SIGNAL => self.signaled(&event),
                _ => self.done(&event),
            }
        }
    }

    /// The task whose worker serves a slot.
    pub(super) fn pid_of(&self, slot: usize) -> Option<i32> {
        self.tasks.iter().find(|(_, task)| task.slot == slot).map(|(pid, _)| *pid)
    }

    fn started(&mut self, event: &Event) {
        let tid = event.value as i32;
        self.awaited.retain(|slot| *slot != event.slot);
        let made = self.sandbox.as_ref().and_then(|to| Task::new(to, tid, event.slot).ok());
        if let Some(current) = &mut self.current {
            current.child = Some(tid);
        }
        match made {
            Some(mut task) => {
                task.frames = self.inherited_handlers();
                self.tasks.insert(tid, task);
            }
            None => self.shared.free_slot(event.slot),
        }
    }

    fn done(&mut self, event: &Event) {
        let Some(pid) = self.pid_of(event.slot) else { return };
        let call = self.tasks.get_mut(&pid).and_then(|task| task.take_call(event.request));
        let Some(call) = call else { return };
        if call.kind == Kind::SignalReturn
            && let Some(task) = self.tasks.get_mut(&pid)
            && task.is_in_handler()
        {
            task.frames.pop();
        }
        if event.value < 0
            && let Some(slot) = call.child_slot
        {
            self.no_child(slot);
        }
        self.tell(call, event.value);
    }

    /// A child with a memory of its own is in the handlers that its parent is in.
    fn inherited_handlers(&self) -> Vec<Frame> {
        let Some(current) = &self.current else { return Vec::new() };
        let Some(parent) = self.tasks.get(&current.pid) else { return Vec::new() };
        if current.kind != (Kind::Fork { shares_memory: false }) {
            return Vec::new();
        }
        let handlers = parent.frames.iter().filter(|frame| matches!(frame, Frame::Handler));
        handlers.map(|_| Frame::Handler).collect()
    }

    fn no_child(&mut self, slot: usize) {
        self.awaited.retain(|awaited| *awaited != slot);
        self.shared.free_slot(slot);
    }

    /// Gives the result of a call: as the current answer, or as a `done` line.
    fn tell(&mut self, call: Call, result: i64) {
        let mut answer = call.answer(result);
        match (&mut self.current, call.blocked) {
            (_, Some(number)) => {
                answer.shift_insert(0, "done".into(), number.into());
                self.lines.push(answer.into());
            }
            (Some(current), None) if current.request == call.request => {
                current.answer = Some(answer.into());
            }
            _ => {}
        }
        self.shared.free_area(call.area);
    }

    fn signaled(&mut self, event: &Event) {
        let Some(pid) = self.pid_of(event.slot) else { return };
        self.lines.push(signal::announcement(pid, &event.siginfo));
        let Some(task) = self.tasks.get_mut(&pid) else { return };
        let unanswered = event.outer == image::OUTER_RETURNED
            && task.call_mut(event.request).is_some_and(|call| call.blocked.is_none());
        let call = if unanswered { task.take_call(event.request) } else { None };
        task.frames.push(Frame::Handler);
        if let Some(call) = call {
            self.tell(call, event.value);
        }
    }

    /// A new image runs: handlers and other calls of the old one are no more, and the task has its
    /// group's id.
    fn execed(&mut self, event: &Event) {
        let tid = event.value as i32;
        let Some(pid) = self.pid_of(event.slot) else { return };
        if tid != pid {
            self.take_over(pid, tid);
        }
        let Some(task) = self.tasks.get_mut(&tid) else { return };
        let call = task.take_call(event.request);
        for frame in std::mem::take(&mut task.frames) {
            if let Frame::Call(call) = frame {
                self.shared.free_area(call.area);
            }
        }
        if let Some(call) = call {
            self.tell(call, 0);
        }
    }

    /// execve of a thread that did not lead its group: it takes the leader's id (execve(2)).
    fn take_over(&mut self, pid: i32, leader: i32) {
        let Some(mut task) = self.tasks.remove(&pid) else { return };
        if let Some(old) = self.tasks.remove(&leader) {
            self.bury_task(old, None);
        }
        let made = self.sandbox.as_ref().and_then(|to| Task::new(to, leader, task.slot).ok());
        if let Some(mut made) = made {
            made.frames = std::mem::take(&mut task.frames);
            self.tasks.insert(leader, made);
        }
    }

    /// Forgets the tasks that have ended, and tells of the calls that they were in.
    pub(super) fn bury(&mut self, looks: &BTreeMap<i32, Look>) {
        let mut gone: Vec<(i32, Option<i32>)> = Vec::new();
        for (pid, (doing, _)) in looks {
            if let Doing::Gone(status) = doing {
                gone.push((*pid, *status));
            }
        }
        if gone.len() > 1 {
            let order = self.sandbox.as_ref().map(|sandbox| sandbox.deaths.in_order());
            let place = |pid| order.iter().flatten().position(|tid| *tid == pid);
            gone.sort_by_key(|(pid, _)| place(*pid).unwrap_or(usize::MAX));
        }
        for (pid, status) in gone {
            if let Some(task) = self.tasks.remove(&pid) {
                self.bury_task(task, status);
            }
        }
    }

    fn bury_task(&mut self, mut task: Task, status: Option<i32>) {
        let status = status.or_else(|| task.status_after_reaping());
        let frames = std::mem::take(&mut task.frames);
        for frame in frames {
            let Frame::Call(call) = frame else { continue };
            self.awaited.retain(|slot| Some(*slot) != call.child_slot);
            if let Some(number) = call.blocked {
                let status = fields::status(status.unwrap_or(libc::SIGKILL));
                self.deaths.push(json!({ "done": number, "gone": status }));
            } else if let Some(current) = &mut self.current
                && current.request == call.request
            {
                current.answer = Some(call.answer_without_result(status));
            }
            self.shared.free_area(call.area);
        }
        self.shared.free_slot(task.slot);
    }
}
