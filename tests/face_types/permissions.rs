//! Which question each call asks, about which path (SEMANTICS.md section 9).

use crate::small::{Log, Small};
use std::collections::BTreeMap;
use std::sync::Arc;
use tickernel::device_layer::create_device_layer;
use tickernel::permissions::{
    EnvironmentOperation, FsOperation, NetworkOperation, PermissionDecision,
    PermissionedFileSystem, Permissions, check_command_execution, check_network_access, filter_env,
};
use tickernel::vfs::{VfsResult, VirtualFileSystem, VirtualUtimeSpec};

type Checked = PermissionedFileSystem<Small>;

/// Permissions that write down what they are asked and refuse paths with `deny` in them.
fn asking(log: &Log) -> Permissions {
    let log = log.clone();
    Permissions {
        filesystem: Some(Arc::new(move |request| {
            log.add(format!("{:?} {}", request.op, request.path));
            if request.path.contains("deny") {
                return PermissionDecision::deny("because");
            }
            PermissionDecision::allow()
        })),
        ..Permissions::default()
    }
}

/// What a call asks.
fn asked<T>(call: impl FnOnce(&mut Checked) -> VfsResult<T>) -> (Vec<String>, VfsResult<T>) {
    let log = Log::default();
    let small = Small::new("", &Log::default());
    let result = call(&mut PermissionedFileSystem::new(small, "vm", asking(&log)));
    (log.take(), result)
}

/// A call succeeds and asks just this.
fn asks<T: std::fmt::Debug>(questions: &[&str], call: impl FnOnce(&mut Checked) -> VfsResult<T>) {
    let (found, result) = asked(call);
    assert_eq!(found, questions);
    result.unwrap();
}

#[test]
fn calls_on_what_is_there_ask_about_the_real_path() {
    let omit = VirtualUtimeSpec::Omit;
    asks(&["Read /d/f"], |f| f.read_file("/l"));
    asks(&["Read /d/f"], |f| f.read_text_file("/dl/f"));
    asks(&["Read /d/f"], |f| f.pread("/dl/f", 0, 1));
    asks(&["Read /d/f"], |f| f.realpath("/dl/f"));
    asks(&["Read /d/f"], |f| f.read_file("rel/../dl/f"));
    asks(&["ReadDir /d"], |f| f.read_dir("/dl"));
    asks(&["ReadDir /d"], |f| f.read_dir_limited("/dl", 9));
    asks(&["ReadDir /d"], |f| f.read_dir_with_types("/dl"));
    asks(&["Stat /d/f"], |f| f.stat("/l"));
    asks(&["Chmod /d/f"], |f| f.chmod("/l", 0));
    asks(&["Chown /d/f"], |f| f.chown("/l", 1, 1));
    asks(&["Utimes /d/f"], |f| f.utimes("/l", 1, 1));
    asks(&["Utimes /d/f"], |f| f.utimes_spec("/l", omit, omit, true));
    asks(&["Truncate /d/f"], |f| f.truncate("/l", 1));
}

#[test]
fn writes_ask_about_the_real_path_or_the_parents_and_the_name() {
    asks(&["Write /d/f"], |f| f.write_file("/l", "x"));
    asks(&["Write /d/new"], |f| f.write_file("/dl/new", "x"));
    asks(&["Write /gone"], |f| f.write_file("/gone", "x"));
    asks(&["Write /q/w/e"], |f| f.write_file("/q/w/e", "x"));
    asks(&["Write /d/new"], |f| f.write_file_with_mode("/dl/new", "x", Some(0o600)));
    asks(&["Write /d/new"], |f| f.create_file_exclusive("/dl/new", "x"));
    asks(&["Write /d/new"], |f| f.create_file_exclusive_with_mode("/dl/new", "x", None));
    asks(&["Write /d/f"], |f| f.append_file("/dl/f", "x"));
    asks(&["Read /d/f", "Write /d/f"], |f| f.pwrite("/l", "x", 0));
}

