//! What the first process had from its parent, as the whole recording shows it: every task is
//! followed (`lineage.rs`), and what it is told before it or an ancestor changed it was so from the
//! start (IMPORT.md sections 4, 5, 14; fork(2) and execve(2) say what is kept).
//!
//! Descriptors are in `descriptors.rs`. Nothing here beats what a side file says (`start.rs`).

use std::collections::BTreeMap;

use tickernel_systems::abi::credentials::{CAP_CHOWN, CAP_MKNOD, CAP_SYS_CHROOT, CAP_SYS_RESOURCE};
use tickernel_systems::abi::flags::*;
use tickernel_systems::abi::signal::{CLD_DUMPED, CLD_EXITED, DefaultAction, SIG_IGN};
use tickernel_systems::abi::{Errno, Rlimit, SigAction, SigSet, Signal, WaitStatus};
use tickernel_systems::event::{Call, Payload};

use super::before::{Before, Prelude, Shown};
use super::climb::Climb;
use super::copies;
use super::decode::{self, Decoded};
use super::descriptors::Descriptors;
use super::lineage::{Lineage, facts};
use super::races::{self, Earlier, Races};
use super::{numbers, paths};
use crate::replay::Recorded;
use crate::strace::{self, Event, EventKind, Fd, Recording, Value};

/// What the root inherited; `None` where the recording never tells.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Its descriptors.
    pub fds: Descriptors,
    /// Its pid.
    pub root: u32,
    /// Its parent.
    pub ppid: Option<u32>,
    /// Its group.
    pub pgid: Option<u32>,
    /// It leads no group: setsid(2) succeeded.
    pub leads_no_group: bool,
    /// Its session.
    pub sid: Option<u32>,
    /// Real, effective and saved user.
    pub uids: [Option<u32>; 3],
    /// Real, effective and saved group.
    pub gids: [Option<u32>; 3],
    /// Supplementary groups.
    pub groups: Option<Vec<u32>>,
    /// umask.
    pub umask: Option<u32>,
    /// Ignored signals.
    pub ignored: SigSet,
    /// Blocked signals.
    pub mask: Option<SigSet>,
    /// Capabilities that it was refused: user 0 of a container may lack them.
    pub lacking: u64,
    /// Files were refused that are refused to nobody who has every capability.
    pub is_powerless: bool,
    /// Limits.
    pub limits: BTreeMap<u32, Rlimit>,
    /// Working directory, and how sure that is (0 surest).
    cwd: Option<(u8, Vec<u8>)>,
    /// By the number of a call: those of other threads that came before it (`races.rs`).
    pub(super) earlier: BTreeMap<u64, Vec<Earlier>>,
    /// Which calls the recording shows.
    pub(super) shown: Shown,
    /// What was there before strace was attached.
    pub(super) prelude: Prelude,
    /// umask as created files show it, while nobody was asked.
    umask_of_files: Option<u32>,
}

impl Inherited {
    /// Looks through a recording.
    pub fn of(recording: &Recording, root: Option<u32>) -> Self {
        let root = root.or_else(|| root_of(recording)).unwrap_or(1).max(1);
        let found = Self { root, ..Self::default() };
        let (tasks, stats) = (BTreeMap::new(), BTreeMap::new());
        let (races, before) = (Races::default(), Before::default());
        let climb = Climb::default();
        let mut walk = Walk {
            found,
            tasks,
            stats,
            climb,
            races,
            before,
            unmasked: None,
            told: Vec::new(),
            in_handler: None,
        };
        for (at, event) in (0..).zip(&recording.events) {
            walk.event(recording, at, &event);
        }
        walk.found.earlier = walk.races.finish();
        walk.found.shown = walk.before.shown;
        walk.found.prelude = walk.before.finish(walk.found.root);
        walk.found.umask = walk.found.umask.or(walk.found.umask_of_files);
        walk.found
    }

    /// Working directory.
    pub fn cwd(&self) -> Option<Vec<u8>> {
        self.cwd.as_ref().map(|(_, path)| path.clone())
    }

    fn see_cwd(&mut self, doubt: u8, path: &[u8]) {
        let better = self.cwd.as_ref().is_none_or(|known| known.0 > doubt);
        if better && path.first() == Some(&b'/') {
            self.cwd = Some((doubt, path.to_vec()));
        }
    }
}

