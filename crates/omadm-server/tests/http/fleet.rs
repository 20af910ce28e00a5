//! Inventory, filters, groups, imports and exports over the API.

use http::Request;
use http_body_util::Full;
use omadm_server::config::Size;
use serde_json::{Value, json};

use crate::harness::{Answer, Connection, HELLO, TestServer};

async fn ids(server: &TestServer, filter: &str) -> Vec<String> {
    let filter = percent(filter);
    let items = server.items(&format!("/devices?filter={filter}")).await;
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// A text as it stands in a query.
fn percent(text: &str) -> String {
    text.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

async fn label(server: &TestServer, id: &str, labels: Value) -> Answer {
    server.api("PATCH", &format!("/devices/{id}"), Some(json!({ "labels": labels }))).await
}

async fn send_table(server: &TestServer, query: &str, content_type: &str, table: &str) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/api/v1/imports{query}"))
        .header("host", "localhost")
        .header("content-type", content_type)
        .header("authorization", format!("Bearer {}", server.token))
        .body(Full::new(table.to_owned().into()))
        .unwrap();
    Connection::plain(server.running.operator_addr).await.send(request).await
}

/// Sends a table, and waits for what becomes of it.
async fn import(server: &TestServer, query: &str, content_type: &str, table: &str) -> Value {
    let answer = send_table(server, query, content_type, table).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let path = format!("/imports/{}", answer.json()["id"].as_str().unwrap());
    loop {
        let import = server.get(&path).await;
        if !["reading", "checking", "writing"].contains(&import["state"].as_str().unwrap()) {
            return import;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn devices_are_labelled_and_listed_by_filter() {
    let server = TestServer::start().await;
    let a = server.enrol("IMEI:1").await;
    server.enrol("IMEI:2").await;
    let changed = label(&server, "IMEI:1", json!({ "site": "A", "x": "1" })).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["labels"]["site"]), (200, &json!("A")));
    label(&server, "IMEI:1", json!({ "x": null })).await;
    let change = json!({ "note": "on the roof", "label": "till 7" });
    server.api("PATCH", "/devices/IMEI:1", Some(change)).await;
    let shown = server.get("/devices/IMEI:1").await;
    assert_eq!(shown["labels"], json!({ "site": "A" }));
    assert_eq!(
        (&shown["note"], &shown["label"], &shown["reach"]),
        (&json!("on the roof"), &json!("till 7"), &json!("none"))
    );

    assert_eq!(ids(&server, "label:site = A").await, ["IMEI:1"]);
    assert_eq!(ids(&server, "seen = never").await, ["IMEI:1", "IMEI:2"]);
    let answer = server.connect().await.send(a.package1(HELLO)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(ids(&server, "seen < 1d and protocol = dm2.0").await, ["IMEI:1"]);
    assert_eq!(ids(&server, "seen = never").await, ["IMEI:2"]);

    let columns = server.items("/devices?columns=id,label:site,model").await;
    assert_eq!(columns[0], json!({ "id": "IMEI:1", "label:site": "A", "model": null }));
    assert_eq!(server.api("GET", "/devices?columns=id,colour", None).await.status, 400);
    let count = server.get("/devices/count?at_most=1").await;
    assert_eq!(count, json!({ "devices": 1, "complete": false }));
    assert_eq!(server.get("/devices/count").await, json!({ "devices": 2, "complete": true }));
    let events = server.items("/events?device=IMEI:1").await;
    assert!(events.iter().any(|event| event["body"]["what"] == "annotated"), "{events:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_filter_is_shown_at_its_character() {
    let server = TestServer::start().await;
    for (filter, at) in [("model = \"é\" and colour = red", 16), ("group:\"not there\"", 0)] {
        for path in ["/devices", "/devices/count", "/devices/export"] {
            let answer = server.api("GET", &format!("{path}?filter={}", percent(filter)), None).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["at"]), (400, &json!(at)), "{path} {filter}");
        }
    }
    let answer = server.api("PUT", "/groups/g", Some(json!({ "filter": "model <" }))).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["at"]), (400, &json!(6)));
    let long = format!("note = {}", "\"\"".repeat(2_100));
    let answer = server.api("GET", &format!("/devices?filter={}", percent(&long)), None).await;
    assert!(answer.text().contains("fleet.filter_max_length"), "{}", answer.text());
}

