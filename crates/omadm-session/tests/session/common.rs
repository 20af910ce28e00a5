//! A device in memory: a tree, and a world around it that carries out effects.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use omadm_codec::dm2::{MoItem, Response, mo_data};
use omadm_codec::media_type::{REQUEST_JSON, RESPONSE_JSON};
use omadm_codec::multipart::{self, Part};
use omadm_codec::{Leniency, Limits, MediaType};
use omadm_mo::ddf::Catalogue;
use omadm_mo::{
    Actor, Authority, ClientUri, Content, DeviceId, Miid, Moid, NodeName, NodePath, NodeRecord,
    ParameterValues, Quota, Rights, ServerId, Time, Tree, Value,
};
use omadm_session::dm2::client::{
    Config, Effect, EffectResult, HttpReply, Input, Note, Outcome, Output, Session, Start, Trigger,
    install_bootstrap,
};

pub const BOX: &str = "urn:x-test:mo:box:1.0";
pub const DEVICE: &str = "IMEI:493005100592800";
pub const NOW: Time = Time::from_secs(1_700_000_000);

const DDFS: [(&str, &[u8]); 5] = [
    ("dm_devinfo-v1_2.ddf", include_bytes!("../../../../ddf/dm_devinfo-v1_2.ddf")),
    ("dm_dmacc-v1_2.ddf", include_bytes!("../../../../ddf/dm_dmacc-v1_2.ddf")),
    ("dm_delegation-v1_0.ddf", include_bytes!("../../../../ddf/dm_delegation-v1_0.ddf")),
    ("dm_sessioninfo-v1_0.ddf", include_bytes!("../../../../ddf/dm_sessioninfo-v1_0.ddf")),
    ("box.ddf", include_bytes!("../data/box.ddf")),
];

pub const BOOTSTRAP: &[u8] = include_bytes!("../data/bootstrap.json");

pub fn server(name: &str) -> ServerId {
    ServerId::parse(name).unwrap()
}

pub fn moid(text: &str) -> Moid {
    Moid::parse(text).unwrap()
}

pub fn miid(text: &str) -> Miid {
    Miid::parse(text).unwrap()
}

static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
    let mut catalogue = Catalogue::new();
    for (name, xml) in DDFS {
        let decoded = omadm_codec::ddf::decode(xml, &Limits::default()).unwrap();
        catalogue.add(&decoded.ddf, &format!("https://ddf.example/{name}"));
    }
    Arc::new(catalogue)
});

pub fn catalogue() -> Arc<Catalogue> {
    Arc::clone(&CATALOGUE)
}

pub fn interior(children: Vec<(&str, Content)>) -> Content {
    Content::Interior(
        children.into_iter().map(|(name, child)| (NodeName::parse(name).unwrap(), child)).collect(),
    )
}

pub fn text(text: &str) -> Content {
    Content::Leaf(Value::Text(text.into()))
}

fn devinfo() -> Content {
    let leaves = ["Man", "Mod", "DevType", "OEM", "FwV", "SwV", "HwV"];
    let mut children: Vec<_> = leaves.iter().map(|name| (*name, text("x"))).collect();
    children.extend([("DevID", text(DEVICE)), ("DmV", text("2.0")), ("Lang", text("en"))]);
    interior(children)
}

pub fn box_content() -> Content {
    interior(vec![
        ("Setting", text("first")),
        ("Count", Content::Leaf(Value::Int(1))),
        ("On", Content::Leaf(Value::Bool(true))),
        ("Empty", text("")),
        ("Fixed", text("fixed")),
        ("Secret", text("hidden from all")),
        ("Hidden", text("internal")),
        ("Blob", Content::Leaf(Value::Bytes(vec![1, 2, 255]))),
        ("Run", Content::Leaf(Value::Null)),
        (
            "Items",
            interior(vec![
                ("1", interior(vec![("ID", text("one")), ("Value", text("a"))])),
                ("2", interior(vec![("ID", text("two")), ("Value", text("b"))])),
            ]),
        ),
    ])
}

/// A tree with two servers: DMS1 may do everything with the box `one`, DMS2 what the test grants.
pub fn tree() -> Tree {
    tree_with(Quota::default())
}

pub fn tree_with(quota: Quota) -> Tree {
    let mut tree = Tree::new(catalogue(), quota);
    install_bootstrap(&mut tree, NOW, BOOTSTRAP, &Limits::default(), true).unwrap();
    let mut change = tree.begin(Actor::Device, NOW);
    let info = moid(omadm_mo::well_known::DEVINFO);
    change.create_instance(&info, &miid("devinfo"), devinfo()).unwrap();
    change.create_instance(&moid(BOX), &miid("one"), box_content()).unwrap();
    change.grant(&info, &miid("devinfo"), "/", &Authority::Server(server("DMS1")), Rights::READ).unwrap();
    change.grant(&moid(BOX), &miid("one"), "/", &Authority::Server(server("DMS1")), Rights::ALL).unwrap();
    change.commit();
    tree
}

