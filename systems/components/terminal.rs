//! Pseudo-terminals (pty(7)): a pair of ends with one set of settings, the input of each end
//! (`Line`), and the bytes on their way from one end to the other (`Port`).
//!
//! Sizes and counters are Linux 6.18's, whose limits programs see: 4,096 bytes of input a line,
//! 8,192 bytes on the way in buffers of whole 256 bytes. What is done with them lies in
//! `calls/discipline/` and `calls/terminal*.rs`.

use crate::abi::termios::*;
use crate::abi::{Termios, Winsize};
use crate::components::{TextDefault, WaitQueue};
use crate::fs::Place;
use crate::rows::TerminalRow;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// The major number of slaves whose number is below 2^20 (`Documentation/admin-guide/devices.txt`).
pub const SLAVE_MAJOR: u32 = 136;
/// Bytes of input that an end keeps (termios(3), "Canonical and noncanonical mode").
pub const INPUT_BYTES: u64 = 4096;
/// Bytes of echoes that wait.
pub const ECHO_BYTES: u64 = 4096;
/// What the buffers of one way may have before no more are made.
pub const PORT_BYTES: u64 = 8192;
/// A buffer is a multiple of this.
const CHUNK_BYTES: u64 = 256;
/// Most bytes that are put into one buffer at a time.
const INSERT_BYTES: u64 = 1792;

/// Major numbers of slaves.
pub const SLAVE_MAJORS: u32 = 8;

/// The number of the slave with this device number.
pub const fn number_of(device: u64) -> Option<u32> {
    use crate::abi::flags::{major, minor};
    match major(device).checked_sub(SLAVE_MAJOR) {
        Some(above) if above < SLAVE_MAJORS => Some(above << 8 | minor(device) & 0xff),
        Some(_) | None => None,
    }
}

/// A side of a pseudo-terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Where a terminal emulator is.
    Master,
    /// Where programs are.
    Slave,
}

crate::wire_enum!(End { 0 Master, 1 Slave });

impl End {
    /// Its place in arrays.
    pub const fn at(self) -> usize {
        self as usize
    }

    /// The one across.
    pub const fn other(self) -> End {
        match self {
            End::Master => End::Slave,
            End::Slave => End::Master,
        }
    }
}

/// What a description of a terminal's device is open on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Which pair.
    pub terminal: TerminalRow,
    /// Which end of it.
    pub end: End,
    /// How many hang-ups there had been when it was opened: after another one it leads nowhere.
    pub hangups: u32,
}

/// A buffer on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// How much room it was made with.
    pub size_bytes: u64,
    /// What was put in.
    pub bytes: Vec<u8>,
    /// How much of it has been handed over.
    pub read: u64,
    /// How much of it has been searched for flow control ahead of that.
    pub looked: u64,
}

/// Bytes on their way to an end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// The buffers, oldest first. The last one stays when it is read.
    pub chunks: VecDeque<Chunk>,
    /// The sum of their sizes.
    pub size_bytes: u64,
    /// Small buffers that are kept for the next use; the limit does not hold for them.
    pub spares: u64,
}

impl Port {
    /// What more may be put in, as the writer is told.
    pub const fn room(&self) -> u64 {
        PORT_BYTES.saturating_sub(self.size_bytes)
    }

    /// Puts bytes in; gives how many fitted.
    pub fn insert(&mut self, data: &[u8]) -> usize {
        let mut done = 0;
        while done < data.len() {
            let goal = (data.len() - done).min(INSERT_BYTES as usize);
            let space = self.make_room(goal);
            if space == 0 {
                break;
            }
            let Some(last) = self.chunks.back_mut() else { break };
            last.bytes.extend_from_slice(&data[done..done + space]);
            done += space;
        }
        done
    }

    /// Puts bytes in as if each came alone: what the last buffer has room for, then buffers of the
    /// smallest size. What does not fit is lost.
    pub fn insert_singly(&mut self, data: &[u8]) {
        let mut rest = data;
        while !rest.is_empty() && self.make_room(1) > 0 {
            let Some(last) = self.chunks.back_mut() else { return };
            let left = (last.size_bytes as usize).saturating_sub(last.bytes.len());
            let (now, later) = rest.split_at(left.min(rest.len()));
            last.bytes.extend_from_slice(now);
            rest = later;
        }
    }

