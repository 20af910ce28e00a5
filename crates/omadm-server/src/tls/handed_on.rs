//! Certificates of devices that a proxy which ends TLS hands on in a header, checked here once more.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509Store;
use openssl::x509::{X509, X509StoreContext};
use percent_encoding::percent_decode_str;

use super::peer::device_of;
use super::{Identified, Renewed, authorities, is_weak};
use crate::ServerError;

/// What PEM has around a certificate.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Checks certificates against the authorities of devices.
pub struct HandedOn {
    /// Made anew when its files change.
    pub authorities: Arc<Renewed<Arc<X509Store>>>,
}

impl HandedOn {
    /// With the authorities, and the revocation lists, in these files.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn new(client_ca: &Path, client_crl: Option<&Path>) -> Result<Self, ServerError> {
        let (ca, crl) = (client_ca.to_owned(), client_crl.map(Path::to_owned));
        let files = [Some(ca.clone()), crl.clone()].into_iter().flatten().collect();
        let make = move || Ok(Arc::new(authorities(Some(&ca), crl.as_deref())?));
        Ok(Self { authorities: Arc::new(Renewed::new(files, make)?) })
    }

    /// The device of a certificate in a header: DER in base64 as `RFC 9440` has it, or PEM in percent-encoding as proxies write it.
    ///
    /// # Errors
    /// One sentence on why it proves nothing.
    pub fn identify(&self, header: &str) -> Result<Identified, String> {
        let certificate = read(header)?;
        let failed = |error: ErrorStack| format!("it cannot be checked: {error}");
        let (none, mut context) = (Stack::new().map_err(failed)?, X509StoreContext::new().map_err(failed)?);
        let store = self.authorities.get();
        let checked = context.init(&store, &certificate, &none, |context| {
            Ok(context.verify_cert()?.then_some(()).ok_or_else(|| context.error().to_string()))
        });
        checked.map_err(failed)??;
        if is_weak(&certificate) {
            return Err("its key is too short, or its signature uses a broken digest".to_owned());
        }
        device_of(&certificate).map(Identified::Certificate)
    }
}

fn read(header: &str) -> Result<X509, String> {
    let text = percent_decode_str(header.trim().trim_matches(':')).decode_utf8_lossy();
    // Of a chain the device's own comes first.
    let first = text.split([',']).next().unwrap_or_default().trim();
    let first = first.strip_prefix(BEGIN).unwrap_or(first);
    let base64: String = first.split(END).next().unwrap_or_default().split_whitespace().collect();
    let der = STANDARD.decode(base64).map_err(|error| format!("it is no certificate in base64: {error}"))?;
    X509::from_der(&der).map_err(|error| format!("it is no certificate: {error}"))
}
