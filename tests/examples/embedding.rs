//! A machine as an embedder has it: a small Linux tree with a directory of the host mounted in it,
//! three drivers, callbacks that say what is permitted, names of hosts that are overridden, a shell
//! on a pseudo-terminal and an echo service over TCP. Each guest is a thread of its own; one thread
//! has the machine and does what they ask for. All of it is recorded; the directory is deleted, and
//! the recording is replayed with neither files nor threads, to the same digest.
//!
//! `cargo run --release --example embedding [ROUNDS [TRACE]]`

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tickernel::command_registry::CommandDriver;
use tickernel::dns::DnsLookupPolicy;
use tickernel::fd_table::{O_APPEND, O_CREAT, O_WRONLY};
use tickernel::host_dir::HostDirectory;
use tickernel::import::Imported;
use tickernel::kernel::{
    KernelProcessHandle, KernelResult, KernelVm, KernelVmConfig, OpenShellOptions, SpawnOptions,
};
use tickernel::mount_table::{MountOptions, MountTable};
use tickernel::permissions::{FsOperation, PermissionDecision, Permissions};
use tickernel::poll::{POLLIN, PollTargetEntry, PollWaitHandle};
use tickernel::record::TraceBuffer;
use tickernel::replay::{Options, replay};
use tickernel::root_fs::{RootFileSystem, RootFilesystemDescriptor};
use tickernel::socket_table::{InetSocketAddress, SocketId, SocketSpec};

/// What the echo service is called, and its port.
const SERVICE: &str = "echo.internal";
const PORT: u16 = 7007;
const CLIENTS: usize = 2;
/// What each client says if nobody says otherwise: some seconds.
const ROUNDS: usize = 20_000;
/// A guest that nothing happens to for so long is stuck: reaching it is a failure, never a
/// measurement.
const STUCK: Duration = Duration::from_secs(60);
const PROMPT: &str = "$ ";

type Failure = Box<dyn Error + Send + Sync>;
type Vm = KernelVm<MountTable>;
type Job = Box<dyn FnOnce(&mut Vm) + Send>;

/// A process, as the thread that plays it has it.
#[derive(Clone)]
struct Guest {
    driver: &'static str,
    pid: u32,
    jobs: Sender<Job>,
    changes: PollWaitHandle,
}

impl Guest {
    /// The machine's thread does it.
    fn ask<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Vm) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = channel();
        let job: Job = Box::new(move |vm| {
            // Who asked may have given up.
            let _ = answer.send(act(vm));
        });
        self.jobs.send(job).map_err(|_| "the machine is gone")?;
        Ok(answered.recv()?)
    }

    /// The same until it is no longer EAGAIN: the guest waits, and the machine is the others'.
    fn until<T: Send + 'static>(
        &self,
        act: impl Fn(&mut Vm) -> KernelResult<T> + Clone + Send + 'static,
    ) -> Result<T, Failure> {
        loop {
            let seen = self.changes.snapshot();
            match self.ask(act.clone())? {
                Err(error) if error.code() == "EAGAIN" => self.wait(seen)?,
                answer => return Ok(answer?),
            }
        }
    }

    /// Sleeps until something has changed since then.
    fn wait(&self, seen: u64) -> Result<(), Failure> {
        if self.changes.wait_for_change(seen, Some(STUCK)) {
            Ok(())
        } else {
            Err(format!("process {} of {} waits for ever", self.pid, self.driver).into())
        }
    }

    /// What there is to read, as soon as there is something.
    fn read(&self, fd: u32) -> Result<String, Failure> {
        let Guest { driver, pid, .. } = *self;
        let bytes = self.until(move |vm| {
            vm.fd_read_with_timeout_result(driver, pid, fd, 4096, Some(Duration::ZERO))
        })?;
        Ok(String::from_utf8(bytes.unwrap_or_default())?)
    }

    fn write(&self, fd: u32, text: String) -> Result<(), Failure> {
        let Guest { driver, pid, .. } = *self;
        self.until(move |vm| vm.fd_write(driver, pid, fd, text.as_bytes())).map(drop)
    }
}

