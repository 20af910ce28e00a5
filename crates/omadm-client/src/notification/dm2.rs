//! Notifications of DM 2.0: whether they are to be followed (`DM 2.0 §5.2.1.2`), and the session that follows.

use std::time::Duration;

use omadm_auth::{NotificationCredentials, Secret};
use omadm_codec::Leniency;
use omadm_codec::dm2::notification::{Preference, Received};
use omadm_mo::{NodeRef, ServerId, Tree, Value};
use omadm_session::dm2::client::Trigger;

use super::{Ignored, NotificationConfig, limits};
use crate::client::Client;
use crate::device::Device;
use crate::error::ClientError;
use crate::persistence::{Batch, Entries};
use crate::session::SessionReport;
use crate::transport::Transport;

/// Longest notification in octets; one with a server identifier of 255 octets has some 400.
const MAX_NOTIFICATION: usize = 1_024;

/// Entry of the key/value area: the last NOTIFICATION-IDs of a server, the newest last.
pub(crate) const SEEN: &str = "notified/";

/// Forgets the numbers of a server: its account is new, and it counts anew.
pub(crate) fn forget(server: &ServerId) -> (String, Option<String>) {
    (key(server), None)
}

fn key(server: &ServerId) -> String {
    format!("{SEEN}{server}")
}

/// A server asks for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// With whom.
    pub server: ServerId,
    /// NOTIFICATION-ID, which the session names.
    pub id: Option<u16>,
    /// Package#1 has to list the supported MOs.
    pub send_mos: bool,
    /// Over which connections, the best first; see [`choose`](super::choose).
    pub connections: Preference,
}

impl<T: Transport> Client<T> {
    /// Runs the session that a notification asks for: with the alert that names it, and with the supported MOs if it asks for them
    /// (`DM 2.0 §5.2.2`).
    ///
    /// # Errors
    /// As [`Client::run_session`].
    pub async fn answer(&mut self, wake: &Wake) -> Result<SessionReport, ClientError> {
        self.session(&wake.server, Trigger::Notification(wake.id), None, wake.send_mos).await
    }
}

impl Device {
    /// Checks Package#0, and remembers its number, durably.
    pub(super) fn notified(&mut self, package: &[u8], config: &NotificationConfig) -> Result<Wake, Ignored> {
        let mut leniency = if self.config.strict { Leniency::strict() } else { Leniency::lenient() };
        let received = Received::decode(package, &limits(MAX_NOTIFICATION), &mut leniency)?;
        let server = sender(&self.tree, &received, config)?;
        self.check_time(received.notification.timestamp, config)?;
        if let Some(id) = received.notification.id {
            self.check_repetition(&server, id, config.remembered)?;
        }
        Ok(Wake {
            server,
            id: received.notification.id,
            send_mos: received.notification.request_mos,
            connections: received.notification.connections,
        })
    }

    fn check_time(&self, timestamp: Option<u64>, config: &NotificationConfig) -> Result<(), Ignored> {
        let Some(sent) = timestamp else { return Ok(()) };
        let now = u64::try_from(self.now().as_secs()).unwrap_or_default();
        let age = Duration::from_secs(now.saturating_sub(sent));
        let ahead = Duration::from_secs(sent.saturating_sub(now));
        if age >= config.max_age {
            return Err(Ignored::TooOld { seconds: age.as_secs() });
        }
        if ahead > config.max_skew {
            return Err(Ignored::FromTheFuture { seconds: ahead.as_secs() });
        }
        Ok(())
    }

    fn check_repetition(&mut self, server: &ServerId, id: u16, most: usize) -> Result<(), Ignored> {
        let mut seen = seen(&self.entries, server);
        if seen.contains(&id) {
            return Err(Ignored::Duplicate(id));
        }
        seen.push(id);
        let surplus = seen.len().saturating_sub(most.max(1));
        seen.drain(..surplus);
        let seen: Vec<String> = seen.iter().map(u16::to_string).collect();
        let entry = (key(server), Some(seen.join(" ")));
        Ok(self.append(&Batch { nodes: Vec::new(), entries: vec![entry] })?)
    }
}

fn seen(entries: &Entries, server: &ServerId) -> Vec<u16> {
    let list = entries.get(&key(server)).map_or("", String::as_str);
    list.split(' ').filter_map(|id| id.parse().ok()).collect()
}

/// The server that a notification is from, by its name and its proof.
fn sender(tree: &Tree, received: &Received<'_>, config: &NotificationConfig) -> Result<ServerId, Ignored> {
    let notification = &received.notification;
    let named = |server: &ServerId| notification.names(server).unwrap_or(true);
    let mut candidates = tree.accounts().filter(|(server, _)| named(server));
    if let Some(name) = &notification.server_id {
        let (server, account) =
            candidates.next().ok_or_else(|| Ignored::UnknownServer(name.as_str().to_owned()))?;
        proved(account, &server, received, config)?;
        return Ok(server);
    }
    if notification.digest.is_some() {
        // Who proves that he knows a secret is the one who has it.
        let proved = |(server, account)| proved(account, &server, received, config).is_ok().then_some(server);
        return candidates.find_map(proved).ok_or(Ignored::Nameless);
    }
    match (candidates.next(), candidates.next()) {
        (Some((server, account)), None) => {
            proved(account, &server, received, config)?;
            Ok(server)
        }
        _ => Err(Ignored::Nameless),
    }
}

/// Checks the proof that an account wants.
fn proved(
    account: NodeRef<'_>,
    server: &ServerId,
    received: &Received<'_>,
    config: &NotificationConfig,
) -> Result<(), Ignored> {
    let server = || server.clone();
    let noti = account.child("Auth").and_then(|auth| auth.child("Noti"));
    match (noti.and_then(credentials), &received.notification.digest) {
        (_, None) if noti.is_some() && config.require_digest => Err(Ignored::NoDigest(server())),
        (_, None) => Ok(()),
        (None, Some(_)) => Err(Ignored::NoSecret(server())),
        (Some(credentials), Some(digest)) => {
            let good = credentials.verify(&received.digest_input(), digest);
            good.then_some(()).ok_or_else(|| Ignored::WrongDigest(server()))
        }
    }
}

/// What `Auth/Noti` of an account holds for SHA256-DIGEST, which is its type 0 (`DM 2.0 §12.2`).
fn credentials(noti: NodeRef<'_>) -> Option<NotificationCredentials> {
    let octets = |name| match noti.child(name)?.value()? {
        Value::Bytes(octets) => Some(Secret::new(octets.clone())),
        Value::Text(text) => Some(Secret::new(text.clone().into_bytes())),
        _ => None,
    };
    let other = noti.child("Type").and_then(|kind| kind.value()).is_some_and(|kind| *kind != Value::Int(0));
    let secret = octets("Secret").filter(|_| !other)?;
    NotificationCredentials::new(secret, octets("Data").unwrap_or_else(|| Secret::new(Vec::new())))
}
