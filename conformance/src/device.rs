//! The device under test: the real client library with its journal in a directory of its own, over real sockets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_client::{
    Client, ClientConfig, ClientError, DataMo, Device, DeviceConfig, HttpsConfig, HttpsTransport, Journal,
    ManagementObject, ReportConfig, SessionReport, Trigger,
};
use omadm_mo::well_known::{DEVINFO, DMACC, SESSION_INFO};
use omadm_mo::{Actor, Authority as Who, ClientUri, Miid, Moid, Quota, Rights, ServerId, Value};
use serde_json::{Value as Json, json};

use crate::browser::TestBrowser;
use crate::test_mo::{DDF, EXAMPLE_MOID, FixedMo, MOID, Plug, SINGLE_MOID, TestMo};

/// DevID of the device under test.
pub const DEVICE_ID: &str = "UUID:0f9b7a52-58a5-4b1d-8f43-3b6f3d0f0c11";
/// User name of the device at its servers.
pub const USER: &str = "device";
/// Its password.
pub const SECRET: &str = "correct horse battery";

/// An account that the device is bootstrapped with.
#[derive(Clone, Debug)]
pub struct Account {
    /// SrvID.
    pub server: String,
    /// SrvURI.
    pub uri: String,
    /// MOIDs that the server may manage; `*` is all.
    pub moids: Vec<String>,
    /// Its AR on the instances of the test objects, 0 to 15.
    pub rights: i64,
    /// User name and password.
    pub credentials: (String, String),
}

impl Account {
    /// An account of a server that may do everything.
    #[must_use]
    pub fn new(server: &str, uri: &str) -> Self {
        Self {
            server: server.to_owned(),
            uri: uri.to_owned(),
            moids: vec!["*".to_owned()],
            rights: 15,
            credentials: (USER.to_owned(), SECRET.to_owned()),
        }
    }

    /// The same with other rights on the test objects.
    #[must_use]
    pub fn with_rights(self, rights: i64) -> Self {
        Self { rights, ..self }
    }

    /// The same for these MOIDs only.
    #[must_use]
    pub fn for_moids(self, moids: &[&str]) -> Self {
        Self { moids: moids.iter().map(|moid| (*moid).to_owned()).collect(), ..self }
    }

    /// The bootstrap of this account, an item of `application/dmmo+json`.
    #[must_use]
    pub fn bootstrap_item(&self) -> Json {
        let perm: serde_json::Map<String, Json> = self
            .moids
            .iter()
            .enumerate()
            .map(|(at, moid)| (at.to_string(), json!({ "MOID": moid })))
            .collect();
        let (user, password) = &self.credentials;
        json!({
            "ClientURI": format!("{DMACC}//"),
            "MOData": { self.server.as_str(): {
                "SrvID": self.server, "SrvURI": self.uri, "Name": format!("server {}", self.server), "Perm": perm,
                "Auth": { "Trsp": { "Data": STANDARD.encode(user), "Secret": STANDARD.encode(password) } },
            } },
        })
    }
}

/// How a device under test is set up.
#[derive(Clone, Debug)]
pub struct DeviceSetup {
    /// Its accounts.
    pub accounts: Vec<Account>,
    /// Trust anchors, PEM.
    pub ca_file: Option<PathBuf>,
    /// Settings of TLS but for `ca_file`, and for the time-out.
    pub https: HttpsConfig,
    /// Settings of sessions.
    pub client: ClientConfig,
    /// Bounds of the tree.
    pub quota: Quota,
    /// The HTTP time-out.
    pub request_timeout: Duration,
    /// Where its DDF files are said to be, no slash at the end.
    pub ddf_base: String,
    /// The values of DevInfo.
    pub devinfo: Json,
    /// The values of Session Information.
    pub session_info: Json,
    /// DDF files of further objects, which are only data.
    pub data_objects: Vec<String>,
    /// Whether it has the access control mechanism.
    pub access_control: bool,
    /// When it reports; by default at once, and as often as it is asked to.
    pub reports: ReportConfig,
    /// Most subscriptions of one server, and most executions that are reported later.
    pub bounds: (usize, usize),
    /// Its browser.
    pub browser: Option<TestBrowser>,
}

