//! Bootstrap by the client (`DM 2.0 §8.3`): from whom it takes one, and who has to agree (`§9.3, §12.2`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_client::{
    Always, BootstrapRequest, BootstrapSource, ClientError, Consent, Origin, Received, Refusal, StatusCode,
    TransportError,
};
use omadm_conformance::{
    Account, AgentProcess, Answer, Authority, Bench, DEVICE_ID, DeviceSetup, MOID, PLAIN_MOID, SECRET,
    ScriptServer, TestDevice, USER, proves,
};
use omadm_mo::ServerUri;
use omadm_mo::well_known::DMACC;
use serde_json::{Value, json};

const COMPLETE: &str = "urn:oma:at:dm:2.0:BootstrapComplete";
const MO_DATA: &str = "application/dmmo+json";

/// A user who gives an answer and remembers what was asked.
#[derive(Default)]
struct User {
    refuses: bool,
    asked: Vec<BootstrapRequest>,
}

impl Consent for User {
    async fn decide(&mut self, request: &BootstrapRequest) -> Result<(), Refusal> {
        self.asked.push(request.clone());
        if self.refuses { Err(Refusal::new(StatusCode::USER_REJECTED, "not today")) } else { Ok(()) }
    }
}

fn source(uri: &str) -> BootstrapSource {
    BootstrapSource { uri: ServerUri::parse(uri).unwrap(), credentials: None }
}

fn local(bootstrap: &Value) -> Received {
    let body = bootstrap.to_string().into_bytes().into();
    Received { origin: Origin::Local, content_type: MO_DATA.to_owned(), body }
}

async fn fetch(device: &mut TestDevice, uri: &str) -> Result<Vec<String>, ClientError> {
    let servers = device.client.fetch_bootstrap(&source(uri), &mut Always).await?;
    Ok(servers.into_iter().map(|server| server.to_string()).collect())
}

/// A server that has a bootstrap for one device at `/bootstrap?dev=…`.
async fn bootstrap_server(authority: &Authority) -> (ScriptServer, String) {
    let server = ScriptServer::https(authority).await;
    let item = Account::new("DMS1", &server.dm_uri()).bootstrap_item();
    server.serve(&format!("/bootstrap?dev={DEVICE_ID}"), &json!([item]));
    let template = server.uri("/bootstrap?dev=[DevID]");
    (server, template)
}

#[tokio::test]
async fn a_device_fetches_its_bootstrap_from_the_server_that_it_knows() {
    proves!("DM-BOOT-004-C-O", "D2-8.3-01");
    let authority = Authority::new();
    let (server, template) = bootstrap_server(&authority).await;
    let mut device = DeviceSetup::new([], Some(authority.ca_file())).open();
    assert_eq!(fetch(&mut device, &template).await.unwrap(), ["DMS1"]);
    let request = server.requests().remove(0);
    assert_eq!(request.target, format!("/bootstrap?dev={DEVICE_ID}"), "the parameter is replaced");
    assert_eq!((request.method.as_str(), request.header("accept")), ("GET", Some(MO_DATA)));
    assert_eq!(request.header("omadm-devid"), Some(DEVICE_ID));
    assert!(request.tls && request.header("authorization").is_none());
    device.session("DMS1").await;
    assert_eq!(server.package1(0).alert_types(), [COMPLETE]);
    assert_eq!(device.miids(DMACC), ["DMS1"]);
}

