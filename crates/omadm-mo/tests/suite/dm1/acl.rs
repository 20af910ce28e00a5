//! The ACL property (`DM 1.3 TND §8.2`): who is let do what, who changes that, and what new nodes get.

use super::*;

/// The tree of the worked example: an interior node `V` with two leaves and an interior node.
fn example() -> Tree {
    let mut tree = device();
    for uri in ["./V", "./V/n"] {
        assert_eq!(add_interior(&mut tree, "device", uri), 200);
    }
    for uri in ["./V/a", "./V/b"] {
        assert_eq!(add_text(&mut tree, "device", uri, "x"), 200);
    }
    for (uri, acl) in
        [("./V", "Replace=S1&Get=*&Add=S1"), ("./V/b", "Get=*&Replace=S2"), ("./V/n", "Exec=S2")]
    {
        assert_eq!(set(&mut tree, "device", &format!("{uri}?prop=ACL"), acl), 200);
    }
    tree
}

#[test]
fn the_worked_example() {
    let mut tree = example();
    assert_eq!(replace_text(&mut tree, "S1", "./V/a", "y"), 200);
    assert_eq!(replace_text(&mut tree, "S1", "./V/b", "y"), 425);
    assert_eq!(replace_text(&mut tree, "S2", "./V/b", "y"), 200);
    assert_eq!(set(&mut tree, "S2", "./V/b?prop=ACL", "Get=*"), 425);
    for server in ["S1", "S2", "S3"] {
        assert_eq!(status_of_get(&tree, server, "./V/n?prop=ACL"), 425);
    }
    assert_eq!(set(&mut tree, "S1", "./V/n?prop=ACL", "Exec=S2&Get=S1"), 200);
    assert_eq!(shown(&tree, "S1", "./V/n?prop=ACL").unwrap(), "Exec=S2&Get=S1");
    assert_eq!(set(&mut tree, "S1", "./V/b?prop=ACL", "Get=*&Replace=S1"), 200);
    assert_eq!(replace_text(&mut tree, "S1", "./V/b", "z"), 200);
    assert_eq!(add_interior(&mut tree, "S3", "./W"), 200);
    assert_eq!(acl(&tree, "./W"), "Add=S3&Delete=S3&Get=*&Replace=S3");
    assert_eq!(delete(&mut tree, "S1", "./W"), 425);
    assert_eq!(delete(&mut tree, "S3", "./W"), 200);
}

#[test]
fn an_acl_of_a_node_ends_inheritance_for_every_command() {
    let mut tree = example();
    // `V/b` names neither Add nor Delete, and nothing of V's reaches it.
    assert_eq!(delete(&mut tree, "S2", "./V/b"), 425);
    assert_eq!(status_of_get(&tree, "S3", "./V/b"), 200);
    assert_eq!(set(&mut tree, "S1", "./V/b?prop=ACL", "Replace=S2"), 200);
    assert_eq!(status_of_get(&tree, "S3", "./V/b"), 425);
    // Empty again: what holds for V holds for it.
    assert_eq!(set(&mut tree, "S1", "./V/b?prop=ACL", ""), 200);
    assert_eq!(acl(&tree, "./V/b"), "");
    assert_eq!(status_of_get(&tree, "S3", "./V/b"), 200);
    assert_eq!(replace_text(&mut tree, "S1", "./V/b", "z"), 200);
}

#[test]
fn who_may_change_an_acl() {
    for (uri, changes) in
        [("./V", ["S1"].as_slice()), ("./V/n", &["S1"]), ("./V/a", &["S1"]), ("./V/b", &["S1"])]
    {
        for server in ["S1", "S2", "S3"] {
            let mut tree = example();
            let expected = if changes.contains(&server) { 200 } else { 425 };
            let status = set(&mut tree, server, &format!("{uri}?prop=ACL"), "Get=*");
            assert_eq!(status, expected, "{server} {uri}");
        }
    }
    // Replace on an interior node is enough by itself, on a leaf it is not.
    let mut tree = example();
    assert_eq!(set(&mut tree, "device", "./V/n?prop=ACL", "Replace=S3"), 200);
    assert_eq!(set(&mut tree, "device", "./V/a?prop=ACL", "Replace=S3"), 200);
    assert_eq!(set(&mut tree, "S3", "./V/n?prop=ACL", "Get=*"), 200);
    assert_eq!(set(&mut tree, "S3", "./V/a?prop=ACL", "Get=*"), 425);
}

