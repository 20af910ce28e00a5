//! A device that says what a test tells it to, and a host that keeps what the engine says.

use std::collections::BTreeMap;

use omadm_auth::Secret;
use omadm_auth::dm1::{HMAC_HEADER, Hash, HmacHeader, Keys, NonceHistory, Scheme};
use omadm_codec::dm1::{
    Alert, Command, Container, Credentials, Data, Encoding, Form, Header, Item, Location, Message, Meta,
    Operation, OperationKind, Results, Status, Version, decode, encode,
};
use omadm_codec::media_type::{SYNCML_DM_WBXML, SYNCML_DM_XML};
use omadm_codec::{Leniency, Limits};
use omadm_mo::{Format, Time, Value};
use omadm_session::dm1::server::{
    self, Account, Capabilities, CommandResult, Config, Content, Existence, Fresh, Outcome, Pending, Refusal,
    Reply, Report, RequestHead, State, Step, Task, TurnedAway, Verdict,
};

pub const DEVICE: &str = "urn:uuid:device-1";
pub const SERVER: &str = "https://dm.example/dm";

pub fn config() -> Config {
    let mut config = Config::new(Secret::new(vec![9; 32]));
    config.schemes = vec![Scheme::MacSha256, Scheme::Sha256, Scheme::MacMd5, Scheme::Md5, Scheme::Basic];
    config
}

pub fn keys(user: &str, password: &str) -> Keys {
    Keys::of(user, &Secret::new(password.as_bytes().to_vec()))
}

pub fn account() -> Account {
    Account {
        device_id: DEVICE.into(),
        user: "dev-1".into(),
        client_keys: Some(keys("dev-1", "s3cret")),
        client_nonce: Vec::new(),
        used_nonces: NonceHistory::default(),
        client_scheme: None,
        server_user: "srv".into(),
        server_keys: None,
        server_nonce: Vec::new(),
        server_scheme: None,
        default_nonce: false,
        transport_authenticated: true,
        resp_uri: None,
        capabilities: Capabilities::default(),
    }
}

/// A host: what it stored, and its queue.
pub struct Host {
    pub config: Config,
    pub account: Option<Account>,
    pub state: Option<State>,
    pub reply: Option<Reply>,
    pub queue: Vec<Pending>,
    pub results: Vec<CommandResult>,
    pub now: i64,
    random: u8,
}

impl Host {
    pub fn new(tasks: Vec<Task>) -> Self {
        let queue = tasks.into_iter().zip(1..).map(|(task, seq)| pending(seq, task)).collect();
        Self {
            config: config(),
            account: Some(account()),
            state: None,
            reply: None,
            queue,
            results: Vec::new(),
            now: 1_000_000,
            random: 0,
        }
    }

    /// Takes a request and stores what comes of it, as a host has to.
    pub fn serve(&mut self, head: &RequestHead<'_>, body: &[u8]) -> Result<Outcome, Refusal> {
        let incoming = server::decode(&self.config, head, body)?;
        if let Some(state) = &self.state
            && server::repeats(&self.config, state, &incoming, Time(self.now))
        {
            let reply = self.reply.clone().unwrap();
            let reason = "repeated".to_owned();
            return Ok(Outcome::TurnedAway(TurnedAway { reply, reason, bad_credentials: false }));
        }
        self.random = self.random.wrapping_add(1);
        self.now += 1;
        let fresh = Fresh { now: Time(self.now), nonce: [self.random; 16] };
        let before = self.state.as_ref();
        let outcome =
            server::step(&self.config, before, self.account.as_ref(), &incoming, &self.queue, &fresh);
        if let Outcome::Taken(step) = &outcome {
            self.store(step);
        }
        Ok(outcome)
    }

    fn store(&mut self, step: &Step) {
        // What is stored has to survive being written down.
        self.state = State::read(&step.state.write());
        assert_eq!(self.state.as_ref(), Some(&step.state));
        self.reply = Some(step.reply.clone());
        if let (Some(account), Some(kept)) = (&mut self.account, &step.kept) {
            account.client_nonce.clone_from(&kept.client_nonce);
            account.used_nonces.clone_from(&kept.used_nonces);
            account.server_nonce.clone_from(&kept.server_nonce);
            account.server_scheme = kept.server_scheme;
        }
        if let (Some(account), Some(capabilities)) = (&mut self.account, step.capabilities) {
            account.capabilities = capabilities;
        }
        for result in &step.results {
            let place = self.queue.iter().position(|pending| pending.seq == result.seq);
            let place = place.unwrap_or_else(|| panic!("{} has its verdict twice", result.seq));
            match &result.verdict {
                Verdict::Again(_) => self.queue[place].sent = false,
                Verdict::Accepted => self.queue[place].accepted = true,
                Verdict::Done(_) | Verdict::Failed(_) | Verdict::Quarantined(_) => {
                    self.queue.remove(place);
                }
            }
        }
        for seq in &step.sends {
            let pending = self.queue.iter_mut().find(|pending| pending.seq == *seq).unwrap();
            pending.sent = true;
            pending.attempts += 1;
        }
        self.results.extend(step.results.iter().cloned());
    }

