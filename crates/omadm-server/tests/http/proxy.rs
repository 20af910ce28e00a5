//! Proxies that end TLS: what they say of devices counts from them alone.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, Request};
use http_body_util::Full;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::BasicConstraints;
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use omadm_server::Config;

use crate::harness::{Connection, Device, END, HELLO, INITIATION, TestServer};

/// A certificate and its key.
struct Issued {
    certificate: X509,
    key: PKey<Private>,
}

fn issue(name: &str, by: Option<&Issued>) -> Issued {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder: X509Builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(by.map_or(&*subject, |by| by.certificate.subject_name())).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.set_pubkey(&key).unwrap();
    if by.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    }
    builder.sign(by.map_or(&key, |by| &by.key), MessageDigest::sha256()).unwrap();
    Issued { certificate: builder.build(), key }
}

fn behind_a_proxy(config: &mut Config, authority: &Issued, proxy: &str) {
    let file = config.server.data_dir.join("clients.pem");
    std::fs::write(&file, authority.certificate.to_pem().unwrap()).unwrap();
    config.tls.client_ca = Some(file);
    config.tls.client_certificates = omadm_server::config::ClientCertificates::Optional;
    config.device.plain_listen = Some(([127, 0, 0, 1], 0).into());
    config.device.trusted_proxies = vec![serde_json::from_value(proxy.into()).unwrap()];
    config.device.certificate_header = Some("Client-Cert".to_owned());
}

/// A Package#1 of a device whose certificate stands in the header.
fn package1(id: &str, certificate: &str) -> Request<Full<bytes::Bytes>> {
    let device = Device { id: id.to_owned(), user: String::new(), secret: String::new() };
    let mut request = device.request(Method::POST, "/dm/2.0", Some(INITIATION), HELLO);
    request.headers_mut().remove("authorization");
    request.headers_mut().insert("client-cert", HeaderValue::from_str(certificate).unwrap());
    request
}

fn pem(issued: &Issued) -> String {
    String::from_utf8(issued.certificate.to_pem().unwrap()).unwrap()
}

#[tokio::test]
async fn a_trusted_proxy_hands_on_the_certificate_of_a_device() {
    let authority = issue("clients", None);
    let device = issue("IMEI:1", Some(&authority));
    let server = TestServer::with(|config| behind_a_proxy(config, &authority, "127.0.0.0/8")).await;
    server.enrol("IMEI:1").await;
    let plain = server.running.plain_addr.unwrap();
    let send = async |id: &str, certificate: &str| {
        Connection::plain(plain).await.send(package1(id, certificate)).await
    };
    let der = format!(":{}:", STANDARD.encode(device.certificate.to_der().unwrap()));
    let escaped = utf8_percent_encode(&pem(&device), NON_ALPHANUMERIC).to_string();
    for form in [&der, &escaped] {
        assert_eq!(send("IMEI:1", form).await.text(), END, "{form}");
    }
    assert_eq!(server.get("/devices/IMEI%3A1").await["bearer"], "http", "it does not say otherwise");
    assert_eq!(send("IMEI:2", &der).await.status, 403, "a certificate is of one device");

    let stranger = issue("IMEI:1", Some(&issue("clients", None)));
    for (bad, what) in [
        (utf8_percent_encode(&pem(&stranger), NON_ALPHANUMERIC).to_string(), "of another authority"),
        (String::new(), "empty"),
        (":AAAA:".to_owned(), "no certificate"),
        ("%%%".to_owned(), "no base64"),
    ] {
        assert_eq!(send("IMEI:1", &bad).await.status, 401, "{what}");
    }
    let mut twice = package1("IMEI:1", &der);
    twice.headers_mut().append("client-cert", HeaderValue::from_str(&der).unwrap());
    assert_eq!(Connection::plain(plain).await.send(twice).await.status, 401);

    let mut secure = server.connect().await;
    assert_eq!(secure.send(package1("IMEI:1", &der)).await.status, 401, "over TLS the header says nothing");
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let authority = issue("clients", None);
    let device = issue("IMEI:1", Some(&authority));
    let server = TestServer::with(|config| behind_a_proxy(config, &authority, "192.0.2.1")).await;
    let enrolled = server.enrol("IMEI:1").await;
    let der = format!(":{}:", STANDARD.encode(device.certificate.to_der().unwrap()));
    let mut connection = Connection::plain(server.running.plain_addr.unwrap()).await;
    assert_eq!(connection.send(package1("IMEI:1", &der)).await.status, 401);
    assert_eq!(
        connection.send(enrolled.package1(HELLO)).await.text(),
        END,
        "credentials are as good as ever"
    );
}

