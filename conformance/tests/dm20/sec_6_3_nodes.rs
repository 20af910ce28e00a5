//! Management objects and their nodes on the device (`DM 2.0 §6.3`), for the rows of both sides commanded by the real server.

use http::Method;
use omadm_conformance::ddf::{both_refuse, node, properties, single_root, tree};
use omadm_conformance::{
    Account, Bench, DDF_FILES, DeviceSetup, MOID, PLAIN_MOID, Pair, TestServer, address, dmmo, fetch, omadm,
    proves, single,
};
use omadm_mo::well_known::{DACMO, DEVINFO};
use serde_json::{Value, json};

const VENDOR: &str = "urn:example:mo:shelf:1.0";
const ALL: &str = "Add Delete Get Replace";

fn shelf(path: &str) -> String {
    format!("{VENDOR}//{path}")
}

/// An object with every occurrence, and permanent nodes below dynamic ones.
fn shelf_ddf() -> String {
    let leaf = |name: &str, access: &str, occurrence: &str, more: &str| {
        node(name, &properties(access, "chr", occurrence, more), &[])
    };
    let list = |name: &str, occurrence: &str| {
        node(name, &properties("Get Replace", "node", "One", ""), &[leaf("", ALL, occurrence, "")])
    };
    let permanent = "<Scope><Permanent/></Scope>";
    let number = format!("{permanent}<DefaultValue>7</DefaultValue>");
    let box_inside = [
        leaf("Label", ALL, "One", ""),
        leaf("Born", "Get", "One", &format!("{permanent}<DefaultValue>with the box</DefaultValue>")),
        node(
            "Inner",
            &properties("Get", "node", "One", permanent),
            &[node("Number", &properties("Get Replace", "int", "One", &number), &[])],
        ),
    ];
    let boxes = node("&lt;box&gt;", &properties(ALL, "node", "ZeroOrMore", ""), &box_inside);
    let inside = [
        leaf("Title", "Get Replace", "One", "<DefaultValue>a shelf</DefaultValue>"),
        leaf("Maybe", ALL, "ZeroOrOne", ""),
        leaf("Locked", "Get Replace", "ZeroOrOne", ""),
        list("One", "One"),
        list("UpTo1", "ZeroOrOne"),
        list("Any", "ZeroOrMore"),
        list("Least1", "OneOrMore"),
        list("UpTo2", "ZeroOrN 2"),
        list("From1To3", "OneOrN 3"),
        node("Boxes", &properties("Get Replace", "node", "One", ""), &[boxes]),
        leaf("Kept", "Get Replace", "One", permanent),
        leaf("Later", ALL, "ZeroOrOne", permanent),
    ];
    tree(&[single_root("Shelf", VENDOR, &inside)])
}

fn with_shelf(setup: &mut DeviceSetup) {
    setup.data_objects.push(shelf_ddf());
}

async fn bench() -> Bench {
    let mut bench = Bench::with(with_shelf).await;
    bench.device.grant(VENDOR, "Shelf", "/", "DMS1", 15);
    bench
}

async fn pair() -> Pair {
    let mut pair = Pair::with(with_shelf).await;
    pair.device.grant(VENDOR, "Shelf", "/", "omadm", 15);
    pair
}

#[tokio::test]
async fn an_object_from_a_ddf_file_works_from_end_to_end() {
    proves!("DM-OBJ-010-C-M", "DM-OBJ-010-S-M", "DM-OBJ-011-C-O", "DM-OBJ-011-S-O", "D2-6.3-01", "D2-6.3-02");
    let mut pair = pair().await;
    assert_eq!(pair.server.put_ddf("data-0.ddf", &shelf_ddf()).await.status, 200);
    assert_eq!(pair.set(&shelf("Title"), json!("of the vendor")).await, 200);
    assert_eq!(pair.get(&format!("{VENDOR}/Shelf/Title")).await, (200, json!("of the vendor")));
    assert_eq!(pair.set_data(&shelf("Boxes/b"), json!({ "Label": "tools" })).await, 200);
    assert_eq!(pair.device.text(&shelf("Boxes/b/Label")).as_deref(), Some("tools"));
    let place = format!("{VENDOR}/Shelf/Boxes/b/Inner/Number");
    assert_eq!(pair.get(&place).await, (200, json!(7)));
    assert_eq!(pair.server.known_value(&pair.name, &place).await, Some(json!(7)));
    let device = pair.server.get(&format!("/devices/{}", pair.name.device_id)).await;
    let known = device["inventory"].as_array().unwrap().iter().find(|item| item["moid"] == VENDOR).unwrap();
    let file = fetch(known["ddf"].as_str().unwrap(), &pair.server.ca_file()).await;
    assert_eq!((file.status, file.body), (200, shelf_ddf().into_bytes()), "the link leads to the file");

    let child = node("Child", &properties("Get", "chr", "One", ""), &[]);
    let leaf = node("Leaf", &properties("Get", "chr", "One", ""), &[child]);
    both_refuse(&pair.server, &tree(&[single_root("Bad", VENDOR, &[leaf])]), (4, 1), "has no children").await;
}

