//! A device of DM 1.x for tests: scripted messages, in XML or WBXML, with the credentials that a test chooses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use omadm_auth::Secret;
use omadm_auth::dm1::{Hash, HmacHeader, Keys};
use omadm_codec::dm1::{Command, Data, Encoding, Form, Message, Status, Version, decode, encode};
use omadm_codec::{Leniency, Limits};
use serde_json::{Value, json};

use crate::harness::{Answer, Connection, TestServer};

pub const DM_XML: &str = "application/vnd.syncml.dm+xml";
pub const DM_WBXML: &str = "application/vnd.syncml.dm+wbxml";

/// How a device proves itself.
#[derive(Clone, Copy, PartialEq)]
pub enum Proof {
    None,
    Digest,
    Mac,
}

/// A device with what it knows of its session.
pub struct Dm1Device {
    pub id: String,
    pub user: String,
    pub secret: String,
    pub server: Value,
    pub path: String,
    pub proof: Proof,
    pub wbxml: bool,
    pub version: &'static str,
    pub session: String,
    pub message: u32,
    pub nonce: Vec<u8>,
    pub user_agent: Option<String>,
    pub hash: Hash,
    keys: Keys,
}

impl Dm1Device {
    pub async fn enrol(server: &TestServer, id: &str) -> Self {
        let answer = server.api("POST", "/devices", Some(json!({ "id": id }))).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let enrolled = answer.json();
        let text = |name: &str| enrolled[name].as_str().unwrap().to_owned();
        let (user, secret) = (text("user"), text("secret"));
        Self {
            id: id.to_owned(),
            keys: Keys::of(&user, &Secret::new(secret.clone().into_bytes())),
            user,
            secret,
            server: enrolled["dm1"].clone(),
            path: "/dm".to_owned(),
            proof: Proof::Mac,
            wbxml: false,
            version: "DM/1.2",
            session: "2A".to_owned(),
            message: 0,
            nonce: Vec::new(),
            user_agent: None,
            hash: Hash::Sha256,
        }
    }

    /// Its id in a path of the API.
    pub fn api(&self, rest: &str) -> String {
        format!("/devices/{}{rest}", self.id.replace(':', "%3A"))
    }

    pub async fn queue(&self, server: &TestServer, command: Value) -> String {
        let answer = server.api("POST", &self.api("/commands"), Some(command)).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// The text of a message with this body.
    pub fn text(&self, body: &str) -> String {
        let credentials = match self.proof {
            Proof::Digest => format!(
                "<Cred><Meta><Format xmlns=\"syncml:metinf\">b64</Format><Type xmlns=\"syncml:metinf\">syncml:auth-{}</Type>\
                 </Meta><Data>{}</Data></Cred>",
                if self.hash == Hash::Md5 { "md5" } else { "sha256" },
                self.keys.digest(self.hash, &self.nonce)
            ),
            Proof::None | Proof::Mac => String::new(),
        };
        let ver_dtd = if self.version == "DM/1.1" { "1.1" } else { "1.2" };
        format!(
            "<SyncML xmlns=\"SYNCML:SYNCML{ver_dtd}\"><SyncHdr><VerDTD>{ver_dtd}</VerDTD><VerProto>{}</VerProto>\
             <SessionID>{}</SessionID><MsgID>{}</MsgID><Target><LocURI>https://localhost{}</LocURI></Target>\
             <Source><LocURI>{}</LocURI><LocName>{}</LocName></Source>{credentials}\
             <Meta><MaxMsgSize xmlns=\"syncml:metinf\">65536</MaxMsgSize></Meta></SyncHdr><SyncBody>{body}</SyncBody></SyncML>",
            self.version,
            self.session,
            self.message,
            self.path.replace('&', "&amp;"),
            self.id,
            self.user
        )
    }

    /// A request with the octets of a message.
    pub fn request(&self, octets: Vec<u8>) -> Request<Full<Bytes>> {
        let content_type = if self.wbxml { DM_WBXML } else { DM_XML };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .header("host", "localhost")
            .header("content-type", content_type);
        if let Some(agent) = &self.user_agent {
            request = request.header("user-agent", agent);
        }
        if self.proof == Proof::Mac {
            let mac = self.keys.mac(self.hash, &self.nonce, &octets);
            let header = HmacHeader { hash: self.hash, user: self.user.clone(), mac };
            request = request.header("x-syncml-hmac", header.to_string());
        }
        request.body(Full::new(octets.into())).unwrap()
    }

    /// The octets of a message with this body.
    pub fn octets(&self, body: &str) -> Vec<u8> {
        let text = self.text(body);
        if !self.wbxml {
            return text.into_bytes();
        }
        encode(&read(text.as_bytes()), Form::for_version(Encoding::Wbxml, Version::Dm12))
    }

    /// Sends the next message; gives the answer, and keeps the nonce in it.
    pub async fn send(&mut self, connection: &mut Connection, body: &str) -> Message<'static> {
        self.message += 1;
        let octets = self.octets(body);
        let answer = connection.send(self.request(octets)).await;
        self.heard(&answer)
    }

