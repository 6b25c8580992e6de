//! Mode, owner, times and extended attributes of what has no name: unnamed pipes, sockets,
//! anonymous inodes (the f- calls of chmod(2), chown(2), utimensat(2), xattr(7)).

use super::path::path_bytes;
use crate::abi::Errno;
use crate::abi::credentials::{CAP_CHOWN, CAP_FOWNER};
use crate::components::{Object, Target};
use crate::event::{Answer, Path};
use crate::fs::xattr::check_name;
use crate::kernel::{CallResult, Kernel};
use crate::rows::{DescriptionRow, TaskRow};
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
        Ok(Answer::default())
    }

    /// Times of what has no name: nobody can change those of anonymous inodes, and nothing shows
    /// those of pipes and sockets.
    pub(super) fn unchangeable(&self, row: DescriptionRow) -> CallResult {
        match self.rows[row].target {
            Target::Object(_) => Err(Errno::EOPNOTSUPP.into()),
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) => Ok(Answer::default()),
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
