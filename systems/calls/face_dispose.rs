//! The end of a machine of the face, and what it still answers then
//! (`shared/contract/SEMANTICS.md`, sections 0 and 1).

use crate::abi::Signal;
use crate::components::Life;
use crate::event::{Answer, Call};
use crate::kernel::{CallResult, Kernel};
use crate::rows::{ProcessRow, RowKind};

impl Kernel {
    /// Everything ends: SIGTERM to all that run, SIGKILL to what is left (section 1, "dispose").
    pub(crate) fn face_dispose(&mut self) -> CallResult {
        if self.face.disposed {
            return Ok(Answer::default());
        }
        (self.face.disposed, self.face.disposing) = (true, true);
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            for (_, process) in ProcessRow::all(&self.rows) {
                let row = &self.rows[process];
                let stopped = row.stopped.is_some() && signal == Signal::SIGTERM;
                if row.life == Life::Alive && !stopped {
                    self.driver_signal(process, Some(signal));
                    self.settle();
                }
            }
        }
        self.face.disposing = false;
        Ok(Answer::default())
    }
}

/// Calls that a disposed machine refuses (section 0, item 1); the files themselves stay.
pub(crate) fn is_over(call: &Call<'_>) -> bool {
    matches!(
        call,
        Call::FaceRegisterDriver { .. }
            | Call::FaceSpawn { .. }
            | Call::FaceCreateProcess { .. }
            | Call::FaceOpen { .. }
            | Call::FaceOpenPty { .. }
    ) || super::face_sockets::is_of_socket(call)
}
