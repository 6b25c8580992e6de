//! A small file system in memory that has only what the trait requires, so that its defaults are
//! seen, and that writes down every call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tickernel::vfs::{
    VfsError, VfsResult, VirtualDirEntry, VirtualFileSystem, VirtualStat, normalize_path,
};

/// The calls, in order.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    /// What was written down since the last time.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Clone)]
enum Node {
    Directory,
    File(Vec<u8>),
    Link(String),
}

#[derive(Clone)]
pub struct Small {
    tag: &'static str,
    log: Log,
    nodes: BTreeMap<String, Node>,
    times: (u64, u64),
}

impl Small {
    /// `/`, `/d/f` ("hi"), `/d/sub`, `/l` to `/d/f`, `/dl` to `/d`, `/gone` to `/none`, `/loop`.
    pub fn new(tag: &'static str, log: &Log) -> Self {
        let nodes = [
            ("/", Node::Directory),
            ("/d", Node::Directory),
            ("/d/f", Node::File(b"hi".to_vec())),
            ("/d/sub", Node::Directory),
            ("/l", Node::Link("/d/f".to_owned())),
            ("/dl", Node::Link("/d".to_owned())),
            ("/gone", Node::Link("/none".to_owned())),
            ("/loop", Node::Link("/loop".to_owned())),
        ];
        let nodes = nodes.into_iter().map(|(path, node)| (path.to_owned(), node)).collect();
        Self { tag, log: log.clone(), nodes, times: (11, 22) }
    }

    fn note(&self, call: String) {
        self.log.add(format!("{}{call}", self.tag));
    }

    fn resolve(&self, path: &str) -> VfsResult<String> {
        let mut real = "/".to_owned();
        let mut rest: Vec<String> =
            normalize_path(path).split('/').rev().map(str::to_owned).collect();
        let mut hops = 0;
        while let Some(name) = rest.pop() {
            if name.is_empty() {
                continue;
            }
            let next = format!("{}/{name}", real.trim_end_matches('/'));
            match self.nodes.get(&next) {
                None if matches!(self.nodes.get(&real), Some(Node::File(_))) => {
                    return Err(VfsError::new("ENOTDIR", format!("not a directory, '{path}'")));
                }
                None => return Err(missing("realpath", path)),
                Some(Node::Link(target)) => {
                    hops += 1;
                    if hops > 40 {
                        return Err(VfsError::new("ELOOP", "too many links"));
                    }
                    real = "/".to_owned();
                    rest.extend(target.split('/').rev().map(str::to_owned));
                }
                Some(Node::Directory | Node::File(_)) => real = next,
            }
        }
        Ok(real)
    }

    fn node(&self, path: &str) -> VfsResult<&Node> {
        self.nodes.get(&self.resolve(path)?).ok_or_else(|| missing("open", path))
    }

    fn describe(&self, node: &Node, ino: u64) -> VirtualStat {
        let (mode, size) = match node {
            Node::Directory => (0o040755, 4096),
            Node::File(bytes) => (0o100644, bytes.len() as u64),
            Node::Link(target) => (0o120777, target.len() as u64),
        };
        VirtualStat {
            mode,
            size,
            blocks: size.div_ceil(512),
            dev: 7,
            rdev: 0,
            is_directory: matches!(node, Node::Directory),
            is_symbolic_link: matches!(node, Node::Link(_)),
            atime_ms: self.times.0,
            atime_nsec: 0,
            mtime_ms: self.times.1,
            mtime_nsec: 0,
            ctime_ms: 0,
            ctime_nsec: 0,
            birthtime_ms: 0,
            ino,
            nlink: 1,
            uid: 0,
            gid: 0,
        }
    }

    fn ino(&self, real: &str) -> u64 {
        self.nodes.keys().position(|path| path == real).map_or(0, |place| place as u64 + 1)
    }
}

fn missing(op: &str, path: &str) -> VfsError {
    VfsError::new("ENOENT", format!("no such file or directory, {op} '{path}'"))
}

impl VirtualFileSystem for Small {
    fn read_file(&mut self, path: &str) -> VfsResult<Vec<u8>> {
        self.note(format!("read_file {path}"));
        match self.node(path)? {
            Node::File(bytes) => Ok(bytes.clone()),
            Node::Directory | Node::Link(_) => Err(VfsError::new("EISDIR", path)),
        }
    }

    fn read_dir(&mut self, path: &str) -> VfsResult<Vec<String>> {
        self.note(format!("read_dir {path}"));
        let real = self.resolve(path)?;
        let prefix = format!("{}/", real.trim_end_matches('/'));
        let names = self.nodes.keys().filter_map(|path| path.strip_prefix(&prefix));
        Ok(names.filter(|n| !n.is_empty() && !n.contains('/')).map(str::to_owned).collect())
    }

