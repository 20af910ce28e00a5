//! How an account is spoken to: what its provisioning said, and what was found to work.
//!
//! It is a matter between the device and its maker, and so it stands in the key/value area and not in the tree.

use std::time::Duration;

use omadm_codec::dm1::Version;
use omadm_mo::{ServerId, Time};

use super::settings::{Encoding, named_version, version_name};
use crate::persistence::Entries;
use crate::text;

/// How the keys of the entries begin; the server follows.
const PREFIX: &str = "dm1/link/";
/// For how long a version that worked is tried first (`DM 1.3 PROTO`, our choice).
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// How an account is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Newest version to speak.
    pub(super) newest: Version,
    pub(super) encoding: Encoding,
    /// The version of the last session that went well, and when that was.
    pub(super) worked: Option<(Version, Time)>,
}

impl Default for Link {
    fn default() -> Self {
        Self { newest: Version::Dm13, encoding: Encoding::default(), worked: None }
    }
}

impl Link {
    /// What is kept of a server.
    pub(super) fn of(entries: &Entries, server: &ServerId) -> Self {
        entries.get(&key(server)).and_then(|line| Self::read(line)).unwrap_or_default()
    }

    fn read(line: &str) -> Option<Self> {
        let fields = text::split(line)?;
        let [Some(newest), Some(encoding), version, time] = fields.as_slice() else { return None };
        let worked = || Some((named_version(version.as_deref()?)?, Time(time.as_deref()?.parse().ok()?)));
        Some(Self {
            newest: named_version(newest)?,
            encoding: if encoding == "xml" { Encoding::Xml } else { Encoding::Wbxml },
            worked: worked(),
        })
    }

    /// The entry that keeps it.
    pub(super) fn entry(&self, server: &ServerId) -> (String, Option<String>) {
        let encoding = match self.encoding {
            Encoding::Xml => "xml",
            Encoding::Wbxml => "wbxml",
        };
        let time = self.worked.map(|(_, time)| time.0.to_string());
        let version = self.worked.map(|(version, _)| version_name(version));
        let line = text::join([Some(version_name(self.newest)), Some(encoding), version, time.as_deref()]);
        (key(server), Some(line))
    }

    /// The newest version, and the one that worked last, for people.
    pub(super) fn names(&self) -> (&'static str, Option<&'static str>) {
        (version_name(self.newest), self.worked.map(|(version, _)| version_name(version)))
    }

    pub(super) fn is_wbxml(&self) -> bool {
        self.encoding == Encoding::Wbxml
    }

    /// Versions to try, the first first: what worked lately, else the newest, and then all that are older.
    pub(super) fn versions(&self, now: Time) -> Vec<Version> {
        let lately = |time: Time| {
            let age = u64::try_from(now.0.saturating_sub(time.0)).ok().map(Duration::from_micros);
            age.is_some_and(|age| age < REMEMBERED)
        };
        let worked = self.worked.filter(|(version, time)| *version <= self.newest && lately(*time));
        let first = worked.map_or(self.newest, |(version, _)| version);
        [Version::Dm13, Version::Dm12, Version::Dm11]
            .into_iter()
            .filter(|version| *version <= first)
            .collect()
    }
}

/// The server of an entry, if it is one of these.
pub(super) fn server(key: &str) -> Option<&str> {
    key.strip_prefix(PREFIX)
}

fn key(server: &ServerId) -> String {
    format!("{PREFIX}{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400 * 1_000_000;

    #[test]
    fn what_is_kept_is_read_back() {
        let server = ServerId::parse("s").unwrap();
        for link in [
            Link::default(),
            Link { newest: Version::Dm12, encoding: Encoding::Xml, worked: Some((Version::Dm11, Time(-5))) },
        ] {
            let (key, value) = link.entry(&server);
            assert_eq!(Link::of(&Entries::from([(key, value.unwrap())]), &server), link);
        }
        let broken = Entries::from([(key(&server), "+9.9 +xml - -".to_owned())]);
        assert_eq!(Link::of(&broken, &server), Link::default());
        assert_eq!(Link::of(&Entries::new(), &server), Link::default());
    }

    #[test]
    fn what_worked_is_tried_first_for_thirty_days() {
        let link = |version| Link { worked: Some((version, Time(0))), ..Link::default() };
        let all = [Version::Dm13, Version::Dm12, Version::Dm11];
        assert_eq!(Link::default().versions(Time(0)), all);
        assert_eq!(link(Version::Dm12).versions(Time(30 * DAY - 1)), all[1..]);
        assert_eq!(link(Version::Dm12).versions(Time(30 * DAY)), all, "it may have learnt meanwhile");
        assert_eq!(link(Version::Dm12).versions(Time(-1)), all, "the clock was wrong");
        let older = Link { newest: Version::Dm12, ..link(Version::Dm13) };
        assert_eq!(older.versions(Time(1)), all[1..], "the setting counts");
    }
}
