//! xmllint as a judge of the schema of SyncML messages and DDF files.

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

fn validate_by(dtd: &str, document: &str) {
    let dtd = Path::new(env!("CARGO_MANIFEST_DIR")).join("dtd").join(dtd);
    let mut child = Command::new("xmllint")
        .args(["--noout", "--nonet", "--dtdvalid"])
        .args([dtd.as_path(), Path::new("-")])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("xmllint: {error}; run: cargo xtask install"));
    child.stdin.take().expect("it is piped").write_all(document.as_bytes()).expect("it reads all");
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{document}");
}
