//! A machine over a table of mounts: mounting and its permissions, what a path leads to, what is
//! counted, the root's snapshot, and that a recording of it replays without any file system
//! (sections 9, 10 and 13).

use crate::out::{Out, replayed_digest};
use crate::small::{Log, Small};
use crate::support::{DRIVER, code, config, says};
use std::sync::{Arc, Mutex};
use tickernel::fd_table::{O_APPEND, O_CREAT, O_EXCL, O_RDWR};
use tickernel::kernel::{KernelVm, KernelVmConfig, Profile, VirtualProcessOptions};
use tickernel::mount_table::{MountOptions, MountTable};
use tickernel::overlay_fs::{OverlayFileSystem, OverlayMode};
use tickernel::permissions::{FsAccessRequest, PermissionDecision};
use tickernel::root_fs::{RootFileSystem, RootFilesystemDescriptor};
use tickernel::vfs::{MemoryFileSystem, VirtualFileSystem, VirtualTimeSpec, VirtualUtimeSpec};

type Vm = KernelVm<MountTable>;

fn over(root: impl VirtualFileSystem + 'static, config: KernelVmConfig) -> Vm {
    let mut vm = KernelVm::new(MountTable::new(root), config);
    let options = VirtualProcessOptions::default();
    if vm.state() != tickernel::bridge::LifecycleState::Terminated {
        // Where nothing is permitted there is no process.
        let _ = vm.create_virtual_process(DRIVER, DRIVER, "job", Vec::new(), options);
    }
    vm
}

fn root() -> RootFileSystem {
    RootFileSystem::from_descriptor(RootFilesystemDescriptor::default()).unwrap()
}

fn vm_with(change: impl FnOnce(&mut KernelVmConfig)) -> Vm {
    let mut config = config();
    change(&mut config);
    over(root(), config)
}

fn vm() -> Vm {
    vm_with(|_| {})
}

fn plain() -> MountOptions {
    MountOptions::new("memory")
}

#[test]
fn mounts_are_seen_where_they_are() {
    let mut vm = vm();
    let mut files = MemoryFileSystem::new();
    files.write_file("/in", "side").unwrap();
    vm.mount_filesystem("/mnt/side", files, plain()).unwrap();
    vm.mount_filesystem("/data", MemoryFileSystem::new(), plain().read_only(true)).unwrap();
    assert_eq!(vm.read_dir("/mnt").unwrap(), ["side"]);
    assert!(vm.read_dir("/").unwrap().contains(&"data".to_owned()));
    assert_eq!(vm.read_file("/mnt/side/in").unwrap(), b"side");
    let entries = vm.read_dir_with_types("/mnt").unwrap();
    assert!(entries.len() == 1 && entries[0].is_directory);
    assert_eq!(code(vm.write_file("/data/x", "1")), "EROFS");
    let mounts = vm.mounted_filesystems();
    let shown: Vec<_> = mounts.iter().map(|m| (m.path.as_str(), m.read_only)).collect();
    assert_eq!(shown, [("/mnt/side", false), ("/data", true), ("/", false)]);
    assert_eq!(code(vm.rename("/mnt/side/in", "/tmp/in")), "EXDEV");
    assert_eq!(code(vm.link("/mnt/side/in", "/tmp/in")), "EXDEV");
    assert_eq!(code(vm.symlink("/tmp", "/mnt/side/l")), "EXDEV");
    let fd = vm.fd_open(DRIVER, 1, "/mnt/side/new", O_CREAT | O_RDWR, Some(0o600)).unwrap();
    assert_eq!(vm.fd_write(DRIVER, 1, fd, b"hello").unwrap(), 5);
    assert_eq!(vm.fd_pread(DRIVER, 1, fd, 9, 1).unwrap(), b"ello");
    vm.unmount_filesystem("/mnt/side").unwrap();
    assert!(vm.read_dir("/mnt/side").unwrap().is_empty(), "the mount point stays");
    assert_eq!(code(vm.fd_pread(DRIVER, 1, fd, 9, 1)), "ENOENT");
}

