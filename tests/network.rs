//! Ends of connections and datagrams outside of the kernel: what comes from there is an event, what
//! goes there an effect; and a program sees of such a peer what it sees of one inside, which the
//! lockstep with Linux holds to its word (`lockstep::internet`).

#[path = "asked/mod.rs"]
mod asked;

use asked::{ask, ask_all, ok};
use serde_json::{Value, json};
use tickernel::drive::Drive;
use tickernel_systems::Config;

fn drive() -> Drive {
    Drive::new(Config::default())
}

fn at(host: &str, port: u16) -> Value {
    let family = if host.contains(':') { "AF_INET6" } else { "AF_INET" };
    json!({"family": family, "addr": host, "port": port})
}

fn call(drive: &mut Drive, name: &str, mut fields: Value) -> Value {
    fields["pid"] = 1.into();
    fields["call"] = name.into();
    ask(drive, &fields)
}

fn incoming(drive: &mut Drive, what: &str, mut fields: Value) -> Value {
    fields["op"] = "incoming".into();
    fields["what"] = what.into();
    ask(drive, &fields)
}

fn socket(drive: &mut Drive, kind: &str) -> i64 {
    let made = call(
        drive,
        "socket",
        json!({"domain": "AF_INET", "type": format!("{kind}|SOCK_NONBLOCK"), "protocol": 0}),
    );
    made["ok"].as_i64().expect("a descriptor")
}

fn host(drive: &mut Drive, address: &str, is_there: bool) -> Value {
    incoming(drive, "host", json!({"host": at(address, 0), "is_there": is_there}))
}

/// A connection to 192.0.2.9:80 that is there; the socket's own id.
fn connected(drive: &mut Drive) -> (i64, u64) {
    host(drive, "10.0.0.2", true);
    let fd = socket(drive, "SOCK_STREAM");
    let request = json!({"pid": 1, "call": "connect", "sockfd": fd, "addr": at("192.0.2.9", 80)});
    let lines = ask_all(drive, &request);
    let id = lines[0]["outgoing"]["socket"].as_u64().expect("it goes out");
    assert_eq!(lines[1], json!({"err": "EINPROGRESS"}));
    assert_eq!(incoming(drive, "accepted", json!({"socket": id})), json!({"ok": 0}));
    (fd, id)
}

#[test]
fn no_way_leads_out_until_there_is_a_host() {
    let drive = &mut drive();
    let fd = socket(drive, "SOCK_STREAM");
    let far = json!({"sockfd": fd, "addr": at("192.0.2.9", 80)});
    assert_eq!(call(drive, "connect", far.clone()), json!({"err": "ENETUNREACH"}));
    assert_eq!(host(drive, "10.0.0.2", true), json!({"ok": 0}));
    let lines = ask_all(
        drive,
        &json!({"pid": 1, "call": "connect", "sockfd": fd, "addr": at("192.0.2.9", 80)}),
    );
    let out = &lines[0]["outgoing"];
    assert_eq!((&out["what"], &out["to"]), (&json!("connect"), &at("192.0.2.9", 80)));
    assert_eq!(out["from"]["addr"], "10.0.0.2");
    // One bound to `lo` reaches nobody outside, and one of the machine's own hosts is no way out.
    let own = socket(drive, "SOCK_STREAM");
    ok(drive, &json!({"pid": 1, "call": "bind", "sockfd": own, "addr": at("127.0.0.1", 0)}));
    let far = json!({"sockfd": own, "addr": at("192.0.2.9", 80)});
    assert_eq!(call(drive, "connect", far), json!({"err": "EINVAL"}));
    let near = socket(drive, "SOCK_STREAM");
    let refused = call(drive, "connect", json!({"sockfd": near, "addr": at("10.0.0.2", 80)}));
    assert_eq!(refused, json!({"err": "EINPROGRESS"}));
    let again = call(drive, "connect", json!({"sockfd": near, "addr": at("10.0.0.2", 80)}));
    assert_eq!(again, json!({"err": "ECONNREFUSED"}));
    let bound = socket(drive, "SOCK_STREAM");
    ok(drive, &json!({"pid": 1, "call": "bind", "sockfd": bound, "addr": at("10.0.0.2", 80)}));
    assert_eq!(host(drive, "10.0.0.2", false), json!({"ok": 0}));
    let gone = call(drive, "connect", json!({"sockfd": bound, "addr": at("192.0.2.9", 80)}));
    assert_eq!(gone, json!({"err": "ENETUNREACH"}));
}

