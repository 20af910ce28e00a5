//! The server as OBEX client: it calls a device over a local link, puts what it has for it, and manages it over the same link.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omadm_codec::obex::ResponseCode;
use omadm_link::{Failure, LinkAddress, LinkError, MESSAGES, ObexClient, Object, Settings, connect};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::ServerError;
use crate::config::Config;
use crate::context::Context;
use crate::device::{LinkCaller, dm1};
use crate::notifier::carrier::{Content, Failed};

/// Calls that wait to be gone on with.
const WAITING: usize = 64;

/// What calls devices over local links.
pub struct Calling {
    settings: Settings,
    is_on: bool,
    connect_timeout: Duration,
    /// One for each link.
    slots: Arc<Semaphore>,
    called: mpsc::Sender<Call>,
    /// The other end, until somebody has taken it.
    calls: Mutex<Option<mpsc::Receiver<Call>>>,
}

/// A device that has taken what was put, and may begin a session now.
pub struct Call {
    link: ObexClient<TcpStream>,
    to: LinkAddress,
    peer: SocketAddr,
    _slot: OwnedSemaphorePermit,
}

impl Calling {
    /// As the configuration says.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn new(config: &Config) -> Result<Self, ServerError> {
        let obex = &config.dm1.obex;
        let (called, calls) = mpsc::channel(WAITING);
        Ok(Self {
            settings: super::settings(config)?,
            is_on: config.dm1.enabled && obex.call,
            connect_timeout: obex.connect_timeout.0,
            slots: Arc::new(Semaphore::new(obex.max_connections)),
            called,
            calls: Mutex::new(Some(calls)),
        })
    }

    /// What either side of OBEX goes by here.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn slots(&self) -> Arc<Semaphore> {
        self.slots.clone()
    }

    /// Calls as they come; for the one who asks first.
    pub(super) fn calls(&self) -> mpsc::Receiver<Call> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner).take();
        calls.unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Whether devices are called so.
    ///
    /// # Errors
    /// Why not.
    pub fn supports(&self) -> Result<(), String> {
        let off = || "this server calls nobody over OBEX; set dm1.obex.call".to_owned();
        self.is_on.then_some(()).ok_or_else(off)
    }

    /// Connects to a device and puts a push. What the device then has to say is heard beside.
    ///
    /// # Errors
    /// When the device is not there or does not take it.
    pub async fn carry(&self, to: &LinkAddress, content: &Content<'_>) -> Result<String, Failed> {
        let slot = self.slots.clone().try_acquire_owned();
        let slot = slot.map_err(|_| {
            Failed::with("there are as many OBEX links as dm1.obex.max_connections".to_owned())
        })?;
        let failed = |error: LinkError| Failed::with(format!("{to}: {error}"));
        let stream = connect(to, self.connect_timeout).await.map_err(|error| failed(LinkError::Io(error)))?;
        let peer = peer_of(to, &stream);
        let mut link = ObexClient::connect(stream, self.settings.clone()).await.map_err(failed)?;
        let media_type = content.media.as_http();
        let object =
            Object { media_type, hmac: content.hmac.map(str::to_owned), body: content.body.to_vec().into() };
        link.put(object).await.map_err(failed)?;
        let call = Call { link, to: to.clone(), peer, _slot: slot };
        // Of a server that stops nobody is called any more.
        let _taken = self.called.try_send(call);
        Ok(format!("taken by {to}"))
    }
}

fn peer_of(to: &LinkAddress, stream: &TcpStream) -> SocketAddr {
    match to {
        LinkAddress::Rfcomm { device, .. } => SocketAddr::from((std::net::Ipv6Addr::from(*device), 0)),
        LinkAddress::Tcp { .. } => stream.peer_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0))),
    }
}

/// Manages a device that was called: gets each of its messages and puts the reply, until it has nothing more to say.
pub(super) async fn manage(context: Arc<Context>, call: Call) {
    let Call { mut link, to, peer, _slot } = call;
    match messages(&context, &mut link, &LinkCaller::at(peer)).await {
        Ok(()) => {
            if let Err(error) = link.disconnect().await {
                tracing::debug!(%to, %error, "an OBEX link broke instead of ending");
            }
        }
        Err(reason) => tracing::info!(%to, reason, "a session over OBEX ended before its time"),
    }
}

async fn messages(
    context: &Context,
    link: &mut ObexClient<TcpStream>,
    caller: &LinkCaller,
) -> Result<(), String> {
    let wanted = MESSAGES.first().copied().unwrap_or_default();
    loop {
        let message = match link.get(wanted).await {
            Err(LinkError::Obex(Failure::Refused { code: ResponseCode::NOT_FOUND, .. })) => return Ok(()),
            message => message.map_err(|error| error.to_string())?,
        };
        let tolerated = link.tolerated();
        if !tolerated.is_empty() {
            tracing::info!(peer = %caller.peer(), ?tolerated, "tolerated");
        }
        let reply = dm1::carried(context, caller, message).await.map_err(|refusal| refusal.reason)?;
        link.put(reply).await.map_err(|error| error.to_string())?;
    }
}
