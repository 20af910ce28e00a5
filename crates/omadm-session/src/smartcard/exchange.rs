//! From a command to what it was answered, whatever it takes in between: GET RESPONSE, the right Le, secure messaging.

use omadm_auth::scp03::HostSession;
use omadm_codec::Limits;
use omadm_codec::smartcard::status::Next;
use omadm_codec::smartcard::{Class, Command, Expected, Response, StatusWord};
use zeroize::Zeroizing;

use super::CardError;
use super::secure::{unwrap, wrap};

/// Longest answer to one command in octets, over however many GET RESPONSE.
const MAX_ANSWER: usize = 0x1_0000;
/// Most octets to read at once through a secure channel, padding and MAC included in the 256 of an answer.
const SECURED_BLOCK: u32 = 0xE0;

/// What comes next.
pub(super) enum Step {
    Transmit(Zeroizing<Vec<u8>>),
    Answered(Response),
}

/// The command that is under way.
struct Pending {
    /// On whose channel GET RESPONSE goes.
    class: Class,
    /// What was sent last.
    sent: Command,
    /// What came before the last GET RESPONSE.
    data: Zeroizing<Vec<u8>>,
    /// The right Le was told already.
    told: bool,
}

/// Commands on a card, one after the other.
pub(super) struct Exchange {
    t0: bool,
    session: Option<HostSession>,
    pending: Option<Pending>,
    left: u32,
    limit: u32,
}

impl Exchange {
    pub(super) fn new(t0: bool, limit: u32) -> Self {
        Self { t0, session: None, pending: None, left: limit, limit }
    }

    /// From now on commands go through a secure channel; `None` ends it.
    pub(super) fn secure(&mut self, session: Option<HostSession>) {
        self.session = session;
    }

    pub(super) fn is_secured(&self) -> bool {
        self.session.is_some()
    }

    /// Most octets to read or write at once.
    pub(super) fn block(&self, class: Class) -> Expected {
        let octets = match () {
            () if self.is_secured() => SECURED_BLOCK,
            () if class == Class::SIM => 0xFF,
            () => 0x100,
        };
        Expected::new(octets).unwrap_or(Expected::ALL)
    }

    /// Begins a command.
    pub(super) fn begin(&mut self, command: Command) -> Result<Zeroizing<Vec<u8>>, CardError> {
        let class = command.class;
        let sent = match &mut self.session {
            None => command,
            Some(session) => wrap(session, &command)?,
        };
        self.send(Pending { class, sent, data: Zeroizing::default(), told: false })
    }

    fn send(&mut self, pending: Pending) -> Result<Zeroizing<Vec<u8>>, CardError> {
        self.left = self.left.checked_sub(1).ok_or(CardError::TooMany { limit: self.limit })?;
        let both = !pending.sent.data().is_empty() && pending.sent.expected.is_some();
        let octets = if self.t0 && both {
            let mut said = pending.sent.clone();
            said.expected = None;
            said.encode()
        } else {
            pending.sent.encode()
        };
        self.pending = Some(pending);
        Ok(octets)
    }

    /// Takes an answer.
    pub(super) fn handle(&mut self, octets: &[u8], doing: &'static str) -> Result<Step, CardError> {
        let mut pending = self.pending.take().ok_or(CardError::OutOfTurn)?;
        let limits = Limits { bytes: MAX_ANSWER, ..Limits::default() };
        let unreadable = |source| CardError::Content { doing, source };
        let response = Response::decode(octets, &limits).map_err(unreadable)?;
        match response.status.next() {
            Next::GetResponse(waiting) => {
                pending.collect(&response, doing)?;
                pending.sent = Command::get_response(pending.class, waiting);
                pending.told = false;
                self.send(pending).map(Step::Transmit)
            }
            Next::Again(exact) if !pending.told => {
                pending.sent.expected = Some(exact);
                pending.told = true;
                self.send(pending).map(Step::Transmit)
            }
            _ => {
                pending.collect(&response, doing)?;
                self.answered(&pending.data, response.status).map(Step::Answered)
            }
        }
    }

    fn answered(&mut self, data: &[u8], status: StatusWord) -> Result<Response, CardError> {
        let Some(session) = &mut self.session else { return Ok(Response::new(data.to_vec(), status)) };
        unwrap(session, data, status)
    }
}

impl Pending {
    fn collect(&mut self, response: &Response, doing: &'static str) -> Result<(), CardError> {
        if self.data.len().saturating_add(response.data().len()) > MAX_ANSWER {
            return Err(CardError::TooLarge { doing, limit: MAX_ANSWER });
        }
        // What grows leaves copies behind.
        let mut all =
            Zeroizing::new(Vec::with_capacity(self.data.len().saturating_add(response.data().len())));
        all.extend_from_slice(&self.data);
        all.extend_from_slice(response.data());
        self.data = all;
        Ok(())
    }
}
