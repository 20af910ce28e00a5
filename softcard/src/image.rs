//! What is on a card: its PKCS#15 application with a bootstrap (`DM 2.0 §G`), octet by octet.
//!
//! The encoding is its own and no other crate's, so that card and reader cannot be wrong alike.

use crate::files::{Access, Content, File};

/// AID of the PKCS#15 application.
pub const PKCS15: [u8; 12] = *b"\xA0\0\0\0\x63PKCS-15";
/// OID of a bootstrap, 2.23.43.7.1.
pub const BOOTSTRAP_OID: [u8; 4] = [0x67, 0x2B, 0x07, 0x01];
/// OID of client provisioning, 2.23.43.1.1.
pub const PROVISIONING_OID: [u8; 4] = [0x67, 0x2B, 0x01, 0x01];

/// A tag, the length in its shortest form, and the value.
#[must_use]
pub fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        length @ 0..=0x7F => out.push(length as u8),
        length @ 0x80..=0xFF => out.extend([0x81, length as u8]),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(value);
    out
}

/// A data object of a DODF.
#[derive(Clone, Debug)]
pub struct Object {
    /// Label.
    pub label: String,
    /// Object identifier of its type, encoded; empty is none.
    pub oid: Vec<u8>,
    /// `private`: it is protected by the PIN.
    pub private: bool,
    /// `modifiable`.
    pub modifiable: bool,
    /// Where its content is.
    pub file: u16,
    /// An address in place of a file.
    pub url: Option<String>,
}

/// A file with rules for others.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Its identifier.
    pub file: u16,
    /// It stands in the directory of the data, not in that of the application.
    pub beside: bool,
    /// Its records.
    pub records: Vec<Vec<u8>>,
}

impl Default for Object {
    fn default() -> Self {
        Self {
            label: "DM Bootstrap".to_owned(),
            oid: BOOTSTRAP_OID.to_vec(),
            private: false,
            modifiable: false,
            file: 0x6421,
            url: None,
        }
    }
}

impl Object {
    /// The entry; `inner` is a directory on the way.
    fn octets(&self, inner: Option<u16>) -> Vec<u8> {
        let mut common = tlv(0x0C, self.label.as_bytes());
        let flags = u8::from(self.private) << 7 | u8::from(self.modifiable) << 6;
        if flags != 0 {
            // The unused bits of a named bit list are those behind the last one that is set.
            common.extend([0x03, 0x02, flags.trailing_zeros() as u8, flags]);
        }
        let class = if self.oid.is_empty() { Vec::new() } else { tlv(0x06, &self.oid) };
        let value = match &self.url {
            None => {
                let path = inner.into_iter().chain([self.file]).flat_map(u16::to_be_bytes);
                tlv(0x30, &tlv(0x04, &path.collect::<Vec<_>>()))
            }
            Some(url) => tlv(0x16, url.as_bytes()),
        };
        tlv(0x30, &[tlv(0x30, &common), tlv(0x30, &class), tlv(0xA1, &value)].concat())
    }
}

/// A file with the content of data objects.
#[derive(Clone, Debug)]
pub struct Data {
    /// File identifier.
    pub file: u16,
    /// Who may read it.
    pub read: Access,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// A DODF.
#[derive(Clone, Debug)]
pub struct Directory {
    /// File identifier.
    pub file: u16,
    /// Who may read it.
    pub read: Access,
    /// What it lists.
    pub objects: Vec<Object>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { file: 0x6420, read: Access::Always, objects: vec![Object::default()] }
    }
}

/// What is on a card.
#[derive(Clone, Debug)]
pub struct Image {
    /// ICCID, ten octets.
    pub iccid: Vec<u8>,
    /// EF(DIR) in one transparent file, not in records.
    pub transparent_dir: bool,
    /// What EF(DIR) says of the path: `None` leaves it out.
    pub path: Option<Vec<u8>>,
    /// There is no PKCS#15 application.
    pub without_application: bool,
    /// File identifier of the application's directory.
    pub application: u16,
    /// What EF(ODF) lists, in order.
    pub directories: Vec<Directory>,
    /// EF(ODF) as it is, in place of what `directories` make.
    pub odf: Option<Vec<u8>>,
    /// The data.
    pub data: Vec<Data>,
    /// A directory below that of the application, which holds the data.
    pub inner: Option<u16>,
    /// What the data say of their rules: the value of tag 8B.
    pub rule: Vec<u8>,
    /// EF(ARR).
    pub rules: Option<Rules>,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            iccid: vec![0x98, 0x10, 0x32, 0x54, 0x76, 0x98, 0x10, 0x32, 0x54, 0xF6],
            transparent_dir: false,
            path: Some(vec![0x3F, 0x00, 0x7F, 0x50]),
            without_application: false,
            application: 0x7F50,
            directories: vec![Directory::default()],
            odf: None,
            data: Vec::new(),
            inner: None,
            rule: Vec::new(),
            rules: None,
        }
    }
}

