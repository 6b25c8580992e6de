//! Where the contract bends Linux: each bend in both profiles, a test by the name of its field in
//! `systems/profile.rs`.

use crate::support::{DRIVER, Vm, both_profiles, process, process_of, vm_with};
use std::sync::Arc;
use std::time::Duration;
use tickernel::fd_table::{
    F_SETFL, LOCK_EX, LOCK_NB, LOCK_SH, O_APPEND, O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR,
};
use tickernel::kernel::{KernelResult, Profile, VirtualProcessOptions};
use tickernel::permissions::{FsAccessRequest, PermissionDecision};
use tickernel::poll::{PollEvents, PollFd};
use tickernel::process_table::{ProcessStatus, SigmaskHow, SignalSet};

/// Two machines with process 1, one by each profile's rules: what the contract's shows, then what
/// Linux's.
#[track_caller]
fn differ<T: std::fmt::Debug + PartialEq>(contract: T, linux: T, run: impl Fn(&mut Vm) -> T) {
    let [told, linuxs] = both_profiles().map(|(_, mut vm)| {
        process(&mut vm, None);
        run(&mut vm)
    });
    assert_eq!(told, contract, "Profile::SecureExec");
    assert_eq!(linuxs, linux, "Profile::Linux");
}

fn outcome<T>(result: KernelResult<T>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "Ok")
}

fn block(vm: &mut Vm, signal: i32) {
    let set = SignalSet::from_signal(signal).unwrap();
    vm.sigprocmask(DRIVER, 1, SigmaskHow::Block, set).unwrap();
}

fn revents(vm: &Vm, fd: u32) -> u16 {
    let all = PollEvents::from_bits(5);
    vm.poll_fds(DRIVER, 1, vec![PollFd::new(fd, all)], 0).unwrap().fds[0].revents.bits()
}

fn file(vm: &mut Vm, flags: u32) -> u32 {
    vm.fd_open(DRIVER, 1, "/f", flags | O_CREAT, None).unwrap()
}

#[test]
fn continue_is_unblockable() {
    differ(Vec::new(), vec![18], |vm| {
        block(vm, 18);
        vm.kill_process(DRIVER, 1, 18).unwrap();
        vm.sigpending(DRIVER, 1).unwrap().signals()
    });
}

#[test]
fn pipes_count_bytes() {
    differ(31, 16, |vm| {
        let (_, write) = vm.open_pipe(DRIVER, 1).unwrap();
        vm.fd_fcntl(DRIVER, 1, write, F_SETFL, O_NONBLOCK).unwrap();
        // Each takes a page of its own on Linux.
        (0..99).take_while(|_| vm.fd_write(DRIVER, 1, write, &[0; 2_049]).is_ok()).count()
    });
}

#[test]
fn any_room_is_ready() {
    differ(4, 0, |vm| {
        let (_, write) = vm.open_pipe(DRIVER, 1).unwrap();
        vm.fd_write(DRIVER, 1, write, &[0; 65_535]).unwrap();
        revents(vm, write)
    });
}

#[test]
fn files_are_ready_by_mode() {
    differ(1, 5, |vm| {
        let fd = file(vm, O_RDONLY);
        revents(vm, fd)
    });
    // A directory that is asked for room has an error.
    differ(9, 5, |vm| {
        let fd = vm.fd_open(DRIVER, 1, "/", O_RDONLY, None).unwrap();
        revents(vm, fd)
    });
}

#[test]
fn conversion_keeps_lock() {
    differ("EWOULDBLOCK", "Ok", |vm| {
        let [one, other] = [file(vm, O_RDONLY), file(vm, O_RDONLY)];
        vm.fd_flock(DRIVER, 1, one, LOCK_SH).unwrap();
        vm.fd_flock(DRIVER, 1, other, LOCK_SH).unwrap();
        assert_eq!(outcome(vm.fd_flock(DRIVER, 1, one, LOCK_EX | LOCK_NB)), "EWOULDBLOCK");
        outcome(vm.fd_flock(DRIVER, 1, other, LOCK_EX | LOCK_NB))
    });
}

