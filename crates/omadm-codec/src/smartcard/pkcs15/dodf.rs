//! EF(DODF): data objects (`PKCS #15 §6.7`, `DM 2.0 §G.4.2`).

use der::asn1::{BitStringRef, Ia5StringRef, ObjectIdentifier, OctetStringRef, Utf8StringRef};
use der::{Encode as _, Tag, TagNumber};

use super::reader::{DerReader, Item, Location, context, wrap};
use crate::{DecodeError, Leniency, Problem};

/// `{joint-isu-itu-t(2) international-organizations(23) wap(43) oma-dm(7) dm-bootstrap(1)}`.
pub const BOOTSTRAP: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.43.7.1");
/// The authority whose identifiers below it are those of client provisioning.
pub const CLIENT_PROVISIONING: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.43.1");

const PRIVATE: u8 = 0x80;
const MODIFIABLE: u8 = 0x40;

/// A data object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataObject {
    /// Its name for the user.
    pub label: Option<String>,
    /// Flag `private`: the cardholder has to be verified before it is read.
    pub private: bool,
    /// Flag `modifiable`.
    pub modifiable: bool,
    /// Which authentication object guards it.
    pub auth_id: Option<Vec<u8>>,
    /// The application that it belongs to, by name.
    pub application_name: Option<String>,
    /// What it is.
    pub oid: Option<ObjectIdentifier>,
    /// Where it is.
    pub value: ObjectValue,
}

/// The value of a data object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectValue {
    /// In a file.
    At(Location),
    /// Where this URL points.
    Url(String),
    /// Here.
    Direct(Vec<u8>),
}

impl DataObject {
    /// A bootstrap.
    #[must_use]
    pub fn bootstrap(label: &str, value: ObjectValue) -> Self {
        Self {
            label: Some(label.to_owned()),
            private: false,
            modifiable: false,
            auth_id: None,
            application_name: None,
            oid: Some(BOOTSTRAP),
            value,
        }
    }

    /// Whether it is a bootstrap.
    #[must_use]
    pub fn is_bootstrap(&self) -> bool {
        self.oid == Some(BOOTSTRAP)
    }

    /// Whether the cardholder has to be verified before it is read (`DM 2.0 §G.2.4, §G.3.4`).
    #[must_use]
    pub fn needs_verification(&self) -> bool {
        self.private || self.modifiable
    }
}

/// `CommonObjectAttributes` and `CommonDataObjectAttributes`, of which the rules for access are for others.
struct Attributes {
    label: Option<String>,
    flags: u8,
    auth_id: Option<Vec<u8>>,
    application_name: Option<String>,
    oid: Option<ObjectIdentifier>,
}

/// An object; `None` if it is of another authority, or its value in a form that bootstrap has no use for.
pub(super) fn entry(
    reader: &mut DerReader<'_>,
    leniency: &mut Leniency,
) -> Result<Option<DataObject>, DecodeError> {
    const FIELD: &str = "DataType";
    if reader.take(context(0), FIELD)?.is_some() {
        return Ok(None);
    }
    let oid_do = reader.take(context(1), FIELD)?;
    let item = match oid_do {
        Some(item) => item,
        None => reader.expect(Tag::Sequence, FIELD)?,
    };
    let mut inside = item.inside();
    let common = inside.expect(Tag::Sequence, "CommonObjectAttributes")?;
    let attributes = attributes(&common, &inside.expect(Tag::Sequence, "CommonDataObjectAttributes")?)?;
    inside.take(context(0), "subClassAttributes")?;
    let mut specific = inside.expect(context(1), "typeAttributes")?.inside();
    inside.end(FIELD)?;
    let id = if oid_do.is_some() { Some(specific.decode("OidDO.id")?) } else { None };
    let value = object_value(&specific.any("ObjectValue")?, leniency)?;
    specific.end("ObjectValue")?;
    Ok(value.map(|value| DataObject {
        label: attributes.label,
        private: attributes.flags & PRIVATE != 0,
        modifiable: attributes.flags & MODIFIABLE != 0,
        auth_id: attributes.auth_id,
        application_name: attributes.application_name,
        oid: attributes.oid.or(id),
        value,
    }))
}

