//! Section 13: files by path over `MemoryFileSystem`.

use crate::support::{DRIVER, Vm, code, process, refused, vm};
use tickernel::vfs::{MemoryFileSystem, VirtualFileSystem, VirtualTimeSpec, VirtualUtimeSpec};

#[test]
fn paths_are_normalised_by_their_text() {
    let mut vm = vm();
    vm.write_file("/d/f", "x").unwrap();
    vm.write_file("/e/sub/f", "y").unwrap();
    vm.symlink("/e/sub", "/d/l").unwrap();
    for path in ["/d/f", "d/f", "//d///f/", "/./d/./f", "/../../d/f", "/none/../d/f", "/d/l/../f"] {
        assert_eq!(vm.read_file(path).unwrap(), b"x", "{path}");
    }
    assert_eq!(vm.read_file("/d/l/f").unwrap(), b"y");
    assert_eq!(vm.read_dir("").unwrap(), ["d", "e"]);
    assert_eq!(vm.realpath("/d/l/../l/f").unwrap(), "/e/sub/f");
}

#[test]
fn links_lead_on_forty_times_and_not_through_files() {
    let mut vm = vm();
    vm.write_file("/d/f", "x").unwrap();
    vm.symlink("f", "/d/relative").unwrap();
    vm.symlink("/loop", "/loop").unwrap();
    assert_eq!(vm.read_file("/d/relative").unwrap(), b"x");
    assert_eq!(vm.read_link("/d/relative").unwrap(), "f");
    refused(&mut vm, "ELOOP", |vm| vm.read_file("/loop"));
    refused(&mut vm, "ELOOP", |vm| vm.stat("/loop/x"));
    refused(&mut vm, "EINVAL", |vm| vm.read_link("/d/f"));
    refused(&mut vm, "ENOTDIR", |vm| vm.stat("/d/f/x"));
    vm.symlink("/d/f", "/l1").unwrap();
    for at in 2..=41 {
        vm.symlink(&format!("/l{}", at - 1), &format!("/l{at}")).unwrap();
    }
    assert_eq!(vm.read_file("/l40").unwrap(), b"x");
    refused(&mut vm, "ELOOP", |vm| vm.realpath("/l41"));
    assert_eq!(vm.lstat("/l41").unwrap().size, 4);
}

#[test]
fn what_is_made_has_the_contracts_modes_and_owner() {
    let mut vm = vm();
    vm.write_file("/d/f", "12345").unwrap();
    vm.symlink("f", "/d/l").unwrap();
    let facts = |vm: &mut Vm, path: &str| {
        let stat = vm.lstat(path).unwrap();
        assert_eq!((stat.uid, stat.gid), (1000, 1000), "{path}");
        (stat.mode, stat.size, stat.blocks, stat.is_directory, stat.is_symbolic_link)
    };
    assert_eq!(facts(&mut vm, "/d/f"), (0o100_644, 5, 1, false, false));
    assert_eq!(facts(&mut vm, "/d"), (0o040_755, 4096, 8, true, false));
    assert_eq!(facts(&mut vm, "/"), (0o040_755, 4096, 8, true, false));
    assert_eq!(facts(&mut vm, "/d/l"), (0o120_777, 1, 1, false, true));
    assert!(vm.stat("/d/f").unwrap().dev >= 256);
    assert_eq!(vm.stat("/d/f").unwrap(), vm.stat("/d/l").unwrap());
}

#[test]
fn link_counts_of_files_and_directories() {
    let mut vm = vm();
    vm.mkdir("/d/sub", true).unwrap();
    vm.write_file("/f", "x").unwrap();
    vm.link("/f", "/d/g").unwrap();
    assert_eq!((vm.stat("/f").unwrap().nlink, vm.stat("/d").unwrap().nlink), (2, 3));
    assert_eq!(vm.stat("/f").unwrap().ino, vm.stat("/d/g").unwrap().ino);
    vm.remove_file("/f").unwrap();
    assert_eq!(vm.read_file("/d/g").unwrap(), b"x");
    assert_eq!(vm.stat("/d/g").unwrap().nlink, 1);
}

