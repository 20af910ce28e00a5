#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omadm_session::dm1::obex::check::check_obex_machine(bytes));
