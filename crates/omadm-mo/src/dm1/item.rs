//! What is read, and what is written, without its encoding.

use alloc::string::String;
use alloc::vec::Vec;

use super::Snapshot;
use crate::client_uri::ClientUri;
use crate::name::{Miid, Moid};
use crate::value::{Format, Value};

/// One Item of a Results.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadItem {
    /// Absolute address of what was read, with `?prop=` for a property; of a TNDS document that of its top node.
    pub uri: String,
    /// Meta Format; `chr` is the default and need not be sent.
    pub format: Format,
    /// Meta Type; `None` where the default `text/plain` holds. Of a TNDS document the encoder says it.
    pub media_type: Option<String>,
    /// Data.
    pub content: ReadContent,
}

/// Data of an Item.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadContent {
    /// No Data: a node of `?list=Struct`.
    None,
    /// The names of the children of an interior node, percent-encoded. They go joined by `/`; none is empty Data.
    Names(Vec<String>),
    /// The value of a leaf.
    Value(Value),
    /// The value of a property.
    Text(String),
    /// A TNDS document.
    Tree(Snapshot),
}

/// What a command gives to a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewNode {
    /// Meta Format as carried: `b64` also where `bin` is meant. `None` if the command has none.
    pub format: Option<Format>,
    /// Meta Type: MIME type of a leaf, MOID of an interior node.
    pub media_type: Option<String>,
    /// Data: [`Value::Text`] for characters as carried, [`Value::Bytes`] for OPAQUE; `None` without Data.
    pub value: Option<Value>,
}

/// A node that may be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// Its absolute address.
    pub uri: String,
    /// Its address in the management object.
    pub address: ClientUri,
    /// The management object.
    pub instance: (Moid, Miid),
}
