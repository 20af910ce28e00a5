//! From address to nodes: the ten examples of `DM 2.0 §6.1.3` and the rules around them.

use std::sync::Arc;

use omadm_mo::{Actor, Content, OperationError, Quota, Tree, Value};

use crate::support::*;

#[test]
fn example_1_an_instance_by_its_miid() {
    let tree = figure_5();
    assert_eq!(matches(&tree, "urn:oma:mo:moid:1.0/left/").unwrap(), ["urn:oma:mo:moid:1.0/left/"]);
}

#[test]
fn example_2_the_only_instance_is_not_found_while_there_are_two() {
    let mut tree = figure_5();
    let refused = matches(&tree, "urn:oma:mo:moid:1.0//");
    assert!(matches!(refused, Err(OperationError::Several { count: 2, .. })), "{refused:?}");
    write(&mut tree, Actor::Device, |change| change.delete(&uri("urn:oma:mo:moid:1.0/left/"))).unwrap();
    assert_eq!(matches(&tree, "urn:oma:mo:moid:1.0//").unwrap(), ["urn:oma:mo:moid:1.0/right/"]);
}

#[test]
fn example_3_an_instance_by_a_condition() {
    let tree = figure_5();
    assert_eq!(
        matches(&tree, "urn:oma:mo:moid:1.0/(x)/?nv=(x)/ID:Temperature").unwrap(),
        ["urn:oma:mo:moid:1.0/right/"]
    );
    assert_eq!(
        matches(&tree, "urn:oma:mo:moid:1.0/(x)/ID?nv=(x)/ID:Temperature").unwrap(),
        ["urn:oma:mo:moid:1.0/right/ID"]
    );
}

#[test]
fn example_4_a_path_in_an_instance_by_a_condition() {
    let tree = figure_5();
    assert_eq!(
        matches(&tree, "urn:oma:mo:moid:1.0/(x)/Data/1/Value?nv=(x)/ID:GPS").unwrap(),
        ["urn:oma:mo:moid:1.0/left/Data/1/Value"]
    );
}

#[test]
fn example_5_a_node_by_a_condition() {
    let tree = figure_5();
    assert_eq!(
        matches(&tree, "urn:oma:mo:moid:1.0/right/Data/(x)/Value?nv=(x)/Date:12.1").unwrap(),
        ["urn:oma:mo:moid:1.0/right/Data/1/Value"]
    );
}

#[test]
fn example_6_instance_and_node_by_conditions() {
    let tree = figure_5();
    assert_eq!(
        matches(&tree, "urn:oma:mo:moid:1.0/(x)/Data/(y)/Value?nv=(x)/ID:GPS&nv=(y)/Date:12.2").unwrap(),
        ["urn:oma:mo:moid:1.0/left/Data/2/Value"]
    );
}

#[test]
fn example_7_a_node_in_all_instances() {
    let tree = figure_5();
    assert_eq!(
        matches(&tree, "urn:oma:mo:moid:1.0/*/Setting").unwrap(),
        ["urn:oma:mo:moid:1.0/left/Setting", "urn:oma:mo:moid:1.0/right/Setting"]
    );
}

#[test]
fn example_8_all_nodes_in_an_instance_by_a_condition() {
    let tree = figure_5();
    assert_eq!(
        matches(&tree, "urn:oma:mo:moid:1.0/(x)/Data/*/Value?nv=(x)/ID:GPS").unwrap(),
        ["urn:oma:mo:moid:1.0/left/Data/1/Value", "urn:oma:mo:moid:1.0/left/Data/2/Value"]
    );
}

#[test]
fn example_9_all_conditions_have_to_hold() {
    let tree = figure_5();
    let address =
        |setting| format!("urn:oma:mo:moid:1.0/(x)/Data/*/Value?nv=(x)/ID:GPS&nv=(x)/Setting:{setting}");
    let refused = matches(&tree, &address("0xB2"));
    assert!(matches!(refused, Err(OperationError::NotFound { .. })), "{refused:?}");
    assert_eq!(matches(&tree, &address("0xA1")).unwrap().len(), 2);
}

#[test]
fn example_10_all_nodes_in_all_instances() {
    let tree = figure_5();
    let expected = ["left/Data/1", "left/Data/2", "right/Data/1", "right/Data/2"]
        .map(|place| format!("urn:oma:mo:moid:1.0/{place}/Value"));
    assert_eq!(matches(&tree, "urn:oma:mo:moid:1.0/*/Data/*/Value").unwrap(), expected);
}

