//! The walk of `account.rs` over what only the face has: names of drivers, paths of foreign files,
//! pseudo-terminals, sockets.

use crate::account::{Defect, must};
use crate::components::terminal::End;
use crate::components::{Life, Object, Target};
use crate::kernel::Kernel;
use crate::rows::{DescriptionRow, ProcessRow, RowKind};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

impl Kernel {
    pub(crate) fn audit_face(&self) -> Result<(), Defect> {
        self.audit_names()?;
        let owned = self.face.cwds.keys().all(|pid| self.pids.process(*pid).is_some());
        must(owned, "a working directory is kept for nobody")?;
        self.audit_ptys()?;
        self.audit_face_sockets()
    }

    /// Who has an end of a pseudo-terminal open, and that nobody has none of it.
    fn audit_ptys(&self) -> Result<(), Defect> {
        let mut refs: BTreeMap<u32, [u32; 2]> = BTreeMap::new();
        for (_, row) in DescriptionRow::all(&self.rows) {
            if let Target::Object(Object::Pty(number, end)) = self.rows[row].target {
                refs.entry(number).or_default()[end.at()] += 1;
            }
        }
        let ptys = self.face.ptys.iter();
        let counted = ptys
            .map(|(number, pty)| (*number, [pty.end(End::Master).refs, pty.end(End::Slave).refs]));
        must(counted.eq(refs), "the users of a pseudo-terminal are counted wrongly")?;
        let last = self.face.ptys.last_key_value();
        let ahead = last.is_none_or(|(number, _)| *number < self.face.next_pty);
        must(ahead, "a number of a pseudo-terminal may be given twice")
    }

    /// Each socket has a living owner, and all indexes follow from the sockets.
    fn audit_face_sockets(&self) -> Result<(), Defect> {
        let sockets = &self.face.sockets;
        must(sockets.is_indexed(), "sockets of the face are indexed or counted wrongly")?;
        let owned = sockets.all().all(|(_, socket)| {
            let owner = self.pids.process(socket.owner);
            owner.is_some_and(|owner| self.rows[owner].life == Life::Alive)
        });
        must(owned, "a socket of the face is nobody's")
    }

    /// The face's names of drivers and paths of open files.
    fn audit_names(&self) -> Result<(), Defect> {
        let mut users: BTreeMap<u32, u64> = BTreeMap::new();
        let face = &self.face;
        let listed = face.commands.values().chain(face.registered.values()).copied();
        let processes = ProcessRow::all(&self.rows);
        let owners = processes.iter().flat_map(|(_, row)| {
            let process = &self.rows[*row];
            [process.driver, process.requester]
        });
        for number in listed.chain(owners).filter(|number| *number != 0) {
            *users.entry(number).or_default() += 1;
        }
        must(users.into_iter().eq(face.names.users()), "users of a driver's name are miscounted")?;
        let open = DescriptionRow::all(&self.rows).into_iter();
        let mut open: Vec<u32> = open
            .filter_map(|(_, row)| match self.rows[row].target {
                Target::Object(Object::Foreign(path)) => Some(path),
                Target::Object(_) | Target::File(_) | Target::Pipe(..) | Target::Socket(_) => None,
            })
            .collect();
        open.sort_unstable();
        must(open == face.paths_in_use(), "paths of open files are kept for nobody")
    }
}
