//! Section 9: what the policy of a machine is asked, about which path, and what a denial does.

use crate::support::{DRIVER, Vm, code, config, process, refused, says, seen};
use std::sync::{Arc, Mutex};
use tickernel::command_registry::CommandDriver;
use tickernel::kernel::{KernelResult, KernelVm, SpawnOptions, VirtualProcessOptions};
use tickernel::permissions::{
    CommandAccessRequest, FsAccessRequest, PermissionDecision, PermissionRule, Permissions,
};
use tickernel::vfs::{MemoryFileSystem, VirtualFileSystem, VirtualUtimeSpec};

type Log = Arc<Mutex<Vec<String>>>;
type Change = fn(&mut Vm) -> KernelResult<()>;

/// A tree of /d/f, a link /l to /d and one to nothing, and a machine that notes what it is asked.
/// What `denied` names is denied, with the reason "no".
fn asking(denied: &'static str) -> (Vm, Log) {
    let log = Log::default();
    let own = Arc::clone(&log);
    let mut config = config();
    config.permissions.filesystem = Some(Arc::new(move |request: &FsAccessRequest| {
        assert_eq!(request.vm_id, "contract");
        let asked = format!("{:?} {}", request.op, request.path);
        let denied = asked == denied;
        own.lock().unwrap().push(asked);
        if denied { PermissionDecision::deny("no") } else { PermissionDecision::allow() }
    }));
    let mut files = MemoryFileSystem::new();
    files.write_file("/d/f", "x").unwrap();
    files.symlink("/d", "/l").unwrap();
    files.symlink("/nothing", "/n").unwrap();
    (KernelVm::new(files, config), log)
}

/// The last thing that a call asks, which is about its own operation.
#[track_caller]
fn asks<T: std::fmt::Debug>(wanted: &str, call: impl FnOnce(&mut Vm) -> KernelResult<T>) {
    let (mut vm, log) = asking("");
    let result = call(&mut vm);
    let log = log.lock().unwrap();
    assert!(log.iter().any(|asked| asked == wanted), "{wanted} is not in {log:?} ({result:?})");
}

#[test]
fn calls_on_what_is_there_ask_about_its_real_path() {
    asks("Read /d/f", |vm| vm.read_file("/l/f"));
    asks("Read /d/f", |vm| vm.pread_file("/l/../l/f", 0, 1));
    asks("Read /d/f", |vm| vm.realpath("/l/f"));
    asks("ReadDir /d", |vm| vm.read_dir("/l"));
    asks("ReadDir /d", |vm| vm.read_dir_with_types("l"));
    asks("Stat /d/f", |vm| vm.stat("/l/f"));
    asks("Chmod /d/f", |vm| vm.chmod("/l/f", 0o600));
    asks("Chown /d/f", |vm| vm.chown("/l/f", 1, 1));
    asks("Utimes /d/f", |vm| vm.utimes("/l/f", 1, 1));
    asks("Truncate /d/f", |vm| vm.truncate("/l/f", 0));
    asks("Write /d/f", |vm| vm.write_file("/l/f", "y"));
    asks("Write /d/f", |vm| vm.pwrite_file("/l/f", 0, "y"));
    asks("Exists /d/f", |vm| vm.exists("/l/f"));
}

#[test]
fn calls_on_names_ask_about_the_real_directory_and_the_name() {
    asks("Stat /l", |vm| vm.lstat("/l"));
    asks("Stat /d/f", |vm| vm.lstat("/l/f"));
    asks("ReadLink /l", |vm| vm.read_link("/l"));
    asks("Remove /d/f", |vm| vm.remove_file("/l/f"));
    asks("Remove /l", |vm| vm.remove_file("/l"));
    asks("Remove /d/x", |vm| vm.remove_dir("/l/x"));
    asks("Mkdir /d/new", |vm| vm.mkdir("/l/new", false));
    asks("Mkdir /d/a/b", |vm| vm.mkdir("/l/a/b", true));
    asks("CreateDir /d/new", |vm| vm.create_dir("/l/new"));
    asks("Rename /d/f", |vm| vm.rename("/l/f", "/l/g"));
    asks("Rename /d/g", |vm| vm.rename("/l/f", "/l/g"));
    asks("Symlink /d/s", |vm| vm.symlink("/anything", "/l/s"));
    asks("Link /d/f", |vm| vm.link("/l/f", "/l/g"));
    asks("Link /d/g", |vm| vm.link("/l/f", "/l/g"));
    asks("Write /d/new", |vm| vm.write_file("/l/new", "y"));
    asks("Exists /d/new", |vm| vm.exists("/l/new"));
}

#[test]
fn errors_of_the_way_come_before_any_answer() {
    let (mut vm, log) = asking("");
    refused(&mut vm, "ENOENT", |vm| vm.read_file("/none"));
    refused(&mut vm, "ENOENT", |vm| vm.stat("/n"));
    refused(&mut vm, "ENOTDIR", |vm| vm.read_dir("/d/f/x"));
    refused(&mut vm, "ENOENT", |vm| vm.chmod("/none", 0));
    assert!(log.lock().unwrap().iter().all(|asked| asked.starts_with("Read /")), "{log:?}");
}

