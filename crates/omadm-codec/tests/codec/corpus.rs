//! The properties that the fuzz targets check, over the fuzz corpus and over all vectors.

use std::fs;
use std::path::Path;

use omadm_codec::check;

use crate::common;

/// Name of the target, the folder with its vectors if there is one, and what it checks.
type Target = (&'static str, Option<&'static str>, fn(&[u8]));

const TARGETS: [Target; 30] = [
    ("notification", Some("vectors/dm2/notification"), check::check_notification),
    ("trigger", Some("vectors/dm1/trigger"), check::check_trigger),
    ("dm1_notification", Some("vectors/dm1/notification"), check::check_dm1_notification),
    ("wsp", Some("vectors/dm2/wsp"), check::check_wsp),
    ("wsp_session", None, check::check_wsp_session),
    ("wtp", None, check::check_wtp),
    ("sms", Some("vectors/dm2/sms"), check::check_sms),
    ("obex", None, check::check_obex),
    ("sip", None, check::check_sip),
    ("ota_http", None, check::check_ota_http),
    ("sia", None, check::check_sia),
    ("pap", None, check::check_pap),
    ("cloud", Some("vectors/dm2/cloud"), check::check_cloud),
    ("registration", None, check::check_registration),
    ("initiation", Some("vectors/dm2/initiation"), check::check_initiation),
    ("request", Some("vectors/dm2/request"), check::check_request),
    ("response", Some("vectors/dm2/response"), check::check_response),
    ("mo_data", Some("vectors/dm2/mo_data"), check::check_mo_data),
    ("multipart", Some("vectors/dm2/multipart"), check::check_multipart),
    ("delegation", Some("vectors/delegation"), check::check_delegation),
    ("ddf", Some("vectors/ddf"), check::check_ddf),
    ("syncml", Some("vectors/dm1/message"), check::check_syncml),
    ("tnds", Some("vectors/dm1/tnds"), check::check_tnds),
    ("client_uri", None, check::check_client_uri),
    ("server_uri", None, check::check_server_uri),
    ("accept", None, check::check_accept),
    ("provisioning", None, check::check_provisioning),
    ("apdu", None, check::check_apdu),
    ("ef_dir", None, check::check_ef_dir),
    ("pkcs15", None, check::check_pkcs15),
];

#[test]
fn every_file_has_the_property_of_its_target() {
    for (target, vectors, check) in TARGETS {
        let corpus = common::folder("fuzz/corpus").join(target);
        for folder in std::iter::once(corpus).chain(vectors.map(common::folder)) {
            assert!(check_folder(&folder, check) > 0, "{}: an empty folder proves nothing", folder.display());
        }
    }
}

/// Checks the files of a folder as they are, cut in half, and with one octet changed.
fn check_folder(folder: &Path, check: fn(&[u8])) -> usize {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut count = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "hex") {
            bytes = common::octets(std::str::from_utf8(&bytes).unwrap());
        }
        println!("{}", path.display());
        check(&bytes);
        check(&bytes[..bytes.len() / 2]);
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 50) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            check(&changed);
        }
        count += 1;
    }
    count
}

#[test]
fn every_target_has_its_function_and_every_corpus_its_target() {
    let targets = common::folder("fuzz/fuzz_targets");
    for (target, _, _) in TARGETS {
        let source = fs::read_to_string(targets.join(format!("{target}.rs"))).unwrap();
        assert!(source.contains(&format!("check::check_{target}(bytes)")), "{target}");
    }
    for entry in fs::read_dir(common::folder("fuzz/corpus")).unwrap() {
        let name = entry.unwrap().file_name();
        // These are replayed by omadm-auth, omadm-session and omadm-client.
        let known = name == "authorization"
            || name == "wap_client"
            || name == "obex_machine"
            || name == "dm1_bootstrap"
            || name == "dm1_bootstrap_device"
            || name == "dm1_sessionless"
            || name == "card"
            || TARGETS.iter().any(|(target, _, _)| name == *target);
        assert!(known, "{name:?}");
    }
}
