//! From an HTTP request to a decoded message, or the HTTP error that answers it.

use omadm_auth::dm1::{HmacHeader, basic_user};
use omadm_codec::dm1::{Alert, AlertCode, Command, Encoding, Form, Message, Version};
use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};
use omadm_codec::{AcceptList, Leniency, MediaType, Tolerance};
use sha2::{Digest as _, Sha256};

use super::{Config, Refusal, RequestHead, Sender};

/// What peers call messages beside (`DM 1.3 HTTP binding`: none of them).
const ALSO_XML: [&str; 3] = ["application/vnd.syncml+xml", "text/xml", "application/xml"];
const ALSO_WBXML: &str = "application/vnd.syncml+wbxml";
/// By which the client of Windows makes itself known.
const WINDOWS: &str = "MSFT OMA DM Client";
/// Longest `SessionID` in characters.
const MAX_SESSION_ID: usize = 64;

impl Refusal {
    pub(super) fn new(http_status: u16, reason: impl Into<String>) -> Self {
        Self { http_status, reason: reason.into(), allow: None }
    }
}

/// Checks the head: 405, 406, 415. Gives the encoding that `Content-Type` says, and the leniency with what was tolerated.
///
/// # Errors
/// The HTTP answer.
pub fn admit(config: &Config, head: &RequestHead<'_>) -> Result<(Encoding, Leniency), Refusal> {
    if head.method != "POST" {
        let reason = format!("{} is not for messages; they come by POST", head.method);
        return Err(Refusal { allow: Some("POST"), ..Refusal::new(405, reason) });
    }
    if let Some(coding) = head.content_encoding.filter(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(Refusal::new(415, format!("Content-Encoding {coding} is not for messages")));
    }
    let mut leniency = config.leniency();
    Ok((encoding(head.content_type, &mut leniency)?, leniency))
}

fn encoding(content_type: Option<&str>, leniency: &mut Leniency) -> Result<Encoding, Refusal> {
    let unsupported = |reason: String| Refusal::new(415, reason);
    let written = content_type.ok_or_else(|| unsupported("the request has no Content-Type".into()))?;
    let media = MediaType::parse(written).map_err(|error| unsupported(error.to_string()))?;
    let essence = media.essence.as_str();
    let (encoding, is_dm) = match essence {
        SYNCML_DM_XML => (Encoding::Xml, true),
        SYNCML_DM_WBXML => (Encoding::Wbxml, true),
        ALSO_WBXML => (Encoding::Wbxml, false),
        _ if ALSO_XML.contains(&essence) => (Encoding::Xml, false),
        other => return Err(unsupported(format!("{other} is no message of a device"))),
    };
    if !is_dm && !leniency.allow(Tolerance::LooseMediaType) {
        return Err(unsupported(format!("{essence} is not the media type of DM messages")));
    }
    Ok(encoding)
}

/// A decoded message.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    pub(super) message: Message<'a>,
    /// How the message is encoded, and the reply shall be.
    pub(super) form: Form,
    pub(super) body: &'a [u8],
    pub(super) digest: [u8; 32],
    /// `MsgID`.
    pub(super) number: u64,
    /// `x-syncml-hmac`; `None` in it if it is malformed.
    pub(super) hmac: Option<Option<HmacHeader>>,
    pub(super) windows: bool,
    pub(super) leniency: Leniency,
}

/// Decodes a body.
///
/// # Errors
/// 400 with offset and field; 406 if the device takes no encoding of ours; 413 over [`Config::max_message`].
pub fn decode<'a>(config: &Config, head: &RequestHead<'_>, body: &'a [u8]) -> Result<Incoming<'a>, Refusal> {
    let (declared, mut leniency) = admit(config, head)?;
    let limit = usize::try_from(config.max_message).unwrap_or(usize::MAX);
    if body.len() > limit {
        return Err(Refusal::new(413, format!("the message is larger than {limit} bytes")));
    }
    let encoding = Encoding::sniff(body).unwrap_or(declared);
    if encoding != declared && !leniency.allow(Tolerance::LooseMediaType) {
        return Err(Refusal::new(400, "the body is not encoded as its Content-Type says"));
    }
    let limits = omadm_codec::Limits { bytes: limit, ..config.limits };
    let decoded = omadm_codec::dm1::decode(body, encoding, &limits, &mut leniency)
        .map_err(|error| Refusal::new(400, format!("the message cannot be read: {error}")))?;
    let message = decoded.message;
    let form = match answered_in(encoding, head.accept)? {
        same if same == encoding => decoded.form,
        other => Form::for_version(other, Version::of(&message.header).unwrap_or(Version::Dm12)),
    };
    let session = &message.header.session_id;
    if session.is_empty() || session.chars().count() > MAX_SESSION_ID {
        return Err(Refusal::new(400, format!("SessionID has 1 to {MAX_SESSION_ID} characters")));
    }
    let number = message.header.message_id.parse().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| Refusal::new(400, "MsgID is not a decimal number from 1"))?;
    Ok(Incoming {
        digest: Sha256::digest(body).into(),
        hmac: head.hmac.map(HmacHeader::parse),
        windows: head.user_agent.is_some_and(|agent| agent.starts_with(WINDOWS)),
        message,
        form,
        body,
        number,
        leniency,
    })
}

