//! Who may use which route. Whoever adds a route adds a line here: a route without one is refused, and a test fails.

use super::actor::{Area, Level, Scope};

/// What a route asks of who uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: everybody may.
    Nothing,
    /// To be known.
    Known,
    /// A right.
    Right(Scope),
}

/// How a route is kept within the groups of who uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It tells nothing of devices.
    Nothing,
    /// It is about the device that `{id}` of its path names: that of others is as unknown as one that does not exist.
    Device,
    /// It is about the command that `{command}` of its path names, and so about its device.
    Command,
    /// It tells of many devices, and its handler leaves out those of others ([`super::reach`]).
    Narrowed,
    /// It is about all devices, so only for those who see all.
    Everything,
}

/// A route with what it asks.
#[derive(Debug)]
pub struct Rule {
    /// Method.
    pub method: &'static str,
    /// Path below `/api/v1`, as it is routed.
    pub path: &'static str,
    /// What it asks.
    pub need: Need,
    /// How it is kept within groups.
    pub reach: Reach,
}

const fn read(area: Area) -> Need {
    Need::Right(Scope { area, level: Level::Read })
}

const fn write(area: Area) -> Need {
    Need::Right(Scope { area, level: Level::Write })
}

const fn rule(method: &'static str, path: &'static str, need: Need, reach: Reach) -> Rule {
    Rule { method, path, need, reach }
}

