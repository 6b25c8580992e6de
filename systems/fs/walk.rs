//! The path walk of path_resolution(7): one look-up a component, symbolic links by a list of what
//! is left to do and not by recursion.
//!
//! Owns where each error of a path comes from, in Linux's order. What is done with the last
//! component is the operations' business: [`Fs::walk_parent`] stops before it. What openat2(2)
//! forbids a walk stands in the [`Caller`].

use super::procfs::{self, ProcTarget};
use super::volume::mount_flags::MOUNT_NOSYMFOLLOW;
use super::{Caller, EntryId, Fs, InodeId, Kind, MountId, Name, Node, Place, Plain, ProcNode};
use crate::abi::Errno;
use crate::abi::flags::{
    RESOLVE_BENEATH, RESOLVE_CACHED, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV, S_IFDIR, S_IFLNK, S_IFMT, S_ISVTX,
};
use alloc::borrow::Cow;
use core::ops::Range;
use smallvec::SmallVec;

/// Longest path in bytes, with its NUL (`PATH_MAX`).
pub const PATH_MAX: usize = 4096;
/// Longest name in bytes (`NAME_MAX`).
pub const NAME_MAX: usize = 255;
/// Most symbolic links followed in one walk.
const MAX_LINKS: u32 = 40;

/// What the last component of a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// A name.
    Name,
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// There is none: the path is the root.
    Root,
}

/// The symbolic links that a walk followed.
pub type Followed = SmallVec<[InodeId; 1]>;

/// A walk that failed. What it touched on its way it has touched all the same.
#[derive(Clone, Debug)]
pub struct Lost {
    /// Why.
    pub errno: Errno,
    /// The symbolic links that were followed, for [`Fs::touch_links`].
    pub followed: Followed,
    /// The mount that it stood on in the end, for [`Fs::stay`].
    pub mount: Option<MountId>,
}

impl Lost {
    /// `ENOENT` of the last name, without a link on the way.
    pub(super) fn missing(mount: MountId) -> Self {
        Self { errno: Errno::ENOENT, followed: Followed::new(), mount: Some(mount) }
    }
}

impl From<Errno> for Lost {
    /// It failed before its first step.
    fn from(errno: Errno) -> Self {
        Self { errno, followed: Followed::new(), mount: None }
    }
}

impl From<Lost> for Errno {
    fn from(lost: Lost) -> Self {
        lost.errno
    }
}

/// Where a walk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A place in the tree.
    Place(Place),
    /// What a magic link of /proc (`/proc/PID/fd/N`) names and that has no place: a pipe, a socket.
    /// The caller knows the object.
    Object(ProcNode),
}

/// The end of a path that was followed.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it ends.
    pub target: Target,
    /// The symbolic links that were followed, for [`Fs::touch_links`].
    pub followed: Followed,
}

/// A path up to its last component.
#[derive(Clone, Debug)]
pub struct Walked {
    /// The directory of the last component.
    pub parent: Place,
    /// The last component, empty unless it is a [`Last::Name`].
    pub name: Name,
    /// What it is.
    pub last: Last,
    /// Whether slashes follow it.
    pub trailing_slash: bool,
    /// What it names now, neither mounts on it crossed nor a link followed. An error of the look-up
    /// (`ENAMETOOLONG`; below /proc `ENOENT`) is reported when the call comes to it.
    pub place: Result<Option<Place>, Errno>,
    /// The symbolic links that were followed, for [`Fs::touch_links`].
    pub followed: Followed,
}

/// A path or the target of a link, and how far it is done.
struct Rest<'f> {
    text: Cow<'f, [u8]>,
    at: usize,
}

impl Rest<'_> {
    fn skip_slashes(&mut self) {
        while self.text.get(self.at) == Some(&b'/') {
            self.at += 1;
        }
    }

    fn is_done(&self) -> bool {
        self.at >= self.text.len()
    }

    /// The component from here, and the slashes behind it skipped.
    fn component(&mut self) -> Range<usize> {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let start = self.at;
        self.at += length;
        start..self.at
    }
}

