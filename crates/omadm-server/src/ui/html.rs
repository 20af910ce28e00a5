//! Pages as HTML: no script, nothing from elsewhere, and nothing in it that was not escaped.

use std::fmt::{self, Display, Write as _};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::answer::{ANSWER, Faults, NO, Sent, YES};
use super::page::{Choice, Field, FieldKind, Kind, Page};
use super::words::{Words, is_right_to_left, name_of};

const STYLE: &str = include_str!("style.css");

/// What browsers may do with our pages: use our style, and send the form to us.
pub static POLICY: LazyLock<String> = LazyLock::new(|| policy("'self'"));
/// The same for a preview, the form of which is sent nowhere.
pub static PREVIEW_POLICY: LazyLock<String> = LazyLock::new(|| policy("'none'"));

fn policy(form_action: &str) -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    )
}

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

/// A page that asks nothing, in the words of a language.
pub fn message(words: &Words, (title, text): (&str, &str)) -> String {
    document(words.language, title, &format!("<p role=\"status\">{}</p>", Escaped(text)))
}

/// A page as its user sees it.
pub struct View<'v> {
    /// The page in the language that they read.
    pub page: &'v Page,
    /// All languages in which it is there.
    pub languages: &'v [&'v str],
    /// What was sent last time.
    pub sent: &'v Sent,
    /// What is wrong with it.
    pub faults: &'v Faults,
}

impl View<'_> {
    /// As HTML.
    pub fn html(&self) -> String {
        let Self { page, sent, faults, .. } = self;
        let words = Words::of(&page.language);
        let mut body = self.links();
        for paragraph in page.text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
            body.push_str(&format!("<p>{}</p>", Escaped(paragraph)));
        }
        if !faults.is_empty() {
            let own = faults.get(ANSWER).filter(|_| page.kind != Kind::Form);
            let told = own.map_or(words.see_below, String::as_str);
            let marked = marked(words, &page.language);
            body.push_str(&format!("<p role=\"alert\" class=\"fault\"{marked}>{}</p>", Escaped(told)));
        }
        // What is wrong is told in the page's own language, and not by the browser before anything is sent.
        body.push_str("<form method=\"post\" accept-charset=\"utf-8\" autocomplete=\"off\" novalidate>");
        match page.kind {
            Kind::Notice | Kind::Consent => {}
            Kind::Choice => {
                let given = sent.value(ANSWER);
                body.push_str(&format!(
                    "<fieldset class=\"field\"><legend>{}</legend>",
                    Escaped(&page.title)
                ));
                for (number, option) in page.options.iter().enumerate() {
                    body.push_str(&radio(number, option, given));
                }
                body.push_str("</fieldset>");
            }
            Kind::Form => {
                for field in &page.fields {
                    body.push_str(&self.input(words, field));
                }
            }
        }
        body.push_str(&buttons(words, page));
        body.push_str("</form>");
        document(&page.language, &page.title, &body)
    }

    /// Links to the same page in its other languages.
    fn links(&self) -> String {
        if self.languages.len() < 2 {
            return String::new();
        }
        let links: Vec<String> = self
            .languages
            .iter()
            .map(|tag| {
                let (name, tag) = (name_of(tag), Escaped(tag));
                let name = Escaped(&name);
                match tag.0 == self.page.language {
                    true => format!("<b lang=\"{tag}\">{name}</b>"),
                    false => {
                        format!("<a href=\"?language={tag}\" lang=\"{tag}\" hreflang=\"{tag}\">{name}</a>")
                    }
                }
            })
            .collect();
        let said = Escaped(Words::of(&self.page.language).languages);
        format!("<nav aria-label=\"{said}\"><p class=\"languages\">{}</p></nav>", links.join(" "))
    }

    fn input(&self, words: &Words, field: &Field) -> String {
        let (given, fault) = (self.sent.value(&field.name), self.faults.get(&field.name));
        let marked = marked(words, &self.page.language);
        let name = Escaped(&field.name);
        let mut about = String::new();
        let mut described = Vec::new();
        if let Some(hint) = &field.hint {
            about.push_str(&format!("<span class=\"hint\" id=\"h-{name}\">{}</span>", Escaped(hint)));
            described.push(format!("h-{name}"));
        }
        if let Some(fault) = fault {
            let fault = Escaped(fault);
            about.push_str(&format!("<span class=\"fault\" id=\"e-{name}\"{marked}>{fault}</span>"));
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
                "<div class=\"field\"><label class=\"option\" for=\"f-{name}\"><input type=\"checkbox\" value=\"on\"{more}{checked}>\
                 <span>{label}</span></label>{about}</div>"
            );
        }
        let optional = match field.required {
            true => String::new(),
            false => format!(" <span class=\"optional\"{marked}>{}</span>", Escaped(words.optional)),
        };
        format!(
            "<div class=\"field\"><label class=\"label\" for=\"f-{name}\">{label}{optional}</label>{about}{}</div>",
            control(field, given, &more)
        )
    }
}

