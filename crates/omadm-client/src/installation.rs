//! Bootstraps of DM 2.0 put into the tree (`DM 2.0 §8.5`).

use std::collections::BTreeSet;

use omadm_mo::ServerId;
use omadm_session::dm2::client::{self, Installed};

use crate::consent::{BootstrapRequest, Origin};
#[cfg(feature = "dm1")]
use crate::device::made;
use crate::device::{Device, DeviceConfig};
use crate::error::ClientError;
#[cfg(feature = "dm1")]
use crate::smartcard::{Origins, Protocol};
use crate::{keys, notification, outbox};

/// Entry of the key/value area: digest of the factory bootstrap that was installed.
const FACTORY: &str = "factory-bootstrap";

impl Device {
    /// Installs a bootstrap (`DM 2.0 §8.5`): all of it or nothing; durable together with the mark that each of its servers
    /// still has to be sent BootstrapComplete. Gives these servers.
    ///
    /// # Errors
    /// [`ClientError::Bootstrap`] and [`ClientError::Persist`].
    pub fn install_bootstrap(&mut self, body: &[u8]) -> Result<Vec<ServerId>, ClientError> {
        self.install(body, &Origin::Local, Vec::new())
    }

    /// The same where it is remembered how it came.
    #[cfg(feature = "dm1")]
    pub(crate) fn install_bootstrap_of(
        &mut self,
        origin: &Origin,
        body: &[u8],
    ) -> Result<Vec<ServerId>, ClientError> {
        self.install(body, origin, Vec::new())
    }

    /// As [`Device::install_bootstrap`], once in the life of the device: after a factory bootstrap was installed none is
    /// looked at again (`DM 2.0 §8.2`); the answer is `None` then.
    ///
    /// # Errors
    /// As [`Device::install_bootstrap`]; nothing is kept, so the next start tries again.
    pub fn install_factory_bootstrap(&mut self, body: &[u8]) -> Result<Option<Vec<ServerId>>, ClientError> {
        let digest: String = openssl::sha::sha256(body).iter().map(|octet| format!("{octet:02x}")).collect();
        if let Some(installed) = self.entries.get(FACTORY) {
            if *installed != digest {
                tracing::info!(
                    "the factory bootstrap changed since it was installed; it is installed at first start only"
                );
            }
            return Ok(None);
        }
        self.install(body, &Origin::Factory, vec![(FACTORY.to_owned(), Some(digest))]).map(Some)
    }

    /// What a bootstrap would do, for whoever has to agree. Nothing is kept.
    ///
    /// # Errors
    /// [`ClientError::Bootstrap`]: what cannot be installed need not be asked for.
    pub fn examine_bootstrap(
        &mut self,
        origin: Origin,
        body: &[u8],
    ) -> Result<BootstrapRequest, ClientError> {
        let known: BTreeSet<ServerId> = self.tree.accounts().map(|(server, _)| server).collect();
        let Installed { prepared, servers, .. } = self.put_bootstrap(body)?;
        let request = BootstrapRequest::read(origin, &self.tree, prepared.changes(), &servers, &known);
        self.take_back(prepared)?;
        Ok(request)
    }

    fn put_bootstrap(&mut self, body: &[u8]) -> Result<Installed, ClientError> {
        let DeviceConfig { clock, limits, strict, .. } = &self.config;
        let installed = client::install_bootstrap(&mut self.tree, clock(), body, limits, *strict)?;
        let unusable = installed.servers.iter().find_map(|server| {
            let reason = keys::check(self.tree.account(server)?).err()?;
            Some(ClientError::BootstrapKeys { server: server.clone(), reason })
        });
        match unusable {
            None => Ok(installed),
            Some(error) => {
                self.take_back(installed.prepared)?;
                Err(error)
            }
        }
    }

    fn install(
        &mut self,
        body: &[u8],
        origin: &Origin,
        mut entries: Vec<(String, Option<String>)>,
    ) -> Result<Vec<ServerId>, ClientError> {
        let Installed { prepared, servers, tolerated } = self.put_bootstrap(body)?;
        if !tolerated.is_empty() {
            let names: Vec<_> = tolerated.iter().map(|tolerance| tolerance.as_str()).collect();
            let names = names.join(", ");
            tracing::info!("the bootstrap {origin} departs from the standard and is tolerated: {names}");
        }
        entries.extend(servers.iter().map(outbox::bootstrap_pending));
        entries.extend(servers.iter().map(notification::forget));
        #[cfg(feature = "dm1")]
        {
            let origins = Origins::of(Protocol::Dm2, origin, made(&self.tree, prepared.changes()));
            entries.extend(servers.iter().map(|server| origins.entry(server)));
        }
        self.keep(prepared, entries)?;
        self.tidy();
        Ok(servers)
    }
}
