//! Section 14: drivers, the files of their commands, and what a spawn makes of a path.

use crate::support::{Vm, refused, says, vm};
use std::sync::{Arc, Mutex};
use tickernel::command_registry::CommandDriver;
use tickernel::kernel::{KernelProcessHandle, KernelResult, SpawnOptions};
use tickernel::permissions::{CommandAccessRequest, PermissionDecision};

fn with_commands() -> Vm {
    let mut vm = vm();
    vm.register_driver(CommandDriver::new("shell", ["sh", "env", "awk"])).unwrap();
    vm
}

fn spawn(vm: &mut Vm, command: &str) -> KernelResult<KernelProcessHandle> {
    vm.spawn_process(command, vec!["arg".into()], SpawnOptions::default())
}

fn script(vm: &mut Vm, path: &str, text: impl Into<Vec<u8>>) {
    vm.write_file(path, text).unwrap();
    vm.chmod(path, 0o755).unwrap();
}

#[test]
fn a_name_that_is_none_registers_nothing_at_all() {
    for bad in ["", ".", "..", "a/b", "/", "a\0b"] {
        let mut vm = vm();
        let driver = || CommandDriver::new("shell", ["good", bad]);
        says(vm.register_driver(driver()), "EINVAL", "invalid command name");
        refused(&mut vm, "EINVAL", |vm| vm.register_driver(driver()));
        assert!(!vm.exists("/bin").unwrap() && vm.commands().is_empty(), "{bad:?}");
    }
}

#[test]
fn a_command_has_a_file_that_is_run_and_never_overwritten() {
    let mut vm = vm();
    vm.write_file("/bin/cat", "my own").unwrap();
    vm.register_driver(CommandDriver::new("shell", ["sh", "cat"])).unwrap();
    assert_eq!(vm.read_dir("/bin").unwrap(), ["cat", "sh"]);
    assert_eq!(vm.read_file("/bin/cat").unwrap(), b"my own");
    let stub = String::from_utf8(vm.read_file("/bin/sh").unwrap()).unwrap();
    let lines: Vec<&str> = stub.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "#!/bin/sh"));
    assert!(lines[1].starts_with('#'));
    assert_eq!(vm.stat("/bin/sh").unwrap().mode, 0o100_755);
    vm.register_driver(CommandDriver::new("empty", Vec::<String>::new())).unwrap();
}

#[test]
fn a_later_driver_takes_a_name_over() {
    let mut vm = with_commands();
    vm.register_driver(CommandDriver::new("other", ["sh"])).unwrap();
    assert_eq!((&*vm.commands()["sh"], &*vm.commands()["env"]), ("other", "shell"));
    assert_eq!(spawn(&mut vm, "sh").unwrap().driver(), "other");
    assert_eq!(spawn(&mut vm, "/bin/sh").unwrap().driver(), "other");
}

#[test]
fn a_bare_name_must_be_registered() {
    let mut vm = with_commands();
    assert_eq!(spawn(&mut vm, "sh").unwrap().driver(), "shell");
    for none in ["none", "", ".", "sh ", "SH"] {
        refused(&mut vm, "ENOENT", |vm| spawn(vm, none));
    }
}

#[test]
fn a_path_is_looked_at_from_the_working_directory() {
    let mut vm = with_commands();
    script(&mut vm, "/workspace/run", "#!/bin/sh\n");
    script(&mut vm, "/tmp/run", "#!/bin/awk\n");
    spawn(&mut vm, "./run").unwrap();
    let options = SpawnOptions { cwd: Some("/tmp".into()), ..SpawnOptions::default() };
    vm.spawn_process("./run", Vec::new(), options).unwrap();
    let processes = vm.list_processes();
    assert_eq!((&*processes[&1].command, &*processes[&2].command), ("sh", "awk"));
    vm.write_file("/workspace/plain", "#!/bin/sh\n").unwrap();
    refused(&mut vm, "EACCES", |vm| spawn(vm, "./plain"));
    refused(&mut vm, "EACCES", |vm| spawn(vm, "/workspace"));
    refused(&mut vm, "ENOENT", |vm| spawn(vm, "./none"));
    refused(&mut vm, "ENOENT", |vm| spawn(vm, "/none/sh"));
}

