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
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read};
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

/// A trace that is printed.
enum Trace {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Trace {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Trace::Bytes(bytes) => Box::new(bytes.as_slice()),
            Trace::File(path) => Box::new(BufReader::new(File::open(path)?)),
        })
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    if let Some(meta) = arguments.meta.as_deref().filter(|it| is_same_file(it, &arguments.file)) {
        return Err(Failure::of(meta, "it is the input itself; give another file after --meta"));
    }
    let input = read_input(&arguments.file)?;
    let fail = |error: &dyn std::fmt::Display| Failure::of(&arguments.file, error);
    let mut whole = input.damage.map(|damage| damage.why);
    let trace = match input.imported.source {
        Source::Stored(path) => Trace::File(path),
        Source::Trace(bytes) => Trace::Bytes(bytes),
        Source::Twin(twin) => Trace::Bytes(twin.text),
        Source::Recording(recording) => {
            whole = recording.damage.as_ref().map(|damage| damage.why.clone());
            let written = write(&recording, input.imported.file, Vec::new());
            Trace::Bytes(written.map_err(|error| fail(&error))?.0)
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
        let reader = TraceReader::new(trace.open().map_err(|error| fail(&error))?);
        let mut reader = reader.map_err(|error| fail(&error))?;
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
fn strace(
    trace: &Trace,
    meta: Option<&Path>,
) -> Result<Result<Option<String>, DumpError>, Failure> {
    let twice = || Ok::<_, DumpError>((trace.open()?, trace.open()?));
    if let Some(path) = meta {
        let side = match twice().and_then(|(trace, again)| dump::side_file_from(trace, again)) {
            Ok(side) => side.to_string(),
            Err(error) => return Ok(Err(error)),
        };
        std::fs::write(path, side).map_err(|error| Failure::of(path, error))?;
    }
    let out = BufWriter::new(io::stdout().lock());
    Ok(twice().and_then(|(trace, again)| dump::to_strace_from(trace, again, out)))
}
