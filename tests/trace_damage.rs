//! Damaged, cut, foreign and malicious traces: what stands before the damage is read, nothing
//! wrong is, and nothing panics or grows.

mod trace_support;

use std::io::{Cursor, Read};

use proptest::prelude::*;
use tickernel::trace::{DamageKind, Header, Item, Record, TraceError, TraceReader, TraceWriter};
use trace_support::{Owned, RawBatch, before_damage, items, join, rest, split};

/// A small file with every kind of batch, one of them compressed.
fn small_trace() -> Vec<u8> {
    let header = Header { configuration: b"configuration".to_vec(), ..Header::default() };
    let mut writer = TraceWriter::new(Vec::new(), &header, b"the first image").expect("written");
    for number in 0..6u64 {
        let expected = [number as u8; 3];
        let record = Record {
            expected: (number % 2 == 0).then_some(&expected),
            lines: (number % 3 == 0).then_some((number, number + 9)),
            flags: number as u8,
            event: &[b'a'; 40],
        };
        writer.append(number * 3, &record, number).expect("written");
        if number == 2 {
            writer.digests(&[("fs", 1), ("tasks", 2)], 3).expect("written");
            writer.snapshot(b"a snapshot", 3).expect("written");
        }
    }
    let file = writer.finish(&[("fs", 3)], 6).expect("written").out;
    assert!(split(&file).1.iter().any(|(_, batch)| batch.encoding == 2));
    file
}

#[test]
fn a_changed_byte_never_changes_what_is_read() {
    let file = small_trace();
    let whole = items(&file);
    for at in 0..file.len() {
        for mask in [0x01, 0x10, 0x80, 0xff] {
            let mut changed = file.clone();
            changed[at] ^= mask;
            let Ok(mut reader) = TraceReader::new(changed.as_slice()) else { continue };
            let (read, damage) = before_damage(rest(&mut reader));
            assert!(whole.starts_with(&read), "byte {at} xor {mask}");
            let damage = damage.expect("every change is seen");
            assert!(!reader.is_closed());
            assert!(damage.offset <= at as u64);
            assert_eq!(damage.offset + damage.unread_bytes, file.len() as u64);
            for sequence in 0..=6 {
                let mut reader = TraceReader::new(Cursor::new(&changed)).expect("the same header");
                if reader.seek(sequence).is_ok() {
                    let (read, _) = before_damage(rest(&mut reader));
                    let is_part = whole.windows(read.len().max(1)).any(|part| part == read);
                    assert!(read.is_empty() || is_part, "byte {at} xor {mask} at {sequence}");
                }
            }
        }
    }
}

#[test]
fn a_cut_file_gives_what_stands_before_the_cut() {
    let file = small_trace();
    let whole = items(&file);
    let (header, batches) = split(&file);
    let ends = |at: usize| batches.iter().any(|(begin, _)| *begin == at) || at == header.len();
    for length in 0..file.len() {
        let mut reader = match TraceReader::new(&file[..length]) {
            Ok(reader) => reader,
            Err(TraceError::Empty) => {
                assert_eq!(length, 0);
                continue;
            }
            Err(error) => {
                assert!(matches!(error, TraceError::HeaderDamaged { .. }), "{error}");
                assert!(length < header.len());
                continue;
            }
        };
        let (read, damage) = before_damage(rest(&mut reader));
        assert!(whole.starts_with(&read));
        assert!(!reader.is_closed());
        let is_image_whole = !read.is_empty();
        assert_eq!(damage.is_none(), ends(length) && is_image_whole, "{length} bytes");
    }
}

#[test]
fn other_files_have_errors_of_their_own() {
    let error = |bytes: &[u8]| TraceReader::new(bytes).err().expect("an error");
    assert!(matches!(error(b""), TraceError::Empty));
    assert!(matches!(error(b"1 execve(\"/bin/sh\", ...) = 0\n"), TraceError::Foreign));
    assert!(matches!(error(b"x"), TraceError::Foreign));
    assert!(matches!(error(&[0; 4096]), TraceError::Foreign));
    let mut newer = small_trace();
    newer[8] = 3;
    assert!(matches!(error(&newer), TraceError::NewerFormat { found: 3, known: 2 }));
    let mut flags = split(&small_trace()).0;
    flags[20] = 4;
    let end = flags.len() - 4;
    let crc = trace_support::crc(&flags[..end]).to_le_bytes();
    flags[end..].copy_from_slice(&crc);
    assert!(matches!(error(&flags), TraceError::UnknownFlags(4)));
}