#[tokio::test]
async fn a_device_takes_a_bootstrap_from_no_other_server_and_over_no_open_way() {
    proves!("D2-9.3-01", "DM-BOOT-007-C-M", "D2-8.4-01");
    let authority = Authority::new();
    let (known, template) = bootstrap_server(&authority).await;
    // It has a good certificate, too.
    let (stranger, stranger_template) = bootstrap_server(&authority).await;
    let (fraud, fraud_template) = bootstrap_server(&Authority::new()).await;
    let mut device = DeviceSetup::new([], Some(authority.ca_file())).open();
    let before = device.client.device().status();

    let elsewhere = stranger_template.replace("[DevID]", DEVICE_ID);
    known.route(&Method::GET, "/moved", Answer::status(302).with("location", &elsewhere));
    let refused = fetch(&mut device, &known.uri("/moved")).await;
    assert!(matches!(refused, Err(ClientError::Transport(TransportError::Redirect { .. }))), "{refused:?}");
    assert!(stranger.requests().is_empty(), "it does not even learn of the device");

    let refused = fetch(&mut device, &fraud_template).await;
    assert!(matches!(refused, Err(ClientError::Transport(TransportError::Failed { .. }))), "{refused:?}");
    assert!(fraud.requests().is_empty());

    let open = ScriptServer::http().await;
    let item = json!([Account::new("DMS1", &known.dm_uri()).bootstrap_item()]);
    let refused = fetch(&mut device, &open.serve("/bootstrap", &item)).await;
    assert!(matches!(refused, Err(ClientError::BootstrapUnsecured { .. })), "{refused:?}");
    assert!(open.requests().is_empty());
    for (secured, expected) in [(false, false), (true, true)] {
        let origin = Origin::Pushed { by: "somebody".to_owned(), secured };
        let pushed = Received { origin, ..local(&item) };
        assert_eq!(device.client.device().status(), before);
        let installed = device.client.install_received(pushed, &mut Always).await;
        assert_eq!(installed.is_ok(), expected, "{installed:?}");
    }
    assert_eq!(
        fetch(&mut device, &template).await.unwrap(),
        ["DMS1"],
        "the server that it knows may do it again"
    );
}

#[tokio::test]
async fn what_is_no_bootstrap_leaves_the_tree_as_it_was() {
    let authority = Authority::new();
    let (server, template) = bootstrap_server(&authority).await;
    let mut device = DeviceSetup::new([], Some(authority.ca_file())).open();
    let before = device.client.device().status();
    let bootstrap = json!([Account::new("DMS1", &server.dm_uri()).bootstrap_item()]).to_string();
    let answers = [
        Answer::status(404),
        Answer::status(403),
        Answer::status(204),
        Answer::body("text/plain", bootstrap.clone()),
        Answer::body("application/dmmo+json; SEC=NETWPIN", bootstrap.clone()),
        Answer::body("application/dmmo+json; SEC=3GPP_GBA", bootstrap.clone()),
        Answer::status(200),
        Answer::body(MO_DATA, "[]"),
        Answer::body(MO_DATA, &bootstrap.as_bytes()[..bootstrap.len() - 1]),
        Answer::body(MO_DATA, vec![b' '; 2 << 20]),
    ];
    for answer in answers {
        let target = format!("/bootstrap?dev={DEVICE_ID}");
        server.route(&Method::GET, &target, answer.clone());
        let refused = fetch(&mut device, &template).await;
        assert!(refused.is_err(), "{answer:?}");
        assert_eq!(device.client.device().status(), before, "{answer:?}");
    }
    assert!(server.package_requests().is_empty());
}

