//! Rules of a machine are data: the core decides by them and asks nobody, a trace holds them and no
//! answers, and they are part of the state (SEMANTICS.md, section 9; the rules are our addition).

#[path = "face/out.rs"]
mod out;

use out::{Out, replayed_digest};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tickernel::command_registry::CommandDriver;
use tickernel::kernel::{FaceClock, KernelVm, KernelVmConfig, Profile, SpawnOptions};
use tickernel::permissions::{PermissionDecision, PermissionRule, Permissions};
use tickernel::vfs::MemoryFileSystem;
use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::{O_CREAT, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY};
use tickernel_systems::event::{Call, Outcome};
use tickernel_systems::{Config, FaceConfig, FaceLimits, Kernel};

fn rules(texts: &[&str]) -> Vec<PermissionRule> {
    texts.iter().map(|text| text.parse().expect("a rule")).collect()
}

fn machine(permissions: Permissions) -> KernelVm<MemoryFileSystem> {
    let mut config = KernelVmConfig::new("rules");
    (config.permissions, config.seed, config.clock) = (permissions, Some(1), FaceClock::Virtual);
    KernelVm::new(MemoryFileSystem::new(), config)
}

/// The trace as JSON lines.
fn dumped(trace: &[u8]) -> String {
    let file = tempfile::Builder::new().suffix(".trace").tempfile().unwrap();
    std::fs::write(file.path(), trace).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tickernel"))
        .arg("dump")
        .arg(file.path())
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn answers(dump: &str) -> usize {
    dump.lines().filter(|line| line.contains("\"answer\"")).count()
}

/// The link lies where writing is allowed, and leads to where it is not.
#[test]
fn no_link_to_nothing_leads_around_a_rule() {
    for profile in [Profile::SecureExec, Profile::Linux] {
        let mut config = KernelVmConfig::new("rules");
        (config.permissions, config.profile) = (Permissions::allow_all(), profile);
        let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
        vm.mkdir("/work", false).unwrap();
        vm.mkdir("/secret", false).unwrap();
        for (target, link) in
            [("/secret/f", "/work/l"), ("l", "/work/to-l"), ("/work/f", "/work/m")]
        {
            vm.symlink(target, link).unwrap();
        }
        let list = ["deny fs:write /secret/**", "allow * **"];
        vm.set_permissions(Permissions::from_rules(rules(&list)));
        for path in ["/work/l", "/work/to-l"] {
            let error = vm.write_file(path, "1").unwrap_err();
            assert!(error.to_string().contains("'/secret/f'"), "{profile:?} {path}: {error}");
        }
        assert!(!vm.exists("/secret/f").unwrap());
        vm.write_file("/work/m", "1").unwrap();
        assert!(vm.exists("/work/f").unwrap());
    }
}

#[test]
fn rules_ask_nothing_and_a_trace_holds_them() {
    let list = ["deny fs:write /ro/**", "allow fs:* **", "allow command ls", "deny * **"];
    let out = Out::default();
    let mut vm = machine(Permissions::allow_all());
    vm.record_to(out.clone()).unwrap();
    vm.set_permissions(Permissions::from_rules(rules(&list)));
    vm.register_driver(CommandDriver::new("d", ["ls", "rm"])).unwrap();
    vm.mkdir("/ro", false).unwrap();
    vm.write_file("/f", "1").unwrap();
    let error = vm.write_file("/ro/f", "2").unwrap_err();
    assert_eq!(error.code(), "EACCES");
    assert!(error.to_string().ends_with("Write '/ro/f': rule `deny fs:write /ro/**`"), "{error}");
    vm.spawn_process("ls", vec![], SpawnOptions::default()).unwrap();
    let error = vm.spawn_process("rm", vec![], SpawnOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("spawn 'rm': rule `deny * **`"), "{error}");
    vm.finish_recording().unwrap();
    assert_eq!(replayed_digest(&out.bytes()), vm.digest());
    let dump = dumped(&out.bytes());
    assert_eq!(answers(&dump), 0, "{dump}");
    for rule in list {
        assert!(dump.contains(&format!("\"{rule}\"")), "{rule}: {dump}");
    }
}

#[test]
fn what_no_rule_matches_is_asked_of_the_callback() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let permissions = Permissions {
        filesystem: Some(Arc::new(move |request| {
            count.fetch_add(1, Ordering::Relaxed);
            assert!(request.path.starts_with("/else"), "{}", request.path);
            PermissionDecision::allow()
        })),
        ..Permissions::default()
    };
    let mut vm = machine(permissions.with_rules(rules(&["allow fs:* /", "allow fs:* /by/**"])));
    let out = Out::default();
    vm.record_to(out.clone()).unwrap();
    vm.read_dir("/").unwrap();
    let before = asked.load(Ordering::Relaxed);
    vm.exists("/by/rule").unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), before);
    vm.write_file("/else", "1").unwrap();
    let during = asked.load(Ordering::Relaxed);
    assert!(during > before);
    vm.finish_recording().unwrap();
    assert_eq!(answers(&dumped(&out.bytes())), during);
    // The rules, set before the recording began, are in its first image.
    assert_eq!(replayed_digest(&out.bytes()), vm.digest());
}

#[test]
fn everything_allowed_with_rules_is_refused_by_rules_alone() {
    let mut vm = machine(Permissions::allow_all().with_rules(rules(&["deny fs:* /secret"])));
    vm.write_file("/open", "1").unwrap();
    assert_eq!(vm.write_file("/secret", "1").unwrap_err().code(), "EACCES");
    assert_eq!(vm.read_file("/secret").unwrap_err().code(), "ENOENT", "it resolves first");
    assert!(!vm.exists("/secret").unwrap());
    vm.set_permissions(Permissions::allow_all());
    vm.write_file("/secret", "1").unwrap();
}

