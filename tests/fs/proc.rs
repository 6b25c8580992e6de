//! /proc: look-up, listing, stat and text of one table.

use super::{NOW, World, caller};
use std::cell::Cell;
use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::O_CREAT;
use tickernel_systems::fs::procfs::{
    ProcDescriptor, ProcLies, ProcLink, ProcSystem, ProcTarget, ProcTask, ProcView,
};
use tickernel_systems::fs::{Fs, Node, Place, Target};

/// Processes that only are there.
const MANY: core::ops::Range<u32> = 1000..1004;

/// Process 1 with two threads, process 7 which may not be inspected, a zombie 9.
pub(crate) struct Processes {
    pub(crate) cwd: Place,
    pub(crate) open: Place,
    /// How often it was asked for the next of many.
    asked: Cell<u32>,
}

impl Processes {
    pub(crate) fn new(place: Place) -> Self {
        Self { cwd: place, open: place, asked: Cell::new(0) }
    }
}

impl ProcView for Processes {
    fn current(&self) -> (u32, u32) {
        (1, 2)
    }
    fn next_process(&self, from: u32) -> Option<u32> {
        self.asked.set(self.asked.get() + 1);
        [1, 7, 9].into_iter().chain(MANY).find(|pid| *pid >= from)
    }
    fn threads(&self, pid: u32) -> Vec<u32> {
        match pid {
            1 => vec![1, 2],
            7 | 9 => vec![pid],
            _ if MANY.contains(&pid) => vec![pid],
            _ => Vec::new(),
        }
    }
    fn owner(&self, pid: u32, tid: u32) -> Option<(u32, u32)> {
        let uid = if pid == 7 { 1000 } else { 0 };
        self.threads(pid).contains(&tid).then_some((uid, uid))
    }
    fn may_inspect(&self, pid: u32, _: u32) -> bool {
        pid != 7
    }
    fn task(&self, pid: u32, tid: u32) -> Option<ProcTask> {
        self.owner(pid, tid)?;
        let comm = b"a (b".to_vec();
        Some(ProcTask { comm, state: b'S', threads: 2, tpgid: -1, ..ProcTask::default() })
    }
    fn cmdline(&self, _: u32) -> Vec<u8> {
        b"sh\0-c\0x\0".to_vec()
    }
    fn environ(&self, _: u32) -> Vec<u8> {
        b"A=1\0".to_vec()
    }
    fn link(&self, _: u32, _: u32, link: ProcLink) -> Option<ProcTarget> {
        match link {
            ProcLink::Cwd => Some(ProcTarget::Place(self.cwd)),
            ProcLink::Root | ProcLink::Exe => None,
            ProcLink::Fd(3) => Some(ProcTarget::Place(self.open)),
            ProcLink::Fd(10) => Some(ProcTarget::Object(b"pipe:[17]".to_vec())),
            ProcLink::Fd(_) => None,
        }
    }
    fn next_descriptor(&self, _: u32, _: u32, from: u32) -> Option<u32> {
        self.asked.set(self.asked.get() + 1);
        [3, 10].into_iter().find(|fd| *fd >= from)
    }
    fn descriptor(&self, _: u32, _: u32, fd: u32) -> Option<ProcDescriptor> {
        let open =
            ProcDescriptor { flags: 1, pos: 5, lies: ProcLies::Outside { mount: 16, ino: 2 } };
        [3, 10].contains(&fd).then_some(open)
    }
    fn system(&self) -> ProcSystem {
        ProcSystem { cpus: 2, uptime_ns: 1_230_000_000, ..ProcSystem::default() }
    }
}

fn text(world: &World, path: &str) -> Result<String, Errno> {
    let Place { node: Node::Proc(node), .. } = world.place(path)? else {
        return Err(Errno::EXDEV);
    };
    let caller = caller(&world.fs, &world.cred, &world.proc);
    let text = world.fs.proc_text(&caller, node)?;
    Ok(String::from_utf8(text).expect("texts of the test are UTF-8"))
}