#[test]
fn what_matches_nothing_or_too_much() {
    let tree = figure_5();
    let not_found = [
        "urn:oma:mo:moid:1.0/middle/",
        "urn:oma:mo:moid:1.0/left/data",
        "urn:oma:mo:moid:1.0/left/Data/3",
        "urn:oma:mo:moid:1.0/left/ID/x",
        "urn:oma:mo:moid:1.0/left/ID/*",
        "urn:oma:mo:moid:1.0/left/Data/(x)?nv=(x)/Date:13.1",
        // Not a leaf.
        "urn:oma:mo:moid:1.0/(x)/?nv=(x)/Data:",
        // Step 1 looks at nothing but its own conditions; the path exists in the other instance only.
        "urn:oma:mo:moid:1.0/(x)/Data/(y)/Value?nv=(x)/ID:GPS&nv=(y)/Date:12.3",
        "urn:oma:mo:oma-dm-devinfo:1.2//",
        "urn:oma:mo:oma-dm-devinfo:1.2/*/",
    ];
    for address in not_found {
        let outcome = matches(&tree, address);
        assert!(matches!(outcome, Err(OperationError::NotFound { .. })), "{address}: {outcome:?}");
    }
    let several = matches(&tree, "urn:oma:mo:moid:1.0/left/Data/(x)?nv=(x)/Date:12.1&nv=(x)/Date:12.1");
    assert_eq!(several.unwrap().len(), 1);
    let unknown = matches(&tree, "urn:oma:mo:oma-dm-devinfo:9.9//");
    assert!(matches!(unknown, Err(OperationError::UnknownMoid { .. })), "{unknown:?}");
}

#[test]
fn an_x_name_in_the_path_has_to_match_one_node() {
    let mut tree = figure_5();
    write(&mut tree, Actor::Device, |change| {
        let leaf =
            change.tree().resolve(&Actor::Device, &uri("urn:oma:mo:moid:1.0/left/Data/2/Date"))?[0].node;
        change.set(leaf, Value::Text("12.1".into()))
    })
    .unwrap();
    let outcome = matches(&tree, "urn:oma:mo:moid:1.0/left/Data/(x)/Value?nv=(x)/Date:12.1");
    assert!(matches!(outcome, Err(OperationError::Several { count: 2, .. })), "{outcome:?}");
    let narrowed = "urn:oma:mo:moid:1.0/left/Data/(x)/Value?nv=(x)/Date:12.1&nv=(x)/Value:020";
    assert_eq!(matches(&tree, narrowed).unwrap(), ["urn:oma:mo:moid:1.0/left/Data/2/Value"]);
}

#[test]
fn a_wildcard_matches_named_nodes_too() {
    let tree = figure_5();
    assert_eq!(
        matches(&tree, "urn:oma:mo:moid:1.0/left/*").unwrap(),
        ["Data", "ID", "Setting"].map(|name| format!("urn:oma:mo:moid:1.0/left/{name}"))
    );
}

#[test]
fn letter_case_is_as_the_definition_says() {
    let mut tree = managed();
    let address = format!("{LAB}/bench/Folded");
    write(&mut tree, as_server("DMS1"), |change| {
        change.store_at(&uri(&address), None, node_of([("Alpha", text("1"))]))
    })
    .unwrap();
    let concrete = format!("{LAB}/bench/Folded/Alpha");
    assert_eq!(matches(&tree, &format!("{LAB}/bench/fOLDED/ALPHA")).unwrap(), [concrete]);
    assert!(matches(&tree, &format!("{LAB}/bench/name")).is_err());
    let twice = node_of([("Beta", text("1")), ("BETA", text("2"))]);
    let outcome = write(&mut tree, as_server("DMS1"), |change| change.store_at(&uri(&address), None, twice));
    assert!(matches!(outcome, Err(OperationError::BadData { .. })), "{outcome:?}");
    write(&mut tree, as_server("DMS1"), |change| {
        change.store_at(&uri(&format!("{address}/alPHA")), None, text("2"))
    })
    .unwrap();
    assert_eq!(at(&tree, &address), Some(node_of([("Alpha", text("2"))])));
}

#[test]
fn levels_of_content() {
    let tree = figure_5();
    let root = tree.instance(&moid(FIGURE_5), &miid("left")).unwrap().root;
    let level = |level| tree.content(&Actor::Device, root, level).unwrap();
    assert_eq!(
        level(Some(1)),
        node_of([("Data", Content::empty()), ("ID", text("GPS")), ("Setting", text("0xA1"))])
    );
    let Content::Interior(children) = level(Some(2)) else { panic!() };
    assert_eq!(children[0].1, node_of([("1", Content::empty()), ("2", Content::empty())]));
    assert_eq!(level(None), level(Some(3)));
}

