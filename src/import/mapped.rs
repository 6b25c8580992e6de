//! Files that the session maps shared and writes in memory (mmap(2)): such bytes stand in no call,
//! and reads that show them differ from what the kernel has. Only the report needs to know.

use super::order::Order;
use crate::replay::{Expected, MAPPED};
use crate::strace::{self, Value};
use tickernel_systems::fs::Place;

/// Flags of mmap(2) that share, or the number of one.
const SHARING: [&str; 2] = ["MAP_SHARED", "MAP_SHARED_VALIDATE"];
/// `PROT_WRITE`
const WRITE_BIT: u64 = 2;
/// The type of a mapping in its flags; `MAP_SHARED` and `MAP_SHARED_VALIDATE` have this bit, and
/// `MAP_PRIVATE` does not.
const SHARED_BIT: u64 = 1;

impl Order<'_> {
    /// Remembers the file of a mapping that is shared and may be written.
    pub(super) fn see_mapping(&mut self, tid: u32, call: &strace::Call) {
        let [_, prot, flags, fd] = [1, 2, 3, 4].map(|at| call.arg(at));
        let writes = says(prot, &["PROT_WRITE"], WRITE_BIT);
        if &*call.name != "mmap" || !writes || !says(flags, &SHARING, SHARED_BIT) {
            return;
        }
        let view = fd.and_then(Value::as_i32).and_then(|fd| self.kernel.fd_view(tid, fd));
        if let Some(inode) = view.and_then(|view| self.kernel.fs().inode_id(view.place?)) {
            self.mapped.insert(inode);
        }
    }

    /// Marks what a read of such a file showed.
    pub(super) fn mark_mapped(&self, place: Option<Place>, expected: &mut Expected) {
        if self.mapped.is_empty() {
            return;
        }
        let inode = place.and_then(|place| self.kernel.fs().inode_id(place));
        if inode.is_some_and(|inode| self.mapped.contains(&inode)) {
            expected.flags |= MAPPED;
        }
    }
}

/// Whether flags hold one of these names, or the bit where they are printed as a number.
fn says(flags: Option<&Value>, names: &[&str], bit: u64) -> bool {
    let Some(flags) = flags else { return false };
    let number = flags.as_u64().is_some_and(|number| number & bit != 0);
    number || flags.names().iter().any(|name| names.contains(name))
}
