//! The way of a package: attempts, pauses, limits.

use std::time::Duration;

use http::Uri;
use tokio::time::Instant;

use super::error::{Broken, DownloadError};
use super::partial::Partial;
use super::plan::{self, Kept, Step};
use super::{Answer, DownloadConfig, Package, Pieces as _, Place, Source, Wanted, digest_text};

/// Downloads a package to its place; `progress` is told the octets that have come. Dropped in the middle, or ended with its process, it
/// is taken up where it was by the next call with the same address. What is there whole already is not asked for again, if its digest
/// is wanted.
///
/// # Errors
/// [`DownloadError`]. What has come stays for the next call, except where it is of no use.
pub async fn fetch<S: Source>(
    source: &S,
    config: &DownloadConfig,
    wanted: &Wanted,
    place: &Place,
    progress: impl Fn(u64),
) -> Result<Package, DownloadError> {
    let address = plan::address(&wanted.url, config)?;
    if let Some(package) = already(wanted, place).await {
        return Ok(package);
    }
    let mut way = Way {
        source,
        config,
        wanted,
        partial: Partial::open(place, &wanted.url).await?,
        begun: Instant::now(),
        progress,
    };
    way.walk(&address).await?;
    let spent = way.spent();
    way.partial.finish(spent).await
}

/// The package, if it is in its place and the wanted one.
async fn already(wanted: &Wanted, place: &Place) -> Option<Package> {
    let (digest, path) = (wanted.digest?, place.package());
    let found = tokio::task::spawn_blocking(move || {
        super::digest_of(&path).ok().map(|(digest, size)| Package { path, size, digest })
    });
    found.await.ok().flatten().filter(|package| package.digest == digest)
}

struct Way<'a, S, P> {
    source: &'a S,
    config: &'a DownloadConfig,
    wanted: &'a Wanted,
    partial: Partial,
    begun: Instant,
    progress: P,
}

