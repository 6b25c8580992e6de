//! Users, signals, poll bits, limits, terminals, sockets, addresses, errors: values only.

use tickernel::command_registry::CommandDriver;
use tickernel::fd_table::{FD_CLOEXEC, O_APPEND, O_CREAT, O_EXCL, O_NONBLOCK, O_RDWR, O_TRUNC};
use tickernel::kernel::{KernelError, SEEK_CUR, SEEK_END, SEEK_SET, WaitPidFlags};
use tickernel::network_policy::{
    format_tcp_resource, is_loopback_ip, loopback_cidr, restricted_non_loopback_ip_range,
};
use tickernel::poll::{
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, PollEvents, PollFd, PollTarget, PollTargetEntry,
};
use tickernel::process_table::{
    SIGCHLD, SIGCONT, SIGHUP, SIGKILL, SIGPIPE, SIGSTOP, SIGTERM, SIGTSTP, SIGWINCH, SignalSet,
};
use tickernel::pty::{LineDisciplineConfig, PartialTermios, PtyWindowSize, Termios};
use tickernel::resource_accounting::ResourceLimits;
use tickernel::socket_table::{
    InetSocketAddress, SocketDomain, SocketMulticastMembership, SocketSpec, SocketState, SocketType,
};
use tickernel::usage::RootFilesystemResourceLimits;
use tickernel::user::{ProcessIdentity, UserConfig, UserManager};
use tickernel::vfs::VfsError;

#[test]
fn the_default_user_is_agentos() {
    let user = UserManager::new();
    assert_eq!(user.getpwuid(1000).unwrap(), "agentos:x:1000:1000::/home/agentos:/bin/sh");
    assert_eq!(user.getgrgid(1000).unwrap(), "agentos:x:1000:agentos");
    assert_eq!(user.getgroups(), [1000]);
    let identity = ProcessIdentity::default();
    assert_eq!(identity, user.identity());
    assert_eq!(
        (identity.uid, identity.gid, identity.euid, identity.egid),
        (1000, 1000, 1000, 1000)
    );
}

#[test]
fn effective_ids_and_the_group_name_follow_the_real_ones() {
    let config = UserConfig { uid: Some(5), gid: Some(6), ..UserConfig::default() };
    let user = UserManager::from_config(config);
    assert_eq!((user.euid, user.egid), (5, 6));
    let config = UserConfig { username: Some("bob".to_owned()), ..UserConfig::default() };
    assert_eq!(UserManager::from_config(config).group_name, "bob");
}

#[test]
fn supplementary_groups_come_once_the_primary_first() {
    let user = UserManager::from_config(UserConfig {
        supplementary_gids: vec![9, 5, 9, 1000],
        username: Some("bob".to_owned()),
        group_name: Some("crew".to_owned()),
        ..UserConfig::default()
    });
    assert_eq!(user.getgroups(), [1000, 9, 5]);
    assert_eq!(user.getgrgid(1000).unwrap(), "crew:x:1000:bob");
    assert_eq!(user.getgrgid(9).unwrap(), "group9:x:9:bob");
    assert_eq!(user.getgrgid(7), None);
}

#[test]
fn users_are_looked_up_by_the_real_id() {
    let config = UserConfig { uid: Some(5), euid: Some(7), ..UserConfig::default() };
    let user = UserManager::from_config(config);
    assert!(user.getpwuid(5).is_some());
    assert_eq!(user.getpwuid(7), None);
}

#[test]
fn signals_have_linuxs_numbers() {
    let numbers = [SIGHUP, SIGKILL, SIGPIPE, SIGTERM, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGWINCH];
    assert_eq!(numbers, [1, 9, 13, 15, 17, 18, 19, 20, 28]);
}

