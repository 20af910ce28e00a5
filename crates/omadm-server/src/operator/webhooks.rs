//! Webhooks: adding, listing and trying them, and sending again what was given up.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use omadm_auth::Secret;
use omadm_store::{self as store, DeadLetter, NewWebhook};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Listing;
use super::events::known_kinds;
use super::problem::{Body, Path, Problem, Query};
use super::users::check_name;
use super::views::Page;
use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::random;
use crate::webhooks::{self, Delivery, Target};

/// What the secret of a webhook begins with.
const SECRET_PREFIX: &str = "whsec_";

/// A webhook.
#[derive(Serialize, ToSchema)]
pub struct Webhook {
    name: String,
    url: String,
    /// Kinds of events that it gets; none for all.
    kinds: Vec<String>,
    created: String,
    /// Cursor of the last event that was delivered, or given up, or not wanted.
    position: i64,
    /// Failed attempts of the next delivery.
    attempts: u32,
    /// Why the last attempt failed, if it did.
    problem: Option<String>,
    /// When the next attempt is due, after one that failed.
    due: Option<String>,
}

impl From<store::Webhook> for Webhook {
    fn from(webhook: store::Webhook) -> Self {
        Self {
            name: webhook.given.name,
            url: webhook.given.url,
            kinds: webhook.given.kinds,
            created: rfc3339(webhook.created),
            position: webhook.position,
            due: (webhook.attempts > 0).then(|| rfc3339(webhook.due)),
            attempts: webhook.attempts,
            problem: webhook.problem,
        }
    }
}

/// A webhook to add.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewWebhook)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// A name, unique; 1 to 64 characters.
    name: String,
    /// Where events go: `https://`, a host with a public address, no user and no password.
    url: String,
    /// Kinds of events that it gets; all if none are given.
    #[serde(default)]
    kinds: Vec<String>,
}

/// A webhook that was added.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeWebhook)]
pub struct Made {
    webhook: Webhook,
    /// The key of its signatures. Shown this once.
    secret: String,
}

/// Lists webhooks by name.
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", responses((status = 200, body = Page<Webhook>)))]
pub async fn list(State(context): State<Arc<Context>>) -> Result<Json<Page<Webhook>>, Problem> {
    let webhooks = context.store.webhooks().await?;
    Ok(Json(Page { items: webhooks.into_iter().map(Webhook::from).collect(), next: None }))
}

/// Adds a webhook. It is told of what happens from now on.
#[utoipa::path(post, path = "/webhooks", request_body = New, tag = "webhooks",
    responses((status = 201, body = Made), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub async fn add(
    State(context): State<Arc<Context>>,
    Body(New { name, url, kinds }): Body<New>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let settings = &context.config.webhook;
    check_name("webhook", &name)?;
    let kinds = known_kinds(kinds.iter().map(String::as_str))?;
    let target = Target::parse(&url, settings).map_err(Problem::bad)?;
    let looked_up = tokio::time::timeout(settings.timeout.0, target.addresses(settings)).await;
    looked_up.map_err(|_| Problem::bad("the host was not found in time"))?.map_err(Problem::bad)?;
    if context.store.webhooks().await?.len() >= settings.max_webhooks {
        return Err(Problem::conflict("there are too many webhooks already (webhook.max_webhooks)"));
    }
    let secret = random::secret(SECRET_PREFIX)?;
    let text = String::from_utf8_lossy(secret.expose()).into_owned();
    let new = NewWebhook { name: name.clone(), url, secret: secret.expose().to_vec().into(), kinds };
    if !context.store.add_webhook(new, clock::now()).await? {
        return Err(Problem::conflict(format!("there is a webhook named {name:?} already; remove it first")));
    }
    let webhook = known(&context, &name).await?;
    Ok((StatusCode::CREATED, Json(Made { webhook: webhook.into(), secret: text })))
}

/// Shows a webhook.
#[utoipa::path(get, path = "/webhooks/{name}", params(("name" = String, Path)), tag = "webhooks",
    responses((status = 200, body = Webhook), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<Webhook>, Problem> {
    Ok(Json(known(&context, &name).await?.into()))
}

/// Removes a webhook with the deliveries that were given up.
#[utoipa::path(delete, path = "/webhooks/{name}", params(("name" = String, Path)), tag = "webhooks",
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    match context.store.remove_webhook(&name).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

/// How a delivery went.
#[derive(Serialize, ToSchema)]
#[schema(as = TriedDelivery)]
pub struct Tried {
    /// Whether it was taken.
    delivered: bool,
    /// HTTP status of the answer, if there was one.
    status: Option<u16>,
    /// Why there was none.
    problem: Option<String>,
}

/// Sends a delivery without events, to see whether it arrives.
#[utoipa::path(post, path = "/webhooks/{name}/test", params(("name" = String, Path)), tag = "webhooks",
    responses((status = 200, body = Tried), (status = 404, body = Problem)))]
