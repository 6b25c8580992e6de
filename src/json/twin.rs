//! The text twin of a trace: a JSON object a line, lossless both ways, made to be read and edited.
//!
//! The first line is the header, with the first image; then a line an event: `seq`, `tick`, the
//! event (a request as `drive` takes it, or an `event`), and what came of it: `ok`, `err` … of the
//! event itself, and before it in time `then`, the list of ends of waits and effects in their
//! order. The other items of a trace (`completions`, `digests`, `snapshot_b64`) name the event that
//! comes `next`; whoever edits a case deletes those lines. Bytes that are in no known form stay
//! whole in base64.

use super::answer::{read_completed, read_outcome, show_completed, show_outcome};
use super::event::{read_effect, read_event, show_effect, show_event};
use super::imported::{read_expected, show_expected};
use super::structs::Fields;
use super::text::decode;
use super::{Form, JsonError, Object, Request};
use crate::replay::Expected;
use crate::trace;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tickernel_systems::event::{CallId, Completion, Event, Outcome, Output};
use tickernel_systems::wire::{Wire, WireReader};

/// What the field that makes a line the header says: the version of these forms.
const VERSION: u64 = 1;
/// Level of zstd for images and snapshots.
const ZSTD_LEVEL: i32 = 9;

/// A line of a twin.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// The header and the first image; without one the session begins as `drive` does.
    Header(trace::Header, Option<Vec<u8>>),
    /// An event.
    Event(EventLine),
    /// The end of a batch of events: the event that comes next, and the hash of the completions.
    Completions(u64, u64),
    /// Digests of a state.
    Digests(trace::Digests),
    /// A snapshot: the event that comes next, the hash of the completions, and the bytes.
    Snapshot(u64, u64, Vec<u8>),
}

/// An event of a twin, its parts encoded as a trace's records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine {
    /// Sequence number.
    pub sequence: u64,
    /// Tick.
    pub tick: u64,
    /// The event.
    pub event: Vec<u8>,
    /// What is expected to come of it: a list of outputs.
    pub expected: Option<Vec<u8>>,
    /// Lines of the recording: entry and exit.
    pub lines: Option<(u64, u64)>,
    /// The record's four bits.
    pub flags: u8,
}

/// Names of the calls that may still wait, by the tick that brought them: the fields of an answer
/// follow from the name. Both directions keep it alike.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    waits: BTreeMap<u64, &'static str>,
    asking: &'static str,
    /// Answers are what a recording says.
    imported: bool,
}

impl Waiting {
    /// Before the first event of a trace.
    pub fn new(header: &trace::Header) -> Self {
        Self { imported: header.imported, ..Self::default() }
    }

    /// Takes note of an event; the name of the call that its outcome is of.
    fn note(&mut self, tick: u64, event: &Event<'_>) -> &'static str {
        match event {
            Event::Call { call, .. } | Event::Park { call, .. } | Event::Inject { call, .. } => {
                if !self.imported {
                    self.waits.insert(tick, call.name());
                }
                self.asking = call.name();
                call.name()
            }
            Event::Resume { call, .. } => self.name(*call),
            // A question stops everything else: it is the last call's.
            Event::Answer(_) => self.asking,
            Event::Deliver { .. }
            | Event::Clock { .. }
            | Event::Signal { .. }
            | Event::Carry { .. }
            | Event::Unchosen { .. }
            | Event::Incoming(_) => "",
        }
    }

    fn name(&self, id: CallId) -> &'static str {
        self.waits.get(&id.0).copied().unwrap_or("")
    }

    /// Nothing is told of the event: nothing will be told of its end.
    fn untold(&mut self, tick: u64) {
        self.waits.remove(&tick);
    }

    /// The call of the event ended: nothing more will come of it.
    fn forget(&mut self, tick: u64, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Completion(completion) => self.waits.remove(&completion.call.0),
                Output::Outcome(_, Outcome::Blocked(_) | Outcome::Asking) => None,
                Output::Outcome(..) => self.waits.remove(&tick),
                Output::Effect(_) => None,
            };
        }
    }
}

fn coded(bytes: &[u8]) -> Value {
    STANDARD.encode(bytes).into()
}

fn packed(bytes: &[u8]) -> std::io::Result<Value> {
    Ok(coded(&zstd::encode_all(bytes, ZSTD_LEVEL)?))
}

fn hex(number: u64) -> Value {
    format!("{number:016x}").into()
}

