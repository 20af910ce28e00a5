//! Firmware update, `urn:oma:mo:oma-fumo:1.0` (`FUMO 1.0`).

mod machine;
mod slots;
mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use omadm_client::{
    Changed, Execution, Finished, ManagementObject, PluginError, Refusal, StatusCode, dm1x_code,
};
use omadm_mo::{Change, ClientUri, Miid, Value};
use tokio::time::Instant;

use self::machine::{End, Kind, Record, Stage, State, Unready, drive};
use self::worker::Worker;
use crate::config::{Confirmation, FirmwareMethod, FirmwareSection};
use crate::controls::Controls;
use crate::error::AgentError;
use crate::mo;
use crate::packages::{Delivery, Packages, is_digest, is_plain};

/// Its MOID.
pub const MOID: &str = "urn:oma:mo:oma-fumo:1.0";

const MIID: &str = "FUMO";
/// The value does not fit its node; one of the codes that a device may define (`DM 2.0 Appendix C`).
const BAD_VALUE: StatusCode = StatusCode(1_400);
/// Largest package that a server may send itself.
const MAX_PKG_DATA: usize = 8 << 20;
/// Pause before work is taken up again that a full disk has ended.
const REST: Duration = Duration::from_secs(60);
/// Longest version in a file.
const MAX_VERSION: usize = 255;

/// Leaves that servers set, and what is there before they do.
const SETTABLE: [&str; 7] = [
    "PkgName",
    "PkgVersion",
    "Ext/SHA256",
    "Ext/Signature",
    "Ext/Size",
    "Download/PkgURL",
    "DownloadAndUpdate/PkgURL",
];

/// The update of this machine as a management object.
pub struct Firmware {
    link: String,
    controls: Controls,
    worker: Worker,
    settings: FirmwareSection,
    directory: PathBuf,
    /// What servers have set.
    offered: Offered,
    /// Somebody waits for the end of the operation.
    awaited: bool,
    /// Sessions that had ended well when firmware on trial was first seen in this run.
    sessions: Option<u64>,
}

/// What servers have set.
#[derive(Clone, Debug, Default)]
struct Offered {
    delivery: Delivery,
    download: String,
    download_and_update: String,
}

impl Firmware {
    /// # Errors
    /// There is a record of an update that cannot be read: whoever looks after the machine has to say what it runs.
    pub fn new(
        link: String,
        controls: Controls,
        settings: &FirmwareSection,
        packages: Packages,
    ) -> Result<Self, AgentError> {
        let directory = packages.directory().to_owned();
        let worker = Worker::open(settings, packages).map_err(|source| AgentError::File {
            action: "read the record of the firmware update in",
            path: directory.clone(),
            source,
        })?;
        Ok(Self {
            link,
            controls,
            worker,
            settings: settings.clone(),
            directory,
            offered: Offered::default(),
            awaited: false,
            sessions: None,
        })
    }

