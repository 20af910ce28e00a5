//! The Push Access Protocol towards a Push Proxy Gateway (`WAP-247`): what a push initiator sends, and what it is told.
//!
//! Here: the control entity in XML, and the multipart body that carries it with the content.
//! Never here: HTTP, and whether a push is tried again.

use crate::Limits;
use crate::error::{DecodeError, Problem};
use crate::media_type::quote;
use crate::xml::{Element, escape_attribute, parse};

/// Media type of a control entity.
pub const CONTROL: &str = "application/xml";
const DOCTYPE: &str =
    "<!DOCTYPE pap PUBLIC \"-//WAPFORUM//DTD PAP 2.0//EN\" \"http://www.wapforum.org/DTD/pap_2.0.dtd\">";

/// Where the gateway finds a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A telephone number of a public land mobile network, with `+`.
    Plmn(String),
    /// IPv4.
    Ipv4(std::net::Ipv4Addr),
    /// IPv6.
    Ipv6(std::net::Ipv6Addr),
    /// A user whom the gateway knows.
    User(String),
}

/// How urgent a push is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Priority {
    High,
    #[default]
    Medium,
    Low,
}

/// How a push is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Delivery {
    Confirmed,
    PreferConfirmed,
    Unconfirmed,
    #[default]
    NotSpecified,
}

/// A bearer or network, and whether no other will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name, such as `SMS` or `GSM`.
    pub name: String,
    /// Whether no other will do.
    pub required: bool,
}

/// `push-message`: a push that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushMessage {
    /// `push-id`, unique in the world: something `@` a name of ours.
    pub push_id: String,
    /// `address-value` without its end.
    pub address: Address,
    /// The gateway, as `address-value` ends with it.
    pub gateway: String,
    /// `ppg-notify-requested-to`: where the result is to be told.
    pub notify_to: Option<String>,
    /// `deliver-before-timestamp`: `YYYY-MM-DDThh:mm:ssZ`.
    pub deliver_before: Option<String>,
    /// `priority`.
    pub priority: Priority,
    /// `delivery-method`.
    pub delivery: Delivery,
    /// `network`.
    pub network: Option<Wanted>,
    /// `bearer`.
    pub bearer: Option<Wanted>,
}

/// What is pushed.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Its media type.
    pub media_type: &'a str,
    /// `X-Wap-Application-Id`.
    pub application: &'a str,
    /// Further headers for the device, names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// Its octets.
    pub octets: &'a [u8],
}

impl PushMessage {
    /// The control entity.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut push = Tag::new("push-message");
        push.with("push-id", &self.push_id);
        push.with_some("deliver-before-timestamp", self.deliver_before.as_deref());
        push.with_some("ppg-notify-requested-to", self.notify_to.as_deref());
        let mut address = Tag::new("address");
        address.with("address-value", &self.address_value());
        let mut quality = Tag::new("quality-of-service");
        quality.with("priority", self.priority.as_str()).with("delivery-method", self.delivery.as_str());
        for (name, required, wanted) in
            [("network", "network-required", &self.network), ("bearer", "bearer-required", &self.bearer)]
        {
            if let Some(wanted) = wanted {
                quality
                    .with(name, &wanted.name)
                    .with(required, if wanted.required { "true" } else { "false" });
            }
        }
        document(&push.around(&(address.empty() + &quality.empty())))
    }

    /// The body of the request: the control entity, then the content; `boundary` must stand in neither. With it goes
    /// [`related`] as its media type.
    #[must_use]
    pub fn to_multipart(&self, content: &Content<'_>, boundary: &str) -> Vec<u8> {
        let control = self.to_xml();
        let Content { media_type, application, headers, octets } = content;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut out = format!(
            "--{boundary}\r\nContent-Type: {CONTROL}; charset=UTF-8\r\n\r\n{control}\r\n--{boundary}\r\nContent-Type: {media_type}\r\n\
             X-Wap-Application-Id: {application}\r\n{headers}Content-Transfer-Encoding: binary\r\n\r\n"
        )
        .into_bytes();
        out.extend_from_slice(octets);
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }

    /// `address-value`.
    #[must_use]
    pub fn address_value(&self) -> String {
        let (value, kind) = match &self.address {
            Address::Plmn(number) => (number.clone(), "PLMN"),
            Address::Ipv4(address) => (address.to_string(), "IPv4"),
            // Every octet pair in full, as the address format has it.
            Address::Ipv6(address) => {
                (address.segments().map(|segment| format!("{segment:x}")).join(":"), "IPv6")
            }
            Address::User(user) => (user.clone(), "USER"),
        };
        format!("WAPPUSH={value}/TYPE={kind}@{}", self.gateway)
    }
}

