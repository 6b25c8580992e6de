//! `tickernel drive`: `crate::drive` on standard input and output.

use super::{Failure, Verdict};
use crate::drive;
use clap::{Args, ValueEnum};
use std::io::{self, BufWriter};
use tickernel_systems::Config;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whose rules calls follow
    #[arg(long, value_enum, default_value_t = Profile::Linux)]
    profile: Profile,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Profile {
    /// Linux, errno for errno
    Linux,
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    match arguments.profile {
        Profile::Linux => {}
    }
    let output = BufWriter::new(io::stdout().lock());
    match drive::run(io::stdin().lock(), output, Config::default()) {
        // Whoever read the answers has gone: nothing is left to do.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Verdict::Agrees),
        Err(error) => Err(Failure::new(format_args!("standard input or output: {error}"))),
        Ok(()) => Ok(Verdict::Agrees),
    }
}
