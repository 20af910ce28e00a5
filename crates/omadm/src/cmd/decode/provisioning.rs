//! Provisioning documents: bootstraps of DM 1.x in the CP profile.

use omadm_codec::dm1::Encoding;
use omadm_codec::provisioning::{Characteristic, Entry, ProvisioningDocument};
use omadm_codec::{DecodeError, Leniency};
use serde_json::{Value, json};

use super::kind::encoding;
use super::{Decoded, Outline, limits};

/// What a file of a secured bootstrap begins with, in any letter case.
const HEAD: &[u8] = b"content-type:";

/// A document in XML or WBXML.
pub fn document(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let document = match encoding(input) {
        Encoding::Xml => ProvisioningDocument::from_xml(input, &limits())?,
        Encoding::Wbxml => ProvisioningDocument::from_wbxml(input, &limits(), leniency)?,
    };
    let mut outline = Outline::new();
    document.characteristics.iter().for_each(|characteristic| show(characteristic, 0, &mut outline));
    let is_account = |of: &Characteristic| of.kind == "APPLICATION" && of.get("APPID") == Some("w7");
    let has_account = document.characteristics.iter().any(is_account);
    let warnings = (!has_account).then(|| "it has no account of DM (APPLICATION w7)".to_owned());
    let content = document.characteristics.iter().map(as_json).collect::<Vec<_>>();
    Ok(Decoded { outline, content: content.into(), warnings: warnings.into_iter().collect() })
}

/// The decoder bounds the depth, so recursion is bounded too.
fn show(characteristic: &Characteristic, depth: usize, outline: &mut Outline) {
    outline.push(depth, &characteristic.kind);
    for entry in &characteristic.entries {
        match entry {
            Entry::Characteristic(inner) => show(inner, depth + 1, outline),
            Entry::Parameter(parameter) => {
                let value = parameter.value.as_deref().map(|value| format!(" {value}"));
                outline.push(depth + 1, &format!("{}{}", parameter.name, value.unwrap_or_default()));
            }
        }
    }
}

fn as_json(characteristic: &Characteristic) -> Value {
    let entries = characteristic.entries.iter().map(|entry| match entry {
        Entry::Characteristic(inner) => as_json(inner),
        Entry::Parameter(parameter) => json!({ "name": parameter.name, "value": parameter.value }),
    });
    json!({ "type": characteristic.kind, "entries": entries.collect::<Vec<_>>() })
}

/// A bootstrap without the head that says how it is secured. That of a multipart body stays: it has the boundary.
pub fn without_head(input: &[u8]) -> &[u8] {
    let starts = |text: &[u8], with: &[u8]| {
        text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    let value = input.get(HEAD.len()..).unwrap_or_default().trim_ascii_start();
    let has_head = starts(input, HEAD) && !starts(value, b"multipart/");
    let ends = [&b"\r\n\r\n"[..], b"\n\n"].into_iter().filter_map(|end| {
        let at = input.windows(end.len()).position(|window| window == end)?;
        input.get(at + end.len()..)
    });
    // The end that comes first leaves most.
    ends.max_by_key(|rest| rest.len()).filter(|_| has_head).unwrap_or(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_passed_over() {
        assert_eq!(without_head(b"Content-Type: a/b; SEC=1\r\n\r\n\x03\x0b\n\n"), b"\x03\x0b\n\n");
        assert_eq!(without_head(b"content-type:a/b\n\nx\r\n\r\ny"), b"x\r\n\r\ny");
        let multipart = &b"Content-Type: multipart/form-data; boundary=b\n\n--b--"[..];
        for whole in [multipart, b"\x03\x0b\r\n\r\n", b"Content-Type: a/b", b""] {
            assert_eq!(without_head(whole), whole);
        }
    }

    #[test]
    fn a_document_is_shown_with_what_it_lacks() {
        let shown = |id: &str| {
            let xml = format!(
                "<wap-provisioningdoc><characteristic type=\"APPLICATION\"><parm name=\"APPID\" value=\"{id}\"/></characteristic></wap-provisioningdoc>"
            );
            document(xml.as_bytes(), &mut Leniency::strict()).unwrap()
        };
        let decoded = shown("w7");
        assert_eq!(decoded.content[0]["entries"][0], json!({ "name": "APPID", "value": "w7" }));
        assert!(decoded.warnings.is_empty() && shown("w4").warnings[0].contains("w7"));
    }
}
