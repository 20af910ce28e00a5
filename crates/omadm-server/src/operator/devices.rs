//! Devices: enrolment, listing, their last known tree and uploads.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use omadm_auth::Secret;
use omadm_auth::credential::MAX_SHARED_KEY;
use omadm_mo::{ClientUri, DeviceId};
use omadm_store::{self as store, Enrolment, NewEvent, TreeAddress};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::problem::{Body, Path, Problem, Query};
use super::tokens::Operator;
use super::views::{self, Device, KnownMo, Page, TreeNode};
use super::{device_id, known_device};
use crate::address::Inventory;
use crate::config::Endpoint;
use crate::context::Context;
use crate::device::dm1;
use crate::roots::{self, Roots};
use crate::{clock, random};

/// Most devices in one batch.
pub const MAX_BATCH: usize = 1_000;
/// Shortest secret that an operator may choose: verifiers are made for secrets of machines, not of people.
const MIN_SECRET: usize = 16;
const MAX_SECRET: usize = 256;
const MAX_LABEL: usize = 200;

/// A device to enrol.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// Its DevID, such as `UUID:…` or `IMEI:…`.
    id: String,
    /// A name for people.
    label: Option<String>,
    /// HTTP user name, unique. Default: the id with `-` in place of `:`, which HTTP Basic does not allow in user names.
    user: Option<String>,
    /// Its secret, 16 to 256 characters; one of 256 bits is made if not given.
    secret: Option<String>,
    /// Let it use its secret as a pre-shared key in TLS (PSK-TLS), for which the secret itself has to be kept. The user name is the PSK
    /// identity; the secret has at most 64 octets.
    #[serde(default)]
    psk: bool,
    /// Start anew if it is enrolled already: its queue and its last known tree are dropped.
    #[serde(default)]
    replace: bool,
}

impl NewDevice {
    /// A device with a secret that is made for it.
    pub fn with_new_secret(id: String, label: Option<String>, psk: bool, replace: bool) -> Self {
        Self { id, label, user: None, secret: None, psk, replace }
    }

    /// A device with a secret that it has already.
    pub fn with_secret(
        id: String,
        label: Option<String>,
        user: Option<String>,
        secret: String,
        psk: bool,
        replace: bool,
    ) -> Self {
        Self { id, label, user, secret: Some(secret), psk, replace }
    }
}

/// A device that is about to be enrolled, with the secret that only it and this answer get to see.
pub struct Prepared {
    /// For the store.
    pub enrolment: Enrolment,
    /// The secret.
    pub secret: Secret,
    /// The servers of DM 1.x that it finds here.
    pub servers: Vec<Dm1Server>,
}

