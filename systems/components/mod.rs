//! Components: the data of each kind of entity and its invariants. No behaviour beyond what one
//! value can say of itself; systems and calls act on them.

pub mod anonymous;
pub mod description;
pub mod epoll;
pub mod face_socket;
pub mod inet;
pub mod inotify;
pub mod message;
pub mod pipe;
pub mod process;
pub mod pty;
pub mod socket;
pub mod task;
pub mod terminal;
pub mod timerfd;
pub mod wait;

use alloc::sync::Arc;

pub use anonymous::{Event, Pidfd};
pub use description::{Context, Description, Device, FdSlot, Files, Object, Target};
pub use epoll::Epoll;
pub use pipe::{Pipe, Segment};
pub use process::{Life, Limits, Link, Oom, Process, ProcessText, Reportable, Text};
pub use socket::Socket;
pub use task::{Frame, Handlers, Hold, Interrupted, Pending, Queued, Task};
pub use terminal::Terminal;
pub use timerfd::Timerfd;
pub use wait::{ChildSelect, Restart, Wait, WaitQueue, Waiting};

/// The texts of processes, lent to who looks at them (DESIGN section 7; the count shows nowhere).
/// None stand for empty ones.
pub type ColdText = Option<Arc<ProcessText>>;

/// The list of archetypes: each hot component names the cold one that the world keeps beside it.
pub trait TextDefault {
    /// The cold component.
    type Cold: Default + Send + Sync + 'static;
}

impl TextDefault for Task {
    type Cold = ();
}
