//! Processes: creation, execve, ends and waits, credentials, groups and sessions, limits, working
//! directory.

use serde_json::{Value, json};

use super::{Kind, Plan, Planned};
use crate::fields::{self, Fields, put_bytes};
use crate::names;
use crate::shared::{Area, get, get_bytes};

const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

pub(super) fn plan(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    Some(match call {
        "fork" => Ok(fork(libc::SIGCHLD as u64)),
        "vfork" => Ok(fork((libc::CLONE_VFORK | libc::SIGCHLD) as u64)),
        "clone" => clone(f, area),
        "execve" => execve(f, area),
        "exit" => exit(libc::SYS_exit, f),
        "exit_group" => exit(libc::SYS_exit_group, f),
        "wait4" => wait4(f, area),
        "waitid" => waitid(f, area),
        "prctl" => prctl(f),
        "prlimit64" => prlimit64(f, area),
        "umask" => f.number("mask").map(|mask| Plan::new(libc::SYS_umask, &[mask])),
        "chdir" => f.path("path", area).map(|path| Plan::new(libc::SYS_chdir, &[path])),
        "fchdir" => f.number("fd").map(|fd| Plan::new(libc::SYS_fchdir, &[fd])),
        "chroot" => f.path("path", area).map(|path| Plan::new(libc::SYS_chroot, &[path])),
        "getcwd" => getcwd(f, area),
        _ => return ids(call, f, area),
    })
}

fn prctl(f: &Fields<'_>) -> Planned {
    let option = f.flags("option", names::PRCTL)?;
    if names::name(names::PRCTL, option).is_none() {
        return Err("field option: one that the host twin does not pass on".into());
    }
    Ok(Plan::new(libc::SYS_prctl, &[option, f.number_or("arg2", 0)?]))
}

fn fork(flags: u64) -> Plan {
    Plan::new(libc::SYS_clone, &[flags]).of_kind(Kind::Fork { shares_memory: false })
}

fn clone(f: &Fields<'_>, area: &mut Area) -> Planned {
    let flags = f.flags("flags", names::CLONE)?;
    if flags & NAMESPACES != 0 {
        return Err("field flags: the host twin makes no namespaces".into());
    }
    let kind = Kind::Fork { shares_memory: flags & libc::CLONE_VM as u64 != 0 };
    let scratch = area.room(8)?;
    if !f.has("set_tid") {
        let arguments = [flags, 0, scratch, scratch + 4, 0];
        let plan = Plan::new(libc::SYS_clone, &arguments).of_kind(kind);
        return Ok(with_pidfd(plan, flags, scratch));
    }
    let tid = match f.value("set_tid") {
        Some(Value::Array(_)) => f.numbers("set_tid")?.first().copied().unwrap_or(0),
        _ => f.number("set_tid")?,
    };
    let tid = area.put(&(tid as i32))?;
    // clone3(2)'s struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack,
    // stack_size, tls, set_tid, its size.
    let args = [flags & !0xff, scratch, scratch + 4, scratch, flags & 0xff, 0, 0, 0, tid, 1, 0];
    let args = area.put(&args)?;
    Ok(with_pidfd(Plan::new(libc::SYS_clone3, &[args, 88]).of_kind(kind), flags, scratch))
}

/// The descriptor of the child, where one was asked for.
fn with_pidfd(plan: Plan, flags: u64, place: u64) -> Plan {
    if flags & libc::CLONE_PIDFD as u64 == 0 {
        return plan;
    }
    plan.replying(move |tid, answer| {
        if tid > 0 {
            answer.insert("pidfd".into(), get::<i32>(place).into());
        }
    })
}

fn execve(f: &Fields<'_>, area: &mut Area) -> Planned {
    let path = f.path("path", area)?;
    let argv = strings("argv", f, area)?;
    let envp = strings("envp", f, area)?;
    Ok(Plan::new(libc::SYS_execve, &[path, argv, envp]).of_kind(Kind::Exec))
}

/// A NULL-terminated array of C strings, or NULL.
fn strings(name: &str, f: &Fields<'_>, area: &mut Area) -> Result<u64, String> {
    if !f.has(name) {
        return Ok(0);
    }
    let mut pointers = Vec::new();
    for value in f.list(name)? {
        let text =
            value.as_str().ok_or_else(|| format!("field {name} is not a list of strings"))?;
        pointers.push(area.c_string(text.as_bytes())?);
    }
    pointers.push(0);
    let bytes: Vec<u8> = pointers.iter().flat_map(|pointer| pointer.to_le_bytes()).collect();
    area.bytes(&bytes)
}

fn exit(number: i64, f: &Fields<'_>) -> Planned {
    Ok(Plan::new(number, &[f.number("status")?]).of_kind(Kind::Exit))
}

fn wait4(f: &Fields<'_>, area: &mut Area) -> Planned {
    let status = area.room(4)?;
    let options = f.flags_or_0("options", names::WAIT)?;
    Ok(Plan::new(libc::SYS_wait4, &[f.number("wpid")?, status, options]).replying(
        move |pid, answer| {
            if pid > 0 {
                answer.insert("status".into(), fields::status(get(status)));
            }
        },
    ))
}

