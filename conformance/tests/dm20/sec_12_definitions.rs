//! The DDF files of the standard objects, node by node as the tables of `DM 2.0 §12` have them.

use std::collections::BTreeMap;

use omadm_codec::{Limits, ddf};
use omadm_conformance::DDF_FILES;
use omadm_mo::ddf::{DdfName, DdfNode, DfType, Occurrence};

/// Path below the MO root, status, occurrence, format, and whether it can be read; un-named nodes are `<x>`.
const DEVINFO: &str = "\
/ Required One node Get
/Bearer Optional ZeroOrOne node Get
/DevID Required One chr Get
/Man Required One chr Get
/Mod Required One chr Get
/DmV Required One chr Get
/Lang Required One chr Get
/DevType Required One chr Get
/OEM Required One chr Get
/FwV Required One chr Get
/SwV Required One chr Get
/HwV Required One chr Get
/Ext Optional One node Get";

const DMACC: &str = "\
/ Required ZeroOrMore node Get
/SrvID Required One chr Get
/SrvURI Required One chr Get
/Name Required One chr Get
/Perm Required One node No
/Perm/<x> Required OneOrMore node No
/Perm/<x>/MOID Required One chr No
/Auth Optional One node Get
/Auth/Bootstrap Optional One node Get
/Auth/Bootstrap/ServerURI Required One chr Get
/Auth/Bootstrap/SecMode Required One bin Get
/Auth/Bootstrap/ClientPubKey Required One bin No
/Auth/Bootstrap/ServerPubKey Required One bin No
/Auth/Bootstrap/ClientSecretKey Required One bin No
/Auth/Noti Optional One node Get
/Auth/Noti/Type Required One int Get
/Auth/Noti/Data Required One bin Get
/Auth/Noti/Secret Required One bin Get
/Auth/Trsp Optional One node Get
/Auth/Trsp/Data Required One bin Get
/Auth/Trsp/Secret Required One bin No
/Push Optional One node Get
/Push/GCM Optional One node Get
/Push/GCM/SenderID Required One chr Get
/Push/GCM/RegURI Required One chr Get
/Push/GCM/UnRegURI Required One chr Get
/Push/GCM/RegParams Required One chr Get
/Push/GCM/Ext Optional One node Get
/Push/Ext Optional One node Get
/Ext Optional One node Get";

/// The standard draws `<MOID>` as root; its own example and MOID have one instance with a root above. `<x>` and `Permissions/<x>`
/// are printed as One and have to be several in the printed examples.
const DELEGATION: &str = "\
/ Required One node Get
/<x> Optional ZeroOrMore node Get
/<x>/<x> Required ZeroOrMore node Get
/<x>/<x>/<x> Required OneOrMore node Get
/<x>/<x>/<x>/Path Optional ZeroOrOne chr Get
/<x>/<x>/<x>/Permissions Required One node Get
/<x>/<x>/<x>/Permissions/<x> Required OneOrMore node Get
/<x>/<x>/<x>/Permissions/<x>/MAID Required One chr Get
/<x>/<x>/<x>/Permissions/<x>/AR Required One int Get";

const SESSION_INFO: &str = "\
/ Required One node Get
/CBT Required One int Get
/ROAMING Required One int Get";

/// Leaves that a server may write by our definition, though the tables give no such minimum: the owner of an account changes its
/// notification secret (`§I.2`), rights are delegated by writing them, and a secret that cannot be read has to exist to be refused.
const WRITABLE: [&str; 6] = [
    "/Auth/Noti/Data",
    "/Auth/Noti/Secret",
    "/Auth/Trsp/Secret",
    "/Auth/Bootstrap/ClientPubKey",
    "/Auth/Bootstrap/ServerPubKey",
    "/Auth/Bootstrap/ClientSecretKey",
];

/// The one object of a file, by the paths of its nodes.
fn nodes(file: &str, moid: &str) -> BTreeMap<String, DdfNode> {
    fn collect(path: &str, node: &DdfNode, nodes: &mut BTreeMap<String, DdfNode>) {
        nodes.insert(if path.is_empty() { "/".to_owned() } else { path.to_owned() }, node.clone());
        for child in &node.children {
            let name = match &child.name {
                DdfName::Named(name) => name.as_str(),
                DdfName::Unnamed(_) => "<x>",
            };
            collect(&format!("{path}/{name}"), child, nodes);
        }
    }
    let text = DDF_FILES.iter().find(|(name, _)| *name == file).unwrap().1;
    let decoded = ddf::decode(text.as_bytes(), &Limits::default()).unwrap();
    assert!(decoded.warnings.is_empty(), "{file}: {:?}", decoded.warnings);
    let [root] = decoded.ddf.nodes.as_slice() else { panic!("{file} has one object") };
    assert_eq!(root.df_type, Some(DfType::DdfName(moid.to_owned())), "{file}");
    let mut nodes = BTreeMap::new();
    collect("", root, &mut nodes);
    nodes
}

fn occurrence(occurrence: &Occurrence) -> &'static str {
    match occurrence {
        Occurrence::One => "One",
        Occurrence::ZeroOrOne => "ZeroOrOne",
        Occurrence::ZeroOrMore => "ZeroOrMore",
        Occurrence::OneOrMore => "OneOrMore",
        Occurrence::ZeroOrN(_) => "ZeroOrN",
        Occurrence::OneOrN(_) => "OneOrN",
    }
}

#[test]
fn definitions_are_those_of_the_tables() {
    for (file, moid, table) in [
        ("dm_devinfo-v1_2.ddf", omadm_mo::well_known::DEVINFO, DEVINFO),
        ("dm_dmacc-v1_2.ddf", omadm_mo::well_known::DMACC, DMACC),
        ("dm_delegation-v1_0.ddf", omadm_mo::well_known::DACMO, DELEGATION),
        ("dm_sessioninfo-v1_0.ddf", omadm_mo::well_known::SESSION_INFO, SESSION_INFO),
    ] {
        let mut defined = nodes(file, moid);
        for line in table.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [path, status, printed, format, readable] = words[..] else { panic!("{line}") };
            let node = defined.remove(path).unwrap_or_else(|| panic!("{file} lacks {path}"));
            // A node that need not be there occurs once at most.
            let expected = if (status, printed) == ("Optional", "One") { "ZeroOrOne" } else { printed };
            assert_eq!(occurrence(&node.occurrence), expected, "{file} {path}");
            assert_eq!(node.format.as_str(), format, "{file} {path}");
            assert_eq!(node.access.get, readable == "Get", "{file} {path}");
            let is_exposed = !node.access.is_empty();
            assert_eq!(is_exposed, !path.starts_with("/Perm"), "{file} {path}");
            let writes = node.access.add || node.access.delete || node.access.replace;
            let may_be_written = WRITABLE.contains(&path) || (table == DELEGATION && path != "/");
            assert_eq!(writes, may_be_written, "{file} {path}");
            assert!(!node.access.exec && !node.access.copy, "{file} {path}");
        }
        assert!(defined.is_empty(), "{file} has more than the table: {:?}", defined.keys());
    }
}
