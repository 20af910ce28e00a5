//! The server of DM 1.3 with an independent device, which makes its messages and proofs itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_auth::dm1::Scheme;
use omadm_conformance::{Reply, ScriptDevice, TestServer, proves};
use openssl::hash::{MessageDigest, hash};
use serde_json::json;

const XML: &str = "application/vnd.syncml.dm+xml";
const PACKAGE_1: &str = "<Alert><CmdID>1</CmdID><Data>1201</Data></Alert><Replace><CmdID>2</CmdID>\
    <Item><Source><LocURI>./DevInfo/Man</LocURI></Source><Data>Acme</Data></Item>\
    <Item><Source><LocURI>./DevInfo/Mod</LocURI></Source><Data>Probe</Data></Item></Replace>";

/// A session of the device.
struct Session<'s> {
    device: &'s ScriptDevice,
    id: &'s str,
    number: u32,
    scheme: Scheme,
    /// What it proves itself with: password and nonce.
    proof: Option<(String, Vec<u8>)>,
    /// The message sent last, with its header.
    sent: (String, Option<String>),
}

impl<'s> Session<'s> {
    fn new(device: &'s ScriptDevice, id: &'s str, scheme: Scheme) -> Self {
        Self { device, id, number: 0, scheme, proof: None, sent: (String::new(), None) }
    }

    /// Whether credentials go with it is up to `proof`.
    async fn say(&mut self, body: &str, is_final: bool) -> String {
        self.number += 1;
        let (id, number, end) = (self.id, self.number, if is_final { "<Final/>" } else { "" });
        let (name, device) = (&self.device.credentials.0, &self.device.device_id);
        let cred = self.proof.as_ref().filter(|_| !self.scheme.is_mac()).map(|(password, nonce)| {
            let data = match self.digest() {
                None => STANDARD.encode(format!("{name}:{password}")),
                Some(_) => STANDARD.encode(self.hashed(&[self.key(password).as_bytes(), nonce])),
            };
            format!(
                "<Cred><Meta><Format xmlns=\"syncml:metinf\">b64</Format><Type xmlns=\"syncml:metinf\">{}</Type></Meta>\
                 <Data>{data}</Data></Cred>",
                self.scheme.type_name()
            )
        });
        let message = format!(
            "<SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.3</VerProto>\
             <SessionID>{id}</SessionID><MsgID>{number}</MsgID><Target><LocURI>https://localhost/dm</LocURI></Target>\
             <Source><LocURI>{device}</LocURI><LocName>{name}</LocName></Source>{}\
             <Meta><MaxMsgSize xmlns=\"syncml:metinf\">2000</MaxMsgSize></Meta></SyncHdr><SyncBody>{body}{end}</SyncBody></SyncML>",
            cred.unwrap_or_default()
        );
        let mac = self.proof.as_ref().filter(|_| self.scheme.is_mac()).map(|(password, nonce)| {
            let of_body = STANDARD.encode(self.hashed(&[message.as_bytes()]));
            let mac =
                STANDARD.encode(self.hashed(&[self.key(password).as_bytes(), nonce, of_body.as_bytes()]));
            let algorithm = if self.scheme == Scheme::MacMd5 { "MD5" } else { "SHA256" };
            format!("algorithm={algorithm}, username=\"{name}\", mac={mac}")
        });
        self.sent = (message, mac);
        let reply = text(&self.again().await);
        if let (Some((_, nonce)), Some(next)) = (&mut self.proof, element(&reply, "NextNonce")) {
            *nonce = STANDARD.decode(next).unwrap();
        }
        reply
    }

    /// The message sent last, once more.
    async fn again(&self) -> Reply {
        let (message, mac) = &self.sent;
        let mut headers = vec![("content-type", XML)];
        headers.extend(mac.as_deref().map(|mac| ("x-syncml-hmac", mac)));
        self.device.send(Method::POST, "/dm", &headers, message.as_bytes()).await
    }

    fn digest(&self) -> Option<MessageDigest> {
        match self.scheme {
            Scheme::Basic => None,
            Scheme::Md5 | Scheme::MacMd5 => Some(MessageDigest::md5()),
            Scheme::Sha256 | Scheme::MacSha256 => Some(MessageDigest::sha256()),
        }
    }

    fn hashed(&self, parts: &[&[u8]]) -> Vec<u8> {
        hash(self.digest().unwrap(), &parts.join(&b":"[..])).unwrap().to_vec()
    }

