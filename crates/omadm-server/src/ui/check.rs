//! What a definition of a page has to keep.

use std::collections::{BTreeMap, HashSet};

use super::page::{Choice, Field, FieldKind, FieldTexts, Kind, MAX_WRITTEN, Page, Translation};
use crate::desired::Fault;

/// Most characters of a title, a label or a name on a button.
const MAX_LABEL: usize = 500;
/// Most characters of a text.
const MAX_TEXT: usize = 20_000;
/// Most fields of a form.
const MAX_FIELDS: usize = 50;
/// Most options of a choice.
const MAX_OPTIONS: usize = 200;
/// Most characters of the name of a page, a field or an option.
const MAX_NAME: usize = 64;
/// Longest definition of a page, with all its languages, in octets.
const MAX_PAGE: usize = 256 << 10;
/// Most languages beside that of the page itself.
const MAX_TRANSLATIONS: usize = 20;

/// Whether a text can be the name of a page or field.
pub fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(legal)
}

/// Says what is wrong with a definition, and where.
///
/// # Errors
/// Each thing that is wrong.
pub fn check(page: &Page) -> Result<(), Vec<Fault>> {
    let mut faults = Faults::default();
    faults.heading("", &page.title, &page.text, &page.language);
    faults.buttons("", page.kind, page.button.as_deref(), page.decline.as_deref());
    match (page.kind, page.options.is_empty(), page.fields.is_empty()) {
        (Kind::Choice, _, false) => faults.say("/fields", "a choice has no fields; it has options"),
        (Kind::Choice, ..) => faults.options("/options", &page.options),
        (Kind::Form, false, _) => faults.say("/options", "a form has no options of its own; its fields have"),
        (Kind::Form, _, true) => faults.say("/fields", "a form needs a field at least"),
        (Kind::Form, ..) => faults.fields(&page.fields),
        (Kind::Notice | Kind::Consent, false, _) => faults.say("/options", "only a choice has options"),
        (Kind::Notice | Kind::Consent, _, false) => faults.say("/fields", "only a form has fields"),
        (Kind::Notice | Kind::Consent, ..) => {}
    }
    faults.translations(page);
    let length = serde_json::to_string(page).map_or(usize::MAX, |text| text.len());
    if length > MAX_PAGE {
        let what = format!("it has {length} octets, the limit is {MAX_PAGE}");
        faults.0.push(Fault { at: "the page".to_owned(), pointer: String::new(), what });
    }
    if faults.0.is_empty() { Ok(()) } else { Err(faults.0) }
}