#[test]
fn the_root_keeps_add_for_everyone() {
    let mut tree = device();
    assert_eq!(acl(&tree, "."), "Add=*&Get=*");
    assert_eq!(set(&mut tree, "S1", ".?prop=ACL", "Add=*&Get=*&Replace=S1"), 425);
    assert_eq!(set(&mut tree, "device", ".?prop=ACL", "Add=*&Get=*&Replace=S1"), 200);
    for refused in ["", "Get=*&Replace=S1", "Add=S1&Get=*&Replace=S1"] {
        assert_eq!(set(&mut tree, "S1", ".?prop=ACL", refused), 405, "{refused}");
    }
    assert_eq!(set(&mut tree, "S2", ".?prop=ACL", "Add=*"), 425);
    assert_eq!(set(&mut tree, "S1", ".?prop=ACL", "Add=*&Get=S1&Replace=S1"), 200);
    assert_eq!((status_of_get(&tree, "S2", "."), status_of_get(&tree, "S1", ".")), (425, 200));
}

#[test]
fn a_malformed_acl_changes_nothing() {
    let mut tree = example();
    for malformed in ["Get=", "Copy=S1", "Get=S1&", "Get", "Get=S 1", "Get=*&Add=+"] {
        assert_eq!(set(&mut tree, "S1", "./V?prop=ACL", malformed), 500, "{malformed}");
    }
    assert_eq!(acl(&tree, "./V"), "Add=S1&Get=*&Replace=S1");
}

#[test]
fn an_acl_has_a_longest() {
    let mut tree = example();
    let name = |length: usize| format!("Get=S1+{}&Replace=S1", "x".repeat(length));
    let rest = name(0).len();
    let many = |count: usize| format!("Get={}", vec!["x"; count].join("+"));
    assert_eq!(many(2046).len(), 4095);
    for (acl, status) in
        [(name(200), 200), (name(255 + 4096 - rest), 413), (many(2046), 200), (many(2047), 413)]
    {
        assert_eq!(set(&mut tree, "device", "./V?prop=ACL", &acl), status, "{}", acl.len());
    }
}

#[test]
fn whole_identifiers_are_compared() {
    let mut tree = example();
    assert_eq!(set(&mut tree, "device", "./V?prop=ACL", "Get=dm.example"), 200);
    for (server, status) in
        [("dm.ex", 425), ("dm.example", 200), ("DM.example", 425), ("dm.example.org", 425)]
    {
        assert_eq!(status_of_get(&tree, server, "./V/a"), status, "{server}");
    }
}

#[test]
fn new_nodes_get_rights_for_their_creator_only_where_it_has_none() {
    let mut tree = example();
    // Every ancestor that is made on the way is a node that the server added.
    assert_eq!(add_text(&mut tree, "S3", "./X/Y/Z", "v"), 200);
    assert_eq!(acl(&tree, "./X"), "Add=S3&Delete=S3&Get=*&Replace=S3");
    assert_eq!((acl(&tree, "./X/Y"), acl(&tree, "./X/Y/Z")), (String::new(), String::new()));
    // With Replace on the parent nothing is set, and a leaf never gets anything.
    assert_eq!(add_interior(&mut tree, "S1", "./V/m"), 200);
    assert_eq!(acl(&tree, "./V/m"), "");
    assert_eq!(add_text(&mut tree, "S3", "./L", "v"), 200);
    assert_eq!((acl(&tree, "./L"), replace_text(&mut tree, "S3", "./L", "w")), (String::new(), 425));
    // Get of the parent goes into the ACL, and that of the creator.
    assert_eq!(set(&mut tree, "device", "./V?prop=ACL", "Add=S2+S3&Get=S1"), 200);
    assert_eq!(add_interior(&mut tree, "S3", "./V/k"), 200);
    assert_eq!(acl(&tree, "./V/k"), "Add=S3&Delete=S3&Get=S1+S3&Replace=S3");
}

#[test]
fn a_server_without_accounts_is_in_no_acl() {
    let mut tree = example();
    let account = |tree: &mut Tree, name: &str, server: &str| {
        assert_eq!(add(tree, "device", &format!("./DMAcc/{name}"), interior(Some(ACC))), 200);
        assert_eq!(add_text(tree, "device", &format!("./DMAcc/{name}/ServerID"), server), 200);
    };
    account(&mut tree, "1", "S1");
    account(&mut tree, "2", "S1");
    account(&mut tree, "3", "S2");
    assert_eq!(set(&mut tree, "device", ".?prop=ACL", "Add=*&Get=S1&Replace=S1&Delete=S2"), 200);
    assert_eq!(delete(&mut tree, "device", "./DMAcc/1"), 200);
    assert_eq!(acl(&tree, "./V"), "Add=S1&Get=*&Replace=S1");
    assert_eq!(delete(&mut tree, "device", "./DMAcc/2"), 200);
    assert_eq!(acl(&tree, "./V"), "Get=*");
    assert_eq!(acl(&tree, "."), "Add=*&Delete=S2&Get=*");
    assert_eq!(delete(&mut tree, "device", "./DMAcc"), 200);
    assert_eq!((acl(&tree, "./V/n"), acl(&tree, "./V/b")), (String::new(), "Get=*".into()));
}
