//! What operators and their programs talk to: the REST API with its OpenAPI document, and health.

pub mod access;
pub mod actor;
mod assignments;
mod audit;
mod bootstrap;
mod campaigns;
mod commands;
mod ddfs;
mod delegations;
mod devices;
mod events;
mod fleet;
mod groups;
mod hosts;
pub mod imports;
pub mod login;
mod models;
mod notify;
mod packages;
mod pages;
pub mod problem;
mod profiles;
mod reach;
pub mod ready;
mod retries;
pub mod rights;
mod sessionless;
mod sessions;
mod settings;
mod standing;
pub mod tokens;
mod users;
mod views;
mod webhooks;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use omadm_mo::{DeviceId, Time};
use omadm_store as store;
use serde::{Deserialize, Serialize};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{self, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::context::Context;
use crate::metrics::{self, Listener};
use crate::requests::Watched;
use actor::{Area, Level, Scope};
use problem::Problem;

/// Prefix of the API.
pub const PREFIX: &str = "/api/v1";
/// Items on a page unless asked otherwise.
const PAGE: u32 = 100;
/// Most items on a page.
const MAX_PAGE: u32 = 1_000;
/// Room in a request body beside the payload in it, for a batch of devices or a DDF file. Base64 adds a third to a payload.
const REQUEST_ROOM: usize = 4 << 20;

/// Routes of the operator listener.
pub fn router(context: Arc<Context>) -> Router {
    let (api, document) = api().split_for_parts();
    let checked = axum::middleware::from_fn_with_state(context.clone(), access::check);
    let in_time = axum::middleware::from_fn_with_state(context.clone(), body_in_time);
    let audited = axum::middleware::from_fn_with_state(context.clone(), audit::follow);
    let named = axum::middleware::from_fn_with_state(context.clone(), hosts::check);
    let largest = context.config.data.max_payload.0.saturating_mul(4) / 3 + REQUEST_ROOM;
    let document = Arc::new(with_problems(document));
    let watched = Watched { listener: Listener::Operator, metrics: context.metrics.clone() };
    let serve_document = move || {
        let document = document.clone();
        async move { Json(document.as_ref().clone()) }
    };
    let missing =
        || async { Problem::unknown(format!("there is nothing at this path; see {PREFIX}/openapi.json")) };
    let wrong =
        || async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods; see Allow") };
    let api =
        api.fallback(missing).method_not_allowed_fallback(wrong).layer(audited).layer(in_time).layer(checked);
    let api: Router = Router::new().nest(PREFIX, api).with_state(context.clone());
    Router::new()
        .route(&format!("{PREFIX}/openapi.json"), get(serve_document))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready::ready))
        .route(metrics::PATH, get(figures))
        .with_state(context.clone())
        .merge(crate::console::router(context, api.clone()))
        .merge(api)
        .layer(named)
        .layer(DefaultBodyLimit::max(largest))
        .layer(axum::middleware::from_fn_with_state(watched, crate::requests::log))
}

/// Reads the body, for which the sender has so much time and no more; not that of a package, which is taken piece by piece.
async fn body_in_time(
    State(context): State<Arc<Context>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if request.method() == Method::POST && [packages::PATH, imports::PATH].contains(&request.uri().path()) {
        return Ok(next.run(request).await);
    }
    let (mut request, octets) = with_body(&context, request).await?;
    request.extensions_mut().insert(audit::Octets(octets));
    Ok(next.run(request).await)
}

/// A request whose body is there, and the body.
///
/// # Errors
/// 408 and 413 if it is too slow or too large.
pub async fn with_body(context: &Context, request: Request) -> Result<(Request, Bytes), Problem> {
    let time = context.config.operator.body_timeout.0;
    let (head, body) = request.into_parts();
    let reading = Bytes::from_request(Request::from_parts(head.clone(), body), &());
    let octets = tokio::time::timeout(time, reading).await.map_err(|_| {
        let late = format!("the body was not complete within {} s (operator.body_timeout)", time.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, late)
    })??;
    Ok((Request::from_parts(head, Body::from(octets.clone())), octets))
}