/// The pid of the first line; without a pid there, what its task is told that it is.
fn root_of(recording: &Recording) -> Option<u32> {
    if let Some(first) = recording.events.get(0).and_then(|event| event.tid) {
        return Some(first);
    }
    let told = recording.events.iter().filter(|event| event.tid.is_none()).find_map(|event| {
        let EventKind::Exit { call } = event.kind else { return None };
        let call = recording.calls.get(call)?;
        // set_tid_address(2) returns the caller's thread id; every libc begins with it.
        let tells = matches!(&*call.name, "set_tid_address" | "getpid" | "gettid");
        u32::try_from(call.result.as_ref().filter(|_| tells)?.number()?).ok()
    });
    told.or_else(|| recording.events.iter().find_map(|event| event.tid))
}

/// The line where a process is told that it has this pid.
pub(super) fn line_of_pid(recording: &Recording, pid: u32) -> Option<u64> {
    let mut events = recording.events.iter();
    let found = events.find(|event| {
        let EventKind::Exit { call } = event.kind else { return false };
        let call = recording.calls.get(call);
        let result = call.as_ref().and_then(|call| call.result.as_ref());
        result.and_then(strace::CallResult::number) == Some(i128::from(pid))
    });
    found.map(|event| event.line)
}

/// Most handlers that run inside each other.
const MAX_NESTED: usize = 64;

/// The walk over a recording.
struct Walk {
    found: Inherited,
    tasks: BTreeMap<u32, Lineage>,
    /// The last stat of an absolute path that each task made: bash(1) and pwd(1) compare `$PWD`
    /// with `.`.
    stats: BTreeMap<u32, (Vec<u8>, Value)>,
    /// How the root finds out where it is.
    climb: Climb,
    races: Races,
    before: Before,
    /// Who just set its first mask, where the one before was not asked for.
    unmasked: Option<u32>,
    /// Signals that the root was told of and that no handler returned from yet.
    told: Vec<Signal>,
    /// Who is in a handler that came under its first mask: its return tells that.
    in_handler: Option<InHandler>,
}

/// A task in a handler.
#[derive(Clone, Copy, Debug)]
struct InHandler {
    tid: u32,
    /// What it was told of since. Another handler inside which one began has that blocked; the mask
    /// of before has not, unless it was told of one alone (rt_sigsuspend(2)).
    told: SigSet,
    /// How many signals those were.
    signals: u32,
}

impl Walk {
    fn event(&mut self, recording: &Recording, at: u64, event: &Event) {
        let tid = event.tid.unwrap_or(self.found.root);
        match &event.kind {
            EventKind::Entry { call } => {
                let index = *call;
                let Some(call) = recording.calls.get(index) else { return };
                self.before.speaks(tid, &call);
                self.found.fds.promise(&call, true, self.races.is_shared(tid));
                if matches!(&*call.name, "clone" | "clone3" | "fork" | "vfork") {
                    self.birth(tid, &call);
                }
                if self.races.is_shared(tid) {
                    let decoded = decode::decode(&call);
                    let effect = match decoded.parsed() {
                        Some(Call::Clone { flags, set_tid }) if flags & CLONE_FILES == 0 => {
                            Some(copies::copied(recording, at, set_tid))
                        }
                        _ => races::effect(&call, &decoded),
                    };
                    if let Some(effect) = effect {
                        self.races.enter(tid, index, effect);
                    }
                }
            }
            EventKind::Exit { call } => {
                self.races.exit(tid, *call);
                if let Some(call) = recording.calls.get(*call) {
                    self.found.fds.promise(&call, false, self.races.is_shared(tid));
                    self.call(tid, &call);
                }
            }
            EventKind::Signal { name, info } => self.signal(recording, at, event, name, info),
            EventKind::Exited { .. } | EventKind::Killed { .. } => {
                self.races.leave(tid);
                self.tasks.remove(&tid);
                self.stats.remove(&tid);
            }
            // The thread that executed a program goes on as the leader.
            EventKind::Superseded { by } => {
                self.races.leave(tid);
                self.races.leave(*by);
                let task = self.tasks.remove(by).unwrap_or_default();
                self.tasks.insert(tid, task);
            }
            EventKind::Stopped { .. } | EventKind::Detached | EventKind::Notice(_) => {}
        }
    }