#[test]
fn a_wrong_mount_is_refused() {
    let mut vm = vm();
    let files = MemoryFileSystem::new;
    assert_eq!(code(vm.mount_filesystem("/", files(), plain())), "EINVAL");
    vm.mount_filesystem("/a", files(), plain()).unwrap();
    assert_eq!(code(vm.mount_filesystem("/a/../a/", files(), plain())), "EEXIST");
    vm.mount_boxed_filesystem("/a/b", Box::new(files()), plain()).unwrap();
    assert_eq!(code(vm.unmount_filesystem("/a")), "EBUSY");
    assert_eq!(code(vm.unmount_filesystem("/")), "EINVAL");
    assert_eq!(code(vm.unmount_filesystem("/tmp")), "EINVAL");
    assert_eq!(code(vm.mount_filesystem("/n\0", files(), plain())), "EINVAL");
    assert_eq!(code(vm.mount_filesystem(&"/n".repeat(3_000), files(), plain())), "ENAMETOOLONG");
    assert_eq!(code(vm.mount_filesystem("/etc/hostname/x", files(), plain())), "ENOTDIR");
    vm.unmount_filesystem("/a/b").unwrap();
    vm.unmount_filesystem("/a").unwrap();
    assert_eq!(vm.mounted_filesystems().len(), 1);
    vm.dispose().unwrap();
    assert_eq!(code(vm.mount_filesystem("/a", files(), plain())), "EINVAL");
    assert_eq!(code(vm.unmount_filesystem("/a")), "EINVAL");
    assert_eq!(code(vm.snapshot_root_filesystem()), "EINVAL");
}

#[test]
fn mounting_asks_for_write_and_for_sensitive_paths_once_more() {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let own = Arc::clone(&log);
    let mut vm = vm_with(|config| {
        config.permissions.filesystem = Some(Arc::new(move |request: &FsAccessRequest| {
            let asked = format!("{:?} {}", request.op, request.path);
            let allow = !asked.ends_with("/no") && asked != "MountSensitive /etc/x";
            own.lock().unwrap().push(asked);
            PermissionDecision { allow, reason: None }
        }));
    });
    let asked = || std::mem::take(&mut *log.lock().unwrap());
    asked();
    vm.mount_filesystem("/var/run/m", MemoryFileSystem::new(), plain()).unwrap();
    assert_eq!(asked(), ["Write /run/m"], "the real path, and nothing else");
    says(vm.mount_filesystem("/no", MemoryFileSystem::new(), plain()), "EACCES", "/no");
    assert_eq!(asked(), ["Write /no"]);
    says(vm.mount_filesystem("/etc/x", MemoryFileSystem::new(), plain()), "EACCES", "/etc/x");
    assert_eq!(asked(), ["Write /etc/x", "MountSensitive /etc/x"]);
    vm.mount_filesystem("/etc", MemoryFileSystem::new(), plain()).unwrap();
    vm.unmount_filesystem("/etc").unwrap();
    assert_eq!(asked(), ["Write /etc", "MountSensitive /etc"].repeat(2));
    assert_eq!(code(vm.mount_filesystem("/", MemoryFileSystem::new(), plain())), "EINVAL");
    assert_eq!(asked(), ["Write /", "MountSensitive /"]);
    vm.mount_filesystem("/etcetera", MemoryFileSystem::new(), plain()).unwrap();
    assert_eq!(asked(), ["Write /etcetera"]);
}

