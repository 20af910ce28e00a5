//! Values of the tree as Items carry them (`DM 1.3 REPPRO §7.2, §7.4`).

use std::borrow::Cow;

use omadm_codec::dm1::tnds::{self, TNDS_WBXML, TNDS_XML};
use omadm_codec::dm1::{Data, Encoding, Form, Item, Meta, Version};
use omadm_mo::dm1::{ReadContent, ReadItem, Snapshot};
use omadm_mo::{Format, Value};

/// How messages of the session are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) version: Version,
    pub(super) form: Form,
}

impl Dialect {
    /// Format and Data of a value.
    pub(super) fn value(self, format: Format, value: &Value) -> (&'static str, Option<Data<'static>>) {
        let text = || Some(Data::Text(value.to_text().into()));
        match (format, value) {
            (Format::Null, _) => (Format::Null.as_str(), None),
            (Format::Bin, Value::Bytes(octets)) if self.form.encoding() == Encoding::Wbxml => {
                (Format::Bin.as_str(), Some(Data::Opaque(octets.clone().into())))
            }
            (Format::Bin, _) => (Format::B64.as_str(), text()),
            // DM 1.1 does not know them.
            (Format::Date | Format::Time | Format::Float, _) if self.version == Version::Dm11 => {
                (Format::Chr.as_str(), text())
            }
            _ => (format.as_str(), text()),
        }
    }

    /// What was read, as an Item of Results.
    pub(super) fn item(self, read: ReadItem) -> Item<'static> {
        let ReadItem { uri, format, media_type, content } = read;
        let media_type = media_type.map_or(Cow::Borrowed("text/plain"), Cow::Owned);
        let (format, media_type, data) = match content {
            ReadContent::None => (format.as_str(), media_type, None),
            ReadContent::Names(names) => {
                (format.as_str(), media_type, Some(Data::Text(names.join("/").into())))
            }
            ReadContent::Text(text) => (Format::Chr.as_str(), media_type, Some(Data::Text(text.into()))),
            ReadContent::Value(value) => {
                let (format, data) = self.value(format, &value);
                (format, media_type, data)
            }
            ReadContent::Tree(snapshot) => self.tree(&snapshot),
        };
        let meta = Meta { format: Some(format.into()), media_type: Some(media_type), ..Meta::default() };
        Item { source: Some(uri.into()), meta, data, ..Item::default() }
    }

    /// A TNDS document, in the encoding of the messages (`DM 1.3 TNDS §5.3`).
    fn tree(self, snapshot: &Snapshot) -> (&'static str, Cow<'static, str>, Option<Data<'static>>) {
        let document = tnds::write(snapshot, self.form);
        match self.form.encoding() {
            Encoding::Xml => {
                let text = String::from_utf8_lossy(&document).into_owned();
                (Format::Xml.as_str(), TNDS_XML.into(), Some(Data::Text(text.into())))
            }
            Encoding::Wbxml => (Format::Bin.as_str(), TNDS_WBXML.into(), Some(Data::Opaque(document.into()))),
        }
    }
}

/// Octets of the data as carried, which `Size` and `MaxObjSize` count.
pub(super) fn size(data: &Data<'_>) -> usize {
    match data {
        Data::Text(text) => text.len(),
        Data::Opaque(octets) => octets.len(),
    }
}
