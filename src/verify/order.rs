//! Whether the effects of a trace can have happened in its order: each takes place between its
//! call's entry and exit line. That is so if no effect stands behind one whose call was entered
//! after its own call had returned (IMPORT.md section 1).

use tickernel_systems::event::Event;

use super::calls::Found;
use super::{Fault, Seen};

/// Where a call may take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    entry: u64,
    /// None for a call that was never seen to return.
    exit: Option<u64>,
}

/// The walk through the events.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Spans of the calls by the number of their event: `Resume` names it. Lines beyond 32 bits are
    /// the last one of them.
    spans: Vec<(u32, u32)>,
    /// The latest entry so far, and the event that had it.
    latest: (u64, u64),
}

impl Order {
    fn span(&self, seq: u64) -> Option<Span> {
        let (entry, exit) = *self.spans.get(usize::try_from(seq).ok()?)?;
        let exit = (exit > 0).then(|| u64::from(exit));
        (entry > 0).then(|| Span { entry: u64::from(entry), exit })
    }

    /// Entries are above 0, and so are exits: 0 stands for none.
    fn keep(&mut self, seq: u64, span: Span) {
        let short = |line: u64| u32::try_from(line).unwrap_or(u32::MAX);
        let place = usize::try_from(seq).ok();
        if let Some(slot) = place.and_then(|place| self.spans.get_mut(place)) {
            *slot = (short(span.entry), span.exit.map_or(0, short));
        }
    }

    /// Takes the next event; whether it was one with a place in the order.
    pub(super) fn event(&mut self, seen: &Seen<'_>, found: Option<&Found>) -> Result<bool, Fault> {
        if seen.seq == self.spans.len() as u64 {
            self.spans.push((0, 0));
        }
        let span = match (&seen.event, found) {
            (Event::Resume { call, .. }, _) => {
                let known = self.span(call.0);
                let unknown =
                    || seen.fault(None, "it goes on with a call that has not begun".to_owned());
                known.ok_or_else(unknown)?
            }
            (_, Some(found)) => {
                let span = Span { entry: found.after + 1, exit: found.exit };
                if matches!(seen.event, Event::Call { .. } | Event::Park { .. }) {
                    self.keep(seen.seq, span);
                }
                span
            }
            (_, None) => return Ok(false),
        };
        // A call that is only noted to be waiting has no effect yet; what only counts, and what
        // gives a call up, has none.
        let gives_up = matches!(seen.event, Event::Resume { max_bytes: 0, .. });
        if gives_up || matches!(seen.event, Event::Park { .. } | Event::Clock { .. }) {
            return Ok(false);
        }
        if let Some(exit) = span.exit
            && exit < self.latest.0
        {
            let (line, seq) = self.latest;
            let why = format!(
                "its call returned at line {exit}, but it takes effect after event {seq}, whose \
                 call was entered at line {line}"
            );
            return Err(seen.fault(Some(span.entry), why));
        }
        if span.entry > self.latest.0 {
            self.latest = (span.entry, seen.seq);
        }
        Ok(true)
    }
}