pub fn grant(tree: &mut Tree, server_name: &str, rights: Rights) {
    let mut change = tree.begin(Actor::Device, NOW);
    change.grant(&moid(BOX), &miid("one"), "/", &Authority::Server(server(server_name)), rights).unwrap();
    change.commit();
}

/// The value of a leaf as the device itself sees it.
pub fn value(tree: &Tree, address: &str) -> Option<Value> {
    let uri = ClientUri::parse(address).unwrap();
    let found = tree.resolve(&Actor::Device, &uri).ok()?;
    tree.node(found.first()?.node)?.value().cloned()
}

pub fn exists(tree: &Tree, address: &str) -> bool {
    tree.resolve(&Actor::Device, &ClientUri::parse(address).unwrap()).is_ok()
}

/// All that a tree holds, for comparison.
pub fn snapshot(tree: &Tree) -> Vec<(NodePath, NodeRecord)> {
    tree.records().collect()
}

pub fn config() -> Config {
    Config {
        device_id: DeviceId::parse(DEVICE).unwrap(),
        parameters: ParameterValues { dev_id: Some("dev/1".into()), ..ParameterValues::default() },
        limits: Limits::default(),
        strict: false,
        allow_plain_http: false,
        max_rounds: 1000,
        full_addressing: true,
    }
}

pub fn start(server_name: &str) -> Start {
    Start {
        server: server(server_name),
        uri: "https://dms.example/dm".into(),
        trigger: Trigger::Client,
        send_mos: false,
        alerts: Vec::new(),
    }
}

/// What stands around the engine.
#[derive(Default)]
pub struct World {
    /// What the Data Repository serves, by URI; others do not answer.
    pub repository: BTreeMap<String, HttpReply>,
    /// How it answers uploads; 200 if not given.
    pub upload_status: Option<u16>,
    pub upload_fails: bool,
    pub uploads: Vec<(&'static str, String, String, Vec<u8>)>,
    pub fetches: Vec<(String, String)>,
    /// How effects on the device are refused.
    pub refuse: Option<u16>,
    pub refuse_refresh: bool,
    pub too_large: bool,
    pub executed: Vec<String>,
    pub refreshed: Vec<(Moid, Miid)>,
    pub commits: usize,
    /// Pages, defaults, subscriptions and executions to be reported, as text.
    pub kept: Vec<String>,
}

impl World {
    pub fn serving(uri: &str, content_type: &str, body: &[u8]) -> Self {
        let mut world = Self::default();
        world.serve(uri, content_type, body);
        world
    }

    pub fn serve(&mut self, uri: &str, content_type: &str, body: &[u8]) {
        let reply = HttpReply {
            status: 200,
            content_type: Some(content_type.into()),
            omadm_accept: None,
            body: body.to_vec().into(),
        };
        self.repository.insert(uri.into(), reply);
    }

    fn keep(&mut self, what: String, result: EffectResult) -> EffectResult {
        if result == EffectResult::Done {
            self.kept.push(what);
        }
        result
    }

