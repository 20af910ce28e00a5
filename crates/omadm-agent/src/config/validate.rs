//! What a well-formed value must be beyond its type.

use omadm_client::dm1::bootstrap::{InitialRight, UrlTemplate};
use omadm_client::{TlsPolicy, TlsVersion};
use omadm_config::{Fault, Span};
use omadm_mo::{ServerId, ServerUri};

use super::{
    BootstrapSection, Config, ConsentMode, Dm1BootstrapSection, Dm1Section, SourceAuth, TlsSection, UserMode,
};
use crate::device_id;
use crate::mo::agent::MAX_POLL_INTERVAL;

/// Finds the first fault.
pub(super) fn check(config: &Config) -> Result<(), Fault> {
    if let Some(Err(problem)) = config.device.id.as_deref().map(device_id::check) {
        return Err(Fault::new("device.id", problem));
    }
    check_bootstrap(&config.bootstrap)?;
    check_listener(config)?;
    tls(&config.tls)?;
    let session = &config.session;
    if session.poll_interval.0.subsec_nanos() != 0 {
        return Err(Fault::new("session.poll_interval", "has to be in whole seconds"));
    }
    let intervals = [
        ("session.poll_interval", session.poll_interval),
        ("session.extra_interval", session.extra_interval),
    ];
    if let Some((key, _)) =
        intervals.into_iter().find(|(_, span)| *span > Span::secs(MAX_POLL_INTERVAL.into()))
    {
        return Err(Fault::new(key, format!("is more than {MAX_POLL_INTERVAL} seconds")));
    }
    let spans = [
        ("session.connect_timeout", session.connect_timeout),
        ("session.request_timeout", session.request_timeout),
    ];
    if let Some((key, _)) = spans.into_iter().find(|(_, span)| *span < Span::secs(1)) {
        return Err(Fault::new(key, "has to be one second or more"));
    }
    if session.max_rounds == 0 {
        return Err(Fault::new("session.max_rounds", "has to be 1 or more"));
    }
    let notification = &config.notification;
    if !(1..=1_000).contains(&notification.remembered) {
        return Err(Fault::new("notification.remembered", "has to be 1 to 1000"));
    }
    if notification.sms_messages > 1_000 {
        return Err(Fault::new("notification.sms_messages", "has to be 0 to 1000"));
    }
    if notification.sms_age.0.subsec_nanos() != 0 {
        return Err(Fault::new("notification.sms_age", "has to be in whole seconds"));
    }
    let bounds =
        [("notification.per_source", notification.per_source), ("notification.in_all", notification.in_all)];
    if let Some((key, _)) = bounds.into_iter().find(|(_, bound)| *bound == 0) {
        return Err(Fault::new(key, "has to be 1 or more"));
    }
    notification.check_dm1()?;
    if notification.max_age < Span::secs(1) {
        return Err(Fault::new("notification.max_age", "has to be one second or more"));
    }
    super::push::check(config)?;
    if config.report.attempts == 0 {
        return Err(Fault::new("report.attempts", "has to be 1 or more"));
    }
    if config.report.retry < Span::secs(1) {
        return Err(Fault::new("report.retry", "has to be one second or more"));
    }
    if config.show.command.first().is_some_and(String::is_empty) {
        return Err(Fault::new("show.command", "has to begin with a program"));
    }
    if config.maintenance.command.first().is_some_and(String::is_empty) {
        return Err(Fault::new("maintenance.command", "has to begin with a program"));
    }
    if config.maintenance.timeout < Span::secs(1) {
        return Err(Fault::new("maintenance.timeout", "has to be one second or more"));
    }
    super::objects::check(config)?;
    config.smartcard.check()?;
    dm1(&config.dm1)
}

fn dm1(dm1: &Dm1Section) -> Result<(), Fault> {
    for (key, size) in [("dm1.max_message", dm1.max_message), ("dm1.max_object", dm1.max_object)] {
        if !(1 << 10..=1 << 30).contains(&size.0) {
            return Err(Fault::new(key, "has to be 1 KiB to 1 GiB"));
        }
    }
    if dm1.max_rounds == 0 {
        return Err(Fault::new("dm1.max_rounds", "has to be 1 or more"));
    }
    dm1.obex.check()?;
    dm1.wsp.check()?;
    if dm1.user == UserMode::Command && dm1.user_command.is_empty() {
        return Err(Fault::new("dm1.user", "\"command\" needs dm1.user_command"));
    }
    if dm1.user_timeout < Span::secs(1) {
        return Err(Fault::new("dm1.user_timeout", "has to be one second or more"));
    }
    if dm1.sessionless_max_age < Span::secs(60) {
        return Err(Fault::new("dm1.sessionless_max_age", "has to be one minute or more"));
    }
    if let Some(server) = dm1.sessionless_trusted.iter().find(|server| ServerId::parse(server).is_err()) {
        return Err(Fault::new("dm1.sessionless_trusted", format!("{server:?} is no ServerID")));
    }
    dm1_bootstrap(&dm1.bootstrap)
}