    fn key(&self, password: &str) -> String {
        STANDARD.encode(self.hashed(&[self.device.credentials.0.as_bytes(), password.as_bytes()]))
    }
}

fn text(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some(XML));
    String::from_utf8(reply.body.clone()).unwrap()
}

/// The text of the first element of this name.
fn element<'m>(message: &'m str, name: &str) -> Option<&'m str> {
    let (_, rest) = message.split_once(&format!("<{name}"))?;
    let (_, rest) = rest.split_once('>')?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// Codes of all statuses, in order.
fn codes(message: &str) -> Vec<&str> {
    let statuses = message.split("<Status>").skip(1);
    statuses.map(|status| status.split_once("</Data>").unwrap().0.rsplit_once("<Data>").unwrap().1).collect()
}

async fn server(scheme: Scheme) -> (TestServer, ScriptDevice) {
    let server = TestServer::with(|config| config.dm1.schemes = vec![scheme]).await;
    let device = server.enrol("IMEI:493005100592800").await;
    (server, device)
}

#[tokio::test]
async fn each_scheme_is_asked_for_and_checked() {
    proves!("E13-DMSEC", "E13-4.3-12");
    for scheme in Scheme::ALL {
        let (_server, device) = server(scheme).await;
        let mut session = Session::new(&device, "1", scheme);
        let reply = session.say(PACKAGE_1, true).await;
        assert_eq!(codes(&reply), ["407", "407", "407"], "{scheme:?}");
        let chal = element(&reply, "Chal").unwrap();
        assert!(chal.contains(&format!(">{}</Type>", scheme.type_name())), "{chal}");
        let nonce = element(&reply, "NextNonce").map(|text| STANDARD.decode(text).unwrap());
        assert_eq!(nonce.is_some(), scheme != Scheme::Basic);
        let nonce = nonce.unwrap_or_default();

        session.proof = Some(("not this one".into(), nonce));
        let reply = session.say(PACKAGE_1, true).await;
        assert_eq!(codes(&reply), ["401", "401", "401"], "{scheme:?}");
        assert!(element(&reply, "Chal").is_some(), "{scheme:?}: another try is allowed");

        session.proof.as_mut().unwrap().0.clone_from(&device.credentials.1);
        let reply = session.say(PACKAGE_1, true).await;
        let header = if scheme.is_mac() { "200" } else { "212" };
        assert_eq!(codes(&reply), [header, "200", "200"], "{scheme:?}: {reply}");
        assert_eq!(element(&reply, "NextNonce").is_some(), scheme != Scheme::Basic);

        // With the nonce of this session the next one is proven at once.
        let mut next = Session { id: "2", number: 0, ..session };
        let reply = next.say(PACKAGE_1, true).await;
        assert_eq!(codes(&reply)[0], header, "{scheme:?}");
    }
}

#[tokio::test]
async fn what_was_recorded_is_refused() {
    proves!("E13-4.3-14");
    for scheme in [Scheme::Md5, Scheme::Sha256, Scheme::MacMd5, Scheme::MacSha256] {
        let (_server, device) = server(scheme).await;
        let mut session = Session::new(&device, "1", scheme);
        let challenge = session.say(PACKAGE_1, true).await;
        let nonce = STANDARD.decode(element(&challenge, "NextNonce").unwrap()).unwrap();
        session.proof = Some((device.credentials.1.clone(), nonce));
        session.say(PACKAGE_1, true).await;
        let recorded = Session { sent: session.sent.clone(), ..Session::new(&device, "1", scheme) };
        // Another session comes between, so that it cannot be a repetition.
        let mut next = Session { id: "2", number: 0, ..session };
        let reply = next.say(PACKAGE_1, true).await;
        assert!(["200", "212"].contains(&codes(&reply)[0]), "{scheme:?}");
        let first = Session { sent: next.sent.clone(), ..Session::new(&device, "2", scheme) };
        let mut third = Session { id: "3", number: 0, ..next };
        third.say(PACKAGE_1, true).await;
        for old in [recorded, first] {
            let reply = text(&old.again().await);
            assert!(codes(&reply).iter().all(|code| *code == "401"), "{scheme:?}: {reply}");
        }
    }
}

fn status(number: u32, msg_ref: u32, cmd_ref: u32, cmd: &str, code: u16) -> String {
    format!(
        "<Status><CmdID>{number}</CmdID><MsgRef>{msg_ref}</MsgRef><CmdRef>{cmd_ref}</CmdRef><Cmd>{cmd}</Cmd><Data>{code}</Data></Status>"
    )
}

