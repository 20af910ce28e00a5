//! The questions of the wizard, one step after the other.

use axum::extract::Query;
use maud::{Markup, html};

use super::answers::{Answers, Kind, Offer, Step, Way};
use super::{details, made};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::visit::Visit;

/// An answer that can be chosen.
struct Choice<'a> {
    value: &'a str,
    title: &'a str,
    about: &'a str,
}

const fn choice<'a>(value: &'a str, title: &'a str, about: &'a str) -> Choice<'a> {
    Choice { value, title, about }
}

/// Asks the next question.
pub async fn ask(visit: Visit, Query(fields): Query<Vec<(String, String)>>) -> Result<Page, Failure> {
    let offer = offer(&visit).await?;
    let form = Form(fields);
    let answers = Answers::of(&form);
    Ok(match answers.step() {
        Step::What => step(&answers, Step::What, &what(&offer)),
        Step::How => step(&answers, Step::How, &how(&offer, &answers)),
        Step::Secured => step(&answers, Step::Secured, &secured(&offer, &answers)),
        Step::Which if answers.way == Some(Way::Fetch) && is_fetched(&offer, &answers) => {
            made::fetched(&visit, &offer)
        }
        Step::Which if answers.way == Some(Way::Fetch) => step(&answers, Step::How, &how(&offer, &answers)),
        Step::Which => details::page(&visit, &offer, &answers, &form, None),
    })
}

/// What this server can offer, to who may make bootstraps.
///
/// # Errors
/// 403 for others.
pub async fn offer(visit: &Visit) -> Result<Offer, Failure> {
    visit.must("POST", "/bootstrap")?;
    visit.read("/bootstrap/terms").await
}

/// A page with one question.
fn step(answers: &Answers, at: Step, question: &Markup) -> Page {
    let body = html! {
        (steps(answers, at))
        div.card {
            form.stack method="get" action="/bootstraps/new" {
                @for (name, value) in answers.before(at) { input type="hidden" name=(name) value=(value); }
                (question)
                div.actions { button.main type="submit" { "Next" } }
            }
        }
    };
    Page::new("New bootstrap", body).below(html! { a href="/bootstraps" { "Bootstraps" } })
}

/// Where in the wizard this is; what was answered can be answered anew.
pub fn steps(answers: &Answers, at: Step) -> Markup {
    let has_security = answers.kind != Some(Kind::Dm2) && answers.way != Some(Way::Fetch);
    let all = [
        (Step::What, "What devices?"),
        (Step::How, "How does it reach them?"),
        (Step::Secured, "How is it secured?"),
        (Step::Which, "Which devices?"),
    ];
    html! {
        nav aria-label="Steps" {
            ol.steps {
                @for (step, name) in all.into_iter().filter(|(step, _)| *step != Step::Secured || has_security) {
                    li aria-current=[(step == at).then_some("step")] {
                        @if step < at { a href=(answers.href(step)) { (name) } } @else { (name) }
                    }
                }
            }
        }
    }
}

