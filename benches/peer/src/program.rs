//! A program of `KernelVm` calls: what both kernels are given. Processes and descriptors are named
//! by slots, since the two kernels number descriptors differently (SEMANTICS.md, top: the lowest
//! free number is Linux's in both profiles).

use std::fmt;

/// A process of the program; none has the slot [`NOBODY`].
pub type Proc = usize;
/// A process that was never made.
pub const NOBODY: Proc = usize::MAX;
/// A descriptor of the program: 0, 1 and 2 are every process's own.
pub type Slot = usize;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Who {
    /// The driver of the process.
    Own,
    /// Whoever.
    Name(&'static str),
}

/// A descriptor as a call names it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fd {
    Slot(Slot),
    Number(u32),
}

/// Bytes: one value, many times.
#[derive(Clone, Copy, PartialEq)]
pub struct Data(pub u8, pub usize);

impl Data {
    pub fn bytes(self) -> Vec<u8> {
        vec![self.0; self.1]
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}*{}", self.0 as char, self.1)
    }
}

/// When, for a file's times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Time {
    Set(i64, u32),
    Now,
    Omit,
}

/// A call that needs no process, on a path.
#[derive(Clone, Debug, PartialEq)]
pub enum FileOp {
    Read(String),
    Pread(String, u64, usize),
    Write(String, Data),
    CreateDir(String),
    Mkdir(String, bool),
    Exists(String),
    Stat(String),
    Lstat(String),
    ReadLink(String),
    Realpath(String),
    ReadDir(String),
    RemoveFile(String),
    RemoveDir(String),
    Rename(String, String),
    Symlink(String, String),
    Link(String, String),
    Chmod(String, u32),
    Chown(String, u32, u32),
    Utimes(String, u64, u64),
    UtimesSpec(String, Time, Time),
    Lutimes(String, Time, Time),
    Truncate(String, u64),
}

/// A call on a path by a process.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnFileOp {
    Read(String),
    Write(String, Data, Option<u32>),
    CreateDir(String, Option<u32>),
    Mkdir(String, bool, Option<u32>),
    Exists(String),
    Stat(String),
    Lstat(String),
    ReadLink(String),
    Realpath(String),
    ReadDir(String),
}

/// A call on a descriptor.
#[derive(Clone, Debug, PartialEq)]
pub enum FdOp {
    Read(usize),
    ReadTimeout(usize),
    Write(Data),
    Seek(i64, u8),
    Pread(usize, u64),
    Pwrite(Data, u64),
    Dup(Slot),
    Dup2(Slot, Fd),
    Close,
    Fcntl(u32, u32, Slot),
    Flock(u32),
    Stat,
    Path,
    DevStat,
    Futimes(Time, Time),
    Isatty,
    Reopen(Slot, u32),
    Tcgetattr,
    /// Which flags, which of them on, which characters: bits as in `terminals.rs`; their value.
    Tcsetattr(u32, u32, u32, u8),
    Tcgetpgrp,
    Foreground(u32),
    Resize(u16, u16),
}

/// A socket: how many were made after it.
pub type Recent = usize;

/// The family of a socket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Family {
    Inet,
    Inet6,
    Unix,
}

