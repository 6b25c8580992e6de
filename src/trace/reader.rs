//! Batches to items: the reader of a trace.
//!
//! Replay, dump and import read through `TraceReader`: items come in the order of the file, each
//! borrowed from the batch that is in memory. Damage ends the reading and is its last item:
//! everything before it stands, nothing after it is believed. Moving about is in `seek.rs`.

use std::io::Read;

use super::batch::{Contents, Head, Kind};
use super::chunk::{Assembly, Chunk};
use super::digests::Digests;
use super::error::{Damage, DamageKind, TraceError};
use super::footer::{Footer, TRAILER_BYTES, trailer};
use super::header::{Header, ReadHeader};
use super::item::{Event, Item};
use super::record::{Placed, Previous};
use super::scan::{Found, Scanner};
use super::varint::Cursor;

/// How much of a damaged file's rest is read to count its bytes.
const COUNTED_REST_BYTES: u64 = 1 << 30;

/// An item whose bytes are named by their place in the payload.
enum Step {
    Image { offset: u64 },
    Event(u64, Placed),
    Completions(u64),
    Digests(Digests),
    Snapshot { offset: u64, completions: u64 },
    Damage(Damage),
    End,
}

/// The batch of events that is being read.
pub(super) struct Open {
    contents: Contents,
    /// Offset of the batch, and of the one behind it.
    offset: u64,
    position: usize,
    left: u32,
    previous: Previous,
}

/// How the reading ended, if it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    NotYet,
    Closed,
    Unclosed,
    /// The damage is handed out once.
    Damaged(Option<Damage>),
}

/// Reads a trace from front to back, and from anywhere where the input can seek.
pub struct TraceReader<R> {
    pub(super) scanner: Scanner<R>,
    pub(super) start: Start,
    pub(super) header: Header,
    pub(super) next_sequence: u64,
    pub(super) last_tick: u64,
    pub(super) image: Assembly,
    pub(super) snapshot: Assembly,
    pub(super) chunk: std::ops::Range<usize>,
    pub(super) open: Option<Open>,
    pub(super) end: End,
    pub(super) skipped_batches: u64,
    pub(super) footer: Option<Option<Footer>>,
}

/// Where the first batch is, and what the chain begins with.
pub(super) struct Start {
    pub(super) offset: u64,
    pub(super) chain: u32,
    pub(super) image_bytes: u64,
}

