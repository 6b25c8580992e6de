//! Credentials of credentials(7) and capabilities(7): who a task is to the file system and to
//! kill(2).

use alloc::vec::Vec;

/// `CAP_CHOWN` and the others of capabilities(7), as bit numbers of the effective set.
pub const CAP_CHOWN: u32 = 0;
/// Overrides file permission checks.
pub const CAP_DAC_OVERRIDE: u32 = 1;
/// Overrides read permission of files and search permission of directories.
pub const CAP_DAC_READ_SEARCH: u32 = 2;
/// Acts as the owner of files.
pub const CAP_FOWNER: u32 = 3;
/// Keeps set-id bits; sets set-group-id for any group.
pub const CAP_FSETID: u32 = 4;
/// Sends signals to anyone.
pub const CAP_KILL: u32 = 5;
/// Changes group ids.
pub const CAP_SETGID: u32 = 6;
/// Changes user ids.
pub const CAP_SETUID: u32 = 7;
/// Takes leases, immutable flags.
pub const CAP_LINUX_IMMUTABLE: u32 = 9;
/// Uses chroot(2).
pub const CAP_SYS_CHROOT: u32 = 18;
/// Administration; trusted extended attributes, mounts.
pub const CAP_SYS_ADMIN: u32 = 21;
/// Raises limits.
pub const CAP_SYS_RESOURCE: u32 = 24;
/// Makes device nodes.
pub const CAP_MKNOD: u32 = 27;
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
}

crate::wire_struct!(Credentials {
    uid,
    euid,
    suid,
    fsuid,
    gid,
    egid,
    sgid,
    fsgid,
    groups,
    effective,
    permitted
});

impl Credentials {
    /// User and group 0 with all capabilities.
    pub fn root() -> Self {
        Self { effective: CAP_FULL, permitted: CAP_FULL, ..Self::default() }
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
        }
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
