//! ioctl: terminals, and the few requests for any descriptor.

use serde_json::{Value, json};

use super::{Kind, Plan, Planned};
use crate::fields::{Fields, Object};
use crate::names::{self, Table};
use crate::shared::{Area, get};

/// `struct termios` of the kernel: four flag words, the line discipline, 19 control characters.
const TERMIOS_BYTES: usize = 36;
/// The same with two speeds behind it, and `struct termio` of half words and eight characters.
const TERMIOS2_BYTES: usize = 44;
const TERMIO_BYTES: usize = 18;
const CONTROL_CHARACTERS: usize = 19;
const FLAG_WORDS: [(&str, Table); 4] = [
    ("iflag", names::IFLAGS),
    ("oflag", names::OFLAGS),
    ("cflag", names::CFLAGS),
    ("lflag", names::LFLAGS),
];

pub(super) fn plan(call: &str, f: &Fields<'_>, area: &mut Area) -> Option<Planned> {
    (call == "ioctl").then(|| ioctl(f, area))
}

fn ioctl(f: &Fields<'_>, area: &mut Area) -> Planned {
    let (fd, request) = (f.number("fd")?, request(f)?);
    let plan = |argument| Plan::new(libc::SYS_ioctl, &[fd, request, argument]);
    Ok(match request {
        libc::TCGETS => {
            let at = area.room(TERMIOS_BYTES)?;
            plan(at).replying(move |_, answer| put(answer, shown_termios(&get(at))))
        }
        libc::TCGETS2 => {
            let at = area.room(TERMIOS2_BYTES)?;
            plan(at).replying(move |_, answer| put(answer, shown_termios2(&get(at))))
        }
        libc::TCGETA => old_settings(plan(area.room(TERMIO_BYTES)?)),
        libc::TCSETS | libc::TCSETSW | libc::TCSETSF => plan(termios(f, area)?),
        libc::TIOCGWINSZ => {
            let at = area.room(8)?;
            plan(at).replying(move |_, answer| {
                let [row, col, x, y] = get::<[u16; 4]>(at);
                let size = json!({ "ws_row": row, "ws_col": col, "ws_xpixel": x, "ws_ypixel": y });
                put(answer, size);
            })
        }
        libc::TIOCSWINSZ => plan(window_size(f, area)?),
        libc::FIONREAD
        | libc::TIOCGPGRP
        | libc::TIOCGSID
        | libc::TIOCOUTQ
        | libc::TIOCGPTN
        | libc::TIOCGEXCL
        | libc::TIOCGETD
        | TIOCGDEV
        | SIOCATMARK
        | TIOCGPKT..=TIOCGPTLCK => {
            let at = area.room(8)?;
            plan(at).replying(move |_, answer| put(answer, get::<i32>(at).into()))
        }
        libc::TIOCSPGRP
        | libc::FIONBIO
        | libc::FIOASYNC
        | libc::TIOCSPTLCK
        | libc::TIOCPKT
        | libc::TIOCSETD => plan(area.put(&(f.number("arg")? as i32))?),
        TFD_IOC_SET_TICKS => plan(area.put(&f.number("arg")?)?),
        SIOCGIFNAME..=SIOCGIFTXQLEN => interface(f, area, fd, request)?,
        // Who types for himself may type VINTR.
        libc::TIOCSTI => plan(area.put(&(f.number("arg")? as u8))?).of_kind(Kind::SendsSignal),
        // Who gives up a terminal may be of the group that is hung up by that.
        libc::TIOCNOTTY | TIOCSIG => plan(f.number_or("arg", 0)?).of_kind(Kind::SendsSignal),
        libc::TIOCSCTTY
        | libc::FIOCLEX
        | libc::FIONCLEX
        | libc::TIOCEXCL
        | libc::TIOCNXCL
        | libc::TCSBRK
        | libc::TCXONC
        | libc::TCFLSH
        | libc::TIOCGPTPEER
        | libc::TIOCSBRK
        | libc::TIOCCBRK
        | libc::TCSBRKP
        | libc::TIOCVHANGUP => plan(f.number_or("arg", 0)?),
        _ => return Err(format!("field request: the host twin does not pass on {request:#x}")),
    })
}

fn shown_termios2(bytes: &[u8; TERMIOS2_BYTES]) -> Value {
    let mut shown = shown_termios(bytes.first_chunk().unwrap_or(&[0; TERMIOS_BYTES]));
    for (name, word) in ["ispeed", "ospeed"].iter().zip(bytes[36..].chunks_exact(4)) {
        let word = u32::from_le_bytes(word.try_into().unwrap_or_default());
        shown[*name] = word.into();
    }
    shown
}

/// Requests that the C library has no names for (asm-generic/ioctls.h).
const TIOCGDEV: u64 = 0x8004_5432;
const SIOCATMARK: u64 = 0x8905;
const TIOCSIG: u64 = 0x4004_5436;
const TIOCGPKT: u64 = 0x8004_5438;
const TIOCGPTLCK: u64 = 0x8004_5439;

/// A request by its name or number.
fn request(f: &Fields<'_>) -> Result<u64, String> {
    let name = f.value("request").and_then(Value::as_str);
    match name.and_then(|name| names::value(names::MORE_IOCTLS, name)) {
        Some(number) => Ok(number),
        None => f.flags("request", names::IOCTLS),
    }
}

