//! The link, and both ends.

use std::collections::BTreeMap;

use omadm_auth::dm1::{Keys, Scheme};
use omadm_codec::dm1::Version;
use omadm_mo::{NodePath, NodeRecord, Quota, Tree};
use omadm_session::dm1::client::{
    Account, AlertId, Config, DeviceAlert, Effect, EffectResult, HttpReply, Input, Outcome, Output, Post,
    Session, Start, Trigger, UserAnswer,
};
use omadm_session::dm1::server::{self, RequestHead, Task, Verdict};
use proptest::prelude::*;

use crate::host::Host;
use crate::support::{self, NOW, credentials};

/// What may go wrong with a message, or with the device around an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    RequestLost,
    ReplyLost,
    RequestCut,
    ReplyCut,
    Repeated,
    DeviceDiesBefore,
    DeviceDiesAfter,
}

impl Fault {
    pub const ALL: [Self; 7] = [
        Self::RequestLost,
        Self::ReplyLost,
        Self::RequestCut,
        Self::ReplyCut,
        Self::Repeated,
        Self::DeviceDiesBefore,
        Self::DeviceDiesAfter,
    ];
}

pub fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![2 => Just(Fault::None), 3 => prop::sample::select(Fault::ALL.to_vec())]
}

/// How the two talk.
#[derive(Clone, Debug)]
pub struct Manner {
    pub wbxml: bool,
    pub version: Version,
    /// How the device proves itself; by TLS if it does not.
    pub client: Option<Scheme>,
    /// How the server does.
    pub server: Option<Scheme>,
    /// Largest message that the device takes.
    pub device_max: u32,
    /// Largest message that the server takes.
    pub server_max: u32,
    /// Largest message that the server sends.
    pub max_reply: u32,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            wbxml: false,
            version: Version::Dm12,
            client: None,
            server: None,
            device_max: 64 << 10,
            server_max: 1 << 20,
            max_reply: 512 << 10,
        }
    }
}

pub fn manner() -> impl Strategy<Value = Manner> {
    let scheme =
        || prop::option::of(prop::sample::select(vec![Scheme::Md5, Scheme::Sha256, Scheme::MacSha256]));
    let size = || prop::sample::select(vec![2_500, 8_000, 64 << 10]);
    let version = prop::sample::select(vec![Version::Dm12, Version::Dm13]);
    (any::<bool>(), version, scheme(), scheme(), size(), size()).prop_map(
        |(wbxml, version, client, server, device_max, server_max)| Manner {
            wbxml,
            version,
            client,
            server,
            device_max,
            server_max,
            ..Manner::default()
        },
    )
}

/// What survives of a device.
pub struct Disk {
    nodes: BTreeMap<NodePath, NodeRecord>,
    pub outbox: Vec<DeviceAlert>,
    pub executed: Vec<Option<String>>,
    pub asked: usize,
    client_nonce: Vec<u8>,
    server_nonce: Vec<u8>,
}

impl Disk {
    fn new(alerts: Vec<DeviceAlert>) -> Self {
        let nodes = support::tree().records().collect();
        Self {
            nodes,
            outbox: alerts,
            executed: Vec::new(),
            asked: 0,
            client_nonce: Vec::new(),
            server_nonce: Vec::new(),
        }
    }

    pub fn boot(&self) -> Tree {
        let mut tree = Tree::new(support::catalogue(), Quota::default());
        for (path, record) in &self.nodes {
            tree.restore(path, Some(record.clone())).unwrap();
        }
        tree
    }

    fn carry_out(&mut self, effect: Effect) -> EffectResult {
        match effect {
            Effect::Refresh(_) => {}
            Effect::Commit { records, .. } => {
                for (path, record) in records {
                    match record {
                        Some(record) => drop(self.nodes.insert(path, record)),
                        None => self.nodes.retain(|at, _| !at.starts_with(&path)),
                    }
                }
            }
            Effect::Execute(execution) => {
                self.executed.push(execution.correlator.clone());
                if let Some(correlator) = execution.correlator {
                    // It is done later, and told in the next session.
                    let id = 100 + self.executed.len() as AlertId;
                    let mut told = support::alert(id, "urn:x-test:at:done:1.0", "200");
                    told.source = Some(execution.uri);
                    told.correlator = Some(correlator);
                    self.outbox.push(told);
                    return EffectResult::Accepted;
                }
            }
            Effect::Ask(_) => {
                self.asked += 1;
                return EffectResult::Answered(UserAnswer::Accepted);
            }
            Effect::KeepNonces { client, server } => {
                self.client_nonce = client.unwrap_or_else(|| std::mem::take(&mut self.client_nonce));
                self.server_nonce = server.unwrap_or_else(|| std::mem::take(&mut self.server_nonce));
            }
            Effect::AlertDelivered { id, status } => {
                assert_eq!(status, 200);
                self.outbox.retain(|alert| alert.id != id);
            }
        }
        EffectResult::Done
    }
}

/// Both ends.
pub struct Scene {
    pub host: Host,
    pub disk: Disk,
    pub alerts: Vec<String>,
    faults: Vec<Fault>,
    manner: Manner,
    sessions: u16,
    draws: u8,
    /// Messages of the device.
    pub messages: usize,
    pub outcomes: Vec<Outcome>,
}

/// What a device sees of a request.
enum Answer {
    Reply(HttpReply),
    Nothing,
    /// It is dead.
    Crash,
}

