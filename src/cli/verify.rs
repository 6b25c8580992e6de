//! `tickernel verify`: whether an imported trace is what its recording says.

use super::{Failure, Verdict, complain, print_line, print_report};
use crate::verify::{Certificate, verify};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The recording
    recording: PathBuf,
    /// The trace that `import` made of it
    trace: PathBuf,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let found = verify(&arguments.recording, &arguments.trace).map_err(Failure::new)?;
    if arguments.json {
        print_line(&serde_json::to_string(&found).map_err(Failure::new)?)?;
    } else {
        print_report(&report(&arguments.trace, &found))?;
    }
    if let Some(damage) = &found.damage {
        let (file, why) = (arguments.recording.display(), damage.why.replace('\n', " "));
        complain(&format!("{file}: damaged: {why}; what stands before was checked"));
    }
    Ok(match (found.valid, found.damaged) {
        (_, true) => Verdict::Damaged,
        (true, false) => Verdict::Agrees,
        (false, false) => Verdict::Differs,
    })
}

/// What was checked, and whether it holds.
fn report(trace: &Path, found: &Certificate) -> String {
    let Certificate { calls, events, ordered, compared, fed, .. } = found;
    let verdict = match &found.fault {
        None => "valid".to_owned(),
        Some(fault) => {
            let line = fault.line.map(|line| format!("line {line}, ")).unwrap_or_default();
            let seq = fault.seq.map(|seq| format!("event {seq}: ")).unwrap_or_default();
            format!("not valid: {line}{seq}{}", fault.why)
        }
    };
    format!(
        "{}: {calls} calls, {events} events; {ordered} effects in order, {compared} answers as recorded, \
         {fed} fed\n{verdict}\n",
        trace.display()
    )
}