/// A shell that knows four commands, on the slave of its terminal.
fn shell(guest: &Guest, slave: u32) -> Result<(), Failure> {
    let Guest { driver, pid, .. } = *guest;
    loop {
        guest.write(slave, PROMPT.to_owned())?;
        let line = guest.read(slave)?;
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = match words[..] {
            ["exit"] | [] => return Ok(()),
            ["ls"] => guest
                .ask(move |vm| vm.read_dir_for_process(driver, pid, "/workspace"))?
                .map(|names| names.join(" ")),
            ["cat", name] => {
                let path = format!("/workspace/{name}");
                let bytes = guest.ask(move |vm| vm.read_file_for_process(driver, pid, &path))?;
                bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            }
            ["put", name, text] => {
                let (path, text) = (format!("/workspace/{name}"), text.to_owned());
                guest
                    .ask(move |vm| vm.write_file_for_process(driver, pid, &path, text, None))?
                    .map(|()| "written".to_owned())
            }
            ["size"] => guest
                .ask(move |vm| vm.pty_window_size(driver, pid, slave))?
                .map(|size| format!("{} columns", size.cols)),
            _ => Ok("what?".to_owned()),
        };
        let text = said.unwrap_or_else(|error| error.code().to_owned());
        guest.write(slave, format!("{text}\n"))?;
    }
}

/// Who sits at the terminal: types, and looks at what comes.
fn person(guest: &Guest, master: u32) -> Result<(), Failure> {
    let Guest { driver, pid, .. } = *guest;
    let mut screen = String::new();
    let script = [
        ("cat notes", "by the host"),
        ("cat secret", "EACCES"),
        ("put answer 42", "written"),
        ("ls", "answer"),
        ("size", "132 columns"),
    ];
    guest.ask(move |vm| vm.pty_resize(driver, pid, master, 132, 50))??;
    for (line, wanted) in script {
        while !screen.ends_with(PROMPT) {
            screen += &guest.read(master)?;
        }
        screen.clear();
        guest.write(master, format!("{line}\n"))?;
        while !screen.ends_with(PROMPT) {
            screen += &guest.read(master)?;
        }
        if !screen.contains(wanted) {
            return Err(format!("after {line} the screen shows {screen:?}").into());
        }
    }
    Ok(())
}

/// The service: sends back what it reads, until a byte comes through the pipe.
fn serve(guest: &Guest, listener: SocketId, stop: u32) -> Result<(), Failure> {
    let Guest { driver, pid, .. } = *guest;
    let mut open: Vec<SocketId> = Vec::new();
    loop {
        let mut asked = vec![PollTargetEntry::fd(stop, POLLIN)];
        asked.extend([&[listener], &open[..]].concat().into_iter().map(socket_target));
        let seen = guest.changes.snapshot();
        let told = guest.ask(move |vm| vm.poll_targets(driver, pid, asked, 0))??;
        if told.ready_count == 0 {
            guest.wait(seen)?;
            continue;
        }
        let ready: Vec<bool> = told.targets.iter().map(|entry| !entry.revents.is_empty()).collect();
        if ready[0] {
            return Ok(());
        }
        for (at, socket) in open.clone().into_iter().enumerate() {
            if !ready[at + 2] {
                continue;
            }
            match guest.ask(move |vm| vm.socket_read(driver, pid, socket, 4096))?? {
                Some(data) => {
                    guest.until(move |vm| vm.socket_write(driver, pid, socket, &data))?;
                }
                None => {
                    guest.ask(move |vm| vm.socket_close(driver, pid, socket))??;
                    open.retain(|other| *other != socket);
                }
            }
        }
        if ready[1] {
            open.push(guest.ask(move |vm| vm.socket_accept(driver, pid, listener))??);
        }
    }
}

fn socket_target(socket: SocketId) -> PollTargetEntry {
    PollTargetEntry::socket(socket, POLLIN)
}

