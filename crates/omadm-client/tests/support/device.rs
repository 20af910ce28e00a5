//! A device with DevInfo, accounts, access control and one object of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use omadm_client::{
    Batch, Changed, Client, ClientConfig, DataMo, Device, DeviceConfig, Execution, HttpsConfig,
    HttpsTransport, ManagementObject, PersistError, Persistence, PluginError, Refusal, SessionReport,
    StatusCode, Trigger,
};
use omadm_mo::well_known::DEVINFO;
use omadm_mo::{Change, ClientUri, Content, Miid, Moid, NodeName, ServerId, Value};
use serde_json::json;

use super::tls::Authority;

pub const DEVICE_ID: &str = "IMEI:493005100592800";
pub const THING: &str = "urn:example:mo:thing:1.0";
/// `device:secret`
pub const BASIC: &str = "Basic ZGV2aWNlOnNlY3JldA==";

const THING_DDF: &str = r#"<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD><Node><NodeName>Thing</NodeName><DFProperties>
<AccessType><Get/></AccessType><DFFormat><node/></DFFormat><Occurrence><One/></Occurrence><Scope><Permanent/></Scope>
<DFType><DDFName>urn:example:mo:thing:1.0</DDFName></DFType></DFProperties>
<Node><NodeName>Value</NodeName><DFProperties><AccessType><Get/><Replace/></AccessType><DFFormat><chr/></DFFormat>
<Occurrence><One/></Occurrence><Scope><Permanent/></Scope><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
<Node><NodeName>Live</NodeName><DFProperties><AccessType><Get/></AccessType><DFFormat><int/></DFFormat>
<Occurrence><One/></Occurrence><Scope><Permanent/></Scope><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
<Node><NodeName>Run</NodeName><DFProperties><AccessType><Exec/></AccessType><DFFormat><null/></DFFormat>
<Occurrence><One/></Occurrence><Scope><Permanent/></Scope><DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>
</Node></MgmtTree>"#;

/// What the test's object was told, and what it shall answer.
#[derive(Debug, Default)]
pub struct Hand {
    pub refuse: Option<Refusal>,
    pub refresh_fails: bool,
    pub live: i64,
    pub applied: Vec<String>,
    pub executed: Vec<String>,
    /// Raised with the next execution.
    pub alerts: Vec<omadm_client::Alert>,
    /// Raised already.
    pub raised: Vec<omadm_client::Alert>,
    /// Executions go on after the command.
    pub goes_on: bool,
    pub finished: Vec<omadm_client::Finished>,
}

pub type Hands = Arc<Mutex<Hand>>;

struct Thing(Hands);

impl ManagementObject for Thing {
    fn ddf(&self) -> &str {
        THING_DDF
    }
    fn link(&self) -> &str {
        "https://ddf.example/thing.ddf"
    }
    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let (moid, miid) = (Moid::parse(THING)?, Miid::parse("Thing")?);
        if tree.tree().instance(&moid, &miid).is_none() {
            let leaves =
                [("Value", Value::Text("first".into())), ("Live", Value::Int(0)), ("Run", Value::Null)];
            tree.create_instance(&moid, &miid, interior(leaves))?;
        }
        Ok(())
    }
    fn refresh(&mut self, instance: &Miid, tree: &mut Change<'_>) -> Result<(), PluginError> {
        if self.0.lock().unwrap().refresh_fails {
            return Err(PluginError::Other("the sensor is gone".into()));
        }
        let root = tree.tree().instance(&Moid::parse(THING)?, instance).unwrap().root;
        let live = tree.tree().node(root).unwrap().child("Live").unwrap().id();
        tree.set(live, Value::Int(self.0.lock().unwrap().live))?;
        Ok(())
    }
    fn check(&mut self, _changed: &Changed<'_>) -> Result<(), Refusal> {
        self.0.lock().unwrap().refuse.clone().map_or(Ok(()), Err)
    }
    fn applied(&mut self, changed: &Changed<'_>) {
        let value =
            changed.node(&["Value"]).and_then(|node| node.record).and_then(|record| record.value.as_ref());
        self.0.lock().unwrap().applied.extend(value.map(Value::to_text));
    }
    fn execute(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        let mut hand = self.0.lock().unwrap();
        hand.executed.push(address.to_string());
        let raised = std::mem::take(&mut hand.alerts);
        hand.raised.extend(raised);
        let well = if hand.goes_on { Execution::Running } else { Execution::Done };
        hand.refuse.clone().map_or(Ok(well), Err)
    }
    fn finished(&mut self) -> Vec<omadm_client::Finished> {
        std::mem::take(&mut self.0.lock().unwrap().finished)
    }
    fn alerts(&mut self) -> Vec<omadm_client::Alert> {
        std::mem::take(&mut self.0.lock().unwrap().raised)
    }
}

struct DevInfo;

