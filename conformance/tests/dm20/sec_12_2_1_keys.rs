//! Keys of the bootstrap server in an account (`DM 2.0 §9.3.2, §12.2, §12.2.1`): what they do in TLS, with OpenSSL as the other side.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use omadm_client::{Always, BootstrapSource, ClientError};
use omadm_conformance::{
    Account, AgentProcess, Authority, DEVICE_ID, DeviceSetup, ScriptServer, TestDevice, proves,
};
use omadm_mo::ServerId;
use omadm_mo::well_known::DMACC;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptorBuilder, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use serde_json::{Value, json};

/// What the peer saw of the device in handshakes.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// A device with one account whose bootstrap server has these keys.
fn device(ca: &Authority, server: &ScriptServer, keys: &Value) -> Result<TestDevice, ClientError> {
    let mut device = DeviceSetup::new([], Some(ca.ca_file())).open();
    let item = account("first", server, keys);
    device.client.device_mut().install_bootstrap(json!([item]).to_string().as_bytes())?;
    Ok(device)
}

fn account(name: &str, server: &ScriptServer, keys: &Value) -> Value {
    let mut item = Account::new("DMS1", &server.dm_uri()).bootstrap_item();
    item["MOData"]["DMS1"]["Name"] = json!(name);
    item["MOData"]["DMS1"]["Auth"]["Bootstrap"] = keys.clone();
    item["MOData"]["DMS1"]["Auth"]["Bootstrap"]["ServerURI"] = json!(server.uri("/bootstrap"));
    item
}

fn keys(mode: u8, client: &[u8], server: &[u8], secret: &[u8]) -> Value {
    json!({
        "SecMode": STANDARD.encode([mode]), "ClientPubKey": STANDARD.encode(client),
        "ServerPubKey": STANDARD.encode(server), "ClientSecretKey": STANDARD.encode(secret),
    })
}

/// Lets the device get its account again from the bootstrap server that the account names; the name it has then, or what failed.
async fn again(device: &mut TestDevice) -> Result<String, ClientError> {
    let server = ServerId::parse("DMS1").unwrap();
    let source = BootstrapSource::of_account(device.client.device().tree(), &server).unwrap();
    device.client.fetch_bootstrap(&source, &mut Always).await?;
    Ok(device.text(&format!("{DMACC}/DMS1/Name")).unwrap())
}

/// Takes only those who have the pre-shared key.
fn shared_key(key: &[u8], seen: &Seen) -> impl FnOnce(&mut SslAcceptorBuilder) + use<> {
    let (key, seen) = (key.to_vec(), seen.clone());
    move |tls| {
        tls.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
        tls.set_cipher_list("kPSK:kECDHEPSK").unwrap();
        tls.set_psk_server_callback(move |_, identity, room| {
            seen.lock().unwrap().push(identity.unwrap_or_default().to_vec());
            room[..key.len()].copy_from_slice(&key);
            Ok(key.len())
        });
    }
}

