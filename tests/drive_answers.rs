//! `tickernel drive`: transcripts of CLI.md's rules, and the command's streams and exit statuses.

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use tickernel::drive::{Drive, run};

/// Goes through a transcript: `> REQUEST`, then exactly the lines that must come of it.
fn follow(transcript: &str) {
    let mut drive = Drive::new(Default::default());
    let mut come: Vec<Value> = Vec::new();
    let mut last = "";
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix("> ") {
            Some(request) => {
                assert_eq!(come, Vec::<Value>::new(), "more than expected came of {last}");
                come = drive.answer(request.as_bytes()).into_iter().map(Value::Object).collect();
                last = request;
            }
            None => {
                let expected: Value = serde_json::from_str(line).expect("a line of JSON");
                assert!(!come.is_empty(), "nothing more came of {last}: {expected} is missing");
                assert_eq!(come.remove(0), expected, "of {last}");
            }
        }
    }
    assert_eq!(come, Vec::<Value>::new(), "more than expected came of {last}");
}

#[test]
fn the_examples_of_the_specification() {
    follow(
        r#"
        > {"pid":1,"call":"open","path":"/tmp/f","flags":"O_RDWR|O_CREAT","mode":"0644"}
        {"ok":3}
        > {"pid":1,"call":"write","fd":3,"data":"hello"}
        {"ok":5}
        > {"pid":1,"call":"pread64","fd":3,"count":10,"offset":0}
        {"ok":5,"data":"hello"}
        > {"pid":1,"call":"open","path":"/none","flags":"O_RDONLY"}
        {"err":"ENOENT"}
        > {"pid":1,"call":"read","fd":3,"count":9}
        {"ok":0,"data":""}
        > {"pid":1,"call":"pwrite64","fd":3,"data_b64":"/wD+","offset":0}
        {"ok":3}
        > {"pid":1,"call":"pread64","fd":3,"count":3,"offset":0}
        {"ok":3,"data_b64":"/wD+"}
        > {"pid":1,"call":"chdir","path":null}
        {"err":"EFAULT"}
        > {"pid":1,"call":"getcwd"}
        {"ok":2,"data":"/"}
        "#,
    );
}

#[test]
fn what_ends_a_wait_stands_before_the_answer_that_ended_it() {
    follow(
        r#"
        > {"pid":1,"call":"pipe"}
        {"ok":0,"fds":[3,4]}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"read","fd":3,"count":9}
        {"blocked":2}
        > {"pid":2,"call":"getpid"}
        {"error":"pid 2 is blocked in 2"}
        > {"pid":1,"call":"write","fd":4,"data":"x"}
        {"done":2,"ok":1,"data":"x"}
        {"ok":1}
        > {"pid":2,"call":"read","fd":3,"count":9}
        {"blocked":5}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGKILL"}
        {"done":5,"gone":{"signaled":"SIGKILL"}}
        {"ok":0}
        > {"pid":2,"call":"getpid"}
        {"error":"pid 2 is gone"}
        > {"pid":77,"call":"getpid"}
        {"error":"pid 77 is gone"}
        > {"pid":1,"call":"wait4","wpid":-1,"options":0}
        {"ok":2,"status":{"signaled":"SIGKILL"}}
        "#,
    );
}

#[test]
fn signals_are_announced_and_interrupted_waits_end_with_the_handler() {
    follow(
        r#"
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"rt_sigaction","signum":"SIGUSR1","act":{"handler":"caught"}}
        {"ok":0,"oldact":{"handler":"SIG_DFL","mask":[],"flags":""}}
        > {"pid":2,"call":"pause"}
        {"blocked":2}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGUSR1"}
        {"signal":{"pid":2,"sig":"SIGUSR1","info":{"si_signo":"SIGUSR1","si_code":"SI_USER","si_pid":1,"si_uid":0}}}
        {"ok":0}
        > {"pid":2,"call":"getppid"}
        {"ok":1}
        > {"pid":2,"call":"rt_sigreturn"}
        {"done":2,"err":"EINTR"}
        {"ok":0}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGSTOP"}
        {"ok":0}
        > {"pid":2,"call":"getpid"}
        {"error":"pid 2 is stopped"}
        > {"pid":1,"call":"wait4","wpid":2,"options":"WUNTRACED"}
        {"ok":2,"status":{"stopped":"SIGSTOP"}}
        > {"pid":1,"call":"kill","target":2,"sig":"SIGCONT"}
        {"ok":0}
        > {"pid":1,"call":"wait4","wpid":2,"options":"WCONTINUED"}
        {"ok":2,"status":"continued"}
        > {"pid":1,"call":"vfork"}
        {"blocked":11,"child":3}
        > {"pid":3,"call":"exit_group","status":3}
        {"done":11,"ok":3}
        {"ok":0}
        "#,
    );
}

