//! Calls and answers as text for reports: one line each, long data cut.

use tickernel_systems::abi::Errno;
use tickernel_systems::abi::flags::name_of;
use tickernel_systems::event::{Answer, Call, FieldSink, FieldValue, Outcome, Payload, Style};

use super::expected::Recorded;
use crate::json::{self, Form, Object};

/// Longest text of one field.
const MAX_FIELD_CHARS: usize = 60;

struct Line(String);

impl FieldSink for Line {
    fn field(&mut self, name: &'static str, style: Style, value: FieldValue<'_>) {
        if !self.0.ends_with('(') {
            self.0 += ", ";
        }
        let mut text = match (&value, style) {
            (FieldValue::Number(number), Style::Octal) => format!("0{number:o}"),
            (FieldValue::Number(-100), Style::Dirfd) => "AT_FDCWD".to_owned(),
            (FieldValue::Number(number), Style::Choice(names) | Style::OptionalChoice(names)) => {
                u64::try_from(*number)
                    .ok()
                    .and_then(|number| name_of(names, number))
                    .map_or(number.to_string(), str::to_owned)
            }
            (FieldValue::Number(number), Style::Flags(_) | Style::OptionalFlags(_)) => {
                format!("{number:#x}")
            }
            (FieldValue::Number(number), _) => number.to_string(),
            (FieldValue::Null, _) => "NULL".to_owned(),
            (FieldValue::Bytes(bytes), _) => {
                let head = bytes.get(..bytes.len().min(MAX_FIELD_CHARS)).unwrap_or_default();
                format!("\"{}\"", head.escape_ascii())
            }
            (FieldValue::List(words), _) => format!("[{} words]", words.len()),
            (_, style) => {
                json::show_field(style, value.clone()).map_or_else(String::new, |it| it.to_string())
            }
        };
        if text.chars().count() > MAX_FIELD_CHARS {
            text = text.chars().take(MAX_FIELD_CHARS).collect::<String>() + "…";
        }
        if matches!(value, FieldValue::Number(_)) && !matches!(name, "fd" | "path" | "dirfd") {
            self.0 += &format!("{name}={text}");
        } else {
            self.0 += &text;
        }
    }
}

/// `read(3, count=100)`
pub fn call_text(name: &str, call: &Call<'_>) -> String {
    if let Call::Unmodelled { .. } = call {
        // Only its name is in the trace.
        return format!("{name}(…)");
    }
    let mut line = Line(format!("{name}("));
    call.show(&mut line);
    line.0 + ")"
}

/// What a call wrote, as the text twin has it.
pub fn payload_text(payload: &Payload) -> String {
    let mut object = Object::new();
    let answer = Answer { value: 0, payload: payload.clone() };
    json::show_outcome(&mut object, "", &Outcome::Done(answer), Form::Twin);
    object.remove("ok");
    serde_json::Value::Object(object).to_string()
}

/// `= 5`, `= -1 EAGAIN`
pub fn result_text(result: Result<i64, Errno>) -> String {
    match result {
        Ok(value) => format!("= {value}"),
        Err(errno) => format!("= -1 {}", errno.name()),
    }
}

/// What the recording says.
pub fn recorded_text(recorded: Recorded) -> String {
    match recorded {
        Recorded::Value(value) => format!("= {value}"),
        Recorded::Errno(errno) => format!("= -1 {}", errno.name()),
        Recorded::Never => "= ?".to_owned(),
    }
}
