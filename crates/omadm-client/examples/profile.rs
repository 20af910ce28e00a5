//! A device with what the Client Profile 1.0 of DM 1.3 asks for, and nothing else: it runs one session and says how that went.
//!
//! ```text
//! cargo run --profile device -p omadm-client --no-default-features --features profile-1.0 --example profile -- \
//!     https://dm.example.org:8443/dm SERVER-ID USER PASSWORD CA.pem [DIRECTORY]
//! ```
//! In place of all before the CA it takes `bootstrap FILE`: a message of the DM profile in WBXML, from a trusted hand. With a directory its
//! state is kept there, else nowhere. The peak of its memory and the size of its heap are on standard error.

use std::path::Path;
use std::process::ExitCode;

use omadm_client::dm1::bootstrap::{
    BootstrapUser, ConfigObject, MESSAGE_WBXML, PinAnswer, PinRequest, Received,
};
use omadm_client::dm1::{
    AccountSettings, AuthType, CredentialSettings, Encoding, Outcome, Scheme, Start, Version,
};
use omadm_client::{
    BootstrapRequest, Client, ClientConfig, Consent, DataMo, Device, DeviceConfig, HttpsConfig,
    HttpsTransport, Journal, ManagementObject, Origin, Persistence, PluginError, Refusal, Volatile,
};
use omadm_mo::{Change, Content, Miid, Moid, NodeName, Value};

/// One object with leaves that never change.
struct Fixed {
    ddf: &'static str,
    moid: &'static str,
    name: &'static str,
    leaves: Vec<(&'static str, Value)>,
}

impl ManagementObject for Fixed {
    fn ddf(&self) -> &str {
        self.ddf
    }

    fn link(&self) -> &str {
        self.moid
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let (moid, miid) = (Moid::parse(self.moid)?, Miid::parse(self.name)?);
        if tree.tree().instance(&moid, &miid).is_some() {
            return Ok(());
        }
        let leaf = |(name, value): &(&str, Value)| {
            Ok::<_, PluginError>((NodeName::parse(name)?, Content::Leaf(value.clone())))
        };
        let leaves = self.leaves.iter().map(leaf).collect::<Result<_, _>>()?;
        tree.create_instance(&moid, &miid, Content::Interior(leaves))?;
        Ok(())
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn objects() -> Vec<Box<dyn ManagementObject>> {
    let versions = ["DevTyp", "OEM", "FwV", "SwV", "HwV"].map(|name| (name, text("1")));
    vec![
        Box::new(Fixed {
            ddf: include_str!("../../../ddf/dm_devinfo-v1_3.ddf"),
            moid: "urn:oma:mo:oma-dm-devinfo:1.1",
            name: "DevInfo",
            leaves: vec![
                ("DevId", text("urn:uuid:7f9d3e5c-0000-4000-8000-000000000001")),
                ("Man", text("Example")),
                ("Mod", text("Profile")),
                ("DmV", text(env!("CARGO_PKG_VERSION"))),
                ("Lang", text("en")),
            ],
        }),
        Box::new(Fixed {
            ddf: include_str!("../../../ddf/dm_devdetail-v1_3.ddf"),
            moid: "urn:oma:mo:oma-dm-devdetail:1.1",
            name: "DevDetail",
            leaves: versions.into_iter().chain([("LrgObj", Value::Bool(true))]).collect(),
        }),
        Box::new(DataMo::new(include_str!("../../../ddf/dm_dmacc-v1_3.ddf"), "dm_dmacc-v1_3.ddf")),
        Box::new(DataMo::new(include_str!("../../../ddf/dm_inbox-v1_0.ddf"), "dm_inbox-v1_0.ddf")),
        Box::new(ConfigObject::new(
            include_str!("../../../ddf/MO_dm_bootconfig-v1_3.ddf"),
            "MO_dm_bootconfig-v1_3.ddf",
        )),
    ]
}

fn account(address: &str, server_id: &str, user: &str, password: &str) -> AccountSettings {
    AccountSettings {
        server_id: server_id.to_owned(),
        name: String::new(),
        addresses: vec![address.to_owned()],
        preferred: None,
        client: Some(CredentialSettings {
            auth_type: AuthType::Sha256,
            user: user.to_owned(),
            password: password.to_owned(),
            nonce: String::new(),
        }),
        server: None,
        notification: None,
        http: None,
        obex: None,
        version: Some(Version::Dm13),
        encoding: Encoding::Wbxml,
    }
}

async fn run(words: &[String]) -> Result<bool, Box<dyn std::error::Error>> {
    let (settings, message, ca_file, rest) = match words {
        [word, file, ca_file, rest @ ..] if word == "bootstrap" => {
            (None, Some(std::fs::read(file)?), ca_file, rest)
        }
        [address, server_id, user, password, ca_file, rest @ ..] => {
            (Some(account(address, server_id, user, password)), None, ca_file, rest)
        }
        _ => return Err("say URL SERVER-ID USER PASSWORD, or bootstrap FILE, then CA.pem [DIRECTORY]".into()),
    };
    let persistence: Box<dyn Persistence> = match rest.first() {
        Some(directory) => Box::new(Journal::open(Path::new(directory))?),
        None => Box::new(Volatile::new()),
    };
    let mut device = Device::open(DeviceConfig::default(), objects(), persistence)?;
    let mut servers = Vec::new();
    if let Some(settings) = settings {
        servers.push(device.install_dm1_account(&settings)?);
    }
    let transport =
        HttpsTransport::new(&HttpsConfig { ca_file: Some(ca_file.into()), ..HttpsConfig::default() })?;
    let mut config = ClientConfig::default();
    config.dm1.schemes.push(Scheme::Md5);
    let mut client = Client::new(device, transport, config);
    if let Some(message) = message {
        let content_type = MESSAGE_WBXML.to_owned();
        let received = Received { content_type, body: message.into(), origin: Origin::Local };
        servers = client.install_dm1_bootstrap(received, &mut Trusting).await?;
    }
    let mut ended = true;
    for server in servers {
        let report = client.run_dm1_session(&server, Start::Client).await?;
        println!("{:?} after {} messages", report.outcome, report.messages);
        ended &= matches!(report.outcome, Outcome::Ended { .. });
    }
    Ok(ended)
}

/// Agrees to what it is given, and has no PIN.
struct Trusting;

impl Consent for Trusting {
    async fn decide(&mut self, _request: &BootstrapRequest) -> Result<(), Refusal> {
        Ok(())
    }
}

impl BootstrapUser for Trusting {
    async fn pin(&mut self, _request: &PinRequest) -> PinAnswer {
        PinAnswer::Nobody
    }
}

/// `VmHWM` of this process: the most memory it ever had.
fn peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(|peak| peak.trim().to_owned())
}

/// What is resident of the heap of this process. It hardly shrinks, so at the end it is about the most there was.
fn heap() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
    let mut lines = maps.lines().skip_while(|line| !line.ends_with("[heap]"));
    lines.find_map(|line| line.strip_prefix("Rss:")).map(|heap| heap.trim().to_owned())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&words)));
    if let Some(peak) = peak() {
        eprintln!("peak memory: {peak}");
    }
    if let Some(heap) = heap() {
        eprintln!("heap: {heap}");
    }
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
