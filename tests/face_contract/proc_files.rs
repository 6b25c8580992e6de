//! Section 16: what /proc lists, what its entries are and say, how they are opened, and that
//! nothing there is ever changed.

use crate::out::{Out, replayed_digest};
use crate::support::{
    DRIVER, Vm, both_profiles, code, config, process, refused, says, vm, vm_with, watched,
};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tickernel::fd_table::{
    FILETYPE_DIRECTORY, FILETYPE_REGULAR_FILE, O_CREAT, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY,
};
use tickernel::kernel::{FaceClock, KernelResult, KernelVm, Profile, VirtualProcessOptions};
use tickernel::mount_table::{MountOptions, MountTable};
use tickernel::permissions::{
    FsAccessRequest, FsOperation, PermissionDecision, PermissionRule, RuleOperation,
};
use tickernel::root_fs::{RootFileSystem, RootFilesystemDescriptor};
use tickernel::vfs::{MemoryFileSystem, VirtualFileSystem, VirtualStat};

const TOP: [&str; 7] = ["cpuinfo", "loadavg", "meminfo", "mounts", "self", "uptime", "version"];
const OF_PROCESS: [&str; 6] = ["cmdline", "cwd", "environ", "fd", "stat", "status"];
/// In the order of their inodes.
const SYSTEM_FILES: [&str; 6] = ["mounts", "cpuinfo", "meminfo", "loadavg", "uptime", "version"];

/// /w/f, and process 1 in /w with the file open as descriptor 3.
fn with_file(mut vm: Vm) -> Vm {
    vm.mkdir("/w", true).unwrap();
    vm.write_file("/w/f", "hello").unwrap();
    let options = VirtualProcessOptions {
        cwd: Some("/w".to_owned()),
        env: [("K".to_owned(), "v w".to_owned())].into(),
        ..Default::default()
    };
    let words = vec!["a b".to_owned(), String::new()];
    vm.create_virtual_process(DRIVER, DRIVER, "/bin/a-long-name (x)", words, options).unwrap();
    assert_eq!(vm.fd_open(DRIVER, 1, "/w/f", 0, None).unwrap(), 3);
    vm
}

fn text<F: VirtualFileSystem>(vm: &mut KernelVm<F>, path: &str) -> String {
    String::from_utf8(vm.read_file(path).unwrap()).unwrap()
}

/// Every path of /proc but /proc/self, of a machine with process 1 alone.
fn all_paths(vm: &mut Vm) -> Vec<String> {
    let mut all = vec!["/proc".to_owned(), "/proc/1".to_owned()];
    all.extend(SYSTEM_FILES.iter().map(|name| format!("/proc/{name}")));
    all.extend(OF_PROCESS.iter().map(|name| format!("/proc/1/{name}")));
    let fds = vm.dev_fd_read_dir(DRIVER, 1).unwrap();
    all.extend(fds.iter().map(|fd| format!("/proc/1/fd/{fd}")));
    all
}

#[test]
fn listings_are_sorted_as_strings_and_descriptors_by_number() {
    let mut vm = vm();
    for _ in 0..11 {
        process(&mut vm, None);
    }
    let mut wanted: Vec<String> = (1..12).map(|pid| pid.to_string()).collect();
    wanted.sort();
    wanted.extend(TOP.map(str::to_owned));
    assert_eq!(vm.read_dir("/proc").unwrap(), wanted);
    assert_eq!(vm.read_dir("/proc/2").unwrap(), OF_PROCESS);
    for _ in 3..12 {
        vm.fd_dup(DRIVER, 1, 0).unwrap();
    }
    let fds: Vec<String> = (0..12).map(|fd| fd.to_string()).collect();
    assert_eq!(vm.read_dir("/proc/1/fd").unwrap(), fds);
    assert_eq!(vm.read_dir_for_process(DRIVER, 1, "/proc/self/fd").unwrap(), fds);
    assert_eq!(code(vm.read_dir("/proc/1/stat")), "ENOTDIR");
    assert_eq!(code(vm.read_dir_for_process(DRIVER, 2, "/proc/self/status")), "ENOTDIR");
}

#[test]
fn types_of_entries_are_told_and_agree_with_lstat() {
    for (_, vm) in both_profiles() {
        let mut vm = with_file(vm);
        for directory in ["/proc", "/proc/1", "/proc/1/fd"] {
            for entry in vm.read_dir_with_types_for_process(DRIVER, 1, directory).unwrap() {
                let path = format!("{directory}/{}", entry.name);
                let stat = vm.lstat_for_process(DRIVER, 1, &path).unwrap();
                assert_eq!(entry.is_directory, stat.is_directory, "{path}");
                assert_eq!(entry.is_symbolic_link, stat.is_symbolic_link, "{path}");
            }
        }
    }
}

