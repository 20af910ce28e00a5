//! Between a page in the editor and the document of the API.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::draft::{Draft, Further, Row, Said, Words};
use crate::desired::Fault;
use crate::ui::{Choice, Kind, Page, Translation};

/// Between the value of an option and what people read.
const EQUALS: &str = " = ";

impl Draft {
    /// A page that is kept; `None` for one that has what the editor cannot show, such as an option with a line break.
    pub fn of(name: &str, page: &Page) -> Option<Self> {
        let document = json!(page);
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let fields = page.fields.iter().map(|field| Row {
            name: field.name.clone(),
            kind: json!(field.kind).as_str().unwrap_or_default().to_owned(),
            is_required: field.required,
            min: field.min.map_or_else(String::new, |min| min.to_string()),
            max: field.max.map_or_else(String::new, |max| max.to_string()),
            words: Words {
                label: field.label.clone(),
                hint: field.hint.clone().unwrap_or_default(),
                options: lines(&field.options),
            },
        });
        let draft = Self {
            name: name.to_owned(),
            is_new: false,
            kind: text("kind"),
            said: Said {
                language: page.language.clone(),
                title: page.title.clone(),
                text: page.text.clone(),
                button: page.button.clone().unwrap_or_default(),
                decline: page.decline.clone().unwrap_or_default(),
            },
            options: lines(&page.options),
            fields: fields.collect(),
            further: page.translations.iter().map(|translation| Further::of(page, translation)).collect(),
        };
        let same = draft.document().ok().is_some_and(|again| again == document);
        same.then_some(draft)
    }

    /// The document for the API.
    ///
    /// # Errors
    /// What cannot be in a document at all, such as a number that is none.
    pub fn document(&self) -> Result<Value, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut document = self.said.document();
        document.insert("kind".to_owned(), self.kind.clone().into());
        if self.is_a(Kind::Choice) && !self.options.is_empty() {
            document.insert("options".to_owned(), json!(options(&self.options)));
        }
        if self.is_a(Kind::Form) && !self.fields.is_empty() {
            let rows = self.fields.iter().enumerate();
            let fields: Vec<Value> = rows.map(|(number, row)| row.document(number, &mut faults)).collect();
            document.insert("fields".to_owned(), fields.into());
        }
        if !self.further.is_empty() {
            let further: Vec<Value> = self.further.iter().map(|further| further.document(self)).collect();
            document.insert("translations".to_owned(), further.into());
        }
        if faults.is_empty() { Ok(document.into()) } else { Err(faults) }
    }
}

impl Said {
    fn document(&self) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("language".to_owned(), self.language.clone().into());
        document.insert("title".to_owned(), self.title.clone().into());
        for (name, text) in [("text", &self.text), ("button", &self.button), ("decline", &self.decline)] {
            if !text.is_empty() {
                document.insert(name.to_owned(), text.clone().into());
            }
        }
        document
    }
}

impl Row {
    fn document(&self, number: usize, faults: &mut Vec<Fault>) -> Value {
        let mut document = Map::new();
        let words = &self.words;
        for (name, text) in [("name", &self.name), ("label", &words.label), ("type", &self.kind)] {
            document.insert(name.to_owned(), text.clone().into());
        }
        if self.is_required {
            document.insert("required".to_owned(), true.into());
        }
        if !words.hint.is_empty() {
            document.insert("hint".to_owned(), words.hint.clone().into());
        }
        for (name, text) in
            [("min", &self.min), ("max", &self.max)].into_iter().filter(|(_, text)| !text.is_empty())
        {
            match text.parse::<i64>() {
                Ok(bound) => drop(document.insert(name.to_owned(), bound.into())),
                Err(_) => faults.push(Fault {
                    at: format!("fields/{number}/{name}"),
                    pointer: format!("/fields/{number}/{name}"),
                    what: format!("{text:?} is no whole number"),
                }),
            }
        }
        if self.is_choice() && !words.options.is_empty() {
            document.insert("options".to_owned(), json!(options(&words.options)));
        }
        document.into()
    }
}

impl Further {
    fn of(page: &Page, translation: &Translation) -> Self {
        let said = Said {
            language: translation.language.clone(),
            title: translation.title.clone(),
            text: translation.text.clone(),
            button: translation.button.clone().unwrap_or_default(),
            decline: translation.decline.clone().unwrap_or_default(),
        };
        let fields = page.fields.iter().map(|field| {
            let texts = translation.fields.get(&field.name).cloned().unwrap_or_default();
            let options = translated(&field.options, &texts.options);
            Words { label: texts.label, hint: texts.hint.unwrap_or_default(), options }
        });
        Self { said, options: translated(&page.options, &translation.options), fields: fields.collect() }
    }

