//! The walk of most paths (path_resolution(7)): names of directories one after the other, down to
//! the last one, also where another directory is mounted. Where a path has dots, links that are
//! followed, a mount at its end, /proc, too long names, a slash at its end, or leads nowhere before
//! its last name, `walk.rs` walks and says what is wrong.

use super::{Caller, EntryId, Fs, Kind, MountId, NAME_MAX, Node, PATH_MAX, Place};

/// The last name of a plain path, and the directory that it was looked up in.
pub(super) struct PlainEnd<'p> {
    pub(super) directory: Place,
    pub(super) name: &'p [u8],
    /// What it names, if anything.
    pub(super) entry: Option<EntryId>,
}

/// Where a plain path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// Here.
    Place(Place),
    /// To nothing, in a directory that is there, on this mount.
    Missing(MountId),
}

impl Fs {
    /// The end of a plain path; `None` for any other, and for the root itself.
    pub(super) fn plain_end<'p>(
        &self,
        caller: &Caller<'_>,
        from: Option<Place>,
        path: &'p [u8],
    ) -> Option<PlainEnd<'p>> {
        if path.len() >= PATH_MAX || caller.resolve != 0 {
            return None;
        }
        let absolute = path.first() == Some(&b'/');
        let mut directory = if absolute { caller.root } else { from.unwrap_or(caller.cwd) };
        if !absolute && !self.is_directory(directory) {
            return None;
        }
        let mut rest = after_slashes(path);
        loop {
            let end = rest.iter().position(|byte| *byte == b'/');
            let name = &rest[..end.unwrap_or(rest.len())];
            if name.is_empty() || name.len() > NAME_MAX || name == b"." || name == b".." {
                return None;
            }
            self.may_search(caller, directory).ok()?;
            let Node::Entry(above) = directory.node else { return None };
            let entry = self.child(above, name);
            let Some(end) = end else {
                // Nothing can be made in a directory that was removed.
                let dead = entry.is_none() && self.is_dead(directory);
                return (!dead).then_some(PlainEnd { directory, name, entry });
            };
            directory = self.plain_directory(directory, entry?)?;
            rest = after_slashes(&rest[end..]);
        }
    }

    /// The directory that an entry of another is, or that is mounted there; `None` for links, other
    /// files and /proc.
    fn plain_directory(&self, above: Place, id: EntryId) -> Option<Place> {
        let place = Place { mount: above.mount, node: Node::Entry(id) };
        let row = self.entry(id);
        let (place, row) = if row.mounts == 0 {
            (place, row)
        } else {
            let top = self.top_mount(place);
            let Node::Entry(id) = top.node else { return None };
            (top, self.entry(id))
        };
        let is_directory = matches!(self.inodes.at(row.inode.0).kind, Kind::Directory(_));
        is_directory.then_some(place)
    }

    /// Where a path leads, if it is plain: then no link is followed on the way.
    pub fn plain_walk(
        &self,
        caller: &Caller<'_>,
        from: Option<Place>,
        path: &[u8],
        follow: bool,
    ) -> Option<Plain> {
        if path == b"/" && caller.resolve == 0 {
            return Some(Plain::Place(caller.root));
        }
        let end = self.plain_end(caller, from, path)?;
        let mount = end.directory.mount;
        let Some(id) = end.entry else { return Some(Plain::Missing(mount)) };
        self.is_plain(id, follow).then_some(Plain::Place(Place { mount, node: Node::Entry(id) }))
    }

    /// Whether the end of a path is what it names: no link that is followed, no mount.
    pub(super) fn is_plain(&self, id: EntryId, follow: bool) -> bool {
        let row = self.entry(id);
        let is_link = || matches!(self.inodes.at(row.inode.0).kind, Kind::Symlink(_));
        row.mounts == 0 && !(follow && is_link())
    }
}

fn after_slashes(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
    &path[start..]
}
