//! Software components, `urn:oma:mo:oma-scomo:1.0` (`SCOMO 1.0`): the packages of this machine, and those that servers deliver.

mod dpkg;
mod record;
mod worker;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use omadm_client::{
    Changed, Execution, Finished, ManagementObject, PluginError, Refusal, StatusCode, dm1x_data,
};
use omadm_mo::{Change, ClientUri, Miid, Moid, NodeRef, Tree, Value};
use tokio::time::Instant;

use self::dpkg::Installed;
use self::record::{Component, Delivered, End, Outcome, Record, Wanted, What};
use self::worker::{Worker, component_of};
use crate::config::{Inventory, SoftwareSection};
use crate::controls::Controls;
use crate::error::AgentError;
use crate::mo;
use crate::packages::{Delivery, Packages, fits, is_digest, is_plain};

/// Its MOID.
pub const MOID: &str = "urn:oma:mo:oma-scomo:1.0";

const MIID: &str = "SCOMO";
const REPORT: &str = "urn:oma:at:scomo:1.0:OperationComplete";
/// A node of Download that is always there, so that servers have nothing to add.
const READY: &str = "Package";
/// The value does not fit its node, or the device does not do this; codes that a device may define (`DM 2.0 Appendix C`).
const BAD_VALUE: StatusCode = StatusCode(1_400);
/// Pause before work is taken up again that a full disk has ended.
const REST: Duration = Duration::from_secs(60);

/// Software as a management object.
pub struct Software {
    link: String,
    controls: Controls,
    worker: Worker,
    settings: SoftwareSection,
    /// What servers have said of each node of Download.
    offered: BTreeMap<String, Delivery>,
    /// How often somebody waits for the end of an operation of this address.
    awaited: BTreeMap<String, usize>,
    /// Ends that were told last, and are forgotten when the device has had the time to keep them.
    told: Vec<End>,
    /// What of the package manager is in the tree, and the record that is.
    shown: Option<(Option<(SystemTime, u64)>, Record)>,
}

impl Software {
    /// # Errors
    /// There is a record that cannot be read.
    pub fn new(
        link: String,
        controls: Controls,
        settings: &SoftwareSection,
        packages: Packages,
    ) -> Result<Self, AgentError> {
        let directory = packages.directory().to_owned();
        let worker = Worker::open(settings, packages).map_err(|source| AgentError::File {
            action: "read the record of software in",
            path: directory,
            source,
        })?;
        Ok(Self {
            link,
            controls,
            worker,
            settings: settings.clone(),
            offered: BTreeMap::new(),
            awaited: BTreeMap::new(),
            told: Vec::new(),
            shown: None,
        })
    }

