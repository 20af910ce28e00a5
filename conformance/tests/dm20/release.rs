//! What the enabler release definition of DM 2.0 names: identifiers, supporting files and media types.

use omadm_codec::{Limits, ddf};
use omadm_conformance::{DDF_FILES, Pair, address, proves};
use serde_json::{Value, json};

/// The registered identifiers with the supporting files that describe them.
const OBJECTS: [(&str, &str); 4] = [
    ("urn:oma:mo:oma-dm-devinfo:1.2", "dm_devinfo-v1_2.ddf"),
    ("urn:oma:mo:oma-dm-dmacc:1.2", "dm_dmacc-v1_2.ddf"),
    ("urn:oma:mo:oma-dm-dacmo:1.0", "dm_delegation-v1_0.ddf"),
    ("urn:oma:mo:oma-sessioninfomo:1.0", "dm_sessioninfo-v1_0.ddf"),
];

/// The media type of every message of a session, and the text of those that are text.
async fn messages(pair: &Pair) -> Vec<(String, String)> {
    let sessions = pair.server.items(&format!("/devices/{}/sessions", pair.name.device_id)).await;
    let number = &sessions[0]["session"];
    let session = pair.server.get(&format!("/devices/{}/sessions/{number}", pair.name.device_id)).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = session["messages"].as_array().unwrap();
    messages.iter().map(|message| (text(&message["content_type"]), text(&message["text"]))).collect()
}

#[tokio::test]
async fn both_sides_have_the_standard_objects_by_their_identifiers_and_files() {
    proves!(
        "E20-OMNA-MO-dmacc",
        "E20-OMNA-MO-devinfo",
        "E20-OMNA-MO-dacmo",
        "E20-OMNA-MO-sessioninfo",
        "E20-DevInfoDDF",
        "E20-DMAcctDDF",
        "E20-DMDelegDDF",
        "E20-DMSessDDF"
    );
    let mut pair = Pair::new().await;
    pair.session().await;
    let device = pair.server.get(&format!("/devices/{}", pair.name.device_id)).await;
    let inventory = device["inventory"].as_array().unwrap();
    for (moid, file) in OBJECTS {
        let listed = inventory.iter().find(|listed| listed["moid"] == moid);
        let listed = listed.unwrap_or_else(|| panic!("{moid} is not in {inventory:?}"));
        let link = listed["ddf"].as_str().unwrap();
        assert!(link.ends_with(&format!("/ddf/{file}")), "{link}");
        let served = pair.server.fetch_ddf(file).await;
        assert_eq!(served.status, 200, "{file}");
        let described = ddf::decode(&served.body, &Limits::default()).unwrap().ddf;
        let ours = DDF_FILES.iter().find(|(name, _)| *name == file).unwrap().1;
        assert_eq!(served.body, ours.as_bytes(), "the server and the device have the same {file}");
        let root = &described.nodes[0];
        assert!(format!("{:?}", root.df_type).contains(moid), "{file} describes {moid}");
    }
    let other = pair.server.fetch_ddf("dm_devinfo-v9_9.ddf").await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn messages_have_the_registered_media_types() {
    proves!("E20-MIME-initiation", "E20-MIME-request", "E20-MIME-response", "E20-MIME-dmmo");
    let mut pair = Pair::new().await;
    pair.run(&json!({ "verb": "exec", "address": address("Run") })).await;
    let types: Vec<String> = messages(&pair).await.into_iter().map(|(media_type, _)| media_type).collect();
    let wanted = [
        "application/vnd.oma.dm.initiation+json",
        "application/vnd.oma.dm.request+json",
        "application/vnd.oma.dm.response+json",
        "application/vnd.oma.dm.request+json",
    ];
    assert_eq!(types, wanted);
    pair.run(&json!({ "verb": "get", "address": "urn:oma:mo:oma-dm-devinfo:1.2//" })).await;
    let answered = messages(&pair).await.swap_remove(2);
    assert!(answered.0.starts_with("multipart/form-data"), "{}", answered.0);
    let parts = ["Content-Type: application/vnd.oma.dm.response+json", "Content-Type: application/dmmo+json"];
    for part in parts {
        assert!(answered.1.contains(part), "{part} in {}", answered.1);
    }
}

/// Identifiers of the rows of DM 2.0 with the level `must` that are about this side.
fn musts(side: &str) -> Vec<&'static str> {
    let rows = include_str!("../../matrix.csv").lines().map(|line| line.splitn(6, ',').collect::<Vec<_>>());
    rows.filter_map(|fields| match fields[..] {
        [id, "dm20", _, of, "must", _] if of == side || of == "both" => Some(id),
        _ => None,
    })
    .collect()
}