#[test]
fn a_batch_of_an_unknown_kind_is_passed_over() {
    let file = small_trace();
    let whole = items(&file);
    let (header, batches) = split(&file);
    let footer = batches.len() - 1;
    let batches: Vec<RawBatch> = batches.into_iter().take(footer).map(|(_, batch)| batch).collect();
    for place in 0..=footer {
        let mut batches = batches.clone();
        let mut unknown = RawBatch::plain(200, 12345, 9, 77, b"from the future");
        unknown.encoding = 9;
        batches.insert(place, unknown);
        let file = join(&header, &batches);
        let mut reader = TraceReader::new(file.as_slice()).expect("a header");
        assert_eq!(rest(&mut reader), whole);
        assert_eq!(reader.skipped_batches(), 1);
    }
}

#[test]
fn a_batch_that_is_missing_or_comes_twice_breaks_the_chain() {
    let file = small_trace();
    let whole = items(&file);
    let (_, batches) = split(&file);
    let (at, digests) = batches.iter().find(|(_, batch)| batch.kind == 2).expect("digests");
    let end = at + 56 + digests.stored.len();
    let missing = [&file[..*at], &file[end..]].concat();
    let twice = [&file[..end], &file[*at..]].concat();
    for (file, offset) in [(missing, *at), (twice, end)] {
        let (read, damage) = before_damage(items(&file));
        let damage = damage.expect("damage");
        assert!(whole.starts_with(&read));
        assert_eq!((damage.why, damage.offset), (DamageKind::Chain, offset as u64));
        assert_eq!(damage.sequence, 3);
    }
}

#[test]
fn an_index_that_leads_nowhere_is_not_followed() {
    let file = small_trace();
    let whole = items(&file);
    let (header, batches) = split(&file);
    let (footer_at, footer) = batches.last().expect("a footer");
    assert_eq!(footer.encoding, 1);
    let mut all: Vec<RawBatch> = batches.iter().map(|(_, batch)| batch.clone()).collect();
    for at in 0..footer.stored.len() {
        let mut lying = footer.clone();
        lying.stored[at] ^= 1;
        *all.last_mut().expect("a footer") = lying;
        let mut file = join(&header, &all);
        let crc = file[file.len() - 4..].to_vec();
        file.extend((*footer_at as u64).to_le_bytes());
        file.extend(crc);
        file.extend(b"TKT end\n");
        for sequence in 0..=6 {
            let mut reader = TraceReader::new(Cursor::new(&file)).expect("a header");
            reader.seek(sequence).expect("there");
            let (read, _) = before_damage(rest(&mut reader));
            assert!(whole.ends_with(&read), "byte {at}, event {sequence}");
            let events = read.iter().filter(|item| matches!(item, Owned::Event(_))).count();
            assert_eq!(events as u64, 6 - sequence);
        }
    }
}

/// An input that fails behind its first bytes.
struct Fails<'a>(&'a [u8]);

impl Read for Fails<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() { Err(std::io::Error::other("bad sector")) } else { self.0.read(out) }
    }
}