#[test]
fn links_lead_where_the_view_says() {
    let mut world = World::new();
    world.mkdir("/tmp/d").expect("mkdir");
    world.proc.cwd = world.place("/tmp/d").expect("walk");
    world.proc.open = world.create("/tmp/d/f").expect("create");
    assert_eq!(world.readlink("/proc/self"), Ok("1".into()));
    assert_eq!(world.readlink("/proc/thread-self"), Ok("1/task/2".into()));
    assert_eq!(world.readlink("/proc/self/cwd"), Ok("/tmp/d".into()));
    assert_eq!(world.readlink("/proc/self/fd/3"), Ok("/tmp/d/f".into()));
    assert_eq!(world.readlink("/dev/fd/10"), Ok("pipe:[17]".into()));
    assert_eq!(world.place("/proc/self/cwd/f"), Ok(world.proc.open));
    assert_eq!(world.place("/proc/self/cwd/../d/f"), Ok(world.proc.open));
    assert!(matches!(world.target("/dev/fd/10", true), Ok(Target::Object(node)) if node.fd == 10));
    assert_eq!(world.place("/proc/self/fd/10/x"), Err(Errno::ENOTDIR));
    assert_eq!(world.readlink("/proc/self/exe"), Err(Errno::ENOENT));
    assert_eq!(world.readlink("/proc/7/cwd"), Err(Errno::EACCES));
    world.fs.hold(world.proc.open);
    world.unlink("/tmp/d/f").expect("unlink");
    assert_eq!(world.readlink("/proc/self/fd/3"), Ok("/tmp/d/f (deleted)".into()));
}

#[test]
fn every_listed_entry_is_found_and_has_the_same_inode() {
    let world = World::new();
    let caller = caller(&world.fs, &world.cred, &world.proc);
    let mut open = vec!["/proc".to_owned()];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let place = world.place(&path).expect("a directory");
        for entry in world.fs.list(&caller, place, 2, 1 << 20).expect("a list") {
            let child = format!("{path}/{}", entry.name.0.escape_ascii());
            let Ok(Target::Place(found)) = world.target(&child, false) else {
                panic!("{child} is listed but not found");
            };
            let stat = world.fs.stat(&caller, found);
            assert_eq!((stat.ino, (stat.mode >> 12) as u8), (entry.ino, entry.kind), "{child}");
            let parent = world.place(&format!("{path}/.")).expect("the directory itself");
            assert_eq!(place, parent);
            // What is open in a task that may not be inspected is not shown.
            if child.starts_with("/proc/7/") && child.ends_with("/fdinfo") {
                assert_eq!(world.place(&format!("{child}/..")), Err(Errno::EACCES), "{child}/..");
            } else if world.fs.is_directory(found) {
                assert_eq!(world.place(&format!("{child}/..")), Ok(place), "{child}/..");
                open.push(child);
            } else if stat.mode & 0o170000 == 0o100000 {
                text(&world, &child).unwrap_or_else(|errno| {
                    let expected = match child.rsplit('/').nth(1) {
                        // No security module tells.
                        Some("attr") => Errno::EINVAL,
                        _ if child.ends_with("/personality") => Errno::EPERM,
                        _ => Errno::EACCES,
                    };
                    assert_eq!(errno, expected, "{child}");
                    String::new()
                });
            }
            seen += 1;
        }
    }
    assert!(seen > 60, "the table has entries: {seen}");
}

