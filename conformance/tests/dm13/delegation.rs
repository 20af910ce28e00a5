//! The Server Delegation Protocol (`DM 1.3 ERELD §4.3`) between servers in processes of their own, with a real agent that has accounts of
//! both.

use std::time::{Duration, SystemTime};

use omadm_codec::delegation::{Body, DelegationMessage, decode};
use omadm_codec::{Limits, delegation};
use omadm_conformance::{AgentProcess, Reply, ServeProcess, omadm, proves, xmllint};
use omadm_mo::Time;
use serde_json::{Value, json};

const A: &str = "dm.a.example";
const B: &str = "dm.b.example";
const AGENT: &str = "urn:omadm:mo:agent:1.0";
const MEDIA_TYPE: &str = "application/vnd.dm.delegation+xml";
/// The servers with the device, whose own object belongs to A alone.
struct Two {
    device: Device,
    a: ServeProcess,
    b: ServeProcess,
    agent: AgentProcess,
}

/// Which protocol the device speaks.
#[derive(Clone, Copy, PartialEq)]
enum Device {
    Dm1,
    Dm2,
}

impl Two {
    /// `of_b` is what A knows of B beside who it is, and `of_a` what B knows of A.
    async fn start(device: Device, id: &str, of_b: &str, of_a: &str) -> Self {
        let (mut a, mut b) = (ServeProcess::new(A).await, ServeProcess::new(B).await);
        a.start(&format!("alarm_after = 1\n{}", b.peer(of_b))).await;
        b.start(&a.peer(of_a)).await;
        let settings = format!(
            "[access]\ndefaults = false\n[[access.grants]]\nmoid = {AGENT:?}\nserver = {A:?}\n\
             rights = [\"read\", \"write\", \"execute\", \"delegate\"]\n"
        );
        let agent = AgentProcess::new(&a.trusting(&[&b]), id, &settings).await;
        for server in [&a, &b] {
            match device {
                Device::Dm1 => server.enrol_dm1(&agent).await,
                Device::Dm2 => server.enrol_dm2(&agent).await,
            }
        }
        // Rights are given between sessions, so the first one has not seen what they bring.
        a.session(&agent).await;
        Self { device, a, b, agent }
    }

    /// The note as a server addresses it that does not know where objects are.
    fn note(&self) -> String {
        match self.device {
            Device::Dm1 => "./Agent/Note".to_owned(),
            Device::Dm2 => format!("{AGENT}//Note"),
        }
    }

    fn offer(&self, more: &Value) -> Value {
        let mut offer = json!({
            "peer": B, "what": "offer", "devices": [self.agent.device_id], "targets": [format!("{AGENT}//Note")],
            "rights": ["Get", "Replace"],
        });
        let members = more.as_object().unwrap().clone();
        offer.as_object_mut().unwrap().extend(members);
        offer
    }

    /// Has A offer it, and the device be told; gives the identifier at A.
    async fn delegated(&self, more: &Value) -> String {
        let made = self.a.post("/delegations", &self.offer(more), 202).await;
        let id = made["id"].as_str().unwrap().to_owned();
        self.a.sessions_until(&self.agent, &id, "active").await;
        id
    }

    /// State and status of a get and a set of the note by B.
    async fn tried_by_b(&self) -> [(String, Option<u64>); 2] {
        let note = self.note();
        let get = self.b.carry_out(&self.agent, &json!({ "verb": "get", "address": note })).await;
        let set =
            self.b.carry_out(&self.agent, &json!({ "verb": "set", "address": note, "value": "by B" })).await;
        [get, set].map(|done| (done["state"].as_str().unwrap().to_owned(), done["status"].as_u64()))
    }
}

fn done() -> (String, Option<u64>) {
    ("done".to_owned(), Some(200))
}

