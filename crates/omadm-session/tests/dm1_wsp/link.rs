//! A link that loses, repeats, reorders and delays, the same way for the same seed.

use std::collections::BTreeMap;
use std::time::Duration;

/// How bad the link is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub seed: u64,
    /// Datagrams of a hundred that are lost.
    pub lost: u64,
    /// Datagrams of a hundred that come twice.
    pub repeated: u64,
    /// Longest delay; those of less are drawn.
    pub delay: Duration,
}

impl Weather {
    pub const FINE: Self = Self { seed: 1, lost: 0, repeated: 0, delay: Duration::ZERO };
}

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    Initiator,
    Responder,
}

/// The datagrams that are on their way.
pub struct Link {
    weather: Weather,
    state: u64,
    sent: u64,
    flying: BTreeMap<(Duration, u64), (To, Vec<u8>)>,
}

impl Link {
    pub fn new(weather: Weather) -> Self {
        Self { weather, state: weather.seed | 1, sent: 0, flying: BTreeMap::new() }
    }

    pub fn send(&mut self, now: Duration, to: To, datagram: &[u8]) {
        let copies = if self.draw(100) < self.weather.repeated { 2 } else { 1 };
        for _ in 0..copies {
            if self.draw(100) >= self.weather.lost {
                let longest = u64::try_from(self.weather.delay.as_millis()).unwrap();
                let delay = Duration::from_millis(self.draw(longest + 1));
                self.sent += 1;
                self.flying.insert((now + delay, self.sent), (to, datagram.to_vec()));
            }
        }
    }

    /// When the next datagram arrives.
    pub fn next_at(&self) -> Option<Duration> {
        self.flying.keys().next().map(|(at, _)| *at)
    }

    /// The next datagram that has arrived by now.
    pub fn arrived(&mut self, now: Duration) -> Option<(To, Vec<u8>)> {
        let first = self.flying.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    /// xorshift64*.
    fn draw(&mut self, below: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % below
    }
}