    fn task(&mut self, tid: u32) -> &mut Lineage {
        self.tasks.entry(tid).or_default()
    }

    /// Whether nobody of the task's line has changed a fact.
    fn is_old(&mut self, tid: u32, fact: u32) -> bool {
        self.task(tid).touched & fact == 0
    }

    /// A child stands in the recording before its parent's call is over.
    fn birth(&mut self, tid: u32, call: &strace::Call) {
        let decoded = decode::decode(call);
        if let Some(Call::Clone { flags, set_tid }) = decoded.parsed()
            && set_tid != 0
        {
            self.before.made(set_tid, flags);
            let child = self.task(tid).child(flags & CLONE_FILES != 0);
            if flags & CLONE_FILES != 0 {
                self.races.share(tid, set_tid, child.numbers());
            }
            self.tasks.insert(set_tid, child);
        }
    }

    fn signal(&mut self, recording: &Recording, at: u64, event: &Event, name: &str, info: &Value) {
        let tid = event.tid.unwrap_or(self.found.root);
        let Some(info) = numbers::siginfo(info) else { return };
        // It waited for its first mask to change.
        let unmasked = self.unmasked.take() == Some(tid);
        if let Some(signal) = Signal::from_name(name).filter(|_| unmasked) {
            self.found.mask.get_or_insert(SigSet::of(signal));
        }
        if (CLD_EXITED..=CLD_DUMPED).contains(&info.code) {
            self.before.told(tid, info.pid);
        }
        let child = if info.code >= CLD_EXITED { self.tasks.get(&info.pid) } else { None };
        if child.is_some_and(|child| child.touched & facts::UIDS == 0) {
            self.found.uids[0].get_or_insert(info.uid);
        }
        // A signal that would end the task, and did not: it was ignored.
        let Some(signal) = Signal::from_name(name) else { return };
        if tid == self.found.root && self.told.len() < MAX_NESTED {
            self.told.push(signal);
        }
        // A handler runs with another mask.
        let is_first = self.task(tid).touched & facts::MASK == 0;
        if is_first {
            self.in_handler = Some(InHandler { tid, told: SigSet::EMPTY, signals: 0 });
        }
        if let Some(handler) = self.in_handler.as_mut().filter(|it| it.tid == tid) {
            handler.told.insert(signal);
            handler.signals += 1;
        }
        self.task(tid).touched |= facts::MASK;
        let ends =
            matches!(signal.default_action(), DefaultAction::Terminate | DefaultAction::Core);
        if ends && !self.task(tid).signals.contains(signal) {
            let mut later = recording.events.iter_from(at + 1).take(1000);
            let next = later.find(|later| later.tid == event.tid);
            let goes_on = |next: Event| !matches!(next.kind, EventKind::Killed { .. });
            if next.is_some_and(goes_on) && !SigSet::UNSTOPPABLE.contains(signal) {
                self.found.ignored.insert(signal);
            }
        }
    }

    /// A handler returned.
    fn returns(&mut self, tid: u32, call: &strace::Call) {
        let Some(handler) = self.in_handler.as_mut().filter(|it| it.tid == tid) else { return };
        let mask = call.arg(0).and_then(|frame| frame.field("mask")).and_then(numbers::sigset);
        let told = handler.told;
        let is_inner = |mask: SigSet| mask.iter().any(|signal| told.contains(signal));
        if handler.signals > 1 && mask.is_some_and(is_inner) {
            handler.signals -= 1;
            return;
        }
        self.in_handler = None;
        if let Some(mask) = mask {
            self.found.mask.get_or_insert(mask);
        }
    }

