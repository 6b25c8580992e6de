//! The user's own code behind a machine: a foreign file system, callbacks that are slow, panic, use
//! handles or call back in; and that a recording of it replays without any of them.

#[path = "face/out.rs"]
mod out;

use out::{Out, replayed_digest};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickernel::command_registry::CommandDriver;
use tickernel::fd_table::{O_APPEND, O_CREAT, O_RDWR};
use tickernel::kernel::{
    FaceClock, KernelProcessHandle, KernelVm, KernelVmConfig, SharedKernelVm, SpawnOptions,
};
use tickernel::permissions::{FsOperation, PermissionDecision, Permissions};
use tickernel::vfs::{
    MemoryFileSystem, VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat,
};

/// A flat file system that counts what it is asked, fails for `/broken` and panics for `/panic`.
#[derive(Default)]
struct Foreign {
    files: BTreeMap<String, Vec<u8>>,
    asked: Cell<u32>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Foreign {
    fn note(&self, what: &str, path: &str) -> VfsResult<()> {
        self.asked.set(self.asked.get() + 1);
        self.log.lock().unwrap().push(format!("{what} {path}"));
        match path {
            "/broken" => Err(VfsError::new("EIO", "the disk is gone")),
            "/odd" => Err(VfsError::new("EODD", "a code that no errno has")),
            "/panic" => panic!("a defect of the user's file system"),
            _ => Ok(()),
        }
    }

    fn missing(path: &str) -> VfsError {
        VfsError::new("ENOENT", format!("no such file: {path}"))
    }
}

impl VirtualFileSystem for Foreign {
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>> {
        self.note("read_file", path)?;
        self.files.get(path).cloned().ok_or_else(|| Self::missing(path))
    }
    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        self.note("read_dir", path)?;
        Ok(self.files.keys().map(|name| name[1..].to_owned()).collect())
    }
    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        self.note("read_dir_with_types", path)?;
        Ok(Vec::new())
    }
    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.note("write_file", path)?;
        self.files.insert(path.to_owned(), content.into());
        Ok(())
    }
    fn append_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<u64> {
        self.note("append_file", path)?;
        let file = self.files.entry(path.to_owned()).or_default();
        file.extend(content.into());
        Ok(file.len() as u64)
    }
    fn create_file_exclusive(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.note("create_file_exclusive", path)?;
        self.files.insert(path.to_owned(), content.into());
        Ok(())
    }
    fn create_dir(&mut self, path: &str) -> VfsResult<()> {
        self.note("create_dir", path)
    }
    fn mkdir(&mut self, path: &str, _recursive: bool) -> VfsResult<()> {
        self.note("mkdir", path)
    }
    fn exists(&self, path: &str) -> bool {
        self.note("exists", path).is_ok() && (path == "/" || self.files.contains_key(path))
    }
    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat> {
        self.lstat(path)
    }
    fn remove_file(&mut self, path: &str) -> VfsResult<()> {
        self.note("remove_file", path)?;
        self.files.remove(path).map(drop).ok_or_else(|| Self::missing(path))
    }
    fn remove_dir(&mut self, path: &str) -> VfsResult<()> {
        self.note("remove_dir", path)
    }
    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.note("rename", old_path)?;
        let file = self.files.remove(old_path).ok_or_else(|| Self::missing(old_path))?;
        self.files.insert(new_path.to_owned(), file);
        Ok(())
    }
    fn realpath(&self, path: &str) -> VfsResult<String> {
        self.note("realpath", path)?;
        let there = path == "/" || self.files.contains_key(path);
        if there { Ok(path.to_owned()) } else { Err(Self::missing(path)) }
    }
    fn symlink(&mut self, _target: &str, link_path: &str) -> VfsResult<()> {
        self.note("symlink", link_path)
    }
    fn read_link(&self, path: &str) -> VfsResult<String> {
        self.note("read_link", path)?;
        Err(VfsError::new("EINVAL", "no links here"))
    }
    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        self.note("lstat", path)?;
        let file = self.files.get(path).ok_or_else(|| Self::missing(path))?;
        Ok(VirtualStat {
            mode: 0o100_644,
            size: file.len() as u64,
            blocks: 0,
            dev: 77,
            rdev: 0,
            is_directory: false,
            is_symbolic_link: false,
            atime_ms: 1,
            atime_nsec: 0,
            mtime_ms: 2,
            mtime_nsec: 0,
            ctime_ms: 3,
            ctime_nsec: 0,
            birthtime_ms: 4,
            ino: 5,
            nlink: 1,
            uid: 6,
            gid: 7,
        })
    }
    fn link(&mut self, old_path: &str, _new_path: &str) -> VfsResult<()> {
        self.note("link", old_path)
    }
    fn chmod(&mut self, path: &str, _mode: u32) -> VfsResult<()> {
        self.note("chmod", path)
    }
    fn chown(&mut self, path: &str, _uid: u32, _gid: u32) -> VfsResult<()> {
        self.note("chown", path)
    }
    fn utimes(&mut self, path: &str, _atime_ms: u64, _mtime_ms: u64) -> VfsResult<()> {
        self.note("utimes", path)
    }
    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()> {
        self.note("truncate", path)?;
        let file = self.files.get_mut(path).ok_or_else(|| Self::missing(path))?;
        file.resize(length as usize, 0);
        Ok(())
    }
    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>> {
        self.note("pread", path)?;
        let file = self.files.get(path).ok_or_else(|| Self::missing(path))?;
        Ok(file.iter().skip(offset as usize).take(length).copied().collect())
    }
}

