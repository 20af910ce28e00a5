//! Traces of requests reach a collector.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::judges::python;
use crate::server::Server;

/// Takes one request as a collector does; gives its first line, its headers in lower case, and its body.
fn take(listener: &TcpListener) -> (String, String, Vec<u8>) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut headers, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        line.make_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        headers.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    (first.trim().to_owned(), headers, body)
}

/// A message as OpenTelemetry's own definitions read it.
fn decoded(body: &[u8]) -> Value {
    let mut decoder = python("otlp.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    decoder.stdin.take().unwrap().write_all(body).unwrap();
    let output = decoder.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The value of an attribute.
fn attribute<'a>(of: &'a Value, key: &str) -> &'a str {
    let mut all = of["attributes"].as_array().unwrap().iter();
    let found = all.find(|attribute| attribute["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {of}"))["value"]["stringValue"].as_str().unwrap_or_default()
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
    let (first, headers, body) = collector.join().unwrap();
    assert_eq!(first, "POST /v1/traces HTTP/1.1");
    assert!(headers.contains("content-type: application/x-protobuf"), "{headers}");
    let message = decoded(&body);
    let of = &message["resourceSpans"][0];
    assert_eq!(attribute(&of["resource"], "service.name"), "omadm");
    let spans = of["scopeSpans"][0]["spans"].as_array().unwrap();
    let asked = spans.iter().find(|span| attribute(span, "path") == "/api/v1/devices");
    let span = asked.unwrap_or_else(|| panic!("{spans:?}"));
    assert_eq!((span["name"].as_str(), attribute(span, "method")), (Some("request"), "GET"));
    let time = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"), "{span}");
}

#[test]
fn without_its_collector_the_server_works_and_ends() {
    // Nobody listens there any more.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut server = Server::with(&[("OMADM_LOG__OTLP", &format!("http://{gone}"))]);
    server.good(&["device", "ls"]);
    assert_eq!(server.terminate(), Some(0));
}
