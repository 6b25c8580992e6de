//! Connections that are taken back and made again (`AF_UNSPEC`, connect(2)), characters that a
//! program types itself (TIOCSTI), terminals that are full.

use super::support::agrees;

/// Without `-yy`: the second port is that which the second accept tells of.
#[test]
fn a_socket_that_connects_again_has_another_port() {
    agrees(
        r#"7 execve("/usr/bin/python3", ["python3"], 0x7ffd /* 3 vars */) = 0
7 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3
7 bind(3, {sa_family=AF_INET, sin_port=htons(5001), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
7 listen(3, 5) = 0
7 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 4
7 connect(4, {sa_family=AF_INET, sin_port=htons(5001), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
7 accept4(3, {sa_family=AF_INET, sin_port=htons(45520), sin_addr=inet_addr("127.0.0.1")}, [16], SOCK_CLOEXEC) = 5
7 connect(4, {sa_family=AF_UNSPEC, sa_data="\0\0\0\0\0\0\0\0\0\0\0\0\0\0"}, 16) = 0
7 connect(4, {sa_family=AF_INET, sin_port=htons(5001), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
7 accept4(3, {sa_family=AF_INET, sin_port=htons(38868), sin_addr=inet_addr("127.0.0.1")}, [16], SOCK_CLOEXEC) = 6
7 getsockname(4, {sa_family=AF_INET, sin_port=htons(38868), sin_addr=inet_addr("127.0.0.1")}, [16]) = 0
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// strace prints the character as text.
#[test]
fn characters_that_a_program_types_are_echoed() {
    agrees(
        r#"7 execve("/usr/bin/python3", ["python3"], 0x7ffd /* 3 vars */) = 0
7 openat(AT_FDCWD, "/dev/ptmx", O_RDWR|O_NOCTTY) = 3
7 ioctl(3, TIOCSPTLCK, [0]) = 0
7 ioctl(3, TIOCGPTPEER, 0x102) = 4
7 ioctl(4, TIOCSTI, "h") = 0
7 ioctl(4, TIOCSTI, "\n") = 0
7 read(4, "h\n", 10) = 2
7 read(3, "h\r\n", 10) = 3
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}

/// A thread's process is there until the last of its threads has gone.
#[test]
fn a_process_is_waited_for_when_all_its_threads_have_gone() {
    agrees(
        r#"7 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0
7 clone(child_stack=NULL, flags=SIGCHLD) = 8
7 clone(child_stack=NULL, flags=SIGCHLD) = 9
8 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, exit_signal=0, stack=0x7f, stack_size=0x7fff00} => {parent_tid=[10]}, 88) = 10
10 getpid() = 8
7 wait4(-1,  <unfinished ...>
8 exit_group(0) = ?
10 +++ exited with 0 +++
9 exit_group(0) = ?
9 +++ exited with 0 +++
7 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 9
8 +++ exited with 0 +++
7 wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 8
7 exit_group(0) = ?
7 +++ exited with 0 +++
"#,
        0,
    );
}
