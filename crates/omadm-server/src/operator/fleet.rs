//! The inventory: listings by filter, what people say about devices, and exports.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body as Stream;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use omadm_mo::DeviceId;
use omadm_store::filter::Filter;
use omadm_store::{Annotation, FleetDevice};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::actor::Actor;
use super::problem::{Body, Path, Problem, Query};
use super::tokens::Operator;
use super::views::{Device, Page};
use super::{device_id, devices, limit, reach};
use crate::clock;
use crate::context::Context;
use crate::fleet::{cells, checked};

/// Devices that an export reads at a time.
const EXPORT_PAGE: u32 = 500;
/// Counting stops here unless asked otherwise.
const COUNT: u32 = 10_000;
/// Counting stops here at the latest.
const MAX_COUNT: u32 = 1_000_000;
/// Most columns of an answer.
const MAX_COLUMNS: usize = 200;

/// Which devices are wanted, and what of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Which devices, such as `model = "X" and fw < 2.1 and label:site = A and seen < 2d`. Default: all.
    filter: Option<String>,
    /// Members of each item, separated by commas; `label:KEY` is one label. Default: all.
    columns: Option<String>,
    /// Most items, 1 to 1000. Default 100.
    limit: Option<u32>,
    /// Cursor from `next` of the page before.
    after: Option<String>,
}

/// Lists devices by id.
#[utoipa::path(get, path = "/devices", operation_id = "list_devices", params(Wanted), tag = "devices",
    responses((status = 200, body = Page<Device>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page<Value>>, Problem> {
    let limit = limit(wanted.limit)?;
    let after = wanted.after.as_deref().map(device_id).transpose()?;
    let filter = narrowed(&context, &actor, wanted.filter.as_deref())?;
    let columns = columns(wanted.columns.as_deref())?;
    let found = context.store.fleet(filter.as_ref(), after.as_ref(), limit + 1, clock::now()).await?;
    let cursor = |one: &FleetDevice| one.device.id.as_str().to_owned();
    Ok(Json(Page::cut(found, limit, cursor, |one| item(Device::of_fleet(one), columns.as_deref()))))
}

/// A filter of a request, kept within the groups of who makes it.
///
/// # Errors
/// 400 for what is no filter.
pub fn narrowed(context: &Context, actor: &Actor, text: Option<&str>) -> Result<Option<Filter>, Problem> {
    let limits = context.config.fleet.filter_limits();
    let asked = text.map(|text| Filter::parse(text, &limits)).transpose()?;
    Ok(match (reach::filter(actor), asked) {
        (Some(theirs), Some(asked)) => Some(asked.and(theirs)),
        (theirs, asked) => theirs.or(asked),
    })
}

fn columns(text: Option<&str>) -> Result<Option<Vec<String>>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let columns: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    let known = |name: &String| name.starts_with(LABEL) || Device::MEMBERS.contains(&name.as_str());
    if let Some(unknown) = columns.iter().find(|name| !known(name)) {
        let members = Device::MEMBERS.join(", ");
        return Err(Problem::bad(format!("there is no column {unknown}; there are {members} and label:KEY")));
    }
    if columns.len() > MAX_COLUMNS {
        return Err(Problem::bad(format!("at most {MAX_COLUMNS} columns are shown")));
    }
    Ok(Some(columns))
}

/// How the name of a column of one label begins.
const LABEL: &str = "label:";

/// A device with the columns that are wanted.
fn item(device: Device, columns: Option<&[String]>) -> Value {
    let all = serde_json::json!(device);
    let Some(columns) = columns else { return all };
    let column = |name: &String| {
        let value = match name.strip_prefix(LABEL) {
            Some(key) => all.get("labels").and_then(|labels| labels.get(key)),
            None => all.get(name),
        };
        (name.clone(), value.cloned().unwrap_or_default())
    };
    Value::Object(columns.iter().map(column).collect::<Map<_, _>>())
}

/// What is counted, and how far.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Which devices. Default: all.
    filter: Option<String>,
    /// Where counting stops, 1 to 1000000. Default 10000.
    at_most: Option<u32>,
}

/// How many devices there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Count {
    devices: u32,
    /// Whether these are all; else counting stopped.
    complete: bool,
}

/// Counts devices, up to a limit.
#[utoipa::path(get, path = "/devices/count", operation_id = "count_devices", params(Counted), tag = "devices",
    responses((status = 200, body = Count), (status = 400, body = Problem)))]
pub async fn count(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Query(counted): Query<Counted>,
) -> Result<Json<Count>, Problem> {
    let at_most = counted.at_most.unwrap_or(COUNT);
    if !(1..=MAX_COUNT).contains(&at_most) {
        return Err(Problem::bad(format!("at_most is {at_most}, it has to be 1 to {MAX_COUNT}")));
    }
    let filter = narrowed(&context, &actor, counted.filter.as_deref())?;
    let devices = context.store.count(filter.as_ref(), at_most + 1, clock::now()).await?;
    Ok(Json(Count { devices: devices.min(at_most), complete: devices <= at_most }))
}

/// What is to be said about a device; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeviceChange)]
pub struct Change {
    /// A name for people, at most 200 characters.
    label: Option<String>,
    /// What is to know about it, at most 4096 characters.
    note: Option<String>,
    /// Labels to set, and with null to remove. Keys have 1 to 64 letters, digits, `.`, `_`, `-`; values at most 200 characters.
    #[serde(default)]
    labels: BTreeMap<String, Option<String>>,
}

