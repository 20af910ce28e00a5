//! The standard management objects (`DM 2.0 §12`); access control is with `§10`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_client::{ClientError, Outcome};
use omadm_conformance::{
    Account, AgentProcess, Answer, Authority, Bench, DDF_FILES, MOID, Pair, SECRET, TestServer, USER,
    address, proves, single,
};
use omadm_mo::well_known::{DACMO, DEVINFO, DMACC, SESSION_INFO};
use serde_json::{Value, json};

fn devinfo(path: &str) -> String {
    format!("{DEVINFO}//{path}")
}

fn account(path: &str) -> String {
    format!("{DMACC}/DMS1/{path}")
}

#[tokio::test]
async fn devinfo_says_what_the_device_is() {
    proves!(
        "DM-STDOBJ-001-C-M",
        "D2-12.1-02",
        "D2-12.1-03",
        "D2-12.1-05",
        "D2-12.1-06",
        "D2-12.1-07",
        "D2-12.1-08",
        "D2-12.1-09",
        "D2-12.1-10",
        "D2-12.1-11",
        "D2-12.1-12",
        "D2-12.1-13",
        "D2-12.1-14",
        "D2-12.1-15"
    );
    let values = json!({
        "DevID": "IMEI:493005100592800", "Man": "Maker", "Mod": "Type 9", "DmV": "2.0", "Lang": "en-US", "DevType": "meter",
        "OEM": "", "FwV": "1.2.3", "SwV": "4.5", "HwV": "rev C", "Bearer": { "LTE": { "Band": "20" } },
        "Ext": { "Vendor": "of the vendor" },
    });
    let mut bench = Bench::with(|setup| {
        setup.devinfo = values.clone();
        setup.client.always_send_mos = true;
    })
    .await;
    let whole = bench.run(json!([["GET", devinfo("")]])).await.value(0);
    assert_eq!(whole, values);
    assert_eq!(bench.server.package1(0).miids(DEVINFO).as_deref(), Some(&["DevInfo"][..]));
    let unknown = DEVINFO.replace("1.2", "9.9");
    assert_eq!(bench.status(json!(["GET", format!("{unknown}//")])).await, 404);
    for rights in [1, 15] {
        bench.device.grant(DEVINFO, "DevInfo", "/", "DMS1", rights);
        for (name, value) in values.as_object().unwrap() {
            let place = devinfo(name);
            let answer = bench.run(json!([["GET", place], ["DELETE", place]])).await;
            let read = if name == "OEM" { 204 } else { 200 };
            assert_eq!(answer.statuses(), [read, 405], "{name} with AR {rights}");
            if read == 200 {
                assert_eq!(&answer.value(0), value, "{name}");
            }
            let other = if value.is_object() { json!({ "other": "x" }) } else { json!("other") };
            assert_eq!(bench.hget(&place, other).await, 403, "{name} with AR {rights}");
        }
        for (place, other) in [
            ("", json!({})),
            ("", json!({ "Man": "other" })),
            ("Bearer", json!({})),
            ("Bearer/LTE", json!({})),
            ("Bearer/LTE/Band", json!("7")),
            ("Bearer/LTE/New", json!("x")),
            ("Ext", json!({})),
            ("Ext/Vendor", json!("other")),
            ("Ext/New", json!("x")),
        ] {
            assert_eq!(bench.hget(&devinfo(place), other).await, 403, "{place} with AR {rights}");
        }
        for place in ["", "Bearer/LTE", "Bearer/LTE/Band", "Ext/Vendor", "Ext/*"] {
            assert_eq!(bench.status(json!(["DELETE", devinfo(place)])).await, 405, "{place}");
        }
    }
    let extended =
        bench.run(json!([["GET", devinfo("Ext/Vendor")], ["GET", devinfo("Bearer/LTE/Band")]])).await;
    assert_eq!((extended.value(0), extended.value(1)), (json!("of the vendor"), json!("20")));
    assert_eq!(bench.run(json!([["GET", devinfo("")]])).await.value(0), values);
}

