//! The OBEX binding of DM 1.x, with the device on either end of the link (`DM 1.3 OBEX binding`).

use std::any::Any;
use std::time::Duration;

use omadm_auth::BasicCredentials;
use omadm_codec::obex::ResponseCode;
use omadm_link::{Event, Failure, LinkAddress, LinkError, ObexClient, ObexServer, Object, Settings};
use omadm_session::dm1::client::{HttpReply, Post};
use tokio::net::TcpStream;

use crate::error::TransportError;

/// Local links of a device.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Call servers over them whose address is one. Default no.
    pub call: bool,
    /// Use the scheme BASIC over them, where everyone on the way reads the password. Default no.
    pub basic: bool,
    /// What is spoken over them; the limit of objects and the credentials are those of the session.
    pub obex: Settings,
    /// How long it may take to connect. Default 10 s.
    pub connect_timeout: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            call: false,
            basic: false,
            obex: Settings::default(),
            connect_timeout: Duration::from_secs(10),
        }
    }
}

/// A link that a server has opened, over which it has put what it has to say and now asks for the device's first message.
pub struct ServedLink {
    link: ObexServer,
    from: String,
    place: Option<Place>,
}

/// What counts a link, given back when it is down.
type Place = Box<dyn Any + Send>;

impl ServedLink {
    /// With who is on the other end, as an address of OBEX.
    #[must_use]
    pub fn new(link: ObexServer, from: String) -> Self {
        Self { link, from, place: None }
    }

    /// Keeps something, such as one of so many places for links, until the link is down: the session, or the refusal, is not the end of it.
    #[must_use]
    pub fn keeping(self, place: impl Any + Send) -> Self {
        Self { place: Some(Box::new(place)), ..self }
    }

    /// Tells the other side that it is not wanted (0xC3).
    pub fn refuse(self) {
        self.link.decline(ResponseCode::FORBIDDEN);
        drain(self.link, self.place);
    }

    pub(super) fn from(&self) -> &str {
        &self.from
    }
}

/// Messages of one session over a link that the device opens.
pub(in crate::dm1) struct Dialled {
    to: LinkAddress,
    settings: Settings,
    connect_timeout: Duration,
    /// Once it is up.
    link: Option<ObexClient<TcpStream>>,
}

impl Dialled {
    pub(super) fn new(
        to: LinkAddress,
        config: &LinkConfig,
        credentials: Option<BasicCredentials>,
        limit: usize,
    ) -> Self {
        let settings = Settings { credentials, max_object: limit, ..config.obex.clone() };
        Self { to, settings, connect_timeout: config.connect_timeout, link: None }
    }

    /// Puts a message and gets the answer. After a failure the link is not used any more, and the next message begins with a new one.
    pub(super) async fn post(&mut self, post: Post) -> Result<HttpReply, TransportError> {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => self.dial().await.map_err(|error| self.failed(&error))?,
        };
        let reply = match exchange(&mut link, post).await {
            Ok(object) => reply(object),
            Err(LinkError::Obex(Failure::Refused { code, .. })) => {
                HttpReply { status: code.to_http().unwrap_or(500), ..HttpReply::default() }
            }
            Err(error) => return Err(self.failed(&error)),
        };
        for tolerance in link.tolerated() {
            tracing::info!(to = %self.to, %tolerance, "tolerated");
        }
        self.link = Some(link);
        Ok(reply)
    }

    async fn dial(&self) -> Result<ObexClient<TcpStream>, LinkError> {
        let stream = omadm_link::connect(&self.to, self.connect_timeout).await?;
        ObexClient::connect(stream, self.settings.clone()).await
    }

    /// Whether it may do another time, which a link that is down may, and one on which something else is spoken not.
    fn failed(&self, error: &LinkError) -> TransportError {
        let (host, reason) = (self.to.to_string(), error.to_string());
        match error {
            LinkError::Obex(Failure::Silent { .. }) | LinkError::Io(_) => {
                TransportError::Failed { host, reason }
            }
            _ => TransportError::LinkGone { host, reason },
        }
    }

    /// Ends the link.
    pub(super) async fn close(self) {
        let Some(link) = self.link else { return };
        if let Err(error) = link.disconnect().await {
            tracing::debug!(to = %self.to, %error, "the link broke instead of ending");
        }
    }
}

async fn exchange(link: &mut ObexClient<TcpStream>, post: Post) -> Result<Object, LinkError> {
    let wanted = post.content_type;
    link.put(object(post)).await?;
    link.get(wanted).await
}

/// Messages of one session over a link that the server has opened.
pub(in crate::dm1) struct Served {
    link: ObexServer,
    from: String,
    place: Option<Place>,
}

impl Served {
    pub(super) fn new(ServedLink { link, from, place }: ServedLink) -> Self {
        Self { link, from, place }
    }

    /// Has a message got, and takes the answer that is put.
    pub(super) async fn post(&mut self, post: Post) -> Result<HttpReply, TransportError> {
        self.link.answer(object(post));
        loop {
            match self.link.event().await {
                Some(Event::Put(object)) => return Ok(reply(object)),
                Some(Event::Tolerated(tolerance)) => {
                    tracing::info!(from = self.from, %tolerance, "tolerated")
                }
                Some(Event::Aborted | Event::Connected { .. }) => return Err(self.gone("it was aborted")),
                Some(Event::Over(Some(failure))) => return Err(self.gone(&failure.to_string())),
                Some(Event::Over(None)) | None => return Err(self.gone("the server has disconnected")),
                Some(Event::Get | Event::Answered | Event::Transmit(_)) => {}
            }
        }
    }

    fn gone(&self, reason: &str) -> TransportError {
        TransportError::LinkGone { host: self.from.clone(), reason: reason.to_owned() }
    }

    /// Says that there is nothing more to get, as long as the server keeps the link.
    pub(super) fn close(self) {
        self.link.finish();
        drain(self.link, self.place);
    }
}

/// Keeps a link for as long as the other side does, and takes nothing more.
fn drain(mut link: ObexServer, place: Option<Place>) {
    tokio::spawn(async move {
        let _place = place;
        while let Some(event) = link.event().await {
            if matches!(event, Event::Put(_)) {
                link.decline(ResponseCode::SERVICE_UNAVAILABLE);
            }
        }
    });
}

fn object(post: Post) -> Object {
    Object { media_type: Some(post.content_type.to_owned()), hmac: post.hmac, body: post.body }
}

fn reply(object: Object) -> HttpReply {
    HttpReply { status: 200, content_type: object.media_type, hmac: object.hmac, body: object.body }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_link_that_is_refused_keeps_its_place_until_the_other_side_lets_it_go() {
        let places = Arc::new(Semaphore::new(1));
        let (theirs, ours) = tokio::io::duplex(1 << 10);
        let link =
            ServedLink::new(ObexServer::serve(ours, Settings::default(), [7; 16]), "obex:x".to_owned());
        link.keeping(places.clone().try_acquire_owned().unwrap()).refuse();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(places.available_permits(), 0, "who does not go takes up a place");
        drop(theirs);
        drop(places.acquire().await.unwrap());
    }
}
