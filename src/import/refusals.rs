//! What an error says of the tree that was there (IMPORT.md section 6): of what kind the file at a
//! path is, and what stands beside it. Modes and owners: `rights.rs`; mounts: `borders.rs`.

use tickernel_systems::abi::Errno;
use tickernel_systems::event::Call;
use tickernel_systems::fs::{Meta, PATH_MAX};

use super::facts::{Facts, MAX_DEPTH, Wanted};
use super::initial::Shape;
use super::paths::{self, Use};

impl Facts<'_> {
    /// Enters what an error says of what was there.
    pub(super) fn failed(&mut self, one: &Use<'_>, call: &Call<'_>, errno: Errno) {
        // How the path was to be looked up decides, not what is there (openat2(2)).
        if matches!(call, Call::Openat2 { resolve: 1.., .. }) {
            return;
        }
        // A way that leads through a file is what was refused, of a rename perhaps the other one.
        if errno == Errno::ENOTDIR && self.leads_through_a_file(call) {
            return;
        }
        let directory = Wanted { shape: Shape::Directory, mode: 0o755 };
        let file = Wanted { shape: Shape::File, mode: 0o644 };
        let wanted = match (errno, call) {
            (Errno::EEXIST, Call::Mkdir { .. } | Call::Mkdirat { .. }) if one.creates => directory,
            (Errno::EEXIST, _) if one.creates => file,
            // The new name is a directory's, the old one is not.
            (Errno::EISDIR, _) if one.removes && is_rename(call) => file,
            (Errno::EISDIR | Errno::ENOTEMPTY, _) => directory,
            (Errno::EXDEV | Errno::EBUSY, _) if one.removes && one.directory => directory,
            (Errno::EXDEV, _) if !one.creates => file,
            (Errno::ETXTBSY, _) => Wanted { mode: 0o755, ..file },
            (Errno::EROFS, _) if !one.creates || one.may_exist && self.is_named(one) => file,
            (Errno::EROFS | Errno::EXDEV, _) => return self.ensure_parent(one),
            (Errno::ELOOP, _) => return self.loops(one),
            (Errno::EINVAL, Call::Readlink { .. } | Call::Readlinkat { .. }) => file,
            (Errno::ENODATA | Errno::EOPNOTSUPP | Errno::ERANGE, _) => file,
            (Errno::ENOEXEC | Errno::E2BIG, _) => Wanted { mode: 0o755, ..file },
            (Errno::EACCES, Call::Execve { .. } | Call::Access { .. }) => file,
            (Errno::EACCES, _) if !one.creates => Wanted { mode: 0, ..file },
            (Errno::EPERM, _) if !one.creates => file,
            // The file denies, if it is one that is there; else its directory does.
            (Errno::EACCES, Call::Open { .. } | Call::Openat { .. } | Call::Openat2 { .. })
                if self.hints.is_opened(&self.whole_path(one)) || self.is_open_to_all(one) =>
            {
                file
            }
            (Errno::ENXIO, Call::Open { .. } | Call::Openat { .. } | Call::Openat2 { .. }) => {
                Wanted { shape: Shape::Fifo, ..file }
            }
            (Errno::ECONNREFUSED, _) => Wanted { shape: Shape::Socket, ..file },
            // The old name is a directory's, the new one is not.
            (Errno::ENOTDIR, _) if one.removes && is_rename(call) => directory,
            (Errno::ENOTDIR, _) if one.directory || one.creates && is_rename(call) => file,
            (Errno::ENOTDIR, _) => return self.not_a_directory(one),
            (Errno::EACCES | Errno::EPERM, _) => return self.ensure_parent(one),
            _ => return,
        };
        self.ensure(one.dirfd, one.path, one.follow && !one.creates, &wanted, None, 0);
        if errno == Errno::ENOTEMPTY
            && (one.creates || !is_rename(call))
            && let Some(place) = self.resolve(one)
        {
            let fs = self.kernel.describe_tree();
            let empty = Meta::mode(0o644);
            // If it cannot be made, the call that saw it mismatches and says so.
            self.initial.add(fs, place, b".unknown", Shape::File, empty).ok();
        }
    }

    fn leads_through_a_file(&self, call: &Call<'_>) -> bool {
        paths::uses(call).iter().any(|one| {
            let found = self.kernel.resolve(self.tid, one.dirfd, one.path, one.follow);
            found == Err(Errno::ENOTDIR)
        })
    }

    /// ENOTDIR: the first name on the way that is unknown is a file.
    fn not_a_directory(&mut self, one: &Use<'_>) {
        let path = one.path.strip_suffix(b"/").unwrap_or(one.path);
        let Some(cut) = path.iter().rposition(|byte| *byte == b'/') else { return };
        let file = Wanted { shape: Shape::File, mode: 0o644 };
        let above = path.get(..cut).unwrap_or_default();
        if !above.is_empty() {
            self.ensure(one.dirfd, above, true, &file, None, 0);
        }
    }

    /// Whether something is known to have been at a path.
    fn is_named(&self, one: &Use<'_>) -> bool {
        let path = self.whole_path(one);
        self.resolve(one).is_some() || self.hints.shape(&path).is_some()
    }

    /// ELOOP: a link that is not to be followed, or links that lead back to where they begin.
    fn loops(&mut self, one: &Use<'_>) {
        let mut back = self.whole_path(one);
        back.truncate(PATH_MAX - 1);
        let wanted = Wanted { shape: Shape::Link(back), mode: 0o777 };
        for _ in 0..MAX_DEPTH {
            if self.kernel.resolve(self.tid, one.dirfd, one.path, true) != Err(Errno::ENOENT) {
                return;
            }
            self.ensure(one.dirfd, one.path, true, &wanted, None, 0);
        }
    }
}

fn is_rename(call: &Call<'_>) -> bool {
    matches!(call, Call::Rename { .. } | Call::Renameat { .. } | Call::Renameat2 { .. })
}
