//! What is known of that which is wanted of a device: from its last known tree, and from the message that is being worked on.

use std::collections::{BTreeMap, HashMap, HashSet};

use omadm_mo::ClientUri;
use omadm_store::{
    CheckIn, Command, CommandState, Facts, Origin, SessionStep, StandingChange, StandingKind, StoreError,
    TreeAddress, TreeNode, TreeUpdate,
};

use super::compare::{End, Known, Seen};
use super::memo::Memo;
use super::places::Places;
use super::wanted::{Wanted, What, canonical};
use crate::address::Inventory;
use crate::context::Context;
use crate::package::deliver;
use crate::roots::is_secret;

/// What is known of a device.
pub struct Gathered {
    /// Of each want, in their order.
    pub known: Vec<Known>,
    /// Commands of the memo that are not over.
    pub under_way: HashSet<omadm_store::CommandId>,
    /// And those that are.
    pub ended: HashMap<omadm_store::CommandId, End>,
    /// Keys of what an operator has changed.
    pub by_hand: HashSet<String>,
    /// Keys of what the device has spoken of.
    pub told: HashSet<String>,
    /// Keys of what it has ceased to observe.
    pub unobserved: HashSet<String>,
}

/// Gathers it: one read of the tree, and one for each command of which the message says nothing.
///
/// # Errors
/// When the store fails.
pub async fn gather(
    context: &Context,
    check: &CheckIn,
    step: &SessionStep,
    wanted: &Wanted,
    memo: &Memo,
    places: &mut Places,
) -> Result<Gathered, StoreError> {
    let device = &check.device;
    let mut found: Vec<(Known, Option<TreeAddress>)> = Vec::with_capacity(wanted.wants.len());
    for want in &wanted.wants {
        found.push(place(context, check, step, &want.item.what, places).await?);
    }
    let at: Vec<TreeAddress> = found.iter().filter_map(|(_, at)| at.clone()).collect();
    let nodes = if at.is_empty() { Vec::new() } else { context.store.nodes(&device.id, at).await? };
    let nodes: BTreeMap<TreeAddress, TreeNode> =
        nodes.into_iter().map(|node| (node.at.clone(), node)).collect();
    let missing = missing(check, step);
    for ((known, at), want) in found.iter_mut().zip(&wanted.wants) {
        if let Some(at) = at {
            let mut seen = nodes.get(at).map_or(Seen::Nothing, seen_node);
            for update in &step.tree {
                overlay(&mut seen, at, update, step.now);
            }
            let is_missing = known.read.as_deref().is_some_and(|read| missing.contains(read));
            known.seen = of_want(&want.item.what, if is_missing { Seen::Gone } else { seen });
        }
    }
    let (under_way, ended) = commands(context, check, step, memo).await?;
    let spots: Vec<Option<TreeAddress>> = found.iter().map(|(_, at)| at.clone()).collect();
    let related = |addresses: Vec<TreeAddress>| -> HashSet<String> {
        let is_about =
            |at: &TreeAddress| addresses.iter().any(|other| covers(other, at) || covers(at, other));
        let wants = wanted.wants.iter().zip(&spots).filter(|(_, at)| at.as_ref().is_some_and(is_about));
        wants.map(|(want, _)| want.item.key.clone()).collect()
    };
    Ok(Gathered {
        by_hand: related(by_hand(check, step, places)),
        told: related(told(step, places)),
        unobserved: unobserved(step, wanted),
        known: found.into_iter().map(|(known, _)| known).collect(),
        under_way,
        ended,
    })
}

/// Where something is in the tree, and what can be said of it before that is looked at.
async fn place(
    context: &Context,
    check: &CheckIn,
    step: &SessionStep,
    what: &What,
    places: &mut Places,
) -> Result<(Known, Option<TreeAddress>), StoreError> {
    let address = match what {
        What::Firmware { version, .. } => {
            let facts = Facts::read(step.facts.as_deref().unwrap_or(&check.device.facts));
            let seen = match facts.firmware.as_str() {
                "" => Seen::Nothing,
                same if same == version => Seen::Met,
                other => Seen::Unmet(format!("there is firmware {other}")),
            };
            let read = Some(places.firmware().to_owned());
            return Ok((Known { seen, read, never: None }, None));
        }
        What::Software { package, .. } | What::NoSoftware { package } => component(package, "Version"),
        What::Leaf { address, .. }
        | What::Interior { address }
        | What::Absent { address }
        | What::Observed { address, .. }
        | What::Unobserved { address } => address.clone(),
    };
    match places.of(context, &check.device.id, &address).await? {
        Ok(at) => {
            let hides =
                ClientUri::parse(&address).is_ok_and(|uri| uri.may_hold_secrets()) || is_secret(&address);
            let read = Some(address.clone()).filter(|_| !hides && places.can_be_read(&address));
            Ok((Known { seen: Seen::Nothing, read, never: None }, at))
        }
        Err(why) => Ok((Known { seen: Seen::Nothing, read: None, never: Some(why) }, None)),
    }
}

