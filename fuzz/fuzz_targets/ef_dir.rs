#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omadm_codec::check::check_ef_dir(bytes));