#[test]
fn an_input_that_fails_is_an_error_and_ends_the_reading() {
    let file = small_trace();
    for length in 0..file.len() {
        let mut reader = match TraceReader::new(Fails(&file[..length])) {
            Ok(reader) => reader,
            Err(error) => {
                assert!(error.to_string().contains("bad sector"), "{error}");
                continue;
            }
        };
        let error = loop {
            match reader.next_item() {
                Ok(Some(item)) => assert!(!matches!(item, Item::Damage(_))),
                Ok(None) => panic!("the failure at byte {length} is not reported"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, TraceError::Io(_)));
        assert!(matches!(reader.next_item(), Ok(None)));
        assert!(!reader.is_closed());
    }
}

/// The damage that a trace with this one batch has, and what is read before it.
fn damage_of(batch: RawBatch) -> (Vec<Owned>, DamageKind) {
    let header = TraceWriter::new(Vec::new(), &Header::default(), b"").expect("written");
    let header = split(&header.finish(&[], 0).expect("written").out).0;
    let (read, damage) = before_damage(items(&join(&header, &[batch])));
    (read, damage.expect("damage").why)
}

#[test]
fn lengths_beyond_the_limits_are_not_believed() {
    let mut large = RawBatch::plain(1, 0, 0, 1, b"\0\0");
    large.raw_bytes = (64 << 20) + 1;
    assert_eq!(damage_of(large.clone()).1, DamageKind::Length);
    large.raw_bytes = 64 << 20;
    assert_eq!(damage_of(large.clone()).1, DamageKind::Decompress);
    let bomb = zstd::encode_all(std::io::repeat(0).take(256 << 20), 1).expect("compressed");
    large.encoding = 2;
    large.stored = bomb;
    assert_eq!(damage_of(large.clone()).1, DamageKind::Decompress);
    large.raw_bytes = 100;
    assert_eq!(damage_of(large).1, DamageKind::Decompress);
    assert_eq!(damage_of(RawBatch::plain(1, 0, 0, 4097, &[0; 8194])).1, DamageKind::Length);
    let two = vec![0; (1 << 20) + 1];
    assert_eq!(damage_of(RawBatch::plain(1, 0, 0, 2, &two)).1, DamageKind::Length);
}

#[test]
fn contents_that_contradict_the_head_are_damage() {
    let is_payload = |batch| matches!(damage_of(batch).1, DamageKind::Payload(_));
    let is_head = |batch| matches!(damage_of(batch).1, DamageKind::Head(_));
    assert!(is_payload(RawBatch::plain(1, 0, 0, 1, b"\0\0\0")));
    assert!(is_payload(RawBatch::plain(1, 0, 0, 2, b"\0\0")));
    assert!(is_payload(RawBatch::plain(1, 0, 0, 1, b"\x08\0")));
    assert!(is_payload(RawBatch::plain(1, 0, 0, 1, b"\x04\x05\0")));
    assert!(is_payload(RawBatch::plain(1, 0, 0, 1, b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")));
    assert!(is_payload(RawBatch::plain(2, 0, 0, 0, b"\x01\0")));
    assert!(is_payload(RawBatch::plain(2, 0, 0, 1, b"\0\xff\xff\xff\xff\x0f")));
    assert!(is_payload(RawBatch::plain(2, 0, 0, 1, b"\0\x01\x01\xff12345678")));
    assert!(is_payload(RawBatch::plain(3, 0, 0, 1, b"\x05\x01abcd")));
    assert!(is_payload(RawBatch::plain(3, 0, 0, 1, b"\x05\x00abcdefgh")));
    assert!(is_payload(RawBatch::plain(5, 0, 0, 0, b"\0\0\0\0\x01")));
    assert!(is_head(RawBatch::plain(4, 0, 0, 1, b"\x01\0a")));
    assert!(is_head(RawBatch::plain(1, 1, 0, 1, b"\0\0")));
    assert!(is_head(RawBatch::plain(1, 0, 0, 0, b"")));
    assert!(is_head(RawBatch::plain(2, 0, 5, 0, b"\0\0")));
    let mut unknown = RawBatch::plain(1, 0, 0, 1, b"\0\0");
    unknown.encoding = 3;
    assert_eq!(damage_of(unknown).1, DamageKind::Encoding(3));
    let (read, _) = damage_of(RawBatch::plain(1, 0, 0, 2, b"\0\x01a\x08"));
    assert!(matches!(&read[..], [Owned::Event(event)] if event.event == b"a"));
}

#[test]
fn an_endless_rest_is_not_counted_to_its_end() {
    let file = small_trace();
    let (header, _) = split(&file);
    let mut reader = TraceReader::new(header.chain(std::io::repeat(0))).expect("a header");
    let damage = before_damage(rest(&mut reader)).1.expect("damage");
    assert!(!damage.unread_exact);
    assert!(damage.to_string().contains("at least"));
}

#[test]
fn an_image_that_is_cut_is_an_error_and_then_damage() {
    let file = small_trace();
    let (header, batches) = split(&file);
    let cut = &file[..batches[1].0 - 1];
    let mut reader = TraceReader::new(cut).expect("a header");
    let error = reader.read_image(1000).expect_err("cut");
    assert!(
        matches!(error, TraceError::ImageDamaged(damage) if damage.offset == header.len() as u64)
    );
    assert!(matches!(reader.next_item(), Ok(Some(Item::Damage(_)))));
    let mut reader = TraceReader::new(file.as_slice()).expect("a header");
    let error = reader.read_image(3).expect_err("too large");
    assert!(matches!(error, TraceError::ImageTooLarge { bytes: 15, limit: 3 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_at_all_are_read_without_a_panic(
        batches in prop::collection::vec(
            (0u8..7, 1u8..4, 0u64..3, 0u64..3, 0u32..5, prop::collection::vec(any::<u8>(), 0..60)),
            0..5,
        ),
        tail in prop::collection::vec(any::<u8>(), 0..80),
        sequence in 0u64..5,
    ) {
        let (header, _) = split(&small_trace());
        let image = RawBatch::plain(4, 0, 0, 1, b"\x0f\0the first image");
        let mut all = vec![image];
        all.extend(batches.into_iter().map(|(kind, encoding, first, tick, count, payload)| {
            RawBatch { encoding, ..RawBatch::plain(kind, first, tick, count, &payload) }
        }));
        let mut file = join(&header, &all);
        file.extend(tail);
        let scanned = items(&file);
        let mut reader = TraceReader::new(Cursor::new(&file)).expect("a header");
        if reader.seek(sequence).is_ok() {
            prop_assert!(scanned.ends_with(&rest(&mut reader)));
        }
    }
}