/// What one component led to.
enum Step<'f> {
    Moved(Target),
    Link(Cow<'f, [u8]>),
}

/// A walk under way.
pub(super) struct Walk<'f> {
    fs: &'f Fs,
    caller: &'f Caller<'f>,
    pub(super) at: Place,
    /// Above it `..` does not lead, and absolute links begin there.
    top: Place,
    /// Whether the walk has come by the root's mount: Linux looks for it when it first needs it,
    /// and RESOLVE_NO_XDEV takes one that it does not know yet for another.
    knows_top: bool,
    /// The path (or the trailing link that took its place) and the links inside it.
    rests: SmallVec<[Rest<'f>; 2]>,
    pub(super) name: Name,
    pub(super) last: Last,
    pub(super) trailing_slash: bool,
    pub(super) followed: Followed,
    links: u32,
}

impl<'f> Walk<'f> {
    /// Starts at the root, at `from` (a directory descriptor's place) or at the working directory.
    ///
    /// # Errors
    /// `ENAMETOOLONG`, `ENOENT` for the empty path, `ENOTDIR` if `from` is no directory.
    pub(super) fn start(
        fs: &'f Fs,
        caller: &'f Caller<'f>,
        from: Option<Place>,
        path: &'f [u8],
    ) -> Result<Self, Errno> {
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let first = *path.first().ok_or(Errno::ENOENT)?;
        let absolute = first == b'/' && caller.resolve & RESOLVE_IN_ROOT == 0;
        if absolute && caller.resolve & RESOLVE_BENEATH != 0 {
            return Err(Errno::EXDEV);
        }
        let at = if absolute { caller.root } else { from.unwrap_or(caller.cwd) };
        let scoped = caller.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) != 0;
        let mut walk = Self {
            fs,
            caller,
            at,
            top: if scoped { at } else { caller.root },
            knows_top: scoped || absolute,
            rests: SmallVec::new(),
            name: Name::new(),
            last: Last::Root,
            trailing_slash: false,
            followed: Followed::new(),
            links: 0,
        };
        if !absolute && !walk.in_directory() {
            return Err(Errno::ENOTDIR);
        }
        walk.rests.push(Rest { text: Cow::Borrowed(path), at: 0 });
        Ok(walk)
    }

    fn in_directory(&self) -> bool {
        self.fs.is_directory(self.at)
    }

    /// Goes to the directory of the last component, which it names in `name` and `last`.
    pub(super) fn reach_last(&mut self) -> Result<(), Errno> {
        (self.last, self.trailing_slash) = (Last::Root, false);
        self.name.clear();
        if let Some(rest) = self.rests.last_mut() {
            rest.skip_slashes();
        }
        while let Some(rest) = self.rests.last_mut() {
            if rest.is_done() {
                return Ok(());
            }
            self.fs.may_search(self.caller, self.at)?;
            let component = rest.component();
            let slash = !rest.is_done();
            rest.skip_slashes();
            let (done, name) = (rest.is_done(), &rest.text[component]);
            self.last = match name {
                b"." => Last::Dot,
                b".." => Last::DotDot,
                _ => Last::Name,
            };
            if !done
                && self.last == Last::Name
                && let Some(node) = self.fs.subdirectory(self.at, name)
            {
                self.at.node = node;
                continue;
            }
            self.name = Name::from_slice(name);
            if done && self.rests.len() == 1 {
                self.trailing_slash = slash;
                return Ok(());
            }
            if done {
                self.rests.pop();
            }
            match self.step(true)? {
                Step::Link(text) => self.enter_link(text)?,
                Step::Moved(Target::Place(place)) => {
                    self.at = place;
                    if !self.in_directory() {
                        return Err(Errno::ENOTDIR);
                    }
                }
                Step::Moved(Target::Object(_)) => return Err(Errno::ENOTDIR),
            }
        }
        Ok(())
    }

    /// Puts the target of a link in front of what is left.
    fn enter_link(&mut self, text: Cow<'f, [u8]>) -> Result<(), Errno> {
        if text.first() == Some(&b'/') {
            if self.forbids(RESOLVE_BENEATH) {
                return Err(Errno::EXDEV);
            }
            if !core::mem::replace(&mut self.knows_top, true) && self.forbids(RESOLVE_NO_XDEV) {
                return Err(Errno::EXDEV);
            }
            self.at = self.crossed(self.top)?;
        }
        let mut rest = Rest { text, at: 0 };
        rest.skip_slashes();
        if !rest.is_done() || self.rests.is_empty() {
            self.rests.push(rest);
        }
        Ok(())
    }

    fn forbids(&self, resolve: u32) -> bool {
        self.caller.resolve & resolve != 0
    }

    /// The place, unless it is on another mount and none is to be crossed.
    fn crossed(&self, to: Place) -> Result<Place, Errno> {
        let stays = to.mount == self.at.mount || !self.forbids(RESOLVE_NO_XDEV);
        if stays { Ok(to) } else { Err(Errno::EXDEV) }
    }

    /// All the way; a symbolic link at the end is followed too if `follow`, or if a slash is behind
    /// it.
    fn arrive(&mut self, follow: bool) -> Result<Target, Errno> {
        let mut directory = false;
        let target = loop {
            self.reach_last()?;
            directory |= self.trailing_slash;
            if let Some(target) = self.take_last(follow || directory)? {
                break target;
            }
        };
        let is_directory = match target {
            Target::Place(place) => self.fs.is_directory(place),
            Target::Object(_) => false,
        };
        if directory && !is_directory { Err(Errno::ENOTDIR) } else { Ok(target) }
    }

    /// What a walk that fails here leaves behind.
    pub(super) fn lost(&mut self, errno: Errno) -> Lost {
        let followed = core::mem::take(&mut self.followed);
        Lost { errno, followed, mount: Some(self.at.mount) }
    }

    /// Takes the last component itself: `None` if it was a link, and the walk goes on in its
    /// target.
    pub(super) fn take_last(&mut self, follow: bool) -> Result<Option<Target>, Errno> {
        match self.step(follow)? {
            Step::Moved(target) => Ok(Some(target)),
            Step::Link(text) => {
                self.rests.clear();
                self.enter_link(text)?;
                Ok(None)
            }
        }
    }

    /// What the component in `name` leads to from here.
    fn step(&mut self, follow: bool) -> Result<Step<'f>, Errno> {
        match self.last {
            Last::Dot | Last::Root => Ok(Step::Moved(Target::Place(self.at))),
            Last::DotDot => {
                self.knows_top = true;
                if self.at == self.top && self.forbids(RESOLVE_BENEATH) {
                    return Err(Errno::EXDEV);
                }
                let above = self.crossed(self.fs.above(self.top, self.at))?;
                Ok(Step::Moved(Target::Place(above)))
            }
            Last::Name => {
                let child = self.look_up()?.ok_or(Errno::ENOENT)?;
                let child = self.crossed(self.fs.top_mount(child))?;
                if follow { self.follow(child) } else { Ok(Step::Moved(Target::Place(child))) }
            }
        }
    }

    /// The node with the name of the last component, before mounts and links.
    pub(super) fn look_up(&self) -> Result<Option<Place>, Errno> {
        let mount = self.at.mount;
        let node = match self.at.node {
            Node::Entry(entry) => self.fs.child(entry, &self.name).map(Node::Entry),
            // proc(5) does not mind how long a name is: there is none such.
            Node::Proc(node) => {
                Some(Node::Proc(procfs::look_up(self.caller.proc, node, &self.name)?))
            }
        };
        match node {
            Some(node) => Ok(Some(Place { mount, node })),
            None if self.fs.is_dead(self.at) => Err(Errno::ENOENT),
            None if self.name.len() > NAME_MAX => Err(Errno::ENAMETOOLONG),
            None => Ok(None),
        }
    }

    /// Follows a link; anything else is where the walk moves.
    fn follow(&mut self, child: Place) -> Result<Step<'f>, Errno> {
        let fs = self.fs;
        let stay = Ok(Step::Moved(Target::Place(child)));
        match child.node {
            Node::Entry(entry) => {
                let inode = fs.entry(entry).inode;
                let Kind::Symlink(target) = &fs.inodes.at(inode.0).kind else { return stay };
                self.count_link()?;
                self.may_follow(child)?;
                if self.forbids(RESOLVE_NO_SYMLINKS) || fs.mount_is(child, MOUNT_NOSYMFOLLOW) {
                    return Err(Errno::ELOOP);
                }
                // The link would have to be stamped, which needs more than the cache.
                if self.forbids(RESOLVE_CACHED) && fs.access_is_due(inode) {
                    return Err(Errno::EAGAIN);
                }
                self.followed.push(inode);
                Ok(Step::Link(Cow::Borrowed(target)))
            }
            Node::Proc(node) if !procfs::is_link(node) => stay,
            Node::Proc(node) => {
                self.count_link()?;
                if self.forbids(RESOLVE_NO_SYMLINKS) || fs.mount_is(child, MOUNT_NOSYMFOLLOW) {
                    return Err(Errno::ELOOP);
                }
                if self.forbids(RESOLVE_CACHED) {
                    return Err(Errno::EAGAIN);
                }
                match procfs::follow(self.caller.proc, node)? {
                    ProcTarget::Text(text) => Ok(Step::Link(Cow::Owned(text))),
                    ProcTarget::Place(place) => {
                        self.may_jump(Some(place))?;
                        Ok(Step::Moved(Target::Place(place)))
                    }
                    ProcTarget::Object(_) => {
                        self.may_jump(None)?;
                        Ok(Step::Moved(Target::Object(node)))
                    }
                }
            }
        }
    }

    /// Whether a magic link may lead there; `None` is on a mount that no path leads to.
    fn may_jump(&self, to: Option<Place>) -> Result<(), Errno> {
        if self.forbids(RESOLVE_NO_MAGICLINKS) {
            return Err(Errno::ELOOP);
        }
        let stays = to.is_some_and(|to| to.mount == self.at.mount);
        if self.forbids(RESOLVE_NO_XDEV) && !stays
            || self.forbids(RESOLVE_BENEATH | RESOLVE_IN_ROOT)
        {
            return Err(Errno::EXDEV);
        }
        Ok(())
    }

    fn count_link(&mut self) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS { Err(Errno::ELOOP) } else { Ok(()) }
    }

    /// `protected_symlinks` of proc_sys_fs(5): for the last component, in a sticky directory that
    /// anyone can write to, only the link's owner or the directory's is followed.
    fn may_follow(&self, link: Place) -> Result<(), Errno> {
        let inside = self.rests.last().is_some_and(|rest| !rest.is_done()) || self.rests.len() > 1;
        if !self.fs.protected.symlinks || inside {
            return Ok(());
        }
        let above = self.fs.attributes(self.caller, self.at);
        let owner = self.fs.attributes(self.caller, link).uid;
        let open = above.mode & (S_ISVTX | 0o002) == S_ISVTX | 0o002;
        if open && owner != self.caller.cred.fsuid && owner != above.uid {
            return Err(Errno::EACCES);
        }
        Ok(())
    }
}

