//! Directories of the host below a machine: what is there is the host's, nothing leads out of them,
//! and a recording replays without them (section 13, "Mount table").

use crate::out::{Out, replayed_digest};
use crate::support::{DRIVER, config};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use tickernel::fd_table::{O_CREAT, O_RDWR};
use tickernel::host_dir::HostDirectory;
use tickernel::kernel::{KernelVm, VirtualProcessOptions};
use tickernel::mount_table::{MountOptions, MountTable};
use tickernel::vfs::{MemoryFileSystem, VfsResult, VirtualTimeSpec, VirtualUtimeSpec};

/// Swaps that the race makes, at most.
const SWAPS_MAX: usize = 3_000;

/// `inside` for the guest, and `outside` with a secret beside it.
struct Folders {
    both: TempDir,
}

impl Folders {
    fn new() -> Self {
        let both = tempfile::tempdir().unwrap();
        fs::create_dir(both.path().join("inside")).unwrap();
        fs::create_dir(both.path().join("outside")).unwrap();
        fs::write(both.path().join("outside/secret"), "secret").unwrap();
        Self { both }
    }

    fn inside(&self) -> PathBuf {
        self.both.path().join("inside")
    }

    fn outside(&self) -> PathBuf {
        self.both.path().join("outside")
    }

    fn files(&self) -> HostDirectory {
        HostDirectory::open(self.inside()).unwrap()
    }