#[test]
fn a_blocked_connect_goes_on_when_it_is_answered() {
    let drive = &mut drive();
    host(drive, "10.0.0.2", true);
    for (answer, end) in [
        (json!({"what": "accepted"}), json!({"ok": 0})),
        (json!({"what": "failed", "errno": "ECONNREFUSED"}), json!({"err": "ECONNREFUSED"})),
        (json!({"what": "failed", "errno": "ETIMEDOUT"}), json!({"err": "ETIMEDOUT"})),
    ] {
        let made = json!({"domain": "AF_INET", "type": "SOCK_STREAM", "protocol": 0});
        let fd = call(drive, "socket", made)["ok"].as_i64().expect("a descriptor");
        let connect =
            json!({"pid": 1, "call": "connect", "sockfd": fd, "addr": at("192.0.2.9", 80)});
        let lines = ask_all(drive, &connect);
        let waiting = lines[1]["blocked"].as_u64().expect("it waits");
        let mut answer = answer;
        answer["op"] = "incoming".into();
        answer["socket"] = lines[0]["outgoing"]["socket"].clone();
        let lines = ask_all(drive, &answer);
        assert_eq!(lines[0]["done"], waiting);
        assert_eq!(lines[0].get("ok"), end.get("ok"));
        assert_eq!(lines[0].get("err"), end.get("err"));
        assert_eq!(lines[1], json!({"ok": 0}));
    }
}

#[test]
fn a_writer_waits_until_somebody_outside_takes_what_there_is() {
    let drive = &mut drive();
    let (fd, id) = connected(drive);
    let piece = "x".repeat(1 << 20);
    let mut sent = 0;
    let full = loop {
        let write = json!({"pid": 1, "call": "write", "fd": fd, "data": piece});
        let mut lines = ask_all(drive, &write);
        let answer = lines.pop().expect("an answer");
        let Some(count) = answer["ok"].as_u64() else { break answer };
        let out: usize =
            lines.iter().map(|line| line["outgoing"]["data"].as_str().map_or(0, str::len)).sum();
        assert_eq!(out as u64, count, "what is sent goes out");
        sent += count;
    };
    assert_eq!(full, json!({"err": "EAGAIN"}));
    let unsent = call(drive, "ioctl", json!({"fd": fd, "request": "TIOCOUTQ"}));
    assert_eq!(unsent["arg"].as_u64(), Some(sent));
    let taken = incoming(drive, "taken", json!({"socket": id, "count": u64::MAX}));
    assert_eq!(taken["ok"].as_u64(), Some(sent));
    let write = ask_all(drive, &json!({"pid": 1, "call": "write", "fd": fd, "data": "x"}));
    assert_eq!(write.last(), Some(&json!({"ok": 1})));
}

#[test]
fn what_comes_in_has_room_and_no_more() {
    let drive = &mut drive();
    let (fd, id) = connected(drive);
    let piece = "y".repeat(1 << 20);
    let bytes = json!({"socket": id, "data": piece});
    let mut came = 0;
    let full = loop {
        let answer = incoming(drive, "bytes", bytes.clone());
        let Some(count) = answer["ok"].as_u64() else { break answer };
        came += count;
    };
    assert_eq!(full, json!({"err": "EAGAIN"}));
    let there = call(drive, "ioctl", json!({"fd": fd, "request": "FIONREAD"}));
    assert_eq!(there["arg"].as_u64(), Some(came));
    assert_eq!(call(drive, "read", json!({"fd": fd, "count": 4}))["data"], "yyyy");
    assert_eq!(incoming(drive, "bytes", bytes), json!({"ok": 4}));
}

