//! A form takes effect once, however often it is sent: who clicks twice gets the answer to the first click.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use maud::html;
use tokio::sync::Mutex as Waiting;

use super::frame::Page;

/// Put into the extensions of an answer to a form that has changed nothing, such as an editor with another row or a preview: the same form can be
/// sent again, and is then looked at again.
#[derive(Clone, Copy)]
pub struct Draft;

/// Forms of which it is known that they were sent; the oldest are forgotten.
const MAX_KEPT: usize = 2_000;
/// How long a page with secrets is kept for who has clicked twice.
const MOMENT: Duration = Duration::from_secs(60);

/// What the first sending of a form was answered, if it was done; who sends it again meanwhile waits.
type Answer = Arc<Waiting<Option<Done>>>;

/// The answer to a form that was done.
struct Done {
    status: StatusCode,
    headers: HeaderMap,
    page: Option<Page>,
}

impl Done {
    fn answer(&self) -> Response {
        let mut response = self.page.clone().map_or_else(Response::default, IntoResponse::into_response);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// The forms that were sent to this process.
#[derive(Default)]
pub struct Sent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    answers: HashMap<String, Answer>,
    order: VecDeque<String>,
}

impl Sent {
    /// Does what a form asks for, unless it was done. A form that was refused can be sent again.
    pub async fn once(&self, form: String, doing: impl Future<Output = Response>) -> Response {
        let kept = self.answer(form);
        let mut answer = kept.lock().await;
        if let Some(done) = answer.as_ref() {
            return done.answer();
        }
        let response = doing.await;
        if response.extensions().get::<Draft>().is_some() {
            return response;
        }
        if response.status().is_redirection() || response.status().is_success() {
            let page = response.extensions().get::<Page>().cloned();
            if page.as_ref().is_some_and(|page| page.is_secret) {
                tokio::spawn(withdraw(kept.clone(), MOMENT));
            }
            *answer = Some(Done { status: response.status(), headers: response.headers().clone(), page });
        }
        response
    }

    fn answer(&self, form: String) -> Answer {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(answer) = kept.answers.get(&form) {
            return answer.clone();
        }
        if kept.order.len() >= MAX_KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.answers.remove(&oldest);
        }
        let answer = Answer::default();
        kept.order.push_back(form.clone());
        kept.answers.insert(form, answer.clone());
        answer
    }
}

/// Keeps a page with secrets no longer than this.
async fn withdraw(answer: Answer, after: Duration) {
    tokio::time::sleep(after).await;
    if let Some(done) = answer.lock().await.as_mut() {
        let body = html! { div.card { p { "This was done when you sent it first. What the page said then is shown once, and kept nowhere." } } };
        done.page = Some(Page::new("Done before", body));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::response::Redirect;

    use super::*;

    #[tokio::test]
    async fn what_is_sent_twice_is_done_once() {
        let (sent, done) = (Sent::default(), AtomicU32::new(0));
        let act = || async {
            done.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Redirect::to("/x").into_response()
        };
        let (one, two) = tokio::join!(sent.once("a".into(), act()), sent.once("a".into(), act()));
        assert_eq!((done.load(Ordering::Relaxed), one.status()), (1, two.status()));
        assert_eq!(one.headers(), two.headers());
        sent.once("b".into(), act()).await;
        assert_eq!(done.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn what_was_refused_can_be_sent_again() {
        let sent = Sent::default();
        let refused = sent.once("a".into(), async { StatusCode::BAD_REQUEST.into_response() }).await;
        let done = sent.once("a".into(), async { Redirect::to("/x").into_response() }).await;
        assert_eq!((refused.status(), done.status()), (StatusCode::BAD_REQUEST, StatusCode::SEE_OTHER));
    }

    #[tokio::test]
    async fn a_draft_can_be_sent_again() {
        let (sent, done) = (Sent::default(), AtomicU32::new(0));
        let act = || async {
            done.fetch_add(1, Ordering::Relaxed);
            (axum::Extension(Draft), StatusCode::OK).into_response()
        };
        sent.once("a".into(), act()).await;
        sent.once("a".into(), act()).await;
        assert_eq!(done.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn secrets_are_shown_for_a_moment_only() {
        let sent = Sent::default();
        let made = || async { Page::new("Made", html! { "secret" }).secret().into_response() };
        let again = async || {
            let answer = sent.once("a".into(), made()).await;
            answer.extensions().get::<Page>().and_then(|page| page.body.clone()).unwrap().into_string()
        };
        assert_eq!((again().await, again().await), ("secret".to_owned(), "secret".to_owned()));
        withdraw(sent.answer("a".into()), Duration::ZERO).await;
        assert!(again().await.contains("kept nowhere"), "and it is not done again");
    }

    #[tokio::test]
    async fn the_oldest_are_forgotten() {
        let sent = Sent::default();
        for form in 0..MAX_KEPT + 10 {
            sent.once(form.to_string(), async { Redirect::to("/x").into_response() }).await;
        }
        assert_eq!(sent.0.lock().unwrap().answers.len(), MAX_KEPT);
    }
}
