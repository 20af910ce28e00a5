//! What a nasty device of DM 1.x does with its messages: each trick makes another message of a good one.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use omadm_client::HttpRequest;
use omadm_codec::dm1::{
    self, Alert, Command, Container, ContainerKind, Data, Encoding, Item, Message, Meta, Operation,
    OperationKind, Results, Status,
};
use omadm_codec::{Leniency, Limits};

use super::chance::garbled;

/// How deep the elements of [`Trick::Deep`] stand in each other.
const DEPTH: usize = 100_000;
/// Octets beyond what the server says it takes, and what is sent if it said nothing.
const TOO_MANY: usize = 1 << 20;
/// Entities of [`Trick::Bomb`], each ten times the one before.
const ENTITIES: u32 = 12;

/// A trick. Those of the transport are played by [`super::transport::Nasty`] itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    /// The same message once more.
    Repeated,
    /// The answer does not arrive.
    ReplyLost,
    /// The message before, after this one.
    Late,
    Truncated,
    Garbled,
    Empty,
    Oversized,
    WrongType,
    WrongMethod,
    /// Entities that grow without bound.
    Bomb,
    Deep,
    SkippedNumber,
    OtherSession,
    OtherVersion,
    /// Commands with one `CmdID`.
    SameNumbers,
    /// Commands without `CmdID`.
    NoNumbers,
    /// Statuses and results of what was never asked.
    StrangeAnswers,
    /// Commands that only a server sends.
    ServerCommands,
    /// Alerts of codes that do not exist, and without code.
    StrangeAlerts,
    /// Objects that begin and do not end, two at a time, and of another size than announced.
    BrokenObjects,
    /// Addresses that are none, and endless ones.
    StrangeAddresses,
    /// No `Final`.
    NoEnd,
}

impl Trick {
    /// All of them, in the order in which they are played.
    pub const ALL: [Self; 22] = [
        Self::Repeated,
        Self::ReplyLost,
        Self::Late,
        Self::Truncated,
        Self::Garbled,
        Self::Empty,
        Self::Oversized,
        Self::WrongType,
        Self::WrongMethod,
        Self::Bomb,
        Self::Deep,
        Self::SkippedNumber,
        Self::OtherSession,
        Self::OtherVersion,
        Self::SameNumbers,
        Self::NoNumbers,
        Self::StrangeAnswers,
        Self::ServerCommands,
        Self::StrangeAlerts,
        Self::BrokenObjects,
        Self::StrangeAddresses,
        Self::NoEnd,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Repeated => "message repeated",
            Self::ReplyLost => "answer lost",
            Self::Late => "message before repeated",
            Self::Truncated => "truncated",
            Self::Garbled => "octets changed",
            Self::Empty => "empty",
            Self::Oversized => "larger than MaxMsgSize",
            Self::WrongType => "wrong Content-Type",
            Self::WrongMethod => "wrong method",
            Self::Bomb => "entity bomb",
            Self::Deep => "deep nesting",
            Self::SkippedNumber => "MsgID skipped",
            Self::OtherSession => "SessionID changed",
            Self::OtherVersion => "version unknown",
            Self::SameNumbers => "CmdID doubled",
            Self::NoNumbers => "CmdID missing",
            Self::StrangeAnswers => "answers to nothing",
            Self::ServerCommands => "commands of a server",
            Self::StrangeAlerts => "unknown alerts",
            Self::BrokenObjects => "broken objects",
            Self::StrangeAddresses => "illegal addresses",
            Self::NoEnd => "Final missing",
        }
    }

    /// The message that is sent before the good one; `None` where the trick is none with this message. `most` is the largest message that
    /// the server takes, and `chance` any number.
    pub fn play(self, good: &HttpRequest, most: Option<u64>, chance: u64) -> Option<HttpRequest> {
        let with = |body: Vec<u8>| Some(HttpRequest { body: body.into(), ..good.clone() });
        let text = |body: String| with_type(HttpRequest { body: body.into(), ..good.clone() }, dm1_xml());
        match self {
            Self::Repeated | Self::ReplyLost | Self::Late => None,
            Self::Truncated => with(good.body.iter().copied().take(good.body.len() / 2).collect()),
            // Credentials that were changed by chance would count against the device.
            Self::Garbled => edited(good, |_| {}).and_then(|_| with(garbled(&good.body, chance))),
            Self::Empty => with(Vec::new()),
            Self::Oversized => {
                let length = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(TOO_MANY);
                let mut body = good.body.to_vec();
                body.resize(length.max(body.len()).saturating_add(1), b' ');
                with(body)
            }
            Self::WrongType => {
                Some(with_type(good.clone(), HeaderValue::from_static("text/plain;charset=utf-8")))
            }
            Self::WrongMethod => Some(HttpRequest { method: Method::PUT, ..good.clone() }),
            Self::Bomb => Some(text(bomb())),
            Self::Deep => Some(text("<SyncML><SyncBody>".to_owned() + &"<Sequence>".repeat(DEPTH))),
            Self::SkippedNumber => edited(good, |message| {
                let number: u64 = message.header.message_id.parse().unwrap_or_default();
                message.header.message_id = number.saturating_add(7).to_string().into();
            }),
            Self::OtherSession => edited(good, |message| message.header.session_id = "FFFF".into()),
            Self::OtherVersion => edited(good, |message| message.header.ver_proto = "DM/9.9".into()),
            Self::SameNumbers => edited(good, |message| number_all(&mut message.commands, "1")),
            Self::NoNumbers => edited(good, |message| number_all(&mut message.commands, "")),
            Self::StrangeAnswers => edited(good, |message| message.commands.extend(strange_answers())),
            Self::ServerCommands => edited(good, |message| message.commands.extend(server_commands())),
            Self::StrangeAlerts => edited(good, |message| {
                let alerts = ["1100", "1199", "4711", "", "-1"];
                message.commands.extend(alerts.iter().zip(900..).map(|(code, id)| alert(id, code)));
            }),
            Self::BrokenObjects => edited(good, |message| message.commands.extend(broken_objects())),
            Self::StrangeAddresses => edited(good, |message| message.commands.extend(strange_addresses())),
            Self::NoEnd => edited(good, |message| message.is_final = false),
        }
    }
}

