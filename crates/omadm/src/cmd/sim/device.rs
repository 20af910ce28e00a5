//! A virtual device: the real client engine over a tree in memory.

use std::sync::Arc;

use omadm_client::{
    Client, ClientConfig, ClientError, DataMo, Device, DeviceConfig, Grant, Grantee, HttpsTransport,
    ManagementObject, PluginError, Volatile,
};
use omadm_codec::dm2::{MoItem, mo_data};
use omadm_mo::ddf::Catalogue;
use omadm_mo::{AddressError, Change, Content, Miid, Moid, NodeName, Rights, ServerId, Value, well_known};

use super::enrolment::Enrolled;
use crate::failure::Failure;

/// The standard management objects of DM 2.0, as the repository describes them.
const DEVINFO_DDF: &str = include_str!("../../../../../ddf/dm_devinfo-v1_2.ddf");
const OTHER_DDFS: [(&str, &str); 3] = [
    ("dm_dmacc-v1_2.ddf", include_str!("../../../../../ddf/dm_dmacc-v1_2.ddf")),
    ("dm_delegation-v1_0.ddf", include_str!("../../../../../ddf/dm_delegation-v1_0.ddf")),
    ("dm_sessioninfo-v1_0.ddf", include_str!("../../../../../ddf/dm_sessioninfo-v1_0.ddf")),
];
/// Where the links to the DDF files point to.
const DDF_BASE: &str = "http://www.openmobilealliance.org/tech/omna/dm_mo/";

/// The server that the devices are bootstrapped for.
pub struct Account {
    /// SrvID.
    pub server: ServerId,
    /// SrvURI.
    pub uri: String,
}

impl Account {
    /// An account of `server`, at `uri`.
    pub fn new(server: &str, uri: &str) -> Result<Self, Failure> {
        let server = ServerId::parse(server)
            .map_err(|error| Failure::Failed(format!("the server's identifier cannot be used: {error}")))?;
        Ok(Self { server, uri: uri.to_owned() })
    }

    /// A factory bootstrap with the credentials of a device (`DM 2.0 §8.5, §12.2`).
    fn bootstrap(&self, device: &Enrolled) -> Result<Vec<u8>, AddressError> {
        let text = |text: &str| Content::Leaf(Value::Text(text.to_owned()));
        let octets = |text: &str| Content::Leaf(Value::Bytes(text.as_bytes().to_vec()));
        let content = interior([
            ("SrvID", text(self.server.as_str())),
            ("SrvURI", text(&self.uri)),
            ("Name", text("omadm sim")),
            ("Perm", interior([("1", interior([("MOID", text("*"))])?)])?),
            (
                "Auth",
                interior([(
                    "Trsp",
                    interior([("Data", octets(&device.user)), ("Secret", octets(&device.secret))])?,
                )])?,
            ),
        ])?;
        let item = MoItem {
            ddf: Some(format!("{DDF_BASE}dm_dmacc-v1_2.ddf")),
            client_uri: format!("{}//", well_known::DMACC),
            cv: None,
            label: "account".to_owned(),
            content,
        };
        let mut body = Vec::new();
        mo_data::encode(&[item], &mut body);
        Ok(body)
    }
}

/// What all virtual devices share.
pub struct Model {
    catalogue: Arc<Catalogue>,
    devinfo: Moid,
}

impl Model {
    /// Reads the DDF files.
    pub fn new() -> Result<Self, Failure> {
        let failure =
            |error: String| Failure::Failed(format!("the virtual devices cannot be built: {error}"));
        let catalogue =
            Device::catalogue_of(&plugins("SIM:0")).map_err(|error| failure(error.to_string()))?;
        let devinfo = Moid::parse(well_known::DEVINFO).map_err(|error| failure(error.to_string()))?;
        Ok(Self { catalogue, devinfo })
    }

    /// A bootstrapped device on a transport that it shares with the others.
    pub fn client(
        &self,
        device: &Enrolled,
        account: &Account,
        transport: HttpsTransport,
    ) -> Result<Client, Failure> {
        let failure =
            |error: &dyn std::error::Error| Failure::Failed(format!("cannot build {}: {error}", device.id));
        let bootstrap = account.bootstrap(device).map_err(|error| failure(&error))?;
        let built = self.device(&device.id, &bootstrap).map_err(|error| failure(&error))?;
        // Who lets the fleet talk without TLS has a server that asks for credentials all the same.
        let plain_http = account.uri.starts_with("http://");
        let config = ClientConfig { plain_http, basic_without_tls: plain_http, ..ClientConfig::default() };
        Ok(Client::new(built, transport, config))
    }

    fn device(&self, id: &str, bootstrap: &[u8]) -> Result<Device, ClientError> {
        let config = DeviceConfig {
            catalogue: Some(Arc::clone(&self.catalogue)),
            grants: vec![Grant {
                moid: self.devinfo.clone(),
                path: "/".to_owned(),
                to: Grantee::Bootstrapped,
                rights: Rights::READ,
            }],
            ..DeviceConfig::default()
        };
        let mut built = Device::open(config, plugins(id), Box::new(Volatile::new()))?;
        built.install_bootstrap(bootstrap)?;
        Ok(built)
    }
}

fn plugins(id: &str) -> Vec<Box<dyn ManagementObject>> {
    let devinfo: Box<dyn ManagementObject> = Box::new(DevInfo { id: id.to_owned() });
    let others = OTHER_DDFS.into_iter().map(|(name, ddf)| -> Box<dyn ManagementObject> {
        Box::new(DataMo::new(ddf, format!("{DDF_BASE}{name}")))
    });
    std::iter::once(devinfo).chain(others).collect()
}

/// DevInfo of a virtual device (`DM 2.0 §12.1`).
struct DevInfo {
    id: String,
}

impl ManagementObject for DevInfo {
    fn ddf(&self) -> &str {
        DEVINFO_DDF
    }

    fn link(&self) -> &str {
        "http://www.openmobilealliance.org/tech/omna/dm_mo/dm_devinfo-v1_2.ddf"
    }

    fn start(&mut self, tree: &mut Change<'_>) -> Result<(), PluginError> {
        let text = |text: &str| Content::Leaf(Value::Text(text.to_owned()));
        let content = interior([
            ("DevID", text(&self.id)),
            ("Man", text("omadm")),
            ("Mod", text("virtual device")),
            ("DmV", text("2.0")),
            ("Lang", text("en")),
            ("DevType", text("simulator")),
            ("OEM", text("omadm")),
            ("FwV", text("1.0")),
            ("SwV", text(env!("CARGO_PKG_VERSION"))),
            ("HwV", text("1.0")),
        ])?;
        let moid = Moid::parse(well_known::DEVINFO)?;
        tree.create_instance(&moid, &Miid::parse("DevInfo")?, content)?;
        Ok(())
    }
}

fn interior<const N: usize>(children: [(&str, Content); N]) -> Result<Content, AddressError> {
    let children = children.into_iter().map(|(name, content)| Ok((NodeName::parse(name)?, content)));
    Ok(Content::Interior(children.collect::<Result<_, _>>()?))
}
