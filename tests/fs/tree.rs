//! Limits, order and depth.

use super::{NOW, World, caller};
use tickernel_systems::abi::{Errno, Timespec};
use tickernel_systems::fs::{Fs, Kind, Meta, Pages, VolumeKind};

#[test]
fn the_first_tree_is_the_one_of_drive() {
    let world = World::new();
    let root = world.fs.root();
    assert_eq!(world.names(root), Ok(vec!["proc".into(), "dev".into(), "tmp".into()]));
    let caller = caller(&world.fs, &world.cred, &world.proc);
    let stat = |path: &str| world.fs.stat(&caller, world.place(path).expect("it exists"));
    assert_eq!((stat("/tmp").mode, stat("/").mode), (0o41777, 0o40755));
    assert_eq!((stat("/").nlink, stat("/").ino), (5, 2));
    assert_eq!((stat("/dev/null").rdev, stat("/dev/null").mode), (0x103, 0o20666));
    assert!(stat("/dev").dev != stat("/").dev && stat("/proc").dev != stat("/dev").dev);
    assert_eq!(stat("/dev/..").ino, 2);
    assert_eq!(stat("/dev/pts/../../proc/1/../..").ino, 2);
}

#[test]
fn mount_points_are_busy_and_apart() {
    let mut world = World::new();
    world.create("/tmp/f").expect("create");
    assert_eq!(world.rename("/tmp/f", "/dev/f"), Err(Errno::EXDEV));
    assert_eq!(world.link("/tmp/f", "/dev/f"), Err(Errno::EXDEV));
    assert_eq!(world.rename("/dev", "/tmp/dev"), Err(Errno::EBUSY));
    let caller = caller(&world.fs, &world.cred, &world.proc);
    for (path, errno) in [("/dev", Errno::EBUSY), ("/", Errno::EBUSY), ("/tmp", Errno::ENOTEMPTY)] {
        let at = world.fs.walk_parent(&caller, None, path.as_bytes()).expect("a parent");
        assert_eq!(world.fs.rmdir(&caller, &at, NOW), Err(errno), "{path}");
    }
}

#[test]
fn read_only_mounts_refuse_every_change() {
    let mut world = World::new();
    let file = world.create("/tmp/f").expect("create");
    world.fs.set_read_only(world.fs.root().mount, true);
    let before = world.fs.digest();
    assert_eq!(world.mkdir("/tmp/d"), Err(Errno::EROFS));
    assert_eq!(world.mkdir("/tmp/f"), Err(Errno::EEXIST));
    assert_eq!(world.unlink("/tmp/f"), Err(Errno::EROFS));
    assert_eq!(world.rename("/tmp/f", "/tmp/g"), Err(Errno::EROFS));
    assert_eq!(world.create("/tmp/g"), Err(Errno::EROFS));
    assert_eq!(world.create("/tmp/f"), Err(Errno::EROFS));
    let caller = caller(&world.fs, &world.cred, &world.proc);
    assert_eq!(world.fs.chmod(&caller, file, 0, NOW), Err(Errno::EROFS));
    assert_eq!(world.fs.access(&caller, file, 2), Err(Errno::EROFS));
    assert_eq!(world.fs.digest(), before);
}

#[test]
fn a_full_volume_says_so_and_is_whole() {
    let mut world = World::new();
    let file = world.create("/tmp/f").expect("create");
    let volume = world.fs.volume(file);
    let (inodes, pages) = (volume.inodes, volume.pages + volume.held_bytes.div_ceil(4096));
    world.fs.set_limits(file, inodes, pages + 3);
    let before = world.fs.digest();
    assert_eq!(world.create("/tmp/g"), Err(Errno::ENOSPC));
    assert_eq!(world.mkdir("/tmp/g"), Err(Errno::ENOSPC));
    assert_eq!(world.fs.digest(), before);
    assert_eq!(world.write(file, 100, &[1; 20_000]), Ok(3 * 4096 - 100));
    assert_eq!(world.write(file, 3 * 4096, b"x"), Err(Errno::ENOSPC));
    assert_eq!(world.write(file, 5, b"x"), Ok(1));
    world.unlink("/tmp/f").expect("unlink");
    assert!(world.create("/tmp/g").is_ok());
}

