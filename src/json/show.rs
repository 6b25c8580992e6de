//! A system call as a JSON object: the inverse of `request.rs`.

use super::Object;
use super::names::{self, show_flags, show_number};
use super::socket::{show_address, show_alt_stack, show_cred, show_messages, show_option_value};
use super::structs::{
    show_action, show_info, show_limit, show_lock, show_numbers, show_owner, show_poll,
    show_sigevent, show_termios, show_termios2, show_time, show_timer, show_winsize,
};
use super::text::{put_bytes, put_list};
use serde_json::Value;
use tickernel_systems::abi::Signal;
use tickernel_systems::abi::flags::{AT_FDCWD, Names};
use tickernel_systems::abi::socket::{OPTION_LEVELS, option_names};
use tickernel_systems::event::{Call, FieldSink, FieldValue, Style};

/// The request that this call is: `pid`, `call` and its fields. Flags that may be left out and are
/// 0 are left out, and so is what may be left out and is nothing.
pub fn show_call(pid: u32, call: &Call<'_>) -> Object {
    let mut object = Object::new();
    object.insert("pid".into(), pid.into());
    object.insert("call".into(), call.name().into());
    call.show(&mut Sink { object: &mut object, call: call.name() });
    object
}

/// One field alone; `None` for what may be left out and is nothing.
pub fn show_field(style: Style, value: FieldValue<'_>) -> Option<Value> {
    let mut object = Object::new();
    Sink { object: &mut object, call: "" }.field("it", style, value);
    object.into_iter().next().map(|(_, shown)| shown)
}

/// `{"all":…,SUBSYSTEM:…}`, each digest as 16 hexadecimal digits.
pub fn show_digests(all: u64, digests: &[(&'static str, u64)]) -> Object {
    let mut object = Object::new();
    object.insert("all".into(), format!("{all:016x}").into());
    for (name, digest) in digests {
        object.insert((*name).into(), format!("{digest:016x}").into());
    }
    object
}

struct Sink<'o> {
    object: &'o mut Object,
    call: &'static str,
}

impl FieldSink for Sink<'_> {
    fn field(&mut self, name: &'static str, style: Style, value: FieldValue<'_>) {
        let shown = match value {
            // That there are none of epoll_ctl(2) is not that there is no pointer to them.
            FieldValue::Number(0)
                if matches!(style, Style::OptionalFlags(_) | Style::OptionalChoice(_))
                    && name != "events" =>
            {
                return;
            }
            FieldValue::Null if matches!(style, Style::Optional) => return,
            FieldValue::Null => Value::Null,
            FieldValue::Number(number) => self.number(style, number),
            FieldValue::Bytes(bytes) => return put_bytes(self.object, name, &bytes),
            FieldValue::List(items) => {
                return put_list(self.object, name, items.iter().map(AsRef::as_ref));
            }
            FieldValue::Numbers(numbers) => show_numbers(numbers.into_iter().map(i128::from)),
            FieldValue::Set(set) => names::show_set(set),
            FieldValue::Time(time) => show_time(time),
            FieldValue::Action(action) => show_action(&action),
            FieldValue::Info(info) => show_info(&info),
            FieldValue::Poll(fds) => show_poll(&fds, false),
            FieldValue::Limit(limit) => show_limit(limit),
            FieldValue::Timer(timer) => show_timer(timer),
            FieldValue::SigEvent(event) => show_sigevent(event),
            FieldValue::Lock(lock) => show_lock(&lock),
            FieldValue::Owner(owner) => show_owner(owner),
            FieldValue::Termios(termios) => show_termios(&termios),
            FieldValue::Termios2(termios) => show_termios2(&termios),
            FieldValue::Winsize(size) => show_winsize(size),
            FieldValue::Interface(interface) => super::interface::show_interface(&interface),
            FieldValue::Address(address) => show_address(&address),
            FieldValue::AltStack(stack) => show_alt_stack(stack),
            FieldValue::Cred(cred) => show_cred(cred),
            FieldValue::OptionValue(value) => show_option_value(&value),
            FieldValue::Messages(messages) => show_messages(&messages),
        };
        self.object.insert(name.into(), shown);
    }
}

impl Sink<'_> {
    fn number(&self, style: Style, number: i128) -> Value {
        match style {
            Style::Plain | Style::Optional => show_number(number),
            Style::Octal => names::show_mode(number),
            Style::Flags(table) | Style::OptionalFlags(table) => self.flags(number, table),
            Style::Choice(table) | Style::OptionalChoice(table) => {
                names::show_choice(number, table)
            }
            Style::Signal => names::show_signal(number),
            Style::SocketOption => names::show_choice(number, self.option_names()),
            Style::Dirfd if number == i128::from(AT_FDCWD) => "AT_FDCWD".into(),
            Style::Dirfd => show_number(number),
        }
    }

    /// The names of the options of the level that was shown before.
    fn option_names(&self) -> Names {
        let level = self.object.get("level").and_then(|level| names::choice(level, OPTION_LEVELS));
        option_names(level.and_then(|level| u32::try_from(level).ok()).unwrap_or(u32::MAX))
    }

    fn flags(&self, number: i128, table: Names) -> Value {
        match self.call {
            "clone" => {
                let Some(signal) = Signal::new((number & 0xff) as i32) else {
                    return show_flags(number, table, "");
                };
                match show_flags(number & !0xff, table, "") {
                    Value::String(flags) if !flags.is_empty() => {
                        format!("{flags}|{}", signal.name()).into()
                    }
                    _ => signal.name().into(),
                }
            }
            // Both have the same bit, and unlinkat(2) knows only the other.
            "unlinkat" => show_flags(number, table, "AT_EACCESS"),
            _ => show_flags(number, table, ""),
        }
    }
}
