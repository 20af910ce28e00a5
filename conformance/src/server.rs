//! The server under test: the real service in this process, on ports of its own, with TLS and a store in a temporary directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::Method;
use omadm_auth::dm1::{NonceHistory, Scheme};
use omadm_server::{Config, Running, Server};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::device::DEVICE_ID;
use crate::script_device::{ScriptDevice, exchange, fetch};
use crate::tls::Authority;
use crate::wire::Reply;

/// The server under test.
pub struct TestServer {
    running: Running,
    place: Place,
    token: String,
}

/// What outlives a restart, and what several nodes share.
#[derive(Clone)]
struct Place {
    config: Config,
    authority: Arc<Authority>,
    directory: Arc<tempfile::TempDir>,
}

impl TestServer {
    /// With the default configuration, on free ports.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With the default configuration, and a device enrolled.
    pub async fn with_device() -> (Self, ScriptDevice) {
        let server = Self::start().await;
        let device = server.enrol(DEVICE_ID).await;
        (server, device)
    }

    /// With changes to the configuration.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut config = Config::default();
        config.server.data_dir = directory.path().to_owned();
        config.device.listen = ([127, 0, 0, 1], 0).into();
        config.operator.listen = ([127, 0, 0, 1], 0).into();
        let authority = Authority::new();
        let (certificate, key) = authority.server_files();
        config.device.certificate = Some(certificate);
        config.device.key = Some(key);
        config.device.authority = Some(authority.ca_file());
        change(&mut config);
        Self::on(Place { config, authority: Arc::new(authority), directory: Arc::new(directory) }).await
    }

    async fn on(place: Place) -> Self {
        let running = Server::start(place.config.clone()).await.expect("the server starts");
        let token =
            std::fs::read_to_string(place.directory.path().join("operator.token")).expect("the first token");
        Self { running, place, token: token.trim().to_owned() }
    }

    /// Stops it and starts it again over the same store.
    pub async fn restarted(self) -> Self {
        let Self { running, place, .. } = self;
        running.stop().await;
        Self::on(place).await
    }

    /// A second node over the same store, on ports of its own.
    pub async fn another_node(&self) -> Self {
        Self::on(self.place.clone()).await
    }

    /// The database of the store.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.place.config.store_path()
    }

    /// The nonce for the server's next credentials towards a device of DM 1.x, read in its database.
    ///
    /// # Panics
    /// When nothing is kept of the device.
    #[must_use]
    pub fn nonce_towards(&self, device: &str) -> Vec<u8> {
        /// User, keys, seed, scheme, whether there is a secret for notifications, the last report, and both nonces.
        type Kept = (
            String,
            Vec<u8>,
            Vec<u8>,
            Option<Scheme>,
            bool,
            u64,
            Vec<u8>,
            NonceHistory,
            Vec<u8>,
            Option<Scheme>,
        );
        let store = rusqlite::Connection::open(self.database()).unwrap();
        let kept: Vec<u8> =
            store.query_row("SELECT dm1 FROM device WHERE device = ?1", [device], |row| row.get(0)).unwrap();
        // Its first octet says in which form it is.
        postcard::from_bytes::<Kept>(&kept[1..]).unwrap().8
    }

    /// Where devices reach it.
    #[must_use]
    pub fn device_address(&self) -> SocketAddr {
        self.running.device_addr
    }

    /// Where its listener without TLS is, if it has one.
    #[must_use]
    pub fn plain_address(&self) -> SocketAddr {
        self.running.plain_addr.expect("the configuration has a listener without TLS")
    }

    /// Where its listener for OBEX is, if it has one.
    #[must_use]
    pub fn obex_address(&self) -> SocketAddr {
        self.running.obex_addr.expect("the configuration has a listener for OBEX")
    }

    /// SrvURI for the accounts of devices.
    #[must_use]
    pub fn device_uri(&self) -> &str {
        &self.running.device_uri
    }

    /// The options with which `omadm` finds it.
    #[must_use]
    pub fn operator_options(&self) -> [String; 4] {
        let token = self.place.directory.path().join("operator.token").display().to_string();
        ["--server".into(), format!("http://{}", self.running.operator_addr), "--token-file".into(), token]
    }

    /// The authority that devices have to trust, PEM.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        match self.place.config.device.certificate {
            Some(_) => self.place.authority.ca_file(),
            // It has made its own.
            None => self.place.directory.path().join("tls/ca.pem"),
        }
    }

    /// A request to the REST API with the first token; `path` stands below `/api/v1`.
    pub async fn rest(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        self.rest_octets(method, path, "application/json", &body).await
    }

    async fn rest_octets(&self, method: Method, path: &str, content_type: &str, body: &[u8]) -> Reply {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("authorization", authorization.as_str()), ("content-type", content_type)];
        let stream = TcpStream::connect(self.running.operator_addr).await.expect("the operator listener");
        exchange(stream, method, &format!("/api/v1{path}"), &headers, body).await
    }

    /// Puts a DDF file on the server.
    pub async fn put_ddf(&self, name: &str, ddf: &str) -> Reply {
        let content_type = "application/vnd.syncml.dmddf+xml";
        self.rest_octets(Method::PUT, &format!("/ddfs/{name}"), content_type, ddf.as_bytes()).await
    }

    /// GET of a DDF file as devices get it.
    pub async fn fetch_ddf(&self, name: &str) -> Reply {
        let uri = format!("https://localhost:{}/ddf/{name}", self.device_address().port());
        fetch(&uri, &self.ca_file()).await
    }

    /// GET of the REST API that has to succeed.
    pub async fn get(&self, path: &str) -> Value {
        let reply = self.rest(Method::GET, path, None).await;
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// The items of a listing that fits on one page.
    pub async fn items(&self, path: &str) -> Vec<Value> {
        let page = self.get(path).await;
        let items = page.get("items").unwrap_or(&page);
        items.as_array().unwrap_or_else(|| panic!("{path} is no listing: {page}")).clone()
    }

    /// Enrols a device and gives an independent one that has its credentials.
    pub async fn enrol(&self, id: &str) -> ScriptDevice {
        let reply = self.rest(Method::POST, "/devices", Some(&json!({ "id": id }))).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        let enrolled = reply.json();
        let text = |member: &str| enrolled[member].as_str().expect("a string").to_owned();
        ScriptDevice {
            address: self.device_address(),
            ca_file: self.ca_file(),
            device_id: id.to_owned(),
            credentials: (text("user"), text("secret")),
        }
    }

    /// Asks for a command to be queued for a device.
    pub async fn post_command(&self, device_id: &str, command: &Value) -> Reply {
        self.rest(Method::POST, &format!("/devices/{device_id}/commands"), Some(command)).await
    }

    /// Queues a command for a device and gives its identifier.
    pub async fn queue_for(&self, device_id: &str, command: &Value) -> String {
        let reply = self.post_command(device_id, command).await;
        assert_eq!(reply.status, 202, "{command}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()["id"].as_str().expect("an identifier").to_owned()
    }

    /// Queues a command and gives its identifier.
    pub async fn queue(&self, device: &ScriptDevice, command: &Value) -> String {
        self.queue_for(&device.device_id, command).await
    }

    /// Queues a DM 2.0 command as it is.
    pub async fn queue_raw(&self, device: &ScriptDevice, words: &[&str]) -> String {
        self.queue(device, &json!({ "verb": "raw", "words": words })).await
    }

    /// A command as the operator sees it.
    pub async fn command(&self, id: &str) -> Value {
        self.get(&format!("/commands/{id}")).await
    }

    /// State and status of a command.
    pub async fn outcome(&self, id: &str) -> (String, Option<u64>) {
        let command = self.command(id).await;
        (command["state"].as_str().expect("a state").to_owned(), command["status"].as_u64())
    }

    /// The last known value at an address of a device; `None` if the node is not known.
    pub async fn known_value(&self, device: &ScriptDevice, address: &str) -> Option<Value> {
        let items = self.items(&format!("/devices/{}/tree?limit=1000", device.device_id)).await;
        items.into_iter().find(|item| item["address"] == address).map(|item| item["value"].clone())
    }

    /// What it recorded of the alerts of a device, session by session.
    pub async fn alerts(&self, device: &ScriptDevice) -> Vec<Value> {
        let events = self.events(device).await.into_iter().filter(|event| event["kind"] == "alert");
        let mut alerts: Vec<Value> = events.map(|event| event["body"].clone()).collect();
        alerts.sort_by_key(|alert| alert["session"].as_i64());
        alerts
    }

    /// The events of a device.
    pub async fn events(&self, device: &ScriptDevice) -> Vec<Value> {
        self.items(&format!("/events?device={}&limit=1000", device.device_id)).await
    }
}