#[test]
fn a_call_that_ends_within_its_own_request_never_waited() {
    let mut drive = Drive::new(Default::default());
    for line in [
        r#"{"pid":1,"call":"pipe"}"#,
        r#"{"pid":1,"call":"fork"}"#,
        r#"{"pid":2,"call":"read","fd":3,"count":65536}"#,
    ] {
        drive.answer(line.as_bytes());
    }
    let data = "x".repeat(65_537);
    let request = format!(r#"{{"pid":1,"call":"write","fd":4,"data":"{data}"}}"#);
    let lines = drive.answer(request.as_bytes());
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["done"], 2);
    assert_eq!(Value::from(lines[1].clone()), serde_json::json!({"ok": 65_537}));
}

/// A timer that rings every nanosecond, a sleep, and a clock that comes to its end.
#[test]
fn the_clock_has_an_end() {
    follow(
        r#"
        > {"pid":1,"call":"timer_create","clockid":"CLOCK_MONOTONIC","sevp":{"sigev_notify":"SIGEV_SIGNAL","sigev_signo":"SIGCHLD"}}
        {"ok":0,"timerid":0}
        > {"pid":1,"call":"timer_settime","timerid":0,"new_value":{"value":{"sec":0,"nsec":1},"interval":{"sec":0,"nsec":1}}}
        {"ok":0,"old_value":{"interval":{"sec":0,"nsec":0},"value":{"sec":0,"nsec":0}}}
        > {"op":"advance","ns":17000000000000000000}
        {}
        > {"op":"advance","ns":446744073709551615}
        {"error":"advance: the clock would run beyond its end, the year 2554"}
        > {"op":"advance","ns":446744073709551614}
        {}
        > {"pid":1,"call":"nanosleep","request":{"sec":1,"nsec":0}}
        {"blocked":4}
        > {"op":"advance","ns":1}
        {"error":"advance: the clock would run beyond its end, the year 2554"}
        "#,
    );
}

/// As Linux 6.18 answers (a C program as root).
#[test]
fn prctl_tells_what_it_set() {
    follow(
        r#"
        > {"pid":1,"call":"prctl","option":"PR_SET_KEEPCAPS","arg2":1}
        {"ok":0}
        > {"pid":1,"call":"prctl","option":"PR_GET_KEEPCAPS","arg2":1,"arg3":2}
        {"ok":1}
        > {"pid":1,"call":"prctl","option":"PR_GET_SECUREBITS"}
        {"ok":16}
        > {"pid":1,"call":"prctl","option":"PR_CAPBSET_READ","arg2":41}
        {"err":"EINVAL"}
        > {"pid":1,"call":"prctl","option":"PR_CAPBSET_READ","arg2":5}
        {"ok":1}
        > {"pid":1,"call":"prctl","option":"PR_CAPBSET_DROP","arg2":5}
        {"ok":0}
        > {"pid":1,"call":"prctl","option":"PR_CAPBSET_READ","arg2":5}
        {"ok":0}
        > {"pid":1,"call":"prctl","option":"PR_GET_NO_NEW_PRIVS","arg2":1}
        {"err":"EINVAL"}
        > {"pid":1,"call":"prctl","option":"PR_SET_NO_NEW_PRIVS","arg2":1}
        {"ok":0}
        > {"pid":1,"call":"prctl","option":"PR_GET_NO_NEW_PRIVS"}
        {"ok":1}
        > {"pid":1,"call":"prctl","option":"PR_SET_CHILD_SUBREAPER","arg2":5}
        {"ok":0}
        > {"pid":1,"call":"prctl","option":"PR_GET_CHILD_SUBREAPER"}
        {"ok":0,"arg":1}
        "#,
    );
}

