//! What files tell of themselves as JSON, both ways: stat, statfs, directory entries.

use super::structs::Fields;
use super::text::{put_bytes, take_bytes};
use super::{JsonError, Object, names};
use serde_json::{Value, json};
use tickernel_systems::abi::flags::{
    DIRENT_TYPES, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, major,
    makedev, minor,
};
use tickernel_systems::abi::{Dirent, Stat, Statfs, Timespec};
use tickernel_systems::wire::Bytes;

/// CLI.md's names of the file types.
const TYPES: [(&str, u32); 8] = [
    ("regular", S_IFREG),
    ("dir", S_IFDIR),
    ("fifo", S_IFIFO),
    ("char", S_IFCHR),
    ("block", S_IFBLK),
    ("symlink", S_IFLNK),
    ("socket", S_IFSOCK),
    // An anonymous inode has none.
    ("unknown", 0),
];

/// The name of a file's type by its mode; a number for none of inode(7)'s.
pub fn show_type(mode: u32) -> Value {
    let known = TYPES.iter().find(|known| known.1 == mode & S_IFMT);
    known.map_or_else(|| Value::from(mode & S_IFMT), |known| known.0.into())
}

fn read_type(value: &Value) -> Option<i128> {
    let known = || TYPES.iter().find(|known| Some(known.0) == value.as_str());
    names::plain(value).or_else(|| known().map(|known| known.1.into()))
}

/// A `stat`; with `lossless` the preferred block size and the birth time, too.
pub(super) fn show_stat(stat: &Stat, lossless: bool) -> Value {
    let mut object = Object::new();
    let mut put = |name: &str, value: Value| object.insert(name.into(), value);
    put("type", show_type(stat.mode));
    put("mode", (stat.mode & !S_IFMT).into());
    put("ino", stat.ino.into());
    put("dev", stat.dev.into());
    put("nlink", stat.nlink.into());
    put("uid", stat.uid.into());
    put("gid", stat.gid.into());
    put("size", stat.size.into());
    put("blocks", stat.blocks.into());
    let times = [("atime", stat.atime), ("mtime", stat.mtime), ("ctime", stat.ctime)];
    for (name, time) in times {
        put(name, time.sec.into());
        put(&format!("{name}_ns"), time.nsec.into());
    }
    put("major", major(stat.rdev).into());
    put("minor", minor(stat.rdev).into());
    if lossless {
        put("blksize", stat.blksize.into());
        put("btime", stat.btime.sec.into());
        put("btime_ns", stat.btime.nsec.into());
    }
    Value::Object(object)
}

pub(super) fn read_stat(value: &Value, of: &str) -> Result<Stat, JsonError> {
    let fields = Fields::new(value, of)?;
    let time = |name: &str| {
        let (sec, nsec) = (fields.or_zero(name)?, fields.or_zero(&format!("{name}_ns"))?);
        Ok(Timespec { sec, nsec })
    };
    let kind: u32 = fields.by("type", read_type)?;
    Ok(Stat {
        dev: fields.number("dev")?,
        ino: fields.number("ino")?,
        mode: kind | fields.number::<u32>("mode")?,
        nlink: fields.number("nlink")?,
        uid: fields.number("uid")?,
        gid: fields.number("gid")?,
        rdev: makedev(fields.number("major")?, fields.number("minor")?),
        size: fields.number("size")?,
        blksize: fields.or_zero("blksize")?,
        blocks: fields.number("blocks")?,
        atime: time("atime")?,
        mtime: time("mtime")?,
        ctime: time("ctime")?,
        btime: time("btime")?,
    })
}

pub(super) fn show_statfs(statfs: &Statfs) -> Value {
    json!({
        "type": statfs.kind,
        "bsize": statfs.bsize,
        "blocks": statfs.blocks,
        "bfree": statfs.bfree,
        "bavail": statfs.bavail,
        "files": statfs.files,
        "ffree": statfs.ffree,
        "namelen": statfs.namelen,
        // Kinds that know no fragments say it is the size of a block.
        "frsize": statfs.bsize,
        "flags": statfs.flags,
    })
}

pub(super) fn read_statfs(value: &Value, of: &str) -> Result<Statfs, JsonError> {
    let fields = Fields::new(value, of)?;
    Ok(Statfs {
        kind: fields.number("type")?,
        bsize: fields.number("bsize")?,
        blocks: fields.number("blocks")?,
        bfree: fields.number("bfree")?,
        bavail: fields.number("bavail")?,
        files: fields.number("files")?,
        ffree: fields.number("ffree")?,
        namelen: fields.number("namelen")?,
        flags: fields.number("flags")?,
    })
}

/// A directory's entries; with `lossless` their cookies, too.
pub(super) fn show_entries(entries: &[Dirent], lossless: bool) -> Value {
    let show = |entry: &Dirent| {
        let mut object = Object::new();
        put_bytes(&mut object, "name", &entry.name.0);
        object.insert("ino".into(), entry.ino.into());
        object.insert("type".into(), names::show_choice(entry.kind.into(), DIRENT_TYPES));
        if lossless {
            object.insert("off".into(), entry.off.into());
        }
        Value::Object(object)
    };
    entries.iter().map(show).collect::<Vec<_>>().into()
}

pub(super) fn read_entries(value: &Value, of: &str) -> Result<Vec<Dirent>, JsonError> {
    let read = |item| {
        let fields = Fields::new(item, of)?;
        let name = item.as_object().map(|object| take_bytes(object, "name", of)).transpose()?;
        Ok(Dirent {
            ino: fields.number("ino")?,
            off: fields.or_zero("off")?,
            kind: fields.by("type", |value| names::choice(value, DIRENT_TYPES))?,
            name: Bytes(name.flatten().ok_or_else(|| JsonError::missing("name", of))?),
        })
    };
    let items =
        value.as_array().ok_or_else(|| JsonError(format!("the field \"{of}\" must be a list")))?;
    items.iter().map(read).collect()
}
