//! Bytes in and out of descriptors, and the descriptors themselves.

use serde_json::{Value, json};

use super::{Plan, Planned};
use crate::fields::{Fields, put_bytes};
use crate::names;
use crate::shared::{Area, get, get_bytes};

/// Counts from here on cannot be a buffer in user space: the kernel says so without touching the
/// buffer.
const NO_BUFFER: u64 = 1 << 47;

pub(super) fn plan(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    Some(match call {
        "close" => f.number("fd").map(|fd| Plan::new(libc::SYS_close, &[fd])),
        "dup" => f.number("oldfd").map(|fd| Plan::new(libc::SYS_dup, &[fd])),
        "dup2" => dup(libc::SYS_dup2, f),
        "dup3" => dup(libc::SYS_dup3, f),
        "close_range" => close_range(f),
        "read" => read(libc::SYS_read, f, area, false),
        "pread64" => read(libc::SYS_pread64, f, area, true),
        "write" => write(libc::SYS_write, f, area, false),
        "pwrite64" => write(libc::SYS_pwrite64, f, area, true),
        "readv" => readv(libc::SYS_readv, f, area),
        "preadv" => readv(libc::SYS_preadv, f, area),
        "preadv2" => readv(libc::SYS_preadv2, f, area),
        "writev" => writev(libc::SYS_writev, f, area),
        "pwritev" => writev(libc::SYS_pwritev, f, area),
        "pwritev2" => writev(libc::SYS_pwritev2, f, area),
        "lseek" => lseek(f),
        "ftruncate" => numbers(libc::SYS_ftruncate, &["fd", "length"], f),
        "fsync" => numbers(libc::SYS_fsync, &["fd"], f),
        "syncfs" => numbers(libc::SYS_syncfs, &["fd"], f),
        "readahead" => numbers(libc::SYS_readahead, &["fd", "offset", "count"], f),
        "sync_file_range" => {
            numbers(libc::SYS_sync_file_range, &["fd", "offset", "nbytes", "flags"], f)
        }
        "fadvise64" => numbers(libc::SYS_fadvise64, &["fd", "offset", "len", "advice"], f),
        "fdatasync" => numbers(libc::SYS_fdatasync, &["fd"], f),
        "fallocate" => fallocate(f),
        "flock" => flock(f),
        "fcntl" => fcntl(f, area),
        "pipe" => pipe(libc::SYS_pipe, f, area),
        "pipe2" => pipe(libc::SYS_pipe2, f, area),
        "copy_file_range" => moved(libc::SYS_copy_file_range, f, area),
        "splice" => moved(libc::SYS_splice, f, area),
        "tee" => tee(f),
        "sendfile" => sendfile(f, area),
        _ => return None,
    })
}

fn numbers(number: i64, names: &[&str], f: &Fields<'_>) -> Planned {
    let values: Result<Vec<u64>, _> = names.iter().map(|name| f.number(name)).collect();
    Ok(Plan::new(number, &values?))
}

fn dup(number: i64, f: &Fields<'_>) -> Planned {
    let flags = f.flags_or_0("flags", names::OPEN)?;
    Ok(Plan::new(number, &[f.number("oldfd")?, f.number("newfd")?, flags]))
}

fn close_range(f: &Fields<'_>) -> Planned {
    let flags = f.flags_or_0("flags", names::CLOSE_RANGE)?;
    Ok(Plan::new(libc::SYS_close_range, &[f.number("first")?, f.number("last")?, flags]))
}

/// A buffer for `count` bytes as far as the area holds them, and the count to pass.
fn buffer(count: u64, area: &mut Area) -> Result<(u64, u64), String> {
    let count = if count < NO_BUFFER { count.min(area.left() as u64) } else { count };
    let bytes = if count < NO_BUFFER { count as usize } else { 0 };
    Ok((area.room(bytes)?, count))
}

