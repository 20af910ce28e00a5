//! Who may do what (`DM 2.0 §6.3.1.1, §10`): the order of checks and each of their outcomes.

use omadm_mo::{Actor, Content, Operation, OperationError, Quota, Rights, Tree};

use crate::support::*;

fn authorise(
    tree: &Tree,
    server: &str,
    address: &str,
    operation: Operation,
) -> Result<usize, OperationError> {
    tree.authorise(&as_server(server), &uri(address), operation).map(|found| found.len())
}

/// The name of the error, for tables.
fn verdict(outcome: Result<usize, OperationError>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(OperationError::UnknownMoid { .. }) => "unknown",
        Err(OperationError::NotProvisioned { .. }) => "not provisioned",
        Err(OperationError::NotFound { .. }) => "not found",
        Err(OperationError::Several { .. }) => "several",
        Err(OperationError::WildcardNotAllowed { .. }) => "wildcard",
        Err(OperationError::NoRight { .. }) => "no right",
        Err(OperationError::NotInDefinition { .. }) => "not in definition",
        Err(OperationError::NotAllowed { .. }) => "not allowed",
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_order_of_checks() {
    let mut tree = figure_5();
    bootstrap(&mut tree, "DMS1", &[FIGURE_5]);
    grant(&mut tree, "urn:oma:mo:moid:1.0/right/", "/", "DMS1", 1);
    grant(&mut tree, "urn:oma:mo:moid:1.0/left/", "/", "*", 2);
    let cases = [
        ("urn:none:1.0//nowhere", Operation::Delete, "unknown"),
        ("urn:test:lab:2.0//nowhere", Operation::Delete, "not provisioned"),
        ("urn:oma:mo:moid:1.0/left/nowhere", Operation::Get, "not found"),
        ("urn:oma:mo:moid:1.0//ID", Operation::Get, "several"),
        ("urn:oma:mo:moid:1.0/left/ID", Operation::Get, "no right"),
        ("urn:oma:mo:moid:1.0/right/ID", Operation::Get, "ok"),
        ("urn:oma:mo:moid:1.0/right/Data/1", Operation::Delete, "no right"),
        // What the definition never lets go comes before the right that is missing.
        ("urn:oma:mo:moid:1.0/right/ID", Operation::Delete, "not allowed"),
        ("urn:oma:mo:moid:1.0/left/ID", Operation::Delete, "not allowed"),
        ("urn:oma:mo:moid:1.0/left/Data/1", Operation::Delete, "ok"),
        ("urn:oma:mo:moid:1.0/left/Data/*", Operation::Exec, "wildcard"),
        ("urn:oma:mo:moid:1.0/left/Data/*", Operation::Replace, "wildcard"),
        // The wildcard sees the instances with a right; on one of them Read is missing.
        ("urn:oma:mo:moid:1.0/*/ID", Operation::Get, "no right"),
        ("urn:oma:mo:moid:1.0/*/Data/1", Operation::Delete, "no right"),
    ];
    for (address, operation, expected) in cases {
        assert_eq!(verdict(authorise(&tree, "DMS1", address, operation)), expected, "{operation} {address}");
        assert_eq!(
            verdict(tree.authorise(&as_server("DMS9"), &uri(address), operation).map(|found| found.len())),
            match expected {
                "unknown" | "wildcard" => expected,
                _ => "not provisioned",
            },
            "a server that is not bootstrapped: {operation} {address}"
        );
    }
}

#[test]
fn each_combination_of_rights_allows_its_commands() {
    let mut tree = managed();
    let bench = format!("{LAB}/bench");
    let cases = [
        ("Name", Operation::Get, 1),
        ("Name", Operation::Replace, 2),
        ("Ext", Operation::Delete, 2),
        ("Start", Operation::Exec, 4),
        ("Name", Operation::Delegate, 8),
    ];
    write(&mut tree, Actor::Device, |change| {
        let root = change.tree().instance(&moid(LAB), &miid("bench")).unwrap().root;
        change.add(root, "Ext", Content::empty())?;
        change.add(root, "Start", leaf("null"))
    })
    .unwrap();
    for ar in 0..16 {
        grant(&mut tree, &format!("{bench}/"), "/", "DMS1", ar);
        for (node, operation, bit) in cases {
            let expected = if ar & bit == 0 { "no right" } else { "ok" };
            let outcome = authorise(&tree, "DMS1", &format!("{bench}/{node}"), operation);
            assert_eq!(verdict(outcome), expected, "AR {ar}, {operation} {node}");
        }
    }
}

#[test]
fn access_types_of_the_definition() {
    let mut tree = managed();
    let bench = format!("{LAB}/bench");
    write(&mut tree, Actor::Device, |change| {
        let root = change.tree().instance(&moid(LAB), &miid("bench")).unwrap().root;
        change.add(root, "Start", leaf("null"))?;
        change.add(root, "Secret", text("s"))?;
        change.add(root, "Hidden", text("h"))
    })
    .unwrap();
    let cases = [
        ("Name", Operation::Exec, "not allowed"),
        ("Start", Operation::Exec, "ok"),
        ("Start", Operation::Replace, "not in definition"),
        ("Serial", Operation::Delete, "not allowed"),
        ("Serial", Operation::Replace, "not in definition"),
        ("Secret", Operation::Get, "not in definition"),
        ("Secret", Operation::Replace, "ok"),
        ("Hidden", Operation::Get, "not found"),
        ("Hidden", Operation::Delete, "not found"),
        ("Jobs/1", Operation::Delete, "not allowed"),
        ("", Operation::Delete, "ok"),
    ];
    for (node, operation, expected) in cases {
        let outcome = authorise(&tree, "DMS1", &format!("{bench}/{node}"), operation);
        assert_eq!(verdict(outcome), expected, "{operation} {node}");
    }
    let root = tree.instance(&moid(LAB), &miid("bench")).unwrap().root;
    let Some(Content::Interior(children)) = tree.content(&as_server("DMS1"), root, None) else { panic!() };
    let seen: Vec<&str> = children.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(seen, ["Jobs", "Name", "Serial", "Start"]);
    let Some(Content::Interior(all)) = tree.content(&Actor::Device, root, None) else { panic!() };
    assert_eq!(all.len(), 6);
}

#[test]
fn the_last_of_one_or_more_stays() {
    let mut tree = managed();
    let jobs = format!("{LAB}/bench/Jobs");
    write(&mut tree, as_server("DMS1"), |change| {
        change.store_at(&uri(&format!("{jobs}/2")), None, node_of([("What", text("dry"))]))
    })
    .unwrap();
    let all = write(&mut tree, as_server("DMS1"), |change| change.delete(&uri(&format!("{jobs}/*"))));
    assert!(matches!(all, Err(OperationError::NotAllowed { .. })), "{all:?}");
    let first = write(&mut tree, as_server("DMS1"), |change| change.delete(&uri(&format!("{jobs}/1"))));
    assert_eq!(first.unwrap(), [uri(&format!("{jobs}/1"))]);
    let last = write(&mut tree, as_server("DMS1"), |change| change.delete(&uri(&format!("{jobs}/2"))));
    assert!(matches!(last, Err(OperationError::NotAllowed { .. })), "{last:?}");
}

#[test]
fn entries_with_a_path_decide_below_it() {
    let mut tree = managed();
    bootstrap(&mut tree, "DMS2", &["*"]);
    let left = "urn:oma:mo:moid:1.0/left/";
    grant(&mut tree, left, "/", "DMS2", 1);
    grant(&mut tree, left, "/Data", "*", 1);
    grant(&mut tree, left, "/Data", "DMS2", 2);
    grant(&mut tree, left, "/Data/2", "DMS1", 3);
    grant(&mut tree, left, "/Nowhere", "DMS2", 15);
    let at = |server: &str, path: &str| {
        let found = tree.resolve(&Actor::Device, &uri(&format!("{left}{path}"))).unwrap();
        tree.rights(&authority(server), found[0].node).ar()
    };
    assert_eq!(
        [at("DMS1", ""), at("DMS1", "Data"), at("DMS1", "Data/1/Date"), at("DMS1", "Data/2/Date")],
        [15, 1, 1, 3]
    );
    assert_eq!(
        [at("DMS2", ""), at("DMS2", "Data"), at("DMS2", "Data/1/Date"), at("DMS2", "Data/2/Date")],
        [1, 3, 3, 0]
    );
    assert_eq!([at("*", ""), at("*", "Data"), at("appid:x", "Data")], [0, 1, 1]);

    // Rights are needed on all nodes involved.
    let get = |server, address| verdict(authorise(&tree, server, address, Operation::Get));
    assert_eq!(get("DMS2", left), "no right");
    assert_eq!(get("DMS2", "urn:oma:mo:moid:1.0/left/?lv=1"), "ok");
    assert_eq!(get("DMS2", "urn:oma:mo:moid:1.0/left/?lv=2"), "no right");
    assert_eq!(get("DMS2", "urn:oma:mo:moid:1.0/left/Data/1"), "ok");
    assert_eq!(get("DMS2", "urn:oma:mo:moid:1.0/left/Data/*"), "no right");
    assert_eq!(verdict(authorise(&tree, "DMS1", left, Operation::Delete)), "no right");
}

#[test]
fn conditions_compare_only_what_may_be_read() {
    let mut tree = managed();
    bootstrap(&mut tree, "DMS2", &["*"]);
    let secret = format!("{LAB}/(x)/Name?nv=(x)/Secret:s");
    write(&mut tree, Actor::Device, |change| {
        let root = change.tree().instance(&moid(LAB), &miid("bench")).unwrap().root;
        change.add(root, "Secret", text("s"))
    })
    .unwrap();
    assert!(matches_as(&tree, &Actor::Device, &secret).is_ok());
    assert!(matches!(matches_as(&tree, &as_server("DMS1"), &secret), Err(OperationError::NotFound { .. })));
    let by_id = format!("{FIGURE_5}/(x)/ID?nv=(x)/ID:GPS");
    assert!(matches_as(&tree, &as_server("DMS1"), &by_id).is_ok());
    assert!(matches!(matches_as(&tree, &as_server("DMS2"), &by_id), Err(OperationError::NotFound { .. })));
}

#[test]
fn a_wildcard_sees_the_instances_with_a_right() {
    let mut tree = managed();
    bootstrap(&mut tree, "DMS2", &["*"]);
    let all = format!("{FIGURE_5}/*/");
    assert!(matches!(matches_as(&tree, &as_server("DMS2"), &all), Err(OperationError::NotFound { .. })));
    grant(&mut tree, "urn:oma:mo:moid:1.0/right/", "/Data", "DMS2", 1);
    assert_eq!(matches_as(&tree, &as_server("DMS2"), &all).unwrap(), ["urn:oma:mo:moid:1.0/right/"]);
    assert_eq!(matches_as(&tree, &as_server("DMS1"), &all).unwrap().len(), 2);
}

#[test]
fn what_is_listed_for_a_server() {
    let mut tree = figure_5();
    bootstrap(&mut tree, "DMS1", &[FIGURE_5, LAB, DMACC]);
    grant(&mut tree, "urn:oma:mo:moid:1.0/right/", "/Data", "DMS1", 4);
    let listed = |tree: &Tree, name| -> Vec<String> {
        let supported = tree.supported(&server(name)).into_iter();
        supported
            .map(|(moid, miids)| {
                let miids: Vec<&str> = miids.iter().map(|miid| miid.as_str()).collect();
                format!("{moid} {miids:?}")
            })
            .collect()
    };
    assert_eq!(
        listed(&tree, "DMS1"),
        [
            format!("{FIGURE_5} [\"right\"]"),
            format!("{DACMO} [\"dac\"]"),
            format!("{DMACC} [\"dms1\"]"),
            format!("{LAB} []"),
        ]
    );
    assert!(listed(&tree, "DMS2").is_empty());
}

#[test]
fn without_access_control_every_bootstrapped_server_may_do_all() {
    let mut tree = Tree::new(catalogue_without_control(), Quota::default());
    write(&mut tree, Actor::Device, |change| {
        change.create_instance(&moid(LAB), &miid("bench"), Content::empty())
    })
    .unwrap();
    bootstrap(&mut tree, "DMS1", &[DMACC]);
    let root = tree.instance(&moid(LAB), &miid("bench")).unwrap().root;
    assert_eq!(tree.rights(&authority("DMS1"), root), Rights::ALL);
    assert_eq!(tree.rights(&authority("DMS2"), root), Rights::NONE);
    let name = format!("{LAB}/bench/Name");
    assert_eq!(verdict(authorise(&tree, "DMS1", &name, Operation::Replace)), "ok");
    assert_eq!(verdict(authorise(&tree, "DMS2", &name, Operation::Get)), "not provisioned");
    assert_eq!(tree.supported(&server("DMS1")).len(), 4);
    assert!(tree.supported(&server("DMS2")).is_empty());
    let granted = write(&mut tree, Actor::Device, |change| {
        change.grant(&moid(LAB), &miid("bench"), "/", &authority("*"), Rights::READ)
    });
    assert!(matches!(granted, Err(OperationError::UnknownMoid { .. })));
}

#[test]
fn accounts_show_no_permissions_and_keep_their_secrets() {
    let mut tree = tree();
    let mut content = account("DMS1", ["*"]);
    let Content::Interior(children) = &mut content else { panic!() };
    let keys = node_of([("ServerURI", text("https://bs.example/")), ("ClientSecretKey", text("c2VjcmV0"))]);
    children.push((name("Auth"), node_of([("Bootstrap", keys)])));
    write(&mut tree, Actor::Bootstrap(server("DMS1")), |change| {
        change.store_item(&uri(&format!("{DMACC}//")), "dms1", content)
    })
    .unwrap();
    let root = tree.account(&server("DMS1")).unwrap().id();
    let seen = tree.content(&as_server("DMS1"), root, None).unwrap();
    assert!(seen.child("Perm").is_none());
    let keys = seen.child("Auth").unwrap().child("Bootstrap").unwrap();
    assert!(keys.child("ServerURI").is_some() && keys.child("ClientSecretKey").is_none());
    let account = format!("{DMACC}/dms1");
    let cases = [
        ("Perm", Operation::Get, "not found"),
        ("Perm/1/MOID", Operation::Get, "not found"),
        ("*/*/MOID", Operation::Get, "not found"),
        ("Auth/Bootstrap/ClientSecretKey", Operation::Get, "not in definition"),
        ("Auth/Bootstrap/ClientSecretKey", Operation::Delete, "not allowed"),
        ("Auth", Operation::Delete, "not allowed"),
        ("SrvID", Operation::Get, "ok"),
    ];
    for (path, operation, expected) in cases {
        let outcome = authorise(&tree, "DMS1", &format!("{account}/{path}"), operation);
        assert_eq!(verdict(outcome), expected, "{operation} {path}");
    }
    let key = uri(&format!("{account}/Auth/Bootstrap/ClientSecretKey"));
    let written = write(&mut tree, as_server("DMS1"), |change| change.store_at(&key, None, text("AAAA")));
    assert!(matches!(written, Err(OperationError::NoRight { .. })), "{written:?}");
}

#[test]
fn an_account_has_no_credentials_of_nothing() {
    let with = |part: &str, leaves: Vec<(&'static str, Content)>| {
        let mut content = account("DMS1", ["*"]);
        let Content::Interior(children) = &mut content else { panic!() };
        children.push((name("Auth"), node_of([(part, node_of(leaves))])));
        let mut tree = tree();
        let stored = write(&mut tree, Actor::Bootstrap(server("DMS1")), |change| {
            change.store_item(&uri(&format!("{DMACC}//")), "dms1", content)
        });
        match stored {
            Ok(_) => "ok".to_owned(),
            Err(OperationError::BadData { reason, .. }) => reason,
            Err(error) => panic!("{error}"),
        }
    };
    let (data, secret) = (|| ("Data", text("")), || ("Secret", text("c2VjcmV0")));
    assert_eq!(with("Noti", vec![data(), secret()]), "ok", "no data is legal");
    assert_eq!(with("Noti", vec![secret()]), "ok");
    assert_eq!(with("Noti", vec![data()]), "Auth/Noti has no Secret", "left out");
    assert_eq!(with("Noti", vec![("Secret", text(""))]), "Auth/Noti has no Secret");
    let server_uri = || ("ServerURI", text("https://bs.example/"));
    assert_eq!(with("Bootstrap", vec![server_uri()]), "Auth/Bootstrap has no ClientSecretKey");
    assert_eq!(with("Bootstrap", vec![("ClientSecretKey", text("AA=="))]), "Auth/Bootstrap has no ServerURI");
    assert_eq!(with("Bootstrap", vec![server_uri(), ("ClientSecretKey", text("AA=="))]), "ok");
}
