//! Bootstraps under the protection of GBA Push (`DM 2.0 §9.3.1.3`). The network and the sender are the test's own, over OpenSSL.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use omadm_client::{Always, ClientError, GbaError, GbaPush, NafId, NafKey, Origin, Place, Received};
use omadm_conformance::{Account, Bench, proves};
use omadm_mo::well_known::DMACC;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, encrypt};
use serde_json::{Value, json};

const PROTECTED: &str = "application/dmmo+json; SEC=3GPP_GBA";
const TRANSACTION: &str = "run-1@bsf.example.org";
const UA_PROTOCOL: [u8; 5] = [3, 0, 0, 0, 5];

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let key = PKey::hmac(key).unwrap();
    Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(data).unwrap()
}

/// The key derivation of GBA with these parameters, each followed by its length.
fn derive(key: &[u8], parameters: &[&[u8]]) -> Vec<u8> {
    let mut input = vec![0x01];
    for parameter in parameters {
        input.extend_from_slice(parameter);
        input.extend_from_slice(&u16::try_from(parameter.len()).unwrap().to_be_bytes());
    }
    hmac(key, &input)
}

const DMBIK: [u8; 6] = [0x64, 0x6d, 0x2d, 0x62, 0x69, 0x6b];
const DMBEK: [u8; 6] = [0x64, 0x6d, 0x2d, 0x62, 0x65, 0x6b];

/// What the DM server sends: the bootstrap under DMBEK and DMBIK.
fn protect(ks_naf: &[u8], transaction: &str, bootstrap: &Value) -> Vec<u8> {
    let (integrity, encryption) = (derive(ks_naf, &[&DMBIK]), derive(ks_naf, &[&DMBEK]));
    let iv = [0x5a; 16];
    let text = bootstrap.to_string();
    let ciphertext = encrypt(Cipher::aes_128_cbc(), &encryption[..16], Some(&iv), text.as_bytes()).unwrap();
    let length = u8::try_from(transaction.len()).unwrap();
    let mut message = [&[1, length], transaction.as_bytes(), &iv, &ciphertext].concat();
    message.extend(hmac(&integrity, &message));
    message
}

/// A network in which GBA Push can be run: what the device keeps of the runs.
#[derive(Clone, Default)]
struct Network(Arc<Mutex<BTreeMap<String, [u8; 32]>>>);

impl Network {
    /// Runs GBA Push and gives the key to the DM server, too.
    fn push(&self, transaction: &str, ks_naf: [u8; 32]) -> [u8; 32] {
        self.0.lock().unwrap().insert(transaction.to_owned(), ks_naf);
        ks_naf
    }
}

impl GbaPush for Network {
    fn key(&self, transaction: &str) -> Option<NafKey> {
        self.0.lock().unwrap().get(transaction).map(|key| NafKey::new(*key))
    }
}

async fn receive(bench: &mut Bench, content_type: &str, body: Vec<u8>) -> Result<usize, ClientError> {
    // The way itself protects nothing, as with a WAP push.
    let origin = Origin::Pushed { by: "a WAP push".to_owned(), secured: false };
    let received = Received { origin, content_type: content_type.to_owned(), body: body.into() };
    Ok(bench.device.client.install_received(received, &mut Always).await?.len())
}

#[tokio::test]
async fn a_bootstrap_under_gba_push_needs_no_other_protection() {
    proves!("D2-9.3.1.3-01", "D2-9.3.1.3-02", "D2-9.3.1.3-03");
    let mut bench = Bench::new().await;
    let network = Network::default();
    let bootstrap = json!([Account::new("DMS2", &bench.server.uri("/two")).bootstrap_item()]);
    let ks_naf = [0x77; 32];
    let message = protect(&ks_naf, TRANSACTION, &bootstrap);
    let gba = |result: Result<usize, ClientError>| match result {
        Err(ClientError::Gba(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(gba(receive(&mut bench, PROTECTED, message.clone()).await), GbaError::NoKeys, "no GBA at all");
    bench.device.client = bench.device.client.with_gba(Box::new(network.clone()));
    assert_eq!(
        gba(receive(&mut bench, PROTECTED, message.clone()).await),
        GbaError::NoKeys,
        "GBA Push was not run"
    );
    network.push("another run", ks_naf);
    assert_eq!(
        gba(receive(&mut bench, PROTECTED, message.clone()).await),
        GbaError::NoKeys,
        "of an unknown B-TID"
    );
    network.push(TRANSACTION, [0x78; 32]);
    assert_eq!(gba(receive(&mut bench, PROTECTED, message.clone()).await), GbaError::Mac, "other keys");
    network.push(TRANSACTION, ks_naf);
    for at in [0, 1, 2, 30, message.len() - 40, message.len() - 1] {
        let mut changed = message.clone();
        changed[at] ^= 0x10;
        gba(receive(&mut bench, PROTECTED, changed).await);
    }
    for content_type in
        ["application/dmmo+json; SEC=NETWPIN", "application/dmmo+json", "text/plain; SEC=3GPP_GBA"]
    {
        let refused = receive(&mut bench, content_type, message.clone()).await;
        let expected = matches!(
            refused,
            Err(ClientError::BootstrapType { .. } | ClientError::BootstrapUnsecured { .. })
        );
        assert!(expected, "{content_type}: {refused:?}");
    }
    assert_eq!(bench.device.miids(DMACC), ["DMS1"], "nothing so far");
    let text = String::from_utf8_lossy(&message).into_owned();
    assert!(!text.contains("DMS2") && !text.contains("SrvURI"), "it is not to be read on the way");

    assert_eq!(receive(&mut bench, PROTECTED, message).await.unwrap(), 1);
    bench.device.session("DMS2").await;
    let package = bench.server.package1(0);
    assert_eq!(package.request.target, "/two");
    assert_eq!(package.alert_types(), ["urn:oma:at:dm:2.0:BootstrapComplete"]);
}

#[test]
fn keys_come_out_of_the_shared_secret_by_the_derivation_of_gba() {
    proves!("D2-9.3.1.3-04", "D2-9.3.1.3-05", "D2-9.3.1.3-06");
    let naf = NafId::new("dm.example.org", UA_PROTOCOL).unwrap();
    assert_eq!(naf.as_bytes(), b"dm.example.org\x03\x00\x00\x00\x05");
    let (ks, rand, impi) = ([0x11; 32], [0x22; 16], "234150999999999@ims.example.org");
    for (place, label) in [(Place::Terminal, &b"gba-me"[..]), (Place::Card, b"gba-u")] {
        let ks_naf = derive(&ks, &[label, &rand, impi.as_bytes(), naf.as_bytes()]);
        let keys = NafKey::derive(ks, place, &rand, impi, &naf).unwrap().bootstrap_keys();
        assert_eq!(keys.integrity().as_slice(), derive(&ks_naf, &[b"dm-bik"]));
        assert_eq!(keys.encryption().as_slice(), derive(&ks_naf, &[b"dm-bek"]));
    }
    // Computed by other tools: Ks_NAF = 00 01 … 1F.
    let keys = NafKey::new(std::array::from_fn(|at| u8::try_from(at).unwrap())).bootstrap_keys();
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    assert_eq!(hex(keys.integrity()), "f2b9a4daaabc9888ced1a407eb46639f0d5dc3f0031eab38a7b5d968cbe2bdc3");
    assert_eq!(hex(keys.encryption()), "9db62dd7b46739d61e79677c72f2abff289faf9ce736dc4e837be422571f3e3a");
}