#[test]
fn calls_on_names_ask_about_the_parents_real_path_and_the_name() {
    asks(&["Mkdir /d/new"], |f| f.mkdir("/dl/new", true));
    asks(&["Mkdir /d/new"], |f| f.mkdir_with_mode("/dl/new", false, Some(0o700)));
    asks(&["CreateDir /d/new"], |f| f.create_dir("/dl/new"));
    asks(&["CreateDir /d/new"], |f| f.create_dir_with_mode("/dl/new", None));
    asks(&["Symlink /d/new"], |f| f.symlink("/deny", "/dl/new"));
    asks(&["Remove /l"], |f| f.remove_file("/l"));
    asks(&["Remove /d"], |f| f.remove_dir("/d"));
    asks(&["Stat /l"], |f| f.lstat("/l"));
    asks(&["ReadLink /l"], |f| f.read_link("/l"));
    asks(&["Rename /l", "Rename /d/new"], |f| f.rename("/l", "/dl/new"));
    asks(&["Link /d/f", "Link /d/new"], |f| f.link("/l", "/dl/new"));
}

#[test]
fn errors_of_resolving_come_before_any_answer() {
    let (questions, result) = asked(|f| f.read_file("/none"));
    assert_eq!((questions.len(), result.unwrap_err().code()), (0, "ENOENT"));
    let (questions, result) = asked(|f| f.chmod("/loop", 0));
    assert_eq!((questions.len(), result.unwrap_err().code()), (0, "ELOOP"));
    let (questions, result) = asked(|f| f.link("/none", "/new"));
    assert_eq!((questions.len(), result.unwrap_err().code()), (0, "ENOENT"));
}

#[test]
fn the_nearest_parent_that_is_there_is_resolved() {
    let log = Log::default();
    let small = Small::new("", &log);
    let f = PermissionedFileSystem::new(small, "vm", asking(&log));
    f.check_path(FsOperation::Mkdir, "/dl/a/b/c").unwrap();
    let steps = ["realpath /dl/a/b", "realpath /dl/a", "realpath /dl", "Mkdir /d/a/b/c"];
    assert_eq!(log.take(), steps);
}

#[test]
fn a_refusal_is_eacces_with_operation_path_and_reason_and_nothing_is_done() {
    let log = Log::default();
    let mut f = PermissionedFileSystem::new(Small::new("", &log), "vm", asking(&Log::default()));
    let error = f.write_file("/dl/deny", "x").unwrap_err();
    assert_eq!(error.code(), "EACCES");
    assert_eq!(error.message(), "permission denied, write '/d/deny': because");
    assert!(log.take().iter().all(|call| call.starts_with("realpath")));
}

#[test]
fn a_rename_asks_about_the_second_name_once_the_first_is_allowed() {
    let (questions, result) = asked(|f| f.rename("/deny", "/x"));
    assert_eq!(questions, ["Rename /deny"]);
    assert_eq!(result.unwrap_err().code(), "EACCES");
}

#[test]
fn without_a_policy_all_is_denied() {
    let small = Small::new("", &Log::default());
    let mut f = PermissionedFileSystem::new(small, "vm", Permissions::default());
    assert_eq!(
        f.read_file("/d/f").unwrap_err().to_string(),
        "EACCES: permission denied, read '/d/f'"
    );
    for op in [FsOperation::Stat, FsOperation::MountSensitive, FsOperation::Remove] {
        assert_eq!(f.check_path(op, "/d").unwrap_err().code(), "EACCES", "{op:?}");
    }
    f.set_permissions(Permissions::allow_all());
    assert_eq!(f.read_file("/d/f").unwrap(), b"hi");
}

#[test]
fn exists_is_false_where_it_is_denied_or_cannot_be_resolved() {
    let exists = |path: &str| asked(|f| Checked::exists(f, path));
    assert_eq!(exists("/dl/f"), (vec!["Exists /d/f".to_owned()], Ok(true)));
    assert_eq!(exists("/dl/no"), (vec!["Exists /d/no".to_owned()], Ok(false)));
    assert_eq!(exists("/deny"), (vec!["Exists /deny".to_owned()], Ok(false)));
    assert_eq!(exists("/loop/x"), (vec![], Ok(false)));
    assert_eq!(exists("/d/f/x"), (vec!["Exists /d/f/x".to_owned()], Ok(false)));
    assert_eq!(exists("/\n").1.unwrap_err().code(), "EINVAL");
    let (_, seen) = asked(|f| Ok(VirtualFileSystem::exists(f, "/\n")));
    assert_eq!(seen, Ok(false));
}

