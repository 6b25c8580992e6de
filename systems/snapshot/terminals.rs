//! The part of a snapshot that holds terminals: their settings, input, echoes, what is on the way.
//! It stands behind its tag at the end, and only if there are any.

use super::{Refs, RestoreError};
use crate::calls::terminal_io::{Onward, READ_PART_BYTES, Reading, Writing};
use crate::components::Waiting;
use crate::components::terminal::{
    Chunk, ECHO_BYTES, End, INPUT_BYTES, Line, Port, Side, Terminal,
};
use crate::kernel::Kernel;
use crate::memory;
use crate::rows::{Encode, RowKind, Rows, TerminalRow};
use crate::wire::{Bytes, Wire, WireReader, put_varint};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Before the part.
pub(super) const TERMINALS: u8 = 28;
/// Set in the word of a description's lock: which end of which terminal it is follows.
pub(super) const HAS_TERMINAL: u32 = 0x200;
/// More bytes than a buffer on the way can have.
const CHUNK_MAX_BYTES: u64 = 4096;
/// More of them than there can be.
const CHUNKS_MAX: usize = 256;

const WRONG: RestoreError = RestoreError::Inconsistent("a terminal that cannot be");

crate::wire_struct!(Chunk { size_bytes, read, looked, bytes });

impl Encode for Terminal {
    fn encode(&self, _rows: &Rows, out: &mut Vec<u8>) {
        [self.number, self.session, self.foreground, self.slaves, self.hangups].put(out);
        self.node.put(out);
        [self.locked, self.packet, self.master_open, self.slave_failed, self.slave_left].put(out);
        self.status.put(out);
        self.termios.put(out);
        self.speeds.put(out);
        self.winsize.put(out);
        for line in &self.lines {
            put_line(line, out);
        }
        for port in &self.ports {
            [port.size_bytes, port.spares].put(out);
            put_varint(out, port.chunks.len() as u64);
            port.chunks.iter().for_each(|chunk| chunk.put(out));
        }
    }
}

fn put_line(line: &Line, out: &mut Vec<u8>) {
    [line.tail, line.head, line.canon, line.commit].put(out);
    [line.echo_tail, line.echo_head, line.echo_commit, line.echo_mark].put(out);
    let end = line.head.max(line.commit);
    let input: Vec<u8> =
        (end.saturating_sub(INPUT_BYTES).max(line.tail)..end).map(|at| line.byte(at)).collect();
    input.as_slice().put(out);
    let echo: Vec<u8> = (line.echo_head.saturating_sub(ECHO_BYTES).max(line.echo_tail)
        ..line.echo_head)
        .map(|at| line.echo_byte(at))
        .collect();
    echo.as_slice().put(out);
    put_varint(out, line.ends.len() as u64);
    line.ends.iter().for_each(|at| at.put(out));
    [line.column, line.canon_column].put(out);
    line.looked.put(out);
    [
        line.erasing,
        line.literal,
        line.no_room,
        line.read_locked,
        line.write_locked,
        line.stopped,
        line.stopped_by_call,
        line.exclusive,
    ]
    .put(out);
    line.readers.put(out);
    line.writers.put(out);
}