/// The table.
#[rustfmt::skip]
pub const RULES: &[Rule] = &[
    rule("GET", "/server", read(Area::Server), Reach::Everything),
    rule("GET", "/server/state", read(Area::Settings), Reach::Everything),
    rule("GET", "/settings", read(Area::Settings), Reach::Everything),

    rule("GET", "/devices", read(Area::Devices), Reach::Narrowed),
    rule("POST", "/devices", write(Area::Devices), Reach::Everything),
    rule("POST", "/devices/batch", write(Area::Devices), Reach::Everything),
    rule("GET", "/devices/count", read(Area::Devices), Reach::Narrowed),
    rule("GET", "/devices/export", read(Area::Devices), Reach::Narrowed),
    rule("PATCH", "/devices/{id}", write(Area::Groups), Reach::Device),
    rule("GET", "/devices/{id}", read(Area::Devices), Reach::Device),
    rule("DELETE", "/devices/{id}", write(Area::Devices), Reach::Device),
    rule("GET", "/devices/{id}/tree", read(Area::Devices), Reach::Device),
    rule("GET", "/devices/{id}/payloads/{payload}", read(Area::Devices), Reach::Device),
    rule("GET", "/devices/{id}/subscriptions", read(Area::Devices), Reach::Device),
    rule("GET", "/devices/{id}/defaults", read(Area::Devices), Reach::Device),
    rule("GET", "/devices/{id}/sessions", read(Area::Devices), Reach::Device),
    rule("GET", "/devices/{id}/sessions/{session}", read(Area::Devices), Reach::Device),
    rule("POST", "/devices/{id}/sessions/abort", write(Area::Commands), Reach::Device),
    rule("GET", "/devices/{id}/push", read(Area::Commands), Reach::Device),
    rule("PUT", "/devices/{id}/push", write(Area::Commands), Reach::Device),
    rule("POST", "/devices/{id}/notify", write(Area::Commands), Reach::Device),
    rule("POST", "/devices/{id}/sessionless", write(Area::Commands), Reach::Device),
    rule("GET", "/devices/{id}/commands", read(Area::Commands), Reach::Device),
    rule("POST", "/devices/{id}/commands", write(Area::Commands), Reach::Device),
    rule("GET", "/commands/{command}", read(Area::Commands), Reach::Command),
    rule("POST", "/commands/{command}/cancel", write(Area::Commands), Reach::Command),

    rule("GET", "/bootstrap", read(Area::Devices), Reach::Narrowed),
    rule("GET", "/bootstrap/terms", read(Area::Devices), Reach::Nothing),
    rule("POST", "/bootstrap", write(Area::Devices), Reach::Everything),
    rule("POST", "/bootstrap/batch", write(Area::Devices), Reach::Everything),
    rule("GET", "/bootstrap/{id}", read(Area::Devices), Reach::Device),
    rule("DELETE", "/bootstrap/{id}", write(Area::Devices), Reach::Device),

    rule("GET", "/groups", read(Area::Groups), Reach::Nothing),
    rule("GET", "/groups/{name}", read(Area::Groups), Reach::Nothing),
    rule("PUT", "/groups/{name}", write(Area::Groups), Reach::Everything),
    rule("DELETE", "/groups/{name}", write(Area::Groups), Reach::Everything),

    rule("GET", "/imports", read(Area::Devices), Reach::Everything),
    rule("POST", "/imports", write(Area::Devices), Reach::Everything),
    rule("GET", "/imports/{import}", read(Area::Devices), Reach::Everything),
    rule("GET", "/imports/{import}/rows", read(Area::Devices), Reach::Everything),
    rule("GET", "/imports/{import}/report", read(Area::Devices), Reach::Everything),

    rule("GET", "/profiles", read(Area::Profiles), Reach::Nothing),
    rule("GET", "/profiles/{name}", read(Area::Profiles), Reach::Everything),
    rule("PUT", "/profiles/{name}", write(Area::Profiles), Reach::Everything),
    rule("DELETE", "/profiles/{name}", write(Area::Profiles), Reach::Everything),
    rule("GET", "/profiles/{name}/versions", read(Area::Profiles), Reach::Nothing),
    rule("GET", "/profiles/{name}/versions/{version}", read(Area::Profiles), Reach::Nothing),
    rule("GET", "/profiles/{name}/diff", read(Area::Profiles), Reach::Nothing),
    rule("PUT", "/profiles/{name}/assignment", write(Area::Profiles), Reach::Everything),
    rule("DELETE", "/profiles/{name}/assignment", write(Area::Profiles), Reach::Everything),
    rule("POST", "/profiles/{name}/rollback", write(Area::Profiles), Reach::Everything),
    rule("POST", "/profiles/{name}/dry-run", read(Area::Profiles), Reach::Everything),
    rule("GET", "/profiles/{name}/devices", read(Area::Profiles), Reach::Everything),
    rule("POST", "/profiles/{name}/retry", write(Area::Profiles), Reach::Everything),
    rule("GET", "/devices/{id}/profiles", read(Area::Profiles), Reach::Device),
    rule("POST", "/devices/{id}/profiles/{name}/retry", write(Area::Profiles), Reach::Device),

    rule("GET", "/ddfs", read(Area::Catalogue), Reach::Nothing),
    rule("GET", "/ddfs/{name}", read(Area::Catalogue), Reach::Nothing),
    rule("PUT", "/ddfs/{name}", write(Area::Catalogue), Reach::Everything),
    rule("DELETE", "/ddfs/{name}", write(Area::Catalogue), Reach::Everything),
    rule("GET", "/ddfs/{name}/model", read(Area::Catalogue), Reach::Nothing),
    rule("GET", "/pages", read(Area::Catalogue), Reach::Nothing),
    rule("GET", "/pages/{name}", read(Area::Catalogue), Reach::Nothing),
    rule("PUT", "/pages/{name}", write(Area::Catalogue), Reach::Everything),
    rule("DELETE", "/pages/{name}", write(Area::Catalogue), Reach::Everything),
    rule("GET", "/pages/{name}/preview", read(Area::Catalogue), Reach::Nothing),
    rule("POST", "/pages/{name}/preview", read(Area::Catalogue), Reach::Nothing),
    rule("GET", "/pages/{name}/answers", read(Area::Events), Reach::Narrowed),

    rule("GET", "/campaigns", read(Area::Campaigns), Reach::Narrowed),
    rule("POST", "/campaigns", write(Area::Campaigns), Reach::Narrowed),
    rule("GET", "/campaigns/{campaign}", read(Area::Campaigns), Reach::Narrowed),
    rule("DELETE", "/campaigns/{campaign}", write(Area::Campaigns), Reach::Narrowed),
    rule("POST", "/campaigns/{campaign}/start", write(Area::Campaigns), Reach::Narrowed),
    rule("POST", "/campaigns/{campaign}/pause", write(Area::Campaigns), Reach::Narrowed),
    rule("POST", "/campaigns/{campaign}/resume", write(Area::Campaigns), Reach::Narrowed),
    rule("POST", "/campaigns/{campaign}/stop", write(Area::Campaigns), Reach::Narrowed),
    rule("POST", "/campaigns/{campaign}/rollback", write(Area::Campaigns), Reach::Narrowed),
    rule("GET", "/campaigns/{campaign}/devices", read(Area::Campaigns), Reach::Narrowed),
    rule("GET", "/campaigns/{campaign}/report", read(Area::Campaigns), Reach::Narrowed),

    rule("GET", "/packages", read(Area::Packages), Reach::Nothing),
    rule("POST", "/packages", write(Area::Packages), Reach::Everything),
    rule("GET", "/packages/{package}", read(Area::Packages), Reach::Nothing),
    rule("DELETE", "/packages/{package}", write(Area::Packages), Reach::Everything),

    rule("GET", "/delegations", read(Area::Delegations), Reach::Everything),
    rule("POST", "/delegations", write(Area::Delegations), Reach::Everything),
    rule("GET", "/delegations/peers", read(Area::Delegations), Reach::Everything),
    rule("GET", "/delegations/{delegation}", read(Area::Delegations), Reach::Everything),
    rule("GET", "/delegations/{delegation}/devices", read(Area::Delegations), Reach::Everything),
    rule("POST", "/delegations/{delegation}/approve", write(Area::Delegations), Reach::Everything),
    rule("POST", "/delegations/{delegation}/reject", write(Area::Delegations), Reach::Everything),
    rule("POST", "/delegations/{delegation}/cancel", write(Area::Delegations), Reach::Everything),
    rule("POST", "/delegations/{delegation}/release", write(Area::Delegations), Reach::Everything),

    rule("GET", "/events", read(Area::Events), Reach::Narrowed),
    rule("GET", "/events/kinds", read(Area::Events), Reach::Nothing),
    rule("GET", "/events/stream", read(Area::Events), Reach::Narrowed),

    rule("POST", "/login", Need::Nothing, Reach::Nothing),
    rule("POST", "/logout", Need::Known, Reach::Nothing),
    rule("GET", "/me", Need::Known, Reach::Nothing),
    rule("PUT", "/me/password", Need::Known, Reach::Nothing),
    rule("GET", "/webhooks", read(Area::Webhooks), Reach::Everything),
    rule("POST", "/webhooks", write(Area::Webhooks), Reach::Everything),
    rule("GET", "/webhooks/{name}", read(Area::Webhooks), Reach::Everything),
    rule("DELETE", "/webhooks/{name}", write(Area::Webhooks), Reach::Everything),
    rule("POST", "/webhooks/{name}/test", write(Area::Webhooks), Reach::Everything),
    rule("GET", "/webhooks/{name}/dead", read(Area::Webhooks), Reach::Everything),
    rule("POST", "/webhooks/{name}/replay", write(Area::Webhooks), Reach::Everything),
    rule("GET", "/users", read(Area::People), Reach::Everything),
    rule("POST", "/users", write(Area::People), Reach::Everything),
    rule("GET", "/users/{name}", read(Area::People), Reach::Everything),
    rule("PUT", "/users/{name}", write(Area::People), Reach::Everything),
    rule("DELETE", "/users/{name}", write(Area::People), Reach::Everything),
    rule("PUT", "/users/{name}/password", write(Area::People), Reach::Everything),
    rule("GET", "/audit", read(Area::Audit), Reach::Everything),
    rule("GET", "/audit/heads", read(Area::Audit), Reach::Everything),
    rule("GET", "/audit/export", read(Area::Audit), Reach::Everything),
    rule("GET", "/tokens", read(Area::People), Reach::Everything),
    rule("POST", "/tokens", write(Area::People), Reach::Everything),
    rule("DELETE", "/tokens/{name}", write(Area::People), Reach::Everything),
];

