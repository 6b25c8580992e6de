//! Errors with a code: one shape for all modules of the face, and `KernelError`, which takes them.
//!
//! A code is a name of errno(3) (`ENOENT`); flock(2) answers `EWOULDBLOCK`, the twin of `EAGAIN`.

use super::dns::{DnsResolverError, DnsResolverErrorKind};
use super::fd_table::FdTableError;
use super::permissions::PermissionError;
use super::pipe_manager::PipeError;
use super::process_table::ProcessTableError;
use super::pty::PtyError;
use super::resource_accounting::ResourceError;
use super::socket_table::SocketTableError;
use super::vfs::VfsError;
use std::fmt;
use tickernel_systems::abi::Errno;

/// An error type of a module: a code, a message, `CODE: message` as its text.
macro_rules! coded_error {
    ($(#[$doc:meta])* $name:ident, $new:vis) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            code: &'static str,
            message: String,
        }

        impl $name {
            /// An error with this code (a name of errno(3)) and message.
            #[allow(dead_code, reason = "some of the contract's errors come from nobody yet")]
            $new fn new(code: &'static str, message: impl Into<String>) -> Self {
                Self { code, message: message.into() }
            }

            /// The bare name of the error, as `"ENOENT"`.
            pub fn code(&self) -> &'static str {
                self.code
            }

            /// What happened, without the code.
            pub fn message(&self) -> &str {
                &self.message
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::face::error::write_coded(f, self.code, &self.message)
            }
        }

        impl std::error::Error for $name {}
    };
}
pub(crate) use coded_error;

/// Writes `CODE: message`; a message that begins with its code already is written as it is.
pub(crate) fn write_coded(f: &mut fmt::Formatter<'_>, code: &str, message: &str) -> fmt::Result {
    match message.strip_prefix(code) {
        Some(rest) if rest.starts_with(':') => f.write_str(message),
        _ => write!(f, "{code}: {message}"),
    }
}

/// What a method of the kernel answers.
pub type KernelResult<T> = Result<T, KernelError>;

coded_error! {
    /// Why the kernel refused: an errno's name and what it was about.
    KernelError, pub(crate)
}

impl KernelError {
    /// An error of the core, with what it was about.
    pub(crate) fn errno(errno: Errno, message: impl Into<String>) -> Self {
        Self::new(errno.name(), message)
    }
}

macro_rules! kernel_error_from {
    ($($name:ty),* $(,)?) => {$(
        impl From<$name> for KernelError {
            fn from(error: $name) -> Self {
                Self { code: error.code(), message: error.message().to_owned() }
            }
        }
    )*};
}

kernel_error_from!(
    VfsError,
    FdTableError,
    PipeError,
    PtyError,
    ProcessTableError,
    PermissionError,
    ResourceError,
    SocketTableError,
);

impl From<DnsResolverError> for KernelError {
    /// A name that is none is `EINVAL`, a look-up without an answer `EHOSTUNREACH` (section 8).
    fn from(error: DnsResolverError) -> Self {
        let errno = match error.kind() {
            DnsResolverErrorKind::InvalidInput => Errno::EINVAL,
            DnsResolverErrorKind::LookupFailed => Errno::EHOSTUNREACH,
        };
        Self::errno(errno, error.to_string())
    }
}