fn dm1_bootstrap(bootstrap: &Dm1BootstrapSection) -> Result<(), Fault> {
    if bootstrap.attempts > 256 {
        return Err(Fault::new("dm1.bootstrap.attempts", "has to be 0 to 256"));
    }
    if !(1..=1_000).contains(&bootstrap.waiting) {
        return Err(Fault::new("dm1.bootstrap.waiting", "has to be 1 to 1000"));
    }
    if bootstrap.expiry < Span::secs(60) {
        return Err(Fault::new("dm1.bootstrap.expiry", "has to be one minute or more"));
    }
    if !(1 << 10..=16 << 20).contains(&bootstrap.max_size.0) {
        return Err(Fault::new("dm1.bootstrap.max_size", "has to be 1 KiB to 16 MiB"));
    }
    if !bootstrap.rights.contains(&InitialRight::Get) {
        return Err(Fault::new("dm1.bootstrap.rights", "has to have \"get\""));
    }
    let urls =
        [("dm1.bootstrap.url", &bootstrap.url), ("dm1.bootstrap.operator_url", &bootstrap.operator_url)];
    for (key, url) in urls {
        if let Some(Err(error)) = url.as_deref().map(UrlTemplate::parse) {
            return Err(Fault::new(key, error.to_string()));
        }
    }
    let (user, secret) = (bootstrap.user.is_some(), bootstrap.secret_file.is_some());
    let needs = match bootstrap.auth {
        SourceAuth::Transport => (false, false),
        SourceAuth::Psk | SourceAuth::HttpBasic | SourceAuth::HttpDigest => (true, true),
        SourceAuth::Gba => (true, false),
    };
    if needs != (user, secret) {
        let reason = "needs dm1.bootstrap.user and dm1.bootstrap.secret_file, but for \"transport\" and of the latter for \"3gpp-gba\"";
        return Err(Fault::new("dm1.bootstrap.auth", reason));
    }
    Ok(())
}

fn check_bootstrap(bootstrap: &BootstrapSection) -> Result<(), Fault> {
    if let Some(url) = &bootstrap.url {
        let uri = ServerUri::parse(url).map_err(|error| Fault::new("bootstrap.url", error.to_string()))?;
        if !uri.as_str().to_ascii_lowercase().starts_with("https://") {
            return Err(Fault::new("bootstrap.url", "has to be https"));
        }
    }
    match (&bootstrap.user, &bootstrap.password_file) {
        (Some(_), None) => return Err(Fault::new("bootstrap.user", "needs bootstrap.password_file")),
        (None, Some(_)) => return Err(Fault::new("bootstrap.password_file", "needs bootstrap.user")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    if bootstrap.consent == ConsentMode::Command && bootstrap.consent_command.is_empty() {
        return Err(Fault::new("bootstrap.consent", "\"command\" needs bootstrap.consent_command"));
    }
    if bootstrap.consent_timeout < Span::secs(1) {
        return Err(Fault::new("bootstrap.consent_timeout", "has to be one second or more"));
    }
    Ok(())
}

/// Settings of `bootstrap.listen`: both sides have to know each other.
fn check_listener(config: &Config) -> Result<(), Fault> {
    let bootstrap = &config.bootstrap;
    match (&bootstrap.listen_certificate, &bootstrap.listen_key) {
        (Some(_), None) => {
            return Err(Fault::new("bootstrap.listen_certificate", "needs bootstrap.listen_key"));
        }
        (None, Some(_)) => {
            return Err(Fault::new("bootstrap.listen_key", "needs bootstrap.listen_certificate"));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    if bootstrap.listen.is_none() {
        return Ok(());
    }
    if bootstrap.senders_ca_file.is_none() || bootstrap.senders.is_empty() {
        return Err(Fault::new("bootstrap.listen", "needs bootstrap.senders_ca_file and bootstrap.senders"));
    }
    if bootstrap.listen_certificate.is_none() && config.tls.certificate.is_none() {
        return Err(Fault::new("bootstrap.listen", "needs bootstrap.listen_certificate or tls.certificate"));
    }
    Ok(())
}

/// Settings of `[tls]` that need each other.
fn tls(tls: &TlsSection) -> Result<(), Fault> {
    match (&tls.certificate, &tls.key) {
        (Some(_), None) => return Err(Fault::new("tls.key", "is needed beside tls.certificate")),
        (None, Some(_)) => return Err(Fault::new("tls.certificate", "is needed beside tls.key")),
        _ => {}
    }
    if TlsVersion::from(tls.min_version) < TlsVersion::Tls12 && tls.policy < TlsPolicy::Legacy {
        return Err(Fault::new("tls.min_version", "before 1.2 needs tls.policy = \"legacy\""));
    }
    if tls.max_version.is_some_and(|newest| TlsVersion::from(newest) < tls.min_version.into()) {
        return Err(Fault::new("tls.max_version", "is older than tls.min_version"));
    }
    Ok(())
}
