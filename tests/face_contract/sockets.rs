//! Section 7: sockets by number, and section 6's polls of them.

use crate::support::{DRIVER, Vm, code, process, process_of, refused, vm, vm_with, watched};
use std::sync::{Arc, Mutex};
use tickernel::kernel::KernelResult;
use tickernel::poll::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, PollEvents, PollTargetEntry};
use tickernel::socket_table::{
    DatagramSocketOption, InetSocketAddress, SocketDomain, SocketId, SocketMulticastMembership,
    SocketReadiness, SocketReadinessKind, SocketShutdown, SocketSpec, SocketState, SocketType,
};

fn at(host: &str, port: u16) -> InetSocketAddress {
    InetSocketAddress::new(host, port)
}

/// A machine with process 1.
fn one() -> Vm {
    let mut vm = vm();
    process(&mut vm, None);
    vm
}

fn tcp(vm: &mut Vm) -> SocketId {
    vm.socket_create(DRIVER, 1, SocketSpec::tcp()).unwrap()
}

fn udp(vm: &mut Vm, host: &str, port: u16) -> SocketId {
    let socket = vm.socket_create(DRIVER, 1, SocketSpec::udp()).unwrap();
    vm.socket_bind_inet(DRIVER, 1, socket, at(host, port)).unwrap();
    socket
}

fn listener(vm: &mut Vm, host: &str, port: u16, backlog: usize) -> SocketId {
    let socket = tcp(vm);
    vm.socket_bind_inet(DRIVER, 1, socket, at(host, port)).unwrap();
    vm.socket_listen(DRIVER, 1, socket, backlog).unwrap();
    socket
}

/// Two ends of a connection.
fn pair(vm: &mut Vm) -> (SocketId, SocketId) {
    let (one, other) = (tcp(vm), tcp(vm));
    vm.socket_connect_pair(DRIVER, 1, one, other).unwrap();
    (one, other)
}

fn connect(vm: &mut Vm, socket: SocketId, host: &str, port: u16) -> KernelResult<()> {
    vm.socket_connect_inet_loopback(DRIVER, 1, socket, at(host, port))
}

fn poll(vm: &Vm, socket: SocketId, events: PollEvents) -> PollEvents {
    let asked = vec![PollTargetEntry::socket(socket, events)];
    vm.poll_targets(DRIVER, 1, asked, 0).unwrap().targets[0].revents
}

fn both(vm: &Vm, socket: SocketId) -> PollEvents {
    poll(vm, socket, POLLIN | POLLOUT)
}

#[test]
fn numbers_go_up_and_a_socket_has_one_owner() {
    let mut vm = one();
    let other = process_of(&mut vm, "other", None).pid();
    assert_eq!((tcp(&mut vm), tcp(&mut vm)), (1, 2));
    vm.socket_close(DRIVER, 1, 2).unwrap();
    assert_eq!(tcp(&mut vm), 3, "no number is given twice");
    refused(&mut vm, "ENOENT", |vm| vm.socket_listen(DRIVER, 1, 2, 1));
    refused(&mut vm, "EPERM", |vm| vm.socket_listen("other", other, 1, 1));
    refused(&mut vm, "EPERM", |vm| vm.socket_close("other", 1, 1));
    let owners: Vec<u32> =
        vm.socket_records_for_pid(1).iter().map(|record| record.owner_pid()).collect();
    assert_eq!(owners, [1, 1]);
    let record = vm.socket_get(1).unwrap();
    assert_eq!(
        (record.id(), record.state(), record.spec()),
        (1, SocketState::Created, SocketSpec::tcp())
    );
    assert!(vm.socket_get(2).is_none());
}

