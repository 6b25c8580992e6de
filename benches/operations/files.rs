//! File calls among many files, stated once: `benches/files.rs` times them, and the test
//! `instructions` counts their instructions. Each leaves the tree as it found it.

use std::hint::black_box;
use tickernel_systems::abi::flags::{O_CREAT, O_RDWR};
use tickernel_systems::event::{Answer, Call, Outcome};
use tickernel_systems::{Config, Kernel};

/// Bytes of the file that is made and removed.
pub(crate) const PAGE: [u8; 4096] = [7; 4096];
/// Bytes of the file that is written and read in one piece.
pub(crate) const MIB: usize = 1 << 20;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileOperation {
    /// open(2) of a new file in the directory of all, write(2) of 4 KiB, close(2), unlink(2).
    Make,
    /// open(2) of a file in the directory of all, close(2).
    Open,
    /// stat(2) of a file in the root.
    StatShallow,
    /// stat(2) of a file below seven directories.
    StatDeep,
    /// rename(2) in the directory of all, there and back.
    Rename,
    /// pwrite64(2) of 1 MiB over what is there.
    Write,
    /// pread64(2) of 1 MiB.
    Read,
}

impl FileOperation {
    /// All, in the order in which they are shown.
    pub(crate) const ALL: [FileOperation; 7] = [
        FileOperation::Make,
        FileOperation::Open,
        FileOperation::StatShallow,
        FileOperation::StatDeep,
        FileOperation::Rename,
        FileOperation::Write,
        FileOperation::Read,
    ];

    /// What it is called in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            FileOperation::Make => "create + write 4 KiB + close + unlink",
            FileOperation::Open => "open + close",
            FileOperation::StatShallow => "stat at depth 1",
            FileOperation::StatDeep => "stat at depth 8",
            FileOperation::Rename => "rename there and back",
            FileOperation::Write => "write 1 MiB",
            FileOperation::Read => "read 1 MiB",
        }
    }
}

/// A kernel with a directory of many files.
pub(crate) struct FileScene {
    /// The kernel.
    pub(crate) kernel: Kernel,
    big: i32,
    megabyte: Vec<u8>,
}

impl FileScene {
    /// So many empty files in one directory, a file in the root and one below seven directories.
    pub(crate) fn new(files: u64) -> Self {
        let room = Config { max_inodes: 1 << 21, max_file_bytes: 2 << 30, ..Config::default() };
        let mut scene = Self { kernel: Kernel::new(room), big: -1, megabyte: vec![7; MIB] };
        // The crowd lies on a volume that has room for it; the tables are the same.
        scene.done(Call::Mount {
            source: Some(b"none"),
            target: Some(b"/tmp"),
            filesystemtype: Some(b"tmpfs"),
            mountflags: 0,
            data: Some(b"nr_inodes=2000000,size=8g"),
        });
        scene.mkdir("/tmp/all");
        for number in 0..files {
            scene.touch(&format!("/tmp/all/{number}"));
        }
        scene.touch("/tmp/all/f");
        let mut path = String::new();
        for _ in 0..7 {
            path += "/d";
            scene.mkdir(&path);
        }
        scene.touch(&format!("{path}/f"));
        scene.touch("/f");
        scene.big = scene.open(b"/big");
        scene.run(FileOperation::Write);
        scene
    }

    /// Does it once.
    pub(crate) fn run(&mut self, operation: FileOperation) {
        match operation {
            FileOperation::Make => {
                let fd = self.open(b"/tmp/all/new");
                self.done(Call::Write { fd, data: &PAGE });
                self.done(Call::Close { fd });
                self.done(Call::Unlink { path: Some(b"/tmp/all/new") });
            }
            FileOperation::Open => {
                let fd = self.open(b"/tmp/all/f");
                self.done(Call::Close { fd });
            }
            FileOperation::StatShallow => self.stat(b"/f"),
            FileOperation::StatDeep => self.stat(b"/d/d/d/d/d/d/d/f"),
            FileOperation::Rename => {
                self.rename(b"/tmp/all/f", b"/tmp/all/g");
                self.rename(b"/tmp/all/g", b"/tmp/all/f");
            }
            FileOperation::Write => {
                let call = Call::Pwrite64 { fd: self.big, data: &self.megabyte, offset: 0 };
                done(&mut self.kernel, call);
            }
            FileOperation::Read => {
                let call = Call::Pread64 { fd: self.big, count: MIB as u64, offset: 0 };
                black_box(self.done(call));
            }
        }
    }

    fn done(&mut self, call: Call<'_>) -> Answer {
        done(&mut self.kernel, call)
    }

    fn open(&mut self, path: &[u8]) -> i32 {
        let call = Call::Open { path: Some(path), flags: O_RDWR | O_CREAT, mode: 0o644 };
        self.done(call).value as i32
    }

    fn stat(&mut self, path: &[u8]) {
        black_box(self.done(Call::Stat { path: Some(black_box(path)) }));
    }

    fn rename(&mut self, old: &[u8], new: &[u8]) {
        self.done(Call::Rename { oldpath: Some(old), newpath: Some(new) });
    }

    fn mkdir(&mut self, path: &str) {
        self.done(Call::Mkdir { path: Some(path.as_bytes()), mode: 0o755 });
    }

    fn touch(&mut self, path: &str) {
        let fd = self.open(path.as_bytes());
        self.done(Call::Close { fd });
    }
}

fn done(kernel: &mut Kernel, call: Call<'_>) -> Answer {
    match kernel.call(1, call) {
        Outcome::Done(answer) => answer,
        other => panic!("{other:?}"),
    }
}
