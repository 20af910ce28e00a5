//! The real device and the real server, each the other's peer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_client::SessionReport;
use serde_json::{Value, json};

use crate::device::{DEVICE_ID, DeviceSetup, TestDevice};
use crate::package::dmmo;
use crate::script_device::ScriptDevice;
use crate::server::TestServer;

/// Server identifier of the server under test.
const SERVER: &str = "omadm";

/// The device and the server under test; the server has bootstrapped the device.
pub struct Pair {
    /// The device.
    pub device: TestDevice,
    /// The server.
    pub server: TestServer,
    /// The device as the functions of [`TestServer`] name it.
    pub name: ScriptDevice,
}

impl Pair {
    /// The server has all rights on the test objects.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With changes to the set-up of the device.
    pub async fn with(change: impl FnOnce(&mut DeviceSetup)) -> Self {
        Self::of(TestServer::start().await, change).await
    }

    /// With a server of the caller's, and changes to the set-up of the device.
    pub async fn of(server: TestServer, change: impl FnOnce(&mut DeviceSetup)) -> Self {
        let reply =
            server.rest(Method::POST, "/bootstrap", Some(&json!({ "device": { "id": DEVICE_ID } }))).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        let mut setup = DeviceSetup::new([], Some(server.ca_file()));
        setup.client.always_send_mos = true;
        setup.ddf_base = format!("https://localhost:{}/ddf", server.device_address().port());
        change(&mut setup);
        let mut device = setup.open();
        let bootstrap = reply.json()["bootstrap"].to_string();
        device.client.device_mut().install_bootstrap(bootstrap.as_bytes()).expect("a good bootstrap");
        device.grant_all(SERVER, 15);
        let name = ScriptDevice {
            address: server.device_address(),
            ca_file: server.ca_file(),
            device_id: DEVICE_ID.to_owned(),
            credentials: (String::new(), String::new()),
        };
        Self { device, server, name }
    }

    /// Runs a session that the device starts.
    pub async fn session(&mut self) -> SessionReport {
        self.device.session(SERVER).await
    }

    /// Queues a command, runs a session, and gives the command as it is then.
    pub async fn run(&mut self, command: &Value) -> Value {
        let id = self.server.queue(&self.name, command).await;
        let report = self.session().await;
        let command = self.server.command(&id).await;
        assert!(!command["status"].is_null(), "{command} after {report:?}");
        command
    }

    /// Queues commands, runs a session, and gives the commands as they are then, in their order.
    pub async fn run_all(&mut self, commands: &[Value]) -> Vec<Value> {
        let mut ids = Vec::new();
        for command in commands {
            ids.push(self.server.queue(&self.name, command).await);
        }
        self.session().await;
        let mut done = Vec::new();
        for id in ids {
            done.push(self.server.command(&id).await);
        }
        done
    }

    /// Runs one session with a command and gives its status.
    pub async fn status(&mut self, command: &Value) -> u64 {
        self.run(command).await["status"].as_u64().expect("a status")
    }

    /// Lets the operator set a leaf and gives the status.
    pub async fn set(&mut self, address: &str, value: Value) -> u64 {
        self.status(&json!({ "verb": "set", "address": address, "value": value })).await
    }

    /// Lets the operator write MO data onto a place and gives the status.
    pub async fn set_data(&mut self, address: &str, content: Value) -> u64 {
        let label = address.split('/').next_back().filter(|name| !name.is_empty()).unwrap_or("root");
        let octets = STANDARD.encode(dmmo(address, label, content).to_string());
        let command = json!({
            "verb": "set", "address": address, "value_base64": octets, "content_type": "application/dmmo+json",
        });
        self.status(&command).await
    }

    /// Lets the operator delete a node and gives the status.
    pub async fn delete(&mut self, address: &str) -> u64 {
        self.status(&json!({ "verb": "delete", "address": address })).await
    }

    /// Lets the operator read a leaf and gives its value; null with the status when there is none.
    pub async fn get(&mut self, address: &str) -> (u64, Value) {
        let command = self.run(&json!({ "verb": "get", "address": address })).await;
        let items = command["result"]["items"].as_array().cloned().unwrap_or_default();
        let item = items.into_iter().find(|item| item["address"] == address);
        let value = item.and_then(|item| item.get("value").cloned());
        (command["status"].as_u64().expect("a status"), value.unwrap_or(Value::Null))
    }
}
