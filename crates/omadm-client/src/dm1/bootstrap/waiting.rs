//! Bootstraps that wait for their PIN: few, in memory only, for a day at most, one question at a time, and nobody is pestered.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Candidate;
use crate::consent::Origin;

/// First pause after a question that nobody answered, and after one that a sender's message gave no good end; it doubles up to an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// Of how many senders it is remembered that they have to wait.
const MAX_SENDERS: usize = 64;

/// Bounds of [`Waiting`].
#[derive(Clone, Copy, Debug)]
pub struct WaitingConfig {
    /// Most bootstraps that wait. Default 8.
    pub most: usize,
    /// How long one waits at most. Default 24 hours.
    pub expiry: Duration,
    /// Tries of a PIN for one bootstrap, 1 or more. Default 3.
    pub attempts: u16,
}

impl Default for WaitingConfig {
    fn default() -> Self {
        Self { most: 8, expiry: Duration::from_secs(86_400), attempts: 3 }
    }
}

/// Why a bootstrap does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotWaiting {
    /// Another one of its sender waits.
    #[error("another bootstrap of the same sender waits for its PIN")]
    SameSender,
    /// Its sender has to be patient.
    #[error("the last bootstrap of the same sender came to nothing, and it is too early for another")]
    TooEarly,
    /// There are too many.
    #[error("too many bootstraps wait for their PIN")]
    Full,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The PIN was right, or the bootstrap is done with for another good reason.
    Right,
    /// The PIN was wrong.
    Wrong,
    /// The user does not want the bootstrap.
    Refused,
    /// Nobody was there.
    Nobody,
}

/// One bootstrap.
#[derive(Debug)]
struct Entry {
    candidate: Candidate,
    since: Instant,
    /// Wrong PINs so far.
    tries: u16,
    /// When to ask next, and the pause after that if nobody answers.
    due: Instant,
    pause: Duration,
}

/// A sender whose last bootstrap came to nothing.
#[derive(Debug)]
struct Patient {
    sender: String,
    until: Instant,
    pause: Duration,
}

/// The question that is due.
#[derive(Clone, Debug)]
pub struct Turn {
    /// For which bootstrap.
    pub candidate: Candidate,
    /// Which try it is, from 1.
    pub attempt: u16,
}

/// Bootstraps that wait for their PIN.
#[derive(Debug)]
pub struct Waiting {
    config: WaitingConfig,
    entries: VecDeque<Entry>,
    patients: VecDeque<Patient>,
}

impl Waiting {
    /// None.
    #[must_use]
    pub fn new(config: WaitingConfig) -> Self {
        Self { config, entries: VecDeque::new(), patients: VecDeque::new() }
    }

    /// Lets one wait. One that waits already needs no second place, and is no error.
    ///
    /// # Errors
    /// [`NotWaiting`]; it is dropped.
    pub fn add(&mut self, candidate: Candidate, now: Instant) -> Result<(), NotWaiting> {
        self.expire(now);
        if self.entries.iter().any(|entry| entry.candidate.is_same(&candidate)) {
            return Ok(());
        }
        let sender = sender(candidate.origin());
        if self.entries.iter().any(|entry| self::sender(entry.candidate.origin()) == sender) {
            return Err(NotWaiting::SameSender);
        }
        if self.patients.iter().any(|patient| patient.sender == sender && now < patient.until) {
            return Err(NotWaiting::TooEarly);
        }
        if self.entries.len() >= self.config.most {
            return Err(NotWaiting::Full);
        }
        self.entries.push_back(Entry { candidate, since: now, tries: 0, due: now, pause: FIRST_PAUSE });
        Ok(())
    }

    /// When the next question is due.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.entries.iter().map(|entry| entry.due).min()
    }

    /// The question that is due, if one is. It stays due until it is settled.
    pub fn turn(&mut self, now: Instant) -> Option<Turn> {
        self.expire(now);
        let entry = self.entries.iter().find(|entry| entry.due <= now)?;
        Some(Turn { candidate: entry.candidate.clone(), attempt: entry.tries + 1 })
    }

    /// Says what became of a question; whether the bootstrap still waits.
    pub fn settle(&mut self, turn: &Turn, answered: Answered, now: Instant) -> bool {
        let Some(at) = self.entries.iter().position(|entry| entry.candidate.is_same(&turn.candidate)) else {
            return false;
        };
        let Some(entry) = self.entries.get_mut(at) else { return false };
        match answered {
            Answered::Nobody => {
                entry.due = now + entry.pause;
                entry.pause = entry.pause.saturating_mul(2).min(LONGEST_PAUSE);
                return true;
            }
            Answered::Wrong if entry.tries + 1 < self.config.attempts => {
                entry.tries += 1;
                return true;
            }
            Answered::Right | Answered::Wrong | Answered::Refused => {}
        }
        let sender = sender(turn.candidate.origin());
        self.entries.remove(at);
        let known = self.patients.iter().position(|patient| patient.sender == sender);
        let known = known.and_then(|at| self.patients.remove(at));
        if answered != Answered::Right {
            let pause = known.map_or(FIRST_PAUSE, |known| known.pause.saturating_mul(2).min(LONGEST_PAUSE));
            if self.patients.len() >= MAX_SENDERS {
                self.patients.pop_front();
            }
            self.patients.push_back(Patient { sender, until: now + pause, pause });
        }
        false
    }

    fn expire(&mut self, now: Instant) {
        let expiry = self.config.expiry;
        self.entries.retain(|entry| now.saturating_duration_since(entry.since) < expiry);
    }
}

