//! Notifications on their way to a session: what came, and what waits for a connection that its server prefers.

use std::time::Duration;

use omadm_client::dm1::{Dm1Wake, Note, SessionReport, bootstrap};
use omadm_client::notification::{Choice, Connection, choose};
use omadm_client::{Client, Ignored, Notifications, PushContent, Pushed, Received, Wake};
use omadm_mo::ServerId;
use tokio::time::Instant;

use crate::bearer::{Bearer, Networks};
use crate::config::NotificationSection;

/// How often it is looked whether a preferred connection has come up.
const LOOK: Duration = Duration::from_secs(10);
/// After how long a server is answered no more.
const PATIENCE: Duration = Duration::from_secs(86_400);

/// The first pause after a session of DM 1.x that did not come about; each is twice as long as the one before, up to an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// The notifications of this device.
pub struct Calls {
    notifications: Notifications,
    networks: Networks,
    /// The last call of each server in each protocol.
    waiting: Vec<Waiting>,
    /// When to look next.
    due: Option<Instant>,
    /// A bootstrap that came in a push.
    bootstrap: Option<Received>,
    /// The same, of DM 1.x.
    provisioning: Option<bootstrap::Received>,
    /// A Push Proxy Gateway asks for a connection.
    contact: Option<PushContent>,
}

/// A server asks for a session.
#[derive(Clone)]
pub enum Call {
    /// Of DM 2.0.
    Dm2(Wake),
    /// Of DM 1.x.
    Dm1(Dm1Wake),
}

impl Call {
    pub fn server(&self) -> &ServerId {
        match self {
            Self::Dm2(wake) => &wake.server,
            Self::Dm1(wake) => &wake.server,
        }
    }

    /// Whether one session serves both.
    fn is_served_with(&self, other: &Self) -> bool {
        let same_protocol =
            matches!((self, other), (Self::Dm2(_), Self::Dm2(_)) | (Self::Dm1(_), Self::Dm1(_)));
        same_protocol && self.server() == other.server()
    }
}

