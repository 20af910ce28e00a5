//! The bootstrap server: devices that know its URL fetch the account of this server (`DM 2.0 §8.3, §9.3.2`).

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use omadm_auth::{Secret, StoredCredential};
use omadm_codec::AcceptList;
use omadm_codec::media_type::DMMO_JSON;
use omadm_mo::DeviceId;
use omadm_session::dm2::server::Refusal;
use omadm_store::NewEvent;
use serde_json::json;

use super::auth::{self, Caller, Proven};
use super::{refusal, refuse, store_failed};
use crate::bootstrap::{Holder, mo_data_of};
use crate::clock;
use crate::context::Context;

/// `GET /bootstrap` and `GET /bootstrap/{device}`
pub async fn fetch(
    State(context): State<Arc<Context>>,
    Extension(caller): Extension<Arc<Caller>>,
    device: Option<Path<String>>,
    headers: HeaderMap,
) -> Response {
    let named = device.as_ref().map(|Path(named)| named.as_str());
    match bootstrap(&context, &caller, named, &headers).await {
        Ok(bootstrap) => {
            let own = [
                (CONTENT_TYPE, HeaderValue::from_static(DMMO_JSON)),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            (own, bootstrap.expose().to_vec()).into_response()
        }
        Err(refusal) => {
            tracing::warn!(status = refusal.http_status, reason = refusal.reason, "bootstrap refused");
            refuse(&context, &refusal)
        }
    }
}

async fn bootstrap(
    context: &Context,
    caller: &Caller,
    named: Option<&str>,
    headers: &HeaderMap,
) -> Result<Secret, Refusal> {
    if !context.serves_bootstraps() {
        return Err(refusal(404, "no bootstraps are served here"));
    }
    let proven = auth::prove(context, caller).await?;
    let Proven { credential, .. } = &proven;
    let unknown = || refusal(404, "there is no such device");
    let named = named.map(DeviceId::parse).transpose().map_err(|_| unknown())?;
    for named in named.into_iter().chain(auth::named_device(headers)?) {
        auth::same_device(context, credential, &named, &caller.connection).await?;
    }
    let lists: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if AcceptList::parse(&lists.join(", ")).is_ok_and(|list| list.quality(DMMO_JSON) == 0) {
        return Err(refusal(406, format!("a bootstrap can be had as {DMMO_JSON}")));
    }
    let secret = secret(&proven)?;
    let login = proven.user.as_deref().zip(secret.as_ref());
    let holder = Holder { login, verifier: credential.verifier.expose() };
    let (moids, name) = (&context.config.bootstrap.moids, &context.config.server.name);
    let made = mo_data_of(context, &holder, moids, name).map_err(|error| refusal(500, error.to_string()))?;
    note(context, &proven).await?;
    Ok(made)
}

/// The secret for the account: the one that is kept, or the one that was just shown. Of a device with a certificate there is none.
fn secret(proven: &Proven) -> Result<Option<Secret>, Refusal> {
    let kept =
        StoredCredential::read(proven.credential.verifier.expose()).and_then(|stored| stored.shared_key());
    let secret = kept.or_else(|| proven.shown.clone());
    if secret.is_none() && proven.user.is_some() {
        return Err(refusal(
            403,
            "the server does not keep the secret of the device and cannot write it into an account; HTTP Basic shows it",
        ));
    }
    Ok(secret)
}

/// Tells operators, as often as is bearable.
async fn note(context: &Context, proven: &Proven) -> Result<(), Refusal> {
    let device = &proven.credential.device;
    tracing::info!(%device, by = proven.scheme, "bootstrap fetched");
    let now = clock::now();
    if !context.remarks.take(device, now) {
        return Ok(());
    }
    let body = json!({ "what": "bootstrap fetched", "by": proven.scheme });
    let event = NewEvent { device: Some(device.clone()), kind: "device".into(), body: body.to_string() };
    context.store.add_events(vec![event], now).await.map_err(|error| store_failed(&error))
}
