//! OTA-HTTP push (`WAP-235 §7`): the response of HTTP that nests in a push, and what terminal and gateway tell each other in headers.
//!
//! The text of the specification is not public; what is known of it stands here alone.

use omadm_mo::{Civil, Time};

use crate::Limits;
use crate::error::{DecodeError, Problem};
use crate::head::{self, Field};
use crate::wsp::{DM_APPLICATION, DM_APPLICATION_CODE};

/// Where a terminal takes pushes.
pub const PATH: &str = "/wappush";
/// Media type of a nested response.
pub const NESTED: &str = "application/http";
/// The version that both sides name in [`VERSION_HEADER`].
pub const VERSION: &str = "1.0";
/// Names the version.
pub const VERSION_HEADER: &str = "X-Wap-Push-OTA-Version";
/// Says for which application a push is.
pub const APPLICATION_ID: &str = "X-Wap-Application-Id";
/// The terminal's name for what it can do: it changes with that.
pub const CPI_TAG: &str = "X-Wap-CPITag";
/// What became of a push, or of a registration.
pub const STATUS_HEADER: &str = "X-Wap-Push-Status";
/// Who the terminal is.
pub const TERMINAL_ID: &str = "X-Wap-Terminal-ID";
/// Applications of the terminal.
pub const ACCEPT_APPLICATION: &str = "X-Wap-Push-Accept-AppID";
/// Media types that the terminal takes.
pub const ACCEPT: &str = "X-Wap-Push-Accept";
/// Most octets that the terminal takes.
pub const MAX_SIZE: &str = "X-Wap-Push-MaxMsgSize";
/// Most requests that the terminal takes at a time.
pub const MAX_REQUESTS: &str = "X-Wap-Push-Accept-MaxPushReq";
/// Challenge of the terminal, beside `WWW-Authenticate`.
pub const AUTHENTICATE: &str = "X-Wap-Authenticate";
/// Answer to [`AUTHENTICATE`], beside `Authorization`.
pub const AUTHORIZATION: &str = "X-Wap-Authorization";

/// `X-Wap-Push-Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PushStatus(pub u16);

impl PushStatus {
    /// The push is for an application that is not there (EC).
    pub const NO_APPLICATION: Self = Self(236);
    /// There is no room for it now (ED).
    pub const NO_ROOM: Self = Self(237);
    /// Its content type cannot be processed (EE).
    pub const NO_TYPE: Self = Self(238);
    /// The sender has an old CPI tag.
    pub const STALE: Self = Self(256);
    /// Accepted.
    pub const ACCEPTED: Self = Self(400);
    /// Registration: nothing has changed since.
    pub const UNCHANGED: Self = Self(500);
    /// Registration: here is what the terminal can do.
    pub const REGISTERED: Self = Self(501);

    /// Reads a value: a number, after which a text may stand.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.split([' ', '\t', ',', ';']).next()?;
        digits.parse().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit())).map(Self)
    }

    /// Whether it is a success: 4xx or 5xx.
    #[must_use]
    pub fn is_success(self) -> bool {
        (400..600).contains(&self.0)
    }

    /// What it says, for people.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self.0 {
            235 => "the user has refused it",
            236 => "there is no such application on the device",
            237 => "the device has no room for it now",
            238 => "the device does not know its content type",
            256 => "the device has changed since it was registered",
            _ if self.is_success() => "taken",
            _ => "refused",
        }
    }
}

/// The response that nests in a push: what the device would have got if it had asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nested {
    /// Its status code.
    pub status: u16,
    /// Its fields but `Content-Length`.
    pub fields: Vec<Field>,
    /// What is pushed.
    pub body: Vec<u8>,
}

impl Nested {
    /// The response for content of this type; `application` is the value of [`APPLICATION_ID`].
    #[must_use]
    pub fn new(content_type: &str, application: Option<&str>, body: &[u8]) -> Self {
        let mut fields = vec![Field::new("Content-Type", content_type)];
        fields.extend(application.map(|application| Field::new(APPLICATION_ID, application)));
        Self { status: 200, fields, body: body.to_vec() }
    }

