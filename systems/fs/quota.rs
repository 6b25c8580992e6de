//! Quotas of a tmpfs (tmpfs(5): `quota`, `usrquota`, `grpquota` and their hard limits): what the
//! files of each user and group take of a volume, and no more than so much of it (`EDQUOT`).
//!
//! Counted where `usage.rs` counts: an inode for its owner and its group, data by pages, the target
//! of a link that needs one too. As on Linux the limits are the same for all, user and group 0 have
//! none, and who has `CAP_SYS_RESOURCE` does not heed them. Not here: soft limits, and quotactl(2),
//! by which others have limits of their own.

use super::inode::Inode;
use super::{Caller, Fs, InodeId, Kind, Node, PAGE_BYTES, VolumeId};
use crate::abi::Errno;
use crate::abi::credentials::CAP_SYS_RESOURCE;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// How much: of a limit 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Pages of data.
    pub pages: u64,
    /// Inodes.
    pub inodes: u64,
}

crate::wire_struct!(Amount { pages, inodes });

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Party {
    User,
    Group,
}

/// What was asked for when the volume was mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaOptions {
    /// Users are counted.
    pub users: bool,
    /// Groups are.
    pub groups: bool,
    /// What a user may take.
    pub user: Amount,
    /// What a group may take.
    pub group: Amount,
}

crate::wire_struct!(QuotaOptions { users, groups, user, group });

/// Quotas of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// What holds.
    pub options: QuotaOptions,
    /// What each takes; follows from the rows.
    used: BTreeMap<(Party, u32), Amount>,
}

impl Quotas {
    /// Nothing is counted yet.
    pub(super) fn new(options: QuotaOptions) -> Self {
        Self { options, used: BTreeMap::new() }
    }

    /// Who is counted of an owner and a group.
    fn parties(&self, (uid, gid): (u32, u32)) -> impl Iterator<Item = (Party, u32)> + use<> {
        let user = self.options.users.then_some((Party::User, uid));
        let group = self.options.groups.then_some((Party::Group, gid));
        user.into_iter().chain(group)
    }

    fn add(&mut self, owner: (u32, u32), more: Amount) {
        for party in self.parties(owner) {
            let used = self.used.entry(party).or_default();
            used.pages += more.pages;
            used.inodes += more.inodes;
        }
    }

    fn take(&mut self, owner: (u32, u32), less: Amount) {
        for party in self.parties(owner) {
            if let Some(used) = self.used.get_mut(&party) {
                used.pages -= less.pages;
                used.inodes -= less.inodes;
                if *used == Amount::default() {
                    self.used.remove(&party);
                }
            }
        }
    }

    /// What a party may still take.
    fn left(&self, party: (Party, u32)) -> Amount {
        let limit = match party {
            (_, 0) => Amount::default(),
            (Party::User, _) => self.options.user,
            (Party::Group, _) => self.options.group,
        };
        let used = self.used.get(&party).copied().unwrap_or_default();
        let left = |limit: u64, used| match limit {
            0 => u64::MAX,
            _ => limit.saturating_sub(used),
        };
        Amount { pages: left(limit.pages, used.pages), inodes: left(limit.inodes, used.inodes) }
    }

    /// Counts all of an inode.
    pub(super) fn count(&mut self, inode: &Inode) {
        self.add((inode.uid, inode.gid), inode.amount());
    }

    /// Nothing is counted any more, to be counted anew.
    pub(super) fn forget(&mut self) {
        self.used.clear();
    }
}

impl Inode {
    /// What it takes of the quotas of its owner and group.
    fn amount(&self) -> Amount {
        Amount { pages: self.kind.present(), inodes: 1 }
    }
}

impl Fs {
    /// Gives a volume that is new its quotas, if any were asked for.
    pub(super) fn set_quotas(&mut self, volume: VolumeId, asked: QuotaOptions) {
        if !(asked.users || asked.groups) {
            return;
        }
        let mut quotas = Quotas::new(asked);
        // So far there is its top.
        if let Node::Entry(top) = self.volumes[volume.0 as usize].root {
            quotas.count(self.inodes.at(self.entry(top).inode.0));
        }
        self.volumes[volume.0 as usize].quotas = Some(Box::new(quotas));
    }

    fn quotas_mut(&mut self, volume: VolumeId) -> Option<&mut Quotas> {
        self.volumes[volume.0 as usize].quotas.as_deref_mut()
    }

    /// Counts an inode that is new.
    pub(super) fn count_owned(&mut self, inode: &Inode) {
        if let Some(quotas) = self.quotas_mut(inode.volume) {
            quotas.count(inode);
        }
    }

    /// Counts an inode less.
    pub(super) fn uncount_owned(&mut self, inode: &Inode) {
        if let Some(quotas) = self.quotas_mut(inode.volume) {
            quotas.take((inode.uid, inode.gid), inode.amount());
        }
    }

