//! memfd_create(2), and F_ADD_SEALS and F_GET_SEALS of fcntl(2). What the file is lies in
//! `fs/memfd.rs`.

use crate::abi::Errno;
use crate::abi::flags::*;
use crate::components::Target;
use crate::event::{Answer, Path};
use crate::fs::VolumeKind;
use crate::kernel::{CallResult, Kernel};
use crate::procview::caller;
use crate::rows::{DescriptionRow, TaskRow};

/// Longest name: with `memfd:` before it it is one of a file (memfd_create(2)).
const NAME_MAX_BYTES: usize = 249;

impl Kernel {
    /// memfd_create(2).
    pub(crate) fn memfd_create(&mut self, task: TaskRow, name: Path<'_>, flags: u32) -> CallResult {
        let known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC;
        // The size of a huge page stands in the upper bits.
        let sizes = if flags & MFD_HUGETLB != 0 { 0x3f << 26 } else { 0 };
        if flags & !(known | sizes) != 0 || flags & MFD_EXEC != 0 && flags & MFD_NOEXEC_SEAL != 0 {
            return Err(Errno::EINVAL.into());
        }
        let name = name.ok_or(Errno::EFAULT)?;
        if name.len() > NAME_MAX_BYTES {
            return Err(Errno::EINVAL.into());
        }
        let fd = self.free_fd(task, 0)?;
        // Sizes of huge pages that the machine knows: its usual one, 2 MiB, 1 GiB.
        let kind = match flags >> 26 {
            _ if flags & MFD_HUGETLB == 0 => VolumeKind::Tmpfs,
            0 | 21 => VolumeKind::HugePages,
            30 => VolumeKind::GiganticPages,
            _ => return Err(Errno::ENODEV.into()),
        };
        self.room_for_descriptions(1, 0)?;
        let file = match flags & (MFD_NOEXEC_SEAL | MFD_ALLOW_SEALING) {
            0 => (kind, 0o777, F_SEAL_SEAL),
            MFD_ALLOW_SEALING => (kind, 0o777, 0),
            _ => (kind, 0o666, F_SEAL_EXEC),
        };
        let now = self.stamp();
        let place = {
            caller!(self, task => caller);
            self.fs.make_memfd(&caller, name, file, now)?
        };
        self.fs.hold(place);
        let row = self.new_description(Target::File(place), O_RDWR | O_LARGEFILE);
        self.install(task, fd, row, flags & MFD_CLOEXEC != 0);
        Ok(Answer::value(i64::from(fd)))
    }

    /// F_GET_SEALS and F_ADD_SEALS.
    pub(crate) fn seals(&mut self, row: DescriptionRow, cmd: u32, seals: i64) -> CallResult {
        let description = &self.rows[row];
        if cmd == F_ADD_SEALS && !description.writable() {
            return Err(Errno::EPERM.into());
        }
        let Target::File(place) = description.target else { return Err(Errno::EINVAL.into()) };
        if cmd == F_GET_SEALS {
            return Ok(Answer::value(i64::from(self.fs.seals(place)?)));
        }
        self.fs.add_seals(place, seals as u32)?;
        Ok(Answer::default())
    }
}
