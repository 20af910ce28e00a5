//! Where rules meet: MOs inside MOs, guarded parts of accounts, catalogues that shrink, nearly full trees.

use std::sync::Arc;

use omadm_mo::ddf::{Catalogue, DfType};
use omadm_mo::{Actor, Content, Operation, OperationError, Quota, Rights, Tree, Value};

use crate::support::*;

/// A tree in which the figure 5 MO stands below the `Ext` of the lab instance `bench`.
fn nested() -> Tree {
    let mut ddf = ddf();
    ddf.nodes[0].path = Some("./lab/bench/Ext".into());
    let mut catalogue = Catalogue::new();
    catalogue.add(&ddf, "");
    let mut tree = Tree::new(Arc::new(catalogue), Quota::default());
    bootstrap(&mut tree, "DMS1", &["*"]);
    bootstrap(&mut tree, "DMS2", &["*"]);
    let mut change = tree.begin(as_server("DMS1"), now());
    let jobs = node_of([("1", node_of([("What", text("wash"))]))]);
    let ext = node_of([("own", text("x"))]);
    change.store_item(&uri(&format!("{LAB}//")), "bench", node_of([("Jobs", jobs), ("Ext", ext)])).unwrap();
    change.commit();
    let mut change = tree.begin(as_server("DMS2"), now());
    change.store_item(&uri(&format!("{FIGURE_5}//")), "inner", Content::empty()).unwrap();
    change.commit();
    tree
}

#[test]
fn an_mo_inside_another_has_its_own_address_and_rights() {
    let mut tree = nested();
    let inner = tree.instance(&moid(FIGURE_5), &miid("inner")).unwrap().root;
    let path: Vec<String> = tree.node(inner).unwrap().path().iter().map(ToString::to_string).collect();
    assert_eq!(path, ["lab", "bench", "Ext", "inner"]);
    assert_eq!(tree.address_of(inner), Some(uri(&format!("{FIGURE_5}/inner/"))));
    let ext = format!("{LAB}/bench/Ext");
    assert_eq!(matches(&tree, &format!("{ext}/*")).unwrap(), [format!("{ext}/own")]);
    assert!(matches(&tree, &format!("{ext}/inner/ID")).is_err());
    assert_eq!(at(&tree, &ext), Some(node_of([("own", text("x"))])));
    assert_eq!(tree.rights(&authority("DMS1"), inner), Rights::NONE);
    assert_eq!(tree.rights(&authority("DMS2"), inner), Rights::ALL);

    // Whoever replaces or deletes around it does not touch it without a right on it.
    let replace = |tree: &mut Tree, content| {
        write(tree, as_server("DMS1"), |change| change.store_at(&uri(&ext), None, content))
    };
    replace(&mut tree, node_of([("other", text("y"))])).unwrap();
    assert!(tree.node(inner).is_some());
    assert!(replace(&mut tree, node_of([("inner", Content::empty())])).is_err());
    let bench = uri(&format!("{LAB}/bench/"));
    let deleted = write(&mut tree, as_server("DMS1"), |change| change.delete(&bench));
    assert!(matches!(deleted, Err(OperationError::NoRight { .. })), "{deleted:?}");
    grant(&mut tree, &format!("{FIGURE_5}/inner/"), "/", "DMS1", 2);
    write(&mut tree, as_server("DMS1"), |change| change.delete(&bench)).unwrap();
    assert!(tree.node(inner).is_none());
    assert!(tree.instances_of(&moid(FIGURE_5)).next().is_none());
    assert!(at(&tree, &format!("{DACMO}//{FIGURE_5}")).is_none());
}

#[test]
fn a_server_that_replaces_its_account_keeps_the_bootstrap_keys() {
    let mut tree = managed();
    let key = Content::Leaf(Value::Bytes(vec![7; 16]));
    let keys = || node_of([("ClientSecretKey", key.clone()), ("ServerURI", text("https://bs.example/"))]);
    write(&mut tree, Actor::Device, |change| {
        let root = change.tree().account(&server("DMS1")).unwrap().id();
        change.add(
            root,
            "Auth",
            node_of([("Bootstrap", keys()), ("Noti", node_of([("Secret", text("AAAA"))]))]),
        )
    })
    .unwrap();
    let account = format!("{DMACC}/dms1/");
    let fields =
        || vec![("SrvID", text("DMS1")), ("SrvURI", text("https://new.example/")), ("Name", text("New"))];
    let mut store = |content| {
        write(&mut tree, as_server("DMS1"), |change| change.store_at(&uri(&account), None, content))
    };
    let with_keys = [fields(), vec![("Auth", node_of([("Bootstrap", keys())]))]].concat();
    assert!(matches!(store(node_of(with_keys)), Err(OperationError::NoRight { .. })));
    store(node_of(fields())).unwrap();
    assert_eq!(at(&tree, &format!("{account}Auth/Bootstrap")), Some(keys()));
    assert!(at(&tree, &format!("{account}Auth/Noti")).is_some());
    let auth = uri(&format!("{account}Auth"));
    write(&mut tree, as_server("DMS1"), |change| change.store_at(&auth, None, Content::empty())).unwrap();
    assert_eq!(at(&tree, &format!("{account}Auth")).unwrap().child("Bootstrap"), Some(&keys()));
}

