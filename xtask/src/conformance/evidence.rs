//! Runs the conformance tests and gathers what they proved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::workspace::{Result, cargo, run_lines};

/// The variable that names the directory to the tests; `omadm-conformance` reads it.
const DIRECTORY: &str = "OMADM_CONFORMANCE_DIR";

/// What a run of the tests gave.
pub(super) struct Evidence {
    /// Each row and the tests that proved it.
    pub(super) proofs: BTreeMap<String, BTreeSet<String>>,
    /// Tests that failed, without the name of their binary.
    pub(super) failed: BTreeSet<String>,
    /// Whether the whole run ended well.
    pub(super) all_passed: bool,
}

/// One line of a file that a test wrote.
#[derive(Deserialize)]
struct Proof {
    row: String,
    /// Binary and path of the test: `sec_5_3_commands::get::unknown_node`.
    test: String,
}

/// Runs the tests with what they print on standard error.
pub(super) fn collect(target: PathBuf) -> Result<Evidence> {
    let directory = target.join("conformance").join(std::process::id().to_string());
    std::fs::create_dir_all(&directory)?;
    let evidence = collect_in(&directory);
    std::fs::remove_dir_all(&directory)?;
    evidence
}

fn collect_in(directory: &Path) -> Result<Evidence> {
    let mut failed = BTreeSet::new();
    let mut command = cargo();
    // The tests of the harness itself are not among them: they prove no row.
    command.args(["test", "--package", "omadm-conformance", "--test", "*", "--no-fail-fast"]);
    command.env(DIRECTORY, directory);
    let all_passed = run_lines(&mut command, |line| {
        eprintln!("{line}");
        failed.extend(failed_test(line).map(str::to_owned));
    })?;
    let mut proofs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        for line in std::fs::read_to_string(entry?.path())?.lines() {
            let proof: Proof = serde_json::from_str(line)?;
            if !ended_badly(&proof.test, &failed) {
                proofs.entry(proof.row).or_default().insert(proof.test);
            }
        }
    }
    Ok(Evidence { proofs, failed, all_passed })
}

/// The test of a line such as `test get::unknown_node ... FAILED`.
fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ")?.strip_suffix(" ... FAILED")
}

/// A test that gives an error instead of panicking leaves a proof and fails all the same. Where two binaries have a test of
/// the same name, both count as failed.
fn ended_badly(test: &str, failed: &BTreeSet<String>) -> bool {
    test.split_once("::").is_some_and(|(_, path)| failed.contains(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_test_proves_nothing() {
        let failed = BTreeSet::from(["get::unknown".to_owned()]);
        assert_eq!(failed_test("test get::unknown ... FAILED"), Some("get::unknown"));
        assert_eq!(failed_test("test get::known ... ok"), None);
        assert!(ended_badly("sec_5_3::get::unknown", &failed));
        assert!(!ended_badly("sec_5_3::get::known", &failed));
    }
}
