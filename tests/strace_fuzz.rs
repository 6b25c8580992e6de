//! Nothing makes the parser panic or hang: random bytes, and real lines with random damage.

#[path = "fuzz/bodies/strace.rs"]
#[allow(dead_code, reason = "the importer has tests of its own")]
mod body;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tickernel::strace::{Body, Event, Events, Fd, Line, LineParser, Lines, Recording, Text, Value};

const STANDARD: &[u8] = include_bytes!("strace_fixtures/standard.strace");
const PLAIN: &[u8] = include_bytes!("strace_fixtures/plain.strace");
const RAW_HEX: &[u8] = include_bytes!("strace_fixtures/raw_hex.strace");

/// Lines of all three recordings.
fn real_line() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<Vec<u8>> = [STANDARD, PLAIN, RAW_HEX]
        .iter()
        .flat_map(|text| text.split(|byte| *byte == b'\n'))
        .map(<[u8]>::to_vec)
        .collect();
    prop::sample::select(lines)
}

/// One change: where (in 1/65536 of the length), what is done, and with which bytes.
fn damage() -> impl Strategy<Value = (u16, u8, Vec<u8>)> {
    let tokens: Vec<&'static [u8]> = vec![
        b"(",
        b")",
        b"[",
        b"]",
        b"{",
        b"}",
        b"<",
        b">",
        b"\"",
        b"\\",
        b"\\x",
        b"=",
        b" => ",
        b"...",
        b"|",
        b" /* ",
        b" */",
        b"~",
        b"<unfinished ...>",
        b"<... ",
        b" resumed>",
        b"--- ",
        b"+++ ",
        b"[pid ",
        b"\n",
        b"\0",
        b"\xff",
        b"99999999999999999999",
        b"-",
        b"*",
        b"<<",
        b" or ",
        b"strace: Process 3 attached",
        b"% time ",
        b"'",
        b"@",
        b"&",
        b"==",
        b"&&",
        b":",
        b".",
    ];
    let piece =
        prop_oneof![prop::sample::select(tokens).prop_map(<[u8]>::to_vec), vec(any::<u8>(), 0..4),];
    (any::<u16>(), 0_u8..4, piece)
}

fn damaged(mut line: Vec<u8>, changes: &[(u16, u8, Vec<u8>)]) -> Vec<u8> {
    for (place, kind, bytes) in changes {
        let at = line.len() * usize::from(*place) / 65536;
        let end = (at + 1 + bytes.len()).min(line.len());
        match kind {
            0 => drop(line.splice(at..at, bytes.iter().copied())),
            1 => drop(line.splice(at..end, bytes.iter().copied())),
            2 => drop(line.drain(at..end)),
            _ => line.truncate(at),
        }
    }
    line
}

/// What is kept packed is what comes while it is read.
fn kept(text: &[u8], recording: &Recording) -> Result<(), TestCaseError> {
    let mut stream = Events::new(text);
    let read: Vec<Event> = stream.by_ref().filter_map(Result::ok).collect();
    let mut kept: Vec<Event> = recording.events.iter().collect();
    prop_assert_eq!(kept.len() as u64, recording.events.len());
    prop_assert_eq!(kept.get(1).cloned(), recording.events.get(1));
    if kept != read {
        // Entries that go up (`strace -z`).
        kept.sort_by_key(|event| event.line);
        let lines = |events: &[Event]| events.iter().map(|event| event.line).collect::<Vec<_>>();
        prop_assert_eq!(lines(&kept), lines(&read));
    }
    prop_assert_eq!(stream.calls().count(), recording.calls.count());
    for index in 0..recording.calls.count() {
        let kept = recording.calls.get(index);
        prop_assert_eq!(stream.calls().get(index), kept.as_deref());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        rng_seed: RngSeed::Fixed(9),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..400)) {
        kept(&bytes, &body::parse(&bytes))?;
    }

    #[test]
    fn damaged_lines(line in real_line(), changes in vec(damage(), 1..6)) {
        let mut text = damaged(line, &changes);
        text.push(b'\n');
        kept(&text, &body::parse(&text))?;
    }

    #[test]
    fn a_damaged_line_leaves_the_lines_before_it(at in 1_usize..90, change in damage()) {
        let lines = STANDARD.split_inclusive(|byte| *byte == b'\n');
        let mut lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
        let before = Events::new(lines[..at].concat().as_slice()).read_all().events.len();
        lines[at] = damaged(lines[at].clone(), &[change]);
        prop_assert!(body::parse(&lines.concat()).events.len() >= before);
    }

    /// Any bytes as a string's content, and as what a descriptor is, come through a print.
    #[test]
    fn a_print_is_read_as_what_was_printed(bytes in vec(any::<u8>(), 0..40), cut in any::<bool>()) {
        let text = Value::Str(Text { bytes: bytes.clone(), cut, at: false, hex: false });
        let path = Fd {
            number: Value::Null,
            text: [b"/".as_slice(), &bytes].concat(),
            device: Some(bytes.clone()),
            deleted: cut,
        };
        let printed = format!("f({text}, 3{}) = 0", path.to_string().trim_start_matches("NULL"));
        let line = LineParser::new().parse(1, printed.as_bytes());
        let Ok(Line { body: Body::Call(call), .. }) = line else {
            return Err(TestCaseError::fail(format!("{printed}: {line:?}")));
        };
        let string = call.args[0].as_text().map(|text| (&text.bytes, text.cut));
        prop_assert_eq!(string, Some((&bytes, cut)));
        let read = call.args[1].as_fd().map(|fd| (&fd.text, &fd.device, fd.deleted));
        prop_assert_eq!(read, Some((&path.text, &path.device, path.deleted)));
    }
}

#[test]
fn every_style_prints_to_what_reads_the_same() {
    for text in [STANDARD, PLAIN, RAW_HEX] {
        for line in Lines::new(text) {
            let Ok(line) = line else { panic!("{line:?}") };
            let printed = line.to_string();
            match (LineParser::new().parse(line.number, printed.as_bytes()), &line.body) {
                // The offset of the text in the line depends on the blanks before it.
                (Ok(again), Body::Resumed { .. }) => assert_eq!(again.to_string(), printed),
                (Ok(again), _) => assert_eq!(again, line),
                (Err(error), _) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_recording_cut_at_any_byte_is_torn_or_whole() {
    let head = &STANDARD[..4000];
    for end in 1..head.len() {
        let text = &head[..end];
        let whole = text.iter().filter(|byte| **byte == b'\n').count();
        let read = Lines::new(text).filter(Result::is_ok).count();
        let failed = Lines::new(text).filter(Result::is_err).count();
        assert_eq!((read, failed), (whole, usize::from(text.last() != Some(&b'\n'))), "at {end}");
    }
}

#[test]
fn long_lines_of_one_token_end() {
    // A parser that searches ahead from every token would not come back from these.
    let units = [
        "\"a\", ",
        "{a=1}, ",
        "[1 2] ",
        "A|",
        "A or ",
        "1 /* a */|",
        "\\x41",
        "(",
        "<",
        "=> ",
        "/* ",
    ];
    for unit in units {
        let text = format!("f({}\n", unit.repeat(200_000));
        assert!(Lines::new(text.as_bytes()).all(|line| line.is_err()), "{unit}");
    }
}
