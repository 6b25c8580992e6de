//! cargo-fuzz target: see `bodies/trace.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tickernel_fuzz::trace::run(bytes);
});