#[test]
fn a_connection_is_there_before_it_is_accepted() {
    let mut vm = one();
    let server = listener(&mut vm, "LocalHost", 80, 2);
    let client = tcp(&mut vm);
    connect(&mut vm, client, "127.0.0.1", 80).unwrap();
    assert_eq!(vm.socket_write(DRIVER, 1, client, b"early").unwrap(), 5);
    assert_eq!(vm.socket_get(server).unwrap().pending_accept_count(), 1);
    let accepted = vm.socket_accept(DRIVER, 1, server).unwrap();
    let record = vm.socket_get(accepted).unwrap();
    assert_eq!(record.local_address(), Some(&at("127.0.0.1", 80)));
    assert_eq!(record.peer_address(), None, "the client has no name");
    assert_eq!((record.peer_socket_id(), record.buffered_read_bytes()), (Some(client), 5));
    assert_eq!(vm.socket_get(client).unwrap().peer_address(), Some(&at("127.0.0.1", 80)));
    assert_eq!(vm.socket_read(DRIVER, 1, accepted, 2).unwrap(), Some(b"ea".to_vec()));
    assert_eq!(vm.socket_read(DRIVER, 1, accepted, 99).unwrap(), Some(b"rly".to_vec()));
    refused(&mut vm, "EAGAIN", |vm| vm.socket_read(DRIVER, 1, accepted, 1));
    refused(&mut vm, "EAGAIN", |vm| vm.socket_accept(DRIVER, 1, server));
    refused(&mut vm, "EINVAL", |vm| connect(vm, client, "127.0.0.1", 80));
}

#[test]
fn names_mean_what_the_contract_says() {
    for (one_host, other_host, shares) in [
        ("0.0.0.0", "127.0.0.1", false),
        ("localhost", "0.0.0.0", false),
        ("::", "::1", false),
        ("0.0.0.0", "10.0.0.1", true),
        ("10.0.0.1", "10.0.0.2", true),
        ("::", "0.0.0.0", true),
    ] {
        let mut vm = one();
        listener(&mut vm, one_host, 80, 1);
        let socket = tcp(&mut vm);
        let bound = vm.socket_bind_inet(DRIVER, 1, socket, at(other_host, 80));
        let told = bound.as_ref().map_err(|error| error.code()).copied();
        let wanted = if shares { Ok(()) } else { Err("EADDRINUSE") };
        assert_eq!(told, wanted, "{one_host} and {other_host}");
    }
    let mut vm = one();
    listener(&mut vm, "0.0.0.0", 80, 9);
    for (host, reached) in [("127.0.0.1", true), ("0.0.0.0", true), ("10.0.0.1", false)] {
        let socket = tcp(&mut vm);
        let told = connect(&mut vm, socket, host, 80).map_err(|error| error.code());
        assert_eq!(told, if reached { Ok(()) } else { Err("ECONNREFUSED") }, "{host}");
    }
}

#[test]
fn port_0_is_the_first_that_is_free() {
    let mut vm = one();
    for port in [49_152, 49_153] {
        let socket = tcp(&mut vm);
        vm.socket_bind_inet(DRIVER, 1, socket, at("127.0.0.1", 0)).unwrap();
        assert_eq!(vm.socket_get(socket).unwrap().local_address(), Some(&at("127.0.0.1", port)));
    }
    udp(&mut vm, "127.0.0.1", 49_152);
    vm.socket_close(DRIVER, 1, 1).unwrap();
    let socket = tcp(&mut vm);
    vm.socket_bind_inet(DRIVER, 1, socket, at("0.0.0.0", 0)).unwrap();
    assert_eq!(vm.socket_get(socket).unwrap().local_address(), Some(&at("0.0.0.0", 49_152)));
}

#[test]
fn states_are_passed_in_order() {
    let mut vm = one();
    let socket = tcp(&mut vm);
    refused(&mut vm, "EINVAL", |vm| vm.socket_listen(DRIVER, 1, socket, 1));
    vm.socket_bind_inet(DRIVER, 1, socket, at("127.0.0.1", 80)).unwrap();
    vm.socket_bind_inet(DRIVER, 1, socket, at("localhost", 80)).unwrap();
    refused(&mut vm, "EINVAL", |vm| vm.socket_bind_inet(DRIVER, 1, socket, at("127.0.0.1", 81)));
    let client = tcp(&mut vm);
    refused(&mut vm, "EINVAL", |vm| connect(vm, client, "127.0.0.1", 80));
    refused(&mut vm, "ECONNREFUSED", |vm| connect(vm, client, "127.0.0.1", 81));
    refused(&mut vm, "EINVAL", |vm| vm.socket_listen(DRIVER, 1, socket, 0));
    vm.socket_listen(DRIVER, 1, socket, 1).unwrap();
    refused(&mut vm, "EINVAL", |vm| vm.socket_listen(DRIVER, 1, socket, 1));
    connect(&mut vm, client, "127.0.0.1", 80).unwrap();
    let late = tcp(&mut vm);
    refused(&mut vm, "EAGAIN", |vm| connect(vm, late, "127.0.0.1", 80));
    refused(&mut vm, "ENOTCONN", |vm| vm.socket_read(DRIVER, 1, late, 1));
    refused(&mut vm, "ENOTCONN", |vm| vm.socket_write(DRIVER, 1, late, b"x"));
    refused(&mut vm, "ENOTCONN", |vm| vm.socket_shutdown(DRIVER, 1, late, SocketShutdown::Both));
    refused(&mut vm, "EINVAL", |vm| vm.socket_accept(DRIVER, 1, late));
}

