//! The trace format against its document: a whole file as literal bytes, and a decoder that is
//! written from `traces/README.md` alone and reads what the library writes.

mod trace_support;

use std::collections::VecDeque;
use tickernel::completions::Completions;
use tickernel::trace::{Header, Record, TraceWriter};
use tickernel_systems::digest::hash64;
use trace_support::{Owned, OwnedEvent, crc, items, u32_at, u64_at};

/// The file of `small_trace`, part by part.
const GOLDEN: &[(&str, &str)] = &[
    (
        "header",
        "89544b540d0a1a0a010001014b0000000700000003000000efcdab89674523012c0100000000000002000000\
         00000000eab76b7fdee31ca20500000000000000030000006366670739fa78",
    ),
    (
        "image",
        "0104000007000000070000000739fa782c010000000000000000000000000000000000000000000001000000\
         00000000000000000500696d616765f50f9893",
    ),
    (
        "events 300 and 301",
        "010100001300000013000000f50f98932c010000000000000500000000000000060000000000000002000000\
         2200000000000000021404046f70656ea301000472656164023d33297a466c",
    ),
    (
        "digests",
        "010200001b0000001b000000297a466c2e010000000000000600000000000000060000000000000002000000\
         2200000000000000ae02020266730100000000000000047461736bffffffffffffffff290bcf79",
    ),
    (
        "events 302 and 303",
        "010100000c0000000c000000290bcf792e01000000000000e803000000000000140500000000000002000000\
         4400000000000000000005ac02017804646f6e652f634c6a",
    ),
    (
        "snapshot",
        "0103000006000000060000002f634c6a30010000000000001405000000000000140500000000000001000000\
         44000000000000000400736e6170caacf83d",
    ),
    (
        "digests at the end",
        "010200000e0000000e000000caacf83d30010000000000001405000000000000140500000000000001000000\
         4400000000000000b002010266730200000000000000acb91d79",
    ),
    (
        "footer",
        "010500002400000024000000acb91d7930010000000000001405000000000000140500000000000003000000\
         4400000000000000b002940ab00201026673020000000000000003018a01ac0205019e0102e307034402ac02\
         c8593fdd",
    ),
    ("trailer", "f001000000000000c8593fdd544b5420656e640a"),
];

