//! Certificates made for one test run.

use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
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
    ca: X509,
    ca_key: PKey<Private>,
}

/// A certificate that an authority gave to a device.
pub struct Issued {
    /// It and its key, DER.
    pub der: (Vec<u8>, Vec<u8>),
    /// Files with both, PEM.
    pub files: (PathBuf, PathBuf),
    serial: String,
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

    /// Makes a new one whose server certificate has an RSA key.
    #[must_use]
    pub fn with_rsa() -> Self {
        let key = Rsa::generate(2_048).and_then(PKey::from_rsa).expect("OpenSSL makes keys");
        Self::of_key(Flaw::Nothing, key).expect("OpenSSL makes certificates")
    }

    fn make(flaw: Flaw) -> Result<Self, ErrorStack> {
        let curve = if flaw == Flaw::SmallKey { Nid::SECP224R1 } else { Nid::X9_62_PRIME256V1 };
        Self::of_key(flaw, key(curve)?)
    }

    fn of_key(flaw: Flaw, key: PKey<Private>) -> Result<Self, ErrorStack> {
        let ca_key = self::key(Nid::X9_62_PRIME256V1)?;
        // A device may trust several at a time, and tells them apart by their names.
        let mut ca =
            builder(&format!("omadm conformance authority {}", serial()?.to_hex_str()?), &ca_key, None)?;
        ca.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        ca.sign(&ca_key, MessageDigest::sha256())?;
        let ca = ca.build();

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
        Ok(Self { directory, certificate: server.build(), key, ca, ca_key })
    }

    /// Gives a device a certificate whose common name is its DevID.
    #[must_use]
    pub fn issue(&self, device: &str, flaw: Flaw) -> Issued {
        self.try_issue(device, flaw).expect("OpenSSL makes keys and certificates")
    }

    fn try_issue(&self, device: &str, flaw: Flaw) -> Result<Issued, ErrorStack> {
        let key = key(if flaw == Flaw::SmallKey { Nid::SECP224R1 } else { Nid::X9_62_PRIME256V1 })?;
        let mut certificate = builder(device, &key, Some(&self.ca))?;
        if flaw == Flaw::Expired {
            certificate.set_not_before(&*Asn1Time::from_unix(0)?)?;
            certificate.set_not_after(&*Asn1Time::from_unix(1_000_000_000)?)?;
        }
        certificate.sign(&self.ca_key, MessageDigest::sha256())?;
        let certificate = certificate.build();
        let serial = certificate.serial_number().to_bn()?.to_hex_str()?.to_string();
        let file = |suffix: &str, pem: Vec<u8>| {
            let path = self.directory.path().join(format!("device-{serial}.{suffix}"));
            std::fs::write(&path, pem).expect("a writable directory");
            path
        };
        let files = (file("pem", certificate.to_pem()?), file("key", key.private_key_to_pem_pkcs8()?));
        Ok(Issued { der: (certificate.to_der()?, key.private_key_to_der()?), files, serial })
    }

    /// Writes a revocation list (PEM) with these certificates, and gives the file.
    #[must_use]
    pub fn revocation_list(&self, revoked: &[&Issued]) -> PathBuf {
        let file = |name: &str, content: Vec<u8>| {
            let path = self.directory.path().join(name);
            std::fs::write(&path, content).expect("a writable directory");
            path
        };
        let line = |issued: &&Issued| {
            format!("R\t491231235959Z\t250101000000Z\t{}\tunknown\t/CN=device\n", issued.serial)
        };
        let index = file("index.txt", revoked.iter().map(line).collect::<String>().into_bytes());
        let config = format!("[ca]\ndefault_ca = d\n[d]\ndatabase = {}\n", index.display());
        let config = file("crl.cnf", config.into_bytes());
        let key = file("ca.key", self.ca_key.private_key_to_pem_pkcs8().expect("PEM"));
        let list = self.directory.path().join("crl.pem");
        let made = std::process::Command::new("openssl")
            .args(["ca", "-gencrl", "-md", "sha256", "-crldays", "2", "-config"])
            .arg(config)
            .arg("-keyfile")
            .arg(key)
            .arg("-cert")
            .arg(self.ca_file())
            .arg("-out")
            .arg(&list)
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        list
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