#[test]
fn a_state_that_is_forced_has_nobody_at_the_other_end() {
    let mut vm = one();
    let socket = tcp(&mut vm);
    vm.socket_set_state(DRIVER, 1, socket, SocketState::Connected).unwrap();
    assert_eq!(vm.resource_snapshot().socket_connections, 1);
    refused(&mut vm, "EPIPE", |vm| vm.socket_write(DRIVER, 1, socket, b"x"));
    assert_eq!(vm.socket_read(DRIVER, 1, socket, 1).unwrap(), None);
    refused(&mut vm, "EINVAL", |vm| vm.socket_set_state(DRIVER, 1, socket, SocketState::Created));
    let socket = tcp(&mut vm);
    vm.socket_set_state(DRIVER, 1, socket, SocketState::Listening).unwrap();
    assert_eq!(vm.resource_snapshot().socket_listeners, 1);
    refused(&mut vm, "EINVAL", |vm| vm.socket_accept(DRIVER, 1, socket));
    vm.socket_set_state(DRIVER, 1, socket, SocketState::Bound).unwrap();
    refused(&mut vm, "EINVAL", |vm| vm.socket_listen(DRIVER, 1, socket, 1));
}

#[test]
fn connections_come_from_outside_too() {
    let mut vm = one();
    let server = listener(&mut vm, "127.0.0.1", 80, 1);
    let from = at("203.0.113.5", 4_000);
    vm.socket_queue_incoming_tcp_connection(DRIVER, 1, server, from.clone()).unwrap();
    assert_eq!(vm.resource_snapshot().sockets, 1, "none before it is accepted");
    refused(&mut vm, "EAGAIN", |vm| {
        vm.socket_queue_incoming_tcp_connection(DRIVER, 1, server, from.clone())
    });
    let accepted = vm.socket_accept(DRIVER, 1, server).unwrap();
    let record = vm.socket_get(accepted).unwrap();
    assert_eq!((record.peer_address(), record.peer_socket_id()), (Some(&from), None));
    assert_eq!(record.local_address(), Some(&at("127.0.0.1", 80)));
}

#[test]
fn each_direction_is_closed_by_itself() {
    let mut vm = one();
    let (one, other) = pair(&mut vm);
    vm.socket_write(DRIVER, 1, one, b"last").unwrap();
    vm.socket_shutdown(DRIVER, 1, one, SocketShutdown::Write).unwrap();
    refused(&mut vm, "EPIPE", |vm| vm.socket_write(DRIVER, 1, one, b""));
    assert_eq!(vm.socket_read(DRIVER, 1, other, 9).unwrap(), Some(b"last".to_vec()));
    assert_eq!(vm.socket_read(DRIVER, 1, other, 9).unwrap(), None);
    vm.socket_write(DRIVER, 1, other, b"back").unwrap();
    vm.socket_shutdown(DRIVER, 1, one, SocketShutdown::Read).unwrap();
    assert_eq!(vm.resource_snapshot().socket_buffered_bytes, 0, "what was not read is dropped");
    assert_eq!(vm.socket_read(DRIVER, 1, one, 9).unwrap(), None);
    refused(&mut vm, "EPIPE", |vm| vm.socket_write(DRIVER, 1, other, b"x"));
}

#[test]
fn a_close_is_the_end_for_the_other_side() {
    let mut vm = one();
    let (one, other) = pair(&mut vm);
    vm.socket_write(DRIVER, 1, one, b"rest").unwrap();
    vm.socket_close(DRIVER, 1, one).unwrap();
    assert_eq!(both(&vm, other), POLLIN | POLLERR | POLLHUP);
    assert_eq!(vm.socket_read(DRIVER, 1, other, 9).unwrap(), Some(b"rest".to_vec()));
    assert_eq!(vm.socket_read(DRIVER, 1, other, 9).unwrap(), None);
    refused(&mut vm, "EPIPE", |vm| vm.socket_write(DRIVER, 1, other, b"x"));
    assert_eq!(vm.socket_get(other).unwrap().peer_socket_id(), None);
}

