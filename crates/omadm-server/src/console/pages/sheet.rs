//! How the editor of a page is drawn.

use maud::{Markup, html};

use super::KINDS;
use super::document::completed;
use super::draft::{Draft, Further, Row, Said, Words};
use crate::console::frame::Page;
use crate::console::parts::{self, Field};
use crate::console::text;
use crate::console::visit::{Visit, path};
use crate::desired::Fault;
use crate::ui::{Kind, name_of};

/// Most fields of the editor's form; a page with more is for the API.
const MAX_INPUTS: usize = 1_900;
/// What can be filled in.
const FIELDS: &[(&str, &str)] = &[
    ("text", "A line of text"),
    ("paragraph", "Several lines"),
    ("integer", "A whole number"),
    ("date", "A day"),
    ("checkbox", "A box to tick"),
    ("choice", "One of several options"),
];
/// How options are written.
const OPTIONS: &str = "One on each line, as it is kept in the answer and as people read it: lab = Laboratory";
/// How options are written in another language.
const TRANSLATED: &str =
    "One on each line: what is left of = stays, what is right of it is in this language.";

/// How languages are written.
const TAG: &str = "A tag such as en, de or pt-BR.";
/// Characters that are shown of what is to be translated.
const OWN: usize = 4_000;

/// What is to be translated, for the field in which it is.
fn shortly(own: &str) -> String {
    text::plain(&own.replace('\n', " "), OWN)
}

/// The editor with what is in it.
pub struct Editor<'e> {
    pub visit: &'e Visit,
    pub draft: &'e Draft,
    /// What is wrong with it.
    pub faults: &'e [Fault],
    /// What is said of it as a whole.
    pub said: Option<&'e str>,
    /// Name of the field where typing goes on.
    pub next: Option<&'e str>,
}

