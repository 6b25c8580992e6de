//! statx(2): what ext4 and tmpfs tell of mtime and ctime only if one of them is asked for. The
//! stamps themselves are the real clock's, so only whether there are any is compared.

use super::words::*;
use crate::beside::{Program, ours};
use crate::host::Host;
use serde_json::{Value, json};

const MASKS: [(&str, bool); 8] = [
    ("0", false),
    ("STATX_MODE", false),
    ("STATX_BTIME", false),
    ("STATX_ATIME|STATX_SIZE", false),
    ("STATX_MTIME", true),
    ("STATX_CTIME", true),
    ("STATX_BASIC_STATS", true),
    ("STATX_ALL", true),
];

/// What statx(2) with a mask says of a new file, by path and by descriptor, and of a pipe.
fn asked(path: &str, mask: &str) -> Program {
    let statx = |dirfd: Value, path: &str| {
        let flags = if path.is_empty() { "AT_EMPTY_PATH" } else { "0" };
        call("statx", json!({"dirfd": dirfd, "path": path, "flags": flags, "mask": mask}))
    };
    let tmpfs = json!({"source": "none", "target": "/tmp/m", "filesystemtype": "tmpfs",
        "mountflags": 0, "data": ""});
    all([
        call("mkdir", json!({"path": "/tmp/m", "mode": "0755"})),
        call("mount", tmpfs),
        open(path, "O_CREAT|O_RDWR"),
        pipe(),
        statx("AT_FDCWD".into(), path),
        statx(3.into(), ""),
        statx(4.into(), ""),
    ])
}

/// Whether each stat of the last three answers has an mtime and a ctime.
fn told(answers: &[Vec<Value>]) -> Vec<(bool, bool)> {
    let has = |line: &Value, name: &str| line["stat"][name].as_u64().is_some_and(|time| time > 0);
    let last = answers.iter().skip(4).filter_map(|lines| lines.last());
    last.map(|line| (has(line, "mtime"), has(line, "ctime"))).collect()
}

pub(crate) fn play() {
    let mut host = Host::start();
    for (path, (mask, are_there)) in
        ["/tmp/f", "/tmp/m/f"].iter().flat_map(|path| MASKS.map(|mask| (path, mask)))
    {
        let program = asked(path, mask);
        let expected = [(are_there, are_there), (are_there, are_there), (true, true)];
        assert_eq!(told(&ours(&program)), expected, "{path}: {mask}");
        let Some(host) = &mut host else { continue };
        host.ask(r#"{"op":"reset"}"#);
        let answers: Vec<Vec<Value>> =
            program.iter().map(|request| host.ask(&request.to_string())).collect();
        assert_eq!(told(&answers), expected, "Linux: {path}: {mask}");
    }
}
