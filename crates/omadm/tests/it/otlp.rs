//! Traces of requests reach a collector.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;

use crate::server::Server;

/// Takes one request as a collector does; gives its first line and its body.
fn take(listener: &TcpListener) -> (String, Vec<u8>) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    (first.trim().to_owned(), body)
}

#[test]
fn a_collector_hears_of_requests() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let collector = std::thread::spawn(move || take(&listener));
    let mut server = Server::with(&[("OMADM_LOG__OTLP", &endpoint)]);
    server.good(&["device", "ls"]);
    // What is left is sent at the end.
    assert_eq!(server.terminate(), Some(0));
    let (first, body) = collector.join().unwrap();
    assert_eq!(first, "POST /v1/traces HTTP/1.1");
    let body = String::from_utf8_lossy(&body);
    for part in ["omadm", "request", "/api/v1/devices", "GET"] {
        assert!(body.contains(part), "{part} is not in {body:?}");
    }
}
