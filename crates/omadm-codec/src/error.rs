//! What a decoder says when it refuses input.

use std::borrow::Cow;

/// Where a message is wrong, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} at byte {at}: {problem}")]
pub struct DecodeError {
    /// Byte offset into the input.
    pub at: usize,
    /// The field of the format, as the standard spells it.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Kinds of faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The input ends too early.
    #[error("the input ends too early")]
    Short,
    /// More input than the value needs.
    #[error("there is input after the end")]
    Trailing,
    /// Nested deeper than [`crate::Limits::depth`].
    #[error("nested deeper than {limit}")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// Larger than [`crate::Limits::bytes`].
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// More than [`crate::Limits::items`].
    #[error("more than {limit} items")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("not UTF-8")]
    BadUtf8,
    /// Broken syntax of the carrier format (JSON, XML, MIME).
    #[error("syntax: {0}")]
    Syntax(Cow<'static, str>),
    /// Well-formed, but not of the schema.
    #[error("{0}")]
    Schema(Cow<'static, str>),
    /// A required member or element is missing.
    #[error("required but missing")]
    Missing,
    /// A member or element that may occur once is there twice.
    #[error("given twice")]
    Duplicate,
}
