//! Bootstrap from a smartcard (`DM 2.0 §8.1, §G`): real agent, real PC/SC, a card of software, the real server.

use std::path::Path;
use std::process::Command;

use http::Method;
use omadm_conformance::{Account, Authority, CardDevice, ScriptServer, TestServer, proves};
use omadm_softcard::image::{Data, Directory, Object, PROVISIONING_OID};
use omadm_softcard::{Access, Card, Image, Inserted, Kind, Pcscd, Pin, SOCKET, Setup};
use serde_json::json;

/// A bootstrap that the server makes for a device.
pub async fn bootstrap(server: &TestServer, id: &str) -> Vec<u8> {
    let request = json!({ "device": { "id": id, "replace": true } });
    let reply = server.rest(Method::POST, "/bootstrap", Some(&request)).await;
    assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
    reply.json()["bootstrap"].to_string().into_bytes()
}

/// An account of a server that nobody runs.
fn account(id: &str) -> Vec<u8> {
    json!([Account::new(id, "https://127.0.0.1:9/dm").bootstrap_item()]).to_string().into_bytes()
}

fn card(kind: Kind, image: Image) -> Card {
    Card::new(Setup { kind, image, ..Setup::default() })
}

/// What was said to the card since a place, as hexadecimal digits.
pub fn said(card: &Inserted) -> Vec<String> {
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02X}")).collect();
    card.trace().iter().map(|(command, _)| hex(command)).collect()
}

/// Whether these commands were said in this order, others between them.
pub fn in_order(said: &[String], wanted: &[&str]) {
    let mut rest = said.iter();
    for wanted in wanted {
        assert!(rest.any(|command| command.starts_with(wanted)), "{wanted} is not in its place in {said:#?}");
    }
}

fn id(number: u32) -> String {
    format!("UUID:5ca2d000-4b8e-4b5c-9c8b-6f1d5a1d{number:04}")
}

#[tokio::test]
async fn each_kind_of_card_brings_up_an_account_and_a_session() {
    proves!(
        "DM-BOOT-002-C-O",
        "DM-BOOT-008-C-O",
        "DM-BOOT-009-C-O",
        "DM-BOOT-010-C-O",
        "D2-8-01",
        "D2-8.1-01",
        "D2-8.1-03",
        "D2-8.1-06",
        "D2-8.1-07",
        "D2-8.4-05",
        "D2-G.1-01",
        "D2-G.1-02",
        "D2-G.1-04",
        "D2-G.2.1-01",
        "D2-G.2.1-02",
        "D2-G.2.3-01",
        "D2-G.2.5-01",
        "D2-G.2.5-02",
        "D2-G.2.5-03",
        "D2-G.2.5-04",
        "D2-G.2.5-05",
        "D2-G.3.1-01",
        "D2-G.3.1-02",
        "D2-G.3.1-03",
        "D2-G.3.5-01",
        "D2-G.4.3-01",
    );
    let server = TestServer::start().await;
    let cases = [
        (Kind::Uicc, "", false),
        (Kind::Uicc, "", true),
        (Kind::Sim, "", false),
        (Kind::Sim, "mode = \"sim\"\n", true),
    ];
    for (number, (kind, settings, transparent_dir)) in (0..).zip(cases) {
        let id = id(number);
        let mut device = CardDevice::new(&server.ca_file(), &id, settings).await;
        // Octets FF behind the JSON are no part of it.
        let image = Image { transparent_dir, ..Image::of(&bootstrap(&server, &id).await) };
        let inserted = device.insert(card(kind, image));
        device.start();
        device.until("bootstrap of the card installed").await;
        while server.items(&format!("/devices/{id}/sessions")).await.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(device.accounts().await.0.len(), 1, "{kind:?} {settings}");
        let said = said(&inserted);
        let dir = if transparent_dir { "B0" } else { "B201" };
        match kind {
            Kind::Sim => in_order(
                &said,
                &[
                    "A0A40000022F00",
                    &format!("A0{dir}"),
                    "A0A40000023F00",
                    "A0A40000027F50",
                    "A0A40000025031",
                    "A0B000",
                    "A0A40000026420",
                    "A0B000",
                    "A0A40000026421",
                    "A0B000",
                ],
            ),
            Kind::Uicc => in_order(
                &said,
                &[
                    "00A40804022F00",
                    &format!("00{dir}"),
                    "0070000001",
                    "01A404040CA000000063504B43532D3135",
                    "01A40004025031",
                    "01B000",
                    "01A40004026420",
                    "01B000",
                    "01A40004026421",
                    "01B000",
                    "01B001",
                    "00708001",
                ],
            ),
        }
        // A restart reads the card again, and changes nothing that is as it was.
        device.stop().await;
        inserted.card(omadm_softcard::Flawed::begin);
        device.start();
        device.until("nothing new on the card").await;
        assert!(!inserted.trace().is_empty());
        assert_eq!(device.accounts().await.0.len(), 1);
        device.stop().await;
    }
}

