//! A server with a client for each of its sides.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use omadm_server::{Config, Running, Server};
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

pub const INITIATION: &str = "application/vnd.oma.dm.initiation+json";
pub const RESPONSE: &str = "application/vnd.oma.dm.response+json";
pub const REQUEST: &str = "application/vnd.oma.dm.request+json";
pub const DMMO: &str = "application/dmmo+json";
/// What the server takes as management data.
pub const TAKEN: &str = "application/dmmo+json, text/plain;q=0.5, application/octet-stream;q=0.5, application/json;q=0.5, text/xml;q=0.5, application/xml;q=0.5";
pub const LANG: &str = "urn:oma:mo:oma-dm-devinfo:1.2/DevInfo/Lang";
/// A Package#1 as most devices send it.
pub const HELLO: &str = r#"{"Alert":[{"AlertType":"urn:oma:at:dm:2.0:ClientInitiatedMgmt"}]}"#;
pub const END: &str = r#"{"CMD":[["END"]]}"#;

/// An answer.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    /// The commands of a Package#2.
    pub fn commands(&self) -> Vec<Vec<String>> {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), REQUEST);
        serde_json::from_value(self.json()["CMD"].clone()).unwrap()
    }
}

/// A connection that stays open.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    pub ended: tokio::task::JoinHandle<()>,
}

impl Connection {
    pub async fn plain(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    pub async fn over<S>(stream: S) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        // How it ends is seen by the requests on it.
        let ended = tokio::spawn(async { drop(connection.await) });
        Self { sender, ended }
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Answer {
        self.sender.ready().await.unwrap();
        let (head, body) = self.sender.send_request(request).await.unwrap().into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }
}

/// A running server in a directory of its own.
pub struct TestServer {
    pub running: Running,
    pub token: String,
    pub dir: Arc<tempfile::TempDir>,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let mut config = Config::default();
        config.server.data_dir = dir.path().to_owned();
        config.device.listen = ([127, 0, 0, 1], 0).into();
        config.operator.listen = ([127, 0, 0, 1], 0).into();
        change(&mut config);
        let running = Server::start(config).await.unwrap();
        let token = running.first_token.as_ref().unwrap().expose().to_owned();
        Self { running, token, dir }
    }

    /// A server on the directory of one that has stopped.
    pub async fn again(dir: Arc<tempfile::TempDir>, token: String) -> Self {
        let mut config = Config::default();
        config.server.data_dir = dir.path().to_owned();
        config.device.listen = ([127, 0, 0, 1], 0).into();
        config.operator.listen = ([127, 0, 0, 1], 0).into();
        Self { running: Server::start(config).await.unwrap(), token, dir }
    }

    /// A TLS client that trusts the server's authority.
    pub fn connector(&self) -> SslConnectorBuilder {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        let authority = X509::from_pem(self.running.authority.as_ref().unwrap().as_bytes()).unwrap();
        builder.cert_store_mut().add_cert(authority).unwrap();
        builder.set_verify(SslVerifyMode::PEER);
        builder
    }

    pub async fn tls(
        &self,
        builder: SslConnectorBuilder,
    ) -> Result<SslStream<TcpStream>, openssl::ssl::Error> {
        let ssl = builder.build().configure().unwrap().into_ssl("localhost").unwrap();
        let tcp = TcpStream::connect(self.running.device_addr).await.unwrap();
        let mut stream = SslStream::new(ssl, tcp).unwrap();
        Pin::new(&mut stream).connect().await?;
        Ok(stream)
    }

    pub async fn connect(&self) -> Connection {
        Connection::over(self.tls(self.connector()).await.unwrap()).await
    }

    /// A request to the REST API with the first token.
    pub async fn api(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.api_as(&self.token, method, path, body).await
    }

    /// A request with a body of JSON as it is written.
    pub async fn api_text(&self, method: &str, path: &str, body: String) -> Answer {
        self.api_octets(&self.token, method, path, Some(body.into())).await
    }

    pub async fn api_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.api_octets(token, method, path, body.map(|body| body.to_string().into())).await
    }

    async fn api_octets(&self, token: &str, method: &str, path: &str, body: Option<Bytes>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("host", "localhost")
            .header("authorization", format!("Bearer {token}"));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.unwrap_or_default();
        Connection::plain(self.running.operator_addr).await.send(request.body(Full::new(body)).unwrap()).await
    }

    pub async fn put_ddf(&self, name: &str, text: &str) -> Answer {
        let request = Request::builder()
            .method("PUT")
            .uri(format!("/api/v1/ddfs/{name}"))
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(text.to_owned())))
            .unwrap();
        Connection::plain(self.running.operator_addr).await.send(request).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.api("GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub async fn items(&self, path: &str) -> Vec<Value> {
        self.get(path).await["items"].as_array().unwrap().clone()
    }

    /// Enrols a device.
    pub async fn enrol(&self, id: &str) -> Device {
        let answer = self.api("POST", "/devices", Some(json!({ "id": id }))).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let enrolled = answer.json();
        let text = |name: &str| enrolled[name].as_str().unwrap().to_owned();
        Device { id: id.to_owned(), user: text("user"), secret: text("secret") }
    }

    /// Queues a command; gives its id.
    pub async fn queue(&self, device: &Device, command: Value) -> String {
        let answer = self.api("POST", &format!("/devices/{}/commands", device.path()), Some(command)).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    pub async fn command(&self, id: &str) -> Value {
        self.get(&format!("/commands/{id}")).await
    }
}

/// A device's identity.
#[derive(Clone)]
pub struct Device {
    pub id: String,
    pub user: String,
    pub secret: String,
}

impl Device {
    /// Its id in a path.
    pub fn path(&self) -> String {
        self.id.replace(':', "%3A")
    }

    pub fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.secret)))
    }

    /// A request with its credentials.
    pub fn request(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("omadm-devid", &self.id)
            .header("authorization", self.basic());
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        request.body(Full::new(body.into())).unwrap()
    }

    pub fn package1(&self, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        self.request(Method::POST, "/dm/2.0", Some(INITIATION), body)
    }

    pub fn package3(&self, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        self.request(Method::POST, "/dm/2.0", Some(RESPONSE), body)
    }

    /// A Package#3 with statuses only.
    pub fn statuses(&self, codes: &[u16]) -> Request<Full<Bytes>> {
        let statuses: Vec<Value> = codes.iter().map(|code| json!({ "sc": code })).collect();
        self.package3(json!({ "Status": statuses }).to_string())
    }

    /// A Package#3 with one status 200 and its data.
    pub fn data(&self, content_type: &str, data: &str) -> Request<Full<Bytes>> {
        let body = format!(
            "--b\r\nContent-Disposition: form-data\r\nContent-Type: {RESPONSE}\r\n\r\n{{\"Status\":[{{\"sc\":200}}]}}\r\n\
             --b\r\nContent-Disposition: form-data; name=\"0\"\r\nContent-Type: {content_type}\r\n\r\n{data}\r\n--b--\r\n"
        );
        self.request(Method::POST, "/dm/2.0", Some("multipart/form-data; boundary=b"), body)
    }
}