#[test]
fn rules_are_state() {
    let digest = |list: &[&str]| machine(Permissions::from_rules(rules(list))).digest();
    let one = digest(&["allow fs:read /a"]);
    assert_eq!(one, digest(&["allow fs:read /a"]));
    assert_ne!(one, digest(&["allow fs:read /b"]));
    // The core asks about neither: such rules are the shell's.
    assert_eq!(one, digest(&["allow fs:read /a", "deny network:dns *", "deny env:read *"]));
}

#[test]
fn a_text_that_is_no_rule_changes_nothing() {
    let face = FaceConfig { present: true, ..FaceConfig::default() };
    let mut kernel = Kernel::new(Config { face, ..Config::default() });
    let mut set = |rules: Vec<&'static [u8]>| {
        let outcome = kernel.call(0, Call::FacePolicy { files: 1, commands: 1, rules });
        (outcome, kernel.face_rules())
    };
    let kept = vec!["allow fs:createDir /a b".to_owned()];
    assert!(
        matches!(set(vec![b"allow fs:createDir /a b"]), (Outcome::Done(_), found) if found == kept)
    );
    for bad in ["", "allow", "allow fs:read", "allow fs:nothing /", "permit * /", "deny env:read X"]
    {
        let rules = vec![&b"deny * **"[..], bad.as_bytes()];
        assert_eq!(set(rules), (Outcome::Failed(Errno::EINVAL), kept.clone()), "{bad}");
    }
}

/// The process of a driver, beside the one that every kernel begins with.
const BORN: u32 = 2;

/// A machine with files of every kind that an open can meet, and a process of a driver.
fn kernel_of_files(profile: Profile, max_inode_count: u64, rules: &[&[u8]]) -> Kernel {
    let limits = FaceLimits { max_inode_count, ..FaceLimits::default() };
    let face = FaceConfig { present: true, limits, ..FaceConfig::default() };
    let mut kernel = Kernel::new(Config { profile, face, ..Config::default() });
    let (raw, target, mode, data) = (1, 0, None, &b"content"[..]);
    let link = |content, linkpath| Call::FsSymlink { raw, content, linkpath };
    let file = |path| Call::FsWrite { raw, target, path, data, mode, how: 0 };
    let directory = |path| Call::FsMkdir { raw, target, path, mode, how: 2 };
    for call in [
        Call::FacePolicy { files: 1, commands: 1, rules: rules.to_vec() },
        directory(b"/dir"),
        directory(b"/etc/agentos"),
        file(b"/file"),
        file(b"/etc/agentos/guarded"),
        link(b"/file", b"/link"),
        link(b"/dir/made", b"/nowhere"),
        Call::FsLink { raw, oldpath: b"/etc/agentos/guarded", newpath: b"/twin" },
        Call::FaceCreateProcess {
            requester: b"d",
            driver: b"d",
            command: b"job",
            args: Vec::new(),
            envp: Vec::new(),
            cwd: b"/",
            parent: 0,
        },
    ] {
        let outcome = kernel.call(0, call);
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    kernel
}

#[test]
fn an_open_that_nothing_can_refuse_is_what_rules_that_refuse_nothing_make_it() {
    let paths = [
        "/new",
        "/file",
        "/dir",
        "/dir/new",
        "/dir/../file",
        "/link",
        "/nowhere",
        "/dev",
        "/",
        "/dev/null",
        "/dev/new",
        "/etc/agentos",
        "/etc/agentos/new",
        "/proc/new",
        "/twin",
        "/file/new",
        "/no/new",
    ];
    let ways = [
        0,
        O_WRONLY,
        O_EXCL,
        O_TRUNC | O_RDWR,
        O_CREAT,
        O_CREAT | O_RDWR,
        O_CREAT | O_TRUNC | O_WRONLY,
        O_CREAT | O_EXCL | O_RDWR,
    ];
    // The second asks of every step; the first walks once where it can.
    let rules: [&[&[u8]]; 2] = [&[], &[b"deny fs:read /elsewhere"]];
    let shown = |kernel: &mut Kernel| {
        let mut digests = kernel.digests();
        digests.retain(|(name, _)| matches!(*name, "files" | "descriptions" | "descriptors"));
        assert_eq!(digests.len(), 3);
        digests
    };
    let mut opened = 0;
    for (profile, most) in [Profile::Linux, Profile::SecureExec]
        .into_iter()
        .flat_map(|profile| [u64::MAX, 1000, 3].map(|most| (profile, most)))
    {
        for (path, first) in paths.into_iter().flat_map(|path| ways.map(|first| (path, first))) {
            let mut kernels = rules.map(|rules| kernel_of_files(profile, most, rules));
            for (flags, mode) in [(first, Some(0o6754))].into_iter().chain(ways.map(|w| (w, None)))
            {
                let path = path.as_bytes();
                let open = || Call::FaceOpen { target: BORN, path, flags, mode };
                let [once, asked] = kernels.each_mut().map(|kernel| kernel.call(0, open()));
                opened += usize::from(matches!(once, Outcome::Done(_)));
                let what =
                    format!("{profile:?} {most} {} {first:o} {flags:o}", path.escape_ascii());
                assert_eq!(once, asked, "{what}");
                let [once, asked] = kernels.each_mut().map(shown);
                assert_eq!(once, asked, "{what}");
            }
        }
    }
    assert!(opened > 1000, "{opened} opens");
}
