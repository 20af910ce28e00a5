//! Users, tokens, the audit log and webhooks from the command line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use crate::Ran;
use crate::server::Server;

fn with_input(server: &Server, arguments: &[&str], input: &str) -> Ran {
    let mut child = server
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn users_and_tokens_come_and_go() {
    let server = Server::start();
    assert!(server.good(&["user", "ls"]).contains("There is no user"));
    let short = with_input(&server, &["user", "add", "ann", "--role", "viewer"], "short\n");
    assert!(short.code == Some(1) && short.stderr.contains("12 to 1024"), "{short:?}");
    let added = with_input(&server, &["user", "add", "ann", "--role", "viewer"], "a long password\n");
    assert_eq!(added.code, Some(0), "{added:?}");
    assert_eq!(server.json(&["user", "ls"])[0]["role"], "viewer");
    server.good(&["user", "role", "ann", "auditor"]);
    assert!(server.good(&["user", "ls"]).contains("auditor"));
    let changed = with_input(&server, &["user", "passwd", "ann"], "another password\n");
    assert_eq!(changed.code, Some(0), "{changed:?}");
    let add = ["token", "add", "t", "--user", "ann", "--scope", "audit:read", "--expires-in", "3600"];
    let token = server.good(&add).trim().to_owned();
    assert!(token.starts_with("omadm_"));
    let as_ann = |arguments: &[&str]| -> Ran {
        server.command(arguments).env("OMADM_TOKEN", &token).output().unwrap().into()
    };
    assert_eq!(as_ann(&["audit", "ls"]).code, Some(0));
    let refused = as_ann(&["device", "ls"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("devices:read"), "{refused:?}");
    let listed = server.good(&["token", "ls"]);
    assert!(listed.contains("audit:read") && !listed.contains(&token), "{listed}");
    server.good(&["user", "rm", "ann"]);
    assert_eq!(as_ann(&["audit", "ls"]).code, Some(1));
    assert_eq!(server.run(&["user", "add", "x", "--role", "god"]).code, Some(2));
}

#[test]
fn the_audit_log_is_checked_here_and_elsewhere() {
    let server = Server::start();
    server.good(&["device", "add", "UUID:1"]);
    server.good(&["device", "rm", "UUID:1"]);
    assert!(server.good(&["audit", "ls"]).contains("DELETE /devices/{id}"));
    assert!(server.good(&["audit", "verify"]).contains("4 entries in 1 chains"));
    let (export, heads) = (server.path("audit.jsonl"), server.path("heads.jsonl"));
    let (export_name, heads_name) = (export.to_str().unwrap(), heads.to_str().unwrap());
    let text = server.good(&["audit", "export"]);
    std::fs::write(&export, &text).unwrap();
    std::fs::write(&heads, server.good(&["audit", "heads"])).unwrap();
    let verify = ["audit", "verify", export_name, "--anchors", heads_name];
    assert_eq!(server.json(&verify)["entries"], 4);
    assert!(text.contains("UUID:1"), "{text}");
    std::fs::write(&export, text.replacen("UUID:1", "UUID:2", 1)).unwrap();
    let broken = server.run(&verify);
    assert!(broken.code == Some(1) && broken.stderr.contains("it was changed"), "{broken:?}");
    let cut = text.lines().take(3).collect::<Vec<_>>().join("\n");
    std::fs::write(&export, cut).unwrap();
    assert_eq!(
        server.run(&["audit", "verify", export_name]).code,
        Some(0),
        "nothing in it says that it goes on"
    );
    let cut = server.run(&verify);
    assert!(cut.code == Some(1) && cut.stderr.contains("entry 4: it is missing"), "{cut:?}");
}

/// Killed between the entry before a change and the one after it.
#[test]
fn what_a_kill_leaves_open_is_said_to_be_unknown() {
    let mut server = Server::start();
    let mut upload = TcpStream::connect(server.operator()).unwrap();
    let token = std::fs::read_to_string(server.path("data/operator.token")).unwrap();
    let head = format!(
        "POST /api/v1/packages?name=a&version=1&kind=software HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: 9\r\n\r\n12",
        token.trim()
    );
    upload.write_all(head.as_bytes()).unwrap();
    let phases = |server: &Server| -> Vec<String> {
        let entries = server.json(&["audit", "ls"]);
        let said = entries.as_array().unwrap().iter().map(|entry| entry["entry"].as_str().unwrap());
        let said = said.map(|said| serde_json::from_str::<serde_json::Value>(said).unwrap());
        said.map(|said| {
            format!("{} {}", said["phase"].as_str().unwrap(), said["do"].as_str().unwrap_or_default())
        })
        .collect()
    };
    while phases(&server) != ["begun POST /packages"] {}
    server.kill_and_start();
    let expected = ["outcome unknown POST /packages", "begun POST /packages"];
    while phases(&server).len() < expected.len() {}
    server.kill_and_start();
    server.good(&["device", "add", "UUID:1"]);
    assert_eq!(phases(&server)[2..], expected, "it is said once");
    assert!(server.good(&["audit", "ls"]).contains("outcome unknown"));
    assert!(server.good(&["audit", "verify"]).contains("4 entries in 1 chains"));
}

#[test]
fn webhooks_are_listed_and_refused() {
    let server = Server::start();
    assert!(server.good(&["webhook", "ls"]).contains("There is no webhook"));
    let inward = server.run(&["webhook", "add", "h", "https://127.0.0.1/"]);
    assert!(inward.code == Some(1) && inward.stderr.contains("webhook.allow_networks"), "{inward:?}");
    assert_eq!(server.run(&["webhook", "replay", "h"]).code, Some(2));
    let server = Server::with(&[("OMADM_WEBHOOK__ALLOW_NETWORKS", "127.0.0.1")]);
    let secret = server.good(&["webhook", "add", "h", "https://127.0.0.1:1/", "--kind", "command"]);
    assert!(secret.starts_with("whsec_"), "{secret}");
    assert!(server.good(&["webhook", "ls"]).contains("https://127.0.0.1:1/"));
    let test = server.run(&["webhook", "test", "h"]);
    assert!(test.code == Some(1) && test.stderr.contains("cannot connect"), "{test:?}");
    assert!(server.good(&["webhook", "dead", "h"]).contains("Nothing was given up"));
    server.good(&["webhook", "replay", "h", "--after", "0"]);
    server.good(&["webhook", "rm", "h"]);
}

#[test]
fn events_are_followed() {
    let server = Server::start();
    server.good(&["device", "add", "UUID:1"]);
    let follow = ["events", "--follow", "--kind", "device", "--output", "json"];
    let mut child = server.command(&follow).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["device"], "UUID:1");
    server.good(&["device", "add", "UUID:2"]);
    assert_eq!(next()["device"], "UUID:2");
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = server.run(&["events", "--kind", "none"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("no kind of events"), "{ran:?}");
}
