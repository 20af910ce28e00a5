//! Reports to servers of DM 1.x without a session (`DM 1.3 Sessionless Reporting §5.1`), kept until a server has them. One that stays away is
//! tried again after pauses that grow; all but the form of the message is [choice].

use std::time::Duration;

use omadm_mo::{DeviceId, ServerId};
use omadm_session::dm1::client::{UserInteraction, report};
use tokio::time::Instant;

use super::GenericAlert;
use super::account::{Account, Accounts as _};
use super::alerts::{Kept, to_engine};
use super::binding::{Binding, Carrier, Way};
use super::link::Link;
use super::session::{engine_config, limit};
use crate::client::Client;
use crate::device::Device;
use crate::error::{ClientError, PersistError};
use crate::exchange::Exchange;
use crate::persistence::Batch;
use crate::transport::Transport;

/// How the keys of the entries begin; the `MsgID` follows, so that the lowest is the oldest.
const PREFIX: &str = "dm1/report/";
/// Entry with the `MsgID` given last: none is used twice.
const LAST: &str = "dm1/reported";
/// How often a report is sent: for a week.
const ATTEMPTS: u32 = 36;
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3_600);
/// Most octets of a report's data: it goes in one message, whatever the server takes.
const MAX_DATA: usize = 48 << 10;

/// The server of an entry, if it is one of these.
pub(super) fn server(key: &str, line: &str) -> Option<String> {
    key.starts_with(PREFIX).then(|| Kept::read(line))?.map(|kept| kept.server)
}

fn key(number: u32) -> String {
    format!("{PREFIX}{number:010}")
}

