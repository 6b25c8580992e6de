//! `tickernel drive`: `crate::drive` on standard input and output.

use super::{Failure, Verdict};
use crate::drive;
use crate::kernel::{FaceClock, KernelVmConfig};
use crate::permissions::Permissions;
use clap::{Args, ValueEnum};
use std::io::{self, BufWriter};
use tickernel_systems::Config;
use tickernel_systems::event::{Call, FieldValue, Style};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whose rules calls follow
    #[arg(long, value_enum, default_value_t = Profile::Linux)]
    profile: Profile,
    /// Print the calls and operations that a request can ask for, with their fields, and end
    #[arg(long)]
    calls: bool,
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

/// What a field's value looks like in a request.
fn form(style: Style, kind: &FieldValue<'_>) -> &'static str {
    match (style, kind) {
        (Style::Octal, _) => "mode",
        (Style::Flags(_) | Style::OptionalFlags(_), _) => "flags",
        (Style::Choice(_) | Style::OptionalChoice(_) | Style::SocketOption, _) => "name",
        (Style::Signal, _) => "signal",
        (Style::Dirfd, _) => "descriptor or AT_FDCWD",
        (Style::Plain | Style::Optional, FieldValue::Number(_) | FieldValue::Null) => "number",
        (Style::Plain | Style::Optional, FieldValue::Bytes(_)) => "text",
        (Style::Plain | Style::Optional, FieldValue::List(_)) => "list of texts",
        (Style::Plain | Style::Optional, FieldValue::Numbers(_)) => "list of numbers",
        (Style::Plain | Style::Optional, FieldValue::Set(_)) => "list of signals",
        (Style::Plain | Style::Optional, FieldValue::Time(_)) => "{sec, nsec}",
        (Style::Plain | Style::Optional, FieldValue::Action(_)) => "{handler, mask, flags}",
        (Style::Plain | Style::Optional, FieldValue::Info(_)) => "{si_signo, si_code, ...}",
        (Style::Plain | Style::Optional, FieldValue::Poll(_)) => "list of {fd, events}",
        (Style::Plain | Style::Optional, FieldValue::Limit(_)) => "{cur, max}",
        (Style::Plain | Style::Optional, FieldValue::Timer(_)) => "{interval, value}",
        (Style::Plain | Style::Optional, FieldValue::SigEvent(_)) => "{sigev_notify, ...}",
        (Style::Plain | Style::Optional, FieldValue::Owner(_)) => "{type, pid}",
        (Style::Plain | Style::Optional, FieldValue::Lock(_)) => {
            "number, {type, whence, start, len}, or {type, pid}"
        }
        (
            Style::Plain | Style::Optional,
            FieldValue::Termios(_)
            | FieldValue::Termios2(_)
            | FieldValue::Winsize(_)
            | FieldValue::Interface(_),
        ) => "number, termios, {ws_row, ...} or {ifr_name}",
        (Style::Plain | Style::Optional, FieldValue::Address(_)) => "{family, ...}",
        (Style::Plain | Style::Optional, FieldValue::AltStack(_)) => "{ss_sp, ss_flags, ss_size}",
        (Style::Plain | Style::Optional, FieldValue::Cred(_)) => "{pid, uid, gid}",
        (Style::Plain | Style::Optional, FieldValue::OptionValue(_)) => {
            "number, {onoff, linger} or {sec, usec}"
        }
        (Style::Plain | Style::Optional, FieldValue::Messages(_)) => {
            "list of {data, [addr], [fds], [cred]}"
        }
    }
}

/// A line a call; what may be left out stands in brackets. Calls of the face come last.
fn calls() -> String {
    let mut lines = Vec::new();
    Call::describe(|number, name, fields| {
        let fields = fields.iter().map(|(field, style, kind)| match style {
            Style::Optional | Style::OptionalFlags(_) | Style::OptionalChoice(_) | Style::Dirfd => {
                format!("[{field}: {}]", form(*style, kind))
            }
            Style::Plain
            | Style::Octal
            | Style::Flags(_)
            | Style::Choice(_)
            | Style::SocketOption
            | Style::Signal => {
                format!("{field}: {}", form(*style, kind))
            }
        });
        let fields = fields.collect::<Vec<_>>().join(", ");
        lines.push((number >= Call::FIRST_FACE, name, fields));
    });
    lines.sort();
    let calls = lines.iter().map(|(_, name, fields)| format!("{name} {fields}"));
    let ops =
        drive::OPS.iter().map(|(op, fields)| format!("\"op\":\"{op}\" {}", fields.join(", ")));
    calls.chain(ops).map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

pub(super) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    if arguments.calls {
        super::print_line(&calls())?;
        return Ok(Verdict::Agrees);
    }
    let config = arguments.profile.config();
    let output = BufWriter::new(io::stdout().lock());
    match drive::run(io::stdin().lock(), output, config) {
        // Whoever read the answers has gone: nothing is left to do.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Verdict::Agrees),
        Err(error) => Err(Failure::new(format_args!("standard input or output: {error}"))),
        Ok(()) => Ok(Verdict::Agrees),
    }
}
