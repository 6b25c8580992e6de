//! Programs of a seed. What is made earlier is used later; a few arguments are absurd.
//!
//! Signals whose default action is Linux's in both profiles (SIGURG, SIGTTIN, SIGTTOU), masks with
//! SIGTSTP and closed standard descriptors are not generated (`differences.json`, "avoided").

mod channels;

use crate::program::*;
use crate::random::Random;

const DRIVERS: [&str; 3] = ["a", "b", "c"];
const COMMANDS: [&str; 4] = ["sh", "cat", "job", "env"];
const PATHS: [&str; 26] = [
    "/a",
    "/b",
    "/d",
    "/d/x",
    "/d/y",
    "/d/e",
    "/d/e/z",
    "/workspace",
    "/tmp/q",
    "/d/../a",
    "//d//x/",
    "relative",
    "/d/./y",
    "/bin/sh",
    "/bin/job",
    "/ha",
    "/hb",
    "/d/e/../../b",
    "/w/v/u",
    "/d/e/w",
    "/s",
    "/l0",
    "/l1",
    "/d/l2",
    "/l0/x",
    "/l1/z",
];
const STRANGE: [&str; 18] = [
    "/",
    "",
    ".",
    "..",
    "/dev/null",
    "/dev/zero",
    "/dev/stdin",
    "/dev/stdout",
    "/dev",
    "/dev/fd",
    "/dev/pts",
    "/missing/x",
    "/a/under",
    "/x\u{1}y",
    "/nul\0",
    "/etc/agentos",
    "/etc/agentos/conf",
    "/etc/agentos/new",
];
/// What says neither the time nor a descriptor's number.
const PROC: [&str; 20] = [
    "/proc",
    "/proc/",
    "/proc/1",
    "/proc/2",
    "/proc/9",
    "/proc/1/status",
    "/proc/2/status",
    "/proc/1/cmdline",
    "/proc/2/cmdline",
    "/proc/1/environ",
    "/proc/3/environ",
    "/proc/1/cwd",
    "/proc/self",
    "/proc/self/status",
    "/proc/self/cwd",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/loadavg",
    "/proc/mounts",
    "/proc/1/nope",
];
const GUARDED: [&str; 7] =
    ["/etc/agentos/conf", "/etc/agentos/new", "/halias", "/la", "/la/conf", "/la/new", "/la/x/y"];
const SIGNALS: [i32; 15] = [0, 1, 2, 9, 10, 13, 15, 17, 18, 19, 20, 28, 33, 64, 65];
const LENGTHS: [usize; 9] = [0, 1, 3, 10, 100, 4_096, 4_097, 60_000, 66_000];

/// What the generator remembers of a process.
struct Known {
    at: Proc,
    fds: Vec<Slot>,
}

struct Generator {
    random: Random,
    processes: Vec<Known>,
    slots: Slot,
    guarded: bool,
    asks: bool,
    counts: bool,
    /// Most calls are on sockets, or on pseudo-terminals.
    theme: Theme,
}

#[derive(Clone, Copy, PartialEq)]
enum Theme {
    All,
    Sockets,
    Terminals,
}

/// The program of a seed.
pub fn program(seed: u64) -> Program {
    let mut random = Random::new(seed);
    random.next();
    let setup = setup(&mut random);
    let (guarded, asks) = (setup.guarded, setup.policy != Policy::AllowAll);
    let counts =
        setup.limits.iter().any(|limit| matches!(limit.0, Limit::Inodes | Limit::FilesystemBytes));
    let theme = match random.below(10) {
        0..3 => Theme::Sockets,
        3..5 => Theme::Terminals,
        _ => Theme::All,
    };
    let mut generator =
        Generator { random, processes: Vec::new(), slots: 5, guarded, asks, counts, theme };
    let mut ops = vec![Op::Register("a", vec!["sh", "job"])];
    ops.push(generator.birth());
    let count = 10 + generator.random.below(60);
    for _ in 0..count {
        ops.push(generator.op());
    }
    Program { setup, ops }
}

