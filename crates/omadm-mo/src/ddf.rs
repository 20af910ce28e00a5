//! The Device Description Framework model: every element of the DM 1.3 DDF (`DM 2.0 §6.4`, `DM 1.3 DDF DTD`).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::client_uri::Segment;
use crate::name::{Moid, NodeName};
use crate::value::{Format, Value};

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

impl AccessType {
    /// What holds for a node outside all definitions: all that data allows.
    pub const DATA: Self =
        Self { add: true, copy: true, delete: true, exec: false, get: true, replace: true };

    /// The names of what is allowed, in alphabetical order.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        [
            ("Add", self.add),
            ("Copy", self.copy),
            ("Delete", self.delete),
            ("Exec", self.exec),
            ("Get", self.get),
            ("Replace", self.replace),
        ]
        .into_iter()
        .filter_map(|(name, allowed)| allowed.then_some(name))
        .collect()
    }

    /// Whether a value or children can be put there.
    pub(crate) fn writes(self) -> bool {
        self.add || self.replace
    }

    /// Whether nothing is allowed: such a node is not exposed to servers (`DM 2.0 §6.3.1`).
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
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

impl Occurrence {
    /// Whether at least one node has to be there.
    #[must_use]
    pub fn is_required(self) -> bool {
        matches!(self, Self::One | Self::OneOrMore | Self::OneOrN(_))
    }

    /// How many nodes there may be; `None` is as many as the device can hold.
    #[must_use]
    pub fn limit(self) -> Option<usize> {
        match self {
            Self::One | Self::ZeroOrOne => Some(1),
            Self::ZeroOrMore | Self::OneOrMore => None,
            Self::ZeroOrN(limit) | Self::OneOrN(limit) => Some(usize::try_from(limit).unwrap_or(usize::MAX)),
        }
    }
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

impl DdfNode {
    /// Whether nodes that no definition describes may be put below: an `Ext` or `Bearer` without children of its own.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let named_so =
            matches!(&self.name, DdfName::Named(name) if matches!(name.as_str(), "Ext" | "Bearer"));
        self.format == Format::Node && self.children.is_empty() && named_so
    }

    /// The value of a new leaf for which none is given: DefaultValue, else Value, else nothing of its format.
    pub(crate) fn initial_value(&self) -> Value {
        let text = self.default_value.as_deref().or(self.value.as_deref());
        text.and_then(|text| Value::from_text(self.format, text).ok())
            .unwrap_or_else(|| Value::unset(self.format))
    }

    /// The first MIME type of a leaf.
    pub(crate) fn mime(&self) -> Option<&str> {
        self.mime_types().next()
    }

    /// The MIME types of a leaf.
    pub fn mime_types(&self) -> impl Iterator<Item = &str> {
        let types = match &self.df_type {
            Some(DfType::Mime(types)) => types.as_slice(),
            Some(DfType::DdfName(_)) | None => &[],
        };
        types.iter().map(String::as_str)
    }
}

/// A described node as seen from its MO root: with the letter case rule that it inherits.
#[derive(Clone, Copy)]
pub(crate) struct Rule<'c> {
    pub(crate) ddf: &'c DdfNode,
    /// Whether the name compares without regard to letter case.
    pub(crate) fold: bool,
}

impl<'c> Rule<'c> {
    /// The rule of an MO root.
    pub(crate) fn of_root(ddf: &'c DdfNode) -> Self {
        Self::below(false, ddf)
    }

    fn below(fold: bool, ddf: &'c DdfNode) -> Self {
        let fold = match ddf.case_sense {
            Some(CaseSense::Insensitive) => true,
            Some(CaseSense::Sensitive) => false,
            None => fold,
        };
        Self { ddf, fold }
    }

