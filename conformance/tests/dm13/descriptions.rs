//! The DDF files of the standard objects (`DM 1.3 ERELD §5`): they come with the server, are valid, and describe what the agent has.

use std::collections::BTreeSet;

use omadm_codec::{Limits, ddf};
use omadm_conformance::{AgentProcess, TestServer, proves, xmllint};
use omadm_mo::ddf::{Catalogue, DdfName, DdfNode};
use omadm_mo::{NodeName, Segment};
use serde_json::json;

use crate::processes::{carry_out, leaves};

/// File, MOID, and where the agent has the object.
const OBJECTS: [(&str, &str, &str); 3] = [
    ("dm_dmacc-v1_3.ddf", "urn:oma:mo:oma-dm-dmacc:1.1", "./DMAcc"),
    ("dm_devinfo-v1_3.ddf", "urn:oma:mo:oma-dm-devinfo:1.1", "./DevInfo"),
    ("dm_devdetail-v1_3.ddf", "urn:oma:mo:oma-dm-devdetail:1.1", "./DevDetail"),
];

/// Paths below the root of the leaves that have to be there and can be read; below un-named nodes nothing has to be.
fn demanded(node: &DdfNode, above: &str, paths: &mut BTreeSet<String>) {
    for child in node.children.iter().filter(|child| child.occurrence.is_required()) {
        let DdfName::Named(name) = &child.name else { continue };
        let path = format!("{above}/{name}");
        if child.format.is_leaf() && child.access.get {
            paths.insert(path.clone());
        }
        demanded(child, &path, paths);
    }
}

#[tokio::test]
async fn standard_objects_are_as_their_files_say() {
    proves!("E13-DMAccDDF", "E13-DevInfoDDF", "E13-DevDetailDDF", "E13-DMDDFDTD");
    let server = TestServer::start().await;
    let id = "UUID:2f0f8f51-4b8e-4b5c-9c8b-6f1d5a1c3001";
    let agent = AgentProcess::with_dm1(&server, id, &json!({ "name": "Theirs" }), "").await;
    for (file, moid, place) in OBJECTS {
        let fetched = server.fetch_ddf(file).await;
        assert_eq!(fetched.status, 200, "{file}");
        let text = String::from_utf8(fetched.body.to_vec()).unwrap();
        xmllint::validate_ddf(&text);
        let decoded = ddf::decode(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(decoded.warnings, Vec::<String>::new(), "{file}");
        let mut catalogue = Catalogue::new();
        catalogue.add(&decoded.ddf, file);
        let definition = catalogue.get(moid).unwrap_or_else(|| panic!("{file} describes {moid}"));

        let done = carry_out(&server, &agent, &[json!({ "verb": "get", "address": place })]).await;
        let served: Vec<String> = leaves(&done[0]).into_iter().map(|(address, _)| address).collect();
        // An account has a name of its own below its place.
        let skipped = place.split('/').count() + usize::from(place == "./DMAcc");
        let mut seen = BTreeSet::new();
        for address in &served {
            let names: Vec<&str> = address.split('/').skip(skipped).collect();
            let path: Vec<Segment> =
                names.iter().map(|name| Segment::Name(NodeName::parse(name).unwrap())).collect();
            let nodes = definition.nodes_at(&path);
            let described = nodes.is_none_or(|nodes| nodes.iter().any(|node| node.format.is_leaf()));
            assert!(described, "{file} does not describe {address}");
            seen.insert(format!("/{}", names.join("/")));
        }
        let mut wanted = BTreeSet::new();
        demanded(&definition.root, "", &mut wanted);
        assert!(wanted.is_subset(&seen), "{file} demands {wanted:?}; served are {served:?}");
    }
}