impl<R: Read> TraceReader<R> {
    /// Reads the header. A trace begins with the input's first byte.
    ///
    /// # Errors
    /// An empty input, one that is no trace, a newer format and a damaged header have errors of
    /// their own.
    pub fn new(mut input: R) -> Result<Self, TraceError> {
        let ReadHeader { header, image_bytes, crc, bytes } = Header::read(&mut input)?;
        Ok(TraceReader {
            scanner: Scanner::new(input, bytes, crc)?,
            start: Start { offset: bytes, chain: crc, image_bytes },
            next_sequence: header.first_sequence,
            header,
            last_tick: 0,
            image: Assembly { total_bytes: image_bytes, done_bytes: 0 },
            snapshot: Assembly::default(),
            chunk: 0..0,
            open: None,
            end: End::NotYet,
            skipped_batches: 0,
            footer: None,
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes of the first image.
    pub fn image_bytes(&self) -> u64 {
        self.start.image_bytes
    }

    /// Sequence number of the event that comes next.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Whether the reading has come to the trailer that a finished writer leaves. A file whose
    /// writer was dropped ends without one, and without damage.
    pub fn is_closed(&self) -> bool {
        self.end == End::Closed
    }

    /// Batches of unknown kinds that were passed over.
    pub fn skipped_batches(&self) -> u64 {
        self.skipped_batches
    }

    /// Reads the first image whole. To be called before any item is taken.
    ///
    /// # Errors
    /// If the image has more than `limit_bytes` bytes, is damaged, or has been passed.
    pub fn read_image(&mut self, limit_bytes: u64) -> Result<Vec<u8>, TraceError> {
        let bytes = self.start.image_bytes;
        if bytes > limit_bytes {
            return Err(TraceError::ImageTooLarge { bytes, limit: limit_bytes });
        }
        if self.image.done_bytes != 0 || self.next_sequence != self.header.first_sequence {
            return Err(TraceError::ImagePassed);
        }
        let mut image = Vec::new();
        while self.image.is_open() {
            match self.next_item()? {
                Some(Item::Image(chunk)) => image.extend_from_slice(chunk.bytes),
                Some(Item::Damage(damage)) => {
                    self.end = End::Damaged(Some(damage.clone()));
                    return Err(TraceError::ImageDamaged(damage));
                }
                // An open image lets nothing else through (`check_place`).
                Some(
                    Item::Event(_)
                    | Item::Completions { .. }
                    | Item::Digests(_)
                    | Item::Snapshot { .. },
                )
                | None => return Err(TraceError::ImagePassed),
            }
        }
        Ok(image)
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    /// Only if the input fails, after which there are no more items; damage in the file is an item.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, TraceError> {
        let step = self.step()?;
        let payload = &self.scanner.payload;
        let chunk = |total_bytes: u64, offset: u64| Chunk {
            total_bytes,
            offset,
            bytes: payload.get(self.chunk.clone()).unwrap_or_default(),
        };
        Ok(Some(match step {
            Step::End => return Ok(None),
            Step::Image { offset } => Item::Image(chunk(self.image.total_bytes, offset)),
            Step::Event(sequence, placed) => {
                Item::Event(Event { sequence, tick: placed.tick, record: placed.record(payload) })
            }
            Step::Completions(hash) => {
                Item::Completions { next_sequence: self.next_sequence, hash }
            }
            Step::Digests(digests) => Item::Digests(digests),
            Step::Snapshot { offset, completions } => Item::Snapshot {
                next_sequence: self.next_sequence,
                completions,
                chunk: chunk(self.snapshot.total_bytes, offset),
            },
            Step::Damage(damage) => Item::Damage(damage),
        }))
    }

    /// Passes over items up to event `sequence - 1`, so that event `sequence` is the next event,
    /// or none if it is the first one that is not there.
    ///
    /// # Errors
    /// If that place is behind or the file ends before it; damage is then the next item.
    pub fn skip_to(&mut self, sequence: u64) -> Result<(), TraceError> {
        while self.next_sequence < sequence {
            match self.step()? {
                Step::Damage(damage) => {
                    self.end = End::Damaged(Some(damage));
                    break;
                }
                Step::End => break,
                Step::Image { .. }
                | Step::Event(..)
                | Step::Completions(_)
                | Step::Digests(_)
                | Step::Snapshot { .. } => {}
            }
        }
        if self.next_sequence != sequence {
            let next = self.next_sequence;
            return Err(TraceError::NoSuchSequence { wanted: sequence, next });
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Step, TraceError> {
        loop {
            match &mut self.end {
                End::NotYet => {}
                End::Closed | End::Unclosed => return Ok(Step::End),
                End::Damaged(damage) => {
                    return Ok(damage.take().map_or(Step::End, Step::Damage));
                }
            }
            if let Some(step) = self.step_in_batch() {
                return Ok(step);
            }
            let offset = self.scanner.offset;
            match self.read_batch()? {
                Found::Damaged(why) => return Ok(self.damage(offset, why)),
                Found::Unknown => {
                    self.scanner.accept();
                    self.skipped_batches += 1;
                }
                Found::End if self.image.is_open() || self.snapshot.is_open() => {
                    return Ok(self.damage(offset, DamageKind::Torn));
                }
                Found::End => self.end = End::Unclosed,
                Found::Batch(kind, head) => match self.enter(kind, &head)? {
                    Ok(Some(step)) => return Ok(step),
                    Ok(None) => {}
                    Err(why) => return Ok(self.damage(offset, why)),
                },
            }
        }
    }

    /// Reads the next batch. A failure of the input ends the reading: the place is lost.
    fn read_batch(&mut self) -> Result<Found, TraceError> {
        self.end = End::Unclosed;
        let found = self.scanner.next()?;
        self.end = End::NotYet;
        Ok(found)
    }

    /// The next event of the batch that is open, or its end.
    fn step_in_batch(&mut self) -> Option<Step> {
        let open = self.open.as_mut()?;
        let payload = &self.scanner.payload;
        if open.left == 0 {
            let is_whole = open.position == payload.len()
                && open.previous.tick == Some(open.contents.last_tick);
            let (offset, hash) = (open.offset, open.contents.completions);
            self.open = None;
            if !is_whole {
                return Some(self.damage(offset, DamageKind::Payload("bytes or ticks are left")));
            }
            return Some(Step::Completions(hash));
        }
        let mut cursor = Cursor::new(payload, open.position);
        let Some(placed) = open.previous.take(&mut cursor, open.contents.first_tick) else {
            let offset = open.offset;
            return Some(self.damage(offset, DamageKind::Payload("an event record is not valid")));
        };
        open.position = cursor.position();
        open.left -= 1;
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.last_tick = placed.tick;
        Some(Step::Event(sequence, placed))
    }

    /// Begins with a batch that has been read; `Err` inside if it does not belong here.
    fn enter(
        &mut self,
        kind: Kind,
        head: &Head,
    ) -> Result<Result<Option<Step>, DamageKind>, TraceError> {
        if let Err(why) = self.check_place(kind, &head.contents) {
            return Ok(Err(why));
        }
        if kind == Kind::Footer {
            return self.enter_footer();
        }
        let entered = match kind {
            Kind::Events => {
                self.open = Some(Open {
                    contents: head.contents,
                    offset: self.scanner.offset,
                    position: 0,
                    left: head.contents.count,
                    previous: Previous::default(),
                });
                Ok(None)
            }
            Kind::Digests => self.enter_digests().map(Some),
            Kind::Image => self.enter_image().map(Some),
            Kind::Snapshot => self.enter_snapshot(head.contents.completions).map(Some),
            Kind::Footer => Ok(None),
        };
        if entered.is_ok() {
            self.scanner.accept();
        }
        Ok(entered)
    }

    /// Whether a batch of this kind may stand at this place of the trace.
    fn check_place(&self, kind: Kind, contents: &Contents) -> Result<(), DamageKind> {
        if contents.first_sequence != self.next_sequence {
            return Err(DamageKind::Head("its sequence number is not the next one"));
        }
        let ticks_go_on = contents.first_tick >= self.last_tick
            && contents.last_tick >= contents.first_tick
            && (kind == Kind::Events || contents.last_tick == self.last_tick);
        if !ticks_go_on {
            return Err(DamageKind::Head("its ticks do not go on from the last one"));
        }
        let end = contents.first_sequence.checked_add(u64::from(contents.count));
        if kind == Kind::Events && (contents.count == 0 || end.is_none()) {
            return Err(DamageKind::Head("its count of events is not possible"));
        }
        if self.image.is_open() != (kind == Kind::Image) {
            return Err(DamageKind::Head("the first image is not whole, or comes again"));
        }
        if self.snapshot.is_open() && kind != Kind::Snapshot {
            return Err(DamageKind::Head("the snapshot before it is not whole"));
        }
        Ok(())
    }

    fn enter_digests(&self) -> Result<Step, DamageKind> {
        let mut cursor = Cursor::new(&self.scanner.payload, 0);
        Digests::take(&mut cursor)
            .filter(|digests| cursor.is_empty() && digests.next_sequence == self.next_sequence)
            .map(Step::Digests)
            .ok_or(DamageKind::Payload("the list of digests is not valid"))
    }

    fn enter_image(&mut self) -> Result<Step, DamageKind> {
        let taken = self.image.take(&self.scanner.payload);
        let (offset, chunk) = taken.ok_or(DamageKind::Payload("not the image's next piece"))?;
        self.chunk = chunk;
        Ok(Step::Image { offset })
    }

    fn enter_snapshot(&mut self, completions: u64) -> Result<Step, DamageKind> {
        let payload = &self.scanner.payload;
        let why = DamageKind::Payload("not the snapshot's next piece");
        if !self.snapshot.is_open() {
            self.snapshot = Assembly::begin(payload).ok_or(why)?;
        }
        let (offset, chunk) = self.snapshot.take(payload).ok_or(why)?;
        self.chunk = chunk;
        Ok(Step::Snapshot { offset, completions })
    }

    /// Checks the footer and the trailer behind it: the regular end of a trace.
    fn enter_footer(&mut self) -> Result<Result<Option<Step>, DamageKind>, TraceError> {
        let fits = Footer::decode(&self.scanner.payload).is_some_and(|footer| {
            footer.next_sequence == self.next_sequence && footer.last_tick == self.last_tick
        });
        if !fits {
            return Ok(Err(DamageKind::Payload("the footer is not valid")));
        }
        let expected = trailer(self.scanner.offset, self.scanner.chain.unwrap_or_default());
        self.scanner.accept();
        let offset = self.scanner.offset;
        self.end = End::Unclosed;
        if self.scanner.read_trailer(TRAILER_BYTES)? != expected {
            return Ok(Ok(Some(self.damage(offset, DamageKind::Trailer))));
        }
        self.end = End::Closed;
        Ok(Ok(None))
    }

    /// Ends the reading at the batch at `offset`.
    fn damage(&mut self, offset: u64, why: DamageKind) -> Step {
        let behind_bytes = self.scanner.offset.saturating_sub(offset);
        let (rest_bytes, unread_exact) = self.scanner.count_rest(COUNTED_REST_BYTES);
        self.open = None;
        self.end = End::Damaged(None);
        Step::Damage(Damage {
            offset,
            sequence: self.next_sequence,
            why,
            unread_bytes: behind_bytes + rest_bytes,
            unread_exact,
        })
    }
}
