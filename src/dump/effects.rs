//! What the kernel tells between calls, as strace shows it: signals that come, handlers, stops and
//! ends.
//!
//! A signal's line stands behind the half that says that it broke off the call which its task was
//! in. A stop shows at every task of the process. A signal whose default action is to stop comes
//! and does nothing where the process group is orphaned (setpgid(2)). Not here: signals that are
//! ignored (the kernel drops them without a word; strace shows them).

use std::io::Write;

use tickernel_systems::abi::{SigInfo, Signal, WaitStatus};
use tickernel_systems::event::{Answer, Call, Completed, Effect, Event, Outcome, Output, Payload};
use tickernel_systems::wire::{Wire, WireReader};

use super::args::halves;
use super::lines::Item;
use super::results::{Broken, broken, result};
use super::session::{Open, Seen, Session, SessionError, Told};
use super::structs;

impl<W: Write> Session<W> {
    /// `Deliver` of an imported trace: strace shows ignored signals too.
    pub(super) fn delivered(&mut self, tid: u32, signal: Signal) -> Told {
        let outcome = self.take(Event::Deliver { task: tid, signal });
        let shown = self.drain()?;
        if let Outcome::Done(Answer { payload: Payload::Info(info), .. }) = outcome
            && !shown
            && self.tasks.contains_key(&tid)
        {
            self.break_off(tid)?;
            self.signal(tid, &info)?;
        }
        Ok(())
    }

    fn signal(&mut self, tid: u32, info: &SigInfo) -> Told {
        let name = Signal::new(info.signo).map_or("SIGTERM", Signal::name);
        let text = format!("--- {name} {} ---", structs::siginfo(info));
        self.print(tid, Item::Line(text))
    }

    /// Takes what left the kernel; whether a signal was shown.
    pub(super) fn drain(&mut self) -> Result<bool, SessionError> {
        let mut acted = self.kernel.take_acted();
        let mut shown = false;
        while let Some(output) = self.outputs.pop_front() {
            match output {
                Output::Completion(completion) => {
                    let (tid, id) = (completion.task, completion.call.0);
                    let open = self.tasks.get(&tid).and_then(|task| task.open.as_ref());
                    if open.is_none_or(|open| open.id != id) {
                        continue;
                    }
                    match completion.result {
                        Completed::Done(answer) => self.ended(tid, Ok(answer))?,
                        Completed::Failed(errno) => self.ended(tid, Err(errno))?,
                        // Its task's end says it.
                        Completed::Gone(_) => {}
                    }
                }
                Output::Effect(effect) => {
                    shown |= !matches!(
                        effect,
                        Effect::Told { .. } | Effect::Continued { .. } | Effect::Outgoing(_)
                    );
                    self.effect(effect, &mut acted)?;
                }
                Output::Outcome(..) => {}
            }
        }
        // Nothing else tells of a stop that an orphaned group does not make.
        for (tid, info) in acted {
            shown = true;
            self.break_off(tid)?;
            self.signal(tid, &info)?;
        }
        Ok(shown)
    }

    fn effect(&mut self, effect: Effect, acted: &mut Vec<(u32, SigInfo)>) -> Told {
        match effect {
            Effect::Handler { task, info, .. } => {
                self.interrupted(task)?;
                self.signal(task, &info)
            }
            Effect::Stopped { process, signal } => {
                let acting = self.acting(process, signal, acted);
                let tids = self.tasks_of(process);
                for tid in &tids {
                    self.break_off(*tid)?;
                }
                if let Some((tid, info)) = acting {
                    self.signal(tid, &info)?;
                }
                for tid in tids {
                    let text = format!("--- stopped by {} ---", signal.name());
                    self.print(tid, Item::Line(text))?;
                }
                Ok(())
            }
            Effect::Continued { process } => match self.acting(process, Signal::SIGCONT, acted) {
                Some((tid, info)) => self.signal(tid, &info),
                None => Ok(()),
            },
            Effect::Exited { process, status } => self.exited(process, status, acted),
            Effect::Told { .. } | Effect::Outgoing(_) | Effect::Ready { .. } => Ok(()),
        }
    }

    /// The tasks of a process; itself, if none of them ever spoke.
    pub(super) fn tasks_of(&self, process: u32) -> Vec<u32> {
        let tids = self.members.get(&process).into_iter().flatten().copied();
        let tids: Vec<u32> = tids.collect();
        if tids.is_empty() { vec![process] } else { tids }
    }

    /// Who took a signal's default action, and what came with the signal.
    fn acting(
        &self,
        process: u32,
        signal: Signal,
        acted: &mut Vec<(u32, SigInfo)>,
    ) -> Option<(u32, SigInfo)> {
        let tids = self.tasks_of(process);
        let is_it = |(tid, info): &(u32, SigInfo)| {
            tids.contains(tid) && info.signo == i32::from(signal.number())
        };
        let at = acted.iter().position(is_it)?;
        Some(acted.remove(at))
    }

