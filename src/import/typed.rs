//! What was typed at a terminal of the driver's (`terminals.rs`): no line shows it but the reads
//! that got it, so it is typed when the first call needs it (IMPORT.md section 11). Characters that
//! were erased again are lost.

use tickernel_systems::TerminalView;
use tickernel_systems::abi::flags::{POLLHUP, POLLIN};
use tickernel_systems::abi::termios::*;
use tickernel_systems::abi::{Errno, Termios};
use tickernel_systems::event::{Call, Payload};

use super::decode;
use super::order::Order;
use crate::replay::{CUT, Expected, Recorded};
use crate::strace;

/// Calls that are looked through for the read that a wait led to.
const LOOKED_AT_CALLS: u64 = 4096;
/// What is typed where nobody knows what was.
const UNKNOWN: u8 = b'?';
/// Most bytes that are typed at one time: a line is no longer.
const MAX_TYPED_BYTES: usize = 4095;

impl Order<'_> {
    /// What a call waits for at a terminal came from the driver.
    pub(super) fn supply_typed(&mut self, tid: u32, ids: &[u64]) -> bool {
        self.hangs_up(tid, ids) || self.type_for(tid, ids)
    }

    /// The driver went away: reads say so from then on.
    fn hangs_up(&mut self, tid: u32, ids: &[u64]) -> bool {
        let Some(pending) = self.tasks.get(&tid).and_then(|task| task.pending.as_ref()) else {
            return false;
        };
        let expected = &pending.decoded.expected;
        let Some(call) = pending.decoded.parsed() else { return false };
        let fds: Vec<i32> = match (&call, &expected.payload, expected.recorded) {
            (Call::Read { fd, .. } | Call::Readv { fd, .. }, _, Recorded::Errno(Errno::EIO)) => {
                Vec::from([*fd])
            }
            (_, Payload::Poll(told), _) => {
                let told = told.iter().filter(|it| u32::from(it.revents) & POLLHUP != 0);
                told.map(|it| it.fd).collect()
            }
            _ => return false,
        };
        let view = |fd: i32| self.outside_terminal(tid, fd).filter(|it| ids.contains(&it.id));
        let reads = !matches!(expected.payload, Payload::Poll(_));
        let Some(view) = fds.into_iter().find_map(view) else { return false };
        if reads && pending.item.is_none() {
            // Who waits already is told EIO, who comes later that it is the end.
            self.run_call(tid);
        }
        self.hang_up(view.number)
    }

    /// Types what a read or a wait of a task needs at one of these objects; false if nothing is
    /// known of it.
    pub(super) fn type_for(&mut self, tid: u32, ids: &[u64]) -> bool {
        let Some(pending) = self.tasks.get(&tid).and_then(|task| task.pending.as_ref()) else {
            return false;
        };
        let (Some(call), at) = (pending.decoded.parsed(), pending.call) else { return false };
        match call {
            Call::Read { fd, .. } | Call::Readv { fd, .. } => {
                let Some(view) = self.outside_terminal(tid, fd).filter(|it| ids.contains(&it.id))
                else {
                    return false;
                };
                let expected = pending.decoded.expected.clone();
                self.type_read(tid, fd, &view, (&expected, at))
            }
            call => {
                let polled = match &pending.decoded.expected.payload {
                    Payload::Poll(told) => {
                        let told = told.iter().filter(|it| u32::from(it.revents) & POLLIN != 0);
                        told.map(|it| it.fd).collect()
                    }
                    Payload::Select(told) => told.read.clone().unwrap_or_default(),
                    _ => super::polls::polled(&call),
                };
                let watched = self.watched_terminals(tid, &polled, ids);
                watched.into_iter().any(|(fd, view)| match self.next_read(tid, fd, at) {
                    Some((expected, index)) => self.type_read(tid, fd, &view, (&expected, index)),
                    None => false,
                })
            }
        }
    }

    /// Terminals of the driver's among polled descriptors and what instances of epoll(7) watch.
    fn watched_terminals(&self, tid: u32, polled: &[i32], ids: &[u64]) -> Vec<(i32, TerminalView)> {
        let mut fds: Vec<i32> = polled.to_vec();
        if polled.iter().any(|fd| !self.kernel.epoll_items(tid, *fd).is_empty()) {
            fds.extend(0..256);
        }
        let view = |fd: i32| Some((fd, self.outside_terminal(tid, fd)?));
        fds.into_iter().filter_map(view).filter(|(_, view)| ids.contains(&view.id)).collect()
    }

    /// The next read of a descriptor by a task that succeeds, or finds nobody there, after the call
    /// with this number.
    pub(super) fn next_read(&self, tid: u32, fd: i32, after: u64) -> Option<(Expected, u64)> {
        let calls = after + 1..after.saturating_add(LOOKED_AT_CALLS);
        let indexed = |at: u64| Some((at, self.recording.calls.get(at)?));
        let reads = |call: &strace::Call| {
            matches!(&*call.name, "read" | "readv")
                && call.tid.unwrap_or(self.root) == tid
                && call.arg(0).and_then(strace::Value::as_i32) == Some(fd)
        };
        calls.map_while(indexed).filter(|(_, call)| reads(call)).find_map(|(at, call)| {
            let expected = decode::decode(&call).expected;
            let is_over = expected.recorded == Recorded::Errno(Errno::EIO);
            (is_over || matches!(expected.recorded, Recorded::Value(_))).then_some((expected, at))
        })
    }

    /// Types what a read got, less what is there.
    fn type_read(
        &mut self,
        tid: u32,
        fd: i32,
        view: &TerminalView,
        (expected, at): (&Expected, u64),
    ) -> bool {
        let value = match expected.recorded {
            Recorded::Value(value) => value,
            Recorded::Errno(Errno::EIO) => return self.hang_up(view.number),
            Recorded::Errno(_) | Recorded::Never => return false,
        };
        let termios = view.termios;
        // Nothing, where no VEOF can say so: nobody is there any more.
        let lines = termios.lflag & ICANON != 0;
        if value == 0 && !lines && character(&termios, VMIN) > 0 {
            return self.hang_up(view.number);
        }
        if lines {
            let Some(line) = self.line_of(tid, fd, (expected, at), &termios) else { return false };
            return self.type_in(view.number, &line);
        }
        let count = u64::try_from(value).unwrap_or(0);
        let there = match self.kernel.terminal_read(tid, fd, count) {
            Some(Ok(Some(there))) => there.len(),
            _ => 0,
        };
        let Some(data) = read_data(expected) else { return false };
        let missing = data.get(there..).unwrap_or_default();
        let mut bytes = Vec::new();
        missing.iter().take(MAX_TYPED_BYTES).for_each(|byte| put(*byte, &termios, &mut bytes));
        self.type_in(view.number, &bytes)
    }

    /// The whole line of which a read got the first part, or the end of the file.
    fn line_of(
        &self,
        tid: u32,
        fd: i32,
        (expected, mut at): (&Expected, u64),
        termios: &Termios,
    ) -> Option<Vec<u8>> {
        let end = character(termios, VEOF);
        let mut bytes = Vec::new();
        let mut part = expected.clone();
        loop {
            let mut data = read_data(&part)?;
            let asked = self.recording.calls.get(at).and_then(|call| match &*call.name {
                "read" => call.arg(2)?.as_u64(),
                _ => None,
            });
            if part.flags & CUT != 0
                && asked != Some(data.len() as u64)
                && let Some(last) = data.last_mut()
            {
                *last = b'\n';
            }
            for byte in &data {
                put(*byte, termios, &mut bytes);
            }
            let ends = data.last().is_some_and(|last| {
                let ends = [character(termios, VEOL), character(termios, VEOL2)];
                *last == b'\n' || ends.contains(last) && *last != 0
            });
            if ends {
                return Some(bytes);
            }
            // Who got all that was asked for got a part of the line.
            let is_part = asked == Some(data.len() as u64) && !data.is_empty();
            match self.next_read(tid, fd, at).filter(|_| is_part && bytes.len() < MAX_TYPED_BYTES) {
                Some((next, index)) => (part, at) = (next, index),
                None => {
                    bytes.push(end);
                    return Some(bytes);
                }
            }
        }
    }
}