#[test]
fn entries_have_the_modes_sizes_and_inodes_of_the_contract() {
    for (profile, vm) in both_profiles() {
        let mut vm = with_file(vm);
        let typed = profile == Profile::Linux;
        for path in all_paths(&mut vm) {
            let VirtualStat { mode, size, blocks, dev, nlink, uid, gid, .. } =
                vm.lstat(&path).unwrap();
            let stat = vm.lstat(&path).unwrap();
            let (wanted, kind, length) = match (stat.is_directory, stat.is_symbolic_link) {
                (true, _) => (0o555, 0o040_000, 0),
                (_, true) => (0o777, 0o120_000, vm.read_link(&path).unwrap().len()),
                (..) => (0o444, 0o100_000, vm.read_file(&path).unwrap().len()),
            };
            assert_eq!(mode, wanted | if typed { kind } else { 0 }, "{path}: {mode:o}");
            assert_eq!((size, blocks), (length as u64, size.div_ceil(512)), "{path}");
            assert_eq!((dev, uid, gid), (3, 0, 0), "{path}");
            assert_eq!(nlink, if stat.is_directory { 2 } else { 1 }, "{path}");
        }
        let inode = |path: &str| vm.lstat_for_process(DRIVER, 1, path).unwrap().ino;
        assert_eq!(inode("/proc"), 0xfffe_0001);
        for (name, number) in SYSTEM_FILES.iter().zip(0xfffe_0002..) {
            assert_eq!(inode(&format!("/proc/{name}")), number);
        }
        assert_eq!(inode("/proc/self"), 0xfffe_1001);
        assert_eq!(inode("/proc/1"), 0xfffe_2001);
        for (name, base) in
            ["fd", "cmdline", "environ", "cwd", "stat", "status"].iter().zip(3_u64..)
        {
            assert_eq!(inode(&format!("/proc/1/{name}")), 0xfffe_0001 + (base << 12));
        }
        assert_eq!(inode("/proc/1/fd/3"), 0xffff_0103);
    }
}

#[test]
fn words_of_a_process_end_with_zeros() {
    for (_, vm) in both_profiles() {
        let mut vm = with_file(vm);
        assert_eq!(text(&mut vm, "/proc/1/cmdline"), "/bin/a-long-name (x)\0a b\0\0");
        assert_eq!(text(&mut vm, "/proc/1/environ"), "K=v w\0");
        assert_eq!(vm.read_link("/proc/1/cwd").unwrap(), "/w");
        process(&mut vm, None);
        assert_eq!(vm.read_link("/proc/2/cwd").unwrap(), "/workspace");
        assert_eq!(text(&mut vm, "/proc/2/environ"), "");
    }
}

#[test]
fn stat_has_the_columns_of_linux() {
    for (profile, vm) in both_profiles() {
        let mut vm = with_file(vm);
        process(&mut vm, Some(1));
        process(&mut vm, None);
        vm.kill_process(DRIVER, 2, 19).unwrap();
        vm.exit_process(DRIVER, 3, 0).unwrap();
        let name = match profile {
            Profile::SecureExec => "(/bin/a-long-name (x])",
            Profile::Linux => "(a-long-name (x))",
        };
        let heads = [(1, name, "R 0 1 1"), (2, "(job)", "T 1 1 1"), (3, "(job)", "Z 0 3 3")];
        for (pid, name, rest) in heads {
            let text = text(&mut vm, &format!("/proc/{pid}/stat"));
            let tail = text.strip_prefix(&format!("{pid} {name} ")).expect(&text);
            assert!(tail.starts_with(&format!("{rest} 0 ")) && text.ends_with(" 0\n"), "{text}");
            // Two fields stand before the state.
            let fields: Vec<&str> = tail.split_whitespace().collect();
            assert_eq!(fields.len() + 2, 52, "{text}");
            assert_eq!((fields[18 - 3], fields[20 - 3]), ("20", "1"), "priority and threads");
            let others = (7..=52).filter(|field| ![18, 20].contains(field));
            assert!(others.map(|field| fields[field - 3]).all(|field| field == "0"), "{text}");
        }
    }
}

