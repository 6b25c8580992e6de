//! The walk over who uses the tree: holders of entries, writers and runners of files. For the
//! accounting that compares (`systems/references.rs`), never for a tick.

use super::{Fs, Node, Place};
use alloc::collections::BTreeMap;

impl Fs {
    /// Whether each entry is held as often as these places, its mounts and the removed entries
    /// below it say.
    pub(crate) fn is_held_by(&self, places: &[Place]) -> bool {
        let mut wanted: BTreeMap<u32, u32> = BTreeMap::new();
        let mut hold = |entry: u32, times: u32| *wanted.entry(entry).or_default() += times;
        for place in places {
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
        self.entries.iter().all(|(id, entry)| {
            let held = wanted.get(&id).copied().unwrap_or(0);
            entry.holds == held && (entry.linked || held > 0)
        })
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
