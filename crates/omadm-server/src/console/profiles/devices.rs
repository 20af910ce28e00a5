//! The devices that a profile applies to, by how far they are, and another attempt at what has failed.

use axum::extract::{Path, Query};
use axum::response::Response;
use http::Method;
use maud::{Markup, html};
use serde_json::Value;

use super::data::Standing;
use super::{href, page};
use crate::console::data::{InState, Listed};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{notice, parts, text};

/// Devices on a page.
const SHOWN: &str = "50";
/// Devices that one press of the button has try again.
const RETRIED: &str = "500";
/// The states there are, each with what it is called here.
const STATES: [(&str, &str); 5] = [
    ("", "all"),
    ("failed", "failed"),
    ("drifted", "drifted"),
    ("pending", "pending"),
    ("converged", "converged"),
];

/// Shows devices.
pub async fn show(
    visit: Visit,
    Path(name): Path<String>,
    Query(wanted): Query<InState>,
) -> Result<Page, Failure> {
    let query = [("state", wanted.state.as_str()), ("after", wanted.after.as_str()), ("limit", SHOWN)];
    let found: Listed<Standing> = visit.read(&path(&["profiles", &name, "devices"], &query)).await?;
    let of_state = |state: &str| href(&name, "devices", &[("state", state)]);
    let first = (!wanted.after.is_empty()).then(|| of_state(&wanted.state));
    let next = found
        .next
        .as_ref()
        .map(|next| href(&name, "devices", &[("state", wanted.state.as_str()), ("after", next)]));
    let body = html! {
        div.card {
            nav.chips aria-label="States" {
                @for (state, word) in STATES {
                    a.chip href=(of_state(state)) aria-current=[(state == wanted.state).then_some("true")] { (word) }
                }
            }
            @if found.items.is_empty() { (parts::nothing("No device is in this state.")) } @else { (table(&visit, &name, &found.items)) }
            (parts::pager(first.as_deref(), next.as_deref()))
        }
    };
    let may_retry = wanted.state == "failed" && !found.items.is_empty();
    let retry = html! {
        @if may_retry && visit.may("POST", "/profiles/{name}/retry") {
            (parts::button(&visit, &href(&name, "retry", &[]), "Try again where it has failed", ""))
        }
    };
    Ok(page(&visit, &name, "devices", &html! { (parts::live(&visit, "devices", &body)) (retry) }))
}

fn table(visit: &Visit, name: &str, devices: &[Standing]) -> Markup {
    let may_retry = visit.may("POST", "/devices/{id}/profiles/{name}/retry");
    let row = |one: &Standing| {
        vec![
            html! { a href=(path(&["devices", &one.device, "profiles"], &[])) { (text::shown(&one.device)) } },
            parts::state(&one.state),
            html! { div.why { @match &one.reason { Some(reason) => (text::shown_long(reason)), None => (parts::known(None)) } } },
            html! { span.number { (one.version) } },
            parts::age(visit.now, &one.since),
            html! { @if may_retry && one.state != "converged" { (again(visit, name, &one.device)) } },
        ]
    };
    let rows: Vec<_> = devices.iter().map(row).collect();
    parts::table("Devices", &parts::head(&["Device", "State", "Why", "Version", "Since", "Action"]), &rows)
}

fn again(visit: &Visit, name: &str, device: &str) -> Markup {
    html! {
        form method="post" action=(href(name, "retry", &[])) {
            (visit.marks())
            input type="hidden" name="device" value=(device);
            input type="hidden" name="back" value=(visit.place);
            button.small type="submit" aria-label={ "Try again on " (text::plain(device, text::SHORT)) } { "Try again" }
        }
    }
}

/// Has one device try again, or those on which the profile has failed.
pub async fn retry(visit: Visit, Path(name): Path<String>, form: Form) -> Result<Response, Failure> {
    if let Some(device) = form.filled("device") {
        visit.act(Method::POST, &path(&["devices", device, "profiles", &name, "retry"], &[]), None).await?;
        let listing = href(&name, "devices", &[]);
        let back = form.get("back").filter(|back| is_of(back, &listing)).unwrap_or(&listing);
        return Ok(notice::redirect(
            back,
            &format!("{device} tries again, and is called if there is a way to it."),
        ));
    }
    let tried =
        visit.act(Method::POST, &path(&["profiles", &name, "retry"], &[("limit", RETRIED)]), None).await?;
    let devices = tried.get("devices").and_then(Value::as_u64).unwrap_or(0);
    let more = tried.get("next").is_some_and(|next| !next.is_null());
    let said = match (devices, more) {
        (1, false) => "1 device tries again.".to_owned(),
        (devices, false) => format!("{} devices try again.", text::number(devices)),
        (devices, true) => {
            format!(
                "{} devices try again. There are more: press the button again for these.",
                text::number(devices)
            )
        }
    };
    Ok(notice::redirect(&href(&name, "devices", &[]), &said))
}

/// Whether an address is of a listing: it alone, or with a query.
fn is_of(address: &str, listing: &str) -> bool {
    address.strip_prefix(listing).is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_within_the_listing() {
        let listing = "/profiles/a/devices";
        for good in [listing, "/profiles/a/devices?state=failed&after=x"] {
            assert!(is_of(good, listing), "{good}");
        }
        for bad in ["", "/", "//evil.example", "/profiles/a/devices/../../x", "https://evil.example"] {
            assert!(!is_of(bad, listing), "{bad}");
        }
    }
}
