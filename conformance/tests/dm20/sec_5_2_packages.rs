//! The flow of packages, seen from the device's peer (`DM 2.0 §5.2`).

use omadm_client::notification::{NotificationConfig, Notifications};
use omadm_client::{Outcome, Trigger};
use omadm_conformance::{
    Account, Answer, Bench, DDF_FILES, DEVICE_ID, MOID, PLAIN_MOID, Package1, address, dmmo, package0, proves,
};
use omadm_mo::well_known::{DEVINFO, DMACC, SESSION_INFO};
use serde_json::json;

const CLIENT_INITIATED: &str = "urn:oma:at:dm:2.0:ClientInitiatedMgmt";
const BOOTSTRAP_COMPLETE: &str = "urn:oma:at:dm:2.0:BootstrapComplete";

#[tokio::test]
async fn a_session_goes_on_until_end() {
    proves!("DM-PACK-001-C-M", "D2-5.2-03");
    let mut bench = Bench::new().await;
    for commands in [json!([["GET", address("Text")]]), json!([]), json!([["EXEC", address("Run")], ["FOO"]])]
    {
        bench.server.say(Answer::commands(&commands));
    }
    bench.server.say(Answer::commands(&json!([["DELETE", address("Maybe")], ["END"]])));
    let report = bench.session().await;
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
    let statuses: Vec<_> = bench.server.packages3().iter().map(|package| package.statuses()).collect();
    assert_eq!(statuses, [vec![200], vec![], vec![200, 501]], "one Package#3 for each Package#2 without END");
    assert_eq!(bench.server.requests().len(), 4);
    assert!(!bench.device.has(&address("Maybe")), "the commands beside END ran");
}

#[tokio::test]
async fn commands_run_in_order() {
    proves!("D2-5.2-02", "DM-PACK-013-C-M", "D2-7.2.1.3-04");
    let mut bench = Bench::new().await;
    let one = bench.server.serve("/1", &dmmo(&address("Text"), "Text", json!("one")));
    let two = bench.server.serve("/2", &dmmo(&address("Text"), "Text", json!("two")));
    let answer = bench
        .run(json!([
            ["HGET", one, address("Text")],
            ["GET", address("Text")],
            ["FOO"],
            ["HGET", two, address("Text")],
            ["GET", address("Text")],
            ["GET", address("None")],
        ]))
        .await;
    assert_eq!(answer.statuses(), [200, 200, 501, 200, 200, 404]);
    assert_eq!((answer.value(1), answer.value(4)), (json!("one"), json!("two")));
}

#[tokio::test]
async fn a_package2_without_commands_aborts() {
    proves!("DM-PACK-012-C-M", "D2-7.2.1.2-01", "D2-7.2.1.2-02");
    let mut bench = Bench::new().await;
    let request = "application/vnd.oma.dm.request+json";
    let run = json!({ "CMD": [["EXEC", address("Run")]] }).to_string();
    let bad = [
        Answer::package2(&json!({})),
        Answer::package2(&json!({ "CMD": "END" })),
        Answer::package2(&json!([["EXEC", address("Run")]])),
        Answer::body(request, "{\"CMD\": [[\"EXEC\""),
        Answer::body(request, ""),
        Answer::body("text/html", run.clone()),
        Answer::body("application/json", run),
    ];
    for answer in bad {
        let before = bench.server.requests().len();
        bench.server.say(answer.clone());
        let report = bench.session().await;
        let Outcome::Aborted { reason, .. } = &report.outcome else { panic!("{answer:?}: {report:?}") };
        assert!(!reason.is_empty(), "the log says why");
        assert_eq!(bench.server.requests().len(), before + 1, "{answer:?}");
    }
    assert!(bench.device.plug.executed().is_empty(), "nothing of them was executed");
    let order = json!([["EXEC", address("Run")], ["EXEC", address("Walk")], ["EXEC", address("Run")]]);
    assert_eq!(bench.run(order).await.statuses(), [200, 200, 200]);
    assert_eq!(bench.device.plug.executed(), [address("Run"), address("Walk"), address("Run")]);

    let server = omadm_conformance::TestServer::start().await;
    let device = server.enrol("UUID:judge").await;
    let package = omadm_conformance::commands(&device.begin().await);
    assert_eq!(package, [["END"]], "with the media type and by the schema");
}

#[tokio::test]
async fn package1_is_a_post_to_the_srv_uri_with_the_device_id() {
    proves!("DM-PACK-011-C-M", "D2-5.2.2-02", "D2-5.2.2-04");
    let mut bench = Bench::with(|setup| {
        let uri = setup.accounts[0].uri.replace("/dm/2.0", "/some/where?account=7");
        setup.accounts[0].uri = uri;
    })
    .await;
    let answer = bench.run(json!([["GET", format!("{DEVINFO}//DevID")]])).await;
    let first = bench.server.package1(0).request;
    assert_eq!((first.method.as_str(), first.target.as_str()), ("POST", "/some/where?account=7"));
    assert_eq!(first.header("content-type"), Some("application/vnd.oma.dm.initiation+json"));
    assert_eq!(first.header("omadm-devid"), Some(DEVICE_ID));
    assert_eq!(answer.value(0), DEVICE_ID);
}

