//! An account of a DM Server, in the words of the standard object (`DM 1.3 STDOBJ §5.3.1`).

use std::borrow::Cow;

use omadm_auth::Secret;
use omadm_mo::ServerId;

use super::BootstrapError;

/// Longest identifier of a server: a notification has one octet for its length (`DM 1.3 NOTI §6`).
const MAX_SERVER_ID: usize = 255;

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// `ServerID`, PROVIDER-ID.
    pub server_id: String,
    /// `Name`, for people.
    pub name: Option<String>,
    /// `AppAddr`, the best first; one or more.
    pub addresses: Vec<Address>,
    /// `PrefConRef` and `ToConRef`, TO-PROXY and TO-NAPID: connections, the best first. In a provisioning document identifiers of its
    /// networks and proxies, in the tree addresses of nodes.
    pub connections: Vec<String>,
    /// `AAuthPref`. Provisioning documents have no word for it.
    pub preferred: Option<AuthType>,
    /// `AppAuth`.
    pub credentials: Vec<Credentials>,
    /// INIT: begin a session at once. The standard object has no word for it.
    pub init: bool,
    /// The ACL of the root of the account. A provisioning document always means [`default_acl`]; in a TNDS document `None` leaves it to
    /// the device.
    pub acl: Option<String>,
}

/// One address of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// `Addr`.
    pub address: String,
    /// `AddrType`.
    pub kind: AddressType,
    /// `Port`, in the order of preference.
    pub ports: Vec<u16>,
}

/// `AddrType`: an open set, of which these are the ones that DM has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressType(pub Cow<'static, str>);

impl AddressType {
    /// A URI.
    pub const URI: Self = Self(Cow::Borrowed("URI"));
    /// An IPv4 address.
    pub const IPV4: Self = Self(Cow::Borrowed("IPv4"));
    /// An IPv6 address.
    pub const IPV6: Self = Self(Cow::Borrowed("IPv6"));

    /// Reads it, in any letter case for those that DM has; nothing is a URI.
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim();
        let known = [Self::URI, Self::IPV4, Self::IPV6];
        let found = known.into_iter().find(|known| known.0.eq_ignore_ascii_case(text));
        match found {
            Some(known) => known,
            None if text.is_empty() => Self::URI,
            None => Self(Cow::Owned(text.to_owned())),
        }
    }
}

impl Default for AddressType {
    fn default() -> Self {
        Self::URI
    }
}

/// Whom credentials are for: `AAuthLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthLevel {
    /// CLCRED, AAUTHLEVEL `APPSRV`: the client proves itself to the server.
    Client,
    /// SRVCRED, AAUTHLEVEL `CLIENT`: the server proves itself to the client.
    Server,
    /// HTTP, and where a provisioning document has no AAUTHLEVEL.
    Http,
    /// OBEX.
    Obex,
}

impl AuthLevel {
    pub(super) const ALL: [Self; 4] = [Self::Client, Self::Server, Self::Http, Self::Obex];

    /// `AAuthLevel`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "CLCRED",
            Self::Server => "SRVCRED",
            Self::Http => "HTTP",
            Self::Obex => "OBEX",
        }
    }

    /// AAUTHLEVEL of a provisioning document.
    pub(super) fn in_provisioning(self) -> Option<&'static str> {
        match self {
            Self::Client => Some("APPSRV"),
            Self::Server => Some("CLIENT"),
            Self::Http => None,
            Self::Obex => Some("OBEX"),
        }
    }

    /// Whether they are those of the application layer.
    fn is_application(self) -> bool {
        matches!(self, Self::Client | Self::Server)
    }
}

/// `AAuthType`: an open set, of which these are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthType(pub Cow<'static, str>);

