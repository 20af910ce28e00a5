//! User interaction alerts (`DM 1.3 PROTO §10`): what is asked, with its options, and what the user did.

use core::time::Duration;

use omadm_codec::dm1::{AlertCode, Item};
use omadm_mo::ServerId;

use super::answer::Answer;
use super::config::Config;
use super::fault::Fault;
use super::request::carried;
use crate::dm1::question::{Options, QuestionKind};
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
        let mut options = Options::read(options.as_deref().unwrap_or_default());
        options.default = options.default.as_deref().map(shown);
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