    /// With another field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push(Field::new(name, value));
        self
    }

    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.is(name)).map(Field::value)
    }

    /// Appends it, with `Content-Length`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let reason = if self.status == 200 { "OK" } else { "" };
        out.extend_from_slice(format!("HTTP/1.1 {:03} {reason}\r\n", self.status).as_bytes());
        self.fields.iter().for_each(|field| field.encode(out));
        out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
        out.extend_from_slice(&self.body);
    }

    /// Reads the body of type [`NESTED`]. Without `Content-Length` all that follows is the content.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn decode(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let limit = limits.bytes;
        if input.len() > limit {
            return Err(DecodeError { at: limit, field: "message", problem: Problem::TooLarge { limit } });
        }
        let head = head::read(input, limits)?;
        let status = status(head.start)?;
        if head.content_type()?.is_none() {
            return Err(DecodeError { at: head.length, field: "Content-Type", problem: Problem::Missing });
        }
        head.one(APPLICATION_ID)?;
        let body = input.get(head.length..).unwrap_or_default();
        if let Some(length) = head.content_length()?
            && length != body.len()
        {
            let problem = if length > body.len() { Problem::Short } else { Problem::Trailing };
            let at = head.length + length.min(body.len());
            return Err(DecodeError { at, field: "Content-Length", problem });
        }
        if let Some((at, _)) = head.one("Transfer-Encoding")? {
            let problem = Problem::Schema("a nested response is not encoded for transfer".into());
            return Err(DecodeError { at: *at, field: "Transfer-Encoding", problem });
        }
        let body = body.to_vec();
        let fields = head.fields.into_iter().map(|(_, field)| field);
        Ok(Self { status, fields: fields.filter(|field| !field.is("Content-Length")).collect(), body })
    }
}

/// The status of `HTTP/1.1 200 OK`.
fn status(line: &str) -> Result<u16, DecodeError> {
    let problem = || Problem::Syntax("not a status line of HTTP".into());
    let error = || DecodeError { at: 0, field: "status line", problem: problem() };
    let rest = line.strip_prefix("HTTP/1.").ok_or_else(error)?;
    let (version, rest) = rest.split_once(' ').ok_or_else(error)?;
    let code = rest.split(' ').next().filter(|code| code.len() == 3);
    let code = code.and_then(|code| code.parse().ok()).filter(|code| (100..600).contains(code));
    if !matches!(version, "0" | "1") || line.contains('\t') {
        return Err(error());
    }
    code.ok_or_else(error)
}

/// The time of a `Date` field: `Sat, 21 Nov 2026 12:00:00 GMT` (`RFC 9110 §5.6.7`), which SIP writes alike. `None` for other forms.
#[must_use]
pub fn date(text: &str) -> Option<Time> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = text.trim().split(' ').collect();
    let [_weekday, day, month, year, clock, "GMT"] = words.as_slice() else { return None };
    let digits = |text: &str, count: usize| {
        let legal = text.len() == count && text.bytes().all(|digit| digit.is_ascii_digit());
        if legal { text.parse::<u16>().ok() } else { None }
    };
    let two = |text: &str| u8::try_from(digits(text, 2)?).ok();
    let mut clock = clock.split(':');
    let (hour, minute, second) = (two(clock.next()?)?, two(clock.next()?)?, two(clock.next()?)?);
    let month = MONTHS.iter().position(|name| name == month)?;
    Time::from_civil(Civil {
        year: digits(year, 4)?.into(),
        month: u8::try_from(month + 1).ok()?,
        day: two(day)?,
        hour,
        minute,
        second,
    })
}