    fn begin(&mut self, kind: Kind, address: &ClientUri) -> Result<Execution, Refusal> {
        let url = match kind {
            Kind::Download => &self.offered.download,
            Kind::Update | Kind::DownloadAndUpdate => &self.offered.download_and_update,
        };
        let delivery = Delivery { url: url.clone(), ..self.offered.delivery.clone() };
        let mut shared = self.worker.shared();
        // The same again after a power cut in which its acceptance was lost: it is under way, and somebody waits for it again.
        let again = shared.record.running.as_ref().is_some_and(|running| {
            running.kind == kind && (kind == Kind::Update || running.delivery == delivery)
        });
        if again && !self.awaited {
            drop(shared);
            self.awaited = true;
            return Ok(Execution::Running);
        }
        if shared.busy {
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "another update is going on"));
        }
        let mut record = shared.record.clone();
        record.begin(kind, &address.to_string(), delivery).map_err(|unready| match unready {
            Unready::Busy => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "another update is going on"),
            Unready::NoPackage => Refusal::new(StatusCode::INTERNAL_ERROR, "there is no package to install"),
        })?;
        self.worker.write(&record).map_err(|error| {
            Refusal::new(StatusCode::INTERNAL_ERROR, format!("the update cannot be kept: {error}"))
        })?;
        shared.record = record;
        drop(shared);
        self.awaited = true;
        self.sessions = None;
        self.work();
        Ok(Execution::Running)
    }

    fn is_busy(&self) -> bool {
        let shared = self.worker.shared();
        shared.busy || shared.record.stage != Stage::Idle
    }

    /// Lets the worker go on if there is something to do, and it is not at it.
    fn work(&self) {
        let mut shared = self.worker.shared();
        let rests = shared.rest.is_some_and(|until| Instant::now() < until);
        if shared.busy || rests || !shared.record.has_work() {
            return;
        }
        shared.busy = true;
        let (mut worker, mut record) = (self.worker.clone(), shared.record.clone());
        let controls = self.controls.clone();
        tokio::spawn(async move {
            let driven = drive(&mut record, &mut worker).await;
            let mut shared = worker.shared();
            shared.busy = false;
            shared.rest = driven.is_err().then(|| Instant::now() + REST);
            if let Err(error) = driven {
                tracing::error!("{error}");
            }
            drop(shared);
            controls.wake();
        });
    }

    /// Counts the start of the agent, before anything else can end it: firmware that always dies early has its starts, too.
    fn count_start(&mut self) {
        let mut record = self.worker.shared().record.clone();
        if record.start(self.settings.starts, self.settings.reboots) {
            self.keep(record);
        }
    }

    /// Looks whether firmware on trial was called good.
    fn look(&mut self) {
        if self.worker.shared().busy {
            return;
        }
        let mut record = self.worker.shared().record.clone();
        if matches!(record.stage, Stage::Trial { switched: true, .. })
            && self.is_called_good()
            && record.confirm(self.settings.reboots)
        {
            self.keep(record);
        }
    }

    fn keep(&self, record: Record) {
        match self.worker.write(&record) {
            Ok(()) => self.worker.shared().record = record,
            Err(error) => tracing::error!("the state of the firmware update cannot be kept: {error}"),
        }
    }

    /// Whether somebody has said that the firmware on trial is good. Where sessions say it, one is asked for.
    fn is_called_good(&mut self) -> bool {
        let by_session = self.settings.confirm == Confirmation::Session;
        let now = self.controls.good_sessions();
        let before = *self.sessions.get_or_insert_with(|| {
            if by_session {
                self.controls.ask_for_all();
            }
            now
        });
        (by_session && now > before) || Worker::confirmation(&self.directory).exists()
    }

    fn show(&self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let shared = self.worker.shared();
        let record = &shared.record;
        let received = match record.state {
            State::DownloadProgressing => self.worker.received(),
            _ => record.ready.as_ref().map_or(0, |ready| ready.size),
        };
        let leaves = [
            ("State", Value::Int(record.state as i64)),
            ("Ext/Received", Value::Int(i64::try_from(received).unwrap_or(i64::MAX))),
            ("Ext/Result", Value::Int(record.result().into())),
            ("Ext/Reason", Value::Text(record.reason.clone())),
            ("Ext/Version", Value::Text(version(self.settings.version_file.as_deref()).unwrap_or_default())),
        ];
        mo::put(tree, MOID, MIID, leaves)
    }

    fn take_package(&mut self, octets: &[u8]) {
        let mut shared = self.worker.shared();
        let mut record = shared.record.clone();
        record.ready = Some(Delivery { size: octets.len() as u64, ..self.offered.delivery.clone() });
        record.state = State::ReadyToUpdate;
        let kept = self.worker.take(octets).and_then(|()| self.worker.write(&record));
        match kept {
            Ok(()) => shared.record = record,
            Err(error) => tracing::error!("a package that a server sent cannot be kept: {error}"),
        }
    }
}

impl ManagementObject for Firmware {
    fn ddf(&self) -> &str {
        include_str!("../../../../ddf/oma_fumo-v1_0.ddf")
    }

    fn link(&self) -> &str {
        &self.link
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.count_start();
        for name in SETTABLE {
            if mo::get(tree, MOID, MIID, name).is_none() {
                let empty = if name == "Ext/Size" { Value::Int(0) } else { Value::Text(String::new()) };
                mo::put(tree, MOID, MIID, [(name, empty)])?;
            }
        }
        // A package that a server has sent itself is in a file: there is no reason to keep it in the tree as well.
        mo::put(tree, MOID, MIID, [("Update/PkgData", Value::Bytes(Vec::new()))])?;
        let text = |name| match &mo::get(tree, MOID, MIID, name) {
            Some(Value::Text(text)) => text.clone(),
            _ => String::new(),
        };
        self.offered = Offered {
            delivery: Delivery {
                name: text("PkgName"),
                version: text("PkgVersion"),
                sha256: text("Ext/SHA256"),
                signature: text("Ext/Signature"),
                size: match mo::get(tree, MOID, MIID, "Ext/Size") {
                    Some(Value::Int(size)) => u64::try_from(size).unwrap_or(0),
                    _ => 0,
                },
                ..Delivery::default()
            },
            download: text("Download/PkgURL"),
            download_and_update: text("DownloadAndUpdate/PkgURL"),
        };
        self.show(tree)
    }

    fn refresh(&mut self, _instance: &Miid, tree: &mut Change<'_>) -> Result<(), PluginError> {
        self.show(tree)
    }

