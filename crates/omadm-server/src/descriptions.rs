//! What DDF files say of MO data that is queued for a device of DM 1.x: where first instances go, and of which formats their leaves are.

use std::collections::BTreeMap;

use omadm_mo::ddf::{DdfName, Definition};
use omadm_mo::{ClientUri, Format};

use crate::roots;

/// Places and formats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptions {
    /// By MOID: the names of the nodes above an instance, and its own if that is fixed.
    homes: BTreeMap<String, (Vec<String>, Option<String>)>,
    /// By address.
    formats: BTreeMap<String, Format>,
}

impl Descriptions {
    /// Takes the place that a definition names for its instances, if it names one (`Path` of its root).
    pub fn add_home(&mut self, definition: &Definition) {
        let path = definition.root.path.as_deref().map(|path| path.trim().trim_end_matches('/'));
        // The root of the tree may be written as nothing, too.
        let above = path.and_then(|path| roots::names(if path.is_empty() { "." } else { path }));
        let own = match &definition.root.name {
            DdfName::Named(name) => Some(name.as_str().to_owned()),
            DdfName::Unnamed(_) => None,
        };
        if let Some(above) = above {
            self.homes.insert(definition.moid.as_str().to_owned(), (above, own));
        }
    }

    /// Takes the format of a leaf.
    pub fn add_format(&mut self, leaf: &ClientUri, format: Format) {
        self.formats.insert(leaf.to_string(), format);
    }

    /// The path of a first instance.
    pub fn home(&self, moid: &str, miid: &str) -> Option<Vec<String>> {
        let (above, own) = self.homes.get(moid)?;
        let own = own.as_deref().unwrap_or(miid).to_owned();
        Some(above.iter().cloned().chain([own]).collect())
    }

    /// The format of a leaf.
    pub fn format(&self, leaf: &ClientUri) -> Option<Format> {
        self.formats.get(&leaf.to_string()).copied()
    }
}