/// A call on a socket.
#[derive(Clone, Debug, PartialEq)]
pub enum SocketOp {
    BindInet(&'static str, u16),
    BindUnix(&'static str),
    Listen(usize),
    Incoming(&'static str, u16),
    Accept,
    ConnectPair(Recent),
    ConnectUnix(&'static str),
    ConnectInet(&'static str, u16),
    SendTo(&'static str, u16, Data),
    Recv(usize),
    Option(u8, bool),
    Join(&'static str, Option<&'static str>),
    Leave(&'static str, Option<&'static str>),
    State(u8),
    Write(Data),
    Read(usize),
    Shutdown(u8),
    Close,
}

/// A call on a process.
#[derive(Clone, Debug, PartialEq)]
pub enum ProcOp {
    Exit(i32),
    WaitOptions(i32, u32),
    Open(Slot, String, u32, Option<u32>),
    Pipe(Slot, Slot),
    Pty(Slot, Slot),
    Stdin(usize),
    Stdout(Data),
    Stderr(Data),
    Poll(Vec<(Fd, u16)>),
    PollTargets(Vec<(Fd, u16)>, Vec<(Recent, u16)>),
    Socket(Family, bool),
    DevFdDir,
    Kill(i32),
    Setpgid(u32),
    Getpgid,
    Getpid,
    Getppid,
    Setsid,
    Getsid,
    Sigprocmask(u8, Vec<i32>),
    Sigpending,
    Umask(Option<u32>),
    Identity,
    Groups,
}

/// What a process is made with.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Birth {
    pub requester: Option<&'static str>,
    pub parent: Option<Proc>,
    pub command: String,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub cwd: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Register(&'static str, Vec<&'static str>),
    Spawn(Proc, Birth),
    Exec(Proc, Birth),
    Create(Proc, &'static str, Birth),
    Finish(Proc, i32),
    HandleKill(Proc, i32),
    HandleWait(Proc),
    Waitpid(Proc),
    WaitAndReap(Proc),
    Signal(Who, i32, i32),
    Of(Who, Proc, ProcOp),
    OnFd(Who, Proc, Fd, FdOp),
    /// By the owner of the socket, or by the process that is named.
    OnSocket(Who, Option<Proc>, Recent, SocketOp),
    Shell(Proc, &'static str),
    Resolve(&'static str, bool),
    File(FileOp),
    OwnFile(Who, Proc, OwnFileOp),
    Getpwuid(u32),
    Getgrgid(u32),
    Commands,
    Dispose,
}

impl Op {
    /// The method of `KernelVm` that it calls, by which differences are grouped.
    pub fn name(&self) -> String {
        let head = |text: String| text.split(['(', ' ']).next().unwrap_or_default().to_owned();
        match self {
            Op::Of(_, _, op) => format!("proc.{}", head(format!("{op:?}"))),
            Op::OnFd(_, _, _, op) => format!("fd.{}", head(format!("{op:?}"))),
            Op::OnSocket(_, _, _, op) => format!("socket.{}", head(format!("{op:?}"))),
            Op::File(op) => format!("file.{}", head(format!("{op:?}"))),
            Op::OwnFile(_, _, op) => format!("own.{}", head(format!("{op:?}"))),
            other => head(format!("{other:?}")),
        }
    }
}

/// Who allows what.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// `Permissions::allow_all()`.
    AllowAll,
    /// No callbacks at all.
    None,
    /// Callbacks that keep a log and deny paths with one of these beginnings (for an operation, by
    /// its name, or for every one: "*") and commands of this name.
    Ask { paths: Vec<(&'static str, &'static str)>, command: Option<&'static str> },
}

/// What the machine is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    pub policy: Policy,
    pub limits: Vec<(Limit, usize)>,
    pub env: Vec<(String, String)>,
    pub ids: Option<(u32, u32)>,
    /// Whether there is a guarded directory, an alias of a file in it and a link to it.
    pub guarded: bool,
}

/// A limit of section 10 that programs use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    Processes,
    OpenFds,
    Pipes,
    Ptys,
    Sockets,
    Connections,
    SocketBytes,
    Datagrams,
    Inodes,
    FilesystemBytes,
    PreadBytes,
    WriteBytes,
    ArgvBytes,
    EnvBytes,
    ReaddirEntries,
}

/// A program.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    pub setup: Setup,
    pub ops: Vec<Op>,
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:?}", self.setup)?;
        for (at, op) in self.ops.iter().enumerate() {
            writeln!(f, "  {at:3} {}", shortened(&format!("{op:?}")))?;
        }
        Ok(())
    }
}

/// A step with the very long names that some programs have cut.
fn shortened(text: &str) -> String {
    match (text.find("nnnnnnnn"), text.rfind("nnnnnnnn")) {
        (Some(from), Some(to)) if to > from => {
            format!("{}[n * {}]{}", &text[..from], to + 8 - from, &text[to + 8..])
        }
        (_, _) => text.to_owned(),
    }
}
