//! The operations on software, one after the other. A record is durable before anything is done that it announces, and every step may be
//! done again.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use omadm_client::download::{DownloadError, Place, write_durably};
use tokio::time::Instant;

use super::dpkg;
use super::record::{Component, Delivered, Job, MAX_RUNS, Outcome, Record, Stage, Wanted, What, code};
use crate::config::{Inventory, SoftwareSection};
use crate::packages::hook::{Given, Hook};
use crate::packages::{Delivery, PackageError, Packages};

/// What carries operations out.
#[derive(Clone)]
pub struct Worker {
    packages: Packages,
    path: PathBuf,
    install: Hook,
    remove: Hook,
    activate: Hook,
    deactivate: Hook,
    inventory: Inventory,
    shared: Arc<Mutex<Shared>>,
}

/// What the object and its worker share.
#[derive(Debug, Default)]
pub struct Shared {
    /// The record as it is on disk.
    pub record: Record,
    /// The worker is under way.
    pub busy: bool,
    /// When it may begin again that could not go on.
    pub rest: Option<Instant>,
}

/// A failure, in the codes of SCOMO and for people.
struct Fault {
    code: u16,
    reason: String,
}

impl Worker {
    /// With what is known from before.
    ///
    /// # Errors
    /// There is a record that cannot be read.
    pub fn open(settings: &SoftwareSection, packages: Packages) -> io::Result<Self> {
        let directory = packages.directory().to_owned();
        let hook = |command: &[String]| Hook::new(command, settings.timeout.0, &directory);
        let path = directory.join("software.state");
        let record = match std::fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Record::default(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            path,
            install: hook(&settings.install),
            remove: hook(&settings.remove),
            activate: hook(&settings.activate),
            deactivate: hook(&settings.deactivate),
            inventory: settings.inventory,
            shared: Arc::new(Mutex::new(Shared { record, ..Shared::default() })),
            packages,
        })
    }

    /// What the object sees.
    pub fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the record, durably. Object and worker both do so, one after the other. Blocks.
    ///
    /// # Errors
    /// The disk refuses; the record is as it was.
    pub fn update(&self, change: impl FnOnce(&mut Record)) -> io::Result<()> {
        let mut shared = self.shared();
        let mut record = shared.record.clone();
        change(&mut record);
        if record != shared.record {
            std::fs::create_dir_all(self.packages.directory())?;
            write_durably(&self.path, &serde_json::to_vec(&record)?)?;
            shared.record = record;
        }
        Ok(())
    }

    /// Carries out what waits.
    ///
    /// # Errors
    /// A record cannot be kept.
    pub async fn work(&self) -> io::Result<()> {
        loop {
            let record = self.shared().record.clone();
            let Some(job) = record.jobs.front() else { return Ok(()) };
            let identifier = identifier(job, &record);
            let Some((done, change)) = self.step(&record, job.clone()).await? else { continue };
            let (code, reason) = match done {
                Ok(()) => (code::SUCCESS, String::new()),
                Err(Fault { code, reason }) => (code, reason),
            };
            tracing::info!(identifier, code, reason, "an operation on software has ended");
            self.keep(move |record| {
                change(record);
                note(record, code, reason);
                record.end(code, &identifier);
            })
            .await?;
        }
    }

    /// One step of the operation at the front: how it ended, and what that changes; `None` if there are more.
    async fn step(&self, record: &Record, job: Job) -> io::Result<Option<(Result<(), Fault>, Change)>> {
        let own = format!("software-{}", job.number);
        Ok(Some(match (job.what, job.stage) {
            (What::Download { delivery, .. }, Stage::Waiting) => {
                let place = self.packages.place(&own);
                if let Err(fault) = self.fetch(&delivery, &place).await {
                    place.clear()?;
                    return Ok(Some((Err(fault), nothing())));
                }
                self.keep(|record| at_front(record, Stage::Fetched)).await?;
                return Ok(None);
            }
            (What::Download { node, delivery, install: None }, _) => {
                if let Some(old) = record.delivered.get(&node) {
                    self.packages.place(&old.place).clear()?;
                }
                let delivered = Delivered { delivery, place: own, status: 10, installed: false };
                (Ok(()), Box::new(|record| drop(record.delivered.insert(node, delivered))))
            }
            (What::Download { delivery, install: Some(wanted), .. }, stage) => {
                let (done, change) = split(self.installed(&delivery, &own, wanted, stage).await?);
                self.packages.place(&own).clear()?;
                (done, change)
            }
            (What::Install { node, wanted }, stage) => match record.delivered.get(&node) {
                Some(Delivered { delivery, place, .. }) => {
                    let (done, change) = split(self.installed(delivery, place, wanted, stage).await?);
                    let good = done.is_ok();
                    let noted: Change = Box::new(move |record| {
                        change(record);
                        if let Some(delivered) = record.delivered.get_mut(&node) {
                            delivered.status = if good { 10 } else { 50 };
                            delivered.installed |= good;
                        }
                    });
                    (done, noted)
                }
                None => (Err(gone(&node)), nothing()),
            },
            (What::RemovePackage { node }, _) => match record.delivered.get(&node) {
                Some(delivered) => {
                    self.packages.place(&delivered.place).clear()?;
                    (Ok(()), Box::new(move |record| drop(record.delivered.remove(&node))))
                }
                None => (Err(gone(&node)), nothing()),
            },
            (What::Activate { component }, stage) => {
                let done = self.run(record, &self.activate, &component, stage, code::ACTIVATE_FAILED).await?;
                self.settle(component, done, 40, Some(true))
            }
            (What::Deactivate { component }, stage) => {
                let done =
                    self.run(record, &self.deactivate, &component, stage, code::DEACTIVATE_FAILED).await?;
                self.settle(component, done, 60, Some(false))
            }
            (What::Remove { component }, stage) => {
                let done = self.run(record, &self.remove, &component, stage, code::REMOVE_FAILED).await?;
                self.settle(component, done, 20, None)
            }
        }))
    }

    /// What an operation on a component leaves behind: whether it is active, or that it is gone (`None`), or `Status`.
    fn settle(
        &self,
        component: String,
        done: Result<(), Fault>,
        failed: i64,
        active: Option<bool>,
    ) -> (Result<(), Fault>, Change) {
        let good = done.is_ok();
        let version = self.known(&component).unwrap_or_default();
        let change: Change = Box::new(move |record| {
            if !good {
                record.faulty.insert(component, failed);
                return;
            }
            record.faulty.remove(&component);
            let Some(active) = active else { return drop(record.components.remove(&component)) };
            let new = || Component { package: String::new(), version, active, known: true };
            record.components.entry(component).or_insert_with(new).active = active;
        });
        (done, change)
    }

    /// Installs a package; gives what that changes.
    async fn installed(
        &self,
        delivery: &Delivery,
        place: &str,
        wanted: Wanted,
        stage: Stage,
    ) -> io::Result<Result<Change, Fault>> {
        let place = self.packages.place(place);
        let run = match self.begin(stage).await? {
            Ok(run) => run,
            Err(reason) => return Ok(Err(Fault { code: code::INSTALL_FAILED, reason })),
        };
        // Again: it may have been on disk for long.
        if let Err(error) = self.packages.check(delivery, &place).await {
            return Ok(Err(fault(&error)));
        }
        let component = component_of(delivery);
        let package = place.package();
        let given = given(&component, &delivery.version, &package, &run);
        if let Err(fault) = ended(self.install.run(&given).await, code::INSTALL_FAILED) {
            return Ok(Err(fault));
        }
        let known = self.known(&component);
        let wrong =
            known.as_ref().filter(|found| !delivery.version.is_empty() && **found != delivery.version);
        if let Some(found) = wrong {
            let reason = format!("the version {found} is installed, not {}", delivery.version);
            return Ok(Err(Fault { code: code::INSTALL_FAILED, reason }));
        }
        if wanted == Wanted::Inactive
            && let Err(fault) = ended(self.deactivate.run(&given).await, code::DEACTIVATE_FAILED)
        {
            return Ok(Err(fault));
        }
        let version = known.clone().unwrap_or_else(|| delivery.version.clone());
        let (package, active) = (delivery.id.clone(), wanted == Wanted::Active);
        let installed = Component { package, version, active, known: known.is_some() };
        Ok(Ok(Box::new(move |record| {
            record.faulty.remove(&component);
            record.components.insert(component, installed);
        })))
    }

    async fn run(
        &self,
        record: &Record,
        hook: &Hook,
        component: &str,
        stage: Stage,
        failure: u16,
    ) -> io::Result<Result<(), Fault>> {
        let run = match self.begin(stage).await? {
            Ok(run) => run,
            Err(reason) => return Ok(Err(Fault { code: failure, reason })),
        };
        let version = record.components.get(component).map(|of| of.version.clone()).unwrap_or_default();
        let given = given(component, &version, Path::new(""), &run);
        Ok(ended(hook.run(&given).await, failure))
    }

    /// Says durably that a command is begun, and for which time.
    async fn begin(&self, stage: Stage) -> io::Result<Result<String, String>> {
        let runs = match stage {
            Stage::Begun(runs) => runs,
            Stage::Waiting | Stage::Fetched => 0,
        };
        if runs >= MAX_RUNS {
            return Ok(Err(format!("the command was cut short {runs} times")));
        }
        self.keep(move |record| at_front(record, Stage::Begun(runs + 1))).await?;
        Ok(Ok((runs + 1).to_string()))
    }

    async fn fetch(&self, delivery: &Delivery, place: &Place) -> Result<(), Fault> {
        let fetched = self.packages.fetch(delivery, place, |_| {}).await;
        fetched.map_err(|error| fault(&error))?;
        self.packages.check(delivery, place).await.map_err(|error| fault(&error))
    }

    /// The version that the package manager has of a component.
    fn known(&self, component: &str) -> Option<String> {
        match self.inventory {
            Inventory::None => None,
            Inventory::Dpkg => {
                let path = Path::new("/").join(dpkg::STATUS);
                dpkg::read(&path, &[component.to_owned()], 1).ok()?.remove(component)
            }
        }
    }

    async fn keep(&self, change: impl FnOnce(&mut Record) + Send + 'static) -> io::Result<()> {
        let worker = self.clone();
        tokio::task::spawn_blocking(move || worker.update(change)).await.map_err(io::Error::other)?
    }
}

