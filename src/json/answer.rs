//! What came of a call as JSON, both ways: `{"ok":…}` with what the call wrote, `{"err":…}`,
//! `{"blocked":…}`, and the end of a blocked call.

use super::files::{read_entries, read_stat, read_statfs, show_entries, show_stat, show_statfs};
use super::interface;
use super::names;
use super::socket::{
    put_received, read_address, read_alt_stack, read_got, read_option_value, read_received,
    show_address, show_alt_stack, show_got, show_option_value,
};
use super::structs::{
    Fields, read_action, read_epoll, read_info, read_limit, read_lock, read_numbers, read_owner,
    read_poll, read_status, read_termios, read_termios2, read_time, read_timer, read_winsize,
    show_action, show_coarse_timer, show_epoll, show_info, show_limit, show_lock, show_numbers,
    show_owner, show_poll, show_status, show_termios, show_termios2, show_time, show_timer,
    show_winsize,
};
use super::text::{put_bytes, take_bytes};
use super::{Form, JsonError, Object};
use serde_json::Value;
use std::borrow::Cow;
use tickernel_systems::abi::SelectSets;
use tickernel_systems::event::{
    Answer, Call, CallId, Completed, FieldSource, FieldValue, Outcome, Payload, Refusal, Style,
};
use tickernel_systems::wire::Bytes;

/// What pathconf(3) says where there is no limit.
const UNLIMITED: &str = "unlimited";
/// What an answer's field has at its end where the request has one of the same name.
const AFTER: &str = "_after";

/// Names of a call's results: those of its man page's pointers.
fn result_name(call: &str, payload: &Payload) -> &'static str {
    match payload {
        Payload::None | Payload::Select(_) | Payload::Offsets(..) | Payload::Received(_) => "",
        Payload::Data(_) => "data",
        Payload::Stat(_) => "stat",
        Payload::Statfs(_) => "statfs",
        Payload::Status(_) => "status",
        Payload::Info(_) => "info",
        Payload::Action(_) => "oldact",
        Payload::Set(_) if call == "rt_sigpending" => "set",
        Payload::Set(_) => "oldset",
        Payload::Fds(_) | Payload::Poll(_) => "fds",
        Payload::Groups(_) => "groups",
        Payload::Ids(_) => "ids",
        Payload::Limit(_) if call == "getrlimit" => "rlim",
        Payload::Limit(_) => "old_limit",
        Payload::Dirents(_) => "entries",
        Payload::Time(_) => "rem",
        Payload::Timer(_) if call.ends_with("_gettime") || call == "getitimer" => "curr_value",
        Payload::Timer(_) => "old_value",
        Payload::Address(_) => "addr",
        Payload::AltStack(_) => "old_ss",
        Payload::OptionValue(_) => "optval",
        Payload::Change(..) => "change",
        Payload::Datagram(..) => "datagram",
        Payload::Conf(_) => "value",
        Payload::Epoll(_) => "events",
        Payload::Lengths(_) => "lens",
        Payload::Messages(_) => "messages",
        Payload::Number(_) if call == "timer_create" => "timerid",
        Payload::Number(_) if call == "clone" => "pidfd",
        Payload::Lock(_)
        | Payload::Owner(_)
        | Payload::Termios(_)
        | Payload::Termios2(_)
        | Payload::Winsize(_)
        | Payload::Interface(_)
        | Payload::Interfaces(..)
        | Payload::Number(_) => "arg",
    }
}

