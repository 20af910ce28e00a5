//! A small SMPP 3.4 client that only sends: one connection, made when it is needed and kept open.

mod pdu;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use omadm_auth::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::task::JoinHandle;

use super::carrier::Failed;
use crate::ServerError;
use crate::config::SmsSection;
use pdu::{ANSWER, HEADER, Pdu};

/// How long the service centre may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an idle connection is tried.
const ENQUIRE: Duration = Duration::from_secs(30);
/// Longest password in octets (`§5.2.2`).
const MAX_PASSWORD: usize = 8;

/// A short message.
pub struct Message {
    /// The receiver's number.
    pub to: String,
    /// User data with their header.
    pub data: Vec<u8>,
}

/// A service centre.
pub struct Smpp {
    address: String,
    system_id: String,
    system_type: String,
    password: Secret,
    source: String,
    link: AsyncMutex<Option<Arc<Link>>>,
}

/// A bound connection; dropping it ends it.
struct Link {
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

struct Shared {
    writer: AsyncMutex<OwnedWriteHalf>,
    /// Who waits for the answer to which number; `None` when the connection is over.
    waiting: Mutex<Option<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    last: u32,
    answers: HashMap<u32, oneshot::Sender<Pdu>>,
}

impl Smpp {
    /// The service centre of the configuration.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn new(settings: &SmsSection) -> Result<Self, ServerError> {
        Ok(Self {
            address: settings.address.clone().unwrap_or_default(),
            system_id: settings.system_id.clone(),
            system_type: settings.system_type.clone(),
            password: password(settings)?,
            source: settings.source.clone(),
            link: AsyncMutex::new(None),
        })
    }

    /// Hands over a message. A connection that turns out to be dead is made anew, once.
    pub async fn submit(&self, message: Message) -> Result<(), Failed> {
        let body = pdu::submit(&self.source, &message.to, &message.data);
        let (link, was_open) = self.link().await?;
        let answer = match link.ask(pdu::SUBMIT_SM, body.clone()).await {
            Err(_) if was_open => self.link().await?.0.ask(pdu::SUBMIT_SM, body).await,
            answer => answer,
        };
        let answer = answer.map_err(|error| self.failed(&error))?;
        self.judge(answer.status, "refused the message")
    }

    /// The connection, and whether it was there already.
    async fn link(&self) -> Result<(Arc<Link>, bool), Failed> {
        let mut kept = self.link.lock().await;
        if let Some(link) = kept.as_ref().filter(|link| link.is_open()) {
            return Ok((link.clone(), true));
        }
        let connecting = tokio::time::timeout(PATIENCE, TcpStream::connect(&self.address)).await;
        let stream = connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let link = Arc::new(Link::new(stream.map_err(|error| self.failed(&error))?));
        let body = pdu::bind(&self.system_id, self.password.expose(), &self.system_type);
        let answer = link.ask(pdu::BIND_TRANSMITTER, body).await.map_err(|error| self.failed(&error))?;
        self.judge(answer.status, "refused to bind")?;
        tracing::info!(address = self.address, "bound to the SMS service centre");
        *kept = Some(link.clone());
        Ok((link, false))
    }

    fn judge(&self, status: u32, what: &str) -> Result<(), Failed> {
        if status == 0 {
            return Ok(());
        }
        let said = pdu::explain(status);
        Err(Failed::with(format!("the service centre {} {what}, status {status:#x}: {said}", self.address)))
    }

    fn failed(&self, error: &io::Error) -> Failed {
        Failed::with(format!("the service centre {} cannot be reached: {error}", self.address))
    }
}

