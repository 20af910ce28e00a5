//! Push by SIP: a MESSAGE to the user agent of the device (`RFC 3428`).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use omadm_auth::dm1::HMAC_HEADER;
use omadm_codec::Limits;
use omadm_codec::sip::{self, DM_FEATURE, Field, MAX_MESSAGE, MAX_UDP_REQUEST, Message, PUSH_FEATURE};
use omadm_session::sip::{Credentials, Exchange, Hop, Outcome, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket, lookup_host};

use super::address::{Place, SIP_PORT, SipAddress, SipTransport};
use super::carrier::{Failed, Item};
use crate::config::SipSection;
use crate::{ServerError, outgoing, random};

/// What requests have beside their body at most, near enough.
const HEAD: usize = 700;

/// A user agent client.
pub struct Sip {
    from: String,
    proxy: Option<Place>,
    credentials: Option<Credentials>,
}

impl Sip {
    /// That of the configuration, if there is one.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub fn new(settings: &SipSection) -> Result<Option<Self>, ServerError> {
        let Some(from) = settings.from.clone() else { return Ok(None) };
        let secret = outgoing::password(settings.password_file.as_deref(), "sip.password_file")?;
        let credentials = settings.user.clone().zip(secret);
        Ok(Some(Self {
            from,
            proxy: settings.proxy.as_deref().and_then(|proxy| Place::parse(proxy, SIP_PORT)),
            credentials: credentials.map(|(user, secret)| Credentials { user, secret }),
        }))
    }

    /// Sends something to a user; gives the name of the call and what the device said to it.
    pub async fn send(&self, to: &SipAddress, item: &Item<'_>) -> Result<String, Failed> {
        let place = self.proxy.as_ref().unwrap_or(&to.place);
        let transport = match to.transport {
            // What is too large for a datagram goes over TCP whatever the address says (RFC 3261 §18.1.1).
            SipTransport::Udp if item.body.len() + HEAD <= MAX_UDP_REQUEST => SipTransport::Udp,
            SipTransport::Udp | SipTransport::Tcp => SipTransport::Tcp,
        };
        let failed = |problem: &dyn std::fmt::Display| Failed::with(format!("{place}: {problem}"));
        let mut link = Link::open(place, transport).await.map_err(|error| failed(&error))?;
        let hop = link.hop().map_err(|error| failed(&error))?;
        let call = format!("{}@{}", random_word()?, hop.host.trim_matches(['[', ']']));
        let request = self.message(to, item, &call)?;
        let mut exchange = Exchange::new(request, hop, self.credentials.clone(), &random_word()?);
        let outcome = loop {
            match exchange.poll(Instant::now()) {
                Step::Send(octets) => link.send(&octets).await.map_err(|error| failed(&error))?,
                Step::Over(outcome) => break outcome,
                Step::Wait(until) => {
                    let waiting = tokio::time::timeout_at(until.into(), link.receive()).await;
                    if let Ok(message) = waiting {
                        let message = message.map_err(|error| failed(&error))?;
                        exchange.receive(&message, Instant::now(), &random_word()?);
                    }
                }
            }
        };
        judge(&outcome).map(|said| format!("{call}: {said}"))
    }

    fn message(&self, to: &SipAddress, item: &Item<'_>, call: &str) -> Result<Message, Failed> {
        let uri = match to.place.port {
            SIP_PORT if to.place.host.contains(':') => format!("sip:{}@[{}]", to.user, to.place.host),
            SIP_PORT => format!("sip:{}@{}", to.user, to.place.host),
            _ => format!("sip:{}@{}", to.user, to.place),
        };
        let mut fields = vec![
            Field::new("Max-Forwards", "70"),
            Field::new("From", &format!("<{}>;tag={}", self.from, random_word()?)),
            Field::new("To", &format!("<{uri}>")),
            Field::new("Call-ID", call),
            Field::new("CSeq", "1 MESSAGE"),
        ];
        if item.application {
            let wanted = format!("*;{PUSH_FEATURE}=\"{DM_FEATURE}\";require;explicit");
            fields.push(Field::new("Accept-Contact", &wanted));
        }
        fields.push(Field::new("Content-Type", &item.content_type));
        fields.extend(item.hmac.map(|hmac| Field::new(HMAC_HEADER, hmac)));
        fields.push(Field::new("Content-Transfer-Encoding", "binary"));
        Ok(Message::request("MESSAGE", &uri, fields, item.body.to_vec()))
    }
}