/// What is wrong so far. Places are JSON Pointers (`RFC 6901`).
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn say(&mut self, pointer: impl Into<String>, what: impl Into<String>) {
        let pointer = pointer.into();
        self.0.push(Fault { at: pointer.trim_start_matches('/').to_owned(), pointer, what: what.into() });
    }

    fn short(&mut self, pointer: &str, text: &str, most: usize) {
        let length = text.chars().count();
        if length > most {
            self.say(pointer, format!("it has {length} characters, the limit is {most}"));
        }
    }

    /// What a user reads beside something to fill in.
    fn label(&mut self, pointer: &str, label: &str) {
        if label.trim().is_empty() {
            self.say(pointer, "the label is empty");
        }
        self.short(pointer, label, MAX_LABEL);
    }

    /// What a page has in each language.
    fn heading(&mut self, at: &str, title: &str, text: &str, language: &str) {
        if title.trim().is_empty() {
            self.say(format!("{at}/title"), "the title is empty");
        }
        self.short(&format!("{at}/title"), title, MAX_LABEL);
        self.short(&format!("{at}/text"), text, MAX_TEXT);
        if !is_name(language) {
            let what = format!("{language:?} is no language; write a BCP 47 tag such as en or pt-BR");
            self.say(format!("{at}/language"), what);
        }
    }

    fn buttons(&mut self, at: &str, kind: Kind, button: Option<&str>, decline: Option<&str>) {
        for (name, label) in [("button", button), ("decline", decline)] {
            self.short(&format!("{at}/{name}"), label.unwrap_or_default(), MAX_LABEL);
        }
        if decline.is_some() && kind != Kind::Consent {
            self.say(format!("{at}/decline"), "only a consent can be declined");
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        if fields.len() > MAX_FIELDS {
            self.say("/fields", format!("a form has at most {MAX_FIELDS} fields"));
        }
        let mut names = HashSet::new();
        for (number, field) in fields.iter().enumerate() {
            let at = format!("/fields/{number}");
            if !is_name(&field.name) {
                let what = format!("{:?} is not 1 to {MAX_NAME} letters, digits, -, _ and .", field.name);
                self.say(format!("{at}/name"), what);
            } else if !names.insert(&field.name) {
                self.say(format!("{at}/name"), format!("there is another field {:?}", field.name));
            }
            self.label(&format!("{at}/label"), &field.label);
            self.short(&format!("{at}/hint"), field.hint.as_deref().unwrap_or_default(), MAX_LABEL);
            self.bounds(&at, field);
            match (field.kind, field.options.is_empty()) {
                (FieldKind::Choice, _) => self.options(&format!("{at}/options"), &field.options),
                (_, true) => {}
                (_, false) => self.say(format!("{at}/options"), "only a choice has options"),
            }
        }
    }

    fn bounds(&mut self, at: &str, field: &Field) {
        let longest = i64::try_from(MAX_WRITTEN).unwrap_or(i64::MAX);
        let is_text = matches!(field.kind, FieldKind::Text | FieldKind::Paragraph);
        for (name, bound) in [("min", field.min), ("max", field.max)] {
            let Some(bound) = bound else { continue };
            let place = format!("{at}/{name}");
            if !is_text && field.kind != FieldKind::Integer {
                self.say(place, "only a text, a paragraph and a number have bounds");
            } else if is_text && !(0..=longest).contains(&bound) {
                self.say(place, format!("the bounds of a text are 0 to {MAX_WRITTEN}"));
            }
        }
        if let (Some(min), Some(max)) = (field.min, field.max)
            && min > max
        {
            self.say(format!("{at}/max"), "the upper bound is below the lower one");
        }
    }

    fn options(&mut self, at: &str, options: &[Choice]) {
        if options.is_empty() || options.len() > MAX_OPTIONS {
            self.say(at, format!("a choice has 1 to {MAX_OPTIONS} options"));
        }
        let mut values = HashSet::new();
        for (number, Choice { value, label }) in options.iter().enumerate() {
            self.label(&format!("{at}/{number}/label"), label);
            if !(1..=MAX_LABEL).contains(&value.chars().count()) {
                self.say(
                    format!("{at}/{number}/value"),
                    format!("an option has 1 to {MAX_LABEL} characters"),
                );
            } else if !values.insert(value) {
                self.say(format!("{at}/{number}/value"), format!("there is another option {value:?}"));
            }
        }
    }

    fn translations(&mut self, page: &Page) {
        if page.translations.len() > MAX_TRANSLATIONS {
            let what = format!("a page has at most {MAX_TRANSLATIONS} languages beside its own");
            self.say("/translations", what);
        }
        let mut languages = HashSet::from([page.language.to_ascii_lowercase()]);
        for (number, said) in page.translations.iter().enumerate() {
            let at = format!("/translations/{number}");
            self.heading(&at, &said.title, &said.text, &said.language);
            self.buttons(&at, page.kind, said.button.as_deref(), said.decline.as_deref());
            if !languages.insert(said.language.to_ascii_lowercase()) {
                let what = format!("the page is in {:?} already", said.language);
                self.say(format!("{at}/language"), what);
            }
            self.same(&format!("{at}/text"), !page.text.is_empty(), !said.text.is_empty());
            self.same(&format!("{at}/button"), page.button.is_some(), said.button.is_some());
            self.same(&format!("{at}/decline"), page.decline.is_some(), said.decline.is_some());
            self.labels(&format!("{at}/options"), &page.options, &said.options);
            self.translated_fields(&at, page, said);
        }
    }

    /// Whether a translation says something where the page does.
    fn same(&mut self, at: &str, is_said: bool, is_translated: bool) {
        match (is_said, is_translated) {
            (true, false) => self.say(at, "the page has this, and it is not translated"),
            (false, true) => self.say(at, "the page itself does not have this"),
            _ => {}
        }
    }

    fn labels(&mut self, at: &str, options: &[Choice], labels: &BTreeMap<String, String>) {
        for option in options {
            match labels.get(&option.value) {
                None => self.say(at, format!("the option {:?} is not translated", option.value)),
                Some(label) => self.label(at, label),
            }
        }
        for value in labels.keys().filter(|value| !options.iter().any(|option| option.value == **value)) {
            self.say(at, format!("the page has no option {value:?}"));
        }
    }

    fn translated_fields(&mut self, at: &str, page: &Page, said: &Translation) {
        let none = FieldTexts::default();
        for field in &page.fields {
            let at = format!("{at}/fields/{}", field.name);
            let texts = said.fields.get(&field.name).unwrap_or(&none);
            self.same(&format!("{at}/label"), !field.label.is_empty(), !texts.label.is_empty());
            self.same(&format!("{at}/hint"), field.hint.is_some(), texts.hint.is_some());
            self.short(&format!("{at}/label"), &texts.label, MAX_LABEL);
            self.short(&format!("{at}/hint"), texts.hint.as_deref().unwrap_or_default(), MAX_LABEL);
            self.labels(&format!("{at}/options"), &field.options, &texts.options);
        }
        for name in said.fields.keys().filter(|name| !page.fields.iter().any(|field| field.name == **name)) {
            self.say(format!("{at}/fields"), format!("the page has no field {name:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Where something is wrong with a page.
    fn places(page: Value) -> Vec<String> {
        match serde_json::from_value::<Page>(page) {
            Ok(page) => {
                check(&page).err().unwrap_or_default().into_iter().map(|fault| fault.pointer).collect()
            }
            Err(_) => vec!["unreadable".into()],
        }
    }

    fn form(field: Value) -> Value {
        json!({ "kind": "form", "title": "t", "fields": [field] })
    }

    fn options(count: usize) -> Vec<Value> {
        (0..count).map(|number| json!({ "value": number.to_string(), "label": "l" })).collect()
    }

    #[test]
    fn pages_have_what_their_kind_needs_and_no_more() {
        let one = options(1);
        for good in [
            json!({ "kind": "notice", "title": "t" }),
            json!({ "kind": "consent", "title": "t", "decline": "no", "language": "pt-BR" }),
            json!({ "kind": "choice", "title": "t", "options": one }),
            form(json!({ "name": "a", "label": "l", "type": "integer", "min": -5, "max": 5 })),
        ] {
            assert_eq!(places(good.clone()), [""; 0], "{good}");
        }
        for (bad, place) in [
            (json!({ "kind": "other", "title": "t" }), "unreadable"),
            (json!({ "kind": "notice", "title": "t", "more": 1 }), "unreadable"),
            (json!({ "kind": "notice", "title": " " }), "/title"),
            (json!({ "kind": "notice", "title": "t", "decline": "no" }), "/decline"),
            (json!({ "kind": "notice", "title": "t", "options": one }), "/options"),
            (json!({ "kind": "notice", "title": "t", "language": "\"><script>" }), "/language"),
            (json!({ "kind": "choice", "title": "t" }), "/options"),
            (json!({ "kind": "form", "title": "t", "fields": [] }), "/fields"),
            (form(json!({ "name": "a b", "label": "l", "type": "text" })), "/fields/0/name"),
            (form(json!({ "name": "a", "label": "l", "type": "text", "min": 5, "max": 4 })), "/fields/0/max"),
            (form(json!({ "name": "a", "label": "l", "type": "date", "min": 5 })), "/fields/0/min"),
            (form(json!({ "name": "a", "label": "l", "type": "choice" })), "/fields/0/options"),
            (form(json!({ "name": "a", "label": "l", "type": "text", "options": one })), "/fields/0/options"),
        ] {
            assert_eq!(places(bad.clone()), [place], "{bad}");
        }
    }

    #[test]
    fn a_translation_says_all_that_the_page_says_and_nothing_else() {
        let page = |translation: Value| {
            json!({ "kind": "form", "title": "t", "text": "x", "language": "en", "translations": [translation],
                "fields": [{ "name": "a", "label": "l", "type": "choice", "options": options(1) }] })
        };
        let field = json!({ "label": "L", "options": { "0": "N" } });
        let whole = json!({ "language": "de", "title": "T", "text": "X", "fields": { "a": field } });
        assert_eq!(places(page(whole.clone())), [""; 0]);
        let changed = |member: &str, value: Value| {
            let mut whole = whole.clone();
            whole[member] = value;
            places(page(whole))
        };
        assert_eq!(changed("language", json!("EN")), ["/translations/0/language"]);
        assert_eq!(changed("title", json!("")), ["/translations/0/title"]);
        assert_eq!(changed("text", json!("")), ["/translations/0/text"]);
        assert_eq!(changed("button", json!("B")), ["/translations/0/button"]);
        assert_eq!(changed("options", json!({ "0": "x" })), ["/translations/0/options"]);
        let fields = json!({ "a": { "label": "", "hint": "h" }, "b": { "label": "x" } });
        assert_eq!(
            changed("fields", fields),
            ["label", "hint", "options"]
                .map(|part| format!("/translations/0/fields/a/{part}"))
                .into_iter()
                .chain(["/translations/0/fields".to_owned()])
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_bounds_hold_at_their_edges() {
        let title = |length| places(json!({ "kind": "notice", "title": "ä".repeat(length) })).is_empty();
        assert!(title(MAX_LABEL) && !title(MAX_LABEL + 1));
        let text =
            |length| places(json!({ "kind": "notice", "title": "t", "text": "ä".repeat(length) })).is_empty();
        assert!(text(MAX_TEXT) && !text(MAX_TEXT + 1));
        let choice =
            |count| places(json!({ "kind": "choice", "title": "t", "options": options(count) })).is_empty();
        assert!(choice(MAX_OPTIONS) && !choice(MAX_OPTIONS + 1) && !choice(0));
        let fields = |count: usize| {
            let field = |number| json!({ "name": format!("f{number}"), "label": "l", "type": "text" });
            let fields: Vec<_> = (0..count).map(field).collect();
            places(json!({ "kind": "form", "title": "t", "fields": fields })).is_empty()
        };
        assert!(fields(MAX_FIELDS) && !fields(MAX_FIELDS + 1));
        let longest =
            |max| places(form(json!({ "name": "a", "label": "l", "type": "text", "max": max }))).is_empty();
        assert!(longest(MAX_WRITTEN) && !longest(MAX_WRITTEN + 1));
        let languages = |count: usize| {
            let translation = |number| json!({ "language": format!("x{number}"), "title": "t" });
            let translations: Vec<_> = (0..count).map(translation).collect();
            places(json!({ "kind": "notice", "title": "t", "translations": translations })).is_empty()
        };
        assert!(languages(MAX_TRANSLATIONS) && !languages(MAX_TRANSLATIONS + 1));
        let of_length = |length: usize| {
            let translation = |number: usize, text: String| json!({ "language": format!("x{number}"), "title": "t", "text": text });
            let page = |last: usize| {
                let texts = (0..13).map(|_| "x".repeat(19_000)).chain([("x".repeat(last))]);
                let translations: Vec<_> =
                    texts.enumerate().map(|(number, text)| translation(number, text)).collect();
                json!({ "kind": "notice", "title": "t", "text": "x", "language": "en", "translations": translations })
            };
            places(page(length + 1 - page(1).to_string().len()))
        };
        assert_eq!(of_length(MAX_PAGE), [""; 0]);
        assert_eq!(of_length(MAX_PAGE + 1), [""], "of the page as a whole");
        assert!(is_name(&"a".repeat(MAX_NAME)) && !is_name(&"a".repeat(MAX_NAME + 1)) && !is_name(""));
    }
}
