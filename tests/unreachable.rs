//! Sockets in sockets (unix(7), `SCM_RIGHTS`): who is gone is who nobody can receive any more,
//! after every call. A model walks all of them each time; the kernel walks what changed.

use tickernel_systems::Kernel;
use tickernel_systems::abi::flags::{AF_UNIX, POLLHUP, RLIMIT_NOFILE, SOCK_SEQPACKET, SOCK_STREAM};
use tickernel_systems::abi::socket::{MSG_DONTWAIT, MSG_PEEK};
use tickernel_systems::abi::{Address, PollFd, Rlimit};
use tickernel_systems::event::{Answer, Call, Outcome, Payload};
use tickernel_systems::wire::Bytes;

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

fn done(kernel: &mut Kernel, call: Call<'_>) -> Answer {
    let text = format!("{call:?}");
    match kernel.call(1, call) {
        Outcome::Done(answer) => answer,
        other => panic!("{text}: {other:?}"),
    }
}

fn close(kernel: &mut Kernel, fd: i32) {
    done(kernel, Call::Close { fd });
}

fn send(kernel: &mut Kernel, over: i32, fds: &[i32]) {
    let fds = Some(fds.iter().map(|fd| i64::from(*fd)).collect());
    let (data, flags) = (b"x".as_slice(), 0);
    done(kernel, Call::Sendmsg { sockfd: over, data, flags, addr: None, fds, cred: None });
}

/// What came with a message: descriptors, or none if there is no message.
fn receive(kernel: &mut Kernel, from: i32, flags: u32) -> Option<Vec<i32>> {
    let flags = flags | MSG_DONTWAIT;
    match kernel.call(1, Call::Recvmsg { sockfd: from, count: 1, flags }) {
        Outcome::Done(Answer { payload: Payload::Received(got), .. }) => Some(got.fds),
        Outcome::Failed(_) => None,
        other => panic!("{other:?}"),
    }
}

/// Sockets that travel, and of each the end that stays: it hangs up when the other is gone.
struct Model {
    kernel: Kernel,
    stays: Vec<i32>,
    /// Descriptors that the process has of each.
    held: Vec<Vec<i32>>,
    /// What lies in each one's queue, message by message.
    queues: Vec<Vec<Vec<usize>>>,
    /// Listeners cannot be read.
    listens: Vec<bool>,
    gone: Vec<bool>,
}

