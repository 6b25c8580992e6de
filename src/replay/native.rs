//! A native trace that says what came of its events, or a case that a person wrote: what it says
//! against what came.

use super::text::call_text;
use crate::json::{self, Form, Object};
use tickernel_systems::event::{Event, Output};
use tickernel_systems::wire::{Wire, WireReader};

/// What was told and what came, as the text twin writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// What was told.
    pub(super) recorded: String,
    /// What came.
    pub(super) simulated: String,
    /// The first place where they differ, in words.
    pub(super) why: String,
}

/// The first difference between the outputs that a trace tells of an event and those that came; the
/// event's own outcome is the last of both.
pub(super) fn difference(told: &[u8], came: &[Output]) -> Option<Difference> {
    let mut reader = WireReader::new(told);
    let told = match Vec::<Output>::get(&mut reader) {
        Ok(told) if reader.finish().is_ok() => told,
        Ok(_) | Err(_) => {
            return Some(Difference {
                recorded: "bytes of no known form".to_owned(),
                simulated: String::new(),
                why: "what the trace tells of the event cannot be read".to_owned(),
            });
        }
    };
    if told == came {
        return None;
    }
    let at = told.iter().zip(came).take_while(|(told, came)| told == came).count();
    let why = match (told.get(at), came.get(at)) {
        (Some(_), Some(_)) => "it is another one",
        (Some(_), None) => "it did not come",
        (None, _) => "it came without being told",
    };
    Some(Difference {
        recorded: text(told.get(at)),
        simulated: text(came.get(at)),
        why: why.into(),
    })
}

fn text(output: Option<&Output>) -> String {
    let mut object = Object::new();
    match output {
        None => return "nothing".to_owned(),
        Some(Output::Outcome(_, outcome)) => {
            json::show_outcome(&mut object, "", outcome, Form::Twin);
        }
        Some(Output::Completion(completion)) => {
            object.insert("done".into(), completion.call.0.into());
            json::show_completed(&mut object, "", &completion.result, Form::Twin);
        }
        Some(Output::Effect(effect)) => object = json::show_effect(effect),
    }
    serde_json::Value::Object(object).to_string()
}

/// The call of an encoded event and who makes it.
pub(super) fn call_of(event: &[u8]) -> Option<(u32, String)> {
    match Event::get(&mut WireReader::new(event)) {
        Ok(
            Event::Call { task, call }
            | Event::Park { task, call }
            | Event::Inject { task, call, .. },
        ) => Some((task, call_text(call.name(), &call))),
        Ok(_) | Err(_) => None,
    }
}
