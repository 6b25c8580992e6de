//! mount(2) of an overlay: its options and the paths in them (mount(8), "Mount options for
//! overlay").
//!
//! Not here: options that would change how layers speak to each other; to turn them off is taken.

use super::path::Spot;
use crate::abi::Errno;
use crate::abi::flags::AT_FDCWD;
use crate::fs::{LOWER_LAYERS_MAX, LayerPlaces, NewMount, Place, common_flag};
use crate::kernel::Kernel;
use crate::procview::caller;
use crate::rows::TaskRow;
use alloc::vec::Vec;

/// Options that may be turned off, or are what they are by default, each with the values taken.
const HARMLESS: [(&[u8], &[&[u8]]); 7] = [
    (b"redirect_dir", &[b"off", b"nofollow"]),
    (b"index", &[b"off"]),
    (b"nfs_export", &[b"off"]),
    (b"metacopy", &[b"off"]),
    (b"xino", &[b"off", b"auto"]),
    (b"uuid", &[b"on", b"off", b"null", b"auto"]),
    (b"verity", &[b"off"]),
];

impl Kernel {
    /// A new overlay on a place.
    pub(super) fn mount_overlay(
        &mut self,
        task: TaskRow,
        at: Place,
        new: &NewMount<'_>,
    ) -> Result<(), Errno> {
        let mut volume_flags = new.volume_flags;
        let places = self.layer_places(task, new.data, &mut volume_flags)?;
        let new = &NewMount { volume_flags, ..*new };
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.mount_overlay(&caller, at, new, &places, now)
    }

    /// The layers that the options name, walked to as the options come; of options that every file
    /// system has the flags.
    fn layer_places(
        &mut self,
        task: TaskRow,
        data: &[u8],
        flags: &mut u32,
    ) -> Result<LayerPlaces, Errno> {
        let mut places = LayerPlaces::default();
        for item in split(data, b',') {
            let end = item.iter().position(|byte| *byte == b'=').unwrap_or(item.len());
            let (key, value) = (&item[..end], item.get(end + 1..));
            if let Some((flag, on)) = common_flag(key) {
                *flags = if on { *flags | flag } else { *flags & !flag };
                continue;
            }
            match (key, value) {
                (b"lowerdir", Some(value)) => {
                    let parts = split(value, b':');
                    if parts.len() > LOWER_LAYERS_MAX {
                        return Err(Errno::EINVAL);
                    }
                    places.lowers.clear();
                    for part in parts {
                        let place = self.layer(task, &part)?;
                        places.lowers.push(place);
                    }
                }
                (b"upperdir", Some(value)) => places.upper = Some(self.layer(task, value)?),
                (b"workdir", Some(value)) => places.work = Some(self.layer(task, value)?),
                (b"" | b"default_permissions" | b"volatile", _) => continue,
                _ => {
                    let known = HARMLESS.iter().find(|(name, _)| *name == key);
                    let fits = known
                        .is_some_and(|(_, all)| value.is_some_and(|value| all.contains(&value)));
                    if !fits {
                        return Err(Errno::EINVAL);
                    }
                    continue;
                }
            }
            places.text.push(b',');
            places.text.extend_from_slice(&item);
        }
        Ok(places)
    }

    fn layer(&mut self, task: TaskRow, path: &[u8]) -> Result<Place, Errno> {
        if path.is_empty() {
            return Err(Errno::EINVAL);
        }
        match self.spot(task, AT_FDCWD, Some(path), 0)? {
            Spot::Place(place) if self.fs.is_directory(place) => Ok(place),
            Spot::Place(_) | Spot::Open(_) => Err(Errno::EINVAL),
        }
    }
}

/// Parts between bytes that no backslash stands before; of those the backslashes go.
fn split(text: &[u8], at: u8) -> Vec<Vec<u8>> {
    let mut parts = alloc::vec![Vec::new()];
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte == at {
            parts.push(Vec::new());
            continue;
        }
        let Some(part) = parts.last_mut() else { continue };
        if byte == b'\\' && rest.peek() == Some(&at) {
            rest.next();
            part.push(at);
        } else {
            part.push(byte);
        }
    }
    parts
}
