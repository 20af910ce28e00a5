//! What the DDF says about a command before it is queued. Devices may differ from a file, so what the file does not allow is only a
//! warning; a value that cannot be of the leaf's format is refused unless the operator insists.

use omadm_codec::dm1::Version;
use omadm_codec::{Leniency, MediaType, media_type};
use omadm_mo::ddf::{AccessType, DdfName, DdfNode, Occurrence, Scope};
use omadm_mo::{Format, Value};
use omadm_session::dm2::server::flatten;

use crate::address::{Inventory, client_uri};
use crate::context::decode_mo_data;
use crate::leaf::{Body, LeafValue};
use crate::models::Files;
use crate::operation::{Operation, Setting};
use crate::roots::{Roots, is_path};

/// Most warnings about one command.
const MAX_WARNINGS: usize = 20;

/// A look at one command.
pub struct Advice<'a> {
    files: &'a Files,
    inventory: &'a Inventory,
    public_url: &'a str,
    warnings: Vec<String>,
}

/// Nodes that a file describes at an address.
struct Described<'a> {
    address: String,
    file: &'a str,
    nodes: Vec<&'a DdfNode>,
}

impl<'a> Advice<'a> {
    /// About a device with this inventory.
    pub fn new(files: &'a Files, inventory: &'a Inventory, public_url: &'a str) -> Self {
        Self { files, inventory, public_url, warnings: Vec::new() }
    }

    /// Adds a sentence.
    pub fn warn(&mut self, warning: String) {
        match self.warnings.len() {
            0..MAX_WARNINGS => self.warnings.push(warning),
            MAX_WARNINGS => self.warnings.push("There is more of this kind.".into()),
            _ => {}
        }
    }

    /// The warnings so far.
    pub fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    /// Looks at an operation, and brings the value of a `set` into the format of the DDF.
    ///
    /// # Errors
    /// One sentence when a value cannot be of the format of its node.
    pub fn about(&mut self, operation: &mut Operation, body: Option<&Body>) -> Result<(), String> {
        match operation {
            Operation::Get { address } => self.needs(address, "Get", |access| access.get),
            Operation::Upload { addresses, .. } => {
                for address in addresses {
                    self.needs(address, "Get", |access| access.get);
                }
            }
            Operation::Subscribe { address } | Operation::Unsubscribe { address } => {
                self.needs(address, "Get", |access| access.get);
            }
            Operation::Exec { address, .. } => self.needs(address, "Exec", |access| access.exec),
            Operation::Delete { address } => self.delete(address),
            Operation::Fetch { address: Some(address), .. } => drop(self.write(address)),
            Operation::Set { address, value } => return self.set(address, value, body),
            Operation::SetItems | Operation::Default { from: None, .. } => return self.items(body),
            Operation::Fetch { address: None, .. }
            | Operation::Default { .. }
            | Operation::Show { .. }
            | Operation::ShowPage { .. }
            | Operation::Ask { .. }
            | Operation::Raw { .. }
            | Operation::SetAcls { .. }
            | Operation::RawXml { .. } => {}
        }
        Ok(())
    }

