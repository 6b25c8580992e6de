//! What a process handle shows: the code of the end and the signals that reached its process. Told
//! by the kernel's effects; decides nothing.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many signals the log keeps.
const MAX_SIGNALS: usize = 64;

/// The state behind the handles of one process.
#[derive(Debug, Default)]
pub(crate) struct HandleState {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    /// The process has ended, by whatever way.
    over: bool,
    /// The code that `wait` gives: of `finish` or of a signal.
    code: Option<i32>,
    signals: VecDeque<i32>,
    /// Threads in `wait`: to wake nobody is a call of the host's all the same.
    waiters: usize,
}

impl HandleState {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A signal reached the process.
    pub(crate) fn told(&self, signal: i32) {
        let mut inner = self.inner();
        if inner.signals.len() == MAX_SIGNALS {
            inner.signals.pop_front();
        }
        inner.signals.push_back(signal);
    }

    /// The process has ended; `code` if a signal ended it.
    pub(crate) fn ended(&self, code: Option<i32>) {
        let mut inner = self.inner();
        inner.over = true;
        inner.code = inner.code.or(code);
        self.wake(inner);
    }

    fn wake(&self, inner: MutexGuard<'_, Inner>) {
        let awaited = inner.waiters > 0;
        drop(inner);
        if awaited {
            self.changed.notify_all();
        }
    }

    /// `finish`: the first code counts, also after another end. False if the process was over
    /// already.
    pub(crate) fn finish(&self, code: i32) -> bool {
        let mut inner = self.inner();
        if inner.code.is_some() {
            return false;
        }
        inner.code = Some(code);
        let over = inner.over;
        self.wake(inner);
        !over
    }

    /// Whether the process has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.inner().over
    }

    /// The code, once there is one; `None` after the time-out.
    pub(crate) fn wait(&self, timeout: Duration) -> Option<i32> {
        let mut inner = self.inner();
        inner.waiters += 1;
        let waits = |inner: &mut Inner| inner.code.is_none();
        let woken = self.changed.wait_timeout_while(inner, timeout, waits);
        let (mut inner, _) = woken.unwrap_or_else(PoisonError::into_inner);
        inner.waiters -= 1;
        inner.code
    }

    /// The last signals, oldest first.
    pub(crate) fn signals(&self) -> Vec<i32> {
        self.inner().signals.iter().copied().collect()
    }
}