/// Whether a value of [`APPLICATION_ID`] names the DM application: by its URN, by that without its scheme, or by its number.
#[must_use]
pub fn is_dm_application(value: &str) -> bool {
    let value = value.split(';').next().unwrap_or_default().trim();
    let short = DM_APPLICATION.rsplit_once(':').map_or(DM_APPLICATION, |(_, short)| short);
    value.eq_ignore_ascii_case(DM_APPLICATION)
        || value.eq_ignore_ascii_case(short)
        || value.parse() == Ok(DM_APPLICATION_CODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.syncml.notification\r\n\
        X-Wap-Application-Id: x-wap-application:syncml.dm\r\nContent-Length: 3\r\n\r\n\r\n\0";

    fn decode(text: &str) -> Result<Nested, DecodeError> {
        Nested::decode(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn a_nested_response_is_read_as_written() {
        let nested = decode(NESTED).unwrap();
        assert_eq!(nested.status, 200);
        assert_eq!(nested.body, b"\r\n\0");
        assert!(nested.field("x-wap-application-id").is_some_and(is_dm_application));
        let made = Nested::new(
            "application/vnd.syncml.notification",
            Some("x-wap-application:syncml.dm"),
            b"\r\n\0",
        );
        assert_eq!(made, nested);
        let mut octets = Vec::new();
        made.encode(&mut octets);
        assert_eq!(String::from_utf8(octets).unwrap(), NESTED);
        assert_eq!(decode(&NESTED.replace("Content-Length: 3\r\n", "")), Ok(made), "all that follows");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, field, problem) in [
            ("HTTP/1.1 200 OK", "POST / HTTP/1.1", "status line", "status line"),
            ("HTTP/1.1 200 OK", "HTTP/2.0 200 OK", "status line", "status line"),
            ("HTTP/1.1 200 OK", "HTTP/1.1 2000 OK", "status line", "status line"),
            ("HTTP/1.1 200 OK", "HTTP/1.1 099 OK", "status line", "status line"),
            ("Content-Type: application/vnd.syncml.notification\r\n", "", "Content-Type", "missing"),
            ("Content-Type: application/", "Content-Type: ", "media type", "type/subtype"),
            ("Length: 3", "Length: 4", "Content-Length", "early"),
            ("Length: 3", "Length: 2", "Content-Length", "after the end"),
            ("Length: 3", "Length: 0x3", "Content-Length", "number"),
            ("Length: 3", "Length: 3\r\nContent-Length: 3", "Content-Length", "twice"),
            ("Content-Length: 3", "Transfer-Encoding: chunked", "Transfer-Encoding", "not encoded"),
            (
                "X-Wap-Application-Id: ",
                "X-Wap-Application-Id: 7\r\nX-WAP-Application-Id: ",
                "X-Wap-Application-Id",
                "twice",
            ),
            ("\r\n\r\n\r\n\0", "\r\n", "head", "early"),
        ] {
            let text = NESTED.replacen(from, to, 1);
            assert_ne!(text, NESTED, "{from:?}");
            let error = decode(&text).unwrap_err();
            assert_eq!(error.field, field, "{to:?}: {error}");
            assert!(error.to_string().contains(problem), "{to:?}: {error}");
        }
        let limits = Limits { bytes: NESTED.len(), ..Limits::default() };
        assert!(Nested::decode(NESTED.as_bytes(), &limits).is_ok());
        let limit = NESTED.len() - 1;
        let error = Nested::decode(NESTED.as_bytes(), &Limits { bytes: limit, ..limits }).unwrap_err();
        assert_eq!(error.problem, Problem::TooLarge { limit });
    }

    #[test]
    fn statuses_of_push_have_their_class() {
        for (text, status) in [("400", 400), ("400 accepted", 400), ("256;x", 256), ("501, new", 501)] {
            assert_eq!(PushStatus::parse(text), Some(PushStatus(status)), "{text}");
        }
        for none in ["", "accepted", "+400", "99999999"] {
            assert_eq!(PushStatus::parse(none), None, "{none}");
        }
        let successes = [(399, false), (400, true), (599, true), (600, false), (256, false), (238, false)];
        for (status, success) in successes {
            assert_eq!(PushStatus(status).is_success(), success, "{status}");
        }
        assert_eq!(PushStatus::NO_TYPE.meaning(), "the device does not know its content type");
    }

    #[test]
    fn dates_are_read() {
        let time = date("Sat, 21 Nov 2026 12:00:01 GMT").unwrap();
        assert_eq!(time, Time::from_secs(1_795_262_401));
        for none in [
            "",
            "Sat, 21 Nov 2026 12:00:01 CET",
            "Sat, 31 Nov 2026 12:00:01 GMT",
            "Sat, 21 nov 2026 12:00:01 GMT",
            "Sat, 21 Nov 26 12:00:01 GMT",
            "Sat, +1 Nov 2026 12:00:01 GMT",
            "Sat, 21 Nov 2026 24:00:01 GMT",
            "Sat, 21 Nov 2026 12:00 GMT",
        ] {
            assert_eq!(date(none), None, "{none}");
        }
    }

    #[test]
    fn the_dm_application_has_several_names() {
        for ours in ["x-wap-application:syncml.dm", "X-WAP-Application:SyncML.DM", "syncml.dm", "7", "7;x=y"]
        {
            assert!(is_dm_application(ours), "{ours}");
        }
        for other in ["", "x-wap-application:mms.ua", "4", "70", "dm"] {
            assert!(!is_dm_application(other), "{other}");
        }
    }
}
