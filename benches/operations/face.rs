//! Operations of the public face, for its benches, for the count of their instructions and for the
//! bench beside the published crate, whose face is the same: written once, as a macro over the
//! crate.

/// What is timed or counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaceOperation {
    /// `fd_dup` and `fd_close` of the copy.
    DupClose,
    /// `fd_write` and `fd_read` of 1 byte through a pipe.
    Pipe1,
    /// `create_virtual_process`, `exit_process`, `waitpid`.
    Spawn,
    /// `fd_open` of a new file, `fd_write`, `fd_close`, `remove_file`.
    File,
}

impl FaceOperation {
    /// All, in the order of the reports.
    pub(crate) const ALL: [FaceOperation; 4] =
        [FaceOperation::DupClose, FaceOperation::Pipe1, FaceOperation::Spawn, FaceOperation::File];

    /// Its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            FaceOperation::DupClose => "dup + close",
            FaceOperation::Pipe1 => "pipe write + read 1 B",
            FaceOperation::Spawn => "spawn + exit + wait",
            FaceOperation::File => "create + write + close + unlink",
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
            use $crate_name::resource_accounting::ResourceLimits;
            use $crate_name::vfs::MemoryFileSystem;

            const DRIVER: &str = "bench";

            /// A machine in which process 1 makes the calls and the others are idle.
            pub(crate) struct Scene {
                pub(crate) vm: KernelVm<MemoryFileSystem>,
                pipe: (u32, u32),
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
                    let pipe = vm.open_pipe(DRIVER, 1).expect("a pipe");
                    Self { vm, pipe }
                }

                /// Performs an operation once.
                #[inline]
                pub(crate) fn run(&mut self, operation: FaceOperation) {
                    match operation {
                        FaceOperation::DupClose => {
                            let fd = self.vm.fd_dup(DRIVER, 1, black_box(0)).expect("dup");
                            self.vm.fd_close(DRIVER, 1, fd).expect("close");
                        }
                        FaceOperation::Pipe1 => {
                            self.write(black_box(b"x"));
                            let read = self.vm.fd_read(DRIVER, 1, self.pipe.0, 1);
                            assert_eq!(read.expect("read").len(), 1);
                        }
                        FaceOperation::Spawn => {
                            let pid = spawn(&mut self.vm);
                            self.vm.exit_process(DRIVER, pid, 0).expect("exit");
                            self.vm.waitpid(pid).expect("wait");
                        }
                        FaceOperation::File => self.file(),
                    }
                }

                /// Writes to the pipe.
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