/// The message as another, in the same encoding; `None` for what is none, or carries credentials, which are good once.
fn edited(good: &HttpRequest, edit: impl FnOnce(&mut Message<'static>)) -> Option<HttpRequest> {
    let encoding = Encoding::sniff(&good.body)?;
    let limits = Limits { bytes: good.body.len(), ..Limits::default() };
    let decoded = dm1::decode(&good.body, encoding, &limits, &mut Leniency::lenient()).ok()?;
    let (mut message, form) = (decoded.message.into_owned(), decoded.form);
    if message.header.credentials.is_some() {
        return None;
    }
    edit(&mut message);
    Some(HttpRequest { body: dm1::encode(&message, form).into(), ..good.clone() })
}

fn dm1_xml() -> HeaderValue {
    HeaderValue::from_static(omadm_codec::media_type::SYNCML_DM_XML)
}

fn with_type(mut request: HttpRequest, content_type: HeaderValue) -> HttpRequest {
    request.headers.insert(CONTENT_TYPE, content_type);
    request
}

fn bomb() -> String {
    let entities =
        (1..ENTITIES).map(|n| format!("<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10)));
    let all: String = entities.collect();
    let last = ENTITIES - 1;
    format!(
        "<?xml version=\"1.0\"?><!DOCTYPE SyncML [<!ENTITY e0 \"ha\">{all}]><SyncML><SyncHdr>&e{last};</SyncHdr></SyncML>"
    )
}

fn number_all(commands: &mut [Command<'static>], number: &'static str) {
    for command in commands {
        let place = match command {
            Command::Status(status) => &mut status.id,
            Command::Results(results) => &mut results.id,
            Command::Alert(alert) => &mut alert.id,
            Command::Operation(operation) => &mut operation.id,
            Command::Container(container) => &mut container.id,
            Command::Unknown(unknown) => &mut unknown.id,
        };
        *place = Cow::Borrowed(number);
    }
}

fn text(id: u32) -> Cow<'static, str> {
    id.to_string().into()
}

fn alert(id: u32, code: &str) -> Command<'static> {
    let code = code.to_owned().into();
    Command::Alert(Alert { id: text(id), no_response: false, code, correlator: None, items: Vec::new() })
}

fn item(uri: &str, data: &str) -> Item<'static> {
    Item {
        source: Some(uri.to_owned().into()),
        data: Some(Data::Text(data.to_owned().into())),
        ..Item::default()
    }
}

fn operation(id: u32, kind: OperationKind, items: Vec<Item<'static>>) -> Command<'static> {
    let operation =
        Operation { kind, id: text(id), no_response: false, meta: Meta::default(), correlator: None, items };
    Command::Operation(operation)
}

fn strange_answers() -> Vec<Command<'static>> {
    let status = |id, code: &'static str| {
        Command::Status(Status {
            id: text(id),
            msg_ref: "4711".into(),
            cmd_ref: "4711".into(),
            cmd: "Get".into(),
            target_refs: Vec::new(),
            source_refs: Vec::new(),
            credentials: None,
            challenge: None,
            code: code.into(),
            code_attributes: Vec::new(),
            items: Vec::new(),
        })
    };
    let results = |id| {
        Command::Results(Results {
            id: text(id),
            msg_ref: "4711".into(),
            cmd_ref: "4711".into(),
            meta: Meta::default(),
            target_ref: None,
            source_ref: None,
            items: vec![item("./DevInfo/Man", "nobody asked"), item("./DevInfo/Man", "twice")],
        })
    };
    vec![status(900, "200"), status(901, "no number"), status(902, "99999"), results(903), results(904)]
}

