//! cargo-fuzz target: see `bodies/events.rs`. Its mutator moves whole events, or changes one and
//! leaves the others where they stand.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use tickernel_fuzz::events::{EVENT_BYTES, run};

fuzz_target!(|bytes: &[u8]| {
    run(bytes);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let events = size / EVENT_BYTES;
    let [how, first, second, _] = seed.to_le_bytes();
    if events < 2 || how % 8 == 7 {
        return fuzzer_mutate(data, size, max_size);
    }
    // The first 16 bytes are the kernel's: they stay the first.
    let at = |byte: u8| (1 + usize::from(byte) % (events - 1)) * EVENT_BYTES;
    let (from, to) = (at(first), at(second));
    let end = events * EVENT_BYTES;
    match how % 8 {
        0 if events > 2 => {
            data.copy_within(from + EVENT_BYTES..end, from);
            end - EVENT_BYTES
        }
        1 if end + EVENT_BYTES <= max_size => {
            let event: [u8; EVENT_BYTES] = std::array::from_fn(|place| data[from + place]);
            data.copy_within(to..end, to + EVENT_BYTES);
            data[to..to + EVENT_BYTES].copy_from_slice(&event);
            end + EVENT_BYTES
        }
        2 => {
            (0..EVENT_BYTES).for_each(|place| data.swap(from + place, to + place));
            end
        }
        3 if end + EVENT_BYTES <= max_size => {
            data.copy_within(to..end, to + EVENT_BYTES);
            changed(&mut data[to..to + EVENT_BYTES]);
            end + EVENT_BYTES
        }
        _ => {
            changed(&mut data[from..from + EVENT_BYTES]);
            end
        }
    }
});

/// Changes one event, which keeps its length.
fn changed(event: &mut [u8]) {
    let length = fuzzer_mutate(event, EVENT_BYTES, EVENT_BYTES);
    event[length..].fill(0);
}
