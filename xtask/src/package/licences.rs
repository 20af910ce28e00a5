//! What is linked into a program beside our own code, with the licences and notices that have to go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Package;
use crate::workspace::{Result, cargo, said};

/// What the names of files with licences and notices begin with.
const NOTICES: [&str; 5] = ["COPYING", "COPYRIGHT", "LICEN", "NOTICE", "UNLICENSE"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
    /// Absent for a crate of this workspace.
    source: Option<String>,
}

/// A list of the crates in a program, and behind it every text that came with them, once.
///
/// # Errors
/// When cargo cannot say what is in it.
pub(super) fn of(package: &Package) -> Result<String> {
    let mut tree = cargo();
    tree.args(["tree", "--package", package.name]).args(package.features);
    let tree = said(tree.args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]))?;
    let linked: BTreeSet<String> = tree.lines().filter_map(name_and_version).collect();
    let metadata = said(cargo().args(["metadata", "--format-version", "1", "--all-features"]))?;
    let mut crates = serde_json::from_str::<Metadata>(&metadata)?.packages;
    crates.retain(|found| found.source.is_some() && linked.contains(&found.to_string()));
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = format!("What is linked into {} beside its own code:\n\n", package.name);
    for found in &crates {
        let licence = found.license.as_deref().unwrap_or("see below");
        let from = found.repository.as_deref().unwrap_or("https://crates.io");
        list.push_str(&format!("{found}: {licence} ({from})\n"));
        for text in found.notices()? {
            texts.entry(text).or_default().push(found.to_string());
        }
    }
    for (text, of) in texts {
        list.push_str(&format!("\n{}\n{}\n\n{text}\n", "-".repeat(80), of.join(", ")));
    }
    Ok(list)
}

/// Of a line such as `aes v0.9.4 (proc-macro)`.
fn name_and_version(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    Some(format!("{} {}", words.next()?, words.next()?.strip_prefix('v')?))
}

impl std::fmt::Display for Crate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

impl Crate {
    /// The texts that came with it.
    fn notices(&self) -> Result<Vec<String>> {
        let folder = self.manifest_path.parent().unwrap_or(Path::new("."));
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().to_uppercase();
            if entry.file_type()?.is_file() && NOTICES.iter().any(|begin| name.starts_with(begin)) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .map(|text| text.trim().to_owned())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_tree_are_read() {
        let read = |line| name_and_version(line);
        assert_eq!(read("aes v0.9.4"), Some("aes 0.9.4".to_owned()));
        assert_eq!(read("serde_derive v1.0.229 (proc-macro) (*)"), Some("serde_derive 1.0.229".to_owned()));
        assert_eq!(read(""), None);
    }
}
