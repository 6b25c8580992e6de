//! Every rendering of values that FORMAT.md sections 2 and 3 list, in each print style.

use tickernel::strace::{Body, LineParser, Operator, Value, WaitStatus, WholeCall};

fn call(text: &str) -> WholeCall {
    call_of_bytes(text.as_bytes())
}

fn call_of_bytes(text: &[u8]) -> WholeCall {
    match LineParser::new().parse(1, text) {
        Ok(line) => match line.body {
            Body::Call(call) => call,
            other => panic!("no call: {other:?}"),
        },
        Err(error) => panic!("{error}"),
    }
}

/// The only argument of `f(TEXT) = 0`.
fn value(text: &str) -> Value {
    let mut args = call(&format!("f({text}) = 0")).args;
    assert_eq!(args.len(), 1, "{text}: {args:?}");
    args.remove(0)
}

fn refused(text: &str) -> String {
    match LineParser::new().parse(1, text.as_bytes()) {
        Ok(line) => panic!("{text} was taken: {line:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn numbers_of_three_bases() {
    assert_eq!(value("42").number(), Some(42));
    assert_eq!(value("-1").as_i64(), Some(-1));
    assert_eq!(value("-1").as_u64(), Some(u64::MAX));
    assert_eq!(value("0644").number(), Some(0o644));
    assert_eq!(value("000").number(), Some(0));
    assert_eq!(value("0").number(), Some(0));
    assert_eq!(value("0x2a").number(), Some(42));
    assert_eq!(value("18446744073709551615").as_u64(), Some(u64::MAX));
    assert_eq!(value("0xffffff9c").as_i32(), Some(-100));
    assert_eq!(value("0x7ffd12345678").as_pointer(), Some(0x7ffd_1234_5678));
    assert_eq!(value("7").as_pointer(), None);
    assert_eq!(value("NULL").as_pointer(), Some(0));
    assert_eq!(value("'S'").number(), Some(83));
    assert!(refused("f(18446744073709551616) = 0").contains("64 bits"));
    assert!(refused("f(12ab) = 0").contains("number"));
    assert!(refused("f(0x) = 0").contains("number"));
    assert!(refused("f(089) = 0").contains("expected a number"));
}

#[test]
fn strings_in_every_escape_style() {
    let bytes = |text| value(text).as_bytes().map(<[u8]>::to_vec);
    let expected = Some(b"h\xff\x00\x01i\n\"q\\\t\x7f7\xc3\xa9".to_vec());
    assert_eq!(bytes(r#""h\xff\x00\x01i\n\"q\\\t\x7f7\xc3\xa9""#), expected);
    assert_eq!(bytes(r#""h\377\0\1i\n\"q\\\t\1777\303\251""#), expected);
    let hex = r#""\x68\xff\x00\x01\x69\x0a\x22\x71\x5c\x09\x7f\x37\xc3\xa9""#;
    assert_eq!(bytes(hex), expected);
    assert_eq!(bytes(r#""\0001""#), Some(b"\x001".to_vec()));
    assert_eq!(bytes(r#""\v\f\r""#), Some(b"\x0b\x0c\r".to_vec()));
    let cut = value(r#""abc"..."#);
    assert!(cut.is_cut() && cut.as_bytes() == Some(b"abc"));
    assert!(!value(r#""abc\"...""#).is_cut());
    assert_eq!(bytes(r#""a) = 3 <unfinished ...>""#), Some(b"a) = 3 <unfinished ...>".to_vec()));
    assert!(refused(r#"f("\xz1") = 0"#).contains("hexadecimal"));
    assert!(refused(r#"f("\q") = 0"#).contains("escape"));
    assert!(refused(r#"f("\777") = 0"#).contains("one byte"));
    assert!(refused(r#"f("abc) = 0"#).contains("closing quote"));
}

#[test]
fn bytes_that_are_not_utf8_stand_in_strings_as_they_are() {
    let call = call_of_bytes(b"write(1, \"a\xff\xfe\", 3) = 3");
    assert_eq!(call.args[1].as_bytes(), Some(b"a\xff\xfe".as_slice()));
}

#[test]
fn flags_verbose_raw_and_abbreviated() {
    let verbose = value("0x241 /* O_WRONLY|O_CREAT|O_TRUNC */");
    assert_eq!(verbose.number(), Some(0x241));
    assert_eq!(verbose.names(), ["O_WRONLY", "O_CREAT", "O_TRUNC"]);
    assert!(verbose.unresolved().is_empty());
    let terms = value("0x1200000 /* CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID */|17 /* SIGCHLD */");
    assert_eq!(terms.number(), Some(0x120_0011));
    assert_eq!(terms.names().len(), 3);
    assert_eq!(value("0x1200000|17").number(), Some(0x120_0011));
    let abbreviated = value("O_WRONLY|O_CREAT|0x8000000");
    assert_eq!(abbreviated.number(), None);
    assert_eq!(abbreviated.unresolved(), ["O_WRONLY", "O_CREAT"]);
    let table = |name: &str| match name {
        "O_WRONLY" => Some(1),
        "O_CREAT" => Some(0o100),
        _ => None,
    };
    assert_eq!(abbreviated.resolve(&table), Some(0x800_0041));
    assert_eq!(value("S_IFREG|0644").resolve(&|_| Some(0o100_000)), Some(0o100_644));
    assert_eq!(value("8192*1024").number(), Some(8_388_608));
    assert_eq!(value("21<<MAP_HUGE_SHIFT").resolve(&|_| Some(26)), Some(21 << 26));
    assert_eq!(value("0x3001 /* ARCH_??? */").name(), Some("ARCH_???"));
    assert_eq!(value("|0x1").number(), Some(1));
    assert_eq!(value("!PR_TAGGED_ADDR_ENABLE").name(), Some("!PR_TAGGED_ADDR_ENABLE"));
    let nested = value("0x3 /* htons(0x300 /* ETH_P_??? */) */");
    assert_eq!(nested.comment(), Some("htons(0x300 /* ETH_P_??? */)"));
    let either = value("SNDCTL_TMR_STOP or TCSETSW");
    assert!(matches!(&either, Value::Operation(Operator::Either, names) if names.len() == 2));
}

#[test]
fn structs_with_all_their_quirks() {
    let stat = value(
        "{st_dev=0xfe00 /* makedev(0xfe, 0) */, st_mode=0100640 /* S_IFREG|0640 */, st_nlink=1, \
         st_mtime=1795557875 /* 2026-11-25T00:04:35+0000 */, st_mtime_nsec=5}",
    );
    assert_eq!(stat.field("st_mode").and_then(Value::number), Some(0o100_640));
    assert_eq!(stat.field("st_mtime").and_then(Value::as_i64), Some(1_795_557_875));
    assert_eq!(stat.field("st_dev").and_then(Value::as_device), Some((0xfe, 0)));
    assert!(!stat.is_cut() && stat.field("st_size").is_none());
    let short = value("{st_mode=S_IFREG|0644, st_size=33699, ...}");
    assert!(short.is_cut() && short.field("st_size").and_then(Value::number) == Some(33699));
    assert_eq!(value("makedev(0x1, 0x3)").as_device(), Some((1, 3)));
    let termios = value("{c_iflag=, c_oflag=NL0|OPOST, c_cc=[[VINTR]=0x3, [18]=0]}");
    assert_eq!(termios.field("c_iflag").and_then(Value::number), Some(0));
    let codes = termios.field("c_cc").and_then(Value::items).unwrap_or_default();
    assert!(matches!(&codes[0], Value::Indexed(pair) if pair.1.number() == Some(3)));
    let old = value("{B38400 opost -isig icanon echo ...}");
    assert_eq!(old.as_struct().map(|old| (old.members.len(), old.more)), Some((5, true)));
    let old = value(r"{B38400, c_cc[VMIN]=1, c_cc[VTIME]=0}");
    assert_eq!(old.field("c_cc[VMIN]").and_then(Value::number), Some(1));
    let changed = value("{flags=0x3d0f00 /* CLONE_VM */, exit_signal=0} => {parent_tid=[1522]}");
    assert_eq!(changed.field("flags").and_then(Value::number), Some(0x3d_0f00));
    let parent = changed.field("parent_tid").and_then(Value::pointee);
    assert_eq!(parent.and_then(Value::number), Some(1522));
    assert!(value("{...}").is_cut());
    let newer = value(r#"{cgroup=5, /* bytes 88..89 */ "\x01\x02"}"#);
    let rest = newer.as_struct().and_then(|newer| newer.members.get(1));
    let rest = rest.map(|rest| (rest.value.as_bytes(), rest.value.comment()));
    assert_eq!(rest, Some((Some(b"\x01\x02".as_slice()), Some("bytes 88..89"))));
    let nested = value("[{{len=20, type=NLMSG_DONE}, {a=1}}, ...]");
    assert!(nested.as_array().is_some_and(|list| list.more && list.items.len() == 1));
}

#[test]
fn lists_sets_and_changed_lengths() {
    let length = value("[128 => 16]");
    assert_eq!(length.before().number(), Some(128));
    assert_eq!(length.after().number(), Some(16));
    assert_eq!(value("[16]").number(), Some(16));
    assert_eq!(value("[]").items().map(<[Value]>::len), Some(0));
    let set = value("~[USR1 RT_1]");
    let Some((true, signals)) = set.as_set() else { panic!("no complement: {set}") };
    assert_eq!(signals.iter().filter_map(Value::name).collect::<Vec<_>>(), ["USR1", "RT_1"]);
    let verbose = value("[12 /* USR2 */ 36 /* RT_4 */]");
    let numbers = |set: &Value| {
        set.as_set().map(|(_, set)| set.iter().filter_map(Value::as_i64).collect::<Vec<_>>())
    };
    assert_eq!(numbers(&verbose), Some(vec![12, 36]));
    assert_eq!(numbers(&value("[2 15 17]")), Some(vec![2, 15, 17]));
    assert_eq!(
        value("~[]").as_set().map(|(complement, set)| (complement, set.len())),
        Some((true, 0))
    );
    let fds = value("[3<pipe:[30878]> 5<pipe:[30879]>]");
    assert_eq!(numbers(&fds), Some(vec![3, 5]));
    let argv = call(r#"execve("./t1", ["./t1", "a"...], ["PATH=/bin"]) = 0"#);
    assert_eq!(argv.args[1].items().map(<[Value]>::len), Some(2));
    assert!(argv.args[1].is_cut() && !argv.args[2].is_cut());
    let short = call(r#"execve("./t1", ["./t1", ...], 0x7ffe /* 35 vars */) = 0"#);
    assert!(short.args[1].is_cut());
    assert_eq!(short.args[2].as_pointer(), Some(0x7ffe));
    assert_eq!(short.args[2].comment(), Some("35 vars"));
    let faulty = value("[{fd=3, events=0}, ... /* 0x561a44643000 */]");
    assert!(faulty.as_array().is_some_and(|list| list.more && list.items.len() == 1));
    assert_eq!(call("getdents(3, /* 5 entries */, 32768) = 120").args.len(), 3);
    assert_eq!(call(r#"execve("x", ["x"], [/* 35 vars */]) = 0"#).args.len(), 3);
}

#[test]
fn descriptors_with_what_they_are() {
    let what = |text: &str| match value(text).as_fd() {
        Some(fd) => (
            fd.number.as_i32(),
            String::from_utf8_lossy(&fd.text).into_owned(),
            fd.device.clone().map(|device| String::from_utf8_lossy(&device).into_owned()),
            fd.deleted,
        ),
        None => panic!("{text} is no descriptor"),
    };
    let plain = |number, text: &str| (Some(number), text.to_owned(), None, false);
    assert_eq!(what("3</etc/ld.so.cache>"), plain(3, "/etc/ld.so.cache"));
    assert_eq!(what("4<pipe:[30878]>"), plain(4, "pipe:[30878]"));
    assert_eq!(
        what("1</dev/null<char 1:3>>"),
        (Some(1), "/dev/null".into(), Some("char 1:3".into()), false)
    );
    assert_eq!(what(r"5</tmp/f\x3et\x3c.txt>"), plain(5, "/tmp/f>t<.txt"));
    assert_eq!(what(r"5</tmp/f\76t>"), plain(5, "/tmp/f>t"));
    assert_eq!(what(r"3<\x2f\x65\x74\x63>"), plain(3, "/etc"));
    assert_eq!(what("3</tmp/x>(deleted)"), (Some(3), "/tmp/x".into(), None, true));
    assert_eq!(
        what("16<TCP:[127.0.0.1:3->127.0.0.1:4]>"),
        plain(16, "TCP:[127.0.0.1:3->127.0.0.1:4]")
    );
    assert_eq!(what("12<UNIX-STREAM:[30908->30909]>"), plain(12, "UNIX-STREAM:[30908->30909]"));
    assert_eq!(what(r#"19<UNIX-STREAM:[3,"u>s"]>"#), plain(19, r#"UNIX-STREAM:[3,"u>s"]"#));
    assert_eq!(what("9<UNIX-STREAM:[1,@\"abs\"]>"), plain(9, "UNIX-STREAM:[1,@\"abs\"]"));
    assert_eq!(what("8<anon_inode:[eventfd]>"), plain(8, "anon_inode:[eventfd]"));
    assert_eq!(what("3</tmp/a->"), plain(3, "/tmp/a-"));
    assert_eq!(what("-100 /* AT_FDCWD */</tmp/dd (deleted)>"), plain(-100, "/tmp/dd (deleted)"));
    let named = value("AT_FDCWD</cwd>");
    assert_eq!(named.unresolved(), ["AT_FDCWD"]);
    assert_eq!(named.as_fd().map(|fd| fd.text.clone()), Some(b"/cwd".to_vec()));
    assert_eq!(what("6291<bash>"), plain(6291, "bash"));
    for text in [r#"9<UNIX:[1->2,"a\"b\x3e"]>"#, r"9<\x3eodd\x3c>", r#"9<one\">"#] {
        assert_eq!(value(text).to_string(), text);
    }
    assert!(refused("f(3</etc/x").contains("closing >"));
}

#[test]
fn socket_addresses_in_both_styles() {
    let verbose = value(
        r#"{sa_family=0x2 /* AF_INET */, sin_port="\x9b\xa3" /* htons(39843) */, sin_addr="\x7f\x00\x00\x01" /* inet_addr("127.0.0.1") */}"#,
    );
    let short =
        value(r#"{sa_family=AF_INET, sin_port=htons(39843), sin_addr=inet_addr("127.0.0.1")}"#);
    for address in [&verbose, &short] {
        assert_eq!(address.field("sin_port").and_then(Value::as_port), Some(39843));
        assert_eq!(address.field("sin_addr").and_then(Value::as_ipv4), Some([127, 0, 0, 1]));
    }
    let six = value(
        r#"{sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}"#,
    );
    let address = six.as_struct().and_then(|six| six.members.get(3)).map(|member| &member.value);
    assert_eq!(address.and_then(Value::as_ipv6).map(|bytes| bytes[15]), Some(1));
    let unix = value(r#"{sa_family=0x1 /* AF_UNIX */, sun_path=@"abs"}"#);
    let path = unix.field("sun_path").and_then(Value::as_text);
    assert_eq!(path.map(|path| (path.at, path.bytes.as_slice())), Some((true, b"abs".as_slice())));
    let hardware = value("{sa_family=ARPHRD_ETHER, sa_data=08:5e:00:12:34:56}");
    assert_eq!(hardware.field("sa_data").and_then(Value::name), Some("08:5e:00:12:34:56"));
}

#[test]
fn wait_statuses() {
    let status = |text: &str| match value(text).as_wait_status() {
        Some(WaitStatus::Exited(status)) => format!("exited {status}"),
        Some(WaitStatus::Signaled { signal, core }) => format!("killed {signal} {core}"),
        Some(WaitStatus::Stopped(signal)) => format!("stopped {signal}"),
        Some(WaitStatus::Continued) => "continued".to_owned(),
        None => "none".to_owned(),
    };
    assert_eq!(status("[{WIFEXITED(s) && WEXITSTATUS(s) == 3}]"), "exited 3");
    assert_eq!(status("[WIFEXITED(s) && WEXITSTATUS(s) == 3]"), "exited 3");
    assert_eq!(status("[{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}]"), "killed SIGKILL false");
    let core = "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGABRT && WCOREDUMP(s)}]";
    assert_eq!(status(core), "killed SIGABRT true");
    assert_eq!(status("[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}]"), "stopped SIGSTOP");
    assert_eq!(status("[{WIFCONTINUED(s)}]"), "continued");
    assert_eq!(status("NULL"), "none");
    assert_eq!(
        status("[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGTRAP | 0x80}]"),
        "stopped SIGTRAP|0x80"
    );
}

#[test]
fn results_of_every_kind() {
    let result = |text: &str| call(&format!("f(1) {text}")).result;
    assert_eq!(result("= 0").number(), Some(0));
    assert_eq!(result("    = 022").number(), Some(0o22));
    assert_eq!(result("= 0x7f00").number(), Some(0x7f00));
    let fd = result("= 18<TCP:[127.0.0.1:1]>");
    assert!(fd.value.as_ref().and_then(Value::as_fd).is_some() && fd.number() == Some(18));
    let failed = result("= -1 ENOENT (No such file or directory)");
    assert_eq!(failed.number(), Some(-1));
    assert_eq!(failed.errno.as_deref(), Some("ENOENT"));
    assert_eq!(failed.errno_text.as_deref(), Some("No such file or directory"));
    assert!(failed.restart().is_none());
    let restart = result("= ? ERESTARTSYS (To be restarted if SA_RESTART is set)");
    assert!(restart.value.is_none() && restart.restart().is_some());
    assert!(result("= ?").value.is_none());
    assert!(result("= 0 (Timeout)").says("Timeout"));
    let date = "2026-11-25T00:43:18+0000";
    assert!(result(&format!("= 1795567398 ({date})")).says(date));
    assert!(result("= -1 EPERM (Operation not permitted) (INJECTED)").says("INJECTED"));
    let flags = result("= 0x8002 (flags O_RDWR|O_LARGEFILE)");
    assert_eq!(flags.note("flags").map(Value::names), Some(vec!["O_RDWR", "O_LARGEFILE"]));
    let flags = result("= 0x8002 (flags 0x8002 /* O_RDWR|O_LARGEFILE */)");
    assert_eq!(flags.note("flags").and_then(Value::number), Some(0x8002));
    let selected = result("= 1 (in [5], left {tv_sec=0, tv_nsec=0})");
    let ready = selected.note("in").and_then(Value::pointee).and_then(Value::number);
    assert_eq!(ready, Some(5));
    let left = selected.note("left").and_then(|left| left.field("tv_sec"));
    assert_eq!(left.and_then(Value::number), Some(0));
    let polled = result("= 1 ([{fd=4, revents=0x4 /* POLLOUT */}])");
    let one = polled.notes.first().and_then(Value::pointee);
    assert_eq!(one.and_then(|one| one.field("revents")).and_then(Value::number), Some(4));
    assert_eq!(call("f(1) = 0 <0.000031>").duration_ns, Some(31_000));
    assert_eq!(call("f(1) = 3</tmp/x> <1.5>").duration_ns, Some(1_500_000_000));
    assert!(refused("f(1) = 0 rest").contains("end of the line"));
    assert!(refused("f(1)").contains("result"));
    assert!(refused("f(1").contains("`)`"));
}

#[test]
fn whole_calls_of_the_format() {
    for text in [
        r#"waitid(0x1 /* P_PID */, 18869, {si_signo=17 /* SIGCHLD */, si_code=0x2 /* CLD_KILLED */, si_status=6 /* SIGABRT */, si_utime=94, si_stime=0}, 0x4 /* WEXITED */, NULL) = 0"#,
        r#"rt_sigaction(10 /* SIGUSR1 */, {sa_handler=0x564b, sa_mask=[], sa_flags=0x14000000 /* SA_RESTORER|SA_RESTART */, sa_restorer=0x7f}, NULL, 8) = 0"#,
        r#"pselect6(7, [3<pipe:[1]> 5<pipe:[2]>], NULL, NULL, {tv_sec=0, tv_nsec=1000000}, {sigmask=[], sigsetsize=8}) = 1 (out [3], left {tv_sec=0, tv_nsec=1})"#,
        r#"epoll_ctl(7<anon_inode:[eventpoll]>, 0x1 /* EPOLL_CTL_ADD */, 4<pipe:[30878]>, {events=0x80000005 /* EPOLLIN|EPOLLOUT|EPOLLET */, data={u32=5, u64=320255973501901}}) = 0"#,
        r#"ioctl(22</dev/pts/0<char 136:0>>, 0x5401 /* TCGETS */, {c_iflag=0x500 /* ICRNL|IXON */, c_oflag=0 /* NL0 */|0x5 /* OPOST|ONLCR */, c_line=0, c_cc=[[VINTR]=0x3, [18]=0]}) = 0"#,
        r#"sendmsg(12<UNIX-STREAM:[1->2]>, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="fd", iov_len=2}], msg_iovlen=1, msg_control=[{cmsg_len=24, cmsg_level=0x1 /* SOL_SOCKET */, cmsg_type=0x1 /* SCM_RIGHTS */, cmsg_data=[3<pipe:[30878]>, 1</dev/null<char 1:3>>]}], msg_controllen=24, msg_flags=0}, 0) = 2"#,
        r#"getdents64(26</d>, [{d_ino=1, d_off=2232908316014189079, d_reclen=24, d_type=0x8 /* DT_REG */, d_name="b"}], 4096) = 264"#,
        r#"syscall_0x1c3(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)"#,
        r#"clone3({flags=0x3d0f00 /* CLONE_VM|CLONE_THREAD */, child_tid=0x7f, exit_signal=0, stack=0x7e} => {parent_tid=[1522]}, 88) = 1522"#,
        r#"clone(child_stack=NULL, flags=0x1200000 /* CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID */|17 /* SIGCHLD */, child_tidptr=0x7f) = 18835"#,
        r#"setsockopt(4<TCP:[3]>, 0x1 /* SOL_SOCKET */, 0xd /* SO_LINGER */, {l_onoff=1, l_linger=0}, 8) = 0"#,
        r#"umask(000) = 022"#,
        r#"rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call)"#,
        r#"restart_syscall(<... resuming interrupted clock_nanosleep ...>) = 0"#,
    ] {
        assert_eq!(call(text).to_string(), text);
    }
}

#[test]
fn named_arguments_of_clone() {
    let call = call("clone(child_stack=NULL, flags=CLONE_VM|SIGCHLD, child_tidptr=0x7f) = 9");
    assert!(matches!(&call.args[1], Value::Named(name, flags)
        if &**name == "flags" && flags.names() == ["CLONE_VM", "SIGCHLD"]));
}
