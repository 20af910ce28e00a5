//! A device in memory with a world around it that carries out effects, and a server that says what a test wants.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use omadm_auth::Secret;
use omadm_auth::dm1::Scheme;
use omadm_codec::dm1::{
    Alert, Command, Container, ContainerKind, Data, Decoded, Encoding, Form, Header, Item, Location, Message,
    Meta, Operation, OperationKind, Status, Version, decode, encode,
};
use omadm_codec::{Leniency, Limits};
use omadm_mo::ddf::Catalogue;
use omadm_mo::{
    Actor, Authority, Content, DeviceId, Format, Miid, Moid, NodeName, Quota, Rights, ServerId, Time, Tree,
    Value,
};
use omadm_session::dm1::client::{
    Account, AlertId, Config, Credentials, DeviceAlert, Effect, EffectResult, Execution, Fresh, HttpReply,
    Input, Note, Outcome, Output, Post, Question, Session, Start, Trigger, UserAnswer, UserInteraction,
};

pub const BOX: &str = "urn:x-test:mo:box:1.0";
pub const DEVICE: &str = "IMEI:493005100592800";
pub const SERVER: &str = "dm.example";
pub const URI: &str = "https://dm.example/dm";
pub const NOW: Time = Time::from_secs(1_700_000_000);

static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
    let mut catalogue = Catalogue::new();
    for ddf in [
        &include_bytes!("../../../../ddf/dm_devinfo-v1_2.ddf")[..],
        &include_bytes!("../../../../ddf/dm_delegation-v1_0.ddf")[..],
        &include_bytes!("../data/box.ddf")[..],
    ] {
        let decoded = omadm_codec::ddf::decode(ddf, &Limits::default()).unwrap();
        catalogue.add(&decoded.ddf, "https://ddf.example/");
    }
    Arc::new(catalogue)
});

pub fn catalogue() -> Arc<Catalogue> {
    Arc::clone(&CATALOGUE)
}

fn interior(children: Vec<(&str, Content)>) -> Content {
    Content::Interior(
        children.into_iter().map(|(name, child)| (NodeName::parse(name).unwrap(), child)).collect(),
    )
}

fn text(text: &str) -> Content {
    Content::Leaf(Value::Text(text.into()))
}

/// A tree with DevInfo and one box, `./box/one`, with which the server may do everything.
pub fn tree() -> Tree {
    let mut tree = Tree::new(catalogue(), Quota::default());
    let mut change = tree.begin(Actor::Device, NOW);
    let moid = |text: &str| Moid::parse(text).unwrap();
    let names = ["DevType", "OEM", "FwV", "SwV", "HwV"];
    let mut info: Vec<_> = names.iter().map(|name| (*name, text("x"))).collect();
    info.extend([("DevID", text(DEVICE)), ("Man", text("Acme")), ("Mod", text("A1"))]);
    info.extend([("DmV", text("0.4")), ("Lang", text("en"))]);
    let info_moid = moid(omadm_mo::well_known::DEVINFO);
    change.create_instance(&info_moid, &Miid::parse("DevInfo").unwrap(), interior(info)).unwrap();
    let content = interior(vec![
        ("Setting", text("first")),
        ("Count", Content::Leaf(Value::Int(1))),
        ("On", Content::Leaf(Value::Bool(true))),
        ("Empty", text("")),
        ("Fixed", text("fixed")),
        ("Secret", text("hidden from all")),
        ("Hidden", text("internal")),
        ("Blob", Content::Leaf(Value::Bytes(vec![1, 2, 255]))),
        ("Run", Content::Leaf(Value::Null)),
        ("Items", interior(vec![("1", interior(vec![("ID", text("one")), ("Value", text("a"))]))])),
    ]);
    let one = Miid::parse("one").unwrap();
    change.create_instance(&moid(BOX), &one, content).unwrap();
    let authority = Authority::Server(ServerId::parse(SERVER).unwrap());
    change.grant(&moid(BOX), &one, "/", &authority, Rights::ALL).unwrap();
    change.commit();
    tree
}

