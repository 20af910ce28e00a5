//! TLS towards devices: settings, and the certificates of a trial server (`DM 2.0 §9.2`).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::dh::Dh;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{
    AlpnError, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslOptions, SslSessionCacheMode,
    SslVersion, select_next_proto,
};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509NameBuilder};

use crate::ServerError;

/// The X.509 suites of `DM 2.0 §9.2.2` that exist in TLS 1.2, and ECDHE with RSA certificates beside them; ECDHE first, as DHE
/// costs several times as much.
const SUITES: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:\
AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:DHE-RSA-AES128-SHA256:AES128-SHA256";
/// Protocols offered by ALPN, in order of preference.
const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";
/// The group ffdhe2048 (`RFC 7919 appendix A.1`).
const FFDHE2048: &[u8] = include_bytes!("ffdhe2048.pem");
/// How long made certificates hold.
const AUTHORITY_DAYS: u32 = 3_650;
const SERVER_DAYS: u32 = 397;
/// A made certificate with fewer days left is made anew at start.
const RENEW_DAYS: u32 = 30;

/// Where certificate and key of the listener are, and the authority to trust.
pub struct Identity {
    /// PEM file: certificate and chain.
    pub certificate: PathBuf,
    /// PEM file: private key.
    pub key: PathBuf,
    /// The authority as PEM, if known.
    pub authority: Option<String>,
}

/// The TLS context of the device listener.
///
/// # Errors
/// When certificate and key cannot be read or do not fit together.
pub fn context(identity: &Identity) -> Result<SslContext, ServerError> {
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_3))?;
    builder.set_cipher_list(SUITES)?;
    builder.set_ciphersuites("TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256")?;
    builder.set_tmp_dh(&*Dh::params_from_pem(FFDHE2048)?)?;
    // A resumed session would outlive a revoked credential and forget a PSK identity: every connection shakes hands in full.
    builder.set_options(
        SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_TICKET
            | SslOptions::NO_COMPRESSION,
    );
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_num_tickets(0)?;
    builder
        .set_alpn_select_callback(|_, offered| select_next_proto(PROTOCOLS, offered).ok_or(AlpnError::NOACK));
    load(&mut builder, identity)?;
    Ok(builder.build())
}

fn load(builder: &mut SslContextBuilder, identity: &Identity) -> Result<(), ServerError> {
    let fault = |what: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error: openssl::error::ErrorStack| ServerError::Certificate {
            what,
            path,
            problem: error.to_string(),
        }
    };
    builder
        .set_certificate_chain_file(&identity.certificate)
        .map_err(fault("the certificate", &identity.certificate))?;
    builder
        .set_private_key_file(&identity.key, SslFiletype::PEM)
        .map_err(fault("the private key", &identity.key))?;
    builder
        .check_private_key()
        .map_err(fault("the private key does not belong to the certificate:", &identity.key))
}

/// Makes, or finds from an earlier start, an authority and a server certificate for `names` in `dir`. A certificate that lacks one
/// of the names or ends soon is made anew under the same authority, so that devices keep trusting it.
///
/// # Errors
/// When the files cannot be read or written.
pub fn trial_identity(dir: &Path, names: &BTreeSet<String>) -> Result<Identity, ServerError> {
    fs::create_dir_all(dir).map_err(|source| file("the directory", dir, source))?;
    let authority_files = (dir.join("ca.pem"), dir.join("ca.key"));
    if !authority_files.0.exists() {
        let key = new_key()?;
        let certificate = authority(&key)?;
        write_private(&authority_files.1, &key.private_key_to_pem_pkcs8()?)?;
        write(&authority_files.0, &certificate.to_pem()?)?;
    }
    let authority_pem = read(&authority_files.0)?;
    let identity = Identity {
        certificate: dir.join("server.pem"),
        key: dir.join("server.key"),
        authority: Some(String::from_utf8_lossy(&authority_pem).into_owned()),
    };
    if !still_good(&identity, names)? {
        let authority = parse("the authority", &authority_files.0, X509::from_pem(&authority_pem))?;
        let signer = parse(
            "the authority's key",
            &authority_files.1,
            PKey::private_key_from_pem(&read(&authority_files.1)?),
        )?;
        let key = new_key()?;
        let certificate = server(&key, names, &authority, &signer)?;
        write_private(&identity.key, &key.private_key_to_pem_pkcs8()?)?;
        write(&identity.certificate, &[certificate.to_pem()?, authority_pem].concat())?;
    }
    Ok(identity)
}

/// Whether the certificate exists, has all the names, holds for some time yet, and is that of the key: a server that was killed
/// while it made them anew leaves a new key beside the old certificate.
fn still_good(identity: &Identity, names: &BTreeSet<String>) -> Result<bool, ServerError> {
    let Identity { certificate: path, key, .. } = identity;
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

fn new_key() -> Result<PKey<Private>, ServerError> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
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
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
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
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_trial_identity_is_made_once_and_follows_its_names() {
        let dir = tempfile::tempdir().unwrap();
        let first = trial_identity(dir.path(), &names(&["localhost", "127.0.0.1", "::1"])).unwrap();
        context(&first).unwrap();
        let made = fs::read(&first.certificate).unwrap();
        let authority = first.authority.clone().unwrap();
        for key in ["ca.key", "server.key"] {
            assert_eq!(
                fs::metadata(dir.path().join(key)).unwrap().permissions().mode() & 0o777,
                0o600,
                "{key}"
            );
        }

        let again = trial_identity(dir.path(), &names(&["localhost", "::1"])).unwrap();
        assert_eq!(fs::read(&again.certificate).unwrap(), made, "the certificate still has all names");

        let moved = trial_identity(dir.path(), &names(&["localhost", "dm.example.org"])).unwrap();
        assert_ne!(fs::read(&moved.certificate).unwrap(), made);
        assert_eq!(moved.authority.unwrap(), authority, "devices go on trusting the authority");
        let leaf = X509::from_pem(&fs::read(&moved.certificate).unwrap()).unwrap();
        let issuer = X509::from_pem(authority.as_bytes()).unwrap();
        assert!(leaf.verify(&issuer.public_key().unwrap()).unwrap());
        context(&moved_identity(dir.path())).unwrap();
    }

    #[test]
    fn a_renewal_that_was_cut_short_is_made_good() {
        let dir = tempfile::tempdir().unwrap();
        let first = trial_identity(dir.path(), &names(&["localhost"])).unwrap();
        let key = new_key().unwrap().private_key_to_pem_pkcs8().unwrap();
        for half in [Some(key), Some(Vec::new()), None] {
            fs::remove_file(&first.key).unwrap();
            if let Some(octets) = half {
                write_private(&first.key, &octets).unwrap();
            }
            let again = trial_identity(dir.path(), &names(&["localhost"])).unwrap();
            context(&again).unwrap();
            assert_eq!(again.authority, first.authority, "devices go on trusting the authority");
        }
    }

    fn moved_identity(dir: &Path) -> Identity {
        Identity { certificate: dir.join("server.pem"), key: dir.join("server.key"), authority: None }
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let a = trial_identity(a.path(), &names(&["localhost"])).map(|i| (i, a)).unwrap();
        let b = trial_identity(b.path(), &names(&["localhost"])).map(|i| (i, b)).unwrap();
        let mixed = Identity { certificate: a.0.certificate.clone(), key: b.0.key.clone(), authority: None };
        let error = context(&mixed).err().unwrap().to_string();
        assert!(error.contains("private key"), "{error}");
    }
}
