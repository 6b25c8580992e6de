//! What holds for descriptors of a file system of the user's as for those of the tree: access mode,
//! limits, guard and policy (sections 0, 3, 9, 10, 15).

use crate::small::{Log, Small};
use crate::support::{DRIVER, code, config};
use std::sync::{Arc, Mutex};
use tickernel::fd_table::{O_APPEND, O_RDONLY, O_RDWR, O_WRONLY};
use tickernel::kernel::{KernelVm, KernelVmConfig, VirtualProcessOptions};
use tickernel::permissions::{FsAccessRequest, PermissionDecision};

type Vm = KernelVm<Small>;

fn foreign(config: KernelVmConfig) -> Vm {
    let mut vm = KernelVm::new(Small::new("", &Log::default()), config);
    let options = VirtualProcessOptions::default();
    vm.create_virtual_process(DRIVER, DRIVER, "job", Vec::new(), options).unwrap();
    vm
}

/// A machine that denies what `denied` names, and the log of what it was asked.
fn asking(denied: &'static str) -> (Vm, Arc<Mutex<Vec<String>>>) {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let own = Arc::clone(&log);
    let mut config = config();
    config.permissions.filesystem = Some(Arc::new(move |request: &FsAccessRequest| {
        let asked = format!("{:?} {}", request.op, request.path);
        let allow = asked != denied;
        own.lock().unwrap().push(asked);
        PermissionDecision { allow, reason: None }
    }));
    (foreign(config), log)
}

#[test]
fn the_access_mode_counts() {
    let mut vm = foreign(config());
    let reads = vm.fd_open(DRIVER, 1, "/d/f", O_RDONLY, None).unwrap();
    let writes = vm.fd_open(DRIVER, 1, "/d/f", O_WRONLY, None).unwrap();
    assert_eq!(code(vm.fd_write(DRIVER, 1, reads, b"x")), "EBADF");
    assert_eq!(code(vm.fd_pwrite(DRIVER, 1, reads, b"x", 0)), "EBADF");
    assert_eq!(code(vm.fd_read(DRIVER, 1, writes, 1)), "EBADF");
    assert_eq!(code(vm.fd_pread(DRIVER, 1, writes, 1, 0)), "EBADF");
    assert_eq!(vm.read_file("/d/f").unwrap(), b"hi");
    // Devices are no different.
    assert_eq!(code(vm.fd_pwrite(DRIVER, 1, 0, b"x", 0)), "EBADF");
    assert_eq!(code(vm.fd_pread(DRIVER, 1, 1, 1, 0)), "EBADF");
}

#[test]
fn each_use_of_a_descriptor_is_asked_about() {
    for (denied, flags) in [("Write /d/f", O_WRONLY), ("Write /d/f", O_RDWR | O_APPEND)] {
        let (mut vm, _) = asking(denied);
        let fd = vm.fd_open(DRIVER, 1, "/d/f", flags, None).unwrap();
        assert_eq!(code(vm.fd_write(DRIVER, 1, fd, b"x")), "EACCES");
        assert_eq!(code(vm.fd_pwrite(DRIVER, 1, fd, b"x", 0)), "EACCES");
        assert_eq!(vm.read_file("/d/f").unwrap(), b"hi");
    }
    let (mut vm, _) = asking("Read /d/f");
    let fd = vm.fd_open(DRIVER, 1, "/l", O_RDONLY, None).unwrap();
    assert_eq!(code(vm.fd_read(DRIVER, 1, fd, 1)), "EACCES");
    assert_eq!(code(vm.fd_pread(DRIVER, 1, fd, 1, 0)), "EACCES");
}

#[test]
fn a_descriptors_questions_are_those_of_the_tree() {
    let (mut vm, log) = asking("");
    let fd = vm.fd_open(DRIVER, 1, "/d/f", O_RDWR, None).unwrap();
    log.lock().unwrap().clear();
    vm.fd_read(DRIVER, 1, fd, 1).unwrap();
    vm.fd_write(DRIVER, 1, fd, b"x").unwrap();
    vm.fd_seek(DRIVER, 1, fd, 0, 2).unwrap();
    let asked = std::mem::take(&mut *log.lock().unwrap());
    assert_eq!(asked, ["Read /d/f", "Read /d/f", "Read /d/f", "Write /d/f", "Stat /d/f"]);
}

#[test]
fn limits_hold_for_descriptors_too() {
    let mut config = config();
    config.resources.max_filesystem_bytes = Some(64);
    let mut vm = foreign(config);
    let fd = vm.fd_open(DRIVER, 1, "/d/f", O_RDWR, None).unwrap();
    assert_eq!(code(vm.fd_write(DRIVER, 1, fd, &[0; 100])), "ENOSPC");
    assert_eq!(code(vm.fd_pwrite(DRIVER, 1, fd, b"x", 1_000)), "ENOSPC");
    assert_eq!(vm.read_file("/d/f").unwrap(), b"hi");
    assert_eq!(vm.fd_write(DRIVER, 1, fd, b"HI").unwrap(), 2);
    assert_eq!(code(vm.fd_pwrite(DRIVER, 1, fd, b"xy", u64::MAX)), "EINVAL");
}

#[test]
fn a_new_file_gets_its_mode_by_chmod() {
    let log = Log::default();
    let mut vm = KernelVm::new(Small::new("", &log), config());
    let options = VirtualProcessOptions::default();
    vm.create_virtual_process(DRIVER, DRIVER, "job", Vec::new(), options).unwrap();
    vm.write_file_for_process(DRIVER, 1, "/d/new", "x", Some(0o666)).unwrap();
    let asked = log.take();
    assert!(asked.contains(&"chmod /d/new 644".to_owned()), "{asked:?}");
    vm.write_file_for_process(DRIVER, 1, "/d/new", "y", Some(0o600)).unwrap();
    let asked = log.take();
    assert!(!asked.iter().any(|asked| asked.starts_with("chmod")), "it keeps its mode: {asked:?}");
}