    /// Adds an operation to the queue.
    fn add(&mut self, address: &ClientUri, what: What) -> Result<Execution, Refusal> {
        let text = address.to_string();
        let record = self.worker.shared().record.clone();
        // The same again after a power cut in which its acceptance was lost: it is in the queue, and somebody waits for it again.
        let waiting = record.jobs.iter().filter(|job| job.address == text && job.what == what).count();
        if waiting > self.awaited.get(&text).copied().unwrap_or(0) {
            *self.awaited.entry(text).or_default() += 1;
            return Ok(Execution::Running);
        }
        if record.jobs.len() >= self.settings.waiting {
            let reason = format!("{} operations wait already", record.jobs.len());
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason));
        }
        self.worker.update(|record| record.add(&text, what)).map_err(|error| {
            Refusal::new(StatusCode::INTERNAL_ERROR, format!("the operation cannot be kept: {error}"))
        })?;
        *self.awaited.entry(text).or_default() += 1;
        self.work();
        Ok(Execution::Running)
    }

    /// Lets the worker go on if there is something to do, and it is not at it.
    fn work(&self) {
        let mut shared = self.worker.shared();
        let rests = shared.rest.is_some_and(|until| Instant::now() < until);
        if shared.busy || rests || shared.record.jobs.is_empty() {
            return;
        }
        shared.busy = true;
        drop(shared);
        let (worker, controls) = (self.worker.clone(), self.controls.clone());
        tokio::spawn(async move {
            let worked = worker.work().await;
            let mut shared = worker.shared();
            shared.busy = false;
            shared.rest = worked.is_err().then(|| Instant::now() + REST);
            if let Err(error) = worked {
                tracing::error!("operations on software wait: {error}");
            }
            drop(shared);
            controls.wake();
        });
    }

    /// Forgets ends that the device has taken since they were told, and those for which nobody waits.
    fn forget(&mut self) {
        let told = std::mem::take(&mut self.told);
        let awaited = &self.awaited;
        let forgotten = self.worker.update(|record| {
            for end in &told {
                if let Some(at) = record.ended.iter().position(|of| of == end) {
                    record.ended.remove(at);
                }
            }
            record.ended.retain(|end| awaited.get(&end.address).is_some_and(|awaited| *awaited > 0));
        });
        if let Err(error) = forgotten {
            tracing::error!("ends of operations on software cannot be forgotten yet: {error}");
            self.told = told;
        }
        self.awaited.retain(|_, awaited| *awaited > 0);
    }

    /// What a server wants of a node of Download.
    fn download(
        &mut self,
        address: &ClientUri,
        node: &str,
        install: Option<Wanted>,
    ) -> Result<Execution, Refusal> {
        let delivery = self.offered.get(node).cloned().unwrap_or_default();
        if install.is_some() {
            self.may_install(&delivery, install)?;
        }
        self.add(address, What::Download { node: node.to_owned(), delivery, install })
    }

    fn may_install(&self, delivery: &Delivery, wanted: Option<Wanted>) -> Result<(), Refusal> {
        let component = component_of(delivery);
        self.may_manage(&component)?;
        let commands = (&self.settings.install, &self.settings.deactivate);
        let lacks = commands.0.is_empty() || (wanted == Some(Wanted::Inactive) && commands.1.is_empty());
        if lacks {
            let reason = format!("this device has no command to install {component} so");
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, reason));
        }
        Ok(())
    }

    fn may_manage(&self, component: &str) -> Result<(), Refusal> {
        let legal =
            !component.is_empty() && is_plain(component) && omadm_mo::NodeName::parse(component).is_ok();
        if legal && self.is_managed(component) {
            return Ok(());
        }
        Err(Refusal::new(BAD_VALUE, format!("software.manage does not let servers manage {component:?}")))
    }

    fn is_managed(&self, component: &str) -> bool {
        self.settings.manage.iter().any(|pattern| fits(pattern, component))
    }

    fn manage(
        &mut self,
        address: &ClientUri,
        component: &str,
        command: fn(&SoftwareSection) -> &[String],
        what: fn(String) -> What,
    ) -> Result<Execution, Refusal> {
        self.may_manage(component)?;
        if command(&self.settings).is_empty() {
            let reason = format!("this device has no command for {address}");
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, reason));
        }
        self.add(address, what(component.to_owned()))
    }

    /// Brings the tree in line with the machine; only what has changed is looked at.
    fn show(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let record = self.worker.shared().record.clone();
        let path = Path::new("/").join(dpkg::STATUS);
        let stamp = match self.settings.inventory {
            Inventory::None => None,
            Inventory::Dpkg => {
                std::fs::metadata(&path).and_then(|found| Ok((found.modified()?, found.len()))).ok()
            }
        };
        if self.shown.as_ref().is_some_and(|(of, shown)| *of == stamp && *shown == record) {
            return self.show_downloads(&record, tree);
        }
        let installed = match self.settings.inventory {
            Inventory::None => Installed::new(),
            Inventory::Dpkg => dpkg::read(&path, &self.settings.show, self.settings.max_components)
                .inspect_err(|error| tracing::warn!("{}: {error}", path.display()))
                .unwrap_or_default(),
        };
        self.show_downloads(&record, tree)?;
        Self::show_delivered(&record, tree)?;
        self.show_deployed(&record, installed, tree)?;
        self.shown = Some((stamp, record));
        Ok(())
    }

    /// What the device owes to each node of Download.
    fn show_downloads(&self, record: &Record, tree: &mut Change<'_>) -> Result<(), PluginError> {
        for node in self.offered.keys() {
            let Outcome { status, result, reason } = record.outcome(node);
            let leaf = |path: &str| format!("Download/{node}/{path}");
            let leaves = [
                (leaf("Status"), Value::Int(status)),
                (leaf("Ext/Result"), Value::Int(result.into())),
                (leaf("Ext/Reason"), Value::Text(reason)),
                (leaf("Operations/Download"), Value::Null),
                (leaf("Operations/DownloadInstall"), Value::Null),
                (leaf("Operations/DownloadInstallInactive"), Value::Null),
            ];
            put_all(tree, &leaves)?;
        }
        Ok(())
    }

    fn show_delivered(record: &Record, tree: &mut Change<'_>) -> Result<(), PluginError> {
        mo::prune(tree, MOID, MIID, "Inventory/Delivered", |node| record.delivered.contains_key(node))?;
        for (node, Delivered { delivery, status, installed, .. }) in &record.delivered {
            let leaf = |path: &str| format!("Inventory/Delivered/{node}/{path}");
            let leaves = [
                (leaf("PkgID"), Value::Text(delivery.id.clone())),
                (leaf("Name"), Value::Text(delivery.name.clone())),
                (leaf("Status"), Value::Int(*status)),
                (leaf("State"), Value::Int(if *installed { 20 } else { 10 })),
                (leaf("Operations/Install"), Value::Null),
                (leaf("Operations/InstallInactive"), Value::Null),
                (leaf("Operations/Remove"), Value::Null),
            ];
            put_all(tree, &leaves)?;
        }
        Ok(())
    }

    fn show_deployed(
        &self,
        record: &Record,
        mut shown: Installed,
        tree: &mut Change<'_>,
    ) -> Result<(), PluginError> {
        for (name, component) in &record.components {
            // What the package manager knew and knows no more is gone.
            if !component.known && shown.len() < self.settings.max_components {
                shown.entry(name.clone()).or_insert_with(|| component.version.clone());
            }
        }
        mo::prune(tree, MOID, MIID, "Inventory/Deployed", |node| shown.contains_key(node))?;
        for (name, version) in &shown {
            let ours = record.components.get(name);
            let leaf = |path: &str| format!("Inventory/Deployed/{name}/{path}");
            let active = ours.is_none_or(|component| component.active);
            let mut leaves = vec![
                (leaf("ID"), Value::Text(name.clone())),
                (leaf("Version"), Value::Text(version.clone())),
                (leaf("Status"), Value::Int(record.component_status(name))),
                (leaf("State"), Value::Int(if active { 20 } else { 10 })),
            ];
            if let Some(Component { package, .. }) = ours.filter(|component| !component.package.is_empty()) {
                leaves.push((leaf("PkgIDRef"), Value::Text(package.clone())));
            }
            if self.is_managed(name) {
                let operations = ["Activate", "Deactivate", "Remove"];
                leaves.extend(
                    operations.map(|operation| (leaf(&format!("Operations/{operation}")), Value::Null)),
                );
            }
            put_all(tree, &leaves)?;
        }
        Ok(())
    }
}

