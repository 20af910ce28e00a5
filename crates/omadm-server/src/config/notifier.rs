//! `[notifier]`, `[sms]` and `[cloud]`: how devices are called.

use std::path::PathBuf;

use omadm_codec::dm2::notification::Connection;
use serde::{Deserialize, Serialize};

use super::Span;
use super::notifier_dm1::{Dm1Format, ModelFormat, ObjectNumber, UiMode};

/// `[notifier]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifierSection {
    /// Notify devices that can be reached when a command is queued for them.
    pub enabled: bool,
    /// How devices should connect, the best first (PREFERRED-CON-TYPE): `cellular`, `wlan`, `wireline`, and as the last `any`. Default:
    /// none, so devices decide.
    pub connections: Vec<PreferredConnection>,
    /// Try the ways to a device by their kind (default): cloud, https, http, sip, obex, udp, sms, ppg. Without it, what the device
    /// registered itself comes first, and then what the operator said, in that order.
    pub sort_ways: bool,
    /// How long the first notification may stay without a session until the next one; each pause is four times the one before.
    pub retry_after: Span,
    /// Longest such pause, 7 days at most.
    pub longest_retry: Span,
    /// Notifications without a session until the server gives up; the next command begins anew.
    pub max_attempts: u32,
    /// Shortest time between two notifications of one device.
    pub min_interval: Span,
    /// Most notifications of one device in a day (UTC).
    pub max_per_day: u32,
    /// How long handing over one notification may take.
    pub send_timeout: Span,
    /// Most notifications that are handed over at a time.
    pub concurrent: usize,
    /// PEM file with trust anchors for gateways and services beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The form of notifications to devices of DM 1.x: `1.2` (default), which all of them know, `1.3`, or `auto`, which is 1.3 for those that
    /// spoke DM 1.3 last.
    pub dm1_format: Dm1Format,
    /// The same for single models, by `Mod` of DevInfo, such as `[{ model = "TK-1", format = "1.3" }]`.
    pub dm1_models: Vec<ModelFormat>,
    /// How notifications to devices of DM 1.x involve the user: `unspecified` (default), `background`, `inform` or `ask`.
    pub dm1_ui: UiMode,
    /// Numbers of the bearers that notifications 1.3 prefer, the best first; what they mean is between server and devices. 32 at most.
    pub dm1_bearers: Vec<u8>,
    /// Days after which a device need not follow a notification 1.3 any more (TIMEOUT); 0 is never.
    pub dm1_timeout_days: u8,
    /// Numbers of management objects in notifications 1.3, such as `[{ number = 1, moid = "urn:oma:mo:oma-dm-devinfo:1.0" }]`; devices have
    /// to have the same. 256 at most.
    pub dm1_objects: Vec<ObjectNumber>,
    /// Insecure: from the notification after so many unanswered ones on, use the default nonce (`DM 1.2 NOTI §6.2.2`), in case the device has
    /// lost its own; the session that follows may begin with it. 0 is never.
    pub dm1_default_nonce_after: u32,
    /// Give devices that are enrolled for DM 1.x a secret that is for notifications 1.3 alone.
    pub dm1_own_credentials: bool,
}

/// A kind of connection as the configuration writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum PreferredConnection {
    Cellular,
    Wlan,
    Wireline,
    Any,
}

impl From<PreferredConnection> for Connection {
    fn from(connection: PreferredConnection) -> Self {
        match connection {
            PreferredConnection::Cellular => Self::Cellular,
            PreferredConnection::Wlan => Self::Wlan,
            PreferredConnection::Wireline => Self::Wireline,
            PreferredConnection::Any => Self::AnyAvailable,
        }
    }
}

/// `[sms]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsSection {
    /// What carries short messages: `none` (default), an `http` gateway, or a service centre by `smpp` 3.4.
    pub gateway: SmsGateway,
    /// Of the HTTP gateway. `{to}` becomes the number, `{udh}` and `{data}` header and payload as octets in percent-encoding, `{pdu}`
    /// the SMS-SUBMIT in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How the HTTP gateway is asked: `post` (default), with a JSON object that has `to`, `udh`, `data` and `pdu` (all but the number in
    /// hexadecimal digits), or `get`.
    pub method: SmsMethod,
    /// Host and port of the service centre, such as `smsc.example.org:2775`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `system_id` at the service centre, 15 characters at most.
    pub system_id: String,
    /// File with the password there; white space at its end does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// `system_type` at the service centre, 12 characters at most.
    pub system_type: String,
    /// The sender's number, such as `+4670123456`. Default: the service centre's choice.
    pub source: String,
}

/// What carries short messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum SmsGateway {
    #[default]
    None,
    Http,
    Smpp,
}

/// How an HTTP gateway is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum SmsMethod {
    #[default]
    Post,
    Get,
}

/// `[cloud]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudSection {
    /// Which form push messages have: `none` (default), `gcm`, which the standard names and Google ended, or `fcm`, which took its
    /// place (HTTP v1).
    pub service: CloudService,
    /// Where push messages go, such as `https://fcm.googleapis.com/v1/projects/PROJECT/messages:send`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// File with the API key (`gcm`) or the OAuth token (`fcm`). It is read for every message, so what renews the token only has to
    /// write it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// `Push/GCM/SenderID` of the account: with it, bootstraps tell devices to register with the service and with this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
    /// `Push/GCM/RegParams` of the account: what devices send with their registration, a query such as `tenant=1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// How long the service keeps a message for a device that is off, in whole seconds.
    pub time_to_live: Span,
}

/// The form of push messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum CloudService {
    #[default]
    None,
    Gcm,
    Fcm,
}

impl Default for NotifierSection {
    fn default() -> Self {
        Self {
            enabled: true,
            connections: Vec::new(),
            sort_ways: true,
            retry_after: Span::secs(60),
            longest_retry: Span::secs(6 * 3_600),
            max_attempts: 5,
            min_interval: Span::secs(10),
            max_per_day: 100,
            send_timeout: Span::secs(15),
            concurrent: 32,
            ca_file: None,
            dm1_format: Dm1Format::default(),
            dm1_models: Vec::new(),
            dm1_ui: UiMode::default(),
            dm1_bearers: Vec::new(),
            dm1_timeout_days: 1,
            dm1_objects: Vec::new(),
            dm1_default_nonce_after: 0,
            dm1_own_credentials: false,
        }
    }
}

impl Default for CloudSection {
    fn default() -> Self {
        Self {
            service: CloudService::None,
            url: None,
            token_file: None,
            sender_id: None,
            parameters: None,
            time_to_live: Span::secs(86_400),
        }
    }
}