impl Fs {
    /// Whether there is a directory at this place.
    pub fn is_directory(&self, place: Place) -> bool {
        match place.node {
            Node::Entry(entry) => {
                matches!(self.inodes.at(self.entry(entry).inode.0).kind, Kind::Directory(_))
            }
            Node::Proc(node) => procfs::type_bits(node) == S_IFDIR,
        }
    }

    /// The directory with this name in a directory, if it is one that nothing is mounted on: the
    /// common step of a walk.
    fn subdirectory(&self, at: Place, name: &[u8]) -> Option<Node> {
        let Node::Entry(above) = at.node else { return None };
        let id = self.child(above, name)?;
        let entry = self.entry(id);
        let plain =
            entry.mounts == 0 && matches!(self.inodes.at(entry.inode.0).kind, Kind::Directory(_));
        plain.then_some(Node::Entry(id))
    }

    /// Whether there is a symbolic link at this place.
    pub fn is_symlink(&self, caller: &Caller<'_>, place: Place) -> bool {
        self.attributes(caller, place).mode & S_IFMT == S_IFLNK
    }

    /// The top of whatever is mounted on a place, or the place itself.
    pub(super) fn top_mount(&self, mut place: Place) -> Place {
        loop {
            match place.node {
                Node::Entry(entry) if self.entry(entry).mounts == 0 => return place,
                Node::Entry(_) | Node::Proc(_) => {}
            }
            match self.mounted.get(&place) {
                None => return place,
                Some(mount) => {
                    place = Place { mount: *mount, node: self.mounts.at(mount.0).root };
                }
            }
        }
    }

