//! How a call of a simulation ended, and what can be wrong with one.

use tickernel_systems::abi::{Errno, WaitStatus};
use tickernel_systems::event::{self, Answer, CallId, Completed, Refusal};

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It failed.
    #[error("{0}")]
    Failed(Errno),
    /// It waits: its end will be a completion with this number.
    #[error("the call waits")]
    Waits(CallId),
    /// Its process ended first.
    #[error("the process ended in the call: {0:?}")]
    Ended(WaitStatus),
    /// Nobody made it: the process is gone, in another call, or stopped. Nothing happened.
    #[error("the process cannot make a call: {0:?}")]
    Refused(Refusal),
    /// The queue of calls holds no more ([`tickernel_systems::Config::max_events_queued`], or
    /// 64 MiB).
    #[error("the queue of calls is full")]
    QueueFull,
    /// The answer is not what this call gives: a defect of the kernel.
    #[error("the answer is of another call")]
    Payload,
}

/// The kernel knows no call of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no call \"{0}\"; names are those of syscalls(2)")]
pub struct NoSuchCall(pub String);

/// A call that ended after its own event, or that was queued.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Which call: [`CallError::Waits`] has the same number.
    pub call: CallId,
    /// Whose.
    pub task: u32,
    /// How it ended; never [`CallError::Waits`].
    pub result: Result<Answer, CallError>,
}

impl From<event::Completion> for Completion {
    fn from(of: event::Completion) -> Self {
        let result = match of.result {
            Completed::Done(answer) => Ok(answer),
            Completed::Failed(errno) => Err(CallError::Failed(errno)),
            Completed::Gone(status) => Err(CallError::Ended(status)),
        };
        Self { call: of.call, task: of.task, result }
    }
}
