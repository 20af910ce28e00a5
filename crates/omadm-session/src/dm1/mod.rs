//! DM 1.x sessions: SyncML in XML and WBXML, of the versions 1.1, 1.2 and 1.3.

pub mod client;
pub mod explain;
mod input;
pub mod server;
pub mod status;

pub use input::InputType;
