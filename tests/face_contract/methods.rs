//! Every public method of `KernelVm` as a value, so that it can be called with any arguments; a
//! test compares the list with the sources.

use std::collections::BTreeSet;
use std::time::Duration;
use tickernel::command_registry::CommandDriver;
use tickernel::kernel::{
    ExecOptions, KernelResult, KernelVm, OpenShellOptions, SpawnOptions, VirtualProcessOptions,
    WaitPidFlags,
};
use tickernel::poll::{PollEvents, PollFd, PollTargetEntry};
use tickernel::process_table::{ProcessStatus, SigmaskHow, SignalSet};
use tickernel::pty::{LineDisciplineConfig, PartialTermios, PartialTermiosControlChars};
use tickernel::socket_table::{
    DatagramSocketOption, InetSocketAddress, SocketDomain, SocketId, SocketMulticastMembership,
    SocketShutdown, SocketSpec, SocketState, SocketType,
};
use tickernel::vfs::{VirtualFileSystem, VirtualUtimeSpec};

/// Arguments for any method: each takes what it needs.
#[derive(Clone)]
pub struct Args {
    pub text: String,
    pub other: String,
    /// A descriptor, or a pid.
    pub number: u32,
    /// Another, or a flag, a command, an operation, a mode, an id.
    pub second: u32,
    pub length: usize,
    pub offset: u64,
    /// A signal, a selector, a time-out, an exit code.
    pub signed: i32,
    pub data: Vec<u8>,
    pub time: VirtualUtimeSpec,
}

impl std::fmt::Debug for Args {
    /// Long texts by their length.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |text: &str| match text.len() {
            0..100 => format!("{text:?}"),
            long => format!("{long} bytes from {:?}", text.chars().next()),
        };
        write!(f, "{} and {}, ", short(&self.text), short(&self.other))?;
        write!(f, "number {} second {} length {} ", self.number, self.second, self.length)?;
        write!(f, "offset {} signed {} ", self.offset, self.signed)?;
        write!(f, "{} bytes {:?}", self.data.len(), self.time)
    }
}

impl Args {
    fn mode(&self) -> Option<u32> {
        (!self.second.is_multiple_of(3)).then_some(self.second)
    }

    /// Never -1: nobody is there to end a wait without end.
    fn timeout_ms(&self) -> i32 {
        if self.signed == -1 { 0 } else { self.signed }
    }

    fn timeout(&self) -> Option<Duration> {
        self.second.is_multiple_of(2).then(|| Duration::from_nanos(self.offset))
    }

    fn set(&self) -> SignalSet {
        let signals = (1..=64).filter(|signal| self.offset >> (signal - 1) & 1 == 1);
        SignalSet::from_signals(signals).unwrap_or_default()
    }

    fn how(&self) -> SigmaskHow {
        [SigmaskHow::Block, SigmaskHow::Unblock, SigmaskHow::SetMask][self.length % 3]
    }

    fn polled(&self) -> Vec<PollFd> {
        let events = PollEvents::from_bits(self.second as u16);
        vec![PollFd::new(self.number, events), PollFd::new(self.second, events)]
    }

    fn targets(&self) -> Vec<PollTargetEntry> {
        let events = PollEvents::from_bits(self.second as u16);
        vec![
            PollTargetEntry::fd(self.number, events),
            PollTargetEntry::socket(self.socket(), events),
        ]
    }

    fn socket(&self) -> SocketId {
        if self.length == 77 { self.offset } else { u64::from(self.number) }
    }

    fn spec(&self) -> SocketSpec {
        let domains = [SocketDomain::Inet, SocketDomain::Inet6, SocketDomain::Unix];
        let kinds = [SocketType::Stream, SocketType::Datagram];
        SocketSpec::new(domains[self.length % 3], kinds[self.second as usize % 2])
    }

    fn address(&self) -> InetSocketAddress {
        let host = match self.length % 3 {
            0 => "127.0.0.1",
            1 => "0.0.0.0",
            _ => &self.text,
        };
        InetSocketAddress::new(host, self.second as u16)
    }

    fn option(&self) -> DatagramSocketOption {
        use DatagramSocketOption::{Broadcast, ReuseAddr, ReusePort};
        [ReuseAddr, ReusePort, Broadcast][self.length % 3]
    }

    fn membership(&self) -> SocketMulticastMembership {
        let group = if self.length.is_multiple_of(2) { "224.0.0.1" } else { &self.text };
        SocketMulticastMembership::new(group, Some(self.other.clone()))
    }

    fn state(&self) -> SocketState {
        use SocketState::{Bound, Connected, Created, Listening};
        [Created, Bound, Listening, Connected][self.length % 4]
    }

    fn shutdown(&self) -> SocketShutdown {
        [SocketShutdown::Read, SocketShutdown::Write, SocketShutdown::Both][self.length % 3]
    }