    /// Counts another number of pages of an inode's data.
    pub(super) fn count_owned_pages(&mut self, inode: InodeId, before: u64, after: u64) {
        let row = self.inodes.at(inode.0);
        let (volume, owner) = (row.volume, (row.uid, row.gid));
        if let Some(quotas) = self.quotas_mut(volume) {
            let pages = |pages| Amount { pages, inodes: 0 };
            quotas.add(owner, pages(after.saturating_sub(before)));
            quotas.take(owner, pages(before.saturating_sub(after)));
        }
    }

    /// Gives an inode another owner and group, who have what it takes from now on.
    pub(super) fn set_owner(&mut self, inode: InodeId, uid: u32, gid: u32) {
        let row = self.inode_mut(inode);
        let (volume, before) = (row.volume, (row.uid, row.gid));
        (row.uid, row.gid) = (uid, gid);
        if before == (uid, gid) || self.volumes[volume.0 as usize].quotas.is_none() {
            return;
        }
        let amount = self.inodes.at(inode.0).amount();
        if let Some(quotas) = self.quotas_mut(volume) {
            quotas.take(before, amount);
            quotas.add((uid, gid), amount);
        }
    }

    /// What an owner and a group may still take of a volume, as far as quotas say it.
    fn quota_left(&self, caller: &Caller<'_>, volume: VolumeId, owner: (u32, u32)) -> Amount {
        let none = Amount { pages: u64::MAX, inodes: u64::MAX };
        match &self.volumes[volume.0 as usize].quotas {
            Some(quotas) if !caller.cred.capable(CAP_SYS_RESOURCE) => quotas
                .parties(owner)
                .map(|party| quotas.left(party))
                .fold(none, |one, other| Amount {
                    pages: one.pages.min(other.pages),
                    inodes: one.inodes.min(other.inodes),
                }),
            _ => none,
        }
    }

    /// Pages that a file's data may still grow by.
    pub(super) fn quota_pages(&self, caller: &Caller<'_>, inode: InodeId) -> u64 {
        let row = self.inodes.at(inode.0);
        self.quota_left(caller, row.volume, (row.uid, row.gid)).pages
    }

    /// `EDQUOT` unless a new inode of this kind may be theirs.
    pub(super) fn quota_for_inode(
        &self,
        caller: &Caller<'_>,
        volume: VolumeId,
        kind: &Kind,
        owner: (u32, u32),
    ) -> Result<(), Errno> {
        let left = self.quota_left(caller, volume, owner);
        let fits = left.inodes > 0 && kind.present() <= left.pages;
        if fits { Ok(()) } else { Err(Errno::EDQUOT) }
    }

    /// `EDQUOT` unless what an inode takes may become theirs (chown(2)): who has it already is not
    /// asked.
    pub(super) fn quota_for_owner(
        &self,
        caller: &Caller<'_>,
        inode: InodeId,
        (uid, gid): (u32, u32),
    ) -> Result<(), Errno> {
        let row = self.inodes.at(inode.0);
        let Some(quotas) = &self.volumes[row.volume.0 as usize].quotas else { return Ok(()) };
        if caller.cred.capable(CAP_SYS_RESOURCE) {
            return Ok(());
        }
        let amount = row.amount();
        let is_new = |party: &(Party, u32)| match party {
            (Party::User, uid) => *uid != row.uid,
            (Party::Group, gid) => *gid != row.gid,
        };
        let fits = quotas.parties((uid, gid)).filter(is_new).all(|party| {
            let left = quotas.left(party);
            left.inodes >= amount.inodes && left.pages >= amount.pages
        });
        if fits { Ok(()) } else { Err(Errno::EDQUOT) }
    }
}

/// Options of tmpfs(5) about quotas: false if it is another; what is wrong with its value is
/// `EINVAL`.
pub(super) fn read_option(
    asked: &mut QuotaOptions,
    key: &[u8],
    value: Option<u64>,
) -> Result<bool, Errno> {
    match key {
        b"quota" | b"usrquota" | b"grpquota" => {
            if value.is_some() {
                return Err(Errno::EINVAL);
            }
            asked.users |= key != b"grpquota";
            asked.groups |= key != b"usrquota";
            return Ok(true);
        }
        _ => {}
    }
    let at = match key {
        b"usrquota_block_hardlimit" => &mut asked.user.pages,
        b"grpquota_block_hardlimit" => &mut asked.group.pages,
        b"usrquota_inode_hardlimit" => &mut asked.user.inodes,
        b"grpquota_inode_hardlimit" => &mut asked.group.inodes,
        _ => return Ok(false),
    };
    let number = value.filter(|number| *number > 0).ok_or(Errno::EINVAL)?;
    *at = if key.ends_with(b"inode_hardlimit") { number } else { number.div_ceil(PAGE_BYTES) };
    Ok(true)
}
