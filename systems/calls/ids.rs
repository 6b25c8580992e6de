//! Who a process is and where it stands: getpid(2) and its like, setuid(2) and its like,
//! setpgid(2), setsid(2), umask(2), getrlimit(2).
//!
//! Not here: capabilities (`capability.rs`).

use crate::abi::credentials::{
    CAP_DAC_READ_SEARCH, CAP_SETGID, CAP_SETUID, CAP_SYS_RESOURCE, Credentials,
};
use crate::abi::flags::RLIMIT_NOFILE;
use crate::abi::{Errno, Rlimit};
use crate::components::Life;
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel};
use crate::rows::{ProcessRow, TaskRow};
use crate::tables::family::Club;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Most supplementary groups (`NGROUPS_MAX`).
const NGROUPS_MAX: usize = 65_536;
/// Highest RLIMIT_NOFILE (`/proc/sys/fs/nr_open`).
const NR_OPEN: u64 = 1 << 20;

/// Which of the three ids.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    User,
    Group,
}

/// Real, effective, saved, file system.
type Ids = [u32; 4];

fn ids(who: &Credentials, kind: Kind) -> Ids {
    match kind {
        Kind::User => [who.uid, who.euid, who.suid, who.fsuid],
        Kind::Group => [who.gid, who.egid, who.sgid, who.fsgid],
    }
}

/// An id argument: -1 leaves it.
fn wanted(id: i64) -> Option<u32> {
    let id = id as u32;
    (id != u32::MAX).then_some(id)
}

impl Kernel {
    fn process_of(&self, task: TaskRow) -> &crate::components::Process {
        &self.rows[self.rows[task].process]
    }

    /// getpid(2).
    #[inline]
    pub(crate) fn getpid(&self, task: TaskRow) -> CallResult {
        Ok(Answer::value(i64::from(self.process_of(task).pid)))
    }

    /// getppid(2): 0 for init; what the recording says for one with a parent outside.
    pub(crate) fn getppid(&self, task: TaskRow) -> CallResult {
        let process = self.process_of(task);
        let ppid = if process.parent == 0 { process.outside_parent } else { process.parent };
        Ok(Answer::value(i64::from(ppid)))
    }

    /// getpgid(2) and getsid(2) of the process `target`, 0 = the caller.
    pub(crate) fn group_or_session(&self, task: TaskRow, target: i32, session: bool) -> CallResult {
        let process = match target {
            0 => self.rows[task].process,
            pid if pid < 0 => return Err(Errno::ESRCH.into()),
            pid => self.process_by_any(pid as u32).ok_or(Errno::ESRCH)?,
        };
        let process = &self.rows[process];
        Ok(Answer::value(i64::from(if session { process.sid } else { process.pgid })))
    }

    /// A process by its pid or the tid of one of its threads.
    fn process_by_any(&self, number: u32) -> Option<ProcessRow> {
        self.pids
            .process(number)
            .or_else(|| self.pids.task(number).map(|task| self.rows[task].process))
    }

    /// setpgid(2).
    pub(crate) fn setpgid(&mut self, task: TaskRow, target: i32, pgid: i32) -> CallResult {
        let own = self.rows[task].process;
        let own_pid = self.rows[own].pid;
        let target = if target == 0 { own_pid as i32 } else { target };
        let pgid = if pgid == 0 { target } else { pgid };
        if pgid < 0 {
            return Err(Errno::EINVAL.into());
        }
        if target < 0 {
            return Err(Errno::ESRCH.into());
        }
        let (target, pgid) = (target as u32, pgid as u32);
        let process = match self.pids.process(target) {
            Some(process) => process,
            // A thread that is no leader cannot be moved.
            None if self.pids.task(target).is_some() => return Err(Errno::EINVAL.into()),
            None => return Err(Errno::ESRCH.into()),
        };
        let row = &self.rows[process];
        let sid = self.rows[own].sid;
        if row.parent == own_pid {
            if row.sid != sid {
                return Err(Errno::EPERM.into());
            }
            if row.did_exec {
                return Err(Errno::EACCES.into());
            }
        } else if process != own {
            return Err(Errno::ESRCH.into());
        }
        if row.sid == row.pid {
            return Err(Errno::EPERM.into());
        }
        if pgid != target {
            let there = self.members(Club::Group, pgid);
            let same = there.first().is_some_and(|member| self.rows[*member].sid == sid);
            if !same {
                return Err(Errno::EPERM.into());
            }
        }
        if self.rows[process].pgid != pgid {
            self.leave(Club::Group, process);
            self.join(Club::Group, process, pgid);
        }
        Ok(Answer::default())
    }

