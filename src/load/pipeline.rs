//! Pipelines of three processes: `writer | filter | reader`.
//!
//! Each is made as a shell makes one (pipe, fork, dup2, close). Which pipeline has its turn is
//! chosen anew each time. In a turn some lines of 64 bytes go through: the first process writes
//! them all, the second reads and writes each, the third reads them. So it is where a scheduler
//! gives a process milliseconds, which are thousands of calls. With one line a turn the process
//! changes with nearly every call and none finds its rows in the cache: that measures the memory
//! of the machine.

use super::{Chooser, LoadError, Take, done};
use tickernel_systems::event::{Call, Payload};

/// What goes through.
const LINE: [u8; 64] = *b"a line of text that goes through a pipeline, 64 bytes in all...\n";
const STDIN: i32 = 0;
const STDOUT: i32 = 1;

/// The three processes of a pipeline, fewer in the last one.
struct Line {
    pids: [u32; 3],
    count: usize,
}

pub(super) struct Pipelines {
    processes: u64,
    /// Lines a turn.
    turn: u64,
    chooser: Chooser,
    lines: Vec<Line>,
}

impl Pipelines {
    pub(super) const fn new(processes: u64, turn: u64, seed: u64) -> Self {
        Self { processes, turn, chooser: Chooser::new(seed), lines: Vec::new() }
    }

    /// Makes one: the shell is process 1.
    fn make(take: &mut impl Take, count: usize) -> Result<Line, LoadError> {
        let mut line = Line { pids: [0; 3], count };
        let mut input: Option<i32> = None;
        for at in 0..count {
            let last = at + 1 == count;
            let pipe = if last { None } else { Some(Self::pipe(take)?) };
            let pid = done(take, 1, &Call::Fork {})?.value as u32;
            if let Some(fd) = input {
                Self::become_fd(take, pid, fd, STDIN)?;
                done(take, 1, &Call::Close { fd })?;
            }
            if let Some([read, write]) = pipe {
                Self::become_fd(take, pid, write, STDOUT)?;
                done(take, pid, &Call::Close { fd: read })?;
                done(take, 1, &Call::Close { fd: write })?;
                input = Some(read);
            }
            line.pids[at] = pid;
        }
        Ok(line)
    }

    fn pipe(take: &mut impl Take) -> Result<[i32; 2], LoadError> {
        match done(take, 1, &Call::Pipe {})?.payload {
            Payload::Fds(fds) => Ok(fds),
            other => Err(LoadError::Failed(format!("pipe gave {other:?}"))),
        }
    }

    fn become_fd(take: &mut impl Take, pid: u32, fd: i32, as_fd: i32) -> Result<(), LoadError> {
        done(take, pid, &Call::Dup2 { oldfd: fd, newfd: as_fd })?;
        done(take, pid, &Call::Close { fd })?;
        Ok(())
    }

    /// Makes the processes.
    pub(super) fn build(&mut self, mut take: impl Take) -> Result<(), LoadError> {
        let mut left = self.processes;
        while left > 0 {
            let count = left.min(3) as usize;
            self.lines.push(Self::make(&mut take, count)?);
            left -= count as u64;
        }
        Ok(())
    }

    /// Has so many events taken.
    pub(super) fn run(&mut self, events: u64, mut take: impl Take) -> Result<(), LoadError> {
        let read = Call::Read { fd: STDIN, count: LINE.len() as u64 };
        let write = Call::Write { fd: STDOUT, data: &LINE };
        let mut left = events;
        let mut go = |left: &mut u64, task, call: &Call<'_>| {
            if *left > 0 {
                *left -= 1;
                done(&mut take, task, call)?;
            }
            Ok::<(), LoadError>(())
        };
        while left > 0 {
            let at = self.chooser.below(self.lines.len() as u64) as usize;
            let Some(line) = self.lines.get(at) else { return Ok(()) };
            if line.count == 1 {
                go(&mut left, line.pids[0], &Call::Getpid {})?;
            }
            for (stage, task) in line.pids.into_iter().enumerate().take(line.count) {
                for _ in 0..self.turn {
                    if stage > 0 {
                        go(&mut left, task, &read)?;
                    }
                    if stage + 1 < line.count {
                        go(&mut left, task, &write)?;
                    }
                }
            }
        }
        Ok(())
    }
}
