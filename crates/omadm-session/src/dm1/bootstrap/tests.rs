use omadm_auth::Secret;
use omadm_auth::bootstrap::{MacHash, Method, Pin, Profile, Secrets, Sender};
use omadm_codec::dm1::{Encoding, Form, Version, tnds};
use omadm_codec::provisioning::ProvisioningDocument;
use omadm_codec::{Leniency, Limits};
use omadm_mo::dm1::{Snapshot, SnapshotNode, SnapshotType};
use omadm_mo::{Format, Value};
use proptest::prelude::*;

use super::*;

/// The example of bootstrap-security.md §2.9.
const EXAMPLE: &str = r#"<wap-provisioningdoc version="1.1">
 <characteristic type="NAPDEF"><parm name="NAPID" value="N1"/><parm name="BEARER" value="GSM-GPRS"/><parm name="NAME" value="Op"/>
  <parm name="NAP-ADDRESS" value="dm.op"/><parm name="NAP-ADDRTYPE" value="APN"/></characteristic>
 <characteristic type="APPLICATION"><parm name="APPID" value="w7"/><parm name="PROVIDER-ID" value="dm.example.com"/><parm name="NAME" value="Op DM"/>
  <parm name="TO-NAPID" value="N1"/><parm name="INIT"/>
  <characteristic type="APPADDR"><parm name="ADDR" value="https://dm.example.com/dm"/><parm name="ADDRTYPE" value="URI"/>
   <characteristic type="PORT"><parm name="PORTNBR" value="443"/></characteristic></characteristic>
  <characteristic type="APPAUTH"><parm name="AAUTHLEVEL" value="APPSRV"/><parm name="AAUTHTYPE" value="DIGEST"/><parm name="AAUTHNAME" value="dev1"/>
   <parm name="AAUTHSECRET" value="c-secret"/><parm name="AAUTHDATA" value="bm9uY2U="/></characteristic>
  <characteristic type="APPAUTH"><parm name="AAUTHLEVEL" value="CLIENT"/><parm name="AAUTHTYPE" value="DIGEST"/><parm name="AAUTHNAME" value="dm.example.com"/>
   <parm name="AAUTHSECRET" value="s-secret"/><parm name="AAUTHDATA" value="bm9uY2U="/></characteristic>
 </characteristic></wap-provisioningdoc>"#;
const ACL: &str = "Delete=dm.example.com&Get=dm.example.com&Replace=dm.example.com";

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text.as_bytes().to_vec()))
}

fn credentials(level: AuthLevel, auth_type: AuthType, name: &str, password: &str) -> Credentials {
    let name = Some(name.to_owned());
    Credentials { level, auth_type, name, secret: secret(password), nonce: secret("nonce") }
}

fn address(address: &str, ports: &[u16]) -> Address {
    Address { address: address.to_owned(), kind: AddressType::URI, ports: ports.to_vec() }
}

/// What the example says.
fn account() -> Account {
    Account {
        server_id: "dm.example.com".to_owned(),
        name: Some("Op DM".to_owned()),
        addresses: vec![address("https://dm.example.com/dm", &[443])],
        connections: vec!["N1".to_owned()],
        preferred: None,
        credentials: vec![
            credentials(AuthLevel::Client, AuthType::DIGEST, "dev1", "c-secret"),
            credentials(AuthLevel::Server, AuthType::DIGEST, "dm.example.com", "s-secret"),
        ],
        init: true,
        acl: Some(ACL.to_owned()),
    }
}

fn of_xml(text: &str) -> Result<Provisioning, BootstrapError> {
    let document = ProvisioningDocument::from_xml(text.as_bytes(), &Limits::default()).unwrap();
    Provisioning::of_document(&document)
}

fn message(version: Version, document: Snapshot) -> Message {
    Message {
        version,
        device: "IMEI:493005100592800".to_owned(),
        server: "https://dm.example.com/dm".to_owned(),
        additions: vec![Addition { target: INBOX.to_owned(), document }],
    }
}

fn read(body: &[u8]) -> Result<Message, BootstrapError> {
    Message::read(body, &Limits::default(), &mut Leniency::strict())
}

/// A document with an account, as the DM profile has it.
fn document(account: &Account, version: DmAcc) -> Snapshot {
    Snapshot { nodes: vec![account.to_node(version, "1")] }
}

