//! Events and effects as JSON objects, both ways: the lines of the text twin.
//!
//! A call is a request as `drive` takes it. Every other event says with `event` what it is:
//! `park` and `inject` (requests too), `resume`, `deliver`, `clock`, `answer`, `signal`, `carry`,
//! `unchosen`, `incoming` (`network.rs`).

use super::network::{read_incoming, read_outgoing, show_incoming, show_outgoing};
use super::show::show_call;
use super::structs::{Fields, read_info, read_status, show_info, show_status};
use super::text::put_bytes;
use super::{JsonError, Object, Request, names};
use tickernel_systems::abi::{Errno, Signal};
use tickernel_systems::event::{CallId, Effect, Event, HostAnswer, TerminalEnd, Unchosen};
use tickernel_systems::wire::Bytes;

/// An event as an object.
pub fn show_event(event: &Event<'_>) -> Object {
    let kind = |kind: &str| {
        let mut object = Object::new();
        object.insert("event".into(), kind.into());
        object
    };
    match event {
        Event::Call { task, call } => show_call(*task, call),
        Event::Park { task, call } => {
            let mut object = kind("park");
            object.append(&mut show_call(*task, call));
            object
        }
        Event::Inject { task, errno, call } => {
            let mut object = kind("inject");
            object.insert("error".into(), names::show_errno(*errno));
            object.append(&mut show_call(*task, call));
            object
        }
        Event::Resume { call, max_bytes } => {
            let mut object = kind("resume");
            object.insert("id".into(), call.0.into());
            if *max_bytes != u64::MAX {
                object.insert("max_bytes".into(), (*max_bytes).into());
            }
            object
        }
        Event::Deliver { task, signal } => {
            let mut object = kind("deliver");
            object.insert("pid".into(), (*task).into());
            object.insert("sig".into(), signal.name().into());
            object
        }
        Event::Clock { delta_ns } => {
            let mut object = kind("clock");
            object.insert("ns".into(), (*delta_ns).into());
            object
        }
        Event::Answer(answer) => {
            let mut object = kind("answer");
            show_host_answer(&mut object, answer);
            object
        }
        Event::Carry { terminal, end } => {
            let mut object = kind("carry");
            object.insert("terminal".into(), (*terminal).into());
            object.insert("end".into(), end_name(*end).into());
            object
        }
        Event::Unchosen { what, number } => {
            let mut object = kind("unchosen");
            object.insert("what".into(), unchosen_name(*what).into());
            object.insert("number".into(), (*number).into());
            object
        }
        Event::Incoming(what) => {
            let mut object = kind("incoming");
            show_incoming(&mut object, what);
            object
        }
        Event::Signal { target, info } => {
            let mut object = kind("signal");
            object.insert("target".into(), (*target).into());
            object.insert("info".into(), show_info(info));
            object
        }
    }
}

fn show_host_answer(object: &mut Object, answer: &HostAnswer) {
    match answer {
        HostAnswer::Bytes(bytes) => put_bytes(object, "bytes", &bytes.0),
        HostAnswer::Result(value) => {
            object.insert("result".into(), (*value).into());
        }
        HostAnswer::Error(errno) => {
            object.insert("error".into(), names::show_errno(*errno));
        }
        HostAnswer::Answer(answer) => {
            let mut inner = Object::new();
            super::answer::put_answer(&mut inner, "", answer, super::Form::Twin);
            object.insert("answer".into(), inner.into());
        }
        HostAnswer::Absent => {}
    }
}

/// The event that a line holds.
///
/// # Errors
/// There is no such event or call; a field is missing or of the wrong kind.
pub fn read_event(line: &Request) -> Result<Event<'_>, JsonError> {
    if !line.has("event") {
        return Ok(Event::Call { task: line.number("pid")?, call: line.call()? });
    }
    Ok(match line.text("event")? {
        "park" => Event::Park { task: line.number("pid")?, call: line.call()? },
        "inject" => Event::Inject {
            task: line.number("pid")?,
            errno: read_errno(line.object().get("error"))?,
            call: line.call()?,
        },
        "resume" => Event::Resume {
            call: CallId(line.number("id")?),
            max_bytes: if line.has("max_bytes") { line.number("max_bytes")? } else { u64::MAX },
        },
        "deliver" => Event::Deliver { task: line.number("pid")?, signal: read_signal(line)? },
        "clock" => Event::Clock { delta_ns: line.number("ns")? },
        "answer" => Event::Answer(read_host_answer(line)?),
        "signal" => {
            let info = Fields::over(line.object(), "the line").get("info")?;
            Event::Signal { target: line.number("target")?, info: read_info(info, "info")? }
        }
        "carry" => {
            let end = [TerminalEnd::Master, TerminalEnd::Slave].into_iter();
            let wanted = line.text("end")?;
            let end = end.into_iter().find(|end| end_name(*end) == wanted);
            let end = end.ok_or_else(|| JsonError::wrong("end", "the line", "master or slave"))?;
            Event::Carry { terminal: line.number("terminal")?, end }
        }
        "unchosen" => {
            let wanted = line.text("what")?;
            let all = [Unchosen::Port, Unchosen::Name];
            let what = all.into_iter().find(|what| unchosen_name(*what) == wanted);
            let what = what.ok_or_else(|| JsonError::wrong("what", "the line", "port or name"))?;
            Event::Unchosen { what, number: line.number("number")? }
        }
        "incoming" => Event::Incoming(read_incoming(line)?),
        other => return Err(JsonError(format!("there is no event \"{other}\""))),
    })
}