#[tokio::test]
async fn a_user_sees_what_a_bootstrap_asks_for_and_can_refuse_it() {
    proves!("D2-12.2-05", "D2-12.2-07");
    let mut bench = Bench::new().await;
    let again = Account::new("DMS1", &bench.server.dm_uri()).bootstrap_item();
    let further =
        Account::new("DMS2", &bench.server.uri("/two")).for_moids(&[MOID, PLAIN_MOID]).bootstrap_item();
    let vendor = json!({ "ClientURI": format!("{PLAIN_MOID}//"), "MOData": { "v": { "Name": "x" } } });
    let bootstrap = json!([again, vendor, further]);
    let before = bench.device.client.device().status();
    let mut user = User { refuses: true, ..User::default() };
    let refused = bench.device.client.install_received(local(&bootstrap), &mut user).await;
    let Err(ClientError::BootstrapRejected(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!((refusal.status.0, refusal.reason.as_str()), (507, "not today"));
    assert_eq!(bench.device.client.device().status(), before, "nothing is installed");
    assert!(!bench.device.has(&format!("{PLAIN_MOID}/v/")));

    let asked = user.asked.remove(0);
    assert_eq!(asked.origin, Origin::Local);
    let accounts: Vec<_> = asked
        .accounts
        .iter()
        .map(|account| {
            (account.server.as_str(), account.name.as_str(), account.moids.clone(), account.replaces)
        })
        .collect();
    let two = vec![MOID.to_owned(), PLAIN_MOID.to_owned()];
    assert_eq!(
        accounts,
        [("DMS1", "server DMS1", vec!["*".to_owned()], true), ("DMS2", "server DMS2", two, false)]
    );
    assert_eq!(asked.accounts[1].uri, bench.server.uri("/two"));
    assert_eq!(asked.objects.iter().map(ToString::to_string).collect::<Vec<_>>(), [PLAIN_MOID]);

    user.refuses = false;
    let installed = bench.device.client.install_received(local(&bootstrap), &mut user).await.unwrap();
    assert_eq!(installed.len(), 2);
    assert_eq!(bench.device.miids(DMACC), ["DMS1", "DMS2"]);
    assert_eq!(user.asked, [asked], "asked once more, and for the same");
    let named = bench.run(json!([["GET", format!("{DMACC}/DMS1/Name")]])).await;
    assert_eq!(named.value(0), "server DMS1");

    let broken = json!([{ "ClientURI": format!("{DMACC}//"), "MOData": { "x": { "SrvID": "DMS3" } } }]);
    let refused = bench.device.client.install_received(local(&broken), &mut user).await;
    assert!(matches!(refused, Err(ClientError::Bootstrap(_))), "{refused:?}");
    assert_eq!(user.asked.len(), 1, "nobody is asked about what cannot be installed");
}

#[tokio::test]
async fn an_agent_without_an_account_fetches_one_with_the_credentials_of_its_configuration() {
    proves!("D2-12.2-15");
    let authority = Authority::new();
    let (server, template) = bootstrap_server(&authority).await;
    let directory = tempfile::tempdir().unwrap();
    let password = directory.path().join("password");
    std::fs::write(&password, format!("{SECRET}\n")).unwrap();
    let bare = format!("[bootstrap]\nurl = {template:?}\n");
    let settings = format!("{bare}user = {USER:?}\npassword_file = {password:?}\n");

    let agent = AgentProcess::new(&authority.ca_file(), DEVICE_ID, &settings).await;
    let mut running = agent.start();
    server.wait_for(2).await;
    running.kill().await.unwrap();
    let requests = server.requests();
    let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{SECRET}")));
    assert_eq!(requests[0].target, format!("/bootstrap?dev={DEVICE_ID}"));
    assert_eq!(requests[0].header("authorization"), Some(basic.as_str()));
    assert_eq!(server.package1(0).alert_types(), [COMPLETE]);

    let target = format!("/bootstrap?dev={DEVICE_ID}");
    let challenge = Answer::status(401).with("www-authenticate", "Basic realm=\"bs\"");
    server.route(&Method::GET, &target, challenge);
    let stranger = AgentProcess::new(&authority.ca_file(), DEVICE_ID, &bare).await;
    let said = stranger.refusal(&["bootstrap"]).await;
    assert!(said.contains("401") && said.contains("/bootstrap?dev="), "{said}");
}

#[tokio::test]
async fn the_agent_asks_a_command_before_it_installs_a_bootstrap() {
    let authority = Authority::new();
    let (server, template) = bootstrap_server(&authority).await;
    let settings = |script: &str| {
        format!("[bootstrap]\nconsent = \"command\"\nconsent_command = [\"sh\", \"-c\", {script:?}]\n")
    };
    let refuses = AgentProcess::new(&authority.ca_file(), DEVICE_ID, &settings("exit 3")).await;
    let said = refuses.refusal(&["bootstrap", "--from", &template]).await;
    assert!(said.contains("rejected") && said.contains("refused it"), "{said}");
    let status = refuses.run(&["status", "--output", "json"]).await.stdout;
    let status: Value = serde_json::from_slice(&status).unwrap();
    assert_eq!(status["accounts"], json!([]));
    assert!(server.package_requests().is_empty());

    let agrees = AgentProcess::new(&authority.ca_file(), DEVICE_ID, &settings("grep -q server.DMS1")).await;
    agrees.run(&["bootstrap", "--from", &template]).await;
    assert_eq!(server.package1(0).alert_types(), [COMPLETE]);
}