#[tokio::test]
async fn the_device_identity_is_a_uri_of_a_known_form() {
    proves!("D2-12.1-04");
    let authority = Authority::new();
    for good in [
        "IMEI:493005100592800",
        "ESN:12345678",
        "MEID:12345678901234",
        "UUID:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    ] {
        let agent = AgentProcess::new(&authority.ca_file(), good, "").await;
        let tree = agent.run(&["tree", &devinfo("DevID"), "--output", "json"]).await.stdout;
        assert!(String::from_utf8_lossy(&tree).contains(good), "{good}");
        let mut bench = Bench::with(|setup| setup.devinfo["DevID"] = json!(good)).await;
        assert_eq!(bench.run(json!([["GET", devinfo("DevID")]])).await.value(0), good);
        assert_eq!(bench.server.package1(0).request.header("omadm-devid"), Some(good));
    }
    for (bad, reason) in [
        ("IMEI:12", "15 digits"),
        ("ESN:1", "8 digits"),
        ("MEID:123", "14 digits"),
        ("UUID:123", "8-4-4-4-12"),
        ("no uri", "no URI"),
    ] {
        let agent = AgentProcess::new(&authority.ca_file(), bad, "").await;
        for start in ["run", "session"] {
            let said = agent.refusal(&[start]).await;
            assert!(said.contains(reason), "{bad}: {said}");
        }
    }
}

#[tokio::test]
async fn an_account_comes_with_the_bootstrap() {
    proves!("DM-STDOBJ-002-C-M", "D2-12.2-02", "D2-12.2-04");
    let mut bench = Bench::with(|setup| setup.accounts[0].uri.push_str("/further?a=b")).await;
    let uri = format!("{}/further?a=b", bench.server.dm_uri());
    let answer =
        bench.run(json!([["GET", account("SrvID")], ["GET", account("SrvURI")], ["GET", account("Name")]]));
    let answer = answer.await;
    let values = [answer.value(0), answer.value(1), answer.value(2)];
    assert_eq!(values, [json!("DMS1"), json!(uri), json!("server DMS1")]);
    assert!(bench.server.package_requests().iter().all(|request| request.target == "/dm/2.0/further?a=b"));
    for leaf in ["SrvID", "SrvURI", "Name"] {
        assert_eq!(bench.hget(&account(leaf), json!("other")).await, 403, "{leaf}");
    }
    let two = Account::new("DMS2", "https://localhost:1/").bootstrap_item();
    let twice = bench.device.client.device_mut().install_bootstrap(json!([two, two]).to_string().as_bytes());
    assert_eq!(twice.unwrap().len(), 1);
    assert_eq!(bench.device.miids(DMACC), ["DMS1", "DMS2"], "one instance a server");
    let before = bench.device.client.device().status();
    for bad in ["", "no URI", "/dm", "https://", "http:"] {
        let bad = json!([Account::new("DMS3", bad).bootstrap_item()]).to_string();
        let refused = bench.device.client.device_mut().install_bootstrap(bad.as_bytes());
        assert!(matches!(refused, Err(ClientError::Bootstrap(_))), "{bad}: {refused:?}");
        assert_eq!(bench.device.client.device().status(), before);
    }
}

#[tokio::test]
async fn the_operator_reads_the_account() {
    proves!("D2-12.2-01");
    let mut pair = Pair::new().await;
    pair.session().await;
    assert_eq!(pair.get(&format!("{DMACC}/omadm/SrvID")).await, (200, json!("omadm")));
    let uri = pair.device.text(&format!("{DMACC}/omadm/SrvURI")).unwrap();
    assert_eq!(pair.get(&format!("{DMACC}/omadm/SrvURI")).await, (200, json!(uri)));
}

