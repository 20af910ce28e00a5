//! Another attempt at what profiles could not bring about.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use omadm_store::{ProfileState, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Path, Problem, Query};
use super::profiles::known;
use super::{device_id, known_device, limit};
use crate::beside::MAX_CONFLICTS;
use crate::context::Context;
use crate::desired::retry;

/// What is tried again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileRetry)]
pub struct Retried {
    /// How many devices try again.
    devices: u32,
    /// Cursor for `after`, if there may be more.
    next: Option<String>,
}

/// Has a device try again what a profile could not bring about, or waits to try. It is notified, if it can be.
#[utoipa::path(post, path = "/devices/{id}/profiles/{name}/retry", operation_id = "retry_device_profile",
    params(("id" = String, Path), ("name" = String, Path)), tag = "profiles",
    responses((status = 200, body = Retried), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn of_device(
    State(context): State<Arc<Context>>,
    Path((id, name)): Path<(String, String)>,
) -> Result<Json<Retried>, Problem> {
    for _ in 0..MAX_CONFLICTS {
        let device = known_device(&context, &id).await?;
        let stands = context.store.device_profiles(&device.id).await?;
        if !stands.iter().any(|stands| stands.profile == name) {
            return Err(Problem::unknown(format!(
                "the profile {name} has not come to {id}; `omadm profile status --device {id}` shows those that have"
            )));
        }
        match retry(&context, &device, &name).await {
            Ok(true) => return Ok(Json(Retried { devices: 1, next: None })),
            Ok(false) => {
                return Err(Problem::conflict(format!("there is nothing of {name} to try again on {id}")));
            }
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::conflict("the device is in contact just now; try again"))
}

/// Which devices are meant.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    /// Most devices, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the answer before.
    after: Option<String>,
}

/// Has devices on which a profile has failed try again, by identifier.
#[utoipa::path(post, path = "/profiles/{name}/retry", operation_id = "retry_profile", params(("name" = String, Path), Devices),
    tag = "profiles", responses((status = 200, body = Retried), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn of_profile(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Query(devices): Query<Devices>,
) -> Result<Json<Retried>, Problem> {
    let limit = limit(devices.limit)?;
    let after = devices.after.as_deref().map(device_id).transpose()?;
    known(&context, &name).await?;
    let failed = context.store.profile_devices(&name, Some(ProfileState::Failed), after, limit).await?;
    let is_full = u32::try_from(failed.len()).is_ok_and(|found| found == limit);
    let next = failed.last().filter(|_| is_full).map(|last| last.device.as_str().to_owned());
    let mut devices = 0;
    for stands in failed {
        let Some(device) = context.store.device(&stands.device).await? else { continue };
        match retry(&context, &device, &name).await {
            Ok(tried) => devices += u32::from(tried),
            // One that is in contact just now is looked at in that session.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(Retried { devices, next }))
}
