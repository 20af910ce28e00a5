//! The network of a nasty device: it plays a trick with every message, then lets the message through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Method;
use omadm_client::{HttpRequest, HttpResponse, HttpsTransport, Transport, TransportError};
use omadm_codec::dm1::{self, AlertCode, Command, Encoding};
use omadm_codec::{Leniency, Limits};

use super::{OfNetwork, Trick};

/// A transport that can be nasty.
#[derive(Clone)]
pub struct Nasty {
    inner: HttpsTransport,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is played; `None` is a good network.
    trick: Option<Trick>,
    /// For tricks that change octets.
    chance: u64,
    /// The largest message that the server takes.
    most: Option<u64>,
    /// The message before.
    before: Option<HttpRequest>,
    /// The message whose answer was lost.
    lost: Option<Bytes>,
    /// How the server answered.
    answers: BTreeMap<(Trick, String), u64>,
    /// What it must not do.
    faults: Vec<String>,
}

/// What came of the tricks.
#[derive(Default)]
pub struct Heard {
    /// How often the server answered a trick in which way.
    pub answers: BTreeMap<(Trick, String), u64>,
    /// What it must not do.
    pub faults: Vec<String>,
}

impl Nasty {
    pub fn new(inner: HttpsTransport, seed: u64) -> Self {
        let state = State { chance: seed, ..State::default() };
        Self { inner, state: Arc::new(Mutex::new(state)) }
    }

    /// Begins another session with this trick, or with none.
    pub fn play(&self, trick: Option<Trick>) {
        let mut state = self.state();
        (state.trick, state.before, state.lost) = (trick, None, None);
        state.chance = state.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }

    /// What was heard so far; given once.
    pub fn heard(&self) -> Heard {
        let mut state = self.state();
        Heard { answers: std::mem::take(&mut state.answers), faults: std::mem::take(&mut state.faults) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, trick: Trick, answer: String) {
        let mut state = self.state();
        if answer.starts_with("HTTP 5") && !answer.starts_with("HTTP 503") {
            state.faults.push(format!("{}: {answer}", trick.name()));
        }
        let count = state.answers.entry((trick, answer)).or_default();
        *count = count.saturating_add(1);
    }

    /// Sends what the server shall not like. That it closes the connection is an answer, too.
    async fn provoke(&self, trick: Trick, request: HttpRequest) {
        let answer = match self.inner.send(request).await {
            Ok(reply) => told(&reply),
            Err(_) => "no answer".to_owned(),
        };
        self.note(trick, answer);
    }

    /// The good message again has to get the answer that it had.
    async fn repeat(&self, trick: Trick, request: HttpRequest, first: &HttpResponse) {
        let again = self.inner.send(request).await;
        let answer = match again {
            Ok(again) if again.status == first.status && *again.body == *first.body => {
                "the same answer".to_owned()
            }
            Ok(again) => format!("another answer: {}", told(&again)),
            Err(error) => format!("no answer: {error}"),
        };
        if answer != "the same answer" {
            self.state().faults.push(format!("{}: {answer}", trick.name()));
        }
        self.note(trick, answer);
    }

    fn learn(&self, reply: &HttpResponse) {
        let most = read(reply).and_then(|message| message.header.meta.max_message_size);
        let mut state = self.state();
        state.most = most.or(state.most);
    }
}

impl Transport for Nasty {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let (trick, most, chance) = {
            let state = self.state();
            (state.trick, state.most, state.chance)
        };
        let Some(trick) = trick.filter(|_| request.method == Method::POST) else {
            return self.inner.send(request).await;
        };
        if let Some(broken) = trick.play(&request, most, chance) {
            self.provoke(trick, broken).await;
        }
        let reply = self.inner.send(request.clone()).await?;
        self.learn(&reply);
        match trick.of_network() {
            Some(OfNetwork::Repeated) => self.repeat(trick, request, &reply).await,
            Some(OfNetwork::Late) => {
                let before = self.state().before.replace(request);
                if let Some(before) = before {
                    self.provoke(trick, before).await;
                }
            }
            Some(OfNetwork::ReplyLost) => {
                let is_lost = self.state().lost.replace(request.body.clone()) != Some(request.body.clone());
                if is_lost {
                    self.note(trick, "sent again".to_owned());
                    let host = request.uri.host().unwrap_or_default().to_owned();
                    return Err(TransportError::Failed { host, reason: "the answer is lost".to_owned() });
                }
            }
            None => {}
        }
        Ok(reply)
    }
}

fn read(reply: &HttpResponse) -> Option<dm1::Message<'static>> {
    let encoding = Encoding::sniff(&reply.body)?;
    let limits = Limits { bytes: reply.body.len(), ..Limits::default() };
    let decoded = dm1::decode(&reply.body, encoding, &limits, &mut Leniency::lenient()).ok()?;
    Some(decoded.message.into_owned())
}

/// A package of DM 2.0 in a few words.
fn package(reply: &HttpResponse) -> String {
    let package = serde_json::from_slice::<serde_json::Value>(&reply.body).ok();
    let commands = package.as_ref().and_then(|package| package.get("CMD")?.as_array());
    match commands.map(Vec::as_slice) {
        None => "HTTP 200 and no message".to_owned(),
        Some([end]) if *end == serde_json::json!(["END"]) => "END".to_owned(),
        Some(commands) => format!("{} commands", commands.len()),
    }
}

/// An answer in a few words: its HTTP status, or the status of the header, those of the commands, and whether it ends the session.
fn told(reply: &HttpResponse) -> String {
    if reply.status != 200 {
        return format!("HTTP {}", reply.status.as_u16());
    }
    let Some(message) = read(reply) else { return package(reply) };
    let (mut header, mut codes, mut aborts) = ("no status".to_owned(), Vec::new(), false);
    for command in &message.commands {
        match command {
            Command::Status(status) if status.cmd_ref == "0" => header = format!("status {}", status.code),
            Command::Status(status) => codes.push(status.code.to_string()),
            Command::Alert(alert) => aborts |= AlertCode::parse(&alert.code) == Some(AlertCode::SessionAbort),
            _ => {}
        }
    }
    codes.sort();
    codes.dedup();
    if !codes.is_empty() {
        header += &format!(", commands {}", codes.join(" "));
    }
    if aborts {
        header += ", abort";
    }
    header
}
