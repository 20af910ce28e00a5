//! The audit log as a page, and what the API offers for it.

use omadm_server::audit_chain::{AuditEntry, AuditHead, ChainCheck};
use serde_json::{Value, json};

use super::Browser;
use crate::harness::{LANG, TestServer};

#[tokio::test]
async fn the_log_tells_who_wanted_what_and_what_came_of_it() {
    let server = TestServer::start().await;
    let device = server.enrol("IMEI:1").await;
    server.queue(&device, json!({ "verb": "get", "address": LANG })).await;
    let viewer = super::token(&server, "viewer", None).await;
    assert_eq!(server.api_as(&viewer, "DELETE", "/devices/IMEI%3A1", None).await.status, 403);
    assert_eq!(server.api("DELETE", "/groups/none", None).await.status, 404);
    let browser = Browser::admin(&server).await;
    let page = browser.page("/audit").await;
    let queued = "queue a command for <a href=\"/devices/IMEI%3A1\"><bdi>IMEI:1</bdi></a>";
    assert!(
        page.contains(queued) && page.contains("<bdi>token first</bdi>") && page.contains(LANG),
        "{page}"
    );
    assert!(
        page.contains("remove the group <b><bdi>none</bdi></b>") && page.contains("404 Not Found"),
        "{page}"
    );
    assert!(page.contains("not allowed") && !page.contains("see newer entries"), "{page}");

    let refused = browser.page("/audit?outcome=refused").await;
    assert!(refused.contains("remove <a href") && !refused.contains("queue a command"), "{refused}");
    let of_device = browser.page("/audit?on=IMEI%3A1&by=first").await;
    assert!(of_device.contains(queued) && !of_device.contains("remove the group"), "{of_device}");
    assert!(of_device.contains("badge good"), "what came of it is there, too: {of_device}");
    assert!(browser.page("/audit?until=2001-01-01T00:00:00Z").await.contains("There is nothing like it"));
    let wrong = browser.page("/audit?until=yesterday&by=ann").await;
    assert!(wrong.contains("id=\"until-fault\"") && wrong.contains("value=\"ann\""), "{wrong}");
}

#[tokio::test]
async fn an_entry_stands_in_its_chain() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    let browser = Browser::admin(&server).await;
    let heads = browser.page("/audit/heads").await;
    let head = server.items("/audit/heads").await.remove(0);
    let (chain, seq) = (head["chain"].as_str().unwrap(), head["seq"].as_i64().unwrap());
    assert!(heads.contains(chain) && heads.contains(head["hash"].as_str().unwrap()), "{heads}");
    let entry = browser.page(&format!("/audit/{chain}/1")).await;
    assert!(entry.contains("enrol a device") && entry.contains(&format!("/audit/{chain}/2")), "{entry}");
    assert!(!entry.contains("Entry before"));
    for place in
        [format!("{chain}/{}", seq + 5), format!("{chain}/0"), format!("{chain}/x"), "none/1".to_owned()]
    {
        assert_eq!(browser.get(&format!("/audit/{place}")).await.status, 404, "{place}");
    }
}

#[tokio::test]
async fn an_export_is_checked_as_the_log_is() {
    let server = TestServer::start().await;
    // More than are read at a time.
    for number in 0..520 {
        server.api("DELETE", &format!("/groups/{number}"), None).await;
    }
    let browser = Browser::admin(&server).await;
    assert!(browser.page("/audit").await.contains("href=\"/api/v1/audit/export\""));
    let export = browser.get("/api/v1/audit/export").await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let head = server.items("/audit/heads").await.remove(0);
    let mut check = ChainCheck::new(vec![AuditHead::read(&head).unwrap()]);
    for line in export.text().lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        check.next(&AuditEntry::read(&entry).unwrap()).unwrap();
    }
    assert_eq!(check.end().unwrap().len(), 1);

    let pages = browser.page("/audit").await;
    let next = pages
        .split("class=\"button\" href=\"")
        .find_map(|rest| rest.split_once("\" rel=\"next\""))
        .unwrap()
        .0;
    let second = browser.page(&next.replace("&amp;", "&")).await;
    assert!(second.contains("First page") && second.contains("remove the group"), "{second}");
    assert!(pages.len() < super::pages::MAX_PAGE, "{}", pages.len());
}

#[tokio::test]
async fn a_search_goes_so_far_in_one_request() {
    let server = TestServer::start().await;
    server.enrol("IMEI:1").await;
    for number in 0..600 {
        server.api("DELETE", &format!("/groups/{number}"), None).await;
    }
    let first = server.get("/audit?on=IMEI:1").await;
    assert_eq!(first["items"], json!([]), "nobody has named it");
    let found = server.get("/audit?route=/devices&limit=10").await;
    let said: Vec<Value> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| serde_json::from_str(item["entry"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!((&said[0]["phase"], &said[1]["phase"]), (&json!("done"), &json!("begun")));
    assert_eq!(said[0]["request"], said[1]["request"]);
    let narrow = server.get("/audit?route=/groups&limit=2").await;
    assert_eq!(narrow["items"].as_array().unwrap().len(), 2);
    let next = narrow["next"].as_str().unwrap();
    let further = server.get(&format!("/audit?route=/groups&limit=2&after={next}")).await;
    let place = |page: &Value| page["items"][1]["seq"].as_i64().unwrap();
    assert!(place(&further) < place(&narrow), "{further}");
    let chain = server.items("/audit/heads").await[0]["chain"].as_str().unwrap().to_owned();
    assert_eq!(server.api("GET", &format!("/audit?chain={chain}&by=x"), None).await.status, 400);
}
