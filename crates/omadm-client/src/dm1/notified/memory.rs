//! What a device remembers of the notifications of a server: those that it has answered, and when the default nonce was used last.

use std::time::Duration;

use omadm_mo::{ServerId, Time};

use super::{Bounds, Dm1Wake, NotifiedConfig};
use crate::device::Device;
use crate::error::PersistError;
use crate::notification::Ignored;
use crate::persistence::{Batch, Entries};

/// How the keys of the entries begin; the server follows.
const PREFIX: &str = "dm1/notified/";
/// Where no session with the default nonce was yet.
const NEVER: &str = "-";

/// The server of an entry, if it is one of these.
pub(crate) fn server(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)
}

/// What is remembered of one server, the oldest first.
#[derive(Debug, Default, PartialEq, Eq)]
struct Memory {
    resynchronised: Option<Time>,
    answered: Vec<Answer>,
}

/// An answered notification.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    time: Time,
    session_id: u16,
    /// In hexadecimal digits.
    digest: String,
}

impl Memory {
    fn of(entries: &Entries, server: &ServerId) -> Self {
        entries.get(&key(server)).and_then(|line| Self::read(line)).unwrap_or_default()
    }

    /// Fields with a blank between them: the time of the default nonce, then `TIME:NUMBER:DIGEST` of each.
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let first = fields.next()?;
        let resynchronised = if first == NEVER { None } else { Some(Time(first.parse().ok()?)) };
        let answered = fields.map(|field| {
            let mut parts = field.split(':');
            let (time, id, digest) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Answer {
                time: Time(time.parse().ok()?),
                session_id: id.parse().ok()?,
                digest: digest.to_owned(),
            })
        });
        Some(Self { resynchronised, answered: answered.collect::<Option<_>>()? })
    }

    fn write(&self) -> String {
        let first = self.resynchronised.map_or_else(|| NEVER.to_owned(), |time| time.0.to_string());
        let answered = self.answered.iter();
        let answered = answered.map(|of| format!(" {}:{}:{}", of.time.0, of.session_id, of.digest));
        std::iter::once(first).chain(answered).collect()
    }

    fn has(&self, session_id: u16, digest: &str) -> bool {
        self.answered.iter().any(|of| of.session_id == session_id && of.digest == digest)
    }

    /// Takes another one in, and lets go of what is too old or too much.
    fn note(&mut self, answer: Answer, bounds: Bounds) {
        let now = answer.time;
        self.answered.retain(|of| age(of.time, now) < bounds.time);
        self.answered.push(answer);
        let surplus = self.answered.len().saturating_sub(bounds.count.max(1));
        self.answered.drain(..surplus);
    }
}

fn key(server: &ServerId) -> String {
    format!("{PREFIX}{server}")
}

/// How long ago it was; nothing if the clock went back.
pub(in crate::dm1) fn age(then: Time, now: Time) -> Duration {
    Duration::from_micros(u64::try_from(now.0.saturating_sub(then.0)).unwrap_or_default())
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl Device {
    /// Whether a notification is new.
    pub(super) fn check_dm1_repetition(&self, wake: &Dm1Wake) -> Result<(), Ignored> {
        let now = (self.config.clock)();
        let mut memory = Memory::of(&self.entries, &wake.server);
        memory.answered.retain(|of| age(of.time, now) < wake.bounds.time);
        let is_known = memory.has(wake.session_id, &hex(&wake.digest));
        if is_known { Err(Ignored::Duplicate(wake.session_id)) } else { Ok(()) }
    }

    /// Uses the default nonce of a server up for a while: a notification that was made with it is good once.
    pub(super) fn resynchronise(&mut self, wake: &Dm1Wake, config: &NotifiedConfig) -> Result<(), Ignored> {
        let now = (self.config.clock)();
        let mut memory = Memory::of(&self.entries, &wake.server);
        let since = memory.resynchronised.map(|last| age(last, now));
        if let Some(since) = since.filter(|since| *since < config.resynchronise_every) {
            return Err(Ignored::ResynchronisedLately {
                server: wake.server.clone(),
                seconds: since.as_secs(),
            });
        }
        memory.resynchronised = Some(now);
        memory.note(wake.answer(now), wake.bounds);
        Ok(self.remember_notified(&wake.server, &memory)?)
    }

    /// A notification was answered: the same is a repetition from now on.
    pub(super) fn answered_dm1(&mut self, wake: &Dm1Wake) -> Result<(), PersistError> {
        let mut memory = Memory::of(&self.entries, &wake.server);
        if memory.has(wake.session_id, &hex(&wake.digest)) {
            return Ok(());
        }
        let answer = wake.answer((self.config.clock)());
        memory.note(answer, wake.bounds);
        self.remember_notified(&wake.server, &memory)
    }

    fn remember_notified(&mut self, server: &ServerId, memory: &Memory) -> Result<(), PersistError> {
        self.append(&Batch { nodes: Vec::new(), entries: vec![(key(server), Some(memory.write()))] })
    }
}

impl Dm1Wake {
    fn answer(&self, time: Time) -> Answer {
        Answer { time, session_id: self.session_id, digest: hex(&self.digest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn answer(seconds: i64, session_id: u16) -> Answer {
        Answer { time: Time::from_secs(seconds), session_id, digest: "0aff".to_owned() }
    }

    #[test]
    fn what_is_written_is_read() {
        let name = ServerId::parse("dm.example").unwrap();
        for memory in [
            Memory::default(),
            Memory { resynchronised: Some(Time(-7)), answered: vec![answer(1, 1), answer(2, u16::MAX)] },
        ] {
            let entries = Entries::from([(key(&name), memory.write())]);
            assert_eq!(Memory::of(&entries, &name), memory);
        }
        assert_eq!(server(&key(&name)), Some("dm.example"));
        for broken in ["", "x", "- 1:2", "- 1:70000:00", "- a:1:00"] {
            assert_eq!(Memory::read(broken), None, "{broken}");
        }
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let mut memory = Memory::default();
        for number in 1..=65 {
            memory.note(answer(0, number), Bounds { count: 64, time: DAY });
        }
        assert_eq!(memory.answered.len(), 64);
        assert!(!memory.has(1, "0aff") && memory.has(2, "0aff") && memory.has(65, "0aff"));
        assert!(!memory.has(2, "0afe"), "another notification for the same session");
        memory.note(answer(0, 66), Bounds { count: 0, time: DAY });
        assert_eq!(memory.answered.len(), 1, "the last one always");
    }

    #[test]
    fn so_long_they_are_remembered_and_no_longer() {
        let bounds = Bounds { count: 64, time: DAY };
        let mut memory = Memory { answered: vec![answer(0, 1), answer(1, 2)], ..Memory::default() };
        memory.note(answer(86_400, 3), bounds);
        assert!(!memory.has(1, "0aff") && memory.has(2, "0aff"));
        memory.note(answer(-5, 4), bounds);
        assert!(memory.has(3, "0aff"), "also where the clock was put back");
    }
}
