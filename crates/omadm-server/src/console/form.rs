//! Forms: what was typed, and the marks by which it is known that a page of this session sent it, and that it is sent once.

use axum::extract::{FromRequest as _, FromRequestParts, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use http::request::Parts;
use maud::{Markup, html};
use omadm_auth::Secret;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::failure::Failure;
use crate::operator::problem::Problem;

/// The field that only pages of this session can fill.
pub const MARK: &str = "_mark";
/// The field that tells one form from another.
pub const ONCE: &str = "_once";
/// Most fields of a form.
const MAX_FIELDS: usize = 2_000;

/// The fields of a form, in their order.
#[derive(Clone, Debug, Default)]
pub struct Form(pub Vec<(String, String)>);

impl Form {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 or 415 if it is no form.
    pub async fn read(request: Request) -> Result<Self, Problem> {
        let fields = axum::extract::Form::<Vec<(String, String)>>::from_request(request, &()).await;
        let axum::extract::Form(fields) =
            fields.map_err(|rejection| Problem::new(rejection.status(), rejection.body_text()))?;
        match fields.len() {
            0..=MAX_FIELDS => Ok(Self(fields)),
            _ => Err(Problem::bad(format!("a form has at most {MAX_FIELDS} fields"))),
        }
    }

    /// The first field of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// A field of a name, without what stands around it; none if it is empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// All fields of a name, such as boxes that were ticked.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// What somebody typed: without the marks.
    pub fn typed(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter().filter(|(name, _)| !name.starts_with('_'))
    }

    /// Without passwords: they are not kept for who has to log in first.
    pub fn without_passwords(&self) -> Self {
        Self(self.0.iter().filter(|(name, _)| !name.ends_with("password")).cloned().collect())
    }

    /// As it is sent.
    pub fn encode(&self) -> String {
        let part = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let pairs: Vec<String> =
            self.typed().map(|(name, value)| format!("{}={}", part(name), part(value))).collect();
        pairs.join("&")
    }

    /// What tells it from other forms, whatever its marks: where it was sent to, and what was typed.
    pub fn digest(&self, place: &str) -> String {
        let mut digest = Sha256::new();
        digest.update(place);
        digest.update([0]);
        digest.update(self.encode());
        URL_SAFE_NO_PAD.encode(digest.finalize())
    }
}

impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let read = parts.extensions.remove::<Self>();
        read.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "a form is missing").into())
    }
}

/// The mark of a session: nobody else can make it.
pub fn mark(session: &Secret) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(session.expose()) else { return String::new() };
    mac.update(b"omadm console form");
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// Whether a form carries the mark of a session.
pub fn is_marked(form: &Form, session: &Secret) -> bool {
    let given = form.get(MARK).and_then(|mark| URL_SAFE_NO_PAD.decode(mark).ok());
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(session.expose()) else { return false };
    mac.update(b"omadm console form");
    given.is_some_and(|given| mac.verify_slice(&given).is_ok())
}

/// The hidden fields of a form.
pub fn marks(mark: &str) -> Markup {
    html! {
        input type="hidden" name=(MARK) value=(mark);
        input type="hidden" name=(ONCE) value=(Uuid::new_v4());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_of_one_session() {
        let (one, other) = (Secret::new(b"one".to_vec()), Secret::new(b"other".to_vec()));
        let form = Form(vec![(MARK.into(), mark(&one)), ("a".into(), "1".into())]);
        assert!(is_marked(&form, &one) && !is_marked(&form, &other));
        for wrong in ["", "AAAA", "%"] {
            assert!(!is_marked(&Form(vec![(MARK.into(), wrong.into())]), &one));
        }
        assert!(!is_marked(&Form::default(), &one));
    }

    #[test]
    fn what_was_typed_comes_back_without_marks() {
        let fields = [("a", "1 & 2"), (MARK, "x"), (ONCE, "y"), ("b", "ü"), ("a", "")];
        let form = Form(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        assert_eq!(form.encode(), "a=1%20%26%202&b=%C3%BC&a=");
        assert_eq!((form.get("a"), form.all("a").count(), form.filled("c")), (Some("1 & 2"), 2, None));
        let password = Form(vec![("old_password".into(), "p".into()), ("a".into(), "1".into())]);
        assert_eq!(password.without_passwords().encode(), "a=1");
        let unmarked = Form(form.typed().cloned().collect());
        assert_eq!(form.digest("/x"), unmarked.digest("/x"));
        assert_ne!(form.digest("/x"), form.digest("/y"));
    }
}
