//! Local links that come in: a server puts what it has to say by OBEX, and may have its session over the same link
//! (`DM 1.3 OBEX binding`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use omadm_client::dm1::ServedLink;
use omadm_client::{PushContent, PushOrigin};
use omadm_link::{Accepted, Event, LinkListener, ObexServer, Object, PUSHES, Settings};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::config::Config;

/// Pause after a link that could not be accepted, such as for too many open files.
const REST: Duration = Duration::from_secs(2);

/// Where local links come in.
pub struct Links {
    /// `None` when none can come.
    deliveries: Option<mpsc::Receiver<Delivery>>,
}

/// What was put over a link.
pub struct Delivery {
    pub content: PushContent,
    /// The link, if the server waits at it for the first message of a session.
    pub link: Option<ServedLink>,
}

impl Links {
    /// Listens if the configuration says so. What is in the way is told: there are other ways to a session.
    pub async fn start(config: &Config) -> Self {
        match listen(config).await {
            Ok(deliveries) => Self { deliveries },
            Err(error) => {
                tracing::error!("cannot listen for local links (dm1.obex.listen): {error}");
                Self { deliveries: None }
            }
        }
    }

    /// Waits for the next delivery.
    pub async fn delivery(&mut self) -> Delivery {
        if let Some(deliveries) = &mut self.deliveries
            && let Some(delivery) = deliveries.recv().await
        {
            return delivery;
        }
        std::future::pending().await
    }
}

async fn listen(config: &Config) -> std::io::Result<Option<mpsc::Receiver<Delivery>>> {
    let section = &config.dm1.obex;
    let Some(address) = section.listen else { return Ok(None) };
    let settings = Settings {
        credentials: section.credentials()?,
        accepts: PUSHES,
        ..section.settings(config.dm1.max_message.0, config.session.strict)
    };
    let listener = LinkListener::bind(address).await?;
    let at = listener.local().map_or_else(|| address.to_string(), |local| local.to_string());
    tracing::warn!(
        address = at,
        "listening for local links: OBEX is not encrypted, and everyone on the way reads along"
    );
    // While one is decided on, another can wait.
    let (deliveries, received) = mpsc::channel(1);
    tokio::spawn(accept(listener, settings, section.max_connections, deliveries));
    Ok(Some(received))
}

async fn accept(listener: LinkListener, settings: Settings, most: usize, deliveries: mpsc::Sender<Delivery>) {
    let slots = Arc::new(Semaphore::new(most));
    while let Ok(slot) = slots.clone().acquire_owned().await {
        match listener.accept().await {
            Ok(accepted) => {
                tokio::spawn(converse(accepted, settings.clone(), deliveries.clone(), slot));
            }
            Err(error) => {
                tracing::warn!("a link could not be accepted: {error}");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Hears a server until it either asks for a message or goes: only then is it clear where the session will be.
async fn converse(
    accepted: Accepted,
    settings: Settings,
    deliveries: mpsc::Sender<Delivery>,
    slot: OwnedSemaphorePermit,
) {
    let Accepted { stream, peer } = accepted;
    let mut nonce = [0; 16];
    if getrandom::fill(&mut nonce).is_err() {
        return;
    }
    let mut link = ObexServer::serve(stream, settings, nonce);
    let mut put: Option<PushContent> = None;
    while let Some(event) = link.event().await {
        match event {
            Event::Put(object) => put = Some(content(object, &peer.to_string())),
            Event::Get => {
                let Some(content) = put.take() else { continue };
                let link = ServedLink::new(link, format!("obex:{peer}")).keeping(slot);
                // An agent that ends takes nothing more.
                let _sent = deliveries.send(Delivery { content, link: Some(link) }).await;
                return;
            }
            Event::Aborted => put = None,
            Event::Tolerated(tolerance) => tracing::info!(%peer, %tolerance, "tolerated"),
            Event::Over(Some(failure)) => tracing::info!(%peer, "a link ended: {failure}"),
            Event::Over(None) | Event::Connected { .. } | Event::Answered | Event::Transmit(_) => {}
        }
    }
    if let Some(content) = put {
        let _sent = deliveries.send(Delivery { content, link: None }).await;
    }
}

/// What was put. A server that proves itself when it connects proves nothing of what comes over the link later, which is not encrypted.
fn content(object: Object, peer: &str) -> PushContent {
    let via = PushOrigin { by: format!("OBEX from {peer}"), authenticated: false, sent: None };
    PushContent {
        content_type: object.media_type.unwrap_or_default(),
        application: None,
        hmac: object.hmac,
        body: Bytes::from_owner(object.body),
        via,
    }
}
