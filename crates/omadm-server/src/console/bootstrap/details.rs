//! The last step of the wizard: which devices, and what the bootstrap says; then it is made.

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::answers::{Answers, Dm1Offer, Kind, Offer, Step, Way};
use super::{made, questions};
use crate::console::failure::Failure;
use crate::console::form::Form;
use crate::console::frame::Page;
use crate::console::parts::{Field, Typed};
use crate::console::visit::Visit;
use crate::operator::problem::Problem;

/// Most devices of one batch here: their bootstraps are all in the page that follows.
const MAX_BATCH: usize = 200;
/// What refusals say of fields.
const WORDS: &[(&str, &str)] = &[
    ("already enrolled", "replace"),
    ("was not taken at", "to"),
    ("push", "to"),
    ("device id", "id"),
    ("label", "label"),
    ("network_secret_base64", "network_secret_base64"),
    ("IMSI", "imsi"),
    ("PIN", "pin"),
    ("gba", "transaction"),
    ("moids", "moids"),
    ("acl", "acl"),
    ("apn", "apn"),
    ("dm1.schemes", "scheme"),
    ("version", "version"),
];

/// The page of the last step.
pub fn page(visit: &Visit, offer: &Offer, answers: &Answers, form: &Form, problem: Option<&Problem>) -> Page {
    let is_batch = answers.many == Some(true);
    let words: Vec<_> = WORDS
        .iter()
        .map(|(word, field)| (*word, if is_batch && *field == "id" { "ids" } else { *field }))
        .collect();
    let typed = Typed::new(form, problem, &words);
    let body = html! {
        (questions::steps(answers, Step::Which))
        (typed.refusal())
        div.card {
            form.stack method="post" action="/bootstraps/new" {
                (visit.marks())
                @for (name, value) in answers.before(Step::Which).into_iter().filter(|(name, _)| *name != "id") {
                    input type="hidden" name=(name) value=(value);
                }
                (devices(answers, &typed))
                (secrets(answers, &typed))
                details open[problem.is_some()] {
                    summary { "More" }
                    (more(offer, answers, &typed))
                }
                div.actions { button.main type="submit" { (word(answers)) } }
            }
        }
    };
    Page::new("New bootstrap", body).below(html! { a href="/bootstraps" { "Bootstraps" } })
}

fn word(answers: &Answers) -> &'static str {
    match (answers.way, answers.many) {
        (Some(Way::Send), _) => "Make it and send it",
        (_, Some(true)) => "Make them",
        _ => "Make it",
    }
}

/// Which devices, and where they are.
fn devices(answers: &Answers, typed: &Typed<'_>) -> Markup {
    let listed = match answers.needs_network() {
        true => "One device on each line: its identifier, and after a blank the IMSI of its card.",
        false => "One device on each line, by its identifier.",
    };
    html! {
        @if answers.many == Some(true) {
            @let field = typed.exact("ids", "Devices", listed);
            (Field { example: "IMEI:493005100592800", is_required: true, ..field }.area(8))
        } @else {
            @let field = typed.exact("id", "Device id", "What the device calls itself (DevID), such as IMEI: or UUID: and its number.");
            (Field { example: "IMEI:493005100592800", is_first: true, is_required: true, ..field }.line())
            (typed.field("label", "Name", "What people call it. It may stay empty.").line())
        }
        @if answers.way == Some(Way::Send) {
            @let hint = "An https address where the device waits for it; if it is secured also sms:NUMBER, udp:HOST:PORT, sip:USER@HOST, http:HOST or ppg:NUMBER.";
            (Field { example: "sms:+46708251358", is_required: true, ..typed.exact("to", "Where it is sent", hint) }.line())
        }
    }
}

/// What secures it.
fn secrets(answers: &Answers, typed: &Typed<'_>) -> Markup {
    let is_one = answers.many == Some(false);
    html! {
        @if answers.needs_pin() && is_one {
            (typed.exact("pin", "PIN", "4 to 32 digits that the user types. If it stays empty, one is made and shown to you once.").line())
        }
        @if answers.needs_network() && is_one {
            (typed.exact("imsi", "IMSI", "Of the card in the device, 6 to 15 digits.").line())
            (typed.exact("network_secret_base64", "Or another secret of the network", "In base64; in place of the IMSI.").line())
        }
        @if answers.takes_gba() && is_one {
            (typed.exact("transaction", "GBA Push: transaction (B-TID)", "Of the run of GBA Push with the device, if there was one: its keys then protect the bootstrap.").line())
            (typed.exact("ks_naf_base64", "GBA Push: key (Ks_NAF)", "32 octets in base64.").line())
        }
    }
}

