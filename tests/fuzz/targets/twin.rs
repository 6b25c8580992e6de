//! cargo-fuzz target: see `bodies/twin.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tickernel_fuzz::twin::run(bytes);
});
