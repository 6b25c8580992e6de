//! Section 15: nobody changes /etc/agentos, by whatever way; sections 12 and 17 where no other test
//! has them.

use crate::support::{DRIVER, config, process, refused};
use std::time::Duration;
use tickernel::fd_table::{O_CREAT, O_RDONLY, O_RDWR, O_TRUNC};
use tickernel::kernel::{FaceClock, KernelVm, Profile};
use tickernel::vfs::{MemoryFileSystem, VirtualFileSystem, VirtualUtimeSpec};

type Vm = crate::support::Vm;

/// /etc/agentos/f, a link to it, a link to its directory, a second name of it.
fn guarded(profile: Profile) -> Vm {
    let mut files = MemoryFileSystem::new();
    files.write_file("/etc/agentos/f", "kept").unwrap();
    files.symlink("/etc/agentos/f", "/to-file").unwrap();
    files.symlink("/etc/agentos", "/to-dir").unwrap();
    files.link("/etc/agentos/f", "/alias").unwrap();
    files.write_file("/free", "x").unwrap();
    let mut config = config();
    config.profile = profile;
    let mut vm = KernelVm::new(files, config);
    process(&mut vm, None);
    vm
}

#[test]
fn every_change_by_every_way_is_erofs() {
    for profile in [Profile::SecureExec, Profile::Linux] {
        let mut vm = guarded(profile);
        let vm = &mut vm;
        let now = VirtualUtimeSpec::Now;
        for path in
            ["/etc/agentos/f", "/to-file", "/to-dir/f", "/alias", "/etc/agentos/../agentos/f"]
        {
            refused(vm, "EROFS", |vm| vm.write_file(path, "x"));
            refused(vm, "EROFS", |vm| vm.pwrite_file(path, 0, "x"));
            refused(vm, "EROFS", |vm| vm.truncate(path, 0));
            refused(vm, "EROFS", |vm| vm.chmod(path, 0));
            refused(vm, "EROFS", |vm| vm.chown(path, 0, 0));
            refused(vm, "EROFS", |vm| vm.utimes(path, 0, 0));
            refused(vm, "EROFS", |vm| vm.utimes_spec(path, now, now));
            refused(vm, "EROFS", |vm| vm.link(path, "/new"));
            for flags in [O_RDWR, O_CREAT, O_TRUNC, O_RDWR | O_CREAT] {
                refused(vm, "EROFS", |vm| vm.fd_open(DRIVER, 1, path, flags, None));
            }
            assert_eq!(vm.read_file(path).unwrap(), b"kept");
        }
        for path in ["/etc/agentos", "/etc/agentos/f", "/to-dir/f", "/alias"] {
            refused(vm, "EROFS", |vm| vm.rename(path, "/new"));
            refused(vm, "EROFS", |vm| vm.rename("/free", path));
            refused(vm, "EROFS", |vm| vm.remove_file(path));
            refused(vm, "EROFS", |vm| vm.remove_dir(path));
        }
        for path in ["/etc/agentos/new", "/to-dir/new", "/to-dir/a/b"] {
            refused(vm, "EROFS", |vm| vm.mkdir(path, true));
            refused(vm, "EROFS", |vm| vm.create_dir(path));
            refused(vm, "EROFS", |vm| vm.symlink("x", path));
            refused(vm, "EROFS", |vm| vm.link("/free", path));
            refused(vm, "EROFS", |vm| vm.rename("/free", path));
            refused(vm, "EROFS", |vm| vm.rename("/none", path));
            refused(vm, "EROFS", |vm| vm.write_file(path, "x"));
        }
    }
}

#[test]
fn descriptors_that_were_opened_for_reading_write_nothing() {
    for (profile, wanted) in [(Profile::SecureExec, "EROFS"), (Profile::Linux, "EBADF")] {
        let mut vm = guarded(profile);
        for path in ["/etc/agentos/f", "/alias"] {
            let fd = vm.fd_open(DRIVER, 1, path, O_RDONLY, None).unwrap();
            refused(&mut vm, wanted, |vm| vm.fd_write(DRIVER, 1, fd, b"x"));
            refused(&mut vm, wanted, |vm| vm.fd_pwrite(DRIVER, 1, fd, b"x", 0));
            let now = VirtualUtimeSpec::Now;
            refused(&mut vm, "EROFS", |vm| vm.futimes(DRIVER, 1, fd, now, now));
            assert_eq!(vm.fd_read(DRIVER, 1, fd, 9).unwrap(), b"kept");
        }
    }
}