/// As Linux 6.18 answers: what lies in a socket is read after its other end has gone, then the
/// error if that left something unread, then the end.
#[test]
fn a_pair_of_sockets_from_its_first_byte_to_its_end() {
    follow(
        r#"
        > {"pid":1,"call":"socketpair","domain":"AF_UNIX","type":"SOCK_STREAM|SOCK_NONBLOCK","protocol":0}
        {"ok":0,"fds":[3,4]}
        > {"pid":1,"call":"write","fd":3,"data":"hello"}
        {"ok":5}
        > {"pid":1,"call":"ioctl","fd":4,"request":"FIONREAD"}
        {"ok":0,"arg":5}
        > {"pid":1,"call":"ioctl","fd":3,"request":"TIOCOUTQ"}
        {"ok":0,"arg":768}
        > {"pid":1,"call":"write","fd":4,"data":"yes"}
        {"ok":3}
        > {"pid":1,"call":"close","fd":4}
        {"ok":0}
        > {"pid":1,"call":"poll","fds":[{"fd":3,"events":"POLLIN|POLLOUT|POLLRDHUP"}],"timeout":0}
        {"ok":1,"fds":[{"fd":3,"events":"POLLIN|POLLOUT|POLLRDHUP","revents":"POLLIN|POLLOUT|POLLERR|POLLHUP|POLLRDHUP"}]}
        > {"pid":1,"call":"read","fd":3,"count":10}
        {"ok":3,"data":"yes"}
        > {"pid":1,"call":"read","fd":3,"count":10}
        {"err":"ECONNRESET"}
        > {"pid":1,"call":"read","fd":3,"count":10}
        {"ok":0,"data":""}
        > {"pid":1,"call":"write","fd":3,"data":"x"}
        {"err":"EPIPE"}
        > {"pid":1,"call":"socketpair","domain":"AF_UNIX","type":"SOCK_SEQPACKET","protocol":0}
        {"ok":0,"fds":[4,5]}
        > {"pid":1,"call":"write","fd":4,"data":"a packet"}
        {"ok":8}
        > {"pid":1,"call":"read","fd":5,"count":1}
        {"ok":1,"data":"a"}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"read","fd":5,"count":10}
        {"blocked":15}
        > {"pid":1,"call":"shutdown","sockfd":4,"how":"SHUT_WR"}
        {"done":15,"ok":0,"data":""}
        {"ok":0}
        "#,
    );
}

