//! Firmware and software packages: kept in an object store, served to devices in ranges.
//!
//! The octets are below `packages/` under the package's identifier, and what is known about them is in the store. The octets come first:
//! an upload that breaks off is in neither, and what a crash leaves between the two is removed when it is a day old.

#[cfg(feature = "s3")]
mod bucket;
pub mod deliver;
mod intake;
mod keys;
mod ranges;
mod serve;
mod ticket;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use omadm_auth::Secret;
use omadm_mo::Time;
use omadm_store::{Package, StoreError};
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use crate::config::Config;
use crate::context::Context;
use crate::{ServerError, clock};

#[cfg(feature = "s3")]
use bucket::open as open_bucket;
pub use intake::{New, Refused};
use keys::TrustedKeys;
pub use serve::{PATH, serve};
use ticket::Tickets;

/// Where packages are in the object store.
const PREFIX: &str = "packages";
/// Pause between two looks for what a crash has left behind.
const PAUSE: Duration = Duration::from_secs(3_600);
/// How old that has to be, in microseconds: it could be an upload of another node that goes on.
const LEFTOVER: i64 = 86_400_000_000;
/// Most leftovers that are removed at a time.
const BATCH: usize = 1_000;

/// The packages of a server.
pub struct Packages {
    objects: Arc<dyn ObjectStore>,
    /// Where they are, if they are in a directory.
    directory: Option<PathBuf>,
    keys: TrustedKeys,
    require_signature: bool,
    max_size: u64,
    tickets: Tickets,
    uploads: Semaphore,
    downloads: Arc<Semaphore>,
}

impl Packages {
    /// Opens where they are kept; `key` is the secret of this server, or of all nodes that share it.
    ///
    /// # Errors
    /// When the directory, the bucket or a trusted key cannot be used.
    pub fn open(config: &Config, key: &Secret) -> Result<Self, ServerError> {
        let section = &config.package;
        let directory = match &section.bucket {
            Some(_) => None,
            None => Some(directory(config)?),
        };
        let objects = match &directory {
            Some(directory) => local(directory)?,
            None => open_bucket(section)?,
        };
        Ok(Self {
            objects,
            directory,
            keys: TrustedKeys::read(&section.trusted_keys)?,
            require_signature: section.require_signature,
            max_size: u64::try_from(section.max_size.0).unwrap_or(u64::MAX),
            tickets: Tickets::new(key, section.url_lifetime.0),
            uploads: Semaphore::new(section.max_uploads),
            downloads: Arc::new(Semaphore::new(section.max_downloads)),
        })
    }

    /// Where the octets of a package are.
    fn place(id: Uuid) -> Path {
        Path::from_iter([PREFIX, id.to_string().as_str()])
    }

    /// The address under which devices fetch a package from now on, without credentials.
    pub fn address(&self, public_url: &str, id: Uuid, now: Time) -> String {
        format!("{public_url}/data/package/{id}?ticket={}", self.tickets.issue(id, now))
    }

    /// Refuses to have devices fetch a package that is not signed as is configured now; it may have been stored before that.
    ///
    /// # Errors
    /// One sentence on what is missing.
    pub fn check_delivery(&self, package: &Package) -> Result<(), String> {
        let signed_by = |signature: &Vec<u8>| self.keys.signer(&deliver::digest(package), signature);
        if !self.require_signature || package.signature.as_ref().and_then(signed_by).is_some() {
            return Ok(());
        }
        Err(format!(
            "the package {} {} is not signed by a trusted key, and package.require_signature asks for that; store it again with its signature",
            package.name, package.version
        ))
    }

    /// Removes the octets of a package that the store does not know any more.
    pub async fn forget(&self, id: Uuid) {
        if let Err(error) = self.objects.delete(&Self::place(id)).await {
            tracing::warn!(%error, package = %id, "the octets of a package could not be removed; it will be tried again");
        }
    }
}

fn directory(config: &Config) -> Result<PathBuf, ServerError> {
    let path = config.package.directory.clone();
    let path = path.unwrap_or_else(|| config.server.data_dir.join(PREFIX));
    let unusable =
        |path: &PathBuf, source| ServerError::File { what: "package.directory", path: path.clone(), source };
    std::fs::create_dir_all(&path).map_err(|source| unusable(&path, source))?;
    // Absolute, as the object store wants it.
    path.canonicalize().map_err(|source| unusable(&path, source))
}

fn local(directory: &PathBuf) -> Result<Arc<dyn ObjectStore>, ServerError> {
    // What was stored is there after a power cut as well.
    let store = LocalFileSystem::new_with_prefix(directory).map(|store| store.with_fsync(true));
    store.map(|store| Arc::new(store) as Arc<dyn ObjectStore>).map_err(|error| ServerError::File {
        what: "package.directory",
        path: directory.clone(),
        source: std::io::Error::other(error),
    })
}

