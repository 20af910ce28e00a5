//! Packages and campaigns, as operators say them.

use crate::server::Server;

#[test]
fn a_package_is_stored_brought_by_a_campaign_and_kept_as_long() {
    let server = Server::start();
    let file = server.path("router.img");
    std::fs::write(&file, vec![7; 600_000]).unwrap();
    let place = file.to_str().unwrap();
    let add = ["package", "add", place, "--kind", "firmware", "--name", "router", "--package-version", "2.1"];
    let stored = server.json(&add);
    assert_eq!(stored["size"], 600_000);
    let id = stored["id"].as_str().unwrap();
    let again = server.run(&add);
    assert!(again.code == Some(1) && again.stderr.contains("do not change"), "{again:?}");
    let listed = server.good(&["package", "ls"]);
    assert!(listed.contains(id) && listed.contains("2.1"), "{listed}");
    assert!(server.good(&["package", "show", id]).contains(stored["sha256"].as_str().unwrap()));
    let none = server.run(&[
        "package",
        "add",
        "no such file",
        "--kind",
        "firmware",
        "--name",
        "a",
        "--package-version",
        "1",
    ]);
    assert_eq!(none.code, Some(1), "{none:?}");

    server.good(&["device", "add", "UUID:1"]);
    let document = server.path("campaign.json");
    std::fs::write(&document, format!(r#"{{"name":"update","change":{{"firmware":{{"package":"{id}"}}}}}}"#))
        .unwrap();
    let made = server.good(&["campaign", "new", document.to_str().unwrap()]);
    assert_eq!(made.trim(), "update is draft in stage 1 of 1: no device yet.");
    let kept = server.run(&["package", "rm", id]);
    assert!(kept.code == Some(1) && kept.stderr.contains("update"), "{kept:?}");
    server.good(&["campaign", "start", "update"]);
    while server.json(&["campaign", "show", "update"])["devices"]["open"] != 1 {}
    assert!(server.good(&["campaign", "devices", "update"]).contains("UUID:1"));
    assert!(server.good(&["campaign", "pause", "update"]).contains("paused"));
    assert!(server.good(&["campaign", "resume", "update"]).contains("running"));
    server.good(&["campaign", "stop", "update"]);
    let followed = server.good(&["campaign", "show", "update", "--follow"]);
    assert!(followed.contains("1 cancelled"), "{followed}");
    assert!(server.good(&["campaign", "report", "update"]).contains("No device has failed"));
    assert!(server.good(&["campaign", "ls"]).contains("stopped"));
    let unknown = server.run(&["campaign", "show", "none"]);
    assert!(unknown.code == Some(1) && unknown.stderr.contains("omadm campaign ls"), "{unknown:?}");
    server.good(&["campaign", "rm", "update"]);
    server.good(&["package", "rm", id]);
    assert!(server.good(&["package", "ls"]).contains("There is no package"));
    std::fs::write(&document, "no json").unwrap();
    assert_eq!(server.run(&["campaign", "new", document.to_str().unwrap()]).code, Some(2));
}
