//! ClientURI: addresses of nodes inside MO instances (`DM 2.0 §6.1`).

mod display;
mod parse;

pub(crate) use display::path_from_root;
pub(crate) use parse::path_names;

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::AddressError;
use crate::name::{Miid, Moid, NodeName};

/// The letter of an x-name such as `(x)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct XName(pub(crate) char);

impl XName {
    /// The x-name of an ASCII letter; case matters.
    #[must_use]
    pub fn new(letter: char) -> Option<Self> {
        letter.is_ascii_alphabetic().then_some(Self(letter))
    }
    /// The letter between the parentheses.
    #[must_use]
    pub fn letter(self) -> char {
        self.0
    }
}

/// The mo-inst component (`DM 2.0 §6.1.1.1`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MoInst {
    /// One instance by its MIID.
    Miid(Miid),
    /// The one instance that satisfies the nv conditions of this letter.
    XName(XName),
    /// The empty string: the only instance.
    Only,
    /// `*`: all instances.
    All,
}

/// One node-name of the path (`DM 2.0 §6.1.1.2`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A real-name, decoded.
    Name(NodeName),
    /// The one node that satisfies the nv conditions of this letter.
    XName(XName),
    /// `*`: all nodes at this position.
    Wildcard,
}

/// One `nv=<path>:<val>` field, decoded (`DM 2.0 §6.1.1.3`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The x-name it narrows.
    pub letter: XName,
    /// Path below the x-name node to the leaf.
    pub path: Vec<NodeName>,
    /// The value the leaf has to have, as text.
    pub value: String,
}

/// One field of the query component.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueryField {
    /// `lv`: how many levels of children are wanted, 1 or more.
    Level(u32),
    /// `nv`
    Condition(Condition),
    /// `cv`: the cache validator, decoded.
    Validator(String),
    /// A field that is not of the standard, ignored on resolution and kept as written.
    Other(String),
}

/// The query component (`DM 2.0 §6.1.1.3`): its fields in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Query(pub Vec<QueryField>);

impl Query {
    /// How many levels of children are wanted, 1 or more.
    #[must_use]
    pub fn level(&self) -> Option<u32> {
        self.0.iter().find_map(|field| match field {
            QueryField::Level(level) => Some(*level),
            QueryField::Condition(_) | QueryField::Validator(_) | QueryField::Other(_) => None,
        })
    }
    /// The `nv` fields.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter().filter_map(|field| match field {
            QueryField::Condition(condition) => Some(condition),
            QueryField::Level(_) | QueryField::Validator(_) | QueryField::Other(_) => None,
        })
    }
    /// The `nv` fields, to be changed.
    pub(crate) fn conditions_mut(&mut self) -> impl Iterator<Item = &mut Condition> {
        self.0.iter_mut().filter_map(|field| match field {
            QueryField::Condition(condition) => Some(condition),
            QueryField::Level(_) | QueryField::Validator(_) | QueryField::Other(_) => None,
        })
    }
    /// The cache validator.
    #[must_use]
    pub fn validator(&self) -> Option<&str> {
        self.0.iter().find_map(|field| match field {
            QueryField::Validator(validator) => Some(validator.as_str()),
            QueryField::Level(_) | QueryField::Condition(_) | QueryField::Other(_) => None,
        })
    }
    /// Whether there is a field that the standard knows.
    #[must_use]
    pub fn has_standard_field(&self) -> bool {
        self.0.iter().any(|field| !matches!(field, QueryField::Other(_)))
    }
}

/// An address that parsed; whether it matches something is another question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientUri {
    /// The MOID component.
    pub moid: Moid,
    /// The mo-inst component.
    pub inst: MoInst,
    /// Path from the MO root; empty is the root itself.
    pub path: Vec<Segment>,
    /// The query component.
    pub query: Query,
}

/// Longest address in bytes, as it is given and as [`ClientUri`] writes it: an address that parses can be sent on.
pub const MAX_ADDRESS: usize = 8192;

impl ClientUri {
    /// Parses an address; the first `/` ends the MOID.
    ///
    /// # Errors
    /// [`AddressError::Syntax`] with the byte offset; also for an x-name used twice or without an nv field, an nv field
    /// without its x-name, and lv or cv that is malformed or given twice.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::parse_with(text, &|_| false)
    }
    /// Parses an address whose MOID may hold `/`: the longest prefix that `known` accepts is the MOID, else the first
    /// `/` ends it.
    ///
    /// # Errors
    /// As [`ClientUri::parse`].
    pub fn parse_with(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Self, AddressError> {
        parse::address(text, known)
    }
    /// The concrete address of a node, no query.
    #[must_use]
    pub fn concrete(moid: Moid, miid: Miid, path: Vec<NodeName>) -> Self {
        Self {
            moid,
            inst: MoInst::Miid(miid),
            path: path.into_iter().map(Segment::Name).collect(),
            query: Query::default(),
        }
    }
    /// Whether the address holds `*` in mo-inst or path.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.inst == MoInst::All || self.path.contains(&Segment::Wildcard)
    }
    /// Whether the address holds an x-name.
    #[must_use]
    pub fn has_x_name(&self) -> bool {
        self.x_names().next().is_some()
    }
    /// Every x-name, from left to right.
    fn x_names(&self) -> impl Iterator<Item = XName> {
        let inst = match &self.inst {
            MoInst::XName(letter) => Some(*letter),
            MoInst::Miid(_) | MoInst::Only | MoInst::All => None,
        };
        inst.into_iter().chain(self.path.iter().filter_map(|segment| match segment {
            Segment::XName(letter) => Some(*letter),
            Segment::Name(_) | Segment::Wildcard => None,
        }))
    }
}
