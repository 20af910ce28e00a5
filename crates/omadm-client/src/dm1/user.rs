//! The user of a device, whom servers tell and ask things (`DM 1.3 PROTO §10`).

use std::pin::Pin;
use std::time::Duration;

use omadm_session::dm1::client::{Question, UserAnswer, UserInteraction};

/// What becomes of a question.
pub type Answer<'a> = Pin<Box<dyn Future<Output = UserAnswer> + Send + 'a>>;

/// How a device shows things to its user and asks.
pub trait UserInterface: Send {
    /// Most choices that fit into one list; a question with more is answered 416. Default 64.
    fn max_choices(&self) -> usize {
        64
    }

    /// Shows a question until it is answered. It is dropped when the time of the question, or the patience of the device, is over.
    /// Who asks ([`Question::server`]) has to be shown, too. Something to be only seen has to stay for [`Question::min_display`].
    fn ask<'a>(&'a mut self, question: &'a Question) -> Answer<'a>;
}

/// What the engine is told of the user interface.
pub(super) fn abilities(user: Option<&dyn UserInterface>) -> UserInteraction {
    user.map_or(UserInteraction::NONE, |user| UserInteraction {
        available: true,
        max_choices: user.max_choices(),
    })
}

/// Asks, for as long as the question and the device have time.
pub(super) async fn ask(
    user: Option<&mut Box<dyn UserInterface>>,
    question: &Question,
    patience: Duration,
) -> UserAnswer {
    let Some(user) = user else { return UserAnswer::NotDisplayable };
    let time = question.max_display.map_or(patience, |most| most.min(patience));
    tokio::time::timeout(time, user.ask(question)).await.unwrap_or(UserAnswer::TimedOut)
}
