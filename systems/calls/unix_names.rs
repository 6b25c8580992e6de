//! Names of unix sockets: bind(2), and who is behind an address (unix(7), "Address format").
//!
//! A path's inode outlives its name: who connects by another name of it finds the socket, and who
//! finds an inode without a socket is refused. Not here: names of inet sockets.

use crate::abi::flags::*;
use crate::abi::{Address, Errno};
use crate::calls::path::Spot;
use crate::event::{Answer, Outcome, Refusal};
use crate::fs::MAY_WRITE;
use crate::kernel::{CallResult, Kernel};
use crate::memory;
use crate::procview::caller;
use crate::rows::{SocketRow, TaskRow};
use crate::wire::Bytes;
use alloc::format;

/// Longest `sun_path` with its NUL.
const SUN_PATH_BYTES: usize = 108;
/// Names that nobody chose have five digits of this base (unix(7), "Autobind feature").
const AUTO_NAMES: u32 = 1 << 20;

impl Kernel {
    /// bind(2) of a unix socket.
    pub(super) fn bind_unix(
        &mut self,
        task: TaskRow,
        socket: SocketRow,
        address: &Address,
    ) -> CallResult {
        match address {
            Address::Unnamed => self.autobind(socket)?,
            Address::Unix(path) if path.0.is_empty() => self.bind_abstract(socket, address)?,
            Address::Unix(path) => self.bind_path(task, socket, &path.0)?,
            Address::Abstract(_) => self.bind_abstract(socket, address)?,
            Address::Inet(..) | Address::Inet6(..) | Address::Other(_) => {
                return Err(Errno::EINVAL.into());
            }
        }
        Ok(Answer::default())
    }

    /// A new inode of the type socket; one that was named before has made it for nothing.
    fn bind_path(&mut self, task: TaskRow, socket: SocketRow, path: &[u8]) -> Result<(), Errno> {
        check_path(path)?;
        // Here Linux applies the umask before it looks at the set-group-ID bit.
        let umask = self.rows[self.rows[task].context].umask;
        let mode = S_IFSOCK | self.rows[socket].mode & !umask;
        let made = self.make_node(task, AT_FDCWD, Some(path), mode, 0);
        let place = made.map_err(|errno| match errno {
            Errno::EEXIST => Errno::EADDRINUSE,
            other => other,
        })?;
        if self.rows[socket].is_named() {
            // It was made just now: it goes.
            let _gone = self.unlink_at(task, AT_FDCWD, Some(path), 0);
            return Err(Errno::EINVAL);
        }
        self.fs.hold(place);
        let inode = self.fs.inode_id(place);
        let more = self.rows[socket].more_mut();
        (more.name, more.place) = (Address::Unix(Bytes(path.to_vec())), Some(place));
        let held = memory::name_bytes(&Address::Unix(Bytes(path.to_vec())));
        self.hold_bytes(held);
        self.sockets.paths.extend(inode.map(|inode| (inode, socket)));
        Ok(())
    }

    fn bind_abstract(&mut self, socket: SocketRow, address: &Address) -> Result<(), Errno> {
        let name = abstract_name(address)?;
        if self.rows[socket].is_named() {
            return Err(Errno::EINVAL);
        }
        let key = (self.rows[socket].kind, name.to_vec());
        if self.sockets.abstracts.contains_key(&key) {
            return Err(Errno::EADDRINUSE);
        }
        self.hold_bytes(memory::name_bytes(address));
        self.sockets.abstracts.insert(key, socket);
        // The empty one is shown as a path, which it is as much.
        let name = if name.is_empty() { Address::Unix(Bytes::default()) } else { address.clone() };
        self.rows[socket].more_mut().name = name;
        Ok(())
    }

    /// [`Event::Unchosen`](crate::event::Event::Unchosen): the name that is tried first.
    pub(crate) fn set_next_name(&mut self, number: u32) -> Outcome {
        if number >= AUTO_NAMES {
            return Outcome::Refused(Refusal::Misplaced);
        }
        self.sockets.next_auto = number;
        Outcome::Done(Answer::default())
    }

    /// A name that nobody chose; one that is there stays.
    pub(super) fn autobind(&mut self, socket: SocketRow) -> Result<(), Errno> {
        if self.rows[socket].is_named() {
            return Ok(());
        }
        for _ in 0..AUTO_NAMES {
            let name = format!("{:05x}", self.sockets.next_auto).into_bytes();
            self.sockets.next_auto = (self.sockets.next_auto + 1) % AUTO_NAMES;
            let address = Address::Abstract(Bytes(name));
            match self.bind_abstract(socket, &address) {
                Err(Errno::EADDRINUSE) => {}
                result => return result,
            }
        }
        Err(Errno::ENOSPC)
    }

