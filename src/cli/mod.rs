//! The command line of CLI.md: parsing, exit statuses, one line for an error. A command a file.

mod drive;

use clap::{Parser, Subcommand};
use std::fmt;
use std::process::ExitCode;

/// A deterministic virtual POSIX kernel: records and replays sessions of system calls, and is driven
/// by JSON lines.
#[derive(Debug, Parser)]
#[command(name = "tickernel", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answers JSON requests on standard input, one a line, on standard output
    Drive(drive::Arguments),
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It did it, and it agrees: exit status 0.
    Agrees,
}

/// Why a command could not do it: what, where, and what to do, in one line. Exit status 2.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string().replace('\n', " "))
    }
}

/// Runs the command of the process's arguments.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Drive(arguments) => drive::run(&arguments),
    };
    match result {
        Ok(Verdict::Agrees) => ExitCode::SUCCESS,
        Err(Failure(text)) => {
            eprintln!("tickernel: {text}");
            ExitCode::from(2)
        }
    }
}
