//! Capability sets: capset(2), the operations of prctl(2) that change what the kernel models, and
//! what set-id changes and execve(2) do to the sets (capabilities(7)).
//!
//! Not here: capabilities of files, which no file has.

use crate::abi::credentials::*;
use crate::abi::flags::*;
use crate::abi::{Errno, Signal};
use crate::event::{Answer, Payload};
use crate::kernel::{CallResult, Kernel};
use crate::rows::TaskRow;

impl Kernel {
    /// capset(2): only the caller's own sets.
    pub(crate) fn capset(&mut self, task: TaskRow, target: i32, sets: [u64; 3]) -> CallResult {
        if target != 0 && u32::try_from(target) != Ok(self.rows[task].tid) {
            return Err(Errno::EPERM.into());
        }
        let [effective, permitted, inheritable] = sets.map(|set| set & CAP_FULL);
        let who = &mut self.rows[task].credentials;
        let may_inherit = who.inheritable | who.permitted;
        let raises = inheritable & !may_inherit != 0 && !who.capable(CAP_SETPCAP)
            || inheritable & !(who.inheritable | who.bounding) != 0
            || permitted & !who.permitted != 0
            || effective & !permitted != 0;
        if raises {
            return Err(Errno::EPERM.into());
        }
        (who.effective, who.permitted, who.inheritable) = (effective, permitted, inheritable);
        who.ambient &= permitted & inheritable;
        who.serial = 0;
        Ok(Answer::default())
    }

    /// prctl(2): the operations of `PRCTL_OPTIONS`.
    pub(crate) fn prctl(&mut self, task: TaskRow, option: u32, args: [u64; 4]) -> CallResult {
        if let Some(answer) = self.prctl_get(task, option, args) {
            return answer;
        }
        let process = self.rows[task].process;
        let who = &mut self.rows[task].credentials;
        match (option, args) {
            (PR_SET_KEEPCAPS, [keep @ 0..=1, ..]) => {
                if who.is_secure(SECBIT_KEEP_CAPS_LOCKED) {
                    return Err(Errno::EPERM.into());
                }
                who.securebits &= !SECBIT_KEEP_CAPS;
                who.securebits |= if keep == 1 { SECBIT_KEEP_CAPS } else { 0 };
                who.serial = 0;
            }
            (PR_CAPBSET_DROP, [capability, ..]) => {
                if !who.capable(CAP_SETPCAP) {
                    return Err(Errno::EPERM.into());
                }
                who.bounding &= !set_of(capability)?;
                who.serial = 0;
            }
            (PR_SET_SECUREBITS, [bits, ..]) => return set_securebits(who, bits),
            (PR_SET_NO_NEW_PRIVS, [1, 0, 0, 0]) => who.no_new_privs = true,
            (PR_CAP_AMBIENT, [operation, capability, 0, 0]) => {
                return ambient(who, operation, capability);
            }
            (PR_SET_PDEATHSIG, [signal, ..]) => {
                let valid = signal == 0 || i32::try_from(signal).is_ok_and(is_signal);
                if !valid {
                    return Err(Errno::EINVAL.into());
                }
                self.rows[process].death_signal = signal as u8;
            }
            (PR_SET_DUMPABLE, [is @ 0..=1, ..]) => {
                self.rows[process].undumpable = is == 0;
            }
            (PR_SET_CHILD_SUBREAPER, [is, ..]) => {
                self.rows[process].subreaper = is != 0;
            }
            _ => return Err(Errno::EINVAL.into()),
        }
        Ok(Answer::default())
    }
}

impl Kernel {
    /// The operations of prctl(2) that only tell; `None` for the others.
    fn prctl_get(&self, task: TaskRow, option: u32, args: [u64; 4]) -> Option<CallResult> {
        let process = &self.rows[self.rows[task].process];
        let who = &self.rows[task].credentials;
        let written = |number: i64| Ok(Answer::with(Payload::Number(number)));
        let told = |number: i64| Ok(Answer::value(number));
        Some(match (option, args) {
            (PR_GET_PDEATHSIG, _) => written(i64::from(process.death_signal)),
            (PR_GET_DUMPABLE, _) => told(i64::from(!process.undumpable)),
            (PR_GET_CHILD_SUBREAPER, _) => written(i64::from(process.subreaper)),
            (PR_GET_KEEPCAPS, _) => told(i64::from(who.is_secure(SECBIT_KEEP_CAPS))),
            (PR_GET_SECUREBITS, _) => told(i64::from(who.securebits)),
            (PR_GET_NO_NEW_PRIVS, [0, 0, 0, 0]) => told(i64::from(who.no_new_privs)),
            (PR_CAPBSET_READ, [capability, ..]) => set_of(capability)
                .map_err(Into::into)
                .and_then(|set| told(i64::from(who.bounding & set != 0))),
            _ => return None,
        })
    }
}