#[test]
fn a_descriptor_from_before_the_guard_held_writes_nothing_either() {
    for profile in [Profile::SecureExec, Profile::Linux] {
        let mut vm = guarded(profile);
        vm.write_file("/etc/late", "x").unwrap();
        let fd = vm.fd_open(DRIVER, 1, "/etc/late", O_RDWR, None).unwrap();
        let files = vm.filesystem_mut().inner_mut().inner_mut();
        VirtualFileSystem::link(files, "/etc/late", "/etc/agentos/late").unwrap();
        refused(&mut vm, "EROFS", |vm| vm.fd_write(DRIVER, 1, fd, b"y"));
        refused(&mut vm, "EROFS", |vm| vm.fd_pwrite(DRIVER, 1, fd, b"y", 0));
    }
}

#[test]
fn what_only_looks_alike_is_free() {
    let mut vm = guarded(Profile::SecureExec);
    vm.write_file("/etc/agentos2/f", "x").unwrap();
    vm.write_file("/etc/agento", "x").unwrap();
    vm.remove_file("/to-dir").unwrap();
    vm.rename("/to-file", "/elsewhere").unwrap();
    assert_eq!(vm.read_dir("/etc/agentos").unwrap(), ["f"]);
    vm.stat("/etc/agentos/f").unwrap();
    refused(&mut vm, "EROFS", |vm| vm.write_file("/proc/x", "x"));
    refused(&mut vm, "EROFS", |vm| vm.mkdir("/proc/1/x", true));
}

#[test]
fn a_devices_descriptor_gives_and_takes_bytes() {
    let mut vm = guarded(Profile::SecureExec);
    let mut open = |path| vm.fd_open(DRIVER, 1, path, O_RDWR, None).unwrap();
    let [null, zero, random] = ["/dev/null", "/dev/zero", "/dev/urandom"].map(&mut open);
    assert_eq!(vm.fd_read(DRIVER, 1, null, 9).unwrap(), b"");
    assert_eq!(vm.fd_read(DRIVER, 1, zero, 9).unwrap(), [0; 9]);
    let drawn = [9, 9].map(|count| vm.fd_read(DRIVER, 1, random, count).unwrap());
    assert!(drawn[0] != drawn[1] && drawn.iter().all(|bytes| bytes.len() == 9));
    for fd in [null, zero, random, 1, 2] {
        assert_eq!(vm.fd_write(DRIVER, 1, fd, b"gone").unwrap(), 4);
    }
    assert_eq!(vm.read_file("/dev/zero").unwrap(), [0; 4096]);
    refused(&mut vm, "EPERM", |vm| vm.remove_file("/dev/null"));
    refused(&mut vm, "EPERM", |vm| vm.rename("/dev/null", "/x"));
    refused(&mut vm, "EPERM", |vm| vm.rename("/free", "/dev/null"));
    refused(&mut vm, "EPERM", |vm| vm.link("/dev/null", "/x"));
    refused(&mut vm, "EPERM", |vm| vm.remove_dir("/dev"));
}

#[test]
fn in_real_time_a_time_out_passes_by_itself() {
    let mut config = config();
    config.clock = FaceClock::Real;
    config.resources.max_blocking_read_ms = Some(1);
    let result = crate::support::watched("a time-out in real time", move || {
        let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
        process(&mut vm, None);
        let (read, _) = vm.open_pipe(DRIVER, 1).unwrap();
        let timeout = Some(Duration::from_millis(25));
        let by_limit = vm.fd_read(DRIVER, 1, read, 1).unwrap_err().code();
        let own = vm.fd_read_with_timeout_result(DRIVER, 1, read, 1, timeout).unwrap_err().code();
        let fds = vec![tickernel::poll::PollFd::new(read, tickernel::poll::POLLIN)];
        (by_limit, own, vm.poll_fds(DRIVER, 1, fds, 1).unwrap().ready_count)
    });
    assert_eq!(result, ("EAGAIN", "EAGAIN", 0));
}
