//! `[push.http]` and `[push.sip]`: pushes beside datagrams and short messages.

use std::net::SocketAddr;
use std::path::PathBuf;

use omadm_config::{Fault, Size, Span};
use serde::{Deserialize, Serialize};

use super::Config;

/// Longest message of SIP, and largest push that is taken.
const MAX_SIP: usize = 48 << 10;
const MAX_HTTP: usize = 1 << 20;

/// `[push.http]` and `[push.sip]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushSection {
    /// Push over HTTP.
    pub http: HttpPushSection,
    /// Push by SIP.
    pub sip: SipPushSection,
}

/// `[push.http]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpPushSection {
    /// Address and port to listen at without TLS; the standard has port 4035. Default: nowhere.
    pub listen: Option<SocketAddr>,
    /// Address and port to listen at over TLS; the standard has port 4036. Default: nowhere.
    pub listen_tls: Option<SocketAddr>,
    /// Certificate with its chain (PEM) for `listen_tls`. Default: `tls.certificate`.
    pub certificate: Option<PathBuf>,
    /// Private key of `certificate` (PEM). Default: `tls.key`.
    pub key: Option<PathBuf>,
    /// Authorities (PEM) of those who may push over TLS: with it, nobody gets in there without a certificate.
    pub senders_ca_file: Option<PathBuf>,
    /// DNS names of those who may, as their certificates have them. Default: everybody of `senders_ca_file`.
    pub senders: Vec<String>,
    /// User name of those who may push.
    pub user: Option<String>,
    /// File with the password for `user`, 4096 octets at most; white space at its end does not count.
    pub password_file: Option<PathBuf>,
    /// Take pushes from anybody: each still has to prove itself what it brings.
    pub anonymous: bool,
    /// Take digests of MD5 beside those of SHA-256, and without TLS the password itself (Basic).
    pub weak: bool,
    /// Gateways that the device connects to when a session initiation request asks for it, such as
    /// `[{ address = "192.0.2.1:4035" }, { address = "192.0.2.2:4036", name = "ppg.example" }]`. Default: none.
    pub gateways: Vec<GatewayEntry>,
    /// Trust anchors (PEM) for gateways over TLS beside those of the system.
    pub gateways_ca_file: Option<PathBuf>,
    /// Largest push, up to 1 MiB.
    pub max_size: Size,
    /// Most connections at a time, 1 to 1000; 4 of one address at most.
    pub max_connections: usize,
    /// Longest handshake, and longest time for the head and for the body of a request.
    pub timeout: Span,
}

/// One of `push.http.gateways`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayEntry {
    /// Its address and port.
    pub address: SocketAddr,
    /// The name in its certificate: with it, the device connects over TLS.
    pub name: Option<String>,
}

/// `[push.sip]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SipPushSection {
    /// Address and port to listen at over UDP and TCP; the standard has port 5060. Default: nowhere.
    pub listen: Option<SocketAddr>,
    /// Host and port of the registrar or of the proxy in front of it, such as `ims.example:5060`. Default: none, so the device is found at
    /// its address only.
    pub registrar: Option<String>,
    /// The user's address there, such as `sip:john@ims.example`.
    pub address: Option<String>,
    /// Where requests for the user are to go, such as `sip:john@192.0.2.1:5060`. Default: to where the device listens, as the way to
    /// the registrar shows it.
    pub contact: Option<String>,
    /// User name for whoever asks for one.
    pub user: Option<String>,
    /// File with the password for `user`, 4096 octets at most; white space at its end does not count.
    pub password_file: Option<PathBuf>,
    /// For how long a registration is asked for, one minute to one day in whole seconds.
    pub expires: Span,
    /// Largest message, up to 48 KiB.
    pub max_size: Size,
}

impl Default for HttpPushSection {
    fn default() -> Self {
        Self {
            listen: None,
            listen_tls: None,
            certificate: None,
            key: None,
            senders_ca_file: None,
            senders: Vec::new(),
            user: None,
            password_file: None,
            anonymous: false,
            weak: false,
            gateways: Vec::new(),
            gateways_ca_file: None,
            max_size: Size(16 << 10),
            max_connections: 8,
            timeout: Span::secs(10),
        }
    }
}

