//! What is on disk of a package on its way: the part that has come, and a record that says how much of it is durable.
//!
//! The record is written after the octets that it counts are on the disk, so that a power cut at any instant leaves a part that is at
//! least as long as its record says. What is longer is cut off, and what does not have the digest of the record is begun anew.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use openssl::sha::Sha256;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::error::DownloadError;
use super::plan::Kept;
use super::{Digest, Package, Place, digest_text, parse_digest};
use crate::text;

/// Octets read at once.
const BLOCK: usize = 64 << 10;

/// A package on its way.
pub(super) struct Partial {
    place: Place,
    url: String,
    file: tokio::fs::File,
    sha256: Sha256,
    /// Octets written, and what the next request has to know.
    pub(super) kept: Kept,
    /// How many of them are durable.
    durable: u64,
    /// How long earlier runs of the process took.
    pub(super) spent: Duration,
}

/// The record as it is kept.
struct Record {
    url: String,
    octets: u64,
    digest: Digest,
    tag: Option<String>,
    total: Option<u64>,
    spent: u64,
}

impl Record {
    fn write(&self) -> String {
        let Self { url, octets, digest, tag, total, spent } = self;
        let (octets, digest, spent) = (octets.to_string(), digest_text(digest), spent.to_string());
        let total = total.map(|total| total.to_string());
        text::join([
            Some(url.as_str()),
            Some(&octets),
            Some(&digest),
            tag.as_deref(),
            total.as_deref(),
            Some(&spent),
        ])
    }

    fn read(line: &str) -> Option<Self> {
        let [url, octets, digest, tag, total, spent]: [Option<String>; 6] =
            text::split(line)?.try_into().ok()?;
        Some(Self {
            url: url?,
            octets: octets?.parse().ok()?,
            digest: parse_digest(&digest?)?,
            tag,
            total: total.map(|total| total.parse()).transpose().ok()?,
            spent: spent?.parse().ok()?,
        })
    }
}

impl Partial {
    /// Takes up what is there of the package at this address; of any other there is nothing.
    pub(super) async fn open(place: &Place, url: &str) -> Result<Self, DownloadError> {
        let (place, url) = (place.clone(), url.to_owned());
        blocking(move || Self::open_now(place, url)).await
    }