#[tokio::test]
async fn names_are_unreserved_characters_or_stand_for_names_to_come() {
    proves!("D2-6.3.1-02", "D2-6.3.1.5-01");
    let written = ["&lt;box&gt;", "[Box]", "&lt;x&gt;", "", "*"];
    for logical in written {
        let ddf = shelf_ddf().replace("&lt;box&gt;", logical);
        let mut pair = Pair::with(|setup| setup.data_objects.push(ddf.clone())).await;
        pair.device.grant(VENDOR, "Shelf", "/", "omadm", 15);
        for name in ["Box", "b-1.~_", "7"] {
            let status = pair.set_data(&shelf(&format!("Boxes/{name}")), json!({ "Label": name })).await;
            assert_eq!(status, 200, "{name} by {logical:?}");
        }
        let reply = pair.server.put_ddf("data-0.ddf", &ddf).await;
        assert_eq!((reply.status, &reply.json()["moids"]), (200, &json!([VENDOR])), "{logical:?}");
    }
    let server = TestServer::start().await;
    for bad in ["a/b", "a b"] {
        let leaf = node(bad, &properties("Get", "chr", "One", ""), &[]);
        let ddf = tree(&[single_root("Shelf", VENDOR, &[leaf])]);
        both_refuse(&server, &ddf, (4, 7), "no legal node name").await;
    }
}

#[tokio::test]
async fn a_leaf_has_no_children_and_an_interior_node_no_value() {
    proves!("D2-6.3.1-01");
    let mut bench = bench().await;
    assert_eq!(bench.hget(&address("List/three"), json!({ "ID": "x", "Value": "1" })).await, 200);
    for (place, content) in [
        (address("Text"), json!({})),
        (address("Text"), json!({ "a": "b" })),
        (address("List"), json!("a value")),
        (address("List/three"), json!(null)),
        (address("List/four"), json!("a value")),
        (address("List/three/Value"), json!({ "a": "b" })),
    ] {
        assert_eq!(bench.hget(&place, content.clone()).await, 415, "{content} at {place}");
    }
    assert_eq!(bench.device.text(&address("Text")).as_deref(), Some("text of alpha"));
    assert_eq!(bench.device.text(&address("List/three/Value")).as_deref(), Some("1"));
    assert!(!bench.device.has(&address("List/four")) && !bench.device.has(&address("Text/a")));
}

#[tokio::test]
async fn what_is_required_is_there_with_its_parent() {
    proves!("D2-6.3.1-03");
    let mut bench = bench().await;
    assert_eq!(bench.hget(&shelf("Boxes/new"), json!({ "Label": "given" })).await, 200);
    let required = json!({ "Label": "given", "Born": "with the box", "Inner": { "Number": 7 } });
    assert_eq!(bench.run(json!([["GET", shelf("Boxes/new")]])).await.value(0), required);
    assert!(!bench.device.has(&shelf("Maybe")), "what is not required is not there by itself");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("devinfo.ddf");
    let [(_, devinfo), ..] = DDF_FILES;
    let (man, bearer) = ("<NodeName>Man<", "<NodeName>Bearer<");
    assert!(devinfo.contains(man) && devinfo.contains(bearer));
    for (text, missing) in [
        (devinfo.to_owned(), &[][..]),
        (devinfo.replace(bearer, "<NodeName>Other<"), &[]),
        (devinfo.replace(man, "<NodeName>Other<"), &["Man"]),
    ] {
        std::fs::write(&file, text).unwrap();
        let check = omadm(&["ddf", "check", "--output", "json", &file.display().to_string()]).await;
        assert_eq!(check.status.success(), missing.is_empty());
        let said: Value = serde_json::from_slice(&check.stdout).unwrap();
        let listed: Vec<&str> = said[0]["missing"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["path"].as_str().unwrap())
            .collect();
        assert_eq!(listed, missing);
    }
}

