//! cargo-fuzz target: see `bodies/strace.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tickernel_fuzz::strace::run(bytes);
});
