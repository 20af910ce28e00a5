//! Bootstraps of DM 1.x, a device that takes them, and a person who has the PIN.

use std::collections::VecDeque;

use omadm_auth::bootstrap::{Imsi, NetworkSecret, Pin, Secrets, Sender};
use omadm_client::dm1::bootstrap::{BootstrapUser, ConfigObject, PinAnswer, PinRequest, Received, Refused};
use omadm_client::{
    BootstrapRequest, Client, ClientConfig, ClientError, Consent, DataMo, Device, HttpsConfig,
    HttpsTransport, Origin, Persistence, Refusal, Secret, StatusCode, Volatile,
};
use omadm_codec::dm1::{Encoding, Form, Version, tnds};
use omadm_codec::provisioning::ProvisioningDocument;
use omadm_mo::dm1::{Dm1Uri, ReadContent, Snapshot, SnapshotNode, SnapshotType, UriLimits};
use omadm_mo::{Actor, Format, ServerId, Value};
use omadm_session::dm1::bootstrap::{
    Account, Addition, Address, AddressType, AuthLevel, AuthType, ContentType, Credentials, DmAcc, INBOX,
    Message, Provisioning,
};

use super::device::{Hands, config as device_config, plugins};

pub const IMSI: &str = "123456789012345";
pub const ACL: &str = "Delete=dm.example.com&Get=dm.example.com&Replace=dm.example.com";
/// Type of a message of the DM profile.
pub const DM: &str = "application/vnd.syncml.dm+wbxml";
/// Type of a provisioning document.
pub const CP: &str = "application/vnd.wap.connectivity-wbxml";

/// Connections, as a device may have them.
const NAP_DDF: &str = r#"<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD><Node><NodeName/><Path>./NAP</Path><DFProperties>
<AccessType><Get/></AccessType><DFFormat><node/></DFFormat><Occurrence><ZeroOrMore/></Occurrence><Scope><Dynamic/></Scope>
<DFType><DDFName>urn:example:mo:nap:1.0</DDFName></DFType></DFProperties>
<Node><NodeName>Addr</NodeName><DFProperties><AccessType><Get/></AccessType><DFFormat><chr/></DFFormat>
<Occurrence><One/></Occurrence><Scope><Dynamic/></Scope><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
</Node></MgmtTree>"#;

/// Types what it was given, in order, and agrees or not.
pub struct Person {
    pub pins: VecDeque<String>,
    pub agrees: bool,
    pub asked: usize,
    pub decided: usize,
    pub request: Option<BootstrapRequest>,
}

impl Default for Person {
    fn default() -> Self {
        Self { pins: VecDeque::new(), agrees: true, asked: 0, decided: 0, request: None }
    }
}

impl Person {
    pub fn typing<'p>(pins: impl IntoIterator<Item = &'p str>) -> Self {
        Self { pins: pins.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }
}

impl Consent for Person {
    async fn decide(&mut self, request: &BootstrapRequest) -> Result<(), Refusal> {
        self.decided += 1;
        self.request = Some(request.clone());
        if self.agrees { Ok(()) } else { Err(Refusal::new(StatusCode::USER_REJECTED, "no")) }
    }
}

impl BootstrapUser for Person {
    async fn pin(&mut self, request: &PinRequest) -> PinAnswer {
        match self.pins.pop_front() {
            Some(pin) => {
                self.asked += 1;
                assert_eq!(usize::from(request.attempt), self.asked);
                PinAnswer::Pin(pin.into())
            }
            None => PinAnswer::Nobody,
        }
    }
}

pub fn open_on(persistence: impl Persistence + 'static) -> Device {
    let mut plugins = plugins(&Hands::default());
    let data = |ddf: &str, link: &str| Box::new(DataMo::new(ddf, link)) as _;
    plugins.push(data(include_str!("../../../../ddf/dm_dmacc-v1_3.ddf"), "dm_dmacc-v1_3.ddf"));
    plugins.push(data(include_str!("../../../../ddf/dm_inbox-v1_0.ddf"), "dm_inbox-v1_0.ddf"));
    plugins.push(data(NAP_DDF, "nap.ddf"));
    let ddf = include_str!("../../../../ddf/MO_dm_bootconfig-v1_3.ddf");
    plugins.push(Box::new(ConfigObject::new(ddf, "MO_dm_bootconfig-v1_3.ddf")));
    Device::open(device_config(), plugins, Box::new(persistence)).unwrap()
}

