//! Who of those that stand in one queue hears of an event, and who finds something: calls that read
//! or accept, poll(2), and items of epoll(7), exclusive ones among them, in many orders of three.

use super::words::*;
use crate::beside::Program;
use serde_json::json;

/// What is waited for: descriptor 3 of every process, which two events make ready.
struct Object {
    name: &'static str,
    begin: Program,
    events: [Program; 2],
    accepts: bool,
}

/// Who waits: a reader, another, poll(2), an item of epoll(7), an exclusive one, another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Reader(i64),
    Poll,
    Item,
    Exclusive(i64),
}

use Who::*;

const ALL: [Who; 6] = [Reader(2), Reader(3), Poll, Item, Exclusive(6), Exclusive(7)];

pub(crate) fn scenes() -> Vec<Scene> {
    let scenes = objects().into_iter().flat_map(|object| {
        // What goes through a terminal takes its time on Linux.
        let every = if object.begin == terminal() { 7 } else { 2 };
        // Settings wake those that wait for room, too: of exclusive items more than one hears.
        let one = |order: &[Who; 3]| {
            object.name != "settings" || !order.iter().any(|who| matches!(who, Exclusive(_)))
        };
        let orders = orders().into_iter().filter(one).collect::<Vec<_>>();
        let plays = orders
            .into_iter()
            .step_by(every)
            .map(move |order| (object.name, play(&object, &order)));
        plays.collect::<Vec<_>>()
    });
    scenes.collect()
}

/// All orders of three, but of two that are alike the first comes first.
fn orders() -> Vec<[Who; 3]> {
    let mut found = Vec::new();
    for first in ALL {
        for second in ALL {
            for third in ALL {
                let order = [first, second, third];
                let at = |who: Who| order.iter().position(|other| *other == who);
                let sorted = |one, two| at(two).is_none() || at(one).is_some() && at(one) < at(two);
                let once = first != second && second != third && first != third;
                if once && sorted(Reader(2), Reader(3)) && sorted(Exclusive(6), Exclusive(7)) {
                    found.push(order);
                }
            }
        }
    }
    found
}

fn play(object: &Object, order: &[Who]) -> Program {
    let instances = std::iter::repeat_n(call("epoll_create1", json!({"flags": 0})), 4);
    let processes = std::iter::repeat_n(fork(), 6);
    let waits = order.iter().map(|who| waits(*who, object.accepts));
    all([
        object.begin.clone(),
        all(instances),
        all(processes),
        all(waits),
        all(object.events.clone()),
    ])
}

fn waits(who: Who, accepts: bool) -> Program {
    let item = |epfd: i64, events: &str| {
        let add = json!({"epfd": epfd, "op": "EPOLL_CTL_ADD", "fd": 3, "events": events});
        let wait = json!({"epfd": epfd, "maxevents": 1, "timeout": -1});
        all([call("epoll_ctl", add), by(epfd, call("epoll_wait", wait))])
    };
    match who {
        Reader(pid) if accepts => by(pid, accept(3)),
        Reader(pid) => by(pid, read(3, 9)),
        Poll => {
            let fds = json!({"fds": [{"fd": 3, "events": "POLLIN"}], "timeout": -1});
            by(4, call("poll", fds))
        }
        Item => item(5, "EPOLLIN"),
        Exclusive(epfd) => item(epfd, "EPOLLIN|EPOLLEXCLUSIVE"),
    }
}

fn objects() -> Vec<Object> {
    let count = || call("write", json!({"fd": 3, "data_b64": "AQAAAAAAAAA="}));
    let x = || write(4, "x");
    let plain = |name, begin, event: Program| {
        let events = [event.clone(), event];
        Object { name, begin, events, accepts: false }
    };
    let both = |kind: &str| all([socket("AF_INET", kind), socket("AF_INET", kind)]);
    let datagrams = [both("SOCK_DGRAM"), bind(3, port(7007)), connect(4, port(7007))];
    let line = || write(4, "x\n");
    let raw = json!({"iflag": "0", "oflag": "0", "cflag": "B38400|CS8|CREAD", "lflag": "0",
        "cc": {"VMIN": 1, "VTIME": 0}});
    let settings = [all([write(4, "a"), ioctl(3, "TCSETS", raw)]), write(4, "b")];
    vec![
        plain("a counter", all([call("eventfd2", json!({"initval": 0})), dup(3)]), count()),
        plain("a pipe", pipe(), x()),
        plain("a stream", socketpair("SOCK_STREAM"), x()),
        plain("datagrams", all(datagrams), x()),
        plain("a terminal", terminal(), line()),
        Object { name: "settings", begin: terminal(), events: settings, accepts: false },
        listener("a listener", "AF_UNIX", name("l")),
        listener("a port", "AF_INET", port(7007)),
    ]
}

fn listener(name: &'static str, domain: &str, at: serde_json::Value) -> Object {
    let socket = || socket(domain, "SOCK_STREAM");
    let comes = |fd| all([socket(), connect(fd, at.clone())]);
    let begin = all([socket(), dup(3), bind(3, at.clone()), listen(3, 9)]);
    Object { name, begin, events: [comes(9), comes(10)], accepts: true }
}

/// The slave at 3, the master at 4.
fn terminal() -> Program {
    let moved = |from: i64, to: i64| call("dup2", json!({"oldfd": from, "newfd": to}));
    all([
        open("/dev/ptmx", "O_RDWR|O_NOCTTY"),
        ioctl(3, "TIOCSPTLCK", 0),
        ioctl(3, "TIOCGPTPEER", 0o402),
        all([dup(3), moved(4, 3), moved(5, 4), close(5)]),
    ])
}
