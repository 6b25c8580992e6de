//! Settings and sizes of terminals (ioctl_tty(2), termios(3)) as strace prints them: by numbers or
//! by names, whole or without what stands behind the flags.

use tickernel_systems::abi::flags::{Names, number_of};
use tickernel_systems::abi::termios::*;
use tickernel_systems::abi::{Termios, Termios2, Winsize};

use crate::strace::Value;

/// Names of no bits at all, which strace prints for the kinds of a delay, a speed, a size.
const ZEROS: [&str; 8] = ["NL0", "CR0", "TAB0", "BS0", "VT0", "FF0", "B0", "CS5"];

/// Names of line disciplines that programs set (`N_TTY` is 0).
const LINES: Names = &[("N_TTY", 0)];

pub(super) fn winsize(value: &Value) -> Option<Winsize> {
    let small = |name: &str| value.field(name)?.as_u64().and_then(|n| u16::try_from(n).ok());
    Some(Winsize {
        row: small("ws_row")?,
        col: small("ws_col")?,
        xpixel: small("ws_xpixel").unwrap_or(0),
        ypixel: small("ws_ypixel").unwrap_or(0),
    })
}

/// Whether the characters of settings were printed.
pub(crate) fn has_characters(value: &Value) -> bool {
    value.field("c_cc").is_some()
}

pub(super) fn termios(value: &Value) -> Option<Termios> {
    let bits = |name: &str, table: Names| flags(value.field(name)?, table);
    let mut termios = Termios {
        iflag: bits("c_iflag", TERMIOS_IFLAGS)?,
        oflag: bits("c_oflag", TERMIOS_OFLAGS)?,
        cflag: bits("c_cflag", TERMIOS_CFLAGS)?,
        lflag: bits("c_lflag", TERMIOS_LFLAGS)?,
        line: bits("c_line", LINES).unwrap_or(0) as u8,
        cc: [0; 19],
    };
    // Abbreviated, they are not there: they stay what they are (`terminals.rs`).
    if !has_characters(value) {
        return Some(termios);
    }
    for (at, item) in value.field("c_cc")?.items()?.iter().enumerate() {
        let number = match item {
            Value::Indexed(pair) => pair.1.as_u64()?,
            other => other.as_u64()?,
        };
        *termios.cc.get_mut(at)? = number as u8;
    }
    Some(termios)
}

/// The same with speeds.
pub(super) fn termios2(value: &Value) -> Option<Termios2> {
    let speed = |name: &str| flags(value.field(name)?, TERMIOS_CFLAGS);
    let termios = termios(value)?;
    let (ispeed, ospeed) = (speed("c_ispeed"), speed("c_ospeed"));
    Some(Termios2 { termios, ispeed: ispeed.unwrap_or(0), ospeed: ospeed.unwrap_or(0) })
}

fn flags(value: &Value, table: Names) -> Option<u32> {
    let zero = |name: &str| ZEROS.contains(&name).then_some(0);
    // XTABS is what strace calls TAB3.
    let same = |name: &str| (name == "XTABS").then_some(i128::from(TAB3));
    let named = |name: &str| {
        number_of(table, name).map(i128::from).or_else(|| zero(name)).or_else(|| same(name))
    };
    u32::try_from(value.resolve(&named)?).ok()
}
