//! Pages as HTML: no script, nothing from elsewhere, and nothing in it that was not escaped.

use std::fmt::{self, Display, Write as _};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::answer::{ANSWER, Faults, Sent};
use super::page::{Choice, Field, FieldKind, Kind, Page};

const STYLE: &str = include_str!("style.css");

/// What browsers may do with our pages: use our style, and send the form to us.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
});

/// Text in HTML, also within quotes.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A page that asks nothing.
pub fn message(title: &str, text: &str) -> String {
    document("en", title, &format!("<p role=\"status\">{}</p>", Escaped(text)))
}

/// A page with what was sent last time and what is wrong with it.
pub fn page(page: &Page, sent: &Sent, faults: &Faults) -> String {
    let mut body = String::new();
    for paragraph in page.text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
        body.push_str(&format!("<p>{}</p>", Escaped(paragraph)));
    }
    if !faults.is_empty() {
        body.push_str("<p role=\"alert\" class=\"fault\">");
        let own = faults.get(ANSWER).filter(|_| page.kind != Kind::Form);
        let told = own.map_or("Something is missing or not right; see below.", String::as_str);
        body.push_str(&format!("{}</p>", Escaped(told)));
    }
    // What is wrong is told in the page's own words, and not by the browser before anything is sent.
    body.push_str("<form method=\"post\" accept-charset=\"utf-8\" autocomplete=\"off\">");
    match page.kind {
        Kind::Notice | Kind::Consent => {}
        Kind::Choice => {
            let given = sent.value(ANSWER);
            body.push_str(&format!("<fieldset class=\"field\"><legend>{}</legend>", Escaped(&page.title)));
            for (number, option) in page.options.iter().enumerate() {
                body.push_str(&radio(number, option, given));
            }
            body.push_str("</fieldset>");
        }
        Kind::Form => {
            for field in &page.fields {
                body.push_str(&input(field, sent.value(&field.name), faults.get(&field.name)));
            }
        }
    }
    body.push_str(&buttons(page));
    body.push_str("</form>");
    document(&page.language, &page.title, &body)
}

fn document(language: &str, title: &str, body: &str) -> String {
    let (language, title) = (Escaped(language), Escaped(title));
    format!(
        "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>\n"
    )
}

fn buttons(page: &Page) -> String {
    let named = |usual: &'static str| page.button.as_deref().unwrap_or(usual);
    match page.kind {
        Kind::Notice => format!("<button>{}</button>", Escaped(named("OK"))),
        Kind::Consent => format!(
            "<button name=\"{ANSWER}\" value=\"yes\">{}</button>\
             <button class=\"second\" name=\"{ANSWER}\" value=\"no\">{}</button>",
            Escaped(named("Yes")),
            Escaped(page.decline.as_deref().unwrap_or("No"))
        ),
        Kind::Choice | Kind::Form => format!("<button>{}</button>", Escaped(named("Send"))),
    }
}

fn radio(number: usize, option: &Choice, given: &str) -> String {
    let checked = if option.value == given { " checked" } else { "" };
    format!(
        "<label class=\"option\" for=\"o{number}\"><input type=\"radio\" id=\"o{number}\" name=\"{ANSWER}\" \
         value=\"{}\" required{checked}><span>{}</span></label>",
        Escaped(&option.value),
        Escaped(&option.label)
    )
}

fn input(field: &Field, given: &str, fault: Option<&String>) -> String {
    let name = Escaped(&field.name);
    let mut about = String::new();
    let mut described = Vec::new();
    if let Some(hint) = &field.hint {
        about.push_str(&format!("<span class=\"hint\" id=\"h-{name}\">{}</span>", Escaped(hint)));
        described.push(format!("h-{name}"));
    }
    if let Some(fault) = fault {
        about.push_str(&format!("<span class=\"fault\" id=\"e-{name}\">{}</span>", Escaped(fault)));
        described.push(format!("e-{name}"));
    }
    let mut more = format!(" id=\"f-{name}\" name=\"{name}\"");
    if !described.is_empty() {
        more.push_str(&format!(" aria-describedby=\"{}\"", described.join(" ")));
    }
    if fault.is_some() {
        more.push_str(" aria-invalid=\"true\"");
    }
    if field.required {
        more.push_str(" required");
    }
    let label = Escaped(&field.label);
    if field.kind == FieldKind::Checkbox {
        let checked = if given.is_empty() { "" } else { " checked" };
        return format!(
            "<div class=\"field\"><label class=\"option\"><input type=\"checkbox\" value=\"on\"{more}{checked}>\
             <span>{label}</span></label>{about}</div>"
        );
    }
    format!(
        "<div class=\"field\"><label class=\"label\" for=\"f-{name}\">{label}</label>{about}{}</div>",
        control(field, given, &more)
    )
}

