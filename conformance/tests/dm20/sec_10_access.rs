//! Access control (`DM 2.0 §10, §12.3, §13.2`).

use omadm_client::ClientError;
use omadm_conformance::{Account, Bench, MOID, PLAIN_MOID, Pair, SINGLE_MOID, address, dmmo, proves, single};
use omadm_mo::ServerId;
use omadm_mo::well_known::{DACMO, DEVINFO, DMACC};
use serde_json::{Value, json};

/// The node with the entries of instance `alpha`, or one below it.
fn entries_of_alpha(path: &str) -> String {
    format!("{DACMO}//{MOID}/alpha{path}")
}

/// Installs the bootstrap of a further server, without any rights.
fn bootstrap(bench: &mut Bench, server: &str, moids: &[&str]) {
    let account = Account::new(server, &bench.server.dm_uri()).for_moids(moids);
    let body = json!([account.bootstrap_item()]).to_string();
    bench.device.client.device_mut().install_bootstrap(body.as_bytes()).unwrap();
}

async fn status_for(bench: &mut Bench, server: &str, command: Value) -> u64 {
    bench.statuses_for(server, json!([command])).await.remove(0)
}

/// What the Delegation Access Control MO holds at a place, read by DMS1.
async fn read(bench: &mut Bench, place: &str) -> Value {
    bench.run(json!([["GET", place]])).await.value(0)
}

/// One group of entries: its Path and who has which AR.
type Group<'a> = (Option<&'a str>, Vec<(&'a str, i64)>);

fn group(node: &Value) -> Group<'_> {
    let permissions = node["Permissions"].as_object().unwrap().values();
    let mut pairs: Vec<_> =
        permissions.map(|entry| (entry["MAID"].as_str().unwrap(), entry["AR"].as_i64().unwrap())).collect();
    pairs.sort_unstable();
    (node.get("Path").and_then(Value::as_str), pairs)
}

/// All groups of an instance.
fn groups(instance: &Value) -> Vec<Group<'_>> {
    instance.as_object().unwrap().values().map(group).collect()
}

#[tokio::test]
async fn a_server_needs_both_the_moid_and_a_right() {
    proves!("DM-MEC-001-C-O", "D2-10-01", "D2-10-02", "D2-10-08");
    let mut bench = Bench::new().await;
    bootstrap(&mut bench, "DMS2", &[MOID]);
    let (known, other) = (json!(["GET", address("Text")]), json!(["GET", single("Name")]));
    assert_eq!(status_for(&mut bench, "DMS2", known.clone()).await, 403, "the MOID alone is not enough");
    bench.device.grant(MOID, "alpha", "/", "DMS2", 1);
    assert_eq!(status_for(&mut bench, "DMS2", known).await, 200);
    bench.device.grant(SINGLE_MOID, "only", "/", "*", 15);
    for command in [
        other,
        json!(["EXEC", single("Name")]),
        json!(["DELETE", single("Note")]),
        json!(["HPUT", bench.server.take("/up"), single("Name")]),
        json!([
            "HGET",
            bench.server.serve("/note", &dmmo(&single("Note"), "Note", json!("x"))),
            single("Note")
        ]),
    ] {
        assert_eq!(status_for(&mut bench, "DMS2", command.clone()).await, 403, "{command}");
    }
    assert_eq!(bench.device.text(&single("Note")).as_deref(), Some("a note"));
    assert_eq!(bench.status(json!(["DELETE", single("Note")])).await, 200, "DMS1 did provision it");
}

#[tokio::test]
async fn who_creates_an_instance_has_all_rights_and_nobody_else() {
    proves!("D2-10-03");
    let mut bench = Bench::new().await;
    bootstrap(&mut bench, "DMS2", &["*"]);
    let data = json!([{ "ClientURI": format!("{PLAIN_MOID}//"), "MOData": { "made": { "Name": "x" } } }]);
    let uri = bench.server.serve("/new", &data);
    assert_eq!(bench.statuses_for("DMS2", json!([["HGET", uri]])).await, [200]);
    let made = format!("{PLAIN_MOID}/made/");
    for (server, status) in [("DMS1", 403), ("DMS2", 200)] {
        assert_eq!(status_for(&mut bench, server, json!(["GET", made])).await, status, "{server}");
    }
    let entries = json!([["GET", format!("{DACMO}//{PLAIN_MOID}/made")]]);
    assert_eq!(bench.statuses_for("DMS2", entries).await, [200]);
    let entries = bench.server.packages3().pop().unwrap().value(0);
    assert_eq!(groups(&entries), [(None, vec![("serverid:DMS2", 15)])]);
    assert_eq!(status_for(&mut bench, "DMS2", json!(["DELETE", made])).await, 200);
}

