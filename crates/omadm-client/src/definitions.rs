//! The definitions that the plug-ins of a device bring.

use std::collections::BTreeMap;
use std::sync::Arc;

use omadm_codec::{Limits, ddf};
use omadm_mo::Moid;
use omadm_mo::ddf::Catalogue;

use crate::error::ClientError;
use crate::plugin::ManagementObject;

/// Decodes the DDF files of plug-ins into one catalogue; errors as [`crate::Device::catalogue_of`].
pub(crate) fn decode(plugins: &[Box<dyn ManagementObject>]) -> Result<Arc<Catalogue>, ClientError> {
    let mut catalogue = Catalogue::new();
    for plugin in plugins {
        let (link, xml) = (plugin.link(), plugin.ddf().as_bytes());
        let decoded = ddf::decode(xml, &Limits::default()).map_err(|error| {
            let (line, column) = ddf::line_and_column(xml, error.at);
            ClientError::Ddf { link: link.to_owned(), line, column, reason: error.to_string() }
        })?;
        for warning in &decoded.warnings {
            tracing::warn!(ddf = link, "{warning}");
        }
        let (man, model) = (decoded.ddf.man.as_deref(), decoded.ddf.model.as_deref());
        tracing::debug!(ddf = link, man, model, "DDF file read");
        let known = catalogue.clone();
        let added = catalogue.add(&decoded.ddf, link);
        if added.is_empty() {
            return Err(refused(
                link,
                "it holds no management object (a top node whose DFType is a DDFName)".to_owned(),
            ));
        }
        if let Some(moid) = added.iter().find(|moid| known.get(moid.as_str()).is_some()) {
            return Err(refused(link, format!("{moid} is defined by another plug-in already")));
        }
    }
    Ok(Arc::new(catalogue))
}

/// Which plug-in has which MOID.
///
/// # Errors
/// [`ClientError::Plugins`] when a definition of the catalogue has the link of none of them.
pub(crate) fn owners(
    catalogue: &Catalogue,
    plugins: &[Box<dyn ManagementObject>],
) -> Result<BTreeMap<Moid, usize>, ClientError> {
    catalogue
        .iter()
        .map(|definition| {
            let owner = plugins.iter().position(|plugin| plugin.link() == definition.link);
            let owner = owner.ok_or_else(|| {
                refused(
                    &definition.link,
                    format!("no plug-in has this link, so nothing serves {}", definition.moid),
                )
            })?;
            Ok((definition.moid.clone(), owner))
        })
        .collect()
}

fn refused(link: &str, reason: String) -> ClientError {
    ClientError::Plugins { link: link.to_owned(), reason }
}
