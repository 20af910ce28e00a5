//! User interaction alerts (`DM 1.3 PROTO §10`): what is asked, with its options, and what the user did.

use core::time::Duration;

use omadm_codec::dm1::{AlertCode, Item};
use omadm_mo::ServerId;

use super::answer::Answer;
use super::config::Config;
use super::fault::Fault;
use super::request::carried;
use crate::dm1::InputType;
use crate::dm1::status::code;

/// Something to show to, or to ask of, the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which server asks: to be shown.
    pub server: ServerId,
    /// What kind of answer.
    pub kind: QuestionKind,
    /// The text, without control characters, at most [`MAX_TEXT`] characters.
    pub text: String,
    /// `MINDT`: to be shown at least so long.
    pub min_display: Option<Duration>,
    /// `MAXDT`: to be shown at most so long; then the answer is [`UserAnswer::TimedOut`].
    pub max_display: Option<Duration>,
}

/// Most characters of a text that is shown.
pub const MAX_TEXT: usize = 4096;

/// What kind of answer is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionKind {
    /// 1100: none. Answer [`UserAnswer::Shown`].
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
        /// `MAXLEN`: most characters.
        max_length: Option<usize>,
        /// `IT`.
        input: InputType,
        /// `ET` is `P`: what is typed is not shown, as of a password.
        hidden: bool,
    },
    /// 1103: one of these. Numbers count from 1.
    Single {
        /// In order.
        choices: Vec<String>,
        /// `DR`.
        default: Option<usize>,
    },
    /// 1104: any of these.
    Multiple {
        /// In order.
        choices: Vec<String>,
        /// `DR`.
        defaults: Vec<usize>,
    },
}

/// What the user did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserAnswer {
    /// Saw it.
    Shown,
    /// Yes.
    Accepted,
    /// No.
    Rejected,
    /// Typed this.
    Text(String),
    /// Chose these, counted from 1: one for [`QuestionKind::Single`], any number for [`QuestionKind::Multiple`].
    Chosen(Vec<usize>),
    /// Wants none of it: nothing more of the message is carried out.
    Cancelled,
    /// Nothing, until [`Question::max_display`] or the patience of the device was over.
    TimedOut,
    /// The device cannot show it after all.
    NotDisplayable,
}

impl Question {
    /// Reads the items of an alert: options, text, choices.
    pub(super) fn read(
        which: AlertCode,
        items: Vec<Item<'_>>,
        server: &ServerId,
        config: &Config,
    ) -> Result<Self, Fault> {
        if !config.user_interaction.available {
            return Err(Fault::NoUser);
        }
        let mut texts = items.into_iter().map(|item| item.data.map(|data| carried(data).to_text()));
        let options = texts.next().ok_or(Fault::IncompleteAlert("options"))?;
        let options = Options::read(options.as_deref().unwrap_or_default());
        let text = texts.next().flatten().ok_or(Fault::IncompleteAlert("text"))?;
        let choices: Vec<String> = texts.map(|text| shown(&text.unwrap_or_default())).collect();
        let limit = config.user_interaction.max_choices;
        let listed = matches!(which, AlertCode::SingleChoice | AlertCode::MultipleChoice);
        if listed && choices.is_empty() {
            return Err(Fault::IncompleteAlert("choices"));
        }
        if listed && choices.len() > limit {
            return Err(Fault::TooManyChoices { count: choices.len(), limit });
        }
        Ok(Self {
            server: server.clone(),
            text: shown(&text),
            min_display: options.min_display,
            max_display: options.max_display,
            kind: options.kind(which, choices),
        })
    }

    /// What the server is told of what the user did; an answer that does not fit the question is a failure of the host.
    pub(super) fn answer(&self, answer: UserAnswer) -> Answer {
        let text =
            |text: String| Item { data: Some(omadm_codec::dm1::Data::Text(text.into())), ..Item::default() };
        let items = match (&self.kind, answer) {
            (QuestionKind::Display, UserAnswer::Shown)
            | (QuestionKind::Confirm { .. }, UserAnswer::Accepted) => Vec::new(),
            (QuestionKind::Confirm { .. }, UserAnswer::Rejected) => return Answer::of(code::NOT_MODIFIED),
            (QuestionKind::Text { .. }, UserAnswer::Text(typed)) => vec![text(typed)],
            (QuestionKind::Single { choices, .. }, UserAnswer::Chosen(chosen))
                if chosen.len() == 1 && is_listed(&chosen, choices) =>
            {
                chosen.iter().map(|number| text(number.to_string())).collect()
            }
            (QuestionKind::Multiple { choices, .. }, UserAnswer::Chosen(chosen))
                if is_listed(&chosen, choices) =>
            {
                chosen.iter().map(|number| text(number.to_string())).collect()
            }
            (_, UserAnswer::Cancelled) => return Answer::because(code::CANCELLED, "the user cancelled it"),
            (_, UserAnswer::TimedOut) => return Answer::because(code::TIMEOUT, "the user did not answer"),
            (_, UserAnswer::NotDisplayable) => return Fault::NotDisplayable.answer(None),
            (_, _) => {
                return Answer::because(code::COMMAND_FAILED, "the answer is none to this kind of question");
            }
        };
        Answer { items, ..Answer::ok() }
    }
}

fn is_listed(chosen: &[usize], choices: &[String]) -> bool {
    chosen.iter().all(|number| (1..=choices.len()).contains(number))
}

/// Text as a user may see it: no control characters but line ends, and not without end.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || *letter == '\n').take(MAX_TEXT).collect()
}

/// The options of an alert as written, each the last of its name. Unknown ones, and those with values that they cannot have, are
/// skipped.
#[derive(Default)]
struct Options {
    min_display: Option<Duration>,
    max_display: Option<Duration>,
    default: Option<String>,
    max_length: Option<usize>,
    input: InputType,
    hidden: bool,
}

impl Options {
    /// `NAME=value` joined by `&`, URL-encoded.
    fn read(text: &str) -> Self {
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

    fn kind(self, which: AlertCode, choices: Vec<String>) -> QuestionKind {
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
                default: shown(&self.default.unwrap_or_default()),
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