impl Model {
    fn new(count: usize) -> Self {
        let mut kernel = Kernel::new(Default::default());
        let (mut stays, mut held, mut listens) = (Vec::new(), Vec::new(), Vec::new());
        for at in 0..count {
            let is_listener = at % 4 == 3;
            let kind = if at % 2 == 0 { SOCK_STREAM } else { SOCK_SEQPACKET };
            let [moves, remains] = if is_listener {
                listener(&mut kernel, kind, at)
            } else {
                let call = Call::Socketpair { domain: AF_UNIX, r#type: kind, protocol: 0 };
                let Payload::Fds(ends) = done(&mut kernel, call).payload else { panic!() };
                ends
            };
            stays.push(remains);
            held.push(vec![moves]);
            listens.push(is_listener);
        }
        let queues = vec![Vec::new(); count];
        Self { kernel, stays, held, queues, listens, gone: vec![false; count] }
    }

    fn step(&mut self, random: &mut Random) {
        let count = self.stays.len();
        let (one, other) = (random.below(count), random.below(count));
        match random.below(8) {
            0..=2 if !self.held[one].is_empty() && !self.gone[other] => {
                let second = random.below(count);
                let mut sent = vec![one];
                sent.extend((!self.held[second].is_empty()).then_some(second));
                let fds: Vec<i32> = sent.iter().map(|at| self.held[*at][0]).collect();
                send(&mut self.kernel, self.stays[other], &fds);
                self.queues[other].push(sent);
            }
            3..=5 if !self.held[one].is_empty() => {
                let fd = self.held[one].pop().expect("it is held");
                close(&mut self.kernel, fd);
            }
            6 if !self.held[one].is_empty() && !self.listens[one] => {
                let peeks = random.below(2) == 0;
                let flags = if peeks { MSG_PEEK } else { 0 };
                let got = receive(&mut self.kernel, self.held[one][0], flags);
                let first = self.queues[one].first().cloned();
                assert_eq!(got.as_ref().map(Vec::len), first.as_ref().map(Vec::len));
                for (fd, at) in got.into_iter().flatten().zip(first.into_iter().flatten()) {
                    self.held[at].push(fd);
                }
                if !peeks && !self.queues[one].is_empty() {
                    self.queues[one].remove(0);
                }
            }
            7 if !self.held[one].is_empty() => {
                let copy = done(&mut self.kernel, Call::Dup { oldfd: self.held[one][0] });
                self.held[one].push(copy.value as i32);
            }
            _ => {}
        }
    }

    /// Who is held, and what can be received from there.
    fn check(&mut self, what: &str) {
        let count = self.stays.len();
        let mut next: Vec<usize> = (0..count).filter(|at| !self.held[*at].is_empty()).collect();
        let mut is_reached = vec![false; count];
        while let Some(at) = next.pop() {
            if !std::mem::replace(&mut is_reached[at], true) {
                next.extend(self.queues[at].iter().flatten());
            }
        }
        let fds = self.stays.iter().map(|fd| PollFd { fd: *fd, events: 0, revents: 0 }).collect();
        let polled = done(&mut self.kernel, Call::Poll { fds, timeout: 0 });
        let Payload::Poll(polled) = polled.payload else { panic!("{what}: {polled:?}") };
        let hung: Vec<bool> = polled.iter().map(|fd| fd.revents & POLLHUP as u16 != 0).collect();
        for (gone, is_reached) in self.gone.iter_mut().zip(&is_reached) {
            *gone |= !is_reached;
        }
        let emptied = self.queues.iter_mut().zip(&self.gone).filter(|(_, gone)| **gone);
        emptied.for_each(|(queue, _)| queue.clear());
        assert_eq!(hung, self.gone, "{what}: who is gone");
    }
}

/// A listener, and a connection that nobody accepts: what it sends lies with the listener.
fn listener(kernel: &mut Kernel, kind: u32, at: usize) -> [i32; 2] {
    let mut socket = || {
        let call = Call::Socket { domain: AF_UNIX, r#type: kind, protocol: 0 };
        done(kernel, call).value as i32
    };
    let (listens, connects) = (socket(), socket());
    let addr = Address::Abstract(Bytes(format!("{at}").into_bytes()));
    done(kernel, Call::Bind { sockfd: listens, addr: addr.clone() });
    done(kernel, Call::Listen { sockfd: listens, backlog: 1 });
    done(kernel, Call::Connect { sockfd: connects, addr });
    [listens, connects]
}

#[test]
fn who_is_gone_is_who_nobody_can_receive() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut model = Model::new(3 + random.below(12));
        for step in 0..120 {
            let what = format!("seed {seed}, step {step}");
            model.step(&mut random);
            model.check(&what);
            model.kernel.audit().unwrap_or_else(|defect| panic!("{what}: {defect}"));
            if random.below(10) == 0 {
                let again = Kernel::restore(&model.kernel.snapshot());
                model.kernel = again.unwrap_or_else(|error| panic!("{what}: {error}"));
            }
        }
    }
}

fn pair(kernel: &mut Kernel) -> [i32; 2] {
    let call = Call::Socketpair { domain: AF_UNIX, r#type: SOCK_STREAM, protocol: 0 };
    let Payload::Fds(ends) = done(kernel, call).payload else { panic!("no pair") };
    ends
}

fn roomy() -> Kernel {
    let mut kernel = Kernel::new(Default::default());
    let new_limit = Some(Rlimit { cur: 1 << 20, max: 1 << 20 });
    let resource = RLIMIT_NOFILE;
    done(&mut kernel, Call::Prlimit64 { target: 0, resource, new_limit });
    kernel
}

/// If each close walked what is in flight, these two would not end within the time of a test.
#[test]
fn a_pair_in_a_pair_in_a_pair_costs_what_one_costs() {
    let kernel = &mut roomy();
    // A circle that is held is there, so that nobody may say that there is none.
    let [left, right] = pair(kernel);
    send(kernel, left, &[right]);
    let mut inner = pair(kernel);
    for _ in 0..20_000 {
        let outer = pair(kernel);
        send(kernel, outer[0], &inner);
        inner.into_iter().for_each(|fd| close(kernel, fd));
        inner = outer;
    }
    inner.into_iter().for_each(|fd| close(kernel, fd));
    kernel.audit().expect("all is counted");
    let [empty, left] = [roomy().snapshot().len(), kernel.snapshot().len()];
    assert!(left < empty + 200, "{left} bytes are left of {empty}: somebody is not gone");
}

#[test]
fn ten_thousand_sockets_in_each_other_are_closed_one_by_one() {
    let kernel = &mut roomy();
    let mut fds: Vec<i32> = (0..5_000).flat_map(|_| pair(kernel)).collect();
    let mut random = Random(1);
    for at in 0..fds.len() {
        let over = fds[random.below(fds.len())];
        send(kernel, over, &[fds[at]]);
    }
    while !fds.is_empty() {
        let fd = fds.swap_remove(random.below(fds.len()));
        close(kernel, fd);
    }
    kernel.audit().expect("all is counted");
    let [empty, left] = [roomy().snapshot().len(), kernel.snapshot().len()];
    assert!(left < empty + 100, "{left} bytes are left of {empty}: somebody is not gone");
}