    fn discipline(&self) -> LineDisciplineConfig {
        let bit = |at: u32| (self.second >> at & 1 != 0).then_some(self.length >> at & 1 != 0);
        LineDisciplineConfig { canonical: bit(0), echo: bit(1), isig: bit(2) }
    }

    fn termios(&self) -> PartialTermios {
        let bit = |at: u32| (self.second >> at & 1 != 0).then_some(self.length >> at & 1 != 0);
        let byte = self.offset as u8;
        let cc = PartialTermiosControlChars {
            veof: Some(byte),
            vintr: Some(byte),
            ..PartialTermiosControlChars::default()
        };
        PartialTermios {
            icrnl: bit(0),
            opost: bit(1),
            onlcr: bit(2),
            cc: (self.signed % 2 == 0).then_some(cc),
            ..PartialTermios::default()
        }
    }

    fn words(&self) -> Vec<String> {
        vec![self.other.clone(), self.text.clone()]
    }

    fn parent(&self) -> Option<u32> {
        self.second.is_multiple_of(2).then_some(self.number)
    }
}

/// A method that names a driver and a process of its.
pub type Owned<F> = fn(&mut KernelVm<F>, &str, u32, &Args) -> KernelResult<()>;
/// Any other.
pub type Free<F> = fn(&mut KernelVm<F>, &Args) -> KernelResult<()>;

macro_rules! owned {
    (|$a:ident| $($name:ident($($arg:expr),*);)*) => {
        vec![$((
            stringify!($name),
            (|vm, driver, pid, $a| {
                let _ = $a;
                vm.$name(driver, pid, $($arg),*).map(drop)
            }) as Owned<F>,
        )),*]
    };
}

macro_rules! free {
    (|$a:ident| $($name:ident($($arg:expr),*);)*) => {
        vec![$((stringify!($name), (|vm, $a| vm.$name($($arg),*).map(drop)) as Free<F>)),*]
    };
}

fn on_descriptors<F: VirtualFileSystem>() -> Vec<(&'static str, Owned<F>)> {
    owned! { |a|
        fd_open(&a.text, a.second, a.mode());
        fd_read(a.number, a.length);
        fd_read_with_timeout_result(a.number, a.length, a.timeout());
        read_process_stdin(a.length, a.timeout());
        fd_write(a.number, &a.data);
        write_process_stdout(&a.data);
        write_process_stderr(&a.data);
        fd_pread(a.number, a.length, a.offset);
        fd_pwrite(a.number, &a.data, a.offset);
        fd_seek(a.number, a.offset as i64, a.second as u8);
        fd_dup(a.number);
        fd_dup2(a.number, a.second);
        fd_close(a.number);
        fd_fcntl(a.number, a.second % 7, a.length as u32);
        // Nobody is there to give a lock back.
        fd_flock(a.number, a.second | 4);
        fd_stat(a.number);
        fd_path(a.number);
        dev_fd_read_dir();
        dev_fd_stat(a.number);
        futimes(a.number, a.time, a.time);
        open_pipe();
        isatty(a.number);
        poll_fds(a.polled(), a.timeout_ms());
        open_pty();
        pty_set_discipline(a.number, a.discipline());
        pty_set_foreground_pgid(a.number, a.second);
        pty_resize(a.number, a.second as u16, a.length as u16);
        pty_window_size(a.number);
        tcgetpgrp(a.number);
        tcgetattr(a.number);
        tcsetattr(a.number, a.termios());
        poll_targets(a.targets(), a.timeout_ms());
    }
}

fn on_sockets<F: VirtualFileSystem>() -> Vec<(&'static str, Owned<F>)> {
    owned! { |a|
        socket_create(a.spec());
        socket_bind_inet(a.socket(), a.address());
        socket_bind_unix(a.socket(), a.text.clone());
        socket_listen(a.socket(), a.length);
        socket_queue_incoming_tcp_connection(a.socket(), a.address());
        socket_accept(a.socket());
        socket_connect_pair(a.socket(), u64::from(a.second));
        socket_connect_unix(a.socket(), a.text.clone());
        socket_connect_inet_loopback(a.socket(), a.address());
        socket_send_to_inet_loopback(a.socket(), a.address(), &a.data);
        socket_recv_datagram(a.socket(), a.length);
        socket_set_datagram_option(a.socket(), a.option(), a.second.is_multiple_of(2));
        socket_add_membership(a.socket(), a.membership());
        socket_drop_membership(a.socket(), a.membership());
        socket_set_state(a.socket(), a.state());
        socket_write(a.socket(), &a.data);
        socket_read(a.socket(), a.length);
        socket_shutdown(a.socket(), a.shutdown());
        socket_close(a.socket());
    }
}

