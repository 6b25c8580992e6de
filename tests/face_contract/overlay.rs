//! `OverlayFileSystem`: the merged view, what comes up and what is hidden, and what a rename may
//! cost (section 13, "Root file system / overlay"; section 10, "Overlay rename").

use std::fmt::Debug;
use tickernel::overlay_fs::{OverlayFileSystem, OverlayMode};
use tickernel::vfs::{MemoryFileSystem, VfsResult, VirtualFileSystem};

#[track_caller]
fn code<T: Debug>(result: VfsResult<T>) -> &'static str {
    result.unwrap_err().code()
}

fn memory(files: &[(&str, &str)]) -> MemoryFileSystem {
    let mut memory = MemoryFileSystem::new();
    for (path, content) in files {
        memory.write_file(path, *content).unwrap();
    }
    memory
}

/// Two layers: `/a` is in both, `/c` in the lower one alone.
fn overlay() -> OverlayFileSystem {
    let mut high = memory(&[("/a/x", "high"), ("/a/y", "y"), ("/a/d/z", "z")]);
    high.chmod("/a/x", 0o4640).unwrap();
    high.chown("/a/y", 3, 4).unwrap();
    high.link("/a/y", "/b").unwrap();
    high.symlink("/a/x", "/to-x").unwrap();
    high.symlink("a", "/to-a").unwrap();
    let low = memory(&[("/a/x", "low"), ("/a/w", "w"), ("/c/q", "long"), ("/a/d", "hidden")]);
    OverlayFileSystem::new(vec![high, low], OverlayMode::Ephemeral)
}

fn list(files: &mut OverlayFileSystem, path: &str) -> String {
    files.read_dir(path).unwrap().join(" ")
}

#[test]
fn layers_are_seen_as_one() {
    let mut files = overlay();
    assert_eq!(list(&mut files, "/"), "a b c to-a to-x");
    assert_eq!(list(&mut files, "/a"), "d w x y");
    assert_eq!(files.read_file("/a/x").unwrap(), b"high");
    assert_eq!(files.read_file("/to-a/w").unwrap(), b"w");
    assert_eq!(files.realpath("/to-a/d/../w").unwrap(), "/a/w");
    assert_eq!(files.stat("/a/x").unwrap().mode, 0o104_640);
    assert!(files.lstat("/to-x").unwrap().is_symbolic_link);
    // A directory hides a file of a lower layer, and what is below it is its own.
    assert_eq!(list(&mut files, "/a/d"), "z");
    assert_eq!(code(files.read_file("/a/none")), "ENOENT");
    assert_eq!(code(files.read_dir("/a/x")), "ENOTDIR");
    assert_eq!(code(files.read_file("/a/x/y")), "ENOTDIR");
    assert_eq!(code(files.read_dir_limited("/a", 3)), "ENOMEM");
}

#[test]
fn changes_come_up_with_mode_owner_and_content() {
    let mut files = overlay();
    let before = files.stat("/a/y").unwrap();
    assert_eq!((before.nlink, before.uid), (2, 3));
    assert_eq!(files.append_file("/a/y", "+").unwrap(), 2);
    let after = files.stat("/a/y").unwrap();
    assert_eq!((after.nlink, after.uid, after.gid), (1, 3, 4), "its other name stays below");
    assert_ne!((after.dev, after.ino), (before.dev, before.ino), "it is another file now");
    let all = ["/a/x", "/a/w", "/a/y", "/a/d/z", "/c/q"].map(|path| files.stat(path).unwrap());
    let ids: std::collections::BTreeSet<_> = all.iter().map(|stat| (stat.dev, stat.ino)).collect();
    assert_eq!(ids.len(), all.len(), "no two layers share a file");
    assert_eq!(files.read_file("/b").unwrap(), b"y");
    files.truncate("/c/q", 2).unwrap();
    files.pwrite("/c/q", "!", 3).unwrap();
    assert_eq!(files.read_file("/c/q").unwrap(), b"lo\0!");
    files.write_file("/to-x", "new").unwrap();
    assert_eq!(files.read_file("/a/x").unwrap(), b"new");
    assert_eq!(code(files.append_file("/none", "x")), "ENOENT");
    assert_eq!(code(files.write_file("/a", "x")), "EISDIR");
    files.write_file("/p/q/r", "made").unwrap();
    assert_eq!(list(&mut files, "/p/q"), "r");
}

