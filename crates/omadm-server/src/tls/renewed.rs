//! What is made of files and made anew when they change, so that certificates rotate without a restart.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch as channel;

use crate::ServerError;

/// What tells one state of a file from another: time of change, size and inode. `None` if it cannot be looked at.
type Stamp = Option<(i64, i64, u64, u64)>;

/// How it is made of the files.
type Make<T> = Box<dyn Fn() -> Result<T, ServerError> + Send + Sync>;

/// Something made of files, as they were when they last could be used.
pub struct Renewed<T> {
    files: Vec<PathBuf>,
    make: Make<T>,
    current: Mutex<T>,
    /// The state of the files that was tried last.
    tried: Mutex<Vec<Stamp>>,
}

impl<T: Clone> Renewed<T> {
    /// Makes it.
    ///
    /// # Errors
    /// As `make`.
    pub fn new(
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T, ServerError> + Send + Sync + 'static,
    ) -> Result<Self, ServerError> {
        // The stamps come first: what changes while it is read is read again.
        let tried = Mutex::new(stamps(&files));
        let current = Mutex::new(make()?);
        Ok(Self { files, make: Box::new(make), current, tried })
    }

    /// As it is now.
    pub fn get(&self) -> T {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again if they have changed. If they cannot be used, which is so while one of them is new and the other is not,
    /// everything stays as it is.
    fn refresh(&self) {
        let stamps = stamps(&self.files);
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if *tried == stamps {
            return;
        }
        *tried = stamps;
        match (self.make)() {
            Ok(next) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = next;
                tracing::info!("certificates were read again; new connections use them");
            }
            Err(error) => tracing::warn!(
                %error,
                "certificates have changed but cannot be used; the ones before stay in use until the files change again"
            ),
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.mtime(), meta.mtime_nsec(), meta.size(), meta.ino()))
    };
    files.iter().map(stamp).collect()
}

/// Looks at the files again and again until `stop` says so.
pub async fn watch<T: Clone + Send + 'static>(
    renewed: Arc<Renewed<T>>,
    every: Duration,
    mut stop: channel::Receiver<bool>,
) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(every) => renewed.refresh(),
        }
    }
}