#[tokio::test]
async fn files_are_found_by_the_directories_in_their_order() {
    proves!("D2-G.1-03", "D2-G.1-06", "D2-G.4.2-04");
    let authority = Authority::new();
    let mut device = CardDevice::new(&authority.ca_file(), &id(100), "").await;
    let data = |file, octets: Vec<u8>| Data { file, read: Access::Always, octets };
    let object = |file, oid: Vec<u8>| Object { file, oid, ..Object::default() };
    let image = Image {
        application: 0x5F50,
        path: Some(vec![0x3F, 0x00, 0x5F, 0x50]),
        directories: vec![
            Directory {
                file: 0x6410,
                objects: vec![object(0x6001, PROVISIONING_OID.to_vec())],
                ..Directory::default()
            },
            Directory {
                file: 0x7777,
                objects: vec![Object { file: 0x1234, ..Object::default() }],
                ..Directory::default()
            },
            Directory {
                file: 0x7778,
                objects: vec![Object { file: 0x1235, ..Object::default() }],
                ..Directory::default()
            },
        ],
        data: vec![
            data(0x6001, account("provisioning")),
            data(0x1234, account("first")),
            data(0x1235, account("second")),
        ],
        ..Image::default()
    };
    let _card = device.insert(card(Kind::Uicc, image));
    device.start();
    device.until("bootstrap of the card installed").await;
    assert_eq!(device.accounts().await.0, ["first"]);
}

#[tokio::test]
async fn a_card_without_a_bootstrap_is_no_trouble() {
    proves!("D2-8.1-01", "D2-G.1-02", "D2-G.1-05", "D2-G.2.5-02", "D2-G.3.1-03", "D2-G.4.3-01");
    let authority = Authority::new();
    let mut device = CardDevice::new(&authority.ca_file(), &id(110), "").await;
    device.start();
    device.until("there is no card").await;
    let empty = Image::of(&[0xFF; 64]);
    let elsewhere = Image { path: Some(vec![0x3F, 0x00, 0x7F, 0x51]), ..Image::of(&account("lost")) };
    for (kind, image) in [
        (Kind::Uicc, Image { without_application: true, ..Image::default() }),
        (Kind::Uicc, Image { directories: Vec::new(), ..Image::default() }),
        (Kind::Uicc, empty.clone()),
        (Kind::Sim, empty),
        (Kind::Sim, Image { path: None, ..Image::of(&account("unsaid")) }),
        (Kind::Sim, elsewhere),
    ] {
        let inserted = device.insert(card(kind, image));
        device.until("nothing new on the card").await;
        device.pull(inserted).await;
        assert_eq!(device.accounts().await, (vec![], vec![]));
    }
}