impl Priority {
    /// The name in the standard.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

impl Delivery {
    /// The name in the standard.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::PreferConfirmed => "preferconfirmed",
            Self::Unconfirmed => "unconfirmed",
            Self::NotSpecified => "notspecified",
        }
    }
}

/// Media type of [`PushMessage::to_multipart`].
#[must_use]
pub fn related(boundary: &str) -> String {
    format!("multipart/related; type=\"{CONTROL}\"; boundary={}", quote(boundary))
}

/// What a code means for the push (`WAP-247 §9.13`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// 1xxx: it is taken.
    Accepted,
    /// 2xxx and 5xxx: it will not do, and not later either.
    Permanent,
    /// 3xxx and 4xxx: it may do later, or by another way.
    Temporary,
}

/// A result code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl Code {
    /// OK.
    pub const OK: Self = Self(1000);
    /// The message was not understood.
    pub const BAD_REQUEST: Self = Self(2000);
    /// There is no push with this push-id.
    pub const UNKNOWN_PUSH: Self = Self(2004);
    /// A push with this push-id was taken before.
    pub const DUPLICATE: Self = Self(2007);
    /// The gateway cannot deliver in the way that was asked for.
    pub const DELIVERY_METHOD: Self = Self(3007);
    /// It does not have the network that was asked for.
    pub const NETWORK: Self = Self(3009);
    /// It does not have the bearer that was asked for.
    pub const BEARER: Self = Self(3010);
    /// It has trouble of its own.
    pub const SERVICE_FAILURE: Self = Self(4000);

    /// What it means; a code that is not known means what its first digit says.
    #[must_use]
    pub fn meaning(self) -> Meaning {
        match self.0 {
            1000..2000 => Meaning::Accepted,
            // It is what was asked for.
            _ if self == Self::DUPLICATE => Meaning::Accepted,
            3000..5000 => Meaning::Temporary,
            _ => Meaning::Permanent,
        }
    }
}

/// What became of a push (`message-state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum MessageState {
    Rejected,
    Pending,
    Delivered,
    Undeliverable,
    Expired,
    Aborted,
    Timeout,
    Cancelled,
    Unknown,
}

impl MessageState {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Rejected, "rejected"),
        (Self::Pending, "pending"),
        (Self::Delivered, "delivered"),
        (Self::Undeliverable, "undeliverable"),
        (Self::Expired, "expired"),
        (Self::Aborted, "aborted"),
        (Self::Timeout, "timeout"),
        (Self::Cancelled, "cancelled"),
        (Self::Unknown, "unknown"),
    ];

    /// Whether the push will not arrive any more, and has not.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Self::Rejected
            | Self::Undeliverable
            | Self::Expired
            | Self::Aborted
            | Self::Timeout
            | Self::Cancelled => true,
            Self::Pending | Self::Delivered | Self::Unknown => false,
        }
    }

    /// The name in the standard.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }

    /// The inverse of [`MessageState::as_str`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(state, _)| *state)
    }
}

/// What a gateway says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// `push-response`: whether a push is taken.
    Response {
        /// `push-id`.
        push_id: String,
        /// `code`.
        code: Code,
        /// `desc`.
        description: Option<String>,
    },
    /// `resultnotification-message`: what became of a push. To be answered with [`result_response`].
    Result {
        /// `push-id`.
        push_id: String,
        /// `message-state`.
        state: MessageState,
        /// `code`.
        code: Code,
        /// `desc`.
        description: Option<String>,
    },
    /// `statusquery-response`: what became of a push that was asked after with [`status_query`].
    Status {
        /// `push-id`.
        push_id: String,
        /// `message-state`.
        state: MessageState,
        /// `code`.
        code: Code,
        /// `desc`.
        description: Option<String>,
    },
    /// `badmessage-response`: our message was not understood.
    BadMessage {
        /// `code`.
        code: Code,
        /// `desc`.
        description: Option<String>,
    },
}

