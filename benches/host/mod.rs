//! The operations of the benches on the Linux underneath, through rustix: the other side of each
//! comparison. What a blocked read costs there depends on its scheduler: that one is left out.
//! fork(2) costs what its process is large: a small one, made before anything else, does it.

mod channels;

use crate::operations::{GROUP, ONE, Operation, PIPES, WATCHED, WRITES};
use channels::Channels;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::io::{dup, read, write};
use rustix::pipe::pipe;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitOptions, getpid, kill_process, kill_process_group, setpgid,
    setrlimit, waitpid,
};
use std::fs::{File, remove_file};
use std::hint::black_box;
use std::io::Write;
use std::os::fd::OwnedFd;
use tempfile::TempDir;

/// The processes and pipes that the operations need.
pub(crate) struct Host {
    children: Vec<Pid>,
    spawner: Spawner,
    pipe: (OwnedFd, OwnedFd),
    polled: Vec<(OwnedFd, OwnedFd)>,
    /// A pipe that holds what was written until it is emptied.
    stream: (OwnedFd, OwnedFd),
    writes: u32,
    /// Where files are made.
    folder: TempDir,
    data: Vec<u8>,
    buffer: Vec<u8>,
    /// An instance of epoll(7) and what it watches; nothing where that may not be so many.
    watch: Option<(OwnedFd, Vec<OwnedFd>)>,
    channels: Channels,
}

impl Host {
    /// One child alone, then a group of 100.
    pub(crate) fn new() -> Self {
        let spawner = Spawner::new();
        let children: Vec<Pid> = (0..=GROUP).map(|_| fork(true)).collect();
        for member in &children[1..] {
            setpgid(Some(*member), Some(children[1])).expect("a child of ours");
        }
        let polled: Vec<_> = (0..PIPES).map(|_| pipe().expect("a pipe")).collect();
        write(&polled[PIPES - 1].1, b"x").expect("room");
        Self {
            children,
            spawner,
            pipe: pipe().expect("a pipe"),
            polled,
            stream: pipe().expect("a pipe"),
            writes: 0,
            folder: tempfile::tempdir().expect("a folder"),
            data: vec![7; 65_536],
            buffer: vec![0; 65_536],
            watch: watch(),
            channels: Channels::new(),
        }
    }

    /// Whether it can be measured here.
    pub(crate) fn can(&self, operation: Operation) -> bool {
        match operation {
            Operation::PipeWake => false,
            Operation::EpollReady | Operation::EpollTold => self.watch.is_some(),
            _ => true,
        }
    }

    /// Has a small process fork a child, wait for its end, and that `times` over.
    pub(crate) fn spawn(&self, times: u64) {
        write(&self.spawner.requests, &times.to_le_bytes()).expect("room");
        read(&self.spawner.replies, &mut [0; 8]).expect("a reply");
    }