#[test]
fn handles_pass_masks() {
    let run = |profile, signal, masked| {
        let mut vm = vm_with(|config| config.profile = profile);
        let handle = process(&mut vm, None);
        if masked {
            block(&mut vm, signal);
        }
        handle.kill(signal);
        let info = &vm.list_processes()[&1];
        (info.status, info.exit_code, handle.wait(Duration::ZERO))
    };
    let ended = (ProcessStatus::Exited, Some(138), Some(138));
    let running = (ProcessStatus::Running, None, None);
    assert_eq!(run(Profile::SecureExec, 10, true), ended);
    assert_eq!(run(Profile::Linux, 10, true), running);
    assert_eq!(run(Profile::SecureExec, 19, false), running);
    assert_eq!(run(Profile::Linux, 19, false), (ProcessStatus::Stopped, None, None));
    assert_eq!(run(Profile::SecureExec, 99, false).1, Some(227));
    assert_eq!(run(Profile::Linux, 99, false), running, "no signal");
}

#[test]
fn any_offset() {
    differ("Ok", "EINVAL", |vm| {
        let fd = file(vm, O_RDWR);
        outcome(vm.fd_seek(DRIVER, 1, fd, i64::MAX, 0))
    });
    differ("ESPIPE", "EINVAL", |vm| {
        let (read, _) = vm.open_pipe(DRIVER, 1).unwrap();
        outcome(vm.fd_seek(DRIVER, 1, read, 0, 9))
    });
}

#[test]
fn ends_wake_orphans() {
    differ((ProcessStatus::Exited, Some(129)), (ProcessStatus::Stopped, None), |vm| {
        process(vm, Some(1));
        vm.kill_process(DRIVER, 2, 19).unwrap();
        // Its parent was in its own group: the group was orphaned before.
        vm.exit_process(DRIVER, 1, 0).unwrap();
        let info = &vm.list_processes()[&2];
        (info.status, info.exit_code)
    });
}

#[test]
fn stopped_parents_hear_nothing() {
    let told = both_profiles().map(|(_, mut vm)| {
        let parent = process(&mut vm, None);
        process(&mut vm, Some(1));
        vm.setpgid(DRIVER, 2, 0).unwrap();
        vm.kill_process(DRIVER, 1, 19).unwrap();
        vm.exit_process(DRIVER, 2, 0).unwrap();
        vm.kill_process(DRIVER, 1, 18).unwrap();
        parent.kill_signals()
    });
    assert!(!told[0].contains(&17), "Profile::SecureExec: {told:?}");
    assert!(told[1].contains(&17), "Profile::Linux: {told:?}");
}

#[test]
fn pwrite_keeps_offset() {
    differ(b"Xbc".to_vec(), b"abcX".to_vec(), |vm| {
        vm.write_file("/f", "abc").unwrap();
        let fd = file(vm, O_RDWR | O_APPEND);
        vm.fd_pwrite(DRIVER, 1, fd, b"X", 0).unwrap();
        vm.read_file("/f").unwrap()
    });
}

#[test]
fn empty_links_are_asked_about() {
    let run = |profile| {
        let mut vm = vm_with(|config| {
            config.profile = profile;
            config.permissions.filesystem = Some(Arc::new(|request: &FsAccessRequest| {
                let inside = request.path.starts_with("/work") || request.path == "/";
                if inside { PermissionDecision::allow() } else { PermissionDecision::deny("out") }
            }));
        });
        vm.mkdir("/work", false).unwrap();
        vm.symlink("/f", "/work/l").unwrap();
        vm.write_file("/work/plain", "1").unwrap();
        outcome(vm.write_file("/work/l", "1"))
    };
    assert_eq!(run(Profile::SecureExec), "Ok");
    assert_eq!(run(Profile::Linux), "EACCES");
}

#[test]
fn devices_have_no_type() {
    differ((0o666, 0o755), (0o020_666, 0o040_755), |vm| {
        let mode = |path| vm.lstat(path).unwrap().mode;
        (mode("/dev/null"), mode("/dev/fd"))
    });
}