impl ManagementObject for DevInfo {
    fn ddf(&self) -> &str {
        include_str!("../../../../ddf/dm_devinfo-v1_2.ddf")
    }
    fn link(&self) -> &str {
        "https://ddf.example/dm_devinfo-v1_2.ddf"
    }
    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let (moid, miid) = (Moid::parse(DEVINFO)?, Miid::parse("DevInfo")?);
        if tree.tree().instance(&moid, &miid).is_none() {
            tree.create_instance(&moid, &miid, interior([("DevID", Value::Text(DEVICE_ID.into()))]))?;
        }
        Ok(())
    }
}

fn interior<const N: usize>(leaves: [(&str, Value); N]) -> Content {
    let leaf = |(name, value)| (NodeName::parse(name).unwrap(), Content::Leaf(value));
    Content::Interior(leaves.into_iter().map(leaf).collect())
}

pub fn plugins(hands: &Hands) -> Vec<Box<dyn ManagementObject>> {
    let data = |ddf: &str, link: &str| Box::new(DataMo::new(ddf, link)) as Box<dyn ManagementObject>;
    vec![
        Box::new(DevInfo),
        data(include_str!("../../../../ddf/dm_dmacc-v1_2.ddf"), "https://ddf.example/dm_dmacc-v1_2.ddf"),
        data(
            include_str!("../../../../ddf/dm_delegation-v1_0.ddf"),
            "https://ddf.example/dm_delegation-v1_0.ddf",
        ),
        Box::new(Thing(hands.clone())),
    ]
}

/// Memory that is full when the test says so.
#[derive(Clone, Default)]
pub struct Full(Arc<Mutex<Option<usize>>>);

impl Full {
    pub fn fill(&self, full: bool) {
        *self.0.lock().unwrap() = full.then_some(0);
    }
    /// Takes so many batches more.
    pub fn fill_after(&self, batches: usize) {
        *self.0.lock().unwrap() = Some(batches);
    }
}

impl Persistence for Full {
    fn load(&mut self, _: &mut dyn FnMut(Batch) -> Result<(), PersistError>) -> Result<(), PersistError> {
        Ok(())
    }
    fn append(&mut self, _: &Batch) -> Result<(), PersistError> {
        match self.0.lock().unwrap().as_mut() {
            None => Ok(()),
            Some(0) => Err(PersistError::Full { path: "disk".into() }),
            Some(batches) => {
                *batches -= 1;
                Ok(())
            }
        }
    }
    fn wants_compaction(&self) -> bool {
        false
    }
    fn compact(&mut self, _: &mut dyn Iterator<Item = Batch>) -> Result<(), PersistError> {
        Ok(())
    }
}

pub fn open(persistence: impl Persistence + 'static, hands: &Hands) -> Device {
    Device::open(config(), plugins(hands), Box::new(persistence)).unwrap()
}

/// Every bootstrapped server may do everything with the thing and read DevInfo.
pub fn config() -> DeviceConfig {
    let grant = |moid: &str, rights| omadm_client::Grant {
        moid: Moid::parse(moid).unwrap(),
        path: "/".into(),
        to: omadm_client::Grantee::Bootstrapped,
        rights,
    };
    let grants = vec![grant(THING, omadm_mo::Rights::ALL), grant(DEVINFO, omadm_mo::Rights::READ)];
    DeviceConfig { grants, outbox: 3, ..DeviceConfig::default() }
}

/// A bootstrap with one account, credentials `device` and `secret`.
pub fn bootstrap(server: &str, uri: &str) -> Vec<u8> {
    json!([{
        "ClientURI": "urn:oma:mo:oma-dm-dmacc:1.2//",
        "MOData": { server: {
            "SrvID": server, "SrvURI": uri, "Name": "Test", "Perm": { "1": { "MOID": "*" } },
            "Auth": { "Trsp": { "Data": "ZGV2aWNl", "Secret": "c2VjcmV0" } }
        } }
    }])
    .to_string()
    .into_bytes()
}

pub fn transport(authority: &Authority, timeout: Duration) -> HttpsTransport {
    HttpsTransport::new(&HttpsConfig {
        ca_file: Some(authority.ca_file()),
        request_timeout: timeout,
        ..HttpsConfig::default()
    })
    .unwrap()
}

pub fn client(authority: &Authority, config: ClientConfig) -> (Client, Hands) {
    let hands = Hands::default();
    let device = open(omadm_client::Volatile::new(), &hands);
    (Client::new(device, transport(authority, Duration::from_secs(30)), config), hands)
}

pub fn server_id() -> ServerId {
    ServerId::parse("s1").unwrap()
}

pub async fn session(client: &mut Client) -> SessionReport {
    client.run_session(&server_id(), Trigger::Client).await.unwrap()
}

pub fn value(device: &Device) -> String {
    let tree = device.tree();
    let root = tree.instance(&Moid::parse(THING).unwrap(), &Miid::parse("Thing").unwrap()).unwrap().root;
    tree.node(root).unwrap().child("Value").unwrap().value().unwrap().to_text()
}

pub fn refusal(status: u16) -> Refusal {
    Refusal::new(StatusCode(status), "the test says so")
}