fn attributes(common: &Item<'_>, class: &Item<'_>) -> Result<Attributes, DecodeError> {
    let (mut common, mut class) = (common.inside(), class.inside());
    let label: Option<Utf8StringRef<'_>> = common.optional("label")?;
    let flags: Option<BitStringRef<'_>> = common.optional("flags")?;
    let auth_id: Option<&OctetStringRef> = common.optional("authId")?;
    let name: Option<Utf8StringRef<'_>> = class.optional("applicationName")?;
    Ok(Attributes {
        label: label.map(|label| label.as_str().to_owned()),
        flags: flags.and_then(|flags| flags.raw_bytes().first().copied()).unwrap_or_default(),
        auth_id: auth_id.map(|id| id.as_bytes().to_vec()),
        application_name: name.map(|name| name.as_str().to_owned()),
        oid: class.optional("applicationOID")?,
    })
}

fn object_value(item: &Item<'_>, leniency: &mut Leniency) -> Result<Option<ObjectValue>, DecodeError> {
    Ok(match item.tag {
        Tag::Sequence => Some(ObjectValue::At(Location::read(item, leniency)?)),
        Tag::PrintableString | Tag::Ia5String => Some(ObjectValue::Url(url(item)?)),
        Tag::ContextSpecific { constructed: false, number: TagNumber(0) } => {
            Some(ObjectValue::Direct(item.value.to_vec()))
        }
        Tag::ContextSpecific { constructed: true, number: TagNumber(0) } => {
            let mut inside = item.inside();
            let octets = inside.expect(Tag::OctetString, "direct")?.value;
            inside.end("direct")?;
            Some(ObjectValue::Direct(octets.to_vec()))
        }
        _ => None,
    })
}

fn url(item: &Item<'_>) -> Result<String, DecodeError> {
    let text = std::str::from_utf8(item.value).ok();
    let text = text.filter(|text| text.bytes().all(|octet| octet.is_ascii_graphic()));
    let text =
        text.ok_or_else(|| item.error("url", Problem::Schema("not the characters of a URL".into())))?;
    Ok(text.to_owned())
}

pub(super) fn write(object: &DataObject) -> der::Result<Vec<u8>> {
    let value = match &object.value {
        ObjectValue::At(location) => location.write()?,
        ObjectValue::Url(url) => Ia5StringRef::new(url)?.to_der()?,
        ObjectValue::Direct(octets) => wrap(context(0), &OctetStringRef::new(octets)?.to_der()?)?,
    };
    let content = [
        wrap(Tag::Sequence, &common(object)?)?,
        wrap(Tag::Sequence, &class(object)?)?,
        wrap(context(1), &value)?,
    ];
    wrap(Tag::Sequence, &content.concat())
}

fn common(object: &DataObject) -> der::Result<Vec<u8>> {
    let mut out = Vec::new();
    if let Some(label) = &object.label {
        out.extend(Utf8StringRef::new(label)?.to_der()?);
    }
    // DER leaves out the bits behind the last one that is set.
    let flags = match (object.private, object.modifiable) {
        (false, false) => None,
        (true, false) => Some((7, PRIVATE)),
        (false, true) => Some((6, MODIFIABLE)),
        (true, true) => Some((6, PRIVATE | MODIFIABLE)),
    };
    if let Some((unused, bits)) = flags {
        out.extend(BitStringRef::new(unused, &[bits])?.to_der()?);
    }
    if let Some(id) = &object.auth_id {
        out.extend(OctetStringRef::new(id)?.to_der()?);
    }
    Ok(out)
}

fn class(object: &DataObject) -> der::Result<Vec<u8>> {
    let mut out = Vec::new();
    if let Some(name) = &object.application_name {
        out.extend(Utf8StringRef::new(name)?.to_der()?);
    }
    if let Some(oid) = object.oid {
        out.extend(oid.to_der()?);
    }
    Ok(out)
}