pub async fn test(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<Tried>, Problem> {
    let webhook = known(&context, &name).await?;
    let id = Uuid::now_v7();
    let body = webhooks::body(&name, id, Vec::new());
    Ok(Json(deliver(&context, &webhook, id, &body).await))
}

async fn deliver(context: &Context, webhook: &store::Webhook, id: Uuid, body: &str) -> Tried {
    let given = &webhook.given;
    let secret = Secret::new(given.secret.expose().to_vec());
    let now = webhooks::seconds(clock::now());
    let delivery = Delivery { webhook: &given.name, url: &given.url, secret: &secret, id, body, now };
    match context.webhooks.send(&delivery, &context.config.webhook).await {
        Ok(status) => Tried { delivered: status.is_success(), status: Some(status.as_u16()), problem: None },
        Err(problem) => Tried { delivered: false, status: None, problem: Some(problem) },
    }
}

/// A delivery that was given up.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadDelivery)]
pub struct Dead {
    id: Uuid,
    at: String,
    /// Cursor of its first event.
    first: i64,
    /// Cursor of its last event.
    last: i64,
    attempts: u32,
    /// Why the last attempt failed.
    problem: String,
}

impl From<DeadLetter> for Dead {
    fn from(dead: DeadLetter) -> Self {
        let DeadLetter { id, at, first, last, attempts, problem, .. } = dead;
        Self { id, at: rfc3339(at), first, last, attempts, problem }
    }
}

/// Lists the deliveries of a webhook that were given up, the oldest first.
#[utoipa::path(get, path = "/webhooks/{name}/dead", params(("name" = String, Path), Listing), tag = "webhooks",
    responses((status = 200, body = Page<Dead>), (status = 404, body = Problem)))]
pub async fn dead(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page<Dead>>, Problem> {
    let (limit, after) = (listing.limit()?, listing.uuid()?);
    known(&context, &name).await?;
    let dead = context.store.dead_letters(&name, after, limit + 1).await?;
    Ok(Json(Page::cut(dead, limit, |dead: &DeadLetter| dead.id.to_string(), Dead::from)))
}

/// What is to be sent again: one of the two.
#[derive(Deserialize, ToSchema)]
#[schema(as = WebhookReplay)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// A delivery that was given up: it is sent now, and forgotten if it arrives.
    dead: Option<Uuid>,
    /// All events after this cursor that the log still has.
    after: Option<i64>,
}

/// Sends again what was given up, or all events after a cursor.
#[utoipa::path(post, path = "/webhooks/{name}/replay", params(("name" = String, Path)), request_body = Replay, tag = "webhooks",
    responses((status = 200, body = Tried), (status = 202), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn replay(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Body(wanted): Body<Replay>,
) -> Result<Response, Problem> {
    let webhook = known(&context, &name).await?;
    match wanted {
        Replay { dead: Some(id), after: None } => {
            Ok(Json(revive(&context, &webhook, id).await?).into_response())
        }
        Replay { dead: None, after: Some(after @ 0..) } => {
            let newest = context.store.newest_event().await?;
            context.store.move_webhook(&name, after.min(newest), clock::now()).await?;
            Ok(StatusCode::ACCEPTED.into_response())
        }
        Replay { .. } => Err(Problem::bad("say either which delivery, or after which cursor (0 or more)")),
    }
}

/// Sends a delivery that was given up.
async fn revive(context: &Context, webhook: &store::Webhook, id: Uuid) -> Result<Tried, Problem> {
    let name = &webhook.given.name;
    let Some(body) = context.store.dead_letter_body(name, id).await? else {
        return Err(Problem::unknown(format!("no delivery {id} of {name:?} was given up")));
    };
    let tried = deliver(context, webhook, id, &body).await;
    if tried.delivered {
        context.store.remove_dead_letter(name, id).await?;
    }
    Ok(tried)
}

async fn known(context: &Context, name: &str) -> Result<store::Webhook, Problem> {
    context.store.webhook(name).await?.ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Problem {
    Problem::unknown(format!("there is no webhook named {name:?}; `omadm webhook ls` shows those that are"))
}
