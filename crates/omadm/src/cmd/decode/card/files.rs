//! EF(DIR), and the files of PKCS#15.

use omadm_codec::smartcard::ber::Tag;
use omadm_codec::smartcard::pkcs15::{
    self, DataObject, Directory, Location, ObjectValue, Objects, TokenInfo,
};
use omadm_codec::smartcard::{ERASED, dir};
use omadm_codec::{DecodeError, Leniency};
use serde_json::{Value, json};

use super::super::hex::digits;
use super::super::{Decoded, Outline, limits};
use super::objects::add_tree;
use super::words::octets as count;

/// EF(DIR): a record, records side by side, or the whole of a transparent one.
pub fn directory(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let templates = dir::decode(input, &limits(), leniency)?;
    let mut outline = Outline::new();
    if templates.is_empty() {
        outline.push(0, "no application");
    }
    for template in &templates {
        let is_ours = if template.aid.is_pkcs15() { ", PKCS#15" } else { "" };
        outline.push(0, &format!("application {}{is_ours}", template.aid));
        if let Some(label) = template.label_text() {
            outline.push(1, &format!("label {label}"));
        }
        if let Some(path) = &template.path {
            outline.push(1, &format!("path {path}"));
        }
    }
    add_tree(&mut outline, input, |tag| {
        Some(match tag.0 {
            0x61 => "application template",
            0x4f => "AID",
            0x50 => "label",
            0x51 => "path",
            0x53 | 0x73 => "discretionary data",
            0x5f50 => "URL",
            _ => return None,
        })
    })?;
    let applications: Vec<Value> = templates
        .iter()
        .map(|template| {
            json!({
                "aid": template.aid.to_string(),
                "pkcs15": template.aid.is_pkcs15(),
                "label": template.label_text(),
                "path": template.path.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    Ok(Decoded { outline, content: json!({ "applications": applications }), warnings: Vec::new() })
}

/// EF(ODF), EF(DODF) or EF(TokenInfo), which are told apart by how they begin.
pub fn pkcs15(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let mut decoded = match *input {
        [] | [ERASED | 0x00, ..] => empty(),
        // A sequence that begins with a version is a token, one that begins with a sequence a data object.
        [0x30, length, ..] if begins_with_version(input, length) => token(input, leniency)?,
        [0x30, ..] => data_objects(input, leniency)?,
        [0xa1, ..] if pkcs15::decode_dodf(input, &limits(), &mut Leniency::lenient()).is_ok() => {
            data_objects(input, leniency)?
        }
        _ => directories(input, leniency)?,
    };
    add_tree(&mut decoded.outline, input, universal)?;
    Ok(decoded)
}

fn begins_with_version(input: &[u8], length: u8) -> bool {
    let octets_of_length = if length < 0x80 { 1 } else { usize::from(length & 0x7f).saturating_add(1) };
    input.get(octets_of_length.saturating_add(1)) == Some(&0x02)
}

/// The types of ASN.1.
fn universal(tag: Tag) -> Option<&'static str> {
    Some(match tag.0 {
        0x02 => "INTEGER",
        0x03 => "BIT STRING",
        0x04 => "OCTET STRING",
        0x06 => "OBJECT IDENTIFIER",
        0x0c => "UTF8String",
        0x13 => "PrintableString",
        0x16 => "IA5String",
        0x30 => "SEQUENCE",
        _ => return None,
    })
}

fn empty() -> Decoded {
    let mut outline = Outline::new();
    outline.push(0, "an empty file");
    Decoded { outline, content: json!({ "file": "empty" }), warnings: Vec::new() }
}

fn directories(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let directories = pkcs15::decode_odf(input, &limits(), leniency)?;
    let mut outline = Outline::new();
    outline.push(0, "EF(ODF), the first directory of data objects has priority");
    let mut content = Vec::new();
    for Directory { class, objects } in &directories {
        let class = class.as_str();
        let place = match objects {
            Objects::At(location) => location_text(location),
            Objects::Inline(octets) => format!("here, {}", count(octets.len())),
        };
        outline.push(1, &format!("{class}: {place}"));
        content.push(match objects {
            Objects::At(location) => json!({ "class": class, "at": location_json(location) }),
            Objects::Inline(octets) => json!({ "class": class, "inline": digits(octets) }),
        });
    }
    let content = json!({ "file": "odf", "directories": content });
    Ok(Decoded { outline, content, warnings: Vec::new() })
}

fn data_objects(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let objects = pkcs15::decode_dodf(input, &limits(), leniency)?;
    let mut outline = Outline::new();
    outline.push(0, "EF(DODF)");
    let mut warnings = Vec::new();
    if objects.iter().filter(|object| object.is_bootstrap()).count() > 1 {
        warnings.push("several objects are bootstraps: the first one counts".to_owned());
    }
    let mut content = Vec::new();
    for object in &objects {
        outline.append(1, describe(object));
        content.push(object_json(object));
    }
    let content = json!({ "file": "dodf", "objects": content });
    Ok(Decoded { outline, content, warnings })
}

fn describe(object: &DataObject) -> Outline {
    let mut outline = Outline::new();
    let kind = if object.is_bootstrap() { "bootstrap" } else { "data object" };
    let label = object.label.as_ref().map(|label| format!(" \"{label}\"")).unwrap_or_default();
    outline.push(0, &format!("{kind}{label}"));
    if let Some(oid) = object.oid {
        outline.push(1, &format!("applicationOID {oid}"));
    }
    if let Some(name) = &object.application_name {
        outline.push(1, &format!("applicationName {name}"));
    }
    for (is_set, flag) in [(object.private, "private"), (object.modifiable, "modifiable")] {
        if is_set {
            outline.push(1, &format!("{flag}: the cardholder has to be verified"));
        }
    }
    outline.push(
        1,
        &match &object.value {
            ObjectValue::At(location) => format!("at {}", location_text(location)),
            ObjectValue::Url(url) => format!("at {url}"),
            ObjectValue::Direct(octets) => format!("here, {}", count(octets.len())),
        },
    );
    outline
}

fn object_json(object: &DataObject) -> Value {
    let (at, url, direct) = match &object.value {
        ObjectValue::At(location) => (Some(location_json(location)), None, None),
        ObjectValue::Url(url) => (None, Some(url), None),
        ObjectValue::Direct(octets) => (None, None, Some(digits(octets))),
    };
    json!({
        "bootstrap": object.is_bootstrap(),
        "label": object.label,
        "private": object.private,
        "modifiable": object.modifiable,
        "auth_id": object.auth_id.as_deref().map(digits),
        "application_name": object.application_name,
        "oid": object.oid.map(|oid| oid.to_string()),
        "at": at,
        "url": url,
        "direct": direct,
    })
}

fn token(input: &[u8], leniency: &mut Leniency) -> Result<Decoded, DecodeError> {
    let token = TokenInfo::decode(input, &limits(), leniency)?;
    let mut outline = Outline::new();
    outline.push(0, "EF(TokenInfo)");
    outline.push(1, &format!("serial number {}", digits(&token.serial_number)));
    for (name, text) in [("manufacturer", &token.manufacturer), ("label", &token.label)] {
        if let Some(text) = text {
            outline.push(1, &format!("{name} {text}"));
        }
    }
    for (is_set, flag) in [
        (token.flags.read_only, "read only"),
        (token.flags.login_required, "login required"),
        (token.flags.prn_generation, "makes random numbers"),
    ] {
        if is_set {
            outline.push(1, flag);
        }
    }
    let content = json!({
        "file": "token-info",
        "serial_number": digits(&token.serial_number),
        "manufacturer": token.manufacturer,
        "label": token.label,
        "read_only": token.flags.read_only,
        "login_required": token.flags.login_required,
        "prn_generation": token.flags.prn_generation,
    });
    Ok(Decoded { outline, content, warnings: Vec::new() })
}

fn location_text(location: &Location) -> String {
    let part = location.part.map(|part| format!(", {} octets from octet {} on", part.length, part.index));
    format!("{}{}", location.path, part.unwrap_or_default())
}

fn location_json(location: &Location) -> Value {
    json!({
        "path": location.path.to_string(),
        "index": location.part.map(|part| part.index),
        "length": location.part.map(|part| part.length),
    })
}