/// The header's line.
///
/// # Errors
/// The image could not be compressed.
pub fn show_header(header: &trace::Header, image: &[u8]) -> std::io::Result<Object> {
    let mut object = Object::new();
    object.insert("twin".into(), VERSION.into());
    object.insert("format_version".into(), header.format_version.into());
    object.insert("profile".into(), header.profile.into());
    object.insert("wake_mode".into(), header.wake_mode.into());
    object.insert("kernel_version".into(), header.kernel_version.into());
    object.insert("imported".into(), header.imported.into());
    object.insert("completions_whole".into(), header.completions_whole.into());
    object.insert("seed".into(), header.seed.into());
    object.insert("first_sequence".into(), header.first_sequence.into());
    object.insert("digest_cadence".into(), header.digest_cadence.into());
    if !header.configuration.is_empty() {
        object.insert("configuration_b64".into(), coded(&header.configuration));
    }
    object.insert("image_zstd_b64".into(), packed(image)?);
    Ok(object)
}

/// An event's line.
pub fn show_event_line(waiting: &mut Waiting, event: &trace::Event<'_>) -> Object {
    let mut object = Object::new();
    object.insert("seq".into(), event.sequence.into());
    object.insert("tick".into(), event.tick.into());
    if event.record.flags != 0 {
        object.insert("flags_of_record".into(), event.record.flags.into());
    }
    if let Some((entry, exit)) = event.record.lines {
        object.insert("lines".into(), json!([entry, exit]));
    }
    let decoded = decode_whole::<Event<'_>>(event.record.event);
    let call = match &decoded {
        Some(decoded) => {
            object.append(&mut show_event(decoded));
            waiting.note(event.tick, decoded)
        }
        None => {
            object.insert("event_b64".into(), coded(event.record.event));
            ""
        }
    };
    match event.record.expected {
        None => waiting.untold(event.tick),
        Some(expected) if waiting.imported => show_recorded(&mut object, call, expected),
        Some(expected) => match decode_whole::<Vec<Output>>(expected) {
            Some(outputs) => {
                show_outputs(&mut object, waiting, event.tick, call, &outputs, expected);
            }
            None => {
                object.insert("expected_b64".into(), coded(expected));
            }
        },
    }
    object
}

/// What a recording says; whole in base64 if that could not be read back.
fn show_recorded(object: &mut Object, call: &str, bytes: &[u8]) {
    if let Some(expected) = decode_whole::<Expected>(bytes) {
        let mut shown = object.clone();
        show_expected(&mut shown, call, &expected);
        if read_expected(&shown, call).is_ok_and(|again| again.as_ref() == Some(&expected)) {
            *object = shown;
            return;
        }
    }
    object.insert("expected_b64".into(), coded(bytes));
}

/// Decodes a value that is the whole of `bytes` and would be encoded as just these bytes.
fn decode_whole<'a, T: Wire<'a>>(bytes: &'a [u8]) -> Option<T> {
    let mut reader = WireReader::new(bytes);
    let value = T::get(&mut reader).ok()?;
    reader.finish().ok()?;
    let mut again = Vec::new();
    value.put(&mut again);
    (again == bytes).then_some(value)
}

/// The event's own outcome flat, all else in `then`; whole in base64 if that could not be read
/// back.
fn show_outputs(
    object: &mut Object,
    waiting: &mut Waiting,
    tick: u64,
    call: &'static str,
    outputs: &[Output],
    bytes: &[u8],
) {
    let mut shown = object.clone();
    let own = match outputs.split_last() {
        Some((Output::Outcome(of, outcome), before)) if *of == tick => Some((outcome, before)),
        _ => None,
    };
    let then = own.map_or(outputs, |(_, before)| before);
    if let Some((outcome, _)) = own {
        show_outcome(&mut shown, call, outcome, Form::Twin);
    }
    if !then.is_empty() || own.is_none() {
        let list: Vec<Value> = then.iter().map(|item| show_output(waiting, item).into()).collect();
        shown.insert("then".into(), list.into());
    }
    match read_outputs(&shown, waiting, tick, call) {
        Ok(Some(again)) if again == outputs => *object = shown,
        _ => {
            object.insert("expected_b64".into(), coded(bytes));
        }
    }
    waiting.forget(tick, outputs);
}

fn show_output(waiting: &Waiting, output: &Output) -> Object {
    let mut object = Object::new();
    match output {
        Output::Completion(completion) => {
            object.insert("done".into(), completion.call.0.into());
            object.insert("task".into(), completion.task.into());
            let name = waiting.name(completion.call);
            show_completed(&mut object, name, &completion.result, Form::Twin);
        }
        Output::Effect(effect) => object = show_effect(effect),
        Output::Outcome(tick, outcome) => {
            object.insert("outcome_of".into(), (*tick).into());
            show_outcome(&mut object, waiting.name(CallId(*tick)), outcome, Form::Twin);
        }
    }
    object
}

