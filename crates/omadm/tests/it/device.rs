//! Commands that a real client engine carries out, from `omadm bootstrap` to the saved upload.

use std::path::Path;

use omadm_client::{
    Client, ClientConfig, DataMo, Device, DeviceConfig, Grant, Grantee, HttpsConfig, HttpsTransport,
    ManagementObject, Outcome, PluginError, Trigger, Volatile,
};
use omadm_mo::{Change, Content, Miid, Moid, NodeName, Rights, ServerId, Value, well_known};

use crate::repository;
use crate::server::Server;

const ID: &str = "UUID:7";
const LEVEL: &str = "urn:example:mo:thing:1.0//Level";
const NAME: &str = "urn:example:mo:thing:1.0//Name";

/// A management object that a server may write.
const THING: &str = "<MgmtTree><VerDTD>1.2</VerDTD>\
    <Node><NodeName>Thing</NodeName><DFProperties><AccessType><Get/></AccessType><DFFormat><node/></DFFormat>\
    <Occurrence><One/></Occurrence><Scope><Permanent/></Scope>\
    <DFType><DDFName>urn:example:mo:thing:1.0</DDFName></DFType></DFProperties>\
    <Node><NodeName>Level</NodeName><DFProperties><AccessType><Get/><Replace/></AccessType>\
    <DefaultValue>1</DefaultValue><DFFormat><int/></DFFormat><Occurrence><One/></Occurrence><Scope><Permanent/></Scope>\
    <DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>\
    <Node><NodeName>Name</NodeName><DFProperties><AccessType><Get/><Replace/></AccessType>\
    <DFFormat><chr/></DFFormat><Occurrence><One/></Occurrence><Scope><Permanent/></Scope>\
    <DFType><MIME>text/plain</MIME></DFType></DFProperties></Node>\
    </Node></MgmtTree>";

/// DevInfo with an identifier.
struct DevInfo(String);

impl ManagementObject for DevInfo {
    fn ddf(&self) -> &str {
        &self.0
    }

    fn link(&self) -> &str {
        "http://dm.example.org/devinfo.ddf"
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let id = (NodeName::parse("DevID")?, Content::Leaf(Value::Text(ID.to_owned())));
        let moid = Moid::parse(well_known::DEVINFO)?;
        tree.create_instance(&moid, &Miid::parse("DevInfo")?, Content::Interior(vec![id]))?;
        Ok(())
    }
}

fn plugins() -> Vec<Box<dyn ManagementObject>> {
    let ddf = |name: &str| std::fs::read_to_string(repository("ddf").join(name)).unwrap();
    vec![
        Box::new(DevInfo(ddf("dm_devinfo-v1_2.ddf"))),
        Box::new(DataMo::new(ddf("dm_dmacc-v1_2.ddf"), "http://dm.example.org/dmacc.ddf")),
        Box::new(DataMo::new(ddf("dm_delegation-v1_0.ddf"), "http://dm.example.org/dacmo.ddf")),
        Box::new(DataMo::new(THING, "http://dm.example.org/thing.ddf")),
    ]
}

/// A device that is bootstrapped by the program's own files.
fn bootstrapped(server: &Server) -> Client {
    let (bootstrap, ca) = (server.path("bootstrap.json"), server.path("ca.pem"));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    server.good(&[
        "bootstrap",
        "factory",
        "--device",
        ID,
        "--output-file",
        &text(&bootstrap),
        "--ca-file",
        &text(&ca),
    ]);
    let grant = |moid: &str, rights: Rights| Grant {
        moid: Moid::parse(moid).unwrap(),
        path: "/".to_owned(),
        to: Grantee::Bootstrapped,
        rights,
    };
    let rights = Rights::READ.union(Rights::WRITE);
    let config = DeviceConfig {
        grants: vec![grant(well_known::DEVINFO, Rights::READ), grant("urn:example:mo:thing:1.0", rights)],
        ..DeviceConfig::default()
    };
    let mut device = Device::open(config, plugins(), Box::new(Volatile::new())).unwrap();
    device.install_bootstrap(&std::fs::read(&bootstrap).unwrap()).unwrap();
    let transport =
        HttpsTransport::new(&HttpsConfig { ca_file: Some(ca), ..HttpsConfig::default() }).unwrap();
    Client::new(device, transport, ClientConfig::default())
}

fn session(client: &mut Client) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = ServerId::parse("omadm").unwrap();
    let report = runtime.block_on(client.run_session(&server, Trigger::Client)).unwrap();
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:?}");
}

#[test]
fn values_are_written_read_and_uploaded() {
    let server = Server::start();
    let mut client = bootstrapped(&server);
    let text = server.path("name.txt");
    std::fs::write(&text, "front door").unwrap();

    server.good(&["run", ID, "set", LEVEL, "-5"]);
    server.good(&["run", ID, "set", NAME, "--file", text.to_str().unwrap()]);
    server.good(&["run", ID, "get", "urn:example:mo:thing:1.0//"]);
    let upload = server.json(&["run", ID, "upload", LEVEL, NAME]);
    let bad = server.json(&["run", ID, "delete", LEVEL]);
    session(&mut client);

    let tree = server.good(&["device", "tree", ID]);
    assert!(tree.contains("Level = -5") && tree.contains("Name = front door"), "{tree}");

    let (id, file) = (upload["id"].as_str().unwrap(), server.path("upload.json"));
    let shown = server.good(&["command", "show", id, "--save", file.to_str().unwrap()]);
    assert!(shown.contains("done") && shown.contains("uploaded"), "{shown}");
    let decoded = server.json(&["decode", file.to_str().unwrap()]);
    assert_eq!(decoded["kind"], "dmmo", "{decoded}");
    assert_eq!(decoded["content"][0]["content"], -5, "{decoded}");

    let id = bad["id"].as_str().unwrap();
    let shown = server.good(&["command", "show", id]);
    assert!(shown.contains("failed") && shown.contains("Status    405"), "{shown}");
    let ran = server.run(&["command", "show", id, "--save", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("no upload"), "{ran:?}");
}

#[test]
fn who_waits_gets_the_value_or_the_reason() {
    let server = Server::start();
    let mut client = bootstrapped(&server);
    for (address, code, said) in
        [(LEVEL, 0, "Level = 1"), ("urn:example:mo:thing:1.0//Nowhere", 1, "Nowhere")]
    {
        let before = server.json(&["command", "ls", ID]).as_array().unwrap().len();
        let mut waiting = server.command(&["run", ID, "get", address, "--wait=50"]);
        waiting.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let waiting = waiting.spawn().unwrap();
        while server.json(&["command", "ls", ID]).as_array().unwrap().len() == before {}
        session(&mut client);
        let ran = crate::Ran::from(waiting.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(said), "{said}: {ran:?}");
    }
}
