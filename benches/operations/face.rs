//! Operations of the public face, for its benches, for the count of their instructions and for the
//! bench beside the published crate, whose face is the same: written once, as a macro over the
//! crate.

/// What is timed or counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaceOperation {
    /// `fd_dup` and `fd_close` of the copy.
    DupClose,
    /// `open_pipe` and `fd_close` of both ends.
    PipeClose,
    /// `fd_write` and `fd_read` of 1 byte through a pipe.
    Pipe1,
    /// The same of 64 KiB.
    Pipe64K,
    /// `create_virtual_process`, `exit_process`, `waitpid`.
    Spawn,
    /// `fd_open` of a new file, `fd_write`, `fd_close`, `remove_file`.
    File,
    /// `stat` of a file in the root.
    Stat,
    /// `poll_fds` of 64 pipes, of which the last is ready.
    Poll64,
    /// `kill_process` of another process, with a signal that it ignores.
    Kill,
    /// `socket_write` and `socket_read` of 1 KiB between two unix sockets.
    Unix,
    /// The same through a connection of TCP.
    Tcp,
    /// `socket_send_to_inet_loopback` and `socket_recv_datagram` of 512 bytes.
    Udp,
    /// `socket_create`, `socket_connect_unix`, `socket_accept`, `socket_close` of both.
    UnixConnect,
    /// The same of TCP, by `socket_connect_inet_loopback`.
    TcpConnect,
    /// A line written to a pseudo-terminal's master, read at its other end, its echo read.
    Line,
}

impl FaceOperation {
    /// All, in the order of the reports. Files come early: after some 100,000 descriptors the
    /// published crate takes an open file for a pipe or a terminal.
    pub(crate) const ALL: [FaceOperation; 15] = [
        FaceOperation::DupClose,
        FaceOperation::Pipe1,
        FaceOperation::Pipe64K,
        FaceOperation::Line,
        FaceOperation::File,
        FaceOperation::Stat,
        FaceOperation::Spawn,
        FaceOperation::PipeClose,
        FaceOperation::Poll64,
        FaceOperation::Kill,
        FaceOperation::Unix,
        FaceOperation::Tcp,
        FaceOperation::Udp,
        FaceOperation::UnixConnect,
        FaceOperation::TcpConnect,
    ];

    /// Its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            FaceOperation::DupClose => "dup + close",
            FaceOperation::PipeClose => "pipe + 2 close",
            FaceOperation::Pipe1 => "pipe write + read 1 B",
            FaceOperation::Pipe64K => "pipe write + read 64 KiB",
            FaceOperation::Spawn => "spawn + exit + wait",
            FaceOperation::File => "create + write + close + unlink",
            FaceOperation::Stat => "stat",
            FaceOperation::Poll64 => "poll 64 pipes",
            FaceOperation::Kill => "kill 1",
            FaceOperation::Unix => "unix stream write + read 1 KiB",
            FaceOperation::Tcp => "TCP write + read 1 KiB",
            FaceOperation::Udp => "UDP send + recv 512 B",
            FaceOperation::UnixConnect => "unix socket + connect + accept + 2 close",
            FaceOperation::TcpConnect => "TCP socket + connect + accept + 2 close",
            FaceOperation::Line => "terminal line + echo",
        }
    }
}