#[test]
fn status_names_the_state_and_the_ids() {
    let mut vm = with_file(vm_with(|config| {
        (config.user.uid, config.user.euid) = (Some(7), Some(8));
        (config.user.gid, config.user.egid) = (Some(9), Some(10));
    }));
    process(&mut vm, Some(1));
    process(&mut vm, None);
    vm.kill_process(DRIVER, 2, 19).unwrap();
    vm.exit_process(DRIVER, 3, 0).unwrap();
    let status = |name: &str, state: &str, pid: u32, ppid: u32| {
        format!(
            "Name:\t{name}\nState:\t{state}\nPid:\t{pid}\nPPid:\t{ppid}\nUid:\t7\t8\t8\t8\n\
             Gid:\t9\t10\t10\t10\nVmSize:\t       0 kB\nVmRSS:\t        0 kB\nThreads:\t1\n"
        )
    };
    let first = status("/bin/a-long-name (x)", "R (running)", 1, 0);
    assert_eq!(text(&mut vm, "/proc/1/status"), first);
    assert_eq!(text(&mut vm, "/proc/2/status"), status("job", "T (stopped)", 2, 1));
    assert_eq!(text(&mut vm, "/proc/3/status"), status("job", "Z (zombie)", 3, 0));
}

#[test]
fn texts_of_the_machine_follow_its_limits_and_its_processes() {
    let mut vm = vm_with(|config| {
        config.resources.virtual_cpu_count = Some(3);
        config.resources.max_wasm_memory_bytes = Some(200 << 20);
    });
    let cpus = text(&mut vm, "/proc/cpuinfo");
    for number in 0..3 {
        assert!(cpus.contains(&format!("processor\t: {number}\n")), "{cpus}");
    }
    assert_eq!(cpus.matches("processor").count(), 3);
    assert_eq!(cpus.matches("model name\t: secure-exec Virtual CPU\n").count(), 3);
    assert_eq!(cpus.matches("cpu MHz\t\t: 1000.000\n").count(), 3);
    assert_eq!(
        text(&mut vm, "/proc/meminfo"),
        "MemTotal:  204800 kB\nMemFree:   204800 kB\nMemAvailable:204800 kB\n\
         Buffers:        0 kB\nCached:         0 kB\n"
    );
    assert_eq!(text(&mut vm, "/proc/loadavg"), "0.00 0.00 0.00 0/0 0\n");
    for _ in 0..4 {
        process(&mut vm, None);
    }
    vm.kill_process(DRIVER, 2, 19).unwrap();
    vm.exit_process(DRIVER, 3, 0).unwrap();
    assert_eq!(text(&mut vm, "/proc/loadavg"), "0.00 0.00 0.00 2/4 4\n");
    assert!(text(&mut vm, "/proc/version").starts_with("Linux version 6.8.0-agentos"));
    assert_eq!(text(&mut vm, "/proc/mounts"), "root / root rw 0 0\n");
    let mut none = vm_with(|config| {
        config.resources.virtual_cpu_count = None;
        config.resources.max_wasm_memory_bytes = None;
    });
    assert_eq!(text(&mut none, "/proc/cpuinfo").matches("processor").count(), 1);
    assert!(text(&mut none, "/proc/meminfo").starts_with("MemTotal:   65536 kB\n"));
}

#[test]
fn uptime_grows_with_real_time_and_with_the_virtual_clock() {
    let seconds = |text: &str| -> Vec<f64> {
        text.split_whitespace().map(|word| word.parse().unwrap()).collect()
    };
    let told = watched("an uptime above nothing", move || {
        let mut real = vm_with(|config| config.clock = FaceClock::Real);
        loop {
            let told = seconds(&text(&mut real, "/proc/uptime"));
            if told[0] > 0.0 {
                return told;
            }
        }
    });
    assert!(told.len() == 2 && told[1] >= told[0], "{told:?}");
    let mut vm = vm();
    process(&mut vm, None);
    assert_eq!(text(&mut vm, "/proc/uptime"), "0.00 0.00\n");
    let (read, _) = vm.open_pipe(DRIVER, 1).unwrap();
    let second = Some(Duration::from_millis(1_250));
    assert_eq!(code(vm.fd_read_with_timeout_result(DRIVER, 1, read, 1, second)), "EAGAIN");
    assert_eq!(text(&mut vm, "/proc/uptime"), "1.25 1.25\n");
}

