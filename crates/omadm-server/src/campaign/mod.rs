//! Campaigns: a change over many devices, in stages.
//!
//! A campaign holds nothing per device in memory: the store has a row for each device that was reached, and a cursor for those to come.
//! Commands, rows, figures and the cursor change in one batch, so that a crash repeats nothing and loses nothing.

mod change;
mod ending;
mod engine;
mod fault;
mod runner;
mod spec;
#[cfg(test)]
mod tests;
mod window;

pub use change::{Recipe, of_models, package_of, prepare, target};
pub use engine::Progress;
pub use fault::Fault;
pub use runner::{Campaigns, run, user};
pub use spec::{Change, Members, Plan, Spec, WHOLE};

use omadm_store::{Campaign, NewEvent};
use serde_json::json;

/// That something happened to a campaign.
pub fn event(campaign: &Campaign, what: &str, why: Option<&str>) -> NewEvent {
    let body = json!({
        "id": campaign.id, "name": campaign.name, "what": what, "state": campaign.state.as_str(), "why": why,
    });
    NewEvent { device: None, kind: "campaign".to_owned(), body: body.to_string() }
}
