//! Certificates made for one test run.

use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslAcceptorBuilder, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

/// What is wrong with the certificate of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Flaw {
    Nothing,
    OtherHost,
    Expired,
    SelfSigned,
    /// An elliptic curve of less than 256 bits.
    SmallKey,
}

/// A certificate authority with a server certificate for `localhost` and `127.0.0.1`.
pub struct Authority {
    directory: tempfile::TempDir,
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    /// Makes a new one.
    #[must_use]
    pub fn new() -> Self {
        Self::with_flaw(Flaw::Nothing)
    }

    /// Makes a new one whose server certificate is not in order.
    #[must_use]
    pub fn with_flaw(flaw: Flaw) -> Self {
        Self::make(flaw).expect("OpenSSL makes keys and certificates")
    }

    fn make(flaw: Flaw) -> Result<Self, ErrorStack> {
        let ca_key = key(Nid::X9_62_PRIME256V1)?;
        // A device may trust several at a time, and tells them apart by their names.
        let mut ca =
            builder(&format!("omadm conformance authority {}", serial()?.to_hex_str()?), &ca_key, None)?;
        ca.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        ca.sign(&ca_key, MessageDigest::sha256())?;
        let ca = ca.build();

        let key = key(if flaw == Flaw::SmallKey { Nid::SECP224R1 } else { Nid::X9_62_PRIME256V1 })?;
        let issuer = (flaw != Flaw::SelfSigned).then_some(&ca);
        let mut server = builder("localhost", &key, issuer)?;
        if flaw == Flaw::Expired {
            server.set_not_before(&*Asn1Time::from_unix(0)?)?;
            server.set_not_after(&*Asn1Time::from_unix(1_000_000_000)?)?;
        }
        let mut names = SubjectAlternativeName::new();
        if flaw == Flaw::OtherHost {
            names.dns("elsewhere.example");
        } else {
            names.dns("localhost").ip("127.0.0.1");
        }
        let names = names.build(&server.x509v3_context(issuer.map(|ca| &**ca), None))?;
        server.append_extension(names)?;
        server.sign(if issuer.is_some() { &ca_key } else { &key }, MessageDigest::sha256())?;

        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("ca.pem"), ca.to_pem()?).expect("a writable directory");
        Ok(Self { directory, certificate: server.build(), key })
    }

    /// File with the certificate of the authority, PEM.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// What a server needs to accept TLS with the server certificate, with changes.
    pub(crate) fn acceptor(&self, change: impl FnOnce(&mut SslAcceptorBuilder)) -> SslAcceptor {
        let mut acceptor =
            SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("TLS settings");
        acceptor.set_certificate(&self.certificate).expect("a certificate");
        acceptor.set_private_key(&self.key).expect("its key");
        change(&mut acceptor);
        acceptor.build()
    }

    /// Writes the server certificate and its key, PEM, and gives the two files.
    #[must_use]
    pub fn server_files(&self) -> (PathBuf, PathBuf) {
        let file = |name: &str, pem: Vec<u8>| {
            let path = self.directory.path().join(name);
            std::fs::write(&path, pem).expect("a writable directory");
            path
        };
        let certificate = self.certificate.to_pem().expect("PEM");
        let key = self.key.private_key_to_pem_pkcs8().expect("PEM");
        (file("server.pem", certificate), file("server.key", key))
    }

    /// Directory of the files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn key(curve: Nid) -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn serial() -> Result<BigNum, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(64, MsbOption::MAYBE_ZERO, false)?;
    Ok(serial)
}

fn builder(name: &str, key: &PKey<Private>, issuer: Option<&X509>) -> Result<X509Builder, ErrorStack> {
    let mut subject = X509NameBuilder::new()?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    let subject = subject.build();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial()?.to_asn1_integer()?)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer.map_or(&*subject, |issuer| issuer.subject_name()))?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(2)?)?;
    builder.set_pubkey(key)?;
    Ok(builder)
}
