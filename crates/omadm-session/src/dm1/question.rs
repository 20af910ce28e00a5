//! What users are asked, as both sides name it, and the options of the alerts that ask (`DM 1.3 PROTO §10`).

use core::time::Duration;

use omadm_codec::dm1::AlertCode;

use super::InputType;

/// What kind of answer is wanted. Numbers of choices count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionKind {
    /// 1100: none; the text is shown.
    Display,
    /// 1101: yes or no.
    Confirm {
        /// `DR`: which one is highlighted.
        default: Option<bool>,
    },
    /// 1102: a text.
    Text {
        /// `DR`: what stands there at first.
        default: String,
        /// `MAXLEN`: most characters, from 1.
        max_length: Option<usize>,
        /// `IT`.
        input: InputType,
        /// `ET` is `P`: what is typed is not shown, as of a password.
        hidden: bool,
    },
    /// 1103: one of these.
    Single {
        /// One or more, in order.
        choices: Vec<String>,
        /// `DR`.
        default: Option<usize>,
    },
    /// 1104: any of these.
    Multiple {
        /// One or more, in order.
        choices: Vec<String>,
        /// `DR`.
        defaults: Vec<usize>,
    },
}

impl QuestionKind {
    /// The alert that asks it.
    pub(super) fn alert(&self) -> AlertCode {
        match self {
            Self::Display => AlertCode::Display,
            Self::Confirm { .. } => AlertCode::ConfirmOrReject,
            Self::Text { .. } => AlertCode::TextInput,
            Self::Single { .. } => AlertCode::SingleChoice,
            Self::Multiple { .. } => AlertCode::MultipleChoice,
        }
    }

    /// What can be chosen; nothing of other kinds.
    pub(super) fn choices(&self) -> &[String] {
        match self {
            Self::Single { choices, .. } | Self::Multiple { choices, .. } => choices,
            Self::Display | Self::Confirm { .. } | Self::Text { .. } => &[],
        }
    }
}

/// The options of an alert as written, each the last of its name. Unknown ones, and those with values that they cannot have, are
/// skipped.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `MINDT`: to be shown at least so long.
    pub(super) min_display: Option<Duration>,
    /// `MAXDT`: to be shown at most so long.
    pub(super) max_display: Option<Duration>,
    /// `DR`.
    pub(super) default: Option<String>,
    max_length: Option<usize>,
    input: InputType,
    hidden: bool,
}

impl Options {
    /// Those of a question.
    pub(super) fn of(
        kind: &QuestionKind,
        min_display: Option<Duration>,
        max_display: Option<Duration>,
    ) -> Self {
        let options = Self { min_display, max_display, ..Self::default() };
        match kind {
            QuestionKind::Display => options,
            QuestionKind::Confirm { default } => {
                Self { default: default.map(|yes| u8::from(yes).to_string()), ..options }
            }
            QuestionKind::Text { default, max_length, input, hidden } => Self {
                default: Some(default.clone()).filter(|text| !text.is_empty()),
                max_length: *max_length,
                input: *input,
                hidden: *hidden,
                ..options
            },
            QuestionKind::Single { default, .. } => Self { default: numbers(default.as_slice()), ..options },
            QuestionKind::Multiple { defaults, .. } => Self { default: numbers(defaults), ..options },
        }
    }

    /// `NAME=value` joined by `&`, URL-encoded.
    pub(super) fn read(text: &str) -> Self {
        let mut options = Self::default();
        for (name, value) in text.trim().split('&').filter_map(|option| option.split_once('=')) {
            let value = decoded(value);
            let number = || value.trim().parse::<u32>().ok().filter(|number| *number > 0);
            let seconds = || number().map(|number| Duration::from_secs(number.into()));
            match name.trim() {
                "MINDT" => options.min_display = seconds(),
                "MAXDT" => options.max_display = seconds(),
                "MAXLEN" => options.max_length = number().and_then(|number| usize::try_from(number).ok()),
                "DR" => options.default = Some(value),
                "IT" => options.input = InputType::parse(&value).unwrap_or_default(),
                "ET" => options.hidden = value == "P",
                _ => {}
            }
        }
        options
    }

