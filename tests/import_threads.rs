//! Threads of a recording: what tells in which order calls that overlap took effect, and programs
//! that a thread executes. Cut from recordings of strace 6.1.

mod replayed;

use tickernel::import::SideFile;
use tickernel::replay::Report;
use tickernel::strace::Events;

fn replayed(text: &str) -> Report {
    let recording = Events::new(text.as_bytes()).read_all();
    assert!(recording.error.is_none(), "{:?}", recording.error);
    replayed::replayed(&recording, &SideFile::default())
}

fn agrees(text: &str) {
    let report = replayed(text);
    assert_eq!(report.first_mismatch, None, "{text}");
    assert_eq!((report.mismatched, report.unsupported), (0, 0), "{:?}", report.by_call);
}

/// A process of three threads.
const THREADS: &str = r#"10 execve("./t", ["./t"], 0x7ffd /* 3 vars */) = 0
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, exit_signal=0, stack=0x7f, stack_size=0x7fff00} => {parent_tid=[11]}, 88) = 11
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, exit_signal=0, stack=0x7f, stack_size=0x7fff00} => {parent_tid=[12]}, 88) = 12
"#;

/// A copy of the table is made while another thread closes, or opens, one of its numbers: the
/// child's first number, and what it closes, tell which came first.
#[test]
fn a_child_shows_what_its_parents_threads_had_open() {
    let forked = |free: bool| {
        let first = if free {
            "3) = 3\n13 close(3) = 0"
        } else {
            "3) = 4\n13 close(3) = 0\n13 close(4) = 0"
        };
        let first = first.replacen("3)", "openat(AT_FDCWD, \"/etc\", O_RDONLY)", 1);
        format!(
            r#"{THREADS}10 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3
11 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD <unfinished ...>
12 close(3 <unfinished ...>
13 set_robust_list(0x7f, 24) = 0
11 <... clone resumed>, child_tidptr=0x7f) = 13
12 <... close resumed>) = 0
13 {first}
13 exit_group(0) = ?
13 +++ exited with 0 +++
10 exit_group(0 <unfinished ...>
12 +++ exited with 0 +++
11 +++ exited with 0 +++
10 <... exit_group resumed>) = ?
10 +++ exited with 0 +++
"#
        )
    };
    agrees(&forked(true));
    agrees(&forked(false));
    // The close returned first.
    let early = |text: String| {
        text.replace("12 <... close resumed>) = 0\n", "").replacen(
            "13 set_robust",
            "12 <... close resumed>) = 0\n13 set_robust",
            1,
        )
    };
    agrees(&early(forked(true)));
    agrees(&early(forked(false)));
}

/// Numbers that a call passed over which another one has that has not returned: the process did
/// not bring them with it.
#[test]
fn a_number_that_is_passed_over_is_another_threads() {
    let text = format!(
        r#"{THREADS}11 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP <unfinished ...>
12 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 4
11 <... socket resumed>) = 3
10 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5
10 exit_group(0 <unfinished ...>
12 +++ exited with 0 +++
11 +++ exited with 0 +++
10 <... exit_group resumed>) = ?
10 +++ exited with 0 +++
"#
    );
    agrees(&text);
}

/// Two connect at a time, and nothing names their ports: what is said first tells who was first.
#[test]
fn connections_come_in_the_order_of_what_is_said() {
    let text = |first: &str, second: &str| {
        format!(
            r#"{THREADS}10 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3
10 bind(3, {{sa_family=AF_INET, sin_port=htons(4000), sin_addr=inet_addr("127.0.0.1")}}, 16) = 0
10 listen(3, 5) = 0
11 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 4
12 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5
11 connect(4, {{sa_family=AF_INET, sin_port=htons(4000), sin_addr=inet_addr("127.0.0.1")}}, 16 <unfinished ...>
12 connect(5, {{sa_family=AF_INET, sin_port=htons(4000), sin_addr=inet_addr("127.0.0.1")}}, 16 <unfinished ...>
11 <... connect resumed>) = 0
12 <... connect resumed>) = 0
11 sendto(4, "from 11", 7, 0, NULL, 0) = 7
12 sendto(5, "from 12", 7, 0, NULL, 0) = 7
10 accept4(3, {{sa_family=AF_INET, sin_port=htons(40001), sin_addr=inet_addr("127.0.0.1")}}, [16], 0) = 6
10 recvfrom(6, "{first}", 10, 0, NULL, NULL) = 7
10 accept4(3, {{sa_family=AF_INET, sin_port=htons(40002), sin_addr=inet_addr("127.0.0.1")}}, [16], 0) = 7
10 recvfrom(7, "{second}", 10, 0, NULL, NULL) = 7
10 exit_group(0 <unfinished ...>
12 +++ exited with 0 +++
11 +++ exited with 0 +++
10 <... exit_group resumed>) = ?
10 +++ exited with 0 +++
"#
        )
    };
    agrees(&text("from 11", "from 12"));
    agrees(&text("from 12", "from 11"));
}

/// `-qqq`: no line says that the thread takes its leader's number, nor that the others end.
#[test]
fn a_thread_executes_a_program_without_a_line_that_says_so() {
    let text = format!(
        r#"{THREADS}10 pause( <unfinished ...>
11 pause( <unfinished ...>
12 execve("/bin/echo", ["echo"], 0x7ffd /* 3 vars */ <unfinished ...>
11 <... pause resumed> <unfinished ...>) = ?
10 <... pause resumed> <unfinished ...>) = ?
10 <... execve resumed>) = 0
10 getpid() = 10
10 exit_group(0) = ?
"#
    );
    agrees(&text);
}