fn config(permissions: Permissions) -> KernelVmConfig {
    let mut config = KernelVmConfig::new("foreign");
    config.permissions = permissions;
    config.clock = FaceClock::Virtual;
    config.resources.max_filesystem_bytes = None;
    config.resources.max_inode_count = None;
    config
}

fn foreign_vm() -> KernelVm<Foreign> {
    let mut vm = KernelVm::new(Foreign::default(), config(Permissions::allow_all()));
    vm.register_driver(CommandDriver::new("d", ["job"])).unwrap();
    vm.spawn_process("job", vec![], SpawnOptions::default()).unwrap();
    vm
}

#[test]
fn a_foreign_file_system_is_read_and_written_through_descriptors() {
    let mut vm = foreign_vm();
    vm.write_file("/f", "0123456789").unwrap();
    let fd = vm.fd_open("d", 1, "/f", O_RDWR, None).unwrap();
    assert_eq!(vm.fd_read("d", 1, fd, 4).unwrap(), b"0123");
    assert_eq!(vm.fd_write("d", 1, fd, b"xy").unwrap(), 2);
    assert_eq!(vm.fd_seek("d", 1, fd, -1, 2).unwrap(), 9);
    assert_eq!(vm.fd_read("d", 1, fd, 4).unwrap(), b"9");
    assert_eq!(vm.read_file("/f").unwrap(), b"0123xy6789");
    let end = vm.fd_open("d", 1, "/f", O_RDWR | O_APPEND, None).unwrap();
    vm.fd_write("d", 1, end, b"!").unwrap();
    assert_eq!(vm.fd_seek("d", 1, end, 0, 1).unwrap(), 11);
    assert_eq!(vm.stat("/f").unwrap().size, 11);
    assert_eq!(vm.stat("/f").unwrap().dev, 77);
    assert_eq!(vm.fd_path("d", 1, fd).unwrap(), "/f");
    let log = vm.filesystem().inner().inner().log.lock().unwrap().clone();
    assert!(log.contains(&"append_file /f".to_owned()), "append is the file system's own: {log:?}");
}

#[test]
fn errors_of_a_foreign_file_system_come_back_as_they_are() {
    let mut vm = foreign_vm();
    let error = vm.read_file("/broken").unwrap_err();
    assert_eq!(error.to_string(), "EIO: the disk is gone");
    let error = vm.read_file("/odd").unwrap_err();
    assert_eq!(error.to_string(), "EODD: a code that no errno has");
    assert_eq!(vm.fd_open("d", 1, "/none", O_RDWR, None).unwrap_err().code(), "ENOENT");
}

#[test]
fn a_panic_of_the_file_system_goes_on_and_leaves_the_machine_whole() {
    let mut vm = foreign_vm();
    let before = vm.resource_snapshot();
    let panic = catch_unwind(AssertUnwindSafe(|| vm.read_file("/panic")));
    assert!(panic.is_err());
    assert_eq!(vm.resource_snapshot(), before);
    vm.write_file("/f", "still here").unwrap();
    assert_eq!(vm.read_file("/f").unwrap(), b"still here");
}

#[test]
fn a_recording_with_foreign_answers_replays_without_the_file_system() {
    let out = Out::default();
    let mut vm = foreign_vm();
    vm.record_to(out.clone()).unwrap();
    vm.write_file("/f", "content").unwrap();
    let fd = vm.fd_open("d", 1, "/f", O_RDWR | O_CREAT, None).unwrap();
    assert_eq!(vm.fd_read("d", 1, fd, 3).unwrap(), b"con");
    assert_eq!(vm.read_file("/broken").unwrap_err().code(), "EIO");
    assert!(catch_unwind(AssertUnwindSafe(|| vm.stat("/panic"))).is_err());
    assert_eq!(vm.fd_read("d", 1, fd, 3).unwrap(), b"ten");
    vm.finish_recording().unwrap();
    assert_eq!(replayed_digest(&out.bytes()), vm.digest());
}

