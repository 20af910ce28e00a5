//! Bootstraps of DM 1.3 on smartcards (`DM 1.3 BOOT §5.5.6, §5.5.7, §6.3`): in a file of the card, and at an address that the card names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use omadm_conformance::{Answer, Authority, CardDevice, ScriptServer, TestServer, proves};
use omadm_softcard::{Card, Flawed, Image, Kind, Setup};
use serde_json::json;

/// A message of the DM profile that the server makes for a device, not secured: the card is what secures it.
async fn message(server: &TestServer, id: &str) -> Vec<u8> {
    let wish = json!({ "device": { "id": id, "replace": true }, "profile": "dm", "dm1": {} });
    let answer = server.rest(Method::POST, "/bootstrap", Some(&wish)).await;
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    STANDARD.decode(answer.json()["dm1"]["content_base64"].as_str().unwrap()).unwrap()
}

fn card(kind: Kind, image: Image) -> Flawed {
    Card::new(Setup { kind, image, ..Setup::default() }).into()
}

fn id(number: u32) -> String {
    format!("UUID:5ca2d013-4b8e-4b5c-9c8b-6f1d5a1d{number:04}")
}

#[tokio::test]
async fn a_message_on_a_card_brings_up_an_account_and_a_session() {
    proves!(
        "P13-DMBOOT-5.3-01",
        "P13-DMBOOT-5.5.6-01",
        "P13-DMBOOT-5.5.6-02",
        "P13-DMBOOT-5.5.6-03",
        "P13-DMBOOT-5.5-03",
        "E13-DMBOOT"
    );
    let server = TestServer::start().await;
    for (number, kind) in [(0, Kind::Uicc), (1, Kind::Sim)] {
        let id = id(number);
        let mut device = CardDevice::new(&server.ca_file(), &id, "").await;
        let octets = message(&server, &id).await;
        let inserted = device.insert(card(kind, Image::of(&octets)));
        device.start();
        device.until("bootstrap of the card installed").await;
        device.until("DM 1.x session ended").await;
        assert_eq!(device.accounts().await, (vec![], vec!["omadm".to_owned()]));
        device.stop().await;
        // A card that is rejected is not read.
        device.agent.configure("[session]\npoll_interval = 0\n");
        inserted.card(Flawed::begin);
        device.start();
        device.until("running").await;
        device.agent.ready().await;
        device.stop().await;
        assert!(inserted.trace().is_empty());
        inserted.pull();
        device.configure("");
        let broken = device.insert(card(kind, Image::of(&octets[..octets.len() / 2])));
        device.start();
        device.until("the card is not applied, nothing is changed").await;
        assert_eq!(device.accounts().await.1, ["omadm"]);
        device.stop().await;
        broken.pull();
        device.start();
        device.until("accounts removed that came from a card").await;
        assert_eq!(device.accounts().await, (vec![], vec![]));
        device.stop().await;
    }
}

#[tokio::test]
async fn a_card_says_where_the_bootstrap_is() {
    proves!("P13-DMBOOT-5.5.7-01", "P13-DMBOOT-5.5.7-02", "P13-DMBOOT-6.3-03");
    let (server, authority) = (TestServer::start().await, Authority::new());
    let web = ScriptServer::https(&authority).await;
    let trusted = tempfile::NamedTempFile::new().unwrap();
    let both = [server.ca_file(), authority.ca_file()].map(|file| std::fs::read(file).unwrap());
    std::fs::write(trusted.path(), both.concat()).unwrap();
    let id = id(10);
    let content = message(&server, &id).await;
    web.route(&Method::GET, "/card", Answer::body("application/vnd.syncml.dm+wbxml", content));
    let mut device = CardDevice::new(trusted.path(), &id, "").await;
    let mut image = Image::of(b"");
    image.directories[0].objects[0].url = Some(web.uri("/card"));
    let inserted = device.insert(card(Kind::Uicc, image));
    device.start();
    device.until("bootstrap of the card installed").await;
    device.until("DM 1.x session ended").await;
    device.stop().await;
    assert_eq!(device.accounts().await.1, ["omadm"]);
    let asked = || web.requests().into_iter().filter(|request| request.target == "/card").count();
    assert_eq!(asked(), 1, "a GET to the address on the card");
    // What is fetched is fetched.
    device.start();
    device.until("nothing new on the card").await;
    device.stop().await;
    assert_eq!(asked(), 1);
    inserted.pull();
    device.start();
    device.until("accounts removed that came from a card").await;
    assert_eq!(device.accounts().await, (vec![], vec![]));
}

#[tokio::test]
async fn an_address_on_a_card_that_cannot_be_trusted_gives_nothing() {
    proves!("P13-DMBOOT-5.5.7-02", "P13-DMBOOT-6.3-03");
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (web, other) = (ScriptServer::https(&authority).await, ScriptServer::https(&stranger).await);
    let dm = "application/vnd.syncml.dm+wbxml";
    let server = TestServer::start().await;
    let id = id(20);
    let content = message(&server, &id).await;
    other.route(&Method::GET, "/card", Answer::body(dm, content.clone()));
    web.route(&Method::GET, "/rubbish", Answer::body(dm, b"rubbish".to_vec()));
    web.route(&Method::GET, "/torn", Answer::body(dm, content[..content.len() / 2].to_vec()));
    web.route(&Method::GET, "/kind", Answer::body("text/html", content));
    let mut device = CardDevice::new(&authority.ca_file(), &id, "").await;
    device.start();
    device.until("there is no card").await;
    let plain = web.uri("/torn").replace("https:", "http:");
    let addresses = [
        plain,
        other.uri("/card"),
        web.uri("/rubbish"),
        web.uri("/torn"),
        web.uri("/kind"),
        web.uri("/gone"),
    ];
    for (number, address) in (0..).zip(addresses) {
        let mut image = Image { iccid: vec![number; 10], ..Image::of(b"") };
        image.directories[0].objects[0].url = Some(address.clone());
        let inserted = device.insert(card(Kind::Uicc, image));
        device.until("the card is not applied").await;
        assert_eq!(device.accounts().await, (vec![], vec![]), "{address}");
        device.pull(inserted).await;
    }
    assert!(other.requests().is_empty(), "nothing is said to a server whose certificate nobody vouches for");
}
