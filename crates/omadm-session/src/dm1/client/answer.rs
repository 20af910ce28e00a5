//! Answers to commands, and the Status elements that carry them (`DM 1.3 REPPRO §7.5`).

use std::borrow::Cow;

use omadm_codec::dm1::{Item, Status};

use super::request::Request;
use crate::dm1::status::{code, is_success};

/// Which command a status answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandRef {
    /// `CmdID`, empty if it had none.
    pub(super) id: String,
    /// Name of its element.
    pub(super) name: Cow<'static, str>,
    /// No Status is wanted for it (`NoResp`).
    pub(super) no_response: bool,
}

/// How one item, or a command as a whole, came out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Why, if it failed; for the log.
    pub(super) reason: Option<String>,
    /// What goes with the status.
    pub(super) items: Vec<Item<'static>>,
}

impl Answer {
    pub(super) fn of(status: u16) -> Self {
        Self { status, reason: None, items: Vec::new() }
    }

    pub(super) fn ok() -> Self {
        Self::of(code::OK)
    }

    /// Whether it was carried out: 214 to 216 say that it was not.
    pub(super) fn is_done(&self) -> bool {
        is_success(self.status) && !(code::CANCELLED..=code::ROLLED_BACK).contains(&self.status)
    }

    pub(super) fn because(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: Some(reason.into()), items: Vec::new() }
    }
}

/// Addresses of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) target: Option<String>,
    pub(super) source: Option<String>,
}

/// The answers to one command: to it as a whole, or to each of its items.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answered {
    pub(super) command: CommandRef,
    /// Each with the item that it is about, if it is about one.
    pub(super) answers: Vec<(Option<About>, Answer)>,
}

impl Answered {
    pub(super) fn whole(command: CommandRef, answer: Answer) -> Self {
        Self { command, answers: vec![(None, answer)] }
    }

    /// Answers in the order of the items.
    pub(super) fn items(command: CommandRef, requests: &[Request], answers: Vec<Answer>) -> Self {
        let about = requests
            .iter()
            .map(|request| Some(About { target: request.target.clone(), source: request.source.clone() }));
        Self { command, answers: about.zip(answers).collect() }
    }

    /// Whether all of it was carried out.
    pub(super) fn is_done(&self) -> bool {
        self.answers.iter().all(|(_, answer)| answer.is_done())
    }

    /// One Status if all items came out alike, else one for each, which then says what it is about; none if none is wanted.
    pub(super) fn into_statuses(self, msg_ref: &str) -> Vec<Status<'static>> {
        let Self { command, answers } = self;
        if command.no_response {
            return Vec::new();
        }
        let first = answers.first().map(|(_, answer)| answer.status);
        let alike = answers.iter().all(|(_, answer)| Some(answer.status) == first);
        let status = |code: u16| Status {
            id: Cow::Borrowed(""),
            msg_ref: msg_ref.to_owned().into(),
            cmd_ref: command.id.clone().into(),
            cmd: command.name.clone(),
            target_refs: Vec::new(),
            source_refs: Vec::new(),
            credentials: None,
            challenge: None,
            code: code.to_string().into(),
            code_attributes: Vec::new(),
            items: Vec::new(),
        };
        if alike {
            let items = answers.into_iter().flat_map(|(_, answer)| answer.items).collect();
            return first.map(|code| Status { items, ..status(code) }).into_iter().collect();
        }
        let each = answers.into_iter().map(|(about, answer)| {
            let About { target, source } = about.unwrap_or_default();
            Status {
                target_refs: target.into_iter().map(Cow::Owned).collect(),
                source_refs: source.into_iter().map(Cow::Owned).collect(),
                items: answer.items,
                ..status(answer.status)
            }
        });
        each.collect()
    }
}
