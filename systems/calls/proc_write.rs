//! Writing below /proc: `oom_score_adj` and `oom_adj` of processes (proc_pid_oom_score_adj(5)), and
//! what `fs/sysctl.rs` keeps.
//!
//! Not here: the rest that Linux takes (names of threads, host names, maps of namespaces, limits of
//! the kernel), which answers `EINVAL`.

use crate::abi::Errno;
use crate::abi::credentials::CAP_SYS_RESOURCE;
use crate::event::Answer;
use crate::fs::procfs::ProcId;
use crate::fs::sysctl::integer;
use crate::fs::{Node, Place, ProcNode};
use crate::kernel::{CallResult, Kernel};
use crate::rows::TaskRow;

/// Bytes that are looked at of a number.
const NUMBER_BYTES: usize = 12;
/// What the older file has for -1000.
const DISABLED: i64 = -17;
/// And for 1000.
const OLD_MOST: i64 = 15;
/// The range of the newer one is as far to both sides.
const MOST: i64 = 1000;

impl Kernel {
    /// write(2) at a place below /proc.
    pub(super) fn write_proc(
        &mut self,
        task: TaskRow,
        place: Place,
        offset: u64,
        data: &[u8],
    ) -> CallResult {
        let Node::Proc(node) = place.node else { return Err(Errno::EINVAL.into()) };
        let taken = match node.id {
            ProcId::OomAdj | ProcId::OomScoreAdj => self.write_oom(task, node, data)?,
            id => self.fs.write_sysctl(id, offset, data)?,
        };
        Ok(Answer::value(taken as i64))
    }

    /// Whether writing at a place leaves the offset where it is.
    pub(super) fn keeps_offset(place: Place) -> bool {
        let Node::Proc(node) = place.node else { return false };
        matches!(node.id, ProcId::OomAdj | ProcId::OomScoreAdj)
    }

    fn write_oom(&mut self, task: TaskRow, node: ProcNode, data: &[u8]) -> Result<u64, Errno> {
        let data = &data[..data.len().min(NUMBER_BYTES)];
        let word = data.trim_ascii();
        let plus = word.strip_prefix(b"+");
        if plus.is_some_and(|digits| digits.starts_with(b"-")) {
            return Err(Errno::EINVAL);
        }
        let value = integer(plus.unwrap_or(word)).ok_or(Errno::EINVAL)?;
        if i32::try_from(value).is_err() {
            return Err(Errno::ERANGE);
        }
        let is_old = node.id == ProcId::OomAdj;
        let range = if is_old { DISABLED..=OLD_MOST } else { -MOST..=MOST };
        if !range.contains(&value) {
            return Err(Errno::EINVAL);
        }
        let value = match value {
            OLD_MOST if is_old => MOST,
            value if is_old => value * MOST / -DISABLED,
            value => value,
        };
        let value = i16::try_from(value).map_err(|_| Errno::EINVAL)?;
        let capable = self.rows[task].credentials.capable(CAP_SYS_RESOURCE);
        let process = self.pids.process(node.pid).ok_or(Errno::ESRCH)?;
        let oom = &mut self.rows[process].oom;
        let least = if is_old { oom.score_adj } else { oom.least };
        if value < least && !capable {
            return Err(Errno::EACCES);
        }
        oom.score_adj = value;
        if capable && !is_old {
            oom.least = value;
        }
        Ok(data.len() as u64)
    }
}
