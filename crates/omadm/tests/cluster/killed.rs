//! Nodes that are killed.

use crate::nodes::Cluster;
use crate::postgres::{Postgres, name_of};
use crate::survival::survive;

#[test]
fn nodes_that_are_killed_lose_nothing_and_others_go_on() {
    let database = Postgres::start("on");
    let url = database.database();
    let mut cluster = Cluster::start(2, &url, "");
    survive(&mut cluster, || {}, |query| database.sql(name_of(&url), query));
}