    /// `..`: never above `root`, out of mounts and into them.
    fn above(&self, root: Place, mut place: Place) -> Place {
        loop {
            if place == root {
                return place;
            }
            let mount = self.mounts.at(place.mount.0);
            if place.node != mount.root {
                break;
            }
            match mount.at {
                None => return place,
                Some(at) => place = at,
            }
        }
        self.top_mount(Place { mount: place.mount, node: self.parent_node(place.node) })
    }

    /// The directory that a node stands in, on its own volume.
    pub(super) fn parent_node(&self, node: Node) -> Node {
        match node {
            Node::Entry(entry) => Node::Entry(self.entry(entry).parent),
            Node::Proc(node) => Node::Proc(procfs::parent(node)),
        }
    }

    /// Follows a path to its end, a symbolic link at the end too if `follow`. `from` is the place
    /// of a directory descriptor, `None` the working directory.
    ///
    /// # Errors
    /// Those of path_resolution(7): `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`.
    pub fn walk(
        &self,
        caller: &Caller<'_>,
        from: Option<Place>,
        path: &[u8],
        follow: bool,
    ) -> Result<Found, Lost> {
        match self.plain_walk(caller, from, path, follow) {
            Some(Plain::Place(place)) => {
                return Ok(Found { target: Target::Place(place), followed: Followed::new() });
            }
            Some(Plain::Missing(mount)) => return Err(Lost::missing(mount)),
            None => {}
        }
        let mut walk = Walk::start(self, caller, from, path)?;
        match walk.arrive(follow) {
            Ok(target) => Ok(Found { target, followed: walk.followed }),
            Err(errno) => Err(walk.lost(errno)),
        }
    }