#[test]
fn a_write_makes_parents_and_keeps_what_is_there() {
    let mut vm = vm();
    vm.write_file("/a/b/f", "x").unwrap();
    let before = vm.stat("/a/b/f").unwrap();
    vm.chmod("/a/b/f", 0o600).unwrap();
    vm.write_file("/a/b/f", "longer").unwrap();
    let after = vm.stat("/a/b/f").unwrap();
    assert_eq!((after.ino, after.mode, after.size), (before.ino, 0o100_600, 6));
    vm.symlink("/a/made", "/l").unwrap();
    vm.write_file("/l", "through a link to nothing").unwrap();
    assert_eq!(vm.read_file("/a/made").unwrap(), b"through a link to nothing");
    refused(&mut vm, "EISDIR", |vm| vm.write_file("/a", "x"));
    refused(&mut vm, "EISDIR", |vm| vm.read_file("/a"));
    refused(&mut vm, "ENOTDIR", |vm| vm.write_file("/a/b/f/x", "x"));
    refused(&mut vm, "ENOENT", |vm| vm.pwrite_file("/none", 0, "x"));
    vm.pwrite_file("/a/b/f", 8, "x").unwrap();
    assert_eq!(vm.read_file("/a/b/f").unwrap(), b"longer\0\0x");
}

#[test]
fn directories_are_made_one_way_or_the_other() {
    let mut vm = vm();
    vm.write_file("/f", "x").unwrap();
    vm.create_dir("/d").unwrap();
    vm.create_dir("/d").unwrap();
    vm.mkdir("/d", true).unwrap();
    vm.mkdir("/a/b/c", true).unwrap();
    vm.mkdir("/a/b/c", true).unwrap();
    refused(&mut vm, "EEXIST", |vm| vm.create_dir("/f"));
    refused(&mut vm, "EEXIST", |vm| vm.mkdir("/f", false));
    refused(&mut vm, "ENOTDIR", |vm| vm.mkdir("/f", true));
    refused(&mut vm, "ENOTDIR", |vm| vm.mkdir("/f/x", true));
    refused(&mut vm, "ENOENT", |vm| vm.create_dir("/none/d"));
    refused(&mut vm, "ENOENT", |vm| vm.mkdir("/none/d", false));
    process(&mut vm, None);
    vm.mkdir_for_process(DRIVER, 1, "/p/q", true, Some(0o777)).unwrap();
    assert_eq!(vm.stat("/p").unwrap().mode, 0o040_755);
    assert_eq!(vm.stat("/p/q").unwrap().mode, 0o040_755);
    vm.umask(DRIVER, 1, Some(0o077)).unwrap();
    vm.create_dir_for_process(DRIVER, 1, "/r", None).unwrap();
    assert_eq!(vm.stat("/r").unwrap().mode, 0o040_700);
    vm.write_file_for_process(DRIVER, 1, "/r/f", "x", Some(0o666)).unwrap();
    assert_eq!(vm.stat("/r/f").unwrap().mode, 0o100_600);
}

#[test]
fn names_are_removed_by_their_kind() {
    let mut vm = vm();
    vm.write_file("/d/f", "x").unwrap();
    vm.symlink("/d", "/l").unwrap();
    refused(&mut vm, "EISDIR", |vm| vm.remove_file("/d"));
    refused(&mut vm, "ENOTDIR", |vm| vm.remove_dir("/d/f"));
    refused(&mut vm, "ENOTEMPTY", |vm| vm.remove_dir("/d"));
    refused(&mut vm, "ENOTDIR", |vm| vm.remove_dir("/l"));
    refused(&mut vm, "EPERM", |vm| vm.remove_dir("/"));
    refused(&mut vm, "ENOENT", |vm| vm.remove_file("/none"));
    refused(&mut vm, "ENOENT", |vm| vm.remove_dir("/none"));
    vm.remove_file("/l").unwrap();
    vm.remove_file("/d/f").unwrap();
    vm.remove_dir("/d").unwrap();
    assert!(vm.read_dir("/").unwrap().is_empty());
}

