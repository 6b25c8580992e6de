//! mount(2) of an overlay: its options and the paths in them (mount(8), "Mount options for
//! overlay").
//!
//! Not here: `index=on` and `nfs_export=on` (`EINVAL`). `metacopy=on` and `verity` are taken and
//! change nothing that is kept.

use super::path::Spot;
use crate::abi::Errno;
use crate::abi::flags::AT_FDCWD;
use crate::fs::{
    LOWER_LAYERS_MAX, LayerOptions, LayerPlaces, NewMount, Place, UuidOption, common_flag,
};
use crate::kernel::Kernel;
use crate::procview::caller;
use crate::rows::TaskRow;
use alloc::vec::Vec;

/// What a lower layer was named by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NamedBy {
    /// One list of all of them.
    Lowerdir,
    /// One by one.
    LowerdirPlus,
    /// One by one, for data only.
    DatadirPlus,
}

/// `redirect_dir`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redirects {
    On,
    Follow,
    Nofollow,
}

/// What the options say; of what is not given, nothing.
#[derive(Default)]
struct Given {
    places: LayerPlaces,
    flags: u32,
    named_by: Option<NamedBy>,
    /// The texts of layers, as mounts(5) shows them.
    lowers: Vec<u8>,
    upper: Vec<u8>,
    work: Vec<u8>,
    default_permissions: bool,
    redirects: Option<Redirects>,
    metacopy: Option<bool>,
    index: Option<bool>,
    nfs_export: Option<bool>,
    xino: Option<&'static [u8]>,
    fsync: Option<&'static [u8]>,
    verity: Option<&'static [u8]>,
}

