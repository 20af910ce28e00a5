//! Access decisions: whether a server may do what it asks for (`DM 2.0 §6.3.1.1`). The ceiling is finding the node alone, without asking
//! who may use it.

use omadm_mo::{Actor, Authority, ClientUri, Miid, Moid, Operation, Rights, ServerId, Time, Tree};

use crate::figure::Figure;
use crate::measure::{Effort, per_second};
use crate::{Result, trees};

const SCENARIO: &str = "access";
/// Groups of the plain object, and leaves of a group: a tree of 10⁴ nodes.
const SIDE: usize = 100;

/// With one entry for the whole object, and with one for each of its groups, of which every other refuses.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let mut tree = trees::managed(&[SIDE; SIDE])?;
    let whole = figure(effort, &tree, "1 entry", |_| true)?;
    divide(&mut tree)?;
    let divided = figure(effort, &tree, "101 entries, half of them refuse", may_read)?;
    Ok(vec![whole, divided])
}

/// Whether the server may read a group of the divided object.
fn may_read(group: usize) -> bool {
    group.is_multiple_of(2)
}

/// Gives every group an entry of its own.
fn divide(tree: &mut Tree) -> Result<()> {
    let (moid, miid) = (Moid::parse(trees::PLAIN)?, Miid::parse("main")?);
    let authority = Authority::Server(ServerId::parse(trees::SERVER)?);
    let mut change = tree.begin(Actor::Device, Time::default());
    for group in 0..SIDE {
        let rights = if may_read(group) { Rights::READ } else { Rights::NONE };
        change.grant(&moid, &miid, &format!("/g{group}"), &authority, rights)?;
    }
    change.commit();
    Ok(())
}

fn figure(effort: &Effort, tree: &Tree, entries: &str, expected: impl Fn(usize) -> bool) -> Result<Figure> {
    let actor = trees::server()?;
    let places: Vec<ClientUri> =
        (0..SIDE).map(|group| trees::address(group, Some(group))).collect::<Result<_>>()?;
    let decide = |place: &ClientUri| tree.authorise(&actor, place, Operation::Get).is_ok();
    for (group, place) in places.iter().enumerate() {
        if decide(place) != expected(group) {
            return Err(format!("the wrong decision on {place} with {entries}").into());
        }
    }
    let over_all = |work: &dyn Fn(&ClientUri) -> bool| {
        let mut next = places.iter().cycle();
        per_second(effort.nanoseconds(|| next.next().map(work)))
    };
    let deciding = over_all(&decide);
    let finding = over_all(&|place| tree.resolve(&actor, place).is_ok());
    let name = format!("decide on GET of a leaf of 10^4 nodes, {entries}");
    Ok(Figure::new(SCENARIO, name, deciding, "/s").beside_rate("finding the leaf alone", finding))
}
