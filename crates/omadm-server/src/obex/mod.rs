//! DM 1.x over local links (`DM 1.3 OBEX binding`): devices that connect by OBEX, and devices that are called by it.
//!
//! Whoever is OBEX client, messages go the way of those of HTTP: the same engine, queue, store and trace.

mod calling;

use calling::Call;
pub use calling::Calling;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use omadm_codec::obex::ResponseCode;
use omadm_link::{Accepted, Event, LinkListener, ObexServer, Object, Settings};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::{Config, ObexSection};
use crate::context::Context;
use crate::device::{LinkCaller, dm1};
use crate::metrics::Listener;
use crate::{ServerError, random};

/// Pause after a failed accept, such as when file descriptors are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Opens what `dm1.obex.listen` says.
///
/// # Errors
/// When it cannot be listened on.
pub async fn listen(config: &ObexSection) -> Result<Option<LinkListener>, ServerError> {
    let Some(address) = config.listen else { return Ok(None) };
    let listener = LinkListener::bind(address).await.map_err(|error| ServerError::Setting {
        key: "dm1.obex.listen".to_owned(),
        problem: format!("cannot listen on {address}: {error}"),
    })?;
    let at = listener.local().map_or_else(|| address.to_string(), |local| local.to_string());
    tracing::warn!(
        address = at,
        "dm1.obex.listen is on: OBEX is not encrypted, and everyone on the way reads what comes and goes there; keep it to local links"
    );
    Ok(Some(listener))
}

/// Serves links, those that come in and those that were called, until `stop` says so. Then they are cut: what a device has said is
/// durable before it is answered, and a session can begin anew.
pub async fn run(context: Arc<Context>, listener: Option<LinkListener>, mut stop: watch::Receiver<bool>) {
    let calling = &context.notifier.carrier.calling;
    let slots = calling.slots();
    let mut calls = calling.calls();
    let mut tasks = JoinSet::new();
    loop {
        let next = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = accept(listener.as_ref(), &slots) => Next::Accepted(accepted),
            call = calls.recv() => Next::Called(call.map(Box::new)),
        };
        match next {
            Next::Accepted(Ok((slot, accepted))) => {
                tasks.spawn(converse(context.clone(), accepted, slot));
            }
            Next::Accepted(Err(error)) => {
                tracing::warn!(%error, "a link could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Next::Called(Some(call)) => {
                tasks.spawn(calling::manage(context.clone(), *call));
            }
            Next::Called(None) => return,
        }
        while tasks.try_join_next().is_some() {}
    }
}

/// A link to go on with.
enum Next {
    Accepted(std::io::Result<(OwnedSemaphorePermit, Accepted)>),
    Called(Option<Box<Call>>),
}

async fn accept(
    listener: Option<&LinkListener>,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(OwnedSemaphorePermit, Accepted)> {
    let Some(listener) = listener else { return std::future::pending().await };
    let slot = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    Ok((slot, listener.accept().await?))
}

/// What either side of OBEX goes by here.
fn settings(config: &Config) -> Result<Settings, ServerError> {
    let obex = &config.dm1.obex;
    let most = config.dm1.max_message.0;
    let credentials = obex.credentials().map_err(|source| ServerError::File {
        what: "dm1.obex.password_file",
        path: obex.password_file.clone().unwrap_or_default(),
        source,
    })?;
    let settings = obex.settings(most.saturating_add(most / 10), config.device.strict);
    Ok(Settings { credentials, ..settings })
}

/// Serves a device that is OBEX client.
async fn converse(context: Arc<Context>, accepted: Accepted, _slot: OwnedSemaphorePermit) {
    let Accepted { stream, peer } = accepted;
    let nonce = match random::octets() {
        Ok(nonce) => nonce,
        Err(error) => return tracing::error!(%error, "a link cannot be served"),
    };
    let mut link = ObexServer::serve(stream, context.notifier.carrier.calling.settings().clone(), nonce);
    let caller = LinkCaller::at(peer);
    while let Some(event) = link.event().await {
        match event {
            Event::Put(object) => reply(&context, &caller, &mut link, object).await,
            other => tell(peer, &other),
        }
    }
}

/// Takes a message, and has its reply ready, unless the device takes it back.
async fn reply(context: &Context, caller: &LinkCaller, link: &mut ObexServer, object: Object) {
    let began = Instant::now();
    let mut work = pin!(dm1::carried(context, caller, object));
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            event = link.event() => match event {
                Some(event @ (Event::Get | Event::Tolerated(_))) => tell(caller.peer(), &event),
                Some(event) => return tell(caller.peer(), &event),
                None => return,
            },
        }
    };
    let status = outcome.as_ref().map_or_else(|refusal| refusal.http_status, |_| 200);
    context.metrics.answered(Listener::Obex, status, began);
    match outcome {
        Ok(reply) => link.answer(reply),
        Err(refusal) => {
            tracing::info!(peer = %caller.peer(), reason = refusal.reason, "a message over OBEX was refused");
            link.decline(ResponseCode::of_http(refusal.http_status));
        }
    }
}

/// Tells the log of what happened on a link.
fn tell(peer: SocketAddr, event: &Event) {
    match event {
        Event::Connected { user } => tracing::info!(%peer, user, "connected by OBEX"),
        Event::Tolerated(tolerance) => tracing::info!(%peer, %tolerance, "tolerated"),
        Event::Aborted => tracing::info!(%peer, "an OBEX operation was aborted, and the session with it"),
        Event::Over(Some(failure)) => tracing::info!(%peer, %failure, "an OBEX link ended"),
        Event::Over(None) => tracing::debug!(%peer, "disconnected by OBEX"),
        Event::Transmit(_) | Event::Put(_) | Event::Get | Event::Answered => {}
    }
}