#[tokio::test]
async fn the_first_alert_says_why_the_session_starts() {
    proves!("D2-5.2.2-15", "D2-5.2.2-16");
    let mut bench = Bench::new().await;
    bench.session().await;
    bench.session().await;
    assert_eq!(bench.server.package1(0).alert_types(), [BOOTSTRAP_COMPLETE]);
    assert_eq!(bench.server.package1(1).alert_types(), [CLIENT_INITIATED]);

    let mut again = Account::new("DMS1", &bench.server.dm_uri());
    again.moids = vec![MOID.to_owned()];
    let bootstrap = json!([again.bootstrap_item()]).to_string();
    bench.device.client.device_mut().install_bootstrap(bootstrap.as_bytes()).unwrap();
    bench.device.session_for("DMS1", Trigger::Bootstrap).await;
    bench.session().await;
    assert_eq!(bench.server.package1(2).alert_types(), [BOOTSTRAP_COMPLETE], "after each bootstrap");
    assert_eq!(bench.server.package1(3).alert_types(), [CLIENT_INITIATED], "once");
}

/// Has the device answer a notification of these options beside its server, and gives the Package#1.
async fn answered(bench: &mut Bench, options: &[(u16, &[u8])]) -> Package1 {
    let package = package0(&[&[(1, &b"DMS1"[..])][..], options].concat());
    let notifications = Notifications::new(NotificationConfig::default());
    let wake = notifications.notification(bench.device.client.device_mut(), &package).unwrap();
    let report = bench.device.client.answer(&wake).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
    Package1::read(bench.server.requests().pop().unwrap())
}

#[tokio::test]
async fn a_session_names_the_notification_that_it_answers() {
    proves!("D2-5.2.2-06", "D2-5.2.2-12", "D2-5.2.2-13");
    let mut bench = Bench::new().await;
    bench.session().await;
    let alert_type = "urn:oma:at:dm:2.0:ServerInitiatedMgmt";
    let package = answered(&mut bench, &[(3, &[1, 2]), (6, &[])]).await;
    let data = json!({ "NOTIFICATION-ID": 258 });
    let alert = json!({ "AlertType": alert_type, "DataType": "application/json", "Data": data });
    assert_eq!(package.json["Alert"], json!([alert]));
    assert_eq!(package.request.text().matches("\"MOS\"").count(), 1);
    let items = package.json["MOS"].as_array().unwrap();
    let moids: std::collections::BTreeSet<_> =
        items.iter().map(|item| item["MOID"].as_str().unwrap()).collect();
    assert_eq!(moids.len(), items.len(), "one item for each");
    assert!([DEVINFO, DMACC, SESSION_INFO, MOID].iter().all(|moid| moids.contains(moid)), "{moids:?}");

    let nameless = answered(&mut bench, &[]).await;
    assert_eq!(nameless.json, json!({ "Alert": [{ "AlertType": alert_type }] }), "nothing was asked for");
}

#[tokio::test]
async fn waiting_alerts_go_out_together() {
    proves!("D2-5.2.2-11", "D2-5.4-03");
    let mut bench = Bench::new().await;
    bench.session().await;
    let server = omadm_mo::ServerId::parse("DMS1").unwrap();
    for name in ["One", "Two"] {
        let alert = omadm_client::Alert::new(&format!("urn:oma:at:example:1.0:{name}"));
        bench.device.client.device_mut().raise_alert(&server, alert).unwrap();
    }
    bench.session().await;
    bench.session().await;
    let expected = [CLIENT_INITIATED, "urn:oma:at:example:1.0:One", "urn:oma:at:example:1.0:Two"];
    let mut sent = bench.server.package1(1).alert_types().into_iter().map(str::to_owned).collect::<Vec<_>>();
    sent.sort();
    assert_eq!(sent, {
        let mut expected = expected;
        expected.sort_unstable();
        expected
    });
    assert_eq!(bench.server.package1(2).alert_types(), [CLIENT_INITIATED], "each is sent once");
}

#[tokio::test]
async fn mos_lists_what_the_server_may_manage() {
    proves!("D2-5.2.2-08", "D2-5.2.2-09");
    let mut bench = Bench::with(|setup| {
        setup.client.always_send_mos = true;
        setup.accounts[0].moids = vec![DEVINFO.to_owned(), MOID.to_owned(), PLAIN_MOID.to_owned()];
    })
    .await;
    bench.device.grant(MOID, "alpha", "/", "DMS1", 1);
    bench.device.grant(MOID, "beta", "/", "DMS1", 0);
    bench.session().await;
    let package = bench.server.package1(0);
    assert_eq!(package.miids(DEVINFO).as_deref(), Some(&["DevInfo"][..]));
    assert_eq!(package.miids(MOID).as_deref(), Some(&["alpha"][..]), "beta gives this server no right");
    assert_eq!(package.miids(PLAIN_MOID).as_deref(), Some(&[][..]), "provisioned, but there is no instance");
    assert_eq!(package.miids(DMACC), None, "not provisioned");
    assert_eq!(package.miids(SESSION_INFO), None);
}