impl Prepared {
    /// Checks and completes a request.
    ///
    /// # Errors
    /// 400 says what is wrong with it.
    pub fn new(new: NewDevice, context: &Context) -> Result<Self, Problem> {
        let device = device_id(&new.id)?;
        let label = new.label.unwrap_or_default();
        if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(Problem::bad(format!(
                "a label has at most {MAX_LABEL} characters and no control characters"
            )));
        }
        let user = new.user.unwrap_or_else(|| device.as_str().replace(':', "-"));
        if user.is_empty() || user.len() > 255 || user.chars().any(|c| c == ':' || c.is_control()) {
            return Err(Problem::bad(
                "a user name has 1 to 255 bytes, no ':' and no control characters (HTTP Basic)",
            ));
        }
        let secret = match new.secret {
            None => random::secret("")?,
            Some(secret) => Secret::new(secret.into_bytes()),
        };
        let text = std::str::from_utf8(secret.expose()).unwrap_or_default();
        if !(MIN_SECRET..=MAX_SECRET).contains(&text.chars().count()) || text.chars().any(char::is_control) {
            let range = format!("{MIN_SECRET} to {MAX_SECRET}");
            return Err(Problem::bad(format!(
                "a secret has {range} characters; leave it out to have one made"
            )));
        }
        if new.psk && secret.expose().len() > MAX_SHARED_KEY {
            return Err(Problem::bad(format!("a pre-shared key has at most {MAX_SHARED_KEY} octets")));
        }
        let verifier = random::credential(&user, &secret, new.psk)?;
        let dm1 = context.config.dm1.enabled.then(|| dm1::Kept::new(&user, &secret)).transpose()?;
        let own = context.config.notifier.dm1_own_credentials;
        let dm1 = dm1.map(|kept| if own { kept.with_notification_secret() } else { kept });
        let servers = dm1.as_ref().map(|kept| servers(context, kept)).unwrap_or_default();
        let dm1 = dm1.map(|kept| kept.write().into());
        let enrolment = Enrolment { device, label, user, verifier, dm1, replace: new.replace };
        Ok(Self { enrolment, secret, servers })
    }

    /// Has the device begin DM 1.x with a nonce for either side and by these schemes; gives what is kept of it. `None` if DM 1.x is not
    /// spoken here.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn begin_dm1(&mut self, schemes: dm1::Schemes) -> Result<Option<dm1::Kept>, Problem> {
        let kept = self.enrolment.dm1.as_ref().and_then(|kept| dm1::Kept::read(kept.expose()));
        let Some(kept) = kept else { return Ok(None) };
        let kept = kept.begun(schemes, random::octets()?, random::octets()?);
        self.enrolment.dm1 = Some(kept.write().into());
        Ok(Some(kept))
    }

    /// The secret as text.
    pub fn secret_text(&self) -> String {
        text(&self.secret)
    }
}

