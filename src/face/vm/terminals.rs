//! Pseudo-terminals and shells (SEMANTICS.md, section 5).

use super::convert::error_about;
use super::handle::OpenShellHandle;
use super::{KernelVm, host_of, open_owned, owned, run};
use crate::face::error::{KernelError, KernelResult};
use crate::face::kernel::{OpenShellOptions, SpawnOptions};
use crate::face::machine::Core;
use crate::face::pty::{
    LineDisciplineConfig, PartialTermios, PtyWindowSize, Termios, TermiosControlChars,
};
use crate::face::vfs::VirtualFileSystem;
use std::sync::MutexGuard;
use tickernel_systems::abi::Errno;
use tickernel_systems::event::{Answer, Call, Payload};
use tickernel_systems::{
    PTY_CHARACTERS, PTY_ECHO, PTY_ICANON, PTY_ICRNL, PTY_ISIG, PTY_ONLCR, PTY_OPOST, Pty,
};

/// The command of a shell that names none.
const SHELL: &str = "sh";
/// The first bit of the control characters in what is changed.
const FIRST_CHARACTER: u32 = 6;

impl<F: VirtualFileSystem + 'static> KernelVm<F> {
    /// A pseudo-terminal: its master, its slave, and the slave's path.
    ///
    /// # Errors
    /// `EAGAIN`, `EMFILE`, `ENFILE` at a limit; `ESRCH`, `EPERM`.
    pub fn open_pty(
        &mut self,
        requester_driver: &str,
        pid: u32,
    ) -> KernelResult<(u32, u32, String)> {
        let core = open_owned(&self.machine, requester_driver, pid)?;
        let call = Call::FaceOpenPty { target: pid };
        match run(&self.machine, core, host_of!(self), (0, call), "pseudo-terminal")? {
            Answer { value, payload: Payload::Fds([master, slave]) } => {
                Ok((master as u32, slave as u32, format!("/dev/pts/{value}")))
            }
            _ => Err(error_about(Errno::EIO, "pseudo-terminal")),
        }
    }

    /// A shell (`sh` if no command is named) that leads its own group, with a pseudo-terminal whose
    /// foreground it is.
    ///
    /// # Errors
    /// Those of [`KernelVm::spawn_process`] and [`KernelVm::open_pty`]; without a terminal no
    /// process stays either.
    pub fn open_shell(&mut self, options: OpenShellOptions) -> KernelResult<OpenShellHandle> {
        let OpenShellOptions { requester_driver, command, args, env, cwd } = options;
        let command = command.as_deref().unwrap_or(SHELL);
        let spawn = SpawnOptions { requester_driver, parent_pid: None, env, cwd };
        let process = self.spawn_process(command, args, spawn)?;
        let (driver, pid) = (process.driver().to_owned(), process.pid());
        let made = self.give_terminal(&driver, pid);
        if made.is_err() {
            // Nobody has its handle.
            process.finish(1);
            self.waitpid(pid)?;
        }
        let (master_fd, slave_fd, pty_path) = made?;
        Ok(OpenShellHandle { process, master_fd, slave_fd, pty_path })
    }

    fn give_terminal(&mut self, driver: &str, pid: u32) -> KernelResult<(u32, u32, String)> {
        let made = self.open_pty(driver, pid)?;
        self.setpgid(driver, pid, pid)?;
        self.pty_set_foreground_pgid(driver, pid, made.1, pid)?;
        Ok(made)
    }

    /// A call about the pseudo-terminal behind a descriptor.
    fn on_pty(&self, driver: &str, pid: u32, call: Call<'_>, fd: u32) -> KernelResult<()> {
        let core = owned(&self.machine, driver, pid)?;
        let failed = match &call {
            Call::FacePtyForeground { pgid, .. } => format!("process group {pgid}"),
            _ => format!("descriptor {fd}"),
        };
        let result = run(&self.machine, core, host_of!(ref self), (0, call), failed);
        match result {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Errno::EPERM.name() => {
                Err(KernelError::errno(Errno::EPERM, "the process group is in a different session"))
            }
            Err(error) => Err(error),
        }
    }

    /// Sets line by line, echo and signals; what is `None` stays.
    ///
    /// # Errors
    /// `EBADF` for what is no pseudo-terminal.
    pub fn pty_set_discipline(
        &self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        config: LineDisciplineConfig,
    ) -> KernelResult<()> {
        self.tcsetattr(requester_driver, pid, fd, config.into())
    }

    /// Puts a group into the foreground.
    ///
    /// # Errors
    /// `EBADF`; `ESRCH` for a group without a living member; `EPERM` for one of another session.
    pub fn pty_set_foreground_pgid(
        &self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        pgid: u32,
    ) -> KernelResult<()> {
        let call = Call::FacePtyForeground { target: pid, fd: number(fd), pgid };
        self.on_pty(requester_driver, pid, call, fd)
    }

    /// Another size; the foreground group gets SIGWINCH if it is one.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn pty_resize(
        &self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        cols: u16,
        rows: u16,
    ) -> KernelResult<()> {
        let (columns, rows) = (u32::from(cols), u32::from(rows));
        let call = Call::FacePtyResize { target: pid, fd: number(fd), columns, rows };
        self.on_pty(requester_driver, pid, call, fd)
    }

    /// Looks at the pseudo-terminal behind a descriptor.
    fn look_at_pty<T>(
        &self,
        driver: &str,
        pid: u32,
        fd: u32,
        look: impl FnOnce(&Pty) -> T,
    ) -> KernelResult<T> {
        let core: MutexGuard<'_, Core> = owned(&self.machine, driver, pid)?;
        match core.kernel.face_pty(pid, fd) {
            Ok((pty, _)) => Ok(look(pty)),
            Err(errno) => Err(error_about(errno, format_args!("descriptor {fd}"))),
        }
    }

    /// Its size.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn pty_window_size(
        &self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
    ) -> KernelResult<PtyWindowSize> {
        let size = |pty: &Pty| PtyWindowSize { cols: pty.size[0], rows: pty.size[1] };
        self.look_at_pty(requester_driver, pid, fd, size)
    }

    /// Its foreground group; 0 without one.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn tcgetpgrp(&self, requester_driver: &str, pid: u32, fd: u32) -> KernelResult<u32> {
        self.look_at_pty(requester_driver, pid, fd, |pty| pty.foreground)
    }

    /// Its settings.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn tcgetattr(&self, requester_driver: &str, pid: u32, fd: u32) -> KernelResult<Termios> {
        self.look_at_pty(requester_driver, pid, fd, termios)
    }

    /// Changes the settings that are given, by either end. Nothing is flushed.
    ///
    /// # Errors
    /// `EBADF`.
    pub fn tcsetattr(
        &self,
        requester_driver: &str,
        pid: u32,
        fd: u32,
        termios: PartialTermios,
    ) -> KernelResult<()> {
        let (given, flags, characters) = change_of(&termios);
        let (target, characters) = (pid, &characters[..]);
        let call = Call::FacePtySet { target, fd: number(fd), given, flags, characters };
        self.on_pty(requester_driver, pid, call, fd)
    }
}