async fn a_delegation_gives_and_takes(device: Device, id: &str) {
    let refused = if device == Device::Dm1 { 425 } else { 403 };
    let refused = || ("failed".to_owned(), Some(refused));
    let two = Two::start(device, id, "", "accept_offers = true").await;
    let Two { a, b, agent, .. } = &two;
    assert_eq!(two.tried_by_b().await, [refused(), refused()], "before");
    let set = json!({ "verb": "set", "address": two.note(), "value": "by A" });
    assert_eq!(a.carry_out(agent, &set).await["state"], "done");

    let delegation = two.delegated(&json!({})).await;
    let shown = a.get(&format!("/delegations/{delegation}")).await;
    assert_eq!((&shown["role"], &shown["devices"]["active"]), (&json!("delegating"), &json!(1)), "{shown}");
    let at_b = b.named(&delegation).await["id"].as_str().unwrap().to_owned();
    b.delegation(&at_b, "active").await;
    assert_eq!(two.tried_by_b().await, [done(), done()], "while it holds");

    a.post(&format!("/delegations/{delegation}/cancel"), &json!({ "reason": "enough" }), 200).await;
    b.delegation(&at_b, "revoking").await;
    a.sessions_until(agent, &delegation, "ended").await;
    b.delegation(&at_b, "ended").await;
    assert_eq!(two.tried_by_b().await, [refused(), refused()], "afterwards");
    let own = a.carry_out(agent, &json!({ "verb": "get", "address": format!("{AGENT}//Note") })).await;
    assert_eq!(own["result"]["items"][0]["value"], "by B", "{own}");

    let events = a.get("/events?limit=1000").await;
    let audit: Vec<&Value> = events["items"].as_array().unwrap().iter().map(|event| &event["body"]).collect();
    let said =
        |what: &str| audit.iter().find(|body| body["what"] == what).unwrap_or_else(|| panic!("{what}"));
    for what in ["rights given", "rights taken back"] {
        let body = said(what);
        assert_ne!(body["before"], body["after"], "{body}");
        assert!(body["session"].is_number() && body["approved_by"].is_string(), "{body}");
    }
    assert_eq!(said("rights given")["before"], said("rights taken back")["after"], "as it was");
}

