//! Who may send bootstraps: servers with a certificate that the configuration trusts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslAcceptor, SslFiletype, SslMethod, SslRef, SslVerifyMode};
use openssl::x509::{X509, X509Ref};

use crate::config::Config;

/// Settings of the listener.
pub(super) struct Tls {
    pub(super) listen: SocketAddr,
    certificate: PathBuf,
    key: PathBuf,
    senders_ca_file: PathBuf,
    senders: Vec<String>,
}

impl Tls {
    /// What the configuration says; `None` if nothing is to be listened on.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let (bootstrap, tls) = (&config.bootstrap, &config.tls);
        let (certificate, key) = match (&bootstrap.listen_certificate, &bootstrap.listen_key) {
            (Some(certificate), Some(key)) => (certificate, key),
            _ => (tls.certificate.as_ref()?, tls.key.as_ref()?),
        };
        Some(Self {
            listen: bootstrap.listen?,
            certificate: certificate.clone(),
            key: key.clone(),
            senders_ca_file: bootstrap.senders_ca_file.clone()?,
            senders: bootstrap.senders.clone(),
        })
    }

    /// Our side of a handshake: TLS 1.2 or later, which nobody gets through without a certificate that is trusted here.
    ///
    /// # Errors
    /// A sentence names the file that cannot be used.
    pub(super) fn acceptor(&self) -> Result<Ssl, String> {
        let unusable = |path: &Path, error: &dyn std::error::Error| format!("{}: {error}", path.display());
        let failed = |error: ErrorStack| error.to_string();
        let mut tls = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).map_err(failed)?;
        tls.set_certificate_chain_file(&self.certificate)
            .map_err(|error| unusable(&self.certificate, &error))?;
        tls.set_private_key_file(&self.key, SslFiletype::PEM)
            .and_then(|()| tls.check_private_key())
            .map_err(|error| unusable(&self.key, &error))?;
        let path = &self.senders_ca_file;
        let pem = std::fs::read(path).map_err(|error| unusable(path, &error))?;
        let authorities = X509::stack_from_pem(&pem).map_err(|error| unusable(path, &error))?;
        if authorities.is_empty() {
            return Err(format!("{}: there is no certificate in it", path.display()));
        }
        for authority in authorities {
            tls.add_client_ca(&authority)
                .and_then(|()| tls.cert_store_mut().add_cert(authority))
                .map_err(|error| unusable(path, &error))?;
        }
        tls.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        Ssl::new(tls.build().context()).map_err(failed)
    }

    /// The name of the server behind a finished handshake.
    ///
    /// # Errors
    /// When it is none of those that may send.
    pub(super) fn sender(&self, ssl: &SslRef) -> Result<String, String> {
        let certificate = ssl.peer_certificate().ok_or("the sender showed no certificate")?;
        let names = names(&certificate);
        let sender =
            self.senders.iter().find(|sender| names.iter().any(|name| sender.eq_ignore_ascii_case(name)));
        sender.cloned().ok_or_else(|| {
            format!("the sender's certificate has none of the names in bootstrap.senders, but {names:?}")
        })
    }
}

/// The DNS names among the alternative names of a certificate. A common name may be that of a device.
fn names(certificate: &X509Ref) -> Vec<String> {
    let names = certificate.subject_alt_names();
    names.iter().flatten().filter_map(|name| name.dnsname()).map(str::to_owned).collect()
}
