//! The property that the fuzz target `obex_machine` checks, over its corpus and over what is made of it.

use std::path::Path;

use omadm_session::dm1::obex::check::check_obex_machine;
use proptest::prelude::*;

#[test]
fn every_file_has_the_property() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let target = std::fs::read_to_string(root.join("fuzz_targets/obex_machine.rs")).unwrap();
    assert!(target.contains("check::check_obex_machine(bytes)"));
    let mut count = 0;
    for entry in std::fs::read_dir(root.join("corpus/obex_machine")).unwrap() {
        let script = std::fs::read(entry.unwrap().path()).unwrap();
        for choice in 0..=255 {
            let mut script = script.clone();
            script[0] = choice;
            check_obex_machine(&script);
        }
        for at in 1..script.len() {
            check_obex_machine(&script[..at]);
            let mut changed = script.clone();
            changed[at] ^= 0x81;
            check_obex_machine(&changed);
        }
        count += 1;
    }
    assert!(count > 0, "an empty folder proves nothing");
}

proptest! {
    #[test]
    fn any_script_has_the_property(script in prop::collection::vec(any::<u8>(), 0..600)) {
        check_obex_machine(&script);
    }
}