#[test]
fn the_example_is_the_account_that_it_says() {
    let provisioning = of_xml(EXAMPLE).unwrap();
    assert_eq!(provisioning.accounts, [account()]);
    let [network] = &provisioning.networks[..] else { panic!("{provisioning:?}") };
    assert_eq!((network.id.as_str(), network.name.as_deref()), ("N1", Some("Op")));
    assert_eq!(
        (network.address.as_deref(), network.bearers.as_slice()),
        (Some("dm.op"), &["GSM-GPRS".to_owned()][..])
    );
    let again = provisioning.to_document().unwrap();
    let octets = again.to_wbxml();
    let again =
        ProvisioningDocument::from_wbxml(&octets, &Limits::default(), &mut Leniency::strict()).unwrap();
    assert_eq!(Provisioning::of_document(&again).unwrap(), provisioning);
}

#[test]
fn the_example_becomes_the_nodes_that_it_should() {
    let node = account().to_node(DmAcc::V1_0, "1");
    let mut shown = Vec::new();
    let mut pending = vec![(String::new(), &node)];
    while let Some((path, node)) = pending.pop() {
        let path = format!("{path}/{}", node.name.as_deref().unwrap_or_default());
        match &node.value {
            Some(value) => shown.push(format!("{path} {}", value.to_text())),
            None => pending.extend(node.children.iter().map(|child| (path.clone(), child))),
        }
    }
    shown.sort();
    let wanted = [
        "/1/AppAddr/1/Addr https://dm.example.com/dm",
        "/1/AppAddr/1/AddrType URI",
        "/1/AppAddr/1/Port/1/PortNbr 443",
        "/1/AppAuth/1/AAuthData bm9uY2U=",
        "/1/AppAuth/1/AAuthLevel CLCRED",
        "/1/AppAuth/1/AAuthName dev1",
        "/1/AppAuth/1/AAuthSecret c-secret",
        "/1/AppAuth/1/AAuthType DIGEST",
        "/1/AppAuth/2/AAuthData bm9uY2U=",
        "/1/AppAuth/2/AAuthLevel SRVCRED",
        "/1/AppAuth/2/AAuthName dm.example.com",
        "/1/AppAuth/2/AAuthSecret s-secret",
        "/1/AppAuth/2/AAuthType DIGEST",
        "/1/AppID w7",
        "/1/Name Op DM",
        "/1/PrefConRef N1",
        "/1/ServerID dm.example.com",
    ];
    assert_eq!(shown, wanted);
    assert_eq!(node.acl.as_deref(), Some(ACL));
    assert_eq!(node.kind, Some(SnapshotType::DdfName("urn:oma:mo:oma-dm-dmacc:1.0".to_owned())));
}

#[test]
fn a_message_brings_what_was_put_in() {
    for (version, object) in [(Version::Dm12, DmAcc::V1_0), (Version::Dm13, DmAcc::V1_1)] {
        let made = message(version, document(&account(), object));
        let read = read(&made.write()).unwrap();
        assert_eq!((read.version, &read.device, &read.server), (version, &made.device, &made.server));
        let [Addition { target, document }] = &read.additions[..] else { panic!("{read:?}") };
        assert_eq!(target, INBOX);
        let wanted = Account { init: false, ..account() };
        assert_eq!(Account::all_of(document).unwrap(), [wanted]);
    }
}

#[test]
fn nodes_that_are_spread_over_a_document_are_gathered() {
    let mut root = account().to_node(DmAcc::V1_1, "1");
    let spread = root.children.pop().unwrap();
    let spread = SnapshotNode { path: Some("1".to_owned()), ..spread };
    let mut document = Snapshot { nodes: vec![root, spread] };
    let wanted = Account { init: false, ..account() };
    assert_eq!(Account::all_of(&document).unwrap(), std::slice::from_ref(&wanted));
    document.nodes[0].acl = None;
    grant_default(&mut document);
    assert_eq!(Account::all_of(&document).unwrap(), [wanted]);
    document.nodes[0].acl = Some("Get=*".to_owned());
    grant_default(&mut document);
    assert_eq!(document.nodes[0].acl.as_deref(), Some("Get=*"), "what is said stays");
}

