//! A question to the user of a device, as operators write it (`DM 1.3 PROTO §10`).

use std::time::Duration;

use omadm_session::dm1::server::{InputType, Question as Asked, QuestionKind};
use serde::{Deserialize, Serialize};

/// Most characters of a text or of a choice: what devices are known to show.
const MAX_TEXT: usize = 1_000;
/// Most choices.
const MAX_CHOICES: usize = 100;
/// Most seconds and characters that can be asked for.
const MAX_NUMBER: u32 = 86_400;

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Question {
    /// What is shown, 1 to 1000 characters.
    pub text: String,
    /// What is wanted. Default `display`.
    pub kind: Kind,
    /// `one`, `many`: what can be chosen, 1 to 100 texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// What stands there first: `confirm`: `yes` or `no`; `input`: a text; `one`, `many`: numbers from 1 with commas between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// `input`: most characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// `input`: what may be typed in. Default `alphanumeric`.
    pub input: Input,
    /// `input`: what is typed in cannot be seen, as a password.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Seconds for which it is shown at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_display: Option<u32>,
    /// Seconds that the user has to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_display: Option<u32>,
}

/// What a question wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = QuestionKind)]
pub enum Kind {
    /// Nothing: the text is shown.
    #[default]
    Display,
    /// Yes or no.
    Confirm,
    /// A text.
    Input,
    /// One of the choices.
    One,
    /// Any of the choices.
    Many,
}

/// What may be typed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they speak for themselves")]
#[schema(as = QuestionInput)]
pub enum Input {
    #[default]
    Alphanumeric,
    Numeric,
    Date,
    Time,
    Phone,
    Ipv4,
}

impl Question {
    /// As the engine asks it.
    ///
    /// # Errors
    /// One sentence on what is wrong with it.
    pub fn to_engine(&self) -> Result<Asked, String> {
        text("the text", &self.text)?;
        let numbers = [
            ("max_length", self.max_length),
            ("min_display", self.min_display),
            ("max_display", self.max_display),
        ];
        for (name, number) in numbers {
            if number.is_some_and(|number| !(1..=MAX_NUMBER).contains(&number)) {
                return Err(format!("{name} has to be 1 to {MAX_NUMBER}"));
            }
        }
        let is_choice = matches!(self.kind, Kind::One | Kind::Many);
        if is_choice == self.choices.is_empty() || self.choices.len() > MAX_CHOICES {
            return Err(format!(
                "the kinds \"one\" and \"many\", and no others, have 1 to {MAX_CHOICES} choices"
            ));
        }
        self.choices.iter().try_for_each(|choice| text("a choice", choice))?;
        let is_plain = self.max_length.is_none() && self.input == Input::default() && !self.hidden;
        if self.kind != Kind::Input && !is_plain {
            return Err("max_length, input and hidden are for the kind \"input\"".into());
        }
        let seconds = |number: Option<u32>| number.map(|number| Duration::from_secs(number.into()));
        Ok(Asked {
            kind: self.kind()?,
            text: self.text.clone(),
            min_display: seconds(self.min_display),
            max_display: seconds(self.max_display),
        })
    }

    fn kind(&self) -> Result<QuestionKind, String> {
        Ok(match self.kind {
            Kind::Display if self.default.is_some() => {
                return Err("the kind \"display\" has no default".into());
            }
            Kind::Display => QuestionKind::Display,
            Kind::Confirm => QuestionKind::Confirm { default: self.yes_or_no()? },
            Kind::Input => QuestionKind::Text {
                default: self.default.clone().unwrap_or_default(),
                max_length: self.max_length.and_then(|most| usize::try_from(most).ok()),
                input: self.input.into(),
                hidden: self.hidden,
            },
            Kind::One => {
                let default = self.chosen_first(1)?.first().copied();
                QuestionKind::Single { choices: self.choices.clone(), default }
            }
            Kind::Many => {
                let defaults = self.chosen_first(self.choices.len())?;
                QuestionKind::Multiple { choices: self.choices.clone(), defaults }
            }
        })
    }

    fn yes_or_no(&self) -> Result<Option<bool>, String> {
        match self.default.as_deref() {
            None => Ok(None),
            Some("yes") => Ok(Some(true)),
            Some("no") => Ok(Some(false)),
            Some(_) => Err("the default of a confirmation is \"yes\" or \"no\"".into()),
        }
    }

    /// At most so many of the choices, by number.
    fn chosen_first(&self, most: usize) -> Result<Vec<usize>, String> {
        let number = |text: &str| {
            let number: usize = text.trim().parse().ok()?;
            (1..=self.choices.len()).contains(&number).then_some(number)
        };
        let numbers: Option<Vec<usize>> = self
            .default
            .as_deref()
            .unwrap_or_default()
            .split(',')
            .filter(|text| !text.is_empty())
            .map(number)
            .collect();
        match numbers {
            Some(numbers) if numbers.len() <= most => Ok(numbers),
            _ => Err(format!("the default names up to {most} of the choices by number, from 1")),
        }
    }
}

fn text(what: &str, text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if !(1..=MAX_TEXT).contains(&length) || text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(format!(
            "{what} has 1 to {MAX_TEXT} characters, and no control characters but line feeds"
        ));
    }
    Ok(())
}

impl From<Input> for InputType {
    fn from(input: Input) -> Self {
        match input {
            Input::Alphanumeric => Self::Alphanumeric,
            Input::Numeric => Self::Numeric,
            Input::Date => Self::Date,
            Input::Time => Self::Time,
            Input::Phone => Self::Phone,
            Input::Ipv4 => Self::Ipv4,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(value: serde_json::Value) -> Result<QuestionKind, String> {
        let question: Question = serde_json::from_value(value).unwrap();
        question.to_engine().map(|asked| asked.kind)
    }

    #[test]
    fn questions_are_what_operators_write() {
        assert_eq!(asked(json!({ "text": "Hello" })), Ok(QuestionKind::Display));
        let confirm = asked(json!({ "text": "Now?", "kind": "confirm", "default": "yes" }));
        assert_eq!(confirm, Ok(QuestionKind::Confirm { default: Some(true) }));
        let input = asked(
            json!({ "text": "PIN", "kind": "input", "max_length": 4, "input": "numeric", "hidden": true }),
        );
        let expected = QuestionKind::Text {
            default: String::new(),
            max_length: Some(4),
            input: InputType::Numeric,
            hidden: true,
        };
        assert_eq!(input, Ok(expected));
        let many =
            asked(json!({ "text": "Which?", "kind": "many", "choices": ["a", "b", "c"], "default": "1,3" }));
        assert!(matches!(many, Ok(QuestionKind::Multiple { defaults, .. }) if defaults == [1, 3]));
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for bad in [
            json!({}),
            json!({ "text": "" }),
            json!({ "text": "x".repeat(1001) }),
            json!({ "text": "a\u{7}" }),
            json!({ "text": "a", "kind": "one" }),
            json!({ "text": "a", "choices": ["b"] }),
            json!({ "text": "a", "kind": "one", "choices": ["b", "c"], "default": "1,2" }),
            json!({ "text": "a", "kind": "one", "choices": ["b"], "default": "2" }),
            json!({ "text": "a", "kind": "many", "choices": ["b"], "default": "x" }),
            json!({ "text": "a", "kind": "confirm", "default": "maybe" }),
            json!({ "text": "a", "default": "x" }),
            json!({ "text": "a", "hidden": true }),
            json!({ "text": "a", "max_display": 0 }),
        ] {
            assert!(asked(bad.clone()).is_err(), "{bad}");
        }
    }
}