#[test]
fn a_smaller_catalogue_opens_nothing() {
    let tree = managed();
    let shrunk = |without: &str| {
        let mut ddf = ddf();
        ddf.nodes.retain(|node| node.df_type != Some(DfType::DdfName(without.into())));
        let mut catalogue = Catalogue::new();
        catalogue.add(&ddf, "");
        let mut shrunk = Tree::new(Arc::new(catalogue), Quota::default());
        for (path, record) in tree.records() {
            shrunk.restore(&path, Some(record)).unwrap();
        }
        shrunk
    };
    let without_lab = shrunk(LAB);
    let outcome =
        without_lab.authorise(&as_server("DMS1"), &uri(&format!("{LAB}/bench/Name")), Operation::Get);
    assert!(matches!(outcome, Err(OperationError::UnknownMoid { .. })), "{outcome:?}");
    assert_eq!(snapshot(&without_lab), snapshot(&tree));

    let mut without_control = shrunk(DACMO);
    bootstrap(&mut without_control, "DMS2", &["*"]);
    let name = uri(&format!("{FIGURE_5}/left/ID"));
    assert!(without_control.authorise(&as_server("DMS1"), &name, Operation::Get).is_ok());
    let outcome = without_control.authorise(&as_server("DMS2"), &name, Operation::Get);
    assert!(matches!(outcome, Err(OperationError::NoRight { .. })), "{outcome:?}");
}

#[test]
fn damaged_entries_give_no_rights() {
    let mut tree = managed();
    let address = format!("{DACMO}//{FIGURE_5}/left/1/Permissions/1/AR");
    let leaf = tree.resolve(&Actor::Device, &uri(&address)).unwrap()[0].node;
    let path = tree.node(leaf).unwrap().path();
    let (_, mut record) = snapshot(&tree).into_iter().find(|(at, _)| *at == path).unwrap();
    record.value = Some(Value::Int(99));
    tree.restore(&path, Some(record)).unwrap();
    let root = tree.instance(&moid(FIGURE_5), &miid("left")).unwrap().root;
    assert_eq!(tree.rights(&authority("DMS1"), root), Rights::NONE);
    write(&mut tree, Actor::Device, |change| change.set(leaf, Value::Int(15))).unwrap();
    assert_eq!(tree.rights(&authority("DMS1"), root), Rights::ALL);
}

#[test]
fn old_and_new_data_need_not_fit_together() {
    let mut tree = managed();
    let ext = uri(&format!("{LAB}/bench/Ext"));
    let full = |name: &'static str| node_of([(name, text(&"x".repeat(1000)))]);
    write(&mut tree, as_server("DMS1"), |change| change.store_at(&ext, None, full("a"))).unwrap();
    let mut tight = Tree::new(catalogue(), Quota { bytes: tree.byte_count(), ..Quota::default() });
    for (path, record) in tree.records() {
        tight.restore(&path, Some(record)).unwrap();
    }
    write(&mut tight, as_server("DMS1"), |change| change.store_at(&ext, None, full("b"))).unwrap();
    let more = write(&mut tight, as_server("DMS1"), |change| change.store_at(&ext, None, full("bb")));
    assert!(matches!(more, Err(OperationError::Full { .. })), "{more:?}");
}

#[test]
fn many_instances_get_different_names_and_only_as_many_as_defined() {
    let mut tree = managed();
    let jobs = || node_of([("Jobs", node_of([("1", node_of([("What", text("w"))]))]))]);
    let mut change = tree.begin(as_server("DMS1"), now());
    let addresses: std::collections::BTreeSet<String> = (0..20)
        .map(|_| change.store_item(&uri(&format!("{LAB}//")), "same", jobs()).unwrap().to_string())
        .collect();
    assert_eq!(addresses.len(), 20);
    change.commit();
    let mut change = tree.begin(Actor::Device, now());
    change.create_instance(&moid(DEVINFO), &miid("1"), Content::empty()).unwrap();
    let second = change.create_instance(&moid(DEVINFO), &miid("2"), Content::empty());
    assert!(matches!(second, Err(OperationError::BadData { .. })), "{second:?}");
}

