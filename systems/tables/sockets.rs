//! The names of sockets (bind(2)): inodes of paths and abstract names of unix(7). Ordered, outside
//! the world; follows from the rows.

use crate::fs::InodeId;
use crate::rows::SocketRow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Who has which name.
#[derive(Debug, Default)]
pub struct SocketNames {
    /// Sockets whose name is a path, by its inode.
    pub paths: BTreeMap<InodeId, SocketRow>,
    /// Sockets with abstract names: each type has names of its own.
    pub abstracts: BTreeMap<(u32, Vec<u8>), SocketRow>,
    /// The number in the next name that nobody chose.
    pub next_auto: u32,
}