/// A module with the operations on the face of a crate.
macro_rules! face_scene {
    ($module:ident, $crate_name:ident) => {
        pub(crate) mod $module {
            use super::FaceOperation;
            use std::hint::black_box;
            use $crate_name::fd_table::{O_CREAT, O_RDWR};
            use $crate_name::kernel::{KernelVm, KernelVmConfig, VirtualProcessOptions};
            use $crate_name::permissions::Permissions;
            use $crate_name::poll::{POLLIN, PollFd};
            use $crate_name::resource_accounting::ResourceLimits;
            use $crate_name::socket_table::{InetSocketAddress, SocketId, SocketSpec};
            use $crate_name::vfs::MemoryFileSystem;

            const DRIVER: &str = "bench";

            /// So many pipes are polled.
            const POLLED: usize = 64;
            /// Where connections are accepted.
            const PATH: &str = "/run/server";
            /// The same of TCP; what is sent in datagrams arrives at the next.
            const PORT: u16 = 8080;
            /// What is written to the terminal; its end is echoed as two bytes.
            const LINE: &[u8; 32] = b"cc -O2 -c kernel.c -o kernel.o;\n";
            const SIGWINCH: i32 = 28;

            /// A machine in which process 1 makes the calls and the others are idle.
            pub(crate) struct Scene {
                pub(crate) vm: KernelVm<MemoryFileSystem>,
                pipe: (u32, u32),
                polled: Vec<PollFd>,
                other: u32,
                unix: (SocketId, SocketId, SocketId),
                tcp: (SocketId, SocketId, SocketId),
                udp: (SocketId, SocketId),
                terminal: (u32, u32),
                data: Vec<u8>,
            }

            fn address(port: u16) -> InetSocketAddress {
                InetSocketAddress::new("127.0.0.1", port)
            }

            fn socket(vm: &mut KernelVm<MemoryFileSystem>, spec: SocketSpec) -> SocketId {
                vm.socket_create(DRIVER, 1, spec).expect("a socket")
            }

            /// Both ends of a connection to a listener.
            fn connection(
                vm: &mut KernelVm<MemoryFileSystem>,
                spec: SocketSpec,
                listener: SocketId,
            ) -> (SocketId, SocketId) {
                let client = socket(vm, spec);
                if spec == SocketSpec::tcp() {
                    let to = address(PORT);
                    vm.socket_connect_inet_loopback(DRIVER, 1, client, to).expect("connected");
                } else {
                    vm.socket_connect_unix(DRIVER, 1, client, PATH).expect("connected");
                }
                (client, vm.socket_accept(DRIVER, 1, listener).expect("accepted"))
            }

            fn spawn(vm: &mut KernelVm<MemoryFileSystem>) -> u32 {
                let options = VirtualProcessOptions::default();
                let process = vm.create_virtual_process(DRIVER, DRIVER, "job", Vec::new(), options);
                process.expect("a process").pid()
            }

            impl Scene {
                /// So many idle processes beside process 1.
                pub(crate) fn new(idle: u32) -> Self {
                    let mut config = KernelVmConfig::new("bench");
                    config.permissions = Permissions::allow_all();
                    config.resources = ResourceLimits {
                        max_processes: None,
                        max_open_fds: None,
                        max_pipes: None,
                        ..ResourceLimits::default()
                    };
                    let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
                    for _ in 0..=idle {
                        spawn(&mut vm);
                    }
                    let other = spawn(&mut vm);
                    let pipe = vm.open_pipe(DRIVER, 1).expect("a pipe");
                    let mut last = 0;
                    let polled = (0..POLLED).map(|_| {
                        let (reader, writer) = vm.open_pipe(DRIVER, 1).expect("a pipe");
                        last = writer;
                        PollFd::new(reader, POLLIN)
                    });
                    let polled = polled.collect();
                    vm.fd_write(DRIVER, 1, last, b"x").expect("written");
                    vm.write_file("/there", "content").expect("a file");
                    let [unix, tcp] = [SocketSpec::unix_stream(), SocketSpec::tcp()].map(|spec| {
                        let listener = socket(&mut vm, spec);
                        if spec == SocketSpec::tcp() {
                            vm.socket_bind_inet(DRIVER, 1, listener, address(PORT)).expect("bound");
                        } else {
                            vm.socket_bind_unix(DRIVER, 1, listener, PATH).expect("bound");
                        }
                        vm.socket_listen(DRIVER, 1, listener, 8).expect("listens");
                        let (client, server) = connection(&mut vm, spec, listener);
                        (listener, client, server)
                    });
                    let udp = [PORT + 1, PORT + 2].map(|port| {
                        let own = socket(&mut vm, SocketSpec::udp());
                        vm.socket_bind_inet(DRIVER, 1, own, address(port)).expect("bound");
                        own
                    });
                    let (master, slave, _) = vm.open_pty(DRIVER, 1).expect("a terminal");
                    Self {
                        vm,
                        pipe,
                        polled,
                        other,
                        unix,
                        tcp,
                        udp: udp.into(),
                        terminal: (master, slave),
                        data: vec![7; 1 << 16],
                    }
                }

                /// Performs an operation once.
                #[inline]
                pub(crate) fn run(&mut self, operation: FaceOperation) {
                    match operation {
                        FaceOperation::DupClose => {
                            let fd = self.vm.fd_dup(DRIVER, 1, black_box(0)).expect("dup");
                            self.vm.fd_close(DRIVER, 1, fd).expect("close");
                        }
                        FaceOperation::PipeClose => {
                            let (reader, writer) = self.vm.open_pipe(DRIVER, 1).expect("pipe");
                            self.vm.fd_close(DRIVER, 1, reader).expect("close");
                            self.vm.fd_close(DRIVER, 1, writer).expect("close");
                        }
                        FaceOperation::Pipe1 => self.pipe(1),
                        FaceOperation::Pipe64K => self.pipe(1 << 16),
                        FaceOperation::Spawn => {
                            let pid = spawn(&mut self.vm);
                            self.vm.exit_process(DRIVER, pid, 0).expect("exit");
                            self.vm.waitpid(pid).expect("wait");
                        }
                        FaceOperation::File => self.file(),
                        FaceOperation::Stat => {
                            black_box(self.vm.stat(black_box("/there")).expect("stat"));
                        }
                        FaceOperation::Poll64 => {
                            let polled = self.polled.clone();
                            let told = self.vm.poll_fds(DRIVER, 1, polled, 0).expect("poll");
                            assert_eq!(told.ready_count, 1);
                        }
                        FaceOperation::Kill => {
                            self.vm.kill_process(DRIVER, self.other, SIGWINCH).expect("kill");
                        }
                        FaceOperation::Unix => self.through(self.unix),
                        FaceOperation::Tcp => self.through(self.tcp),
                        FaceOperation::Udp => self.datagram(),
                        FaceOperation::UnixConnect => {
                            self.connect(SocketSpec::unix_stream(), self.unix.0);
                        }
                        FaceOperation::TcpConnect => self.connect(SocketSpec::tcp(), self.tcp.0),
                        FaceOperation::Line => self.line(),
                    }
                }

                #[inline]
                fn pipe(&mut self, bytes: usize) {
                    let (from, to) = self.pipe;
                    let data = black_box(&self.data[..bytes]);
                    self.vm.fd_write(DRIVER, 1, to, data).expect("write");
                    let read = self.vm.fd_read(DRIVER, 1, from, bytes).expect("read");
                    assert_eq!(read.len(), bytes);
                }

                fn through(&mut self, (_, from, to): (SocketId, SocketId, SocketId)) {
                    let data = black_box(&self.data[..1024]);
                    self.vm.socket_write(DRIVER, 1, from, data).expect("write");
                    let read = self.vm.socket_read(DRIVER, 1, to, 1024).expect("read");
                    assert_eq!(read.map(|read| read.len()), Some(1024));
                }

                fn datagram(&mut self) {
                    let (from, to) = self.udp;
                    let data = black_box(&self.data[..512]);
                    let target = address(PORT + 2);
                    let sent = self.vm.socket_send_to_inet_loopback(DRIVER, 1, from, target, data);
                    sent.expect("sent");
                    let got = self.vm.socket_recv_datagram(DRIVER, 1, to, 512).expect("received");
                    assert_eq!(got.map(|got| got.payload().len()), Some(512));
                }

                fn connect(&mut self, spec: SocketSpec, listener: SocketId) {
                    let (client, server) = connection(&mut self.vm, spec, listener);
                    self.vm.socket_close(DRIVER, 1, client).expect("close");
                    self.vm.socket_close(DRIVER, 1, server).expect("close");
                }

                fn line(&mut self) {
                    let (master, slave) = self.terminal;
                    self.vm.fd_write(DRIVER, 1, master, black_box(LINE)).expect("typed");
                    let line = self.vm.fd_read(DRIVER, 1, slave, 1024).expect("a line");
                    let echo = self.vm.fd_read(DRIVER, 1, master, 1024).expect("its echo");
                    assert_eq!((line.len(), echo.len()), (LINE.len(), LINE.len() + 1));
                }

                /// Writes to the pipe.
                #[allow(dead_code, reason = "of use where bursts of writes are timed")]
                #[inline]
                pub(crate) fn write(&mut self, data: &[u8]) {
                    self.vm.fd_write(DRIVER, 1, self.pipe.1, data).expect("write");
                }

                /// Reads what is in the pipe.
                #[allow(dead_code, reason = "of use where bursts of writes are timed")]
                pub(crate) fn empty(&mut self) {
                    self.vm.fd_read(DRIVER, 1, self.pipe.0, 1 << 16).expect("read");
                }

                fn file(&mut self) {
                    let flags = O_CREAT | O_RDWR;
                    let fd = self.vm.fd_open(DRIVER, 1, "/file", flags, None).expect("open");
                    self.vm.fd_write(DRIVER, 1, fd, black_box(b"content")).expect("write");
                    self.vm.fd_close(DRIVER, 1, fd).expect("close");
                    self.vm.remove_file("/file").expect("unlink");
                }
            }
        }
    };
}
