//! The inventory on the command line.

use crate::server::Server;

#[test]
fn devices_are_labelled_filtered_and_grouped() {
    let server = Server::start();
    server.good(&["device", "add", "IMEI:1"]);
    server.good(&["device", "add", "IMEI:2"]);
    let labels = server.good(&["device", "label", "IMEI:1", "site=A", "role=till"]);
    assert!(labels.contains("site") && labels.contains("till"), "{labels}");
    server.good(&["device", "label", "IMEI:1", "role-"]);
    assert_eq!(server.json(&["device", "label", "IMEI:1"])["site"], "A");
    server.good(&["device", "note", "IMEI:1", "on the roof"]);
    server.good(&["device", "name", "IMEI:1", "till 7"]);
    let shown = server.good(&["device", "show", "IMEI:1"]);
    assert!(shown.contains("on the roof") && shown.contains("till 7") && shown.contains("site=A"), "{shown}");
    let wrong = server.run(&["device", "label", "IMEI:1", "site"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");

    let filtered = server.good(&["device", "ls", "--filter", "label:site = A", "--columns", "id,label:site"]);
    assert!(filtered.contains("IMEI:1") && !filtered.contains("IMEI:2"), "{filtered}");
    server.good(&["group", "set", "Site \"A\"", "label:site = A", "--description", "tills"]);
    let members = server.good(&["group", "members", "Site \"A\""]);
    assert!(members.contains("IMEI:1") && !members.contains("IMEI:2"), "{members}");
    server.good(&["group", "set", "both", "group:'Site \"A\"'"]);
    let shown = server.good(&["group", "show", "Site \"A\""]);
    assert!(shown.contains("group:both") && shown.contains("tills"), "{shown}");
    assert_eq!(server.json(&["group", "show", "both"])["members"]["devices"], 1);
    let kept = server.run(&["group", "rm", "Site \"A\""]);
    assert!(kept.code == Some(1) && kept.stderr.contains("group:both"), "{kept:?}");
    server.good(&["group", "rm", "both"]);
    server.good(&["group", "rm", "Site \"A\""]);
    assert_eq!(server.run(&["group", "members", "both"]).code, Some(1));
    assert!(server.good(&["group", "ls"]).contains("no group"));
}

#[test]
fn a_fault_of_a_filter_has_a_caret() {
    let server = Server::start();
    for arguments in [
        ["device", "ls", "--filter", "seen < 2d and colour = red"].as_slice(),
        &["group", "set", "g", "seen < 2d and colour = red"],
        &["export", "--filter", "seen < 2d and colour = red"],
    ] {
        let ran = server.run(arguments);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert_eq!(lines[1..], ["  seen < 2d and colour = red", "                ^"], "{ran:?}");
    }
}

#[test]
fn tables_are_imported_and_exported() {
    let server = Server::start();
    let file = server.path("devices.csv");
    let place = file.to_str().unwrap();
    let report = server.path("report.csv");
    std::fs::write(&file, "id,secret,label:site\nIMEI:1,0123456789abcdef,A\nIMEI:2,short,B\n").unwrap();
    let refused = server.run(&["import", place, "--report", report.to_str().unwrap()]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stdout.contains("1 of 2 rows are bad") && refused.stdout.contains("2,IMEI:2,bad"),
        "{refused:?}"
    );
    assert_eq!(std::fs::read_to_string(&report).unwrap().lines().count(), 3);

    std::fs::write(&file, "id,secret,label:site\nIMEI:1,0123456789abcdef,A\nIMEI:2,0123456789abcdef,=B\n")
        .unwrap();
    assert!(server.good(&["import", place, "--dry-run"]).contains("nothing was written"));
    assert!(server.good(&["device", "ls"]).contains("No device"));
    assert!(server.good(&["import", place]).contains("2 of 2 rows are written"));
    assert_eq!(server.json(&["import", place])["state"], "done");

    let csv = server.good(&["export", "--filter", "label:site ~ '*B'", "--columns", "id,label:site"]);
    assert_eq!(csv, "id,label:site\r\nIMEI:2,'=B\r\n");
    let json = server.good(&["export", "--output", "json", "--columns", "id"]);
    assert_eq!(json, "{\"id\":\"IMEI:1\"}\n{\"id\":\"IMEI:2\"}\n");
    let exported = server.path("export.csv");
    server.good(&["export", "--file", exported.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&exported).unwrap().lines().count(), 3);
    assert!(server.good(&["import", exported.to_str().unwrap()]).contains("2 of 2 rows"));
}
