use tokio::net::TcpListener;

use super::*;

/// A service centre that takes one connection after the other.
struct Centre(TcpListener);

/// A connection to it.
struct Peer(OwnedReadHalf, OwnedWriteHalf);

impl Centre {
    async fn start() -> (Self, Smpp) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "pw\n").unwrap();
        let settings = SmsSection {
            address: Some(listener.local_addr().unwrap().to_string()),
            system_id: "omadm".into(),
            password_file: Some(file),
            source: "1234".into(),
            ..SmsSection::default()
        };
        (Self(listener), Smpp::new(&settings).unwrap())
    }

    async fn accept(&self, status: u32) -> Peer {
        let (reader, writer) = self.0.accept().await.unwrap().0.into_split();
        let mut peer = Peer(reader, writer);
        let bind = peer.next().await;
        assert_eq!(
            (bind.command, bind.body.as_slice()),
            (pdu::BIND_TRANSMITTER, &b"omadm\0pw\0\0\x34\0\0\0"[..])
        );
        peer.answer(&bind, status).await;
        peer
    }
}

impl Peer {
    async fn next(&mut self) -> Pdu {
        next(&mut self.0).await.unwrap()
    }

    async fn send(&mut self, pdu: Pdu) {
        self.1.write_all(&pdu.encode()).await.unwrap();
    }

    async fn answer(&mut self, pdu: &Pdu, status: u32) {
        let answer =
            Pdu { command: pdu.command | ANSWER, status, sequence: pdu.sequence, body: b"id\0".to_vec() };
        self.send(answer).await;
    }

    /// Takes the next message with this status, and gives it.
    async fn take(&mut self, status: u32) -> Pdu {
        let submit = self.next().await;
        assert_eq!(submit.command, pdu::SUBMIT_SM);
        self.answer(&submit, status).await;
        submit
    }
}

/// Hands over one message after the other.
async fn submit_two(smpp: &Smpp) {
    for _ in 0..2 {
        smpp.submit(message()).await.unwrap();
    }
}

fn message() -> Message {
    Message { to: "+4670".into(), data: vec![1, 2, 3] }
}

#[tokio::test]
async fn messages_go_over_one_connection() {
    let (centre, smpp) = Centre::start().await;
    let serve = async {
        let mut peer = centre.accept(0).await;
        for _ in 0..2 {
            let expected = b"\0\0\x001234\0\x01\x014670\0\x40\0\0\0\0\0\0\x04\0\x03\x01\x02\x03";
            assert_eq!(peer.take(0).await.body, expected);
        }
        peer
    };
    tokio::join!(serve, submit_two(&smpp));
}

#[tokio::test]
async fn a_connection_that_died_is_made_anew() {
    let (centre, smpp) = Centre::start().await;
    let serve = async {
        let mut peer = centre.accept(0).await;
        peer.take(0).await;
        // It goes away in the middle of the next message.
        peer.next().await;
        drop(peer);
        let mut peer = centre.accept(0).await;
        peer.take(0).await;
        peer
    };
    tokio::join!(serve, submit_two(&smpp));
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let (centre, smpp) = Centre::start().await;
    let serve = async {
        drop(centre.accept(0x0e).await);
        let mut peer = centre.accept(0).await;
        peer.take(0x0b).await;
        peer
    };
    let work = async {
        let error = smpp.submit(message()).await.unwrap_err().reason;
        assert!(
            error.contains("refused to bind, status 0xe: invalid password: check sms.password_file"),
            "{error}"
        );
        let error = smpp.submit(message()).await.unwrap_err().reason;
        assert!(error.contains("status 0xb: invalid destination address"), "{error}");
    };
    tokio::join!(serve, work);
}

#[tokio::test]
async fn requests_of_the_service_centre_are_answered() {
    let (centre, smpp) = Centre::start().await;
    let serve = async {
        let mut peer = centre.accept(0).await;
        peer.take(0).await;
        for (command, answer, status) in [
            (pdu::ENQUIRE_LINK, pdu::ENQUIRE_LINK | ANSWER, 0),
            (0x0000_0005, pdu::GENERIC_NACK, pdu::INVALID_COMMAND),
            (pdu::UNBIND, pdu::UNBIND | ANSWER, 0),
        ] {
            peer.send(Pdu { command, status: 0, sequence: 77, body: Vec::new() }).await;
            let got = peer.next().await;
            assert_eq!((got.command, got.status, got.sequence), (answer, status, 77));
        }
        peer
    };
    let (_peer, sent) = tokio::join!(serve, smpp.submit(message()));
    sent.unwrap();
}

#[tokio::test]
async fn passwords_have_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    for (text, good) in [("12345678\n", true), ("123456789", false), ("a\0b", false)] {
        std::fs::write(&file, text).unwrap();
        let settings = SmsSection { password_file: Some(file.clone()), ..SmsSection::default() };
        assert_eq!(password(&settings).is_ok(), good, "{text:?}");
    }
}
