//! A process (thread group): its place among parent, children, group and session, its life, limits.

use crate::abi::{Itimer, Rlimit, WaitStatus};
use crate::components::{Pending, TextDefault, WaitQueue};
use crate::fs::Place;
use crate::rows::TextRow;
use crate::tables::headed::HeadedSet;
use crate::wire::{Bytes, Wire, WireError, WireReader};
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;

/// A place in a list of processes, by pid; 0 = none. Lists of children are in the order of birth;
/// those of a group and a session have the latest first, as Linux walks them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The one before.
    pub prev: u32,
    /// The one after.
    pub next: u32,
}

/// Children to report as (birth, pid), in the order of birth: a parent that waits for each child as
/// it ends never has more than one.
pub type Reportable = HeadedSet<(u64, u32)>;

/// Whether a process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It runs, sleeps or is stopped.
    Alive,
    /// It has ended and waits to be reaped.
    Zombie(WaitStatus),
}

/// A process: what its threads share.
#[derive(Debug)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// The parent; 0 = outside the kernel.
    pub parent: u32,
    /// What getppid(2) says while the parent is outside.
    pub outside_parent: u32,
    /// The thread of the parent whose child it is, by tid; 0 = its leader (`__WNOTHREAD`).
    pub maker: u32,
    /// Process group.
    pub pgid: u32,
    /// Session.
    pub sid: u32,
    /// Tasks by tid, the leader first; small.
    pub threads: SmallVec<[u32; 1]>,
    /// First and last child.
    pub children: Link,
    /// Among its siblings.
    pub sibling: Link,
    /// Among its group.
    pub in_group: Link,
    /// Among its session.
    pub in_session: Link,
    /// When it was made, in ns since the kernel started (`starttime` of proc_pid_stat(5)).
    pub start_ns: u64,
    /// Orders children: the later the higher; a new one at re-parenting.
    pub birth: u64,
    /// Children with something that a wait could report, by birth.
    pub reportable: Reportable,
    /// Tasks blocked in a wait for children.
    pub child_waiters: WaitQueue,
    /// Whether it lives.
    pub life: Life,
    /// The signal that stopped it, while it is stopped.
    pub stopped: Option<crate::abi::Signal>,
    /// A stop or continuation that no wait has reported.
    pub report: Option<WaitStatus>,
    /// What its end sends to the parent; 0 = nothing (clone(2)).
    pub exit_signal: u8,
    /// Signals pending for any of its tasks.
    pub pending: Pending,
    /// It has called execve(2) since it was forked (setpgid(2)).
    pub did_exec: bool,
    /// Orphans below it become its children (prctl(2)).
    pub subreaper: bool,
    /// It has become somebody else since execve(2): what /proc shows of it is root's, and others
    /// may not look (prctl(2), PR_SET_DUMPABLE).
    pub undumpable: bool,
    /// The signal that it gets when its parent ends (prctl(2)); 0 = none.
    pub death_signal: u8,
    /// The parent that waits in vfork(2), by tid; 0 = none.
    pub vfork_parent: u32,
    /// Set by exit_group(2) or a fatal signal: how it will have ended.
    pub ending: Option<WaitStatus>,
    /// When alarm(2) or setitimer(2) next sends SIGALRM, in ns of the kernel's clock; 0 = never.
    pub alarm_ns: u64,
    /// The period of that timer; 0 = once.
    pub alarm_interval_ns: u64,
    /// The timers of setitimer(2) that count CPU time, ITIMER_VIRTUAL and ITIMER_PROF, if one was
    /// ever set. No task uses CPU time here: they are kept and never due.
    pub cpu_timers: Option<Box<[Itimer; 2]>>,
    /// Whom the kernel is to end if memory is short.
    pub oom: Oom,
    /// Limits that differ from the kernel's defaults.
    pub limits: Option<Box<Limits>>,
    /// The real user of its leader when it ended, for waitid(2).
    pub last_uid: u32,
    /// The file that it runs, held.
    pub exe: Option<Place>,
    /// Its texts; none stand for empty ones.
    pub text: Option<TextRow>,
    /// What its texts are counted as (`memory.rs`): follows from them and is not encoded.
    pub text_bytes: u64,
    /// It has a controlling terminal (device number); 0 = none.
    pub tty: u64,
    /// The group that was in the foreground when its terminal was hung up, if it leads a session; 0
    /// = none.
    pub old_foreground: u32,
    /// The driver of the face that owns it, a number of its table of names; 0 = none.
    pub driver: u32,
    /// Who asked the face for it, and owns it too; 0 = none.
    pub requester: u32,
    /// With which number it ended: the face has no other bounds for it than `i32`'s.
    pub exit_code: i32,
    /// When a zombie of the face goes by itself, in ns of the kernel's clock; 0 = never.
    pub goes_ns: u64,
}

