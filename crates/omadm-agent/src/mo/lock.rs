//! Lock and wipe, `urn:oma:mo:oma-lawmo:1.0` (`LAWMO 1.0`): the commands of the administrator, and nothing beside them.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use omadm_client::download::write_durably;
use omadm_client::{
    Changed, Execution, Finished, ManagementObject, PluginError, Refusal, StatusCode, dm1x_code,
};
use omadm_mo::{Change, ClientUri, Miid, NodeName, Value};
use tokio::sync::oneshot::{self, Receiver, error::TryRecvError};

use crate::config::{LockSection, WipeItem};
use crate::controls::Controls;
use crate::packages::hook::Hook;

const MOID: &str = "urn:oma:mo:oma-lawmo:1.0";
const MIID: &str = "LAWMO";
const REPORT: &str = "urn:oma:at:lawmo:1.0:OperationComplete";

/// `State` (`LAWMO 1.0 §6`).
const FULLY_LOCKED: i64 = 10;
const PARTIALLY_LOCKED: i64 = 20;
const UNLOCKED: i64 = 30;

const SUCCESS: u16 = 1200;
const WIPED: u16 = 1201;
const CLIENT_ERROR: u16 = 1400;
const NOTHING_WIPED: u16 = 1406;

/// Lock and wipe as a management object.
pub struct Lock {
    link: String,
    controls: Controls,
    settings: LockSection,
    directory: PathBuf,
    state: i64,
    notify_user: bool,
    /// Which of the items are to be wiped.
    marked: Vec<bool>,
    running: Option<Run>,
}

/// An operation under way.
struct Run {
    address: ClientUri,
    /// State once it has ended well.
    becomes: Option<i64>,
    end: Receiver<u16>,
}

impl Lock {
    pub fn new(link: String, controls: Controls, settings: &LockSection, data_dir: &Path) -> Self {
        let directory = data_dir.join("lawmo");
        let state = std::fs::read_to_string(directory.join("state")).ok();
        let state = state.and_then(|text| text.trim().parse().ok());
        Self {
            link,
            controls,
            settings: settings.clone(),
            directory,
            state: state.filter(|state| [FULLY_LOCKED, PARTIALLY_LOCKED].contains(state)).unwrap_or(UNLOCKED),
            notify_user: false,
            marked: vec![false; settings.wipe_items.len()],
            running: None,
        }
    }

    fn begin(&mut self, operation: &str, address: &ClientUri) -> Result<Execution, Refusal> {
        let LockSection { full, partial, unlock, factory_reset, wipe_items, .. } = &self.settings;
        // Commands in their order, the code of what fails and of what goes well, and the state after it.
        let (commands, failure, success, becomes) = match operation {
            "FullyLock" => (one(full), 1402, SUCCESS, Some(FULLY_LOCKED)),
            "PartiallyLock" => (one(partial), 1403, SUCCESS, Some(PARTIALLY_LOCKED)),
            "UnLock" => (one(unlock), 1404, SUCCESS, Some(UNLOCKED)),
            "FactoryReset" => (one(factory_reset), CLIENT_ERROR, SUCCESS, None),
            "Wipe" => {
                let marked = wipe_items.iter().zip(&self.marked).filter(|(_, marked)| **marked);
                (marked.map(|(item, _)| item.command.clone()).collect(), 1405, WIPED, None)
            }
            _ => (VecDeque::new(), 0, 0, None),
        };
        let is_configured = if operation == "Wipe" { !wipe_items.is_empty() } else { !commands.is_empty() };
        if !is_configured {
            let reason = format!("this device has no command for {address}");
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, reason));
        }
        if self.running.is_some() {
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "another operation is going on"));
        }
        tracing::warn!(%address, "a server has begun an operation of the lock object");
        let end = self.spawn(commands, failure, success);
        self.running = Some(Run { address: address.clone(), becomes, end });
        Ok(Execution::Running)
    }

    fn spawn(&self, commands: VecDeque<Vec<String>>, failure: u16, success: u16) -> Receiver<u16> {
        let (told, end) = oneshot::channel();
        let (timeout, directory): (Duration, _) = (self.settings.timeout.0, self.directory.clone());
        let notify = if self.notify_user { "1" } else { "0" };
        let controls = self.controls.clone();
        tokio::spawn(async move {
            let mut code = if commands.is_empty() { NOTHING_WIPED } else { success };
            for command in commands {
                let hook = Hook::new(&command, timeout, &directory);
                match hook.run(&[("notify_user", OsStr::new(notify))]).await {
                    Ok(0) => {}
                    Ok(exit) => {
                        tracing::error!(?command, exit, "a command of the lock object failed");
                        code = failure;
                    }
                    Err(error) => {
                        tracing::error!("a command of the lock object failed: {error}");
                        code = failure;
                    }
                }
            }
            // Who does not listen any more is about to end.
            if told.send(code).is_ok() {
                controls.wake();
            }
        });
        end
    }

    fn show(&self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        super::put(tree, MOID, MIID, [("State", Value::Int(self.state))])
    }
}

