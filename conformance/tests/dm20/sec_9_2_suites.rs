//! Cipher suites and versions of TLS (`DM 2.0 §9.2.2`), both sides; the judge is OpenSSL.

use http::Method;
use omadm_client::{SessionReport, Suite, TlsPolicy, TlsVersion};
use omadm_conformance::{
    Account, Authority, DEVICE_ID, DeviceSetup, SECRET, ScriptServer, TestServer, USER, proves,
};
use openssl::ssl::{SslAcceptorBuilder, SslOptions, SslVersion};
use serde_json::json;

use super::sec_9_security::{ended, s_client};

/// The suites with certificates, by OpenSSL's names.
const CERTIFICATE: [&str; 6] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "DHE-RSA-AES128-GCM-SHA256",
    "AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256",
    "DHE-RSA-AES128-SHA256",
    "AES128-SHA256",
];
/// Those with pre-shared keys.
const SHARED_KEY: [&str; 7] = [
    "PSK-AES128-GCM-SHA256",
    "DHE-PSK-AES128-GCM-SHA256",
    "RSA-PSK-AES128-GCM-SHA256",
    "PSK-AES128-CBC-SHA256",
    "DHE-PSK-AES128-CBC-SHA256",
    "RSA-PSK-AES128-CBC-SHA256",
    "ECDHE-PSK-AES128-CBC-SHA256",
];

/// A server that has made its own certificates of both kinds, and the key of a device in hexadecimal digits.
async fn server_of(policy: TlsPolicy) -> (TestServer, String, String) {
    let server = TestServer::with(|config| {
        config.tls.policy = policy;
        config.device.certificate = None;
        config.device.key = None;
        config.device.authority = None;
    })
    .await;
    let new = json!({ "id": DEVICE_ID, "psk": true });
    let enrolled = server.rest(Method::POST, "/devices", Some(&new)).await.json();
    let secret = enrolled["secret"].as_str().unwrap();
    let hex = secret.bytes().map(|octet| format!("{octet:02x}")).collect();
    (server, enrolled["user"].as_str().unwrap().to_owned(), hex)
}

