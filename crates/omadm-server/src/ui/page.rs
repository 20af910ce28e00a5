//! Pages as operators define them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most characters that a user can write into a field.
pub const MAX_WRITTEN: usize = 4_000;

/// What a user is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PageDefinition)]
pub struct Page {
    /// What is asked of the user.
    pub kind: Kind,
    /// Its title.
    pub title: String,
    /// What there is to say; an empty line begins a paragraph.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Language of all texts, as a BCP 47 tag. Default `en`.
    #[serde(default = "english")]
    pub language: String,
    /// Name of the button that sends the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub button: Option<String>,
    /// `consent`: name of the button that declines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline: Option<String>,
    /// `choice`: what there is to choose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
    /// `form`: its fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// The same in further languages. A user gets the language that their browser prefers, and can choose another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub translations: Vec<Translation>,
}

/// All texts of a page in another language: nobody reads two languages on one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PageTranslation)]
pub struct Translation {
    /// Its language, as a BCP 47 tag.
    pub language: String,
    /// The title.
    pub title: String,
    /// What there is to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Name of the button that sends the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub button: Option<String>,
    /// `consent`: name of the button that declines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline: Option<String>,
    /// `choice`: what the user reads, by the value of the option.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// `form`: what is said of its fields, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldTexts>,
}

/// What is said of a field in another language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PageFieldTexts)]
pub struct FieldTexts {
    /// What the user reads.
    pub label: String,
    /// More about it for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// `choice`: what the user reads, by the value of the option.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

fn english() -> String {
    "en".to_owned()
}

/// What is asked of the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PageKind)]
pub enum Kind {
    /// To have seen it.
    Notice,
    /// Yes or no.
    Consent,
    /// One of several options.
    Choice,
    /// To fill in fields.
    Form,
}

/// One thing to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PageOption)]
pub struct Choice {
    /// What the answer says.
    pub value: String,
    /// What the user reads.
    pub label: String,
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PageField)]
pub struct Field {
    /// What the answer calls it: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What the user reads.
    pub label: String,
    /// What goes into it.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// Whether it has to be filled in; of a checkbox, whether it has to be checked. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// More about it for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// `integer`: least value. `text` and `paragraph`: fewest characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// `integer`: greatest value. `text` and `paragraph`: most characters, at most 4000, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// `choice`: what there is to choose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
}

/// What goes into a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PageFieldType)]
pub enum FieldKind {
    /// A line.
    Text,
    /// Several lines.
    Paragraph,
    /// A whole number.
    Integer,
    /// A day.
    Date,
    /// True or false.
    Checkbox,
    /// One of several options.
    Choice,
}

impl Page {
    /// The languages in which it is there: its own first.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        let further = self.translations.iter().map(|translation| translation.language.as_str());
        std::iter::once(self.language.as_str()).chain(further)
    }

    /// Its language that is closest to a tag: that language, the same without what follows in the tag, or one of its kind (`RFC 4647 §3.4`).
    pub fn language_for(&self, tag: &str) -> Option<&str> {
        let same = |wanted: &str| self.languages().find(|language| language.eq_ignore_ascii_case(wanted));
        let mut wanted = tag;
        loop {
            if let Some(language) = same(wanted) {
                return Some(language);
            }
            let Some((shorter, _)) = wanted.rsplit_once('-') else { break };
            wanted = shorter;
        }
        let of_kind = |language: &&str| {
            language.split('-').next().is_some_and(|first| first.eq_ignore_ascii_case(wanted))
        };
        self.languages().find(of_kind)
    }

    /// The page in one of its languages, without the others; what is no language of it gives its own.
    pub fn in_language(&self, language: &str) -> Self {
        let translation = self.translations.iter().find(|translation| translation.language == language);
        let mut page = Self { translations: Vec::new(), ..self.clone() };
        let Some(said) = translation.cloned() else { return page };
        page.language = said.language;
        page.title = said.title;
        page.text = said.text;
        page.button = said.button;
        page.decline = said.decline;
        translate(&mut page.options, &said.options);
        for field in &mut page.fields {
            let Some(texts) = said.fields.get(&field.name) else { continue };
            field.label.clone_from(&texts.label);
            field.hint.clone_from(&texts.hint);
            translate(&mut field.options, &texts.options);
        }
        page
    }
}

/// Gives options the labels of another language.
fn translate(options: &mut [Choice], labels: &BTreeMap<String, String>) {
    for option in options {
        if let Some(label) = labels.get(&option.value) {
            option.label.clone_from(label);
        }
    }
}

impl Field {
    /// Most characters that may be written into it.
    pub fn longest(&self) -> usize {
        self.max.and_then(|max| usize::try_from(max).ok()).map_or(MAX_WRITTEN, |max| max.min(MAX_WRITTEN))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page() -> Page {
        let definition = json!({
            "kind": "form", "title": "Place", "text": "Where?", "language": "en", "button": "Go",
            "fields": [{ "name": "use", "label": "Use", "type": "choice", "hint": "Main use", "options": [
                { "value": "lab", "label": "Laboratory" }] }],
            "translations": [
                { "language": "de-AT", "title": "Ort", "text": "Wo?", "button": "Los", "fields": {
                    "use": { "label": "Nutzung", "hint": "Hauptsache", "options": { "lab": "Labor" } } } },
                { "language": "pt", "title": "Lugar", "text": "Onde?", "button": "Ir", "fields": {
                    "use": { "label": "Uso", "hint": "Principal", "options": { "lab": "Laboratório" } } } },
            ],
        });
        serde_json::from_value(definition).unwrap()
    }

    #[test]
    fn a_page_is_in_the_language_that_is_closest() {
        let page = page();
        for (tag, found) in [
            ("en", Some("en")),
            ("EN-us", Some("en")),
            ("de", Some("de-AT")),
            ("de-CH", Some("de-AT")),
            ("pt-BR", Some("pt")),
            ("p", None),
            ("fr", None),
            ("", None),
        ] {
            assert_eq!(page.language_for(tag), found, "{tag}");
        }
    }

    #[test]
    fn a_translation_replaces_every_text() {
        let german = page().in_language("de-AT");
        assert_eq!(
            (german.title.as_str(), german.text.as_str(), german.button.as_deref()),
            ("Ort", "Wo?", Some("Los"))
        );
        let field = &german.fields[0];
        assert_eq!((field.label.as_str(), field.hint.as_deref()), ("Nutzung", Some("Hauptsache")));
        assert_eq!((field.options[0].value.as_str(), field.options[0].label.as_str()), ("lab", "Labor"));
        assert!(german.translations.is_empty() && german.language == "de-AT");
        assert_eq!(page().in_language("xx").title, "Place");
    }
}