/// The encoding of the request, unless `Accept` wants the other.
fn answered_in(encoding: Encoding, accept: Option<&str>) -> Result<Encoding, Refusal> {
    let Some(list) = accept.and_then(|text| AcceptList::parse(text).ok()) else { return Ok(encoding) };
    let taken = |encoding| {
        let names: &[&str] = match encoding {
            Encoding::Xml => &[SYNCML_DM_XML, "application/vnd.syncml+xml"],
            Encoding::Wbxml => &[SYNCML_DM_WBXML, ALSO_WBXML],
        };
        names.iter().any(|name| list.quality(name) > 0)
    };
    let other = match encoding {
        Encoding::Xml => Encoding::Wbxml,
        Encoding::Wbxml => Encoding::Xml,
    };
    [encoding, other].into_iter().find(|encoding| taken(*encoding)).ok_or_else(|| {
        Refusal::new(
            406,
            format!("Accept of the request excludes both {SYNCML_DM_XML} and {SYNCML_DM_WBXML}"),
        )
    })
}

impl Incoming<'_> {
    /// By what its account can be found.
    #[must_use]
    pub fn sender(&self) -> Sender {
        let header = &self.message.header;
        let named = header.source.name.as_deref().map(str::to_owned);
        let signed = || self.hmac.as_ref()?.as_ref().map(|hmac| hmac.user.clone());
        let basic = || {
            let credentials = header.credentials.as_ref()?;
            basic_user(&credentials.data)
        };
        Sender { user: named.or_else(signed).or_else(basic), device: header.source.uri.as_ref().to_owned() }
    }

    /// The version that it is in; DM 1.2 if that is not known.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::of(&self.message.header).unwrap_or(Version::Dm12)
    }

    /// The message itself.
    #[must_use]
    pub fn message(&self) -> &Message<'_> {
        &self.message
    }

    /// `SessionID` as written.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.message.header.session_id
    }

    /// `MsgID`.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// SHA-256 of the body.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Alerts of the message, in order, with their codes; `None` for one that DM does not have.
    pub(super) fn alerts(&self) -> impl Iterator<Item = (&Alert<'_>, Option<AlertCode>)> {
        self.message.commands.iter().filter_map(|command| match command {
            Command::Alert(alert) => Some((alert, AlertCode::parse(&alert.code))),
            _ => None,
        })
    }

    /// The alert that begins a session.
    pub(super) fn session_alert(&self) -> Option<AlertCode> {
        let begins =
            |code: &AlertCode| matches!(code, AlertCode::ServerInitiated | AlertCode::ClientInitiated);
        self.alerts().find_map(|(_, code)| code.filter(begins))
    }

    /// Whether it begins a session: it is the first message, or goes back to package 1 after a challenge.
    pub(super) fn begins(&self) -> bool {
        self.number == 1 || self.session_alert().is_some()
    }

    /// Whether it is meant for a report: it has an alert 1230, and nothing that only a session has.
    #[must_use]
    pub fn is_report(&self) -> bool {
        let reports = self.alerts().any(|(_, code)| code == Some(AlertCode::SessionlessReport));
        let answers = self.message.commands.iter().any(|command| matches!(command, Command::Status(_)));
        reports && !answers && self.session_alert().is_none()
    }

    /// Whether it is a report outside of sessions: nothing but alerts 1230 (`DM 1.3 SESSREP §5.1`).
    pub(super) fn is_sessionless(&self) -> bool {
        let mut commands = self.message.commands.iter().peekable();
        commands.peek().is_some()
            && commands.all(|command| match command {
                Command::Alert(alert) => AlertCode::parse(&alert.code) == Some(AlertCode::SessionlessReport),
                _ => false,
            })
    }
}
