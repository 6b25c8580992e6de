//! Ordered indexes outside hecs: where every visible order comes from.

pub mod deadlines;
pub mod face_sockets;
pub mod family;
pub mod headed;
pub mod network;
pub mod pids;
pub mod sockets;
pub mod timers;
pub(crate) mod users;

pub use deadlines::Deadlines;
pub use pids::PidTable;
pub use sockets::SocketNames;
