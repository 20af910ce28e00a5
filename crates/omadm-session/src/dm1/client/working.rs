//! Carrying out what a message asks for, step by step.

use std::collections::VecDeque;

use omadm_codec::dm1::Command;
use omadm_mo::Tree;

use super::answer::{Answer, Answered};
use super::commands::{self, Context, Done, Progress, User, Wait};
use super::exchange::{EffectResult, Fresh, Note};
use super::plan::{Step, Work};
use super::send::{self, no_end_of_data};
use super::session::Session;
use crate::dm1::status::code;

/// A message that is being carried out.
#[derive(Debug)]
pub(super) struct Working {
    pub(super) answer: send::Answer,
    pub(super) steps: VecDeque<Step>,
    /// The Sequence that the user said no to.
    pub(super) rejected: Option<u32>,
    /// Nothing more is carried out.
    pub(super) cancelled: bool,
    /// Octets of data in the answers so far.
    pub(super) octets: usize,
    /// What waits for an effect, with the Sequence that it is part of; `None` for a step that needs no more than to be done.
    pub(super) wait: Option<(Option<u32>, Wait)>,
}

impl Working {
    pub(super) fn new(answer: send::Answer, steps: Vec<Step>, cancelled: bool) -> Self {
        Self { answer, steps: steps.into(), rejected: None, cancelled, octets: 0, wait: None }
    }
}

impl Session {
    /// Carries out steps until one has to wait or none is left.
    pub(super) fn run(&mut self, tree: &mut Tree, fresh: Fresh, mut working: Working) {
        while let Some(Step { sequence, work }) = working.steps.pop_front() {
            let progress = match work {
                Work::Delivered { id, status } => {
                    return self.work(super::Effect::AlertDelivered { id, status }, working);
                }
                Work::Interrupted(broken) => {
                    self.outbox.say(no_end_of_data(broken));
                    continue;
                }
                work if working.cancelled || (sequence.is_some() && sequence == working.rejected) => {
                    not_executed(&work).into()
                }
                work => {
                    self.count(&work);
                    self.with_context(tree, fresh, &mut working, |context| commands::start(context, work))
                }
            };
            match progress {
                Progress::Done(done) => self.record(&mut working, sequence, *done),
                Progress::Waiting(waiting) => {
                    let (effect, wait) = *waiting;
                    working.wait = Some((sequence, wait));
                    return self.work(effect, working);
                }
            }
        }
        self.conclude(fresh, working.answer);
    }

    /// Goes on after an effect.
    pub(super) fn resume(
        &mut self,
        tree: &mut Tree,
        fresh: Fresh,
        mut working: Working,
        result: EffectResult,
    ) {
        // The host wants an end: what is under way is finished, nothing else is begun.
        working.cancelled |= self.abort.is_some();
        let Some((sequence, wait)) = working.wait.take() else { return self.run(tree, fresh, working) };
        let resumed =
            self.with_context(tree, fresh, &mut working, |context| commands::resume(context, wait, result));
        match resumed {
            Progress::Done(done) => {
                self.record(&mut working, sequence, *done);
                self.run(tree, fresh, working);
            }
            Progress::Waiting(waiting) => {
                let (effect, wait) = *waiting;
                working.wait = Some((sequence, wait));
                self.work(effect, working);
            }
        }
    }

    fn record(&mut self, working: &mut Working, sequence: Option<u32>, done: Done) {
        let msg_ref = working.answer.msg_ref().to_owned();
        for answered in done.answered {
            self.note_answers(&answered);
            self.outbox.answer(answered.into_statuses(&msg_ref));
        }
        if let Some(mut results) = done.results {
            results.msg_ref = msg_ref.into();
            self.outbox.say(Command::Results(results));
        }
        match done.user {
            Some(User::Cancelled) => working.cancelled = true,
            Some(User::Rejected) => working.rejected = sequence.or(working.rejected),
            None => {}
        }
    }

    /// Counts what is carried out.
    fn count(&mut self, work: &Work) {
        let commands = match work {
            Work::Operate(_) | Work::Ask(_) | Work::Atomic { .. } => work.commands().len(),
            Work::Answer(_) | Work::Interrupted(_) | Work::Delivered { .. } => 0,
        };
        self.commands = self.commands.saturating_add(u32::try_from(commands).unwrap_or(u32::MAX));
    }

    fn note_answers(&mut self, answered: &Answered) {
        for (about, answer) in &answered.answers {
            self.note(Note::Answered {
                command: answered.command.name.clone().into_owned(),
                uri: about.as_ref().and_then(|about| about.target.clone()),
                status: answer.status,
                reason: answer.reason.clone(),
            });
        }
    }

    fn with_context(
        &mut self,
        tree: &mut Tree,
        fresh: Fresh,
        working: &mut Working,
        work: impl FnOnce(&mut Context<'_>) -> Progress,
    ) -> Progress {
        let mut leniency = self.leniency();
        let frame = (!self.config.split_atomic).then(|| self.frame(&working.answer, fresh));
        let mut context = Context {
            config: &self.config,
            actor: &self.actor,
            dialect: self.line.dialect(),
            max_object: self.line.max_object(&self.config),
            octets: &mut working.octets,
            frame: frame.as_ref(),
            msg_ref: working.answer.msg_ref(),
            tree,
            now: fresh.now,
            leniency: &mut leniency,
        };
        let progress = work(&mut context);
        self.note_tolerated(leniency);
        progress
    }
}

/// The answers to a step that is left out.
fn not_executed(work: &Work) -> Done {
    let whole = |command| Answered::whole(command, Answer::of(code::NOT_EXECUTED));
    let answered = match work {
        // What needs nothing to be done is answered as it is; a Sequence is not begun.
        Work::Answer(answered) if answered.command.name != "Sequence" || !answered.is_done() => {
            vec![answered.clone()]
        }
        work => work.commands().into_iter().map(whole).collect(),
    };
    Done { answered, ..Done::default() }
}
