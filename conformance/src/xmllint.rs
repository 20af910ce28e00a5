//! xmllint as a judge of the schema of SyncML messages, DDF files, and documents between servers.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Asserts that a message in XML has the elements that the DTDs of the Representation Protocol and of Meta Information allow, in their
/// order.
pub fn validate(message: &str) {
    validate_by("dm-reppro.dtd", message);
}

/// Asserts that a DDF file is valid by the DTD of the Device Description Framework.
pub fn validate_ddf(file: &str) {
    validate_by("dm-ddf.dtd", file);
}

/// Asserts that a document between servers is valid by the schema of delegation.
pub fn validate_delegation(document: &str) {
    let schema = "../crates/omadm-codec/src/delegation/delegation.xsd";
    judge("--schema", &Path::new(env!("CARGO_MANIFEST_DIR")).join(schema), document);
}

fn validate_by(dtd: &str, document: &str) {
    judge("--dtdvalid", &Path::new(env!("CARGO_MANIFEST_DIR")).join("dtd").join(dtd), document);
}

fn judge(by: &str, definition: &Path, document: &str) {
    let mut child = Command::new("xmllint")
        .args(["--noout", "--nonet", by])
        .args([definition, Path::new("-")])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("xmllint: {error}; run: cargo xtask install"));
    child.stdin.take().expect("it is piped").write_all(document.as_bytes()).expect("it reads all");
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{document}");
}
