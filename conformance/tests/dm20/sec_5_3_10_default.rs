//! DEFAULT on the device (`DM 2.0 §5.3.10, I.3`, Appendix C).

use http::Method;
use omadm_client::{ClientError, Provisioned};
use omadm_conformance::ddf::{node, properties, tree};
use omadm_conformance::{Account, Answer, Bench, DeviceSetup, PLAIN_MOID, proves};
use omadm_mo::Moid;
use serde_json::{Value, json};

const MMS: &str = "urn:oma:mo:oma-mms:1.3";
const RCS: &str = "urn:gsma:mo:rcs:rcse:1.0";
const ALL: &str = "Add Delete Get Replace";

/// The objects of the examples; there is no instance.
fn examples(setup: &mut DeviceSetup) {
    let leaf = |name: &str| node(name, &properties(ALL, "chr", "ZeroOrOne", ""), &[]);
    for moid in [MMS, RCS] {
        let name = format!("<DFType><DDFName>{moid}</DDFName></DFType>");
        let root = node("", &properties(ALL, "node", "ZeroOrMore", &name), &[leaf("Name"), leaf("Addr")]);
        setup.data_objects.push(tree(&[root]));
    }
}

async fn in_network(mcc: Option<&str>, mnc: Option<&str>) -> Bench {
    Bench::with(|setup| {
        examples(setup);
        setup.client.parameters.mcc = mcc.map(str::to_owned);
        setup.client.parameters.mnc = mnc.map(str::to_owned);
    })
    .await
}

fn settings(moid: &str, name: &str) -> Value {
    json!([{ "ClientURI": format!("{moid}//"), "MOData": { "settings": { "Name": name, "Addr": "https://mmsc.example" } } }])
}

/// A local application asks for a management object.
async fn ask(bench: &mut Bench, moid: &str) -> Result<Provisioned, ClientError> {
    bench.device.client.provision(&Moid::parse(moid).unwrap()).await
}

#[tokio::test]
async fn example_mms_is_fetched_when_the_application_finds_no_data() {
    proves!("D2-I.3-01", "D2-I.3-02", "D2-5.3.10-02", "D2-5.3.10-03", "D2-C-DEFAULT-200", "DM-PACK-023-C-O");
    let mut bench = in_network(Some("262"), Some("01")).await;
    let source = bench.server.uri("/Settings/[MCC]/[MNC]/MMS");
    let all = format!("{MMS}/*/");
    let answer = bench.run(json!([["DEFAULT", source, MMS], ["GET", all]])).await;
    assert_eq!(answer.statuses(), [200, 404], "nothing is fetched before it is needed");
    assert!(bench.server.data_requests().is_empty());
    let before = bench.server.package_requests().len();

    bench.server.serve("/Settings/262/01/MMS", &settings(MMS, "operator"));
    let first = ask(&mut bench, MMS).await.unwrap();
    assert!(first.fetched && first.instances.len() == 1, "{first:?}");
    let fetched = bench.server.data_requests();
    assert_eq!(fetched.len(), 1);
    assert_eq!((fetched[0].method.as_str(), fetched[0].target.as_str()), ("GET", "/Settings/262/01/MMS"));
    assert_eq!(fetched[0].header("accept"), Some("application/dmmo+json"));
    assert_eq!(bench.device.text(&format!("{MMS}//Name")).as_deref(), Some("operator"));

    let again = ask(&mut bench, MMS).await.unwrap();
    assert_eq!((again.fetched, again.instances), (false, first.instances));
    assert_eq!(bench.server.data_requests().len(), 1, "what is there is not fetched");
    assert_eq!(bench.server.package_requests().len(), before, "no server is told");
    let answer = bench.run(json!([["GET", all]])).await;
    assert_eq!(answer.statuses(), [200]);
    assert_eq!(answer.part(0).unwrap().items().len(), 1);
    let alerts = bench.server.package1(1).json["Alert"].clone();
    assert_eq!(alerts.as_array().unwrap().len(), 1, "no alert but that of the start: {alerts}");
}