    /// The inverse of [`Options::read`]; what is the default is not written.
    pub(super) fn write(&self) -> String {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs().max(1).to_string());
        let written = [
            ("MINDT", seconds(self.min_display)),
            ("MAXDT", seconds(self.max_display)),
            ("DR", self.default.clone()),
            ("MAXLEN", self.max_length.map(|characters| characters.max(1).to_string())),
            ("IT", (self.input != InputType::default()).then(|| self.input.letter().to_owned())),
            ("ET", self.hidden.then(|| "P".to_owned())),
        ];
        let written =
            written.iter().filter_map(|(name, value)| Some(format!("{name}={}", escaped(value.as_ref()?))));
        written.collect::<Vec<_>>().join("&")
    }

    /// What an alert with these options and choices asks.
    pub(super) fn kind(self, which: AlertCode, choices: Vec<String>) -> QuestionKind {
        let numbers = |text: Option<String>| -> Vec<usize> {
            let numbers =
                text.iter().flat_map(|text| text.split('-')).filter_map(|number| number.trim().parse().ok());
            numbers.filter(|number| (1..=choices.len()).contains(number)).collect()
        };
        match which {
            AlertCode::ConfirmOrReject => QuestionKind::Confirm {
                default: match self.default.as_deref() {
                    Some("0") => Some(false),
                    Some("1") => Some(true),
                    _ => None,
                },
            },
            AlertCode::TextInput => QuestionKind::Text {
                default: self.default.unwrap_or_default(),
                max_length: self.max_length,
                input: self.input,
                hidden: self.hidden,
            },
            AlertCode::SingleChoice => {
                QuestionKind::Single { default: numbers(self.default).first().copied(), choices }
            }
            AlertCode::MultipleChoice => QuestionKind::Multiple { defaults: numbers(self.default), choices },
            _ => QuestionKind::Display,
        }
    }
}

/// Numbers of choices as an option has them; none if there are none.
fn numbers(numbers: &[usize]) -> Option<String> {
    let texts: Vec<String> = numbers.iter().map(usize::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("-"))
}

/// `RFC 2396`: all but unreserved characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

/// URL encoding undone: `+` is a space, `%XX` an octet; what is neither stays as it is.
fn decoded(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (octet, after) = match (first, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, beyond @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, beyond),
                _ => (b'%', after),
            },
            (octet, _) => (*octet, after),
        };
        octets.push(octet);
        rest = after;
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let choices = vec!["one".to_owned(), "two".to_owned()];
        let text = |default: &str| QuestionKind::Text {
            default: default.to_owned(),
            max_length: Some(9),
            input: InputType::Numeric,
            hidden: true,
        };
        for (kind, written) in [
            (QuestionKind::Display, "MINDT=5"),
            (QuestionKind::Confirm { default: Some(true) }, "MINDT=5&DR=1"),
            (QuestionKind::Confirm { default: None }, "MINDT=5"),
            (text("a b&\u{fc}"), "MINDT=5&DR=a%20b%26%C3%BC&MAXLEN=9&IT=N&ET=P"),
            (text(""), "MINDT=5&MAXLEN=9&IT=N&ET=P"),
            (QuestionKind::Single { choices: choices.clone(), default: Some(2) }, "MINDT=5&DR=2"),
            (QuestionKind::Multiple { choices: choices.clone(), defaults: vec![1, 2] }, "MINDT=5&DR=1-2"),
        ] {
            let options = Options::of(&kind, Some(Duration::from_secs(5)), None);
            assert_eq!(options.write(), written);
            let read = Options::read(written);
            assert_eq!(read, options);
            assert_eq!(read.kind(kind.alert(), kind.choices().to_vec()), kind);
        }
    }
}
