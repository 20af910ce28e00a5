//! The report, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::State;
use super::matrix::Row;
use crate::workspace::Result;

/// A row with its verdict.
pub(crate) struct Judged {
    pub(crate) row: Row,
    pub(crate) state: State,
    /// The tests that prove it.
    pub(crate) tests: Vec<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    rows: Vec<JsonRow<'a>>,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    id: &'a str,
    spec: &'a str,
    section: &'a str,
    side: &'a str,
    level: &'a str,
    state: State,
    tests: &'a [String],
}

/// The rows in the order of the matrix as one JSON object.
pub(super) fn json(rows: &[Judged]) -> Result<String> {
    let rows = rows
        .iter()
        .map(|Judged { row, state, tests }| JsonRow {
            id: &row.id,
            spec: &row.spec,
            section: &row.section,
            side: &row.side,
            level: &row.level,
            state: *state,
            tests,
        })
        .collect();
    Ok(serde_json::to_string(&Report { rows })?)
}

#[derive(Clone, Copy, Default)]
struct Counts {
    proven: usize,
    missing: usize,
    waived: usize,
}

impl Counts {
    fn of<'a>(rows: impl IntoIterator<Item = &'a Judged>) -> Self {
        let mut counts = Self::default();
        for judged in rows {
            match judged.state {
                State::Proven => counts.proven += 1,
                State::Missing => counts.missing += 1,
                State::Waived => counts.waived += 1,
            }
        }
        counts
    }

    fn total(self) -> usize {
        self.proven + self.missing + self.waived
    }
}

/// Counts by specification, side and level, then all rows in one line.
pub(super) fn table(rows: &[Judged]) -> String {
    let mut groups: BTreeMap<[&str; 3], Vec<&Judged>> = BTreeMap::new();
    for judged in rows {
        let Row { spec, side, level, .. } = &judged.row;
        groups.entry([spec, side, level]).or_default().push(judged);
    }
    let mut text = String::new();
    let mut line = |words: [&str; 3], counts: [String; 4]| {
        let [spec, side, level] = words;
        let [proven, missing, waived, total] = counts;
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{spec:<14}{side:<8}{level:<9}{proven:>7}{missing:>9}{waived:>8}{total:>7}");
    };
    line(["specification", "side", "level"], ["proven", "missing", "waived", "total"].map(str::to_owned));
    for (words, rows) in groups {
        let counts = Counts::of(rows);
        line(
            words,
            [counts.proven, counts.missing, counts.waived, counts.total()].map(|count| count.to_string()),
        );
    }
    let all = Counts::of(rows);
    let _ = writeln!(
        text,
        "\n{} of {} rows proven, {} waived, {} missing",
        all.proven,
        all.total(),
        all.waived,
        all.missing
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(id: &str, state: State) -> Judged {
        Judged { row: Row::for_test(id, "dm20", "client", "must"), state, tests: vec!["file::test".into()] }
    }

    #[test]
    fn the_table_counts_and_ends_with_one_line_of_all() {
        let table =
            table(&[judged("A", State::Proven), judged("B", State::Missing), judged("C", State::Proven)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>(),
            ["dm20", "client", "must", "2", "1", "0", "3"]
        );
        assert_eq!(lines.last(), Some(&"2 of 3 rows proven, 0 waived, 1 missing"));
    }

    #[test]
    fn the_json_has_the_agreed_members() {
        let json: serde_json::Value =
            serde_json::from_str(&json(&[judged("A", State::Proven)]).unwrap()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"rows": [{"id": "A", "spec": "dm20", "section": "", "side": "client", "level": "must",
                "state": "proven", "tests": ["file::test"]}]})
        );
    }
}