/// The sources of the tests of conformance, one after the other.
fn sources() -> String {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dm20");
    let files = std::fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn a_test_proves_every_row_that_a_client_or_a_server_must_hold() {
    proves!("OMA-ERDEF-DM-C-001-M-b", "OMA-ERDEF-DM-S-001-M-b", "E20-DMTS");
    let (sources, waived) = (sources(), include_str!("../../waived.csv"));
    for (side, least) in [("client", 400), ("server", 200)] {
        let rows = musts(side);
        assert!(rows.len() >= least, "{} rows of the {side} were read", rows.len());
        for row in rows {
            assert!(sources.contains(&format!("\"{row}\"")), "no test proves {row}");
            assert!(!waived.contains(&format!("\n{row},")), "{row} is waived");
        }
    }
    let documentation = include_str!("../../../docs/src/standard.md");
    assert!(documentation.contains("OMA-TS-DM_Protocol-V2_0-20150122-C"), "the version is not cited");
}

/// The rows of the table of interfaces: what each is, and the sections by which it is proven.
fn interfaces() -> Vec<(&'static str, Vec<&'static str>)> {
    let documentation = include_str!("../../../docs/src/standard.md");
    let (_, table) = documentation.split_once("### Interfaces of the architecture").unwrap();
    assert!(
        table.contains("OMA-AD-DM-V2_0-20131210-C"),
        "the document is not cited where its interfaces are"
    );
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [interface, _, _, sections] = cells[..] else { panic!("{row} has not four cells") };
        (interface, sections.split(", ").filter(|section| !section.is_empty()).collect())
    })
    .collect()
}

#[test]
fn every_interface_of_the_architecture_is_named_and_proven() {
    proves!("E20-DMAD");
    let interfaces = interfaces();
    // What the protocol says is between components.
    for named in [
        "notification",
        "DM-2, DM Client-Server protocol",
        "management data delivery",
        "user interaction",
        "bootstrap from the smartcard",
        "bootstrap from the factory",
        "bootstrap by the client",
        "bootstrap by the server",
        "cloud messaging: bootstrap (1)",
        "cloud messaging: registration (4)",
        "cloud messaging: push (8, 10)",
    ] {
        assert!(interfaces.iter().any(|(interface, _)| *interface == named), "{named} is not named");
    }
    let (sources, waived) = (sources(), include_str!("../../waived.csv"));
    let matrix = include_str!("../../matrix.csv").lines();
    let rows: Vec<Vec<&str>> = matrix.map(|line| line.splitn(5, ',').collect()).collect();
    for (interface, sections) in &interfaces {
        for section in sections {
            let mut of = rows.iter().filter(|row| row.get(1..3) == Some(&["dm20", *section][..])).peekable();
            assert!(of.peek().is_some(), "{interface}: no row has the section {section}");
            for id in of.map(|row| row[0]).filter(|id| !waived.contains(&format!("\n{id},"))) {
                assert!(sources.contains(&format!("\"{id}\"")), "{interface}: no test proves {id}");
            }
        }
    }
    let outside = interfaces.iter().filter(|(_, sections)| sections.is_empty()).count();
    assert_eq!(outside, 1, "only what is outside of the standard has no section");
}