/// A client: finds the service by its name, talks to it, and writes down how it went.
fn client(guest: &Guest, number: usize, rounds: usize) -> Result<(), Failure> {
    let Guest { driver, pid, .. } = *guest;
    let check = DnsLookupPolicy::CheckPermissions;
    let refused = guest.ask(move |vm| vm.resolve_dns("elsewhere.example", check))?;
    if refused.err().is_none_or(|error| error.code() != "EACCES") {
        return Err("names of others may be looked up".into());
    }
    let found = guest.ask(move |vm| vm.resolve_dns(SERVICE, check))??;
    let host = found.addresses().first().ok_or("the service has no address")?.to_string();
    let socket = guest.ask(move |vm| vm.socket_create(driver, pid, SocketSpec::tcp()))??;
    let address = InetSocketAddress::new(host, PORT);
    guest.until(move |vm| vm.socket_connect_inet_loopback(driver, pid, socket, address.clone()))?;
    let path = format!("/workspace/log-{number}");
    let flags = O_WRONLY | O_CREAT | O_APPEND;
    let log = guest.ask(move |vm| vm.fd_open(driver, pid, &path, flags, None))??;
    for round in 0..rounds {
        let line = format!("client {number}, round {round}\n").into_bytes();
        let (sent, mut heard) = (line.clone(), Vec::new());
        guest.until(move |vm| vm.socket_write(driver, pid, socket, &sent))?;
        while heard.len() < line.len() {
            let read = guest.until(move |vm| vm.socket_read(driver, pid, socket, 4096))?;
            heard.extend(read.ok_or("the service hung up")?);
        }
        if heard != line {
            return Err("the service said something else".into());
        }
        if round % 16 == 0 {
            guest.write(log, format!("{round}\n"))?;
        }
    }
    guest.ask(move |vm| vm.socket_close(driver, pid, socket))??;
    Ok(())
}

/// What the embedder permits; the first number counts what it was asked.
fn permissions(asked: &Arc<AtomicU64>) -> Permissions {
    let decide = |asked: &Arc<AtomicU64>, may: bool, why: &str| {
        asked.fetch_add(1, Ordering::Relaxed);
        if may { PermissionDecision::allow() } else { PermissionDecision::deny(why) }
    };
    let (files, network, commands) = (Arc::clone(asked), Arc::clone(asked), Arc::clone(asked));
    Permissions {
        filesystem: Some(Arc::new(move |request| {
            let reads = matches!(request.op, FsOperation::Read | FsOperation::Write);
            decide(&files, !(reads && request.path.ends_with("/secret")), "it is a secret")
        })),
        network: Some(Arc::new(move |request| {
            let own = [format!("dns://{SERVICE}"), format!("tcp://127.0.0.1:{PORT}")];
            decide(&network, own.contains(&request.resource), "only the service")
        })),
        child_process: Some(Arc::new(move |request| {
            decide(&commands, request.command != "rm", "nothing is removed")
        })),
        ..Permissions::allow_all()
    }
}

