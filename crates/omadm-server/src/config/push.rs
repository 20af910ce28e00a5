//! `[http_push]`, `[sip]` and `[ppg]`: push beside UDP, short messages and cloud services.

use std::path::PathBuf;

use omadm_config::Fault;
use serde::{Deserialize, Serialize};

use super::Span;

/// `[http_push]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpPushSection {
    /// User name towards devices that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password for `user`, 4096 octets at most; white space at its end does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Send the password itself (Basic) without TLS to devices that ask for no digest; default no.
    pub plain_basic: bool,
    /// Certificate with its chain (PEM) for devices that ask for one, at `https:` addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Private key of `certificate` (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// `[sip]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SipSection {
    /// The server's own address, such as `sip:dm@example.org`. Without it there is no push by SIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Host and port of the proxy that all requests go through, such as `proxy.example.org:5060`. Default: none, they go to the host of
    /// the device's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// User name for whoever asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password for `user`, 4096 octets at most; white space at its end does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// `[ppg]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpgSection {
    /// Where pushes are submitted, such as `https://ppg.example.org/wappush`. Without it there is no push by a gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// User name at the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File with the password for `user`, 4096 octets at most; white space at its end does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The gateway's name, with which addresses end. Default: the host of `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Ask the gateway to tell what became of each push, at `/papnotify/…` below `device.public_url`; default no.
    pub notify: bool,
    /// Ask the gateway what became of a push of which it has told nothing for so long, 1 s or more. Default: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_after: Option<Span>,
    /// How long the gateway may try to deliver a push, in whole seconds.
    pub deliver_within: Span,
    /// Bearer to ask for, such as `SMS`, with `network`. Default: the gateway's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer: Option<String>,
    /// Network to ask for, such as `GSM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

impl Default for PpgSection {
    fn default() -> Self {
        Self {
            url: None,
            user: None,
            password_file: None,
            name: None,
            notify: false,
            query_after: None,
            deliver_within: Span::secs(86_400),
            bearer: None,
            network: None,
        }
    }
}

/// Finds the first fault in these sections.
pub(super) fn check(http: &HttpPushSection, sip: &SipSection, ppg: &PpgSection) -> Result<(), Fault> {
    for (keys, user, password) in [
        (["http_push.user", "http_push.password_file"], &http.user, &http.password_file),
        (["sip.user", "sip.password_file"], &sip.user, &sip.password_file),
        (["ppg.user", "ppg.password_file"], &ppg.user, &ppg.password_file),
    ] {
        let [user_key, file_key] = keys;
        match (user, password) {
            (Some(_), None) => return Err(Fault::new(file_key, format!("is needed beside {user_key}"))),
            (None, Some(_)) => return Err(Fault::new(user_key, format!("is needed beside {file_key}"))),
            (Some(user), _)
                if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) =>
            {
                return Err(Fault::new(user_key, "has to be a name without colons"));
            }
            _ => {}
        }
    }
    if http.certificate.is_some() != http.key.is_some() {
        return Err(Fault::new("http_push.key", "http_push.certificate and http_push.key need each other"));
    }
    let address = |from: &String| {
        let user = from.strip_prefix("sip:").and_then(|rest| rest.split_once('@'));
        user.is_some_and(|(user, host)| !user.is_empty() && host.parse::<http::uri::Authority>().is_ok())
    };
    if !sip.from.as_ref().is_none_or(address) {
        return Err(Fault::new("sip.from", "has to be an address such as sip:dm@example.org"));
    }
    let place =
        |proxy: &String| proxy.parse::<http::uri::Authority>().is_ok_and(|place| place.port().is_some());
    if !sip.proxy.as_ref().is_none_or(place) {
        return Err(Fault::new("sip.proxy", "has to be host and port, such as proxy.example.org:5060"));
    }
    if ppg.url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
        return Err(Fault::new("ppg.url", "has to begin with https:// or http://"));
    }
    if ppg.query_after.is_some_and(|after| after < Span::secs(1)) {
        return Err(Fault::new("ppg.query_after", "has to be one second or more"));
    }
    if ppg.deliver_within < Span::secs(1) || ppg.deliver_within.0.subsec_nanos() != 0 {
        return Err(Fault::new("ppg.deliver_within", "has to be in whole seconds, one or more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(change: impl FnOnce(&mut HttpPushSection, &mut SipSection, &mut PpgSection)) -> Option<String> {
        let (mut http, mut sip, mut ppg) =
            (HttpPushSection::default(), SipSection::default(), PpgSection::default());
        change(&mut http, &mut sip, &mut ppg);
        check(&http, &sip, &ppg).err().map(|fault| format!("{}: {}", fault.key, fault.problem))
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn users_and_passwords_need_each_other() {
        assert_eq!(fault(|_, _, _| ()), None, "nothing of it is configured");
        let missing = fault(|http, _, _| http.user = text("dm")).unwrap();
        assert_eq!(missing, "http_push.password_file: is needed beside http_push.user");
        let missing = fault(|_, sip, _| sip.password_file = Some("p".into())).unwrap();
        assert_eq!(missing, "sip.user: is needed beside sip.password_file");
        for bad in ["", "a:b", "a\nb"] {
            let user = fault(|_, _, ppg| (ppg.user, ppg.password_file) = (text(bad), Some("p".into())));
            assert_eq!(user.as_deref(), Some("ppg.user: has to be a name without colons"), "{bad:?}");
        }
        assert_eq!(fault(|_, _, ppg| (ppg.user, ppg.password_file) = (text("dm"), Some("p".into()))), None);
        assert!(
            fault(|http, _, _| http.certificate = Some("c".into())).unwrap().starts_with("http_push.key: ")
        );
    }

    #[test]
    fn addresses_are_what_they_have_to_be() {
        for good in ["sip:dm@example.org", "sip:dm@[::1]:5070"] {
            assert_eq!(fault(|_, sip, _| sip.from = text(good)), None, "{good}");
        }
        for bad in ["dm@example.org", "sip:example.org", "sip:@a", "sip:dm@", "sip:dm@a b"] {
            assert!(fault(|_, sip, _| sip.from = text(bad)).unwrap().starts_with("sip.from: "), "{bad}");
        }
        assert_eq!(fault(|_, sip, _| sip.proxy = text("a:5060")), None);
        assert!(fault(|_, sip, _| sip.proxy = text("a")).unwrap().starts_with("sip.proxy: "));
        assert_eq!(fault(|_, _, ppg| ppg.url = text("http://a/b")), None);
        assert!(fault(|_, _, ppg| ppg.url = text("ftp://a")).unwrap().starts_with("ppg.url: "));
        assert_eq!(fault(|_, _, ppg| ppg.query_after = Some(Span::secs(1))), None);
        let soon = Span(std::time::Duration::from_millis(999));
        assert!(fault(|_, _, ppg| ppg.query_after = Some(soon)).unwrap().starts_with("ppg.query_after: "));
        assert_eq!(fault(|_, _, ppg| ppg.deliver_within = Span::secs(1)), None);
        for bad in [0, 999, 1_500] {
            let within = Span(std::time::Duration::from_millis(bad));
            assert!(fault(|_, _, ppg| ppg.deliver_within = within).is_some(), "{bad} ms");
        }
    }
}
