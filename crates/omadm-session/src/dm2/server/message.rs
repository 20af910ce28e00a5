//! From an HTTP request to a decoded message, or the HTTP error that answers it.

use omadm_codec::dm2::{Alert, Initiation, Response};
use omadm_codec::media_type::{FORM_DATA, INITIATION_JSON, REQUEST_JSON, RESPONSE_JSON};
use omadm_codec::multipart::{self, Part};
use omadm_codec::{AcceptList, DecodeError, Leniency, Problem, Tolerance};
use omadm_mo::DeviceId;

use super::{Config, Incoming, Kind, Refusal, RequestHead};
use crate::dm2::media::media_type;

impl Refusal {
    pub(super) fn new(http_status: u16, reason: impl Into<String>) -> Self {
        Self { http_status, reason: reason.into(), allow: None, omadm_accept: false }
    }
}

/// Checks the head: 405, 400 (no or contradictory `OMADM-DevID`), 406, 415. Gives the DevID and the kind.
///
/// # Errors
/// The HTTP answer.
pub fn admit(head: &RequestHead<'_>) -> Result<(DeviceId, Kind), Refusal> {
    if head.method != "POST" {
        let reason = format!("{} is not for packages; they come by POST", head.method);
        return Err(Refusal { allow: Some("POST"), ..Refusal::new(405, reason) });
    }
    let device = device_id(head.device_ids)?;
    let accepts = head.accept.and_then(|text| AcceptList::parse(text).ok());
    if accepts.is_some_and(|list| list.quality(REQUEST_JSON) == 0) {
        let reason = format!("Accept of the request excludes {REQUEST_JSON}, the only form of a Package#2");
        return Err(Refusal::new(406, reason));
    }
    Ok((device, kind(head.content_type)?))
}

fn device_id(values: &[&str]) -> Result<DeviceId, Refusal> {
    let Some((first, rest)) = values.split_first() else {
        return Err(Refusal::new(400, "the header OMADM-DevID is missing"));
    };
    if rest.iter().any(|other| other != first) {
        return Err(Refusal::new(400, "the header OMADM-DevID is there twice with different values"));
    }
    DeviceId::parse(first).map_err(|error| Refusal::new(400, format!("OMADM-DevID: {error}")))
}

fn kind(content_type: Option<&str>) -> Result<Kind, Refusal> {
    let unsupported = |reason: String| Refusal { omadm_accept: true, ..Refusal::new(415, reason) };
    let written = content_type.ok_or_else(|| unsupported("the request has no Content-Type".into()))?;
    let media = media_type(written).map_err(unsupported)?;
    match media.essence.as_str() {
        INITIATION_JSON => Ok(Kind::Initiation),
        RESPONSE_JSON => Ok(Kind::Response),
        FORM_DATA => match media.parameter("boundary") {
            Some(boundary) => Ok(Kind::ResponseWithData { boundary: boundary.to_owned() }),
            None => Err(Refusal::new(400, "multipart/form-data without a boundary")),
        },
        other => Err(unsupported(format!("{other} is no package of a device"))),
    }
}

/// Decodes a body of this kind; also says which tolerances it made use of.
///
/// # Errors
/// 400 with offset and field; 413 over the limit; 415 where the first part is of another type is 400 (`DM 2.0 Appendix F`).
pub fn decode(config: &Config, kind: &Kind, body: &[u8]) -> Result<(Incoming, Vec<Tolerance>), Refusal> {
    let limit = config.limits.bytes;
    if body.len() > limit {
        return Err(Refusal::new(413, format!("the package is larger than {limit} bytes")));
    }
    let mut leniency = config.leniency();
    let incoming = match kind {
        Kind::Initiation => Incoming::Initiation(initiation(config, body, &mut leniency)?),
        Kind::Response => {
            Incoming::Response { response: response(config, body, &mut leniency)?, parts: Vec::new() }
        }
        Kind::ResponseWithData { boundary } => {
            let parts = multipart::decode(body, boundary, &config.limits, &mut leniency)
                .map_err(|error| malformed("the multipart body", &error))?;
            with_data(config, parts, &mut leniency)?
        }
    };
    Ok((incoming, leniency.used.into_iter().collect()))
}

fn with_data(config: &Config, parts: Vec<Part>, leniency: &mut Leniency) -> Result<Incoming, Refusal> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else {
        return Err(Refusal::new(400, "the multipart body has no part"));
    };
    let written = first.head.content_type.as_deref().unwrap_or("none");
    let essence = media_type(written).map(|media| media.essence);
    if essence.as_deref() != Ok(RESPONSE_JSON) {
        let reason = format!("Content-Type of the first part is {written}, not {RESPONSE_JSON}");
        return Err(Refusal::new(400, reason));
    }
    Ok(Incoming::Response { response: response(config, &first.body, leniency)?, parts: parts.collect() })
}

/// Every session start has an alert that says why (`DM 2.0 §5.2.2`), which the example of `DM 2.0 §I.1` does without.
fn initiation(config: &Config, body: &[u8], leniency: &mut Leniency) -> Result<Initiation, Refusal> {
    let initiation =
        Initiation::decode(body, &config.limits, leniency).map_err(|error| malformed("Package#1", &error))?;
    let says_why = initiation.alerts.iter().any(Alert::is_session_start);
    if !says_why && !leniency.allow(Tolerance::NoStartAlert) {
        return Err(Refusal::new(400, "Package#1 has no alert that says why the session starts"));
    }
    Ok(initiation)
}

