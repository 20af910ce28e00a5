//! Alerts for servers of DM 1.x, kept until the server has them (`DM 1.3 PROTO §6.7`).

use omadm_mo::{Format, ServerId, Value};
use omadm_session::dm1::client::{AlertId, DeviceAlert};

use super::Mark;
use super::account::Accounts as _;
use crate::device::Device;
use crate::error::{ClientError, PersistError};
use crate::persistence::Batch;
use crate::text;

/// How the keys of the entries begin; a number follows, the lowest is the oldest.
const PREFIX: &str = "dm1/alert/";
/// How often an alert is offered that the server refuses.
const ATTEMPTS: u32 = 2;

/// A Generic Alert (1226), or a Client Event (1224) where the server speaks 1.1.
#[derive(Clone, Debug, PartialEq)]
pub struct GenericAlert {
    /// `Type`: a URN or a media type.
    pub alert_type: String,
    /// `Mark`.
    pub mark: Mark,
    /// `Source/LocURI`: the management object that it is about, such as `./FwUpdate/1`.
    pub source: Option<String>,
    /// `Target/LocURI`: what came of it, for management objects that define that.
    pub target: Option<String>,
    /// `Correlator` of the Exec whose end it tells.
    pub correlator: Option<String>,
    /// `Format`, that of a leaf.
    pub format: Format,
    /// `Data`, which fits the format.
    pub data: Value,
}

impl GenericAlert {
    /// An informational alert with text.
    #[must_use]
    pub fn new(alert_type: impl Into<String>, data: impl Into<String>) -> Self {
        Self {
            alert_type: alert_type.into(),
            mark: Mark::default(),
            source: None,
            target: None,
            correlator: None,
            format: Format::Chr,
            data: Value::Text(data.into()),
        }
    }
}

/// An alert as it is kept.
pub(super) struct Kept {
    pub(super) server: String,
    pub(super) alert: GenericAlert,
    /// How often it was sent in vain.
    pub(super) attempts: u32,
}

impl Kept {
    pub(super) fn write(&self) -> String {
        let Self { server, alert, attempts } = self;
        let (attempts, data) = (attempts.to_string(), alert.data.to_text());
        text::join([
            Some(server.as_str()),
            Some(&attempts),
            Some(&alert.alert_type),
            Some(alert.mark.as_str()),
            alert.source.as_deref(),
            alert.target.as_deref(),
            alert.correlator.as_deref(),
            Some(alert.format.as_str()),
            Some(&data),
        ])
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let fields: [Option<String>; 9] = text::split(line)?.try_into().ok()?;
        let [server, attempts, alert_type, mark, source, target, correlator, format, data] = fields;
        let format = Format::parse(&format?)?;
        let data = Value::from_text(format, &data?).ok()?;
        let mark = Mark::parse(&mark?)?;
        let alert_type = alert_type?;
        let alert = GenericAlert { alert_type, mark, source, target, correlator, format, data };
        Some(Self { server: server?, alert, attempts: attempts?.parse().ok()? })
    }
}

/// The server of an entry, if it is one of these.
pub(super) fn server(key: &str, line: &str) -> Option<String> {
    key.starts_with(PREFIX).then(|| Kept::read(line))?.map(|kept| kept.server)
}

fn key(id: AlertId) -> String {
    format!("{PREFIX}{id:020}")
}

impl Device {
    /// Keeps an alert for the next session with a server of DM 1.x, durably.
    ///
    /// # Errors
    /// [`ClientError::NoAccount`], [`ClientError::OutboxFull`] and [`ClientError::Persist`].
    pub fn raise_dm1_alert(&mut self, server: &ServerId, alert: GenericAlert) -> Result<(), ClientError> {
        if self.tree.dm1_account(server).is_none() {
            return Err(ClientError::NoAccount {
                server: server.clone(),
                reason: "there is none for DM 1.x",
            });
        }
        if self.dm1_alerts(server).len() >= self.config.outbox {
            return Err(ClientError::OutboxFull { server: server.clone(), limit: self.config.outbox });
        }
        let (_, entry) = self.alert_entry(server, alert);
        Ok(self.append(&Batch { nodes: Vec::new(), entries: vec![entry] })?)
    }

