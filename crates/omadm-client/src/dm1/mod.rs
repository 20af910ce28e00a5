//! DM 1.x on a device: accounts, sessions over HTTP, alerts and executions that outlive a session, the user.
//!
//! The engine is [`omadm_session::dm1::client`]; here is what it asks for. Tree, plug-ins, journal and transport are those of DM 2.0.

mod abort;
mod account;
mod alerts;
mod binding;
mod executions;
mod link;
mod running;
mod session;
mod settings;
mod user;

pub use abort::Abort;
pub use account::{AccountStatus, Accounts};
pub use alerts::GenericAlert;
pub use omadm_auth::dm1::Scheme;
pub use omadm_codec::dm1::{Mark, Version};
pub use omadm_session::dm1::client::{
    Argument, Cause, InputType, Note, Outcome, Question, QuestionKind, UserAnswer,
};
pub use session::{SessionConfig, SessionReport, Start};
pub use settings::{AccountSettings, AuthType, CredentialSettings, Encoding, HttpScheme, HttpSettings};
pub use user::{Answer, UserInterface};

pub(crate) use executions::Pending;