/// A secret that was made as text.
fn text(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

/// Enrols devices and notes who did it.
///
/// # Errors
/// As the store.
pub async fn enrol_all(context: &Context, prepared: &[Prepared], operator: &Operator) -> Result<(), Problem> {
    let now = clock::now();
    let enrolments: Vec<Enrolment> = prepared.iter().map(|one| one.enrolment.clone()).collect();
    let events = enrolments.iter().map(|one| event(&one.device, "enrolled", operator)).collect();
    Ok(context.store.enrol(enrolments, events, now).await?)
}

/// The event of what an operator did with a device.
pub fn event(device: &DeviceId, what: &str, operator: &Operator) -> NewEvent {
    let body = serde_json::json!({ "what": what, "by": operator.0 });
    NewEvent { device: Some(device.clone()), kind: "device".into(), body: body.to_string() }
}

/// A server of DM 1.x, for the account of a device.
#[derive(Serialize, ToSchema)]
pub struct Dm1Server {
    /// `ServerID`, and the user name by which the server proves itself (`AAuthName` of SRVCRED).
    server_id: String,
    /// `Addr` of the account.
    server_uri: String,
    /// The secret by which the server proves itself (`AAuthSecret` of SRVCRED). Shown this once.
    server_secret: String,
    /// The secret by which the server proves notifications of DM 1.3, where it has one for them alone (`notifier.dm1_own_credentials`).
    /// Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_secret: Option<String>,
}

fn servers(context: &Context, kept: &dm1::Kept) -> Vec<Dm1Server> {
    let server = |endpoint: &Endpoint| {
        let server_id = endpoint.server_id(&context.config);
        Dm1Server {
            server_id: server_id.to_owned(),
            server_uri: context.dm1_uri(endpoint),
            server_secret: text(&kept.server_secret(server_id)),
            notification_secret: kept.notification_secret(server_id).as_ref().map(text),
        }
    };
    context.config.dm1.endpoints.iter().map(server).collect()
}

/// A device that was enrolled.
#[derive(Serialize, ToSchema)]
pub struct Enrolled {
    device: Device,
    user: String,
    /// Shown this once; only a verifier is kept.
    secret: String,
    server_id: String,
    server_uri: String,
    /// The servers of DM 1.x that it finds here; none if DM 1.x is not spoken.
    dm1: Vec<Dm1Server>,
}

/// Enrols a device.
#[utoipa::path(post, path = "/devices", request_body = NewDevice, tag = "devices",
    responses((status = 201, body = Enrolled), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn enrol(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Body(new): Body<NewDevice>,
) -> Result<(StatusCode, Json<Enrolled>), Problem> {
    let prepared = [Prepared::new(new, &context)?];
    enrol_all(&context, &prepared, &operator).await?;
    let [prepared] = prepared;
    let enrolled = Enrolled {
        device: enrolled(&context, &prepared.enrolment.device).await?,
        secret: prepared.secret_text(),
        user: prepared.enrolment.user,
        server_id: context.config.server.id.clone(),
        server_uri: context.device_uri(),
        dm1: prepared.servers,
    };
    Ok((StatusCode::CREATED, Json(enrolled)))
}

/// A device as it is shown once it is enrolled.
///
/// # Errors
/// 404 if it has been removed meanwhile.
pub async fn enrolled(context: &Context, id: &DeviceId) -> Result<Device, Problem> {
    let found = context.store.fleet_device(id).await?.ok_or_else(|| unknown(id))?;
    Ok(Device::of_fleet(found).with_inventory(None))
}

/// Devices to enrol.
#[derive(Deserialize, ToSchema)]
#[schema(as = EnrolmentBatch)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// At most 1000.
    devices: Vec<NewDevice>,
}

/// A device of a batch that was enrolled.
#[derive(Serialize, ToSchema)]
pub struct EnrolledBrief {
    id: String,
    user: String,
    /// Shown this once; only a verifier is kept.
    secret: String,
    /// As of a single device.
    dm1: Vec<Dm1Server>,
}

/// Enrols many devices, all or none.
#[utoipa::path(post, path = "/devices/batch", request_body = Batch, tag = "devices",
    responses((status = 201, body = Page<EnrolledBrief>), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn enrol_batch(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Body(batch): Body<Batch>,
) -> Result<(StatusCode, Json<Page<EnrolledBrief>>), Problem> {
    if batch.devices.len() > MAX_BATCH {
        return Err(Problem::bad(format!("a batch has at most {MAX_BATCH} devices; send several")));
    }
    let prepared =
        batch.devices.into_iter().map(|new| Prepared::new(new, &context)).collect::<Result<Vec<_>, _>>()?;
    enrol_all(&context, &prepared, &operator).await?;
    let items = prepared.into_iter().map(|one| EnrolledBrief {
        id: one.enrolment.device.as_str().to_owned(),
        secret: one.secret_text(),
        user: one.enrolment.user,
        dm1: one.servers,
    });
    Ok((StatusCode::CREATED, Json(Page { items: items.collect(), next: None })))
}

/// Shows a device with its inventory.
#[utoipa::path(get, path = "/devices/{id}", params(("id" = String, Path)), tag = "devices",
    responses((status = 200, body = Device), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
) -> Result<Json<Device>, Problem> {
    let id = device_id(&id)?;
    let found = context.store.fleet_device(&id).await?.ok_or_else(|| unknown(&id))?;
    let inventory = match &found.device.inventory {
        None => None,
        Some(text) => Some(known_objects(&context, Inventory::read(Some(text))).await?),
    };
    let features = context.dm1_models.features(&context, &found.device.facts).await?;
    Ok(Json(Device::of_fleet(found).with_inventory(inventory).with_features(features)))
}

/// The management objects of an inventory with what is known about their DDF.
async fn known_objects(context: &Context, inventory: Inventory) -> Result<Vec<KnownMo>, Problem> {
    let files = context.models.now(context.store.as_ref()).await?;
    let known = inventory.0.iter().map(|reported| {
        let found = files.find(&reported.moid, &inventory, &context.public_url);
        let model = found.map(|found| found.file.to_owned());
        let title = found.and_then(|found| found.definition.root.title.clone());
        let link = reported.ddf.as_deref().filter(|_| model.is_none());
        let ddf_problem = link.and_then(|link| context.links.problem(link));
        KnownMo { reported: reported.clone(), model, title, ddf_problem }
    });
    Ok(known.collect())
}

/// The answer to who names a device that is not there, or not theirs.
pub fn unknown(id: &DeviceId) -> Problem {
    Problem::unknown(format!("{id} is not enrolled; `omadm device ls` shows those that are"))
}

/// Removes a device with all that is its own.
#[utoipa::path(delete, path = "/devices/{id}", params(("id" = String, Path)), tag = "devices",
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id = device_id(&id)?;
    let events = vec![event(&id, "removed", &operator)];
    if !context.store.remove_device(&id, events, clock::now()).await? {
        return Err(unknown(&id));
    }
    context.wakers.wake(&id);
    Ok(StatusCode::NO_CONTENT)
}

/// Which part of a tree is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TreePart {
    /// ClientURI of a node or instance; all if not given.
    at: Option<String>,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before.
    after: Option<String>,
    /// Most characters of a value that is text; longer ones are cut. Default: all.
    length: Option<usize>,
}