fn random_word() -> Result<String, Failed> {
    random::word().map_err(|error| Failed::with(error.to_string()))
}

/// What a final response means.
fn judge(outcome: &Outcome) -> Result<String, Failed> {
    let Outcome::Final(response) = outcome else {
        return Err(Failed::with("nobody answers".to_owned()));
    };
    let code = response.code().unwrap_or_default();
    let meaning = match code {
        200..=299 => return Ok(format!("{code}")),
        401 | 407 => "it wants credentials (sip.user), or others than those",
        403 => "it is refused",
        404 | 604 => "there is no such user",
        408 | 480 => "the user cannot be reached now",
        415 => "the device does not take that media type",
        486 | 600 => "the user is busy",
        488 | 606 => "no device of the user takes pushes for device management",
        503 => "the network has no room for it now",
        _ => "it was not taken",
    };
    Err(Failed::with(format!("{code}: {meaning}")))
}

/// A way to the next hop.
enum Link {
    Udp(UdpSocket),
    /// With what came and was not read yet.
    Tcp(TcpStream, Vec<u8>),
}

impl Link {
    async fn open(to: &Place, transport: SipTransport) -> std::io::Result<Self> {
        let address = lookup_host((to.host.as_str(), to.port)).await?.next();
        let address = address.ok_or_else(|| std::io::Error::other("it has no address"))?;
        match transport {
            SipTransport::Tcp => {
                TcpStream::connect(address).await.map(|stream| Self::Tcp(stream, Vec::new()))
            }
            SipTransport::Udp => {
                let local: SocketAddr = match address {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(local).await?;
                socket.connect(address).await?;
                Ok(Self::Udp(socket))
            }
        }
    }

    /// Our end.
    fn hop(&self) -> std::io::Result<Hop> {
        let (transport, local) = match self {
            Self::Udp(socket) => ("UDP", socket.local_addr()?),
            Self::Tcp(stream, _) => ("TCP", stream.local_addr()?),
        };
        let host = match local {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        Ok(Hop { transport, host, port: local.port() })
    }

    async fn send(&mut self, octets: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(octets).await.map(drop),
            Self::Tcp(stream, _) => stream.write_all(octets).await,
        }
    }

    /// The next message; nothing is lost when the future is dropped. What is none is passed over where it does no harm.
    async fn receive(&mut self) -> std::io::Result<Message> {
        let limits = Limits { bytes: MAX_MESSAGE, ..Limits::default() };
        let malformed = |error: &dyn std::fmt::Display| std::io::Error::other(error.to_string());
        match self {
            Self::Udp(socket) => {
                let mut buffer = vec![0; MAX_MESSAGE];
                loop {
                    let length = socket.recv(&mut buffer).await?;
                    match sip::decode(buffer.get(..length).unwrap_or_default(), &limits) {
                        Ok(message) => return Ok(message),
                        Err(error) => tracing::debug!("a datagram is no answer of SIP: {error}"),
                    }
                }
            }
            Self::Tcp(stream, buffer) => loop {
                if let Some(length) = sip::frame(buffer, &limits).map_err(|error| malformed(&error))? {
                    let octets: Vec<u8> = buffer.drain(..length).collect();
                    let start = octets.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
                    let message = sip::decode(octets.get(start..).unwrap_or_default(), &limits);
                    return message.map_err(|error| malformed(&error));
                }
                if stream.read_buf(buffer).await? == 0 {
                    return Err(std::io::Error::other("the connection was closed without an answer"));
                }
            },
        }
    }
}
