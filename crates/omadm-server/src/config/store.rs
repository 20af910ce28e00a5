//! `[store]`: where everything durable is kept.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use omadm_config::Fault;
use serde::{Deserialize, Serialize};

use super::Span;

/// `[store]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// Database file of SQLite. Default: `omadm.db` in `data_dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Database of PostgreSQL in place of a file: `postgres://USER@HOST[:PORT][,HOST…]/DATABASE`, without a password. Of several hosts the
    /// one that takes writes is used. Other machines are reached by TLS and verified, unless `?sslmode=disable` says otherwise.
    /// Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// File with the password for `url`. Default: the variable `PGPASSWORD`, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// PEM file with authorities that the certificate behind `url` may come from. Default: those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Whether a pooler in transaction mode, such as pgbouncer, is in between: nothing is prepared on the server then.
    pub pooled: bool,
    /// Connections to PostgreSQL that write. 1 to 256. Default 4.
    pub writers: usize,
    /// Connections that read. 1 to 256. Default 8, and 4 on SQLite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<usize>,
    /// Most requests in one commit. 1 to 4096. Default 64, and 512 on SQLite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<usize>,
    /// Longest time to make a connection to PostgreSQL. One second or more. Default 5 s.
    pub connect_timeout: Span,
    /// Longest time of a statement, and of waiting for a server or node that has gone silent; behind a pooler, of a statement that writes. One
    /// second or more. Default 30 s.
    pub statement_timeout: Span,
    /// How old an event is before it is shown, on PostgreSQL, so that none that another node commits later comes before it. 0 shows
    /// events at once, which suits a single node that can bear to miss one. Default 1 s.
    pub event_delay: Span,
    /// How long after the death of a node another takes over what one at a time does: notifications, retention, campaigns. 3 seconds or
    /// more. Default 15 s.
    pub lease: Span,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            path: None,
            url: None,
            password_file: None,
            ca_file: None,
            pooled: false,
            writers: 4,
            readers: None,
            group: None,
            connect_timeout: Span::secs(5),
            statement_timeout: Span::secs(30),
            event_delay: Span::secs(1),
            lease: Span::secs(15),
        }
    }
}

/// Finds the first fault.
pub(super) fn check(section: &StoreSection) -> Result<(), Fault> {
    if let Some(url) = &section.url {
        if section.path.is_some() {
            return Err(Fault::new("store.url", "cannot be used beside store.path"));
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Fault::new("store.url", "has to begin with postgres://"));
        }
    }
    let connections = 1..=256;
    let counts: [(&'static str, usize, RangeInclusive<usize>); 3] = [
        ("store.writers", section.writers, connections.clone()),
        ("store.readers", section.readers.unwrap_or(1), connections),
        ("store.group", section.group.unwrap_or(1), 1..=4_096),
    ];
    for (key, count, allowed) in counts {
        if !allowed.contains(&count) {
            return Err(Fault::new(key, format!("has to be {} to {}", allowed.start(), allowed.end())));
        }
    }
    for (key, span) in [
        ("store.connect_timeout", section.connect_timeout),
        ("store.statement_timeout", section.statement_timeout),
    ] {
        if span < Span::secs(1) {
            return Err(Fault::new(key, "has to be one second or more"));
        }
    }
    if section.lease < Span::secs(3) {
        return Err(Fault::new("store.lease", "has to be three seconds or more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_found_at_the_edges() {
        let section = |change: fn(&mut StoreSection)| {
            let mut section = StoreSection::default();
            change(&mut section);
            check(&section).map_err(|fault| fault.problem)
        };
        assert!(section(|_| {}).is_ok());
        assert!(section(|it| it.writers = 256).is_ok() && section(|it| it.writers = 257).is_err());
        assert!(section(|it| it.readers = Some(1)).is_ok() && section(|it| it.readers = Some(0)).is_err());
        assert!(
            section(|it| it.group = Some(4_096)).is_ok() && section(|it| it.group = Some(4_097)).is_err()
        );
        assert!(section(|it| it.connect_timeout = Span::secs(0)).is_err());
        assert!(section(|it| it.statement_timeout = Span::secs(0)).is_err());
        assert!(
            section(|it| it.lease = Span::secs(3)).is_ok() && section(|it| it.lease = Span::secs(2)).is_err()
        );
        assert!(section(|it| it.url = Some("postgres://a/b".to_owned())).is_ok());
        assert!(section(|it| it.url = Some("mysql://a/b".to_owned())).is_err());
        assert!(
            section(|it| {
                it.url = Some("postgres://a/b".to_owned());
                it.path = Some(PathBuf::from("omadm.db"));
            })
            .is_err()
        );
    }
}