fn get_line(from: &mut WireReader<'_>) -> Result<Line, RestoreError> {
    let [tail, head, canon, commit]: [u64; 4] = Wire::get(from)?;
    let [echo_tail, echo_head, echo_commit, echo_mark]: [u64; 4] = Wire::get(from)?;
    let (input, echo): (Bytes, Bytes) = (Wire::get(from)?, Wire::get(from)?);
    let ends: VecDeque<u64> = Vec::<u64>::get(from)?.into();
    // A line that is too long has lost its last byte, but who reads bytes is given it.
    let end = head.max(commit);
    let fits = |tail: u64, head: u64, kept: usize, most: u64| {
        head >= tail && head - tail <= 2 * most && kept as u64 == (head - tail).min(most)
    };
    let in_order = ends.iter().zip(ends.iter().skip(1)).all(|(one, next)| one < next);
    let inside = ends.iter().all(|at| (tail..head).contains(at));
    if !fits(tail, end, input.0.len(), INPUT_BYTES)
        || end - head > 1
        || canon > head
        || echo_head < echo_tail
        || echo.0.len() as u64 != (echo_head - echo_tail).min(ECHO_BYTES)
        || echo_commit.max(echo_mark) > echo_head
        || !in_order
        || !inside
    {
        return Err(WRONG);
    }
    let mut line = Line { tail, canon, commit, ends, ..Line::default() };
    line.head = end - input.0.len() as u64;
    input.0.iter().for_each(|byte| line.put(*byte));
    line.head = head;
    (line.echo_tail, line.echo_commit, line.echo_mark) = (echo_tail, echo_commit, echo_mark);
    line.echo_head = echo_head - echo.0.len() as u64;
    echo.0.iter().for_each(|byte| line.put_echo(*byte));
    [line.column, line.canon_column] = Wire::get(from)?;
    line.looked = Wire::get(from)?;
    let flags: [bool; 8] = Wire::get(from)?;
    [line.erasing, line.literal, line.no_room, line.read_locked, ..] = flags;
    [.., line.write_locked, line.stopped, line.stopped_by_call, line.exclusive] = flags;
    (line.readers, line.writers) = (Wire::get(from)?, Wire::get(from)?);
    Ok(line)
}

fn get_port(from: &mut WireReader<'_>) -> Result<Port, RestoreError> {
    let [size_bytes, spares] = Wire::get(from)?;
    let mut port = Port { size_bytes, spares, ..Port::default() };
    let count = from.count()?;
    for _ in 0..count {
        let chunk = Chunk::get(from)?;
        let length = chunk.bytes.len() as u64;
        if chunk.size_bytes > CHUNK_MAX_BYTES
            || length > chunk.size_bytes
            || chunk.read > length
            || chunk.looked > length
        {
            return Err(WRONG);
        }
        port.chunks.push_back(chunk);
    }
    let sum: u64 = port.chunks.iter().map(|chunk| chunk.size_bytes).sum();
    if count > CHUNKS_MAX || sum != size_bytes || spares > CHUNKS_MAX as u64 {
        return Err(WRONG);
    }
    Ok(port)
}

impl Kernel {
    /// The part, with its tag.
    pub(super) fn put_terminals(&self, out: &mut Vec<u8>) {
        if TerminalRow::live(&self.rows) > 0 {
            out.push(TERMINALS);
            self.put_rows::<TerminalRow>(out);
        }
    }

    /// Fills the rows that descriptions referred to; how many.
    pub(super) fn get_terminals(
        &mut self,
        from: &mut WireReader<'_>,
        refs: &Refs,
    ) -> Result<usize, RestoreError> {
        let count = from.count()?;
        for _ in 0..count {
            let id = u64::get(from)?;
            let row = *refs.terminals.get(&id).ok_or(WRONG)?;
            let [number, session, foreground, slaves, hangups] = Wire::get(from)?;
            let mut terminal = Terminal::new(number, Wire::get(from)?);
            (terminal.session, terminal.foreground) = (session, foreground);
            (terminal.slaves, terminal.hangups) = (slaves, hangups);
            if let Some(node) = terminal.node {
                self.check_place(node)?;
            }
            let flags: [bool; 5] = Wire::get(from)?;
            [terminal.locked, terminal.packet, terminal.master_open, ..] = flags;
            [.., terminal.slave_failed, terminal.slave_left] = flags;
            terminal.status = Wire::get(from)?;
            terminal.termios = Wire::get(from)?;
            terminal.speeds = Wire::get(from)?;
            terminal.winsize = Wire::get(from)?;
            for line in &mut terminal.lines {
                *line = get_line(from)?;
            }
            for port in &mut terminal.ports {
                *port = get_port(from)?;
            }
            // Only where lines count are they kept up with.
            let line = &terminal.lines[End::Slave.at()];
            if terminal.reads_lines(End::Slave) && line.canon < line.tail {
                return Err(WRONG);
            }
            if self.terminals.insert(number, row).is_some() {
                return Err(RestoreError::Inconsistent("two terminals have one number"));
            }
            self.rows[row] = terminal;
        }
        Ok(count)
    }
}

