//! Events in plain words.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::data::Event;
use crate::console::text;
use crate::console::visit::path;

/// Characters of a reason that are shown.
const WHY: usize = 240;

/// The members of an event's body.
struct Body<'b>(&'b Value);

impl<'b> Body<'b> {
    /// A member that is a text; empty if it is not there.
    fn text(&self, name: &str) -> &'b str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A member that is a number or a text.
    fn some(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    fn is(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }

    /// A member in a sentence; a dash if it is not there.
    fn shown(&self, name: &str) -> Markup {
        text::shown(self.some(name).as_deref().unwrap_or("–"))
    }

    /// Who did it, if that is known.
    fn by(&self) -> Markup {
        html! { @if let Some(by) = self.some("by") { " by " (text::shown(&by)) } }
    }

    /// Why, if that is known.
    fn why(&self, name: &str) -> Markup {
        // The sentence has an end of its own.
        let why =
            self.some(name).map(|why| why.trim_end_matches('.').to_owned()).filter(|why| !why.is_empty());
        html! { @if let Some(why) = why { ": " bdi { (text::plain(&why, WHY)) } } }
    }
}

/// What an event tells, in a sentence.
pub fn told(event: &Event) -> Markup {
    let body = Body(&event.body);
    let sentence = match event.kind.as_str() {
        "alert" => alert(&body),
        "answer" => answer(&body),
        "campaign" => {
            html! { "The campaign " (link(&["campaigns", body.text("id")], body.text("name"))) ": " (body.shown("what")) (body.why("why")) }
        }
        "command" => command(&body),
        "ddf" => ddf(&body),
        "delegation" => delegation(&body),
        "device" => device(&body),
        "group" => html! { "The group " (body.shown("group")) " was " (body.shown("what")) (body.by()) },
        "notification" => notification(&body),
        "overload.began" => {
            html! { "There is too much to do: new sessions are turned away since " (body.shown("since")) }
        }
        "overload.ended" => {
            html! { "New sessions are taken again; " (body.shown("refused")) " were turned away" }
        }
        "profile.change" => profile_change(&body),
        "profile.drift" => drift(&body),
        "profile.state" => profile_state(&body),
        "report" => report(&body),
        "security" => security(&body),
        "session" => session(event, &body),
        "sessionless" => html! {
            "The command " (body.shown("verb")) " " (body.shown("address"))
            @if body.text("what") == "sent" { " was pushed to the device without a session" } @else { " could not be pushed to the device" } (body.by())
        },
        "webhook" => html! {
            "Events " (body.shown("first")) " to " (body.shown("last")) " could not be delivered to the webhook "
            (link(&["webhooks", body.text("webhook")], body.text("webhook"))) " and were given up" (body.why("problem"))
        },
        _ => return crate::console::parts::told(&event.body),
    };
    html! { (sentence) "." }
}

fn link(segments: &[&str], name: &str) -> Markup {
    html! { a href=(path(segments, &[])) { (text::shown(name)) } }
}

fn alert(body: &Body<'_>) -> Markup {
    let kind = body.text("type");
    let said = match kind.rsplit(':').next().unwrap_or_default() {
        "ClientInitiatedMgmt" => "has something to do with the server",
        "ServerInitiatedMgmt" => "comes because it was called",
        "BootstrapComplete" => "has taken its bootstrap",
        _ => "",
    };
    html! {
        "The device "
        @if said.is_empty() { "reports " (text::shown(if kind.is_empty() { "something of its own" } else { kind })) } @else { (said) }
        @if let Some(source) = body.some("source") { " from " span.mono { (text::shown(&source)) } }
        (body.why("data"))
    }
}

fn answer(body: &Body<'_>) -> Markup {
    let page = body.text("page");
    let given = body.0.get("answer");
    let consent = given.and_then(|given| given.get("consent")).and_then(Value::as_bool);
    let choice = given.and_then(|given| given.get("choice")).and_then(Value::as_str);
    html! {
        @match (consent, choice) {
            (Some(true), _) => "The user has said yes to the page ",
            (Some(false), _) => "The user has said no to the page ",
            (None, Some(choice)) => { "The user has chosen " (text::shown(choice)) " on the page " },
            (None, None) => "The user has answered the page ",
        }
        (link(&["pages", page], page))
    }
}

fn command(body: &Body<'_>) -> Markup {
    let ended = match body.text("state") {
        "done" => "was done",
        "failed" => "has failed",
        "expired" => "was not done in time",
        "cancelled" => "was cancelled",
        "quarantined" => "was given up, as the device breaks off whenever it comes",
        "superseded" => "was replaced by a newer one",
        _ => "has ended",
    };
    html! {
        "The command " a href=(path(&["commands", body.text("id")], &[])) { (body.shown("verb")) " " (body.shown("address")) } " " (ended)
        @if let Some(status) = body.some("status") { " with status " (text::plain(&status, 20)) }
        (body.why("reason"))
    }
}

fn ddf(body: &Body<'_>) -> Markup {
    html! {
        "The description of " span.mono { (body.shown("moid")) }
        @match body.text("file") {
            "" => { " could not be fetched from " (body.shown("link")) (body.why("problem")) },
            file => { " was fetched: " (link(&["ddfs", file], file)) },
        }
    }
}

fn delegation(body: &Body<'_>) -> Markup {
    html! {
        "The delegation " (link(&["delegations", body.text("id")], body.some("name").as_deref().unwrap_or(body.text("id"))))
        @if let Some(peer) = body.some("peer") { " with the server " (text::shown(&peer)) }
        ": " (body.shown("what")) (body.why("reason"))
    }
}

fn device(body: &Body<'_>) -> Markup {
    html! {
        @match body.text("what") {
            "enrolled" => "The device was enrolled",
            "removed" => "The device was removed",
            "annotated" => "Name, note or labels of the device were changed",
            "bootstrap made" => "A bootstrap was made for the device",
            "bootstrap sent" => "A bootstrap was sent to the device",
            "bootstrap not sent" => "A bootstrap could not be sent to the device",
            "bootstrap fetched" => "The device has fetched its bootstrap",
            "bootstrap revoked" | "revoked" => "The bootstrap of the device was taken back",
            what => { "The device: " (text::shown(what)) },
        }
        @if let Some(to) = body.some("to") { " to " (text::shown(&to)) }
        @if body.is("import") { " by an import" }
        (body.by()) (body.why("reason"))
    }
}

fn notification(body: &Body<'_>) -> Markup {
    html! {
        @match body.text("what") {
            "sent" => { "The device was called" @if let Some(via) = body.some("via") { " by " (text::shown(&via)) } },
            "answered" => { "The device came because it was called, in session " (body.shown("session")) },
            "failed" => { "The device could not be called" (body.why("reason")) },
            "gave up" => { "The device did not come after " (body.shown("attempts")) " calls, and is not called any more" },
            "result" => { "The push proxy says of a call: " (body.shown("state")) },
            what => { "A call of the device: " (text::shown(what)) (body.why("reason")) },
        }
    }
}

fn profile(body: &Body<'_>) -> Markup {
    html! {
        (link(&["profiles", body.text("profile")], body.text("profile")))
        @if let Some(version) = body.some("version") { " (version " (text::shown(&version)) ")" }
    }
}

fn profile_change(body: &Body<'_>) -> Markup {
    html! {
        "The profile " (profile(body)) " was " (body.shown("what"))
        @if let Some(group) = body.some("group") { " for the group " (text::shown(&group)) }
        (body.by())
    }
}

fn profile_state(body: &Body<'_>) -> Markup {
    html! {
        @match body.text("state") {
            "converged" => { "The device is as the profile " (profile(body)) " wants it" },
            "pending" | "applying" => { "The device is being brought to what the profile " (profile(body)) " wants" },
            "drifted" => { "The device has moved away from what the profile " (profile(body)) " wants" },
            "failed" => { "The profile " (profile(body)) " cannot be brought about on the device" },
            state => { "The profile " (profile(body)) " is " (text::shown(state)) " on the device" },
        }
        (body.why("reason"))
    }
}

fn drift(body: &Body<'_>) -> Markup {
    html! {
        span.mono { (body.shown("what")) } " is " (body.shown("seen")) " where the profile " (profile(body)) " wants " (body.shown("wanted"))
        @if body.is("by_hand") { "; somebody here has changed it" }
        @if body.is("repaired") { "; it is brought back" }
    }
}

fn report(body: &Body<'_>) -> Markup {
    let gone = body.0.get("gone").and_then(Value::as_array).map_or(0, Vec::len);
    let nodes = body.0.get("nodes").and_then(Value::as_array).map(Vec::len);
    html! {
        "The device reports a change below " span.mono { (body.shown("address")) }
        @if let Some(nodes) = nodes.filter(|nodes| *nodes > 0) { ": " (text::number(nodes)) @if nodes == 1 { " node" } @else { " nodes" } }
        @if gone > 0 { "; " (text::number(gone)) " are gone" }
    }
}

fn security(body: &Body<'_>) -> Markup {
    html! {
        @match body.text("what") {
            "too many failed logins" => "Too many logins have failed",
            "foreign DevID" => { "A device has called itself " (body.shown("named")) ", which is not what it proved to be" },
            "turned away" => "A device was turned away",
            "delegation refused" => "What another server asked was refused",
            what => (text::shown(if what.is_empty() { "Somebody could not prove who they are" } else { what })),
        }
        @if let Some(user) = body.some("user") { " as " (text::shown(&user)) }
        @if let Some(peer) = body.some("peer") { " from " (text::shown(&peer)) }
        (body.why("reason"))
    }
}

fn session(event: &Event, body: &Body<'_>) -> Markup {
    let number = body.some("session").unwrap_or_default();
    let name = format!("Session {number}");
    html! {
        @match &event.device {
            Some(device) => (link(&["devices", device, "sessions", &number], &name)),
            None => (text::shown(&name)),
        }
        @match body.text("outcome") {
            "open" | "began" => " has begun",
            "ended" | "done" | "completed" => " has ended well",
            "replaced" => " was broken off: the device has begun another",
            "to be aborted" => " is to be aborted",
            "aborted" => " was aborted",
            "broken off" => " was broken off",
            outcome => { ": " (text::shown(outcome)) },
        }
        (body.by()) (body.why("reason"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::events::KINDS;

    fn said(kind: &str, device: Option<&str>, body: Value) -> String {
        let event =
            Event { at: String::new(), device: device.map(str::to_owned), kind: kind.to_owned(), body };
        told(&event).into_string()
    }

    /// Without markup.
    fn plain(html: &str) -> String {
        let mut plain = String::new();
        for piece in html.split('<') {
            plain.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
        }
        plain
    }

    #[test]
    fn events_are_told_in_sentences() {
        let command = json!({ "id": "7", "verb": "get", "address": "./A", "state": "failed", "status": 404, "reason": "There is no such node" });
        assert_eq!(
            plain(&said("command", None, command)),
            "The command get ./A has failed with status 404: There is no such node."
        );
        let answer = json!({ "page": "update", "command": "7", "answer": { "consent": false } });
        assert_eq!(plain(&said("answer", None, answer)), "The user has said no to the page update.");
        let session = json!({ "session": 3, "outcome": "replaced", "reason": null });
        let told = said("session", Some("IMEI:1"), session);
        assert!(told.contains(r#"href="/devices/IMEI%3A1/sessions/3""#), "{told}");
        let drift = json!({ "profile": "p", "version": 2, "what": "./A", "wanted": 1, "seen": "x", "by_hand": true, "repaired": true });
        assert_eq!(
            plain(&said("profile.drift", None, drift)),
            "./A is x where the profile p (version 2) wants 1; somebody here has changed it; it is brought back."
        );
    }

    #[test]
    fn every_kind_has_a_sentence_and_nothing_in_it_is_markup() {
        let hostile = "<script>\u{202e}";
        for kind in KINDS {
            let names = [
                "what", "id", "name", "verb", "address", "state", "reason", "moid", "link", "file", "peer",
                "by", "to", "group", "via", "profile", "page", "user", "session", "outcome", "webhook",
                "problem", "type", "source", "data", "seen", "wanted",
            ];
            let body: Value = names
                .iter()
                .map(|name| ((*name).to_owned(), json!(hostile)))
                .collect::<serde_json::Map<_, _>>()
                .into();
            for body in [body, json!({}), json!(null), json!([1])] {
                let told = said(kind.name, Some(hostile), body);
                assert!(
                    told.ends_with('.') && !told.contains("<script") && !told.contains('\u{202e}'),
                    "{}: {told}",
                    kind.name
                );
            }
        }
    }
}