#[test]
fn mounts_are_the_tables_the_longest_path_first() {
    let descriptor = RootFilesystemDescriptor::default();
    let mut table = MountTable::new(RootFileSystem::from_descriptor(descriptor).unwrap());
    let blank = MountOptions::new("plug").read_only(true);
    table.mount("/a b", MemoryFileSystem::new(), blank).unwrap();
    let mut vm = KernelVm::new(table, config());
    let options = MountOptions::new("more");
    vm.mount_filesystem("/longer/path", MemoryFileSystem::new(), options).unwrap();
    let wanted = "more /longer/path more rw 0 0\nplug /a\\040b plug ro 0 0\nroot / root rw 0 0\n";
    let out = Out::default();
    vm.record_to(out.clone()).unwrap();
    assert_eq!(text(&mut vm, "/proc/mounts"), wanted);
    assert_eq!(vm.lstat("/proc/mounts").unwrap().size, wanted.len() as u64);
    let digest = vm.digest();
    vm.finish_recording().unwrap();
    assert_eq!(replayed_digest(&out.bytes()), digest, "the answer is recorded");
}

#[test]
fn self_is_the_process_that_looks() {
    for (profile, vm) in both_profiles() {
        let mut vm = with_file(vm);
        process(&mut vm, Some(1));
        for path in ["/proc/self", "/proc/self/stat", "/proc/self/fd", "/proc/self/fd/0"] {
            refused(&mut vm, "ENOENT", |vm| vm.stat(path));
            refused(&mut vm, "ENOENT", |vm| vm.lstat(path));
            refused(&mut vm, "ENOENT", |vm| vm.read_link(path));
            refused(&mut vm, "ENOENT", |vm| vm.realpath(path));
            refused(&mut vm, "ENOENT", |vm| vm.read_file(path));
            refused(&mut vm, "ENOENT", |vm| vm.read_dir(path));
            assert!(!vm.exists(path).unwrap());
            assert!(vm.exists_for_process(DRIVER, 2, path).unwrap());
            let own = path.replace("self", "2");
            let stat = vm.stat_for_process(DRIVER, 2, path).unwrap();
            assert_eq!(stat.ino, vm.stat(&own).unwrap().ino);
            let real = vm.realpath_for_process(DRIVER, 2, path).unwrap();
            assert_eq!(real, vm.realpath(&own).unwrap());
        }
        let link = vm.read_link_for_process(DRIVER, 2, "/proc/self").unwrap();
        assert_eq!(link, if profile == Profile::SecureExec { "/proc/2" } else { "2" });
        assert_eq!(vm.lstat_for_process(DRIVER, 2, "/proc/self").unwrap().ino, 0xfffe_1002);
        assert_eq!(vm.read_dir_for_process(DRIVER, 2, "/proc/self").unwrap(), OF_PROCESS);
        let stat = vm.read_file_for_process(DRIVER, 2, "/proc/self/stat").unwrap();
        assert_eq!(stat, vm.read_file("/proc/2/stat").unwrap());
        let fd = vm.fd_open(DRIVER, 2, "/proc/self/stat", 0, None).unwrap();
        assert_eq!(vm.fd_read(DRIVER, 2, fd, 4_096).unwrap(), stat);
        assert_eq!(vm.fd_path(DRIVER, 2, fd).unwrap(), "/proc/2/stat");
        // Of a process that is stopped, too.
        vm.kill_process(DRIVER, 2, 19).unwrap();
        assert_eq!(vm.read_file_for_process(DRIVER, 2, "/proc/self/stat").unwrap()[6..9], *b") T");
    }
}