#[test]
fn a_copied_directory_keeps_its_lower_entries() {
    let mut files = overlay();
    files.chmod("/a", 0o700).unwrap();
    files.chown("/c", 9, 9).unwrap();
    assert_eq!(files.stat("/a").unwrap().mode, 0o040_700);
    assert_eq!(list(&mut files, "/a"), "d w x y");
    assert_eq!(list(&mut files, "/c"), "q");
}

#[test]
fn what_is_removed_stays_hidden() {
    let mut files = overlay();
    files.remove_file("/a/x").unwrap();
    assert!(!files.exists("/a/x"), "the lower one is hidden too");
    assert_eq!(code(files.remove_file("/a/x")), "ENOENT");
    assert_eq!(code(files.remove_file("/a")), "EISDIR");
    assert_eq!(code(files.remove_dir("/a")), "ENOTEMPTY");
    assert_eq!(code(files.remove_dir("/b")), "ENOTDIR");
    assert_eq!(code(files.remove_dir("/")), "EPERM");
    files.remove_file("/c/q").unwrap();
    files.remove_dir("/c").unwrap();
    files.create_dir("/c").unwrap();
    assert_eq!(list(&mut files, "/c"), "", "a new directory is opaque");
    files.write_file("/a/x", "again").unwrap();
    assert_eq!(files.stat("/a/x").unwrap().mode, 0o100_644, "a new file");
}

#[test]
fn what_is_there_is_refused() {
    let mut files = overlay();
    assert_eq!(code(files.create_dir("/a")), "EEXIST");
    assert_eq!(code(files.mkdir("/a", false)), "EEXIST");
    assert_eq!(code(files.mkdir("/b", true)), "EEXIST");
    assert_eq!(code(files.mkdir("/b/c", true)), "ENOTDIR");
    assert_eq!(code(files.mkdir("/n/m", false)), "ENOENT");
    files.mkdir("/a/d", true).unwrap();
    assert_eq!(code(files.create_file_exclusive("/to-x", "")), "EEXIST");
    assert_eq!(code(files.symlink("x", "/a/w")), "EEXIST");
    assert_eq!(code(files.link("/a/x", "/a/w")), "EEXIST");
    assert_eq!(code(files.link("/a", "/l")), "EPERM");
    files.link("/to-x", "/l").unwrap();
    assert_eq!(files.stat("/l").unwrap().nlink, 2);
}

#[test]
fn a_rename_takes_the_lower_entries_along() {
    let mut files = overlay();
    files.rename("/a", "/c/moved").unwrap();
    assert!(!files.exists("/a"));
    assert_eq!(list(&mut files, "/c/moved"), "d w x y");
    assert_eq!(files.stat("/c/moved/x").unwrap().mode, 0o104_640);
    files.create_dir("/a").unwrap();
    assert_eq!(list(&mut files, "/a"), "", "what moved is not seen below its new namesake");
    // Over an empty directory of a lower layer, whose entries stay hidden.
    files.remove_file("/c/q").unwrap();
    files.rename("/c/moved", "/a").unwrap();
    files.rename("/a", "/c").unwrap();
    assert_eq!(list(&mut files, "/c"), "d w x y");
}

