//! libwbxml as a judge of WBXML: it reads what we write, and writes what we read.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// A document in XML, from WBXML. `language` is its type as libwbxml calls it, such as `DMDDF12` or `SYNCML12`. What is no text in it
/// stands there as U+FFFD.
#[must_use]
pub fn to_xml(language: &str, wbxml: &[u8]) -> String {
    let arguments = ["-l", language, "-m", "0", "-k", "-o", "-", "-"];
    String::from_utf8_lossy(&run("wbxml2xml", &arguments, wbxml)).into_owned()
}

/// A document in WBXML 1.3 without a string table, from XML whose DOCTYPE says what it is.
#[must_use]
pub fn to_wbxml(xml: &str) -> Vec<u8> {
    run("xml2wbxml", &["-n", "-k", "-v", "1.3", "-o", "-", "-"], xml.as_bytes())
}

/// What a program writes that gets this to read.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; run: cargo xtask install"));
    child.stdin.take().expect("it is piped").write_all(input).expect("it reads all");
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !output.stdout.is_empty(), "{program}: {told}");
    output.stdout
}
