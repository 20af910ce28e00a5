//! The documents of the release: each is cited, and rows of the matrix trace to it.

use std::collections::BTreeSet;

use omadm_conformance::proves;

const MATRIX: &str = include_str!("../../matrix.csv");
const DOCUMENTATION: &str = include_str!("../../../docs/src/standard.md");

/// The first fields of the rows of a specification: identifier, section, and the beginning of the requirement.
fn rows(spec: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    let rows = MATRIX.lines().map(|line| line.splitn(6, ',').collect::<Vec<_>>());
    rows.filter_map(|fields| match fields[..] {
        [id, of, section, _, _, requirement] if of == spec => Some((id, section, requirement)),
        _ => None,
    })
    .collect()
}

/// The name of a document at the beginning of a requirement.
fn document(requirement: &str) -> Option<&str> {
    let text = requirement.trim_start_matches('"');
    let end = text.find([':', ',', ' ', '"']).unwrap_or(text.len());
    Some(text.get(..end)?.trim_end_matches('.')).filter(|name| name.starts_with("OMA-"))
}

#[test]
fn the_documentation_cites_every_document_of_the_release() {
    proves!("E13-DMRD", "E13-DMAD", "E20-DMRD");
    let release = rows("dm13-ereld");
    let named: Vec<&str> = release
        .iter()
        .filter(|(_, section, _)| *section == "5")
        .filter_map(|(_, _, text)| document(text))
        .collect();
    assert_eq!(named.len(), 18, "{named:?}");
    for name in named.iter().chain(&["OMA-RD-DM-V2_0-20131210-C"]) {
        assert!(DOCUMENTATION.contains(name), "{name}");
    }
    for component in
        ["The DM Client of the architecture is `omadm-client`", "the DM Server is\n`omadm-server`"]
    {
        assert!(DOCUMENTATION.contains(component), "{component}");
    }
    // What the release demands is traced to rows of the documents that demand it.
    let sections: BTreeSet<&str> = rows("dm13-profile").into_iter().map(|(_, section, _)| section).collect();
    for of in ["DMPRO", "DMREPU", "DMSEC", "DMTND", "DMTNDS", "DMSTDOBJ", "DMBOOT", "DMNOTI", "HTTPBinding"] {
        assert!(sections.iter().any(|section| section.split(' ').next() == Some(of)), "no row of {of}");
    }
}
