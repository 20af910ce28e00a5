//! Bootstraps that operators make: for factories, one or many, or sent to a device at once (`DM 2.0 §8.2, §8.4`; those of DM 1.x are in
//! [`dm1`]).

mod dm1;
pub mod offer;
pub mod state;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use omadm_auth::Secret;
use omadm_auth::gba::NafKey;
use omadm_mo::DeviceId;
use omadm_store::NewEvent;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use self::dm1::{Content, Given, Kind, Order, Wishes};
use crate::bootstrap::{self, Holder, NO_CERTIFICATE, Outgoing, Target as Way, UNPROTECTED};
use crate::clock;
use crate::config::BootstrapSection;
use crate::context::Context;
use crate::operator::devices::{self, MAX_BATCH, NewDevice, Prepared, enrol_all, event};
use crate::operator::known_device;
use crate::operator::problem::{Body, Path, Problem};
use crate::operator::tokens::Operator;
use crate::operator::views::Device;
use crate::random;

/// A bootstrap to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBootstrap {
    /// The device; it is enrolled with a fresh secret.
    device: Target,
    /// `dm2` (default), or for DM 1.x `cp`, a provisioning document, or `dm`, a message.
    #[serde(default)]
    profile: Kind,
    /// `cp` and `dm`: what it says and how it is secured.
    dm1: Option<Wishes>,
    /// Management objects that this server may use, by MOID; `*` is all. Default: `bootstrap.moids` of the configuration, else `["*"]`.
    moids: Option<Vec<String>>,
    /// Name of the server for the device's user. Default: the configured one.
    name: Option<String>,
    /// Where the device takes bootstraps: it is sent there, and is not in the answer. An https URL (HTTPS POST, both sides with their
    /// certificates), or, if it is secured, a push address such as `udp:HOST:PORT` or `sms:NUMBER`.
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
    /// DM 1.x: the PIN that its user gets, 4 to 32 digits (5 to 16 for USERPINMAC, whose check digits are made). One is made if `sec`
    /// needs it.
    pin: Option<String>,
    /// DM 1.x: the IMSI of its card, 6 to 15 digits.
    imsi: Option<String>,
    /// DM 1.x: another secret that it shares with its network, 1 to 64 octets in base64.
    network_secret_base64: Option<String>,
}

impl Target {
    fn prepare(self, context: &Context) -> Result<(Prepared, Given), Problem> {
        let Self { id, label, psk, replace, pin, imsi, network_secret_base64 } = self;
        let prepared = Prepared::new(NewDevice::with_new_secret(id, label, psk, replace), context)?;
        Ok((prepared, Given { pin, imsi, network_secret_base64 }))
    }
}

