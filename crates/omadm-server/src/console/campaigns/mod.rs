//! Campaigns: a change over many devices, made in a form, watched while it goes on, and held, stopped or taken back.

mod acts;
mod data;
mod devices;
mod draft;
mod form;
mod labels;
mod list;
mod report;
mod sheet;
mod show;
mod span;
mod stages;
mod words;

use axum::Router;
use axum::routing::get;

pub use data::Campaign;
pub use list::{PARTS, row};

use super::Console;
use super::failure::Failure;
use super::visit::{Visit, path};

/// The pages of campaigns.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/campaigns", get(list::show))
        .route("/campaigns/new", get(form::show).post(form::send))
        .route("/campaigns/{id}", get(show::show))
        .route("/campaigns/{id}/devices", get(devices::show))
        .route("/campaigns/{id}/report", get(report::show))
        .route("/campaigns/{id}/{act}", get(acts::ask).post(acts::act))
}

/// Reads a campaign.
async fn find(visit: &Visit, id: &str) -> Result<Campaign, Failure> {
    visit.read(&path(&["campaigns", id], &[])).await
}
