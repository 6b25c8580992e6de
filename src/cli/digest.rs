//! `tickernel digest`: the digest of the state after the last event.

use super::{Failure, Verdict, complain, print_line, read_input, replay_input};
use crate::replay::Options;
use clap::Args;
use serde_json::{Map, Value};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A trace, its JSON twin, or a recording
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let input = read_input(&arguments.file)?;
    let mut options = Options { force: true, ..Options::default() };
    let replayed = replay_input(&arguments.file, input, &mut options)?;
    let all = &replayed.report.digest;
    if arguments.json {
        let mut digest = Map::new();
        digest.insert("all".into(), all.clone().into());
        for (name, value) in &replayed.digests {
            digest.insert(name.clone(), format!("{value:016x}").into());
        }
        let mut object = Map::new();
        object.insert("file".into(), arguments.file.display().to_string().into());
        object.insert("digest".into(), Value::Object(digest));
        if let Some(damage) = &replayed.damage {
            object.insert("damage".into(), serde_json::to_value(damage).map_err(Failure::new)?);
        }
        print_line(&Value::Object(object).to_string())?;
    } else {
        for (name, value) in &replayed.digests {
            print_line(&format!("{name} {value:016x}"))?;
        }
        print_line(&format!("all {all}"))?;
    }
    match replayed.damage {
        None => Ok(Verdict::Agrees),
        Some(damage) if arguments.json => {
            complain(&format!("{}: damaged: {}", arguments.file.display(), damage.why));
            Ok(Verdict::Damaged)
        }
        Some(damage) => Err(Failure::new(format_args!(
            "{}: damaged: {}; the digest is of what stands before",
            arguments.file.display(),
            damage.why
        ))),
    }
}
