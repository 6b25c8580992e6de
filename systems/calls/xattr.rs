//! getxattr(2), setxattr(2), listxattr(2), removexattr(2): arguments and sizes. What a file has:
//! `fs/xattr.rs`; what has no name: `unnamed.rs`.

use super::path::Spot;
use crate::abi::Errno;
use crate::abi::flags::AT_FDCWD;
use crate::event::{Answer, Path};
use crate::fs;
use crate::kernel::{CallResult, Kernel};
use crate::procview::caller;
use crate::rows::TaskRow;

impl Kernel {
    /// The object of fgetxattr(2) and fsetxattr(2): AT_FDCWD is the working directory (Linux 6.13).
    pub(crate) fn xattr_spot(&self, task: TaskRow, fd: i32) -> Result<Spot, Errno> {
        if fd == AT_FDCWD {
            return Ok(Spot::Place(self.rows[self.rows[task].context].cwd));
        }
        self.open_spot(task, fd)
    }

    /// The name of an attribute, checked with the new value (and flags) before the file is looked
    /// for; a value that is only asked for or removed is none.
    pub(crate) fn check_xattr(name: Path<'_>, value: Option<(&[u8], u32)>) -> Result<(), Errno> {
        let (bytes, flags) = value.map_or((0, 0), |(value, flags)| (value.len(), flags));
        // The flags come before the name is copied.
        fs::xattr::check_new(b"-", bytes.min(1), flags)?;
        let name = name.ok_or(Errno::EFAULT)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        fs::xattr::check_new(&name[..end], bytes, flags)
    }

    /// getxattr(2) and listxattr(2): a size of 0 asks for the length only.
    pub(crate) fn xattr(
        &mut self,
        task: TaskRow,
        spot: &Spot,
        name: Option<Path<'_>>,
        size: u64,
    ) -> CallResult {
        caller!(self, task => caller);
        let text = match (spot, name) {
            (Spot::Open(row), name) => self.xattr_unnamed(*row, name)?,
            (Spot::Place(place), Some(name)) => {
                self.fs.getxattr(&caller, *place, name.ok_or(Errno::EFAULT)?)?
            }
            (Spot::Place(place), None) => self.fs.listxattr(&caller, *place),
        };
        let of_layer = match (spot, name) {
            (Spot::Place(place), None) => self.fs.listed_in_layer(*place),
            _ => None,
        };
        let length = of_layer.unwrap_or(text.len() as u64);
        if size == 0 {
            return Ok(Answer::value(length as i64));
        }
        if size < length {
            return Err(Errno::ERANGE.into());
        }
        Ok(Answer::data(text))
    }

    /// setxattr(2) with a value and flags, removexattr(2) without.
    pub(crate) fn set_xattr(
        &mut self,
        task: TaskRow,
        spot: &Spot,
        name: Path<'_>,
        value: Option<(&[u8], u32)>,
    ) -> CallResult {
        let name = name.ok_or(Errno::EFAULT)?;
        let place = match spot {
            Spot::Place(place) => place,
            Spot::Open(row) => return self.set_xattr_unnamed(*row, Some(name)),
        };
        let now = self.stamp();
        caller!(self, task => caller);
        match value {
            Some((value, flags)) => {
                self.fs.setxattr(&caller, *place, (name, value), flags, now)?;
            }
            None => self.fs.removexattr(&caller, *place, name, now)?,
        }
        Ok(Answer::default())
    }
}
