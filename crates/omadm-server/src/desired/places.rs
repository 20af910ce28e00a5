//! Where in the last known tree of a device the nodes of a profile are, whatever protocol it speaks.

use std::sync::Arc;

use omadm_mo::{ClientUri, DeviceId};
use omadm_store::{StoreError, TreeAddress};

use crate::address::{Inventory, client_uri};
use crate::context::Context;
use crate::device::dm1::protocol_version;
use crate::models::Files;
use crate::roots::{Roots, Unresolved};

/// The places of one device.
pub struct Places {
    inventory: Inventory,
    /// Of a device that has a tree of its own beside management objects.
    roots: Option<Roots>,
    files: Arc<Files>,
    public_url: String,
}

impl Places {
    /// Of a device by the protocol that it speaks, and what it has told.
    pub fn new(protocol: Option<&str>, inventory: Inventory, files: Arc<Files>, public_url: &str) -> Self {
        let roots = protocol_version(protocol).map(|version| Roots::of(&inventory, version));
        Self { inventory, roots, files, public_url: public_url.to_owned() }
    }

    /// The place of an address; `None` where it is not known, and a sentence where there can be none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn of(
        &mut self,
        context: &Context,
        device: &DeviceId,
        address: &str,
    ) -> Result<Result<Option<TreeAddress>, String>, StoreError> {
        if let Some(roots) = &self.roots {
            return Ok(match roots.resolve(address) {
                Ok(uri) => Ok(roots.place(&uri)),
                Err(Unresolved::UnknownMo(_)) => Ok(None),
                Err(Unresolved::Unsaid(why)) => Err(why),
            });
        }
        let uri = match self.inventory.parse(address) {
            Ok(uri) => uri,
            Err(why) => return Ok(Err(why)),
        };
        self.inventory.learn(context.store.as_ref(), device, &uri).await?;
        Ok(Ok(self.inventory.place(&uri)))
    }

    /// The place of an address, as far as it is known already.
    pub fn of_known(&self, address: &str) -> Option<TreeAddress> {
        match &self.roots {
            Some(roots) => roots.place(&roots.resolve(address).ok()?),
            None => self.inventory.place(&self.inventory.parse(address).ok()?),
        }
    }

    /// Whether a node can be read, as far as the DDF tells.
    pub fn can_be_read(&self, address: &str) -> bool {
        let uri = match &self.roots {
            Some(_) => self.of_known(address).and_then(|at| client_uri(&at)),
            None => ClientUri::parse(address).ok(),
        };
        let Some(uri) = uri else { return true };
        let found = self.files.find(uri.moid.as_str(), &self.inventory, &self.public_url);
        let nodes = found.and_then(|found| found.definition.nodes_at(&uri.path)).unwrap_or_default();
        nodes.is_empty() || nodes.iter().any(|node| node.access.get)
    }

    /// Where the version of the firmware is read.
    pub fn firmware(&self) -> &'static str {
        match self.roots {
            Some(_) => "urn:oma:mo:oma-dm-devdetail:1.0//FwV",
            None => "urn:oma:mo:oma-dm-devinfo:1.2//FwV",
        }
    }

    /// Whether the device can report changes of nodes by itself.
    pub fn can_report(&self) -> bool {
        self.roots.is_none()
    }
}
