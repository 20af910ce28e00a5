//! Bootstraps that operators make: for factories, one or many, or sent to a device at once (`DM 2.0 §8.2, §8.4`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use omadm_auth::Secret;
use omadm_auth::gba::NafKey;
use omadm_store::NewEvent;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::devices::{MAX_BATCH, NewDevice, Prepared, enrol_all, event};
use super::known_device;
use super::problem::{Body, Path, Problem};
use super::tokens::Operator;
use super::views::Device;
use crate::bootstrap::{self, Holder, NO_CERTIFICATE, Outgoing, Target as Way, UNPROTECTED};
use crate::clock;
use crate::config::BootstrapSection;
use crate::context::Context;
use crate::random;

/// A bootstrap to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBootstrap {
    /// The device; it is enrolled with a fresh secret.
    device: Target,
    /// Management objects that this server may use, by MOID; `*` is all. Default: `bootstrap.moids` of the configuration, else `["*"]`.
    moids: Option<Vec<String>>,
    /// Name of the server for the device's user. Default: the configured one.
    name: Option<String>,
    /// Where the device takes bootstraps: it is sent there, and is not in the answer. An https URL (HTTPS POST, both sides with their
    /// certificates), or, with `gba`, a push address such as `udp:HOST:PORT` or `sms:NUMBER`.
    to: Option<String>,
    /// Keys of GBA Push to protect what is sent with, for devices in networks that have it.
    gba: Option<Gba>,
}

/// What a run of GBA Push has agreed with the device (`DM 2.0 §9.3.1.3`).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Gba {
    /// B-TID of the run.
    transaction: String,
    /// `Ks_(ext/int)_NAF`: 32 octets in base64.
    ks_naf_base64: String,
}

impl Gba {
    /// Puts a bootstrap under DMBIK and DMBEK.
    fn protect(&self, bootstrap: &Secret) -> Result<Secret, Problem> {
        let ks_naf = STANDARD.decode(&self.ks_naf_base64).ok().map(Secret::new);
        let ks_naf = ks_naf.and_then(|octets| octets.expose().try_into().ok());
        let ks_naf = ks_naf.ok_or_else(|| Problem::bad("gba: ks_naf_base64 is 32 octets in base64"))?;
        let keys = NafKey::new(ks_naf).bootstrap_keys();
        let protected = keys.protect(&self.transaction, random::octets()?, bootstrap.expose());
        protected.map(Secret::new).map_err(|error| Problem::bad(format!("gba: {error}")))
    }
}

/// The device of a bootstrap.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its DevID.
    id: String,
    /// A name for people.
    label: Option<String>,
    /// Let it use its secret as a pre-shared key in TLS, for which the secret itself has to be kept.
    #[serde(default)]
    psk: bool,
    /// Start anew if it is enrolled already.
    #[serde(default)]
    replace: bool,
}

impl Target {
    fn prepare(self, context: &Context) -> Result<Prepared, Problem> {
        let Self { id, label, psk, replace } = self;
        Prepared::new(NewDevice::with_new_secret(id, label, psk, replace), context)
    }
}

/// A bootstrap that was made.
#[derive(Serialize, ToSchema)]
pub struct Bootstrap {
    device: Device,
    /// MO data (`application/dmmo+json`) with the DM account. It holds the device's secret and is shown this once; null if it was sent to
    /// the device.
    #[schema(value_type = Option<Vec<Object>>)]
    bootstrap: Option<serde_json::Value>,
    /// The authority that the device has to trust for TLS; null if its system already does.
    ca_pem: Option<String>,
}

/// Enrols a device and makes its bootstrap; sends it, if it is said where to.
#[utoipa::path(post, path = "/bootstrap", request_body = NewBootstrap, tag = "bootstrap",
    responses((status = 201, body = Bootstrap), (status = 400, body = Problem), (status = 409, body = Problem),
        (status = 502, body = Problem)))]