#[test]
fn signal_sets_hold_1_to_64() {
    for signal in [0, -1, 65, i32::MIN, i32::MAX] {
        let error = SignalSet::from_signal(signal).unwrap_err();
        assert_eq!(error.to_string(), format!("EINVAL: invalid signal {signal}"));
        assert!(!SignalSet::from_signal(1).unwrap().contains(signal));
    }
    let mut set = SignalSet::from_signals([64, 1]).unwrap();
    assert_eq!(set.signals(), [1, 64]);
    assert_eq!(set.insert(65).unwrap_err().code(), "EINVAL");
    set.insert(9).unwrap();
    set.remove(1).unwrap();
    assert!(set.contains(9) && !set.contains(1));
    let other = SignalSet::from_signal(9).unwrap();
    assert_eq!(set.difference(other).signals(), [64]);
    assert_eq!(set.difference(set), SignalSet::empty());
    assert!(SignalSet::empty().is_empty() && !set.union(other).is_empty());
    assert!(SignalSet::from_signals([1, 0]).is_err());
}

#[test]
fn wait_flags_are_a_set() {
    let mut flags = WaitPidFlags::WNOHANG | WaitPidFlags::WCONTINUED;
    assert!(flags.contains(WaitPidFlags::WNOHANG));
    assert!(!flags.contains(WaitPidFlags::WUNTRACED));
    flags |= WaitPidFlags::WUNTRACED;
    assert!(flags.contains(WaitPidFlags::WUNTRACED | WaitPidFlags::WCONTINUED));
    assert_eq!(WaitPidFlags::default(), WaitPidFlags::empty());
}

#[test]
fn poll_bits_are_those_of_poll_2() {
    let bits = [POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL].map(PollEvents::bits);
    assert_eq!(bits, [1, 4, 8, 0x10, 0x20]);
    let mut set = POLLIN | POLLOUT;
    assert!(set.contains(POLLIN) && !set.contains(POLLIN | POLLHUP));
    assert!(set.intersects(POLLIN | POLLHUP) && !set.intersects(POLLERR));
    set |= POLLERR;
    assert_eq!(set, PollEvents::from_bits(13));
    assert!(PollEvents::empty().is_empty());
}

#[test]
fn poll_entries_begin_with_nothing_found() {
    assert!(PollFd::new(3, POLLIN).revents.is_empty());
    let entry = PollTargetEntry::socket(4, POLLOUT);
    assert_eq!((entry.target, entry.events), (PollTarget::Socket(4), POLLOUT));
    assert_eq!(PollTargetEntry::fd(3, POLLIN).target, PollTarget::Fd(3));
}

#[test]
fn limits_have_the_contracts_defaults() {
    let limits = ResourceLimits::default();
    let expected = ResourceLimits {
        virtual_cpu_count: Some(1),
        max_processes: Some(256),
        max_open_fds: Some(256),
        max_pipes: Some(128),
        max_ptys: Some(128),
        max_sockets: Some(256),
        max_connections: Some(256),
        max_socket_buffered_bytes: Some(4 << 20),
        max_socket_datagram_queue_len: Some(1024),
        max_filesystem_bytes: Some(64 << 20),
        max_inode_count: Some(16_384),
        max_blocking_read_ms: Some(5_000),
        max_pread_bytes: Some(64 << 20),
        max_fd_write_bytes: Some(64 << 20),
        max_process_argv_bytes: Some(1 << 20),
        max_process_env_bytes: Some(1 << 20),
        max_readdir_entries: Some(4_096),
        max_wasm_fuel: None,
        max_wasm_memory_bytes: Some(128 << 20),
        max_wasm_stack_bytes: None,
    };
    assert_eq!(limits, expected);
    let root: &dyn RootFilesystemResourceLimits = &limits;
    assert_eq!(
        (root.max_filesystem_bytes(), root.max_inode_count()),
        (Some(64 << 20), Some(16_384))
    );
}

#[test]
fn terminals_begin_in_canonical_mode() {
    let modes = Termios::default();
    assert!(modes.icrnl && modes.opost && modes.onlcr && modes.icanon && modes.echo && modes.isig);
    let cc = [modes.cc.vintr, modes.cc.vquit, modes.cc.vsusp, modes.cc.veof, modes.cc.verase];
    assert_eq!(cc, [3, 0x1c, 0x1a, 4, 0x7f]);
    assert_eq!(PtyWindowSize::default(), PtyWindowSize { cols: 80, rows: 24 });
}