impl Scene {
    pub fn new(tasks: Vec<Task>, alerts: Vec<DeviceAlert>, faults: Vec<Fault>, manner: Manner) -> Self {
        let mut host = Host::new(tasks);
        let account = host.account.as_mut().unwrap();
        account.device_id = support::DEVICE.into();
        account.transport_authenticated = manner.client.is_none();
        account.client_scheme = manner.client;
        account.server_scheme = manner.server;
        account.server_user = "srv".into();
        let password = omadm_auth::Secret::new(b"other".to_vec());
        account.server_keys = manner.server.map(|_| Keys::of("srv", &password));
        host.config.max_message = manner.server_max;
        host.config.max_reply = manner.max_reply;
        let disk = Disk::new(alerts);
        Self {
            host,
            disk,
            alerts: Vec::new(),
            faults,
            manner,
            sessions: 0,
            draws: 0,
            messages: 0,
            outcomes: Vec::new(),
        }
    }

    fn fault(&mut self) -> Fault {
        self.faults.pop().unwrap_or(Fault::None)
    }

    fn serve(&mut self, post: &Post, body: &[u8]) -> HttpReply {
        self.messages += 1;
        let head = RequestHead {
            method: "POST",
            content_type: Some(post.content_type),
            accept: Some(post.accept),
            hmac: post.hmac.as_deref(),
            ..RequestHead::default()
        };
        assert!(body.len() <= self.host.config.max_message as usize, "{} octets", body.len());
        let outcome = match self.host.serve(&head, body) {
            Ok(outcome) => outcome,
            Err(refusal) => return HttpReply { status: refusal.http_status, ..HttpReply::default() },
        };
        let reply = match outcome {
            server::Outcome::Taken(step) => {
                for alert in &step.alerts {
                    self.alerts.extend(alert.items.iter().filter_map(|item| item.alert_type.clone()));
                }
                step.reply
            }
            server::Outcome::TurnedAway(away) => away.reply,
        };
        let most = self.manner.device_max.min(self.manner.max_reply) as usize;
        assert!(reply.body.len() <= most, "{} octets where {most} are taken", reply.body.len());
        HttpReply {
            status: 200,
            content_type: Some(reply.content_type.into()),
            hmac: reply.hmac,
            body: reply.body.into(),
        }
    }

    fn exchange(&mut self, post: &Post) -> Answer {
        match self.fault() {
            Fault::None => Answer::Reply(self.serve(post, &post.body)),
            Fault::RequestLost => Answer::Nothing,
            Fault::DeviceDiesBefore => Answer::Crash,
            Fault::ReplyLost => {
                self.serve(post, &post.body);
                Answer::Nothing
            }
            Fault::DeviceDiesAfter => {
                self.serve(post, &post.body);
                Answer::Crash
            }
            Fault::RequestCut => {
                let half = &post.body[..post.body.len() / 2];
                let reply = self.serve(post, half);
                assert_eq!(reply.status, 400);
                Answer::Reply(reply)
            }
            Fault::ReplyCut => {
                let mut reply = self.serve(post, &post.body);
                reply.body = reply.body[..reply.body.len() / 2].to_vec().into();
                Answer::Reply(reply)
            }
            Fault::Repeated => {
                let first = self.serve(post, &post.body);
                let second = self.serve(post, &post.body);
                assert_eq!(first, second, "a repeated message gets the same reply");
                Answer::Reply(second)
            }
        }
    }

    fn start(&mut self, tree: &Tree) -> Session {
        self.sessions += 1;
        let manner = &self.manner;
        let client = manner.client.map(|scheme| {
            let mut client = credentials("dev-1", "s3cret", scheme);
            client.nonce.clone_from(&self.disk.client_nonce);
            client
        });
        let server_credentials = manner.server.map(|scheme| {
            let mut server = credentials("srv", "other", scheme);
            server.nonce.clone_from(&self.disk.server_nonce);
            server
        });
        let account = Account {
            client,
            server_credentials,
            server_must_prove: manner.server.is_some(),
            preferred: manner.client,
            ..support::account()
        };
        let config =
            Config { wbxml: manner.wbxml, max_message: manner.device_max, strict: true, ..support::config() };
        let start = Start {
            account,
            trigger: Trigger::Client { session_id: self.sessions },
            versions: vec![manner.version],
            alerts: self.disk.outbox.clone(),
            requested: Vec::new(),
        };
        let fresh = self.fresh();
        Session::start(config, start, tree, fresh)
    }

    fn fresh(&mut self) -> omadm_session::dm1::client::Fresh {
        self.draws = self.draws.wrapping_add(1);
        let mut nonce = [self.draws; 16];
        nonce[0] = self.sessions.to_be_bytes()[1];
        omadm_session::dm1::client::Fresh { now: NOW, nonce }
    }

    /// One life of the device: from power on to the end of a session or a crash.
    pub fn session(&mut self) {
        let mut tree = self.disk.boot();
        let mut session = self.start(&tree);
        // A day later: nothing of the session before counts as repeated.
        self.host.now += 86_400_000_000;
        while let Some(output) = session.poll_output() {
            let input = match output {
                Output::Note(_) => continue,
                Output::Finished(outcome) => {
                    self.outcomes.push(outcome);
                    continue;
                }
                Output::Post(post) => match self.exchange(&post) {
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
            let fresh = self.fresh();
            session.handle(&mut tree, fresh, input);
        }
    }

    fn is_finished(&self) -> bool {
        self.host.queue.is_empty() && self.faults.is_empty() && self.disk.outbox.is_empty()
    }

    pub fn run(mut self) -> Self {
        for _ in 0..200 {
            self.session();
            if self.is_finished() {
                return self;
            }
        }
        panic!("commands are left that nobody finishes: {:?} {:?}", self.host.queue, self.outcomes.last());
    }

    pub fn verdict(&self, seq: i64) -> &Verdict {
        self.host.verdict(seq)
    }
}