    fn call(&mut self, tid: u32, call: &strace::Call) {
        self.printed_cwd(tid, call);
        self.unmasked = self.unmasked.filter(|unmasked| *unmasked != tid);
        let decoded = decode::decode(call);
        let parsed = decoded.parsed();
        let task = self.tasks.entry(tid).or_default();
        self.found.fds.see(task, call, parsed.as_ref(), &decoded.expected);
        let Some(parsed) = parsed else { return };
        if matches!(parsed, Call::RtSigreturn {})
            && tid == self.found.root
            && let Some(signal) = self.told.pop()
            && !self.task(tid).has_executed
            && !self.task(tid).signals.contains(signal)
        {
            self.before.caught(signal);
            self.found.ignored.remove(signal);
        }
        if matches!(parsed, Call::RtSigreturn {}) {
            self.returns(tid, call);
        }
        if let Recorded::Value(value) = decoded.expected.recorded {
            self.ids(tid, &parsed, &decoded, value);
            self.places(tid, call, &parsed, &decoded);
            self.signals_and_limits(tid, &parsed, &decoded);
            self.created(tid, &parsed, &decoded);
            self.waited(tid, &parsed, &decoded, value);
        } else if decoded.expected.recorded == Recorded::Errno(Errno::ECHILD) {
            if let Call::Wait4 { wpid: -1, .. } = parsed {
                self.before.has_none(tid);
            }
        } else if decoded.expected.recorded == Recorded::Errno(Errno::EPERM) {
            self.refused(tid, &parsed);
        } else if decoded.expected.recorded == Recorded::Errno(Errno::EACCES) {
            self.denied(tid, &parsed);
        }
        if matches!(parsed, Call::Execve { .. })
            && matches!(decoded.expected.recorded, Recorded::Value(0))
        {
            self.races.leave(tid);
            self.found.fds.root_executed |= tid == self.found.root;
            self.task(tid).exec();
        }
    }

    /// Children that somebody waited for.
    fn waited(&mut self, tid: u32, call: &Call<'_>, decoded: &Decoded, value: i64) {
        match (call, &decoded.expected.payload) {
            (Call::Wait4 { wpid: -1, .. }, _) if value == 0 => self.before.has_children(tid),
            (Call::Wait4 { .. }, payload) => {
                let pid = u32::try_from(value).unwrap_or(0);
                self.before.child(tid, pid);
                if !matches!(
                    payload,
                    Payload::Status(WaitStatus::Stopped(_) | WaitStatus::Continued)
                ) {
                    self.before.reaped(pid);
                }
            }
            (Call::Waitid { .. }, Payload::Info(info)) => self.before.child(tid, info.pid),
            _ => {}
        }
    }

    /// EACCES of what CAP_DAC_OVERRIDE allows: no program, no file of the machine's own.
    fn denied(&mut self, tid: u32, call: &Call<'_>) {
        let asks = match call {
            Call::Execve { .. } => false,
            Call::Access { mode, .. }
            | Call::Faccessat { mode, .. }
            | Call::Faccessat2 { mode, .. } => mode & X_OK == 0,
            _ => true,
        };
        let of_machine =
            |path: &[u8]| [&b"/proc"[..], b"/sys", b"/dev"].iter().any(|top| path.starts_with(top));
        let named = paths::uses(call);
        let is_plain = named.iter().any(|one| !of_machine(one.path));
        self.found.is_powerless |= asks && is_plain && self.is_old(tid, facts::UIDS);
    }

    /// EPERM: a leader of a group, or a capability that is missing (capabilities(7)).
    fn refused(&mut self, tid: u32, call: &Call<'_>) {
        if let (Call::Setsid {}, true) = (call, tid == self.found.root)
            && self.is_old(tid, facts::GROUP)
        {
            self.found.pgid.get_or_insert(tid);
        }
        // Of /proc not even root changes everything.
        let of_proc = |path: &[u8]| path.starts_with(b"/proc/");
        if paths::uses(call).iter().any(|one| of_proc(one.path)) {
            return;
        }
        let capability = match call {
            Call::Prlimit64 { .. } | Call::Setrlimit { .. } => CAP_SYS_RESOURCE,
            Call::Chroot { .. } => CAP_SYS_CHROOT,
            // A whiteout needs no capability: an overlay takes none from anybody.
            Call::Mknod { major: 0, minor: 0, .. } | Call::Mknodat { major: 0, minor: 0, .. } => {
                return;
            }
            Call::Mknod { .. } | Call::Mknodat { .. } => CAP_MKNOD,
            Call::Chown { .. }
            | Call::Lchown { .. }
            | Call::Fchown { .. }
            | Call::Fchownat { .. } => CAP_CHOWN,
            _ => return,
        };
        if self.is_old(tid, facts::UIDS) {
            self.found.lacking |= 1 << capability;
        }
    }

