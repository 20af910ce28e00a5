//! Every status that Appendix C lists for a command, in its place.

use crate::common::*;
use omadm_codec::Tolerance;
use omadm_mo::{Actor, ClientUri, Content, Quota, Rights, Tolerances, Value};
use omadm_session::dm2::client::{HttpReply, Note};

const SERVED: &str = "https://data.example/x";

fn hget_leaf(address: &str) -> String {
    format!("[\"HGET\",\"{SERVED}\",\"{BOX}{address}\"]")
}

/// The status of an HGET of `body` onto an address in the box, and whether the tree stayed as it was.
fn hget(address: &str, content_type: &str, body: &str) -> (u16, bool) {
    let mut tree = tree();
    let before = snapshot(&tree);
    let mut world = World::serving(SERVED, content_type, body.as_bytes());
    let statuses = statuses(&mut tree, &mut world, &hget_leaf(address));
    (statuses[0], snapshot(&tree) == before)
}

fn item(address: &str, label: &str, data: &str) -> String {
    format!("[{{\"ClientURI\":\"{BOX}{address}\",\"MOData\":{{\"{label}\":{data}}}}}]")
}

#[test]
fn get_200_brings_the_data() {
    let mut tree = tree();
    let reply = package2(&format!("{{\"CMD\":[[\"GET\",\"{BOX}/one/Setting\"]]}}"));
    let seen = converse(&mut tree, &mut World::default(), &[reply]);
    assert_eq!(seen.posts[1].statuses(), [200]);
    let items = seen.posts[1].items("0");
    assert_eq!(items[0].client_uri, format!("{BOX}/one/Setting"));
    assert_eq!(items[0].ddf.as_deref(), Some("https://ddf.example/box.ddf"));
    assert_eq!(items[0].label, "Setting");
    assert_eq!(items[0].content, text("first"));
    assert_eq!(items[0].cv, None, "only a root has a cache validator of its own");
}

#[test]
fn get_204_is_a_leaf_without_content() {
    let mut tree = tree();
    let commands = format!("[\"GET\",\"{BOX}/one/Empty\"],[\"GET\",\"{BOX}/one/Items\"]");
    let reply = package2(&format!("{{\"CMD\":[{commands}]}}"));
    let seen = converse(&mut tree, &mut World::default(), &[reply]);
    assert_eq!(seen.posts[1].statuses(), [204, 200]);
    assert_eq!(seen.posts[1].parts().len(), 1);
}

#[test]
fn get_304_when_the_validator_is_current() {
    let mut tree = tree();
    let mut world = World::default();
    let read = package2(&format!("{{\"CMD\":[[\"GET\",\"{BOX}/one/\"]]}}"));
    let cv = converse(&mut tree, &mut world, &[read]).posts[1].items("0")[0].cv.clone().unwrap();
    assert!(!cv.is_empty());
    let with = |path: &str, cv: &str| format!("[\"GET\",\"{BOX}/one/{path}?cv={cv}\"]");
    assert_eq!(statuses(&mut tree, &mut world, &with("", &cv)), [304]);
    assert_eq!(statuses(&mut tree, &mut world, &with("Setting", &cv)), [304]);
    assert_eq!(statuses(&mut tree, &mut world, &with("", "garbage")), [200]);
    // A change anywhere in the instance makes it stale for every node.
    world.serve(SERVED, "text/plain", b"new");
    assert_eq!(statuses(&mut tree, &mut world, &hget_leaf("/one/Setting")), [200]);
    assert_eq!(statuses(&mut tree, &mut world, &with("Count", &cv)), [200]);
    let again = package2(&format!("{{\"CMD\":[{}]}}", with("", &cv)));
    let new = converse(&mut tree, &mut world, &[again]).posts[1].items("0")[0].cv.clone().unwrap();
    assert_ne!(new, cv);
}

