//! The certificates of a trial server: an authority of its own, and what it signs.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

use super::{Identity, KeyPair};
use crate::ServerError;

/// How long made certificates hold.
const AUTHORITY_DAYS: u32 = 3_650;
const SERVER_DAYS: u32 = 397;
/// A made certificate with fewer days left is made anew at start.
const RENEW_DAYS: u32 = 30;
/// Size of RSA keys in bits.
const RSA_BITS: u32 = 2_048;

/// Kinds of keys that a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On the curve P-256.
    Ecdsa,
    /// For the suites that need it (`DM 2.0 §9.2.2`).
    Rsa,
}

/// Makes, or finds from an earlier start, an authority and server certificates for `names` in `dir`, one of each kind of key. A
/// certificate that lacks one of the names or ends soon is made anew under the same authority, so that devices keep trusting it.
///
/// # Errors
/// When the files cannot be read or written.
pub fn trial_identity(dir: &Path, names: &BTreeSet<String>, kinds: &[Kind]) -> Result<Identity, ServerError> {
    fs::create_dir_all(dir).map_err(|source| file("the directory", dir, source))?;
    let authority_files = (dir.join("ca.pem"), dir.join("ca.key"));
    if !authority_files.0.exists() {
        let key = new_key(Kind::Ecdsa)?;
        let certificate = authority(&key)?;
        write_private(&authority_files.1, &key.private_key_to_pem_pkcs8()?)?;
        write(&authority_files.0, &certificate.to_pem()?)?;
    }
    let authority_pem = read(&authority_files.0)?;
    let mut pairs = Vec::new();
    for kind in kinds {
        let name = match kind {
            Kind::Ecdsa => "server",
            Kind::Rsa => "server-rsa",
        };
        let pair =
            KeyPair { certificate: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) };
        if !still_good(&pair, names)? {
            let authority = parse("the authority", &authority_files.0, X509::from_pem(&authority_pem))?;
            let signer = parse(
                "the authority's key",
                &authority_files.1,
                PKey::private_key_from_pem(&read(&authority_files.1)?),
            )?;
            let key = new_key(*kind)?;
            let certificate = server(&key, names, &authority, &signer)?;
            write_private(&pair.key, &key.private_key_to_pem_pkcs8()?)?;
            write(&pair.certificate, &[certificate.to_pem()?, authority_pem.clone()].concat())?;
        }
        pairs.push(pair);
    }
    Ok(Identity { pairs, authority: Some(String::from_utf8_lossy(&authority_pem).into_owned()) })
}

/// Whether the certificate exists, has all the names, holds for some time yet, and is that of the key: a server that was killed
/// while it made them anew leaves a new key beside the old certificate.
fn still_good(pair: &KeyPair, names: &BTreeSet<String>) -> Result<bool, ServerError> {
    let KeyPair { certificate: path, key } = pair;
    if !path.exists() || !key.exists() {
        return Ok(false);
    }
    let certificate = parse("the certificate", path, X509::from_pem(&read(path)?))?;
    let of_key = PKey::private_key_from_pem(&read(key)?)
        .is_ok_and(|key| certificate.public_key().is_ok_and(|certified| certified.public_eq(&key)));
    let mut has = BTreeSet::new();
    for name in certificate.subject_alt_names().iter().flatten() {
        has.extend(name.dnsname().map(str::to_owned));
        has.extend(name.ipaddress().and_then(ip_text));
    }
    let soon = Asn1Time::days_from_now(RENEW_DAYS)?;
    Ok(of_key && names.is_subset(&has) && *certificate.not_after() > *soon)
}

fn ip_text(octets: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    let sixteen = <[u8; 16]>::try_from(octets).map(IpAddr::from);
    four.or(sixteen).ok().map(|ip| ip.to_string())
}

fn new_key(kind: Kind) -> Result<PKey<Private>, ServerError> {
    Ok(match kind {
        Kind::Ecdsa => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
            PKey::from_ec_key(EcKey::generate(&group)?)?
        }
        Kind::Rsa => PKey::from_rsa(Rsa::generate(RSA_BITS)?)?,
    })
}

fn authority(key: &PKey<Private>) -> Result<X509, ServerError> {
    let mut builder = certificate("omadm trial authority", key, AUTHORITY_DAYS)?;
    let name = common_name("omadm trial authority")?;
    builder.set_issuer_name(&name)?;
    builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
    let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(identifier)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

fn server(
    key: &PKey<Private>,
    names: &BTreeSet<String>,
    issuer: &X509,
    signer: &PKey<Private>,
) -> Result<X509, ServerError> {
    let mut builder = certificate("omadm", key, SERVER_DAYS)?;
    builder.set_issuer_name(issuer.subject_name())?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().key_encipherment().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build()?)?;
    let mut alternatives = SubjectAlternativeName::new();
    for name in names {
        if name.parse::<IpAddr>().is_ok() {
            alternatives.ip(name);
        } else {
            alternatives.dns(name);
        }
    }
    let alternatives = alternatives.build(&builder.x509v3_context(Some(issuer), None))?;
    builder.append_extension(alternatives)?;
    let identifier =
        AuthorityKeyIdentifier::new().keyid(true).build(&builder.x509v3_context(Some(issuer), None))?;
    builder.append_extension(identifier)?;
    builder.sign(signer, MessageDigest::sha256())?;
    Ok(builder.build())
}

