//! Every request has an identifier, figures, and words for the log, which are put together only when a line is written.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, Uri};
use tokio::task::JoinHandle;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::listener::Connection;
use crate::metrics::{Listener, Metrics};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest identifier that is taken over from an operator.
const MAX_GIVEN: usize = 128;

/// Tells requests of this run of the program from those of others.
static RUN: LazyLock<u64> = LazyLock::new(|| Uuid::new_v4().as_u64_pair().0);
static REQUESTS: AtomicU64 = AtomicU64::new(0);

tokio::task_local! {
    static IN_WORK: RequestInWork;
}

/// Identifies a request in the log.
#[derive(Clone, Debug)]
enum RequestId {
    /// The run of the program, and a number within it.
    Made(u64),
    /// As the operator's program calls it.
    Given(HeaderValue),
}

impl RequestId {
    fn next() -> Self {
        Self::Made(REQUESTS.fetch_add(1, Ordering::Relaxed))
    }

    /// What an operator calls the request, if that is a word that can stand in a log.
    fn given(request: &Request) -> Option<Self> {
        let value = request.headers().get(REQUEST_ID)?;
        let text = value.to_str().ok()?;
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.:/+=".contains(c);
        let is_word = (1..=MAX_GIVEN).contains(&text.len()) && text.chars().all(legal);
        is_word.then(|| Self::Given(value.clone()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(number) => write!(f, "{:016x}-{number}", *RUN),
            Self::Given(value) => f.write_str(value.to_str().unwrap_or_default()),
        }
    }
}

/// The request that a task works on, for the lines that it writes into the log.
#[derive(Clone, Debug)]
pub struct RequestInWork {
    id: RequestId,
    peer: Option<SocketAddr>,
    method: Method,
    uri: Uri,
}

impl RequestInWork {
    /// Gives `look` the request that this task works on, if it works on one.
    pub fn look<T>(look: impl FnOnce(&Self) -> T) -> Option<T> {
        IN_WORK.try_with(look).ok()
    }

    /// Identifier; it is also in `X-Request-Id` of the answer.
    #[must_use]
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// Who asks.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// Path. The query is left out: it may hold what is nobody's business.
    #[must_use]
    pub fn path(&self) -> &str {
        shown(self.uri.path())
    }
}

/// Begins work of the request that this task works on, in a task of its own: it goes on to its end when who asked has gone.
pub fn begin<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let work = work.in_current_span();
    match RequestInWork::look(RequestInWork::clone) {
        Some(request) => tokio::spawn(IN_WORK.scope(request, work)),
        None => tokio::spawn(work),
    }
}

/// The path for the log. What follows `/ui/` opens the page of a user to everyone who has it.
fn shown(path: &str) -> &str {
    if path.starts_with("/ui/") { "/ui/…" } else { path }
}

/// A listener whose requests are counted.
#[derive(Clone)]
pub struct Watched {
    /// Which one.
    pub listener: Listener,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
}

/// Counts a request, logs a line, and names its identifier: always to operators and other servers, and to devices when something is wrong.
pub async fn log(State(watched): State<Watched>, request: Request, next: Next) -> Response {
    let Watched { listener, metrics } = watched;
    let given = if listener == Listener::Operator { RequestId::given(&request) } else { None };
    let id = given.unwrap_or_else(RequestId::next);
    let in_work = RequestInWork {
        id: id.clone(),
        peer: request.extensions().get::<Arc<Connection>>().map(|connection| connection.peer),
        method: request.method().clone(),
        uri: request.uri().clone(),
    };
    // For those who follow single requests; nothing of it is formatted at the usual level.
    let span = tracing::debug_span!("request", %id, peer = in_work.peer.map(tracing::field::display),
        method = %in_work.method, path = in_work.path());
    let began = Instant::now();
    let work = async {
        let response = next.run(request).await;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(status = response.status().as_u16(), micros, "answered");
        response
    };
    let mut response = IN_WORK.scope(in_work, work.instrument(span)).await;
    let status = response.status();
    metrics.answered(listener, status.as_u16(), began);
    if listener != Listener::Device || status.is_client_error() || status.is_server_error() {
        name(&id, &mut response);
    }
    response
}

/// So that a complaint finds its lines in the log.
fn name(id: &RequestId, response: &mut Response) {
    let value = match id {
        RequestId::Given(value) => Some(value.clone()),
        RequestId::Made(_) => HeaderValue::from_str(&id.to_string()).ok(),
    };
    response.headers_mut().extend(value.map(|value| (REQUEST_ID, value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_page_is_not_shown() {
        for (path, expected) in
            [("/ui/secret", "/ui/…"), ("/ui/", "/ui/…"), ("/uis", "/uis"), ("/dm/2.0", "/dm/2.0")]
        {
            assert_eq!(shown(path), expected);
        }
    }

    #[test]
    fn words_of_operators_are_taken_over_and_nothing_else() {
        let given = |text: &str| {
            let request =
                Request::builder().header(REQUEST_ID, text).body(axum::body::Body::empty()).unwrap();
            RequestId::given(&request).map(|id| id.to_string())
        };
        let longest = "x".repeat(MAX_GIVEN);
        for good in ["1", "4bf92f35-77b3/00:a_b.c+=", &longest] {
            assert_eq!(given(good).as_deref(), Some(good));
        }
        for bad in ["", "two words", "a\"b", "a\tb", "ü", &format!("{longest}x")] {
            assert_eq!(given(bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_task_knows_its_request() {
        assert!(RequestInWork::look(RequestInWork::id).is_none());
        let in_work = RequestInWork {
            id: RequestId::Given(HeaderValue::from_static("abc")),
            peer: None,
            method: Method::GET,
            uri: Uri::from_static("/ui/secret?x=1"),
        };
        let look = async { RequestInWork::look(|request| (request.id(), request.path().to_owned())) };
        let expected = Some(("abc".to_owned(), "/ui/…".to_owned()));
        assert_eq!(IN_WORK.scope(in_work.clone(), look).await, expected);
        let in_a_task = async { begin(async { RequestInWork::look(RequestInWork::id) }).await.unwrap() };
        assert_eq!(IN_WORK.scope(in_work, in_a_task).await.as_deref(), Some("abc"));
    }
}
