//! What is wrong with what was said of a campaign, and where.

use omadm_store::filter::FilterError;

/// What is wrong with one member of what was said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// The member, such as `stages/1/percent`, counted from 0.
    pub field: String,
    /// One sentence.
    pub what: String,
    /// Character at which a filter goes wrong, counted from 0.
    pub at: Option<usize>,
}

impl Fault {
    /// That this is wrong with a member.
    pub fn new(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self { field: field.into(), what: what.into(), at: None }
    }

    /// That a member is no filter; `name` is what the sentence calls it.
    pub fn of_filter(field: impl Into<String>, name: &str, error: &FilterError) -> Self {
        Self { at: Some(error.at), ..Self::new(field, format!("{name}: {error}")) }
    }
}
