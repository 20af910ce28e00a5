//! The value of a leaf on its way from an operator to a device: in the format of the DDF where that is known, and in the forms in
//! which the Data Repository offers it (`DM 2.0 §5.3.1`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_codec::dm2::{MoItem, mo_data};
use omadm_codec::media_type;
use omadm_mo::ddf::DdfNode;
use omadm_mo::{ClientUri, Content, DeviceId, Format, Segment, Value, ValueError};
use omadm_store::Payload;
use serde_json::Value as Json;
use uuid::Uuid;

/// Octets and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Media type.
    pub content_type: String,
    /// The octets.
    pub octets: Vec<u8>,
}

impl Body {
    /// As it is kept for a device.
    pub fn into_payload(self, device: &DeviceId) -> Payload {
        let Self { content_type, octets } = self;
        Payload { id: Uuid::now_v7(), device: device.clone(), content_type, body: octets }
    }
}

/// The value that a leaf is to have.
#[derive(Clone, Debug, PartialEq)]
pub struct LeafValue {
    json: Json,
    text: String,
    model: Option<Model>,
}

/// What the DDF says about the leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its format.
    pub format: Format,
    /// The first of its MIME types.
    pub mime: Option<String>,
}

/// The forms of one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forms {
    /// All of them mean the same to the device: it may choose.
    pub equal: Vec<Body>,
    /// Served only to a device that takes none of the others: it may mean something else by it.
    pub last_resort: Option<Body>,
}

impl LeafValue {
    /// A value as an operator gives it: a string, number or bool. `model` is what it was brought into the format of, if it was;
    /// in the format null it is null.
    ///
    /// # Errors
    /// When it is something else.
    pub fn new(json: Json, model: Option<Model>) -> Result<Self, String> {
        let text = match &json {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            Json::Bool(flag) => flag.to_string(),
            Json::Null if model.as_ref().is_some_and(|model| model.format == Format::Null) => String::new(),
            Json::Null | Json::Array(_) | Json::Object(_) => {
                return Err("\"value\" has to be a string, a number or a bool".into());
            }
        };
        Ok(Self { json, text, model })
    }

    /// In JSON.
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// The textual form.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The textual form.
    pub fn into_text(self) -> String {
        self.text
    }

    /// What the DDF says about the leaf, if it was asked.
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// The value for a leaf that the DDF describes: `"5"` becomes 5 where that is an int. Octets are written in base64, as the last
    /// known tree shows them.
    ///
    /// # Errors
    /// When it is no value of the leaf's format.
    pub fn for_node(&self, node: &DdfNode) -> Result<Self, ValueError> {
        let value = Value::from_text(node.format, &self.text)?;
        let model = Model { format: node.format, mime: node.mime_types().next().map(str::to_owned) };
        Ok(Self { json: json_value(&value), text: value.to_text(), model: Some(model) })
    }

    /// The forms in which a device can have the value for the leaf at `address`.
    pub fn forms(&self, address: &str) -> Forms {
        let plain = Body { content_type: text_type(&self.text), octets: self.text.clone().into_bytes() };
        let mo_data = self.mo_data(address);
        let Some(Model { format, mime }) = &self.model else {
            // Without the DDF nobody knows whether the leaf wants the number 42 or the text "42", or text in base64.
            return Forms { equal: vec![plain], last_resort: mo_data };
        };
        let direct = match &self.value() {
            Some(Value::Bytes(octets)) => {
                let content_type = mime.clone().unwrap_or_else(|| media_type::OCTET_STREAM.into());
                vec![Body { content_type, octets: octets.clone() }]
            }
            _ if *format == Format::Null => Vec::new(),
            _ => match mime {
                Some(mime) if !mime.eq_ignore_ascii_case(media_type::TEXT_PLAIN) => {
                    vec![Body { content_type: mime.clone(), octets: plain.octets.clone() }, plain]
                }
                Some(_) | None => vec![plain],
            },
        };
        Forms { equal: direct.into_iter().chain(mo_data).collect(), last_resort: None }
    }

    /// The value in the format of the DDF.
    pub fn value(&self) -> Option<Value> {
        Value::from_text(self.model.as_ref()?.format, &self.text).ok()
    }

