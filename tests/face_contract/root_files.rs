//! `RootFileSystem`: its description, the bundled trees, bootstrap and modes, what may be imported,
//! snapshots and their JSON (section 13, "Root file system / overlay"; section 10).

use tickernel::resource_accounting::ResourceLimits;
use tickernel::root_fs::*;
use tickernel::vfs::measure_filesystem_usage;

fn bare(lowers: Vec<Vec<FilesystemEntry>>) -> RootFilesystemDescriptor {
    RootFilesystemDescriptor {
        disable_default_base_layer: true,
        lowers: lowers.into_iter().map(|entries| RootFilesystemSnapshot { entries }).collect(),
        ..RootFilesystemDescriptor::default()
    }
}

fn root(descriptor: RootFilesystemDescriptor) -> RootFileSystem {
    RootFileSystem::from_descriptor(descriptor).unwrap()
}

#[track_caller]
fn refused(descriptor: RootFilesystemDescriptor, words: &str) {
    let error = RootFileSystem::from_descriptor(descriptor).unwrap_err().to_string();
    assert!(error.contains(words), "{error} says nothing of {words}");
}

#[test]
fn the_bundled_tree_lies_below_all() {
    let mut files = root(RootFilesystemDescriptor::default());
    assert!(files.read_dir("/").unwrap().iter().any(|name| name == "etc"));
    assert!(!files.read_file("/etc/passwd").unwrap().is_empty());
    assert_eq!(files.stat("/tmp").unwrap().mode, 0o041_777);
    assert_eq!(files.stat("/").unwrap().uid, 0);
    let home = files.stat("/home/agentos").unwrap();
    assert_eq!((home.mode, home.uid, home.gid), (0o042_755, 1000, 1000));
    assert_eq!(files.read_link("/usr/bin/env").unwrap(), "/bin/busybox");
    assert!(!files.read_file("/etc/os-release").unwrap().is_empty(), "a link that leads somewhere");
    let limits = RootFilesystemImportLimits::default();
    assert!(load_bundled_base_snapshot_with_limits(&limits).is_ok());
    let small = RootFilesystemImportLimits { max_inode_count: Some(3), ..limits };
    assert!(load_bundled_base_snapshot_with_limits(&small).is_err());
}

#[test]
fn without_base_and_layers_a_minimal_tree_stands_in() {
    let mut files = root(bare(Vec::new()));
    assert!(files.exists("/etc/agentos") && files.exists("/usr/share/man"));
    assert_eq!(files.read_file("/usr/bin/env").unwrap(), b"");
    let mut files = root(bare(vec![Vec::new()]));
    assert!(files.read_dir("/").unwrap().is_empty(), "a layer is a layer, though it has nothing");
}

#[test]
fn layers_lie_over_one_another() {
    let high = vec![FilesystemEntry::file("/f", "high"), FilesystemEntry::symlink("/l", "f")];
    let low = vec![FilesystemEntry::file("/f", "low"), FilesystemEntry::file("d/e/g", "g")];
    let mut files = root(bare(vec![high, low]));
    assert_eq!(files.read_file("/l").unwrap(), b"high");
    assert_eq!(files.read_file("/d/e/g").unwrap(), b"g");
    for path in ["/d", "/d/e"] {
        let stat = files.stat(path).unwrap();
        assert_eq!((stat.mode, stat.uid, stat.gid), (0o040_755, 0, 0), "an implied parent");
    }
    assert_eq!(files.lstat("/l").unwrap().uid, 0);
    assert_eq!(files.stat("/f").unwrap().mode, 0o100_644);
    files.rename("/d", "/e").unwrap();
    assert_eq!(
        files.check_rename_copy_up_limits("/f", "/f2", Some(1), None).unwrap_err().code(),
        "ENOSPC"
    );
}