/// A descriptor as the core numbers it; one beyond `i32` is never open.
fn number(fd: u32) -> i32 {
    i32::try_from(fd).unwrap_or(-1)
}

fn termios(pty: &Pty) -> Termios {
    let [vintr, vquit, vsusp, veof, verase, vkill, vwerase] = pty.characters;
    Termios {
        icrnl: pty.is_set(PTY_ICRNL),
        opost: pty.is_set(PTY_OPOST),
        onlcr: pty.is_set(PTY_ONLCR),
        icanon: pty.is_set(PTY_ICANON),
        echo: pty.is_set(PTY_ECHO),
        isig: pty.is_set(PTY_ISIG),
        cc: TermiosControlChars { vintr, vquit, vsusp, veof, verase, vkill, vwerase },
    }
}

/// What is given, the flags, the characters, as the core takes them.
fn change_of(termios: &PartialTermios) -> (u32, u32, [u8; PTY_CHARACTERS]) {
    let flags = [
        (PTY_ICRNL, termios.icrnl),
        (PTY_OPOST, termios.opost),
        (PTY_ONLCR, termios.onlcr),
        (PTY_ICANON, termios.icanon),
        (PTY_ECHO, termios.echo),
        (PTY_ISIG, termios.isig),
    ];
    let bits = |wanted: fn(bool) -> bool| -> u32 {
        flags.iter().filter(|(_, value)| value.is_some_and(wanted)).map(|(flag, _)| *flag).sum()
    };
    let cc = termios.cc.unwrap_or_default();
    let all = [cc.vintr, cc.vquit, cc.vsusp, cc.veof, cc.verase, cc.vkill, cc.vwerase];
    let given = (FIRST_CHARACTER..).zip(&all).filter(|(_, value)| value.is_some());
    let given: u32 = given.map(|(bit, _)| 1 << bit).sum();
    (given | bits(|_| true), bits(|value| value), all.map(Option::unwrap_or_default))
}