#[test]
fn what_fails_is_not_asked_about_further() {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let own = Arc::clone(&log);
    let mut vm = vm_with(|config| {
        config.permissions.filesystem = Some(Arc::new(move |request: &FsAccessRequest| {
            own.lock().unwrap().push(format!("{:?}", request.op));
            PermissionDecision { allow: true, reason: None }
        }));
    });
    vm.write_file("/f", "1").unwrap();
    log.lock().unwrap().clear();
    // There is a file: its stat, which comes after the making, is not asked about.
    let flags = O_CREAT | O_EXCL | O_RDWR;
    assert_eq!(code(vm.fd_open(DRIVER, 1, "/f", flags, None)), "EEXIST");
    let asked = std::mem::take(&mut *log.lock().unwrap());
    assert!(
        asked.contains(&"Write".to_owned()) && !asked.contains(&"Stat".to_owned()),
        "{asked:?}"
    );
    // A path below a file ends with the guard, before the rename is asked about.
    assert_eq!(code(vm.rename("/g", "/f/x")), "ENOTDIR");
    let asked = std::mem::take(&mut *log.lock().unwrap());
    assert!(!asked.contains(&"Rename".to_owned()), "{asked:?}");
    let time = VirtualUtimeSpec::Set(VirtualTimeSpec { sec: -1, nsec: 0 });
    assert_eq!(code(vm.utimes_spec("/none", time, time)), "ENOENT");
    assert_eq!(code(vm.utimes_spec("/f", time, time)), "EINVAL");
}

#[test]
fn open_files_keep_a_mount_by_linux_rules_alone() {
    for (profile, wanted) in [(Profile::SecureExec, None), (Profile::Linux, Some("EBUSY"))] {
        let mut vm = vm_with(|config| config.profile = profile);
        let mut files = MemoryFileSystem::new();
        files.write_file("/f", "").unwrap();
        vm.mount_filesystem("/a", files, plain()).unwrap();
        let fd = vm.fd_open(DRIVER, 1, "/a/f", O_RDWR, None).unwrap();
        let told = vm.unmount_filesystem("/a").err().map(|error| error.code());
        assert_eq!(told, wanted, "{profile:?}");
        vm.fd_close(DRIVER, 1, fd).unwrap();
        if wanted.is_some() {
            vm.unmount_filesystem("/a").unwrap();
        }
    }
}

#[test]
fn links_cross_layers_by_linux_rules_alone() {
    for (profile, wanted) in [(Profile::SecureExec, Err("ENOENT")), (Profile::Linux, Ok(()))] {
        let mut vm = vm_with(|config| config.profile = profile);
        vm.symlink("/etc/hostname", "/tmp/to").unwrap();
        let told = vm.read_file("/tmp/to").map(drop).map_err(|error| error.code());
        assert_eq!(told, wanted, "{profile:?}");
        // Overlayfs keeps the times of what comes up.
        let before = vm.stat("/etc/shells").unwrap();
        vm.chmod("/etc/shells", 0o600).unwrap();
        let after = vm.stat("/etc/shells").unwrap();
        let kept = (after.mtime_ms, after.mtime_nsec) == (before.mtime_ms, before.mtime_nsec);
        assert!(kept || profile == Profile::SecureExec, "{before:?} {after:?}");
    }
}

#[test]
fn the_root_is_counted_and_other_mounts_are_not() {
    let mut vm = vm_with(|config| config.resources.max_filesystem_bytes = Some(4_000));
    vm.mount_filesystem("/m", MemoryFileSystem::new(), plain()).unwrap();
    assert_eq!(code(vm.write_file("/f", vec![1; 4_000])), "ENOSPC");
    vm.write_file("/m/f", vec![1; 9_000]).unwrap();
    vm.truncate("/m/f", 20_000).unwrap();
    vm.write_file("/f", vec![1; 1_000]).unwrap();
    assert_eq!(code(vm.truncate("/f", 20_000)), "ENOSPC");
    let mut vm = vm_with(|config| config.resources.max_inode_count = Some(100));
    vm.mount_filesystem("/m", MemoryFileSystem::new(), plain()).unwrap();
    for n in 0..120 {
        vm.mkdir(&format!("/m/{n}"), false).unwrap();
    }
    let made = (0..120).take_while(|n| vm.mkdir(&format!("/{n}"), false).is_ok()).count();
    assert!((1..100).contains(&made), "{made}");
}

