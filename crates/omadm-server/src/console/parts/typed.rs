//! Forms as they were typed, each with why it was refused beside the field that this is about.

use maud::{Markup, html};

use super::Field;
use crate::console::form::Form;
use crate::console::text;
use crate::operator::problem::Problem;

/// A form that is shown, perhaps again.
pub struct Typed<'f> {
    form: &'f Form,
    problem: Option<&'f Problem>,
    /// The field that the problem is about.
    field: Option<&'f str>,
}

impl<'f> Typed<'f> {
    /// A form that was refused, if it was. `words` are what a refusal says of fields: the first of them that it has names the field.
    pub fn new(form: &'f Form, problem: Option<&'f Problem>, words: &[(&str, &'f str)]) -> Self {
        let detail = problem.map(Problem::detail).unwrap_or_default();
        let field = words.iter().find(|(word, _)| detail.contains(word)).map(|(_, field)| *field);
        Self { form, problem, field }
    }

    /// What was typed.
    pub fn value(&self, name: &str) -> &'f str {
        self.form.get(name).unwrap_or_default()
    }

    /// A field with what was typed, to be completed.
    pub fn field(&self, name: &'f str, label: &'f str, hint: &'f str) -> Field<'f> {
        let fault = self.problem.filter(|_| self.field == Some(name));
        let faults = fault.map(Problem::detail).into_iter().collect();
        Field { name, label, hint, value: self.value(name), faults, ..Field::default() }
    }

    /// A field for something that a program reads: an address, a name.
    pub fn exact(&self, name: &'f str, label: &'f str, hint: &'f str) -> Field<'f> {
        Field { is_exact: true, ..self.field(name, label, hint) }
    }

    /// A box to tick.
    pub fn tick(&self, name: &str, label: &str) -> Markup {
        html! {
            label.tick { input id=(name) type="checkbox" name=(name) value="true" checked[self.form.get(name).is_some()]; (label) }
            @if let Some(problem) = self.problem.filter(|_| self.field == Some(name)) {
                p.fault { (text::shown_long(problem.detail())) }
            }
        }
    }

    /// What is said at the top of a form that was refused: why, and where if that is not here.
    pub fn refusal(&self) -> Markup {
        html! {
            @if let Some(problem) = self.problem {
                div.problem role="alert" {
                    p {
                        (text::shown_long(problem.detail()))
                        @if let Some(field) = self.field { " " a href={ "#" (field) } { "To the field" } }
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
    fn a_refusal_stands_beside_what_it_is_about() {
        let form = Form(vec![("id".into(), "<b>".into()), ("psk".into(), "true".into())]);
        let problem = Problem::bad("the device id: it has no scheme");
        let words = [("device id", "id"), ("scheme", "other")];
        let typed = Typed::new(&form, Some(&problem), &words);
        let field = typed.field("id", "Device id", "").line().into_string();
        assert!(field.contains("&lt;b&gt;") && field.contains("it has no scheme"), "{field}");
        assert!(!typed.field("other", "Other", "").line().into_string().contains("it has no scheme"));
        assert!(typed.refusal().into_string().contains("href=\"#id\""));
        assert!(typed.tick("psk", "Key").into_string().contains("checked"));
        let elsewhere = Typed::new(&form, Some(&problem), &[]);
        assert!(elsewhere.refusal().into_string().contains("it has no scheme"));
        assert_eq!(Typed::new(&form, None, &words).refusal().into_string(), "");
    }
}