/// Adds `ok` and what the call wrote. `call` is its name; where `object` is the request itself, no
/// field of it is touched.
pub(super) fn put_answer(object: &mut Object, call: &str, answer: &Answer, form: Form) {
    object.insert("ok".into(), answer.value.into());
    let name = result_name(call, &answer.payload);
    let name = free_name(object, call, name);
    let lossless = form == Form::Twin;
    let shown = match &answer.payload {
        Payload::None => return,
        Payload::Data(bytes) => return put_bytes(object, &name, &bytes.0),
        Payload::Select(sets) => return put_sets(object, call, sets),
        Payload::Offsets(input, output) => return put_offsets(object, call, *input, *output),
        Payload::Received(received) => {
            let name = |object: &Object, name| free_name(object, call, name);
            return put_received(object, received, name);
        }
        Payload::Stat(stat) => show_stat(stat, lossless),
        Payload::Statfs(statfs) => show_statfs(statfs),
        Payload::Status(status) => show_status(*status, lossless),
        Payload::Info(info) => show_info(info),
        Payload::Action(action) => show_action(action),
        Payload::Set(set) => names::show_set(*set),
        Payload::Fds(fds) => show_numbers(fds.iter().map(|&fd| fd.into())),
        Payload::Poll(fds) => show_poll(fds, true),
        Payload::Epoll(events) => show_epoll(events),
        Payload::Groups(groups) => show_numbers(groups.iter().map(|&group| group.into())),
        Payload::Ids(ids) => show_numbers(ids.iter().map(|&id| id.into())),
        Payload::Limit(limit) => show_limit(*limit),
        Payload::Dirents(entries) => show_entries(entries, lossless),
        Payload::Lock(lock) => show_lock(lock),
        Payload::Owner(owner) => show_owner(*owner),
        Payload::Time(time) => show_time(*time),
        Payload::Timer(timer) if call.ends_with("itimer") => show_coarse_timer(*timer),
        Payload::Timer(timer) => show_timer(*timer),
        Payload::Termios(termios) => show_termios(termios),
        Payload::Termios2(termios) => show_termios2(termios),
        Payload::Winsize(size) => show_winsize(*size),
        Payload::Interface(interface) => interface::show_interface(interface),
        Payload::Interfaces(bytes, all) => interface::show_interfaces(*bytes, all),
        Payload::Address(address) => show_address(address),
        Payload::AltStack(stack) => show_alt_stack(*stack),
        Payload::OptionValue(value) => show_option_value(value),
        Payload::Lengths(lengths) => show_numbers(lengths.iter().map(|&length| length.into())),
        Payload::Messages(got) => show_got(got),
        Payload::Number(number) => Value::from(*number),
        Payload::Conf(value) => value.map_or_else(|| UNLIMITED.into(), Value::from),
        Payload::Datagram(host, port, data) => show_datagram(&host.0, *port, &data.0),
        Payload::Change(event, status) => show_numbers([i128::from(*event), i128::from(*status)]),
    };
    object.insert(name, shown);
}

/// A datagram of the face: where it came from, and what it says.
fn show_datagram(host: &[u8], port: u16, data: &[u8]) -> Value {
    let mut object = Object::new();
    put_bytes(&mut object, "host", host);
    object.insert("port".into(), port.into());
    put_bytes(&mut object, "data", data);
    object.into()
}

fn read_datagram(value: &Value) -> Result<Payload, JsonError> {
    let object = value.as_object().ok_or_else(|| JsonError("a datagram is an object".into()))?;
    let bytes = |name| -> Result<Bytes, JsonError> {
        let bytes = take_bytes(object, name, "datagram")?;
        Ok(Bytes(bytes.ok_or_else(|| JsonError::wrong(name, "datagram", "bytes"))?))
    };
    let port = Fields::over(object, "datagram").number("port")?;
    Ok(Payload::Datagram(bytes("host")?, port, bytes("data")?))
}

/// A result's name on its own, or beside a request that may have a field of that name.
fn free_name(object: &Object, call: &str, name: &str) -> String {
    let taken = object.contains_key("call") && FieldNames::of(call).0.contains(&name);
    if taken { format!("{name}{AFTER}") } else { name.to_owned() }
}

const SETS: [&str; 3] = ["readfds", "writefds", "exceptfds"];

fn put_sets(object: &mut Object, call: &str, sets: &SelectSets) {
    let lists = [&sets.read, &sets.write, &sets.except];
    for (name, list) in SETS.into_iter().zip(lists) {
        if let Some(list) = list {
            let name = free_name(object, call, name);
            object.insert(name, show_numbers(list.iter().map(|&fd| fd.into())));
        }
    }
}

fn offset_names(call: &str) -> [&'static str; 2] {
    if call == "sendfile" { ["offset", "off_out"] } else { ["off_in", "off_out"] }
}

fn put_offsets(object: &mut Object, call: &str, input: Option<i64>, output: Option<i64>) {
    for (name, offset) in offset_names(call).into_iter().zip([input, output]) {
        if let Some(offset) = offset {
            let name = free_name(object, call, name);
            object.insert(name, offset.into());
        }
    }
    // An answer that writes no offset is not one that writes none at all.
    if input.is_none() && output.is_none() {
        object.insert("offsets".into(), Value::Null);
    }
}