#[test]
fn datagrams_come_and_go() {
    let drive = &mut drive();
    let fd = socket(drive, "SOCK_DGRAM");
    ok(drive, &json!({"pid": 1, "call": "bind", "sockfd": fd, "addr": at("0.0.0.0", 5300)}));
    let query = json!({"from": at("192.0.2.9", 53), "to": at("127.0.0.1", 5300), "data": "hello"});
    assert_eq!(incoming(drive, "datagram", query), json!({"ok": 1}));
    let got = call(drive, "recvfrom", json!({"sockfd": fd, "count": 100, "flags": ""}));
    assert_eq!((&got["data"], &got["addr"]), (&json!("hello"), &at("192.0.2.9", 53)));
    let nobody = json!({"from": at("192.0.2.9", 53), "to": at("127.0.0.1", 5301), "data": "hello"});
    assert_eq!(incoming(drive, "datagram", nobody), json!({"err": "ECONNREFUSED"}));
    let elsewhere =
        json!({"from": at("192.0.2.9", 53), "to": at("10.0.0.2", 5300), "data": "hello"});
    assert_eq!(incoming(drive, "datagram", elsewhere), json!({"err": "EHOSTUNREACH"}));
    // Out, to a foreign host and to a port of this one where somebody outside listens.
    host(drive, "10.0.0.2", true);
    let listener = json!({"type": "SOCK_DGRAM", "at": at("127.0.0.1", 53)});
    assert_eq!(incoming(drive, "listener", listener), json!({"ok": 0}));
    for (to, from) in [("192.0.2.9", "10.0.0.2"), ("127.0.0.1", "127.0.0.1")] {
        let send =
            json!({"pid": 1, "call": "sendto", "sockfd": fd, "data": "q", "addr": at(to, 53)});
        let lines = ask_all(drive, &send);
        let out = &lines[0]["outgoing"];
        assert_eq!((&out["what"], &out["data"]), (&json!("datagram"), &json!("q")));
        assert_eq!((&out["from"], &out["to"]), (&at(from, 5300), &at(to, 53)));
        assert_eq!(lines[1], json!({"ok": 1}));
    }
    // One that is connected learns that its datagram was refused.
    ok(drive, &json!({"pid": 1, "call": "connect", "sockfd": fd, "addr": at("192.0.2.9", 53)}));
    let lines = ask_all(drive, &json!({"pid": 1, "call": "write", "fd": fd, "data": "q"}));
    let id = lines[0]["outgoing"]["socket"].clone();
    let failed = json!({"socket": id, "errno": "ECONNREFUSED"});
    assert_eq!(incoming(drive, "failed", failed), json!({"ok": 0}));
    let read = call(drive, "read", json!({"fd": fd, "count": 9}));
    assert_eq!(read, json!({"err": "ECONNREFUSED"}));
}