#[tokio::test]
async fn what_occurs_once_is_there_once() {
    proves!("D2-6.3.1-04");
    let mut pair = pair().await;
    let made = json!([{ "ClientURI": format!("{PLAIN_MOID}//"), "MOData": { "made": { "Name": "x" } } }]);
    assert_eq!(pair.status(&json!({ "verb": "set", "items": made })).await, 200);
    let name = format!("{PLAIN_MOID}/made/Name");
    assert_eq!(pair.get(&name).await, (200, json!("x")));
    assert_eq!(pair.set_data(&format!("{PLAIN_MOID}/made/"), json!({ "Level": 1 })).await, 403);
    assert_eq!(pair.device.text(&name).as_deref(), Some("x"));
    assert!(!pair.device.has(&format!("{PLAIN_MOID}/made/Level")), "nothing of it was done");

    for (path, content, status) in [
        ("One/a", json!("first"), 200),
        ("One/b", json!("second"), 403),
        ("One", json!({ "a": "1", "b": "2" }), 403),
        ("One", json!({}), 403),
        ("One/a", json!("again"), 200),
    ] {
        assert_eq!(pair.set_data(&shelf(path), content.clone()).await, status, "{content} at {path}");
        assert!(pair.device.has(&shelf("One/a")) && !pair.device.has(&shelf("One/b")));
    }
    assert_eq!(pair.delete(&shelf("One/a")).await, 405);
    assert_eq!(pair.device.text(&shelf("One/a")).as_deref(), Some("again"));
}

#[tokio::test]
async fn as_many_can_be_added_as_the_occurrence_allows() {
    proves!("D2-6.3.1-05", "D2-6.3.1-06", "D2-6.3.1-07");
    let mut pair = Pair::with(|setup| {
        with_shelf(setup);
        setup.quota.nodes = 400;
    })
    .await;
    pair.device.grant(VENDOR, "Shelf", "/", "omadm", 15);
    assert!(!pair.device.has(&shelf("Maybe")));
    assert_eq!(pair.set(&shelf("Maybe"), json!("there now")).await, 200);
    assert_eq!(pair.device.text(&shelf("Maybe")).as_deref(), Some("there now"));
    for (list, added) in [
        ("UpTo1", &[200, 403][..]),
        ("Any", &[200, 200, 200, 200, 200]),
        ("Least1", &[200, 200, 200, 200, 200]),
        ("UpTo2", &[200, 200, 403]),
        ("From1To3", &[200, 200, 200, 403]),
    ] {
        for (at, status) in added.iter().enumerate() {
            let place = shelf(&format!("{list}/{at}"));
            assert_eq!(pair.set(&place, json!("x")).await, *status, "{place}");
            assert_eq!(pair.device.has(&place), *status == 200, "{place}");
        }
    }
    let many: serde_json::Map<String, Value> = (0..500).map(|at| (format!("n{at}"), json!("x"))).collect();
    assert_eq!(pair.set_data(&shelf("Any"), Value::Object(many)).await, 506);
    assert!(pair.device.has(&shelf("Any/4")) && !pair.device.has(&shelf("Any/n0")), "nothing has changed");
    for (list, count, last) in
        [("UpTo1", 1, 200), ("Any", 5, 200), ("UpTo2", 2, 200), ("Least1", 5, 405), ("From1To3", 3, 405)]
    {
        for at in 0..count {
            let status = if at + 1 == count { last } else { 200 };
            assert_eq!(pair.delete(&shelf(&format!("{list}/{at}"))).await, status, "{list}/{at}");
        }
    }
}

