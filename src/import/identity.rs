//! What the numbers of files tell of the tree that was there (IMPORT.md section 6): two paths of
//! one inode are a symbolic link on the way, or names of one file; a directory on another device
//! than the one above it is a mount point.
//!
//! Collected by `hints.rs` before the first call is run; used by `initial.rs` when a name that was
//! there is made. A path that the session itself makes, moves or removes tells nothing. Not here:
//! mount points that are no directories, bind mounts of a part of a device that is mounted already.

use std::collections::{BTreeMap, BTreeSet};

use tickernel_systems::abi::Stat;
use tickernel_systems::abi::flags::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, makedev};

use super::initial::Shape;
use super::paths::last;
use crate::replay::stat_bits;

/// Most paths that are kept.
const MAX_PATHS: usize = 200_000;
/// Where the root's device shows, if nobody asked for the root itself.
const OF_ROOT: &[&[u8]] = &[b"/usr", b"/etc", b"/lib", b"/bin", b"/var", b"/root", b"/home"];

/// Mount points of every tree.
const GIVEN_MOUNTS: &[&[u8]] = &[b"/dev", b"/proc", b"/dev/pts"];
/// Minor numbers of devices that nothing shows.
const MADE_UP_DEVICES: u64 = 0x4_0000;

/// The device of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Device {
    Number(u64),
    /// That of a directory, whose list showed the file.
    Of(Vec<u8>),
}

/// The first sight of a path.
#[derive(Clone, Debug)]
struct Sight {
    device: Device,
    inode: u64,
    is_directory: bool,
    /// A file that may have several names.
    has_names: bool,
}

/// What is collected.
#[derive(Debug, Default)]
pub struct Sights {
    seen: BTreeMap<Vec<u8>, Sight>,
    /// Paths whose last name is no symbolic link.
    real: BTreeSet<Vec<u8>>,
    /// Names that the session made or took away.
    changed: BTreeSet<Vec<u8>>,
    /// Calls that tell of mounts by how they failed.
    borders: Vec<Border>,
}

/// What a call that failed tells of mounts.
#[derive(Debug)]
pub enum Border {
    /// EXDEV: two names are on different ones.
    Between(Vec<u8>, Vec<u8>),
    /// EBUSY: one begins here.
    At(Vec<u8>),
    /// EROFS: what is here cannot be written to.
    ReadOnly(Vec<u8>),
}

/// What comes of it.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    /// Mount points, and the device on each.
    pub mounts: BTreeMap<Vec<u8>, u64>,
    /// Those of them that nobody can write to.
    pub read_only: BTreeSet<Vec<u8>>,
    /// Names of files that have several: those of one file have one number.
    pub names: BTreeMap<Vec<u8>, usize>,
    /// The directory for what has no known name (`hidden.rs`).
    pub hidden: Vec<u8>,
    /// Symbolic links.
    pub links: Vec<(Vec<u8>, Vec<u8>)>,
    /// Paths by device and inode.
    paths: BTreeMap<(u64, u64), Vec<u8>>,
}

impl Sights {
    /// A stat of a path; `own` = it is of the name itself, not of what a link there leads to.
    pub fn stat(&mut self, path: &[u8], stat: &Stat, members: u32, own: bool) {
        let wanted = stat_bits::DEV | stat_bits::INO | stat_bits::MODE;
        let kind = stat.mode & S_IFMT;
        if kind == S_IFLNK || path.starts_with(b"/proc/") {
            return;
        }
        if own {
            self.real(path);
        }
        if members & wanted != wanted || self.seen.len() > MAX_PATHS {
            return;
        }
        let has_names = kind == S_IFREG && (members & stat_bits::NLINK == 0 || stat.nlink > 1);
        let (device, inode) = (Device::Number(stat.dev), stat.ino);
        let sight = Sight { device, inode, is_directory: kind == S_IFDIR, has_names };
        match self.seen.get(path) {
            Some(Sight { device: Device::Number(_), .. }) => {}
            _ => {
                self.seen.insert(path.to_vec(), sight);
            }
        }
    }

    /// An entry of a directory's list.
    pub fn listed(&mut self, directory: &[u8], path: &[u8], inode: u64, shape: &Shape) {
        if matches!(shape, Shape::Link(_)) || directory.starts_with(b"/proc") {
            return;
        }
        self.real(path);
        // What a list says of a directory is not what is mounted there.
        if *shape == Shape::File && self.seen.len() <= MAX_PATHS && !self.seen.contains_key(path) {
            let device = Device::Of(directory.to_vec());
            let sight = Sight { device, inode, is_directory: false, has_names: true };
            self.seen.insert(path.to_vec(), sight);
        }
    }