fn response(config: &Config, body: &[u8], leniency: &mut Leniency) -> Result<Response, Refusal> {
    Response::decode(body, &config.limits, leniency).map_err(|error| malformed("Package#3", &error))
}

fn malformed(what: &str, error: &DecodeError) -> Refusal {
    let status = if matches!(error.problem, Problem::TooLarge { .. }) { 413 } else { 400 };
    Refusal::new(status, format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: RequestHead<'_> = RequestHead {
        method: "POST",
        device_ids: &["IMEI:493005100592800"],
        content_type: Some(INITIATION_JSON),
        accept: Some(REQUEST_JSON),
    };

    fn status(head: RequestHead<'_>) -> u16 {
        admit(&head).map_or_else(|refusal| refusal.http_status, |_| 200)
    }

    #[test]
    fn heads_are_checked() {
        assert_eq!(status(HEAD), 200);
        for method in ["GET", "PUT", "DELETE"] {
            let refusal = admit(&RequestHead { method, ..HEAD }).unwrap_err();
            assert_eq!((refusal.http_status, refusal.allow), (405, Some("POST")));
        }
        assert_eq!(status(RequestHead { device_ids: &[], ..HEAD }), 400);
        assert_eq!(status(RequestHead { device_ids: &["a", "b"], ..HEAD }), 400);
        assert_eq!(status(RequestHead { device_ids: &["a", "a"], ..HEAD }), 200);
        assert_eq!(status(RequestHead { device_ids: &["a b"], ..HEAD }), 400);
        assert_eq!(status(RequestHead { accept: Some("text/html"), ..HEAD }), 406);
        assert_eq!(status(RequestHead { accept: Some("*/*"), ..HEAD }), 200);
        assert_eq!(status(RequestHead { accept: None, ..HEAD }), 200);
        assert_eq!(status(RequestHead { content_type: None, ..HEAD }), 415);
        assert_eq!(status(RequestHead { content_type: Some("multipart/form-data"), ..HEAD }), 400);
        let refusal = admit(&RequestHead { content_type: Some("application/xml"), ..HEAD }).unwrap_err();
        assert_eq!((refusal.http_status, refusal.omadm_accept), (415, true));
    }

    #[test]
    fn the_kind_is_that_of_the_content_type() {
        let kind = |content_type| admit(&RequestHead { content_type: Some(content_type), ..HEAD }).unwrap().1;
        assert_eq!(kind("application/vnd.oma.dm.initiation+json; charset=utf-8"), Kind::Initiation);
        assert_eq!(kind("Application/vnd.oma.dm.Response+JSON"), Kind::Response);
        assert_eq!(
            kind("multipart/form-data; boundary=\"x y\""),
            Kind::ResponseWithData { boundary: "x y".into() }
        );
    }

    #[test]
    fn bodies_are_refused_by_kind_of_fault() {
        let config = Config::default();
        let refusal = |kind: &Kind, body: &[u8]| decode(&config, kind, body).unwrap_err().http_status;
        assert_eq!(refusal(&Kind::Initiation, b"[]"), 400);
        assert_eq!(refusal(&Kind::Initiation, b"{"), 400);
        assert_eq!(refusal(&Kind::Initiation, br#"{"MOS":{}}"#), 400);
        assert_eq!(refusal(&Kind::Response, b"{}"), 400);
        assert_eq!(refusal(&Kind::Response, &vec![b' '; config.limits.bytes + 1]), 413);
        let multipart = Kind::ResponseWithData { boundary: "b".into() };
        let other =
            b"--b\r\nContent-Disposition: form-data\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n";
        assert_eq!(refusal(&multipart, other), 400);
        assert_eq!(refusal(&multipart, b"--c\r\n\r\n"), 400);
    }

    #[test]
    fn a_start_without_its_alert_is_tolerated_and_told() {
        let strict = Config { strict: true, ..Config::default() };
        let other = br#"{"Alert":[{"AlertType":"urn:x:y"}]}"#.as_slice();
        for body in [b"{}".as_slice(), other] {
            let (_, used) = decode(&Config::default(), &Kind::Initiation, body).unwrap();
            assert_eq!(used, [Tolerance::NoStartAlert]);
            assert_eq!(decode(&strict, &Kind::Initiation, body).unwrap_err().http_status, 400);
        }
        for start in ["ServerInitiatedMgmt", "ClientInitiatedMgmt", "BootstrapComplete"] {
            let body = format!(
                r#"{{"Alert":[{{"AlertType":"urn:x:y"}},{{"AlertType":"urn:oma:at:dm:2.0:{start}"}}]}}"#
            );
            let (_, used) = decode(&strict, &Kind::Initiation, body.as_bytes()).unwrap();
            assert_eq!(used, []);
        }
    }

    #[test]
    fn a_named_first_part_is_tolerated_and_told() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"package\"\r\n\
            Content-Type: application/vnd.oma.dm.response+json\r\n\r\n{\"Status\":[]}\r\n--b--\r\n";
        let kind = Kind::ResponseWithData { boundary: "b".into() };
        let (_, used) = decode(&Config::default(), &kind, body).unwrap();
        assert_eq!(used, [Tolerance::NamedFirstPart]);
        let strict = Config { strict: true, ..Config::default() };
        assert_eq!(decode(&strict, &kind, body).unwrap_err().http_status, 400);
    }
}
