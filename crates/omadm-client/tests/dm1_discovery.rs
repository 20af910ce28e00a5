//! Bootstraps of DM 1.x that a device fetches by itself, and how it finds the server for that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use omadm_client::dm1::bootstrap::{
    BootstrapSettings, FetchError, Finder, KnownServers, Proof, Source, UrlTemplate,
};
use omadm_client::{
    BasicCredentials, Client, ClientConfig, ClientError, GbaPush, HttpRequest, HttpResponse, NafKey, Secret,
    TlsIdentity, Transport, TransportError, Volatile,
};
use omadm_mo::dm1::{Dm1Uri, NewNode, UriLimits};
use omadm_mo::{Actor, Format, Value};

use support::bootstrap::{DM, Person, account, client, dm, open_on, server as server_id, status, value};
use support::device::{DEVICE_ID, transport};
use support::server::{Answer, Seen, Server};
use support::tls::Authority;

const DAY: Duration = Duration::from_secs(86_400);

fn source(url: &str, proof: Proof, by: Finder) -> Source {
    Source { url: UrlTemplate::parse(url).unwrap(), proof, by }
}

fn by_tls(url: &str) -> Source {
    source(url, Proof::Transport, Finder::Factory)
}

/// A device of this authority's world.
fn device_of(authority: &Authority) -> Client {
    let mut config = ClientConfig::default();
    config.parameters.mcc = Some("262".to_owned());
    Client::new(open_on(Volatile::new()), transport(authority, Duration::from_secs(30)), config)
}

async fn world() -> (Authority, Server, Client) {
    let authority = Authority::new();
    let server = Server::start(Some(authority.acceptor(&["localhost"], true))).await;
    let client = device_of(&authority);
    (authority, server, client)
}

fn bootstrap() -> Answer {
    Answer::status(200).with("content-type", DM).body(dm(&account("s")))
}

/// Puts a leaf or a node into the Bootstrap Config object, as a server with the right to do so would.
fn put(client: &mut Client, path: &str, format: Format, text: &str) {
    let uri = Dm1Uri::parse(&format!("./BootstrapConfig/{path}"), &UriLimits::default(), true).unwrap();
    let value = (format != Format::Node).then(|| Value::from_text(format, text).unwrap());
    let node = NewNode { format: Some(format), media_type: None, value };
    client
        .device_mut()
        .change(|tree| match tree.dm1_add(&uri, node.clone()) {
            Ok(()) => Ok(()),
            Err(_) => tree
                .dm1_replace(&uri, node)
                .map_err(|error| omadm_client::PluginError::Other(error.to_string())),
        })
        .unwrap();
}

fn put_server(client: &mut Client, name: &str, url: &str, priority: &str) {
    put(client, &format!("BootstrapServer/{name}"), Format::Node, "");
    put(client, &format!("BootstrapServer/{name}/URL"), Format::Chr, url);
    put(client, &format!("BootstrapServer/{name}/Priority"), Format::Int, priority);
}

fn last_result(client: &Client) -> String {
    value(client, "anybody", "./BootstrapConfig/LastResult").unwrap()
}

#[tokio::test]
async fn a_bootstrap_is_fetched_and_installed() {
    let (_authority, server, mut client) = world().await;
    server.script([bootstrap()]);
    let url = server.at("/boot?dev={devid}&mcc={mcc}");
    let servers = client.fetch_dm1_bootstrap(&[by_tls(&url)], &mut Person::default()).await.unwrap();
    assert_eq!(servers, [server_id("s")]);
    let seen = server.only();
    assert_eq!((seen.method.as_str(), seen.header("accept")), ("GET", Some(DM)));
    assert_eq!(seen.header("omadm-devid"), Some(DEVICE_ID));
    assert_eq!(seen.uri.to_string(), "/boot?dev=IMEI%3A493005100592800&mcc=262");
    assert_eq!(last_result(&client), "installed: s");
    assert_eq!(status(&client).len(), 1);
}