#[test]
fn links_read_as_paths_and_lead_there() {
    for (_, vm) in both_profiles() {
        let mut vm = with_file(vm);
        assert_eq!(vm.read_link("/proc/1/fd/0").unwrap(), "/dev/stdin");
        assert_eq!(vm.read_link("/proc/1/fd/3").unwrap(), "/w/f");
        assert_eq!(vm.lstat("/proc/1/fd/3").unwrap().size, 4);
        assert_eq!(vm.stat("/proc/1/fd/3").unwrap().ino, vm.stat("/w/f").unwrap().ino);
        assert_eq!(vm.stat("/proc/1/fd/0").unwrap(), vm.stat("/dev/stdin").unwrap());
        assert_eq!(vm.realpath("/proc/1/fd/3").unwrap(), "/w/f");
        assert_eq!(vm.read_file("/proc/1/fd/3").unwrap(), b"hello");
        assert_eq!(vm.pread_file("/proc/1/fd/3", 1, 2).unwrap(), b"el");
        assert_eq!(vm.stat("/proc/1/cwd").unwrap().ino, vm.stat("/w").unwrap().ino);
        assert_eq!(vm.read_dir("/proc/1/cwd").unwrap(), ["f"]);
        assert_eq!(code(vm.read_file("/proc/1/cwd")), "EISDIR");
        // What lies below a link that leads away is reached through it, as on Linux.
        assert_eq!(vm.read_file("/proc/1/cwd/f").unwrap(), b"hello");
        assert_eq!(code(vm.read_file("/proc/1/cwd/missing")), "ENOENT");
        assert_eq!(code(vm.read_file("/proc/1/fd/3/x")), "ENOTDIR");
        vm.rename("/w/f", "/w/g").unwrap();
        assert_eq!(vm.read_link("/proc/1/fd/3").unwrap(), "/w/g");
        assert_eq!(code(vm.read_link("/proc/1/stat")), "EINVAL");
        assert_eq!(code(vm.read_link("/proc/1")), "EINVAL");
        // A link to itself ends.
        let options =
            VirtualProcessOptions { cwd: Some("/proc/self/cwd".to_owned()), ..Default::default() };
        vm.create_virtual_process(DRIVER, DRIVER, "job", vec![], options).unwrap();
        assert_eq!(code(vm.stat_for_process(DRIVER, 2, "/proc/self/cwd/x")), "ELOOP");
    }
}

#[test]
fn what_has_no_path_is_looked_at_and_opened_once_more() {
    let mut vm = with_file(vm());
    let (read, write) = vm.open_pipe(DRIVER, 1).unwrap();
    let path = format!("/proc/1/fd/{read}");
    assert_eq!(vm.read_link(&path).unwrap(), vm.fd_path(DRIVER, 1, read).unwrap());
    assert_eq!(vm.stat(&path).unwrap(), vm.dev_fd_stat(DRIVER, 1, read).unwrap());
    assert!(vm.exists(&path).unwrap());
    assert_eq!(code(vm.realpath(&path)), "ENOENT");
    assert_eq!(code(vm.read_file(&path)), "EINVAL");
    process(&mut vm, None);
    let own = vm.fd_open(DRIVER, 2, &path, 0, None).unwrap();
    vm.fd_write(DRIVER, 1, write, b"through").unwrap();
    assert_eq!(vm.fd_read(DRIVER, 2, own, 16).unwrap(), b"through");
    vm.fd_close(DRIVER, 1, write).unwrap();
    assert_eq!(vm.fd_read(DRIVER, 2, own, 16).unwrap(), b"");
}

#[test]
fn files_are_opened_read_and_sought_but_never_written() {
    for (profile, vm) in both_profiles() {
        let mut vm = with_file(vm);
        let whole = vm.read_file("/proc/version").unwrap();
        let fd = vm.fd_open(DRIVER, 1, "/proc/version", 0, None).unwrap();
        assert_eq!(vm.fd_stat(DRIVER, 1, fd).unwrap().filetype, FILETYPE_REGULAR_FILE);
        assert_eq!(vm.dev_fd_stat(DRIVER, 1, fd).unwrap(), vm.stat("/proc/version").unwrap());
        assert_eq!(vm.fd_read(DRIVER, 1, fd, 5).unwrap(), b"Linux");
        assert_eq!(vm.fd_read(DRIVER, 1, fd, 8).unwrap(), b" version");
        assert_eq!(vm.fd_seek(DRIVER, 1, fd, 0, 1).unwrap(), 13);
        assert_eq!(vm.fd_seek(DRIVER, 1, fd, -1, 2).unwrap(), whole.len() as u64 - 1);
        assert_eq!(vm.fd_read(DRIVER, 1, fd, 100).unwrap(), b"\n");
        assert_eq!(vm.fd_read(DRIVER, 1, fd, 100).unwrap(), b"");
        assert_eq!(vm.fd_pread(DRIVER, 1, fd, 4, 6).unwrap(), b"vers");
        assert_eq!(vm.pread_file("/proc/version", 6, 4).unwrap(), b"vers");
        assert_eq!(vm.pread_file("/proc/version", 6_000, 4).unwrap(), b"");
        assert_eq!(vm.read_link(&format!("/proc/1/fd/{fd}")).unwrap(), "/proc/version");
        assert_eq!(vm.stat(&format!("/proc/1/fd/{fd}")).unwrap().ino, 0xfffe_0007);
        // On Linux the access mode is looked at first.
        let refusal = if profile == Profile::Linux { "EBADF" } else { "EROFS" };
        refused(&mut vm, refusal, |vm| vm.fd_write(DRIVER, 1, fd, b"x"));
        refused(&mut vm, refusal, |vm| vm.fd_pwrite(DRIVER, 1, fd, b"x", 0));
        let directory = vm.fd_open(DRIVER, 1, "/proc/1/fd", 0, None).unwrap();
        assert_eq!(vm.fd_stat(DRIVER, 1, directory).unwrap().filetype, FILETYPE_DIRECTORY);
        assert_eq!(code(vm.fd_read(DRIVER, 1, directory, 5)), "EISDIR");
        assert_eq!(vm.dev_fd_stat(DRIVER, 1, directory).unwrap().ino, 0xfffe_3001);
        let file = vm.fd_open(DRIVER, 1, "/proc/1/fd/3", 0, None).unwrap();
        assert_eq!(vm.fd_read(DRIVER, 1, file, 9).unwrap(), b"hello", "an offset of its own");
    }
}