#[test]
fn a_listener_takes_along_what_was_not_accepted() {
    let mut vm = one();
    let server = listener(&mut vm, "127.0.0.1", 80, 2);
    let client = tcp(&mut vm);
    connect(&mut vm, client, "127.0.0.1", 80).unwrap();
    vm.socket_write(DRIVER, 1, client, b"x").unwrap();
    vm.socket_close(DRIVER, 1, server).unwrap();
    let counts = vm.resource_snapshot();
    assert_eq!(
        (counts.sockets, counts.socket_connections, counts.socket_buffered_bytes),
        (1, 1, 0)
    );
    assert_eq!(vm.socket_read(DRIVER, 1, client, 1).unwrap(), None);
    listener(&mut vm, "127.0.0.1", 80, 1);
}

#[test]
fn the_end_of_a_process_closes_its_sockets() {
    let mut vm = one();
    let other = process(&mut vm, None).pid();
    let server = vm.socket_create(DRIVER, other, SocketSpec::tcp()).unwrap();
    vm.socket_bind_inet(DRIVER, other, server, at("127.0.0.1", 80)).unwrap();
    vm.socket_listen(DRIVER, other, server, 1).unwrap();
    let client = tcp(&mut vm);
    connect(&mut vm, client, "127.0.0.1", 80).unwrap();
    vm.exit_process(DRIVER, other, 0).unwrap();
    assert_eq!(vm.resource_snapshot().sockets, 1);
    assert_eq!(vm.socket_read(DRIVER, 1, client, 1).unwrap(), None);
    listener(&mut vm, "127.0.0.1", 80, 1);
}

#[test]
fn unix_streams_have_paths_and_no_files() {
    let mut vm = one();
    let unix = |vm: &mut Vm| vm.socket_create(DRIVER, 1, SocketSpec::unix_stream()).unwrap();
    let server = unix(&mut vm);
    for path in ["/", "", "/a/.."] {
        refused(&mut vm, "EINVAL", |vm| vm.socket_bind_unix(DRIVER, 1, server, path));
    }
    vm.socket_bind_unix(DRIVER, 1, server, "/tmp/../run//s").unwrap();
    assert_eq!(vm.socket_get(server).unwrap().local_unix_path(), Some("/run/s"));
    assert!(!vm.exists("/run/s").unwrap());
    let other = unix(&mut vm);
    refused(&mut vm, "EADDRINUSE", |vm| vm.socket_bind_unix(DRIVER, 1, other, "/run/s"));
    refused(&mut vm, "EINVAL", |vm| vm.socket_connect_unix(DRIVER, 1, other, "/run/s"));
    vm.socket_listen(DRIVER, 1, server, 1).unwrap();
    refused(&mut vm, "ECONNREFUSED", |vm| vm.socket_connect_unix(DRIVER, 1, other, "/none"));
    vm.socket_connect_unix(DRIVER, 1, other, "/run/./s").unwrap();
    assert_eq!(vm.socket_get(other).unwrap().peer_unix_path(), Some("/run/s"));
    let inet = tcp(&mut vm);
    refused(&mut vm, "EINVAL", |vm| vm.socket_bind_unix(DRIVER, 1, inet, "/x"));
    refused(&mut vm, "EINVAL", |vm| vm.socket_bind_inet(DRIVER, 1, other, at("127.0.0.1", 1)));
    let long = format!("/{}", "n".repeat(5_000));
    refused(&mut vm, "ENAMETOOLONG", |vm| vm.socket_connect_unix(DRIVER, 1, inet, long.clone()));
}

