//! Sessions of further kinds than those of `traces/`: what the importer must find where calls
//! overlap, where strace printed little, and where only the machine knows the answer. Cut from
//! recordings of strace 6.1.

mod replayed;

use tickernel::import::SideFile;
use tickernel::strace::looks_like_strace;

/// Nothing differs, nothing is unsupported, and so many calls are fed.
fn agrees(text: &str, fed: u64) {
    let report = replayed::replayed_text(text, &SideFile::default());
    assert_eq!(report.first_mismatch, None, "{text}");
    let counts = (report.mismatched, report.unsupported, report.fed);
    assert_eq!(counts, (0, 0, fed), "{:?}", report.by_call);
    let lines = text.lines().filter(|line| line.contains('(') && !line.contains("resumed"));
    let calls = lines.filter(|line| !line.contains("---")).count();
    assert_eq!(report.calls, calls as u64, "all of it was read");
}

/// pipe(7): who writes without waiting finds the pipe full before the read that overlaps makes
/// room.
#[test]
fn a_full_pipe_is_full_before_it_is_read() {
    agrees(
        r#"10 execve("./w", ["./w"], 0x7ffd /* 3 vars */) = 0
10 pipe2([3, 4], 0) = 0
10 fcntl(4, F_SETFL, O_WRONLY|O_NONBLOCK) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 write(4, ""..., 65536) = 65536
11 read(3,  <unfinished ...>
10 write(4, ""..., 4096 <unfinished ...>
11 <... read resumed>""..., 4096) = 4096
10 <... write resumed>) = -1 EAGAIN (Resource temporarily unavailable)
11 exit_group(0) = ?
11 +++ exited with 0 +++
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// The end of a thread is printed before that of the one that took the signal.
#[test]
fn a_process_ends_by_the_signal_that_another_thread_took() {
    agrees(
        r#"9 execve("./p", ["./p"], 0x7ffd /* 3 vars */) = 0
9 clone(child_stack=NULL, flags=SIGCHLD) = 10
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, exit_signal=0, stack=0x7f, stack_size=0x7fff00} => {parent_tid=[11]}, 88) = 11
10 tgkill(10, 10, SIGTERM) = 0
10 --- SIGTERM {si_signo=SIGTERM, si_code=SI_TKILL, si_pid=10, si_uid=0} ---
11 +++ killed by SIGTERM +++
10 +++ killed by SIGTERM +++
9 wait4(10, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}], 0, NULL) = 10
9 exit_group(0) = ?
9 +++ exited with 0 +++
"#,
        0,
    );
}

