//! What is measured, stated once: the criterion benches time these operations, and the test
//! `instructions` counts their instructions. Each leaves the kernel as it found it, so that it
//! can be repeated.

pub(crate) mod channels;

use channels::{Channel, Channels};
use tickernel_systems::abi::flags::{
    EFD_NONBLOCK, EPOLL_CTL_ADD, EPOLLIN, O_CREAT, O_RDWR, POLLIN, RLIMIT_NOFILE,
};
use tickernel_systems::abi::{PollFd, Rlimit};
use tickernel_systems::event::{Answer, Call, Outcome, Payload};
use tickernel_systems::{Config, Kernel};

/// Signals of kill: ignored by default, so a target takes any number of them.
pub(crate) const SIGWINCH: i32 = 28;
/// Members of the process group that is killed.
pub(crate) const GROUP: usize = 100;
/// Pipes of the larger poll.
pub(crate) const PIPES: usize = 64;
/// Writes of 64 bytes until the pipe is emptied by one read: it holds 1,024.
pub(crate) const WRITES: u32 = 1000;
/// Counters that one instance of epoll(7) watches.
pub(crate) const WATCHED: u64 = 10_000;
/// What a write to one gives.
pub(crate) const ONE: [u8; 8] = 1u64.to_le_bytes();
/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// getpid(2).
    Getpid,
    /// dup(2) and close(2) of the copy.
    DupClose,
    /// pipe(2) and close(2) of both ends.
    PipeClose,
    /// write(2) of 64 bytes to a pipe; each 1,000th time a read(2) of all.
    PipeWrite64,
    /// write(2) and read(2) of 1 byte through a pipe.
    Pipe1,
    /// write(2) and read(2) of 64 KiB through a pipe.
    Pipe64K,
    /// read(2) of an empty pipe that blocks, and the write(2) of another process that wakes it.
    PipeWake,
    /// fork(2), exit_group(2) of the child, wait4(2).
    Spawn,
    /// open(2) of a new file, write(2), close(2), unlink(2).
    File,
    /// kill(2) of one process.
    KillOne,
    /// kill(2) of a group of 100.
    KillGroup,
    /// poll(2) of 1 pipe, ready.
    Poll1,
    /// poll(2) of 64 pipes, of which the last is ready.
    Poll64,
    /// epoll_wait(2) of 10,000 counters of eventfd(2), of which one is ready.
    EpollReady,
    /// write(2) to another of them, epoll_wait(2) that tells of both, read(2).
    EpollTold,
    /// What sockets and terminals do.
    Channel(Channel),
}

impl Operation {
    /// All, in the order of the reports.
    pub(crate) const ALL: [Operation; 21] = [
        Operation::Getpid,
        Operation::DupClose,
        Operation::PipeClose,
        Operation::PipeWrite64,
        Operation::Pipe1,
        Operation::Pipe64K,
        Operation::PipeWake,
        Operation::Spawn,
        Operation::File,
        Operation::KillOne,
        Operation::KillGroup,
        Operation::Poll1,
        Operation::Poll64,
        Operation::EpollReady,
        Operation::EpollTold,
        Operation::Channel(Channel::ALL[0]),
        Operation::Channel(Channel::ALL[1]),
        Operation::Channel(Channel::ALL[2]),
        Operation::Channel(Channel::ALL[3]),
        Operation::Channel(Channel::ALL[4]),
        Operation::Channel(Channel::ALL[5]),
    ];

    /// Its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Operation::Getpid => "getpid",
            Operation::DupClose => "dup + close",
            Operation::PipeClose => "pipe + 2 close",
            Operation::PipeWrite64 => "pipe write 64 B",
            Operation::Pipe1 => "pipe write + read 1 B",
            Operation::Pipe64K => "pipe write + read 64 KiB",
            Operation::PipeWake => "pipe blocked read + write",
            Operation::Spawn => "spawn + exit + wait",
            Operation::File => "create + write + close + unlink",
            Operation::KillOne => "kill 1",
            Operation::KillGroup => "kill a group of 100",
            Operation::Poll1 => "poll 1 pipe",
            Operation::Poll64 => "poll 64 pipes",
            Operation::EpollReady => "epoll_wait, 1 ready of 10,000",
            Operation::EpollTold => "eventfd write + epoll_wait + read",
            Operation::Channel(channel) => channel.name(),
        }
    }
}