#[test]
fn datagrams_keep_their_borders() {
    let mut vm = one();
    let (to, from) = (udp(&mut vm, "0.0.0.0", 53), udp(&mut vm, "localhost", 4_000));
    for data in [&b"hello"[..], b"", b"two"] {
        let sent = vm.socket_send_to_inet_loopback(DRIVER, 1, from, at("127.0.0.1", 53), data);
        assert_eq!(sent.unwrap(), data.len());
    }
    let record = vm.socket_get(to).unwrap();
    assert_eq!((record.queued_datagrams(), record.queued_datagram_bytes()), (3, 8));
    for (most, wanted) in [(3, &b"hel"[..]), (9, b""), (9, b"two")] {
        let got = vm.socket_recv_datagram(DRIVER, 1, to, most).unwrap().unwrap();
        assert_eq!(got.payload(), wanted, "the rest of it is lost");
        assert_eq!(got.source_address(), Some(&at("127.0.0.1", 4_000)));
    }
    refused(&mut vm, "EAGAIN", |vm| vm.socket_recv_datagram(DRIVER, 1, to, 9));
    refused(&mut vm, "ECONNREFUSED", |vm| {
        vm.socket_send_to_inet_loopback(DRIVER, 1, from, at("127.0.0.1", 54), b"x")
    });
    let unbound = vm.socket_create(DRIVER, 1, SocketSpec::udp()).unwrap();
    refused(&mut vm, "EINVAL", |vm| {
        vm.socket_send_to_inet_loopback(DRIVER, 1, unbound, at("127.0.0.1", 53), b"x")
    });
    refused(&mut vm, "EINVAL", |vm| vm.socket_recv_datagram(DRIVER, 1, unbound, 1));
    let stream = tcp(&mut vm);
    refused(&mut vm, "EINVAL", |vm| vm.socket_recv_datagram(DRIVER, 1, stream, 1));
}

#[test]
fn a_port_of_datagrams_is_shared_by_who_agrees() {
    use DatagramSocketOption::{Broadcast, ReuseAddr, ReusePort};
    for (first, second, shares) in [
        (ReusePort, ReusePort, true),
        (ReuseAddr, ReuseAddr, true),
        (ReusePort, ReuseAddr, false),
        (Broadcast, Broadcast, false),
    ] {
        let mut vm = one();
        for (option, number) in [(first, 1), (second, 2)] {
            let socket = vm.socket_create(DRIVER, 1, SocketSpec::udp()).unwrap();
            assert_eq!(socket, number);
            vm.socket_set_datagram_option(DRIVER, 1, socket, option, true).unwrap();
        }
        vm.socket_bind_inet(DRIVER, 1, 1, at("127.0.0.1", 53)).unwrap();
        let told = vm.socket_bind_inet(DRIVER, 1, 2, at("0.0.0.0", 53));
        let told = told.map_err(|error| error.code());
        assert_eq!(told, if shares { Ok(()) } else { Err("EADDRINUSE") }, "{first:?} {second:?}");
    }
    let mut vm = one();
    let stream = tcp(&mut vm);
    refused(&mut vm, "EINVAL", |vm| {
        vm.socket_set_datagram_option(DRIVER, 1, stream, ReuseAddr, true)
    });
    vm.socket_bind_inet(DRIVER, 1, stream, at("127.0.0.1", 53)).unwrap();
    let socket = udp(&mut vm, "127.0.0.1", 53);
    vm.socket_set_datagram_option(DRIVER, 1, socket, Broadcast, true).unwrap();
    let record = vm.socket_get(socket).unwrap();
    assert!(record.broadcast_enabled() && !record.reuse_address() && !record.reuse_port());
}

#[test]
fn groups_are_kept() {
    let mut vm = one();
    let socket = udp(&mut vm, "0.0.0.0", 53);
    let group = |name: &str, interface: Option<&str>| {
        SocketMulticastMembership::new(name, interface.map(str::to_owned))
    };
    for interface in [" LO ", "lo"] {
        let group = group("224.0.0.1", Some(interface));
        vm.socket_add_membership(DRIVER, 1, socket, group).unwrap();
    }
    let record = vm.socket_get(socket).unwrap();
    assert_eq!(record.multicast_membership_count(), 1);
    assert!(record.has_multicast_membership(&group("224.0.0.1", Some("lo"))));
    for name in ["10.0.0.1", "ff02::1", "x", ""] {
        refused(&mut vm, "EINVAL", |vm| {
            vm.socket_add_membership(DRIVER, 1, socket, group(name, None))
        });
    }
    refused(&mut vm, "EADDRNOTAVAIL", |vm| {
        vm.socket_drop_membership(DRIVER, 1, socket, group("224.0.0.1", None))
    });
    vm.socket_drop_membership(DRIVER, 1, socket, group("224.0.0.1", Some("lo"))).unwrap();
    for last in 1..=20 {
        let group = group(&format!("239.0.0.{last}"), Some(""));
        vm.socket_add_membership(DRIVER, 1, socket, group).unwrap();
    }
    refused(&mut vm, "ENOBUFS", |vm| {
        vm.socket_add_membership(DRIVER, 1, socket, group("239.0.0.21", None))
    });
    let spec = SocketSpec::new(SocketDomain::Inet6, SocketType::Datagram);
    let six = vm.socket_create(DRIVER, 1, spec).unwrap();
    vm.socket_bind_inet(DRIVER, 1, six, at("::1", 53)).unwrap();
    refused(&mut vm, "EINVAL", |vm| {
        vm.socket_add_membership(DRIVER, 1, six, group("224.0.0.1", None))
    });
}

