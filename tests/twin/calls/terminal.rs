//! ioctl: terminals, and the few requests for any descriptor.

use serde_json::{Value, json};

use super::{Plan, Planned};
use crate::fields::{Fields, Object};
use crate::names::{self, Table};
use crate::shared::{Area, get};

/// `struct termios` of the kernel: four flag words, the line discipline, 19 control characters.
const TERMIOS_BYTES: usize = 36;
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
    let (fd, request) = (f.number("fd")?, f.flags("request", names::IOCTLS)?);
    let plan = |argument| Plan::new(libc::SYS_ioctl, &[fd, request, argument]);
    Ok(match request {
        libc::TCGETS => {
            let at = area.room(TERMIOS_BYTES)?;
            plan(at).replying(move |_, answer| put(answer, shown_termios(&get(at))))
        }
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
        libc::FIONREAD | libc::TIOCGPGRP | libc::TIOCGSID | libc::TIOCOUTQ | libc::TIOCGPTN => {
            let at = area.room(8)?;
            plan(at).replying(move |_, answer| put(answer, get::<i32>(at).into()))
        }
        libc::TIOCSPGRP | libc::FIONBIO | libc::FIOASYNC | libc::TIOCSPTLCK | libc::TIOCPKT => {
            plan(area.put(&(f.number("arg")? as i32))?)
        }
        libc::TIOCSTI => plan(area.put(&(f.number("arg")? as u8))?),
        libc::TIOCSCTTY | libc::TIOCNOTTY | libc::FIOCLEX | libc::FIONCLEX | libc::TIOCEXCL => {
            plan(f.number_or("arg", 0)?)
        }
        libc::TIOCNXCL | libc::TCSBRK | libc::TCXONC | libc::TCFLSH => plan(f.number_or("arg", 0)?),
        _ => return Err(format!("field request: the host twin does not pass on {request:#x}")),
    })
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
