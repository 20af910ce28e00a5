//! The commands, a file each: from an entry of Package#2 to an answer, by way of effects.
//!
//! ```text
//! start ─addresses read─▶ Refresh? ─▶ perform ─▶ answer
//!                                       │ Fetch ─▶ Commit ─▶ answer      (HGET)
//!                                       │ Upload ─▶ answer               (HPUT, HPOST)
//!                                       │ Commit ─▶ answer               (DELETE)
//!                                       │ Execute ─▶ answer              (EXEC)
//!                                       │ something kept ─▶ answer       (SHOW, DEFAULT, SUB, UNSUB)
//! ```

mod commit;
mod cont;
mod default;
mod delete;
mod exec;
mod get;
mod hget;
pub(super) mod read;
mod show;
mod sub;
mod upload;

pub(super) use hget::{fetch_only, item_address, permit};

use std::collections::BTreeSet;

use omadm_codec::dm2::{Command, CommandEntry, StatusCode};
use omadm_codec::{Leniency, Tolerance};
use omadm_mo::{Actor, ClientUri, Miid, MoInst, Moid, OperationError, ServerId, Time, Tree};

use super::accept::Accepts;
use super::{Body, Config, Effect, EffectResult, status};

/// Most octets of data in one message of ours: of all GETs in a Package#3, and of one upload. A command beyond it is answered 503,
/// so that the server asks again for less at a time.
pub(super) const MAX_DATA: usize = 64 << 20;

/// What a command works with.
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) server: &'a ServerId,
    pub(super) actor: &'a Actor,
    pub(super) accepts: &'a mut Accepts,
    pub(super) tree: &'a mut Tree,
    pub(super) now: Time,
    pub(super) leniency: Leniency,
}

/// How a command came out.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Why, if it failed; for the log.
    pub(super) reason: Option<String>,
    pub(super) yielded: Yield,
}

/// What a command brought beside its status.
#[derive(Debug)]
pub(super) enum Yield {
    Nothing,
    /// Where an HGET stored: `URI` of the status.
    Locations(Vec<String>),
    /// Data of a GET.
    Data(Data),
    /// Where a CONT wants the session to go on.
    Continue(String),
}

/// A body with its media type.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) content_type: String,
    pub(super) body: Body,
}

impl Answer {
    pub(super) fn success(status: StatusCode, yielded: Yield) -> Self {
        Self { status, reason: None, yielded }
    }

    pub(super) fn failure(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: Some(reason.into()), yielded: Yield::Nothing }
    }

    fn refused(error: &OperationError) -> Self {
        Self::failure(status::of_operation(error), error.to_string())
    }
}

/// Where a command stands.
#[derive(Debug)]
pub(super) enum Progress {
    Answered(Answer),
    Waiting(Box<(Effect, Wait)>),
}

impl Progress {
    fn waiting(effect: Effect, wait: Wait) -> Self {
        Self::Waiting(Box::new((effect, wait)))
    }
}

impl From<Answer> for Progress {
    fn from(answer: Answer) -> Self {
        Self::Answered(answer)
    }
}

/// A command that waits for an effect, with what it needs to go on.
#[derive(Debug)]
pub(super) enum Wait {
    Refresh(Command),
    Fetch(hget::Fetching),
    Upload(upload::Uploading),
    Commit(commit::Commit),
    Execute,
    /// Nothing is left to do but to answer.
    Answer,
}

/// Begins an entry of Package#2.
pub(super) fn start(context: &mut Context<'_>, entry: CommandEntry) -> Progress {
    let mut command = match entry {
        CommandEntry::Valid(command) => command,
        CommandEntry::Unknown { name } => {
            return Answer::failure(StatusCode::NOT_IMPLEMENTED, format!("{name:?} is no command")).into();
        }
        CommandEntry::Malformed { reason, .. } => {
            return Answer::failure(StatusCode::BAD_REQUEST, reason).into();
        }
    };
    let mut addresses = client_uris_mut(&mut command);
    if !context.config.full_addressing && addresses.iter().any(|uri| is_advanced(uri)) {
        let reason = "wildcard, x-name and query are switched off on this device";
        return Answer::failure(StatusCode::NOT_IMPLEMENTED, reason).into();
    }
    for uri in &mut addresses {
        if let Err(error) = replace_aliases(context.tree, uri, &mut context.leniency) {
            return Answer::refused(&error).into();
        }
    }
    let stale = stale_instances(context, &command);
    if stale.is_empty() {
        perform(context, command)
    } else {
        Progress::waiting(Effect::Refresh(stale), Wait::Refresh(command))
    }
}

/// Goes on after an effect.
pub(super) fn resume(context: &mut Context<'_>, wait: Wait, result: EffectResult) -> Progress {
    match wait {
        Wait::Refresh(command) => match result {
            EffectResult::Done => perform(context, command),
            other => unexpected(other).into(),
        },
        Wait::Fetch(fetching) => fetching.finish(context, result),
        Wait::Upload(uploading) => uploading.finish(context, result).into(),
        Wait::Commit(commit) => commit.finish(context, result).into(),
        Wait::Execute => match result {
            EffectResult::Done => Answer::success(StatusCode::OK, Yield::Nothing).into(),
            EffectResult::Accepted => Answer::success(StatusCode::ACCEPTED, Yield::Nothing).into(),
            other => unexpected(other).into(),
        },
        Wait::Answer => match result {
            EffectResult::Done => Answer::success(StatusCode::OK, Yield::Nothing).into(),
            other => unexpected(other).into(),
        },
    }
}

