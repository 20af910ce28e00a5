//! What carries the messages of a DM 1.x session: the address of the account says which binding, and the settings whether HTTP goes through a
//! WAP gateway.

mod http;
mod obex;
mod wsp;

pub use obex::{LinkConfig, ServedLink};
pub use wsp::WspConfig;

pub(super) use wsp::Carrier;

use ::http::HeaderValue;
use http::Http;
use obex::{Dialled, Served};
use omadm_link::LinkAddress;
use omadm_session::dm1::client::{HttpReply, Post};

use super::account::Account;
use super::session::limit;
use crate::client::ClientConfig;
use crate::error::TransportError;
use crate::exchange::Exchange;
use crate::transport::Transport;

/// Why a local link is not called.
const NO_LINKS: &str =
    "the address is a local link, and this device calls nobody over those unless its settings say so";

/// How a session reaches its server.
pub(super) enum Way<'a> {
    /// At an address of the account.
    To(&'a str),
    /// Over a link that the server has opened.
    Served(ServedLink),
}

impl Way<'_> {
    /// The address, or what stands for one.
    pub(super) fn uri(&self) -> &str {
        match self {
            Self::To(uri) => uri,
            Self::Served(link) => link.from(),
        }
    }

    pub(super) fn is_link(&self) -> bool {
        match self {
            Self::To(uri) => LinkAddress::is_meant(uri),
            Self::Served(_) => true,
        }
    }
}

/// The binding of one session.
pub(super) enum Binding<'a, T> {
    /// HTTP: `https:`, and `http:` where that is allowed; straight, or through a WAP gateway ([`Carrier`]).
    Http(Http<'a, T>),
    /// OBEX over a link that the device opens: `obex:` and `obex+rfcomm:`.
    Dialled(Box<Dialled>),
    /// OBEX over a link that the server has opened.
    Served(Served),
}

impl<'a, T: Transport> Binding<'a, T> {
    /// The binding that leads this way; `exchange` is there where HTTP may.
    pub(super) fn open(
        way: Way<'_>,
        exchange: Option<Exchange<'a, T>>,
        account: &Account,
        config: &ClientConfig,
    ) -> Result<Self, &'static str> {
        if way.is_link() {
            account.check_link(config.dm1.links.basic)?;
        }
        let limit = limit(config.dm1.max_message);
        match way {
            Way::Served(link) => Ok(Self::Served(Served::new(link))),
            Way::To(uri) if LinkAddress::is_meant(uri) => {
                let links = Some(&config.dm1.links).filter(|links| links.call).ok_or(NO_LINKS)?;
                let to = uri.parse().map_err(|_| "an address is meant to be a local link and is none")?;
                Ok(Self::Dialled(Box::new(Dialled::new(to, links, account.obex(), limit))))
            }
            Way::To(_) => {
                let exchange = exchange.ok_or("an address names no host")?;
                Ok(Self::Http(Http::new(exchange, limit)))
            }
        }
    }

    /// Sends a message and gives the answer: in words of HTTP, whatever the binding, for the engine has no others.
    pub(super) async fn post(&mut self, post: Post) -> Result<HttpReply, TransportError> {
        match self {
            Self::Http(http) => http.post(post).await,
            Self::Dialled(link) => link.post(post).await,
            Self::Served(link) => link.post(post).await,
        }
    }

    /// When the server wants the device to come again that has sent it away; only HTTP can say it.
    pub(super) fn retry_after(&self) -> Option<&HeaderValue> {
        match self {
            Self::Http(http) => http.retry_after(),
            Self::Dialled(_) | Self::Served(_) => None,
        }
    }

    /// The session is over.
    pub(super) async fn close(self) {
        match self {
            Self::Http(_) => {}
            Self::Dialled(link) => link.close().await,
            Self::Served(link) => link.close(),
        }
    }
}