    fn ids(&mut self, tid: u32, call: &Call<'_>, decoded: &Decoded, value: i64) {
        let root = self.found.root;
        let number = u32::try_from(value).ok();
        let touched = self.task(tid).touched;
        let old = |fact: u32| touched & fact == 0;
        let found = &mut self.found;
        let note = |slot: &mut Option<u32>, fact: u32| {
            if old(fact) && slot.is_none() {
                *slot = number;
            }
        };
        match *call {
            Call::Getppid {} if tid == root => note(&mut found.ppid, 0),
            Call::Getuid {} => note(&mut found.uids[0], facts::UIDS),
            Call::Geteuid {} => note(&mut found.uids[1], facts::UIDS),
            Call::Getgid {} => note(&mut found.gids[0], facts::GIDS),
            Call::Getegid {} => note(&mut found.gids[1], facts::GIDS),
            Call::Getpgrp {} | Call::Getpgid { target: 0 } => note(&mut found.pgid, facts::GROUP),
            Call::Getsid { target: 0 } => note(&mut found.sid, facts::SESSION),
            Call::Getresuid {} | Call::Getresgid {} => {
                let users = matches!(call, Call::Getresuid {});
                let (slots, fact) = if users {
                    (&mut found.uids, facts::UIDS)
                } else {
                    (&mut found.gids, facts::GIDS)
                };
                if let (Payload::Ids(ids), true) = (&decoded.expected.payload, old(fact)) {
                    for (slot, id) in slots.iter_mut().zip(ids) {
                        slot.get_or_insert(*id);
                    }
                }
            }
            Call::Getgroups { size } => {
                if let (Payload::Groups(groups), true) =
                    (&decoded.expected.payload, old(facts::GROUPS) && (size > 0 || value == 0))
                {
                    found.groups.get_or_insert(groups.clone());
                }
            }
            Call::Setsid {} if tid == root && old(facts::GROUP) => found.leads_no_group = true,
            _ => {}
        }
        self.id_changes(tid, call);
    }

    fn id_changes(&mut self, tid: u32, call: &Call<'_>) {
        let touched = match *call {
            Call::Setuid { .. } | Call::Setreuid { .. } | Call::Setresuid { .. } => facts::UIDS,
            Call::Setgid { .. } | Call::Setregid { .. } | Call::Setresgid { .. } => facts::GIDS,
            Call::Setgroups { .. } => facts::GROUPS,
            Call::Setsid {} => facts::GROUP | facts::SESSION,
            Call::Setpgid { target, .. } => {
                let target = u32::try_from(target).ok().filter(|target| *target != 0);
                self.task(target.unwrap_or(tid)).touched |= facts::GROUP;
                return;
            }
            _ => return,
        };
        self.task(tid).touched |= touched;
    }

    /// The text after AT_FDCWD.
    fn printed_cwd(&mut self, tid: u32, call: &strace::Call) {
        if !self.is_old(tid, facts::CWD) {
            return;
        }
        let at_cwd = |fd: &Fd| fd.number.resolve(&|name| (name == "AT_FDCWD").then_some(-100));
        let mut printed = call.args.iter().filter_map(Value::as_fd);
        if let Some(fd) = printed.find(|fd| at_cwd(fd) == Some(-100)) {
            self.found.see_cwd(0, &fd.text);
        }
    }