/// proc(5): who has read the list of descriptors to its end does not see a lower one that comes
/// later.
#[test]
fn the_list_of_descriptors_has_an_end() {
    agrees(
        r#"10 execve("./l", ["./l"], 0x7ffd /* 3 vars */) = 0
10 openat(AT_FDCWD, "/proc/self/fd", O_RDONLY|O_DIRECTORY) = 3
10 getdents64(3, [{d_ino=1, d_off=1, d_reclen=24, d_type=DT_DIR, d_name="."}, {d_ino=2, d_off=2, d_reclen=24, d_type=DT_DIR, d_name=".."}, {d_ino=3, d_off=3, d_reclen=24, d_type=DT_LNK, d_name="0"}, {d_ino=4, d_off=4, d_reclen=24, d_type=DT_LNK, d_name="1"}, {d_ino=5, d_off=5, d_reclen=24, d_type=DT_LNK, d_name="2"}, {d_ino=6, d_off=66, d_reclen=24, d_type=DT_LNK, d_name="3"}], 32768) = 144
10 dup(1) = 4
10 getdents64(3, [], 32768) = 0
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// `-s 0`: what is added to a counter, and how much room a message had, follow from what came.
#[test]
fn counters_and_messages_that_a_short_limit_cuts_work() {
    agrees(
        r#"10 execve("./e", ["./e"], 0x7ffd /* 3 vars */) = 0
10 eventfd2(0, EFD_CLOEXEC|EFD_NONBLOCK) = 3
10 write(3, ""..., 8) = 8
10 read(3, ""..., 1024) = 8
10 read(3, 0x7ffd, 1024) = -1 EAGAIN (Resource temporarily unavailable)
10 socketpair(AF_UNIX, SOCK_STREAM, 0, [4, 5]) = 0
10 sendmsg(4, {msg_name=NULL, msg_namelen=0, msg_iov=[...], msg_iovlen=1, msg_controllen=0, msg_flags=0}, 0) = 7
10 recvmsg(5, {msg_name=NULL, msg_namelen=0, msg_iov=[...], msg_iovlen=1, msg_controllen=0, msg_flags=0}, 0) = 7
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// accept(2) of a thread that never returns has the next number all the same.
#[test]
fn an_accept_that_never_returns_holds_a_number() {
    agrees(
        r#"10 execve("./t", ["./t"], 0x7ffd /* 3 vars */) = 0
10 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3
10 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 4
10 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 5
10 close(3) = 0
10 close(4) = 0
10 close(5) = 0
10 socket(AF_UNIX, SOCK_STREAM, 0) = 3
10 bind(3, {sa_family=AF_UNIX, sun_path=@"x"}, 4) = 0
10 listen(3, 5) = 0
10 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM, exit_signal=0, stack=0x7f, stack_size=0x7fff00} => {parent_tid=[11]}, 88) = 11
11 accept4(3,  <unfinished ...>
10 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 5
10 exit_group(0) = ?
11 <... accept4 resumed> <unfinished ...>) = ?
11 +++ exited with 0 +++
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// `-s 0`: which connection is which follows from who was answered before the next was accepted.
#[test]
fn connections_come_in_the_order_of_their_answers() {
    agrees(
        r#"10 execve("./s", ["./s"], 0x7ffd /* 3 vars */) = 0
10 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3
10 bind(3, {sa_family=AF_INET, sin_port=htons(4000), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
10 listen(3, 5) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 clone(child_stack=NULL, flags=SIGCHLD) = 12
11 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 4
12 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 4
11 connect(4, {sa_family=AF_INET, sin_port=htons(4000), sin_addr=inet_addr("127.0.0.1")}, 16 <unfinished ...>
12 connect(4, {sa_family=AF_INET, sin_port=htons(4000), sin_addr=inet_addr("127.0.0.1")}, 16 <unfinished ...>
11 <... connect resumed>) = 0
12 <... connect resumed>) = 0
10 accept(3, {sa_family=AF_INET, sin_port=htons(45001), sin_addr=inet_addr("127.0.0.1")}, [128 => 16]) = 4
10 write(4, ""..., 3) = 3
12 read(4, ""..., 100) = 3
10 accept(3, {sa_family=AF_INET, sin_port=htons(45002), sin_addr=inet_addr("127.0.0.1")}, [128 => 16]) = 5
10 write(5, ""..., 5) = 5
11 read(4, ""..., 100) = 5
11 exit_group(0) = ?
11 +++ exited with 0 +++
12 exit_group(0) = ?
12 +++ exited with 0 +++
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// What a read got came by a splice(2) that was not seen to return, and that by a write.
#[test]
fn a_splice_feeds_a_read() {
    agrees(
        r#"10 execve("./p", ["./p"], 0x7ffd /* 3 vars */) = 0
10 pipe2([3, 4], 0) = 0
10 pipe2([5, 6], 0) = 0
10 clone(child_stack=NULL, flags=SIGCHLD) = 11
10 clone(child_stack=NULL, flags=SIGCHLD) = 12
11 splice(3, NULL, 6, NULL, 4096, SPLICE_F_MORE <unfinished ...>
12 read(5,  <unfinished ...>
10 write(4, "hello", 5 <unfinished ...>
12 <... read resumed>"hello", 100) = 5
11 <... splice resumed>) = 5
10 <... write resumed>) = 5
12 exit_group(0) = ?
12 +++ exited with 0 +++
11 exit_group(0) = ?
11 +++ exited with 0 +++
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// Routes, interfaces, places on the disk, the kernel's log: only the machine knows.
#[test]
fn what_only_the_machine_knows_is_fed() {
    agrees(
        r#"10 execve("./m", ["./m"], 0x7ffd /* 3 vars */) = 0
10 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3
10 ioctl(3, FS_IOC_FIEMAP, {fm_start=0, fm_length=4096, fm_flags=0, fm_extent_count=1} => {fm_flags=0, fm_mapped_extents=1, ...}) = 0
10 socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 4
10 bind(4, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 0
10 sendto(4, [{nlmsg_len=20, nlmsg_type=RTM_GETLINK, nlmsg_flags=NLM_F_REQUEST|NLM_F_DUMP, nlmsg_seq=1, nlmsg_pid=0}, {ifi_family=AF_UNSPEC, ...}], 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20
10 recvmsg(4, {msg_name={sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, msg_namelen=12, msg_iov=[{iov_base=[{nlmsg_len=1, nlmsg_type=RTM_NEWLINK, nlmsg_flags=NLM_F_MULTI, nlmsg_seq=1, nlmsg_pid=10}, {ifi_family=AF_UNSPEC}, [[{nla_len=10, nla_type=IFLA_ADDRESS}, 0e:64:70:2b:cf:74], [{nla_len=10, nla_type=IFLA_BROADCAST}, ff:ff:ff:ff:ff:ff], [{nla_len=816, nla_type=IFLA_AF_SPEC}, [[IPV4_DEVCONF_FORWARDING-1]=0, [IPV4_DEVCONF_PROXY_ARP-1]=0]]]], iov_len=4096}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, 0) = 1336
10 sendto(4, ..., 40, 0, NULL, 0) = 40
10 socket(AF_INET, SOCK_DGRAM, IPPROTO_IP) = 5
10 ioctl(5, SIOCGIFHWADDR, {ifr_name="eth0", ifr_hwaddr={sa_family=ARPHRD_ETHER, sa_data=02:fc:00:00:00:01}}) = 0
10 getsockopt(5, SOL_SOCKET, SO_RCVBUF, [8388608], [4]) = 0
10 getsockopt(5, SOL_SOCKET, SO_INCOMING_NAPI_ID, [0], [4]) = 0
10 setsockopt(5, SOL_SOCKET, SO_RCVTIMEO_OLD, "\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16) = 0
10 io_uring_setup(2048, {flags=0, sq_thread_cpu=0, sq_thread_idle=0, sq_entries=2048}) = 6
10 openat(AT_FDCWD, "/dev/kmsg", O_RDONLY|O_NONBLOCK) = 7
10 read(7, "5,0,0,-;Linux version 6.18\n", 8191) = 27
10 read(7, "6,1,0,-;Command line\n", 8191) = 21
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        10,
    );
}

/// Links whose texts are cut lead to two files; /proc/self/fd tells where a file really is.
#[test]
fn links_lead_where_the_recording_tells() {
    agrees(
        r#"10 execve("./r", ["./r"], 0x7ffd /* 3 vars */) = 0
10 newfstatat(AT_FDCWD, "/usr/bin/ar", {st_mode=S_IFREG|0755, st_size=52400, ...}, 0) = 0
10 readlink("/usr/bin/ar", ""..., 1023) = 19
10 openat(AT_FDCWD, "/usr/bin/x86_64-linux-gnu-ar", O_RDONLY) = 3
10 close(3) = 0
10 newfstatat(AT_FDCWD, "/usr/bin/nm", {st_mode=S_IFREG|0755, st_size=45088, ...}, 0) = 0
10 readlink("/usr/bin/nm", ""..., 1023) = 19
10 openat(AT_FDCWD, "/lib64/ld-linux-x86-64.so.2", O_RDONLY) = 3
10 readlink("/proc/self/fd/3", "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", 4096) = 46
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        0,
    );
}

/// A port that bind(2) chose is told to whoever is connected to; data that Linux still held back
/// made no poll ready.
#[test]
fn a_bound_port_is_told_by_the_peer_and_data_may_come_later() {
    agrees(
        r#"10 execve("./b", ["./b"], 0x7ffd /* 3 vars */) = 0
10 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3
10 bind(3, {sa_family=AF_INET, sin_port=htons(4000), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
10 listen(3, 5) = 0
10 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 4
10 bind(4, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("0.0.0.0")}, 16) = 0
10 connect(4, {sa_family=AF_INET, sin_port=htons(4000), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
10 accept(3, {sa_family=AF_INET, sin_port=htons(41189), sin_addr=inet_addr("127.0.0.1")}, [128 => 16]) = 5
10 write(4, "late", 4) = 4
10 poll([{fd=5, events=POLLIN}], 1, 0) = 0 (Timeout)
10 poll([{fd=5, events=POLLIN}], 1, -1) = 1 ([{fd=5, revents=POLLIN}])
10 exit_group(0) = ?
10 +++ exited with 0 +++
"#,
        1,
    );
}

/// Text that passed through other systems: ends of lines of two bytes, a mark before UTF-8.
#[test]
fn text_of_other_systems_is_read() {
    let text = "10 execve(\"/bin/true\", [\"true\"], 0x7ffd /* 3 vars */) = 0\r\n\
                10 exit_group(0) = ?\r\n10 +++ exited with 0 +++\r\n";
    for text in [text.to_owned(), format!("\u{feff}{text}")] {
        assert!(looks_like_strace(text.as_bytes()));
        agrees(&text, 0);
    }
}
