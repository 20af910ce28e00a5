//! How local applications reach a running agent: a socket in its data directory, a line of JSON for a request and one for its
//! answer. Only the user that the agent runs as can open it.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use omadm_client::dm1::GenericAlert;
use omadm_client::{Client, Provisioned};
use omadm_mo::{Moid, ServerId};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::calls::Calls;
use crate::error::AgentError;

const SOCKET: &str = "agent.sock";
/// Longest request and answer in octets.
const MAX_LINE: u64 = 64 << 10;
/// Longest wait for a request that was begun: sessions wait meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// What an application asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    /// The instances of a MOID, fetched if there are none (`DM 2.0 §5.3.10`).
    Provision(String),
    /// A push that came in a way of this machine's own: SMS-DELIVER, in hexadecimal digits.
    Sms(String),
    /// The same: a push PDU of WSP, in hexadecimal digits.
    Push(String),
    /// The same: the data of a message of a cloud service (`DM 2.0 §E.2.4`).
    Cloud(serde_json::Value),
    /// Tells a server where the cloud service reaches this device (`DM 2.0 §E.2.3`).
    Register { server: String, reg_id: String },
    /// Tells it that this is over.
    Unregister { server: String, reg_id: String },
    /// Looks at once at what has changed on the machine.
    Look,
    /// Reports something to a server of DM 1.x without a session (`DM 1.3 Sessionless Reporting §5.1`).
    Report {
        server: String,
        /// A URN or a media type.
        #[serde(rename = "type")]
        alert_type: String,
        data: String,
        /// What it is about, such as `./DevInfo`.
        #[serde(default)]
        source: Option<String>,
    },
}

/// What it gets.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Provisioned { instances: Vec<String>, fetched: bool },
    Taken,
    Refused(String),
}

/// What [`provision`] gives: addresses, and whether they had to be fetched.
pub type Instances = (Vec<String>, bool);

/// The socket of a running agent; it is removed with this value.
pub struct Door {
    /// `None` when it could not be opened.
    listener: Option<UnixListener>,
    path: PathBuf,
}

impl Door {
    /// Opens the socket. The caller holds the lock of the data directory, so one that is there is left over from a kill. A socket
    /// that cannot be opened is told: servers reach the device all the same.
    pub fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(SOCKET);
        let listener = listen(&path);
        if let Err(error) = &listener {
            tracing::error!("{} cannot be opened for local applications: {error}", path.display());
        }
        Self { listener: listener.ok(), path }
    }

    /// Waits for an application.
    pub async fn knock(&self) -> Option<UnixStream> {
        let Some(listener) = &self.listener else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => Some(stream),
            Err(error) => {
                tracing::warn!("a local application could not be let in: {error}");
                // Such as too many open files: it does not get better by trying at once.
                tokio::time::sleep(PATIENCE).await;
                None
            }
        }
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Drop for Door {
    fn drop(&mut self) {
        // What is left over does no harm: the next start removes it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves one application; trouble with it is its own.
pub async fn serve(client: &mut Client, calls: &mut Calls, stream: UnixStream) {
    let mut stream = BufReader::new(stream.take(MAX_LINE));
    let mut line = String::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_line(&mut line)).await;
    let answer = match (read, serde_json::from_str(&line)) {
        (Ok(Ok(_)), Ok(request)) => answer(client, calls, request).await,
        _ => Answer::Refused("a request is one line of JSON, such as {\"provision\":\"urn:…\"}".to_owned()),
    };
    let answer = serde_json::to_string(&answer).unwrap_or_default() + "\n";
    let written = stream.into_inner().into_inner().write_all(answer.as_bytes()).await;
    if let Err(error) = written {
        tracing::debug!("a local application did not wait for its answer: {error}");
    }
}

async fn answer(client: &mut Client, calls: &mut Calls, request: Request) -> Answer {
    let done = match request {
        // Whoever is answered has let the main loop go round.
        Request::Look => Ok(()),
        Request::Provision(moid) => return provide(client, &moid).await,
        Request::Sms(digits) => match octets(&digits) {
            Some(tpdu) => calls.short_message(client, &tpdu).map_err(|why| why.to_string()),
            None => Err(NOT_HEX.to_owned()),
        },
        Request::Push(digits) => match octets(&digits) {
            Some(pdu) => calls.push(client, &pdu).map_err(|why| why.to_string()),
            None => Err(NOT_HEX.to_owned()),
        },
        Request::Cloud(data) => {
            calls.cloud_message(client, data.to_string().as_bytes()).map_err(|why| why.to_string())
        }
        Request::Register { server, reg_id } => match ServerId::parse(&server) {
            Ok(server) => client.register_push(&server, &reg_id).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
        Request::Unregister { server, reg_id } => match ServerId::parse(&server) {
            Ok(server) => client.unregister_push(&server, &reg_id).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
        Request::Report { server, alert_type, data, source } => match ServerId::parse(&server) {
            Ok(server) => {
                let alert = GenericAlert { source, ..GenericAlert::new(alert_type, data) };
                client.device_mut().report_dm1(&server, alert).map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        },
    };
    done.map_or_else(Answer::Refused, |()| Answer::Taken)
}

const NOT_HEX: &str = "an even number of hexadecimal digits is wanted";

fn octets(digits: &str) -> Option<Vec<u8>> {
    let octet = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let pairs = digits.as_bytes().chunks(2);
    let legal = digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    legal.then(|| pairs.map(octet).collect()).flatten()
}

async fn provide(client: &mut Client, moid: &str) -> Answer {
    let provisioned = match Moid::parse(moid) {
        Ok(moid) => client.provision(&moid).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match provisioned {
        Ok(Provisioned { instances, fetched }) => {
            Answer::Provisioned { instances: instances.iter().map(ToString::to_string).collect(), fetched }
        }
        Err(reason) => Answer::Refused(reason),
    }
}

/// Asks the agent that runs on this data directory for instances; `None` when none does.
pub async fn provision(data_dir: &Path, moid: &str) -> Result<Option<Instances>, AgentError> {
    match ask(data_dir, &Request::Provision(moid.to_owned())).await? {
        None => Ok(None),
        Some(Answer::Provisioned { instances, fetched }) => Ok(Some((instances, fetched))),
        Some(Answer::Refused(reason)) => Err(AgentError::Refused(reason)),
        Some(Answer::Taken) => Err(no_answer(data_dir)),
    }
}

/// Has the agent that runs on this data directory look what has changed on the machine; where none does there is nothing to do.
pub async fn look(data_dir: &Path) -> Result<(), AgentError> {
    ask(data_dir, &Request::Look).await.map(drop)
}

async fn ask(data_dir: &Path, request: &Request) -> Result<Option<Answer>, AgentError> {
    let path = data_dir.join(SOCKET);
    let Ok(mut stream) = UnixStream::connect(&path).await else { return Ok(None) };
    let error = |source| AgentError::File { action: "ask the agent at", path: path.clone(), source };
    let request = serde_json::to_string(request).unwrap_or_default() + "\n";
    stream.write_all(request.as_bytes()).await.map_err(error)?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut line).await.map_err(error)?;
    serde_json::from_str(&line).map(Some).map_err(|_| no_answer(data_dir))
}

fn no_answer(data_dir: &Path) -> AgentError {
    AgentError::Refused(format!("the agent at {} gave no answer", data_dir.join(SOCKET).display()))
}
