#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ganglion_fuzz::stream::run(bytes));
