//! What is said once, at the top of the page that follows an action.

use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

use super::text;
use crate::operator::login;

/// The cookie that carries it from the action to the page.
const COOKIE: &str = "omadm_notice";
/// Most characters of a notice.
const MAX: usize = 300;

/// The notice that a request carries.
pub fn of(headers: &HeaderMap) -> Option<String> {
    let octets = URL_SAFE_NO_PAD.decode(login::cookie_named(headers, COOKIE)?).ok()?;
    let notice = String::from_utf8(octets).ok()?;
    (!notice.is_empty()).then(|| text::plain(&notice, MAX))
}

/// Leads to another page, which says so once.
pub fn redirect(to: &str, notice: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    add(response.headers_mut(), &text::plain(notice, MAX), 60);
    response
}

/// Takes the notice away, as it is shown.
pub fn clear(headers: &mut HeaderMap) {
    add(headers, "", 0);
}

fn add(headers: &mut HeaderMap, notice: &str, max_age: u32) {
    let value = URL_SAFE_NO_PAD.encode(notice);
    let cookie = format!("{COOKIE}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use http::header::COOKIE as SENT;

    use super::*;

    #[test]
    fn a_notice_comes_as_it_was_said() {
        let response = redirect("/x", "Queued “α”.");
        let cookie = response.headers()[SET_COOKIE].to_str().unwrap();
        let pair = cookie.split(';').next().unwrap();
        let headers = HeaderMap::from_iter([(SENT, pair.parse().unwrap())]);
        assert_eq!(of(&headers).as_deref(), Some("Queued “α”."));
        let other = HeaderMap::from_iter([(SENT, "omadm_notice=%%%".parse().unwrap())]);
        assert_eq!(of(&other), None);
    }
}