#[tokio::test]
async fn a_value_has_the_format_of_its_leaf() {
    proves!("D2-6.3.1-08", "D2-6.3.1-09");
    let mut pair = pair().await;
    for (name, good, bad) in [
        ("Count", json!(-43), json!("abc")),
        ("Ratio", json!(0.125), json!("abc")),
        ("Flag", json!(false), json!("abc")),
        ("Text", json!("\u{fc}ber <&>"), json!({})),
        ("Blob", json!("/wAB"), json!("no base64!")),
        ("Base", json!("eHl6"), json!("=")),
        ("Doc", json!("<r><c/></r>"), json!({ "r": "c" })),
        ("Day", json!("2024-02-29"), json!("2023-02-29")),
        ("Clock", json!("23:59:59"), json!("25:00:00")),
        ("Nil", json!(null), json!("a value")),
    ] {
        let place = address(name);
        assert_eq!(pair.set_data(&place, good.clone()).await, 200, "{name}");
        assert_eq!(pair.set_data(&place, bad.clone()).await, 415, "{name}: {bad}");
        let read = if good.is_null() { 204 } else { 200 };
        assert_eq!(pair.get(&place).await, (read, good), "{name}");
    }
    assert_eq!(pair.set(&address("Count"), json!("abc")).await, 415, "also as plain text");
    assert_eq!(pair.set(&address("Nil"), json!("abc")).await, 415);
    assert_eq!(pair.get(&address("Count")).await, (200, json!(-43)));
    assert_eq!(pair.set_data(&address("List/three"), json!({ "ID": "x" })).await, 200);

    let mut bench = bench().await;
    let whole = bench.run(json!([["GET", address("")]])).await.value(0);
    assert_eq!(whole.get("Nil"), Some(&Value::Null), "on the wire it is null");
}

#[tokio::test]
async fn access_types_say_what_a_server_may_do() {
    proves!("D2-6.3.1-10", "D2-6.3.1-11", "D2-6.3.1.1-01", "D2-6.3.1.1-02", "D2-6.3.1.1-03", "D2-6.3.1.1-04");
    let mut bench = bench().await;
    let up = bench.server.take("/up");
    for (commands, statuses) in [
        (json!([["GET", address("ReadOnly")], ["GET", address("Hidden")]]), [200, 404]),
        (json!([["GET", address("Secret")], ["GET", address("Text")]]), [403, 200]),
        (json!([["HPUT", up, address("Secret")], ["HPOST", up, address("Secret")]]), [403, 403]),
        (json!([["DELETE", address("Text")], ["DELETE", address("Maybe")]]), [405, 200]),
        (json!([["EXEC", address("Text")], ["EXEC", address("Run")]]), [405, 200]),
    ] {
        assert_eq!(bench.run(commands.clone()).await.statuses(), statuses, "{commands}");
    }
    assert!(bench.server.data_requests().is_empty(), "nothing of Secret left the device");
    assert_eq!(
        bench.run(json!([["HPUT", up, address("Text")], ["HPOST", up, address("Text")]])).await.statuses(),
        [200, 200]
    );
    assert_eq!(bench.device.plug.executed(), [address("Run")]);
    let whole = bench.run(json!([["GET", address("")]])).await;
    assert_eq!(whole.statuses(), [200]);
    let whole = whole.value(0);
    assert_eq!((whole.get("Hidden"), whole.get("Secret")), (None, None));
    assert_eq!(whole["ReadOnly"], "fixed");
    for (place, status) in [
        (address("ReadOnly"), 403),
        (address("Hidden"), 404),
        (address("Secret"), 200),
        (address("Maybe"), 200),
        (address("Maybe"), 200),
        (shelf("Locked"), 403),
        (shelf("Title"), 200),
    ] {
        let before = bench.device.text(&place);
        assert_eq!(bench.hget(&place, json!("written")).await, status, "{place}");
        let after = bench.device.text(&place);
        assert_eq!(after, if status == 200 { Some("written".to_owned()) } else { before }, "{place}");
    }
}