fn put_all(tree: &mut Change<'_>, leaves: &[(String, Value)]) -> Result<(), PluginError> {
    mo::put(tree, MOID, MIID, leaves.iter().map(|(path, value)| (path.as_str(), value.clone())))
}

impl ManagementObject for Software {
    fn ddf(&self) -> &str {
        include_str!("../../../../ddf/oma_scomo-v1_0.ddf")
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        for name in ["PkgID", "Name", "PkgURL", "Ext/SHA256", "Ext/Signature", "Ext/Version", "Ext/Size"] {
            let path = format!("Download/{READY}/{name}");
            if mo::get(tree, MOID, MIID, &path).is_none() {
                let empty = if name == "Ext/Size" { Value::Int(0) } else { Value::Text(String::new()) };
                mo::put(tree, MOID, MIID, [(path.as_str(), empty)])?;
            }
        }
        self.offered = offered(tree.tree());
        let record = self.worker.shared().record.clone();
        // Not the list of what is installed: it is long, and read when somebody asks for it.
        self.show_downloads(&record, tree)
    }

    fn refresh(&mut self, _instance: &Miid, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.show(tree)
    }

    fn check(&mut self, changed: &Changed<'_>) -> Result<(), Refusal> {
        let now = offered(changed.tree.0);
        let refuse = |what: String| Err(Refusal::new(BAD_VALUE, what));
        if now.len() > self.settings.max_packages {
            let reason = format!("Download takes {} packages", self.settings.max_packages);
            return Err(Refusal::new(StatusCode::DEVICE_FULL, reason));
        }
        for (node, Delivery { id, name, version, sha256, .. }) in &now {
            if ![id, name, version].into_iter().all(|text| is_plain(text)) {
                return refuse(format!(
                    "a name of Download/{node} is too long, has control characters, or - in front"
                ));
            }
            if !is_digest(sha256) {
                return refuse("Ext/SHA256 has to be 64 hexadecimal digits or empty".to_owned());
            }
        }
        let parameters = changed.nodes.iter().any(|node| {
            let is_parameters = node.path.last().is_some_and(|name| name.as_str() == "InstallParams");
            let value = node.record.and_then(|record| record.value.as_ref());
            is_parameters && matches!(value, Some(Value::Text(text)) if !text.is_empty())
        });
        if parameters { refuse("this device takes no InstallParams".to_owned()) } else { Ok(()) }
    }

    fn applied(&mut self, changed: &Changed<'_>) {
        self.offered = offered(changed.tree.0);
    }

