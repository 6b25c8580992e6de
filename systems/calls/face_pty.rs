//! The face's family of pseudo-terminals: open_pty, reads and writes of the two ends, settings, the
//! foreground group, the size (`shared/contract/SEMANTICS.md`, section 5).
//!
//! Ends are descriptors like all others; what lies in them is `components/pty.rs`'s, what becomes
//! of a byte `calls/face_line.rs`'s. No write waits: what has no room is EAGAIN.

use crate::abi::flags::*;
use crate::abi::{Errno, Signal};
use crate::components::pty::{PTY_CHARACTERS, PTY_FLAGS, Pty};
use crate::components::terminal::End;
use crate::components::{FdSlot, Life, Object, Restart, Target, Waiting};
use crate::event::{Answer, Call, Payload};
use crate::kernel::{CallResult, Changed, Kernel, Stop};
use crate::memory;
use crate::rows::DescriptionRow;
use crate::tables::family::Club;
use crate::watchers::Wake;
use alloc::vec::Vec;

/// An end of a pseudo-terminal of the face: its number, and which.
pub(crate) type PtySide = (u32, End);

/// What is changed of settings.
pub(crate) struct PtyChange<'a> {
    /// Bits 0 to 5: which of `PTY_*`; from bit 6 on which of the special characters.
    pub(crate) given: u32,
    /// The flags.
    pub(crate) flags: u32,
    /// The special characters, all of them.
    pub(crate) characters: &'a [u8],
}

/// The first bit of the special characters in [`PtyChange::given`].
const FIRST_CHARACTER: u32 = 6;

impl Kernel {
    /// A call on a pseudo-terminal, or on a socket.
    pub(crate) fn pty_call(&mut self, call: &Call<'_>) -> CallResult {
        match *call {
            Call::FaceOpenPty { target } => self.face_open_pty(target),
            Call::FacePtySet { target, fd, given, flags, characters } => {
                self.face_pty_set(target, fd, &PtyChange { given, flags, characters })
            }
            Call::FacePtyForeground { target, fd, pgid } => {
                self.face_pty_foreground(target, fd, pgid)
            }
            Call::FacePtyResize { target, fd, columns, rows } => {
                let number = |number: u32| u16::try_from(number).map_err(|_| Errno::EINVAL);
                self.face_pty_resize(target, fd, [number(columns)?, number(rows)?])
            }
            ref other => self.socket_call(other),
        }
    }

    /// open_pty: EAGAIN, ENFILE, EMFILE at a limit.
    pub(crate) fn face_open_pty(&mut self, target: u32) -> CallResult {
        let task = self.pids.task(target).ok_or(Errno::ESRCH)?;
        let limits = &self.config.face.limits;
        if self.face.ptys.len() as u64 >= limits.max_ptys {
            return Err(Errno::EAGAIN.into());
        }
        if self.counters.open_fds.saturating_add(2) > limits.max_open_fds {
            return Err(Errno::ENFILE.into());
        }
        let [master_fd, slave_fd] = self.two_free_fds(task)?;
        self.room_for_fd(task, slave_fd)?;
        self.room_for_descriptions(2, memory::PTY_BYTES)?;
        let number = self.face.next_pty;
        self.face.next_pty = number.checked_add(1).ok_or(Errno::EAGAIN)?;
        let mut pty = Pty::default();
        let files = self.rows[task].files;
        for (end, fd) in [(End::Master, master_fd), (End::Slave, slave_fd)] {
            pty.end_mut(end).refs = 1;
            let target = Target::Object(Object::Pty(number, end));
            let description = self.new_description(target, O_RDWR);
            self.install_in(files, fd, FdSlot { description, cloexec: false });
        }
        self.face.ptys.insert(number, pty);
        self.hold_bytes(memory::PTY_BYTES);
        let fds = Payload::Fds([master_fd as i32, slave_fd as i32]);
        Ok(Answer { value: i64::from(number), payload: fds })
    }

