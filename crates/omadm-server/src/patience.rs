//! How long bodies are waited for that are taken piece by piece: a sender may be slow, but not so slow that it keeps a place for ever.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout};

use crate::config::OperatorSection;

/// How long one body is waited for.
pub struct Patience {
    /// Longest time without an octet, and what is given on top of the time by the rate.
    pause: Duration,
    /// Fewest octets a second; 0 for any number.
    rate: u64,
    octets: u64,
    /// How long its sender has been waited for; what is done with the pieces does not count.
    waited: Duration,
}

/// Why there is no further piece.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Nothing comes.
    #[error("no octets came for {} s (operator.body_timeout)", .0.as_secs())]
    Silent(Duration),
    /// Too little comes.
    #[error("fewer than {0} octets a second came (operator.min_upload_rate)")]
    Slow(u64),
    /// The connection broke.
    #[error("it broke off: {0}")]
    Broken(axum::Error),
}

impl Patience {
    /// As the configuration says.
    pub fn new(settings: &OperatorSection) -> Self {
        let rate = u64::try_from(settings.min_upload_rate.0).unwrap_or(u64::MAX);
        Self { pause: settings.body_timeout.0, rate, octets: 0, waited: Duration::ZERO }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Lost`]
    pub async fn next(&mut self, body: &mut Body) -> Result<Option<Bytes>, Lost> {
        loop {
            let left = self.left().ok_or(Lost::Slow(self.rate))?;
            let began = Instant::now();
            let frame = timeout(left.min(self.pause), body.frame()).await;
            self.waited = self.waited.saturating_add(began.elapsed());
            match frame {
                Err(_) if left < self.pause => return Err(Lost::Slow(self.rate)),
                Err(_) => return Err(Lost::Silent(self.pause)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(Lost::Broken(error)),
                Ok(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        self.octets = self.octets.saturating_add(piece.len() as u64);
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }

    /// How much longer the next piece may be waited for, by the rate; `None` if no longer.
    fn left(&self) -> Option<Duration> {
        let Some(seconds) = self.octets.checked_div(self.rate) else { return Some(Duration::MAX) };
        Duration::from_secs(seconds).saturating_add(self.pause).checked_sub(self.waited)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn patience(rate: u64, octets: u64, waited: u64) -> Patience {
        Patience { pause: Duration::from_secs(60), rate, octets, waited: Duration::from_secs(waited) }
    }

    #[test]
    fn a_sender_is_waited_for_at_its_rate() {
        let left = |rate, octets, waited| patience(rate, octets, waited).left().map(|left| left.as_secs());
        assert_eq!(left(10, 0, 0), Some(60));
        assert_eq!(left(10, 100, 70), Some(0), "60 s, and 10 s for 100 octets");
        assert_eq!(left(10, 100, 71), None);
        assert_eq!(left(0, 0, 1_000_000), Some(u64::MAX), "0 is no bound");
    }

    #[tokio::test]
    async fn whoever_sends_too_little_is_told_so() {
        let never = || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let lost = async |mut patience: Patience| patience.next(&mut never()).await.unwrap_err().to_string();
        let slow = lost(patience(10, 100, 70)).await;
        assert!(slow.contains("10 octets a second") && slow.contains("operator.min_upload_rate"), "{slow}");
        assert!(lost(patience(10, 100, 71)).await.contains("operator.min_upload_rate"));
        let silent = lost(Patience { pause: Duration::from_millis(1), ..patience(0, 0, 0) }).await;
        assert!(silent.contains("operator.body_timeout"), "{silent}");
    }

    #[tokio::test]
    async fn what_comes_in_time_is_taken() {
        let pieces = ["one", "two"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
        let (mut body, mut patience) = (Body::from_stream(stream::iter(pieces)), patience(1, 0, 0));
        let mut taken = Vec::new();
        while let Some(piece) = patience.next(&mut body).await.unwrap() {
            taken.extend(piece);
        }
        assert_eq!((taken.as_slice(), patience.octets), (b"onetwo".as_slice(), 6));
    }
}
