//! The agent's own management object, `urn:omadm:mo:agent:1.0`: what an operator can set and run from the first day.

use omadm_client::{Changed, Execution, Finished, ManagementObject, PluginError, Refusal, StatusCode};
use omadm_mo::{Change, ClientUri, Value};

use super::maintenance::Maintenance;
use crate::config::{LogLevel, MaintenanceSection};
use crate::controls::Controls;
use crate::logging::Logging;

/// Its MOID.
pub const MOID: &str = "urn:omadm:mo:agent:1.0";
/// Longest poll interval in seconds: a week.
pub const MAX_POLL_INTERVAL: u32 = 604_800;

const MIID: &str = "Agent";
const POLL_NOW: &str = "Operations/PollNow";
const COMPACT: &str = "Operations/Compact";
const MAINTAIN: &str = "Operations/Maintain";
/// The value does not fit its node; one of the codes that a device may define (`DM 2.0 Appendix C`).
const BAD_VALUE: StatusCode = StatusCode(1_400);

/// What the configuration says.
#[derive(Clone, Debug)]
pub struct Settings {
    pub poll_interval: u32,
    pub log_level: LogLevel,
    pub logging: Logging,
    pub maintenance: MaintenanceSection,
}

/// The agent as a management object.
pub struct Agent {
    link: String,
    controls: Controls,
    settings: Settings,
    maintenance: Maintenance,
}

impl Agent {
    pub fn new(link: String, controls: Controls, settings: Settings) -> Self {
        let maintenance = Maintenance::new(settings.maintenance.clone(), controls.clone());
        Self { link, controls, settings, maintenance }
    }

    /// Puts a configured value into the tree if the configuration changed since the last start, or if there is none yet:
    /// what a server set stays until then.
    fn configure(tree: &mut Change<'_>, name: &str, configured: Value) -> Result<(), PluginError> {
        let seen = format!("Configured/{name}");
        if get(tree, &seen).as_ref() == Some(&configured) && get(tree, name).is_some() {
            return Ok(());
        }
        super::put(tree, MOID, MIID, [(name, configured.clone()), (&seen, configured)])
    }

    fn take_effect(&self, name: &str, value: &Value) {
        match name {
            "PollInterval" => {
                if let Some(seconds) = poll_interval(value) {
                    self.controls.set_poll_interval(seconds);
                }
            }
            "LogLevel" => {
                if let Some(level) = log_level(value) {
                    self.settings.logging.set(level);
                }
            }
            _ => {}
        }
    }
}

impl ManagementObject for Agent {
    fn ddf(&self) -> &str {
        include_str!("../../../../ddf/omadm_agent-v1_0.ddf")
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let poll_interval = Value::Int(self.settings.poll_interval.into());
        let log_level = Value::Text(self.settings.log_level.as_str().to_owned());
        Self::configure(tree, "PollInterval", poll_interval)?;
        Self::configure(tree, "LogLevel", log_level)?;
        if get(tree, "Note").is_none() {
            super::put(tree, MOID, MIID, [("Note", Value::Text(String::new()))])?;
        }
        super::put(tree, MOID, MIID, [POLL_NOW, COMPACT, MAINTAIN].map(|name| (name, Value::Null)))?;
        for name in ["PollInterval", "LogLevel"] {
            if let Some(value) = get(tree, name) {
                self.take_effect(name, &value);
            }
        }
        Ok(())
    }

    fn check(&mut self, changed: &Changed<'_>) -> Result<(), Refusal> {
        let refuse =
            |name: &str, want: &str| Err(Refusal::new(BAD_VALUE, format!("{name} has to be {want}")));
        if value(changed, "PollInterval").is_some_and(|value| poll_interval(value).is_none()) {
            return refuse("PollInterval", "0 to 604800 seconds");
        }
        if value(changed, "LogLevel").is_some_and(|value| log_level(value).is_none()) {
            return refuse("LogLevel", "off, error, warn, info, debug or trace");
        }
        Ok(())
    }

    fn applied(&mut self, changed: &Changed<'_>) {
        for name in ["PollInterval", "LogLevel"] {
            if let Some(value) = value(changed, name) {
                self.take_effect(name, value);
            }
        }
    }

    fn execute(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        match super::path(address).as_deref() {
            Some(POLL_NOW) => self.controls.ask_for_session(),
            Some(COMPACT) => self.controls.ask_for_compaction(),
            Some(MAINTAIN) => return self.maintenance.start(address),
            _ => {
                return Err(Refusal::new(
                    StatusCode::NOT_IMPLEMENTED,
                    format!("the agent cannot execute {address}"),
                ));
            }
        }
        Ok(Execution::Done)
    }

    fn finished(&mut self) -> Vec<Finished> {
        self.maintenance.finished().into_iter().collect()
    }
}

fn get(tree: &Change<'_>, path: &str) -> Option<Value> {
    super::get(tree, MOID, MIID, path)
}

fn value<'a>(changed: &Changed<'a>, name: &str) -> Option<&'a Value> {
    changed.node(&[name])?.record?.value.as_ref()
}

fn poll_interval(value: &Value) -> Option<u32> {
    let Value::Int(seconds) = value else { return None };
    u32::try_from(*seconds).ok().filter(|seconds| *seconds <= MAX_POLL_INTERVAL)
}

fn log_level(value: &Value) -> Option<LogLevel> {
    let Value::Text(level) = value else { return None };
    LogLevel::parse(level)
}