/// Takes only those who have a certificate.
fn client_certificate(seen: &Seen) -> impl FnOnce(&mut SslAcceptorBuilder) + use<> {
    let seen = seen.clone();
    move |tls| {
        let asked = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
        tls.set_verify_callback(asked, move |_, chain| {
            seen.lock().unwrap().push(chain.current_cert().unwrap().to_der().unwrap());
            true
        });
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A certificate of the device, DER, signed by itself.
fn certificate(key: &PKey<Private>) -> Vec<u8> {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build().to_der().unwrap()
}

/// The certificate of the servers of an authority, DER.
fn server_certificate(authority: &Authority) -> Vec<u8> {
    let pem = std::fs::read(authority.server_files().0).unwrap();
    X509::from_pem(&pem).unwrap().to_der().unwrap()
}

#[tokio::test]
async fn a_pre_shared_key_makes_device_and_bootstrap_server_known_to_each_other() {
    proves!("D2-12.2-14", "D2-12.2-16", "D2-12.2-18", "D2-12.2-20", "D2-12.2.1-01", "D2-12.2.1-02");
    let authority = Authority::new();
    for (length, identity) in [(16, "device one".to_owned()), (64, "ü".repeat(64)), (32, "i".repeat(255))] {
        let (key, seen) = (vec![0x5a; length], Seen::default());
        let server = ScriptServer::https_with(&authority, shared_key(&key, &seen)).await;
        let right = keys(0, identity.as_bytes(), b"", &key);
        server.serve("/bootstrap", &json!([account("again", &server, &right)]));
        // What vouches for servers with certificates has no part in it.
        let unrelated = Authority::new();
        let mut device = device(&unrelated, &server, &right).unwrap();
        assert_eq!(again(&mut device).await.unwrap(), "again");
        assert_eq!(server.requests()[0].target, "/bootstrap");
        assert_eq!(seen.lock().unwrap().pop().unwrap(), identity.as_bytes());

        let wrong = keys(0, identity.as_bytes(), b"", &vec![0x5b; length]);
        let mut other = self::device(&authority, &server, &wrong).unwrap();
        assert!(matches!(again(&mut other).await, Err(ClientError::Transport(_))));
        assert_eq!(server.requests().len(), 1, "the handshake fails");
        assert_eq!(other.text(&format!("{DMACC}/DMS1/Name")).as_deref(), Some("first"));
    }
}

#[tokio::test]
async fn certificates_make_device_and_bootstrap_server_known_to_each_other() {
    proves!("D2-12.2-12", "D2-12.2-17", "D2-12.2-19", "D2-9.3.2-02", "D2-12.2.1-03");
    let (authority, seen) = (Authority::new(), Seen::default());
    let server = ScriptServer::https_with(&authority, client_certificate(&seen)).await;
    let key = new_key();
    let (client, secret) = (certificate(&key), key.private_key_to_der().unwrap());
    let right = keys(2, &client, &server_certificate(&authority), &secret);
    server.serve("/bootstrap", &json!([account("again", &server, &right)]));
    // The certificate in the account is enough, whoever issued it.
    let unrelated = Authority::new();
    let mut device = device(&unrelated, &server, &right).unwrap();
    assert_eq!(again(&mut device).await.unwrap(), "again");
    assert_eq!(seen.lock().unwrap().last(), Some(&client));

    // The server has a good certificate, but not the one that the account names.
    let stranger = server_certificate(&unrelated);
    let before = server.requests().len();
    let mut other = self::device(&authority, &server, &keys(2, &client, &stranger, &secret)).unwrap();
    assert!(matches!(again(&mut other).await, Err(ClientError::Transport(_))));
    assert_eq!(server.requests().len(), before);
    assert_eq!(other.text(&format!("{DMACC}/DMS1/Name")).as_deref(), Some("first"));

    let own = server_certificate(&authority);
    for (bad, fault) in [
        (keys(2, &client, &own, &new_key().private_key_to_der().unwrap()), "not that of the certificate"),
        (keys(2, b"no certificate", &own, &secret), "certificate of the device"),
        (keys(2, &client, &own, b"no key"), "private key of the device"),
        (keys(2, &client, b"no certificate", &secret), "ServerPubKey"),
        (keys(2, &client, b"", &secret), "ServerPubKey"),
        (keys(0, &[0xff, 0xfe], b"", &secret), "UTF-8"),
        (keys(0, b"device", b"", b""), "ClientSecretKey"),
        (keys(1, b"device", b"", &secret), "SecMode"),
    ] {
        let refused = self::device(&authority, &server, &bad).err().map(|error| error.to_string());
        assert!(refused.as_ref().is_some_and(|said| said.contains(fault)), "{fault}: {refused:?}");
    }
}

#[tokio::test]
async fn the_agent_gets_an_account_again_from_the_bootstrap_server_that_it_names() {
    let (authority, seen) = (Authority::new(), Seen::default());
    let manager = ScriptServer::https(&authority).await;
    let bootstraps = ScriptServer::https_with(&authority, shared_key(&[7; 32], &seen)).await;
    let of = |name: &str| {
        let mut item = account(name, &bootstraps, &keys(0, b"the device", b"", &[7; 32]));
        item["MOData"]["DMS1"]["SrvURI"] = json!(manager.dm_uri());
        json!([item])
    };
    bootstraps.serve("/bootstrap", &of("again"));
    let agent = AgentProcess::new(&authority.ca_file(), DEVICE_ID, "").await;
    let said = agent.refusal(&["bootstrap", "--again", "DMS1"]).await;
    assert!(said.contains("no account that names a bootstrap server"), "{said}");
    let file = authority.directory().join("bootstrap.json");
    std::fs::write(&file, of("first").to_string()).unwrap();
    agent.run(&["bootstrap", &file.display().to_string()]).await;
    agent.run(&["bootstrap", "--again", "DMS1"]).await;
    assert_eq!(seen.lock().unwrap().as_slice(), [b"the device"]);
    let packages = manager.package_requests();
    let complete = ["urn:oma:at:dm:2.0:BootstrapComplete"];
    assert_eq!(manager.package1(0).alert_types(), complete);
    assert_eq!(manager.package1(1).alert_types(), complete, "{packages:?}");
    let tree = agent.run(&["tree", &format!("{DMACC}/DMS1/"), "--output", "json"]).await.stdout;
    let tree = String::from_utf8_lossy(&tree);
    assert!(tree.contains("\"again\"") && !tree.contains(&STANDARD.encode([7; 32])), "{tree}");
}