    pub fn carry_out(&mut self, effect: Effect) -> EffectResult {
        let on_device = match self.refuse {
            Some(status) => EffectResult::Refused {
                status: omadm_codec::dm2::StatusCode(status),
                reason: "refused by the test".into(),
            },
            None => EffectResult::Done,
        };
        match effect {
            Effect::Refresh(instances) => {
                self.refreshed.extend(instances);
                if self.refuse_refresh { on_device } else { EffectResult::Done }
            }
            Effect::Fetch { uri, accept } => {
                self.fetches.push((uri.clone(), accept));
                match self.repository.get(&uri) {
                    _ if self.too_large => EffectResult::TooLarge,
                    Some(reply) => EffectResult::Http(reply.clone()),
                    None => EffectResult::NoReply { reason: "connection refused".into() },
                }
            }
            Effect::Upload { method, uri, content_type, body } => {
                self.uploads.push((method, uri, content_type, body.to_vec()));
                if self.upload_fails {
                    return EffectResult::NoReply { reason: "connection refused".into() };
                }
                EffectResult::Http(HttpReply {
                    status: self.upload_status.unwrap_or(200),
                    ..HttpReply::default()
                })
            }
            Effect::Commit { .. } => {
                self.commits += usize::from(self.refuse.is_none());
                on_device
            }
            Effect::Execute { address, report_to, .. } => {
                self.executed.push(address.to_string());
                match (report_to, on_device) {
                    (Some(uri), EffectResult::Done) => {
                        self.kept.push(format!("execution {uri}", uri = uri.as_str()));
                        EffectResult::Accepted
                    }
                    (_, on_device) => on_device,
                }
            }
            Effect::Show { uri } => self.keep(format!("page {uri}"), on_device),
            Effect::KeepDefault { moid, uri } => self.keep(format!("{moid} {}", uri.as_str()), on_device),
            Effect::Subscribe { client, uri } => self.keep(format!("{client} {}", uri.as_str()), on_device),
            Effect::Unsubscribe { client } => self.keep(format!("no {client}"), on_device),
        }
    }
}

/// What a run came to.
#[derive(Default)]
pub struct Seen {
    pub posts: Vec<Post>,
    pub notes: Vec<Note>,
    pub outcome: Option<Outcome>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    pub uri: String,
    pub content_type: String,
    pub accept: &'static str,
    pub device_id: String,
    pub body: Vec<u8>,
}

impl Post {
    /// Package#3 and its data parts.
    pub fn response(&self) -> (Response, Vec<Part>) {
        let media = MediaType::parse(&self.content_type).unwrap();
        let mut strict = Leniency::strict();
        let limits = Limits::default();
        if media.essence == RESPONSE_JSON {
            return (Response::decode(&self.body, &limits, &mut strict).unwrap(), Vec::new());
        }
        let boundary = media.parameter("boundary").unwrap();
        let mut parts = multipart::decode(&self.body, boundary, &limits, &mut strict).unwrap();
        let first = parts.remove(0);
        assert_eq!(first.head.content_type.as_deref(), Some(RESPONSE_JSON));
        assert_eq!(first.head.name, None);
        (Response::decode(&first.body, &limits, &mut strict).unwrap(), parts)
    }

    pub fn statuses(&self) -> Vec<u16> {
        self.response().0.statuses.iter().map(|status| status.code.0).collect()
    }

    pub fn parts(&self) -> Vec<Part> {
        self.response().1
    }

    /// The items of a data part.
    pub fn items(&self, name: &str) -> Vec<MoItem> {
        let part = self.parts().into_iter().find(|part| part.head.name.as_deref() == Some(name)).unwrap();
        assert_eq!(part.head.content_type.as_deref(), Some("application/dmmo+json"));
        mo_data::decode(&part.body, &Limits::default(), &mut Leniency::strict()).unwrap()
    }
}

pub fn package2(body: &str) -> HttpReply {
    HttpReply {
        status: 200,
        content_type: Some(REQUEST_JSON.into()),
        omadm_accept: None,
        body: body.as_bytes().to_vec().into(),
    }
}

/// Takes all that the engine says until it waits for a reply or is over.
pub fn settle(session: &mut Session, tree: &mut Tree, world: &mut World, seen: &mut Seen) {
    while let Some(output) = session.poll_output() {
        match output {
            Output::Post { uri, content_type, accept, device_id, body } => {
                seen.posts.push(Post {
                    uri,
                    content_type,
                    accept,
                    device_id: device_id.to_string(),
                    body: body.to_vec(),
                });
            }
            Output::Effect { id, effect } => {
                let result = world.carry_out(effect);
                session.handle(tree, NOW, Input::EffectDone { id, result });
            }
            Output::Note(note) => seen.notes.push(note),
            Output::Finished(outcome) => assert!(seen.outcome.replace(outcome).is_none(), "finished twice"),
        }
    }
}

/// Runs a session of DMS1 over these replies.
pub fn converse(tree: &mut Tree, world: &mut World, replies: &[HttpReply]) -> Seen {
    converse_as(config(), start("DMS1"), tree, world, replies)
}

pub fn converse_as(
    config: Config,
    start: Start,
    tree: &mut Tree,
    world: &mut World,
    replies: &[HttpReply],
) -> Seen {
    let mut session = Session::start(config, start, tree);
    let mut seen = Seen::default();
    settle(&mut session, tree, world, &mut seen);
    for reply in replies {
        session.handle(tree, NOW, Input::Reply(reply.clone()));
        settle(&mut session, tree, world, &mut seen);
    }
    seen
}

/// The statuses of one Package#2 with these commands (the inside of `CMD`), for DMS1.
pub fn statuses(tree: &mut Tree, world: &mut World, commands: &str) -> Vec<u16> {
    statuses_for("DMS1", tree, world, commands)
}

pub fn statuses_for(server_name: &str, tree: &mut Tree, world: &mut World, commands: &str) -> Vec<u16> {
    let reply = package2(&format!("{{\"CMD\":[{commands}]}}"));
    converse_as(config(), start(server_name), tree, world, &[reply]).posts[1].statuses()
}