fn server_commands() -> Vec<Command<'static>> {
    let atomic = |id, commands| {
        let (kind, id) = (ContainerKind::Atomic, text(id));
        Command::Container(Container { kind, id, no_response: false, meta: Meta::default(), commands })
    };
    let get = |id| operation(id, OperationKind::Get, vec![item("./DevInfo", "")]);
    let inner = atomic(902, vec![get(903)]);
    vec![
        get(900),
        atomic(901, vec![inner]),
        operation(904, OperationKind::Exec, vec![item("./Reboot", "")]),
        operation(905, OperationKind::Delete, Vec::new()),
    ]
}

fn broken_objects() -> Vec<Command<'static>> {
    let part = |uri: &str, size| Item {
        meta: Meta { size: Some(size), ..Meta::default() },
        more: true,
        ..item(uri, "part of it")
    };
    let replace = |id, items| operation(id, OperationKind::Replace, items);
    vec![
        replace(900, vec![part("./DevInfo/Man", u64::MAX), part("./DevInfo/Mod", 1)]),
        replace(901, vec![part("./DevDetail/FwV", 3)]),
        replace(902, vec![item("./DevDetail/FwV", "another size")]),
    ]
}

fn strange_addresses() -> Vec<Command<'static>> {
    let endless = "./DevInfo".to_owned() + &"/x".repeat(2_000);
    let addresses =
        ["./DevInfo/../Secrets", "./DevInfo//Man", "./DevInfo/%zz", "./DevInfo?prop=ACL", "", &endless];
    let items = addresses.map(|uri| item(uri, "x")).into();
    vec![operation(900, OperationKind::Replace, items)]
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Uri};
    use omadm_codec::dm1::{Form, Header, Version};

    use super::*;

    fn good(form: Form) -> HttpRequest {
        let header = Header {
            ver_dtd: "1.2".into(),
            ver_proto: "DM/1.2".into(),
            session_id: "2A".into(),
            message_id: "2".into(),
            target: Default::default(),
            source: Default::default(),
            resp_uri: None,
            no_response: false,
            credentials: None,
            meta: Meta::default(),
        };
        let commands = vec![alert(1, "1201"), alert(2, "1224")];
        let message = Message { header, commands, is_final: true };
        HttpRequest {
            method: Method::POST,
            uri: Uri::from_static("https://a.example/dm"),
            headers: HeaderMap::new(),
            body: dm1::encode(&message, form).into(),
            answer_limit: 1,
            identity: None,
        }
    }

    #[test]
    fn every_trick_makes_another_message_in_either_encoding() {
        for form in [Form::Xml, Form::for_version(Encoding::Wbxml, Version::Dm13)] {
            let good = good(form);
            for trick in Trick::ALL {
                let of_transport = matches!(trick, Trick::Repeated | Trick::ReplyLost | Trick::Late);
                let played = trick.play(&good, Some(4096), 7);
                assert_eq!(played.is_none(), of_transport, "{trick:?}");
                let Some(played) = played else { continue };
                let same = played.body == good.body
                    && played.method == good.method
                    && played.headers == good.headers;
                assert!(!same, "{trick:?}");
            }
            let oversized = Trick::Oversized.play(&good, Some(4096), 0).unwrap();
            assert_eq!(oversized.body.len(), 4097, "one octet too many");
        }
    }
}
