//! The bootstrap server: devices that know its URL fetch the account of this server (`DM 2.0 §8.3, §9.3.2`; `DM 1.3 BOOT §5.4`, as a
//! message of the DM profile). What they accept says which.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use omadm_auth::bootstrap::Profile;
use omadm_auth::{Secret, StoredCredential};
use omadm_codec::AcceptList;
use omadm_codec::dm1::{Encoding, Version};
use omadm_codec::media_type::SYNCML_DM_WBXML;
use omadm_mo::DeviceId;
use omadm_session::dm2::server::Refusal;
use omadm_store::NewEvent;
use serde_json::json;

use super::auth::{self, Caller, Proven};
use super::dm1::Kept;
use super::{refusal, refuse, store_failed};
use crate::bootstrap::dm1::{self, Terms};
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
        Ok((media_type, bootstrap)) => {
            let own = [
                (CONTENT_TYPE, HeaderValue::from_static(media_type)),
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
) -> Result<(&'static str, Secret), Refusal> {
    let offered = context.served_bootstraps();
    if offered.is_empty() {
        return Err(refusal(404, "no bootstraps are served here"));
    }
    let proven = auth::prove(context, caller).await?;
    let Proven { credential, .. } = &proven;
    let unknown = || refusal(404, "there is no such device");
    let named = named.map(DeviceId::parse).transpose().map_err(|_| unknown())?;
    for named in named.into_iter().chain(auth::named_device(headers)?) {
        auth::same_device(context, credential, &named, &caller.connection).await?;
    }
    let media_type = accepted(headers, &offered)?;
    let secret = secret(&proven)?;
    let login = proven.user.as_deref().zip(secret.as_ref());
    let made = if media_type == SYNCML_DM_WBXML {
        dm1_message(context, &credential.device, login).await?
    } else {
        let holder = Holder { login, verifier: credential.verifier.expose() };
        let (moids, name) = (&context.config.bootstrap.moids, &context.config.server.name);
        mo_data_of(context, &holder, moids, name).map_err(|error| refusal(500, error.to_string()))?
    };
    note(context, &proven, media_type).await?;
    Ok((media_type, made))
}

/// What the device accepts of what is offered; the first if it does not say.
fn accepted(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, Refusal> {
    let lists: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let chosen = match AcceptList::parse(&lists.join(", ")) {
        Ok(list) => list.choose(offered),
        Err(_) => offered.first().copied(),
    };
    chosen.ok_or_else(|| refusal(406, format!("a bootstrap can be had as {}", offered.join(" or "))))
}

/// The message of the DM profile. Where both sides have begun sessions, it goes on with their nonces.
async fn dm1_message(
    context: &Context,
    device: &DeviceId,
    login: Option<(&str, &Secret)>,
) -> Result<Secret, Refusal> {
    let found = context.store.check_in(device, 0).await.map_err(|error| store_failed(&error))?;
    let kept = found.and_then(|found| Kept::read(found.dm1?.expose()));
    let kept = kept.ok_or_else(|| refusal(404, "the device is not enrolled for DM 1.x; enrol it anew"))?;
    let section = &context.config.dm1;
    let failed = |reason: String| refusal(500, reason);
    let endpoint =
        section.endpoints.first().ok_or_else(|| failed("there is no endpoint of DM 1.x".into()))?;
    let version = section.versions.iter().map(|version| version.0).max().unwrap_or(Version::Dm13);
    let terms = Terms {
        version,
        endpoint,
        schemes: dm1::schemes(section, version, None).map_err(failed)?,
        name: &context.config.server.name,
        acl: None,
        init: false,
        apn: None,
    };
    let holder = dm1::Holder { device, login, kept: &kept };
    dm1::write(context, Profile::Dm, Encoding::Wbxml, &terms, &holder)
        .map_err(|error| failed(error.to_string()))
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
async fn note(context: &Context, proven: &Proven, media_type: &str) -> Result<(), Refusal> {
    let device = &proven.credential.device;
    tracing::info!(%device, by = proven.scheme, media_type, "bootstrap fetched");
    let now = clock::now();
    if !context.remarks.take(device, now) {
        return Ok(());
    }
    let body = match media_type {
        SYNCML_DM_WBXML => json!({ "what": "bootstrap fetched", "by": proven.scheme, "profile": "dm" }),
        _ => json!({ "what": "bootstrap fetched", "by": proven.scheme }),
    };
    let event = NewEvent { device: Some(device.clone()), kind: "device".into(), body: body.to_string() };
    context.store.add_events(vec![event], now).await.map_err(|error| store_failed(&error))
}
