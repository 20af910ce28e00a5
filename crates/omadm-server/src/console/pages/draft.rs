//! A page as it stands in the editor: what was typed, whether or not it can be a page.

use std::collections::BTreeMap;

use serde_json::json;

use crate::console::form::Form;
use crate::ui::Kind;

/// Most rows that are read, which is more than a page can have.
const MAX_ROWS: usize = 60;

/// A page in the editor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// Whether it is not kept yet.
    pub is_new: bool,
    /// What is asked: a kind of pages.
    pub kind: String,
    /// What it says in its own language.
    pub said: Said,
    /// Of a choice: its options, one on each line.
    pub options: String,
    /// Of a form: its fields.
    pub fields: Vec<Row>,
    /// What it says in further languages.
    pub further: Vec<Further>,
}

/// What a page says in one language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub language: String,
    pub title: String,
    pub text: String,
    pub button: String,
    pub decline: String,
}

/// A field of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub kind: String,
    pub is_required: bool,
    pub min: String,
    pub max: String,
    pub words: Words,
}

/// What is said of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    pub label: String,
    pub hint: String,
    /// Of a choice: its options, one on each line.
    pub options: String,
}

/// A page in a further language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Further {
    pub said: Said,
    pub options: String,
    /// By the places of the fields.
    pub fields: Vec<Words>,
}

/// The fields of a form by their names.
struct Given<'f>(BTreeMap<&'f str, &'f str>);

impl Given<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn line(&self, name: &str) -> String {
        self.0.get(name).map_or_else(String::new, |text| text.trim().to_owned())
    }

    fn lines(&self, name: &str) -> String {
        self.0.get(name).map_or_else(String::new, |text| text.replace("\r\n", "\n").trim_end().to_owned())
    }

    fn said(&self, at: &str) -> Said {
        Said {
            language: self.line(&format!("{at}language")),
            title: self.line(&format!("{at}title")),
            text: self.lines(&format!("{at}text")),
            button: self.line(&format!("{at}button")),
            decline: self.line(&format!("{at}decline")),
        }
    }

    fn words(&self, at: &str) -> Words {
        Words {
            label: self.line(&format!("{at}label")),
            hint: self.line(&format!("{at}hint")),
            options: self.lines(&format!("{at}options")),
        }
    }
}

impl Draft {
    /// A new page of a kind.
    pub fn new(kind: &str) -> Self {
        let said = Said { language: "en".to_owned(), ..Said::default() };
        let fields = if kind == "form" { vec![Row::new()] } else { Vec::new() };
        Self { is_new: true, kind: kind.to_owned(), said, fields, ..Self::default() }
    }

    /// What was typed.
    pub fn read(form: &Form) -> Self {
        let given = Given(form.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect());
        let rows = (0..MAX_ROWS).take_while(|number| given.has(&format!("fields/{number}/name")));
        let fields: Vec<Row> = rows
            .map(|number| {
                let at = format!("fields/{number}/");
                Row {
                    name: given.line(&format!("{at}name")),
                    kind: given.line(&format!("{at}type")),
                    is_required: given.has(&format!("{at}required")),
                    min: given.line(&format!("{at}min")),
                    max: given.line(&format!("{at}max")),
                    words: given.words(&at),
                }
            })
            .collect();
        let languages =
            (0..MAX_ROWS).take_while(|number| given.has(&format!("translations/{number}/language")));
        let further = languages
            .map(|number| {
                let at = format!("translations/{number}/");
                let fields =
                    (0..fields.len()).map(|row| given.words(&format!("{at}fields/{row}/"))).collect();
                Further { said: given.said(&at), options: given.lines(&format!("{at}options")), fields }
            })
            .collect();
        Self {
            name: given.line("name"),
            is_new: given.has("is-new"),
            kind: given.line("kind"),
            said: given.said(""),
            options: given.lines("options"),
            fields,
            further,
        }
    }

    /// Whether it is of a kind.
    pub fn is_a(&self, kind: Kind) -> bool {
        json!(kind) == self.kind
    }

    /// Adds a field, in every language.
    pub fn add_field(&mut self) {
        self.fields.push(Row::new());
        self.further.iter_mut().for_each(|further| further.fields.push(Words::default()));
    }

    /// Removes a field, in every language.
    pub fn remove_field(&mut self, number: usize) {
        if number < self.fields.len() {
            self.fields.remove(number);
            for further in self.further.iter_mut().filter(|further| number < further.fields.len()) {
                further.fields.remove(number);
            }
        }
    }

    /// Has a field change places with the one above it, in every language.
    pub fn raise_field(&mut self, number: usize) {
        if let Some(above) = number.checked_sub(1).filter(|_| number < self.fields.len()) {
            self.fields.swap(above, number);
            for further in self.further.iter_mut().filter(|further| number < further.fields.len()) {
                further.fields.swap(above, number);
            }
        }
    }

    /// Adds a language.
    pub fn add_language(&mut self, language: &str) {
        let said = Said { language: language.to_owned(), ..Said::default() };
        let fields = vec![Words::default(); self.fields.len()];
        self.further.push(Further { said, options: String::new(), fields });
    }
}

impl Row {
    fn new() -> Self {
        Self { kind: "text".to_owned(), ..Self::default() }
    }

    /// Whether one of several options goes into it.
    pub fn is_choice(&self) -> bool {
        self.kind == "choice"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_read_row_by_row() {
        let typed = [
            ("name", " place "),
            ("kind", "form"),
            ("title", "t"),
            ("language", "en"),
            ("text", "a\r\nb\r\n"),
            ("fields/0/name", "a"),
            ("fields/0/type", "choice"),
            ("fields/0/options", "x = X\r\ny"),
            ("fields/1/name", "b"),
            ("fields/1/min", "many"),
            ("fields/1/required", "on"),
            ("fields/3/name", "not reached"),
            ("translations/0/language", "de"),
            ("translations/0/fields/1/label", "B"),
        ];
        let form = Form(typed.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        let mut draft = Draft::read(&form);
        assert_eq!((draft.name.as_str(), draft.said.text.as_str(), draft.fields.len()), ("place", "a\nb", 2));
        assert!(draft.fields[1].is_required && !draft.is_new);
        assert_eq!(draft.further[0].fields[1].label, "B");
        let faults = draft.document().unwrap_err();
        assert_eq!((faults.len(), faults[0].pointer.as_str()), (1, "/fields/1/min"));

        draft.raise_field(1);
        assert_eq!((draft.fields[0].name.as_str(), draft.further[0].fields[0].label.as_str()), ("b", "B"));
        draft.raise_field(0);
        draft.remove_field(0);
        draft.remove_field(7);
        assert_eq!((draft.fields.len(), draft.further[0].fields.len()), (1, 1));
        draft.add_field();
        draft.add_language("fr");
        assert_eq!((draft.further[0].fields.len(), draft.further[1].fields.len()), (2, 2));
        assert_eq!(
            draft.document().unwrap()["fields"][0]["options"],
            json!([
            { "value": "x", "label": "X" }, { "value": "y", "label": "y" }])
        );
    }
}