    fn read_dir_with_types(&mut self, path: &str) -> VfsResult<Vec<VirtualDirEntry>> {
        let names = self.read_dir(path)?;
        let real = self.resolve(path)?;
        let entry = |name: String| {
            let node = &self.nodes[&normalize_path(&format!("{real}/{name}"))];
            VirtualDirEntry {
                name,
                is_directory: matches!(node, Node::Directory),
                is_symbolic_link: matches!(node, Node::Link(_)),
            }
        };
        Ok(names.into_iter().map(entry).collect())
    }

    fn write_file(&mut self, path: &str, content: impl Into<Vec<u8>>) -> VfsResult<()> {
        self.note(format!("write_file {path}"));
        let real = self.resolve(path).unwrap_or_else(|_| normalize_path(path));
        self.nodes.insert(real, Node::File(content.into()));
        Ok(())
    }

    fn create_dir(&mut self, path: &str) -> VfsResult<()> {
        self.note(format!("create_dir {path}"));
        self.nodes.insert(normalize_path(path), Node::Directory);
        Ok(())
    }

    fn mkdir(&mut self, path: &str, recursive: bool) -> VfsResult<()> {
        self.note(format!("mkdir {path} {recursive}"));
        let path = normalize_path(path);
        for (end, _) in path.match_indices('/').skip(1) {
            self.nodes.insert(path[..end].to_owned(), Node::Directory);
        }
        self.nodes.insert(path, Node::Directory);
        Ok(())
    }

    fn exists(&self, path: &str) -> bool {
        self.note(format!("exists {path}"));
        self.resolve(path).is_ok()
    }

    fn stat(&mut self, path: &str) -> VfsResult<VirtualStat> {
        self.note(format!("stat {path}"));
        let real = self.resolve(path)?;
        Ok(self.describe(self.node(path)?, self.ino(&real)))
    }

    fn remove_file(&mut self, path: &str) -> VfsResult<()> {
        self.note(format!("remove_file {path}"));
        self.nodes.remove(path).map(drop).ok_or_else(|| missing("unlink", path))
    }

    fn remove_dir(&mut self, path: &str) -> VfsResult<()> {
        self.note(format!("remove_dir {path}"));
        self.nodes.remove(path).map(drop).ok_or_else(|| missing("rmdir", path))
    }

    fn rename(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.note(format!("rename {old_path} {new_path}"));
        let node = self.nodes.remove(old_path).ok_or_else(|| missing("rename", old_path))?;
        self.nodes.insert(new_path.to_owned(), node);
        Ok(())
    }

    fn realpath(&self, path: &str) -> VfsResult<String> {
        self.note(format!("realpath {path}"));
        self.resolve(path)
    }

    fn symlink(&mut self, target: &str, link_path: &str) -> VfsResult<()> {
        self.note(format!("symlink {target} {link_path}"));
        self.nodes.insert(normalize_path(link_path), Node::Link(target.to_owned()));
        Ok(())
    }

    fn read_link(&self, path: &str) -> VfsResult<String> {
        self.note(format!("read_link {path}"));
        match self.nodes.get(path) {
            Some(Node::Link(target)) => Ok(target.clone()),
            Some(Node::Directory | Node::File(_)) => Err(VfsError::new("EINVAL", path)),
            None => Err(missing("readlink", path)),
        }
    }

    fn lstat(&self, path: &str) -> VfsResult<VirtualStat> {
        self.note(format!("lstat {path}"));
        let node = self.nodes.get(path).ok_or_else(|| missing("lstat", path))?;
        Ok(self.describe(node, self.ino(path)))
    }

    fn link(&mut self, old_path: &str, new_path: &str) -> VfsResult<()> {
        self.note(format!("link {old_path} {new_path}"));
        let node = self.node(old_path)?.clone();
        self.nodes.insert(new_path.to_owned(), node);
        Ok(())
    }

    fn chmod(&mut self, path: &str, mode: u32) -> VfsResult<()> {
        self.note(format!("chmod {path} {mode:o}"));
        self.node(path).map(drop)
    }

    fn chown(&mut self, path: &str, uid: u32, gid: u32) -> VfsResult<()> {
        self.note(format!("chown {path} {uid} {gid}"));
        self.node(path).map(drop)
    }

    fn utimes(&mut self, path: &str, atime_ms: u64, mtime_ms: u64) -> VfsResult<()> {
        self.note(format!("utimes {path} {atime_ms} {mtime_ms}"));
        self.node(path).map(drop)?;
        self.times = (atime_ms, mtime_ms);
        Ok(())
    }

    fn truncate(&mut self, path: &str, length: u64) -> VfsResult<()> {
        self.note(format!("truncate {path} {length}"));
        self.node(path).map(drop)
    }

    fn pread(&mut self, path: &str, offset: u64, length: usize) -> VfsResult<Vec<u8>> {
        self.note(format!("pread {path} {offset} {length}"));
        let bytes = match self.node(path)? {
            Node::File(bytes) => bytes,
            Node::Directory | Node::Link(_) => return Err(VfsError::new("EISDIR", path)),
        };
        Ok(bytes.iter().skip(offset as usize).take(length).copied().collect())
    }
}