    fn document(&self, draft: &Draft) -> Value {
        let mut document = self.said.document();
        if draft.is_a(Kind::Choice) && !self.options.is_empty() {
            document.insert("options".to_owned(), json!(labels(&self.options)));
        }
        if draft.is_a(Kind::Form) {
            let mut fields = Map::new();
            for (row, words) in draft.fields.iter().zip(&self.fields) {
                let mut texts = Map::from_iter([("label".to_owned(), words.label.clone().into())]);
                if !words.hint.is_empty() {
                    texts.insert("hint".to_owned(), words.hint.clone().into());
                }
                if row.is_choice() && !words.options.is_empty() {
                    texts.insert("options".to_owned(), json!(labels(&words.options)));
                }
                fields.insert(row.name.clone(), texts.into());
            }
            if !fields.is_empty() {
                document.insert("fields".to_owned(), fields.into());
            }
        }
        document.into()
    }
}

/// Options as they are written, one on each line.
fn lines(options: &[Choice]) -> String {
    let lines: Vec<String> = options
        .iter()
        .map(|option| match option.value == option.label {
            true => option.value.clone(),
            false => format!("{}{EQUALS}{}", option.value, option.label),
        })
        .collect();
    lines.join("\n")
}

/// Options in another language as they are written; those that are not translated wait for it.
fn translated(options: &[Choice], labels: &BTreeMap<String, String>) -> String {
    let label = |value: &str| labels.get(value).map(String::as_str).unwrap_or_default();
    let lines: Vec<String> =
        options.iter().map(|option| format!("{}{EQUALS}{}", option.value, label(&option.value))).collect();
    lines.join("\n")
}

/// The lines that are not empty, as values and labels; what has no label is one.
fn pairs(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| match line.split_once(EQUALS) {
        Some((value, label)) => (value.trim(), label.trim()),
        None => match line.strip_suffix(EQUALS.trim_end()) {
            Some(value) => (value.trim(), ""),
            None => (line, line),
        },
    })
}

fn options(lines: &str) -> Vec<Choice> {
    let option = |(value, label): (&str, &str)| Choice { value: value.to_owned(), label: label.to_owned() };
    pairs(lines).map(option).collect()
}

fn labels(lines: &str) -> BTreeMap<String, String> {
    pairs(lines).map(|(value, label)| (value.to_owned(), label.to_owned())).collect()
}

/// Lines of a translation with one for each option that has none yet.
pub fn completed(options: &str, translated: &str) -> String {
    let known = labels(translated);
    let missing = pairs(options).filter(|(value, _)| !known.contains_key(*value));
    let missing: Vec<String> = missing.map(|(value, _)| format!("{value}{EQUALS}")).collect();
    let lines = Some(translated.to_owned()).filter(|lines| !lines.is_empty());
    lines.into_iter().chain(missing).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let definition = json!({
            "kind": "form", "title": "Place", "text": "a\n\nb", "language": "en", "button": "Go",
            "fields": [
                { "name": "floor", "label": "Floor", "type": "integer", "required": true, "min": -3, "max": 9 },
                { "name": "use", "label": "Use", "type": "choice", "hint": "h", "options": [
                    { "value": "lab", "label": "Laboratory" }, { "value": "shop", "label": "shop" }] } ],
            "translations": [{ "language": "de", "title": "Ort", "text": "a\n\nb", "button": "Los", "fields": {
                "floor": { "label": "Stock" },
                "use": { "label": "Nutzung", "hint": "h", "options": { "lab": "Labor", "shop": "Laden" } } } }],
        });
        serde_json::from_value(definition).unwrap()
    }

    #[test]
    fn a_page_comes_out_of_the_editor_as_it_went_in() {
        let page = page();
        let draft = Draft::of("place", &page).unwrap();
        assert_eq!(draft.document().unwrap(), json!(page));
        assert_eq!(draft.fields[1].words.options, "lab = Laboratory\nshop");
        assert_eq!(draft.further[0].fields[1].options, "lab = Labor\nshop = Laden");
        let mut odd = page;
        odd.fields[1].options[0].value = "a = b".to_owned();
        assert_eq!(Draft::of("place", &odd), None);
    }

    #[test]
    fn options_wait_for_their_translation() {
        assert_eq!(completed("a = A\nb", "a = Ä"), "a = Ä\nb = ");
        assert_eq!(completed("a", ""), "a = ");
        assert_eq!(
            labels("a = Ä\nb ="),
            BTreeMap::from([("a".into(), "Ä".into()), ("b".into(), String::new())])
        );
    }
}