    pub fn heard(&mut self, answer: &Answer) -> Message<'static> {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), if self.wbxml { DM_WBXML } else { DM_XML });
        assert_eq!(answer.header("cache-control"), "no-store, private");
        let message = read(&answer.body);
        assert_eq!(message.header.session_id, self.session);
        let nonces = statuses(&message).into_iter().filter_map(|status| status.challenge);
        if let Some(nonce) = nonces.rev().find_map(|challenge| challenge.next_nonce) {
            self.nonce = nonce.into_owned();
        }
        message
    }

    /// The commands of package 1, DevInfo among them.
    pub fn hello(&self, alert: &str) -> String {
        let leaf = |(name, value): (&str, &str)| {
            format!("<Item><Source><LocURI>./DevInfo/{name}</LocURI></Source><Data>{value}</Data></Item>")
        };
        let leaves =
            [("DevId", self.id.as_str()), ("Man", "Acme"), ("Mod", "Probe"), ("DmV", "0.4"), ("Lang", "en")];
        let items: String = leaves.into_iter().map(leaf).collect();
        format!(
            "<Alert><CmdID>1</CmdID><Data>{alert}</Data></Alert><Replace><CmdID>2</CmdID>{items}</Replace><Final/>"
        )
    }

    /// Begins a session: the first answer to it whose commands count, if the server asks for credentials first.
    pub async fn begin(&mut self, connection: &mut Connection) -> Message<'static> {
        let hello = self.hello("1201");
        let answer = self.send(connection, &hello).await;
        if !matches!(code_of(&answer, "0"), 401 | 407) {
            return answer;
        }
        let again = format!(
            "{}{hello}",
            status(1, self.message, "0", "SyncHdr", 200).replace("<CmdID>1<", "<CmdID>3<")
        );
        self.send(connection, &again).await
    }
}

/// What a device says to the last message of the server: its statuses, and what comes with them.
pub struct Said {
    message: u32,
    next: u32,
    body: String,
}

impl Said {
    pub fn to(answer: &Message<'_>) -> Self {
        let message = answer.header.message_id.parse().unwrap();
        Self { message, next: 2, body: status(1, message, "0", "SyncHdr", 200) }
    }

    /// A status for a command.
    pub fn status(mut self, sent: &Sent, code: u16) -> Self {
        let name = sent.name.split(' ').next().unwrap();
        self.body += &status(self.next, self.message, &sent.id, name, code);
        self.next += 1;
        self
    }

    /// A status with what the user entered.
    pub fn input(mut self, sent: &Sent, code: u16, entered: &[&str]) -> Self {
        let items: String = entered.iter().map(|text| format!("<Item><Data>{text}</Data></Item>")).collect();
        let status = status(self.next, self.message, &sent.id, "Alert", code);
        self.body += &status.replace("</Status>", &format!("{items}</Status>"));
        self.next += 1;
        self
    }

    /// The status 200 and the results of a Get.
    pub fn results(mut self, sent: &Sent, items: &[(&str, &str, Option<&str>)]) -> Self {
        self = self.status(sent, 200);
        self.body += &results(self.next, self.message, &sent.id, items);
        self.next += 1;
        self
    }