#[test]
fn a_refused_rename_tells_why() {
    let mut files = overlay();
    for (old, new, wanted) in [
        ("/none", "/n", "ENOENT"),
        ("/a/x", "/n/m", "ENOENT"),
        ("/a", "/a/d/in", "EINVAL"),
        ("/c", "/a", "ENOTEMPTY"),
        ("/a", "/", "EPERM"),
        ("/", "/n", "EPERM"),
    ] {
        assert_eq!(code(files.rename(old, new)), wanted, "{old} {new}");
        let limits = files.check_rename_copy_up_limits(old, new, Some(0), Some(0));
        assert_eq!(code(limits), wanted, "{old} {new}: before ENOSPC");
    }
    files.rename("/a", "/a").unwrap();
    assert_eq!(list(&mut files, "/a"), "d w x y");
}

#[test]
fn a_rename_may_cost_no_more_than_there_is() {
    let mut files = overlay();
    let check = |files: &mut OverlayFileSystem, old: &str, new: &str, bytes, inodes| {
        files.check_rename_copy_up_limits(old, new, bytes, inodes).map_err(|error| error.code())
    };
    // `/a` has 7 bytes (high, y, z, w) and 6 inodes; the upper layer has its root.
    assert_eq!(check(&mut files, "/a", "/n", Some(7), None), Ok(()));
    assert_eq!(check(&mut files, "/a", "/n", Some(6), None), Err("ENOSPC"));
    assert_eq!(check(&mut files, "/a", "/n", None, Some(7)), Ok(()));
    assert_eq!(check(&mut files, "/a", "/n", None, Some(6)), Err("ENOSPC"));
    // The directory that it goes to comes up too.
    assert_eq!(check(&mut files, "/b", "/c/n", None, Some(3)), Ok(()));
    assert_eq!(check(&mut files, "/b", "/c/n", None, Some(2)), Err("ENOSPC"));
    assert_eq!(list(&mut files, "/"), "a b c to-a to-x", "nothing has changed");
    // What lies above already costs nothing, whatever the limit.
    files.write_file("/up", "12345").unwrap();
    assert_eq!(check(&mut files, "/up", "/up2", Some(0), Some(0)), Ok(()));
    // What it replaces goes, unless another name keeps it.
    assert_eq!(check(&mut files, "/b", "/up", Some(1), None), Ok(()));
    files.link("/up", "/up2").unwrap();
    assert_eq!(check(&mut files, "/b", "/up", Some(5), None), Err("ENOSPC"));
}

#[test]
fn hard_links_come_up_as_one() {
    let mut base = memory(&[("/d/one", "12345")]);
    base.link("/d/one", "/d/two").unwrap();
    let mut files = OverlayFileSystem::new(vec![base], OverlayMode::Ephemeral);
    files.check_rename_copy_up_limits("/d", "/e", Some(5), Some(3)).unwrap();
    files.rename("/d", "/e").unwrap();
    assert_eq!(files.stat("/e/two").unwrap().nlink, 2);
}

#[test]
fn a_locked_overlay_refuses_every_change() {
    let base = memory(&[("/d/f", "1")]);
    let mut files = OverlayFileSystem::new(vec![base], OverlayMode::ReadOnly);
    for _ in 0..2 {
        assert_eq!(code(files.write_file("/d/f", "x")), "EROFS");
        assert_eq!(code(files.write_file("/n/m", "x")), "EROFS");
        assert_eq!(code(files.append_file("/d/f", "x")), "EROFS");
        assert_eq!(code(files.pwrite("/d/f", "x", 0)), "EROFS");
        assert_eq!(code(files.truncate("/d/f", 0)), "EROFS");
        assert_eq!(code(files.create_file_exclusive("/n", "x")), "EROFS");
        assert_eq!(code(files.create_dir("/n")), "EROFS");
        assert_eq!(code(files.mkdir("/n/m", true)), "EROFS");
        assert_eq!(code(files.remove_file("/d/f")), "EROFS");
        assert_eq!(code(files.rename("/d/f", "/d/g")), "EROFS");
        assert_eq!(code(files.symlink("x", "/n")), "EROFS");
        assert_eq!(code(files.link("/d/f", "/n")), "EROFS");
        assert_eq!(code(files.chmod("/d/f", 0)), "EROFS");
        assert_eq!(code(files.chown("/d/f", 0, 0)), "EROFS");
        assert_eq!(code(files.utimes("/d/f", 1, 1)), "EROFS");
        // What is there is told first.
        assert_eq!(code(files.create_dir("/d")), "EEXIST");
        assert_eq!(code(files.remove_dir("/d")), "ENOTEMPTY");
        assert_eq!(files.read_file("/d/f").unwrap(), b"1");
        files = OverlayFileSystem::with_upper(Vec::new(), memory(&[("/d/f", "1")]));
        files.lock_writes();
    }
}