#[test]
fn where_instances_stand_and_what_they_are_called() {
    let mut tree = figure_5();
    bootstrap(&mut tree, "DMS1", &["*"]);
    let path = |address: &str| {
        let found = tree.resolve(&Actor::Device, &uri(address)).unwrap();
        let names = tree.node(found[0].node).unwrap().path();
        names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>().join("/")
    };
    assert_eq!(path("urn:oma:mo:moid:1.0/left/ID"), "moid/left/ID");
    assert_eq!(path(&format!("{DMACC}/dms1/SrvID")), "DMAcc/dms1/SrvID");
    assert_eq!(path(&format!("{DACMO}//")), "DacMO");
    let label = |address: &str| {
        let found = tree.resolve(&Actor::Device, &uri(address)).unwrap();
        tree.label_of(found[0].node).unwrap().to_owned()
    };
    assert_eq!(label(&format!("{DACMO}//")), "DacMO");
    assert_eq!(label(&format!("{DMACC}/dms1/")), "dms1");
    assert_eq!(label(&format!("{DMACC}/dms1/Name")), "Name");
}

#[test]
fn a_second_instance_of_a_named_root_gets_a_name_of_its_own() {
    let mut ddf = ddf();
    let devinfo = ddf.nodes.iter_mut().find(|node| node.path.as_deref() == Some(".")).unwrap();
    devinfo.occurrence = omadm_mo::ddf::Occurrence::ZeroOrMore;
    let mut catalogue = omadm_mo::ddf::Catalogue::new();
    catalogue.add(&ddf, "");
    let mut tree = Tree::new(Arc::new(catalogue), Quota::default());
    let mut change = tree.begin(Actor::Device, now());
    for name in ["a", "b", "c"] {
        change.create_instance(&moid(DEVINFO), &miid(name), Content::empty()).unwrap();
    }
    change.commit();
    let names: Vec<&str> = tree.root().children().map(|child| child.name().as_str()).collect();
    assert_eq!(names, ["DevInfo", "DevInfo-2", "DevInfo-3"]);
    assert_eq!(matches(&tree, &format!("{DEVINFO}/c/Lang")).unwrap(), [format!("{DEVINFO}/c/Lang")]);
}

#[test]
fn of_two_objects_with_one_name_the_later_stands_apart() {
    let newer = "urn:oma:mo:oma-dm-devinfo:9.0";
    let mut ddf = ddf();
    let mut other = ddf.nodes.iter().find(|node| node.path.as_deref() == Some(".")).unwrap().clone();
    other.df_type = Some(omadm_mo::ddf::DfType::DdfName(newer.to_owned()));
    other.occurrence = omadm_mo::ddf::Occurrence::ZeroOrMore;
    ddf.nodes.push(other);
    let mut catalogue = omadm_mo::ddf::Catalogue::new();
    catalogue.add(&ddf, "");
    let mut tree = Tree::new(Arc::new(catalogue), Quota::default());
    let mut change = tree.begin(Actor::Device, now());
    for (of, name) in [(DEVINFO, "DevInfo"), (newer, "DevInfo"), (newer, "second")] {
        change.create_instance(&moid(of), &miid(name), Content::empty()).unwrap();
    }
    change.commit();
    let path = |of: &str, name: &str| {
        let root = tree.instance(&moid(of), &miid(name)).unwrap().root;
        tree.node(root).unwrap().path().iter().map(|name| name.as_str()).collect::<Vec<_>>().join("/")
    };
    assert_eq!(path(DEVINFO, "DevInfo"), "DevInfo");
    assert_eq!(path(newer, "DevInfo"), "oma-dm-devinfo/DevInfo");
    assert_eq!(path(newer, "second"), "oma-dm-devinfo/DevInfo-2");
    for (of, name) in [(DEVINFO, "DevInfo"), (newer, "DevInfo"), (newer, "second")] {
        assert_eq!(matches(&tree, &format!("{of}/{name}/Lang")).unwrap(), [format!("{of}/{name}/Lang")]);
    }
}

#[test]
fn handles_of_removed_nodes_find_nothing() {
    let mut tree = figure_5();
    let id = tree.resolve(&Actor::Device, &uri("urn:oma:mo:moid:1.0/left/ID")).unwrap()[0].node;
    let mut change = tree.begin(Actor::Device, now());
    change.delete(&uri("urn:oma:mo:moid:1.0/left/")).unwrap();
    assert!(change.tree().node(id).is_none());
    change.commit();
    let mut change = tree.begin(Actor::Device, now());
    change.create_instance(&moid(FIGURE_5), &miid("left"), Content::empty()).unwrap();
    change.commit();
    assert!(tree.node(id).is_none());
    assert!(tree.address_of(id).is_none());
    assert!(tree.content(&Actor::Device, id, None).is_none());
}
