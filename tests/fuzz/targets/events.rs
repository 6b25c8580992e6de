//! cargo-fuzz target: see `bodies/events.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tickernel_fuzz::events::run(bytes);
});
