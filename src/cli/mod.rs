//! The command line of CLI.md: parsing, exit statuses, one line for an error. A command a file.

mod digest;
mod drive;
mod dump;
mod import;
mod load;
mod replay;
mod verify;

use crate::import::{Imported, Source};
use crate::json::convert::to_trace;
use crate::replay::{Damage, Options, Replayed, twin_damage};
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// A deterministic virtual POSIX kernel: records and replays sessions of system calls, and is
/// driven by JSON lines.
#[derive(Debug, Parser)]
#[command(name = "tickernel", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replays a trace or a real recording and compares
    Replay(replay::Arguments),
    /// Writes a recording or a JSON twin as a trace
    Import(import::Arguments),
    /// Checks order and answers of an import against its recording (not the arguments)
    Verify(verify::Arguments),
    /// Prints the events of a trace or a recording as JSON lines or in strace's form
    Dump(dump::Arguments),
    /// Prints the digest of the state after the last event
    Digest(digest::Arguments),
    /// Runs a synthetic process load and prints its figures
    Load(load::Arguments),
    /// Answers JSON requests on standard input, one a line, on standard output
    Drive(drive::Arguments),
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It did it, and it agrees: exit status 0.
    Agrees,
    /// It did it, and it does not agree: exit status 1.
    Differs,
    /// Not all of it could be read, and the report says so: exit status 2.
    Damaged,
}

/// Why a command could not do it: what, where, and what to do, in one line. Exit status 2.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string().replace('\n', " "))
    }

    /// What went wrong with a file.
    pub(crate) fn of(file: &Path, error: impl fmt::Display) -> Self {
        Self::new(format_args!("{}: {error}", file.display()))
    }
}

/// What a command reads, whatever form it has.
struct Input {
    imported: Imported,
    /// Where a JSON twin stops making sense: what stands before was made into a trace.
    damage: Option<Damage>,
}

/// Reads the input of a command. A JSON twin becomes the trace that it stands for.
fn read_input(file: &Path) -> Result<Input, Failure> {
    let mut progress = Progress::new("reading");
    let read = crate::import::read(file, &crate::import::Options::default());
    progress.end();
    let mut imported = read.map_err(Failure::new)?;
    let mut damage = None;
    if let Source::Twin(twin) = &imported.source {
        let converted = to_trace(twin.text.as_slice(), Vec::new());
        let converted = converted.map_err(|error| Failure::of(file, error))?;
        damage = twin_damage(converted.damage, twin.cut.clone());
        imported.source = Source::Trace(converted.out);
    }
    Ok(Input { imported, damage })
}

/// Replays an input; a damage of the reading is in the report too.
fn replay_input(file: &Path, input: Input, options: &mut Options<'_>) -> Result<Replayed, Failure> {
    let replayed = crate::replay::replay(input.imported, options);
    let mut replayed = replayed.map_err(|error| Failure::of(file, error))?;
    if replayed.damage.is_none() {
        replayed.report.damage.clone_from(&input.damage);
        replayed.damage = input.damage;
    }
    Ok(replayed)
}

/// Prints a line on standard output; whoever reads may have gone.
fn print_line(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format_args!("standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints a report for people, on standard error.
fn print_report(text: &str) -> Result<(), Failure> {
    match io::stderr().lock().write_all(text.as_bytes()) {
        // Whoever read it has gone; the exit status is still asked for.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new(format_args!("standard error: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// One line on standard error. Where that cannot be written the exit status still says it
/// (`eprintln!` would panic).
fn complain(text: &str) {
    writeln!(io::stderr().lock(), "tickernel: {text}").unwrap_or(());
}

/// A progress bar on standard error, if that is a terminal.
struct Progress(ProgressBar);

impl Progress {
    fn new(what: &'static str) -> Self {
        let bar = ProgressBar::no_length().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {pos} events {per_sec} {wide_bar}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    fn tell(&mut self, events: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(events);
    }

    fn end(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Help and version are printed as they are; of a mistake, one line that says what to do.
fn misused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return match error.print().and_then(|()| io::stdout().flush()) {
            Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
                complain(&format!("standard output: {why}"));
                ExitCode::from(2)
            }
            // Whoever reads may have gone.
            Ok(()) | Err(_) => ExitCode::from(if error.use_stderr() { 2 } else { 0 }),
        };
    }
    let text = error.render().to_string();
    let parts = text.split("\n\n").next().unwrap_or_default().split_whitespace();
    let what = parts.collect::<Vec<_>>().join(" ");
    let what = what.strip_prefix("error: ").unwrap_or(&what);
    complain(&format!("{what}; see `tickernel help` and `tickernel help COMMAND`"));
    ExitCode::from(2)
}

/// Runs the command of the process's arguments.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    let result = match arguments.command {
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Dump(arguments) => dump::run(&arguments),
        Command::Digest(arguments) => digest::run(&arguments),
        Command::Load(arguments) => load::run(&arguments),
        Command::Drive(arguments) => drive::run(&arguments),
    };
    match result {
        Ok(Verdict::Agrees) => ExitCode::SUCCESS,
        Ok(Verdict::Differs) => ExitCode::FAILURE,
        Ok(Verdict::Damaged) => ExitCode::from(2),
        Err(Failure(text)) => {
            complain(&text);
            ExitCode::from(2)
        }
    }
}
