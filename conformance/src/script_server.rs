//! An independent DM server and Data Repository: says what its script says, and writes down what it hears.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use http::Method;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use openssl::ssl::{Ssl, SslAcceptor, SslAcceptorBuilder};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_openssl::SslStream;

use crate::package::{Package1, Package3, Schema};
use crate::tls::Authority;
use crate::wire::Request;

/// Path of the DM endpoint of the account.
const DM_PATH: &str = "/dm/2.0";

/// What is answered to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    ending: Ending,
}

#[derive(Clone, Debug)]
enum Ending {
    Send,
    /// The request is taken and never answered.
    Silence,
    /// Answered when the test says so.
    Held(Arc<Notify>),
}

impl Answer {
    /// An answer with this status and no body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), ending: Ending::Send }
    }

    /// 200 with a body of this type.
    #[must_use]
    pub fn body(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut answer = Self::status(200).with("content-type", content_type);
        answer.body = body.into();
        answer
    }

    /// A Package#2 with these commands, an array of arrays; valid by the schema.
    #[must_use]
    pub fn commands(commands: &Value) -> Self {
        let package = json!({ "CMD": commands });
        Schema::Package2.check(&package);
        Self::package2(&package)
    }

    /// A Package#2 that is whatever the test says.
    #[must_use]
    pub fn package2(package: &Value) -> Self {
        Self::body("application/vnd.oma.dm.request+json", package.to_string())
    }

    /// 200 with `application/dmmo+json`.
    #[must_use]
    pub fn mo_data(data: &Value) -> Self {
        Self::body("application/dmmo+json", data.to_string())
    }

    /// The same with a header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes the request and never answers.
    #[must_use]
    pub fn silence() -> Self {
        Self { ending: Ending::Silence, ..Self::status(200) }
    }

    /// The same, but not before `release` is notified.
    #[must_use]
    pub fn held(self, release: &Arc<Notify>) -> Self {
        Self { ending: Ending::Held(release.clone()), ..self }
    }
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    packages: VecDeque<Answer>,
    routes: BTreeMap<(String, String), Answer>,
    /// Answers that are given once, before those of `routes`.
    next: BTreeMap<(String, String), VecDeque<Answer>>,
}

/// An independent DM server and Data Repository on a real socket.
pub struct ScriptServer {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
    heard: Arc<Notify>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for ScriptServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl ScriptServer {
    /// Starts one that speaks TLS with the certificate of `authority`.
    pub async fn https(authority: &Authority) -> Self {
        Self::https_with(authority, |_| {}).await
    }

    /// The same with changes to the TLS settings.
    pub async fn https_with(authority: &Authority, change: impl FnOnce(&mut SslAcceptorBuilder)) -> Self {
        Self::start(Some(authority.acceptor(change))).await
    }

    /// Starts one that speaks plain HTTP.
    pub async fn http() -> Self {
        Self::start(None).await
    }

    async fn start(acceptor: Option<SslAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let state = Arc::new(Mutex::new(State::default()));
        let heard = Arc::new(Notify::new());
        let accepting = tokio::spawn(accept(listener, acceptor, state.clone(), heard.clone()));
        Self { address, scheme, state, heard, accepting }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with the lock")
    }

    /// The URI of a path on this server.
    #[must_use]
    pub fn uri(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.address.port())
    }

    /// SrvURI for the account of a device.
    #[must_use]
    pub fn dm_uri(&self) -> String {
        self.uri(DM_PATH)
    }

    /// Adds a Package#2 to the script: the answer to the next POST of a package, whatever its path. When the script is over,
    /// END is answered.
    pub fn say(&self, answer: Answer) {
        self.state().packages.push_back(answer);
    }

    /// What GET, PUT or POST of data on a path is answered from now on. Other paths get 404.
    pub fn route(&self, method: &Method, path: &str, answer: Answer) {
        self.state().routes.insert((method.to_string(), path.to_owned()), answer);
    }

    /// What the next GET, PUT or POST of data on a path is answered, whatever is routed; called again, the one after it.
    pub fn route_once(&self, method: &Method, path: &str, answer: Answer) {
        self.state().next.entry((method.to_string(), path.to_owned())).or_default().push_back(answer);
    }

