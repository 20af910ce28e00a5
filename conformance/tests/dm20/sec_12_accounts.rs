//! What an account hides, what it has to hold, and that there is one for a server (`DM 2.0 §9.3.2, §12.2`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_client::ClientError;
use omadm_conformance::{Account, Bench, proves};
use omadm_mo::well_known::DMACC;
use serde_json::{Value, json};

const KEYS: [&str; 3] = ["ClientPubKey", "ServerPubKey", "ClientSecretKey"];

fn account(path: &str) -> String {
    format!("{DMACC}/DMS1/{path}")
}

/// Keys of a bootstrap server, each called after its node and `version`.
fn keys(version: &str) -> Value {
    let key = |name: &str| STANDARD.encode(format!("{name} {version}"));
    json!({
        "ServerURI": format!("https://bs.example/{version}"), "SecMode": STANDARD.encode([0]),
        "ClientPubKey": key(KEYS[0]), "ServerPubKey": key(KEYS[1]), "ClientSecretKey": key(KEYS[2]),
    })
}

fn with_keys(server: &str, uri: &str, keys: Value) -> Value {
    let mut item = Account::new(server, uri).bootstrap_item();
    item["MOData"][server]["Auth"]["Bootstrap"] = keys;
    item
}

fn install(bench: &mut Bench, items: &Value) -> Result<Vec<String>, ClientError> {
    let servers = bench.device.client.device_mut().install_bootstrap(items.to_string().as_bytes())?;
    Ok(servers.into_iter().map(|server| server.to_string()).collect())
}

#[tokio::test]
async fn bootstrap_keys_are_shown_to_nobody_and_changed_by_a_bootstrap_only() {
    proves!("D2-9.3.2-03");
    let mut bench = Bench::new().await;
    let uri = bench.server.dm_uri();
    let two = Account::new("DMS2", &uri).bootstrap_item();
    install(&mut bench, &json!([with_keys("DMS1", &uri, keys("old")), two])).unwrap();
    // Even a server that is given all rights on the account of another.
    bench.device.grant(DMACC, "DMS1", "/", "DMS2", 15);

    let place = |name: &str| account(&format!("Auth/Bootstrap/{name}"));
    let up = bench.server.take("/up");
    for server in ["DMS1", "DMS2"] {
        for name in KEYS {
            let secret = STANDARD.encode(format!("{name} old"));
            let guess =
                format!("{DMACC}/(x)/SrvID?nv=(x)/Auth/Bootstrap/{name}:{}", secret.replace('=', "%3D"));
            let commands = json!([
                ["GET", place(name)],
                ["HPUT", up, place(name)],
                ["DELETE", place(name)],
                ["GET", guess]
            ]);
            let statuses = bench.statuses_for(server, commands).await;
            assert_eq!(statuses, [403, 403, 405, 404], "{name} for {server}");
        }
        bench.statuses_for(server, json!([["GET", account("")], ["GET", account("Auth/Bootstrap")]])).await;
        let seen = bench.server.packages3().pop().unwrap();
        let expected = json!({ "ServerURI": "https://bs.example/old", "SecMode": STANDARD.encode([0]) });
        assert_eq!(seen.value(0)["Auth"]["Bootstrap"], expected, "{server}");
        assert_eq!(seen.value(1), expected, "{server}");
        for (path, content) in [
            ("Auth/Bootstrap", keys("new")),
            ("Auth/Bootstrap/ServerURI", json!("https://evil.example/")),
            ("Auth/Bootstrap/ClientSecretKey", json!(STANDARD.encode("known"))),
            ("Auth", json!({ "Bootstrap": keys("new") })),
        ] {
            let label = path.rsplit('/').next().unwrap();
            let data = json!([{ "ClientURI": account(path), "MOData": { label: content } }]);
            let from = bench.server.serve("/hget", &data);
            let statuses =
                bench.statuses_for(server, json!([["HGET", from, account(path)], ["HGET", from]])).await;
            assert_eq!(statuses, [403, 403], "{path} by {server}");
        }
    }
    assert_eq!(bench.device.text(&place("ServerURI")).as_deref(), Some("https://bs.example/old"));

    install(&mut bench, &json!([with_keys("DMS1", &uri, keys("new"))])).unwrap();
    assert_eq!(bench.device.text(&place("ServerURI")).as_deref(), Some("https://bs.example/new"));
    let secret = STANDARD.encode("ClientSecretKey new");
    assert_eq!(bench.device.text(&place("ClientSecretKey")), Some(secret));
    let heard: String = bench.server.requests().iter().map(|request| request.text()).collect();
    for name in KEYS {
        assert!(!heard.contains(&STANDARD.encode(format!("{name} old"))), "{name}");
    }
}