impl<S: Source, P: Fn(u64)> Way<'_, S, P> {
    /// Attempts until all octets are there.
    async fn walk(&mut self, address: &Uri) -> Result<(), DownloadError> {
        let mut failures = 0;
        let mut anew = 0;
        loop {
            let before = self.partial.kept.octets;
            let left = self.config.time_limit.saturating_sub(self.spent());
            let attempt = tokio::time::timeout(left, self.attempt(address)).await;
            let (reason, wait) = match attempt {
                Err(_) => {
                    self.keep().await?;
                    return Err(DownloadError::Timeout { seconds: self.config.time_limit.as_secs() });
                }
                Ok(Ok(Ended::Whole)) => match self.check() {
                    Ok(()) => return Ok(()),
                    // Parts of two different packages, perhaps: once more in one piece.
                    Err(error) if anew > 0 || before == 0 => {
                        self.partial.forget().await?;
                        self.keep().await?;
                        return Err(error);
                    }
                    Err(error) => {
                        self.partial.forget().await?;
                        anew += 1;
                        (error.to_string(), Duration::ZERO)
                    }
                },
                Ok(Ok(Ended::Later(reason, wait))) => (reason, wait),
                Ok(Err(Broken::Passing(reason))) => (reason, Duration::ZERO),
                Ok(Err(Broken::Final(error))) => {
                    self.keep().await?;
                    return Err(error);
                }
            };
            self.keep().await?;
            failures = if self.partial.kept.octets > before { 1 } else { failures + 1 };
            if failures >= self.config.attempts {
                return Err(DownloadError::Network { attempts: failures, reason });
            }
            let pause = plan::pause(self.config, failures, random()).max(wait);
            tracing::info!(octets = self.partial.kept.octets, ?pause, "a download waits: {reason}");
            tokio::time::sleep(pause.min(self.config.time_limit.saturating_sub(self.spent()))).await;
        }
    }

    /// One request with its redirects, and what it brings.
    async fn attempt(&mut self, address: &Uri) -> Result<Ended, Broken> {
        let (mut uri, mut redirects) = (address.clone(), 0);
        loop {
            let headers = plan::headers(&self.partial.kept, self.wanted);
            let answer = tokio::time::timeout(self.config.stall, self.source.get(&uri, headers)).await;
            let Answer { status, headers, body } = answer.map_err(|_| self.stalled())??;
            let at = (&uri, redirects);
            match plan::understand(self.config, self.wanted, &self.partial.kept, at, (status, &headers))? {
                Step::Append { total } => {
                    self.partial.kept.total = self.partial.kept.total.or(total);
                    return self.read(body).await;
                }
                Step::Begin { tag, total } => {
                    self.partial.forget().await?;
                    self.partial.kept = Kept { octets: 0, tag, total };
                    return self.read(body).await;
                }
                Step::Whole => return Ok(Ended::Whole),
                Step::Forget => {
                    self.partial.forget().await?;
                    return Err(Broken::Passing("the parts did not belong together".to_owned()));
                }
                Step::Follow(next) => {
                    uri = next;
                    redirects += 1;
                }
                Step::Later(reason, wait) => return Ok(Ended::Later(reason, wait)),
            }
        }
    }

    /// Writes what comes, within the limits, to the end of the body.
    async fn read(&mut self, mut body: S::Body) -> Result<Ended, Broken> {
        self.check_room()?;
        loop {
            let piece = tokio::time::timeout(self.config.stall, body.next()).await;
            let Some(piece) = piece.map_err(|_| self.stalled())?? else { break };
            let size = self.partial.kept.octets.saturating_add(piece.len() as u64);
            let limit =
                self.partial.kept.total.or(self.wanted.size).unwrap_or(u64::MAX).min(self.config.max_size);
            if size > limit {
                return Err(DownloadError::TooLarge { size, limit }.into());
            }
            self.partial.write(&piece).await?;
            (self.progress)(self.partial.kept.octets);
            if self.partial.loose() >= self.config.sync_every {
                self.check_room()?;
                self.keep().await?;
            }
        }
        match self.partial.kept.total {
            Some(total) if self.partial.kept.octets < total => {
                let octets = self.partial.kept.octets;
                Err(Broken::Passing(format!("the connection ended after {octets} of {total} octets")))
            }
            _ => Ok(Ended::Whole),
        }
    }

    /// Asked before it is written, and now and then meanwhile: others write on the disk as well.
    fn check_room(&self) -> Result<(), DownloadError> {
        let Kept { octets, total, .. } = self.partial.kept;
        let ahead = total.or(self.wanted.size).unwrap_or(octets).saturating_sub(octets);
        let (needed, free) = (ahead.saturating_add(self.config.reserve), self.partial.free()?);
        if needed > free { Err(DownloadError::NoRoom { needed, free }) } else { Ok(()) }
    }

    /// Whether what has come is what was wanted.
    fn check(&self) -> Result<(), DownloadError> {
        let size = self.partial.kept.octets;
        if let Some(wanted) = self.wanted.size.filter(|wanted| *wanted != size) {
            let (found, wanted) = (size.to_string(), wanted.to_string());
            return Err(DownloadError::Different { what: "size", found, wanted });
        }
        let digest = self.partial.digest();
        match &self.wanted.digest {
            Some(wanted) if *wanted != digest => {
                let (found, wanted) = (digest_text(&digest), digest_text(wanted));
                Err(DownloadError::Different { what: "SHA-256", found, wanted })
            }
            _ => Ok(()),
        }
    }

    /// Makes durable what has come, and how long it took.
    async fn keep(&mut self) -> Result<(), DownloadError> {
        let spent = self.spent();
        self.partial.sync(spent).await
    }

    fn spent(&self) -> Duration {
        self.partial.spent.saturating_add(self.begun.elapsed())
    }

    fn stalled(&self) -> Broken {
        Broken::Passing(format!("nothing came for {} s", self.config.stall.as_secs()))
    }
}

/// How an attempt ended.
enum Ended {
    /// No more is to come.
    Whole,
    /// The server wants to be asked later.
    Later(String, Duration),
}

/// 0 to 1.
fn random() -> f64 {
    let mut octets = [0; 4];
    // Without randomness devices come back together, which is no fault of the download.
    openssl::rand::rand_bytes(&mut octets)
        .map_or(0.5, |()| f64::from(u32::from_be_bytes(octets)) / f64::from(u32::MAX))
}
