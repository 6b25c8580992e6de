//! Two drivers, the user's own file system, a policy and threads in one virtual machine; the
//! session is recorded and replayed without any of them, to the same digest.
//!
//! `cargo run --example agents`

use std::error::Error;
use std::sync::Arc;
use tickernel::command_registry::CommandDriver;
use tickernel::import::Imported;
use tickernel::kernel::{KernelVm, KernelVmConfig, SpawnOptions};
use tickernel::permissions::{FsOperation, PermissionDecision, Permissions};
use tickernel::record::TraceBuffer;
use tickernel::replay::{Options, replay};
use tickernel::vfs::{
    VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, VirtualUtimeSpec,
};

/// A file system of our own: it keeps its files in memory below, and stamps each new one with a
/// serial number that no replay could know.
struct Serial {
    files: tickernel::vfs::MemoryFileSystem,
    next: u64,
}

impl VirtualFileSystem for Serial {
    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.next += 1;
        let mut content = content.into();
        content.extend_from_slice(format!(" (serial {})", self.next).as_bytes());
        self.files.write_file(path, content)
    }
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>> {
        self.files.read_file(path)
    }
    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        self.files.read_dir(path)
    }
    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        self.files.read_dir_with_types(path)
    }
    fn create_dir(&mut self, path: &str) -> VfsResult<()> {
        self.files.create_dir(path)
    }
    fn mkdir(&mut self, path: &str, recursive: bool) -> VfsResult<()> {
        self.files.mkdir(path, recursive)
    }
    fn exists(&self, path: &str) -> bool {
        self.files.exists(path)
    }
    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat> {
        self.files.stat(path)
    }
    fn remove_file(&mut self, path: &str) -> VfsResult<()> {
        self.files.remove_file(path)
    }
    fn remove_dir(&mut self, path: &str) -> VfsResult<()> {
        self.files.remove_dir(path)
    }
    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.files.rename(old_path, new_path)
    }
    fn realpath(&self, path: &str) -> VfsResult<String> {
        self.files.realpath(path)
    }
    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()> {
        self.files.symlink(target, link_path)
    }
    fn read_link(&self, path: &str) -> VfsResult<String> {
        self.files.read_link(path)
    }
    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        self.files.lstat(path)
    }
    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.files.link(old_path, new_path)
    }
    fn chmod(&mut self, path: &str, mode: u32) -> VfsResult<()> {
        self.files.chmod(path, mode)
    }
    fn chown(&mut self, path: &str, uid: u32, gid: u32) -> VfsResult<()> {
        self.files.chown(path, uid, gid)
    }
    fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()> {
        self.files.utimes(path, atime_ms, mtime_ms)
    }
    fn utimes_spec(
        &mut self,
        path: &str,
        atime: VirtualUtimeSpec,
        mtime: VirtualUtimeSpec,
        follow_symlinks: bool,
    ) -> VfsResult<()> {
        self.files.utimes_spec(path, atime, mtime, follow_symlinks)
    }
    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()> {
        self.files.truncate(path, length)
    }
    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>> {
        self.files.pread(path, offset, length)
    }
}

/// The session, its recording and its replay.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut config = KernelVmConfig::new("agents");
    config.permissions = Permissions {
        filesystem: Some(Arc::new(|request| match request.op {
            FsOperation::Write if request.path.starts_with("/secret") => {
                PermissionDecision::deny("agents write nothing there")
            }
            _ => PermissionDecision::allow(),
        })),
        ..Permissions::allow_all()
    };
    let files = Serial { files: tickernel::vfs::MemoryFileSystem::new(), next: 0 };
    let mut vm = KernelVm::new(files, config);
    let trace = TraceBuffer::default();
    vm.record_to(trace.clone())?;

    // Two drivers: each owns its processes, and neither can touch the other's.
    vm.register_driver(CommandDriver::new("python", ["python3"]))?;
    vm.register_driver(CommandDriver::new("node", ["node"]))?;
    let python = vm.spawn_process("python3", vec!["agent.py".into()], SpawnOptions::default())?;
    let node = vm.spawn_process("node", vec!["tool.js".into()], SpawnOptions::default())?;
    let refused = vm.fd_close("python", node.pid(), 0);
    println!(
        "python closes a descriptor of node: {}",
        refused.err().map_or_else(String::new, |e| e.to_string())
    );

    // A guest a thread: one waits for what the other writes.
    let mut vm = vm.into_shared();
    let (read, write) = vm.open_pipe("python", python.pid())?;
    let (mut guest, pid) = (vm.clone(), python.pid());
    let reader = std::thread::spawn(move || guest.fd_read("python", pid, read, 64));
    vm.fd_write("python", python.pid(), write, b"a line between threads")?;
    let line = reader.join().map_err(|_| "the reading thread panicked")??;
    println!("read: {}", String::from_utf8_lossy(&line));

    // Files of our own file system, through the policy.
    vm.write_file_for_process("node", node.pid(), "/result", "42", None)?;
    println!("/result: {}", String::from_utf8_lossy(&vm.read_file("/result")?));
    let denied = vm.write_file("/secret/key", "no");
    println!("/secret/key: {}", denied.err().map_or_else(String::new, |e| e.to_string()));

    // A handle finished by another thread wakes whoever waits.
    let finisher = std::thread::spawn(move || python.finish(0));
    println!("python ended with {}", vm.waitpid(pid)?.status);
    finisher.join().map_err(|_| "the finishing thread panicked")?;
    node.kill(15);
    println!("node ended with {}", vm.waitpid(node.pid())?.status);

    vm.finish_recording()?;
    let live = vm.digest();
    println!("{} bytes of trace", trace.bytes().len());
    let trace = Imported::of_trace(trace.bytes());
    let replayed = replay(trace, &mut Options { force: true, ..Options::default() })?;
    println!("digest {live:016x} live, {} replayed", replayed.report.digest);
    if format!("{live:016x}") == replayed.report.digest {
        Ok(())
    } else {
        Err("they differ".into())
    }
}