#[tokio::test]
async fn there_is_one_account_for_a_server() {
    let mut bench = Bench::new().await;
    let uri = |path: &str| bench.server.uri(path);
    let at = |miid: &str, account: &Account| {
        let mut item = account.bootstrap_item();
        item["ClientURI"] = json!(format!("{DMACC}/{miid}/"));
        item
    };
    let (own, two) = (Account::new("DMS1", &uri("/own")), Account::new("DMS2", &uri("/two")));
    // The account of DMS1 in a place of its own choice, and one of DMS2 in the place of DMS1.
    let items = json!([at("elsewhere", &own), at("DMS1", &two)]);
    assert_eq!(install(&mut bench, &items).unwrap(), ["DMS1", "DMS2"]);
    let miids = bench.device.miids(DMACC);
    assert_eq!(miids.len(), 2, "{miids:?}");
    assert_eq!(
        bench.device.text(&account("SrvID")).as_deref(),
        Some("DMS1"),
        "an account is known by its SrvID"
    );
    for (server, target) in [("DMS1", "/own"), ("DMS2", "/two")] {
        bench.device.session(server).await;
        assert_eq!(bench.server.requests().pop().unwrap().target, target);
    }
    let others = miids.into_iter().find(|miid| miid != "DMS1").unwrap();
    let places = json!([["GET", format!("{DMACC}/{others}/SrvURI")], ["GET", account("SrvURI")]]);
    assert_eq!(bench.statuses_for("DMS2", places.clone()).await, [200, 403], "each owns its own");
    assert_eq!(bench.statuses_for("DMS1", places).await, [403, 200]);
}

#[tokio::test]
async fn an_account_lacks_nothing_that_it_needs() {
    let mut bench = Bench::new().await;
    let uri = bench.server.dm_uri();
    let whole = with_keys("DMS2", &uri, keys("x"));
    let without = |path: &[&str]| {
        let mut item = whole.clone();
        let (last, way) = path.split_last().unwrap();
        let parent = way.iter().fold(&mut item["MOData"]["DMS2"], |node, name| &mut node[*name]);
        parent.as_object_mut().unwrap().remove(*last);
        item
    };
    let set = |path: &[&str], value: Value| {
        let mut item = whole.clone();
        *path.iter().fold(&mut item["MOData"]["DMS2"], |node, name| &mut node[*name]) = value;
        item
    };
    let secret = json!({ "Type": 0, "Data": "", "Secret": "" });
    let bad = [
        without(&["SrvID"]),
        without(&["SrvURI"]),
        without(&["Perm"]),
        without(&["Auth", "Trsp", "Secret"]),
        without(&["Auth", "Trsp", "Data"]),
        without(&["Auth", "Bootstrap", "ServerURI"]),
        without(&["Auth", "Bootstrap", "SecMode"]),
        without(&["Auth", "Bootstrap", "ClientPubKey"]),
        without(&["Auth", "Bootstrap", "ClientSecretKey"]),
        set(&["Auth", "Bootstrap", "SecMode"], json!(STANDARD.encode([7]))),
        set(&["Auth", "Bootstrap", "ClientSecretKey"], json!("")),
        set(&["Auth", "Noti"], secret),
        set(&["Auth", "Noti"], json!({ "Type": 0 })),
    ];
    for item in bad {
        let refused = install(&mut bench, &json!([item]));
        assert!(matches!(refused, Err(ClientError::Bootstrap(_))), "{item}: {refused:?}");
        assert_eq!(bench.device.miids(DMACC), ["DMS1"], "{item}");
    }
    // A name that is left out is empty; a hint for PSK may be.
    let mut nameless = without(&["Name"]);
    nameless["MOData"]["DMS2"]["Auth"]["Bootstrap"]["ServerPubKey"] = json!("");
    assert_eq!(install(&mut bench, &json!([nameless])).unwrap(), ["DMS2"]);
    assert_eq!(bench.device.text(&format!("{DMACC}/DMS2/Name")).as_deref(), Some(""));
    assert_eq!(bench.device.miids(DMACC), ["DMS1", "DMS2"]);
}