    /// The number of a slave that a path names.
    pub(crate) fn pty_at(&self, path: &[u8]) -> Option<u32> {
        let number = core::str::from_utf8(path.strip_prefix(b"/dev/pts/")?).ok()?;
        let number = number.parse().ok()?;
        self.face.ptys.contains_key(&number).then_some(number)
    }

    /// One more description of an end.
    pub(crate) fn hold_pty(&mut self, (number, end): PtySide) {
        if let Some(pty) = self.face.ptys.get_mut(&number) {
            pty.end_mut(end).refs += 1;
        }
    }

    /// A description of an end is closed: with the last one the end is, and with both the pair.
    pub(crate) fn close_pty(&mut self, (number, end): PtySide) {
        let Some(pty) = self.face.ptys.get_mut(&number) else { return };
        let side = pty.end_mut(end);
        side.refs -= 1;
        if side.refs > 0 {
            return;
        }
        if pty.is_closed(end.other()) {
            self.face.ptys.remove(&number);
            self.unhold_bytes(memory::PTY_BYTES);
            return;
        }
        self.woken(Changed::Pty(number, end.other()), Wake::ANY);
    }

    /// What there is to read: no bytes where the input ends, and no answer at all but 0 where the
    /// other end is closed. `None` if a read would wait.
    fn take_from_pty(&mut self, (number, end): PtySide, count: u64) -> Option<Answer> {
        let pty = self.face.ptys.get_mut(&number)?;
        match pty.end_mut(end).take(count) {
            Some(bytes) => {
                self.woken(Changed::Pty(number, end.other()), Wake::ANY);
                Some(Answer::data(bytes))
            }
            None => pty.is_closed(end.other()).then(Answer::default),
        }
    }

    /// read(2): waits as a read of a pipe does.
    pub(crate) fn read_pty(
        &mut self,
        row: DescriptionRow,
        side: PtySide,
        count: u64,
    ) -> CallResult {
        if count == 0 {
            return Ok(Answer::data(Vec::new()));
        }
        if let Some(answer) = self.take_from_pty(side, count) {
            return Ok(answer);
        }
        let deadline_ns = self.read_deadline();
        let over = deadline_ns.is_some_and(|deadline| deadline <= self.now_ns);
        if over || self.rows[row].nonblocking() {
            return Err(Errno::EAGAIN.into());
        }
        self.rows[row].refs += 1;
        let on = Waiting::PipeRead { description: row, count };
        Err(Stop::block(on, deadline_ns, Restart::WithFlag))
    }

    /// A read that waits tries again.
    pub(crate) fn try_pty_read(&mut self, side: PtySide, count: u64) -> Option<Answer> {
        self.take_from_pty(side, count)
    }

    /// write(2): all of it or nothing.
    pub(crate) fn write_pty(&mut self, side: PtySide, data: &[u8]) -> CallResult {
        let (number, end) = side;
        let pty = self.face.ptys.get_mut(&number).ok_or(Errno::EIO)?;
        if pty.is_closed(end.other()) {
            return Err(Errno::EIO.into());
        }
        let signals = pty.write(end, data)?;
        let foreground = pty.foreground;
        for end in [End::Slave, End::Master] {
            self.woken(Changed::Pty(number, end), Wake::ANY);
        }
        for signal in signals {
            self.signal_foreground(foreground, signal);
        }
        Ok(Answer::value(data.len() as i64))
    }

    /// A signal for a foreground group, in the order of pids.
    fn signal_foreground(&mut self, group: u32, signal: Signal) {
        if group == 0 {
            return;
        }
        let mut members = self.members(Club::Group, group);
        members.sort_unstable_by_key(|member| self.rows[*member].pid);
        for member in members {
            self.driver_signal(member, Some(signal));
        }
    }

