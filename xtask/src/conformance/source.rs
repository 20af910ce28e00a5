//! Which rows the sources of the conformance tests name in `proves!`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::workspace::Result;

/// Each named row and the first place that names it.
pub(super) fn named_rows(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut named = BTreeMap::new();
    for path in sources(&folder.join("tests"))? {
        let text = std::fs::read_to_string(&path)?;
        let place = path.strip_prefix(folder).unwrap_or(&path).display();
        for (line, row) in rows_in(&text) {
            named.entry(row.to_owned()).or_insert_with(|| format!("{place}:{line}"));
        }
    }
    Ok(named)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The string literals inside `proves!(…)` with their line numbers. Row ids hold no quote and no parenthesis, so the next `)`
/// ends the call.
fn rows_in(text: &str) -> Vec<(usize, &str)> {
    let mut rows = Vec::new();
    for (start, opening) in text.match_indices("proves!(") {
        let inside = text.get(start + opening.len()..).unwrap_or_default();
        let inside = inside.split(')').next().unwrap_or_default();
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        rows.extend(inside.split('"').skip(1).step_by(2).map(|row| (line, row)));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_of_every_call_is_found() {
        let text = "fn a() {\n    proves!(\"R-1\", \"R-2\");\n    let x = \"no\";\n    omadm_conformance::proves!(\n        \"R-3\",\n    );\n}\n";
        assert_eq!(rows_in(text), [(2, "R-1"), (2, "R-2"), (4, "R-3")]);
    }
}
