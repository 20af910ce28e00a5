//! Addresses: parsing, resolving in trees of growing size, reading sub-trees.

use omadm_mo::{ClientUri, Tree};

use crate::figure::{Figure, Target};
use crate::measure::Effort;
use crate::{Result, trees};

const SCENARIO: &str = "address";
/// Most time of parsing and resolving in the tree of 10⁴ nodes, in nanoseconds.
const MOST: f64 = 2_000.0;
/// Groups of the tree in which sub-trees are read, by their size; the last one fills it up to 100,000 nodes.
const SUBTREES: [usize; 5] = [10, 100, 1_000, 10_000, 88_884];

/// Parse + resolve, then sub-trees.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let sides: &[(usize, &str)] = if effort.full {
        &[(10, "10^2"), (100, "10^4"), (1_000, "10^6")]
    } else {
        &[(10, "10^2"), (100, "10^4")]
    };
    for &(side, nodes) in sides {
        let tree = trees::managed(&vec![side; side])?;
        figures.push(plain_address(effort, &tree, side, nodes)?);
        if nodes == "10^4" {
            figures.push(condition(effort, &tree)?);
        }
    }
    let tree = trees::managed(&SUBTREES)?;
    for (group, size) in SUBTREES.into_iter().enumerate() {
        figures.push(subtree(effort, &tree, group, size)?);
    }
    Ok(figures)
}

/// An address of a leaf with its MIID, as a command has it.
fn plain_address(effort: &Effort, tree: &Tree, side: usize, nodes: &str) -> Result<Figure> {
    let actor = trees::server()?;
    let addresses: Vec<String> = (0..side)
        .map(|n| {
            trees::address(n, Some(side.saturating_sub(n).saturating_sub(1)))
                .map(|address| address.to_string())
        })
        .collect::<Result<_>>()?;
    check(tree, &addresses)?;
    let mut next = addresses.iter().cycle();
    let value = effort.nanoseconds(|| {
        let address = next.next()?;
        tree.resolve(&actor, &ClientUri::parse(address).ok()?).ok()
    });
    let figure = Figure::new(SCENARIO, format!("parse and resolve a leaf of {nodes} nodes"), value, "ns");
    Ok(if nodes == "10^4" { figure.with_target(Target::AtMost(MOST)) } else { figure })
}

/// An address that finds its instance by the value of a leaf.
fn condition(effort: &Effort, tree: &Tree) -> Result<Figure> {
    let actor = trees::server()?;
    let address = format!("{}/(x)/g7/l7?nv=(x)/g0/l0:1", trees::PLAIN);
    check(tree, std::slice::from_ref(&address))?;
    let value = effort.nanoseconds(|| tree.resolve(&actor, &ClientUri::parse(&address).ok()?).ok());
    Ok(Figure::new(SCENARIO, "parse and resolve with one nv condition, 10^4 nodes", value, "ns"))
}

/// What is measured has to find what it looks for.
fn check(tree: &Tree, addresses: &[String]) -> Result<()> {
    let actor = trees::server()?;
    for address in addresses {
        let found = tree.resolve(&actor, &ClientUri::parse(address)?)?;
        if found.len() != 1 {
            return Err(format!("{address} matches {} nodes", found.len()).into());
        }
    }
    Ok(())
}

fn subtree(effort: &Effort, tree: &Tree, group: usize, size: usize) -> Result<Figure> {
    let actor = trees::server()?;
    let found = tree.resolve(&actor, &trees::address(group, None)?)?;
    let node = found.first().ok_or("the group is not there")?.node;
    let value = effort.nanoseconds(|| tree.content(&actor, node, None));
    Ok(Figure::new(
        SCENARIO,
        format!("read a sub-tree of {size} leaves in 10^5 nodes, each"),
        value / size as f64,
        "ns",
    ))
}