    /// setsid(2).
    pub(crate) fn setsid(&mut self, task: TaskRow) -> CallResult {
        let process = self.rows[task].process;
        let pid = self.rows[process].pid;
        let leads = self.rows[process].sid == pid;
        let group_exists = self.pids.get(pid).is_some_and(|entry| entry.group_head != 0);
        if leads || group_exists {
            return Err(Errno::EPERM.into());
        }
        self.leave(Club::Group, process);
        self.leave(Club::Session, process);
        self.join(Club::Group, process, pid);
        self.join(Club::Session, process, pid);
        self.rows[process].tty = 0;
        Ok(Answer::value(i64::from(pid)))
    }

    /// umask(2).
    pub(crate) fn umask(&mut self, task: TaskRow, mask: u32) -> CallResult {
        let context = self.rows[task].context;
        let old = core::mem::replace(&mut self.rows[context].umask, mask & 0o777);
        Ok(Answer::value(i64::from(old)))
    }

    /// setuid(2) and setgid(2).
    pub(crate) fn set_id(&mut self, task: TaskRow, kind: Kind, id: i64) -> CallResult {
        let id = wanted(id).ok_or(Errno::EINVAL)?;
        let [real, _, saved, _] = ids(&self.rows[task].credentials, kind);
        let new = if self.may_set(task, kind) {
            [id; 4]
        } else if id == real || id == saved {
            [real, id, saved, id]
        } else {
            return Err(Errno::EPERM.into());
        };
        self.change_ids(task, kind, new)
    }

    /// setreuid(2) and setregid(2).
    pub(crate) fn set_two(&mut self, task: TaskRow, kind: Kind, r: i64, e: i64) -> CallResult {
        let [real, effective, saved, _] = ids(&self.rows[task].credentials, kind);
        let capable = self.may_set(task, kind);
        let (r, e) = (wanted(r), wanted(e));
        let real_ok = r.is_none_or(|id| id == real || id == effective);
        let effective_ok = e.is_none_or(|id| id == real || id == effective || id == saved);
        if !(capable || real_ok && effective_ok) {
            return Err(Errno::EPERM.into());
        }
        let new_real = r.unwrap_or(real);
        let new_effective = e.unwrap_or(effective);
        let takes_saved = r.is_some() || e.is_some_and(|id| id != real);
        let new_saved = if takes_saved { new_effective } else { saved };
        self.change_ids(task, kind, [new_real, new_effective, new_saved, new_effective])
    }

    /// setresuid(2) and setresgid(2).
    pub(crate) fn set_three(&mut self, task: TaskRow, kind: Kind, new: [i64; 3]) -> CallResult {
        let [real, effective, saved, _] = ids(&self.rows[task].credentials, kind);
        let capable = self.may_set(task, kind);
        let allowed = |id: u32| id == real || id == effective || id == saved;
        let new = new.map(wanted);
        if !capable && new.iter().flatten().any(|id| !allowed(*id)) {
            return Err(Errno::EPERM.into());
        }
        let new_effective = new[1].unwrap_or(effective);
        let new = [new[0].unwrap_or(real), new_effective, new[2].unwrap_or(saved), new_effective];
        if new == ids(&self.rows[task].credentials, kind) {
            return Ok(Answer::default());
        }
        self.change_ids(task, kind, new)
    }

    /// The number of a task's credentials, the same as long as nobody sets any of them; 0 for who
    /// needs none.
    pub(crate) fn credentials_serial(&mut self, task: TaskRow) -> u64 {
        let who = &self.rows[task].credentials;
        if who.serial == 0 && !who.capable(CAP_DAC_READ_SEARCH) {
            let serial = self.next_id();
            self.rows[task].credentials.serial = serial;
        }
        self.rows[task].credentials.serial
    }

    fn may_set(&self, task: TaskRow, kind: Kind) -> bool {
        self.rows[task].credentials.capable(match kind {
            Kind::User => CAP_SETUID,
            Kind::Group => CAP_SETGID,
        })
    }

    /// Sets the four ids; capabilities follow user 0 (capabilities(7), "Effect of user ID
    /// changes").
    fn change_ids(&mut self, task: TaskRow, kind: Kind, new: Ids) -> CallResult {
        let who = &mut self.rows[task].credentials;
        who.serial = 0;
        let old = ids(who, kind);
        // Who acts as somebody else is told no more of its parent's end (prctl(2)).
        let others = old[1] != new[1] || old[3] != new[3];
        match kind {
            Kind::Group => [who.gid, who.egid, who.sgid, who.fsgid] = new,
            Kind::User => {
                [who.uid, who.euid, who.suid, who.fsuid] = new;
                let three = |ids: Ids| [ids[0], ids[1], ids[2]];
                super::capability::change_users(who, three(old), three(new));
            }
        }
        if matches!(kind, Kind::User) && old[0] != new[0] {
            self.change_user(task, old[0], new[0]);
        }
        if others {
            let process = self.rows[task].process;
            (self.rows[process].death_signal, self.rows[process].undumpable) = (0, true);
        }
        Ok(Answer::default())
    }

