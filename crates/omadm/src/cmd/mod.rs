//! One file a subcommand.

pub mod audit;
pub mod bootstrap;
pub mod campaign;
pub mod command;
pub mod ddf;
pub mod decode;
pub mod delegation;
pub mod device;
pub mod encode;
pub mod events;
pub mod export;
mod filter;
pub mod group;
pub mod import;
mod input;
pub mod notify;
pub mod package;
pub mod page;
pub mod profile;
pub mod run;
pub mod serve;
pub mod session;
pub mod sim;
pub mod store;
pub mod token;
pub mod user;
pub mod webhook;
