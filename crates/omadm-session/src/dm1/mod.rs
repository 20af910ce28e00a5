//! DM 1.x sessions: SyncML in XML and WBXML, of the versions 1.1, 1.2 and 1.3.

pub mod bootstrap;
pub mod client;
mod document;
pub mod explain;
mod input;
pub mod obex;
mod question;
pub mod server;
pub mod status;
pub mod wsp;

pub use document::DocumentError;
pub use input::InputType;
pub use question::QuestionKind;