    /// Nothing outside was written, made or removed.
    #[track_caller]
    fn check_outside(&self) {
        let names: Vec<_> = fs::read_dir(self.outside()).unwrap().map(|e| e.unwrap()).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let secret = self.outside().join("secret");
        assert_eq!(fs::read(&secret).unwrap(), b"secret");
        let stat = fs::metadata(&secret).unwrap();
        assert_eq!(stat.permissions().mode() & 0o7777, 0o600 | stat.permissions().mode() & 0o44);
        let names: Vec<_> = fs::read_dir(self.both.path()).unwrap().collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: VfsResult<T>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn it_is_the_hosts_directory() {
    let folders = Folders::new();
    let mut files = folders.files();
    files.write_file("/a/b/f", "hello").unwrap();
    let on_host = folders.inside().join("a/b/f");
    assert_eq!(fs::read(&on_host).unwrap(), b"hello");
    assert_eq!(fs::metadata(&on_host).unwrap().permissions().mode(), 0o100_644);
    assert_eq!(files.append_file("a/b/f", "!").unwrap(), 6);
    files.pwrite("/a/b/f", "E", 1).unwrap();
    assert_eq!(files.pread("/a/b/f", 1, usize::MAX).unwrap(), b"Ello!");
    assert!(files.pread("/a/b/f", u64::MAX, 1).unwrap().is_empty());
    files.truncate("/a/b/f", 2).unwrap();
    files.write_file_with_mode("/x", "", Some(0o4755)).unwrap();
    assert_eq!(files.stat("/x").unwrap().mode, 0o100_755, "no set-id bit on the host");
    files.chmod("/x", 0o6600).unwrap();
    assert_eq!(files.stat("/x").unwrap().mode, 0o100_600);
    files.link("/a/b/f", "/l").unwrap();
    assert_eq!(files.stat("/l").unwrap().nlink, 2);
    files.symlink("b/f", "/a/s").unwrap();
    assert_eq!(files.realpath("/a/s").unwrap(), "/a/b/f");
    assert_eq!(files.read_link("/a/s").unwrap(), "b/f");
    assert!(files.lstat("/a/s").unwrap().is_symbolic_link);
    assert_eq!(files.read_dir("/a").unwrap(), ["b", "s"]);
    let types = files.read_dir_with_types("/a").unwrap();
    assert!(types[0].is_directory && types[1].is_symbolic_link);
    files.utimes("/a/s", 5_000, 6_500).unwrap();
    let stat = files.stat("/a/b/f").unwrap();
    assert_eq!((stat.atime_ms, stat.mtime_ms, stat.mtime_nsec), (5_000, 6_500, 500_000_000));
    let time = VirtualUtimeSpec::Set(VirtualTimeSpec { sec: 9, nsec: 1 });
    files.utimes_spec("/a/s", time, VirtualUtimeSpec::Omit, false).unwrap();
    assert_eq!(files.lstat("/a/s").unwrap().atime_nsec, 1);
    files.rename("/a", "/n").unwrap();
    files.remove_file("/n/s").unwrap();
    files.remove_file("/n/b/f").unwrap();
    files.remove_dir("/n/b").unwrap();
    assert!(!files.exists("/n/b"));
    folders.check_outside();
}

#[test]
fn errors_are_the_hosts() {
    let folders = Folders::new();
    let mut files = folders.files();
    files.write_file("/d/f", "").unwrap();
    assert_eq!(code(files.read_file("/none")), "ENOENT");
    assert_eq!(code(files.read_file("/d")), "EISDIR");
    assert_eq!(code(files.read_file("/d/f/x")), "ENOTDIR");
    assert_eq!(code(files.read_dir("/d/f")), "ENOTDIR");
    assert_eq!(code(files.read_dir_limited("/", 0)), "ENOMEM");
    assert_eq!(code(files.create_dir("/d")), "EEXIST");
    assert_eq!(code(files.create_dir("/")), "EEXIST");
    assert_eq!(code(files.mkdir("/n/m", false)), "ENOENT");
    assert_eq!(code(files.mkdir("/d/f/m", true)), "ENOTDIR");
    assert_eq!(code(files.create_file_exclusive("/d/f", "")), "EEXIST");
    assert_eq!(code(files.remove_dir("/d")), "ENOTEMPTY");
    assert_eq!(code(files.remove_file("/d")), "EISDIR");
    assert_eq!(code(files.remove_dir("/")), "EBUSY");
    assert_eq!(code(files.rename("/d", "/d/in")), "EINVAL");
    assert_eq!(code(files.read_link("/d/f")), "EINVAL");
    assert_eq!(code(files.write_file("/a\0b", "")), "EINVAL");
    assert_eq!(code(files.write_file(&"/a".repeat(2_049), "")), "ENAMETOOLONG");
    assert_eq!(code(files.write_file(&"a".repeat(300), "")), "ENAMETOOLONG");
    assert_eq!(code(files.truncate("/d/f", u64::MAX)), "EINVAL");
    files.symlink("loop", "/loop").unwrap();
    assert_eq!(code(files.read_file("/loop")), "ELOOP");
    assert_eq!(code(files.realpath("/loop")), "ELOOP");
    assert_eq!(code(HostDirectory::open(folders.inside().join("d/f"))), "ENOTDIR");
    assert_eq!(code(HostDirectory::open(folders.inside().join("none"))), "ENOENT");
}

#[test]
fn nothing_but_files_is_opened() {
    let folders = Folders::new();
    let fifo = folders.inside().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folders.inside().join("socket")).unwrap();
    let mut files = folders.files();
    assert_eq!(code(files.read_file("/fifo")), "EINVAL", "and nobody waits for a writer");
    for path in ["/fifo", "/socket"] {
        assert_eq!(code(files.write_file(path, "x")), "EINVAL");
        assert_eq!(code(files.read_file(path)), "EINVAL");
        assert_eq!(code(files.chmod(path, 0o777)), "EINVAL");
    }
    assert_eq!(files.stat("/fifo").unwrap().mode & 0o170_000, 0o010_000);
}

#[test]
fn no_link_and_no_dots_lead_out() {
    for path in [
        "/absolute",
        "/relative",
        "/directory/secret",
        "/d/up/secret",
        "/../outside/secret",
        "/d/../../outside/secret",
        "../outside/secret",
        "/magic/Cargo.toml",
    ] {
        leads_nowhere(path);
    }
}

#[track_caller]
fn leads_nowhere(path: &str) {
    let folders = Folders::new();
    let (inside, outside) = (folders.inside(), folders.outside());
    fs::create_dir(inside.join("d")).unwrap();
    symlink(outside.join("secret"), inside.join("absolute")).unwrap();
    symlink("../outside/secret", inside.join("relative")).unwrap();
    symlink("../../../../../../../../outside", inside.join("d/up")).unwrap();
    symlink(&outside, inside.join("directory")).unwrap();
    symlink("/proc/self/cwd", inside.join("magic")).unwrap();
    let mut files = folders.files();
    let told = files.read_file(path);
    assert_eq!(code(told), "ENOENT", "{path}");
    assert!(!files.exists(path), "{path}");
    assert!(files.read_dir("/directory").is_err());
    // Each may be made, inside.
    let _ = files.write_file(path, "guest");
    let _ = files.truncate(path, 0);
    let _ = files.chmod(path, 0o777);
    let _ = files.utimes(path, 1, 1);
    let _ = files.link(path, "/stolen");
    let _ = files.rename(path, "/moved");
    let _ = files.remove_file(path);
    let _ = files.mkdir(path, true);
    folders.check_outside();
}

#[test]
fn the_directory_is_the_root_of_links() {
    let folders = Folders::new();
    let mut files = folders.files();
    files.write_file("/etc/passwd", "ours").unwrap();
    files.symlink("/etc/passwd", "/to").unwrap();
    assert_eq!(files.read_file("/to").unwrap(), b"ours");
    assert_eq!(files.realpath("/to").unwrap(), "/etc/passwd");
}

/// Puts a directory and a link to the outside at the same name in turn, until it is told to stop.
fn swap(inside: &Path, outside: &Path, stop: &AtomicBool) {
    let (shown, hidden) = (inside.join("d"), inside.join("other"));
    symlink(outside, &hidden).unwrap();
    for _ in 0..SWAPS_MAX {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let cwd = rustix::fs::CWD;
        let exchange = rustix::fs::RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(cwd, &shown, cwd, &hidden, exchange).unwrap();
    }
}

#[test]
fn links_that_are_swapped_in_lead_nowhere() {
    let folders = Folders::new();
    let (inside, outside) = (folders.inside(), folders.outside());
    fs::create_dir(inside.join("d")).unwrap();
    fs::write(inside.join("d/secret"), "public").unwrap();
    let stop = AtomicBool::new(false);
    let mut files = folders.files();
    std::thread::scope(|scope| {
        let swapper = scope.spawn(|| swap(&inside, &outside, &stop));
        for step in 0..SWAPS_MAX {
            if let Ok(content) = files.read_file("/d/secret") {
                assert_ne!(content, b"secret", "step {step}");
            }
            if let Ok(content) = files.pread("/d/../d/secret", 0, 9) {
                assert_ne!(content, b"secret", "step {step}");
            }
            // Whatever they answer, they do it inside.
            let _ = files.append_file("/d/secret", "");
            let _ = files.create_file_exclusive("/d/new", "guest");
            let _ = files.chmod("/d/secret", 0o644);
            let _ = files.remove_file("/d/new");
            let _ = files.link("/d/secret", "/d/alias");
            let _ = files.rename("/d/alias", "/d/alias2");
            let _ = files.create_dir("/d/sub");
            let _ = files.remove_dir("/d/sub");
            if swapper.is_finished() {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    folders.check_outside();
}

#[test]
fn a_mounted_directory_replays_without_the_host() {
    let folders = Folders::new();
    fs::write(folders.inside().join("given"), "by the host").unwrap();
    let mut vm = KernelVm::new(MountTable::new(MemoryFileSystem::new()), config());
    let options = VirtualProcessOptions::default();
    vm.create_virtual_process(DRIVER, DRIVER, "job", Vec::new(), options).unwrap();
    let out = Out::default();
    vm.record_to(out.clone()).unwrap();
    let mounted = MountOptions::new("host");
    vm.mount_filesystem("/work", folders.files(), mounted.clone()).unwrap();
    assert_eq!(vm.read_file("/work/given").unwrap(), b"by the host");
    let fd = vm.fd_open(DRIVER, 1, "/work/made", O_CREAT | O_RDWR, Some(0o640)).unwrap();
    vm.fd_write(DRIVER, 1, fd, b"by the guest").unwrap();
    assert_eq!(vm.fd_pread(DRIVER, 1, fd, 99, 7).unwrap(), b"guest");
    assert_eq!(vm.read_dir("/work").unwrap(), ["given", "made"]);
    assert_eq!(vm.read_file("/work/../../outside/secret").unwrap_err().code(), "ENOENT");
    vm.mount_filesystem("/fixed", folders.files(), mounted.read_only(true)).unwrap();
    assert_eq!(vm.write_file("/fixed/given", "").unwrap_err().code(), "EROFS");
    let digest = vm.digest();
    vm.finish_recording().unwrap();
    drop(vm);
    assert_eq!(fs::read(folders.inside().join("made")).unwrap(), b"by the guest");
    drop(folders);
    assert_eq!(replayed_digest(&out.bytes()), digest);
}
