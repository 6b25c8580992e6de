//! What /proc tells of processes, beside Linux: paths at their ends, and whose files are whose.

use super::words::*;
use crate::beside::Program;
use serde_json::json;

fn chdir(path: &str) -> Program {
    call("chdir", json!({"path": path}))
}

fn mkdir(path: &str) -> Program {
    call("mkdir", json!({"path": path, "mode": "0755"}))
}

fn readlink(path: &str) -> Program {
    call("readlink", json!({"path": path, "bufsiz": 10_000}))
}

fn getcwd(size: u64) -> Program {
    call("getcwd", json!({"size": size}))
}

/// Goes down to a directory whose path has so many bytes.
fn deep(bytes: usize) -> Program {
    let mut way = vec![chdir("/tmp")];
    let mut left = bytes - "/tmp".len();
    while left > 0 {
        // A name of no byte cannot be the last.
        let step = if left <= 256 { left } else { 256.min(left - 2) };
        let name = "q".repeat(step - 1);
        way.extend([mkdir(&name), chdir(&name)]);
        left -= step;
    }
    all(way)
}

pub(crate) fn scenes() -> Vec<Scene> {
    let told = || all([getcwd(10_000), getcwd(100), readlink("/proc/self/cwd")]);
    let opened = || all([open(".", "O_RDONLY|O_DIRECTORY"), readlink("/proc/self/fd/3")]);
    let gone = |name: &str| {
        all([mkdir(name), chdir(name), call("rmdir", json!({"path": format!("../{name}")}))])
    };
    vec![
        ("the longest path of a working directory", all([deep(4095), told(), opened()])),
        ("a longer one", all([deep(4096), told(), opened(), open("/proc/self/cwd/x", "O_CREAT")])),
        ("a much longer one", all([deep(6000), told(), opened(), chdir(".."), chdir("/"), told()])),
        ("what is told behind it counts", all([deep(4075), gone("123456789"), told()])),
        ("and is too much", all([deep(4076), gone("123456789"), told()])),
    ]
}