fn one(command: &[String]) -> VecDeque<Vec<String>> {
    (!command.is_empty()).then(|| command.to_vec()).into_iter().collect()
}

impl ManagementObject for Lock {
    fn ddf(&self) -> &str {
        include_str!("../../../../ddf/oma_lawmo-v1_0.ddf")
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.show(tree)?;
        for (index, WipeItem { name, .. }) in self.settings.wipe_items.iter().enumerate() {
            // What was marked before a restart is not wiped by a command that comes after it.
            let leaf = |leaf: &str| format!("AvailableWipeList/{}/{leaf}", index + 1);
            let (named, marked) = (leaf("ListItemName"), leaf("ToBeWiped"));
            let leaves = [(named.as_str(), Value::Text(name.clone())), (marked.as_str(), Value::Bool(false))];
            super::put(tree, MOID, MIID, leaves)?;
        }
        super::prune(tree, MOID, MIID, "AvailableWipeList", |name| {
            name.parse::<usize>().is_ok_and(|number| (1..=self.settings.wipe_items.len()).contains(&number))
        })?;
        let operations = ["FullyLock", "PartiallyLock", "UnLock", "FactoryReset", "Wipe"];
        let operations = operations.map(|name| format!("Operations/{name}"));
        super::put(tree, MOID, MIID, operations.iter().map(|path| (path.as_str(), Value::Null)))?;
        match super::get(tree, MOID, MIID, "LAWMOConfig/NotifyUser") {
            Some(Value::Bool(notify)) => self.notify_user = notify,
            _ => super::put(tree, MOID, MIID, [("LAWMOConfig/NotifyUser", Value::Bool(false))])?,
        }
        Ok(())
    }

    fn refresh(&mut self, _instance: &Miid, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.show(tree)
    }

    fn applied(&mut self, changed: &Changed<'_>) {
        for node in &changed.nodes {
            let names: Vec<&str> = node.path.iter().map(NodeName::as_str).collect();
            let Some(Value::Bool(value)) = node.record.and_then(|record| record.value.as_ref()) else {
                continue;
            };
            match names.as_slice() {
                ["LAWMOConfig", "NotifyUser"] => self.notify_user = *value,
                ["AvailableWipeList", number, "ToBeWiped"] => {
                    let index = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                    if let Some(marked) = index.and_then(|index| self.marked.get_mut(index)) {
                        *marked = *value;
                    }
                }
                _ => {}
            }
        }
    }

    fn execute(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        let path = super::path(address).unwrap_or_default();
        self.begin(path.strip_prefix("Operations/").unwrap_or_default(), address)
    }

    fn finished(&mut self) -> Vec<Finished> {
        let Some(run) = &mut self.running else { return Vec::new() };
        let code = match run.end.try_recv() {
            Ok(code) => code,
            Err(TryRecvError::Empty) => return Vec::new(),
            Err(TryRecvError::Closed) => CLIENT_ERROR,
        };
        let Some(Run { address, becomes, .. }) = self.running.take() else { return Vec::new() };
        if let Some(state) = becomes.filter(|_| code == SUCCESS) {
            self.state = state;
            let kept = std::fs::create_dir_all(&self.directory)
                .and_then(|()| write_durably(&self.directory.join("state"), state.to_string().as_bytes()));
            if let Err(error) = kept {
                tracing::error!("the state of the lock cannot be kept: {error}");
            }
        }
        vec![Finished { data: Some(dm1x_code(code)), ..Finished::new(address, StatusCode(code)) }]
    }

    fn report_type(&self, _address: &ClientUri) -> String {
        REPORT.to_owned()
    }
}
