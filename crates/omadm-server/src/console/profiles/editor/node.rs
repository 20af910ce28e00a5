//! What the DDF files say about an address, while it is typed.

use axum::extract::Query;
use maud::{Markup, html};

use crate::console::device::described::{self, Found};
use crate::console::device::node::{allowed, in_words};
use crate::console::failure::Failure;
use crate::console::frame::Part;
use crate::console::text;
use crate::console::visit::Visit;

/// Says what is known of the address in the one field that asks.
pub async fn show(visit: Visit, Query(fields): Query<Vec<(String, String)>>) -> Result<Part, Failure> {
    let address = fields.first().map_or("", |(_, value)| value.trim());
    let found = described::anywhere(&visit, address).await?;
    Ok(Part(html! { @if let Some(found) = found { (said(&found)) } }))
}

fn said(found: &Found) -> Markup {
    let Some(node) = &found.node else {
        return html! { p.quiet { "The DDF file " (text::shown(&found.file)) " describes no such node." } };
    };
    html! {
        p.quiet {
            @if let Some(title) = &node.title { b { (text::shown(title)) } ": " }
            (in_words(&node.format)) "; may be " (text::plain(&allowed(&node.access), text::SHORT)) "."
            @if let Some(description) = &node.description { " " (text::plain(description, 300)) }
        }
    }
}