fn policy(
    decide: impl Fn(FsOperation, &str) -> PermissionDecision + Send + Sync + 'static,
) -> Permissions {
    Permissions {
        filesystem: Some(Arc::new(move |request| decide(request.op, &request.path))),
        ..Permissions::allow_all()
    }
}

#[test]
fn a_recording_with_callbacks_replays_without_them() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let permissions = policy(move |_, path| {
        count.fetch_add(1, Ordering::Relaxed);
        match path {
            "/secret" => PermissionDecision::deny("it is secret"),
            _ => PermissionDecision::allow(),
        }
    });
    let out = Out::default();
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config(permissions));
    vm.record_to(out.clone()).unwrap();
    vm.write_file("/open", "1").unwrap();
    let error = vm.write_file("/secret", "2").unwrap_err();
    assert_eq!(error.code(), "EACCES");
    assert!(error.to_string().contains(": it is secret"), "{error}");
    assert!(!vm.exists("/secret").unwrap());
    assert_eq!(vm.read_file("/open").unwrap(), b"1");
    vm.finish_recording().unwrap();
    let during = asked.load(Ordering::Relaxed);
    assert!(during > 0);
    assert_eq!(replayed_digest(&out.bytes()), vm.digest());
    assert_eq!(asked.load(Ordering::Relaxed), during, "a replay asks nobody");
}

#[test]
fn a_callback_that_panics_denies_and_the_panic_goes_on() {
    let permissions = policy(|op, _| match op {
        FsOperation::Write => panic!("a defect of the user's policy"),
        _ => PermissionDecision::allow(),
    });
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config(permissions));
    let panic = catch_unwind(AssertUnwindSafe(|| vm.write_file("/f", "1")));
    assert!(panic.is_err());
    assert!(!vm.exists("/f").unwrap(), "nothing was written");
}

#[test]
fn a_handle_used_in_a_callback_counts_after_the_call() {
    let handle: Arc<Mutex<Option<KernelProcessHandle>>> = Arc::default();
    let inside = Arc::clone(&handle);
    let permissions = policy(move |_, path| {
        if path == "/f"
            && let Some(handle) = inside.lock().unwrap().as_ref()
        {
            handle.finish(5);
            assert_eq!(handle.wait(Duration::ZERO), Some(5), "its own code is known at once");
        }
        PermissionDecision::allow()
    });
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config(permissions));
    vm.register_driver(CommandDriver::new("d", ["job"])).unwrap();
    let process = vm.spawn_process("job", vec![], SpawnOptions::default()).unwrap();
    *handle.lock().unwrap() = Some(process);
    vm.write_file_for_process("d", 1, "/f", "1", None).unwrap();
    assert_eq!(vm.read_file("/f").unwrap(), b"1");
    assert_eq!(vm.waitpid(1).unwrap().status, 5);
}

#[test]
fn a_callback_that_calls_back_in_is_an_error_and_no_deadlock() {
    let slot: Arc<Mutex<Option<SharedKernelVm<MemoryFileSystem>>>> = Arc::default();
    let inside = Arc::clone(&slot);
    let permissions = policy(move |_, _| {
        if let Some(vm) = inside.lock().unwrap().as_mut() {
            assert_eq!(vm.read_file("/g").unwrap_err().code(), "EDEADLK");
        }
        PermissionDecision::allow()
    });
    let vm = KernelVm::new(MemoryFileSystem::new(), config(permissions));
    let mut vm = vm.into_shared();
    *slot.lock().unwrap() = Some(vm.clone());
    vm.write_file("/f", "1").unwrap();
    // Taken out first: the callback looks there too.
    let other = slot.lock().unwrap().take();
    assert_eq!(other.unwrap().read_file("/f").unwrap(), b"1");
}

#[test]
fn while_one_thread_asks_another_waits_its_turn() {
    let (ask, asked) = std::sync::mpsc::channel::<()>();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (ask, gone) = (Mutex::new(ask), Mutex::new(gone));
    let permissions = policy(move |op, path| {
        if op == FsOperation::Write && path == "/slow" {
            ask.lock().unwrap().send(()).unwrap();
            gone.lock().unwrap().recv().unwrap();
        }
        PermissionDecision::allow()
    });
    let vm = KernelVm::new(MemoryFileSystem::new(), config(permissions)).into_shared();
    let (mut slow, mut other) = (vm.clone(), vm.clone());
    let slow = std::thread::spawn(move || slow.write_file("/slow", "1").unwrap());
    asked.recv().unwrap();
    let other = std::thread::spawn(move || other.write_file("/other", "2").unwrap());
    go.send(()).unwrap();
    slow.join().unwrap();
    other.join().unwrap();
    let mut vm = vm;
    assert_eq!(vm.read_dir("/").unwrap(), ["other", "slow"]);
}
