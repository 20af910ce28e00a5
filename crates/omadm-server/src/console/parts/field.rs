//! Fields of forms, each with what it is, what it wants, and what is wrong with what was typed.

use maud::{Markup, html};

use crate::console::text;
use crate::desired::Fault;
use crate::ui;

/// A field.
#[derive(Default)]
pub struct Field<'a> {
    /// Its name in the form, which is its id in the page, too.
    pub name: &'a str,
    /// What it is.
    pub label: &'a str,
    /// What it wants, beneath it; may be empty.
    pub hint: &'a str,
    /// What it holds.
    pub value: &'a str,
    /// What is wrong with that.
    pub faults: Vec<&'a str>,
    /// The list of what it offers, by its id.
    pub list: Option<&'a str>,
    /// An example of what it takes.
    pub example: &'a str,
    /// Whether it is something that a program reads: an address, a name.
    pub is_exact: bool,
    /// Whether it has to be filled in.
    pub is_required: bool,
    /// Whether it is shown, and cannot be changed.
    pub is_fixed: bool,
    /// Whether who comes to the page begins here.
    pub is_first: bool,
    /// The language of what is typed, as far as people read it.
    pub language: Option<&'a str>,
    /// The page that has a word about what is typed.
    pub asks: Option<&'a str>,
    /// It is a password, which is not shown: what browsers shall do about it, such as `new-password`.
    pub secret: Option<&'a str>,
}

impl Field<'_> {
    /// A field of one line.
    pub fn line(&self) -> Markup {
        self.around(&html! {
            input id=(self.name) name=(self.name) type=[self.secret.map(|_| "password")]
                value=[self.secret.is_none().then_some(self.value)] class=[self.class()] list=[self.list] placeholder=[self.example()]
                lang=[self.tag()] dir=[self.direction()] autocomplete=(self.secret.unwrap_or("off")) spellcheck=[self.is_exact.then_some("false")] autocapitalize=[self.is_exact.then_some("none")]
                required[self.is_required] readonly[self.is_fixed] autofocus[self.is_first]
                hx-get=[self.asks] hx-trigger=[self.asks.map(|_| "input changed delay:300ms")] hx-target=[self.asks.map(|_| "next .word")]
                aria-describedby=[self.described()] aria-invalid=[self.invalid()];
            @if self.asks.is_some() { div.word aria-live="polite" {} }
        })
    }

    /// A field of several lines.
    pub fn area(&self, rows: u8) -> Markup {
        self.around(&html! {
            textarea id=(self.name) name=(self.name) rows=(rows) lang=[self.tag()] dir=[self.direction()] placeholder=[self.example()] spellcheck=[self.is_exact.then_some("false")]
                autocapitalize=[self.is_exact.then_some("none")] required[self.is_required] readonly[self.is_fixed] autofocus[self.is_first]
                aria-describedby=[self.described()] aria-invalid=[self.invalid()] { "\n" (self.value) }
        })
    }

    /// A choice of values, each with its words.
    pub fn choice(&self, options: &[(&str, &str)]) -> Markup {
        self.around(&html! {
            select id=(self.name) name=(self.name) aria-describedby=[self.described()] aria-invalid=[self.invalid()] {
                @for (value, words) in options { option value=(value) selected[*value == self.value] { (words) } }
            }
        })
    }

    fn around(&self, field: &Markup) -> Markup {
        html! {
            div.stack.field {
                label for=(self.name) { (self.label) }
                (field)
                @if !self.hint.is_empty() { p.quiet id={ (self.name) "-hint" } { (self.hint) } }
                @if !self.faults.is_empty() {
                    div.fault id={ (self.name) "-fault" } { @for fault in &self.faults { p { (text::shown_long(fault)) } } }
                }
            }
        }
    }

    /// The language, if it is one at all.
    fn tag(&self) -> Option<&str> {
        self.language.filter(|tag| ui::is_name(tag))
    }

    fn direction(&self) -> Option<&'static str> {
        self.language.map(|tag| if ui::is_right_to_left(tag) { "rtl" } else { "auto" })
    }

    fn class(&self) -> Option<&'static str> {
        self.is_exact.then_some("mono")
    }

    fn example(&self) -> Option<&str> {
        Some(self.example).filter(|example| !example.is_empty())
    }

    fn described(&self) -> Option<String> {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let fault = (!self.faults.is_empty()).then(|| format!("{}-fault", self.name));
        let ids: Vec<String> = hint.into_iter().chain(fault).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    fn invalid(&self) -> Option<&'static str> {
        (!self.faults.is_empty()).then_some("true")
    }
}

/// What is wrong with a form that was refused, at its top; `id` gives the id of the field of a fault, if there is one.
pub fn faults(faults: &[Fault], id: impl Fn(&Fault) -> Option<String>) -> Markup {
    html! {
        @if !faults.is_empty() {
            div.problem #faults role="alert" {
                p { b { "Nothing was stored. " @if faults.len() == 1 { "One thing is wrong:" } @else { (faults.len()) " things are wrong:" } } }
                ul {
                    @for fault in faults {
                        li {
                            @match id(fault) {
                                Some(id) => a href={ "#" (id) } { (text::shown(&fault.at)) },
                                None => (text::shown(&fault.at)),
                            }
                            ": " (text::shown_long(&fault.what))
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_says_what_is_wrong_with_it() {
        let field = Field {
            name: "a.b",
            label: "A",
            hint: "Hint.",
            value: "\"<",
            faults: vec!["no"],
            ..Field::default()
        };
        let shown = field.line().into_string();
        assert!(shown.contains(r#"aria-describedby="a.b-hint a.b-fault" aria-invalid="true""#), "{shown}");
        assert!(
            shown.contains(r#"value="&quot;&lt;""#) && shown.contains(r#"id="a.b-fault"><p><bdi>no"#),
            "{shown}"
        );
        let plain = Field { name: "a", label: "A", value: "2", ..Field::default() }
            .choice(&[("1", "one"), ("2", "two")]);
        assert!(
            plain.clone().into_string().contains(r#"<option value="2" selected>two"#)
                && !plain.into_string().contains("aria")
        );
    }

    #[test]
    fn a_password_is_not_shown_again() {
        let field = Field { name: "p", value: "hush", secret: Some("new-password"), ..Field::default() };
        let shown = field.line().into_string();
        assert!(
            shown.contains(r#"type="password""#) && shown.contains("new-password") && !shown.contains("hush"),
            "{shown}"
        );
    }

    #[test]
    fn a_summary_leads_to_the_fields() {
        let fault =
            |pointer: &str| Fault { at: "there".into(), pointer: pointer.into(), what: "<no>".into() };
        let id = |fault: &Fault| (!fault.pointer.is_empty()).then(|| fault.pointer.clone());
        let shown = faults(&[fault("x"), fault("")], id).into_string();
        assert!(
            shown.contains("2 things are wrong")
                && shown.matches("href=\"#x\"").count() == 1
                && shown.contains("&lt;no&gt;")
        );
        assert_eq!(faults(&[], id).into_string(), "");
    }
}