#[test]
fn a_listener_takes_who_comes_from_outside_as_far_as_its_list_goes() {
    let drive = &mut drive();
    let fd = socket(drive, "SOCK_STREAM");
    let ask = |port| json!({"from": at("192.0.2.9", port), "to": at("127.0.0.1", 8080)});
    assert_eq!(incoming(drive, "connect", ask(1)), json!({"err": "ECONNREFUSED"}));
    ok(drive, &json!({"pid": 1, "call": "bind", "sockfd": fd, "addr": at("0.0.0.0", 8080)}));
    ok(drive, &json!({"pid": 1, "call": "listen", "sockfd": fd, "backlog": 1}));
    let first = incoming(drive, "connect", ask(1))["ok"].as_u64().expect("an id");
    let second = incoming(drive, "connect", ask(2))["ok"].as_u64().expect("an id");
    assert_eq!(incoming(drive, "connect", ask(3)), json!({"err": "EAGAIN"}));
    assert_eq!(incoming(drive, "bytes", json!({"socket": first, "data": "GET"})), json!({"ok": 3}));
    assert_eq!(
        incoming(drive, "failed", json!({"socket": second, "errno": "ECONNRESET"})),
        json!({"ok": 0})
    );
    let accept = json!({"sockfd": fd, "flags": "SOCK_NONBLOCK"});
    let one = call(drive, "accept4", accept.clone());
    assert_eq!(one["addr"], at("192.0.2.9", 1));
    assert_eq!(call(drive, "read", json!({"fd": one["ok"], "count": 9}))["data"], "GET");
    let other = call(drive, "accept4", accept);
    let reset = call(drive, "read", json!({"fd": other["ok"], "count": 9}));
    assert_eq!(reset, json!({"err": "ECONNRESET"}));
    // What nobody accepted is thrown away with its listener.
    let third = incoming(drive, "connect", ask(3))["ok"].as_u64().expect("an id");
    let lines = ask_all(drive, &json!({"pid": 1, "call": "close", "fd": fd}));
    assert_eq!(lines[0], json!({"outgoing": {"what": "reset", "socket": third}}));
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let drive = &mut drive();
    let gone = json!({"err": "ECONNRESET"});
    for what in ["accepted", "end"] {
        assert_eq!(incoming(drive, what, json!({"socket": 7})), gone);
    }
    assert_eq!(incoming(drive, "bytes", json!({"socket": u64::MAX, "data": "x"})), gone);
    let (_, id) = connected(drive);
    assert_eq!(incoming(drive, "accepted", json!({"socket": id})), json!({"err": "EISCONN"}));
    assert_eq!(incoming(drive, "end", json!({"socket": id})), json!({"ok": 0}));
    assert_eq!(incoming(drive, "end", json!({"socket": id})), json!({"err": "EPIPE"}));
    let late = incoming(drive, "bytes", json!({"socket": id, "data": "x"}));
    assert_eq!(late, json!({"err": "EPIPE"}));
    assert_eq!(host(drive, "127.0.0.1", true), json!({"err": "EINVAL"}));
    assert_eq!(host(drive, "10.0.0.2", true), json!({"err": "EEXIST"}));
    assert_eq!(host(drive, "10.0.0.3", false), json!({"err": "EADDRNOTAVAIL"}));
    for (fields, text) in [
        (json!({"op": "incoming"}), "what"),
        (json!({"op": "incoming", "what": "rain"}), "rain"),
        (json!({"op": "incoming", "what": "end"}), "socket"),
        (json!({"op": "incoming", "what": "end", "socket": 1, "more": 2}), "more"),
        (json!({"op": "incoming", "what": "connect", "from": at("10.0.0.9", 1)}), "to"),
    ] {
        let answer = ask(drive, &fields);
        let why = answer["error"].as_str().unwrap_or_default();
        assert!(why.contains(text), "{fields}: {answer}");
    }
    for count in 3..=64 {
        let answer = host(drive, &format!("10.0.1.{count}"), true);
        assert_eq!(answer, json!({"ok": 0}), "{count}");
    }
    while host(drive, "10.0.2.1", true) == json!({"ok": 0}) {}
}

/// All lines that a request causes, without a snapshot on the way.
fn lines_of(drive: &mut Drive, request: &Value) -> Vec<Value> {
    let lines = drive.answer(request.to_string().as_bytes());
    lines.into_iter().map(Value::Object).collect()
}

fn last_of(drive: &mut Drive, request: &Value) -> Value {
    lines_of(drive, request).pop().expect("an answer")
}

fn from_outside(drive: &mut Drive, what: &str, mut fields: Value) -> Value {
    fields["op"] = "incoming".into();
    fields["what"] = what.into();
    last_of(drive, &fields)
}

/// A peer of a connection: what it does, and what it has done.
trait Peer {
    fn send(&mut self, drive: &mut Drive, bytes: &str);
    fn take(&mut self, drive: &mut Drive, count: u64);
    fn end(&mut self, drive: &mut Drive);
    fn close(&mut self, drive: &mut Drive);
    /// What it learns of what the program did.
    fn told(&mut self, drive: &mut Drive, lines: Vec<Value>);
}

/// A process of the kernel's own: pid 2.
struct Inside {
    fd: i64,
}

impl Inside {
    fn call(&self, drive: &mut Drive, name: &str, mut fields: Value) {
        fields["pid"] = 2.into();
        fields["call"] = name.into();
        lines_of(drive, &fields);
    }
}