#[tokio::test]
async fn accounts_of_a_card_go_with_it_and_no_others() {
    proves!("DM-BOOT-012-C-O", "D2-8.1-04", "D2-8.1-05", "DM-BOOT-009-C-O", "D2-8.1-02");
    let authority = Authority::new();
    let mut device = CardDevice::new(&authority.ca_file(), &id(120), "").await;
    let directory = tempfile::tempdir().unwrap();
    let factory = directory.path().join("factory.json");
    std::fs::write(&factory, account("factory")).unwrap();
    let built_in = format!("[bootstrap]\nfile = {factory:?}\n");
    device.configure(&built_in);

    let first = device.insert(card(Kind::Uicc, Image::of(&account("card-1"))));
    device.start();
    device.until("bootstrap of the card installed").await;
    assert_eq!(device.accounts().await.0, ["card-1", "factory"]);
    device.pull(first).await;
    // Taken out while the device is on: nothing goes. Another card at the next start: only what was on the first goes.
    device.stop().await;
    let second = device.insert(card(Kind::Sim, Image::of(&account("card-2"))));
    device.start();
    device.until("bootstrap of the card installed").await;
    assert_eq!(device.accounts().await.0, ["card-2", "factory"]);
    device.stop().await;

    // A card that cannot be read says nothing of what is on it.
    second.card(|card| *card = card_that_is_broken());
    device.start();
    device.until("the card is not read, accounts of cards are kept").await;
    device.stop().await;
    assert_eq!(device.accounts().await.0, ["card-2", "factory"]);
    second.pull();

    // Nor does a reader that is not there; and a policy that leaves cards alone leaves accounts alone.
    device.configure(&format!("reader = \"no such reader\"\n{built_in}"));
    device.start();
    device.until("no card can be read, accounts of cards are kept").await;
    device.stop().await;
    device.agent.configure(&format!("[session]\npoll_interval = 0\n{built_in}"));
    let unread = device.insert(card(Kind::Uicc, Image::of(&account("card-3"))));
    device.start();
    device.until("running").await;
    device.agent.ready().await;
    assert!(unread.trace().is_empty(), "a policy that is off");
    device.stop().await;
    unread.pull();
    device.configure(&format!("keep_without_card = true\n{built_in}"));
    device.start();
    device.until("there is no card; accounts of cards are kept").await;
    device.stop().await;
    assert_eq!(device.accounts().await.0, ["card-2", "factory"]);

    device.configure(&built_in);
    device.start();
    device.until("accounts removed that came from a card").await;
    device.stop().await;
    assert_eq!(device.accounts().await.0, ["factory"]);
}

fn card_that_is_broken() -> omadm_softcard::Flawed {
    let image = Image { odf: Some(b"\xA7\x7F\x30".to_vec()), ..Image::of(b"[]") };
    card(Kind::Uicc, image).into()
}

#[tokio::test]
async fn a_card_does_not_take_the_place_of_what_came_in_another_way() {
    let authority = Authority::new();
    let server = ScriptServer::https(&authority).await;
    let mut device = CardDevice::new(&authority.ca_file(), &id(130), "").await;
    let directory = tempfile::tempdir().unwrap();
    let factory = directory.path().join("factory.json");
    let own = json!([Account::new("mine", &server.uri("/mine")).bootstrap_item()]);
    std::fs::write(&factory, own.to_string()).unwrap();
    let built_in = format!("[bootstrap]\nfile = {factory:?}\n");
    device.configure(&built_in);
    let inserted = device.insert(card(Kind::Uicc, Image::of(&account("mine"))));
    device.start();
    let line = device.until("the card is not applied, nothing is changed").await;
    assert!(line.contains("did not come from a card"), "{line}");
    device.stop().await;
    device.configure(&format!("replace = true\n{built_in}"));
    device.start();
    device.until("bootstrap of the card installed").await;
    device.stop().await;
    inserted.pull();
    device.start();
    device.until("accounts removed that came from a card").await;
}

/// Settings of a device whose user types this.
fn typing(digits: &str) -> String {
    format!(
        "[dm1]\nuser = \"command\"\nuser_command = [\"sh\", \"-c\", \"cat > /dev/null; echo {digits}\"]\n"
    )
}