/// What every certificate has: serial number, subject, key, time of validity.
fn certificate(subject: &str, key: &PKey<Private>, days: u32) -> Result<X509Builder, ServerError> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&*common_name(subject)?)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(days)?)?;
    Ok(builder)
}

fn common_name(name: &str) -> Result<openssl::x509::X509Name, ServerError> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}

fn parse<T>(
    what: &'static str,
    path: &Path,
    parsed: Result<T, openssl::error::ErrorStack>,
) -> Result<T, ServerError> {
    parsed.map_err(|error| ServerError::Certificate {
        what,
        path: path.to_owned(),
        problem: error.to_string(),
    })
}

fn file(what: &'static str, path: &Path, source: std::io::Error) -> ServerError {
    ServerError::File { what, path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<Vec<u8>, ServerError> {
    fs::read(path).map_err(|source| file("the file", path, source))
}

/// Writes a file whole or not at all, whenever the server is killed.
fn write(path: &Path, content: &[u8]) -> Result<(), ServerError> {
    let next = path.with_extension("new");
    let replace = || {
        let mut file = fs::File::create(&next)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&next, path)
    };
    replace().map_err(|source| file("the file", path, source))
}

/// Writes a file that only its owner may read, whatever was there before.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), ServerError> {
    let replace = || {
        // A file that is there keeps its mode when opened, so it goes first.
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    replace().map_err(|source| file("the file", path, source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::{Settings, context};
    use super::*;

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn make(dir: &Path, list: &[&str]) -> Identity {
        trial_identity(dir, &names(list), &[Kind::Ecdsa, Kind::Rsa]).unwrap()
    }

    fn load(pairs: &[KeyPair]) -> Result<(), ServerError> {
        let settings = Settings { pairs: pairs.to_vec(), ..Settings::default() };
        context(&settings, None).map(drop)
    }

    fn octets(pairs: &[KeyPair]) -> Vec<Vec<u8>> {
        pairs.iter().map(|pair| fs::read(&pair.certificate).unwrap()).collect()
    }

    #[test]
    fn a_trial_identity_is_made_once_and_follows_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let first = make(dir.path(), &["localhost", "127.0.0.1", "::1"]);
        load(&first.pairs).unwrap();
        let made = octets(&first.pairs);
        for key in ["ca.key", "server.key", "server-rsa.key"] {
            let mode = fs::metadata(dir.path().join(key)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }

        let again = make(dir.path(), &["localhost", "::1"]);
        assert_eq!(octets(&again.pairs), made, "the certificates still have all names");

        let moved = make(dir.path(), &["localhost", "dm.example.org"]);
        assert_ne!(octets(&moved.pairs), made);
        assert_eq!(moved.authority, first.authority, "devices go on trusting the authority");
        let issuer = X509::from_pem(moved.authority.unwrap().as_bytes()).unwrap();
        for certificate in octets(&moved.pairs) {
            let leaf = X509::from_pem(&certificate).unwrap();
            assert!(leaf.verify(&issuer.public_key().unwrap()).unwrap());
        }
        load(&moved.pairs).unwrap();
    }

    #[test]
    fn a_renewal_that_was_cut_short_is_made_good() {
        let dir = tempfile::tempdir().unwrap();
        let first = make(dir.path(), &["localhost"]);
        let key = new_key(Kind::Ecdsa).unwrap().private_key_to_pem_pkcs8().unwrap();
        for half in [Some(key), Some(Vec::new()), None] {
            fs::remove_file(&first.pairs[0].key).unwrap();
            if let Some(octets) = half {
                write_private(&first.pairs[0].key, &octets).unwrap();
            }
            let again = make(dir.path(), &["localhost"]);
            load(&again.pairs).unwrap();
            assert_eq!(again.authority, first.authority, "devices go on trusting the authority");
        }
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (first, second) = (make(a.path(), &["localhost"]), make(b.path(), &["localhost"]));
        let mixed =
            KeyPair { certificate: first.pairs[0].certificate.clone(), key: second.pairs[0].key.clone() };
        let error = load(&[mixed]).err().unwrap().to_string();
        assert!(error.contains("private key"), "{error}");
    }
}