#[test]
fn the_device_identifier_is_that_of_devinfo() {
    let mut tree = managed();
    assert_eq!(tree.device_id(), None);
    write(&mut tree, Actor::Device, |change| {
        let content = node_of([("DevID", text("UUID:7a1c"))]);
        change.create_instance(&moid(DEVINFO), &miid("1"), content)
    })
    .unwrap();
    assert_eq!(tree.device_id().map(|id| id.to_string()).as_deref(), Some("UUID:7a1c"));
    let lang = tree.resolve(&as_server("DMS1"), &uri(&format!("{DEVINFO}//Lang"))).unwrap()[0].node;
    assert_eq!(tree.node(lang).unwrap().value(), Some(&Value::Text("en".into())));
    assert_eq!(tree.node(lang).unwrap().definition().unwrap().default_value.as_deref(), Some("en"));
}

#[test]
fn devinfo_is_read_only_for_servers() {
    let mut tree = managed();
    write(&mut tree, Actor::Device, |change| {
        let ext = node_of([("inside", node_of([("leaf", text("x"))]))]);
        change.create_instance(&moid(DEVINFO), &miid("1"), node_of([("Ext", ext)]))
    })
    .unwrap();
    grant(&mut tree, &format!("{DEVINFO}/1/"), "/", "DMS1", 15);
    for node in ["", "DevID", "Lang", "Ext", "Ext/inside", "Ext/inside/leaf"] {
        let address = uri(&format!("{DEVINFO}//{node}"));
        assert!(tree.authorise(&as_server("DMS1"), &address, Operation::Get).is_ok());
        let deleted = write(&mut tree, as_server("DMS1"), |change| change.delete(&address));
        assert!(matches!(deleted, Err(OperationError::NotAllowed { .. })), "{deleted:?}");
        let contents = match node {
            "" => vec![node_of([("Lang", text("de"))]), Content::empty()],
            "Ext" | "Ext/inside" => vec![node_of([("leaf", text("y"))]), Content::empty()],
            _ => vec![text("x")],
        };
        for content in contents {
            let stored =
                write(&mut tree, as_server("DMS1"), |change| change.store_at(&address, None, content));
            assert!(matches!(stored, Err(OperationError::NotInDefinition { .. })), "{node}: {stored:?}");
        }
    }
    let new = uri(&format!("{DEVINFO}//Ext/new"));
    let stored = write(&mut tree, as_server("DMS1"), |change| change.store_at(&new, None, text("x")));
    assert!(matches!(stored, Err(OperationError::NotInDefinition { .. })), "{stored:?}");
}

#[test]
fn the_bootstrap_keys_cannot_be_deleted_even_where_the_definition_would_let_them_go() {
    let mut ddf = ddf();
    let dmacc =
        ddf.nodes.iter_mut().find(|node| node.df_type == Some(DfType::DdfName(DMACC.into()))).unwrap();
    let auth = dmacc.children.iter_mut().find(|node| node.children.len() > 1).unwrap();
    auth.access.delete = true;
    auth.children[0].access.delete = true;
    let mut catalogue = Catalogue::new();
    catalogue.add(&ddf, "");
    let mut tree = Tree::new(Arc::new(catalogue), Quota::default());
    bootstrap(&mut tree, "DMS1", &["*"]);
    write(&mut tree, Actor::Device, |change| {
        let root = change.tree().account(&server("DMS1")).unwrap().id();
        let keys = [("ServerURI", text("https://bs.example/")), ("ClientSecretKey", text("AAAA"))];
        change.add(root, "Auth", node_of([("Bootstrap", node_of(keys))]))
    })
    .unwrap();
    for path in ["Auth", "Auth/Bootstrap"] {
        let address = uri(&format!("{DMACC}/dms1/{path}"));
        let deleted = write(&mut tree, as_server("DMS1"), |change| change.delete(&address));
        assert!(matches!(deleted, Err(OperationError::NoRight { .. })), "{path}: {deleted:?}");
    }
    write(&mut tree, Actor::Device, |change| change.delete(&uri(&format!("{DMACC}/dms1/Auth/Bootstrap"))))
        .unwrap();
    write(&mut tree, as_server("DMS1"), |change| change.delete(&uri(&format!("{DMACC}/dms1/Auth")))).unwrap();
}