/// The rule of a route; one for GET is also one for HEAD.
pub fn of(method: &str, path: &str) -> Option<&'static Rule> {
    let method = if method == "HEAD" { "GET" } else { method };
    RULES.iter().find(|rule| rule.path == path && rule.method == method)
}

/// Whether the table knows a path at all.
pub fn knows(path: &str) -> bool {
    RULES.iter().any(|rule| rule.path == path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_has_one_rule_and_every_rule_a_route() {
        let (_, document) = super::super::api().split_for_parts();
        let mut routes = BTreeSet::new();
        for (path, item) in &document.paths.paths {
            let methods = [
                ("GET", &item.get),
                ("PUT", &item.put),
                ("POST", &item.post),
                ("DELETE", &item.delete),
                ("PATCH", &item.patch),
            ];
            let there = methods.into_iter().filter(|(_, operation)| operation.is_some());
            routes.extend(there.map(|(method, _)| format!("{method} {path}")));
        }
        let rules = RULES.iter().map(|rule| format!("{} {}", rule.method, rule.path));
        let rules = rules.collect::<Vec<_>>();
        let unique = rules.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(rules.len(), unique.len(), "a route has two rules");
        assert_eq!(routes, unique, "operator/rights.rs has to have a line for each route");
    }

    #[test]
    fn a_rule_names_what_its_reach_is_about() {
        for rule in RULES {
            let named = match rule.reach {
                Reach::Device => rule.path.contains("{id}"),
                Reach::Command => rule.path.contains("{command}"),
                Reach::Nothing | Reach::Narrowed | Reach::Everything => {
                    !rule.path.starts_with("/devices/{id}")
                }
            };
            assert!(named, "{rule:?}");
        }
    }

    #[test]
    fn head_asks_as_get_does() {
        assert_eq!(of("HEAD", "/events").map(|rule| rule.method), Some("GET"));
        assert!(of("PATCH", "/events").is_none() && knows("/events") && !knows("/nothing"));
    }
}
