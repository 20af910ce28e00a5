//! Leaf values and their formats (`DM 2.0 §6.3.1`).

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::ValueError;

/// Format of a node (`DM 2.0 §6.3.1`); `Node` is an interior node, all others are leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Format {
    Node,
    Null,
    B64,
    Bin,
    Bool,
    Chr,
    Int,
    Xml,
    Date,
    Time,
    Float,
}

/// Value of a leaf. Which variant a leaf holds follows from its [`Format`]:
/// `null` Null, `bool` Bool, `int` Int, `float` Float, `bin` and `b64` Bytes (decoded octets), others Text.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "described above")]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Format {
    /// The name the standard uses: `node`, `null`, `b64`, ….
    #[must_use]
    pub fn as_str(self) -> &'static str {
        todo!()
    }
    /// Reads a format name, whatever its letter case.
    #[must_use]
    pub fn parse(_text: &str) -> Option<Self> {
        todo!()
    }
    /// Whether nodes of this format are leaves.
    #[must_use]
    pub fn is_leaf(self) -> bool {
        self != Self::Node
    }
}

impl Value {
    /// Reads the textual form of a value: `int` decimal 32-bit signed, `bool` `true`/`false` (also `1`/`0`),
    /// `bin` and `b64` base64, `date`/`time` ISO 8601 (kept as written), `null` the empty text.
    ///
    /// # Errors
    /// [`ValueError`] when `text` is not a value of `format`.
    pub fn from_text(_format: Format, _text: &str) -> Result<Self, ValueError> {
        todo!()
    }
    /// The textual form, the inverse of [`Value::from_text`].
    #[must_use]
    pub fn to_text(&self) -> String {
        todo!()
    }
    /// Makes a value as it came from a self-describing format (JSON) into a value of `format`.
    /// `Text` is read by [`Value::from_text`]; the flag says whether a conversion from text to a number, bool was
    /// needed (a tolerance: such a value is accepted, never sent).
    ///
    /// # Errors
    /// [`ValueError`] when the value does not fit.
    pub fn into_format(self, _format: Format) -> Result<(Self, bool), ValueError> {
        todo!()
    }
    /// Size of the unencoded value in octets, as the Size property counts it.
    #[must_use]
    pub fn size(&self) -> usize {
        todo!()
    }
    /// Whether there is no content (null, empty text, no octets): GET answers 204 for such a leaf.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        todo!()
    }
    /// Whether the value equals `text`, compared by value for numbers and bools (`DM 2.0 §6.1.1.3`, nv).
    #[must_use]
    pub fn equals_text(&self, _text: &str) -> bool {
        todo!()
    }
}