    /// Performs an operation once.
    pub(crate) fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Getpid => drop(black_box(getpid())),
            Operation::DupClose => drop(dup(&self.pipe.0).expect("a descriptor")),
            Operation::PipeClose => drop(pipe().expect("a pipe")),
            Operation::PipeWrite64 => self.write_64(),
            Operation::Pipe1 => self.through_pipe(1),
            Operation::Pipe64K => self.through_pipe(65_536),
            Operation::PipeWake => {}
            Operation::Spawn => self.spawn(1),
            Operation::File => self.file(),
            Operation::KillOne => {
                kill_process(self.children[0], Signal::WINCH).expect("a child of ours");
            }
            Operation::KillGroup => {
                kill_process_group(self.children[1], Signal::WINCH).expect("a group of ours");
            }
            Operation::Poll1 => self.poll(PIPES - 1),
            Operation::Poll64 => self.poll(0),
            Operation::EpollReady => self.watch(1),
            Operation::EpollTold => {
                let other = self.watch.as_ref().and_then(|(_, counters)| counters.last());
                let other = other.expect("counters");
                write(other, &ONE).expect("room");
                self.watch(2);
                read(other, &mut [0; 8]).expect("a count");
            }
            Operation::Channel(channel) => self.channels.run(channel),
        }
    }

    fn write_64(&mut self) {
        write(&self.stream.1, &self.data[..64]).expect("room");
        self.writes += 1;
        if self.writes == WRITES {
            self.writes = 0;
            read(&self.stream.0, &mut self.buffer[..]).expect("bytes");
        }
    }

    fn through_pipe(&mut self, bytes: usize) {
        write(&self.pipe.1, &self.data[..bytes]).expect("room");
        let count = read(&self.pipe.0, &mut self.buffer[..bytes]).expect("bytes");
        assert_eq!(count, bytes);
    }

    fn file(&self) {
        let path = self.folder.path().join("file");
        let mut file = File::create_new(&path).expect("a new file");
        file.write_all(b"content").expect("room");
        drop(file);
        remove_file(&path).expect("a file of ours");
    }

    fn watch(&self, ready: usize) {
        let (epfd, _) = self.watch.as_ref().expect("counters");
        let mut events = [const { std::mem::MaybeUninit::uninit() }; 64];
        let (events, _) =
            epoll::wait(epfd, &mut events, Some(&Timespec::default())).expect("an instance");
        assert_eq!(events.len(), ready);
    }

    fn poll(&self, from: usize) {
        let ends = self.polled[from..].iter();
        let mut fds: Vec<_> = ends.map(|ends| PollFd::new(&ends.0, PollFlags::IN)).collect();
        let ready = poll(&mut fds, Some(&Timespec::default())).expect("descriptors");
        assert_eq!(ready, 1);
    }
}

/// As `operations::Watch`; `None` without the right to so many descriptors.
fn watch() -> Option<(OwnedFd, Vec<OwnedFd>)> {
    let limit = Some(2 * WATCHED);
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).ok()?;
    let epfd = epoll::create(epoll::CreateFlags::empty()).ok()?;
    let mut counters = Vec::new();
    for at in 0..WATCHED {
        let counter = eventfd(u32::from(at == 0), EventfdFlags::NONBLOCK).ok()?;
        let data = epoll::EventData::new_u64(at);
        epoll::add(&epfd, &counter, data, epoll::EventFlags::IN).ok()?;
        counters.push(counter);
    }
    Some((epfd, counters))
}

impl Drop for Host {
    fn drop(&mut self) {
        for child in &self.children {
            kill_process(*child, Signal::KILL).expect("a child of ours");
            waitpid(Some(*child), WaitOptions::empty()).expect("a child of ours");
        }
    }
}

/// A small process that forks on request; it ends with the pipe of the requests.
struct Spawner {
    requests: OwnedFd,
    replies: OwnedFd,
}

impl Spawner {
    fn new() -> Self {
        let (ours, theirs) = (pipe().expect("a pipe"), pipe().expect("a pipe"));
        if fork_here().is_some() {
            return Self { requests: ours.1, replies: theirs.0 };
        }
        drop(ours.1);
        let mut times = [0; 8];
        while read(&ours.0, &mut times).is_ok_and(|count| count == times.len()) {
            for _ in 0..u64::from_le_bytes(times) {
                let child = fork(false);
                waitpid(Some(child), WaitOptions::empty()).expect("a child");
            }
            write(&theirs.1, &times).expect("room");
        }
        std::process::exit(0)
    }
}

/// fork(2): the child, or `None` in it.
fn fork_here() -> Option<Pid> {
    // SAFETY: called before this program has a second thread, so the child may do as it likes.
    Pid::from_raw(unsafe { libc::fork() })
}

/// A child that ends at once, or waits for signals.
fn fork(stays: bool) -> Pid {
    // SAFETY: the child calls nothing but pause(2) and _exit(2), which are safe after the fork of a
    // process with threads (signal-safety(7)).
    let pid = unsafe {
        let pid = libc::fork();
        if pid == 0 {
            if stays {
                loop {
                    libc::pause();
                }
            }
            libc::_exit(0);
        }
        pid
    };
    Pid::from_raw(pid).expect("fork(2) succeeds")
}
