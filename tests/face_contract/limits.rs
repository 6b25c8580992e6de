//! Section 10: each limit, what exceeds it, and the snapshot of what a machine holds.

use crate::support::{DRIVER, Vm, code, process, refused, says, vm, vm_with};
use std::collections::BTreeMap;
use tickernel::command_registry::CommandDriver;
use tickernel::fd_table::{O_CREAT, O_RDWR};
use tickernel::kernel::{SpawnOptions, VirtualProcessOptions};
use tickernel::resource_accounting::{ResourceLimits, ResourceSnapshot};

fn limited(change: impl FnOnce(&mut ResourceLimits)) -> Vm {
    vm_with(|config| change(&mut config.resources))
}

/// Another process, or why not.
fn another(vm: &mut Vm, parent: Option<u32>) -> Result<u32, &'static str> {
    let options = VirtualProcessOptions { parent_pid: parent, ..Default::default() };
    let made = vm.create_virtual_process(DRIVER, DRIVER, "job", Vec::new(), options);
    made.map(|handle| handle.pid()).map_err(|error| error.code())
}

#[test]
fn zombies_and_stopped_processes_count_as_processes() {
    let mut vm = limited(|limits| limits.max_processes = Some(3));
    for _ in 0..3 {
        process(&mut vm, None);
    }
    assert_eq!(another(&mut vm, None), Err("EAGAIN"));
    vm.exit_process(DRIVER, 2, 0).unwrap();
    vm.kill_process(DRIVER, 3, 19).unwrap();
    assert_eq!(another(&mut vm, None), Err("EAGAIN"));
    vm.waitpid(2).unwrap();
    assert_eq!(another(&mut vm, None), Ok(4));
    let mut none = limited(|limits| limits.max_processes = Some(0));
    assert_eq!(another(&mut none, None), Err("EAGAIN"));
}

#[test]
fn descriptors_of_all_processes_are_counted() {
    let mut vm = limited(|limits| limits.max_open_fds = Some(8));
    process(&mut vm, None);
    process(&mut vm, None);
    assert_eq!(another(&mut vm, None), Err("ENFILE"), "three more");
    assert_eq!(vm.fd_dup(DRIVER, 1, 0).unwrap(), 3);
    assert_eq!(another(&mut vm, Some(1)), Err("ENFILE"), "as many as the parent has");
    refused(&mut vm, "ENFILE", |vm| vm.open_pipe(DRIVER, 2));
    assert_eq!(vm.fd_dup(DRIVER, 2, 0).unwrap(), 3);
    refused(&mut vm, "ENFILE", |vm| vm.fd_dup(DRIVER, 1, 0));
    vm.exit_process(DRIVER, 2, 0).unwrap();
    assert_eq!(another(&mut vm, Some(1)), Ok(3));
}

#[test]
fn an_open_that_finds_no_descriptor_has_made_the_file() {
    let mut vm = limited(|limits| limits.max_open_fds = Some(3));
    process(&mut vm, None);
    let open = vm.fd_open(DRIVER, 1, "/made", O_CREAT | O_RDWR, None);
    let told = code(open);
    assert!(["ENFILE", "EMFILE"].contains(&told), "{told}");
    assert!(vm.exists("/made").unwrap());
}

#[test]
fn pipes_are_counted() {
    let mut vm = limited(|limits| limits.max_pipes = Some(1));
    process(&mut vm, None);
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    refused(&mut vm, "EAGAIN", |vm| vm.open_pipe(DRIVER, 1));
    vm.fd_close(DRIVER, 1, read).unwrap();
    refused(&mut vm, "EAGAIN", |vm| vm.open_pipe(DRIVER, 1));
    vm.fd_close(DRIVER, 1, write).unwrap();
    vm.open_pipe(DRIVER, 1).unwrap();
}

#[test]
fn a_write_charges_only_what_it_adds() {
    let mut vm = limited(|limits| limits.max_filesystem_bytes = Some(10));
    process(&mut vm, None);
    vm.write_file("/f", "12345678").unwrap();
    refused(&mut vm, "ENOSPC", |vm| vm.write_file("/f", "12345678901"));
    refused(&mut vm, "ENOSPC", |vm| vm.write_file("/g", "123"));
    assert!(!vm.exists("/g").unwrap());
    refused(&mut vm, "ENOSPC", |vm| vm.truncate("/f", 11));
    refused(&mut vm, "ENOSPC", |vm| vm.pwrite_file("/f", 10, "x"));
    refused(&mut vm, "ENOSPC", |vm| vm.symlink("abc", "/l"));
    let fd = vm.fd_open(DRIVER, 1, "/f", O_RDWR, None).unwrap();
    refused(&mut vm, "ENOSPC", |vm| vm.fd_pwrite(DRIVER, 1, fd, b"123", 8));
    vm.fd_pwrite(DRIVER, 1, fd, b"12", 8).unwrap();
    vm.write_file("/f", "1234567890").unwrap();
    vm.fd_pwrite(DRIVER, 1, fd, b"abc", 0).unwrap();
    vm.write_file("/f", "").unwrap();
    vm.symlink("abc", "/l").unwrap();
    vm.write_file("/g", "1234567").unwrap();
    refused(&mut vm, "ENOSPC", |vm| vm.write_file("/h", "x"));
}