    /// What is described at an address; `None` where no file says anything.
    fn look_up(&self, address: &str) -> Option<Described<'a>> {
        let uri = match is_path(address) {
            true => client_uri(&Roots::of(self.inventory, Version::Dm13).place(address)?)?,
            false => self.inventory.parse(address).ok()?,
        };
        let found = self.files.find(uri.moid.as_str(), self.inventory, self.public_url)?;
        let nodes = found.definition.nodes_at(&uri.path)?;
        Some(Described { address: address.to_owned(), file: found.file, nodes })
    }

    /// As [`Advice::look_up`] for an address that has to be described; of one that is not the operator hears.
    fn described(&mut self, address: &str) -> Option<Described<'a>> {
        let described = self.look_up(address)?;
        if described.nodes.is_empty() {
            self.warn(format!("{address}: the DDF file {} describes no such node.", described.file));
            return None;
        }
        Some(described)
    }

    fn needs(&mut self, address: &str, name: &str, allows: fn(AccessType) -> bool) {
        if let Some(described) = self.described(address) {
            self.check_access(&described, name, allows);
        }
    }

    fn check_access(&mut self, described: &Described<'_>, name: &str, allows: fn(AccessType) -> bool) {
        if described.nodes.iter().any(|node| allows(node.access)) {
            return;
        }
        let listed: Vec<&str> = described.nodes.iter().flat_map(|node| node.access.names()).collect();
        let listed = if listed.is_empty() { "nothing".to_owned() } else { listed.join(", ") };
        let Described { address, file, .. } = described;
        self.warn(format!("{address}: the DDF file {file} does not allow {name} here; it allows {listed}."));
    }

    fn delete(&mut self, address: &str) {
        let Some(described) = self.described(address) else { return };
        self.check_access(&described, "Delete", |access| access.delete);
        let Described { address, file, nodes } = &described;
        if nodes.iter().all(|node| node.scope == Scope::Permanent) {
            self.warn(format!(
                "{address}: the node is permanent by the DDF file {file}: only the device itself removes it."
            ));
        } else if nodes.iter().all(|node| is_needed(node)) {
            self.warn(format!("{address}: the DDF file {file} wants the node to be there (occurrence One)."));
        }
    }

    fn write(&mut self, address: &str) -> Option<Described<'a>> {
        let described = self.described(address)?;
        self.check_access(&described, "Add or Replace", |access| access.add || access.replace);
        Some(described)
    }

    fn set(&mut self, address: &str, value: &mut Setting, body: Option<&Body>) -> Result<(), String> {
        let Some(described) = self.write(address) else { return Ok(()) };
        match (value, body) {
            (Setting::Value(value), _) => {
                *value = described.typed(value)?;
                Ok(())
            }
            (Setting::Payload, Some(body)) => self.payload(&described, body),
            (Setting::Payload, None) => Ok(()),
        }
    }

    fn payload(&mut self, described: &Described<'_>, body: &Body) -> Result<(), String> {
        let Ok(MediaType { essence, .. }) = MediaType::parse(&body.content_type) else { return Ok(()) };
        // MO data says itself what it is; only the device can tell where it fits.
        if essence == media_type::DMMO_JSON {
            return Ok(());
        }
        described.fits(|node| octets_fit(node, &body.octets)).map_err(|format| {
            described.misfit(&format!("these octets are not a value of format {}", format.as_str()))
        })?;
        let listed = |node: &DdfNode| {
            let octets = node.format == Format::Bin || node.format == Format::B64;
            essence == media_type::TEXT_PLAIN
                || (octets && essence == media_type::OCTET_STREAM)
                || node.mime_types().any(|mime| mime.eq_ignore_ascii_case(&essence))
        };
        if !described.nodes.iter().any(|node| listed(node)) {
            let types: Vec<&str> = described.nodes.iter().flat_map(|node| node.mime_types()).collect();
            let types = if types.is_empty() { "none".to_owned() } else { types.join(", ") };
            let Described { address, file, .. } = described;
            self.warn(format!(
                "{address}: {essence} is not one of the media types of the DDF file {file}: {types}."
            ));
        }
        Ok(())
    }

    fn items(&mut self, body: Option<&Body>) -> Result<(), String> {
        let Some(body) = body else { return Ok(()) };
        // They were read before, so there is nothing new to say when they cannot be.
        let items =
            decode_mo_data(&body.octets, body.octets.len(), &mut Leniency::lenient()).unwrap_or_default();
        for item in &items {
            let Ok(uri) = self.inventory.parse(&item.client_uri) else { continue };
            for (address, value) in flatten(&uri, &item.content) {
                let Some(described) = self.described(&address.to_string()) else { continue };
                described.fits(|node| content_fits(node, value.as_ref())).map_err(|format| {
                    described.misfit(&format!("what is given is not of format {}", format.as_str()))
                })?;
            }
        }
        Ok(())
    }
}

impl Described<'_> {
    /// Whether one of the nodes fits; else the format of the first.
    fn fits(&self, fits: impl Fn(&DdfNode) -> bool) -> Result<(), Format> {
        match self.nodes.first() {
            Some(first) if !self.nodes.iter().any(|node| fits(node)) => Err(first.format),
            Some(_) | None => Ok(()),
        }
    }

    /// The value in the format of the one node that it fits; as it is where it fits several.
    fn typed(&self, value: &LeafValue) -> Result<LeafValue, String> {
        let mut fitting = Vec::new();
        let mut fault = None;
        for node in &self.nodes {
            match value.for_node(node) {
                Ok(typed) => fitting.push(typed),
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        match (fault, <[LeafValue; 1]>::try_from(fitting)) {
            (_, Ok([typed])) => Ok(typed),
            (Some(error), Err(fitting)) if fitting.is_empty() => Err(self.misfit(&error.to_string())),
            (_, Err(_)) => Ok(value.clone()),
        }
    }

    fn misfit(&self, problem: &str) -> String {
        let Self { address, file, nodes } = self;
        let octets = nodes.iter().any(|node| matches!(node.format, Format::Bin | Format::B64));
        let hint = if octets { " (octets are written in base64)" } else { "" };
        format!("{address}: {problem}{hint}, as the DDF file {file} wants it")
    }
}

/// Whether a node can never be missing.
fn is_needed(node: &DdfNode) -> bool {
    node.occurrence == Occurrence::One && matches!(node.name, DdfName::Named(_))
}

/// Whether a leaf can have these octets as its value, as they are.
fn octets_fit(node: &DdfNode, octets: &[u8]) -> bool {
    match node.format {
        Format::Node => false,
        Format::Bin | Format::B64 => true,
        format => std::str::from_utf8(octets).is_ok_and(|text| Value::from_text(format, text).is_ok()),
    }
}

/// Whether a node can be this leaf of MO data, or an interior node.
fn content_fits(node: &DdfNode, value: Option<&Value>) -> bool {
    match value {
        None => node.format == Format::Node,
        Some(value) => node.format.is_leaf() && value.clone().into_format(node.format).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_warnings_are_given() {
        let (files, inventory) = (Files::default(), Inventory::read(None));
        for (given, last) in [
            (MAX_WARNINGS, "19"),
            (MAX_WARNINGS + 1, "There is more of this kind."),
            (100, "There is more of this kind."),
        ] {
            let mut advice = Advice::new(&files, &inventory, "https://dm.example");
            (0..given).for_each(|number| advice.warn(number.to_string()));
            let warnings = advice.into_warnings();
            assert_eq!(warnings.last().map(String::as_str), Some(last));
            assert!(warnings.len() <= MAX_WARNINGS + 1);
        }
    }
}
