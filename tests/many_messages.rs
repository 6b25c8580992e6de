//! sendmmsg(2) and recvmmsg(2) through `drive`: waits, what ends them, and snapshots on the way.
//! Values are those of experiments on Linux 6.18; `lockstep::sockets` compares the rest with it.

mod asked;

use asked::{ask, ask_all, ok};
use serde_json::{Value, json};
use tickernel::drive::Drive;

/// Two processes with both ends of a pair of sockets, 3 and 4.
fn pair(kind: &str) -> Drive {
    let mut drive = Drive::new(Default::default());
    ok(&mut drive, &json!({"pid": 1, "call": "socketpair", "domain": "AF_UNIX", "type": kind}));
    ok(&mut drive, &json!({"pid": 1, "call": "fork"}));
    drive
}

fn send(drive: &mut Drive, data: &[&str]) -> Value {
    let messages: Vec<Value> = data.iter().map(|data| json!({"data": data})).collect();
    ask(drive, &json!({"pid": 1, "call": "sendmmsg", "sockfd": 3, "messages": messages}))
}

/// recvmmsg(2) of the second process, which waits.
fn waits(drive: &mut Drive, counts: &[i64], flags: &str, timeout: Option<Value>) {
    let mut request = json!({"pid": 2, "call": "recvmmsg", "sockfd": 4, "counts": counts,
        "flags": flags});
    if let Some(timeout) = timeout {
        request["timeout"] = timeout;
    }
    let answer = ask(drive, &request);
    assert!(answer.get("blocked").is_some(), "{answer}");
}

fn messages(data: &[&str]) -> Vec<Value> {
    data.iter().map(|data| json!({"len": data.len(), "data": data, "flags": ""})).collect()
}

/// The completion among the lines of a request.
fn completed(lines: &[Value]) -> &Value {
    let done = lines.iter().find(|line| line.get("done").is_some());
    done.unwrap_or_else(|| panic!("no completion: {lines:?}"))
}

fn error_of(drive: &mut Drive) -> Value {
    let ask_error = json!({"pid": 2, "call": "getsockopt", "sockfd": 4, "level": "SOL_SOCKET",
        "optname": "SO_ERROR"});
    ok(drive, &ask_error)["optval"].clone()
}

#[test]
fn messages_that_come_one_by_one_end_a_wait_for_all_of_them() {
    let drive = &mut pair("SOCK_DGRAM");
    waits(drive, &[9, 2], "", None);
    assert_eq!(send(drive, &["one"]), json!({"ok": 1, "lens": [3]}));
    let lines = ask_all(drive, &json!({"pid": 1, "call": "write", "fd": 3, "data": "two"}));
    let done = completed(&lines);
    let mut wanted = messages(&["one", "tw"]);
    wanted[1]["flags"] = "MSG_TRUNC".into();
    assert_eq!((&done["ok"], &done["messages"]), (&json!(2), &json!(wanted)), "{lines:?}");
}

#[test]
fn the_time_is_looked_at_behind_a_message_only() {
    let drive = &mut pair("SOCK_DGRAM");
    waits(drive, &[9, 9], "", Some(json!({"sec": 1, "nsec": 0})));
    ask_all(drive, &json!({"op": "advance", "ns": 2_000_000_000_u64}));
    let lines = ask_all(drive, &json!({"pid": 1, "call": "write", "fd": 3, "data": "late"}));
    assert_eq!(completed(&lines)["messages"], json!(messages(&["late"])), "{lines:?}");
}

#[test]
fn a_wait_for_one_takes_what_is_there() {
    let drive = &mut pair("SOCK_DGRAM");
    send(drive, &["a", "b"]);
    let all = json!({"pid": 2, "call": "recvmmsg", "sockfd": 4, "counts": [9, 9, 9],
        "flags": "MSG_WAITFORONE"});
    assert_eq!(ok(drive, &all), json!({"ok": 2, "messages": messages(&["a", "b"])}));
    waits(drive, &[9, 9], "MSG_WAITFORONE", None);
    let lines = ask_all(drive, &json!({"pid": 1, "call": "write", "fd": 3, "data": "c"}));
    assert_eq!(completed(&lines)["messages"], json!(messages(&["c"])), "{lines:?}");
}

