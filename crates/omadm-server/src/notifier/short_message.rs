//! WAP push in short messages, by a gateway that speaks HTTP or by SMPP.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use omadm_codec::sms::{self, Address, Ports, Reference, Submit, Tpdu, UserData, Validity};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::json;

use super::carrier::Failed;
use super::http::Http;
use super::smpp::{Message, Smpp};
use crate::ServerError;
use crate::config::{SmsGateway, SmsMethod, SmsSection};

/// How long the service centre tries: a day (`TS 23.040 §9.2.3.12.1`).
const DAY: Validity = Validity::Relative(167);

/// What carries short messages.
pub struct ShortMessages {
    gateway: Gateway,
    /// Tells messages of several parts apart.
    reference: AtomicU8,
}

enum Gateway {
    Http { url: String, method: SmsMethod },
    Smpp(Smpp),
}

impl ShortMessages {
    /// The gateway of the configuration, if there is one.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn new(settings: &SmsSection) -> Result<Option<Self>, ServerError> {
        let gateway = match settings.gateway {
            SmsGateway::None => None,
            SmsGateway::Http => {
                settings.url.clone().map(|url| Gateway::Http { url, method: settings.method })
            }
            SmsGateway::Smpp => Some(Gateway::Smpp(Smpp::new(settings)?)),
        };
        Ok(gateway.map(|gateway| Self { gateway, reference: AtomicU8::new(0) }))
    }

    /// Hands over a push, in as many parts as it takes.
    pub async fn send(&self, http: &Http, to: &Address, push: &[u8]) -> Result<String, Failed> {
        let reference = Reference::Short(self.reference.fetch_add(1, Ordering::Relaxed));
        let parts =
            sms::split(push, Ports::PUSH, reference).map_err(|error| Failed::with(error.to_string()))?;
        let count = parts.len();
        for part in parts {
            match &self.gateway {
                Gateway::Http { url, method } => by_http(http, url, *method, to, part).await?,
                Gateway::Smpp(smpp) => {
                    let mut data = part.header();
                    data.extend_from_slice(part.payload());
                    smpp.submit(Message { to: to.to_string(), data }).await?;
                }
            }
        }
        Ok(format!("{count} short message(s)"))
    }
}

async fn by_http(
    http: &Http,
    url: &str,
    method: SmsMethod,
    to: &Address,
    part: UserData,
) -> Result<(), Failed> {
    let request =
        request(url, method, to, part).map_err(|error| Failed::with(format!("sms.url: {error}")))?;
    let (status, _, body) = http.send(request).await?;
    if status.is_success() {
        return Ok(());
    }
    let said: String = String::from_utf8_lossy(&body).chars().filter(|c| !c.is_control()).take(200).collect();
    Err(Failed::with(format!("the SMS gateway answered {status}: {said}")))
}

fn request(
    url: &str,
    method: SmsMethod,
    to: &Address,
    part: UserData,
) -> Result<Request<http_body_util::Full<bytes::Bytes>>, http::Error> {
    let number = to.to_string();
    let (udh, data) = (part.header(), part.payload().to_vec());
    let submit = Submit {
        reference: 0,
        destination: to.clone(),
        validity: Some(DAY),
        status_report: false,
        data: part,
    };
    let mut tpdu = Vec::new();
    Tpdu::Submit(submit).encode(&mut tpdu);
    let octets = |octets: &[u8]| percent_encode(octets, NON_ALPHANUMERIC).to_string();
    let uri = url
        .replace("{to}", &octets(number.as_bytes()))
        .replace("{udh}", &octets(&udh))
        .replace("{data}", &octets(&data))
        .replace("{pdu}", &hex(&tpdu));
    match method {
        SmsMethod::Get => Request::get(uri).body(bytes::Bytes::new().into()),
        SmsMethod::Post => {
            let body = json!({ "to": number, "udh": hex(&udh), "data": hex(&data), "pdu": hex(&tpdu) });
            let json = HeaderValue::from_static("application/json");
            Request::post(uri).header(CONTENT_TYPE, json).body(body.to_string().into_bytes().into())
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a string cannot fail.
        let _written = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> UserData {
        UserData::new(Some(Ports::PUSH), None, vec![0x01, 0x06, b'A']).unwrap()
    }

    #[test]
    fn a_url_gets_the_message_as_kannel_takes_it() {
        let to = Address::parse("+46701").unwrap();
        let url = "http://gw.example/cgi-bin/sendsms?to={to}&udh={udh}&text={data}&coding=1";
        let made = request(url, SmsMethod::Get, &to, part()).unwrap();
        let expected = "/cgi-bin/sendsms?to=%2B46701&udh=%06%05%04%0B%84%23%F0&text=%01%06A&coding=1";
        assert_eq!(made.uri().path_and_query().unwrap(), expected);
    }

    #[test]
    fn a_post_says_all_in_json() {
        let to = Address::parse("+46701").unwrap();
        let made = request("http://gw.example/sms", SmsMethod::Post, &to, part()).unwrap();
        assert_eq!((made.method().as_str(), made.uri().path()), ("POST", "/sms"));
        let body = format!("{:?}", made.body());
        for expected in ["+46701", "0605040b8423f0", "010641", "510005916407f1", "a70a0605040b8423f0010641"] {
            assert!(body.contains(expected), "{expected} in {body}");
        }
    }
}