pub async fn create(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Body(new): Body<NewBootstrap>,
) -> Result<(StatusCode, Json<Bootstrap>), Problem> {
    let to = new.to.as_deref().map(str::parse::<Way>).transpose().map_err(Problem::bad)?;
    check_way(&context, to.as_ref(), new.gba.is_some())?;
    let prepared = [new.device.prepare(&context)?];
    let [one] = &prepared;
    let terms = Terms::new(&context, new.moids, new.name)?;
    let made = terms.bootstrap(&context, one)?;
    let outgoing = match &new.gba {
        Some(gba) => Outgoing { body: gba.protect(&made)?, protected: true },
        None => Outgoing { body: made.clone(), protected: false },
    };
    enrol_all(&context, &prepared, &operator).await?;
    let device = &one.enrolment.device;
    let bootstrap = match to {
        Some(to) => {
            let outcome = bootstrap::send(&context, &to, &outgoing).await;
            let (what, reason) = match &outcome {
                Ok(()) => ("bootstrap sent", None),
                Err(reason) => ("bootstrap not sent", Some(reason)),
            };
            let body = json!({ "what": what, "to": to.to_string(), "reason": reason, "by": operator.0.0 });
            let event =
                NewEvent { device: Some(device.clone()), kind: "device".into(), body: body.to_string() };
            context.store.add_events(vec![event], clock::now()).await?;
            outcome.map_err(|reason| not_sent(device.as_str(), &to, &reason))?;
            None
        }
        None => Some(as_json(&made)?),
    };
    let device = Device::full(known_device(&context, device.as_str()).await?, None);
    let made = Bootstrap { device, bootstrap, ca_pem: context.authority.clone() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Whether a bootstrap can go that way.
fn check_way(context: &Context, to: Option<&Way>, protected: bool) -> Result<(), Problem> {
    match to {
        None if protected => Err(Problem::bad("gba is for bootstraps that are sent; say to where")),
        Some(Way::Tls(_)) if context.identity.is_none() => Err(Problem::conflict(NO_CERTIFICATE)),
        Some(Way::Push(_)) if !protected => Err(Problem::bad(UNPROTECTED)),
        Some(Way::Push(address)) => context.notifier.carrier.supports(address).map_err(Problem::conflict),
        Some(Way::Tls(_)) | None => Ok(()),
    }
}

fn not_sent(device: &str, to: &Way, reason: &str) -> Problem {
    let detail = format!(
        "the bootstrap was not taken at {to}: {reason}. {device} is enrolled; to try again, send the bootstrap anew with replace"
    );
    Problem::new(StatusCode::BAD_GATEWAY, detail)
}

/// Bootstraps to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// At most 1000; they are enrolled with fresh secrets.
    devices: Vec<Target>,
    /// Management objects that this server may use, by MOID; `*` is all. Default: `bootstrap.moids` of the configuration, else `["*"]`.
    moids: Option<Vec<String>>,
    /// Name of the server for the devices' users. Default: the configured one.
    name: Option<String>,
}

/// Bootstraps that were made.
#[derive(Serialize, ToSchema)]
pub struct Bootstraps {
    /// In the order of the devices.
    items: Vec<Item>,
    /// The authority that devices have to trust for TLS; null if their systems already do.
    ca_pem: Option<String>,
}

/// A bootstrap of a batch.
#[derive(Serialize, ToSchema)]
pub struct Item {
    /// DevID.
    id: String,
    /// MO data (`application/dmmo+json`) with the DM account. It holds the device's secret and is shown this once.
    #[schema(value_type = Vec<Object>)]
    bootstrap: serde_json::Value,
}

/// Enrols many devices, all or none, and makes their factory bootstraps.
#[utoipa::path(post, path = "/bootstrap/batch", request_body = Batch, tag = "bootstrap",
    responses((status = 201, body = Bootstraps), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn create_batch(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Body(batch): Body<Batch>,
) -> Result<(StatusCode, Json<Bootstraps>), Problem> {
    if batch.devices.is_empty() || batch.devices.len() > MAX_BATCH {
        return Err(Problem::bad(format!("a batch has 1 to {MAX_BATCH} devices; send several")));
    }
    let prepared =
        batch.devices.into_iter().map(|target| target.prepare(&context)).collect::<Result<Vec<_>, _>>()?;
    let terms = Terms::new(&context, batch.moids, batch.name)?;
    let made = |one: &Prepared| {
        let bootstrap = as_json(&terms.bootstrap(&context, one)?)?;
        Ok(Item { id: one.enrolment.device.as_str().to_owned(), bootstrap })
    };
    let items = prepared.iter().map(made).collect::<Result<_, Problem>>()?;
    enrol_all(&context, &prepared, &operator).await?;
    Ok((StatusCode::CREATED, Json(Bootstraps { items, ca_pem: context.authority.clone() })))
}

/// Takes back the bootstrap of a device, whichever way the device got it: its credentials stop working at once, and so do its
/// certificates. What was asked of it and what is known of it stay, for a new bootstrap.
#[utoipa::path(delete, path = "/bootstrap/{id}", params(("id" = String, Path)), tag = "bootstrap",
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn revoke(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let device = known_device(&context, &id).await?.id;
    let events = vec![event(&device, "bootstrap revoked", &operator)];
    if !context.store.revoke(&device, events, clock::now()).await? {
        return Err(Problem::conflict(format!("the bootstrap of {device} is revoked already")));
    }
    context.memory.forget(&device);
    tracing::info!(%device, by = operator.0.0, "bootstrap revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// What a bootstrap says of the server.
struct Terms {
    moids: Vec<String>,
    name: String,
}

impl Terms {
    fn new(context: &Context, moids: Option<Vec<String>>, name: Option<String>) -> Result<Self, Problem> {
        let configured = Some(&context.config.bootstrap.moids).filter(|moids| !moids.is_empty());
        let moids = moids.or_else(|| configured.cloned()).unwrap_or_else(|| vec!["*".to_owned()]);
        BootstrapSection::check(&moids).map_err(|problem| Problem::bad(format!("moids: {problem}")))?;
        let name = name.unwrap_or_else(|| context.config.server.name.clone());
        Ok(Self { moids, name })
    }

    fn bootstrap(&self, context: &Context, device: &Prepared) -> Result<Secret, Problem> {
        let login = Some((device.enrolment.user.as_str(), &device.secret));
        let holder = Holder { login, verifier: device.enrolment.verifier.expose() };
        bootstrap::mo_data_of(context, &holder, &self.moids, &self.name)
            .map_err(|error| Problem::bad(error.to_string()))
    }
}

fn as_json(made: &Secret) -> Result<serde_json::Value, Problem> {
    serde_json::from_slice(made.expose())
        .map_err(|error| Problem::bad(format!("the bootstrap cannot be written: {error}")))
}