#[tokio::test]
async fn servers_are_asked_in_their_order() {
    let (_authority, server, mut client) = world().await;
    put_server(&mut client, "b", &server.at("/second"), "2");
    put_server(&mut client, "a", &server.at("/third"), "3");
    put_server(&mut client, "c", &server.at("/first"), "1");
    let at = |path: &str, by| Some(source(&server.at(path), Proof::Transport, by));
    let known = KnownServers {
        smartcard: at("/card", Finder::Smartcard),
        factory: at("/factory", Finder::Factory),
        operator: at("/operator", Finder::Operator),
    };
    let paths = ["/first", "/second", "/third", "/card", "/factory", "/operator"];
    let sources = client.dm1_bootstrap_servers(&known);
    for found in 0..paths.len() {
        server.script(
            (0..found).map(|at| Answer::status(if at % 2 == 0 { 404 } else { 410 })).chain([bootstrap()]),
        );
        client.fetch_dm1_bootstrap(&sources, &mut Person::default()).await.unwrap();
        let asked: Vec<String> = server.seen().iter().map(|seen| seen.uri.path().to_owned()).collect();
        assert_eq!(asked, paths[..=found]);
    }
    put(&mut client, "SmartcardEnabled", Format::Bool, "false");
    let without: Vec<Finder> = client.dm1_bootstrap_servers(&known).iter().map(|source| source.by).collect();
    assert_eq!(
        without,
        [Finder::ConfigObject, Finder::ConfigObject, Finder::ConfigObject, Finder::Factory, Finder::Operator]
    );
    let error = client.fetch_dm1_bootstrap(&[], &mut Person::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Nothing), "{error}");
    assert_eq!(last_result(&client), error.to_string());
}

#[tokio::test]
async fn what_a_server_answers_says_what_to_do() {
    let (_authority, server, mut client) = world().await;
    let sources = [by_tls(&server.at("/one")), by_tls(&server.at("/two"))];
    for (answer, asked, outcome) in [
        (Answer::status(401), 1, "refused 401"),
        (Answer::status(403), 1, "refused 403"),
        (Answer::status(404), 2, "nothing"),
        (Answer::status(410), 2, "nothing"),
        (Answer::status(429).with("retry-after", "120"), 1, "later 120"),
        (Answer::status(503).with("retry-after", "999999999"), 1, "later 86400"),
        (Answer::status(503).with("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), 1, "later"),
        (Answer::status(503), 1, "later"),
        (Answer::status(500), 1, "later"),
        (Answer::status(204), 1, "later"),
        (Answer::HangUp, 2, "later"),
    ] {
        server.script([answer.clone(), answer.clone()]);
        let error = client.fetch_dm1_bootstrap(&sources, &mut Person::default()).await.unwrap_err();
        let shown = match &error {
            FetchError::Refused { status, .. } => format!("refused {status}"),
            FetchError::Nothing => "nothing".to_owned(),
            FetchError::Later { after: None, .. } => "later".to_owned(),
            FetchError::Later { after: Some(after), .. } => {
                assert!(*after <= DAY);
                format!("later {}", after.as_secs())
            }
            other => panic!("{other}"),
        };
        assert_eq!((server.seen().len(), shown.as_str()), (asked, outcome), "{answer:?}");
        assert_eq!(last_result(&client), error.to_string().chars().take(255).collect::<String>());
        server.unscript();
        assert!(status(&client).is_empty());
    }
}

#[tokio::test]
async fn redirects_are_followed_three_times_and_by_https_only() {
    let (_authority, server, mut client) = world().await;
    let url = by_tls(&server.at("/boot"));
    for (count, good) in [(3, true), (4, false)] {
        server.script(
            (0..count).map(|_| Answer::redirect(302, &server.elsewhere("/next"))).chain([bootstrap()]),
        );
        let outcome = client.fetch_dm1_bootstrap(std::slice::from_ref(&url), &mut Person::default()).await;
        assert_eq!(outcome.is_ok(), good, "{outcome:?}");
        assert_eq!(server.seen().len(), 4);
        server.unscript();
    }
    let plain = Server::start(None).await;
    server.script([Answer::redirect(302, &plain.at("/boot"))]);
    assert!(client.fetch_dm1_bootstrap(&[url], &mut Person::default()).await.is_err());
    assert_eq!(plain.heard(), 0);
}

#[tokio::test]
async fn a_server_with_a_wrong_certificate_is_told_nothing() {
    let (_authority, _server, mut client) = world().await;
    let stranger = Server::start(Some(Authority::new().acceptor(&["localhost"], true))).await;
    stranger.script([bootstrap()]);
    let error = client.fetch_dm1_bootstrap(&[by_tls(&stranger.at("/"))], &mut Person::default()).await;
    assert!(matches!(error, Err(FetchError::Later { .. })), "{error:?}");
    assert_eq!(stranger.heard(), 0);
    assert!(status(&client).is_empty());
}

#[tokio::test]
async fn credentials_of_http_go_to_the_server_itself_only() {
    let (_authority, server, mut client) = world().await;
    let credentials =
        BasicCredentials { user: "device".to_owned(), password: Secret::new(b"secret".to_vec()) };
    let with = |digest_only| {
        let proof = Proof::Http { credentials: credentials.clone(), digest_only };
        [source(&server.at("/boot"), proof, Finder::Factory)]
    };
    server.script([bootstrap()]);
    client.fetch_dm1_bootstrap(&with(false), &mut Person::default()).await.unwrap();
    assert_eq!(server.only().header("authorization"), Some(support::device::BASIC));

    let digest = Answer::status(401)
        .with("www-authenticate", "Digest realm=\"x\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256");
    server.script([digest, bootstrap()]);
    client.fetch_dm1_bootstrap(&with(true), &mut Person::default()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("authorization"), None);
    assert!(seen[1].header("authorization").unwrap().starts_with("Digest username=\"device\""));

    server.script([Answer::challenge()]);
    let error = client.fetch_dm1_bootstrap(&with(true), &mut Person::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Refused { status: 401, .. }), "no password goes as it is: {error}");
    assert!(server.only().header("authorization").is_none());

    server.script([Answer::redirect(302, &server.elsewhere("/boot")), bootstrap()]);
    client.fetch_dm1_bootstrap(&with(false), &mut Person::default()).await.unwrap();
    assert_eq!(server.seen()[1].header("authorization"), None, "another host");
}

/// Keys of one run.
struct Run;

impl GbaPush for Run {
    fn key(&self, transaction: &str) -> Option<NafKey> {
        (transaction == "run@bsf.example").then(|| NafKey::new([7; 32]))
    }
}

#[tokio::test]
async fn gba_is_offered_by_name_and_proved_by_digest() {
    let (_authority, server, client) = world().await;
    let mut client = client.with_gba(Box::new(Run));
    let with = |name: &str| {
        [source(&server.at("/boot"), Proof::Gba { transaction: name.to_owned() }, Finder::Factory)]
    };
    server.think(|seen: &Seen| match seen.header("authorization") {
        None => Answer::status(401).with(
            "www-authenticate",
            "Digest realm=\"3GPP-bootstrapping@s\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256",
        ),
        Some(_) => bootstrap(),
    });
    client.fetch_dm1_bootstrap(&with("run@bsf.example"), &mut Person::default()).await.unwrap();
    let seen = server.seen();
    assert!(seen[0].header("user-agent").unwrap().ends_with(" 3gpp-gba"));
    assert!(seen[1].header("authorization").unwrap().contains("username=\"run@bsf.example\""));
    let error = client.fetch_dm1_bootstrap(&with("another"), &mut Person::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Client(ClientError::Gba(_))), "{error}");
}

