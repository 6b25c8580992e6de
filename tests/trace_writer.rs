//! Writing and reading traces: everything comes back, both writers write the same, seeking comes
//! to the same place as scanning, and failures of the output are reported.

mod trace_support;

use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tickernel::trace::{
    BackgroundWriter, Builder, DEFAULT_DIGEST_CADENCE, Header, Item, MAX_EVENT_BYTES, Record, Sink,
    TraceError, TraceReader, TraceWriter,
};
use trace_support::{Owned, OwnedEvent, before_damage, items, rest, split};

/// What a recording kernel does with its writer.
#[derive(Debug, Clone)]
enum Step {
    Append(OwnedEvent, Option<Vec<u8>>),
    Digests(Vec<(String, u64)>),
    Snapshot(Vec<u8>),
    Flush,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => prop::collection::vec(any::<u8>(), 0..80),
        1 => (any::<u8>(), 0usize..1_500_000).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

fn append() -> impl Strategy<Value = Step> {
    let line = prop_oneof![0u64..1000, any::<u64>()];
    let lines = prop::option::of((line.clone(), line));
    let tick_step = prop_oneof![4 => Just(1u64), 1 => 0u64..1_000_000];
    let expected = prop::option::of(bytes());
    (bytes(), expected, any::<bool>(), lines, 0u8..16, tick_step).prop_map(
        |(event, expected, is_late, lines, flags, tick)| {
            let (now, later) = if is_late { (None, expected) } else { (expected, None) };
            let event = OwnedEvent { sequence: 0, tick, event, expected: now, lines, flags };
            Step::Append(event, later)
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let digests = prop::collection::vec(("[a-z]{1,9}", any::<u64>()), 0..4);
    let step = prop_oneof![
        30 => append(),
        1 => digests.prop_map(Step::Digests),
        1 => bytes().prop_map(Step::Snapshot),
        1 => Just(Step::Flush),
    ];
    prop::collection::vec(step, 0..120)
}

fn header() -> impl Strategy<Value = Header> {
    let numbers = (any::<u8>(), any::<u8>(), any::<u32>(), any::<u64>(), any::<u32>());
    let flags = (any::<bool>(), any::<bool>());
    (numbers, flags, 0u64..50, bytes()).prop_map(|(numbers, flags, digest_cadence, bytes)| Header {
        format_version: 1 + u16::from(numbers.0) % 2,
        profile: numbers.0,
        wake_mode: numbers.1,
        kernel_version: numbers.2,
        seed: numbers.3,
        first_sequence: u64::from(numbers.4),
        imported: flags.0,
        completions_whole: flags.1,
        digest_cadence,
        configuration: bytes.into_iter().take(1000).collect(),
    })
}

/// Takes the steps, and answers the events that should come back.
fn take_steps<S: Sink>(writer: &mut Builder<S>, steps: &[Step]) -> Vec<OwnedEvent> {
    let mut events = Vec::new();
    let mut tick = 0;
    for (number, step) in steps.iter().enumerate() {
        let hash = number as u64;
        match step {
            Step::Append(event, later) => {
                tick += event.tick;
                let record = Record {
                    event: &event.event,
                    expected: event.expected.as_deref(),
                    lines: event.lines,
                    flags: event.flags,
                };
                let sequence = writer.append(tick, &record, hash).expect("appended");
                let mut event = OwnedEvent { sequence, tick, ..event.clone() };
                if let Some(later) = later {
                    writer.answer(later).expect("answered");
                    event.expected = Some(later.clone());
                }
                events.push(event);
            }
            Step::Digests(digests) => {
                let digests: Vec<(&str, u64)> =
                    digests.iter().map(|(name, digest)| (name.as_str(), *digest)).collect();
                writer.digests(&digests, hash).expect("written");
            }
            Step::Snapshot(bytes) => writer.snapshot(bytes, hash).expect("written"),
            Step::Flush => writer.flush(hash).expect("flushed"),
        }
    }
    events
}

/// Input that can only be read, a few bytes at a time.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = out.len().min(4093);
        self.0.read(&mut out[..count])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_written_comes_back_from_both_writers(
        header in header(), image in bytes(), steps in steps(), queue_bytes in 0usize..3_000_000,
    ) {
        let mut writer = TraceWriter::new(Vec::new(), &header, &image).expect("written");
        let events = take_steps(&mut writer, &steps);
        let file = writer.finish(&[("last", 1)], 99).expect("finished").out;

        let mut reader = TraceReader::new(Dripping(&file)).expect("a header");
        prop_assert_eq!(reader.header(), &header);
        prop_assert_eq!(reader.read_image(u64::MAX).expect("whole"), image.clone());
        let read = rest(&mut reader);
        prop_assert!(reader.is_closed());
        let mut came_back = Vec::new();
        let (mut snapshots, mut digests) = (Vec::new(), Vec::new());
        for item in read {
            match item {
                Owned::Event(event) => came_back.push(event),
                Owned::Snapshot { bytes, .. } => snapshots.extend(bytes),
                Owned::Digests { entries, .. } => digests.extend(entries),
                Owned::Completions { .. } => {}
                Owned::Image { .. } | Owned::Damage(_) => prop_assert!(false, "{item:?}"),
            }
        }
        prop_assert!(came_back == events);
        let (mut all_snapshots, mut all_digests) = (Vec::<u8>::new(), Vec::new());
        for step in &steps {
            match step {
                Step::Snapshot(bytes) => all_snapshots.extend(bytes),
                Step::Digests(digests) => all_digests.extend(digests.clone()),
                Step::Append(..) | Step::Flush => {}
            }
        }
        all_digests.push(("last".to_owned(), 1));
        prop_assert!(snapshots == all_snapshots);
        prop_assert_eq!(digests, all_digests);

        let mut writer = BackgroundWriter::spawn(Vec::new(), &header, &image, queue_bytes)
            .expect("written");
        take_steps(&mut writer, &steps);
        let finished = writer.finish(&[("last", 1)], 99).expect("finished");
        prop_assert!(finished.out == file);
        prop_assert_eq!(finished.file_bytes, file.len() as u64);
    }
}

/// A trace of `count` events with snapshots and digests here and there.
fn long_trace(count: u64) -> Vec<u8> {
    let header = Header { first_sequence: 7, digest_cadence: 5000, ..Header::default() };
    let mut writer = TraceWriter::new(Vec::new(), &header, b"image").expect("written");
    for number in 0..count {
        let event = number.to_le_bytes();
        writer.append(number / 2, &Record::event(&event), number).expect("appended");
        if writer.is_digest_due() {
            writer.digests(&[("all", number)], number).expect("written");
            writer.snapshot(&event, number).expect("written");
        }
    }
    writer.finish(&[], count).expect("finished").out
}

#[test]
fn seeking_comes_to_the_same_place_as_scanning() {
    let file = long_trace(12_000);
    let (_, batches) = split(&file);
    let footer = batches.last().expect("a footer").0;
    for file in [&file[..], &file[..footer]] {
        let whole = items(file);
        let mut reader = TraceReader::new(Cursor::new(file)).expect("a header");
        for sequence in [4103, 7, 8, 11_999, 4102, 4104, 5006, 5007, 5008, 12_006, 12_007] {
            reader.seek(sequence).expect("there");
            let before = whole.iter().position(
                |item| matches!(item, Owned::Event(event) if event.sequence + 1 == sequence),
            );
            let expected = &whole[before.map_or(0, |before| before + 1)..];
            assert!(rest(&mut reader) == expected, "at {sequence}");
            let mut scan = TraceReader::new(Dripping(file)).expect("a header");
            scan.skip_to(sequence).expect("there");
            assert!(rest(&mut scan) == expected, "at {sequence}");
        }
        for sequence in [0, 6, 12_008, u64::MAX] {
            let error = reader.seek(sequence).expect_err("not there");
            assert!(matches!(error, TraceError::NoSuchSequence { .. }), "{error}");
        }
    }
}

#[test]
fn a_snapshot_is_found_by_the_index() {
    let file = long_trace(12_000);
    let whole = items(&file);
    let mut reader = TraceReader::new(Cursor::new(&file)).expect("a header");
    assert!(!reader.seek_snapshot(5006).expect("read"));
    assert!(rest(&mut reader) == whole);
    for (sequence, found) in [(5007, 5007), (10_006, 5007), (10_007, 10_007), (u64::MAX, 10_007)] {
        assert!(reader.seek_snapshot(sequence).expect("read"));
        let from = whole.iter().position(
            |item| matches!(item, Owned::Snapshot { next_sequence, .. } if *next_sequence == found),
        );
        assert!(rest(&mut reader) == whole[from.expect("a snapshot")..]);
    }
}

#[test]
fn batches_keep_to_the_limits() {
    let mut writer = TraceWriter::new(Vec::new(), &Header::default(), &[1; 3 << 20]).expect("ok");
    let write = [b'w'; 64];
    for tick in 0..5000 {
        writer.append(tick, &Record::event(&write), 0).expect("appended");
    }
    let large = vec![3; 5 << 20];
    writer.append(5000, &Record::event(&large), 0).expect("appended");
    writer.append(5001, &Record::event(b"small"), 0).expect("appended");
    writer.append(5002, &Record::event(b"grows by its answer"), 0).expect("appended");
    writer.answer(&large).expect("answered");
    let file = writer.finish(&[], 0).expect("finished").out;
    let events: Vec<(u32, u32)> = split(&file)
        .1
        .iter()
        .filter(|(_, batch)| batch.kind == 1)
        .map(|(_, batch)| (batch.count, batch.raw_bytes))
        .collect();
    let large_bytes = 1 + 4 + (5 << 20);
    let answered_bytes = 1 + 1 + 19 + 4 + (5 << 20);
    // A 64-byte write costs two bytes beside itself.
    let expected =
        [(4096, 4096 * 66), (904, 904 * 66), (1, large_bytes), (1, 7), (1, answered_bytes)];
    assert_eq!(events, expected);
}

#[test]
fn what_cannot_be_recorded_is_refused_and_does_no_harm() {
    let mut writer = TraceWriter::new(Vec::new(), &Header::default(), b"").expect("written");
    assert!(matches!(writer.answer(b"of what?"), Err(TraceError::NoOpenEvent)));
    let too_long = vec![0; MAX_EVENT_BYTES + 1];
    let error = writer.append(0, &Record::event(&too_long), 0).expect_err("too long");
    assert!(matches!(error, TraceError::EventTooLarge { .. }));
    writer.append(5, &Record::event(&too_long[1..]), 0).expect("the largest");
    assert!(matches!(writer.answer(b"x"), Err(TraceError::EventTooLarge { .. })));
    let error = writer.append(4, &Record::event(b""), 0).expect_err("ticks go on");
    assert!(matches!(error, TraceError::TickWentBack { tick: 4, last: 5 }));
    let flags = Record { flags: 16, ..Record::default() };
    assert!(matches!(writer.append(5, &flags, 0), Err(TraceError::RecordFlags(16))));
    let nameless = writer.digests(&[("", 1)], 0).expect_err("no name");
    assert!(matches!(nameless, TraceError::Digests { count: 1 }));
    writer.append(5, &Record::event(b"good"), 0).expect("appended");
    writer.answer(b"answer").expect("answered");
    assert!(matches!(writer.answer(b"again"), Err(TraceError::NoOpenEvent)));
    let file = writer.finish(&[], 0).expect("finished").out;
    let mut lengths = Vec::new();
    let mut reader = TraceReader::new(file.as_slice()).expect("a header");
    while let Some(item) = reader.next_item().expect("read") {
        if let Item::Event(event) = item {
            lengths.push((event.record.event.len(), event.record.expected.map(<[u8]>::len)));
        }
    }
    assert_eq!(lengths, [(MAX_EVENT_BYTES, None), (4, Some(6))]);
}

#[test]
fn digests_are_due_at_the_cadence() {
    let mut writer = TraceWriter::new(Vec::new(), &Header::default(), b"").expect("written");
    assert!(!writer.is_digest_due());
    for tick in 0..2 * DEFAULT_DIGEST_CADENCE {
        writer.append(tick, &Record::event(b"x"), 0).expect("appended");
        assert_eq!(writer.is_digest_due(), (tick + 1).is_multiple_of(DEFAULT_DIGEST_CADENCE));
        if writer.is_digest_due() {
            writer.digests(&[("all", tick)], 0).expect("written");
            assert!(!writer.is_digest_due());
        }
    }
    // The digests at the end are those of the cadence, and are not written twice.
    let last = 2 * DEFAULT_DIGEST_CADENCE - 1;
    let file = writer.finish(&[("all", last)], 0).expect("finished").out;
    assert_eq!(split(&file).1.iter().filter(|(_, batch)| batch.kind == 2).count(), 2);
}

/// An output that two owners see, and that fails beyond `room` bytes.
#[derive(Clone)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Disk {
    fn new(room: usize) -> Self {
        Disk { bytes: Arc::default(), room }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("not poisoned").clone()
    }
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.bytes.lock().expect("not poisoned");
        let fits = bytes.len().min(self.room - file.len());
        if fits == 0 && !bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
        }
        file.extend(&bytes[..fits]);
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn assert_full<T>(result: Result<T, TraceError>) {
    let error = result.err().expect("the disk is full");
    let is_full = matches!(&error, TraceError::Io(e) if e.kind() == io::ErrorKind::StorageFull);
    assert!(is_full && error.to_string().contains("the disk is full"), "{error}");
}

fn fill<S: Sink>(mut writer: Builder<S>, disk: &Disk) {
    writer.append(0, &Record::event(b"first"), 0).expect("appended");
    writer.flush(1).expect("there is room");
    writer.append(1, &Record::event(b"second"), 1).expect("appended");
    assert_full(writer.flush(2));
    assert_full(writer.append(2, &Record::event(b"third"), 2));
    assert_full(writer.digests(&[], 2));
    assert_full(writer.finish(&[], 2));
    let (read, damage) = before_damage(items(&disk.bytes()));
    assert!(matches!(&read[..], [Owned::Event(_), Owned::Completions { hash: 1, .. }]));
    assert_eq!(damage.expect("torn").sequence, 1);
}

#[test]
fn a_full_disk_is_reported_at_every_call_that_follows() {
    let header = Header::default();
    let disk = Disk::new(150);
    fill(TraceWriter::new(disk.clone(), &header, b"").expect("there is room"), &disk);
    let disk = Disk::new(150);
    fill(BackgroundWriter::spawn(disk.clone(), &header, b"", 0).expect("there is room"), &disk);
}

fn leave<S: Sink>(mut writer: Builder<S>) {
    for tick in 0..5000 {
        writer.append(tick, &Record::event(b"event"), tick).expect("appended");
    }
}

#[test]
fn a_writer_that_is_dropped_leaves_its_full_batches() {
    let header = Header::default();
    let disks = [Disk::new(1 << 20), Disk::new(1 << 20)];
    leave(TraceWriter::new(disks[0].clone(), &header, b"").expect("written"));
    leave(BackgroundWriter::spawn(disks[1].clone(), &header, b"", 1 << 20).expect("written"));
    assert_eq!(disks[0].bytes(), disks[1].bytes());
    let mut reader = TraceReader::new(Cursor::new(disks[0].bytes())).expect("a header");
    let read = rest(&mut reader);
    assert!(!reader.is_closed());
    assert_eq!(read.len(), 4097);
    assert_eq!(read[4096], Owned::Completions { next_sequence: 4096, hash: 4096 });
}

/// An output with a bug.
struct Panics;

impl Write for Panics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert_eq!(bytes.len(), 72, "only the header is taken");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_panics_does_not_leave_the_caller_waiting() {
    let mut writer = BackgroundWriter::spawn(Panics, &Header::default(), b"", 0).expect("written");
    writer.append(0, &Record::event(b"x"), 0).expect("appended");
    assert!(writer.flush(0).is_err());
    assert!(writer.append(1, &Record::event(b"y"), 0).is_err());
    assert!(writer.finish(&[], 0).is_err());
}