#[tokio::test]
async fn instances_of_one_object_are_listed_each_by_its_own_miid() {
    proves!("D2-3.2-01");
    let mut bench = Bench::with(|setup| setup.client.always_send_mos = true).await;
    bench.session().await;
    let package = bench.server.package1(0);
    let items = package.json["MOS"].as_array().unwrap();
    assert_eq!(items.iter().filter(|item| item["MOID"] == MOID).count(), 1, "{items:?}");
    let mut miids = package.miids(MOID).unwrap();
    miids.sort_unstable();
    assert_eq!(miids, ["alpha", "beta"]);
    let get = |miid: &str| json!(["GET", format!("{MOID}/{miid}/Id")]);
    let answer = bench.run(json!([get("alpha"), get("beta"), get("gamma")])).await;
    assert_eq!(answer.statuses(), [200, 200, 404]);
    assert_eq!(
        [answer.value(0), answer.value(1)],
        [json!("alpha"), json!("beta")],
        "each is another instance"
    );
}

#[tokio::test]
async fn mos_items_are_complete_and_their_ddf_can_be_fetched() {
    proves!("D2-5.2.2-07");
    let authority = omadm_conformance::Authority::new();
    let ddf_server = omadm_conformance::ScriptServer::https(&authority).await;
    for (name, text) in DDF_FILES {
        let answer = Answer::body("application/vnd.syncml.dmddf+xml", text);
        ddf_server.route(&http::Method::GET, &format!("/ddf/{name}"), answer);
    }
    let mut bench = Bench::with(|setup| {
        setup.client.always_send_mos = true;
        setup.ddf_base = ddf_server.uri("/ddf");
    })
    .await;
    bench.session().await;
    let package = bench.server.package1(0);
    let items = package.json["MOS"].as_array().unwrap();
    assert!(items.len() >= 5, "{items:?}");
    for item in items {
        assert!(item["MOID"].is_string() && item["MIID"].is_array(), "{item}");
        let link = item["DDF"].as_str().unwrap();
        let reply = omadm_conformance::fetch(link, &authority.ca_file()).await;
        assert_eq!(reply.status, 200, "{link}");
        let text = String::from_utf8(reply.body).unwrap();
        assert!(text.contains(item["MOID"].as_str().unwrap()), "{link} describes it");
    }
}

#[tokio::test]
async fn one_command_can_come_several_times() {
    proves!("D2-5.2.3-03");
    let mut bench = Bench::new().await;
    let answer = bench.run(json!([["GET", address("Text")], ["GET", address("Text")]])).await;
    assert_eq!(answer.statuses(), [200, 200]);
    assert_eq!(answer.parts.len(), 2);
    assert_eq!(answer.value(0), answer.value(1));
}

#[tokio::test]
async fn the_place_of_stored_data_comes_with_its_status() {
    proves!("D2-5.2.4-05");
    let mut bench = Bench::new().await;
    let data = json!([{ "ClientURI": format!("{PLAIN_MOID}//"), "MOData": { "made": { "Name": "x" } } }]);
    let uri = bench.server.serve("/new", &data);
    let answer = bench.run(json!([["GET", address("Text")], ["HGET", uri]])).await;
    assert_eq!(answer.statuses(), [200, 200]);
    assert!(answer.uris(0).is_empty());
    assert_eq!(answer.uris(1), [format!("{PLAIN_MOID}/made/")]);
}

#[tokio::test]
async fn alerts_of_a_server_are_ignored() {
    let mut bench = Bench::new().await;
    let package = json!({ "CMD": [["GET", address("Text")]], "Alert": [{ "AlertType": "urn:x:y" }] });
    assert_eq!(bench.run_answer(Answer::package2(&package)).await.statuses(), [200]);
}

#[tokio::test]
async fn alerts_of_a_running_session_go_into_package3_together() {
    proves!("D2-5.2.4-06");
    let mut bench = Bench::new().await;
    let types = ["urn:oma:at:example:1.0:One", "urn:oma:at:example:1.0:Two"];
    for alert_type in types {
        bench.device.plug.raise(omadm_client::Alert::new(alert_type));
    }
    let answer = bench.run(json!([["EXEC", address("Run")]])).await;
    assert_eq!(answer.statuses(), [200]);
    assert_eq!(answer.alert_types(), types, "in one array");
    assert_eq!(bench.server.package1(0).alert_types(), [BOOTSTRAP_COMPLETE], "they came up after Package#1");
    bench.session().await;
    assert_eq!(bench.server.package1(1).alert_types(), [CLIENT_INITIATED], "and were sent once");
}