#[test]
fn get_refusals() {
    let mut tree = tree();
    let mut world = World::default();
    for (address, status) in [
        ("::", 400),
        (&format!("{BOX}/(x)/"), 400),
        (&format!("{BOX}/one/Nothing"), 404),
        (&format!("{BOX}/two/"), 404),
        ("urn:x-test:mo:none:1.0//", 404),
        (&format!("{BOX}/one/Hidden"), 404),
        (&format!("{BOX}/one/Secret"), 403),
    ] {
        assert_eq!(
            statuses(&mut tree, &mut world, &format!("[\"GET\",\"{address}\"]")),
            [status],
            "{address}"
        );
    }
    let read = format!("[\"GET\",\"{BOX}/one/Setting\"]");
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &read), [403], "no right at all");
    grant(&mut tree, "DMS2", Rights::WRITE);
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &read), [403], "Write is not Read");
    grant(&mut tree, "DMS2", Rights::READ);
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &read), [200]);
    let info = "[\"GET\",\"urn:oma:mo:oma-dm-devinfo:1.2//\"]";
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, info), [403], "MOID not provisioned");
}

#[test]
fn nothing_is_refreshed_for_a_server_that_may_not_use_the_mo() {
    let mut tree = tree();
    let mut world = World::default();
    statuses_for("DMS2", &mut tree, &mut world, "[\"GET\",\"urn:oma:mo:oma-dm-devinfo:1.2//\"]");
    assert_eq!(world.refreshed, []);
    statuses(&mut tree, &mut world, "[\"GET\",\"urn:oma:mo:oma-dm-devinfo:1.2//\"]");
    assert_eq!(world.refreshed.len(), 1);
}

#[test]
fn a_plug_in_that_cannot_give_its_values_fails_the_read_alone() {
    for (refused, sent) in [(500, 500), (503, 503), (507, 507), (1500, 1500), (404, 404), (506, 500)] {
        let mut world = World { refuse: Some(refused), refuse_refresh: true, ..World::default() };
        let commands = format!(
            "[\"GET\",\"{BOX}//Setting\"],[\"HPUT\",\"https://data.example/\",\"{BOX}//Setting\"],[\"CONT\",\"https://a.example/\"]"
        );
        assert_eq!(statuses(&mut tree(), &mut world, &commands), [sent, sent, 200]);
        assert!(world.uploads.is_empty());
    }
}

#[test]
fn get_of_a_subtree_leaves_out_what_cannot_be_read() {
    let mut tree = tree();
    let reply = package2(&format!("{{\"CMD\":[[\"GET\",\"{BOX}/one/?lv=1\"]]}}"));
    let seen = converse(&mut tree, &mut World::default(), &[reply]);
    let items = seen.posts[1].items("0");
    assert_eq!((items.len(), items[0].client_uri.as_str()), (1, &*format!("{BOX}/one/")));
    let Content::Interior(children) = &items[0].content else { panic!("a root is an interior node") };
    let names: Vec<_> = children.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"Setting") && !names.contains(&"Hidden") && !names.contains(&"Secret"));
    let below = children.iter().find(|(name, _)| name.as_str() == "Items").unwrap();
    assert_eq!(below.1, interior(vec![]), "children beyond lv are not transferred");
}

#[test]
fn a_wildcard_gives_an_item_per_match_in_one_part() {
    let mut tree = tree();
    let reply = package2(&format!("{{\"CMD\":[[\"GET\",\"{BOX}/*/Items/*/ID\"]]}}"));
    let seen = converse(&mut tree, &mut World::default(), &[reply]);
    let addresses: Vec<_> = seen.posts[1].items("0").into_iter().map(|item| item.client_uri).collect();
    assert_eq!(addresses, [format!("{BOX}/one/Items/1/ID"), format!("{BOX}/one/Items/2/ID")]);
}

#[test]
fn a_leaf_goes_directly_only_when_its_type_is_named() {
    let read = |address: &str, accept: Option<&str>| {
        let mut tree = tree();
        let mut reply = package2(&format!("{{\"CMD\":[[\"GET\",\"{BOX}{address}\"]]}}"));
        reply.omadm_accept = accept.map(str::to_owned);
        let seen = converse(&mut tree, &mut World::default(), &[reply]);
        let part = seen.posts[1].parts().remove(0);
        (part.head.content_type.unwrap(), part.body)
    };
    let named = Some("text/plain, image/png, application/dmmo+json;q=0.5");
    assert_eq!(read("/one/Setting", named), ("text/plain".into(), b"first".to_vec()));
    assert_eq!(read("/one/Blob", named), ("image/png".into(), vec![1, 2, 255]));
    for (address, accept) in [
        ("/one/Setting", None),
        ("/one/Setting", Some("image/png")),
        ("/one/Count", named),
        ("/*/Setting", named),
        ("/(x)/Setting?nv=(x)/Count:1", named),
    ] {
        assert_eq!(read(address, accept).0, "application/dmmo+json", "{address}");
    }
}

