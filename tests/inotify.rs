//! inotify(7) through `drive`: blocked reads, full queues, unmounting, and snapshots on the way.
//! What single calls tell stands beside Linux in tests/sweep/watches.rs.

mod asked;

use asked::{ask, ask_all, ok};
use serde_json::json;
use tickernel::drive::Drive;

/// `max_queued_events` of /proc/sys/fs/inotify.
const QUEUED_MAX: u64 = 16_384;

/// A kernel with an instance at 3 that watches /tmp/d for everything.
fn watching(flags: &str) -> Drive {
    let mut drive = Drive::new(Default::default());
    ok(&mut drive, &json!({"pid": 1, "call": "mkdir", "path": "/tmp/d", "mode": "0755"}));
    ok(&mut drive, &json!({"pid": 1, "call": "inotify_init1", "flags": flags}));
    let add = json!({"pid": 1, "call": "inotify_add_watch", "fd": 3, "pathname": "/tmp/d",
        "mask": "IN_ALL_EVENTS"});
    assert_eq!(ok(&mut drive, &add), json!({"ok": 1}));
    drive
}

fn event(wd: i32, mask: u32, name: &str) -> Vec<u8> {
    let length = if name.is_empty() { 0 } else { (name.len() + 1).next_multiple_of(16) };
    let mut bytes = wd.to_le_bytes().to_vec();
    for word in [mask, 0, length as u32] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(name.as_bytes());
    bytes.resize(16 + length, 0);
    bytes
}

#[test]
fn a_reader_waits_for_what_happens() {
    let drive = &mut watching("0");
    ok(drive, &json!({"pid": 1, "call": "fork"}));
    let read = ask(drive, &json!({"pid": 2, "call": "read", "fd": 3, "count": 4096}));
    assert!(read.get("blocked").is_some(), "{read}");
    let poll = json!({"pid": 1, "call": "poll", "fds": [{"fd": 3, "events": "POLLIN"}],
        "timeout": 0});
    assert_eq!(ok(drive, &poll)["ok"], 0);
    let mkdir = json!({"pid": 1, "call": "mkdir", "path": "/tmp/d/new", "mode": "0755"});
    let lines = ask_all(drive, &mkdir);
    let data = event(1, 0x4000_0100, "new");
    let text = String::from_utf8(data).expect("bytes below 128");
    assert_eq!(lines[0], json!({"done": read["blocked"], "ok": 32, "data": text}));
    assert_eq!(lines[1], json!({"ok": 0}));
    // A path may be called as open(2)'s is.
    let again = json!({"pid": 1, "call": "inotify_add_watch", "fd": 3, "path": "/tmp/d",
        "mask": "IN_MODIFY|IN_MASK_ADD"});
    assert_eq!(ok(drive, &again), json!({"ok": 1}));
    ok(drive, &json!({"pid": 2, "call": "exit_group", "status": 0}));
    ok(drive, &json!({"pid": 1, "call": "close", "fd": 3}));
    ok(drive, &json!({"pid": 1, "call": "mkdir", "path": "/tmp/d/other", "mode": "0755"}));
}

#[test]
fn a_full_queue_says_so_once() {
    let mut drive = watching("IN_NONBLOCK");
    for number in 0..QUEUED_MAX / 2 + 5 {
        let path = format!("/tmp/d/{number}");
        for call in ["mkdir", "rmdir"] {
            let request = json!({"pid": 1, "call": call, "path": path, "mode": "0755"});
            let request = if call == "mkdir" {
                request
            } else {
                json!({"pid": 1, "call": call, "path": path})
            };
            drive.answer(request.to_string().as_bytes());
        }
    }
    let size = json!({"pid": 1, "call": "ioctl", "fd": 3, "request": "FIONREAD", "arg": 0});
    let bytes = ok(&mut drive, &size)["arg"].as_u64().expect("a number");
    assert_eq!(bytes, QUEUED_MAX * 32 + 16);
    let read = json!({"pid": 1, "call": "read", "fd": 3, "count": QUEUED_MAX * 32});
    assert_eq!(ok(&mut drive, &read)["ok"], QUEUED_MAX * 32);
    let last = String::from_utf8_lossy(&event(-1, 0x4000, "")).into_owned();
    let answer = ok(&mut drive, &read);
    assert_eq!(answer["ok"], 16);
    assert!(answer["data"] == last.as_str() || answer["data_b64"].is_string(), "{answer}");
    assert_eq!(ask(&mut drive, &read), json!({"err": "EAGAIN"}));
}

#[test]
fn a_file_system_that_goes_is_told() {
    let drive = &mut watching("IN_NONBLOCK");
    let mount = json!({"pid": 1, "call": "mount", "source": "none", "target": "/tmp/d",
        "filesystemtype": "tmpfs", "mountflags": 0, "data": ""});
    ok(drive, &mount);
    ok(drive, &json!({"pid": 1, "call": "mkdir", "path": "/tmp/d/in", "mode": "0755"}));
    let add = json!({"pid": 1, "call": "inotify_add_watch", "fd": 3, "pathname": "/tmp/d/in",
        "mask": "IN_CREATE"});
    assert_eq!(ok(drive, &add), json!({"ok": 2}));
    assert_eq!(
        ask(drive, &json!({"pid": 1, "call": "umount2", "target": "/tmp/d", "flags": 0})),
        json!({"ok": 0})
    );
    let answer = ok(drive, &json!({"pid": 1, "call": "read", "fd": 3, "count": 4096}));
    let both = [event(2, 0x4000_2000, ""), event(2, 0x8000, "")].concat();
    let told = tickernel_b64(&both);
    assert!(answer["ok"] == 32 && answer["data_b64"] == told, "{answer}");
}

fn tickernel_b64(bytes: &[u8]) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    BASE64_STANDARD.encode(bytes)
}

#[test]
fn there_are_only_so_many_instances() {
    let mut drive = Drive::new(Default::default());
    let init = json!({"pid": 1, "call": "inotify_init1", "flags": 0});
    for _ in 0..128 {
        drive.answer(init.to_string().as_bytes());
    }
    assert_eq!(ask(&mut drive, &init), json!({"err": "EMFILE"}));
    ok(&mut drive, &json!({"pid": 1, "call": "close_range", "first": 3, "last": 5, "flags": 0}));
    ok(&mut drive, &init);
}
