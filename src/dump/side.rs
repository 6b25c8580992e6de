//! The side file of a dump, `NAME.meta.json` (traces/record.py writes them for real recordings):
//! what strace never prints of the first state. Without it an import infers what it can.
//!
//! Asks the kernel by system calls of the first speaker, so the kernel given is one to spend. Not
//! in it: other processes of the first state, signals held back or ignored, effective ids that
//! differ from the real ones, devices, names that are no UTF-8, contents beyond 16 MiB in all.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tickernel_systems::Kernel;
use tickernel_systems::abi::flags::{OPEN_FLAGS, RESOURCES};
use tickernel_systems::event::{Answer, Call, Outcome, Payload};
use tickernel_systems::fs::{Kind, Place};

use super::values::names_of_bits;

/// Most bytes of files in a side file.
const MAX_BYTES: u64 = 16 << 20;
/// Descriptors that are looked at.
const MAX_FD: i32 = 1024;

/// The side file's object for the state before the first event, as `root` has it.
pub fn side_file(mut kernel: Kernel, root: u32) -> Value {
    let start = kernel.now_ns() as f64 / 1e9;
    let pre = tree(&kernel);
    let mut side = Map::new();
    side.insert("root_pid".into(), root.into());
    side.insert("start".into(), start.into());
    if let Some(place) = kernel.cwd_of(root)
        && let Ok(cwd) = String::from_utf8(kernel.path_of(root, place))
    {
        side.insert("cwd".into(), cwd.into());
    }
    if let Some(umask) = kernel.umask_of(root) {
        side.insert("umask".into(), format!("{umask:o}").into());
    }
    let mut ask = |name: &str, call: Call<'_>| {
        if let Outcome::Done(Answer { value, .. }) = kernel.call(root, call) {
            side.insert(name.to_owned(), value.into());
        }
    };
    ask("uid", Call::Getuid {});
    ask("gid", Call::Getgid {});
    ask("ppid", Call::Getppid {});
    ask("pgid", Call::Getpgrp {});
    ask("sid", Call::Getsid { target: 0 });
    if let Outcome::Done(Answer { payload: Payload::Groups(groups), .. }) =
        kernel.call(root, Call::Getgroups { size: 65536 })
    {
        side.insert("groups".into(), groups.into());
    }
    side.insert("rlimits".into(), limits(&mut kernel, root).into());
    side.insert("initial_fds".into(), descriptors(&kernel, root).into());
    let terminals = (0..MAX_FD).filter_map(|fd| kernel.fd_view(root, fd)?.terminal);
    if let Some(size) = terminals.map(|terminal| terminal.winsize).next() {
        side.insert("winsize".into(), json!([size.row, size.col]));
    }
    side.insert("pre".into(), pre.into());
    side.into()
}

/// Soft and hard limits by name; -1 is none.
fn limits(kernel: &mut Kernel, root: u32) -> Map<String, Value> {
    let mut limits = Map::new();
    for (name, resource) in RESOURCES {
        let call = Call::Getrlimit { resource: *resource as u32 };
        if let Outcome::Done(Answer { payload: Payload::Limit(limit), .. }) =
            kernel.call(root, call)
        {
            let one = |value: u64| i64::try_from(value).unwrap_or(-1);
            limits.insert((*name).to_owned(), json!([one(limit.cur), one(limit.max)]));
        }
    }
    limits
}

fn descriptors(kernel: &Kernel, root: u32) -> Map<String, Value> {
    let mut fds = Map::new();
    let mut first: BTreeMap<u64, i32> = BTreeMap::new();
    for fd in 0..MAX_FD {
        let Some(view) = kernel.fd_view(root, fd) else { continue };
        let path = match (view.place, view.pipe) {
            (Some(place), _) => {
                let path = kernel.path_of(root, place);
                String::from_utf8_lossy(&path).into_owned()
            }
            (None, Some(pipe)) => format!("pipe:[{}]", pipe.id),
            (None, None) => continue,
        };
        let flags = names_of_bits(u64::from(view.flags), OPEN_FLAGS.iter().copied());
        let mut row = json!({"path": path, "flags": flags, "offset": view.offset});
        match first.get(&view.id) {
            Some(same) => row["same"] = (*same).into(),
            None => drop(first.insert(view.id, fd)),
        }
        fds.insert(fd.to_string(), row);
    }
    fds
}

/// Every file below the top; what is mounted in between is the kernel's own.
fn tree(kernel: &Kernel) -> Vec<Value> {
    let fs = kernel.fs();
    let mut left = MAX_BYTES;
    let row = |(path, place): (Vec<u8>, Place)| {
        let path = String::from_utf8(path).ok()?;
        let inode = fs.inode(place)?;
        if fs.is_directory(place) && fs.at_path(path.as_bytes()) != Ok(place) {
            return None;
        }
        let mut row = json!({
            "path": path,
            "mode": format!("0o{:o}", inode.kind.type_bits() | inode.mode),
            "uid": inode.uid,
            "gid": inode.gid,
            "ino": fs.ino_of(place)?,
            "nlink": inode.nlink,
            "size": fs.size_of(place).unwrap_or(0),
            "mtime_ns": inode.mtime.sec.saturating_mul(1_000_000_000) + inode.mtime.nsec,
        });
        match &inode.kind {
            Kind::Symlink(target) => {
                row["target"] = String::from_utf8_lossy(target).into_owned().into();
            }
            Kind::Regular(pages) if pages.size() <= left => {
                left -= pages.size();
                row["data_b64"] = STANDARD.encode(pages.read(0, pages.size())).into();
            }
            Kind::Regular(_) | Kind::Directory(_) | Kind::Fifo | Kind::Socket => {}
            Kind::CharDevice(_) | Kind::BlockDevice(_) => return None,
        }
        Some(row)
    };
    fs.tree(fs.root()).into_iter().filter_map(row).collect()
}