#[tokio::test]
async fn the_moids_of_the_bootstrap_decide_and_are_never_shown() {
    proves!("D2-12.2-06", "D2-12.2-08", "D2-12.2-09", "D2-12.2-10");
    let mut bench = Bench::with(|setup| {
        setup.client.always_send_mos = true;
        setup.accounts[0].moids = vec![MOID.to_owned(), DMACC.to_owned()];
    })
    .await;
    let answer =
        bench.run(json!([["GET", address("Text")], ["GET", single("Name")], ["GET", account("")]])).await;
    assert_eq!(answer.statuses(), [200, 403, 200]);
    assert_eq!(answer.value(2).get("Perm"), None);
    let package = bench.server.package1(0);
    assert_eq!(package.miids(MOID).map(|miids| miids.len()), Some(2));
    assert_eq!(package.miids(omadm_conformance::SINGLE_MOID), None);
    for below in ["Perm", "Perm/0", "Perm/0/MOID", "Perm/*"] {
        assert_eq!(bench.status(json!(["GET", account(below)])).await, 404, "{below}");
    }
    assert!(bench.device.has(&account("Perm/0/MOID")));
    assert_eq!(bench.hget(&account("Perm"), json!({ "0": { "MOID": "*" } })).await, 404);

    let everything = json!([Account::new("DMS1", &bench.server.dm_uri()).bootstrap_item()]).to_string();
    bench.device.client.device_mut().install_bootstrap(everything.as_bytes()).unwrap();
    assert_eq!(bench.status(json!(["GET", single("Name")])).await, 200);
    let count =
        bench.server.package_requests().iter().filter(|request| request.text().contains("\"MOS\"")).count();
    let package = bench.server.package1(count - 1);
    let described = DDF_FILES.map(|(_, text)| text).concat();
    for moid in [DEVINFO, DMACC, DACMO, SESSION_INFO, MOID, omadm_conformance::PLAIN_MOID] {
        assert!(described.contains(moid) && package.miids(moid).is_some(), "{moid}");
    }

    let mut none = Account::new("DMS2", "https://localhost:1/");
    none.moids.clear();
    let mut nameless = none.bootstrap_item();
    nameless["MOData"]["DMS2"]["Perm"] = json!({ "1": {} });
    for bad in [none.bootstrap_item(), nameless] {
        let refused = bench.device.client.device_mut().install_bootstrap(json!([bad]).to_string().as_bytes());
        assert!(matches!(refused, Err(ClientError::Bootstrap(_))), "{bad}: {refused:?}");
    }
    assert_eq!(bench.device.miids(DMACC), ["DMS1"]);
}

