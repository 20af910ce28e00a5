//! What comes to a device as a push, by whatever transport, and what is in it.

pub mod http;
pub mod sip;

use bytes::Bytes;
use omadm_codec::{media_type, wsp};
use omadm_mo::Time;

#[cfg(feature = "dm2")]
use crate::bootstrap::Received;
#[cfg(feature = "dm1")]
use crate::dm1::Dm1Wake;
#[cfg(feature = "dm1")]
use crate::dm1::bootstrap;
#[cfg(feature = "dm2")]
use crate::notification::Wake;

/// Media types that a push may bring; transports that can say so refuse others.
pub const ACCEPTED: &[&str] = &[
    wsp::NOTIFICATION_TYPE,
    #[cfg(feature = "dm1")]
    wsp::TRIGGER_TYPE,
    #[cfg(feature = "dm1")]
    wsp::CONNECTIVITY_WBXML,
    #[cfg(feature = "dm1")]
    wsp::CONNECTIVITY_XML,
    #[cfg(feature = "dm1")]
    media_type::SYNCML_DM_WBXML,
    #[cfg(feature = "dm1")]
    media_type::SYNCML_DM_XML,
    #[cfg(feature = "dm2")]
    media_type::DMMO_JSON,
];

/// What a push transport hands over: the content, without anything of the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushContent {
    /// Media type, with its parameters, as HTTP writes it.
    pub content_type: String,
    /// The application that it is for, such as `x-wap-application:syncml.dm`; `None` where the transport has no word for it.
    pub application: Option<String>,
    /// `x-syncml-hmac`, by which the sender of a message of DM 1.x proves itself.
    pub hmac: Option<String>,
    /// The octets.
    pub body: Bytes,
    /// How it came.
    pub via: PushOrigin,
}

/// How a push came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushOrigin {
    /// By whom, for people: "a WAP push", "OTA-HTTP from 10.0.0.1".
    pub by: String,
    /// Whether the sender has proved by the transport who it is, and nobody else could read or change it.
    pub authenticated: bool,
    /// When it was sent, as the bearer says: the time of the service centre, or `Date` of HTTP.
    pub sent: Option<Time>,
}

/// What a push brings.
#[derive(Clone, Debug)]
pub enum Pushed {
    /// A server asks for a session of DM 2.0.
    #[cfg(feature = "dm2")]
    Wake(Wake),
    /// A bootstrap of DM 2.0, for [`Client::install_received`](crate::Client::install_received): the push protects nothing, so it has to
    /// be protected itself (`DM 2.0 §9.3.1.3`).
    #[cfg(feature = "dm2")]
    Bootstrap(Received),
    /// A server asks for a session of DM 1.x, for [`Client::answer_dm1`](crate::Client::answer_dm1).
    #[cfg(feature = "dm1")]
    Dm1(Dm1Wake),
    /// A bootstrap of DM 1.x: a provisioning document, or a message with `SEC`.
    #[cfg(feature = "dm1")]
    Provisioning(bootstrap::Received),
    /// A message of DM 1.x without a session, for [`Client::carry_out_dm1`](crate::Client::carry_out_dm1).
    #[cfg(feature = "dm1")]
    Sessionless(PushContent),
    /// A Push Proxy Gateway asks the device to connect to it, for [`HttpPush::contact`](http::HttpPush::contact).
    Contact(PushContent),
}
