//! The core of tickernel: a virtual POSIX kernel as tables, components and systems.
//!
//! A tick is one event. Its phases, in order:
//! 1. **dispatch** (`calls/`): the call answers, fails, blocks on a condition, or asks the host;
//! 2. **deliver** (`deliver.rs`) signals, **exit** (`exit.rs`) what they end;
//! 3. **readiness** (`readiness.rs`): blocked calls whose objects changed are tried again;
//! 4. **expire** (`expire.rs`): deadlines that the clock has reached;
//! 5. **account** (`account.rs`): counters kept by addition; a debug build walks and compares.
//!
//! `systems/README.md` is the architecture. There is no clock here, no thread, no file, no network,
//! no hash order and no float: everything that the state does not determine enters by
//! [`Kernel::take`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[macro_use]
pub mod wire;

pub mod abi;
mod account;
mod acted;
mod boot;
mod calls;
mod components;
mod deliver;
pub mod digest;
mod due;
pub mod event;
mod exit;
mod expire;
mod face;
mod face_account;
mod face_proc_text;
mod faceview;
pub mod fs;
mod kernel;
mod memory;
mod peek;
mod peek_ends;
mod proc_lines;
mod procview;
mod profile;
mod queue;
mod readiness;
mod references;
mod rows;
mod rules;
mod short;
mod snapshot;
mod tables;
mod turns;
mod unmasked;
mod watched;
mod watchers;

pub use account::Defect;
pub use boot::{Boot, BootFd, BootTarget};
pub use calls::{DEVICES, FaceFd};
pub use components::ProcessText;
pub use components::face_socket::{
    Connection, Datagrams, FACE_BROADCAST, FACE_REUSE_ADDRESS, FACE_REUSE_PORT, FaceDatagram,
    FaceDomain, FaceHost, FaceSocket, FaceState, Knock, Listening,
};
pub use components::pty::{
    PTY_CHARACTERS, PTY_ECHO, PTY_ICANON, PTY_ICRNL, PTY_ISIG, PTY_ONLCR, PTY_OPOST, Pty, PtyEnd,
};
pub use face::{FaceConfig, FaceLimits, Policy};
pub use face_proc_text::PROC_DEVICE;
pub use faceview::{FaceCounts, FaceProcess, FaceReads};
pub use kernel::{Config, Counters, Entropy, Kernel, WakeMode};
pub use peek::{ChildView, CounterView, FdView, FrameView, ItemView, PipeView, WaitsView};
pub use peek_ends::{SocketView, TerminalView};
pub use profile::{Bends, Profile};
pub use rules::{FILE_OPERATIONS, Refusal, glob_matches};
pub use snapshot::{ProcessRow, ProcessState, RestoreError, TreeRow};
pub use tables::face_sockets::FaceSocketCounts;
