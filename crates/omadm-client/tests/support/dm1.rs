//! A DM 1.x server: the real engine, its state in memory.

use std::sync::{Arc, Mutex};

use omadm_auth::dm1::{HMAC_HEADER, Keys, NonceHistory, Scheme};
use omadm_client::Secret;
use omadm_client::dm1::{AccountSettings, SessionReport, Start};
use omadm_client::{Client, ClientConfig, Device, DeviceConfig, Volatile};
use omadm_mo::{Format, Time, Value};
use omadm_session::dm1::server::{
    self, Account, Capabilities, CommandResult, Config, Content, Existence, Fresh, Outcome, Pending,
    ReceivedAlert, Reply, RequestHead, State, Task,
};
use serde_json::json;

use super::device::{Hands, config as device_config, plugins, server_id, transport};
use super::server::{Answer, Seen, Server};
use super::tls::Authority;

pub const USER: &str = "device-1";
pub const PASSWORD: &str = "s3cret";
pub const SERVER_USER: &str = "s1";
pub const SERVER_PASSWORD: &str = "of the server";

/// What the server knows, and what it was told.
pub struct Desk {
    pub config: Config,
    pub account: Account,
    session: Option<State>,
    last: Option<Reply>,
    queue: Vec<Pending>,
    next: i64,
    pub results: Vec<CommandResult>,
    pub told: Vec<server::Node>,
    pub alerts: Vec<ReceivedAlert>,
    /// Numbers of messages after which the connection ends without the reply.
    pub lose: Vec<usize>,
    messages: usize,
    random: u8,
}

/// A handle on it.
#[derive(Clone)]
pub struct Dm1(pub Arc<Mutex<Desk>>);

impl Dm1 {
    /// Lets a server answer as the engine does.
    pub fn on(server: &Server) -> Self {
        let key = |octet: u8| Secret::new(vec![octet; 32]);
        let keys = |user: &str, password: &str| Keys::of(user, &Secret::new(password.as_bytes().to_vec()));
        let desk = Desk {
            config: Config::new(key(7)),
            account: Account {
                device_id: super::device::DEVICE_ID.to_owned(),
                user: USER.to_owned(),
                client_keys: Some(keys(USER, PASSWORD)),
                client_nonce: Vec::new(),
                used_nonces: NonceHistory::default(),
                client_scheme: None,
                server_user: SERVER_USER.to_owned(),
                server_keys: Some(keys(SERVER_USER, SERVER_PASSWORD)),
                server_nonce: Vec::new(),
                server_scheme: None,
                default_nonce: false,
                transport_authenticated: false,
                resp_uri: None,
                capabilities: Capabilities::default(),
            },
            session: None,
            last: None,
            queue: Vec::new(),
            next: 1,
            results: Vec::new(),
            told: Vec::new(),
            alerts: Vec::new(),
            lose: Vec::new(),
            messages: 0,
            random: 0,
        };
        let this = Self(Arc::new(Mutex::new(desk)));
        let thinking = this.clone();
        server.think(move |seen| thinking.0.lock().unwrap().answer(seen));
        this
    }

    /// Queues commands.
    pub fn queue(&self, tasks: impl IntoIterator<Item = Task>) {
        let mut desk = self.0.lock().unwrap();
        for task in tasks {
            let seq = desk.next;
            desk.next += 1;
            desk.queue.push(Pending { seq, task: Ok(task), attempts: 0, sent: false, accepted: false });
        }
    }

    /// Verdicts since the last call, in the order of the commands.
    pub fn results(&self) -> Vec<CommandResult> {
        let mut results = std::mem::take(&mut self.0.lock().unwrap().results);
        results.sort_by_key(|result| result.seq);
        results
    }

    /// The verdicts alone.
    pub fn verdicts(&self) -> Vec<server::Verdict> {
        self.results().into_iter().map(|result| result.verdict).collect()
    }

    /// Alerts since the last call.
    pub fn alerts(&self) -> Vec<ReceivedAlert> {
        std::mem::take(&mut self.0.lock().unwrap().alerts)
    }

    pub fn set<R>(&self, change: impl FnOnce(&mut Desk) -> R) -> R {
        change(&mut self.0.lock().unwrap())
    }
}

impl Desk {
    /// Forgets the session under way.
    pub fn forget(&mut self) {
        (self.session, self.last) = (None, None);
    }

    /// Takes back all commands.
    pub fn empty(&mut self) {
        self.queue.clear();
    }

    /// The answer to a message.
    pub fn answer(&mut self, seen: &Seen) -> Answer {
        self.messages += 1;
        let answer = self.think(seen);
        if self.lose.contains(&self.messages) { Answer::HangUp } else { answer }
    }