impl Default for SipPushSection {
    fn default() -> Self {
        Self {
            listen: None,
            registrar: None,
            address: None,
            contact: None,
            user: None,
            password_file: None,
            expires: Span::secs(3_600),
            max_size: Size(16 << 10),
        }
    }
}

/// Finds the first fault.
pub(super) fn check(config: &Config) -> Result<(), Fault> {
    check_http(config)?;
    check_sip(&config.push.sip)
}

fn check_http(config: &Config) -> Result<(), Fault> {
    let http = &config.push.http;
    match (&http.user, &http.password_file) {
        (Some(_), None) => return Err(Fault::new("push.http.user", "needs push.http.password_file")),
        (None, Some(_)) => return Err(Fault::new("push.http.password_file", "needs push.http.user")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    match (&http.certificate, &http.key) {
        (Some(_), None) => return Err(Fault::new("push.http.certificate", "needs push.http.key")),
        (None, Some(_)) => return Err(Fault::new("push.http.key", "needs push.http.certificate")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let open = "needs push.http.user, or push.http.anonymous for pushes from anybody";
    let known = http.user.is_some() || http.anonymous;
    if http.listen.is_some() && !known {
        return Err(Fault::new("push.http.listen", open));
    }
    if http.listen_tls.is_some() && !known && http.senders_ca_file.is_none() {
        let problem = "needs push.http.senders_ca_file or push.http.user, or push.http.anonymous for pushes from anybody";
        return Err(Fault::new("push.http.listen_tls", problem));
    }
    if http.listen_tls.is_some() && http.certificate.is_none() && config.tls.certificate.is_none() {
        return Err(Fault::new("push.http.listen_tls", "needs push.http.certificate or tls.certificate"));
    }
    if !http.senders.is_empty() && http.senders_ca_file.is_none() {
        return Err(Fault::new("push.http.senders", "needs push.http.senders_ca_file"));
    }
    if http.gateways.iter().any(|gateway| gateway.name.is_none()) && !known {
        return Err(Fault::new("push.http.gateways", open));
    }
    if !(1..=MAX_HTTP).contains(&http.max_size.0) {
        return Err(Fault::new("push.http.max_size", "has to be 1 byte to 1 MiB"));
    }
    if !(1..=1_000).contains(&http.max_connections) {
        return Err(Fault::new("push.http.max_connections", "has to be 1 to 1000"));
    }
    if http.timeout < Span::secs(1) {
        return Err(Fault::new("push.http.timeout", "has to be one second or more"));
    }
    Ok(())
}

fn check_sip(sip: &SipPushSection) -> Result<(), Fault> {
    match (&sip.user, &sip.password_file) {
        (Some(_), None) => return Err(Fault::new("push.sip.user", "needs push.sip.password_file")),
        (None, Some(_)) => return Err(Fault::new("push.sip.password_file", "needs push.sip.user")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let place =
        |text: &String| text.parse::<http::uri::Authority>().is_ok_and(|place| place.port().is_some());
    if !sip.registrar.as_ref().is_none_or(place) {
        return Err(Fault::new("push.sip.registrar", "has to be host and port, such as ims.example:5060"));
    }
    if sip.registrar.is_some() && (sip.listen.is_none() || sip.address.is_none()) {
        return Err(Fault::new("push.sip.registrar", "needs push.sip.listen and push.sip.address"));
    }
    let address = |text: &String| {
        let parts = text.strip_prefix("sip:").and_then(|rest| rest.split_once('@'));
        parts.is_some_and(|(user, host)| !user.is_empty() && host.parse::<http::uri::Authority>().is_ok())
    };
    for (key, text) in [("push.sip.address", &sip.address), ("push.sip.contact", &sip.contact)] {
        if !text.as_ref().is_none_or(address) {
            return Err(Fault::new(key, "has to be an address such as sip:john@ims.example"));
        }
    }
    if !(Span::secs(60)..=Span::secs(86_400)).contains(&sip.expires) || sip.expires.0.subsec_nanos() != 0 {
        return Err(Fault::new("push.sip.expires", "has to be one minute to one day, in whole seconds"));
    }
    if !(1..=MAX_SIP).contains(&sip.max_size.0) {
        return Err(Fault::new("push.sip.max_size", "has to be 1 byte to 48 KiB"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<String> {
        let config: Config = toml::from_str(text).unwrap();
        check(&config).err().map(|fault| format!("{}: {}", fault.key, fault.problem))
    }

    #[test]
    fn nobody_gets_in_whom_the_configuration_does_not_name() {
        const HTTP: &str = "[push.http]\n";
        const USER: &str = "user = \"u\"\npassword_file = \"/p\"\n";
        const TLS: &str = "listen_tls = \"[::]:1\"\ncertificate = \"/c\"\nkey = \"/k\"\n";
        for good in [
            String::new(),
            format!("{HTTP}listen = \"[::]:1\"\n{USER}"),
            format!("{HTTP}listen = \"[::]:1\"\nanonymous = true"),
            format!("{HTTP}{TLS}{USER}"),
            format!("{HTTP}{TLS}senders_ca_file = \"/ca\"\nsenders = [\"s\"]"),
            format!("{HTTP}{TLS}anonymous = true"),
            format!("{HTTP}gateways = [{{ address = \"192.0.2.1:1\", name = \"g\" }}]"),
            format!("{HTTP}gateways = [{{ address = \"192.0.2.1:1\" }}]\n{USER}"),
        ] {
            assert_eq!(fault(&good), None, "{good}");
        }
        for (bad, key) in [
            ("listen = \"[::]:1\"".to_owned(), "listen"),
            (TLS.to_owned(), "listen_tls"),
            ("listen_tls = \"[::]:1\"\nanonymous = true".to_owned(), "listen_tls"),
            ("gateways = [{ address = \"192.0.2.1:1\" }]".to_owned(), "gateways"),
            ("senders = [\"s\"]".to_owned(), "senders"),
            ("user = \"u\"".to_owned(), "user"),
            ("password_file = \"/p\"".to_owned(), "password_file"),
            ("certificate = \"/c\"".to_owned(), "certificate"),
            ("key = \"/k\"".to_owned(), "key"),
            ("max_size = \"1025 KiB\"".to_owned(), "max_size"),
            ("max_size = 0".to_owned(), "max_size"),
            ("max_connections = 0".to_owned(), "max_connections"),
            ("max_connections = 1001".to_owned(), "max_connections"),
            ("timeout = \"999 ms\"".to_owned(), "timeout"),
        ] {
            let found = fault(&format!("{HTTP}{bad}")).unwrap_or_default();
            assert!(found.starts_with(&format!("push.http.{key}: ")), "{bad}: {found}");
        }
    }

    #[test]
    fn a_registration_needs_an_address() {
        const SIP: &str = "[push.sip]\nlisten = \"[::]:5060\"\n";
        for good in [
            "",
            "registrar = \"ims.example:5060\"\naddress = \"sip:john@ims.example\"",
            "contact = \"sip:john@[::1]:5060\"",
            "expires = \"60s\"",
            "expires = \"1d\"",
            "max_size = \"48 KiB\"",
        ] {
            assert_eq!(fault(&format!("{SIP}{good}")), None, "{good}");
        }
        for (bad, key) in [
            ("registrar = \"ims.example\"", "registrar"),
            ("registrar = \"ims.example:5060\"", "registrar"),
            ("address = \"john@ims.example\"", "address"),
            ("contact = \"sip:ims.example\"", "contact"),
            ("user = \"u\"", "user"),
            ("password_file = \"/p\"", "password_file"),
            ("expires = \"59 s\"", "expires"),
            ("expires = \"86401 s\"", "expires"),
            ("expires = \"60500 ms\"", "expires"),
            ("max_size = 0", "max_size"),
            ("max_size = 49153", "max_size"),
        ] {
            let found = fault(&format!("{SIP}{bad}")).unwrap_or_default();
            assert!(found.starts_with(&format!("push.sip.{key}: ")), "{bad}: {found}");
        }
    }
}