#[test]
fn a_package_holds_so_much_data_and_no_more() {
    const LARGE: usize = 16 << 20;
    let mut tree = tree_with(Quota { bytes: 2 * LARGE, ..Quota::default() });
    let blob = tree.resolve(&Actor::Device, &ClientUri::parse(&format!("{BOX}/one/Blob")).unwrap()).unwrap();
    let mut change = tree.begin(Actor::Device, NOW);
    change.set(blob[0].node, Value::Bytes(vec![0; LARGE])).unwrap();
    change.commit();
    let get = |leaf: &str| format!("[\"GET\",\"{BOX}/one/{leaf}\"]");
    let commands = [get("Blob"), get("Blob"), get("Blob"), get("Blob"), get("Setting"), get("Empty")];
    let mut reply = package2(&format!("{{\"CMD\":[{}]}}", commands.join(",")));
    reply.omadm_accept = Some("text/plain, image/png".into());
    let seen = converse(&mut tree, &mut World::default(), &[reply]);
    let body = &seen.posts[1].body;
    assert!(body.len() > 4 * LARGE, "64 MiB are sent");
    let head = String::from_utf8_lossy(&body[..1_000]);
    let codes: Vec<&str> = head.split("\"sc\":").skip(1).map(|rest| &rest[..3]).collect();
    assert_eq!(codes, ["200", "200", "200", "200", "503", "204"], "{head}");
}

#[test]
fn hget_200_replaces_a_leaf() {
    for (address, content_type, body, expected) in [
        ("/one/Setting", "text/plain", "new\n", Value::Text("new\n".into())),
        ("/one/Setting", "TEXT/Plain; charset=utf-8", "new", Value::Text("new".into())),
        ("/one/Blob", "image/png", "png", Value::Bytes(b"png".to_vec())),
        ("/(x)/Items/(y)/Value?nv=(x)/Count:1&nv=(y)/ID:two", "text/plain", "z", Value::Text("z".into())),
    ] {
        let mut tree = tree();
        let mut world = World::serving(SERVED, content_type, body.as_bytes());
        assert_eq!(statuses(&mut tree, &mut world, &hget_leaf(address)), [200], "{address}");
        let place =
            address.replace("/(x)/Items/(y)/Value?nv=(x)/Count:1&nv=(y)/ID:two", "/one/Items/2/Value");
        assert_eq!(value(&tree, &format!("{BOX}{place}")), Some(expected), "{address}");
        assert_eq!(world.commits, 1, "durable before it is answered");
    }
}

#[test]
fn hget_200_of_mo_data_replaces_all_that_was_there() {
    let mut tree = tree();
    let body = item("//Items/1", "1", "{\"ID\":\"uno\"}");
    let mut world = World::serving(SERVED, "application/dmmo+json", body.as_bytes());
    assert_eq!(statuses(&mut tree, &mut world, &hget_leaf("/one/Items/1")), [200]);
    assert_eq!(value(&tree, &format!("{BOX}/one/Items/1/ID")), Some(Value::Text("uno".into())));
    assert!(!exists(&tree, &format!("{BOX}/one/Items/1/Value")));
    assert!(
        world.fetches[0].1.contains("application/dmmo+json") && world.fetches[0].1.contains("text/plain")
    );
}

