//! `tickernel drive`: `crate::drive` on standard input and output.

use super::{Failure, Verdict};
use crate::drive;
use crate::kernel::{FaceClock, KernelVmConfig};
use crate::permissions::Permissions;
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
    /// The contract's, where it differs; the calls of the face are spoken by pid 0
    SecureExec,
}

impl Profile {
    fn config(self) -> Config {
        match self {
            Profile::Linux => Config::default(),
            Profile::SecureExec => {
                let mut face = KernelVmConfig::new("drive");
                face.permissions = Permissions::allow_all();
                face.clock = FaceClock::Virtual;
                face.seed = Some(0);
                face.core_config(false, Config::default().start_ns)
            }
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let config = arguments.profile.config();
    let output = BufWriter::new(io::stdout().lock());
    match drive::run(io::stdin().lock(), output, config) {
        // Whoever read the answers has gone: nothing is left to do.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Verdict::Agrees),
        Err(error) => Err(Failure::new(format_args!("standard input or output: {error}"))),
        Ok(()) => Ok(Verdict::Agrees),
    }
}