impl Peer for Inside {
    fn send(&mut self, drive: &mut Drive, bytes: &str) {
        let send = json!({"sockfd": self.fd, "data": bytes, "flags": "MSG_NOSIGNAL"});
        self.call(drive, "sendto", send);
    }
    fn take(&mut self, drive: &mut Drive, count: u64) {
        self.call(drive, "read", json!({"fd": self.fd, "count": count}));
    }
    fn end(&mut self, drive: &mut Drive) {
        self.call(drive, "shutdown", json!({"sockfd": self.fd, "how": "SHUT_WR"}));
    }
    fn close(&mut self, drive: &mut Drive) {
        self.call(drive, "close", json!({"fd": self.fd}));
        self.fd = -1;
    }
    fn told(&mut self, _: &mut Drive, lines: Vec<Value>) {
        assert_eq!(lines, Vec::<Value>::new(), "nothing goes out");
    }
}

/// Somebody outside, who does as a socket of Linux's would.
struct Outside {
    id: u64,
    /// Bytes that it has not read.
    unread: u64,
    has_ended: bool,
    is_closed: bool,
    is_over: bool,
}

impl Peer for Outside {
    fn send(&mut self, drive: &mut Drive, bytes: &str) {
        if !self.has_ended && !self.is_closed && !self.is_over {
            from_outside(drive, "bytes", json!({"socket": self.id, "data": bytes}));
        }
    }
    fn take(&mut self, drive: &mut Drive, count: u64) {
        let taken = count.min(self.unread);
        self.unread -= taken;
        from_outside(drive, "taken", json!({"socket": self.id, "count": taken}));
    }
    fn end(&mut self, drive: &mut Drive) {
        if !self.has_ended && !self.is_closed && !self.is_over {
            from_outside(drive, "end", json!({"socket": self.id}));
            self.has_ended = true;
        }
    }
    fn close(&mut self, drive: &mut Drive) {
        if self.is_closed {
            return;
        }
        if self.unread > 0 && !self.is_over {
            from_outside(drive, "failed", json!({"socket": self.id, "errno": "ECONNRESET"}));
        } else {
            self.end(drive);
        }
        self.is_closed = true;
    }
    fn told(&mut self, drive: &mut Drive, lines: Vec<Value>) {
        for line in lines {
            let out = &line["outgoing"];
            assert_eq!(out["socket"].as_u64(), Some(self.id), "{line}");
            match out["what"].as_str() {
                Some("bytes") if self.is_closed => {
                    from_outside(
                        drive,
                        "failed",
                        json!({"socket": self.id, "errno": "ECONNRESET"}),
                    );
                }
                Some("bytes") => self.unread += out["data"].as_str().map_or(0, str::len) as u64,
                Some("reset") => (self.is_over, self.unread) = (true, 0),
                Some("end") => {}
                other => panic!("{other:?} goes out"),
            }
        }
    }
}

/// A program with the descriptor of a connection, and its peer.
fn scene(is_inside: bool) -> (Drive, i64, Box<dyn Peer>) {
    let mut drive = drive();
    let listener = socket(&mut drive, "SOCK_STREAM");
    ok(
        &mut drive,
        &json!({"pid": 1, "call": "bind", "sockfd": listener, "addr": at("127.0.0.1", 80)}),
    );
    last_of(&mut drive, &json!({"pid": 1, "call": "listen", "sockfd": listener, "backlog": 9}));
    let peer: Box<dyn Peer> = if is_inside {
        let fd = socket(&mut drive, "SOCK_STREAM");
        ok(
            &mut drive,
            &json!({"pid": 1, "call": "bind", "sockfd": fd, "addr": at("127.0.0.1", 9)}),
        );
        last_of(&mut drive, &json!({"pid": 1, "call": "fork"}));
        last_of(&mut drive, &json!({"pid": 1, "call": "close", "fd": fd}));
        let connect =
            json!({"pid": 2, "call": "connect", "sockfd": fd, "addr": at("127.0.0.1", 80)});
        assert_eq!(last_of(&mut drive, &connect), json!({"err": "EINPROGRESS"}));
        Box::new(Inside { fd })
    } else {
        let ends = json!({"from": at("127.0.0.1", 9), "to": at("127.0.0.1", 80)});
        let id = from_outside(&mut drive, "connect", ends)["ok"].as_u64().expect("an id");
        let none = (false, false, false);
        let (has_ended, is_closed, is_over) = none;
        Box::new(Outside { id, unread: 0, has_ended, is_closed, is_over })
    };
    let accept = json!({"pid": 1, "call": "accept4", "sockfd": listener, "flags": "SOCK_NONBLOCK"});
    let fd = last_of(&mut drive, &accept)["ok"].as_i64().expect("a descriptor");
    // The same number in both worlds.
    last_of(&mut drive, &json!({"pid": 1, "call": "dup2", "oldfd": fd, "newfd": 20}));
    last_of(&mut drive, &json!({"pid": 1, "call": "close", "fd": fd}));
    (drive, 20, peer)
}