#[tokio::test]
async fn a_session_tells_what_it_came_by() {
    let authority = issue("clients", None);
    let server = TestServer::with(|config| behind_a_proxy(config, &authority, "127.0.0.1")).await;
    let device = server.enrol("IMEI:1").await;
    let meant = async |filter: &str| {
        let filter = utf8_percent_encode(filter, NON_ALPHANUMERIC);
        server.get(&format!("/devices/count?filter={filter}")).await["devices"].clone()
    };
    assert_eq!(server.get("/devices/IMEI%3A1").await["bearer"], serde_json::Value::Null);
    assert_eq!(meant("bearer = \"\"").await, 1, "nothing is known of it");
    let mut begin = 0;
    let mut plain = Connection::plain(server.running.plain_addr.unwrap()).await;
    let mut secure = server.connect().await;
    for (is_secure, header, expected) in [
        (true, None, "https"),
        (false, None, "http"),
        (false, Some(("x-forwarded-proto", "https")), "https"),
        (false, Some(("x-forwarded-proto", "http")), "http"),
        (true, Some(("x-forwarded-proto", "http")), "https"),
        (false, Some(("x-wap-gateway", "Kannel/1.4.5")), "wap"),
        (true, Some(("via", "1.1 proxy, WAP/1.2 gateway")), "wap"),
    ] {
        begin += 1;
        let connection = if is_secure { &mut secure } else { &mut plain };
        let mut request = device.package1(format!("{HELLO}{}", " ".repeat(begin)));
        let headers = request.headers_mut();
        header.map(|(name, value)| headers.insert(name, HeaderValue::from_static(value)));
        assert_eq!(connection.send(request).await.text(), END);
        assert_eq!(server.get("/devices/IMEI%3A1").await["bearer"], expected, "{header:?}");
        assert_eq!(meant(&format!("bearer = {expected}")).await, 1, "{header:?}");
        assert_eq!(meant(&format!("bearer != {expected}")).await, 0, "{header:?}");
    }
    let bad = server.api("GET", "/devices?filter=bearer%20%3C%20https", None).await;
    assert_eq!((bad.status.as_u16(), &bad.json()["at"]), (400, &serde_json::json!(7)), "{}", bad.text());
}

#[tokio::test]
async fn failures_behind_a_proxy_are_counted_by_device() {
    let authority = issue("clients", None);
    let server = TestServer::with(|config| {
        behind_a_proxy(config, &authority, "127.0.0.1");
        config.auth.source_failures = 2;
    })
    .await;
    let device = server.enrol("IMEI:1").await;
    let mut connection = Connection::plain(server.running.plain_addr.unwrap()).await;
    let mut from = async |source: &'static str, secret: &str| {
        let wrong = Device { secret: secret.to_owned(), ..device.clone() };
        let mut request = wrong.package1(HELLO);
        request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static(source));
        connection.send(request).await.status.as_u16()
    };
    for (source, expected) in [("203.0.113.5", 401), ("203.0.113.5", 401), ("203.0.113.5", 429)] {
        assert_eq!(from(source, "wrong").await, expected);
    }
    assert_eq!(
        from("198.51.100.9, 203.0.113.5, 127.0.0.1", "wrong").await,
        429,
        "what comes before is hearsay"
    );
    let secret = device.secret.clone();
    assert_eq!(from("203.0.113.6", &secret).await, 200, "others do not wait with it");
}

#[test]
fn a_header_for_certificates_needs_what_makes_it_good() {
    let load = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("omadm.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(Path::new(&file)), std::iter::empty()).map_err(|error| error.to_string())
    };
    let header = "[device]\ncertificate_header = \"Client-Cert\"\n";
    let trusted = "trusted_proxies = [\"10.0.0.0/8\"]\n";
    let authority = "[tls]\nclient_ca = \"ca.pem\"\nclient_certificates = \"optional\"\n";
    assert!(load(header).unwrap_err().contains("trusted_proxies"));
    assert!(load(&format!("{header}{trusted}")).unwrap_err().contains("tls.client_ca"));
    assert!(load(&format!("{header}{trusted}{authority}")).is_ok());
    assert!(load("[device]\ncertificate_header = \"a b\"\n").unwrap_err().contains("no name of a header"));
    assert!(load("[device]\ntrusted_proxies = [\"everybody\"]\n").unwrap_err().contains("is no network"));
}
