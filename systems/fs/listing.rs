//! Listing a directory: getdents64(2).

use super::directory::FIRST_COOKIE;
use super::procfs;
use super::{Caller, Fs, Kind, MountId, Name, Node, Place};
use crate::abi::{Dirent, Errno};
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Where an entry of a directory of /proc or of an inode is: its cookie, name and node.
type Listed<'a> = Box<dyn Iterator<Item = (u64, Name, Node)> + 'a>;

impl Fs {
    /// The entries from a position (0 = the start, else a `d_off`) that fit in a buffer of
    /// `max_bytes`; none at the end. After it [`Fs::accessed`] is due.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOENT` in a removed directory, `EINVAL` if not even one entry fits.
    pub fn list(
        &self,
        caller: &Caller<'_>,
        place: Place,
        from: u64,
        max_bytes: u64,
    ) -> Result<Vec<Dirent>, Errno> {
        if !self.is_directory(place) {
            return Err(Errno::ENOTDIR);
        }
        if self.is_dead(place) {
            return Err(Errno::ENOENT);
        }
        let dots = [(0, &b"."[..], place.node), (1, b"..", self.parent_node(place.node))];
        let dots = dots.into_iter().filter(|dot| dot.0 >= from);
        let dots = dots.map(|(cookie, name, node)| (cookie, Name::from_slice(name), node));
        let (mut left, mut whole) = (max_bytes, true);
        let mut entries: Vec<Dirent> = Vec::new();
        for (cookie, name, node) in dots.chain(self.listed(caller, place, from)?) {
            let bytes = Dirent::record_bytes(name.len() as u64);
            if bytes > left {
                if entries.is_empty() {
                    return Err(Errno::EINVAL);
                }
                whole = false;
                break;
            }
            left -= bytes;
            entries.push(self.dirent(place.mount, cookie, name, node));
        }
        // Who has come to the end stays there: names that are made later are not seen.
        if let (true, Some(last)) = (whole, entries.last_mut()) {
            last.off = match place.node {
                Node::Entry(_) => self.volume(place).kind.facts().end_of_directory,
                Node::Proc(node) => procfs::end_of(node, last.off),
            };
        }
        Ok(entries)
    }

    /// Every entry of a directory but `.` and `..`, in its own order.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOMEM` if there are more than `max`.
    pub fn children(&self, place: Place, max: u64) -> Result<Vec<Dirent>, Errno> {
        let Some(Kind::Directory(list)) = self.inode(place).map(|inode| &inode.kind) else {
            return Err(Errno::ENOTDIR);
        };
        if u64::from(list.live()) > max {
            return Err(Errno::ENOMEM);
        }
        let entries = list.entries_from(FIRST_COOKIE);
        Ok(entries
            .map(|(cookie, entry)| {
                let name = self.entry(entry).name.clone();
                self.dirent(place.mount, cookie, name, Node::Entry(entry))
            })
            .collect())
    }

    fn listed<'a>(
        &'a self,
        caller: &'a Caller<'_>,
        place: Place,
        from: u64,
    ) -> Result<Listed<'a>, Errno> {
        Ok(match place.node {
            Node::Proc(node) => {
                let entries = procfs::list(caller.proc, node, from)?;
                Box::new(entries.map(|(cookie, name, node)| (cookie, name, Node::Proc(node))))
            }
            Node::Entry(entry) => match &self.inodes.at(self.entry(entry).inode.0).kind {
                Kind::Directory(list) => {
                    let entries = list.entries_from(from.max(FIRST_COOKIE));
                    Box::new(entries.map(|(cookie, entry)| {
                        (cookie, self.entry(entry).name.clone(), Node::Entry(entry))
                    }))
                }
                _ => return Err(Errno::ENOTDIR),
            },
        })
    }

    fn dirent(&self, mount: MountId, cookie: u64, name: Name, node: Node) -> Dirent {
        let (ino, type_bits) = match node {
            Node::Entry(entry) => {
                let inode = self.entry(entry).inode;
                (self.number_at(mount, inode), self.inodes.at(inode.0).kind.type_bits())
            }
            Node::Proc(node) => (node.ino(), procfs::type_bits(node)),
        };
        Dirent {
            ino,
            off: cookie as i64 + 1,
            kind: (type_bits >> 12) as u8,
            name: Bytes(name.to_vec()),
        }
    }
}