    fn complete(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let record = self.worker.shared().record.clone();
        self.show_downloads(&record, tree)
    }

    fn execute(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        let path = mo::path(address).unwrap_or_default();
        let names: Vec<&str> = path.split('/').collect();
        match names.as_slice() {
            ["Download", node, "Operations", "Download"] => self.download(address, node, None),
            ["Download", node, "Operations", "DownloadInstall"] => {
                self.download(address, node, Some(Wanted::Active))
            }
            ["Download", node, "Operations", "DownloadInstallInactive"] => {
                self.download(address, node, Some(Wanted::Inactive))
            }
            ["Inventory", "Delivered", node, "Operations", operation] => {
                let delivered = self.worker.shared().record.delivered.get(*node).cloned();
                let wanted = match *operation {
                    "Install" => Some(Wanted::Active),
                    "InstallInactive" => Some(Wanted::Inactive),
                    _ => None,
                };
                let node = (*node).to_owned();
                let Some(wanted) = wanted else { return self.add(address, What::RemovePackage { node }) };
                let delivery = delivered.map(|delivered| delivered.delivery).unwrap_or_default();
                self.may_install(&delivery, Some(wanted))?;
                self.add(address, What::Install { node, wanted })
            }
            ["Inventory", "Deployed", component, "Operations", "Activate"] => {
                self.manage(address, component, |of| &of.activate, |component| What::Activate { component })
            }
            ["Inventory", "Deployed", component, "Operations", "Deactivate"] => self.manage(
                address,
                component,
                |of| &of.deactivate,
                |component| What::Deactivate { component },
            ),
            ["Inventory", "Deployed", component, "Operations", "Remove"] => {
                self.manage(address, component, |of| &of.remove, |component| What::Remove { component })
            }
            _ => Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, format!("{address} is no operation"))),
        }
    }

    fn resume(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        let text = address.to_string();
        let shared = self.worker.shared();
        let jobs = shared.record.jobs.iter().filter(|job| job.address == text).count();
        let ends = shared.record.ended.iter().filter(|end| end.address == text).count();
        drop(shared);
        let awaited = self.awaited.entry(text).or_default();
        if *awaited >= jobs + ends {
            let reason = "the power went before the operation began";
            return Err(Refusal::new(StatusCode::INTERNAL_ERROR, reason));
        }
        *awaited += 1;
        Ok(Execution::Running)
    }

    fn finished(&mut self) -> Vec<Finished> {
        self.work();
        self.forget();
        let ended = self.worker.shared().record.ended.clone();
        let mut told = Vec::new();
        for end in ended {
            let Some(awaited) = self.awaited.get_mut(&end.address).filter(|awaited| **awaited > 0) else {
                continue;
            };
            *awaited -= 1;
            if let Ok(address) = ClientUri::parse(&end.address) {
                let identifier = escaped(&end.identifier);
                let xml =
                    format!("<ResultCode>{}</ResultCode><Identifier>{identifier}</Identifier>", end.code);
                let finished = Finished::new(address, StatusCode(end.code));
                told.push(Finished { data: Some(dm1x_data(&xml, "text/xml")), ..finished });
            }
            self.told.push(end);
        }
        told
    }

    fn report_type(&self, _address: &ClientUri) -> String {
        REPORT.to_owned()
    }
}

/// What servers have said of each node of Download.
fn offered(tree: &Tree) -> BTreeMap<String, Delivery> {
    let root = Moid::parse(MOID)
        .ok()
        .zip(Miid::parse(MIID).ok())
        .and_then(|(moid, miid)| tree.node(tree.instance(&moid, &miid)?.root));
    let downloads = root.and_then(|root| root.child("Download"));
    downloads.map_or_else(BTreeMap::new, |downloads| {
        downloads.children().map(|node| (node.name().as_str().to_owned(), delivery(node))).collect()
    })
}

fn delivery(node: NodeRef<'_>) -> Delivery {
    let leaf = |path: &[&str]| path.iter().try_fold(node, |node, name| node.child(name))?.value().cloned();
    let text = |path: &[&str]| match &leaf(path) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    Delivery {
        id: text(&["PkgID"]),
        name: text(&["Name"]),
        version: text(&["Ext", "Version"]),
        url: text(&["PkgURL"]),
        sha256: text(&["Ext", "SHA256"]),
        signature: text(&["Ext", "Signature"]),
        size: match leaf(&["Ext", "Size"]) {
            Some(Value::Int(size)) => u64::try_from(size).unwrap_or(0),
            _ => 0,
        },
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
