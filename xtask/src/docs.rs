//! The pages of `docs/` against the sources they describe; checked by tests only.

use std::path::{Path, PathBuf};

use crate::workspace::root;

/// Where a configuration's sources are, and the heading under which its keys stand in `docs/src/configuration.md`.
const CONFIGURATIONS: [(&str, &str); 4] = [
    ("crates/omadm-server/src/config", "## The server"),
    ("crates/omadm-agent/src/config", "## The agent"),
    ("crates/omadm-link/src/section.rs", "## The server"),
    ("crates/omadm-link/src/section.rs", "## The agent"),
];

/// The Rust source at a path, or all that lie in this directory.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() { vec![path.to_owned()] } else { files(path, "rs") }
}

/// Names of the public fields of every struct that is documented as a section such as `[queue]`, with the section; those that are sections
/// of their own left out.
fn keys(source: &str) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    let mut section: Option<String> = None;
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("/// `[").and_then(|rest| rest.strip_suffix("]`")) {
            section = Some(name.to_owned());
        } else if line == "}" {
            section = None;
        } else if let (Some(section), Some(field)) = (&section, line.strip_prefix("    pub "))
            && let Some((key, of)) = field.split_once(':')
            && !of.trim_end_matches(',').ends_with("Section")
        {
            keys.push((section.clone(), key.to_owned()));
        }
    }
    keys
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_configuration_page_has_every_key() {
    let page = read(&root().join("docs/src/configuration.md"));
    for (place, heading) in CONFIGURATIONS {
        let part = page.split_once(heading).map(|(_, part)| part.split("\n## ").next().unwrap_or_default());
        let part = part.unwrap_or_else(|| panic!("no heading {heading:?}"));
        let keys: Vec<_> = sources(&root().join(place)).iter().flat_map(|path| keys(&read(path))).collect();
        assert!(keys.len() >= 8, "{place} was not understood");
        for (section, key) in keys {
            let table = part.split_once(&format!("### `[{section}]`")).map(|(_, table)| table);
            let table = table.and_then(|table| table.split("\n### ").next()).unwrap_or_default();
            assert!(
                table.contains(&format!("| `{key}` |")),
                "docs/src/configuration.md lacks {section}.{key} of {place}"
            );
        }
    }
}

/// The files of a directory with this ending.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|of| of == ending)).collect()
}

/// The pages of a directory.
fn pages(directory: &Path) -> Vec<PathBuf> {
    files(directory, "md")
}

/// How a heading is linked to.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.map(|character| if character == ' ' { '-' } else { character }).collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    for page in pages(&root().join("docs/src")).into_iter().chain(pages(root())) {
        let text = read(&page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            if file.contains(':') {
                continue;
            }
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            let is_there =
                || read(&target).lines().any(|line| line.starts_with('#') && anchor(line) == place);
            assert!(place.is_empty() || is_there(), "{}: {link}", page.display());
        }
    }
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let contents = read(&root().join("docs/src/SUMMARY.md"));
    for page in pages(&root().join("docs/src")) {
        let name = page.file_name().unwrap().to_string_lossy();
        assert!(name == "SUMMARY.md" || contents.contains(&format!("]({name})")), "{name}");
    }
}
