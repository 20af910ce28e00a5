//! What a nasty device of DM 2.0 does with its packages: each trick makes another request of a good one.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};
use omadm_client::HttpRequest;
use omadm_codec::media_type::{RESPONSE_JSON, TEXT_PLAIN};
use serde_json::{Value, json};

use super::chance::garbled;

/// Who the device is (`DM 2.0 §5.2.2`).
const DEVICE_ID: HeaderName = HeaderName::from_static("omadm-devid");
/// How deep the lists of [`Trick::Deep`] stand in each other.
const DEPTH: usize = 100_000;
/// Octets of [`Trick::Oversized`]: more than servers take unless they are told to.
const TOO_MANY: usize = (1 << 20) + 1;
/// Alerts and statuses of [`Trick::ManyAlerts`] and [`Trick::ManyStatuses`].
const MANY: usize = 5_000;

/// A trick. Those of the network are played by [`super::transport::Nasty`] itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    /// The same package once more.
    Repeated,
    /// The answer does not arrive.
    ReplyLost,
    /// The package before, after this one.
    Late,
    Truncated,
    Garbled,
    Empty,
    Oversized,
    WrongType,
    WrongMethod,
    WrongAccept,
    /// No `OMADM-DevID`.
    Nobody,
    /// The `OMADM-DevID` of another device.
    Somebody,
    Deep,
    /// JSON that is no object.
    NoObject,
    /// Members that nobody knows, and members twice.
    StrangeMembers,
    /// Statuses that are no numbers, negative, and huge.
    StrangeStatuses,
    ManyStatuses,
    /// Alerts of types that do not exist, and of none.
    StrangeAlerts,
    ManyAlerts,
    /// No text.
    NoText,
    /// An answer where nothing was asked, and the other way round.
    OtherPackage,
}

impl Trick {
    /// All of them, in the order in which they are played.
    pub const ALL: [Self; 21] = [
        Self::Repeated,
        Self::ReplyLost,
        Self::Late,
        Self::Truncated,
        Self::Garbled,
        Self::Empty,
        Self::Oversized,
        Self::WrongType,
        Self::WrongMethod,
        Self::WrongAccept,
        Self::Nobody,
        Self::Somebody,
        Self::Deep,
        Self::NoObject,
        Self::StrangeMembers,
        Self::StrangeStatuses,
        Self::ManyStatuses,
        Self::StrangeAlerts,
        Self::ManyAlerts,
        Self::NoText,
        Self::OtherPackage,
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
            Self::Oversized => "too large",
            Self::WrongType => "wrong Content-Type",
            Self::WrongMethod => "wrong method",
            Self::WrongAccept => "wrong Accept",
            Self::Nobody => "OMADM-DevID missing",
            Self::Somebody => "OMADM-DevID of another device",
            Self::Deep => "deep nesting",
            Self::NoObject => "no JSON object",
            Self::StrangeMembers => "unknown and doubled members",
            Self::StrangeStatuses => "statuses that are none",
            Self::ManyStatuses => "statuses of what was not asked",
            Self::StrangeAlerts => "unknown alerts",
            Self::ManyAlerts => "very many alerts",
            Self::NoText => "no UTF-8",
            Self::OtherPackage => "the other package",
        }
    }

    /// The request that is sent before the good one; `None` where the trick is none with this package. `chance` is any number.
    pub fn play(self, good: &HttpRequest, chance: u64) -> Option<HttpRequest> {
        let with = |body: Vec<u8>| Some(HttpRequest { body: body.into(), ..good.clone() });
        let header = |name: HeaderName, value: Option<&'static str>| {
            let mut request = good.clone();
            match value {
                Some(value) => drop(request.headers.insert(name, HeaderValue::from_static(value))),
                None => drop(request.headers.remove(name)),
            }
            Some(request)
        };
        let is_first = good.body.windows(7).all(|octets| octets != b"\"Status");
        match self {
            Self::Repeated | Self::ReplyLost | Self::Late => None,
            Self::Truncated => with(good.body.iter().copied().take(good.body.len() / 2).collect()),
            Self::Garbled => with(garbled(&good.body, chance)),
            Self::Empty => with(Vec::new()),
            Self::Oversized => with(vec![b' '; TOO_MANY]),
            Self::WrongType => header(CONTENT_TYPE, Some(TEXT_PLAIN)),
            Self::WrongMethod => Some(HttpRequest { method: Method::PUT, ..good.clone() }),
            Self::WrongAccept => header(ACCEPT, Some("image/png")),
            Self::Nobody => header(DEVICE_ID, None),
            Self::Somebody => header(DEVICE_ID, Some("SIM:somebody-else")),
            Self::Deep => with("{\"Alert\":".bytes().chain("[".repeat(DEPTH).bytes()).collect()),
            Self::NoObject => with(b"[1,2,3]".to_vec()),
            Self::StrangeMembers => with(br#"{"Alert":[],"Alert":[],"Root":{"is":"mine"}}"#.to_vec()),
            Self::StrangeStatuses if is_first => None,
            Self::StrangeStatuses => with(
                json!({ "Status": [{ "sc": "200" }, { "sc": -1 }, { "sc": 1e300 }, 7] }).to_string().into(),
            ),
            Self::ManyStatuses if is_first => None,
            Self::ManyStatuses => with(many("Status", json!({ "sc": 200 }))),
            Self::StrangeAlerts => with(
                json!({ "Alert": [{ "AlertType": "" }, { "AlertType": 7 }, {}, "x"] }).to_string().into(),
            ),
            Self::ManyAlerts => with(many("Alert", json!({ "AlertType": "urn:example:at:many" }))),
            Self::NoText => with(b"{\"Alert\":[{\"AlertType\":\"\xff\xfe\"}]}".to_vec()),
            Self::OtherPackage => {
                let mut request = header(CONTENT_TYPE, Some(RESPONSE_JSON)).filter(|_| is_first)?;
                request.body = json!({ "Status": [{ "sc": 200 }] }).to_string().into();
                Some(request)
            }
        }
    }
}

fn many(name: &str, item: Value) -> Vec<u8> {
    json!({ name: vec![item; MANY] }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Uri};

    use super::*;

    fn good(body: Value) -> HttpRequest {
        let headers = [(DEVICE_ID, "SIM:1"), (CONTENT_TYPE, "x/y"), (ACCEPT, "a/b")];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        HttpRequest {
            method: Method::POST,
            uri: Uri::from_static("https://a.example/dm/2.0"),
            headers: HeaderMap::from_iter(headers),
            body: body.to_string().into(),
            answer_limit: 1,
            identity: None,
        }
    }

    #[test]
    fn every_trick_makes_another_request_of_some_package() {
        let packages = [
            good(json!({ "Alert": [{ "AlertType": "urn:oma:at:dm:2.0:ClientInitiatedMgmt" }] })),
            good(json!({ "Status": [{ "sc": 200, "more": "x".repeat(100) }] })),
        ];
        for trick in Trick::ALL {
            let of_network = matches!(trick, Trick::Repeated | Trick::ReplyLost | Trick::Late);
            let played: Vec<_> =
                packages.iter().filter_map(|good| Some((good, trick.play(good, 7)?))).collect();
            assert_eq!(played.is_empty(), of_network, "{trick:?}");
            for (good, played) in played {
                let same = played.body == good.body
                    && played.method == good.method
                    && played.headers == good.headers;
                assert!(!same, "{trick:?}");
            }
        }
    }
}
