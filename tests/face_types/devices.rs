//! The standard devices (SEMANTICS.md section 12).

use crate::small::{Log, Small};
use tickernel::device_layer::{DeviceLayer, create_device_layer, is_standard_device_path};
use tickernel::vfs::{VirtualFileSystem, VirtualUtimeSpec};

const DEVICES: [&str; 6] =
    ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/stdin", "/dev/stdout", "/dev/stderr"];
const DIRECTORIES: [&str; 3] = ["/dev", "/dev/fd", "/dev/pts"];

/// A layer over a file system whose calls are written down.
fn devices() -> (DeviceLayer<Small>, Log) {
    let log = Log::default();
    (create_device_layer(Small::new("", &log)), log)
}

#[test]
fn dev_lists_the_devices_and_hides_what_is_below() {
    let (mut f, _) = devices();
    f.inner_mut().mkdir("/dev", true).unwrap();
    f.inner_mut().write_file("/dev/real", "x").unwrap();
    let names = ["null", "zero", "stdin", "stdout", "stderr", "urandom", "fd"];
    assert_eq!(f.read_dir("/dev").unwrap(), names);
    let typed = f.read_dir_with_types("/dev").unwrap();
    let directories: Vec<_> = typed.iter().filter(|entry| entry.is_directory).collect();
    assert_eq!(directories.len(), 1);
    assert_eq!(directories[0].name, "fd");
    assert_eq!(f.read_dir_limited("/dev", 6).unwrap_err().code(), "ENOMEM");
    for directory in ["/dev/fd", "/dev/pts"] {
        assert_eq!(f.read_dir(directory).unwrap(), Vec::<String>::new());
    }
    assert_eq!(f.read_file("/dev/real").unwrap(), b"x");
}

#[test]
fn devices_have_their_numbers() {
    let (mut f, log) = devices();
    let numbers = [(1, 3), (1, 5), (1, 9), (5, 0), (5, 1), (5, 2)];
    for (path, (major, minor)) in DEVICES.into_iter().zip(numbers) {
        let stat = f.stat(path).unwrap();
        assert_eq!(stat.rdev, major << 8 | minor, "{path}");
        assert_eq!((stat.mode, stat.size, stat.dev, stat.nlink, stat.uid), (0o666, 0, 2, 1, 0));
        assert!(!stat.is_directory);
        assert_eq!(f.lstat(path).unwrap(), stat);
    }
    for path in DIRECTORIES {
        let stat = f.stat(path).unwrap();
        assert_eq!((stat.mode, stat.nlink, stat.is_directory), (0o755, 2, true), "{path}");
    }
    assert!(log.take().is_empty());
}

#[test]
fn only_these_very_paths_count() {
    for path in DEVICES {
        assert!(is_standard_device_path(path), "{path}");
    }
    for path in ["/dev/./null", "/dev/null/", "dev/null", "/dev", "/dev/fd", "/dev/fd/0"] {
        assert!(!is_standard_device_path(path), "{path}");
    }
    let (f, _) = devices();
    assert!(!f.exists("/dev/./null"));
}

#[test]
fn null_gives_nothing_and_zero_gives_what_is_asked() {
    let (mut f, _) = devices();
    assert_eq!(f.read_file("/dev/null").unwrap(), b"");
    assert_eq!(f.pread("/dev/null", 0, 9).unwrap(), b"");
    assert_eq!(f.pread("/dev/zero", 7, 3).unwrap(), [0; 3]);
    assert_eq!(f.read_file("/dev/zero").unwrap(), [0; 4096]);
    assert_eq!(f.pread("/dev/zero", 0, usize::MAX).unwrap_err().code(), "ENOMEM");
}

#[test]
fn urandom_gives_bytes_that_do_not_repeat() {
    let (mut f, _) = devices();
    let first = f.read_file("/dev/urandom").unwrap();
    let second = f.pread("/dev/urandom", 0, 4096).unwrap();
    assert_eq!((first.len(), second.len()), (4096, 4096));
    assert_ne!(first, second);
    let mut words: Vec<_> = first.chunks(8).chain(second.chunks(8)).collect();
    words.sort();
    words.dedup();
    assert_eq!(words.len(), 1024);
    assert_eq!(f.pread("/dev/urandom", 0, 3).unwrap().len(), 3);
}

