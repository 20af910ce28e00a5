//! Reads packages independently of the codec under test: plain JSON, the printed schemas, and a multipart splitter of its own.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::wire::Request;

/// The JSON schemas of `DM 2.0 §7.2.1`, as printed in the standard.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Schema {
    Package1,
    Package2,
    Package3,
    MoData,
}

impl Schema {
    /// Panics with every fault of `value`.
    pub fn check(self, value: &Value) {
        static ALL: LazyLock<[Validator; 4]> = LazyLock::new(|| {
            [
                include_str!("../../vectors/schema/package1.json"),
                include_str!("../../vectors/schema/package2.json"),
                include_str!("../../vectors/schema/package3.json"),
                include_str!("../../vectors/schema/mo_data.json"),
            ]
            .map(|text| {
                let schema = serde_json::from_str(text).expect("the schema is JSON");
                jsonschema::validator_for(&schema).expect("the schema is a schema")
            })
        });
        let faults: Vec<String> =
            ALL[self as usize].iter_errors(value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{self:?}: {faults:?} in {value}");
    }
}

/// `application/dmmo+json` of one item without DDF and CV.
#[must_use]
pub fn dmmo(address: &str, label: &str, content: Value) -> Value {
    serde_json::json!([{ "ClientURI": address, "MOData": { label: content } }])
}

/// A Package#1 that a scripted server received, valid by the schema.
#[derive(Clone, Debug)]
pub struct Package1 {
    /// The request that carried it.
    pub request: Request,
    /// The package.
    pub json: Value,
}

impl Package1 {
    /// Reads it out of a request.
    #[must_use]
    pub fn read(request: Request) -> Self {
        assert_eq!(request.header("content-type"), Some("application/vnd.oma.dm.initiation+json"));
        let json = request.json();
        Schema::Package1.check(&json);
        Self { request, json }
    }

    /// `AlertType` of every alert.
    #[must_use]
    pub fn alert_types(&self) -> Vec<&str> {
        alert_types(&self.json)
    }

    /// The MIIDs of a MOID in `MOS`; `None` if the MOID is not listed.
    #[must_use]
    pub fn miids(&self, moid: &str) -> Option<Vec<&str>> {
        let items = self.json["MOS"].as_array().expect("Package#1 has MOS");
        let item = items.iter().find(|item| item["MOID"] == moid)?;
        item["MIID"].as_array().expect("MIID is an array").iter().map(Value::as_str).collect()
    }
}

fn alert_types(package: &Value) -> Vec<&str> {
    let alerts = package["Alert"].as_array().map_or(&[][..], Vec::as_slice);
    alerts.iter().map(|alert| alert["AlertType"].as_str().expect("AlertType is a string")).collect()
}

/// A part of a multipart body.
#[derive(Clone, Debug)]
pub struct Part {
    /// `name` of `Content-Disposition: form-data`.
    pub name: Option<String>,
    /// `Content-Type`.
    pub content_type: String,
    /// The octets.
    pub body: Vec<u8>,
}

impl Part {
    /// The MO data in it, valid by the schema.
    pub fn items(&self) -> Vec<Value> {
        assert_eq!(self.content_type, "application/dmmo+json");
        let json: Value = serde_json::from_slice(&self.body).expect("the part is JSON");
        Schema::MoData.check(&json);
        json.as_array().expect("MO data is an array").clone()
    }

    /// The value of the only item: what stands behind its only label, or the text of a leaf that is embedded directly.
    #[must_use]
    pub fn value(&self) -> Value {
        if self.content_type != "application/dmmo+json" {
            return Value::String(String::from_utf8(self.body.clone()).expect("the leaf is text"));
        }
        let items = self.items();
        let [item] = items.as_slice() else { panic!("not one item but {items:?}") };
        let labels = item["MOData"].as_object().expect("MOData is an object");
        let mut values = labels.values();
        match (values.next(), values.next()) {
            (Some(value), None) => value.clone(),
            _ => panic!("not one label in {item}"),
        }
    }
}

/// A Package#3 that a scripted server received, valid by the schema.
#[derive(Clone, Debug)]
pub struct Package3 {
    /// The request that carried it.
    pub request: Request,
    /// The package itself.
    pub json: Value,
    /// The parts behind it, if it came as multipart.
    pub parts: Vec<Part>,
}

const RESPONSE: &str = "application/vnd.oma.dm.response+json";

impl Package3 {
    /// Reads it out of a request.
    #[must_use]
    pub fn read(request: Request) -> Self {
        let content_type = request.header("content-type").expect("Package#3 has a Content-Type").to_owned();
        let (json, parts) = if content_type == RESPONSE {
            (request.json(), Vec::new())
        } else {
            let boundary = boundary(&content_type).unwrap_or_else(|| panic!("no Package#3: {content_type}"));
            let mut parts = split(&request.body, boundary);
            let first = parts.remove(0);
            assert_eq!(first.content_type, RESPONSE, "the first encapsulation is Package#3");
            (serde_json::from_slice(&first.body).expect("Package#3 is JSON"), parts)
        };
        Schema::Package3.check(&json);
        Self { request, json, parts }
    }

