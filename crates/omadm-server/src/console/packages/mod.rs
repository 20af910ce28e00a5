//! Packages: files of firmware and software for devices, stored, looked at, removed.

mod list;
mod show;
mod store;

use axum::Router;
use axum::routing::get;
use serde::Deserialize;

use super::Console;
use super::failure::Failure;
use super::visit::{Visit, path};

/// The pages of packages.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/packages", get(list::show))
        .route("/packages/new", get(store::show).post(store::store))
        .route("/packages/{id}", get(show::show))
        .route("/packages/{id}/remove", get(show::ask).post(show::remove))
}

/// A package.
#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    kind: String,
    model: Option<String>,
    content_type: String,
    size: i64,
    sha256: String,
    signature: Option<String>,
    signed_by: Option<String>,
    created: String,
    created_by: String,
    /// The version of a profile that asks for it, as `NAME@VERSION`.
    profile: Option<String>,
}

impl Package {
    fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// Reads a package.
async fn find(visit: &Visit, id: &str) -> Result<Package, Failure> {
    visit.read(&path(&["packages", id], &[])).await
}
