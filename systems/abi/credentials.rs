//! Credentials of credentials(7) and capabilities(7): who a task is to the file system and to
//! kill(2).

use super::flags::{Names, constants};
use crate::wire::{Wire, WireError, WireReader};
use alloc::vec::Vec;

constants! {
    /// Capabilities of capabilities(7), as bit numbers of the sets.
    CAPABILITIES: u32 {
        CAP_CHOWN = 0, CAP_DAC_OVERRIDE = 1, CAP_DAC_READ_SEARCH = 2, CAP_FOWNER = 3,
        CAP_FSETID = 4, CAP_KILL = 5, CAP_SETGID = 6, CAP_SETUID = 7, CAP_SETPCAP = 8,
        CAP_LINUX_IMMUTABLE = 9, CAP_NET_BIND_SERVICE = 10, CAP_NET_BROADCAST = 11,
        CAP_NET_ADMIN = 12, CAP_NET_RAW = 13, CAP_IPC_LOCK = 14, CAP_IPC_OWNER = 15,
        CAP_SYS_MODULE = 16, CAP_SYS_RAWIO = 17, CAP_SYS_CHROOT = 18, CAP_SYS_PTRACE = 19,
        CAP_SYS_PACCT = 20, CAP_SYS_ADMIN = 21, CAP_SYS_BOOT = 22, CAP_SYS_NICE = 23,
        CAP_SYS_RESOURCE = 24, CAP_SYS_TIME = 25, CAP_SYS_TTY_CONFIG = 26, CAP_MKNOD = 27,
        CAP_LEASE = 28, CAP_AUDIT_WRITE = 29, CAP_AUDIT_CONTROL = 30, CAP_SETFCAP = 31,
        CAP_MAC_OVERRIDE = 32, CAP_MAC_ADMIN = 33, CAP_SYSLOG = 34, CAP_WAKE_ALARM = 35,
        CAP_BLOCK_SUSPEND = 36, CAP_AUDIT_READ = 37, CAP_PERFMON = 38, CAP_BPF = 39,
        CAP_CHECKPOINT_RESTORE = 40,
    }
}
/// Every capability up to `CAP_CHECKPOINT_RESTORE` (40).
pub const CAP_FULL: u64 = (1 << 41) - 1;

/// Ids and capabilities of a task (credentials(7)).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Credentials {
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Saved set-user-id.
    pub suid: u32,
    /// User id for file system checks.
    pub fsuid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Saved set-group-id.
    pub sgid: u32,
    /// Group id for file system checks.
    pub fsgid: u32,
    /// Supplementary groups, in the order of setgroups(2).
    pub groups: Vec<u32>,
    /// Effective capabilities, bit n = capability n.
    pub effective: u64,
    /// Permitted capabilities.
    pub permitted: u64,
    /// Inheritable capabilities.
    pub inheritable: u64,
    /// Capabilities that execve(2) may give.
    pub bounding: u64,
    /// Capabilities that execve(2) keeps for a program without any of its own.
    pub ambient: u64,
    /// `SECBIT_*` of capabilities(7); PR_SET_KEEPCAPS is one of them.
    pub securebits: u32,
    /// prctl(2) PR_SET_NO_NEW_PRIVS.
    pub no_new_privs: bool,
    /// Which set they are, where it was asked (linkat(2), `AT_EMPTY_PATH`); 0 from each change on.
    pub serial: u64,
}

constants! {
    /// Bits of capabilities(7), "The securebits flags".
    SECUREBITS: u32 {
        SECBIT_NOROOT = 1, SECBIT_NOROOT_LOCKED = 2, SECBIT_NO_SETUID_FIXUP = 4,
        SECBIT_NO_SETUID_FIXUP_LOCKED = 8, SECBIT_KEEP_CAPS = 0x10, SECBIT_KEEP_CAPS_LOCKED = 0x20,
        SECBIT_NO_CAP_AMBIENT_RAISE = 0x40, SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED = 0x80,
    }
}
/// Bit of the encoded permitted set that says that the sets below follow. Without it they are what
/// a task has that never asked for others.
const MORE: u64 = 1 << 63;
/// The same for the number of the set, which comes first.
const HAS_SERIAL: u64 = 1 << 62;

