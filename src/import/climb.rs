//! A working directory that its process finds out for itself, name by name (getcwd(3) of zsh(1) and
//! of old libraries): it looks at `../NAME`, goes to `..`, and in the end back by the whole path.
//! The path then says where the session began, though no call tells.

use tickernel_systems::abi::flags::AT_FDCWD;
use tickernel_systems::event::Call;

/// Deepest directory that is followed.
const MAX_DEPTH: usize = 256;

/// What the first process looked at on its way up.
#[derive(Debug, Default)]
pub(super) struct Climb {
    /// The last `../NAME`.
    last: Vec<u8>,
    /// The names so far, from below.
    names: Vec<Vec<u8>>,
    /// It went elsewhere, or came back.
    is_over: bool,
}

impl Climb {
    /// A call that succeeded; the path of the first directory, once it is known.
    pub(super) fn see(&mut self, call: &Call<'_>) -> Option<Vec<u8>> {
        if self.is_over {
            return None;
        }
        match call {
            Call::Lstat { path: Some(path) }
            | Call::Newfstatat { dirfd: AT_FDCWD, path: Some(path), .. } => {
                if let Some(name) = path.strip_prefix(b"../").filter(|name| !name.contains(&b'/')) {
                    self.last = name.to_vec();
                }
                None
            }
            Call::Chdir { path: Some(b"..") } if self.names.len() < MAX_DEPTH => {
                self.names.push(std::mem::take(&mut self.last));
                None
            }
            Call::Chdir { path } => {
                self.is_over = true;
                path.filter(|path| self.fits(path)).map(<[u8]>::to_vec)
            }
            Call::Fchdir { .. } | Call::Chroot { .. } => {
                self.is_over = true;
                None
            }
            _ => None,
        }
    }

    /// Whether a path is made of the names.
    fn fits(&self, path: &[u8]) -> bool {
        let Some(path) = path.strip_prefix(b"/") else { return false };
        let names = self.names.iter().rev().map(Vec::as_slice);
        !self.names.is_empty() && path.split(|byte| *byte == b'/').eq(names)
    }
}
