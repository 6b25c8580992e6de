//! The umask of a session that never calls umask(2): what a file that was just created shows
//! (open(2): `mode & ~umask`).

use std::collections::BTreeMap;

use tickernel_systems::abi::flags::*;
use tickernel_systems::event::{Call, Payload};

use super::decode::Decoded;
use crate::replay::{Recorded, stat_bits};

/// Names that are kept at most.
const MAX_NAMES: usize = 4096;

/// Files created with a known mode, until something shows what became of it.
#[derive(Debug, Default)]
pub struct Created {
    /// By task and path: the mode that was asked for.
    names: BTreeMap<(u32, Vec<u8>), u32>,
    /// By task and descriptor.
    fds: BTreeMap<(u32, i32), u32>,
    /// What the first of them shows.
    pub umask: Option<u32>,
}

impl Created {
    /// A call that succeeded.
    pub fn see(&mut self, tid: u32, call: &Call<'_>, decoded: &Decoded) {
        match *call {
            Call::Mkdir { path: Some(path), mode }
            | Call::Mkdirat { dirfd: AT_FDCWD, path: Some(path), mode } => {
                self.note(tid, path, mode & 0o777);
            }
            Call::Open { path: Some(path), flags, mode }
            | Call::Openat { dirfd: AT_FDCWD, path: Some(path), flags, mode }
            | Call::Openat2 { dirfd: AT_FDCWD, path: Some(path), flags, mode, .. }
                if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL =>
            {
                self.note(tid, path, mode & 0o777);
                if let Recorded::Value(fd) = decoded.expected.recorded
                    && let (Ok(fd), true) = (i32::try_from(fd), self.fds.len() < MAX_NAMES)
                {
                    self.fds.insert((tid, fd), mode & 0o777);
                }
            }
            Call::Close { fd } | Call::Fchmod { fd, .. } => {
                self.fds.remove(&(tid, fd));
                if matches!(call, Call::Fchmod { .. }) {
                    self.names.clear();
                }
            }
            Call::Chmod { .. } | Call::Fchmodat { .. } | Call::Fchmodat2 { .. } => {
                self.names.clear();
                self.fds.clear();
            }
            Call::Fstat { fd } => self.shown(self.fds.get(&(tid, fd)).copied(), decoded),
            Call::Newfstatat { dirfd, path: Some(b""), .. } => {
                self.shown(self.fds.get(&(tid, dirfd)).copied(), decoded);
            }
            Call::Stat { path: Some(path) }
            | Call::Lstat { path: Some(path) }
            | Call::Newfstatat { dirfd: AT_FDCWD, path: Some(path), .. } => {
                self.shown(self.names.get(&(tid, path.to_vec())).copied(), decoded);
            }
            _ => {}
        }
    }

    fn note(&mut self, tid: u32, path: &[u8], mode: u32) {
        if self.names.len() < MAX_NAMES {
            self.names.insert((tid, path.to_vec()), mode);
        }
    }

    fn shown(&mut self, asked: Option<u32>, decoded: &Decoded) {
        let Payload::Stat(stat) = &decoded.expected.payload else { return };
        let got = stat.mode & 0o777;
        // Only a mode that asked for as much as any umask takes away tells all of it.
        if let Some(asked) = asked.filter(|asked| asked & 0o666 == 0o666)
            && decoded.expected.members & stat_bits::MODE != 0
            && got & !asked == 0
        {
            let missing = asked & !got;
            // A file does not ask for x: who may not read may not execute either.
            self.umask.get_or_insert(missing | (missing & 0o444) >> 2);
        }
    }
}