    /// What poll(2) says of an end.
    pub(crate) fn poll_pty(&self, (number, end): PtySide) -> u32 {
        let Some(pty) = self.face.ptys.get(&number) else { return POLLHUP };
        let mut events = 0;
        if pty.end(end).is_readable() {
            events |= POLLIN | POLLRDNORM;
        }
        if pty.is_closed(end.other()) {
            events |= POLLHUP;
        } else if pty.end(end.other()).room() > 0 {
            events |= POLLOUT | POLLWRNORM;
        }
        events
    }

    /// The pseudo-terminal behind a descriptor: EBADF for all others.
    fn pty_of(&self, target: u32, fd: i32) -> Result<PtySide, Errno> {
        let task = self.pids.task(target).ok_or(Errno::ESRCH)?;
        let row = self.fd(task, fd)?.description;
        match self.rows[row].target {
            Target::Object(Object::Pty(number, end)) => Ok((number, end)),
            Target::File(_) | Target::Pipe(..) | Target::Socket(_) | Target::Object(_) => {
                Err(Errno::EBADF)
            }
        }
    }

    /// tcsetattr, pty_set_discipline: what is given is changed, and nothing is flushed.
    pub(crate) fn face_pty_set(
        &mut self,
        target: u32,
        fd: i32,
        change: &PtyChange<'_>,
    ) -> CallResult {
        let (number, _) = self.pty_of(target, fd)?;
        let characters: [u8; PTY_CHARACTERS] =
            change.characters.try_into().map_err(|_| Errno::EINVAL)?;
        let pty = self.face.ptys.get_mut(&number).ok_or(Errno::EBADF)?;
        let given = change.given & PTY_FLAGS;
        pty.flags = pty.flags & !given | change.flags & given;
        let places = pty.characters.iter_mut().zip(characters).enumerate();
        for (at, (place, character)) in places {
            if change.given >> (FIRST_CHARACTER + at as u32) & 1 != 0 {
                *place = character;
            }
        }
        Ok(Answer::default())
    }

    /// pty_set_foreground_pgid: ESRCH for a group without a living member, EPERM for one of another
    /// session, and only then EBADF for what is open and no pseudo-terminal.
    pub(crate) fn face_pty_foreground(&mut self, target: u32, fd: i32, pgid: u32) -> CallResult {
        let task = self.pids.task(target).ok_or(Errno::ESRCH)?;
        self.fd(task, fd)?;
        let own = self.rows[self.rows[task].process].sid;
        let members = self.members(Club::Group, pgid);
        let mut alive = members.iter().filter(|member| self.rows[**member].life == Life::Alive);
        let sid = alive.next().map(|member| self.rows[*member].sid).ok_or(Errno::ESRCH)?;
        if sid != own {
            return Err(Errno::EPERM.into());
        }
        let (number, _) = self.pty_of(target, fd)?;
        if let Some(pty) = self.face.ptys.get_mut(&number) {
            pty.foreground = pgid;
        }
        Ok(Answer::default())
    }

    /// pty_resize: SIGWINCH for the foreground group if the size is another.
    pub(crate) fn face_pty_resize(&mut self, target: u32, fd: i32, size: [u16; 2]) -> CallResult {
        let (number, _) = self.pty_of(target, fd)?;
        let pty = self.face.ptys.get_mut(&number).ok_or(Errno::EBADF)?;
        if pty.size != size {
            pty.size = size;
            let foreground = pty.foreground;
            self.signal_foreground(foreground, Signal::SIGWINCH);
        }
        Ok(Answer::default())
    }

    /// What there is to see of the pseudo-terminal behind a descriptor, and whether it is the
    /// slave.
    ///
    /// # Errors
    /// `EBADF` for all others.
    pub fn face_pty(&self, pid: u32, fd: u32) -> Result<(&Pty, bool), Errno> {
        let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
        let (number, end) = self.pty_of(pid, fd)?;
        let pty = self.face.ptys.get(&number).ok_or(Errno::EBADF)?;
        Ok((pty, end == End::Slave))
    }
}
