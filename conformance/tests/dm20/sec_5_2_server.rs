//! The flow of packages on the server (`DM 2.0 §5.2`), judged by an independent device.

use http::Method;
use omadm_conformance::{TestServer, commands, dmmo, proves};
use serde_json::{Value, json};

const ID: &str = "UUID:6a0f6d0e-0a55-4ac6-8c33-1fd2a3e0f001";
const MAN: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Man";
const INITIATION: &str = "application/vnd.oma.dm.initiation+json";
const RESPONSE: &str = "application/vnd.oma.dm.response+json";

/// `Status` with 200 for every command.
fn all_good(commands: &[Vec<String>]) -> Value {
    commands.iter().map(|_| json!({ "sc": 200 })).collect()
}

#[tokio::test]
async fn a_session_of_three_rounds_ends_with_end() {
    proves!(
        "DM-PACK-001-S-M",
        "DM-PACK-022-S-M",
        "D2-5.3.9-02",
        "D2-5.2.3-04",
        "D2-5.2.3-05",
        "DM-PACK-012-S-M"
    );
    let server = TestServer::with(|config| config.queue.max_commands_per_package = 2).await;
    let device = server.enrol(ID).await;
    let mut queued = Vec::new();
    for n in 0..5 {
        queued.push(server.queue_raw(&device, &["DELETE", &format!("urn:oma:mo:x:1.0/i/n{n}")]).await);
    }
    let mut reply = device.begin().await;
    let mut rounds = 0;
    let mut deleted = Vec::new();
    loop {
        let package = commands(&reply);
        if package == [["END"]] {
            break;
        }
        rounds += 1;
        deleted.extend(
            package.iter().filter(|command| command[0] == "DELETE").map(|command| command[1].clone()),
        );
        reply = device.answer(&all_good(&package)).await;
    }
    assert!(rounds >= 3, "{rounds}");
    let order: Vec<String> = (0..5).map(|n| format!("urn:oma:mo:x:1.0/i/n{n}")).collect();
    assert_eq!(deleted, order);
    for id in queued {
        assert_eq!(server.outcome(&id).await, ("done".into(), Some(200)));
    }
}

#[tokio::test]
async fn package1_needs_one_device_id_by_post() {
    proves!("DM-PACK-011-S-M", "D2-5.2.2-03", "D2-5.2.2-05");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let authorization = device.authorization();
    let common = [("content-type", INITIATION), ("authorization", authorization.as_str())];
    let with = |more: &[(&'static str, &'static str)]| [&common[..], more].concat();
    assert_eq!(commands(&device.post(&with(&[("OMADM-DevID", ID)]), b"{}").await), [["END"]]);
    assert_eq!(commands(&device.post(&with(&[("omadm-DEVID", ID)]), b"{}").await), [["END"]]);
    assert_eq!(device.post(&common, b"{}").await.status, 400);
    let two = with(&[("omadm-devid", ID), ("omadm-devid", "UUID:other")]);
    assert_eq!(device.post(&two, b"{}").await.status, 400);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = device.send(method.clone(), "/dm/2.0", &with(&[("omadm-devid", ID)]), b"{}").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
    }
}