#[test]
fn entries_are_put_by_depth_and_replace_what_is_no_directory() {
    let mut suid = FilesystemEntry::file("/b/tool", "x");
    (suid.mode, suid.uid) = (0o104_755, 7);
    let mut top = FilesystemEntry::directory("/");
    (top.mode, top.gid) = (0o700, 5);
    let layer = vec![suid, FilesystemEntry::symlink("/to", "/b/tool"), top];
    let mut files = root(RootFilesystemDescriptor {
        bootstrap_entries: vec![
            FilesystemEntry::file("/to", "a file now"),
            FilesystemEntry::file("/dev/null", "never"),
            FilesystemEntry::directory("/proc"),
            FilesystemEntry::file("/sys", "never"),
            FilesystemEntry::file("/system", "kept"),
        ],
        ..bare(vec![layer])
    });
    let tool = files.stat("/b/tool").unwrap();
    assert_eq!((tool.mode, tool.uid), (0o104_755, 7));
    assert_eq!(files.read_file("/b/tool").unwrap(), b"x", "not written through the link");
    assert_eq!(files.read_file("/to").unwrap(), b"a file now");
    assert_eq!(files.read_dir("/").unwrap(), ["b", "system", "to"]);
    let stat = files.stat("/").unwrap();
    assert_eq!((stat.mode, stat.gid), (0o040_700, 5));
}

#[test]
fn what_cannot_be_is_refused() {
    use FilesystemEntry as Entry;
    refused(bare(vec![vec![Entry::file("/a", ""), Entry::file("/a/b", "")]]), "ENOTDIR");
    refused(bare(vec![vec![Entry::file("/a", ""), Entry::directory("/a")]]), "ENOTDIR");
    refused(bare(vec![vec![Entry::directory("/a"), Entry::file("/a", "")]]), "/a");
    refused(bare(vec![vec![Entry::file("", "")]]), "EISDIR");
    refused(bare(vec![vec![Entry::file("/a\0b", "")]]), "EINVAL");
    refused(bare(vec![vec![Entry::file("/".to_owned() + &"a".repeat(4_096), "")]]), "ENAMETOOLONG");
    let mut link = Entry::symlink("/l", "");
    link.target = None;
    refused(bare(vec![vec![link]]), "missing symlink target for /l");
    refused(bare(vec![vec![Entry::symlink("/l", "l"), Entry::file("/l/in", "")]]), "ELOOP");
    let bootstrap_entries = vec![Entry::file("/f/in", ""), Entry::file("/f", "")];
    refused(RootFilesystemDescriptor { bootstrap_entries, ..bare(vec![vec![]]) }, "ENOTDIR");
}

#[test]
fn a_read_only_root_is_writable_until_its_bootstrap_is_finished() {
    let mode = RootFilesystemMode::ReadOnly;
    let mut files = root(RootFilesystemDescriptor { mode, ..RootFilesystemDescriptor::default() });
    files.write_file("/x", "1").unwrap();
    files.apply_bootstrap_entries(&[FilesystemEntry::file("/y", "2")]).unwrap();
    files.finish_bootstrap();
    assert_eq!(files.write_file("/x", "2").unwrap_err().code(), "EROFS");
    assert!(files.apply_bootstrap_entries(&[]).is_err());
    assert_eq!(files.read_file("/y").unwrap(), b"2");
    let mut files = root(RootFilesystemDescriptor::default());
    files.finish_bootstrap();
    files.write_file("/x", "1").unwrap();
}

#[test]
fn imports_have_limits() {
    let entries =
        vec![FilesystemEntry::file("/a/b/c", "12345"), FilesystemEntry::symlink("/l", "target")];
    let snapshot = RootFilesystemSnapshot { entries };
    let none = RootFilesystemImportLimits {
        max_encoded_snapshot_bytes: None,
        max_filesystem_bytes: None,
        max_inode_count: None,
    };
    let check = |limits| {
        let checked = validate_snapshot_import_limits(&snapshot, &limits, "it");
        checked.map_err(|error| error.to_string())
    };
    let bytes = |max| RootFilesystemImportLimits { max_filesystem_bytes: Some(max), ..none };
    let inodes = |max| RootFilesystemImportLimits { max_inode_count: Some(max), ..none };
    check(bytes(11)).unwrap();
    assert_eq!(check(bytes(10)).unwrap_err(), "it contains 11 bytes, exceeding limit 10");
    check(inodes(4)).unwrap();
    assert_eq!(check(inodes(3)).unwrap_err(), "it contains 4 entries, exceeding limit 3");
    let text = encode_snapshot(&snapshot).unwrap();
    let short = RootFilesystemImportLimits { max_encoded_snapshot_bytes: Some(10), ..none };
    let error = decode_snapshot_with_import_limits(&text, &short).unwrap_err().to_string();
    assert!(error.contains("encoded bytes, exceeding limit 10"), "{error}");
    let limits = RootFilesystemImportLimits::from_resource_limits(&ResourceLimits::default());
    assert_eq!(limits, RootFilesystemImportLimits::default());
    let encoded = 2 * 64 * 1024 * 1024 + 16_384 * (4_096 + 1_024) + 4_096;
    assert_eq!(limits.max_encoded_snapshot_bytes, Some(encoded));
    // Implied parents are counted one by one: no more than the limit are ever kept.
    let deep = |n: usize| FilesystemEntry::file(format!("/{n}{}", "/d".repeat(2_000)), "");
    refused(bare(vec![(0..5_000).map(deep).collect()]), "entries, exceeding limit 16384");
}

