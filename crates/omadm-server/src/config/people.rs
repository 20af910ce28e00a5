//! `[operator]`, `[audit]` and `[webhook]`: who uses the server, what is noted of it, and who is told of events.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use http::Uri;
use http::uri::Authority;
use omadm_config::{Fault, Size, Span};
use serde::{Deserialize, Serialize};

use super::Network;

/// `[operator]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperatorSection {
    /// Address and port of the REST API (plain HTTP: keep it on this machine, or put a TLS proxy before it); port 0 takes a
    /// free one.
    pub listen: SocketAddr,
    /// How people reach it, such as `https://omadm.example.org`, if a proxy stands before it. With `https` the cookies of sessions go
    /// over TLS only. Its host is allowed. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Names of hosts under which requests may come, beside `localhost`, addresses, and the host of `public_url`. A page of another
    /// name that leads here is refused (DNS rebinding). Default: none.
    pub allowed_hosts: Vec<String>,
    /// How long a request's body may take; of packages and imports, how long nothing of them may come.
    pub body_timeout: Span,
    /// Fewest octets a second of packages and imports, beside one `body_timeout`: who sends less keeps a place from others. 0 to 1 GiB.
    pub min_upload_rate: Size,
    /// Most connections at a time; more wait to be accepted. 1 to 1,000,000.
    pub max_connections: usize,
    /// How long a session lasts that begins with a password, one minute to 30 days.
    pub session_lifetime: Span,
    /// Passwords that are checked at a time, each with 19 MiB of memory; eight times as many may wait. 1 to 64.
    pub password_checks: usize,
    /// Most streams of events (SSE) at a time. 0 to 10,000.
    pub max_streams: usize,
    /// How long a stream of events lasts before who follows has to come again, one second to 30 days: so who does not read any more loses
    /// the place.
    pub stream_lifetime: Span,
}

/// `[audit]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditSection {
    /// For how many days entries of the audit log are kept. 1 to 36,500.
    pub keep_days: u32,
    /// How often a node notes in its own chain how far those of other nodes have come, one second or more.
    pub anchor_interval: Span,
}

/// `[webhook]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSection {
    /// Names of hosts that webhooks may lead to whatever their address, such as `siem.internal`. Others have to have a public address.
    pub allow_hosts: Vec<String>,
    /// Addresses and networks that are no public ones and that webhooks may lead to all the same, such as `10.1.2.0/24`.
    pub allow_networks: Vec<Network>,
    /// Allow `http://` beside `https://`: everyone on the way reads what is sent.
    pub plain_http: bool,
    /// PEM file with trust anchors beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long a delivery may take, from the look-up of the name to the end of the answer. One second to 5 minutes.
    pub timeout: Span,
    /// How often a delivery is tried before it is given up. 1 to 100.
    pub max_attempts: u32,
    /// Pause after the first failure; it doubles with each further one.
    pub retry_after: Span,
    /// Longest such pause.
    pub longest_retry: Span,
    /// Most events in one delivery. 1 to 1000.
    pub batch: u32,
    /// Most deliveries of a webhook that are kept after they were given up; of more, the oldest go. 1 to 100,000.
    pub max_dead: u32,
    /// Most webhooks. 1 to 1000.
    pub max_webhooks: usize,
}

impl Default for OperatorSection {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            public_url: None,
            allowed_hosts: Vec::new(),
            body_timeout: Span::secs(60),
            min_upload_rate: Size(1 << 10),
            max_connections: 1_000,
            session_lifetime: Span::secs(12 * 3_600),
            password_checks: 2,
            max_streams: 64,
            stream_lifetime: Span::secs(3_600),
        }
    }
}

impl Default for AuditSection {
    fn default() -> Self {
        Self { keep_days: 730, anchor_interval: Span::secs(600) }
    }
}

impl Default for WebhookSection {
    fn default() -> Self {
        Self {
            allow_hosts: Vec::new(),
            allow_networks: Vec::new(),
            plain_http: false,
            ca_file: None,
            timeout: Span::secs(10),
            max_attempts: 12,
            retry_after: Span::secs(5),
            longest_retry: Span::secs(3_600),
            batch: 100,
            max_dead: 1_000,
            max_webhooks: 100,
        }
    }
}

