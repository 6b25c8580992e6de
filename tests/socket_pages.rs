//! splice(2) and sendfile(2) from and to sockets that wait, with snapshots on the way. What they
//! answer at once stands beside Linux in traces/lockstep-pages-of-*.jsonl.

mod asked;

use asked::{ask_all, ok};
use serde_json::{Value, json};
use tickernel::drive::Drive;

/// The call waits.
fn waits(drive: &mut Drive, request: &Value) {
    let lines = ask_all(drive, request);
    assert!(lines.len() == 1 && lines[0].get("blocked").is_some(), "{request}: {lines:?}");
}

/// What a call that waited gave, among the lines of a request.
fn completed(lines: &[Value]) -> Option<&Value> {
    lines.iter().find(|line| line.get("done").is_some())
}

/// Two processes with a pair of streams, 3 and 4, a pipe, 5 and 6, and a file of 300,000 bytes, 7.
fn scene() -> Drive {
    let mut drive = Drive::new(Default::default());
    let pair = json!({"pid": 1, "call": "socketpair", "domain": "AF_UNIX", "type": "SOCK_STREAM"});
    ok(&mut drive, &pair);
    ok(&mut drive, &json!({"pid": 1, "call": "pipe"}));
    let open = json!({"pid": 1, "call": "open", "path": "/tmp/f", "flags": "O_RDWR|O_CREAT",
        "mode": "0600"});
    ok(&mut drive, &open);
    let data = "f".repeat(300_000);
    ok(&mut drive, &json!({"pid": 1, "call": "pwrite64", "fd": 7, "data": data, "offset": 0}));
    ok(&mut drive, &json!({"pid": 1, "call": "fork"}));
    drive
}

fn splice(from: i32, to: i32, len: u64) -> Value {
    json!({"pid": 2, "call": "splice", "fd_in": from, "fd_out": to, "len": len, "flags": ""})
}

/// Reads at 4 until the call that waits is over: its answer, and how much was read.
fn drain(drive: &mut Drive) -> (Value, u64) {
    let mut got = 0;
    loop {
        let lines = ask_all(drive, &json!({"pid": 1, "call": "read", "fd": 4, "count": 50_000}));
        let read = lines.iter().find(|line| line.get("data").is_some()).expect("a read");
        got += read["ok"].as_u64().expect("a number");
        if let Some(done) = completed(&lines) {
            return (done.clone(), got);
        }
    }
}

#[test]
fn a_splice_waits_for_bytes_of_the_socket() {
    let drive = &mut scene();
    waits(drive, &splice(4, 6, 100));
    let lines = ask_all(drive, &json!({"pid": 1, "call": "write", "fd": 3, "data": "hello"}));
    assert_eq!(completed(&lines).expect("it is over")["ok"], 5);
    let read = ok(drive, &json!({"pid": 1, "call": "read", "fd": 5, "count": 100}));
    assert_eq!(read["data"], "hello");
}

#[test]
fn a_splice_gives_up_when_the_socket_s_time_is_over() {
    let drive = &mut scene();
    let timeout = json!({"pid": 2, "call": "setsockopt", "sockfd": 4, "level": "SOL_SOCKET",
        "optname": "SO_RCVTIMEO", "optval": {"sec": 1, "usec": 0}});
    ok(drive, &timeout);
    waits(drive, &splice(4, 6, 100));
    let lines = ask_all(drive, &json!({"op": "advance", "ns": 1_000_000_000}));
    assert_eq!(completed(&lines).expect("it is over")["err"], "EAGAIN");
}

#[test]
fn a_splice_that_fills_the_socket_waits_for_room() {
    let drive = &mut scene();
    let size = json!({"pid": 1, "call": "fcntl", "fd": 6, "cmd": "F_SETPIPE_SZ", "arg": 1 << 20});
    ok(drive, &size);
    let data = "p".repeat(400_000);
    ok(drive, &json!({"pid": 1, "call": "write", "fd": 6, "data": data}));
    waits(drive, &splice(5, 3, 400_000));
    let (done, got) = drain(drive);
    assert_eq!(done["ok"], 400_000);
    assert!(got < 400_000, "the rest lies in the socket");
}

#[test]
fn a_sendfile_goes_on_where_it_was() {
    let drive = &mut scene();
    let send = json!({"pid": 2, "call": "sendfile", "out_fd": 3, "in_fd": 7, "count": 300_000,
        "offset": 5});
    waits(drive, &send);
    let (done, _) = drain(drive);
    assert_eq!((&done["ok"], &done["offset"]), (&json!(299_995), &json!(300_000)));
}

#[test]
fn a_signal_ends_a_sendfile_with_what_it_has_sent() {
    let drive = &mut scene();
    let caught = json!({"pid": 2, "call": "rt_sigaction", "signum": "SIGUSR1",
        "act": {"handler": "caught", "flags": "SA_RESTART"}});
    ok(drive, &caught);
    waits(drive, &json!({"pid": 2, "call": "sendfile", "out_fd": 3, "in_fd": 7, "count": 300_000}));
    ask_all(drive, &json!({"pid": 1, "call": "kill", "target": 2, "sig": "SIGUSR1"}));
    let lines = ask_all(drive, &json!({"pid": 2, "call": "rt_sigreturn"}));
    // Four times sixteen pages are more than the buffer holds (212,992 bytes).
    assert_eq!(completed(&lines).expect("it is over")["ok"], 262_144);
    let at = json!({"pid": 1, "call": "lseek", "fd": 7, "offset": 0, "whence": "SEEK_CUR"});
    assert_eq!(ok(drive, &at)["ok"], 262_144);
}
