//! The walk over who uses the tree: holders of entries, writers and runners of files. For the
//! accounting that compares (`systems/references.rs`), never for a tick.

use super::{Fs, MountId, Node, Place};
use alloc::collections::BTreeMap;

impl Fs {
    /// Whether each entry is held as often as these places, its mounts and the removed entries
    /// below it say.
    pub(crate) fn is_held_by(&self, places: &[Place]) -> bool {
        let mut wanted: BTreeMap<u32, u32> = BTreeMap::new();
        let mut hold = |entry: u32, times: u32| *wanted.entry(entry).or_default() += times;
        let mut users: BTreeMap<u32, u32> = BTreeMap::new();
        for place in places {
            *users.entry(place.mount.0).or_default() += 1;
            if let Node::Entry(entry) = place.node {
                hold(entry.0, 1);
            }
        }
        for (id, entry) in self.entries.iter() {
            // The top of a volume is held by the volume.
            hold(id, entry.mounts + u32::from(entry.parent.0 == id));
            if !entry.linked {
                hold(entry.parent.0, 1);
            }
        }
        for (id, _) in self.mounts.iter() {
            if let Some(entry) = self.held_root(MountId(id)) {
                hold(entry.0, 1);
            }
        }
        let mounts_agree = self
            .mounts
            .iter()
            .all(|(id, mount)| mount.users == users.get(&id).copied().unwrap_or(0));
        mounts_agree
            && self.is_indexed()
            && self.entries.iter().all(|(id, entry)| {
                let held = wanted.get(&id).copied().unwrap_or(0);
                entry.holds == held && (entry.linked || held > 0)
            })
    }

    /// Counts the users of each mount anew, after decoding: these places are held.
    pub(crate) fn count_users(&mut self, places: &[Place]) {
        for place in places {
            if self.mounts.get(place.mount.0).is_some() {
                self.mounts.at_mut_unmarked(place.mount.0).users += 1;
            }
        }
    }

    /// Whether files are written and run as often as these places say.
    pub(crate) fn is_busy_with(&self, written: &[Place], run: &[Place]) -> bool {
        let mut wanted: BTreeMap<u32, [u32; 2]> = BTreeMap::new();
        for (which, places) in [written, run].into_iter().enumerate() {
            for place in places {
                if let Some(inode) = self.regular_inode(*place) {
                    wanted.entry(inode.0).or_default()[which] += 1;
                }
            }
        }
        self.inodes
            .iter()
            .all(|(id, inode)| inode.busy.users() == wanted.get(&id).copied().unwrap_or_default())
    }
}
