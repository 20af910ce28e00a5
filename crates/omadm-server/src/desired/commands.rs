//! From what is to be done to commands of the queue.

use omadm_codec::dm2::{MoItem, mo_data};
use omadm_codec::media_type;
use omadm_mo::{ClientUri, Content, DeviceId, NodeName, Segment, Time};
use omadm_store::{NewCommand, Origin, PackageKind, StoreError};
use uuid::Uuid;

use super::compare::{Action, Planned};
use super::known::component;
use super::wanted::Wanted;
use crate::context::Context;
use crate::leaf::{Body, LeafValue, natural};
use crate::operation::{Operation, Setting};
use crate::package::deliver;

/// An operation with the octets that are queued with it.
pub type Said = (Operation, Option<Body>);

/// The operations for an action, of which the last one brings it to its end.
///
/// # Errors
/// When the store fails; within, one sentence on why it cannot be said.
pub async fn operations(
    context: &Context,
    action: &Action,
    now: Time,
) -> Result<Result<Vec<Said>, String>, StoreError> {
    let one = |operation| Ok(vec![(operation, None)]);
    Ok(match action {
        Action::Read { address } => one(Operation::Get { address: address.clone() }),
        Action::Set { address, value } => {
            one(Operation::Set { address: address.clone(), value: Setting::Value(value.clone()) })
        }
        Action::Make { address, below } => {
            mo_item(address, below).map(|body| vec![(Operation::SetItems, Some(body))])
        }
        Action::Delete { address } => one(Operation::Delete { address: address.clone() }),
        Action::Observe { address } => one(Operation::Subscribe { address: address.clone() }),
        Action::Unobserve { address } => one(Operation::Unsubscribe { address: address.clone() }),
        Action::Remove { package } => {
            one(Operation::Exec { address: component(package, "Operations/Remove"), later: true })
        }
        Action::Install { package, version } => {
            deliver(context, PackageKind::Software, package, version, now).await?
        }
        Action::Update { package, version } => {
            deliver(context, PackageKind::Firmware, package, version, now).await?
        }
    })
}

async fn deliver(
    context: &Context,
    kind: PackageKind,
    name: &str,
    version: &str,
    now: Time,
) -> Result<Result<Vec<Said>, String>, StoreError> {
    let found = context.store.package_named(name, version).await?;
    let Some(package) = found.filter(|package| package.kind == kind) else {
        let kind = kind.as_str();
        return Ok(Err(format!(
            "There is no {kind} package {name} {version}; `omadm package ls` shows those that are."
        )));
    };
    let operations = deliver::operations(context, &package, now);
    Ok(operations.map(|operations| operations.into_iter().map(|operation| (operation, None)).collect()))
}

/// An interior node with all that is below, as MO data.
fn mo_item(address: &str, below: &[(String, Option<LeafValue>)]) -> Result<Body, String> {
    let illegal = |address: &str| format!("The address {address:?} is not legal.");
    let uri = ClientUri::parse(address).map_err(|_| illegal(address))?;
    let mut content = Content::Interior(Vec::new());
    for (node, value) in below {
        let at = ClientUri::parse(node).map_err(|_| illegal(node))?;
        let names = at.path.get(uri.path.len()..).unwrap_or_default().iter().map(|segment| match segment {
            Segment::Name(name) => Some(name.clone()),
            Segment::XName(_) | Segment::Wildcard => None,
        });
        let names: Vec<NodeName> = names.collect::<Option<_>>().ok_or_else(|| illegal(node))?;
        let leaf =
            value.as_ref().map(|value| value.value().or_else(|| natural(value.json())).map(Content::Leaf));
        let leaf =
            leaf.unwrap_or_else(|| Some(Content::Interior(Vec::new()))).ok_or_else(|| illegal(node))?;
        put(&mut content, &names, leaf);
    }
    let label = match (uri.path.last(), &uri.inst) {
        (Some(Segment::Name(name)), _) => name.as_str().to_owned(),
        (None, omadm_mo::MoInst::Miid(miid)) => miid.as_str().to_owned(),
        _ => {
            return Err(format!("{address} does not tell how the node is called; name the instance (MIID)."));
        }
    };
    let item = MoItem { ddf: None, client_uri: address.to_owned(), cv: None, label, content };
    let mut octets = Vec::new();
    mo_data::encode(&[item], &mut octets);
    Ok(Body { content_type: media_type::DMMO_JSON.into(), octets })
}

/// Puts something below an interior node; those in between are made.
fn put(content: &mut Content, names: &[NodeName], what: Content) {
    let (Content::Interior(children), Some((name, rest))) = (content, names.split_first()) else { return };
    let place = children.iter().position(|(other, _)| other == name);
    match (place, rest) {
        (None, []) => children.push((name.clone(), what)),
        (Some(_), []) => {}
        (place, rest) => {
            if place.is_none() {
                children.push((name.clone(), Content::Interior(Vec::new())));
            }
            let child = children.iter_mut().find(|(other, _)| other == name);
            child.into_iter().for_each(|(_, child)| put(child, rest, what.clone()));
        }
    }
}

/// A planned command as it is queued. What cannot be said comes back with why.
///
/// # Errors
/// When the store fails.
pub async fn queued(
    context: &Context,
    device: &DeviceId,
    wanted: &Wanted,
    planned: &Planned,
    now: Time,
) -> Result<Result<Vec<NewCommand>, String>, StoreError> {
    let said = match operations(context, &planned.action, now).await? {
        Ok(said) => said,
        Err(why) => return Ok(Err(why)),
    };
    let Some(version) = wanted.version(planned.by) else { return Ok(Ok(Vec::new())) };
    let expires = now.plus_micros(context.config.queue.default_expiry.micros());
    let last = said.len().saturating_sub(1);
    let brings_package = matches!(planned.action, Action::Install { .. } | Action::Update { .. });
    let commands = said.into_iter().enumerate().map(|(place, (operation, body))| NewCommand {
        id: if place == last { planned.id } else { Uuid::now_v7() },
        device: device.clone(),
        verb: operation.verb().to_owned(),
        address: operation.address().to_owned(),
        args: operation.args(),
        payload: body.map(|body| body.into_payload(device)),
        supersede_key: match &operation {
            // Packages use the same nodes one after the other: none takes away what another one has set.
            _ if brings_package => None,
            Operation::Get { address } => Some(format!("profile get {address}")),
            operation => operation.supersede_key(),
        },
        expires,
        created_by: format!("profile {}", version.name),
        origin: Some(Origin::Profile { name: version.name.clone(), version: version.number }),
    });
    let mut commands: Vec<_> = commands.collect();
    if brings_package {
        deliver::tie(&mut commands);
    }
    Ok(Ok(commands))
}
