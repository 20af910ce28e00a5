//! Exec (`DM 1.3 REPPRO §7.6.6`): the status is that of the start; a longer end comes with a Generic Alert.

use std::collections::VecDeque;

use omadm_mo::Value;
use omadm_mo::dm1::Executable;

use super::{Context, Progress, Wait, unexpected};
use crate::dm1::client::answer::{Answer, Answered};
use crate::dm1::client::exchange::{Argument, Effect, EffectResult, Execution};
use crate::dm1::client::fault::Fault;
use crate::dm1::client::plan::Operate;
use crate::dm1::client::request::Request;
use crate::dm1::status::code;

/// An Exec of which some items were executed.
#[derive(Debug)]
pub(in crate::dm1::client) struct Executing {
    operate: Operate,
    /// Items that were not looked at.
    left: VecDeque<Request>,
    answers: Vec<Answer>,
}

impl Executing {
    pub(super) fn new(operate: Operate) -> Self {
        let left = operate.items.clone().into();
        Self { operate, left, answers: Vec::new() }
    }

    /// The next item that can be executed.
    pub(super) fn go_on(mut self, context: &mut Context<'_>) -> Progress {
        while let Some(request) = self.left.pop_front() {
            match self.order(context, &request) {
                Ok(execution) => {
                    return Progress::waiting(Effect::Execute(Box::new(execution)), Wait::Execute(self));
                }
                Err(fault) => self.answers.push(fault.answer(request.target.as_deref())),
            }
        }
        Answered::items(self.operate.command, &self.operate.items, self.answers).into()
    }

    pub(super) fn finish(mut self, context: &mut Context<'_>, result: EffectResult) -> Progress {
        self.answers.push(match result {
            EffectResult::Done => Answer::ok(),
            EffectResult::Accepted => Answer::of(code::ACCEPTED),
            other => unexpected(other).answer(None),
        });
        self.go_on(context)
    }

    fn order(&self, context: &mut Context<'_>, request: &Request) -> Result<Execution, Fault> {
        let target = request.target(context.config, context.leniency)?;
        let Executable { uri, address, instance } = context.tree.dm1_executable(context.actor, &target)?;
        let argument = request.value.clone().map(|value| argument(request, value)).transpose()?;
        Ok(Execution { uri, address, instance, correlator: self.operate.correlator.clone(), argument })
    }
}

/// Data of an Exec, read as its Format says; that is `chr` where it says nothing.
fn argument(request: &Request, value: Value) -> Result<Argument, Fault> {
    let format = request.format()?.unwrap_or(omadm_mo::Format::Chr);
    let value = match value {
        Value::Text(ref text) => Value::from_text(format, text).map_err(Fault::Argument)?,
        other => other,
    };
    Ok(Argument { format, media_type: request.media_type.clone(), value })
}