#[test]
fn a_process_that_has_gone_is_no_more_in_its_open_files() {
    for (profile, vm) in both_profiles() {
        let mut vm = with_file(vm);
        process(&mut vm, None);
        let fd = vm.fd_open(DRIVER, 1, "/proc/2/status", 0, None).unwrap();
        vm.exit_process(DRIVER, 2, 0).unwrap();
        let zombie = String::from_utf8(vm.fd_read(DRIVER, 1, fd, 4_096).unwrap()).unwrap();
        assert!(zombie.contains("State:\tZ (zombie)\n"), "{zombie}");
        assert!(vm.read_dir("/proc/2/fd").unwrap().is_empty());
        // Linux: its memory, and what it refers to, went with it.
        let words = if profile == Profile::Linux { "" } else { "job\0" };
        assert_eq!(text(&mut vm, "/proc/2/cmdline"), words);
        let cwd = vm.read_link("/proc/2/cwd").map_err(|error| error.code());
        let linux = profile == Profile::Linux;
        assert_eq!(cwd, if linux { Err("ENOENT") } else { Ok("/workspace".to_owned()) });
        vm.waitpid(2).unwrap();
        let gone = if linux { "ESRCH" } else { "ENOENT" };
        assert_eq!(code(vm.fd_pread(DRIVER, 1, fd, 9, 0)), gone);
        assert_eq!(code(vm.fd_seek(DRIVER, 1, fd, 0, 2)), gone);
        assert_eq!(vm.fd_stat(DRIVER, 1, fd).unwrap().filetype, FILETYPE_REGULAR_FILE);
        assert_eq!(code(vm.dev_fd_stat(DRIVER, 1, fd)), "ENOENT");
        assert_eq!(code(vm.read_dir("/proc/2")), "ENOENT");
    }
}

#[test]
fn what_is_unknown_is_not_there() {
    let mut vm = with_file(vm());
    for path in [
        "/proc/nope",
        "/proc/2",
        "/proc/01",
        "/proc/+1",
        "/proc/0",
        "/proc/-1",
        "/proc/4294967297",
        "/proc/1/nope",
        "/proc/1/fd/4",
        "/proc/1/fd/03",
        "/proc/1/fd/x",
        "/proc/1/stat/x",
        "/proc/version/x",
        "/proc/1/fd/3\u{e9}",
    ] {
        refused(&mut vm, "ENOENT", |vm| vm.read_file(path));
        refused(&mut vm, "ENOENT", |vm| vm.stat(path));
        refused(&mut vm, "ENOENT", |vm| vm.lstat(path));
        refused(&mut vm, "ENOENT", |vm| vm.read_dir(path));
        refused(&mut vm, "ENOENT", |vm| vm.fd_open(DRIVER, 1, path, 0, None));
        refused(&mut vm, "ENOENT", |vm| vm.fd_open(DRIVER, 1, path, O_RDWR | O_CREAT, None));
        assert!(!vm.exists_for_process(DRIVER, 1, path).unwrap(), "{path}");
    }
    // Paths are normalised by their text; names that only begin so are the file system's.
    assert_eq!(vm.realpath("//w/../proc/./1/fd/..//stat").unwrap(), "/proc/1/stat");
    vm.write_file("/process", "x").unwrap();
    assert_eq!(vm.read_file("/process").unwrap(), b"x");
    assert_eq!(code(vm.read_file("/proc/\u{1}")), "EINVAL");
    assert!(
        !vm.filesystem_mut().exists("/proc/version").unwrap(),
        "the file system has none of it"
    );
}

