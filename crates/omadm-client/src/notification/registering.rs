//! Registration for cloud messaging with the server (`DM 2.0 §E.2.3`).

use http::Method;
use omadm_codec::dm2::Registration;
use omadm_codec::dm2::registration::MEDIA_TYPE;
use omadm_mo::{ServerId, ServerUri, Value};

use crate::account::Account;
use crate::client::Client;
use crate::error::{ClientError, TransportError};
use crate::exchange::{Exchange, Identify, Outgoing, Redirects};
use crate::plugin::Refusal;
use crate::transport::Transport;

/// Most octets of an answer, which says nothing beside its status.
const MAX_ANSWER: usize = 64 << 10;

/// The cloud messaging service of the device's platform.
pub trait CloudService: Send {
    /// Registers with the service for what `sender`, a SenderID, sends; gives the registration (RegId).
    ///
    /// # Errors
    /// [`Refusal`] says why there is none.
    fn register(&mut self, sender: &str) -> impl Future<Output = Result<String, Refusal>> + Send;
}

impl<T: Transport> Client<T> {
    /// Registers with the cloud service for what a server sends, and tells the server where it reaches this device (`DM 2.0 §E.2.2`,
    /// steps 2 to 4). `None` when the server does not offer cloud messaging.
    ///
    /// # Errors
    /// [`ClientError::Registration`] when the service gives no registration, and as [`Client::register_push`].
    pub async fn register_with_cloud(
        &mut self,
        server: &ServerId,
        service: &mut impl CloudService,
    ) -> Result<Option<String>, ClientError> {
        let Some(sender) = self.sender_id(server) else { return Ok(None) };
        let reg_id = service.register(&sender).await.map_err(|refusal| ClientError::Registration {
            server: server.clone(),
            reason: format!("the cloud service gives none: {}", refusal.reason),
        })?;
        self.register_push(server, &reg_id).await?;
        Ok(Some(reg_id))
    }

    /// `Push/GCM/SenderID` of an account: what the application registers with at the cloud service. `None` when the server does not
    /// offer cloud messaging.
    #[must_use]
    pub fn sender_id(&self, server: &ServerId) -> Option<String> {
        self.push_node(server, "SenderID")
    }

    /// Tells a server where the cloud service reaches this device: after the service has given `reg_id`, or another one.
    ///
    /// # Errors
    /// [`ClientError::Registration`] when the account or the server want none; [`ClientError::NoAccount`],
    /// [`ClientError::NoDeviceId`] and [`ClientError::Transport`].
    pub async fn register_push(&mut self, server: &ServerId, reg_id: &str) -> Result<(), ClientError> {
        self.post_registration(server, "RegURI", reg_id).await
    }

    /// Tells a server that `reg_id` is good no more.
    ///
    /// # Errors
    /// As [`Client::register_push`].
    pub async fn unregister_push(&mut self, server: &ServerId, reg_id: &str) -> Result<(), ClientError> {
        self.post_registration(server, "UnRegURI", reg_id).await
    }

    fn push_node(&self, server: &ServerId, name: &str) -> Option<String> {
        let account = self.device.tree().account(server)?;
        match account.child("Push")?.child("GCM")?.child(name)?.value()? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    async fn post_registration(
        &mut self,
        server: &ServerId,
        node: &'static str,
        reg_id: &str,
    ) -> Result<(), ClientError> {
        let refused = |reason: String| ClientError::Registration { server: server.clone(), reason };
        let device_id = self.device.tree().device_id().ok_or(ClientError::NoDeviceId)?;
        let parameters = self.config.parameters(&device_id);
        let account = Account::read(self.device.tree(), server, &parameters)?;
        let uri = self
            .push_node(server, node)
            .ok_or_else(|| refused(format!("the account has no Push/GCM/{node}")))?;
        let place = ServerUri::parse(&uri)
            .map_err(|error| TransportError::BadUri { uri: uri.clone(), reason: error.to_string() })?;
        let registration = Registration {
            reg_id: reg_id.to_owned(),
            parameters: self.push_node(server, "RegParams").unwrap_or_default(),
        };
        let mut exchange = Exchange::new(&self.transport, &self.config, &account.peer, &device_id);
        let outgoing = Outgoing {
            method: Method::POST,
            uri: place.expand(&parameters),
            content_type: Some(MEDIA_TYPE.to_owned()),
            accept: None,
            body: registration.encode().into(),
            identify: Identify::AtHome,
            redirects: Redirects::AtHome,
            limit: MAX_ANSWER,
        };
        let reply = exchange.send(outgoing).await?;
        match reply.status {
            200..=299 => Ok(()),
            status => Err(refused(format!("{uri} answered {status}"))),
        }
    }
}
