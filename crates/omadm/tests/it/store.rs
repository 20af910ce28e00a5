//! `omadm store`: a store is looked after without its server, on either engine.

use std::path::Path;

use crate::postgres::{name_of, shared};
use crate::server::Server;
use crate::{Ran, omadm};

fn store(config: &Path, what: &[&str]) -> Ran {
    omadm().args(["store", "--config"]).arg(config).args(what).output().unwrap().into()
}

fn configured(dir: &Path, name: &str, section: &str) -> std::path::PathBuf {
    let file = dir.join(format!("{name}.toml"));
    let data = dir.join(name);
    std::fs::create_dir(&data).unwrap();
    let text = format!("[server]\ndata_dir = {:?}\n[store]\n{section}\n", data.to_str().unwrap());
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_store_moves_from_a_file_into_a_database_and_back() {
    let dir = tempfile::tempdir().unwrap();
    let database = format!("url = {:?}", shared().database());
    let places = [
        configured(dir.path(), "one", ""),
        configured(dir.path(), "two", &database),
        configured(dir.path(), "three", "path = \"three.db\"").with_file_name("three.toml"),
    ];
    let text = std::fs::read_to_string(&places[2]).unwrap();
    let file = dir.path().join("three.db");
    std::fs::write(&places[2], text.replace("three.db", file.to_str().unwrap())).unwrap();
    let empty = store(&places[0], &["check"]);
    assert!(empty.code == Some(0) && empty.stdout.contains("it is empty"), "{empty:?}");
    let made = store(&places[0], &["migrate", "--output", "json"]);
    assert_eq!((made.code, &made.json()["usable"]), (Some(0), &true.into()), "{made:?}");
    let backup = dir.path().join("backup.jsonl");
    let backup = backup.to_str().unwrap();
    let written = store(&places[0], &["backup", backup, "--output", "json"]);
    assert_eq!(written.code, Some(0), "{written:?}");
    let again = store(&places[0], &["backup", backup]);
    assert_eq!(again.code, Some(1), "it writes over nothing: {again:?}");
    let mut from = backup.to_owned();
    for place in &places[1..] {
        let restored = store(place, &["restore", &from, "--output", "json"]);
        assert_eq!((restored.code, restored.json()), (Some(0), written.json()), "{restored:?}");
        let refused = store(place, &["restore", &from]);
        assert!(
            refused.code == Some(1) && refused.stderr.contains("there is a store already"),
            "{refused:?}"
        );
        let checked = store(place, &["check"]);
        assert!(checked.code == Some(0) && checked.stdout.contains("up to date"), "{checked:?}");
        from = format!("{}.jsonl", place.display());
        assert_eq!(store(place, &["backup", &from]).code, Some(0));
    }
}

#[test]
fn a_database_that_is_not_there_is_told_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let url = shared().database().replace("/test_", "/no_such_");
    let config = configured(dir.path(), "one", &format!("url = {url:?}"));
    let refused = store(&config, &["check"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("does not exist") && refused.stderr.lines().count() == 1, "{refused:?}");
}

/// Nodes are upgraded one by one: this program goes on, and starts, on a schema of the next one, if that spares it.
#[test]
fn a_node_works_on_a_schema_that_a_newer_one_has_made() {
    let url = shared().database();
    let start = || Server::with(&[("OMADM_STORE__URL", url.as_str())]);
    let old = start();
    old.good(&["device", "add", "UUID:1"]);
    // What an additive step of a newer program does.
    shared().sql(
        name_of(&url),
        "ALTER TABLE device ADD COLUMN later TEXT; CREATE TABLE newer (id BIGINT PRIMARY KEY); UPDATE store SET version = version + 1",
    );
    let other = start();
    old.good(&["device", "add", "UUID:2"]);
    old.good(&["run", "UUID:1", "get", "./DevInfo/Man"]);
    let token = old.path("data/operator.token");
    let listed: Ran = omadm()
        .args(["command", "ls", "UUID:1", "--output", "json", "--server"])
        .arg(format!("http://{}", other.operator()))
        .arg("--token-file")
        .arg(token)
        .output()
        .unwrap()
        .into();
    assert_eq!(listed.json()[0]["verb"], "get", "{listed:?}");
}