pub fn config() -> Config {
    Config {
        wbxml: false,
        schemes: Scheme::ALL.to_vec(),
        user_interaction: UserInteraction { available: true, max_choices: 4 },
        ..Config::new(DeviceId::parse(DEVICE).unwrap())
    }
}

pub fn credentials(user: &str, password: &str, scheme: Scheme) -> Credentials {
    let password = Secret::new(password.as_bytes().to_vec());
    Credentials { user: user.into(), password, scheme, nonce: Vec::new() }
}

/// An account whose server is known by TLS, as the device is.
pub fn account() -> Account {
    Account {
        server: ServerId::parse(SERVER).unwrap(),
        uri: URI.into(),
        client: None,
        server_credentials: None,
        server_must_prove: false,
        preferred: None,
    }
}

pub fn start() -> Start {
    Start {
        account: account(),
        trigger: Trigger::Client { session_id: 0x2a },
        versions: vec![Version::Dm12],
        alerts: Vec::new(),
        requested: Vec::new(),
    }
}

pub fn alert(id: AlertId, alert_type: &str, data: &str) -> DeviceAlert {
    DeviceAlert {
        id,
        generic: true,
        correlator: None,
        source: None,
        target: None,
        alert_type: alert_type.into(),
        mark: None,
        format: Format::Chr,
        data: Value::Text(data.into()),
    }
}

/// The device: a session, its tree, and all that became of its effects.
pub struct Device {
    pub tree: Tree,
    pub session: Session,
    draws: u8,
    /// What the user does with the questions that come.
    pub user: VecDeque<UserAnswer>,
    /// How executions end; [`EffectResult::Done`] when there is none left.
    pub executions: VecDeque<EffectResult>,
    /// How commits end; [`EffectResult::Done`] when there is none left.
    pub commits: VecDeque<EffectResult>,
    pub asked: Vec<Question>,
    pub executed: Vec<Execution>,
    pub delivered: Vec<(AlertId, u16)>,
    /// For the credentials of the device, and of the server.
    pub nonces: Vec<(Kept, Kept)>,
    pub notes: Vec<Note>,
    pub committed: usize,
    pub refreshed: usize,
}

/// A nonce that was kept.
pub type Kept = Option<Vec<u8>>;

/// What a device does next.
#[derive(Debug)]
pub enum Next {
    Post(Post),
    Finished(Outcome),
}

impl Device {
    pub fn start(config: Config, start: Start) -> Self {
        Self::start_with(config, start, tree())
    }

    pub fn start_with(config: Config, start: Start, tree: Tree) -> Self {
        let session = Session::start(config, start, &tree, fresh(0));
        Self::holding(session, tree)
    }

    /// In the middle of something.
    pub fn holding(session: Session, tree: Tree) -> Self {
        Self {
            tree,
            session,
            draws: 0,
            user: VecDeque::new(),
            executions: VecDeque::new(),
            commits: VecDeque::new(),
            asked: Vec::new(),
            executed: Vec::new(),
            delivered: Vec::new(),
            nonces: Vec::new(),
            notes: Vec::new(),
            committed: 0,
            refreshed: 0,
        }
    }

    /// A session that begins as usual.
    pub fn usual() -> Self {
        Self::start(config(), start())
    }

    pub fn input(&mut self, input: Input) {
        self.draws += 1;
        self.session.handle(&mut self.tree, fresh(self.draws), input);
    }

    pub fn reply(&mut self, reply: HttpReply) {
        self.input(Input::Reply(reply));
    }

    /// Carries out effects until a message is to be sent, or the session is over.
    pub fn next(&mut self) -> Next {
        loop {
            match self.session.poll_output().unwrap() {
                Output::Post(post) => return Next::Post(post),
                Output::Finished(outcome) => return Next::Finished(outcome),
                Output::Note(note) => self.notes.push(note),
                Output::Effect { id, effect } => {
                    let result = self.carry_out(effect);
                    self.input(Input::EffectDone { id, result });
                }
            }
        }
    }

