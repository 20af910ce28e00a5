//! The Wireless Session Protocol (`WAP-230`): WAP push, as `DM 2.0 §E.1` uses it, here; methods and sessions, which carry DM 1.x through a
//! gateway, in [`Pdu`].
//!
//! ```text
//! TID (1) | PDU type 06 (1) | HeadersLen (uintvar) | Content-Type | headers | data
//! ```

mod capability;
mod content_type;
mod field;
mod http;
mod initiation;
mod names;
mod pdu;
mod status;

use crate::media_type::DMMO_JSON;
use crate::reader::Reader;
use crate::{DecodeError, Limits, Problem};
pub use capability::{Capability, DEFAULT_SDU, Identifier, ProtocolOptions};
pub use content_type::{
    CONNECTIVITY_WBXML, CONNECTIVITY_WBXML_CODE, CONNECTIVITY_XML, CONNECTIVITY_XML_CODE,
    SYNCML_DM_WBXML_CODE, SYNCML_DM_XML_CODE,
};
pub use field::{Header, HeaderName, Media, MediaName, ShortInteger, Text, Token, Value};
pub use initiation::{
    INITIATION_APPLICATION, INITIATION_APPLICATION_CODE, INITIATION_CODE, INITIATION_TYPE, SessionInitiation,
    is_initiation_application,
};
pub use pdu::{Content, GatewayAddress, Method, Pdu};
pub use status::{Reason, Status};

/// UDP port, and port of an SMS, to which non-secure connectionless push goes.
pub const PUSH_PORT: u16 = 2948;
/// Content type code of `application/vnd.syncml.dm.notification`, DM Notifications of 1.3 and 2.0.
pub const NOTIFICATION_CODE: u32 = 0x58;
/// The same as text.
pub const NOTIFICATION_TYPE: &str = "application/vnd.syncml.dm.notification";
/// Content type code of `application/vnd.syncml.notification`, DM Notifications of 1.2 and before.
pub const TRIGGER_CODE: u32 = 0x44;
/// The same as text.
pub const TRIGGER_TYPE: &str = "application/vnd.syncml.notification";
/// Code of the DM application, `x-wap-application:syncml.dm`.
pub const DM_APPLICATION_CODE: u32 = 0x07;
/// The same as text.
pub const DM_APPLICATION: &str = "x-wap-application:syncml.dm";
/// Most octets of a push that a device takes [choice]: a bootstrap with certificates fits in.
pub const MAX_PUSH: usize = 16 << 10;
/// Most octets before the notification in a push PDU (`DM 2.0 §E.1`).
pub const MAX_PUSH_HEADER: usize = 48;

const PUSH: u8 = 0x06;

/// A push PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push<'a> {
    /// TID: the sender's number for it.
    pub transaction: u8,
    /// `Content-Type`.
    pub media: Media,
    /// The other headers of the default code page, in their order.
    pub headers: Vec<Header>,
    /// Data.
    pub body: &'a [u8],
}

/// The headers leave no room for the notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the push header is {length} octets long, and a DM notification allows {MAX_PUSH_HEADER}: send fewer headers"
)]
pub struct HeaderTooLong {
    /// Octets before the body.
    pub length: usize,
}

impl<'a> Push<'a> {
    /// The push of a DM Notification: the content type and the application that `DM 2.0 §E.1` demands, then the headers `extra`.
    ///
    /// # Errors
    /// [`HeaderTooLong`].
    pub fn dm_notification(
        transaction: u8,
        extra: &[Header],
        notification: &'a [u8],
    ) -> Result<Self, HeaderTooLong> {
        let application = Header::application(DM_APPLICATION_CODE);
        let headers = std::iter::once(application).chain(extra.iter().cloned()).collect();
        let push = Self { transaction, media: Media::code(NOTIFICATION_CODE), headers, body: notification };
        push.check_header().map(|()| push)
    }

    /// Whether the octets before the body are as few as a DM Notification demands (`DM 2.0 §E.1`).
    ///
    /// # Errors
    /// [`HeaderTooLong`].
    pub fn check_header(&self) -> Result<(), HeaderTooLong> {
        match self.head().len() {
            length if length > MAX_PUSH_HEADER => Err(HeaderTooLong { length }),
            _ => Ok(()),
        }
    }

    /// The push of a bootstrap of this media type for the DM application (`DM 2.0 §8.4, §9.3.1.3`). The standard leaves the headers
    /// open; they are those of a notification but for the content type.
    #[must_use]
    pub fn dm_bootstrap(transaction: u8, media: Media, bootstrap: &'a [u8]) -> Self {
        let headers = vec![Header::application(DM_APPLICATION_CODE)];
        Self { transaction, media, headers, body: bootstrap }
    }

    /// The content type as HTTP writes it, if it is a bootstrap for the DM application.
    #[must_use]
    pub fn bootstrap_type(&self) -> Option<String> {
        let is_bootstrap = matches!(&self.media.name, MediaName::Text(name) if name.as_str().eq_ignore_ascii_case(DMMO_JSON));
        if is_bootstrap && self.is_for_dm() { self.media.as_http() } else { None }
    }

    /// Appends the PDU.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.head());
        out.extend(self.body);
    }

    /// Reads a PDU. Headers of other code pages are passed over.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input, limits)?;
        let transaction = reader.byte("TID")?;
        if reader.peek().is_some_and(|kind| kind != PUSH) {
            return Err(reader.error("PDU type", Problem::Schema("not 6, a connectionless push".into())));
        }
        reader.byte("PDU type")?;
        let length = field::length(&mut reader, "HeadersLen")?;
        let mut head = reader.fence(length, "headers")?;
        let media = Media::read(&mut head)?;
        let headers = field::read_headers(&mut head, limits)?;
        Ok(Self { transaction, media, headers, body: reader.rest() })
    }

    /// Whether content type and application are those of a DM Notification: what a device without WAP stack looks at beside the
    /// port, [`PUSH_PORT`] (`DM 2.0 §E.1.1`).
    #[must_use]
    pub fn is_dm_notification(&self) -> bool {
        self.media.is(NOTIFICATION_CODE, NOTIFICATION_TYPE) && self.is_for_dm()
    }

    /// Whether it is for the DM application.
    fn is_for_dm(&self) -> bool {
        self.application_value().is_some_and(|value| value.is(DM_APPLICATION_CODE, DM_APPLICATION))
    }

    fn application_value(&self) -> Option<&Value> {
        self.headers.iter().find(|header| header.names_application()).map(|header| &header.value)
    }

    /// The application that it is for, as HTTP names it; that of a code other than device management's is the number.
    #[must_use]
    pub fn application(&self) -> Option<String> {
        let value = self.application_value()?;
        Some(match value {
            Value::Text(text) => text.as_str().to_owned(),
            _ if self.is_for_dm() => DM_APPLICATION.to_owned(),
            value => value.as_integer().unwrap_or(u32::MAX).to_string(),
        })
    }

    /// The text of a header that has a name and no code, the first of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let is_named = |header: &&Header| matches!(&header.name, HeaderName::Text(of) if of.as_str().eq_ignore_ascii_case(name));
        match &self.headers.iter().find(is_named)?.value {
            Value::Text(text) => Some(text.as_str().to_owned()),
            _ => None,
        }
    }

    /// The octets before the body.
    fn head(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        self.media.write(&mut fields);
        self.headers.iter().for_each(|header| header.write(&mut fields));
        let mut head = vec![self.transaction, PUSH];
        field::write_length(fields.len(), &mut head);
        head.extend(fields);
        head
    }
}
