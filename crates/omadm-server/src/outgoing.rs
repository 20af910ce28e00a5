//! HTTPS towards others: what fetches DDF files, what calls gateways and push services, and what brings bootstraps
//! to devices.

use std::path::Path;

use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVersion};

use crate::ServerError;
use crate::tls::{KeyPair, load};

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

fn over(tls: SslConnectorBuilder) -> Result<HttpsConnector<HttpConnector>, ServerError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    Ok(HttpsConnector::with_connector(tcp, tls)?)
}

fn tls(ca_file: Option<&Path>, what: &'static str) -> Result<SslConnectorBuilder, ServerError> {
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

/// An error with its causes, which is where hyper and OpenSSL say what happened.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    causes.collect::<Vec<_>>().join(": ")
}
