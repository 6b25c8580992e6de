//! A `MemoryFileSystem` as a value and back (section 13; API.md, "vfs").

use tickernel::vfs::{
    MemoryFileSystem, MemoryFileSystemSnapshot, MemoryFileSystemSnapshotInodeKind as Kind,
    VirtualFileSystem,
};

fn files() -> MemoryFileSystem {
    let mut files = MemoryFileSystem::new();
    files.write_file("/d/e/f", "content").unwrap();
    files.link("/d/e/f", "/g").unwrap();
    files.symlink("g", "/l").unwrap();
    files.chown("/g", 3, 4).unwrap();
    files.chmod("/g", 0o4711).unwrap();
    files.utimes("/g", 5_000, 6_000).unwrap();
    files.chmod("/d", 0o700).unwrap();
    files.utimes("/d", 7_000, 8_000).unwrap();
    files
}

#[test]
fn a_snapshot_has_every_path_and_every_inode_once() {
    let snapshot = files().snapshot();
    let paths: Vec<&str> = snapshot.path_index.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/", "/d", "/d/e", "/d/e/f", "/g", "/l"]);
    assert_eq!(snapshot.path_index["/g"], snapshot.path_index["/d/e/f"]);
    assert_eq!(snapshot.inodes.len(), 5);
    assert!(snapshot.inodes.keys().all(|ino| *ino < snapshot.next_ino));
    let inode = &snapshot.inodes[&snapshot.path_index["/g"]];
    assert_eq!(inode.kind, Kind::File { data: b"content".to_vec() });
    let metadata = &inode.metadata;
    assert_eq!((metadata.mode, metadata.uid, metadata.nlink), (0o104_711, 3, 2));
    assert_eq!((metadata.atime_ms, metadata.mtime_ms), (5_000, 6_000));
}

#[test]
fn the_tree_comes_back() {
    let snapshot = files().snapshot();
    let text = serde_json::to_string(&snapshot).unwrap();
    let read: MemoryFileSystemSnapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(read, snapshot);
    let mut again = MemoryFileSystem::from_snapshot(read);
    let next = again.snapshot();
    assert_eq!(next.path_index.len(), snapshot.path_index.len());
    for (path, ino) in &snapshot.path_index {
        let (old, new) = (&snapshot.inodes[ino], &next.inodes[&next.path_index[path]]);
        assert_eq!(new.kind, old.kind, "{path}");
        let shown = |inode: &tickernel::vfs::MemoryFileSystemSnapshotInode| {
            let m = &inode.metadata;
            (m.mode, m.uid, m.gid, m.nlink, m.atime_ms, m.mtime_ms)
        };
        assert_eq!(shown(new), shown(old), "{path}");
    }
    let ino = again.stat("/g").unwrap().ino;
    assert_eq!(again.link_count_in_subtree(ino, "/"), 2);
    assert_eq!(again.link_count_in_subtree(ino, "/d"), 1);
    let names = again.read_dir_filtered_limited("/", 2, |name| name != "d").unwrap();
    assert_eq!(names, ["g", "l"]);
    assert_eq!(again.read_dir_filtered_limited("/", 2, |_| true).unwrap_err().code(), "ENOMEM");
}

#[test]
fn a_damaged_snapshot_gives_what_can_be() {
    let mut snapshot = files().snapshot();
    let file = snapshot.path_index["/g"];
    snapshot.path_index.insert("/g/below".to_owned(), snapshot.path_index["/l"]);
    snapshot.path_index.insert("/x/y/z".to_owned(), file);
    snapshot.path_index.insert("/lost".to_owned(), 1 << 60);
    snapshot.path_index.insert("/cycle/d".to_owned(), 1);
    snapshot.path_index.insert(format!("/{}", "n".repeat(5_000)), file);
    snapshot.next_ino = 0;
    let mut again = MemoryFileSystem::from_snapshot(snapshot);
    assert!(!again.exists("/lost") && !again.exists("/g/below"));
    assert_eq!(again.read_file("/d/e/f").unwrap(), b"content");
}
