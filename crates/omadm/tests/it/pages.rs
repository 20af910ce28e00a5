//! Pages for users, and the commands for what goes on after a session.

use crate::server::Server;

const ID: &str = "UUID:8";
const MOID: &str = "urn:example:mo:thing:1.0";

#[test]
fn pages_are_put_listed_shown_and_removed() {
    let server = Server::start();
    let file = server.path("question.json");
    let place = file.to_str().unwrap();
    std::fs::write(&file, r#"{ "kind": "consent", "title": "Update now?" }"#).unwrap();
    assert!(server.good(&["page", "put", place]).contains("question is stored"));
    server.good(&["page", "put", place, "--name", "other"]);
    let listed = server.good(&["page", "ls"]);
    assert!(
        listed.contains("question") && listed.contains("consent") && listed.contains("Update now?"),
        "{listed}"
    );
    assert_eq!(server.json(&["page", "show", "question"])["page"]["kind"], "consent");
    assert!(server.good(&["page", "show", "question"]).contains("\"title\""));

    server.good(&["device", "add", ID]);
    server.good(&["run", ID, "show", "question"]);
    server.good(&["page", "rm", "question"]);
    let ran = server.run(&["run", ID, "show", "question"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("omadm page ls"), "{ran:?}");
    std::fs::write(&file, r#"{ "kind": "form", "title": "t" }"#).unwrap();
    let ran = server.run(&["page", "put", place]);
    assert!(ran.code == Some(1) && ran.stderr.contains("fields"), "{ran:?}");
}

#[test]
fn what_goes_on_is_queued_and_listed() {
    let server = Server::start();
    server.good(&["device", "add", ID]);
    let address = format!("{MOID}//");
    let file = server.path("thing.json");
    let items = format!(r#"[{{ "ClientURI": "{address}", "MOData": {{ "thing": {{ "Name": "x" }} }} }}]"#);
    std::fs::write(&file, items).unwrap();
    for arguments in [
        &["exec", "--later", &address][..],
        &["show", "https://h.example/"],
        &["subscribe", &address],
        &["unsubscribe", &address],
        &["default", MOID, "--from", "https://h.example/[MCC]"],
        &["default", MOID, "--file", file.to_str().unwrap()],
    ] {
        server.good(&[&["run", ID][..], arguments].concat());
    }
    let queued = server.json(&["command", "ls", ID]);
    let verbs: Vec<_> = queued.as_array().unwrap().iter().map(|one| one["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["default", "default", "unsubscribe", "subscribe", "show", "exec"]);
    assert!(server.good(&["device", "subscriptions", ID]).contains("reports nothing"));
    assert!(server.good(&["device", "defaults", ID]).contains("no default"));
    assert_eq!(server.run(&["run", ID, "default", MOID]).code, Some(2));
}