#[tokio::test]
async fn package1_may_be_empty_but_has_to_be_an_object() {
    proves!("D2-5.2.2-17");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    assert_eq!(commands(&device.package1(&json!({})).await), [["END"]]);
    for bad in ["[]", "hello", "", "{", "null"] {
        assert_eq!(device.post_as(INITIATION, bad.as_bytes()).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn the_inventory_is_kept() {
    proves!("D2-5.2.2-10", "D2-7.2.1.1-02", "D2-7.2.1.1-03");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let mut bench = omadm_conformance::Bench::with(|setup| setup.client.always_send_mos = true).await;
    bench.session().await;
    assert!(
        bench.server.package1(0).miids(omadm_conformance::MOID).is_some(),
        "what our device sends is by the schema"
    );
    let good = json!({ "MOS": [
        { "DDF": "https://x/devinfo.ddf", "MOID": "urn:oma:mo:oma-dm-devinfo:1.2", "MIID": ["DevInfo"] },
        { "DDF": "https://x/scomo.ddf", "MOID": "urn:oma:mo:oma-scomo:1.0", "MIID": ["a", "b"] },
    ] });
    assert_eq!(commands(&device.package1(&good).await), [["END"]]);
    for bad in [
        json!({ "MOS": [{ "DDF": "d", "MOID": "urn:oma:mo:oma-scomo:1.0" }] }),
        json!({ "MOS": [{ "DDF": "d", "MOID": "urn:oma:mo:oma-scomo:1.0", "MIID": "x" }] }),
        json!({ "MOS": { "MOID": "urn:oma:mo:oma-scomo:1.0", "MIID": [] } }),
        json!({ "MOS": [{ "DDF": "d", "MIID": [] }] }),
    ] {
        assert_eq!(device.package1(&bad).await.status, 400, "{bad}");
    }
    let known = server.get(&format!("/devices/{ID}")).await["inventory"].clone();
    let scomo =
        known.as_array().unwrap().iter().find(|item| item["moid"] == "urn:oma:mo:oma-scomo:1.0").unwrap();
    assert_eq!((&scomo["miids"], &scomo["ddf"]), (&json!(["a", "b"]), &json!("https://x/scomo.ddf")));
    assert_eq!(known.as_array().unwrap().len(), 2, "what was refused has changed nothing");
}

#[tokio::test]
async fn commands_keep_the_order_of_the_queue() {
    proves!("D2-5.2.3-02");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let words = [
        vec!["GET", MAN],
        vec!["EXEC", "urn:oma:mo:x:1.0/i/Run"],
        vec!["DELETE", "urn:oma:mo:x:1.0/i/n"],
        vec!["GET", "urn:oma:mo:x:1.0/i/"],
    ];
    for words in &words {
        server.queue_raw(&device, words).await;
    }
    assert_eq!(commands(&device.begin().await), words);
}

#[tokio::test]
async fn each_status_belongs_to_its_command() {
    proves!("DM-PACK-013-S-M", "DM-PACK-027-S-M");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let first = server.queue_raw(&device, &["DELETE", "urn:oma:mo:x:1.0/i/one"]).await;
    let second = server.queue_raw(&device, &["EXEC", "urn:oma:mo:x:1.0/i/two"]).await;
    for wrong in [json!([{ "sc": 200 }]), json!([{ "sc": 200 }, { "sc": 200 }, { "sc": 404 }]), json!([])] {
        assert_eq!(commands(&device.begin().await).len(), 2, "the commands come again");
        let reply = device.answer(&wrong).await;
        assert!(reply.status == 400 || commands(&reply) == [["END"]], "{wrong}: {}", reply.status);
        assert_ne!(server.outcome(&first).await.0, "done");
        assert_ne!(server.outcome(&second).await.0, "done");
        assert_eq!(server.outcome(&first).await.1, None);
    }

    let other = server.enrol("UUID:other").await;
    let first = server.queue_raw(&other, &["DELETE", "urn:oma:mo:x:1.0/i/one"]).await;
    let second = server.queue_raw(&other, &["EXEC", "urn:oma:mo:x:1.0/i/two"]).await;
    assert_eq!(commands(&other.begin().await).len(), 2);
    assert_eq!(commands(&other.answer(&json!([{ "sc": 404 }, { "sc": 200 }])).await), [["END"]]);
    assert_eq!(server.outcome(&first).await, ("failed".into(), Some(404)));
    assert_eq!(server.outcome(&second).await, ("done".into(), Some(200)));
}

#[tokio::test]
async fn package3_needs_an_open_session_and_a_device_id() {
    proves!("D2-5.2-01", "D2-5.2.4-02", "D2-5.2.4-03", "D2-5.2.4-04");
    let mut bench = omadm_conformance::Bench::new().await;
    for package in [json!([["FOO"]]), json!([["FOO"], ["FOO"]]), json!([["END"]])] {
        bench.server.say(omadm_conformance::Answer::commands(&package));
    }
    bench.session().await;
    let packages = bench.server.packages3();
    assert_eq!(packages.iter().map(|package| package.statuses().len()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(bench.server.requests().len(), 3, "nothing follows END");
    for package in packages {
        assert_eq!(package.request.header("omadm-devid"), Some(omadm_conformance::DEVICE_ID));
        assert_eq!(package.request.method, Method::POST);
    }

    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let queued = server.queue_raw(&device, &["DELETE", "urn:oma:mo:x:1.0/i/one"]).await;
    let without_session = device.answer(&json!([{ "sc": 200 }])).await;
    assert!((400..500).contains(&without_session.status), "{}", without_session.status);
    assert_eq!(server.outcome(&queued).await, ("queued".into(), None));

    assert_eq!(commands(&device.begin().await).len(), 1);
    let authorization = device.authorization();
    let headers = [("content-type", RESPONSE), ("authorization", authorization.as_str())];
    assert_eq!(device.post(&headers, br#"{"Status":[{"sc":200}]}"#).await.status, 400);
    assert_eq!(server.outcome(&queued).await.1, None);
    assert_eq!(device.answer(&json!([{ "sc": 200 }, { "sc": 200 }])).await.status, 400);
    assert_eq!(server.outcome(&queued).await.1, None);

    assert_eq!(commands(&device.begin().await).len(), 1);
    assert_eq!(commands(&device.answer(&json!([{ "sc": 200 }])).await), [["END"]]);
    assert_eq!(server.outcome(&queued).await, ("done".into(), Some(200)));
    let after_end = device.answer(&json!([{ "sc": 404 }])).await;
    assert!((400..500).contains(&after_end.status), "{}", after_end.status);
    assert_eq!(server.outcome(&queued).await, ("done".into(), Some(200)), "nothing changed after END");
}

#[tokio::test]
async fn a_repeated_answer_gets_the_same_reply_and_counts_once() {
    proves!("D2-5.3-07");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let first = server.queue_raw(&device, &["GET", MAN]).await;
    assert_eq!(commands(&device.begin().await), [["GET", MAN]]);
    let later = server.queue_raw(&device, &["DELETE", "urn:oma:mo:x:1.0/i/one"]).await;
    let status = json!([{ "sc": 200 }]);
    let data = [(0, dmmo(MAN, "Man", json!("Acme")))];
    let once = device.answer_with(&status, &data).await;
    let finished = server.command(&first).await["finished"].clone();
    let twice = device.answer_with(&status, &data).await;
    assert_eq!(once.body, twice.body);
    assert_eq!(server.command(&first).await["finished"], finished, "recorded once");
    assert_eq!(
        server.outcome(&later).await.0,
        "sent",
        "what the repeated reply holds was not answered by the repetition"
    );
    assert_eq!(server.command(&later).await["attempts"], 1);
}

#[tokio::test]
async fn a_device_never_commands_the_server() {
    proves!("D2-5.1.1-02");
    let server = TestServer::start().await;
    let device = server.enrol(ID).await;
    let queued = server.queue_raw(&device, &["GET", MAN]).await;
    device.begin().await;
    let body = json!({ "Status": [{ "sc": 404 }], "CMD": [["DELETE", "urn:oma:mo:x:1.0//"], ["END"]] });
    let reply = device.post_as(RESPONSE, body.to_string().as_bytes()).await;
    assert!(reply.status == 400 || commands(&reply) == [["END"]], "{}", reply.status);
    let commands_of_device = server.items(&format!("/devices/{ID}/commands")).await;
    assert_eq!(commands_of_device.len(), 1);
    assert_eq!(commands_of_device[0]["id"], queued);
}
