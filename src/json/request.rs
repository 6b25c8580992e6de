//! A request line: an object, and the system call that it holds.
//!
//! [`Request`] owns what a [`Call`] borrows: strings, and what stood in base64. A line of a twin
//! has fields beside those of its call; a request to `drive` may not.

use super::interface;
use super::names;
use super::socket::{read_address, read_alt_stack, read_cred, read_messages, read_option_value};
use super::structs::{
    Fields, read_action, read_info, read_limit, read_lock, read_numbers, read_owner, read_poll,
    read_sigevent, read_termios, read_termios2, read_time, read_timer, read_winsize,
};
use super::text::{B64, c_string, decode};
use super::{JsonError, Object, parse_object};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tickernel_systems::abi::Signal;
use tickernel_systems::abi::flags::{
    AT_FDCWD, FD_FLAGS, LOCK_KINDS, Names, O_CREAT, O_TMPFILE, OPEN_FLAGS, SEALS, number_of,
};
use tickernel_systems::abi::socket::{OPTION_LEVELS, option_names};
use tickernel_systems::event::{Call, FieldSource, FieldValue, Style};

/// Fields that are bytes with a length; every other string is C's and ends at a NUL.
const BYTES: [&str; 2] = ["data", "value"];

/// The size of the caller's buffer when it is left out (getcwd(2), getgroups(2), getxattr(2)): all
/// fits (NGROUPS_MAX and XATTR_SIZE_MAX of limits.h).
const SIZE_MAX: u64 = 65_536;

/// One line that was read: a system call, an operation or an event.
#[derive(Clone, Debug, Default)]
pub struct Request {
    object: Object,
    decoded: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Request {
    /// Reads a line.
    ///
    /// # Errors
    /// It is not one JSON object.
    pub fn parse(line: &[u8]) -> Result<Self, JsonError> {
        Ok(Self::new(parse_object(line)?))
    }

    /// From an object that is there already.
    pub fn new(object: Object) -> Self {
        let mut decoded = BTreeMap::new();
        for (name, value) in &object {
            let items = match value {
                Value::Array(items) if name.ends_with(B64) => items.as_slice(),
                Value::String(_) if name.ends_with(B64) => core::slice::from_ref(value),
                _ => continue,
            };
            let bytes = items.iter().map(|item| decode(name, "", item)).collect();
            if let Ok(bytes) = bytes {
                decoded.insert(name.clone(), bytes);
            }
        }
        Self { object, decoded }
    }

    /// All fields.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// A field that is text.
    ///
    /// # Errors
    /// It is missing or something else.
    pub fn text(&self, name: &str) -> Result<&str, JsonError> {
        let value = self.object.get(name).ok_or_else(|| JsonError::missing(name, "the line"))?;
        value.as_str().ok_or_else(|| JsonError::wrong(name, "the line", "a string"))
    }

    /// A field that is a number of this type.
    ///
    /// # Errors
    /// It is missing, no number, or does not fit.
    pub fn number<N: TryFrom<i128>>(&self, name: &str) -> Result<N, JsonError> {
        Fields::over(&self.object, "the line").number(name)
    }

    /// Whether the field is there.
    pub fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// A field of bytes, under its name or the one that ends with `_b64`.
    ///
    /// # Errors
    /// It is missing, or not a string.
    pub fn bytes(&self, name: &str) -> Result<Cow<'_, [u8]>, JsonError> {
        match self.string(name, "the line")? {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => Err(JsonError::missing(name, "the line")),
        }
    }

