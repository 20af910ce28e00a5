//! The commands: from a step of the plan to answers, by way of effects.
//!
//! ```text
//! start ─▶ Refresh? ─▶ read ─▶ answers                    (Get)
//!             │        change ─▶ Commit ─▶ answers         (Add, Replace, Delete, Copy, Atomic)
//!             │        Execute, one item after the other   (Exec)
//!             └        Ask ─▶ answer                       (user interaction alerts)
//! ```

mod atomic;
mod change;
mod exec;
mod get;

use std::collections::BTreeSet;

use omadm_codec::Leniency;
use omadm_codec::dm1::{OperationKind, Results};
use omadm_mo::dm1::{Dm1Error, Dm1Uri};
use omadm_mo::{Actor, Miid, Moid, Time, Tree};

use super::answer::Answered;
use super::config::Config;
use super::content::Dialect;
use super::exchange::{Effect, EffectResult};
use super::fault::Fault;
use super::frame::Frame;
use super::plan::{Ask, Operate, Work};
use super::request::Request;
use crate::dm1::status::code;

/// What commands work with.
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) actor: &'a Actor,
    pub(super) dialect: Dialect,
    /// Largest object that can be sent to the server.
    pub(super) max_object: u64,
    /// Octets of data that the answers to the message hold so far.
    pub(super) octets: &'a mut usize,
    /// The message that has to hold the answers to an Atomic, if one has to.
    pub(super) frame: Option<&'a Frame>,
    /// `MsgID` of the message that is carried out.
    pub(super) msg_ref: &'a str,
    pub(super) tree: &'a mut Tree,
    pub(super) now: Time,
    pub(super) leniency: &'a mut Leniency,
}

/// How a step came out.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) answered: Vec<Answered>,
    pub(super) results: Option<Results<'static>>,
    /// What the user wants of the rest.
    pub(super) user: Option<User>,
}

/// What an answer of the user means for the commands that follow (`DM 1.3 PROTO §10`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// No: nothing more of the Sequence.
    Rejected,
    /// Nothing more of the message.
    Cancelled,
}

impl From<Answered> for Done {
    fn from(answered: Answered) -> Self {
        Self { answered: vec![answered], ..Self::default() }
    }
}

/// Where a step stands.
#[derive(Debug)]
pub(super) enum Progress {
    Done(Box<Done>),
    Waiting(Box<(Effect, Wait)>),
}

impl Progress {
    fn waiting(effect: Effect, wait: Wait) -> Self {
        Self::Waiting(Box::new((effect, wait)))
    }
}

impl<T: Into<Done>> From<T> for Progress {
    fn from(done: T) -> Self {
        Self::Done(Box::new(done.into()))
    }
}

/// A step that waits for an effect, with what it needs to go on.
#[derive(Debug)]
pub(super) enum Wait {
    Refresh(Operate),
    Commit(change::Commit),
    Execute(exec::Executing),
    Ask(Ask),
    AtomicRefresh(atomic::Atomic),
    AtomicAsk(atomic::Atomic),
    AtomicCommit(atomic::Settling),
}

/// Begins a step.
pub(super) fn start(context: &mut Context<'_>, work: Work) -> Progress {
    match work {
        Work::Answer(answered) => answered.into(),
        Work::Operate(operate) => match stale(context, &operate.items, operate.kind) {
            stale if stale.is_empty() => perform(context, operate),
            stale => Progress::waiting(Effect::Refresh(stale), Wait::Refresh(operate)),
        },
        Work::Ask(ask) => Progress::waiting(Effect::Ask(ask.question.clone()), Wait::Ask(ask)),
        Work::Atomic { command, children } => atomic::Atomic::new(command, children).start(context),
        // The session does these itself.
        Work::Interrupted(_) | Work::Delivered { .. } => Done::default().into(),
    }
}

/// Goes on after an effect.
pub(super) fn resume(context: &mut Context<'_>, wait: Wait, result: EffectResult) -> Progress {
    match wait {
        Wait::Refresh(operate) => match done(result) {
            Ok(()) => perform(context, operate),
            Err(fault) => Answered::whole(operate.command, fault.answer(None)).into(),
        },
        Wait::Commit(commit) => commit.finish(context, result).into(),
        Wait::Execute(executing) => executing.finish(context, result),
        Wait::Ask(ask) => asked(ask, result).into(),
        Wait::AtomicRefresh(atomic) => match done(result) {
            Ok(()) => atomic.advance(context),
            Err(fault) => atomic.refuse(fault).into(),
        },
        Wait::AtomicAsk(atomic) => atomic.answered(context, result),
        Wait::AtomicCommit(settling) => settling.finish(context, result).into(),
    }
}

fn perform(context: &mut Context<'_>, operate: Operate) -> Progress {
    match operate.kind {
        OperationKind::Get => get::perform(context, operate).into(),
        OperationKind::Exec => exec::Executing::new(operate).go_on(context),
        OperationKind::Add | OperationKind::Replace | OperationKind::Delete | OperationKind::Copy => {
            change::perform(context, operate)
        }
    }
}

fn asked(ask: Ask, result: EffectResult) -> Done {
    let answer = match result {
        EffectResult::Answered(answer) => ask.question.answer(answer),
        other => unexpected(other).answer(None),
    };
    let user = meaning(answer.status);
    Done { user, ..Done::from(Answered::whole(ask.command, answer)) }
}

fn meaning(status: u16) -> Option<User> {
    match status {
        code::NOT_MODIFIED => Some(User::Rejected),
        code::CANCELLED => Some(User::Cancelled),
        _ => None,
    }
}

/// The end of an effect that is either done or refused.
fn done(result: EffectResult) -> Result<(), Fault> {
    match result {
        EffectResult::Done => Ok(()),
        other => Err(unexpected(other)),
    }
}

/// Why an effect was not carried out.
fn unexpected(result: EffectResult) -> Fault {
    match result {
        EffectResult::Refused { status, reason } => Fault::Refused { status, reason },
        EffectResult::Done | EffectResult::Accepted | EffectResult::Answered(_) => Fault::Refused {
            status: code::COMMAND_FAILED,
            reason: "the effect ended as no effect of its kind can".to_owned(),
        },
    }
}

/// Management objects whose values the items of a command read.
fn stale(context: &Context<'_>, items: &[Request], kind: OperationKind) -> Vec<(Moid, Miid)> {
    // What is tolerated is noted when the command is carried out.
    let mut leniency = Leniency::default();
    let mut read = |request: &Request| -> Option<Dm1Uri> {
        match kind {
            OperationKind::Get => request.target(context.config, &mut leniency).ok(),
            OperationKind::Copy => request.source(context.config, &mut leniency).ok(),
            // What a plug-in shows when it is asked need not have been read to be executed.
            OperationKind::Exec => request.target(context.config, &mut leniency).ok().filter(|uri| {
                let executable = context.tree.dm1_executable(context.actor, uri);
                matches!(executable, Err(Dm1Error::NotFound { .. }))
            }),
            OperationKind::Add | OperationKind::Replace | OperationKind::Delete => None,
        }
    };
    let uris = items.iter().filter_map(&mut read);
    let instances: BTreeSet<_> = uris.flat_map(|uri| context.tree.dm1_instances(&uri)).collect();
    instances.into_iter().collect()
}