#[tokio::test]
async fn the_right_to_delegate_is_the_right_to_change_rights() {
    proves!("D2-6.3.1.1-05");
    for (rights, status) in [(15, 200), (8, 200), (7, 403)] {
        let mut bench = Bench::with(|setup| {
            let mut other = Account::new("DMS2", &setup.accounts[0].uri).with_rights(0);
            other.moids = vec![MOID.to_owned()];
            setup.accounts.push(other);
        })
        .await;
        bench.device.grant(MOID, "alpha", "/", "DMS1", rights);
        let read = json!([["GET", address("Text")]]);
        assert_eq!(bench.statuses_for("DMS2", read.clone()).await, [403]);
        let entry = format!("{DACMO}//{MOID}/alpha/1/Permissions/new");
        assert_eq!(
            bench.hget(&entry, json!({ "MAID": "serverid:DMS2", "AR": 1 })).await,
            status,
            "AR {rights}"
        );
        let readable = if status == 200 { 200 } else { 403 };
        assert_eq!(bench.statuses_for("DMS2", read).await, [readable], "AR {rights}");
    }
}

#[tokio::test]
async fn a_command_needs_the_right_on_all_nodes() {
    proves!("DM-OBJ-012-C-M", "D2-6.3.1.1-06");
    let mut bench = bench().await;
    let up = bench.server.take("/up");
    let (list, one) = (address("List"), address("List/one"));
    for (rights, reads, writes) in [(14, 403, 200), (13, 200, 403), (15, 200, 200)] {
        let content = json!({ "ID": format!("new {rights}"), "Data": { "1": { "Date": "d" } } });
        let before = bench.server.data_requests().len();
        bench.device.grant(MOID, "alpha", "/List/one/Data", "DMS1", rights);
        let commands = json!([["GET", list], ["HPUT", up, address("Text"), list], ["HPOST", up, list]]);
        let answer = bench.run(commands).await;
        assert_eq!(answer.statuses(), [reads; 3], "AR {rights} on one of the nodes");
        assert_eq!(answer.parts.len(), usize::from(reads == 200));
        assert_eq!(
            bench.server.data_requests().len() - before,
            if reads == 200 { 2 } else { 0 },
            "all or nothing"
        );
        let id = bench.device.text(&address("List/one/ID"));
        assert_eq!(bench.hget(&one, content.clone()).await, writes, "AR {rights} on one of the nodes");
        assert_eq!(bench.device.text(&address("List/one/ID")) == id, writes == 403);
        assert_eq!(bench.status(json!(["DELETE", one])).await, writes);
        assert_eq!(bench.device.has(&one), writes == 403);
        bench.device.grant(MOID, "alpha", "/List/one/Data", "DMS1", 15);
        assert_eq!(bench.hget(&one, content.clone()).await, 200, "for the next round");
    }
}

#[tokio::test]
async fn permanent_nodes_are_there_and_stay() {
    proves!("D2-6.3.1.2-01", "D2-6.3.1.2-02");
    let mut bench = bench().await;
    let devid = format!("{DEVINFO}//DevID");
    for place in [shelf("Kept"), single("Name"), devid.clone(), address("Fixed/Setting")] {
        assert!(bench.device.has(&place), "{place}");
        assert_eq!(bench.status(json!(["DELETE", place])).await, 405, "{place}");
        assert!(bench.device.has(&place), "{place}");
    }
    for rights in [15, 2, 4] {
        bench.device.grant(DEVINFO, "DevInfo", "/", "DMS1", rights);
        assert_eq!(bench.status(json!(["DELETE", devid])).await, 405, "AR {rights}");
    }
    assert_eq!(bench.status(json!(["DELETE", address("List/two")])).await, 200);
    let renamed = bench.server.serve("/renamed", &dmmo(&shelf("Kept"), "Other", json!("x")));
    assert_eq!(bench.status(json!(["HGET", renamed, shelf("Kept")])).await, 405);
    assert!(!bench.device.has(&shelf("Other")));
    assert_eq!(bench.device.text(&shelf("Kept")).as_deref(), Some(""));
    assert_eq!(bench.hget(&shelf("Kept"), json!("its value may change")).await, 200);
    assert_eq!(bench.hget(&shelf("Later"), json!("x")).await, 403, "a server creates no permanent node");
    assert!(!bench.device.has(&shelf("Later")));
}

