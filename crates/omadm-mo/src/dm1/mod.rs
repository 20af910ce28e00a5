//! The tree as DM 1.x sees it (`DM 1.3 TND`, `DM 1.3 TNDS`): addresses, properties, lists, and what a Get shows. The commands that change
//! something are on [`crate::Change`]: `dm1_add`, `dm1_replace` and so on.
//!
//! A server is an [`crate::Actor::Server`]; [`crate::Actor::Bootstrap`] and [`crate::Actor::Device`] are bound by structure and
//! format only. Rights are decided where those of DM 2.0 are, in [`crate::access`].
//!
//! # Where the standard is silent
//!
//! - Checks come in the order of address, existence, rights, definition, format and type, room; [`Dm1Error::status`] has the codes.
//!   Of a node that is not there, and of one that is when an Add meets it, a server without any right at that place hears 425.
//! - A node that no definition describes takes Add, Copy, Delete, Get and Replace. One in an object whose definition the device does
//!   not have takes nothing.
//! - Properties other than Size can be read of a node without access type Get, if it has another one.
//! - An occurrence limit that is reached is 500, for 405 would say that Add is never allowed.
//! - Delete goes by the rights on the node and, in objects that the Delegation Access Control MO is about, on what is below. A permanent
//!   node goes with the node above that it came with (`DM 2.0 §6.3.1.2`), a permanent object never.
//! - Replace by a document keeps ACLs and titles that the document does not have, and permanent nodes; a leaf that is the same
//!   already takes no right but Get.
//! - `MORoot` lists interior nodes that have a Type, `MORootData` the leaves in these objects too. How DM 1.3 writes virtual
//!   addresses is not known either (see [`Dm1Uri`]).
//! - The names of nodes are percent-encoded wherever they stand: in addresses, lists, documents and the property Name. A `/` in one
//!   (`%2F`) stays so in the tree, where DM 2.0 sees it as it is kept.

mod error;
mod item;
mod limits;
mod list;
mod locate;
mod part;
mod read;
mod snapshot;
mod tstamp;
pub(crate) mod uri;

pub use error::Dm1Error;
pub use item::{Executable, NewNode, ReadContent, ReadItem};
pub use limits::UriLimits;
pub use part::{List, Part, Property, TndsField, TndsFields, TndsFilter};
pub(crate) use read::{PLAIN_TEXT, node_type};
pub use snapshot::{Snapshot, SnapshotNode, SnapshotType};
pub use uri::{Dm1Uri, UriDeparture, name_of, segment_of};
