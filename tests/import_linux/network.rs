//! Internet sockets of recordings: both ends in it, names that nobody chose, calls that overlap,
//! ends outside.

use super::support::agrees;

fn session(lines: &str) -> String {
    let begin = "10 execve(\"./t\", [\"t\"], 0x7ffd /* 3 vars */) = 0\n";
    format!("{begin}{lines}10 exit_group(0) = ?\n10 +++ exited with 0 +++\n")
}

/// The client's port shows in what the server was told, which had begun to wait before.
#[test]
fn an_accept_waits_for_the_connect_of_another() {
    agrees(
        &session(
            "10 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3\n\
             10 bind(3, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0\n\
             10 listen(3, 5) = 0\n\
             10 getsockname(3, {sa_family=AF_INET, sin_port=htons(39167), sin_addr=inet_addr(\"127.0.0.1\")}, [16]) = 0\n\
             10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 11\n\
             11 accept4(3,  <unfinished ...>\n\
             10 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 4\n\
             10 connect(4, {sa_family=AF_INET, sin_port=htons(39167), sin_addr=inet_addr(\"127.0.0.1\")}, 16 <unfinished ...>\n\
             11 <... accept4 resumed>{sa_family=AF_INET, sin_port=htons(55290), sin_addr=inet_addr(\"127.0.0.1\")}, [16], SOCK_CLOEXEC) = 4\n\
             10 <... connect resumed>) = 0\n\
             10 sendto(4, \"hello\", 5, 0, NULL, 0) = 5\n\
             10 sendto(4, \" there\", 6, 0, NULL, 0) = 6\n\
             11 recvfrom(4, \"hello\", 100, 0, NULL, NULL) = 5\n\
             11 recvfrom(4, \" there\", 100, 0, NULL, NULL) = 6\n\
             11 recvfrom(4,  <unfinished ...>\n\
             10 shutdown(4, SHUT_WR) = 0\n\
             11 <... recvfrom resumed>\"\", 100, 0, NULL, NULL) = 0\n\
             11 close(4) = 0\n\
             10 recvfrom(4, \"\", 100, 0, NULL, NULL) = 0\n\
             11 exit_group(0) = ?\n\
             11 +++ exited with 0 +++\n\
             10 wait4(11, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11\n",
        ),
        0,
    );
}

/// What strace cut of a message is known from who received it in other parts.
#[test]
fn bytes_that_were_cut_are_learnt_from_who_read_them() {
    agrees(
        &session(
            "10 socketpair(AF_UNIX, SOCK_STREAM, 0, [3, 4]) = 0\n\
             10 sendto(3, \"abcd\"..., 8, 0, NULL, 0) = 8\n\
             10 read(4, \"abcd\", 4) = 4\n\
             10 recvfrom(4, \"efgh\", 4, 0, NULL, NULL) = 4\n\
             10 sendmsg(3, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"12\"..., iov_len=4}, {iov_base=\"5\", iov_len=1}], msg_iovlen=2, msg_controllen=0, msg_flags=0}, 0) = 5\n\
             10 read(4, \"12345\", 9) = 5\n",
        ),
        0,
    );
}

/// IPv6 by the pseudo-member of the abbreviated style; who is not there refuses.
#[test]
fn addresses_of_ipv6_and_nobody_there() {
    agrees(
        &session(
            "10 socket(AF_INET6, SOCK_DGRAM, IPPROTO_IP) = 3\n\
             10 bind(3, {sa_family=AF_INET6, sin6_port=htons(0), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = 0\n\
             10 getsockname(3, {sa_family=AF_INET6, sin6_port=htons(40123), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, [28]) = 0\n\
             10 socket(AF_INET6, SOCK_DGRAM, IPPROTO_IP) = 4\n\
             10 sendto(4, \"one\", 3, 0, {sa_family=AF_INET6, sin6_port=htons(40123), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = 3\n\
             10 recvfrom(3, \"one\", 100, 0, {sa_family=AF_INET6, sin6_port=htons(50001), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, [28]) = 3\n\
             10 recvfrom(3, 0x7ffd, 100, MSG_DONTWAIT, 0x7ffd, [28]) = -1 EAGAIN (Resource temporarily unavailable)\n\
             10 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 5\n\
             10 connect(5, {sa_family=AF_INET, sin_port=htons(1), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = -1 ECONNREFUSED (Connection refused)\n",
        ),
        0,
    );
}

