//! The device without its network: bootstrap, grants, and what is left of it after a restart.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::sync::{Arc, Mutex};

use omadm_client::{
    Batch, ClientError, Device, DeviceConfig, Grant, Grantee, Journal, PersistError, Persistence,
    PluginError, Volatile,
};
use omadm_mo::{Authority, Miid, Moid, Rights, ServerId, Value};

use support::device::{Full, Hands, THING, bootstrap, config, open, plugins, server_id, value};

fn uri_of(device: &Device, server: &str) -> Option<String> {
    let server = ServerId::parse(server).unwrap();
    Some(device.tree().account(&server)?.child("SrvURI")?.value()?.to_text())
}

fn rights(device: &Device, server: &str) -> Rights {
    let tree = device.tree();
    let root = tree.instance(&Moid::parse(THING).unwrap(), &Miid::parse("Thing").unwrap()).unwrap().root;
    tree.rights(&Authority::Server(ServerId::parse(server).unwrap()), root)
}

fn set_value(device: &mut Device, text: &str) -> Result<(), ClientError> {
    device.change(|tree| {
        let root = tree.tree().instance(&Moid::parse(THING)?, &Miid::parse("Thing")?).unwrap().root;
        let leaf = tree.tree().node(root).unwrap().child("Value").unwrap().id();
        Ok(tree.set(leaf, Value::Text(text.into()))?)
    })
}

#[test]
fn a_restart_brings_everything_back() {
    let directory = tempfile::tempdir().unwrap();
    let hands = Hands::default();
    let mut device = open(Journal::open(directory.path()).unwrap(), &hands);
    device.install_bootstrap(&bootstrap("s1", "https://dm.example/")).unwrap();
    set_value(&mut device, "kept").unwrap();
    let (records, revision, status) =
        (device.tree().records().collect::<Vec<_>>(), device.tree().revision(), device.status());
    drop(device);
    for compacted in [false, true, true] {
        let mut device = open(Journal::open(directory.path()).unwrap(), &hands);
        assert_eq!(device.tree().records().collect::<Vec<_>>(), records);
        assert_eq!(device.tree().revision(), revision, "a cache validator is never used twice");
        assert_eq!(device.status(), status);
        if compacted {
            device.compact().unwrap();
        }
    }
}

#[test]
fn a_strict_device_refuses_what_others_tolerate() {
    let body = String::from_utf8(bootstrap("s1", "https://dm.example/")).unwrap();
    let bare = body.trim_matches(['[', ']']).to_owned();
    let alias = body.replace("urn:oma:mo:oma-dm-dmacc:1.2", "urn:oma:mo:oma-dm-dmacc:2.0");
    for loose in [bare, alias] {
        for strict in [false, true] {
            let config = DeviceConfig { strict, ..config() };
            let plugins = plugins(&Hands::default());
            let mut device = Device::open(config, plugins, Box::new(Volatile::new())).unwrap();
            assert_eq!(device.install_bootstrap(loose.as_bytes()).is_err(), strict, "{loose}");
            assert_eq!(device.tree().accounts().count(), usize::from(!strict));
        }
    }
}

#[test]
fn a_second_bootstrap_updates_its_account_and_adds_others() {
    let mut device = open(Volatile::new(), &Hands::default());
    device.install_bootstrap(&bootstrap("s1", "https://one.example/")).unwrap();
    device.install_bootstrap(&bootstrap("s1", "https://two.example/")).unwrap();
    assert_eq!(device.tree().accounts().count(), 1);
    assert_eq!(uri_of(&device, "s1").as_deref(), Some("https://two.example/"));
    device.install_bootstrap(&bootstrap("s2", "https://three.example/")).unwrap();
    assert_eq!(device.tree().accounts().count(), 2);
    assert_eq!(device.bootstraps_pending().len(), 2);
}