/// What a read got; of what strace cut only the number is known.
fn read_data(expected: &Expected) -> Option<Vec<u8>> {
    let (Payload::Data(data), Recorded::Value(value)) = (&expected.payload, expected.recorded)
    else {
        return None;
    };
    let mut data = data.0.clone();
    let length = usize::try_from(value).ok().filter(|length| *length <= MAX_TYPED_BYTES);
    if expected.flags & CUT != 0 {
        data.resize(length?.max(data.len()), UNKNOWN);
    }
    Some(data)
}

fn character(termios: &Termios, place: u8) -> u8 {
    termios.cc.get(usize::from(place)).copied().unwrap_or(0)
}

/// What is typed so that a byte is read: VLNEXT before one that the settings give a meaning to.
fn put(byte: u8, termios: &Termios, out: &mut Vec<u8>) {
    let (input, local) = (termios.iflag, termios.lflag);
    let lines = local & ICANON != 0;
    let extended = local & IEXTEN != 0;
    let is = |place: u8| byte != 0 && character(termios, place) == byte;
    let signals = local & ISIG != 0 && [VINTR, VQUIT, VSUSP].into_iter().any(is);
    let flow = input & IXON != 0 && [VSTART, VSTOP].into_iter().any(is);
    let edits = lines && [VERASE, VKILL, VEOF].into_iter().any(is);
    let edits_more = lines && extended && [VWERASE, VREPRINT, VEOL, VEOL2].into_iter().any(is);
    let literal = extended && is(VLNEXT);
    let mapped =
        byte == b'\r' && input & (ICRNL | IGNCR) != 0 || byte == b'\n' && input & INLCR != 0;
    let ends = lines && (byte == b'\n' || is(VEOL) || is(VEOL2));
    match () {
        () if byte == b'\n' && input & INLCR != 0 && input & ICRNL != 0 => out.push(b'\r'),
        () if byte == b'\r' && input & INLCR != 0 => out.push(b'\n'),
        () if !ends
            && extended
            && (signals || flow || edits || edits_more || literal || mapped) =>
        {
            out.extend([character(termios, VLNEXT), byte]);
        }
        () => out.push(byte),
    }
}
