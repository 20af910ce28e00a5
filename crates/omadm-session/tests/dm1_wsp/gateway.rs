//! A gateway that is small: it answers requests by itself, by a function of the test.

use std::time::Duration;

use omadm_codec::Limits;
use omadm_codec::wsp::{Capability, Content, Pdu};
use omadm_codec::wtp;
use omadm_session::dm1::wsp::{Class, Event, Initiator, Responder, Settings, TidCounter, TidWindow};

/// What a gateway answers to the PDU of a client.
pub type Answer = Box<dyn FnMut(Pdu<'_>) -> Vec<u8>>;

/// The gateway's side of WTP.
pub struct Gateway {
    settings: Settings,
    window: TidWindow,
    tids: TidCounter,
    responders: Vec<Responder>,
    pushes: Vec<Initiator>,
    answer: Answer,
    /// PDUs that came and had no answer, and confirmations of pushes.
    pub heard: Vec<String>,
}

impl Gateway {
    pub fn new(settings: Settings, answer: Answer) -> Self {
        Self {
            settings,
            window: TidWindow::default(),
            tids: TidCounter::new(7),
            responders: Vec::new(),
            pushes: Vec::new(),
            answer,
            heard: Vec::new(),
        }
    }

    /// Begins something by itself.
    pub fn begin(&mut self, now: Duration, class: Class, pdu: &Pdu<'_>) {
        let tid = self.tids.take();
        self.pushes.push(Initiator::start(self.settings, tid, class, octets(pdu), now).unwrap());
    }

    pub fn datagram(&mut self, now: Duration, datagram: &[u8]) {
        for pdu in wtp::datagram(datagram, &Limits::default()).unwrap() {
            if pdu.tid & wtp::FROM_RESPONDER != 0 {
                let tid = pdu.tid & !wtp::FROM_RESPONDER;
                let known = self.pushes.iter_mut().find(|push| push.tid() == tid);
                known.unwrap().handle(now, &pdu);
            } else if let Some(known) = self.responders.iter_mut().find(|known| known.tid() == pdu.tid) {
                known.handle(now, &pdu);
            } else if let wtp::Kind::Invoke { tid_new, .. } = pdu.kind {
                let doubtful = self.window.is_doubtful(pdu.tid, tid_new);
                self.responders.extend(Responder::accept(self.settings, &pdu, doubtful, now));
            }
        }
    }

    /// Does what is to be done; gives the datagrams.
    pub fn drain(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        for responder in &mut self.responders {
            while let Some(event) = responder.poll() {
                match event {
                    Event::Transmit(datagram) => datagrams.push(datagram),
                    Event::Message(message) => {
                        self.window.remember(responder.tid());
                        let pdu = Pdu::decode(&message, &Limits::default()).unwrap();
                        if responder.class() == Class::WithResult {
                            responder.respond(now, (self.answer)(pdu)).unwrap();
                        } else {
                            self.heard.push(format!("{pdu:?}"));
                        }
                    }
                    Event::Confirmed | Event::Aborted(_) => {}
                }
            }
        }
        self.responders.retain(|responder| !responder.is_over());
        for push in &mut self.pushes {
            while let Some(event) = push.poll() {
                match event {
                    Event::Transmit(datagram) => datagrams.push(datagram),
                    event => self.heard.push(format!("{event:?}")),
                }
            }
        }
        datagrams
    }
}

pub fn octets(pdu: &Pdu<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    pdu.encode(&mut out);
    out
}

/// Answers Connect as Kannel does, and a method by the function, which gets URI and content.
pub fn answering(mut answer: impl FnMut(&str, Content<'_>) -> Vec<u8> + 'static) -> Answer {
    Box::new(move |pdu| match pdu {
        Pdu::Connect { capabilities, headers } => {
            assert!(headers.is_empty());
            let capabilities = capabilities.into_iter().filter(|capability| {
                matches!(capability, Capability::ClientSdu(_) | Capability::ServerSdu(_))
            });
            octets(&Pdu::ConnectReply { session: 5, capabilities: capabilities.collect(), headers: vec![] })
        }
        Pdu::Post { uri, content, .. } => answer(uri.as_str(), content),
        other => panic!("{other:?}"),
    })
}
