//! The tree as DM 1.x sees it (`DM 1.3 TND`, `DM 1.3 TNDS`): addresses, properties, lists, and the commands of a server.
//!
//! A server is an [`crate::Actor::Server`]; [`crate::Actor::Bootstrap`] and [`crate::Actor::Device`] are bound by structure and
//! format only. Rights are decided where those of DM 2.0 are, in [`crate::access`].

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
pub use uri::{Dm1Uri, UriDeparture};
