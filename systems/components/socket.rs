//! A socket (socket(2)) that is connected to nothing. Not here yet: names, peers, queues.

use crate::components::TextDefault;

/// A socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Own id; also what its inode number is.
    pub id: u64,
    /// `AF_*`.
    pub domain: u32,
    /// `SOCK_*` without flags.
    pub kind: u32,
    /// Protocol.
    pub protocol: u32,
    /// Owner of its inode.
    pub uid: u32,
    /// Group of its inode.
    pub gid: u32,
}

impl TextDefault for Socket {
    type Cold = ();
}
