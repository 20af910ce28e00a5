//! `omadm delegation` against a real `omadm serve`, and `omadm decode` of its documents.

use serde_json::json;

use crate::server::Server;
use crate::{repository, run};

/// Switches delegation on, with another server that is never reached.
const SETTINGS: [(&str, &str); 3] = [
    ("OMADM_DELEGATION__ENABLED", "true"),
    ("OMADM_DELEGATION__LISTEN", "127.0.0.1:0"),
    (
        "OMADM_DELEGATION__PEERS",
        r#"[{ server_id = "dm.b.example", url = "https://127.0.0.1:9/", pin = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }]"#,
    ),
];

#[test]
fn an_operator_offers_looks_and_cancels() {
    let server = Server::with(&SETTINGS);
    let peers = server.good(&["delegation", "peers"]);
    assert!(peers.contains("pin = \"sha256/") && peers.contains("dm.b.example"), "{peers}");
    assert!(server.good(&["delegation", "ls"]).contains("There is no delegation"));
    server.good(&["device", "add", "SIM:1"]);
    let offer = ["delegation", "offer", "dm.b.example", "--target", "./A", "--right", "get,exec"];
    let unknown = server.run(&[&offer[..], &["--device", "SIM:9"]].concat());
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("not known here"), "{}", unknown.stderr);
    let made = server.json(&[&offer[..], &["--device", "SIM:1", "--until", "2999-01-01T00:00:00Z"]].concat());
    let id = made["id"].as_str().unwrap();
    assert_eq!((&made["rights"], &made["state"]), (&json!("Get Exec"), &json!("requested")));
    let shown = server.good(&["delegation", "show", id]);
    assert!(shown.contains("Get Exec, shared") && shown.contains("SIM:1"), "{shown}");
    assert!(server.good(&["delegation", "cancel", id, "--reason", "no"]).contains("is ended"));
    let over = server.run(&["delegation", "approve", id]);
    assert_eq!(over.code, Some(1));
    assert!(over.stderr.contains("over"), "{}", over.stderr);
}

#[test]
fn a_server_that_delegates_nothing_says_so() {
    let server = Server::start();
    let ran = server.run(&["delegation", "peers"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("delegation.enabled"), "{}", ran.stderr);
}

#[test]
fn documents_are_read() {
    for entry in std::fs::read_dir(repository("vectors/delegation")).unwrap() {
        let path = entry.unwrap().path().display().to_string();
        let ran = run(&["decode", &path, "--output", "json"]);
        assert_eq!(ran.code, Some(0), "{path}: {ran:?}");
        let decoded = ran.json();
        assert_eq!(decoded["kind"], "delegation");
        assert_eq!(decoded["content"]["from"], "dm.a.example", "{path}");
        assert!(run(&["decode", &path]).stdout.contains("DelegationID d-7"), "{path}");
    }
}