/// A bootstrap that was made.
#[derive(Serialize, ToSchema)]
pub struct Bootstrap {
    device: Device,
    /// MO data (`application/dmmo+json`) with the DM account. It holds the device's secret and is shown this once; null if it was sent to
    /// the device, or is for DM 1.x.
    #[schema(value_type = Option<Vec<Object>>)]
    bootstrap: Option<serde_json::Value>,
    /// One for DM 1.x; else null.
    dm1: Option<Content>,
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
    let NewBootstrap { device, profile, dm1, moids, name, to, gba } = new;
    let to = to.as_deref().map(str::parse::<Way>).transpose().map_err(Problem::bad)?;
    let terms = Terms::new(&context, profile, dm1, moids, name)?;
    check_way(&context, to.as_ref(), &terms, gba.is_some())?;
    let (prepared, given) = device.prepare(&context)?;
    let mut prepared = [prepared];
    let [one] = &mut prepared;
    let made = terms.make(&context, one, given, gba.as_ref())?;
    let device = one.enrolment.device.clone();
    let outgoing = made.outgoing(gba.as_ref())?;
    to.as_ref().map_or(Ok(()), |to| outgoing.check_length(to)).map_err(Problem::bad)?;
    enrol_all(&context, &prepared, &operator).await?;
    let sent = match &to {
        None => None,
        Some(to) => Some(bootstrap::send(&context, to, &outgoing).await),
    };
    if sent.is_some() || profile != Kind::Dm2 {
        let events = vec![told(&device, &terms, to.as_ref().zip(sent.as_ref()), &operator)];
        context.store.add_events(events, clock::now()).await?;
    }
    let failed = |reason: String| not_sent(device.as_str(), to.as_ref(), &reason);
    let sent = sent.transpose().map_err(failed)?;
    let device = devices::enrolled(&context, &device).await?;
    let (bootstrap, dm1) = match made {
        Made::Dm1(made) => (None, Some(Content::new(&made, sent))),
        Made::MoData(made) if sent.is_none() => (Some(as_json(&made)?), None),
        Made::MoData(_) => (None, None),
    };
    let made = Bootstrap { device, bootstrap, dm1, ca_pem: context.authority.clone() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Whether a bootstrap can go that way.
fn check_way(context: &Context, to: Option<&Way>, terms: &Terms, has_keys: bool) -> Result<(), Problem> {
    let secured = terms.sec().is_some() || has_keys;
    match to {
        None if has_keys && matches!(terms, Terms::Dm2 { .. }) => {
            Err(Problem::bad("gba is for bootstraps that are sent; say to where"))
        }
        Some(Way::Tls(_)) if context.identity.is_none() => Err(Problem::conflict(NO_CERTIFICATE)),
        Some(Way::Push(_)) if !secured => Err(Problem::bad(UNPROTECTED)),
        Some(Way::Push(address)) => context.notifier.carrier.supports(address).map_err(Problem::conflict),
        Some(Way::Tls(_)) | None => Ok(()),
    }
}

/// Who made a bootstrap, and what became of it if it was sent.
fn told(
    device: &DeviceId,
    terms: &Terms,
    sent: Option<(&Way, &Result<String, String>)>,
    operator: &Operator,
) -> NewEvent {
    let what = match sent {
        None => "bootstrap made",
        Some((_, Ok(_))) => "bootstrap sent",
        Some((_, Err(_))) => "bootstrap not sent",
    };
    let to = sent.map(|(to, _)| to.to_string());
    let reason = sent.and_then(|(_, outcome)| outcome.as_ref().err());
    let mut body = json!({ "what": what, "to": to, "reason": reason, "by": operator.0 });
    if let (Terms::Dm1 { profile, order }, Some(members)) = (terms, body.as_object_mut()) {
        members.insert("profile".to_owned(), json!(profile));
        members.insert("sec".to_owned(), json!(order.sec()));
    }
    tracing::info!(%device, by = operator.0, what, to, "bootstrap");
    NewEvent { device: Some(device.clone()), kind: "device".into(), body: body.to_string() }
}

fn not_sent(device: &str, to: Option<&Way>, reason: &str) -> Problem {
    let to = to.map(Way::to_string).unwrap_or_default();
    let detail = format!(
        "the bootstrap was not taken at {to}: {reason}. {device} is enrolled; to try again, send the bootstrap anew with replace"
    );
    Problem::new(StatusCode::BAD_GATEWAY, detail)
}

/// Bootstraps to make.
#[derive(Deserialize, ToSchema)]
#[schema(as = BootstrapBatch)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// At most 1000; they are enrolled with fresh secrets.
    devices: Vec<Target>,
    /// `dm2` (default), `cp` or `dm`, as of a single one.
    #[serde(default)]
    profile: Kind,
    /// `cp` and `dm`: what they say and how they are secured.
    dm1: Option<Wishes>,
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
    /// MO data (`application/dmmo+json`) with the DM account. It holds the device's secret and is shown this once. Null for DM 1.x.
    #[schema(value_type = Option<Vec<Object>>)]
    bootstrap: Option<serde_json::Value>,
    /// One for DM 1.x; else null.
    dm1: Option<Content>,
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
    let Batch { devices, profile, dm1, moids, name } = batch;
    let terms = Terms::new(&context, profile, dm1, moids, name)?;
    let (mut prepared, mut items) = (Vec::new(), Vec::new());
    for target in devices {
        let (mut one, given) = target.prepare(&context)?;
        let (bootstrap, dm1) = match terms.make(&context, &mut one, given, None)? {
            Made::MoData(made) => (Some(as_json(&made)?), None),
            Made::Dm1(made) => (None, Some(Content::new(&made, None))),
        };
        items.push(Item { id: one.enrolment.device.as_str().to_owned(), bootstrap, dm1 });
        prepared.push(one);
    }
    enrol_all(&context, &prepared, &operator).await?;
    if profile != Kind::Dm2 {
        let events = prepared.iter().map(|one| told(&one.enrolment.device, &terms, None, &operator));
        context.store.add_events(events.collect(), clock::now()).await?;
    }
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
enum Terms {
    Dm2 { moids: Vec<String>, name: String },
    Dm1 { profile: Kind, order: Box<Order> },
}

/// A bootstrap before it is sent or shown.
enum Made {
    MoData(Secret),
    Dm1(dm1::Made),
}

impl Terms {
    fn new(
        context: &Context,
        profile: Kind,
        wishes: Option<Wishes>,
        moids: Option<Vec<String>>,
        name: Option<String>,
    ) -> Result<Self, Problem> {
        let name = name.unwrap_or_else(|| context.config.server.name.clone());
        if let Some(kind) = profile.profile() {
            if moids.is_some() {
                return Err(Problem::bad("DM 1.x has rights by ACL, not by MOIDs; leave moids out"));
            }
            let order = Order::new(context, kind, wishes.unwrap_or_default(), name)?;
            return Ok(Self::Dm1 { profile, order: Box::new(order) });
        }
        if wishes.is_some() {
            return Err(Problem::bad("dm1 is for the profiles cp and dm; say which"));
        }
        let moids = moids.unwrap_or_else(|| default_moids(context));
        BootstrapSection::check(&moids).map_err(|problem| Problem::bad(format!("moids: {problem}")))?;
        Ok(Self::Dm2 { moids, name })
    }

    /// How it is secured, for DM 1.x.
    fn sec(&self) -> Option<&'static str> {
        match self {
            Self::Dm2 { .. } => None,
            Self::Dm1 { order, .. } => order.sec(),
        }
    }

    fn make(
        &self,
        context: &Context,
        device: &mut Prepared,
        given: Given,
        gba: Option<&Gba>,
    ) -> Result<Made, Problem> {
        let (moids, name) = match self {
            Self::Dm1 { order, .. } => return order.make(context, device, given, gba).map(Made::Dm1),
            Self::Dm2 { moids, name } => (moids, name),
        };
        if !given.is_empty() {
            return Err(Problem::bad("pin, imsi and network_secret_base64 are for the profiles cp and dm"));
        }
        let login = Some((device.enrolment.user.as_str(), &device.secret));
        let holder = Holder { login, verifier: device.enrolment.verifier.expose() };
        let made = bootstrap::mo_data_of(context, &holder, moids, name);
        made.map(Made::MoData).map_err(|error| Problem::bad(error.to_string()))
    }
}

impl Made {
    /// As it goes to the device; MO data under the keys of GBA Push, if there are any.
    fn outgoing(&self, gba: Option<&Gba>) -> Result<Outgoing, Problem> {
        Ok(match (self, gba) {
            (Self::MoData(made), Some(gba)) => Outgoing::mo_data(gba.protect(made)?, true),
            (Self::MoData(made), None) => Outgoing::mo_data(made.clone(), false),
            (Self::Dm1(made), _) => Outgoing::dm1(made.body.clone(), &made.content),
        })
    }
}

/// The management objects that the server may use if nobody says which.
fn default_moids(context: &Context) -> Vec<String> {
    match context.config.bootstrap.moids.as_slice() {
        [] => vec!["*".to_owned()],
        configured => configured.to_vec(),
    }
}

fn as_json(made: &Secret) -> Result<serde_json::Value, Problem> {
    serde_json::from_slice(made.expose())
        .map_err(|error| Problem::bad(format!("the bootstrap cannot be written: {error}")))
}
