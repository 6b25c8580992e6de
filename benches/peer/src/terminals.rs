//! The runner's calls on pseudo-terminals and shells.

use super::api;
use super::convert::*;
use super::run::Runner;
use crate::book::Kind;
use crate::program::{FdOp, Proc, Slot};
use api::kernel::OpenShellOptions;
use api::pty::{PartialTermios, PartialTermiosControlChars};

/// O_RDWR.
const BOTH: u32 = 2;

impl Runner {
    pub(super) fn pty(&mut self, driver: &str, at: Proc, pid: u32, slots: (Slot, Slot)) -> String {
        match self.vm.open_pty(driver, pid) {
            Ok((master, slave, path)) => {
                self.terminal(at, slots, (master, slave));
                path
            }
            Err(error) => error_text(&error),
        }
    }

    fn terminal(&mut self, at: Proc, slots: (Slot, Slot), numbers: (u32, u32)) {
        for (slot, number) in [(slots.0, numbers.0), (slots.1, numbers.1)] {
            let end = self.book.describe(Kind::Pty, BOTH, "", false);
            self.book.install(at, slot, number, end);
        }
    }

    /// A shell; its terminal has slots of its own, beyond all others.
    pub(super) fn shell(&mut self, at: Proc, command: &str) -> String {
        let options = OpenShellOptions {
            command: (!command.is_empty()).then(|| command.to_owned()),
            ..OpenShellOptions::default()
        };
        match self.vm.open_shell(options) {
            Ok(shell) => {
                let (master, slave) = (shell.master_fd(), shell.slave_fd());
                let made = self.born(at, None, Ok(shell.process().clone()));
                self.terminal(at, (3, 4), (master, slave));
                format!("{made} on {}", shell.pty_path())
            }
            Err(error) => error_text(&error),
        }
    }

    pub(super) fn on_pty(&mut self, driver: &str, pid: u32, fd: u32, op: &FdOp) -> String {
        match op {
            FdOp::Tcgetattr => match self.vm.tcgetattr(driver, pid, fd) {
                Ok(of) => {
                    let flags = [of.icrnl, of.opost, of.onlcr, of.icanon, of.echo, of.isig];
                    let cc = [of.cc.vintr, of.cc.vquit, of.cc.vsusp, of.cc.veof, of.cc.verase];
                    format!("Ok {flags:?} {cc:?}")
                }
                Err(error) => error_text(&error),
            },
            FdOp::Tcsetattr(given, on, characters, character) => {
                let flag = |bit: u32| (given >> bit & 1 != 0).then_some(on >> bit & 1 != 0);
                let place = |bit: u32| (characters >> bit & 1 != 0).then_some(*character);
                let cc = PartialTermiosControlChars {
                    vintr: place(0),
                    vquit: place(1),
                    vsusp: place(2),
                    veof: place(3),
                    verase: place(4),
                    ..PartialTermiosControlChars::default()
                };
                let change = PartialTermios {
                    icrnl: flag(0),
                    opost: flag(1),
                    onlcr: flag(2),
                    icanon: flag(3),
                    echo: flag(4),
                    isig: flag(5),
                    cc: (*characters != 0).then_some(cc),
                };
                told(self.vm.tcsetattr(driver, pid, fd, change))
            }
            FdOp::Tcgetpgrp => told(self.vm.tcgetpgrp(driver, pid, fd)),
            FdOp::Foreground(pgid) => told(self.vm.pty_set_foreground_pgid(driver, pid, fd, *pgid)),
            FdOp::Resize(columns, rows) => {
                told(self.vm.pty_resize(driver, pid, fd, *columns, *rows))
            }
            other => unreachable!("{other:?}"),
        }
    }
}