#[test]
fn operations() {
    follow(
        r#"
        > {"op":"processes"}
        {"processes":[{"pid":1,"ppid":0,"pgid":1,"sid":1,"state":"R","comm":"init"}]}
        > {"pid":1,"call":"nanosleep","request":{"sec":1,"nsec":0}}
        {"blocked":0}
        > {"op":"advance","ns":999999999}
        {}
        > {"op":"advance","ns":"1"}
        {"done":0,"ok":0}
        {}
        > {"op":"advance"}
        {"error":"the line: the field \"ns\" is missing"}
        > {"op":"tree","path":"/tmp"}
        {"tree":[]}
        > {"op":"tree","path":"/none"}
        {"err":"ENOENT"}
        > {"pid":1,"call":"mkdir","path":"/tmp/d","mode":"0700"}
        {"ok":0}
        > {"pid":1,"call":"symlink","target":"d","linkpath":"/tmp/l"}
        {"ok":0}
        > {"op":"tree","path":"/tmp"}
        {"tree":[{"path":"/tmp/d","type":"dir","mode":448,"nlink":2,"uid":0,"gid":0,"size":4096},{"path":"/tmp/l","type":"symlink","mode":511,"nlink":1,"uid":0,"gid":0,"size":1,"target":"d"}]}
        > {"op":"reset"}
        {}
        > {"op":"tree","path":"/tmp"}
        {"tree":[]}
        > {"op":"nope","ns":1}
        {"error":"there is no op \"nope\", but advance, digest, incoming, processes, reset, tree"}
        > {"call":"getpid"}
        {"error":"the line: the field \"pid\" is missing"}
        > {"pid":-1,"call":"getpid"}
        {"error":"pid -1 is gone"}
        > {"pid":1,"call":"unmodelled","number":9}
        {"error":"call: the kernel does not know number 9"}
        "#,
    );
    let mut drive = Drive::new(Default::default());
    let mut digest = || drive.answer(br#"{"op":"digest"}"#)[0]["digest"]["all"].clone();
    let first = digest();
    assert_eq!(first, digest());
    drive.answer(br#"{"pid":1,"call":"pipe"}"#);
    assert_ne!(first, drive.answer(br#"{"op":"digest"}"#)[0]["digest"]["all"]);
    drive.answer(br#"{"op":"reset"}"#);
    assert_eq!(first, drive.answer(br#"{"op":"digest"}"#)[0]["digest"]["all"]);
}

#[test]
fn every_line_has_one_answer_and_bad_ones_do_not_end_it() {
    let input = b"{\n\n  \nnull\n{\"pid\":1}\n\xff\n{\"pid\":1,\"call\":\"getpid\"}";
    let mut output = Vec::new();
    run(&input[..], &mut output, Default::default()).expect("it runs to the end of input");
    let text = String::from_utf8(output).expect("JSON is UTF-8");
    let answers: Vec<&str> = text.lines().collect();
    assert_eq!(answers.len(), 5, "{text}");
    assert!(answers[..4].iter().all(|answer| answer.starts_with("{\"error\":")), "{text}");
    assert_eq!(answers[4], r#"{"ok":1}"#);
}

#[test]
fn what_a_request_does_not_mean_is_refused_by_name() {
    follow(
        r#"
        > {"pid":1,"call":"getpid","fd":3}
        {"error":"getpid: there is no field \"fd\""}
        > {"op":"reset","path":"/"}
        {"error":"reset: there is no field \"path\""}
        > {"pid":1,"call":"write","fd":1,"data":"a","data_b64":"YQ=="}
        {"error":"write: the fields \"data\" and \"data_b64\" are both there: leave one out"}
        > {"pid":1,"call":"open","path":"/a","flags":"O_CREAT|","mode":1}
        {"error":"open: the field \"flags\" must be a number, or names joined by | that the man page has"}
        > {"pid":1,"call":"close","fd":99999999999999999999}
        {"error":"broken JSON: a number is not an integer of at most 64 bits at line 1 column 49"}
        > {"pid":1.0,"call":"getpid"}
        {"error":"broken JSON: 1.0 is not an integer at line 1 column 10"}
        > {"pid":1,"call":"openat2","path":"/tmp","flags":4294967296,"mode":0,"resolve":0}
        {"err":"EINVAL"}
        > {"pid":1,"call":"openat2","path":"/tmp","flags":0,"mode":0,"resolve":18446744073709551615}
        {"err":"EINVAL"}
        > {"pid":1,"call":"mount","source":null,"target":"/tmp","filesystemtype":"tmpfs","data":null}
        {"ok":0}
        > {"pid":4194305,"call":"getpid"}
        {"error":"pid 4194305 is gone"}
        > {"pid":18446744073709551615,"call":"getpid"}
        {"error":"pid 18446744073709551615 is gone"}
        > {"pid":1,"call":"setitimer","which":"ITIMER_REAL","new_value":{"interval":{"sec":0,"usec":0},"value":{"sec":1,"usec":1000000}}}
        {"err":"EINVAL"}
        > {"pid":1,"call":"setitimer","which":"ITIMER_REAL","new_value":{"interval":{"sec":0,"usec":7},"value":{"sec":2,"usec":5}}}
        {"ok":0,"old_value":{"interval":{"sec":0,"usec":0},"value":{"sec":0,"usec":0}}}
        > {"pid":1,"call":"getitimer","which":"ITIMER_REAL"}
        {"ok":0,"curr_value":{"interval":{"sec":0,"usec":7},"value":{"sec":2,"usec":5}}}
        "#,
    );
}

fn tickernel(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tickernel"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut stdin = child.stdin.take().expect("its input is piped");
    stdin.write_all(input.as_bytes()).unwrap_or_default();
    drop(stdin);
    let done = child.wait_with_output().expect("the command ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn the_command_ends_with_its_input() {
    let (status, out, err) = tickernel(&["drive"], "{\"pid\":1,\"call\":\"getpid\"}\n");
    assert_eq!((status, out.as_str(), err.as_str()), (Some(0), "{\"ok\":1}\n", ""));
    let (status, out, _) = tickernel(&["drive", "--profile", "linux"], "");
    assert_eq!((status, out.as_str()), (Some(0), ""));
    for bad in [&["drive", "--profile", "plan9"][..], &["drvie"], &[], &["drive", "more"]] {
        let (status, out, err) = tickernel(bad, "");
        assert_eq!((status, out.as_str()), (Some(2), ""), "{bad:?}");
        assert!(!err.is_empty(), "{bad:?}");
    }
}

/// A case that a person wrote: replayed, imported, dumped, and wrong where it is wrong.
#[test]
fn a_written_case_replays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let case = concat!(
        "{\"pid\":1,\"call\":\"pipe\",\"ok\":0,\"fds\":[3,4]}\n",
        "{\"pid\":1,\"call\":\"write\",\"fd\":4,\"data\":\"hi\",\"ok\":2}\n",
        "{\"pid\":1,\"call\":\"read\",\"fd\":3,\"count\":5,\"ok\":2,\"data\":\"hi\"}\n",
        "{\"event\":\"clock\",\"ns\":5}\n",
        "{\"pid\":1,\"call\":\"getpid\"}\n",
    );
    std::fs::write(path("case.jsonl"), case).expect("written");
    let report = |file: &str| {
        let (status, out, err) = tickernel(&["replay", file, "--json"], "");
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        (status, report)
    };
    let (status, good) = report(&path("case.jsonl"));
    assert_eq!(status, Some(0), "{good}");
    assert_eq!(
        (&good["format"], &good["calls"], &good["compared"]),
        (&"jsonl".into(), &4.into(), &4.into())
    );

    let (trace, again) = (path("case.trace"), path("again.jsonl"));
    let (status, _, err) = tickernel(&["import", &path("case.jsonl"), "-o", &trace], "");
    assert_eq!(status, Some(0), "{err}");
    let (status, imported) = report(&trace);
    assert_eq!((status, &imported["digest"]), (Some(0), &good["digest"]), "{imported}");
    let (status, text, err) = tickernel(&["dump", &trace], "");
    assert_eq!(status, Some(0), "{err}");
    std::fs::write(&again, &text).expect("written");
    let (status, _, err) = tickernel(&["import", &again, "-o", &path("again.trace")], "");
    assert_eq!(status, Some(0), "{err}");
    let bytes = |file: &str| std::fs::read(file).expect("read");
    assert!(bytes(&trace) == bytes(&path("again.trace")), "{text}");

    std::fs::write(path("wrong.jsonl"), case.replace("\"ok\":2,\"data\"", "\"ok\":1,\"data\""))
        .expect("written");
    let (status, wrong) = report(&path("wrong.jsonl"));
    assert_eq!((status, &wrong["mismatched"]), (Some(1), &1.into()), "{wrong}");
    let first = &wrong["first_mismatch"];
    assert_eq!((&first["seq"], &first["pid"]), (&2.into(), &1.into()), "{wrong}");
    assert!(first["simulated"].as_str().is_some_and(|text| text.contains("\"ok\":2")), "{wrong}");

    std::fs::write(path("damaged.jsonl"), format!("{case}{{\"pid\":1\n")).expect("written");
    let (status, damaged) = report(&path("damaged.jsonl"));
    assert_eq!((status, &damaged["damage"]["line"]), (Some(2), &6.into()), "{damaged}");
    assert_eq!(damaged["calls"], 4, "{damaged}");
}

#[test]
fn the_face_is_spoken_by_pid_0_in_its_profile() {
    let requests = r#"
        {"pid":1,"call":"pipe"}
        {"pid":0,"call":"face_register_driver","driver":"d","commands":["job"]}
        {"pid":0,"call":"face_spawn","command":"job","args":["a"],"envp":[],"cwd":"/"}
        {"pid":0,"call":"fs_write","path":"/x/y","data":"hi"}
        {"pid":0,"call":"fs_read","path":"/x/y"}
        {"pid":0,"call":"face_exit","target":2,"status":-7}
        {"pid":0,"call":"face_waitpid","target":2}
        {"pid":0,"call":"face_spawn"}"#;
    let mut child = Command::new(env!("CARGO_BIN_EXE_tickernel"))
        .args(["drive", "--profile", "secure-exec"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let lines = requests.lines().map(str::trim).filter(|line| !line.is_empty());
    let input = lines.collect::<Vec<_>>().join("\n") + "\n";
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let answers: Vec<&str> = text.lines().collect();
    let error = r#"{"error":"face_spawn: the field \"command\" is missing"}"#;
    let expected = [
        r#"{"ok":0,"fds":[3,4]}"#,
        r#"{"ok":0}"#,
        r#"{"ok":2}"#,
        r#"{"ok":0}"#,
        r#"{"ok":2,"data":"hi"}"#,
        r#"{"ok":0}"#,
        r#"{"ok":2,"change":[0,-7]}"#,
        error,
    ];
    assert_eq!(answers, expected);
}

/// What the last request of some tells of a file.
fn stat_after(requests: &[&str]) -> Value {
    let mut drive = Drive::new(Default::default());
    let mut last = Vec::new();
    for request in requests {
        last = drive.answer(request.as_bytes());
        assert!(last.iter().all(|line| !line.contains_key("error")), "{request}: {last:?}");
    }
    last.pop().and_then(|mut line| line.remove("stat")).expect("a stat")
}

/// As Linux 6.18 answered; beside it such a test would change the machine's own /proc.
#[test]
fn an_entry_of_proc_keeps_the_mode_and_owner_that_it_is_given() {
    let stat = r#"{"pid":1,"call":"lstat","path":"/proc/uptime"}"#;
    let mode = r#"{"pid":1,"call":"chmod","path":"/proc/uptime","mode":"06750"}"#;
    let owner = r#"{"pid":1,"call":"chown","path":"/proc/uptime","uid":5,"gid":-1}"#;
    let [before, changed, owned] =
        [&[stat][..], &[mode, stat], &[mode, owner, stat]].map(stat_after);
    assert_eq!((&before["mode"], &before["uid"]), (&0o444.into(), &0.into()));
    assert_eq!((&changed["mode"], &changed["uid"]), (&0o6750.into(), &0.into()));
    assert_eq!((&owned["mode"], &owned["uid"]), (&0o750.into(), &5.into()));
    let link = r#"{"pid":1,"call":"lchown","path":"/proc/mounts","uid":-1,"gid":7}"#;
    let mounts = stat_after(&[link, r#"{"pid":1,"call":"lstat","path":"/proc/mounts"}"#]);
    assert_eq!((&mounts["gid"], &mounts["size"]), (&7.into(), &11.into()));
    // A task's are its user's at the next look, and those below /proc/sys are nobody's to change.
    let task = r#"{"pid":1,"call":"chown","path":"/proc/1/status","uid":5,"gid":5}"#;
    let status = stat_after(&[task, r#"{"pid":1,"call":"lstat","path":"/proc/1/status"}"#]);
    assert_eq!(status["uid"], 0);
    follow(
        r#"
        > {"pid":1,"call":"chown","path":"/proc/sys/kernel/ostype","uid":5,"gid":-1}
        {"err":"EPERM"}
        > {"pid":1,"call":"chmod","path":"/proc/sys/kernel/ostype","mode":"0600"}
        {"err":"EPERM"}
        "#,
    );
}

/// What ext4 and a tmpfs of Linux 6.18 showed of the same calls.
#[test]
fn room_that_is_kept_counts_in_blocks() {
    let ranges: [(u32, u64, u64, u64); 8] = [
        (1, 0, 65_536, 128),
        (1, 100_000, 1, 136),
        (0, 0, 200_000, 392),
        (3, 4096, 4096, 384),
        (3, 100, 200, 384),
        (3, 10_000, 10_000, 376),
        (1, 190_000, 100_000, 552),
        (3, 250_000, 1_000_000, 552),
    ];
    for (directory, last) in [("/tmp", 552), ("/dev/shm", 480)] {
        let open = format!(
            r#"{{"pid":1,"call":"open","path":"{directory}/f","flags":"O_RDWR|O_CREAT","mode":0}}"#
        );
        let mut requests = vec![open];
        for (at, (mode, offset, len, blocks)) in ranges.into_iter().enumerate() {
            let range = format!(r#""mode":{mode},"offset":{offset},"len":{len}"#);
            requests.push(format!(r#"{{"pid":1,"call":"fallocate","fd":3,{range}}}"#));
            requests.push(r#"{"pid":1,"call":"fstat","fd":3}"#.into());
            let asked: Vec<&str> = requests.iter().map(String::as_str).collect();
            let expected = if at == ranges.len() - 1 { last } else { blocks };
            assert_eq!(stat_after(&asked)["blocks"], expected, "{directory}: {asked:?}");
        }
        requests.push(r#"{"pid":1,"call":"ftruncate","fd":3,"length":8197}"#.into());
        requests.push(r#"{"pid":1,"call":"fstat","fd":3}"#.into());
        let asked: Vec<&str> = requests.iter().map(String::as_str).collect();
        assert_eq!(stat_after(&asked)["blocks"], 16);
    }
}

/// A second and a half after the kernel started.
#[test]
fn proc_tells_when_a_process_was_made() {
    let requests = [
        r#"{"op":"advance","ns":1500000000}"#,
        r#"{"pid":1,"call":"fork"}"#,
        r#"{"pid":2,"call":"open","path":"/proc/self/stat","flags":"O_RDONLY"}"#,
        r#"{"pid":2,"call":"read","fd":3,"count":4096}"#,
        r#"{"pid":2,"call":"open","path":"/proc/1/stat","flags":"O_RDONLY"}"#,
        r#"{"pid":2,"call":"read","fd":4,"count":4096}"#,
    ];
    let mut drive = Drive::new(Default::default());
    let lines: Vec<_> = requests.iter().map(|ask| drive.answer(ask.as_bytes()).pop()).collect();
    // Field 22, in hundredths of a second since the system started.
    let started = |at: usize| {
        let text = lines[at].as_ref()?.get("data")?.as_str()?;
        Some(text.split(' ').nth(21)?.to_owned())
    };
    assert_eq!((started(3), started(5)), (Some("150".into()), Some("0".into())), "{lines:?}");
}

/// A copy of more than a call of read(2) gives, as cp(1) asks for it: on Linux one call, too.
#[test]
fn a_copy_goes_on_to_the_end_of_a_large_file() {
    let large = r#"
        > {"pid":1,"call":"open","path":"/tmp/f","flags":"O_CREAT|O_RDWR","mode":"0644"}
        {"ok":3}
        > {"pid":1,"call":"open","path":"/tmp/g","flags":"O_CREAT|O_RDWR","mode":"0644"}
        {"ok":4}
        > {"pid":1,"call":"pwrite64","fd":3,"data":"x","offset":150000000}
        {"ok":1}
        > {"pid":1,"call":"copy_file_range","fd_in":3,"fd_out":4,"len":9223372035781033984,"flags":0}
        {"ok":150000001}
        > {"pid":1,"call":"sendfile","out_fd":4,"in_fd":3,"offset":0,"count":200000000}
        {"ok":150000001,"offset":150000001}
        > {"pid":1,"call":"pread64","fd":4,"offset":300000000,"count":9}
        {"ok":2,"data":"\u0000x"}
    "#;
    follow(large);
}

/// What changes the times of an inode and what does not, as on Linux 6.18's ext4 and pipes.
#[test]
fn times_move_only_with_what_changes() {
    let clock = r#"{"op":"advance","ns":1000000000}"#;
    let list = |value: &str| {
        let name = r#""name":"system.posix_acl_access""#;
        format!(r#"{{"pid":1,"call":"setxattr","path":"/tmp/f",{name},{value},"flags":0}}"#)
    };
    let (empty, named) = (
        list(r#""value_b64":"AgAAAA==""#),
        list(r#""value_b64":"AgAAAAEABwD/////AgAHAOgDAAAEAAUA/////xAABwD/////IAAFAP////8=""#),
    );
    let file = r#"{"pid":1,"call":"open","path":"/tmp/f","flags":"O_CREAT","mode":"0755"}"#;
    let ctime = |lists: &[&String]| {
        let mut requests = vec![file];
        lists.iter().for_each(|list| requests.extend([clock, list.as_str()]));
        requests.push(r#"{"pid":1,"call":"stat","path":"/tmp/f"}"#);
        stat_after(&requests)["ctime"].as_u64().expect("a number") - 1_000_000_000
    };
    assert_eq!((ctime(&[&empty]), ctime(&[&named]), ctime(&[&named, &named])), (0, 1, 1));
    assert_eq!(ctime(&[&named, &empty, &empty]), 2);
    let pipe = |call: &str| {
        let requests =
            [r#"{"pid":1,"call":"pipe"}"#, clock, call, r#"{"pid":1,"call":"fstat","fd":3}"#];
        let stat = stat_after(&requests);
        ["atime", "mtime", "ctime"].map(|name| stat[name].as_u64().expect("a number"))
    };
    let (made, later) = (1_000_000_000, 1_000_000_001);
    assert_eq!(pipe(r#"{"pid":1,"call":"write","fd":4,"data":"x"}"#), [made; 3]);
    assert_eq!(pipe(r#"{"pid":1,"call":"fchmod","fd":3,"mode":"0644"}"#), [made, made, later]);
    assert_eq!(pipe(r#"{"pid":1,"call":"fchown","fd":3,"uid":5,"gid":-1}"#), [made, made, later]);
    let times = r#""atime":{"sec":5,"nsec":0},"mtime":{"sec":7,"nsec":0}"#;
    let call = format!(r#"{{"pid":1,"call":"utimensat","dirfd":3,"path":null,{times}}}"#);
    assert_eq!(pipe(&call), [5, 7, later]);
}

#[test]
fn who_may_be_ended_first_is_written_with_a_capability() {
    follow(
        r#"
        > {"pid":1,"call":"open","path":"/proc/self/oom_score_adj","flags":"O_RDWR"}
        {"ok":3}
        > {"pid":1,"call":"write","fd":3,"data":"-900"}
        {"ok":4}
        > {"pid":1,"call":"write","fd":3,"data":"-500"}
        {"ok":4}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"setresuid","ruid":1000,"euid":1000,"suid":1000}
        {"ok":0}
        > {"pid":2,"call":"prctl","option":"PR_SET_DUMPABLE","arg2":1}
        {"ok":0}
        > {"pid":2,"call":"open","path":"/proc/self/oom_score_adj","flags":"O_RDWR"}
        {"ok":4}
        > {"pid":2,"call":"write","fd":4,"data":"-501"}
        {"err":"EACCES"}
        > {"pid":2,"call":"write","fd":4,"data":"100"}
        {"ok":3}
        > {"pid":2,"call":"write","fd":4,"data":"-500"}
        {"ok":4}
        > {"pid":2,"call":"read","fd":4,"count":9}
        {"ok":5,"data":"-500\n"}
        > {"pid":2,"call":"open","path":"/proc/self/oom_adj","flags":"O_RDWR"}
        {"ok":5}
        > {"pid":2,"call":"write","fd":5,"data":"-9"}
        {"err":"EACCES"}
        > {"pid":2,"call":"write","fd":5,"data":"-8"}
        {"ok":2}
        > {"pid":2,"call":"open","path":"/proc/self/oom_score","flags":"O_RDONLY"}
        {"ok":6}
        > {"pid":2,"call":"read","fd":6,"count":9}
        {"ok":4,"data":"353\n"}
        "#,
    );
}

#[test]
fn restrictions_of_links_are_switched_in_proc() {
    follow(
        r#"
        > {"pid":1,"call":"mkdir","path":"/tmp/s","mode":"01777"}
        {"ok":0}
        > {"pid":1,"call":"chmod","path":"/tmp/s","mode":"01777"}
        {"ok":0}
        > {"pid":1,"call":"open","path":"/tmp/s/f","flags":"O_CREAT|O_WRONLY","mode":"0600"}
        {"ok":3}
        > {"pid":1,"call":"fork"}
        {"ok":2}
        > {"pid":2,"call":"setresuid","ruid":1000,"euid":1000,"suid":1000}
        {"ok":0}
        > {"pid":2,"call":"link","oldpath":"/tmp/s/f","newpath":"/tmp/s/g"}
        {"ok":0}
        > {"pid":1,"call":"open","path":"/proc/sys/fs/protected_hardlinks","flags":"O_RDWR"}
        {"ok":4}
        > {"pid":1,"call":"write","fd":4,"data":"2"}
        {"err":"EINVAL"}
        > {"pid":1,"call":"write","fd":4,"data":"-1"}
        {"err":"EINVAL"}
        > {"pid":1,"call":"write","fd":4,"data":"1x"}
        {"err":"EINVAL"}
        > {"pid":1,"call":"write","fd":4,"data":" \n"}
        {"err":"EINVAL"}
        > {"pid":1,"call":"write","fd":4,"data":" 1\n"}
        {"ok":3}
        > {"pid":1,"call":"write","fd":4,"data":"0\n"}
        {"ok":2}
        > {"pid":1,"call":"pread64","fd":4,"count":9,"offset":0}
        {"ok":2,"data":"1\n"}
        > {"pid":2,"call":"link","oldpath":"/tmp/s/f","newpath":"/tmp/s/h"}
        {"err":"EPERM"}
        > {"pid":2,"call":"open","path":"/proc/sys/fs/protected_hardlinks","flags":"O_WRONLY"}
        {"err":"EACCES"}
        > {"pid":1,"call":"open","path":"/proc/sys/fs/protected_regular","flags":"O_WRONLY"}
        {"ok":5}
        > {"pid":1,"call":"write","fd":5,"data":"2 1"}
        {"ok":2}
        > {"pid":1,"call":"open","path":"/proc/sys/fs/protected_regular","flags":"O_RDONLY"}
        {"ok":6}
        > {"pid":1,"call":"read","fd":6,"count":9}
        {"ok":2,"data":"2\n"}
        "#,
    );
}