    /// The status codes in order.
    #[must_use]
    pub fn statuses(&self) -> Vec<u64> {
        let statuses = self.json["Status"].as_array().expect("Status is an array");
        statuses.iter().map(|status| status["sc"].as_u64().expect("sc is a whole number")).collect()
    }

    /// `URI` of the status at `index`; empty if it has none.
    #[must_use]
    pub fn uris(&self, index: usize) -> Vec<&str> {
        let uris = self.json["Status"][index]["URI"].as_array().map_or(&[][..], Vec::as_slice);
        uris.iter().map(|uri| uri.as_str().expect("URI holds strings")).collect()
    }

    /// The part of the command at `index`.
    #[must_use]
    pub fn part(&self, index: usize) -> Option<&Part> {
        self.parts.iter().find(|part| part.name.as_deref() == Some(&index.to_string()))
    }

    /// The value that the GET at `index` brought.
    #[must_use]
    pub fn value(&self, index: usize) -> Value {
        self.part(index).unwrap_or_else(|| panic!("no part {index} in {:?}", self.parts)).value()
    }

    /// `AlertType` of every alert.
    #[must_use]
    pub fn alert_types(&self) -> Vec<&str> {
        alert_types(&self.json)
    }
}

/// The boundary of a `multipart/form-data` content type.
fn boundary(content_type: &str) -> Option<&str> {
    let parameters = content_type.strip_prefix("multipart/form-data")?;
    let boundary = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    Some(boundary.trim_matches('"'))
}

/// Splits a body by the letter of `RFC 2046 §5.1.1`: CRLF line ends, nothing but the delimiter on its line.
fn split(body: &[u8], boundary: &str) -> Vec<Part> {
    let delimiter = format!("\r\n--{boundary}");
    let body = [b"\r\n", body].concat();
    let mut cuts = find_all(&body, delimiter.as_bytes());
    let end = cuts.pop().expect("the body has delimiters");
    let closing = &body[end + delimiter.len()..];
    assert!(closing == b"--" || closing.starts_with(b"--\r\n"), "the last delimiter closes the body");
    let starts = cuts.clone();
    let ends = cuts.into_iter().skip(1).chain([end]);
    starts.into_iter().zip(ends).map(|(start, end)| part(&body[start + delimiter.len()..end])).collect()
}

fn find_all(body: &[u8], pattern: &[u8]) -> Vec<usize> {
    body.windows(pattern.len())
        .enumerate()
        .filter(|(_, window)| *window == pattern)
        .map(|(at, _)| at)
        .collect()
}

fn part(bytes: &[u8]) -> Part {
    let bytes = bytes.strip_prefix(b"\r\n").expect("a delimiter ends its line");
    let head_end =
        find_all(bytes, b"\r\n\r\n").first().copied().expect("an empty line ends the head of a part");
    let head = std::str::from_utf8(&bytes[..head_end]).expect("the head of a part is text");
    let field = |name: &str| {
        head.split("\r\n").filter_map(|line| line.split_once(':')).find_map(|(field, value)| {
            field.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let name = field("content-disposition").and_then(|value| {
        let parameters = value.strip_prefix("form-data")?.to_owned();
        let name =
            parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("name="))?.to_owned();
        Some(name.trim_matches('"').to_owned())
    });
    Part {
        name,
        content_type: field("content-type").expect("a part has a Content-Type"),
        body: bytes[head_end + 4..].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multipart_body_is_split_by_its_boundary() {
        let body = b"--b\r\nContent-Type: a/b\r\n\r\nfirst\r\n--b\r\nContent-Type: c/d\r\n\
            Content-Disposition: form-data; name=\"2\"\r\n\r\n\r\nx\r\n--b--\r\n";
        let parts = split(body, "b");
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[0].name.as_deref(), parts[0].body.as_slice()), (None, &b"first"[..]));
        assert_eq!((parts[1].name.as_deref(), parts[1].body.as_slice()), (Some("2"), &b"\r\nx"[..]));
        assert_eq!(boundary("multipart/form-data; boundary=\"b\""), Some("b"));
    }

    #[test]
    #[should_panic(expected = "Package3")]
    fn a_status_without_sc_is_against_the_schema() {
        Schema::Package3.check(&serde_json::json!({ "Status": [{ "URI": [] }] }));
    }
}
