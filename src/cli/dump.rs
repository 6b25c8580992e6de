//! `tickernel dump`: the events as JSON lines, which `import` reads back without loss, or in
//! strace's form, with the side file that goes with it.

use super::import::is_same_file;
use super::{Failure, Verdict, read_input};
use crate::dump::{self, DumpError};
use crate::import::Source;
use crate::json::convert::{ConvertError, to_twin};
use crate::replay::write;
use crate::trace::TraceReader;
use clap::Args;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A trace, its JSON twin, or a recording
    file: PathBuf,
    /// JSON lines (the default)
    #[arg(long, conflicts_with = "strace")]
    json: bool,
    /// What `strace -f -ttt -T -yy -v -X verbose` would have printed, in nanoseconds: `import`
    /// reads it
    #[arg(long)]
    strace: bool,
    /// Writes what strace never prints of the first state; of a text NAME.strace `import` reads
    /// NAME.meta.json
    #[arg(long, value_name = "NAME.meta.json", requires = "strace")]
    meta: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    if let Some(meta) = arguments.meta.as_deref().filter(|it| is_same_file(it, &arguments.file)) {
        return Err(Failure::of(meta, "it is the input itself; give another file after --meta"));
    }
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
    let damage = if arguments.strace {
        match strace(&trace, arguments.meta.as_deref())? {
            Ok(damage) => damage,
            Err(DumpError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(Verdict::Agrees);
            }
            Err(error) => return Err(fail(&error)),
        }
    } else {
        let mut reader = TraceReader::new(trace.as_slice()).map_err(|error| fail(&error))?;
        match to_twin(&mut reader, BufWriter::new(io::stdout().lock())) {
            Ok(damage) => damage.map(|damage| damage.to_string()),
            Err(ConvertError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(Verdict::Agrees);
            }
            Err(error) => return Err(fail(&error)),
        }
    };
    match damage.or(whole) {
        None => Ok(Verdict::Agrees),
        Some(why) => Err(Failure::new(format_args!(
            "{}: damaged: {why}; what stands before it was printed",
            arguments.file.display()
        ))),
    }
}

/// Prints strace's form; a failure of the side file is the outer error.
fn strace(trace: &[u8], meta: Option<&Path>) -> Result<Result<Option<String>, DumpError>, Failure> {
    if let Some(path) = meta {
        let side = match dump::side_file_of(trace) {
            Ok(side) => side.to_string(),
            Err(error) => return Ok(Err(error)),
        };
        std::fs::write(path, side).map_err(|error| Failure::of(path, error))?;
    }
    Ok(dump::to_strace(trace, BufWriter::new(io::stdout().lock())))
}