/// A server outside, a client outside: what they do is taken from the recording, the rest is the
/// kernel's.
#[test]
fn ends_that_were_not_recorded_are_inputs() {
    agrees(
        &session(
            "10 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3\n\
             10 connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"10.0.0.1\")}, 16) = 0\n\
             10 write(3, \"GET /\\n\", 6) = 6\n\
             10 read(3, \"hello\", 100) = 5\n\
             10 close(3) = 0\n\
             10 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3\n\
             10 bind(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr(\"0.0.0.0\")}, 16) = 0\n\
             10 listen(3, 5) = 0\n\
             10 poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}])\n\
             10 accept(3, {sa_family=AF_INET, sin_port=htons(5000), sin_addr=inet_addr(\"10.0.0.2\")}, [16]) = 4\n\
             10 read(4, \"hi\", 100) = 2\n\
             10 write(4, \"ho\", 2) = 2\n\
             10 close(4) = 0\n",
        ),
        7,
    );
}

/// Linux delivers later than the kernel: an EAGAIN puts it off, and counts as fed.
#[test]
fn what_has_not_come_yet_is_put_off() {
    agrees(
        &session(
            "10 socketpair(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0, [3, 4]) = 0\n\
             10 write(3, \"x\", 1) = 1\n\
             10 read(4, 0x7ffd, 9) = -1 EAGAIN (Resource temporarily unavailable)\n\
             10 read(4, \"x\", 9) = 1\n",
        ),
        1,
    );
}

/// How much a connection takes before its writer must wait is the machine's to say.
#[test]
fn the_room_of_a_connection_is_as_recorded() {
    agrees(
        &session(
            "10 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3\n\
             10 bind(3, {sa_family=AF_INET, sin_port=htons(8081), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0\n\
             10 listen(3, 5) = 0\n\
             10 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 4\n\
             10 connect(4, {sa_family=AF_INET, sin_port=htons(8081), sin_addr=inet_addr(\"127.0.0.1\")}, 16) = 0\n\
             10 accept(3, {sa_family=AF_INET, sin_port=htons(40000), sin_addr=inet_addr(\"127.0.0.1\")}, [16]) = 5\n\
             10 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n\
             10 sendto(4, \"qq\"..., 8000000, 0, NULL, 0) = 4500000\n\
             10 sendto(4, \"qq\"..., 8000000, 0, NULL, 0) = -1 EAGAIN (Resource temporarily unavailable)\n\
             10 recvfrom(5, \"qq\"..., 4000000, 0, NULL, NULL) = 4000000\n\
             10 recvfrom(5, \"qq\"..., 4000000, 0, NULL, NULL) = 500000\n",
        ),
        0,
    );
}

/// Who waits in accept(2) has the number already; others of its table get the next.
#[test]
fn an_accept_that_waits_has_its_number() {
    agrees(
        &session(
            "10 socket(AF_UNIX, SOCK_STREAM, 0) = 3\n\
             10 bind(3, {sa_family=AF_UNIX, sun_path=\"s\"}, 4) = 0\n\
             10 listen(3, 5) = 0\n\
             10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|CLONE_PARENT_SETTID|CLONE_CHILD_CLEARTID, child_tid=0x7f, parent_tid=0x7f, exit_signal=0, stack=0x7f, stack_size=0x7fff00, tls=0x7f} => {parent_tid=[11]}, 88) = 11\n\
             11 accept4(3,  <unfinished ...>\n\
             10 socket(AF_UNIX, SOCK_STREAM, 0) = 5\n\
             10 connect(5, {sa_family=AF_UNIX, sun_path=\"s\"}, 4) = 0\n\
             11 <... accept4 resumed>{sa_family=AF_UNIX}, [110 => 2], SOCK_CLOEXEC) = 4\n\
             11 exit(0) = ?\n\
             11 +++ exited with 0 +++\n",
        ),
        0,
    );
}
