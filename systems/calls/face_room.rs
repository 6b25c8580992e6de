//! The face's limits on bytes and inodes: what a call would add, looked at before it is done
//! (`shared/contract/SEMANTICS.md`, section 10).

use super::face_files::{device_at, is_device_directory, split};
use crate::abi::Errno;
use crate::abi::flags::{O_APPEND, S_IFDIR, S_IFMT};
use crate::event::{Answer, Call, Payload};
use crate::fs::Plain;
use crate::kernel::{Kernel, Stop};
use alloc::vec::Vec;

impl Kernel {
    /// ENOTDIR for what is there and is no directory; ELOOP.
    pub(super) fn is_no_file(&mut self, path: &[u8]) -> Result<(), Stop> {
        match self.is_listable(path) {
            Err(Stop::Fail(errno)) if !matches!(errno, Errno::ENOTDIR | Errno::ELOOP) => Ok(()),
            other => other,
        }
    }

    /// Whether there is a directory at a path, links not followed, or nothing.
    pub(super) fn could_be_directory(&mut self, path: &[u8]) -> Result<bool, Stop> {
        match self.raw(&Call::FsStat { raw: 1, path, follow: 0 }) {
            Ok(Answer { payload: Payload::Stat(stat), .. }) => Ok(stat.mode & S_IFMT == S_IFDIR),
            Err(stop @ Stop::Ask(_)) => Err(stop),
            Ok(_) | Err(_) => Ok(true),
        }
    }

    /// Whether a path leads to a directory of the file system.
    pub(crate) fn is_directory_at(&mut self, path: &[u8]) -> Result<bool, Stop> {
        if let Some(plain) = self.tree_plain(path, true) {
            return Ok(match plain {
                Plain::Place(place) => self.fs.is_directory(place),
                Plain::Missing(_) => false,
            });
        }
        match self.raw(&Call::FsStat { raw: 1, path, follow: 1 }) {
            Ok(Answer { payload: Payload::Stat(stat), .. }) => Ok(stat.mode & S_IFMT == S_IFDIR),
            Err(stop @ Stop::Ask(_)) => Err(stop),
            Ok(_) | Err(_) => Ok(false),
        }
    }

    /// ENOSPC if the whole contents of a file, or an addition to them, have no room.
    pub(super) fn room_for_contents(
        &mut self,
        path: &[u8],
        bytes: u64,
        how: u32,
    ) -> Result<(), Stop> {
        let size = self.size_of(path)?;
        if size.is_none() {
            self.room_for_file(path)?;
        }
        let old = size.unwrap_or(0);
        let end = if how & O_APPEND != 0 { old.saturating_add(bytes) } else { bytes };
        self.room_for_size(old, end)
    }

    /// Size in bytes of what is there; `None` if nothing is.
    pub(super) fn size_of(&mut self, path: &[u8]) -> Result<Option<u64>, Stop> {
        if self.has_no_room_limit() {
            return Ok(Some(0));
        }
        match self.raw(&Call::FsStat { raw: 1, path, follow: 1 }) {
            Ok(Answer { payload: Payload::Stat(stat), .. }) => {
                let directory = stat.mode & S_IFMT == S_IFDIR;
                Ok(Some(if directory { 0 } else { stat.size }))
            }
            Ok(_) => Err(Errno::EIO.into()),
            Err(Stop::Fail(Errno::ENOENT | Errno::ENOTDIR)) => Ok(None),
            // The call itself will say what is wrong.
            Err(Stop::Fail(_)) => Ok(Some(0)),
            Err(stop) => Err(stop),
        }
    }

    pub(super) fn has_no_room_limit(&self) -> bool {
        let limits = &self.config.face.limits;
        limits.max_filesystem_bytes == u64::MAX && limits.max_inode_count == u64::MAX
    }

    /// ENOSPC if a file would not fit whose size changes, from the one it is given, to another.
    pub(super) fn room_for_bytes(
        &mut self,
        path: &[u8],
        end: impl FnOnce(u64) -> u64,
    ) -> Result<(), Stop> {
        if self.has_no_room_limit() {
            return Ok(());
        }
        // What is not there the call itself misses, and what a directory is it tells.
        if self.is_directory_at(path)? {
            return Ok(());
        }
        let Some(old) = self.size_of(path)? else { return Ok(()) };
        self.room_for_size(old, end(old))
    }

