//! The steps of an update on this machine.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use omadm_client::download::{DownloadError, Place, write_durably};
use tokio::time::Instant;

use super::machine::{Fault, Record, World};
use super::slots::Slots;
use crate::config::{ExitCode, FirmwareSection};
use crate::packages::hook::{Given, Hook, HookError};
use crate::packages::{Delivery, PackageError, Packages};

/// What the machine is updated with.
#[derive(Clone)]
pub struct Worker {
    packages: Packages,
    place: Place,
    record: PathBuf,
    install: Hook,
    unpack: Hook,
    restart: Hook,
    slots: Option<Slots>,
    exit_codes: Vec<ExitCode>,
    /// Octets of the package that have come.
    received: Arc<AtomicU64>,
    shared: Arc<Mutex<Shared>>,
}

/// What the object and its worker share.
#[derive(Debug)]
pub struct Shared {
    /// The record as it is on disk.
    pub record: Record,
    /// The worker is under way.
    pub busy: bool,
    /// When it may begin again that could not go on.
    pub rest: Option<Instant>,
}

/// The record cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("the record of the firmware update cannot be kept: {0}")]
pub struct NotKept(#[from] io::Error);

impl Worker {
    /// With what is known from before.
    ///
    /// # Errors
    /// There is a record that cannot be read.
    pub fn open(settings: &FirmwareSection, packages: Packages) -> io::Result<Self> {
        let directory = packages.directory().to_owned();
        let hook = |command: &[String]| Hook::new(command, settings.timeout.0, &directory);
        let path = directory.join("firmware.state");
        let record = read(&path)?;
        Ok(Self {
            place: packages.place("firmware"),
            record: path,
            install: hook(&settings.install),
            unpack: hook(&settings.unpack),
            restart: hook(&settings.restart),
            slots: Slots::new(&settings.slots, settings.pointer.as_deref()),
            exit_codes: settings.exit_codes.clone(),
            received: Arc::default(),
            shared: Arc::new(Mutex::new(Shared { record, busy: false, rest: None })),
            packages,
        })
    }

    /// What the object sees.
    pub fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a record durable. Blocks.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        std::fs::create_dir_all(self.packages.directory())?;
        write_durably(&self.record, &serde_json::to_vec(record)?)
    }

    /// Puts a package that a server has sent itself in its place. Blocks.
    pub fn take(&self, octets: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(self.packages.directory())?;
        self.place.clear()?;
        write_durably(&self.place.package(), octets)
    }

    /// The file whose presence says that the firmware on trial is good.
    pub fn confirmation(directory: &Path) -> PathBuf {
        directory.join("firmware.confirmed")
    }

    /// Octets of the package that have come.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    fn given<'a>(delivery: &'a Delivery, package: &'a Path, run: &'a str) -> Vec<Given<'a>> {
        vec![
            ("package", package.as_os_str()),
            ("name", OsStr::new(&delivery.name)),
            ("version", OsStr::new(&delivery.version)),
            ("run", OsStr::new(run)),
        ]
    }

    fn ended(&self, result: Result<i32, HookError>) -> Result<(), Fault> {
        match result {
            Ok(0) => Ok(()),
            Ok(exit) => {
                let known = self.exit_codes.iter().find(|code| i32::from(code.exit) == exit);
                let reason = format!("the command ended with exit status {exit}");
                Err(Fault { code: known.map_or(410, |code| code.result), reason })
            }
            Err(error) => Err(Fault { code: 410, reason: error.to_string() }),
        }
    }

    async fn install_now(&self, delivery: &Delivery, slot: Option<usize>, run: u32) -> Result<(), Fault> {
        let (package, run) = (self.place.package(), run.to_string());
        let mut given = Self::given(delivery, &package, &run);
        let (Some(slot), Some(slots)) = (slot, &self.slots) else {
            return self.ended(self.install.run(&given).await);
        };
        if !self.unpack.is_configured() {
            let (slots, package) = (slots.clone(), package.clone());
            return on_disk(move || slots.write(slot, &package)).await;
        }
        let preparing = slots.clone();
        let directory = on_disk(move || preparing.prepare(slot)).await?;
        given.push(("slot", directory.as_os_str()));
        self.ended(self.unpack.run(&given).await)?;
        let slots = slots.clone();
        on_disk(move || slots.settle(slot)).await
    }
}