fn small_trace() -> Vec<u8> {
    let header = Header {
        format_version: 1,
        profile: 1,
        wake_mode: 1,
        kernel_version: 7,
        imported: true,
        completions_whole: true,
        seed: 0x0123_4567_89ab_cdef,
        first_sequence: 300,
        digest_cadence: 2,
        configuration: b"cfg".to_vec(),
    };
    let mut writer = TraceWriter::new(Vec::new(), &header, b"image").expect("written");
    let open = Record { lines: Some((10, 12)), ..Record::event(b"open") };
    assert_eq!(writer.append(5, &open, 0).expect("written"), 300);
    let read =
        Record { expected: Some(b"=3"), lines: Some((9, 9)), flags: 0xa, ..Record::event(b"read") };
    writer.append(6, &read, 0x11).expect("written");
    writer.digests(&[("fs", 1), ("task", u64::MAX)], 0x22).expect("written");
    writer.append(1000, &Record::event(b""), 0x22).expect("written");
    writer.append(1300, &Record::event(b"x"), 0x33).expect("written");
    writer.answer(b"done").expect("written");
    writer.snapshot(b"snap", 0x44).expect("written");
    writer.finish(&[("fs", 2)], 0x44).expect("written").out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_small_trace_has_these_bytes() {
    let file = small_trace();
    let (header, batches) = trace_support::split(&file);
    let mut ends = vec![0, header.len()];
    ends.extend(batches.iter().map(|(at, batch)| at + 56 + batch.stored.len()));
    ends.push(file.len());
    let parts: Vec<String> = ends.windows(2).map(|ends| hex(&file[ends[0]..ends[1]])).collect();
    assert_eq!(parts.len(), GOLDEN.len());
    for (part, (name, golden)) in parts.iter().zip(GOLDEN) {
        assert_eq!(part, golden, "{name}");
    }
}

#[test]
fn the_documents_decoder_reads_what_the_library_reads() {
    let mut files = vec![small_trace()];
    let mut writer = TraceWriter::new(Vec::new(), &Header::default(), &[7; 3 << 20]).expect("ok");
    for number in 0..10_000u64 {
        let text = format!("write {number}");
        let record = Record {
            expected: number.is_multiple_of(3).then_some(text.as_bytes()),
            lines: number.is_multiple_of(2).then_some((number * 7 % 1000, number)),
            flags: (number % 16) as u8,
            event: text.as_bytes(),
        };
        writer.append(number * number / 100, &record, number).expect("written");
        if writer.is_digest_due() || number == 5000 {
            writer.digests(&[("all", number)], number).expect("written");
            writer.snapshot(text.repeat(200_000).as_bytes(), number).expect("written");
        }
    }
    files.push(writer.finish(&[("all", 9)], 77).expect("written").out);
    for file in files {
        assert!(items(&file) == decode(&file));
    }
}

#[test]
fn hash_and_crc_are_the_documents() {
    assert_eq!(crc(b"123456789"), 0xE306_9283);
    for length in 0..40 {
        let data: Vec<u8> = (0..length).map(|byte: u8| byte.wrapping_mul(37)).collect();
        assert_eq!(hash64(u64::from(length) << 32, &data), hash(u64::from(length) << 32, &data));
    }
}

#[test]
fn completions_are_summed_as_the_document_says() {
    for format_version in [1, 2] {
        let mut summed = Completions::of_format(format_version);
        let mut expected = 0;
        for length in (0..100).chain([4095, 4096, 70_001]) {
            let data: Vec<u8> = (0..length).map(|at: u32| at.wrapping_mul(37) as u8).collect();
            summed.note_encoded(&data);
            expected = match format_version {
                1 => hash(expected, &data),
                _ => roll(expected, &data),
            };
            assert_eq!(summed.hash(), expected, "version {format_version}, {length} bytes");
        }
    }
}

const A: u64 = 0x9E37_79B9_7F4A_7C15;
const B: u64 = 0xD6E8_FEB8_6659_FD93;

fn fold(x: u64, y: u64) -> u64 {
    let product = u128::from(x) * u128::from(y);
    product as u64 ^ (product >> 64) as u64
}

/// From "Hash" of the document: the sum of completions in version 2.
fn roll(h: u64, completion: &[u8]) -> u64 {
    let number = |bytes: &[u8]| {
        let mut padded = bytes.to_vec();
        padded.resize(8, 0);
        u64_at(&padded, 0)
    };
    let w = if completion.len() < 8 {
        number(completion)
    } else {
        let mut queue = VecDeque::from([0, A, B, A ^ B]);
        let mut left = completion;
        let mut words = Vec::new();
        while let Some((front, word)) = left.split_last_chunk::<8>() {
            words.push(number(word));
            left = front;
        }
        words.push(number(left));
        for word in words {
            let lane = queue.pop_front().expect("four lanes");
            queue.push_back(fold(lane ^ word, B).wrapping_add(A));
        }
        fold(queue[0] ^ A, queue[1] ^ B) ^ fold(queue[2] ^ B, queue[3] ^ A)
    };
    fold(fold(h ^ A ^ w, B) ^ completion.len() as u64, A)
}

/// From "Hash" of the document.
fn hash(seed: u64, data: &[u8]) -> u64 {
    let mut h = seed ^ A;
    let whole = data.len() / 8 * 8;
    for at in (0..whole).step_by(8) {
        h = fold(h ^ u64_at(data, at), B).wrapping_add(A);
    }
    let mut last = data[whole..].to_vec();
    last.resize(8, 0);
    h = fold(h ^ u64_at(&last, 0), B);
    fold(h ^ data.len() as u64, A)
}

/// The document's numbers and strings, taken from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (front, back) = self.0.split_at(count);
        self.0 = back;
        front
    }

    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = self.take(1)[0];
            value += u64::from(byte % 128) << shift;
            shift += 7;
            if byte < 128 {
                return value;
            }
        }
    }

    fn step(&mut self, from: u64) -> u64 {
        let s = self.varint();
        if s.is_multiple_of(2) { from.wrapping_add(s / 2) } else { from.wrapping_sub(s / 2 + 1) }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.varint();
        self.take(length as usize).to_vec()
    }

    fn digests(&mut self) -> (u64, Vec<(String, u64)>) {
        let next_sequence = self.varint();
        let count = self.varint();
        let digest = |_| {
            let name = String::from_utf8(self.bytes()).expect("UTF-8");
            (name, u64_at(self.take(8), 0))
        };
        (next_sequence, (0..count).map(digest).collect())
    }
}