/// What the program sees of a session, step by step.
fn seen(steps: &[u8], is_inside: bool) -> Vec<(String, Value)> {
    let (mut drive, fd, mut peer) = scene(is_inside);
    let mut seen = Vec::new();
    for step in steps {
        let size = u64::from(step / 16) * 3;
        let text = "z".repeat(size as usize + 1);
        let how = ["SHUT_RD", "SHUT_WR", "SHUT_RDWR"][usize::from(step / 16) % 3];
        let request = match step % 16 {
            0 | 1 => {
                peer.send(&mut drive, &text);
                continue;
            }
            2 | 3 => {
                peer.take(&mut drive, size + 1);
                continue;
            }
            4 if *step > 100 => {
                peer.end(&mut drive);
                continue;
            }
            5 if *step > 150 => {
                peer.close(&mut drive);
                continue;
            }
            6 => json!({"call": "shutdown", "sockfd": fd,
                "how": how}),
            7 => json!({"call": "getsockopt", "sockfd": fd, "level": "SOL_SOCKET",
                "optname": "SO_ERROR", "optlen": 4}),
            8 => json!({"call": "getpeername", "sockfd": fd}),
            9 if *step > 200 => json!({"call": "close", "fd": fd}),
            10 | 11 => {
                json!({"call": "sendto", "sockfd": fd, "data": text, "flags": "MSG_NOSIGNAL"})
            }
            12 => json!({"call": "recvfrom", "sockfd": fd, "count": size, "flags": "MSG_PEEK"}),
            13 => json!({"call": "connect", "sockfd": fd, "addr": {"family": "AF_UNSPEC"}}),
            _ => json!({"call": "read", "fd": fd, "count": size + 1}),
        };
        // To be told of a listener's end, or connect anew, is another's subject.
        if request["call"] == "connect" && *step < 200 {
            continue;
        }
        let mut request = request;
        request["pid"] = 1.into();
        let mut lines = lines_of(&mut drive, &request);
        let answer = lines.pop().expect("an answer");
        peer.told(&mut drive, lines);
        seen.push((request.to_string(), answer));
        let poll = json!({"pid": 1, "call": "poll", "timeout": 0,
            "fds": [{"fd": fd, "events": "POLLIN|POLLOUT|POLLRDHUP|POLLPRI"}]});
        seen.push((String::new(), last_of(&mut drive, &poll)));
    }
    // Whatever has come of it can be kept and looked over.
    ask(&mut drive, &json!({"op": "processes"}));
    seen
}

#[test]
fn a_program_sees_of_a_peer_outside_what_it_sees_of_one_inside() {
    let mut state = 1u64;
    for program in 0..400 {
        let steps: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(30)
        .collect();
        let (inside, outside) = (seen(&steps, true), seen(&steps, false));
        for (at, (one, other)) in inside.iter().zip(&outside).enumerate() {
            let before: Vec<_> = inside[..at].iter().collect();
            assert_eq!(one, other, "program {program}, after {before:#?}");
        }
        assert_eq!(inside.len(), outside.len());
    }
}
