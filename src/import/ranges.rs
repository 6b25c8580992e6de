//! Ranges of bytes that are known of a file, sorted and apart: what the importer uses to see which
//! parts of a first state a recording showed. No data is here.

/// Adds a range; those that it touches become one with it.
pub(super) fn add_range(ranges: &mut Vec<(u64, u64)>, start: u64, end: u64) {
    if start >= end {
        return;
    }
    let (mut start, mut end) = (start, end);
    ranges.retain(|&(from, to)| {
        let apart = to < start || from > end;
        if !apart {
            (start, end) = (start.min(from), end.max(to));
        }
        apart
    });
    let at = ranges.partition_point(|range| range.0 < start);
    ranges.insert(at, (start, end));
}

/// The parts of a range that no known range covers.
pub(super) fn gaps(ranges: &[(u64, u64)], start: u64, end: u64) -> Vec<(u64, u64)> {
    let mut out = Vec::new();
    let mut at = start;
    for &(from, to) in ranges {
        if to <= at {
            continue;
        }
        if from >= end {
            break;
        }
        if from > at {
            out.push((at, from));
        }
        at = at.max(to);
    }
    if at < end {
        out.push((at, end));
    }
    out
}