    /// The path goes over no symbolic link.
    pub fn real(&mut self, path: &[u8]) {
        if self.real.len() <= MAX_PATHS {
            self.real.insert(path.to_vec());
        }
    }

    /// The session made or took away a name.
    pub fn changed(&mut self, path: Vec<u8>) {
        self.changed.insert(path);
    }

    /// A call failed at a border of mounts.
    pub fn border(&mut self, border: Border) {
        if self.borders.len() < MAX_PATHS {
            self.borders.push(border);
        }
    }

    /// The names that the session made or took away.
    pub fn changes(&self) -> &BTreeSet<Vec<u8>> {
        &self.changed
    }

    pub fn is_changed(&self, path: &[u8]) -> bool {
        above(path).any(|path| self.changed.contains(path)) || self.changed.contains(path)
    }

    /// What the sights tell; `shapes` = what is known of paths beside.
    pub fn conclude(&self, shapes: &BTreeMap<Vec<u8>, Shape>) -> Identities {
        let mut found = Identities::default();
        let links = shapes.iter().filter_map(|(path, shape)| match shape {
            Shape::Link(target) if !target.is_empty() => Some((path.clone(), target.clone())),
            _ => None,
        });
        let mut links: BTreeMap<Vec<u8>, Vec<u8>> = links.collect();
        let mut same: BTreeMap<(Device, u64), Vec<&[u8]>> = BTreeMap::new();
        for (path, sight) in self.seen.iter().filter(|(path, _)| !self.is_changed(path)) {
            let device = match &sight.device {
                Device::Of(directory) => match self.seen.get(directory) {
                    Some(Sight { device: number @ Device::Number(_), .. }) => number.clone(),
                    _ => sight.device.clone(),
                },
                number @ Device::Number(_) => number.clone(),
            };
            if let (Device::Number(device), false) = (&device, sight.is_directory) {
                found.paths.entry((*device, sight.inode)).or_insert(path.clone());
            }
            same.entry((device, sight.inode)).or_default().push(path);
        }
        for (number, paths) in same.values().filter(|paths| paths.len() > 1).enumerate() {
            self.one_file(number, paths, &mut links, &mut found);
        }
        self.find_mounts(&links, &mut found);
        for border in &self.borders {
            found.see(border, &self.changed);
        }
        found
    }

    /// Paths that lead to one inode.
    fn one_file(
        &self,
        number: usize,
        paths: &[&[u8]],
        links: &mut BTreeMap<Vec<u8>, Vec<u8>>,
        found: &mut Identities,
    ) {
        // The shortest that is known to be no link, or else the first.
        let is_real = |path: &&&[u8]| self.real.contains(**path) && is_direct(path, links);
        let Some(&first) = paths.iter().find(is_real).or(paths.first()) else { return };
        for &other in paths.iter().filter(|other| **other != first) {
            if !is_direct(first, links) || !is_direct(other, links) {
                continue;
            }
            if let Some((link, target)) = merged(first, other).or_else(|| merged(other, first))
                && !self.real.contains(&link)
            {
                links.insert(link.clone(), target.clone());
                found.links.push((link, target));
                continue;
            }
            let both_real = self.real.contains(first) && self.real.contains(other);
            let sight = self.seen.get(first);
            if both_real || sight.is_some_and(|sight| sight.has_names) {
                if sight.is_some_and(|sight| !sight.is_directory) {
                    found.names.insert(first.to_vec(), number);
                    found.names.insert(other.to_vec(), number);
                }
                continue;
            }
            let (mut target, mut link) = (first, other);
            if self.real.contains(link) {
                (target, link) = (link, target);
            }
            while let (Some(up), Some(down)) = (parent(target), parent(link)) {
                if last(target) != last(link) || !self.is_one(up, down) {
                    break;
                }
                (target, link) = (up, down);
            }
            let inside = above(link).any(|path| path == target) || above(target).any(|p| p == link);
            if !inside && !self.real.contains(link) {
                links.insert(link.to_vec(), target.to_vec());
                found.links.push((link.to_vec(), target.to_vec()));
            }
        }
    }

    fn is_one(&self, one: &[u8], other: &[u8]) -> bool {
        match (self.seen.get(one), self.seen.get(other)) {
            (Some(one), Some(other)) => (&one.device, one.inode) == (&other.device, other.inode),
            _ => false,
        }
    }

