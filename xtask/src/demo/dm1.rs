//! A second agent on this machine that speaks DM 1.3 in WBXML, and the same commands for it.

use std::process::Command;

use super::operator::Operator;
use super::process::{Background, wait_until};
use super::{AGENT_MO, DEVINFO, PATIENCE, Place, on, say, values};
use crate::workspace::Result;

/// Who it is.
pub(super) const DEVICE: &str = "UUID:6f0f8d0e-1c5b-4d8a-9f0c-0d3a5b7c9e13";
const NOTE: &str = "hello by DM 1.3";
/// What its user says to every question: the command that answers in the place of a person.
const USER: &str = "[\"echo\", \"yes\"]";

/// What its sessions brought.
pub(super) struct Seen {
    /// Its manufacturer, by the words that the other agent was asked with.
    pub(super) manufacturer: String,
    /// The line that shows the user's answer.
    pub(super) answer: String,
}

impl Place {
    /// Enrols the device; the answer of the server is its account. Starts its agent, which polls every second.
    pub(super) fn start_dm1_agent(&self, operator: &Operator) -> Result<Background> {
        say(&format!(
            "enrolling a second device, {DEVICE}, and starting its agent, which speaks DM 1.3 in WBXML"
        ));
        let account = operator.json(&["device", "add", DEVICE, "--label", "this machine, by DM 1.3"])?;
        let (account_file, settings_file) = (self.path("dm1-account.json"), self.path("dm1-agent.toml"));
        std::fs::write(&account_file, account.to_string())?;
        let settings = format!(
            "[device]\nid = {DEVICE:?}\ndata_dir = {:?}\n\n[tls]\nca_file = {:?}\n\n[session]\npoll_interval = 1\n\n\
             [dm1]\naccounts = [{account_file:?}]\nuser = \"command\"\nuser_command = {USER}\n",
            self.path("dm1-agent"),
            self.path("ca.pem"),
        );
        std::fs::write(&settings_file, settings)?;
        let mut command = Command::new(self.programs.join("omadm-agent"));
        command.arg("--config").arg(&settings_file).arg("run");
        let mut agent = Background::start("the agent of DM 1.3", &mut command, &self.path("dm1-agent.log"))?;
        wait_until("the first session by DM 1.3", PATIENCE, || {
            agent.check()?;
            let shown = operator.json(&["device", "show", DEVICE])?;
            Ok(shown.get("last_contact").is_some_and(|at| !at.is_null()))
        })?;
        Ok(agent)
    }
}

/// The same words as for the other device.
pub(super) fn walk_through(operator: &Operator) -> Result<Seen> {
    let manufacturer = format!("{DEVINFO}/Man");
    operator.show(&on(DEVICE, &["get", &manufacturer]))?;
    let found = operator.json(&on(DEVICE, &["get", &manufacturer]))?;
    let found = found.pointer("/result/items/0/value").and_then(serde_json::Value::as_str);
    let manufacturer = found.ok_or("the agent of DM 1.3 has no manufacturer")?.to_owned();
    let note = format!("{AGENT_MO}/Note");
    operator.show(&on(DEVICE, &["set", &note, NOTE]))?;
    operator.show(&on(DEVICE, &["get", &note]))?;
    let read_back = values(&operator.json(&on(DEVICE, &["get", &note]))?, AGENT_MO);
    if !read_back.iter().any(|(_, value)| value == NOTE) {
        return Err(format!("what was written by DM 1.3 was not read back, but {read_back:?}").into());
    }
    let ask = ["ask", "May this machine be managed?", "--kind", "confirm"];
    let answer = operator.show(&on(DEVICE, &ask))?.trim().to_owned();
    let shown = operator.json(&["device", "show", DEVICE])?;
    match shown.get("protocol").and_then(serde_json::Value::as_str) {
        Some("dm1.3") => Ok(Seen { manufacturer, answer }),
        other => Err(format!("the second device speaks {other:?} and not DM 1.3").into()),
    }
}
