//! A request of ours until its final response.

use std::time::{Duration, Instant};

use omadm_auth::Secret;
use omadm_auth::digest::{Answers, Hash};
use omadm_auth::header::Challenge;
use omadm_codec::sip::{Field, MAGIC_COOKIE, Message, Start, Via};

use super::{T1, T2, TRANSACTION};

/// Digests that challenges may ask for, the best first. SIP has lived with MD5 since `RFC 3261 §22.4`.
const DIGESTS: [Hash; 3] = [Hash::Sha256, Hash::Sha512_256, Hash::Md5];
/// Most challenges of one kind in a row that are answered: the first, and one that says that its nonce has aged.
const MAX_ANSWERS: u32 = 2;

/// How a request leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// `UDP` or `TCP`.
    pub transport: &'static str,
    /// Our host, IPv6 in brackets.
    pub host: String,
    /// Our port.
    pub port: u16,
}

/// Who we are to whoever challenges us.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password.
    pub secret: Secret,
}

/// A transaction of a request that is no INVITE (`RFC 3261 §17.1.2`), and of those that repeat it with credentials (`§22.2`).
#[derive(Debug)]
pub struct Exchange {
    /// Without `Via`.
    request: Message,
    hop: Hop,
    credentials: Option<Credentials>,
    answered: u32,
    branch: String,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Not on the wire yet.
    Unsent,
    /// Waits for a response.
    Waiting {
        /// When to send again; `None` where the transport is reliable.
        next: Option<Instant>,
        pause: Duration,
        until: Instant,
    },
    Over(Outcome),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this final response.
    Final(Box<Message>),
    /// With none in time (`RFC 3261`, timer F).
    TimedOut,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this, and ask again.
    Send(Vec<u8>),
    /// Wait for a response, until then at most.
    Wait(Instant),
    /// It is over.
    Over(Outcome),
}

impl Exchange {
    /// Begins with `request`, which has no `Via` yet; `unique` is a word that nobody can guess.
    #[must_use]
    pub fn new(request: Message, hop: Hop, credentials: Option<Credentials>, unique: &str) -> Self {
        let branch = branch(unique);
        Self { request, hop, credentials, answered: 0, branch, phase: Phase::Unsent }
    }

    /// What is to be done now.
    pub fn poll(&mut self, now: Instant) -> Step {
        let reliable = self.hop.transport != "UDP";
        match &mut self.phase {
            Phase::Over(outcome) => Step::Over(outcome.clone()),
            Phase::Unsent => {
                let next = (!reliable).then_some(now + T1);
                self.phase = Phase::Waiting { next, pause: T1, until: now + TRANSACTION };
                Step::Send(self.octets())
            }
            Phase::Waiting { until, .. } if *until <= now => {
                self.phase = Phase::Over(Outcome::TimedOut);
                Step::Over(Outcome::TimedOut)
            }
            Phase::Waiting { next: Some(next), pause, .. } if *next <= now => {
                *pause = pause.saturating_mul(2).min(T2);
                *next = now + *pause;
                Step::Send(self.octets())
            }
            Phase::Waiting { next, until, .. } => Step::Wait(next.map_or(*until, |next| next.min(*until))),
        }
    }

    /// Takes a message; whether it is a response to this request. `unique` is another word that nobody can guess, for the case that the
    /// request has to be repeated with credentials.
    pub fn receive(&mut self, response: &Message, now: Instant, unique: &str) -> bool {
        let Some(code) = response.code().filter(|_| self.is_answered_by(response)) else { return false };
        let Phase::Waiting { next, pause, .. } = &mut self.phase else { return true };
        if code < 200 {
            // It is being worked on: from now on at the longest pause.
            *pause = T2;
            *next = next.map(|_| now + T2);
        } else if !self.answer(code, response, unique) {
            self.phase = Phase::Over(Outcome::Final(Box::new(response.clone())));
        }
        true
    }

    /// The response belongs to this transaction (`RFC 3261 §17.1.3`).
    fn is_answered_by(&self, response: &Message) -> bool {
        let method = self.request.method();
        response.via().is_some_and(|via| via.branch() == Some(&self.branch))
            && response.cseq().is_some_and(|cseq| Some(cseq.method.as_str()) == method)
    }

    /// Answers a challenge; whether the request goes out again.
    fn answer(&mut self, code: u16, response: &Message, unique: &str) -> bool {
        let (challenge, authorization) = match code {
            401 => ("WWW-Authenticate", "Authorization"),
            407 => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return false,
        };
        let Some(credentials) = &self.credentials else { return false };
        let challenges: Vec<Challenge> =
            response.all(challenge).filter_map(Challenge::read_all).flatten().collect();
        let before = self.request.fields.iter().any(|field| field.is(authorization));
        if self.answered >= MAX_ANSWERS || before && !Answers::is_only_stale(&challenges) {
            return false;
        }
        let who = (credentials.user.as_str(), &credentials.secret);
        let Some(mut answers) = Answers::to(&challenges, who, &DIGESTS, false, unique.to_owned()) else {
            return false;
        };
        let Start::Request { method, uri } = &self.request.start else { return false };
        let value = answers.authorize(method, uri, &self.request.body);
        self.answered += 1;
        self.request.fields.retain(|field| !field.is(authorization));
        self.request.fields.push(Field::new(authorization, &value));
        self.count_up();
        self.branch = branch(unique);
        self.phase = Phase::Unsent;
        true
    }

    /// `CSeq` of the request that comes next.
    fn count_up(&mut self) {
        let Some(cseq) = self.request.cseq() else { return };
        let value = format!("{} {}", cseq.number.saturating_add(1), cseq.method);
        if let Some(field) = self.request.fields.iter_mut().find(|field| field.is("CSeq")) {
            *field = Field::new("CSeq", &value);
        }
    }

    /// The number of the request that was sent last.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.request.cseq().map_or(0, |cseq| cseq.number)
    }

    fn octets(&self) -> Vec<u8> {
        let Hop { transport, host, port } = &self.hop;
        let via = Via::new(transport, host, *port, &self.branch);
        let mut request = self.request.clone();
        request.fields.insert(0, Field::new("Via", &via.to_string()));
        let mut octets = Vec::new();
        request.encode(&mut octets);
        octets
    }
}

fn branch(unique: &str) -> String {
    format!("{MAGIC_COOKIE}{unique}")
}