impl<'a> Wire<'a> for Credentials {
    fn put(&self, out: &mut Vec<u8>) {
        [self.uid, self.euid, self.suid, self.fsuid].put(out);
        [self.gid, self.egid, self.sgid, self.fsgid].put(out);
        self.groups.put(out);
        self.effective.put(out);
        let plain = Self { groups: Vec::new(), ..self.clone() };
        let is_plain = plain == plain.clone().without_others();
        let more = if is_plain { 0 } else { MORE };
        let numbered = if self.serial == 0 { 0 } else { HAS_SERIAL };
        (self.permitted | more | numbered).put(out);
        if self.serial != 0 {
            self.serial.put(out);
        }
        if is_plain {
            return;
        }
        [self.inheritable, self.bounding, self.ambient].put(out);
        (self.securebits, self.no_new_privs).put(out);
    }

    fn get(from: &mut WireReader<'a>) -> Result<Self, WireError> {
        let [uid, euid, suid, fsuid] = Wire::get(from)?;
        let [gid, egid, sgid, fsgid] = Wire::get(from)?;
        let (groups, effective, permitted) = (Wire::get(from)?, u64::get(from)?, u64::get(from)?);
        let who =
            Self { uid, euid, suid, fsuid, gid, egid, sgid, fsgid, groups, ..Self::default() };
        let serial = if permitted & HAS_SERIAL != 0 { u64::get(from)? } else { 0 };
        let own = permitted & !(MORE | HAS_SERIAL);
        let who = Self { effective, permitted: own, serial, ..who };
        if permitted & MORE == 0 {
            return Ok(who.without_others());
        }
        let [inheritable, bounding, ambient] = Wire::get(from)?;
        let (securebits, no_new_privs) = Wire::get(from)?;
        Ok(Self { inheritable, bounding, ambient, securebits, no_new_privs, ..who })
    }
}

impl Credentials {
    /// User and group 0 with all capabilities.
    pub fn root() -> Self {
        let all = CAP_FULL;
        Self { effective: all, permitted: all, bounding: all, ..Self::default() }
    }

    /// A user without capabilities; with all if `uid` is 0.
    pub fn user(uid: u32, gid: u32, groups: Vec<u32>) -> Self {
        let capabilities = if uid == 0 { CAP_FULL } else { 0 };
        Self {
            uid,
            euid: uid,
            suid: uid,
            fsuid: uid,
            gid,
            egid: gid,
            sgid: gid,
            fsgid: gid,
            groups,
            effective: capabilities,
            permitted: capabilities,
            bounding: CAP_FULL,
            ..Self::default()
        }
    }

    /// The sets that a task has which never asked for others: what user 0 lacks from the start (a
    /// container) it never gains.
    #[must_use]
    pub fn without_others(self) -> Self {
        let lacks = self.euid == 0 && self.permitted != 0;
        let bounding = if lacks { self.permitted } else { CAP_FULL };
        let (inheritable, ambient, securebits, no_new_privs) = (0, 0, 0, false);
        Self { inheritable, bounding, ambient, securebits, no_new_privs, ..self }
    }

    /// Whether a bit of the securebits is set.
    pub const fn is_secure(&self, bit: u32) -> bool {
        self.securebits & bit != 0
    }

    /// Whether the capability is in the effective set.
    pub const fn capable(&self, capability: u32) -> bool {
        self.effective & (1 << capability) != 0
    }

    /// Whether the group is the file-system group or a supplementary one.
    pub fn in_group(&self, gid: u32) -> bool {
        self.fsgid == gid || self.groups.contains(&gid)
    }
}
