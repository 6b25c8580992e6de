//! Datagrams that come back (ip(7), `IP_RECVERR`), with snapshots on the way: who waits is woken,
//! what lies in the queue of errors is counted. What is answered at once stands beside Linux in
//! traces/lockstep-errors-of-datagrams.jsonl.

mod asked;

use asked::{ask, ask_all, ok};
use serde_json::{Value, json};
use tickernel::drive::Drive;

/// Two processes with a socket of udp(7), 3, which asks for errors.
fn scene() -> Drive {
    let mut drive = Drive::new(Default::default());
    ok(&mut drive, &json!({"pid": 1, "call": "socket", "domain": "AF_INET", "type": "SOCK_DGRAM"}));
    let option = json!({"pid": 1, "call": "setsockopt", "sockfd": 3, "level": "IPPROTO_IP",
        "optname": "IP_RECVERR", "optval": 1});
    ok(&mut drive, &option);
    ok(&mut drive, &json!({"pid": 1, "call": "fork"}));
    drive
}

fn send(drive: &mut Drive, data: &str) -> Vec<Value> {
    let to = json!({"family": "AF_INET", "addr": "127.0.0.1", "port": 9});
    ask_all(drive, &json!({"pid": 1, "call": "sendto", "sockfd": 3, "data": data, "addr": to}))
}

fn take(drive: &mut Drive) -> Value {
    ask(
        drive,
        &json!({"pid": 1, "call": "recvmsg", "sockfd": 3, "count": 9,
        "flags": "MSG_ERRQUEUE"}),
    )
}

#[test]
fn a_poll_that_waits_hears_of_an_error() {
    let drive = &mut scene();
    let poll = json!({"pid": 2, "call": "poll", "fds": [{"fd": 3, "events": "POLLIN"}],
        "timeout": -1});
    assert!(ask(drive, &poll).get("blocked").is_some());
    let lines = send(drive, "lost");
    let woken = lines.iter().find(|line| line.get("done").is_some()).expect("the poll is over");
    assert_eq!(woken["fds"][0]["revents"], "POLLERR");
    // The queue says so still, when SO_ERROR was asked for.
    let asked = json!({"pid": 1, "call": "getsockopt", "sockfd": 3, "level": "SOL_SOCKET",
        "optname": "SO_ERROR"});
    assert_eq!(ok(drive, &asked)["optval"], 111);
    assert_eq!(ask(drive, &poll)["fds"][0]["revents"], "POLLERR");
    let told = take(drive);
    assert_eq!((&told["data"], &told["flags"]), (&json!("lost"), &json!("MSG_ERRQUEUE")));
    let error = json!({"ee_errno": 111, "ee_origin": 2, "ee_type": 3, "ee_code": 3, "ee_info": 0,
        "ee_data": 0, "offender": {"family": "AF_INET", "addr": "127.0.0.1", "port": 0}});
    assert_eq!(told["sock_extended_err"], error);
    assert_eq!(take(drive), json!({"err": "EAGAIN"}));
}

#[test]
fn a_read_that_waits_ends_with_the_error() {
    let drive = &mut scene();
    let read = json!({"pid": 2, "call": "read", "fd": 3, "count": 9});
    assert!(ask(drive, &read).get("blocked").is_some());
    let lines = send(drive, "lost");
    let over = lines.iter().find(|line| line.get("done").is_some()).expect("the read is over");
    assert_eq!(over["err"], "ECONNREFUSED");
    assert_eq!(take(drive)["data"], "lost");
}

/// The snapshot before each request is read, and the kernel's books balance after it (`ask_all`).
#[test]
fn errors_that_nobody_reads_end_with_their_socket() {
    let drive = &mut scene();
    let empty = drive.kernel_mut().snapshot().len();
    for _ in 0..20 {
        send(drive, "lost and found");
    }
    assert!(drive.kernel_mut().snapshot().len() > empty + 100, "errors are kept");
    ok(drive, &json!({"pid": 2, "call": "close", "fd": 3}));
    ok(drive, &json!({"pid": 1, "call": "close", "fd": 3}));
    assert!(drive.kernel_mut().snapshot().len() < empty, "they are gone");
}
