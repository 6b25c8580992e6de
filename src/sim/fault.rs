//! Faults: calls that are made to fail, chosen by name and count, as strace(1) does with
//! `-e inject=SET:error=ERRNO:when=FIRST..LAST+STEP`.
//!
//! Owns the choice alone. That a call fails is an event of the core's, [`Event::Inject`], so a
//! recording holds every fault where it happened and a replay needs no fault.
//!
//! [`Event::Inject`]: tickernel_systems::event::Event::Inject

use super::error::NoSuchCall;
use tickernel_systems::abi::Errno;
use tickernel_systems::event::Call;

/// Which calls fail, and with what. A new one makes the first call of its name fail and no other.
///
/// ```
/// use tickernel::sim::Fault;
/// use tickernel_systems::abi::Errno;
///
/// let full = Fault::new("write", Errno::ENOSPC)?.at(3); // the third write of all
/// let late = Fault::new("fork", Errno::EAGAIN)?.of(7).at(100).to(u64::MAX); // from the 100th on
/// let flaky = Fault::new("read", Errno::EINTR)?.to(u64::MAX).each(10); // 1st, 11th, 21st …
/// assert!(Fault::new("wriet", Errno::EIO).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    number: u32,
    errno: Errno,
    task: Option<u32>,
    first: u64,
    last: u64,
    step: u64,
    seen: u64,
}

impl Fault {
    /// The first call of this name that anybody makes fails with this error, whether or not such
    /// a call can.
    ///
    /// # Errors
    /// The kernel knows no call of that name.
    pub fn new(call: &str, errno: Errno) -> Result<Self, NoSuchCall> {
        let known = Call::NAMES.iter().find(|(_, name)| *name == call);
        let Some((number, _)) = known else { return Err(NoSuchCall(call.to_owned())) };
        Ok(Self { number: *number, errno, task: None, first: 1, last: 1, step: 1, seen: 0 })
    }

    /// Counts the calls of this task only.
    #[must_use]
    pub const fn of(self, task: u32) -> Self {
        Self { task: Some(task), ..self }
    }

    /// It is the `nth` call that fails, counted from 1, and no other.
    #[must_use]
    pub const fn at(self, nth: u64) -> Self {
        Self { first: nth, last: nth, ..self }
    }

    /// Those up to the `last` fail too.
    #[must_use]
    pub const fn to(self, last: u64) -> Self {
        Self { last, ..self }
    }

    /// Of these only each `step`th fails, beginning with the first; 0 is taken as 1.
    #[must_use]
    pub const fn each(self, step: u64) -> Self {
        Self { step: if step == 0 { 1 } else { step }, ..self }
    }

    /// How many such calls were made since the fault was put there.
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    pub(super) const fn errno(&self) -> Errno {
        self.errno
    }

    /// Whether the call that is about to be made fails.
    pub(super) fn meets(&self, task: u32, number: u32) -> bool {
        let nth = self.seen + 1;
        let in_range = nth >= self.first && nth <= self.last;
        self.counts(task, number) && in_range && (nth - self.first).is_multiple_of(self.step)
    }

    /// A call was made.
    pub(super) fn count(&mut self, task: u32, number: u32) {
        self.seen += u64::from(self.counts(task, number));
    }

    fn counts(&self, task: u32, number: u32) -> bool {
        self.number == number && self.task.is_none_or(|own| own == task)
    }
}
