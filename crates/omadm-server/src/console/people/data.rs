//! What is read of users and tokens, and the words for what they may do.

use serde::Deserialize;

use crate::operator::actor::{Actor, Area, Level, Role, Scope};
use crate::operator::rights::{Need, RULES};

/// A user.
#[derive(Debug, Deserialize)]
pub struct User {
    pub name: String,
    pub role: String,
    /// None for all devices.
    pub groups: Option<Vec<String>>,
    pub created: String,
    pub changed: String,
}

/// A token.
#[derive(Debug, Deserialize)]
pub struct Token {
    pub name: String,
    pub user: Option<String>,
    pub role: String,
    /// None for all that the role may.
    pub scopes: Option<Vec<String>>,
    /// None for all devices.
    pub groups: Option<Vec<String>>,
    pub created: String,
    pub expires: Option<String>,
}

/// Roles in words, the smallest first.
pub const ROLES: &[(&str, &str)] = &[
    ("viewer", "viewer: sees devices and what is done with them"),
    ("auditor", "auditor: sees everything, also people and the audit log"),
    ("operator", "operator: sees and changes devices and what is done with them"),
    ("admin", "admin: may do everything"),
];

/// What a role means.
pub fn role_in_words(role: &str) -> &str {
    let known = ROLES.iter().find(|(name, _)| *name == role);
    known.and_then(|(_, words)| words.split_once(": ")).map_or(role, |(_, words)| words)
}

/// What an area is about.
pub fn area_in_words(area: Area) -> &'static str {
    match area {
        Area::Devices => "devices, their trees and sessions",
        Area::Commands => "commands, and calling devices",
        Area::Groups => "groups and labels",
        Area::Profiles => "profiles",
        Area::Campaigns => "campaigns",
        Area::Packages => "packages",
        Area::Catalogue => "DDF files, and pages for users of devices",
        Area::Delegations => "delegations between servers",
        Area::Events => "events",
        Area::Webhooks => "webhooks",
        Area::Audit => "the audit log",
        Area::People => "users and tokens",
        Area::Server => "the server itself",
        Area::Metrics => "figures of the server",
        Area::Settings => "settings of the server",
    }
}

/// Whether there is anything in an area that can be changed: nobody changes the audit log.
pub fn is_changeable(area: Area) -> bool {
    let need = Need::Right(Scope { area, level: Level::Write });
    RULES.iter().any(|rule| rule.need == need)
}

/// A scope, such as `devices:write`, in words.
pub fn scope_in_words(scope: &str) -> String {
    match Scope::parse(scope) {
        Ok(Scope { area, level: Level::Write }) if is_changeable(area) => {
            format!("see and change {}", area_in_words(area))
        }
        Ok(Scope { area, .. }) => format!("see {}", area_in_words(area)),
        Err(_) => scope.to_owned(),
    }
}

/// The roles that somebody can give others: those that may do no more than they may.
pub fn roles_within(actor: &Actor) -> Vec<(&'static str, &'static str)> {
    let is_within =
        |name: &str| Role::parse(name).is_some_and(|role| role.rights().are_within(&actor.rights));
    ROLES.iter().copied().filter(|(name, _)| is_within(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_words() {
        assert!(Role::ALL.iter().all(|role| role_in_words(role.as_str()) != role.as_str()));
        assert_eq!(role_in_words("other"), "other");
    }

    #[test]
    fn scopes_are_said_in_words() {
        assert_eq!(scope_in_words("commands:write"), "see and change commands, and calling devices");
        assert_eq!(scope_in_words("audit:read"), "see the audit log");
        assert_eq!(scope_in_words("audit:write"), "see the audit log");
        assert_eq!(scope_in_words("x:y"), "x:y");
    }
}
