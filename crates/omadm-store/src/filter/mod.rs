//! The language in which operators say which devices they mean, such as
//! `model = "X" and fw < "2.1" and label:site = "A" and seen < 2d`.
//!
//! A [`Filter`] is read from text once. Then it is asked about one device ([`Filter::matches`]), or the store turns it into SQL
//! over its indexes. Both give the same answer: a field that is not known of a device is the empty text, and `not` turns every
//! answer around.

mod complete;
mod field;
mod groups;
mod lex;
mod matching;
mod parse;
pub(crate) mod sql;
mod version;

pub use complete::complete;
pub use field::{Compare, Field};
pub use groups::GroupFilters;
pub use version::version_key;

/// How large a filter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterLimits {
    /// Characters, at least 1. Default 4096.
    pub length: usize,
    /// Parentheses and `not` within each other. Default 16.
    pub depth: usize,
    /// Comparisons, and values in the parentheses of `in`. Default 256.
    pub terms: usize,
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self { length: 4_096, depth: 16, terms: 256 }
    }
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {}: {what}; {expected}", .at + 1)]
pub struct FilterError {
    /// Character at which it goes wrong, counted from 0.
    pub at: usize,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub expected: String,
}

/// Which devices are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Node);

/// A condition, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Term(Term),
    /// The filter of a group, and the character at which it is named.
    Group(String, usize),
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    field: Field,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// One of these; versions by their keys.
    Is(Vec<String>),
    /// A pattern with `*` and `?`.
    Like(String),
    /// A version before or after this one.
    Version(Compare, String),
    /// So many microseconds ago.
    Age(Compare, i64),
    /// Never.
    Never,
    /// So many.
    Number(Compare, i64),
    /// Has it at all.
    Present,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// At the first character that does not fit, or at which a limit is passed.
    pub fn parse(text: &str, limits: &FilterLimits) -> Result<Self, FilterError> {
        parse::parse(text, limits).map(Self)
    }

    /// The devices of a group.
    #[must_use]
    pub fn group(name: &str) -> Self {
        Self(Node::Group(name.to_owned(), 0))
    }

    /// The devices of any of these groups.
    #[must_use]
    pub fn of_groups(names: &[String]) -> Self {
        Self(Node::Any(names.iter().map(|name| Node::Group(name.clone(), 0)).collect()))
    }

    /// Both conditions.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Node::All(vec![self.0, other.0]))
    }

    /// Either condition.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Node::Any(vec![self.0, other.0]))
    }

    /// Names of the groups in it, each with the character at which it stands, in their order.
    #[must_use]
    pub fn groups(&self) -> Vec<(&str, usize)> {
        let mut found = Vec::new();
        self.0.groups(&mut found);
        found
    }
}

impl Node {
    fn groups<'n>(&'n self, found: &mut Vec<(&'n str, usize)>) {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().for_each(|node| node.groups(found)),
            Self::Not(node) => node.groups(found),
            Self::Group(name, at) => found.push((name, *at)),
            Self::Term(_) => {}
        }
    }
}
