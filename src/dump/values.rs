//! Numbers, names, strings and sets as strace prints them with `-X verbose`: each constant as its
//! number and its names (strace(1)). Names come from the tables of `tickernel_systems::abi`, the
//! way back is `import/numbers.rs`. Structures are in `structs.rs`.

use tickernel_systems::abi::flags::{AT_FDCWD, FILE_TYPES, Names, O_ACCMODE, S_IFMT, name_of};
use tickernel_systems::abi::{SigSet, Signal};
use tickernel_systems::event::Style;

use crate::strace::Text;

/// What stands for the address of memory whose contents are not shown. The kernel knows none.
pub(super) const ADDRESS: &str = "0x7ff000000000";

/// `0`, `0x5`: a word of bits.
pub(super) fn hex(number: u64) -> String {
    if number == 0 { "0".to_owned() } else { format!("{number:#x}") }
}

/// `0644`, `0`: a number in octal.
pub(super) fn octal(number: u32) -> String {
    if number == 0 { "000".to_owned() } else { format!("0{number:o}") }
}

/// The names of the bits of a word, joined; what no name covers stands last as a number.
pub(super) fn names_of_bits(
    number: u64,
    table: impl Iterator<Item = (&'static str, u64)>,
) -> String {
    let mut left = number;
    let mut names = Vec::new();
    for (name, bits) in table {
        if bits != 0 && left & bits == bits {
            names.push(name.to_owned());
            left &= !bits;
        } else if bits == 0 && (number == 0 || name == "O_RDONLY" && number & MODE == 0) {
            names.push(name.to_owned());
        }
    }
    if left != 0 && !names.is_empty() {
        names.push(hex(left));
    }
    names.join("|")
}

/// The access mode of open(2): no bit stands for reading alone.
const MODE: u64 = O_ACCMODE as u64;

fn noted(number: String, names: &str) -> String {
    if names.is_empty() { number } else { format!("{number} /* {names} */") }
}

/// `0x241 /* O_WRONLY|O_CREAT|O_TRUNC */`
pub(super) fn flags(number: impl Into<u64>, table: Names) -> String {
    let number = number.into();
    noted(hex(number), &names_of_bits(number, table.iter().copied()))
}

/// `0x2 /* SIG_SETMASK */`: one of several.
pub(super) fn choice(number: impl Into<u64>, table: Names) -> String {
    let number = number.into();
    noted(hex(number), name_of(table, number).unwrap_or_default())
}

/// `10 /* SIGUSR1 */`; 0 and what is no signal by their numbers alone.
pub(super) fn signal(number: i32) -> String {
    noted(number.to_string(), Signal::new(number).map_or("", Signal::name))
}

/// `[10 /* USR1 */ 12 /* USR2 */]`, `~[]`; the complement where that is shorter.
pub(super) fn sigset(set: SigSet) -> String {
    let few = |set: SigSet| {
        let one = |signal: Signal| {
            let name = signal.name();
            noted(signal.number().to_string(), name.strip_prefix("SIG").unwrap_or(name))
        };
        set.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    if set.iter().count() > 42 {
        return format!("~[{}]", few(SigSet::ALL.without(set)));
    }
    format!("[{}]", few(set))
}

/// `"a\n"`: bytes in quotes, those that are not ASCII in hex.
pub(super) fn text(bytes: &[u8]) -> String {
    Text { bytes: bytes.to_vec(), cut: false, at: false, hex: false }.to_string()
}

/// `"\x00\x50"`: bytes that are all printed in hex.
pub(super) fn raw(bytes: &[u8]) -> String {
    Text { bytes: bytes.to_vec(), cut: false, at: false, hex: true }.to_string()
}

/// A path, or NULL. It ends at its first NUL, as in C.
pub(super) fn path(path: Option<&[u8]>) -> String {
    let Some(path) = path else { return "NULL".to_owned() };
    let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
    text(path.get(..end).unwrap_or_default())
}

/// `0100644 /* S_IFREG|0644 */`
pub(super) fn mode(mode: u32) -> String {
    let rest = octal(mode & !S_IFMT);
    let kind = name_of(FILE_TYPES, u64::from(mode & S_IFMT));
    let names = kind.map_or_else(|| rest.clone(), |kind| format!("{kind}|{rest}"));
    noted(octal(mode), &names)
}

/// `[1, 2]`
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// A number whose style the table of calls tells.
pub(super) fn styled(number: i128, style: Style) -> String {
    let bits = u64::try_from(number).ok();
    match (style, bits) {
        (Style::Octal, Some(bits)) => u32::try_from(bits).map_or_else(|_| hex(bits), octal),
        (Style::Flags(table) | Style::OptionalFlags(table), Some(bits)) => flags(bits, table),
        (Style::Choice(table) | Style::OptionalChoice(table), Some(bits)) => choice(bits, table),
        (Style::Signal, _) => i32::try_from(number).map_or_else(|_| number.to_string(), signal),
        (Style::Dirfd, _) if number == i128::from(AT_FDCWD) => "-100 /* AT_FDCWD */".to_owned(),
        _ => number.to_string(),
    }
}
