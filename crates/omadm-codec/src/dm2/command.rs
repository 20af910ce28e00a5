//! DM Commands (`DM 2.0 §5.3`).

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
    pub fn from_words(words: &[&str], known_moid: &dyn Fn(&str) -> bool) -> CommandEntry {
        let (name, parameters) = match words {
            [] => ("", Err("the entry is empty".to_owned())),
            [name, parameters @ ..] => (*name, Self::read(name, parameters, known_moid)),
        };
        match parameters {
            Ok(Some(command)) => CommandEntry::Valid(command),
            Ok(None) => CommandEntry::Unknown { name: name.into() },
            Err(reason) => CommandEntry::Malformed { name: name.into(), reason },
        }
    }

    /// The command, or nothing if there is none of this name, or what is wrong with its parameters.
    fn read(
        name: &str,
        parameters: &[&str],
        known_moid: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Self>, String> {
        if name.is_empty() {
            return Err("the name is empty".into());
        }
        if !NAMES.contains(&name) {
            return Ok(None);
        }
        if parameters.contains(&"") {
            return Err("a parameter is empty".into());
        }
        let server =
            |text: &str| ServerUri::parse(text).map_err(|error| format!("ServerURI {text:?}: {error}"));
        let client = |text: &str| {
            ClientUri::parse_with(text, known_moid).map_err(|error| format!("ClientURI {text:?}: {error}"))
        };
        let moid = |text: &str| Moid::parse(text).map_err(|error| format!("MOID: {error}"));
        Ok(Some(match (name, parameters) {
            ("HGET", [s]) => Self::HGet { server: server(s)?, client: None },
            ("HGET", [s, c]) => Self::HGet { server: server(s)?, client: Some(client(c)?) },
            ("HPUT", [s, c @ ..]) if !c.is_empty() => Self::HPut {
                server: server(s)?,
                clients: c.iter().map(|c| client(c)).collect::<Result<_, _>>()?,
            },
            ("HPOST", [s, c @ ..]) if !c.is_empty() => Self::HPost {
                server: server(s)?,
                clients: c.iter().map(|c| client(c)).collect::<Result<_, _>>()?,
            },
            ("DELETE", [c]) => Self::Delete(client(c)?),
            ("EXEC", [c]) => Self::Exec { client: client(c)?, server: None },
            ("EXEC", [c, s]) => Self::Exec { client: client(c)?, server: Some(server(s)?) },
            ("GET", [c]) => Self::Get(client(c)?),
            ("SHOW", [s]) => Self::Show(server(s)?),
            ("CONT", [s]) => Self::Cont(server(s)?),
            ("END", []) => Self::End,
            ("DEFAULT", [s, m]) => Self::Default { server: server(s)?, moid: moid(m)? },
            ("SUB", [s, c]) => Self::Sub { server: server(s)?, client: client(c)? },
            ("UNSUB", [c]) => Self::Unsub(client(c)?),
            _ => return Err(format!("{name} does not take {} parameters", parameters.len())),
        }))
    }

    /// Name and parameters as they stand in `CMD`.
    #[must_use]
    pub fn to_words(&self) -> Vec<String> {
        let mut words = vec![self.name().to_owned()];
        match self {
            Self::HGet { server, client } => {
                words.push(server.as_str().into());
                words.extend(client.iter().map(ClientUri::to_string));
            }
            Self::HPut { server, clients } | Self::HPost { server, clients } => {
                words.push(server.as_str().into());
                words.extend(clients.iter().map(ClientUri::to_string));
            }
            Self::Delete(client) | Self::Get(client) | Self::Unsub(client) => words.push(client.to_string()),
            Self::Exec { client, server } => {
                words.push(client.to_string());
                words.extend(server.iter().map(|server| server.as_str().to_owned()));
            }
            Self::Show(server) | Self::Cont(server) => words.push(server.as_str().into()),
            Self::End => {}
            Self::Default { server, moid } => {
                words.push(server.as_str().into());
                words.push(moid.as_str().into());
            }
            Self::Sub { server, client } => {
                words.push(server.as_str().into());
                words.push(client.to_string());
            }
        }
        words
    }
}

/// Every command, letter case as on the wire.
const NAMES: [&str; 12] =
    ["HGET", "HPUT", "HPOST", "DELETE", "EXEC", "GET", "SHOW", "CONT", "END", "DEFAULT", "SUB", "UNSUB"];