impl World for Worker {
    type Stop = NotKept;

    async fn keep(&mut self, record: &Record) -> Result<(), NotKept> {
        let (worker, written) = (self.clone(), record.clone());
        let kept = tokio::task::spawn_blocking(move || worker.write(&written)).await;
        kept.map_err(io::Error::other)??;
        let Record { state, stage, reason, .. } = record;
        tracing::info!(state = *state as u16, ?stage, reason, "firmware update");
        self.shared().record = record.clone();
        Ok(())
    }

    async fn fetch(&mut self, delivery: &Delivery) -> Result<Result<(), Fault>, NotKept> {
        self.received.store(0, Ordering::Relaxed);
        let received = &self.received;
        let fetched =
            self.packages.fetch(delivery, &self.place, |octets| received.store(octets, Ordering::Relaxed));
        Ok(fetched.await.map(drop).map_err(|error| fault(&error)))
    }

    async fn check(&mut self, delivery: &Delivery) -> Result<Result<(), Fault>, NotKept> {
        Ok(self.packages.check(delivery, &self.place).await.map_err(|error| fault(&error)))
    }

    async fn spare(&mut self) -> Result<Result<Option<usize>, Fault>, NotKept> {
        let Some(slots) = self.slots.clone() else { return Ok(Ok(None)) };
        Ok(on_disk(move || slots.active().map(|active| Some(1 - active.min(1)))).await)
    }

    async fn install(
        &mut self,
        delivery: &Delivery,
        slot: Option<usize>,
        run: u32,
    ) -> Result<Result<(), Fault>, NotKept> {
        Ok(self.install_now(delivery, slot, run).await)
    }

    async fn switch(&mut self, slot: usize) -> Result<Result<(), Fault>, NotKept> {
        let Some(slots) = self.slots.clone() else {
            let reason = "firmware.slots are not configured any more".to_owned();
            return Ok(Err(Fault { code: 410, reason }));
        };
        // A confirmation of the firmware before says nothing of this one.
        let stale = Self::confirmation(self.packages.directory());
        Ok(on_disk(move || {
            match std::fs::remove_file(&stale) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            slots.switch(slot)
        })
        .await)
    }

    async fn restart(&mut self) -> Result<Result<(), Fault>, NotKept> {
        if !self.restart.is_configured() {
            return Ok(Ok(()));
        }
        Ok(self.ended(self.restart.run(&[]).await))
    }

    async fn discard(&mut self) -> Result<(), NotKept> {
        let place = self.place.clone();
        let cleared = tokio::task::spawn_blocking(move || place.clear()).await;
        Ok(cleared.map_err(io::Error::other)??)
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("record", &self.record).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> io::Result<Record> {
    match std::fs::read(path) {
        Ok(json) => Ok(serde_json::from_slice(&json)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
        Err(error) => Err(error),
    }
}

/// Runs what blocks beside the session loop; a disk that is full has a code of its own.
async fn on_disk<R: Send + 'static>(
    work: impl FnOnce() -> io::Result<R> + Send + 'static,
) -> Result<R, Fault> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    done.map_err(|error| {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        Fault { code: if full { 502 } else { 410 }, reason: format!("the slot cannot be written: {error}") }
    })
}

/// Why there is no package, in the codes of FUMO.
fn fault(error: &PackageError) -> Fault {
    let code = match error {
        PackageError::Download(error) => match error {
            DownloadError::Url { .. } | DownloadError::Redirect { .. } | DownloadError::Gone { .. } => 411,
            DownloadError::Unauthorized { .. } => 406,
            DownloadError::TooLarge { .. } => 405,
            DownloadError::NoRoom { .. } => 501,
            DownloadError::Different { .. } => 402,
            DownloadError::Network { .. } => 503,
            DownloadError::Timeout { .. } => 407,
            _ => 409,
        },
        PackageError::Damaged | PackageError::Disk(_) => 402,
        PackageError::Signature(_) | PackageError::Unsigned(_) => 404,
    };
    Fault { code, reason: error.to_string() }
}