fn waitid(f: &Fields<'_>, area: &mut Area) -> Planned {
    let info = area.room(128)?;
    let kind = f.flags("idtype", names::ID_TYPE)?;
    let options = f.flags_or_0("options", names::WAIT)?;
    let plan = Plan::new(libc::SYS_waitid, &[kind, f.number_or("id", 0)?, info, options]);
    Ok(plan.replying(move |_, answer| {
        answer.insert("info".into(), fields::siginfo(&get(info)).into());
    }))
}

fn prlimit64(f: &Fields<'_>, area: &mut Area) -> Planned {
    let resource = f.flags("resource", names::RESOURCES)?;
    let new = if f.has("new_limit") {
        let limit = f.object("new_limit")?;
        area.put(&[limit.flags("cur", names::RLIM)?, limit.flags("max", names::RLIM)?])?
    } else {
        0
    };
    let old = area.room(16)?;
    let plan = Plan::new(libc::SYS_prlimit64, &[f.number_or("target", 0)?, resource, new, old]);
    Ok(plan.replying(move |_, answer| {
        let [cur, max] = get::<[u64; 2]>(old);
        answer.insert("old_limit".into(), json!({ "cur": cur, "max": max }));
    }))
}

fn getcwd(f: &Fields<'_>, area: &mut Area) -> Planned {
    let size = f.number_or("size", 4096)?;
    let buffer = area.room((size as usize).clamp(4096, 8192))?;
    Ok(Plan::new(libc::SYS_getcwd, &[buffer, size]).replying(move |length, answer| {
        put_bytes(answer, "data", &get_bytes(buffer, length.saturating_sub(1) as usize));
    }))
}

fn ids(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    let numbers = |number: i64, names: &[&str]| -> Planned {
        let values: Result<Vec<u64>, _> = names.iter().map(|name| f.number(name)).collect();
        Ok(Plan::new(number, &values?))
    };
    Some(match call {
        "getpid" => numbers(libc::SYS_getpid, &[]),
        "gettid" => numbers(libc::SYS_gettid, &[]),
        "getppid" => numbers(libc::SYS_getppid, &[]),
        "getuid" => numbers(libc::SYS_getuid, &[]),
        "geteuid" => numbers(libc::SYS_geteuid, &[]),
        "getgid" => numbers(libc::SYS_getgid, &[]),
        "getegid" => numbers(libc::SYS_getegid, &[]),
        "getpgrp" => numbers(libc::SYS_getpgrp, &[]),
        "setuid" => numbers(libc::SYS_setuid, &["uid"]),
        "setgid" => numbers(libc::SYS_setgid, &["gid"]),
        "setreuid" => numbers(libc::SYS_setreuid, &["ruid", "euid"]),
        "setregid" => numbers(libc::SYS_setregid, &["rgid", "egid"]),
        "setresuid" => numbers(libc::SYS_setresuid, &["ruid", "euid", "suid"]),
        "setresgid" => numbers(libc::SYS_setresgid, &["rgid", "egid", "sgid"]),
        "setfsuid" => numbers(libc::SYS_setfsuid, &["uid"]),
        "setfsgid" => numbers(libc::SYS_setfsgid, &["gid"]),
        "setpgid" => numbers(libc::SYS_setpgid, &["target", "pgid"]),
        "getpgid" => numbers(libc::SYS_getpgid, &["target"]),
        "getsid" => numbers(libc::SYS_getsid, &["target"]),
        "setsid" => numbers(libc::SYS_setsid, &[]),
        "setgroups" => setgroups(f, area),
        "getgroups" => getgroups(area),
        "getresuid" => three_ids(libc::SYS_getresuid, area),
        "getresgid" => three_ids(libc::SYS_getresgid, area),
        _ => return None,
    })
}

fn setgroups(f: &Fields<'_>, area: &mut Area) -> Planned {
    let groups = f.numbers("groups")?;
    let bytes: Vec<u8> = groups.iter().flat_map(|group| (*group as u32).to_le_bytes()).collect();
    let list = area.bytes(&bytes)?;
    Ok(Plan::new(libc::SYS_setgroups, &[groups.len() as u64, list]))
}

fn getgroups(area: &mut Area) -> Planned {
    const NGROUPS_MAX: usize = 65_536;
    let list = area.room(NGROUPS_MAX * 4)?;
    Ok(Plan::new(libc::SYS_getgroups, &[NGROUPS_MAX as u64, list]).replying(
        move |count, answer| {
            let groups: Value = (0..count as u64).map(|i| get::<u32>(list + 4 * i)).collect();
            answer.insert("groups".into(), groups);
        },
    ))
}

fn three_ids(number: i64, area: &mut Area) -> Planned {
    let ids = area.room(12)?;
    Ok(Plan::new(number, &[ids, ids + 4, ids + 8]).replying(move |_, answer| {
        answer.insert("ids".into(), json!(get::<[u32; 3]>(ids)));
    }))
}
