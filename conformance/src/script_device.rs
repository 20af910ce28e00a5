//! An independent device: sends the bytes and headers it is told to, and gives back what comes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use openssl::ssl::{SslConnector, SslMethod};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::package::Schema;
use crate::wire::Reply;

const INITIATION: &str = "application/vnd.oma.dm.initiation+json";
const REQUEST: &str = "application/vnd.oma.dm.request+json";
const RESPONSE: &str = "application/vnd.oma.dm.response+json";
const BOUNDARY: &str = "between-the-parts";

/// An independent HTTPS client that plays a device.
#[derive(Clone, Debug)]
pub struct ScriptDevice {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Who signed its certificate, PEM.
    pub ca_file: PathBuf,
    /// Value of `OMADM-DevID`.
    pub device_id: String,
    /// User name and password.
    pub credentials: (String, String),
}

/// The commands of a Package#2, valid by the schema.
///
/// Panics when the reply is anything else.
pub fn commands(reply: &Reply) -> Vec<Vec<String>> {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some(REQUEST));
    let package = reply.json();
    Schema::Package2.check(&package);
    serde_json::from_value(package["CMD"].clone()).expect("CMD is an array of arrays of strings")
}

impl ScriptDevice {
    /// The HTTP Basic header of this device.
    #[must_use]
    pub fn authorization(&self) -> String {
        let (user, password) = &self.credentials;
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    }

    /// Sends a request with these headers, `Host` and `Content-Length`, and nothing else.
    pub async fn send(&self, method: Method, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).expect("TLS settings");
        connector.set_ca_file(&self.ca_file).expect("the authority's certificate");
        let ssl =
            connector.build().configure().expect("TLS settings").into_ssl("localhost").expect("a host name");
        let tcp = TcpStream::connect(self.address).await.expect("the server listens");
        let mut stream = SslStream::new(ssl, tcp).expect("TLS");
        Pin::new(&mut stream).connect().await.expect("the server's certificate is signed by its authority");
        exchange(stream, method, target, headers, body).await
    }

    /// Posts to the DM endpoint with these headers and nothing else.
    pub async fn post(&self, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send(Method::POST, "/dm/2.0", headers, body).await
    }

    /// Posts a body of this type with all headers that a device sends.
    pub async fn post_as(&self, content_type: &str, body: &[u8]) -> Reply {
        let authorization = self.authorization();
        let headers = [
            ("content-type", content_type),
            ("accept", REQUEST),
            ("omadm-devid", &self.device_id),
            ("authorization", &authorization),
        ];
        self.post(&headers, body).await
    }

    /// Sends Package#1.
    pub async fn package1(&self, package: &Value) -> Reply {
        self.post_as(INITIATION, package.to_string().as_bytes()).await
    }

    /// Sends Package#1 with the alert of a session that the device starts.
    pub async fn begin(&self) -> Reply {
        self.package1(&json!({ "Alert": [{ "AlertType": "urn:oma:at:dm:2.0:ClientInitiatedMgmt" }] })).await
    }

    /// Sends Package#3 with these entries in `Status`.
    pub async fn answer(&self, status: &Value) -> Reply {
        self.post_as(RESPONSE, json!({ "Status": status }).to_string().as_bytes()).await
    }

    /// Sends Package#3 with these entries in `Status` and a part of MO data for each (index, data).
    pub async fn answer_with(&self, status: &Value, data: &[(usize, Value)]) -> Reply {
        let data: Vec<(String, String, Vec<u8>)> = data
            .iter()
            .map(|(index, data)| {
                (index.to_string(), "application/dmmo+json".to_owned(), data.to_string().into_bytes())
            })
            .collect();
        self.answer_with_parts(status, &data).await
    }

    /// Sends Package#3 with parts of any name, type and content.
    pub async fn answer_with_parts(&self, status: &Value, parts: &[(String, String, Vec<u8>)]) -> Reply {
        let body = multipart(&json!({ "Status": status }), parts);
        self.post_as(&format!("multipart/form-data; boundary={BOUNDARY}"), &body).await
    }
}

fn multipart(package: &Value, parts: &[(String, String, Vec<u8>)]) -> Vec<u8> {
    let mut body = format!("--{BOUNDARY}\r\nContent-Type: {RESPONSE}\r\n\r\n{package}\r\n").into_bytes();
    for (name, content_type, data) in parts {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {content_type}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// One request on a connection of its own.
pub(crate) async fn exchange<S>(
    stream: S,
    method: Method,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    // Ends with the connection; what goes wrong on it shows at the request.
    tokio::spawn(connection);
    let mut request = hyper::Request::builder().method(method).uri(target).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("legal headers");
    let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole answer").to_bytes().to_vec();
    Reply { status: head.status.as_u16(), headers: head.headers, body }
}

/// GET of a `https://localhost` URI, without credentials.
pub async fn fetch(uri: &str, ca_file: &std::path::Path) -> Reply {
    let rest = uri.strip_prefix("https://localhost:").unwrap_or_else(|| panic!("not on this machine: {uri}"));
    let (port, path) = rest.split_once('/').expect("a path");
    let device = ScriptDevice {
        address: ([127, 0, 0, 1], port.parse().expect("a port")).into(),
        ca_file: ca_file.to_owned(),
        device_id: String::new(),
        credentials: (String::new(), String::new()),
    };
    device.send(Method::GET, &format!("/{path}"), &[], &[]).await
}