/// The address of something of a software component, which devices keep under the name of its package.
pub fn component(package: &str, part: &str) -> String {
    format!("{}//Inventory/Deployed/{}/{part}", deliver::SCOMO, deliver::node_name(package))
}

fn seen_node(node: &TreeNode) -> Seen {
    match &node.value {
        Some(value) => Seen::Leaf(serde_json::from_str(value).unwrap_or_default(), node.seen),
        None => Seen::Interior(node.seen),
    }
}

/// What a node says about software.
fn of_want(what: &What, seen: Seen) -> Seen {
    match (what, seen) {
        (What::Software { version, .. }, Seen::Leaf(value, at)) => match value.as_str() {
            Some(there) if version == there => Seen::Met,
            _ => Seen::Unmet(Seen::Leaf(value, at).say()),
        },
        (What::Software { .. }, Seen::Gone) => Seen::Unmet("it is not there".to_owned()),
        (What::NoSoftware { .. }, Seen::Gone) => Seen::Met,
        (What::NoSoftware { .. }, Seen::Leaf(value, at)) => Seen::Unmet(Seen::Leaf(value, at).say()),
        (_, seen) => seen,
    }
}

/// Whether `above` is the same place or one above; an empty MIID stands for all instances.
fn covers(above: &TreeAddress, at: &TreeAddress) -> bool {
    let same = above.moid == at.moid && (above.miid.is_empty() || above.miid == at.miid);
    let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    same && at.path.strip_prefix(&above.path).is_some_and(below)
}

/// What an update of the tree says about one place.
fn overlay(seen: &mut Seen, at: &TreeAddress, update: &TreeUpdate, now: omadm_mo::Time) {
    let update = match update {
        TreeUpdate::OfOnly(inner) => inner,
        other => other,
    };
    let (cleared, nodes) = match update {
        TreeUpdate::Remove { at } => (Some(at), &[] as &[_]),
        TreeUpdate::Replace { at, nodes } => (Some(at), nodes.as_slice()),
        TreeUpdate::Merge { nodes } => (None, nodes.as_slice()),
        TreeUpdate::OfOnly(_) => (None, &[] as &[_]),
    };
    if cleared.is_some_and(|cleared| covers(cleared, at)) {
        *seen = Seen::Gone;
    }
    for (node, value) in nodes {
        match (covers(node, at), covers(at, node), value) {
            (true, _, Some(value)) if node.path == at.path => {
                *seen = Seen::Leaf(serde_json::from_str(value).unwrap_or_default(), now);
            }
            // Nothing is below a leaf.
            (true, _, Some(_)) => *seen = Seen::Gone,
            (true, _, None) if node.path == at.path => *seen = Seen::Interior(now),
            (false, true, _) => *seen = Seen::Interior(now),
            _ => {}
        }
    }
}

/// How a command stands after a message, by its sequence number.
fn state_after(step: &SessionStep, command: &Command) -> (CommandState, Option<u16>, Option<String>) {
    let last = step.transitions.iter().rev().find(|transition| transition.seq == command.seq);
    last.map_or((command.state, command.status, command.reason.clone()), |transition| {
        (transition.to, transition.status, transition.reason.clone())
    })
}

fn is_of_profile(command: &Command) -> bool {
    matches!(command.origin, Some(Origin::Profile { .. }))
}

/// Whether a message ends a command that a profile has asked for.
pub fn ends_a_command(check: &CheckIn, step: &SessionStep) -> bool {
    let ended = step.transitions.iter().filter(|transition| transition.to.is_final());
    ended.into_iter().any(|transition| {
        check.commands.iter().any(|command| command.seq == transition.seq && is_of_profile(command))
    })
}

/// Addresses that profiles have had read, and where there is nothing.
fn missing<'c>(check: &'c CheckIn, step: &SessionStep) -> HashSet<&'c str> {
    let read = check.commands.iter().filter(|command| command.verb == "get" && is_of_profile(command));
    let missing = read.filter(|command| {
        let (state, status, _) = state_after(step, command);
        state == CommandState::Failed && status == Some(404)
    });
    missing.map(|command| command.address.as_str()).collect()
}

type Commands = (HashSet<omadm_store::CommandId>, HashMap<omadm_store::CommandId, End>);

/// How the commands of the memo stand.
async fn commands(
    context: &Context,
    check: &CheckIn,
    step: &SessionStep,
    memo: &Memo,
) -> Result<Commands, StoreError> {
    let (mut under_way, mut ended) = (HashSet::new(), HashMap::new());
    let open = memo.open.values().filter_map(|open| open.command);
    let ids: HashSet<_> = open.chain(memo.told.values().copied()).collect();
    for id in ids {
        let here = check.commands.iter().find(|command| command.id == id);
        let elsewhere = match here {
            Some(_) => None,
            None => context.store.command(id).await?,
        };
        let Some(command) = here.or(elsewhere.as_ref()) else { continue };
        let (state, status, reason) = state_after(step, command);
        if !state.is_final() {
            under_way.insert(id);
            continue;
        }
        let why = reason.unwrap_or_else(|| format!("The command {id} ended as {}.", state.as_str()));
        ended.insert(id, End { done: state == CommandState::Done, missing: status == Some(404), why });
    }
    Ok((under_way, ended))
}