#[test]
fn hget_without_client_uri_says_where_it_stored() {
    let mut tree = tree();
    let instance = |label: &str| {
        format!(
            "{{\"ClientURI\":\"{BOX}//\",\"MOData\":{{\"{label}\":{{\"Setting\":\"s\",\"On\":\"true\"}}}}}}"
        )
    };
    let body = format!("[{},{}]", instance("usb"), instance("one"));
    let mut world = World::serving(SERVED, "application/dmmo+json", body.as_bytes());
    let reply = package2(&format!("{{\"CMD\":[[\"HGET\",\"{SERVED}\"]]}}"));
    let seen = converse(&mut tree, &mut world, &[reply]);
    let uris = seen.posts[1].response().0.statuses[0].uris.clone();
    assert_eq!(uris.len(), 2);
    assert_eq!(uris[0], format!("{BOX}/usb/"));
    assert_ne!(uris[1], format!("{BOX}/one/"), "an instance that exists is not touched");
    assert!(uris.iter().all(|uri| exists(&tree, uri)));
    assert_eq!(value(&tree, &format!("{BOX}/usb/On")), Some(Value::Bool(true)));
    assert!(seen.notes.contains(&Note::Tolerated(vec![Tolerance::TextForTyped])));
    // Its creator may use it at once, nobody else.
    let read = format!("[\"GET\",\"{BOX}/usb/Setting\"]");
    assert_eq!(statuses(&mut tree, &mut world, &read), [200]);
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &read), [403]);
}

#[test]
fn hget_creates_a_node_only_below_an_existing_parent() {
    let data = item("//", "3", "{\"ID\":\"three\"}");
    let mut tree = tree();
    let mut world = World::serving(SERVED, "application/dmmo+json", data.as_bytes());
    assert_eq!(statuses(&mut tree, &mut world, &hget_leaf("/one/Items/3")), [200]);
    assert_eq!(value(&tree, &format!("{BOX}/one/Items/3/ID")), Some(Value::Text("three".into())));
    assert_eq!(statuses(&mut tree, &mut world, &hget_leaf("/one/Nothing/3")), [404]);
}

#[test]
fn hget_refusals_leave_the_tree_alone() {
    let plain = "text/plain";
    let dmmo = "application/dmmo+json";
    let two = format!(
        "[{0},{0}]",
        format_args!("{{\"ClientURI\":\"{BOX}//\",\"MOData\":{{\"1\":{{\"ID\":\"x\"}}}}}}")
    );
    for (address, content_type, body, status) in [
        ("/*/Setting", plain, "x", 400),
        ("/one/Fixed", plain, "x", 403),
        ("/one/Setting", "application/x-foo", "x", 415),
        ("/one/Items", plain, "x", 415),
        ("/one/Count", plain, "abc", 415),
        ("/one/Count", dmmo, &item("//", "Count", "\"abc\""), 415),
        ("/one/Setting", dmmo, &item("//", "Setting", "{\"a\":1}"), 415),
        ("/one/Items", dmmo, &item("//", "Items", "5"), 415),
        ("/one/Setting", dmmo, "[{]", 415),
        ("/one/Setting", dmmo, "[]", 415),
        ("/one/Setting", dmmo, "[{\"MOData\":{\"Setting\":\"x\"}}]", 415),
        ("/one/Items/1", dmmo, &two, 415),
        ("/one/Setting", dmmo, &item("//", "Other", "\"x\""), 405),
        ("/one/Blob", dmmo, &item("//", "Blob", "\"*\""), 415),
    ] {
        assert_eq!(hget(address, content_type, body), (status, true), "{address} {content_type} {body}");
    }
}

#[test]
fn hget_403_without_write_right() {
    let mut tree = tree();
    grant(&mut tree, "DMS2", Rights::READ);
    let before = snapshot(&tree);
    let mut world = World::serving(SERVED, "text/plain", b"x");
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &hget_leaf("/one/Setting")), [403]);
    assert_eq!(snapshot(&tree), before);
    grant(&mut tree, "DMS2", Rights::WRITE);
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &hget_leaf("/one/Setting")), [200]);
}

#[test]
fn hget_without_client_uri_needs_mo_data_that_says_where() {
    let mut tree = tree();
    let mut world = World::default();
    let without = format!("[\"HGET\",\"{SERVED}\"]");
    for (content_type, body, status) in [
        ("text/plain", "x".to_owned(), 415),
        ("application/dmmo+json", "[]".to_owned(), 415),
        ("application/dmmo+json", item("/*/", "x", "{}"), 415),
        ("application/dmmo+json", "[{\"ClientURI\":\"::\",\"MOData\":{\"x\":{}}}]".to_owned(), 415),
    ] {
        world.serve(SERVED, content_type, body.as_bytes());
        assert_eq!(statuses(&mut tree, &mut world, &without), [status], "{content_type} {body}");
    }
}