#[test]
fn links_stop_at_65000() {
    let mut world = World::new();
    world.create("/tmp/f").expect("create");
    for n in 1..65_000 {
        world.link("/tmp/f", &format!("/tmp/l{n}")).expect("link");
    }
    assert_eq!(world.link("/tmp/f", "/tmp/more"), Err(Errno::EMLINK));
    let caller = caller(&world.fs, &world.cred, &world.proc);
    let tmp = world.place("/tmp").expect("walk");
    let file = world.place("/tmp/l64999").expect("walk");
    assert_eq!(world.fs.stat(&caller, file).nlink, 65_000);
    for n in 1..65_000 {
        world.mkdir(&format!("/tmp/d{n}")).expect("mkdir");
    }
    let caller = super::caller(&world.fs, &world.cred, &world.proc);
    assert_eq!(world.fs.stat(&caller, tmp).nlink, 1, "too many subdirectories to count");
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let mut world = World::new();
    world.create("/tmp/l0").expect("create");
    let (cred, proc) = (world.cred.clone(), &world.proc);
    for n in 1..=41 {
        let caller = caller(&world.fs, &cred, proc);
        let path = format!("/tmp/l{n}");
        let at = world.fs.walk_parent(&caller, None, path.as_bytes()).expect("a parent");
        let target = format!("l{}", n - 1);
        world.fs.symlink(&caller, target.as_bytes(), &at, NOW).expect("symlink");
    }
    assert!(world.place("/tmp/l40").is_ok());
    assert_eq!(world.place("/tmp/l41"), Err(Errno::ELOOP));
}

#[test]
fn a_stream_keeps_its_place_while_entries_come_and_go() {
    let mut world = World::new();
    let tmp = world.place("/tmp").expect("walk");
    for n in 0..1000 {
        world.create(&format!("/tmp/{n}")).expect("create");
    }
    let caller = caller(&world.fs, &world.cred, &world.proc);
    let first = world.fs.list(&caller, tmp, 0, 100 * 24).expect("a list");
    let at = first.last().expect("entries").off as u64;
    let read = first.len() - 2;
    for n in (0..1000).filter(|n| n % 100 != 99) {
        world.unlink(&format!("/tmp/{n}")).expect("unlink");
    }
    world.create("/tmp/new").expect("create");
    world.rename("/tmp/399", "/tmp/499").expect("rename over an entry, which keeps its place");
    let caller = super::caller(&world.fs, &world.cred, &world.proc);
    let rest = world.fs.list(&caller, tmp, at, 1 << 20).expect("a list");
    let names: Vec<_> = rest.iter().map(|entry| entry.name.0.as_slice()).collect();
    let kept = [199, 299, 499, 599, 699, 799, 899, 999].map(|n: i32| n.to_string());
    let mut expected: Vec<_> = kept.iter().map(|name| name.as_bytes()).collect();
    expected.push(b"new");
    assert!(read < 100);
    assert_eq!(names, [vec![&b"99"[..]], expected].concat());
}

#[test]
fn a_hundred_thousand_levels_are_no_problem() {
    const DEPTH: usize = 100_000;
    let mut fs = Fs::bare(VolumeKind::Ext4, NOW);
    let path = "/d".repeat(DEPTH);
    let deep = fs.build_path(path.as_bytes(), Kind::directory(), Meta::directory(0o755), NOW);
    let deep = deep.expect("built");
    let world = World::new();
    let caller = caller(&fs, &world.cred, &world.proc);
    assert_eq!(fs.path_text(&caller, deep).len(), 2 * DEPTH);
    assert_eq!(fs.digest(), fs.digest_walk());
    let copy = super::image::again(&fs);
    assert_eq!(copy.digest_walk(), fs.digest());
    // Removed from below, each step from the one above it; the lowest is held to the end.
    fs.hold(deep);
    let mut places = vec![fs.root()];
    for _ in 0..DEPTH {
        let from = places.last().copied();
        let found = fs.walk(&caller, from, b"d", true).expect("one step down").target;
        let tickernel_systems::fs::Target::Place(place) = found else { panic!("no /proc") };
        places.push(place);
    }
    places.pop();
    for place in places.into_iter().rev() {
        let at = fs.walk_parent(&caller, Some(place), b"d").expect("a parent");
        fs.rmdir(&caller, &at, NOW).expect("rmdir");
    }
    assert_eq!(fs.volume(fs.root()).inodes, 1 + DEPTH as u64, "the lowest holds all above it");
    fs.release(deep);
    assert_eq!(fs.volume(fs.root()).inodes, 1);
}

#[test]
fn sizes_at_the_end_of_their_type_cost_nothing() {
    let mut world = World::new();
    let file = world.create("/tmp/f").expect("create");
    let most = VolumeKind::Ext4.facts().max_file_bytes;
    assert_eq!(world.write(file, most - 1, b"xy"), Ok(1));
    assert_eq!(world.write(file, most, b"x"), Err(Errno::EFBIG));
    assert_eq!(world.write(file, u64::MAX, b"x"), Err(Errno::EFBIG));
    assert_eq!(world.fs.read(file, most - 3, 10), Ok(vec![0, 0, b'x']));
    assert_eq!(world.fs.read(file, u64::MAX, u64::MAX), Ok(Vec::new()));
    let pages = world.fs.pages(file).map(Pages::present);
    assert_eq!(pages, Some(1));
    assert_eq!(world.fs.pages(file).and_then(|pages| pages.seek_data(0)), Some(most - 4096));
    let late = Timespec { sec: i64::MAX, nsec: 999_999_999 };
    world.fs.accessed(file, late);
    assert_eq!(world.fs.digest(), world.fs.digest_walk());
}