#[test]
fn files_in_the_places_of_commands_stand_for_them() {
    let mut vm = with_commands();
    for place in ["/bin", "/usr/bin", "/usr/local/bin", "/__secure_exec/commands/a/b"] {
        script(&mut vm, &format!("{place}/awk"), "whatever is in it");
        assert_eq!(spawn(&mut vm, &format!("{place}/awk")).unwrap().driver(), "shell");
    }
    assert_eq!(vm.list_processes()[&4].command, "awk");
    script(&mut vm, "/opt/awk", "whatever");
    refused(&mut vm, "ENOEXEC", |vm| spawn(vm, "/opt/awk"));
}

/// What the policy sees of the words of a script with this first line.
fn words(first: &str) -> Vec<String> {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let own = Arc::clone(&seen);
    let mut vm = crate::support::vm_with(|config| {
        config.permissions.child_process = Some(Arc::new(move |request: &CommandAccessRequest| {
            let command = std::iter::once(request.command.clone());
            *own.lock().unwrap() = command.chain(request.args.clone()).collect();
            PermissionDecision::allow()
        }));
    });
    vm.register_driver(CommandDriver::new("shell", ["sh", "env", "awk"])).unwrap();
    script(&mut vm, "/s", format!("{first}\nrest\n"));
    spawn(&mut vm, "/s").unwrap();
    std::mem::take(&mut *seen.lock().unwrap())
}

#[test]
fn a_script_is_its_interpreters_argument() {
    assert_eq!(words("#!/bin/sh"), ["sh", "/s", "arg"]);
    assert_eq!(words("#! /usr/bin/awk -f  -v x=1 \r"), ["awk", "-f", "-v", "x=1", "/s", "arg"]);
    assert_eq!(words("#!/usr/bin/env awk -f"), ["awk", "-f", "/s", "arg"]);
    assert_eq!(words("#!/bin/env sh"), ["sh", "/s", "arg"]);
    assert_eq!(words("#!awk"), ["awk", "/s", "arg"]);
}

#[test]
fn a_script_without_an_interpreter_is_enoexec() {
    let mut vm = with_commands();
    let at_most = format!("#!/bin/sh {}\n", "x".repeat(246));
    assert_eq!(at_most.len() - 1, 256);
    script(&mut vm, "/longest", at_most);
    spawn(&mut vm, "/longest").unwrap();
    let long = format!("#!/bin/sh {}\n", "x".repeat(247));
    let bad: [(&str, &[u8], &str); 9] = [
        ("plain", b"echo\n", "ENOEXEC"),
        ("empty", b"", "ENOEXEC"),
        ("nothing", b"#!\n", "ENOEXEC"),
        ("blank", b"#!  \t \r\n", "ENOEXEC"),
        ("binary", b"#!/bin/\xff\n", "ENOEXEC"),
        ("long", long.as_bytes(), "ENOEXEC"),
        ("unknown", b"#!/bin/none\n", "ENOENT"),
        ("env", b"#!/usr/bin/env\n", "ENOENT"),
        ("other-env", b"#!/usr/bin/env none\n", "ENOENT"),
    ];
    for (name, text, wanted) in bad {
        script(&mut vm, &format!("/{name}"), text);
        refused(&mut vm, wanted, |vm| spawn(vm, &format!("/{name}")));
    }
    // No recursion: a script as an interpreter is none.
    script(&mut vm, "/script", "#!/bin/sh\n");
    script(&mut vm, "/outer", "#!/script\n");
    refused(&mut vm, "ENOENT", |vm| spawn(vm, "/outer"));
}