#[tokio::test]
async fn packages_objects_and_alerts_go_both_ways() {
    proves!("E13-DMPRO", "OMA-ERDEF-DM-S_006-O", "E13-4.3-19");
    let (server, device) = server(Scheme::MacSha256).await;
    let long = "0123456789".repeat(300);
    let set = server.queue(&device, &json!({ "verb": "set", "address": "./Cfg/Long", "value": long })).await;
    let get = server.queue(&device, &json!({ "verb": "get", "address": "./Log" })).await;
    let mut session = Session::new(&device, "1F", Scheme::MacSha256);
    session.proof = Some((device.credentials.1.clone(), Vec::new()));

    // Package 1 in two messages, with an alert in the second.
    let reply = session.say(PACKAGE_1, false).await;
    assert!(reply.starts_with("<SyncML xmlns=\"SYNCML:SYNCML1.2\">"), "{reply}");
    assert_eq!((element(&reply, "SessionID"), element(&reply, "MsgID")), (Some("1F"), Some("1")));
    assert!(reply.contains("<Data>1222</Data>") && !reply.contains("<Final/>"), "{reply}");
    let event = "<Alert><CmdID>2</CmdID><Data>1226</Data><Item><Source><LocURI>./Cfg</LocURI></Source>\
        <Meta><Format xmlns=\"syncml:metinf\">chr</Format><Type xmlns=\"syncml:metinf\">urn:x-test:at:probe:1.0</Type></Meta>\
        <Data>hot</Data></Item></Alert>";
    let reply = session.say(&(status(1, 1, 0, "SyncHdr", 200) + event), true).await;

    // A value that goes in parts, as the device takes 2,000 octets at a time.
    let (mut reply, mut came) = (reply, String::new());
    loop {
        assert!(reply.len() <= 2000, "{}", reply.len());
        let (cmd, command) = ["Replace", "Add"]
            .into_iter()
            .find_map(|cmd| Some((cmd, element(&reply, cmd)?)))
            .unwrap_or_else(|| panic!("{reply}"));
        came.push_str(element(command, "Data").unwrap());
        let more = command.contains("<MoreData/>");
        assert_eq!(more, !reply.contains("<Final/>"), "Final stands in the message with the last part");
        let refers = element(command, "CmdID").unwrap().parse().unwrap();
        let code = if more { 213 } else { 200 };
        let number = session.number;
        let mut said = status(1, number, 0, "SyncHdr", 200) + &status(2, number, refers, cmd, code);
        if more {
            said.push_str("<Alert><CmdID>3</CmdID><Data>1222</Data></Alert>");
        }
        reply = session.say(&said, !more).await;
        if !more {
            break;
        }
    }
    assert_eq!(came, long);

    // A result that comes in parts.
    let asked = element(&reply, "Get").unwrap_or_else(|| panic!("{reply}"));
    let (refers, message): (u32, u32) = (element(asked, "CmdID").unwrap().parse().unwrap(), session.number);
    let part = |data: &str, size: &str, more: &str| {
        format!(
            "<Results><CmdID>7</CmdID><MsgRef>{message}</MsgRef><CmdRef>{refers}</CmdRef><Item><Source><LocURI>./Log</LocURI></Source>\
             <Meta><Format xmlns=\"syncml:metinf\">chr</Format>{size}</Meta><Data>{data}</Data>{more}</Item></Results>"
        )
    };
    let size = "<Size xmlns=\"syncml:metinf\">8</Size>";
    let first = status(1, message, 0, "SyncHdr", 200)
        + &status(2, message, refers, "Get", 200)
        + &part("one ", size, "<MoreData/>");
    let reply = session.say(&first, false).await;
    assert_eq!(codes(&reply), ["200", "213"], "{reply}");
    let last = status(1, message + 1, 0, "SyncHdr", 200) + &part("more", "", "");
    let reply = session.say(&last, true).await;
    assert_eq!(codes(&reply), ["200"], "{reply}");
    assert!(reply.contains("<Final/>"));

    assert_eq!(server.outcome(&set).await, ("done".into(), Some(200)));
    let read = server.command(&get).await;
    assert_eq!(read["state"], "done", "{read}");
    assert!(read.to_string().contains("one more"), "{read}");
    let alerts = server.alerts(&device).await;
    assert!(json!(alerts).to_string().contains("urn:x-test:at:probe:1.0"), "{alerts:?}");
}
