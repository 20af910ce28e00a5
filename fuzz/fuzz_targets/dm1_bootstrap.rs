#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omadm_session::dm1::bootstrap::check::check_dm1_bootstrap(bytes));