    /// Anything else.
    pub fn and(mut self, xml: &str) -> Self {
        self.body += &xml.replace("<CmdID/>", &format!("<CmdID>{}</CmdID>", self.next));
        self.next += 1;
        self
    }

    pub fn end(self) -> String {
        self.body + "<Final/>"
    }
}

/// Reads a message.
pub fn read(octets: &[u8]) -> Message<'static> {
    let encoding = Encoding::sniff(octets).unwrap();
    let limits = Limits { bytes: octets.len(), ..Limits::default() };
    let decoded = decode(octets, encoding, &limits, &mut Leniency::strict())
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(octets)));
    decoded.message.into_owned()
}

/// A status in XML.
pub fn status(id: u32, message: u32, command: &str, name: &str, code: u16) -> String {
    format!(
        "<Status><CmdID>{id}</CmdID><MsgRef>{message}</MsgRef><CmdRef>{command}</CmdRef><Cmd>{name}</Cmd><Data>{code}</Data></Status>"
    )
}

pub fn statuses<'a>(message: &Message<'a>) -> Vec<Status<'a>> {
    let statuses = message.commands.iter().filter_map(|command| match command {
        Command::Status(status) => Some(status.clone()),
        _ => None,
    });
    statuses.collect()
}

/// The code of the status for a command of the device.
pub fn code_of(message: &Message<'_>, command: &str) -> u16 {
    let all = statuses(message);
    let found = all.iter().find(|status| status.cmd_ref == command);
    found.unwrap_or_else(|| panic!("no status for {command} in {message:?}")).code.parse().unwrap()
}

/// Commands other than statuses: name, `CmdID`, and target and data of each item.
pub fn commands(message: &Message<'_>) -> Vec<Sent> {
    let mut sent = Vec::new();
    for command in &message.commands {
        collect(command, &mut sent);
    }
    sent
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub name: String,
    pub id: String,
    pub items: Vec<(String, Option<String>)>,
    pub correlator: Option<String>,
}

fn collect(command: &Command<'_>, sent: &mut Vec<Sent>) {
    let item = |item: &omadm_codec::dm1::Item<'_>| {
        let data = item.data.as_ref().map(|data| match data {
            Data::Text(text) => text.clone().into_owned(),
            Data::Opaque(octets) => STANDARD.encode(octets),
        });
        (item.target.clone().unwrap_or_default().into_owned(), data)
    };
    match command {
        Command::Operation(operation) => sent.push(Sent {
            name: operation.kind.as_str().to_owned(),
            id: operation.id.clone().into_owned(),
            items: operation.items.iter().map(item).collect(),
            correlator: operation.correlator.clone().map(std::borrow::Cow::into_owned),
        }),
        Command::Alert(alert) => sent.push(Sent {
            name: format!("Alert {}", alert.code),
            id: alert.id.clone().into_owned(),
            items: alert.items.iter().map(item).collect(),
            correlator: None,
        }),
        Command::Container(container) => {
            sent.push(Sent {
                name: container.kind.as_str().to_owned(),
                id: container.id.clone().into_owned(),
                items: Vec::new(),
                correlator: None,
            });
            container.commands.iter().for_each(|command| collect(command, sent));
        }
        Command::Status(_) | Command::Results(_) | Command::Unknown(_) => {}
    }
}

/// Results of a Get in XML.
pub fn results(id: u32, message: u32, command: &str, items: &[(&str, &str, Option<&str>)]) -> String {
    let item = |(uri, format, data): &(&str, &str, Option<&str>)| {
        let data = data.map(|data| format!("<Data>{data}</Data>")).unwrap_or_default();
        let (format, media) =
            format.split_once(' ').map_or((*format, None), |(format, media)| (format, Some(media)));
        let media =
            media.map(|media| format!("<Type xmlns=\"syncml:metinf\">{media}</Type>")).unwrap_or_default();
        format!(
            "<Item><Source><LocURI>{uri}</LocURI></Source><Meta><Format xmlns=\"syncml:metinf\">{format}</Format>{media}</Meta>{data}</Item>"
        )
    };
    let items: String = items.iter().map(item).collect();
    format!(
        "<Results><CmdID>{id}</CmdID><MsgRef>{message}</MsgRef><CmdRef>{command}</CmdRef>{items}</Results>"
    )
}