/// A call that waits.
struct Waiting {
    call: Call,
    /// When it may be answered.
    from: Instant,
    /// Until when.
    until: Instant,
    /// The pause before it is answered again, should that fail.
    pause: Duration,
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
        Self {
            notifications,
            networks,
            waiting: Vec::new(),
            due: None,
            bootstrap: None,
            provisioning: None,
            contact: None,
        }
    }

    /// Waits for a datagram.
    pub async fn datagram(&mut self) -> Vec<u8> {
        self.notifications.datagram().await
    }

    /// Takes a push PDU.
    pub fn push(&mut self, client: &mut Client, octets: &[u8]) -> Result<(), Ignored> {
        let outcome = self.notifications.push(client.device_mut(), octets).map(Some);
        self.take(client, outcome)
    }

    /// Takes what a push brings, by another transport.
    pub fn content(&mut self, client: &mut Client, content: PushContent) -> Result<(), Ignored> {
        let outcome = self.notifications.content(client.device_mut(), content).map(Some);
        self.take(client, outcome)
    }

    /// Takes what came over a link at which a server waits for a session of DM 1.x, and gives the call for it. Anything else is taken as
    /// [`Calls::content`] takes it.
    pub fn called_over(&mut self, client: &mut Client, content: PushContent) -> Option<Dm1Wake> {
        let outcome = self.notifications.content(client.device_mut(), content).map(Some);
        if let Ok(Some(Pushed::Dm1(wake))) = outcome {
            return Some(wake);
        }
        // Why it was ignored is told already.
        let _ignored = self.take(client, outcome);
        None
    }

    /// Takes a short message.
    pub fn short_message(&mut self, client: &mut Client, tpdu: &[u8]) -> Result<(), Ignored> {
        let outcome = self.notifications.short_message(client.device_mut(), tpdu);
        self.take(client, outcome)
    }

    /// Takes the data of a cloud message.
    pub fn cloud_message(&mut self, client: &mut Client, data: &[u8]) -> Result<(), Ignored> {
        let outcome = self.notifications.cloud_message(client.device_mut(), data);
        self.take(client, outcome.map(Some))
    }

    /// Takes out the bootstrap that came last.
    pub fn bootstrap(&mut self) -> Option<Received> {
        self.bootstrap.take()
    }

    /// Takes out the bootstrap of DM 1.x that came last.
    pub fn provisioning(&mut self) -> Option<bootstrap::Received> {
        self.provisioning.take()
    }

    /// Takes out the request of a Push Proxy Gateway for a connection.
    pub fn contact(&mut self) -> Option<PushContent> {
        self.contact.take()
    }

    /// Tells that a bootstrap was not installed, as often as is bearable: anybody can send one that is none.
    pub fn tell(&mut self, why: &Ignored) {
        self.notifications.tell(why);
    }

    fn take(&mut self, client: &mut Client, outcome: Result<Option<Pushed>, Ignored>) -> Result<(), Ignored> {
        match outcome.inspect_err(|why| self.notifications.tell(why))? {
            None => {}
            Some(Pushed::Bootstrap(received)) => self.bootstrap = Some(received),
            Some(Pushed::Provisioning(received)) => self.provisioning = Some(received),
            Some(Pushed::Contact(request)) => self.contact = Some(request),
            Some(Pushed::Sessionless(content)) => {
                let report = client.carry_out_dm1(&content);
                tell_commands(&report.inspect_err(|why| self.notifications.tell(why))?);
            }
            Some(Pushed::Wake(wake)) => {
                tracing::info!(server = %wake.server, id = wake.id, "notified");
                self.wait(Call::Dm2(wake), PATIENCE);
            }
            Some(Pushed::Dm1(wake)) => {
                tracing::info!(server = %wake.server, session = format!("{:X}", wake.session_id), "notified");
                let patience = wake.timeout.map_or(PATIENCE, |timeout| timeout.min(PATIENCE));
                self.wait(Call::Dm1(wake), patience);
            }
        }
        Ok(())
    }

    /// Has a call answered, in place of others that one session serves as well.
    fn wait(&mut self, call: Call, patience: Duration) {
        let now = Instant::now();
        self.waiting.retain(|waiting| !waiting.call.is_served_with(&call));
        self.waiting.push(Waiting { call, from: now, until: now + patience, pause: FIRST_PAUSE });
        self.due = Some(now);
    }

    /// When a call may be answered.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The calls that can be answered over the present connection; the others wait.
    pub fn ready(&mut self) -> Vec<Ready> {
        let now = Instant::now();
        let available = available(self.networks.to(None).0);
        let waiting = std::mem::take(&mut self.waiting);
        let mut ready = Vec::new();
        for waiting in waiting.into_iter().filter(|waiting| now < waiting.until) {
            if now < waiting.from || !suits(&waiting.call, available) {
                self.waiting.push(waiting);
            } else {
                ready.push(Ready(waiting));
            }
        }
        self.look_again(now);
        ready
    }

    /// Has a call answered again after a while: nobody was reached.
    pub fn again(&mut self, Ready(waiting): Ready) {
        let now = Instant::now();
        let from = now + waiting.pause;
        if from < waiting.until && !self.waiting.iter().any(|other| other.call.is_served_with(&waiting.call))
        {
            self.waiting.push(Waiting { from, pause: (waiting.pause * 2).min(LONGEST_PAUSE), ..waiting });
            self.look_again(now);
        }
    }

    fn look_again(&mut self, now: Instant) {
        self.due = self.waiting.iter().map(|waiting| waiting.from.max(now + LOOK)).min();
    }
}

/// Tells what became of commands without a session: nobody else is told.
fn tell_commands(report: &SessionReport) {
    let server = &report.server;
    for note in &report.notes {
        if let Note::Answered { command, uri, status, reason } = note {
            tracing::info!(%server, command, uri, status, reason, "a command without a session");
        }
    }
}

/// A call that can be answered now.
pub struct Ready(Waiting);

impl Ready {
    pub fn call(&self) -> &Call {
        &self.0.call
    }
}

/// Whether a call can be answered over this connection. The servers of DM 1.x say only what they would like best.
fn suits(call: &Call, available: Option<Connection>) -> bool {
    let Call::Dm2(wake) = call else { return true };
    let choice = available.map_or(Choice::Any, |available| choose(&wake.connections, &[available]));
    if choice == Choice::Wait {
        tracing::info!(server = %wake.server, "a session waits for a connection that its server prefers");
    }
    choice != Choice::Wait
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