impl OperatorSection {
    /// Whether people come by TLS.
    pub fn is_secure(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// Whether a request may come under a host, which is without port here. A name that is not known might be one that leads here only
    /// in somebody's browser; an address cannot.
    pub fn allows_host(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let same = |known: &str| known.eq_ignore_ascii_case(host);
        let public = self.public_url.as_deref().and_then(host_of);
        address.parse::<IpAddr>().is_ok()
            || same("localhost")
            || public.as_deref().is_some_and(same)
            || self.allowed_hosts.iter().any(|known| same(known))
    }
}

/// The host of a URL that has nothing but scheme, host and port.
fn host_of(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    uri.authority().filter(|_| plain && known).map(|authority| authority.host().to_owned())
}

/// A name of a host without port.
fn is_host(text: &str) -> bool {
    text.parse::<Authority>().is_ok_and(|authority| authority.host() == text)
}

pub(super) fn check(
    operator: &OperatorSection,
    audit: &AuditSection,
    webhook: &WebhookSection,
) -> Result<(), Fault> {
    if operator.public_url.as_deref().is_some_and(|url| host_of(url).is_none()) {
        let problem =
            "has to be http:// or https:// with host and port only, such as https://omadm.example.org";
        return Err(Fault::new("operator.public_url", problem));
    }
    for (key, hosts) in
        [("operator.allowed_hosts", &operator.allowed_hosts), ("webhook.allow_hosts", &webhook.allow_hosts)]
    {
        if let Some(wrong) = hosts.iter().find(|host| !is_host(host)) {
            return Err(Fault::new(key, format!("{wrong:?} is no name of a host; write it without port")));
        }
    }
    let spans: [(&'static str, Span, u64, u64); 6] = [
        ("operator.session_lifetime", operator.session_lifetime, 60, 30 * 86_400),
        ("operator.stream_lifetime", operator.stream_lifetime, 1, 30 * 86_400),
        ("audit.anchor_interval", audit.anchor_interval, 1, 86_400),
        ("webhook.timeout", webhook.timeout, 1, 300),
        ("webhook.retry_after", webhook.retry_after, 1, 86_400),
        ("webhook.longest_retry", webhook.longest_retry, 1, 7 * 86_400),
    ];
    for (key, span, from, to) in spans {
        if span < Span::secs(from) || span > Span::secs(to) {
            return Err(Fault::new(key, format!("has to be {from} s to {to} s")));
        }
    }
    let counts: [(&'static str, usize, usize, usize); 8] = [
        ("operator.password_checks", operator.password_checks, 1, 64),
        ("operator.min_upload_rate", operator.min_upload_rate.0, 0, 1 << 30),
        ("operator.max_streams", operator.max_streams, 0, 10_000),
        ("audit.keep_days", audit.keep_days as usize, 1, 36_500),
        ("webhook.max_attempts", webhook.max_attempts as usize, 1, 100),
        ("webhook.batch", webhook.batch as usize, 1, 1_000),
        ("webhook.max_dead", webhook.max_dead as usize, 1, 100_000),
        ("webhook.max_webhooks", webhook.max_webhooks, 1, 1_000),
    ];
    for (key, count, from, to) in counts {
        if !(from..=to).contains(&count) {
            return Err(Fault::new(key, format!("has to be {from} to {to}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_that_are_known_or_addresses() {
        let section = OperatorSection {
            public_url: Some("https://dm.example.org:8443".to_owned()),
            allowed_hosts: vec!["omadm.lan".to_owned()],
            ..OperatorSection::default()
        };
        for good in
            ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "192.0.2.7", "dm.example.org", "omadm.lan."]
        {
            assert!(section.allows_host(good), "{good}");
        }
        for bad in ["", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "x.omadm.lan"] {
            assert!(!section.allows_host(bad), "{bad}");
        }
        assert!(section.is_secure() && !OperatorSection::default().is_secure());
    }

    #[test]
    fn settings_have_their_bounds() {
        let fault = |change: fn(&mut OperatorSection, &mut AuditSection, &mut WebhookSection)| {
            let mut all = (OperatorSection::default(), AuditSection::default(), WebhookSection::default());
            change(&mut all.0, &mut all.1, &mut all.2);
            check(&all.0, &all.1, &all.2).err().map(|fault| fault.key)
        };
        assert_eq!(fault(|_, _, _| {}), None);
        let url = |operator: &mut OperatorSection, url: &str| operator.public_url = Some(url.to_owned());
        assert_eq!(
            fault(|it, _, _| it.public_url = Some("dm.example".to_owned())),
            Some("operator.public_url")
        );
        let mut operator = OperatorSection::default();
        url(&mut operator, "https://a.example/path");
        assert!(check(&operator, &AuditSection::default(), &WebhookSection::default()).is_err());
        assert_eq!(
            fault(|it, _, _| it.allowed_hosts = vec!["a:80".to_owned()]),
            Some("operator.allowed_hosts")
        );
        assert_eq!(fault(|it, _, _| it.session_lifetime = Span::secs(59)), Some("operator.session_lifetime"));
        assert_eq!(fault(|it, _, _| it.stream_lifetime = Span::secs(0)), Some("operator.stream_lifetime"));
        assert_eq!(fault(|it, _, _| it.min_upload_rate = Size(1 << 30)), None);
        assert_eq!(
            fault(|it, _, _| it.min_upload_rate = Size((1 << 30) + 1)),
            Some("operator.min_upload_rate")
        );
        assert_eq!(fault(|it, _, _| it.password_checks = 0), Some("operator.password_checks"));
        assert_eq!(fault(|_, it, _| it.keep_days = 0), Some("audit.keep_days"));
        assert_eq!(fault(|_, _, it| it.timeout = Span::secs(301)), Some("webhook.timeout"));
        assert_eq!(fault(|_, _, it| it.max_attempts = 101), Some("webhook.max_attempts"));
        assert_eq!(fault(|_, _, it| it.batch = 0), Some("webhook.batch"));
    }
}