#[test]
fn a_line_discipline_names_three_modes() {
    let config = LineDisciplineConfig { canonical: Some(false), echo: None, isig: Some(true) };
    let expected =
        PartialTermios { icanon: Some(false), isig: Some(true), ..PartialTermios::default() };
    assert_eq!(PartialTermios::from(config), expected);
}

#[test]
fn descriptor_flags_are_linuxs() {
    let flags = [O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK, FD_CLOEXEC];
    assert_eq!(flags, [2, 0o100, 0o200, 0o1000, 0o2000, 0o4000, 1]);
    assert_eq!([SEEK_SET, SEEK_CUR, SEEK_END], [0, 1, 2]);
}

#[test]
fn socket_kinds_and_states() {
    let tcp = SocketSpec { domain: SocketDomain::Inet, socket_type: SocketType::Stream };
    assert_eq!(SocketSpec::tcp(), tcp);
    assert_eq!(SocketSpec::unix_datagram().socket_type, SocketType::Datagram);
    assert!(SocketState::Listening.counts_as_listener());
    assert!(!SocketState::Listening.counts_as_connection());
    assert!(SocketState::Connected.counts_as_connection());
    let address = InetSocketAddress::new("LocalHost", 3);
    assert_eq!((address.host(), address.port()), ("LocalHost", 3));
    let membership = SocketMulticastMembership::new("224.0.0.1", None);
    assert_eq!((membership.group_address(), membership.interface_address()), ("224.0.0.1", None));
}

#[test]
fn loopback_is_seen_through_mapped_addresses() {
    let ip = |text: &str| text.parse().unwrap();
    for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert!(is_loopback_ip(ip(text)), "{text}");
        assert_eq!(restricted_non_loopback_ip_range(ip(text)), None, "{text}");
    }
    assert!(!is_loopback_ip(ip("128.0.0.1")));
    assert_eq!(loopback_cidr(ip("10.0.0.1")), "127.0.0.0/8");
    assert_eq!(loopback_cidr(ip("::2")), "::1/128");
    assert_eq!(format_tcp_resource("Host", 80), "tcp://Host:80");
}

#[test]
fn ranges_that_are_not_public_are_named() {
    let range = |text: &str| {
        restricted_non_loopback_ip_range(text.parse().unwrap()).map(|(range, _)| range)
    };
    assert_eq!(range("10.1.2.3"), Some("10.0.0.0/8"));
    assert_eq!(range("172.31.255.255"), Some("172.16.0.0/12"));
    assert_eq!(range("172.32.0.0"), None);
    assert_eq!(range("169.254.169.254"), Some("169.254.0.0/16"));
    assert_eq!(range("::ffff:192.168.0.1"), Some("192.168.0.0/16"));
    assert_eq!(range("fd00::1"), Some("fc00::/7"));
    assert_eq!(range("fe80::1"), Some("fe80::/10"));
    assert_eq!(range("::"), Some("::/128"));
    assert_eq!(range("8.8.8.8"), None);
    assert_eq!(range("2606:4700::1"), None);
}

#[test]
fn kernel_errors_keep_code_and_message() {
    let error = KernelError::from(VfsError::new("EXDEV", "over there"));
    assert_eq!((error.code(), error.to_string().as_str()), ("EXDEV", "EXDEV: over there"));
    let doubled = KernelError::from(VfsError::new("EXDEV", "EXDEV: over there"));
    assert_eq!(doubled.to_string(), "EXDEV: over there");
    let signal = KernelError::from(SignalSet::from_signal(0).unwrap_err());
    assert_eq!(signal.to_string(), "EINVAL: invalid signal 0");
}

#[test]
fn a_driver_keeps_its_commands_as_given() {
    let driver = CommandDriver::new("d", ["b", "a", "b"]);
    assert_eq!((driver.name(), driver.commands().len()), ("d", 3));
    assert_eq!(driver.commands(), ["b", "a", "b"]);
}