fn read(number: i64, f: &Fields<'_>, area: &mut Area, positioned: bool) -> Planned {
    let (at, count) = buffer(f.number("count")?, area)?;
    let offset = if positioned { f.number("offset")? } else { 0 };
    let plan = Plan::new(number, &[f.number("fd")?, at, count, offset]);
    Ok(plan.replying(move |length, answer| {
        put_bytes(answer, "data", &get_bytes(at, length as usize));
    }))
}

/// The bytes to write, and their address; NULL for null.
fn data(f: &Fields<'_>, area: &mut Area) -> Result<(u64, u64), String> {
    match f.bytes("data")? {
        None => Ok((0, f.number_or("count", 1)?)),
        Some(bytes) => Ok((area.bytes(&bytes)?, bytes.len() as u64)),
    }
}

fn write(number: i64, f: &Fields<'_>, area: &mut Area, positioned: bool) -> Planned {
    let (at, count) = data(f, area)?;
    let offset = if positioned { f.number("offset")? } else { 0 };
    Ok(Plan::new(number, &[f.number("fd")?, at, count, offset]))
}

/// preadv(2) passes the offset in two halves; on x86-64 the first holds it all.
fn vector_arguments(f: &Fields<'_>, vector: u64) -> Result<[u64; 6], String> {
    let flags = f.flags_or_0("flags", names::RWF)?;
    Ok([f.number("fd")?, vector, 1, f.number_or("offset", 0)?, 0, flags])
}

fn readv(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let vector = area.room(16)?;
    // A vector's length is cut down before it is looked at, unless it is below 0.
    let count = f.number("count")?;
    let count = if count < 1 << 63 { count.min(area.left() as u64) } else { count };
    let (at, count) = buffer(count, area)?;
    put_vector(vector, at, count);
    let plan = Plan::new(number, &vector_arguments(f, vector)?);
    Ok(plan.replying(move |length, answer| {
        put_bytes(answer, "data", &get_bytes(at, length as usize));
    }))
}

fn writev(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let (at, count) = data(f, area)?;
    let vector = area.put(&[at, count])?;
    Ok(Plan::new(number, &vector_arguments(f, vector)?))
}

fn put_vector(vector: u64, at: u64, count: u64) {
    // SAFETY: `vector` is 16 bytes of room in the request's area.
    unsafe { std::ptr::write(vector as *mut [u64; 2], [at, count]) };
}

fn lseek(f: &Fields<'_>) -> Planned {
    let whence = f.flags("whence", names::WHENCE)?;
    Ok(Plan::new(libc::SYS_lseek, &[f.number("fd")?, f.number("offset")?, whence]))
}

fn fallocate(f: &Fields<'_>) -> Planned {
    let mode = f.flags_or_0("mode", names::FALLOC)?;
    let (offset, length) = (f.number("offset")?, f.number("len")?);
    Ok(Plan::new(libc::SYS_fallocate, &[f.number("fd")?, mode, offset, length]))
}

fn flock(f: &Fields<'_>) -> Planned {
    let operation = f.flags("operation", names::FLOCK)?;
    Ok(Plan::new(libc::SYS_flock, &[f.number("fd")?, operation]))
}

/// struct flock: l_type, l_whence (16 bits each), l_start, l_len, l_pid.
fn fcntl(f: &Fields<'_>, area: &mut Area) -> Planned {
    let name = f.value("cmd").and_then(Value::as_str);
    let command = match name.and_then(|name| names::value(names::MORE_FCNTL, name)) {
        Some(number) => number,
        None => f.flags("cmd", names::FCNTL)?,
    };
    let fd = f.number("fd")?;
    let Some(Value::Object(lock)) = f.value("arg") else {
        let name = f.value("arg").and_then(Value::as_str);
        let argument = match name.and_then(names::signal_number) {
            Some(signal) => signal,
            None => f.flags_or_0("arg", names::FCNTL_ARG)?,
        };
        return Ok(Plan::new(libc::SYS_fcntl, &[fd, command, argument]));
    };
    let lock = Fields(lock);
    if [F_SETOWN_EX, F_GETOWN_EX].contains(&command) {
        return file_owner(fd, command, &lock, area);
    }
    let kinds = lock.flags("type", names::LOCK_TYPE)? & 0xffff
        | (lock.flags_or_0("whence", names::WHENCE)? & 0xffff) << 16;
    let pid = lock.number_or("pid", 0)?;
    let words = [kinds, lock.number_or("start", 0)?, lock.number_or("len", 0)?, pid];
    let at = area.put(&words)?;
    let written = [libc::F_GETLK, libc::F_OFD_GETLK].contains(&(command as i32));
    Ok(Plan::new(libc::SYS_fcntl, &[fd, command, at]).replying(move |_, answer| {
        if written {
            answer.insert("arg".into(), shown_lock(at));
        }
    }))
}

