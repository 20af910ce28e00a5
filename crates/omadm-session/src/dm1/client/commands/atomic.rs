//! Atomic (`DM 1.3 REPPRO §7.6.3`): all that it holds in one transaction of the tree, or nothing.

use omadm_codec::dm1::{OperationKind, Version};
use omadm_mo::Prepared;

use super::{Context, Done, Progress, User, Wait, change, done, meaning, stale, unexpected};
use crate::dm1::client::answer::{Answer, Answered, CommandRef};
use crate::dm1::client::exchange::{Effect, EffectResult};
use crate::dm1::client::fault::Fault;
use crate::dm1::client::frame::Frame;
use crate::dm1::client::plan::{Ask, Work};
use crate::dm1::status::code;
use crate::durable::Durable;

/// An Atomic that is not carried out yet. What it changes is tried out up to each question to the user, and taken back while the user
/// thinks: so nobody is asked about what would fail anyway, and nothing is seen of what may not stay.
#[derive(Debug)]
pub(in crate::dm1::client) struct Atomic {
    command: CommandRef,
    children: Vec<Work>,
    /// What the user did so far, in the order of the questions.
    answers: Vec<Answer>,
}

/// An Atomic whose change is in the tree and not yet durable.
#[derive(Debug)]
pub(in crate::dm1::client) struct Settling {
    prepared: Prepared,
    atomic: Atomic,
    answered: Vec<Answered>,
}

/// How far a try came.
enum Tried {
    All(Vec<Answered>),
    /// The command at this place failed.
    Failed(usize, Answered),
    /// The command at this place has a question that is not answered yet.
    Question(Box<Ask>),
}

impl Atomic {
    pub(super) fn new(command: CommandRef, children: Vec<Work>) -> Self {
        Self { command, children, answers: Vec::new() }
    }

    pub(super) fn start(self, context: &mut Context<'_>) -> Progress {
        let copies = self.children.iter().filter_map(|child| match child {
            Work::Operate(operate) if operate.kind == OperationKind::Copy => Some(operate),
            _ => None,
        });
        let mut read: Vec<_> = copies.flat_map(|copy| stale(context, &copy.items, copy.kind)).collect();
        read.sort();
        read.dedup();
        if read.is_empty() {
            return self.advance(context);
        }
        Progress::waiting(Effect::Refresh(read), Wait::AtomicRefresh(self))
    }

    /// Tries it from the beginning.
    pub(super) fn advance(self, context: &mut Context<'_>) -> Progress {
        let mut change = context.tree.begin(context.actor.clone(), context.now);
        let mut tried = Vec::with_capacity(self.children.len());
        let mut answers = self.answers.iter();
        let mut outcome = None;
        for (place, child) in self.children.iter().enumerate() {
            let answered = match child {
                Work::Operate(operate) => {
                    let applied = change::apply_all(&mut change, operate, context.config, context.leniency);
                    Answered::items(operate.command.clone(), &operate.items, applied)
                }
                Work::Ask(ask) => match answers.next() {
                    Some(answer) => Answered::whole(ask.command.clone(), answer.clone()),
                    None => {
                        outcome = Some(Tried::Question(Box::new(ask.clone())));
                        break;
                    }
                },
                Work::Answer(answered) => answered.clone(),
                // The plan puts none of these into an Atomic.
                Work::Atomic { .. } | Work::Interrupted(_) | Work::Delivered { .. } => continue,
            };
            if !answered.is_done() {
                outcome = Some(Tried::Failed(place, answered));
                break;
            }
            tried.push(answered);
        }
        match outcome.unwrap_or(Tried::All(tried)) {
            Tried::Question(ask) => {
                drop(change);
                Progress::waiting(Effect::Ask(ask.question), Wait::AtomicAsk(self))
            }
            Tried::Failed(place, answered) => {
                drop(change);
                self.failed(place, answered).into()
            }
            Tried::All(answered) if !self.fits(context.frame, context.msg_ref, &answered) => {
                drop(change);
                self.too_large(context.dialect.version).into()
            }
            Tried::All(answered) => {
                let prepared = change.prepare();
                match Durable::of(&prepared, context.tree) {
                    None => self.succeeded(answered).into(),
                    Some(Durable { records, instances }) => {
                        let settling = Settling { prepared, atomic: self, answered };
                        Progress::waiting(Effect::Commit { records, instances }, Wait::AtomicCommit(settling))
                    }
                }
            }
        }
    }