fn read_outputs(
    object: &Object,
    waiting: &Waiting,
    tick: u64,
    call: &str,
) -> Result<Option<Vec<Output>>, JsonError> {
    let own = read_outcome(object, call)?;
    if own.is_none() && !object.contains_key("then") {
        return Ok(None);
    }
    let mut outputs = Vec::new();
    if let Some(then) = object.get("then") {
        let wrong = || JsonError::wrong("then", "the line", "a list of objects");
        for item in then.as_array().ok_or_else(wrong)? {
            outputs.push(read_output(item.as_object().ok_or_else(wrong)?, waiting)?);
        }
    }
    outputs.extend(own.map(|outcome| Output::Outcome(tick, outcome)));
    Ok(Some(outputs))
}

fn read_output(object: &Object, waiting: &Waiting) -> Result<Output, JsonError> {
    let fields = Fields::over(object, "then");
    if object.contains_key("done") {
        let call = CallId(fields.number("done")?);
        let result = read_completed(object, waiting.name(call))?;
        return Ok(Output::Completion(Completion { call, task: fields.number("task")?, result }));
    }
    if object.contains_key("outcome_of") {
        let tick = fields.number("outcome_of")?;
        let outcome = read_outcome(object, waiting.name(CallId(tick)))?
            .ok_or_else(|| JsonError::missing("ok", "then"))?;
        return Ok(Output::Outcome(tick, outcome));
    }
    read_effect(object).map(Output::Effect)
}

/// The end of a batch.
pub fn show_completions(next_sequence: u64, hash: u64) -> Object {
    let mut object = Object::new();
    object.insert("completions".into(), hex(hash));
    object.insert("next".into(), next_sequence.into());
    object
}

/// Digests of a state.
pub fn show_trace_digests(digests: &trace::Digests) -> Object {
    let entries: Object =
        digests.entries.iter().map(|(name, digest)| (name.clone(), hex(*digest))).collect();
    let mut object = Object::new();
    object.insert("digests".into(), entries.into());
    object.insert("next".into(), digests.next_sequence.into());
    object
}

/// A snapshot.
///
/// # Errors
/// It could not be compressed.
pub fn show_snapshot(next_sequence: u64, hash: u64, bytes: &[u8]) -> std::io::Result<Object> {
    let mut object = show_completions(next_sequence, hash);
    object.insert("snapshot_zstd_b64".into(), packed(bytes)?);
    Ok(object)
}

/// Reads lines in order; `image_limit_bytes` bounds images and snapshots.
#[derive(Clone, Debug)]
pub struct TwinReader {
    waiting: Waiting,
    next_sequence: u64,
    next_tick: u64,
    image_limit_bytes: u64,
}

