//! Who a device is: HTTP Basic (`DM 2.0 §9.2.1`), and that the DevID it names is its own.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use omadm_auth::{BasicCredentials, Verifier};
use omadm_mo::DeviceId;
use omadm_session::dm2::server::Refusal;
use omadm_store::{CheckIn, Credential, NewEvent};
use serde_json::json;

use super::{OMADM_DEVID, refusal, store_failed};
use crate::clock;
use crate::context::Context;
use crate::listener::Connection;

/// Checks the credentials of a request; the credential is read each time, so that one that was removed ends at once.
///
/// # Errors
/// 401; 503 when the store fails.
pub async fn authenticate(context: &Context, headers: &HeaderMap) -> Result<Credential, Refusal> {
    let given = given(headers)?;
    let kept = context.store.credential(&given.user).await.map_err(|error| store_failed(&error))?;
    kept.filter(|kept| matches(kept, &given)).ok_or_else(|| wrong(&given.user))
}

/// Who sent a message, and what is known of the device.
pub struct Known {
    /// User name.
    pub user: String,
    /// Its credential.
    pub credential: Credential,
    /// What the message needs to know; the store may know better by now.
    pub check: CheckIn,
}

/// As [`authenticate`], and brings with the credential what a message of the device needs; of who has the wrong secret, nothing.
///
/// # Errors
/// 401; 503 when the store fails.
pub async fn check_in(context: &Context, headers: &HeaderMap, limit: u32) -> Result<Known, Refusal> {
    let given = given(headers)?;
    let user = given.user.clone();
    let remembered = context.memory.take(&user, |kept| matches(kept, &given));
    let known = match remembered {
        Some(known) => Some(known),
        None => {
            let accept = Box::new(move |kept: &Credential| matches(kept, &given));
            let read = context.store.check_in_user(&user, accept, limit).await;
            read.map_err(|error| store_failed(&error))?
        }
    };
    let Some((credential, check)) = known else { return Err(wrong(&user)) };
    Ok(Known { user, credential, check })
}

fn given(headers: &HeaderMap) -> Result<BasicCredentials, Refusal> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(refusal(401, "credentials are needed: HTTP Basic"));
    };
    let given = value.to_str().ok().and_then(BasicCredentials::from_header);
    given.ok_or_else(|| refusal(401, "the Authorization header is not legal HTTP Basic"))
}

fn matches(kept: &Credential, given: &BasicCredentials) -> bool {
    Verifier::from_bytes(&kept.verifier).is_some_and(|verifier| verifier.matches(&given.password))
}

fn wrong(user: &str) -> Refusal {
    tracing::warn!(user, "wrong user or secret; enrol the device or bootstrap it anew");
    refusal(401, "user or secret is wrong")
}

/// Checks that a request names no other device than its credentials do.
///
/// # Errors
/// 403, which is also a security event.
pub async fn same_device(
    context: &Context,
    credential: &Credential,
    named: &DeviceId,
    connection: &Connection,
) -> Result<(), Refusal> {
    if *named == credential.device {
        return Ok(());
    }
    let device = &credential.device;
    tracing::warn!(%device, %named, "a device used the DevID of another; check it for a copied identity");
    let now = clock::now();
    if context.remarks.take(device, now) {
        let body =
            json!({ "what": "foreign DevID", "named": named.as_str(), "peer": connection.peer.to_string() });
        let event =
            NewEvent { device: Some(device.clone()), kind: "security".into(), body: body.to_string() };
        if let Err(error) = context.store.add_events(vec![event], now).await {
            tracing::error!(%error, "a security event could not be stored");
        }
    }
    Err(refusal(403, format!("{named} does not belong to these credentials")))
}

/// The DevID that a Data Repository request names, if it names one (`OMADM-DevID` is not required there).
///
/// # Errors
/// 400 when it is not legal, or there are several.
pub fn named_device(headers: &HeaderMap) -> Result<Option<DeviceId>, Refusal> {
    let mut values = headers.get_all(OMADM_DEVID).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.any(|other| other != first) {
        return Err(refusal(400, "the header OMADM-DevID is there twice with different values"));
    }
    let text = first.to_str().map_err(|_| refusal(400, "OMADM-DevID is not printable ASCII"))?;
    DeviceId::parse(text).map(Some).map_err(|error| refusal(400, format!("OMADM-DevID: {error}")))
}
