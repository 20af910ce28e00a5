//! Client and server over a link that cuts octets as it likes.

use omadm_codec::obex::{Header, HeaderId, Packet as _, Request};
use omadm_session::dm1::obex::{Client, Event, Gained, Object, Server, Settings};
use proptest::prelude::*;

use crate::support::{LIMITS, NONCE, WBXML, ZERO, credentials, object};

/// A client, a server, and a link between them that carries so many octets at a time.
struct Pair {
    client: Client,
    server: Server,
    cut: usize,
    /// Packets of the client, as they were sent.
    sent: Vec<Vec<u8>>,
}

impl Pair {
    fn new(client: Settings, server: Settings, cut: usize) -> Self {
        Self {
            client: Client::new(client, ZERO),
            server: Server::new(server, NONCE, ZERO),
            cut: cut.max(1),
            sent: Vec::new(),
        }
    }

    /// Lets both talk until neither has anything to say.
    fn run(&mut self) -> (Vec<Gained>, Vec<Event>) {
        let (mut gained, mut events) = (Vec::new(), Vec::new());
        loop {
            let mut quiet = true;
            while let Some(next) = self.client.poll() {
                quiet = false;
                match next {
                    Gained::Transmit(octets) => {
                        octets.chunks(self.cut).for_each(|part| self.server.receive(part, ZERO));
                        self.sent.push(octets);
                    }
                    other => gained.push(other),
                }
            }
            while let Some(next) = self.server.poll() {
                quiet = false;
                match next {
                    Event::Transmit(octets) => {
                        octets.chunks(self.cut).for_each(|part| self.client.receive(part, ZERO));
                    }
                    other => events.push(other),
                }
            }
            if quiet {
                return (gained, events);
            }
        }
    }
}

fn settings(max_packet: u16) -> Settings {
    Settings { max_packet, max_object: 1 << 20, strict: true, ..Settings::default() }
}

proptest! {
    /// What is put arrives, what is answered is got, whatever the sizes of packets and however the link cuts; and the answer may be there
    /// before or after it is asked for.
    #[test]
    fn objects_arrive_as_they_were_sent(
        theirs in 255_u16..=1_200, ours in 255_u16..=1_200, cut in 1_usize..=2_000,
        bodies in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..3_000), any::<bool>()), 1..5),
    ) {
        let mut pair = Pair::new(settings(ours), settings(theirs), cut);
        prop_assert_eq!(pair.run().0, [Gained::Connected]);
        for (body, early) in bodies {
            let hmac = Some("algorithm=MD5, username=\"d\", mac=AAAA".to_owned());
            let message = Object { hmac, ..object(&body) };
            pair.client.put(message.clone(), ZERO);
            let (gained, events) = pair.run();
            prop_assert_eq!(gained, [Gained::Put]);
            prop_assert_eq!(events.last(), Some(&Event::Put(message)));
            let answer = object(&body.iter().rev().copied().collect::<Vec<_>>());
            if early {
                pair.server.answer(answer.clone());
            }
            pair.client.get(WBXML, ZERO);
            let (mut gained, _) = pair.run();
            if !early {
                prop_assert_eq!(&gained, &[]);
                pair.server.answer(answer.clone());
                gained = pair.run().0;
            }
            prop_assert_eq!(gained, [Gained::Object(answer)]);
        }
        pair.client.disconnect(ZERO);
        let (gained, events) = pair.run();
        prop_assert_eq!(gained, [Gained::Disconnected]);
        prop_assert_eq!(events, [Event::Over(None)]);
        let most = usize::from(theirs.min(ours));
        prop_assert!(pair.sent.iter().skip(1).all(|packet| packet.len() <= most));
    }
}

#[test]
fn objects_arrive_at_every_size_of_packets() {
    let body: Vec<u8> = (0..=255).cycle().take(2_000).collect();
    for size in 255..=700 {
        let mut pair = Pair::new(settings(size), settings(u16::MAX), 4096);
        pair.run();
        pair.client.put(object(&body), ZERO);
        assert_eq!(pair.run().1, [Event::Put(object(&body))], "{size}");
        pair.server.answer(object(&body));
        pair.client.get(WBXML, ZERO);
        assert_eq!(pair.run().0, [Gained::Object(object(&body))], "{size}");
    }
}

/// The order that the binding gives (`DM 1.3 OBEX binding`): the number of the connection first, then Type, Length, and the body.
#[test]
fn headers_stand_in_the_order_of_the_binding() {
    let mut pair = Pair::new(settings(255), settings(255), 4096);
    pair.run();
    pair.client.put(object(&[1; 600]), ZERO);
    pair.run();
    let packets: Vec<Request<'_>> =
        pair.sent[1..].iter().map(|octets| Request::decode(octets, &LIMITS).unwrap()).collect();
    let ids: Vec<HeaderId> = packets[0].headers.iter().map(Header::id).collect();
    assert_eq!(ids, [HeaderId::CONNECTION_ID, HeaderId::TYPE, HeaderId::LENGTH, HeaderId::BODY]);
    assert_eq!(packets[0].number(HeaderId::LENGTH), Some(600));
    assert_eq!(packets[0].octets(HeaderId::TYPE), Some(&b"application/vnd.syncml.dm+wbxml\0"[..]));
    let last = packets.last().unwrap();
    assert!(last.is_final && packets[..packets.len() - 1].iter().all(|packet| !packet.is_final));
    assert_eq!(last.headers.last().map(Header::id), Some(HeaderId::END_OF_BODY));
}

/// A MAC that fits into no packet of the other side with the other headers goes alone, and one that fits into none is told.
#[test]
fn headers_go_over_several_packets_and_no_further() {
    let long = |length| Object { hmac: Some("m".repeat(length)), ..object(b"\x02") };
    let mut pair = Pair::new(settings(255), settings(255), 4096);
    pair.run();
    // The header with its name and line end, after the head of the packet and its own.
    pair.client.put(long(255 - 3 - 3 - "x-syncml-hmac: \r\n".len()), ZERO);
    assert_eq!(pair.run().0, [Gained::Put]);
    let mut pair = Pair::new(settings(255), settings(255), 4096);
    pair.run();
    pair.client.put(long(255 - 3 - 3 - "x-syncml-hmac: \r\n".len() + 1), ZERO);
    let told = pair.run().0;
    assert!(
        matches!(&told[..], [Gained::Failed(failure)] if failure.to_string().contains("255")),
        "{told:?}"
    );
}

#[test]
fn who_is_asked_proves_that_it_knows_the_password() {
    let asked = || Settings { credentials: credentials("secret"), ..settings(255) };
    let mut pair = Pair::new(asked(), asked(), 10);
    let (gained, events) = pair.run();
    assert_eq!(gained, [Gained::Connected]);
    assert_eq!(events, [Event::Connected { user: Some("device".to_owned()) }]);
    for wrong in [credentials("guess"), None] {
        let mut pair = Pair::new(Settings { credentials: wrong, ..settings(255) }, asked(), 10);
        let (gained, events) = pair.run();
        assert!(matches!(&gained[..], [Gained::Failed(_)]), "{gained:?}");
        assert_eq!(events, []);
    }
}
