//! A property of the client: whatever a gateway says, it says little, keeps little, and every request ends.
//!
//! The fuzz target calls it, and a test runs it over the fuzz corpus. It panics when the property does not hold, so nothing but tests and
//! fuzzers may call it.

use std::time::Duration;

use omadm_codec::wsp::{Media, Method, Text};

use super::client::{Client, Mode, Output, Request};
use super::settings::{MIN_DATAGRAM, Settings};

/// Most datagrams that one of the gateway may cause: a group again, and an answer.
const MOST_ANSWERS: usize = 8;

/// Plays a gateway by a script: each step is an octet with the length of a datagram, which follows, or 0, after which the time goes on.
/// The first octet chooses the mode.
pub fn check_wap_client(script: &[u8]) {
    let Some((mode, mut rest)) = script.split_first() else { return };
    let mode = if mode & 1 == 0 { Mode::Connection } else { Mode::Connectionless };
    let settings = Settings { datagram: 4 * MIN_DATAGRAM, message: 512, ..Settings::default() };
    let mut client = Client::new(mode, settings, 1);
    let Some(uri) = Text::new("http://dm.example/dm") else { return };
    let body = vec![0; 3 * MIN_DATAGRAM].into();
    let request = Request { method: Method::POST, uri, media: Media::code(0x42), headers: Vec::new(), body };
    let mut now = Duration::ZERO;
    client.request(now, &request);
    let (mut waiting, _) = drain(&mut client);
    while let Some((length, after)) = rest.split_first() {
        let (datagram, after) = after.split_at_checked(usize::from(*length)).unwrap_or((after, &[]));
        rest = after;
        if *length == 0 {
            now = client.wake_at().unwrap_or(now);
            client.tick(now);
        } else {
            client.datagram(now, datagram);
        }
        let (still, sent) = drain(&mut client);
        // A datagram may hold many PDUs.
        assert!(sent <= MOST_ANSWERS.max(MOST_ANSWERS * datagram.len() / 4), "{sent} datagrams for one");
        waiting &= still;
        if !waiting {
            client.request(now, &request);
            waiting = drain(&mut client).0;
        }
    }
    // A gateway that says nothing any more is given up.
    for _ in 0..1_000 {
        let Some(at) = client.wake_at() else { return };
        now = now.max(at);
        client.tick(now);
        drain(&mut client);
    }
    assert!(client.wake_at().is_none(), "it never ends");
}

/// Whether the request is still under way, and how many datagrams were sent.
fn drain(client: &mut Client) -> (bool, usize) {
    let (mut waiting, mut sent) = (true, 0);
    while let Some(output) = client.poll() {
        match output {
            Output::Transmit(datagram) => {
                assert!(datagram.len() <= 4 * MIN_DATAGRAM + 256, "a Nack names 255 packets at most");
                sent += 1;
            }
            Output::Reply(_) | Output::Failed(_) => waiting = false,
            Output::Push(_) | Output::Dropped(_) => {}
        }
    }
    (waiting, sent)
}