#[tokio::test]
async fn a_device_has_so_many_labels() {
    let server = TestServer::with(|config| config.fleet.max_labels = 2).await;
    server.enrol("IMEI:1").await;
    assert_eq!(label(&server, "IMEI:1", json!({ "a": "1", "b": "2" })).await.status, 200);
    let refused = label(&server, "IMEI:1", json!({ "c": "3" })).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("fleet.max_labels"), "{}", refused.text());
    assert_eq!(label(&server, "IMEI:1", json!({ "a": null, "c": "3" })).await.status, 200);
    assert_eq!(label(&server, "IMEI:1", json!({ "a b": "1" })).await.status, 400);
    assert_eq!(label(&server, "IMEI:9", json!({ "a": "1" })).await.status, 404);
}

#[tokio::test]
async fn groups_are_made_changed_and_removed() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    label(&server, "IMEI:1", json!({ "site": "A" })).await;
    let put = |name: &'static str, body: Value| server.api("PUT", name, Some(body));
    let made = put("/groups/Site%20A", json!({ "filter": "label:site = A", "description": "all" })).await;
    assert_eq!((made.status.as_u16(), &made.json()["version"]), (201, &json!(1)));
    assert_eq!(put("/groups/b", json!({ "filter": "group:\"Site A\" and seen = never" })).await.status, 201);
    assert_eq!(ids(&server, "group:b").await, ["IMEI:1"]);
    assert_eq!(server.get("/groups/Site%20A").await["used_by"], json!(["group:b"]));
    assert_eq!(server.api("DELETE", "/groups/Site%20A", None).await.status, 409);
    assert_eq!(put("/groups/Site%20A", json!({ "filter": "group:b" })).await.status, 400, "a circle");
    let changed = put("/groups/b", json!({ "filter": "label:site = B" })).await;
    assert_eq!((changed.status.as_u16(), &changed.json()["version"]), (200, &json!(2)));
    assert_eq!(put("/groups/b", json!({ "filter": "label:site = C", "version": 1 })).await.status, 409);
    assert_eq!(put("/groups/b", json!({ "filter": "label:site = C", "version": 0 })).await.status, 409);
    assert_eq!(server.api("DELETE", "/groups/Site%20A", None).await.status, 204);
    assert_eq!(server.api("DELETE", "/groups/Site%20A", None).await.status, 404);
    assert_eq!(server.items("/groups").await.len(), 1);
    assert_eq!(put("/groups/%20", json!({ "filter": "label:site" })).await.status, 400);
}

#[tokio::test]
async fn a_table_is_imported_and_comes_back() {
    let server = TestServer::start().await;
    let table = "id,label,secret,label:site,label:f\r\n\
                 IMEI:1,one,0123456789abcdef,A,'=1+1\r\n\
                 IMEI:2,,0123456789abcdef,\"B, C\",\r\n";
    let checked = import(&server, "?dry_run=true", "text/csv", table).await;
    assert_eq!((&checked["state"], &checked["rows"]), (&json!("checked"), &json!(2)));
    assert_eq!(server.items("/devices").await.len(), 0);
    let done = import(&server, "", "text/csv", table).await;
    assert_eq!(
        (&done["state"], &done["bad"], &done["failed"]),
        (&json!("done"), &json!(0), &json!(0)),
        "{done}"
    );
    let one = server.get("/devices/IMEI:1").await;
    assert_eq!((&one["label"], &one["labels"]), (&json!("one"), &json!({ "site": "A", "f": "=1+1" })));
    let device = crate::harness::Device {
        id: "IMEI:2".to_owned(),
        user: "IMEI-2".to_owned(),
        secret: "0123456789abcdef".to_owned(),
    };
    assert_eq!(
        server.connect().await.send(device.package1(HELLO)).await.status,
        200,
        "its secret lets it in"
    );

    let again = import(&server, "", "text/csv", table).await;
    assert_eq!(again["state"], "done", "the same credentials again change nothing: {again}");
    let exported = server.api("GET", "/devices/export", None).await;
    let text = exported.text();
    assert!(exported.header("content-type").starts_with("text/csv"), "{text}");
    assert!(
        text.contains("'=1+1") && text.contains("\"B, C\"") && !text.contains("0123456789abcdef"),
        "{text}"
    );
    let back = import(&server, "", "text/csv", text).await;
    assert_eq!((&back["state"], &back["rows"]), (&json!("done"), &json!(2)), "{back}");
    assert_eq!(server.get("/devices/IMEI:1").await["labels"]["f"], "=1+1");

    let lines =
        server.api("GET", &format!("/devices/export?format=json&filter={}", percent("label:f")), None).await;
    let line: Value = serde_json::from_str(lines.text()).unwrap();
    assert_eq!((&line["id"], &line["labels"]["site"]), (&json!("IMEI:1"), &json!("A")));
    let removed = "{\"id\":\"IMEI:1\",\"labels\":{\"f\":null}}\n";
    assert_eq!(import(&server, "", "application/x-ndjson", removed).await["state"], "done");
    assert_eq!(server.get("/devices/IMEI:1").await["labels"], json!({ "site": "A" }));
}

