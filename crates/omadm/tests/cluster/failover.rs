//! A primary of PostgreSQL that is killed while nodes are, too.

use std::cell::Cell;

use crate::nodes::Cluster;
use crate::postgres::{Postgres, name_of};
use crate::survival::survive;

#[test]
fn a_primary_that_is_killed_takes_nothing_with_it_that_was_acknowledged() {
    let primary = Postgres::start("on");
    let url = primary.database();
    let standby = primary.standby();
    let name = name_of(&url);
    let (one, other) = (primary.dir().display(), standby.dir().display());
    let both = format!("postgres://omadm@/{name}?host={one}&host={other}");
    let mut cluster = Cluster::start(2, &both, "connect_timeout = 1");
    let is_over = Cell::new(false);
    let fail_over = || {
        primary.kill();
        standby.promote();
        is_over.set(true);
    };
    survive(&mut cluster, fail_over, |query| {
        let serving = if is_over.get() { &standby } else { &primary };
        serving.sql(name, query)
    });
    assert!(is_over.get());
}
