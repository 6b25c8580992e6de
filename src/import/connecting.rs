//! In which order connections that overlap came to who listens: accept(2) takes the first. Where
//! nothing names them (`-yy`, getsockname(2)), what is said first on both sides tells which is
//! which.

use std::sync::Arc;

use tickernel_systems::event::Call;

use super::order::Order;
use crate::replay::Recorded;
use crate::strace::{self, Value};

/// Calls that are looked through for what is said first.
const LOOKED_AT_CALLS: u64 = 1024;
/// Most bytes of it that are held against each other.
const MAX_FIRST_BYTES: usize = 256;

/// What is said first at one end of a connection.
#[derive(Debug, Default)]
struct First {
    sent: Option<Vec<u8>>,
    received: Option<Vec<u8>>,
    /// The line where something was first sent, and the one until which something was received.
    sent_line: Option<u64>,
    received_line: Option<u64>,
}

impl First {
    /// Whether this can be the one end of a connection and that the other; `None` if nothing
    /// tells.
    fn meets(&self, other: &First) -> Option<bool> {
        let agree = |sent: &Option<Vec<u8>>, received: &Option<Vec<u8>>| {
            let (sent, received) = (sent.as_ref()?, received.as_ref()?);
            let len = sent.len().min(received.len());
            (len > 0).then(|| sent.get(..len) == received.get(..len))
        };
        // Nothing is received before it is sent.
        let too_early = |one: &First, other: &First| Some(one.received_line? < other.sent_line?);
        if too_early(self, other) == Some(true) || too_early(other, self) == Some(true) {
            return Some(false);
        }
        match (agree(&self.sent, &other.received), agree(&other.sent, &self.received)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), _) | (_, Some(true)) => Some(true),
            (None, None) => None,
        }
    }
}