/// A kernel in which one process makes the calls, others are its targets and the rest is idle.
pub(crate) struct Scene {
    /// The kernel.
    pub(crate) kernel: Kernel,
    /// The process that makes the calls.
    active: u32,
    /// A child of it that lives on.
    child: u32,
    /// A process with three descriptors, which has children.
    spawner: u32,
    /// The first member of the group.
    group: u32,
    read_fd: i32,
    write_fd: i32,
    /// A pipe that holds what was written until it is emptied.
    stream: (i32, i32),
    writes: u32,
    data: Vec<u8>,
    polled: Vec<PollFd>,
    watch: Watch,
    channels: Channels,
}

/// A process with an instance of epoll(7) that watches many counters, of which the first is ready.
struct Watch {
    process: u32,
    epfd: i32,
    /// Another counter.
    other: i32,
}

impl Scene {
    /// `idle` processes beside those that the operations need. They are there before the others, so
    /// that these do not have the first rows.
    pub(crate) fn new(idle: usize) -> Self {
        // Room for a hundred thousand; what is asked of it costs the same.
        let max_memory_bytes = 1 << 30;
        let mut kernel = Kernel::new(Config { max_memory_bytes, ..Config::default() });
        for _ in 0..idle {
            done(&mut kernel, 1, Call::Fork {});
        }
        let spawner = done(&mut kernel, 1, Call::Fork {}) as u32;
        let active = done(&mut kernel, 1, Call::Fork {}) as u32;
        let (read_fd, write_fd) = pipe(&mut kernel, active);
        let stream = pipe(&mut kernel, active);
        let child = done(&mut kernel, active, Call::Fork {}) as u32;
        let group = done(&mut kernel, active, Call::Fork {}) as u32;
        let pgid = group as i32;
        done(&mut kernel, group, Call::Setpgid { target: 0, pgid: 0 });
        for _ in 1..GROUP {
            let member = done(&mut kernel, active, Call::Fork {}) as u32;
            done(&mut kernel, member, Call::Setpgid { target: 0, pgid });
        }
        let (polled, last) = Self::pipes(&mut kernel, active);
        done(&mut kernel, active, Call::Write { fd: last, data: b"x" });
        let watch = Watch::new(&mut kernel);
        let channels = Channels::new(&mut kernel);
        Self {
            kernel,
            active,
            child,
            spawner,
            group,
            read_fd,
            write_fd,
            stream,
            writes: 0,
            data: vec![7; 65_536],
            polled,
            watch,
            channels,
        }
    }

    /// The pipes to poll, and the writing end of the last.
    fn pipes(kernel: &mut Kernel, active: u32) -> (Vec<PollFd>, i32) {
        let mut last = -1;
        let polled = (0..PIPES).map(|_| {
            let (fd, write_fd) = pipe(kernel, active);
            last = write_fd;
            PollFd { fd, events: POLLIN as u16, revents: 0 }
        });
        (polled.collect(), last)
    }