#[test]
fn texts_are_in_their_formats() {
    let world = World::new();
    let stat = text(&world, "/proc/self/stat").expect("stat");
    assert!(stat.starts_with("1 (a (b) S 0 "));
    let behind = stat.rsplit(')').next().expect("a tail");
    assert_eq!(behind.split_whitespace().count(), 50, "proc_pid_stat(5) has 52 fields");
    assert!(text(&world, "/proc/1/task/2/stat").expect("stat").starts_with("2 (a (b) "));
    assert_eq!(text(&world, "/proc/self/cmdline"), Ok("sh\0-c\0x\0".into()));
    assert_eq!(text(&world, "/proc/7/environ"), Err(Errno::EACCES));
    assert_eq!(world.readlink("/proc/self/ns/mnt"), Ok("mnt:[4026531832]".into()));
    assert_eq!(world.readlink("/proc/self/ns/pid_for_children"), Ok("pid:[4026531836]".into()));
    assert_eq!(world.readlink("/proc/7/ns/net"), Err(Errno::EACCES));
    assert_eq!(text(&world, "/proc/self/cgroup"), Ok("0::/\n".into()));
    assert_eq!(text(&world, "/proc/sys/fs/protected_regular"), Ok("0\n".into()));
    let limits = text(&world, "/proc/self/limits").expect("limits");
    let nofile = limits.lines().nth(8).expect("Max open files");
    let spaces = " ".repeat(16);
    let files =
        format!("Max open files            1024 {spaces}1048576{}files     ", " ".repeat(14));
    assert_eq!(nofile, files);
    assert_eq!(text(&world, "/proc/uptime"), Ok("1.23 2.46\n".into()));
    assert_eq!(
        text(&world, "/proc/mounts").expect("mounts").lines().collect::<Vec<_>>(),
        [
            "/dev/sda1 / ext4 rw,relatime 0 0",
            "proc /proc proc rw,relatime 0 0",
            "devtmpfs /dev devtmpfs rw,relatime 0 0",
            "devpts /dev/pts devpts rw,relatime 0 0",
        ]
    );
}

#[test]
fn nothing_below_proc_changes() {
    let mut world = World::new();
    assert_eq!(world.mkdir("/proc/x"), Err(Errno::ENOENT));
    assert_eq!(world.mkdir("/proc/self/fd/3"), Err(Errno::EEXIST));
    assert_eq!(world.unlink("/proc/uptime"), Err(Errno::EPERM));
    assert_eq!(world.unlink("/proc/none"), Err(Errno::ENOENT));
    assert_eq!(world.rename("/proc/uptime", "/proc/x"), Err(Errno::ENOENT));
    assert_eq!(world.rename("/proc/uptime", "/tmp/x"), Err(Errno::EXDEV));
    assert_eq!(world.link("/proc/uptime", "/tmp/x"), Err(Errno::EXDEV));
    let caller = caller(&world.fs, &world.cred, &world.proc);
    let open = |fs: &mut Fs, path: &[u8]| fs.open(&caller, None, path, O_CREAT, 0o644, NOW);
    let missing = open(&mut world.fs, b"/proc/x").map_err(Errno::from);
    assert_eq!(missing, Err(Errno::ENOENT));
    assert!(open(&mut world.fs, b"/proc/uptime").is_ok());
}

#[test]
fn a_listing_asks_for_no_more_than_it_gives() {
    let world = World::new();
    let caller = caller(&world.fs, &world.cred, &world.proc);
    let place = world.place("/proc").expect("a directory");
    let (mut from, mut names) = (0, Vec::new());
    loop {
        world.proc.asked.set(0);
        // Room for two entries, whatever their names.
        let part = world.fs.list(&caller, place, from, 64).expect("a part");
        let Some(last) = part.last() else { break };
        from = last.off as u64;
        let asked = world.proc.asked.get() as usize;
        assert!(asked <= part.len() + 2, "{asked} for {}", part.len());
        names.extend(part.iter().map(|entry| entry.name.0.clone()));
    }
    let whole = world.fs.list(&caller, place, 0, 1 << 20).expect("a list");
    let whole: Vec<_> = whole.into_iter().map(|entry| entry.name.0).collect();
    assert_eq!(names, whole);
    assert!(names.ends_with(&[b"1002".to_vec(), b"1003".to_vec()]), "{names:?}");
}
