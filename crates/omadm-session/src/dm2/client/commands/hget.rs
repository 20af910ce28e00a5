//! HGET (`DM 2.0 §5.3.1`): one request, one transaction.

use omadm_codec::dm2::{MoItem, StatusCode, mo_data};
use omadm_codec::media_type::{DMMO_JSON, OCTET_STREAM};
use omadm_codec::{DecodeError, Leniency, Problem, Tolerance};
use omadm_mo::{Change, ClientUri, Moid, OperationError, ServerUri, Tree};

use super::{Answer, Context, Progress, Wait, Yield, commit, replace_aliases, unexpected};
use crate::dm2::client::{Body, Effect, EffectResult, HttpReply, policy};
use crate::dm2::media::media_type;

/// Without a ClientURI only MO data says where it belongs.
const ACCEPT_MO_DATA: &str = "application/dmmo+json";
/// Onto one leaf a body of any type may fit.
const ACCEPT_ANY: &str = "application/dmmo+json, text/plain;q=0.9, application/octet-stream;q=0.8, */*;q=0.1";

/// A download under way.
#[derive(Debug)]
pub(in crate::dm2::client) struct Fetching {
    uri: String,
    client: Option<ClientUri>,
    /// Data of other MOs is passed over.
    only: Option<Moid>,
}

/// What a body says, by its type.
enum Read {
    /// MO data for the ClientURI of the command.
    Sub(ClientUri, MoItem),
    /// Items that say themselves where they belong.
    Items(Vec<(ClientUri, MoItem)>),
    /// The value of one leaf.
    Leaf { client: ClientUri, essence: String, octets: Body },
}

pub(super) fn perform(context: &Context<'_>, server: &ServerUri, client: Option<ClientUri>) -> Progress {
    if let Some(client) = &client
        && client.has_wildcard()
    {
        return Answer::refused(&OperationError::WildcardNotAllowed { address: client.to_string() }).into();
    }
    match policy::expand(context.config, server) {
        Ok(uri) => {
            let accept = if client.is_some() { ACCEPT_ANY } else { ACCEPT_MO_DATA };
            let effect = Effect::Fetch { uri: uri.clone(), accept: accept.into() };
            Progress::waiting(effect, Wait::Fetch(Fetching { uri, client, only: None }))
        }
        Err(reason) => Answer::failure(StatusCode::SERVER_URI_ERROR, reason).into(),
    }
}

/// An HGET without ClientURI that stores what it gets of one MO (`DM 2.0 §5.3.10`).
pub(in crate::dm2::client) fn fetch_only(context: &Context<'_>, server: &ServerUri, moid: Moid) -> Progress {
    match policy::expand(context.config, server) {
        Ok(uri) => {
            let effect = Effect::Fetch { uri: uri.clone(), accept: ACCEPT_MO_DATA.into() };
            Progress::waiting(effect, Wait::Fetch(Fetching { uri, client: None, only: Some(moid) }))
        }
        Err(reason) => Answer::failure(StatusCode::SERVER_URI_ERROR, reason).into(),
    }
}

impl Fetching {
    pub(super) fn finish(self, context: &mut Context<'_>, result: EffectResult) -> Progress {
        let reply = match result {
            EffectResult::Http(reply) => reply,
            EffectResult::NoReply { reason } => {
                return Answer::failure(StatusCode::SERVER_URI_ERROR, format!("{}: {reason}", self.uri))
                    .into();
            }
            EffectResult::TooLarge => {
                return Answer::failure(StatusCode::DEVICE_FULL, format!("{}: over the limit", self.uri))
                    .into();
            }
            other @ (EffectResult::Done | EffectResult::Accepted | EffectResult::Refused { .. }) => {
                return unexpected(other).into();
            }
        };
        context.accepts.learn_from_repository(&self.uri, &reply);
        // 204 and 206 bring no data or a piece of it: neither is what was asked for.
        if !matches!(reply.status, 200 | 203) {
            let reason = format!("{} answered {}", self.uri, reply.status);
            return Answer::failure(StatusCode::SERVER_URI_ERROR, reason).into();
        }
        match self.read(context, reply) {
            Ok(body) => store(context, body).unwrap_or_else(Progress::from),
            Err(answer) => answer.into(),
        }
    }

