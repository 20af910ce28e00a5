//! Documents in XML.

use super::{Characteristic, Entry, Parameter, ProvisioningDocument};
use crate::xml::{Element, escape_attribute, parse};
use crate::{DecodeError, Limits, Problem};

/// Element of a document.
pub(super) const DOCUMENT: &str = "wap-provisioningdoc";
/// Element of a characteristic.
pub(super) const CHARACTERISTIC: &str = "characteristic";
/// Element of a parameter.
pub(super) const PARAMETER: &str = "parm";

impl ProvisioningDocument {
    /// Reads XML. Elements and attributes that the format does not have are passed over.
    ///
    /// # Errors
    /// With byte offset and field.
    pub fn from_xml(input: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let root = parse(input, limits, |namespace| namespace.is_none())?;
        if root.name != DOCUMENT {
            let problem = Problem::Schema(format!("the root element is {:?}", root.name).into());
            return Err(DecodeError { at: root.at, field: DOCUMENT, problem });
        }
        let inner = root.children.iter().filter(|child| child.name == CHARACTERISTIC);
        Ok(Self { characteristics: inner.map(characteristic).collect::<Result<_, _>>()? })
    }

    /// The document in XML.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut out = format!("<{DOCUMENT} version=\"1.1\">");
        self.characteristics.iter().for_each(|characteristic| write(characteristic, &mut out));
        out.push_str(&format!("</{DOCUMENT}>"));
        out
    }
}

/// Elements are nested no deeper than the limits say.
fn characteristic(element: &Element) -> Result<Characteristic, DecodeError> {
    let mut entries = Vec::new();
    for child in &element.children {
        match child.name.as_str() {
            CHARACTERISTIC => entries.push(Entry::Characteristic(characteristic(child)?)),
            PARAMETER => {
                let value = child.attribute("value").map(str::to_owned);
                entries.push(Entry::Parameter(Parameter { name: attribute(child, "name")?, value }));
            }
            _ => {}
        }
    }
    Ok(Characteristic { kind: attribute(element, "type")?, entries })
}

fn attribute(element: &Element, name: &'static str) -> Result<String, DecodeError> {
    let missing = DecodeError { at: element.at, field: name, problem: Problem::Missing };
    element.attribute(name).map(str::to_owned).ok_or(missing)
}

fn write(characteristic: &Characteristic, out: &mut String) {
    out.push_str(&format!("<{CHARACTERISTIC} type=\"{}\">", escape_attribute(&characteristic.kind)));
    for entry in &characteristic.entries {
        match entry {
            Entry::Characteristic(inner) => write(inner, out),
            Entry::Parameter(Parameter { name, value }) => {
                out.push_str(&format!("<{PARAMETER} name=\"{}\"", escape_attribute(name)));
                if let Some(value) = value {
                    out.push_str(&format!(" value=\"{}\"", escape_attribute(value)));
                }
                out.push_str("/>");
            }
        }
    }
    out.push_str(&format!("</{CHARACTERISTIC}>"));
}
