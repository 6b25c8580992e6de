//! The mount table (SEMANTICS.md section 13).

use crate::small::{Log, Small};
use tickernel::mount_table::{MountOptions, MountTable};
use tickernel::vfs::{FileSystemUsage, VfsResult};

/// A root (`R:`), one on `/mnt/a` (`A:`), and a read-only one on `/mnt/a/sub/b` (`B:`).
fn table() -> (MountTable, Log) {
    let log = Log::default();
    let mut table = MountTable::new(Small::new("R:", &log));
    table.mount("/mnt/a", Small::new("A:", &log), MountOptions::new("pa")).unwrap();
    let read_only = MountOptions::new("pb").read_only(true);
    table.mount("/mnt/a/sub/b", Small::new("B:", &log), read_only).unwrap();
    log.take();
    (table, log)
}

fn code<T: std::fmt::Debug>(result: VfsResult<T>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn the_longest_prefix_answers() {
    let (mut f, log) = table();
    f.read_file("/d/f").unwrap();
    f.read_file("/mnt/a/d/f").unwrap();
    f.read_file("/mnt/a/sub/b/d/f").unwrap();
    f.stat("mnt/a/x/../sub/b").unwrap();
    assert_eq!(code(f.stat("/mnt/ab")), "ENOENT");
    let calls = ["R:read_file /d/f", "A:read_file /d/f", "B:read_file /d/f", "B:stat /"];
    let found = log.take();
    assert_eq!(found[..4], calls);
    assert_eq!(found[4], "R:stat /mnt/ab");
}

#[test]
fn real_paths_lead_through_the_mount() {
    let (f, _) = table();
    assert_eq!(f.realpath("/mnt/a/dl/f").unwrap(), "/mnt/a/d/f");
    assert_eq!(f.realpath("/mnt/a").unwrap(), "/mnt/a");
    assert_eq!(f.realpath("/").unwrap(), "/");
    // Links are resolved inside their mount.
    assert_eq!(f.read_link("/mnt/a/l").unwrap(), "/d/f");
}

#[test]
fn mounts_are_listed_longest_first() {
    let (mut f, log) = table();
    f.mount("rel/../x//y", Small::new("", &log), MountOptions::new("px")).unwrap();
    let found: Vec<_> = f
        .get_mounts()
        .into_iter()
        .map(|mount| (mount.path, mount.plugin_id, mount.read_only))
        .collect();
    let entry = |path: &str, id: &str, read_only| (path.to_owned(), id.to_owned(), read_only);
    let expected = [
        entry("/mnt/a/sub/b", "pb", true),
        entry("/mnt/a", "pa", false),
        entry("/x/y", "px", false),
        entry("/", "root", false),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_mount_point_is_made_in_its_parent() {
    let log = Log::default();
    let mut f = MountTable::new(Small::new("R:", &log));
    f.mount("/m/n", Small::new("", &log), MountOptions::new("p")).unwrap();
    assert_eq!(log.take(), ["R:exists /m/n", "R:mkdir /m/n true"]);
    f.mount("/d/f", Small::new("", &log), MountOptions::new("p")).unwrap();
    assert_eq!(log.take(), ["R:exists /d/f"]);
}

#[test]
fn a_read_only_parent_takes_a_mount_and_lists_it() {
    let (mut f, log) = table();
    f.mount("/mnt/a/sub/b/deep/in", Small::new("", &log), MountOptions::new("p")).unwrap();
    assert!(log.take().is_empty());
    assert_eq!(f.read_dir("/mnt/a/sub/b/deep").unwrap(), ["in"]);
    assert!(f.read_dir("/mnt/a/sub/b").unwrap().contains(&"deep".to_owned()));
}

#[test]
fn root_taken_and_unknown_mount_points_are_refused() {
    let (mut f, log) = table();
    let options = || MountOptions::new("p");
    assert_eq!(code(f.mount("/", Small::new("", &log), options())), "EINVAL");
    assert_eq!(code(f.mount("/mnt/../mnt/a/", Small::new("", &log), options())), "EEXIST");
    assert_eq!(code(f.unmount("/")), "EINVAL");
    assert_eq!(code(f.unmount("/d")), "EINVAL");
    assert_eq!(code(f.unmount("/mnt/a")), "EBUSY");
    f.unmount("/mnt/a/sub/b").unwrap();
    f.unmount("/mnt/a").unwrap();
    assert_eq!(f.get_mounts().len(), 1);
}

#[test]
fn every_change_of_a_read_only_mount_is_erofs() {
    let (mut f, log) = table();
    let at = |name: &str| format!("/mnt/a/sub/b/{name}");
    let (file, new) = (at("d/f"), at("new"));
    assert_eq!(code(f.write_file(&file, "x")), "EROFS");
    assert_eq!(code(f.write_file_with_mode(&file, "x", None)), "EROFS");
    assert_eq!(code(f.append_file(&file, "x")), "EROFS");
    assert_eq!(code(f.pwrite(&file, "x", 0)), "EROFS");
    assert_eq!(code(f.truncate(&file, 0)), "EROFS");
    assert_eq!(code(f.create_dir(&new)), "EROFS");
    assert_eq!(code(f.create_dir_with_mode(&new, None)), "EROFS");
    assert_eq!(code(f.mkdir(&new, true)), "EROFS");
    assert_eq!(code(f.mkdir_with_mode(&new, true, None)), "EROFS");
    assert_eq!(code(f.remove_file(&file)), "EROFS");
    assert_eq!(code(f.remove_dir(&at("d"))), "EROFS");
    assert_eq!(code(f.rename(&file, &new)), "EROFS");
    assert_eq!(code(f.symlink("f", &new)), "EROFS");
    assert_eq!(code(f.link(&file, &new)), "EROFS");
    assert_eq!(code(f.chmod(&file, 0)), "EROFS");
    assert_eq!(code(f.chown(&file, 0, 0)), "EROFS");
    assert_eq!(code(f.utimes(&file, 0, 0)), "EROFS");
    assert!(log.take().is_empty());
    assert_eq!(code(f.create_file_exclusive(&new, "x")), "EROFS");
    assert_eq!(code(f.create_file_exclusive(&file, "x")), "EEXIST");
}

#[test]
fn names_do_not_cross_mounts() {
    let (mut f, log) = table();
    assert_eq!(code(f.rename("/d/f", "/mnt/a/x")), "EXDEV");
    assert_eq!(code(f.rename("/mnt/a/d/f", "/x")), "EXDEV");
    assert_eq!(code(f.link("/d/f", "/mnt/a/x")), "EXDEV");
    assert_eq!(code(f.symlink("/mnt/a/d", "/x")), "EXDEV");
    assert_eq!(code(f.symlink("mnt/a/d", "/x")), "EXDEV");
    assert_eq!(code(f.symlink("../../d", "/mnt/a/x")), "EXDEV");
    assert!(log.take().is_empty());
    f.symlink("/mnt/a/d", "/mnt/a/x").unwrap();
    f.rename("/mnt/a/d/f", "/mnt/a/y").unwrap();
    assert_eq!(log.take(), ["A:symlink /mnt/a/d /x", "A:rename /d/f /y"]);
}

#[test]
fn listings_show_the_mounts_below() {
    let (mut f, _) = table();
    f.remove_dir("/mnt").unwrap();
    assert!(f.read_dir("/").unwrap().contains(&"mnt".to_owned()));
    assert_eq!(f.read_dir("/mnt").unwrap(), ["a"]);
    let typed = f.read_dir_with_types("/mnt/a/sub").unwrap();
    assert_eq!((typed[0].name.as_str(), typed[0].is_directory), ("b", true));
    let all = f.read_dir("/").unwrap();
    assert_eq!(code(f.read_dir_limited("/", all.len() - 1)), "ENOMEM");
    assert_eq!(f.read_dir_limited("/", all.len()).unwrap(), all);
}

#[test]
fn usage_is_the_roots_alone() {
    let (mut f, log) = table();
    let alone = MountTable::new(Small::new("", &log)).root_usage().unwrap();
    assert_eq!(alone, FileSystemUsage { total_bytes: 18, inode_count: 8 });
    // The mount point and its parent are the root's.
    assert_eq!(f.root_usage().unwrap().inode_count, alone.inode_count + 2);
}

#[test]
fn the_roots_own_type_is_found() {
    let (mut f, _) = table();
    assert!(f.root_virtual_filesystem_mut::<Small>().is_some());
    assert!(f.root_virtual_filesystem_mut::<MountTable>().is_none());
}
