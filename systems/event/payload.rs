//! What a finished call gives back: a value and, for some calls, data.

use crate::abi::socket::{Got, OptionValue, Received};
use crate::abi::{
    Address, AltStack, Dirent, EpollEvent, FileOwner, Flock, Interface, Itimer, PollFd, Rlimit,
    SelectSets, SigAction, SigInfo, SigSet, Stat, Statfs, Termios, Termios2, Timespec, WaitStatus,
    Winsize,
};
use crate::wire::Bytes;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A finished call: the value of the register and what it wrote to memory.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Answer {
    /// The returned value, 0 or more (an errno is [`super::Outcome::Failed`]).
    pub value: i64,
    /// What it wrote.
    pub payload: Payload,
}

impl Answer {
    /// A value and nothing else.
    pub const fn value(value: i64) -> Answer {
        Answer { value, payload: Payload::None }
    }

    /// 0 with a payload.
    pub const fn with(payload: Payload) -> Answer {
        Answer { value: 0, payload }
    }

    /// The bytes of read(2) and its like; none if it wrote something else.
    pub fn bytes(&self) -> &[u8] {
        if let Payload::Data(bytes) = &self.payload {
            &bytes.0
        } else if let Payload::Received(received) = &self.payload {
            &received.data.0
        } else {
            &[]
        }
    }

    /// The two descriptors of pipe(2) and socketpair(2).
    pub const fn fds(&self) -> Option<[i32; 2]> {
        if let Payload::Fds(fds) = self.payload { Some(fds) } else { None }
    }

    /// The status of wait4(2).
    pub const fn status(&self) -> Option<WaitStatus> {
        if let Payload::Status(status) = self.payload { Some(status) } else { None }
    }

    /// Bytes, their count as the value.
    pub fn data(bytes: Vec<u8>) -> Answer {
        Answer { value: bytes.len() as i64, payload: Payload::Data(Bytes(bytes)) }
    }
}

/// What a call wrote to the caller's memory.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Payload {
    /// Nothing.
    #[default]
    None,
    /// Bytes of read(2), readlink(2), getcwd(2) (without its NUL), getxattr(2) …
    Data(Bytes),
    /// stat(2).
    Stat(Box<Stat>),
    /// statfs(2).
    Statfs(Box<Statfs>),
    /// The status of wait4(2).
    Status(WaitStatus),
    /// siginfo of waitid(2), rt_sigtimedwait(2).
    Info(Box<SigInfo>),
    /// The old action of rt_sigaction(2).
    Action(Box<SigAction>),
    /// The old mask of rt_sigprocmask(2); the pending set of rt_sigpending(2).
    Set(SigSet),
    /// Two descriptors of pipe(2).
    Fds([i32; 2]),
    /// poll(2).
    Poll(Vec<PollFd>),
    /// select(2).
    Select(Box<SelectSets>),
    /// getgroups(2).
    Groups(Vec<u32>),
    /// getresuid(2): real, effective, saved.
    Ids([u32; 3]),
    /// The old limit of prlimit64(2).
    Limit(Rlimit),
    /// getdents64(2).
    Dirents(Vec<Dirent>),
    /// F_GETLK of fcntl(2).
    Lock(Flock),
    /// F_GETOWN_EX of fcntl(2).
    Owner(FileOwner),
    /// The time left: nanosleep(2).
    Time(Timespec),
    /// The old value of a timer.
    Timer(Itimer),
    /// tcgetattr(3).
    Termios(Box<Termios>),
    /// The same with its speeds: TCGETS2.
    Termios2(Box<Termios2>),
    /// TIOCGWINSZ.
    Winsize(Winsize),
    /// Requests of netdevice(7).
    Interface(Interface),
    /// SIOCGIFCONF: the bytes that they take, and the interfaces.
    Interfaces(i64, Vec<Interface>),
    /// A number written through a pointer: FIONREAD, TIOCGPGRP …
    Number(i64),
    /// getsockname(2).
    Address(Box<Address>),
    /// The old stack of sigaltstack(2).
    AltStack(AltStack),
    /// The new offset of sendfile(2), or both of copy_file_range(2).
    Offsets(Option<i64>, Option<i64>),
    /// What a wait of the face reports: 0 = the end with its number, 1 = a stop, 2 = a
    /// continuation, with the signal.
    Change(u32, i32),
    /// The value of pathconf(3); `None` is "unlimited".
    Conf(Option<u64>),
    /// recvfrom(2), recvmsg(2).
    Received(Box<Received>),
    /// getsockopt(2).
    OptionValue(Box<OptionValue>),
    /// epoll_wait(2).
    Epoll(Vec<EpollEvent>),
    /// sendmmsg(2): how much of each message was sent.
    Lengths(Vec<u32>),
    /// recvmmsg(2).
    Messages(Vec<Got>),
    /// A datagram of the face: host and port that it came from, and what it says.
    Datagram(Bytes, u16, Bytes),
}

crate::wire_struct!(Answer { value, payload });
crate::wire_enum!(Payload {
    0 None, 1 Data(bytes), 2 Stat(stat), 3 Statfs(statfs), 4 Status(status), 5 Info(info),
    6 Action(action), 7 Set(set), 8 Fds(fds), 9 Poll(fds), 10 Select(sets), 11 Groups(groups),
    12 Ids(ids), 13 Limit(limit), 14 Dirents(entries), 15 Lock(lock), 16 Time(time),
    17 Timer(timer), 18 Termios(termios), 19 Winsize(winsize), 20 Number(number),
    21 Offsets(input, output), 22 Address(address), 23 AltStack(stack), 24 Change(event, status),
    25 Conf(value), 26 Epoll(events), 28 Termios2(termios), 30 Received(received),
    31 OptionValue(value), 32 Lengths(lengths), 33 Messages(messages),
    34 Owner(owner),
    35 Interface(interface), 36 Interfaces(bytes, all), 37 Datagram(host, port, data)
});
