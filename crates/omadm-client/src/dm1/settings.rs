//! What an account is provisioned with.

use std::fmt;

use omadm_auth::dm1::Scheme;
use omadm_codec::dm1::Version;
use serde::Deserialize;
use serde::de::{self, Deserializer};

/// A DM 1.x account as a file or a program gives it to a device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSettings {
    /// `ServerID`: who the server is. An account of the same server is replaced.
    pub server_id: String,
    /// `Name`, for people.
    #[serde(default)]
    pub name: String,
    /// `AppAddr`: where the server is, the best first; one or more.
    pub addresses: Vec<String>,
    /// `AAuthPref`: how the device proves who it is in its first message. Default: as `client` says.
    #[serde(default)]
    pub preferred: Option<AuthType>,
    /// `AppAuth` of level `CLCRED`: how the device proves who it is. Absent: by TLS.
    #[serde(default)]
    pub client: Option<CredentialSettings>,
    /// `AppAuth` of level `SRVCRED`: how the server proves who it is, beside TLS.
    #[serde(default)]
    pub server: Option<CredentialSettings>,
    /// `AppAuth` of the level `NOTIFICATION`: how the server proves notifications of DM 1.3, where that is not as in sessions. The user is
    /// always the server.
    #[serde(default)]
    pub notification: Option<CredentialSettings>,
    /// `AppAuth` of level `HTTP`: credentials for the HTTP server.
    #[serde(default)]
    pub http: Option<HttpSettings>,
    /// `AppAuth` of level `OBEX`: by what the device answers when a local link asks for credentials of its own.
    #[serde(default)]
    pub obex: Option<HttpSettings>,
    /// Newest version to speak; older ones are tried when the server does not know it. Default: the newest.
    #[serde(default, deserialize_with = "version")]
    pub version: Option<Version>,
    /// Encoding of messages. Default WBXML.
    #[serde(default)]
    pub encoding: Encoding,
}

/// Credentials of the application layer.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialSettings {
    /// `AAuthType`.
    #[serde(rename = "type")]
    pub auth_type: AuthType,
    /// `AAuthName`.
    #[serde(default)]
    pub user: String,
    /// `AAuthSecret`.
    #[serde(default)]
    pub password: String,
    /// `AAuthData`: the first nonce, in base64. Default none.
    #[serde(default)]
    pub nonce: String,
}

/// Credentials of HTTP.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// `AAuthType`.
    #[serde(rename = "type")]
    pub scheme: HttpScheme,
    /// `AAuthName`.
    pub user: String,
    /// `AAuthSecret`.
    pub password: String,
}

/// `AAuthType` at the level `HTTP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum HttpScheme {
    /// By what the challenge of the HTTP server asks for; within TLS the password also goes as it is.
    #[serde(rename = "HTTP-BASIC")]
    Basic,
    /// By HTTP Digest and nothing weaker.
    #[serde(rename = "HTTP-DIGEST")]
    Digest,
}

/// How messages are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum Encoding {
    Xml,
    #[default]
    Wbxml,
}

/// `AAuthType` at the levels `CLCRED` and `SRVCRED` (`DM 1.3 StdObj §5.3.1`). Those of SHA-256 are our reading of DM 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[allow(missing_docs, reason = "they speak for themselves")]
pub enum AuthType {
    #[serde(rename = "BASIC")]
    Basic,
    #[serde(rename = "DIGEST")]
    Digest,
    #[serde(rename = "HMAC")]
    Hmac,
    #[serde(rename = "SHA256")]
    Sha256,
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
    /// By TLS, so there are no credentials.
    #[serde(rename = "TRANSPORT")]
    Transport,
}

impl AuthType {
    const ALL: [Self; 6] =
        [Self::Basic, Self::Digest, Self::Hmac, Self::Sha256, Self::HmacSha256, Self::Transport];

    /// The value of the leaf.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "BASIC",
            Self::Digest => "DIGEST",
            Self::Hmac => "HMAC",
            Self::Sha256 => "SHA256",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::Transport => "TRANSPORT",
        }
    }
    /// Reads the value of the leaf; `None` for a type that this device does not know (`X509`, `SECURID` and their like).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
    /// The scheme of messages; `None` where TLS does it.
    #[must_use]
    pub fn scheme(self) -> Option<Scheme> {
        Some(match self {
            Self::Basic => Scheme::Basic,
            Self::Digest => Scheme::Md5,
            Self::Hmac => Scheme::MacMd5,
            Self::Sha256 => Scheme::Sha256,
            Self::HmacSha256 => Scheme::MacSha256,
            Self::Transport => return None,
        })
    }
}

impl HttpScheme {
    /// The value of the leaf.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "HTTP-BASIC",
            Self::Digest => "HTTP-DIGEST",
        }
    }
}

impl fmt::Debug for CredentialSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { auth_type, user, password: _, nonce: _ } = self;
        f.debug_struct("CredentialSettings")
            .field("type", auth_type)
            .field("user", user)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, user, password: _ } = self;
        f.debug_struct("HttpSettings").field("type", scheme).field("user", user).finish_non_exhaustive()
    }
}

/// The name of a version as people write it.
pub(super) fn version_name(version: Version) -> &'static str {
    match version {
        Version::Dm11 => "1.1",
        Version::Dm12 => "1.2",
        Version::Dm13 => "1.3",
    }
}

/// Reads [`version_name`].
pub(super) fn named_version(name: &str) -> Option<Version> {
    [Version::Dm11, Version::Dm12, Version::Dm13].into_iter().find(|version| version_name(*version) == name)
}

fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Version>, D::Error> {
    let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let unknown = || de::Error::unknown_variant(&name, &["1.1", "1.2", "1.3"]);
    named_version(&name).map(Some).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_back_and_name_their_schemes() {
        for known in AuthType::ALL {
            assert_eq!(AuthType::parse(known.as_str()), Some(known));
        }
        assert_eq!(AuthType::parse("X509"), None);
        assert_eq!(AuthType::parse("digest"), None);
        assert_eq!(AuthType::Digest.scheme(), Some(Scheme::Md5));
        assert_eq!(AuthType::Transport.scheme(), None);
    }

    #[test]
    fn settings_show_no_secret() {
        let credentials = CredentialSettings {
            auth_type: AuthType::Digest,
            user: "device".to_owned(),
            password: "hunter2".to_owned(),
            nonce: "bm9uY2U=".to_owned(),
        };
        let http = HttpSettings {
            scheme: HttpScheme::Basic,
            user: "device".to_owned(),
            password: "hunter2".to_owned(),
        };
        for shown in [format!("{credentials:?}"), format!("{http:?}")] {
            assert!(
                shown.contains("device") && !shown.contains("hunter2") && !shown.contains("bm9u"),
                "{shown}"
            );
        }
    }
}
