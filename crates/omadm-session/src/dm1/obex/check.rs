//! A property of both machines: whatever the other side says, they answer within their bounds, and they end.
//!
//! The fuzz target calls it, and a test runs it over the fuzz corpus. It panics when the property does not hold, so nothing but tests and
//! fuzzers may call it.

use core::time::Duration;

use omadm_codec::Limits;
use omadm_codec::obex::{MIN_PACKET, Request, Response};

use super::client::{Client, Gained};
use super::server::{Event, Server};
use super::{Object, Settings};

const LIMITS: Limits = Limits { bytes: 0xffff, depth: 1, items: 64 };
/// Most packets that one octet of the other side may cause.
const MOST_ANSWERS: usize = 4;

/// Plays the other side by a script: the first octet chooses the machine, the settings, and how many octets come at a time; the rest comes.
pub fn check_obex_machine(script: &[u8]) {
    let Some((choice, rest)) = script.split_first() else { return };
    let settings =
        Settings { max_packet: MIN_PACKET, max_object: 600, strict: choice & 2 != 0, ..Settings::default() };
    let size = usize::from(choice >> 2) + 1;
    if choice & 1 == 0 { serve(settings, rest, size) } else { call(settings, rest, size) }
}

fn serve(settings: Settings, script: &[u8], size: usize) {
    let silence = settings.silence;
    let most = settings.max_object;
    let mut server = Server::new(settings, [7; 16], Duration::ZERO);
    let mut now = Duration::ZERO;
    let mut is_over = false;
    for part in script.chunks(size) {
        now += Duration::from_millis(1);
        server.receive(part, now);
        let mut packets = 0;
        while let Some(event) = server.poll() {
            assert!(!is_over, "{event:?} after the end");
            match event {
                Event::Transmit(octets) => {
                    packets += 1;
                    let is_one = |to_connect| Response::decode(&octets, to_connect, &LIMITS).is_ok();
                    assert!(is_one(true) || is_one(false), "{octets:x?} is no response");
                    assert!(octets.len() <= usize::from(MIN_PACKET), "{} octets", octets.len());
                }
                Event::Put(object) => {
                    assert!(object.body.len() <= most, "{} octets", object.body.len());
                    server.answer(Object { body: vec![1; 700].into(), ..object });
                }
                Event::Over(_) => is_over = true,
                _ => {}
            }
        }
        assert!(packets <= MOST_ANSWERS * part.len(), "{packets} packets for {} octets", part.len());
    }
    // One that is silent from now on is left.
    for _ in 0..3 {
        now += silence;
        server.wake(now);
    }
    let left = std::iter::from_fn(|| server.poll()).any(|event| matches!(event, Event::Over(_)));
    assert!(is_over || left, "it waits for ever");
    assert_eq!(server.deadline(), None);
}

fn call(settings: Settings, script: &[u8], size: usize) {
    let silence = settings.silence;
    let most = settings.max_object;
    let mut client = Client::new(settings, Duration::ZERO);
    let mut now = Duration::ZERO;
    for part in script.chunks(size) {
        now += Duration::from_millis(1);
        client.receive(part, now);
        // What the host wants next depends on nothing; what does not fit has no effect.
        client.put(Object { body: vec![1; 700].into(), ..Object::default() }, now);
        client.get("application/vnd.syncml.dm+wbxml", now);
        drain(&mut client, most);
        if let Some(deadline) = client.deadline()
            && part.first() == Some(&0)
        {
            now = now.max(deadline);
            client.wake(now);
            drain(&mut client, most);
        }
    }
    for _ in 0..20 {
        now += silence;
        client.wake(now);
        drain(&mut client, most);
    }
    assert!(client.deadline().is_none(), "it waits for ever");
}

/// Hears the client out.
fn drain(client: &mut Client, most: usize) {
    while let Some(gained) = client.poll() {
        match gained {
            Gained::Transmit(octets) => {
                assert!(Request::decode(&octets, &LIMITS).is_ok(), "{octets:x?} is no request");
                assert!(octets.len() <= usize::from(MIN_PACKET), "{} octets", octets.len());
            }
            Gained::Object(object) => assert!(object.body.len() <= most, "{} octets", object.body.len()),
            _ => {}
        }
    }
}