/// The API with its document: a route that is not described cannot be registered.
fn api() -> OpenApiRouter<Arc<Context>> {
    OpenApiRouter::with_openapi(description())
        .routes(routes!(fleet::list, devices::enrol))
        .routes(routes!(fleet::count))
        .routes(routes!(fleet::export))
        .routes(routes!(devices::enrol_batch))
        .routes(routes!(devices::show, devices::remove, fleet::annotate))
        .routes(routes!(imports::list, imports::create))
        .routes(routes!(imports::show))
        .routes(routes!(imports::report))
        .routes(routes!(imports::table))
        .routes(routes!(groups::list))
        .routes(routes!(groups::show, groups::put, groups::remove))
        .routes(routes!(devices::tree))
        .routes(routes!(notify::show, notify::set))
        .routes(routes!(notify::now))
        .routes(routes!(sessionless::create))
        .routes(routes!(devices::payload))
        .routes(routes!(commands::list, commands::create))
        .routes(routes!(commands::show))
        .routes(routes!(commands::cancel))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::show))
        .routes(routes!(sessions::abort))
        .routes(routes!(events::list))
        .routes(routes!(events::kinds))
        .routes(routes!(events::follow))
        .routes(routes!(ddfs::list))
        .routes(routes!(ddfs::show, ddfs::put, ddfs::remove))
        .routes(routes!(models::show))
        .routes(routes!(profiles::list))
        .routes(routes!(profiles::show, profiles::put, profiles::remove))
        .routes(routes!(profiles::versions))
        .routes(routes!(profiles::show_version))
        .routes(routes!(profiles::diff))
        .routes(routes!(assignments::assign, assignments::unassign))
        .routes(routes!(assignments::rollback))
        .routes(routes!(assignments::dry_run))
        .routes(routes!(assignments::devices))
        .routes(routes!(assignments::of_device))
        .routes(routes!(retries::of_profile))
        .routes(routes!(retries::of_device))
        .routes(routes!(standing::subscriptions))
        .routes(routes!(standing::defaults))
        .routes(routes!(campaigns::list, campaigns::create))
        .routes(routes!(campaigns::show, campaigns::remove))
        .routes(routes!(campaigns::acts::start))
        .routes(routes!(campaigns::acts::pause))
        .routes(routes!(campaigns::acts::resume))
        .routes(routes!(campaigns::acts::stop))
        .routes(routes!(campaigns::acts::rollback))
        .routes(routes!(campaigns::devices))
        .routes(routes!(campaigns::report))
        .routes(routes!(packages::list, packages::create))
        .routes(routes!(packages::show, packages::remove))
        .routes(routes!(pages::list))
        .routes(routes!(pages::show, pages::put, pages::remove))
        .routes(routes!(pages::preview, pages::try_out))
        .routes(routes!(pages::answers))
        .routes(routes!(login::begin))
        .routes(routes!(login::end))
        .routes(routes!(login::me))
        .routes(routes!(login::change_password))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::show, users::change, users::remove))
        .routes(routes!(users::set_password))
        .routes(routes!(audit::list))
        .routes(routes!(webhooks::list, webhooks::add))
        .routes(routes!(webhooks::show, webhooks::remove))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::dead))
        .routes(routes!(webhooks::replay))
        .routes(routes!(audit::heads))
        .routes(routes!(audit::export::export))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(bootstrap::state::list, bootstrap::create))
        .routes(routes!(bootstrap::offer::show))
        .routes(routes!(bootstrap::create_batch))
        .routes(routes!(bootstrap::state::show, bootstrap::revoke))
        .routes(routes!(delegations::list, delegations::create))
        .routes(routes!(delegations::peers))
        .routes(routes!(delegations::show))
        .routes(routes!(delegations::devices))
        .routes(routes!(delegations::approve))
        .routes(routes!(delegations::reject))
        .routes(routes!(delegations::cancel))
        .routes(routes!(delegations::release))
        .routes(routes!(server))
        .routes(routes!(settings::list))
        .routes(routes!(settings::state))
}

