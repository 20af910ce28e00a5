//! Packages that servers have this machine download: where they are kept, who may have signed them, and why one is not taken.

pub mod hook;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use omadm_client::HttpsTransport;
use omadm_client::download::{
    self, DownloadConfig, DownloadError, PackageKeys, Place, SignatureError, Wanted, digest_of,
};
use serde::{Deserialize, Serialize};

use crate::config::PackagesSection;
use crate::error::AgentError;

/// Longest name and version of a package in octets.
const MAX_NAME: usize = 255;

/// What a server has said of a package.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Identifier, where the object has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Where it is.
    pub url: String,
    /// SHA-256 in hexadecimal digits, or empty.
    pub sha256: String,
    /// Signature in base64, or empty.
    pub signature: String,
    /// Octets, 0 if nobody has said it.
    pub size: u64,
}

/// Why a package is not there, or not taken.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The download.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// What is on disk is not what was downloaded.
    #[error("the package on disk is damaged")]
    Damaged,
    /// The signature.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It has none.
    #[error("it is not signed, and packages.unsigned does not let {0:?} in without")]
    Unsigned(String),
    /// The disk.
    #[error("the package cannot be read: {0}")]
    Disk(#[from] std::io::Error),
}

/// The way of packages onto this machine. Clones share their connections.
#[derive(Clone)]
pub struct Packages(Arc<Shared>);

struct Shared {
    directory: PathBuf,
    config: DownloadConfig,
    transport: HttpsTransport,
    keys: PackageKeys,
    unsigned: Vec<String>,
}

impl Packages {
    /// Reads the keys. Packages are kept in `packages` of the data directory unless the configuration says otherwise.
    pub fn new(
        settings: &PackagesSection,
        data_dir: &Path,
        transport: HttpsTransport,
    ) -> Result<Self, AgentError> {
        let keys = PackageKeys::read(&settings.keys)
            .map_err(|error| AgentError::Refused(format!("packages.keys: {error}")))?;
        let directory = settings.directory.clone().unwrap_or_else(|| data_dir.join("packages"));
        let (config, unsigned) = (settings.to_downloads(), settings.unsigned.clone());
        Ok(Self(Arc::new(Shared { directory, config, transport, keys, unsigned })))
    }

    /// Where packages are kept.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// The place of the package of this name; the name is one of ours.
    pub fn place(&self, name: &str) -> Place {
        Place::new(&self.0.directory, name)
    }

    /// Downloads a package to its place, or takes up where an earlier attempt ended.
    pub async fn fetch(
        &self,
        delivery: &Delivery,
        place: &Place,
        progress: impl Fn(u64),
    ) -> Result<download::Package, PackageError> {
        let size = Some(delivery.size).filter(|size| *size > 0);
        let digest = download::parse_digest(&delivery.sha256);
        let wanted = Wanted { url: delivery.url.clone(), digest, size };
        Ok(download::fetch(&self.0.transport, &self.0.config, &wanted, place, progress).await?)
    }

    /// Whether the package in this place is whole and may be installed. What is on disk now counts, not what was there once.
    pub async fn check(&self, delivery: &Delivery, place: &Place) -> Result<(), PackageError> {
        let path = place.package();
        let hashed = tokio::task::spawn_blocking(move || digest_of(&path)).await;
        let (digest, size) = hashed.map_err(std::io::Error::other)??;
        let other_digest = download::parse_digest(&delivery.sha256).is_some_and(|wanted| wanted != digest);
        if other_digest || (delivery.size > 0 && delivery.size != size) {
            return Err(PackageError::Damaged);
        }
        if !delivery.signature.trim().is_empty() {
            return Ok(self.0.keys.check(&digest, &delivery.signature)?);
        }
        let is_let_in = self.0.unsigned.iter().any(|pattern| fits(pattern, &delivery.name));
        if is_let_in { Ok(()) } else { Err(PackageError::Unsigned(delivery.name.clone())) }
    }
}

/// Whether a name fits a pattern, in which `*` stands for anything.
pub fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(last)
}

/// Whether a name or version may be given to commands: printable, not too long, and not like an option.
pub fn is_plain(text: &str) -> bool {
    text.len() <= MAX_NAME && !text.starts_with('-') && !text.chars().any(char::is_control)
}

/// Whether a text can be the digest of a delivery: none, or 64 hexadecimal digits.
pub fn is_digest(text: &str) -> bool {
    text.is_empty() || download::parse_digest(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, expected) in [
            ("hello", "hello", true),
            ("hello", "hello2", false),
            ("*", "", true),
            ("*", "anything", true),
            ("lib*-dev", "libx-dev", true),
            ("lib*-dev", "libx-dev2", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a*a", "a", false),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_could_be_an_option_or_a_trick_is_not_plain() {
        for text in ["hello", "1:2.3-4~rc1", "", "A name with blanks"] {
            assert!(is_plain(text), "{text}");
        }
        for text in ["-rf", "a\nb", "a\0b", &"x".repeat(256)] {
            assert!(!is_plain(text), "{text:?}");
        }
    }
}