#[allow(missing_docs, reason = "they speak for themselves")]
impl AuthType {
    pub const BASIC: Self = Self(Cow::Borrowed("BASIC"));
    pub const DIGEST: Self = Self(Cow::Borrowed("DIGEST"));
    pub const HMAC: Self = Self(Cow::Borrowed("HMAC"));
    /// A digest of SHA-256; our reading of DM 1.3.
    pub const SHA256: Self = Self(Cow::Borrowed("SHA256"));
    /// A MAC of SHA-256; our reading of DM 1.3.
    pub const HMAC_SHA256: Self = Self(Cow::Borrowed("HMAC-SHA256"));
    pub const HTTP_BASIC: Self = Self(Cow::Borrowed("HTTP-BASIC"));
    pub const HTTP_DIGEST: Self = Self(Cow::Borrowed("HTTP-DIGEST"));
    pub const TRANSPORT: Self = Self(Cow::Borrowed("TRANSPORT"));
    pub const SECURID: Self = Self(Cow::Borrowed("SECURID"));

    /// Reads AAUTHTYPE of a provisioning document, which may be a list, has HTTP's types by the short name, and another spelling.
    pub(super) fn of_provisioning(text: &str, level: AuthLevel) -> Self {
        let types = || text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let of_digest = types().find(|name| name.ends_with("DIGEST"));
        let name = of_digest.or_else(|| types().next()).unwrap_or_default();
        match (name, level.is_application()) {
            ("BASIC", false) => Self::HTTP_BASIC,
            ("DIGEST", false) => Self::HTTP_DIGEST,
            ("SECUREID", _) => Self::SECURID,
            (name, _) => Self(Cow::Owned(name.to_owned())),
        }
    }
}

/// Credentials of a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `AAuthLevel`.
    pub level: AuthLevel,
    /// `AAuthType`.
    pub auth_type: AuthType,
    /// `AAuthName`.
    pub name: Option<String>,
    /// `AAuthSecret`: text in UTF-8.
    pub secret: Option<Secret>,
    /// `AAuthData`: the octets of a nonce.
    pub nonce: Option<Secret>,
}

impl Account {
    /// Whether a session could begin with it, as far as that does not depend on the device: who, where, and no control characters.
    ///
    /// # Errors
    /// [`BootstrapError::Missing`] and [`BootstrapError::Illegal`].
    pub fn check(&self) -> Result<(), BootstrapError> {
        if self.server_id.is_empty() {
            return Err(self.missing("identifier"));
        }
        if self.server_id.len() > MAX_SERVER_ID {
            let reason = format!("longer than {MAX_SERVER_ID} octets");
            return Err(BootstrapError::Illegal { server: String::new(), what: "identifier", reason });
        }
        ServerId::parse(&self.server_id).map_err(|error| self.illegal("identifier", error.to_string()))?;
        if self.addresses.is_empty() || self.addresses.iter().any(|address| address.address.is_empty()) {
            return Err(self.missing("address"));
        }
        let texts = [("identifier", &self.server_id)].into_iter();
        let texts = texts.chain(self.name.iter().map(|name| ("name", name)));
        let texts = texts.chain(self.addresses.iter().map(|address| ("address", &address.address)));
        let texts = texts.chain(self.connections.iter().map(|connection| ("connection", connection)));
        let names = self.credentials.iter().filter_map(|of| of.name.as_ref());
        let mut texts = texts.chain(names.map(|name| ("user name", name)));
        if let Some((what, _)) = texts.find(|(_, text)| text.chars().any(char::is_control)) {
            return Err(self.illegal(what, "a control character".to_owned()));
        }
        for of in &self.credentials {
            let text = of.secret.as_ref().map(|secret| std::str::from_utf8(secret.expose()));
            if text.is_some_and(|text| text.map_or(true, |text| text.chars().any(char::is_control))) {
                return Err(self.illegal("secret", "not a text without control characters".to_owned()));
            }
        }
        Ok(())
    }

    pub(super) fn missing(&self, what: &'static str) -> BootstrapError {
        BootstrapError::Missing { server: self.server_id.clone(), what }
    }

    pub(super) fn illegal(&self, what: &'static str, reason: String) -> BootstrapError {
        BootstrapError::Illegal { server: self.server_id.clone(), what, reason }
    }
}

/// What a server may do with its account if nothing else is said: read, change and remove it, and not add to it (`DM 1.3 BOOT §5.2`).
#[must_use]
pub fn default_acl(server_id: &str) -> String {
    format!("Delete={server_id}&Get={server_id}&Replace={server_id}")
}