fn old_settings(plan: Plan) -> Plan {
    let at = plan.arguments[2];
    plan.replying(move |_, answer| put(answer, shown_termio(&get(at))))
}

const TFD_IOC_SET_TICKS: u64 = 0x4008_5400;
const SIOCGIFNAME: u64 = 0x8910;
const SIOCGIFCONF: u64 = 0x8912;
const SIOCGIFTXQLEN: u64 = 0x8942;
const REQUEST_BYTES: usize = 40;

/// struct ifreq: a name of 16 bytes and a union; struct ifconf: a length and where the buffer is.
fn interface(f: &Fields<'_>, area: &mut Area, fd: u64, request: u64) -> Planned {
    let plan = |at| Plan::new(libc::SYS_ioctl, &[fd, request, at]);
    if request == SIOCGIFCONF {
        let length = f.number("arg")?;
        let buffer = if length == 0 { 0 } else { area.room(400)? };
        let at = area.put(&[length & 0xffff_ffff, buffer])?;
        return Ok(plan(at).replying(move |_, answer| {
            let length = get::<[i32; 2]>(at)[0];
            let count = if buffer == 0 { 0 } else { length as u64 / REQUEST_BYTES as u64 };
            let shown =
                |index| shown_interface(&get(buffer + index * REQUEST_BYTES as u64), 0x8915);
            let all: Vec<Value> = (0..count).map(shown).collect();
            put(answer, json!({ "ifc_len": length, "ifc_req": all }));
        }));
    }
    let asked = f.object("arg")?;
    let mut bytes = [0; REQUEST_BYTES];
    let name = asked.bytes("ifr_name")?.unwrap_or_default();
    bytes.get_mut(..name.len()).ok_or("a name of 16 bytes")?.copy_from_slice(&name);
    bytes[16..20].copy_from_slice(&(asked.number_or("ifr_ifindex", 0)? as i32).to_le_bytes());
    let at = area.bytes(&bytes)?;
    Ok(plan(at).replying(move |_, answer| put(answer, shown_interface(&get(at), request))))
}

fn shown_interface(bytes: &[u8; REQUEST_BYTES], request: u64) -> Value {
    let end = bytes.iter().take(16).position(|byte| *byte == 0).unwrap_or(16);
    let mut shown = json!({ "ifr_name": String::from_utf8_lossy(&bytes[..end]) });
    let word = i32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
    let half = u16::from_le_bytes([bytes[16], bytes[17]]);
    let (name, value) = match request {
        0x8910 | 0x8933 => ("ifr_ifindex", word.into()),
        0x8913 => ("ifr_flags", names::join(names::INTERFACE_FLAGS, half.into())),
        0x8915..=0x891b => {
            let host = std::net::Ipv4Addr::new(bytes[20], bytes[21], bytes[22], bytes[23]);
            ("ifr_addr", host.to_string().into())
        }
        0x8927 => ("ifr_hwaddr", half.into()),
        _ => ("ifr_value", word.into()),
    };
    shown[name] = value;
    shown
}

fn put(answer: &mut Object, argument: Value) {
    answer.insert("arg".into(), argument);
}

fn window_size(f: &Fields<'_>, area: &mut Area) -> Result<u64, String> {
    let size = f.object("arg")?;
    let mut words = [0u16; 4];
    for (word, name) in words.iter_mut().zip(["ws_row", "ws_col", "ws_xpixel", "ws_ypixel"]) {
        *word = size.number_or(name, 0)? as u16;
    }
    area.put(&words)
}

fn termios(f: &Fields<'_>, area: &mut Area) -> Result<u64, String> {
    let given = f.object("arg")?;
    let mut bytes = Vec::new();
    for (name, table) in FLAG_WORDS {
        bytes.extend((given.flags_or_0(name, table)? as u32).to_le_bytes());
    }
    bytes.push(given.number_or("line", 0)? as u8);
    let mut characters = [0; CONTROL_CHARACTERS];
    if given.has("cc") {
        let cc = given.object("cc")?;
        for (name, index) in names::CONTROL_CHARACTERS {
            characters[*index as usize] = cc.number_or(name, 0)? as u8;
        }
    }
    bytes.extend(characters);
    area.bytes(&bytes)
}

fn shown_termio(bytes: &[u8; TERMIO_BYTES]) -> Value {
    let mut wide = [0; TERMIOS_BYTES];
    for (word, half) in wide.chunks_exact_mut(4).zip(bytes[..8].chunks_exact(2)) {
        word[..2].copy_from_slice(half);
    }
    wide[16..25].copy_from_slice(&bytes[8..17]);
    shown_termios(&wide)
}

fn shown_termios(bytes: &[u8; TERMIOS_BYTES]) -> Value {
    let mut shown = Object::new();
    let words = bytes.chunks_exact(4);
    for ((name, table), word) in FLAG_WORDS.iter().zip(words) {
        let word = u32::from_le_bytes(word.try_into().unwrap_or_default());
        shown.insert((*name).into(), names::join(table, u64::from(word)));
    }
    let characters: Object = names::CONTROL_CHARACTERS
        .iter()
        .map(|(name, index)| ((*name).to_owned(), bytes[17 + *index as usize].into()))
        .collect();
    shown.insert("cc".into(), characters.into());
    shown.into()
}