#[test]
fn only_files_are_locked() {
    differ("EBADF", "Ok", |vm| {
        let (read, _) = vm.open_pipe(DRIVER, 1).unwrap();
        outcome(vm.fd_flock(DRIVER, 1, read, LOCK_EX))
    });
}

#[test]
fn limits_come_first() {
    let run = |profile| {
        let mut vm = vm_with(|config| {
            config.profile = profile;
            config.resources.max_filesystem_bytes = Some(4);
        });
        process(&mut vm, None);
        let [reads, writes] = [file(&mut vm, O_RDONLY), file(&mut vm, O_RDWR)];
        let first = outcome(vm.fd_write(DRIVER, 1, reads, b"12345"));
        // They come all the same.
        assert_eq!(outcome(vm.fd_write(DRIVER, 1, writes, b"12345")), "ENOSPC");
        assert_eq!(outcome(vm.fd_pwrite(DRIVER, 1, writes, b"12", 3)), "ENOSPC");
        first
    };
    assert_eq!(run(Profile::SecureExec), "ENOSPC");
    assert_eq!(run(Profile::Linux), "EBADF");
}

#[test]
fn orphans_stop() {
    differ(ProcessStatus::Stopped, ProcessStatus::Running, |vm| {
        vm.kill_process(DRIVER, 1, 20).unwrap();
        vm.list_processes()[&1].status
    });
}

#[test]
fn births_start_afresh() {
    differ((0o022, Vec::new()), (0o077, vec![10]), |vm| {
        vm.umask(DRIVER, 1, Some(0o077)).unwrap();
        block(vm, 10);
        process(vm, Some(1));
        let none = SignalSet::empty();
        let mask = vm.sigprocmask(DRIVER, 2, SigmaskHow::Block, none).unwrap();
        (vm.umask(DRIVER, 2, None).unwrap(), mask.signals())
    });
}

#[test]
fn minus_one_is_a_group() {
    differ(("Ok", 1), ("Ok", 0), |vm| {
        process(vm, None);
        let told = outcome(vm.signal_process(DRIVER, -1, 15));
        (told, vm.resource_snapshot().running_processes)
    });
    // Those of the sender's alone, and somebody must be there.
    differ(("EPERM", 2), ("Ok", 1), |vm| {
        process_of(vm, "e", None);
        let told = outcome(vm.signal_process("e", -1, 15));
        (told, vm.resource_snapshot().running_processes)
    });
    differ("EPERM", "ESRCH", |vm| outcome(vm.signal_process("nobody", -1, 15)));
}

#[test]
fn leaders_may_move() {
    differ("Ok", "EPERM", |vm| outcome(vm.setpgid(DRIVER, 1, 0)));
    differ("Ok", "Ok", |vm| {
        process(vm, Some(1));
        outcome(vm.setpgid(DRIVER, 2, 0))
    });
}

#[test]
fn parents_are_made() {
    differ(("Ok", true), ("ENOENT", false), |vm| {
        (outcome(vm.write_file("/a/b", "x")), vm.exists("/a").unwrap())
    });
    differ("Ok", "ENOENT", |vm| outcome(vm.fd_open(DRIVER, 1, "/a/b", O_CREAT, None)));
}

#[test]
fn directories_open_for_writing() {
    for flags in [O_RDWR, O_CREAT] {
        differ("Ok", "EISDIR", |vm| outcome(vm.fd_open(DRIVER, 1, "/", flags, None)));
    }
    differ("Ok", "Ok", |vm| outcome(vm.fd_open(DRIVER, 1, "/", O_RDONLY, None)));
}

#[test]
fn polls_refuse_negatives() {
    differ("EINVAL", "Ok", |vm| {
        let ready = vec![PollFd::new(1, PollEvents::from_bits(4))];
        outcome(vm.poll_fds(DRIVER, 1, ready, -2))
    });
}

