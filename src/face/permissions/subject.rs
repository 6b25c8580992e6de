//! Which path a policy is asked about: the table of questions, and how a subject is found.
//!
//! Policies see paths without links, so that a link cannot lead around them.

use super::requests::FsOperation;
use crate::face::vfs::{VfsResult, VirtualFileSystem, join, normalize_path, split_last};
use tickernel_systems::abi::Errno;

/// How the path that a policy is asked about comes from the path given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The real path of the target, which must be there.
    Target,
    /// The real path of the target or, when that has none, as `ParentAndName`.
    TargetOrParent,
    /// The real path of the parent, and the name: the last link is not followed. Of parents that
    /// are not there, the nearest that is.
    ParentAndName,
}

/// An operation and its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) op: FsOperation,
    pub(crate) subject: Subject,
}

impl Question {
    /// `lstat`: the link itself.
    pub(crate) const LSTAT: Self = Self { op: FsOperation::Stat, subject: Subject::ParentAndName };
    /// `read_link`: the link itself.
    pub(crate) const READ_LINK: Self =
        Self { op: FsOperation::ReadLink, subject: Subject::ParentAndName };
    /// `link`: the file that gets another name.
    pub(crate) const LINK_SOURCE: Self = Self { op: FsOperation::Link, subject: Subject::Target };

    /// What an operation asks about where nothing above says otherwise.
    pub(crate) const fn usual(op: FsOperation) -> Self {
        let subject = match op {
            FsOperation::Read
            | FsOperation::ReadDir
            | FsOperation::Stat
            | FsOperation::ReadLink
            | FsOperation::Chmod
            | FsOperation::Chown
            | FsOperation::Utimes
            | FsOperation::Truncate => Subject::Target,
            FsOperation::Write | FsOperation::Exists => Subject::TargetOrParent,
            FsOperation::Mkdir
            | FsOperation::CreateDir
            | FsOperation::Remove
            | FsOperation::Rename
            | FsOperation::Symlink
            | FsOperation::Link
            | FsOperation::MountSensitive => Subject::ParentAndName,
        };
        Self { op, subject }
    }
}

impl Subject {
    /// The path to ask about. Errors of resolving come back as they are.
    pub(crate) fn resolve<F: VirtualFileSystem>(
        self,
        filesystem: &F,
        path: &str,
    ) -> VfsResult<String> {
        match self {
            Self::Target => filesystem.realpath(path),
            Self::TargetOrParent => {
                filesystem.realpath(path).or_else(|_| parent_and_name(filesystem, path))
            }
            Self::ParentAndName => parent_and_name(filesystem, path),
        }
    }
}

fn parent_and_name<F: VirtualFileSystem>(filesystem: &F, path: &str) -> VfsResult<String> {
    let normal = normalize_path(path);
    let mut parent = normal.as_str();
    while let Some((above, _)) = split_last(parent) {
        parent = above;
        let real = match filesystem.realpath(parent) {
            Err(error) if is_missing(error.code()) && parent != "/" => continue,
            answer => answer?,
        };
        let rest = normal.get(parent.len()..).unwrap_or_default();
        return Ok(join(&real, rest));
    }
    Ok(normal)
}

fn is_missing(code: &str) -> bool {
    code == Errno::ENOENT.name() || code == Errno::ENOTDIR.name()
}