    /// ENOSPC if what is `old` bytes long cannot become `new` bytes long.
    pub(crate) fn room_for_size(&mut self, old: u64, new: u64) -> Result<(), Stop> {
        let limits = &self.config.face.limits;
        let (most, most_inodes) = (limits.max_filesystem_bytes, limits.max_inode_count);
        let asks_bytes = most != u64::MAX && (new > old || self.bends.full_stays_full);
        if !asks_bytes && most_inodes == u64::MAX {
            return Ok(());
        }
        let Some((used, inodes)) = self.usage()? else { return Ok(()) };
        let too_many = asks_bytes && used.saturating_sub(old).saturating_add(new) > most;
        // Whoever has too many inodes already may write nothing.
        if too_many || inodes > most_inodes { Err(Errno::ENOSPC.into()) } else { Ok(()) }
    }

    pub(super) fn room_for_inodes(&mut self, count: u64) -> Result<(), Stop> {
        let most = self.config.face.limits.max_inode_count;
        if self.has_no_room_limit() {
            return Ok(());
        }
        let Some((bytes, used)) = self.usage()? else { return Ok(()) };
        let full = bytes > self.config.face.limits.max_filesystem_bytes;
        if full || used.saturating_add(count) > most { Err(Errno::ENOSPC.into()) } else { Ok(()) }
    }

    /// Bytes and inodes in use. A foreign file system is asked about the path of the question
    /// before; `None`: nothing is counted there.
    pub(crate) fn usage(&mut self) -> Result<Option<(u64, u64)>, Stop> {
        if !self.config.face.foreign_root {
            return Ok(Some(self.fs.sizes()));
        }
        let answer = self.raw(&Call::FsUsage {})?;
        match answer.payload {
            Payload::None => Ok(None),
            Payload::Number(inodes) => Ok(Some((answer.value as u64, inodes as u64))),
            _ => Err(Errno::EIO.into()),
        }
    }

    /// ENOSPC if a file and the directories that lead to it would be too many inodes.
    pub(crate) fn room_for_file(&mut self, path: &[u8]) -> Result<(), Stop> {
        if self.has_no_room_limit() {
            return Ok(());
        }
        if self.is_plainly_missing(path) {
            return self.room_for_inodes(1);
        }
        let made = self.made_path(path)?;
        let missing = self.missing_paths(&made, true)?;
        if !missing.is_empty() {
            return self.room_for_inodes(missing.len() as u64);
        }
        if self.is_directory_at(path)? {
            return Ok(());
        }
        // What is there is emptied: the rest must fit.
        let old = self.size_of(path)?.unwrap_or(0);
        let Some((bytes, inodes)) = self.usage()? else { return Ok(()) };
        let limits = &self.config.face.limits;
        let full = bytes.saturating_sub(old) > limits.max_filesystem_bytes;
        if full || inodes > limits.max_inode_count { Err(Errno::ENOSPC.into()) } else { Ok(()) }
    }

    /// Whether nothing but the last name of a path is missing, and no link is on the way.
    fn is_plainly_missing(&self, path: &[u8]) -> bool {
        !is_device_directory(path)
            && device_at(path).is_none()
            && matches!(self.tree_plain(path, true), Some(Plain::Missing(_)))
    }

    /// What the making of a path makes, outermost first; with `parents` also its directories.
    /// Nothing if it cannot be made: ENOTDIR for a file where a directory must be made, or the
    /// call's own.
    pub(super) fn missing_paths(
        &mut self,
        path: &[u8],
        parents: bool,
    ) -> Result<Vec<Vec<u8>>, Stop> {
        if self.is_plainly_missing(path) {
            return Ok(Vec::from([path.to_vec()]));
        }
        let (mut at, mut missing) = (path, Vec::new());
        while at != b"/" && !is_device_directory(at) && device_at(at).is_none() {
            match self.raw(&Call::FsStat { raw: 1, path: at, follow: 0 }) {
                Ok(_) if !parents || at == path => break,
                Ok(_) => match self.is_listable(at) {
                    // What a link leads to is made.
                    Ok(()) | Err(Stop::Fail(Errno::ENOENT)) => break,
                    Err(stop) => return Err(stop),
                },
                Err(Stop::Fail(Errno::ENOENT)) => {}
                Err(Stop::Fail(Errno::ENOTDIR)) if parents => {}
                Err(Stop::Fail(_)) => return Ok(Vec::new()),
                Err(stop) => return Err(stop),
            }
            missing.push(at.to_vec());
            at = split(at).0;
            if !parents {
                let above = self.raw(&Call::FsExists { raw: 1, path: at })?.value != 0;
                return Ok(if above { missing } else { Vec::new() });
            }
        }
        missing.reverse();
        Ok(missing)
    }
}
