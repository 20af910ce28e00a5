//! Who may send bootstraps: servers with a certificate that the configuration trusts.

use omadm_client::push::http::HttpPushTls;

use crate::config::Config;

/// What the configuration says of it; `None` without a certificate of our own or authorities of theirs.
pub(super) fn of(config: &Config) -> Option<HttpPushTls> {
    let (bootstrap, tls) = (&config.bootstrap, &config.tls);
    let (certificate, key) = match (&bootstrap.listen_certificate, &bootstrap.listen_key) {
        (Some(certificate), Some(key)) => (certificate, key),
        _ => (tls.certificate.as_ref()?, tls.key.as_ref()?),
    };
    Some(HttpPushTls {
        certificate: certificate.clone(),
        key: key.clone(),
        senders_ca_file: Some(bootstrap.senders_ca_file.clone()?),
        senders: bootstrap.senders.clone(),
    })
}