/// Places that an operator has changed with this message.
fn by_hand(check: &CheckIn, step: &SessionStep, places: &Places) -> Vec<TreeAddress> {
    let writes =
        |command: &&Command| matches!(command.verb.as_str(), "set" | "delete") && !is_of_profile(command);
    let done = check.commands.iter().filter(writes).filter(|command| {
        step.transitions
            .iter()
            .any(|transition| transition.seq == command.seq && transition.to == CommandState::Done)
    });
    done.filter_map(|command| places.of_known(&command.address)).collect()
}

/// Places of which the device speaks in alerts.
fn told(step: &SessionStep, places: &Places) -> Vec<TreeAddress> {
    let alerts = step.events.iter().filter(|event| event.kind == "alert");
    let sources = alerts.filter_map(|event| {
        let body: serde_json::Value = serde_json::from_str(&event.body).ok()?;
        body.get("source")?.as_str().map(str::to_owned)
    });
    sources.filter_map(|source| places.of_known(&source)).collect()
}

/// Keys of what is observed no more, as the device or an operator has ended it.
fn unobserved(step: &SessionStep, wanted: &Wanted) -> HashSet<String> {
    let ended = step.standing.iter().filter_map(|change| match change {
        StandingChange::End { kind: StandingKind::Subscription, target } => Some(canonical(target)),
        _ => None,
    });
    let ended: HashSet<String> = ended.collect();
    let observed = wanted.wants.iter().filter_map(|want| match &want.item.what {
        What::Observed { address, .. } if ended.contains(&canonical(address)) => Some(want.item.key.clone()),
        _ => None,
    });
    observed.collect()
}

/// Whether a message says something about what is wanted.
pub fn concerns(step: &SessionStep, wanted: &Wanted) -> bool {
    let moids = |update: &TreeUpdate| {
        let mut update = update;
        while let TreeUpdate::OfOnly(inner) = update {
            update = inner;
        }
        match update {
            TreeUpdate::Remove { at } => vec![at.moid.clone()],
            TreeUpdate::Replace { at, nodes } => {
                std::iter::once(at.moid.clone()).chain(nodes.iter().map(|(at, _)| at.moid.clone())).collect()
            }
            TreeUpdate::Merge { nodes } => nodes.iter().map(|(at, _)| at.moid.clone()).collect(),
            TreeUpdate::OfOnly(_) => Vec::new(),
        }
    };
    let has_alerts = step.events.iter().any(|event| event.kind == "alert");
    let ends = step.standing.iter().any(|change| matches!(change, StandingChange::End { .. }));
    has_alerts || ends || step.tree.iter().flat_map(moids).any(|moid| wanted.is_about(&moid))
}

/// The inventory of a device as it is after a message.
pub fn inventory_after(check: &CheckIn, step: &SessionStep) -> Inventory {
    Inventory::read(step.inventory.as_deref().or(check.device.inventory.as_deref()))
}

#[cfg(test)]
mod tests {
    use omadm_mo::Time;
    use serde_json::json;

    use super::*;

    fn at(path: &str) -> TreeAddress {
        TreeAddress { moid: "m".into(), miid: "i".into(), path: path.into() }
    }

    fn after(updates: &[TreeUpdate], path: &str) -> Seen {
        let mut seen = Seen::Leaf(json!(1), Time(1));
        updates.iter().for_each(|update| overlay(&mut seen, &at(path), update, Time(2)));
        seen
    }

    #[test]
    fn a_message_tells_what_is_there_and_what_is_not() {
        let leaf = |path: &str| (at(path), Some("2".to_owned()));
        let merge = |nodes| [TreeUpdate::Merge { nodes }];
        let (kept, new) = (Seen::Leaf(json!(1), Time(1)), Seen::Leaf(json!(2), Time(2)));
        assert_eq!(after(&merge(vec![leaf("/a/b")]), "/a/b"), new);
        assert_eq!(after(&merge(vec![leaf("/a/bc")]), "/a/b"), kept);
        assert_eq!(after(&merge(vec![leaf("/a/b/c")]), "/a/b"), Seen::Interior(Time(2)));
        assert_eq!(after(&merge(vec![leaf("/a")]), "/a/b"), Seen::Gone);
        assert_eq!(after(&merge(vec![(at("/a"), None)]), "/a/b"), kept);
        assert_eq!(after(&[TreeUpdate::Remove { at: at("/a") }], "/a/b"), Seen::Gone);
        let replace = TreeUpdate::Replace { at: at("/a"), nodes: vec![leaf("/a/c")] };
        assert_eq!(after(std::slice::from_ref(&replace), "/a/b"), Seen::Gone);
        assert_eq!(after(std::slice::from_ref(&replace), "/a/c"), new);
        let only = TreeAddress { miid: String::new(), ..at("/a/b") };
        assert_eq!(
            after(&[TreeUpdate::OfOnly(Box::new(TreeUpdate::Remove { at: only }))], "/a/b"),
            Seen::Gone
        );
    }
}
