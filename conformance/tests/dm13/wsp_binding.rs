//! The WSP binding of DM 1.3: the real agent through Kannel, a WAP gateway that nobody here wrote, to the listener without TLS that a
//! gateway can reach.

use omadm_conformance::{AgentProcess, Datagram, Dissection, Kannel, TestServer, WapRelay, fakewap, proves};
use serde_json::json;

use crate::processes::{carry_out, leaves};

const NOTE: &str = "urn:omadm:mo:agent:1.0//Note";
const MAN: &str = "urn:oma:mo:oma-dm-devinfo:1.2//Man";

/// A server, the gateway, and a relay before it.
struct Scene {
    server: TestServer,
    relay: WapRelay,
    _gateway: Kannel,
    connection: bool,
}

impl Scene {
    async fn new(connection: bool) -> Self {
        let gateway = Kannel::start().await;
        let server =
            TestServer::with(|config| config.device.plain_listen = Some(([127, 0, 0, 1], 0).into())).await;
        let relay = WapRelay::before(if connection { 9201 } else { 9200 }).await;
        Self { server, relay, _gateway: gateway, connection }
    }

    fn settings(&self, more: &str) -> String {
        let mode = if self.connection { "connection" } else { "connectionless" };
        format!(
            "[session]\nplain_http = true\n\n[dm1]\nretry_pause = 0\n\n[dm1.wsp]\ngateway = \"127.0.0.1:{}\"\n\
             mode = \"{mode}\"\nservers = [\"*\"]\nallow_insecure = true\n{more}",
            self.relay.port
        )
    }

    fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/dm", self.server.plain_address().port())
    }

    async fn agent(&self, number: u32, mut account: serde_json::Value, more: &str) -> AgentProcess {
        account["addresses"] = json!([self.uri()]);
        let id = format!("UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1ca{number:03}");
        AgentProcess::with_dm1(&self.server, &id, &account, &self.settings(more)).await
    }

    /// What tshark understood of all that the relay heard.
    fn dissected(&self) -> Vec<Dissection> {
        let heard = self.relay.heard();
        let of = |to_gateway: bool| -> Vec<&[u8]> {
            let datagrams = heard.iter().filter(|datagram| datagram.to_gateway == to_gateway);
            datagrams.map(|datagram| datagram.octets.as_slice()).collect()
        };
        Dissection::of_wap(&of(true), &of(false), if self.connection { 9201 } else { 9200 })
    }
}

#[tokio::test]
async fn sessions_of_every_version_and_form_go_through_a_gateway() {
    proves!("E13-WSPBinding", "OMA-ERDEF-DM-C-008-O", "OMA-ERDEF-DM-S_008-O");
    let accounts = [json!({}), json!({ "encoding": "xml" }), json!({ "version": "1.2" })];
    for connection in [true, false] {
        let scene = Scene::new(connection).await;
        for (number, account) in (0..).zip(&accounts) {
            // XML takes more room than there is in 1400 octets with the addresses.
            let number = number + 10 * u32::from(connection);
            let agent = scene.agent(number, account.clone(), "datagram = 2000").await;
            let requests = [
                json!({ "verb": "get", "address": MAN }),
                json!({ "verb": "set", "address": NOTE, "value": "written" }),
                json!({ "verb": "get", "address": NOTE }),
                json!({ "verb": "get", "address": "./None" }),
            ];
            let done = carry_out(&scene.server, &agent, &requests).await;
            assert!(leaves(&done[0])[0].1.is_string());
            assert_eq!(leaves(&done[2])[0].1, "written");
            assert_eq!(done[3]["status"], 404, "{done:#?}");
        }
        let devices = scene.server.items("/devices?filter=bearer%20%3D%20wap").await;
        assert_eq!(devices.len(), accounts.len(), "what they came by is known: {devices:#?}");
        let dissected = scene.dissected();
        assert!(dissected.iter().all(|frame| !frame.is_malformed()), "{dissected:#?}");
        let kinds: Vec<&str> = dissected.iter().filter_map(|frame| frame.field("wsp.pdu_type")).collect();
        let count = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
        assert!(count("0x60") > 6 && count("0x04") == count("0x60"), "a Reply for each Post: {kinds:?}");
        // A session for each bootstrap and each session after it.
        assert_eq!(count("0x01"), if connection { 6 } else { 0 }, "{kinds:?}");
        assert_eq!((count("0x02"), count("0x05")), (count("0x01"), count("0x01")), "{kinds:?}");
        let types: Vec<&str> =
            dissected.iter().filter_map(|frame| frame.field("wsp.header.content_type")).collect();
        for known in ["application/vnd.syncml.dm+wbxml", "application/vnd.syncml.dm+xml"] {
            assert!(types.contains(&known), "{types:?}");
        }
    }
}