    /// The verdict of a command, which has one and no other.
    pub fn verdict(&self, seq: i64) -> &Verdict {
        &self.result(seq).verdict
    }

    pub fn result(&self, seq: i64) -> &CommandResult {
        let mut all = self.results.iter().filter(|result| result.seq == seq);
        all.next_back().unwrap_or_else(|| panic!("{seq} has no verdict: {:?}", self.results))
    }
}

pub fn pending(seq: i64, task: Task) -> Pending {
    Pending { seq, task: Ok(task), attempts: 0, sent: false, accepted: false }
}

/// A device in a session.
pub struct Device {
    pub form: Form,
    pub version: Version,
    pub session: String,
    pub number: u64,
    pub no_response: bool,
    pub name: Option<String>,
    pub credentials: Option<Credentials<'static>>,
    /// Makes a MAC of each message: keys, hash, nonce.
    pub mac: Option<(Keys, Hash, Vec<u8>)>,
    pub max_message: Option<u64>,
    pub max_object: Option<u64>,
    pub user_agent: Option<&'static str>,
    /// The last answer of the server.
    pub heard: Option<Message<'static>>,
    /// Octets of that.
    pub length: usize,
    ids: u32,
}

impl Device {
    pub fn new() -> Self {
        Self {
            form: Form::Xml,
            version: Version::Dm12,
            session: "2A".into(),
            number: 0,
            no_response: false,
            name: Some("dev-1".into()),
            credentials: None,
            mac: None,
            max_message: None,
            max_object: None,
            user_agent: None,
            heard: None,
            length: 0,
            ids: 0,
        }
    }

    pub fn id(&mut self) -> String {
        self.ids += 1;
        self.ids.to_string()
    }