#[tokio::test]
async fn each_right_covers_its_commands_and_no_others() {
    proves!("D2-10-04", "D2-12.3-12", "D2-12.3-13", "D2-12.3-14", "D2-12.3-15");
    let mut bench = Bench::new().await;
    let up = bench.server.take("/up");
    let down = bench.server.serve("/down", &dmmo(&address("Maybe"), "Maybe", json!("x")));
    let commands = json!([
        ["GET", address("Text")],
        ["GET", address("")],
        ["GET", address("List/one/Data/1/Date")],
        ["HPUT", up, address("Text")],
        ["HPOST", up, address("Text")],
        ["DELETE", address("Maybe")],
        ["HGET", down, address("Maybe")],
        ["EXEC", address("Run")],
    ]);
    for rights in 0..16 {
        bench.device.grant(MOID, "alpha", "/", "DMS1", rights);
        let allowed = |right: i64| if rights & right == 0 { 403 } else { 200 };
        let (read, write, execute) = (allowed(1), allowed(2), allowed(4));
        let statuses = bench.run(commands.clone()).await.statuses();
        assert_eq!(statuses, [read, read, read, read, read, write, write, execute], "AR {rights}");
        if rights > 0 {
            let entry = entries_of_alpha("/1/Permissions/more");
            let delegated = bench.hget(&entry, json!({ "MAID": "appid:some", "AR": 0 })).await;
            assert_eq!(delegated, allowed(8), "AR {rights}");
        }
    }
    let before = read(&mut bench, &entries_of_alpha("")).await;
    for bad in [json!(16), json!(-1), json!("all"), json!(1.5)] {
        let entry = json!({ "MAID": "serverid:DMS1", "AR": bad });
        assert_eq!(bench.hget(&entries_of_alpha("/1/Permissions/1"), entry).await, 415, "{bad}");
    }
    assert_eq!(read(&mut bench, &entries_of_alpha("")).await, before);
}

#[tokio::test]
async fn rights_on_a_part_take_the_place_of_those_of_the_whole() {
    proves!("D2-10-05", "D2-12.3-06", "D2-12.3-07", "D2-12.3-08", "D2-13.2-01");
    let mut bench = Bench::new().await;
    bench.device.grant(MOID, "alpha", "/", "DMS1", 1 + 8);
    bench.device.grant(MOID, "alpha", "/List/one", "DMS1", 2 + 8);
    bench.device.grant(MOID, "alpha", "/List/one/Data/1", "DMS1", 1 + 8);
    for (path, status) in [
        ("Text", 200),
        ("List/two", 200),
        ("List/one/ID", 403),
        ("List/one/Data/2/Date", 403),
        ("List/one/Data/1/Date", 200),
        ("List", 403),
    ] {
        assert_eq!(bench.status(json!(["GET", address(path)])).await, status, "{path}");
    }
    for (path, status) in [("List/two", 403), ("List/one/Data/1", 403), ("List/one/Data/2", 200)] {
        assert_eq!(bench.status(json!(["DELETE", address(path)])).await, status, "{path}");
    }
    let entries = read(&mut bench, &entries_of_alpha("")).await;
    let mut found = groups(&entries);
    found.sort();
    let of = |rights| vec![("serverid:DMS1", rights)];
    let (one, data) = (Some("/List/one"), Some("/List/one/Data/1"));
    assert_eq!(found, [(None, of(9)), (one, of(10)), (data, of(9))], "no Path is the whole instance");

    let whole = |path: Value| {
        let mut group = json!({ "Permissions": { "1": { "MAID": "serverid:DMS1", "AR": 15 } } });
        if !path.is_null() {
            group["Path"] = path;
        }
        group
    };
    for bad in [json!("List"), json!(""), json!("//"), json!("/a//b"), json!(7)] {
        assert_eq!(bench.hget(&entries_of_alpha("/new"), whole(bad.clone())).await, 415, "{bad}");
    }
    assert_eq!(read(&mut bench, &entries_of_alpha("")).await, entries, "nothing has changed");
    assert_eq!(bench.hget(&entries_of_alpha("/new"), whole(json!("/List/two"))).await, 200);
    assert_eq!(bench.status(json!(["DELETE", address("List/two")])).await, 200, "by the new Path");
    bench.device.grant(MOID, "beta", "/", "DMS1", 8);
    let beta = format!("{DACMO}//{MOID}/beta/1");
    assert_eq!(bench.hget(&beta, whole(Value::Null)).await, 200);
    assert_eq!(
        bench.status(json!(["DELETE", format!("{MOID}/beta/List/two")])).await,
        200,
        "without Path: all"
    );
}