/// What seldom has to be said.
fn more(offer: &Offer, answers: &Answers, typed: &Typed<'_>) -> Markup {
    let name = typed.field("name", "Name of the server", "As the device's user sees it.");
    html! {
        div.stack {
            (typed.tick("replace", "Start anew if a device is enrolled already: what waits for it and what is known of it is dropped"))
            (typed.tick("psk", "Let the device use its secret as a key of TLS, too (PSK); this server then keeps the secret itself"))
            (Field { example: &offer.name, ..name }.line())
            @match (&offer.dm1, answers.kind) {
                (Some(dm1), Some(Kind::Cp | Kind::Dm)) => (dm1_terms(dm1, answers, typed)),
                _ => {
                    @let hint = "The management objects (by MOID) that this server may use, one on each line; * is all of them.";
                    (Field { example: &offer.moids.join("\n"), ..typed.exact("moids", "What this server may use", hint) }.area(3))
                },
            }
        }
    }
}

fn dm1_terms(dm1: &Dm1Offer, answers: &Answers, typed: &Typed<'_>) -> Markup {
    let with_default = |first: &'static str, names: &[String]| -> Vec<(String, String)> {
        let names = names.iter().map(|name| (name.clone(), name.clone()));
        std::iter::once((String::new(), first.to_owned())).chain(names).collect()
    };
    let pick = |field: Field<'_>, options: Vec<(String, String)>| {
        let options: Vec<_> = options.iter().map(|(value, words)| (value.as_str(), words.as_str())).collect();
        field.choice(&options)
    };
    let is_cp = answers.kind == Some(Kind::Cp);
    html! {
        (pick(typed.field("version", "Version that the device speaks", ""), with_default("the newest that this server speaks", &dm1.versions)))
        (pick(typed.field("scheme", "How both sides prove who they are", "Devices before DM 1.3 know md5, mac-md5 and basic only."),
            with_default("the first that fits the version", &dm1.schemes)))
        @if dm1.server_ids.len() > 1 {
            (pick(typed.field("server_id", "As whom the device knows this server", ""), with_default("the first", &dm1.server_ids)))
        }
        @if is_cp {
            (typed.exact("apn", "Access point (APN)", "Of the mobile network by which the device reaches this server; if it stays empty, the device chooses.").line())
            (typed.tick("later", "Begin no session at once"))
            @if answers.needs_pin() && answers.needs_network() { (typed.tick("pin_first", "The PIN first and with a colon, as some devices expect it")) }
            @if answers.sec.as_deref() == Some("") { (typed.tick("xml", "Write the document in XML, not in WBXML")) }
        } @else {
            (typed.exact("acl", "What servers may do with the account", "An access control list, such as Get=*&Replace=dm.example.com. If it stays empty, this server may read, replace and delete it.").line())
            @if answers.needs_pin() || answers.needs_network() {
                (typed.field("hash", "Hash of the code", "").choice(&[("", "SHA-256 for DM 1.3, else SHA-1"), ("sha256", "SHA-256"), ("sha1", "SHA-1, which is weak")]))
            }
        }
    }
}

/// Makes a bootstrap, or a batch of them; what is refused is shown again.
pub async fn make(visit: Visit, form: Form) -> Result<Response, Failure> {
    let offer = questions::offer(&visit).await?;
    let answers = Answers::of(&form);
    let made = match request(&answers, &form) {
        Ok(body) if answers.many == Some(true) => {
            visit.act(Method::POST, "/bootstrap/batch", Some(body)).await
        }
        Ok(body) => visit.act(Method::POST, "/bootstrap", Some(body)).await,
        Err(problem) => Err(problem.into()),
    };
    match made {
        Ok(answer) => Ok(made::page(&answers, &answer).into_response()),
        Err(failure) if failure.status() == StatusCode::FORBIDDEN => Err(failure),
        Err(failure) => {
            Ok((failure.status(), page(&visit, &offer, &answers, &form, Some(&failure.0))).into_response())
        }
    }
}

/// The request for the API that the form means.
fn request(answers: &Answers, form: &Form) -> Result<Value, Problem> {
    let kind = answers.kind.ok_or_else(|| Problem::bad("say first for which protocol it is"))?;
    let mut body = Map::from_iter([("profile".to_owned(), json!(kind.as_str()))]);
    if answers.many == Some(true) {
        body.insert("devices".to_owned(), batch(answers, form)?);
    } else {
        let mut device = device(form, form.filled("id").unwrap_or_default());
        device.extend(texts(form, &["label", "pin", "imsi", "network_secret_base64"]));
        body.insert("device".to_owned(), device.into());
    }
    body.extend(texts(form, &["name", "to"]));
    if answers.takes_gba() && (form.filled("transaction").is_some() || form.filled("ks_naf_base64").is_some())
    {
        let text = |name| form.filled(name).unwrap_or_default();
        body.insert(
            "gba".to_owned(),
            json!({ "transaction": text("transaction"), "ks_naf_base64": text("ks_naf_base64") }),
        );
    }
    if kind == Kind::Dm2 {
        let moids: Vec<&str> = lines(form.get("moids").unwrap_or_default()).collect();
        body.extend((!moids.is_empty()).then(|| ("moids".to_owned(), json!(moids))));
    } else {
        body.insert("dm1".to_owned(), wishes(answers, form).into());
    }
    Ok(body.into())
}

