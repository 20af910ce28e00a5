#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omadm_session::smartcard::check::check_card(bytes));