/// Answers everything alike and keeps what it was asked.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Vec<HttpRequest>>>);

impl Transport for Fake {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.0.lock().unwrap().push(request);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", DM.parse().unwrap());
        Ok(HttpResponse { status: StatusCode::OK, headers, body: dm(&account("s")).into() })
    }
}

#[tokio::test]
async fn a_shared_key_proves_the_device_in_tls() {
    let fake = Fake::default();
    let mut client = Client::new(open_on(Volatile::new()), fake.clone(), ClientConfig::default());
    let key = Secret::new(vec![9; 16]);
    let proof = Proof::SharedKey { identity: "device".to_owned(), key: key.clone() };
    let at = source("https://b.example/boot", proof, Finder::Factory);
    client.fetch_dm1_bootstrap(&[at], &mut Person::default()).await.unwrap();
    let sent = fake.0.lock().unwrap().remove(0);
    assert_eq!(
        sent.identity.as_deref(),
        Some(&TlsIdentity::SharedKey { identity: "device".to_owned(), key })
    );
    assert_eq!(sent.body, Bytes::new());
}

#[tokio::test]
async fn what_is_fetched_has_to_be_a_bootstrap() {
    let (_authority, server, mut client) = world().await;
    let sources = [by_tls(&server.at("/"))];
    let max = ClientConfig::default().dm1_bootstrap.max_size;
    for answer in [
        Answer::status(200).body(dm(&account("s"))),
        Answer::status(200).with("content-type", "text/html").body("<html/>"),
        Answer::status(200).with("content-type", DM).body("nonsense"),
        Answer::status(200).with("content-type", DM).body(vec![0; max]),
        Answer::status(200).with("content-type", DM).body(vec![0; max + 1]),
        Answer::status(200)
            .with("content-type", &format!("{DM}; SEC=USERPIN; MAC=00"))
            .body(dm(&account("s"))),
    ] {
        server.script([answer]);
        let mut person = Person::typing(["1234", "1234", "1234"]);
        assert!(client.fetch_dm1_bootstrap(&sources, &mut person).await.is_err());
        assert!(status(&client).is_empty());
    }
    server.script([bootstrap()]);
    let mut unwilling = Person { agrees: false, ..Person::default() };
    let error = client.fetch_dm1_bootstrap(&sources, &mut unwilling).await.unwrap_err();
    assert!(matches!(error, FetchError::Client(ClientError::BootstrapRejected(_))), "{error}");
}

