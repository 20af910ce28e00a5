//! What cache validators save (`DM 2.0 §11`): a session that reads an object which has not changed, with 304 beside the data again. Both
//! engines, without I/O; octets are those of the messages, without HTTP and TLS.

use omadm_mo::{Tree, well_known};
use omadm_session::dm2::client::Output;
use omadm_session::dm2::server::{CommandResult, Data, Verdict};

use crate::figure::Figure;
use crate::in_process::{pending, session};
use crate::measure::{Effort, per_second};
use crate::{Result, trees};

const SCENARIO: &str = "cache";
/// Leaves of the large object.
const LEAVES: usize = 1_000;

/// A small object, and a large one.
pub fn run(effort: &Effort) -> Result<Vec<Figure>> {
    let mut tree = trees::managed(&[LEAVES])?;
    let small = unchanged(effort, &mut tree, "DevInfo", &format!("{}//", well_known::DEVINFO))?;
    let large = unchanged(effort, &mut tree, &format!("{LEAVES} leaves"), &format!("{}//", trees::PLAIN))?;
    Ok([small, large].into_iter().flatten().collect())
}

fn unchanged(effort: &Effort, tree: &mut Tree, name: &str, address: &str) -> Result<[Figure; 2]> {
    let (results, all) = counted(tree, address)?;
    let conditional = format!("{address}?cv={}", validator(&results)?);
    let (results, few) = counted(tree, &conditional)?;
    if !results.iter().all(|result| result.verdict == Verdict::Done(304)) {
        return Err(format!("{conditional} came out as {results:?}").into());
    }
    let mut rate = |address: &str| -> Result<f64> {
        let queue = [pending(address, 1)?];
        Ok(per_second(effort.nanoseconds(|| session(tree, &queue, |_, _| ()).is_ok())))
    };
    let (with, without) = (rate(&conditional)?, rate(address)?);
    let saved = all.saturating_sub(few) as f64;
    Ok([
        Figure::new(SCENARIO, format!("sessions with GET of {name}, 304"), with, "/s")
            .beside_rate("the data again", without),
        Figure::new(SCENARIO, format!("saved of a session with GET of {name}"), saved, "bytes")
            .beside_rate("all of it", all as f64),
    ])
}

/// A session with one GET: what came of it, and the octets of its messages.
fn counted(tree: &mut Tree, address: &str) -> Result<(Vec<CommandResult>, usize)> {
    let mut octets = 0;
    let results = session(tree, &[pending(address, 1)?], |output, reply| {
        if let Output::Post { body, .. } = output {
            octets += body.len() + reply.len();
        }
    })?;
    Ok((results, octets))
}

/// The validator that came with the data.
fn validator(results: &[CommandResult]) -> Result<String> {
    let items = results.iter().filter_map(|result| match &result.data {
        Some(Data::Items(items)) => Some(items),
        Some(Data::Leaf { .. } | Data::Reported(_)) | None => None,
    });
    let validator = items.flatten().find_map(|item| item.cv.clone());
    validator.ok_or_else(|| "the data came without a cache validator".into())
}