    /// The rules of the children, in the order of the definition.
    pub(crate) fn children(self) -> impl Iterator<Item = Self> + use<'c> {
        self.ddf.children.iter().map(move |child| Self::below(self.fold, child))
    }

    /// The rule for a child of this name: that of the named node, else of the un-named one of its kind.
    pub(crate) fn child(self, name: &str, leaf: bool) -> Option<Self> {
        let mut un_named = None;
        for child in self.children() {
            match &child.ddf.name {
                DdfName::Named(named) if same_name(named.as_str(), name, child.fold) => return Some(child),
                DdfName::Named(_) => {}
                DdfName::Unnamed(_) => {
                    let fits = child.ddf.format.is_leaf() == leaf;
                    if fits || un_named.is_none() {
                        un_named = Some(child);
                    }
                }
            }
        }
        un_named
    }

    /// The rules of the children that a segment of an address may mean.
    fn meant(self, segment: &Segment) -> Vec<Self> {
        match segment {
            Segment::Name(name) => {
                let leaf = self.child(name.as_str(), true);
                let interior =
                    self.child(name.as_str(), false).filter(|rule| leaf.is_none_or(|leaf| !leaf.is(*rule)));
                leaf.into_iter().chain(interior).collect()
            }
            Segment::XName(_) => {
                self.children().filter(|child| matches!(child.ddf.name, DdfName::Unnamed(_))).collect()
            }
            Segment::Wildcard => self.children().collect(),
        }
    }

    /// Whether servers may write to the node or to anything that the definition has below it. (The depth of a definition is
    /// bounded when it is read.)
    pub(crate) fn takes_writes(self) -> bool {
        self.ddf.access.writes() || self.children().any(Self::takes_writes)
    }

    /// Whether both are the same node of the definition.
    pub(crate) fn is(self, other: Self) -> bool {
        core::ptr::eq(self.ddf, other.ddf)
    }
}

/// Whether two names of siblings are the same name.
pub(crate) fn same_name(left: &str, right: &str, fold: bool) -> bool {
    left == right || (fold && folded(left) == folded(right))
}

/// A name without letter case.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
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

impl Definition {
    /// The nodes of the definition that a path below the MO root may mean; none if it describes none there. They can be several
    /// where a name may be that of an un-named leaf or interior node, and with an x-name or a wildcard.
    ///
    /// `None` below a node where anything may stand ([`DdfNode::is_open`]).
    #[must_use]
    pub fn nodes_at(&self, path: &[Segment]) -> Option<Vec<&DdfNode>> {
        let mut rules = alloc::vec![Rule::of_root(&self.root)];
        for segment in path {
            if rules.iter().any(|rule| rule.ddf.is_open()) {
                return None;
            }
            rules = rules.into_iter().flat_map(|rule| rule.meant(segment)).collect();
        }
        Some(rules.into_iter().map(|rule| rule.ddf).collect())
    }

    /// The nodes that this definition demands (occurrence One, OneOrMore or OneOrN) and `other`, which describes their
    /// parents, does not describe: paths below the MO root with `<x>` for an un-named node. Of a missing node only the path
    /// of its own is given (`DM 2.0 §6.3.1`: a required node is supported if its parent is).
    #[must_use]
    pub fn missing_in(&self, other: &Self) -> Vec<String> {
        let mut missing = Vec::new();
        note_missing(Rule::of_root(&self.root), Rule::of_root(&other.root), "", &mut missing);
        missing
    }
}