/// The input itself; `more` are its attributes so far.
fn control(field: &Field, given: &str, more: &str) -> String {
    let bound =
        |name: &str, bound: Option<i64>| bound.map_or_else(String::new, |n| format!(" {name}=\"{n}\""));
    let value = Escaped(given);
    match field.kind {
        FieldKind::Paragraph => {
            format!("<textarea maxlength=\"{}\"{more}>\n{value}</textarea>", field.longest())
        }
        FieldKind::Integer => format!(
            "<input type=\"number\" step=\"1\"{}{} value=\"{value}\"{more}>",
            bound("min", field.min),
            bound("max", field.max)
        ),
        FieldKind::Date => format!("<input type=\"date\" value=\"{value}\"{more}>"),
        FieldKind::Choice => {
            let mut options = String::from("<option value=\"\"></option>");
            for option in &field.options {
                let selected = if option.value == given { " selected" } else { "" };
                let (value, label) = (Escaped(&option.value), Escaped(&option.label));
                options.push_str(&format!("<option value=\"{value}\"{selected}>{label}</option>"));
            }
            format!("<select{more}>{options}</select>")
        }
        FieldKind::Text | FieldKind::Checkbox => {
            let least = bound("minlength", field.min);
            format!("<input type=\"text\" maxlength=\"{}\"{least} value=\"{value}\"{more}>", field.longest())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_gets_through_unescaped() {
        let evil = "\"'><script>alert(1)</script>&";
        let definition = json!({
            "kind": "form", "title": evil, "text": evil, "button": evil,
            "fields": [
                { "name": "a", "label": evil, "type": "text", "hint": evil },
                { "name": "b", "label": evil, "type": "paragraph" },
                { "name": "c", "label": evil, "type": "choice", "options": [{ "value": evil, "label": evil }] },
                { "name": "d", "label": evil, "type": "checkbox" },
            ],
        });
        let form: Page = serde_json::from_value(definition).unwrap();
        let body = "a=%22%3E%3Cscript%3E&b=%3C/textarea%3E%3Cscript%3E&c=%22%3E%3Cscript%3E";
        let sent = Sent::read(body.as_bytes()).unwrap();
        let faults = Faults::from([("a".to_owned(), evil.to_owned())]);
        let html = super::page(&form, &sent, &faults);
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
        assert_eq!(html.matches("</textarea>").count(), 1);
        assert!(!message(evil, evil).contains("<script"));
    }

    #[test]
    fn inputs_are_named_and_faults_belong_to_them() {
        let definition = json!({
            "kind": "form", "title": "t", "fields": [{ "name": "a", "label": "A", "type": "integer", "hint": "H" }],
        });
        let form: Page = serde_json::from_value(definition).unwrap();
        let faults = Faults::from([("a".to_owned(), "Wrong.".to_owned())]);
        let html = super::page(&form, &Sent::read(b"a=x").unwrap(), &faults);
        for part in [
            "<label class=\"label\" for=\"f-a\">A</label>",
            "id=\"f-a\" name=\"a\" aria-describedby=\"h-a e-a\" aria-invalid=\"true\"",
            "role=\"alert\"",
            "<html lang=\"en\">",
            "name=\"viewport\"",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn the_style_is_the_one_that_the_policy_allows() {
        assert!(message("t", "x").contains(&format!("<style>{STYLE}</style>")));
        assert!(POLICY.contains("default-src 'none'") && POLICY.contains("'sha256-"));
    }
}