fn setup(random: &mut Random) -> Setup {
    let policy = match random.below(10) {
        0..5 => Policy::AllowAll,
        5 => Policy::None,
        6 | 7 => Policy::Ask { paths: Vec::new(), command: None },
        _ => {
            let operations = ["*", "Read", "Write", "Stat", "Exists", "Chmod", "Rename", "ReadDir"];
            let tops = ["/d", "/a", "/d/x", "/l", "/bin", "/tmp", "/"];
            let count = 1 + random.below(2);
            let paths = (0..count).map(|_| (random.of(&operations), random.of(&tops))).collect();
            Policy::Ask { paths, command: random.percent(30).then_some("job") }
        }
    };
    let mut limits = Vec::new();
    if random.percent(40) {
        let all = [
            (Limit::Processes, [1, 2, 4]),
            (Limit::OpenFds, [5, 8, 14]),
            (Limit::Pipes, [0, 1, 2]),
            (Limit::Ptys, [0, 1, 2]),
            (Limit::Sockets, [1, 4, 6]),
            (Limit::Connections, [1, 3, 5]),
            (Limit::SocketBytes, [0, 10, 150]),
            (Limit::Datagrams, [0, 1, 3]),
            (Limit::Inodes, [4, 8, 12]),
            (Limit::FilesystemBytes, [70, 300, 70_000]),
            (Limit::PreadBytes, [0, 50, 5_000]),
            (Limit::WriteBytes, [0, 50, 5_000]),
            (Limit::ArgvBytes, [3, 10, 20]),
            (Limit::EnvBytes, [3, 10, 20]),
            (Limit::ReaddirEntries, [0, 2, 4]),
        ];
        for _ in 0..1 + random.below(2) {
            let (limit, sizes) = random.of(&all);
            limits.push((limit, random.of(&sizes)));
        }
    }
    let env = if random.percent(20) { vec![("BASE".to_owned(), "1".to_owned())] } else { vec![] };
    let ids = random.percent(10).then_some((0, 100));
    Setup { policy, limits, env, ids, guarded: random.percent(15) }
}

impl Generator {
    fn op(&mut self) -> Op {
        match self.theme {
            Theme::Sockets if self.random.percent(85) => return self.on_sockets(),
            Theme::Terminals if self.random.percent(85) => return self.on_terminals(),
            Theme::All | Theme::Sockets | Theme::Terminals => {}
        }
        match self.random.below(100) {
            0..8 => self.birth(),
            8..12 => self.by_handle(),
            12..16 => self.ending(),
            16..28 => Op::Of(self.who(), self.proc(), self.on_process()),
            28..66 => self.on_fd(),
            66..86 => Op::File(self.file()),
            86..93 => Op::OwnFile(self.who(), self.proc(), self.own_file()),
            93..95 => {
                let target = self.target();
                Op::Signal(self.name(), target, self.signal())
            }
            95 => Op::Register(self.random.of(&DRIVERS), self.commands()),
            96 => self.random.of(&[
                Op::Getpwuid(1000),
                Op::Getpwuid(0),
                Op::Getgrgid(1000),
                Op::Getgrgid(9),
                Op::Getgrgid(5),
                Op::Commands,
            ]),
            97 if self.random.percent(15) => Op::Dispose,
            _ => Op::File(FileOp::Stat(self.path())),
        }
    }