    /// Performs an operation once.
    #[inline]
    pub(crate) fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Getpid => drop(self.done(Call::Getpid {})),
            Operation::DupClose => {
                let fd = self.done(Call::Dup { oldfd: 0 }) as i32;
                self.done(Call::Close { fd });
            }
            Operation::PipeClose => {
                let (read_fd, write_fd) = pipe(&mut self.kernel, self.active);
                self.done(Call::Close { fd: read_fd });
                self.done(Call::Close { fd: write_fd });
            }
            Operation::PipeWrite64 => self.write_64(),
            Operation::Pipe1 => self.through_pipe(1),
            Operation::Pipe64K => self.through_pipe(65_536),
            Operation::PipeWake => self.wake(),
            Operation::Spawn => self.spawn(),
            Operation::File => self.file(),
            Operation::KillOne => {
                let target = self.child as i32;
                self.done(Call::Kill { target, sig: SIGWINCH });
            }
            Operation::KillGroup => {
                let target = -(self.group as i32);
                self.done(Call::Kill { target, sig: SIGWINCH });
            }
            Operation::Poll1 => {
                let last = self.polled[PIPES - 1..].to_vec();
                self.done(Call::Poll { fds: last, timeout: 0 });
            }
            Operation::Poll64 => {
                let all = self.polled.clone();
                self.done(Call::Poll { fds: all, timeout: 0 });
            }
            Operation::EpollReady => self.watch.wait(&mut self.kernel, 1),
            Operation::EpollTold => {
                let Watch { process, other: fd, .. } = self.watch;
                done(&mut self.kernel, process, Call::Write { fd, data: &ONE });
                self.watch.wait(&mut self.kernel, 2);
                done(&mut self.kernel, process, Call::Read { fd, count: 8 });
            }
            Operation::Channel(channel) => self.channels.run(&mut self.kernel, channel),
        }
    }

    fn done(&mut self, call: Call<'_>) -> i64 {
        done(&mut self.kernel, self.active, call)
    }

    fn write_64(&mut self) {
        let data = &self.data[..64];
        done(&mut self.kernel, self.active, Call::Write { fd: self.stream.1, data });
        self.writes += 1;
        if self.writes == WRITES {
            self.writes = 0;
            self.done(Call::Read { fd: self.stream.0, count: 65_536 });
        }
    }

    fn through_pipe(&mut self, bytes: usize) {
        let data = &self.data[..bytes];
        done(&mut self.kernel, self.active, Call::Write { fd: self.write_fd, data });
        let read = self.done(Call::Read { fd: self.read_fd, count: bytes as u64 });
        assert_eq!(read, bytes as i64);
    }

    fn wake(&mut self) {
        let read = Call::Read { fd: self.read_fd, count: 64 };
        let outcome = self.kernel.call(self.child, read);
        assert!(matches!(outcome, Outcome::Blocked(_)));
        let data = &self.data[..1];
        done(&mut self.kernel, self.active, Call::Write { fd: self.write_fd, data });
        assert!(self.kernel.poll_output().is_some());
    }

    fn file(&mut self) {
        let (path, flags, mode) = (Some(&b"/file"[..]), O_CREAT | O_RDWR, 0o644);
        let fd = self.done(Call::Open { path, flags, mode }) as i32;
        self.done(Call::Write { fd, data: b"content" });
        self.done(Call::Close { fd });
        self.done(Call::Unlink { path });
    }

    fn spawn(&mut self) {
        let (kernel, spawner) = (&mut self.kernel, self.spawner);
        let child = done(kernel, spawner, Call::Fork {});
        kernel.call(child as u32, Call::ExitGroup { status: 0 });
        assert_eq!(done(kernel, spawner, Call::Wait4 { wpid: -1, options: 0 }), child);
        while self.kernel.poll_output().is_some() {}
    }
}

impl Watch {
    fn new(kernel: &mut Kernel) -> Self {
        let process = done(kernel, 1, Call::Fork {}) as u32;
        let (cur, max) = (2 * WATCHED, 2 * WATCHED);
        let new_limit = Some(Rlimit { cur, max });
        done(kernel, process, Call::Prlimit64 { target: 0, resource: RLIMIT_NOFILE, new_limit });
        let epfd = done(kernel, process, Call::EpollCreate1 { flags: 0 }) as i32;
        let mut other = -1;
        for at in 0..WATCHED {
            let initval = u32::from(at == 0);
            let call = Call::Eventfd2 { initval, flags: EFD_NONBLOCK };
            other = done(kernel, process, call) as i32;
            let (op, fd, events) = (EPOLL_CTL_ADD, other, Some(EPOLLIN));
            done(kernel, process, Call::EpollCtl { epfd, op, fd, events, data: at });
        }
        Self { process, epfd, other }
    }

    #[inline]
    fn wait(&self, kernel: &mut Kernel, ready: i64) {
        let call = Call::EpollWait { epfd: self.epfd, maxevents: 64, timeout: 0 };
        assert_eq!(done(kernel, self.process, call), ready);
    }
}

#[inline(always)]
fn done(kernel: &mut Kernel, task: u32, call: Call<'_>) -> i64 {
    match kernel.call(task, call) {
        Outcome::Done(answer) => answer.value,
        other => unreachable!("an operation that always succeeds: {other:?}"),
    }
}

fn pipe(kernel: &mut Kernel, task: u32) -> (i32, i32) {
    let outcome = kernel.call(task, Call::Pipe {});
    let Outcome::Done(Answer { payload: Payload::Fds([read, write]), .. }) = outcome else {
        unreachable!("a pipe: {outcome:?}");
    };
    (read, write)
}
