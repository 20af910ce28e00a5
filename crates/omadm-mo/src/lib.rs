//! The management tree of OMA Device Management, for every protocol version.
//!
//! Here: nodes and their properties, MO instances (MOID, MIID), the DDF model, addressing
//! (`ClientUri`, `ServerUri`), access control, and transactions.
//! Never here: a byte of any wire format, I/O, clocks, randomness, `async`.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod access;
pub mod alias;
pub mod change;
pub mod client_uri;
pub mod content;
pub mod ddf;
pub mod dm1;
pub mod error;
pub mod name;
pub mod node;
pub mod resolve;
mod secret;
pub mod server_uri;
pub mod time;
pub mod tree;
pub mod value;
pub mod well_known;

pub use access::{Actor, Authority, Operation, Rights};
pub use alias::{Departure, Tolerances};
pub use change::{Change, ChangeEntry, ChangeKind, ChangeSet, NodeRecord, Prepared};
pub use client_uri::{ClientUri, Condition, MoInst, Query, QueryField, Segment, XName};
pub use content::Content;
pub use error::{AddressError, OperationError, ValueError};
pub use name::{DeviceId, Miid, Moid, NodeName, ServerId};
pub use node::{NodeId, NodePath, NodeRef, Properties};
pub use resolve::Found;
pub use server_uri::{ParameterValues, ServerUri};
pub use time::{Civil, Time};
pub use tree::{Instance, Quota, Tree};
pub use value::{Format, Value};