    fn open_now(place: Place, url: String) -> Result<Self, DownloadError> {
        let (directory, path) = (place.directory.clone(), place.file("part"));
        std::fs::create_dir_all(&directory).map_err(|source| fault("make", &directory, source))?;
        let record = std::fs::read_to_string(place.file("record")).ok();
        let record = record.and_then(|line| Record::read(&line)).filter(|record| record.url == url);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| fault("open", &path, source))?;
        let mut sha256 = Sha256::new();
        let found = match &record {
            Some(record) => {
                hash(&mut file, &mut sha256, record.octets).map_err(|source| fault("read", &path, source))?
            }
            None => 0,
        };
        let record =
            record.filter(|record| record.octets == found && record.digest == sha256.clone().finish());
        let spent = record.as_ref().map_or(0, |record| record.spent);
        let kept =
            record.map(|Record { octets, tag, total, .. }| Kept { octets, tag, total }).unwrap_or_default();
        if kept.octets == 0 {
            sha256 = Sha256::new();
        }
        file.set_len(kept.octets)
            .and_then(|()| io::Seek::seek(&mut file, io::SeekFrom::Start(kept.octets)))
            .map_err(|source| fault("cut", &path, source))?;
        let (file, durable) = (tokio::fs::File::from_std(file), kept.octets);
        Ok(Self { place, url, file, sha256, kept, durable, spent: Duration::from_secs(spent) })
    }

    /// Begins anew.
    pub(super) async fn forget(&mut self) -> Result<(), DownloadError> {
        self.kept = Kept::default();
        self.sha256 = Sha256::new();
        self.durable = 0;
        let cut = async {
            self.file.flush().await?;
            self.file.set_len(0).await?;
            self.file.rewind().await
        };
        cut.await.map(drop).map_err(|source: io::Error| self.fault("cut", source))
    }

    /// Adds what has come; it is not durable yet.
    pub(super) async fn write(&mut self, octets: &[u8]) -> Result<(), DownloadError> {
        self.file.write_all(octets).await.map_err(|source| self.fault("write", source))?;
        self.sha256.update(octets);
        self.kept.octets = self.kept.octets.saturating_add(octets.len() as u64);
        Ok(())
    }

    /// How many octets are not durable yet.
    pub(super) fn loose(&self) -> u64 {
        self.kept.octets.saturating_sub(self.durable)
    }

    /// Makes what has come durable, and then says so. `spent` is the time of all runs.
    pub(super) async fn sync(&mut self, spent: Duration) -> Result<(), DownloadError> {
        let synced = async {
            self.file.flush().await?;
            self.file.sync_data().await
        };
        synced.await.map_err(|source| self.fault("sync", source))?;
        let Kept { octets, tag, total } = self.kept.clone();
        let digest = self.sha256.clone().finish();
        let record = Record { url: self.url.clone(), octets, digest, tag, total, spent: spent.as_secs() };
        let path = self.place.file("record");
        blocking(move || {
            write_durably(&path, record.write().as_bytes()).map_err(|source| fault("write", &path, source))
        })
        .await?;
        self.durable = octets;
        Ok(())
    }

    /// Octets that are free on the disk.
    pub(super) fn free(&self) -> Result<u64, DownloadError> {
        let directory = &self.place.directory;
        let found =
            rustix::fs::statvfs(directory).map_err(|error| fault("look at", directory, error.into()))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// The SHA-256 of what has come.
    pub(super) fn digest(&self) -> Digest {
        self.sha256.clone().finish()
    }

    /// Puts the whole package in its place, durably.
    pub(super) async fn finish(mut self, spent: Duration) -> Result<Package, DownloadError> {
        self.sync(spent).await?;
        let (size, digest, place) = (self.kept.octets, self.digest(), self.place.clone());
        drop(self.file);
        blocking(move || {
            let path = place.package();
            std::fs::rename(place.file("part"), &path)
                .and_then(|()| File::open(&place.directory)?.sync_all())
                .map_err(|source| fault("put in place", &path, source))?;
            // Without its part a record counts for nothing.
            let _ = std::fs::remove_file(place.file("record"));
            Ok(Package { path, size, digest })
        })
        .await
    }

    fn fault(&self, action: &'static str, source: io::Error) -> DownloadError {
        fault(action, &self.place.file("part"), source)
    }
}

/// An error of the disk; a disk that is full has a word of its own.
fn fault(action: &'static str, path: &Path, source: io::Error) -> DownloadError {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            DownloadError::NoRoom { needed: 1, free: 0 }
        }
        _ => DownloadError::File { action, path: path.to_owned(), source },
    }
}

/// Runs what blocks beside the session loop.
pub(super) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, DownloadError> + Send + 'static,
) -> Result<R, DownloadError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let source = io::Error::other(error);
        Err(DownloadError::File { action: "work on", path: "a package".into(), source })
    })
}

/// Hashes so many octets of a file at most; says how many there were.
pub(super) fn hash(file: &mut File, sha256: &mut Sha256, most: u64) -> io::Result<u64> {
    let mut limited = Read::take(file, most);
    let (mut block, mut octets) = (vec![0; BLOCK], 0_u64);
    loop {
        match limited.read(&mut block) {
            Ok(0) => return Ok(octets),
            Ok(count) => {
                sha256.update(block.get(..count).unwrap_or_default());
                octets = octets.saturating_add(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Replaces a file so that a power cut leaves the old content or the new one. Blocks.
///
/// # Errors
/// That of the disk; the old content is still there then.
pub fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    let mut file = File::create(new)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(new, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