#[test]
fn what_peers_write_is_understood() {
    let xml = r#"<wap-provisioningdoc><characteristic type="APPLICATION"><parm name="APPID" value="w7"/><parm name="PROVIDER-ID" value="a"/>
        <parm name="ADDR" value="https://a/dm"/><parm name="ROLE" value="x"/><parm name="DEFAULTACCOUNT"/><parm name="TO-NAPID" value="N"/>
        <parm name="TO-PROXY" value="P"/>
        <characteristic type="APPAUTH"><parm name="AAUTHTYPE" value="BASIC,DIGEST"/></characteristic>
        <characteristic type="APPAUTH"><parm name="AAUTHLEVEL" value="OBEX"/><parm name="AAUTHTYPE" value="HTTP-BASIC"/></characteristic>
        <characteristic type="APPAUTH"><parm name="AAUTHLEVEL" value="APPSRV"/><parm name="AAUTHTYPE" value="SECUREID"/></characteristic>
        </characteristic><characteristic type="APPLICATION"><parm name="APPID" value="w4"/></characteristic></wap-provisioningdoc>"#;
    let read = of_xml(xml).unwrap();
    let [account] = &read.accounts[..] else { panic!("{read:?}") };
    assert_eq!(account.addresses, [address("https://a/dm", &[])]);
    assert_eq!(account.connections, ["P", "N"]);
    let types: Vec<_> = account.credentials.iter().map(|of| (of.level, &*of.auth_type.0)).collect();
    let wanted =
        [(AuthLevel::Http, "HTTP-DIGEST"), (AuthLevel::Obex, "HTTP-BASIC"), (AuthLevel::Client, "SECURID")];
    assert_eq!(types, wanted);
    assert!(!account.init);
}

#[test]
fn a_proxy_is_kept() {
    let port = |number, service: &str| Port { number, services: vec![service.to_owned()] };
    let login = NetworkLogin { auth_type: "HTTP-BASIC".into(), name: Some("u".into()), secret: secret("p") };
    let physical = PhysicalProxy {
        id: "PP".to_owned(),
        domains: vec!["a.example".to_owned(), "b.example".to_owned()],
        address: "10.0.0.1".to_owned(),
        address_type: Some("IPV4".to_owned()),
        ports: vec![port(8080, "HTTP")],
        networks: vec!["N1".to_owned(), "INTERNET".to_owned()],
    };
    let proxy = Proxy {
        id: "P".to_owned(),
        name: Some("Proxy".to_owned()),
        start_page: Some("https://a.example/".to_owned()),
        logins: vec![login.clone()],
        ports: vec![port(80, "OTA-HTTP-TO")],
        physical: vec![physical],
    };
    let network = NetworkAccess {
        id: "N1".into(),
        internet: true,
        dns: vec!["10.0.0.2".into()],
        logins: vec![login],
        ..NetworkAccess::default()
    };
    let by_both = Account { connections: vec!["P".to_owned(), "N1".to_owned()], ..account() };
    let made = Provisioning { accounts: vec![by_both], networks: vec![network], proxies: vec![proxy] };
    let document = made.to_document().unwrap();
    let application = document.characteristics.last().unwrap();
    assert_eq!((application.get("TO-PROXY"), application.get("TO-NAPID")), (Some("P"), Some("N1")));
    assert_eq!(Provisioning::of_document(&document).unwrap(), made);
    assert_eq!(of_xml(&document.to_xml()).unwrap(), made);
}