/// Adds what came of a call at once.
pub fn show_outcome(object: &mut Object, call: &str, outcome: &Outcome, form: Form) {
    match outcome {
        Outcome::Done(answer) => put_answer(object, call, answer, form),
        Outcome::Failed(errno) => {
            object.insert("err".into(), names::show_errno(*errno));
        }
        Outcome::Blocked(id) => {
            object.insert("blocked".into(), id.0.into());
        }
        Outcome::Asking => {
            object.insert("asking".into(), true.into());
        }
        Outcome::Refused(why) => {
            let (name, value) = match why {
                Refusal::Gone => ("gone", Value::Null),
                Refusal::Blocked(id) => ("blocked", id.0.into()),
                Refusal::Stopped => ("stopped", Value::Null),
                Refusal::Misplaced => ("misplaced", Value::Null),
            };
            let mut refused = Object::new();
            refused.insert(name.into(), value);
            object.insert("refused".into(), refused.into());
        }
    }
}

/// Adds how a blocked call ended: `ok` …, `err`, or `gone`.
pub fn show_completed(object: &mut Object, call: &str, result: &Completed, form: Form) {
    match result {
        Completed::Done(answer) => put_answer(object, call, answer, form),
        Completed::Failed(errno) => {
            object.insert("err".into(), names::show_errno(*errno));
        }
        Completed::Gone(status) => {
            object.insert("gone".into(), show_status(*status, form == Form::Twin));
        }
    }
}

/// Reads what [`show_outcome`] added; `None` if nothing of it is there.
///
/// # Errors
/// A field is of the wrong kind.
pub fn read_outcome(object: &Object, call: &str) -> Result<Option<Outcome>, JsonError> {
    let of = "the answer";
    if object.contains_key("ok") {
        return Ok(Some(Outcome::Done(read_answer(object, call)?)));
    }
    if let Some(errno) = object.get("err") {
        return Ok(Some(Outcome::Failed(read_errno(errno)?)));
    }
    if object.contains_key("blocked") {
        return Ok(Some(Outcome::Blocked(CallId(Fields::over(object, of).number("blocked")?))));
    }
    if object.contains_key("asking") {
        return Ok(Some(Outcome::Asking));
    }
    let Some(refused) = object.get("refused") else { return Ok(None) };
    let fields = Fields::new(refused, "refused")?;
    let has = |name| fields.get(name).is_ok();
    Ok(Some(Outcome::Refused(match () {
        () if has("gone") => Refusal::Gone,
        () if has("stopped") => Refusal::Stopped,
        () if has("misplaced") => Refusal::Misplaced,
        () => Refusal::Blocked(CallId(fields.number("blocked")?)),
    })))
}

/// Reads what [`show_completed`] added.
///
/// # Errors
/// It is not there, or of the wrong kind.
pub fn read_completed(object: &Object, call: &str) -> Result<Completed, JsonError> {
    if let Some(status) = object.get("gone") {
        return Ok(Completed::Gone(read_status(status, "gone")?));
    }
    if let Some(errno) = object.get("err") {
        return Ok(Completed::Failed(read_errno(errno)?));
    }
    Ok(Completed::Done(read_answer(object, call)?))
}

pub(super) fn read_errno(value: &Value) -> Result<tickernel_systems::abi::Errno, JsonError> {
    names::errno(value).ok_or_else(|| JsonError::wrong("err", "the answer", "the name of an errno"))
}

/// Reads `ok` and what the call wrote.
///
/// # Errors
/// `ok` is not there, or a field is of the wrong kind.
pub fn read_answer(object: &Object, call: &str) -> Result<Answer, JsonError> {
    let value = Fields::over(object, "the answer").number("ok")?;
    Ok(Answer { value, payload: read_payload(object, call)? })
}

/// A result's field: the one that ends with [`AFTER`], or else the plain one if the request has no
/// field of that name (then the plain one is the request's).
struct Results<'o> {
    object: &'o Object,
    request: FieldNames,
}

impl<'o> Results<'o> {
    fn get(&self, name: &str) -> Option<&'o Value> {
        let plain = || self.object.get(name).filter(|_| !self.request.0.contains(&name));
        self.object.get(&format!("{name}{AFTER}")).or_else(plain)
    }
}