#[tokio::test]
async fn the_access_entries_are_an_object_of_their_own() {
    proves!(
        "D2-10-06",
        "D2-12.3-02",
        "D2-12.3-03",
        "D2-12.3-04",
        "D2-12.3-05",
        "D2-12.3-09",
        "DM-STDOBJ-003-C-O"
    );
    let mut bench = Bench::with(|setup| setup.client.always_send_mos = true).await;
    bootstrap(&mut bench, "DMS2", &["*"]);
    bench.device.grant(MOID, "alpha", "/", "DMS2", 5);
    bench.device.grant(MOID, "alpha", "/", "appid:local", 4);
    let all = read(&mut bench, &format!("{DACMO}//")).await;
    assert_eq!(bench.server.package1(0).miids(DACMO).map(|miids| miids.len()), Some(1));
    let moids: Vec<&String> = all.as_object().unwrap().keys().collect();
    for moid in [MOID, SINGLE_MOID, DEVINFO, DMACC] {
        assert!(moids.iter().any(|known| *known == moid), "{moid} in {moids:?}");
    }
    assert!(!moids.iter().any(|known| *known == PLAIN_MOID), "no instance, no node");
    let mut miids: Vec<&String> = all[MOID].as_object().unwrap().keys().collect();
    miids.sort();
    assert_eq!(miids, ["alpha", "beta"]);
    let found = groups(&all[MOID]["alpha"]);
    assert_eq!(found, [(None, vec![("appid:local", 4), ("serverid:DMS1", 15), ("serverid:DMS2", 5)])]);
    assert_eq!(groups(&all[MOID]["beta"]), [(None, vec![("serverid:DMS1", 15)])]);

    for rights in [1, 7] {
        bench.device.grant(MOID, "alpha", "/", "DMS1", rights);
        let entry = bench.hget(&entries_of_alpha("/1/Permissions/1/AR"), json!(15)).await;
        assert_eq!(entry, 403, "without the right to delegate it can be read only");
    }
    assert_eq!(bench.hget(&format!("{DACMO}//"), json!({})).await, 403);
}

#[tokio::test]
async fn authorities_are_servers_applications_or_everyone() {
    proves!("D2-12.3-10", "D2-12.3-11");
    let mut bench = Bench::new().await;
    for server in ["DMS2", "DMS3"] {
        bootstrap(&mut bench, server, &[MOID]);
    }
    let get = json!(["GET", address("Text")]);
    for (maid, sent, readable) in [
        ("serverid:DMS2", "serverid:DMS2", [200, 403]),
        ("DMS3", "serverid:DMS3", [200, 200]),
        ("appid:some", "appid:some", [200, 200]),
    ] {
        let entry = entries_of_alpha(&format!("/1/Permissions/{}", maid.replace(':', "-")));
        assert_eq!(bench.hget(&entry, json!({ "MAID": maid, "AR": 1 })).await, 200, "{maid}");
        assert_eq!(read(&mut bench, &entry).await["MAID"], sent);
        for (server, status) in ["DMS2", "DMS3"].into_iter().zip(readable) {
            assert_eq!(status_for(&mut bench, server, get.clone()).await, status, "{server} after {maid}");
        }
    }
    for bad in ["", "serverid:", "appid:"] {
        let entry = json!({ "MAID": bad, "AR": 1 });
        assert_eq!(bench.hget(&entries_of_alpha("/1/Permissions/bad"), entry).await, 415, "{bad:?}");
    }
    let beta = json!(["GET", format!("{MOID}/beta/Text")]);
    assert_eq!(status_for(&mut bench, "DMS2", beta.clone()).await, 403);
    let everyone = json!({ "MAID": "*", "AR": 1 });
    assert_eq!(bench.hget(&format!("{DACMO}//{MOID}/beta/1/Permissions/all"), everyone).await, 200);
    for server in ["DMS1", "DMS2", "DMS3"] {
        assert_eq!(status_for(&mut bench, server, beta.clone()).await, 200, "{server}");
    }
}