fn on_files_and_processes<F: VirtualFileSystem>() -> Vec<(&'static str, Owned<F>)> {
    owned! { |a|
        read_file_for_process(&a.text);
        write_file_for_process(&a.text, a.data.clone(), a.mode());
        create_dir_for_process(&a.text, a.mode());
        mkdir_for_process(&a.text, a.length.is_multiple_of(2), a.mode());
        exists_for_process(&a.text);
        stat_for_process(&a.text);
        lstat_for_process(&a.text);
        read_link_for_process(&a.text);
        realpath_for_process(&a.text);
        read_dir_for_process(&a.text);
        read_dir_with_types_for_process(&a.text);
        exit_process(a.signed);
        waitpid_with_options(a.signed, WaitPidFlags::WNOHANG | WaitPidFlags::WUNTRACED);
        kill_process(a.signed);
        setpgid(a.second);
        getpgid();
        getpid();
        getppid();
        setsid();
        getsid();
        sigprocmask(a.how(), a.set());
        sigpending();
        umask(a.mode());
        process_identity();
        getuid();
        getgid();
        geteuid();
        getegid();
        getgroups();
    }
}

/// The methods that need the driver to own the process.
pub fn owned<F: VirtualFileSystem>() -> Vec<(&'static str, Owned<F>)> {
    let mut all = on_descriptors();
    all.extend(on_sockets());
    all.extend(on_files_and_processes());
    all.push(("signal_process", |vm, driver, pid, a| {
        vm.signal_process(driver, i32::try_from(pid).unwrap_or(i32::MAX), a.signed)
    }));
    all.push(("open_shell", |vm, driver, pid, _| {
        // Of a driver nothing is asked: the shell has no parent. The process is opened instead.
        let options =
            OpenShellOptions { requester_driver: Some(driver.to_owned()), ..Default::default() };
        vm.getpid(driver, pid)?;
        vm.open_shell(options).map(drop)
    }));
    // The process is the parent of a new one.
    all.push(("create_virtual_process", |vm, driver, pid, a| {
        let options = VirtualProcessOptions { parent_pid: Some(pid), ..Default::default() };
        vm.create_virtual_process(driver, driver, &a.text, a.words(), options).map(drop)
    }));
    all.push(("spawn_process", |vm, driver, pid, a| {
        let requester_driver = Some(driver.to_owned());
        let options =
            SpawnOptions { requester_driver, parent_pid: Some(pid), ..Default::default() };
        vm.spawn_process("sh", a.words(), options).map(drop)
    }));
    all.push(("exec", |vm, driver, pid, a| {
        let requester_driver = Some(driver.to_owned());
        let options = ExecOptions { requester_driver, parent_pid: Some(pid), ..Default::default() };
        vm.exec(&a.text, options).map(drop)
    }));
    all
}

/// Whether a wait for the end of a process would never end.
fn lives<F: VirtualFileSystem>(vm: &KernelVm<F>, pid: u32) -> bool {
    vm.list_processes().get(&pid).is_some_and(|info| info.status != ProcessStatus::Exited)
}

/// The methods that anybody may call.
pub fn free<F: VirtualFileSystem>() -> Vec<(&'static str, Free<F>)> {
    let mut all: Vec<(&'static str, Free<F>)> = free! { |a|
        read_file(&a.text);
        pread_file(&a.text, a.offset, a.length);
        write_file(&a.text, a.data.clone());
        pwrite_file(&a.text, a.offset, a.data.clone());
        create_dir(&a.text);
        mkdir(&a.text, a.length.is_multiple_of(2));
        exists(&a.text);
        stat(&a.text);
        lstat(&a.text);
        read_link(&a.text);
        realpath(&a.text);
        read_dir(&a.text);
        read_dir_with_types(&a.text);
        remove_file(&a.text);
        remove_dir(&a.text);
        rename(&a.text, &a.other);
        symlink(&a.other, &a.text);
        link(&a.text, &a.other);
        chmod(&a.text, a.second);
        chown(&a.text, a.second, a.number);
        utimes(&a.text, a.offset, a.offset);
        utimes_spec(&a.text, a.time, a.time);
        lutimes(&a.text, a.time, a.time);
        truncate(&a.text, a.offset);
        register_driver(CommandDriver::new(a.other.clone(), [a.text.clone(), "sh".to_owned()]));
        getpwuid(a.number);
        getgrgid(a.number);
    };
    all.push(("exec", |vm, a| {
        let options = ExecOptions { cwd: Some(a.other.clone()), ..ExecOptions::default() };
        vm.exec(&a.text, options).map(drop)
    }));
    all.push(("spawn_process", |vm, a| {
        let env = [(a.other.clone(), a.text.clone())].into();
        let options = SpawnOptions { env, parent_pid: a.parent(), ..SpawnOptions::default() };
        vm.spawn_process(&a.text, a.words(), options).map(drop)
    }));
    all.push(("create_virtual_process", |vm, a| {
        let options = VirtualProcessOptions { cwd: Some(a.text.clone()), ..Default::default() };
        vm.create_virtual_process(&a.other, &a.text, &a.text, a.words(), options).map(drop)
    }));
    all.push(("waitpid", |vm, a| {
        if lives(vm, a.number) { Ok(()) } else { vm.waitpid(a.number).map(drop) }
    }));
    all.push(("wait_and_reap", |vm, a| {
        if lives(vm, a.number) { Ok(()) } else { vm.wait_and_reap(a.number).map(drop) }
    }));
    all.push(("look", |vm, a| {
        vm.set_loopback_exempt_ports(BTreeSet::from([a.second as u16]));
        vm.extend_loopback_exempt_ports([a.number as u16]);
        glance(vm);
        Ok(())
    }));
    all
}

