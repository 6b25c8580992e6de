//! Programs that are written down, beside Linux: request for request, our kernel replaced by its
//! own snapshot between two of them, its books in balance.

use super::compare::Normal;
use super::host::Host;
use super::ours::our_kernel;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use std::fmt::Write;
use tickernel_systems::Kernel;

/// Milliseconds that the machine gets for each request when a difference is looked at again.
const PATIENCE_MS: [u64; 4] = [0, 2, 10, 40];
/// Requests in order.
pub(crate) type Program = Vec<Value>;

/// Our answers to a program.
pub(crate) fn ours(program: &Program) -> Vec<Vec<Value>> {
    let mut drive = our_kernel();
    let answer = |request: &Value| {
        let bytes = drive.kernel_mut().snapshot();
        let again = Kernel::restore(&bytes).unwrap_or_else(|error| panic!("{request}: {error}"));
        *drive.kernel_mut() = again;
        let lines = drive.answer(request.to_string().as_bytes());
        drive.kernel_mut().audit().unwrap_or_else(|defect| panic!("{request}: {defect}"));
        lines.into_iter().map(Value::Object).collect()
    };
    program.iter().map(answer).collect()
}

/// Where Linux answers otherwise first.
fn difference(program: &Program, ours: &[Vec<Value>], host: &mut Host, ms: u64) -> Option<String> {
    host.ask(r#"{"op":"reset"}"#);
    host.ask(&json!({"op": "patience", "ns": ms * 1_000_000}).to_string());
    let (mut our_form, mut host_form) = (Normal::default(), Normal::default());
    for (at, (request, lines)) in program.iter().zip(ours).enumerate() {
        let linux = host.ask(&request.to_string());
        let (left, right) = (our_form.lines(lines), host_form.lines(&linux));
        if left != right {
            return Some(report(program, ours, at, (&left, &right)));
        }
    }
    None
}

fn report(
    program: &Program,
    ours: &[Vec<Value>],
    at: usize,
    (left, right): (&[Value], &[Value]),
) -> String {
    let mut text = String::from("\n");
    for (request, lines) in program.iter().zip(ours).take(at) {
        let lines: Vec<String> = lines.iter().map(shown).collect();
        let _ = writeln!(text, "  {}\n      -> {}", shown(request), lines.join("  "));
    }
    let _ = writeln!(text, "  {}", shown(&program[at]));
    for (name, lines) in [("tickernel", left), ("Linux    ", right)] {
        let lines: Vec<String> = lines.iter().map(shown).collect();
        let _ = writeln!(text, "    {name} {}", lines.join("  "));
    }
    text
}

/// A line with its bytes as text, cut if it is long.
fn shown(line: &Value) -> String {
    let mut line = line.clone();
    if let Some(object) = line.as_object_mut()
        && let Some(data) = object.get("data_b64").and_then(Value::as_str)
    {
        let bytes = BASE64_STANDARD.decode(data).unwrap_or_default();
        object.insert("data_b64".into(), bytes.escape_ascii().to_string().into());
    }
    let text = line.to_string();
    text.char_indices().nth(400).map_or(text.clone(), |(end, _)| text[..end].to_owned())
}

/// A difference that stays, with what led to it.
pub(crate) fn lasting_difference(program: &Program, host: &mut Host) -> Option<String> {
    let ours = ours(program);
    let mut found = None;
    for ms in PATIENCE_MS {
        found = difference(program, &ours, host, ms);
        if found.is_none() {
            break;
        }
    }
    found
}