#[test]
fn hget_is_one_transaction() {
    let mut tree = tree();
    let before = snapshot(&tree);
    let good = format!("{{\"ClientURI\":\"{BOX}//\",\"MOData\":{{\"a\":{{\"Setting\":\"s\"}}}}}}");
    let bad = format!("{{\"ClientURI\":\"{BOX}//\",\"MOData\":{{\"b\":{{\"Count\":\"no number\"}}}}}}");
    let mut world = World::serving(SERVED, "application/dmmo+json", format!("[{good},{bad}]").as_bytes());
    assert_eq!(statuses(&mut tree, &mut world, &format!("[\"HGET\",\"{SERVED}\"]")), [415]);
    assert_eq!(snapshot(&tree), before);
}

#[test]
fn hget_419_when_no_data_came() {
    let mut tree = tree();
    let mut world = World::default();
    let command = hget_leaf("/one/Setting");
    assert_eq!(statuses(&mut tree, &mut world, &command), [419], "no answer");
    for status in [204, 206, 304, 401, 404, 500, 503] {
        world.repository.insert(SERVED.into(), HttpReply { status, ..HttpReply::default() });
        assert_eq!(statuses(&mut tree, &mut world, &command), [419], "{status}");
    }
    let fetched = world.fetches.len();
    for uri in ["http://data.example/x", "ftp://data.example/x", "file://localhost/etc/passwd"] {
        let command = format!("[\"HGET\",\"{uri}\",\"{BOX}/one/Setting\"]");
        assert_eq!(statuses(&mut tree, &mut world, &command), [419], "{uri}");
    }
    assert_eq!(world.fetches.len(), fetched, "a forbidden URI is not asked");
}

#[test]
fn hget_506_when_it_does_not_fit() {
    let mut small = tree_with(Quota { bytes: 4096, ..Quota::default() });
    let before = snapshot(&small);
    let mut world = World::serving(SERVED, "text/plain", &[b'x'; 5000]);
    assert_eq!(statuses(&mut small, &mut world, &hget_leaf("/one/Setting")), [506]);
    assert_eq!(snapshot(&small), before);
    world.too_large = true;
    assert_eq!(statuses(&mut tree(), &mut world, &hget_leaf("/one/Setting")), [506]);
}

#[test]
fn hget_is_undone_when_it_cannot_be_kept() {
    for (refused, sent) in [(500, 500), (503, 503), (506, 506), (507, 507), (1401, 1401), (299, 500)] {
        let mut tree = tree();
        let before = snapshot(&tree);
        let mut world = World::serving(SERVED, "text/plain", b"x");
        world.refuse = Some(refused);
        let commands = format!("{},[\"GET\",\"{BOX}/one/Setting\"]", hget_leaf("/one/Setting"));
        assert_eq!(statuses(&mut tree, &mut world, &commands), [sent, 200]);
        assert_eq!(snapshot(&tree), before);
    }
}

#[test]
fn uploads_200_with_what_was_found() {
    for (name, method) in [("HPUT", "PUT"), ("HPOST", "POST")] {
        let mut tree = tree();
        let mut world = World::default();
        let command = format!(
            "[\"{name}\",\"https://data.example/[DevID]\",\"{BOX}/one/Setting\",\"{BOX}/one/No\",\"{BOX}/*/Count\"]"
        );
        assert_eq!(statuses(&mut tree, &mut world, &command), [200]);
        let (used, uri, content_type, body) = &world.uploads[0];
        assert_eq!((*used, uri.as_str()), (method, "https://data.example/dev%2F1"));
        assert_eq!(content_type, "application/dmmo+json");
        let items = omadm_codec::dm2::mo_data::decode(
            body,
            &omadm_codec::Limits::default(),
            &mut omadm_codec::Leniency::strict(),
        )
        .unwrap();
        let addresses: Vec<_> = items.iter().map(|item| item.client_uri.clone()).collect();
        assert_eq!(addresses, [format!("{BOX}/one/Setting"), format!("{BOX}/one/Count")]);
    }
}