#[tokio::test]
async fn dynamic_nodes_come_and_go_with_their_children() {
    proves!("D2-6.3.1.2-03", "D2-6.3.1.2-04", "D2-6.3.1.2-05");
    let mut bench = bench().await;
    let b = shelf("Boxes/b");
    let below = ["Label", "Born", "Inner", "Inner/Number"].map(|path| format!("{b}/{path}"));
    assert_eq!(bench.status(json!(["GET", b])).await, 404);
    assert_eq!(bench.hget(&b, json!({ "Label": "tools" })).await, 200);
    let content = bench.run(json!([["GET", b]])).await.value(0);
    let expected = json!({ "Label": "tools", "Born": "with the box", "Inner": { "Number": 7 } });
    assert_eq!(content, expected, "permanent children come with their parent, with their default values");
    assert_eq!(bench.status(json!(["DELETE", format!("{b}/Born")])).await, 405);
    assert_eq!(bench.status(json!(["DELETE", b])).await, 200);
    for place in &below {
        assert_eq!(bench.status(json!(["GET", place])).await, 404, "{place}");
        assert!(!bench.device.has(place));
    }
}

#[tokio::test]
async fn scope_tells_permanent_from_dynamic() {
    proves!("D2-6.3.1.2-06");
    let permanent = ("<Scope><Permanent/></Scope>", [403, 404]);
    for (scope, statuses) in [permanent, ("<Scope><Dynamic/></Scope>", [200, 200]), ("", [200, 200])] {
        let leaf = node("Leaf", &properties(ALL, "chr", "ZeroOrOne", scope), &[]);
        let list = node("List", &properties(ALL, "node", "ZeroOrOne", scope), &[leaf]);
        let kept = node("Kept", &properties(ALL, "chr", "One", scope), &[]);
        let ddf = tree(&[single_root("Shelf", VENDOR, &[list, kept])]);
        let mut pair = Pair::with(|setup| setup.data_objects.push(ddf.clone())).await;
        pair.device.grant(VENDOR, "Shelf", "/", "omadm", 15);
        let added = pair.set_data(&shelf("List"), json!({})).await;
        assert_eq!([added, pair.delete(&shelf("List")).await], statuses, "{scope:?}");
        assert_eq!(pair.delete(&shelf("Kept")).await, 405, "one has to be there");
        assert_eq!(pair.delete(&shelf("")).await, 405, "so has the root");
        assert_eq!(pair.server.put_ddf("x.ddf", &ddf).await.status, 200);
    }
}

#[tokio::test]
async fn names_are_given_at_run_time_and_unique_below_one_parent() {
    proves!("D2-6.3.1.3-01", "D2-6.3.1.3-02");
    let mut bench = bench().await;
    for place in ["Boxes/b", "Any/b", "UpTo2/b"] {
        let content = if place == "Boxes/b" { json!({ "Label": "x" }) } else { json!("x") };
        assert_eq!(bench.hget(&shelf(place), content).await, 200, "{place}: the name is the server's");
        assert!(bench.device.has(&shelf(place)));
    }
    let data = json!([{ "ClientURI": format!("{PLAIN_MOID}//"), "MOData": { "twin": { "Name": "x" } } }]);
    let uri = bench.server.serve("/twin", &data);
    let answer = bench.run(json!([["HGET", uri], ["HGET", uri]])).await;
    assert_eq!(answer.statuses(), [200, 200]);
    let mut places = [answer.uris(0)[0], answer.uris(1)[0]].map(str::to_owned);
    assert_ne!(places[0], places[1], "the second name is the client's");
    assert!(places.iter().all(|place| bench.device.has(place)), "{places:?}");
    let mut miids = bench
        .device
        .miids(PLAIN_MOID)
        .into_iter()
        .map(|miid| format!("{PLAIN_MOID}/{miid}/"))
        .collect::<Vec<_>>();
    miids.sort();
    places.sort();
    assert_eq!(miids, places);

    let twice = r#"{ "a": "first", "a": "second" }"#;
    let body = format!(r#"[{{ "ClientURI": "{}", "MOData": {{ "Any": {twice} }} }}]"#, shelf("Any"));
    let answer = omadm_conformance::Answer::body("application/dmmo+json", body);
    bench.server.route(&Method::GET, "/twice", answer);
    let uri = bench.server.uri("/twice");
    assert_eq!(bench.status(json!(["HGET", uri, shelf("Any")])).await, 415);
    assert!(bench.device.has(&shelf("Any/b")) && !bench.device.has(&shelf("Any/a")), "nothing has changed");
}
