//! Devices that register for cloud messaging, and end it (`DM 2.0 §E.2.3`).

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use omadm_codec::dm2::Registration;
use omadm_codec::dm2::registration::MEDIA_TYPE;
use omadm_codec::{Limits, MediaType};
use omadm_mo::DeviceId;
use omadm_session::dm2::server::Refusal;

use super::auth::{self, Caller};
use super::{read_body, refusal, refuse, store_failed};
use crate::clock;
use crate::context::{Context, limits};
use crate::notifier::address;

/// Paths below the public URL.
pub const REGISTER_PATH: &str = "/push/register";
pub const UNREGISTER_PATH: &str = "/push/unregister";

/// Longest body: a registration and the parameters that the server gave the device.
const MAX_BODY: usize = 16 << 10;

/// `POST /push/register`
pub async fn register(
    State(context): State<Arc<Context>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Response {
    let outcome = async {
        let (device, registration) = read(&context, &caller, request).await?;
        let kept = context.store.register_push(&device, &registration, clock::now()).await;
        if !kept.map_err(|error| store_failed(&error))? {
            return Err(refusal(401, "the device is not enrolled any more"));
        }
        tracing::info!(%device, "registered for cloud messaging");
        context.notifier.wake();
        Ok(())
    };
    answer(&context, outcome.await)
}

/// `POST /push/unregister`; one that is not registered any more is as good as unregistered.
pub async fn unregister(
    State(context): State<Arc<Context>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request,
) -> Response {
    let outcome = async {
        let (device, registration) = read(&context, &caller, request).await?;
        let gone = context.store.unregister_push(&device, &registration).await;
        let known = gone.map_err(|error| store_failed(&error))?;
        tracing::info!(%device, known, "unregistered from cloud messaging");
        Ok(())
    };
    answer(&context, outcome.await)
}

fn answer(context: &Context, outcome: Result<(), Refusal>) -> Response {
    match outcome {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => {
            tracing::warn!(status = refusal.http_status, reason = refusal.reason, "registration refused");
            refuse(context, &refusal)
        }
    }
}

/// The device and its `RegId`.
async fn read(context: &Context, caller: &Caller, request: Request) -> Result<(DeviceId, String), Refusal> {
    let (head, body) = request.into_parts();
    let credential = auth::authenticate(context, caller).await?;
    if let Some(named) = auth::named_device(&head.headers)? {
        auth::same_device(context, &credential, &named, &caller.connection).await?;
    }
    let essence = |text: &str| MediaType::parse(text).map(|parsed| parsed.essence).ok();
    let given = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if given.and_then(essence) != essence(MEDIA_TYPE) {
        return Err(refusal(415, format!("the body has to be {MEDIA_TYPE}")));
    }
    let body = read_body(&head.headers, body, MAX_BODY, context.config.device.body_timeout.0).await?;
    let limits: Limits = limits(MAX_BODY);
    let bad = |problem: String| refusal(400, problem);
    let registration = Registration::decode(&body, &limits).map_err(|error| bad(error.to_string()))?;
    let id = address::registration(&registration.reg_id).map_err(|error| bad(format!("RegId: {error}")))?;
    Ok((credential.device, id))
}