/// Whether OpenSSL's client shakes hands with nothing but this suite, in this version.
async fn speaks(server: &TestServer, version: &str, suite: &str, psk: Option<(&str, &str)>) -> bool {
    let mut options = vec![version, "-cipher", suite];
    if let Some((user, key)) = psk {
        options.extend(["-psk", key, "-psk_identity", user]);
    }
    let (good, said) = s_client(server, &options).await;
    let name = suite.split(':').next().unwrap();
    assert!(!good || said.contains(&format!("Cipher is {name}\n")), "{said}");
    good
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_has_all_suites_by_the_policy_oma() {
    proves!(
        "DM-SEC-009-S-M",
        "DM-SEC-011-S-M",
        "D2-9.2.2-09",
        "D2-9.2.2-10",
        "D2-9.2.2-11",
        "D2-9.2.2-12",
        "D2-9.2.2-13",
        "D2-9.2.2-14",
        "D2-9.2.2-15",
        "D2-9.2.2-17",
        "D2-9.2.2-18",
        "D2-9.2.2-19",
        "D2-9.2.2-20",
        "D2-9.2.2-21",
        "D2-9.2.2-22"
    );
    let (server, user, key) = server_of(TlsPolicy::Oma).await;
    for suite in CERTIFICATE {
        assert!(speaks(&server, "-tls1_2", suite, None).await, "{suite}");
    }
    for suite in SHARED_KEY {
        assert!(speaks(&server, "-tls1_2", suite, Some((&user, &key))).await, "{suite}");
    }
    for weak in [
        "AES128-SHA:@SECLEVEL=0",
        "NULL-SHA256:@SECLEVEL=0",
        "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0",
        "AES256-SHA",
    ] {
        assert!(!speaks(&server, "-tls1_2", weak, None).await, "{weak}");
    }
    for weak in ["PSK-NULL-SHA256:@SECLEVEL=0", "PSK-AES128-CBC-SHA:@SECLEVEL=0"] {
        assert!(!speaks(&server, "-tls1_2", weak, Some((&user, &key))).await, "{weak}");
    }
    for old in ["-tls1_1", "-tls1"] {
        assert!(!speaks(&server, old, "ALL:@SECLEVEL=0", None).await, "{old}");
    }
}

#[tokio::test]
async fn the_policy_modern_is_strict() {
    let (server, user, key) = server_of(TlsPolicy::Modern).await;
    for suite in CERTIFICATE {
        let forward_secret = suite == "ECDHE-ECDSA-AES128-GCM-SHA256";
        assert_eq!(speaks(&server, "-tls1_2", suite, None).await, forward_secret, "{suite}");
    }
    for suite in SHARED_KEY {
        let forward_secret = suite == "DHE-PSK-AES128-GCM-SHA256";
        assert_eq!(speaks(&server, "-tls1_2", suite, Some((&user, &key))).await, forward_secret, "{suite}");
    }
}

#[tokio::test]
async fn old_versions_are_spoken_by_the_policy_legacy_only() {
    proves!("DM-SEC-005-S-O", "DM-SEC-006-S-M");
    for policy in [TlsPolicy::Modern, TlsPolicy::Oma, TlsPolicy::Legacy] {
        let (server, user, key) = server_of(policy).await;
        let legacy = policy == TlsPolicy::Legacy;
        for version in ["-tls1_1", "-tls1"] {
            for suite in [
                "AES128-SHA:@SECLEVEL=0",
                "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0",
                "DHE-RSA-AES128-SHA:@SECLEVEL=0",
            ] {
                assert_eq!(
                    speaks(&server, version, suite, None).await,
                    legacy,
                    "{policy:?} {version} {suite}"
                );
            }
        }
        let psk = Some((user.as_str(), key.as_str()));
        assert_eq!(
            speaks(&server, "-tls1_1", "PSK-AES128-CBC-SHA256:@SECLEVEL=0", psk).await,
            legacy,
            "{policy:?}"
        );
        assert!(s_client(&server, &["-tls1_3"]).await.0, "{policy:?}: the newest is always spoken");
    }
}

/// Runs a session of a device that is set up so with a scripted server whose TLS is changed so.
async fn session(
    authority: &Authority,
    server: impl FnOnce(&mut SslAcceptorBuilder),
    device: impl FnOnce(&mut DeviceSetup),
) -> (SessionReport, usize) {
    let server = ScriptServer::https_with(authority, server).await;
    let account = Account::new("DMS1", &server.dm_uri());
    let mut setup = DeviceSetup::new([account], Some(authority.ca_file()));
    device(&mut setup);
    (setup.open().session("DMS1").await, server.requests().len())
}

fn only(version: SslVersion, suites: &str) -> impl FnOnce(&mut SslAcceptorBuilder) {
    move |tls| {
        tls.clear_options(SslOptions::NO_TLSV1 | SslOptions::NO_TLSV1_1);
        tls.set_min_proto_version(Some(version)).unwrap();
        tls.set_max_proto_version(Some(version)).unwrap();
        if version != SslVersion::TLS1_2 {
            tls.set_security_level(0);
        }
        tls.set_cipher_list(suites).unwrap();
    }
}

fn with_key(tls: &mut SslAcceptorBuilder, key: &'static str) {
    tls.set_psk_server_callback(move |_, identity, room| {
        if identity != Some(USER.as_bytes()) {
            return Ok(0);
        }
        room[..key.len()].copy_from_slice(key.as_bytes());
        Ok(key.len())
    });
}

fn named(suite: &str) -> Suite {
    omadm_client::SUITES.into_iter().find(|known| known.openssl == suite).unwrap()
}

#[tokio::test]
async fn the_device_speaks_each_suite_that_is_named() {
    proves!("DM-SEC-011-C-O", "D2-9.2.2-23");
    let (ecdsa, rsa) = (Authority::new(), Authority::with_rsa());
    for suite in CERTIFICATE {
        let authority = if suite.contains("ECDSA") { &ecdsa } else { &rsa };
        let (report, _) = session(authority, only(SslVersion::TLS1_2, suite), |setup| {
            setup.https.suites = vec![named(suite)]
        })
        .await;
        assert!(ended(&report), "{suite}: {report:?}");
    }
    let (report, heard) = session(&rsa, only(SslVersion::TLS1_2, "AES128-SHA256"), |_| {}).await;
    assert!(!ended(&report) && heard == 0, "what is weak is not spoken unless it is named");
    let (report, heard) = session(&rsa, only(SslVersion::TLS1_2, "NULL-SHA256:@SECLEVEL=0"), |setup| {
        setup.https.policy = TlsPolicy::Oma
    })
    .await;
    assert!(!ended(&report) && heard == 0, "what is weaker still is not known at all");
}

#[tokio::test]
async fn the_device_speaks_each_suite_with_shared_keys() {
    proves!("DM-SEC-008-C-O", "DM-SEC-009-C-O", "D2-9.2.2-02", "D2-9.2.2-16");
    let rsa = Authority::with_rsa();
    for suite in SHARED_KEY {
        for (key, good) in [(SECRET, true), ("another key", false)] {
            let server = |tls: &mut SslAcceptorBuilder| {
                only(SslVersion::TLS1_2, suite)(tls);
                with_key(tls, key);
            };
            let device = |setup: &mut DeviceSetup| {
                setup.client.psk = true;
                setup.https.suites = vec![named(suite)];
                if !suite.starts_with("RSA") {
                    // Nothing is left to check a certificate with.
                    setup.ca_file = None;
                }
            };
            let (report, heard) = session(&rsa, server, device).await;
            assert_eq!((ended(&report), heard > 0), (good, good), "{suite} {key}: {report:?}");
        }
    }
    let weak = |tls: &mut SslAcceptorBuilder| {
        only(SslVersion::TLS1_2, "PSK-NULL-SHA256:@SECLEVEL=0")(tls);
        with_key(tls, SECRET);
    };
    let (report, heard) = session(&rsa, weak, |setup| {
        setup.client.psk = true;
        setup.https.policy = TlsPolicy::Legacy;
    })
    .await;
    assert!(!ended(&report) && heard == 0, "a server with NULL only: {report:?}");
    let newest = |tls: &mut SslAcceptorBuilder| with_key(tls, SECRET);
    let (report, _) = session(&rsa, newest, |setup| {
        setup.client.psk = true;
        setup.ca_file = None;
    })
    .await;
    assert!(ended(&report), "TLS 1.3 takes keys, too: {report:?}");
}

#[tokio::test]
async fn old_versions_are_spoken_by_devices_that_are_told_to() {
    proves!("DM-SEC-005-C-O", "DM-SEC-006-C-M", "D2-9.2.2-01", "D2-9.2.2-05");
    let authority = Authority::new();
    for (version, oldest) in [(SslVersion::TLS1_1, TlsVersion::Tls11), (SslVersion::TLS1, TlsVersion::Tls10)]
    {
        let legacy = |setup: &mut DeviceSetup| {
            setup.https.policy = TlsPolicy::Legacy;
            setup.https.min_version = oldest;
        };
        let (report, _) = session(&authority, only(version, "ALL:@SECLEVEL=0"), legacy).await;
        assert!(ended(&report), "{report:?}");
        let (report, heard) = session(&authority, only(version, "ALL:@SECLEVEL=0"), |_| {}).await;
        assert!(!ended(&report) && heard == 0, "refused by default: {report:?}");
    }
    let (server, ..) = server_of(TlsPolicy::Legacy).await;
    assert!(
        s_client(&server, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]).await.0,
        "the server speaks it, too"
    );
    let (strict, ..) = server_of(TlsPolicy::Modern).await;
    assert!(
        !s_client(&strict, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]).await.0,
        "the server insists on TLS 1.2"
    );
}
