//! `[delegation]`: the DM Server Delegation Protocol with other servers.

use std::net::SocketAddr;
use std::path::PathBuf;

use http::Uri;
use omadm_codec::delegation::{NAMESPACE, Rights};
use omadm_config::{Fault, Size, Span};
use omadm_mo::ServerId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Config;

/// What a pin begins with; the base64 of 32 octets follows.
const PIN: &str = "sha256/";
/// Characters after it.
const PIN_DIGITS: usize = 44;

/// `[delegation]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DelegationSection {
    /// Delegate devices to other servers, and be delegated devices by them.
    pub enabled: bool,
    /// Address and port of the listener for other servers, which takes TLS with certificates of both sides only; port 0 takes a free one.
    pub listen: SocketAddr,
    /// PEM file with the certificate, and its chain, that is shown to other servers. Default: the one that devices see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key of `certificate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The other servers.
    pub peers: Vec<DelegationPeer>,
    /// XML namespace of the documents, the same for all.
    pub namespace: String,
    /// Largest document taken.
    pub max_message: Size,
    /// Most devices in one request. 1 to 10000.
    pub max_devices: usize,
    /// Most targets in one request. 1 to 100.
    pub max_targets: usize,
    /// Most requests of one server in a minute; more are told to slow down. 1 to 100000.
    pub max_requests: u32,
    /// How far the clock of another server may be away.
    pub clock_skew: Span,
    /// How long a message of another server is remembered, so that it has no second effect.
    pub remember: Span,
    /// How long sending a message may take.
    pub send_timeout: Span,
    /// The first pause before a message is sent again; each is twice the one before.
    pub retry_after: Span,
    /// Longest such pause.
    pub longest_retry: Span,
    /// For how long a message is sent again before it is given up.
    pub give_up_after: Span,
    /// How long a device may be out of reach while rights are to be taken back before operators are alarmed.
    pub alarm_after: Span,
}

/// Another server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DelegationPeer {
    /// Its server identifier, as in the accounts on devices.
    pub server_id: String,
    /// Where it takes messages, `https://HOST:PORT/PATH`.
    pub url: String,
    /// `sha256/` and the base64 of the SHA-256 of the public key (SubjectPublicKeyInfo) of its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// PEM file with the authority of its certificate, in place of `pin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// With `ca_file`: the DNS name or URI among the alternative names of its certificate. Default: `server_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// It may pass on what it gets from us, and we what we get from it. Without it, nobody gets Replace on an interior node, which would
    /// let him change its ACL.
    pub allow_redelegation: bool,
    /// Take what it offers without an operator.
    pub accept_offers: bool,
    /// What it gets when it asks for it without an operator. Default: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
}

/// What another server gets without an operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Contract {
    /// Identifiers of management objects and paths; what is below one of them is in it.
    pub targets: Vec<String>,
    /// Commands.
    pub rights: Vec<Right>,
    /// Longest time from the request to its end. Default: none, so permanent delegations, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Span>,
}

/// A command, as ACLs name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right(pub Rights);

impl<'de> Deserialize<'de> for Right {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = Rights::ALL.iter().find(|(_, name)| *name == text);
        let unknown =
            || D::Error::custom(format!("{text:?} is no right; write Add, Get, Replace, Delete or Exec"));
        found.map(|(right, _)| Self(*right)).ok_or_else(unknown)
    }
}

impl Serialize for Right {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Default for DelegationSection {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: ([0, 0, 0, 0], 8444).into(),
            certificate: None,
            key: None,
            peers: Vec::new(),
            namespace: NAMESPACE.into(),
            max_message: Size(1 << 20),
            max_devices: 1_000,
            max_targets: 20,
            max_requests: 100,
            clock_skew: Span::secs(5 * 60),
            remember: Span::secs(86_400),
            send_timeout: Span::secs(30),
            retry_after: Span::secs(10),
            longest_retry: Span::secs(3_600),
            give_up_after: Span::secs(7 * 86_400),
            alarm_after: Span::secs(86_400),
        }
    }
}

impl Default for Contract {
    fn default() -> Self {
        Self { targets: Vec::new(), rights: vec![Right(Rights::GET)], max_duration: None }
    }
}

impl Contract {
    /// All its rights.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.rights.iter().fold(Rights::NONE, |sum, right| sum.union(right.0))
    }
}