/// Changes what people say about a device.
#[utoipa::path(patch, path = "/devices/{id}", operation_id = "annotate_device", params(("id" = String, Path)), request_body = Change,
    tag = "devices", responses((status = 200, body = Device), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn annotate(
    State(context): State<Arc<Context>>,
    operator: axum::Extension<Operator>,
    Path(id): Path<String>,
    Body(change): Body<Change>,
) -> Result<Json<Device>, Problem> {
    let id = device_id(&id)?;
    let annotation = Annotation { name: change.label, note: change.note, labels: change.labels };
    let annotation = checked(annotation).map_err(Problem::bad)?;
    let events = vec![devices::event(&id, "annotated", &operator)];
    let most = context.config.fleet.max_labels;
    if !context.store.annotate(&id, annotation, most, events, clock::now()).await? {
        return Err(devices::unknown(&id));
    }
    let found = context.store.fleet_device(&id).await?.ok_or_else(|| devices::unknown(&id))?;
    Ok(Json(Device::of_fleet(found)))
}

/// In which form devices are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// CSV as of RFC 4180, with a row of names first.
    #[default]
    Csv,
    /// A JSON object in each line.
    Json,
}

/// What is to be exported.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// Which devices. Default: all.
    filter: Option<String>,
    /// `csv` or `json`. Default: csv.
    #[serde(default)]
    #[param(inline)]
    format: Format,
    /// Columns, separated by commas; `label:KEY` is one label. Default: `id`, `label`, `note`, facts, and in CSV a column for each
    /// label that one of the first 500 devices has.
    columns: Option<String>,
}

/// Columns of an export beside labels; `id`, `label` and `note` come back in an import.
const EXPORT_COLUMNS: [&str; 16] = [
    "id",
    "label",
    "note",
    "manufacturer",
    "model",
    "firmware",
    "software",
    "hardware",
    "protocol",
    "enrolled",
    "last_contact",
    "state",
    "reach",
    "bearer",
    "ways",
    "open_commands",
];

/// Exports devices without their credentials, as a stream.
#[utoipa::path(get, path = "/devices/export", operation_id = "export_devices", params(Exported), tag = "devices",
    responses((status = 200, description = "A table", content((String = "text/csv"), (String = "application/x-ndjson"))),
    (status = 400, body = Problem)))]
pub async fn export(
    State(context): State<Arc<Context>>,
    actor: axum::Extension<Actor>,
    Query(exported): Query<Exported>,
) -> Result<Response, Problem> {
    let filter = narrowed(&context, &actor, exported.filter.as_deref())?;
    let columns = columns(exported.columns.as_deref())?;
    let first = context.store.fleet(filter.as_ref(), None, EXPORT_PAGE, clock::now()).await?;
    let columns = columns.unwrap_or_else(|| default_columns(&first, exported.format));
    let (format, media_type) = (exported.format, exported.format.media_type());
    let mut head = String::new();
    if format == Format::Csv {
        cells::write(columns.iter().map(String::as_str), &mut head);
    }
    let pages = Pages { context, filter, head, page: Some(first), format, columns };
    let stream = futures_util::stream::try_unfold(pages, |pages| async move { pages.next().await });
    let mut response = Response::new(Stream::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Json => "application/x-ndjson",
        }
    }
}

fn default_columns(first: &[FleetDevice], format: Format) -> Vec<String> {
    let columns = EXPORT_COLUMNS.into_iter().map(str::to_owned);
    if format == Format::Json {
        return columns.chain(["labels".to_owned()]).collect();
    }
    let keys: std::collections::BTreeSet<_> = first.iter().flat_map(|one| one.labels.keys()).collect();
    columns.chain(keys.into_iter().take(MAX_COLUMNS).map(|key| format!("{LABEL}{key}"))).collect()
}

/// An export on its way.
struct Pages {
    context: Arc<Context>,
    filter: Option<Filter>,
    /// Devices that are written next; none at the end.
    page: Option<Vec<FleetDevice>>,
    /// What stands before the first row.
    head: String,
    format: Format,
    columns: Vec<String>,
}

impl Pages {
    /// The next part of the table, and what comes after it.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, omadm_store::StoreError> {
        let Some(page) = self.page.take() else { return Ok(None) };
        let mut text = std::mem::take(&mut self.head);
        if let Some(last) = page.last().filter(|_| page.len() == EXPORT_PAGE as usize) {
            self.page = Some(self.after(&last.device.id).await?);
        }
        for one in page {
            self.row(one, &mut text);
        }
        Ok(Some((Bytes::from(text), self)))
    }

    async fn after(&self, id: &DeviceId) -> Result<Vec<FleetDevice>, omadm_store::StoreError> {
        self.context.store.fleet(self.filter.as_ref(), Some(id), EXPORT_PAGE, clock::now()).await
    }

    fn row(&self, one: FleetDevice, text: &mut String) {
        let item = item(Device::of_fleet(one), Some(&self.columns));
        if self.format == Format::Json {
            text.push_str(&item.to_string());
            text.push('\n');
            return;
        }
        let cells: Vec<String> = self.columns.iter().map(|name| cell(item.get(name))).collect();
        cells::write(cells.iter().map(String::as_str), text);
    }
}

/// A value as a cell: lists are separated by spaces, what is not known is empty.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| cell(Some(item))).collect();
            items.join(" ")
        }
        Some(other) => other.to_string(),
    }
}