#[test]
fn the_standard_streams_are_read_from_the_file_system() {
    let (mut f, log) = devices();
    for path in ["/dev/stdin", "/dev/stdout", "/dev/stderr"] {
        assert_eq!(f.read_file(path).unwrap_err().code(), "ENOENT", "{path}");
        assert_eq!(f.pread(path, 0, 1).unwrap_err().code(), "ENOENT", "{path}");
    }
    assert_eq!(log.take().len(), 6);
}

#[test]
fn what_is_written_vanishes_but_for_stdin() {
    let (mut f, log) = devices();
    for path in DEVICES.into_iter().filter(|path| *path != "/dev/stdin") {
        f.write_file(path, "x").unwrap();
        f.write_file_with_mode(path, "x", Some(0)).unwrap();
        assert_eq!(f.append_file(path, "xyz"), Ok(3));
        f.pwrite(path, "x", u64::MAX).unwrap();
        f.truncate(path, 5).unwrap();
    }
    assert!(log.take().is_empty());
    f.write_file("/dev/stdin", "x").unwrap();
    assert_eq!(log.take(), ["write_file /dev/stdin"]);
}

#[test]
fn devices_keep_their_names() {
    let (mut f, log) = devices();
    for path in DEVICES {
        assert_eq!(f.remove_file(path).unwrap_err().code(), "EPERM", "{path}");
        assert_eq!(f.rename(path, "/x").unwrap_err().code(), "EPERM", "{path}");
        assert_eq!(f.rename("/d/f", path).unwrap_err().code(), "EPERM", "{path}");
        assert_eq!(f.link(path, "/x").unwrap_err().code(), "EPERM", "{path}");
        assert_eq!(f.create_file_exclusive(path, "").unwrap_err().code(), "EEXIST", "{path}");
    }
    for path in DIRECTORIES {
        assert_eq!(f.remove_dir(path).unwrap_err().code(), "EPERM", "{path}");
        assert_eq!(f.create_file_exclusive(path, "").unwrap_err().code(), "EEXIST", "{path}");
        f.create_dir(path).unwrap();
        f.mkdir(path, false).unwrap();
        f.mkdir(path, true).unwrap();
    }
    assert!(log.take().is_empty());
}

#[test]
fn modes_owners_and_times_of_devices_are_silently_kept() {
    let (mut f, log) = devices();
    let now = VirtualUtimeSpec::Now;
    for path in DEVICES {
        let before = f.stat(path).unwrap();
        f.chmod(path, 0).unwrap();
        f.chown(path, 1, 1).unwrap();
        f.utimes(path, 1, 1).unwrap();
        f.utimes_spec(path, now, now, false).unwrap();
        assert_eq!(f.stat(path).unwrap(), before);
    }
    assert!(log.take().is_empty());
}

#[test]
fn devices_exist_and_are_their_own_real_paths() {
    let (f, log) = devices();
    for path in DEVICES.into_iter().chain(DIRECTORIES) {
        assert!(f.exists(path), "{path}");
        assert_eq!(f.realpath(path).unwrap(), path);
    }
    assert!(log.take().is_empty());
}

#[test]
fn all_else_is_the_file_systems() {
    let (mut f, log) = devices();
    assert_eq!(f.read_file("/d/f").unwrap(), b"hi");
    assert!(f.exists("/l"));
    assert_eq!(f.append_file("/d/f", "!"), Ok(3));
    f.rename("/d/f", "/x").unwrap();
    let calls =
        ["read_file /d/f", "exists /l", "read_file /d/f", "write_file /d/f", "rename /d/f /x"];
    assert_eq!(log.take(), calls);
    assert_eq!(f.into_inner().read_file("/x").unwrap(), b"hi!");
}
