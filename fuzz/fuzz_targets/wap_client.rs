#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omadm_session::dm1::wsp::check::check_wap_client(bytes));
