//! The matrix and the waived rows, as files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::workspace::Result;

/// One normative statement.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) spec: String,
    pub(crate) section: String,
    pub(crate) side: String,
    pub(crate) level: String,
}

#[derive(Deserialize)]
struct Waiver {
    id: String,
    reason: String,
}

/// Reads the matrix in its order.
pub(super) fn rows(path: &Path) -> Result<Vec<Row>> {
    let rows: Vec<Row> = records(path)?;
    let mut seen = std::collections::BTreeSet::new();
    match rows.iter().find(|row| !seen.insert(row.id.as_str())) {
        Some(twice) => Err(format!("{}: {} stands there twice", path.display(), twice.id).into()),
        None => Ok(rows),
    }
}

/// Reads the waived rows with their reasons.
pub(super) fn waived(path: &Path) -> Result<BTreeMap<String, String>> {
    let waivers: Vec<Waiver> = records(path)?;
    match waivers.iter().find(|waiver| waiver.reason.trim().is_empty()) {
        Some(bare) => Err(format!("{}: {} is waived without a reason", path.display(), bare.id).into()),
        None => Ok(waivers.into_iter().map(|waiver| (waiver.id, waiver.reason)).collect()),
    }
}

fn records<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let read = || csv::Reader::from_path(path)?.deserialize().collect();
    let records: csv::Result<Vec<T>> = read();
    records.map_err(|error| format!("{}: {error}", path.display()).into())
}

#[cfg(test)]
impl Row {
    pub(crate) fn for_test(id: &str, spec: &str, side: &str, level: &str) -> Self {
        Self {
            id: id.into(),
            spec: spec.into(),
            section: String::new(),
            side: side.into(),
            level: level.into(),
        }
    }
}
