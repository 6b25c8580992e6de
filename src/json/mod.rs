//! The JSON forms of CLI.md: system calls, answers and events as objects, both ways.
//!
//! The codec follows the table of `tickernel_systems::event`; a new call needs nothing here. Used
//! by
//! `tickernel drive` ([`Form::Drive`]) and by the text twin of a trace ([`Form::Twin`], lossless).
//! Not here: when which line is written (`drive.rs`, `twin.rs`).

mod answer;
mod bounded;
pub mod convert;
mod event;
mod files;
mod imported;
mod interface;
mod names;
mod network;
mod request;
mod show;
mod socket;
mod structs;
mod text;
pub mod twin;

pub use answer::{read_answer, read_completed, read_outcome, show_completed, show_outcome};
pub use bounded::parse_object;
pub use event::{read_effect, read_event, show_effect, show_event};
pub use files::show_type;
pub use network::read_incoming;
pub use request::{Request, Source};
pub use show::{show_call, show_digests, show_field};
pub use structs::{read_info, show_info, show_status};
pub use text::put_bytes;

/// A JSON object, its fields in the order in which they are written.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// The handler cookie that `"caught"` stands for. No guest's handler has such an address.
pub const CAUGHT: u64 = 2;

/// Who reads the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Exactly the fields that CLI.md lists for `drive`.
    Drive,
    /// With those, too, that it does not list, so that nothing is lost; an answer's field whose
    /// name the request has as well gets `_after` at its end.
    Twin,
}

/// Why a line is not what it should be. The text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(pub String);

impl JsonError {
    pub(crate) fn missing(field: &str, of: &str) -> Self {
        Self(format!("{of}: the field \"{field}\" is missing"))
    }

    pub(crate) fn wrong(field: &str, of: &str, wanted: &str) -> Self {
        Self(format!("{of}: the field \"{field}\" must be {wanted}"))
    }
}