    pub fn carry_out(&mut self, effect: Effect) -> EffectResult {
        match effect {
            Effect::Refresh(_) => self.refreshed += 1,
            Effect::Commit { .. } => {
                self.committed += 1;
                return self.commits.pop_front().unwrap_or(EffectResult::Done);
            }
            Effect::Execute(execution) => {
                self.executed.push(*execution);
                return self.executions.pop_front().unwrap_or(EffectResult::Done);
            }
            Effect::Ask(question) => {
                self.asked.push(*question);
                return EffectResult::Answered(self.user.pop_front().unwrap());
            }
            Effect::KeepNonces { client, server } => self.nonces.push((client, server)),
            Effect::AlertDelivered { id, status } => self.delivered.push((id, status)),
        }
        EffectResult::Done
    }

    pub fn post(&mut self) -> Post {
        match self.next() {
            Next::Post(post) => post,
            Next::Finished(outcome) => panic!("it is over: {outcome:?}"),
        }
    }

    pub fn outcome(&mut self) -> Outcome {
        match self.next() {
            Next::Post(post) => panic!("it goes on: {}", String::from_utf8_lossy(&post.body)),
            Next::Finished(outcome) => outcome,
        }
    }

    /// What the server says, and what the device answers.
    pub fn exchange(&mut self, server: &mut Server, commands: Vec<Command<'static>>) -> Said {
        let reply = server.message(commands);
        self.reply(reply);
        server.hear(self.post())
    }

    pub fn value(&self, path: &str) -> Option<Value> {
        let mut names = path.trim_start_matches("./").split('/');
        names.try_fold(self.tree.root(), |node, name| node.child(name))?.value().cloned()
    }
}

/// The device sets a leaf by itself.
pub fn set(tree: &mut Tree, path: &str, value: Value) {
    let names = path.trim_start_matches("./").split('/');
    let leaf = names.fold(tree.root(), |node, name| node.child(name).unwrap()).id();
    let mut change = tree.begin(Actor::Device, NOW);
    change.set(leaf, value).unwrap();
    change.commit();
}

pub fn fresh(draw: u8) -> Fresh {
    Fresh { now: NOW, nonce: [draw; 16] }
}

/// A message of the device.
#[derive(Debug)]
pub struct Said {
    pub post: Post,
    pub message: Message<'static>,
}

impl Said {
    pub fn of(post: Post) -> Self {
        let message = read(&post.body).message.into_owned();
        Self { post, message }
    }

    pub fn statuses(&self) -> Vec<&Status<'static>> {
        let statuses = self.message.commands.iter().filter_map(|command| match command {
            Command::Status(status) => Some(status),
            _ => None,
        });
        statuses.collect()
    }

    /// Command references with their codes, in order, that of the header first.
    pub fn codes(&self) -> Vec<(String, String)> {
        self.statuses().iter().map(|status| (status.cmd_ref.to_string(), status.code.to_string())).collect()
    }

    /// The code of the one status to a command.
    pub fn code(&self, reference: &str) -> String {
        let codes = self.codes();
        let mut of = codes.iter().filter(|(command, _)| command == reference);
        let code = of.next().unwrap_or_else(|| panic!("no status for {reference}: {codes:?}"));
        assert!(of.next().is_none(), "several statuses for {reference}: {codes:?}");
        code.1.clone()
    }

    /// Sources and data of all Results.
    pub fn results(&self) -> Vec<(String, String)> {
        let items = self.message.commands.iter().flat_map(|command| match command {
            Command::Results(results) => results.items.as_slice(),
            _ => &[],
        });
        items.map(|item| (item.source.clone().unwrap().into_owned(), data_of(item))).collect()
    }

    pub fn alerts(&self) -> Vec<&Alert<'static>> {
        let alerts = self.message.commands.iter().filter_map(|command| match command {
            Command::Alert(alert) => Some(alert),
            _ => None,
        });
        alerts.collect()
    }

    pub fn alert_codes(&self) -> Vec<&str> {
        self.alerts().iter().map(|alert| alert.code.as_ref()).collect()
    }
}

