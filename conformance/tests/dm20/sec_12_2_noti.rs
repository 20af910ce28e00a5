//! What an account says about notifications: their credentials, and cloud messaging (`DM 2.0 §12.2`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_client::notification::{Ignored, NotificationConfig, Notifications, Wake};
use omadm_conformance::{Account, Bench, proves, signed_package0};
use omadm_mo::ServerId;
use omadm_mo::well_known::DMACC;
use serde_json::{Value, json};

fn account(path: &str) -> String {
    format!("{DMACC}/DMS1/{path}")
}

fn noti(kind: i64) -> Value {
    json!({ "Type": kind, "Data": STANDARD.encode("data"), "Secret": STANDARD.encode("secret") })
}

/// A device with this in the account of a server.
fn install(bench: &mut Bench, server: &str, name: &str, content: Value) {
    let mut item = Account::new(server, &bench.server.dm_uri()).bootstrap_item();
    let account = &mut item["MOData"][server];
    let node = if name == "Noti" { &mut account["Auth"]["Noti"] } else { &mut account[name] };
    *node = content;
    let device = bench.device.client.device_mut();
    device.install_bootstrap(json!([item]).to_string().as_bytes()).unwrap();
}

fn take(bench: &mut Bench, package: &[u8]) -> Result<Wake, Ignored> {
    Notifications::new(NotificationConfig::default()).notification(bench.device.client.device_mut(), package)
}

#[tokio::test]
async fn notifications_are_proven_by_the_account_that_they_name() {
    proves!("D2-9.1-02", "D2-12.2-03", "D2-12.2-21", "D2-12.2-23", "D2-12.2-24");
    let mut bench = Bench::new().await;
    let package = |number, secret: &str, data: &str| {
        signed_package0("DMS1", number, secret.as_bytes(), data.as_bytes())
    };
    let early = take(&mut bench, &package(1, "secret", "data"));
    assert!(matches!(early, Err(Ignored::NoSecret(_))), "{early:?}");
    for server in ["DMS1", "DMS2"] {
        install(&mut bench, server, "Noti", noti(0));
        install(&mut bench, server, "Noti", noti(0));
    }
    assert_eq!(bench.device.miids(DMACC).len(), 2, "one account a server, however often it is bootstrapped");
    let read = bench.run(json!([["GET", account("SrvID")], ["GET", account("Auth/Noti")]])).await;
    assert_eq!((read.value(0), read.value(1)), (json!("DMS1"), noti(0)));

    assert_eq!(take(&mut bench, &package(2, "secret", "data")).unwrap().server.as_str(), "DMS1");
    let of_two = signed_package0("DMS2", 2, b"secret", b"data");
    assert_eq!(take(&mut bench, &of_two).unwrap().server.as_str(), "DMS2");
    let of_none = signed_package0("DMS3", 2, b"secret", b"data");
    assert!(matches!(take(&mut bench, &of_none), Err(Ignored::UnknownServer(_))));
    let mut forged = package(3, "secret", "data");
    *forged.last_mut().unwrap() ^= 1;
    assert!(matches!(take(&mut bench, &forged), Err(Ignored::WrongDigest(_))));

    assert_eq!(bench.hget(&account("Auth/Noti/Data"), json!(STANDARD.encode("other"))).await, 200);
    assert!(matches!(take(&mut bench, &package(4, "secret", "data")), Err(Ignored::WrongDigest(_))));
    assert!(take(&mut bench, &package(4, "secret", "other")).is_ok());
    assert_eq!(bench.hget(&account("Auth/Noti/Secret"), json!(STANDARD.encode("new"))).await, 200);
    assert!(matches!(take(&mut bench, &package(5, "secret", "other")), Err(Ignored::WrongDigest(_))));
    assert!(take(&mut bench, &package(5, "new", "other")).is_ok());
}

#[tokio::test]
async fn a_proof_of_another_type_proves_nothing() {
    proves!("D2-12.2-22");
    let mut bench = Bench::new().await;
    install(&mut bench, "DMS1", "Noti", noti(1));
    let kind = bench.run(json!([["GET", account("Auth/Noti/Type")]])).await.value(0);
    assert_eq!(kind, 1);
    let package = signed_package0("DMS1", 1, b"secret", b"data");
    assert!(matches!(take(&mut bench, &package), Err(Ignored::NoSecret(_))));
    let unsigned = omadm_conformance::package0(&[(1, b"DMS1")]);
    assert!(matches!(take(&mut bench, &unsigned), Err(Ignored::NoDigest(_))), "nor does none");
    install(&mut bench, "DMS1", "Noti", noti(0));
    assert!(take(&mut bench, &package).is_ok());
}

#[tokio::test]
async fn a_device_registers_where_the_account_says() {
    proves!("D2-12.2-29", "D2-12.2-30", "D2-12.2-31", "D2-12.2-32", "D2-12.2-33");
    let mut bench = Bench::new().await;
    let (register, unregister) = (bench.server.take("/here"), bench.server.take("/gone"));
    let us = ServerId::parse("DMS1").unwrap();
    assert_eq!(bench.device.client.sender_id(&us), None);
    assert!(bench.device.client.register_push(&us, "x").await.is_err(), "the account offers none");
    let push = json!({ "GCM": {
        "SenderID": "42", "RegURI": register, "UnRegURI": unregister, "RegParams": "tenant=1&name=a b",
    } });
    install(&mut bench, "DMS1", "Push", push.clone());
    assert_eq!(bench.run(json!([["GET", account("Push")]])).await.value(0), push);
    assert_eq!(bench.device.client.sender_id(&us).as_deref(), Some("42"), "whom the device registers for");

    bench.device.client.register_push(&us, "a/b c").await.unwrap();
    bench.device.client.unregister_push(&us, "a/b c").await.unwrap();
    let sent = bench.server.data_requests();
    let sent: Vec<_> =
        sent.iter().map(|request| (request.method.as_str(), request.target.as_str())).collect();
    assert_eq!(sent, [("POST", "/here"), ("POST", "/gone")]);
    for request in bench.server.data_requests() {
        assert_eq!(request.text(), "RegId=a%2Fb%20c&tenant=1&name=a%20b", "encoded, what is no query too");
        assert!(request.header("content-type").unwrap().starts_with("application/x-www-form-urlencoded"));
    }
}
