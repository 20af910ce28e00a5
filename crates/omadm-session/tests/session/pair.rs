//! Both engines against each other over a link that loses, repeats, delays and truncates messages, while either side may
//! crash at every step and comes back with what it had made durable.

use std::collections::BTreeMap;

use crate::common::*;
use omadm_codec::dm2::{Alert, Command};
use omadm_codec::media_type::{REQUEST_JSON, RESPONSE_JSON};
use omadm_mo::{ClientUri, NodePath, NodeRecord, Quota, ServerUri, Tree, Value};
use omadm_session::dm2::client::{Effect, EffectResult, HttpReply, Input, Output, Session};
use omadm_session::dm2::server::{self, Incoming, Pending, RequestHead, State, Verdict};
use proptest::prelude::*;

/// What may go wrong with a message, or with the device around an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    RequestLost,
    ReplyLost,
    RequestCut,
    ReplyCut,
    Repeated,
    /// A copy of the request arrives again, after the next one was begun.
    Late,
    DeviceDiesBefore,
    DeviceDiesAfter,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::RequestLost),
        1 => Just(Fault::ReplyLost),
        1 => Just(Fault::RequestCut),
        1 => Just(Fault::ReplyCut),
        1 => Just(Fault::Repeated),
        1 => Just(Fault::Late),
        1 => Just(Fault::DeviceDiesBefore),
        1 => Just(Fault::DeviceDiesAfter),
    ]
}

/// What the operator asks for.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Set,
    Read,
    Remove,
    Execute,
    Impossible,
    Unreadable,
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        4 => Just(Wish::Set),
        3 => Just(Wish::Read),
        1 => Just(Wish::Remove),
        1 => Just(Wish::Execute),
        1 => Just(Wish::Impossible),
        1 => Just(Wish::Unreadable),
    ]
}

/// The repository has the value `seq` under this URI.
fn payload(seq: i64) -> String {
    format!("https://data.example/{seq}")
}

fn command(wish: Wish, seq: i64) -> Result<Command, String> {
    let node = |path: &str| ClientUri::parse(&format!("{BOX}/one/{path}")).unwrap();
    Ok(match wish {
        Wish::Set => {
            Command::HGet { server: ServerUri::parse(&payload(seq)).unwrap(), client: Some(node("Setting")) }
        }
        Wish::Read => Command::Get(node("Setting")),
        Wish::Remove => Command::Delete(node("Items/1")),
        Wish::Execute => Command::Exec { client: node("Run"), server: None },
        Wish::Impossible => Command::Delete(node("Fixed")),
        Wish::Unreadable => return Err("written by a newer version".into()),
    })
}

/// A queued command with what became of it.
struct Row {
    pending: Pending,
    wish: Wish,
    verdict: Option<Verdict>,
}

/// The server: all of it is durable, for one step is one transaction.
struct Server {
    config: server::Config,
    rows: Vec<Row>,
    waiting: Vec<Wish>,
    state: Option<State>,
    /// The Package#3 answered last, with its reply.
    last: Option<(Vec<u8>, Vec<u8>)>,
    alerts: Vec<String>,
}

impl Server {
    fn new(wishes: Vec<Wish>) -> Self {
        let config = server::Config { max_commands: 3, max_attempts: 3, ..server::Config::default() };
        let mut server =
            Self { config, rows: Vec::new(), waiting: wishes, state: None, last: None, alerts: Vec::new() };
        let at_once = server.waiting.len() / 2;
        (0..at_once).for_each(|_| server.enqueue());
        server
    }

    fn enqueue(&mut self) {
        if let Some(wish) = self.waiting.pop() {
            let seq = i64::try_from(self.rows.len()).unwrap() + 1;
            let pending =
                Pending { seq, command: command(wish, seq), attempts: 0, sent: false, accepted: false };
            self.rows.push(Row { pending, wish, verdict: None });
        }
    }

