//! `omadm run DEVICE ask`: a question to the user of a device of DM 1.x.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

/// Ask the user of the device (DM 1.x; devices of DM 2.0 show pages).
#[derive(Debug, Args)]
pub struct Ask {
    /// What is shown.
    text: String,
    /// What is wanted: nothing, yes or no, a text, one of the choices, or any of them.
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
    /// What can be chosen; once for each choice.
    #[arg(long = "choice", value_name = "TEXT")]
    choices: Vec<String>,
    /// What stands there first: `yes` or `no`, a text, or numbers of choices with commas between.
    #[arg(long, value_name = "ANSWER")]
    default: Option<String>,
    /// Most characters of a text.
    #[arg(long, value_name = "N")]
    max_length: Option<u32>,
    /// What may be typed in.
    #[arg(long, value_enum)]
    input: Option<Input>,
    /// What is typed in cannot be seen, as a password.
    #[arg(long)]
    hidden: bool,
    /// Seconds for which it is shown at least.
    #[arg(long, value_name = "SECS")]
    min_display: Option<u32>,
    /// Seconds that the user has to answer.
    #[arg(long, value_name = "SECS")]
    max_display: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Kind {
    #[default]
    Display,
    Confirm,
    Input,
    One,
    Many,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Input {
    Alphanumeric,
    Numeric,
    Date,
    Time,
    Phone,
    Ipv4,
}

impl Ask {
    /// The request without its options.
    pub fn to_json(&self) -> Vec<(&'static str, Value)> {
        let name = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
            value().map(|value| Value::from(value.get_name()))
        };
        let members = [
            ("text", Some(self.text.as_str().into())),
            ("kind", name(&|| self.kind.to_possible_value())),
            ("choices", (!self.choices.is_empty()).then(|| self.choices.clone().into())),
            ("default", self.default.as_deref().map(Value::from)),
            ("max_length", self.max_length.map(Value::from)),
            ("input", name(&|| self.input?.to_possible_value())),
            ("hidden", self.hidden.then(|| true.into())),
            ("min_display", self.min_display.map(Value::from)),
            ("max_display", self.max_display.map(Value::from)),
        ];
        let question: Map<String, Value> =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        vec![("verb", "ask".into()), ("question", question.into())]
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        ask: Ask,
    }

    fn question(words: &[&str]) -> Value {
        let line = Line::try_parse_from(std::iter::once("ask").chain(words.iter().copied())).unwrap();
        line.ask.to_json().pop().unwrap().1
    }

    #[test]
    fn a_question_is_what_was_written() {
        assert_eq!(question(&["Hello"]), json!({ "text": "Hello", "kind": "display" }));
        let many =
            question(&["Which?", "--kind", "many", "--choice", "a", "--choice", "b", "--default", "1,2"]);
        let expected = json!({ "text": "Which?", "kind": "many", "choices": ["a", "b"], "default": "1,2" });
        assert_eq!(many, expected);
        let pin =
            question(&["PIN", "--kind", "input", "--input", "numeric", "--hidden", "--max-length", "4"]);
        assert_eq!(
            (&pin["input"], &pin["hidden"], &pin["max_length"]),
            (&json!("numeric"), &json!(true), &json!(4))
        );
    }
}
