//! DDF files as the server keeps them, and those it comes with.

use std::fmt::Write as _;

use omadm_codec::ddf::Decoded;
use omadm_codec::{Limits, ddf};
use omadm_mo::Time;
use omadm_mo::ddf::Catalogue;
use omadm_store::{DdfFile, Store};
use sha2::{Digest as _, Sha256};

use crate::ServerError;

/// Media type of a DDF file.
pub const DDF_XML: &str = "application/vnd.syncml.dmddf+xml";
/// Largest DDF file, in octets.
pub const MAX_FILE: usize = 2 << 20;
/// Longest name of a file.
const MAX_NAME: usize = 128;

/// The standard management objects of every version: names of files and their text.
pub const BUILT_IN: [(&str, &str); 16] = [
    ("dm_devinfo-v1_2.ddf", include_str!("../../../ddf/dm_devinfo-v1_2.ddf")),
    ("dm_dmacc-v1_2.ddf", include_str!("../../../ddf/dm_dmacc-v1_2.ddf")),
    ("dm_delegation-v1_0.ddf", include_str!("../../../ddf/dm_delegation-v1_0.ddf")),
    ("dm_sessioninfo-v1_0.ddf", include_str!("../../../ddf/dm_sessioninfo-v1_0.ddf")),
    ("dm_devinfo-v1_3.ddf", include_str!("../../../ddf/dm_devinfo-v1_3.ddf")),
    ("dm_devdetail-v1_3.ddf", include_str!("../../../ddf/dm_devdetail-v1_3.ddf")),
    ("dm_dmacc-v1_3.ddf", include_str!("../../../ddf/dm_dmacc-v1_3.ddf")),
    ("dm_devinfo-v1_0.ddf", include_str!("../../../ddf/dm_devinfo-v1_0.ddf")),
    ("dm_devdetail-v1_0.ddf", include_str!("../../../ddf/dm_devdetail-v1_0.ddf")),
    ("dm_dmacc-v1_0.ddf", include_str!("../../../ddf/dm_dmacc-v1_0.ddf")),
    ("dm_inbox-v1_0.ddf", include_str!("../../../ddf/dm_inbox-v1_0.ddf")),
    ("MO_dm_bootconfig-v1_3.ddf", include_str!("../../../ddf/MO_dm_bootconfig-v1_3.ddf")),
    ("oma_fumo-v1_0.ddf", include_str!("../../../ddf/oma_fumo-v1_0.ddf")),
    ("oma_scomo-v1_0.ddf", include_str!("../../../ddf/oma_scomo-v1_0.ddf")),
    ("oma_diagmon-v1_0.ddf", include_str!("../../../ddf/oma_diagmon-v1_0.ddf")),
    ("oma_lawmo-v1_0.ddf", include_str!("../../../ddf/oma_lawmo-v1_0.ddf")),
];

/// Name of the file that describes the DM account.
pub const DMACC_FILE: &str = "dm_dmacc-v1_2.ddf";

/// Reads a file to be stored under `name`; also gives what the reader found odd.
///
/// # Errors
/// One sentence, with line and column where the XML is at fault.
pub fn read(name: &str, text: &[u8], now: Time) -> Result<(DdfFile, Vec<String>), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || !name.chars().all(legal) {
        let rule = "letters, digits, '.', '-' and '_', and does not begin with '.'";
        return Err(format!("the file name {name:?} is not legal: it has 1 to {MAX_NAME} {rule}"));
    }
    let decoded = decode(text)?;
    let moids = Catalogue::new().add(&decoded.ddf, name);
    if moids.is_empty() {
        return Err("it describes no management object: no node at the top has a DDFName".into());
    }
    let text = String::from_utf8(text.to_vec()).map_err(|error| format!("it is not UTF-8: {error}"))?;
    let moids = moids.iter().map(|moid| moid.as_str().to_owned()).collect();
    Ok((DdfFile { name: name.to_owned(), moids, text, stored: now }, decoded.warnings))
}

/// Reads the text of a file.
///
/// # Errors
/// One sentence, with line and column.
pub fn decode(text: &[u8]) -> Result<Decoded, String> {
    let limits = Limits { bytes: MAX_FILE, ..Limits::default() };
    ddf::decode(text, &limits).map_err(|error| {
        let (line, column) = ddf::line_and_column(text, error.at);
        format!("line {line}, column {column}: {}: {}", error.field, error.problem)
    })
}

/// How the names of files begin that came by the link of a device.
const OF_LINK: &str = "linked-";

/// The name under which the file behind a link is stored.
pub fn name_of_link(link: &str) -> String {
    let digest = Sha256::digest(link.as_bytes());
    let mut name = OF_LINK.to_owned();
    for octet in digest.iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{octet:02x}");
    }
    name + ".ddf"
}

/// Whether a file came by the link of a device.
pub fn is_of_link(name: &str) -> bool {
    name.starts_with(OF_LINK)
}

/// When the built-in files were stored: before any that an operator puts in their place.
const WITH_PROGRAM: Time = Time(0);

/// Whether the file is as this program, or an earlier version of it, came with it.
pub fn is_built_in(file: &DdfFile) -> bool {
    file.stored == WITH_PROGRAM
}

/// The file of a name as it comes with the program, if one does.
///
/// # Errors
/// When it cannot be read, which no test has let through.
pub fn built_in(name: &str) -> Result<Option<DdfFile>, ServerError> {
    let Some((name, text)) = BUILT_IN.into_iter().find(|(known, _)| *known == name) else { return Ok(None) };
    let read = read(name, text.as_bytes(), WITH_PROGRAM);
    read.map(|(file, _)| Some(file)).map_err(|problem| ServerError::Ddf { name, problem })
}

/// Stores the built-in files that are not there or are of an earlier version; one that an operator replaced stays as it is.
///
/// # Errors
/// When the store fails.
pub async fn seed(store: &dyn Store) -> Result<(), ServerError> {
    for (name, text) in BUILT_IN {
        let kept = store.ddf(name).await?;
        if kept.is_some_and(|kept| !is_built_in(&kept) || kept.text == text) {
            continue;
        }
        if let Some(file) = built_in(name)? {
            store.put_ddf(file).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_files_are_legal() {
        for (name, text) in BUILT_IN {
            let (file, warnings) = read(name, text.as_bytes(), Time(0)).unwrap();
            assert_eq!((file.moids.len(), warnings), (1, vec![]), "{name}");
        }
        assert!(BUILT_IN.iter().any(|(name, _)| *name == DMACC_FILE));
    }

    #[test]
    fn links_have_names_of_their_own() {
        let names = ["https://a.example/x.ddf", "https://a.example/y.ddf"].map(name_of_link);
        assert_ne!(names[0], names[1]);
        for name in names {
            assert!(is_of_link(&name));
            assert!(read(&name, BUILT_IN[0].1.as_bytes(), Time(0)).is_ok(), "{name} is legal");
        }
        assert!(!is_of_link(DMACC_FILE));
    }

    #[test]
    fn broken_files_are_refused_with_their_place() {
        let error = read("x.ddf", b"<MgmtTree>\n  <Node>\n</MgmtTree>", Time(0)).unwrap_err();
        assert!(error.starts_with("line 3, column "), "{error}");
        for name in ["", ".hidden", "a/b", "..", "ü"] {
            assert!(
                read(name, BUILT_IN[0].1.as_bytes(), Time(0)).unwrap_err().contains("file name"),
                "{name}"
            );
        }
    }
}
