//! HTTPS towards others: what fetches DDF files, what calls gateways and push services, and what brings bootstraps
//! to devices.

use std::path::Path;

use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use omadm_auth::Secret;
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVersion};

use crate::ServerError;
use crate::tls::{KeyPair, load};

/// Longest password in octets.
const MAX_PASSWORD: usize = 4_096;

/// Connects by HTTP and HTTPS, with the trust anchors of the system and of `ca_file`, the setting `what`.
///
/// # Errors
/// When they cannot be read, or TLS cannot be set up.
pub fn connector(
    ca_file: Option<&Path>,
    what: &'static str,
) -> Result<HttpsConnector<HttpConnector>, ServerError> {
    over(tls(ca_file, what)?)
}

/// As [`connector`], and shows a certificate of this server to who asks for one.
///
/// # Errors
/// As [`connector`], and when the certificate cannot be used.
pub fn mutual(
    ca_file: Option<&Path>,
    what: &'static str,
    own: &KeyPair,
) -> Result<HttpsConnector<HttpConnector>, ServerError> {
    let mut tls = tls(ca_file, what)?;
    load(&mut tls, own)?;
    over(tls)
}

/// Connects by HTTP and HTTPS.
///
/// # Errors
/// When TLS cannot be set up.
pub fn over(tls: SslConnectorBuilder) -> Result<HttpsConnector<HttpConnector>, ServerError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    Ok(HttpsConnector::with_connector(tcp, tls)?)
}

/// TLS towards others, with the trust anchors of the system and of `ca_file`, the setting `what`.
///
/// # Errors
/// When they cannot be read.
pub fn tls(ca_file: Option<&Path>, what: &'static str) -> Result<SslConnectorBuilder, ServerError> {
    // The builder verifies the peer and takes the system's trust anchors by itself.
    let mut tls = SslConnector::builder(SslMethod::tls_client())?;
    tls.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    if let Some(path) = ca_file {
        let unusable = |error: ErrorStack| ServerError::Certificate {
            what,
            path: path.to_owned(),
            problem: error.to_string(),
        };
        tls.set_ca_file(path).map_err(unusable)?;
    }
    Ok(tls)
}

/// The password in the file of the setting `what`: white space at its end does not count. None without a file.
///
/// # Errors
/// When it cannot be read, or is longer than [`MAX_PASSWORD`].
pub fn password(path: Option<&Path>, what: &'static str) -> Result<Option<Secret>, ServerError> {
    let Some(path) = path else { return Ok(None) };
    let unusable = |source| ServerError::File { what, path: path.to_owned(), source };
    let octets = Secret::new(std::fs::read(path).map_err(unusable)?);
    let trimmed = octets.expose().trim_ascii_end();
    if trimmed.len() > MAX_PASSWORD {
        let problem = format!("a password has at most {MAX_PASSWORD} octets");
        return Err(unusable(std::io::Error::other(problem)));
    }
    Ok(Some(Secret::new(trimmed.to_vec())))
}

/// An error with its causes, which is where hyper and OpenSSL say what happened.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    causes.collect::<Vec<_>>().join(": ")
}
