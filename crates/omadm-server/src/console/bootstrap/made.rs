//! What the wizard ends with: a file, a picture, or that it was sent. Secrets are shown once, and are in no address that leads to this server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use serde_json::Value;
use zeroize::Zeroizing;

use super::answers::{Answers, Kind, Offer, Step, Way};
use super::archive::{self, Member};
use super::picture;
use crate::bootstrap_file;
use crate::console::frame::Page;
use crate::console::visit::{Visit, path};
use crate::console::{parts, text};

/// A file that is in the page itself.
fn link(content: &[u8], name: &str, words: &str, class: &str) -> Markup {
    let mut href = Zeroizing::new("data:application/octet-stream;base64,".to_owned());
    STANDARD.encode_string(content, &mut href);
    html! { a class=(class) href=(*href) download=(name) { (words) } }
}

/// The name of the file of a device.
fn file_name(answers: &Answers, id: &str) -> String {
    let kind = answers.kind.map_or("", Kind::as_str);
    format!("{}.{}", path(&[id], &[]).trim_start_matches('/'), bootstrap_file::extension(kind))
}

/// What has come of a request.
pub fn page(answers: &Answers, answer: &Value) -> Page {
    let (title, body) = match answer.get("items").and_then(Value::as_array) {
        Some(items) => (format!("{} bootstraps are made", items.len()), many(answers, items)),
        None => one(answers, answer),
    };
    let body = html! {
        p.warning { "What stands here is shown this once, and is kept nowhere: it holds secrets. Take what you need before you leave the page, and keep it as you keep a key." }
        (body)
        div.card {
            h2 { "What is next" }
            p { (next(answers)) }
            div.actions {
                a.button href=(answers.href(Step::Which)) { "Make another" }
                a.button href="/bootstraps" { "All bootstraps" }
            }
        }
        (authority(answer))
    };
    Page::new(title, body).below(html! { a href="/bootstraps" { "Bootstraps" } }).secret()
}

fn next(answers: &Answers) -> &'static str {
    match answers.way {
        Some(Way::Send) => {
            "The device begins a session when it has taken it. Until then the list of bootstraps shows it as sent."
        }
        Some(Way::Picture) => {
            "Scan the picture with the device, or with what sets it up: the agent of omadm takes its text as it takes a file."
        }
        _ => {
            "Put the file onto the device: the agent of omadm takes it by “omadm-agent bootstrap FILE”, and “omadm bootstrap card FILE” puts it onto a smartcard."
        }
    }
}

fn one(answers: &Answers, answer: &Value) -> (String, Markup) {
    let id = answer.pointer("/device/id").and_then(Value::as_str).unwrap_or_default();
    let sent = answers.way == Some(Way::Send);
    let said = answer.pointer("/dm1/sent").and_then(Value::as_str);
    let content = bootstrap_file::content(answer).ok();
    let body = html! {
        div.card {
            p {
                a href=(path(&["bootstraps", id], &[])) { (text::shown(id)) } " is enrolled. "
                @match (sent, said) {
                    (true, Some(said)) => { "Its bootstrap is sent: " (text::shown(said)) "." },
                    (true, None) => "Its bootstrap was sent, and the device has taken it.",
                    (false, _) => {},
                }
            }
            @if let Some(pin) = bootstrap_file::pin(answer) {
                (parts::facts(vec![("What its user has to type", html! { code.pin { (pin) } })]))
            }
            @if let Some(content) = &content {
                @if answers.way == Some(Way::Picture) {
                    @match bootstrap_file::qr(content) {
                        Ok(code) => (picture::of(&code, &format!("QR code with the bootstrap of {}", text::plain(id, text::SHORT)))),
                        Err(reason) => p.problem { (reason) ". Take the file." },
                    }
                }
                div.actions { (link(content, &file_name(answers, id), "Download the file", "button main")) }
            }
        }
    };
    let title = if sent {
        format!("The bootstrap of {id} is sent")
    } else {
        format!("The bootstrap of {id} is made")
    };
    (title, body)
}

fn many(answers: &Answers, items: &[Value]) -> Markup {
    let id = |item: &Value| item.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let contents: Vec<_> =
        items.iter().filter_map(|item| Some((id(item), bootstrap_file::content(item).ok()?))).collect();
    let members: Vec<_> =
        contents.iter().map(|(id, content)| Member { name: file_name(answers, id), content }).collect();
    let archive = archive::of(&members).map(Zeroizing::new);
    let has_pins = items.iter().any(|item| bootstrap_file::pin(item).is_some());
    let row = |item: &Value| {
        let id = id(item);
        let mut row = vec![html! { a href=(path(&["bootstraps", &id], &[])) { (text::shown(&id)) } }];
        if has_pins {
            row.push(html! { code.pin { (bootstrap_file::pin(item).unwrap_or_default()) } });
        }
        row
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    let head: &[&str] = if has_pins { &["Device", "What its user has to type"] } else { &["Device"] };
    html! {
        div.card {
            p { "The archive has a file for each device, named after it." }
            @if let Some(archive) = &archive { div.actions { (link(archive, "bootstraps.zip", "Download all of them", "button main")) } }
        }
        div.card { (parts::table("Devices", &parts::head(head), &rows)) }
    }
}

/// The authority that devices have to trust.
fn authority(answer: &Value) -> Markup {
    html! {
        @if let Some(authority) = answer.get("ca_pem").and_then(Value::as_str) {
            div.card {
                h2 { "The authority of this server" }
                p { "The devices have to trust it for TLS. It is no secret, and the same for all." }
                div.actions { (link(authority.as_bytes(), "ca.pem", "Download the certificate", "button")) }
            }
        }
    }
}

/// What devices need that fetch their bootstraps themselves.
pub fn fetched(visit: &Visit, offer: &Offer) -> Page {
    let code = bootstrap_file::qr_of(&offer.fetched_at);
    let body = html! {
        div.card {
            p { "Nothing has to be made: devices fetch their bootstraps here. They have to be enrolled, and to prove who they are by a certificate, a key of TLS (PSK), or user name and password." }
            (parts::facts(vec![("Address", html! { code { (offer.fetched_at) } })]))
            @if let Ok(code) = code { (picture::of(&code, "QR code with the address")) }
            div.actions {
                @if visit.may("POST", "/devices") { a.button.main href="/devices/enrol" { "Enrol a device" } }
                a.button href="/bootstraps" { "All bootstraps" }
            }
        }
    };
    Page::new("Devices fetch their bootstraps", body).below(html! { a href="/bootstraps" { "Bootstraps" } })
}