#[tokio::test]
async fn the_transport_uses_the_credentials_of_the_account() {
    proves!("D2-12.2-11", "D2-12.2-25", "D2-12.2-27", "D2-12.2-28");
    let mut bench = Bench::new().await;
    let basic = |user: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")));
    let answer = bench
        .run(json!([
            ["GET", account("Auth/Trsp/Data")],
            ["GET", account("Auth/Trsp/Secret")],
            ["GET", account("Auth")],
            ["HPUT", bench.server.take("/up"), account("Auth/Trsp/Secret")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [200, 403, 200, 403]);
    assert_eq!(
        answer.value(2),
        json!({ "Trsp": { "Data": STANDARD.encode(USER) } }),
        "the secret is left out"
    );
    let everything = bench.server.requests().iter().map(|request| request.text()).collect::<String>();
    assert!(!everything.contains(SECRET) && !everything.contains(&STANDARD.encode(SECRET)));

    let mut other = Account::new("DMS1", &bench.server.dm_uri());
    other.credentials = ("other user".to_owned(), "other secret".to_owned());
    let mut without = other.bootstrap_item();
    without["MOData"]["DMS1"]["Auth"] = json!({});
    for (item, authorization) in [
        (other.bootstrap_item(), Some(basic("other user", "other secret"))),
        (without, None),
        (Account::new("DMS1", &bench.server.dm_uri()).bootstrap_item(), Some(basic(USER, SECRET))),
    ] {
        bench.device.client.device_mut().install_bootstrap(json!([item]).to_string().as_bytes()).unwrap();
        bench.session().await;
        let sent = bench.server.requests().pop().unwrap();
        assert_eq!(sent.header("authorization"), authorization.as_deref());
    }
    let before = bench.server.requests().len();
    for _ in 0..3 {
        bench.server.say(Answer::status(401).with("www-authenticate", "Basic realm=\"dm\""));
    }
    let report = bench.session().await;
    assert!(matches!(report.outcome, Outcome::Aborted { http_status: Some(401), .. }), "{report:?}");
    for request in &bench.server.requests()[before..] {
        assert_eq!(
            request.header("authorization"),
            Some(basic(USER, SECRET).as_str()),
            "no others are tried"
        );
    }
}

#[tokio::test]
async fn accounts_may_have_vendor_nodes() {
    proves!("D2-12.2-34");
    let mut bench = Bench::new().await;
    let mut item = Account::new("DMS1", &bench.server.dm_uri()).bootstrap_item();
    let inside = &mut item["MOData"]["DMS1"];
    inside["Ext"] = json!({ "Vendor": { "Number": 5 } });
    inside["Push"] = json!({
        "Ext": { "Other": "push" },
        "GCM": { "SenderID": "s", "RegURI": "https://localhost/r", "UnRegURI": "https://localhost/u", "RegParams": "",
            "Ext": { "More": true } },
    });
    bench.device.client.device_mut().install_bootstrap(json!([item]).to_string().as_bytes()).unwrap();
    for (path, value) in [
        ("Ext/Vendor/Number", json!(5)),
        ("Push/Ext/Other", json!("push")),
        ("Push/GCM/Ext/More", json!(true)),
    ] {
        assert_eq!(bench.run(json!([["GET", account(path)]])).await.value(0), value, "{path}");
    }
}

#[tokio::test]
async fn session_information_is_read_only() {
    proves!("DM-STDOBJ-004-C-M", "D2-12.4-01", "D2-12.4-02");
    let mut bench = Bench::with(|setup| setup.client.always_send_mos = true).await;
    let place = |path: &str| format!("{SESSION_INFO}//{path}");
    let whole = bench.run(json!([["GET", place("")]])).await.value(0);
    assert_eq!(whole, json!({ "CBT": 1, "ROAMING": 2 }));
    assert_eq!(bench.server.package1(0).miids(SESSION_INFO).map(|miids| miids.len()), Some(1));
    for rights in [1, 15] {
        bench.device.grant(SESSION_INFO, "SessionInfo", "/", "DMS1", rights);
        for (path, content) in
            [("", json!({ "CBT": 3, "ROAMING": 0 })), ("CBT", json!(3)), ("ROAMING", json!(0))]
        {
            assert_eq!(bench.hget(&place(path), content).await, 403, "{path} with AR {rights}");
            assert_eq!(bench.status(json!(["DELETE", place(path)])).await, 405, "{path} with AR {rights}");
        }
    }
    assert_eq!(bench.run(json!([["GET", place("")]])).await.value(0), whole);

    let mut pair = Pair::new().await;
    pair.session().await;
    let node = |name: &str| format!("{SESSION_INFO}/SessionInfo/{name}");
    assert_eq!(pair.get(&node("CBT")).await, (200, json!(1)), "a number, not text");
    assert_eq!(pair.get(&node("ROAMING")).await, (200, json!(2)));
    assert_eq!(pair.server.known_value(&pair.name, &node("CBT")).await, Some(json!(1)));
}

#[tokio::test]
async fn a_bearer_that_is_not_covered_is_0() {
    proves!("D2-12.4-04");
    let server = TestServer::start().await;
    let agent = AgentProcess::bootstrapped(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c0412").await;
    let id = server
        .queue_for(&agent.device_id, &json!({ "verb": "get", "address": format!("{SESSION_INFO}//") }))
        .await;
    agent.session().await;
    let command = server.command(&id).await;
    let value = |name: &str| -> Value {
        let items = command["result"]["items"].as_array().unwrap();
        items.iter().find(|item| item["address"].as_str().unwrap().ends_with(name)).unwrap()["value"].clone()
    };
    assert_eq!((value("/CBT"), value("/ROAMING")), (json!(0), json!(2)), "over loopback");
}

#[tokio::test]
async fn session_information_is_that_of_the_session_in_which_it_is_read() {
    proves!("D2-12.4-03", "D2-12.4-05", "D2-12.4-07");
    let server = TestServer::start().await;
    let agent = AgentProcess::bootstrapped(&server, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c0413").await;
    let directory = tempfile::tempdir().unwrap();
    let modem = directory.path().join("roaming");
    let address = |path: &str| format!("{SESSION_INFO}//{path}");
    for (kind, told, expected) in [
        ("wireline", "1", (3, 2)),
        ("wireless", "1", (2, 2)),
        ("mobile", "0", (1, 0)),
        ("mobile", "1", (1, 1)),
        ("mobile", "", (1, 2)),
        ("other", "1", (0, 2)),
    ] {
        std::fs::write(&modem, told).unwrap();
        let interface = format!("interfaces = [{{ name = \"lo\", kind = {kind:?} }}]");
        agent.configure(&format!("[network]\n{interface}\nroaming_file = {modem:?}"));
        let mut ids = Vec::new();
        for (verb, path) in [("get", "CBT"), ("get", "ROAMING"), ("delete", "CBT"), ("delete", "")] {
            let command = json!({ "verb": verb, "address": address(path) });
            ids.push(server.queue_for(&agent.device_id, &command).await);
        }
        agent.session().await;
        let (bearer, roaming) = (server.command(&ids[0]).await, server.command(&ids[1]).await);
        let value = |command: &Value| command["result"]["items"][0]["value"].clone();
        assert_eq!(
            (value(&bearer), value(&roaming)),
            (json!(expected.0), json!(expected.1)),
            "{kind} {told:?}"
        );
        for id in &ids[2..] {
            assert_eq!(server.command(id).await["status"], 405);
        }
    }
}