#[test]
fn a_snapshot_makes_the_same_tree_again() {
    let mut files = root(RootFilesystemDescriptor::default());
    files.write_file("/new/file", vec![0, 255, 7]).unwrap();
    files.remove_file("/etc/passwd").unwrap();
    files.chmod("/new/file", 0o4711).unwrap();
    files.symlink("../x", "/new/link").unwrap();
    let snapshot = files.snapshot().unwrap();
    assert_eq!(snapshot.entries[0].path, "/");
    assert!(!snapshot.entries.iter().any(|entry| entry.path == "/etc/passwd"));
    let read = decode_snapshot(&encode_snapshot(&snapshot).unwrap()).unwrap();
    assert_eq!(read, snapshot);
    let entries = read.entries;
    let mut again = root(bare(vec![entries]));
    assert_eq!(again.snapshot().unwrap(), snapshot);
    let sizes = [&mut files, &mut again].map(|files| measure_filesystem_usage(files).unwrap());
    assert_eq!(sizes[0], sizes[1]);
}

#[test]
fn snapshots_are_json_of_two_names() {
    let entries = vec![
        FilesystemEntry::directory("/a"),
        FilesystemEntry::file("/a/b", "hi"),
        FilesystemEntry::symlink("/l", "/a"),
    ];
    let text = encode_snapshot(&RootFilesystemSnapshot { entries }).unwrap();
    let wanted = r#"{"format":"secure_exec_filesystem_snapshot_v1","filesystem":{"entries":[{"path":"/a","type":"directory","mode":"755","uid":0,"gid":0},{"path":"/a/b","type":"file","mode":"644","uid":0,"gid":0,"content":"aGk=","encoding":"base64"},{"path":"/l","type":"symlink","mode":"777","uid":0,"gid":0,"target":"/a"}]}}"#;
    assert_eq!(String::from_utf8(text).unwrap(), wanted);
    let later = wanted.replace(ROOT_FILESYSTEM_SNAPSHOT_FORMAT, "agentos_filesystem_snapshot_v1");
    assert_eq!(decode_snapshot(later.as_bytes()).unwrap().entries.len(), 3);
    let plain = wanted.replace(r#""aGk=","encoding":"base64""#, r#""hi""#);
    assert_eq!(decode_snapshot(plain.as_bytes()).unwrap().entries[1].content, Some(b"hi".to_vec()));
}

#[test]
fn damaged_snapshots_are_told() {
    let good = encode_snapshot(&RootFilesystemSnapshot {
        entries: vec![FilesystemEntry::file("/a/b", "hi")],
    })
    .unwrap();
    let good = String::from_utf8(good).unwrap();
    for length in 0..good.len() {
        assert!(decode_snapshot(&good.as_bytes()[..length]).is_err(), "{length}");
    }
    for (from, to, words) in [
        ("secure_exec_filesystem_snapshot_v1", "v9", "unsupported root snapshot format: v9"),
        ("644", "999", "parse mode 999"),
        ("644", "77777777777777", "parse mode"),
        ("aGk=", "a!", "decode content of /a/b"),
        ("\"file\"", "\"fifo\"", "parse root snapshot"),
        ("\"uid\":0", "\"uid\":-1", "parse root snapshot"),
        ("/a/b", "/a\\u0000b", "EINVAL"),
    ] {
        let error = decode_snapshot(good.replace(from, to).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{error} says nothing of {words}");
    }
    assert!(decode_snapshot("[".repeat(100_000).as_bytes()).is_err());
    assert!(decode_snapshot(&[0xff; 10]).is_err());
}