#[test]
fn a_rename_may_copy_up_what_there_is_room_for() {
    let mut base = MemoryFileSystem::new();
    base.write_file("/d/big", vec![1; 3_000]).unwrap();
    let mut config = config();
    config.resources.max_filesystem_bytes = Some(3_500);
    let overlay = OverlayFileSystem::new(vec![base], OverlayMode::Ephemeral);
    let mut vm = over(overlay, config);
    vm.write_file("/up", vec![1; 501]).unwrap_err();
    vm.write_file("/up", vec![1; 500]).unwrap();
    vm.rename("/d", "/e").unwrap();
    vm.write_file("/up", vec![1; 200]).unwrap();
    assert_eq!(vm.stat("/e/big").unwrap().size, 3_000);
}

#[test]
fn the_root_can_be_told_whole() {
    let mut vm = vm();
    vm.write_file("/new", "1").unwrap();
    vm.mount_filesystem("/m", MemoryFileSystem::new(), plain()).unwrap();
    vm.write_file("/m/side", "2").unwrap();
    let snapshot = vm.snapshot_root_filesystem().unwrap();
    let paths: Vec<&str> = snapshot.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert!(paths.contains(&"/new") && paths.contains(&"/m") && !paths.contains(&"/m/side"));
    vm.root_filesystem_mut().unwrap().write_file("/big", vec![0; 65 << 20]).unwrap();
    assert_eq!(code(vm.snapshot_root_filesystem()), "ENOSPC");
    let mut vm = over(MemoryFileSystem::new(), config());
    assert_eq!(code(vm.snapshot_root_filesystem()), "EINVAL");
    assert!(vm.root_filesystem_mut().is_none());
}

#[test]
fn the_guard_holds_over_layers() {
    let mut vm = vm();
    let root = vm.root_filesystem_mut().unwrap();
    root.write_file("/etc/agentos/rules", "keep").unwrap();
    root.symlink("/etc/agentos", "/tmp/in").unwrap();
    root.link("/etc/agentos/rules", "/tmp/alias").unwrap();
    for path in ["/etc/agentos/rules", "/tmp/in/rules", "/tmp/alias", "/etc/agentos/new"] {
        assert_eq!(code(vm.write_file(path, "x")), "EROFS", "{path}");
        assert_eq!(code(vm.fd_open(DRIVER, 1, path, O_CREAT | O_RDWR, None)), "EROFS", "{path}");
    }
    assert_eq!(code(vm.remove_file("/tmp/alias")), "EROFS");
    assert_eq!(code(vm.rename("/tmp", "/etc/agentos/t")), "EROFS");
    // However many names the guarded directory has.
    let root = vm.root_filesystem_mut().unwrap();
    root.write_file("/etc/agentos/other", "").unwrap();
    assert_eq!(code(vm.rename("/none", "/tmp/alias")), "EROFS");
    vm.remove_file("/tmp/in").unwrap();
    let fd = vm.fd_open(DRIVER, 1, "/tmp/alias", 0, None).unwrap();
    assert_eq!(code(vm.fd_write(DRIVER, 1, fd, b"x")), "EROFS");
    assert_eq!(vm.read_file("/tmp/alias").unwrap(), b"keep");
}

#[test]
fn a_recording_replays_without_the_file_systems() {
    let out = Out::default();
    let mut vm = vm();
    vm.record_to(out.clone()).unwrap();
    vm.mount_filesystem("/side", Small::new("", &Log::default()), plain()).unwrap();
    vm.write_file("/workspace/f", "root").unwrap();
    vm.rename("/etc/hostname", "/tmp/name").unwrap();
    assert_eq!(code(vm.rename("/tmp/name", "/side/name")), "EXDEV");
    let fd = vm.fd_open(DRIVER, 1, "/workspace/f", O_RDWR | O_APPEND, None).unwrap();
    vm.fd_write(DRIVER, 1, fd, b" and more").unwrap();
    assert_eq!(vm.read_file("/workspace/f").unwrap(), b"root and more");
    vm.read_dir("/").unwrap();
    vm.unmount_filesystem("/side").unwrap();
    let digest = vm.digest();
    vm.finish_recording().unwrap();
    drop(vm);
    assert_eq!(replayed_digest(&out.bytes()), digest);
}