    /// The system call, with all its fields.
    ///
    /// # Errors
    /// The kernel knows no call of that name; a field is missing or of the wrong kind.
    pub fn call(&self) -> Result<Call<'_>, JsonError> {
        self.read_call().map(|(call, _)| call)
    }

    /// The same of a line that has no other fields than the call's and these.
    ///
    /// # Errors
    /// As [`Request::call`], and a field that the call does not have.
    pub fn call_alone(&self, beside: &[&str]) -> Result<Call<'_>, JsonError> {
        let (call, asked) = self.read_call()?;
        let known: Vec<&str> = asked.iter().chain(beside).copied().collect();
        self.has_no_others(call.name(), &known)?;
        Ok(call)
    }

    /// Whether each field is one of these, or one of them in base64.
    ///
    /// # Errors
    /// The first that is not.
    pub fn has_no_others(&self, of: &str, known: &[&str]) -> Result<(), JsonError> {
        let is_known = |name: &str| known.contains(&name);
        let other = self
            .object
            .keys()
            .find(|name| !is_known(name) && !name.strip_suffix(B64).is_some_and(is_known));
        match other {
            None => Ok(()),
            Some(name) => Err(JsonError(format!("{of}: there is no field \"{name}\""))),
        }
    }

    /// The call, and the names of its fields.
    fn read_call(&self) -> Result<(Call<'_>, Vec<&'static str>), JsonError> {
        let name = self.text("call")?;
        let mut source = Source { request: self, call: name, asked: Vec::new() };
        match Call::read(name, &mut source) {
            Some(call) => Ok((call?, source.asked)),
            None => Err(JsonError(format!("there is no call \"{name}\""))),
        }
    }

    /// A field stands under its name or in base64.
    fn stands_once(&self, name: &str, coded: &str, of: &str) -> Result<(), JsonError> {
        if self.has(name) && self.has(coded) {
            let both = format!(
                "{of}: the fields \"{name}\" and \"{coded}\" are both there: leave one out"
            );
            return Err(JsonError(both));
        }
        Ok(())
    }

    fn string(&self, name: &str, of: &str) -> Result<Option<&[u8]>, JsonError> {
        let coded = format!("{name}{B64}");
        if let Some(value) = self.object.get(name) {
            self.stands_once(name, &coded, of)?;
            let text = value.as_str().ok_or_else(|| JsonError::wrong(name, of, "a string"))?;
            return Ok(Some(text.as_bytes()));
        }
        match (self.decoded.get(&coded).map(Vec::as_slice), self.object.contains_key(&coded)) {
            (Some([bytes]), _) => Ok(Some(bytes)),
            (_, true) => Err(JsonError::wrong(&coded, of, "a string in base64")),
            (_, false) => Ok(None),
        }
    }
}

/// Gives a call its fields from a [`Request`].
#[derive(Debug)]
pub struct Source<'a> {
    request: &'a Request,
    call: &'a str,
    /// The names of the fields so far.
    asked: Vec<&'static str>,
}

impl<'a> FieldSource<'a> for Source<'a> {
    type Error = JsonError;

    fn field(
        &mut self,
        name: &'static str,
        style: Style,
        kind: &FieldValue<'_>,
    ) -> Result<FieldValue<'a>, JsonError> {
        // The man pages of open(2) and of inotify_add_watch(2) say pathname; so may a line.
        let given =
            |name: &str| self.request.has(name) || self.request.has(&format!("{name}{B64}"));
        let name = if name == "pathname" && !given(name) { "path" } else { name };
        self.asked.push(name);
        match kind {
            FieldValue::Bytes(_) => return self.bytes(name, style),
            FieldValue::List(_) => return self.list(name),
            _ => {}
        }
        let optional =
            matches!(style, Style::Optional | Style::OptionalFlags(_) | Style::OptionalChoice(_));
        match self.request.object.get(name) {
            None => self.left_out(name, style),
            Some(Value::Null) if optional => Ok(FieldValue::Null),
            Some(value) => self.present(name, style, kind, value),
        }
    }

    fn misfit(&self, name: &'static str) -> JsonError {
        JsonError(format!(
            "{}: the field \"{name}\" does not fit: too large or too small",
            self.call
        ))
    }
}

impl<'a> Source<'a> {
    fn wrong(&self, name: &str, wanted: &str) -> JsonError {
        JsonError::wrong(name, self.call, wanted)
    }