#[tokio::test]
async fn example_rcs_works_without_a_network_too() {
    proves!("D2-I.3-03");
    let mut bench = in_network(None, None).await;
    let source = bench.server.uri("/Settings/%5BMCC%5D/[MNC]/RCS");
    assert_eq!(bench.status(json!(["DEFAULT", source, RCS])).await, 200);
    bench.server.serve("/Settings/-1/-1/RCS", &settings(RCS, "rcs"));
    bench.device = bench.device.killed_and_restarted();
    let provisioned = ask(&mut bench, RCS).await.unwrap();
    assert_eq!(provisioned.instances.len(), 1);
    assert_eq!(bench.server.data_requests()[0].target, "/Settings/-1/-1/RCS", "kept over a restart");
    assert_eq!(bench.device.text(&format!("{RCS}//Name")).as_deref(), Some("rcs"));
}

#[tokio::test]
async fn a_moid_has_one_address_the_last() {
    proves!("D2-5.3.10-01", "D2-5.3.10-04", "D2-C-DEFAULT-400", "D2-C-DEFAULT-404");
    let mut bench = in_network(None, None).await;
    let [old, new] = ["/old", "/new"].map(|path| bench.server.serve(path, &settings(MMS, path)));
    let answer = bench.run(json!([
        ["DEFAULT", old, MMS],
        ["DEFAULT", new, MMS],
        ["DEFAULT", old],
        ["DEFAULT", old, MMS, MMS],
        ["DEFAULT", old, "urn:oma:mo:unknown:1.0"],
        ["DEFAULT", "ftp://localhost/x", MMS],
    ]));
    assert_eq!(answer.await.statuses(), [200, 200, 400, 400, 404, 400]);
    ask(&mut bench, MMS).await.unwrap();
    let targets: Vec<_> = bench.server.data_requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/new"]);
    assert_eq!(bench.device.client.device().defaults().count(), 1);
}

#[tokio::test]
async fn a_retrieval_that_fails_is_the_application_s_matter() {
    proves!("D2-5.3.10-03");
    let mut bench = in_network(None, None).await;
    assert!(matches!(ask(&mut bench, MMS).await, Err(ClientError::NoSource { .. })));
    let source = bench.server.uri("/settings");
    assert_eq!(bench.status(json!(["DEFAULT", source, MMS])).await, 200);
    let before = bench.server.package_requests().len();
    for bad in [
        Answer::status(404),
        Answer::status(500),
        Answer::body("text/plain", "x"),
        Answer::mo_data(&json!([])),
        // Data of another object is not what was asked for.
        Answer::mo_data(&settings(RCS, "stray")),
    ] {
        bench.server.route(&Method::GET, "/settings", bad);
        let refused = ask(&mut bench, MMS).await;
        assert!(matches!(refused, Err(ClientError::NotFetched { .. })), "{refused:?}");
    }
    assert_eq!(bench.server.package_requests().len(), before);
    assert!(bench.device.miids(MMS).is_empty() && bench.device.miids(RCS).is_empty());
}

#[tokio::test]
async fn a_server_sets_defaults_for_its_own_objects_only() {
    proves!("D2-C-DEFAULT-403");
    let mut bench = Bench::with(|setup| {
        examples(setup);
        let limited = setup.accounts[0].clone().for_moids(&[MMS, PLAIN_MOID]);
        let other = Account::new("DMS2", &limited.uri);
        setup.accounts = vec![limited, other];
    })
    .await;
    let source = bench.server.serve("/rcs", &settings(RCS, "theirs"));
    assert_eq!(bench.statuses_for("DMS1", json!([["DEFAULT", source, RCS]])).await, [403]);
    assert_eq!(bench.device.client.device().defaults().count(), 0);
    assert_eq!(bench.statuses_for("DMS2", json!([["DEFAULT", source, RCS]])).await, [200]);
    ask(&mut bench, RCS).await.unwrap();
    let get = json!([["GET", format!("{RCS}//Name")]]);
    assert_eq!(bench.statuses_for("DMS1", get.clone()).await, [403]);
    assert_eq!(bench.statuses_for("DMS2", get).await, [200], "it belongs to the server that said where");
}
