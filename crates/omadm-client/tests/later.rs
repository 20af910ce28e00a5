//! What goes on beside sessions, on a disk that is full and with values that change by themselves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use omadm_client::{
    Alert, Batch, Client, ClientConfig, Device, Finished, PersistError, Persistence, StatusCode, Trigger,
};
use omadm_mo::ClientUri;
use serde_json::{Value, json};

use support::device::{Full, Hands, THING, bootstrap, config, plugins, server_id, session, transport};
use support::server::{Answer, Server};
use support::tls::Authority;

struct Setup {
    _authority: Authority,
    server: Server,
    client: Client,
    hands: Hands,
    disk: Full,
}

/// A device that has told its server of the bootstrap, and reports at once.
async fn setup() -> Setup {
    let authority = Authority::new();
    let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let (hands, disk, mut config) = (Hands::default(), Full::default(), config());
    config.reports.window = Duration::ZERO;
    config.reports.retry = Duration::ZERO;
    config.reports.look_interval = Duration::from_nanos(1);
    let mut device = Device::open(config, plugins(&hands), Box::new(disk.clone())).unwrap();
    device.install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    let mut client =
        Client::new(device, transport(&authority, Duration::from_secs(30)), ClientConfig::default());
    server.script([Answer::end()]);
    session(&mut client).await;
    server.seen();
    Setup { _authority: authority, server, client, hands, disk }
}

impl Setup {
    /// The statuses of these commands.
    async fn statuses(&mut self, commands: Value) -> Vec<u64> {
        self.server.script([Answer::commands(&commands), Answer::end()]);
        session(&mut self.client).await;
        self.server.seen().pop().unwrap().statuses()
    }

    fn exec(&self) -> Value {
        json!(["EXEC", format!("{THING}//Run"), self.server.at("/results")])
    }

    fn sub(&self) -> Value {
        json!(["SUB", self.server.at("/report"), format!("{THING}//")])
    }
}

#[tokio::test]
async fn what_cannot_be_kept_does_not_begin() {
    let mut setup = setup().await;
    setup.disk.fill(true);
    let default = json!(["DEFAULT", setup.server.at("/default"), THING]);
    let commands = json!([setup.exec(), setup.sub(), default]);
    assert_eq!(setup.statuses(commands.clone()).await, [500, 500, 500]);
    assert!(setup.hands.lock().unwrap().executed.is_empty());
    let status = setup.client.device().status();
    assert!(status.subscriptions.is_empty() && status.executions.is_empty() && status.defaults.is_empty());
    setup.disk.fill(false);
    assert_eq!(setup.statuses(commands).await, [202, 200, 200]);
    setup.disk.fill(true);
    let unsub = json!([["UNSUB", format!("{THING}//")]]);
    assert_eq!(setup.statuses(unsub.clone()).await, [500]);
    assert_eq!(setup.client.device().status().subscriptions.len(), 1, "it is still on the disk");
    setup.disk.fill(false);
    assert_eq!(setup.statuses(unsub).await, [200]);
}

#[tokio::test]
async fn an_end_that_cannot_be_kept_is_kept_later() {
    let mut setup = setup().await;
    // The beginning is kept, and the disk is full then.
    setup.disk.fill_after(1);
    let commands = json!([setup.exec()]);
    assert_eq!(setup.statuses(commands).await, [202]);
    setup.client.report().await.unwrap();
    assert!(setup.client.sessions_due().is_empty(), "nothing is told that could be told again after a kill");
    setup.disk.fill(false);
    setup.client.report().await.unwrap();
    let due = setup.client.sessions_due();
    assert_eq!(due.len(), 1);
    setup.server.script([Answer::end()]);
    setup.client.run_session_at(&due[0].server, Trigger::Client, due[0].at.as_ref()).await.unwrap();
    let told = setup.server.only();
    assert_eq!((told.uri.path(), told.alert_types().len()), ("/results", 2));
    assert!(setup.client.next_session().is_none());
}

#[tokio::test]
async fn an_end_without_a_server_uri_goes_beyond_the_outbox() {
    let mut setup = setup().await;
    setup.hands.lock().unwrap().goes_on = true;
    let exec = json!([["EXEC", format!("{THING}//Run")]]);
    assert_eq!(setup.statuses(exec).await, [202]);
    let device = setup.client.device_mut();
    while device.raise_alert(&server_id(), Alert::new("urn:example:at:door")).is_ok() {}
    let before = device.alerts(&server_id()).len();
    let address = ClientUri::parse(&format!("{THING}/Thing/Run")).unwrap();
    let end = Finished { address, status: StatusCode(1_200), data: None };
    setup.hands.lock().unwrap().finished.extend([end.clone(), end]);
    setup.client.report().await.unwrap();
    let alerts = setup.client.device().alerts(&server_id());
    assert_eq!(alerts.len(), before + 1, "nobody waits for a second end");
    assert_eq!(alerts[before].data.as_ref().unwrap().data, json!({ "sc": 1200 }));
    let due = setup.client.sessions_due();
    assert_eq!((due.len(), due[0].at.is_none()), (1, true));
    assert!(setup.client.sessions_due().is_empty(), "given once");
}

