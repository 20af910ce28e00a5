//! Who the other side of a TLS connection has proved to be.

use omadm_auth::Secret;
use omadm_mo::DeviceId;
use openssl::nid::Nid;
use openssl::ssl::{SslRef, SslVersion};
use openssl::x509::X509Ref;

use super::keys;

/// What a URI among the alternative names of a device's certificate begins with; its DevID follows.
const URI_PREFIX: &str = "urn:omadm:device:";

/// What a TLS handshake has proved of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identified {
    /// Nothing.
    #[default]
    Nobody,
    /// That it has the key of a certificate that a trusted authority gave to this device.
    Certificate(DeviceId),
    /// That it has the pre-shared key of this user.
    SharedKey {
        /// PSK identity.
        user: String,
        /// The key, to be compared with what is kept now.
        key: Secret,
    },
}

impl Identified {
    /// Reads what a finished handshake has proved.
    pub fn of(ssl: &SslRef) -> Self {
        if let Some(identified) = shared_key(ssl) {
            return identified;
        }
        let Some(certificate) = ssl.peer_certificate() else { return Self::Nobody };
        match device_of(&certificate) {
            Ok(device) => Self::Certificate(device),
            Err(problem) => {
                tracing::warn!(
                    problem,
                    "a device's certificate names no device; HTTP credentials are needed beside it"
                );
                Self::Nobody
            }
        }
    }
}

/// That a key was looked for proves nothing: the handshake may have gone on without it.
fn shared_key(ssl: &SslRef) -> Option<Identified> {
    let attempt = keys::attempt(ssl)?;
    let used = match ssl.version2() {
        // No session is ever resumed here, so what is resumed is an external key.
        Some(SslVersion::TLS1_3) => ssl.session_reused(),
        _ => ssl.psk_identity() == Some(attempt.user.as_bytes()),
    };
    let key = attempt.key.clone().filter(|_| used)?;
    Some(Identified::SharedKey { user: attempt.user.clone(), key })
}

/// The DevID in a certificate: the URI among its alternative names that begins with [`URI_PREFIX`]; if there is none, the common name of
/// its subject.
pub(super) fn device_of(certificate: &X509Ref) -> Result<DeviceId, String> {
    let names = certificate.subject_alt_names();
    let uris = names.iter().flatten().filter_map(|name| name.uri());
    let mut named = uris.filter_map(|uri| uri.strip_prefix(URI_PREFIX));
    if let Some(first) = named.next() {
        if named.next().is_some() {
            return Err("it has several URIs of devices".to_owned());
        }
        return DeviceId::parse(first).map_err(|error| error.to_string());
    }
    let mut common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    let (Some(first), None) = (common.next(), common.next()) else {
        return Err("it has no common name, or several".to_owned());
    };
    let text = first.data().to_string().map_err(|error| error.to_string())?;
    DeviceId::parse(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use openssl::x509::extension::SubjectAlternativeName;
    use openssl::x509::{X509, X509NameBuilder};

    use super::*;

    fn certificate(common: &[&str], uris: &[&str]) -> X509 {
        let mut name = X509NameBuilder::new().unwrap();
        for text in common {
            name.append_entry_by_nid(Nid::COMMONNAME, text).unwrap();
        }
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name.build()).unwrap();
        if !uris.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for uri in uris {
                names.uri(uri);
            }
            let names = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        builder.build()
    }

    #[test]
    fn a_certificate_names_one_device() {
        let device = |common: &[&str], uris: &[&str]| device_of(&certificate(common, uris)).ok();
        let id = |text: &str| Some(DeviceId::parse(text).unwrap());
        assert_eq!(device(&["UUID:1"], &[]), id("UUID:1"));
        assert_eq!(device(&["UUID:1"], &["https://a.example/"]), id("UUID:1"));
        assert_eq!(
            device(&["UUID:1"], &["urn:omadm:device:IMEI:493005100592800"]),
            id("IMEI:493005100592800")
        );
        assert_eq!(device(&["UUID:1"], &["urn:omadm:device:A:1", "urn:omadm:device:A:2"]), None);
        assert_eq!(device(&["UUID:1", "UUID:2"], &[]), None);
        assert_eq!(device(&[], &[]), None);
        assert_eq!(
            device(&["UUID:1"], &["urn:omadm:device:"]),
            None,
            "a name that is not legal is not passed over"
        );
    }
}
