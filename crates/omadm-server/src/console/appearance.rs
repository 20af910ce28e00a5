//! Light or dark, as the system has it or as somebody wants it.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::HeaderMap;
use http::HeaderValue;
use http::header::SET_COOKIE;

use super::failure::Failure;
use super::form::Form;
use super::gate::is_place;
use crate::operator::login;

/// The cookie that keeps the choice, for a year.
const COOKIE: &str = "omadm_theme";

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The name in the page and in the cookie.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What a browser was told to keep.
    pub fn of(headers: &HeaderMap) -> Self {
        login::cookie_named(headers, COOKIE).and_then(Self::parse).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == text)
    }
}

/// Keeps a choice in the browser, and goes back to where it was made.
pub async fn choose(form: Form) -> Result<Response, Failure> {
    let theme = form.get("theme").and_then(Theme::parse).unwrap_or_default();
    let place = form.get("place").filter(|place| is_place(place)).unwrap_or("/");
    let mut response = Redirect::to(place).into_response();
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict", theme.as_str());
    response.headers_mut().extend(HeaderValue::from_str(&cookie).map(|cookie| (SET_COOKIE, cookie)).ok());
    Ok(response)
}