/// The pause after so many attempts.
fn pause(attempts: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

impl Device {
    /// Keeps an alert that goes to a server of DM 1.3 without a session, durably.
    ///
    /// # Errors
    /// [`ClientError::NoAccount`], [`ClientError::OutboxFull`], [`ClientError::Account`] for data of more than 48 KiB, and
    /// [`ClientError::Persist`].
    pub fn report_dm1(&mut self, server: &ServerId, alert: GenericAlert) -> Result<(), ClientError> {
        if self.tree.dm1_account(server).is_none() {
            let reason = "there is none for DM 1.x";
            return Err(ClientError::NoAccount { server: server.clone(), reason });
        }
        if alert.data.to_text().len() > MAX_DATA {
            let reason =
                format!("a report holds {MAX_DATA} octets at most; raise an alert for the next session");
            return Err(ClientError::Account { server: server.to_string(), reason });
        }
        let waiting = self.reports().filter(|(_, kept)| kept.server == server.as_str()).count();
        if waiting >= self.config.outbox {
            return Err(ClientError::OutboxFull { server: server.clone(), limit: self.config.outbox });
        }
        let last: u32 = self.entries.get(LAST).and_then(|last| last.parse().ok()).unwrap_or(0);
        let number = last.saturating_add(1);
        let kept = Kept { server: server.to_string(), alert, attempts: 0 };
        let entries = vec![(LAST.to_owned(), Some(number.to_string())), (key(number), Some(kept.write()))];
        self.append(&Batch { nodes: Vec::new(), entries })?;
        self.dm1.reports_due = None;
        Ok(())
    }

    /// How many reports wait for a server.
    #[must_use]
    pub fn dm1_reports(&self, server: &ServerId) -> usize {
        self.reports().filter(|(_, kept)| kept.server == server.as_str()).count()
    }

    /// When reports are to be sent; `None` if there are none.
    #[must_use]
    pub fn next_dm1_report(&self) -> Option<Instant> {
        let waits = self.reports().next().is_some();
        waits.then(|| self.dm1.reports_due.unwrap_or_else(Instant::now))
    }

    fn reports(&self) -> impl Iterator<Item = (u32, Kept)> {
        let all = self.entries.range(PREFIX.to_owned()..).take_while(|(key, _)| key.starts_with(PREFIX));
        all.filter_map(|(key, line)| Some((key.strip_prefix(PREFIX)?.parse().ok()?, Kept::read(line)?)))
    }

    /// Takes note of what became of a report; gives the pause before the next try, if there is one.
    fn report_sent(
        &mut self,
        number: u32,
        mut kept: Kept,
        outcome: Result<(), String>,
    ) -> Result<Option<Duration>, PersistError> {
        kept.attempts = kept.attempts.saturating_add(1);
        let (entry, wait) = match outcome {
            Ok(()) => (None, None),
            Err(reason) if kept.attempts >= ATTEMPTS => {
                tracing::warn!(
                    server = kept.server,
                    alert = kept.alert.alert_type,
                    reason,
                    "a report is lost"
                );
                (None, None)
            }
            Err(reason) => {
                tracing::info!(server = kept.server, reason, "a report waits");
                (Some(kept.write()), Some(pause(kept.attempts)))
            }
        };
        self.append(&Batch { nodes: Vec::new(), entries: vec![(key(number), entry)] })?;
        Ok(wait)
    }
}

impl<T: Transport> Client<T> {
    /// Sends the reports that wait, the oldest first. After one that a server did not take no other goes to it this time.
    ///
    /// # Errors
    /// [`ClientError::NoDeviceId`], and [`ClientError::Persist`] when it cannot be kept what is done.
    pub async fn send_dm1_reports(&mut self) -> Result<(), ClientError> {
        let device_id = self.device.dm1_device_id().ok_or(ClientError::NoDeviceId)?;
        let (mut away, mut waits) = (Vec::new(), Vec::new());
        let waiting: Vec<(u32, Kept)> = self.device.reports().collect();
        for (number, kept) in waiting {
            if away.contains(&kept.server) {
                continue;
            }
            let outcome = self.post_report(&device_id, number, &kept).await;
            if outcome.is_err() {
                away.push(kept.server.clone());
            }
            waits.extend(self.device.report_sent(number, kept, outcome)?);
        }
        self.device.dm1.reports_due = waits.into_iter().min().map(|wait| Instant::now() + wait);
        Ok(())
    }

    /// Sends one report to the first address of its server.
    async fn post_report(&mut self, device_id: &DeviceId, number: u32, kept: &Kept) -> Result<(), String> {
        let Self { config, device, transport, pushed, .. } = self;
        let server = ServerId::parse(&kept.server).map_err(|error| error.to_string())?;
        let account = Account::read(device.tree(), &server).map_err(|error| error.to_string())?;
        let link = Link::of(&device.entries, &server);
        let mut engine = engine_config(config, device, device_id, &link, UserInteraction::NONE);
        let wsp = config.dm1.wsp.as_ref().filter(|wsp| wsp.serves(&server));
        if let Some(wsp) = wsp {
            wsp.suit(&mut engine, config.basic_without_tls);
        }
        let carrier = Carrier::new(transport, wsp, limit(config.dm1.max_message));
        let peer = account.peer(&account.engine.uri);
        let exchange = peer.as_ref().map(|peer| Exchange::new(&carrier, config, peer, device_id));
        let mut binding = Binding::open(Way::To(&account.engine.uri), exchange, &account, config)?;
        let message = report(&engine, &account.engine, number, &to_engine(number.into(), kept.alert.clone()));
        let reply = binding.post(message).await;
        binding.close().await;
        pushed.extend(carrier.close().await);
        match reply.map_err(|error| error.to_string())?.status {
            200..=299 => Ok(()),
            status => Err(format!("the server answers {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_six_hours_and_a_report_is_tried_for_a_week() {
        assert_eq!([1, 2, 9].map(|attempts| pause(attempts).as_secs()), [60, 120, 15_360]);
        assert_eq!([10, 36, u32::MAX].map(pause), [LONGEST_PAUSE; 3]);
        let all: Duration = (1..ATTEMPTS).map(pause).sum();
        assert!((6..=7).contains(&(all.as_secs() / 86_400)), "{all:?}");
    }

    #[test]
    fn entries_are_in_the_order_of_their_numbers() {
        assert!(key(9) < key(10) && key(10) < key(u32::MAX));
    }
}