fn password(settings: &SmsSection) -> Result<Secret, ServerError> {
    let Some(path) = &settings.password_file else { return Ok(Secret::new(Vec::new())) };
    let unusable = |source| ServerError::File { what: "sms.password_file", path: path.clone(), source };
    let octets = Secret::new(std::fs::read(path).map_err(unusable)?);
    let trimmed = octets.expose().trim_ascii_end();
    if trimmed.len() > MAX_PASSWORD || trimmed.contains(&0) {
        let problem = format!("a password of SMPP has at most {MAX_PASSWORD} octets, none of them 0");
        return Err(unusable(io::Error::other(problem)));
    }
    Ok(Secret::new(trimmed.to_vec()))
}

impl Link {
    fn new(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        let waiting = Mutex::new(Some(Waiting::default()));
        let shared = Arc::new(Shared { writer: AsyncMutex::new(writer), waiting });
        let tasks = [tokio::spawn(read(reader, shared.clone())), tokio::spawn(enquire(shared.clone()))];
        Self { shared, tasks }
    }

    fn is_open(&self) -> bool {
        self.shared.waiting().is_some()
    }

    async fn ask(&self, command: u32, body: Vec<u8>) -> io::Result<Pdu> {
        self.shared.ask(command, body).await
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No answer will come any more.
    fn close(&self) {
        *self.waiting() = None;
    }

    async fn ask(&self, command: u32, body: Vec<u8>) -> io::Result<Pdu> {
        let closed = || io::Error::from(io::ErrorKind::ConnectionAborted);
        let (sequence, answer) = {
            let mut waiting = self.waiting();
            let waiting = waiting.as_mut().ok_or_else(closed)?;
            // 1 to 0x7fffffff (`§3.2`).
            waiting.last = waiting.last % 0x7fff_ffff + 1;
            let (sender, answer) = oneshot::channel();
            waiting.answers.insert(waiting.last, sender);
            (waiting.last, answer)
        };
        let exchange = async {
            self.send(&Pdu { command, status: 0, sequence, body }).await?;
            answer.await.map_err(|_| closed())
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if answer.is_err() {
            // What does not answer in time is not relied on any more.
            self.close();
        }
        answer
    }

    async fn send(&self, pdu: &Pdu) -> io::Result<()> {
        self.writer.lock().await.write_all(&pdu.encode()).await
    }

    /// Deals with a PDU from the service centre; `false` when it ends the connection.
    async fn take(&self, pdu: Pdu) -> io::Result<bool> {
        if pdu.command & ANSWER != 0 {
            let waiter = self.waiting().as_mut().and_then(|waiting| waiting.answers.remove(&pdu.sequence));
            // Who no longer waits has given up already.
            let _gone = waiter.map(|waiter| waiter.send(pdu));
            return Ok(true);
        }
        let (command, status) = match pdu.command {
            pdu::ENQUIRE_LINK | pdu::UNBIND => (pdu.command | ANSWER, 0),
            _ => (pdu::GENERIC_NACK, pdu::INVALID_COMMAND),
        };
        self.send(&Pdu { command, status, sequence: pdu.sequence, body: Vec::new() }).await?;
        Ok(pdu.command != pdu::UNBIND)
    }
}

/// Reads until the connection is over.
async fn read(mut reader: OwnedReadHalf, shared: Arc<Shared>) {
    loop {
        let taken = match next(&mut reader).await {
            Ok(pdu) => shared.take(pdu).await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::info!(%error, "the connection to the SMS service centre is over");
                break;
            }
        }
    }
    shared.close();
}

async fn next(reader: &mut OwnedReadHalf) -> io::Result<Pdu> {
    let mut header = [0; HEADER];
    reader.read_exact(&mut header).await?;
    let (mut pdu, rest) =
        Pdu::head(header).ok_or_else(|| io::Error::other("a PDU of an impossible length"))?;
    pdu.body.resize(rest, 0);
    reader.read_exact(&mut pdu.body).await?;
    Ok(pdu)
}

/// Tries the connection while it is open, so that a dead one is known before it is needed.
async fn enquire(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(ENQUIRE).await;
        if shared.ask(pdu::ENQUIRE_LINK, Vec::new()).await.is_err() {
            return;
        }
    }
}
