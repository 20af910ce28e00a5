//! What the server runs with: every setting with its value and where that came from, and what this process does. Read only: settings are
//! made in a file and in the environment, so that they outlive the process.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use omadm_config::Origin;
use omadm_store::Lease;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::limit;
use super::problem::{Problem, Query};
use super::views::Page;
use crate::about::Listening;
use crate::clock::{self, rfc3339};
use crate::config::{self, Config, without_credentials};
use crate::context::Context;

/// Which settings are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only those of this section, such as `device`.
    section: Option<String>,
    /// Only those that somebody gave.
    #[serde(default)]
    given: bool,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before.
    after: Option<String>,
}

/// A setting.
#[derive(Serialize, ToSchema)]
#[schema(as = Setting)]
pub struct Setting {
    /// `section.key`.
    key: String,
    /// What the server runs with; null if it is nothing. Passwords and queries in URLs are hidden.
    value: Value,
    /// What it is unless somebody gives it; null if that is nothing.
    default: Value,
    /// Whether somebody gave it.
    given: bool,
    /// Where the value came from, such as `/etc/omadm.toml line 7`.
    origin: String,
    /// What it means, in Markdown.
    about: &'static str,
}

/// Lists settings, section by section.
#[utoipa::path(get, path = "/settings", operation_id = "list_settings", params(Wanted), tag = "server",
    responses((status = 200, body = Page<Setting>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Setting>>, Problem> {
    let limit = limit(wanted.limit)?;
    let settings = all(&context)?;
    let is_wanted = |setting: &Setting| {
        let section = setting.key.rsplit_once('.').map(|(section, _)| section);
        wanted.section.as_deref().is_none_or(|wanted| Some(wanted) == section)
            && (setting.given || !wanted.given)
    };
    let begin = match &wanted.after {
        None => 0,
        Some(after) => {
            let unknown = || Problem::bad("after is no cursor of this listing; take it from \"next\"");
            settings.iter().position(|one| one.key == *after).ok_or_else(unknown)? + 1
        }
    };
    let found: Vec<Setting> =
        settings.into_iter().skip(begin).filter(is_wanted).take(limit as usize + 1).collect();
    Ok(Json(Page::cut(found, limit, |setting| setting.key.clone(), |setting| setting)))
}

fn all(context: &Context) -> Result<Vec<Setting>, Problem> {
    let (now, default) = (written(&context.config)?, written(&Config::default())?);
    let setting = |known: &config::Setting| {
        let (key, value, default) = (known.key(), known.value(&now), known.value(&default));
        let origin = match context.about.origins.of(&key) {
            // The program that runs the server gave it without saying where it has it from.
            Origin::Default if value != default => "the program".to_owned(),
            origin => origin.to_string(),
        };
        let given = value != default || *context.about.origins.of(&key) != Origin::Default;
        Setting { key, value, default, given, origin, about: known.about }
    };
    Ok(config::Setting::all().iter().map(setting).collect())
}

/// A configuration as values.
fn written(config: &Config) -> Result<Value, Problem> {
    serde_json::to_value(config).map_err(|error| {
        tracing::error!(%error, "the configuration cannot be written");
        Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says why")
    })
}

/// What this process does.
#[derive(Serialize, ToSchema)]
pub struct ServerState {
    /// This node: the name of its chain in the audit log.
    node: String,
    /// When it started.
    started: String,
    /// Where it listens.
    listeners: Vec<ListenerView>,
    store: StoreView,
    /// What one of several nodes does at a time; nothing where no other node can be.
    leases: Vec<LeaseView>,
    /// Sessions of devices that go on here.
    sessions_open: i64,
    /// Memory of the process in octets; 0 where that is not known.
    resident_memory: i64,
    /// DDF files that are known.
    ddf_files: usize,
}

/// Where it listens.
#[derive(Serialize, ToSchema)]
#[schema(as = ListenerState)]
struct ListenerView {
    /// The setting that says so, such as `device.listen`.
    setting: &'static str,
    /// Address and port, as they are.
    address: String,
    /// Whether it takes TLS alone.
    tls: bool,
}

impl From<&Listening> for ListenerView {
    fn from(listening: &Listening) -> Self {
        Self { setting: listening.setting, address: listening.address.to_string(), tls: listening.tls }
    }
}

/// Where everything durable is.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreState)]
struct StoreView {
    /// `sqlite` or `postgresql`.
    kind: &'static str,
    /// The file, or the URL without a password.
    place: String,
    /// Whether it reads and writes now.
    works: bool,
    /// Writes of this node that wait for a commit.
    waiting: usize,
}

/// What one of several nodes does at a time.
#[derive(Serialize, ToSchema)]
#[schema(as = LeaseState)]
struct LeaseView {
    /// The work, such as `notifier`.
    work: String,
    /// The process that does it.
    owner: String,
    /// When another may take it over, unless it is held on to.
    expires: String,
}

impl From<Lease> for LeaseView {
    fn from(lease: Lease) -> Self {
        Self { work: lease.name, owner: lease.owner, expires: rfc3339(lease.expires) }
    }
}

/// Says what this process does: where it listens, where its store is, and what it does that one of several nodes does at a time.
#[utoipa::path(get, path = "/server/state", tag = "server", responses((status = 200, body = ServerState)))]
pub async fn state(State(context): State<Arc<Context>>) -> Result<Json<ServerState>, Problem> {
    let (store, metrics) = (context.store.as_ref(), &context.metrics);
    context.admission.tell(metrics, clock::now());
    let leases = if store.is_shared() { store.leases().await? } else { Vec::new() };
    let (kind, place) = match &context.config.store.url {
        Some(url) => ("postgresql", without_credentials(url)),
        None => ("sqlite", context.config.store_path().display().to_string()),
    };
    Ok(Json(ServerState {
        node: context.audit.chain().to_owned(),
        started: rfc3339(context.about.started),
        listeners: context.about.listeners.iter().map(ListenerView::from).collect(),
        store: StoreView {
            kind,
            place,
            works: context.readiness.is_ready(&context).await,
            waiting: store.commits().waiting(),
        },
        leases: leases.into_iter().map(LeaseView::from).collect(),
        sessions_open: metrics.sessions_open.now(()),
        resident_memory: metrics.resident.now(()),
        ddf_files: context.models.now(store).await?.count(),
    }))
}