#[test]
fn accounts_that_are_not_whole_are_refused() {
    let xml = |from: &str, to: &str| {
        assert!(EXAMPLE.contains(from), "{from}");
        of_xml(&EXAMPLE.replace(from, to)).map_err(|error| error.to_string()).unwrap_err()
    };
    let has = |error: String, wanted: &str| assert!(error.contains(wanted), "{error}");
    has(xml(r#"<parm name="PROVIDER-ID" value="dm.example.com"/>"#, ""), "no identifier");
    has(xml(r#"<parm name="ADDR" value="https://dm.example.com/dm"/>"#, ""), "no address");
    has(xml(r#"value="443""#, r#"value="65536""#), "port");
    has(xml("bm9uY2U=", "b!"), "AAUTHDATA");
    has(xml(r#"value="APPSRV""#, r#"value="SERVER""#), "AAUTHLEVEL");
    has(xml(r#"value="Op DM""#, r#"value="Op&#9;DM""#), "control character");
    let nobody = of_xml(r#"<wap-provisioningdoc><characteristic type="NAPDEF"/></wap-provisioningdoc>"#);
    assert_eq!(nobody.unwrap().accounts, []);
    let long = |length| Account { server_id: "a".repeat(length), ..account() }.check();
    assert!(long(255).is_ok() && long(256).is_err());
    let secret = Account {
        credentials: vec![credentials(AuthLevel::Client, AuthType::BASIC, "a", "p\0w")],
        ..account()
    };
    assert!(
        secret.check().is_err()
            && Provisioning { accounts: vec![secret], ..Provisioning::default() }.to_document().is_err()
    );
}

#[test]
fn a_message_only_adds() {
    use omadm_codec::dm1::{Command, OperationKind, decode, encode};
    let body = message(Version::Dm12, document(&account(), DmAcc::V1_0)).write();
    let decoded = decode(&body, Encoding::Wbxml, &Limits::default(), &mut Leniency::strict()).unwrap();
    for kind in [OperationKind::Replace, OperationKind::Delete, OperationKind::Get, OperationKind::Exec] {
        let mut changed = decoded.message.clone();
        let Command::Operation(operation) = &mut changed.commands[0] else { panic!() };
        operation.kind = kind;
        let error = read(&encode(&changed, decoded.form)).unwrap_err().to_string();
        assert!(error.contains(kind.as_str()), "{error}");
    }
    let mut empty = decoded.message.clone();
    empty.commands.clear();
    assert!(read(&encode(&empty, decoded.form)).unwrap_err().to_string().contains("adds nothing"));
    let in_xml = encode(&decoded.message, Form::Xml);
    assert!(matches!(read(&in_xml), Err(BootstrapError::Decode(_))), "a bootstrap is never in XML");
    let mut plain = decoded.message.clone();
    let Command::Operation(operation) = &mut plain.commands[0] else { panic!() };
    operation.items[0].meta.media_type = Some("text/plain".into());
    assert!(read(&encode(&plain, decoded.form)).unwrap_err().to_string().contains("text/plain"));
    let Command::Operation(operation) = &mut plain.commands[0] else { panic!() };
    operation.items[0].meta.media_type = Some(tnds::TNDS_WBXML.into());
    operation.items[0].data = Some(omadm_codec::dm1::Data::Opaque(vec![3, 1, 0x6a].into()));
    let error = read(&encode(&plain, decoded.form)).unwrap_err();
    assert!(matches!(&error, BootstrapError::Document { target, .. } if target == INBOX), "{error}");
}

#[test]
fn documents_in_xml_are_taken_too() {
    use omadm_codec::dm1::{Command, Data, decode, encode};
    let document = document(&account(), DmAcc::V1_1);
    let body = message(Version::Dm13, document.clone()).write();
    let mut decoded = decode(&body, Encoding::Wbxml, &Limits::default(), &mut Leniency::strict()).unwrap();
    let Command::Operation(operation) = &mut decoded.message.commands[0] else { panic!() };
    let text = String::from_utf8(tnds::write(&document, Form::Xml)).unwrap();
    operation.items[0].data = Some(Data::Text(text.into()));
    operation.items[0].meta.media_type = Some(tnds::TNDS_XML.into());
    operation.items[0].meta.format = Some("xml".into());
    let read = read(&encode(&decoded.message, decoded.form)).unwrap();
    let wanted = Account { init: false, ..account() };
    assert_eq!(Account::all_of(&read.additions[0].document).unwrap(), [wanted]);
}

#[test]
fn a_secured_bootstrap_is_verified_by_what_its_content_type_says() {
    let body = message(Version::Dm13, document(&account(), DmAcc::V1_1)).write();
    let secrets = Secrets { pin: Some(Pin::parse("123456").unwrap()), ..Secrets::default() };
    let sender =
        Sender { profile: Profile::Dm, method: Method::UserPin, hash: MacHash::Sha256, separated: false };
    let mac = sender.mac(&secrets, &body).unwrap();
    let content = ContentType::new(Profile::Dm, Some(Method::UserPin), Some(mac));
    let read = ContentType::parse(&content.media().as_http().unwrap()).unwrap();
    assert_eq!(read.claim().unwrap().verify(&secrets, &body, false), Ok(()));
    let other = Secrets { pin: Some(Pin::parse("123457").unwrap()), ..Secrets::default() };
    assert!(read.claim().unwrap().verify(&other, &body, false).is_err());
}

#[test]
fn nothing_of_it_shows_secrets() {
    let shown = format!("{:?} {:?}", account(), message(Version::Dm12, document(&account(), DmAcc::V1_0)));
    assert!(!shown.contains("c-secret") && !shown.contains("s-secret"), "{shown}");
}

fn text() -> impl Strategy<Value = String> {
    "[^\\x00-\\x1f\\x7f-\\x9f\\u{fffe}\\u{ffff}]{1,12}"
}

fn any_credentials() -> impl Strategy<Value = Credentials> {
    let level = prop::sample::select(AuthLevel::ALL.to_vec());
    let nonce = prop::option::of(prop::collection::vec(any::<u8>(), 1..20));
    let rest = (level, prop::option::of(text()), prop::option::of(text()), nonce, any::<bool>());
    rest.prop_map(|(level, name, password, nonce, digest)| {
        let auth_type = match (level, digest) {
            (AuthLevel::Client | AuthLevel::Server, true) => AuthType::DIGEST,
            (AuthLevel::Client | AuthLevel::Server, false) => AuthType::HMAC_SHA256,
            (_, true) => AuthType::HTTP_DIGEST,
            (_, false) => AuthType::TRANSPORT,
        };
        let secret = password.as_deref().and_then(secret);
        Credentials { level, auth_type, name, secret, nonce: nonce.map(Secret::new) }
    })
}

fn any_account() -> impl Strategy<Value = Account> {
    let kind = prop::sample::select(vec![AddressType::URI, AddressType::IPV4, AddressType::IPV6]);
    let ports = prop::collection::vec(any::<u16>(), 0..3);
    let address = (text(), kind, ports).prop_map(|(address, kind, ports)| Address { address, kind, ports });
    let addresses = prop::collection::vec(address, 1..3);
    let credentials = prop::collection::vec(any_credentials(), 0..4);
    let connections = prop::collection::vec(text(), 0..3);
    let parts = (
        "[a-z][a-z0-9.-]{0,20}",
        prop::option::of(text()),
        addresses,
        connections,
        credentials,
        any::<bool>(),
    );
    parts.prop_map(|(server_id, name, addresses, connections, credentials, init)| {
        let acl = Some(default_acl(&server_id));
        Account { server_id, name, addresses, connections, preferred: None, credentials, init, acl }
    })
}

proptest! {
    #[test]
    fn accounts_survive_a_provisioning_document(accounts in prop::collection::vec(any_account(), 1..3)) {
        let made = Provisioning { accounts, ..Provisioning::default() };
        let document = made.to_document().unwrap();
        prop_assert_eq!(&Provisioning::of_document(&document).unwrap(), &made);
        let octets = document.to_wbxml();
        let read = ProvisioningDocument::from_wbxml(&octets, &Limits::default(), &mut Leniency::strict()).unwrap();
        prop_assert_eq!(&Provisioning::of_document(&read).unwrap(), &made);
    }

    #[test]
    fn accounts_survive_a_message(account in any_account(), preferred in any::<bool>(), acl in any::<bool>()) {
        let preferred = preferred.then_some(AuthType::DIGEST);
        let acl = account.acl.clone().filter(|_| acl);
        let account = Account { preferred, acl, init: false, ..account };
        for (version, object) in [(Version::Dm12, DmAcc::V1_0), (Version::Dm13, DmAcc::V1_1)] {
            let body = message(version, document(&account, object)).write();
            let read = read(&body).unwrap();
            prop_assert_eq!(&Account::all_of(&read.additions[0].document).unwrap(), std::slice::from_ref(&account));
        }
    }

    #[test]
    fn no_input_panics(mut input: Vec<u8>) {
        let _ = read(&input);
        let body = message(Version::Dm12, document(&account(), DmAcc::V1_0)).write();
        input.splice(0..0, body.iter().copied().take(60));
        let _ = read(&input);
    }

    #[test]
    fn a_truncated_message_is_refused(cut in 0_usize..400) {
        let body = message(Version::Dm13, document(&account(), DmAcc::V1_1)).write();
        prop_assume!(cut < body.len());
        prop_assert!(read(&body[..cut]).is_err());
    }
}

#[test]
fn values_keep_the_formats_of_the_object() {
    let node = account().to_node(DmAcc::V1_1, "1");
    let auth =
        &node.children.iter().find(|child| child.name.as_deref() == Some("AppAuth")).unwrap().children[0];
    let nonce = auth.children.iter().find(|child| child.name.as_deref() == Some("AAuthData")).unwrap();
    assert_eq!(
        (nonce.format, nonce.value.clone()),
        (Some(Format::Bin), Some(Value::Bytes(b"nonce".to_vec())))
    );
}
