//! Alerts of DM 1.x as alerts of DM 2.0 (`DM 2.0 §13.1`), and the other way.

#[cfg(feature = "dm1")]
use omadm_codec::dm1::Mark;
#[cfg(feature = "dm1")]
use omadm_codec::dm2::Alert;
use omadm_codec::dm2::alert::AlertData;
#[cfg(feature = "dm1")]
use omadm_mo::dm1::{Dm1Uri, UriLimits};
#[cfg(feature = "dm1")]
use omadm_mo::{Actor, ClientUri, Format, Tree, Value};
use serde_json::json;

#[cfg(feature = "dm1")]
use crate::dm1::GenericAlert;

const OPEN: &str = "<![CDATA[";
const CLOSE: &str = "]]>";

/// The content of the Data element of a DM 1.x alert, as the `DM1x` member of Data with the media type `data_type` (such as
/// `text/xml`). CDATA marking and white space around the whole are removed; the Correlator of DM 1.x has no place in DM 2.0: there
/// a server finds the command by SourceURI.
#[must_use]
pub fn dm1x_data(content: &str, data_type: &str) -> AlertData {
    AlertData {
        data_type: Some(data_type.to_owned()),
        data: json!({ "DM1x": without_cdata(content).trim() }),
    }
}

/// A result code that DM 1.x has as a number, as the `DM1x` member of Data (`DM 2.0 §13.1`).
#[must_use]
pub fn dm1x_code(code: u16) -> AlertData {
    AlertData { data_type: Some("int".to_owned()), data: json!({ "DM1x": code }) }
}

/// Format and `Data` of a Generic Alert of DM 1.x: what `DM1x` holds, else the JSON.
#[cfg(feature = "dm1")]
pub(crate) fn generic_data(AlertData { data_type, data }: &AlertData) -> (Format, Value) {
    let is_xml = data_type.as_deref().is_some_and(|of| of.ends_with("/xml") || of.ends_with("+xml"));
    let format = if is_xml { Format::Xml } else { Format::Chr };
    match data.get("DM1x") {
        Some(serde_json::Value::String(content)) => (format, Value::Text(content.clone())),
        Some(serde_json::Value::Number(number)) if number.is_i64() => {
            (Format::Int, Value::Int(number.as_i64().unwrap_or_default()))
        }
        _ => (Format::Chr, Value::Text(data.to_string())),
    }
}

/// An alert of DM 2.0 as one of DM 1.x: its addresses become those of the tree, where they lead to nodes.
#[cfg(feature = "dm1")]
pub(crate) fn to_generic(tree: &Tree, alert: Alert) -> GenericAlert {
    let Alert { alert_type, source, target, mark, data } = alert;
    let (format, data) = data.as_ref().map_or((Format::Chr, Value::Text(String::new())), generic_data);
    GenericAlert {
        alert_type,
        mark: Mark::parse(mark.as_str()).unwrap_or_default(),
        source: source.map(|address| in_tree(tree, address)),
        target: target.map(|address| in_tree(tree, address)),
        correlator: None,
        format,
        data,
    }
}

#[cfg(feature = "dm1")]
fn in_tree(tree: &Tree, address: String) -> String {
    let uri = ClientUri::parse_with(&address, &|moid| tree.catalogue().get(moid).is_some()).ok();
    let found = uri.and_then(|uri| tree.resolve(&Actor::Device, &uri).ok()).unwrap_or_default();
    match found.as_slice() {
        [only] => {
            let path = tree.node(only.node).map(|node| node.path()).unwrap_or_default();
            Dm1Uri::of_path(path, &UriLimits::default()).to_string()
        }
        _ => address,
    }
}

/// An alert of DM 1.x as one of DM 2.0; an address in the tree becomes that of its management object.
#[cfg(feature = "dm1")]
pub(crate) fn from_generic(tree: &Tree, alert: GenericAlert) -> Alert {
    let GenericAlert { alert_type, mark, source, target, correlator: _, format, data } = alert;
    let data_type = if format == Format::Xml { "text/xml" } else { "text/plain" };
    Alert {
        source: source.and_then(|address| in_object(tree, &address)),
        target: target.and_then(|address| in_object(tree, &address)),
        mark,
        data: Some(dm1x_data(&data.to_text(), data_type)),
        ..Alert::new(&alert_type)
    }
}

#[cfg(feature = "dm1")]
fn in_object(tree: &Tree, address: &str) -> Option<String> {
    let mut names = address.trim_start_matches("./").split('/');
    let node = names.try_fold(tree.root(), |node, name| node.child(name))?;
    tree.address_of(node.id()).map(|address| address.to_string())
}

fn without_cdata(content: &str) -> String {
    let mut plain = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, marked)) = rest.split_once(OPEN) {
        plain.push_str(before);
        // A section without its end takes everything.
        let (inside, after) = marked.split_once(CLOSE).unwrap_or((marked, ""));
        plain.push_str(inside);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "dm1")]
    #[test]
    fn a_code_is_a_number_for_either_protocol() {
        assert_eq!(generic_data(&dm1x_code(410)), (Format::Int, Value::Int(410)));
        let text = dm1x_data("<ResultCode>1200</ResultCode>", "text/xml");
        let content = Value::Text("<ResultCode>1200</ResultCode>".to_owned());
        assert_eq!(generic_data(&text), (Format::Xml, content));
        let own = AlertData { data_type: None, data: json!({ "sc": 200 }) };
        assert_eq!(generic_data(&own), (Format::Chr, Value::Text("{\"sc\":200}".to_owned())));
    }

    #[test]
    fn the_marking_goes_and_the_content_stays() {
        for (content, plain) in [
            ("<![CDATA[<a>1</a>]]>", "<a>1</a>"),
            ("\n <![CDATA[ <a>1</a> ]]>\n", "<a>1</a>"),
            ("x<![CDATA[y]]>z<![CDATA[]]>", "xyz"),
            ("<![CDATA[open", "open"),
            ("]]> plain", "]]> plain"),
            ("", ""),
        ] {
            assert_eq!(dm1x_data(content, "text/xml").data, json!({ "DM1x": plain }), "{content:?}");
        }
    }
}
