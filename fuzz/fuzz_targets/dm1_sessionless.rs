#![no_main]

use omadm_mo::ddf::Catalogue;
use omadm_mo::{Quota, Tree};
use omadm_session::dm1::client::check::check_sessionless;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    check_sessionless(&mut Tree::new(Catalogue::new().into(), Quota::default()), bytes);
});
