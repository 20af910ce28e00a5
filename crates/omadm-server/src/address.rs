//! Addresses of the last known tree, to and from ClientURIs.

use omadm_mo::{ClientUri, DeviceId, Miid, MoInst, Moid, NodeName, Segment};
use omadm_store::{Store, StoreError, TreeAddress};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// All but unreserved characters and `:`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');

/// A management object as a device reported it; an array of these is a device's inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SupportedMo {
    /// Its MOID.
    pub moid: String,
    /// Its instances, by MIID.
    pub miids: Vec<String>,
    /// Link to its DDF file.
    pub ddf: Option<String>,
    /// Where the roots of its instances are in the tree of a DM 1.x device, in the order of `miids`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<String>,
}

/// A device's inventory, read from its stored form.
#[derive(Clone, Debug, Default)]
pub struct Inventory(pub Vec<SupportedMo>);

impl Inventory {
    /// Reads the stored form; a device that never reported has an empty one.
    pub fn read(stored: Option<&str>) -> Self {
        Self(stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    /// Whether the device has this MOID.
    pub fn has(&self, moid: &str) -> bool {
        self.0.iter().any(|mo| mo.moid == moid)
    }

    /// The link to the DDF file of a MOID.
    pub fn link(&self, moid: &str) -> Option<&str> {
        self.0.iter().find(|mo| mo.moid == moid)?.ddf.as_deref()
    }

    /// The MIID of the only instance of a MOID.
    fn only(&self, moid: &str) -> Option<Miid> {
        let mo = self.0.iter().find(|mo| mo.moid == moid && !mo.miids.is_empty())?;
        match mo.miids.as_slice() {
            [miid] => Miid::parse(miid).ok(),
            _ => None,
        }
    }

    /// Learns which instance an address without MIID means, where the device has not reported it: the only one whose nodes were
    /// seen.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn learn(
        &mut self,
        store: &dyn Store,
        device: &DeviceId,
        uri: &ClientUri,
    ) -> Result<(), StoreError> {
        let moid = uri.moid.as_str();
        if uri.inst != MoInst::Only || self.knows_instances(moid) {
            return Ok(());
        }
        let all = TreeAddress { moid: moid.to_owned(), miid: String::new(), path: String::new() };
        let Some(seen) = store.tree(device, &all, None, 1).await?.into_iter().next() else { return Ok(()) };
        // Names in paths are ASCII, so this comes behind every node of the instance.
        let behind = TreeAddress { path: format!("/{}", char::MAX), ..seen.at.clone() };
        if store.tree(device, &all, Some(behind), 1).await?.is_empty() {
            self.0.push(SupportedMo {
                moid: seen.at.moid,
                miids: vec![seen.at.miid],
                ddf: None,
                roots: Vec::new(),
            });
        }
        Ok(())
    }

    /// Parses an address of this device.
    ///
    /// # Errors
    /// One sentence.
    pub fn parse(&self, address: &str) -> Result<ClientUri, String> {
        ClientUri::parse_with(address, &|moid| self.has(moid))
            .map_err(|error| format!("the address {address:?} is not legal: {error}"))
    }

    /// Where a node is to be written in the tree: as [`Inventory::place`], but where the device has not reported the instances of
    /// the MOID, the MIID is left empty, and the store takes the only one that was seen.
    pub fn target(&self, uri: &ClientUri) -> Option<TreeAddress> {
        if uri.inst == MoInst::Only && !self.knows_instances(uri.moid.as_str()) {
            return Some(TreeAddress {
                moid: uri.moid.as_str().to_owned(),
                miid: String::new(),
                path: path_text(uri)?,
            });
        }
        self.place(uri)
    }

    fn knows_instances(&self, moid: &str) -> bool {
        self.0.iter().any(|mo| mo.moid == moid && !mo.miids.is_empty())
    }

    /// The place of a node in the tree; `None` for an address that may mean several nodes, or whose instance is not known.
    pub fn place(&self, uri: &ClientUri) -> Option<TreeAddress> {
        let miid = match &uri.inst {
            MoInst::Miid(miid) => miid.clone(),
            MoInst::Only => self.only(uri.moid.as_str())?,
            MoInst::XName(_) | MoInst::All => return None,
        };
        Some(TreeAddress {
            moid: uri.moid.as_str().to_owned(),
            miid: miid.as_str().to_owned(),
            path: path_text(uri)?,
        })
    }

    /// The part of the tree that an operator wants to see: as [`Inventory::place`], and all instances of a MOID.
    pub fn part(&self, uri: &ClientUri) -> Option<TreeAddress> {
        match uri.inst {
            MoInst::All | MoInst::Only if uri.path.is_empty() => Some(TreeAddress {
                moid: uri.moid.as_str().to_owned(),
                miid: String::new(),
                path: String::new(),
            }),
            _ => self.place(uri),
        }
    }
}

/// The path of an address below its MO root; `None` if it has a wildcard.
fn path_text(uri: &ClientUri) -> Option<String> {
    let mut path = String::new();
    for segment in &uri.path {
        let Segment::Name(name) = segment else { return None };
        path.push('/');
        path.push_str(&encode(name.as_str()));
    }
    Some(path)
}

/// A name as it stands in the path of a place.
pub fn encode(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}

/// The ClientURI of a place; `None` when the store holds what is no legal address.
pub fn client_uri(at: &TreeAddress) -> Option<ClientUri> {
    let names = at.path.split('/').skip(1).map(|name| {
        let name = percent_decode_str(name).decode_utf8().ok()?;
        NodeName::parse(&name).ok()
    });
    Some(ClientUri::concrete(
        Moid::parse(&at.moid).ok()?,
        Miid::parse(&at.miid).ok()?,
        names.collect::<Option<_>>()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOID: &str = "urn:oma:mo:x:1.0";

    fn inventory(miids: &[&str]) -> Inventory {
        let miids = miids.iter().map(|miid| (*miid).to_owned()).collect();
        Inventory(vec![SupportedMo { moid: MOID.into(), miids, ddf: None, roots: Vec::new() }])
    }

    fn place(inventory: &Inventory, address: &str) -> Option<(String, String)> {
        let at = inventory.place(&inventory.parse(address).unwrap())?;
        Some((at.miid, at.path))
    }

    #[test]
    fn concrete_addresses_have_a_place() {
        let one = inventory(&["a"]);
        let text = |miid: &str, path: &str| Some((miid.to_owned(), path.to_owned()));
        assert_eq!(place(&one, "urn:oma:mo:x:1.0/b/"), text("b", ""));
        assert_eq!(place(&one, "urn:oma:mo:x:1.0//"), text("a", ""));
        assert_eq!(place(&one, "urn:oma:mo:x:1.0//n%20m/urn:x"), text("a", "/n%20m/urn:x"));
        assert_eq!(place(&one, "urn:oma:mo:x:1.0/*/n"), None);
        assert_eq!(place(&one, "urn:oma:mo:x:1.0//n/*"), None);
        for inventory in [inventory(&["a", "b"]), inventory(&[]), Inventory::default()] {
            assert_eq!(place(&inventory, "urn:oma:mo:x:1.0//n"), None);
        }
    }

    #[test]
    fn places_are_addresses_again() {
        let inventory = inventory(&["a b"]);
        for address in ["urn:oma:mo:x:1.0//", "urn:oma:mo:x:1.0//n%20m/urn:x", "urn:oma:mo:x:1.0/z/%C3%BC"] {
            let at = inventory.place(&inventory.parse(address).unwrap()).unwrap();
            let again = client_uri(&at).unwrap();
            assert_eq!(inventory.place(&again), Some(at), "{again}");
        }
        let bad = TreeAddress { moid: MOID.into(), miid: "*".into(), path: String::new() };
        assert_eq!(client_uri(&bad), None);
    }

    #[test]
    fn an_operator_may_look_at_all_instances() {
        let inventory = inventory(&["a", "b"]);
        for address in ["urn:oma:mo:x:1.0/*/", "urn:oma:mo:x:1.0//"] {
            let at = inventory.part(&inventory.parse(address).unwrap()).unwrap();
            assert_eq!((at.miid.as_str(), at.path.as_str()), ("", ""));
        }
    }
}
