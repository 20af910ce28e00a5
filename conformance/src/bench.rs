//! The usual set-up: one device under test, one scripted server, one account with all rights.

use omadm_client::SessionReport;
use serde_json::{Value, json};

use crate::device::{Account, DeviceSetup, TestDevice};
use crate::package::{Package3, dmmo};
use crate::script_server::{Answer, ScriptServer};
use crate::tls::Authority;

/// Server identifier of the account.
const SERVER: &str = "DMS1";

/// A device under test that is bootstrapped for a scripted server.
pub struct Bench {
    /// The device.
    pub device: TestDevice,
    /// The server, DM endpoint and Data Repository in one.
    pub server: ScriptServer,
    /// Who signed the server's certificate.
    pub authority: Authority,
}

impl Bench {
    /// Over TLS, with all rights.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The server's AR on the test objects is `rights`.
    pub async fn with_rights(rights: i64) -> Self {
        Self::with(|setup| setup.accounts[0].rights = rights).await
    }

    /// Over TLS, with changes to the set-up of the device.
    pub async fn with(change: impl FnOnce(&mut DeviceSetup)) -> Self {
        let authority = Authority::new();
        let server = ScriptServer::https(&authority).await;
        let mut setup = DeviceSetup::new([Account::new(SERVER, &server.dm_uri())], Some(authority.ca_file()));
        change(&mut setup);
        Self { device: setup.open(), server, authority }
    }

    /// Runs a session that the device starts.
    pub async fn session(&mut self) -> SessionReport {
        self.device.session(SERVER).await
    }

    /// Runs one session in which the server sends these commands, and gives the Package#3 that answers them.
    pub async fn run(&mut self, commands: Value) -> Package3 {
        self.run_answer(Answer::commands(&commands)).await
    }

    /// Runs one session in which the server's first Package#2 is this, and gives the Package#3 that answers it.
    pub async fn run_answer(&mut self, answer: Answer) -> Package3 {
        let before = self.server.packages3().len();
        self.server.say(answer);
        let report = self.session().await;
        let mut packages = self.server.packages3();
        assert_eq!(packages.len(), before + 1, "one Package#3 answers one Package#2; {report:?}");
        packages.remove(before)
    }

    /// Runs one session with one command, and gives its status.
    pub async fn status(&mut self, command: Value) -> u64 {
        let statuses = self.run(Value::Array(vec![command])).await.statuses();
        let [status] = statuses.as_slice() else { panic!("one command has one status, not {statuses:?}") };
        *status
    }

    /// Runs one session with an HGET of this content, or value, onto a place, and gives its status.
    pub async fn hget(&mut self, place: &str, content: Value) -> u64 {
        let label = place.split('/').next_back().filter(|name| !name.is_empty()).unwrap_or("root");
        let data = self.server.serve("/hget", &dmmo(place, label, content));
        self.status(json!(["HGET", data, place])).await
    }

    /// Runs one session that the device starts with another of its servers, and gives the statuses of these commands.
    pub async fn statuses_for(&mut self, server: &str, commands: Value) -> Vec<u64> {
        self.server.say(Answer::commands(&commands));
        let report = self.device.session(server).await;
        let answer = self.server.packages3().pop();
        answer.unwrap_or_else(|| panic!("Package#3 answers Package#2; {report:?}")).statuses()
    }
}