impl Order<'_> {
    /// Before a connect(2): another one that was entered comes to the same end first, if what is
    /// said there says so.
    pub(super) fn hold_connection(&mut self, tid: u32, call: &Call<'_>) {
        let Some((listener, queued)) = self.asks_for(tid, call) else { return };
        let mut rivals = self.others(tid);
        rivals.retain(|other| self.is_connecting_to(*other, listener));
        if rivals.is_empty() {
            return;
        }
        let Ok(queued) = usize::try_from(queued) else { return };
        let accepts = self.accepts_to_come(listener);
        let mut left: Vec<First> =
            accepts.iter().skip(queued).map(|(by, call)| self.first_of(*by, call)).collect();
        let Some(own) = self.first_of_pending(tid) else { return };
        for _ in 0..rivals.len() {
            let Some((next, later)) = left.split_first() else { return };
            let firsts: Vec<First> =
                rivals.iter().map(|it| self.first_of_pending(*it).unwrap_or_default()).collect();
            // One that can be no other.
            let only = |first: &First| {
                let is_last = later.iter().all(|later| first.meets(later) == Some(false));
                later.len() >= firsts.len() && first.meets(next) != Some(false) && is_last
            };
            let must = firsts.iter().position(only);
            if must.is_none() && own.meets(next) != Some(false) {
                return;
            }
            let told = || firsts.iter().position(|first| first.meets(next) == Some(true));
            let mut may = firsts.iter().enumerate().filter(|it| it.1.meets(next) != Some(false));
            let Some(at) = must.or_else(told).or_else(|| may.next().map(|it| it.0)) else {
                return;
            };
            self.run_other(rivals.swap_remove(at));
            left.remove(0);
        }
    }

    /// Who listens where a pending call connects, and how many wait there.
    fn asks_for(&self, tid: u32, call: &Call<'_>) -> Option<(u64, u64)> {
        let Call::Connect { sockfd, addr } = call else { return None };
        let listener = self.kernel.reached_by(tid, *sockfd, Some(addr))?;
        Some((listener.own, listener.pending?))
    }

    fn is_connecting_to(&self, tid: u32, listener: u64) -> bool {
        let pending = self.tasks.get(&tid).and_then(|task| task.pending.as_ref());
        let Some(pending) = pending.filter(|pending| pending.item.is_none()) else { return false };
        let succeeds = matches!(pending.decoded.expected.recorded, Recorded::Value(_));
        let asked = pending.decoded.parsed().and_then(|call| self.asks_for(tid, &call));
        succeeds && asked.is_some_and(|(asked, _)| asked == listener)
    }

    /// Calls that take connections there, in their order: those that wait, and those to come.
    fn accepts_to_come(&self, listener: u64) -> Vec<(u32, Arc<strace::Call>)> {
        let waiting = self.in_call.iter().filter_map(|tid| {
            let pending = self.tasks.get(tid)?.pending.as_ref()?;
            Some((*tid, Arc::clone(&pending.printed)))
        });
        let next = self.entered + 1..self.entered.saturating_add(LOOKED_AT_CALLS);
        let next = next.map_while(|at| self.recording.calls.get(at));
        let next = next.map(|call| (call.tid.unwrap_or(self.root), call));
        let takes = |(by, call): &(u32, Arc<strace::Call>)| {
            let fd = call.arg(0).and_then(Value::as_i32).unwrap_or(-1);
            let is_done = call.result.as_ref().is_some_and(|result| result.number() >= Some(0));
            matches!(&*call.name, "accept" | "accept4")
                && is_done
                && self.kernel.fd_view(*by, fd).and_then(|view| view.socket).map(|it| it.own)
                    == Some(listener)
        };
        let mut accepts: Vec<_> = waiting.chain(next).filter(takes).collect();
        accepts.sort_by_key(|(_, call)| call.exit_line);
        accepts
    }

    fn first_of_pending(&self, tid: u32) -> Option<First> {
        let pending = self.tasks.get(&tid)?.pending.as_ref()?;
        let fd = pending.printed.arg(0).and_then(Value::as_i32)?;
        Some(self.first_on(tid, fd, pending.call, &pending.printed))
    }

    fn first_of(&self, by: u32, accept: &strace::Call) -> First {
        let made = accept.result.as_ref().and_then(strace::CallResult::number);
        let made = made.and_then(|made| i32::try_from(made).ok()).unwrap_or(-1);
        // Its own number is near: those after this moment are looked through.
        self.first_on(by, made, self.entered.saturating_sub(LOOKED_AT_CALLS), accept)
    }

    /// What is said first on a descriptor of a process after a call returned.
    fn first_on(&self, tid: u32, fd: i32, from: u64, after: &strace::Call) -> First {
        let process = self.kernel.process_of_task(tid);
        let mut first = First::default();
        let calls = from + 1..self.entered.saturating_add(LOOKED_AT_CALLS);
        for call in calls.map_while(|at| self.recording.calls.get(at)) {
            let speaker = call.tid.unwrap_or(self.root);
            let is_its = speaker == tid || self.kernel.process_of_task(speaker) == process;
            if !is_its
                || call.entry_line <= after.exit_line
                || call.arg(0).and_then(Value::as_i32) != Some(fd)
            {
                continue;
            }
            let is_done = call.result.as_ref().is_some_and(|result| result.number() > Some(0));
            let said = || said(&call).filter(|_| is_done);
            let line = |line: Option<u64>| line.filter(|_| is_done);
            match &*call.name {
                "read" | "readv" | "recvfrom" | "recvmsg" => {
                    first.received_line = first.received_line.or(line(call.exit_line));
                    first.received = first.received.or_else(said);
                }
                "write" | "writev" | "sendto" | "sendmsg" | "sendfile" => {
                    first.sent_line = first.sent_line.or(line(call.entry_line));
                    first.sent = first.sent.or_else(said);
                }
                "close" => break,
                _ => {}
            }
            if first.sent_line.is_some() && first.received_line.is_some() {
                break;
            }
        }
        first
    }
}

/// The bytes that a call reads or writes, as far as they are printed.
fn said(call: &strace::Call) -> Option<Vec<u8>> {
    let data = call.arg(1)?;
    let parts = data.field("msg_iov").and_then(Value::items);
    let data = match parts {
        Some(parts) => parts.first()?.field("iov_base")?,
        None => data,
    };
    let bytes = data.as_bytes()?;
    Some(bytes.get(..MAX_FIRST_BYTES.min(bytes.len()))?.to_vec())
}