/// The machine with its mount and its drivers.
fn machine(folder: &Path, asked: &Arc<AtomicU64>) -> Result<Vm, Failure> {
    let mut config = KernelVmConfig::new("embedding");
    config.permissions = permissions(asked);
    config.dns.overrides.insert(SERVICE.to_owned(), vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let root = RootFileSystem::from_descriptor(RootFilesystemDescriptor::default())?;
    let mut vm = KernelVm::new(MountTable::new(root), config);
    let options = MountOptions::new("host");
    vm.mount_filesystem("/workspace", HostDirectory::open(folder)?, options)?;
    vm.register_driver(CommandDriver::new("shell", ["sh"]))?;
    vm.register_driver(CommandDriver::new("node", ["node", "rm"]))?;
    vm.register_driver(CommandDriver::new("python", ["python3"]))?;
    Ok(vm)
}

/// Starts a guest's thread; its process ends with it.
fn play(
    guest: Guest,
    process: KernelProcessHandle,
    act: impl FnOnce(&Guest) -> Result<(), Failure> + Send + 'static,
) -> JoinHandle<Result<(), Failure>> {
    std::thread::spawn(move || {
        let done = act(&guest);
        process.finish(i32::from(done.is_err()));
        done
    })
}

fn joined(thread: JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    thread.join().map_err(|_| "a guest's thread panicked")?
}

/// All guests' threads; the machine is asked through `jobs` until the last one has ended.
fn start(vm: &mut Vm, jobs: Sender<Job>, rounds: usize) -> Result<Vec<Thread>, Failure> {
    let changes = vm.poll_wait_handle();
    let guest = |driver, pid| Guest { driver, pid, jobs: jobs.clone(), changes: changes.clone() };
    let refused = vm.spawn_process("rm", vec!["-rf".into(), "/".into()], SpawnOptions::default());
    if refused.err().is_none_or(|error| error.code() != "EACCES") {
        return Err("rm may run".into());
    }
    let node = vm.spawn_process("node", vec!["echo.js".into()], SpawnOptions::default())?;
    let (pid, service) = (node.pid(), guest("node", node.pid()));
    let listener = vm.socket_create("node", pid, SocketSpec::tcp())?;
    vm.socket_bind_inet("node", pid, listener, InetSocketAddress::new("127.0.0.1", PORT))?;
    vm.socket_listen("node", pid, listener, 8)?;
    let (stop, stopper) = vm.open_pipe("node", pid)?;
    let mut threads = vec![play(service.clone(), node, move |guest| serve(guest, listener, stop))];

    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let script = vec![format!("client-{number}.py")];
        let python = vm.spawn_process("python3", script, SpawnOptions::default())?;
        let own = guest("python", python.pid());
        clients.push(play(own, python, move |guest| client(guest, number, rounds)));
    }
    threads.push(std::thread::spawn(move || {
        let ended: Vec<Result<(), Failure>> = clients.into_iter().map(joined).collect();
        service.write(stopper, "x".to_owned())?;
        ended.into_iter().collect()
    }));

    let opened = vm.open_shell(OpenShellOptions::default())?;
    let (master, slave) = (opened.master_fd(), opened.slave_fd());
    let (at_terminal, process) = (guest("shell", opened.pid()), opened.process().clone());
    threads.push(play(at_terminal.clone(), process, move |guest| shell(guest, slave)));
    threads.push(std::thread::spawn(move || {
        let seen = person(&at_terminal, master);
        at_terminal.write(master, "exit\n".to_owned())?;
        seen
    }));
    Ok(threads)
}

type Thread = JoinHandle<Result<(), Failure>>;

/// A session: the digest at its end, and its recording. Its directory is gone then.
pub fn session(rounds: usize) -> Result<(u64, Vec<u8>), Failure> {
    let (folder, asked) = (tempfile::tempdir()?, Arc::new(AtomicU64::new(0)));
    std::fs::write(folder.path().join("notes"), "written by the host\n")?;
    std::fs::write(folder.path().join("secret"), "hidden\n")?;
    let (mut vm, trace) = (machine(folder.path(), &asked)?, TraceBuffer::default());
    vm.record_to(trace.clone())?;
    let (jobs, asked_for): (Sender<Job>, Receiver<Job>) = channel();
    let threads = start(&mut vm, jobs, rounds)?;
    for job in asked_for {
        job(&mut vm);
    }
    threads.into_iter().try_for_each(joined)?;
    for pid in vm.list_processes().into_keys() {
        let status = vm.waitpid(pid)?.status;
        if status != 0 {
            return Err(format!("process {pid} ended with {status}").into());
        }
    }
    let log = std::fs::read_to_string(folder.path().join("log-0"))?;
    println!("{} lines in a log of the host", log.lines().count());
    println!("{} questions to the callbacks", asked.load(Ordering::Relaxed));
    vm.finish_recording()?;
    Ok((vm.digest(), trace.bytes()))
}

/// The session, and its replay without anything of it.
pub fn embed(rounds: usize, kept: Option<PathBuf>) -> Result<(), Failure> {
    let (digest, trace) = session(rounds)?;
    if let Some(path) = kept {
        std::fs::write(path, &trace)?;
    }
    println!("{} bytes of trace", trace.len());
    let replayed = replay(Imported::of_trace(trace), &mut Options::default())?;
    println!("{} events", replayed.report.events);
    println!("digest {digest:016x} live, {} replayed", replayed.report.digest);
    if format!("{digest:016x}") == replayed.report.digest { Ok(()) } else { Err("differ".into()) }
}

#[allow(dead_code)] // the test has another
fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    embed(rounds, arguments.next().map(PathBuf::from))
}
