//! The kinds of events there are, and events that more than one part of the server writes.

use omadm_store::{Command, CommandState, NewEvent};
use serde_json::json;

/// A kind of events.
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What it tells, and what its body holds.
    pub about: &'static str,
}

const fn kind(name: &'static str, about: &'static str) -> Kind {
    Kind { name, about }
}

/// All of them, by name. Whoever writes events of a new kind adds it here and to `docs/src/events.md`.
pub const KINDS: &[Kind] = &[
    kind(
        "alert",
        "A device reports something by itself: the alert as it came, such as `type`, `source`, `mark`, `data`, and `session`.",
    ),
    kind("answer", "A user has answered a page: `command`, `page`, `answer`."),
    kind("campaign", "A campaign goes on: `id`, `name`, `what`, `state`, `why`."),
    kind("command", "A command has ended: `id`, `seq`, `verb`, `address`, `state`, `status`, `reason`."),
    kind(
        "ddf",
        "A DDF file that a device links to was fetched, or not: `what`, `moid`, `link`, `file` or `problem`.",
    ),
    kind("delegation", "A delegation between servers goes on: `what`, and what belongs to it."),
    kind("device", "A device was enrolled, removed, bootstrapped or annotated: `what`, `by`."),
    kind("group", "A group was made, changed or removed: `group`, `what`, `by`."),
    kind("notification", "A notification went out, failed, or was answered: `what`, and what belongs to it."),
    kind("overload.began", "New sessions are turned away: `since`, `refused`."),
    kind("overload.ended", "New sessions are taken again: `since`, `refused`."),
    kind(
        "profile.change",
        "A profile was made, changed, assigned or removed: `profile`, `what`, `by`, and what belongs to it.",
    ),
    kind(
        "profile.drift",
        "A device has another value than its profile wants: `profile`, `version`, `what`, `wanted`, `seen`, `by_hand`, `repaired`.",
    ),
    kind("profile.state", "A profile stands otherwise on a device: `profile`, `version`, `state`, `reason`."),
    kind(
        "report",
        "A device reports a change below a subscribed address: `subscription`, `address`, `nodes`, `gone`.",
    ),
    kind(
        "security",
        "Somebody could not prove who they are, or was refused: `what`, `user`, `peer`, and what is known of it.",
    ),
    kind("session", "A session began or ended: `session`, `outcome`."),
    kind("sessionless", "A command was pushed without a session: `verb`, `address`, `via`, `by`."),
    kind("webhook", "Deliveries of a webhook were given up: `webhook`, `what`, `first`, `last`, `problem`."),
];

/// Whether there is a kind of this name.
pub fn is_kind(name: &str) -> bool {
    KINDS.iter().any(|kind| kind.name == name)
}

/// That a command has come to its end.
pub fn end_of(command: &Command, state: CommandState, status: Option<u16>, reason: Option<&str>) -> NewEvent {
    let Command { id, seq, verb, address, .. } = command;
    let body = json!({
        "id": id, "seq": seq, "verb": verb, "address": address, "state": state, "status": status, "reason": reason,
    });
    NewEvent { device: Some(command.device.clone()), kind: "command".into(), body: body.to_string() }
}

/// That a command has ended as it stands.
pub fn ended(command: &Command) -> NewEvent {
    end_of(command, command.state, command.status, command.reason.as_deref())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn kinds_are_listed_once_and_in_the_documentation() {
        assert!(KINDS.is_sorted_by(|one, next| one.name < next.name));
        let page = std::fs::read_to_string(root().join("../../docs/src/events.md")).unwrap();
        for kind in KINDS {
            let line = format!("| `{}` | {} |", kind.name, kind.about);
            assert!(page.contains(&line), "docs/src/events.md lacks {line}");
        }
    }

    fn root() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
    }

    fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// Every kind that stands in the sources as a word where an event is made.
    #[test]
    fn no_event_is_of_another_kind() {
        let mut files = Vec::new();
        sources(&root().join("src"), &mut files);
        let mut written = 0;
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for made in text.split("NewEvent {").skip(1) {
                let Some((_, rest)) = made.split_once("kind: \"").filter(|(before, _)| before.len() < 200)
                else {
                    continue;
                };
                let name = rest.split('"').next().unwrap();
                assert!(is_kind(name), "{}: the kind {name:?} is not in KINDS of events.rs", file.display());
                written += 1;
            }
        }
        assert!(written > 10, "{written} events are made with a kind as a word");
    }
}
