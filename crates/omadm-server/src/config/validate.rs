//! What a well-formed value must be beyond its type.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderName, Uri};
use omadm_codec::dm2::notification::{Connection, Preference};
use omadm_codec::sms::Address;
use omadm_config::{Fault, Span};

use super::{BootstrapSection, ClientCertificates, CloudService, Config, SmsGateway};
use super::{delegation, dm1, fleet, notifier_dm1, package};

/// Largest body that the store is asked to keep: it is held in memory, and SQLite takes no more than 10⁹ octets.
const MAX_BODY: usize = 512 << 20;
/// Shortest pause between two looks at the certificates.
const MIN_RELOAD: Duration = Duration::from_millis(100);

/// Longest pause between notifications.
const MAX_PAUSE: Span = Span::secs(7 * 86_400);

/// Finds the first fault.
pub(super) fn check(config: &Config) -> Result<(), Fault> {
    server_id(&config.server.id).map_err(|problem| Fault::new("server.id", problem))?;
    if let Some(url) = &config.server.public_url {
        public_url(url, config.device.plain_http)
            .map_err(|problem| Fault::new("server.public_url", problem))?;
    }
    match (&config.device.certificate, &config.device.key) {
        (Some(_), None) => return Err(Fault::new("device.key", "is needed beside device.certificate")),
        (None, Some(_)) => return Err(Fault::new("device.certificate", "is needed beside device.key")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    proxies(config)?;
    overload(config)?;
    dm1::check(config)?;
    delegation::check(config)?;
    package::check(&config.package)?;
    super::profiles::check(&config.profiles)?;
    super::campaigns::check(&config.campaigns)?;
    super::store::check(&config.store)?;
    super::retention::check(&config.retention)?;
    fleet::check(&config.fleet)?;
    if !config.bootstrap.moids.is_empty() {
        BootstrapSection::check(&config.bootstrap.moids)
            .map_err(|problem| Fault::new("bootstrap.moids", problem))?;
    }
    super::people::check(&config.operator, &config.audit, &config.webhook)?;
    security(config)?;
    notifier(config)?;
    super::push::check(&config.http_push, &config.sip, &config.ppg)?;
    let spans: [(&'static str, Span); 16] = [
        ("device.open_session_idle", config.device.open_session_idle),
        ("metrics.interval", config.metrics.interval),
        ("device.idle_timeout", config.device.idle_timeout),
        ("device.header_timeout", config.device.header_timeout),
        ("device.body_timeout", config.device.body_timeout),
        ("device.handshake_timeout", config.device.handshake_timeout),
        ("device.retry_after", config.device.retry_after),
        ("dm1.session_timeout", config.dm1.session_timeout),
        ("auth.nonce_lifetime", config.auth.nonce_lifetime),
        ("auth.max_delay", config.auth.max_delay),
        ("bootstrap.send_timeout", config.bootstrap.send_timeout),
        ("operator.body_timeout", config.operator.body_timeout),
        ("queue.default_expiry", config.queue.default_expiry),
        ("notifier.retry_after", config.notifier.retry_after),
        ("notifier.longest_retry", config.notifier.longest_retry),
        ("notifier.send_timeout", config.notifier.send_timeout),
    ];
    for (key, span) in spans {
        if span < Span::secs(1) {
            return Err(Fault::new(key, "has to be one second or more"));
        }
    }
    let counts: [(&'static str, usize, RangeInclusive<usize>); 29] = [
        ("device.max_handshakes", config.device.max_handshakes, 1..=100_000),
        ("device.max_open_sessions", config.device.max_open_sessions, 1..=10_000_000),
        ("device.max_store_queue", config.device.max_store_queue, 1..=1_000_000),
        ("operator.max_connections", config.operator.max_connections, 1..=1_000_000),
        ("device.max_message", config.device.max_message.0, 1..=64 << 20),
        ("device.max_connections", config.device.max_connections, 1..=1_000_000),
        ("device.max_new_sessions", config.device.max_new_sessions, 0..=1_000_000),
        ("device.remembered_sessions", config.device.remembered_sessions, 0..=1_000_000),
        ("device.max_alerts", config.device.max_alerts, 0..=100_000),
        ("dm1.max_message", config.dm1.max_message.0, 4_096..=64 << 20),
        ("dm1.max_object", config.dm1.max_object.0, 1_024..=MAX_BODY),
        ("dm1.max_reply", config.dm1.max_reply.0, 1_024..=64 << 20),
        ("dm1.max_session", config.dm1.max_session.0, 1_024..=64 << 30),
        ("dm1.max_messages", config.dm1.max_messages as usize, 1..=100_000),
        ("dm1.max_challenges", config.dm1.max_challenges as usize, 1..=100),
        ("auth.nonces", config.auth.nonces, 1..=10_000_000),
        ("auth.user_failures", config.auth.user_failures as usize, 1..=1_000_000),
        ("auth.source_failures", config.auth.source_failures as usize, 1..=1_000_000),
        ("queue.max_per_device", config.queue.max_per_device as usize, 1..=1_000_000),
        ("queue.max_commands_per_package", config.queue.max_commands_per_package, 1..=1_000),
        ("queue.max_attempts", config.queue.max_attempts as usize, 1..=1_000),
        ("notifier.max_attempts", config.notifier.max_attempts as usize, 1..=100),
        ("notifier.max_per_day", config.notifier.max_per_day as usize, 1..=100_000),
        ("notifier.concurrent", config.notifier.concurrent, 1..=1_000),
        ("trace.keep_bytes", config.trace.keep_bytes.0, 0..=MAX_BODY),
        ("trace.keep_days", config.trace.keep_days as usize, 1..=36_500),
        ("data.max_upload", config.data.max_upload.0, 1..=MAX_BODY),
        ("data.max_payload", config.data.max_payload.0, 1..=MAX_BODY),
        ("data.max_items", config.data.max_items, 100..=1_000_000),
    ];
    for (key, count, range) in counts {
        if !range.contains(&count) {
            return Err(Fault::new(key, format!("has to be {} to {}", range.start(), range.end())));
        }
    }
    Ok(())
}

/// Settings of overload and of figures that need each other.
fn overload(config: &Config) -> Result<(), Fault> {
    if config.device.longest_retry < config.device.retry_after {
        return Err(Fault::new("device.longest_retry", "has to be device.retry_after or more"));
    }
    if config.metrics.open && !config.operator.listen.ip().is_loopback() {
        let problem =
            "needs operator.listen on a loopback address: others would see the figures without a token";
        return Err(Fault::new("metrics.open", problem));
    }
    Ok(())
}

/// What is trusted of proxies.
fn proxies(config: &Config) -> Result<(), Fault> {
    let Some(header) = &config.device.certificate_header else { return Ok(()) };
    const KEY: &str = "device.certificate_header";
    if header.parse::<HeaderName>().is_err() {
        return Err(Fault::new(KEY, format!("{header:?} is no name of a header")));
    }
    if config.device.trusted_proxies.is_empty() {
        return Err(Fault::new(KEY, "needs device.trusted_proxies: from anybody it would prove nothing"));
    }
    if config.tls.client_ca.is_none() {
        return Err(Fault::new(KEY, "needs tls.client_ca, against which the certificates are checked"));
    }
    Ok(())
}

/// Settings of `[tls]` and `[auth]` that need each other.
fn security(config: &Config) -> Result<(), Fault> {
    let tls = &config.tls;
    match (&tls.second_certificate, &tls.second_key) {
        (Some(_), None) => {
            return Err(Fault::new("tls.second_key", "is needed beside tls.second_certificate"));
        }
        (None, Some(_)) => {
            return Err(Fault::new("tls.second_certificate", "is needed beside tls.second_key"));
        }
        (Some(_), Some(_)) if config.device.certificate.is_none() => {
            return Err(Fault::new("tls.second_certificate", "is for use beside device.certificate"));
        }
        _ => {}
    }
    if tls.client_certificates != ClientCertificates::Off && tls.client_ca.is_none() {
        return Err(Fault::new("tls.client_ca", "is needed to check the certificates of devices"));
    }
    if tls.client_certificates == ClientCertificates::Off
        && (tls.client_ca.is_some() || tls.client_crl.is_some())
    {
        let problem =
            "has to be \"optional\" or \"required\" for tls.client_ca and tls.client_crl to be used";
        return Err(Fault::new("tls.client_certificates", problem));
    }
    if tls.reload_interval.0 < MIN_RELOAD {
        return Err(Fault::new("tls.reload_interval", "has to be 100 ms or more"));
    }
    Ok(())
}

/// Settings of `[notifier]`, `[sms]` and `[cloud]` that need each other.
fn notifier(config: &Config) -> Result<(), Fault> {
    let wanted: Vec<Connection> = config.notifier.connections.iter().copied().map(Into::into).collect();
    Preference::new(&wanted).map_err(|error| Fault::new("notifier.connections", error.to_string()))?;
    for (key, pause) in [
        ("notifier.longest_retry", config.notifier.longest_retry),
        ("notifier.min_interval", config.notifier.min_interval),
    ] {
        if pause > MAX_PAUSE {
            return Err(Fault::new(key, "has to be 7 days or less"));
        }
    }
    notifier_dm1::check(&config.notifier)?;
    let sms = &config.sms;
    let gateway = match sms.gateway {
        SmsGateway::None => None,
        SmsGateway::Http => Some(("sms.url", sms.url.is_some())),
        SmsGateway::Smpp => Some(("sms.address", sms.address.is_some())),
    };
    if let Some((key, false)) = gateway {
        return Err(Fault::new(key, "is needed to reach the gateway"));
    }
    for (key, text, longest) in
        [("sms.system_id", &sms.system_id, 15), ("sms.system_type", &sms.system_type, 12)]
    {
        if text.len() > longest || text.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(Fault::new(key, format!("has at most {longest} printable ASCII characters")));
        }
    }
    if !sms.source.is_empty() && Address::parse(&sms.source).is_none() {
        return Err(Fault::new(
            "sms.source",
            "is no number: write 1 to 20 digits, after a + if with country code",
        ));
    }
    let cloud = &config.cloud;
    for (key, url) in [("sms.url", &sms.url), ("cloud.url", &cloud.url)] {
        if url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            return Err(Fault::new(key, "has to begin with https:// or http://"));
        }
    }
    if cloud.service != CloudService::None && cloud.url.is_none() {
        return Err(Fault::new("cloud.url", "is needed to reach the service"));
    }
    Ok(())
}

/// The first of these settings that does not hold: its key, what it has to be, and whether it is that.
pub(super) fn first_fault(
    settings: impl IntoIterator<Item = (&'static str, &'static str, bool)>,
) -> Result<(), Fault> {
    match settings.into_iter().find(|(_, _, holds)| !holds) {
        Some((key, what, _)) => Err(Fault::new(key, what)),
        None => Ok(()),
    }
}

pub(super) fn server_id(id: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if id.is_empty() || id.len() > 64 || !id.chars().all(legal) {
        return Err(format!("{id:?} has to be 1 to 64 letters, digits, '.', '-' or '_'"));
    }
    Ok(())
}

fn public_url(text: &str, plain_http: bool) -> Result<(), String> {
    let uri: Uri = text.parse().map_err(|error| format!("{text:?} is no URL: {error}"))?;
    if uri.authority().is_none() || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(format!(
            "{text:?} has to be scheme, host and port only, such as https://dm.example.org:8443"
        ));
    }
    match (uri.scheme_str(), plain_http) {
        (Some("https"), _) | (Some("http"), true) => Ok(()),
        (Some("http"), false) => Err(format!("{text:?} is not https; devices' credentials need TLS")),
        _ => Err(format!("{text:?} has to begin with https://")),
    }
}
