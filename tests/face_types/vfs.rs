//! Paths, times and what the trait gives for nothing (SEMANTICS.md sections 9 and 13).

use crate::small::{Log, Small};
use tickernel::usage::measure_filesystem_usage;
use tickernel::vfs::{
    FileSystemUsage, MAX_PATH_LENGTH, VfsError, VirtualFileSystem, VirtualTimeSpec,
    VirtualUtimeSpec, normalize_path, validate_path,
};

fn small() -> (Small, Log) {
    let log = Log::default();
    (Small::new("", &log), log)
}

#[test]
fn paths_are_normalised_before_links_are_looked_at() {
    let cases = [
        ("", "/"),
        ("/", "/"),
        ("a", "/a"),
        ("//x", "/x"),
        ("/a/b/..", "/a"),
        ("/..", "/"),
        ("/a/../../b/./c//", "/b/c"),
        ("a\0b", "/a\0b"),
    ];
    for (path, normal) in cases {
        assert_eq!(normalize_path(path), normal, "{path:?}");
    }
}

#[test]
fn names_with_control_characters_are_einval() {
    for path in ["/\0", "/\n", "/\x1b/..", "/\x7f"] {
        assert_eq!(validate_path(path).unwrap_err().code(), "EINVAL", "{path:?}");
    }
    assert!(validate_path("/é\u{85}").is_ok(), "only ASCII's are control characters");
}

#[test]
fn a_path_of_4096_bytes_is_the_longest_after_normalising() {
    let of = |bytes: usize| format!("/{}", "a".repeat(bytes - 1));
    assert!(validate_path(&of(MAX_PATH_LENGTH)).is_ok());
    assert_eq!(validate_path(&of(MAX_PATH_LENGTH + 1)).unwrap_err().code(), "ENAMETOOLONG");
    assert!(validate_path(&format!("{}/../b", of(5000))).is_ok());
    let relative = "a".repeat(MAX_PATH_LENGTH);
    assert_eq!(validate_path(&relative).unwrap_err().code(), "ENAMETOOLONG");
}

#[test]
fn errors_print_their_code_once() {
    let error = VfsError::new("ENOENT", "gone");
    assert_eq!((error.code(), error.message()), ("ENOENT", "gone"));
    assert_eq!(error.to_string(), "ENOENT: gone");
    assert_eq!(VfsError::new("ENOENT", "ENOENT: gone").to_string(), "ENOENT: gone");
    assert_eq!(VfsError::new("EIO", "EIOU").to_string(), "EIO: EIOU");
}

#[test]
fn refusals_are_eperm_by_nature_and_eacces_by_policy() {
    let error = VfsError::permission_denied("unlink", "/x");
    assert_eq!(error.to_string(), "EPERM: operation not permitted, unlink '/x'");
    let error = VfsError::access_denied("write", "/x", Some("because"));
    assert_eq!(error.to_string(), "EACCES: permission denied, write '/x': because");
    assert_eq!(VfsError::io("x").code(), "EIO");
    assert_eq!(VfsError::unsupported("x").code(), "ENOSYS");
}

#[test]
fn times_have_less_than_a_second_of_nanoseconds() {
    assert_eq!(VirtualTimeSpec::new(1, 1_000_000_000).unwrap_err().code(), "EINVAL");
    let time = VirtualTimeSpec::new(-1, 5).unwrap();
    assert_eq!((time.sec, time.nsec), (-1, 5));
    assert_eq!(time.to_truncated_millis().unwrap_err().code(), "EINVAL");
    let time = VirtualTimeSpec::from_millis(1234);
    assert_eq!((time.sec, time.nsec), (1, 234_000_000));
    assert_eq!(VirtualTimeSpec { sec: 2, nsec: 1_999_999 }.to_truncated_millis(), Ok(2001));
    let far = VirtualTimeSpec { sec: i64::MAX, nsec: 0 };
    assert_eq!(far.to_truncated_millis().unwrap_err().code(), "EINVAL");
    let ms = u64::MAX;
    assert_eq!(VirtualTimeSpec::from_millis(ms).to_truncated_millis(), Ok(ms));
}

#[test]
fn text_must_be_utf8() {
    let (mut filesystem, _) = small();
    assert_eq!(filesystem.read_text_file("/d/f").unwrap(), "hi");
    filesystem.write_file("/d/f", vec![0x66, 0xff]).unwrap();
    assert_eq!(filesystem.read_text_file("/d/f").unwrap_err().code(), "EINVAL");
}