/// Shows what was last seen of a device's tree.
#[utoipa::path(get, path = "/devices/{id}/tree", params(("id" = String, Path), TreePart), tag = "devices",
    responses((status = 200, body = Page<TreeNode>), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn tree(
    State(context): State<Arc<Context>>,
    Path(id): Path<String>,
    Query(part): Query<TreePart>,
) -> Result<Json<Page<TreeNode>>, Problem> {
    let limit = super::limit(part.limit)?;
    let device = known_device(&context, &id).await?;
    let mut inventory = Inventory::read(device.inventory.as_deref());
    let everything = TreeAddress { moid: String::new(), miid: String::new(), path: String::new() };
    let at = match &part.at {
        None => everything,
        Some(address) if let Some(at) = place_in_dm1(&device, &inventory, address) => at,
        Some(address) => {
            let uri = inventory.parse(address).map_err(Problem::bad)?;
            inventory.learn(context.store.as_ref(), &device.id, &uri).await?;
            inventory.part(&uri).ok_or_else(|| vague(address))?
        }
    };
    let after = part.after.as_deref().map(|address| {
        if let Some(at) = roots::at_elsewhere(address) {
            return Ok(at);
        }
        let uri = inventory.parse(address).map_err(Problem::bad)?;
        inventory.place(&uri).ok_or_else(|| vague(address))
    });
    let after = after.transpose()?;
    let nodes = context.store.tree(&device.id, &at, after, limit + 1).await?;
    let files = context.models.now(context.store.as_ref()).await?;
    let longest = part.length.unwrap_or(usize::MAX);
    let described = |uri: &ClientUri, leaf| files.node(uri, leaf, &inventory, &context.public_url);
    let view = |node| TreeNode::new(node, longest, described);
    Ok(Json(Page::cut(nodes, limit, |node| views::place_text(&node.at), view)))
}

/// The place of what a device of DM 1.x would be told for an address.
fn place_in_dm1(device: &store::Device, inventory: &Inventory, address: &str) -> Option<TreeAddress> {
    let version = dm1::protocol_version(device.protocol.as_deref())?;
    let roots = Roots::of(inventory, version);
    roots.place(&roots.resolve(address).ok()?)
}

fn vague(address: &str) -> Problem {
    Problem::bad(format!("{address:?} may mean several nodes; name the instance and write no wildcard"))
}

/// Gives what a device uploaded, or what is kept for it to fetch, with its media type.
#[utoipa::path(get, path = "/devices/{id}/payloads/{payload}", params(("id" = String, Path), ("payload" = Uuid, Path)),
    tag = "devices", responses((status = 200, content_type = "*/*"), (status = 404, body = Problem)))]
pub async fn payload(
    State(context): State<Arc<Context>>,
    Path((id, payload)): Path<(String, Uuid)>,
) -> Result<Response, Problem> {
    let device = known_device(&context, &id).await?;
    let found = context.store.payload(payload).await?.filter(|found| found.device == device.id);
    let found = found.ok_or_else(|| Problem::unknown(format!("{} has no payload {payload}", device.id)))?;
    let octets = HeaderValue::from_static(omadm_codec::media_type::OCTET_STREAM);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_str(&found.content_type).unwrap_or(octets)),
        // What a device sent must not run as a page of this server.
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, found.body).into_response())
}