    /// Serves MO data and gives its URI.
    pub fn serve(&self, path: &str, data: &Value) -> String {
        self.route(&Method::GET, path, Answer::mo_data(data));
        self.uri(path)
    }

    /// Takes PUT and POST on a path with 200 and gives its URI.
    pub fn take(&self, path: &str) -> String {
        self.route(&Method::PUT, path, Answer::status(200));
        self.route(&Method::POST, path, Answer::status(200));
        self.uri(path)
    }

    /// Everything received so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// Waits until `count` requests are received.
    pub async fn wait_for(&self, count: usize) {
        loop {
            let heard = self.heard.notified();
            tokio::pin!(heard);
            // Registered before the look, so that no notification falls between the two.
            heard.as_mut().enable();
            if self.state().requests.len() >= count {
                return;
            }
            heard.await;
        }
    }

    /// The requests that carried packages.
    #[must_use]
    pub fn package_requests(&self) -> Vec<Request> {
        self.requests().into_iter().filter(is_package).collect()
    }

    /// The requests that carried or asked for data.
    #[must_use]
    pub fn data_requests(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|request| !is_package(request)).collect()
    }

    /// The Package#1 at `index` among those received.
    pub fn package1(&self, index: usize) -> Package1 {
        let mut all = self.package_requests().into_iter().filter(is_initiation);
        Package1::read(all.nth(index).expect("so many Package#1 were received"))
    }

    /// Every Package#3 received.
    #[must_use]
    pub fn packages3(&self) -> Vec<Package3> {
        self.package_requests()
            .into_iter()
            .filter(|request| !is_initiation(request))
            .map(Package3::read)
            .collect()
    }
}

fn content_type(request: &Request) -> &str {
    request.header("content-type").unwrap_or_default()
}

fn is_initiation(request: &Request) -> bool {
    content_type(request).starts_with("application/vnd.oma.dm.initiation+json")
}

fn is_package(request: &Request) -> bool {
    let response = ["application/vnd.oma.dm.response+json", "multipart/form-data"];
    request.method == Method::POST
        && (is_initiation(request) || response.iter().any(|kind| content_type(request).starts_with(kind)))
}

async fn accept(
    listener: TcpListener,
    tls: Option<SslAcceptor>,
    state: Arc<Mutex<State>>,
    heard: Arc<Notify>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, state, heard) = (tls.clone(), state.clone(), heard.clone());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, false, state, heard).await,
                Some(acceptor) => {
                    if let Some(stream) = handshake(&acceptor, stream).await {
                        serve(stream, true, state, heard).await;
                    }
                }
            }
        });
    }
}

/// A failed handshake is the client's matter; it is the test that looks at what the client then does.
async fn handshake(acceptor: &SslAcceptor, stream: TcpStream) -> Option<SslStream<TcpStream>> {
    let ssl = Ssl::new(acceptor.context()).ok()?;
    let mut stream = SslStream::new(ssl, stream).ok()?;
    Pin::new(&mut stream).accept().await.ok()?;
    Some(stream)
}

async fn serve<S>(stream: S, tls: bool, state: Arc<Mutex<State>>, heard: Arc<Notify>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (state, heard) = (state.clone(), heard.clone());
        async move { Ok::<_, Infallible>(respond(request, tls, &state, &heard).await) }
    });
    // A client that goes away in the middle is part of what is tested.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    request: hyper::Request<Incoming>,
    tls: bool,
    state: &Mutex<State>,
    heard: &Notify,
) -> hyper::Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let target = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let request = Request { method: head.method, target, headers: head.headers, body, tls };
    let answer = {
        let mut state = state.lock().expect("no test panics with the lock");
        let answer = if is_package(&request) {
            state.packages.pop_front().unwrap_or_else(|| Answer::commands(&json!([["END"]])))
        } else {
            let route = (request.method.to_string(), request.target.clone());
            let once = state.next.get_mut(&route).and_then(VecDeque::pop_front);
            once.or_else(|| state.routes.get(&route).cloned()).unwrap_or_else(|| Answer::status(404))
        };
        state.requests.push(request);
        answer
    };
    heard.notify_waiters();
    match &answer.ending {
        Ending::Send => {}
        Ending::Silence => pending().await,
        Ending::Held(release) => release.notified().await,
    }
    let mut response = hyper::Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(answer.body))).expect("the script holds legal headers")
}