#[tokio::test]
async fn rights_are_delegated_to_those_who_provisioned_the_moid() {
    proves!("D2-12.3-16", "D2-12.3-17");
    let mut bench = Bench::new().await;
    bootstrap(&mut bench, "DMS2", &[MOID]);
    bootstrap(&mut bench, "DMS3", &[SINGLE_MOID]);
    bench.device.grant(MOID, "alpha", "/List/one", "DMS1", 7);
    let before = read(&mut bench, &entries_of_alpha("")).await;
    let to = |server: &str| json!({ "MAID": format!("serverid:{server}"), "AR": 3 });
    let entry = entries_of_alpha("/1/Permissions/new");
    for stranger in ["DMS3", "DMS9"] {
        assert_eq!(bench.hget(&entry, to(stranger)).await, 403, "{stranger} did not provision the MOID");
    }
    let below = before.as_object().unwrap().iter().find(|(_, node)| node["Path"] == "/List/one").unwrap().0;
    let below = entries_of_alpha(&format!("/{below}/Permissions/new"));
    assert_eq!(bench.hget(&below, to("DMS2")).await, 403, "there the right to delegate is taken away");
    assert_eq!(read(&mut bench, &entries_of_alpha("")).await, before);
    let (text, one) = (json!(["GET", address("Text")]), json!(["GET", address("List/one/ID")]));
    assert_eq!(status_for(&mut bench, "DMS2", text.clone()).await, 403);
    assert_eq!(bench.hget(&entry, to("DMS2")).await, 200);
    assert_ne!(read(&mut bench, &entries_of_alpha("")).await, before);
    assert_eq!(status_for(&mut bench, "DMS2", text.clone()).await, 200);
    assert_eq!(status_for(&mut bench, "DMS2", one).await, 403, "unless overwritten at a descendant");
    bench.device.grant(MOID, "alpha", "/", "DMS1", 7);
    assert_eq!(
        bench.hget(&entry, json!({ "MAID": "serverid:DMS2", "AR": 0 })).await,
        403,
        "not without Delegate"
    );
    assert_eq!(status_for(&mut bench, "DMS2", text).await, 200);
}

#[tokio::test]
async fn a_server_makes_an_instance_for_another_and_hands_it_over() {
    let mut bench = Bench::new().await;
    for (server, moids) in [("DMS2", &[PLAIN_MOID][..]), ("DMS3", &[MOID])] {
        bootstrap(&mut bench, server, moids);
    }
    let item = |place: &str, label: &str, content: Value| json!([{ "ClientURI": place, "MOData": { label: content } }]);
    let (made, entries) = (format!("{PLAIN_MOID}/made/"), format!("{DACMO}//{PLAIN_MOID}/made/1"));
    let group = |pairs: &[(&str, i64)]| {
        let all = pairs
            .iter()
            .map(|(server, rights)| json!({ "MAID": format!("serverid:{server}"), "AR": rights }));
        let numbered: serde_json::Map<_, _> = (1..).map(|at: u32| at.to_string()).zip(all).collect();
        json!({ "Permissions": numbered })
    };
    // All in one package: the instance, and that another may use it.
    let new = bench.server.serve("/new", &item(&format!("{PLAIN_MOID}//"), "made", json!({ "Name": "x" })));
    let offers =
        |path: &str, pairs: &[(&str, i64)]| bench.server.serve(path, &item(&entries, "1", group(pairs)));
    let shared = offers("/shared", &[("DMS1", 15), ("DMS2", 3)]);
    let stranger = offers("/stranger", &[("DMS1", 15), ("DMS2", 3), ("DMS3", 1)]);
    let gift = offers("/gift", &[("DMS2", 15)]);
    let commands = json!([["HGET", new], ["HGET", shared, entries], ["HGET", stranger, entries]]);
    assert_eq!(bench.run(commands).await.statuses(), [200, 200, 403], "DMS3 did not ask for the MOID");

    let other = bench.server.serve("/other", &item(&made, "made", json!({ "Name": "by DMS2" })));
    assert_eq!(bench.statuses_for("DMS2", json!([["GET", made], ["HGET", other, made]])).await, [200, 200]);
    assert_eq!(bench.device.text(&format!("{made}Name")).as_deref(), Some("by DMS2"));
    assert_eq!(status_for(&mut bench, "DMS2", json!(["HGET", gift, entries])).await, 403, "without Delegate");
    assert_eq!(status_for(&mut bench, "DMS3", json!(["GET", made])).await, 403);

    let handed = bench.run(json!([
        ["HGET", gift, entries],
        ["GET", made],
        ["HGET", shared, entries],
        ["GET", entries]
    ]));
    assert_eq!(handed.await.statuses(), [200, 403, 404, 404], "it is no longer there for who gave it away");
    assert_eq!(status_for(&mut bench, "DMS2", json!(["DELETE", made])).await, 200);
    // Rights go with the instance: one that comes in its place is its creator's alone.
    assert_eq!(bench.run(json!([["HGET", new], ["GET", made]])).await.statuses(), [200, 200]);
    assert_eq!(status_for(&mut bench, "DMS2", json!(["GET", made])).await, 403);
}