#[test]
fn polls_tell_what_can_be_done() {
    let mut vm = one();
    let fresh = tcp(&mut vm);
    assert_eq!(both(&vm, fresh), PollEvents::empty());
    assert_eq!(both(&vm, 99), POLLNVAL);
    assert_eq!(both(&vm, u64::MAX), POLLNVAL);
    let server = listener(&mut vm, "127.0.0.1", 80, 1);
    assert_eq!(both(&vm, server), PollEvents::empty());
    connect(&mut vm, fresh, "127.0.0.1", 80).unwrap();
    assert_eq!(both(&vm, server), POLLIN);
    assert_eq!(both(&vm, fresh), POLLOUT);
    let (one, other) = pair(&mut vm);
    vm.socket_write(DRIVER, 1, one, b"x").unwrap();
    assert_eq!(both(&vm, other), POLLIN | POLLOUT);
    assert_eq!(poll(&vm, other, POLLOUT), POLLOUT, "only what is asked");
    vm.socket_shutdown(DRIVER, 1, one, SocketShutdown::Write).unwrap();
    assert_eq!(both(&vm, one), PollEvents::empty());
    assert_eq!(both(&vm, other), POLLIN | POLLOUT | POLLHUP);
    vm.socket_read(DRIVER, 1, other, 1).unwrap();
    assert_eq!(both(&vm, other), POLLOUT | POLLHUP, "the end is nothing to read");
    vm.socket_shutdown(DRIVER, 1, one, SocketShutdown::Read).unwrap();
    assert_eq!(both(&vm, other), POLLERR | POLLHUP);
    assert_eq!(poll(&vm, other, POLLIN), POLLHUP, "an error for who would write");
    let datagrams = udp(&mut vm, "127.0.0.1", 53);
    assert_eq!(both(&vm, datagrams), POLLOUT);
    vm.socket_send_to_inet_loopback(DRIVER, 1, datagrams, at("127.0.0.1", 53), b"").unwrap();
    assert_eq!(both(&vm, datagrams), POLLIN | POLLOUT);
}

#[test]
fn polls_mix_sockets_and_descriptors() {
    let mut vm = one();
    let other = process(&mut vm, None).pid();
    let foreign = vm.socket_create(DRIVER, other, SocketSpec::tcp()).unwrap();
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    let (one, _) = pair(&mut vm);
    let asked = |fd: u32| {
        vec![
            PollTargetEntry::socket(one, POLLOUT),
            PollTargetEntry::fd(fd, POLLIN | POLLOUT),
            PollTargetEntry::socket(99, POLLIN),
            PollTargetEntry::fd(write, POLLOUT),
        ]
    };
    let bits = |fd: u32| -> Vec<u16> {
        let told = vm.poll_targets(DRIVER, 1, asked(fd), 0).unwrap();
        assert_eq!(told.ready_count, told.targets.iter().filter(|t| t.revents.bits() != 0).count());
        told.targets.iter().map(|target| target.revents.bits()).collect()
    };
    assert_eq!(bits(read), [4, 0, 32, 4]);
    assert_eq!(bits(77), [4, 32, 32, 4]);
    assert_eq!(bits(u32::MAX), [4, 32, 32, 4]);
    let of_other = vec![PollTargetEntry::socket(foreign, POLLIN)];
    assert_eq!(code(vm.poll_targets(DRIVER, 1, of_other, 0)), "EPERM");
    assert_eq!(code(vm.poll_targets(DRIVER, 1, Vec::new(), -2)), "EINVAL");
    assert_eq!(vm.poll_targets(DRIVER, 1, Vec::new(), 5).unwrap().ready_count, 0);
}

