//! What entries of the audit log say, in words.

use http::StatusCode;
use maud::{Markup, html};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::console::visit::path;
use crate::console::{parts, text};

/// Routes with what somebody wants who uses them; `{name}` stands for the part of the path that the route calls so.
const WORDS: &[(&str, &str)] = &[
    ("POST /devices", "enrol a device"),
    ("POST /devices/batch", "enrol devices"),
    ("PATCH /devices/{id}", "change what people say about {id}"),
    ("DELETE /devices/{id}", "remove {id}"),
    ("POST /devices/{id}/sessions/abort", "break off the session of {id}"),
    ("PUT /devices/{id}/push", "change the ways to {id}"),
    ("POST /devices/{id}/notify", "call {id}"),
    ("POST /devices/{id}/sessionless", "make a message without a session for {id}"),
    ("POST /devices/{id}/commands", "queue a command for {id}"),
    ("POST /devices/{id}/profiles/{name}/retry", "try the profile {name} again on {id}"),
    ("POST /commands/{command}/cancel", "cancel the command {command}"),
    ("POST /bootstrap", "make a bootstrap"),
    ("POST /bootstrap/batch", "make bootstraps"),
    ("DELETE /bootstrap/{id}", "take back the bootstrap of {id}"),
    ("PUT /groups/{name}", "save the group {name}"),
    ("DELETE /groups/{name}", "remove the group {name}"),
    ("POST /imports", "import devices from a file"),
    ("PUT /profiles/{name}", "save the profile {name}"),
    ("DELETE /profiles/{name}", "remove the profile {name}"),
    ("PUT /profiles/{name}/assignment", "assign the profile {name}"),
    ("DELETE /profiles/{name}/assignment", "take back the assignment of the profile {name}"),
    ("POST /profiles/{name}/rollback", "roll the profile {name} back"),
    ("POST /profiles/{name}/dry-run", "try what the profile {name} would do"),
    ("POST /profiles/{name}/retry", "try the profile {name} again"),
    ("PUT /ddfs/{name}", "store the DDF file {name}"),
    ("DELETE /ddfs/{name}", "remove the DDF file {name}"),
    ("PUT /pages/{name}", "save the page {name} for users of devices"),
    ("DELETE /pages/{name}", "remove the page {name} for users of devices"),
    ("POST /pages/{name}/preview", "look at the page {name} before it is saved"),
    ("POST /campaigns", "make a campaign"),
    ("DELETE /campaigns/{campaign}", "remove the campaign {campaign}"),
    ("POST /campaigns/{campaign}/start", "start the campaign {campaign}"),
    ("POST /campaigns/{campaign}/pause", "pause the campaign {campaign}"),
    ("POST /campaigns/{campaign}/resume", "let the campaign {campaign} go on"),
    ("POST /campaigns/{campaign}/stop", "stop the campaign {campaign}"),
    ("POST /campaigns/{campaign}/rollback", "roll the campaign {campaign} back"),
    ("POST /packages", "upload a package"),
    ("DELETE /packages/{package}", "remove the package {package}"),
    ("POST /delegations", "ask for a delegation between servers"),
    ("POST /delegations/{delegation}/approve", "approve the delegation {delegation}"),
    ("POST /delegations/{delegation}/reject", "reject the delegation {delegation}"),
    ("POST /delegations/{delegation}/cancel", "cancel the delegation {delegation}"),
    ("POST /delegations/{delegation}/release", "release the delegation {delegation}"),
    ("POST /login", "log in"),
    ("POST /logout", "log out"),
    ("PUT /me/password", "change the own password"),
    ("POST /webhooks", "add a webhook"),
    ("DELETE /webhooks/{name}", "remove the webhook {name}"),
    ("POST /webhooks/{name}/test", "send a test to the webhook {name}"),
    ("POST /webhooks/{name}/replay", "send dead letters to the webhook {name} again"),
    ("POST /users", "add a user"),
    ("PUT /users/{name}", "change role or groups of the user {name}"),
    ("DELETE /users/{name}", "remove the user {name}"),
    ("PUT /users/{name}/password", "set the password of the user {name}"),
    ("POST /tokens", "make a token"),
    ("DELETE /tokens/{name}", "revoke the token {name}"),
];

/// What stands in the log in place of what may be a secret.
const LEFT_OUT: &str = "…";
/// Members of a body that are shown.
const MEMBERS: usize = 12;

/// What somebody wanted to do.
pub fn deed(said: &Value) -> Markup {
    let word = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
    let (route, on) = (word("do"), word("on"));
    if let Some((_, words)) = WORDS.iter().find(|(known, _)| *known == route) {
        return filled(words, route, on);
    }
    html! {
        @if let Some(anchors) = said.get("anchors").and_then(Value::as_array) {
            "note how far the logs of " (text::number(anchors.len())) " other nodes have come"
        } @else if said.get("cuts").is_some() {
            "cut off entries that were kept for long enough"
        } @else if route.is_empty() {
            "note something"
        } @else {
            // A route that came later than these words.
            span.mono { (text::shown(route.split(' ').next().unwrap_or_default())) " " (text::shown(&decoded(on))) }
        }
    }
}

