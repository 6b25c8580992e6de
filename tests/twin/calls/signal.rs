//! Signals: dispositions, masks, sending and waiting.

use serde_json::{Map, Value, json};

use super::{Kind, Plan, Planned};
use crate::fields::{self, Fields};
use crate::image;
use crate::names;
use crate::shared::{Area, get};

const SA_RESTORER: u64 = 0x0400_0000;
/// A free bit of sa_flags, cleared by the kernel if it were passed: in which the twin keeps
/// nothing.
const SET_BYTES: u64 = 8;

pub(super) fn plan(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    Some(match call {
        "kill" => send(libc::SYS_kill, &["target"], f),
        "tkill" => send(libc::SYS_tkill, &["tid"], f),
        "tgkill" => send(libc::SYS_tgkill, &["tgid", "tid"], f),
        "pause" => Ok(Plan::new(libc::SYS_pause, &[])),
        "rt_sigsuspend" => sigsuspend(f, area),
        "rt_sigtimedwait" => sigtimedwait(f, area),
        "rt_sigaction" => sigaction(f, area),
        "rt_sigprocmask" => sigprocmask(f, area),
        "rt_sigpending" => sigpending(area),
        "rt_sigqueueinfo" => sigqueueinfo(libc::SYS_rt_sigqueueinfo, &["target"], f, area),
        "rt_tgsigqueueinfo" => sigqueueinfo(libc::SYS_rt_tgsigqueueinfo, &["tgid", "tid"], f, area),
        "rt_sigreturn" => Ok(Plan::new(0, &[]).of_kind(Kind::SignalReturn)),
        _ => return None,
    })
}

fn send(number: i64, ids: &[&str], f: &Fields<'_>) -> Planned {
    let mut arguments = Vec::new();
    for id in ids {
        arguments.push(f.number(id)?);
    }
    arguments.push(f.signal("sig")?);
    Ok(Plan::new(number, &arguments).of_kind(Kind::SendsSignal))
}

fn sigsuspend(f: &Fields<'_>, area: &mut Area) -> Planned {
    let set = area.put(&f.signal_set("set")?)?;
    Ok(Plan::new(libc::SYS_rt_sigsuspend, &[set, SET_BYTES]))
}

fn sigtimedwait(f: &Fields<'_>, area: &mut Area) -> Planned {
    let set = area.put(&f.signal_set("set")?)?;
    let timeout = f.timespec("timeout", area)?;
    let info = area.room(128)?;
    let plan = Plan::new(libc::SYS_rt_sigtimedwait, &[set, info, timeout, SET_BYTES]);
    Ok(plan.replying(move |_, answer| {
        answer.insert("info".into(), fields::siginfo(&get(info)).into());
    }))
}

/// The kernel's struct sigaction: handler, flags, restorer, mask.
fn sigaction(f: &Fields<'_>, area: &mut Area) -> Planned {
    let signum = f.signal("signum")?;
    let new = if f.has("act") {
        let act = f.object("act")?;
        let handler = match act.value("handler").and_then(Value::as_str) {
            Some("SIG_DFL") => 0,
            Some("SIG_IGN") => 1,
            Some("caught") => image::handler(),
            _ => return Err("field handler is none of SIG_DFL, SIG_IGN, caught".into()),
        };
        let mask = if act.has("mask") { act.signal_set("mask")? } else { 0 };
        let flags = act.flags_or_0("flags", names::SA_FLAGS)?;
        area.put(&[handler, kernel_flags(flags), image::restorer(), mask])?
    } else {
        0
    };
    let old = area.room(32)?;
    let plan = Plan::new(libc::SYS_rt_sigaction, &[signum, new, old, SET_BYTES]);
    Ok(plan.replying(move |_, answer| {
        let [handler, flags, _, mask] = get::<[u64; 4]>(old);
        let handler = match handler {
            0 => "SIG_DFL",
            1 => "SIG_IGN",
            _ => "caught",
        };
        let mut act = Map::new();
        act.insert("handler".into(), handler.into());
        act.insert("mask".into(), fields::signal_set(mask));
        act.insert("flags".into(), names::join(names::SA_FLAGS, program_flags(flags)));
        answer.insert("oldact".into(), act.into());
    }))
}

/// The handler needs a restorer and a siginfo_t. Whether the program asked for SA_SIGINFO is kept
/// in SA_UNSUPPORTED's neighbour SA_EXPOSE_TAGBITS, which the kernel keeps and which changes
/// nothing that a program of the twin sees.
fn kernel_flags(flags: u64) -> u64 {
    let asked = if flags & libc::SA_SIGINFO as u64 != 0 { SA_EXPOSE_TAGBITS } else { 0 };
    flags | SA_RESTORER | libc::SA_SIGINFO as u64 | asked
}

const SA_EXPOSE_TAGBITS: u64 = 0x800;

fn program_flags(flags: u64) -> u64 {
    let hidden = SA_RESTORER | SA_EXPOSE_TAGBITS | libc::SA_SIGINFO as u64;
    let asked = if flags & SA_EXPOSE_TAGBITS != 0 { libc::SA_SIGINFO as u64 } else { 0 };
    flags & !hidden | asked
}

fn sigprocmask(f: &Fields<'_>, area: &mut Area) -> Planned {
    let how = f.flags_or_0("how", names::SIG_HOW)?;
    let set = if f.has("set") { area.put(&f.signal_set("set")?)? } else { 0 };
    let old = area.room(8)?;
    let plan = Plan::new(libc::SYS_rt_sigprocmask, &[how, set, old, SET_BYTES]);
    Ok(plan.of_kind(Kind::SendsSignal).replying(move |_, answer| {
        answer.insert("oldset".into(), fields::signal_set(get(old)));
    }))
}

fn sigpending(area: &mut Area) -> Planned {
    let set = area.room(8)?;
    let plan = Plan::new(libc::SYS_rt_sigpending, &[set, SET_BYTES]);
    Ok(plan.replying(move |_, answer| {
        answer.insert("set".into(), fields::signal_set(get(set)));
    }))
}

fn sigqueueinfo(number: i64, ids: &[&str], f: &Fields<'_>, area: &mut Area) -> Planned {
    let mut arguments = Vec::new();
    for id in ids {
        arguments.push(f.number(id)?);
    }
    let signal = f.signal("sig")?;
    let given = f.object("info")?;
    let mut info = [0u32; 32];
    info[0] = signal as u32;
    info[2] = given.flags_or_0("si_code", names::SI_CODES)? as u32;
    info[4] = given.number_or("si_pid", 0)? as u32;
    info[5] = given.number_or("si_uid", 0)? as u32;
    info[6] = given.number_or("si_value", 0)? as u32;
    let info = area.put(&info)?;
    arguments.extend([signal, info]);
    Ok(Plan::new(number, &arguments).of_kind(Kind::SendsSignal))
}

/// The announcement of a caught signal.
pub(crate) fn announcement(pid: i32, raw: &[u8; 128]) -> Value {
    let info = fields::siginfo(raw);
    let sig = info.get("si_signo").cloned().unwrap_or_default();
    json!({ "signal": { "pid": pid, "sig": sig, "info": info } })
}
