//! The target `trace`: a trace file as it comes, and with its sums set right.
//!
//! A changed byte ends the reading at the sum that it breaks; so the file is read once more with
//! every length, CRC, chain and hash of an image made to fit, and then what lies within is tried:
//! records, digests, indexes, images that no kernel wrote. Nothing may panic; what is read in
//! order and what is read after a seek must agree; what is converted must come back; an image
//! that is taken must be a kernel that holds its own audit.

#[path = "../../trace_support/mod.rs"]
mod trace_support;

use super::twin::run_trace;
use std::io::Cursor;
use tickernel::json::convert::to_twin;
use tickernel::trace::{MAGIC, TraceReader};
use tickernel_systems::digest::hash64;
use tickernel_systems::event::Call;
use tickernel_systems::{Config, Kernel};
use trace_support::{Owned, RawBatch, before_damage, crc, join, rest, u32_at};

/// Length of a header without configuration: to the end of its own length, and the CRC.
const HEADER_BYTES: usize = 72;
/// Length of a batch's head, and with the CRC behind.
const BATCH_BYTES: usize = 52;
/// The kind of a batch that holds a piece of the first image.
const IMAGE: u8 = 4;
/// The kernel's version of snapshots, which is the seed of their sum.
const SNAPSHOT_VERSION: u64 = 1;

/// Reads the file in all ways; gives how many items were read.
///
/// # Panics
/// At a defect.
pub fn run(file: &[u8]) -> usize {
    let read = read(file);
    let Some(file) = repaired(file) else { return read };
    read.max(self::read(&file))
}

fn read(file: &[u8]) -> usize {
    let Ok(mut reader) = TraceReader::new(file) else { return 0 };
    let (items, damage) = before_damage(rest(&mut reader));
    for sequence in 0..4 {
        let mut reader = TraceReader::new(Cursor::new(file)).expect("the same header");
        if reader.seek(sequence).is_ok() {
            let (late, late_damage) = before_damage(rest(&mut reader));
            if damage.is_none() {
                assert!(items.ends_with(&late), "after a seek to {sequence} other items are read");
                assert_eq!(late_damage, None);
            }
        }
        if reader.seek_snapshot(sequence).is_ok() {
            rest(&mut reader);
        }
    }
    let mut reader = TraceReader::new(file).expect("the same header");
    if let Ok(image) = reader.read_image(1 << 20) {
        run_image(&image);
    }
    let mut reader = TraceReader::new(file).expect("the same header");
    let mut twin = Vec::new();
    drop(to_twin(&mut reader, &mut twin));
    run_trace(file.to_vec());
    items.iter().filter(|item| !matches!(item, Owned::Image { .. })).count()
}

/// An image is refused, or is sound enough to run.
fn run_image(image: &[u8]) {
    let Ok(mut kernel) = Kernel::restore(image) else { return };
    kernel.cap_limits(&Config::default());
    let calls = [
        Call::Fork {},
        Call::Pipe {},
        Call::Write { fd: 4, data: b"x" },
        Call::Read { fd: 3, count: 10 },
        Call::Stat { path: Some(b"/tmp/../proc/self/status") },
        Call::Kill { target: -1, sig: 15 },
        Call::Wait4 { wpid: -1, options: 0 },
        Call::Close { fd: 3 },
        Call::ExitGroup { status: 0 },
    ];
    for process in kernel.processes().into_iter().take(4) {
        for call in &calls {
            kernel.call_kept(process.pid, call);
            kernel.audit().unwrap_or_else(|defect| panic!("{defect} after {call:?}"));
        }
    }
    let snapshot = kernel.snapshot();
    let mut again = Kernel::restore(&snapshot).expect("its own snapshot");
    assert_eq!(kernel.digests(), again.digests());
}

/// The file with all sums made to fit, up to where its batches stop being some.
fn repaired(file: &[u8]) -> Option<Vec<u8>> {
    if !file.starts_with(&MAGIC) || file.len() < HEADER_BYTES + 4 {
        return None;
    }
    let length = u32_at(file, 12) as usize;
    let mut header = file.get(..length).filter(|header| header.len() >= HEADER_BYTES + 4)?.to_vec();
    let configuration = u32_at(&header, 64) as usize;
    let configuration = header.get(HEADER_BYTES - 4..)?.get(..configuration)?;
    let hash = hash64(0, configuration).to_le_bytes();
    header[48..56].copy_from_slice(&hash);
    let end = header.len() - 4;
    let sum = crc(&header[..end]).to_le_bytes();
    header[end..].copy_from_slice(&sum);
    Some(join(&header, &batches(&file[length..])))
}

fn batches(mut rest: &[u8]) -> Vec<RawBatch> {
    let mut batches = Vec::new();
    while rest.len() > BATCH_BYTES + 4 {
        let u64_at = |at: usize| trace_support::u64_at(rest, at);
        let stored_bytes = (u32_at(rest, 4) as usize).min(rest.len() - BATCH_BYTES - 4);
        let mut batch = RawBatch {
            encoding: rest[0],
            kind: rest[1],
            raw_bytes: u32_at(rest, 8),
            first_sequence: u64_at(16),
            first_tick: u64_at(24),
            last_tick: u64_at(32),
            count: u32_at(rest, 40),
            completions: u64_at(44),
            stored: rest[BATCH_BYTES..BATCH_BYTES + stored_bytes].to_vec(),
        };
        if batch.encoding == 1 {
            batch.raw_bytes = batch.stored.len() as u32;
            if batch.kind == IMAGE {
                set_sum(&mut batch.stored);
            }
        }
        batches.push(batch);
        rest = &rest[BATCH_BYTES + stored_bytes + 4..];
    }
    batches
}

/// Sets the sum at the end of a snapshot that stands whole in a batch: two varints before it.
fn set_sum(stored: &mut [u8]) {
    let ends = stored.iter().enumerate().filter(|(_, byte)| **byte < 0x80).map(|(at, _)| at + 1);
    let Some(start) = ends.take(2).last() else { return };
    let Some(end) = stored.len().checked_sub(8).filter(|end| *end > start) else { return };
    let sum = hash64(SNAPSHOT_VERSION, &stored[start..end]).to_le_bytes();
    stored[end..].copy_from_slice(&sum);
}