/// What an operation changes in the record.
type Change = Box<dyn FnOnce(&mut Record) + Send>;

fn nothing() -> Change {
    Box::new(|_| {})
}

fn split(installed: Result<Change, Fault>) -> (Result<(), Fault>, Change) {
    match installed {
        Ok(change) => (Ok(()), change),
        Err(fault) => (Err(fault), nothing()),
    }
}

fn at_front(record: &mut Record, stage: Stage) {
    if let Some(job) = record.jobs.front_mut() {
        job.stage = stage;
    }
}

/// What servers call the component in a package.
pub fn component_of(delivery: &Delivery) -> String {
    if delivery.name.is_empty() { delivery.id.clone() } else { delivery.name.clone() }
}

/// What an operation is about, for its alert.
fn identifier(job: &Job, record: &Record) -> String {
    match &job.what {
        What::Download { delivery, .. } => delivery.id.clone(),
        What::Install { node, .. } | What::RemovePackage { node } => {
            record.delivered.get(node).map_or_else(|| node.clone(), |delivered| delivered.delivery.id.clone())
        }
        What::Activate { component } | What::Deactivate { component } | What::Remove { component } => {
            component.clone()
        }
    }
}

/// Keeps how the operation at the front went where servers read it.
fn note(record: &mut Record, result: u16, reason: String) {
    let Some(Job { what: What::Download { node, install, .. }, stage, .. }) = record.jobs.front() else {
        return;
    };
    let status = match (result, stage, install) {
        (code::SUCCESS, _, None) => 40,
        (code::SUCCESS, _, Some(_)) => 10,
        (_, Stage::Waiting, _) => 20,
        (..) => 70,
    };
    let node = node.clone();
    record.outcomes.insert(node, Outcome { status, result, reason });
}