/// A device of the subscriber [`IMSI`].
pub fn client_with(change: impl FnOnce(&mut ClientConfig)) -> Client {
    client_on(Volatile::new(), change)
}

pub fn client_on(persistence: impl Persistence + 'static, change: impl FnOnce(&mut ClientConfig)) -> Client {
    let mut config = ClientConfig::default();
    change(&mut config);
    let transport = HttpsTransport::new(&HttpsConfig::default()).unwrap();
    Client::new(open_on(persistence), transport, config)
        .with_network_secret(NetworkSecret::new(None, Some(Imsi::parse(IMSI).unwrap())).unwrap())
}

pub fn client() -> Client {
    client_with(|_| {})
}

pub fn server(id: &str) -> ServerId {
    ServerId::parse(id).unwrap()
}

/// An account as the example of the standard has it.
pub fn account(server: &str) -> Account {
    let credentials = |level, name: &str, secret: &str| Credentials {
        level,
        auth_type: AuthType::DIGEST,
        name: Some(name.to_owned()),
        secret: Some(Secret::new(secret.as_bytes().to_vec())),
        nonce: Some(Secret::new(b"nonce".to_vec())),
    };
    Account {
        server_id: server.to_owned(),
        name: Some("Op DM".to_owned()),
        addresses: vec![Address {
            address: "https://dm.example.com/dm".to_owned(),
            kind: AddressType::URI,
            ports: vec![8443],
        }],
        credentials: vec![
            credentials(AuthLevel::Client, "dev1", "c-secret"),
            credentials(AuthLevel::Server, server, "s-secret"),
        ],
        init: true,
        ..Account::default()
    }
}

/// A provisioning document with one account.
pub fn cp(account: &Account) -> ProvisioningDocument {
    Provisioning { accounts: vec![account.clone()], ..Provisioning::default() }.to_document().unwrap()
}

/// A message that adds documents with these nodes to the Inbox.
pub fn message(documents: Vec<Vec<SnapshotNode>>) -> Vec<u8> {
    let addition = |nodes| Addition { target: INBOX.to_owned(), document: Snapshot { nodes } };
    let message = Message {
        version: Version::Dm12,
        device: super::device::DEVICE_ID.to_owned(),
        server: "https://dm.example.com/dm".to_owned(),
        additions: documents.into_iter().map(addition).collect(),
    };
    message.write()
}

/// A message with one account.
pub fn dm(account: &Account) -> Vec<u8> {
    message(vec![vec![account.to_node(DmAcc::V1_0, "Operator")]])
}

/// Items of a message in WBXML are told apart by the types of what they carry.
pub fn dm_with(account: &Account, form: &str) -> Vec<u8> {
    use omadm_codec::dm1::{Command, Data, encode};
    let body = dm(account);
    if form == "embedded" {
        return body;
    }
    let limits = omadm_codec::Limits::default();
    let mut leniency = omadm_codec::Leniency::strict();
    let decoded = omadm_codec::dm1::decode(&body, Encoding::Wbxml, &limits, &mut leniency).unwrap();
    let mut written = decoded.message;
    let document = Snapshot { nodes: vec![account.to_node(DmAcc::V1_0, "Operator")] };
    let xml = tnds::write(&document, Form::Xml);
    let Command::Operation(add) = &mut written.commands[0] else { panic!() };
    let item = &mut add.items[0];
    item.meta.media_type = Some(tnds::TNDS_XML.into());
    if form == "text" {
        item.meta.format = Some("xml".into());
        item.data = Some(Data::Text(String::from_utf8(xml).unwrap().into()));
    } else {
        item.data = Some(Data::Opaque(xml.into()));
    }
    encode(&written, decoded.form)
}

pub fn text(name: &str, value: &str) -> SnapshotNode {
    SnapshotNode {
        name: Some(name.to_owned()),
        format: Some(Format::Chr),
        value: Some(Value::Text(value.to_owned())),
        ..SnapshotNode::default()
    }
}

