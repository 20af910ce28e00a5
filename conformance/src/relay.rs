//! A server between the agent and the server under test: it writes down what comes, and answers instead where the script says so.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use openssl::ssl::{Ssl, SslAcceptorBuilder};
use tokio::net::TcpListener;
use tokio_openssl::SslStream;

use crate::script_device::ScriptDevice;
use crate::server::TestServer;
use crate::tls::Authority;
use crate::wire::{Reply, Request};

/// Headers that are not passed on: those of a connection, and credentials, which are for the relay.
const OF_THE_CONNECTION: [&str; 5] =
    ["host", "content-length", "transfer-encoding", "connection", "authorization"];

/// What becomes of one request.
pub enum Turn {
    /// It is answered so, and the server under test does not hear of it.
    Instead(u16, Vec<(&'static str, String)>),
    /// The answer of the server under test gets these headers more.
    With(Vec<(&'static str, String)>),
    /// An octet of the answer's body is changed.
    Spoilt,
}

#[derive(Default)]
struct Script {
    turns: VecDeque<Turn>,
    heard: Vec<Request>,
    said: Vec<Reply>,
}

/// A server between, with TLS of its own.
pub struct Relay {
    authority: Authority,
    port: u16,
    script: Arc<Mutex<Script>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

impl Relay {
    /// Before the server under test.
    pub async fn before(server: &TestServer) -> Self {
        Self::with_tls(server, |_| {}).await
    }

    /// The same with changes to its TLS settings.
    pub async fn with_tls(server: &TestServer, change: impl FnOnce(&mut SslAcceptorBuilder)) -> Self {
        let authority = Authority::new();
        let acceptor = authority.acceptor(change);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let script = Arc::new(Mutex::new(Script::default()));
        let (behind, ca_file) = (server.device_address(), server.ca_file());
        let shared = script.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let ssl = Ssl::new(acceptor.context()).expect("TLS settings");
                let mut stream = SslStream::new(ssl, tcp).expect("TLS");
                let (script, ca_file) = (shared.clone(), ca_file.clone());
                tokio::spawn(async move {
                    if Pin::new(&mut stream).accept().await.is_err() {
                        return;
                    }
                    let service = service_fn(move |request| {
                        let (script, ca_file) = (script.clone(), ca_file.clone());
                        async move { Ok::<_, Infallible>(relay(request, &script, behind, ca_file).await) }
                    });
                    // A client that goes away in the middle is part of what is tested.
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { authority, port, script, accepting }
    }

    /// The URI of a path.
    #[must_use]
    pub fn uri(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// The authority that devices have to trust, PEM.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.authority.ca_file()
    }

    /// What becomes of the next requests; those after them are passed on.
    pub fn script(&self, turns: impl IntoIterator<Item = Turn>) {
        self.script.lock().expect("no test panics with the lock").turns.extend(turns);
    }

    /// The requests since the last call.
    pub fn heard(&self) -> Vec<Request> {
        std::mem::take(&mut self.script.lock().expect("no test panics with the lock").heard)
    }

    /// What the server under test answered since the last call.
    pub fn said(&self) -> Vec<Reply> {
        std::mem::take(&mut self.script.lock().expect("no test panics with the lock").said)
    }
}

async fn relay(
    request: hyper::Request<Incoming>,
    script: &Mutex<Script>,
    behind: SocketAddr,
    ca_file: PathBuf,
) -> hyper::Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
    let target = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let request = Request { method: head.method, target, headers: head.headers, body, tls: true };
    let turn = {
        let mut script = script.lock().expect("no test panics with the lock");
        script.heard.push(request.clone());
        script.turns.pop_front()
    };
    let (further, spoilt) = match turn {
        Some(Turn::Instead(status, headers)) => {
            let empty = Full::new(Bytes::new()).boxed();
            return response(status, headers.iter().map(|(name, value)| (*name, value.as_str())), empty);
        }
        Some(Turn::With(headers)) => (headers, false),
        Some(Turn::Spoilt) => (Vec::new(), true),
        None => (Vec::new(), false),
    };
    let mut reply = pass_on(&request, behind, ca_file).await;
    script.lock().expect("no test panics with the lock").said.push(reply.clone());
    if let Some(octet) = reply.body.last_mut().filter(|_| spoilt) {
        *octet ^= 1;
    }
    let headers = reply.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII")));
    let headers = headers.filter(|(name, _)| !OF_THE_CONNECTION.contains(name));
    let headers = headers.chain(further.iter().map(|(name, value)| (*name, value.as_str())));
    // In pieces of unknown number, so that it goes in chunks.
    let pieces: Vec<_> = reply.body.chunks(64).map(Bytes::copy_from_slice).collect();
    response(reply.status, headers, Pieces(pieces.into_iter()).boxed())
}

async fn pass_on(request: &Request, behind: SocketAddr, ca_file: PathBuf) -> Reply {
    let device = ScriptDevice {
        address: behind,
        ca_file,
        device_id: String::new(),
        credentials: (String::new(), String::new()),
    };
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII")));
    let headers: Vec<_> = headers.filter(|(name, _)| !OF_THE_CONNECTION.contains(name)).collect();
    device.send(request.method.clone(), &request.target, &headers, &request.body).await
}

fn response<'h>(
    status: u16,
    headers: impl Iterator<Item = (&'h str, &'h str)>,
    body: Body,
) -> hyper::Response<Body> {
    let mut response = hyper::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).expect("legal headers")
}

/// A body in pieces whose length nobody knows before.
struct Pieces(std::vec::IntoIter<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.next().map(|piece| Ok(Frame::data(piece))))
    }
}
