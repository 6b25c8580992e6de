//! strace text to typed events: the first phase of `tickernel import`.
//!
//! Owns the grammar of recordings (FORMAT.md sections 2 and 3) in every print style: abbreviated,
//! verbose and raw constants; octal, hex and mixed strings; with and without `-y`, pid and time
//! columns; halves of split calls joined. Knows no system call, and of constants only the signals'
//! names: names without numbers stay names, and restarts (`ERESTART...`) stay separate calls; the
//! importer types them.
//!
//! ```
//! let text = b"7 read(3</etc/motd>, \"hi\\n\", 4096) = 3 <0.000012>\n";
//! let recording = tickernel::strace::Events::new(text.as_slice()).read_all();
//! let call = recording.calls.get(0).ok_or("no call")?;
//! assert_eq!(&*call.name, "read");
//! assert_eq!(call.args[1].as_bytes(), Some(b"hi\n".as_slice()));
//! # Ok::<(), &str>(())
//! ```

mod again;
mod clock;
mod cursor;
mod detect;
mod error;
mod event;
mod folder;
mod join;
mod keeper;
mod kept;
mod line;
mod lines;
mod meaning;
mod names;
mod pack;
mod parse;
mod prefix;
mod print;
mod result;
mod unsplit;
mod value;

pub use detect::looks_like_strace;
pub use error::{Error, Reason};
pub use event::{Call, Calls, Event, EventKind, Recording};
pub use folder::read_dir_of_pids;
pub use join::Events;
pub use kept::{CallList, EventIter, EventList};
pub use line::{Body, Cut, Line, LineParser, Notice, WholeCall};
pub use lines::{Lines, MAX_LINE_BYTES};
pub use meaning::WaitStatus;
pub use prefix::Stamp;
pub use result::{CallResult, Restart};
pub use value::{Array, Fd, Int, Member, Name, Operator, Radix, Struct, Text, Value};
