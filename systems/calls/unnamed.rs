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

impl Kernel {
    /// fchmod(2) of an unnamed pipe.
    pub(super) fn chmod_pipe(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        mode: u32,
    ) -> CallResult {
        let pipe = match self.rows[row].target {
            Target::Pipe(pipe, _) => pipe,
            Target::Object(_) => return Err(Errno::EOPNOTSUPP.into()),
            Target::File(_) | Target::Socket(_) => return Ok(Answer::default()),
        };
        let caller = &self.rows[task].credentials;
        if caller.fsuid != self.rows[pipe].uid && !caller.capable(CAP_FOWNER) {
            return Err(Errno::EPERM.into());
        }
        self.rows[pipe].mode = mode & 0o7777;
        Ok(Answer::default())
    }

    /// fchown(2): the inode of a pipe has an owner, and no permission bit that would go.
    pub(super) fn chown_unnamed(
        &mut self,
        task: TaskRow,
        row: DescriptionRow,
        (uid, gid): (Option<u32>, Option<u32>),
    ) -> CallResult {
        let Target::Pipe(pipe, _) = self.rows[row].target else { return self.unchangeable(row) };
        let (caller, pipe_row) = (&self.rows[task].credentials, &self.rows[pipe]);
        let (may, is_owner) = (caller.capable(CAP_CHOWN), pipe_row.uid == caller.fsuid);
        let own_group = |gid: u32| gid == pipe_row.gid || caller.in_group(gid);
        let uid_is_right = uid.is_none_or(|uid| may || is_owner && uid == pipe_row.uid);
        let gid_is_right = gid.is_none_or(|gid| may || is_owner && own_group(gid));
        if !uid_is_right || !gid_is_right {
            return Err(Errno::EPERM.into());
        }
        let pipe = &mut self.rows[pipe];
        pipe.uid = uid.unwrap_or(pipe.uid);
        pipe.gid = gid.unwrap_or(pipe.gid);
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

    /// fgetxattr(2), flistxattr(2): there is none. A `user.` name is not asked for where it could
    /// not be; a pidfd is a regular file in its own file system, which has no such names.
    pub(super) fn xattr_unnamed(&self, row: DescriptionRow, name: Option<Path<'_>>) -> CallResult {
        let Some(name) = name else { return Ok(Answer::data(Vec::new())) };
        let name = attribute_name(name)?;
        let excluded = name.starts_with(USER) && !self.is_pidfd(row);
        Err(if excluded { Errno::ENODATA } else { Errno::EOPNOTSUPP }.into())
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
