//! Notifications on their way to a session: what came, and what waits for a connection that its server prefers.

use std::time::Duration;

use omadm_client::notification::{Choice, Connection, choose};
use omadm_client::{Client, Ignored, Notifications, Pushed, Received, Wake};
use tokio::time::Instant;

use crate::bearer::{Bearer, Networks};
use crate::config::NotificationSection;

/// How often it is looked whether a preferred connection has come up.
const LOOK: Duration = Duration::from_secs(10);
/// After how long a server is answered no more.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// The notifications of this device.
pub struct Calls {
    notifications: Notifications,
    networks: Networks,
    /// The last call of each server, and until when it is answered.
    waiting: Vec<(Wake, Instant)>,
    /// When to look next.
    due: Option<Instant>,
    /// A bootstrap that came in a push.
    bootstrap: Option<Received>,
}

impl Calls {
    /// Listens if the configuration says so. An address that cannot be listened on is told: there are other ways to a session.
    pub async fn start(settings: &NotificationSection, networks: Networks) -> Self {
        let mut notifications = Notifications::new(settings.to_notifications());
        if settings.enabled {
            match notifications.listen(settings.listen).await {
                Ok(address) => tracing::info!(%address, "listening for notifications"),
                Err(error) => {
                    let address = settings.listen;
                    tracing::error!(%address, "cannot listen for notifications (notification.listen): {error}");
                }
            }
        }
        Self { notifications, networks, waiting: Vec::new(), due: None, bootstrap: None }
    }

    /// Waits for a datagram.
    pub async fn datagram(&mut self) -> Vec<u8> {
        self.notifications.datagram().await
    }

    /// Takes a push PDU.
    pub fn push(&mut self, client: &mut Client, octets: &[u8]) -> Result<(), Ignored> {
        let outcome = self.notifications.push(client.device_mut(), octets).map(Some);
        self.take(outcome)
    }

    /// Takes a short message.
    pub fn short_message(&mut self, client: &mut Client, tpdu: &[u8]) -> Result<(), Ignored> {
        let outcome = self.notifications.short_message(client.device_mut(), tpdu);
        self.take(outcome)
    }

    /// Takes the data of a cloud message.
    pub fn cloud_message(&mut self, client: &mut Client, data: &[u8]) -> Result<(), Ignored> {
        let outcome = self.notifications.cloud_message(client.device_mut(), data);
        self.take(outcome.map(|wake| Some(Pushed::Wake(wake))))
    }

    /// Takes out the bootstrap that came last.
    pub fn bootstrap(&mut self) -> Option<Received> {
        self.bootstrap.take()
    }

    /// Tells that a bootstrap was not installed, as often as is bearable: anybody can send one that is none.
    pub fn tell(&mut self, why: &Ignored) {
        self.notifications.tell(why);
    }

    fn take(&mut self, outcome: Result<Option<Pushed>, Ignored>) -> Result<(), Ignored> {
        match outcome {
            Ok(Some(Pushed::Bootstrap(received))) => {
                self.bootstrap = Some(received);
                Ok(())
            }
            Ok(Some(Pushed::Wake(wake))) => {
                tracing::info!(server = %wake.server, id = wake.id, "notified");
                // One session serves all calls of a server.
                self.waiting.retain(|(waiting, _)| waiting.server != wake.server);
                self.waiting.push((wake, Instant::now() + PATIENCE));
                self.due = Some(Instant::now());
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(why) => {
                self.notifications.tell(&why);
                Err(why)
            }
        }
    }

    /// When a call may be answered.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The calls that can be answered over the present connection; the others wait.
    pub fn ready(&mut self) -> Vec<Wake> {
        let now = Instant::now();
        let available = available(self.networks.to(None).0);
        let waiting = std::mem::take(&mut self.waiting);
        let mut ready = Vec::new();
        for (wake, until) in waiting.into_iter().filter(|(_, until)| now < *until) {
            let choice = available.map_or(Choice::Any, |available| choose(&wake.connections, &[available]));
            if choice == Choice::Wait {
                tracing::info!(server = %wake.server, "a session waits for a connection that its server prefers");
                self.waiting.push((wake, until));
            } else {
                ready.push(wake);
            }
        }
        self.due = (!self.waiting.is_empty()).then(|| now + LOOK);
        ready
    }
}

/// The connection of the default route; `None` when nobody knows what it is.
fn available(bearer: Bearer) -> Option<Connection> {
    match bearer {
        Bearer::Other => None,
        Bearer::Mobile => Some(Connection::Cellular),
        Bearer::Wireless => Some(Connection::Wlan),
        Bearer::Wireline => Some(Connection::Wireline),
    }
}
