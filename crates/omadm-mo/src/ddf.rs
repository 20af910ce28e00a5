//! The Device Description Framework model: every element of the DM 1.3 DDF (`DM 2.0 §6.4`, `DM 1.3 DDF DTD`).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::name::{Moid, NodeName};
use crate::value::Format;

/// A `MgmtTree`: one DDF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ddf {
    /// `VerDTD`, `1.2` in what we write.
    pub ver_dtd: String,
    /// `Man`.
    pub man: Option<String>,
    /// `Mod`.
    pub model: Option<String>,
    /// The described nodes; each with a `DDFName` is an MO.
    pub nodes: Vec<DdfNode>,
}

/// Name of a described node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DdfName {
    /// A named node.
    Named(NodeName),
    /// An un-named node (`<x>`, `[Name]`, `*`, or empty), with its logical name, possibly empty.
    Unnamed(String),
}

/// `AccessType`: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub struct AccessType {
    pub add: bool,
    pub copy: bool,
    pub delete: bool,
    pub exec: bool,
    pub get: bool,
    pub replace: bool,
}

/// `Occurrence`; `N` is 2 to 65536.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Occurrence {
    #[default]
    One,
    ZeroOrOne,
    ZeroOrMore,
    OneOrMore,
    ZeroOrN(u32),
    OneOrN(u32),
}

/// `Scope`; absent means dynamic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Scope {
    Permanent,
    #[default]
    Dynamic,
}

/// `CaseSense`; absent inherits, case-sensitive at the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum CaseSense {
    Sensitive,
    Insensitive,
}

/// `RTProperties`: which run-time properties a node supports, with defaults. DM 2.0 ignores them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub struct RtProperties {
    pub acl: Option<String>,
    pub format: Option<Format>,
    pub name: Option<String>,
    pub size: Option<String>,
    pub title: Option<String>,
    pub tstamp: Option<String>,
    pub type_: Option<DfType>,
    pub ver_no: Option<String>,
}

/// `Type` and `DFType`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DfType {
    /// MIME types of a leaf.
    Mime(Vec<String>),
    /// `DDFName` of an interior node: a MOID or empty.
    DdfName(String),
}

/// One `Node` with its `DFProperties`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DdfNode {
    /// `NodeName`.
    pub name: DdfName,
    /// `Path`.
    pub path: Option<String>,
    /// `Value`: default value of new nodes.
    pub value: Option<String>,
    /// `RTProperties`.
    pub rt_properties: Option<RtProperties>,
    /// `AccessType`.
    pub access: AccessType,
    /// `DefaultValue`.
    pub default_value: Option<String>,
    /// `Description`.
    pub description: Option<String>,
    /// `DFFormat`.
    pub format: Format,
    /// `Occurrence`.
    pub occurrence: Occurrence,
    /// `Scope`.
    pub scope: Scope,
    /// `DFTitle`.
    pub title: Option<String>,
    /// `DFType`.
    pub df_type: Option<DfType>,
    /// `CaseSense`.
    pub case_sense: Option<CaseSense>,
    /// Children, empty for a leaf.
    pub children: Vec<DdfNode>,
}

/// One management object of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its MOID.
    pub moid: Moid,
    /// Link to the DDF file, sent as `DDF` in MOS and MO data.
    pub link: String,
    /// Its root node.
    pub root: DdfNode,
}

/// The management objects a device or server knows, by MOID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    definitions: BTreeMap<Moid, Arc<Definition>>,
}

impl Catalogue {
    /// No definitions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds the MOs of a DDF file (every node of it with a non-empty DDFName at the top); gives their MOIDs.
    pub fn add(&mut self, _ddf: &Ddf, _link: &str) -> Vec<Moid> {
        todo!()
    }
    /// The definition of a MOID.
    #[must_use]
    pub fn get(&self, moid: &str) -> Option<&Arc<Definition>> {
        self.definitions.get(moid)
    }
    /// All definitions by MOID.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Definition>> {
        self.definitions.values()
    }
}