#[test]
fn renames_replace_across_kinds() {
    let mut vm = vm();
    for path in ["/file", "/full/x", "/other"] {
        vm.write_file(path, path).unwrap();
    }
    vm.mkdir("/empty", false).unwrap();
    refused(&mut vm, "ENOENT", |vm| vm.rename("/none", "/x"));
    refused(&mut vm, "ENOENT", |vm| vm.rename("/file", "/none/x"));
    refused(&mut vm, "ENOENT", |vm| vm.rename("/nothing", "/none/x"));
    refused(&mut vm, "EINVAL", |vm| vm.rename("/full", "/full/y"));
    refused(&mut vm, "ENOTEMPTY", |vm| vm.rename("/empty", "/full"));
    refused(&mut vm, "ENOTEMPTY", |vm| vm.rename("/file", "/full"));
    refused(&mut vm, "EPERM", |vm| vm.rename("/", "/x"));
    refused(&mut vm, "EPERM", |vm| vm.rename("/file", "/"));
    vm.symlink("/full", "/way").unwrap();
    refused(&mut vm, "EINVAL", |vm| vm.rename("/full", "/way/x"));
    vm.remove_file("/way").unwrap();
    vm.rename("/file", "/file").unwrap();
    vm.rename("/file", "/empty").unwrap();
    assert_eq!(vm.read_file("/empty").unwrap(), b"/file");
    vm.rename("/full", "/other").unwrap();
    assert_eq!(vm.read_file("/other/x").unwrap(), b"/full/x");
    assert_eq!(vm.read_dir("/").unwrap(), ["empty", "other"]);
}

#[test]
fn links_are_of_regular_files_and_follow() {
    let mut vm = vm();
    vm.write_file("/f", "x").unwrap();
    vm.mkdir("/d", false).unwrap();
    vm.symlink("/f", "/l").unwrap();
    vm.link("/l", "/g").unwrap();
    assert_eq!(vm.lstat("/g").unwrap().ino, vm.stat("/f").unwrap().ino);
    refused(&mut vm, "EPERM", |vm| vm.link("/d", "/x"));
    refused(&mut vm, "EEXIST", |vm| vm.link("/f", "/d"));
    refused(&mut vm, "ENOENT", |vm| vm.link("/none", "/x"));
    refused(&mut vm, "ENOENT", |vm| vm.link("/f", "/none/x"));
    refused(&mut vm, "EEXIST", |vm| vm.symlink("x", "/f"));
    refused(&mut vm, "ENOENT", |vm| vm.symlink("x", "/none/l"));
}

#[test]
fn attributes_are_changed_through_links() {
    let mut vm = vm();
    vm.write_file("/f", "x").unwrap();
    vm.symlink("/f", "/l").unwrap();
    vm.chmod("/l", 0o7_751).unwrap();
    assert_eq!(vm.stat("/f").unwrap().mode, 0o107_751);
    vm.chmod("/f", 0o644).unwrap();
    vm.chown("/l", 5, u32::MAX - 1).unwrap();
    let stat = vm.stat("/f").unwrap();
    assert_eq!((stat.uid, stat.gid), (5, u32::MAX - 1));
    assert_eq!(vm.lstat("/l").unwrap().uid, 1000);
    refused(&mut vm, "ENOENT", |vm| vm.chmod("/none", 0));
    refused(&mut vm, "ENOENT", |vm| vm.chown("/none", 0, 0));
}

#[test]
fn files_are_cut_and_lengthened_with_zeros() {
    let mut vm = vm();
    vm.write_file("/f", "0123456789").unwrap();
    vm.mkdir("/d", false).unwrap();
    vm.truncate("/f", 3).unwrap();
    vm.truncate("/f", 5).unwrap();
    assert_eq!(vm.read_file("/f").unwrap(), b"012\0\0");
    assert_eq!(vm.pread_file("/f", 2, 2).unwrap(), b"2\0");
    assert_eq!(vm.pread_file("/f", 4, 99).unwrap(), b"\0");
    refused(&mut vm, "EISDIR", |vm| vm.truncate("/d", 0));
    refused(&mut vm, "ENOENT", |vm| vm.truncate("/none", 0));
}

