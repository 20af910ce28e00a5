//! What carries the messages of a DM 1.x session: the address of the account says which binding.

mod http;

pub(super) use http::Http;

use omadm_session::dm1::client::{HttpReply, Post};

use crate::error::TransportError;
use crate::transport::Transport;

/// The binding of one session.
pub(super) enum Binding<'a, T> {
    /// HTTP: `https:`, and `http:` where that is allowed.
    Http(Http<'a, T>),
}

impl<T: Transport> Binding<'_, T> {
    /// Sends a message and gives the answer: in words of HTTP, whatever the binding, for the engine has no others.
    pub(super) async fn post(&mut self, post: Post) -> Result<HttpReply, TransportError> {
        match self {
            Self::Http(http) => http.post(post).await,
        }
    }
}