    /// A task is another user's. If that one has too many already, execve(2) will fail, and not
    /// this call, whose callers do not look at its result (execve(2), EAGAIN).
    fn change_user(&mut self, task: TaskRow, from: u32, to: u32) {
        let exceeded = self.has_too_many_tasks(task, 0);
        self.user_tasks.leave(from);
        self.user_tasks.enter(to);
        if self.rows[task].over_nproc != exceeded {
            self.rows[task].over_nproc = exceeded;
        }
    }

    /// getresuid(2) and getresgid(2).
    pub(crate) fn get_three(&self, task: TaskRow, kind: Kind) -> CallResult {
        let [real, effective, saved, _] = ids(&self.rows[task].credentials, kind);
        Ok(Answer::with(Payload::Ids([real, effective, saved])))
    }

    /// getgroups(2).
    pub(crate) fn getgroups(&self, task: TaskRow, size: i32) -> CallResult {
        let groups = &self.rows[task].credentials.groups;
        let count = groups.len() as i64;
        if size < 0 || size > 0 && i64::from(size) < count {
            return Err(Errno::EINVAL.into());
        }
        let listed = if size == 0 { Vec::new() } else { groups.clone() };
        Ok(Answer { value: count, payload: Payload::Groups(listed) })
    }

    /// setgroups(2): the kernel keeps them in ascending order.
    pub(crate) fn setgroups(&mut self, task: TaskRow, groups: &[i64]) -> CallResult {
        if !self.rows[task].credentials.capable(CAP_SETGID) {
            return Err(Errno::EPERM.into());
        }
        if groups.len() > NGROUPS_MAX {
            return Err(Errno::EINVAL.into());
        }
        let mut new = Vec::with_capacity(groups.len());
        for group in groups {
            new.push(wanted(*group).ok_or(Errno::EINVAL)?);
        }
        new.sort_unstable();
        let (more, less) = (4 * new.len() as u64, self.rows[task].credentials.groups.len() as u64);
        if !self.has_memory(more) {
            return Err(Errno::ENOMEM.into());
        }
        self.hold_bytes(more);
        self.unhold_bytes(4 * less);
        let who = &mut self.rows[task].credentials;
        (who.groups, who.serial) = (new, 0);
        Ok(Answer::default())
    }

    /// The rule of prlimit(2): all three ids of the other are one's real ones, or CAP_SYS_RESOURCE.
    fn may_limit(&self, task: TaskRow, other: TaskRow) -> bool {
        let (own, other) = (&self.rows[task].credentials, &self.rows[other].credentials);
        let users = [other.uid, other.euid, other.suid] == [own.uid; 3];
        let groups = [other.gid, other.egid, other.sgid] == [own.gid; 3];
        users && groups || own.capable(CAP_SYS_RESOURCE)
    }

    /// prlimit64(2), getrlimit(2), setrlimit(2).
    pub(crate) fn prlimit(
        &mut self,
        task: TaskRow,
        target: i32,
        resource: u32,
        new: Option<Rlimit>,
    ) -> CallResult {
        let process = match target {
            0 => self.rows[task].process,
            pid => self.process_by_any(pid as u32).ok_or(Errno::ESRCH)?,
        };
        let other = self.pids.task(target as u32).filter(|other| target != 0 && *other != task);
        if other.is_some_and(|other| !self.may_limit(task, other)) {
            return Err(Errno::EPERM.into());
        }
        if resource >= 16 {
            return Err(Errno::EINVAL.into());
        }
        if self.rows[process].life != Life::Alive {
            return Err(Errno::ESRCH.into());
        }
        let old = self.limit(process, resource);
        if let Some(new) = new {
            let who = &self.rows[task].credentials;
            if new.cur > new.max {
                return Err(Errno::EINVAL.into());
            }
            if resource == RLIMIT_NOFILE && new.max > NR_OPEN {
                return Err(Errno::EPERM.into());
            }
            if new.max > old.max && !who.capable(CAP_SYS_RESOURCE) {
                return Err(Errno::EPERM.into());
            }
            let defaults = self.default_limits.clone();
            let limits = self.rows[process].limits.get_or_insert_with(|| Box::new(defaults));
            limits.0[resource as usize] = new;
        }
        Ok(Answer::with(Payload::Limit(old)))
    }
}
