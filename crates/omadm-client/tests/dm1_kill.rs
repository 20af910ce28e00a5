//! A device that is killed with SIGKILL in the middle of DM 1.x sessions: what it acknowledged is there, and what it has to tell is told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use omadm_client::dm1::{GenericAlert, Outcome};
use omadm_client::{Client, ClientConfig, HttpsConfig, HttpsTransport, Journal};
use omadm_session::dm1::server::Verdict;
use serde_json::json;

use support::device::{Hands, server_id, value};
use support::dm1::{Dm1, account, open, session, set};
use support::server::Server;
use support::tls::Authority;

const DIRECTORY: &str = "OMADM_TEST_DM1_DIRECTORY";
const CA_FILE: &str = "OMADM_TEST_DM1_CA";
const ADDRESS: &str = "OMADM_TEST_DM1_ADDRESS";
const COMMANDS: usize = 12;

/// Not a test by itself: the child that is killed. It runs one session.
#[tokio::test]
async fn child() {
    let [Some(directory), Some(ca_file), Some(address)] = [DIRECTORY, CA_FILE, ADDRESS].map(std::env::var_os)
    else {
        return;
    };
    let mut device = open(Journal::open(Path::new(&directory)).unwrap(), &Hands::default());
    let settings = account(address.to_str().unwrap(), json!({}));
    if device.install_dm1_account_once(&settings, b"").unwrap().is_some() {
        device.raise_dm1_alert(&server_id(), GenericAlert::new("urn:example:at:hello", "once")).unwrap();
    }
    let https = HttpsConfig { ca_file: Some(ca_file.into()), ..HttpsConfig::default() };
    let mut client = Client::new(device, HttpsTransport::new(&https).unwrap(), ClientConfig::default());
    let report = session(&mut client).await;
    assert!(matches!(report.outcome, Outcome::Ended { .. }), "{report:#?}");
}

#[tokio::test]
async fn what_is_acknowledged_survives_a_kill_at_every_message() {
    let (authority, directory) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let dm1 = Dm1::on(&server);
    dm1.set(|desk| {
        desk.config.max_commands = 1;
        desk.config.max_attempts = u32::MAX;
    });
    dm1.queue((1..=COMMANDS).map(|number| set("./Thing/Value", &number.to_string())));
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env(CA_FILE, authority.ca_file())
            .env(ADDRESS, server.at("/dm"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut done = 0;
    for round in 0..2 * COMMANDS {
        let mut process = start();
        let heard = |messages: usize| server.heard() >= messages;
        let before = server.heard();
        // Killed while it works on the answer to a message, further on in each round.
        while !heard(before + 1 + round % 4) && process.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        let results = dm1.results();
        assert!(
            results.iter().all(|result| matches!(result.verdict, Verdict::Done(200) | Verdict::Again(_))),
            "{results:?}"
        );
        done += results.iter().filter(|result| result.verdict == Verdict::Done(200)).count();
        let device = open(Journal::open(directory.path()).unwrap(), &Hands::default());
        let kept: usize = value(&device).parse().unwrap_or(0);
        assert!(kept >= done, "round {round}: {done} were acknowledged, {kept} is there");
    }
    let mut process = start();
    let status = loop {
        match process.try_wait().unwrap() {
            Some(status) => break status,
            None => tokio::task::yield_now().await,
        }
    };
    assert!(status.success(), "left alone, the session ends");
    done += dm1.verdicts().into_iter().filter(|verdict| *verdict == Verdict::Done(200)).count();
    assert_eq!(done, COMMANDS, "each command is done, and told once");
    let device = open(Journal::open(directory.path()).unwrap(), &Hands::default());
    assert_eq!(value(&device), COMMANDS.to_string());
    assert!(device.dm1_alerts(&server_id()).is_empty());
    assert!(!dm1.alerts().is_empty(), "the alert is told");
}
