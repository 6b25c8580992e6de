//! From places to paths: getcwd(2), the texts of /proc/PID/fd links, and walks over a whole tree.

use super::procfs;
use super::{Caller, Fs, Kind, Name, Node, PATH_MAX, Place};
use crate::abi::Errno;
use alloc::vec::Vec;

impl Fs {
    fn name_of(&self, node: Node) -> Name {
        match node {
            Node::Entry(entry) => self.entry(entry).name.clone(),
            Node::Proc(node) => procfs::name(node),
        }
    }

    /// The path from a root down to a place, and whether the root was met on the way up.
    pub(super) fn path_from(&self, root: Place, place: Place) -> (Vec<u8>, bool) {
        let mut names = Vec::new();
        let mut at = place;
        let met = loop {
            if at == root {
                break true;
            }
            let mount = self.mounts.at(at.mount.0);
            if at.node == mount.root {
                match mount.at {
                    None => break false,
                    Some(below) => at = below,
                }
                continue;
            }
            let parent = self.parent_node(at.node);
            if parent == at.node {
                break false;
            }
            names.push(self.name_of(at.node));
            at.node = parent;
        };
        (joined(&names), met)
    }

    /// The path of a node from the top of its volume.
    pub(super) fn path_on_volume(&self, mut node: Node) -> Vec<u8> {
        let mut names = Vec::new();
        loop {
            let parent = self.parent_node(node);
            if parent == node {
                return joined(&names);
            }
            names.push(self.name_of(node));
            node = parent;
        }
    }

    /// Whether the name at a place was taken away.
    pub fn is_deleted(&self, place: Place) -> bool {
        match place.node {
            Node::Entry(entry) => !self.entry(entry).linked,
            Node::Proc(_) => false,
        }
    }

    /// The path of a place as links below /proc/PID show it: from the caller's root, with
    /// ` (deleted)` behind a name that is gone (proc_pid_fd(5)).
    pub fn path_text(&self, caller: &Caller<'_>, place: Place) -> Vec<u8> {
        let (mut path, _) = self.path_from(caller.root, place);
        if self.is_deleted(place) {
            path.extend_from_slice(b" (deleted)");
        }
        path
    }

    /// getcwd(2): the path of the caller's working directory, without the NUL.
    ///
    /// # Errors
    /// `ENOENT` if it was removed, `ENAMETOOLONG` if it is longer than any path.
    pub fn getcwd(&self, caller: &Caller<'_>) -> Result<Vec<u8>, Errno> {
        if self.is_deleted(caller.cwd) {
            return Err(Errno::ENOENT);
        }
        let (path, met) = self.path_from(caller.root, caller.cwd);
        fits_path(if met { path } else { [b"(unreachable)", path.as_slice()].concat() })
    }

    /// How many bytes the paths of [`Fs::tree`] have together: of a deep tree many more than it has
    /// names.
    pub fn tree_bytes(&self, top: Place) -> u64 {
        let (mut bytes, mut open) = (0u64, alloc::vec![(0u64, top)]);
        while let Some((above, directory)) = open.pop() {
            let Some(Kind::Directory(list)) = self.inode(directory).map(|inode| &inode.kind) else {
                continue;
            };
            for (_, entry) in list.entries_from(0) {
                let length = above + 1 + self.entry(entry).name.len() as u64;
                bytes = bytes.saturating_add(length);
                let place = Place { mount: directory.mount, node: Node::Entry(entry) };
                if self.is_directory(place) && self.top_mount(place) == place {
                    open.push((length, place));
                }
            }
        }
        bytes
    }

    /// Every entry below a directory with its path from there (`/a/b`), sorted by bytes; of mounts
    /// there is the top, and they are not entered.
    pub fn tree(&self, top: Place) -> Vec<(Vec<u8>, Place)> {
        let mut found = Vec::new();
        let mut open = alloc::vec![(Vec::new(), top)];
        while let Some((path, directory)) = open.pop() {
            let Some(Kind::Directory(list)) = self.inode(directory).map(|inode| &inode.kind) else {
                continue;
            };
            for (_, entry) in list.entries_from(0) {
                let path = [&path, &b"/"[..], &self.entry(entry).name].concat();
                let place = Place { mount: directory.mount, node: Node::Entry(entry) };
                let seen = self.top_mount(place);
                if self.is_directory(place) && seen == place {
                    open.push((path.clone(), place));
                }
                found.push((path, seen));
            }
        }
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        found
    }
}

/// A path as the kernel makes it for a program: with its NUL it fits in `PATH_MAX` bytes.
///
/// # Errors
/// `ENAMETOOLONG`.
pub(super) fn fits_path(path: Vec<u8>) -> Result<Vec<u8>, Errno> {
    if path.len() < PATH_MAX { Ok(path) } else { Err(Errno::ENAMETOOLONG) }
}

/// The path of names that stand from the last to the first.
fn joined(names: &[Name]) -> Vec<u8> {
    let mut path = Vec::new();
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}