    /// Room for `wanted` bytes in the last buffer, or what it has if no other can be made.
    fn make_room(&mut self, wanted: usize) -> usize {
        let left = self.chunks.back().map_or(0, |last| last.size_bytes - last.bytes.len() as u64);
        if left >= wanted as u64 {
            return wanted;
        }
        let size = (wanted as u64).next_multiple_of(CHUNK_BYTES);
        if size == CHUNK_BYTES && self.spares > 0 {
            self.spares -= 1;
        } else if self.size_bytes > PORT_BYTES {
            return left as usize;
        }
        self.size_bytes += size;
        self.chunks.push_back(Chunk {
            size_bytes: size,
            bytes: Vec::with_capacity(size as usize),
            ..Chunk::default()
        });
        wanted
    }

    /// Takes the first buffer away, which is read and not the last.
    pub fn drop_first(&mut self) {
        let Some(first) = self.chunks.pop_front() else { return };
        self.size_bytes -= first.size_bytes;
        if first.size_bytes == CHUNK_BYTES {
            self.spares += 1;
        }
    }

    /// Throws away what is on the way.
    pub fn flush(&mut self) {
        while self.chunks.len() > 1 {
            self.drop_first();
        }
        if let Some(last) = self.chunks.front_mut() {
            last.read = last.bytes.len() as u64;
        }
    }
}

/// The input of an end and what its echo needs. Positions only grow; a byte lies at its position
/// modulo the size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The input, empty before the first byte.
    pub input: Vec<u8>,
    /// The next byte that is read.
    pub tail: u64,
    /// Where the next byte goes.
    pub head: u64,
    /// The end of the last whole line.
    pub canon: u64,
    /// The end of what is to be read where lines do not count.
    pub commit: u64,
    /// Positions of bytes that end lines, in order.
    pub ends: VecDeque<u64>,
    /// Echoes that are not written yet.
    pub echo: Vec<u8>,
    /// The next echo that is written.
    pub echo_tail: u64,
    /// Where the next echo goes.
    pub echo_head: u64,
    /// The end of those that are to be written.
    pub echo_commit: u64,
    /// The end of those that the next writer writes.
    pub echo_mark: u64,
    /// Where the cursor is.
    pub column: u32,
    /// Where it was when the line began.
    pub canon_column: u32,
    /// Between the `\` and the `/` of `ECHOPRT`.
    pub erasing: bool,
    /// VLNEXT came.
    pub literal: bool,
    /// Input waits on the way because there is no room for it.
    pub no_room: bool,
    /// Bytes on the way whose flow control is done.
    pub looked: u64,
    /// A call that reads, and waits, keeps all others away.
    pub read_locked: bool,
    /// The same for writing.
    pub write_locked: bool,
    /// TCXONC or the other side's VSTOP has stopped its output.
    pub stopped: bool,
    /// TCXONC has.
    pub stopped_by_call: bool,
    /// TIOCEXCL.
    pub exclusive: bool,
    /// Calls that wait for input.
    pub readers: WaitQueue,
    /// Calls that wait for room.
    pub writers: WaitQueue,
}

impl Line {
    /// The byte at a position.
    pub fn byte(&self, position: u64) -> u8 {
        self.input.get((position % INPUT_BYTES) as usize).copied().unwrap_or(0)
    }

    /// Adds a byte of input.
    pub fn put(&mut self, byte: u8) {
        self.put_all(&[byte]);
    }

    /// Adds bytes of input.
    pub fn put_all(&mut self, bytes: &[u8]) {
        put_around(&mut self.input, INPUT_BYTES as usize, &mut self.head, bytes);
    }

    /// Appends the input between two positions, of which there are not more bytes than are kept.
    pub fn copy_to(&self, from: u64, to: u64, out: &mut Vec<u8>) {
        let mut from = from;
        while from < to {
            let at = (from % INPUT_BYTES) as usize;
            let end = at.saturating_add((to - from) as usize).min(INPUT_BYTES as usize);
            out.extend_from_slice(self.input.get(at..end).unwrap_or_default());
            from += (end - at) as u64;
        }
    }

    /// Adds an echo.
    pub fn put_echo(&mut self, byte: u8) {
        self.put_echoes(&[byte]);
    }

    /// Adds echoes.
    pub fn put_echoes(&mut self, bytes: &[u8]) {
        put_around(&mut self.echo, ECHO_BYTES as usize, &mut self.echo_head, bytes);
    }