/// The names of a call's fields, from the table.
#[derive(Default)]
struct FieldNames(Vec<&'static str>);

impl FieldNames {
    fn of(call: &str) -> Self {
        let mut names = Self::default();
        // Every field gets a value of its kind, so the call is built and each name was asked for.
        let _built = Call::read(call, &mut names);
        names
    }
}

impl<'a> FieldSource<'a> for FieldNames {
    type Error = ();

    fn field(
        &mut self,
        name: &'static str,
        _style: Style,
        kind: &FieldValue<'_>,
    ) -> Result<FieldValue<'a>, ()> {
        self.0.push(name);
        Ok(match kind {
            FieldValue::Null => FieldValue::Null,
            FieldValue::Bytes(_) => FieldValue::Bytes(Cow::Borrowed(&[])),
            FieldValue::List(_) => FieldValue::List(Vec::new()),
            FieldValue::Number(number) => FieldValue::Number(*number),
            FieldValue::Numbers(_) => FieldValue::Numbers(Vec::new()),
            FieldValue::Set(set) => FieldValue::Set(*set),
            FieldValue::Time(time) => FieldValue::Time(*time),
            FieldValue::Action(action) => FieldValue::Action(*action),
            FieldValue::Info(info) => FieldValue::Info(*info),
            FieldValue::Poll(_) => FieldValue::Poll(Vec::new()),
            FieldValue::Limit(limit) => FieldValue::Limit(*limit),
            FieldValue::Timer(timer) => FieldValue::Timer(*timer),
            FieldValue::SigEvent(event) => FieldValue::SigEvent(*event),
            FieldValue::Lock(lock) => FieldValue::Lock(*lock),
            FieldValue::Owner(owner) => FieldValue::Owner(*owner),
            FieldValue::Termios(termios) => FieldValue::Termios(*termios),
            FieldValue::Termios2(termios) => FieldValue::Termios2(*termios),
            FieldValue::Winsize(size) => FieldValue::Winsize(*size),
            FieldValue::Interface(interface) => FieldValue::Interface(*interface),
            FieldValue::Address(address) => FieldValue::Address(address.clone()),
            FieldValue::AltStack(stack) => FieldValue::AltStack(*stack),
            FieldValue::Cred(cred) => FieldValue::Cred(*cred),
            FieldValue::OptionValue(value) => FieldValue::OptionValue(value.clone()),
            FieldValue::Messages(_) => FieldValue::Messages(Vec::new()),
        })
    }

    fn misfit(&self, _name: &'static str) {}
}

fn read_payload(object: &Object, call: &str) -> Result<Payload, JsonError> {
    let alone = !object.contains_key("call");
    let request = if alone { FieldNames::default() } else { FieldNames::of(call) };
    let results = Results { object, request };
    if !results.request.0.contains(&"data")
        && let Some(bytes) = take_bytes(object, "data", "the answer")?
    {
        if matches!(call, "recvfrom" | "recvmsg") {
            let received = read_received(bytes, |name| results.get(name))?;
            return Ok(Payload::Received(Box::new(received)));
        }
        return Ok(Payload::Data(Bytes(bytes)));
    }
    if let Some(sets) = read_sets(&results)? {
        return Ok(Payload::Select(Box::new(sets)));
    }
    if let Some(offsets) = read_offsets(&results, call)? {
        return Ok(offsets);
    }
    for name in NAMES {
        if let Some(value) = results.get(name) {
            return read_named(name, value);
        }
    }
    Ok(Payload::None)
}

/// Names of results that stand for one payload each.
const NAMES: [&str; 28] = [
    "optval",
    "value",
    "change",
    "datagram",
    "addr",
    "old_ss",
    "stat",
    "statfs",
    "status",
    "info",
    "oldact",
    "oldset",
    "set",
    "fds",
    "groups",
    "ids",
    "old_limit",
    "rlim",
    "entries",
    "rem",
    "old_value",
    "curr_value",
    "arg",
    "timerid",
    "pidfd",
    "events",
    "lens",
    "messages",
];

fn read_named(name: &str, value: &Value) -> Result<Payload, JsonError> {
    let triple = |numbers: Vec<u32>| {
        numbers.try_into().map_err(|_| JsonError::wrong(name, "the answer", "three numbers"))
    };
    Ok(match name {
        "stat" => Payload::Stat(Box::new(read_stat(value, name)?)),
        "statfs" => Payload::Statfs(Box::new(read_statfs(value, name)?)),
        "value" if value == UNLIMITED => Payload::Conf(None),
        "value" => {
            Payload::Conf(Some(value.as_u64().ok_or_else(|| {
                JsonError::wrong(name, "the answer", "a number or \"unlimited\"")
            })?))
        }
        "status" => Payload::Status(read_status(value, name)?),
        "info" => Payload::Info(Box::new(read_info(value, name)?)),
        "oldact" => Payload::Action(Box::new(read_action(value, name)?)),
        "oldset" | "set" => {
            Payload::Set(names::set(value).ok_or_else(|| {
                JsonError::wrong(name, "the answer", "a list of names of signals")
            })?)
        }
        "fds" => read_fds(name, value)?,
        "events" => Payload::Epoll(read_epoll(value, name)?),
        "lens" => Payload::Lengths(read_numbers(value, name)?),
        "messages" => Payload::Messages(read_got(value, name)?),
        "groups" => Payload::Groups(read_numbers(value, name)?),
        "change" => {
            let [event, status]: [i64; 2] = read_numbers::<i64>(value, name)?
                .try_into()
                .map_err(|_| JsonError::wrong(name, "the answer", "two numbers"))?;
            match (u32::try_from(event), i32::try_from(status)) {
                (Ok(event), Ok(status)) => Payload::Change(event, status),
                (_, _) => return Err(JsonError::wrong(name, "the answer", "two small numbers")),
            }
        }
        "datagram" => read_datagram(value)?,
        "ids" => Payload::Ids(triple(read_numbers(value, name)?)?),
        "old_limit" | "rlim" => Payload::Limit(read_limit(value, name)?),
        "addr" => Payload::Address(Box::new(read_address(value, name)?)),
        "old_ss" => Payload::AltStack(read_alt_stack(value, name)?),
        "optval" => Payload::OptionValue(Box::new(read_option_value(value, name)?)),
        "entries" => Payload::Dirents(read_entries(value, name)?),
        "rem" => Payload::Time(read_time(value, name)?),
        "old_value" | "curr_value" => Payload::Timer(read_timer(value, name)?),
        _ => read_arg(name, value)?,
    })
}

/// pipe(2)'s two numbers or poll(2)'s list of objects. An empty list is poll's.
fn read_fds(name: &str, value: &Value) -> Result<Payload, JsonError> {
    let numbers = value.as_array().and_then(|items| items.first()).is_some_and(Value::is_number);
    if !numbers {
        return Ok(Payload::Poll(read_poll(value, name)?));
    }
    let fds: Vec<i32> = read_numbers(value, name)?;
    let fds = fds.try_into().map_err(|_| JsonError::wrong(name, "the answer", "two numbers"))?;
    Ok(Payload::Fds(fds))
}

/// What fcntl(2) or ioctl(2) wrote: its shape tells which structure.
fn read_arg(name: &str, value: &Value) -> Result<Payload, JsonError> {
    let has = |field: &str| value.get(field).is_some();
    if has("whence") {
        return Ok(Payload::Lock(read_lock(value, name)?));
    }
    if has("type") {
        return Ok(Payload::Owner(read_owner(value, name)?));
    }
    if has("ispeed") {
        return Ok(Payload::Termios2(Box::new(read_termios2(value, name)?)));
    }
    if has("cc") {
        return Ok(Payload::Termios(Box::new(read_termios(value, name)?)));
    }
    if has("ifc_len") {
        let (bytes, all) = interface::read_interfaces(value, name)?;
        return Ok(Payload::Interfaces(bytes, all));
    }
    if interface::is_interface(value) {
        return Ok(Payload::Interface(interface::read_interface(value, name)?));
    }
    if has("ws_row") {
        return Ok(Payload::Winsize(read_winsize(value, name)?));
    }
    let number = names::plain(value).and_then(|number| i64::try_from(number).ok());
    number
        .map(Payload::Number)
        .ok_or_else(|| JsonError::wrong(name, "the answer", "a number or a known structure"))
}

fn read_sets(results: &Results<'_>) -> Result<Option<SelectSets>, JsonError> {
    let read = |name| results.get(name).map(|list| read_numbers(list, name)).transpose();
    let sets = SelectSets { read: read(SETS[0])?, write: read(SETS[1])?, except: read(SETS[2])? };
    let any = sets.read.is_some() || sets.write.is_some() || sets.except.is_some();
    Ok(any.then_some(sets))
}

fn read_offsets(results: &Results<'_>, call: &str) -> Result<Option<Payload>, JsonError> {
    let read = |name: &str| match results.get(name) {
        None => Ok(None),
        Some(value) => names::plain(value)
            .and_then(|number| i64::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| JsonError::wrong(name, "the answer", "an offset")),
    };
    if !matches!(call, "sendfile" | "copy_file_range") {
        return Ok(None);
    }
    let [input, output] = offset_names(call);
    let (input, output) = (read(input)?, read(output)?);
    let any = input.is_some() || output.is_some() || results.object.contains_key("offsets");
    Ok(any.then_some(Payload::Offsets(input, output)))
}