    /// The user answered the question that comes next.
    pub(super) fn answered(mut self, context: &mut Context<'_>, result: EffectResult) -> Progress {
        let asked = self.children.iter().filter_map(|child| match child {
            Work::Ask(ask) => Some(ask),
            _ => None,
        });
        let answer = match (asked.clone().nth(self.answers.len()), result) {
            (Some(ask), EffectResult::Answered(answer)) => ask.question.answer(answer),
            (_, other) => unexpected(other).answer(None),
        };
        self.answers.push(answer);
        self.advance(context)
    }

    /// Whether the answers go out in one message, if they have to.
    fn fits(&self, frame: Option<&Frame>, msg_ref: &str, answered: &[Answered]) -> bool {
        let Some(frame) = frame else { return true };
        let whole = Answered::whole(self.command.clone(), Answer::ok());
        let all: Vec<Answered> = [whole].into_iter().chain(answered.iter().cloned()).collect();
        frame.holds(&all, msg_ref)
    }

    /// It would be done, but nobody could be told so at once. DM 1.1 has no status of its own for that.
    fn too_large(&self, version: Version) -> Done {
        let is_old = version == Version::Dm11;
        let status = if is_old { code::COMMAND_FAILED } else { code::ATOMIC_TOO_LARGE };
        let reason = "its answers do not fit into one message (split_atomic)";
        self.answers_of(Answer::because(status, reason), |_| Answer::of(code::ROLLED_BACK))
    }

    /// Nothing could be tried.
    pub(super) fn refuse(self, fault: Fault) -> Done {
        let whole = Answer::because(code::ATOMIC_FAILED, fault.to_string());
        self.answers_of(whole, |_| Answer::of(code::NOT_EXECUTED))
    }

    fn succeeded(self, answered: Vec<Answered>) -> Done {
        let whole = Answered::whole(self.command, Answer::ok());
        Done { answered: [whole].into_iter().chain(answered).collect(), ..Done::default() }
    }

    /// What came before is rolled back, what comes behind was not executed.
    fn failed(self, place: usize, failed: Answered) -> Done {
        let cancelled =
            failed.answers.iter().any(|(_, answer)| meaning(answer.status) == Some(User::Cancelled));
        let whole =
            Answer::because(code::ATOMIC_FAILED, format!("command {} of it failed", failed.command.id));
        let mut done = self.answers_of(whole, |at| {
            Answer::of(if at < place { code::ROLLED_BACK } else { code::NOT_EXECUTED })
        });
        if let Some(answered) = done.answered.get_mut(place.saturating_add(1)) {
            *answered = failed;
        }
        Done { user: cancelled.then_some(User::Cancelled), ..done }
    }

    /// An answer to the whole, and one to each command in it by its place.
    fn answers_of(&self, whole: Answer, each: impl Fn(usize) -> Answer) -> Done {
        let inside = self.children.iter().flat_map(Work::commands).enumerate();
        let inside = inside.map(|(place, command)| Answered::whole(command, each(place)));
        let whole = Answered::whole(self.command.clone(), whole);
        Done { answered: [whole].into_iter().chain(inside).collect(), ..Done::default() }
    }
}

impl Settling {
    pub(super) fn finish(self, context: &mut Context<'_>, result: EffectResult) -> Done {
        let Self { prepared, atomic, answered } = self;
        let Err(fault) = done(result) else { return atomic.succeeded(answered) };
        let status = if context.tree.revert(prepared) { code::ROLLED_BACK } else { code::ROLL_BACK_FAILED };
        atomic.answers_of(Answer::because(code::ATOMIC_FAILED, fault.to_string()), |_| Answer::of(status))
    }
}
