//! The operator console: pages for people, drawn by the server.
//!
//! Here: pages, the forms in them, and their assets. What a page shows and does it asks of the REST API, in this process and in the name of
//! who looks at it ([`visit::Visit`]): so there is one table of rights, one audit log, and one place where anything is done. Never here:
//! the store, or a decision about a device.

mod appearance;
mod assets;
mod audit;
mod bootstrap;
mod campaigns;
mod census;
mod data;
mod ddfs;
mod delegations;
mod device;
mod devices;
mod events;
mod failure;
mod form;
mod frame;
mod gate;
mod history;
mod imports;
mod login;
mod notice;
mod once;
mod overview;
mod packages;
mod pages;
mod parts;
mod people;
mod profiles;
mod settings;
mod text;
mod trace;
mod upload;
mod visit;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::context::Context;

/// What all pages have in common.
#[derive(Clone)]
struct Console {
    context: Arc<Context>,
    /// The REST API.
    api: Router,
    /// Forms that were sent already.
    sent: Arc<once::Sent>,
    /// The fleet as it was counted last.
    census: Arc<census::Counter>,
    /// How busy this node was.
    history: Arc<history::History>,
}

/// Routes of the console, beside the REST API that they ask.
pub fn router(context: Arc<Context>, api: Router) -> Router {
    let history = history::History::begin(&context);
    let console = Console { context, api, sent: Arc::default(), census: Arc::default(), history };
    let framed = axum::middleware::from_fn_with_state(console.clone(), gate::enter);
    let pages = Router::new()
        .route("/", get(overview::show))
        .route("/devices", get(devices::show))
        .route("/devices/filter", get(devices::judge))
        .route("/devices/group", post(devices::save))
        .route("/devices/bulk", get(devices::bulk::preview).post(devices::bulk::act))
        .route("/devices/enrol", get(devices::enrol::ask).post(devices::enrol::enrol))
        .route("/export", get(devices::export::ask))
        .merge(device::router())
        .merge(pages::router())
        .merge(events::router())
        .merge(ddfs::router())
        .merge(webhooks::router())
        .merge(audit::router())
        .merge(people::router())
        .merge(settings::router())
        .merge(profiles::router())
        .merge(campaigns::router())
        .merge(packages::router())
        .merge(bootstrap::router())
        .merge(imports::router())
        .merge(delegations::router())
        .route("/devices/{id}/sessions/{session}", get(trace::show))
        .route("/devices/{id}/abort", post(trace::abort))
        .route("/logout", post(login::end))
        .route("/appearance", post(appearance::choose))
        .fallback(gate::missing)
        .layer(framed);
    Router::new()
        .route("/login", get(login::show).post(login::begin))
        .route("/assets/{name}", get(assets::show))
        .merge(pages)
        .layer(axum::middleware::map_response(gate::protect))
        .with_state(console)
}