    /// Undelivered alerts, oldest first.
    #[must_use]
    pub fn dm1_alerts(&self, server: &ServerId) -> Vec<GenericAlert> {
        self.kept_alerts(server).map(|(_, kept)| kept.alert).collect()
    }

    /// The entry that keeps a new alert, with its number. Numbers are not used twice while the device runs.
    pub(super) fn alert_entry(
        &mut self,
        server: &ServerId,
        alert: GenericAlert,
    ) -> (AlertId, (String, Option<String>)) {
        let id = self.dm1.next_alert.max(self.last_alert().map_or(0, |last| last.saturating_add(1)));
        self.dm1.next_alert = id.saturating_add(1);
        let kept = Kept { server: server.to_string(), alert, attempts: 0 };
        (id, (key(id), Some(kept.write())))
    }

    /// What a session has to say from the start.
    pub(super) fn offered(&self, server: &ServerId) -> Vec<DeviceAlert> {
        self.kept_alerts(server).map(|(id, kept)| to_engine(id, kept.alert)).collect()
    }

    /// Takes note of what the server made of an alert: it has it, or it will not have it.
    pub(super) fn alert_answered(&mut self, id: AlertId, status: u16) -> Result<(), PersistError> {
        let key = key(id);
        let Some(mut kept) = self.entries.get(&key).and_then(|line| Kept::read(line)) else { return Ok(()) };
        kept.attempts = kept.attempts.saturating_add(1);
        let entry = if (200..300).contains(&status) {
            None
        } else if kept.attempts >= ATTEMPTS {
            tracing::warn!(
                server = kept.server,
                alert = kept.alert.alert_type,
                status,
                "the server will not have an alert; it is dropped"
            );
            None
        } else {
            Some(kept.write())
        };
        self.append(&Batch { nodes: Vec::new(), entries: vec![(key, entry)] })
    }

    fn last_alert(&self) -> Option<AlertId> {
        let all = self.entries.range(PREFIX.to_owned()..).take_while(|(key, _)| key.starts_with(PREFIX));
        all.last().and_then(|(key, _)| key.strip_prefix(PREFIX)?.parse().ok())
    }

    fn kept_alerts(&self, server: &ServerId) -> impl Iterator<Item = (AlertId, Kept)> {
        let all = self.entries.range(PREFIX.to_owned()..).take_while(|(key, _)| key.starts_with(PREFIX));
        all.filter_map(move |(key, line)| {
            let kept = Kept::read(line).filter(|kept| kept.server == server.as_str())?;
            Some((key.strip_prefix(PREFIX)?.parse().ok()?, kept))
        })
    }
}

/// An alert as the engine takes it.
pub(super) fn to_engine(id: AlertId, alert: GenericAlert) -> DeviceAlert {
    let GenericAlert { alert_type, mark, source, target, correlator, format, data } = alert;
    DeviceAlert { id, generic: true, correlator, source, target, alert_type, mark: Some(mark), format, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_kept_as_it_is() {
        let plain = GenericAlert::new("urn:oma:at:x:1.0", "a\nb");
        let full = GenericAlert {
            mark: Mark::Fatal,
            source: Some("./A B".to_owned()),
            target: Some(String::new()),
            correlator: Some("c%".to_owned()),
            format: Format::Bin,
            data: Value::Bytes(vec![0, 255]),
            ..plain.clone()
        };
        for alert in [plain, full] {
            let kept = Kept { server: "s 1".to_owned(), alert: alert.clone(), attempts: 1 };
            let read = Kept::read(&kept.write()).unwrap();
            assert_eq!((read.server.as_str(), read.alert, read.attempts), ("s 1", alert, 1));
        }
        assert!(Kept::read("+s +0").is_none());
    }
}