#[test]
fn names_are_printable() {
    differ("EINVAL", "Ok", |vm| outcome(vm.write_file("/a\nb", "x")));
    differ("EINVAL", "EINVAL", |vm| outcome(vm.write_file("/a\0b", "x")));
    // As long as may be: it is looked for, and not there.
    let path = |bytes: usize| "/d".repeat(bytes / 2) + &"d"[..bytes % 2];
    differ("ENOENT", "ENOENT", |vm| outcome(vm.stat(&path(4_095))));
    differ("ENOENT", "ENAMETOOLONG", |vm| outcome(vm.stat(&path(4_096))));
    differ("ENAMETOOLONG", "ENAMETOOLONG", |vm| outcome(vm.stat(&path(4_097))));
}

#[test]
fn long_words_are_invalid() {
    differ("EINVAL", "E2BIG", |vm| {
        let words = vec!["x".repeat(1 << 20)];
        let options = VirtualProcessOptions::default();
        outcome(vm.create_virtual_process(DRIVER, DRIVER, "job", words, options))
    });
}

#[test]
fn directories_may_exist() {
    differ(["Ok", "Ok"], ["EEXIST", "Ok"], |vm| {
        vm.create_dir("/d").unwrap();
        [outcome(vm.create_dir("/d")), outcome(vm.mkdir("/d", true))]
    });
}

#[test]
fn root_is_forbidden() {
    differ(["EPERM"; 3], ["EBUSY"; 3], |vm| {
        vm.create_dir("/d").unwrap();
        let renames = [vm.rename("/", "/d/x"), vm.rename("/d", "/")].map(outcome);
        [outcome(vm.remove_dir("/")), renames[0], renames[1]]
    });
}

#[test]
fn renames_cross_kinds() {
    differ(["Ok", "Ok", "Ok"], ["EISDIR", "ENOTDIR", "ENOENT"], |vm| {
        for directory in ["/d", "/e"] {
            vm.create_dir(directory).unwrap();
        }
        vm.write_file("/f", "x").unwrap();
        vm.write_file("/g", "x").unwrap();
        let over = [vm.rename("/f", "/d"), vm.rename("/e", "/g"), vm.rename("/none", "/none")];
        over.map(outcome)
    });
    // Onto another name of the same file.
    differ(vec!["b"], vec!["a", "b"], |vm| {
        vm.write_file("/a", "x").unwrap();
        vm.link("/a", "/b").unwrap();
        vm.rename("/a", "/b").unwrap();
        let names = vm.read_dir("/").unwrap();
        ["a", "b"].into_iter().filter(|name| names.iter().any(|there| there == name)).collect()
    });
}

#[test]
fn links_follow() {
    differ((false, "EPERM"), (true, "Ok"), |vm| {
        vm.write_file("/f", "x").unwrap();
        vm.create_dir("/d").unwrap();
        vm.symlink("/f", "/l").unwrap();
        vm.symlink("/d", "/to-d").unwrap();
        vm.link("/l", "/m").unwrap();
        let of_directory = outcome(vm.link("/to-d", "/n"));
        assert_eq!(outcome(vm.link("/d", "/o")), "EPERM");
        (vm.lstat("/m").unwrap().is_symbolic_link, of_directory)
    });
}

#[test]
fn shebangs_split() {
    use tickernel::command_registry::CommandDriver;
    use tickernel::kernel::SpawnOptions;
    let run = |vm: &mut Vm, line: &str| {
        vm.write_file("/s", line).unwrap();
        vm.chmod("/s", 0o755).unwrap();
        outcome(vm.spawn_process("/s", Vec::new(), SpawnOptions::default()))
    };
    // env(1) gets one argument, and looks for a command of that name.
    differ(["Ok"; 3], ["Ok", "ENOENT", "Ok"], |vm| {
        vm.register_driver(CommandDriver::new("shell", ["awk"])).unwrap();
        ["#!/usr/bin/env awk\n", "#!/usr/bin/env awk -f\n", "#!/bin/awk -f -v x\n"]
            .map(|line| run(vm, line))
    });
    let argv_limit = |profile| {
        let mut vm = vm_with(|config| {
            config.profile = profile;
            config.resources.max_process_argv_bytes = Some("awk\0-f    -v\0/s\0".len());
        });
        vm.register_driver(CommandDriver::new("shell", ["awk"])).unwrap();
        run(&mut vm, "#!/bin/awk -f    -v \n")
    };
    // The blanks inside are kept.
    assert_eq!(argv_limit(Profile::Linux), "Ok");
    assert_eq!(argv_limit(Profile::SecureExec), "Ok");
}