#[tokio::test]
async fn a_private_bootstrap_needs_the_pin_and_tries_are_spared() {
    proves!("D2-G.2.4-01", "D2-G.3.4-01");
    let authority = Authority::new();
    for (number, kind, reference) in
        [(140, Kind::Sim, 0x01), (141, Kind::Uicc, 0x01), (142, Kind::Uicc, 0x81)]
    {
        let mut device = CardDevice::new(&authority.ca_file(), &id(number), &typing("1111")).await;
        let image = Image::private(&account("private"));
        let pin = Pin { reference, ..Pin::default() };
        let inserted = device.insert(Card::new(Setup { kind, image, pin, ..Setup::default() }));
        device.start();
        let line = device.until("the card is not read").await;
        assert!(line.contains("1 try left"), "{line}");
        assert_eq!(inserted.card(|card| card.card.tries()), 1);
        assert_eq!(device.accounts().await, (vec![], vec![]));
        device.stop().await;
        // The next start does not use up the last try either, nor does the PIN of the configuration.
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pin");
        std::fs::write(&file, "2468\n").unwrap();
        device.configure(&format!("pin_file = {file:?}\n{}", typing("1111")));
        device.start();
        device.until("1 try left").await;
        device.stop().await;
        assert_eq!(inserted.card(|card| card.card.tries()), 1);
        // With leave it does, and a wrong PIN blocks the card, which is the end.
        device.configure(&format!("last_try = true\n{}", typing("1111")));
        device.start();
        device.until("is blocked").await;
        device.stop().await;
        inserted.card(omadm_softcard::Flawed::begin);
        device.start();
        device.until("is blocked").await;
        device.stop().await;
        let verify = if kind == Kind::Sim { "A020" } else { "0120" };
        let shown =
            said(&inserted).into_iter().any(|command| command.starts_with(verify) && command.len() > 10);
        assert!(!shown, "a blocked PIN is not shown again");
        assert_eq!(device.accounts().await, (vec![], vec![]));
        inserted.pull();

        let pin = Pin { reference, ..Pin::default() };
        let image = Image::private(&account("private"));
        let fresh = device.insert(Card::new(Setup { kind, image, pin, ..Setup::default() }));
        device.configure(&format!("pin_file = {file:?}\n"));
        device.start();
        device.until("bootstrap of the card installed").await;
        let select = if kind == Kind::Sim { "A0A40000026421" } else { "01A40004026421" };
        let full = format!("{verify}00{reference:02X}08");
        let read = if kind == Kind::Sim { "A0B0" } else { "01B0" };
        in_order(&said(&fresh), &[select, &full, read]);
        assert_eq!(device.accounts().await.0, ["private"]);
        device.stop().await;
    }
}

/// Runs a tool of OpenSC that has to succeed.
fn opensc(pcscd: &Pcscd, settings: &Path, program: &str, words: &[&str]) -> String {
    let mut command = Command::new(program);
    command.env(SOCKET, pcscd.socket()).env("OPENSC_CONF", settings).args(words);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words:?}: {text} {}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn the_tools_of_opensc_read_the_card_of_software_alike() {
    proves!("D2-G.1-02", "D2-G.1-04", "D2-G.4.2-03");
    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join("opensc.conf");
    // Without its drivers for cards of certain makers.
    let unknown = "enable_default_driver = true; force_card_driver = default;";
    std::fs::write(&settings, format!("app default {{ {unknown} }}\n")).unwrap();
    let pcscd = Pcscd::start().unwrap();
    let opensc = |program, words: &[&str]| opensc(&pcscd, &settings, program, words);
    let content = account("opensc");
    let inserted = pcscd.insert(card(Kind::Uicc, Image::of(&content))).unwrap();
    while !opensc("opensc-tool", &["-l"]).contains("Yes") {
        std::thread::yield_now();
    }
    let shown =
        opensc("opensc-tool", &["-s", "00A40004023F00", "-s", "00A40804022F0000", "-s", "00B2020430"]);
    assert!(shown.contains("PKCS-15") && shown.contains("SW1=0x90, SW2=0x00"), "{shown}");
    let dump = opensc("pkcs15-tool", &["-D"]);
    for expected in ["Data object 'DM Bootstrap'", "2.23.43.7.1", "3f007f506421"] {
        assert!(dump.contains(expected), "{expected}: {dump}");
    }
    let file = directory.path().join("object");
    opensc("pkcs15-tool", &["-R", "2.23.43.7.1", "--raw", "-o", &file.display().to_string()]);
    let read = std::fs::read(&file).unwrap();
    assert!(read.starts_with(&content), "what OpenSC reads is what is on the card");
    assert!(read[content.len()..].iter().all(|octet| *octet == 0xFF), "and what fills up the file");
    inserted.pull();
}
