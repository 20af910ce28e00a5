//! Words for states, each with its colour and a sign, so that nobody has to see colours.

use maud::{Markup, html};

use crate::console::text;

/// What a state means for who looks at it.
#[derive(Clone, Copy)]
enum Mood {
    Good,
    Busy,
    Idle,
    Warn,
    Bad,
}

impl Mood {
    /// Of a state of anything.
    fn of(state: &str) -> Self {
        match state {
            "done" | "active" | "known" | "ended" | "converged" | "completed" | "ok" | "over" | "seen"
            | "checked" => Self::Good,
            "queued" | "sent" | "open" | "running" | "pending" | "scheduled" | "applying" | "fetched"
            | "requested" | "approved" | "revoking" | "reading" | "checking" | "writing" => Self::Busy,
            "unanswered" | "expired" | "drifted" | "paused" | "holding" | "retry" | "quarantined"
            | "broken off" | "partial" => Self::Warn,
            "failed" | "revoked" | "refused" | "stopped" | "blocked" | "bad" | "rejected" => Self::Bad,
            _ => Self::Idle,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Good => "badge good",
            Self::Busy => "badge busy",
            Self::Idle => "badge idle",
            Self::Warn => "badge warn",
            Self::Bad => "badge bad",
        }
    }
}

/// A state as a badge.
pub fn state(state: &str) -> Markup {
    html! { span class=(Mood::of(state).class()) { (text::plain(state, 40)) } }
}

/// A word as a badge without a mood.
pub fn word(word: &str) -> Markup {
    html! { span.badge.idle { (text::plain(word, 60)) } }
}

/// Whether a device can be called, in words.
pub fn reach(reach: &str) -> Markup {
    let said = match reach {
        "known" => "can be called",
        "none" => "no way known",
        "unanswered" => "called, no answer",
        other => other,
    };
    html! { span class=(Mood::of(reach).class()) { (text::plain(said, 40)) } }
}
