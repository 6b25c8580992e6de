//! The command `tickernel`: see `tickernel::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tickernel::cli::main()
}