#[test]
fn links_of_the_upper_layer_stay_in_it() {
    let mut files = overlay();
    files.symlink("/c/q", "/to-q").unwrap();
    assert_eq!(code(files.read_file("/to-q")), "ENOENT", "/c/q lies below only");
    assert_eq!(files.read_link("/to-q").unwrap(), "/c/q");
    files.chmod("/c/q", 0o600).unwrap();
    assert_eq!(files.read_file("/to-q").unwrap(), b"long");
    // Links of the lower layers lead to what is seen.
    files.write_file("/a/x", "new").unwrap();
    assert_eq!(files.read_file("/to-x").unwrap(), b"new");
}

#[test]
fn loops_and_absurd_paths_end() {
    let mut files = overlay();
    files.symlink("/loop", "/loop").unwrap();
    assert_eq!(code(files.read_file("/loop")), "ELOOP");
    assert_eq!(code(files.write_file("/loop", "x")), "ELOOP");
    assert!(!files.exists("/loop/x"));
    let deep = "/d".repeat(3_000);
    assert_eq!(code(files.read_file(&deep)), "ENOENT");
    assert!(files.write_file(&"x".repeat(5_000), "x").is_err());
    for path in ["/.secure-exec-overlay", "/.secure-exec-overlay/x"] {
        assert!(!files.exists(path));
        assert!(files.write_file(path, "x").is_err());
        assert!(files.mkdir(path, true).is_err());
        assert!(files.rename("/a", path).is_err());
    }
    assert_eq!(list(&mut files, "/"), "a b c loop to-a to-x");
}

/// What the machine counts after random changes is what a walk finds (section 10, "Usage").
#[test]
fn the_count_is_kept_from_change_to_change() {
    counts_as_a_walk_does(tickernel::mount_table::MountTable::new(overlay()));
    let memory = memory(&[("/a/x", "x"), ("/c/q", "q")]);
    counts_as_a_walk_does(tickernel::mount_table::MountTable::new(memory));
}

fn counts_as_a_walk_does(mut table: tickernel::mount_table::MountTable) {
    let paths =
        ["/a", "/a/x", "/a/y", "/b", "/c/q", "/c", "/n", "/n/m", "/to-x", "/to-a/w", "/a/d"];
    let mut state = 1_u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for step in 0..3_000 {
        let (path, other) = (paths[draw(paths.len())], paths[draw(paths.len())]);
        let kind = draw(14);
        // What is refused changes nothing.
        let _ = match kind {
            0 => table.write_file(path, vec![0; draw(50)]),
            1 => table.append_file(path, "more").map(drop),
            2 => table.pwrite(path, "PW", draw(9) as u64),
            3 => table.truncate(path, draw(60) as u64),
            4 => table.create_file_exclusive(path, "new"),
            5 => table.create_dir(path),
            6 => table.mkdir(path, draw(2) == 0),
            7 => table.remove_file(path),
            8 => table.remove_dir(path),
            9 => table.rename(path, other),
            10 => table.link(path, other),
            11 => table.symlink(other, path),
            12 => table.chmod(path, 0o700),
            _ => table.utimes(path, 1, 2),
        };
        let counted = table.root_usage().unwrap();
        let walked = tickernel::usage::measure_filesystem_usage(&mut table).unwrap();
        assert_eq!(counted, walked, "step {step}: {kind} {path} {other}");
    }
}