#[test]
fn every_change_is_refused_and_changes_nothing() {
    for (_, vm) in both_profiles() {
        let mut vm = with_file(vm);
        for path in ["/proc", "/proc/version", "/proc/1", "/proc/1/cwd/f", "/proc/1/fd/3"] {
            let mut each = |call: &dyn Fn(&mut Vm) -> KernelResult<()>| {
                refused(&mut vm, "EROFS", |vm| call(vm));
            };
            each(&|vm| vm.write_file(path, "x"));
            each(&|vm| vm.write_file_for_process(DRIVER, 1, path, "x", None));
            each(&|vm| vm.pwrite_file(path, 0, "x"));
            each(&|vm| vm.truncate(path, 0));
            each(&|vm| vm.chmod(path, 0o777));
            each(&|vm| vm.chown(path, 1, 1));
            each(&|vm| vm.utimes(path, 1, 1));
            each(&|vm| vm.create_dir(path));
            each(&|vm| vm.create_dir_for_process(DRIVER, 1, path, None));
            each(&|vm| vm.mkdir(path, false));
            each(&|vm| vm.mkdir(path, true));
            each(&|vm| vm.mkdir_for_process(DRIVER, 1, path, true, None));
            each(&|vm| vm.remove_file(path));
            each(&|vm| vm.remove_dir(path));
            each(&|vm| vm.rename(path, "/w/new"));
            each(&|vm| vm.rename("/w/f", path));
            each(&|vm| vm.symlink("/w/f", path));
            each(&|vm| vm.symlink(path, "/w/new"));
            each(&|vm| vm.symlink(&format!("..{path}"), "/w/new"));
            each(&|vm| vm.link(path, "/w/new"));
            each(&|vm| vm.link("/w/f", path));
            for flags in [O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC] {
                each(&|vm| vm.fd_open(DRIVER, 1, path, flags, None).map(drop));
            }
        }
        vm.symlink("proc/version", "/w/ours").unwrap();
        assert_eq!(vm.read_link("/w/ours").unwrap(), "proc/version");
    }
}

#[test]
fn an_open_file_of_proc_takes_no_times() {
    let mut vm = with_file(vm());
    let fd = vm.fd_open(DRIVER, 1, "/proc/uptime", 0, None).unwrap();
    let now = tickernel::vfs::VirtualUtimeSpec::Now;
    refused(&mut vm, "EROFS", |vm| vm.futimes(DRIVER, 1, fd, now, now));
}

type Log = Arc<Mutex<Vec<String>>>;

/// A machine whose policy notes what it is asked and denies what it is told to.
fn asking(denied: &'static str) -> (Vm, Log) {
    let log = Log::default();
    let own = Arc::clone(&log);
    let vm = with_file(vm_with(|config| {
        config.permissions.filesystem = Some(Arc::new(move |request: &FsAccessRequest| {
            let asked = format!("{:?} {}", request.op, request.path);
            let denies = !denied.is_empty() && asked.starts_with(denied);
            own.lock().unwrap().push(asked);
            if denies { PermissionDecision::deny("no") } else { PermissionDecision::allow() }
        }));
    }));
    log.lock().unwrap().clear();
    (vm, log)
}

#[track_caller]
fn asks<T: Debug>(wanted: &[&str], call: impl FnOnce(&mut Vm) -> KernelResult<T>) {
    let (mut vm, log) = asking("");
    let result = call(&mut vm);
    assert_eq!(*log.lock().unwrap(), wanted, "{result:?}");
}

#[test]
fn the_policy_is_asked_to_read_the_path_as_it_was_given() {
    asks(&["Read /proc/version"], |vm| vm.read_file("/proc/version"));
    asks(&["Read /proc/../proc/version"], |vm| vm.stat("/proc/../proc/version"));
    asks(&["Read /proc/"], |vm| vm.read_dir("/proc/"));
    asks(&["Read /proc/1/cwd"], |vm| vm.lstat("/proc/1/cwd"));
    asks(&["Read /proc/1/fd/3"], |vm| vm.read_link("/proc/1/fd/3"));
    asks(&["Read /proc/1"], |vm| vm.realpath("/proc/1"));
    asks(&["Read /proc/1"], |vm| vm.exists("/proc/1"));
    asks(&["Read /proc/1/fd/3", "Read /w/f"], |vm| vm.read_file("/proc/1/fd/3"));
    asks(&["Read /proc/1/cwd", "Stat /w"], |vm| vm.stat("/proc/1/cwd"));
    asks(&["Read /proc/self/stat"], |vm| vm.read_file_for_process(DRIVER, 1, "/proc/self/stat"));
    asks(&["Read /proc/uptime"], |vm| vm.fd_open(DRIVER, 1, "/proc/uptime", 0, None));
    asks(&[], |vm| vm.read_file("/proc/nope"));
    asks(&["Write /proc/version"], |vm| vm.write_file("/proc/version", "x"));
    asks(&["Write /proc/version"], |vm| vm.fd_open(DRIVER, 1, "/proc/version", 1, None));
    asks(&["Write /w/s"], |vm| vm.link("/proc/version", "/w/s"));
}

