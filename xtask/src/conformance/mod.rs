//! `cargo xtask conformance`: which rows of the matrix are proven, by which tests.
//!
//! A row is proven when a test that names it in `proves!` ran to its end and passed. The tests write what they proved
//! into a directory that we name to them; here it is joined with the matrix and the waived rows.

mod evidence;
mod matrix;
mod report;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use crate::workspace::{Result, root};
use crate::{install, workspace};
use matrix::Row;
use report::Judged;

/// How the result is shown.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    Table,
    Json,
}

/// Whether a row is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Proven,
    Missing,
    Waived,
}

/// Runs the conformance tests and reports.
///
/// # Errors
/// When a test fails, when a test names a row that the matrix does not have, when a row that is named is proven by no passing
/// test, and when a waived row is unknown or proven after all. The report is printed all the same.
pub(crate) fn run(format: Format) -> Result {
    install::for_tests()?;
    let folder = root().join("conformance");
    let rows = matrix::rows(&folder.join("matrix.csv"))?;
    let waived = matrix::waived(&folder.join("waived.csv"))?;
    let named = source::named_rows(&folder)?;
    let evidence = evidence::collect(workspace::target_dir())?;
    if !evidence.all_passed && evidence.failed.is_empty() {
        return Err("the conformance tests do not build or did not run; what is above says why".into());
    }

    let faults = faults(&rows, &waived, &named, &evidence);
    let judged = judge(rows, &waived, &evidence.proofs);
    let text = match format {
        Format::Table => report::table(&judged),
        Format::Json => report::json(&judged)? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes())?;
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n       ").into()) }
}

fn judge(
    rows: Vec<Row>,
    waived: &BTreeMap<String, String>,
    proofs: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<Judged> {
    rows.into_iter()
        .map(|row| {
            let tests: Vec<String> = proofs.get(&row.id).into_iter().flatten().cloned().collect();
            let state = match (tests.is_empty(), waived.contains_key(&row.id)) {
                (false, _) => State::Proven,
                (true, true) => State::Waived,
                (true, false) => State::Missing,
            };
            Judged { row, state, tests }
        })
        .collect()
}

fn faults(
    rows: &[Row],
    waived: &BTreeMap<String, String>,
    named: &BTreeMap<String, String>,
    evidence: &evidence::Evidence,
) -> Vec<String> {
    let known: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let unknown_named = named
        .iter()
        .filter(|(row, _)| !known.contains(row.as_str()))
        .map(|(row, place)| format!("{place} names the row {row}, which the matrix does not have"));
    let unproven = named
        .iter()
        .filter(|(row, _)| known.contains(row.as_str()) && !evidence.proofs.contains_key(*row))
        .map(|(row, place)| format!("{row} is named in {place}, but no passing test proves it"));
    let unknown_proven = evidence
        .proofs
        .iter()
        .filter(|(row, _)| !known.contains(row.as_str()) && !named.contains_key(*row))
        .map(|(row, tests)| format!("{tests:?} prove the row {row}, which the matrix does not have"));
    let waivers = waived.keys().filter_map(|row| {
        if !known.contains(row.as_str()) {
            Some(format!("waived.csv waives {row}, which the matrix does not have"))
        } else if evidence.proofs.contains_key(row) {
            Some(format!("waived.csv waives {row}, which is proven: take the line out"))
        } else {
            None
        }
    });
    let tests = (!evidence.all_passed).then(|| {
        format!(
            "conformance tests failed: {}",
            evidence.failed.iter().cloned().collect::<Vec<_>>().join(", ")
        )
    });
    unknown_named.chain(unproven).chain(unknown_proven).chain(waivers).chain(tests).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        ["A-1", "A-2", "A-3"].map(|id| Row::for_test(id, "x", "client", "must")).into()
    }

    fn proof(row: &str, test: &str) -> BTreeMap<String, BTreeSet<String>> {
        BTreeMap::from([(row.to_owned(), BTreeSet::from([test.to_owned()]))])
    }

    fn evidence(row: &str) -> evidence::Evidence {
        evidence::Evidence { proofs: proof(row, "t"), failed: BTreeSet::new(), all_passed: true }
    }

    fn one(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_row_is_proven_waived_or_missing() {
        let judged = judge(rows(), &one("A-2", "hardware"), &proof("A-1", "t::x"));
        let states: Vec<State> = judged.iter().map(|row| row.state).collect();
        assert_eq!(states, [State::Proven, State::Waived, State::Missing]);
        assert_eq!(judged[0].tests, ["t::x"]);
    }

    #[test]
    fn what_is_named_but_not_proven_is_a_fault() {
        let none = BTreeMap::new();
        assert!(faults(&rows(), &none, &one("A-1", "a.rs:1"), &evidence("A-1")).is_empty());
        assert_eq!(faults(&rows(), &none, &one("A-3", "a.rs:1"), &evidence("A-1")).len(), 1);
    }

    #[test]
    fn unknown_rows_and_stale_waivers_are_faults() {
        let none = BTreeMap::new();
        assert_eq!(faults(&rows(), &none, &one("B-9", "a.rs:1"), &evidence("A-1")).len(), 1);
        assert_eq!(faults(&rows(), &none, &none, &evidence("B-9")).len(), 1);
        assert_eq!(faults(&rows(), &one("B-9", "why"), &none, &evidence("A-1")).len(), 1);
        assert_eq!(faults(&rows(), &one("A-1", "why"), &none, &evidence("A-1")).len(), 1);
    }
}