#[test]
fn a_listing_over_the_limit_is_enomem() {
    let (mut filesystem, _) = small();
    assert_eq!(filesystem.read_dir_limited("/d", 2).unwrap(), ["f", "sub"]);
    let error = filesystem.read_dir_limited("/d", 1).unwrap_err();
    assert_eq!(error.code(), "ENOMEM");
    assert!(error.message().contains("limit of 1 entries"), "{error}");
}

#[test]
fn modes_are_left_aside_by_default() {
    let (mut filesystem, log) = small();
    filesystem.write_file_with_mode("/m", "x", Some(0o600)).unwrap();
    filesystem.create_dir_with_mode("/n", Some(0o700)).unwrap();
    filesystem.mkdir_with_mode("/o", true, Some(0o700)).unwrap();
    filesystem.create_file_exclusive_with_mode("/p", "x", Some(0o600)).unwrap();
    let calls = ["write_file /m", "create_dir /n", "mkdir /o true", "exists /p", "write_file /p"];
    assert_eq!(log.take(), calls);
}

#[test]
fn an_exclusive_create_looks_and_writes_by_default() {
    let (mut filesystem, log) = small();
    let error = filesystem.create_file_exclusive("/d/f", "x").unwrap_err();
    assert_eq!(error.code(), "EEXIST");
    assert_eq!(log.take(), ["exists /d/f"]);
}

#[test]
fn append_reads_and_writes_by_default_and_gives_the_new_length() {
    let (mut filesystem, log) = small();
    assert_eq!(filesystem.append_file("/d/f", "ya"), Ok(4));
    assert_eq!(log.take(), ["read_file /d/f", "write_file /d/f"]);
    assert_eq!(filesystem.read_file("/d/f").unwrap(), b"hiya");
    assert_eq!(filesystem.append_file("/none", "x").unwrap_err().code(), "ENOENT");
}

#[test]
fn pwrite_by_default_fills_gaps_with_zeros() {
    let cases: [(&str, u64, &[u8]); 4] =
        [("o", 1, b"ho"), ("oho", 1, b"hoho"), ("x", 4, b"hi\0\0x"), ("", 3, b"hi\0")];
    for (content, offset, result) in cases {
        let (mut filesystem, _) = small();
        filesystem.pwrite("/d/f", content, offset).unwrap();
        assert_eq!(filesystem.read_file("/d/f").unwrap(), result, "{content:?} at {offset}");
    }
}

#[test]
fn an_absurd_pwrite_changes_nothing() {
    let (mut filesystem, _) = small();
    assert_eq!(filesystem.pwrite("/d/f", "xy", u64::MAX).unwrap_err().code(), "EINVAL");
    assert_eq!(filesystem.pwrite("/d/f", "xy", u64::MAX - 2).unwrap_err().code(), "ENOMEM");
    assert_eq!(filesystem.read_file("/d/f").unwrap(), b"hi");
}

#[test]
fn times_by_default_are_whole_milliseconds() {
    use VirtualUtimeSpec::{Now, Omit, Set};
    let (mut filesystem, log) = small();
    let time = Set(VirtualTimeSpec { sec: 1, nsec: 1_999_999 });
    filesystem.utimes_spec("/d/f", time, Omit, true).unwrap();
    assert_eq!(log.take(), ["stat /d/f", "utimes /d/f 1001 22"]);
    filesystem.utimes_spec("/d/f", Omit, Now, true).unwrap();
    let stat = filesystem.stat("/d/f").unwrap();
    assert_eq!(stat.atime_ms, 1001);
    assert!(stat.mtime_ms > 1_600_000_000_000, "the host's clock: {}", stat.mtime_ms);
    for (sec, nsec) in [(-1, 0), (1, 1_000_000_000)] {
        let time = Set(VirtualTimeSpec { sec, nsec });
        let error = filesystem.utimes_spec("/d/f", time, Omit, true).unwrap_err();
        assert_eq!(error.code(), "EINVAL", "{sec} {nsec}");
    }
}

#[test]
fn a_links_own_times_are_enosys_by_default() {
    let (mut filesystem, log) = small();
    let omit = VirtualUtimeSpec::Omit;
    assert_eq!(filesystem.utimes_spec("/l", omit, omit, false).unwrap_err().code(), "ENOSYS");
    assert!(log.take().is_empty());
}

#[test]
fn usage_counts_inodes_once_and_no_bytes_of_directories() {
    let (mut filesystem, _) = small();
    let usage = measure_filesystem_usage(&mut filesystem).unwrap();
    // f 2, l 4, dl 2, gone 5, loop 5; /, d, sub.
    assert_eq!(usage, FileSystemUsage { total_bytes: 18, inode_count: 8 });
}