impl DeviceSetup {
    /// A device with these accounts.
    #[must_use]
    pub fn new(accounts: impl Into<Vec<Account>>, ca_file: Option<PathBuf>) -> Self {
        Self {
            accounts: accounts.into(),
            ca_file,
            https: HttpsConfig::default(),
            client: ClientConfig::default(),
            quota: Quota::default(),
            request_timeout: Duration::from_secs(30),
            ddf_base: "https://ddf.example.org".to_owned(),
            devinfo: json!({
                "DevID": DEVICE_ID, "Man": "Vendor", "Mod": "Model", "DmV": "2.0", "Lang": "en", "DevType": "computer",
                "OEM": "", "FwV": "fw 1", "SwV": "sw 1", "HwV": "",
            }),
            session_info: json!({ "CBT": 1, "ROAMING": 2 }),
            data_objects: Vec::new(),
            access_control: true,
            reports: ReportConfig {
                window: Duration::ZERO,
                retry: Duration::ZERO,
                look_interval: Duration::ZERO,
                ..ReportConfig::default()
            },
            bounds: (64, 64),
            browser: Some(TestBrowser::default()),
        }
    }

    /// Opens the device and bootstraps it.
    #[must_use]
    pub fn open(self) -> TestDevice {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut device = TestDevice::start(self, directory, Plug::default());
        let items: Vec<Json> = device.setup.accounts.iter().map(Account::bootstrap_item).collect();
        if !items.is_empty() {
            let bootstrap = Json::Array(items).to_string();
            device.client.device_mut().install_bootstrap(bootstrap.as_bytes()).expect("a good bootstrap");
        }
        if device.setup.access_control {
            for account in device.setup.accounts.clone() {
                device.grant_all(&account.server, account.rights);
            }
        }
        device
    }

    /// Why a device like this does not start.
    #[must_use]
    pub fn refusal(&self) -> ClientError {
        let directory = tempfile::tempdir().expect("a temporary directory");
        match self.device(directory.path(), &Plug::default()) {
            Ok(_) => panic!("the device starts"),
            Err(error) => error,
        }
    }

    fn device(&self, directory: &Path, plug: &Plug) -> Result<Device, ClientError> {
        let journal = Journal::open(directory).expect("a journal");
        let config = DeviceConfig {
            quota: self.quota,
            reports: self.reports.clone(),
            subscriptions: self.bounds.0,
            executions: self.bounds.1,
            ..DeviceConfig::default()
        };
        Device::open(config, self.plugins(plug), Box::new(journal))
    }

    fn plugins(&self, plug: &Plug) -> Vec<Box<dyn ManagementObject>> {
        let base = &self.ddf_base;
        let [devinfo, dmacc, delegation, session_info, test] =
            DDF_FILES.map(|(name, text)| (format!("{base}/{name}"), text));
        let fixed = |(link, ddf), moid, miid, values: &Json| FixedMo {
            ddf,
            link,
            moid,
            miid,
            values: values.clone(),
        };
        let mut plugins: Vec<Box<dyn ManagementObject>> = vec![
            Box::new(fixed(devinfo, DEVINFO, "DevInfo", &self.devinfo)),
            Box::new(DataMo::new(dmacc.1, dmacc.0)),
            Box::new(fixed(session_info, SESSION_INFO, "SessionInfo", &self.session_info)),
            Box::new(TestMo { plug: plug.clone(), link: test.0 }),
        ];
        if self.access_control {
            plugins.push(Box::new(DataMo::new(delegation.1, delegation.0)));
        }
        for (at, ddf) in self.data_objects.iter().enumerate() {
            plugins.push(Box::new(DataMo::new(ddf, format!("{base}/data-{at}.ddf"))));
        }
        plugins
    }
}

/// The device under test.
pub struct TestDevice {
    /// The library.
    pub client: Client<HttpsTransport>,
    /// The test's hand on its plug-in.
    pub plug: Plug,
    setup: DeviceSetup,
    directory: tempfile::TempDir,
}

impl TestDevice {
    fn start(setup: DeviceSetup, directory: tempfile::TempDir, plug: Plug) -> Self {
        let device = setup.device(directory.path(), &plug).expect("the device starts");
        let https = HttpsConfig {
            ca_file: setup.ca_file.clone(),
            request_timeout: setup.request_timeout,
            ..setup.https.clone()
        };
        let transport = HttpsTransport::new(&https).expect("TLS settings");
        let client = Client::new(device, transport, setup.client.clone());
        let client = match setup.browser.clone() {
            Some(browser) => client.with_browser(Box::new(browser)),
            None => client,
        };
        Self { client, plug, setup, directory }
    }

    /// The device as it comes back after it was killed: only what its journal holds is left.
    #[must_use]
    pub fn killed_and_restarted(self) -> Self {
        let Self { client, plug, setup, directory } = self;
        drop(client);
        Self::start(setup, directory, plug)
    }

