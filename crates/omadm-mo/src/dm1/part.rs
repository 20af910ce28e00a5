//! What of a node an address means: the node itself, a property, or a list of what is below it (`DM 1.3 TND §7.4, §9.1`).

use alloc::string::String;
use core::fmt;

use super::Dm1Error;

/// Which part of a node is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The node.
    Node,
    /// `?prop=`.
    Property(Property),
    /// `?list=`.
    List(List),
}

/// A property of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Property {
    Acl,
    Format,
    Name,
    Size,
    Title,
    TStamp,
    Type,
    VerNo,
}

/// A list of what is at and below a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Addresses, formats and types.
    Struct,
    /// The same and the values of leaves.
    StructData,
    /// A TNDS document.
    Tnds(TndsFilter),
    /// The roots of management objects.
    MoRoot,
    /// The same and the leaves of each.
    MoRootData,
}

/// Which parts of the nodes a TNDS document shall hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TndsFilter {
    /// All that the server may read.
    All,
    /// Only the named.
    Only(TndsFields),
    /// All but the named.
    Except(TndsFields),
}

/// Something that can be asked for in a TNDS document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TndsField {
    /// A property; Name and Size are no part of a document, whether asked for or not.
    Property(Property),
    /// The values of leaves.
    Value,
}

/// A set of [`TndsField`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TndsFields(u16);

impl Property {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::Acl, "ACL"),
        (Self::Format, "Format"),
        (Self::Name, "Name"),
        (Self::Size, "Size"),
        (Self::Title, "Title"),
        (Self::TStamp, "TStamp"),
        (Self::Type, "Type"),
        (Self::VerNo, "VerNo"),
    ];

    /// The name as it stands in an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(property, _)| *property == self).map_or("", |(_, name)| name)
    }

    /// Reads a name; letter case counts for nothing.
    fn parse(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(property, _)| *property)
    }
}

impl TndsField {
    const VALUE: &'static str = "Value";

    fn parse(text: &str) -> Option<Self> {
        let value = text.eq_ignore_ascii_case(Self::VALUE).then_some(Self::Value);
        value.or_else(|| Property::parse(text).map(Self::Property))
    }

    fn all() -> impl Iterator<Item = Self> {
        Property::NAMES.into_iter().map(|(property, _)| Self::Property(property)).chain([Self::Value])
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Property(property) => property.as_str(),
            Self::Value => Self::VALUE,
        }
    }

    fn bit(self) -> u16 {
        let at = Self::all().position(|field| field == self).unwrap_or_default();
        1 << at
    }
}

impl TndsFields {
    /// Whether the set holds a field.
    #[must_use]
    pub fn contains(self, field: TndsField) -> bool {
        self.0 & field.bit() != 0
    }

    /// The set with one field more.
    #[must_use]
    pub fn with(self, field: TndsField) -> Self {
        Self(self.0 | field.bit())
    }
}

impl TndsFilter {
    /// Whether a document shall hold a field.
    #[must_use]
    pub fn wants(self, field: TndsField) -> bool {
        match self {
            Self::All => true,
            Self::Only(fields) => fields.contains(field),
            Self::Except(fields) => !fields.contains(field),
        }
    }
}

impl Part {
    /// Reads what stands behind the `?` of `address`. Letter case of the keywords counts for nothing.
    pub(super) fn parse(text: &str, address: &str) -> Result<Self, Dm1Error> {
        let unsupported = |what: &str| Dm1Error::NotSupported { address: address.into(), what: what.into() };
        match text.split_once('=') {
            Some((key, name)) if key.eq_ignore_ascii_case("prop") => {
                Property::parse(name).map(Self::Property).ok_or_else(|| unsupported(name))
            }
            Some((key, name)) if key.eq_ignore_ascii_case("list") => {
                List::parse(name).map(Self::List).ok_or_else(|| unsupported(name))
            }
            _ => Err(Dm1Error::Malformed {
                address: address.into(),
                reason: "neither prop= nor list= stands behind the '?'",
            }),
        }
    }
}

impl List {
    fn parse(text: &str) -> Option<Self> {
        let plain = [
            ("Struct", Self::Struct),
            ("StructData", Self::StructData),
            ("MORoot", Self::MoRoot),
            ("MORootData", Self::MoRootData),
        ];
        if let Some((_, list)) = plain.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Some(*list);
        }
        let (keyword, fields) = text.split_at_checked("TNDS".len())?;
        if !keyword.eq_ignore_ascii_case("TNDS") {
            return None;
        }
        if fields.is_empty() {
            return Some(Self::Tnds(TndsFilter::All));
        }
        // A list is either of what is wanted or of what is not.
        let sign = fields.chars().next().filter(|sign| matches!(sign, '+' | '-'))?;
        let names = fields.split(sign).skip(1);
        let set = names
            .map(TndsField::parse)
            .try_fold(TndsFields::default(), |set, field| Some(set.with(field?)))?;
        Some(Self::Tnds(if sign == '+' { TndsFilter::Only(set) } else { TndsFilter::Except(set) }))
    }
}

impl fmt::Display for Part {
    /// What stands behind the node in an address: nothing, or `?prop=…`, or `?list=…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => Ok(()),
            Self::Property(property) => write!(f, "?prop={}", property.as_str()),
            Self::List(list) => write!(f, "?list={list}"),
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, fields) = match self {
            Self::Struct => return f.write_str("Struct"),
            Self::StructData => return f.write_str("StructData"),
            Self::MoRoot => return f.write_str("MORoot"),
            Self::MoRootData => return f.write_str("MORootData"),
            Self::Tnds(TndsFilter::All) => return f.write_str("TNDS"),
            Self::Tnds(TndsFilter::Only(fields)) => ('+', *fields),
            Self::Tnds(TndsFilter::Except(fields)) => ('-', *fields),
        };
        let mut text = String::from("TNDS");
        for field in TndsField::all().filter(|field| fields.contains(*field)) {
            text.push(sign);
            text.push_str(field.as_str());
        }
        f.write_str(&text)
    }
}