    fn commands(&mut self) -> Vec<&'static str> {
        let mut commands = vec![self.random.of(&COMMANDS)];
        if self.random.percent(10) {
            commands.push(self.random.of(&["", ".", "..", "a/b", "nul\0", "cat"]));
        }
        commands
    }

    fn name(&mut self) -> Who {
        Who::Name(self.random.of(&DRIVERS))
    }

    fn who(&mut self) -> Who {
        if self.random.percent(4) { self.name() } else { Who::Own }
    }

    /// A process: the last ones more often.
    fn proc(&mut self) -> Proc {
        let count = self.processes.len();
        if count == 0 || self.random.percent(1) {
            return NOBODY;
        }
        let back = self.random.below(count).min(self.random.below(count));
        self.processes[count - 1 - back].at
    }

    fn signal(&mut self) -> i32 {
        if self.random.percent(2) {
            self.random.of(&[-1, 65, i32::MAX])
        } else {
            self.random.of(&SIGNALS)
        }
    }

    /// What kill(2) and waitpid(2) name: a pid, a group, everyone.
    fn target(&mut self) -> i32 {
        let pid = 1 + self.random.below(self.processes.len() + 1) as i32;
        match self.random.below(10) {
            0..5 => pid,
            5..8 => -pid,
            8 => 0,
            _ => self.random.of(&[-1, -99, 99, i32::MAX, i32::MIN + 1]),
        }
    }

    fn birth(&mut self) -> Op {
        let at = self.processes.len();
        let parent = self.random.percent(55).then(|| self.proc());
        let parent = if self.processes.is_empty() { None } else { parent };
        let fds = match parent.and_then(|at| self.processes.iter().find(|known| known.at == at)) {
            Some(parent) => parent.fds.clone(),
            None => vec![0, 1, 2],
        };
        self.processes.push(Known { at, fds });
        let mut birth =
            Birth { parent, command: self.random.of(&COMMANDS).to_owned(), ..Birth::default() };
        if self.random.percent(50) {
            birth.requester = Some(self.random.of(&DRIVERS));
        }
        if self.random.percent(30) {
            birth.args = vec![self.random.of(&["-x", "long argument", "y"]).to_owned()];
        }
        if self.random.percent(15) {
            birth.env = vec![("KEY".to_owned(), self.random.of(&["v", "value", ""]).to_owned())];
        }
        if self.random.percent(15) {
            birth.cwd = Some(self.random.of(&["/", "/d", "rel"]).to_owned());
        }
        match self.random.below(10) {
            0..5 => {
                if self.random.percent(60) {
                    birth.command = self.random.of(&["sh", "job"]).to_owned();
                } else if self.random.percent(30) {
                    let paths = [
                        "/bin/sh",
                        "/bin/job",
                        "/a",
                        "/d",
                        "x",
                        "./x",
                        "/usr/bin/sh",
                        "",
                        "bin/sh",
                        "/s",
                    ];
                    birth.command = self.random.of(&paths).to_owned();
                }
                Op::Spawn(at, birth)
            }
            5 => {
                birth.command = "echo hi".to_owned();
                Op::Exec(at, birth)
            }
            _ => {
                let driver = self.random.of(&DRIVERS);
                if self.random.percent(70) {
                    birth.requester = Some(driver);
                }
                Op::Create(at, driver, birth)
            }
        }
    }

    fn by_handle(&mut self) -> Op {
        let at = self.proc();
        match self.random.below(6) {
            0 | 1 => Op::Finish(at, self.random.of(&[0, 1, 7, 255, 256, -1, i32::MIN])),
            2..5 => Op::HandleKill(at, self.signal().min(1_000)),
            _ => Op::HandleWait(at),
        }
    }

    fn ending(&mut self) -> Op {
        let at = self.proc();
        match self.random.below(6) {
            0 => Op::Of(self.who(), at, ProcOp::Exit(self.random.of(&[0, 3, 300, -5]))),
            1 => Op::Waitpid(at),
            2 => Op::WaitAndReap(at),
            _ => {
                let flags = self.random.below(8) as u32;
                let target = if self.random.percent(60) { -1 } else { self.target() };
                Op::Of(self.who(), at, ProcOp::WaitOptions(target, flags))
            }
        }
    }

    fn on_process(&mut self) -> ProcOp {
        let random = &mut self.random;
        match random.below(20) {
            0..4 => ProcOp::Kill(self.signal()),
            4 => ProcOp::Setpgid(random.below(6) as u32),
            5 => random.of(&[ProcOp::Getpgid, ProcOp::Getpid, ProcOp::Getppid, ProcOp::Getsid]),
            6 => ProcOp::Setsid,
            7..10 => {
                let how = random.below(3) as u8;
                let count = random.below(4);
                let set =
                    (0..count).map(|_| random.of(&[1, 2, 10, 13, 15, 17, 18, 28, 64])).collect();
                ProcOp::Sigprocmask(how, set)
            }
            10 | 11 => ProcOp::Sigpending,
            12 => {
                let mask = random.of(&[0, 0o077, 0o022, 0o777, 0o7777, u32::MAX]);
                let new = random.percent(60).then_some(mask);
                ProcOp::Umask(new)
            }
            13 => random.of(&[ProcOp::Identity, ProcOp::Groups, ProcOp::DevFdDir]),
            14 => ProcOp::Stdin(random.of(&[0, 1, 10, 5_000])),
            15 => ProcOp::Stdout(self.data()),
            16 => ProcOp::Stderr(self.data()),
            _ => {
                let at = self.proc();
                let count = self.random.below(4);
                let fds =
                    (0..count).map(|_| (self.fd(at), self.random.of(&[0, 1, 4, 5]))).collect();
                ProcOp::Poll(fds)
            }
        }
    }

    fn data(&mut self) -> Data {
        let byte = b'a' + self.random.below(6) as u8;
        let small = self.random.percent(75);
        let lengths = if small { &LENGTHS[..5] } else { &LENGTHS[..] };
        Data(byte, self.random.of(lengths))
    }

    fn slot(&mut self, at: Proc) -> Slot {
        let slot = self.slots;
        self.slots += 1;
        if let Some(known) = self.processes.iter_mut().find(|known| known.at == at) {
            known.fds.push(slot);
        }
        slot
    }

    /// A descriptor of a process: the last ones more often.
    fn fd(&mut self, at: Proc) -> Fd {
        if self.random.percent(3) {
            return Fd::Number(self.random.of(&[100, 120, 200, 255, 256, 1_000_000, u32::MAX]));
        }
        let Some(known) = self.processes.iter().find(|known| known.at == at) else {
            return Fd::Slot(3);
        };
        let count = known.fds.len();
        let back = self.random.below(count).min(self.random.below(count));
        Fd::Slot(known.fds[count - 1 - back])
    }

    fn flags(&mut self) -> u32 {
        let access = self.random.of(&[0, 1, 2, 2, 2]);
        let more = self.random.of(&[0, 0o100, 0o100, 0o100, 0o300, 0o1000, 0o1100, 0o2100, 0o2000]);
        let nonblock = if self.random.percent(15) { 0o4000 } else { 0 };
        access | more | nonblock
    }

    fn on_fd(&mut self) -> Op {
        let (who, at) = (self.who(), self.proc());
        if self.random.percent(22) {
            let mode = self.random.percent(25).then(|| self.random.of(&[0o600, 0o777, 0o1755, 0]));
            let path = match self.path() {
                path if path.starts_with("/dev") && !path.contains("/dev/") => "/a".to_owned(),
                path if matches!(path.as_str(), "/dev/fd" | "/dev/pts" | "/dev/stdin") => {
                    "/a".to_owned()
                }
                path => path,
            };
            return Op::Of(who, at, ProcOp::Open(self.slot(at), path, self.flags(), mode));
        }
        if self.random.percent(12) {
            return Op::Of(who, at, ProcOp::Pipe(self.slot(at), self.slot(at)));
        }
        let fd = self.fd(at);
        let op = self.fd_op(at, fd);
        Op::OnFd(who, at, fd, op)
    }

    fn fd_op(&mut self, at: Proc, fd: Fd) -> FdOp {
        let length = self.random.of(&LENGTHS);
        // Mostly what a stream is open for.
        match fd {
            Fd::Slot(0) if self.random.percent(50) => return FdOp::Read(length),
            Fd::Slot(1 | 2) if self.random.percent(50) => return FdOp::Write(self.data()),
            Fd::Slot(0..3) if self.random.percent(60) => return FdOp::Dup(self.slot(at)),
            Fd::Slot(_) | Fd::Number(_) => {}
        }
        match self.random.below(40) {
            0..5 => FdOp::Read(length),
            5 => FdOp::ReadTimeout(length),
            6..13 => FdOp::Write(self.data()),
            13..16 => {
                let offset = self.random.of(&[0, 1, 5, -1, -100, 200, i64::MAX, i64::MIN]);
                FdOp::Seek(offset, self.random.of(&[0, 1, 2, 3, 255]))
            }
            16 => FdOp::Pread(length, self.offset()),
            17 | 18 => FdOp::Pwrite(self.data(), self.offset()),
            19..21 => FdOp::Dup(self.slot(at)),
            21 | 22 => {
                let new = match self.random.below(4) {
                    0 | 1 => self.fd(at),
                    2 => Fd::Number(self.random.of(&[100, 120, 140, 255])),
                    _ => Fd::Slot(self.random.below(3)),
                };
                FdOp::Dup2(self.slot(at), new)
            }
            // Standard descriptors stay: their numbers would be given again, by us.
            23..26 => match fd {
                Fd::Slot(0..3) => FdOp::Stat,
                _ => FdOp::Close,
            },
            26..30 => self.fcntl(at),
            30..32 => FdOp::Flock(self.random.of(&[1, 2, 8, 1, 2, 0, 3, 16])),
            32 | 33 => FdOp::Stat,
            34 => FdOp::Path,
            35 | 36 => FdOp::DevStat,
            37 => {
                let (atime, mtime) = self.times();
                FdOp::Futimes(atime, mtime)
            }
            38 => FdOp::Isatty,
            _ => FdOp::Reopen(self.slot(at), 0),
        }
    }

    fn fcntl(&mut self, at: Proc) -> FdOp {
        match self.random.below(12) {
            0 | 1 => FdOp::Fcntl(0, self.random.of(&[160, 180, 255, 256, u32::MAX]), self.slot(at)),
            2 | 3 => FdOp::Fcntl(1, 0, 0),
            4 | 5 => FdOp::Fcntl(2, self.random.of(&[0, 1, 3, 2]), 0),
            6 | 7 => FdOp::Fcntl(3, 0, 0),
            8..11 => FdOp::Fcntl(4, self.random.of(&[0, 0o4000, 0o2000, 0o6000, 2, u32::MAX]), 0),
            _ => FdOp::Fcntl(self.random.of(&[5, 6, 1030, u32::MAX]), 0, 0),
        }
    }

    fn offset(&mut self) -> u64 {
        let huge = if self.asks { 9 } else { u64::MAX };
        self.random.of(&[0, 1, 5, 200, 70_000, huge, huge - 3, 100_000_000])
    }

    /// The origin sets the first before it looks at the second: only the first is ever negative.
    fn times(&mut self) -> (Time, Time) {
        let first = if self.random.percent(8) { Time::Set(-1, 0) } else { self.time() };
        (first, self.time())
    }

    fn time(&mut self) -> Time {
        let second = self.random.of(&[0, 5, 12_345]);
        let nsec = self.random.of(&[0, 7, 999_999_999]);
        match self.random.below(6) {
            0 => Time::Now,
            1 => Time::Omit,
            _ => Time::Set(second, nsec),
        }
    }

    fn path(&mut self) -> String {
        if self.guarded && self.random.percent(25) {
            return self.random.of(&GUARDED).to_owned();
        }
        if self.random.percent(1) {
            let long = self.random.of(&[255, 250, 4_096]);
            return format!("/{}", "n".repeat(long));
        }
        let list = match self.random.below(20) {
            0 | 1 => &STRANGE[..],
            2 => &PROC[..],
            _ => &PATHS[..],
        };
        match self.random.of(list) {
            // What the origin makes below /dev it counts, or not, by the call.
            path if self.counts && path.starts_with("/dev") => "/d/e".to_owned(),
            path => path.to_owned(),
        }
    }

    /// A name for a link, by which the runner knows it.
    fn link_name(&mut self) -> String {
        if self.random.percent(10) {
            return self.path();
        }
        self.random.of(&["/l0", "/l1", "/d/l2", "/d/l0", "/w/l3"]).to_owned()
    }

    fn file(&mut self) -> FileOp {
        let path = self.path();
        match self.random.below(40) {
            0..3 => FileOp::Read(path),
            3 => FileOp::Pread(path, self.offset(), self.random.of(&LENGTHS)),
            4..9 if path != "/dev" => FileOp::Write(path, self.data()),
            9 | 10 => FileOp::CreateDir(path),
            11..14 => FileOp::Mkdir(path, self.random.percent(50)),
            14 => FileOp::Exists(path),
            15 | 16 => FileOp::Stat(path),
            17 => FileOp::Lstat(path),
            18 => FileOp::ReadLink(path),
            19 => FileOp::Realpath(path),
            20 | 21 => FileOp::ReadDir(path),
            22 | 23 => FileOp::RemoveFile(path),
            24 => FileOp::RemoveDir(path),
            25..28 => FileOp::Rename(path, self.path()),
            28..30 => {
                let targets = ["/a", "x", "../a", "/d", "/missing", "/l0", "/l1", "e"];
                FileOp::Symlink(self.random.of(&targets).to_owned(), self.link_name())
            }
            30 | 31 => {
                let new = if self.random.percent(80) {
                    self.random.of(&["/ha", "/hb"]).to_owned()
                } else {
                    self.path()
                };
                FileOp::Link(path, new)
            }
            32 | 33 => FileOp::Chmod(path, self.random.of(&[0o600, 0o755, 0o1777, 0])),
            34 => FileOp::Chown(path, self.random.of(&[0, 5, u32::MAX]), self.random.of(&[0, 5])),
            35 => {
                FileOp::Utimes(path, self.random.of(&[0, 5, 1_999]), self.random.of(&[0, 12_345]))
            }
            36 => {
                let (atime, mtime) = self.times();
                FileOp::UtimesSpec(path, atime, mtime)
            }
            37 => {
                let (atime, mtime) = self.times();
                FileOp::Lutimes(path, atime, mtime)
            }
            _ => FileOp::Truncate(path, self.random.of(&[0, 3, 200, 70_000])),
        }
    }

    fn own_file(&mut self) -> OwnFileOp {
        let path = match self.path() {
            path if path.starts_with("/dev") => "/d/x".to_owned(),
            path => path,
        };
        let mode = self.random.percent(50).then(|| self.random.of(&[0o600, 0o777, 0, 0o1755]));
        match self.random.below(12) {
            0 => OwnFileOp::Read(path),
            1..4 => OwnFileOp::Write(path, self.data(), mode),
            4 => OwnFileOp::CreateDir(path, mode),
            5 | 6 => OwnFileOp::Mkdir(path, self.random.percent(50), mode),
            7 => OwnFileOp::Exists(path),
            8 => OwnFileOp::Stat(path),
            9 => OwnFileOp::Lstat(path),
            10 => self.random.of(&[OwnFileOp::ReadLink(path.clone()), OwnFileOp::Realpath(path)]),
            _ => OwnFileOp::ReadDir(path),
        }
    }
}