/// What a bootstrap of DM 1.x is to say.
fn wishes(answers: &Answers, form: &Form) -> Map<String, Value> {
    let mut wishes: Map<_, _> =
        texts(form, &["version", "scheme", "server_id", "apn", "acl", "hash"]).collect();
    let sec = answers.sec.as_ref().filter(|sec| !sec.is_empty());
    wishes.extend(sec.map(|sec| ("sec".to_owned(), json!(sec))));
    let ticked = [
        ("later", "init", json!(false)),
        ("pin_first", "pin_first", json!(true)),
        ("xml", "encoding", json!("xml")),
    ];
    let ticked = ticked.into_iter().filter(|(field, ..)| form.get(field).is_some());
    wishes.extend(ticked.map(|(_, member, value)| (member.to_owned(), value)));
    wishes
}

/// The devices of a batch, one on each line.
fn batch(answers: &Answers, form: &Form) -> Result<Value, Problem> {
    let listed: Vec<&str> = lines(form.get("ids").unwrap_or_default()).collect();
    if listed.len() > MAX_BATCH {
        let more =
            format!("a batch has at most {MAX_BATCH} devices here; `omadm bootstrap batch` takes more");
        return Err(Problem::bad(more));
    }
    let devices = listed.into_iter().map(|line| {
        let (id, imsi) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let mut device = device(form, id);
        if answers.needs_network() && !imsi.trim().is_empty() {
            device.insert("imsi".to_owned(), json!(imsi.trim()));
        }
        Value::Object(device)
    });
    Ok(devices.collect())
}

fn device(form: &Form, id: &str) -> Map<String, Value> {
    let is = |name: &str| json!(form.get(name).is_some());
    Map::from_iter([
        ("id".to_owned(), json!(id)),
        ("replace".to_owned(), is("replace")),
        ("psk".to_owned(), is("psk")),
    ])
}

/// The fields that are filled in, as members.
fn texts(form: &Form, names: &[&str]) -> impl Iterator<Item = (String, Value)> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), json!(form.filled(name)?))))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(fields: &[(&str, &str)]) -> Result<Value, Problem> {
        let form =
            Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        request(&Answers::of(&form), &form)
    }

    #[test]
    fn a_form_means_a_request() {
        let one = [
            ("kind", "dm2"),
            ("many", "false"),
            ("way", "send"),
            ("id", " IMEI:1 "),
            ("to", "https://d/"),
            ("moids", "*\r\n\r\nurn:a\r\n"),
        ];
        let expected = json!({
            "profile": "dm2", "device": { "id": "IMEI:1", "replace": false, "psk": false }, "to": "https://d/", "moids": ["*", "urn:a"],
        });
        assert_eq!(asked(&one).unwrap(), expected);
        let dm1 = [
            ("kind", "cp"),
            ("many", "false"),
            ("way", "file"),
            ("sec", "USERPIN"),
            ("id", "IMEI:1"),
            ("pin", "1234"),
            ("later", "true"),
        ];
        let dm1 = asked(&dm1).unwrap();
        assert_eq!(dm1["dm1"], json!({ "sec": "USERPIN", "init": false }));
        assert_eq!(dm1["device"]["pin"], "1234");
    }

    #[test]
    fn a_batch_has_a_device_on_each_line() {
        let of = |sec: &str, ids: &str| {
            asked(&[("kind", "cp"), ("many", "true"), ("way", "file"), ("sec", sec), ("ids", ids)])
        };
        let batch = of("NETWPIN", "IMEI:1 240011234567890\r\n\r\nIMEI:2").unwrap();
        assert_eq!(batch["devices"][0]["imsi"], "240011234567890");
        assert_eq!(batch["devices"][1], json!({ "id": "IMEI:2", "replace": false, "psk": false }));
        let [most, more] = [MAX_BATCH, MAX_BATCH + 1].map(|number| "IMEI:1\n".repeat(number));
        assert!(of("none", &most).is_ok());
        assert!(of("none", &more).unwrap_err().detail().contains("omadm bootstrap batch"));
    }
}