const F_SETOWN_EX: u64 = 15;
const F_GETOWN_EX: u64 = 16;

/// struct f_owner_ex: type and pid.
fn file_owner(fd: u64, command: u64, owner: &Fields<'_>, area: &mut Area) -> Planned {
    let kind = owner.flags("type", names::OWNER_TYPE)? as u32;
    let at = area.put(&[kind, owner.number("pid")? as u32])?;
    let written = command == F_GETOWN_EX;
    Ok(Plan::new(libc::SYS_fcntl, &[fd, command, at]).replying(move |_, answer| {
        if written {
            let [kind, pid] = get::<[i32; 2]>(at);
            let kind = names::name(names::OWNER_TYPE, kind as u64).unwrap_or_default();
            answer.insert("arg".into(), json!({ "type": kind, "pid": pid }));
        }
    }))
}

fn shown_lock(at: u64) -> Value {
    let [kinds, start, length, pid] = get::<[u64; 4]>(at);
    let kind = names::name(names::LOCK_TYPE, kinds & 0xffff).unwrap_or_default();
    let whence = names::name(names::WHENCE, kinds >> 16 & 0xffff).unwrap_or_default();
    let (start, length, pid) = (start as i64, length as i64, pid as i32);
    json!({ "type": kind, "whence": whence, "start": start, "len": length, "pid": pid })
}

fn pipe(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let fds = area.room(8)?;
    let flags = f.flags_or_0("flags", names::OPEN)?;
    Ok(Plan::new(number, &[fds, flags]).replying(move |_, answer| {
        answer.insert("fds".into(), json!(get::<[i32; 2]>(fds)));
    }))
}

/// A pointer to an offset, or NULL for null and what is left out; and the name under which it is
/// answered.
fn offset(name: &str, f: &Fields<'_>, area: &mut Area) -> Result<u64, String> {
    if f.has(name) { area.put(&f.number(name)?) } else { Ok(0) }
}

fn moved(number: i64, f: &Fields<'_>, area: &mut Area) -> Planned {
    let input = offset("off_in", f, area)?;
    let output = offset("off_out", f, area)?;
    let count = if f.has("size") { f.number("size")? } else { f.number("len")? };
    let flags = f.flags_or_0("flags", names::SPLICE)?;
    let arguments = [f.number("fd_in")?, input, f.number("fd_out")?, output, count, flags];
    Ok(Plan::new(number, &arguments).replying(move |_, answer| {
        for (name, at) in [("off_in", input), ("off_out", output)] {
            if at != 0 {
                answer.insert(name.into(), get::<i64>(at).into());
            }
        }
    }))
}

fn tee(f: &Fields<'_>) -> Planned {
    let count = if f.has("size") { f.number("size")? } else { f.number("len")? };
    let flags = f.flags_or_0("flags", names::SPLICE)?;
    Ok(Plan::new(libc::SYS_tee, &[f.number("fd_in")?, f.number("fd_out")?, count, flags]))
}

fn sendfile(f: &Fields<'_>, area: &mut Area) -> Planned {
    let at = offset("offset", f, area)?;
    let arguments = [f.number("out_fd")?, f.number("in_fd")?, at, f.number("count")?];
    Ok(Plan::new(libc::SYS_sendfile, &arguments).replying(move |_, answer| {
        if at != 0 {
            answer.insert("offset".into(), get::<i64>(at).into());
        }
    }))
}
