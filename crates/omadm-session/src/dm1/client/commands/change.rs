//! Add, Replace, Delete and Copy (`DM 1.3 REPPRO §7.6`): each item all or nothing, and all of a command durable at once.

use omadm_codec::dm1::OperationKind;
use omadm_codec::{Leniency, Limits, Tolerance};
use omadm_mo::dm1::{Part, Snapshot};
use omadm_mo::{Change, Prepared, Value};

use super::{Context, Done, Progress, Wait, done};
use crate::dm1::client::answer::{Answer, Answered};
use crate::dm1::client::config::Config;
use crate::dm1::client::exchange::{Effect, EffectResult};
use crate::dm1::client::fault::Fault;
use crate::dm1::client::plan::Operate;
use crate::dm1::client::request::Request;
use crate::dm1::document::{self, DocumentError};
use crate::durable::Durable;

/// A change that is in the tree and not yet durable.
#[derive(Debug)]
pub(in crate::dm1::client) struct Commit {
    prepared: Prepared,
    operate: Operate,
    answers: Vec<Answer>,
}

pub(super) fn perform(context: &mut Context<'_>, operate: Operate) -> Progress {
    let mut change = context.tree.begin(context.actor.clone(), context.now);
    let answers = apply_all(&mut change, &operate, context.config, context.leniency);
    let prepared = change.prepare();
    match Durable::of(&prepared, context.tree) {
        None => Answered::items(operate.command, &operate.items, answers).into(),
        Some(Durable { records, instances }) => {
            let commit = Commit { prepared, operate, answers };
            Progress::waiting(Effect::Commit { records, instances }, Wait::Commit(commit))
        }
    }
}

impl Commit {
    pub(super) fn finish(self, context: &mut Context<'_>, result: EffectResult) -> Done {
        let Self { prepared, operate, mut answers } = self;
        if let Err(fault) = done(result) {
            let reverted = context.tree.revert(prepared);
            let reason =
                if reverted { fault.to_string() } else { format!("{fault}, and it could not be undone") };
            for answer in answers.iter_mut().filter(|answer| answer.is_done()) {
                *answer = Answer::because(fault.status(), reason.clone());
            }
        }
        Answered::items(operate.command, &operate.items, answers).into()
    }
}

/// Does what each item says, whatever becomes of the others.
pub(super) fn apply_all(
    change: &mut Change<'_>,
    operate: &Operate,
    config: &Config,
    leniency: &mut Leniency,
) -> Vec<Answer> {
    let answer = |request: &Request| match apply(change, operate.kind, request, config, leniency) {
        Ok(()) => Answer::ok(),
        Err(fault) => fault.answer(request.target.as_deref()),
    };
    let answers = operate.items.iter().map(answer).collect();
    leniency.used.extend(change.departures().iter().copied().map(Tolerance::from));
    answers
}

fn apply(
    change: &mut Change<'_>,
    kind: OperationKind,
    request: &Request,
    config: &Config,
    leniency: &mut Leniency,
) -> Result<(), Fault> {
    let target = request.target(config, leniency)?;
    match kind {
        OperationKind::Add => match document(request, config, leniency)? {
            Some(snapshot) => change.dm1_add_tree(&target, &snapshot)?,
            None => change.dm1_add(&target, request.node()?)?,
        },
        OperationKind::Replace => match target.part() {
            Part::Property(_) => {
                let text = request.value.as_ref().map(Value::to_text).unwrap_or_default();
                change.dm1_set_property(&target, &text)?;
            }
            Part::Node | Part::List(_) => match document(request, config, leniency)? {
                Some(snapshot) => change.dm1_replace_tree(&target, &snapshot)?,
                None => change.dm1_replace(&target, request.node()?)?,
            },
        },
        OperationKind::Delete => change.dm1_delete(&target)?,
        OperationKind::Copy => change.dm1_copy(&request.source(config, leniency)?, &target)?,
        OperationKind::Get | OperationKind::Exec => return Err(Fault::Misplaced(kind.as_str())),
    }
    Ok(())
}

/// The TNDS document that an item holds, if its type says so.
fn document(request: &Request, config: &Config, leniency: &mut Leniency) -> Result<Option<Snapshot>, Fault> {
    let limits = Limits { bytes: config.max_object as usize, ..config.limits };
    let (media_type, format) = (request.media_type.as_deref(), request.format()?);
    document::read(media_type, format, request.value.as_ref(), &limits, leniency).map_err(|error| match error
    {
        DocumentError::Missing => Fault::NoAddress("Data"),
        DocumentError::NoBase64 => Fault::NoBase64,
        DocumentError::Broken(cause) => Fault::Tnds(cause),
    })
}