impl Process {
    /// A process with one task, in no list yet: what all that make one start from. `start_ns` is
    /// how long the kernel has run.
    pub fn new(pid: u32, pgid: u32, sid: u32, start_ns: u64) -> Self {
        Self {
            pid,
            parent: 0,
            outside_parent: 0,
            maker: 0,
            pgid,
            sid,
            threads: smallvec::smallvec![pid],
            children: Link::default(),
            sibling: Link::default(),
            in_group: Link::default(),
            in_session: Link::default(),
            start_ns,
            birth: 0,
            reportable: Reportable::default(),
            child_waiters: WaitQueue::default(),
            life: Life::Alive,
            stopped: None,
            report: None,
            exit_signal: crate::abi::Signal::SIGCHLD.number(),
            pending: Pending::default(),
            did_exec: false,
            subreaper: false,
            undumpable: false,
            oom: Oom::default(),
            death_signal: 0,
            vfork_parent: 0,
            ending: None,
            alarm_ns: 0,
            alarm_interval_ns: 0,
            cpu_timers: None,
            limits: None,
            last_uid: 0,
            exe: None,
            text: None,
            text_bytes: 0,
            tty: 0,
            old_foreground: 0,
            driver: 0,
            requester: 0,
            exit_code: 0,
            goes_ns: 0,
        }
    }

    /// How a child names one of the threads that made it: see `maker`.
    pub fn maker_number(&self, tid: u32) -> u32 {
        if tid == self.pid { 0 } else { tid }
    }
}

/// What is added to the score of a process when memory is short, -1000 to 1000
/// (proc_pid_oom_score_adj(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oom {
    /// What is added.
    pub score_adj: i16,
    /// The least that somebody without CAP_SYS_RESOURCE may set: what somebody with it set last.
    pub least: i16,
}

crate::wire_struct!(Oom { score_adj, least });

/// The limits of getrlimit(2), by `RLIMIT_*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits(pub [Rlimit; 16]);

impl Default for Limits {
    /// Linux's for a session of an ordinary system.
    fn default() -> Self {
        use crate::abi::flags::*;
        let mut limits = [Rlimit::default(); 16];
        limits[RLIMIT_STACK as usize].cur = 8 << 20;
        limits[RLIMIT_CORE as usize].cur = 0;
        limits[RLIMIT_NOFILE as usize] = Rlimit { cur: 1024, max: 1 << 20 };
        limits[RLIMIT_MEMLOCK as usize] = Rlimit { cur: 8 << 20, max: 8 << 20 };
        limits[RLIMIT_MSGQUEUE as usize] = Rlimit { cur: 819_200, max: 819_200 };
        limits[RLIMIT_NICE as usize] = Rlimit { cur: 0, max: 0 };
        limits[RLIMIT_RTPRIO as usize] = Rlimit { cur: 0, max: 0 };
        Self(limits)
    }
}

/// Texts that execve(2) sets, shared by the processes of a fork.
#[derive(Debug)]
pub struct Text {
    /// How many processes have them.
    pub users: u32,
}

/// The cold component of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessText {
    /// The name of /proc/PID/comm, at most 15 bytes.
    pub comm: Bytes,
    /// The words of the command line.
    pub argv: Vec<Bytes>,
    /// The environment.
    pub envp: Vec<Bytes>,
}

impl ProcessText {
    /// The words of the command line, then those of the environment.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.argv.iter().chain(&self.envp).map(|word| word.0.as_slice())
    }
}

crate::wire_struct!(ProcessText { comm, argv, envp });
impl<'a> Wire<'a> for Limits {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        Ok(Limits(Wire::get(from)?))
    }
}

impl TextDefault for Process {
    type Cold = ();
}
impl TextDefault for Text {
    type Cold = super::ColdText;
}
