//! What is done at one node counts at the others.

use std::io::Write as _;

use crate::nodes::{Cluster, done, until};
use crate::postgres::{name_of, shared};
use crate::survival::good;

#[test]
fn what_one_node_is_told_the_other_keeps_to() {
    let url = shared().database();
    let cluster = Cluster::start(2, &url, "");
    a_token_that_is_revoked_at_one_node_is_refused_by_the_other(&cluster);
    a_profile_that_is_assigned_at_one_node_reaches_a_device_at_the_other(&cluster, name_of(&url));
}

fn a_token_that_is_revoked_at_one_node_is_refused_by_the_other(cluster: &Cluster) {
    let made = done(&mut cluster.omadm_of(0, &["token", "add", "short"])).stdout;
    let token = String::from_utf8(made).unwrap();
    let may = || {
        let mut look = cluster.omadm_of(1, &["device", "ls"]);
        look.env("OMADM_TOKEN", token.trim()).output().unwrap().status.success()
    };
    assert!(may());
    done(&mut cluster.omadm_of(0, &["token", "rm", "short"]));
    assert!(!may(), "at once");
}

fn a_profile_that_is_assigned_at_one_node_reaches_a_device_at_the_other(cluster: &Cluster, database: &str) {
    let calm = ["--protocol", "dm2.0", "--devices", "1", "--no-commands"];
    good(&cluster.sim(&calm).output().unwrap());
    let mut profile = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let text =
        "name = \"base\"\n[[observe]]\naddress = \"urn:oma:mo:oma-dm-devinfo:1.2//Man\"\nevery = \"1m\"\n";
    profile.write_all(text.as_bytes()).unwrap();
    done(cluster.omadm_of(0, &["profile", "set"]).arg(profile.path()));
    done(&mut cluster.omadm_of(0, &["profile", "assign", "base"]));
    // Through the balancer every other message is the second node's.
    until("the profile reaches devices", || {
        good(&cluster.sim(&calm).output().unwrap());
        let query = "SELECT COUNT(DISTINCT device) FROM command WHERE origin LIKE 'profile:base%'";
        shared().sql(database, query).parse::<u32>().unwrap() >= 3
    });
}