    fn is_finished(&self) -> bool {
        self.waiting.is_empty() && self.rows.iter().all(|row| row.verdict.is_some())
    }

    fn handle(&mut self, content_type: &str, body: &[u8]) -> HttpReply {
        self.enqueue();
        let refused = |status| HttpReply { status, ..HttpReply::default() };
        let head = RequestHead {
            method: "POST",
            device_ids: &[DEVICE],
            content_type: Some(content_type),
            accept: Some(REQUEST_JSON),
        };
        let kind = match server::admit(&head) {
            Ok((_, kind)) => kind,
            Err(refusal) => return refused(refusal.http_status),
        };
        if let Some((_, reply)) = self.last.as_ref().filter(|(last, _)| last == body) {
            return package2(std::str::from_utf8(reply).unwrap());
        }
        let incoming = match server::decode(&self.config, &kind, body) {
            Ok((incoming, _)) => incoming,
            Err(refusal) => return refused(refusal.http_status),
        };
        let is_response = matches!(incoming, Incoming::Response { .. });
        let queue: Vec<_> =
            self.rows.iter().filter(|row| row.verdict.is_none()).map(|row| row.pending.clone()).collect();
        let step = match server::step(&self.config, self.state.as_ref(), incoming, &queue) {
            Ok(step) => step,
            Err(refusal) => return refused(refusal.http_status),
        };
        self.apply(&step);
        self.last = is_response.then(|| (body.to_vec(), step.reply.clone()));
        package2(std::str::from_utf8(&step.reply).unwrap())
    }

    fn apply(&mut self, step: &server::Step) {
        for result in &step.results {
            let row = self.rows.iter_mut().find(|row| row.pending.seq == result.seq).unwrap();
            assert_eq!(row.verdict, None, "command {} is recorded twice", result.seq);
            match &result.verdict {
                Verdict::Again(_) => row.pending.sent = false,
                verdict => row.verdict = Some(verdict.clone()),
            }
            if matches!((row.wish, &result.verdict), (Wish::Read, Verdict::Done(200))) {
                assert!(result.data.is_some());
            }
        }
        for seq in &step.sends {
            let pending = &mut self.rows.iter_mut().find(|row| row.pending.seq == *seq).unwrap().pending;
            pending.sent = true;
            pending.attempts += 1;
        }
        self.state = Some(step.state.clone());
        self.alerts.extend(step.alerts.iter().map(|alert| alert.alert_type.clone()));
    }
}

/// What survives of a device.
struct Disk {
    nodes: BTreeMap<NodePath, NodeRecord>,
    outbox: Vec<Alert>,
    /// Sequence numbers of sets, in the order in which they were begun.
    fetched: Vec<i64>,
    executed: usize,
}

impl Disk {
    fn new() -> Self {
        let outbox = (1..=3).map(|number| Alert::new(&format!("urn:x:{number}"))).collect();
        Self { nodes: snapshot(&tree()).into_iter().collect(), outbox, fetched: Vec::new(), executed: 0 }
    }

    fn boot(&self) -> Tree {
        let mut tree = Tree::new(catalogue(), Quota::default());
        for (path, record) in &self.nodes {
            tree.restore(path, Some(record.clone())).unwrap();
        }
        tree
    }

    fn carry_out(&mut self, effect: Effect) -> EffectResult {
        match effect {
            Effect::Refresh(_) => {}
            Effect::Fetch { uri, .. } => {
                let value = uri.rsplit('/').next().unwrap();
                self.fetched.push(value.parse().unwrap());
                return EffectResult::Http(HttpReply {
                    status: 200,
                    content_type: Some("text/plain".into()),
                    omadm_accept: None,
                    body: value.as_bytes().to_vec().into(),
                });
            }
            Effect::Upload { .. } => return EffectResult::NoReply { reason: "not used".into() },
            Effect::Commit { records, .. } => {
                for (path, record) in records {
                    match record {
                        Some(record) => drop(self.nodes.insert(path, record)),
                        None => self.nodes.retain(|at, _| !at.starts_with(&path)),
                    }
                }
            }
            Effect::Execute { .. } => self.executed += 1,
            Effect::Show { .. }
            | Effect::KeepDefault { .. }
            | Effect::Subscribe { .. }
            | Effect::Unsubscribe { .. } => return EffectResult::NoReply { reason: "not used".into() },
        }
        EffectResult::Done
    }
}

