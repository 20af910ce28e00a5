//! Answers that come when something else is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use omadm_codec::obex::{
    ConnectFields, Header, HeaderId, Opcode, Packet as _, Request, Response, TARGET_DM, length_of,
};
use omadm_codec::{Limits, Tolerance};
use omadm_link::{Event, ObexServer, Object, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const WBXML: &str = "application/vnd.syncml.dm+wbxml";
const ID: Header<'static> = Header::Number(HeaderId::CONNECTION_ID, 1);

fn put(octets: &[u8]) -> Vec<u8> {
    let headers = vec![ID, Header::Octets(HeaderId::END_OF_BODY, octets)];
    Request { opcode: Opcode::Put, is_final: true, connect: None, headers }.encode().unwrap()
}

fn plain(opcode: Opcode) -> Vec<u8> {
    Request { opcode, is_final: true, connect: None, headers: vec![ID] }.encode().unwrap()
}

async fn packet(stream: &mut DuplexStream) -> Vec<u8> {
    let mut head = [0; 3];
    stream.read_exact(&mut head).await.unwrap();
    let mut rest = vec![0; length_of(&head).unwrap().unwrap() - head.len()];
    stream.read_exact(&mut rest).await.unwrap();
    [&head[..], &rest].concat()
}

fn object(octets: &[u8]) -> Object {
    Object { media_type: Some(WBXML.to_owned()), hmac: None, body: octets.to_vec().into() }
}

/// The next event that is not about a tolerance.
async fn event(server: &mut ObexServer) -> Event {
    loop {
        match server.event().await.unwrap() {
            Event::Tolerated(Tolerance::MissingObexLength | Tolerance::MissingObexType) => {}
            event => return event,
        }
    }
}

#[tokio::test]
async fn an_answer_to_what_was_aborted_is_none_to_what_was_put_after_it() {
    let (mut client, ours) = tokio::io::duplex(1 << 16);
    let mut server = ObexServer::serve(ours, Settings::default(), [7; 16]);
    let connect = Request {
        opcode: Opcode::Connect,
        is_final: true,
        connect: Some(ConnectFields { max_packet: 0xffff }),
        headers: vec![Header::Octets(HeaderId::TARGET, TARGET_DM)],
    };
    let all =
        [connect.encode().unwrap(), put(b"\x02first"), plain(Opcode::Abort), put(b"\x02second")].concat();
    client.write_all(&all).await.unwrap();
    for _ in 0..4 {
        packet(&mut client).await;
    }
    client.write_all(&plain(Opcode::Get)).await.unwrap();

    assert!(matches!(event(&mut server).await, Event::Connected { .. }));
    assert_eq!(event(&mut server).await, Event::Put(object(b"\x02first")));
    // All else has happened by now, and the host does not know.
    server.answer(object(b"\x02to the first"));
    assert_eq!(event(&mut server).await, Event::Aborted);
    assert_eq!(event(&mut server).await, Event::Put(object(b"\x02second")));
    server.answer(object(b"\x02to the second"));
    let octets = packet(&mut client).await;
    let limits = Limits { bytes: 0xffff, depth: 1, items: 64 };
    let answer = Response::decode(&octets, false, &limits).unwrap();
    assert_eq!(answer.octets(HeaderId::END_OF_BODY), Some(&b"\x02to the second"[..]));
}
