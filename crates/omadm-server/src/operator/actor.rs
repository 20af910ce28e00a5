//! Who makes a request, and what they may do.

use std::fmt;

use omadm_mo::Time;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// What a user is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees devices and what is done with them.
    Viewer,
    /// Sees everything, the audit log and people too, and changes nothing.
    Auditor,
    /// Sees what a viewer sees, and changes it.
    Operator,
    /// May do everything.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Auditor, Self::Operator, Self::Admin];

    /// The name for people, programs and columns.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The inverse of [`Role::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// What the role may do.
    pub fn rights(self) -> Rights {
        let level = |area: Area| match self {
            Self::Admin => Level::Write,
            Self::Auditor => Level::Read,
            Self::Viewer | Self::Operator if area.is_confidential() => Level::None,
            Self::Viewer => Level::Read,
            Self::Operator => Level::Write,
        };
        Rights(Area::ALL.map(level))
    }
}

/// A part of the API that can be opened by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// Devices: enrolment, bootstraps, what is known of them, sessions.
    Devices,
    /// Commands for devices, and notifying them.
    Commands,
    /// Groups and labels.
    Groups,
    /// Profiles.
    Profiles,
    /// Campaigns.
    Campaigns,
    /// Packages.
    Packages,
    /// DDF files and pages.
    Catalogue,
    /// Delegation between servers.
    Delegations,
    /// The log of events.
    Events,
    /// Webhooks.
    Webhooks,
    /// The audit log.
    Audit,
    /// Users and tokens.
    People,
    /// The server itself.
    Server,
    /// The figures of the server.
    Metrics,
    /// What the server runs with.
    Settings,
}

impl Area {
    /// All of them, in the order of [`Rights`].
    pub const ALL: [Self; 15] = [
        Self::Devices,
        Self::Commands,
        Self::Groups,
        Self::Profiles,
        Self::Campaigns,
        Self::Packages,
        Self::Catalogue,
        Self::Delegations,
        Self::Events,
        Self::Webhooks,
        Self::Audit,
        Self::People,
        Self::Server,
        Self::Metrics,
        Self::Settings,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Commands => "commands",
            Self::Groups => "groups",
            Self::Profiles => "profiles",
            Self::Campaigns => "campaigns",
            Self::Packages => "packages",
            Self::Catalogue => "catalogue",
            Self::Delegations => "delegations",
            Self::Events => "events",
            Self::Webhooks => "webhooks",
            Self::Audit => "audit",
            Self::People => "people",
            Self::Server => "server",
            Self::Metrics => "metrics",
            Self::Settings => "settings",
        }
    }

    /// Whether viewers and operators have no business in it.
    fn is_confidential(self) -> bool {
        matches!(self, Self::Webhooks | Self::Audit | Self::People | Self::Settings)
    }
}

/// How far a right goes; writing includes reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not at all.
    #[default]
    None,
    /// To see.
    Read,
    /// To change.
    Write,
}

/// A right that a token can be given, such as `devices:read`; `commands:write` includes `commands:read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// On what.
    pub area: Area,
    /// How far; not [`Level::None`].
    pub level: Level,
}

impl Scope {
    /// Reads `AREA:read` or `AREA:write`.
    ///
    /// # Errors
    /// A sentence with the names there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(area, level)| {
            let area = Area::ALL.into_iter().find(|known| known.as_str() == area)?;
            let level = [Level::Read, Level::Write].into_iter().find(|known| known.as_str() == level)?;
            Some(Self { area, level })
        });
        parsed.ok_or_else(|| {
            let areas = Area::ALL.map(Area::as_str).join(", ");
            format!("{text:?} is no scope: it has to be an area and read or write, such as devices:read; areas are {areas}")
        })
    }
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.area.as_str(), self.level.as_str())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// How far somebody may go in each area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights([Level; Area::ALL.len()]);

impl Rights {
    /// These scopes and nothing else.
    pub fn of(scopes: &[Scope]) -> Self {
        let level = |area| {
            let of_area = scopes.iter().filter(|scope| scope.area == area);
            of_area.map(|scope| scope.level).max().unwrap_or_default()
        };
        Self(Area::ALL.map(level))
    }

    /// What both allow.
    pub fn and(self, other: Self) -> Self {
        let mut both = self;
        for (level, other) in both.0.iter_mut().zip(other.0) {
            *level = other.min(*level);
        }
        both
    }