/// Words with the parts of the path in their places.
fn filled(words: &str, route: &str, on: &str) -> Markup {
    let (_, template) = route.split_once(' ').unwrap_or_default();
    let named = |name: &str| {
        let mut pairs = template.split('/').zip(on.split('/'));
        pairs.find(|(part, _)| part.trim_matches(['{', '}']) == name).map(|(_, value)| decoded(value))
    };
    let mut pieces = words.split(['{', '}']);
    html! {
        (pieces.next().unwrap_or_default())
        @while let Some(name) = pieces.next() {
            @let value = named(name).unwrap_or_default();
            @match name {
                "id" => a href=(path(&["devices", &value], &[])) { (text::shown(&value)) },
                "command" => a href=(path(&["commands", &value], &[])) { (text::shown(&value)) },
                _ => b { (text::shown(&value)) },
            }
            (pieces.next().unwrap_or_default())
        }
    }
}

/// What is kept of the body of a request: its members, but for those of which nothing is kept.
pub fn asked(body: &Value) -> Markup {
    let members = body.as_object().into_iter().flatten();
    html! {
        @for (name, value) in members.filter(|(_, value)| !value.is_null() && *value != LEFT_OUT).take(MEMBERS) {
            span.member { span.quiet { (text::plain(name, text::SHORT)) " " } (text::shown(&listed(value))) }
        }
    }
}

/// A value in a line: of a list its items, of devices and the like their ids.
fn listed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(listed).collect::<Vec<_>>().join(", "),
        Value::Object(members) => members.get("id").map_or_else(|| value.to_string(), listed),
        other => other.to_string(),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// What came of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The API answered so.
    Status(u16),
    /// It was refused for want of rights.
    Refused,
    /// A crash has left it open.
    Unknown,
    /// It is noted elsewhere in the log, or not yet.
    Elsewhere,
    /// Nothing comes of it.
    None,
}

impl Outcome {
    /// What an entry says by itself.
    pub fn of(said: &Value) -> Self {
        let status = said.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        match (said.get("phase").and_then(Value::as_str), status) {
            (_, Some(status)) => Self::Status(status),
            (Some("refused"), None) => Self::Refused,
            (Some("outcome unknown"), None) => Self::Unknown,
            (Some("begun"), None) => Self::Elsewhere,
            (_, None) => Self::None,
        }
    }

    /// As a badge.
    pub fn shown(self) -> Markup {
        match self {
            Self::Status(200..=399) => parts::state("done"),
            Self::Status(status) => {
                let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
                html! { (parts::state(if status < 500 { "refused" } else { "failed" })) " " span.quiet { (status) " " (reason.unwrap_or_default()) } }
            }
            Self::Refused => html! { (parts::state("refused")) " " span.quiet { "not allowed" } },
            Self::Unknown => parts::state("not known"),
            Self::Elsewhere => html! { span.quiet { "see newer entries" } },
            Self::None => html! { span.quiet { "–" } },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operator::rights;

    #[test]
    fn deeds_are_sentences() {
        let said = |route, on| deed(&json!({ "do": route, "on": on })).into_string();
        assert_eq!(
            said("POST /devices/{id}/commands", "/devices/IMEI%3A1/commands"),
            "queue a command for <a href=\"/devices/IMEI%3A1\"><bdi>IMEI:1</bdi></a>"
        );
        assert_eq!(said("DELETE /users/{name}", "/users/a%3Cb"), "remove the user <b><bdi>a&lt;b</bdi></b>");
        assert!(said("PUT /later/{x}", "/later/%22").contains("/later/&quot;"));
        assert_eq!(said("DELETE /users/{name}", "/"), "remove the user <b><bdi></bdi></b>");
    }

    #[test]
    fn bodies_are_told_without_what_is_left_out() {
        let body = json!({ "password": "…", "name": "<b>", "devices": [{ "id": "A:1" }, { "id": "A:2" }], "scopes": ["a:read"], "user": null });
        let shown = asked(&body).into_string();
        assert!(
            shown.contains("A:1, A:2") && shown.contains("&lt;b&gt;") && shown.contains("a:read"),
            "{shown}"
        );
        assert!(!shown.contains("password") && !shown.contains("user"), "{shown}");
        assert_eq!(asked(&json!([1])).into_string(), "");
    }

    #[test]
    fn words_are_of_routes_that_there_are() {
        for (route, words) in WORDS {
            let (method, path) = route.split_once(' ').unwrap();
            assert!(method != "GET" && rights::of(method, path).is_some(), "{route}");
            let names = words.split('{').skip(1).map(|rest| rest.split('}').next().unwrap());
            assert!(names.into_iter().all(|name| path.contains(&format!("{{{name}}}"))), "{route}: {words}");
        }
    }

    #[test]
    fn outcomes_are_what_entries_say() {
        assert_eq!(Outcome::of(&json!({ "phase": "done", "status": 204 })), Outcome::Status(204));
        assert_eq!(Outcome::of(&json!({ "phase": "refused" })), Outcome::Refused);
        assert_eq!(Outcome::of(&json!({ "phase": "begun" })), Outcome::Elsewhere);
        assert_eq!(Outcome::of(&json!({ "anchors": [] })), Outcome::None);
        assert!(Outcome::Status(409).shown().into_string().contains("409 Conflict"));
    }
}
