//! `omadm encode` over the vectors of the repository.

use std::path::Path;

use crate::decode::messages;
use crate::{omadm, repository, run, run_with_input};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What `decode` says of a document.
fn content(kind: &str, document: &[u8]) -> serde_json::Value {
    run_with_input(&["decode", "--as", kind, "--output", "json"], document).json()["content"].clone()
}

/// Whatever a document is in, it says the same in WBXML and in XML; `decode` finds nothing to tolerate in either.
#[test]
fn documents_keep_what_they_say_in_either_encoding() {
    for (folder, kind) in [("dm1/tnds", "tnds"), ("dm1/message", "syncml"), ("ddf", "ddf")] {
        for document in messages(folder, "expected") {
            // There is a type for each node when it was written, and octets are base64 in XML.
            let xml = run(&["encode", "--as", kind, "--to", "xml", text(&document)]);
            assert_eq!(xml.code, Some(0), "{}: {xml:?}", document.display());
            let said = content(kind, xml.stdout.as_bytes());
            let hex = run_with_input(&["encode", "--as", kind, "--hex"], xml.stdout.as_bytes());
            assert_eq!(content(kind, hex.stdout.as_bytes()), said, "{}", document.display());
            let back = run_with_input(&["encode", "--as", kind, "--to", "xml"], hex.stdout.as_bytes());
            assert_eq!(back.stdout, xml.stdout, "{}", document.display());
        }
    }
}

#[test]
fn octets_and_digits_are_the_same_document() {
    let camera = repository("vectors/dm1/tnds/camera.hex");
    let digits: String = std::fs::read_to_string(&camera).unwrap().lines().skip(1).collect();
    let ran = run(&["encode", "--as", "tnds", "--hex", text(&camera)]);
    assert_eq!(ran.stdout, digits.clone() + "\n");
    let octets = omadm().args(["encode", "--as", "tnds", text(&camera)]).output().unwrap().stdout;
    let shown: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(shown, digits);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("camera.wbxml");
    let ran = run(&["encode", "--as", "tnds", "--output-file", text(&file), text(&camera)]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert_eq!(std::fs::read(file).unwrap(), octets);
}

#[test]
fn what_was_put_right_is_told() {
    let ran =
        run(&["encode", "--as", "tnds", "--hex", text(&repository("vectors/dm1/tnds/white-space.xml"))]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("loose-white-space"), "{ran:?}");
    let ran = run(&["encode", "--as", "ddf", "--hex", text(&repository("vectors/ddf/windows-v2.ddf"))]);
    assert!(ran.stderr.contains("line 27: Applicability is no element of DDF"), "{ran:?}");
}

#[test]
fn commands_that_no_encoder_writes_are_told() {
    let ran = run(&[
        "encode",
        "--as",
        "syncml",
        "--hex",
        text(&repository("vectors/dm1/message/unknown-elements.xml")),
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("03a4016a006d"), "{ran:?}");
    assert!(ran.stderr.contains("Put was left out"), "{ran:?}");
}

#[test]
fn what_is_wrong_is_refused() {
    let ran = run(&["encode", "--as", "tnds", text(&repository("vectors/dm1/tnds/format-two.xml"))]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("(byte 96): Format of TNDS document: exactly one"), "{ran:?}");
    let ran = run(&["encode", "--as", "tnds", "--to", "xml", "--hex"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}
