//! TNDS: a part of the tree as one document, in XML and in WBXML (`DM 1.3 TNDS §5`).
//!
//! Which nodes and properties a document holds, and where in the tree they belong, is decided by [`omadm_mo::dm1`].

mod read;
mod write;

pub use read::read;
pub use write::write;

/// Media type of a document in XML.
pub const TNDS_XML: &str = "application/vnd.syncml.dmtnds+xml";
/// Media type of a document in WBXML.
pub const TNDS_WBXML: &str = "application/vnd.syncml.dmtnds+wbxml";