pub fn node(name: &str, moid: &str, children: Vec<SnapshotNode>) -> SnapshotNode {
    SnapshotNode {
        name: Some(name.to_owned()),
        format: Some(Format::Node),
        kind: Some(SnapshotType::DdfName(moid.to_owned())),
        children,
        ..SnapshotNode::default()
    }
}

pub fn secrets(pin: &str, imsi: &str) -> Secrets {
    let network = NetworkSecret::new(None, Some(Imsi::parse(imsi).unwrap())).unwrap();
    Secrets { pin: Some(Pin::parse(pin).unwrap()), network }
}

/// The media type of a document under a MAC.
pub fn secured(sender: &Sender, secrets: &Secrets, document: &[u8]) -> String {
    let mac = sender.mac(secrets, document).unwrap();
    ContentType::new(sender.profile, Some(sender.method), Some(mac)).to_string()
}

pub fn received(content_type: &str, body: Vec<u8>, origin: Origin) -> Received {
    Received { content_type: content_type.to_owned(), body: body.into(), origin }
}

/// As a push that proves nothing brings it.
pub fn pushed(content_type: &str, body: Vec<u8>) -> Received {
    received(content_type, body, Origin::Pushed { by: "a WAP push".to_owned(), secured: false })
}

/// A new device refuses this, and stays as it was.
pub async fn expect_refused(received: Received, is_reason: impl Fn(&Refused) -> bool) {
    let mut client = client();
    let nodes = client.device().tree().node_count();
    let content_type = received.content_type.clone();
    let error = client.install_dm1_bootstrap(received, &mut Person::default()).await.unwrap_err();
    match &error {
        ClientError::Dm1Bootstrap(reason) if is_reason(reason) => {}
        other => panic!("{content_type}: {other}"),
    }
    assert_eq!(client.device().tree().node_count(), nodes);
    assert!(status(&client).is_empty());
}

/// Servers and addresses of the accounts.
pub fn status(client: &Client) -> Vec<(String, String)> {
    let accounts = client.device().dm1_status().into_iter();
    accounts.map(|account| (account.server.to_string(), account.uri)).collect()
}

/// What a server reads at an address, or the status of the refusal.
pub fn read(client: &Client, server: &str, uri: &str) -> Result<Vec<String>, u16> {
    let actor = Actor::Server(self::server(server));
    let uri = Dm1Uri::parse(uri, &UriLimits::default(), true).unwrap();
    let items = client.device().tree().dm1_get(&actor, &uri).map_err(|error| error.status())?;
    let text = |content| match content {
        ReadContent::Value(value) => value.to_text(),
        ReadContent::Text(text) => text,
        ReadContent::Names(names) => names.join("/"),
        ReadContent::None | ReadContent::Tree(_) => String::new(),
    };
    Ok(items.into_iter().map(|item| text(item.content)).collect())
}

pub fn value(client: &Client, server: &str, uri: &str) -> Result<String, u16> {
    read(client, server, uri).map(|mut items| items.remove(0))
}

/// A connection of the test's device.
pub fn connection(name: &str) -> SnapshotNode {
    let mut node = node(name, "urn:example:mo:nap:1.0", vec![text("Addr", "dm.op")]);
    node.kind = Some(SnapshotType::DdfName("urn:example:mo:nap:1.0".to_owned()));
    node
}

/// An account that refers to these.
pub fn referring(server: &str, references: &[&str]) -> SnapshotNode {
    let connections = references.iter().map(|of| (*of).to_owned()).collect();
    Account { connections, ..account(server) }.to_node(DmAcc::V1_0, "Operator")
}

pub async fn installed(documents: Vec<Vec<SnapshotNode>>) -> Result<Client, ClientError> {
    let mut client = client();
    install(&mut client, documents).await?;
    Ok(client)
}

pub async fn install(client: &mut Client, documents: Vec<Vec<SnapshotNode>>) -> Result<(), ClientError> {
    let local = received("application/vnd.syncml.dm+wbxml", message(documents), Origin::Local);
    client.install_dm1_bootstrap(local, &mut Person::default()).await.map(|_| ())
}
