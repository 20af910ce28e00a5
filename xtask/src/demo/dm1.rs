//! A second agent on this machine that speaks DM 1.3 in WBXML and is called by notifications of DM 1.3, and the same commands for it; at the
//! end over a local link, by OBEX.

use std::process::Command;

use super::operator::Operator;
use super::process::{Background, wait_until};
use super::{AGENT_MO, DEVINFO, PATIENCE, Place, on, say, values};
use crate::workspace::Result;

/// Who it is.
pub(super) const DEVICE: &str = "UUID:6f0f8d0e-1c5b-4d8a-9f0c-0d3a5b7c9e13";
const NOTE: &str = "hello by DM 1.3";
/// What a notification asks the device for, and its number on both sides.
const DEVDETAIL: &str = "urn:oma:mo:oma-dm-devdetail:1.1";
pub(super) const OBJECTS: &str = "[{ number = 1, moid = \"urn:oma:mo:oma-dm-devdetail:1.1\" }]";
const REASON: &str = "the demo wants to see this device";
/// What its user says to every question: the command that answers in the place of a person.
const USER: &str = "[\"echo\", \"yes\"]";

/// What its sessions brought.
pub(super) struct Seen {
    /// Its manufacturer, by the words that the other agent was asked with.
    pub(super) manufacturer: String,
    /// The line that shows the user's answer.
    pub(super) answer: String,
    /// What the operator saw of the notification by hand.
    pub(super) notified: String,
    /// Where it was managed by OBEX.
    pub(super) link: String,
}

impl Place {
    /// Enrols the device; the answer of the server is its account, and its agent begins with a session. It polls once an hour, and so the
    /// server is told where to call it.
    pub(super) fn start_dm1_agent(&self, operator: &Operator) -> Result<Background> {
        say(&format!(
            "enrolling a second device, {DEVICE}, and starting its agent, which speaks DM 1.3 in WBXML"
        ));
        let account = operator.json(&["device", "add", DEVICE, "--label", "this machine, by DM 1.3"])?;
        let (account_file, settings_file) = (self.path("dm1-account.json"), self.path("dm1-agent.toml"));
        std::fs::write(&account_file, account.to_string())?;
        let settings = format!(
            "[device]\nid = {DEVICE:?}\ndata_dir = {:?}\n\n[tls]\nca_file = {:?}\n\n[session]\npoll_interval = 3600\n\n\
             [dm1]\nuser = \"command\"\nuser_command = {USER}\n\n\
             [notification]\nenabled = true\nlisten = \"127.0.0.1:{}\"\ndm1_objects = {OBJECTS}\n\n\
             [dm1.obex]\nlisten = \"127.0.0.1:{}\"\n{}",
            self.path("dm1-agent"),
            self.path("ca.pem"),
            self.dm1_push_port,
            self.obex_port,
            self.component("dm1-agent")?,
        );
        std::fs::write(&settings_file, settings)?;
        let agent = || {
            let mut command = Command::new(self.programs.join("omadm-agent"));
            command.arg("--config").arg(&settings_file);
            command
        };
        let begun = agent().arg("bootstrap").arg(&account_file).output()?;
        if !begun.status.success() {
            let why = String::from_utf8_lossy(&begun.stderr);
            return Err(format!("omadm-agent bootstrap: {}", why.trim()).into());
        }
        let log = self.path("dm1-agent.log");
        let running = Background::start("the agent of DM 1.3", agent().arg("run"), &log)?;
        let place = format!("udp:127.0.0.1:{}", self.dm1_push_port);
        operator.show(&["device", "push", DEVICE, &place])?;
        Ok(running)
    }
}

/// When the device was there last.
fn last_contact(operator: &Operator) -> Result<Option<String>> {
    let shown = operator.json(&["device", "show", DEVICE])?;
    Ok(shown.get("last_contact").and_then(serde_json::Value::as_str).map(str::to_owned))
}

/// Calls the device by hand, with a reason for its user and a wish for package 1.
fn call(operator: &Operator) -> Result<String> {
    let before = last_contact(operator)?;
    let words = ["notify", DEVICE, "--ui", "inform", "--reason", REASON, "--request-mo", DEVDETAIL];
    let said = operator.show(&words)?.trim().to_owned();
    wait_until("the session that the notification asks for", PATIENCE, || {
        Ok(last_contact(operator)? != before)
    })?;
    Ok(said)
}

/// Has the server call the device over OBEX, and manage it over the same link. There is no other way to it then, so what comes back has
/// come by that one.
fn by_obex(place: &Place, operator: &Operator) -> Result<String> {
    let link = format!("obex:127.0.0.1:{}", place.obex_port);
    say("telling the server to reach it by nothing but a local link, by OBEX");
    operator.show(&["device", "push", DEVICE, &link])?;
    operator.show(&on(DEVICE, &["get", &format!("{AGENT_MO}/Note")]))?;
    Ok(link)
}

/// The same words as for the other device.
pub(super) fn walk_through(place: &Place, operator: &Operator) -> Result<Seen> {
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
    let notified = call(operator)?;
    let link = by_obex(place, operator)?;
    let shown = operator.json(&["device", "show", DEVICE])?;
    match shown.get("protocol").and_then(serde_json::Value::as_str) {
        Some("dm1.3") => Ok(Seen { manufacturer, answer, notified, link }),
        other => Err(format!("the second device speaks {other:?} and not DM 1.3").into()),
    }
}