    /// The working directory, by what shows it.
    fn places(&mut self, tid: u32, call: &strace::Call, parsed: &Call<'_>, decoded: &Decoded) {
        let old = self.is_old(tid, facts::CWD);
        if tid == self.found.root
            && let Some(path) = self.climb.see(parsed)
        {
            self.found.see_cwd(2, &path);
        }
        match parsed {
            Call::Chdir { .. } | Call::Fchdir { .. } | Call::Chroot { .. } => {
                self.task(tid).touched |= facts::CWD;
            }
            Call::Getcwd { .. } if old => {
                if let Payload::Data(data) = &decoded.expected.payload {
                    self.found.see_cwd(1, &data.0);
                }
            }
            Call::Stat { path: Some(path) }
            | Call::Newfstatat { dirfd: AT_FDCWD, path: Some(path), .. } => {
                let at = if matches!(parsed, Call::Stat { .. }) { 1 } else { 2 };
                let Some(stat) = call.arg(at).filter(|stat| stat.as_struct().is_some()) else {
                    return;
                };
                if path.first() == Some(&b'/') {
                    self.stats.insert(tid, (path.to_vec(), stat.clone()));
                } else if let (b".", Some((same, of))) = (*path, self.stats.remove(&tid))
                    && old
                    && of == *stat
                {
                    // Two directories may be alike as far as strace shows them without -v.
                    let doubt = if stat.field("st_ino").is_some() { 2 } else { 4 };
                    self.found.see_cwd(doubt, &same);
                }
            }
            Call::Execve { envp, .. } if tid == self.found.root && old => {
                if let Some(path) = envp.iter().find_map(|word| word.strip_prefix(b"PWD=")) {
                    self.found.see_cwd(3, path);
                }
            }
            _ => {}
        }
    }

    fn signals_and_limits(&mut self, tid: u32, call: &Call<'_>, decoded: &Decoded) {
        let payload = &decoded.expected.payload;
        let task = self.tasks.entry(tid).or_default();
        match call {
            Call::RtSigaction { signum, act } => {
                let Some(signal) = Signal::new(*signum) else { return };
                let new = !task.signals.contains(signal);
                if let Payload::Action(old) = payload
                    && matches!(**old, SigAction { handler: SIG_IGN, .. } if new)
                {
                    self.found.ignored.insert(signal);
                }
                if let (Payload::Action(old), true) = (payload, new && !task.has_executed)
                    && **old != SigAction::default()
                {
                    self.before.action(signal, **old);
                }
                if act.is_some() {
                    task.signals.insert(signal);
                }
            }
            Call::RtSigprocmask { set, .. } => {
                if let (Payload::Set(old), true) = (payload, task.touched & facts::MASK == 0) {
                    self.found.mask.get_or_insert(*old);
                }
                let is_first = tid == self.found.root && task.touched & facts::MASK == 0;
                if set.is_some() && is_first && !matches!(payload, Payload::Set(_)) {
                    self.unmasked = Some(tid);
                }
                if set.is_some() {
                    task.touched |= facts::MASK;
                    self.in_handler = self.in_handler.filter(|it| it.tid != tid);
                }
            }
            Call::RtSigreturn {} => task.touched |= facts::MASK,
            Call::Prlimit64 { target, resource, new_limit } if (0..32).contains(resource) => {
                let own = *target == 0 || u32::try_from(*target) == Ok(tid);
                let bit = 1 << *resource;
                if let (Payload::Limit(old), true) = (payload, own && task.limits & bit == 0) {
                    self.found.limits.entry(*resource).or_insert(*old);
                }
                if new_limit.is_some() {
                    let target = u32::try_from(*target).ok().filter(|target| *target != 0);
                    self.task(target.unwrap_or(tid)).limits |= bit;
                }
            }
            Call::Getrlimit { resource } if (0..32).contains(resource) => {
                if let (Payload::Limit(old), true) = (payload, task.limits & 1 << *resource == 0) {
                    self.found.limits.entry(*resource).or_insert(*old);
                }
            }
            Call::Setrlimit { resource, .. } if (0..32).contains(resource) => {
                task.limits |= 1 << *resource;
            }
            _ => {}
        }
    }

    /// umask(2), and the modes of what was created while nobody changed it.
    fn created(&mut self, tid: u32, call: &Call<'_>, decoded: &Decoded) {
        let old = self.is_old(tid, facts::UMASK);
        if let Call::Umask { .. } = call {
            if let (Recorded::Value(mask), true) = (decoded.expected.recorded, old) {
                self.found.umask = self.found.umask.or(u32::try_from(mask).ok());
            }
            self.task(tid).touched |= facts::UMASK;
            return;
        }
        if !old || self.found.umask.is_some() || self.found.umask_of_files.is_some() {
            return;
        }
        self.found.fds.created.see(tid, call, decoded);
        self.found.umask_of_files = self.found.fds.created.umask;
    }
}