/// Says of every operation in which form it refuses, also with a status that is not listed, such as 401.
fn with_problems(mut document: OpenApi) -> OpenApi {
    let refusal = |description: &str| -> RefOr<openapi::Response> {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        ResponseBuilder::new().description(description).content(problem::MEDIA_TYPE, content).into()
    };
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            for (_, response) in responses.iter_mut().filter(|(status, _)| !status.starts_with('2')) {
                *response = refusal("Why it was not done");
            }
            responses.insert("default".to_owned(), refusal("Why it was not done"));
        }
    }
    document
}

fn description() -> OpenApi {
    let info = InfoBuilder::new()
        .title("omadm")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Devices, what is asked of them, and what they answered. Times are RFC 3339 in UTC.",
        ))
        .build();
    let scheme =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An operator token.")).build();
    let components = utoipa::openapi::ComponentsBuilder::new()
        .security_scheme("token", SecurityScheme::Http(scheme))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
        .servers(Some([utoipa::openapi::Server::new(PREFIX)]))
        .build()
}

/// Which part of a listing is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before.
    after: Option<String>,
}

impl Listing {
    fn limit(&self) -> Result<u32, Problem> {
        limit(self.limit)
    }

    /// The cursor as an identifier.
    fn uuid(&self) -> Result<Option<Uuid>, Problem> {
        let parsed = self.after.as_deref().map(Uuid::try_parse).transpose();
        parsed.map_err(|_| Problem::bad("after is no cursor of this listing; take it from \"next\""))
    }

    /// The cursor as a number.
    fn number(&self) -> Result<Option<i64>, Problem> {
        number(self.after.as_deref())
    }
}

fn limit(given: Option<u32>) -> Result<u32, Problem> {
    match given.unwrap_or(PAGE) {
        limit @ 1..=MAX_PAGE => Ok(limit),
        other => Err(Problem::bad(format!("limit is {other}, it has to be 1 to {MAX_PAGE}"))),
    }
}

fn number(cursor: Option<&str>) -> Result<Option<i64>, Problem> {
    let parsed = cursor.map(str::parse).transpose();
    parsed.map_err(|_| Problem::bad("after is no cursor of this listing; take it from \"next\""))
}

/// A time some seconds later.
fn later(now: Time, seconds: u64) -> Time {
    now.plus_micros(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

fn device_id(text: &str) -> Result<DeviceId, Problem> {
    DeviceId::parse(text).map_err(|error| Problem::bad(format!("the device id: {error}")))
}

/// The device of a path.
async fn known_device(context: &Context, id: &str) -> Result<store::Device, Problem> {
    let id = device_id(id)?;
    let device = context.store.device(&id).await?;
    device.ok_or_else(|| devices::unknown(&id))
}

/// What this server is.
#[derive(Debug, Serialize, ToSchema)]
struct ServerView {
    version: &'static str,
    /// Server Identifier, `SrvID` on devices.
    server_id: String,
    /// Where devices reach it, `SrvURI` on devices.
    device_uri: String,
    devices: i64,
    open_commands: i64,
}

/// Says what this server is and how much it has to do.
#[utoipa::path(get, path = "/server", responses((status = 200, body = ServerView)), tag = "server")]
async fn server(State(context): State<Arc<Context>>) -> Result<Json<ServerView>, Problem> {
    let counts = context.store.counts().await?;
    Ok(Json(ServerView {
        version: env!("CARGO_PKG_VERSION"),
        server_id: context.config.server.id.clone(),
        device_uri: context.device_uri(),
        devices: counts.devices,
        open_commands: counts.open_commands,
    }))
}

/// The figures of the server, for those who may see them.
async fn figures(State(context): State<Arc<Context>>, headers: HeaderMap) -> Result<Response, Problem> {
    if !context.config.metrics.open {
        let scope = Scope { area: Area::Metrics, level: Level::Read };
        access::require(&context, &headers, scope).await?;
    }
    Ok(metrics::show(&context))
}
