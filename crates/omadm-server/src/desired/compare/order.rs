//! In which order things are done: what has to be so before comes before, then nodes that are made, parents first, then values, then
//! software, and what goes away last.

use std::collections::{BTreeSet, HashMap};

use crate::desired::wanted::{Spot, Want, What};

/// What decides between two that need not wait for each other.
type Rank = (u8, usize, String);

/// Places of the wants, in the order in which they are done.
pub fn order(wants: &[Want]) -> Vec<usize> {
    let waits = before_each(wants);
    let mut waiting: Vec<usize> = waits.iter().map(BTreeSet::len).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); wants.len()];
    for (place, before) in waits.iter().enumerate() {
        for other in before {
            followers.get_mut(*other).into_iter().for_each(|list| list.push(place));
        }
    }
    let ranks: Vec<Rank> = wants.iter().map(rank).collect();
    let all: BTreeSet<(&Rank, usize)> = ranks.iter().enumerate().map(|(place, rank)| (rank, place)).collect();
    let is_free = |(_, place): &&(&Rank, usize)| waiting.get(*place) == Some(&0);
    let mut ready: BTreeSet<(&Rank, usize)> = all.iter().filter(is_free).copied().collect();
    let mut left = all;
    let mut ordered = Vec::with_capacity(wants.len());
    // Documents wait in no circle; two of different profiles may. Then the first of those that are left begins.
    while let Some(next) = ready.pop_first().or_else(|| left.first().copied()) {
        let (_, place) = next;
        if !left.remove(&next) {
            continue;
        }
        ordered.push(place);
        for follower in followers.get(place).into_iter().flatten() {
            let Some(count) = waiting.get_mut(*follower) else { continue };
            *count = count.saturating_sub(1);
            if let (0, Some(rank)) = (*count, ranks.get(*follower)) {
                ready.insert((rank, *follower));
            }
        }
    }
    ordered
}

/// For each want the places of those that have to be so before: what it names, and the nodes above it.
pub fn before_each(wants: &[Want]) -> Vec<BTreeSet<usize>> {
    let by_key: HashMap<&str, usize> =
        wants.iter().enumerate().map(|(place, want)| (want.item.key.as_str(), place)).collect();
    let above = above_each(wants);
    let named = |want: &Want| -> BTreeSet<usize> {
        want.item.after.iter().filter_map(|key| by_key.get(key.as_str()).copied()).collect()
    };
    wants
        .iter()
        .zip(above)
        .enumerate()
        .map(|(place, (want, above))| {
            let mut before = named(want);
            before.extend(above);
            before.remove(&place);
            before
        })
        .collect()
}

/// For each want that makes a node the place of the nearest interior node above it that is wanted, too.
pub fn above_each(wants: &[Want]) -> Vec<Option<usize>> {
    let interior: HashMap<Spot, usize> = wants
        .iter()
        .enumerate()
        .filter(|(_, want)| matches!(want.item.what, What::Interior { .. }))
        .filter_map(|(place, want)| Some((want.item.what.spot()?, place)))
        .collect();
    let makes = |what: &What| matches!(what, What::Leaf { .. } | What::Interior { .. });
    let nearest = |want: &Want| {
        let spot = want.item.what.spot().filter(|_| makes(&want.item.what))?;
        spot.upwards().skip(1).find_map(|above| interior.get(&above).copied())
    };
    wants.iter().map(nearest).collect()
}

fn rank(want: &Want) -> Rank {
    let what = &want.item.what;
    let kind = match what {
        What::Interior { .. } => 0,
        What::Leaf { .. } => 1,
        What::Software { .. } => 2,
        What::Firmware { .. } => 3,
        What::Observed { .. } => 4,
        What::NoSoftware { .. } => 5,
        What::Unobserved { .. } => 6,
        What::Absent { .. } => 7,
    };
    let depth = what.spot().map_or(0, |spot| spot.depth());
    (kind, depth, want.item.key.clone())
}
