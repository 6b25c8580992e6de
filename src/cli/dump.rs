//! `tickernel dump`: the events as JSON lines, which `import` reads back without loss.

use super::{Failure, Verdict, read_input};
use crate::import::Source;
use crate::json::convert::{ConvertError, to_twin};
use crate::replay::write;
use crate::trace::TraceReader;
use clap::Args;
use std::io::{self, BufWriter};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A trace, its JSON twin, or a recording
    file: PathBuf,
    /// JSON lines (the default)
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let input = read_input(&arguments.file)?;
    let fail = |error: &dyn std::fmt::Display| Failure::of(&arguments.file, error);
    let mut whole = input.damage.map(|damage| damage.why);
    let trace = match input.imported.source {
        Source::Trace(bytes) => bytes,
        Source::Twin(twin) => twin.text,
        Source::Recording(recording) => {
            whole = recording.damage.as_ref().map(|damage| damage.why.clone());
            let written = write(&recording, input.imported.file, Vec::new());
            written.map_err(|error| fail(&error))?.0
        }
    };
    let mut reader = TraceReader::new(trace.as_slice()).map_err(|error| fail(&error))?;
    let damage = match to_twin(&mut reader, BufWriter::new(io::stdout().lock())) {
        Ok(damage) => damage.map(|damage| damage.to_string()),
        Err(ConvertError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(Verdict::Agrees);
        }
        Err(error) => return Err(fail(&error)),
    };
    match damage.or(whole) {
        None => Ok(Verdict::Agrees),
        Some(why) => Err(Failure::new(format_args!(
            "{}: damaged: {why}; what stands before it was printed",
            arguments.file.display()
        ))),
    }
}