#[test]
fn a_poll_waits_for_any_of_them() {
    let told = watched("a poll of a socket", || {
        let mut vm = one().into_shared();
        let (one, other) = {
            let one = vm.socket_create(DRIVER, 1, SocketSpec::tcp()).unwrap();
            let other = vm.socket_create(DRIVER, 1, SocketSpec::tcp()).unwrap();
            vm.socket_connect_pair(DRIVER, 1, one, other).unwrap();
            (one, other)
        };
        let (read, _) = vm.open_pipe(DRIVER, 1).unwrap();
        let waiter = vm.clone();
        let thread = std::thread::spawn(move || {
            let asked =
                vec![PollTargetEntry::fd(read, POLLIN), PollTargetEntry::socket(other, POLLIN)];
            waiter.poll_targets(DRIVER, 1, asked, -1).unwrap()
        });
        vm.socket_write(DRIVER, 1, one, b"x").unwrap();
        thread.join().unwrap()
    });
    assert_eq!((told.ready_count, told.targets[1].revents), (1, POLLIN));
}

#[test]
fn limits_hold_over_all_sockets() {
    let mut vm = vm_with(|config| {
        config.resources.max_sockets = Some(4);
        config.resources.max_connections = Some(2);
        config.resources.max_socket_buffered_bytes = Some(10);
        config.resources.max_socket_datagram_queue_len = Some(1);
    });
    process(&mut vm, None);
    let (one, other) = pair(&mut vm);
    let server = listener(&mut vm, "127.0.0.1", 80, 5);
    let client = tcp(&mut vm);
    refused(&mut vm, "EAGAIN", |vm| vm.socket_create(DRIVER, 1, SocketSpec::tcp()));
    refused(&mut vm, "EAGAIN", |vm| connect(vm, client, "127.0.0.1", 80));
    refused(&mut vm, "EAGAIN", |vm| vm.socket_set_state(DRIVER, 1, client, SocketState::Connected));
    refused(&mut vm, "EAGAIN", |vm| vm.socket_write(DRIVER, 1, one, &[0; 11]));
    vm.socket_write(DRIVER, 1, one, &[0; 10]).unwrap();
    refused(&mut vm, "EAGAIN", |vm| vm.socket_write(DRIVER, 1, other, &[0; 1]));
    assert_eq!(both(&vm, other), POLLIN, "nobody has room");
    vm.socket_read(DRIVER, 1, other, 1).unwrap();
    assert_eq!(both(&vm, one), POLLOUT);
    vm.socket_close(DRIVER, 1, server).unwrap();
    let datagrams = udp(&mut vm, "127.0.0.1", 53);
    let send = |vm: &mut Vm, data: &[u8]| {
        vm.socket_send_to_inet_loopback(DRIVER, 1, datagrams, at("127.0.0.1", 53), data)
    };
    refused(&mut vm, "EAGAIN", |vm| send(vm, &[0; 2]));
    send(&mut vm, b"").unwrap();
    refused(&mut vm, "EAGAIN", |vm| send(vm, b""));
    assert_eq!(both(&vm, datagrams), POLLIN);
}

#[test]
fn who_wants_to_know_is_told_of_what_was_empty() {
    let mut vm = one();
    let told: Arc<Mutex<Vec<(SocketId, SocketReadinessKind)>>> = Arc::default();
    let own = Arc::clone(&told);
    vm.set_socket_readiness_sink(Some(move |ready: SocketReadiness| {
        own.lock().unwrap().push((ready.socket_id, ready.kind));
    }));
    let server = listener(&mut vm, "127.0.0.1", 80, 5);
    let (one, two) = (tcp(&mut vm), tcp(&mut vm));
    connect(&mut vm, one, "127.0.0.1", 80).unwrap();
    connect(&mut vm, two, "127.0.0.1", 80).unwrap();
    let accepted = vm.socket_accept(DRIVER, 1, server).unwrap();
    vm.socket_write(DRIVER, 1, one, b"x").unwrap();
    vm.socket_write(DRIVER, 1, one, b"y").unwrap();
    vm.socket_read(DRIVER, 1, accepted, 9).unwrap();
    vm.socket_write(DRIVER, 1, one, b"z").unwrap();
    use SocketReadinessKind::{Accept, Data};
    let wanted = [(server, Accept), (accepted, Data), (accepted, Data)];
    assert_eq!(*told.lock().unwrap(), wanted);
    vm.set_socket_readiness_sink(None::<fn(SocketReadiness)>);
    vm.socket_read(DRIVER, 1, accepted, 9).unwrap();
    vm.socket_write(DRIVER, 1, one, b"z").unwrap();
    assert_eq!(told.lock().unwrap().len(), wanted.len());
}
