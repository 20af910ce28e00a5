//! `[package]`: firmware and software packages.

use std::path::PathBuf;
use std::time::Duration;

use omadm_config::Fault;
use serde::{Deserialize, Serialize};

use super::{Size, Span};

/// Largest package that can be allowed: one tebibyte.
const MAX_SIZE: usize = 1 << 40;
/// Longest time for which an address of a package can be good.
const MAX_LIFETIME: Duration = Duration::from_secs(366 * 86_400);
/// Longest time for which a bucket can be waited for.
const MAX_BUCKET_TIMEOUT: Duration = Duration::from_secs(600);

/// `[package]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PackageSection {
    /// Directory for packages. Default: `packages` in `server.data_dir`. Several nodes have to share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Bucket, with a prefix if wanted, in place of a directory: `s3://bucket/prefix`. Needs a program with the feature `s3`;
    /// credentials, region and endpoint come from the `AWS_…` variables of the environment. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// How long the bucket is waited for: until an answer of it begins, with all attempts, and for each piece of it. One second to
    /// 10 minutes. Default 30 s.
    pub bucket_timeout: Span,
    /// Largest package. Default 4 GiB.
    pub max_size: Size,
    /// Most uploads of operators at a time; more get 503. 1 to 1000. Default 8.
    pub max_uploads: usize,
    /// Most downloads of devices at a time on this node; more get 503 with a spread `Retry-After`. 1 to 100000. Default 512.
    pub max_downloads: usize,
    /// How long an address that is given to a device is good, one minute to 366 days. Default 14 days.
    pub url_lifetime: Span,
    /// PEM files with public keys (Ed25519, RSA or ECDSA) that packages may be signed with. In the environment they are separated by
    /// commas. Default: none.
    pub trusted_keys: Vec<PathBuf>,
    /// Refuse packages without a signature by a trusted key. Default false.
    pub require_signature: bool,
}

impl Default for PackageSection {
    fn default() -> Self {
        Self {
            directory: None,
            bucket: None,
            bucket_timeout: Span::secs(30),
            max_size: Size(4 << 30),
            max_uploads: 8,
            max_downloads: 512,
            url_lifetime: Span::secs(14 * 86_400),
            trusted_keys: Vec::new(),
            require_signature: false,
        }
    }
}

/// Finds the first fault.
pub(super) fn check(section: &PackageSection) -> Result<(), Fault> {
    if section.bucket.is_some() && section.directory.is_some() {
        return Err(Fault::new("package.bucket", "cannot be used beside package.directory"));
    }
    if let Some(bucket) = &section.bucket {
        let name = bucket.strip_prefix("s3://").and_then(|rest| rest.split('/').next());
        if name.is_none_or(str::is_empty) {
            return Err(Fault::new("package.bucket", "has to be s3://bucket or s3://bucket/prefix"));
        }
        if cfg!(not(feature = "s3")) {
            return Err(Fault::new(
                "package.bucket",
                "needs a program that was built with the feature s3; use package.directory",
            ));
        }
    }
    let counts = [
        ("package.max_size", section.max_size.0, 1..=MAX_SIZE),
        ("package.max_uploads", section.max_uploads, 1..=1_000),
        ("package.max_downloads", section.max_downloads, 1..=100_000),
    ];
    for (key, count, range) in counts {
        if !range.contains(&count) {
            return Err(Fault::new(key, format!("has to be {} to {}", range.start(), range.end())));
        }
    }
    if !(Duration::from_secs(60)..=MAX_LIFETIME).contains(&section.url_lifetime.0) {
        return Err(Fault::new("package.url_lifetime", "has to be one minute to 366 days"));
    }
    if !(Duration::from_secs(1)..=MAX_BUCKET_TIMEOUT).contains(&section.bucket_timeout.0) {
        return Err(Fault::new("package.bucket_timeout", "has to be 1 s to 10 minutes"));
    }
    if section.require_signature && section.trusted_keys.is_empty() {
        return Err(Fault::new(
            "package.trusted_keys",
            "has to name a key, as package.require_signature is on: without one no package could be stored",
        ));
    }
    Ok(())
}