pub fn data_of(item: &Item<'_>) -> String {
    match &item.data {
        Some(Data::Text(text)) => text.to_string(),
        Some(Data::Opaque(octets)) => format!("{octets:?}"),
        None => "-".into(),
    }
}

pub fn read(body: &[u8]) -> Decoded<'_> {
    let encoding = Encoding::sniff(body).unwrap();
    decode(body, encoding, &Limits { bytes: 64 << 20, ..Limits::default() }, &mut Leniency::strict())
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
}

/// A server that follows a script.
pub struct Server {
    /// Its next `MsgID`.
    pub message_id: u32,
    pub session_id: String,
    pub version: Version,
    pub form: Form,
    /// What it says to the header of the device's message.
    pub header_code: u16,
    pub challenge: Option<Meta<'static>>,
    pub credentials: Option<omadm_codec::dm1::Credentials<'static>>,
    pub resp_uri: Option<String>,
    pub no_response: bool,
    pub max_message: Option<u64>,
    pub max_object: Option<u64>,
    /// Status for every alert of the device.
    pub alert_code: u16,
    pub is_final: bool,
    /// The message of the device that it answers.
    pub heard: Option<(String, Vec<Request>)>,
}

/// A command of the device.
#[derive(Clone)]
pub struct Request {
    id: String,
    name: &'static str,
    /// A chunk that is not the last.
    more: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            message_id: 1,
            session_id: "2A".into(),
            version: Version::Dm12,
            form: Form::Xml,
            header_code: 212,
            challenge: None,
            credentials: None,
            resp_uri: None,
            no_response: false,
            max_message: None,
            max_object: None,
            alert_code: 200,
            is_final: true,
            heard: None,
        }
    }
}

impl Server {
    /// Takes a message in: it is the one answered next.
    pub fn hear(&mut self, post: Post) -> Said {
        let said = Said::of(post);
        let requests = said.message.commands.iter().filter_map(|command| {
            let (id, name, items) = match command {
                Command::Alert(alert) => (&alert.id, "Alert", &alert.items),
                Command::Operation(operation) => (&operation.id, operation.kind.as_str(), &operation.items),
                Command::Results(results) => (&results.id, "Results", &results.items),
                _ => return None,
            };
            Some(Request { id: id.to_string(), name, more: items.iter().any(|item| item.more) })
        });
        self.heard = Some((said.message.header.message_id.to_string(), requests.collect()));
        said
    }

    /// The next message: statuses for what was heard, then these commands.
    pub fn message(&mut self, commands: Vec<Command<'static>>) -> HttpReply {
        let (message, requests) = self.heard.clone().unwrap();
        let mut all = vec![status(901, &message, "0", "SyncHdr", self.header_code)];
        if let Some(Command::Status(header)) = all.first_mut() {
            header.challenge = self.challenge.clone().map(Box::new);
        }
        for (number, Request { id, name, more }) in (902..).zip(requests) {
            let code = match self.header_code {
                401 | 407 => self.header_code,
                _ if more => 213,
                // Results that are whole have no status.
                _ if name == "Results" => continue,
                _ if name == "Alert" => self.alert_code,
                _ => 200,
            };
            all.push(status(number, &message, &id, name, code));
        }
        all.extend(commands);
        self.raw(all)
    }

    /// A message with just these commands.
    pub fn raw(&mut self, commands: Vec<Command<'static>>) -> HttpReply {
        let header = Header {
            ver_dtd: self.version.ver_dtd().into(),
            ver_proto: self.version.ver_proto().into(),
            session_id: self.session_id.clone().into(),
            message_id: self.message_id.to_string().into(),
            target: Location { uri: DEVICE.into(), name: None },
            source: Location { uri: URI.into(), name: Some("server".into()) },
            resp_uri: self.resp_uri.clone().map(Cow::Owned),
            no_response: self.no_response,
            credentials: self.credentials.clone(),
            meta: Meta {
                max_message_size: self.max_message,
                max_object_size: self.max_object,
                ..Meta::default()
            },
        };
        self.message_id += 1;
        let message = Message { header, commands, is_final: self.is_final };
        reply(encode(&message, self.form), self.form)
    }
}