#[tokio::test]
async fn values_that_change_by_themselves_are_found() {
    let mut setup = setup().await;
    let commands = json!([setup.sub()]);
    assert_eq!(setup.statuses(commands).await, [200]);
    setup.client.report().await.unwrap();
    assert!(setup.server.seen().is_empty());
    setup.hands.lock().unwrap().live = 7;
    setup.server.script([Answer::status(204)]);
    setup.client.report().await.unwrap();
    let report = setup.server.only();
    assert_eq!((report.method.as_str(), report.uri.path()), ("PUT", "/report"));
    assert_eq!(report.json()[0]["MOData"]["Thing"]["Live"], 7);
    // A report that was taken and could not be kept as such is sent again, and never lost.
    setup.hands.lock().unwrap().live = 8;
    setup.disk.fill_after(1);
    setup.server.script([Answer::status(200)]);
    setup.client.report().await.unwrap_err();
    setup.disk.fill(false);
    setup.server.script([Answer::status(200)]);
    setup.client.report().await.unwrap();
    assert_eq!(setup.server.seen().len(), 2);
}

#[tokio::test]
async fn an_alert_between_sessions_is_in_the_next_package1_once() {
    let mut setup = setup().await;
    setup.hands.lock().unwrap().raised.push(Alert::new("urn:example:at:door"));
    for expected in [1, 0] {
        setup.server.script([Answer::end()]);
        session(&mut setup.client).await;
        let types = setup.server.only().alert_types();
        assert_eq!(types.iter().filter(|of| *of == "urn:example:at:door").count(), expected, "{types:?}");
    }
}

/// Remembers every batch, and gives back those that were written before a kill.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Batch>>>);

impl Log {
    /// A disk after a kill: only the first so many batches are on it.
    fn killed_after(&self, batches: usize) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap()[..batches].to_vec())))
    }

    /// Keys of the key/value area that begin like this.
    fn keys(&self, prefix: &str) -> usize {
        let mut keys = BTreeSet::new();
        for (key, value) in self.0.lock().unwrap().iter().flat_map(|batch| &batch.entries) {
            match value {
                Some(_) => drop(keys.insert(key.clone())),
                None => drop(keys.remove(key)),
            }
        }
        keys.iter().filter(|key| key.starts_with(prefix)).count()
    }
}

impl Persistence for Log {
    fn load(&mut self, apply: &mut dyn FnMut(Batch) -> Result<(), PersistError>) -> Result<(), PersistError> {
        let batches = self.0.lock().unwrap().clone();
        batches.into_iter().try_for_each(apply)
    }
    fn append(&mut self, batch: &Batch) -> Result<(), PersistError> {
        self.0.lock().unwrap().push(batch.clone());
        Ok(())
    }
    fn wants_compaction(&self) -> bool {
        false
    }
    fn compact(&mut self, _: &mut dyn Iterator<Item = Batch>) -> Result<(), PersistError> {
        Ok(())
    }
}

#[tokio::test]
async fn killed_after_any_write_it_tells_what_is_left_to_tell() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let log = Log::default();
    let open = |log: &Log| {
        let mut config = config();
        config.reports.window = Duration::ZERO;
        config.reports.look_interval = Duration::ZERO;
        let device = Device::open(config, plugins(&Hands::default()), Box::new(log.clone())).unwrap();
        Client::new(device, transport(&authority, Duration::from_secs(30)), ClientConfig::default())
    };
    let mut client = open(&log);
    client.device_mut().install_bootstrap(&bootstrap("s1", &server.at("/dm"))).unwrap();
    let value = format!("{THING}//Value");
    server.script([
        Answer::commands(&json!([
            ["SUB", server.at("/report"), value],
            ["EXEC", format!("{THING}//Run"), server.at("/results")],
            ["HGET", server.at("/value"), value],
        ])),
        Answer::status(200).with("content-type", "text/plain").body("second"),
        Answer::end(),
        Answer::status(200),
        Answer::end(),
    ]);
    session(&mut client).await;
    client.report().await.unwrap();
    let due = client.sessions_due();
    client.run_session_at(&due[0].server, Trigger::Client, due[0].at.as_ref()).await.unwrap();
    assert_eq!(
        server.seen().len(),
        5,
        "the session with its download, the report, and the session for the end"
    );

    let (mut told, mut reported) = (BTreeSet::new(), BTreeSet::new());
    let written = log.0.lock().unwrap().len();
    for batches in 0..=written {
        let disk = log.killed_after(batches);
        let (open_ends, subscriptions) = (disk.keys("execution/"), disk.keys("subscription/"));
        let mut client = open(&disk);
        assert_eq!(client.device().status().subscriptions.len(), subscriptions);
        let changed = subscriptions == 1 && support::device::value(client.device()) == "second";
        server.script([Answer::status(200)]);
        client.report().await.unwrap();
        let sent = server.seen().len();
        let due = client.sessions_due();
        assert_eq!(due.len(), open_ends, "after {batches} of {written}");
        assert!(sent <= usize::from(changed), "a report without a change after {batches}");
        reported.insert((changed, sent));
        server.unscript();
        for session in due {
            server.script([Answer::end()]);
            client.run_session_at(&session.server, Trigger::Client, session.at.as_ref()).await.unwrap();
            let package = server.only().json();
            let alerts = package["Alert"].as_array().unwrap();
            told.insert(alerts.iter().find_map(|alert| alert["Data"]["sc"].as_u64()));
        }
    }
    assert!(told.contains(&Some(200)) && told.contains(&Some(500)), "ended, and broken off: {told:?}");
    assert!(
        reported.contains(&(true, 1)) && reported.contains(&(true, 0)),
        "before and after it was reported"
    );
}
