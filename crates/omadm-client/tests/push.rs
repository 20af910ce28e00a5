//! What strangers can do to the listeners of push.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy knows test functions as such, and not the helpers beside them"
)]

use std::time::Duration;

use omadm_client::push::http::{HttpPush, HttpPushConfig};
use omadm_client::push::sip::{SipConfig, SipPush};
use omadm_client::{PushContent, Secret};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

const NOTIFICATION: &str = "application/vnd.syncml.dm.notification";

async fn http(config: HttpPushConfig) -> (HttpPush, u16) {
    let mut push = HttpPush::new(config);
    let address = push.listen(([127, 0, 0, 1], 0).into(), None).await.unwrap();
    (push, address.port())
}

/// Sends octets and gives all that comes back until the connection ends.
async fn talk(port: u16, octets: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(octets).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

fn post(more: &str) -> String {
    format!(
        "POST /wappush HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {NOTIFICATION}\r\n{more}Content-Length: 1\r\n\r\nx"
    )
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

fn push_status(answer: &str) -> Option<&str> {
    answer.lines().find_map(|line| line.strip_prefix("x-wap-push-status: "))
}

#[tokio::test]
async fn what_nobody_fetches_fills_no_memory() {
    let (mut push, port) = http(HttpPushConfig::default()).await;
    for number in 0..10 {
        let answer = talk(port, post("").as_bytes()).await;
        assert_eq!(status(&answer), "204");
        let expected = if number < 8 { "400" } else { "237" };
        assert_eq!(push_status(&answer), Some(expected), "push {number}: {answer}");
    }
    let PushContent { content_type, application, body, via, .. } = push.content().await;
    assert_eq!((content_type.as_str(), application, &body[..]), (NOTIFICATION, None, &b"x"[..]));
    assert_eq!((via.by.as_str(), via.authenticated), ("OTA-HTTP from 127.0.0.1", false));
    assert_eq!(push_status(&talk(port, post("").as_bytes()).await), Some("400"), "there is room again");
}

#[tokio::test]
async fn floods_over_http_are_bounded_by_source() {
    let (_push, port) = http(HttpPushConfig { per_source: 3, ..HttpPushConfig::default() }).await;
    for number in 0..5 {
        let answer = talk(port, post("").as_bytes()).await;
        assert_eq!(status(&answer), if number < 3 { "204" } else { "429" }, "push {number}");
    }
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let (_push, port) = http(HttpPushConfig::default()).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        // An answer shows that it has its place.
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut said = [0; 12];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"HTTP/1.1 404");
        held.push(stream);
    }
    let mut fifth = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    // It may be closed before anything is written.
    let _broken = fifth.write_all(post("").as_bytes()).await;
    let mut said = Vec::new();
    let _reset = fifth.read_to_end(&mut said).await;
    assert!(said.is_empty(), "it is closed at once");
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let timeout = Duration::from_millis(200);
    let (_push, port) = http(HttpPushConfig { timeout, ..HttpPushConfig::default() }).await;
    for start in ["", "POST /wap", "POST /wappush HTTP/1.1\r\nHost: x\r\nX: "] {
        talk(port, start.as_bytes()).await;
    }
    let half = post("").replace("Content-Length: 1", "Content-Length: 2");
    let answer = talk(port, half.as_bytes()).await;
    assert_eq!(status(&answer), "408", "{answer}");
}

#[tokio::test]
async fn an_answer_to_a_challenge_is_good_once() {
    use omadm_auth::digest::{Answers, Hash};
    use omadm_auth::header::Challenge;
    let secret = Secret::new(b"secret".to_vec());
    let user = Some(("dm".to_owned(), secret.clone()));
    let (mut push, port) = http(HttpPushConfig { user, ..HttpPushConfig::default() }).await;
    let refused = talk(port, post("").as_bytes()).await;
    assert_eq!(status(&refused), "401");
    let value = refused.lines().find_map(|line| line.strip_prefix("x-wap-authenticate: ")).unwrap();
    let challenges = Challenge::read_all(value).unwrap();
    let who = ("dm", &secret);
    assert!(Answers::to(&challenges, who, &[Hash::Md5], false, "c".to_owned()).is_none(), "nothing weak");
    let mut answers = Answers::to(&challenges, who, &[Hash::Sha256], false, "c".to_owned()).unwrap();
    let header = |value: String| post(&format!("X-Wap-Authorization: {value}\r\n"));
    let recorded = header(answers.authorize("POST", "/wappush", b""));
    let forged = recorded.replace("\r\n\r\nx", "\r\n\r\ny");
    assert_eq!(status(&talk(port, forged.as_bytes()).await), "204");
    let PushContent { body, via, .. } = push.content().await;
    assert_eq!((&body[..], via.authenticated), (&b"y"[..], false), "somebody on the way has changed it");
    let again = talk(port, recorded.as_bytes()).await;
    assert_eq!(status(&again), "401", "a recording");
    assert!(again.contains("stale=true"), "{again}");
    let elsewhere = header(answers.authorize("POST", "/other", b""));
    assert_eq!(status(&talk(port, elsewhere.as_bytes()).await), "401", "of another target");
    let other = header(answers.authorize("OPTIONS", "/wappush", b""));
    assert_eq!(status(&talk(port, other.as_bytes()).await), "401", "of another method");
    let good = header(answers.authorize("POST", "/wappush", b""));
    assert_eq!(status(&talk(port, good.as_bytes()).await), "204");
}

