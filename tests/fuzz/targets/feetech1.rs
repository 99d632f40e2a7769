#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sinew_fuzz::feetech1(bytes));
