//! Signals, groups, sessions, masks and identity (SEMANTICS.md, sections 2 and 11).

use super::convert::error_about;
use super::{KernelVm, owned};
use crate::face::error::KernelResult;
use crate::face::machine::{Core, NoHost};
use crate::face::process_table::{SigmaskHow, SignalSet};
use crate::face::user::{ProcessIdentity, UserManager};
use crate::face::vfs::VirtualFileSystem;
use std::sync::MutexGuard;
use tickernel_systems::abi::flags::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK};
use tickernel_systems::abi::signal::DefaultAction;
use tickernel_systems::abi::{Errno, SigSet, Signal};
use tickernel_systems::event::{Answer, Call, Payload};

impl<F: VirtualFileSystem + 'static> KernelVm<F> {
    /// A call of one process that asks nobody.
    pub(super) fn plain(
        &self,
        mut core: MutexGuard<'_, Core>,
        task: u32,
        call: Call<'_>,
        what: impl std::fmt::Display,
    ) -> KernelResult<Answer> {
        let outcome = core.call(task, &call);
        self.machine.finish(core, outcome, &mut NoHost).map_err(|errno| error_about(errno, what))
    }

    /// Sends a signal to a process as its driver; 0 only asks whether it is there.
    ///
    /// # Errors
    /// `EINVAL` for a number beyond 64 or a pid beyond `i32`; `ESRCH`, `EPERM`.
    pub fn kill_process(&self, requester_driver: &str, pid: u32, signal: i32) -> KernelResult<()> {
        let target = i32::try_from(pid)
            .map_err(|_| error_about(Errno::EINVAL, format_args!("kill {pid}")))?;
        self.signal_process(requester_driver, target, signal)
    }

    /// The same for a process, or for the group of a negative number.
    ///
    /// # Errors
    /// `EINVAL` for a number beyond 64; `ESRCH` for 0 and for an empty group; `EPERM` if a member
    /// of the group has another driver.
    pub fn signal_process(
        &self,
        requester_driver: &str,
        pid: i32,
        signal: i32,
    ) -> KernelResult<()> {
        let mut core = match u32::try_from(pid) {
            Ok(target) => owned(&self.machine, requester_driver, target)?,
            Err(_) => self.machine.lock()?,
        };
        // The time is of use only where a process may end by it.
        let action = Signal::new(signal).map(Signal::default_action);
        if !matches!(action, None | Some(DefaultAction::Ignore | DefaultAction::Continue)) {
            core.catch_up();
        }
        let driver = Some(requester_driver.as_bytes());
        let call = Call::FaceSignal { driver, target: pid, sig: signal };
        self.plain(core, 0, call, format_args!("signal {signal} to {pid}")).map(drop)
    }

    /// Puts a process into a group; 0 for one of its own.
    ///
    /// # Errors
    /// `EPERM` for a group that is not there, in another session or of another driver.
    pub fn setpgid(&self, requester_driver: &str, pid: u32, pgid: u32) -> KernelResult<()> {
        let core = owned(&self.machine, requester_driver, pid)?;
        let driver = requester_driver.as_bytes();
        let call = Call::FaceSetpgid { driver, target: pid, pgid };
        self.plain(core, 0, call, format_args!("setpgid {pid} to {pgid}")).map(drop)
    }

    fn number(&self, driver: &str, pid: u32, call: Call<'_>) -> KernelResult<u32> {
        let core = owned(&self.machine, driver, pid)?;
        let answer = self.plain(core, pid, call, format_args!("process {pid}"))?;
        Ok(answer.value as u32)
    }

    /// The group of a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn getpgid(&self, requester_driver: &str, pid: u32) -> KernelResult<u32> {
        self.number(requester_driver, pid, Call::Getpgid { target: 0 })
    }

    /// The process itself.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn getpid(&self, requester_driver: &str, pid: u32) -> KernelResult<u32> {
        self.number(requester_driver, pid, Call::Getpid {})
    }

    /// The parent; 0 if there is none.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn getppid(&self, requester_driver: &str, pid: u32) -> KernelResult<u32> {
        self.number(requester_driver, pid, Call::Getppid {})
    }

    /// Makes the process the leader of a new session and group.
    ///
    /// # Errors
    /// `EPERM` for the leader of a group.
    pub fn setsid(&self, requester_driver: &str, pid: u32) -> KernelResult<u32> {
        self.number(requester_driver, pid, Call::Setsid {})
    }

    /// The session of a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn getsid(&self, requester_driver: &str, pid: u32) -> KernelResult<u32> {
        self.number(requester_driver, pid, Call::Getsid { target: 0 })
    }

    /// Changes the mask of a process and gives the old one.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn sigprocmask(
        &self,
        requester_driver: &str,
        pid: u32,
        how: SigmaskHow,
        set: SignalSet,
    ) -> KernelResult<SignalSet> {
        let how = match how {
            SigmaskHow::Block => SIG_BLOCK,
            SigmaskHow::Unblock => SIG_UNBLOCK,
            SigmaskHow::SetMask => SIG_SETMASK,
        };
        let core = owned(&self.machine, requester_driver, pid)?;
        let set = Some(SigSet(set.bits()));
        self.set_of(core, pid, Call::RtSigprocmask { how, set })
    }

    /// The signals that are pending because they are blocked.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn sigpending(&self, requester_driver: &str, pid: u32) -> KernelResult<SignalSet> {
        let core = owned(&self.machine, requester_driver, pid)?;
        self.set_of(core, pid, Call::RtSigpending {})
    }

    fn set_of(
        &self,
        core: MutexGuard<'_, Core>,
        pid: u32,
        call: Call<'_>,
    ) -> KernelResult<SignalSet> {
        match self.plain(core, pid, call, format_args!("signals of {pid}"))?.payload {
            Payload::Set(set) => Ok(SignalSet::from_bits(set.0)),
            _ => Ok(SignalSet::empty()),
        }
    }

    /// Sets the umask of a process if one is given, and gives the old one.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn umask(
        &self,
        requester_driver: &str,
        pid: u32,
        new_mask: Option<u32>,
    ) -> KernelResult<u32> {
        let mut core = owned(&self.machine, requester_driver, pid)?;
        match new_mask {
            None => Ok(core.kernel.face_umask(pid).unwrap_or(0)),
            Some(mask) => {
                let outcome = core.call(pid, &Call::Umask { mask });
                let answer = self.machine.finish(core, outcome, &mut NoHost);
                let answer = answer.map_err(|errno| error_about(errno, "umask"))?;
                Ok(answer.value as u32)
            }
        }
    }

    /// Who a process runs as.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn process_identity(
        &self,
        requester_driver: &str,
        pid: u32,
    ) -> KernelResult<ProcessIdentity> {
        drop(owned(&self.machine, requester_driver, pid)?);
        Ok(self.user.identity())
    }

    /// The real user id of a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn getuid(&self, requester_driver: &str, pid: u32) -> KernelResult<u32> {
        self.process_identity(requester_driver, pid).map(|identity| identity.uid)
    }

    /// The real group id of a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn getgid(&self, requester_driver: &str, pid: u32) -> KernelResult<u32> {
        self.process_identity(requester_driver, pid).map(|identity| identity.gid)
    }

    /// The effective user id of a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn geteuid(&self, requester_driver: &str, pid: u32) -> KernelResult<u32> {
        self.process_identity(requester_driver, pid).map(|identity| identity.euid)
    }

    /// The effective group id of a process.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn getegid(&self, requester_driver: &str, pid: u32) -> KernelResult<u32> {
        self.process_identity(requester_driver, pid).map(|identity| identity.egid)
    }

    /// The groups of a process, the primary one first.
    ///
    /// # Errors
    /// `ESRCH`, `EPERM`.
    pub fn getgroups(&self, requester_driver: &str, pid: u32) -> KernelResult<Vec<u32>> {
        self.process_identity(requester_driver, pid).map(|identity| identity.supplementary_gids)
    }

    /// The line of passwd(5) of the one user.
    ///
    /// # Errors
    /// `ENOENT` for any other.
    pub fn getpwuid(&self, uid: u32) -> KernelResult<String> {
        let line = self.user.getpwuid(uid);
        line.ok_or_else(|| error_about(Errno::ENOENT, format_args!("user {uid}")))
    }

    /// The line of group(5) of a group of the user's.
    ///
    /// # Errors
    /// `ENOENT` for any other.
    pub fn getgrgid(&self, gid: u32) -> KernelResult<String> {
        let line = self.user.getgrgid(gid);
        line.ok_or_else(|| error_about(Errno::ENOENT, format_args!("group {gid}")))
    }

    /// The one user.
    pub fn user_manager(&self) -> &UserManager {
        &self.user
    }

    /// A copy of the one user.
    pub fn user_profile(&self) -> UserManager {
        self.user.clone()
    }
}