    pub fn alert(&mut self, code: u16) -> Command<'static> {
        let id = self.id().into();
        let code = code.to_string().into();
        Command::Alert(Alert { id, no_response: false, code, correlator: None, items: Vec::new() })
    }

    pub fn device_info(&mut self) -> Command<'static> {
        let leaf = |(name, value): (&str, &str)| Item {
            source: Some(format!("./DevInfo/{name}").into()),
            data: Some(Data::Text(value.to_owned().into())),
            ..Item::default()
        };
        let leaves = [("DevId", DEVICE), ("Man", "Acme"), ("Mod", "Probe"), ("DmV", "0.4"), ("Lang", "en")];
        let id = self.id().into();
        Command::Operation(Operation {
            kind: OperationKind::Replace,
            id,
            no_response: false,
            meta: Meta::default(),
            correlator: None,
            items: leaves.map(leaf).into(),
        })
    }

    /// Package 1: alert and DevInfo.
    pub fn package1(&mut self) -> Vec<Command<'static>> {
        vec![self.alert(1201), self.device_info()]
    }

    /// A status for a command of the last answer.
    pub fn status(&mut self, cmd_ref: &str, cmd: &str, code: u16) -> Command<'static> {
        let heard = self.heard.as_ref().unwrap();
        let msg_ref = heard.header.message_id.clone();
        let id = self.id().into();
        Command::Status(Status {
            id,
            msg_ref,
            cmd_ref: cmd_ref.to_owned().into(),
            cmd: cmd.to_owned().into(),
            target_refs: Vec::new(),
            source_refs: Vec::new(),
            credentials: None,
            challenge: None,
            code: code.to_string().into(),
            code_attributes: Vec::new(),
            items: Vec::new(),
        })
    }

    pub fn header_status(&mut self, code: u16) -> Command<'static> {
        self.status("0", "SyncHdr", code)
    }

    /// Results for a command of the last answer.
    pub fn results(&mut self, cmd_ref: &str, items: Vec<Item<'static>>) -> Command<'static> {
        let msg_ref = self.heard.as_ref().unwrap().header.message_id.clone();
        let id = self.id().into();
        Command::Results(Results {
            id,
            msg_ref,
            cmd_ref: cmd_ref.to_owned().into(),
            meta: Meta::default(),
            target_ref: None,
            source_ref: None,
            items,
        })
    }

    /// The statuses that a device that can do everything gives for the last answer; others by name of command or address.
    pub fn done(&mut self, others: &[(&str, u16)]) -> Vec<Command<'static>> {
        let commands = self.heard.as_ref().unwrap().commands.clone();
        let mut said = vec![self.header_status(200)];
        self.answer(&commands, others, &mut said);
        said
    }

    fn answer(&mut self, commands: &[Command<'_>], others: &[(&str, u16)], said: &mut Vec<Command<'static>>) {
        for command in commands {
            let (id, cmd, uri) = match command {
                Command::Operation(operation) => {
                    let item = &operation.items[0];
                    let uri = item.target.as_deref().unwrap_or_default();
                    (operation.id.clone(), operation.kind.as_str(), uri.to_owned())
                }
                Command::Container(container) => {
                    (container.id.clone(), container.kind.as_str(), String::new())
                }
                Command::Alert(alert) => (alert.id.clone(), "Alert", alert.code.clone().into_owned()),
                Command::Status(_) | Command::Results(_) | Command::Unknown(_) => continue,
            };
            let other = others.iter().find(|(about, _)| *about == cmd || *about == uri);
            let status = self.status(&id, cmd, other.map_or(200, |(_, code)| *code));
            said.push(status);
            if let Command::Container(Container { commands, .. }) = command {
                self.answer(commands, others, said);
            }
        }
    }

    /// The octets of the next message.
    pub fn write(&mut self, commands: Vec<Command<'static>>, is_final: bool) -> Vec<u8> {
        self.number += 1;
        self.ids = 0;
        let header = Header {
            ver_dtd: self.version.ver_dtd().into(),
            ver_proto: self.version.ver_proto().into(),
            session_id: self.session.clone().into(),
            message_id: self.number.to_string().into(),
            target: Location { uri: SERVER.into(), name: None },
            source: Location { uri: DEVICE.into(), name: self.name.clone().map(Into::into) },
            resp_uri: None,
            no_response: self.no_response,
            credentials: self.credentials.clone(),
            meta: Meta {
                max_message_size: self.max_message,
                max_object_size: self.max_object,
                ..Meta::default()
            },
        };
        encode(&Message { header, commands, is_final }, self.form)
    }

    /// Sends octets.
    pub fn post(&mut self, host: &mut Host, body: &[u8]) -> Result<Outcome, Refusal> {
        let content_type = match self.form.encoding() {
            Encoding::Xml => SYNCML_DM_XML,
            Encoding::Wbxml => SYNCML_DM_WBXML,
        };
        let hmac = self.mac.as_ref().map(|(keys, hash, nonce)| {
            let mac = keys.mac(*hash, nonce, body);
            let user = self.name.clone().unwrap_or_default();
            HmacHeader { hash: *hash, user, mac }.to_string()
        });
        assert_eq!(HMAC_HEADER, "x-syncml-hmac");
        let head = RequestHead {
            method: "POST",
            content_type: Some(content_type),
            hmac: hmac.as_deref(),
            user_agent: self.user_agent,
            ..RequestHead::default()
        };
        let outcome = host.serve(&head, body)?;
        let reply = match &outcome {
            Outcome::Taken(step) => &step.reply,
            Outcome::TurnedAway(away) => &away.reply,
        };
        let read = read(&reply.body, self.form.encoding());
        if let Some(most) = self.max_message {
            assert!(
                reply.body.len() as u64 <= most,
                "{} octets for a device that takes {most}",
                reply.body.len()
            );
        }
        // Nonces for this side.
        for command in &read.commands {
            if let Command::Status(Status { challenge: Some(challenge), cmd, .. }) = command
                && cmd == "SyncHdr"
                && let (Some((_, _, nonce)), Some(next)) = (&mut self.mac, &challenge.next_nonce)
            {
                *nonce = next.to_vec();
            }
        }
        self.heard = Some(read);
        self.length = reply.body.len();
        Ok(outcome)
    }

    /// Says something, and takes the answer.
    pub fn say(&mut self, host: &mut Host, commands: Vec<Command<'static>>) -> Box<Step> {
        self.say_part(host, commands, true)
    }

    pub fn say_part(
        &mut self,
        host: &mut Host,
        commands: Vec<Command<'static>>,
        is_final: bool,
    ) -> Box<Step> {
        let body = self.write(commands, is_final);
        match self.post(host, &body).unwrap() {
            Outcome::Taken(step) => step,
            Outcome::TurnedAway(away) => panic!("turned away: {}", away.reason),
        }
    }

    pub fn turned_away(&mut self, host: &mut Host, commands: Vec<Command<'static>>) -> TurnedAway {
        let body = self.write(commands, true);
        match self.post(host, &body).unwrap() {
            Outcome::TurnedAway(away) => away,
            Outcome::Taken(step) => panic!("taken: {step:?}"),
        }
    }

    /// Says something outside of sessions.
    pub fn report(&mut self, host: &Host, commands: Vec<Command<'static>>) -> Report {
        let body = self.write(commands, true);
        let content_type = match self.form.encoding() {
            Encoding::Xml => SYNCML_DM_XML,
            Encoding::Wbxml => SYNCML_DM_WBXML,
        };
        let head = RequestHead { method: "POST", content_type: Some(content_type), ..RequestHead::default() };
        let incoming = server::decode(&host.config, &head, &body).unwrap();
        assert!(incoming.is_report());
        server::report(&host.config, host.account.as_ref(), &incoming)
    }

    /// Begins a session.
    pub fn begin(&mut self, host: &mut Host) -> Box<Step> {
        let package = self.package1();
        self.say(host, package)
    }

    /// Commands of the last answer, without statuses.
    pub fn asked(&self) -> Vec<Command<'static>> {
        let commands = self.heard.as_ref().unwrap().commands.iter();
        commands.filter(|command| !matches!(command, Command::Status(_))).cloned().collect()
    }

    /// Statuses of the last answer: command, what it answers, code.
    pub fn answers(&self) -> Vec<(String, String, String)> {
        let commands = self.heard.as_ref().unwrap().commands.iter();
        let status = |command: &Command<'_>| match command {
            Command::Status(status) => Some((
                status.cmd.clone().into_owned(),
                format!("{}/{}", status.msg_ref, status.cmd_ref),
                status.code.clone().into_owned(),
            )),
            _ => None,
        };
        commands.filter_map(status).collect()
    }

    pub fn codes(&self) -> Vec<String> {
        self.answers().into_iter().map(|(cmd, _, code)| format!("{cmd} {code}")).collect()
    }

    pub fn is_final(&self) -> bool {
        self.heard.as_ref().unwrap().is_final
    }

    /// Meta of the challenge in the last answer.
    pub fn challenge(&self) -> Option<Meta<'static>> {
        self.heard.as_ref().unwrap().commands.iter().find_map(|command| match command {
            Command::Status(status) => status.challenge.as_deref().cloned(),
            _ => None,
        })
    }
}

