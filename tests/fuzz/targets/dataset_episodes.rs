#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    sinew_fuzz::parquet_may_panic();
    sinew_fuzz::dataset_episodes(bytes);
});
