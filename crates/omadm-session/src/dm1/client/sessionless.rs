//! Commands without a session (`DM 1.3 Sessionless Command Message`): a message that a server pushes, and that nobody answers. Its text was
//! never published, so all but the commands themselves is [choice]: the header is complete, with the `SessionID` of what belongs to no
//! session; the MAC of the message proves the server; and what would want an answer makes the whole message unfit.

use omadm_codec::Leniency;
use omadm_codec::dm1::{self, Command, Message, Operation, OperationKind, Version};
use omadm_mo::Tree;

use super::auth::{Evidence, Proven, ServerProof};
use super::config::{Account, Config, Start, Trigger, UserInteraction};
use super::exchange::Fresh;
use super::receive::encoding;
use super::send::Answer;
use super::session::Session;

/// `SessionID` of what belongs to no session [choice].
pub(super) const NO_SESSION: &str = "0";

/// A message with commands that came without a session.
#[derive(Clone, Debug)]
pub struct Sessionless<'m> {
    message: Message<'m>,
    body: &'m [u8],
    number: u64,
    leniency: Leniency,
}

/// Why a message without a session is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is no message.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// A part of the header is not as it has to be.
    #[error("its {0} is not that of a message to this device without a session")]
    Header(&'static str),
    /// It has no Final, or no commands.
    #[error("it is not whole, or has no commands")]
    Incomplete,
    /// It has something in it that wants an answer, or is one.
    #[error("{0} has no place in a message that nobody answers")]
    Misplaced(&'static str),
}

impl<'m> Sessionless<'m> {
    /// Reads a message, and looks whether it is one that may come without a session.
    ///
    /// # Errors
    /// [`Unfit`]
    pub fn read(config: &Config, content_type: &str, body: &'m [u8]) -> Result<Self, Unfit> {
        let mut leniency = if config.strict { Leniency::strict() } else { Leniency::lenient() };
        let encoding = encoding(Some(content_type), body, &mut leniency).map_err(Unfit::Unreadable)?;
        let decoded = dm1::decode(body, encoding, &config.limits, &mut leniency);
        let message = decoded.map_err(|error| Unfit::Unreadable(error.to_string()))?.message;
        let header = &message.header;
        if Version::of(header) != Ok(Version::Dm13) {
            return Err(Unfit::Header("VerProto"));
        }
        if header.session_id != NO_SESSION {
            return Err(Unfit::Header("SessionID"));
        }
        if header.target.uri != config.device_id.as_str() {
            return Err(Unfit::Header("Target"));
        }
        let number = header.message_id.parse().ok().filter(|number| *number > 0);
        let number = number.ok_or(Unfit::Header("MsgID"))?;
        if !message.is_final || message.commands.is_empty() {
            return Err(Unfit::Incomplete);
        }
        message.commands.iter().try_for_each(check)?;
        Ok(Self { message, body, number, leniency })
    }

    /// `MsgID`, 1 or more: a server gives each only once.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether this server says that it is the sender: `LocName` of Source is the name that it proves itself by, or its identifier, or
    /// `LocURI` is the address of the account. Proves nothing.
    #[must_use]
    pub fn names(&self, account: &Account) -> bool {
        let source = &self.message.header.source;
        let user = account.server_credentials.as_ref().map(|server| server.user.as_str());
        let name = source.name.as_deref();
        name.is_some_and(|name| name == account.server.as_str() || Some(name) == user)
            || source.uri == account.uri
    }

    /// Whether the value of `x-syncml-hmac` proves that the message is from this server, by a scheme of the settings and the nonce that
    /// the account has. There is no other proof: what stands in the message itself could be said by another one again.
    #[must_use]
    pub fn is_proved(&mut self, config: &Config, account: &Account, hmac: &str) -> bool {
        let evidence = Evidence { header: &self.message.header, hmac: Some(hmac), body: self.body };
        let proven = ServerProof::new(account).check(&evidence, config, &mut self.leniency);
        matches!(proven, Proven::Yes(Some(scheme)) if scheme.is_mac())
    }

    /// Begins to carry it out with the rights of the server. What comes of it are effects, notes and an end, never a message. Who calls it
    /// has made durable that this message was there, and so is carried out once.
    #[must_use]
    pub fn carry_out(self, config: Config, account: Account, tree: &mut Tree, fresh: Fresh) -> Session {
        let Self { message: Message { mut header, commands, .. }, leniency, .. } = self;
        let start = Start {
            account,
            trigger: Trigger::Server { session_id: 0 },
            versions: vec![Version::Dm13],
            alerts: Vec::new(),
            requested: Vec::new(),
        };
        let config = Config { split_atomic: true, user_interaction: UserInteraction::NONE, ..config };
        let mut session = Session::new(config, start);
        header.no_response = true;
        let answer = Answer::to(&header, Proven::Yes(None));
        session.carry_out(tree, fresh, commands, answer, leniency);
        session
    }
}

/// Whether a command, with all in it, may come where nobody answers.
fn check(command: &Command<'_>) -> Result<(), Unfit> {
    match command {
        Command::Operation(Operation { kind, items, .. }) => match kind {
            OperationKind::Get => Err(Unfit::Misplaced("Get")),
            _ if items.iter().any(|item| item.more) => Err(Unfit::Misplaced("an object in chunks")),
            OperationKind::Add
            | OperationKind::Replace
            | OperationKind::Delete
            | OperationKind::Copy
            | OperationKind::Exec => Ok(()),
        },
        Command::Container(container) => container.commands.iter().try_for_each(check),
        Command::Alert(_) => Err(Unfit::Misplaced("Alert")),
        Command::Status(_) => Err(Unfit::Misplaced("Status")),
        Command::Results(_) => Err(Unfit::Misplaced("Results")),
        Command::Unknown(_) => Err(Unfit::Misplaced("an unknown command")),
    }
}