#[test]
fn times_are_set_kept_or_now() {
    let mut vm = vm();
    vm.write_file("/f", "x").unwrap();
    vm.symlink("/f", "/l").unwrap();
    vm.utimes("/l", 1_234, 5_678).unwrap();
    let stat = vm.stat("/f").unwrap();
    assert_eq!((stat.atime_ms, stat.mtime_ms), (1_234, 5_678));
    let set = |sec, nsec| VirtualUtimeSpec::Set(VirtualTimeSpec { sec, nsec });
    vm.utimes_spec("/f", VirtualUtimeSpec::Omit, set(9, 999_999_999)).unwrap();
    let stat = vm.stat("/f").unwrap();
    assert_eq!((stat.atime_ms, stat.mtime_ms, stat.mtime_nsec), (1_234, 9_999, 999_999_999));
    vm.utimes_spec("/f", VirtualUtimeSpec::Now, VirtualUtimeSpec::Omit).unwrap();
    assert!(vm.stat("/f").unwrap().atime_ms > 1_000_000_000_000 - 1);
    vm.lutimes("/l", set(3, 0), set(4, 0)).unwrap();
    assert_eq!(vm.lstat("/l").unwrap().mtime_ms, 4_000);
    assert_eq!(vm.stat("/f").unwrap().mtime_ms, 9_999);
    for bad in [set(-1, 0), set(0, 1_000_000_000), set(i64::MIN, 0)] {
        refused(&mut vm, "EINVAL", |vm| vm.utimes_spec("/f", bad, VirtualUtimeSpec::Omit));
        refused(&mut vm, "EINVAL", |vm| vm.lutimes("/l", VirtualUtimeSpec::Omit, bad));
    }
    refused(&mut vm, "ENOENT", |vm| vm.utimes("/none", 0, 0));
}

#[test]
fn listings_are_sorted_and_typed() {
    let mut vm = vm();
    for name in ["b", "a", "Z", "_", "10", "9"] {
        vm.write_file(&format!("/d/{name}"), "").unwrap();
    }
    vm.mkdir("/d/dir", false).unwrap();
    vm.symlink("x", "/d/link").unwrap();
    assert_eq!(vm.read_dir("/d").unwrap(), ["10", "9", "Z", "_", "a", "b", "dir", "link"]);
    let typed = vm.read_dir_with_types("/d").unwrap();
    let kinds = typed.iter().map(|entry| (entry.is_directory, entry.is_symbolic_link));
    assert_eq!(
        kinds.filter(|kind| *kind != (false, false)).collect::<Vec<_>>(),
        [(true, false), (false, true)]
    );
    refused(&mut vm, "ENOTDIR", |vm| vm.read_dir("/d/a"));
    refused(&mut vm, "ENOENT", |vm| vm.read_dir("/none"));
}

#[test]
fn a_look_is_the_same_for_a_process() {
    let mut vm = vm();
    vm.write_file("/d/f", "x").unwrap();
    vm.symlink("/d/f", "/l").unwrap();
    process(&mut vm, None);
    assert_eq!(vm.read_file_for_process(DRIVER, 1, "/l").unwrap(), b"x");
    assert!(vm.exists_for_process(DRIVER, 1, "/l").unwrap());
    assert_eq!(vm.stat_for_process(DRIVER, 1, "/l").unwrap().size, 1);
    assert!(vm.lstat_for_process(DRIVER, 1, "/l").unwrap().is_symbolic_link);
    assert_eq!(vm.read_link_for_process(DRIVER, 1, "/l").unwrap(), "/d/f");
    assert_eq!(vm.realpath_for_process(DRIVER, 1, "/l").unwrap(), "/d/f");
    assert_eq!(vm.read_dir_for_process(DRIVER, 1, "/").unwrap(), ["d", "l"]);
    assert_eq!(vm.read_dir_with_types_for_process(DRIVER, 1, "/").unwrap().len(), 2);
    assert_eq!(code(vm.read_file_for_process(DRIVER, 1, "/none")), "ENOENT");
}

#[test]
fn the_machines_file_system_is_reached_past_policy_guard_and_limits() {
    let mut vm = crate::support::vm_with(|config| config.permissions = Default::default());
    let files: &mut MemoryFileSystem = vm.filesystem_mut().inner_mut().inner_mut();
    VirtualFileSystem::write_file(files, "/etc/agentos/seed", "x").unwrap();
    vm.set_permissions(tickernel::permissions::Permissions::allow_all());
    assert_eq!(vm.read_file("/etc/agentos/seed").unwrap(), b"x");
    refused(&mut vm, "EROFS", |vm| vm.write_file("/etc/agentos/seed", "y"));
}
