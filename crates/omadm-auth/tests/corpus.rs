//! The property that the fuzz target `authorization` checks, over its corpus.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use omadm_auth::check::check_authorization;

#[test]
fn every_file_has_the_property_of_its_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = fs::read_to_string(root.join("fuzz/fuzz_targets/authorization.rs")).unwrap();
    assert!(target.contains("check::check_authorization(bytes)"));
    let mut count = 0;
    for entry in fs::read_dir(root.join("fuzz/corpus/authorization")).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        let bytes = fs::read(&path).unwrap();
        check_authorization(&bytes);
        for at in 0..bytes.len() {
            check_authorization(&bytes[..at]);
            for bit in [1, 0x20, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                check_authorization(&changed);
            }
        }
        count += 1;
    }
    assert!(count > 0, "an empty folder proves nothing");
}