    /// The directory of the journal.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Gives a server this AR on the test objects, and Read on DevInfo and Session Information.
    pub fn grant_all(&mut self, server: &str, rights: i64) {
        let examples = [(EXAMPLE_MOID, "left"), (EXAMPLE_MOID, "right")];
        for (moid, miid) in
            [(MOID, "alpha"), (MOID, "beta"), (SINGLE_MOID, "only")].into_iter().chain(examples)
        {
            self.grant(moid, miid, "/", server, rights);
        }
        for (moid, miid) in [(DEVINFO, "DevInfo"), (SESSION_INFO, "SessionInfo")] {
            self.grant(moid, miid, "/", server, 1);
        }
    }

    /// Gives an authority, `*` or a server, an AR on a sub-tree of an instance.
    pub fn grant(&mut self, moid: &str, miid: &str, path: &str, authority: &str, rights: i64) {
        let moid = Moid::parse(moid).expect("a MOID");
        let miid = Miid::parse(miid).expect("a MIID");
        let who = Who::parse(authority, true).expect("an authority");
        let rights = Rights::from_ar(rights).expect("0 to 15");
        let granted =
            self.client.device_mut().change(|tree| Ok(tree.grant(&moid, &miid, path, &who, rights)?));
        granted.expect("rights on an instance that exists");
    }

    /// Runs a session that the device starts by itself.
    pub async fn session(&mut self, server: &str) -> SessionReport {
        self.session_for(server, Trigger::Client).await
    }

    /// Runs a session with this trigger.
    pub async fn session_for(&mut self, server: &str, trigger: Trigger) -> SessionReport {
        let server = ServerId::parse(server).expect("a server identifier");
        self.client.run_session(&server, trigger).await.expect("the session could be started")
    }

    /// Sends the reports that are due, and runs the sessions in which servers wait for the end of an execution.
    pub async fn report(&mut self) -> Vec<SessionReport> {
        self.client.report().await.expect("what became of the reports is kept");
        let mut sessions = Vec::new();
        for due in self.client.sessions_due() {
            let session = self.client.run_session_at(&due.server, Trigger::Client, due.at.as_ref());
            sessions.push(session.await.expect("the session could be started"));
        }
        sessions
    }

    /// The device itself sets a leaf.
    pub fn set(&mut self, address: &str, value: Value) {
        let uri = ClientUri::parse(address).expect("an address");
        let set = self.client.device_mut().change(|tree| {
            let found = tree.tree().resolve(&Actor::Device, &uri)?;
            Ok(tree.set(found[0].node, value)?)
        });
        set.expect("a leaf that takes the value");
    }

    /// The value of a leaf as the device itself sees it; `None` if there is no such leaf.
    #[must_use]
    pub fn value(&self, address: &str) -> Option<Value> {
        let tree = self.client.device().tree();
        let uri = ClientUri::parse(address).expect("an address");
        let found = tree.resolve(&Actor::Device, &uri).ok()?;
        let [only] = found.as_slice() else { panic!("{address} matches {} nodes", found.len()) };
        tree.node(only.node)?.value().cloned()
    }

    /// The text of a leaf as the device itself sees it.
    #[must_use]
    pub fn text(&self, address: &str) -> Option<String> {
        self.value(address).map(|value| value.to_text())
    }

    /// Whether a node exists.
    #[must_use]
    pub fn has(&self, address: &str) -> bool {
        let uri = ClientUri::parse(address).expect("an address");
        self.client.device().tree().resolve(&Actor::Device, &uri).is_ok_and(|found| !found.is_empty())
    }

    /// The MIIDs of a MOID.
    #[must_use]
    pub fn miids(&self, moid: &str) -> Vec<String> {
        let moid = Moid::parse(moid).expect("a MOID");
        let tree = self.client.device().tree();
        tree.instances_of(&moid).map(|instance| instance.miid.to_string()).collect()
    }
}

/// The DDF files of the device under test, by file name.
pub const DDF_FILES: [(&str, &str); 5] = [
    ("dm_devinfo-v1_2.ddf", include_str!("../../ddf/dm_devinfo-v1_2.ddf")),
    ("dm_dmacc-v1_2.ddf", include_str!("../../ddf/dm_dmacc-v1_2.ddf")),
    ("dm_delegation-v1_0.ddf", include_str!("../../ddf/dm_delegation-v1_0.ddf")),
    ("dm_sessioninfo-v1_0.ddf", include_str!("../../ddf/dm_sessioninfo-v1_0.ddf")),
    ("conformance-v1_0.ddf", DDF),
];