impl Editor<'_> {
    /// As a page.
    pub fn page(&self) -> Page {
        let draft = self.draft;
        let title = if draft.is_new { "New page".to_owned() } else { format!("Change {}", draft.name) };
        let inputs = 12 + draft.fields.len() * 8 + draft.further.len() * (6 + draft.fields.len() * 3);
        let body = match inputs {
            0..=MAX_INPUTS => self.form(),
            _ => {
                html! { p.card { "This page is too large for the editor. Change it over the REST API, or with " code { "omadm page put" } "." } }
            }
        };
        Page::new(title, body).below(html! {
            a href="/pages" { "User pages" }
            @if !draft.is_new { " › " a href=(path(&["pages", &draft.name], &[])) { (text::shown(&draft.name)) } }
        })
    }

    fn form(&self) -> Markup {
        let draft = self.draft;
        html! {
            @if let Some(said) = self.said { p.warning role="status" { (text::shown_long(said)) } }
            (parts::faults(self.faults, |fault| self.field_of(fault)))
            form.editor method="post" action="/pages" {
                (self.visit.marks())
                // What the Enter key presses: nothing is kept by it.
                button.hidden type="submit" name="do" value="check" tabindex="-1" aria-hidden="true" { "Check" }
                (self.about())
                section.card {
                    h2 { "What it says" }
                    (self.texts("", &draft.said, None))
                    div hidden[!draft.is_a(Kind::Choice)] {
                        (Field { hint: OPTIONS, ..self.words("options", "Options", &draft.options, &draft.said) }.area(5))
                    }
                }
                (self.fields())
                @for (number, further) in draft.further.iter().enumerate() { (self.further(number, further)) }
                (self.languages())
                div.card.actions {
                    button.main type="submit" name="do" value="save" { "Save" }
                    button type="submit" name="do" value="check" { "Check it" }
                    @for said in [&draft.said].into_iter().chain(draft.further.iter().map(|further| &further.said)) {
                        button type="submit" name="do" value={ "preview:" (said.language) } formtarget="_blank" {
                            "Preview" @if !draft.further.is_empty() { " " (text::shown(&said.language)) }
                        }
                    }
                    a.button href="/pages" { "Go back" }
                }
            }
        }
    }

    /// What is wrong at a place or below it.
    fn wrong_at(&self, pointer: &str) -> Vec<&str> {
        let is_there = |fault: &&Fault| {
            fault.pointer.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.faults.iter().filter(is_there).map(|fault| fault.what.as_str()).collect()
    }

    /// The field in which something is wrong: the API knows translated fields by their names, and the editor by their places.
    fn field_of(&self, fault: &Fault) -> Option<String> {
        let name = fault.pointer.trim_start_matches('/');
        let mut parts: Vec<&str> = name.split('/').collect();
        let place = match parts.as_slice() {
            ["translations", _, "fields", field, ..] => {
                self.draft.fields.iter().position(|row| row.name == *field).map(|place| place.to_string())
            }
            _ => None,
        };
        if let (Some(place), Some(part)) = (&place, parts.get_mut(3)) {
            *part = place;
        }
        // Of one of several options the field is that of all of them.
        let end = parts.iter().position(|part| *part == "options").map_or(parts.len(), |options| options + 1);
        parts.truncate(end);
        let is_field = !matches!(parts.as_slice(), [""] | ["fields"] | ["translations"]);
        is_field.then(|| parts.join("/"))
    }

    /// A field with what is wrong at its place, which its name tells.
    fn field<'f>(&'f self, name: &'f str, label: &'f str, value: &'f str) -> Field<'f> {
        let (faults, is_first) = (self.wrong_at(&format!("/{name}")), self.next == Some(name));
        Field { name, label, value, faults, is_first, ..Field::default() }
    }

    /// The same for what people read in a language.
    fn words<'f>(&'f self, name: &'f str, label: &'f str, value: &'f str, said: &'f Said) -> Field<'f> {
        Field { language: Some(&said.language), ..self.field(name, label, value) }
    }

    fn about(&self) -> Markup {
        let draft = self.draft;
        let kinds: Vec<(&str, &str)> = KINDS.iter().map(|(kind, name, _)| (*kind, *name)).collect();
        html! {
            section.card {
                h2 { "What it is" }
                @if draft.is_new {
                    input type="hidden" name="is-new" value="true";
                    (Field { hint: "By which it is asked for: letters, digits, -, _ and .", is_exact: true, ..self.field("name", "Name", &draft.name) }.line())
                } @else { input type="hidden" name="name" value=(draft.name); }
                div.row {
                    (self.field("kind", "What people are asked", &draft.kind).choice(&kinds))
                    button type="submit" name="do" value="kind" { "Change the kind" }
                }
                (Field { hint: TAG, is_exact: true, ..self.field("language", "Language", &draft.said.language) }.line())
            }
        }
    }

    /// What a page says in one language; `own` is what it says in its own, for who translates.
    fn texts(&self, at: &str, said: &Said, own: Option<&Said>) -> Markup {
        let [title, text, button, decline] =
            ["title", "text", "button", "decline"].map(|name| format!("{at}{name}"));
        let hint = |of: fn(&Said) -> &String, usual: &str| {
            own.map_or_else(|| usual.to_owned(), |own| shortly(of(own)))
        };
        let title_hint = hint(|own| &own.title, "");
        let text_hint = hint(|own| &own.text, "An empty line begins a paragraph.");
        let button_hint =
            hint(|own| &own.button, "Left empty: OK, Yes or Send, in the language of the page.");
        let decline_hint = hint(|own| &own.decline, "Left empty: No, in the language of the page.");
        html! {
            (Field { hint: &title_hint, ..self.words(&title, "Title", &said.title, said) }.line())
            (Field { hint: &text_hint, ..self.words(&text, "Text", &said.text, said) }.area(6))
            (Field { hint: &button_hint, ..self.words(&button, "Button", &said.button, said) }.line())
            div hidden[!self.draft.is_a(Kind::Consent)] {
                (Field { hint: &decline_hint, ..self.words(&decline, "Button that declines", &said.decline, said) }.line())
            }
        }
    }

    fn fields(&self) -> Markup {
        let just_here = self.faults.iter().filter(|fault| fault.pointer == "/fields");
        html! {
            section.card hidden[!self.draft.is_a(Kind::Form)] {
                h2 { "Fields" }
                @for fault in just_here { p.fault { (text::shown_long(&fault.what)) } }
                @for (number, row) in self.draft.fields.iter().enumerate() { (self.row(number, row)) }
                button type="submit" name="do" value="add-field" { "Add a field" }
            }
        }
    }

    fn row(&self, number: usize, row: &Row) -> Markup {
        let said = &self.draft.said;
        let name_of = |part: &str| format!("fields/{number}/{part}");
        let [name, kind, label, hint] = ["name", "type", "label", "hint"].map(name_of);
        let [min, max, required, options] = ["min", "max", "required", "options"].map(name_of);
        html! {
            fieldset {
                legend { "Field " (number + 1) @if !row.name.is_empty() { ": " (text::shown(&row.name)) } }
                div.row {
                    (Field { is_exact: true, ..self.field(&name, "Name in the answer", &row.name) }.line())
                    (self.field(&kind, "What goes in", &row.kind).choice(FIELDS))
                    button type="submit" name="do" value="kind" { "Change" span.hidden { " what goes into field " (number + 1) } }
                    label.tick for=(required) {
                        input type="checkbox" id=(required) name=(required) value="on" checked[row.is_required];
                        "has to be filled in"
                    }
                }
                (self.words(&label, "What people read", &row.words.label, said).line())
                (self.words(&hint, "More about it", &row.words.hint, said).line())
                div.row hidden[!["text", "paragraph", "integer"].contains(&row.kind.as_str())] {
                    (self.field(&min, "At least", &row.min).line())
                    (self.field(&max, "At most", &row.max).line())
                    p.quiet { "Of a number its value, of a text its characters." }
                }
                div hidden[!row.is_choice()] {
                    (Field { hint: OPTIONS, ..self.words(&options, "Options", &row.words.options, said) }.area(4))
                }
                div.actions {
                    @if number > 0 { button.small type="submit" name="do" value={ "raise-field:" (number) } { "Move field " (number + 1) " up" } }
                    button.small type="submit" name="do" value={ "remove-field:" (number) } { "Remove field " (number + 1) }
                }
            }
        }
    }

    fn further(&self, number: usize, further: &Further) -> Markup {
        let (at, draft, said) = (format!("translations/{number}/"), self.draft, &further.said);
        let [language, list] = ["language", "options"].map(|part| format!("{at}{part}"));
        let options = completed(&draft.options, &further.options);
        let rows = draft.fields.iter().zip(&further.fields).enumerate();
        html! {
            section.card {
                h2 { "In another language" @if !said.language.is_empty() { ": " (text::shown(&name_of(&said.language))) } }
                (Field { hint: TAG, is_exact: true, ..self.field(&language, "Language", &said.language) }.line())
                (self.texts(&at, said, Some(&draft.said)))
                div hidden[!draft.is_a(Kind::Choice)] {
                    (Field { hint: TRANSLATED, ..self.words(&list, "Options", &options, said) }.area(5))
                }
                div hidden[!draft.is_a(Kind::Form)] {
                    @for (place, (row, words)) in rows { (self.translated(&at, said, place, (row, words))) }
                }
                button.small type="submit" name="do" value={ "remove-language:" (number) } { "Remove this language" }
            }
        }
    }

    /// What is said of a field in a further language.
    fn translated(&self, at: &str, said: &Said, place: usize, (row, words): (&Row, &Words)) -> Markup {
        let [label, hint, list] =
            ["label", "hint", "options"].map(|part| format!("{at}fields/{place}/{part}"));
        let wrong = |part: &str| self.wrong_at(&format!("/{at}fields/{}/{part}", row.name));
        let options = completed(&row.words.options, &words.options);
        let (own_label, own_hint) = (shortly(&row.words.label), shortly(&row.words.hint));
        let label = Field {
            hint: &own_label,
            faults: wrong("label"),
            ..self.words(&label, "What people read", &words.label, said)
        };
        let hint = Field {
            hint: &own_hint,
            faults: wrong("hint"),
            ..self.words(&hint, "More about it", &words.hint, said)
        };
        let list = Field {
            hint: TRANSLATED,
            faults: wrong("options"),
            ..self.words(&list, "Options", &options, said)
        };
        html! {
            fieldset {
                legend { "Field " (place + 1) @if !row.name.is_empty() { ": " (text::shown(&row.name)) } }
                (label.line())
                div hidden[row.words.hint.is_empty() && words.hint.is_empty()] { (hint.line()) }
                div hidden[!row.is_choice()] { (list.area(4)) }
            }
        }
    }

    fn languages(&self) -> Markup {
        html! {
            section.card {
                h2 { "Languages" }
                p { "People get the page in the language that their browser prefers, and can choose another. A language has all that the page says." }
                div.row {
                    (Field { hint: TAG, is_exact: true, ..self.field("new-language", "Further language", "") }.line())
                    button type="submit" name="do" value="add-language" { "Add a language" }
                }
            }
        }
    }
}