#[test]
fn a_malformed_bootstrap_changes_nothing() {
    let mut device = open(Volatile::new(), &Hands::default());
    let before: Vec<_> = device.tree().records().collect();
    let good = String::from_utf8(bootstrap("s1", "https://dm.example/")).unwrap();
    let bad_item = good.replace("}]", r#"},{"ClientURI":"urn:unknown:1.0//","MOData":{"x":{}}}]"#);
    for bad in ["", "[", "[]", "{}", "null", &good[..good.len() - 5], &bad_item] {
        let refused = device.install_bootstrap(bad.as_bytes());
        assert!(matches!(refused, Err(ClientError::Bootstrap(_))), "{bad}: {refused:?}");
        assert_eq!(device.tree().records().collect::<Vec<_>>(), before, "{bad}");
        assert!(device.bootstraps_pending().is_empty());
    }
}

#[test]
fn a_factory_bootstrap_is_installed_once() {
    let directory = tempfile::tempdir().unwrap();
    let hands = Hands::default();
    let mut device = open(Journal::open(directory.path()).unwrap(), &hands);
    assert!(device.install_factory_bootstrap(b"[{").is_err(), "damaged: told, and the device goes on");
    let installed = device.install_factory_bootstrap(&bootstrap("s1", "https://one.example/")).unwrap();
    assert_eq!(installed, Some(vec![server_id()]));
    drop(device);
    let mut device = open(Journal::open(directory.path()).unwrap(), &hands);
    let again = device.install_factory_bootstrap(&bootstrap("s1", "https://two.example/")).unwrap();
    assert_eq!(again, None);
    assert_eq!(uri_of(&device, "s1").as_deref(), Some("https://one.example/"));
}

#[test]
fn grants_reach_servers_that_come_later_and_do_not_undo_delegation() {
    let directory = tempfile::tempdir().unwrap();
    let hands = Hands::default();
    let mut device = open(Journal::open(directory.path()).unwrap(), &hands);
    assert_eq!(rights(&device, "s1"), Rights::NONE);
    device.install_bootstrap(&bootstrap("s1", "https://dm.example/")).unwrap();
    assert_eq!(rights(&device, "s1"), Rights::ALL);
    let (moid, miid) = (Moid::parse(THING).unwrap(), Miid::parse("Thing").unwrap());
    device
        .change(|tree| Ok(tree.grant(&moid, &miid, "/", &Authority::Server(server_id()), Rights::READ)?))
        .unwrap();
    drop(device);
    let device = open(Journal::open(directory.path()).unwrap(), &hands);
    assert_eq!(rights(&device, "s1"), Rights::READ, "what was delegated stays");
    drop(device);
    let mut changed = config();
    changed.grants.push(Grant {
        moid,
        path: "/".into(),
        to: Grantee::Server(server_id()),
        rights: Rights::READ.union(Rights::EXECUTE),
    });
    let journal = Box::new(Journal::open(directory.path()).unwrap());
    let device = Device::open(changed, plugins(&hands), journal).unwrap();
    assert_eq!(rights(&device, "s1"), Rights::READ.union(Rights::EXECUTE), "a new grant is given");
}

#[test]
fn a_change_that_is_refused_half_way_leaves_nothing() {
    let mut device = open(Volatile::new(), &Hands::default());
    let before: Vec<_> = device.tree().records().collect();
    let failed = device.change(|tree| {
        let (moid, miid) = (Moid::parse(THING)?, Miid::parse("Thing")?);
        tree.grant(&moid, &miid, "/", &Authority::Everyone, Rights::READ)?;
        Err::<(), _>(PluginError::Other("no".into()))
    });
    assert!(failed.is_err());
    assert_eq!(device.tree().records().collect::<Vec<_>>(), before);
}

#[test]
fn what_cannot_be_kept_is_undone() {
    let disk = Full::default();
    let mut device = open(disk.clone(), &Hands::default());
    device.install_bootstrap(&bootstrap("s1", "https://dm.example/")).unwrap();
    let before: Vec<_> = device.tree().records().collect();
    disk.fill(true);
    assert!(matches!(set_value(&mut device, "second"), Err(ClientError::Persist(PersistError::Full { .. }))));
    assert!(device.install_bootstrap(&bootstrap("s2", "https://dm.example/")).is_err());
    assert!(device.raise_alert(&server_id(), omadm_client::Alert::new("urn:example:at:door")).is_err());
    assert_eq!(device.tree().records().collect::<Vec<_>>(), before);
    assert!(device.alerts(&server_id()).is_empty());
    disk.fill(false);
    set_value(&mut device, "second").unwrap();
    assert_eq!(value(&device), "second");
}

#[test]
fn plug_ins_that_do_not_fit_together_are_refused() {
    let hands = Hands::default();
    let mut twice = plugins(&hands);
    twice.extend(plugins(&hands).pop());
    let Err(error) = Device::open(config(), twice, Box::new(Volatile::new())) else {
        panic!("two of a kind")
    };
    assert!(error.to_string().contains("another plug-in"), "{error}");
    let broken: Vec<Box<dyn omadm_client::ManagementObject>> =
        vec![Box::new(omadm_client::DataMo::new("<MgmtTree>\n <Node", "https://ddf.example/broken.ddf"))];
    let Err(error) = Device::open(config(), broken, Box::new(Volatile::new())) else { panic!("no DDF") };
    assert!(
        error.to_string().starts_with("the DDF file of https://ddf.example/broken.ddf: line 2"),
        "{error}"
    );
}

#[test]
fn what_waits_for_a_server_goes_with_its_account() {
    let directory = tempfile::tempdir().unwrap();
    let hands = Hands::default();
    let mut device = open(Journal::open(directory.path()).unwrap(), &hands);
    device.install_bootstrap(&bootstrap("s1", "https://dm.example/")).unwrap();
    device.raise_alert(&server_id(), omadm_client::Alert::new("urn:example:at:door")).unwrap();
    let account = device.tree().account(&server_id()).unwrap().id();
    device.change(|tree| Ok(tree.remove(account)?)).unwrap();
    drop(device);
    let mut device = open(Journal::open(directory.path()).unwrap(), &hands);
    device.install_bootstrap(&bootstrap("s1", "https://dm.example/")).unwrap();
    assert!(device.alerts(&server_id()).is_empty(), "another life of the account starts with nothing");
}

#[test]
fn a_device_without_room_still_starts() {
    let mut config = config();
    config.quota.bytes = 1;
    let device = Device::open(config, plugins(&Hands::default()), Box::new(Volatile::new())).unwrap();
    assert_eq!(device.tree().device_id(), None);
    let disk = Full::default();
    disk.fill(true);
    let device = open(disk, &Hands::default());
    assert_eq!(device.tree().instances().count(), 0, "what is not kept is not there either");
}

#[test]
fn a_bootstrap_is_installed_even_if_the_grants_find_no_room() {
    let disk = Full::default();
    let mut device = open(disk.clone(), &Hands::default());
    disk.fill_after(1);
    assert_eq!(device.install_bootstrap(&bootstrap("s1", "https://dm.example/")).unwrap(), [server_id()]);
    assert_eq!(rights(&device, "s1"), Rights::NONE);
    disk.fill(false);
    device.install_bootstrap(&bootstrap("s2", "https://dm.example/")).unwrap();
    assert_eq!(rights(&device, "s1"), Rights::ALL, "made up for at the next occasion");
}

#[test]
fn an_instance_that_is_made_anew_gets_its_grants_anew() {
    let mut device = open(Volatile::new(), &Hands::default());
    device.install_bootstrap(&bootstrap("s1", "https://dm.example/")).unwrap();
    let (moid, miid) = (Moid::parse(THING).unwrap(), Miid::parse("Thing").unwrap());
    device
        .change(|tree| {
            let root = tree.tree().instance(&moid, &miid).unwrap().root;
            tree.remove(root)?;
            Ok(tree.create_instance(&moid, &miid, omadm_mo::Content::empty())?)
        })
        .unwrap();
    assert_eq!(rights(&device, "s1"), Rights::NONE);
    device.install_bootstrap(&bootstrap("s2", "https://dm.example/")).unwrap();
    assert_eq!((rights(&device, "s1"), rights(&device, "s2")), (Rights::ALL, Rights::ALL));
}

/// Octets of the values in each batch of a rewritten state.
struct Measured(Arc<Mutex<Vec<usize>>>);

impl Persistence for Measured {
    fn load(&mut self, _: &mut dyn FnMut(Batch) -> Result<(), PersistError>) -> Result<(), PersistError> {
        Ok(())
    }
    fn append(&mut self, _: &Batch) -> Result<(), PersistError> {
        Ok(())
    }
    fn wants_compaction(&self) -> bool {
        false
    }
    fn compact(&mut self, state: &mut dyn Iterator<Item = Batch>) -> Result<(), PersistError> {
        let values = |batch: Batch| {
            let values = batch.nodes.iter().filter_map(|(_, record)| record.as_ref()?.value.as_ref());
            values.map(Value::size).sum()
        };
        *self.0.lock().unwrap() = state.map(values).collect();
        Ok(())
    }
}

#[test]
fn a_rewritten_state_has_no_batch_that_is_too_long() {
    let sizes = Arc::default();
    let mut device = open(Measured(Arc::clone(&sizes)), &Hands::default());
    device.install_bootstrap(&bootstrap("s1", "https://dm.example/")).unwrap();
    let account = device.tree().account(&server_id()).unwrap().child("Name").unwrap().id();
    let long = || Value::Text("x".repeat(800 << 10));
    device.change(|tree| Ok(tree.set(account, long())?)).unwrap();
    set_value(&mut device, &long().to_text()).unwrap();
    let all: usize = device.tree().records().filter_map(|(_, record)| Some(record.value?.size())).sum();
    device.compact().unwrap();
    let sizes = sizes.lock().unwrap();
    assert!(sizes.iter().all(|size| *size <= 1 << 20), "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), all);
}
