//! The direction of dependencies between the crates of the workspace, kept true by machine.
//!
//! Dependencies of tests do not count: a test may use any crate of the workspace.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::workspace::{Result, cargo};

/// Each crate and the crates of the workspace that it may depend on, ground floor first.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("omadm-mo", &[]),
    ("omadm-codec", &["omadm-mo"]),
    ("omadm-auth", &[]),
    ("omadm-session", &["omadm-mo", "omadm-codec", "omadm-auth"]),
    ("omadm-store", &["omadm-mo"]),
    ("omadm-config", &[]),
    // Both sides of DM are on either end of a local link.
    ("omadm-link", &["omadm-codec", "omadm-auth", "omadm-config", "omadm-session"]),
    // A program's settings are read and refused in one way, so both programs that have any use `omadm-config`.
    (
        "omadm-server",
        &[
            "omadm-mo",
            "omadm-codec",
            "omadm-auth",
            "omadm-config",
            "omadm-session",
            "omadm-store",
            "omadm-link",
        ],
    ),
    ("omadm-client", &["omadm-mo", "omadm-codec", "omadm-auth", "omadm-session", "omadm-link"]),
    // Its management objects are written in the words of the tree; its settings are read as the server's are.
    ("omadm-agent", &["omadm-mo", "omadm-config", "omadm-client", "omadm-link"]),
    // `decode` and `sim` show and drive what codec and tree define.
    ("omadm", &["omadm-mo", "omadm-codec", "omadm-server", "omadm-client"]),
    // A card to test with has one thing of ours: the secure channel, whose both sides the published vectors judge.
    ("omadm-softcard", &["omadm-auth"]),
    ("xtask", &[]),
];

/// They judge every crate, so they may use every crate.
const JUDGES: [&str; 2] = ["omadm-conformance", "omadm-bench"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
    /// Present for a crate of this workspace.
    path: Option<String>,
}

/// Reads `cargo metadata` and fails on an edge that the table does not have.
///
/// # Errors
/// Every wrong edge by name.
pub(crate) fn check() -> Result {
    let output = cargo().args(["metadata", "--format-version", "1", "--no-deps"]).output()?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let faults = faults(&serde_json::from_slice(&output.stdout)?);
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n       ").into()) }
}

fn faults(metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    for package in &metadata.packages {
        if JUDGES.contains(&package.name.as_str()) {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
            faults.push(format!(
                "{} has no line in the table of xtask/src/edges.rs: give it one",
                package.name
            ));
            continue;
        };
        let used: BTreeSet<&str> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind.as_deref() != Some("dev") && dependency.path.is_some())
            .map(|dependency| dependency.name.as_str())
            .collect();
        faults.extend(used.iter().filter(|name| !allowed.contains(name)).map(|name| {
            format!(
                "{} depends on {name}, which the house does not allow: move the code, or defend the edge in xtask/src/edges.rs",
                package.name
            )
        }));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(name: &str, dependency: &str, kind: Option<&str>) -> Metadata {
        Metadata {
            packages: vec![Package {
                name: name.into(),
                dependencies: vec![
                    Dependency {
                        name: dependency.into(),
                        kind: kind.map(Into::into),
                        path: Some("crates/x".into()),
                    },
                    Dependency { name: "serde".into(), kind: None, path: None },
                ],
            }],
        }
    }

    #[test]
    fn an_edge_upwards_is_a_fault() {
        assert_eq!(faults(&metadata("omadm-mo", "omadm-codec", None)).len(), 1);
        assert_eq!(faults(&metadata("omadm-store", "omadm-session", None)).len(), 1);
        assert_eq!(faults(&metadata("omadm-mo", "omadm-codec", Some("build"))).len(), 1);
    }

    #[test]
    fn an_edge_of_the_table_and_a_test_edge_are_none() {
        assert!(faults(&metadata("omadm-codec", "omadm-mo", None)).is_empty());
        assert!(faults(&metadata("omadm-mo", "omadm-codec", Some("dev"))).is_empty());
        assert!(faults(&metadata("omadm-conformance", "omadm-server", None)).is_empty());
    }

    #[test]
    fn a_crate_without_a_line_is_a_fault() {
        assert_eq!(faults(&metadata("omadm-new", "omadm-mo", None)).len(), 1);
    }

    #[test]
    fn the_table_goes_one_way() {
        for (at, (name, allowed)) in ALLOWED.iter().enumerate() {
            for below in *allowed {
                let position = ALLOWED.iter().position(|(other, _)| other == below);
                assert!(position.is_some_and(|position| position < at), "{name} -> {below}");
            }
        }
    }
}
