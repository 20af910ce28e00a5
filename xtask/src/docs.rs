//! The pages of `docs/` against the sources they describe; checked by tests only.

use std::path::Path;

use crate::workspace::root;

/// A configuration's source and the heading under which its keys stand in `docs/src/configuration.md`.
const CONFIGURATIONS: [(&str, &str); 10] = [
    ("crates/omadm-server/src/config/mod.rs", "## The server"),
    ("crates/omadm-server/src/config/delegation.rs", "## The server"),
    ("crates/omadm-server/src/config/push.rs", "## The server"),
    ("crates/omadm-agent/src/config/mod.rs", "## The agent"),
    ("crates/omadm-agent/src/config/push.rs", "## The agent"),
    ("crates/omadm-agent/src/config/dm1.rs", "## The agent"),
    ("crates/omadm-agent/src/config/dm1_bootstrap.rs", "## The agent"),
    ("crates/omadm-agent/src/config/later.rs", "## The agent"),
    ("crates/omadm-link/src/section.rs", "## The server"),
    ("crates/omadm-link/src/section.rs", "## The agent"),
];

/// Names of the public fields of every struct that is documented as a section such as `[queue]`, with the section.
fn keys(source: &str) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    let mut section: Option<String> = None;
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("/// `[").and_then(|rest| rest.strip_suffix("]`")) {
            section = Some(name.to_owned());
        } else if line == "}" {
            section = None;
        } else if let (Some(section), Some(field)) = (&section, line.strip_prefix("    pub "))
            && let Some((key, _)) = field.split_once(':')
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
    for (source, heading) in CONFIGURATIONS {
        let part = page.split_once(heading).map(|(_, part)| part.split("\n## ").next().unwrap_or_default());
        let part = part.unwrap_or_else(|| panic!("no heading {heading:?}"));
        let keys = keys(&read(&root().join(source)));
        assert!(keys.len() >= 10, "{source} was not understood");
        for (section, key) in keys {
            let table = part.split_once(&format!("### `[{section}]`")).map(|(_, table)| table);
            let table = table.and_then(|table| table.split("\n### ").next()).unwrap_or_default();
            assert!(
                table.contains(&format!("| `{key}` |")),
                "docs/src/configuration.md lacks {section}.{key} of {source}"
            );
        }
    }
}