/// Says the language of our own words where it is not that of the page.
fn marked(words: &Words, language: &str) -> String {
    match Words::known(language) {
        Some(_) => String::new(),
        None => format!(" lang=\"{}\" dir=\"ltr\"", words.language),
    }
}

fn document(language: &str, title: &str, body: &str) -> String {
    let direction = if is_right_to_left(language) { " dir=\"rtl\"" } else { "" };
    let (language, title) = (Escaped(language), Escaped(title));
    format!(
        "<!doctype html>\n<html lang=\"{language}\"{direction}><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{body}</main></body></html>\n"
    )
}

/// The buttons: inputs, of which every browser sends the name alone of the one that was pressed.
fn buttons(words: &Words, page: &Page) -> String {
    let button = |more: &str, said: Option<&str>, usual: &str| {
        let marked = if said.is_none() { marked(words, &page.language) } else { String::new() };
        format!("<input type=\"submit\"{more} value=\"{}\"{marked}>", Escaped(said.unwrap_or(usual)))
    };
    let said = page.button.as_deref();
    match page.kind {
        Kind::Notice => button("", said, words.ok),
        Kind::Consent => {
            let yes = button(&format!(" name=\"{YES}\""), said, words.yes);
            yes + &button(&format!(" name=\"{NO}\" class=\"second\""), page.decline.as_deref(), words.no)
        }
        Kind::Choice | Kind::Form => button("", said, words.send),
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

    fn html(page: &Page, sent: &Sent, faults: &Faults) -> String {
        let languages: Vec<&str> = page.languages().collect();
        View { page, languages: &languages, sent, faults }.html()
    }

    #[test]
    fn a_page_speaks_one_language_and_offers_the_others() {
        let definition = json!({ "kind": "consent", "title": "Update?", "language": "en", "translations": [
            { "language": "de", "title": "Aktualisieren?" }, { "language": "ar", "title": "تحديث؟" }] });
        let page: Page = serde_json::from_value(definition).unwrap();
        let shown = |language: &str| {
            let languages: Vec<&str> = page.languages().collect();
            let (page, sent, faults) = (page.in_language(language), Sent::default(), Faults::new());
            View { page: &page, languages: &languages, sent: &sent, faults: &faults }.html()
        };
        let german = shown("de");
        for part in [
            "<html lang=\"de\"><head>",
            "<h1>Aktualisieren?</h1>",
            "<input type=\"submit\" name=\"yes\" value=\"Ja\">",
            "<a href=\"?language=en\" lang=\"en\" hreflang=\"en\">English</a> <b lang=\"de\">Deutsch</b>",
            "<nav aria-label=\"Sprache\">",
        ] {
            assert!(german.contains(part), "{part}: {german}");
        }
        let arabic = shown("ar");
        assert!(
            arabic.contains("<html lang=\"ar\" dir=\"rtl\">")
                && arabic.contains("value=\"No\" lang=\"en\" dir=\"ltr\">")
        );
    }

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
        let html = html(&form, &sent, &faults);
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;"), "{html}");
        assert_eq!(html.matches("</textarea>").count(), 1);
        assert!(!message(Words::of("en"), (evil, evil)).contains("<script"));
    }

    #[test]
    fn inputs_are_named_and_faults_belong_to_them() {
        let definition = json!({
            "kind": "form", "title": "t", "fields": [{ "name": "a", "label": "A", "type": "integer", "hint": "H" }],
        });
        let form: Page = serde_json::from_value(definition).unwrap();
        let faults = Faults::from([("a".to_owned(), "Wrong.".to_owned())]);
        let html = html(&form, &Sent::read(b"a=x").unwrap(), &faults);
        for part in [
            "<label class=\"label\" for=\"f-a\">A <span class=\"optional\">(optional)</span></label>",
            "novalidate",
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
        assert!(message(Words::of("de"), ("t", "x")).contains(&format!("<style>{STYLE}</style>")));
        assert!(POLICY.contains("default-src 'none'") && POLICY.contains("'sha256-"));
    }
}