pub fn reply(body: Vec<u8>, form: Form) -> HttpReply {
    let content_type = match form {
        Form::Xml => "application/vnd.syncml.dm+xml",
        Form::Wbxml(_) => "application/vnd.syncml.dm+wbxml",
    };
    HttpReply { status: 200, content_type: Some(content_type.into()), hmac: None, body: body.into() }
}

/// A session whose package 1 is heard.
pub fn begun() -> (Device, Server) {
    begun_with(config(), start())
}

pub fn begun_with(config: Config, start: Start) -> (Device, Server) {
    let mut device = Device::start(config, start);
    let mut server = Server::default();
    server.hear(device.post());
    (device, server)
}

pub fn status(id: u32, message: &str, reference: &str, name: &str, code: u16) -> Command<'static> {
    Command::Status(Status {
        id: id.to_string().into(),
        msg_ref: message.to_owned().into(),
        cmd_ref: reference.to_owned().into(),
        cmd: name.to_owned().into(),
        target_refs: Vec::new(),
        source_refs: Vec::new(),
        credentials: None,
        challenge: None,
        code: code.to_string().into(),
        code_attributes: Vec::new(),
        items: Vec::new(),
    })
}

pub fn target(uri: &str) -> Item<'static> {
    Item { target: Some(uri.to_owned().into()), ..Item::default() }
}

pub fn with_data(uri: &str, format: &str, data: &str) -> Item<'static> {
    let meta = Meta { format: Some(format.to_owned().into()), ..Meta::default() };
    Item { meta, data: Some(Data::Text(data.to_owned().into())), ..target(uri) }
}

pub fn operation(kind: OperationKind, id: &str, items: Vec<Item<'static>>) -> Command<'static> {
    Command::Operation(Operation {
        kind,
        id: id.to_owned().into(),
        no_response: false,
        meta: Meta::default(),
        correlator: None,
        items,
    })
}

pub fn get(id: &str, uri: &str) -> Command<'static> {
    operation(OperationKind::Get, id, vec![target(uri)])
}

pub fn replace(id: &str, uri: &str, data: &str) -> Command<'static> {
    let item = Item { data: Some(Data::Text(data.to_owned().into())), ..target(uri) };
    operation(OperationKind::Replace, id, vec![item])
}

pub fn add(id: &str, uri: &str, data: &str) -> Command<'static> {
    operation(OperationKind::Add, id, vec![with_data(uri, "chr", data)])
}

pub fn add_node(id: &str, uri: &str) -> Command<'static> {
    let meta = Meta { format: Some("node".into()), ..Meta::default() };
    operation(OperationKind::Add, id, vec![Item { meta, ..target(uri) }])
}

pub fn delete(id: &str, uri: &str) -> Command<'static> {
    operation(OperationKind::Delete, id, vec![target(uri)])
}

pub fn exec(id: &str, uri: &str) -> Command<'static> {
    operation(OperationKind::Exec, id, vec![target(uri)])
}

pub fn container(kind: ContainerKind, id: &str, commands: Vec<Command<'static>>) -> Command<'static> {
    let id = id.to_owned().into();
    Command::Container(Container { kind, id, no_response: false, meta: Meta::default(), commands })
}

pub fn atomic(id: &str, commands: Vec<Command<'static>>) -> Command<'static> {
    container(ContainerKind::Atomic, id, commands)
}

pub fn sequence(id: &str, commands: Vec<Command<'static>>) -> Command<'static> {
    container(ContainerKind::Sequence, id, commands)
}

pub fn server_alert(id: &str, code: u16, texts: &[&str]) -> Command<'static> {
    let item = |text: &&str| Item { data: Some(Data::Text((*text).to_owned().into())), ..Item::default() };
    Command::Alert(Alert {
        id: id.to_owned().into(),
        no_response: false,
        code: code.to_string().into(),
        correlator: None,
        items: texts.iter().map(item).collect(),
    })
}

pub fn codes(expected: &[(&str, u16)]) -> Vec<(String, String)> {
    expected.iter().map(|(reference, code)| ((*reference).to_owned(), code.to_string())).collect()
}
