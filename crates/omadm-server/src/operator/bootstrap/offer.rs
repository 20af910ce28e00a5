//! What the bootstraps of this server can say, for those who make them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use omadm_auth::bootstrap::{Method, Profile};
use omadm_codec::media_type::DMMO_JSON;
use serde::Serialize;
use utoipa::ToSchema;

use super::default_moids;
use crate::config::{Endpoint, ProtocolVersion};
use crate::context::Context;

/// What bootstraps can say.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BootstrapOffer)]
pub struct Offer {
    /// Name of the server for the devices' users, unless another is given.
    name: String,
    /// Management objects that the server may use, unless others are given.
    moids: Vec<String>,
    /// Where devices fetch bootstraps.
    fetched_at: String,
    /// Whether devices of DM 2.0 can fetch theirs (`bootstrap.moids`).
    dm2_fetched: bool,
    /// Whether devices of DM 1.3 can (`bootstrap.dm1`).
    dm1_fetched: bool,
    /// Of DM 1.x; null if the server does not speak it.
    dm1: Option<Dm1Offer>,
}

/// What bootstraps of DM 1.x can say.
#[derive(Debug, Serialize, ToSchema)]
struct Dm1Offer {
    /// Versions that the server speaks.
    #[schema(value_type = Vec<String>)]
    versions: Vec<ProtocolVersion>,
    /// How both sides can prove themselves, the preferred first.
    schemes: Vec<&'static str>,
    /// As whom devices can know the server, the preferred first.
    server_ids: Vec<String>,
    /// How a provisioning document can be secured.
    cp: Vec<&'static str>,
    /// How a message can be secured.
    dm: Vec<&'static str>,
}

impl Dm1Offer {
    fn of(context: &Context) -> Option<Self> {
        let section = &context.config.dm1;
        let names = |profile: Profile| Method::ALL.iter().filter_map(|method| method.name(profile)).collect();
        let server_id = |endpoint: &Endpoint| endpoint.server_id(&context.config).to_owned();
        section.enabled.then(|| Self {
            versions: section.versions.clone(),
            schemes: section.schemes.iter().map(|scheme| scheme.as_str()).collect(),
            server_ids: section.endpoints.iter().map(server_id).collect(),
            cp: names(Profile::Cp),
            dm: names(Profile::Dm),
        })
    }
}

/// Says what the bootstraps of this server can say.
#[utoipa::path(get, path = "/bootstrap/terms", operation_id = "bootstrap_terms", tag = "bootstrap",
    responses((status = 200, body = Offer)))]
pub async fn show(State(context): State<Arc<Context>>) -> Json<Offer> {
    let served = context.served_bootstraps();
    let dm2_fetched = served.contains(&DMMO_JSON);
    Json(Offer {
        name: context.config.server.name.clone(),
        moids: default_moids(&context),
        fetched_at: context.bootstrap_uri(),
        dm2_fetched,
        dm1_fetched: served.len() > usize::from(dm2_fetched),
        dm1: Dm1Offer::of(&context),
    })
}
