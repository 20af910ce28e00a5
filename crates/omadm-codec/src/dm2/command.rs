//! DM commands (`DM 2.0 §5.3`).

use omadm_mo::{ClientUri, Moid, ServerUri};

/// A command with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standard")]
pub enum Command {
    HGet { server: ServerUri, client: Option<ClientUri> },
    HPut { server: ServerUri, clients: Vec<ClientUri> },
    HPost { server: ServerUri, clients: Vec<ClientUri> },
    Delete(ClientUri),
    Exec { client: ClientUri, server: Option<ServerUri> },
    Get(ClientUri),
    Show(ServerUri),
    Cont(ServerUri),
    End,
    Default { server: ServerUri, moid: Moid },
    Sub { server: ServerUri, client: ClientUri },
    Unsub(ClientUri),
}

/// One entry of `CMD` as received: each needs a status to keep the sequence, so what is wrong is an entry too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandEntry {
    /// A command.
    Valid(Command),
    /// A name that is no command: 501.
    Unknown {
        /// The name.
        name: String,
    },
    /// Wrong count, non-string or empty parameter, or an address that does not parse: 400.
    Malformed {
        /// The name, as far as there is one.
        name: String,
        /// What is wrong, for the trace.
        reason: String,
    },
}

impl Command {
    /// The name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::HGet { .. } => "HGET",
            Self::HPut { .. } => "HPUT",
            Self::HPost { .. } => "HPOST",
            Self::Delete(_) => "DELETE",
            Self::Exec { .. } => "EXEC",
            Self::Get(_) => "GET",
            Self::Show(_) => "SHOW",
            Self::Cont(_) => "CONT",
            Self::End => "END",
            Self::Default { .. } => "DEFAULT",
            Self::Sub { .. } => "SUB",
            Self::Unsub(_) => "UNSUB",
        }
    }
    /// Reads a command from its name and parameters; `known_moid` as for [`ClientUri::parse_with`].
    #[must_use]
    pub fn from_words(_words: &[&str], _known_moid: &dyn Fn(&str) -> bool) -> CommandEntry {
        todo!()
    }
    /// Name and parameters as they stand in `CMD`.
    #[must_use]
    pub fn to_words(&self) -> Vec<String> {
        todo!()
    }
}
