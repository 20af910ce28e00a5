//! What pages are made of.

pub mod chart;
mod field;
mod filter;
mod state;
mod typed;

use jiff::Timestamp;
use maud::{Markup, html};
use omadm_mo::Time;

pub use field::{Field, faults};
pub use filter::{field as filter_field, help as filter_help};
pub use state::{reach, state, word};
pub use typed::Typed;

use super::text;
use super::visit::Visit;

/// Most rows of a table that is not cut into pages.
pub const ROWS: usize = 200;

/// How long ago something was, with the exact time for who points at it or hears it.
pub fn age(now: Time, at: &str) -> Markup {
    let Ok(exact) = at.parse::<Timestamp>() else { return text::shown(at) };
    let exact_text = exact.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let seconds = now.0.saturating_sub(exact.as_microsecond()) / 1_000_000;
    html! { time datetime=(at) title=(exact_text) { (ago(seconds)) } }
}

/// How long ago something was that may never have been.
pub fn age_or(now: Time, at: Option<&str>, never: &str) -> Markup {
    match at {
        Some(at) => age(now, at),
        None => html! { span.quiet { (never) } },
    }
}

/// A distance in time for people: `3 min ago`, `in 2 h`.
fn ago(seconds: i64) -> String {
    let (distance, is_past) = (seconds.unsigned_abs(), seconds >= 0);
    let said = match distance {
        0..=4 if is_past => return "just now".to_owned(),
        0..=59 => format!("{distance}\u{a0}s"),
        60..=3_599 => format!("{}\u{a0}min", distance / 60),
        3_600..=172_799 => format!("{}\u{a0}h", distance / 3_600),
        _ => format!("{}\u{a0}days", distance / 86_400),
    };
    if is_past { format!("{said} ago") } else { format!("in {said}") }
}

/// A list of names and values.
pub fn facts(facts: Vec<(&str, Markup)>) -> Markup {
    html! {
        dl.facts { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
    }
}

/// A text that may not be known.
pub fn known(text: Option<&str>) -> Markup {
    match text {
        Some(text) if !text.is_empty() => text::shown(text),
        _ => html! { span.quiet { "–" } },
    }
}

/// A table that is scrolled by itself where it is too wide.
pub fn table(caption: &str, head: &[Markup], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption.hidden { (caption) }
                thead {
                    tr {
                        @for name in head {
                            // A column without a name, such as that of the actions, has no head to be read out.
                            @if name.0.is_empty() { td {} } @else { th scope="col" { (name) } }
                        }
                    }
                }
                tbody {
                    @for row in rows {
                        tr { @for cell in row { td { (cell) } } }
                    }
                }
            }
        }
    }
}

/// What an event tells: its members, shortly.
pub fn told(body: &serde_json::Value) -> Markup {
    use serde_json::Value;
    let Some(members) = body.as_object() else { return text::shown(&body.to_string()) };
    html! {
        @for (name, value) in members.iter().filter(|(_, value)| !value.is_null()).take(12) {
            span.member {
                span.quiet { (text::plain(name, 40)) " " }
                @match value {
                    Value::String(value) => (text::shown(value)),
                    value => (text::shown(&value.to_string())),
                }
            }
        }
    }
}

/// Names of columns.
pub fn head(names: &[&str]) -> Vec<Markup> {
    names.iter().map(|name| html! { (name) }).collect()
}

/// What stands in place of a table without rows.
pub fn nothing(sentence: &str) -> Markup {
    html! { p.nothing { (sentence) } }
}

/// The links between the pages of a listing: to the first, and to the next.
pub fn pager(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(first) = first { a.button href=(first) { "First page" } }
                @if let Some(next) = next { a.button href=(next) rel="next" { "Next page" } }
            }
        }
    }
}

/// A part of a page that is read again when something has happened.
pub fn live(visit: &Visit, id: &str, body: &Markup) -> Markup {
    html! {
        div id=(id) hx-get=(visit.place) hx-trigger="news from:body" hx-select={ "#" (id) } hx-swap="outerHTML" { (body) }
    }
}

/// A part of a page that is read again every two seconds, until it is drawn as something else.
pub fn polled(visit: &Visit, id: &str, body: &Markup) -> Markup {
    html! {
        div id=(id) hx-get=(visit.place) hx-trigger="every 2s" hx-select={ "#" (id) } hx-swap="outerHTML" { (body) }
    }
}

/// A form of one button.
pub fn button(visit: &Visit, action: &str, word: &str, class: &str) -> Markup {
    html! {
        form method="post" action=(action) { (visit.marks()) button class=(class) type="submit" { (word) } }
    }
}

/// A link among those to the parts of something.
pub struct Tab<'a> {
    /// What it says.
    pub name: &'a str,
    /// Where it leads.
    pub href: String,
    /// Whether this is the part that is shown.
    pub current: bool,
}

/// The links to the parts of something.
pub fn tabs(name: &str, tabs: &[Tab<'_>]) -> Markup {
    html! {
        nav.tabs aria-label=(name) {
            ul { @for tab in tabs { li { a href=(tab.href) aria-current=[tab.current.then_some("page")] { (tab.name) } } } }
        }
    }
}

/// A page that asks before something is done.
pub struct Question<'a> {
    /// What will be done.
    pub body: Markup,
    /// Where it is done.
    pub action: &'a str,
    /// What the button says.
    pub word: &'a str,
    /// Further fields.
    pub fields: Markup,
    /// Where it leads if it is not done.
    pub back: &'a str,
}

/// A question, with which a page without script does what a dialog would do.
pub fn question(visit: &Visit, question: &Question<'_>) -> Markup {
    html! {
        div.card.question {
            (question.body)
            form method="post" action=(question.action) {
                (visit.marks()) (question.fields)
                div.actions {
                    button.danger type="submit" { (question.word) }
                    a.button href=(question.back) { "Go back" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_said_as_people_say_them() {
        for (seconds, expected) in [
            (0, "just now"),
            (5, "5\u{a0}s ago"),
            (59, "59\u{a0}s ago"),
            (200, "3\u{a0}min ago"),
            (7_200, "2\u{a0}h ago"),
            (172_800, "2\u{a0}days ago"),
            (-90, "in 1\u{a0}min"),
            (-1, "in 1\u{a0}s"),
        ] {
            assert_eq!(ago(seconds), expected);
        }
    }

    #[test]
    fn an_age_tells_its_time() {
        let shown = age(Time::from_secs(180), "1970-01-01T00:00:00Z").into_string();
        assert!(shown.contains("3\u{a0}min ago") && shown.contains("1970-01-01 00:00:00 UTC"), "{shown}");
        assert_eq!(age(Time(0), "<b>").into_string(), "<bdi>&lt;b&gt;</bdi>");
    }
}
