//! The host twin: speaks the protocol of `tickernel drive` (CLI.md, "drive and the JSON twin") and
//! performs each request on the Linux under it, so that lockstep tests compare the virtual kernel
//! with the real one.
//!
//! For each `pid` there is a real process, a *worker* (`image.rs`), in namespaces of its own
//! (`sandbox.rs`); this program, outside of them, is the coordinator (`session`). It needs root;
//! without, it says so and ends with 77. What cannot be on a real machine: `advance` sleeps,
//! `digest` is an error, and time stamps are the real ones.

mod barrier;
mod calls;
mod exec;
mod fields;
mod guardian;
mod image;
mod inspect;
mod names;
mod sandbox;
mod session;
mod shared;
mod task;
mod watch;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::FromRawFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde_json::{Value, json};

use fields::{Fields, Object};
use sandbox::{Host, RootKind};
use session::{ENDING, Session};

/// What ends the program when the machine does not let it work: tests skip with a note.
const CANNOT_WORK_HERE: u8 = 77;
/// The longest request.
const LINE_BYTES: u64 = 64 << 20;

const USAGE: &str = "usage: host-twin [--root tmpfs|dir] [--dir DIRECTORY] [--real-time yes|no]
speaks the protocol of `tickernel drive` on standard input and output; needs root
  --root  what the processes' root directory lies on: a directory (the default), or a tmpfs
  --dir   where the temporary directory is made (default: TMPDIR, or /tmp)
  --real-time  whether processes run at a real-time priority where that is allowed (the default): faster, and wakes
          are told in their exact order";

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("host-twin: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    close_inherited();
    end_on_signals();
    let mut session = match options.host().and_then(Session::new) {
        Ok(session) => session,
        Err(error) => {
            eprintln!("host-twin: cannot make its namespaces here (it needs root): {error}");
            return ExitCode::from(CANNOT_WORK_HERE);
        }
    };
    let ended = serve(&mut session);
    session.end();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("host-twin: {error}");
            ExitCode::from(2)
        }
    }
}

struct Options {
    directory: PathBuf,
    root: RootKind,
    real_time: bool,
}

impl Options {
    fn host(self) -> io::Result<Host> {
        Host::new(self.directory, self.root, self.real_time)
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options =
        Options { directory: std::env::temp_dir(), root: RootKind::Directory, real_time: true };
    while let Some(word) = words.next() {
        let value =
            words.next().ok_or_else(|| format!("{word}: unknown, or its value is missing"))?;
        match (word.as_str(), value.as_str()) {
            ("--dir", path) => options.directory = path.into(),
            ("--root", "tmpfs") => options.root = RootKind::Tmpfs,
            ("--root", "dir") => options.root = RootKind::Directory,
            ("--real-time", "yes") => options.real_time = true,
            ("--real-time", "no") => options.real_time = false,
            _ => return Err(format!("unknown option {word} {value}")),
        }
    }
    Ok(options)
}

/// Closes what whoever started the program left open: a high number among them would make the
/// descriptor tables of the workers larger, which select(2) shows.
fn close_inherited() {
    // SAFETY: nothing has been opened yet; 0, 1, 2 stay.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
}

/// SIGTERM, SIGINT and SIGHUP end the program as the end of input does.
fn end_on_signals() {
    extern "C" fn end(_: libc::c_int) {
        ENDING.store(true, SeqCst);
    }
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: the handler only stores to an atomic; without SA_RESTART it interrupts reads.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = end as extern "C" fn(libc::c_int) as usize;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Standard input that ends when the program is to end.
struct Input(File);

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if ENDING.load(SeqCst) {
            return Ok(0);
        }
        self.0.read(buffer)
    }
}

fn serve(session: &mut Session) -> io::Result<()> {
    // SAFETY: descriptor 0 is this program's standard input, used nowhere else.
    let mut input = BufReader::new(Input(unsafe { File::from_raw_fd(0) }));
    let mut output = io::stdout().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)?;
        if length == 0 || ENDING.load(SeqCst) {
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = answer(session, &line)?;
        for told in session.take_lines() {
            writeln!(output, "{told}")?;
        }
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
}

/// The answer to one line; an error only when the sandbox cannot go on.
fn answer(session: &mut Session, line: &[u8]) -> io::Result<Value> {
    let request = match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(request)) => request,
        Ok(_) => return Ok(json!({ "error": "a request is a JSON object" })),
        Err(error) => return Ok(json!({ "error": format!("broken JSON: {error}") })),
    };
    // A call may have a field `op` of its own (epoll_ctl).
    let result = match request.get("op").filter(|_| !request.contains_key("call")) {
        Some(operation) => operate(session, operation, &request)?,
        None => call(session, &request),
    };
    Ok(result.unwrap_or_else(|error| json!({ "error": error })))
}

fn call(session: &mut Session, request: &Object) -> Result<Value, String> {
    let fields = Fields(request);
    let pid = i32::try_from(fields.number("pid")? as i64).map_err(|_| "field pid is no pid")?;
    let name = fields.value("call").and_then(Value::as_str).ok_or("field call is missing")?;
    session.call(pid, name, &fields)
}

fn operate(
    session: &mut Session,
    operation: &Value,
    request: &Object,
) -> io::Result<Result<Value, String>> {
    Ok(match operation.as_str() {
        Some("reset") => {
            session.reset()?;
            Ok(json!({}))
        }
        Some("advance") => Fields(request).number("ns").map(|ns| {
            // A little more, so that timers set before have run out.
            watch::let_pass(Duration::from_nanos(ns) + Duration::from_millis(1));
            session.settle();
            json!({})
        }),
        Some("patience") => Fields(request).number("ns").map(|ns| {
            session.set_patience(Duration::from_nanos(ns));
            json!({})
        }),
        Some("processes") => Ok(inspect::processes(session)),
        Some("tree") => inspect::tree(session, &Fields(request)),
        Some("digest") => Err("op digest: a real kernel has none".into()),
        _ => Err(format!("unknown op {operation}")),
    })
}