#[test]
fn a_denial_has_operation_path_and_reason_and_does_nothing() {
    let calls: [(&str, Change); 9] = [
        ("Write /d/f", |vm| vm.write_file("/d/f", "y")),
        ("Write /new", |vm| vm.write_file("/new", "y")),
        ("Remove /d/f", |vm| vm.remove_file("/d/f")),
        ("Rename /d/f", |vm| vm.rename("/d/f", "/g")),
        ("Rename /g", |vm| vm.rename("/d/f", "/g")),
        ("Truncate /d/f", |vm| vm.truncate("/d/f", 0)),
        ("Mkdir /e", |vm| vm.mkdir("/e", false)),
        ("Symlink /s", |vm| vm.symlink("/d", "/s")),
        ("Link /g", |vm| vm.link("/d/f", "/g")),
    ];
    for (denied, call) in calls {
        let (mut vm, _) = asking(denied);
        let before = seen(&vm);
        let error = call(&mut vm).unwrap_err();
        let path = denied.split_once(' ').unwrap().1;
        says::<()>(Err(error.clone()), "EACCES", path);
        assert!(error.to_string().ends_with(": no"), "{denied}: {error}");
        assert_eq!(seen(&vm), before, "{denied}");
    }
}

#[test]
fn without_a_callback_a_denial_names_what_was_denied() {
    let mut config = config();
    config.permissions.filesystem = None;
    let mut files = MemoryFileSystem::new();
    files.write_file("/f", "x").unwrap();
    let mut vm = KernelVm::new(files, config);
    says(vm.read_file("/f"), "EACCES", "/f");
    says(vm.write_file("/g", "x"), "EACCES", "/g");
    says(vm.rename("/f", "/g"), "EACCES", "/f");
    assert!(!vm.exists("/f").unwrap());
    assert_eq!(code(vm.read_file("/none")), "ENOENT");
}

#[test]
fn what_is_denied_does_not_exist() {
    let (vm, _) = asking("Exists /d/f");
    assert!(!vm.exists("/d/f").unwrap());
    assert!(vm.exists("/d").unwrap());
    assert!(!vm.exists("/n").unwrap());
    assert!(!vm.exists("/d/f/x").unwrap());
}

#[test]
fn devices_are_never_asked_about() {
    let (mut vm, log) = asking("");
    let devices = ["null", "zero", "stdin", "stdout", "stderr", "urandom"];
    for device in devices.map(|name| format!("/dev/{name}")) {
        assert!(vm.exists(&device).unwrap());
        vm.stat(&device).unwrap();
        vm.chmod(&device, 0).unwrap();
    }
    vm.read_file("/dev/zero").unwrap();
    vm.write_file("/dev/null", "x").unwrap();
    assert_eq!(*log.lock().unwrap(), Vec::<String>::new());
}

#[test]
fn names_with_control_characters_are_refused_before_anybody_is_asked() {
    let (mut vm, log) = asking("");
    for bad in ["/a\0b", "/a\nb", "/\u{7f}", "\t"] {
        refused(&mut vm, "EINVAL", |vm| vm.write_file(bad, "x"));
        refused(&mut vm, "EINVAL", |vm| vm.exists(bad));
        refused(&mut vm, "EINVAL", |vm| vm.rename("/d", bad));
    }
    vm.write_file("/\u{80}", "beyond ASCII").unwrap();
    let long = format!("/{}", "x/".repeat(2_048));
    refused(&mut vm, "ENAMETOOLONG", |vm| vm.stat(&format!("{long}x")));
    assert!(vm.exists(&format!("{long}../../d/f")).is_ok(), "normalised first");
    let asked = log.lock().unwrap();
    assert!(!asked.iter().any(|asked| asked.contains(['\0', '\n', '\t'])), "{asked:?}");
}

#[test]
fn a_process_is_asked_about_with_its_words_and_denied_by_name() {
    let log: Arc<Mutex<Vec<CommandAccessRequest>>> = Arc::default();
    let own = Arc::clone(&log);
    let mut config = config();
    config.permissions.child_process = Some(Arc::new(move |request: &CommandAccessRequest| {
        own.lock().unwrap().push(request.clone());
        match request.command.as_str() {
            "rm" => PermissionDecision::deny("nothing is removed"),
            _ => PermissionDecision::allow(),
        }
    }));
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config);
    vm.register_driver(CommandDriver::new("shell", ["sh", "rm"])).unwrap();
    let rm = |vm: &mut Vm| vm.spawn_process("rm", vec!["-r".into()], SpawnOptions::default());
    says(rm(&mut vm), "EACCES", "spawn 'rm': nothing is removed");
    refused(&mut vm, "EACCES", rm);
    refused(&mut vm, "EACCES", |vm| {
        let options = VirtualProcessOptions::default();
        vm.create_virtual_process("d", "d", "rm", Vec::new(), options)
    });
    vm.spawn_process("/bin/sh", Vec::new(), SpawnOptions::default()).unwrap();
    let log = log.lock().unwrap();
    let last = log.last().unwrap();
    assert_eq!(last.command, "sh", "after its resolution");
    assert_eq!(last.cwd.as_deref(), Some("/workspace"));
}