fn message(branch: &str, length: &str) -> String {
    format!(
        "MESSAGE sip:john@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:1;branch=z9hG4bK{branch};rport\r\n\
         From: <sip:dm@dm.example>;tag=1\r\nTo: <sip:john@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n\
         Date: Sat, 21 Nov 2026 12:00:01 GMT\r\nContent-Type: {NOTIFICATION}\r\n{length}\r\nx"
    )
}

async fn sip(change: impl FnOnce(&mut SipConfig)) -> (SipPush, [std::net::SocketAddr; 2], UdpSocket) {
    let mut config = SipConfig::new(([127, 0, 0, 1], 0).into());
    change(&mut config);
    let push = SipPush::listen(config).await.unwrap();
    let addresses = push.addresses();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(addresses[0]).await.unwrap();
    (push, addresses, socket)
}

async fn answer(socket: &UdpSocket, octets: &[u8]) -> String {
    socket.send(octets).await.unwrap();
    let mut buffer = [0; 4_096];
    let length = socket.recv(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test]
async fn a_message_of_sip_is_taken_once_and_answered_to_where_it_came_from() {
    let (mut push, _, socket) = sip(|_| {}).await;
    let text = message("a", "Content-Length: 1\r\n");
    let first = answer(&socket, text.as_bytes()).await;
    assert_eq!(status(&first), "200");
    assert!(first.contains(";received=127.0.0.1"), "{first}");
    assert_eq!(answer(&socket, text.as_bytes()).await, first, "the same again");
    let content = push.content().await;
    assert_eq!((content.content_type.as_str(), &content.body[..]), (NOTIFICATION, &b"x"[..]));
    assert_eq!(content.via.by, "SIP from 127.0.0.1");
    assert_eq!(content.via.sent.map(|time| time.as_secs()), Some(1_795_262_401));
    assert!(!content.via.authenticated);
    assert_eq!(status(&answer(&socket, message("b", "").replace("\r\nx", "\r\ny").as_bytes()).await), "200");
    assert_eq!(push.content().await.body, "y", "a repetition has no second effect");
}

#[tokio::test]
async fn broken_and_unwanted_messages_of_sip_are_refused() {
    let (mut push, _, socket) = sip(|config| config.max_size = 1_000).await;
    assert_eq!(status(&answer(&socket, message("a", "Content-Length: 2\r\n").as_bytes()).await), "400");
    assert_eq!(status(&answer(&socket, message("b", "Content-Length: x\r\n").as_bytes()).await), "400");
    // Nobody is answered for these; the next answer is that for a good one.
    for silent in [&b"\r\n\r\n"[..], b"garbage", &[0xff; 100], message("c", "").repeat(5).as_bytes()] {
        socket.send(silent).await.unwrap();
    }
    for number in 0..9 {
        let said = answer(&socket, message(&format!("d{number}"), "").as_bytes()).await;
        assert_eq!(status(&said), if number < 8 { "200" } else { "480" }, "{number}");
    }
    push.content().await;
    assert_eq!(status(&answer(&socket, message("e", "").as_bytes()).await), "200", "there is room again");
}

#[tokio::test]
async fn floods_of_sip_are_bounded_by_source() {
    let (_push, [udp, tcp], socket) = sip(|config| config.per_source = 2).await;
    for number in 0..2 {
        assert_eq!(status(&answer(&socket, message(&format!("a{number}"), "").as_bytes()).await), "200");
    }
    socket.send(message("b", "").as_bytes()).await.unwrap();
    // What is answered to somebody else comes after it.
    let other = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    other.connect(udp).await.unwrap();
    assert_eq!(status(&answer(&other, message("c", "").as_bytes()).await), "200");
    assert!(socket.try_recv(&mut [0; 4_096]).is_err(), "the third is dropped");
    let mut stream = TcpStream::connect(tcp).await.unwrap();
    stream.write_all(message("d", "Content-Length: 1\r\n").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    assert!(said.is_empty(), "over TCP, too");
}

#[tokio::test]
async fn messages_over_tcp_come_in_whatever_pieces() {
    let (mut push, [_, tcp], _socket) = sip(|_| {}).await;
    let mut stream = TcpStream::connect(tcp).await.unwrap();
    let (first, second) = (message("a", "Content-Length: 1\r\n"), message("b", "Content-Length: 1\r\n"));
    let octets = format!("\r\n\r\n{first}{second}").into_bytes();
    let (head, tail) = octets.split_at(octets.len() / 3);
    stream.write_all(head).await.unwrap();
    tokio::task::yield_now().await;
    stream.write_all(tail).await.unwrap();
    let mut said = Vec::new();
    while String::from_utf8_lossy(&said).matches("Content-Length: 0\r\n\r\n").count() < 2 {
        assert!(stream.read_buf(&mut said).await.unwrap() > 0);
    }
    assert_eq!((push.content().await.body, push.content().await.body), ("x".into(), "x".into()));
    // Where a message does not say how long it is, nothing after it can be read.
    stream.write_all(message("c", "").as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    // It may be closed with octets unread, which resets it.
    let _reset = stream.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}
