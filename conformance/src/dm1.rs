//! DM 1.x: a device under test, and messages of a scripted server, written by hand.

use std::fmt::Write as _;

use http::Method;
use omadm_client::dm1::{AccountSettings, Encoding, SessionReport, Start, Version};
use omadm_client::{
    Client, DataMo, Device, DeviceConfig, Grant, Grantee, HttpsConfig, HttpsTransport, ManagementObject,
    Volatile,
};
use omadm_mo::{Moid, NodeRef, Rights, ServerId, Value};
use serde_json::json;

use crate::device::DEVICE_ID;
use crate::libwbxml;
use crate::script_server::{Answer, ScriptServer};
use crate::test_mo::{FixedMo, MOID, Plug, TestMo};
use crate::tls::Authority;

/// DDF files of the standard objects.
const DMACC: &str = include_str!("../../ddf/dm_dmacc-v1_3.ddf");
const DEVINFO: &str = include_str!("../../ddf/dm_devinfo-v1_3.ddf");
const DEVINFO_MOID: &str = "urn:oma:mo:oma-dm-devinfo:1.1";
/// ServerID of the account.
const SERVER: &str = "dm.ex";
/// Path of the DM endpoint.
const PATH: &str = "/dm";

/// A device that speaks DM 1.3, an account of a scripted server in it, and that server.
pub struct Dm1Bench {
    /// The device.
    pub client: Client<HttpsTransport>,
    /// The server.
    pub server: ScriptServer,
    encoding: Encoding,
    /// Who signed the server's certificate.
    _authority: Authority,
}

impl Dm1Bench {
    /// Over TLS; the device has the object of a DDF file, on which the server has all rights.
    pub async fn new(encoding: Encoding, ddf: &str, moid: &str) -> Self {
        Self::of(encoding, Box::new(DataMo::new(ddf, "https://ddf.example.org/object.ddf")), moid).await
    }

    /// The same with the object whose behaviour the test sets.
    pub async fn with_plug(encoding: Encoding) -> (Self, Plug) {
        let plug = Plug::default();
        let object = TestMo { plug: plug.clone(), link: "https://ddf.example.org/object.ddf".to_owned() };
        (Self::of(encoding, Box::new(object), MOID).await, plug)
    }

    async fn of(encoding: Encoding, object: Box<dyn ManagementObject>, moid: &str) -> Self {
        let authority = Authority::new();
        let server = ScriptServer::https(&authority).await;
        let mut device = device(object, moid);
        device.install_dm1_account(&account(&server.uri(PATH), encoding)).expect("a good account");
        let https = HttpsConfig { ca_file: Some(authority.ca_file()), ..HttpsConfig::default() };
        let transport = HttpsTransport::new(&https).expect("TLS settings");
        let client = Client::new(device, transport, omadm_client::ClientConfig::default());
        Self { client, server, encoding, _authority: authority }
    }

    /// Runs a session in which the server sends these commands, in SyncML without their `CmdID`; gives the message that answers
    /// them, in XML.
    pub async fn run(&mut self, commands: &[&str]) -> String {
        let text = commands.iter().enumerate().fold(String::new(), |mut text, (at, command)| {
            let (begin, rest) = command.split_once('>').expect("a command is an element");
            write!(text, "{begin}><CmdID>{}</CmdID>{rest}", at + 10).expect("a String takes all");
            text
        });
        self.run_octets(&self.encode(&self.message(1, &[("Alert", 1), ("Replace", 2)], &text))).await
    }

    /// The same where the message is given as it is on the wire; [`Dm1Bench::message`] and [`Dm1Bench::encode`] make one.
    pub async fn run_octets(&mut self, message: &[u8]) -> String {
        let before = self.server.requests().len();
        self.say(message);
        self.say(&self.encode(&self.message(2, &[], "")));
        let report = self.session().await;
        let requests = self.server.requests().split_off(before);
        assert_eq!(requests.len(), 2, "one message answers one message; {report:?}");
        let answer = &requests[1].body;
        match self.encoding {
            Encoding::Xml => String::from_utf8(answer.clone()).expect("XML is text"),
            Encoding::Wbxml => libwbxml::to_xml("SYNCML12", answer),
        }
    }

    /// The message that the device sent last, as it was on the wire.
    #[must_use]
    pub fn last_octets(&self) -> Vec<u8> {
        self.server.requests().pop().expect("there was one").body
    }