fn perform(context: &mut Context<'_>, command: Command) -> Progress {
    match command {
        Command::Get(client) => get::perform(context, &client).into(),
        Command::HGet { server, client } => hget::perform(context, &server, client),
        Command::HPut { server, clients } => upload::perform(context, "PUT", &server, &clients),
        Command::HPost { server, clients } => upload::perform(context, "POST", &server, &clients),
        Command::Delete(client) => delete::perform(context, &client),
        Command::Exec { client, server } => exec::perform(context, &client, server),
        Command::Cont(server) => cont::perform(context, &server).into(),
        Command::End => Answer::success(StatusCode::OK, Yield::Nothing).into(),
        Command::Show(server) => show::perform(context, &server),
        Command::Default { server, moid } => default::perform(context, server, moid),
        Command::Sub { server, client } => sub::subscribe(context, server, client),
        Command::Unsub(client) => sub::unsubscribe(context, client),
    }
}

/// Puts the names in use in place of the aliases that the tree knows, and notes that it was needed. In strict mode an alias is the
/// name of nothing.
pub(super) fn replace_aliases(
    tree: &Tree,
    uri: &mut ClientUri,
    leniency: &mut Leniency,
) -> Result<(), OperationError> {
    let Some(canonical) = tree.canonical(uri) else { return Ok(()) };
    let moid = canonical.moid == uri.moid || leniency.allow(Tolerance::MoidAlias);
    let names =
        (canonical.path == uri.path && canonical.query == uri.query) || leniency.allow(Tolerance::NodeAlias);
    if !moid || !names {
        return Err(OperationError::NotFound { address: uri.to_string() });
    }
    *uri = canonical;
    Ok(())
}

/// The answer when an effect was refused, or ended as no effect of its kind can.
fn unexpected(result: EffectResult) -> Answer {
    match result {
        EffectResult::Refused { status, reason } => Answer::failure(status, reason),
        EffectResult::NoReply { reason } => Answer::failure(StatusCode::INTERNAL_ERROR, reason),
        EffectResult::Done | EffectResult::Accepted | EffectResult::Http(_) | EffectResult::TooLarge => {
            Answer::failure(StatusCode::INTERNAL_ERROR, "the effect ended as no effect of its kind can")
        }
    }
}

/// Instances whose values are read by the command, be it only to satisfy an nv field.
fn stale_instances(context: &Context<'_>, command: &Command) -> Vec<(Moid, Miid)> {
    let read = match command {
        // What a subscription starts from has to be up to date, or the next look would find a change that is none.
        Command::Get(client) | Command::Sub { client, .. } => vec![client],
        Command::HPut { clients, .. } | Command::HPost { clients, .. } => clients.iter().collect(),
        Command::HGet { client: Some(client), .. }
        | Command::Delete(client)
        | Command::Exec { client, .. }
            if client.has_x_name() =>
        {
            vec![client]
        }
        // What a plug-in shows when it is asked need not have been read to be executed.
        Command::Exec { client, .. }
            if matches!(
                context.tree.resolve(context.actor, client),
                Err(OperationError::NotFound { .. })
            ) =>
        {
            vec![client]
        }
        Command::HGet { .. }
        | Command::Delete(_)
        | Command::Exec { .. }
        | Command::Show(_)
        | Command::Cont(_)
        | Command::End
        | Command::Default { .. }
        | Command::Unsub(_) => Vec::new(),
    };
    let mut instances = BTreeSet::new();
    for uri in read {
        // A server that may not use the MO at all shall not be able to set its plug-in to work.
        if !context.tree.provisioned(context.server, &uri.moid) {
            continue;
        }
        let candidates = context.tree.instances_of(&uri.moid).filter(|instance| match &uri.inst {
            MoInst::Miid(miid) => instance.miid == *miid,
            MoInst::XName(_) | MoInst::Only | MoInst::All => true,
        });
        instances.extend(candidates.map(|instance| (instance.moid.clone(), instance.miid.clone())));
    }
    instances.into_iter().collect()
}

fn client_uris_mut(command: &mut Command) -> Vec<&mut ClientUri> {
    match command {
        Command::Get(client)
        | Command::Delete(client)
        | Command::Exec { client, .. }
        | Command::Sub { client, .. }
        | Command::Unsub(client) => vec![client],
        Command::HGet { client, .. } => client.iter_mut().collect(),
        Command::HPut { clients, .. } | Command::HPost { clients, .. } => clients.iter_mut().collect(),
        Command::Show(_) | Command::Cont(_) | Command::End | Command::Default { .. } => Vec::new(),
    }
}

/// Whether an address makes use of what a client SHOULD, not MUST, support (`DM 2.0 §6.1`). Unrecognized query fields do not count: they
/// MUST be ignored.
fn is_advanced(uri: &ClientUri) -> bool {
    uri.has_wildcard() || uri.has_x_name() || uri.query.has_standard_field()
}