#[tokio::test]
async fn messages_larger_than_a_datagram_go_in_segments() {
    proves!("E13-WSPBinding");
    let scene = Scene::new(true).await;
    let agent = scene.agent(50, json!({}), "").await;
    let large: String = ('a'..='z').cycle().take(150_000).collect();
    let requests = [
        json!({ "verb": "set", "address": NOTE, "value": large }),
        json!({ "verb": "get", "address": NOTE }),
    ];
    let done = carry_out(&scene.server, &agent, &requests).await;
    assert_eq!(leaves(&done[1])[0].1, large.as_str(), "there and back");
    let dissected = scene.dissected();
    assert!(dissected.iter().all(|frame| !frame.is_malformed()));
    let kinds: Vec<&str> = dissected.iter().filter_map(|frame| frame.field("wtp.pdu_type")).collect();
    for segmented in ["0x05", "0x06"] {
        assert!(kinds.iter().filter(|kind| **kind == segmented).count() > 100, "{kinds:?}");
    }
    assert!(scene.relay.heard().iter().all(|datagram| datagram.octets.len() <= 1404));
}

#[tokio::test]
async fn what_is_lost_on_the_way_to_a_gateway_is_sent_again() {
    proves!("E13-WSPBinding");
    let scene = Scene::new(true).await;
    let agent = scene.agent(51, json!({}), "retry = 1").await;
    // Every invocation is lost the first time, as a radio network would have it.
    let is_invoke = |datagram: &Datagram| datagram.to_gateway && datagram.octets[0] >> 3 == 1;
    scene.relay.lose(move |datagram| is_invoke(datagram) && datagram.octets[0] & 1 == 0);
    let before = scene.relay.heard().len();
    let done = carry_out(&scene.server, &agent, &[json!({ "verb": "get", "address": MAN })]).await;
    assert!(leaves(&done[0])[0].1.is_string());
    let heard = scene.relay.heard().split_off(before);
    let again = heard.iter().filter(|datagram| is_invoke(datagram) && datagram.octets[0] & 1 == 1).count();
    assert!(again >= 3, "Connect and two messages: {again}");
}

#[tokio::test]
async fn a_gateway_is_used_only_where_the_configuration_says_that_nothing_is_secret() {
    proves!("E13-WSPBinding");
    let scene = Scene::new(true).await;
    let agent = scene.agent(52, json!({}), "").await;
    let insecure = scene.settings("").replace("allow_insecure = true", "allow_insecure = false");
    agent.configure(&insecure);
    let refusal = agent.refusal(&["session"]).await;
    assert!(refusal.contains("dm1.wsp.allow_insecure") && refusal.contains("reads"), "{refusal}");
    // Nor does the gateway make `http` allowed.
    let heard = scene.relay.heard().len();
    agent.configure(&scene.settings("").replace("plain_http = true", "plain_http = false"));
    let output = agent.output(&["session"]).await;
    assert!(!output.status.success());
    assert_eq!(scene.relay.heard().len(), heard, "not a datagram");
    agent.configure(&scene.settings(""));
    let warned = agent.run(&["session"]).await;
    assert!(String::from_utf8_lossy(&warned.stderr).contains("allow_insecure"), "it says so each time");
}

#[tokio::test]
async fn kannels_own_phone_reaches_the_server_as_ours_does() {
    proves!("OMA-ERDEF-DM-S_008-O");
    for connection in [true, false] {
        let scene = Scene::new(connection).await;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("message");
        std::fs::write(&file, "no SyncML").unwrap();
        let said = fakewap(connection, &file, &scene.uri()).await;
        // A text is no SyncML, and the gateway hands on what the server says to that.
        assert!(said.contains(" 04 4F "), "a Reply with 415: {said}");
    }
}