    fn bytes(&self, name: &'static str, style: Style) -> Result<FieldValue<'a>, JsonError> {
        let may_be_null = !BYTES.contains(&name) || matches!(style, Style::Optional);
        if self.request.object.get(name) == Some(&Value::Null) && may_be_null {
            return Ok(FieldValue::Null);
        }
        match self.request.string(name, self.call)? {
            Some(bytes) if BYTES.contains(&name) => Ok(FieldValue::Bytes(Cow::Borrowed(bytes))),
            Some(bytes) => Ok(FieldValue::Bytes(Cow::Borrowed(self.string(bytes)))),
            None if matches!(style, Style::Optional) => Ok(FieldValue::Null),
            None => Err(JsonError::missing(name, self.call)),
        }
    }

    fn list(&self, name: &'static str) -> Result<FieldValue<'a>, JsonError> {
        let wrong = |name: &str| self.wrong(name, "a list of strings");
        let coded = format!("{name}{B64}");
        self.request.stands_once(name, &coded, self.call)?;
        let items: Option<Vec<&'a [u8]>> = match self.request.object.get(name) {
            Some(value) => value.as_array().and_then(|items| {
                items.iter().map(|item| item.as_str().map(str::as_bytes)).collect()
            }),
            None => match (self.request.decoded.get(&coded), self.request.has(&coded)) {
                (Some(items), _) => Some(items.iter().map(Vec::as_slice).collect()),
                (None, true) => return Err(wrong(&coded)),
                (None, false) => return Err(JsonError::missing(name, self.call)),
            },
        };
        let items = items.ok_or_else(|| wrong(name))?;
        let strings = items.into_iter().map(|item| Cow::Borrowed(self.string(item)));
        Ok(FieldValue::List(strings.collect()))
    }

    /// What a call is given of a string: a system call what stands before the first NUL, and one of
    /// the face, whose strings are Rust's, all of it.
    fn string(&self, bytes: &'a [u8]) -> &'a [u8] {
        let is_face =
            |&&(number, name): &&(u32, &str)| number >= Call::FIRST_FACE && name == self.call;
        if Call::NAMES.iter().any(|entry| is_face(&entry)) { bytes } else { c_string(bytes) }
    }

    /// What a field is when the line does not have it.
    fn left_out(&self, name: &'static str, style: Style) -> Result<FieldValue<'a>, JsonError> {
        match style {
            // Most programs give the number that they watch.
            Style::Optional if name == "data" && self.call == "epoll_ctl" => {
                let fd: i128 = self.request.number("fd")?;
                Ok(FieldValue::Number(i128::from(fd as u32)))
            }
            Style::Optional if name == "size" => Ok(FieldValue::Number(SIZE_MAX.into())),
            Style::Optional | Style::OptionalFlags(_) | Style::OptionalChoice(_) => {
                Ok(FieldValue::Null)
            }
            Style::Dirfd => Ok(FieldValue::Number(AT_FDCWD.into())),
            Style::Octal if self.opens_what_exists() => Ok(FieldValue::Null),
            Style::Plain
            | Style::Octal
            | Style::Flags(_)
            | Style::Choice(_)
            | Style::SocketOption
            | Style::Signal => Err(JsonError::missing(name, self.call)),
        }
    }

    /// open(2): the mode counts only where a file may be made, and may be left out elsewhere.
    fn opens_what_exists(&self) -> bool {
        let makes = |bits: i128| {
            bits & i128::from(O_CREAT) != 0 || bits & i128::from(O_TMPFILE) == i128::from(O_TMPFILE)
        };
        matches!(self.call, "open" | "openat" | "openat2")
            && self.request.object.get("flags").is_some_and(|flags| {
                names::table_flags(flags, OPEN_FLAGS).is_some_and(|bits| !makes(bits))
            })
    }

    fn present(
        &self,
        name: &'static str,
        style: Style,
        kind: &FieldValue<'_>,
        value: &Value,
    ) -> Result<FieldValue<'a>, JsonError> {
        Ok(match kind {
            FieldValue::Number(_) => FieldValue::Number(self.number(name, style, value)?),
            FieldValue::Numbers(_) => FieldValue::Numbers(read_numbers(value, name)?),
            FieldValue::Set(_) => FieldValue::Set(
                names::set(value).ok_or_else(|| self.wrong(name, "a list of names of signals"))?,
            ),
            FieldValue::Time(_) => FieldValue::Time(read_time(value, name)?),
            FieldValue::Action(_) => FieldValue::Action(read_action(value, name)?),
            FieldValue::Info(_) => FieldValue::Info(read_info(value, name)?),
            FieldValue::Poll(_) => FieldValue::Poll(read_poll(value, name)?),
            FieldValue::Limit(_) => FieldValue::Limit(read_limit(value, name)?),
            FieldValue::Timer(_) => FieldValue::Timer(read_timer(value, name)?),
            FieldValue::SigEvent(_) => FieldValue::SigEvent(read_sigevent(value, name)?),
            FieldValue::Lock(_) if value.is_object() && value.get("whence").is_none() => {
                FieldValue::Owner(read_owner(value, name)?)
            }
            FieldValue::Owner(_) => FieldValue::Owner(read_owner(value, name)?),
            FieldValue::Lock(_) if value.is_object() => FieldValue::Lock(read_lock(value, name)?),
            FieldValue::Lock(_) => FieldValue::Number(self.fcntl_arg(name, value)?),
            FieldValue::Winsize(_) => FieldValue::Winsize(read_winsize(value, name)?),
            FieldValue::Interface(_) => {
                FieldValue::Interface(interface::read_interface(value, name)?)
            }
            FieldValue::Address(_) => FieldValue::Address(read_address(value, name)?),
            FieldValue::AltStack(_) => FieldValue::AltStack(read_alt_stack(value, name)?),
            FieldValue::Cred(_) => FieldValue::Cred(read_cred(value, name)?),
            FieldValue::OptionValue(_) => FieldValue::OptionValue(read_option_value(value, name)?),
            FieldValue::Messages(_) => FieldValue::Messages(read_messages(value, name)?),
            FieldValue::Termios(_) => self.ioctl_arg(name, value)?,
            FieldValue::Termios2(_) => FieldValue::Termios2(read_termios2(value, name)?),
            FieldValue::Null | FieldValue::Bytes(_) | FieldValue::List(_) => {
                return Err(self.wrong(name, "what the call takes"));
            }
        })
    }

    fn number(&self, name: &str, style: Style, value: &Value) -> Result<i128, JsonError> {
        let flags = |table: Names| match self.call {
            // The low byte of clone(2)'s flags is a signal.
            "clone" => names::flags(value, |name| {
                let signal = || Signal::from_name(name).map(|signal| signal.number().into());
                number_of(table, name).or_else(signal)
            }),
            _ => names::table_flags(value, table),
        };
        let (number, wanted) = match style {
            Style::Plain | Style::Optional => {
                (names::plain(value), "an integer, or one as a string in C's way")
            }
            Style::Octal => (names::mode(value), "a mode: a number, or names joined by |"),
            Style::Flags(table) | Style::OptionalFlags(table) => {
                (flags(table), "a number, or names joined by | that the man page has")
            }
            Style::Choice(table) | Style::OptionalChoice(table) => {
                (names::choice(value, table), "a number, or a name that the man page has")
            }
            Style::Signal => (names::signal_number(value), "the name of a signal, or a number"),
            Style::SocketOption => {
                (self.option(value), "a number, or the name of an option of that level")
            }
            Style::Dirfd => {
                let here = value.as_str() == Some("AT_FDCWD");
                let number = if here { Some(AT_FDCWD.into()) } else { names::plain(value) };
                (number, "a descriptor or \"AT_FDCWD\"")
            }
        };
        let number = number.ok_or_else(|| self.wrong(name, wanted))?;
        // Of the 64 bits of each number of `struct open_how` the upper half has no meaning: what
        // sets one of them is as wrong as what sets all of the lower (openat2(2), EINVAL).
        let is_wide = self.call == "openat2" && name != "dirfd" && number > u32::MAX.into();
        Ok(if is_wide { u32::MAX.into() } else { number })
    }

    /// The option of that name at the call's level.
    fn option(&self, value: &Value) -> Option<i128> {
        let level = self.request.object.get("level");
        let level = level.and_then(|level| names::choice(level, OPTION_LEVELS))?;
        names::choice(value, option_names(u32::try_from(level).unwrap_or(u32::MAX)))
    }

    /// fcntl(2)'s argument where it is no lock: F_SETFL and F_SETFD take flags, F_SETSIG a signal,
    /// F_ADD_SEALS seals, F_SETLEASE a kind of lock.
    fn fcntl_arg(&self, name: &str, value: &Value) -> Result<i128, JsonError> {
        let lookup = |name: &str| {
            let signal = || Signal::from_name(name).map(|signal| signal.number().into());
            let tables = [OPEN_FLAGS, FD_FLAGS, SEALS, LOCK_KINDS];
            tables.into_iter().find_map(|table| number_of(table, name)).or_else(signal)
        };
        names::flags(value, lookup)
            .ok_or_else(|| self.wrong(name, "a number, flags of the command, or a lock"))
    }

    /// ioctl(2)'s argument: which structure it is shows in its fields.
    fn ioctl_arg(&self, name: &str, value: &Value) -> Result<FieldValue<'a>, JsonError> {
        match value.as_object() {
            Some(object) if object.contains_key("ispeed") => {
                Ok(FieldValue::Termios2(read_termios2(value, name)?))
            }
            Some(object) if object.contains_key("cc") => {
                Ok(FieldValue::Termios(read_termios(value, name)?))
            }
            Some(_) if interface::is_interface(value) => {
                Ok(FieldValue::Interface(interface::read_interface(value, name)?))
            }
            Some(_) => Ok(FieldValue::Winsize(read_winsize(value, name)?)),
            None => names::plain(value)
                .map(FieldValue::Number)
                .ok_or_else(|| self.wrong(name, "a number, a window size or a termios")),
        }
    }
}
