//! What Linux lets programs do that a recording shows only by its traces: threads that race or
//! execute programs, signals that no line shows, refusals that tell of files. Cut from recordings
//! that strace 6.1 wrote; each replays without a mismatch.

mod replayed;
#[path = "import_linux/support.rs"]
mod support;

#[path = "import_linux/again.rs"]
mod again;
#[path = "import_linux/attached.rs"]
mod attached;
#[path = "import_linux/epoll.rs"]
mod epoll;
#[path = "import_linux/evidence.rs"]
mod evidence;
#[path = "import_linux/found.rs"]
mod found;
#[path = "import_linux/network.rs"]
mod network;
#[path = "import_linux/silenced.rs"]
mod silenced;
#[path = "import_linux/terminals.rs"]
mod terminals;
#[path = "import_linux/threads.rs"]
mod threads;
#[path = "import_linux/waits.rs"]
mod waits;