/// Compares the children of a node in two definitions. The depth of a definition is bounded when it is read.
fn note_missing(demanding: Rule<'_>, described: Rule<'_>, above: &str, missing: &mut Vec<String>) {
    for child in demanding.children() {
        let counterpart = described.children().find(|other| match (&child.ddf.name, &other.ddf.name) {
            (DdfName::Named(name), DdfName::Named(other)) => {
                same_name(name.as_str(), other.as_str(), child.fold)
            }
            (DdfName::Unnamed(_), DdfName::Unnamed(_)) => {
                child.ddf.format.is_leaf() == other.ddf.format.is_leaf()
            }
            (DdfName::Named(_), DdfName::Unnamed(_)) | (DdfName::Unnamed(_), DdfName::Named(_)) => false,
        });
        let name = match &child.ddf.name {
            DdfName::Named(name) => name.as_str(),
            DdfName::Unnamed(_) => "<x>",
        };
        let path = String::from(above) + name;
        match counterpart {
            Some(other) => note_missing(child, other, &(path + "/"), missing),
            None if child.ddf.occurrence.is_required() => missing.push(path),
            None => {}
        }
    }
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
    /// Adds the MOs of a DDF file (every node of it with a non-empty DDFName at the top); gives their MOIDs. A MOID that is
    /// there already gets the new definition; a DDFName that is no legal MOID is passed over.
    pub fn add(&mut self, ddf: &Ddf, link: &str) -> Vec<Moid> {
        let mut added = Vec::new();
        for root in &ddf.nodes {
            let Some(DfType::DdfName(name)) = &root.df_type else { continue };
            let Ok(moid) = Moid::parse(name) else { continue };
            let definition = Definition { moid: moid.clone(), link: link.to_owned(), root: root.clone() };
            self.definitions.insert(moid.clone(), Arc::new(definition));
            added.push(moid);
        }
        added
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

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;
    use crate::ClientUri;

    fn node(name: &str, format: Format, children: Vec<DdfNode>) -> DdfNode {
        let name = NodeName::parse(name).map_or_else(|_| DdfName::Unnamed(String::new()), DdfName::Named);
        DdfNode {
            name,
            path: None,
            value: None,
            rt_properties: None,
            access: AccessType::DATA,
            default_value: None,
            description: None,
            format,
            occurrence: Occurrence::default(),
            scope: Scope::default(),
            title: None,
            df_type: None,
            case_sense: None,
            children,
        }
    }

    /// The formats of the nodes that a path may mean; `open` where the definition says nothing.
    fn formats(definition: &Definition, path: &str) -> String {
        let address = format!("urn:x/i/{path}?nv=(x)/a:b");
        let address = if path.contains('(') { address } else { address.replace("?nv=(x)/a:b", "") };
        let uri = ClientUri::parse(&address).unwrap();
        definition.nodes_at(&uri.path).map_or_else(
            || "open".to_string(),
            |nodes| nodes.iter().map(|node| node.format.as_str()).collect::<Vec<_>>().join(" "),
        )
    }

    #[test]
    fn a_path_means_the_nodes_that_the_definition_has_there() {
        let folded = DdfNode {
            case_sense: Some(CaseSense::Insensitive),
            ..node("Folded", Format::Node, alloc::vec![node("Time", Format::Time, Vec::new())])
        };
        let both = alloc::vec![
            node("", Format::Int, Vec::new()),
            node("", Format::Node, alloc::vec![node("In", Format::Xml, Vec::new())])
        ];
        let root = node(
            "",
            Format::Node,
            alloc::vec![
                node("Leaf", Format::Chr, Vec::new()),
                node("Both", Format::Node, both),
                folded,
                node("Ext", Format::Node, Vec::new()),
            ],
        );
        let definition = Definition { moid: Moid::parse("urn:x").unwrap(), link: String::new(), root };
        for (path, expected) in [
            ("", "node"),
            ("Leaf", "chr"),
            ("leaf", ""),
            ("Leaf/x", ""),
            ("folded", "node"),
            ("FOLDED/time", "time"),
            ("Both/7", "int node"),
            ("Both/7/In", "xml"),
            ("Both/(x)/In", "xml"),
            ("(x)", ""),
            ("*", "chr node node node"),
            ("Ext", "node"),
            ("Ext/any", "open"),
            ("*/x", "open"),
        ] {
            assert_eq!(formats(&definition, path), expected, "{path}");
        }
    }

    #[test]
    fn required_nodes_are_missing_only_below_described_parents() {
        let of = |children| {
            let root = node("", Format::Node, children);
            Definition { moid: Moid::parse("urn:x").unwrap(), link: String::new(), root }
        };
        let leaf = |name: &str, occurrence| DdfNode { occurrence, ..node(name, Format::Chr, Vec::new()) };
        let list = |occurrence, inside| DdfNode { occurrence, ..node("", Format::Node, inside) };
        let demanding = of(alloc::vec![
            leaf("One", Occurrence::One),
            leaf("Maybe", Occurrence::ZeroOrOne),
            node(
                "List",
                Format::Node,
                alloc::vec![list(
                    Occurrence::OneOrMore,
                    alloc::vec![leaf("In", Occurrence::One), leaf("Out", Occurrence::ZeroOrOne)]
                )]
            ),
            list(Occurrence::OneOrN(3), alloc::vec![leaf("Deep", Occurrence::One)]),
        ]);
        assert_eq!(demanding.missing_in(&demanding), [""; 0]);
        assert_eq!(demanding.missing_in(&of(Vec::new())), ["One", "List", "<x>"]);
        let more = of(alloc::vec![
            leaf("One", Occurrence::ZeroOrOne),
            leaf("", Occurrence::ZeroOrMore),
            node("List", Format::Node, alloc::vec![list(Occurrence::ZeroOrMore, Vec::new())]),
            list(Occurrence::ZeroOrMore, alloc::vec![leaf("Deep", Occurrence::One)]),
        ]);
        assert_eq!(demanding.missing_in(&more), ["List/<x>/In"]);
        let optional_parent = of(alloc::vec![DdfNode {
            occurrence: Occurrence::ZeroOrOne,
            ..node("Part", Format::Node, alloc::vec![leaf("In", Occurrence::One)])
        }]);
        assert_eq!(optional_parent.missing_in(&of(Vec::new())), [""; 0]);
    }
}