#[test]
fn full_stays_full() {
    use tickernel::command_registry::CommandDriver;
    let full = |profile| {
        let mut vm = vm_with(|config| {
            config.profile = profile;
            config.resources.max_filesystem_bytes = Some(8);
        });
        vm.write_file("/f", "12345678").unwrap();
        // What stands for a command is written whatever the limit.
        vm.register_driver(CommandDriver::new("shell", ["sh"])).unwrap();
        let shorter = outcome(vm.truncate("/f", 7));
        let again = outcome(vm.write_file("/f", "1234567"));
        let grown = outcome(vm.truncate("/f", 9));
        // It is the rest that matters: what leaves few enough is taken.
        vm.remove_file("/bin/sh").unwrap();
        [shorter, again, grown, outcome(vm.truncate("/f", 6))]
    };
    assert_eq!(full(Profile::Linux), ["Ok", "Ok", "ENOSPC", "Ok"]);
    assert_eq!(full(Profile::SecureExec), ["ENOSPC", "ENOSPC", "ENOSPC", "Ok"]);
}

/// The text of a file of /proc for process 1.
fn shown(vm: &mut Vm, path: &str) -> String {
    let bytes = vm.read_file_for_process(DRIVER, 1, path);
    bytes.map_or_else(|error| error.code().to_owned(), |bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn proc_names_are_whole() {
    let first = |text: &str| text.lines().next().unwrap().to_owned();
    differ(
        "Name:\t/bin/a-name-that-is-long".to_owned(),
        "Name:\ta-name-that-is-".to_owned(),
        |vm| {
            let (command, options) = ("/bin/a-name-that-is-long", VirtualProcessOptions::default());
            vm.create_virtual_process(DRIVER, DRIVER, command, Vec::new(), options).unwrap();
            first(&shown(vm, "/proc/2/status"))
        },
    );
}

#[test]
fn proc_self_is_absolute() {
    differ("/proc/1".to_owned(), "1".to_owned(), |vm| {
        vm.read_link_for_process(DRIVER, 1, "/proc/self").unwrap()
    });
}

#[test]
fn zombies_keep_texts() {
    differ("job\0".to_owned(), String::new(), |vm| {
        process(vm, None);
        vm.exit_process(DRIVER, 2, 0).unwrap();
        shown(vm, "/proc/2/cmdline")
    });
}

#[test]
fn gone_processes_are_missing() {
    differ("ENOENT", "ESRCH", |vm| {
        process(vm, None);
        let fd = vm.fd_open(DRIVER, 1, "/proc/2/stat", O_RDONLY, None).unwrap();
        vm.exit_process(DRIVER, 2, 0).unwrap();
        vm.waitpid(2).unwrap();
        outcome(vm.fd_read(DRIVER, 1, fd, 9))
    });
}

/// The names that are bends only: `NAME: bent,` in the profile's table.
fn bends() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/systems/profile.rs");
    let text = std::fs::read_to_string(path).unwrap();
    let name = |line: &str| line.trim().strip_suffix(": bent,").map(str::to_owned);
    text.lines().filter_map(name).collect()
}

#[test]
fn every_bend_has_a_test_of_its_name() {
    let own = include_str!("bends.rs");
    let names = bends();
    assert!(names.len() >= 27, "the table is no longer read: {names:?}");
    let missing = |name: &&String| !own.contains(&format!("#[test]\nfn {name}() {{"));
    let missing: Vec<&String> = names.iter().filter(missing).collect();
    assert!(missing.is_empty(), "bends without a test here: {missing:?}");
}
