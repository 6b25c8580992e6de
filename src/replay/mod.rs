//! `tickernel replay`: the events of a trace against the kernel, with a report.
//!
//! A recording is imported in memory first (`import/`); what is replayed is always a trace's
//! events, so both give the same report. Not here: how an order is found (`import/`), the container
//! (`trace/`).

mod compare;
mod cookies;
mod engine;
mod expected;
mod files;
mod native;
mod overdue;
mod recent;
mod report;
mod run;
mod tally;
mod text;

pub use compare::{Bindings, Listed, Verdict};
pub use engine::{Engine, Step, StepError};
pub use expected::{
    CUT, Expected, FED, FED_PROC, GIVEN, IGNORE_PAYLOAD, IGNORE_VALUE, MAPPED, Recorded, Role,
    UNTOLD, stat_bits,
};
pub use report::{Counts, Damage, FirstMismatch, Report};
#[cfg(feature = "cli")]
pub(crate) use run::twin_damage;
pub(crate) use run::wrong_lines;
pub use run::{Options, ReplayError, Replayed, replay, write};
pub use text::call_text;