/// Reads what a gateway says: the answer to a push or to a query, or a notification of a result.
///
/// # Errors
/// With byte offset and field.
pub fn decode(input: &[u8], limits: &Limits) -> Result<Said, DecodeError> {
    let root = parse(input, limits, |_| true)?;
    if root.name != "pap" {
        return Err(schema(&root, "pap", format!("the root element is {:?}", root.name)));
    }
    let Some(message) = root.children.first() else {
        return Err(DecodeError { at: root.at, field: "pap", problem: Problem::Missing });
    };
    let description = |of: &Element| of.attribute("desc").map(str::to_owned);
    match message.name.as_str() {
        "push-response" => {
            let result = child(message, "response-result")?;
            let push_id = required(message, "push-id")?.to_owned();
            Ok(Said::Response { push_id, code: code(result)?, description: description(result) })
        }
        "resultnotification-message" => {
            let (push_id, state) = (required(message, "push-id")?.to_owned(), state(message)?);
            Ok(Said::Result { push_id, state, code: code(message)?, description: description(message) })
        }
        "statusquery-response" => {
            // One push goes to one address, so there is one result.
            let result = child(message, "statusquery-result")?;
            let (push_id, state) = (required(message, "push-id")?.to_owned(), state(result)?);
            Ok(Said::Status { push_id, state, code: code(result)?, description: description(result) })
        }
        "badmessage-response" => {
            Ok(Said::BadMessage { code: code(message)?, description: description(message) })
        }
        other => Err(schema(message, "pap", format!("{other:?} is nothing that a gateway says to us"))),
    }
}

/// `resultnotification-response`: the answer to a notification of a result.
#[must_use]
pub fn result_response(push_id: &str, code: Code) -> String {
    let mut tag = Tag::new("resultnotification-response");
    tag.with("push-id", push_id).with("code", &code.0.to_string());
    document(&tag.empty())
}

/// `badmessage-response`: what came was not understood.
#[must_use]
pub fn bad_message(code: Code, description: &str) -> String {
    let mut tag = Tag::new("badmessage-response");
    tag.with("code", &code.0.to_string()).with("desc", description);
    document(&tag.empty())
}

/// `cancel-message`: a push is not wanted any more.
#[must_use]
pub fn cancel(push_id: &str) -> String {
    let mut tag = Tag::new("cancel-message");
    tag.with("push-id", push_id);
    document(&tag.empty())
}

/// `statusquery-message`: what has become of a push? Answered with [`Said::Status`].
#[must_use]
pub fn status_query(push_id: &str) -> String {
    let mut tag = Tag::new("statusquery-message");
    tag.with("push-id", push_id);
    document(&tag.empty())
}

fn child<'e>(message: &'e Element, name: &'static str) -> Result<&'e Element, DecodeError> {
    let missing = DecodeError { at: message.at, field: name, problem: Problem::Missing };
    message.children.iter().find(|child| child.name == name).ok_or(missing)
}

fn state(element: &Element) -> Result<MessageState, DecodeError> {
    let state = required(element, "message-state")?;
    MessageState::parse(state).ok_or_else(|| schema(element, "message-state", format!("{state:?} is none")))
}

fn code(element: &Element) -> Result<Code, DecodeError> {
    let text = required(element, "code")?;
    let number = text.parse().ok().filter(|number| (1000..10_000).contains(number));
    number.map(Code).ok_or_else(|| schema(element, "code", format!("{text:?} has not four digits")))
}

fn required<'e>(element: &'e Element, name: &'static str) -> Result<&'e str, DecodeError> {
    let missing = DecodeError { at: element.at, field: name, problem: Problem::Missing };
    element.attribute(name).filter(|value| !value.is_empty()).ok_or(missing)
}

fn schema(element: &Element, field: &'static str, text: String) -> DecodeError {
    DecodeError { at: element.at, field, problem: Problem::Schema(text.into()) }
}

fn document(message: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n{DOCTYPE}\n<pap>{message}</pap>")
}

/// A tag in the making.
struct Tag(&'static str, String);

impl Tag {
    fn new(name: &'static str) -> Self {
        Self(name, String::new())
    }

    fn with(&mut self, name: &str, value: &str) -> &mut Self {
        self.1.push_str(&format!(" {name}=\"{}\"", escape_attribute(value)));
        self
    }

    fn with_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.with(name, value);
        }
    }

    fn empty(&self) -> String {
        format!("<{}{}/>", self.0, self.1)
    }

    fn around(&self, content: &str) -> String {
        format!("<{0}{1}>{content}</{0}>", self.0, self.1)
    }
}

#[cfg(test)]
mod tests;