#[tokio::test]
async fn the_printed_example_comes_out_of_three_bootstraps() {
    proves!("D2-12.3.1-01");
    let mut bench = Bench::with(|setup| setup.accounts.clear()).await;
    for server in ["DMS1", "DMS2", "DMS3"] {
        bootstrap(&mut bench, server, &["*"]);
    }
    bench.device.grant(DEVINFO, "DevInfo", "/", "*", 1);
    bench.device.grant(DEVINFO, "DevInfo", "/", "DMS1", 15);
    for server in ["DMS1", "DMS2", "DMS3"] {
        assert_eq!(bench.statuses_for(server, json!([["GET", format!("{DACMO}//")]])).await, [200]);
        let seen = bench.server.packages3().pop().unwrap().value(0);
        let own = format!("serverid:{server}");
        let expected: Vec<Group<'_>> = vec![(None, vec![(&own, 15)])];
        assert_eq!(groups(&seen[DMACC][server]), expected);
        assert_eq!(seen[DMACC].as_object().unwrap().len(), 1, "{server} sees its own account");
        assert_eq!(groups(&seen[DEVINFO]["DevInfo"]), [(None, vec![("*", 1), ("serverid:DMS1", 15)])]);
        for other in ["DMS1", "DMS2", "DMS3"] {
            let status = status_for(&mut bench, server, json!(["GET", format!("{DMACC}/{other}/")])).await;
            assert_eq!(
                status,
                if other == server { 200 } else { 403 },
                "{server} reads the account of {other}"
            );
        }
        assert_eq!(status_for(&mut bench, server, json!(["GET", format!("{DEVINFO}//Man")])).await, 200);
    }
}

#[tokio::test]
async fn without_the_mechanism_every_bootstrapped_server_may_do_everything() {
    proves!("D2-10-09");
    let mut bench = Bench::with(|setup| {
        setup.access_control = false;
        setup.accounts[0].moids = vec![MOID.to_owned()];
    })
    .await;
    bootstrap(&mut bench, "DMS2", &[DEVINFO]);
    let commands = json!([
        ["GET", address("Text")],
        ["GET", single("Name")],
        ["DELETE", address("Maybe")],
        ["EXEC", address("Run")],
        ["GET", format!("{DACMO}//")],
    ]);
    assert_eq!(bench.statuses_for("DMS1", commands.clone()).await, [200, 200, 200, 200, 404]);
    assert_eq!(bench.statuses_for("DMS2", commands).await, [200, 200, 404, 200, 404]);
    let stranger = ServerId::parse("DMS9").unwrap();
    let refused = bench.device.client.run_session(&stranger, omadm_client::Trigger::Client).await;
    assert!(matches!(refused, Err(ClientError::NoAccount { .. })), "{refused:?}");
}

#[tokio::test]
async fn the_operator_reads_and_changes_rights() {
    proves!("DM-MEC-001-S-M", "D2-10-07", "D2-12.3-01");
    let mut pair = Pair::new().await;
    let account = Account::new("DMS2", "https://localhost:1/").for_moids(&[MOID]).bootstrap_item();
    let body = json!([account]).to_string();
    pair.device.client.device_mut().install_bootstrap(body.as_bytes()).unwrap();
    pair.session().await;
    let node = |path: &str| format!("{DACMO}/DacMO/{MOID}/alpha/1/Permissions/{path}");
    assert_eq!(pair.get(&node("1/AR")).await, (200, json!(15)));
    assert_eq!(pair.get(&node("1/MAID")).await, (200, json!("serverid:omadm")));
    let new = json!({ "MAID": "serverid:DMS2", "AR": 1 });
    assert_eq!(pair.set_data(&node("new"), new).await, 200);
    assert_eq!(pair.get(&node("new/AR")).await, (200, json!(1)));
    assert_eq!(pair.set(&node("new/AR"), json!(3)).await, 200);
    assert_eq!(pair.server.known_value(&pair.name, &node("new/AR")).await, Some(json!(3)));
    assert_eq!(pair.device.text(&node("new/AR")).as_deref(), Some("3"));

    pair.device.grant(MOID, "alpha", "/", "omadm", 7);
    let refused = pair.run(&json!({ "verb": "set", "address": node("new/AR"), "value": 15 })).await;
    assert_eq!((&refused["status"], &refused["state"]), (&json!(403), &json!("failed")));
    assert!(refused["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{refused}");
    assert_eq!(pair.device.text(&node("new/AR")).as_deref(), Some("3"));
}