/// The link, the clock of faults, and both ends.
struct Scene {
    server: Server,
    disk: Disk,
    faults: Vec<Fault>,
    late: Option<(String, Vec<u8>)>,
}

/// What a device sees of a request.
enum Answer {
    Reply(HttpReply),
    Nothing,
    /// It is dead.
    Crash,
}

impl Scene {
    fn fault(&mut self) -> Fault {
        self.faults.pop().unwrap_or(Fault::None)
    }

    fn exchange(&mut self, content_type: &str, body: &[u8]) -> Answer {
        if let Some((content_type, body)) = self.late.take() {
            self.server.handle(&content_type, &body);
        }
        match self.fault() {
            Fault::None => Answer::Reply(self.server.handle(content_type, body)),
            Fault::RequestLost => Answer::Nothing,
            Fault::DeviceDiesBefore => Answer::Crash,
            Fault::ReplyLost => {
                self.server.handle(content_type, body);
                Answer::Nothing
            }
            Fault::DeviceDiesAfter => {
                self.server.handle(content_type, body);
                Answer::Crash
            }
            Fault::RequestCut => {
                let half = body.get(..body.len() / 2).unwrap();
                let reply = self.server.handle(content_type, half);
                assert_eq!(reply.status, 400);
                Answer::Reply(reply)
            }
            Fault::ReplyCut => {
                let mut reply = self.server.handle(content_type, body);
                reply.body = reply.body[..reply.body.len() / 2].to_vec().into();
                Answer::Reply(reply)
            }
            Fault::Repeated => {
                let first = self.server.handle(content_type, body);
                let second = self.server.handle(content_type, body);
                if content_type.starts_with(RESPONSE_JSON) || content_type.starts_with("multipart") {
                    assert_eq!(first, second, "a repeated message gets the same reply");
                }
                Answer::Reply(second)
            }
            Fault::Late => {
                self.late = Some((content_type.to_owned(), body.to_vec()));
                Answer::Reply(self.server.handle(content_type, body))
            }
        }
    }

    /// One life of the device: from power on to the end of a session or a crash.
    fn session(&mut self) {
        let mut tree = self.disk.boot();
        let mut with_alerts = start("DMS1");
        with_alerts.alerts = self.disk.outbox.clone();
        let mut session = Session::start(config(), with_alerts, &tree);
        while let Some(output) = session.poll_output() {
            let input = match output {
                Output::Note(_) => continue,
                Output::Finished(_) => {
                    self.disk.outbox = session.undelivered_alerts().cloned().collect();
                    continue;
                }
                Output::Post { content_type, body, .. } => match self.exchange(&content_type, &body) {
                    Answer::Reply(reply) => Input::Reply(reply),
                    Answer::Nothing => Input::NoReply { reason: "lost".into() },
                    Answer::Crash => return,
                },
                Output::Effect { id, effect } => {
                    let fault = self.fault();
                    if fault == Fault::DeviceDiesBefore {
                        return;
                    }
                    let result = self.disk.carry_out(effect);
                    if fault == Fault::DeviceDiesAfter {
                        return;
                    }
                    Input::EffectDone { id, result }
                }
            };
            session.handle(&mut tree, NOW, input);
            self.disk.outbox = session.undelivered_alerts().cloned().collect();
        }
    }

    fn run(wishes: Vec<Wish>, faults: Vec<Fault>) -> Self {
        let mut scene = Self { server: Server::new(wishes), disk: Disk::new(), faults, late: None };
        for _ in 0..200 {
            scene.session();
            if scene.server.is_finished() && scene.faults.is_empty() && scene.disk.outbox.is_empty() {
                return scene;
            }
        }
        panic!("commands are left that nobody finishes");
    }

