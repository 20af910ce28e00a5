//! `[dm1]`: DM 1.x towards devices.

use omadm_auth::dm1::Scheme;
use omadm_codec::dm1::Version;
use omadm_config::{Fault, Size, Span};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Config, ObexSection};

/// Paths that serve something else.
const TAKEN: [&str; 6] = ["/dm/2.0", "/data/", "/ui/", "/ddf/", "/bootstrap", "/push/"];

/// `[dm1]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dm1Section {
    /// Speak DM 1.x with devices.
    pub enabled: bool,
    /// Where devices find this server, and as whom: `path` (default `/dm`) and `server_id` (default `server.id`) of each. Towards every
    /// device a server identifier has a secret of its own.
    pub endpoints: Vec<Endpoint>,
    /// Versions that are spoken: `1.1`, `1.2` and `1.3`.
    pub versions: Vec<ProtocolVersion>,
    /// How devices may prove who they are, and how the server does, the preferred first: `mac-sha256`, `sha256`, and, which are weak and
    /// only used if they stand here, `mac-md5`, `md5` and `basic`. What devices of DM 1.1 and 1.2 can is `md5`, `mac-md5` and `basic`.
    pub schemes: Vec<Scheme>,
    /// Take digests over the text of a nonce instead of its octets, a common mistake of devices.
    pub lenient_nonce: bool,
    /// Largest message that a device may send (`MaxMsgSize`), 4 KiB to 64 MiB: the first one, before which a device knows no bound, has to
    /// fit.
    pub max_message: Size,
    /// Largest object that a device may send (`MaxObjSize`).
    pub max_object: Size,
    /// Largest message that is sent to a device which names no smaller one.
    pub max_reply: Size,
    /// Most that a device may send in one session.
    pub max_session: Size,
    /// Most messages of one package of a device. 1 to 100000.
    pub max_messages: u32,
    /// How often a device may fail to prove itself in a session before it gets no further challenge. 1 to 100.
    pub max_challenges: u32,
    /// After this time without a message a session is over.
    pub session_timeout: Span,
    /// How long the same first message counts as a repetition and not as a new session.
    pub repeat_window: Span,
    /// Over local links.
    pub obex: ObexSection,
}

/// A path that devices use, and the server they find there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoint {
    /// Path below the public URL.
    pub path: String,
    /// Server Identifier, `ServerID` of the DM account, by which the server proves itself. Default: `server.id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
}

impl Endpoint {
    /// Its server identifier.
    #[must_use]
    pub fn server_id<'c>(&'c self, config: &'c Config) -> &'c str {
        self.server_id.as_deref().unwrap_or(&config.server.id)
    }
}

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolVersion(pub Version);

impl ProtocolVersion {
    const NAMES: [(Version, &str); 3] =
        [(Version::Dm11, "1.1"), (Version::Dm12, "1.2"), (Version::Dm13, "1.3")];

    /// Reads `1.1`, `1.2` or `1.3`.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(version, _)| Self(*version))
    }
}

impl<'de> Deserialize<'de> for ProtocolVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::named(&text).ok_or_else(|| {
            D::Error::custom(format!("{text:?} is no version of DM 1.x; write \"1.1\", \"1.2\" or \"1.3\""))
        })
    }
}

impl Serialize for ProtocolVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = Self::NAMES.iter().find(|(version, _)| *version == self.0).map_or("", |(_, name)| name);
        serializer.serialize_str(name)
    }
}

impl Default for Dm1Section {
    fn default() -> Self {
        Self {
            enabled: true,
            endpoints: vec![Endpoint::default()],
            versions: ProtocolVersion::NAMES.map(|(version, _)| ProtocolVersion(version)).to_vec(),
            schemes: vec![Scheme::MacSha256, Scheme::Sha256],
            lenient_nonce: false,
            max_message: Size(1 << 20),
            max_object: Size(64 << 20),
            max_reply: Size(512 << 10),
            max_session: Size(256 << 20),
            max_messages: 1_000,
            max_challenges: 2,
            session_timeout: Span::secs(30 * 60),
            repeat_window: Span::secs(120),
            obex: ObexSection::default(),
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { path: "/dm".into(), server_id: None }
    }
}

/// Finds the first fault beyond those of sizes and counts.
pub(super) fn check(config: &Config) -> Result<(), Fault> {
    let dm1 = &config.dm1;
    for (number, endpoint) in dm1.endpoints.iter().enumerate() {
        let fault = |problem: String| Err(Fault::new("dm1.endpoints", problem));
        let path = endpoint.path.as_str();
        let legal = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        if !path.starts_with('/') || path.len() > 256 || !path.chars().all(legal) || path.contains("//") {
            return fault(format!(
                "{path:?} is no path; write letters, digits, '-', '.', '_' and '~' after a '/'"
            ));
        }
        if TAKEN.iter().any(|taken| path.starts_with(taken)) {
            return fault(format!("{path:?} serves something else"));
        }
        if dm1.endpoints.iter().take(number).any(|other| other.path == path) {
            return fault(format!("{path:?} is there twice"));
        }
        super::validate::server_id(endpoint.server_id(config)).or_else(fault)?;
    }
    if dm1.enabled && dm1.endpoints.is_empty() {
        return Err(Fault::new("dm1.endpoints", "needs one endpoint at least"));
    }
    dm1.obex.check()?;
    if dm1.enabled && dm1.versions.is_empty() {
        return Err(Fault::new("dm1.versions", "needs one version at least"));
    }
    Ok(())
}
