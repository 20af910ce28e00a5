#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omadm_auth::check::check_authorization(bytes));