#[test]
fn a_denial_comes_before_the_answer_and_behind_what_is_not_there() {
    let (mut vm, _) = asking("Read /proc");
    says(vm.read_file("/proc/version"), "EACCES", "no");
    assert_eq!(code(vm.read_dir("/proc")), "EACCES");
    assert_eq!(code(vm.read_link("/proc/1/cwd")), "EACCES");
    assert_eq!(code(vm.fd_open(DRIVER, 1, "/proc/version", 0, None)), "EACCES");
    assert_eq!(code(vm.read_file("/proc/nope")), "ENOENT");
    assert!(!vm.exists("/proc/version").unwrap());
    let (mut vm, _) = asking("Write /proc");
    assert_eq!(code(vm.write_file("/proc/version", "x")), "EACCES");
    assert_eq!(code(vm.fd_open(DRIVER, 1, "/proc/version", O_RDWR, None)), "EACCES");
    assert_eq!(code(vm.chmod("/proc/version", 0)), "EACCES");
}

#[test]
fn rules_decide_by_what_a_path_stands_for() {
    let rule = PermissionRule::deny(RuleOperation::Fs(Some(FsOperation::Read)), "/proc/1/**");
    let mut vm = with_file(vm_with(|config| config.permissions.rules = vec![rule]));
    for path in ["/proc/1/stat", "/proc/version/../1/stat"] {
        assert_eq!(code(vm.read_file(path)), "EACCES");
    }
    assert_eq!(code(vm.read_file_for_process(DRIVER, 1, "/proc/self/stat")), "EACCES");
    vm.read_file("/proc/version").unwrap();
}

#[test]
fn limits_of_listings_and_reads_hold() {
    let mut vm = vm_with(|config| {
        config.resources.max_readdir_entries = Some(3);
        config.resources.max_pread_bytes = Some(4);
    });
    process(&mut vm, None);
    refused(&mut vm, "ENOMEM", |vm| vm.read_dir("/proc"));
    refused(&mut vm, "ENOMEM", |vm| vm.read_dir_with_types("/proc/1"));
    assert_eq!(vm.read_dir("/proc/1/fd").unwrap().len(), 3);
    let fd = vm.fd_open(DRIVER, 1, "/proc/version", 0, None).unwrap();
    refused(&mut vm, "ENOMEM", |vm| vm.read_dir("/proc/1/fd"));
    says(vm.fd_read(DRIVER, 1, fd, 5), "EINVAL", "pread length 5");
    says(vm.pread_file("/proc/version", 0, 5), "EINVAL", "pread length 5");
    assert_eq!(vm.fd_read(DRIVER, 1, fd, 4).unwrap(), b"Linu");
    let mut few = vm_with(|config| config.resources.max_open_fds = Some(3));
    process(&mut few, None);
    let full = code(few.fd_open(DRIVER, 1, "/proc/version", 0, None));
    assert!(["EMFILE", "ENFILE"].contains(&full), "{full}");
}

#[test]
fn looking_is_recorded_and_a_machine_that_is_over_shows_nothing() {
    let mut vm = with_file(vm());
    let out = Out::default();
    vm.record_to(out.clone()).unwrap();
    let fd = vm.fd_open(DRIVER, 1, "/proc/self/status", 0, None).unwrap();
    vm.fd_read(DRIVER, 1, fd, 10).unwrap();
    vm.read_file_for_process(DRIVER, 1, "/proc/self/cmdline").unwrap();
    vm.exit_process(DRIVER, 1, 0).unwrap();
    vm.waitpid(1).unwrap();
    let digest = vm.digest();
    vm.finish_recording().unwrap();
    assert_eq!(replayed_digest(&out.bytes()), digest);
    vm.dispose().unwrap();
    assert_eq!(code(vm.read_file("/proc/version")), "EINVAL");
    assert_eq!(code(vm.read_dir("/proc")), "EINVAL");
}