    /// As `application/dmmo+json` with the address as it was given; `None` if that does not tell the name of the leaf, the label.
    fn mo_data(&self, address: &str) -> Option<Body> {
        let uri = ClientUri::parse(address).ok()?;
        let Some(Segment::Name(name)) = uri.path.last() else { return None };
        let item = MoItem {
            ddf: None,
            client_uri: address.to_owned(),
            cv: None,
            label: name.as_str().to_owned(),
            content: Content::Leaf(self.value().or_else(|| natural(&self.json))?),
        };
        let mut octets = Vec::new();
        mo_data::encode(&[item], &mut octets);
        Some(Body { content_type: media_type::DMMO_JSON.into(), octets })
    }
}

/// A string, number or bool as what it is in JSON.
pub fn natural(json: &Json) -> Option<Value> {
    match json {
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Number(number) => number.as_i64().map(Value::Int).or_else(|| number.as_f64().map(Value::Float)),
        Json::Bool(flag) => Some(Value::Bool(*flag)),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// A leaf's value in JSON: octets as base64.
pub fn json_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::from(*flag),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Bytes(octets) => Json::from(STANDARD.encode(octets)),
    }
}

/// `text/plain`, with the character set where it matters.
fn text_type(text: &str) -> String {
    let suffix = if text.is_ascii() { "" } else { "; charset=utf-8" };
    format!("{}{suffix}", media_type::TEXT_PLAIN)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ADDRESS: &str = "urn:oma:mo:x:1.0//a/n%20m";

    fn shown(bodies: &[Body]) -> Vec<(String, String)> {
        let text = |body: &Body| String::from_utf8(body.octets.clone()).unwrap();
        bodies.iter().map(|body| (body.content_type.clone(), text(body))).collect()
    }

    fn with(json: Json, model: Option<(Format, Option<&str>)>) -> LeafValue {
        let model = model.map(|(format, mime)| Model { format, mime: mime.map(str::to_owned) });
        LeafValue::new(json, model).unwrap()
    }

    fn data(value: &str) -> String {
        format!(r#"[{{"ClientURI":"{ADDRESS}","MOData":{{"n m":{value}}}}}]"#)
    }

    #[test]
    fn without_a_ddf_text_is_what_is_meant() {
        for (value, kind, text, json) in [
            (json!("de"), "text/plain", "de", r#""de""#),
            (json!("grün"), "text/plain; charset=utf-8", "grün", r#""grün""#),
            (json!(-5), "text/plain", "-5", "-5"),
            (json!(true), "text/plain", "true", "true"),
        ] {
            let forms = with(value, None).forms(ADDRESS);
            assert_eq!(shown(&forms.equal), [(kind.to_owned(), text.to_owned())]);
            let last = shown(forms.last_resort.as_slice());
            assert_eq!(last, [("application/dmmo+json".to_owned(), data(json))]);
        }
        for bad in [json!(null), json!([]), json!({})] {
            assert!(LeafValue::new(bad, None).is_err());
        }
    }

    #[test]
    fn with_a_ddf_every_form_has_its_format() {
        for (value, model, direct, json) in [
            (json!(5), (Format::Int, None), vec![("text/plain", "5")], "5"),
            (json!("text"), (Format::Chr, Some("text/plain")), vec![("text/plain", "text")], r#""text""#),
            (
                json!("<a/>"),
                (Format::Xml, Some("text/xml")),
                vec![("text/xml", "<a/>"), ("text/plain", "<a/>")],
                r#""<a/>""#,
            ),
            (json!("eHl6"), (Format::Bin, None), vec![("application/octet-stream", "xyz")], r#""eHl6""#),
            (json!("eHl6"), (Format::B64, Some("image/png")), vec![("image/png", "xyz")], r#""eHl6""#),
        ] {
            let forms = with(value, Some(model)).forms(ADDRESS);
            let mut expected: Vec<_> =
                direct.iter().map(|(kind, text)| ((*kind).to_owned(), (*text).to_owned())).collect();
            expected.push(("application/dmmo+json".to_owned(), data(json)));
            assert_eq!((shown(&forms.equal), forms.last_resort), (expected, None));
        }
    }

    #[test]
    fn an_address_without_the_name_of_the_leaf_is_text_only() {
        let forms = with(json!("x"), None).forms("urn:x/i/a/(x)?nv=(x)/b:c");
        assert_eq!((forms.equal.len(), forms.last_resort), (1, None));
    }
}