    /// Whether a scope is among them.
    pub fn allow(&self, scope: Scope) -> bool {
        Area::ALL.into_iter().zip(self.0).any(|(area, level)| area == scope.area && level >= scope.level)
    }

    /// Whether these are no more than `other`.
    pub fn are_within(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(level, other)| *level <= other)
    }

    /// As scopes, one for each area that is open.
    pub fn scopes(&self) -> Vec<Scope> {
        let open = Area::ALL.into_iter().zip(self.0).filter(|(_, level)| *level > Level::None);
        open.map(|(area, level)| Scope { area, level }).collect()
    }
}

/// By what somebody has proved who they are. Another proof, such as that of an identity provider, is one more of these, with what makes
/// an [`Actor`] of it in [`super::access`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// An API token of this name.
    Token(String),
    /// A session that a user began with a password; its digest in the store.
    Session(Vec<u8>),
}

/// Who makes a request: an extension of every request that has passed [`super::access::check`].
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user, or the token that belongs to none.
    pub name: String,
    /// How that is known.
    pub proof: Proof,
    /// The user behind a session or a token, if there is one.
    pub user: Option<String>,
    /// The role.
    pub role: Role,
    /// What they may do: what the role allows, as far as the token goes.
    pub rights: Rights,
    /// Groups whose devices they see; `None` for all devices there are.
    pub groups: Option<Vec<String>>,
    /// When the proof ends.
    pub until: Option<Time>,
}

impl Actor {
    /// Whether all devices are theirs.
    pub fn sees_everything(&self) -> bool {
        self.groups.is_none()
    }

    /// For the audit log: `user ann`, `token ci`, or `token ci of user ann`.
    pub fn described(&self) -> String {
        match (&self.proof, &self.user) {
            (Proof::Token(token), None) => format!("token {token}"),
            (Proof::Token(token), Some(user)) => format!("token {token} of user {user}"),
            (Proof::Session(_), _) => format!("user {}", self.name),
        }
    }
}

/// The groups that two lists have in common; `None` is all devices.
pub fn common(one: Option<Vec<String>>, other: Option<Vec<String>>) -> Option<Vec<String>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.into_iter().filter(|name| other.contains(name)).collect()),
        (Some(only), None) | (None, Some(only)) => Some(only),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn roles_are_ordered_as_they_are_said_to_be() {
        let rights = |role: Role| role.rights();
        assert!(rights(Role::Viewer).are_within(&rights(Role::Operator)));
        assert!(rights(Role::Viewer).are_within(&rights(Role::Auditor)));
        assert!(!rights(Role::Auditor).are_within(&rights(Role::Operator)));
        assert!(Role::ALL.iter().all(|role| rights(*role).are_within(&rights(Role::Admin))));
        let may = |role: Role, text| rights(role).allow(scope(text));
        assert!(may(Role::Viewer, "devices:read") && !may(Role::Viewer, "devices:write"));
        assert!(may(Role::Operator, "commands:write") && !may(Role::Operator, "people:read"));
        assert!(may(Role::Auditor, "audit:read") && !may(Role::Auditor, "commands:write"));
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
    }

    #[test]
    fn a_token_has_its_scopes_and_no_more_than_its_role() {
        let rights = Rights::of(&[scope("commands:write"), scope("commands:read"), scope("audit:read")]);
        assert!(rights.allow(scope("commands:read")) && rights.allow(scope("commands:write")));
        let both = rights.and(Role::Viewer.rights());
        assert_eq!(both.scopes(), [scope("commands:read")]);
        assert_eq!(Rights::of(&both.scopes()), both);
    }

    #[test]
    fn scopes_say_what_they_are() {
        for area in Area::ALL {
            for level in ["read", "write"] {
                let text = format!("{}:{level}", area.as_str());
                assert_eq!(scope(&text).to_string(), text);
            }
        }
        for wrong in ["", "devices", "devices:none", "devices:own", "Devices:read", "device:read"] {
            assert!(Scope::parse(wrong).unwrap_err().contains("devices, commands"), "{wrong}");
        }
    }

    #[test]
    fn groups_in_common() {
        let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(common(None, None), None);
        assert_eq!(common(list(&["a"]), None), list(&["a"]));
        assert_eq!(common(list(&["a", "b"]), list(&["b", "c"])), list(&["b"]));
        assert_eq!(common(list(&["a"]), list(&["b"])), list(&[]));
    }
}