#[test]
fn addresses_are_https_and_have_known_parts() {
    for good in [
        "https://b.example",
        "https://b.example/{devid}",
        "https://dm.mnc{mnc}.mcc{mcc}.example:8443/x?m={model}#f",
        &format!("https://b.example/{}", "x".repeat(2_048 - 18)),
    ] {
        assert!(UrlTemplate::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "b.example",
        "http://b.example/",
        "ftp://b.example/",
        "https://u:p@b.example/",
        "https://b.example/{imsi}",
        "https://b.example/{devid",
        "https://{devid/",
        &format!("https://b.example/{}", "x".repeat(2_049 - 18)),
    ] {
        assert!(UrlTemplate::parse(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_device_without_what_an_address_needs_goes_on_to_the_next() {
    let (_authority, server, mut client) = world().await;
    server.script([bootstrap()]);
    let sources = [by_tls(&server.at("/{mnc}")), by_tls(&server.at("/{mcc}"))];
    client.fetch_dm1_bootstrap(&sources, &mut Person::default()).await.unwrap();
    assert_eq!(server.only().uri.path(), "/262");
}

#[tokio::test]
async fn the_bootstrap_config_object_is_read_by_all_and_written_by_nobody_without_a_right() {
    let mut client = client();
    for (path, expected) in
        [("Enabled", "true"), ("RetryInterval", "60"), ("SmartcardEnabled", "true"), ("LastResult", "")]
    {
        assert_eq!(
            value(&client, "s", &format!("./BootstrapConfig/{path}")),
            Ok(expected.to_owned()),
            "{path}"
        );
    }
    let moid = value(&client, "s", "./BootstrapConfig?prop=Type");
    assert_eq!(moid, Ok("urn:oma:mo:oma-dm-bootstrapcfg:1.0".to_owned()));
    let device = client.device_mut();
    let refused = |device: &mut omadm_client::Device, path: &str, node: NewNode| {
        let uri = Dm1Uri::parse(&format!("./BootstrapConfig/{path}"), &UriLimits::default(), true).unwrap();
        let mut tree = omadm_mo::Tree::new(device.tree().catalogue().clone(), device.tree().quota());
        for (path, record) in device.tree().records() {
            tree.restore(&path, Some(record)).unwrap();
        }
        let mut change = tree.begin(Actor::Server(server_id("s")), omadm_mo::Time(0));
        let outcome = match node.format {
            Some(_) => change.dm1_add(&uri, node),
            None => change.dm1_replace(&uri, node),
        };
        outcome.unwrap_err().status()
    };
    let node = NewNode { format: Some(Format::Node), media_type: None, value: None };
    assert_eq!(refused(device, "BootstrapServer/mine", node), 425);
    let flag = NewNode { format: None, media_type: None, value: Some(Value::Text("false".to_owned())) };
    assert_eq!(refused(device, "Enabled", flag), 425);
}

#[tokio::test]
async fn settings_of_the_object_are_taken_as_far_as_they_make_sense() {
    let mut client = client();
    let read = |client: &Client| BootstrapSettings::of(client.device().tree());
    assert!(read(&client).enabled && read(&client).smartcard && read(&client).servers.is_empty());
    for (seconds, taken) in [("60", 60), ("86400", 86_400), ("59", 60), ("86401", 86_400), ("-1", 60)] {
        put(&mut client, "RetryInterval", Format::Int, seconds);
        assert_eq!(read(&client).retry, Duration::from_secs(taken), "{seconds}");
    }
    put(&mut client, "Enabled", Format::Bool, "false");
    assert!(!read(&client).enabled);
    for number in 0..20 {
        put_server(&mut client, &format!("n{number:02}"), "https://b.example/", "1");
    }
    assert_eq!(read(&client).servers.len(), 16);
    put(&mut client, "BootstrapServer/n00/AuthType", Format::Chr, "HTTP-BASIC");
    put(&mut client, "BootstrapServer/n00/AuthName", Format::Chr, "device");
    put(&mut client, "BootstrapServer/n00/AuthSecret", Format::Chr, "secret");
    put(&mut client, "BootstrapServer/n01/AuthType", Format::Chr, "MAGIC");
    put(&mut client, "BootstrapServer/n02/URL", Format::Chr, "http://b.example/");
    let servers = read(&client).servers;
    let Proof::Http { credentials, digest_only: false } = &servers[0].proof else { panic!() };
    assert_eq!((credentials.user.as_str(), credentials.password.expose()), ("device", &b"secret"[..]));
    assert_eq!(servers[1].proof, Proof::Transport, "those that cannot be used are passed over");
    assert_eq!(value(&client, "s", "./BootstrapConfig/BootstrapServer/n00/AuthSecret"), Err(405));
}