impl Given {
    /// An option that names no layer.
    fn option(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Errno> {
        if let Some((flag, on)) = common_flag(key) {
            self.flags = if on { self.flags | flag } else { self.flags & !flag };
            return Ok(());
        }
        let Some(value) = value else {
            match key {
                b"" => {}
                b"default_permissions" => self.default_permissions = true,
                b"volatile" => self.fsync = Some(b"volatile"),
                b"userxattr" => self.places.options.userxattr = true,
                b"override_creds" | b"nooverride_creds" => {}
                _ => return Err(Errno::EINVAL),
            }
            return Ok(());
        };
        match key {
            b"redirect_dir" => {
                self.redirects = Some(match value {
                    b"on" => Redirects::On,
                    // Those that are there are followed (`OVERLAY_FS_REDIRECT_ALWAYS_FOLLOW`).
                    b"off" | b"follow" => Redirects::Follow,
                    b"nofollow" => Redirects::Nofollow,
                    _ => return Err(Errno::EINVAL),
                });
            }
            b"index" => self.index = Some(is_on(value)?),
            b"nfs_export" => self.nfs_export = Some(is_on(value)?),
            b"metacopy" => self.metacopy = Some(is_on(value)?),
            b"xino" => self.xino = Some(one_of(value, &[b"on", b"off", b"auto"])?),
            b"fsync" => self.fsync = Some(one_of(value, &[b"volatile", b"strict", b"auto"])?),
            b"verity" => self.verity = Some(one_of(value, &[b"on", b"off", b"require"])?),
            b"uuid" => {
                self.places.uuid = match value {
                    b"on" => UuidOption::On,
                    b"auto" => UuidOption::Auto,
                    b"null" => UuidOption::Null,
                    b"off" => UuidOption::Off,
                    _ => return Err(Errno::EINVAL),
                };
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    /// Forgets the lower layers that were named otherwise.
    fn name_lowers_by(&mut self, named_by: NamedBy) -> Result<(), Errno> {
        use NamedBy::{DatadirPlus, Lowerdir, LowerdirPlus};
        match (self.named_by, named_by) {
            (_, Lowerdir) => {
                self.places.lowers.clear();
                self.places.options.data_layers = 0;
                self.lowers.clear();
            }
            (Some(Lowerdir), LowerdirPlus | DatadirPlus) | (Some(DatadirPlus), LowerdirPlus) => {
                return Err(Errno::EINVAL);
            }
            // Data alone are none that could be seen.
            (None, DatadirPlus) => return Err(Errno::EINVAL),
            (None | Some(LowerdirPlus), LowerdirPlus) => {}
            (Some(LowerdirPlus | DatadirPlus), DatadirPlus) => {}
        }
        self.named_by = Some(named_by);
        Ok(())
    }

    /// Whether the options go together, and what follows from each other.
    fn settle(&mut self) -> Result<(), Errno> {
        let has_upper = self.places.upper.is_some();
        let options = &mut self.places.options;
        if options.userxattr {
            let other = self.redirects.is_some_and(|redirects| redirects != Redirects::Nofollow);
            if other || self.metacopy == Some(true) {
                return Err(Errno::EINVAL);
            }
            self.redirects = Some(Redirects::Nofollow);
        }
        let metacopy = self.metacopy == Some(true);
        if metacopy && self.redirects.is_some_and(|redirects| redirects != Redirects::On) {
            return Err(Errno::EINVAL);
        }
        let exports = self.nfs_export == Some(true);
        if exports && (self.index == Some(false) || metacopy) {
            return Err(Errno::EINVAL);
        }
        if has_upper && (exports || self.index == Some(true)) {
            return Err(Errno::EINVAL);
        }
        let redirects = match self.redirects {
            Some(Redirects::Nofollow) => Redirects::Nofollow,
            Some(Redirects::On) => Redirects::On,
            // What cannot be changed has all that could be followed.
            Some(Redirects::Follow) | None if metacopy || !has_upper => Redirects::On,
            Some(Redirects::Follow) | None => Redirects::Follow,
        };
        self.redirects = Some(redirects);
        options.redirects = has_upper && redirects == Redirects::On;
        options.opaque_new =
            has_upper && (options.redirects || metacopy || self.xino == Some(b"on"));
        options.nofollow = redirects == Redirects::Nofollow;
        if !has_upper {
            self.fsync = self.fsync.filter(|fsync| *fsync != b"volatile");
        }
        self.places.volatile = self.fsync == Some(b"volatile");
        Ok(())
    }

    /// What mounts(5) shows: what is not the default.
    fn text(&self) -> Vec<u8> {
        let mut text = self.lowers.clone();
        let mut add = |shown: bool, parts: &[&[u8]]| {
            if shown {
                text.push(b',');
                parts.iter().for_each(|part| text.extend_from_slice(part));
            }
        };
        let has_upper = self.places.upper.is_some();
        add(has_upper, &[b"upperdir=", &self.upper]);
        add(has_upper, &[b"workdir=", &self.work]);
        add(self.default_permissions, &[b"default_permissions"]);
        add(self.redirects == Some(Redirects::On), &[b"redirect_dir=on"]);
        add(self.redirects == Some(Redirects::Nofollow), &[b"redirect_dir=nofollow"]);
        match self.places.uuid {
            UuidOption::Auto => {}
            UuidOption::On => add(true, &[b"uuid=on"]),
            UuidOption::Null => add(true, &[b"uuid=null"]),
            UuidOption::Off => add(true, &[b"uuid=off"]),
        }
        add(self.metacopy == Some(true), &[b"metacopy=on"]);
        let fsync = self.fsync.filter(|fsync| *fsync != b"auto");
        add(fsync.is_some(), &[b"fsync=", fsync.unwrap_or_default()]);
        add(self.places.options.userxattr, &[b"userxattr"]);
        let verity = self.verity.filter(|verity| *verity != b"off");
        add(verity.is_some(), &[b"verity=", verity.unwrap_or_default()]);
        text
    }
}

fn is_on(value: &[u8]) -> Result<bool, Errno> {
    Ok(one_of(value, &[b"on", b"off"])? == b"on")
}

/// A value that must be one of these.
fn one_of(value: &[u8], all: &[&'static [u8]]) -> Result<&'static [u8], Errno> {
    all.iter().find(|one| **one == value).copied().ok_or(Errno::EINVAL)
}

impl Kernel {
    /// A new overlay on a place.
    pub(super) fn mount_overlay(
        &mut self,
        task: TaskRow,
        at: Place,
        new: &NewMount<'_>,
    ) -> Result<(), Errno> {
        let mut given = Given { flags: new.volume_flags, ..Given::default() };
        for item in split(new.data, b',') {
            let end = item.iter().position(|byte| *byte == b'=').unwrap_or(item.len());
            self.overlay_option(task, &mut given, &item[..end], item.get(end + 1..))?;
        }
        given.settle()?;
        if let Some(upper) = given.places.upper {
            let LayerOptions { userxattr, .. } = given.places.options;
            given.places.uuid = self.fs.uuid_of(upper, given.places.uuid, userxattr);
        }
        given.places.text = given.text();
        let new = &NewMount { volume_flags: given.flags, ..*new };
        let now = self.stamp();
        caller!(self, task => caller);
        self.fs.mount_overlay(&caller, at, new, &given.places, now)
    }

    /// One option; layers are walked to as they come.
    fn overlay_option(
        &mut self,
        task: TaskRow,
        given: &mut Given,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Errno> {
        match (key, value) {
            (b"lowerdir", Some(value)) => {
                given.name_lowers_by(NamedBy::Lowerdir)?;
                self.lower_layers(task, given, value)?;
                given.lowers = [b",lowerdir=", value].concat();
            }
            (b"lowerdir+", Some(value)) => {
                given.name_lowers_by(NamedBy::LowerdirPlus)?;
                self.lower_layer(task, given, value, false)?;
                given.lowers.extend_from_slice(&[b",lowerdir+=", value].concat());
            }
            (b"datadir+", Some(value)) => {
                given.name_lowers_by(NamedBy::DatadirPlus)?;
                self.lower_layer(task, given, value, true)?;
                given.lowers.extend_from_slice(&[b",datadir+=", value].concat());
            }
            (b"upperdir", Some(value)) => {
                given.places.upper = Some(self.layer(task, value)?);
                given.upper = value.to_vec();
            }
            (b"workdir", Some(value)) => {
                given.places.work = Some(self.layer(task, value)?);
                given.work = value.to_vec();
            }
            _ => given.option(key, value)?,
        }
        Ok(())
    }

    /// Lower layers between colons; behind two of these stand layers for data only.
    fn lower_layers(
        &mut self,
        task: TaskRow,
        given: &mut Given,
        value: &[u8],
    ) -> Result<(), Errno> {
        let parts = split(value, b':');
        if parts.len() > 2 * LOWER_LAYERS_MAX {
            return Err(Errno::EINVAL);
        }
        let mut is_data = false;
        for (at, part) in parts.iter().enumerate() {
            match (part.is_empty(), at) {
                (true, 0) => return Err(Errno::EINVAL),
                (true, _) if parts[at - 1].is_empty() => return Err(Errno::EINVAL),
                (true, _) => is_data = true,
                // Behind data stand only data.
                (false, _) if is_data && !parts[at - 1].is_empty() => return Err(Errno::EINVAL),
                (false, _) => self.lower_layer(task, given, part, is_data)?,
            }
        }
        if parts.last().is_some_and(Vec::is_empty) { Err(Errno::EINVAL) } else { Ok(()) }
    }

    fn lower_layer(
        &mut self,
        task: TaskRow,
        given: &mut Given,
        path: &[u8],
        is_data: bool,
    ) -> Result<(), Errno> {
        if given.places.lowers.len() >= LOWER_LAYERS_MAX {
            return Err(Errno::EINVAL);
        }
        let place = self.layer(task, path)?;
        given.places.lowers.push(place);
        given.places.options.data_layers += u32::from(is_data);
        Ok(())
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