pub fn read(body: &[u8], encoding: Encoding) -> Message<'static> {
    let mut leniency = Leniency::strict();
    let decoded = decode(body, encoding, &Limits::default(), &mut leniency);
    decoded.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body))).message.into_owned()
}

/// What a command asks for: its kind with its addresses, and what is in it.
pub fn tell(command: &Command<'_>) -> String {
    match command {
        Command::Operation(operation) => {
            let items = operation.items.iter();
            let uris =
                items.map(|item| item.target.as_deref().or(item.source.as_deref()).unwrap_or_default());
            format!("{} {}", operation.kind.as_str(), uris.collect::<Vec<_>>().join(" "))
        }
        Command::Container(container) => {
            let inner: Vec<String> = container.commands.iter().map(tell).collect();
            format!("{}({})", container.kind.as_str(), inner.join(", "))
        }
        Command::Alert(alert) => format!("Alert {}", alert.code),
        Command::Status(status) => format!("Status {}", status.code),
        Command::Results(_) => "Results".into(),
        Command::Unknown(unknown) => unknown.name.clone().into_owned(),
    }
}

pub fn told(commands: &[Command<'_>]) -> Vec<String> {
    commands.iter().map(tell).collect()
}

pub fn get(uri: &str) -> Task {
    Task::Get { uris: vec![uri.into()] }
}

pub fn text(text: &str) -> Content {
    Content { format: Format::Chr, media_type: None, value: Value::Text(text.into()) }
}

pub fn set(uri: &str, value: &str) -> Task {
    Task::Set { uri: uri.into(), content: text(value), existence: Existence::Present }
}

pub fn delete(uri: &str) -> Task {
    Task::Delete { uri: uri.into() }
}

pub fn exec(uri: &str, correlator: Option<&str>) -> Task {
    Task::Exec { uri: uri.into(), content: None, correlator: correlator.map(str::to_owned) }
}

/// An item of results.
pub fn leaf(uri: &str, format: &str, data: Option<&str>) -> Item<'static> {
    Item {
        source: Some(uri.to_owned().into()),
        meta: Meta { format: Some(format.to_owned().into()), ..Meta::default() },
        data: data.map(|text| Data::Text(text.to_owned().into())),
        ..Item::default()
    }
}

/// Nodes of a result: address and value as text; names of children joined by blanks.
pub fn nodes(result: &CommandResult) -> BTreeMap<String, String> {
    let Some(server::Data::Nodes(nodes)) = &result.data else { panic!("{result:?}") };
    let content = |content: &server::NodeContent| match content {
        server::NodeContent::Untold => "-".to_owned(),
        server::NodeContent::Children(names) => names.join(" "),
        server::NodeContent::Value(value) => value.to_text(),
    };
    nodes.iter().map(|node| (node.uri.clone(), content(&node.content))).collect()
}
