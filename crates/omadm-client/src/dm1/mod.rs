//! DM 1.x on a device: accounts, sessions over HTTP, alerts and executions that outlive a session, the user.
//!
//! The engine is [`omadm_session::dm1::client`]; here is what it asks for. Tree, plug-ins, journal and transport are those of DM 2.0.

mod abort;
mod account;
mod alerts;
mod binding;
pub mod bootstrap;
mod executions;
mod link;
mod notified;
mod reports;
mod running;
mod session;
mod sessionless;
mod settings;
mod user;

pub use abort::Abort;
pub use account::{AccountStatus, Accounts};
pub use alerts::GenericAlert;
pub use binding::{LinkConfig, ServedLink, WspConfig};
pub use notified::{Answered, Dm1Wake, LEVEL, NotifiedConfig};
pub use omadm_auth::dm1::Scheme;
pub use omadm_codec::dm1::trigger::UiMode;
pub use omadm_codec::dm1::{Mark, Version};
pub use omadm_link::{LinkAddress, ObexServer};
pub use omadm_session::dm1::client::{
    Argument, Cause, InputType, Note, Outcome, Question, QuestionKind, UserAnswer,
};
pub use omadm_session::dm1::wsp::Mode as WspMode;
pub use session::{SessionConfig, SessionReport, Start};
pub use sessionless::SessionlessConfig;
pub use settings::{AccountSettings, AuthType, CredentialSettings, Encoding, HttpScheme, HttpSettings};
pub use user::{Answer, UserInterface};

pub(crate) use executions::Pending;

use omadm_mo::{ServerId, Tree};

use crate::persistence::Entries;

/// Entries of servers whose account is gone: nobody is there to be told.
pub(crate) fn orphans(tree: &Tree, entries: &Entries) -> Vec<(String, Option<String>)> {
    let accounts: Vec<ServerId> = tree.dm1_accounts().map(|(server, _)| server).collect();
    let is_orphan = |(key, value): &(&String, &String)| {
        let server = link::server(key).map(str::to_owned);
        let server = server.or_else(|| notified::server(key).map(str::to_owned));
        let server = server.or_else(|| bootstrap::server(key).map(str::to_owned));
        let server = server.or_else(|| sessionless::server(key).map(str::to_owned));
        let server = server.or_else(|| reports::server(key, value));
        let server = server.or_else(|| alerts::server(key, value)).or_else(|| executions::server(key, value));
        server.is_some_and(|server| !accounts.iter().any(|known| known.as_str() == server))
    };
    entries.iter().filter(is_orphan).map(|(key, _)| (key.clone(), None)).collect()
}