    fn check(&self) {
        let tree = self.disk.boot();
        let verdict = |row: &Row| row.verdict.clone().unwrap();
        let mut allowed = vec!["first".to_owned()];
        let mut last_begun = None;
        for row in &self.server.rows {
            let seq = row.pending.seq;
            match (row.wish, verdict(row)) {
                (Wish::Set, Verdict::Done(200)) => {
                    let begun = self.disk.fetched.iter().rposition(|fetched| *fetched == seq);
                    assert!(begun.is_some(), "{seq} is done but never ran");
                    assert!(begun > last_begun, "{seq} ran before an earlier command ran for the last time");
                    last_begun = begun;
                    allowed = vec![seq.to_string()];
                }
                (Wish::Set, Verdict::Quarantined(_)) => allowed.push(seq.to_string()),
                (Wish::Read, Verdict::Done(200) | Verdict::Quarantined(_))
                | (Wish::Execute, Verdict::Quarantined(_))
                | (Wish::Remove, Verdict::Quarantined(_))
                | (Wish::Impossible, Verdict::Failed(405) | Verdict::Quarantined(_))
                | (Wish::Unreadable, Verdict::Quarantined(_)) => {}
                // A repetition finds the node gone.
                (Wish::Remove, Verdict::Done(200) | Verdict::Failed(404)) => {
                    assert!(!exists(&tree, &format!("{BOX}/one/Items/1")));
                }
                (Wish::Execute, Verdict::Done(200)) => assert!(self.disk.executed > 0),
                (wish, verdict) => panic!("{seq} {wish:?} came out as {verdict:?}"),
            }
        }
        let Some(Value::Text(value)) = &value(&tree, &format!("{BOX}/one/Setting")) else {
            panic!("no text")
        };
        assert!(allowed.contains(value), "{value} is none of {allowed:?}");
        for number in 1..=3 {
            assert!(self.server.alerts.contains(&format!("urn:x:{number}")), "alert {number} got lost");
        }
    }
}

#[test]
fn without_faults_everything_is_done_once() {
    let wishes =
        vec![Wish::Set, Wish::Read, Wish::Execute, Wish::Remove, Wish::Impossible, Wish::Set, Wish::Set];
    let scene = Scene::run(wishes, Vec::new());
    scene.check();
    assert_eq!(scene.disk.executed, 1);
    assert_eq!(scene.disk.fetched.len(), 3);
    assert!(scene.server.rows.iter().all(|row| !matches!(row.verdict, Some(Verdict::Quarantined(_)))));
    assert_eq!(scene.server.alerts.iter().filter(|alert| alert.starts_with("urn:x:")).count(), 3);
}

/// Every fault at every step, one at a time.
#[test]
fn one_fault_anywhere_costs_nothing() {
    const FAULTS: [Fault; 8] = [
        Fault::RequestLost,
        Fault::ReplyLost,
        Fault::RequestCut,
        Fault::ReplyCut,
        Fault::Repeated,
        Fault::Late,
        Fault::DeviceDiesBefore,
        Fault::DeviceDiesAfter,
    ];
    for step in 0..24 {
        for fault in FAULTS {
            let mut faults = vec![fault];
            faults.extend(vec![Fault::None; step]);
            let scene = Scene::run(vec![Wish::Set, Wish::Remove, Wish::Set, Wish::Read, Wish::Set], faults);
            scene.check();
            let quarantined =
                scene.server.rows.iter().filter(|row| matches!(row.verdict, Some(Verdict::Quarantined(_))));
            assert_eq!(quarantined.count(), 0, "{fault:?} at step {step}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_happens_every_command_comes_to_one_end(
        wishes in prop::collection::vec(wish(), 1..12),
        faults in prop::collection::vec(fault(), 0..60),
    ) {
        Scene::run(wishes, faults).check();
    }
}
