//! Files that forms bring (`multipart/form-data`, `RFC 7578`): the fields before a file are read, and the file is taken as it comes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{OptionalFromRequestParts, Request};
use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use omadm_codec::multipart::{Event, PartHead, Reader};
use omadm_codec::{Leniency, Limits, MediaType};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::failure::Failure;
use super::form::Form;
use crate::context::Context;
use crate::operator::problem::Problem;
use crate::patience::Patience;

/// The media type of forms with files.
const MEDIA_TYPE: &str = "multipart/form-data";
/// Longest fields before a file, all together, in octets.
const MAX_FIELDS: usize = 64 << 10;
/// Most fields and files of a form.
const MAX_PARTS: usize = 64;
/// Pieces of a file that wait to be taken.
const WAITING: usize = 8;
/// Octets of a file that nobody takes any more which are read all the same: a browser reads no answer before it has sent everything.
const MAX_UNREAD: usize = 64 << 20;

/// A file that a form brings; what stands after it in the form is passed over. Pages take `Option<Upload>`: none was chosen, or it is empty, or it was
/// lost while its sender logged in again.
pub struct Upload {
    /// The file, as it comes.
    pub body: Body,
}

/// The rest of a form, from its file on, until a page takes it.
#[derive(Clone)]
struct Held(Arc<Rest>);

struct Rest(Mutex<Option<Source>>);

impl Rest {
    fn take(&self) -> Option<Source> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Rest {
    /// What no page takes is read all the same: its sender has clicked twice, or has to log in again, and shall see what that is answered.
    fn drop(&mut self) {
        let (Some(source), Ok(runtime)) = (self.take(), Handle::try_current()) else { return };
        let (to, _) = mpsc::channel(1);
        runtime.spawn(source.give(to));
    }
}

/// Whether a request is a form that may bring a file.
pub fn is_one(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.get(..MEDIA_TYPE.len()).is_some_and(|start| start.eq_ignore_ascii_case(MEDIA_TYPE))
}

/// Reads the fields of a form up to its file.
///
/// # Errors
/// 400, 408 and 413 for what is no such form, comes too slowly, or has too much before its file.
pub async fn read(context: &Context, request: Request) -> Result<(Form, Request), Failure> {
    let (head, body) = request.into_parts();
    let mut source = Source::new(context, &head.headers, body)?;
    let mut request = Request::from_parts(head, Body::empty());
    let (mut form, mut name, mut value, mut length) = (Form::default(), String::new(), Vec::new(), 0_usize);
    loop {
        match source.next().await? {
            None => return Err(Problem::bad("the form broke off").into()),
            Some(Event::End) => return Ok((form, request)),
            // Browsers say of files alone what they are.
            Some(Event::Head(PartHead { content_type: Some(_), .. })) => {
                if source.has_content().await? {
                    request.extensions_mut().insert(Held(Arc::new(Rest(Mutex::new(Some(source))))));
                    return Ok((form, request));
                }
            }
            Some(Event::Head(head)) => name = head.name.unwrap_or_default(),
            Some(Event::Data(data)) => {
                length = length.saturating_add(data.len());
                if length > MAX_FIELDS {
                    let detail = format!("the fields before a file have at most {MAX_FIELDS} octets");
                    return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into());
                }
                value.extend(data);
            }
            Some(Event::EndOfPart) if name.is_empty() => value.clear(),
            Some(Event::EndOfPart) => {
                let text = String::from_utf8(std::mem::take(&mut value));
                let text = text.map_err(|_| Problem::bad(format!("the field {name:?} is no UTF-8")))?;
                form.0.push((std::mem::take(&mut name), text));
            }
        }
    }
}

/// A form on its way.
struct Source {
    body: Body,
    patience: Patience,
    reader: Reader,
    leniency: Leniency,
    found: VecDeque<Event>,
}

impl Source {
    fn new(context: &Context, headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let unreadable = |error: omadm_codec::DecodeError| Problem::bad(format!("the form: {error}"));
        let media_type = MediaType::parse(media_type).map_err(unreadable)?;
        let boundary = media_type.parameter("boundary").unwrap_or_default();
        // How long a file may be is for those to say who take it.
        let limits = Limits { bytes: usize::MAX, items: MAX_PARTS, ..Limits::default() };
        Ok(Self {
            body,
            patience: Patience::new(&context.config.operator),
            reader: Reader::new(boundary, limits).map_err(unreadable)?,
            leniency: Leniency::lenient(),
            found: VecDeque::new(),
        })
    }

    async fn next(&mut self) -> Result<Option<Event>, Problem> {
        loop {
            if let Some(event) = self.found.pop_front() {
                return Ok(Some(event));
            }
            let piece = self.patience.next(&mut self.body).await.map_err(|lost| {
                Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the form was not complete: {lost}"))
            })?;
            let Some(piece) = piece else { return Ok(None) };
            let mut found = Vec::new();
            let fed = self.reader.feed(&piece, &mut self.leniency, &mut found);
            fed.map_err(|error| Problem::bad(format!("the form: {error}")))?;
            self.found.extend(found);
        }
    }

    /// Whether anything stands in the part that has just begun: a field in which no file was chosen is sent without content.
    async fn has_content(&mut self) -> Result<bool, Problem> {
        let event = self.next().await?;
        let has_content = matches!(event, Some(Event::Data(_)));
        event.into_iter().for_each(|event| self.found.push_front(event));
        Ok(has_content)
    }

    /// Gives the file on, and reads the rest of the form.
    async fn give(mut self, to: mpsc::Sender<io::Result<Bytes>>) {
        let (mut to, mut unread) = (Some(to), 0_usize);
        while unread <= MAX_UNREAD {
            let failure = match self.next().await {
                Ok(Some(Event::Data(data))) => {
                    match to.as_ref().filter(|to| !to.is_closed()) {
                        Some(to) => drop(to.send(Ok(data.into())).await),
                        None => unread = unread.saturating_add(data.len()),
                    }
                    continue;
                }
                Ok(Some(Event::EndOfPart)) => {
                    to = None;
                    continue;
                }
                Ok(Some(Event::Head(_) | Event::End)) => continue,
                Ok(None) => "the file broke off".to_owned(),
                Err(problem) => problem.detail().to_owned(),
            };
            if let Some(to) = to {
                drop(to.send(Err(io::Error::other(failure))).await);
            }
            return;
        }
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Upload {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        let held = parts.extensions.remove::<Held>();
        let source = held.and_then(|held| held.0.take());
        Ok(source.map(|source| {
            let (to, pieces) = mpsc::channel(WAITING);
            tokio::spawn(source.give(to));
            let pieces = stream::unfold(pieces, |mut pieces| async move {
                pieces.recv().await.map(|piece| (piece, pieces))
            });
            Self { body: Body::from_stream(pieces) }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_with_files_are_told_by_their_media_type() {
        let of =
            |media_type: &str| is_one(&HeaderMap::from_iter([(CONTENT_TYPE, media_type.parse().unwrap())]));
        assert!(of("multipart/form-data; boundary=x") && of("Multipart/Form-Data;boundary=x"));
        assert!(
            !of("application/x-www-form-urlencoded") && !of("multipart/mixed") && !is_one(&HeaderMap::new())
        );
    }
}