/// Octets of a file with unused ones behind.
fn padded(mut octets: Vec<u8>, size: usize) -> Vec<u8> {
    octets.resize(octets.len().max(size), 0xFF);
    octets
}

impl Image {
    /// A card with this bootstrap.
    #[must_use]
    pub fn of(bootstrap: &[u8]) -> Self {
        let octets = padded(bootstrap.to_vec(), bootstrap.len() + 16);
        Self { data: vec![Data { file: 0x6421, read: Access::Always, octets }], ..Self::default() }
    }

    /// A card with this bootstrap, that is protected by the PIN.
    #[must_use]
    pub fn private(bootstrap: &[u8]) -> Self {
        let mut image = Self::of(bootstrap);
        image.data[0].read = Access::Pin;
        image.directories[0].objects[0].private = true;
        image
    }

    /// A card with this bootstrap, which goes through a secure channel only.
    #[must_use]
    pub fn secured(bootstrap: &[u8]) -> Self {
        let mut image = Self::of(bootstrap);
        image.data[0].read = Access::Secure;
        image
    }

    /// EF(ODF).
    fn odf(&self) -> Vec<u8> {
        let listed = self.directories.iter();
        let entries = listed.map(|dodf| tlv(0xA7, &tlv(0x30, &tlv(0x04, &dodf.file.to_be_bytes()))));
        // A certificate directory before them, that nobody here has a use for.
        let other = tlv(0xA4, &tlv(0x30, &tlv(0x04, &[0x44, 0x04])));
        padded(std::iter::once(other).chain(entries).flatten().collect(), 64)
    }

    fn dir(&self) -> File {
        let template = |aid: &[u8], label: &str, path: Option<&[u8]>| {
            let label = tlv(0x50, label.as_bytes());
            let path = path.map(|path| tlv(0x51, path)).unwrap_or_default();
            tlv(0x61, &[tlv(0x4F, aid), label, path].concat())
        };
        let usim = template(b"\xA0\0\0\0\x87\x10\x02", "USIM", None);
        let pkcs15 = template(&PKCS15, "PKCS#15", self.path.as_deref());
        let mut templates = vec![usim];
        templates.extend((!self.without_application).then_some(pkcs15));
        let content = if self.transparent_dir {
            Content::Transparent(padded(templates.concat(), 96))
        } else {
            let records = templates.into_iter().map(|template| padded(template, 48));
            Content::Linear(records.chain([vec![0xFF; 48]]).collect())
        };
        File { id: 0x2F00, read: Access::Always, rule: Vec::new(), content }
    }

    fn data_file(&self, data: &Data) -> File {
        File { rule: self.rule.clone(), ..File::transparent(data.file, data.read, data.octets.clone()) }
    }

    /// The files of the card.
    #[must_use]
    pub fn files(&self) -> File {
        let odf = self.odf.clone().unwrap_or_else(|| self.odf());
        // Version 1, a serial number, a label.
        let info = [tlv(0x02, &[0]), tlv(0x04, &self.iccid), tlv(0x80, b"softcard"), vec![3, 2, 4, 0x10]];
        let info = tlv(0x30, &info.concat());
        let mut files = vec![
            File::transparent(0x5031, Access::Always, odf),
            File::transparent(0x5032, Access::Always, info),
        ];
        files.extend(self.directories.iter().map(|dodf| {
            let octets = dodf.objects.iter().flat_map(|object| object.octets(self.inner)).collect();
            File::transparent(dodf.file, dodf.read, padded(octets, 128))
        }));
        let mut data: Vec<File> = self.data.iter().map(|data| self.data_file(data)).collect();
        if let Some(rules) = &self.rules {
            let place = if rules.beside { &mut data } else { &mut files };
            place.push(File::linear(rules.file, rules.records.clone()));
        }
        match self.inner {
            None => files.extend(data),
            Some(id) => files.push(File::directory(id, data)),
        }
        let mut application = File::directory(self.application, files);
        if let Content::Directory { aid, .. } = &mut application.content {
            *aid = Some(PKCS15.to_vec());
        }
        let iccid = File::transparent(0x2FE2, Access::Always, self.iccid.clone());
        let mut all = vec![iccid, self.dir(), File::directory(0x7F20, Vec::new())];
        all.extend((!self.without_application).then_some(application));
        File::directory(0x3F00, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The image of the fact sheet.
    #[test]
    fn the_octets_of_a_dodf_are_those_of_the_standard() {
        let octets = Object::default().octets(None);
        let expected = b"\x30\x20\x30\x0E\x0C\x0CDM Bootstrap\x30\x06\x06\x04\x67\x2B\x07\x01\xA1\x06\x30\x04\x04\x02\x64\x21";
        assert_eq!(octets, expected);
        let flagged = Object { private: true, modifiable: true, ..Object::default() }.octets(None);
        assert!(flagged.windows(4).any(|octets| octets == [3, 2, 6, 0xC0]), "{flagged:02x?}");
    }
}