impl TwinReader {
    /// Before the first line.
    pub fn new(image_limit_bytes: u64) -> Self {
        Self { waiting: Waiting::default(), next_sequence: 0, next_tick: 0, image_limit_bytes }
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// It is no line of a twin; a field is missing or of the wrong kind.
    pub fn line(&mut self, line: &[u8]) -> Result<Line, JsonError> {
        let request = Request::parse(line)?;
        let object = request.object();
        let has = |name: &str| object.contains_key(name);
        if has("twin") {
            let (header, image) = self.header(object)?;
            self.next_sequence = header.first_sequence;
            self.waiting.imported = header.imported;
            return Ok(Line::Header(header, image));
        }
        if has("snapshot_zstd_b64") {
            let bytes = self.unpack(object, "snapshot_zstd_b64")?;
            return Ok(Line::Snapshot(
                self.next(object)?,
                read_hash(object, "completions")?,
                bytes,
            ));
        }
        if has("completions") {
            return Ok(Line::Completions(self.next(object)?, read_hash(object, "completions")?));
        }
        if let Some(digests) = object.get("digests") {
            let entries = digests
                .as_object()
                .ok_or_else(|| JsonError::wrong("digests", "the line", "an object"))?;
            let entry = |name: &String| Ok((name.clone(), read_hash(entries, name)?));
            let entries = entries.keys().map(entry).collect::<Result<_, JsonError>>()?;
            let next_sequence = self.next(object)?;
            return Ok(Line::Digests(trace::Digests { next_sequence, entries }));
        }
        self.event(&request).map(Line::Event)
    }

    /// What comes next: as the line says, or after the line before it.
    fn next(&self, object: &Object) -> Result<u64, JsonError> {
        match object.contains_key("next") {
            true => Fields::over(object, "the line").number("next"),
            false => Ok(self.next_sequence),
        }
    }

    fn header(&self, object: &Object) -> Result<(trace::Header, Option<Vec<u8>>), JsonError> {
        let fields = Fields::over(object, "the header");
        if fields.number::<u64>("twin")? != VERSION {
            return Err(JsonError(format!("the header: this program reads version {VERSION}")));
        }
        let flag = |name: &str, otherwise: bool| match object.get(name) {
            None => Ok(otherwise),
            Some(value) => {
                value.as_bool().ok_or_else(|| JsonError::wrong(name, "the header", "true or false"))
            }
        };
        let configuration = match object.get("configuration_b64") {
            None => Vec::new(),
            Some(value) => decode("configuration_b64", "the header", value)?,
        };
        let cadence = match object.contains_key("digest_cadence") {
            true => fields.number("digest_cadence")?,
            false => trace::DEFAULT_DIGEST_CADENCE,
        };
        let format_version = match object.contains_key("format_version") {
            true => fields.number("format_version")?,
            false => trace::FORMAT_VERSION,
        };
        if !(1..=trace::FORMAT_VERSION).contains(&format_version) {
            let newest = trace::FORMAT_VERSION;
            return Err(JsonError(format!("the field \"format_version\" must be 1 to {newest}")));
        }
        let header = trace::Header {
            format_version,
            profile: fields.or_zero("profile")?,
            wake_mode: fields.or_zero("wake_mode")?,
            kernel_version: fields.or_zero("kernel_version")?,
            imported: flag("imported", false)?,
            completions_whole: flag("completions_whole", true)?,
            seed: fields.or_zero("seed")?,
            first_sequence: fields.or_zero("first_sequence")?,
            digest_cadence: cadence,
            configuration,
        };
        let image = match object.contains_key("image_zstd_b64") {
            true => Some(self.unpack(object, "image_zstd_b64")?),
            false => None,
        };
        Ok((header, image))
    }

    fn unpack(&self, object: &Object, name: &str) -> Result<Vec<u8>, JsonError> {
        let value = object.get(name).ok_or_else(|| JsonError::missing(name, "the line"))?;
        let packed = decode(name, "the line", value)?;
        let wrong = |why: String| JsonError(format!("the field \"{name}\": {why}"));
        let stream = zstd::stream::read::Decoder::new(packed.as_slice())
            .map_err(|e| wrong(e.to_string()))?;
        let mut bytes = Vec::new();
        let limit = self.image_limit_bytes;
        std::io::Read::read_to_end(&mut std::io::Read::take(stream, limit + 1), &mut bytes)
            .map_err(|error| wrong(error.to_string()))?;
        if bytes.len() as u64 > limit {
            return Err(wrong(format!("more than {limit} bytes when unpacked")));
        }
        Ok(bytes)
    }

    fn event(&mut self, request: &Request) -> Result<EventLine, JsonError> {
        let object = request.object();
        let fields = Fields::over(object, "the line");
        let or = |name: &str, otherwise: u64| match object.contains_key(name) {
            true => fields.number(name),
            false => Ok(otherwise),
        };
        let (sequence, tick) = (or("seq", self.next_sequence)?, or("tick", self.next_tick)?);
        let mut event = Vec::new();
        let call = match object.get("event_b64") {
            Some(bytes) => {
                event = decode("event_b64", "the line", bytes)?;
                ""
            }
            None => {
                let decoded = read_event(request)?;
                decoded.put(&mut event);
                self.waiting.note(tick, &decoded)
            }
        };
        let expected = self.expected(object, tick, call)?;
        let lines = match object.get("lines") {
            None => None,
            Some(list) => match super::structs::read_numbers::<u64>(list, "lines")?.as_slice() {
                [entry, exit] => Some((*entry, *exit)),
                _ => return Err(JsonError::wrong("lines", "the line", "two numbers")),
            },
        };
        let line = EventLine {
            sequence,
            tick,
            event,
            expected,
            lines,
            flags: fields.or_zero("flags_of_record")?,
        };
        self.next_sequence = sequence.saturating_add(1);
        self.next_tick = tick.saturating_add(1);
        Ok(line)
    }

    fn expected(
        &mut self,
        object: &Object,
        tick: u64,
        call: &str,
    ) -> Result<Option<Vec<u8>>, JsonError> {
        if let Some(bytes) = object.get("expected_b64") {
            return decode("expected_b64", "the line", bytes).map(Some);
        }
        let mut bytes = Vec::new();
        if self.waiting.imported {
            return Ok(read_expected(object, call)?.map(|expected| {
                expected.put(&mut bytes);
                bytes
            }));
        }
        let Some(outputs) = read_outputs(object, &self.waiting, tick, call)? else {
            self.waiting.untold(tick);
            return Ok(None);
        };
        self.waiting.forget(tick, &outputs);
        outputs.put(&mut bytes);
        Ok(Some(bytes))
    }
}

fn read_hash(object: &Object, name: &str) -> Result<u64, JsonError> {
    let text = object.get(name).and_then(Value::as_str);
    text.and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or_else(|| JsonError::wrong(name, "the line", "a hash: 16 hexadecimal digits"))
}