    fn find_mounts(&self, links: &BTreeMap<Vec<u8>, Vec<u8>>, found: &mut Identities) {
        let number = |sight: &Sight| match sight.device {
            Device::Number(number) => Some(number),
            Device::Of(_) => None,
        };
        let known = |path: &[u8]| self.seen.get(path).and_then(number);
        let of_root = |path: &&Vec<u8>| OF_ROOT.iter().any(|top| path.starts_with(top));
        let first = self.seen.iter().find(|(path, sight)| of_root(path) && number(sight).is_some());
        let Some(root) = known(b"/").or_else(|| first.and_then(|(_, sight)| number(sight))) else {
            return;
        };
        // Shorter paths come before those below them.
        for (path, sight) in &self.seen {
            let Some(device) = number(sight).filter(|_| is_direct(path, links)) else { continue };
            if path.len() < 2 || self.is_changed(path) {
                continue;
            }
            let mut upper =
                above(path).skip_while(|up| known(up).is_none() && !found.mounts.contains_key(*up));
            let up = upper.next().unwrap_or_default();
            let over = found.mounts.get(up).copied().or_else(|| known(up)).unwrap_or(root);
            // The topmost of what is not known, or the path itself.
            let rest = path.get(up.len() + 1..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == b'/');
            let top = match end {
                Some(end) => path.get(..up.len() + 1 + end).unwrap_or_default(),
                None => path,
            };
            let is_directory = end.is_some() || sight.is_directory;
            let is_given = matches!(top, b"/dev" | b"/proc" | b"/dev/pts");
            let is_new = device != root && !found.mounts.values().any(|there| *there == device);
            if device != over && is_directory && !is_given && is_new {
                found.mounts.insert(top.to_vec(), device);
            }
        }
    }
}

impl Identities {
    /// A border of mounts. Where it is, if nothing else shows it: as far down as can be.
    fn see(&mut self, border: &Border, changed: &BTreeSet<Vec<u8>>) {
        match border {
            Border::At(path) => self.mount_at(path),
            Border::Between(one, other) if self.mount_of(one) == self.mount_of(other) => {
                // The directory of the one that does not hold the other.
                let mut above = [other, one].into_iter().filter_map(|path| parent(path));
                let holds = |top: &[u8]| [one, other].iter().all(|path| is_below(path, top));
                if let Some(top) = above.find(|top| !holds(top)) {
                    self.mount_at(top);
                }
            }
            Border::Between(..) => {}
            Border::ReadOnly(path) => {
                // One in which the session made names is not the one.
                let is_written = |top: &[u8]| {
                    let mut below = changed.range(top.to_vec()..);
                    below.next().is_some_and(|path| is_below(path, top))
                };
                if self.mount_of(path).is_none_or(is_written) {
                    self.mount_at(parent(path).unwrap_or_default());
                }
                if let Some(top) = self.mount_of(path).map(<[u8]>::to_vec) {
                    self.read_only.insert(top);
                }
            }
        }
    }

    /// The mount point that a path is below.
    fn mount_of<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        above(path).find(|up| self.mounts.contains_key(*up) || GIVEN_MOUNTS.contains(up))
    }

    fn mount_at(&mut self, path: &[u8]) {
        if path.len() > 1 && !GIVEN_MOUNTS.contains(&path) {
            let number = MADE_UP_DEVICES + self.mounts.len() as u64;
            self.mounts.entry(path.to_vec()).or_insert(makedev(0, number as u32));
        }
    }

    /// The path of a file that is no directory, by device and inode.
    pub fn path(&self, name: (u64, u64)) -> Option<&[u8]> {
        self.paths.get(&name).map(Vec::as_slice)
    }
}

/// Whether an absolute path is below a directory.
fn is_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// The directories above an absolute path, the nearest first; the root is the empty path.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(parent(path), |path| parent(path))
}

fn parent(path: &[u8]) -> Option<&[u8]> {
    path.get(..path.iter().rposition(|byte| *byte == b'/')?)
}

/// Whether no link is known on the way.
fn is_direct(path: &[u8], links: &BTreeMap<Vec<u8>, Vec<u8>>) -> bool {
    !links.contains_key(path) && !above(path).any(|path| links.contains_key(path))
}

/// `/lib/x` beside `/usr/lib/x`: the first name is a link below /usr (hier(7)).
fn merged(short: &[u8], long: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let below = long.strip_prefix(b"/usr")?;
    if below != short {
        return None;
    }
    let end = short.iter().skip(1).position(|byte| *byte == b'/').map_or(short.len(), |at| at + 1);
    let link = short.get(..end)?.to_vec();
    Some((link.clone(), [b"usr".as_slice(), &link].concat()))
}
