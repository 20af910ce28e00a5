//! A session as a sequence diagram: two lines of life, and an arrow for each message.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{Message, words};
use crate::console::text;

/// Arrows that are drawn.
const SHOWN: usize = 40;
/// From one arrow to the next.
const STEP: usize = 46;
/// Where the lines of the device and of the server are.
const LINES: (usize, usize) = (90, 630);
/// Characters of a summary on an arrow.
const WORDS: usize = 64;

/// Draws messages.
pub fn draw(messages: &[Message]) -> Markup {
    let drawn = messages.len().min(SHOWN);
    let height = 60 + drawn * STEP;
    let began = messages.first().and_then(|message| message.at.parse::<Timestamp>().ok());
    let label = format!(
        "Sequence diagram of {drawn} messages between device and server; each is a link to what it says below"
    );
    html! {
        div.scroll role="region" aria-label="Sequence diagram" tabindex="0" {
            svg.sequence viewBox=(format!("0 0 720 {height}")) width="720" height=(height) role="group" aria-label=(label) {
                (end(LINES.0, "Device", height)) (end(LINES.1, "Server", height))
                @for (place, message) in messages.iter().take(SHOWN).enumerate() { (arrow(place, message, began)) }
            }
        }
        @if messages.len() > drawn { p.quiet { "The first " (drawn) " messages are drawn." } }
    }
}

fn end(x: usize, name: &str, height: usize) -> Markup {
    html! {
        rect.life x=(x - 45) y="4" width="90" height="28" rx="6" {}
        text.name x=(x) y="23" text-anchor="middle" { (name) }
        line.thread x1=(x) y1="32" x2=(x) y2=(height) {}
    }
}

fn arrow(place: usize, message: &Message, began: Option<Timestamp>) -> Markup {
    let y = 32 + (place + 1) * STEP - 12;
    let (from, to) = if message.from_device { LINES } else { (LINES.1, LINES.0) };
    let head = if message.from_device {
        format!("M{} {y} l-9 -5 v10 z", to)
    } else {
        format!("M{} {y} l9 -5 v10 z", to)
    };
    let after = message.at.parse::<Timestamp>().ok().zip(began).map(|(at, began)| {
        let millis = (at.as_microsecond() - began.as_microsecond()) / 1_000;
        format!("+{}.{:03} s", millis / 1_000, millis % 1_000)
    });
    let beside = [after.unwrap_or_default(), text::octets(message.length)].join(" · ");
    let said = words::gist(message)
        .map_or_else(|| message.summary.clone(), |gist| format!("{}: {gist}", message.summary));
    let is_refusal = message.http_status.is_some_and(|status| status >= 400);
    html! {
        a href={ "#message-" (place + 1) } {
            text.words x="360" y=(y - 7) text-anchor="middle" { (place + 1) ". " (text::plain(&said, WORDS)) }
            line class=(if is_refusal { "arrow bad" } else { "arrow" }) x1=(from) y1=(y) x2=(to) y2=(y) {}
            path class=(if is_refusal { "head bad" } else { "head" }) d=(head) {}
            text.beside x="360" y=(y + 15) text-anchor="middle" { (beside) }
        }
    }
}