    fn read(self, context: &mut Context<'_>, reply: HttpReply) -> Result<Read, Answer> {
        let written = reply.content_type.as_deref().unwrap_or(OCTET_STREAM);
        let essence = media_type(written).map_err(unsupported)?.essence;
        if essence != DMMO_JSON {
            return match self.client {
                Some(client) => Ok(Read::Leaf { client, essence, octets: reply.body }),
                None => Err(unsupported(format!(
                    "{essence} does not say where it belongs; a ClientURI is missing"
                ))),
            };
        }
        let items = mo_data::decode(&reply.body, &context.config.limits, &mut context.leniency)
            .map_err(undecodable)?;
        if let Some(client) = self.client {
            return match <[MoItem; 1]>::try_from(items) {
                Ok([item]) => Ok(Read::Sub(client, item)),
                Err(items) => Err(unsupported(format!("{} items of MO data for one ClientURI", items.len()))),
            };
        }
        let addressed =
            items.into_iter().map(|item| addressed(context, item)).collect::<Result<Vec<_>, _>>()?;
        let wanted = |moid: &Moid| self.only.as_ref().is_none_or(|only| only == moid);
        let items: Vec<_> = addressed.into_iter().filter(|(uri, _)| wanted(&uri.moid)).collect();
        if items.is_empty() {
            return Err(unsupported("MO data without any item that is wanted".into()));
        }
        Ok(Read::Items(items))
    }
}

/// Reads the ClientURI of an item; what is wrong with it is wrong with the data, not with the command.
fn addressed(context: &mut Context<'_>, item: MoItem) -> Result<(ClientUri, MoItem), Answer> {
    let uri = item_address(&item, context.tree).and_then(|mut uri| {
        replace_aliases(context.tree, &mut uri, &mut context.leniency)?;
        if uri.has_wildcard() {
            return Err(OperationError::WildcardNotAllowed { address: item.client_uri.clone() });
        }
        Ok(uri)
    });
    match uri {
        Ok(uri) => Ok((uri, item)),
        Err(error) => Err(unsupported(format!("ClientURI {:?} in the data: {error}", item.client_uri))),
    }
}

/// The ClientURI of an item of MO data.
pub(in crate::dm2::client) fn item_address(item: &MoItem, tree: &Tree) -> Result<ClientUri, OperationError> {
    let catalogue = tree.catalogue();
    Ok(ClientUri::parse_with(&item.client_uri, &|moid| catalogue.get(moid).is_some())?)
}

fn store(context: &mut Context<'_>, body: Read) -> Result<Progress, Answer> {
    let mut change = context.tree.begin(context.actor.clone(), context.now);
    let locations = apply(&mut change, body).map_err(|error| match error {
        // The command's own addresses are parsed already, so this is a name or address in the data.
        OperationError::Address(error) => unsupported(format!("a name in the data: {error}")),
        error => Answer::refused(&error),
    })?;
    permit(&change, &mut context.leniency).map_err(unsupported)?;
    let prepared = change.prepare();
    let yielded = if locations.is_empty() { Yield::Nothing } else { Yield::Locations(locations) };
    Ok(commit::request(context.tree, prepared, Answer::success(StatusCode::OK, yielded)))
}

/// Stores a body; gives the locations that the client chose.
fn apply(change: &mut Change<'_>, body: Read) -> Result<Vec<String>, OperationError> {
    match body {
        Read::Sub(client, item) => {
            change.store_at(&client, Some(&item.label), item.content)?;
            Ok(Vec::new())
        }
        Read::Items(items) => items
            .into_iter()
            .map(|(uri, item)| Ok(change.store_item(&uri, &item.label, item.content)?.to_string()))
            .collect(),
        Read::Leaf { client, essence, octets } => {
            change.store_leaf(&client, &essence, &octets)?;
            Ok(Vec::new())
        }
    }
}

/// Asks for every tolerance that the tree made use of; `Err` says which one is off.
pub(in crate::dm2::client) fn permit(change: &Change<'_>, leniency: &mut Leniency) -> Result<(), String> {
    let mut needed = change.departures().iter().copied().map(Tolerance::from);
    match needed.find(|tolerance| !leniency.allow(*tolerance)) {
        Some(refused) => Err(format!("the data needs the tolerance {refused}, which is off")),
        None => Ok(()),
    }
}

fn unsupported(reason: String) -> Answer {
    Answer::failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason)
}

fn undecodable(error: DecodeError) -> Answer {
    let status = match error.problem {
        Problem::TooLarge { .. } | Problem::TooMany { .. } => StatusCode::DEVICE_FULL,
        _ => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    };
    Answer::failure(status, error.to_string())
}