#[tokio::test]
async fn one_bad_row_refuses_a_table_with_a_report() {
    let server = TestServer::start().await;
    let table = "id,secret,label:a b\r\n\
                 IMEI:1,0123456789abcdef,\r\n\
                 IMEI:2,short,\r\n\
                 IMEI:3,,\r\n\
                 no id,0123456789abcdef,\r\n\
                 IMEI:4,0123456789abcdef,x\r\n\
                 IMEI:5\r\n";
    let refused = import(&server, "", "text/csv", table).await;
    assert_eq!((&refused["state"], &refused["bad"]), (&json!("refused"), &json!(5)), "{refused}");
    assert_eq!(server.items("/devices").await.len(), 0);
    let id = refused["id"].as_str().unwrap();
    let report = server.api("GET", &format!("/imports/{id}/report"), None).await;
    let lines: Vec<&str> = report.text().lines().collect();
    assert_eq!(lines[..2], ["row,id,outcome,reason", "1,IMEI:1,enrol,"]);
    for (line, wrong) in
        lines[2..].iter().zip(["16 to 256", "no secret", "device id", "no key of a label", "1 cells"])
    {
        assert!(line.contains(wrong) && line.contains(",bad,"), "{line} says nothing of {wrong}");
    }
    let faults = server.api("GET", &format!("/imports/{id}/report?faults=true"), None).await;
    assert_eq!(faults.text().lines().count(), 6);
    assert_eq!(server.items("/imports").await[0]["id"], id);
    assert_eq!(server.api("GET", "/imports/018f0000-0000-7000-8000-000000000000", None).await.status, 404);
}

#[tokio::test]
async fn imports_have_limits() {
    let server = TestServer::with(|config| {
        config.fleet.import_max_rows = 2;
        config.fleet.import_max_size = Size(1_024);
    })
    .await;
    let table = |rows: usize| {
        let rows = (0..rows).map(|row| format!("IMEI:{row},0123456789abcdef\n"));
        format!("id,secret\n{}", rows.collect::<String>())
    };
    assert_eq!(import(&server, "?dry_run=true", "text/csv", &table(2)).await["state"], "checked");
    let refused = send_table(&server, "", "text/csv", &table(3)).await;
    assert_eq!(refused.status, 413);
    assert!(refused.text().contains("fleet.import_max_rows"), "{}", refused.text());
    let padded = |length: usize| {
        let start = "id,secret,note\nIMEI:1,0123456789abcdef,";
        format!("{start}{}", "x".repeat(length - start.len()))
    };
    assert_eq!(import(&server, "?dry_run=true", "text/csv", &padded(1_024)).await["state"], "checked");
    let refused = send_table(&server, "", "text/csv", &padded(1_025)).await;
    assert!(refused.status == 413 && refused.text().contains("fleet.import_max_size"), "{}", refused.text());
    for (table, wrong) in [("", "has to be id"), ("id\n", "no rows"), ("id,colour\n", "colour")] {
        let refused = send_table(&server, "", "text/csv", table).await;
        assert!(refused.status == 400 && refused.text().contains(wrong), "{table}: {}", refused.text());
    }
    assert_eq!(server.items("/imports").await.iter().filter(|import| import["state"] == "failed").count(), 5);
    assert_eq!(server.items("/devices").await.len(), 0);
}

#[tokio::test]
async fn an_export_has_all_devices() {
    let server = TestServer::start().await;
    for part in 0..2 {
        let devices = (0..600).map(|n| json!({ "id": format!("IMEI:{part}{n:03}") }));
        let batch = json!({ "devices": devices.collect::<Vec<_>>() });
        assert_eq!(server.api("POST", "/devices/batch", Some(batch)).await.status, 201);
    }
    let exported = server.api("GET", "/devices/export?columns=id", None).await;
    let lines: Vec<&str> = exported.text().lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1200]), (1_201, "id", "IMEI:1599"));
    let some = server
        .api("GET", &format!("/devices/export?columns=id&filter={}", percent("id ~ 'IMEI:?5*'")), None)
        .await;
    assert_eq!(some.text().lines().count(), 201);
}
