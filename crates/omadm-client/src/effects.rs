//! What the engines ask of the world outside the tree, carried out on behalf of one server.

use bytes::Bytes;
use http::Method;
use omadm_codec::StatusCode;
use omadm_mo::ServerId;
use omadm_session::dm2::client::{Body, Effect, EffectResult, HttpReply};

use crate::browser::Browser;
use crate::device::Device;
use crate::error::TransportError;
use crate::exchange::{Exchange, Identify, Outgoing, Redirects};
use crate::plugin::Refusal;
use crate::transport::Transport;

/// Most octets of the answer to an upload; nobody reads it.
const UPLOAD_ANSWER: usize = 64 << 10;

/// The device and its network in the hands of a server.
pub(crate) struct Host<'a, T> {
    pub(crate) device: &'a mut Device,
    pub(crate) server: &'a ServerId,
    pub(crate) exchange: Exchange<'a, T>,
    pub(crate) browser: Option<&'a mut Box<dyn Browser>>,
}

impl<T: Transport> Host<'_, T> {
    /// Carries out an effect; what it changes is durable when this returns.
    pub(crate) async fn carry_out(&mut self, effect: Effect) -> EffectResult {
        match effect {
            Effect::Refresh(instances) => settled(self.device.refresh(&instances)),
            Effect::Commit { records, instances } => settled(self.device.commit(records, &instances)),
            Effect::Execute { address, instance, report_to } => {
                self.device.execute(self.server, &address, &instance, report_to.as_ref())
            }
            Effect::KeepDefault { moid, uri } => self.device.keep_default(self.server, &moid, &uri),
            Effect::Subscribe { client, uri } => self.device.subscribe(self.server, &client, &uri),
            Effect::Unsubscribe { client } => self.device.unsubscribe(self.server, &client),
            Effect::Show { uri } => self.show(&uri).await,
            Effect::Fetch { uri, accept } => self.fetch(uri, accept).await,
            Effect::Upload { method, uri, content_type, body } => {
                let method = if method == "PUT" { Method::PUT } else { Method::POST };
                match self.upload(method, uri, content_type, body).await {
                    Ok(reply) => EffectResult::Http(reply),
                    Err(error) => EffectResult::NoReply { reason: error.to_string() },
                }
            }
        }
    }

    async fn show(&mut self, uri: &str) -> EffectResult {
        let Some(browser) = self.browser.as_mut() else {
            return refused(Refusal::new(StatusCode::NOT_IMPLEMENTED, "this device has no browser"));
        };
        browser.show(uri).await.map_or_else(refused, |()| EffectResult::Done)
    }

    async fn fetch(&mut self, uri: String, accept: String) -> EffectResult {
        let outgoing = Outgoing {
            method: Method::GET,
            uri,
            content_type: None,
            accept: Some(accept),
            body: Bytes::new(),
            identify: Identify::AtHome,
            redirects: Redirects::Anywhere,
            limit: self.exchange.config.fetch_limit,
        };
        match self.exchange.send(outgoing).await {
            Ok(reply) => EffectResult::Http(reply),
            Err(TransportError::TooLarge { .. }) => EffectResult::TooLarge,
            Err(error) => EffectResult::NoReply { reason: error.to_string() },
        }
    }

    /// Sends data; the status says what became of it, however much is said beside.
    pub(crate) async fn upload(
        &mut self,
        method: Method,
        uri: String,
        content_type: String,
        body: Body,
    ) -> Result<HttpReply, TransportError> {
        let outgoing = Outgoing {
            method,
            uri,
            content_type: Some(content_type),
            accept: None,
            body: Bytes::from_owner(body),
            identify: Identify::AtHome,
            redirects: Redirects::Anywhere,
            limit: UPLOAD_ANSWER,
        };
        match self.exchange.send(outgoing).await {
            Err(TransportError::TooLarge { status, .. }) => Ok(HttpReply { status, ..HttpReply::default() }),
            answer => answer,
        }
    }
}

/// The result of what a device does or refuses.
pub(crate) fn settled(done: Result<(), Refusal>) -> EffectResult {
    done.map_or_else(refused, |()| EffectResult::Done)
}

/// The result of what was refused.
pub(crate) fn refused(Refusal { status, reason }: Refusal) -> EffectResult {
    EffectResult::Refused { status, reason }
}
