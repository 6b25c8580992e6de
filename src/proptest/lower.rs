//! From a step to a request: what the four choices of each action choose among.
//!
//! Nothing here may wait by the clock, read random bytes, or name what only one machine has.

use super::opens::MODES;
use super::player::{Kind, PROCESSES_MAX, Player};
use super::{Action, Step, Subject};
use crate::json::Object;
use serde_json::{Value, json};

/// Paths for what changes the tree. Few, so that they meet.
const PATHS: [&str; 24] = [
    "/tmp/a",
    "/tmp/b",
    "/tmp/d",
    "/tmp/d/a",
    "/tmp/d/e",
    "/tmp/p",
    "/tmp/l",
    "/tmp/d/b",
    "a",
    "d",
    "d/a",
    "../tmp/a",
    "./b",
    "/tmp/d/../b",
    "/tmp/l/a",
    "/tmp/a/",
    "/tmp/d/",
    "/tmp",
    ".",
    "/",
    "/tmp/a/a",
    "/none/a",
    "",
    "..",
];
/// Directories.
const DIRECTORIES: [&str; 6] = ["/tmp/d", "/tmp", "/", "d", "..", "/tmp/d/e"];
/// Sizes around what matters: pages, PIPE_BUF, a pipe's capacity.
const SIZES: [usize; 16] = [
    1, 5, 100, 0, 4096, 65_536, 4095, 4097, 70_000, 512, 8192, 61_440, 65_535, 65_537, 131_072, 20,
];
const OFFSETS: [i64; 10] = [0, 1, 5, 4096, 100, 4095, 65_536, -1, 100_000, 1 << 20];
const SIGNALS: [&str; 13] = [
    "SIGUSR1", "SIGTERM", "SIGCONT", "SIGSTOP", "SIGKILL", "SIGCHLD", "SIGPIPE", "SIGUSR2",
    "SIGTSTP", "SIGINT", "SIGWINCH", "SIGHUP", "SIGTTIN",
];
const IDS: [i64; 6] = [0, 1000, -1, 1, 65_534, 1001];

/// Whether a descriptor that was opened so is probably a directory's.
pub(super) fn may_be_directory(path: &str, flags: &str) -> bool {
    flags.contains("O_DIRECTORY")
        || !flags.contains("WR") && (DIRECTORIES.contains(&path) || path.ends_with(['.', '/']))
        || flags == "O_PATH"
}

pub(super) struct Lowering<'p> {
    player: &'p Player,
    pub(super) pid: i64,
    pub(super) choices: [u8; 4],
    /// Nobody else can speak: what waits would end the program.
    pub(super) alone: bool,
    full: bool,
}

/// The request.
pub(super) fn lower(player: &Player, step: &Step, pid: i64, alone: bool, full: bool) -> Object {
    let lowering = Lowering { player, pid, choices: step.choices, alone, full };
    let action = lowering.allowed(step.action);
    let fields = match action.subject() {
        Subject::Processes => lowering.process(action),
        Subject::Credentials => lowering.credentials(action),
        Subject::Signals => lowering.signal(action),
        Subject::Descriptors => lowering.descriptor(action),
        Subject::Pipes => lowering.pipe(action),
        Subject::Waiting => lowering.wait(action),
        Subject::Bytes => lowering.bytes(action),
        Subject::Names => lowering.at_form(lowering.names(action)),
        Subject::Attributes => lowering.at_form(lowering.attributes(action)),
        Subject::Mounts => lowering.mounts(action),
        Subject::Objects => lowering.object(action),
        Subject::Sockets => lowering.socket(action),
        Subject::Internet => lowering.internet(action),
        Subject::Terminals => lowering.terminal(action),
    };
    let mut request = Object::new();
    request.insert("pid".into(), pid.into());
    if let Value::Object(mut fields) = fields {
        request.append(&mut fields);
    }
    request
}

