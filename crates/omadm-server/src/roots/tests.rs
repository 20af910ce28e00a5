use omadm_session::dm1::server::NodeContent;

use super::*;

fn node(uri: &str, moid: Option<&str>) -> Node {
    let format = if moid.is_some() { Format::Node } else { Format::Chr };
    Node { uri: uri.to_owned(), format, media_type: moid.map(str::to_owned), content: NodeContent::Untold }
}

fn roots(version: Version) -> Roots {
    Roots::of(&Inventory::default(), version)
}

#[test]
fn every_secret_is_found_in_a_document() {
    for secret in SECRETS {
        for name in [secret.to_owned(), secret.to_lowercase(), secret.to_uppercase()] {
            assert!(names_a_secret(format!("<NodeName>{name}</NodeName>").as_bytes()), "{name}");
            assert!(!names_a_secret(&name.as_bytes()[..name.len() - 1]), "{name}, cut");
        }
    }
}

fn place(roots: &Roots, uri: &str) -> String {
    let at = roots.place(uri).unwrap();
    format!("{} {} {}", at.moid, at.miid, at.path)
}

#[test]
fn a_node_has_the_address_of_its_management_object() {
    let mut roots = roots(Version::Dm12);
    roots.learn(
        &[
            node("./DevInfo/Man", None),
            node("./A", Some("")),
            node("./A/x y", Some("urn:x:mo:1.0")),
            node("./A/x y/in", Some("urn:y:1.0")),
        ],
        None,
    );
    for (uri, expected) in [
        ("./DevInfo/Man", "urn:oma:mo:oma-dm-devinfo:1.0 DevInfo /Man"),
        ("DevInfo", "urn:oma:mo:oma-dm-devinfo:1.0 DevInfo "),
        ("./DevDetail/FwV", "urn:oma:mo:oma-dm-devdetail:1.0 DevDetail /FwV"),
        ("./A", ". . /A"),
        ("./A/x%20y/Leaf", "urn:x:mo:1.0 x y /Leaf"),
        ("./A/x y/in/B", "urn:y:1.0 in /B"),
        ("./Vendor/MSFT/%7e", ". . /Vendor/MSFT/~"),
        ("./A/a%2Fb", ". . /A/a%252Fb"),
        (".", ". . "),
    ] {
        assert_eq!(place(&roots, uri), expected, "{uri}");
    }
    for bad in ["./A//B", "./A/..", "./A?prop=ACL", "", "./A/"] {
        assert_eq!(roots.place(bad), None, "{bad}");
    }
    let again = Roots::of(&roots.inventory(&Inventory::default()).unwrap(), Version::Dm12);
    assert_eq!((&again.known, &again.assumed), (&roots.known, &roots.assumed));
    assert!(again.inventory(&Inventory::default()).is_none(), "nothing is new in it");
}

#[test]
fn plain_paths_have_the_same_places_as_others() {
    let mut roots = roots(Version::Dm12);
    let told =
        [("./A", "urn:a:1.0"), ("./A/B", "urn:b:1.0"), ("./AB", "urn:c:1.0"), ("./A/B/C/D", "urn:d:1.0")];
    roots.learn(&told.map(|(uri, moid)| node(uri, Some(moid))), None);
    for path in [
        "A",
        "A/B",
        "A/BB",
        "AB",
        "AB/B",
        "ABC",
        "A/B/C",
        "A/B/C/D",
        "A/B/C/D/E/F",
        "C",
        "DevInfo",
        "DevInfo/A",
    ] {
        let names = names(path).unwrap();
        assert_eq!(roots.place(&format!("./{path}")), Some(roots.place_of(&names)), "{path}");
    }
}

#[test]
fn operators_write_the_same_as_for_dm_2() {
    let mut roots = roots(Version::Dm13);
    let resolve = |roots: &Roots, address: &str| roots.resolve(address);
    let ok = |uri: &str| Ok(uri.to_owned());
    assert_eq!(resolve(&roots, "urn:oma:mo:oma-dm-devinfo:1.2//Man"), ok("./DevInfo/Man"), "another version");
    assert_eq!(resolve(&roots, "urn:oma:mo:oma-dm-devinfo:1.1/DevInfo/DevID"), ok("./DevInfo/DevId"));
    assert_eq!(
        resolve(&roots, "urn:oma:mo:oma-dm-devdetail:1.1//URI/MaxDepth"),
        ok("./DevDetail/URI/MaxDepth")
    );
    assert_eq!(resolve(&roots, "urn:x:mo:1.0//L"), Err(Unresolved::UnknownMo("urn:x:mo:1.0".into())));
    roots.learn(&[node("./A/x", Some("urn:x:mo:1.0"))], None);
    assert_eq!(resolve(&roots, "urn:x:mo:1.0//n%20m"), ok("./A/x/n%20m"));
    assert_eq!(resolve(&roots, "urn:x:mo:1.0/x/"), ok("./A/x"));
    roots.learn(&[node("./B/x", Some("urn:x:mo:1.0")), node("./C", Some("urn:x:mo:2.0"))], None);
    assert!(
        matches!(resolve(&roots, "urn:x:mo:1.0//L"), Err(Unresolved::Unsaid(why)) if why.contains("x, B:x"))
    );
    assert_eq!(resolve(&roots, "urn:x:mo:1.0/B:x/L"), ok("./B/x/L"));
    assert!(
        matches!(resolve(&roots, "urn:x:mo:3.0//L"), Err(Unresolved::Unsaid(why)) if why.contains("several versions"))
    );
}

#[test]
fn what_dm_1_cannot_say_is_refused() {
    let roots = roots(Version::Dm12);
    for address in [
        "urn:oma:mo:oma-dm-devinfo:1.0//?lv=1",
        "urn:oma:mo:oma-dm-devinfo:1.0/*/Man",
        "urn:oma:mo:oma-dm-devinfo:1.0//Ext/*",
        "./A/../B",
        "./A//B",
        "./A?list=TNDS",
    ] {
        assert!(matches!(roots.resolve(address), Err(Unresolved::Unsaid(_))), "{address}");
    }
    for address in [".", "./A/B", "./A?prop=ACL", "./Vendor/MSFT/x%20y"] {
        assert_eq!(roots.resolve(address), Ok(address.to_owned()));
    }
}

#[test]
fn roots_move_and_go() {
    let mut roots = roots(Version::Dm12);
    roots.learn(&[node("./DevInfo/Man", None), node("./A/x", Some("urn:x:mo:1.0"))], None);
    let gone = roots.learn(&[node("./DevInfo", Some("urn:oma:mo:oma-dm-devinfo:1.1"))], None);
    assert_eq!(gone.len(), 1, "the version was a guess");
    assert_eq!(place(&roots, "./DevInfo/Man"), "urn:oma:mo:oma-dm-devinfo:1.1 DevInfo /Man");
    let gone = roots.learn(&[node("./A", Some(""))], Some("./A"));
    assert_eq!(gone.first().map(|at| at.moid.as_str()), Some("urn:x:mo:1.0"));
    assert_eq!(place(&roots, "./A/x/L"), ". . /A/x/L");
}

#[test]
fn secrets_are_known_by_their_names() {
    for uri in [
        "./DMAcc/x/AppAuth/c/AAuthSecret",
        "./BootstrapConfig/BootstrapServer/x/AuthSecret",
        "./SyncML/DMAcc/x/clientpw",
        "./DMAcc/x/AppAuth/c/AAuthData?prop=Size",
    ] {
        assert!(is_secret(uri), "{uri}");
    }
    assert!(!is_secret("./DMAcc/x/AppAuth/c/AAuthName"));
}
