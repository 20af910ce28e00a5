//! WAP client provisioning documents (`ProvCont 1.1`), in XML and in WBXML: the CP profile of bootstrap (`DM 1.3 BOOT §5.2`).
//!
//! Here: documents as octets and values.
//! Never here: what a characteristic means for an account, and whether a document is to be trusted.

#[cfg(test)]
mod tests;
mod token;
mod wbxml;
mod xml;

use std::fmt;

use zeroize::Zeroize;

/// Media type in WBXML.
pub const WBXML_TYPE: &str = "application/vnd.wap.connectivity-wbxml";
/// The same as WSP has it.
pub const WBXML_CODE: u32 = 0x36;
/// Media type in XML.
pub const XML_TYPE: &str = "text/vnd.wap.connectivity-xml";

/// A document (`wap-provisioningdoc`). Its version is not looked at: senders commonly say 1.0 and mean 1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProvisioningDocument {
    /// Its characteristics, in order.
    pub characteristics: Vec<Characteristic>,
}

/// `characteristic`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Characteristic {
    /// `type`, such as `APPLICATION`.
    pub kind: String,
    /// What is in it, in order.
    pub entries: Vec<Entry>,
}

/// What stands in a characteristic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// `parm`.
    Parameter(Parameter),
    /// `characteristic`.
    Characteristic(Characteristic),
}

/// `parm`. Its value may be a secret: `Debug` shows only how long it is, and it is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Parameter {
    /// `name`, such as `PROVIDER-ID`.
    pub name: String,
    /// `value`; absent for one that only has to be there, such as `INIT`.
    pub value: Option<String>,
}

impl Characteristic {
    /// The value of the first parameter with this name, `""` if it has none; `None` if there is no such parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters().find(|parameter| parameter.name == name);
        found.map(|parameter| parameter.value.as_deref().unwrap_or_default())
    }

    /// Its parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Parameter(parameter) => Some(parameter),
            Entry::Characteristic(_) => None,
        })
    }

    /// The characteristics in it that are of a type.
    pub fn all<'c>(&'c self, kind: &'c str) -> impl Iterator<Item = &'c Self> {
        self.entries.iter().filter_map(move |entry| match entry {
            Entry::Characteristic(inner) if inner.kind == kind => Some(inner),
            Entry::Characteristic(_) | Entry::Parameter(_) => None,
        })
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.value.as_ref().map(String::len);
        f.debug_struct("Parameter").field("name", &self.name).field("octets", &length).finish()
    }
}

impl Drop for Parameter {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}
