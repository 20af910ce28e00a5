//! HPUT and HPOST (`DM 2.0 §5.3.2, §5.3.3, §5.5, §11`).

use omadm_codec::dm2::{StatusCode, mo_data};
use omadm_codec::media_type::DMMO_JSON;
use omadm_mo::{ClientUri, Operation, ServerUri};

use super::{Answer, Context, Data, MAX_DATA, Progress, Wait, Yield, read, unexpected};
use crate::dm2::client::accept::Form;
use crate::dm2::client::{Effect, EffectResult, policy, status};

/// An upload under way.
#[derive(Debug)]
pub(in crate::dm2::client) struct Uploading {
    uri: String,
}

/// What the addresses of the command came to.
#[derive(Default)]
struct Collected {
    items: Vec<omadm_codec::dm2::MoItem>,
    /// The value of the only leaf, if that is all there is.
    direct: Option<Data>,
    /// Some address matched, and the server has its newest state.
    current: bool,
}

pub(super) fn perform(
    context: &mut Context<'_>,
    method: &'static str,
    server: &ServerUri,
    clients: &[ClientUri],
) -> Progress {
    prepare(context, method, server, clients).unwrap_or_else(Progress::from)
}

fn prepare(
    context: &Context<'_>,
    method: &'static str,
    server: &ServerUri,
    clients: &[ClientUri],
) -> Result<Progress, Answer> {
    let collected = collect(context, clients)?;
    if collected.items.is_empty() {
        return Err(if collected.current {
            Answer::success(StatusCode::NOT_MODIFIED, Yield::Nothing)
        } else {
            Answer::failure(StatusCode::NOT_FOUND, "none of the ClientURIs matches anything")
        });
    }
    let uri = policy::expand(context.config, server)
        .map_err(|reason| Answer::failure(StatusCode::SERVER_URI_ERROR, reason))?;
    let Data { content_type, body } = form(context, &uri, collected)?;
    let effect = Effect::Upload { method, uri: uri.clone(), content_type, body };
    Ok(Progress::waiting(effect, Wait::Upload(Uploading { uri })))
}

/// Reads all addresses. One that matches nothing is passed over; any other refusal refuses the whole command, so that nothing is sent
/// for a server that lacks a right (`DM 2.0 §6.3.1.1`).
fn collect(context: &Context<'_>, clients: &[ClientUri]) -> Result<Collected, Answer> {
    let mut collected = Collected::default();
    let mut weight: usize = 0;
    for client in clients {
        let found = match context.tree.authorise(context.actor, client, Operation::Get) {
            Ok(found) => found,
            Err(error) if status::of_operation(&error) == StatusCode::NOT_FOUND => continue,
            Err(error) => return Err(Answer::refused(&error)),
        };
        if read::is_current(context.tree, &found, client) {
            collected.current = true;
            continue;
        }
        collected.direct = if collected.items.is_empty() {
            read::single_leaf(context.tree, &found, client).and_then(read::direct)
        } else {
            None
        };
        let items = read::items(context.tree, context.actor, &found, client);
        weight = items.iter().fold(weight, |sum, item| sum.saturating_add(read::weight(&item.content)));
        if weight > MAX_DATA {
            let reason = format!("the upload would hold more than {MAX_DATA} octets of data");
            return Err(Answer::failure(StatusCode::SERVICE_UNAVAILABLE, reason));
        }
        collected.items.extend(items);
    }
    Ok(collected)
}

/// The body in a form that the receiver accepts, or 406.
fn form(context: &Context<'_>, uri: &str, collected: Collected) -> Result<Data, Answer> {
    let chosen = context.accepts.form_for_upload(uri, collected.direct.as_ref().map(read::essence));
    match (chosen, collected.direct) {
        (Some(Form::Direct), Some(data)) => Ok(data),
        (Some(_), _) => {
            let mut body = Vec::new();
            mo_data::encode(&collected.items, &mut body);
            Ok(Data { content_type: DMMO_JSON.into(), body: body.into() })
        }
        (None, _) => {
            let reason = "OMADM-Accept of the server names no media type that this device can send";
            Err(Answer::failure(StatusCode::NOT_ACCEPTABLE, reason))
        }
    }
}

impl Uploading {
    pub(super) fn finish(self, context: &mut Context<'_>, result: EffectResult) -> Answer {
        let failed = |reason: String| Answer::failure(StatusCode::SERVER_URI_ERROR, reason);
        match result {
            EffectResult::Http(reply) => {
                context.accepts.learn_from_repository(&self.uri, &reply);
                if (200..300).contains(&reply.status) {
                    Answer::success(StatusCode::OK, Yield::Nothing)
                } else {
                    failed(format!("{} answered {}", self.uri, reply.status))
                }
            }
            EffectResult::NoReply { reason } => failed(format!("{}: {reason}", self.uri)),
            EffectResult::TooLarge => failed(format!("{}: the answer is over the limit", self.uri)),
            other @ (EffectResult::Done | EffectResult::Accepted | EffectResult::Refused { .. }) => {
                unexpected(other)
            }
        }
    }
}
