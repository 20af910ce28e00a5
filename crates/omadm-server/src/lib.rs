//! The DM Server as a service: listeners for devices and operators, the command queue at work, notifications, the Data Repository, the
//! DDF file server, the REST API.
//!
//! Here: TLS, HTTP, scheduling, configuration, and the translation of what operators say into protocol commands.
//! Never here: parsing of packages, rules of a protocol session, SQL, or the reading of arguments and environment on its own.

mod about;
mod address;
mod admission;
mod advice;
mod audit;
mod background;
mod beside;
mod bootstrap;
pub mod bootstrap_file;
mod campaign;
mod clock;
pub mod config;
mod console;
mod context;
mod ddfs;
mod delegation;
mod descriptions;
mod desired;
mod device;
mod error;
mod events;
mod fleet;
mod guard;
pub mod indent;
mod leaf;
mod lease;
mod ledger;
mod links;
mod listener;
mod logins;
mod metrics;
mod models;
mod notifier;
mod obex;
mod operation;
mod operator;
mod outcome;
mod outgoing;
mod package;
mod password;
mod patience;
mod proxy;
mod random;
mod requests;
mod retention;
mod roots;
mod server;
pub mod storage;
mod tail;
mod tls;
mod ui;
mod webhooks;

#[doc(hidden)]
pub use clock::shift as shift_clock;
pub use config::{Config, ConfigError};
pub use ddfs::BUILT_IN as STANDARD_DDFS;
pub use error::ServerError;
/// What checks a chain of the audit log, for those who have an export of it.
pub mod audit_chain {
    pub use omadm_store::{AuditEntry, AuditHead, AuditProblem, ChainCheck};
}
pub use requests::RequestInWork;
pub use server::{Running, Server, TokenText};
pub use storage::open_store;
