//! Management objects that are nothing but a DDF file in a directory.

use std::path::{Path, PathBuf};

use omadm_client::{DataMo, ManagementObject};

use super::{Links, file_name};
use crate::error::AgentError;

/// Longest DDF file in octets.
const MAX_FILE: u64 = 1 << 20;

/// One object per `*.ddf` and `*.xml` file, by name.
pub fn all(directory: &Path, links: &Links<'_>) -> Result<Vec<Box<dyn ManagementObject>>, AgentError> {
    let error = |path: &Path, source| AgentError::File { action: "read", path: path.to_owned(), source };
    let entries = std::fs::read_dir(directory).map_err(|source| error(directory, source))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(|source| error(directory, source)))
        .filter(|path| path.as_ref().map_or(true, |path| is_ddf(path)))
        .collect::<Result<_, _>>()?;
    files.sort();
    files
        .iter()
        .map(|path| {
            let length = std::fs::metadata(path).map_err(|source| error(path, source))?.len();
            if length > MAX_FILE {
                return Err(AgentError::Refused(format!(
                    "{} is larger than {MAX_FILE} bytes",
                    path.display()
                )));
            }
            let ddf = std::fs::read_to_string(path).map_err(|source| error(path, source))?;
            let link = links.other(file_name(path).unwrap_or_default());
            Ok(Box::new(DataMo::new(ddf, link)) as Box<dyn ManagementObject>)
        })
        .collect()
}

fn is_ddf(path: &Path) -> bool {
    file_name(path).is_some()
        && path.extension().is_some_and(|extension| extension == "ddf" || extension == "xml")
}