    /// A handler begins: the call that its task is in breaks off, or is over.
    fn interrupted(&mut self, tid: u32) -> Told {
        let at = self.task(tid).frames.len();
        let Some(mut open) = self.task(tid).open.take() else {
            self.task(tid).frames.push(None);
            return Ok(());
        };
        self.again.remove(&tid);
        if open.seen == Seen::Half {
            let over = self.over_before(tid, at);
            open.seen = self.break_off_call(tid, &open, over)?;
        }
        self.task(tid).frames.push(Some(open));
        Ok(())
    }

    /// What the call gave that a handler broke off, which is or will be so far in; `None` if it was
    /// not over: how a handler ends it shows when that returns.
    fn over_before(&self, tid: u32, at: usize) -> Option<Completed> {
        let (_, over) = self.kernel.frames_of(tid).into_iter().nth(at)?.interrupted?;
        over.filter(|over| matches!(over, Completed::Done(_)))
    }

    /// Prints that a signal broke off the call that a task is in.
    fn break_off(&mut self, tid: u32) -> Told {
        let Some(mut open) = self.task(tid).open.take() else { return Ok(()) };
        if open.seen == Seen::Half {
            let frames = self.task(tid).frames.len();
            let over = self.kernel.held_result(tid).or_else(|| self.over_before(tid, frames));
            open.seen = self.break_off_call(tid, &open, over)?;
        }
        self.again.insert(tid);
        self.task(tid).open = Some(open);
        Ok(())
    }

    /// The second half of a call that a signal broke off; `over` = it ended so.
    fn break_off_call(
        &mut self,
        tid: u32,
        open: &Open,
        over: Option<Completed>,
    ) -> Result<Seen, SessionError> {
        let call = Call::get(&mut WireReader::new(&open.bytes))?;
        let end = match over {
            Some(Completed::Done(answer)) => Some(Ok(answer)),
            Some(Completed::Failed(errno)) => Some(Err(errno)),
            Some(Completed::Gone(_)) | None => None,
        };
        let look = self.look(tid);
        let half = halves(&open.name, &call, end.as_ref(), look).exit;
        let (text, seen) = match (&end, broken(&call)) {
            (Some(end), _) => (result(&call, end, look), Seen::All),
            (None, Broken::AtOnce) => (Broken::AtOnce.result(), Seen::All),
            (None, again) => (again.result(), Seen::BrokenOff),
        };
        let (since_ns, name) = (open.since_ns, open.name.clone());
        self.print(tid, Item::Exit { since_ns, name, half, result: text })?;
        Ok(seen)
    }

    fn exited(
        &mut self,
        process: u32,
        status: WaitStatus,
        acted: &mut Vec<(u32, SigInfo)>,
    ) -> Told {
        let tids = self.tasks_of(process);
        let text = match status {
            WaitStatus::Signaled(signal, core) => {
                if let Some((tid, info)) = self.acting(process, signal, acted) {
                    self.break_off(tid)?;
                    self.signal(tid, &info)?;
                }
                let core = if core { " (core dumped)" } else { "" };
                format!("+++ killed by {}{core} +++", signal.name())
            }
            WaitStatus::Exited(code) => format!("+++ exited with {code} +++"),
            WaitStatus::Stopped(_) | WaitStatus::Continued => return Ok(()),
        };
        for tid in tids {
            self.cut_off(tid)?;
            self.print(tid, Item::End(text.clone()))?;
            self.forget(tid);
        }
        Ok(())
    }

    /// A task ends in a call: that never returns.
    fn cut_off(&mut self, tid: u32) -> Told {
        let open = self.tasks.get_mut(&tid).and_then(|task| task.open.take());
        if let Some(open) = open.filter(|open| open.seen == Seen::Half) {
            // Who kills itself is seen to leave the call, not to return from it.
            let item = match Call::get(&mut WireReader::new(&open.bytes))? {
                Call::Kill { .. } | Call::Tgkill { .. } | Call::Tkill { .. } => {
                    let (since_ns, name) = (open.since_ns, open.name);
                    Item::Exit { since_ns, name, half: String::new(), result: "?".to_owned() }
                }
                _ => Item::Never(open.name),
            };
            self.print(tid, item)?;
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, tid: u32) {
        if let Some(task) = self.tasks.remove(&tid)
            && let Some(members) = self.members.get_mut(&task.process)
        {
            members.remove(&tid);
            if members.is_empty() {
                self.members.remove(&task.process);
            }
        }
        self.again.remove(&tid);
        self.leaving.take_if(|leaving| leaving.0 == tid);
    }
}
