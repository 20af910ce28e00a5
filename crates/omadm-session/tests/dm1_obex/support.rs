//! What the tests of both machines share.

use std::time::Duration;

use omadm_auth::{BasicCredentials, Secret};
use omadm_codec::Limits;
use omadm_codec::obex::{ConnectFields, Header, HeaderId, Opcode, Request, Response, ResponseCode};
use omadm_session::dm1::obex::{Event, Gained, Object, Server, Settings};

pub const LIMITS: Limits = Limits { bytes: 0xffff, depth: 1, items: 64 };
pub const WBXML: &str = "application/vnd.syncml.dm+wbxml";
pub const WBXML_TYPE: &[u8] = b"application/vnd.syncml.dm+wbxml\0";
pub const NONCE: [u8; 16] = [7; 16];
pub const ZERO: Duration = Duration::ZERO;

pub fn object(body: &[u8]) -> Object {
    Object { media_type: Some(WBXML.to_owned()), hmac: None, body: body.to_vec().into() }
}

pub fn credentials(password: &str) -> Option<BasicCredentials> {
    let password = Secret::new(password.as_bytes().to_vec());
    Some(BasicCredentials { user: "device".to_owned(), password })
}

pub fn request<'a>(opcode: Opcode, is_final: bool, headers: Vec<Header<'a>>) -> Request<'a> {
    let connect = (opcode == Opcode::Connect).then_some(ConnectFields { max_packet: 0xffff });
    Request { opcode, is_final, connect, headers }
}

pub fn response<'a>(code: ResponseCode, headers: Vec<Header<'a>>) -> Response<'a> {
    Response { code, connect: None, headers }
}

pub const ID: Header<'static> = Header::Number(HeaderId::CONNECTION_ID, 1);
pub const TYPE: Header<'static> = Header::Octets(HeaderId::TYPE, WBXML_TYPE);
pub const TARGET: Header<'static> = Header::Octets(HeaderId::TARGET, b"SYNCML-DM");

/// A server with whoever plays its client.
pub struct Served {
    pub server: Server,
    pub now: Duration,
    /// What happened beside the answers.
    pub events: Vec<Event>,
}

impl Served {
    pub fn new(settings: Settings) -> Self {
        Self { server: Server::new(settings, NONCE, ZERO), now: ZERO, events: Vec::new() }
    }

    pub fn connected(settings: Settings) -> Self {
        let mut served = Self::new(settings);
        assert_eq!(served.ask(&request(Opcode::Connect, true, vec![TARGET])), [ResponseCode::SUCCESS]);
        served
    }

    /// The codes that a request is answered with.
    pub fn ask(&mut self, request: &Request<'_>) -> Vec<ResponseCode> {
        self.raw(&request.encode().unwrap())
    }

    pub fn raw(&mut self, octets: &[u8]) -> Vec<ResponseCode> {
        self.server.receive(octets, self.now);
        self.codes()
    }

    pub fn codes(&mut self) -> Vec<ResponseCode> {
        let mut codes = Vec::new();
        while let Some(event) = self.server.poll() {
            match event {
                Event::Transmit(octets) => codes.push(ResponseCode(octets[0] & 0x7f)),
                other => self.events.push(other),
            }
        }
        codes
    }

    /// Puts a whole object.
    pub fn put(&mut self, body: &[u8]) -> Vec<ResponseCode> {
        let length = Header::Number(HeaderId::LENGTH, u32::try_from(body.len()).unwrap());
        let body = Header::Octets(HeaderId::END_OF_BODY, body);
        self.ask(&request(Opcode::Put, true, vec![ID, TYPE, length, body]))
    }

    pub fn get(&mut self) -> Vec<ResponseCode> {
        self.ask(&request(Opcode::Get, true, vec![ID, TYPE]))
    }

    pub fn wait(&mut self, time: Duration) -> Vec<ResponseCode> {
        self.now += time;
        self.server.wake(self.now);
        self.codes()
    }

    pub fn is_over(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Over(_)))
    }
}

/// What a client has to tell, its packets apart.
pub fn gained(client: &mut omadm_session::dm1::obex::Client) -> (Vec<Vec<u8>>, Vec<Gained>) {
    let (mut packets, mut others) = (Vec::new(), Vec::new());
    while let Some(gained) = client.poll() {
        match gained {
            Gained::Transmit(octets) => packets.push(octets),
            other => others.push(other),
        }
    }
    (packets, others)
}