#[cfg(not(feature = "s3"))]
fn open_bucket(_: &crate::config::PackageSection) -> Result<Arc<dyn ObjectStore>, ServerError> {
    let problem = "needs a program that was built with the feature s3".to_owned();
    Err(ServerError::Setting { key: "package.bucket".to_owned(), problem })
}

/// Removes what crashes have left, now and then, until `stop` says so.
pub async fn tidy(context: Arc<Context>, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(problem) = remove_leftovers(&context, clock::now()).await {
            tracing::warn!(problem, "leftovers of packages could not be removed; it will be tried again");
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Removes octets that no package has, and parts of uploads that broke off.
async fn remove_leftovers(context: &Context, now: Time) -> Result<(), String> {
    let packages = &context.packages;
    let before = now.plus_micros(-LEFTOVER);
    let prefix = Path::from(PREFIX);
    let mut listed = packages.objects.list(Some(&prefix));
    let mut leftover = Vec::new();
    while let Some(object) = listed.try_next().await.map_err(|error| error.to_string())? {
        let is_old = object.last_modified.timestamp_micros() < before.0;
        if is_old && !is_known(context, &object.location).await.map_err(|error| error.to_string())? {
            leftover.push(object.location);
        }
        if leftover.len() == BATCH {
            break;
        }
    }
    drop(listed);
    for location in leftover {
        tracing::info!(%location, "an object is removed that no package has");
        packages.objects.delete(&location).await.map_err(|error| error.to_string())?;
    }
    if let Some(directory) = packages.directory.clone() {
        let parts = move || remove_parts(&directory.join(PREFIX), before);
        tokio::task::spawn_blocking(parts).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Whether an object is that of a package.
async fn is_known(context: &Context, location: &Path) -> Result<bool, StoreError> {
    match location.filename().and_then(|name| Uuid::try_parse(name).ok()) {
        Some(id) => Ok(context.store.package(id).await?.is_some()),
        None => Ok(false),
    }
}

/// Removes old parts of uploads, which the object store does not list: their names have a `#`.
fn remove_parts(directory: &std::path::Path, before: Time) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let is_part = entry.file_name().to_string_lossy().contains('#');
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let is_old = modified.is_ok_and(|modified| {
            let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_micros()).is_ok_and(|micros| micros < before.0)
        });
        if is_part
            && is_old
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!(%error, path = %entry.path().display(), "a part of an upload could not be removed");
        }
    }
}

/// The strong validator of a package's octets.
fn etag(package: &Package) -> String {
    format!("\"{}\"", package.digest)
}

#[cfg(test)]
mod tests {
    use omadm_store::PackageKind;
    use openssl::pkey::PKey;
    use openssl::sign::Signer;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn what_was_stored_without_a_signature_is_not_delivered_where_one_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let (own, other) = (PKey::generate_ed25519().unwrap(), PKey::generate_ed25519().unwrap());
        let trusted = dir.path().join("own.pem");
        std::fs::write(&trusted, own.public_key_to_pem().unwrap()).unwrap();
        let packages = |require_signature| {
            let mut config = Config::default();
            config.server.data_dir = dir.path().to_owned();
            config.package.trusted_keys = vec![trusted.clone()];
            config.package.require_signature = require_signature;
            Packages::open(&config, &Secret::new(vec![0; 32])).unwrap()
        };
        let (asks, takes_all) = (packages(true), packages(false));
        let digest = Sha256::digest(b"octets");
        let signed = |key: &PKey<_>| {
            Some(Signer::new_without_digest(key).unwrap().sign_oneshot_to_vec(&digest).unwrap())
        };
        let package = |signature| Package {
            id: Uuid::from_u128(1),
            name: "fw".to_owned(),
            version: "1".to_owned(),
            kind: PackageKind::Firmware,
            model: None,
            content_type: String::new(),
            size: 6,
            digest: digest.iter().map(|octet| format!("{octet:02x}")).collect(),
            signature,
            signed_by: None,
            created: Time(0),
            created_by: String::new(),
        };
        assert_eq!(asks.check_delivery(&package(signed(&own))), Ok(()));
        for signature in [None, signed(&other), Some(vec![1, 2, 3])] {
            let refused = asks.check_delivery(&package(signature.clone())).unwrap_err();
            assert!(refused.contains("fw 1") && refused.contains("package.require_signature"), "{refused}");
            assert_eq!(takes_all.check_delivery(&package(signature)), Ok(()));
        }
    }
}
