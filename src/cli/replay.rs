//! `tickernel replay`: replays a trace or a recording and compares.

use super::{Failure, Progress, Verdict, complain, read_input, replay_input};
use crate::replay::{Options, Replayed};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A trace, its JSON twin, strace's text, or a folder of `NAME.PID` files
    file: PathBuf,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// The last event that is taken (the first is 0)
    #[arg(long, value_name = "SEQ")]
    until: Option<u64>,
    /// Stop at the first mismatch
    #[arg(long)]
    no_force: bool,
    /// Calls that the kernel does not know are no disagreement
    #[arg(long)]
    allow_unsupported: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let input = read_input(&arguments.file)?;
    let mut progress = Progress::new("replaying");
    let mut tell = |events, total| progress.tell(events, total);
    let mut options = Options {
        until: arguments.until,
        force: !arguments.no_force,
        progress: Some(&mut tell),
        ..Options::default()
    };
    let replayed = replay_input(&arguments.file, input, &mut options)?;
    progress.end();
    print(&replayed, arguments.json)?;
    Ok(verdict(&replayed, arguments.allow_unsupported))
}

/// The report on standard output as JSON, or on standard error for people.
pub(super) fn print(replayed: &Replayed, json: bool) -> Result<(), Failure> {
    let report = &replayed.report;
    if json {
        let text = serde_json::to_string(report).map_err(Failure::new)?;
        super::print_line(&text)?;
        if let Some(damage) = &replayed.damage {
            let (file, why) = (&report.file, damage.why.replace('\n', " "));
            complain(&format!("{file}: damaged: {why}; the report is of what stands before"));
        }
        return Ok(());
    }
    super::print_report(&report.to_text())
}

/// Damaged input is 2, a disagreement 1.
fn verdict(replayed: &Replayed, allow_unsupported: bool) -> Verdict {
    if replayed.damage.is_some() {
        Verdict::Damaged
    } else if replayed.report.agrees(allow_unsupported) {
        Verdict::Agrees
    } else {
        Verdict::Differs
    }
}
