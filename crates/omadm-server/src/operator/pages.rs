//! Pages for the users of devices.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use omadm_store as store;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Listing;
use super::actor::Actor;
use super::events::{self, Between, Place, Sight};
use super::problem::{Body as Document, Path, Problem, Query};
use super::views;
use crate::clock::{self, rfc3339};
use crate::context::Context;
use crate::leaf::Body;
use crate::ui::{self, Page, is_name};

/// A page.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Page)]
pub struct View {
    name: String,
    stored: String,
    page: Page,
}

impl View {
    fn new(stored: store::Page) -> Result<Self, Problem> {
        let page = serde_json::from_str(&stored.text).map_err(|error| {
            Problem::conflict(format!(
                "the page {:?} cannot be read ({error}); another version of the server wrote it: put it again",
                stored.name
            ))
        })?;
        Ok(Self { name: stored.name, stored: rfc3339(stored.stored), page })
    }
}

/// Lists the pages by name.
#[utoipa::path(get, path = "/pages", params(Listing), tag = "pages",
    responses((status = 200, body = views::Page<View>), (status = 400, body = Problem)))]
pub async fn list(
    State(context): State<Arc<Context>>,
    Query(listing): Query<Listing>,
) -> Result<Json<views::Page<View>>, Problem> {
    let limit = listing.limit()?;
    let after = listing.after.unwrap_or_default();
    let pages = context.store.pages().await?;
    let pages = pages.into_iter().filter(|page| page.name > after).take(limit as usize + 1).collect();
    let views::Page { items, next } = views::Page::cut(pages, limit, |page| page.name.clone(), View::new);
    Ok(Json(views::Page { items: items.into_iter().collect::<Result<_, _>>()?, next }))
}

/// Shows a page.
#[utoipa::path(get, path = "/pages/{name}", params(("name" = String, Path)), tag = "pages",
    responses((status = 200, body = View), (status = 404, body = Problem)))]
pub async fn show(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<Json<View>, Problem> {
    Ok(Json(View::new(known(&context, &name).await?)?))
}

/// Keeps a page, in place of one of that name. What devices show already stays as it is.
#[utoipa::path(put, path = "/pages/{name}", params(("name" = String, Path)), request_body = Page, tag = "pages",
    responses((status = 200, body = View), (status = 400, body = Problem)))]
pub async fn put(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Document(page): Document<Page>,
) -> Result<Json<View>, Problem> {
    check_name(&name)?;
    ui::check(&page).map_err(Problem::of_faults)?;
    let stored = store::Page { name, text: serde_json::json!(page).to_string(), stored: clock::now() };
    context.store.put_page(stored.clone()).await?;
    Ok(Json(View::new(stored)?))
}

/// Removes a page. What devices show already stays as it is.
#[utoipa::path(delete, path = "/pages/{name}", params(("name" = String, Path)), tag = "pages",
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn remove(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    if context.store.remove_page(&name).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&name)) }
}

/// In which language a page is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// A language of the page, as a BCP 47 tag. Default its own.
    language: Option<String>,
}

/// A page as its user sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = PagePreview)]
pub struct Preview {
    /// The language that it is in.
    language: String,
    /// All languages in which it is there.
    languages: Vec<String>,
    /// The document that a browser gets.
    html: String,
}

impl Wanted {
    fn of(&self, page: &Page) -> String {
        let language = self.language.as_deref().and_then(|tag| page.language_for(tag));
        language.unwrap_or(&page.language).to_owned()
    }
}

impl Preview {
    fn new(page: &Page, language: String, html: String) -> Self {
        Self { language, languages: page.languages().map(str::to_owned).collect(), html }
    }
}

/// Shows a page as its user sees it.
#[utoipa::path(get, path = "/pages/{name}/preview", params(("name" = String, Path), Wanted), tag = "pages",
    responses((status = 200, body = Preview), (status = 404, body = Problem)))]
pub async fn preview(
    State(context): State<Arc<Context>>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Preview>, Problem> {
    let view = View::new(known(&context, &name).await?)?;
    let language = wanted.of(&view.page);
    let html = ui::preview(&view.page, &language);
    Ok(Json(Preview::new(&view.page, language, html)))
}

/// Shows a page that is not kept yet as its user would see it, but without links to other languages, which lead nowhere yet; or says what is
/// wrong with it.
#[utoipa::path(post, path = "/pages/{name}/preview", params(("name" = String, Path), Wanted), request_body = Page, tag = "pages",
    responses((status = 200, body = Preview), (status = 400, body = Problem)))]
pub async fn try_out(
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
    Document(page): Document<Page>,
) -> Result<Json<Preview>, Problem> {
    check_name(&name)?;
    ui::check(&page).map_err(Problem::of_faults)?;
    let language = wanted.of(&page);
    let html = ui::preview(&page.in_language(&language), &language);
    Ok(Json(Preview::new(&page, language, html)))
}

/// What a user has answered.
#[derive(Serialize, ToSchema)]
#[schema(as = PageAnswer)]
pub struct Answer {
    /// When.
    at: String,
    /// The device that showed the page.
    device: Option<String>,
    /// The command with which it was asked to.
    command: Value,
    /// What was answered: `seen`, `consent`, `choice` or `values`.
    answer: Value,
}

/// The body of an event `answer`.
#[derive(Deserialize)]
struct Answered {
    page: String,
    command: Value,
    answer: Value,
}

impl Answered {
    fn of(event: &store::Event) -> Option<Self> {
        serde_json::from_str(&event.event.body).ok()
    }
}

/// Lists what users have answered to a page, the newest first, as long as events are kept. A page of the listing may have few items or none and
/// still a `next`: then that much of the log was looked at.
#[utoipa::path(get, path = "/pages/{name}/answers", params(("name" = String, Path), Listing), tag = "pages",
    responses((status = 200, body = views::Page<Answer>), (status = 400, body = Problem)))]
pub async fn answers(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
    Path(name): Path<String>,
    Query(listing): Query<Listing>,
) -> Result<Json<views::Page<Answer>>, Problem> {
    let (limit, place) = (listing.limit()?, Place::before(listing.after.as_deref())?);
    let mut sight = Sight::new(&context, &actor, None, Some("answer")).await?;
    let is_of_page = |event: &store::Event| Answered::of(event).is_some_and(|answered| answered.page == name);
    let (events, next) = events::read(&context, &mut sight, (place, Between::ALL), limit, is_of_page).await?;
    let items = events.into_iter().filter_map(|event| {
        let Answered { command, answer, .. } = Answered::of(&event)?;
        let device = event.event.device.map(|device| device.as_str().to_owned());
        Some(Answer { at: rfc3339(event.at), device, command, answer })
    });
    Ok(Json(views::Page { items: items.collect(), next }))
}

/// A page as it goes with a command.
pub async fn payload(context: &Context, name: &str) -> Result<Body, Problem> {
    let page = known(context, name).await?;
    Ok(Body { content_type: "application/json".into(), octets: page.text.into_bytes() })
}

fn check_name(name: &str) -> Result<(), Problem> {
    match is_name(name) {
        true => Ok(()),
        false => Err(Problem::bad("the name of a page has 1 to 64 letters, digits, -, _ and .")),
    }
}

async fn known(context: &Context, name: &str) -> Result<store::Page, Problem> {
    context.store.page(name).await?.ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Problem {
    Problem::unknown(format!("there is no page {name:?}; `omadm page ls` shows those that are"))
}
