//! Mode, owner, times and extended attributes of what has no name: unnamed pipes, sockets,
//! anonymous inodes (the f- calls of chmod(2), chown(2), utimensat(2), xattr(7)).

use super::path::path_bytes;
use crate::abi::Errno;
use crate::abi::credentials::{CAP_CHOWN, CAP_FOWNER};
use crate::components::{Object, Target};
use crate::event::{Answer, Path};
use crate::fs::check_name;
use crate::fs::{self, MAY_WRITE, TimeChange};
use crate::kernel::{CallResult, Kernel};
use crate::rows::{DescriptionRow, TaskRow};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Names of attributes that only regular files and directories may have (xattr(7)).
const USER: &[u8] = b"user.";
/// What a socket says of its protocol.
const PROTOCOL: &[u8] = b"system.sockprotoname";

impl Kernel {
    /// Mode, owner and group of the inode of an unnamed pipe or a socket; EOPNOTSUPP for an
    /// anonymous inode, which shares its own with all others, `None` for a file.
    fn inode_of_unnamed(&mut self, row: DescriptionRow) -> Result<Option<[&mut u32; 3]>, Errno> {
        match self.rows[row].target {
            Target::Pipe(pipe, _) => {
                let pipe = &mut self.rows[pipe];
                Ok(Some([&mut pipe.mode, &mut pipe.uid, &mut pipe.gid]))
            }
            Target::Socket(socket) => {
                let socket = &mut self.rows[socket];
                Ok(Some([&mut socket.mode, &mut socket.uid, &mut socket.gid]))
            }
            Target::Object(_) => Err(Errno::EOPNOTSUPP),
            Target::File(_) => Ok(None),
        }
    }

    /// fchmod(2).
    pub(super) fn chmod_unnamed(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        mode: u32,
    ) -> CallResult {
        let caller = &self.rows[task].credentials;
        let (caller, capable) = (caller.fsuid, caller.capable(CAP_FOWNER));
        let Some([own_mode, uid, _]) = self.inode_of_unnamed(row)? else {
            return Ok(Answer::default());
        };
        if caller != *uid && !capable {
            return Err(Errno::EPERM.into());
        }
        *own_mode = mode & 0o7777;
        self.changed_unnamed(row);
        Ok(Answer::default())
    }

    /// fchown(2): no permission bit goes.
    pub(super) fn chown_unnamed(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        (uid, gid): (Option<u32>, Option<u32>),
    ) -> CallResult {
        let caller = &self.rows[task].credentials;
        let (caller_uid, may) = (caller.fsuid, caller.capable(CAP_CHOWN));
        let in_group = gid.is_some_and(|gid| caller.in_group(gid));
        let Some([_, own_uid, own_gid]) = self.inode_of_unnamed(row)? else {
            return Ok(Answer::default());
        };
        let is_owner = *own_uid == caller_uid;
        let uid_is_right = uid.is_none_or(|uid| may || is_owner && uid == *own_uid);
        let gid_is_right = gid.is_none_or(|gid| may || is_owner && (gid == *own_gid || in_group));
        if !uid_is_right || !gid_is_right {
            return Err(Errno::EPERM.into());
        }
        *own_uid = uid.unwrap_or(*own_uid);
        *own_gid = gid.unwrap_or(*own_gid);
        self.changed_unnamed(row);
        Ok(Answer::default())
    }

    /// A change of a pipe's inode shows in its ctime; nothing shows those of a socket.
    fn changed_unnamed(&mut self, row: DescriptionRow) {
        let now = self.stamp();
        if let Target::Pipe(pipe, _) = self.rows[row].target {
            let pipe = &mut self.rows[pipe];
            let [atime, mtime, _] = pipe.times();
            pipe.times = Some(Box::new([atime, mtime, now]));
        }
    }

    /// utimensat(2): nobody can change the times of anonymous inodes, and nothing shows those of
    /// sockets.
    pub(super) fn set_times_unnamed(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        change: TimeChange,
    ) -> CallResult {
        change.check()?;
        let now = self.stamp();
        let is_touch = change == TimeChange::Touch;
        let (mode, uid, gid) = self.attributes_of_unnamed(row);
        let who = &self.rows[task].credentials;
        let is_owner = who.fsuid == uid || who.capable(CAP_FOWNER);
        let may_write = is_touch && fs::allows(who, (mode, uid, gid), MAY_WRITE);
        match self.rows[row].target {
            Target::Object(_) => return Err(Errno::EOPNOTSUPP.into()),
            Target::File(_) | Target::Socket(_) => {}
            Target::Pipe(..) if !is_owner && !may_write => {
                return Err(if is_touch { Errno::EACCES } else { Errno::EPERM }.into());
            }
            Target::Pipe(pipe, _) => {
                let pipe = &mut self.rows[pipe];
                let [atime, mtime, _] = pipe.times();
                let [atime, mtime] = change.applied([atime, mtime], now);
                pipe.times = Some(Box::new([atime, mtime, now]));
            }
        }
        Ok(Answer::default())
    }

    /// What has no name has a mode and an owner all the same: those of anonymous inodes are root's.
    pub(super) fn attributes_of_unnamed(&self, row: DescriptionRow) -> (u32, u32, u32) {
        match self.rows[row].target {
            Target::Pipe(pipe, _) => {
                let pipe = &self.rows[pipe];
                (pipe.mode, pipe.uid, pipe.gid)
            }
            Target::Socket(socket) => {
                let socket = &self.rows[socket];
                (socket.mode, socket.uid, socket.gid)
            }
            Target::File(_) | Target::Object(_) => (0o600, 0, 0),
        }
    }

    /// fgetxattr(2), flistxattr(2): there is none but a socket's protocol. A `user.` name is not
    /// asked for where it could not be; a pidfd is a regular file in its own file system, which has
    /// no such names.
    pub(super) fn xattr_unnamed(
        &self,
        row: DescriptionRow,
        name: Option<Path<'_>>,
    ) -> Result<Vec<u8>, Errno> {
        let protocol = match self.rows[row].target {
            Target::Socket(socket) => self.rows[socket].protocol_name(),
            Target::File(_) | Target::Pipe(..) | Target::Object(_) => None,
        };
        let Some(name) = name else {
            let listed = protocol.map_or(Vec::new(), |_| [PROTOCOL, b"\0"].concat());
            return Ok(listed);
        };
        let name = attribute_name(name)?;
        if let (Some(protocol), PROTOCOL) = (protocol, name) {
            return Ok([protocol.as_bytes(), b"\0"].concat());
        }
        let excluded = name.starts_with(USER) && !self.is_pidfd(row);
        Err(if excluded { Errno::ENODATA } else { Errno::EOPNOTSUPP })
    }

    /// fsetxattr(2), fremovexattr(2).
    pub(super) fn set_xattr_unnamed(&self, row: DescriptionRow, name: Path<'_>) -> CallResult {
        let name = attribute_name(name)?;
        let excluded = name.starts_with(USER) && !self.is_pidfd(row);
        Err(if excluded { Errno::EPERM } else { Errno::EOPNOTSUPP }.into())
    }

    fn is_pidfd(&self, row: DescriptionRow) -> bool {
        matches!(self.rows[row].target, Target::Object(Object::Pidfd(_)))
    }
}

fn attribute_name(name: Path<'_>) -> Result<&[u8], Errno> {
    let name = path_bytes(name)?;
    check_name(name)?;
    Ok(name)
}