    fn think(&mut self, seen: &Seen) -> Answer {
        let head = RequestHead {
            method: seen.method.as_str(),
            content_type: seen.header("content-type"),
            accept: seen.header("accept"),
            content_encoding: seen.header("content-encoding"),
            hmac: seen.header(HMAC_HEADER),
            user_agent: seen.header("user-agent"),
        };
        let incoming = match server::admit(&self.config, &head)
            .and_then(|_| server::decode(&self.config, &head, &seen.body))
        {
            Ok(incoming) => incoming,
            Err(refusal) => return Answer::status(refusal.http_status).body(refusal.reason),
        };
        let now = Time::from_secs(1_000);
        if let (Some(session), Some(last)) = (&self.session, &self.last)
            && server::repeats(&self.config, session, &incoming, now)
        {
            return send(last);
        }
        self.random = self.random.wrapping_add(1);
        let fresh = Fresh { now, nonce: [self.random; 16] };
        let account = Some(&self.account).filter(|account| {
            let sender = incoming.sender();
            sender.user.as_deref() == Some(account.user.as_str()) || sender.device == account.device_id
        });
        match server::step(&self.config, self.session.as_ref(), account, &incoming, &self.queue, &fresh) {
            Outcome::TurnedAway(away) => send(&away.reply),
            Outcome::Taken(step) => {
                let server::Step { reply, sends, state, results, told, alerts, kept, .. } = *step;
                for result in &results {
                    self.settle(result);
                }
                for pending in self.queue.iter_mut().filter(|pending| sends.contains(&pending.seq)) {
                    pending.sent = true;
                    pending.attempts += 1;
                }
                self.results.extend(results);
                self.told.extend(told);
                self.alerts.extend(alerts);
                if let Some(kept) = kept {
                    self.account.client_nonce = kept.client_nonce;
                    self.account.used_nonces = kept.used_nonces;
                    self.account.server_nonce = kept.server_nonce;
                    self.account.server_scheme = kept.server_scheme;
                }
                self.session = Some(state);
                let answer = send(&reply);
                self.last = Some(reply);
                answer
            }
        }
    }

    fn settle(&mut self, result: &CommandResult) {
        match result.verdict {
            server::Verdict::Accepted => {
                for pending in self.queue.iter_mut().filter(|pending| pending.seq == result.seq) {
                    pending.accepted = true;
                }
            }
            server::Verdict::Again(_) => {
                for pending in self.queue.iter_mut().filter(|pending| pending.seq == result.seq) {
                    pending.sent = false;
                }
            }
            _ => self.queue.retain(|pending| pending.seq != result.seq),
        }
    }
}

fn send(reply: &Reply) -> Answer {
    let answer = Answer::status(200).with("content-type", reply.content_type).body(reply.body.clone());
    match &reply.hmac {
        Some(hmac) => answer.with(HMAC_HEADER, hmac),
        None => answer,
    }
}

/// An account of the server at an address; `more` lays further members over it.
pub fn account(address: &str, more: serde_json::Value) -> AccountSettings {
    let mut settings = json!({
        "server_id": "s1",
        "name": "Test",
        "addresses": [address],
        "client": { "type": "SHA256", "user": USER, "password": PASSWORD },
    });
    let (Some(settings), serde_json::Value::Object(more)) = (settings.as_object_mut(), more) else {
        panic!()
    };
    settings.extend(more);
    serde_json::from_value(serde_json::Value::Object(settings.clone())).unwrap()
}

pub fn open(persistence: impl omadm_client::Persistence + 'static, hands: &Hands) -> Device {
    let mut plugins = plugins(hands);
    let data = |ddf: &str, link: &str| Box::new(omadm_client::DataMo::new(ddf, link)) as _;
    plugins.push(data(include_str!("../../../../ddf/dm_dmacc-v1_3.ddf"), "dm_dmacc-v1_3.ddf"));
    plugins.push(data(include_str!("../../../../ddf/dm_inbox-v1_0.ddf"), "dm_inbox-v1_0.ddf"));
    Device::open(DeviceConfig { ..device_config() }, plugins, Box::new(persistence)).unwrap()
}

/// A device with this account, and the hands of its object.
pub fn client(authority: &Authority, settings: &AccountSettings) -> (Client, Hands) {
    let hands = Hands::default();
    let mut device = open(Volatile::new(), &hands);
    device.install_dm1_account(settings).unwrap();
    (with(authority, device), hands)
}

/// A device on the network that uses any scheme.
pub fn with(authority: &Authority, device: Device) -> Client {
    let mut config = ClientConfig::default();
    config.dm1.schemes = Scheme::ALL.to_vec();
    config.dm1.longest_pause = std::time::Duration::ZERO;
    Client::new(device, transport(authority, std::time::Duration::from_secs(30)), config)
}

pub async fn session(client: &mut Client) -> SessionReport {
    client.run_dm1_session(&server_id(), Start::Client).await.unwrap()
}

pub fn set(uri: &str, value: &str) -> Task {
    let content = Content { format: Format::Chr, media_type: None, value: Value::Text(value.to_owned()) };
    Task::Set { uri: uri.to_owned(), content, existence: Existence::Present }
}

pub fn get(uri: &str) -> Task {
    Task::Get { uris: vec![uri.to_owned()] }
}

pub fn exec(uri: &str, correlator: &str) -> Task {
    Task::Exec { uri: uri.to_owned(), content: None, correlator: Some(correlator.to_owned()) }
}
