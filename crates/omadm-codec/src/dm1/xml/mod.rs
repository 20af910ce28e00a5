//! Documents in XML.

mod read;
mod write;

pub use read::XmlReader;
pub(in crate::dm1) use write::Place;
pub use write::XmlWriter;

use super::element::Page;

/// Namespace of MetInf.
const METINF: &str = "syncml:metinf";
/// Namespace of DDF and TNDS.
const DDF: &str = "syncml:dmddf1.2";
/// Namespace of SyncML of DM 1.1.
const SYNCML_11: &str = "SYNCML:SYNCML1.1";
/// Namespace of SyncML of DM 1.2 and 1.3.
const SYNCML_12: &str = "SYNCML:SYNCML1.2";

/// What a namespace is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Namespace {
    /// There is none.
    Absent,
    /// That of a page.
    Of(Page),
    /// Meant for a page, but not written as the standard writes it.
    Misspelt(Page),
    /// Of no format that we know.
    Foreign,
}

impl Namespace {
    fn parse(name: &str) -> Self {
        let begins =
            |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        match name {
            "" => Self::Absent,
            SYNCML_12 | SYNCML_11 => Self::Of(Page::SyncMl),
            METINF => Self::Of(Page::MetInf),
            _ if name.starts_with("syncml:dmddf") => Self::Of(Page::Ddf),
            _ if begins("syncml:syncml") => Self::Misspelt(Page::SyncMl),
            _ if begins(METINF) => Self::Misspelt(Page::MetInf),
            _ if begins("syncml:dmddf") => Self::Misspelt(Page::Ddf),
            _ => Self::Foreign,
        }
    }
}
