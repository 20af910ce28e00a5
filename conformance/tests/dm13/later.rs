//! What a device tells beside the answers to commands: ends of executions, alerts, and that a session is over.

use http::Method;
use omadm_client::PluginError;
use omadm_client::dm1::{Encoding, GenericAlert, Outcome, Start};
use omadm_conformance::{Answer, Dm1Bench, EXECUTION_ALERT, address, proves};
use omadm_mo::ServerId;
use omadm_mo::dm1::{Dm1Uri, UriLimits};

/// Something that the device has to answer.
const GET: &str = "<Get><Item><Target><LocURI>./DevInfo/Man</LocURI></Target></Item></Get>";

fn server() -> ServerId {
    ServerId::parse("dm.ex").unwrap()
}

fn exec(path: &str, correlator: &str) -> String {
    format!(
        "<Exec><Correlator>{correlator}</Correlator><Item><Target><LocURI>{}</LocURI></Target></Item></Exec>",
        address(path)
    )
}

/// The first message of the session before the last, in XML.
fn first_of_the_last(bench: &Dm1Bench) -> String {
    let requests = bench.server.requests();
    String::from_utf8(requests[requests.len() - 2].body.clone()).unwrap()
}

#[tokio::test]
async fn exec_runs_its_handler_once_and_its_end_is_told_by_a_generic_alert() {
    proves!("P13-DMREPU-7.6.6-01", "P13-DMPRO-6.7-01");
    let (mut bench, plug) = Dm1Bench::with_plug(Encoding::Xml).await;
    let acl = Dm1Uri::parse("./alpha?prop=ACL", &UriLimits::default(), true).unwrap();
    let allowed = bench.client.device_mut().change(|tree| {
        tree.dm1_set_property(&acl, "Exec=*&Get=*").map_err(|error| PluginError::Other(error.to_string()))
    });
    allowed.unwrap();
    let answer = bench.run(&[&exec("Run", "now")]).await;
    assert!(answer.contains("<Cmd>Exec</Cmd><Data>200</Data>"), "{answer}");
    assert_eq!(plug.executed(), [address("Run")]);
    let answer = bench.run(&[&exec("Text", "no")]).await;
    assert!(answer.contains("<Cmd>Exec</Cmd><Data>405</Data>"), "nothing to execute: {answer}");

    plug.execution_goes_on("Run");
    let answer = bench.run(&[&exec("Run", "job-0042")]).await;
    assert!(answer.contains("<Cmd>Exec</Cmd><Data>202</Data>"), "{answer}");
    assert_eq!(plug.executed().len(), 2, "once each");
    plug.end("Run", 1_200);
    bench.run(&[GET]).await;
    let message = first_of_the_last(&bench);
    let (_, alert) = message.split_once("<Data>1226</Data>").unwrap_or_else(|| panic!("{message}"));
    let alert = alert.split("</Alert>").next().unwrap();
    assert!(alert.starts_with("<Correlator>job-0042</Correlator>"), "{alert}");
    assert!(alert.contains(&format!(">{EXECUTION_ALERT}</Type>")), "{alert}");
    assert!(alert.contains("<Data>1200</Data>"), "{alert}");
    let source = alert.split("<LocURI>").nth(1).unwrap().split('<').next().unwrap();
    let path = source.trim_start_matches("./");
    assert!(bench.node(path).is_some(), "{source} is the node that was executed");
}

#[tokio::test]
async fn alerts_are_sent_with_their_type_until_the_server_takes_them() {
    let (mut bench, _plug) = Dm1Bench::with_plug(Encoding::Xml).await;
    let alert = GenericAlert::new("urn:example:at:door", "open");
    bench.client.device_mut().raise_dm1_alert(&server(), alert).unwrap();
    let report = bench.client.run_dm1_session(&server(), Start::Client).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Aborted { .. }), "nobody answered: {report:?}");
    assert_eq!(bench.client.device().dm1_alerts(&server()).len(), 1, "it waits");
}

#[tokio::test]
async fn who_aborts_says_so_and_what_is_answered_has_no_effect() {
    proves!("P13-DMPRO-6.1-02", "P13-DMPRO-6.1.1-01");
    let (mut bench, _plug) = Dm1Bench::with_plug(Encoding::Xml).await;
    let replace = format!(
        "<Replace><CmdID>9</CmdID><Item><Target><LocURI>{}</LocURI></Target><Data>never</Data></Item></Replace>",
        address("Text")
    );
    for message in [
        bench.message(1, &[("Alert", 1), ("Replace", 2)], &replace),
        bench.message(2, &[("Alert", 3)], &replace),
    ] {
        let answer = Answer::body("application/vnd.syncml.dm+xml", message.into_bytes());
        bench.server.route_once(&Method::POST, "/dm", answer);
    }
    bench.client.dm1_abort().ask();
    let report = bench.client.run_dm1_session(&server(), Start::Client).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Aborted { .. }), "{report:?}");
    let requests = bench.server.requests();
    let last = String::from_utf8(requests.last().unwrap().body.clone()).unwrap();
    assert!(last.contains("<Data>1223</Data>"), "{last}");
    assert!(requests.len() <= 2, "nothing more is said");
    let tree = bench.client.device().tree();
    let alpha = tree.instances().find(|instance| instance.miid.as_str() == "alpha").unwrap().root;
    let text = tree.node(alpha).unwrap().child("Text").unwrap();
    assert_eq!(text.value().unwrap().to_text(), "text of alpha");
}