#[test]
fn rules_decide_without_being_asked_and_other_permissions_may_follow() {
    let rule = |text: &str| text.parse::<PermissionRule>().unwrap();
    let mut config = config();
    config.permissions = Permissions::from_rules([
        rule("deny fs:* /work/secret/**"),
        rule("allow fs:* /work/**"),
        rule("allow fs:read /"),
        rule("allow command job"),
    ]);
    let mut files = MemoryFileSystem::new();
    files.write_file("/work/f", "x").unwrap();
    files.write_file("/work/secret/f", "x").unwrap();
    files.symlink("/work/secret", "/work/l").unwrap();
    files.write_file("/else", "x").unwrap();
    let mut vm = KernelVm::new(files, config);
    assert_eq!(vm.read_file("/work/f").unwrap(), b"x");
    refused(&mut vm, "EACCES", |vm| vm.read_file("/work/secret/f"));
    refused(&mut vm, "EACCES", |vm| vm.read_file("/work/l/f"));
    refused(&mut vm, "EACCES", |vm| vm.read_file("/else"));
    process(&mut vm, None);
    assert_eq!(code(vm.fd_open(DRIVER, 1, "/else", 0, None)), "EACCES");
    let options = VirtualProcessOptions::default();
    let other = vm.create_virtual_process("d", "d", "other", Vec::new(), options);
    assert_eq!(code(other), "EACCES");
    vm.set_permissions(Permissions::allow_all());
    assert_eq!(vm.read_file("/else").unwrap(), b"x");
    vm.set_permissions(Permissions::default());
    assert_eq!(code(vm.read_file("/work/f")), "EACCES");
}

#[test]
fn directories_have_their_modes_as_far_as_that_is_allowed() {
    let (mut vm, _) = asking("Chmod /a/b/c");
    process(&mut vm, None);
    let made = vm.mkdir_for_process(DRIVER, 1, "/a/b/c", true, Some(0o1755));
    assert_eq!(code(made), "EACCES");
    let modes = ["/a", "/a/b", "/a/b/c"].map(|path| vm.stat(path).unwrap().mode & 0o7777);
    assert_eq!(modes, [0o1755, 0o1755, 0o755]);
}

#[test]
fn an_open_descriptor_is_asked_about_again() {
    let (mut vm, _) = asking("");
    process(&mut vm, None);
    let fd = vm.fd_open(DRIVER, 1, "/d/f", 2, None).unwrap();
    vm.set_permissions(Permissions { child_process: None, ..Permissions::default() });
    assert_eq!(code(vm.fd_read(DRIVER, 1, fd, 1)), "EACCES");
    assert_eq!(code(vm.fd_write(DRIVER, 1, fd, b"y")), "EACCES");
    assert_eq!(
        code(vm.futimes(DRIVER, 1, fd, VirtualUtimeSpec::Now, VirtualUtimeSpec::Now)),
        "EACCES"
    );
    vm.fd_close(DRIVER, 1, fd).unwrap();
}

#[test]
fn other_permissions_hold_for_every_clone() {
    let (vm, _) = asking("");
    let mut one = vm.into_shared();
    let mut other = one.clone();
    other.write_file("/d/f", "y").unwrap();
    one.set_permissions(Permissions {
        filesystem: Some(Arc::new(|_| PermissionDecision::deny("no longer"))),
        ..Permissions::default()
    });
    says(other.read_file("/d/f"), "EACCES", ": no longer");
    let mut third = other.clone();
    says(third.read_file("/d/f"), "EACCES", ": no longer");
    other.set_permissions(Permissions::allow_all());
    assert_eq!(one.read_file("/d/f").unwrap(), b"y");
    assert_eq!(third.read_file("/d/f").unwrap(), b"y");
}

#[test]
fn a_callback_that_changes_the_permissions_changes_them() {
    type Slot = Arc<Mutex<Option<tickernel::kernel::SharedKernelVm<MemoryFileSystem>>>>;
    let slot = Slot::default();
    let inside = Arc::clone(&slot);
    let mut config = config();
    config.permissions.filesystem = Some(Arc::new(move |_: &FsAccessRequest| {
        if let Some(mut vm) = inside.lock().unwrap().take() {
            vm.set_permissions(Permissions::default());
        }
        PermissionDecision::allow()
    }));
    let mut vm = KernelVm::new(MemoryFileSystem::new(), config).into_shared();
    *slot.lock().unwrap() = Some(vm.clone());
    let _ = vm.write_file("/f", "x");
    assert_eq!(vm.write_file("/f", "x").unwrap_err().code(), "EACCES");
    assert_eq!(vm.read_dir("/").unwrap_err().code(), "EACCES");
}