impl Lowering<'_> {
    /// Another action where this one would end the run or means nothing.
    fn allowed(&self, action: Action) -> Action {
        let known = self.player.known.get(&self.pid);
        let handlers = known.map_or(0, |known| known.handlers);
        match action {
            // Process 1's end is the end of all.
            Action::Exit | Action::ExitGroup if self.pid == 1 => Action::GetIds,
            Action::Fork | Action::Clone if self.full => Action::GetIds,
            Action::Vfork if self.full || self.alone && self.choices[3] > 127 => Action::GetIds,
            Action::Pause | Action::Sigsuspend if self.alone => Action::Sigpending,
            Action::Sigreturn if handlers == 0 && self.choices[0] < 230 => Action::Sigaction,
            other => other,
        }
    }

    /// Whether a process is in a call that waits.
    pub(super) fn anybody_waits(&self) -> bool {
        self.player.known.values().any(super::player::Known::waits)
    }

    pub(super) fn pick<T: Copy>(&self, choice: usize, from: &[T]) -> T {
        from[usize::from(self.choices[choice]) % from.len()]
    }

    /// Whether the speaker has changed its ids.
    pub(super) fn is_other_user(&self) -> bool {
        self.player.known.get(&self.pid).is_some_and(|known| known.other_user)
    }

    /// A descriptor: mostly an open one of the wanted kind, sometimes any, seldom none.
    pub(super) fn fd(&self, choice: usize, wanted: &[Kind]) -> i64 {
        let byte = self.choices[choice];
        let Some(known) = self.player.known.get(&self.pid) else { return 0 };
        // Terminals only where they are meant: what goes through one depends on how fast a machine
        // is, if there is more of it than has room.
        let is_terminal = |kind: &Kind| matches!(kind, Kind::Master | Kind::Slave);
        let unmeant = |kind: &Kind| is_terminal(kind) && !wanted.iter().any(is_terminal);
        let open = known.fds.iter().filter(|(_, kind)| !unmeant(kind));
        let open: Vec<i64> = open.map(|(fd, _)| *fd).collect();
        let fit: Vec<i64> = known
            .fds
            .iter()
            .filter(|(fd, kind)| **fd > 2 && wanted.contains(kind))
            .map(|(fd, _)| *fd)
            .collect();
        let list = match byte {
            0..=179 if !fit.is_empty() => &fit,
            _ => &open,
        };
        match byte {
            250..=255 => [-1, 9, 63, 1000, i64::from(i32::MAX), -100][usize::from(byte) - 250],
            _ if list.is_empty() => 0,
            _ => list[usize::from(byte) % list.len()],
        }
    }

    pub(super) fn any_fd(&self, choice: usize) -> i64 {
        let kinds = [
            Kind::Reader,
            Kind::Writer,
            Kind::File,
            Kind::Directory,
            Kind::Counter,
            Kind::Process,
            Kind::Memory,
            Kind::Socket,
            Kind::Epoll,
            Kind::Timer,
            Kind::Signals,
            Kind::Notices,
            Kind::Master,
            Kind::Slave,
        ];
        self.fd(choice, &kinds)
    }

    /// A file: places in a directory are its file system's own.
    fn seekable(&self, choice: usize) -> i64 {
        let fd = self.fd(choice, &[Kind::File]);
        if self.kind_of(fd) == Some(Kind::File) { fd } else { -1 }
    }

    pub(super) fn path(&self, choice: usize) -> Value {
        match self.choices[choice] {
            255 => Value::Null,
            254 => "n".repeat(256).into(),
            byte => PATHS[usize::from(byte) % PATHS.len()].into(),
        }
    }

    /// A process: mostly one that was born, alive or not.
    pub(super) fn process_id(&self, choice: usize) -> i64 {
        let born = &self.player.born;
        match self.choices[choice] {
            250..=255 => 9999,
            // The youngest first: that is whom the others have to do with.
            byte => born[born.len() - 1 - usize::from(byte) % born.len()],
        }
    }

    fn process(&self, action: Action) -> Value {
        match action {
            Action::Fork => json!({"call": "fork"}),
            Action::Vfork => json!({"call": "vfork"}),
            Action::Clone => {
                let flags = ["SIGCHLD", "CLONE_FILES|SIGCHLD", "CLONE_FS|SIGCHLD", "SIGUSR1", "0"];
                json!({"call": "clone", "flags": self.pick(0, &flags)})
            }
            Action::Execve => {
                let path = self.pick(0, &["/tmp/d/b", "/tmp/d/b", "/tmp/a", "/tmp", "/none"]);
                json!({"call": "execve", "path": path, "argv": ["x"], "envp": []})
            }
            Action::ExitGroup | Action::Exit => {
                let call = if action == Action::Exit { "exit" } else { "exit_group" };
                json!({"call": call, "status": self.pick(0, &[0, 1, 255, 256, -1])})
            }
            Action::Wait4 => {
                json!({"call": "wait4", "wpid": self.waited(), "options": self.wait_options()})
            }
            Action::Waitid => self.waitid(),
            Action::Setpgid => {
                let pgid = [0, self.process_id(1), self.pid];
                json!({"call": "setpgid", "target": self.pick(2, &[0, self.process_id(0)]),
                    "pgid": self.pick(3, &pgid)})
            }
            Action::Getpgid => json!({"call": "getpgid", "target": self.process_id(0)}),
            Action::Setsid => json!({"call": "setsid"}),
            _ => json!({"call": "getsid", "target": self.process_id(0)}),
        }
    }

    fn credentials(&self, action: Action) -> Value {
        let ids = [
            "getpid",
            "getppid",
            "getuid",
            "geteuid",
            "getgid",
            "getegid",
            "getpgrp",
            "getresuid",
            "getresgid",
        ];
        match action {
            Action::Umask => {
                json!({"call": "umask", "mask": self.pick(0, &["022", "0", "077", "0777"])})
            }
            Action::SetIds => self.set_ids(),
            Action::GetGroups => json!({"call": "getgroups"}),
            Action::Setgroups => {
                let groups: [&[i64]; 3] = [&[], &[1000], &[5, 1000, 7]];
                json!({"call": "setgroups", "groups": self.pick(0, &groups)})
            }
            Action::Prlimit => {
                let cur = self.pick(0, &[64, 5, 8, 1024]);
                json!({"call": "prlimit64", "target": 0, "resource": "RLIMIT_NOFILE",
                    "new_limit": {"cur": cur, "max": 4096}})
            }
            _ => json!({"call": self.pick(0, &ids)}),
        }
    }

    fn waited(&self) -> i64 {
        self.pick(1, &[-1, self.process_id(0), -1, 0, -self.process_id(0)])
    }

    fn wait_options(&self) -> &'static str {
        let options = [
            "",
            "WUNTRACED",
            "WCONTINUED",
            "WUNTRACED|WCONTINUED",
            "WNOHANG",
            "WNOHANG|WUNTRACED|WCONTINUED",
        ];
        // Where nobody else is awake, mostly without waiting.
        match self.choices[3] {
            0..=190 if self.alone => self.pick(2, &options[4..]),
            _ => self.pick(2, &options),
        }
    }

    fn waitid(&self) -> Value {
        let wanted = ["WEXITED", "WSTOPPED", "WCONTINUED", "WEXITED|WSTOPPED|WCONTINUED"];
        let extra = self.pick(1, &["", "|WNOWAIT", "|WNOHANG", "|WNOHANG|WNOWAIT"]);
        let nohang = if self.alone && !extra.contains("WNOHANG") { "|WNOHANG" } else { "" };
        let options = format!("{}{extra}{nohang}", self.pick(2, &wanted));
        let (idtype, id) =
            self.pick(3, &[("P_ALL", 0), ("P_PID", self.process_id(0)), ("P_PGID", 0)]);
        json!({"call": "waitid", "idtype": idtype, "id": id, "options": options})
    }

    fn set_ids(&self) -> Value {
        let (first, second) = (self.pick(1, &IDS), self.pick(2, &IDS));
        match self.choices[0] % 6 {
            0 => json!({"call": "setgid", "gid": first}),
            1 => json!({"call": "setuid", "uid": first}),
            2 => json!({"call": "setreuid", "ruid": first, "euid": second}),
            3 => json!({"call": "setregid", "rgid": first, "egid": second}),
            4 => json!({"call": "setresuid", "ruid": first, "euid": second, "suid": first}),
            _ => json!({"call": "setresgid", "rgid": first, "egid": second, "sgid": second}),
        }
    }

    fn set(&self, choice: usize) -> Vec<&'static str> {
        let sets: [&[&str]; 6] = [
            &["SIGUSR1"],
            &["SIGCHLD"],
            &["SIGUSR1", "SIGTERM"],
            &[],
            &["SIGPIPE", "SIGCONT"],
            &["SIGKILL", "SIGSTOP", "SIGINT"],
        ];
        self.pick(choice, &sets).to_vec()
    }

    fn signal(&self, action: Action) -> Value {
        match action {
            Action::Kill => {
                let process = self.process_id(0);
                let target = self.pick(1, &[process, process, 0, -process]);
                let mut sig = self.any_signal(2);
                // Which of three that end or stop at once sees another's end is a race.
                let harmless = ["SIGCONT", "SIGCHLD", "SIGWINCH"];
                if target <= 0 && self.player.known.len() >= PROCESSES_MAX && sig != 0 {
                    sig = self.pick(2, &harmless).into();
                }
                json!({"call": "kill", "target": target, "sig": sig})
            }
            Action::Tgkill => {
                let process = self.process_id(0);
                let group = self.pick(1, &[process, process, process, 9999]);
                json!({"call": "tgkill", "tgid": group, "tid": process, "sig": self.any_signal(2)})
            }
            Action::Sigaction => self.sigaction(),
            Action::Sigprocmask => {
                let how = self.pick(0, &["SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"]);
                json!({"call": "rt_sigprocmask", "how": how, "set": self.set(1)})
            }
            Action::Pause => json!({"call": "pause"}),
            Action::Sigsuspend => json!({"call": "rt_sigsuspend", "set": self.set(0)}),
            Action::Sigtimedwait => match self.alone || self.choices[1].is_multiple_of(2) {
                true => json!({"call": "rt_sigtimedwait", "set": self.set(0),
                    "timeout": {"sec": 0, "nsec": 0}}),
                false => json!({"call": "rt_sigtimedwait", "set": self.set(0)}),
            },
            Action::Sigreturn => json!({"call": "rt_sigreturn"}),
            _ => json!({"call": "rt_sigpending"}),
        }
    }

    pub(super) fn any_signal(&self, choice: usize) -> Value {
        match self.choices[choice] {
            252 => 0.into(),
            253 => 65.into(),
            byte => SIGNALS[usize::from(byte) % SIGNALS.len()].into(),
        }
    }

    fn sigaction(&self) -> Value {
        let handler = self.pick(1, &["caught", "caught", "SIG_IGN", "SIG_DFL"]);
        let flags = self.pick(
            2,
            &[
                "",
                "SA_RESTART",
                "SA_NODEFER",
                "SA_RESETHAND",
                "SA_RESTART|SA_SIGINFO",
                "SA_NOCLDWAIT",
                "SA_NOCLDSTOP",
            ],
        );
        let signum = self.pick(0, &SIGNALS);
        match self.choices[3] {
            240..=255 => json!({"call": "rt_sigaction", "signum": signum}),
            _ => json!({"call": "rt_sigaction", "signum": signum,
                "act": {"handler": handler, "mask": self.set(3), "flags": flags}}),
        }
    }

    fn descriptor(&self, action: Action) -> Value {
        let fd = self.any_fd(0);
        match action {
            Action::Open => self.open(),
            Action::Openat => self.openat(),
            Action::Openat2 => self.openat2(),
            Action::Creat => {
                json!({"call": "creat", "path": self.path(0), "mode": self.pick(1, &MODES)})
            }
            Action::Close => json!({"call": "close", "fd": fd}),
            Action::CloseRange => {
                let flags = self.pick(2, &["0", "CLOSE_RANGE_CLOEXEC", "CLOSE_RANGE_UNSHARE"]);
                let first = self.pick(0, &[3, 4, 5, 9]);
                json!({"call": "close_range", "first": first, "last": self.pick(1, &[4, 3, 100, 2]),
                    "flags": flags})
            }
            Action::Dup => json!({"call": "dup", "oldfd": fd}),
            Action::Dup2 => json!({"call": "dup2", "oldfd": fd, "newfd": self.new_fd()}),
            Action::Dup3 => {
                let flags = self.pick(2, &["O_CLOEXEC", "0", "O_APPEND"]);
                json!({"call": "dup3", "oldfd": fd, "newfd": self.new_fd(), "flags": flags})
            }
            Action::Fcntl => self.fcntl(),
            Action::Flock => {
                let operation = self.pick(1, &["LOCK_EX", "LOCK_SH", "LOCK_UN"]);
                let wait =
                    if self.alone || self.choices[2].is_multiple_of(2) { "|LOCK_NB" } else { "" };
                json!({"call": "flock", "fd": self.seekable(0),
                    "operation": format!("{operation}{wait}")})
            }
            Action::RecordLock => self.record_lock(),
            _ => {
                let requests = ["FIONREAD", "FIOCLEX", "FIONCLEX", "TCGETS", "TIOCGWINSZ"];
                json!({"call": "ioctl", "fd": fd, "request": self.pick(1, &requests), "arg": 0})
            }
        }
    }

    fn pipe(&self, action: Action) -> Value {
        match action {
            Action::Pipe => json!({"call": "pipe"}),
            Action::Pipe2 => {
                let flags = ["O_NONBLOCK", "O_CLOEXEC", "O_NONBLOCK|O_CLOEXEC", "0", "O_APPEND"];
                json!({"call": "pipe2", "flags": self.pick(0, &flags)})
            }
            _ => {
                let path = if self.choices[0] < 200 { "/tmp/p".into() } else { self.path(0) };
                let mode = self.pick(2, &MODES);
                json!({"call": "mknod", "path": path, "mode": format!("S_IFIFO|{mode}")})
            }
        }
    }

    fn new_fd(&self) -> i64 {
        self.pick(1, &[self.any_fd(2), 5, 9, 0, 3, 40, -1, 1 << 20])
    }

    fn fcntl(&self) -> Value {
        let fd = self.any_fd(0);
        let number =
            |cmd: &str, arg: i64| json!({"call": "fcntl", "fd": fd, "cmd": cmd, "arg": arg});
        let flags =
            |flags: &str| json!({"call": "fcntl", "fd": fd, "cmd": "F_SETFL", "arg": flags});
        match self.choices[1] % 13 {
            0 | 1 => number("F_GETFD", 0),
            2 => number("F_SETFD", self.pick(2, &[1, 0])),
            3 | 4 => number("F_GETFL", 0),
            5 | 6 => flags("O_NONBLOCK"),
            7 => flags(self.pick(2, &["O_APPEND", "0", "O_APPEND|O_NONBLOCK"])),
            8 | 9 => number("F_DUPFD", self.pick(2, &[0, 5, 10, -1, 1 << 20])),
            10 => number("F_DUPFD_CLOEXEC", self.pick(2, &[0, 7])),
            11 => number("F_GETPIPE_SZ", 0),
            _ => {
                let sizes = [4096, 65_536, 8192, 131_072, 1, 100_000, 0, -1];
                number("F_SETPIPE_SZ", self.pick(2, &sizes))
            }
        }
    }

    /// A lock of fcntl(2) on some bytes of a file; what waits only if it may.
    fn record_lock(&self) -> Value {
        let commands = ["F_SETLK", "F_GETLK", "F_SETLKW", "F_OFD_SETLK", "F_OFD_GETLK"];
        let cmd = match self.pick(1, &commands) {
            "F_SETLKW" if self.alone => "F_SETLK",
            cmd => cmd,
        };
        let kind = self.pick(2, &["F_WRLCK", "F_RDLCK", "F_UNLCK", "F_WRLCK"]);
        let (start, len) =
            self.pick(3, &[(0, 0), (0, 10), (5, 10), (10, 0), (20, -5), (0, -1), (3, 2)]);
        let whence = self.pick(2, &["SEEK_SET", "SEEK_SET", "SEEK_CUR", "SEEK_END", "SEEK_SET"]);
        json!({"call": "fcntl", "fd": self.seekable(0), "cmd": cmd,
            "arg": {"type": kind, "whence": whence, "start": start, "len": len}})
    }

    fn data(&self, choice: usize) -> String {
        let letter = char::from(b'a' + self.choices[3] % 26);
        letter.to_string().repeat(self.pick(choice, &SIZES))
    }

    /// How many bytes to read: now and then more than can be.
    fn count(&self, choice: usize) -> Value {
        match self.choices[choice] {
            250 => (-1).into(),
            251 => (1u64 << 62).into(),
            252 => (1u64 << 31).into(),
            _ => self.pick(choice, &SIZES).into(),
        }
    }

    /// From a file to a file, or bytes that never change to anything: what lies in a pipe would
    /// change with the file that it came from.
    fn sendfile(&self) -> Value {
        let out = self.fd(0, &[Kind::Writer, Kind::File]);
        let frozen = self.player.fifos || self.kind_of(out) != Some(Kind::File);
        let input = if frozen {
            match self.fd(1, &[Kind::Zeros]) {
                fd if self.kind_of(fd) == Some(Kind::Zeros) => fd,
                fd @ 3.. if self.kind_of(fd) == Some(Kind::File) => 0,
                fd => fd,
            }
        } else {
            self.fd(1, &[Kind::File, Kind::File, Kind::Zeros])
        };
        let count = self.pick(2, &[5, 100, 0, 4096, 4097, 70_000, 131_072, 20, -1, 1i64 << 40]);
        // No end of zeros.
        let count =
            if self.kind_of(input) == Some(Kind::Zeros) && count > 1 << 20 { 9 } else { count };
        let mut request =
            json!({"call": "sendfile", "out_fd": out, "in_fd": input, "count": count});
        if self.choices[3] > 100 {
            request["offset"] = self.pick(3, &[0, 1, 5, 4095, -1, 1i64 << 50, i64::MAX]).into();
        }
        request
    }

    fn copy_file_range(&self) -> Value {
        let kinds = [Kind::File, Kind::Directory, Kind::Writer];
        let output = match self.choices[1] {
            0..=180 => self.fd(1, &kinds[..1]),
            _ => self.fd(1, &kinds),
        };
        let mut request = json!({"call": "copy_file_range", "fd_in": self.fd(0, &[Kind::File]),
            "fd_out": output, "flags": 0,
            "len": self.pick(2, &[5, 100, 0, 4096, 70_000, 20, -1, 1i64 << 40])});
        if self.choices[3] > 90 {
            request["off_in"] = self.pick(3, &[0, 1, 5, 4095, -1, 1i64 << 50, i64::MAX]).into();
        }
        if self.choices[3] % 3 == 1 {
            request["off_out"] = self.pick(2, &[0, 5, 100, 4096, -1, 1i64 << 50, i64::MAX]).into();
        }
        if self.choices[0] == 249 {
            request["flags"] = 1.into();
        }
        request
    }

    pub(super) fn kind_of(&self, fd: i64) -> Option<Kind> {
        self.player.known.get(&self.pid)?.fds.get(&fd).copied()
    }

    /// An offset of preadv2(2): most often the description's own.
    fn own_or(&self, offset: i64) -> i64 {
        if self.choices[3].is_multiple_of(3) { offset } else { -1 }
    }

    /// Flags of preadv2(2), by number: not every host has names for all. Whether RWF_NOWAIT finds a
    /// file's page in memory is the host's business.
    fn vector_flags(&self, fd: i64) -> u32 {
        let flags = self.pick(3, &[0, 0, 1, 2, 4, 8, 0x10, 0x10, 0x20, 0x30, 0x40, 0x1000]);
        let is_pipe = matches!(self.kind_of(fd), Some(Kind::Reader | Kind::Writer));
        if is_pipe { flags } else { flags & !8 }
    }

    fn bytes(&self, action: Action) -> Value {
        let (reader, writer) = (
            self.fd(0, &[Kind::Reader, Kind::File]),
            self.fd(0, &[Kind::Writer, Kind::File, Kind::Memory]),
        );
        let file = self.fd(0, &[Kind::File, Kind::Memory]);
        let (count, offset) = (self.count(1), self.pick(2, &OFFSETS));
        match action {
            Action::Write => json!({"call": "write", "fd": writer, "data": self.data(1)}),
            Action::Writev => json!({"call": "writev", "fd": writer, "data": self.data(1)}),
            Action::Pread => {
                json!({"call": "pread64", "fd": file, "count": count, "offset": offset})
            }
            Action::Pwrite => {
                json!({"call": "pwrite64", "fd": file, "data": self.data(1), "offset": offset})
            }
            Action::Readv => json!({"call": "readv", "fd": reader, "count": count}),
            Action::Preadv2 => json!({"call": "preadv2", "fd": reader, "count": count,
                "offset": self.own_or(offset), "flags": self.vector_flags(reader)}),
            Action::Pwritev2 => json!({"call": "pwritev2", "fd": writer, "data": self.data(1),
                "offset": self.own_or(offset), "flags": self.vector_flags(writer)}),
            Action::Lseek => {
                let whence = ["SEEK_SET", "SEEK_CUR", "SEEK_END"];
                json!({"call": "lseek", "fd": self.seekable(0), "offset": offset,
                    "whence": self.pick(3, &whence)})
            }
            Action::Ftruncate => json!({"call": "ftruncate", "fd": file, "length": offset}),
            Action::Fsync => {
                json!({"call": self.pick(1, &["fsync", "fdatasync"]), "fd": self.any_fd(0)})
            }
            Action::Truncate => {
                json!({"call": "truncate", "path": self.path(0), "length": self.pick(1, &OFFSETS)})
            }
            Action::Fallocate => {
                json!({"call": "fallocate", "fd": file, "mode": 0, "offset": offset,
                    "len": self.pick(1, &SIZES)})
            }
            Action::Sendfile => self.sendfile(),
            Action::CopyFileRange => self.copy_file_range(),
            _ => json!({"call": "read", "fd": reader, "count": count}),
        }
    }

    fn names(&self, action: Action) -> Value {
        let (path, other, mode) = (self.path(0), self.path(1), self.pick(2, &MODES));
        match action {
            Action::Rmdir => json!({"call": "rmdir", "path": path}),
            Action::Mknod => json!({"call": "mknod", "path": path, "mode": mode}),
            Action::Link => json!({"call": "link", "oldpath": path, "newpath": other}),
            Action::Symlink => {
                let link = if self.choices[1] < 120 { "/tmp/l".into() } else { other };
                json!({"call": "symlink", "target": path, "linkpath": link})
            }
            Action::Unlink => json!({"call": "unlink", "path": path}),
            Action::Unlinkat => {
                let flags = self.pick(1, &["AT_REMOVEDIR", "0"]);
                json!({"call": "unlinkat", "path": path, "flags": flags})
            }
            Action::Rename => json!({"call": "rename", "oldpath": path, "newpath": other}),
            Action::Renameat2 => {
                let flags = ["RENAME_NOREPLACE", "RENAME_EXCHANGE", "0"];
                json!({"call": "renameat2", "oldpath": path, "newpath": other,
                    "flags": self.pick(2, &flags)})
            }
            Action::Readlink => {
                let path = if self.choices[0] < 180 { "/tmp/l".into() } else { path };
                json!({"call": "readlink", "path": path, "bufsiz": self.pick(1, &[100, 3, 0, -1])})
            }
            Action::Chdir => json!({"call": "chdir", "path": self.pick(0, &DIRECTORIES)}),
            Action::Fchdir => json!({"call": "fchdir", "fd": self.fd(0, &[Kind::Directory])}),
            Action::Getcwd => json!({"call": "getcwd"}),
            // All at once: in which order the names come is the file system's own, and a stream
            // that has begun, be it by an error, need not show what is made since (readdir(3)).
            Action::Getdents => {
                json!({"call": "getdents64", "fd": self.fd(0, &[Kind::Directory]),
                    "count": self.pick(1, &[4096, 4096, 4096, -1, (1i64 << 32) + 4096])})
            }
            Action::Rewind => {
                let fd = self.fd(0, &[Kind::Directory]);
                json!({"call": "lseek", "fd": fd, "offset": 0, "whence": "SEEK_SET"})
            }
            _ => {
                let path = match self.choices[0] {
                    0..=100 => "/tmp/d".into(),
                    _ => path,
                };
                json!({"call": "mkdir", "path": path, "mode": self.pick(1, &["0755", "0700", "0"])})
            }
        }
    }

    fn attributes(&self, action: Action) -> Value {
        let (path, mode) = (self.path(0), self.pick(2, &MODES));
        let modes = ["F_OK", "R_OK", "W_OK", "X_OK", "R_OK|W_OK", "8"];
        match action {
            Action::Lstat => json!({"call": "lstat", "path": path}),
            Action::Newfstatat => {
                let flags = ["0", "AT_SYMLINK_NOFOLLOW", "AT_EMPTY_PATH"];
                json!({"call": "newfstatat", "dirfd": self.fd(2, &[Kind::Directory]),
                    "path": path, "flags": self.pick(1, &flags)})
            }
            Action::Access => json!({"call": "access", "path": path, "mode": self.pick(1, &modes)}),
            Action::Faccessat2 => {
                json!({"call": "faccessat2", "path": path, "mode": self.pick(1, &modes),
                    "flags": self.pick(2, &["AT_EACCESS", "0", "AT_SYMLINK_NOFOLLOW"])})
            }
            Action::Fstat => json!({"call": "fstat", "fd": self.any_fd(0)}),
            Action::Chmod => json!({"call": "chmod", "path": path, "mode": mode}),
            Action::Fchmod => json!({"call": "fchmod", "fd": self.any_fd(0), "mode": mode}),
            Action::Chown if self.choices[3].is_multiple_of(5) => {
                json!({"call": "fchown", "fd": self.any_fd(0), "uid": self.pick(1, &IDS),
                    "gid": self.pick(2, &IDS)})
            }
            Action::Chown => {
                let call = self.pick(3, &["chown", "lchown"]);
                json!({"call": call, "path": path, "uid": self.pick(1, &IDS),
                    "gid": self.pick(2, &IDS)})
            }
            Action::Utimensat => {
                let times = [json!("UTIME_NOW"), json!("UTIME_OMIT"), json!({"sec": 5, "nsec": 7})];
                let time = |choice: usize| times[usize::from(self.choices[choice]) % 3].clone();
                json!({"call": "utimensat", "path": path, "atime": time(1), "mtime": time(2),
                    "flags": self.pick(3, &["0", "AT_SYMLINK_NOFOLLOW"])})
            }
            _ => json!({"call": "stat", "path": path}),
        }
    }
}
