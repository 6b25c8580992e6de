//! What scenes are written with: each word is a request of process 1, or some in a row.

use crate::beside::Program;
use serde_json::{Value, json};

/// A scene: its name and its requests.
pub(crate) type Scene = (&'static str, Program);

/// Some parts as one program.
pub(crate) fn all(parts: impl IntoIterator<Item = Program>) -> Program {
    parts.into_iter().flatten().collect()
}

/// Any call.
pub(crate) fn call(name: &str, fields: Value) -> Program {
    let mut request = fields;
    request["call"] = name.into();
    if request.get("pid").is_none() {
        request["pid"] = 1.into();
    }
    vec![request]
}

/// The same requests by another process.
pub(crate) fn by(pid: i64, mut program: Program) -> Program {
    program.iter_mut().for_each(|request| request["pid"] = pid.into());
    program
}

pub(crate) fn write(fd: i64, data: &str) -> Program {
    call("write", json!({"fd": fd, "data": data}))
}

pub(crate) fn read(fd: i64, count: i64) -> Program {
    call("read", json!({"fd": fd, "count": count}))
}

pub(crate) fn close(fd: i64) -> Program {
    call("close", json!({"fd": fd}))
}

pub(crate) fn dup(oldfd: i64) -> Program {
    call("dup", json!({"oldfd": oldfd}))
}

pub(crate) fn open(path: &str, flags: &str) -> Program {
    call("open", json!({"path": path, "flags": flags, "mode": "0644"}))
}

pub(crate) fn fork() -> Program {
    call("fork", json!({}))
}

pub(crate) fn pipe() -> Program {
    call("pipe", json!({}))
}

pub(crate) fn fcntl(fd: i64, cmd: &str, arg: impl Into<Value>) -> Program {
    call("fcntl", json!({"fd": fd, "cmd": cmd, "arg": arg.into()}))
}

pub(crate) fn ioctl(fd: i64, request: &str, arg: impl Into<Value>) -> Program {
    call("ioctl", json!({"fd": fd, "request": request, "arg": arg.into()}))
}

pub(crate) fn socketpair(kind: &str) -> Program {
    call("socketpair", json!({"domain": "AF_UNIX", "type": kind, "protocol": 0}))
}

pub(crate) fn socket(domain: &str, kind: &str) -> Program {
    call("socket", json!({"domain": domain, "type": kind, "protocol": 0}))
}

pub(crate) fn bind(fd: i64, addr: Value) -> Program {
    call("bind", json!({"sockfd": fd, "addr": addr}))
}

pub(crate) fn connect(fd: i64, addr: Value) -> Program {
    call("connect", json!({"sockfd": fd, "addr": addr}))
}

pub(crate) fn listen(fd: i64, backlog: i64) -> Program {
    call("listen", json!({"sockfd": fd, "backlog": backlog}))
}

pub(crate) fn accept(fd: i64) -> Program {
    call("accept4", json!({"sockfd": fd, "flags": "0"}))
}

pub(crate) fn shutdown(fd: i64, how: &str) -> Program {
    call("shutdown", json!({"sockfd": fd, "how": how}))
}

/// A port of 127.0.0.1.
pub(crate) fn port(port: u16) -> Value {
    json!({"family": "AF_INET", "addr": "127.0.0.1", "port": port})
}

/// A name of a unix socket.
pub(crate) fn name(path: &str) -> Value {
    json!({"family": "AF_UNIX", "path": path})
}

/// Signals are held back until they are taken.
pub(crate) fn hold(signals: &[&str]) -> Program {
    call("rt_sigprocmask", json!({"how": "SIG_BLOCK", "set": signals}))
}

/// A signal of these that is pending is taken, if there is one.
pub(crate) fn take(signals: &[&str]) -> Program {
    call("rt_sigtimedwait", json!({"set": signals, "timeout": {"sec": 0, "nsec": 0}}))
}

/// Somebody without capabilities and of no other group than 1000.
pub(crate) fn nobody(pid: i64) -> Program {
    let calls = [
        call("setgroups", json!({"groups": []})),
        call("setresgid", json!({"rgid": 1000, "egid": 1000, "sgid": 1000})),
        call("setresuid", json!({"ruid": 1000, "euid": 1000, "suid": 1000})),
    ];
    all([fork(), by(pid, all(calls))])
}