fn is_signal(number: i32) -> bool {
    Signal::new(number).is_some()
}

/// The set of one capability.
fn set_of(capability: u64) -> Result<u64, Errno> {
    let set = u32::try_from(capability).ok().and_then(|bit| 1u64.checked_shl(bit)).unwrap_or(0);
    if set & CAP_FULL == 0 { Err(Errno::EINVAL) } else { Ok(set) }
}

/// PR_SET_SECUREBITS: locked bits stay, and a lock is for ever.
fn set_securebits(who: &mut Credentials, bits: u64) -> CallResult {
    const SETTABLE: u32 =
        SECBIT_NOROOT | SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS | SECBIT_NO_CAP_AMBIENT_RAISE;
    let all = u64::from(SETTABLE | SETTABLE << 1);
    let old = who.securebits;
    let new = bits as u32;
    let locks = old & SETTABLE << 1;
    let changed = (old ^ new) & (locks >> 1 | locks);
    if bits & !all != 0 || changed != 0 || !who.capable(CAP_SETPCAP) {
        return Err(Errno::EPERM.into());
    }
    (who.securebits, who.serial) = (new, 0);
    Ok(Answer::default())
}

/// PR_CAP_AMBIENT.
fn ambient(who: &mut Credentials, operation: u64, capability: u64) -> CallResult {
    if operation == PR_CAP_AMBIENT_CLEAR_ALL {
        if capability != 0 {
            return Err(Errno::EINVAL.into());
        }
        (who.ambient, who.serial) = (0, 0);
        return Ok(Answer::default());
    }
    let set = set_of(capability)?;
    match operation {
        PR_CAP_AMBIENT_IS_SET => return Ok(Answer::value(i64::from(who.ambient & set != 0))),
        PR_CAP_AMBIENT_LOWER => who.ambient &= !set,
        PR_CAP_AMBIENT_RAISE => {
            let may = who.permitted & who.inheritable & set != 0;
            if !may || who.is_secure(SECBIT_NO_CAP_AMBIENT_RAISE) {
                return Err(Errno::EPERM.into());
            }
            who.ambient |= set;
        }
        _ => return Err(Errno::EINVAL.into()),
    }
    who.serial = 0;
    Ok(Answer::default())
}

/// capabilities(7), "Effect of user ID changes on capabilities": `old` and `new` are real,
/// effective and saved user.
pub(crate) fn change_users(who: &mut Credentials, old: [u32; 3], new: [u32; 3]) {
    if who.is_secure(SECBIT_NO_SETUID_FIXUP) {
        return;
    }
    if old.contains(&0) && !new.contains(&0) {
        if !who.is_secure(SECBIT_KEEP_CAPS) {
            (who.permitted, who.effective) = (0, 0);
        }
        who.ambient = 0;
    }
    if old[1] == 0 && new[1] != 0 {
        who.effective = 0;
    } else if old[1] != 0 && new[1] == 0 {
        who.effective = who.permitted & CAP_FULL;
    }
}

/// capabilities(7), "Transformation of capabilities during execve()", for a file without
/// capabilities of its own: user 0 counts as one that has all. `gained` = set-id bits changed who
/// the task is.
pub(crate) fn exec(who: &mut Credentials, gained: bool) {
    let is_root = !who.is_secure(SECBIT_NOROOT);
    let has_file = is_root && (who.uid == 0 || who.euid == 0);
    let is_effective = is_root && who.euid == 0;
    if gained {
        who.ambient = 0;
    }
    let kept = if has_file { 0 } else { who.ambient };
    who.ambient = kept;
    who.permitted = if has_file { who.inheritable | who.bounding } else { 0 } | kept;
    who.effective = if is_effective { who.permitted } else { kept };
    who.securebits &= !SECBIT_KEEP_CAPS;
}
