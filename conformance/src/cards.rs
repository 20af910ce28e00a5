//! A device with a card reader: the real agent, a PC/SC daemon of its own, and a card of software.

use std::path::Path;
use std::time::Duration;

use omadm_softcard::{Flawed, Inserted, Pcscd, SOCKET};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr};

use crate::agent::AgentProcess;

/// Longest that something may take that goes on by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// The device.
pub struct CardDevice {
    /// Its agent.
    pub agent: AgentProcess,
    pcscd: Pcscd,
    running: Option<(Child, Lines<BufReader<ChildStderr>>)>,
}

impl CardDevice {
    /// One that is off. `more` are further settings, those of `[smartcard]` first.
    pub async fn new(ca_file: &Path, id: &str, more: &str) -> Self {
        let pcscd = Pcscd::start().expect("a PC/SC daemon");
        let agent = AgentProcess::new(ca_file, id, &settings(more)).await;
        Self { agent: agent.with_variable(SOCKET, pcscd.socket()), pcscd, running: None }
    }

    /// Changes the settings from the next start on, as in [`CardDevice::new`].
    pub fn configure(&self, more: &str) {
        self.agent.configure(&settings(more));
    }

    /// By which programs find its PC/SC.
    #[must_use]
    pub fn pcscd(&self) -> &Pcscd {
        &self.pcscd
    }

    /// Puts a card in.
    pub fn insert(&self, card: impl Into<Flawed>) -> Inserted {
        self.pcscd.insert(card).expect("a reader")
    }

    /// Takes a card out of a device that is on, and waits until that is noticed.
    pub async fn pull(&mut self, card: Inserted) {
        card.pull();
        self.until("card taken out").await;
    }

    /// Switches it on.
    pub fn start(&mut self) {
        let mut child = self.agent.start();
        let log = BufReader::new(child.stderr.take().expect("what it logs")).lines();
        self.running = Some((child, log));
    }

    /// Waits until the agent logs something, and gives the line.
    pub async fn until(&mut self, text: &str) -> String {
        self.until_any(&[text]).await
    }

    /// Waits until the agent logs one of these, and gives the line.
    pub async fn until_any(&mut self, texts: &[&str]) -> String {
        let (_, log) = self.running.as_mut().expect("it is on");
        let mut seen = Vec::new();
        let reading = async {
            while let Some(line) = log.next_line().await.expect("what it logs") {
                if texts.iter().any(|text| line.contains(text)) {
                    return Some(line);
                }
                seen.push(line);
            }
            None
        };
        let found = tokio::time::timeout(PATIENCE, reading).await;
        found.ok().flatten().unwrap_or_else(|| panic!("{texts:?} was not logged, but {seen:#?}"))
    }

    /// Switches it off.
    pub async fn stop(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            child.kill().await.expect("it can be killed");
        }
    }

    /// Servers of its accounts, of DM 2.0 and of DM 1.x.
    pub async fn accounts(&self) -> (Vec<String>, Vec<String>) {
        let status = self.agent.run(&["status", "--output", "json"]).await.stdout;
        let status: Value = serde_json::from_slice(&status).expect("JSON");
        let servers = |member: &str| {
            let accounts = status[member].as_array().expect("accounts").iter();
            accounts.map(|account| account["server"].as_str().expect("a server").to_owned()).collect()
        };
        (servers("accounts"), servers("dm1_accounts"))
    }
}

fn settings(more: &str) -> String {
    format!("[session]\npoll_interval = 0\n\n[smartcard]\nenabled = true\n{more}")
}
