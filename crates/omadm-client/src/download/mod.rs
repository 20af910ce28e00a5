//! Packages, downloaded over a bad link: by ranges, and taken up again after a lost connection and after a restart of the process.
//!
//! What to ask for and what an answer means is decided without I/O in [`plan`]; what is on disk is [`partial`]'s; [`fetch`] brings both
//! together with a [`Source`].

mod error;
mod fetch;
mod https;
mod partial;
mod plan;
mod signature;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};

pub use self::error::DownloadError;
pub use self::fetch::fetch;
pub use self::https::HttpsBody;
pub use self::partial::write_durably;
pub use self::signature::{PackageKeys, SignatureError};
use crate::error::TransportError;

/// A SHA-256.
pub type Digest = [u8; 32];

/// What a download is bound by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadConfig {
    /// Allow `http`, for a laboratory or where signatures are enough. Default false.
    pub plain_http: bool,
    /// Largest package in octets. Default 1 GiB.
    pub max_size: u64,
    /// Longest time for one package, pauses and earlier runs of the process included. Default a day.
    pub time_limit: Duration,
    /// Most attempts in a row that bring nothing. Default 10.
    pub attempts: u32,
    /// Pause after the first of them, twice as long after each further one. Default 2 s.
    pub pause: Duration,
    /// Longest pause. Default 5 minutes.
    pub longest_pause: Duration,
    /// How long a connection may bring nothing before it is given up. Default 60 s.
    pub stall: Duration,
    /// Octets that stay free on the disk. Default 64 MiB.
    pub reserve: u64,
    /// Octets after which what has come is made durable, so that a restart loses no more. Default 4 MiB.
    pub sync_every: u64,
}

impl Default for DownloadConfig {
    fn default() -> Self {
        Self {
            plain_http: false,
            max_size: 1 << 30,
            time_limit: Duration::from_secs(86_400),
            attempts: 10,
            pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(300),
            stall: Duration::from_secs(60),
            reserve: 64 << 20,
            sync_every: 4 << 20,
        }
    }
}

/// What is to be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Absolute, `https` or `http`.
    pub url: String,
    /// Its SHA-256, if it is known beforehand.
    pub digest: Option<Digest>,
    /// Its size in octets, if it is known beforehand.
    pub size: Option<u64>,
}

/// A package on disk, whole and durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Where it is.
    pub path: PathBuf,
    /// Octets.
    pub size: u64,
    /// Its SHA-256, which is the wanted one if one was wanted.
    pub digest: Digest,
}

/// Where a package is put, and what there is of it on the way there: three files in one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    directory: PathBuf,
    name: String,
}

impl Place {
    /// A place in a directory, which is made if it is not there. The name is one of the caller's own, not a server's.
    #[must_use]
    pub fn new(directory: &Path, name: &str) -> Self {
        Self { directory: directory.to_owned(), name: name.to_owned() }
    }

    /// The file with the whole package.
    #[must_use]
    pub fn package(&self) -> PathBuf {
        self.file("package")
    }

    /// Removes the package and all that belongs to it.
    ///
    /// # Errors
    /// Other than that it is not there.
    pub fn clear(&self) -> io::Result<()> {
        // The record last: without it what else is left counts for nothing.
        for kind in ["package", "part", "record"] {
            match std::fs::remove_file(self.file(kind)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.directory.join(format!("{}.{kind}", self.name))
    }
}

/// The head of an answer, and what reads its body.
#[derive(Debug)]
pub struct Answer<B> {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: B,
}

/// Where packages come from: GET by HTTP, the body in pieces. Redirects and limits are not its business; TLS verification is.
pub trait Source: Send + Sync {
    /// What reads a body.
    type Body: Pieces;

    /// Sends a GET without a body and without credentials, and reads the head of the answer.
    ///
    /// # Errors
    /// [`TransportError`] when there is none.
    fn get(
        &self,
        uri: &Uri,
        headers: HeaderMap,
    ) -> impl Future<Output = Result<Answer<Self::Body>, TransportError>> + Send;
}

/// The body of an answer, piece by piece.
pub trait Pieces: Send {
    /// The next piece; `None` is the end.
    ///
    /// # Errors
    /// [`TransportError`] when it breaks off.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, TransportError>> + Send;
}

/// The SHA-256 and the size of a file, read in pieces. Blocks.
///
/// # Errors
/// That of reading.
pub fn digest_of(path: &Path) -> io::Result<(Digest, u64)> {
    let mut sha256 = openssl::sha::Sha256::new();
    let size = partial::hash(&mut std::fs::File::open(path)?, &mut sha256, u64::MAX)?;
    Ok((sha256.finish(), size))
}

/// Reads a digest in 64 hexadecimal digits.
#[must_use]
pub fn parse_digest(text: &str) -> Option<Digest> {
    if text.len() != 64 || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (octet, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// Writes a digest in 64 hexadecimal digits.
#[must_use]
pub fn digest_text(digest: &Digest) -> String {
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}
