//! `tickernel import`: a recording or a JSON twin becomes a trace; prints replay's report.

use super::{Failure, Verdict, read_input, replay as report, replay_input};
use crate::import::{Source, Twin};
use crate::replay::{Options, write};
use clap::Args;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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

/// Whether both names are of one file that is there.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| std::fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    file(one).is_some_and(|one| Some(one) == file(other))
}

/// Copies what is a trace already.
fn copy(source: &Source, out: &mut impl Write) -> io::Result<()> {
    match source {
        Source::Stored(path) => io::copy(&mut File::open(path)?, out).map(drop),
        Source::Trace(bytes) | Source::Twin(Twin { text: bytes, .. }) => out.write_all(bytes),
        Source::Recording(_) => Ok(()),
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let input = read_input(&arguments.file)?;
    let fail = |error: &dyn std::fmt::Display| Failure::of(&arguments.output, error);
    if is_same_file(&arguments.file, &arguments.output) {
        return Err(fail(&"it is the input itself; give another file after -o"));
    }
    let mut out = BufWriter::new(File::create(&arguments.output).map_err(|error| fail(&error))?);
    let replayed = match &input.imported.source {
        Source::Recording(recording) => {
            let written = write(recording, input.imported.file.clone(), &mut out);
            written.map_err(|error| fail(&error))?.1
        }
        Source::Stored(_) | Source::Trace(_) | Source::Twin(_) => {
            copy(&input.imported.source, &mut out).map_err(|error| fail(&error))?;
            let mut options = Options { force: true, ..Options::default() };
            replay_input(&arguments.file, input, &mut options)?
        }
    };
    out.flush().map_err(|error| fail(&error))?;
    report::print(&replayed, arguments.json)?;
    // Mismatches do not keep a trace from being written; damage means that not all of it was.
    Ok(if replayed.damage.is_some() { Verdict::Damaged } else { Verdict::Agrees })
}
