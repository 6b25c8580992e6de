//! Files by the numbers that each side gives them: device and inode are paired at first sight and
//! must agree from then on (IMPORT.md section 7), whether stat(2) shows them or getdents(2).
//!
//! A list names no device: it is the one of its directory, where a stat has shown that.

use std::collections::BTreeMap;

use tickernel_systems::abi::Timespec;

/// A file as the kernel names it: device, inode.
pub type FileName = (u64, u64);

/// A device of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Device {
    /// Its number was shown.
    Seen(u64),
    /// No stat has shown it yet: the one that this device of the kernel stands for.
    Of(u64),
}

/// A file as the recording names it.
type RealName = (Device, u64);

/// The pairings.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: BTreeMap<RealName, FileName>,
    back: BTreeMap<FileName, RealName>,
    /// When the simulated file of a pairing was born: another birth is another file.
    births: BTreeMap<FileName, Timespec>,
    /// Devices of the recording, and which each is.
    devices: BTreeMap<u64, u64>,
}

impl Files {
    /// The device of what a directory lists.
    pub(super) fn recorded_device(&self, directory: FileName) -> Device {
        if let Some((device, _)) = self.back.get(&directory) {
            return *device;
        }
        let mut all = self.devices.iter().filter(|(_, own)| **own == directory.0);
        match (all.next(), all.next()) {
            (Some((device, _)), None) => Device::Seen(*device),
            _ => Device::Of(directory.0),
        }
    }

    /// A stat: the names that both sides give one file.
    pub(super) fn see(
        &mut self,
        (device, inode): (u64, u64),
        own: FileName,
        birth: Timespec,
    ) -> Result<(), String> {
        let known = self.devices.get(&device).copied();
        if known.is_none() {
            self.devices.insert(device, own.0);
            self.name_device(device, own.0);
        }
        if known.is_some_and(|known| known != own.0) {
            return Err(format!("st_dev={device} was bound to another device"));
        }
        let paired = self.pair((Device::Seen(device), inode), own, birth);
        paired.map_err(|why| format!("st_ino={why}"))
    }

    /// A device that only lists showed has a number now.
    fn name_device(&mut self, device: u64, own: u64) {
        let unnamed = (Device::Of(own), 0)..=(Device::Of(own), u64::MAX);
        let pairs: Vec<_> = self.files.range(unnamed).map(|(real, own)| (*real, *own)).collect();
        for (real, own) in pairs {
            let named = (Device::Seen(device), real.1);
            self.files.remove(&real);
            self.files.insert(named, own);
            self.back.insert(own, named);
        }
    }

    /// Pairs the two names of a file; a pairing ends when its simulated file is another one.
    pub(super) fn pair(
        &mut self,
        real: RealName,
        own: FileName,
        birth: Timespec,
    ) -> Result<(), String> {
        let is_new = self.births.insert(own, birth) != Some(birth);
        if is_new && let Some(old) = self.back.remove(&own) {
            self.files.remove(&old);
        }
        let forward = self.files.get(&real).copied();
        let back = self.back.get(&own).copied();
        if forward == Some(own) && back == Some(real) {
            return Ok(());
        }
        if let Some(other) = back {
            return Err(format!("{} but the file was {} before", real.1, other.1));
        }
        if let Some(other) = forward {
            // The number is used again for a file that is new on our side too: the old one is gone.
            if !is_new {
                return Err(format!("{} was bound to another file", real.1));
            }
            self.back.remove(&other);
        }
        self.files.insert(real, own);
        self.back.insert(own, real);
        Ok(())
    }
}