/// Checks the header: its length, its CRC, and the first sequence number.
fn decode_header(file: &[u8]) -> (usize, u32, u64) {
    assert_eq!(file[..8], [0x89, 0x54, 0x4B, 0x54, 0x0D, 0x0A, 0x1A, 0x0A]);
    assert!(matches!(file[8..10], [1 | 2, 0]));
    let header_bytes = u32_at(file, 12) as usize;
    let header_crc = u32_at(file, header_bytes - 4);
    assert_eq!(header_crc, crc(&file[..header_bytes - 4]));
    let configuration = &file[68..68 + u32_at(file, 64) as usize];
    assert_eq!(u64_at(file, 48), hash(0, configuration));
    (header_bytes, header_crc, u64_at(file, 32))
}

/// Reads an undamaged, finished file as the document says, checking all that it promises.
fn decode(file: &[u8]) -> Vec<Owned> {
    let (mut at, mut chain, mut sequence) = decode_header(file);
    let mut items = Vec::new();
    let mut index = Vec::new();
    let mut tick = 0;
    loop {
        let stored_bytes = u32_at(file, at + 4) as usize;
        let end = at + 52 + stored_bytes;
        assert_eq!(u32_at(file, at + 12), chain);
        chain = u32_at(file, end);
        assert_eq!(chain, crc(&file[at..end]));
        let stored = &file[at + 52..end];
        let payload = match file[at] {
            1 => stored.to_vec(),
            _ => zstd::decode_all(stored).expect("a zstd frame"),
        };
        assert_eq!(payload.len(), u32_at(file, at + 8) as usize);
        assert_eq!(u64_at(file, at + 16), sequence);
        let (first_tick, last_tick) = (u64_at(file, at + 24), u64_at(file, at + 32));
        let (count, completions) = (u32_at(file, at + 40), u64_at(file, at + 44));
        let mut payload = Bytes(&payload);
        if file[at + 1] == 1 {
            index.push((1, at as u64, sequence, first_tick));
            let before = first_tick.wrapping_sub(1);
            items.extend(decode_events(&mut payload, sequence, before, count));
            sequence += u64::from(count);
            tick = last_tick;
            items.push(Owned::Completions { next_sequence: sequence, hash: completions });
        } else {
            assert_eq!((first_tick, last_tick), (tick, tick));
        }
        match file[at + 1] {
            2 => {
                let (next_sequence, entries) = payload.digests();
                items.push(Owned::Digests { next_sequence, entries });
            }
            3 | 4 => {
                let (total, offset) = (payload.varint(), payload.varint());
                let bytes = std::mem::take(&mut payload.0).to_vec();
                if file[at + 1] == 4 {
                    items.push(Owned::Image { total, offset, bytes });
                } else {
                    if offset == 0 {
                        index.push((3, at as u64, sequence, tick));
                    }
                    let next_sequence = sequence;
                    items.push(Owned::Snapshot {
                        next_sequence,
                        completions,
                        total,
                        offset,
                        bytes,
                    });
                }
            }
            5 => {
                check_footer(&mut payload, sequence, tick, &index);
                assert_eq!(count as usize, index.len());
                assert_eq!(u64_at(file, end + 4), at as u64);
                assert_eq!(u32_at(file, end + 12), chain);
                assert_eq!(&file[end + 16..], b"TKT end\n");
                return items;
            }
            kind => assert_eq!(kind, 1),
        }
        assert!(payload.0.is_empty());
        at = end + 4;
    }
}

fn decode_events(payload: &mut Bytes<'_>, first: u64, mut tick: u64, count: u32) -> Vec<Owned> {
    let mut line = 0;
    let event = |number| {
        let head = payload.take(1)[0];
        tick = tick.wrapping_add(if head & 4 == 0 { 1 } else { payload.varint() });
        let mut lines = None;
        if head & 2 != 0 {
            line = payload.step(line);
            lines = Some((line, payload.step(line)));
        }
        Owned::Event(OwnedEvent {
            sequence: first + u64::from(number),
            tick,
            lines,
            event: payload.bytes(),
            expected: (head & 1 != 0).then(|| payload.bytes()),
            flags: head / 16,
        })
    };
    (0..count).map(event).collect()
}

fn check_footer(payload: &mut Bytes<'_>, sequence: u64, tick: u64, index: &[(u8, u64, u64, u64)]) {
    assert_eq!((payload.varint(), payload.varint()), (sequence, tick));
    assert_eq!(payload.digests().0, sequence);
    assert_eq!(payload.varint() as usize, index.len());
    let mut before = (0, 0, 0);
    for entry in index {
        assert_eq!(payload.take(1)[0], entry.0);
        before.0 += payload.varint();
        before.1 += payload.varint();
        before.2 += payload.varint();
        assert_eq!(before, (entry.1, entry.2, entry.3));
    }
    assert!(payload.0.is_empty());
}