#[test]
fn inodes_are_counted_with_the_root_and_missing_directories() {
    let mut vm = limited(|limits| limits.max_inode_count = Some(3));
    vm.mkdir("/a", false).unwrap();
    refused(&mut vm, "ENOSPC", |vm| vm.mkdir("/b/c", true));
    refused(&mut vm, "ENOSPC", |vm| vm.write_file("/b/c", "x"));
    vm.write_file("/a/f", "x").unwrap();
    vm.link("/a/f", "/a/g").unwrap();
    refused(&mut vm, "ENOSPC", |vm| vm.write_file("/h", ""));
    refused(&mut vm, "ENOSPC", |vm| vm.symlink("x", "/h"));
    refused(&mut vm, "ENOSPC", |vm| vm.create_dir("/h"));
    vm.remove_file("/a/f").unwrap();
    refused(&mut vm, "ENOSPC", |vm| vm.write_file("/h", ""));
    vm.remove_file("/a/g").unwrap();
    vm.write_file("/h", "").unwrap();
}

#[test]
fn arguments_and_environment_are_measured_whole() {
    let mut vm = vm_with(|config| {
        config.env.insert("AB".into(), "cd".into());
        config.resources.max_process_argv_bytes = Some(8);
        config.resources.max_process_env_bytes = Some(12);
    });
    vm.register_driver(CommandDriver::new("shell", ["sh"])).unwrap();
    let spawn = |vm: &mut Vm, args: &[&str], env: &[(&str, &str)]| {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let env: BTreeMap<String, String> = env.iter().map(own).collect();
        vm.spawn_process("sh", args, SpawnOptions { env, ..SpawnOptions::default() })
    };
    // sh and its end are 3 bytes; AB=cd and its end 6.
    spawn(&mut vm, &["1234"], &[]).unwrap();
    refused(&mut vm, "EINVAL", |vm| spawn(vm, &["12345"], &[]));
    refused(&mut vm, "EINVAL", |vm| spawn(vm, &["", "", "", "", "", ""], &[]));
    spawn(&mut vm, &[], &[("X", "123")]).unwrap();
    refused(&mut vm, "EINVAL", |vm| spawn(vm, &[], &[("X", "1234")]));
    spawn(&mut vm, &[], &[("AB", "12345678")]).unwrap();
    says(spawn(&mut vm, &["12345"], &[]), "EINVAL", "sh");
}

#[test]
fn a_listing_over_the_limit_is_refused() {
    let mut vm = limited(|limits| limits.max_readdir_entries = Some(2));
    vm.write_file("/d/a", "").unwrap();
    vm.write_file("/d/b", "").unwrap();
    assert_eq!(vm.read_dir("/d").unwrap(), ["a", "b"]);
    vm.write_file("/d/c", "").unwrap();
    refused(&mut vm, "ENOMEM", |vm| vm.read_dir("/d"));
    refused(&mut vm, "ENOMEM", |vm| vm.read_dir_with_types("/d"));
    refused(&mut vm, "ENOMEM", |vm| vm.read_dir("/dev"));
}

#[test]
fn without_limits_nothing_is_refused() {
    let mut vm = limited(|limits| {
        *limits = ResourceLimits {
            max_processes: None,
            max_open_fds: None,
            max_pipes: None,
            max_filesystem_bytes: None,
            max_inode_count: None,
            max_blocking_read_ms: None,
            max_pread_bytes: None,
            max_fd_write_bytes: None,
            max_process_argv_bytes: None,
            max_process_env_bytes: None,
            max_readdir_entries: None,
            ..ResourceLimits::default()
        }
    });
    for _ in 0..300 {
        process(&mut vm, None);
    }
    for _ in 0..150 {
        vm.open_pipe(DRIVER, 1).unwrap();
    }
    assert_eq!(vm.fd_dup(DRIVER, 1, 0).unwrap(), 303);
    vm.fd_dup2(DRIVER, 1, 0, 5_000).unwrap();
    vm.write_file("/f", vec![1; 70 << 20]).unwrap();
    let fd = vm.fd_open(DRIVER, 1, "/f", O_RDWR, None).unwrap();
    assert_eq!(vm.fd_read(DRIVER, 1, fd, 70 << 20).unwrap().len(), 70 << 20);
}

#[test]
fn a_snapshot_is_what_the_machine_holds() {
    let mut vm = vm();
    assert_eq!(vm.resource_snapshot(), ResourceSnapshot::default());
    process(&mut vm, None);
    process(&mut vm, Some(1));
    process(&mut vm, None);
    let (_, write) = vm.open_pipe(DRIVER, 1).unwrap();
    vm.fd_write(DRIVER, 1, write, b"12345").unwrap();
    vm.fd_dup(DRIVER, 1, write).unwrap();
    vm.kill_process(DRIVER, 2, 19).unwrap();
    vm.exit_process(DRIVER, 3, 0).unwrap();
    let wanted = ResourceSnapshot {
        running_processes: 1,
        exited_processes: 1,
        fd_tables: 2,
        open_fds: 9,
        pipes: 1,
        pipe_buffered_bytes: 5,
        ..ResourceSnapshot::default()
    };
    assert_eq!(vm.resource_snapshot(), wanted);
}