/// Answers of which one is chosen.
fn choices(name: &str, legend: &str, choices: &[Choice<'_>], chosen: Option<&str>) -> Markup {
    html! {
        fieldset {
            legend { (legend) }
            @for choice in choices {
                label.option {
                    input type="radio" name=(name) value=(choice.value) required checked[chosen == Some(choice.value)];
                    span { b { (choice.title) } span.quiet { (choice.about) } }
                }
            }
        }
    }
}

fn what(offer: &Offer) -> Markup {
    let mut kinds = vec![choice(
        "dm2",
        "OMA DM 2.0",
        "Devices that talk JSON over HTTPS. The bootstrap is a JSON document with the account of this server.",
    )];
    if offer.dm1.is_some() {
        kinds.push(choice(
            "cp",
            "OMA DM 1.1, 1.2 or 1.3: a provisioning document",
            "What nearly every phone of the last twenty years reads (“OTA settings”).",
        ));
        kinds.push(choice(
            "dm",
            "OMA DM 1.2 or 1.3: a DM message",
            "For devices that follow the standard closely. It can also say what this server may do at first.",
        ));
    }
    let number = [
        choice("false", "One", "A device that you have at hand, or can send something to."),
        choice("true", "A batch", "Devices that leave the factory, or the store room, together."),
    ];
    html! {
        p { "A bootstrap tells a device where this server is, and brings the secrets by which they know each other. Each device has its own." }
        (choices("kind", "Which protocol do they speak?", &kinds, Some("dm2")))
        (choices("many", "How many are they?", &number, Some("false")))
    }
}

/// Whether devices of that kind can fetch their bootstraps here.
fn is_fetched(offer: &Offer, answers: &Answers) -> bool {
    match answers.kind {
        Some(Kind::Dm2) => offer.dm2_fetched,
        Some(Kind::Dm) => offer.dm1_fetched,
        Some(Kind::Cp) | None => false,
    }
}

fn how(offer: &Offer, answers: &Answers) -> Markup {
    let mut ways = vec![choice(
        "file",
        "As a file",
        "You download it and put it onto the device: in the factory, over a cable, or on a smartcard.",
    )];
    if answers.many == Some(false) {
        ways.push(choice(
            "qr",
            "As a QR picture",
            "The device, or who installs it, scans the picture from this screen or from paper.",
        ));
        ways.push(choice(
            "send",
            "It is sent",
            "This server sends it to an https address where the device waits for it, or pushes it by SMS, UDP, SIP or a gateway.",
        ));
    }
    if is_fetched(offer, answers) {
        ways.push(choice(
            "fetch",
            "The device fetches it",
            "It comes to this server with a certificate, a key or a password that it has already, and asks for its bootstrap.",
        ));
    }
    choices("way", "How does it reach them?", &ways, Some("file"))
}

fn secured(offer: &Offer, answers: &Answers) -> Markup {
    let names = offer.dm1.as_ref().map(|dm1| if answers.kind == Some(Kind::Cp) { &dm1.cp } else { &dm1.dm });
    let mut methods = vec![choice(
        "none",
        "Not at all",
        "For a file that stays in your hands until it is on the device, and for an https address.",
    )];
    methods.extend(names.into_iter().flatten().map(|name| choice(name, name, about(name))));
    let chosen = if answers.way == Some(Way::Send) { None } else { Some("none") };
    html! {
        p { "On its way somebody could read or change it. So the device has to see that it comes from you: by a code (MAC) made with something that you both know, and nobody on the way does." }
        (choices("sec", "How is it secured?", &methods, chosen))
    }
}

/// What secures a bootstrap of DM 1.x (`DM 1.3 SEC §5.10.2`).
fn about(sec: &str) -> &'static str {
    match sec {
        "NETWPIN" | "NETWORKID" => {
            "By what the mobile network knows of the device: its IMSI, or another shared secret. Nobody has to type anything, but who has seen the card's traffic may know the IMSI."
        }
        "USERPIN" => {
            "By a PIN that the user types, and gets from you by another way, such as a letter or a call."
        }
        "USERNETWPIN" | "USERPIN_NETWORKID" => {
            "By both: a PIN that the user types, and what the mobile network knows."
        }
        "USERPINMAC" => {
            "By digits that the user types and that vouch for the document; the message has no code of its own."
        }
        "3GPP_GBA" => {
            "By keys of GBA Push that your network has agreed with the device; the message is ciphered, too."
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use omadm_auth::bootstrap::{Method, Profile};

    use super::*;

    #[test]
    fn every_way_to_secure_one_is_explained() {
        for profile in [Profile::Cp, Profile::Dm] {
            for name in Method::ALL.iter().filter_map(|method| method.name(profile)) {
                assert!(!about(name).is_empty(), "{name}");
            }
        }
    }
}
