//! Pages as operators define them.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

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
    /// Says what is wrong with the definition, if something is.
    ///
    /// # Errors
    /// One sentence.
    pub fn check(&self) -> Result<(), String> {
        short("title", &self.title, MAX_LABEL)?;
        if self.title.trim().is_empty() {
            return Err("the title is empty".into());
        }
        short("text", &self.text, MAX_TEXT)?;
        for label in [&self.button, &self.decline].into_iter().flatten() {
            short("name of a button", label, MAX_LABEL)?;
        }
        if !is_name(&self.language) {
            return Err(format!(
                "{:?} is no language; write a BCP 47 tag such as en or pt-BR",
                self.language
            ));
        }
        if self.decline.is_some() && self.kind != Kind::Consent {
            return Err("only a consent has \"decline\"".into());
        }
        match (self.kind, self.options.is_empty(), self.fields.is_empty()) {
            (Kind::Choice, false, true) => check_options(&self.options),
            (Kind::Form, true, false) => self.check_fields(),
            (Kind::Notice | Kind::Consent, true, true) => Ok(()),
            (Kind::Choice, ..) => Err("a choice needs \"options\", and has no \"fields\"".into()),
            (Kind::Form, ..) => Err("a form needs \"fields\", and has no \"options\"".into()),
            (Kind::Notice | Kind::Consent, ..) => {
                Err("a notice or consent has neither \"options\" nor \"fields\"".into())
            }
        }
    }

    fn check_fields(&self) -> Result<(), String> {
        if self.fields.len() > MAX_FIELDS {
            return Err(format!("a form has at most {MAX_FIELDS} fields"));
        }
        let mut names = HashSet::new();
        for field in &self.fields {
            if !is_name(&field.name) || !names.insert(&field.name) {
                return Err(format!(
                    "the field name {:?} is there twice, or is not 1 to {MAX_NAME} letters, digits, -, _ and .",
                    field.name
                ));
            }
            field.check().map_err(|problem| format!("the field {:?}: {problem}", field.name))?;
        }
        Ok(())
    }
}

impl Field {
    /// Most characters that may be written into it.
    pub fn longest(&self) -> usize {
        self.max.and_then(|max| usize::try_from(max).ok()).map_or(MAX_WRITTEN, |max| max.min(MAX_WRITTEN))
    }

    fn check(&self) -> Result<(), String> {
        short("label", &self.label, MAX_LABEL)?;
        short("hint", self.hint.as_deref().unwrap_or_default(), MAX_LABEL)?;
        let bounded = matches!(self.kind, FieldKind::Text | FieldKind::Paragraph | FieldKind::Integer);
        if !bounded && (self.min.is_some() || self.max.is_some()) {
            return Err("only text, paragraph and integer have \"min\" and \"max\"".into());
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err("\"min\" is greater than \"max\"".into());
        }
        let longest = i64::try_from(MAX_WRITTEN).unwrap_or(i64::MAX);
        let lengths = self.kind != FieldKind::Integer;
        if bounded
            && lengths
            && [self.min, self.max].into_iter().flatten().any(|n| !(0..=longest).contains(&n))
        {
            return Err(format!("\"min\" and \"max\" of a text are 0 to {MAX_WRITTEN}"));
        }
        match (self.kind, self.options.is_empty()) {
            (FieldKind::Choice, _) => check_options(&self.options),
            (_, true) => Ok(()),
            (_, false) => Err("only a choice has \"options\"".into()),
        }
    }
}

/// Whether a text can be the name of a page or field.
pub fn is_name(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(legal)
}

fn check_options(options: &[Choice]) -> Result<(), String> {
    if options.is_empty() || options.len() > MAX_OPTIONS {
        return Err(format!("a choice has 1 to {MAX_OPTIONS} options"));
    }
    let mut values = HashSet::new();
    for Choice { value, label } in options {
        short("label of an option", label, MAX_LABEL)?;
        if !values.insert(value) || !(1..=MAX_LABEL).contains(&value.chars().count()) {
            return Err(format!(
                "the option {value:?} is there twice, or is not 1 to {MAX_LABEL} characters"
            ));
        }
    }
    Ok(())
}

fn short(what: &str, text: &str, most: usize) -> Result<(), String> {
    match text.chars().count() {
        length if length > most => Err(format!("the {what} has {length} characters, the limit is {most}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(page: Value) -> Result<(), String> {
        serde_json::from_value::<Page>(page).map_err(|error| error.to_string())?.check()
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
            assert_eq!(check(good.clone()), Ok(()), "{good}");
        }
        for bad in [
            json!({ "kind": "other", "title": "t" }),
            json!({ "kind": "notice", "title": " " }),
            json!({ "kind": "notice", "title": "t", "more": 1 }),
            json!({ "kind": "notice", "title": "t", "decline": "no" }),
            json!({ "kind": "notice", "title": "t", "options": one }),
            json!({ "kind": "notice", "title": "t", "language": "\"><script>" }),
            json!({ "kind": "choice", "title": "t" }),
            json!({ "kind": "form", "title": "t", "fields": [] }),
            form(json!({ "name": "a b", "label": "l", "type": "text" })),
            form(json!({ "name": "a", "label": "l", "type": "text", "min": 5, "max": 4 })),
            form(json!({ "name": "a", "label": "l", "type": "date", "min": 5 })),
            form(json!({ "name": "a", "label": "l", "type": "choice" })),
            form(json!({ "name": "a", "label": "l", "type": "text", "options": one })),
        ] {
            assert!(check(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_bounds_hold_at_their_edges() {
        let title = |length| check(json!({ "kind": "notice", "title": "ä".repeat(length) }));
        assert!(title(MAX_LABEL).is_ok() && title(MAX_LABEL + 1).is_err());
        let text = |length| check(json!({ "kind": "notice", "title": "t", "text": "ä".repeat(length) }));
        assert!(text(MAX_TEXT).is_ok() && text(MAX_TEXT + 1).is_err());
        let choice = |count| check(json!({ "kind": "choice", "title": "t", "options": options(count) }));
        assert!(choice(MAX_OPTIONS).is_ok() && choice(MAX_OPTIONS + 1).is_err() && choice(0).is_err());
        let fields = |count: usize| {
            let field = |number| json!({ "name": format!("f{number}"), "label": "l", "type": "text" });
            check(
                json!({ "kind": "form", "title": "t", "fields": (0..count).map(field).collect::<Vec<_>>() }),
            )
        };
        assert!(fields(MAX_FIELDS).is_ok() && fields(MAX_FIELDS + 1).is_err());
        let longest = |max| check(form(json!({ "name": "a", "label": "l", "type": "text", "max": max })));
        assert!(longest(MAX_WRITTEN).is_ok() && longest(MAX_WRITTEN + 1).is_err());
        assert!(is_name(&"a".repeat(MAX_NAME)) && !is_name(&"a".repeat(MAX_NAME + 1)) && !is_name(""));
    }
}
