//! The property that the fuzz target `dm1_bootstrap` checks, over its corpus.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;

use omadm_session::dm1::bootstrap::check::check_dm1_bootstrap;

#[test]
fn every_file_has_the_property() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/dm1_bootstrap");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        let bytes = std::fs::read(path).unwrap();
        check_dm1_bootstrap(&bytes);
        for at in 0..bytes.len() {
            check_dm1_bootstrap(&bytes[..at]);
            for bit in [1, 0x20, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= bit;
                check_dm1_bootstrap(&changed);
            }
        }
        count += 1;
    }
    assert!(count > 0, "an empty folder proves nothing");
}