/// How what nobody chose is called.
fn unchosen_name(what: Unchosen) -> &'static str {
    match what {
        Unchosen::Port => "port",
        Unchosen::Name => "name",
    }
}

/// How an end of a terminal is called.
fn end_name(end: TerminalEnd) -> &'static str {
    match end {
        TerminalEnd::Master => "master",
        TerminalEnd::Slave => "slave",
    }
}

fn read_signal(line: &Request) -> Result<Signal, JsonError> {
    let value = Fields::over(line.object(), "the line").get("sig")?;
    names::signal(value).ok_or_else(|| JsonError::wrong("sig", "the line", "the name of a signal"))
}

fn read_errno(value: Option<&serde_json::Value>) -> Result<Errno, JsonError> {
    let errno = value.and_then(names::errno);
    errno.ok_or_else(|| JsonError::wrong("error", "the line", "the name of an errno"))
}

fn read_host_answer(line: &Request) -> Result<HostAnswer, JsonError> {
    if let Some(errno) = line.object().get("error") {
        return Ok(HostAnswer::Error(read_errno(Some(errno))?));
    }
    if let Some(answer) = line.object().get("answer") {
        let inner = answer
            .as_object()
            .ok_or_else(|| JsonError::wrong("answer", "the line", "an object"))?;
        return Ok(HostAnswer::Answer(super::read_answer(inner, "")?));
    }
    if line.has("result") {
        return Ok(HostAnswer::Result(line.number("result")?));
    }
    if line.has("bytes") || line.has("bytes_b64") {
        return Ok(HostAnswer::Bytes(Bytes(line.bytes("bytes")?.into_owned())));
    }
    Ok(HostAnswer::Absent)
}

/// An effect as an object: what `drive` prints for a handler, and its like for the rest.
pub fn show_effect(effect: &Effect) -> Object {
    let mut inner = Object::new();
    let name = match effect {
        Effect::Handler { task, handler, info } => {
            inner.insert("pid".into(), (*task).into());
            inner.insert("sig".into(), names::show_signal(info.signo.into()));
            inner.insert("info".into(), show_info(info));
            if *handler != super::CAUGHT {
                inner.insert("handler".into(), (*handler).into());
            }
            "signal"
        }
        Effect::Stopped { process, signal } => {
            inner.insert("pid".into(), (*process).into());
            inner.insert("sig".into(), signal.name().into());
            "stopped"
        }
        Effect::Continued { process } => {
            inner.insert("pid".into(), (*process).into());
            "continued"
        }
        Effect::Exited { process, status } => {
            inner.insert("pid".into(), (*process).into());
            inner.insert("status".into(), show_status(*status, true));
            "exited"
        }
        Effect::Told { process, signal } => {
            inner.insert("pid".into(), (*process).into());
            inner.insert("sig".into(), signal.name().into());
            "told"
        }
        Effect::Ready { socket, accept } => {
            inner.insert("socket".into(), (*socket).into());
            inner.insert("accept".into(), (*accept).into());
            "ready"
        }
        Effect::Outgoing(what) => {
            show_outgoing(&mut inner, what);
            "outgoing"
        }
    };
    let mut object = Object::new();
    object.insert(name.into(), inner.into());
    object
}

/// Reads [`show_effect`]'s form.
///
/// # Errors
/// No such effect, or a field that is missing or of the wrong kind.
pub fn read_effect(object: &Object) -> Result<Effect, JsonError> {
    let entry = ["signal", "stopped", "told", "continued", "exited", "outgoing", "ready"]
        .into_iter()
        .find_map(|name| object.get(name).map(|value| (name, value)));
    let (name, value) = entry.ok_or_else(|| JsonError("there is no such effect".to_owned()))?;
    let fields = Fields::new(value, name)?;
    if name == "outgoing" {
        return read_outgoing(value).map(Effect::Outgoing);
    }
    if name == "ready" {
        let accept = fields.get("accept")?.as_bool();
        let accept = accept.ok_or_else(|| JsonError::wrong("accept", name, "true or false"))?;
        return Ok(Effect::Ready { socket: fields.number("socket")?, accept });
    }
    let process = fields.number("pid")?;
    Ok(match name {
        "signal" => {
            let handler =
                fields.get("handler").ok().map(|_| fields.number("handler")).transpose()?;
            Effect::Handler {
                task: process,
                handler: handler.unwrap_or(super::CAUGHT),
                info: read_info(fields.get("info")?, "info")?,
            }
        }
        "stopped" | "told" => {
            let signal = names::signal(fields.get("sig")?)
                .ok_or_else(|| JsonError::wrong("sig", name, "the name of a signal"))?;
            if name == "told" {
                Effect::Told { process, signal }
            } else {
                Effect::Stopped { process, signal }
            }
        }
        "continued" => Effect::Continued { process },
        _ => Effect::Exited { process, status: read_status(fields.get("status")?, "status")? },
    })
}