#[test]
fn upload_refusals_send_nothing() {
    let run = |server: &str, rights: Option<Rights>, clients: &[&str]| {
        let mut tree = tree();
        if let Some(rights) = rights {
            grant(&mut tree, server, rights);
        }
        let mut world = World::default();
        let clients: Vec<_> = clients.iter().map(|client| format!("\"{BOX}{client}\"")).collect();
        let command = format!("[\"HPUT\",\"https://data.example/\",{}]", clients.join(","));
        let statuses = statuses_for(server, &mut tree, &mut world, &command);
        (statuses[0], world.uploads.len())
    };
    assert_eq!(run("DMS1", None, &["/one/No", "/two/"]), (404, 0));
    assert_eq!(run("DMS2", Some(Rights::WRITE), &["/one/Setting"]), (403, 0));
    assert_eq!(run("DMS1", None, &["/one/Setting", "/one/Secret"]), (403, 0), "one right is missing");
    assert_eq!(run("DMS2", Some(Rights::READ), &["/one/Setting"]), (200, 1));
}

#[test]
fn uploads_304_only_if_all_is_current() {
    let mut tree = tree();
    let mut world = World::default();
    let read = package2(&format!("{{\"CMD\":[[\"GET\",\"{BOX}/one/\"]]}}"));
    let cv = converse(&mut tree, &mut world, &[read]).posts[1].items("0")[0].cv.clone().unwrap();
    let upload = |second: &str| {
        format!(
            "[\"HPOST\",\"https://data.example/\",\"{BOX}/one/?cv={cv}\",\"{BOX}/one/Count?cv={second}\"]"
        )
    };
    assert_eq!(statuses(&mut tree, &mut world, &upload(&cv)), [304]);
    assert_eq!(world.uploads.len(), 0);
    assert_eq!(statuses(&mut tree, &mut world, &upload("0")), [200]);
    assert_eq!(world.uploads.len(), 1);
}

#[test]
fn uploads_406_419_and_direct_leaves() {
    let run = |accept: Option<&str>, address: &str, failing: bool, status: Option<u16>| {
        let mut tree = tree();
        let mut world = World { upload_fails: failing, upload_status: status, ..World::default() };
        let mut reply =
            package2(&format!("{{\"CMD\":[[\"HPOST\",\"https://data.example/\",\"{BOX}{address}\"]]}}"));
        reply.omadm_accept = accept.map(str::to_owned);
        let seen = converse(&mut tree, &mut world, &[reply]);
        let sent = world.uploads.pop().map(|(_, _, content_type, body)| (content_type, body));
        (seen.posts[1].statuses()[0], sent)
    };
    assert_eq!(run(Some("application/x-foo"), "/one/On", false, None), (406, None));
    assert_eq!(run(Some("application/x-foo, application/dmmo+json"), "/one/On", false, None).0, 200);
    assert_eq!(run(None, "/one/On", true, None).0, 419);
    assert_eq!(run(None, "/one/On", false, Some(500)).0, 419);
    assert_eq!(run(None, "/one/On", false, Some(204)).0, 200);
    let (status, sent) = run(Some("text/plain"), "/(x)/On?nv=(x)/Count:1", false, None);
    assert_eq!((status, sent.unwrap()), (200, ("text/plain".into(), b"true".to_vec())));
}

#[test]
fn delete_statuses() {
    let mut tree = tree();
    let mut world = World::default();
    let delete = |address: &str| format!("[\"DELETE\",\"{BOX}{address}\"]");
    assert_eq!(statuses(&mut tree, &mut world, "[\"DELETE\"]"), [400]);
    assert_eq!(statuses(&mut tree, &mut world, &delete("/one/Nothing")), [404]);
    assert_eq!(statuses(&mut tree, &mut world, &delete("/one/Fixed")), [405]);
    grant(&mut tree, "DMS2", Rights::READ);
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &delete("/one/Items/1")), [403]);
    assert!(exists(&tree, &format!("{BOX}/one/Items/1")));
    world.refuse = Some(506);
    assert_eq!(statuses(&mut tree, &mut world, &delete("/one/Items/1")), [500], "506 is not for DELETE");
    assert!(exists(&tree, &format!("{BOX}/one/Items/1/ID")), "undone");
    world.refuse = None;
    assert_eq!(statuses(&mut tree, &mut world, &delete("/one/Items/*")), [200]);
    assert!(
        !exists(&tree, &format!("{BOX}/one/Items/1/ID")) && !exists(&tree, &format!("{BOX}/one/Items/2"))
    );
    assert_eq!(statuses(&mut tree, &mut world, &format!("[\"GET\",\"{BOX}/one/Items/1\"]")), [404]);
}

