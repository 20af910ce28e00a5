//! The property that the fuzz target checks, over its corpus.

use std::path::Path;

use omadm_session::dm1::wsp::check::check_wap_client;

#[test]
fn every_file_has_the_property() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/wap_client");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        check_wap_client(&bytes);
        for at in 0..bytes.len() {
            check_wap_client(&bytes[..at]);
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            check_wap_client(&changed);
        }
        count += 1;
    }
    assert!(count > 0, "an empty folder proves nothing");
}
