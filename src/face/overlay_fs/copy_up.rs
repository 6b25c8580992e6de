//! Copying up: what lies in a lower layer comes to the upper one before it changes.
//!
//! Mode, owner and contents come with it; its times too by overlayfs's rules, not by the
//! contract's. Directories come without their entries, which stay merged.

use super::OverlayFileSystem;
use super::layers::{Found, Layer, View, Walked, child};
use crate::face::usage::FileSystemUsage;
use crate::face::vfs::{
    VfsError, VfsResult, VirtualFileSystem, VirtualStat, VirtualTimeSpec, VirtualUtimeSpec,
    measure_filesystem_usage, split_last,
};
use std::collections::{BTreeMap, BTreeSet};
use tickernel_systems::abi::Errno;

/// What has come up already: where the names of one inode of a lower layer lie above.
type Copied = BTreeMap<(u64, u64), String>;

/// What a rename would copy up.
#[derive(Debug, Default)]
struct Cost {
    bytes: u64,
    inodes: u64,
}

impl OverlayFileSystem {
    /// `EROFS` when no change is taken.
    pub(super) fn writable(&self, op: &str, path: &str) -> VfsResult<()> {
        if self.locked {
            return Err(VfsError::on_path(Errno::EROFS, op, path));
        }
        // Whoever knows what its change makes of the count keeps it.
        self.counted.set(None);
        Ok(())
    }

    /// The directories that lead to a path without links, all seen, come up.
    pub(super) fn copy_up_above(&mut self, path: &str) -> VfsResult<()> {
        let mut missing = Vec::new();
        let mut rest = path;
        while let Some((parent, _)) = split_last(rest) {
            if parent == "/" || self.upper.exists(parent) {
                break;
            }
            missing.push(parent);
            rest = parent;
        }
        for directory in missing.into_iter().rev() {
            let (_, found) = self.find(directory, false, View::Merged)?;
            self.upper.create_dir(directory)?;
            self.dress(directory, &found.stat)?;
        }
        Ok(())
    }

    /// Gives what has come up its owner, mode and (by overlayfs's rules) times.
    fn dress(&mut self, path: &str, stat: &VirtualStat) -> VfsResult<()> {
        self.upper.chown(path, stat.uid, stat.gid)?;
        // After its owner: chown(2) clears the set-id bits.
        self.upper.chmod(path, stat.mode & 0o7777)?;
        self.date(path, stat)
    }

    fn date(&mut self, path: &str, stat: &VirtualStat) -> VfsResult<()> {
        if !self.linux {
            return Ok(());
        }
        let time = |ms: u64, nsec: u32| {
            let whole = VirtualTimeSpec::from_millis(ms);
            VirtualUtimeSpec::Set(VirtualTimeSpec { nsec: nsec.max(whole.nsec), ..whole })
        };
        let atime = time(stat.atime_ms, stat.atime_nsec);
        let mtime = time(stat.mtime_ms, stat.mtime_nsec);
        self.upper.utimes_spec(path, atime, mtime, false)
    }

    /// One entry comes up, a directory without what is in it; nothing is done when it is there.
    pub(super) fn copy_up(&mut self, path: &str, found: &Found) -> VfsResult<()> {
        self.copy_up_linked(path, found, &mut Copied::new())
    }

    fn copy_up_linked(&mut self, path: &str, found: &Found, copied: &mut Copied) -> VfsResult<()> {
        if found.layer == Layer::Upper {
            return Ok(());
        }
        self.copy_up_above(path)?;
        let stat = &found.stat;
        if stat.is_directory {
            self.upper.create_dir(path)?;
            return self.dress(path, stat);
        }
        if let Some(other) = copied.get(&(stat.dev, stat.ino)) {
            return self.upper.link(other, path);
        }
        if stat.is_symbolic_link {
            let target = self.layer(found.layer).read_link(path)?;
            self.upper.symlink_with_metadata(&target, path, stat.mode, stat.uid, stat.gid)?;
            self.date(path, stat)?;
        } else {
            let content = self.layer_mut(found.layer).read_file(path)?;
            self.upper.write_file(path, content)?;
            self.dress(path, stat)?;
        }
        if stat.nlink > 1 {
            copied.insert((stat.dev, stat.ino), path.to_owned());
        }
        Ok(())
    }