    async fn session(&mut self) -> SessionReport {
        let server = ServerId::parse(SERVER).expect("a server identifier");
        self.client.run_dm1_session(&server, Start::Client).await.expect("the session could be started")
    }

    fn say(&self, octets: &[u8]) {
        let media_type = match self.encoding {
            Encoding::Xml => "application/vnd.syncml.dm+xml",
            Encoding::Wbxml => "application/vnd.syncml.dm+wbxml",
        };
        self.server.route_once(&Method::POST, PATH, Answer::body(media_type, octets));
    }

    /// A message of the server in XML: 200 for the header and these commands of the message before, then further commands.
    #[must_use]
    pub fn message(&self, number: u32, done: &[(&str, u32)], commands: &str) -> String {
        let statuses = [("SyncHdr", 0)].iter().chain(done).zip(1..).fold(
            String::new(),
            |mut text, ((name, reference), id)| {
                write!(
                    text,
                    "<Status><CmdID>{id}</CmdID><MsgRef>{number}</MsgRef><CmdRef>{reference}</CmdRef>\
                     <Cmd>{name}</Cmd><Data>200</Data></Status>"
                )
                .expect("a String takes all");
                text
            },
        );
        let uri = self.server.uri(PATH);
        let session = self.session_number();
        format!(
            "<?xml version=\"1.0\"?><!DOCTYPE SyncML PUBLIC \"-//SYNCML//DTD SyncML 1.2//EN\" \
             \"http://www.openmobilealliance.org/tech/DTD/OMA-TS-SyncML_RepPro_DTD-V1_2.dtd\">\
             <SyncML xmlns=\"SYNCML:SYNCML1.2\"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.3</VerProto>\
             <SessionID>{session}</SessionID><MsgID>{number}</MsgID><Target><LocURI>{DEVICE_ID}</LocURI></Target>\
             <Source><LocURI>{uri}</LocURI></Source></SyncHdr><SyncBody>{statuses}{commands}<Final/></SyncBody></SyncML>"
        )
    }

    /// Sessions of a device that is new are numbered from 1; each has two messages here.
    fn session_number(&self) -> usize {
        self.server.requests().len() / 2 + 1
    }

    /// The message as it is on the wire.
    #[must_use]
    pub fn encode(&self, message: &str) -> Vec<u8> {
        match self.encoding {
            Encoding::Xml => message.as_bytes().to_vec(),
            Encoding::Wbxml => libwbxml::to_wbxml(message),
        }
    }

    /// The node at a path from the root of the device's tree, as the device itself sees it.
    #[must_use]
    pub fn node(&self, path: &str) -> Option<NodeRef<'_>> {
        let root = self.client.device().tree().root();
        path.split('/').try_fold(root, |node, name| node.child(name))
    }

    /// The value of a leaf, as text.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        self.node(path)?.value().map(Value::to_text)
    }
}

fn account(uri: &str, encoding: Encoding) -> AccountSettings {
    AccountSettings {
        server_id: SERVER.to_owned(),
        name: String::new(),
        addresses: vec![uri.to_owned()],
        preferred: None,
        client: None,
        server: None,
        notification: None,
        http: None,
        obex: None,
        version: Some(Version::Dm13),
        encoding,
    }
}

fn device(object: Box<dyn ManagementObject>, moid: &str) -> Device {
    let link = |name: &str| format!("https://ddf.example.org/{name}");
    let values = json!({ "DevId": DEVICE_ID, "Man": "Vendor", "Mod": "Model", "DmV": "1.3", "Lang": "en" });
    let plugins: Vec<Box<dyn ManagementObject>> = vec![
        Box::new(FixedMo {
            ddf: DEVINFO,
            link: link("dm_devinfo-v1_3.ddf"),
            moid: DEVINFO_MOID,
            miid: "DevInfo",
            values,
        }),
        Box::new(DataMo::new(DMACC, link("dm_dmacc-v1_3.ddf"))),
        object,
    ];
    let grant = |moid: &str, rights| Grant {
        moid: Moid::parse(moid).expect("a MOID"),
        path: "/".to_owned(),
        to: Grantee::Bootstrapped,
        rights,
    };
    let all = Rights::from_ar(15).expect("0 to 15");
    let config = DeviceConfig {
        grants: vec![grant(moid, all), grant(DEVINFO_MOID, Rights::READ)],
        ..DeviceConfig::default()
    };
    Device::open(config, plugins, Box::new(Volatile::new())).expect("a good device")
}