/// Whom a bootstrap is from, as far as the device can know.
fn sender(origin: &Origin) -> String {
    origin.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{BootstrapConfig, Received};
    use super::*;

    fn candidate(by: &str, body: u8) -> Candidate {
        let received = Received {
            content_type: "application/vnd.wap.connectivity-wbxml; SEC=USERPIN; MAC=00".to_owned(),
            body: vec![body].into(),
            origin: Origin::Pushed { by: by.to_owned(), secured: false },
        };
        Candidate::read(received, &BootstrapConfig::default()).unwrap()
    }

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    #[test]
    fn one_of_each_sender_waits_and_few_in_all() {
        let (mut waiting, now) =
            (Waiting::new(WaitingConfig { most: 2, ..Default::default() }), Instant::now());
        assert_eq!(waiting.add(candidate("a", 1), now), Ok(()));
        assert_eq!(waiting.add(candidate("a", 1), now), Ok(()), "the same again");
        assert_eq!(waiting.add(candidate("a", 2), now), Err(NotWaiting::SameSender));
        assert_eq!(waiting.add(candidate("b", 2), now), Ok(()));
        assert_eq!(waiting.add(candidate("c", 3), now), Err(NotWaiting::Full));
        let later = now + WaitingConfig::default().expiry;
        assert_eq!(waiting.add(candidate("c", 3), later - minutes(1)), Err(NotWaiting::Full));
        assert_eq!(waiting.add(candidate("c", 3), later), Ok(()), "the others have expired");
        assert!(waiting.turn(later).unwrap().candidate.is_same(&candidate("c", 3)));
    }

    #[test]
    fn after_three_wrong_pins_the_message_is_gone_and_its_sender_waits() {
        let (mut waiting, mut now) = (Waiting::new(WaitingConfig::default()), Instant::now());
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            waiting.add(candidate("a", 1), now).unwrap();
            for attempt in 1..=3 {
                let turn = waiting.turn(now).unwrap();
                assert_eq!(turn.attempt, attempt);
                assert_eq!(waiting.settle(&turn, Answered::Wrong, now), attempt < 3);
            }
            assert!(waiting.turn(now).is_none() && waiting.due().is_none());
            now += minutes(pause) - Duration::from_secs(1);
            assert_eq!(waiting.add(candidate("a", 1), now), Err(NotWaiting::TooEarly));
            now += Duration::from_secs(1);
        }
        waiting.add(candidate("a", 1), now).unwrap();
        let turn = waiting.turn(now).unwrap();
        waiting.settle(&turn, Answered::Right, now);
        assert_eq!(waiting.add(candidate("a", 1), now), Ok(()), "a good end is no reason to wait");
    }

    #[test]
    fn a_user_who_is_away_is_asked_again_ever_more_rarely() {
        let (mut waiting, mut now) = (Waiting::new(WaitingConfig::default()), Instant::now());
        waiting.add(candidate("a", 1), now).unwrap();
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            let turn = waiting.turn(now).unwrap();
            assert!(waiting.settle(&turn, Answered::Nobody, now));
            assert_eq!(waiting.due(), Some(now + minutes(pause)));
            assert!(waiting.turn(now + minutes(pause) - Duration::from_secs(1)).is_none());
            now += minutes(pause);
        }
        let turn = waiting.turn(now).unwrap();
        assert_eq!(turn.attempt, 1, "nobody was wrong");
        assert!(!waiting.settle(&turn, Answered::Refused, now));
        assert!(!waiting.settle(&turn, Answered::Wrong, now), "it is settled");
    }

    #[test]
    fn no_more_senders_are_remembered_than_there_is_room_for() {
        let (mut waiting, now) = (Waiting::new(WaitingConfig::default()), Instant::now());
        for number in 0..=MAX_SENDERS {
            waiting.add(candidate(&number.to_string(), 1), now).unwrap();
            let turn = waiting.turn(now).unwrap();
            waiting.settle(&turn, Answered::Refused, now);
        }
        assert_eq!(waiting.add(candidate("0", 1), now), Ok(()), "forgotten");
        assert_eq!(waiting.add(candidate("1", 2), now), Err(NotWaiting::TooEarly));
    }
}