/// The methods that have no arguments and no errors. What two looks at the machine have in common
/// is for nobody else to change: see [`glance`] for a machine of several threads.
pub fn look<F: VirtualFileSystem>(vm: &mut KernelVm<F>) {
    glance(vm);
    assert_eq!(vm.list_processes().len(), vm.list_processes().len());
    let counts = vm.resource_snapshot();
    assert!(counts.fd_tables <= counts.running_processes + vm.list_processes().len());
    assert!(vm.zombie_timer_count() <= counts.exited_processes);
    assert_eq!(vm.digest(), vm.digest());
}

/// The same while others change the machine.
pub fn glance<F: VirtualFileSystem>(vm: &mut KernelVm<F>) {
    let handle = vm.poll_wait_handle();
    assert!(handle.snapshot() <= handle.snapshot());
    assert_eq!(vm.commands().contains_key(""), vm.vm_id().is_empty());
    assert_eq!(vm.environment().len(), 0);
    assert_eq!(vm.user_manager().identity(), vm.user_profile().identity());
    assert!(vm.resource_limits().max_open_fds.is_some());
    let _ = (vm.list_processes(), vm.resource_snapshot(), vm.zombie_timer_count(), vm.digest());
    let _ = (vm.state(), vm.digests(), vm.filesystem().inner());
    let _ = (vm.socket_get(1), vm.socket_records_for_pid(1));
    let _ = vm.filesystem_mut().inner_mut();
}

/// Methods that the lists leave to tests of their own, and where those are.
const ELSEWHERE: &[&str] = &[
    "new",                       // life.rs
    "dispose",                   // life.rs, bad_input.rs
    "into_shared",               // life.rs
    "record_to",                 // face_vm, face_foreign
    "finish_recording",          // face_vm, face_foreign
    "set_permissions",           // permits.rs, bad_input.rs
    "set_socket_readiness_sink", // sockets.rs
    "resolve_dns",               // names.rs
    "resolve_dns_records",       // names.rs
];

/// The names and signatures of the public methods in one source of `KernelVm`.
fn public_methods(text: &str) -> Vec<(String, String)> {
    let parts = text.split("\n    pub fn ").skip(1);
    let signature = |part: &str| part.split('{').next().unwrap_or("").to_owned();
    let name = |part: &str| part.split(['(', '<']).next().unwrap_or("").to_owned();
    parts.map(|part| (name(part), signature(part))).collect()
}

fn sources() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/face/vm");
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let name = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let text = |entry: &std::fs::DirEntry| std::fs::read_to_string(entry.path()).unwrap();
    entries.map(|entry| (name(&entry), text(&entry))).collect()
}

#[test]
fn the_lists_have_every_public_method() {
    use tickernel::vfs::MemoryFileSystem;
    let owned: BTreeSet<&str> = owned::<MemoryFileSystem>().iter().map(|(name, _)| *name).collect();
    let free: BTreeSet<&str> = free::<MemoryFileSystem>().iter().map(|(name, _)| *name).collect();
    let own = include_str!("methods.rs");
    let mut found = 0;
    for (file, text) in sources() {
        // Methods of other types, and those of machines over mounts alone: mounts.rs calls each.
        if ["handle.rs", "config.rs", "mounts.rs"].contains(&&*file) {
            continue;
        }
        for (name, signature) in public_methods(&text) {
            found += 1;
            let by_driver = signature.contains("requester_driver") || signature.contains("Options");
            let listed = owned.contains(&*name);
            assert_eq!(listed, by_driver, "{file}: `{name}`: put it into `owned`, or take it out");
            let looks = own.contains(&format!("vm.{name}("));
            let known = listed || free.contains(&*name) || looks;
            assert!(known || ELSEWHERE.contains(&&*name), "{file}: `{name}` is in no list here");
        }
    }
    assert!(found >= 100, "the sources are no longer read: {found}");
}