    /// A file whose contents are about to go comes up without them.
    pub(super) fn copy_up_empty(&mut self, path: &str, found: &Found) -> VfsResult<()> {
        if found.layer == Layer::Upper || !found.is_file() {
            return self.copy_up(path, found);
        }
        self.copy_up_above(path)?;
        self.upper.write_file(path, Vec::new())?;
        self.dress(path, &found.stat)
    }

    /// What is at a path and below, outermost first, without recursion.
    fn subtree(&self, path: &str, found: &Found) -> VfsResult<Vec<(String, Found)>> {
        let mut all = Vec::new();
        let mut rest = vec![(path.to_owned(), found.clone())];
        while let Some((path, found)) = rest.pop() {
            if found.stat.is_directory {
                for entry in self.list(&path, &found)?.into_iter().rev() {
                    let inside = child(&path, &entry.name);
                    if let Some(found) = self.step(&found.layers, &inside)? {
                        rest.push((inside, found));
                    }
                }
            }
            all.push((path, found));
        }
        Ok(all)
    }

    /// All that is seen, the directories before what is in them.
    pub(crate) fn everything(&self) -> VfsResult<Vec<(String, VirtualStat)>> {
        let (path, root) = self.find("/", false, View::Merged)?;
        let all = self.subtree(&path, &root)?;
        Ok(all.into_iter().map(|(path, found)| (path, found.stat)).collect())
    }

    /// Everything at a path and below comes up.
    pub(super) fn copy_up_tree(&mut self, path: &str, found: &Found) -> VfsResult<()> {
        let mut copied = Copied::new();
        for (path, found) in self.subtree(path, found)? {
            self.copy_up_linked(&path, &found, &mut copied)?;
        }
        Ok(())
    }

    /// Refuses a rename that would copy more up than there is room for in the upper layer.
    ///
    /// # Errors
    /// Those of the rename (`EROFS`, `ENOENT`, `EINVAL`, `ENOTEMPTY`), then `ENOSPC`.
    pub fn check_rename_copy_up_limits(
        &mut self,
        old_path: &str,
        new_path: &str,
        max_bytes: Option<u64>,
        max_inodes: Option<usize>,
    ) -> VfsResult<()> {
        let known = self.counted.get();
        let checked = self.check_rename(old_path, new_path);
        self.counted.set(known);
        let Some((from, to)) = checked? else { return Ok(()) };
        let Some(found) = &from.found else { return Ok(()) };
        let cost = self.rename_cost(&from.path, found, &to)?;
        if cost.bytes == 0 && cost.inodes == 0 {
            return Ok(());
        }
        let usage = self.usage_after(&to)?;
        let bytes = usage.total_bytes.saturating_add(cost.bytes);
        let inodes = (usage.inode_count as u64).saturating_add(cost.inodes);
        let many_bytes = max_bytes.is_some_and(|max| bytes > max);
        if many_bytes || max_inodes.is_some_and(|max| inodes > max as u64) {
            return Err(VfsError::on_path(Errno::ENOSPC, "rename", old_path));
        }
        Ok(())
    }

    fn rename_cost(&self, from: &str, found: &Found, to: &Walked) -> VfsResult<Cost> {
        let mut cost = Cost::default();
        let mut seen = BTreeSet::new();
        for (_, found) in self.subtree(from, found)? {
            if found.layer == Layer::Upper || !seen.insert((found.stat.dev, found.stat.ino)) {
                continue;
            }
            cost.inodes += 1;
            if !found.stat.is_directory {
                cost.bytes = cost.bytes.saturating_add(found.stat.size);
            }
        }
        let mut rest = to.path.as_str();
        while let Some((parent, _)) = split_last(rest) {
            if parent == "/" || self.upper.exists(parent) {
                break;
            }
            cost.inodes += 1;
            rest = parent;
        }
        Ok(cost)
    }

    /// What the upper layer holds, less what the rename would replace in it.
    fn usage_after(&mut self, to: &Walked) -> VfsResult<FileSystemUsage> {
        let mut usage = measure_filesystem_usage(&mut self.upper)?;
        let Some(there) = to.found.as_ref().filter(|found| found.layer == Layer::Upper) else {
            return Ok(usage);
        };
        if there.stat.is_directory || there.stat.nlink < 2 {
            usage.inode_count = usage.inode_count.saturating_sub(1);
            let bytes = if there.stat.is_directory { 0 } else { there.stat.size };
            usage.total_bytes = usage.total_bytes.saturating_sub(bytes);
        }
        Ok(usage)
    }
}
