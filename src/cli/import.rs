//! `tickernel import`: a recording or a JSON twin becomes a trace; prints replay's report.

use super::{Failure, Progress, Verdict, read_input, replay as report, write_trace};
use crate::replay::{Options, replay};
use clap::Args;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A recording, a JSON twin, or a trace
    file: PathBuf,
    /// The trace that is written
    #[arg(short, long, value_name = "OUT.trace")]
    output: PathBuf,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let input = read_input(&arguments.file)?;
    let fail = |error: &dyn std::fmt::Display| Failure::of(&arguments.output, error);
    let out = File::create(&arguments.output).map_err(|error| fail(&error))?;
    write_trace(&input, BufWriter::new(out)).map_err(|error| fail(&error))?;
    let mut progress = Progress::new("replaying");
    let mut tell = |events, total| progress.tell(events, total);
    let mut options = Options { until: None, force: true, progress: Some(&mut tell) };
    let replayed =
        replay(input, &mut options).map_err(|error| Failure::of(&arguments.file, &error))?;
    progress.end();
    report::print(&replayed, arguments.json)?;
    // Mismatches do not keep a trace from being written; damage means that not all of it was.
    Ok(if replayed.damage.is_some() { Verdict::Damaged } else { Verdict::Agrees })
}