fn given<'a>(component: &'a str, version: &'a str, package: &'a Path, run: &'a str) -> Vec<Given<'a>> {
    vec![
        ("component", OsStr::new(component)),
        ("version", OsStr::new(version)),
        ("package", package.as_os_str()),
        ("run", OsStr::new(run)),
    ]
}

fn ended(result: Result<i32, crate::packages::hook::HookError>, failure: u16) -> Result<(), Fault> {
    let reason = match result {
        Ok(0) => return Ok(()),
        Ok(exit) => format!("the command ended with exit status {exit}"),
        Err(error) => error.to_string(),
    };
    Err(Fault { code: failure, reason })
}

fn gone(node: &str) -> Fault {
    Fault { code: code::UNDEFINED, reason: format!("the package {node} is not there any more") }
}

/// Why there is no package, in the codes of SCOMO.
fn fault(error: &PackageError) -> Fault {
    let code = match error {
        PackageError::Download(error) => match error {
            DownloadError::Unauthorized { .. } => code::UNAUTHORIZED,
            DownloadError::NoRoom { .. } | DownloadError::TooLarge { .. } => code::NO_ROOM,
            DownloadError::Different { .. } => code::NOT_VALID,
            DownloadError::Network { .. } | DownloadError::Timeout { .. } => code::SERVER_UNAVAILABLE,
            _ => code::DOWNLOAD_FAILED,
        },
        PackageError::Damaged
        | PackageError::Signature(_)
        | PackageError::Unsigned(_)
        | PackageError::Disk(_) => code::NOT_VALID,
    };
    Fault { code, reason: error.to_string() }
}