#[tokio::test]
async fn two_servers_delegate_a_device_of_dm_1_3() {
    proves!("OMA-ERDEF-DM-S_010-O", "E13-DMDELEGATE", "E13-4.3-18");
    a_delegation_gives_and_takes(Device::Dm1, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2001").await;
}

#[tokio::test]
async fn two_servers_delegate_a_device_of_dm_2_0() {
    proves!("OMA-ERDEF-DM-S_010-O", "E13-4.3-18");
    a_delegation_gives_and_takes(Device::Dm2, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2002").await;
}

#[tokio::test]
async fn what_overlaps_stays_until_the_last_of_it_ends() {
    let two =
        Two::start(Device::Dm1, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2003", "", "accept_offers = true")
            .await;
    let get = json!({ "rights": ["Get"] });
    let (first, second) = (two.delegated(&get).await, two.delegated(&json!({})).await);
    let looked = |two: &Two| json!({ "verb": "get", "address": two.note() });
    for (ended, state) in [(&second, "done"), (&first, "failed")] {
        two.a.post(&format!("/delegations/{ended}/cancel"), &json!({}), 200).await;
        two.a.sessions_until(&two.agent, ended, "ended").await;
        assert_eq!(two.b.carry_out(&two.agent, &looked(&two)).await["state"], state);
    }
}

#[tokio::test]
async fn exclusive_rights_are_taken_from_others_and_come_back() {
    let two =
        Two::start(Device::Dm1, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2004", "", "accept_offers = true")
            .await;
    let delegation = two.delegated(&json!({ "exclusive": true })).await;
    assert_eq!(two.tried_by_b().await, [done(), done()]);
    let get = json!({ "verb": "get", "address": two.note() });
    assert_eq!(
        two.a.carry_out(&two.agent, &get).await["status"],
        425,
        "A has nothing left but to take it back"
    );
    let again = two.a.post("/delegations", &two.offer(&json!({})), 409).await;
    assert!(again["detail"].as_str().unwrap().contains("exclusive"), "{again}");
    two.a.post(&format!("/delegations/{delegation}/cancel"), &json!({}), 200).await;
    two.a.sessions_until(&two.agent, &delegation, "ended").await;
    assert_eq!(two.a.carry_out(&two.agent, &get).await["result"]["items"][0]["value"], "by B");
    assert_eq!(two.b.carry_out(&two.agent, &get).await["status"], 425);
}

#[tokio::test]
async fn what_the_device_refuses_fails_with_its_reason() {
    let two =
        Two::start(Device::Dm1, "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2005", "", "accept_offers = true")
            .await;
    for (terms, reason) in [
        (json!({ "targets": ["./DevDetail/FwV"] }), "does not have all of the rights"),
        (json!({ "targets": ["./Agent/Nothing"] }), "404"),
        (json!({ "targets": [AGENT] }), "allow_redelegation"),
        (json!({ "targets": ["urn:x-test:nothing:1.0"] }), "does not have urn:x-test:nothing:1.0"),
    ] {
        let made = two.a.post("/delegations", &two.offer(&terms), 202).await;
        let id = made["id"].as_str().unwrap();
        two.a.sessions_until(&two.agent, id, "failed").await;
        let devices = two.a.get(&format!("/delegations/{id}/devices")).await;
        let told = devices["items"][0].to_string();
        assert!(told.contains(reason), "{told}");
        let at_b = two.b.named(id).await["id"].as_str().unwrap().to_owned();
        two.b.delegation(&at_b, "failed").await;
    }
}

#[tokio::test]
async fn a_server_goes_on_where_it_was_killed() {
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2006";
    let mut two = Two::start(Device::Dm1, id, "", "accept_offers = true").await;
    let made = two.a.post("/delegations", &two.offer(&json!({})), 202).await;
    let delegation = made["id"].as_str().unwrap().to_owned();
    two.a.delegation(&delegation, "applying").await;
    // Rights were read, and are to be written.
    two.a.session(&two.agent).await;
    two.a.kill().await;
    two.a.restart().await;
    two.a.sessions_until(&two.agent, &delegation, "active").await;
    assert_eq!(two.tried_by_b().await, [done(), done()]);
    two.a.post(&format!("/delegations/{delegation}/cancel"), &json!({}), 200).await;
    two.a.kill().await;
    two.b.kill().await;
    two.b.restart().await;
    two.a.restart().await;
    two.a.sessions_until(&two.agent, &delegation, "ended").await;
    let at_b = two.b.named(&delegation).await["id"].as_str().unwrap().to_owned();
    two.b.delegation(&at_b, "ended").await;
    assert_eq!(two.tried_by_b().await.map(|(state, _)| state), ["failed", "failed"]);
}

/// A time so many seconds from now, as REST takes it.
fn in_seconds(seconds: u64) -> String {
    let since =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(seconds);
    let civil = Time::from_secs(i64::try_from(since.as_secs()).unwrap()).civil();
    let omadm_mo::Civil { year, month, day, hour, minute, second } = civil;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[tokio::test]
async fn what_has_ended_is_taken_back_once_the_device_is_there_again() {
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2007";
    let two = Two::start(Device::Dm2, id, "", "accept_offers = true").await;
    let delegation = two.delegated(&json!({ "not_after": in_seconds(20) })).await;
    two.a.delegation(&delegation, "revoking").await;
    two.a
        .until("/events?limit=1000", |events| {
            events["items"].as_array().unwrap().iter().any(|event| event["body"]["what"] == "alarm")
        })
        .await;
    // The device was not there; B still has what the device gives it.
    assert_eq!(two.a.get(&format!("/delegations/{delegation}")).await["state"], "revoking");
    two.a.sessions_until(&two.agent, &delegation, "ended").await;
    assert_eq!(two.tried_by_b().await.map(|(_, status)| status), [Some(403), Some(403)]);
}

/// Documents as another server writes them, by hand.
struct Writer {
    from: String,
    to: String,
    next: std::cell::Cell<u32>,
}

impl Writer {
    fn new(from: &str, to: &str) -> Self {
        Self { from: from.to_owned(), to: to.to_owned(), next: std::cell::Cell::new(0) }
    }

    fn at(&self, time: &str, body: &str) -> String {
        self.next.set(self.next.get() + 1);
        format!(
            "<DelegationMessage xmlns=\"{}\" version=\"1.3\"><MsgID>m{}</MsgID><Timestamp>{time}</Timestamp>\
             <From>{}</From><To>{}</To>{body}</DelegationMessage>",
            delegation::NAMESPACE,
            self.next.get(),
            self.from,
            self.to
        )
    }

    fn document(&self, body: &str) -> String {
        self.at(&in_seconds(0), body)
    }

    /// A request of B for rights on a device.
    fn request(&self, id: &str, devices: &str, more: &str, rights: &str) -> String {
        self.document(&format!(
            "<DelegationRequest><DelegationID>{id}</DelegationID><ServerID>{}</ServerID>{devices}{more}\
             <Target>./Agent/Note</Target><Rights>{rights}</Rights><Type>permanent</Type></DelegationRequest>",
            self.from
        ))
    }
}

fn device(id: &str) -> String {
    format!("<DeviceID>{id}</DeviceID>")
}

/// The status of an answer, which is a valid document that says the same.
fn judged(reply: &Reply) -> u16 {
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    xmllint::validate_delegation(&text);
    let answer = decode(&reply.body, delegation::NAMESPACE, &Limits::default()).unwrap();
    let DelegationMessage { body: Body::Response(response), .. } = answer else { panic!("{text}") };
    assert_eq!(response.status.0, reply.status, "{text}");
    assert!(response.status.is_success() || response.reason.is_some(), "{text}");
    reply.status
}

#[tokio::test]
async fn bad_messages_are_answered_with_what_is_wrong() {
    proves!("E13-DMDELEGATE", "E13-DMDELXSD");
    let (mut a, b) = (ServeProcess::new(A).await, ServeProcess::new(B).await);
    let contract = "[delegation.peers.contract]\ntargets = [\"./Agent\"]\nrights = [\"Get\"]";
    a.start(&format!("max_requests = 60\n{}", b.peer(contract))).await;
    for known in ["SIM:1", "SIM:2", "SIM:3"] {
        a.post("/devices", &json!({ "id": known }), 201).await;
    }
    let (certificate, key) = b.files();
    let writer = Writer::new(B, A);
    let say =
        async |document: &str| a.post_delegation(Some((&certificate, &key)), MEDIA_TYPE, document).await;

    let many: String = (0..1_001).map(|number| device(&format!("SIM:x{number}"))).collect();
    let (one, get) = (device("SIM:1"), "Get");
    for (document, status) in [
        (writer.request("d-1", &one, "", get), 200),
        (writer.request("d-2", &device("SIM:2"), "", "Get Exec"), 202),
        (writer.request("d-1", &one, "", get), 409),
        (writer.request("d-3", &device("SIM:9"), "", get), 404),
        (writer.request("d-3", &one, "<Man>Acme</Man>", get), 412),
        (writer.request("d-3", &many, "", get), 413),
        (writer.request("d-3", &format!("{one}{one}"), "", get), 400),
        (writer.request("d-3", &one, "", get).replace("./Agent/Note", "./DMAcc/x"), 403),
        (writer.request("d-3", &one, "", get).replace("./Agent/Note", "./A?prop=ACL"), 400),
        (writer.request("d-3", &one, "", get).replace(&format!("<ServerID>{B}"), "<ServerID>dm.c.example"), 403),
        (writer.request("d-3", &one, "", get).replace("permanent", "temporary"), 400),
        (writer.request("d-3", &device("SIM:1"), "", get).replace("<Type>", "<Type mode=\"exclusive\">"), 409),
        (writer.document("<DelegationQuery/>"), 405),
        (writer.document("<DelegationCancel><DelegationID>none</DelegationID></DelegationCancel>"), 404),
        (writer.document("<DelegationCancel><DelegationID>d-2</DelegationID></DelegationCancel>"), 200),
        (writer.document("<DelegationCancel><DelegationID>d-2</DelegationID></DelegationCancel>"), 410),
        (
            writer.document("<DelegationNotify><DelegationID>d-1</DelegationID><Event>active</Event></DelegationNotify>"),
            403,
        ),
        (
            writer.document("<DelegationResponse><DelegationID>d-1</DelegationID><Status>200</Status></DelegationResponse>"),
            403,
        ),
    ] {
        let reply = say(&document).await;
        assert_eq!(judged(&reply), status, "{} {}", &document[..document.len().min(600)], String::from_utf8_lossy(&reply.body));
    }
    // The same message again has the same answer and no second effect; another message of its identifier is none.
    let document = writer.request("d-4", &device("SIM:3"), "", get);
    let first = say(&document).await;
    let again = say(&document).await;
    assert_eq!((judged(&first), &first.body), (200, &again.body));
    assert_eq!(judged(&say(&document.replace("d-4", "d-5")).await), 400);

    for (document, place) in [
        (writer.document("<DelegationRequest/>"), "Rights at byte"),
        (document.replace("Get</Rights>", "Own</Rights>"), "\"Own\""),
        (document.replace("</To>", ""), "document at byte"),
        (document.replace(delegation::NAMESPACE, "urn:x"), "namespace"),
        (writer.at("2001-01-01T00:00:00Z", "<DelegationQuery/>"), "Timestamp"),
        (writer.at(&in_seconds(3_600), "<DelegationQuery/>"), "Timestamp"),
    ] {
        let reply = say(&document).await;
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, 400, "{told}");
        assert!(told.contains(place), "{told}");
    }
    let plain = a.post_delegation(Some((&certificate, &key)), "text/xml", &document).await;
    assert_eq!(plain.status, 415);
    let mut slow = 0;
    while say(&document).await.status != 429 {
        slow += 1;
        assert!(slow < 60);
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    proves!("OMA-ERDEF-DM-S_010-O");
    let (mut a, b, mut c) =
        (ServeProcess::new(A).await, ServeProcess::new(B).await, ServeProcess::new("dm.c.example").await);
    a.start(&b.peer("")).await;
    c.start(&a.peer("")).await;
    for server in [&a, &c] {
        server.post("/devices", &json!({ "id": "SIM:1" }), 201).await;
    }
    let status = async |shown: Option<&ServeProcess>, document: &str| {
        let files = shown.map(ServeProcess::files);
        let files = files.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let reply = a.post_delegation(files, MEDIA_TYPE, document).await;
        (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
    };
    let request = |from: &str, to: &str| Writer::new(from, to).request("d-1", &device("SIM:1"), "", "Get");
    for (shown, document, expected, said) in [
        (None, request(B, A), 401, "certificate"),
        (Some(&c), request("dm.c.example", A), 403, "no server that is known"),
        (Some(&c), request(B, A), 403, "no server that is known"),
        (Some(&b), request("dm.c.example", A), 403, "From"),
        (Some(&b), request(B, "dm.c.example"), 403, "To"),
        (Some(&b), request(B, A), 202, "202"),
    ] {
        let (status, told) = status(shown, &document).await;
        assert_eq!(status, expected, "{told}");
        assert!(told.contains(said), "{told}");
    }
    // A server without a contract that asks by itself.
    let ask =
        json!({ "peer": A, "what": "ask", "devices": ["SIM:1"], "targets": ["./Agent"], "rights": ["Get"] });
    let made = c.post("/delegations", &ask, 202).await;
    let rejected = c.delegation(made["id"].as_str().unwrap(), "rejected").await;
    assert!(rejected["reason"].as_str().unwrap().contains("403"), "{rejected}");
    let events = a.get("/events?limit=1000").await.to_string();
    assert!(events.contains("delegation refused"), "{events}");
}

#[tokio::test]
async fn nobody_passes_on_what_he_may_not() {
    let (mut a, mut b, mut c) =
        (ServeProcess::new(A).await, ServeProcess::new(B).await, ServeProcess::new("dm.c.example").await);
    a.start(&b.peer("")).await;
    b.start(&format!("{}{}", a.peer("accept_offers = true"), c.peer(""))).await;
    c.start(&b.peer("accept_offers = true")).await;
    for server in [&a, &b, &c] {
        server.post("/devices", &json!({ "id": "SIM:1" }), 201).await;
    }
    let offer = |peer: &str, target: &str| json!({ "peer": peer, "what": "offer", "devices": ["SIM:1"], "targets": [target], "rights": ["Get"] });
    let made = a.post("/delegations", &offer(B, "./Agent"), 202).await;
    let id = made["id"].as_str().unwrap();
    a.delegation(id, "applying").await;
    b.delegation(b.named(id).await["id"].as_str().unwrap(), "applying").await;
    let back = b.post("/delegations", &offer(A, "./Agent/Note"), 403).await;
    assert!(back["detail"].as_str().unwrap().contains("loop"), "{back}");
    let on = b.post("/delegations", &offer("dm.c.example", "./Agent/Note"), 403).await;
    assert!(on["detail"].as_str().unwrap().contains("may not pass it on"), "{on}");
    // What is B's own is for B to give.
    let own = b.post("/delegations", &offer("dm.c.example", "./Other"), 202).await;
    b.delegation(own["id"].as_str().unwrap(), "applying").await;
    // A refuses its own back, whoever offers it.
    let (certificate, key) = b.files();
    let document = Writer::new(B, A)
        .request("d-1", &device("SIM:1"), "", "Get")
        .replace(&format!("<ServerID>{B}</ServerID>"), &format!("<ServerID>{A}</ServerID>"));
    let reply = a.post_delegation(Some((&certificate, &key)), MEDIA_TYPE, &document).await;
    assert_eq!(judged(&reply), 403);
    // Nobody hears of it after the end.
    a.post(&format!("/delegations/{id}/cancel"), &json!({}), 200).await;
    a.delegation(id, "ended").await;
}

#[tokio::test]
async fn an_offer_is_judged_again_when_it_is_accepted() {
    let (mut a, mut b) = (ServeProcess::new(A).await, ServeProcess::new(B).await);
    a.start(&b.peer("")).await;
    b.start(&a.peer("")).await;
    for server in [&a, &b] {
        server.post("/devices", &json!({ "id": "SIM:1" }), 201).await;
    }
    let offer = |peer: &str| json!({ "peer": peer, "what": "offer", "devices": ["SIM:1"], "targets": ["./Agent"], "rights": ["Get"] });
    let of_a = a.post("/delegations", &offer(B), 202).await["id"].as_str().unwrap().to_owned();
    let of_b = b.post("/delegations", &offer(A), 202).await["id"].as_str().unwrap().to_owned();
    // As long as nobody has decided, neither stands in the way of the other.
    let (at_a, at_b) = (a.named(&of_b).await, b.named(&of_a).await);
    let approve = |known: &Value| format!("/delegations/{}/approve", known["id"].as_str().unwrap());
    a.post(&approve(&at_a), &json!({}), 200).await;
    b.delegation(&of_b, "applying").await;
    let refused = b.post(&approve(&at_b), &json!({}), 403).await;
    assert!(refused["detail"].as_str().unwrap().contains("loop"), "{refused}");
    // Where the other server says yes all the same, this one does not give what it was given.
    let (certificate, key) = b.files();
    let yes = format!(
        "<DelegationResponse><DelegationID>{of_a}</DelegationID><Status>200</Status></DelegationResponse>"
    );
    let yes = Writer::new(B, A).document(&yes);
    let reply = a.post_delegation(Some((&certificate, &key)), MEDIA_TYPE, &yes).await;
    assert_eq!(judged(&reply), 200);
    let ended = a.delegation(&of_a, "ended").await;
    assert!(ended["reason"].as_str().unwrap().contains("loop"), "{ended}");
    b.delegation(at_b["id"].as_str().unwrap(), "ended").await;
}

#[tokio::test]
async fn what_nobody_decided_in_time_is_over_on_both_sides() {
    let (mut a, mut b) = (ServeProcess::new(A).await, ServeProcess::new(B).await);
    a.start(&b.peer("")).await;
    b.start(&a.peer("")).await;
    for server in [&a, &b] {
        server.post("/devices", &json!({ "id": "SIM:1" }), 201).await;
    }
    let offer = json!({
        "peer": B, "what": "offer", "devices": ["SIM:1"], "targets": ["./Agent"], "rights": ["Get"], "not_after": in_seconds(5),
    });
    let made = a.post("/delegations", &offer, 202).await;
    let id = made["id"].as_str().unwrap();
    let at_b = b.named(id).await["id"].as_str().unwrap().to_owned();
    for (server, id) in [(&a, id), (&b, &at_b)] {
        assert_eq!(server.delegation(id, "ended").await["reason"], "its time is over");
    }
    b.post(&format!("/delegations/{at_b}/approve"), &json!({}), 409).await;
}

#[tokio::test]
async fn what_was_delegated_is_given_back_by_who_has_it() {
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2008";
    let two = Two::start(Device::Dm1, id, "", "accept_offers = true").await;
    let delegation = two.delegated(&json!({})).await;
    let at_b = two.b.named(&delegation).await["id"].as_str().unwrap().to_owned();
    two.b.delegation(&at_b, "active").await;
    let not_ours = two.a.post(&format!("/delegations/{delegation}/release"), &json!({}), 409).await;
    assert!(not_ours["detail"].as_str().unwrap().contains("delegated to this server"), "{not_ours}");
    let token = two.b.token_file();
    let words = ["delegation", "release", &at_b, "--server", &two.b.operator_url(), "--token-file"];
    let ran = omadm(&[&words[..], &[token.to_str().unwrap()]].concat()).await;
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && told.contains("is revoking"), "{ran:?}");
    two.b.post(&format!("/delegations/{at_b}/release"), &json!({}), 409).await;
    let ended = two.a.sessions_until(&two.agent, &delegation, "ended").await;
    assert!(ended["reason"].as_str().unwrap().contains("does not need it"), "{ended}");
    two.b.delegation(&at_b, "ended").await;
    assert_eq!(two.tried_by_b().await.map(|(_, status)| status), [Some(425), Some(425)]);
}

#[tokio::test]
async fn what_was_delegated_for_one_session_is_given_back_after_it() {
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c2009";
    let two = Two::start(Device::Dm1, id, "", "accept_offers = true").await;
    let delegation = two.delegated(&json!({ "session_id": "2A" })).await;
    let at_b = two.b.named(&delegation).await["id"].as_str().unwrap().to_owned();
    two.b.delegation(&at_b, "active").await;
    let get = json!({ "verb": "get", "address": two.note() });
    assert_eq!(two.b.carry_out(&two.agent, &get).await["state"], "done", "in its session");
    let over = two.b.delegation(&at_b, "revoking").await;
    assert_eq!(over["reason"], "its session is over");
    two.a.sessions_until(&two.agent, &delegation, "ended").await;
    two.b.delegation(&at_b, "ended").await;
    assert_eq!(two.tried_by_b().await.map(|(_, status)| status), [Some(425), Some(425)]);
}

#[tokio::test]
async fn a_server_that_may_pass_on_gets_a_whole_object_with_replace() {
    let id = "UUID:8d0f8f51-4b8e-4b5c-9c8b-6f1d5a1c200a";
    let two = Two::start(Device::Dm1, id, "allow_redelegation = true", "accept_offers = true").await;
    let delegation = two.delegated(&json!({ "targets": [AGENT], "rights": ["Add", "Get", "Replace"] })).await;
    assert_eq!(two.tried_by_b().await, [done(), done()]);
    // With Replace on the object itself it may say who may do what there.
    let acl = json!({ "verb": "get", "address": "./Agent?prop=ACL" });
    let told = two.b.carry_out(&two.agent, &acl).await["result"].to_string();
    assert!(told.contains(&format!("Replace={A}+{B}")), "{told}");
    two.a.post(&format!("/delegations/{delegation}/cancel"), &json!({}), 200).await;
    two.a.sessions_until(&two.agent, &delegation, "ended").await;
    assert_eq!(two.tried_by_b().await.map(|(_, status)| status), [Some(425), Some(425)]);
}

#[test]
fn the_schema_holds_for_everything_that_is_written() {
    proves!("E13-DMDELXSD");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/delegation");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        xmllint::validate_delegation(&text);
        let message = decode(text.as_bytes(), delegation::NAMESPACE, &Limits::default()).unwrap();
        xmllint::validate_delegation(&message.to_xml(delegation::NAMESPACE));
        seen += 1;
    }
    assert!(seen >= 7, "{seen}");
}
