//! A certification authority of its own for each test.

use std::path::PathBuf;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

pub struct Authority {
    directory: tempfile::TempDir,
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    pub fn new() -> Self {
        Self::on(Nid::X9_62_PRIME256V1)
    }

    /// One with a key on this curve.
    pub fn on(curve: Nid) -> Self {
        let key = key(curve);
        let mut builder = builder("test authority", &key);
        builder.set_issuer_name(&name("test authority")).unwrap();
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.to_pem().unwrap()).unwrap();
        Self { directory, certificate, key }
    }

    /// The trust anchor as a file.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A server with a certificate for these DNS names, and for 127.0.0.1 and ::1 if asked.
    pub fn acceptor(&self, names: &[&str], loopback: bool) -> SslAcceptor {
        self.acceptor_with(&key(Nid::X9_62_PRIME256V1), names, loopback)
    }

    /// A server with a key on this curve.
    pub fn acceptor_on(&self, curve: Nid) -> SslAcceptor {
        self.acceptor_with(&key(curve), &["localhost"], true)
    }

    fn acceptor_with(&self, key: &PKey<Private>, names: &[&str], loopback: bool) -> SslAcceptor {
        let mut builder = builder("server", key);
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        let mut alternative = SubjectAlternativeName::new();
        for name in names {
            alternative.dns(name);
        }
        if loopback {
            alternative.ip("127.0.0.1").ip("::1");
        }
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let alternative = alternative.build(&context).unwrap();
        builder.append_extension(alternative).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_private_key(key).unwrap();
        acceptor.set_certificate(&builder.build()).unwrap();
        acceptor.build()
    }
}

fn key(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn name(common: &str) -> openssl::x509::X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, common).unwrap();
    name.build()
}

fn builder(common: &str, key: &PKey<Private>) -> X509Builder {
    let mut serial = BigNum::new().unwrap();
    serial.rand(127, MsbOption::MAYBE_ZERO, false).unwrap();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name(common)).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
}