impl Refs {
    /// The end of a terminal that a description refers to, to be filled later.
    pub(super) fn side(
        &mut self,
        kernel: &mut Kernel,
        from: &mut WireReader<'_>,
    ) -> Result<Side, RestoreError> {
        let (id, end, hangups): (u64, End, u32) =
            (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
        let terminal = match self.terminals.get(&id) {
            Some(row) => *row,
            None => {
                from.charge(memory::TERMINAL_BYTES)?;
                TerminalRow::spawn(&mut kernel.rows, id, Terminal::new(0, None))
            }
        };
        self.terminals.insert(id, terminal);
        Ok(Side { terminal, end, hangups })
    }
}

/// A call on a terminal that waits.
pub(super) fn put_waiting(on: &Waiting, rows: &Rows, out: &mut Vec<u8>) {
    match on {
        Waiting::TerminalRead(reading) => {
            let tag = if reading.onward.is_some() { 44u8 } else { 41 };
            (tag, [reading.description.own_id(rows), reading.count]).put(out);
            (reading.fd, reading.packet).put(out);
            reading.data.put(out);
            [reading.least, reading.time_ns].put(out);
            if let Some(Onward { pipe, fd, len, flags }) = reading.onward {
                ([pipe.own_id(rows), len], (fd, flags)).put(out);
            }
        }
        Waiting::TerminalWrite(writing) => {
            (42u8, [writing.description.own_id(rows), writing.written]).put(out);
            writing.fd.put(out);
            writing.data.put(out);
        }
        Waiting::TerminalTurn { description, reads, call } => {
            (43u8, description.own_id(rows)).put(out);
            reads.put(out);
            call.put(out);
        }
        _ => {}
    }
}

/// A read of a terminal that waits, a write, or a call that waits for the end of one.
pub(super) fn get_waiting(
    tag: u8,
    from: &mut WireReader<'_>,
    refs: &Refs,
) -> Result<Waiting, RestoreError> {
    let error = from.error("a call on a terminal that is not beyond its end");
    let description = u64::get(from)?;
    let description = refs.descriptions.get(&description).copied().ok_or(WRONG)?;
    if tag == 43 {
        let (reads, call) = (Wire::get(from)?, Wire::get(from)?);
        return Ok(Waiting::TerminalTurn { description, reads, call });
    }
    let number = u64::get(from)?;
    let fd = Wire::get(from)?;
    if tag == 41 || tag == 44 {
        let (packet, data): (bool, Bytes) = (Wire::get(from)?, Wire::get(from)?);
        let [least, time_ns] = Wire::get(from)?;
        if data.0.len() as u64 > number.min(READ_PART_BYTES) {
            return Err(error.into());
        }
        let count = number;
        let mut onward = None;
        if tag == 44 {
            let ([pipe, len], (fd, flags)) = Wire::get(from)?;
            let pipe = refs.descriptions.get(&pipe).copied().ok_or(WRONG)?;
            onward = Some(Onward { pipe, fd, len, flags });
        }
        let reading = Reading { description, fd, count, data, least, time_ns, packet, onward };
        return Ok(Waiting::TerminalRead(Box::new(reading)));
    }
    let data = Bytes::get(from)?;
    if number > data.0.len() as u64 {
        return Err(error.into());
    }
    Ok(Waiting::TerminalWrite(Box::new(Writing { description, fd, data, written: number })))
}