#[test]
fn a_path_may_be_checked_as_it_is() {
    let log = Log::default();
    let f = PermissionedFileSystem::new(Small::new("", &log), "vm", asking(&log));
    f.check_virtual_path(FsOperation::Read, "/proc/../1").unwrap();
    assert_eq!(log.take(), ["Read /proc/../1"]);
    assert_eq!(f.check_virtual_path(FsOperation::Read, "/deny").unwrap_err().code(), "EACCES");
}

#[test]
fn names_are_checked_before_anything_is_asked() {
    let (questions, result) = asked(|f| f.write_file("/x\x01", ""));
    assert_eq!((questions.len(), result.unwrap_err().code()), (0, "EINVAL"));
    let (questions, result) = asked(|f| f.mkdir(&"/a".repeat(2049), true));
    assert_eq!((questions.len(), result.unwrap_err().code()), (0, "ENAMETOOLONG"));
}

#[test]
fn the_six_devices_are_never_asked_about() {
    let log = Log::default();
    let devices = create_device_layer(Small::new("", &Log::default()));
    let mut f = PermissionedFileSystem::new(devices, "vm", asking(&log));
    for name in ["null", "zero", "urandom", "stdin", "stdout", "stderr"] {
        let path = format!("/dev/{name}");
        f.stat(&path).unwrap();
        f.chmod(&path, 0).unwrap();
        f.check_path(FsOperation::MountSensitive, &path).unwrap();
    }
    assert!(log.take().is_empty());
    f.read_dir("/dev").unwrap();
    f.stat("/dev/fd").unwrap();
    assert_eq!(log.take(), ["ReadDir /dev", "Stat /dev/fd"]);
    // The other name of a rename is asked about.
    assert_eq!(f.rename("/dev/null", "/x").unwrap_err().code(), "EPERM");
    assert_eq!(log.take(), ["Rename /x"]);
}

#[test]
fn commands_are_denied_with_their_name_and_the_reason() {
    let env = BTreeMap::from([("K".to_owned(), "V".to_owned())]);
    let args = ["-l".to_owned()];
    let log = Log::default();
    let seen = log.clone();
    let permissions = Permissions {
        child_process: Some(Arc::new(move |request| {
            seen.add(format!("{request:?}"));
            PermissionDecision::deny("no kids")
        })),
        ..Permissions::default()
    };
    let error =
        check_command_execution("vm", &permissions, "ls", &args, Some("/w"), &env).unwrap_err();
    assert_eq!(error.code(), "EACCES");
    assert_eq!(error.to_string(), "EACCES: permission denied, spawn 'ls': no kids");
    let asked = log.take().remove(0);
    for part in ["\"vm\"", "\"ls\"", "[\"-l\"]", "Some(\"/w\")", "{\"K\": \"V\"}"] {
        assert!(asked.contains(part), "{asked}");
    }
    let denied = check_command_execution("vm", &Permissions::default(), "ls", &[], None, &env);
    assert_eq!(denied.unwrap_err().to_string(), "EACCES: permission denied, spawn 'ls'");
    let all = Permissions::allow_all();
    assert!(check_command_execution("vm", &all, "ls", &[], None, &env).is_ok());
}

#[test]
fn the_network_is_denied_with_the_resource() {
    let denied = |permissions: &Permissions| {
        check_network_access("vm", permissions, NetworkOperation::Dns, "dns://a.b")
    };
    let error = denied(&Permissions::default()).unwrap_err();
    assert_eq!(error.to_string(), "EACCES: permission denied, dns://a.b");
    assert!(denied(&Permissions::allow_all()).is_ok());
}

#[test]
fn the_environment_is_filtered_by_reading() {
    let env = BTreeMap::from(["A", "B"].map(|key| (key.to_owned(), format!("{key}-value"))));
    assert!(filter_env("vm", &env, &Permissions::default()).is_empty());
    let permissions = Permissions {
        environment: Some(Arc::new(|request| {
            assert_eq!(request.op, EnvironmentOperation::Read);
            assert!(request.value.as_deref().is_some_and(|value| value.ends_with("-value")));
            PermissionDecision { allow: request.key == "B", reason: None }
        })),
        ..Permissions::default()
    };
    let kept = filter_env("vm", &env, &permissions);
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["B"]);
}
