//! A device that is killed with SIGKILL in the middle of its commits: every acknowledged change is there afterwards.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use omadm_client::{Device, Journal};
use omadm_mo::{Miid, Moid, Value};

use support::device::{Hands, THING, open, value};

const DIRECTORY: &str = "OMADM_TEST_KILL_DIRECTORY";

/// Not a test by itself: the child that is killed. It counts up in the tree and says on standard error what is durable.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let mut device = open(Journal::open(Path::new(&directory)).unwrap(), &Hands::default());
    let first = counter(&device) + 1;
    for number in first.. {
        let (moid, miid) = (Moid::parse(THING).unwrap(), Miid::parse("Thing").unwrap());
        device
            .change(|tree| {
                let root = tree.tree().instance(&moid, &miid).unwrap().root;
                let leaf = tree.tree().node(root).unwrap().child("Value").unwrap().id();
                Ok(tree.set(leaf, Value::Text(number.to_string()))?)
            })
            .unwrap();
        writeln!(std::io::stderr(), "kept {number}").unwrap();
        if number % 7 == 0 {
            device.compact().unwrap();
        }
    }
}

fn counter(device: &Device) -> u64 {
    value(device).parse().unwrap_or(0)
}

#[test]
fn every_acknowledged_change_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..15_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let kept = |line: String| line.strip_prefix("kept ").map(|number| number.parse::<u64>().unwrap());
        let mut last = lines.by_ref().filter_map(kept).nth(round * 5).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // What the child said between the last line read and its end.
        last = lines.filter_map(kept).last().unwrap_or(last);

        let device = open(Journal::open(directory.path()).unwrap(), &Hands::default());
        let found = counter(&device);
        assert!(
            found == last || found == last + 1,
            "round {round}: {last} was acknowledged, {found} is there"
        );
    }
}