/// Finds the first fault.
pub(super) fn check(config: &Config) -> Result<(), Fault> {
    let section = &config.delegation;
    let spans: [(&'static str, Span); 7] = [
        ("delegation.clock_skew", section.clock_skew),
        ("delegation.remember", section.remember),
        ("delegation.send_timeout", section.send_timeout),
        ("delegation.retry_after", section.retry_after),
        ("delegation.longest_retry", section.longest_retry),
        ("delegation.give_up_after", section.give_up_after),
        ("delegation.alarm_after", section.alarm_after),
    ];
    if let Some((key, _)) = spans.into_iter().find(|(_, span)| *span < Span::secs(1)) {
        return Err(Fault::new(key, "has to be one second or more"));
    }
    if section.remember < section.clock_skew {
        let problem =
            "has to be as long as delegation.clock_skew at least: a copied message would count again";
        return Err(Fault::new("delegation.remember", problem));
    }
    for (key, count, most) in [
        ("delegation.max_message", section.max_message.0, 64 << 20),
        ("delegation.max_devices", section.max_devices, 10_000),
        ("delegation.max_targets", section.max_targets, 100),
        ("delegation.max_requests", section.max_requests as usize, 100_000),
    ] {
        if !(1..=most).contains(&count) {
            return Err(Fault::new(key, format!("has to be 1 to {most}")));
        }
    }
    if section.namespace.is_empty() || section.namespace.contains(['<', '>', '&', '"', '\'']) {
        return Err(Fault::new("delegation.namespace", "has to be a URI"));
    }
    match (&section.certificate, &section.key) {
        (Some(_), None) => Err(Fault::new("delegation.key", "is needed beside delegation.certificate")),
        (None, Some(_)) => Err(Fault::new("delegation.certificate", "is needed beside delegation.key")),
        (None, None) if section.enabled && config.device.plain_http => {
            Err(Fault::new("delegation.certificate", "is needed, as devices see none (device.plain_http)"))
        }
        (Some(_), Some(_)) | (None, None) => peers(config),
    }
}

fn peers(config: &Config) -> Result<(), Fault> {
    let peers = &config.delegation.peers;
    for (number, peer) in peers.iter().enumerate() {
        let of = format!("of {:?}", peer.server_id);
        let fault = |problem: String| Err(Fault::new("delegation.peers", problem));
        if let Err(error) = ServerId::parse(&peer.server_id) {
            return fault(format!("server_id: {error}"));
        }
        if peer.server_id == config.server.id {
            return fault(format!("the server_id {of} is that of this server"));
        }
        if peers.iter().take(number).any(|other| other.server_id == peer.server_id) {
            return fault(format!("the server_id {of} is there twice"));
        }
        let url: Option<Uri> = peer.url.parse().ok();
        if url.is_none_or(|url| url.scheme_str() != Some("https") || url.host().is_none()) {
            return fault(format!("the url {of} has to be https://HOST:PORT/PATH"));
        }
        match (&peer.pin, &peer.ca_file) {
            (Some(pin), None) if is_pin(pin) => {}
            (Some(_), None) => {
                return fault(format!("the pin {of} has to be {PIN} and 44 characters of base64"));
            }
            (None, Some(_)) => {}
            _ => return fault(format!("{of}: either pin or ca_file says by which certificate it is known")),
        }
        if peer.contract.as_ref().is_some_and(|contract| contract.targets.is_empty()) {
            return fault(format!("the contract {of} has no targets"));
        }
    }
    Ok(())
}

fn is_pin(pin: &str) -> bool {
    let digits = pin.strip_prefix(PIN).unwrap_or_default();
    digits.len() == PIN_DIGITS
        && digits.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+/=".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn peer(server_id: &str) -> DelegationPeer {
        DelegationPeer {
            server_id: server_id.into(),
            url: "https://b.example:8444/delegation".into(),
            pin: Some(KEY.into()),
            ..DelegationPeer::default()
        }
    }

    fn checked(change: impl FnOnce(&mut Config)) -> Result<(), String> {
        let mut config = Config::default();
        config.delegation.peers = vec![peer("b.example")];
        change(&mut config);
        check(&config).map_err(|fault| format!("{fault:?}"))
    }

    #[test]
    fn a_peer_is_known_by_one_certificate() {
        checked(|_| {}).unwrap();
        checked(|config| {
            let peer = &mut config.delegation.peers[0];
            (peer.pin, peer.ca_file) = (None, Some("ca.pem".into()));
        })
        .unwrap();
        type Change = fn(&mut DelegationPeer);
        let wrong: [Change; 9] = [
            |peer| peer.pin = None,
            |peer| peer.ca_file = Some("ca.pem".into()),
            |peer| peer.pin = Some("sha256/short".into()),
            |peer| peer.pin = Some(KEY.replace("sha256", "sha1")),
            |peer| peer.server_id = String::new(),
            |peer| peer.server_id = "omadm".into(),
            |peer| peer.url = "http://b.example/".into(),
            |peer| peer.url = "b.example".into(),
            |peer| peer.contract = Some(Contract::default()),
        ];
        for (number, change) in wrong.into_iter().enumerate() {
            assert!(checked(|config| change(&mut config.delegation.peers[0])).is_err(), "{number}");
        }
        assert!(checked(|config| config.delegation.peers.push(peer("b.example"))).is_err());
    }

    #[test]
    fn limits_have_bounds() {
        type Change = fn(&mut DelegationSection);
        let wrong: [Change; 9] = [
            |section| section.max_message = Size(0),
            |section| section.max_devices = 10_001,
            |section| section.max_targets = 101,
            |section| section.max_requests = 0,
            |section| section.retry_after = Span::secs(0),
            |section| section.remember = Span::secs(1),
            |section| section.namespace = String::new(),
            |section| section.certificate = Some("a.pem".into()),
            |section| section.key = Some("a.key".into()),
        ];
        for (number, change) in wrong.into_iter().enumerate() {
            assert!(checked(|config| change(&mut config.delegation)).is_err(), "{number}");
        }
        checked(|config| {
            let section = &mut config.delegation;
            (section.max_devices, section.max_targets, section.remember) = (10_000, 100, section.clock_skew);
        })
        .unwrap();
        assert!(
            checked(|config| (config.delegation.enabled, config.device.plain_http) = (true, true)).is_err()
        );
    }
}