    /// Who sends credentials has a name, so that it can be answered.
    pub(super) fn autobind_if_passing(&mut self, socket: SocketRow) -> Result<(), Errno> {
        if self.rows[socket].passes_cred { self.autobind(socket) } else { Ok(()) }
    }

    /// The socket of this type behind an address.
    pub(super) fn find_unix(
        &mut self,
        task: TaskRow,
        kind: u32,
        address: &Address,
    ) -> Result<SocketRow, Errno> {
        check_address(address)?;
        match address {
            Address::Unix(path) if !path.0.is_empty() => self.find_path(task, kind, &path.0),
            _ => {
                let key = (kind, abstract_name(address)?.to_vec());
                self.sockets.abstracts.get(&key).copied().ok_or(Errno::ECONNREFUSED)
            }
        }
    }

    /// The error of the walk, of the right to write, that nobody is there, that it is of another
    /// type.
    fn find_path(&mut self, task: TaskRow, kind: u32, path: &[u8]) -> Result<SocketRow, Errno> {
        let Spot::Place(place) = self.spot(task, AT_FDCWD, Some(path), 0)? else {
            return Err(Errno::ECONNREFUSED);
        };
        {
            caller!(self, task => caller);
            self.fs.permission(&caller, place, MAY_WRITE)?;
        }
        let inode = self.fs.inode_id(place);
        let found = inode.and_then(|inode| self.sockets.paths.get(&inode).copied());
        let found = found.ok_or(Errno::ECONNREFUSED)?;
        if self.rows[found].kind == kind { Ok(found) } else { Err(Errno::EPROTOTYPE) }
    }

    /// A socket that is closed has no name any more; its inode stays.
    pub(super) fn forget_name(&mut self, socket: SocketRow) {
        let state = &self.rows[socket];
        let Some(more) = state.more.as_deref() else { return };
        let (kind, place) = (state.kind, more.place);
        let names = memory::name_bytes(&more.name) + memory::name_bytes(&more.remote);
        let held = names + memory::OPTION_BYTES * more.option_count();
        if !more.is_borrowed
            && place.is_none()
            && let Ok(name) = abstract_name(&more.name)
        {
            self.sockets.abstracts.remove(&(kind, name.to_vec()));
        }
        if let Some(place) = place {
            if let Some(inode) = self.fs.inode_id(place) {
                self.sockets.paths.remove(&inode);
            }
            self.fs.release(place);
        }
        self.unhold_bytes(held);
    }

    /// Puts the name of a socket that was restored into the table; false if another has it.
    pub(crate) fn index_name(&mut self, socket: SocketRow) -> bool {
        let state = &self.rows[socket];
        let Some(more) = state.more.as_deref().filter(|more| !more.is_borrowed) else {
            return true;
        };
        let kind = state.kind;
        match (&more.name, more.place) {
            (Address::Unix(_), Some(place)) => match self.fs.inode_id(place) {
                Some(inode) => self.sockets.paths.insert(inode, socket).is_none(),
                None => false,
            },
            (name @ (Address::Unix(_) | Address::Abstract(_)), None) => match abstract_name(name) {
                Ok(name) => {
                    let key = (kind, name.to_vec());
                    self.sockets.abstracts.insert(key, socket).is_none()
                }
                Err(_) => false,
            },
            (_, place) => place.is_none(),
        }
    }
}

fn check_path(path: &[u8]) -> Result<(), Errno> {
    if path.len() >= SUN_PATH_BYTES { Err(Errno::EINVAL) } else { Ok(()) }
}

/// The bytes of an abstract name; a path that is empty is the empty one.
fn abstract_name(address: &Address) -> Result<&[u8], Errno> {
    match address {
        Address::Unix(name) | Address::Abstract(name) if name.0.len() < SUN_PATH_BYTES => {
            Ok(&name.0)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// What is wrong with an address of unix(7) whoever has it.
pub(super) fn check_address(address: &Address) -> Result<(), Errno> {
    match address {
        Address::Unix(path) => check_path(&path.0),
        Address::Abstract(_) => abstract_name(address).map(|_| ()),
        Address::Unnamed | Address::Inet(..) | Address::Inet6(..) | Address::Other(_) => {
            Err(Errno::EINVAL)
        }
    }
}