#[test]
fn exec_statuses() {
    let mut tree = tree();
    let mut world = World::default();
    let exec = |address: &str| format!("[\"EXEC\",\"{BOX}{address}\"]");
    assert_eq!(statuses(&mut tree, &mut world, "[\"EXEC\"]"), [400]);
    assert_eq!(statuses(&mut tree, &mut world, &exec("/*/Run")), [400]);
    assert_eq!(statuses(&mut tree, &mut world, &exec("/one/Nothing")), [404]);
    assert_eq!(statuses(&mut tree, &mut world, &exec("/one/Setting")), [405]);
    grant(&mut tree, "DMS2", Rights::READ.union(Rights::WRITE));
    assert_eq!(statuses_for("DMS2", &mut tree, &mut world, &exec("/one/Run")), [403]);
    assert!(world.executed.is_empty());
    assert_eq!(statuses(&mut tree, &mut world, &exec("//Run")), [200]);
    assert_eq!(world.executed, [format!("{BOX}/one/Run")]);
    for (refused, sent) in [(500, 500), (503, 503), (507, 507), (1401, 1401), (204, 500)] {
        world.refuse = Some(refused);
        let commands = format!("{},[\"GET\",\"{BOX}/one/Setting\"]", exec("/one/Run"));
        assert_eq!(statuses(&mut tree, &mut world, &commands), [sent, 200]);
    }
}

#[test]
fn unknown_commands_do_not_disturb_their_neighbours() {
    let commands =
        format!("[\"FOO\"],[\"get\",\"x\"],[],[\"GET\",5],[\"GET\"],[\"SHOW\"],[\"GET\",\"{BOX}//Setting\"]");
    let mut world = World::default();
    assert_eq!(statuses(&mut tree(), &mut world, &commands), [501, 501, 400, 400, 400, 400, 200]);
}

#[test]
fn advanced_addressing_can_be_switched_off() {
    let mut tree = tree();
    let mut plain = config();
    plain.full_addressing = false;
    let commands = format!(
        "[\"GET\",\"{BOX}/*/Setting\"],[\"GET\",\"{BOX}/(x)/Setting?nv=(x)/Count:1\"],[\"GET\",\"{BOX}//?lv=1\"],\
         [\"GET\",\"{BOX}//Setting?vendor=1\"],[\"GET\",\"{BOX}/one/Setting\"]"
    );
    let reply = package2(&format!("{{\"CMD\":[{commands}]}}"));
    let seen = converse_as(plain, start("DMS1"), &mut tree, &mut World::default(), &[reply]);
    assert_eq!(seen.posts[1].statuses(), [501, 501, 501, 200, 200]);
}

#[test]
fn addresses_of_the_examples_are_understood() {
    let mut tree = tree();
    let mut world = World::serving(SERVED, "text/plain", b"AB123CES121XX90TPOWQESEFSE33");
    let commands = format!(
        "[\"GET\",\"oma:mo:oma-dm-devinfo:1.0//DevID\"],\
         [\"HGET\",\"{SERVED}\",\"urn:oma:mo:oma-dm-dmacc:2.0/(x)/AuthNoti/AuthSecret?nv=(x)/ServerID:DMS1\"]"
    );
    let reply = package2(&format!("{{\"CMD\":[{commands}]}}"));
    let seen = converse(&mut tree, &mut world, &[reply]);
    assert_eq!(seen.posts[1].statuses(), [200, 200]);
    assert_eq!(seen.posts[1].items("0")[0].client_uri, "urn:oma:mo:oma-dm-devinfo:1.2/devinfo/DevID");
    assert_eq!(
        value(&tree, "urn:oma:mo:oma-dm-dmacc:1.2/dms1/Auth/Noti/Secret"),
        Some(Value::Bytes(b"AB123CES121XX90TPOWQESEFSE33".to_vec()))
    );
    for used in [vec![Tolerance::MoidAlias], vec![Tolerance::MoidAlias, Tolerance::NodeAlias]] {
        assert!(seen.notes.contains(&Note::Tolerated(used.clone())), "{used:?}: {:?}", seen.notes);
    }
}

