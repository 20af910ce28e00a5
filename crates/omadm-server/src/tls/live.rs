//! The TLS context in use, renewed when its files change, so that certificates rotate without a restart.

use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssl::ssl::SslContext;
use tokio::sync::watch as channel;

use super::{KeyPair, Keys, Settings, context};
use crate::ServerError;

/// What tells one state of a file from another: time of change, size and inode. `None` if it cannot be looked at.
type Stamp = Option<(i64, i64, u64, u64)>;

/// The context that new connections use.
pub struct Live {
    settings: Settings,
    keys: Option<Arc<Keys>>,
    current: Mutex<SslContext>,
    /// The state of the files that was tried last.
    tried: Mutex<Vec<Stamp>>,
}

impl Live {
    /// Reads the files.
    ///
    /// # Errors
    /// As [`context`].
    pub fn new(settings: Settings, keys: Option<Arc<Keys>>) -> Result<Self, ServerError> {
        // The stamps come first: what changes while it is read is read again.
        let tried = Mutex::new(stamps(&settings));
        let current = Mutex::new(context(&settings, keys.clone())?);
        Ok(Self { settings, keys, current, tried })
    }

    /// The first certificate with its key.
    pub fn identity(&self) -> Option<KeyPair> {
        self.settings.pairs.first().cloned()
    }

    /// The context for a new connection.
    pub fn context(&self) -> SslContext {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again if they have changed. If they cannot be used, which is so while one of them is new and the other is not,
    /// everything stays as it is.
    fn refresh(&self) {
        let stamps = stamps(&self.settings);
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if *tried == stamps {
            return;
        }
        *tried = stamps;
        match context(&self.settings, self.keys.clone()) {
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

fn stamps(settings: &Settings) -> Vec<Stamp> {
    let stamp = |path| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.mtime(), meta.mtime_nsec(), meta.size(), meta.ino()))
    };
    settings.files().map(stamp).collect()
}

/// Looks at the files of `live` again and again until `stop` says so.
pub async fn watch(live: Arc<Live>, every: Duration, mut stop: channel::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(every) => live.refresh(),
        }
    }
}