#[test]
fn a_signal_leaves_its_number_behind() {
    let drive = &mut pair("SOCK_DGRAM");
    let handler = json!({"pid": 2, "call": "rt_sigaction", "signum": "SIGUSR1",
        "act": {"handler": "caught", "flags": "SA_RESTART"}});
    ok(drive, &handler);
    send(drive, &["one"]);
    waits(drive, &[9, 9], "", None);
    ask_all(drive, &json!({"pid": 1, "call": "kill", "target": 2, "sig": "SIGUSR1"}));
    let lines = ask_all(drive, &json!({"pid": 2, "call": "rt_sigreturn"}));
    assert_eq!(completed(&lines)["messages"], json!(messages(&["one"])), "{lines:?}");
    assert_eq!([error_of(drive), error_of(drive)], [json!(512), json!(0)]);
}

#[test]
fn what_a_full_socket_does_not_take_is_sent_when_there_is_room() {
    let drive = &mut pair("SOCK_STREAM");
    let much = "m".repeat(150_000);
    let list = json!([{"data": much}, {"data": much}, {"data": "end"}]);
    let sending = json!({"pid": 1, "call": "sendmmsg", "sockfd": 3, "messages": list});
    assert!(ask(drive, &sending).get("blocked").is_some());
    let mut got = 0;
    let mut done = Value::Null;
    while got < 300_003 {
        let lines = ask_all(drive, &json!({"pid": 2, "call": "read", "fd": 4, "count": 70_000}));
        let read = lines.iter().find(|line| line.get("data").is_some()).expect("a read");
        got += read["ok"].as_u64().expect("a number");
        if lines.len() > 1 {
            done = completed(&lines).clone();
        }
    }
    assert_eq!((&done["ok"], &done["lens"]), (&json!(3), &json!([150_000, 150_000, 3])));
}

#[test]
fn no_more_are_sent_than_a_vector_has_parts() {
    let drive = &mut pair("SOCK_STREAM");
    let buffer = json!({"pid": 1, "call": "setsockopt", "sockfd": 3, "level": "SOL_SOCKET",
        "optname": "SO_SNDBUFFORCE", "optval": 16_000_000});
    ok(drive, &buffer);
    let many: Vec<Value> = (0..1100).map(|_| json!({"data": "x"})).collect();
    let sent = ok(drive, &json!({"pid": 1, "call": "sendmmsg", "sockfd": 3, "messages": many}));
    assert_eq!(sent["ok"], 1024);
    let counts = vec![1; 1100];
    let got = ok(
        drive,
        &json!({"pid": 2, "call": "recvmmsg", "sockfd": 4, "counts": counts,
        "flags": "MSG_DONTWAIT"}),
    );
    assert_eq!(got["ok"], 1024);
}

#[test]
fn an_error_behind_the_first_message_is_kept_for_the_next_call() {
    let drive = &mut pair("SOCK_DGRAM");
    send(drive, &["one"]);
    let all = json!({"pid": 2, "call": "recvmmsg", "sockfd": 4, "counts": [9, -1]});
    assert_eq!(ok(drive, &all)["messages"], json!(messages(&["one"])));
    assert_eq!(ask(drive, &all), json!({"err": "EINVAL"}));
    assert_eq!(error_of(drive), 0);
    let late = json!({"pid": 2, "call": "recvmmsg", "sockfd": -1, "counts": [],
        "timeout": {"sec": 0, "nsec": 1_000_000_000}});
    assert_eq!(ask(drive, &late), json!({"err": "EINVAL"}));
}
