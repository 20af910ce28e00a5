//! Answers what the script says, in order, and writes down what it hears.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use openssl::ssl::{Ssl, SslAcceptor};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_openssl::SslStream;

/// A request as it was heard.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
    pub fn alert_types(&self) -> Vec<String> {
        let alerts = self.json();
        let alerts = alerts["Alert"].as_array().into_iter().flatten();
        alerts.map(|alert| alert["AlertType"].as_str().unwrap().to_owned()).collect()
    }
    pub fn statuses(&self) -> Vec<u64> {
        let package = self.json();
        let statuses = package["Status"].as_array().unwrap();
        statuses.iter().map(|status| status["sc"].as_u64().unwrap()).collect()
    }
}

#[derive(Clone, Debug)]
pub enum Answer {
    Send {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    Silence,
    /// The connection ends without an answer.
    HangUp,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self::Send { status, headers: Vec::new(), body: Vec::new() }
    }
    /// A Package#2.
    pub fn commands(commands: &serde_json::Value) -> Self {
        let body = serde_json::json!({ "CMD": commands }).to_string().into_bytes();
        Self::status(200).with("content-type", "application/vnd.oma.dm.request+json").body(body)
    }
    pub fn end() -> Self {
        Self::commands(&serde_json::json!([["END"]]))
    }
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).with("location", location)
    }
    pub fn challenge() -> Self {
        Self::status(401).with("www-authenticate", "Digest realm=\"x\", Basic realm=\"omadm\"")
    }
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Send { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
    /// The octets of its body; none of what is no answer.
    pub fn body_octets(&self) -> &[u8] {
        match self {
            Self::Send { body, .. } => body,
            Self::Silence | Self::HangUp => &[],
        }
    }
    pub fn body(mut self, content: impl Into<Vec<u8>>) -> Self {
        if let Self::Send { body, .. } = &mut self {
            *body = content.into();
        }
        self
    }
}

/// Answers what no script is left for.
type Brain = Box<dyn FnMut(&Seen) -> Answer + Send>;

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    answers: VecDeque<Answer>,
    brain: Option<Brain>,
}

/// A server on a port of 127.0.0.1 until it is dropped.
pub struct Server {
    pub port: u16,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(acceptor: Option<SslAcceptor>) -> Self {
        Self::start_at("127.0.0.1:0", acceptor).await
    }

    pub async fn start_at(address: &str, acceptor: Option<SslAcceptor>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let state = Arc::new(Mutex::new(State::default()));
        let task = tokio::spawn(accept(listener, acceptor, state.clone()));
        Self { port, scheme, state, task }
    }

    /// An address on this server, by the name `localhost`.
    pub fn at(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.port)
    }

    /// The same place under a name of another authority.
    pub fn elsewhere(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// Who answers when nothing is left of the script.
    pub fn think(&self, brain: impl FnMut(&Seen) -> Answer + Send + 'static) {
        self.state.lock().unwrap().brain = Some(Box::new(brain));
    }

    /// What to answer next, in order; 404 when nothing is left.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// Forgets what is left of the script.
    pub fn unscript(&self) {
        self.state.lock().unwrap().answers.clear();
    }

    /// What was heard since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.lock().unwrap().seen)
    }

    /// How much was heard since the last call of [`Server::seen`].
    pub fn heard(&self) -> usize {
        self.state.lock().unwrap().seen.len()
    }

    /// The one thing that was heard.
    pub fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.remove(0)
    }
}

async fn accept(listener: TcpListener, acceptor: Option<SslAcceptor>, state: Arc<Mutex<State>>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (acceptor, state) = (acceptor.clone(), state.clone());
        tokio::spawn(async move {
            let Some(acceptor) = acceptor else { return serve(tcp, state).await };
            let mut tls = SslStream::new(Ssl::new(acceptor.context()).unwrap(), tcp).unwrap();
            if std::pin::Pin::new(&mut tls).accept().await.is_ok() {
                serve(tls, state).await;
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<Mutex<State>>) {
    let service = service_fn(move |request| answer(request, state.clone()));
    // A client that goes away is none of the server's business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let seen = Seen { method: head.method, uri: head.uri, headers: head.headers, body };
    let next = {
        let mut state = state.lock().unwrap();
        let State { answers, brain, .. } = &mut *state;
        let thought = || brain.as_mut().map_or_else(|| Answer::status(404), |brain| brain(&seen));
        let next = answers.pop_front().unwrap_or_else(thought);
        state.seen.push(seen);
        next
    };
    let (status, headers, body) = match next {
        Answer::Send { status, headers, body } => (status, headers, body),
        Answer::Silence => return std::future::pending().await,
        Answer::HangUp => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(body.into())).unwrap())
}