    fn check(&mut self, changed: &Changed<'_>) -> Result<(), Refusal> {
        let refuse = |what: &str| Err(Refusal::new(BAD_VALUE, what.to_owned()));
        for (path, value) in values(changed) {
            match (path.as_str(), value) {
                ("PkgName" | "PkgVersion", Value::Text(text)) if !is_plain(text) => {
                    return refuse(
                        "a name or version has up to 255 octets, no control characters and no - in front",
                    );
                }
                ("Ext/SHA256", Value::Text(text)) if !is_digest(text) => {
                    return refuse("Ext/SHA256 has to be 64 hexadecimal digits or empty");
                }
                ("Ext/Size", Value::Int(size)) if *size < 0 => return refuse("Ext/Size has to be 0 or more"),
                ("Update/PkgData", Value::Bytes(octets)) if octets.len() > MAX_PKG_DATA => {
                    return refuse("Update/PkgData takes 8 MiB; larger packages come by download");
                }
                ("Update/PkgData", _) if self.is_busy() => {
                    let reason = "another update is going on";
                    return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn applied(&mut self, changed: &Changed<'_>) {
        let values: Vec<(String, Value)> =
            values(changed).map(|(path, value)| (path, value.clone())).collect();
        for (path, value) in &values {
            let Offered { delivery, download, download_and_update } = &mut self.offered;
            match (path.as_str(), value) {
                ("PkgName", Value::Text(text)) => delivery.name.clone_from(text),
                ("PkgVersion", Value::Text(text)) => delivery.version.clone_from(text),
                ("Ext/SHA256", Value::Text(text)) => delivery.sha256.clone_from(text),
                ("Ext/Signature", Value::Text(text)) => delivery.signature.clone_from(text),
                ("Ext/Size", Value::Int(size)) => delivery.size = u64::try_from(*size).unwrap_or(0),
                ("Download/PkgURL", Value::Text(text)) => download.clone_from(text),
                ("DownloadAndUpdate/PkgURL", Value::Text(text)) => download_and_update.clone_from(text),
                _ => {}
            }
        }
        // Last: what the same command says of the package counts for it.
        for (path, value) in values {
            if let ("Update/PkgData", Value::Bytes(octets)) = (path.as_str(), &value) {
                self.take_package(octets);
            }
        }
    }

    fn execute(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        match mo::path(address).as_deref() {
            Some("Download") => self.begin(Kind::Download, address),
            Some("Update") => self.begin(Kind::Update, address),
            Some("DownloadAndUpdate") => self.begin(Kind::DownloadAndUpdate, address),
            _ => Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, format!("{address} is no operation"))),
        }
    }

    fn resume(&mut self, address: &ClientUri) -> Result<Execution, Refusal> {
        let address = address.to_string();
        let shared = self.worker.shared();
        let running = shared.record.running.as_ref().is_some_and(|running| running.address == address);
        let ended = shared.record.ended.as_ref().is_some_and(|ended| ended.address == address);
        drop(shared);
        if !running && !ended {
            let reason = "the power went before the operation began";
            return Err(Refusal::new(StatusCode::INTERNAL_ERROR, reason));
        }
        self.awaited = true;
        Ok(Execution::Running)
    }

    fn finished(&mut self) -> Vec<Finished> {
        self.look();
        self.work();
        if !self.awaited {
            return Vec::new();
        }
        let Some(End { address, code, .. }) = self.worker.shared().record.ended.clone() else {
            return Vec::new();
        };
        self.awaited = false;
        let Ok(address) = ClientUri::parse(&address) else { return Vec::new() };
        let status = if (200..300).contains(&code) { StatusCode::OK } else { StatusCode::INTERNAL_ERROR };
        vec![Finished { data: Some(dm1x_code(code)), ..Finished::new(address, status) }]
    }

    fn report_type(&self, address: &ClientUri) -> String {
        let operation = mo::path(address).unwrap_or_default().to_ascii_lowercase();
        format!("org.openmobilealliance.dm.firmwareupdate.{operation}")
    }
}

/// The leaves below the root that a server set.
fn values<'c>(changed: &'c Changed<'_>) -> impl Iterator<Item = (String, &'c Value)> {
    changed.nodes.iter().filter_map(|node| {
        let names: Vec<&str> = node.path.iter().map(omadm_mo::NodeName::as_str).collect();
        Some((names.join("/"), node.record?.value.as_ref()?))
    })
}

/// The version in a file, as text.
pub fn version(file: Option<&Path>) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(file?).ok()?.take(MAX_VERSION as u64).read_to_string(&mut text).ok()?;
    let text = text.trim();
    (!text.is_empty() && is_plain(text)).then(|| text.to_owned())
}

/// Says from outside the agent that the firmware on trial is good.
///
/// # Errors
/// There are no slots, or the disk refuses.
pub fn confirm(settings: &FirmwareSection, directory: &Path) -> Result<(), AgentError> {
    if settings.method != FirmwareMethod::Slots {
        return Err(AgentError::Refused(
            "firmware.method is not \"slots\": there is nothing to confirm".to_owned(),
        ));
    }
    let path = Worker::confirmation(directory);
    std::fs::create_dir_all(directory)
        .and_then(|()| omadm_client::download::write_durably(&path, b""))
        .map_err(|source| AgentError::File { action: "write", path, source })
}