/// Each row is a command that needs one tolerance, and how strict refuses it; the host has made the tree strict, or forgot to.
#[test]
fn what_is_tolerated_is_told_and_refused_in_strict_mode() {
    let entry = format!("urn:oma:mo:oma-dm-dacmo:1.0//{BOX}/one/1/Permissions/1/MAID");
    let get = |address: &str| format!("[\"GET\",\"{address}\"]");
    let hget = |address: &str| format!("[\"HGET\",\"{SERVED}\",\"{address}\"]");
    let item =
        |name: &str, value: &str| format!("[{{\"ClientURI\":\"x\",\"MOData\":{{\"{name}\":\"{value}\"}}}}]");
    let leaf = |name: &str| hget(&format!("{BOX}/one/{name}"));
    for (command, body, tolerance, refused) in [
        (get("oma:mo:oma-dm-devinfo:1.2//DevID"), String::new(), Tolerance::MoidAlias, 404),
        (get("urn:oma:mo:oma-dm-dmacc:1.2/dms1/ServerID"), String::new(), Tolerance::NodeAlias, 404),
        (leaf("Count"), item("Count", "2"), Tolerance::TextForTyped, 415),
        (leaf("Blob"), item("Blob", "AQI"), Tolerance::LooseBase64, 415),
        (leaf("On"), "TRUE".to_owned(), Tolerance::LooseText, 415),
        (hget(&entry), item("MAID", "DMS1"), Tolerance::BareAuthority, 415),
        (leaf("Setting"), item("Setting", "s").replace(['[', ']'], ""), Tolerance::BareMoObject, 415),
        (leaf("Setting"), format!("\u{feff}{}", item("Setting", "s")), Tolerance::ByteOrderMark, 415),
    ] {
        for (strict, tolerances) in
            [(false, Tolerances::default()), (true, Tolerances::default()), (true, Tolerances::STRICT)]
        {
            let mut tree = tree();
            tree.set_tolerances(tolerances);
            let before = snapshot(&tree);
            let media_type =
                if tolerance == Tolerance::LooseText { "text/plain" } else { "application/dmmo+json" };
            let mut world = World::serving(SERVED, media_type, body.as_bytes());
            let config = omadm_session::dm2::client::Config { strict, ..config() };
            let reply = package2(&format!("{{\"CMD\":[{command}]}}"));
            let seen = converse_as(config, start("DMS1"), &mut tree, &mut world, &[reply]);
            assert_eq!(seen.posts[1].statuses(), [if strict { refused } else { 200 }], "{command} {body}");
            assert_eq!(seen.notes.contains(&Note::Tolerated(vec![tolerance])), !strict, "{:?}", seen.notes);
            assert!(!strict || snapshot(&tree) == before, "{command}: a refused command changed the tree");
        }
    }
}

#[test]
fn an_upload_of_more_than_a_device_can_hold_is_refused_before_it_is_put_together() {
    let mut tree = tree();
    let mut change = tree.begin(omadm_mo::Actor::Device, NOW);
    let uri = omadm_mo::ClientUri::parse(&format!("{BOX}/one/Setting")).unwrap();
    let found = change.tree().resolve(&omadm_mo::Actor::Device, &uri).unwrap();
    change.set(found[0].node, omadm_mo::Value::Text("x".repeat(1 << 20))).unwrap();
    change.commit();
    let upload = |count: usize| {
        let addresses = format!(r#", "{BOX}/one/Setting""#).repeat(count);
        format!(r#"["HPUT", "https://data.example/up"{addresses}]"#)
    };
    let mut world = World::default();
    assert_eq!(statuses(&mut tree, &mut world, &upload(64)), [503]);
    assert!(world.uploads.is_empty());
    assert_eq!(statuses(&mut tree, &mut world, &upload(2)), [200]);
}