    /// The echo at a position.
    pub fn echo_byte(&self, position: u64) -> u8 {
        self.echo.get((position % ECHO_BYTES) as usize).copied().unwrap_or(0)
    }

    /// Bytes that have come and were not read. Of a line that was too long and was read as bytes
    /// (EXTPROC), its replaced end is read before it counts as come: a huge number, as in Linux.
    pub const fn unread(&self) -> u64 {
        self.head.wrapping_sub(self.tail)
    }

    /// Throws all input away.
    pub fn reset(&mut self) {
        (self.tail, self.head, self.canon, self.commit) = (0, 0, 0, 0);
        self.ends.clear();
        self.erasing = false;
    }

    /// Throws all echoes away.
    pub const fn reset_echo(&mut self) {
        (self.echo_tail, self.echo_head, self.echo_commit, self.echo_mark) = (0, 0, 0, 0);
    }
}

/// Puts bytes into a buffer that goes around, from a position on; it is made with the first.
#[inline]
fn put_around(buffer: &mut Vec<u8>, size: usize, head: &mut u64, bytes: &[u8]) {
    if buffer.is_empty() {
        buffer.resize(size, 0);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = (*head % size as u64) as usize;
        let (now, later) = rest.split_at(rest.len().min(size - at));
        buffer[at..at + now.len()].copy_from_slice(now);
        *head += now.len() as u64;
        rest = later;
    }
}

/// Which bytes of input need a look of their own, for the settings for which it was last asked.
#[derive(Clone, Debug)]
pub struct Looks {
    /// The settings.
    pub of: Option<Termios>,
    /// Whether a byte does.
    pub bytes: [bool; 256],
}

/// A pseudo-terminal.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// The number of /dev/pts/N.
    pub number: u32,
    /// The node, until the master is closed.
    pub node: Option<Place>,
    /// TIOCSPTLCK: the slave cannot be opened.
    pub locked: bool,
    /// TIOCPKT.
    pub packet: bool,
    /// What packet mode has to tell: `TIOCPKT_*`.
    pub status: u8,
    /// The settings; those of the master are always raw.
    pub termios: Termios,
    /// Speeds of input and output, as TCSETS2 has them.
    pub speeds: [u32; 2],
    /// The size.
    pub winsize: Winsize,
    /// Whose controlling terminal it is; 0 = nobody's.
    pub session: u32,
    /// The foreground group; 0 = none.
    pub foreground: u32,
    /// Whether the master is open.
    pub master_open: bool,
    /// How many descriptions the slave has.
    pub slaves: u32,
    /// The slave was closed by all, or could not be opened: it cannot be used until it is opened.
    pub slave_failed: bool,
    /// The last one has closed the slave, and nobody has opened it since.
    pub slave_left: bool,
    /// How often the slave was hung up.
    pub hangups: u32,
    /// The input of each end.
    pub lines: [Line; 2],
    /// What is on the way to each end.
    pub ports: [Port; 2],
    /// Follows from the settings.
    pub looks: Looks,
}

/// The settings of a new slave, as Linux gives them.
pub const NEW_TERMIOS: Termios = Termios {
    iflag: ICRNL | IXON,
    oflag: OPOST | ONLCR,
    cflag: B38400 | CS8 | CREAD,
    lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    line: 0,
    cc: [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0],
};
/// The speed of a new terminal.
pub const NEW_SPEED: u32 = 38_400;

impl Terminal {
    /// A new pair, whose slave cannot be opened yet.
    pub fn new(number: u32, node: Option<Place>) -> Self {
        Self {
            number,
            node,
            locked: true,
            packet: false,
            status: 0,
            termios: NEW_TERMIOS,
            speeds: [NEW_SPEED; 2],
            winsize: Winsize::default(),
            session: 0,
            foreground: 0,
            master_open: true,
            slaves: 0,
            slave_failed: false,
            slave_left: false,
            hangups: 0,
            lines: Default::default(),
            ports: Default::default(),
            looks: Looks { of: None, bytes: [false; 256] },
        }
    }

    /// The device number of its slave.
    pub const fn device(&self) -> u64 {
        crate::abi::flags::makedev(SLAVE_MAJOR + (self.number >> 8), self.number & 0xff)
    }
}

impl TextDefault for Terminal {
    type Cold = ();
}
