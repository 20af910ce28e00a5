//! People and programs: users, tokens, and one's own account.

mod data;
mod groups;
mod me;
mod tokens;
mod user;
mod users;

use axum::Router;
use axum::routing::{get, post};

use super::Console;

/// Their pages.
pub fn router() -> Router<Console> {
    Router::new()
        .route("/users", get(users::show).post(users::add))
        .route("/new-user", get(users::new))
        .route("/users/{name}", get(user::show))
        .route("/users/{name}/rights", post(user::change))
        .route("/users/{name}/password", post(user::set_password))
        .route("/users/{name}/remove", get(user::ask).post(user::remove))
        .route("/tokens", get(tokens::show).post(tokens::make))
        .route("/new-token", get(tokens::new))
        .route("/tokens/{name}/revoke", get(tokens::ask).post(tokens::revoke))
        .route("/me", get(me::show))
        .route("/me/password", post(me::change_password))
}