    /// Follows a path up to its last component and looks that up without following it.
    ///
    /// # Errors
    /// Those of path_resolution(7) for all but the last component.
    pub fn walk_parent(
        &self,
        caller: &Caller<'_>,
        from: Option<Place>,
        path: &[u8],
    ) -> Result<Walked, Lost> {
        if let Some(end) = self.plain_end(caller, from, path) {
            let mount = end.directory.mount;
            return Ok(Walked {
                parent: end.directory,
                name: Name::from_slice(end.name),
                last: Last::Name,
                trailing_slash: false,
                place: Ok(end.entry.map(|id| Place { mount, node: Node::Entry(id) })),
                followed: Followed::new(),
            });
        }
        let mut walk = Walk::start(self, caller, from, path)?;
        if let Err(errno) = walk.reach_last() {
            return Err(walk.lost(errno));
        }
        let place = match walk.last {
            Last::Name => walk.look_up(),
            Last::Dot | Last::DotDot | Last::Root => Ok(None),
        };
        let Walk { at: parent, name, last, trailing_slash, followed, .. } = walk;
        Ok(Walked { parent, name, last, trailing_slash, place, followed })
    }

    /// The place of a listed entry of a directory, mounts on it crossed.
    pub(super) fn place_in(&self, directory: Place, entry: EntryId) -> Place {
        self.top_mount(Place { mount: directory.mount, node: Node::Entry(entry) })
    }
}
